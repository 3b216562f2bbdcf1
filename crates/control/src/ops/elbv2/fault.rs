//! The faults of Elastic Load Balancing V2, and the lookups that raise them. Codes and texts: ELBv2 API reference and public
//! reports, 2026-11.

use std::sync::Arc;

use topology::arn::{ElbArn, ElbResource};
use topology::id::ListenerRuleId;
use topology::resource::action::ActionError;
use topology::resource::attribute::AttributeError;
use topology::resource::gate::GateError;
use topology::resource::health_check::HealthCheckError;
use topology::resource::listener::{Listener, ListenerError, ListenerRule};
use topology::resource::load_balancer::LoadBalancer;
use topology::resource::target_group::{TargetGroup, TargetGroupError};
use topology::resource::trust_store::TrustStore;
use wire::Fault;

use crate::context::Context;

pub(super) fn validation(message: impl Into<String>) -> Fault {
    Fault::new("ValidationError", 400, message)
}

pub(super) fn configuration(message: impl Into<String>) -> Fault {
    Fault::new("InvalidConfigurationRequest", 400, message)
}

/// What an attribute's refusal is to a caller.
pub(super) fn attribute(error: &AttributeError) -> Fault {
    match error {
        AttributeError::Unknown(..)
        | AttributeError::Value { .. }
        | AttributeError::Idle { .. }
        | AttributeError::Empty(_)
        | AttributeError::Unprintable(_) => validation(error.to_string()),
        AttributeError::Elsewhere(..)
        | AttributeError::Together(_)
        | AttributeError::NoBucket(_)
        | AttributeError::HoldsLogs(_) => configuration(error.to_string()),
    }
}

/// What the refusals of several attributes are to a caller: all of them at once, under the first one's code. `None` for none.
pub(super) fn attributes(errors: &[AttributeError]) -> Option<Fault> {
    let sentences: Vec<String> = errors.iter().map(AttributeError::to_string).collect();
    errors.first().map(|first| Fault { message: sentences.join("; "), ..attribute(first) })
}

/// What an action's refusal is to a caller.
pub(super) fn action(error: &ActionError) -> Fault {
    let code = match error {
        ActionError::TooManyGroups => "TooManyTargetGroups",
        ActionError::Unchanged | ActionError::StickyTargets => "InvalidLoadBalancerAction",
        ActionError::NoGroup
        | ActionError::Weight(_)
        | ActionError::Stickiness(_)
        | ActionError::StickinessDuration
        | ActionError::FixedStatus(_)
        | ActionError::ContentType
        | ActionError::Body
        | ActionError::RedirectStatus(_)
        | ActionError::Protocol(_)
        | ActionError::Port(_)
        | ActionError::Path => "ValidationError",
    };
    Fault::new(code, 400, error.to_string())
}

/// What a gate's refusal is to a caller.
pub(super) fn gate(error: &GateError) -> Fault {
    validation(error.to_string())
}

pub(super) fn invalid_action(message: impl Into<String>) -> Fault {
    Fault::new("InvalidLoadBalancerAction", 400, message)
}

/// What a listener's refusal is to a caller.
pub(super) fn of_listener(error: &ListenerError) -> Fault {
    match error {
        ListenerError::Protocol(..) => validation(error.to_string()),
        ListenerError::Action(_) | ListenerError::Gate(_) => invalid_action(error.to_string()),
        ListenerError::Attribute(error) => attribute(error),
    }
}

/// What a health check's refusal is to a caller.
pub(super) fn health_check(error: &HealthCheckError) -> Fault {
    validation(error.to_string())
}

/// What a target group's refusal is to a caller.
pub(super) fn of_group(error: &TargetGroupError) -> Fault {
    match error {
        TargetGroupError::Family(_) => configuration(error.to_string()),
        TargetGroupError::Address(..) => validation(error.to_string()),
        TargetGroupError::Kind { .. } | TargetGroupError::Probe(_) | TargetGroupError::Members(_) => {
            configuration(error.to_string())
        }
        TargetGroupError::Twice(..) => validation(error.to_string()),
        TargetGroupError::Attribute(error) => attribute(error),
    }
}

/// A bucket that cannot be written to.
pub(super) fn no_bucket(bucket: &str) -> Fault {
    configuration(format!("Access Denied for bucket: {bucket}. Please check S3bucket permission"))
}

pub(super) fn balancer_not_found(what: &str) -> Fault {
    Fault::new("LoadBalancerNotFound", 400, format!("Load balancers '[{what}]' not found"))
}

pub(super) fn listener_not_found(arn: &str) -> Fault {
    Fault::new("ListenerNotFound", 400, format!("One or more listeners not found: {arn}"))
}

pub(super) fn rule_not_found(arn: &str) -> Fault {
    Fault::new("RuleNotFound", 400, format!("One or more rules not found: {arn}"))
}

pub(super) fn group_not_found(what: &str) -> Fault {
    Fault::new("TargetGroupNotFound", 400, format!("One or more target groups not found: {what}"))
}

pub(super) fn trust_store_not_found(what: &str) -> Fault {
    Fault::new("TrustStoreNotFound", 400, format!("One or more trust stores not found: {what}"))
}

