//! Target groups: of addresses or instances that speak HTTP/1.1, and those of network load balancers, which are records.

use std::sync::Arc;

use topology::id::{TargetGroupId, VpcId};
use topology::net::Family;
use topology::resource::health_check::{HealthCheck, HealthCheckError, Pace, Probe, ProbePath};
use topology::resource::target_group::{HttpVersion, NewTargetGroup, Registered, TargetGroup, TargetGroupKind};
use wire::Fault;
use wire::elbv2 as shapes;

use super::{action, fault, tags};
use crate::context::Context;

/// What targets of gRPC are called by, and the status of whoever does not know it: `UNIMPLEMENTED` (ALB user guide, "Health checks for
/// Application Load Balancer target groups", 2026-11).
const GRPC_PATH: &str = "/AWS.ALB/healthcheck";
const GRPC_CODE: &str = "12";

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateTargetGroupInput,
) -> Result<shapes::TargetGroup, Fault> {
    fault::check_name("Target group", &input.name)?;
    let kind = kind(&input)?;
    let port = input.port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    let port = port.ok_or_else(|| fault::validation("A port must be specified"))?;
    let vpc = known_vpc(context, input.vpc_id.as_deref())?;
    let probed = input.health_check_protocol.as_deref().filter(|protocol| !protocol.is_empty());
    let blank = default_check(kind, probed)?;
    let wanted = WantedCheck {
        enabled: input.health_check_enabled,
        protocol: input.health_check_protocol,
        port: input.health_check_port,
        path: input.health_check_path,
        interval_s: input.health_check_interval_seconds,
        timeout_s: input.health_check_timeout_seconds,
        healthy: input.healthy_threshold_count,
        unhealthy: input.unhealthy_threshold_count,
        matcher: input.matcher,
    };
    let family = family(input.ip_address_type.as_deref())?;
    let id = TargetGroupId::from_bits(context.mint.bits());
    let health_check = wanted.apply(kind, &blank)?;
    let tags = tags::parse(input.tags)?;
    let group = NewTargetGroup { id, name: input.name, vpc, kind, family, port, health_check, tags };
    let group = TargetGroup::new(group).map_err(|error| fault::of_group(&error))?;
    if let Some(existing) = context.estate().target_groups.values().find(|other| other.name == group.name) {
        let settings = |group: &TargetGroup| (group.vpc, group.port, group.kind(), group.family());
        let same = settings(existing) == settings(&group)
            && (existing.health_check(), &existing.tags) == (group.health_check(), &group.tags);
        if same {
            return Ok(render(context, existing));
        }
        return Err(Fault::new(
            "DuplicateTargetGroupName",
            400,
            format!("A target group with the same name '{}' exists, but with different settings", group.name),
        ));
    }
    let shape = render(context, &group);
    context.edit().target_groups.insert(id, group);
    Ok(shape)
}

/// How targets are probed by default (ALB and NLB user guides, 2026-11).
fn default_check(kind: TargetGroupKind, protocol: Option<&str>) -> Result<HealthCheck, Fault> {
    let (matcher, timeout_s) = match (kind, protocol) {
        (TargetGroupKind::Http(..) | TargetGroupKind::Https(..), _) => (Some("200"), 5),
        (TargetGroupKind::Alb, None) | (_, Some("HTTP")) => (Some("200-399"), 6),
        (_, Some("HTTPS")) => (Some("200-399"), 10),
        (TargetGroupKind::Tcp(_) | TargetGroupKind::Tls(_), None | Some("TCP")) => (None, 10),
        (TargetGroupKind::Tcp(_) | TargetGroupKind::Tls(_) | TargetGroupKind::Alb, Some(other)) => {
            let text = format!(
                "Health check protocol '{other}' is not supported for target groups with target type '{}'",
                kind.target_type()
            );
            return Err(fault::configuration(text));
        }
    };
    // HTTP for targets within TLS too, as AWS has it.
    let is_secure = kind.is_network() && protocol == Some("HTTPS");
    let http = |matcher: &str| Ok(Probe::Http { is_secure, path: "/".parse()?, matcher: matcher.parse()? });
    let grpc = || Ok(Probe::Grpc { is_secure: false, path: GRPC_PATH.parse()?, matcher: GRPC_CODE.parse()? });
    let pace = Pace { interval_s: 30, timeout_s, healthy_threshold: 5, unhealthy_threshold: 2 };
    let probe = match kind.version() {
        Some(HttpVersion::Grpc) => grpc(),
        _ => matcher.map_or(Ok(Probe::Tcp), http),
    };
    probe.and_then(|probe| HealthCheck::new(None, probe, pace)).map_err(|error| fault::health_check(&error))
}

