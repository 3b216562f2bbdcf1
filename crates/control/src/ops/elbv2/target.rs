//! Registering and deregistering targets, and their health as traffic observes it.

use std::net::IpAddr;

use topology::id::InstanceId;
use topology::net;
use topology::net::Family;
use topology::observed::TargetKey;
use topology::resource::attribute::{Number, Owner};
use topology::resource::instance::InstanceState;
use topology::resource::target_group::{Target, TargetGroup, TargetGroupKind, TargetZone};
use wire::Fault;
use wire::elbv2 as shapes;

use super::{action, alb_target, fault};
use crate::context::Context;
use crate::target_state::{TargetState, TargetStates};

/// Targets of a group: 1000 at most (ALB quotas, 2026-11).
const TARGETS_MAX: usize = 1000;
const DEREGISTRATION_DELAY_S: Number = Number::of(Owner::HttpGroup, "deregistration_delay.timeout_seconds");

pub(super) fn register(context: &mut Context<'_>, input: shapes::RegisterTargetsInput) -> Result<(), Fault> {
    let group = fault::group(context, &input.target_group_arn)?;
    if group.kind() == TargetGroupKind::Alb {
        return alb_target::register(context, &group, &input.targets);
    }
    let mut targets = group.targets().to_vec();
    for wanted in input.targets {
        let target = match group.kind().is_of_instances() {
            true => of_instance(context, &group, &wanted)?,
            false => parse(context, &group, wanted)?,
        };
        let place = |target: &Target| (target.instance, target.address, target.port);
        match targets.iter_mut().find(|known| place(known) == place(&target)) {
            Some(known) => *known = target,
            None => targets.push(target),
        }
    }
    if targets.len() > TARGETS_MAX {
        return Err(Fault::new(
            "TooManyTargets",
            400,
            "You've reached the limit on the number of targets per target group",
        ));
    }
    set(context, &group, targets)
}

fn set(context: &mut Context<'_>, of: &TargetGroup, targets: Vec<Target>) -> Result<(), Fault> {
    if targets == of.targets() {
        return Ok(());
    }
    let found = context.edit().target_groups.edit(&of.id);
    found.map_or(Ok(()), |group| group.set_targets(targets)).map_err(|error| fault::of_group(&error))
}

fn parse(context: &Context<'_>, group: &TargetGroup, wanted: shapes::TargetDescription) -> Result<Target, Fault> {
    let family = group.family();
    let address = wanted.id.parse().ok().filter(|address| Family::of(*address) == family);
    let address: IpAddr = address
        .ok_or_else(|| fault::validation(format!("The IP address '{}' is not a valid {family} address", wanted.id)))?;
    let port = parse_port(wanted.port, group)?;
    let estate = context.estate();
    let subnet = estate.subnets.values().find(|subnet| subnet.vpc == group.vpc && subnet.contains(address));
    let zone = match (subnet, wanted.availability_zone.as_deref()) {
        (Some(subnet), None) => TargetZone::In(subnet.zone.clone()),
        (Some(subnet), Some(zone)) if zone == subnet.zone.as_str() => TargetZone::In(subnet.zone.clone()),
        (Some(_), Some("all")) => TargetZone::All,
        (Some(subnet), Some(zone)) => {
            return Err(fault::validation(format!(
                "The Availability Zone '{zone}' does not match that of the IP address '{address}', '{}'",
                subnet.zone
            )));
        }
        (None, Some("all")) if net::is_private_target(address) => TargetZone::All,
        (None, zone) if net::is_private_target(address) && zone != Some("all") => {
            return Err(fault::validation(format!(
                "You must specify the Availability Zone 'all' for the IP address '{address}' because it is outside the VPC"
            )));
        }
        (None, _) if family == Family::Ipv6 => {
            return Err(fault::validation(format!(
                "The IP address '{address}' must be from a subnet of the target group's VPC"
            )));
        }
        (None, _) => {
            return Err(fault::validation(format!(
                "The IP address '{address}' must be from a subnet of the target group's VPC, from RFC 1918 or from RFC 6598"
            )));
        }
    };
    Ok(Target { instance: None, address, port, zone, draining_until: None })
}

/// Only instances of the group's VPC that run can be registered (ELBv2 API reference, RegisterTargets, 2026-11; texts as public
/// reports quote them).
fn of_instance(
    context: &Context<'_>,
    group: &TargetGroup,
    wanted: &shapes::TargetDescription,
) -> Result<Target, Fault> {
    let text = &wanted.id;
    let id: InstanceId = text.parse().map_err(|_| fault::validation(format!("Instance ID '{text}' is not valid")))?;
    if wanted.availability_zone.is_some() {
        return Err(fault::validation(
            "You cannot specify an Availability Zone for a target with target type 'instance'",
        ));
    }
    let port = parse_port(wanted.port, group)?;
    let invalid = |why: String| Fault::new("InvalidTarget", 400, format!("The following targets {why}: '{text}'"));
    let instance = context.estate().instances.get(&id).ok_or_else(|| invalid("do not exist".to_owned()))?;
    if instance.vpc != group.vpc {
        return Err(invalid(format!("are not in the target group VPC '{}'", group.vpc)));
    }
    let subnet = context.estate().subnets.get(&instance.subnet);
    match (instance.state, subnet) {
        (InstanceState::Running, Some(subnet)) => Ok(Target {
            instance: Some(id),
            address: instance.private_ip.into(),
            port,
            zone: TargetZone::In(subnet.zone.clone()),
            draining_until: None,
        }),
        _ => Err(invalid("are not in a running state and cannot be registered".to_owned())),
    }
}

