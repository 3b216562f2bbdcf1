//! Usage plans.

use topology::estate::{RealmEstate, StageKey};
use topology::id::UsagePlanId;

/// Takes the stages that are gone out of every plan.
pub(super) fn forget_stages(estate: &mut RealmEstate, gone: impl Fn(&StageKey) -> bool) {
    let holds = |stages: &[(StageKey, _)]| stages.iter().any(|(key, _)| gone(key));
    let plans: Vec<UsagePlanId> =
        estate.usage_plans.values().filter(|plan| holds(&plan.stages)).map(|plan| plan.id).collect();
    for id in plans {
        if let Some(plan) = estate.usage_plans.edit(&id) {
            plan.stages.retain(|(key, _)| !gone(key));
        }
    }
}
