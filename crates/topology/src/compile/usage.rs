//! Compiles API keys and usage plans: by a key's value to the key, by the key to its plan on a stage. What keys have used is not
//! here: traffic counts it.

use std::collections::HashMap;

use crate::estate::RealmEstate;
use crate::id::{ApiId, StageName};
use crate::resource::usage_plan::{PlanStage, PlanThrottle};
use crate::snapshot::front::RateLimit;
use crate::snapshot::rest::{Key, KeyState, Member, Method, Plan, Stage, StagePlan, UsagePlans};

/// The plans of a realm; their order is that of the estate.
pub(super) fn compile(estate: &RealmEstate) -> UsagePlans {
    let mut compiled = UsagePlans::default();
    for key in estate.api_keys.values() {
        let state = if key.enabled { KeyState::Enabled } else { KeyState::Disabled };
        compiled.by_value.insert(key.value.clone(), Key { id: key.id, state });
    }
    let mut members: HashMap<_, HashMap<_, Member>> = HashMap::new();
    for member in estate.usage_plan_keys.values() {
        let usage = estate.usage.get(&(member.plan, member.key));
        let member_of = Member { added: member.added, granted: usage.and_then(|usage| usage.granted) };
        members.entry(member.plan).or_default().insert(member.key, member_of);
    }
    for plan in estate.usage_plans.values() {
        compiled.plans.push(Plan {
            id: plan.id,
            name: plan.name.clone(),
            throttle: plan.throttle.as_ref().map(limit),
            quota: plan.quota,
            members: members.remove(&plan.id).unwrap_or_default(),
        });
    }
    compiled
}

/// Notes on a stage which plans are for it, and which keys are in them.
pub(super) fn enter(
    stage: &mut Stage,
    (api, name): (ApiId, &StageName),
    methods: &[Method],
    (estate, plans): (&RealmEstate, &UsagePlans),
) {
    for ((at, resource), plan) in (0u32..).zip(estate.usage_plans.values()).zip(&plans.plans) {
        let here = resource.stages.iter().find(|((of, stage), _)| *of == api && stage == name);
        let Some((_, here)) = here else { continue };
        let place = u32::try_from(stage.plans.len()).unwrap_or(u32::MAX);
        stage.plans.push(StagePlan { plan: at, limits: limits(here, methods) });
        stage.plan_of_key.extend(plan.members.keys().map(|key| (*key, place)));
    }
}

fn limits(plan: &PlanStage, methods: &[Method]) -> Vec<Option<RateLimit>> {
    if plan.throttle.is_empty() {
        return Vec::new();
    }
    let of = |method: &Method| plan.throttle.get(&format!("{}/{}", method.path, method.at.method)).map(limit);
    methods.iter().map(of).collect()
}

fn limit(throttle: &PlanThrottle) -> RateLimit {
    RateLimit::new(throttle.rate, u64::try_from(throttle.burst).unwrap_or(0))
}
