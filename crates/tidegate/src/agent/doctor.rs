//! `tidegate doctor --link`: what stands between an agent and its gateways, step by step. It shakes hands as the agent would and goes no
//! further: a session of its own would be a second program with the agent's identity.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use plane::link::carrier::LaneKind;
use tokio::net::lookup_host;

use super::identity::{Identity, dial, is_by_proxy, shake};
use crate::cli::DoctorArgs;
use crate::client::Complaint;
use crate::doctor::{Step, told as told_of};
use crate::exit::Exit;
use crate::link::protocol;

/// Prints each step of an examination of the link, and ends with 4 where one failed.
pub(crate) async fn doctor(args: &DoctorArgs) -> Result<Exit, Complaint> {
    let directory = args.data_dir.as_deref();
    let directory =
        directory.ok_or_else(|| Complaint::Usage("name the agent's directory: --data-dir DIR".to_owned()))?;
    Ok(told_of(examine(directory).await, args.output, |is_ok| match is_ok {
        true => "the agent reaches its gateways",
        false => "the agent does not reach every gateway",
    }))
}

/// Examines the link of the agent whose directory this is. Steps after one that failed are left out for that gateway.
async fn examine(directory: &Path) -> Vec<Step> {
    let mut steps = Vec::new();
    let identity = match Identity::load(directory) {
        Ok(identity) => identity,
        Err(error) => {
            let remedy = "enrol it: tidegate agent --join TOKEN --gateway HOST:PORT --data-dir DIR";
            steps.push(Step::failed("directory", error.to_string(), remedy));
            return steps;
        }
    };
    let said = identity.said();
    let zones = said.zones.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let zones = if zones.is_empty() { "every zone".to_owned() } else { zones };
    steps.push(Step::good("directory", format!("{} carries {} in {zones}", said.agent, said.vpc)));
    steps.push(clock(&identity));
    for gateway in &said.gateways {
        reach(&identity, gateway, &mut steps).await;
    }
    steps.extend(silence());
    steps
}

/// What this machine makes of a connection that was idle; `None` where it does not tell.
fn silence() -> Option<Step> {
    let of = |setting: &str| std::fs::read_to_string(format!("/proc/sys/net/ipv4/{setting}")).ok();
    Some(after_silence(of("tcp_slow_start_after_idle")?.trim(), of("tcp_congestion_control")?.trim()))
}

/// The pool keeps connections that are idle most of the time. Linux forgets what their path held, unless it is told not to or its congestion control
/// finds out anew by itself (tcp(7), tcp_slow_start_after_idle; tcp_input.c asks `cong_control` first, 2026-11).
fn after_silence(slow_start: &str, congestion: &str) -> Step {
    let keeps = slow_start == "0" || congestion.starts_with("bbr");
    if keeps {
        return Step::good("silence", "connections keep what their path holds while they are idle".to_owned());
    }
    let detail = "connections forget what their path holds while they are idle: on a far path bodies of more than some packets begin slowly";
    let remedy = "sysctl -w net.ipv4.tcp_slow_start_after_idle=0, here and at the gateway";
    Step::better("silence", detail.to_owned(), remedy)
}

/// Whether the certificate is in its time, by this machine's clock.
fn clock(identity: &Identity) -> Step {
    let (begins, ends) = identity.times();
    let now = SystemTime::now();
    if now < begins {
        let detail = "the certificate is not valid yet, by this machine's clock".to_owned();
        return Step::failed("clock", detail, "set the clock of this machine");
    }
    match ends.duration_since(now) {
        Ok(left) => Step::good("clock", format!("the certificate is valid for {} minutes more", left.as_secs() / 60)),
        Err(_) => {
            let detail = "the certificate has expired, by this machine's clock".to_owned();
            Step::failed(
                "clock",
                detail,
                "set the clock; where it is right, enrol the agent again: it was away for too long",
            )
        }
    }
}

