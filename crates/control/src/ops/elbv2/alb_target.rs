//! Target groups of type `alb`: one application load balancer behind a network load balancer (NLB user guide, "Use an Application
//! Load Balancer as a target", 2026-11).

use std::sync::Arc;

use topology::id::LoadBalancerId;
use topology::resource::listener::Listener;
use topology::resource::load_balancer::{BalancerKind, LoadBalancer};
use topology::resource::target_group::TargetGroup;
use wire::Fault;
use wire::elbv2 as shapes;

use super::{fault, target};
use crate::context::Context;

/// Registers the one target: a load balancer of the group's VPC with a listener on the group's port.
pub(super) fn register(
    context: &mut Context<'_>,
    group: &TargetGroup,
    wanted: &[shapes::TargetDescription],
) -> Result<(), Fault> {
    let [wanted] = wanted else { return Err(too_many()) };
    let balancer = known(context, &wanted.id)?;
    if wanted.port.is_some_and(|port| port != i64::from(group.port)) {
        return Err(fault::validation(format!(
            "The port of the target must be that of the target group, '{}'",
            group.port
        )));
    }
    if balancer.vpc != group.vpc {
        return Err(fault::validation(format!(
            "The load balancer '{}' is not in the VPC of the target group",
            wanted.id
        )));
    }
    let is_meant = |listener: &Listener| (listener.load_balancer, listener.port) == (balancer.id, group.port);
    if !context.estate().listeners.values().any(|listener| is_meant(listener)) {
        let text = format!("The load balancer '{}' has no listener on port '{}'", wanted.id, group.port);
        return Err(fault::validation(text));
    }
    match group.alb() {
        Some(known) if known == balancer.id => Ok(()),
        Some(_) => Err(too_many()),
        None => set(context, group, Some(balancer.id)),
    }
}

fn too_many() -> Fault {
    Fault::new("TooManyTargets", 400, "A target group with target type 'alb' takes one Application Load Balancer")
}

fn known(context: &Context<'_>, arn: &str) -> Result<Arc<LoadBalancer>, Fault> {
    let found = fault::balancer(context, arn).ok().filter(|balancer| balancer.kind() == BalancerKind::Application);
    let text = || format!("The target '{arn}' is not the ARN of an Application Load Balancer");
    found.ok_or_else(|| Fault::new("InvalidTarget", 400, text()))
}

pub(super) fn deregister(
    context: &mut Context<'_>,
    group: &TargetGroup,
    wanted: &[shapes::TargetDescription],
) -> Result<(), Fault> {
    let arn = arn(context, group);
    if wanted.iter().any(|target| Some(&target.id) == arn.as_ref()) {
        // What is under way goes on; a load balancer that is a target does not drain.
        set(context, group, None)?;
    }
    Ok(())
}

fn set(context: &mut Context<'_>, of: &TargetGroup, balancer: Option<LoadBalancerId>) -> Result<(), Fault> {
    let found = context.edit().target_groups.edit(&of.id);
    found.map_or(Ok(()), |group| group.set_alb(balancer)).map_err(|error| fault::of_group(&error))
}

fn arn(context: &Context<'_>, group: &TargetGroup) -> Option<String> {
    let balancer = context.estate().load_balancers.get(&group.alb()?)?;
    Some(fault::balancer_arn(context, balancer))
}

pub(super) fn health(
    context: &Context<'_>,
    group: &TargetGroup,
    wanted: &[shapes::TargetDescription],
) -> Vec<shapes::TargetHealthDescription> {
    let registered = arn(context, group);
    let described = registered.iter().map(|arn| describe(context, group, arn));
    if wanted.is_empty() {
        return described.collect();
    }
    let of = |target: &shapes::TargetDescription| match &registered {
        Some(arn) if *arn == target.id => describe(context, group, arn),
        _ => target::not_registered(target, group),
    };
    wanted.iter().map(of).collect()
}

fn describe(context: &Context<'_>, group: &TargetGroup, arn: &str) -> shapes::TargetHealthDescription {
    shapes::TargetHealthDescription {
        anomaly_detection: None,
        health_check_port: Some(group.health_check().port().unwrap_or(group.port).to_string()),
        target: Some(shapes::TargetDescription {
            availability_zone: None,
            id: arn.to_owned(),
            port: Some(i64::from(group.port)),
        }),
        target_health: Some(target::shape(context.target_states().of_balancer(group))),
    }
}
