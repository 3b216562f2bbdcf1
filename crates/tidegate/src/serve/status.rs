//! What `tidegate status` tells of a realm: where its APIs answer, what is attached where, how its targets fare, and how many
//! of each noun there are. It reads; what the words mean is decided in the rooms below.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use control::{TargetState, TargetStates};
use serde_json::{Map, Value, json};
use topology::arn::{CertificateArn, ElbArn, ElbResource};
use topology::estate::{RealmEstate, StageKey};
use topology::id::{ApiId, LogGroupName, Realm, StageName};
use topology::resource::attachment::Attachment;
use topology::resource::load_balancer::BalancerState;
use topology::resource::rest_stage::{canary_log_group, execution_log_group};
use topology::resource::target_group::TargetGroup;
use topology::resource::vpc_link::VpcLinkState;
use topology::snapshot::Snapshot;
use wire::Timestamp;

use super::State;
use crate::acme::{Authority, Trouble};
use crate::mailbox::Census;

/// Problems that are told of a realm: what dangles usually does so many times for one reason.
const PROBLEMS_TOLD_MAX: usize = 100;

/// Every realm.
pub(super) fn of_realms((state, snapshot): (&State, &Snapshot), census: &Census) -> Vec<Value> {
    let told = census.realms.iter().map(|(realm, estate)| {
        let states = TargetStates::of(estate, &census.observed, census.now);
        json!({
            "account_id": realm.account,
            "region": realm.region,
            "resources": counts(estate),
            "urls": urls(state, realm, estate),
            "domains": domains(state, estate),
            "attachments": attachments(estate, |_| true),
            "listener_sockets": listener_sockets(state, realm, estate),
            "internet_listeners": internet_listeners(state, realm, estate),
            "log_groups": log_groups(realm, estate),
            "pending": pending(estate),
            "target_groups": target_groups(estate, &states),
            "targets": targets(estate, &states),
            "problems": problems(snapshot, realm),
        })
    });
    told.collect()
}

