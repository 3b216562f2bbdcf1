//! Resource policies: statements that allow and deny `execute-api:Invoke` by source address and resource (API Gateway developer
//! guide, "Control access to a REST API with API Gateway resource policies", 2026-11). An explicit denial wins over everything;
//! where there is a policy and it does not allow, a method without authorization lets nobody in. With IAM a caller of the same
//! account needs no statement of the policy.
//!
//! Read: `Effect`, `Principal` `*`, `Action`, `NotAction`, `Resource`, `NotResource`, and the conditions `IpAddress` and `NotIpAddress` on
//! `aws:SourceIp`. A statement with anything else, which `control` refuses to write, fits nobody when it allows, and everybody when it
//! denies.

use std::net::IpAddr;

use http::Method;
use serde_json::Value;
use topology::net::IpNet;
use topology::path;
use topology::reason::Reason;
use topology::resource::resource_policy::{STATEMENT_MEMBERS, Whereabouts, block, is_source_address, operator};
use topology::snapshot::gateway::RouteAuthorization;
use topology::spelling::canonical;
use topology::trace::{HopId, HopKind};

use crate::gateway::context::{Context, Place};
use crate::gateway::find::{MatchedMethod, MethodAim};
use crate::gateway::respond::Refusal;
use crate::trace::Recording;

/// A policy, read.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug)]
struct Statement {
    effect: Effect,
    /// Whether all of it was understood.
    understood: Understood,
    resources: Names,
    addresses: Vec<Addresses>,
    /// Whether it is about invoking at all.
    invokes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Understood {
    Whole,
    InPart,
}

/// Patterns, or all but them.
#[derive(Debug)]
enum Names {
    Of(Vec<String>),
    AllBut(Vec<String>),
}

/// A condition on the client's address.
#[derive(Debug)]
struct Addresses {
    blocks: Vec<IpNet>,
    wanted: Whereabouts,
}

/// What a policy says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judgement {
    Allowed,
    /// No statement allows it.
    Silent,
    /// The statement at this place, from 1, denies it.
    Denied(usize),
}

impl Judgement {
    /// Of two the one that lets fewer in.
    fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Denied(_), _) | (_, Self::Allowed) => self,
            (_, Self::Denied(_)) | (Self::Allowed, _) => other,
            (Self::Silent, Self::Silent) => self,
        }
    }
}

impl Policy {
    /// Reads a document. What is no JSON denies everybody.
    pub(crate) fn read(text: &str, context: &PolicyPlace<'_>) -> Self {
        let document: Value = serde_json::from_str(text).unwrap_or_default();
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().map(|s| Statement::read(s, context)).collect(),
            Some(statement @ Value::Object(_)) => vec![Statement::read(statement, context)],
            _ => Vec::new(),
        };
        Self { statements }
    }

    fn judge(&self, resource: &str, client: IpAddr) -> Judgement {
        let fits = |statement: &Statement| statement.fits(resource, client);
        let denied = self.statements.iter().position(|s| s.effect == Effect::Deny && fits(s));
        let allowed = self.statements.iter().any(|s| s.effect == Effect::Allow && fits(s));
        match (denied, allowed) {
            (Some(at), _) => Judgement::Denied(at + 1),
            (None, true) => Judgement::Allowed,
            (None, false) => Judgement::Silent,
        }
    }
}

/// Reads and asks a policy for `crate::fuzzing`.
///
/// # Panics
/// When what denies nothing and allows nothing lets somebody in.
pub(super) fn attempt(text: &str) {
    let policy = Policy::read(text, &PolicyPlace { api: "abcdefghij" });
    let arn = "arn:aws:execute-api:us-east-1:000000000000:abcdefghij/prod/GET/pets/caf%C3%A9";
    let judged = policy.judge(arn, IpAddr::from([192, 0, 2, 1]));
    assert!(!policy.statements.is_empty() || judged == Judgement::Silent, "{judged:?}");
}

/// Whose policy it is: short forms of resources are completed by it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PolicyPlace<'a> {
    /// The API's id.
    pub(crate) api: &'a str,
}

