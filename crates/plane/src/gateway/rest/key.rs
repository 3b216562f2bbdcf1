//! API keys and usage plans: is the key one of a plan of this stage, is its quota left, is it within the plan's rate limits
//! (API Gateway developer guide, "Usage plans and API keys for REST APIs", 2026-11). Only methods that need a key are asked.
//!
//! A request counts against the quota once it is within the plan's limits, whatever becomes of it afterwards.

use std::sync::Arc;

use topology::reason::Reason;
use topology::resource::rest_api::ApiKeySource;
use topology::snapshot::front::RateLimit;
use topology::snapshot::rest::{Key, KeyState, Plan, StagePlan};
use topology::trace::{HopId, HopKind};

use super::authorize::Authorized;
use crate::bucket;
use crate::clock;
use crate::gateway::context::Context;
use crate::gateway::find::{Aim, MethodAim};
use crate::gateway::refusal::Refusal;
use crate::shared::Shared;
use crate::trace::Recording;
use crate::usage::{Account, BucketKey, Exhausted};

/// A request whose key, if it needs one, opens the stage. Only [`check`] makes one.
pub(in crate::gateway) struct Keyed<'w> {
    aim: MethodAim<'w>,
}

impl<'w> Keyed<'w> {
    /// Where it leads.
    pub(in crate::gateway) const fn aim(&self) -> &MethodAim<'w> {
        &self.aim
    }
}

/// Asks for the key, the quota and the plan's limits.
pub(super) async fn check<'w>(
    shared: &Arc<Shared>,
    authorized: Authorized<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Keyed<'w>, Refusal> {
    let aim = *authorized.aim();
    let leads = &aim.leads;
    let asks = aim.method.source().is_some_and(|method| method.api_key_required);
    say_asked(leads, asks, context);
    if !asks {
        say_checked(leads, context);
        return Ok(Keyed { aim });
    }
    let (key, plan, on_stage) = find(leads, context, recording)?;
    let member = plan.members.get(&key.id).copied();
    let realm = &leads.site.realm.snapshot.realm;
    let account =
        plan.quota.zip(member).map(|(quota, member)| Account { realm, key: (plan.id, key.id), quota, member });
    let now = clock::moment(shared.identity.now());
    if let Some(account) = &account
        && shared.usage.remaining(account, now) == 0
    {
        return Err(exhausted(account, recording));
    }
    limits(shared, (leads, key), (plan, on_stage), recording)?;
    if let Some(account) = &account {
        match shared.usage.count(shared.config.usage.as_ref(), account, now).await {
            Ok(()) => {}
            // Another request took the last one meanwhile.
            Err(Exhausted) => return Err(exhausted(account, recording)),
        }
        recording.read_clock();
        recording.pass(HopKind::Quota, HopId::UsagePlan(plan.id));
    }
    say_checked(leads, context);
    Ok(Keyed { aim })
}

/// What the execution log says before a key is looked for.
fn say_asked(aim: &Aim<'_>, asks: bool, context: &mut Context<'_>) {
    let (api, stage) = (aim.site.api.id, &aim.site.stage.name);
    let (id, method) = (context.request_id, &context.method);
    let Some(rest) = context.rest.as_mut().filter(|rest| rest.log.is_some()) else { return };
    rest.say(&format!("Verifying Usage Plan for request: {}. API Key:  API Stage: {api}/{stage}", id.uuid()));
    if !asks {
        let path = rest.method.map_or("", |method| method.path.as_str());
        let why = format!("method '{method} {path}' does not require API Key");
        rest.say(&format!(
            "API Key  authorized because {why}. Request will not contribute to throttle or quota limits"
        ));
    }
}

fn say_checked(aim: &Aim<'_>, context: &mut Context<'_>) {
    let (api, stage) = (aim.site.api.id, &aim.site.stage.name);
    if let Some(rest) = &mut context.rest {
        rest.say(&format!("Usage Plan check succeeded for API Key  and API Stage {api}/{stage}"));
    }
}

