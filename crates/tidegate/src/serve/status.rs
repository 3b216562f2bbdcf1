//! What `tidegate status` tells of a realm: where its APIs answer, what is attached where, how its targets fare, and how many
//! of each noun there are. It reads; what the words mean is decided in the rooms below.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::{Map, Value, json};
use topology::arn::{ElbArn, ElbResource};
use topology::estate::RealmEstate;
use topology::id::{ApiId, Realm, StageName};
use topology::observed::{Health, TargetKey, Unhealthy};
use topology::snapshot::Snapshot;

use super::State;

/// Problems that are told of a realm: what dangles usually does so many times for one reason.
const PROBLEMS_TOLD_MAX: usize = 100;

/// One realm.
pub(super) fn of_realm((state, snapshot): (&State, &Snapshot), realm: &Realm, estate: &RealmEstate) -> Value {
    json!({
        "account_id": realm.account,
        "region": realm.region,
        "resources": counts(estate),
        "urls": urls(state, realm, estate),
        "attachments": attachments(estate),
        "listener_sockets": listener_sockets(state, realm, estate),
        "internet_listeners": internet_listeners(state, realm, estate),
        "targets": targets(state, estate),
        "problems": problems(snapshot, realm),
    })
}

fn counts(estate: &RealmEstate) -> Value {
    let counts = [
        ("apis", estate.apis.len()),
        ("rest_apis", estate.rest_apis.len()),
        ("vpc_links", estate.vpc_links.len()),
        ("load_balancers", estate.load_balancers.len()),
        ("listeners", estate.listeners.len()),
        ("target_groups", estate.target_groups.len()),
        ("vpcs", estate.vpcs.len()),
        ("subnets", estate.subnets.len()),
        ("security_groups", estate.security_groups.len()),
        ("network_interfaces", estate.network_interfaces.len()),
        ("attachments", estate.attachments.len()),
    ];
    Value::Object(counts.into_iter().map(|(noun, count)| (noun.to_owned(), json!(count))).collect::<Map<_, _>>())
}

/// Each stage of each API, by the host that loopback answers for.
fn urls(state: &State, realm: &Realm, estate: &RealmEstate) -> Vec<Value> {
    let port = state.ends.public.port();
    let url = |api: &ApiId, stage: &StageName| {
        let path = if stage.is_default() { String::new() } else { format!("{stage}/") };
        format!("http://{api}.execute-api.{}.localhost:{port}/{path}", realm.region)
    };
    let http = estate.stages.iter().map(|((api, stage), _)| {
        let name = estate.apis.get(api).map(|api| api.name.clone()).unwrap_or_default();
        json!({ "api": api, "name": name, "stage": stage, "url": url(api, stage) })
    });
    let rest = estate.rest_stages.iter().map(|((api, stage), _)| {
        let name = estate.rest_apis.get(api).map(|api| api.name.clone()).unwrap_or_default();
        json!({ "api": api, "name": name, "stage": stage, "url": url(api, stage) })
    });
    http.chain(rest).collect()
}

fn attachments(estate: &RealmEstate) -> Vec<Value> {
    let told = estate.attachments.values().filter_map(|attachment| {
        let interface = estate.network_interfaces.get(&attachment.interface)?;
        Some(json!({
            "interface": interface.id,
            "vpc": interface.vpc,
            "private_ip": interface.private_ip,
            "port": attachment.port,
            "host": attachment.host,
            "lease": attachment.lease,
        }))
    });
    told.collect()
}

/// Where listeners are entered from this machine, by their ARNs.
fn listener_sockets(state: &State, realm: &Realm, estate: &RealmEstate) -> Vec<Value> {
    let told = estate.listener_sockets.values().filter_map(|socket| {
        let listener = estate.listeners.get(&socket.listener)?;
        let balancer = estate.load_balancers.get(&listener.load_balancer)?;
        let interface = estate.network_interfaces.get(&socket.interface)?;
        let resource = ElbResource::Listener(balancer.full_name(), listener.id);
        Some(json!({
            "listener": ElbArn { realm: realm.clone(), resource }.to_string(),
            "url": url_of(listener.protocol().as_str(), socket.host),
            "host": socket.host,
            "interface": interface.id,
            "private_ip": interface.private_ip,
            "problem": state.plane.socket_fault(socket.host),
        }))
    });
    told.collect()
}

/// Where listeners of internet-facing load balancers are reached from outside (`listen.balancers`), or why they are not.
fn internet_listeners(state: &State, realm: &Realm, estate: &RealmEstate) -> Vec<Value> {
    let told = estate.listeners.values().filter_map(|listener| {
        let balancer = estate.load_balancers.get(&listener.load_balancer)?;
        let socket = state.plane.internet_socket(realm, listener.id)?;
        let protocol = listener.protocol().as_str();
        let host = socket.as_ref().ok();
        let resource = ElbResource::Listener(balancer.full_name(), listener.id);
        Some(json!({
            "load_balancer": balancer.name,
            "listener": ElbArn { realm: realm.clone(), resource }.to_string(),
            "protocol": protocol,
            "port": listener.port,
            "url": host.map(|host| url_of(protocol, *host)),
            "host": host,
            "problem": socket.as_ref().err(),
        }))
    });
    told.collect()
}

/// Where a program of this machine dials to speak a listener's protocol.
fn url_of(protocol: &str, host: SocketAddr) -> String {
    let host = match host.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => SocketAddr::from((Ipv4Addr::LOCALHOST, host.port())),
        _ => host,
    };
    format!("{}://{host}", protocol.to_ascii_lowercase())
}

/// What the compile found dangling: traffic that meets it is refused.
fn problems(snapshot: &Snapshot, realm: &Realm) -> Vec<Value> {
    let found = snapshot.realm(realm).into_iter().flat_map(|realm| realm.problems());
    found.take(PROBLEMS_TOLD_MAX).map(|problem| json!({ "id": problem.id, "problem": problem.text })).collect()
}

/// Health in the words of `DescribeTargetHealth`; a target of a group that no load balancer uses is never probed.
fn targets(state: &State, estate: &RealmEstate) -> Vec<Value> {
    let told = estate.target_groups.iter().flat_map(|(id, group)| {
        group.targets().iter().map(|target| {
            let key = TargetKey { group: *id, address: target.address, port: target.port };
            let (health, reason) = words(state.plane.health(&key));
            json!({
                "target_group": group.name,
                "target": format!("{}:{}", target.address, target.port),
                "health": health,
                "reason": reason,
            })
        })
    });
    told.collect()
}

fn words(health: Option<Health>) -> (&'static str, Option<String>) {
    match health {
        None => ("unused", None),
        Some(Health::Initial) => ("initial", None),
        Some(Health::Healthy) => ("healthy", None),
        Some(Health::Unhealthy(why)) => {
            let why = match why {
                Unhealthy::ResponseCodeMismatch(status) => format!("health check answered {status}"),
                Unhealthy::Timeout => "health check timed out".to_owned(),
                Unhealthy::FailedHealthChecks => "health check failed".to_owned(),
            };
            ("unhealthy", Some(why))
        }
    }
}
