//! `tidegate attach` and `tidegate detach`: a private address is served by a program of this machine, or no longer; and sockets of
//! listeners.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use serde_json::{Value, json};
use topology::id::SecurityGroupId;
use topology::resource::attachment::Served;

use super::http::{Answer, local_address};
use super::{Complaint, Server, parsed, taken};
use crate::cli::{AttachArgs, DetachArgs, Form};
use crate::exit::Exit;
use crate::output;
use crate::wishes::{AttachWish, DetachWish, ListenWish, RealmWish, UnlistenWish};

/// Attaches an address, or opens a socket to a listener.
pub(crate) async fn attach(args: &AttachArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    match (&args.listen, args.ends.as_slice()) {
        (None, [private_end, host_end]) => {
            let ends = (private_end.as_str(), host_end.as_str());
            let wish = attachment(&server, ends, args.vpc.as_deref(), &args.security_groups).await?;
            print(&server.attach(&wish).await?, args.server.output, "attached");
        }
        (Some(listener), [host_end]) => {
            let (realm, listener, host) = (server.realm().clone(), listener.clone(), free_host(host_end).await?);
            let security_groups = groups(&args.security_groups)?;
            let answer = server.post("listen", &ListenWish { realm, listener, host, security_groups }).await?;
            print_socket(&taken(answer)?, args.server.output, "opened");
        }
        (None, _) => return Err(Complaint::Usage("attach takes PRIVATE_IP[:PORT] and HOST:PORT".to_owned())),
        (Some(_), _) => return Err(Complaint::Usage("attach --listen takes LISTENER_ARN and HOST:PORT".to_owned())),
    }
    Ok(Exit::Ok)
}

/// What is asked for by `PRIVATE_IP[:PORT]` and `HOST:PORT`, in a VPC if one is named, under groups if any are.
pub(crate) async fn attachment(
    server: &Server,
    (private_end, host_end): (&str, &str),
    vpc: Option<&str>,
    security_groups: &[String],
) -> Result<AttachWish, Complaint> {
    let (private_ip, port) = private(private_end)?;
    Ok(AttachWish {
        realm: server.realm().clone(),
        private_ip,
        port,
        host: host(host_end).await?,
        vpc: vpc.map(|vpc| parsed("--vpc", vpc)).transpose()?,
        security_groups: groups(security_groups)?,
    })
}

fn groups(named: &[String]) -> Result<Vec<SecurityGroupId>, Complaint> {
    named.iter().map(|group| parsed("--security-group", group)).collect()
}

/// Undoes an attachment, or all.
pub(crate) async fn detach(args: &DetachArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let vpc = args.vpc.as_deref().map(|vpc| parsed("--vpc", vpc)).transpose()?;
    if let Some(listener) = &args.listen {
        let wish = UnlistenWish { realm: server.realm().clone(), listener: listener.clone() };
        print_socket(&taken(server.post("unlisten", &wish).await?)?, args.server.output, "closed");
        return Ok(Exit::Ok);
    }
    let Some(text) = &args.private else { return detach_all(&server, args.server.output).await };
    let (private_ip, port) = private(text)?;
    let wish = DetachWish { realm: server.realm().clone(), private_ip, port, vpc };
    print(&server.detach(&wish).await?, args.server.output, "detached");
    Ok(Exit::Ok)
}

/// As many as there are, and one object of them all.
async fn detach_all(server: &Server, form: Option<Form>) -> Result<Exit, Complaint> {
    let mut detached = Vec::new();
    for wish in all(server).await? {
        detached.push(server.detach(&wish).await?.json());
    }
    match form {
        Some(Form::Table) if detached.is_empty() => output::line("nothing was attached"),
        Some(Form::Table) => detached.iter().for_each(|body| output::line(&sentence(body, "detached"))),
        Some(Form::Json) | None => output::json(&json!({ "detached": detached })),
    }
    Ok(Exit::Ok)
}

/// Every attachment that the caller's keys reach, or of the account and region that were named.
async fn all(server: &Server) -> Result<Vec<DetachWish>, Complaint> {
    let told = server.status().await?;
    let mut wishes = Vec::new();
    for realm in told["realms"].as_array().into_iter().flatten() {
        let named: RealmWish = serde_json::from_value(json!({
            "account": realm["account_id"],
            "region": realm["region"],
        }))
        .map_err(|error| Complaint::Refused(format!("the server's answer is none of ours: {error}")))?;
        for attachment in realm["attachments"].as_array().into_iter().flatten() {
            let wish = json!({
                "realm": named,
                "private_ip": attachment["private_ip"],
                "port": attachment["port"],
                "vpc": attachment["vpc"],
            });
            let wish = serde_json::from_value(wish);
            wishes.push(
                wish.map_err(|error| Complaint::Refused(format!("the server's answer is none of ours: {error}")))?,
            );
        }
    }
    Ok(wishes)
}

/// JSON unless a table is asked for: the ids are what scripts want.
fn print(answer: &Answer, form: Option<Form>, verb: &str) {
    print_as((answer, form), "attachment to", |body| sentence(body, verb));
}

