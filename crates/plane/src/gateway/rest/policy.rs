//! Asks a REST API's resource policy. What a policy says is `topology`'s (API Gateway developer guide, "Control access to a REST API with
//! API Gateway resource policies", 2026-11). An explicit denial wins over everything; where there is a policy and it does not allow, a
//! method without authorization lets nobody in. With IAM a caller of the same account needs no statement of the policy.

use std::net::IpAddr;

use http::Method;
use topology::path;
use topology::reason::Reason;
use topology::resource::resource_policy::{Judgement, ResourcePolicy};
use topology::snapshot::gateway::RouteAuthorization;
use topology::spelling::canonical;
use topology::trace::{HopId, HopKind};

use crate::gateway::context::{Context, Site};
use crate::gateway::find::{MatchedMethod, MethodAim};
use crate::gateway::refusal::Refusal;
use crate::readied::policy;
use crate::trace::Recording;

/// Reads and asks a policy for `crate::fuzzing`.
///
/// # Panics
/// When what denies nothing and allows nothing lets somebody in.
pub(super) fn attempt(text: &str) {
    let policy = ResourcePolicy::new(text);
    let policy = policy::read(&policy);
    let arn = "arn:aws:execute-api:us-east-1:000000000000:abcdefghij/prod/GET/pets/caf%C3%A9";
    let judged = policy.judge(arn, IpAddr::from([192, 0, 2, 1]));
    assert!(!policy.is_empty() || judged == Judgement::Silent, "{judged:?}");
}

/// A request that the resource policy does not deny. Only [`check`] makes one.
pub(super) struct Permitted<'w> {
    aim: MethodAim<'w>,
}

impl<'w> Permitted<'w> {
    /// Where it leads.
    pub(super) const fn aim(&self) -> &MethodAim<'w> {
        &self.aim
    }
}

/// Asks the API's resource policy, if it has one.
pub(super) fn check<'w>(
    matched: MatchedMethod<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Permitted<'w>, Refusal> {
    let aim = *matched.aim();
    let Some(policy) = policy::of(&aim.deployment.source.frozen) else { return Ok(Permitted { aim }) };
    let (site, path) = (&aim.leads.site, context.route_path());
    let arn = method_arn(site, (&context.method, path));
    let api = HopId::Api(site.api.id);
    // A backend that reads the path in another way must not serve what the policy keeps for others.
    let plain = canonical(path);
    let judged = |reading: &str| policy.judge(&method_arn(site, (&context.method, reading)), context.peer.ip());
    let readings = path::readings(&plain);
    let judgement = readings.iter().map(|reading| judged(reading)).fold(judged(&plain), Judgement::stricter);
    let refused = match (judgement, &aim.leads.route.authorization) {
        (Judgement::Denied(at), _) => Some((format!("statement {at} denies it"), " with an explicit deny")),
        // A caller of the same account, who still has to prove it, needs no statement.
        (Judgement::Silent, RouteAuthorization::Iam) | (Judgement::Allowed, _) => None,
        (Judgement::Silent, _) => Some(("no statement allows it".to_owned(), "")),
    };
    let Some((why, how)) = refused else {
        recording.pass(HopKind::ResourcePolicy, api);
        return Ok(Permitted { aim });
    };
    recording.stop(HopKind::ResourcePolicy, api, Reason::ResourcePolicyDenied);
    recording.detail(&format!("{}, from {}: {why}", arn, context.peer.ip()));
    if let Some(rest) = &mut context.rest {
        let what = "is not authorized to perform: execute-api:Invoke on resource:";
        rest.message = Some(format!("User: anonymous {what} {}{how}", hidden(&arn)));
    }
    Err(Refusal::PolicyDenied)
}

/// `arn:aws:execute-api:{region}:{account}:{api}/{stage}/{METHOD}/{path}`
fn method_arn(site: &Site<'_>, (method, path): (&Method, &str)) -> String {
    let realm = &site.realm.snapshot.realm;
    let (api, stage) = (site.api.id, &site.stage.name);
    format!("arn:aws:execute-api:{}:{}:{api}/{stage}/{method}{}", realm.region, realm.account, matched_path(path))
}

/// The path as the table of methods sees it: one slash at its end means nothing there, so that it must mean nothing here.
fn matched_path(path: &str) -> &str {
    path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path)
}

/// The account as strangers see it: its last four digits (seen on AWS).
fn hidden(arn: &str) -> String {
    let mut parts: Vec<&str> = arn.splitn(6, ':').collect();
    let masked = parts.get(4).map(|account| format!("********{}", account.get(8..).unwrap_or_default()));
    if let (Some(masked), Some(place)) = (&masked, parts.get_mut(4)) {
        *place = masked;
    }
    parts.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:abcdefghij/prod/GET/pets/1";

    #[test]
    fn a_slash_at_the_end_of_a_path_means_nothing() {
        for (path, matched) in [("/admin/", "/admin"), ("/admin", "/admin"), ("/", "/"), ("/a//", "/a/")] {
            assert_eq!(matched_path(path), matched, "{path}");
        }
    }

    #[test]
    fn strangers_do_not_see_the_account() {
        assert_eq!(hidden(ARN), "arn:aws:execute-api:us-east-1:********0000:abcdefghij/prod/GET/pets/1");
    }
}
