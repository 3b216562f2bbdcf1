//! Actions of rules: forward, fixed response, redirect, and what may stand before one (ALB user guide, "Rule action types", 2026-11).

use topology::id::{LoadBalancerId, TargetGroupId};
use topology::net::Family;
use topology::resource::action::{
    Action, ActionError, FixedResponse, FixedResponseParts, Forward, GroupStickiness, Redirect, RedirectParts,
    RedirectStatus, StickinessS, Weight,
};
use topology::resource::gate::{Gate, Order, Orders};
use topology::resource::listener::{Listener, ListenerProtocol};
use topology::resource::load_balancer::BalancerKind;
use topology::resource::target_group::{HttpVersion, TargetGroup, TargetGroupKind};
use wire::Fault;
use wire::elbv2 as shapes;

use super::gate::is_gate;
use super::{fault, gate};
use crate::context::Context;

/// What a rule does, and what it asks before.
pub(super) type Course = (Option<Gate>, Action, Option<Order>);

/// Parses the actions of a rule of a listener: one that ends it, and before it one that asks something of the request, or none.
/// What it replaces may lend it a secret.
pub(super) fn parse(
    context: &Context<'_>,
    (actions, before): (Vec<shapes::Action>, Option<&Gate>),
    of: &Listener,
) -> Result<Course, Fault> {
    let course = parse_for(context, (actions, before), of.load_balancer)?;
    of.protocol().admits(course.0.as_ref()).map_err(|error| fault::of_listener(&error))?;
    Ok(course)
}

/// The same for a load balancer. Whether the listener speaks HTTPS is still to be asked.
pub(super) fn parse_for(
    context: &Context<'_>,
    (mut actions, before): (Vec<shapes::Action>, Option<&Gate>),
    balancer: LoadBalancerId,
) -> Result<Course, Fault> {
    if let Some((member, stray)) = actions.iter().find_map(|action| Some((gate::stray(action)?, action))) {
        return Err(fault::invalid_action(format!(
            "You cannot specify '{member}' for actions of type '{}'",
            stray.type_
        )));
    }
    let orders = if actions.len() > 1 { Some(sort(&mut actions)?) } else { None };
    let order = match actions.as_slice() {
        [shapes::Action { order: Some(order), .. }] => Some(parse_order(*order)?),
        _ => None,
    };
    let last = actions.pop().ok_or_else(|| fault::validation("Exactly one action must be specified"))?;
    if is_gate(&last) && !is_network(context, balancer) {
        return Err(fault::invalid_action(LAST));
    }
    let gate = match (orders, actions.pop()) {
        (Some(orders), Some(first)) if is_gate(&first) => Some(gate::parse(context, first, (before, orders))?),
        (_, Some(first)) if is_routing(&first) => {
            return Err(fault::validation("Exactly one action must be specified"));
        }
        (_, Some(first)) => return Err(unserved(&first.type_)),
        (_, None) => None,
    };
    Ok((gate, routing(context, last, balancer)?, order))
}

fn parse_order(order: i64) -> Result<Order, Fault> {
    let order = Order::try_from(u16::try_from(order).unwrap_or_default());
    order.map_err(|error| fault::validation(error.to_string()))
}

const LAST: &str = "The last action of a rule must be one of 'forward, redirect, fixed-response'";

fn is_routing(action: &shapes::Action) -> bool {
    ["forward", "redirect", "fixed-response"].contains(&action.type_.as_str())
}

fn unserved(kind: &str) -> Fault {
    fault::invalid_action(wire::unserved(format_args!("actions of type '{kind}'")))
}

/// Puts actions in their order: two at most, each with a place of its own.
fn sort(actions: &mut [shapes::Action]) -> Result<Orders, Fault> {
    if actions.iter().any(|action| action.order.is_none()) {
        return Err(fault::validation("'Order' must be specified for each action of a rule with multiple actions"));
    }
    actions.sort_by_key(|action| action.order);
    let order = |action: &shapes::Action| action.order.and_then(|order| u16::try_from(order).ok()).unwrap_or_default();
    match actions {
        [first, last] if first.order != last.order => Ok((order(first), order(last))),
        [_, _] => Err(fault::validation("Each action of a rule must have another 'Order'")),
        _ => Err(fault::invalid_action("A rule can have at most one action before its last action")),
    }
}

fn routing(context: &Context<'_>, action: shapes::Action, balancer: LoadBalancerId) -> Result<Action, Fault> {
    match action.type_.as_str() {
        "forward" => forward(context, action, balancer),
        other if is_network(context, balancer) => {
            Err(fault::invalid_action(format!("Actions of type '{other}' are not supported on Network Load Balancers")))
        }
        "fixed-response" => fixed_response(action.fixed_response_config),
        "redirect" => redirect(action.redirect_config),
        other => Err(unserved(other)),
    }
}

