//! Actions of rules: forward, fixed response, redirect (ALB user guide, "Rule action types", 2026-11).

use topology::id::{LoadBalancerId, TargetGroupId};
use topology::resource::listener::{Action, Listener};
use topology::resource::load_balancer::BalancerKind;
use topology::resource::target_group::TargetGroup;
use wire::Fault;
use wire::elbv2 as shapes;

use super::fault;
use crate::context::Context;

/// Groups of a forward action: 5 at most; weights up to 999.
const GROUPS_MAX: usize = 5;
const WEIGHT_MAX: i64 = 999;
/// Seconds of a group stickiness: seven days (ELBv2 API reference, TargetGroupStickinessConfig, 2026-11).
const STICKINESS_S_MAX: u32 = 604_800;
const CONTENT_TYPES: [&str; 5] = ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidLoadBalancerAction", 400, message)
}

/// Parses the actions of a rule: exactly one, since none that may come before another is supported.
pub(super) fn parse(context: &Context<'_>, actions: Vec<shapes::Action>, of: &Listener) -> Result<Action, Fault> {
    parse_for(context, actions, of.load_balancer)
}

pub(super) fn parse_for(
    context: &Context<'_>,
    actions: Vec<shapes::Action>,
    balancer: LoadBalancerId,
) -> Result<Action, Fault> {
    let mut actions = actions.into_iter();
    let (Some(action), None) = (actions.next(), actions.next()) else {
        return Err(fault::validation("Exactly one action must be specified"));
    };
    match action.type_.as_str() {
        "forward" => forward(context, action, balancer),
        other if is_network(context, balancer) => {
            Err(invalid(format!("Actions of type '{other}' are not supported on Network Load Balancers")))
        }
        "fixed-response" => fixed_response(action.fixed_response_config),
        "redirect" => redirect(action.redirect_config),
        other => Err(invalid(wire::unserved(format_args!("actions of type '{other}'")))),
    }
}

fn is_network(context: &Context<'_>, balancer: LoadBalancerId) -> bool {
    context.estate().load_balancers.get(&balancer).is_some_and(|lb| lb.kind == BalancerKind::Network)
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
        (None, []) => return Err(fault::validation("A target group must be specified for a forward action")),
        (None, _) => {}
    }
    let stickiness_s = stickiness(&config.target_group_stickiness_config.unwrap_or_default())?;
    if wanted.len() > GROUPS_MAX {
        return Err(Fault::new("TooManyTargetGroups", 400, "A forward action can name at most 5 target groups"));
    }
    let mut groups = Vec::new();
    for (arn, weight) in wanted {
        if !(0..=WEIGHT_MAX).contains(&weight) {
            return Err(fault::validation(format!(
                "Target group weight '{weight}' must be between 0 and {WEIGHT_MAX}"
            )));
        }
        let group = fault::group(context, &arn)?;
        check_group(context, group.id, (balancer, &arn))?;
        groups.push((group.id, u32::try_from(weight).unwrap_or(0)));
    }
    Ok(Action::Forward { groups, stickiness_s })
}