fn parse_port(port: Option<i64>, group: &TargetGroup) -> Result<u16, Fault> {
    match port {
        None => Ok(group.port),
        Some(port) => u16::try_from(port)
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| fault::validation(format!("Port '{port}' must be between 1 and 65535"))),
    }
}

/// A target named without a port stands for every registered port of its address or instance.
fn names(wanted: &shapes::TargetDescription, target: &Target) -> bool {
    wanted.id == target.id() && wanted.port.is_none_or(|port| port == i64::from(target.port))
}

pub(super) fn deregister(context: &mut Context<'_>, input: &shapes::DeregisterTargetsInput) -> Result<(), Fault> {
    let group = fault::group(context, &input.target_group_arn)?;
    if group.kind() == TargetGroupKind::Alb {
        return alb_target::deregister(context, &group, &input.targets);
    }
    let delay_s = group.attributes().number(DEREGISTRATION_DELAY_S);
    let until = context.now.plus_ms(i64::from(delay_s) * 1000);
    // Nothing is under way in a group that no rule refers to.
    let in_use = action::users(context, group.id).next().is_some();
    let mut targets = group.targets().to_vec();
    for target in &mut targets {
        if target.draining_until.is_none() && input.targets.iter().any(|wanted| names(wanted, target)) {
            target.draining_until = Some(if in_use { until } else { context.now });
        }
    }
    targets.retain(|target| target.draining_until.is_none_or(|until| until > context.now));
    set(context, &group, targets)
}

pub(super) fn health(
    context: &Context<'_>,
    input: &shapes::DescribeTargetHealthInput,
) -> Result<Vec<shapes::TargetHealthDescription>, Fault> {
    let group = fault::group(context, &input.target_group_arn)?;
    if group.kind() == TargetGroupKind::Alb {
        let wanted = input.targets.as_deref().unwrap_or_default();
        return Ok(alb_target::health(context, &group, wanted));
    }
    let asked = input.include.iter().flatten();
    let is_asked = asked.into_iter().any(|what| ["All", "AnomalyDetection"].contains(&what.as_str()));
    let with_anomalies = is_asked && group.kind().is_web();
    let judged = (context, &context.target_states());
    let Some(wanted) = input.targets.as_ref().filter(|targets| !targets.is_empty()) else {
        let found = group.targets().iter().map(|target| describe(judged, &group, (target, with_anomalies)));
        return Ok(found.collect());
    };
    let mut found = Vec::new();
    for target in wanted {
        let mut known = group.targets().iter().filter(|known| names(target, known)).peekable();
        if known.peek().is_none() {
            found.push(not_registered(target, &group));
        }
        found.extend(known.map(|known| describe(judged, &group, (known, with_anomalies))));
    }
    Ok(found)
}

fn describe(
    (context, states): (&Context<'_>, &TargetStates<'_>),
    group: &TargetGroup,
    (target, with_anomalies): (&Target, bool),
) -> shapes::TargetHealthDescription {
    let zone = match &target.zone {
        // That of an instance is the instance's.
        _ if target.instance.is_some() => None,
        TargetZone::In(zone) => Some(zone.to_string()),
        TargetZone::All => Some("all".to_owned()),
    };
    let key = TargetKey { group: group.id, address: target.address, port: target.port };
    let anomaly = context.observed.anomalies.get(&key).copied().unwrap_or_default();
    shapes::TargetHealthDescription {
        anomaly_detection: with_anomalies.then(|| shapes::AnomalyDetection {
            result: Some(if anomaly.is_anomalous { "anomalous" } else { "normal" }.to_owned()),
            mitigation_in_effect: Some(if anomaly.is_mitigated { "yes" } else { "no" }.to_owned()),
        }),
        health_check_port: Some(group.health_check().port().unwrap_or(target.port).to_string()),
        target: Some(shapes::TargetDescription {
            availability_zone: zone,
            id: target.id(),
            port: Some(i64::from(target.port)),
        }),
        target_health: Some(shape(states.of_target(group, target))),
    }
}

pub(super) fn not_registered(
    wanted: &shapes::TargetDescription,
    group: &TargetGroup,
) -> shapes::TargetHealthDescription {
    let port = wanted.port.unwrap_or(i64::from(group.port));
    let text = "Target is not registered to the target group";
    shapes::TargetHealthDescription {
        anomaly_detection: None,
        health_check_port: Some(group.health_check().port().map_or(port, i64::from).to_string()),
        target: Some(shapes::TargetDescription { availability_zone: None, id: wanted.id.clone(), port: Some(port) }),
        target_health: Some(shape(TargetState::because("unused", "Target.NotRegistered", text))),
    }
}

pub(super) fn shape(told: TargetState) -> shapes::TargetHealth {
    let TargetState { state, reason, description } = told;
    shapes::TargetHealth { description, reason: reason.map(str::to_owned), state: Some(state.to_owned()) }
}
