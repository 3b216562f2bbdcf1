//! `tidegate tick` and `tidegate reset`: the server's clock is moved, or everything that it holds is forgotten.

use std::io::{BufRead, IsTerminal};

use super::{Complaint, Server};
use crate::cli::{Form, ResetArgs, TickArgs};
use crate::exit::Exit;
use crate::output;

/// Moves the clock of life cycles, quotas and tokens.
pub(crate) async fn tick(args: &TickArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let answer = server.ticked(args.seconds).await?;
    match args.server.output {
        Some(Form::Table) => output::line(&format!("the clock is {} s further on", args.seconds)),
        Some(Form::Json) | None => output::json(&answer.json()),
    }
    Ok(Exit::Ok)
}

/// Forgets everything, once that is confirmed.
pub(crate) async fn reset(args: &ResetArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    if !args.yes && !is_confirmed(server.base())? {
        return Err(Complaint::Refused("nothing was forgotten".to_owned()));
    }
    let answer = server.forget().await?;
    match args.server.output {
        Some(Form::Table) => output::line("everything is forgotten"),
        Some(Form::Json) | None => output::json(&answer.json()),
    }
    Ok(Exit::Ok)
}

/// Asks the person at the terminal; a script must say so beforehand.
fn is_confirmed(server: &str) -> Result<bool, Complaint> {
    let mut lines = std::io::stdin().lock();
    if !std::io::stdin().is_terminal() {
        return Err(Complaint::Usage(format!("this forgets everything that {server} holds; say --yes")));
    }
    output::complaint(&format!("this forgets everything that {server} holds, for good. Type yes to go on"));
    let mut answer = String::new();
    lines.read_line(&mut answer).map_err(|error| Complaint::System(error.to_string()))?;
    Ok(answer.trim() == "yes")
}
