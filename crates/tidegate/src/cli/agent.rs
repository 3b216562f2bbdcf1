//! The words of the commands about agents.

use clap::{Args, Subcommand};
use topology::id::{AgentId, VpcId, Zone};

use super::ServerArgs;

#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    #[command(subcommand)]
    pub(crate) command: AgentCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Print a token that enrols one agent, once
    Token(TokenArgs),
    /// Shut an agent out for good
    Revoke(AgentIdArgs),
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
