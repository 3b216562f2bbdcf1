//! Finds the rule of a request: the first whose conditions all hold; the default rule has none (ALB user guide, "Condition
//! types for listener rules", 2026-11). A pure function of the listener and the head.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use http::Request;
use http::header::HOST;
use topology::snapshot::balancer::{Condition, Glob, Listener, Rule};
use topology::spelling::canonical;

use crate::gateway::mapping::pairs;
use crate::http::path;

/// The part of a request that conditions look at.
struct Seen<'r, B> {
    request: &'r Request<B>,
    host: &'r [u8],
    path: Cow<'r, str>,
    source: IpAddr,
}

/// The rule of a request that came from `source`.
pub(crate) fn find<'w, B>(listener: &'w Listener, request: &Request<B>, source: Ipv4Addr) -> Option<&'w Rule> {
    if let [only] = listener.rules.as_slice()
        && only.conditions.is_empty()
    {
        return Some(only);
    }
    let host = request.headers().get(HOST).map_or(&b""[..], |host| host.as_bytes());
    let host = host.split(|byte| *byte == b':').next().unwrap_or_default();
    let seen = Seen { request, host, path: path::normal(request.uri().path()), source: IpAddr::V4(source) };
    listener.rules.iter().find(|rule| rule.conditions.iter().all(|condition| seen.holds(condition)))
}

impl<B> Seen<'_, B> {
    fn holds(&self, condition: &Condition) -> bool {
        let any = |globs: &[Glob], text: &[u8]| globs.iter().any(|glob| glob.matches(text));
        match condition {
            Condition::HostHeader(globs) => any(globs, self.host),
            // In either spelling, so that no escape leads past a rule.
            Condition::PathPattern(globs) => {
                any(globs, self.path.as_bytes()) || any(globs, canonical(&self.path).as_bytes())
            }
            Condition::HttpHeader(name, globs) => {
                self.request.headers().get_all(name.as_str()).iter().any(|value| any(globs, value.as_bytes()))
            }
            Condition::Method(methods) => methods.iter().any(|method| method == self.request.method().as_str()),
            Condition::QueryString(wanted) => {
                pairs(self.request.uri().query().unwrap_or_default()).any(|(key, value)| {
                    wanted.iter().any(|(key_glob, value_glob)| {
                        key_glob.as_ref().is_none_or(|glob| glob.matches(key.as_bytes()))
                            && value_glob.matches(value.as_bytes())
                    })
                })
            }
            Condition::SourceIp(blocks) => blocks.iter().any(|block| block.contains(&self.source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(condition: Condition, target: &str) -> bool {
        let request = Request::builder()
            .method("GET")
            .uri(target)
            .header("host", "API.example.com:8080")
            .header("x-tier", "gold")
            .header("x-tier", "Silver")
            .body(())
            .unwrap();
        let source = IpAddr::V4("10.0.0.4".parse().unwrap());
        let seen =
            Seen { request: &request, host: b"API.example.com", path: path::normal(request.uri().path()), source };
        seen.holds(&condition)
    }

    #[test]
    fn conditions_table() {
        let any = Glob::any_case;
        let host = |text| Condition::HostHeader(vec![any(text)]);
        let path = |text| Condition::PathPattern(vec![Glob::exact_case(text)]);
        let header = |text| Condition::HttpHeader("x-tier".to_owned(), vec![any(text)]);
        let query = |key: Option<&str>, value| Condition::QueryString(vec![(key.map(any), any(value))]);
        let rows = [
            (host("api.EXAMPLE.com"), "/", true),
            (host("*.example.com"), "/", true),
            (host("example.com"), "/", false),
            (path("/img/*"), "/img/a?x=1", true),
            (path("/IMG/*"), "/img/a", false),
            (path("/admin"), "/img/../admin", true),
            (path("/img/*"), "/img/../admin", false),
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
            assert_eq!(holds(condition, target), expected, "{name}");
        }
    }
}
