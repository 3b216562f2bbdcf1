//! Programs inside a private network: what they see, that they get out by no door, and that they end as any program of a shell does.

mod escapes;
mod host;

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use crate::isolated::{Who, isolated};
use crate::support::{first_line, signal, text};
use host::{Host, Starter};

/// The role of a process that is this binary again.
const ROLE: &str = "TIDEGATE_TEST_ROLE";
/// The interface whose namespace is handed out, and one beside it.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 10);
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 11);
const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// Runs a test beside a host whose networks this starter made, or, in a process of another role, does what the role is.
fn beside(name: &str, who: Who, starter: Starter, test: impl FnOnce(&Host)) {
    match std::env::var(ROLE).as_deref() {
        Ok("host") => host::keep(),
        Ok("program") => escapes::all_are_refused(),
        Ok("deeper") => escapes::deeper_ones_are_refused(),
        _ => isolated(who, name, || test(&Host::start(name, starter))),
    }
}

/// The same test for each starter.
macro_rules! for_each_starter {
    ($($name:ident)*) => {
        mod root {
            $(#[test]
            fn $name() {
                let name = concat!("inside::root::", stringify!($name));
                super::beside(name, super::Who::Root, super::Starter::Root, super::$name);
            })*
        }
        mod root_for_somebody {
            $(#[test]
            fn $name() {
                let name = concat!("inside::root_for_somebody::", stringify!($name));
                super::beside(name, super::Who::Root, super::Starter::RootForSomebody, super::$name);
            })*
        }
        mod nobody {
            $(#[test]
            fn $name() {
                let name = concat!("inside::nobody::", stringify!($name));
                super::beside(name, super::Who::Root, super::Starter::Nobody, super::$name);
            })*
        }
        mod root_of_a_namespace {
            $(#[test]
            fn $name() {
                let name = concat!("inside::root_of_a_namespace::", stringify!($name));
                super::beside(name, super::Who::Nobody, super::Starter::Root, super::$name);
            })*
        }
    };
}

for_each_starter! {
    nobody_gets_out
    programs_end_as_in_a_shell
    ctrl_c_is_the_program_s_alone
}

fn nobody_gets_out(host: &Host) {
    let output = host.escaping().output().unwrap();
    let said = text(&[output.stdout, output.stderr].concat());
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn programs_end_as_in_a_shell(host: &Host) {
    let run = |words: &[&str]| host.command(words).output().unwrap();
    let code = |words: &[&str]| run(words).status.code();
    assert_eq!(code(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(code(&["sh", "-c", "kill -9 $$"]), Some(128 + 9));
    assert_eq!(code(&["/no/such/program"]), Some(127));
    assert_eq!(code(&["/"]), Some(126));
    // Who outlives the program would keep the pipe of its output open.
    assert_eq!(code(&["sh", "-c", "setsid tail -f /dev/null & exit 7"]), Some(7));
    // An orphan that nobody reaps is there for ever.
    let orphan = "orphan=$(sh -c 'true >/dev/null & echo $!'); while test -e /proc/$orphan; do :; done; exit 8";
    assert_eq!(code(&["sh", "-c", orphan]), Some(8));
    for (name, expected) in [("USR1", Some(9)), ("TERM", Some(128 + 15)), ("INT", Some(10)), ("KILL", None)] {
        let words = "trap 'exit 9' USR1; trap 'exit 10' INT; echo ready; tail -f /dev/null & wait";
        // In a session of its own there is no terminal that this could be in the foreground of.
        let mut program = host.command_after(&["setsid"], &["sh", "-c", words]);
        let mut program = program.stdout(Stdio::piped()).spawn().unwrap();
        let (line, mut rest) = first_line(program.stdout.take().unwrap());
        assert_eq!(line, "ready\n");
        signal(&program, name);
        assert_eq!(program.wait().unwrap().code(), expected, "{name}");
        // The pipe ends when the last process that holds it does.
        rest.read_to_end(&mut Vec::new()).unwrap();
    }
    let refused = host.command_at("eni-00000000000000abc", &["true"]).output().unwrap();
    let said = text(&refused.stderr);
    assert!(refused.status.code() == Some(1) && said.contains("there is no such interface"), "{said}");
}

fn ctrl_c_is_the_program_s_alone(host: &Host) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).and_then(|()| unlockpt(&terminal)).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let other = std::fs::File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    if !matches!(host.starter, Starter::Root) {
        rustix::fs::fchmod(&other, rustix::fs::Mode::from_raw_mode(0o666)).unwrap();
    }
    let words = "trap 'echo caught' INT; echo ready; until read -r line && test \"$line\" = end; do :; done; exit 5";
    // It becomes the program, as the leader of a session with that terminal.
    let mut program = host.command_after(&["setsid", "--ctty"], &["sh", "-c", words]);
    program.stdin(OwnedFd::from(other.try_clone().unwrap())).stdout(OwnedFd::from(other.try_clone().unwrap()));
    let mut running = program.spawn().unwrap();
    drop((program, other));
    let mut terminal = std::fs::File::from(terminal);
    let mut said = String::new();
    let mut told = [("ready", &b"\x03"[..]), ("caught", b"end\n")].into_iter().peekable();
    let mut bytes = [0; 1024];
    // At its end the terminal is nobody's, which reads as an error.
    while let Ok(read) = terminal.read(&mut bytes) {
        said.push_str(&text(&bytes[..read]));
        while let Some((_, answer)) = told.next_if(|(word, _)| said.contains(word)) {
            terminal.write_all(answer).unwrap();
        }
    }
    assert_eq!(running.wait().unwrap().code(), Some(5), "{said}");
    assert!(said.matches("caught").count() == 1, "{said}");
}
