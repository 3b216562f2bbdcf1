//! `tidegate wait`: until the server answers, and with `--healthy` until everything that it holds carries traffic. It asks again and
//! again; how often, and for how long, is bounded.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Complaint, Server, span};
use crate::cli::{Form, WaitArgs};
use crate::exit::Exit;
use crate::output;

/// How often is asked.
const EVERY: Duration = Duration::from_millis(100);
/// What is still waited for when the time is over is told up to this many.
const TOLD_MAX: usize = 10;

/// Waits, and says for what it was in vain.
pub(crate) async fn wait(args: &WaitArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let timeout = span("--timeout", &args.timeout)?;
    let began = Instant::now();
    let missing = loop {
        let missing = missing(&server, args.healthy).await?;
        if missing.is_empty() || began.elapsed() >= timeout {
            break missing;
        }
        tokio::time::sleep(EVERY.min(timeout.saturating_sub(began.elapsed()))).await;
    };
    let done = if args.healthy { "healthy" } else { "ready" };
    if args.server.output == Some(Form::Json) {
        output::json(&json!({ (done): missing.is_empty(), "waiting_for": missing }));
    } else if missing.is_empty() {
        output::line(done);
    }
    if missing.is_empty() {
        return Ok(Exit::Ok);
    }
    output::complaint(&format!("not {done} within {timeout:?}"));
    missing.iter().take(TOLD_MAX).for_each(|what| output::complaint(what));
    Ok(Exit::Unreachable)
}

/// What is not yet as it should be.
async fn missing(server: &Server, healthy: bool) -> Result<Vec<String>, Complaint> {
    if server.is_development().await.is_none() {
        return Ok(vec![format!("no server answers at {}", server.base())]);
    }
    if !healthy {
        return Ok(Vec::new());
    }
    match server.status().await {
        Ok(told) => Ok(told["realms"].as_array().into_iter().flatten().flat_map(unhealthy).collect()),
        // It went away between two questions, and may come back.
        Err(Complaint::Client(error)) => Ok(vec![error.to_string()]),
        Err(other) => Err(other),
    }
}

/// What of a realm does not carry traffic.
fn unhealthy(realm: &Value) -> Vec<String> {
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let list = |name: &str| realm[name].as_array().into_iter().flatten();
    let pending = list("pending").map(|one| format!("the {} {} is pending", text(one, "what"), text(one, "name")));
    let used = list("target_groups").filter(|group| group["in_use"] == true);
    let empty = used.filter(|group| group["targets"] == 0);
    let empty = empty.map(|group| format!("the target group {} has no targets", text(group, "name")));
    let ill = list("targets").filter(|target| {
        target["in_use"] == true && !["healthy", "draining"].contains(&target["health"].as_str().unwrap_or_default())
    });
    let ill = ill.map(|target| {
        let (of, is) = (text(target, "target_group"), text(target, "health"));
        format!("the target {} of {of} is {is}: {}", text(target, "target"), text(target, "description"))
    });
    pending.chain(empty).chain(ill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_healthy_when_all_that_is_used_is() {
        let realm = |group: Value, targets: Value| {
            unhealthy(&json!({ "pending": [], "target_groups": [group], "targets": targets })).len()
        };
        let used = json!({ "name": "g", "in_use": true, "targets": 1 });
        let target = |used: bool, health: &str| json!([{ "target": "t", "in_use": used, "health": health }]);
        assert_eq!(realm(used.clone(), target(true, "healthy")), 0);
        assert_eq!(realm(used.clone(), target(true, "draining")), 0);
        assert_eq!(realm(used.clone(), target(true, "initial")), 1);
        assert_eq!(realm(used, target(true, "unhealthy")), 1);
        assert_eq!(realm(json!({ "in_use": true, "targets": 0 }), json!([])), 1);
        assert_eq!(realm(json!({ "in_use": false, "targets": 0 }), target(false, "unused")), 0);
        let pending = json!({ "pending": [{ "what": "VPC link", "name": "l" }] });
        assert_eq!(unhealthy(&pending), ["the VPC link l is pending"]);
    }
}
