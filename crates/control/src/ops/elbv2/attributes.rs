//! Attributes of load balancers, target groups and listeners. Which there are and what becomes of them says the table
//! ([`topology::resource::attribute`]); here a request is read and its refusal becomes AWS's fault.

use topology::resource::attribute::Owner;
use wire::Fault;
use wire::elbv2 as shapes;

use super::fault;
use crate::context::Context;
use crate::settings::Buckets;

type Pairs = Vec<(String, String)>;

/// Whether each of them can be taken by itself; all that cannot are told at once.
fn admit(context: &Context<'_>, owner: Owner, pairs: &Pairs) -> Result<(), Fault> {
    let problems = owner.problems(pairs, context.settings.idle_attributes);
    fault::attributes(&problems).map_or(Ok(()), Err)
}

pub(super) fn of_balancer(context: &Context<'_>, arn: &str) -> Result<Vec<shapes::LoadBalancerAttribute>, Fault> {
    let balancer = fault::balancer(context, arn)?;
    let shape =
        |(key, value): (&str, String)| shapes::LoadBalancerAttribute { key: Some(key.to_owned()), value: Some(value) };
    Ok(balancer.shown().map(shape).collect())
}

pub(super) fn modify_balancer(
    context: &mut Context<'_>,
    input: shapes::ModifyLoadBalancerAttributesInput,
) -> Result<Vec<shapes::LoadBalancerAttribute>, Fault> {
    let balancer = fault::balancer(context, &input.load_balancer_arn)?;
    let pair = |one: shapes::LoadBalancerAttribute| (one.key.unwrap_or_default(), one.value.unwrap_or_default());
    let mut attributes = balancer.attributes.clone();
    let pairs: Pairs = input.attributes.into_iter().map(pair).collect();
    admit(context, attributes.owner(), &pairs)?;
    attributes.set_all(&pairs).map_err(|error| fault::attribute(&error))?;
    if let (Buckets::None, Some(bucket)) = (context.settings.buckets, attributes.log_buckets().next()) {
        return Err(fault::no_bucket(bucket));
    }
    if let Some(found) = context.edit().load_balancers.edit(&balancer.id) {
        found.attributes = attributes;
    }
    of_balancer(context, &input.load_balancer_arn)
}

pub(super) fn of_group(context: &Context<'_>, arn: &str) -> Result<Vec<shapes::TargetGroupAttribute>, Fault> {
    let group = fault::group(context, arn)?;
    let shape =
        |(key, value): (&str, String)| shapes::TargetGroupAttribute { key: Some(key.to_owned()), value: Some(value) };
    Ok(group.shown().map(shape).collect())
}

pub(super) fn modify_group(
    context: &mut Context<'_>,
    input: shapes::ModifyTargetGroupAttributesInput,
) -> Result<Vec<shapes::TargetGroupAttribute>, Fault> {
    let mut group = fault::group(context, &input.target_group_arn)?.as_ref().clone();
    let pair = |one: shapes::TargetGroupAttribute| (one.key.unwrap_or_default(), one.value.unwrap_or_default());
    let pairs: Pairs = input.attributes.into_iter().map(pair).collect();
    admit(context, group.attributes().owner(), &pairs)?;
    group.set_attributes(&pairs).map_err(|error| fault::attribute(&error))?;
    context.edit().target_groups.insert(group.id, group);
    of_group(context, &input.target_group_arn)
}

pub(super) fn of_listener(context: &Context<'_>, arn: &str) -> Result<Vec<shapes::ListenerAttribute>, Fault> {
    let listener = fault::listener(context, arn)?;
    let shape =
        |(key, value): (&str, String)| shapes::ListenerAttribute { key: Some(key.to_owned()), value: Some(value) };
    Ok(listener.attributes().shown().map(shape).collect())
}

pub(super) fn modify_listener(
    context: &mut Context<'_>,
    input: shapes::ModifyListenerAttributesInput,
) -> Result<Vec<shapes::ListenerAttribute>, Fault> {
    let mut listener = fault::listener(context, &input.listener_arn)?.as_ref().clone();
    let pair = |one: shapes::ListenerAttribute| (one.key.unwrap_or_default(), one.value.unwrap_or_default());
    let pairs: Pairs = input.attributes.into_iter().map(pair).collect();
    admit(context, listener.attributes().owner(), &pairs)?;
    let set = |(key, value): &(String, String)| listener.set_attribute(key, value);
    pairs.iter().try_for_each(set).map_err(|error| fault::attribute(&error))?;
    context.edit().listeners.insert(listener.id, listener);
    of_listener(context, &input.listener_arn)
}