/// The same of a socket.
fn print_socket(answer: &Answer, form: Option<Form>, verb: &str) {
    print_as((answer, form), "socket at", |body| {
        let text = |name: &str| body[name].as_str().unwrap_or("-").to_owned();
        let (url, listener) = (text("url"), text("listener"));
        format!("{verb} {url}: {listener}, from {} ({})", text("private_ip"), text("interface"))
    });
}

fn print_as((answer, form): (&Answer, Option<Form>), what: &str, sentence: impl FnOnce(&Value) -> String) {
    let mut body = answer.json();
    let replaced = body.as_object_mut().and_then(|body| body.remove("replaced"));
    if let Some(replaced) = replaced.as_ref().and_then(Value::as_str) {
        output::complaint(&format!("this replaces the {what} {replaced}"));
    }
    match form {
        Some(Form::Table) => output::line(&sentence(&body)),
        Some(Form::Json) | None => output::json(&body),
    }
}

fn sentence(body: &Value, verb: &str) -> String {
    let text = |name: &str| body[name].as_str().unwrap_or("-").to_owned();
    let port = body["port"].as_u64().map_or_else(|| "every port".to_owned(), |port| format!("port {port}"));
    let ipv6 = body["ipv6"].as_str().map(|address| format!(" and {address}")).unwrap_or_default();
    format!(
        "{verb} {}{ipv6} ({}, {}, {}), {port}: {}",
        text("private_ip"),
        text("interface"),
        text("subnet"),
        text("vpc"),
        text("host")
    )
}

/// `10.0.10.10:8080`, `10.0.10.10`, or the same of an instance's id; of IPv6 `[2001:db8::5]:8080` or `2001:db8::5`.
fn private(text: &str) -> Result<(Served, Option<u16>), Complaint> {
    if let Ok(address) = unbracketed(text).parse::<Ipv6Addr>() {
        return Ok((Served::Address(address.into()), None));
    }
    let (address, port) = match text.rsplit_once(':').map(|(address, port)| (unbracketed(address), port)) {
        Some((address, port)) => (address, Some(port)),
        None => (text, None),
    };
    let port = match port.map(str::parse::<u16>) {
        None => Ok(None),
        Some(Ok(port)) if port > 0 => Ok(Some(port)),
        Some(_) => Err(()),
    };
    match (address.parse(), port) {
        (Ok(address), Ok(port)) => Ok((address, port)),
        _ => Err(Complaint::Usage(format!(
            "{text:?} is no PRIVATE_IP[:PORT] or INSTANCE[:PORT], such as 10.0.10.10:8080 or [2001:db8::5]:8080"
        ))),
    }
}

/// An address of IPv6 stands between brackets before a port.
fn unbracketed(address: &str) -> &str {
    let inner = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.filter(|inner| inner.contains(':')).unwrap_or(address)
}

/// Where the program listens, as an address; names are resolved by this machine.
pub(crate) async fn host(text: &str) -> Result<SocketAddr, Complaint> {
    let host = free_host(text).await?;
    if host.port() == 0 { Err(Complaint::Usage(format!("{text:?} is no HOST:PORT: its port is 0"))) } else { Ok(host) }
}

/// The same of an address that is still to be taken: port 0 is a free one.
async fn free_host(text: &str) -> Result<SocketAddr, Complaint> {
    let wrong = |why: &str| Complaint::Usage(format!("{text:?} is no HOST:PORT: {why}"));
    let (name, port) = text.rsplit_once(':').ok_or_else(|| wrong("it has no port"))?;
    let port: u16 = port.parse().map_err(|_| wrong("its port is no number"))?;
    if let Some(address) = local_address(name) {
        return Ok(SocketAddr::new(address, port));
    }
    let found = tokio::net::lookup_host((name, port)).await.map_err(|error| wrong(&error.to_string()))?;
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(|address| matches!(address.ip(), IpAddr::V6(_)));
    found.first().copied().ok_or_else(|| wrong("the name has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_come_with_a_port_or_with_all() {
        for (text, wanted) in [
            ("10.0.10.10:8080", Some(("10.0.10.10", Some(8080)))),
            ("10.0.10.10", Some(("10.0.10.10", None))),
            ("i-00000000000000007:80", Some(("i-00000000000000007", Some(80)))),
            ("i-00000000000000007", Some(("i-00000000000000007", None))),
            ("[2001:db8::5]:8080", Some(("2001:db8::5", Some(8080)))),
            ("[2001:db8::5]", Some(("2001:db8::5", None))),
            ("2001:db8::5", Some(("2001:db8::5", None))),
            ("[2001:db8::5", None),
            ("[2001:db8::5]:", None),
            ("[10.0.10.10]:80", None),
            ("i-7:80", None),
            ("10.0.10.10:0", None),
            ("10.0.10.10:", None),
            ("10.0.10:80", None),
            ("localhost:80", None),
            ("10.0.10.10:70000", None),
        ] {
            let found = private(text).ok().map(|(address, port)| (address.to_string(), port));
            assert_eq!(found, wanted.map(|(address, port)| (address.to_owned(), port)), "{text}");
        }
    }
}
