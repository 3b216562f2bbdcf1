//! Which API keys are in which usage plans (REST API reference, "UsagePlanKey", 2026-11). A key may be in several plans, but in
//! one only for each stage, so that its limits are never in doubt.

use topology::estate::RealmEstate;
use topology::id::{ApiKeyId, UsagePlanId};
use topology::resource::usage_plan::{ApiKey, UsageKey, UsagePlanKey};
use wire::Fault;
use wire::apigateway as shapes;

use super::{api_key, fault, usage_plan};
use crate::context::Context;

/// Plans that a key may be in: 10 by AWS's default quota (REST API quotas, 2026-11).
const PLANS_OF_KEY_MAX: usize = 10;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateUsagePlanKeyRequest,
) -> Result<shapes::UsagePlanKey, Fault> {
    if input.key_type != "API_KEY" {
        return Err(fault::bad_request(format!("Invalid key type: {}. Must be API_KEY", input.key_type)));
    }
    add(context, &input.usage_plan_id, &input.key_id)?;
    api_key::known(context, &input.key_id).map(render)
}

/// Puts a key into a plan.
pub(super) fn add(context: &mut Context<'_>, plan: &str, key: &str) -> Result<(), Fault> {
    let plan = usage_plan::known(context, plan)?.id;
    let key = api_key::known(context, key)?.id;
    let of_key = context.estate().usage_plan_keys.values().filter(|member| member.key == key).count();
    if context.estate().usage_plan_keys.contains(&(plan, key)) {
        return Err(fault::conflict(format!("Usage Plan {plan} already has the API Key {key}")));
    }
    if context.settings.quotas && of_key >= PLANS_OF_KEY_MAX {
        return Err(fault::too_many("Maximum number of usage plans for this API key has been reached"));
    }
    let added = context.now;
    context.edit().usage_plan_keys.insert((plan, key), UsagePlanKey { plan, key, added });
    check_disjoint(context, plan)
}

/// Refuses a plan that shares a stage and a key with another.
pub(super) fn check_disjoint(context: &Context<'_>, plan: UsagePlanId) -> Result<(), Fault> {
    let estate = context.estate();
    let Some(plan) = estate.usage_plans.get(&plan) else { return Ok(()) };
    let keys: Vec<ApiKeyId> =
        estate.usage_plan_keys.values().filter(|member| member.plan == plan.id).map(|member| member.key).collect();
    let of_plan = |stage: &topology::estate::StageKey| plan.stages.iter().any(|(key, _)| key == stage);
    for member in estate.usage_plan_keys.values().filter(|member| member.plan != plan.id) {
        let other = estate.usage_plans.get(&member.plan);
        let shared = other.and_then(|other| other.stages.iter().map(|(key, _)| key).find(|stage| of_plan(stage)));
        if let Some((api, stage)) = shared.filter(|_| keys.contains(&member.key)) {
            return Err(fault::conflict(format!(
                "API Key {} is already in Usage Plan {} with the same API Stage {api}:{stage}",
                member.key, member.plan
            )));
        }
    }
    Ok(())
}

fn known<'c>(context: &'c Context<'_>, plan: &str, key: &str) -> Result<(UsageKey, &'c ApiKey), Fault> {
    let plan = usage_plan::known(context, plan)?.id;
    let key = api_key::known(context, key)?;
    let at = (plan, key.id);
    let missing = || fault::not_found("Invalid API Key identifier specified");
    if context.estate().usage_plan_keys.contains(&at) { Ok((at, key)) } else { Err(missing()) }
}

pub(super) fn get(context: &Context<'_>, plan: &str, key: &str) -> Result<shapes::UsagePlanKey, Fault> {
    known(context, plan, key).map(|(_, key)| render(key))
}

/// The keys of a plan whose name begins so.
pub(super) fn list(context: &Context<'_>, plan: &str, name: Option<&str>) -> Result<Vec<shapes::UsagePlanKey>, Fault> {
    // A plan that is not there has no keys (recorded, 2026-03).
    let Ok(plan) = usage_plan::known(context, plan).map(|plan| plan.id) else { return Ok(Vec::new()) };
    let estate = context.estate();
    let members = estate.usage_plan_keys.values().filter(|member| member.plan == plan);
    let keys = members.filter_map(|member| estate.api_keys.get(&member.key));
    Ok(keys.filter(|key| api_key::has_name(key, name)).map(|key| render(key)).collect())
}

pub(super) fn delete(context: &mut Context<'_>, plan: &str, key: &str) -> Result<(), Fault> {
    let (at, _) = known(context, plan, key)?;
    forget(context.edit(), |member| *member == at);
    Ok(())
}

/// Takes keys out of plans, with what they used.
pub(super) fn forget(estate: &mut RealmEstate, gone: impl Fn(&UsageKey) -> bool) {
    let members: Vec<UsageKey> = estate.usage_plan_keys.iter().map(|(key, _)| *key).filter(|key| gone(key)).collect();
    for key in members {
        estate.usage_plan_keys.remove(&key);
        estate.usage.remove(&key);
    }
}

/// AWS answers the value with each membership.
fn render(key: &ApiKey) -> shapes::UsagePlanKey {
    shapes::UsagePlanKey {
        id: Some(key.id.to_string()),
        name: key.name.clone(),
        type_: Some("API_KEY".to_owned()),
        value: Some(key.value.clone()),
    }
}
