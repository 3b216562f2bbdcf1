//! Routing rules of custom domain names (API Gateway developer guide, "Routing rules", 2026-11). On AWS a rule leads to a stage of a
//! REST API and to nothing else. There are no REST APIs here, so that the API of a rule cannot be looked up: its id is kept,
//! and traffic that a rule catches says what is missing.

use topology::estate::StageKey;
use topology::id::{ApiId, RoutingRuleId};
use topology::resource::domain::{RoutingCondition, RoutingRule};
use wire::Fault;
use wire::apigatewayv2 as shapes;

use super::{domain, fault};
use crate::context::Context;

/// Rules of a domain name: 50. REST API quotas (2026-11).
const RULES_MAX: usize = 50;
/// Conditions of each kind in one rule.
const HEADER_CONDITIONS_MAX: usize = 2;
const BASE_PATH_CONDITIONS_MAX: usize = 1;

/// What a rule is to be.
pub(super) struct Wanted {
    pub(super) domain: String,
    pub(super) priority: i64,
    pub(super) conditions: Vec<shapes::RoutingRuleCondition>,
    pub(super) actions: Vec<shapes::RoutingRuleAction>,
}

pub(super) fn create(context: &mut Context<'_>, wanted: Wanted) -> Result<shapes::RoutingRule, Fault> {
    let id = context.fresh(RoutingRuleId::from_bits, |estate, id| estate.routing_rules.contains(id));
    let rule = checked(context, id, wanted)?;
    let held = context.estate().routing_rules.values().filter(|held| held.domain_name == rule.domain_name).count();
    if held >= RULES_MAX {
        return Err(fault::bad_request(format!("A domain name can have at most {RULES_MAX} routing rules")));
    }
    put(context, rule)
}

pub(super) fn replace(context: &mut Context<'_>, id: &str, wanted: Wanted) -> Result<shapes::RoutingRule, Fault> {
    let id = known(context, &wanted.domain, id)?.id;
    let rule = checked(context, id, wanted)?;
    put(context, rule)
}

fn checked(context: &Context<'_>, id: RoutingRuleId, wanted: Wanted) -> Result<RoutingRule, Fault> {
    let domain_name = domain::known(context, &wanted.domain)?.name.clone();
    let [action] = <[_; 1]>::try_from(wanted.actions)
        .map_err(|_| fault::bad_request("A routing rule must have exactly one action"))?;
    let invoke = action.invoke_api;
    let (api, stage) = invoked(context, &invoke.api_id, &invoke.stage)?;
    let priority = u32::try_from(wanted.priority).map_err(|_| fault::bad_request("Invalid priority"))?;
    Ok(RoutingRule {
        id,
        domain_name,
        priority,
        conditions: conditions(wanted.conditions)?,
        api,
        stage,
        strip_base_path: invoke.strip_base_path.unwrap_or(false),
    })
}

/// The REST API whose stage a rule invokes.
fn invoked(context: &Context<'_>, api: &str, stage: &str) -> Result<StageKey, Fault> {
    let id: ApiId = api.parse().map_err(|_| fault::not_found("API", api))?;
    let estate = context.estate();
    if estate.apis.contains(&id) {
        return Err(fault::bad_request("Routing rules can only invoke stages of REST APIs"));
    }
    if !estate.rest_apis.contains(&id) {
        return Err(fault::not_found("API", api));
    }
    let key = stage.parse().ok().map(|name| (id, name)).filter(|key| estate.rest_stages.contains(key));
    key.ok_or_else(|| fault::not_found("stage", stage))
}

fn conditions(wanted: Vec<shapes::RoutingRuleCondition>) -> Result<Vec<RoutingCondition>, Fault> {
    let mut parsed = Vec::new();
    for condition in wanted {
        parsed.push(match (condition.match_headers, condition.match_base_paths) {
            (Some(headers), None) => RoutingCondition::Headers(
                headers.any_of.into_iter().map(|one| header(one.header, one.value_glob)).collect::<Result<_, _>>()?,
            ),
            (None, Some(paths)) => {
                RoutingCondition::BasePaths(paths.any_of.into_iter().map(base_path).collect::<Result<_, _>>()?)
            }
            _ => return Err(fault::bad_request("A condition must have either matchHeaders or matchBasePaths")),
        });
    }
    let headers = parsed.iter().filter(|one| matches!(one, RoutingCondition::Headers(_))).count();
    if headers > HEADER_CONDITIONS_MAX || parsed.len() - headers > BASE_PATH_CONDITIONS_MAX {
        let text = format!(
            "A routing rule can have at most {HEADER_CONDITIONS_MAX} matchHeaders and {BASE_PATH_CONDITIONS_MAX} matchBasePaths conditions"
        );
        return Err(fault::bad_request(text));
    }
    let is_empty = |condition: &RoutingCondition| match condition {
        RoutingCondition::Headers(any_of) => any_of.is_empty(),
        RoutingCondition::BasePaths(any_of) => any_of.is_empty(),
    };
    if parsed.iter().any(is_empty) {
        return Err(fault::bad_request("A condition must have at least one value"));
    }
    Ok(parsed)
}

