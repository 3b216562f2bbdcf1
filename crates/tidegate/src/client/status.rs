//! `tidegate status`: what the server holds, and how it enforces; and `tidegate attachments`, a part of it.

use serde_json::{Value, json};

use super::{Complaint, Server};
use crate::cli::{Form, ServerArgs, StatusArgs};
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

/// Prints the attachments alone.
pub(crate) async fn attachments(args: &ServerArgs) -> Result<Exit, Complaint> {
    let body = Server::of(args)?.status().await?;
    let realms = body["realms"].as_array().into_iter().flatten();
    if args.output == Some(Form::Json) {
        let told = realms.flat_map(|realm| {
            let (account, region) = (&realm["account_id"], &realm["region"]);
            realm["attachments"].as_array().into_iter().flatten().map(move |one| {
                let mut one = one.clone();
                (one["account_id"], one["region"]) = (account.clone(), region.clone());
                one
            })
        });
        output::json(&json!({ "attachments": told.collect::<Vec<_>>() }));
        return Ok(Exit::Ok);
    }
    let lines: Vec<String> = realms.flat_map(told_attachments).collect();
    lines.iter().for_each(|line| output::line(line));
    if lines.is_empty() {
        output::complaint("nothing is attached");
    }
    Ok(Exit::Ok)
}

fn lines(body: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for name in
        ["version", "api", "api_tls", "public", "public_tls", "metrics", "enforcement", "mode", "revision", "data_dir"]
    {
        let value = match &body[name] {
            Value::String(text) => text.clone(),
            Value::Null if name == "data_dir" => "(in memory)".to_owned(),
            Value::Null => "(not served)".to_owned(),
            other => other.to_string(),
        };
        lines.push(format!("{name:<12} {value}"));
    }
    if let Some(why) = body["enforcement_reason"].as_str() {
        lines.push(format!("the kernel cannot carry private networks: {why}"));
    }
    for fault in body["fabric_faults"].as_array().into_iter().flatten() {
        lines.push(format!(
            "the private network {} is not what it is to be: {}",
            text(fault, "vpc"),
            text(fault, "why")
        ));
    }
    for one in body["acme"]["troubles"].as_array().into_iter().flatten() {
        let again =
            one["again"].as_str().map_or("not asked for again".to_owned(), |at| format!("asked for again at {at}"));
        lines.push(format!("no newer {}: {}; {again}", text(one, "certificate"), text(one, "why")));
    }
    for realm in body["realms"].as_array().into_iter().flatten() {
        lines.push(String::new());
        lines.push(format!("{} {}", text(realm, "account_id"), text(realm, "region")));
        for (noun, count) in realm["resources"].as_object().into_iter().flatten() {
            lines.push(format!("  {:<20} {count}", noun.replace('_', " ")));
        }
        for url in realm["urls"].as_array().into_iter().flatten() {
            let (kind, name) = (text(url, "kind"), text(url, "name"));
            lines.push(format!("  {kind} API {name} ({}), stage {}", text(url, "api"), text(url, "stage")));
            for member in ["url", "by_path", "tls"] {
                lines.extend(url[member].as_str().map(|url| format!("    url {url}")));
            }
        }
        for one in realm["domains"].as_array().into_iter().flatten() {
            let url = one["url"].as_str().map_or_else(|| text(one, "domain_name"), str::to_owned);
            lines.push(format!("  domain {url} leads to {}, stage {}", text(one, "api"), text(one, "stage")));
        }
        lines.extend(told_attachments(realm).map(|line| format!("  {line}")));
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
            let why = |reason| format!(": {reason} ({})", text(one, "description"));
            let reason = one["reason"].as_str().map(why).unwrap_or_default();
            let (target, group) = (text(one, "target"), text(one, "target_group"));
            lines.push(format!("  target {target} of {group} is {}{reason}", text(one, "health")));
        }
        for one in realm["pending"].as_array().into_iter().flatten() {
            lines.push(format!("  pending: the {} {} ({})", text(one, "what"), text(one, "name"), text(one, "id")));
        }
        for one in realm["problems"].as_array().into_iter().flatten() {
            lines.push(format!("  problem {}: {}", text(one, "id"), text(one, "problem")));
        }
    }
    lines
}

/// A line for each attachment of a realm.
fn told_attachments(realm: &Value) -> impl Iterator<Item = String> {
    realm["attachments"].as_array().into_iter().flatten().map(|one| {
        let port = one["port"].as_u64().map_or_else(|| "every port".to_owned(), |port| format!("port {port}"));
        let lease = if one["lease"] == true { ", while `tidegate run` lasts" } else { "" };
        let ipv6 = one["ipv6"].as_str().map(|address| format!(" and {address}")).unwrap_or_default();
        format!("attached {}{ipv6} {port} to {}{lease}", text(one, "private_ip"), text(one, "host"))
    })
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
