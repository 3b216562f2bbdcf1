//! `tidegate agent token`, `revoke` and `forget`, and `tidegate agents`: who carries VPCs from other machines.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Complaint, Server, span, taken};
use crate::cli::{AgentCommand, AgentIdArgs, Form, ServerArgs, TokenArgs};
use crate::exit::Exit;
use crate::output;
use crate::wishes::{AgentTokenWish, AgentWish};

/// Makes a token, or shuts an agent out.
pub(crate) async fn agent(command: &AgentCommand) -> Result<Exit, Complaint> {
    match command {
        AgentCommand::Token(args) => token(args).await,
        AgentCommand::Revoke(args) => told(args, "agents/revoke").await,
        AgentCommand::RotateAuthority(args) => rotate(args).await,
        AgentCommand::Forget(args) => told(args, "agents/forget").await,
    }
}

/// Prints the token alone, so that a script can hand it on.
async fn token(args: &TokenArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let zones: BTreeSet<_> = args.zones.iter().cloned().collect();
    let ttl_s = Some(span("--ttl", &args.ttl)?.as_secs());
    let wish = AgentTokenWish { realm: server.realm().clone(), vpc: args.vpc, zones, ttl_s };
    let made = taken(server.post("agents/tokens", &wish).await?)?.json();
    match args.server.output {
        Some(Form::Json) => output::json(&made),
        Some(Form::Table) | None => output::line(made["token"].as_str().unwrap_or_default()),
    }
    Ok(Exit::Ok)
}

async fn told(args: &AgentIdArgs, path: &str) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let wish = AgentWish { realm: server.realm().clone(), agent: args.agent };
    let done = taken(server.post(path, &wish).await?)?.json();
    match args.server.output {
        Some(Form::Table) => {
            output::line(&format!("{} of {} is {}", text(&done["agent"]), text(&done["vpc"]), text(&done["state"])))
        }
        Some(Form::Json) | None => output::json(&done),
    }
    Ok(Exit::Ok)
}

/// Begins the next phase of a rotation, and says what comes after it.
async fn rotate(args: &ServerArgs) -> Result<Exit, Complaint> {
    let answer = Server::of(args)?.post("agents/rotate-authority", &serde_json::json!({})).await?;
    let body = answer.json();
    if body["code"] == "AGENTS_BEHIND" {
        ids(&body["behind"]).for_each(|agent| output::complaint(&format!("{agent} is behind")));
    }
    let begun = taken(answer)?.json();
    if args.output == Some(Form::Json) {
        output::json(&begun);
        return Ok(Exit::Ok);
    }
    output::line(&match text(&begun["phase"]) {
        "new-trusted" => "a new authority is trusted, and the old one issues".to_owned(),
        "new-issues" => {
            format!("the authority {} issues, and agents of the old one are let in", text(&begun["authority"]))
        }
        _ => format!("the authority {} is the only one", text(&begun["authority"])),
    });
    let behind = ids(&begun["behind"]).count();
    if behind > 0 {
        output::line(&format!(
            "{behind} agents take this with their next renewal; the next phase can begin after that"
        ));
    }
    Ok(Exit::Ok)
}

fn ids(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().map(text)
}

/// Lists agents.
pub(crate) async fn agents(args: &ServerArgs) -> Result<Exit, Complaint> {
    let told = Server::of(args)?.list("agents", "agents").await?;
    match args.output {
        Some(Form::Json) => output::json(&told),
        Some(Form::Table) | None => {
            let agents = told["agents"].as_array().map(Vec::as_slice).unwrap_or_default();
            if agents.is_empty() {
                output::line("there are no agents");
            }
            agents.iter().for_each(|agent| output::line(&line(agent)));
        }
    }
    Ok(Exit::Ok)
}

fn line(agent: &Value) -> String {
    let zones: Vec<&str> = agent["zones"].as_array().into_iter().flatten().map(text).collect();
    let zones = if zones.is_empty() { "every zone".to_owned() } else { zones.join(", ") };
    let mut line = format!("{}  {}  {zones}  {}", text(&agent["agent"]), text(&agent["vpc"]), text(&agent["state"]));
    if let Some(version) = agent["version"].as_str() {
        let round_trip = agent["round_trip_ms"].as_f64().unwrap_or_default();
        let (seen, connections) = (text(&agent["last_seen"]), &agent["connections"]);
        line += &format!("  {version}  seen {seen}  {round_trip:.1} ms  {connections} connections");
    }
    line
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}