/// Refuses to send to a group that cannot be spoken to from a listener: in HTTP/2 where its clients cannot speak it (ALB user guide,
/// "Target groups", 2026-11: protocol versions), within TLS past a network load balancer that does not end its clients' TLS, and to an
/// application load balancer from one that does (NLB user guide, "Listeners for your Network Load Balancers", 2026-11).
pub(super) fn check_versions(context: &Context<'_>, action: &Action, from: &ListenerProtocol) -> Result<(), Fault> {
    let Action::Forward(forward) = action else { return Ok(()) };
    let groups = forward.groups().iter().filter_map(|(id, _)| context.estate().target_groups.get(id));
    for kind in groups.map(|group| group.kind()) {
        let unfit = match (from, kind) {
            (ListenerProtocol::Http, kind) => {
                let version = kind.version().filter(|version| *version != HttpVersion::Http1);
                version.map(|version| format!("protocol-version '{}'", version.as_str()))
            }
            (ListenerProtocol::Tcp, TargetGroupKind::Tls(_)) => Some("protocol 'TLS'".to_owned()),
            (ListenerProtocol::Tls { .. }, TargetGroupKind::Alb) => Some("target type 'alb'".to_owned()),
            _ => None,
        };
        if let Some(unfit) = unfit {
            return Err(fault::configuration(format!(
                "Listener protocol '{}' is not supported with a target group with the {unfit}",
                from.as_str()
            )));
        }
    }
    Ok(())
}

fn is_network(context: &Context<'_>, balancer: LoadBalancerId) -> bool {
    context.estate().load_balancers.get(&balancer).is_some_and(|lb| lb.kind() == BalancerKind::Network)
}

fn forward(context: &Context<'_>, action: shapes::Action, balancer: LoadBalancerId) -> Result<Action, Fault> {
    let config = action.forward_config.unwrap_or_default();
    let mut wanted: Vec<(String, i64)> = Vec::new();
    for tuple in config.target_groups.unwrap_or_default() {
        let arn = tuple.target_group_arn.ok_or_else(|| fault::validation("A target group ARN must be specified"))?;
        wanted.push((arn, tuple.weight.unwrap_or(1)));
    }
    match (action.target_group_arn, wanted.as_slice()) {
        (Some(arn), []) => wanted.push((arn, 1)),
        (Some(arn), [(only, _)]) if *only == arn => {}
        (Some(_), _) => {
            return Err(fault::validation(
                "If you specify both ForwardConfig and TargetGroupArn, they must name the same target group",
            ));
        }
        (None, []) => return Err(fault::action(&ActionError::NoGroup)),
        (None, _) => {}
    }
    let stickiness = stickiness(&config.target_group_stickiness_config.unwrap_or_default())?;
    if wanted.len() > Forward::GROUPS_MAX {
        return Err(fault::action(&ActionError::TooManyGroups));
    }
    let mut groups = Vec::new();
    for (arn, weight) in wanted {
        let weight = Weight::try_from(weight).map_err(|error| fault::action(&error))?;
        let group = fault::group(context, &arn)?;
        check_group(context, group.id, (balancer, &arn))?;
        groups.push((group.id, weight));
    }
    let is_sticky = |(group, _): &(TargetGroupId, Weight)| {
        context.estate().target_groups.get(group).is_some_and(|group| group.is_sticky())
    };
    if groups.len() > 1 && !stickiness.is_on() && groups.iter().any(is_sticky) {
        return Err(fault::action(&ActionError::StickyTargets));
    }
    Forward::new(groups, stickiness).map(Action::Forward).map_err(|error| fault::action(&error))
}

/// Whether clients stay with a group (ELBv2 API reference, TargetGroupStickinessConfig, 2026-11).
fn stickiness(config: &shapes::TargetGroupStickinessConfig) -> Result<GroupStickiness, Fault> {
    let seconds = config.duration_seconds.map(StickinessS::try_from).transpose();
    match (config.enabled == Some(true), seconds.map_err(|error| fault::action(&error))?) {
        (true, Some(seconds)) => Ok(GroupStickiness::On(seconds)),
        (true, None) => Err(fault::action(&ActionError::StickinessDuration)),
        (false, Some(seconds)) => Ok(GroupStickiness::Off(seconds)),
        (false, None) => Ok(GroupStickiness::Unset),
    }
}

/// A target group serves one load balancer, in its own VPC.
fn check_group(context: &Context<'_>, group: TargetGroupId, of: (LoadBalancerId, &str)) -> Result<(), Fault> {
    let (balancer, arn) = of;
    let estate = context.estate();
    let vpc = estate.target_groups.get(&group).map(|group| group.vpc);
    if estate.load_balancers.get(&balancer).is_some_and(|lb| Some(lb.vpc) != vpc) {
        return Err(fault::configuration(format!(
            "The target group with targetGroupArn {arn} is in a different VPC than the load balancer"
        )));
    }
    let protocol_fits = |group: &TargetGroup| group.kind().is_network() == is_network(context, balancer);
    if !estate.target_groups.get(&group).is_some_and(|group| protocol_fits(group)) {
        return Err(Fault::new(
            "InvalidConfigurationRequest",
            400,
            format!("The protocol of target group {arn} does not fit the type of the load balancer"),
        ));
    }
    let is_ipv6 = estate.target_groups.get(&group).is_some_and(|group| group.family() == Family::Ipv6);
    if is_ipv6 && !estate.load_balancers.get(&balancer).is_some_and(|balancer| balancer.is_dual_stack()) {
        return Err(fault::configuration(format!(
            "Target group {arn} has the IP address type 'ipv6', which a load balancer with the IP address type 'dualstack' alone supports"
        )));
    }
    if users(context, group).any(|user| user != balancer) {
        return Err(Fault::new(
            "TargetGroupAssociationLimit",
            400,
            format!("The following target groups cannot be associated with more than one load balancer: {arn}"),
        ));
    }
    Ok(())
}

