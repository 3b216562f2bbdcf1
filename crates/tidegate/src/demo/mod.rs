//! `tidegate demo`: the whole chain, on free ports, in memory. It builds the stack through the AWS endpoint of a server of its own,
//! sends requests, takes one rule away, shows which hop refuses and why, mends it by the command that the
//! explanation prints, and stays up. Every claim that it prints was checked.

mod backend;
mod fix;
mod inside;
mod picture;
mod server;
mod stack;

use std::time::Duration;

use http::HeaderMap;
use http::header::{ACCEPT, HeaderValue};
use plane::Enforcement;
use serde_json::Value;
use tokio::process::Child;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::cli::DemoArgs;
use crate::client::aws::Aws;
use crate::client::http::{Answer, send, url};
use crate::client::{Complaint, Server, to_end};
use crate::exit::Exit;
use crate::output;
use inside::Place;
use picture::{Picture, Reached};
use server::{Process, Started};
use stack::{Callers, Stack};

/// As wide as a terminal is that people show to others.
const COLUMNS: usize = 100;
/// How much silence is a dot.
const DOT: Duration = Duration::from_millis(100);

pub(crate) use backend::backend;
pub(crate) use inside::caller;

/// Walks the whole way; success only if all of it happened.
pub(crate) fn demo(args: &DemoArgs) -> Exit {
    to_end(walk(args))
}

async fn walk(args: &DemoArgs) -> Result<Exit, Complaint> {
    let mut asked = Asked::catch()?;
    let mut server = match Process::start(&args.fabric).await? {
        Started::Serves(server) => server,
        Started::Ended(exit) => return Ok(exit),
    };
    // The programs inside live as long as this.
    let mut programs = Vec::new();
    let walked = tokio::select! {
        told = tell(&server, &mut programs, args.once) => told.map(|()| Exit::Ok),
        () = asked.comes() => Ok(Exit::Failed),
    };
    let outcome = match walked {
        Ok(Exit::Ok) if !args.once => tokio::select! {
            () = asked.comes() => Ok(Exit::Ok),
            complaint = server.ended() => Err(complaint),
        },
        walked => walked,
    };
    drop(programs);
    server.stop().await;
    outcome
}

/// The signals that end the demo.
struct Asked([Signal; 2]);

impl Asked {
    /// Catches them from here on.
    fn catch() -> Result<Self, Complaint> {
        let caught = |kind| signal(kind).map_err(|error| Complaint::System(error.to_string()));
        Ok(Self([caught(SignalKind::terminate())?, caught(SignalKind::interrupt())?]))
    }

