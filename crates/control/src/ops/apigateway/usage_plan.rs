//! Usage plans: which stages their keys may call, how fast and how often (REST API reference, "UsagePlan", 2026-11). The paths of
//! a patch are `usage_plan_patch`'s, the keys `usage_plan_key`'s.

use std::collections::BTreeMap;

use topology::estate::{RealmEstate, StageKey};
use topology::id::UsagePlanId;
use topology::resource::usage_plan::{PlanStage, PlanThrottle, Quota, QuotaPeriod, UsagePlan};
use wire::Fault;
use wire::apigateway as shapes;

use super::integration::written;
use super::usage_plan_patch::{self, Wanted};
use super::{fault, known_api, usage_plan_key};
use crate::context::Context;
use crate::ops::gateway_common::tags;

/// Plans of an account: 300 by AWS's default quota (REST API quotas, 2026-11).
const PLANS_MAX: usize = 300;
/// Methods of a stage of a plan that have limits of their own (REST API developer guide, "Usage plans", 2026-11).
const METHODS_MAX: usize = 20;

pub(super) const PERIODS: [(&str, QuotaPeriod); 3] =
    [("DAY", QuotaPeriod::Day), ("WEEK", QuotaPeriod::Week), ("MONTH", QuotaPeriod::Month)];

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateUsagePlanRequest,
) -> Result<shapes::UsagePlan, Fault> {
    if context.settings.quotas && context.estate().usage_plans.len() >= PLANS_MAX {
        return Err(fault::too_many("Maximum number of usage plans has been reached"));
    }
    let throttle = input.throttle.map(|throttle| plan_throttle(&throttle)).transpose()?;
    let mut stages = Vec::new();
    for stage in input.api_stages.unwrap_or_default() {
        stages.push(plan_stage(context, stage)?);
    }
    let plan = UsagePlan {
        id: context.fresh(UsagePlanId::from_bits, |estate, id| estate.usage_plans.contains(id)),
        name: checked_name(input.name)?,
        description: input.description.filter(|text| !text.is_empty()),
        stages,
        throttle,
        quota: input
            .quota
            .map(|quota| checked_quota(quota.limit, quota.offset, quota.period.as_deref()))
            .transpose()?,
        product_code: None,
        tags: tags::checked(input.tags.unwrap_or_default())?,
    };
    keep(context, plan)
}

/// Puts a plan where it belongs, once it is whole.
fn keep(context: &mut Context<'_>, plan: UsagePlan) -> Result<shapes::UsagePlan, Fault> {
    for (at, (key, stage)) in plan.stages.iter().enumerate() {
        if plan.stages.iter().take(at).any(|(other, _)| other == key) {
            let (api, name) = key;
            return Err(fault::conflict(format!("API Stage {api}:{name} is already in the usage plan")));
        }
        if stage.throttle.len() > METHODS_MAX {
            return Err(fault::bad_request(format!(
                "A stage of a usage plan can have limits for {METHODS_MAX} methods"
            )));
        }
    }
    let shown = render(&plan);
    context.edit().usage_plans.insert(plan.id, plan);
    Ok(shown)
}

pub(super) fn checked_name(name: String) -> Result<String, Fault> {
    let blank = || fault::bad_request("Usage Plan name must be non-empty");
    if name.trim().is_empty() { Err(blank()) } else { Ok(name) }
}

fn plan_stage(context: &Context<'_>, stage: shapes::ApiStage) -> Result<(StageKey, PlanStage), Fault> {
    let no_stage = || fault::bad_request("Invalid API Stage specified");
    let api = known_api(context, &stage.api_id.unwrap_or_default())?;
    let key = (api, stage.stage.unwrap_or_default().parse().map_err(|_| no_stage())?);
    if !context.estate().rest_stages.contains(&key) {
        return Err(no_stage());
    }
    let mut throttle = BTreeMap::new();
    for (method, limits) in stage.throttle.unwrap_or_default() {
        throttle.insert(checked_method(&method)?, plan_throttle(&limits)?);
    }
    Ok((key, PlanStage { throttle }))
}

/// `/{resource/path}/{METHOD}`
pub(super) fn checked_method(text: &str) -> Result<String, Fault> {
    let named = text
        .rsplit_once('/')
        .filter(|_| text.starts_with('/'))
        .is_some_and(|(_, method)| method == "*" || method.parse::<topology::resource::rest_api::MethodName>().is_ok());
    let invalid = || fault::bad_request(format!("Invalid throttle path specified: {text}. Must be /RESOURCE/METHOD"));
    if named { Ok(text.to_owned()) } else { Err(invalid()) }
}

fn plan_throttle(limits: &shapes::ThrottleSettings) -> Result<PlanThrottle, Fault> {
    checked_throttle(PlanThrottle {
        rate: limits.rate_limit.unwrap_or_default(),
        burst: limits.burst_limit.unwrap_or_default(),
    })
}

pub(super) fn checked_throttle(limits: PlanThrottle) -> Result<PlanThrottle, Fault> {
    let fits = limits.rate.is_finite() && limits.rate >= 0.0 && (0..=i64::from(i32::MAX)).contains(&limits.burst);
    let invalid = || fault::bad_request("Usage Plan throttle limits must not be negative");
    if fits { Ok(limits) } else { Err(invalid()) }
}

