//! What keys used of plans with a quota, day by day, and what is left (REST API reference, "Usage", 2026-11). Counts come from
//! traffic; nothing is counted here.

use std::collections::BTreeMap;

use topology::id::{ApiKeyId, UsagePlanId};
use topology::quota::{self, Date};
use topology::resource::usage_plan::{Quota, Usage, UsagePlanKey};
use wire::Fault;
use wire::apigateway as shapes;

use super::patch::{REPLACE, Rule, Sentence, Table};
use super::{fault, page, usage_plan};
use crate::context::Context;

/// Days that one request may ask for (REST API reference, 2026-11).
const DAYS_MAX: u32 = 90;

pub(super) fn get(context: &Context<'_>, input: &shapes::GetUsageRequest) -> Result<shapes::Usage, Fault> {
    let plan = usage_plan::known(context, &input.usage_plan_id)?;
    let (first, last) = (day(&input.start_date)?, day(&input.end_date)?);
    if first > last {
        return Err(fault::bad_request("Usage start date must be before or equal to the end date"));
    }
    if last - first >= DAYS_MAX {
        return Err(fault::bad_request(format!("Usage can be asked for at most {DAYS_MAX} days")));
    }
    let wanted = input.key_id.as_deref().map(|key| key.parse::<ApiKeyId>().ok());
    let members = context.estate().usage_plan_keys.values().filter(|member| member.plan == plan.id);
    let asked = members.filter(|member| wanted.is_none_or(|key| key == Some(member.key)));
    // A plan without a quota counts nothing.
    let counted: Vec<&UsagePlanKey> = asked.filter(|_| plan.quota.is_some()).map(|member| &**member).collect();
    let (members, position) = page(counted, input.limit, input.position.as_deref())?;
    let items = plan.quota.map(|quota| {
        members
            .into_iter()
            .map(|member| (member.key.to_string(), days(context, &quota, (member, first, last))))
            .collect()
    });
    Ok(shapes::Usage { items: Some(items.unwrap_or_default()), position, ..frame(plan.id, (first, last)) })
}

fn day(text: &str) -> Result<u32, Fault> {
    let day = text.parse().ok().and_then(Date::to_day);
    day.ok_or_else(|| fault::bad_request(format!("Invalid date specified: {text}. Must be YYYY-MM-DD")))
}

fn frame(plan: UsagePlanId, (first, last): (u32, u32)) -> shapes::Usage {
    shapes::Usage {
        usage_plan_id: Some(plan.to_string()),
        start_date: Some(Date::of_day(first).to_string()),
        end_date: Some(Date::of_day(last).to_string()),
        ..Default::default()
    }
}

/// Used and left on each day from the first to the last.
fn days(context: &Context<'_>, quota: &Quota, of: (&UsagePlanKey, u32, u32)) -> Vec<Vec<i64>> {
    let (member, first, last) = of;
    let none = Usage::default();
    let usage = context.estate().usage.get(&(member.plan, member.key)).map_or(&none, |usage| usage);
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let on = |day: u32| {
        let used = usage.days.get(&day).copied().unwrap_or(0);
        vec![number(used), number(quota.remaining(usage, member.added, day))]
    };
    (first..=last).map(on).collect()
}

/// What a patch makes of the quota that is left.
struct Wanted {
    remaining: Option<i64>,
}

const PATHS: Table<Wanted> = Table {
    rules: &[Rule::new("/remaining", REPLACE, |_, draft, change| {
        draft.remaining = Some(change.parsed().ok().filter(|left| *left >= 0).ok_or_else(|| change.invalid())?);
        Ok(())
    })],
    sentence: Sentence::Listed,
};

/// Gives a key more of its quota, or less, in the period that runs now.
pub(super) fn update(context: &mut Context<'_>, input: shapes::UpdateUsageRequest) -> Result<shapes::Usage, Fault> {
    let plan = usage_plan::known(context, &input.usage_plan_id)?;
    let missing = || fault::not_found("Invalid API Key identifier specified");
    let key = input.key_id.parse().map_err(|_| missing())?;
    let member = context.estate().usage_plan_keys.get(&(plan.id, key)).cloned().ok_or_else(missing)?;
    let quota = plan.quota.ok_or_else(|| fault::bad_request(format!("Usage Plan {} has no quota", plan.id)))?;
    let mut draft = Wanted { remaining: None };
    PATHS.apply(context, &mut draft, input.patch_operations)?;
    let (at, today) = ((plan.id, key), quota::day(context.now));
    let mut usage = context.estate().usage.get(&at).map(|usage| Usage::clone(usage)).unwrap_or_default();
    if let Some(wanted) = draft.remaining {
        grant(&mut usage, &quota, (&member, today, wanted));
        context.edit().usage.insert(at, usage);
    }
    let items = BTreeMap::from([(key.to_string(), days(context, &quota, (&member, today, today)))]);
    Ok(shapes::Usage { items: Some(items), ..frame(at.0, (today, today)) })
}

/// Changes what was granted, so that `wanted` requests are left today.
fn grant(usage: &mut Usage, quota: &Quota, to: (&UsagePlanKey, u32, i64)) {
    let (member, today, wanted) = to;
    let first = quota.period.first_day(today);
    usage.granted = None;
    let used: u64 = usage.days.range(first..=today).map(|(_, used)| *used).sum();
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let without = number(quota.allowance(usage, member.added, today)).saturating_sub(number(used));
    usage.granted = Some((first, wanted.saturating_sub(without)));
}

#[cfg(test)]
mod tests {
    use topology::id::ApiKeyId;
    use topology::resource::usage_plan::QuotaPeriod;
    use topology::time::Moment;

    use super::*;

    #[test]
    fn a_grant_leaves_what_is_wanted_whatever_was_used() {
        let quota = Quota { limit: 10, offset: 3, period: QuotaPeriod::Day };
        let (plan, key) = (UsagePlanId::from_bits(1), ApiKeyId::from_bits(1));
        let member = UsagePlanKey { plan, key, added: Moment(0) };
        for (used, wanted) in [(0, 0), (0, 100), (7, 5), (20, 5), (20, 0)] {
            let mut usage = Usage { days: BTreeMap::from([(0, used)]), granted: Some((0, 7)) };
            grant(&mut usage, &quota, (&member, 0, wanted));
            assert_eq!(i64::try_from(quota.remaining(&usage, member.added, 0)), Ok(wanted), "{used}");
        }
    }
}