/// What the group speaks, and what is in it.
fn kind(input: &shapes::CreateTargetGroupInput) -> Result<TargetGroupKind, Fault> {
    let by = match input.target_type.as_deref() {
        None | Some("" | "instance") => Some(Registered::Instance),
        Some("ip") => Some(Registered::Ip),
        Some("alb") => None,
        Some(other) => return Err(fault::configuration(wire::unserved(format_args!("target type '{other}'")))),
    };
    // Terraform's provider sends empty members for what a configuration leaves out.
    let wanted = input.protocol_version.as_deref().filter(|version| !version.is_empty());
    let version = wanted.map_or(Some(HttpVersion::Http1), HttpVersion::named).ok_or_else(|| {
        let wanted = wanted.unwrap_or_default();
        fault::validation(format!("Protocol version '{wanted}' must be one of 'HTTP1, HTTP2, GRPC'"))
    })?;
    let kind = match (input.protocol.as_deref(), by) {
        (Some("HTTP"), Some(by)) => TargetGroupKind::Http(by, version),
        (Some("HTTPS"), Some(by)) => TargetGroupKind::Https(by, version),
        (Some(other @ ("TCP" | "TLS")), _) if version != HttpVersion::Http1 => {
            let text = format!("Protocol version '{}' is not supported with protocol '{other}'", version.as_str());
            return Err(fault::configuration(text));
        }
        (Some("TCP"), Some(by)) => TargetGroupKind::Tcp(by),
        (Some("TLS"), Some(by)) => TargetGroupKind::Tls(by),
        (Some("TCP"), None) => TargetGroupKind::Alb,
        (Some(other), None) => {
            let text = format!("Protocol '{other}' is not supported with target type 'alb'; it must be 'TCP'");
            return Err(fault::configuration(text));
        }
        (None, _) => return Err(fault::validation("A protocol must be specified")),
        (Some(other), Some(_)) => {
            return Err(Fault::new("UnsupportedProtocol", 400, wire::unserved(format_args!("protocol '{other}'"))));
        }
    };
    Ok(kind)
}

fn family(wanted: Option<&str>) -> Result<Family, Fault> {
    match wanted {
        None | Some("" | "ipv4") => Ok(Family::Ipv4),
        Some("ipv6") => Ok(Family::Ipv6),
        Some(other) => Err(fault::validation(format!("IP address type '{other}' must be one of 'ipv4, ipv6'"))),
    }
}

fn known_vpc(context: &Context<'_>, id: Option<&str>) -> Result<VpcId, Fault> {
    let id = id.ok_or_else(|| fault::validation("A VPC ID must be specified"))?;
    let known = id.parse().ok().filter(|vpc| context.estate().vpcs.contains(vpc));
    known.ok_or_else(|| fault::validation(format!("The VPC ID '{id}' is not found")))
}

/// What a request says of the health check; `None` leaves what is there.
struct WantedCheck {
    enabled: Option<bool>,
    protocol: Option<String>,
    port: Option<String>,
    path: Option<String>,
    interval_s: Option<i64>,
    timeout_s: Option<i64>,
    healthy: Option<i64>,
    unhealthy: Option<i64>,
    matcher: Option<shapes::Matcher>,
}

