//! `tidegate status`: what the server holds, and how it enforces.

use serde_json::Value;

use super::{Complaint, Server};
use crate::cli::{Form, StatusArgs};
use crate::exit::Exit;
use crate::output;

/// Prints the server's status.
pub(crate) async fn status(args: &StatusArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let body = server.status().await?;
    match args.server.output {
        Some(Form::Json) => output::json(&body),
        Some(Form::Table) | None => lines(&body).iter().for_each(|line| output::line(line)),
    }
    Ok(Exit::Ok)
}

fn lines(body: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for name in ["version", "api", "public", "public_tls", "enforcement", "mode", "revision", "data_dir"] {
        let value = match &body[name] {
            Value::String(text) => text.clone(),
            Value::Null if name == "public_tls" => "(not served)".to_owned(),
            Value::Null => "(in memory)".to_owned(),
            other => other.to_string(),
        };
        lines.push(format!("{name:<12} {value}"));
    }
    for realm in body["realms"].as_array().into_iter().flatten() {
        lines.push(String::new());
        lines.push(format!("{} {}", text(realm, "account_id"), text(realm, "region")));
        for (noun, count) in realm["resources"].as_object().into_iter().flatten() {
            lines.push(format!("  {:<20} {count}", noun.replace('_', " ")));
        }
        for url in realm["urls"].as_array().into_iter().flatten() {
            lines.push(format!("  url {} ({}, stage {})", text(url, "url"), text(url, "name"), text(url, "stage")));
        }
        for one in realm["attachments"].as_array().into_iter().flatten() {
            let port = one["port"].as_u64().map_or_else(|| "every port".to_owned(), |port| format!("port {port}"));
            lines.push(format!("  attached {} {port} to {}", text(one, "private_ip"), text(one, "host")));
        }
        for one in realm["listener_sockets"].as_array().into_iter().flatten() {
            let problem = one["problem"].as_str().map(|why| format!(", but is not open: {why}")).unwrap_or_default();
            lines.push(format!("  socket {} enters {}{problem}", text(one, "url"), text(one, "listener")));
        }
        for one in realm["internet_listeners"].as_array().into_iter().flatten() {
            let listener = format!("{} {}:{}", text(one, "load_balancer"), text(one, "protocol"), one["port"]);
            lines.push(match one["problem"].as_str() {
                None => format!("  internet {} enters {listener}", text(one, "url")),
                Some(why) => format!("  internet: {listener} is not open: {why}"),
            });
        }
        for one in realm["targets"].as_array().into_iter().flatten() {
            let reason = one["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
            let (target, group) = (text(one, "target"), text(one, "target_group"));
            lines.push(format!("  target {target} of {group} is {}{reason}", text(one, "health")));
        }
        for one in realm["problems"].as_array().into_iter().flatten() {
            lines.push(format!("  problem {}: {}", text(one, "id"), text(one, "problem")));
        }
    }
    lines
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