impl Statement {
    fn read(source: &Value, place: &PolicyPlace<'_>) -> Self {
        let is_known = |member: &String| STATEMENT_MEMBERS.contains(&member.as_str());
        let mut understood = source.as_object().is_some_and(|members| members.keys().all(is_known));
        understood &= is_everyone(source.get("Principal"));
        let (addresses, whole) = conditions(source.get("Condition"));
        understood &= whole;
        let complete = |names: Vec<String>| names.iter().map(|name| completed(name, place)).collect();
        let resources = match (source.get("Resource"), source.get("NotResource")) {
            (None, Some(not)) => Names::AllBut(complete(texts(not))),
            (Some(resource), _) => Names::Of(complete(texts(resource))),
            // Nothing is let in by a statement that names nothing, and everything is kept out by it.
            (None, None) => {
                understood = false;
                Names::AllBut(Vec::new())
            }
        };
        let invoke = |action: &String| matches_pattern(&action.to_ascii_lowercase(), "execute-api:invoke");
        let invokes = match (source.get("Action"), source.get("NotAction")) {
            (None, Some(not)) => !texts(not).iter().any(invoke),
            (action, _) => action.map(texts).unwrap_or_default().iter().any(invoke),
        };
        let effect =
            if source.get("Effect").and_then(Value::as_str) == Some("Allow") { Effect::Allow } else { Effect::Deny };
        let understood = if understood { Understood::Whole } else { Understood::InPart };
        Self { effect, understood, resources, addresses, invokes }
    }

    fn fits(&self, resource: &str, client: IpAddr) -> bool {
        if !self.invokes {
            return false;
        }
        if self.understood == Understood::InPart && self.effect == Effect::Allow {
            return false;
        }
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches_pattern(pattern, resource));
        let named = match &self.resources {
            Names::Of(patterns) => any(patterns),
            Names::AllBut(patterns) => !any(patterns),
        };
        named && self.addresses.iter().all(|condition| condition.holds(client))
    }
}

impl Addresses {
    fn holds(&self, client: IpAddr) -> bool {
        let is_inside = self.blocks.iter().any(|block| block.contains(&client));
        is_inside == (self.wanted == Whereabouts::Inside)
    }
}

fn is_everyone(principal: Option<&Value>) -> bool {
    match principal {
        Some(Value::String(text)) => text == "*",
        Some(Value::Object(kinds)) => {
            kinds.len() == 1 && kinds.get("AWS").is_some_and(|who| texts(who).iter().any(|text| text == "*"))
        }
        _ => false,
    }
}

/// The conditions on addresses, and whether those were all.
fn conditions(source: Option<&Value>) -> (Vec<Addresses>, bool) {
    let Some(Value::Object(operators)) = source else { return (Vec::new(), source.is_none()) };
    let (mut read, mut whole) = (Vec::new(), true);
    for (name, keys) in operators {
        let Some(wanted) = operator(name) else {
            whole = false;
            continue;
        };
        let Some(keys) = keys.as_object().filter(|keys| !keys.is_empty()) else {
            whole = false;
            continue;
        };
        for (key, values) in keys {
            let is_text = values.is_string()
                || values.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(Value::is_string));
            if !is_text {
                whole = false;
                continue;
            }
            let blocks: Vec<Option<IpNet>> = texts(values).iter().map(|text| block(text)).collect();
            if !is_source_address(key) || blocks.iter().any(Option::is_none) {
                whole = false;
                continue;
            }
            read.push(Addresses { blocks: blocks.into_iter().flatten().collect(), wanted });
        }
    }
    (read, whole)
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// `execute-api:/stage/METHOD/path` is short for the API's ARN of it, in every region and account.
/// The path is spelled as the requests that it is compared with.
fn completed(name: &str, place: &PolicyPlace<'_>) -> String {
    let whole = match name.strip_prefix("execute-api:/") {
        Some(rest) => format!("arn:aws:execute-api:*:*:{}/{rest}", place.api),
        None => name.to_owned(),
    };
    // Paths are judged in one spelling; a question mark is not a character of it, but stands for one.
    whole.split('?').map(canonical).collect::<Vec<_>>().join("?")
}