fn exhausted(account: &Account<'_>, recording: &mut Recording) -> Refusal {
    recording.stop(HopKind::Quota, HopId::UsagePlan(account.key.0), Reason::QuotaExceeded);
    let period = match account.quota.period {
        topology::resource::usage_plan::QuotaPeriod::Day => "day",
        topology::resource::usage_plan::QuotaPeriod::Week => "week",
        topology::resource::usage_plan::QuotaPeriod::Month => "month",
    };
    recording.detail(&format!("key {}: {} requests a {period}", account.key.1, account.quota.limit));
    Refusal::QuotaExceeded
}

/// The key, its plan, and the plan on this stage.
fn find<'w>(
    aim: &Aim<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<(Key, &'w Plan, &'w StagePlan), Refusal> {
    let refuse = |recording: &mut Recording, id: HopId, reason, why: &str| {
        recording.stop(HopKind::ApiKey, id, reason);
        if !why.is_empty() {
            recording.detail(why);
        }
        Refusal::KeyRefused(reason)
    };
    let method = aim.route.id.hop();
    let Some(rest) = context.rest.as_mut() else { return Err(Refusal::NoIntegration) };
    let value = match rest.deployment.source.frozen.api_key_source {
        ApiKeySource::Header => rest.header("x-api-key").filter(|value| !value.is_empty()).map(str::to_owned),
        ApiKeySource::Authorizer => None,
    };
    let Some(value) = value else {
        let why = match rest.deployment.source.frozen.api_key_source {
            ApiKeySource::Header => "",
            ApiKeySource::Authorizer => "apiKeySource is AUTHORIZER: only a Lambda authorizer could give one",
        };
        return Err(refuse(recording, method, Reason::ApiKeyMissing, why));
    };
    rest.key_value = Some(value.clone());
    let usage = &aim.site.realm.snapshot.gateway.usage;
    let Some(key) = usage.key(&value) else {
        return Err(refuse(recording, method, Reason::ApiKeyInvalid, "no API key has this value"));
    };
    rest.key = Some(key.id);
    let id = HopId::ApiKey(key.id);
    if key.state == KeyState::Disabled {
        return Err(refuse(recording, id, Reason::ApiKeyInvalid, "the key is disabled"));
    }
    let on_stage = rest.stage.plan_of_key.get(&key.id).and_then(|at| rest.stage.plans.get(*at as usize));
    let found = on_stage.and_then(|on_stage| Some((usage.plan(on_stage.plan)?, on_stage)));
    let Some((plan, on_stage)) = found else {
        let why = format!("the key is in no usage plan of stage {}", aim.site.stage.name);
        return Err(refuse(recording, id, Reason::ApiKeyInvalid, &why));
    };
    recording.pass(HopKind::ApiKey, id);
    Ok((key, plan, on_stage))
}

/// The limit of this method on this stage, else the plan's.
fn limits(
    shared: &Shared,
    (aim, key): (&Aim<'_>, Key),
    (plan, on_stage): (&Plan, &StagePlan),
    recording: &mut Recording,
) -> Result<(), Refusal> {
    let own = on_stage.limits.get(aim.route_at as usize).copied().flatten();
    let place = (aim.site.api.id, aim.site.stage.name.clone(), aim.route.id);
    let (limit, method): (RateLimit, _) = match (own, plan.throttle) {
        (Some(own), _) => (own, Some(place)),
        (None, Some(limit)) => (limit, None),
        (None, None) => return Ok(()),
    };
    let now = bucket::ticks(recording.start().saturating_duration_since(shared.born));
    let whose = if method.is_some() { "for this method" } else { "for each key" };
    if shared.usage.take(BucketKey { plan: plan.id, key: key.id, method }, &limit, now) {
        return Ok(());
    }
    recording.stop(HopKind::Throttle, HopId::UsagePlan(plan.id), Reason::Throttled);
    recording.detail(&format!("{} requests a second, {} at once, {whose}", limit.rate(), limit.burst()));
    if limit.is_closed() {
        recording.hint(Reason::ThrottleZero);
    }
    Err(Refusal::Throttled)
}