/// The authority that is asked by ACME, and the certificates that it has not given, each with why and when it is asked again.
pub(super) fn of_orders(acme: &Authority, may_see: impl Fn(&Realm) -> bool) -> Value {
    let troubles = acme.troubles().into_iter().filter(|((realm, _), _)| may_see(realm));
    let told = troubles.map(|((realm, id), trouble)| {
        let Trouble { tries, why, again } = trouble;
        let certificate = CertificateArn { realm, id }.to_string();
        let again = again.map(|again| Timestamp(again.0).to_the_second());
        json!({ "certificate": certificate, "tries": tries, "why": why, "again": again })
    });
    json!({ "directory": acme.acme.directory, "names": acme.acme.names, "troubles": told.collect::<Vec<_>>() })
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

/// Each stage of each API: by the host that loopback answers for, by path, and with TLS where that is served.
fn urls(state: &State, realm: &Realm, estate: &RealmEstate) -> Vec<Value> {
    let ends = &state.ends;
    let told = |(api, stage): &(ApiId, StageName), (kind, name): (&str, Option<&String>)| {
        let path = if stage.is_default() { String::new() } else { format!("{stage}/") };
        let host = format!("{api}.execute-api.{}.localhost", realm.region);
        json!({
            "api": api,
            "name": name,
            "kind": kind,
            "stage": stage,
            "url": ends.public.map(|address| format!("http://{host}:{}/{path}", address.port())),
            "by_path": format!("{}/_aws/execute-api/{api}/{path}", ends.api_url()),
            "tls": ends.public_tls.map(|address| format!("https://{host}:{}/{path}", address.port())),
        })
    };
    let http = estate.stages.iter().map(|(key, _)| told(key, ("HTTP", estate.apis.get(&key.0).map(|api| &api.name))));
    let rest = estate
        .rest_stages
        .iter()
        .map(|(key, _)| told(key, ("REST", estate.rest_apis.get(&key.0).map(|api| &api.name))));
    http.chain(rest).collect()
}

/// Where each custom domain name leads: its mappings. They are served with TLS only.
fn domains(state: &State, estate: &RealmEstate) -> Vec<Value> {
    let told = estate.api_mappings.values().map(|mapping| {
        let url = |address: SocketAddr| format!("https://{}:{}/{}", mapping.domain_name, address.port(), mapping.key);
        json!({
            "domain_name": mapping.domain_name,
            "key": mapping.key,
            "api": mapping.api,
            "stage": mapping.stage,
            "url": state.ends.public_tls.map(url),
        })
    });
    told.collect()
}

/// What is attached, as far as `is_told`.
pub(super) fn attachments(estate: &RealmEstate, is_told: impl Fn(&Attachment) -> bool) -> Vec<Value> {
    let told = estate.attachments.values().filter(|attachment| is_told(attachment)).filter_map(|attachment| {
        let interface = estate.network_interfaces.get(&attachment.interface)?;
        Some(json!({
            "interface": interface.id,
            "vpc": interface.vpc,
            "private_ip": interface.private_ip,
            "ipv6": interface.ipv6_addresses.first(),
            "port": attachment.port,
            "host": attachment.host,
            "lease": attachment.lease,
            "agent": attachment.agent,
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

/// The log groups that there are: what of an API is written to them, if anything is.
fn log_groups(realm: &Realm, estate: &RealmEstate) -> Vec<Value> {
    let of_http = estate.stages.values().filter_map(|stage| stage.access_log.as_ref().map(|log| &log.destination));
    let of_rest = estate.rest_stages.values().filter_map(|stage| stage.access_log.as_ref()?.destination.as_ref());
    let access: BTreeSet<_> =
        of_http.chain(of_rest).filter(|arn| arn.realm == *realm).map(|arn| arn.name.clone()).collect();
    let of_stage = |(api, stage): &StageKey| [execution_log_group(*api, stage), canary_log_group(*api, stage)];
    let execution: BTreeSet<_> = estate.rest_stages.iter().flat_map(|(key, _)| of_stage(key)).collect();
    let kind = |name: &LogGroupName| match (access.contains(name), execution.contains(name)) {
        (true, _) => "access",
        (false, true) => "execution",
        (false, false) => "other",
    };
    let groups = estate.log_groups.values().map(|group| json!({ "name": group.name, "kind": kind(&group.name) }));
    groups.collect()
}

/// What is made and does not carry traffic yet: links and load balancers.
fn pending(estate: &RealmEstate) -> Vec<Value> {
    let is_pending = |state: &VpcLinkState| matches!(state, VpcLinkState::Pending(_));
    let told = |what: &str, id: String, name: &str| json!({ "what": what, "id": id, "name": name });
    let links = estate.vpc_links.values().filter(|link| is_pending(&link.state));
    let links = links.map(|link| told("VPC link", link.id.to_string(), &link.name));
    let elder = estate.vpc_links_v1.values().filter(|link| is_pending(&link.state));
    let elder = elder.map(|link| told("VPC link", link.id.to_string(), &link.name));
    let balancers = estate.load_balancers.values().filter(|balancer| balancer.state != BalancerState::Active);
    let balancers = balancers.map(|balancer| told("load balancer", balancer.id.to_string(), &balancer.name));
    links.chain(elder).chain(balancers).collect()
}

/// How many targets of each group could get traffic, and how many of them are healthy; those that drain are on their way out.
fn target_groups(estate: &RealmEstate, states: &TargetStates<'_>) -> Vec<Value> {
    let told = estate.target_groups.values().map(|group| {
        let of_targets = group.targets().iter().map(|target| states.of_target(group, target).state);
        let of_balancer = group.alb().map(|_| states.of_balancer(group).state);
        let found: Vec<_> = of_targets.chain(of_balancer).filter(|state| *state != "draining").collect();
        json!({
            "name": group.name,
            "in_use": states.is_used(group.id),
            "targets": found.len(),
            "healthy": found.iter().filter(|state| **state == "healthy").count(),
        })
    });
    told.collect()
}

/// Health in the words of `DescribeTargetHealth`. A target of a group that no load balancer uses is never probed.
fn targets(estate: &RealmEstate, states: &TargetStates<'_>) -> Vec<Value> {
    let told = |group: &TargetGroup, target: String, told: TargetState| {
        json!({
            "target_group": group.name,
            "target": target,
            "in_use": states.is_used(group.id),
            "health": told.state,
            "reason": told.reason,
            "description": told.description,
        })
    };
    let of_group = |group: &Arc<TargetGroup>| -> Vec<Value> {
        let balancer = group.alb().and_then(|id| estate.load_balancers.get(&id));
        let balancer = balancer.map(|balancer| told(group, balancer.name.clone(), states.of_balancer(group)));
        let targets = group
            .targets()
            .iter()
            .map(|target| told(group, format!("{}:{}", target.address, target.port), states.of_target(group, target)));
        targets.chain(balancer).collect()
    };
    estate.target_groups.values().flat_map(of_group).collect()
}
