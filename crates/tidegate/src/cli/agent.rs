//! The words of the commands about agents.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use topology::id::{AgentId, VpcId, Zone};
use topology::net::Ipv4Net;

use super::{Form, ServerArgs};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AgentArgs {
    #[command(flatten)]
    pub(crate) run: AgentRunArgs,
    #[command(subcommand)]
    pub(crate) command: Option<AgentCommand>,
}

/// What an agent runs with.
#[derive(Debug, Args)]
pub(crate) struct AgentRunArgs {
    /// A token of `tidegate agent token`, for the first start; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN", requires = "gateway", env = "TIDEGATE_AGENT_TOKEN", hide_env_values = true)]
    pub(crate) join: Option<String>,
    /// Where the gateways listen for agents, with the first start
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', requires = "join")]
    pub(crate) gateway: Vec<String>,
    /// The directory of this agent: its key, its certificate and the state of its VPC
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Blocks of the VPC that are real addresses in this network, with the first start
    #[arg(long, value_name = "CIDR", value_delimiter = ',', requires = "join")]
    pub(crate) native: Vec<Ipv4Net>,
    /// The socket for programs of this machine [default: agent.sock in the directory]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// How it says that it carries
    #[arg(long, value_name = "FORM")]
    pub(crate) output: Option<Form>,
    /// How much is logged
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log: tracing::Level,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Print a token that enrols one agent, once
    Token(TokenArgs),
    /// Shut an agent out for good
    Revoke(AgentIdArgs),
    /// Begin the next phase of a rotation of the authority that certifies agents: it is trusted, it issues, the old one is dropped
    RotateAuthority(ServerArgs),
    /// Forget an agent that was revoked; a VPC without any is carried by the server itself
    Forget(AgentIdArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The VPC that the agent carries
    #[arg(long, value_name = "V")]
    pub(crate) vpc: VpcId,
    /// A zone in which it does; may be repeated [default: every zone of the VPC]
    #[arg(long = "zone", value_name = "Z")]
    pub(crate) zones: Vec<Zone>,
    /// How long the token is valid: 1m to 24h
    #[arg(long, value_name = "DURATION", default_value = "15m")]
    pub(crate) ttl: String,
}

#[derive(Debug, Args)]
pub(crate) struct AgentIdArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The agent
    #[arg(value_name = "ID")]
    pub(crate) agent: AgentId,
}