    /// Until one comes.
    async fn comes(&mut self) {
        let [terminate, interrupt] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// The story.
async fn tell(process: &Process, programs: &mut Vec<Child>, once: bool) -> Result<(), Complaint> {
    let Process { api, public, fabric, .. } = process;
    let (server, aws) = (Server::at(api), Aws::at(api));
    let is_inside = *fabric == Enforcement::Kernel.to_string();
    let what = if is_inside { "programs inside" } else { "services" };
    heading(&format!("Build: VPC, two private subnets, three {what}, internal ALB, VPC link, HTTP API"));
    let stack = stack::build(&aws, async |network, group| {
        if is_inside {
            *programs = inside::start(api, &network.subnets, group).await?;
            Ok(())
        } else {
            stack::attach(&server, network, group).await
        }
    })
    .await?;
    stack.healthy(&aws).await?;
    output::line(&format!("built through {api} with AWS's own operations; enforced by the {fabric} fabric"));

    let port = url(public)?.port_u16().unwrap_or_default();
    let invoke = format!("http://{}.execute-api.us-east-1.localhost:{port}", stack.api);
    heading("Call it");
    for path in ["/hello", "/reports/1"] {
        let answer = expect(&format!("{invoke}{path}"), 200).await?;
        output::line(String::from_utf8_lossy(&answer.body).trim_end());
    }
    let passed = expect(&format!("{invoke}/hello"), 200).await?;
    show(&server, &passed).await?;
    let callers = if is_inside { Some(look(&aws, &stack, api).await?) } else { None };

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
    let mended = expect(&format!("{invoke}/hello"), 200).await?;
    way(&server, id_of(&mended)?).await?;
    if once {
        output::line("\nThis server ends now. Without --once it stays, for requests of your own.");
    } else {
        closing(&stack, &invoke, api);
        callers.iter().for_each(|callers| closing_inside(&stack, callers, api));
    }
    Ok(())
}

/// The private network, from outside and from inside.
async fn look(aws: &Aws, stack: &Stack, api: &str) -> Result<Callers, Complaint> {
    heading("Reach a service from this machine, past gateway and link");
    inside::from_the_machine().await?;
    let callers = stack::callers(aws, stack).await?;
    let place = |group| Place { api, subnet: &stack.network.subnets[0], group };
    heading("Call the internal load balancer from a program inside, whose group its group lets in");
    inside::answered(&place(&callers.let_in), stack).await?;
    heading("The same from a program in a group that it does not let in");
    inside::met_with_silence(&place(&callers.kept_out), stack).await?;
    Ok(callers)
}

fn closing(stack: &Stack, invoke: &str, api: &str) {
    heading("Your turn");
    output::line(&format!("curl -i {invoke}/hello"));
    output::line(&format!("curl -i {api}/_aws/execute-api/{}/hello", stack.api));
    output::line(&format!("eval \"$(tidegate env --api {api})\"      # then use the AWS CLI, boto3 or Terraform"));
}

fn closing_inside(stack: &Stack, callers: &Callers, api: &str) {
    let place = format!("--subnet {} --security-group {}", stack.network.subnets[0], callers.let_in);
    say(&format!("tidegate run --api {api} {place} -- curl -i http://{}/hello", stack.balancer_name), true);
}

fn heading(text: &str) {
    output::line(&format!("\n{}", output::coloured(&format!("== {text}"), "1")));
}

/// Says a line, folded where it is too long; a command so that it can still be typed.
fn say(line: &str, is_command: bool) {
    output::folded(line, COLUMNS, is_command).iter().for_each(|line| output::line(line));
}

/// Sends a request that must get this status. Who sits at a terminal sees the silence.
async fn expect(target: &str, status: u16) -> Result<Answer, Complaint> {
    let call = inside::get(target)?;
    output::piece(&format!("GET {target} "));
    let sent = send(call);
    tokio::pin!(sent);
    let answer = loop {
        match timeout(DOT, &mut sent).await {
            Ok(answer) => break answer?,
            Err(_) if output::columns().is_some() => output::piece("."),
            Err(_) => {}
        }
    };
    output::line(&format!("-> {}", answer.status));
    if answer.status.as_u16() == status {
        return Ok(answer);
    }
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    Err(Complaint::Refused(format!("wanted {status}, got {}: {body}", answer.status)))
}

/// Prints the explanation of an answered request.
async fn show(server: &Server, answer: &Answer) -> Result<Value, Complaint> {
    let id = id_of(answer)?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/plain"));
    let told = server.explained(id, headers).await?;
    let known = way(server, id).await?;
    output::line(&format!("\ntidegate explain {id}\n"));
    for line in String::from_utf8_lossy(&told.body).trim_end().lines() {
        say(line, line.starts_with("  aws "));
    }
    Ok(known)
}

fn id_of(answer: &Answer) -> Result<&str, Complaint> {
    answer.header("apigw-requestid").ok_or_else(|| Complaint::Refused("no request id".to_owned()))
}

/// Draws how far a request came; what is known of it.
async fn way(server: &Server, id: &str) -> Result<Value, Complaint> {
    let known = server.explained(id, HeaderMap::new()).await?.json();
    let target = known["hops"].as_array().into_iter().flatten().find(|hop| hop["kind"] == "target");
    let target = target.and_then(|hop| hop["id"].as_str()).unwrap_or("a service").to_owned();
    let [gateway, link, balancer] = ["API demo", "link demo", "ALB demo"].map(str::to_owned);
    Picture { stations: [gateway, link, balancer, target] }.show(Reached::of(&known)).await;
    Ok(known)
}

fn check(what: &str, is_so: bool, told: &Value) -> Result<(), Complaint> {
    if is_so { Ok(()) } else { Err(Complaint::Refused(format!("it is not so that {what}: {told}"))) }
}
