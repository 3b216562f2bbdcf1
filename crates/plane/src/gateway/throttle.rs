//! The rate limits of a request: its route's bucket, then the account's. Where the algorithm is, see `bucket`.

use topology::reason::Reason;
use topology::snapshot::front::{LimitSource, RateLimit, Throttle};
use topology::snapshot::gateway::ApiKind;
use topology::trace::HopKind;

use super::context::Context;
use super::find::{Aim, Matched, MethodAim};
use super::refusal::Refusal;
use super::rest::key::Keyed;
use crate::bucket;
use crate::shared::Shared;
use crate::trace::Recording;

/// The account's quota over all APIs of a region: 10,000 requests a second, 5,000 at once (API Gateway quotas, 2026-11).
/// Enforced where AWS's quotas are.
const ACCOUNT: (f64, u64) = (10_000.0, 5_000);

/// A request to an HTTP API within the rate limits of its route and account. Only [`take`] makes one.
pub(super) struct Metered<'w> {
    aim: Aim<'w>,
}

/// A request to a REST API within the rate limits of its method and account. Only [`take_of_method`] makes one.
pub(super) struct MeteredMethod<'w> {
    aim: MethodAim<'w>,
}

impl<'w> Metered<'w> {
    /// Where it leads.
    pub(super) const fn aim(&self) -> &Aim<'w> {
        &self.aim
    }
}

impl<'w> MeteredMethod<'w> {
    /// Where it leads.
    pub(super) const fn aim(&self) -> &MethodAim<'w> {
        &self.aim
    }
}

/// Takes a token of the route's bucket, then of the account's, or says why not.
pub(super) fn take<'w>(
    shared: &Shared,
    matched: Matched<'w>,
    context: &Context<'w>,
    recording: &mut Recording,
) -> Result<Metered<'w>, Refusal> {
    let aim = *matched.aim();
    count(shared, &aim, context, recording)?;
    Ok(Metered { aim })
}

/// As [`take`], for a request that everything else which guards its stage let pass.
pub(super) fn take_of_method<'w>(
    shared: &Shared,
    keyed: Keyed<'w>,
    context: &Context<'w>,
    recording: &mut Recording,
) -> Result<MeteredMethod<'w>, Refusal> {
    let aim = *keyed.aim();
    count(shared, &aim.leads, context, recording)?;
    Ok(MeteredMethod { aim })
}

fn count(shared: &Shared, aim: &Aim<'_>, context: &Context<'_>, recording: &mut Recording) -> Result<(), Refusal> {
    let site = aim.site;
    let throttle = site.stage.throttles.get(aim.route_at as usize).copied().flatten();
    if throttle.is_none() && !shared.config.account_throttle {
        return Ok(());
    }
    let now = bucket::ticks(recording.start().saturating_duration_since(shared.born));
    if let Some(throttle) = throttle {
        let bucket = site.stage_world.buckets.get(aim.route_at as usize);
        if bucket.is_none_or(|bucket| !bucket.take(&throttle.limit, now)) {
            return Err(refuse(throttle, aim, context, recording));
        }
    }
    if shared.config.account_throttle {
        let (rate, burst) = ACCOUNT;
        let account = Throttle { limit: RateLimit::new(rate, burst), source: LimitSource::Account };
        if !site.realm.bucket.take(&account.limit, now) {
            return Err(refuse(account, aim, context, recording));
        }
    }
    recording.pass(HopKind::Throttle, aim.route.id.hop());
    Ok(())
}

#[cold]
fn refuse(throttle: Throttle, aim: &Aim<'_>, context: &Context<'_>, recording: &mut Recording) -> Refusal {
    let Throttle { limit, source } = throttle;
    recording.stop(HopKind::Throttle, aim.route.id.hop(), Reason::Throttled);
    let stage = &aim.site.stage.name;
    let set_by = match source {
        LimitSource::Route => format!("the settings of route {} on stage {stage}", aim.route.key),
        LimitSource::Stage if context.kind == ApiKind::Rest => format!("the settings */* of stage {stage}"),
        LimitSource::Stage => format!("the default route settings of stage {stage}"),
        LimitSource::Account => "the account's quota".to_owned(),
    };
    recording.detail(&format!("{} requests a second, {} at once, by {set_by}", limit.rate(), limit.burst()));
    if limit.is_closed() {
        recording.hint(Reason::ThrottleZero);
    }
    tracing::debug!(request = %context.request_id, "a request was throttled");
    Refusal::Throttled
}
