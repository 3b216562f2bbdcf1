//! `tidegate run`: a program is an address for as long as both it and the server live.

use std::io::Read;
use std::process::Stdio;

use crate::support::{Server, first_line, signal, text, until};

/// A subnet of the default VPC.
fn subnet(server: &Server) -> String {
    server.ec2("DescribeSubnets").succeeded().element("subnetId").to_owned()
}

/// How many interfaces there are.
fn interfaces(server: &Server) -> usize {
    server.ec2("DescribeNetworkInterfaces").succeeded().body.matches("<networkInterfaceId>").count()
}

/// A program that says that it runs, and then runs until it is ended.
const FOREVER: &str = "echo $PORT; exec tail -f /dev/null";

#[test]
fn the_program_s_exit_code_is_run_s_and_nothing_is_left() {
    let server = Server::ephemeral(&[]);
    let subnet = subnet(&server);
    let out = server.run(&["run", "--subnet", &subnet, "--", "sh", "-c", "test \"$PORT\" -gt 0 && exit 7"]);
    assert_eq!(out.status.code(), Some(7), "{}", text(&out.stderr));
    assert_eq!(interfaces(&server), 0);
    let killed = server.run(&["run", "--subnet", &subnet, "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(killed.status.code(), Some(128 + 9));
    let missing = server.run(&["run", "--subnet", &subnet, "--", "no-such-program"]);
    assert_eq!(missing.status.code(), Some(127), "{}", text(&missing.stderr));
}

#[test]
fn a_subnet_that_does_not_exist_starts_no_program() {
    let server = Server::ephemeral(&[]);
    let out = server.run(&["run", "--subnet", "subnet-00000000000000abc", "--", "echo", "started"]);
    assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(1), ""));
    assert!(text(&out.stderr).contains("there is no subnet"), "{}", text(&out.stderr));
}

#[test]
fn a_run_that_is_killed_takes_its_program_and_its_address_along() {
    let server = Server::ephemeral(&[]);
    let words = ["run", "--subnet", &subnet(&server), "--", "sh", "-c", FOREVER];
    let mut run = server.command(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (port, mut rest) = first_line(run.stdout.take().unwrap());
    assert!(port.trim().parse::<u16>().unwrap() > 0);
    assert_eq!(interfaces(&server), 1);
    signal(&run, "KILL");
    run.wait().unwrap();
    // The pipe ends when the last process that holds it does.
    rest.read_to_end(&mut Vec::new()).unwrap();
    until("the address is given back", || interfaces(&server) == 0);
}

#[test]
fn a_server_that_is_killed_takes_the_program_along() {
    let mut server = Server::ephemeral(&[]);
    let words = ["run", "--subnet", &subnet(&server), "--", "sh", "-c", FOREVER];
    let mut run = server.command(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (_, mut rest) = first_line(run.stdout.take().unwrap());
    server.kill();
    rest.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(1));
}

#[test]
fn a_server_that_ends_well_takes_the_program_along() {
    let mut server = Server::ephemeral(&[]);
    let words = ["run", "--subnet", &subnet(&server), "--", "sh", "-c", FOREVER];
    let mut run = server.command(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (_, mut rest) = first_line(run.stdout.take().unwrap());
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    rest.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(1));
}

#[test]
fn sigterm_ends_the_program_and_gives_the_address_back() {
    let server = Server::ephemeral(&[]);
    let words = ["run", "--subnet", &subnet(&server), "--", "sh", "-c", FOREVER];
    let mut run = server.command(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (_, mut rest) = first_line(run.stdout.take().unwrap());
    signal(&run, "TERM");
    rest.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(128 + 15));
    assert_eq!(interfaces(&server), 0);
}

#[test]
fn leases_are_forgotten_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::durable(directory.path());
    let words = ["run", "--subnet", &subnet(&server), "--", "sh", "-c", FOREVER];
    let mut run = server.command(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (_, mut rest) = first_line(run.stdout.take().unwrap());
    server.kill();
    rest.read_to_end(&mut Vec::new()).unwrap();
    run.wait().unwrap();
    assert_eq!(interfaces(&Server::durable(directory.path())), 0);
}