fn invalid_arn(noun: &str, arn: &str) -> Fault {
    validation(format!("'{arn}' is not a valid {noun} ARN"))
}

/// Parses an ARN; one of another account or region names nothing here.
fn parse(context: &Context<'_>, arn: &str) -> Option<(ElbResource, bool)> {
    let parsed: ElbArn = arn.parse().ok()?;
    let own = parsed.realm == *context.realm();
    Some((parsed.resource, own))
}

/// The load balancer that an ARN names.
pub(super) fn balancer(context: &Context<'_>, arn: &str) -> Result<Arc<LoadBalancer>, Fault> {
    let Some((ElbResource::LoadBalancer(name), own)) = parse(context, arn) else {
        return Err(invalid_arn("load balancer", arn));
    };
    let named = |lb: &&Arc<LoadBalancer>| own && lb.full_name() == name;
    let found = context.estate().load_balancers.get(&name.id).filter(named);
    found.cloned().ok_or_else(|| balancer_not_found(arn))
}

/// The listener that an ARN names.
pub(super) fn listener(context: &Context<'_>, arn: &str) -> Result<Arc<Listener>, Fault> {
    let Some((ElbResource::Listener(name, id), own)) = parse(context, arn) else {
        return Err(invalid_arn("listener", arn));
    };
    let found = context.estate().listeners.get(&id).filter(|listener| own && listener.load_balancer == name.id);
    found.cloned().ok_or_else(|| listener_not_found(arn))
}

/// What an ARN of a rule names.
pub(super) enum FoundRule {
    /// A rule with a priority.
    Rule(Arc<ListenerRule>),
    /// The default rule of this listener.
    Default(Arc<Listener>),
}

/// The rule that an ARN names.
pub(super) fn rule(context: &Context<'_>, arn: &str) -> Result<FoundRule, Fault> {
    let Some((ElbResource::Rule(_, listener, id), own)) = parse(context, arn) else {
        return Err(invalid_arn("listener rule", arn));
    };
    let estate = context.estate();
    if let Some(found) = estate.listener_rules.get(&id).filter(|rule| own && rule.listener == listener) {
        return Ok(FoundRule::Rule(Arc::clone(found)));
    }
    let default = estate.listeners.get(&listener).filter(|found| own && found.default_rule == id);
    default.map(|found| FoundRule::Default(Arc::clone(found))).ok_or_else(|| rule_not_found(arn))
}

/// The target group that an ARN names.
pub(super) fn group(context: &Context<'_>, arn: &str) -> Result<Arc<TargetGroup>, Fault> {
    let Some((ElbResource::TargetGroup { name, id }, own)) = parse(context, arn) else {
        return Err(invalid_arn("target group", arn));
    };
    let found = context.estate().target_groups.get(&id).filter(|group| own && group.name == name);
    found.cloned().ok_or_else(|| group_not_found(arn))
}

/// The trust store that an ARN names.
pub(super) fn trust_store(context: &Context<'_>, arn: &str) -> Result<Arc<TrustStore>, Fault> {
    let Some((ElbResource::TrustStore { name, id }, own)) = parse(context, arn) else {
        return Err(invalid_arn("trust store", arn));
    };
    let found = context.estate().trust_stores.get(&id).filter(|store| own && store.name == name);
    found.cloned().ok_or_else(|| trust_store_not_found(arn))
}

fn arn(context: &Context<'_>, resource: ElbResource) -> String {
    ElbArn { realm: context.realm().clone(), resource }.to_string()
}

pub(super) fn balancer_arn(context: &Context<'_>, balancer: &LoadBalancer) -> String {
    arn(context, ElbResource::LoadBalancer(balancer.full_name()))
}

/// Empty if the load balancer is gone, which no estate allows.
pub(super) fn listener_arn(context: &Context<'_>, listener: &Listener) -> String {
    let balancer = context.estate().load_balancers.get(&listener.load_balancer);
    balancer.map(|lb| arn(context, ElbResource::Listener(lb.full_name(), listener.id))).unwrap_or_default()
}

/// Empty if the listener is gone, which no estate allows.
pub(super) fn rule_arn(context: &Context<'_>, listener: &Listener, rule: ListenerRuleId) -> String {
    let balancer = context.estate().load_balancers.get(&listener.load_balancer);
    balancer.map(|lb| arn(context, ElbResource::Rule(lb.full_name(), listener.id, rule))).unwrap_or_default()
}

pub(super) fn group_arn(context: &Context<'_>, group: &TargetGroup) -> String {
    arn(context, ElbResource::TargetGroup { name: group.name.clone(), id: group.id })
}

pub(super) fn trust_store_arn(context: &Context<'_>, store: &TrustStore) -> String {
    arn(context, ElbResource::TrustStore { name: store.name.clone(), id: store.id })
}

/// Names of load balancers and target groups: 1–32 letters, digits and inner hyphens.
pub(super) fn check_name(noun: &str, name: &str) -> Result<(), Fault> {
    if name.len() > 32 {
        return Err(validation(format!("{noun} name '{name}' cannot be longer than '32' characters")));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(validation(format!("{noun} name '{name}' cannot begin or end with '-'")));
    }
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(validation(format!(
            "{noun} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-)"
        )));
    }
    Ok(())
}