async fn reach(identity: &Identity, gateway: &str, steps: &mut Vec<Step>) {
    // What names no proxy that can be used is told by whoever dials.
    let is_by_proxy = is_by_proxy(gateway).unwrap_or(true);
    if !is_by_proxy {
        match lookup_host(gateway).await.map(|mut found| found.next()) {
            Ok(Some(address)) => steps.push(Step::good("name", format!("{gateway} is {address}"))),
            Ok(None) | Err(_) => {
                let detail = format!("{gateway} leads to no address");
                return steps.push(Step::failed("name", detail, "mend the name, or enrol the agent by an address"));
            }
        }
    }
    let stream = match dial(gateway).await {
        Ok(stream) => stream,
        Err(error) => {
            let remedy = match error.kind() {
                _ if is_by_proxy => "mend HTTPS_PROXY or its proxy, or name the gateway in NO_PROXY",
                io::ErrorKind::ConnectionRefused => "start the gateway with --link HOST:PORT at that address",
                _ => "let this host connect to that port; through a proxy, set HTTPS_PROXY",
            };
            return steps.push(Step::failed("connection", format!("{gateway}: {error}"), remedy));
        }
    };
    let way = if is_by_proxy { "by the proxy of HTTPS_PROXY" } else { "directly" };
    steps.push(Step::good("connection", format!("{gateway} answers, {way}")));
    steps.push(match greet(identity, stream).await {
        Ok(()) => Step::good("handshake", format!("{gateway} is the gateway that enrolled this agent, and knows it")),
        Err((detail, remedy)) => Step::failed("handshake", format!("{gateway}: {detail}"), remedy),
    });
}

async fn greet(identity: &Identity, stream: tokio::net::TcpStream) -> Result<(), (String, &'static str)> {
    let damaged = "the agent's directory is damaged: enrol it again";
    let config = identity.client_config(LaneKind::Data).map_err(|error| (error.to_string(), damaged))?;
    let mut stream = shake(config, stream).await.map_err(|error| told(&error))?;
    if stream.get_ref().1.alpn_protocol() != Some(protocol(LaneKind::Data)) {
        let detail = "TLS came about and no protocol was agreed on (ALPN)".to_owned();
        return Err((detail, "something in between ends TLS and strips ALPN: let this connection pass it untouched"));
    }
    // One that is shut out is told so by the end of the connection, at once.
    let mut byte = [0];
    let reading = tokio::io::AsyncReadExt::read(&mut stream, &mut byte);
    match tokio::time::timeout(super::LOOK_FOR, reading).await {
        Err(_) | Ok(Ok(1..)) => Ok(()),
        Ok(Ok(0)) => Err((
            "the gateway let this agent go at once".to_owned(),
            "it is revoked, quarantined or not connected: `tidegate agents` at the gateway says which, and its log why",
        )),
        Ok(Err(error)) => Err(told(&error)),
    }
}

/// What a failed handshake means.
fn told(error: &io::Error) -> (String, &'static str) {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => (
            format!("whoever answers is not the gateway that enrolled this agent (LINK_TLS_INTERCEPTED: {why:?})"),
            "something in between ends TLS, or the gateway has another data directory: let this connection pass, or enrol again",
        ),
        Some(rustls::Error::AlertReceived(alert)) => {
            (format!("the gateway refuses this agent's certificate ({alert:?})"), "enrol the agent again")
        }
        _ => (error.to_string(), "something in between ends this connection: let TLS 1.3 pass untouched"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_are_forgotten_are_told_of() {
        for (slow_start, congestion, advice) in
            [("1", "cubic", true), ("1", "reno", true), ("0", "cubic", false), ("1", "bbr", false)]
        {
            let told = serde_json::to_string(&after_silence(slow_start, congestion)).unwrap();
            assert!(told.contains("\"ok\":true"), "{told}");
            assert_eq!(told.contains("sysctl -w"), advice, "{slow_start} {congestion}: {told}");
        }
    }
}
