//! The one binary: the command line, the configuration, and the wiring of rooms. No decision about AWS is made here; an
//! `if` about AWS behaviour belongs to `control`, `wire` or `plane`.

mod cli;
mod config;
mod output;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use cli::{Cli, Command};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Up(args) => match config::load(&args, std::env::vars(), None) {
            Ok(config) => {
                output::line(&format!("{config:?}"));
                ExitCode::SUCCESS
            }
            Err(problems) => {
                problems.iter().for_each(|problem| output::complaint(&problem.to_string()));
                ExitCode::from(2)
            }
        },
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tidegate", &mut script);
            output::bytes(&script);
            ExitCode::SUCCESS
        }
        _ => ExitCode::FAILURE,
    }
}
