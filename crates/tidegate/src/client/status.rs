//! `tidegate status`: what the server holds, and how it enforces.

use http::HeaderMap;
use serde_json::Value;

use super::{Complaint, Server, refused};
use crate::cli::{Form, StatusArgs};
use crate::exit::Exit;
use crate::output;

/// Prints the server's status.
pub(crate) async fn status(args: &StatusArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let answer = server.get("status", HeaderMap::new()).await?;
    if !answer.status.is_success() {
        return Err(refused(&answer));
    }
    let body = meant(answer.json(), &server);
    match args.server.output {
        Some(Form::Json) => output::json(&body),
        Some(Form::Table) | None => lines(&body).iter().for_each(|line| output::line(line)),
    }
    Ok(Exit::Ok)
}

/// Only the account and region that were named, if any were.
fn meant(mut body: Value, server: &Server) -> Value {
    let account = server.realm().account.map(|account| account.to_string());
    let region = server.realm().region.as_ref().map(ToString::to_string);
    let is = |value: &Value, wanted: &Option<String>| wanted.is_none() || value.as_str() == wanted.as_deref();
    if let Some(realms) = body["realms"].as_array_mut() {
        realms.retain(|realm| is(&realm["account_id"], &account) && is(&realm["region"], &region));
    }
    body
}

fn lines(body: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for name in ["version", "api", "public", "enforcement", "revision", "data_dir"] {
        let value = match &body[name] {
            Value::String(text) => text.clone(),
            Value::Null => "(in memory)".to_owned(),
            other => other.to_string(),
        };
        lines.push(format!("{name:<12} {value}"));
    }
    for realm in body["realms"].as_array().into_iter().flatten() {
        let text = |name: &str| realm[name].as_str().unwrap_or_default().to_owned();
        lines.push(String::new());
        lines.push(format!("{} {}", text("account_id"), text("region")));
        for (noun, count) in realm["resources"].as_object().into_iter().flatten() {
            lines.push(format!("  {:<20} {count}", noun.replace('_', " ")));
        }
    }
    lines
}
