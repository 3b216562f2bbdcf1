//! Resource policies: statements that allow and deny `execute-api:Invoke` by source address and resource (API Gateway developer
//! guide, "Control access to a REST API with API Gateway resource policies", 2026-11). Read once, for the call that writes one, which
//! refuses what could not be carried out, and for traffic, which asks it.
//!
//! Carried out: `Effect`, `Principal` `*`, `Action`, `NotAction`, `Resource`, `NotResource`, and the conditions `IpAddress` and
//! `NotIpAddress` on `aws:SourceIp`. A statement with anything else, which an older store may hold, fits nobody when it allows, and
//! everybody when it denies.

mod tree;

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::spelling::canonical;
use crate::text::Text;
pub use tree::Tree;

/// The members of a statement.
const STATEMENT_MEMBERS: [&str; 8] =
    ["Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
/// The members of a document.
const DOCUMENT_MEMBERS: [&str; 3] = ["Version", "Id", "Statement"];
/// The versions of the language (IAM user guide, "IAM JSON policy elements: Version", 2026-11).
const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];
/// Short for the API's own ARN, in every region and account.
const SHORT: &str = "execute-api:/";

/// A policy as it was written, with what was read of it. Whoever holds a copy shares the reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourcePolicy(Text<(Policy, Option<Wrong>)>);

/// What a policy says.
#[derive(Debug, Default)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// Why a policy may not be written. Statements count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// The document is in no policy language.
    Document,
    /// A statement is in none.
    Statement(usize),
    /// AWS knows this, and nothing here carries it out.
    Unserved(usize, String),
}

/// What a policy says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// A statement allows it, and none denies it.
    Allowed,
    /// No statement allows it.
    Silent,
    /// The statement at this place, from 1, denies it.
    Denied(usize),
}

#[derive(Debug)]
struct Statement {
    effect: Effect,
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

/// How much of a statement is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Understood {
    Whole,
    InPart,
}

/// Patterns, or all but them.
#[derive(Debug)]
enum Names {
    Of(Vec<Pattern>),
    AllBut(Vec<Pattern>),
}

/// A pattern for resources. Its path is spelled as those that it is compared with.
#[derive(Debug)]
enum Pattern {
    /// For the whole ARN.
    Whole(String),
    /// For what stands behind the API's id.
    Short(String),
}

/// A condition on the client's address.
#[derive(Debug)]
struct Addresses {
    blocks: Vec<IpNet>,
    wanted: Whereabouts,
}

/// Where a condition on addresses wants the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whereabouts {
    /// In one of the blocks.
    Inside,
    /// In none of them.
    Outside,
}

impl ResourcePolicy {
    /// A policy of this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Text::new(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What it says, as far as it is carried out. `json` takes its text apart, where nobody has read it before.
    pub fn read(&self, json: impl FnOnce(&str) -> Option<Tree>) -> &Policy {
        &self.reading(json).0
    }

    /// Whether it may be written.
    ///
    /// # Errors
    /// When some of it is in no policy language or would not be carried out: the first of that.
    pub fn check(&self, json: impl FnOnce(&str) -> Option<Tree>) -> Result<(), &Wrong> {
        self.reading(json).1.as_ref().map_or(Ok(()), Err)
    }

    fn reading(&self, json: impl FnOnce(&str) -> Option<Tree>) -> &(Policy, Option<Wrong>) {
        self.0.read(|text| document(json(text).as_ref()))
    }
}

impl From<&str> for ResourcePolicy {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Judgement {
    /// Of two the one that lets fewer in.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Denied(_), _) | (_, Self::Allowed) => self,
            (_, Self::Denied(_)) | (Self::Allowed, _) => other,
            (Self::Silent, Self::Silent) => self,
        }
    }
}

impl Policy {
    /// What it says of a method's ARN and a client.
    #[must_use]
    pub fn judge(&self, arn: &str, client: IpAddr) -> Judgement {
        let fits = |statement: &Statement| statement.fits(arn, client);
        let denied = self.statements.iter().position(|s| s.effect == Effect::Deny && fits(s));
        let allowed = self.statements.iter().any(|s| s.effect == Effect::Allow && fits(s));
        match (denied, allowed) {
            (Some(at), _) => Judgement::Denied(at + 1),
            (None, true) => Judgement::Allowed,
            (None, false) => Judgement::Silent,
        }
    }

