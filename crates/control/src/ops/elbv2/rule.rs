//! Rules of listeners, by priority; the default rule is the listener's own.

use std::collections::BTreeMap;

use topology::id::{ListenerId, ListenerRuleId};
use topology::resource::listener::{Listener, ListenerRule};
use topology::resource::load_balancer::BalancerKind;
use topology::resource::pattern::Transforms;
use wire::Fault;
use wire::elbv2 as shapes;

use super::fault::{self, FoundRule};
use super::{action, condition, tags, transform};
use crate::context::Context;

const PRIORITY_MAX: i64 = 50_000;

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateRuleInput) -> Result<shapes::Rule, Fault> {
    let listener = fault::listener(context, &input.listener_arn)?;
    if listener.protocol().kind() == BalancerKind::Network {
        return Err(fault::configuration("Rules are not supported on listeners of Network Load Balancers"));
    }
    let priority = parse_priority(input.priority)?;
    if context.estate().listener_rules.values().any(|r| r.listener == listener.id && r.priority == priority) {
        return Err(in_use(priority));
    }
    let id = ListenerRuleId::from_bits(context.mint.bits());
    let conditions = condition::parse(input.conditions)?;
    let (gate, action, order) = action::parse(context, (input.actions, None), &listener)?;
    let rule = ListenerRule {
        id,
        listener: listener.id,
        priority,
        conditions,
        gate,
        action,
        order,
        transforms: transform::parse(input.transforms.unwrap_or_default())?,
        tags: tags::parse(input.tags)?,
    };
    action::check_versions(context, &rule.action, listener.protocol())?;
    let shape = render(context, &listener, &rule);
    context.edit().listener_rules.insert(id, rule);
    Ok(shape)
}

fn parse_priority(priority: i64) -> Result<u32, Fault> {
    let within = u32::try_from(priority).ok().filter(|_| (1..=PRIORITY_MAX).contains(&priority));
    within.ok_or_else(|| fault::validation(format!("Priority '{priority}' must be between 1 and {PRIORITY_MAX}")))
}

fn in_use(priority: u32) -> Fault {
    Fault::new("PriorityInUse", 400, format!("Priority '{priority}' is currently in use"))
}

/// The rules that a request selects, the default rule last.
pub(super) fn select(context: &Context<'_>, input: &shapes::DescribeRulesInput) -> Result<Vec<shapes::Rule>, Fault> {
    match (input.listener_arn.as_deref(), input.rule_arns.as_deref().unwrap_or_default()) {
        (Some(arn), []) => Ok(of_listener(context, &*fault::listener(context, arn)?)),
        (None, arns @ [_, ..]) => arns.iter().map(|arn| describe(context, &fault::rule(context, arn)?)).collect(),
        _ => Err(fault::validation("You must specify either listener rule ARNs or a listener ARN")),
    }
}

fn of_listener(context: &Context<'_>, listener: &Listener) -> Vec<shapes::Rule> {
    let mut rules: Vec<_> = context.estate().listener_rules.values().filter(|r| r.listener == listener.id).collect();
    rules.sort_by_key(|rule| rule.priority);
    let numbered = rules.into_iter().map(|rule| render(context, listener, rule));
    numbered.chain(std::iter::once(render_default(context, listener))).collect()
}

fn describe(context: &Context<'_>, found: &FoundRule) -> Result<shapes::Rule, Fault> {
    match found {
        FoundRule::Default(listener) => Ok(render_default(context, listener)),
        FoundRule::Rule(rule) => {
            let listener = context.estate().listeners.get(&rule.listener);
            listener.map(|l| render(context, l, rule)).ok_or_else(|| fault::rule_not_found(&rule.id.to_string()))
        }
    }
}