impl WantedCheck {
    fn apply(self, kind: TargetGroupKind, before: &HealthCheck) -> Result<HealthCheck, Fault> {
        if self.enabled == Some(false) {
            let text = format!(
                "Health check enabled must be true for target groups with target type '{}'",
                kind.target_type()
            );
            return Err(fault::validation(text));
        }
        let known = before.probe().protocol();
        let protocol = self.protocol.as_deref().filter(|protocol| !protocol.is_empty()).unwrap_or(known);
        let is_web = |protocol: &str| ["HTTP", "HTTPS"].contains(&protocol);
        if kind.is_web() && !is_web(protocol) {
            let text = format!(
                "Health check protocol '{protocol}' is not supported for target groups with protocol '{}'",
                kind.protocol()
            );
            return Err(fault::configuration(text));
        }
        let is_secure = protocol == "HTTPS";
        // Who is asked something else than before, or nothing any longer, begins with what is usual.
        let usual =
            (kind.is_network() && is_web(protocol) != is_web(known)).then(|| default_check(kind, Some(protocol)));
        let usual = usual.transpose()?;
        let asked = usual.as_ref().unwrap_or(before).probe();
        let port = match self.port.as_deref() {
            None | Some("") => before.port(),
            Some("traffic-port") => None,
            Some(text) => {
                let port = text.parse::<u16>().ok().filter(|port| *port > 0);
                Some(port.ok_or_else(|| fault::health_check(&HealthCheckError::Port(text.to_owned())))?)
            }
        };
        let pace = Pace {
            interval_s: number(self.interval_s, before.pace().interval_s),
            timeout_s: number(self.timeout_s, before.pace().timeout_s),
            healthy_threshold: number(self.healthy, before.pace().healthy_threshold),
            unhealthy_threshold: number(self.unhealthy, before.pace().unhealthy_threshold),
        };
        let probe = probe((asked, is_secure), self.path.filter(|path| !path.is_empty()), self.matcher)?;
        HealthCheck::new(port, probe, pace).map_err(|error| fault::health_check(&error))
    }
}

/// What is probed now: what was, but for what is wanted.
fn probe(
    (before, is_secure): (&Probe, bool),
    wanted: Option<String>,
    matcher: Option<shapes::Matcher>,
) -> Result<Probe, Fault> {
    let (http, grpc) = matcher.map_or((None, None), |matcher| (matcher.http_code, matcher.grpc_code));
    let (http, grpc) = (http.filter(|code| !code.is_empty()), grpc.filter(|code| !code.is_empty()));
    let path = |before: &ProbePath| wanted.as_ref().map_or_else(|| Ok(before.clone()), |path| path.parse());
    let read = match before {
        Probe::Tcp if http.is_some() || grpc.is_some() || wanted.is_some() => Err(HealthCheckError::NothingAsked),
        Probe::Tcp => Ok(Probe::Tcp),
        Probe::Http { .. } if grpc.is_some() => {
            return Err(fault::validation(
                "GrpcCode can only be specified for target groups with protocol version GRPC",
            ));
        }
        Probe::Grpc { .. } if http.is_some() => {
            let text = "HttpCode can only be specified for target groups with protocol version HTTP1 or HTTP2";
            return Err(fault::validation(text));
        }
        Probe::Http { path: known, matcher, .. } => path(known).and_then(|path| {
            let matcher = http.map_or_else(|| Ok(matcher.clone()), |codes| codes.parse());
            matcher.map(|matcher| Probe::Http { is_secure, path, matcher })
        }),
        Probe::Grpc { path: known, matcher, .. } => path(known).and_then(|path| {
            let matcher = grpc.map_or_else(|| Ok(matcher.clone()), |codes| codes.parse());
            matcher.map(|matcher| Probe::Grpc { is_secure, path, matcher })
        }),
    };
    read.map_err(|error| fault::health_check(&error))
}

fn number(wanted: Option<i64>, before: u32) -> u32 {
    wanted.and_then(|number| u32::try_from(number).ok()).unwrap_or(before)
}

pub(super) fn modify(
    context: &mut Context<'_>,
    input: shapes::ModifyTargetGroupInput,
) -> Result<shapes::TargetGroup, Fault> {
    let before = fault::group(context, &input.target_group_arn)?;
    let wanted = WantedCheck {
        enabled: input.health_check_enabled,
        protocol: input.health_check_protocol,
        port: input.health_check_port,
        path: input.health_check_path,
        interval_s: input.health_check_interval_seconds,
        timeout_s: input.health_check_timeout_seconds,
        healthy: input.healthy_threshold_count,
        unhealthy: input.unhealthy_threshold_count,
        matcher: input.matcher,
    };
    let mut group = TargetGroup::clone(&before);
    group
        .set_health_check(wanted.apply(before.kind(), before.health_check())?)
        .map_err(|error| fault::of_group(&error))?;
    let shape = render(context, &group);
    context.edit().target_groups.insert(before.id, group);
    Ok(shape)
}

