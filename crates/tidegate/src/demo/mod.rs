//! `tidegate demo`: the whole chain in one process, on free ports, in memory. It builds the stack through its own AWS
//! endpoint, sends requests, takes one rule away, shows which hop refuses and why, mends it by the command that the
//! explanation prints, and stays up. Every claim that it prints was checked.

mod backend;
mod fix;
mod stack;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, Method};
use plane::Engine;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{DemoArgs, UpArgs};
use crate::client::aws::Aws;
use crate::client::http::{Answer, Call, send, url};
use crate::client::{Complaint, Server, to_end};
use crate::config;
use crate::exit::Exit;
use crate::output;
use crate::serve::{self, Running};
use stack::{Service, Stack};

/// How long a denied connection is silent here; on AWS it is nine seconds.
const BLOCKED: &str = "300ms";

/// Walks the whole way; success only if all of it happened.
pub(crate) fn demo(args: &DemoArgs) -> Exit {
    to_end(walk(args.once))
}

async fn walk(once: bool) -> Result<Exit, Complaint> {
    let running = start().await?;
    let walked = tell(&running, once).await;
    let outcome = match walked {
        Ok(()) if once => Ok(Exit::Ok),
        Ok(()) => stay().await.map(|()| Exit::Ok),
        Err(complaint) => Err(complaint),
    };
    running.stop().await;
    outcome
}

async fn start() -> Result<Running, Complaint> {
    let free = || Some("127.0.0.1:0".to_owned());
    let flags = UpArgs {
        listen_api: free(),
        listen_public: free(),
        ephemeral: true,
        blocked_connect: Some(BLOCKED.to_owned()),
        log: Some("error".to_owned()),
        ..UpArgs::default()
    };
    let config = config::load(&flags, [], None).map_err(|problems| {
        Complaint::System(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    serve::start(config, Engine::default()).await.map_err(|error| Complaint::System(error.to_string()))
}

async fn stay() -> Result<(), Complaint> {
    let caught = |kind| signal(kind).map_err(|error| Complaint::System(error.to_string()));
    let (mut terminate, mut interrupt) = (caught(SignalKind::terminate())?, caught(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// The story.
async fn tell(running: &Running, once: bool) -> Result<(), Complaint> {
    let ends = running.ends();
    let (server, aws) = (Server::at(&ends.api_url()), Aws::at(&ends.api_url()));
    heading("Build: VPC, two private subnets, three services, internal load balancer, VPC link, HTTP API");
    let services = services().await?;
    let stack = stack::build(&aws, &server, &services).await?;
    stack.healthy(&aws).await?;
    output::line(&format!("built through {} with AWS's own operations; every target is healthy", ends.api_url()));

    let invoke =
        format!("http://{}.execute-api.us-east-1.localhost:{}", stack.api, ends.public.unwrap_or(ends.api).port());
    heading("Call it");
    for path in ["/hello", "/reports/1"] {
        let answer = expect(&format!("{invoke}{path}"), 200).await?;
        output::line(String::from_utf8_lossy(&answer.body).trim_end());
    }
    let passed = expect(&format!("{invoke}/hello"), 200).await?;
    show(&server, &passed).await?;

    heading("Break it: revoke the load balancer's ingress rule");
    stack::break_it(&aws, &stack).await?;
    let denied = expect(&format!("{invoke}/hello"), 503).await?;
    let told = show(&server, &denied).await?;
    check("the denial is explained", told["reason"] == "SG_INGRESS_DENIED", &told)?;
    let commands: Vec<&str> = told["fix"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    check("one command mends it", commands.len() == 1, &told)?;

    heading("Mend it: run the command above");
    for command in commands {
        fix::run(&aws, command).await?;
    }
    expect(&format!("{invoke}/hello"), 200).await?;
    if once {
        output::line("\nThis server ends now. Without --once it stays, for requests of your own.");
    } else {
        closing(&stack, &invoke, &ends.api_url());
    }
    Ok(())
}

fn closing(stack: &Stack, invoke: &str, api: &str) {
    heading("Your turn");
    output::line(&format!("curl -i {invoke}/hello"));
    output::line(&format!("curl -i {api}/_aws/execute-api/{}/hello", stack.api));
    output::line(&format!("eval \"$(tidegate env --api {api})\"      # then use the AWS CLI, boto3 or Terraform"));
}

fn heading(text: &str) {
    output::line(&format!("\n{}", output::coloured(&format!("== {text}"), "1")));
}

async fn services() -> Result<Vec<Service>, Complaint> {
    let mut services = Vec::new();
    for (name, is_report, address) in
        [("orders-a", false, "10.0.10.10"), ("orders-b", false, "10.0.11.10"), ("reports", true, "10.0.10.20")]
    {
        let host = backend::start(name).await.map_err(|error| Complaint::System(error.to_string()))?;
        services.push(Service { is_report, address, host });
    }
    Ok(services)
}

/// Sends a request that must get this status.
async fn expect(target: &str, status: u16) -> Result<Answer, Complaint> {
    let call = Call { method: Method::GET, url: url(target)?, headers: HeaderMap::new(), body: Bytes::new() };
    let answer = send(call).await?;
    output::line(&format!("GET {target} -> {}", answer.status));
    if answer.status.as_u16() == status {
        return Ok(answer);
    }
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    Err(Complaint::Refused(format!("wanted {status}, got {}: {body}", answer.status)))
}

/// Prints the explanation of an answered request.
async fn show(server: &Server, answer: &Answer) -> Result<Value, Complaint> {
    let id = answer.header("apigw-requestid").ok_or_else(|| Complaint::Refused("no request id".to_owned()))?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/plain"));
    let told = server.explained(id, headers).await?;
    output::line(&format!("\ntidegate explain {id}\n"));
    output::line(String::from_utf8_lossy(&told.body).trim_end());
    Ok(server.explained(id, HeaderMap::new()).await?.json())
}

fn check(what: &str, is_so: bool, told: &Value) -> Result<(), Complaint> {
    if is_so { Ok(()) } else { Err(Complaint::Refused(format!("it is not so that {what}: {told}"))) }
}
