//! What keys used of plans with a quota: counted by traffic, kept here so that a restart forgets none of it. A count changes
//! no snapshot; traffic counts on by itself.

use std::sync::Arc;

use topology::estate::RealmEstate;
use topology::resource::usage_plan::UsageKey;

/// Days of usage that are kept: `GetUsage` answers for the last 90 (API Gateway API reference, 2026-11).
const DAYS_KEPT: u32 = 90;

/// Takes in a day's total. A total that is behind what is known changes nothing, nor does one of a key that left its plan; an
/// untouched draft is left as it is, pointer and all.
pub(crate) fn count(draft: &mut Arc<RealmEstate>, key: &UsageKey, (day, used): (u32, u64)) {
    let known = draft.usage.get(key).and_then(|usage| usage.days.get(&day)).copied().unwrap_or(0);
    if used <= known || !draft.usage_plan_keys.contains(key) {
        return;
    }
    let estate = Arc::make_mut(draft);
    let mut usage = estate.usage.get(key).map(|usage| (**usage).clone()).unwrap_or_default();
    usage.days.insert(day, used);
    usage.days = usage.days.split_off(&day.saturating_sub(DAYS_KEPT));
    estate.usage.insert(*key, usage);
}

#[cfg(test)]
mod tests {
    use topology::id::{ApiKeyId, UsagePlanId};
    use topology::resource::usage_plan::UsagePlanKey;
    use topology::time::Moment;

    use super::*;

    #[test]
    fn totals_grow_and_old_days_go() {
        let key = (UsagePlanId::from_bits(1), ApiKeyId::from_bits(2));
        let mut draft = Arc::new(RealmEstate::default());
        let before = Arc::clone(&draft);
        count(&mut draft, &key, (100, 5));
        assert!(Arc::ptr_eq(&draft, &before), "no such key in the plan");
        let member = UsagePlanKey { plan: key.0, key: key.1, added: Moment(0) };
        Arc::make_mut(&mut draft).usage_plan_keys.insert(key, member);
        for (day, used) in [(100, 5), (100, 3), (189, 1), (191, 2)] {
            count(&mut draft, &key, (day, used));
        }
        let days: Vec<_> = draft.usage.get(&key).unwrap().days.clone().into_iter().collect();
        assert_eq!(days, [(189, 1), (191, 2)]);
    }
}