/// The load balancers whose listeners and rules send to a group.
pub(super) fn users<'a>(
    context: &'a Context<'_>,
    group: TargetGroupId,
) -> impl Iterator<Item = LoadBalancerId> + use<'a> {
    let estate = context.estate();
    let sends = move |action: &Action| action.target_groups().any(|id| id == group);
    let by_default = estate.listeners.values().filter(move |l| sends(l.default_action())).map(|l| l.load_balancer);
    let by_rule = estate
        .listener_rules
        .values()
        .filter(move |rule| sends(&rule.action))
        .filter_map(|rule| estate.listeners.get(&rule.listener))
        .map(|listener| listener.load_balancer);
    by_default.chain(by_rule)
}

fn fixed_response(config: Option<shapes::FixedResponseActionConfig>) -> Result<Action, Fault> {
    let config = config.ok_or_else(|| fault::invalid_action("A fixed-response action needs a FixedResponseConfig"))?;
    let status = config.status_code.parse();
    let status = status.map_err(|_| fault::action(&ActionError::FixedStatus(config.status_code)))?;
    let content_type = config.content_type.filter(|text| !text.is_empty());
    let body = config.message_body.filter(|body| !body.is_empty());
    let response = FixedResponse::new(FixedResponseParts { status, content_type, body });
    response.map(Action::FixedResponse).map_err(|error| fault::action(&error))
}

fn redirect(config: Option<shapes::RedirectActionConfig>) -> Result<Action, Fault> {
    let config = config.ok_or_else(|| fault::invalid_action("A redirect action needs a RedirectConfig"))?;
    let code = config.status_code.strip_prefix("HTTP_").and_then(|code| code.parse::<u16>().ok());
    let status = code.and_then(|code| RedirectStatus::try_from(code).ok());
    let redirect = RedirectParts {
        status: status.ok_or_else(|| fault::action(&ActionError::RedirectStatus(config.status_code)))?,
        protocol: config.protocol.unwrap_or_else(|| "#{protocol}".to_owned()),
        host: config.host.unwrap_or_else(|| "#{host}".to_owned()),
        port: config.port.unwrap_or_else(|| "#{port}".to_owned()),
        path: config.path.unwrap_or_else(|| "/#{path}".to_owned()),
        query: config.query.unwrap_or_else(|| "#{query}".to_owned()),
    };
    Redirect::new(redirect).map(Action::Redirect).map_err(|error| fault::action(&error))
}

pub(super) fn render(
    context: &Context<'_>,
    (gate, action): (Option<&Gate>, &Action),
    alone: Option<Order>,
) -> Vec<shapes::Action> {
    let order = gate.map(|gate| gate.orders().1).or(alone.map(u16::from)).map(i64::from);
    let shape = match action {
        Action::Forward(forward) => render_forward(context, forward),
        Action::FixedResponse(response) => shapes::Action {
            fixed_response_config: Some(shapes::FixedResponseActionConfig {
                content_type: response.content_type.clone(),
                message_body: response.body.clone(),
                status_code: response.status.to_string(),
            }),
            ..Default::default()
        },
        Action::Redirect(redirect) => shapes::Action {
            redirect_config: Some(shapes::RedirectActionConfig {
                host: Some(redirect.host.clone()),
                path: Some(redirect.path.clone()),
                port: Some(redirect.port.clone()),
                protocol: Some(redirect.protocol.clone()),
                query: Some(redirect.query.clone()),
                status_code: format!("HTTP_{}", u16::from(redirect.status)),
            }),
            ..Default::default()
        },
    };
    let last = shapes::Action { type_: action.type_name().to_owned(), order, ..shape };
    gate.map(gate::render).into_iter().chain([last]).collect()
}

fn render_forward(context: &Context<'_>, forward: &Forward) -> shapes::Action {
    let arn = |id: &TargetGroupId| context.estate().target_groups.get(id).map(|group| fault::group_arn(context, group));
    let tuples = forward.groups().iter().map(|(id, weight)| shapes::TargetGroupTuple {
        target_group_arn: arn(id),
        weight: Some(i64::from(u32::from(*weight))),
    });
    shapes::Action {
        target_group_arn: match forward.groups() {
            [(only, _)] => arn(only),
            _ => None,
        },
        forward_config: Some(shapes::ForwardActionConfig {
            target_groups: Some(tuples.collect()),
            target_group_stickiness_config: Some(shapes::TargetGroupStickinessConfig {
                duration_seconds: forward.stickiness().seconds().map(|seconds| i64::from(u32::from(seconds))),
                enabled: Some(forward.stickiness().is_on()),
            }),
        }),
        ..Default::default()
    }
}