/// The target groups that a request selects.
pub(super) fn select(
    context: &Context<'_>,
    input: &shapes::DescribeTargetGroupsInput,
) -> Result<Vec<shapes::TargetGroup>, Fault> {
    let arns = input.target_group_arns.as_deref().unwrap_or_default();
    let names = input.names.as_deref().unwrap_or_default();
    let found: Vec<Arc<TargetGroup>> = match (input.load_balancer_arn.as_deref(), arns, names) {
        (None, [], []) => context.estate().target_groups.values().map(Arc::clone).collect(),
        (Some(arn), [], []) => {
            let balancer = fault::balancer(context, arn)?.id;
            let groups = context.estate().target_groups.values();
            groups
                .filter(|group| action::users(context, group.id).any(|user| user == balancer))
                .map(Arc::clone)
                .collect()
        }
        (None, arns, []) => arns.iter().map(|arn| fault::group(context, arn)).collect::<Result<_, _>>()?,
        (None, [], names) => names.iter().map(|name| by_name(context, name)).collect::<Result<_, _>>()?,
        _ => {
            return Err(fault::validation(
                "Only one of load balancer ARN, target group ARNs and target group names can be specified",
            ));
        }
    };
    Ok(found.iter().map(|group| render(context, group)).collect())
}

fn by_name(context: &Context<'_>, name: &str) -> Result<Arc<TargetGroup>, Fault> {
    let found = context.estate().target_groups.values().find(|group| group.name == name);
    found.cloned().ok_or_else(|| fault::group_not_found(name))
}

pub(super) fn delete(context: &mut Context<'_>, arn: &str) -> Result<(), Fault> {
    let group = match fault::group(context, arn) {
        Ok(group) => group,
        // Deleting what is gone is no error.
        Err(fault) if fault.code == "TargetGroupNotFound" => return Ok(()),
        Err(fault) => return Err(fault),
    };
    if action::users(context, group.id).next().is_some() {
        return Err(Fault::new(
            "ResourceInUse",
            400,
            format!("Target group '{arn}' is currently in use by a listener or a rule"),
        ));
    }
    context.edit().target_groups.remove(&group.id);
    Ok(())
}

pub(super) fn render(context: &Context<'_>, group: &TargetGroup) -> shapes::TargetGroup {
    let (check, kind) = (group.health_check(), group.kind());
    let codes = |http_code: Option<String>, grpc_code: Option<String>| shapes::Matcher { grpc_code, http_code };
    let (path, matcher) = match check.probe() {
        Probe::Http { path, matcher, .. } => {
            (Some(path.as_str().to_owned()), Some(codes(Some(matcher.to_string()), None)))
        }
        Probe::Grpc { path, matcher, .. } => {
            (Some(path.as_str().to_owned()), Some(codes(None, Some(matcher.to_string()))))
        }
        Probe::Tcp => (None, None),
    };
    let pace = check.pace();
    let mut users: Vec<_> = action::users(context, group.id).collect();
    users.sort_unstable();
    users.dedup();
    let estate = context.estate();
    let arns = users.iter().filter_map(|id| estate.load_balancers.get(id)).map(|lb| fault::balancer_arn(context, lb));
    shapes::TargetGroup {
        health_check_enabled: Some(true),
        health_check_interval_seconds: Some(i64::from(pace.interval_s)),
        health_check_path: path,
        health_check_port: Some(check.port().map_or_else(|| "traffic-port".to_owned(), |port| port.to_string())),
        health_check_protocol: Some(check.probe().protocol().to_owned()),
        health_check_timeout_seconds: Some(i64::from(pace.timeout_s)),
        healthy_threshold_count: Some(i64::from(pace.healthy_threshold)),
        ip_address_type: Some(match group.family() {
            Family::Ipv4 => "ipv4".to_owned(),
            Family::Ipv6 => "ipv6".to_owned(),
        }),
        load_balancer_arns: Some(arns.collect()),
        matcher,
        port: Some(i64::from(group.port)),
        protocol: Some(kind.protocol().to_owned()),
        protocol_version: kind.protocol_version().map(str::to_owned),
        target_group_arn: Some(fault::group_arn(context, group)),
        target_group_name: Some(group.name.clone()),
        target_type: Some(kind.target_type().to_owned()),
        unhealthy_threshold_count: Some(i64::from(pace.unhealthy_threshold)),
        vpc_id: Some(group.vpc.to_string()),
    }
}