/// The duration of a stickiness that is off (ELBv2 API reference, TargetGroupStickinessConfig, 2026-11).
fn stickiness(config: &shapes::TargetGroupStickinessConfig) -> Result<Option<u32>, Fault> {
    if config.enabled == Some(true) {
        return Err(invalid(wire::unserved("target group stickiness")));
    }
    let Some(seconds) = config.duration_seconds else { return Ok(None) };
    let within = u32::try_from(seconds).ok().filter(|seconds| (1..=STICKINESS_S_MAX).contains(seconds));
    within.map(Some).ok_or_else(|| {
        let text =
            format!("Target group stickiness duration '{seconds}' must be between 1 and {STICKINESS_S_MAX} seconds");
        fault::validation(text)
    })
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
    let protocol_fits = |group: &TargetGroup| group.is_network() == is_network(context, balancer);
    if !estate.target_groups.get(&group).is_some_and(|group| protocol_fits(group)) {
        return Err(Fault::new(
            "InvalidConfigurationRequest",
            400,
            format!("The protocol of target group {arn} does not fit the type of the load balancer"),
        ));
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
    let by_default = estate.listeners.values().filter(move |l| sends(&l.default_action)).map(|l| l.load_balancer);
    let by_rule = estate
        .listener_rules
        .values()
        .filter(move |rule| sends(&rule.action))
        .filter_map(|rule| estate.listeners.get(&rule.listener))
        .map(|listener| listener.load_balancer);
    by_default.chain(by_rule)
}

fn fixed_response(config: Option<shapes::FixedResponseActionConfig>) -> Result<Action, Fault> {
    let config = config.ok_or_else(|| invalid("A fixed-response action needs a FixedResponseConfig"))?;
    let status = config.status_code.parse::<u16>().ok().filter(|status| [2, 4, 5].contains(&(status / 100)));
    let status = status
        .ok_or_else(|| fault::validation(format!("Status code '{}' must be 2XX, 4XX or 5XX", config.status_code)))?;
    let content_type = config.content_type.filter(|text| !text.is_empty());
    if content_type.as_deref().is_some_and(|text| !CONTENT_TYPES.contains(&text)) {
        return Err(fault::validation(format!("Content type must be one of {}", CONTENT_TYPES.join(", "))));
    }
    Ok(Action::FixedResponse { status, content_type, body: config.message_body.filter(|body| !body.is_empty()) })
}

fn redirect(config: Option<shapes::RedirectActionConfig>) -> Result<Action, Fault> {
    let config = config.ok_or_else(|| invalid("A redirect action needs a RedirectConfig"))?;
    let status = match config.status_code.as_str() {
        "HTTP_301" => 301,
        "HTTP_302" => 302,
        other => return Err(fault::validation(format!("Status code '{other}' must be HTTP_301 or HTTP_302"))),
    };
    let protocol = config.protocol.unwrap_or_else(|| "#{protocol}".to_owned());
    if !["HTTP", "HTTPS", "#{protocol}"].contains(&protocol.as_str()) {
        return Err(fault::validation(format!("Protocol '{protocol}' must be HTTP, HTTPS or #{{protocol}}")));
    }
    let port = config.port.unwrap_or_else(|| "#{port}".to_owned());
    if port != "#{port}" && !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Err(fault::validation(format!("Port '{port}' must be 1-65535 or #{{port}}")));
    }
    let path = config.path.unwrap_or_else(|| "/#{path}".to_owned());
    if !path.starts_with('/') {
        return Err(fault::validation("The redirect path must start with '/'"));
    }
    let host = config.host.unwrap_or_else(|| "#{host}".to_owned());
    let query = config.query.unwrap_or_else(|| "#{query}".to_owned());
    let unchanged = protocol == "#{protocol}" && host == "#{host}" && port == "#{port}" && path == "/#{path}";
    if unchanged {
        return Err(invalid("A redirect must change at least one of protocol, host, port and path"));
    }
    Ok(Action::Redirect { status, protocol, host, port, path, query })
}

pub(super) fn render(context: &Context<'_>, action: &Action) -> Vec<shapes::Action> {
    let shape = match action {
        Action::Forward { groups, stickiness_s } => render_forward(context, groups, *stickiness_s),
        Action::FixedResponse { status, content_type, body } => shapes::Action {
            type_: "fixed-response".to_owned(),
            fixed_response_config: Some(shapes::FixedResponseActionConfig {
                content_type: content_type.clone(),
                message_body: body.clone(),
                status_code: status.to_string(),
            }),
            ..Default::default()
        },
        Action::Redirect { status, protocol, host, port, path, query } => shapes::Action {
            type_: "redirect".to_owned(),
            redirect_config: Some(shapes::RedirectActionConfig {
                host: Some(host.clone()),
                path: Some(path.clone()),
                port: Some(port.clone()),
                protocol: Some(protocol.clone()),
                query: Some(query.clone()),
                status_code: format!("HTTP_{status}"),
            }),
            ..Default::default()
        },
    };
    vec![shape]
}

fn render_forward(context: &Context<'_>, groups: &[(TargetGroupId, u32)], stickiness_s: Option<u32>) -> shapes::Action {
    let arn = |id: &TargetGroupId| context.estate().target_groups.get(id).map(|group| fault::group_arn(context, group));
    let tuples = groups
        .iter()
        .map(|(id, weight)| shapes::TargetGroupTuple { target_group_arn: arn(id), weight: Some(i64::from(*weight)) });
    shapes::Action {
        type_: "forward".to_owned(),
        target_group_arn: match groups {
            [(only, _)] => arn(only),
            _ => None,
        },
        forward_config: Some(shapes::ForwardActionConfig {
            target_groups: Some(tuples.collect()),
            target_group_stickiness_config: Some(shapes::TargetGroupStickinessConfig {
                duration_seconds: stickiness_s.map(i64::from),
                enabled: Some(false),
            }),
        }),
        ..Default::default()
    }
}