/// `*` may stand at the beginning, at the end, or at both.
fn header(name: String, glob: String) -> Result<(String, String), Fault> {
    let inner = glob.strip_prefix('*').unwrap_or(&glob);
    let inner = inner.strip_suffix('*').unwrap_or(inner);
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(is_token) || glob.is_empty() || inner.contains('*') {
        return Err(fault::bad_request(format!("Invalid header condition: {name}: {glob}")));
    }
    Ok((name, glob))
}

fn base_path(path: String) -> Result<String, Fault> {
    if path.is_empty() || path.split('/').any(str::is_empty) {
        return Err(fault::bad_request(format!("Invalid base path: {path}")));
    }
    Ok(path)
}

fn put(context: &mut Context<'_>, rule: RoutingRule) -> Result<shapes::RoutingRule, Fault> {
    let same = |held: &RoutingRule| {
        held.domain_name == rule.domain_name && held.priority == rule.priority && held.id != rule.id
    };
    if context.estate().routing_rules.values().any(|held| same(held)) {
        return Err(fault::conflict(format!("A routing rule with priority {} already exists", rule.priority)));
    }
    let shape = render(context, &rule);
    context.edit().routing_rules.insert(rule.id, rule);
    Ok(shape)
}

fn known(context: &Context<'_>, domain: &str, id: &str) -> Result<RoutingRule, Fault> {
    let rule = id.parse().ok().and_then(|id| context.estate().routing_rules.get(&id));
    let rule = rule.filter(|rule| rule.domain_name.as_str().eq_ignore_ascii_case(domain));
    rule.map(|rule| RoutingRule::clone(rule)).ok_or_else(|| fault::not_found("routing rule", id))
}

pub(super) fn get(context: &Context<'_>, domain: &str, id: &str) -> Result<shapes::RoutingRule, Fault> {
    known(context, domain, id).map(|rule| render(context, &rule))
}

pub(super) fn list(context: &Context<'_>, domain: &str) -> Result<Vec<shapes::RoutingRule>, Fault> {
    let name = &domain::known(context, domain)?.name;
    let mut rules: Vec<_> = context.estate().routing_rules.values().filter(|rule| rule.domain_name == *name).collect();
    rules.sort_by_key(|rule| rule.priority);
    Ok(rules.into_iter().map(|rule| render(context, rule)).collect())
}

pub(super) fn delete(context: &mut Context<'_>, domain: &str, id: &str) -> Result<(), Fault> {
    let rule = known(context, domain, id)?;
    context.edit().routing_rules.remove(&rule.id);
    Ok(())
}

fn render(context: &Context<'_>, rule: &RoutingRule) -> shapes::RoutingRule {
    let (region, account) = (context.region(), context.account());
    let arn =
        format!("arn:aws:apigateway:{region}:{account}:/domainnames/{}/routingrules/{}", rule.domain_name, rule.id);
    let invoke_api = shapes::RoutingRuleActionInvokeApi {
        api_id: rule.api.to_string(),
        stage: rule.stage.to_string(),
        strip_base_path: Some(rule.strip_base_path),
    };
    shapes::RoutingRule {
        actions: Some(vec![shapes::RoutingRuleAction { invoke_api }]),
        conditions: Some(rule.conditions.iter().map(render_condition).collect()),
        priority: Some(i64::from(rule.priority)),
        routing_rule_arn: Some(arn),
        routing_rule_id: Some(rule.id.to_string()),
    }
}

fn render_condition(condition: &RoutingCondition) -> shapes::RoutingRuleCondition {
    let mut shape = shapes::RoutingRuleCondition { match_base_paths: None, match_headers: None };
    match condition {
        RoutingCondition::Headers(any_of) => {
            let value = |(header, glob): &(String, String)| shapes::RoutingRuleMatchHeaderValue {
                header: header.clone(),
                value_glob: glob.clone(),
            };
            shape.match_headers = Some(shapes::RoutingRuleMatchHeaders { any_of: any_of.iter().map(value).collect() });
        }
        RoutingCondition::BasePaths(any_of) => {
            shape.match_base_paths = Some(shapes::RoutingRuleMatchBasePaths { any_of: any_of.clone() });
        }
    }
    shape
}