    /// Whether it says nothing at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

/// Reads a document. What is no JSON has no statement, and lets nobody in.
fn document(tree: Option<&Tree>) -> (Policy, Option<Wrong>) {
    let Some(members) = tree.and_then(Tree::members) else { return (Policy::default(), Some(Wrong::Document)) };
    let tree = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let is_known = members.iter().all(|(name, _)| DOCUMENT_MEMBERS.contains(&name.as_str()));
    let is_version = |version: &Tree| version.text().is_some_and(|text| VERSIONS.contains(&text));
    let mut wrong = (!is_known || !tree("Version").is_none_or(is_version)).then_some(Wrong::Document);
    let sources = match tree("Statement") {
        Some(Tree::List(sources)) => sources.as_slice(),
        Some(only) => std::slice::from_ref(only),
        None => &[],
    };
    let mut statements = Vec::with_capacity(sources.len());
    for (at, source) in (1..).zip(sources) {
        let mut reader = Reader { at, source, understood: Understood::Whole, wrong: None };
        statements.push(reader.statement());
        wrong = wrong.or(reader.wrong);
    }
    (Policy { statements }, wrong)
}

/// A statement that is read.
struct Reader<'t> {
    at: usize,
    source: &'t Tree,
    understood: Understood,
    /// The first thing that may not be written.
    wrong: Option<Wrong>,
}

impl<'t> Reader<'t> {
    fn member(&self, name: &str) -> Option<&'t Tree> {
        self.source.members()?.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn invalid(&mut self) {
        self.wrong.get_or_insert(Wrong::Statement(self.at));
    }

    fn unserved(&mut self, what: String) {
        self.wrong.get_or_insert(Wrong::Unserved(self.at, what));
    }

    fn statement(&mut self) -> Statement {
        self.names();
        let effect = self.effect();
        self.principal();
        let invokes = self.invokes();
        let resources = self.resources();
        let addresses = self.conditions();
        Statement { effect, understood: self.understood, resources, addresses, invokes }
    }

    /// What a statement may have.
    fn names(&mut self) {
        let Some(members) = self.source.members() else {
            self.understood = Understood::InPart;
            return self.invalid();
        };
        let unknown = members.iter().map(|(name, _)| name).find(|name| !STATEMENT_MEMBERS.contains(&name.as_str()));
        if let Some(name) = unknown {
            self.understood = Understood::InPart;
            if name == "NotPrincipal" { self.unserved(name.clone()) } else { self.invalid() }
        }
    }

    /// What is no effect denies.
    fn effect(&mut self) -> Effect {
        match self.member("Effect").and_then(Tree::text) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => {
                self.invalid();
                Effect::Deny
            }
        }
    }

    /// `*`, alone or as an AWS principal. Whom a signature stands for is not told apart.
    fn principal(&mut self) {
        let who = match self.member("Principal") {
            Some(Tree::Members(kinds)) => match kinds.as_slice() {
                [(kind, who)] if kind == "AWS" => Some(who),
                _ => None,
            },
            other => other,
        };
        let named = who.map(Tree::texts).unwrap_or_default();
        if !named.contains(&"*") {
            self.understood = Understood::InPart;
        }
        if !who.is_some_and(Tree::is_texts) {
            self.invalid();
        } else if let Some(other) = named.iter().find(|name| **name != "*") {
            self.unserved(format!("Principal {other}"));
        }
    }

    /// Texts under one of two names, and not under both; whether it is the second one.
    fn one_of(&mut self, names: [&str; 2]) -> Option<(Vec<&'t str>, bool)> {
        let [plain, negated] = names.map(|name| self.member(name));
        let is_one = plain.is_some() != negated.is_some();
        if !is_one || !plain.or(negated).is_some_and(Tree::is_texts) {
            self.understood = Understood::InPart;
            self.invalid();
        }
        plain.or(negated).map(|found| (found.texts(), plain.is_none()))
    }

    fn invokes(&mut self) -> bool {
        let Some((actions, is_negated)) = self.one_of(["Action", "NotAction"]) else { return false };
        let names = |action: &&str| matches_pattern(&action.to_ascii_lowercase(), "execute-api:invoke");
        actions.iter().any(names) != is_negated
    }

    /// Nothing is let in by a statement that names nothing, and everything is kept out by it.
    fn resources(&mut self) -> Names {
        let Some((names, is_negated)) = self.one_of(["Resource", "NotResource"]) else {
            return Names::AllBut(Vec::new());
        };
        let patterns = names.into_iter().map(Pattern::read).collect();
        if is_negated { Names::AllBut(patterns) } else { Names::Of(patterns) }
    }

    /// The conditions on addresses.
    fn conditions(&mut self) -> Vec<Addresses> {
        let Some(source) = self.member("Condition") else { return Vec::new() };
        let Some(operators) = source.members() else {
            self.understood = Understood::InPart;
            self.invalid();
            return Vec::new();
        };
        let mut read = Vec::new();
        for (name, keys) in operators {
            let wanted = match name.as_str() {
                "IpAddress" => Whereabouts::Inside,
                "NotIpAddress" => Whereabouts::Outside,
                other => {
                    self.understood = Understood::InPart;
                    self.unserved(format!("Condition {other}"));
                    continue;
                }
            };
            let Some(keys) = keys.members().filter(|keys| !keys.is_empty()) else {
                self.understood = Understood::InPart;
                self.invalid();
                continue;
            };
            for (key, values) in keys {
                match self.blocks((name, key), values) {
                    Some(blocks) => read.push(Addresses { blocks, wanted }),
                    None => self.understood = Understood::InPart,
                }
            }
        }
        read
    }

    /// The blocks of a condition; none where it is about something else.
    fn blocks(&mut self, (operator, key): (&str, &str), values: &Tree) -> Option<Vec<IpNet>> {
        if !key.eq_ignore_ascii_case("aws:SourceIp") {
            self.unserved(format!("Condition {operator} {key}"));
            return None;
        }
        let blocks = values.texts().into_iter().map(block).collect::<Option<Vec<_>>>();
        let blocks = blocks.filter(|_| values.is_texts());
        if blocks.is_none() {
            self.invalid();
        }
        blocks
    }
}