pub(super) fn modify(context: &mut Context<'_>, input: shapes::ModifyRuleInput) -> Result<shapes::Rule, Fault> {
    let before = match fault::rule(context, &input.rule_arn)? {
        FoundRule::Rule(rule) => rule,
        FoundRule::Default(_) => {
            return Err(Fault::new(
                "OperationNotPermitted",
                400,
                format!("Default rule '{}' cannot be modified", input.rule_arn),
            ));
        }
    };
    let listener = context.estate().listeners.get(&before.listener).cloned();
    let listener = listener.ok_or_else(|| fault::rule_not_found(&input.rule_arn))?;
    let mut rule = ListenerRule::clone(&before);
    if let Some(conditions) = input.conditions.filter(|list| !list.is_empty()) {
        rule.conditions = condition::parse(conditions)?;
    }
    if let Some(actions) = input.actions.filter(|list| !list.is_empty()) {
        (rule.gate, rule.action, rule.order) = action::parse(context, (actions, before.gate.as_ref()), &listener)?;
        action::check_versions(context, &rule.action, listener.protocol())?;
    }
    match (input.reset_transforms == Some(true), input.transforms.filter(|list| !list.is_empty())) {
        (true, Some(_)) => {
            return Err(fault::validation("You cannot specify both 'Transforms' and 'ResetTransforms'"));
        }
        (true, None) => rule.transforms = Transforms::default(),
        (false, Some(wanted)) => rule.transforms = transform::parse(wanted)?,
        (false, None) => {}
    }
    let shape = render(context, &listener, &rule);
    context.edit().listener_rules.insert(rule.id, rule);
    Ok(shape)
}

pub(super) fn delete(context: &mut Context<'_>, arn: &str) -> Result<(), Fault> {
    match fault::rule(context, arn)? {
        FoundRule::Rule(rule) => {
            context.edit().listener_rules.remove(&rule.id);
            Ok(())
        }
        FoundRule::Default(_) => {
            Err(Fault::new("OperationNotPermitted", 400, format!("Default rule '{arn}' cannot be deleted")))
        }
    }
}

/// Moves several rules at once; swapping two is fine.
pub(super) fn set_priorities(
    context: &mut Context<'_>,
    pairs: Vec<shapes::RulePriorityPair>,
) -> Result<Vec<shapes::Rule>, Fault> {
    let mut wanted: BTreeMap<ListenerRuleId, u32> = BTreeMap::new();
    let mut arns = Vec::new();
    for pair in pairs {
        let arn = pair.rule_arn.ok_or_else(|| fault::validation("A rule ARN must be specified"))?;
        let priority = parse_priority(pair.priority.ok_or_else(|| fault::validation("A priority must be specified"))?)?;
        let FoundRule::Rule(rule) = fault::rule(context, &arn)? else {
            return Err(Fault::new("OperationNotPermitted", 400, "The priority of a default rule cannot be set"));
        };
        if wanted.values().any(|other| *other == priority) {
            return Err(fault::validation(format!("Priority '{priority}' was provided multiple times")));
        }
        wanted.insert(rule.id, priority);
        arns.push(arn);
    }
    refuse_taken(context, &wanted)?;
    for (id, priority) in wanted {
        if let Some(rule) = context.edit().listener_rules.edit(&id) {
            rule.priority = priority;
        }
    }
    arns.iter().map(|arn| describe(context, &fault::rule(context, arn)?)).collect()
}

fn refuse_taken(context: &Context<'_>, wanted: &BTreeMap<ListenerRuleId, u32>) -> Result<(), Fault> {
    let rules = &context.estate().listener_rules;
    for (id, priority) in wanted {
        let listener: Option<ListenerId> = rules.get(id).map(|rule| rule.listener);
        let stays = |rule: &ListenerRule| Some(rule.listener) == listener && !wanted.contains_key(&rule.id);
        if rules.values().any(|rule| stays(rule) && rule.priority == *priority) {
            return Err(in_use(*priority));
        }
    }
    Ok(())
}

fn render(context: &Context<'_>, listener: &Listener, rule: &ListenerRule) -> shapes::Rule {
    shapes::Rule {
        actions: Some(action::render(context, (rule.gate.as_ref(), &rule.action), rule.order)),
        conditions: Some(rule.conditions.iter().map(condition::render).collect()),
        is_default: Some(false),
        priority: Some(rule.priority.to_string()),
        rule_arn: Some(fault::rule_arn(context, listener, rule.id)),
        transforms: Some(transform::render(&rule.transforms)).filter(|list| !list.is_empty()),
    }
}

fn render_default(context: &Context<'_>, listener: &Listener) -> shapes::Rule {
    shapes::Rule {
        actions: Some(action::render(
            context,
            (listener.default_gate(), listener.default_action()),
            listener.default_order,
        )),
        conditions: Some(Vec::new()),
        is_default: Some(true),
        priority: Some("default".to_owned()),
        rule_arn: Some(fault::rule_arn(context, listener, listener.default_rule)),
        transforms: None,
    }
}
