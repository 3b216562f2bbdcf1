//! The words of the commands of every day: what is waited for, read and set, and what ends a server.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Form, ServerArgs};

#[derive(Debug, Args)]
pub(crate) struct EnvArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The shell that evaluates it
    #[arg(long, value_name = "SHELL", default_value = "sh")]
    pub(crate) shell: ShellForm,
    /// Print what takes the variables back instead
    #[arg(long)]
    pub(crate) unset: bool,
}

/// Shells that set variables in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShellForm {
    /// sh, bash, zsh and their kin
    #[value(aliases = ["bash", "zsh", "dash", "ksh"])]
    Sh,
    /// fish
    Fish,
    /// PowerShell
    #[value(alias = "pwsh")]
    Powershell,
    /// Nushell
    #[value(alias = "nushell")]
    Nu,
}

#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The id or the name of an API [default: the page of the server]
    #[arg(value_name = "API")]
    pub(crate) named: Option<String>,
    /// Print the URL, and start no browser
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Until links and load balancers carry traffic and each target group in use has targets, all of them healthy
    #[arg(long)]
    pub(crate) healthy: bool,
    /// For how long, such as 90s or 2m; then the exit code is 4
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub(crate) timeout: String,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Go on with what comes
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// How far back to begin, such as 30s or 5m
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub(crate) since: String,
    /// access, execution, control (the log of a detached server), other, or the name of a log group [default: all]
    #[arg(value_name = "KIND|GROUP")]
    pub(crate) what: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// The data directory of the server
    #[arg(long, value_name = "DIR", env = "TIDEGATE_DATA_DIR", default_value = ".tidegate")]
    pub(crate) data_dir: PathBuf,
    /// How long it may take to end
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub(crate) timeout: String,
    /// How the answer is printed
    #[arg(long, value_name = "FORM")]
    pub(crate) output: Option<Form>,
}