impl Statement {
    fn fits(&self, arn: &str, client: IpAddr) -> bool {
        if !self.invokes {
            return false;
        }
        if self.understood == Understood::InPart && self.effect == Effect::Allow {
            return false;
        }
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(arn));
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

impl Pattern {
    fn read(name: &str) -> Self {
        // Paths are judged in one spelling; a question mark is not a character of it, but stands for one.
        let spelled = |text: &str| text.split('?').map(canonical).collect::<Vec<_>>().join("?");
        match name.strip_prefix(SHORT) {
            Some(rest) => Self::Short(spelled(rest)),
            None => Self::Whole(spelled(name)),
        }
    }

    fn matches(&self, arn: &str) -> bool {
        match self {
            Self::Whole(pattern) => matches_pattern(pattern, arn),
            Self::Short(pattern) => {
                let resource = arn.splitn(6, ':').nth(5).and_then(|resource| resource.split_once('/'));
                resource.is_some_and(|(_, rest)| matches_pattern(pattern, rest))
            }
        }
    }
}

/// A block of addresses, or one address.
fn block(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Option<Tree> {
        serde_json::from_str(text).ok()
    }

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:abcdefghij/prod/GET/pets/1";

    fn judged(statements: &str, client: &str) -> Judgement {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        ResourcePolicy::new(text).read(json).judge(ARN, client.parse().unwrap())
    }

    fn statement(effect: &str, resource: &str, condition: &str) -> String {
        format!(
            r#"{{"Effect":"{effect}","Principal":"*","Action":"execute-api:Invoke","Resource":{resource}{condition}}}"#
        )
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
            (all.replace("\"Action\":\"execute-api:Invoke\"", "\"NotAction\":5"), "10.0.0.1", Judgement::Silent),
            (all.replace("\"Principal\":\"*\"", "\"Principal\":[\"*\"]"), "10.0.0.1", Judgement::Allowed),
        ];
        for (statements, client, expected) in rows {
            assert_eq!(judged(&statements, client), expected, "{client} {statements}");
        }
        let broken = ResourcePolicy::new("{");
        assert_eq!(broken.read(json).judge(ARN, "10.0.0.1".parse().unwrap()), Judgement::Silent);
        assert_eq!(broken.check(json), Err(&Wrong::Document));
    }

    /// What is short for the API's own ARN is compared with what stands behind its id, wherever a path repeats that.
    #[test]
    fn short_forms_are_of_the_api_alone() {
        let deny = statement("Deny", r#""execute-api:/prod/GET/admin""#, "");
        let policy = ResourcePolicy::new(format!(r#"{{"Statement":{deny}}}"#));
        let judge = |path: &str| {
            let arn = format!("arn:aws:execute-api:us-east-1:000000000000:abcdefghij/prod/GET/{path}");
            policy.read(json).judge(&arn, [192, 0, 2, 1].into())
        };
        assert_eq!(judge("admin"), Judgement::Denied(1));
        assert_eq!(judge("a:abcdefghij/prod/GET/admin"), Judgement::Silent);
    }

    #[test]
    fn copies_share_the_reading() {
        let policy = ResourcePolicy::new(r#"{"Statement":[]}"#);
        let copy = policy.clone();
        assert!(policy.read(json).is_empty());
        assert_eq!(copy.check(|_| None), Ok(()), "it was read before");
    }

    #[test]
    fn patterns_are_matched_without_going_back_for_long() {
        assert!(matches_pattern("a*b*c?", "aXbYYcZ"));
        assert!(!matches_pattern("a*b", "aXc"));
        assert!(!matches_pattern(&"*a".repeat(64), &"b".repeat(100_000)));
    }
}
