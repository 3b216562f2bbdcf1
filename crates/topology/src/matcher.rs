//! Which rule of a listener takes a request: the first whose conditions all hold; the default rule has none (ALB user guide, "Condition
//! types for listener rules", 2026-11). The one place that decides it: traffic asks with a whole request, an explanation with what a
//! trace kept of one.
//!
//! A condition on what is not known neither holds nor fails: it may hold. To traffic everything is known, so that it never meets that.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::path;
use crate::snapshot::balancer::{Condition, Rule, Rules};
use crate::snapshot::pattern::Pattern;
use crate::spelling::canonical;

/// The head of a request as far as it is known: `None` is what is not.
pub trait Head {
    /// The method.
    fn method(&self) -> Option<&str>;
    /// The value of `Host`, with its port if it has one; empty where there is none.
    fn host(&self) -> Option<&[u8]>;
    /// The path as it is sent, without its query.
    fn path(&self) -> Option<&str>;
    /// The query as it is sent, without the question mark; empty where there is none.
    fn query(&self) -> Option<&str>;
    /// Whether some value of the header with this name (lower case) fits.
    fn any_value(&self, name: &str, fits: &dyn Fn(&[u8]) -> bool) -> Option<bool>;
    /// Who connected to the listener.
    fn source(&self) -> Option<IpAddr>;
}

/// Whether something holds, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// It does not.
    No,
    /// What it depends on is not known.
    Perhaps,
    /// It does.
    Yes,
}

impl From<Option<bool>> for Holds {
    fn from(holds: Option<bool>) -> Self {
        match holds {
            Some(true) => Self::Yes,
            Some(false) => Self::No,
            None => Self::Perhaps,
        }
    }
}

/// The rule that takes the request: the first that surely does. `None` where there is none, not even a default rule.
pub fn find<'l>(rules: &'l Rules, head: &impl Head) -> Option<&'l Rule> {
    if let [only] = &**rules
        && only.conditions.is_empty()
    {
        return Some(only);
    }
    let seen = Seen::of(head);
    let (path, other_spelling) = seen.path.as_ref().map_or((&b""[..], None), Paths::spellings);
    rules.first((path, other_spelling, seen.host.unwrap_or_default()), |rule| seen.all(rule) == Holds::Yes)
}

/// The rules that may take the request, up to the first that surely does.
pub fn candidates<'l>(rules: &'l [Rule], head: &impl Head) -> Vec<&'l Rule> {
    let seen = Seen::of(head);
    let mut candidates = Vec::new();
    for rule in rules {
        let holds = seen.all(rule);
        if holds != Holds::No {
            candidates.push(rule);
        }
        if holds == Holds::Yes {
            break;
        }
    }
    candidates
}

/// A head with what conditions compare, read once for all rules.
struct Seen<'h, H> {
    head: &'h H,
    /// Without its port.
    host: Option<&'h [u8]>,
    path: Option<Paths<'h>>,
}

/// A path in both spellings, so that no escape leads past a rule.
struct Paths<'h> {
    normal: Cow<'h, str>,
    /// `None` where it is the same.
    canonical: Option<String>,
}

impl<'h> Paths<'h> {
    fn of(path: &'h str) -> Self {
        let normal = path::normal(path);
        let canonical = match canonical(&normal) {
            Cow::Borrowed(_) => None,
            Cow::Owned(other) => Some(other),
        };
        Self { normal, canonical }
    }

    fn spellings(&self) -> (&[u8], Option<&[u8]>) {
        (self.normal.as_bytes(), self.canonical.as_deref().map(str::as_bytes))
    }

    fn is_any(&self, patterns: &[Pattern]) -> bool {
        let spelled = |text: &str| any(patterns, text.as_bytes());
        spelled(&self.normal) || self.canonical.as_deref().is_some_and(spelled)
    }
}

fn any(patterns: &[Pattern], text: &[u8]) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}

impl<'h, H: Head> Seen<'h, H> {
    fn of(head: &'h H) -> Self {
        let host = head.host().map(|host| host.split(|byte| *byte == b':').next().unwrap_or_default());
        Self { head, host, path: head.path().map(Paths::of) }
    }

    /// Whether all conditions of a rule hold: as surely as the weakest of them.
    fn all(&self, rule: &Rule) -> Holds {
        let mut weakest = Holds::Yes;
        for condition in &rule.conditions {
            weakest = weakest.min(Holds::from(self.one(condition)));
            if weakest == Holds::No {
                break;
            }
        }
        weakest
    }

