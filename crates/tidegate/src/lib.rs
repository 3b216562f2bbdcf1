//! The one binary: the command line, the configuration, and the wiring of rooms. No decision about AWS is made here; an
//! `if` about AWS behaviour belongs to `control`, `wire` or `plane`.
//!
//! Programs in Rust have a server of their own in their process by [`Server`], for their tests.

mod acme;
mod agent;
mod ca;
mod chance;
mod cli;
mod client;
mod config;
mod demo;
mod detached;
mod doctor;
mod embedded;
mod exit;
mod explain;
mod given;
mod hour;
mod journal;
mod link;
mod log_files;
mod loopback;
mod mailbox;
mod output;
mod private;
mod publish;
mod remembered;
mod serve;
mod telemetry;
mod turns;
mod wishes;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use clap_complete::Shell;

use cli::{Cli, Command};
pub use embedded::{NoServer, Server};
use exit::Exit;

/// The program: what its words ask for, and the exit code that tells how it went.
#[must_use]
pub fn main() -> ExitCode {
    let exit = match Cli::parse_from(cli::words(std::env::args_os())).command {
        Command::Up(args) if args.detach => client::to_end(detached::up(&args)),
        Command::Up(args) => serve::up(&args),
        Command::Down(args) => client::to_end(detached::down(&args)),
        Command::Completion { shell } => completion(shell),
        Command::Env(args) => client::to_end(client::env(&args)),
        Command::Wait(args) => client::to_end(client::wait(&args)),
        Command::Publish(args) => client::to_end(publish::publish(&args)),
        Command::Unpublish(args) => client::to_end(publish::unpublish(&args)),
        Command::Published(args) => client::to_end(publish::published(&args)),
        Command::Attach(args) => client::to_end(client::attach(&args)),
        Command::Detach(args) => client::to_end(client::detach(&args)),
        Command::Attachments(args) => client::to_end(client::attachments(&args)),
        Command::Run(args) => client::to_end(client::run(&args)),
        Command::RunChild(args) => client::become_program(&args),
        Command::Netns(args) => client::to_end(client::netns(&args)),
        Command::NetnsChild(args) => client::become_inside(&args),
        Command::RunFirst => client::become_first(),
        Command::Logs(args) => client::to_end(client::logs(&args)),
        Command::Tick(args) => client::to_end(client::tick(&args)),
        Command::Open(args) => client::to_end(client::open(&args)),
        Command::Reset(args) => client::to_end(client::reset(&args)),
        Command::Status(args) => client::to_end(client::status(&args)),
        Command::Explain(args) => client::to_end(client::explain(&args)),
        Command::Ca(args) => ca::ca(&args),
        Command::Agent(args) => match &args.command {
            Some(command) => client::to_end(client::agent(command)),
            None => agent::agent(&args.run),
        },
        Command::Agents(args) => client::to_end(client::agents(&args)),
        Command::Doctor(args) if args.link => client::to_end(agent::doctor::doctor(&args)),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::ExamineKernel => doctor::examine(),
        Command::Demo(args) => demo::demo(&args),
        Command::DemoBackend(args) => demo::backend(&args),
        Command::DemoCaller(args) => demo::caller(&args),
    };
    exit.into()
}

fn completion(shell: Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tidegate", &mut script);
    output::bytes(&script);
    Exit::Ok
}
