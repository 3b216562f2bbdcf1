//! Target groups: of type `ip` that speak HTTP/1.1, and those of network load balancers, which are records.

use std::sync::Arc;

use topology::id::{TargetGroupId, VpcId};
use topology::resource::target_group::{HealthCheck, TargetGroup, TargetType};
use wire::Fault;
use wire::elbv2 as shapes;

use super::{action, fault, tags};
use crate::context::Context;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateTargetGroupInput,
) -> Result<shapes::TargetGroup, Fault> {
    fault::check_name("Target group", &input.name)?;
    let (target_type, network) = kind(&input)?;
    let port = input.port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    let port = port.ok_or_else(|| fault::validation("A port must be specified"))?;
    let vpc = known_vpc(context, input.vpc_id.as_deref())?;
    let probed = input.health_check_protocol.as_deref().filter(|protocol| !protocol.is_empty());
    let blank = if network { network_check((target_type, probed))? } else { application_check() };
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
    let id = TargetGroupId::from_bits(context.mint.bits());
    let group = TargetGroup {
        id,
        name: input.name,
        vpc,
        target_type,
        protocol: if network { "TCP" } else { "HTTP" }.to_owned(),
        protocol_version: if network { "" } else { "HTTP1" }.to_owned(),
        port,
        health_check: wanted.apply(blank)?,
        attributes: Default::default(),
        targets: Vec::new(),
        alb: None,
        tags: tags::parse(input.tags)?,
    };
    if let Some(existing) = context.estate().target_groups.values().find(|other| other.name == group.name) {
        let kind = |group: &TargetGroup| (group.vpc, group.port, group.target_type, group.is_network());
        let same = kind(existing) == kind(&group)
            && (&existing.health_check, &existing.tags) == (&group.health_check, &group.tags);
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

/// How targets of an application load balancer are probed by default (ALB user guide, 2026-11).
fn application_check() -> HealthCheck {
    HealthCheck {
        protocol: "HTTP".to_owned(),
        port: None,
        path: "/".to_owned(),
        interval_s: 30,
        timeout_s: 5,
        healthy_threshold: 5,
        unhealthy_threshold: 2,
        matcher: "200".to_owned(),
    }
}

/// How targets of a network load balancer are probed by default (NLB user guide, 2026-11).
fn network_check((target_type, protocol): (TargetType, Option<&str>)) -> Result<HealthCheck, Fault> {
    let protocol = match (target_type, protocol) {
        (TargetType::Ip, None | Some("TCP")) => "TCP",
        (TargetType::Ip, Some("HTTP")) | (TargetType::Alb, None | Some("HTTP")) => "HTTP",
        (_, Some(other)) => {
            return Err(fault::configuration(wire::unserved(format_args!("health check protocol '{other}'"))));
        }
    };
    let http = protocol == "HTTP";
    Ok(HealthCheck {
        protocol: protocol.to_owned(),
        path: if http { "/" } else { "" }.to_owned(),
        timeout_s: if http { 6 } else { 10 },
        matcher: if http { "200-399" } else { "" }.to_owned(),
        ..application_check()
    })
}

/// What is in the group, and whether it is a network load balancer's.
fn kind(input: &shapes::CreateTargetGroupInput) -> Result<(TargetType, bool), Fault> {
    let target_type = match input.target_type.as_deref() {
        Some("ip") => TargetType::Ip,
        Some("alb") => TargetType::Alb,
        None | Some("instance") => {
            return Err(fault::configuration(format!(
                "{} Use target type 'ip'.",
                wire::unserved("the target type 'instance'")
            )));
        }
        Some(other) => return Err(fault::configuration(wire::unserved(format_args!("target type '{other}'")))),
    };
    let network = match (input.protocol.as_deref(), target_type) {
        (Some("HTTP"), TargetType::Ip) => false,
        (Some("TCP"), _) => true,
        (Some(other), TargetType::Alb) => {
            let text = format!("Protocol '{other}' is not supported with target type 'alb'; it must be 'TCP'");
            return Err(fault::configuration(text));
        }
        (None, _) => return Err(fault::validation("A protocol must be specified")),
        (Some(other), TargetType::Ip) => {
            return Err(Fault::new("UnsupportedProtocol", 400, wire::unserved(format_args!("protocol '{other}'"))));
        }
    };
    // Terraform's provider sends empty members for what a configuration leaves out.
    if let Some(version) = input.protocol_version.as_deref().filter(|version| !["", "HTTP1"].contains(version)) {
        return Err(fault::configuration(wire::unserved(format_args!("protocol version '{version}'"))));
    }
    match input.ip_address_type.as_deref() {
        None | Some("" | "ipv4") => Ok((target_type, network)),
        Some(other) => Err(fault::configuration(wire::unserved(format_args!("IP address type '{other}'")))),
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
    fn apply(self, before: HealthCheck) -> Result<HealthCheck, Fault> {
        if self.enabled == Some(false) {
            return Err(fault::validation("Health check enabled must be true for target groups with target type 'ip'"));
        }
        let known = before.protocol.as_str();
        if let Some(protocol) = self.protocol.as_deref().filter(|protocol| !["", known].contains(protocol)) {
            return Err(fault::configuration(wire::unserved(format_args!("health check protocol '{protocol}'"))));
        }
        let port = match self.port.as_deref() {
            None | Some("") => before.port,
            Some("traffic-port") => None,
            Some(text) => {
                let port = text.parse::<u16>().ok().filter(|port| *port > 0);
                Some(port.ok_or_else(|| {
                    fault::validation(format!("Health check port '{text}' must be 'traffic-port' or 1-65535"))
                })?)
            }
        };
        let port_check = |check: HealthCheck| HealthCheck { port, ..check };
        if before.protocol == "TCP" {
            return self.apply_to_tcp(port_check(before));
        }
        let path = self.path.filter(|path| !path.is_empty()).unwrap_or(before.path);
        if !path.starts_with('/') || path.bytes().any(|b| b <= b' ' || b > b'~') {
            return Err(fault::validation(format!(
                "Health check path '{path}' must start with '/' and hold visible ASCII only"
            )));
        }
        let matcher = match self.matcher {
            Some(matcher) if matcher.grpc_code.is_some() => {
                return Err(fault::validation(
                    "GrpcCode can only be specified for target groups with protocol version GRPC",
                ));
            }
            Some(matcher) => matcher.http_code.filter(|code| !code.is_empty()).unwrap_or(before.matcher),
            None => before.matcher,
        };
        if HealthCheck::parse_matcher(&matcher).is_none() {
            return Err(fault::validation(format!(
                "Health check matcher HTTP code '{matcher}' must be within '200-499' inclusive"
            )));
        }
        let check = HealthCheck {
            port,
            path,
            matcher,
            protocol: before.protocol,
            interval_s: number(self.interval_s, before.interval_s),
            timeout_s: number(self.timeout_s, before.timeout_s),
            healthy_threshold: number(self.healthy, before.healthy_threshold),
            unhealthy_threshold: number(self.unhealthy, before.unhealthy_threshold),
        };
        // The model bounds each number; only their relation is left to check.
        if check.timeout_s >= check.interval_s {
            return Err(fault::validation("Health check interval must be greater than the timeout."));
        }
        Ok(check)
    }
}

impl WantedCheck {
    /// A connection is all that such a check makes: it has no path and no matcher.
    fn apply_to_tcp(self, before: HealthCheck) -> Result<HealthCheck, Fault> {
        let matched = self.matcher.and_then(|matcher| matcher.http_code).is_some_and(|code| !code.is_empty());
        if matched || self.path.is_some_and(|path| !path.is_empty()) {
            return Err(fault::validation(
                "Health check paths and matchers are not supported with health check protocol 'TCP'",
            ));
        }
        Ok(HealthCheck {
            interval_s: number(self.interval_s, before.interval_s),
            timeout_s: number(self.timeout_s, before.timeout_s),
            healthy_threshold: number(self.healthy, before.healthy_threshold),
            unhealthy_threshold: number(self.unhealthy, before.unhealthy_threshold),
            ..before
        })
    }
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
    let group = TargetGroup { health_check: wanted.apply(before.health_check.clone())?, ..TargetGroup::clone(&before) };
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

const fn type_name(target_type: TargetType) -> &'static str {
    match target_type {
        TargetType::Ip => "ip",
        TargetType::Alb => "alb",
    }
}

pub(super) fn render(context: &Context<'_>, group: &TargetGroup) -> shapes::TargetGroup {
    let check = &group.health_check;
    let mut users: Vec<_> = action::users(context, group.id).collect();
    users.sort_unstable();
    users.dedup();
    let estate = context.estate();
    let arns = users.iter().filter_map(|id| estate.load_balancers.get(id)).map(|lb| fault::balancer_arn(context, lb));
    shapes::TargetGroup {
        health_check_enabled: Some(true),
        health_check_interval_seconds: Some(i64::from(check.interval_s)),
        health_check_path: Some(check.path.clone()).filter(|path| !path.is_empty()),
        health_check_port: Some(check.port.map_or_else(|| "traffic-port".to_owned(), |port| port.to_string())),
        health_check_protocol: Some(check.protocol.clone()),
        health_check_timeout_seconds: Some(i64::from(check.timeout_s)),
        healthy_threshold_count: Some(i64::from(check.healthy_threshold)),
        ip_address_type: Some("ipv4".to_owned()),
        load_balancer_arns: Some(arns.collect()),
        matcher: (!check.matcher.is_empty())
            .then(|| shapes::Matcher { grpc_code: None, http_code: Some(check.matcher.clone()) }),
        port: Some(i64::from(group.port)),
        protocol: Some(group.protocol.clone()),
        protocol_version: Some(group.protocol_version.clone()).filter(|version| !version.is_empty()),
        target_group_arn: Some(fault::group_arn(context, group)),
        target_group_name: Some(group.name.clone()),
        target_type: Some(type_name(group.target_type).to_owned()),
        unhealthy_threshold_count: Some(i64::from(check.unhealthy_threshold)),
        vpc_id: Some(group.vpc.to_string()),
    }
}