/// Stars for any text, question marks for one character; in linear time, whatever the pattern.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p + 1, t));
                p += 1;
            }
            Some(b'?') => (p, t) = (p + 1, t + 1),
            Some(byte) if *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    (p, t) = (star, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
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
    let Some(policy) = &aim.readied.policy else { return Ok(Permitted { aim }) };
    let (place, path) = (&aim.leads.place, context.route_path());
    let arn = method_arn(place, (&context.method, path));
    let api = HopId::Api(place.api.id);
    // A backend that reads the path in another way must not serve what the policy keeps for others.
    let plain = canonical(path);
    let judged = |reading: &str| policy.judge(&method_arn(place, (&context.method, reading)), context.peer.ip());
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
fn method_arn(place: &Place<'_>, (method, path): (&Method, &str)) -> String {
    let realm = &place.realm.snapshot.realm;
    let (api, stage) = (place.api.id, &place.stage.name);
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

    fn judged(statements: &str, client: &str) -> Judgement {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        Policy::read(&text, &PolicyPlace { api: "abcdefghij" }).judge(ARN, client.parse().unwrap())
    }

    fn statement(effect: &str, resource: &str, condition: &str) -> String {
        format!(
            r#"{{"Effect":"{effect}","Principal":"*","Action":"execute-api:Invoke","Resource":{resource}{condition}}}"#
        )
    }

    #[test]
    fn a_slash_at_the_end_of_a_path_means_nothing() {
        for (path, matched) in [("/admin/", "/admin"), ("/admin", "/admin"), ("/", "/"), ("/a//", "/a/")] {
            assert_eq!(matched_path(path), matched, "{path}");
        }
    }

    #[test]
    fn statements_table() {
        let allow = |resource: &str| statement("Allow", resource, "");
        let all = allow(r#""execute-api:/*""#);
        let block =
            |operator: &str| format!(r#","Condition":{{"{operator}":{{"aws:SourceIp":["10.0.0.0/8","192.0.2.7"]}}}}"#);
        let rows = [
            (all.clone(), "10.1.1.1", Judgement::Allowed),
            (allow(r#""*""#), "10.1.1.1", Judgement::Allowed),
            (allow(r#"["execute-api:/dev/*","execute-api:/prod/GET/pets/*"]"#), "10.1.1.1", Judgement::Allowed),
            (allow(r#""execute-api:/prod/POST/*""#), "10.1.1.1", Judgement::Silent),
            (allow(r#""arn:aws:execute-api:us-east-1:*:abcdefghij/p?od/*""#), "10.1.1.1", Judgement::Allowed),
            (allow(r#""arn:aws:execute-api:us-east-1:*:other/*""#), "10.1.1.1", Judgement::Silent),
            (String::new(), "10.1.1.1", Judgement::Silent),
            (statement("Allow", "\"*\"", &block("IpAddress")), "10.1.1.1", Judgement::Allowed),
            (statement("Allow", "\"*\"", &block("IpAddress")), "192.0.2.7", Judgement::Allowed),
            (statement("Allow", "\"*\"", &block("IpAddress")), "192.0.2.8", Judgement::Silent),
            (
                format!("{all},{}", statement("Deny", "\"*\"", &block("NotIpAddress"))),
                "192.0.2.8",
                Judgement::Denied(2),
            ),
            (format!("{all},{}", statement("Deny", "\"*\"", &block("NotIpAddress"))), "10.0.0.1", Judgement::Allowed),
            (format!("{},{all}", statement("Deny", "\"*\"", "")), "10.0.0.1", Judgement::Denied(1)),
            // What is not understood lets nobody in.
            (
                statement("Allow", "\"*\"", r#","Condition":{"StringEquals":{"aws:SourceVpc":"v"}}"#),
                "10.0.0.1",
                Judgement::Silent,
            ),
            (
                statement("Deny", "\"*\"", r#","Condition":{"StringEquals":{"aws:SourceVpc":"v"}}"#),
                "10.0.0.1",
                Judgement::Denied(1),
            ),
            (
                all.replace("\"Principal\":\"*\"", "\"Principal\":{\"AWS\":\"arn:aws:iam::1:root\"}"),
                "10.0.0.1",
                Judgement::Silent,
            ),
            (all.replace("\"Principal\":\"*\"", "\"Principal\":{\"AWS\":\"*\"}"), "10.0.0.1", Judgement::Allowed),
            // Nor do conditions in another form than theirs.
            (statement("Allow", "\"*\"", r#","Condition":{"IpAddress":"10.0.0.0/8"}"#), "192.0.2.8", Judgement::Silent),
            (statement("Allow", "\"*\"", r#","Condition":{"IpAddress":{}}"#), "192.0.2.8", Judgement::Silent),
            (
                statement("Allow", "\"*\"", r#","Condition":{"NotIpAddress":{"aws:SourceIp":[5]}}"#),
                "192.0.2.8",
                Judgement::Silent,
            ),
            (
                r#"{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke"}"#.to_owned(),
                "10.0.0.1",
                Judgement::Denied(1),
            ),
            (all.replace("execute-api:Invoke", "execute-api:Inv*"), "10.0.0.1", Judgement::Allowed),
            (all.replace("execute-api:Invoke", "s3:*"), "10.0.0.1", Judgement::Silent),
        ];
        for (statements, client, expected) in rows {
            assert_eq!(judged(&statements, client), expected, "{client} {statements}");
        }
        let broken = Policy::read("{", &PolicyPlace { api: "a" });
        assert_eq!(broken.judge(ARN, "10.0.0.1".parse().unwrap()), Judgement::Silent);
    }

    #[test]
    fn patterns_are_matched_without_going_back_for_long() {
        assert!(matches_pattern("a*b*c?", "aXbYYcZ"));
        assert!(!matches_pattern("a*b", "aXc"));
        assert!(!matches_pattern(&"*a".repeat(64), &"b".repeat(100_000)));
        assert_eq!(hidden(ARN), "arn:aws:execute-api:us-east-1:********0000:abcdefghij/prod/GET/pets/1");
    }
}