/// A quota of which every part is said; the offset may be left out.
pub(super) fn checked_quota(limit: Option<i64>, offset: Option<i64>, period: Option<&str>) -> Result<Quota, Fault> {
    let limit = limit.and_then(|limit| u64::try_from(limit).ok()).filter(|limit| *limit > 0);
    let limit = limit.ok_or_else(|| fault::bad_request("Usage Plan quota limit must be greater than 0"))?;
    let period = PERIODS.iter().find(|(text, _)| Some(*text) == period).map(|(_, period)| *period);
    let period = period.ok_or_else(|| fault::bad_request("Usage Plan quota period must be one of DAY, WEEK, MONTH"))?;
    let offset = u64::try_from(offset.unwrap_or(0)).ok().filter(|offset| *offset <= limit);
    let text = "Usage Plan quota offset must be between 0 and the quota limit";
    Ok(Quota { limit, offset: offset.ok_or_else(|| fault::bad_request(text))?, period })
}

/// A plan that exists.
pub(super) fn known<'c>(context: &'c Context<'_>, id: &str) -> Result<&'c UsagePlan, Fault> {
    let found = id.parse().ok().and_then(|id| context.estate().usage_plans.get(&id));
    found.map(|plan| &**plan).ok_or_else(|| fault::not_found("Invalid Usage Plan ID specified"))
}

pub(super) fn get(context: &Context<'_>, id: &str) -> Result<shapes::UsagePlan, Fault> {
    known(context, id).map(render)
}

/// Every plan, or those that a key is in.
pub(super) fn list(context: &Context<'_>, key: Option<&str>) -> Vec<shapes::UsagePlan> {
    let estate = context.estate();
    let has_key = |plan: UsagePlanId| {
        let key = key.map(|key| key.parse().ok());
        key.is_none_or(|key| key.is_some_and(|key| estate.usage_plan_keys.contains(&(plan, key))))
    };
    estate.usage_plans.values().filter(|plan| has_key(plan.id)).map(|plan| render(plan)).collect()
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateUsagePlanRequest,
) -> Result<shapes::UsagePlan, Fault> {
    let mut draft = Wanted::of(known(context, &input.usage_plan_id)?);
    usage_plan_patch::PATHS.apply(context, &mut draft, input.patch_operations)?;
    let plan = draft.checked()?;
    let id = plan.id;
    let shown = keep(context, plan)?;
    usage_plan_key::check_disjoint(context, id)?;
    Ok(shown)
}

/// Deletes a plan that no stage is in, as clients take the stages out first; its keys leave it.
pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let plan = known(context, id)?;
    if !plan.stages.is_empty() {
        return Err(fault::bad_request(format!(
            "Usage Plan {id} cannot be deleted because it is still associated with API Stages"
        )));
    }
    let id = plan.id;
    context.edit().usage_plans.remove(&id);
    usage_plan_key::forget(context.edit(), |(plan, _)| *plan == id);
    Ok(())
}

/// Takes the stages that are gone out of every plan.
pub(super) fn forget_stages(estate: &mut RealmEstate, gone: &impl Fn(&StageKey) -> bool) {
    let holds = |stages: &[(StageKey, PlanStage)]| stages.iter().any(|(key, _)| gone(key));
    let plans: Vec<UsagePlanId> =
        estate.usage_plans.values().filter(|plan| holds(&plan.stages)).map(|plan| plan.id).collect();
    for id in plans {
        if let Some(plan) = estate.usage_plans.edit(&id) {
            plan.stages.retain(|(key, _)| !gone(key));
        }
    }
}

fn render_throttle(limits: &PlanThrottle) -> shapes::ThrottleSettings {
    shapes::ThrottleSettings { burst_limit: Some(limits.burst), rate_limit: Some(limits.rate) }
}

fn render(plan: &UsagePlan) -> shapes::UsagePlan {
    let stages = plan.stages.iter().map(|((api, name), stage)| {
        let limits = stage.throttle.iter().map(|(method, limits)| (method.clone(), render_throttle(limits)));
        let limits: BTreeMap<_, _> = limits.collect();
        shapes::ApiStage {
            api_id: Some(api.to_string()),
            stage: Some(name.to_string()),
            throttle: Some(limits).filter(|limits| !limits.is_empty()),
        }
    });
    let number = |number: u64| i64::try_from(number).ok();
    shapes::UsagePlan {
        api_stages: Some(stages.collect()),
        description: plan.description.clone(),
        id: Some(plan.id.to_string()),
        name: Some(plan.name.clone()),
        product_code: plan.product_code.clone(),
        quota: plan.quota.map(|quota| shapes::QuotaSettings {
            limit: number(quota.limit),
            offset: number(quota.offset),
            period: written(&PERIODS, &quota.period),
        }),
        tags: Some(plan.tags.clone()).filter(|tags| !tags.is_empty()),
        throttle: plan.throttle.as_ref().map(render_throttle),
    }
}