    fn one(&self, condition: &Condition) -> Option<bool> {
        match condition {
            Condition::HostHeader(patterns) => Some(any(patterns, self.host?)),
            Condition::PathPattern(patterns) => Some(self.path.as_ref()?.is_any(patterns)),
            Condition::HttpHeader(name, patterns) => self.head.any_value(name, &|value| any(patterns, value)),
            Condition::Method(methods) => {
                let method = self.head.method()?;
                Some(methods.iter().any(|wanted| wanted == method))
            }
            Condition::QueryString(wanted) => {
                let fits = |(key, value): (&str, &str)| {
                    wanted.iter().any(|(key_glob, value_glob)| {
                        key_glob.as_ref().is_none_or(|glob| glob.matches(key.as_bytes()))
                            && value_glob.matches(value.as_bytes())
                    })
                };
                Some(path::pairs(self.head.query()?).any(fits))
            }
            Condition::SourceIp(blocks) => {
                let source = self.head.source()?;
                Some(blocks.iter().any(|block| block.contains(&source)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ListenerRuleId;
    use crate::resource::pattern::Expression;
    use crate::snapshot::balancer::Action;
    use crate::snapshot::pattern::Glob;

    /// A head of which some things are not known.
    #[derive(Clone, Copy)]
    struct Told {
        method: Option<&'static str>,
        host: Option<&'static str>,
        target: Option<&'static str>,
        tiers: Option<&'static [&'static str]>,
        source: Option<IpAddr>,
    }

    impl Head for Told {
        fn method(&self) -> Option<&str> {
            self.method
        }
        fn host(&self) -> Option<&[u8]> {
            self.host.map(str::as_bytes)
        }
        fn path(&self) -> Option<&str> {
            self.target?.split('?').next()
        }
        fn query(&self) -> Option<&str> {
            Some(self.target?.split_once('?').map_or("", |(_, query)| query))
        }
        fn any_value(&self, name: &str, fits: &dyn Fn(&[u8]) -> bool) -> Option<bool> {
            Some(name == "x-tier" && self.tiers?.iter().any(|tier| fits(tier.as_bytes())))
        }
        fn source(&self) -> Option<IpAddr> {
            self.source
        }
    }

    fn told(target: &'static str) -> Told {
        Told {
            method: Some("GET"),
            host: Some("API.example.com:8080"),
            target: Some(target),
            tiers: Some(&["gold", "Silver"]),
            source: Some(IpAddr::from([10, 0, 0, 4])),
        }
    }

    const NOTHING: Told = Told { method: None, host: None, target: None, tiers: None, source: None };

    fn expression<const FOLD: bool>(text: &str) -> Pattern {
        Pattern::Regex(text.parse::<Expression<FOLD>>().unwrap().compiled().clone())
    }

    fn rule(id: u64, conditions: Vec<Condition>) -> Rule {
        let (id, action) = (ListenerRuleId::from_bits(id), Action::Dangling);
        Rule { id, priority: None, conditions, gate: None, action, transforms: None }
    }

    #[test]
    fn conditions_table() {
        let glob = Glob::any_case;
        let host = |text| Condition::HostHeader(vec![Pattern::Glob(glob(text))]);
        let path = |text| Condition::PathPattern(vec![Pattern::Glob(Glob::exact_case(text))]);
        let header = |text| Condition::HttpHeader("x-tier".to_owned(), vec![Pattern::Glob(glob(text))]);
        let regex_path = |text: &str| Condition::PathPattern(vec![expression::<false>(text)]);
        let regex_host = |text: &str| Condition::HostHeader(vec![expression::<true>(text)]);
        let query = |key: Option<&str>, value| Condition::QueryString(vec![(key.map(glob), glob(value))]);
        let rows = [
            (host("api.EXAMPLE.com"), "/", true),
            (host("*.example.com"), "/", true),
            (host("example.com"), "/", false),
            (path("/img/*"), "/img/a?x=1", true),
            (path("/IMG/*"), "/img/a", false),
            (path("/admin"), "/img/../admin", true),
            (path("/img/*"), "/img/../admin", false),
            (path("/users/@me"), "/users/%40me", true),
            (path("/caf%C3%A9"), "/ca%66%c3%a9", true),
            (regex_path("^/v[0-9]+/users$"), "/v12/users?x=1", true),
            (regex_path("^/V[0-9]+"), "/v1", false),
            (regex_path("/admin$"), "/img/../ad%6Din", true),
            (regex_path("dmi"), "/admin", true),
            (regex_host(r"^API\.example\.(com|org)$"), "/", true),
            (regex_host(r"^www\."), "/", false),
            (header("silver"), "/", true),
            (header("bronze"), "/", false),
            (Condition::Method(vec!["POST".into(), "GET".into()]), "/", true),
            (Condition::Method(vec!["get".into()]), "/", false),
            (query(Some("v"), "2"), "/?a=1&V=2", true),
            (query(None, "1"), "/?a=1", true),
            (query(Some("a"), "2"), "/?a=1", false),
            (Condition::SourceIp(vec!["10.0.0.0/24".parse().unwrap()]), "/", true),
            (Condition::SourceIp(vec!["10.0.1.0/24".parse().unwrap()]), "/", false),
        ];
        for (condition, target, expected) in rows {
            let name = format!("{condition:?} on {target}");
            let rules = Rules::from(vec![rule(1, vec![condition]), rule(2, Vec::new())]);
            let found = find(&rules, &told(target)).map(|rule| rule.id);
            let wanted = ListenerRuleId::from_bits(if expected { 1 } else { 2 });
            assert_eq!(found, Some(wanted), "{name}");
            let ids: Vec<_> = candidates(&rules, &told(target)).iter().map(|rule| rule.id).collect();
            assert_eq!(ids, [wanted], "{name}: what is known is decided once");
            let ids: Vec<_> = candidates(&rules, &NOTHING).iter().map(|rule| rule.id).collect();
            assert_eq!(ids.len(), 2, "{name}: it may hold, and may not, where nothing is known");
        }
    }

    #[test]
    fn many_rules_are_found_as_if_each_was_looked_at() {
        let globs = ["/img/*", "/users/@me", "/a*", "*", "/", "/img/../*", "/caf%C3%A9", "/users/?me", "/x", "*.png"];
        let paths = ["/img/a.png", "/users/%40me", "/ab", "/img/../admin", "/ca%66%c3%a9", "/", "/x?q=1", "/zz"];
        let hosts = ["api.example.com", "*.example.com", "other.example.com"];
        // Numbers that repeat only after all of them were had.
        let mut state = 1u32;
        let mut below = |bound: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % bound
        };
        for _ in 0..2_000 {
            let mut list: Vec<Rule> = (1..below(40) as u64)
                .map(|id| {
                    let path = |text: &str| Pattern::Glob(Glob::exact_case(text));
                    let mut conditions = Vec::new();
                    if below(4) > 0 {
                        let patterns = (0..=below(2)).map(|_| path(globs[below(globs.len())])).collect();
                        conditions.push(Condition::PathPattern(patterns));
                    }
                    if below(3) == 0 {
                        conditions.push(Condition::HostHeader(vec![Pattern::Glob(Glob::any_case(hosts[below(3)]))]));
                    }
                    if conditions.is_empty() || below(5) == 0 {
                        conditions.push(Condition::Method(vec![["GET", "POST"][below(2)].to_owned()]));
                    }
                    rule(id, conditions)
                })
                .collect();
            list.push(rule(0, Vec::new()));
            let rules = Rules::from(list);
            for target in paths {
                let head = told(target);
                let seen = Seen::of(&head);
                let wanted = rules.iter().find(|rule| seen.all(rule) == Holds::Yes);
                assert_eq!(find(&rules, &head), wanted, "{target} of {rules:?}");
            }
        }
    }

    #[test]
    fn what_is_known_rules_out_although_the_rest_is_not() {
        let get = Condition::Method(vec!["GET".into()]);
        let host = Condition::HostHeader(vec![Pattern::Glob(Glob::any_case("a"))]);
        let rules = [rule(1, vec![get.clone(), host.clone()]), rule(2, vec![get]), rule(3, Vec::new())];
        let ids = |head: &Told| candidates(&rules, head).iter().map(|rule| rule.id).collect::<Vec<_>>();
        let id = ListenerRuleId::from_bits;
        assert_eq!(ids(&Told { method: Some("GET"), ..NOTHING }), [id(1), id(2)]);
        assert_eq!(ids(&Told { method: Some("PUT"), ..NOTHING }), [id(3)]);
        assert_eq!(ids(&Told { host: Some("b"), ..NOTHING }), [id(2), id(3)]);
    }
}
