//! `tidegate netns exec`: a program in the namespace of an interface, with the rights that its caller has, to look at the network from there.

use std::os::unix::process::CommandExt;
use std::process::Command;

use super::run::{door, not_started};
use super::{Complaint, Server};
use crate::cli::{NetnsArgs, NetnsChildArgs, NetnsCommand, NetnsExecArgs};
use crate::exit::Exit;

/// Becomes the program, by way of this binary: namespaces are entered by a process of one thread.
pub(crate) async fn netns(args: &NetnsArgs) -> Result<Exit, Complaint> {
    let NetnsCommand::Exec(NetnsExecArgs { server, interface, command }) = &args.command;
    let door = door(&Server::of(server)?).await?;
    let own = crate::given::own_program().map_err(|error| Complaint::System(error.to_string()))?;
    let words = ["netns-child", &door, &interface.to_string(), "--"];
    let error = Command::new(own).args(words).args(command).exec();
    Err(Complaint::System(error.to_string()))
}

/// The hidden command: enters the namespace, then becomes the program.
#[cfg(target_os = "linux")]
pub(crate) fn become_inside(args: &NetnsChildArgs) -> Exit {
    let entered = super::door::ask(&args.door, args.interface)
        .and_then(|doorway| kernel::Visitor::enter(doorway).map_err(|failure| Complaint::System(failure.to_string())));
    if let Err(complaint) = entered {
        crate::output::complaint(&complaint.to_string());
        return complaint.exit();
    }
    let Some((program, words)) = args.command.split_first() else { return Exit::Usage };
    not_started(program, &Command::new(program).args(words).exec())
}

/// The hidden command, which nothing here starts.
#[cfg(not(target_os = "linux"))]
pub(crate) fn become_inside(args: &NetnsChildArgs) -> Exit {
    not_started(&args.command.join(" "), &std::io::ErrorKind::Unsupported.into())
}
