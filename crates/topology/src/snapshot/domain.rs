//! Custom domain names of one realm, compiled: the certificate that is presented, whom it trusts, and which stage a path leads
//! to. Bytes of certificates pass through unread: `plane` makes keys of them.

use std::sync::Arc;

use super::Problem;
use super::pattern::Glob;
use crate::id::{ApiId, ApiMappingId, HostName, RoutingRuleId, StageName};
use crate::resource::certificate::Certificate;
use crate::resource::domain::RoutingMode;
use crate::spelling::canonical;

/// A custom domain name.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    /// The name in lower case; `*.` and a name stands for one label more.
    pub name: HostName,
    /// What it presents; `None` when that is gone.
    pub certificate: Option<Arc<Certificate>>,
    /// The certificates that clients' certificates must lead to, in PEM; `None` asks for no certificate.
    pub trust: Option<Arc<str>>,
    /// How requests find their API.
    pub mode: RoutingMode,
    /// The mappings, the one with the most segments first and the catch-all last.
    pub mappings: Vec<Mapping>,
    /// The routing rules, the lowest priority first.
    pub rules: Vec<Rule>,
    /// That its certificate is gone.
    pub problem: Option<Problem>,
}

/// An API mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Its id.
    pub id: ApiMappingId,
    /// Its key; empty catches all.
    pub key: String,
    /// The API.
    pub api: ApiId,
    /// The stage.
    pub stage: StageName,
}

/// A routing rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its id.
    pub id: RoutingRuleId,
    /// All must hold; within one, any header will do: the name in lower case and a pattern of the value.
    pub headers: Vec<Vec<(String, Glob)>>,
    /// One must be what the path begins with; empty asks for none.
    pub base_paths: Vec<String>,
    /// The API.
    pub api: ApiId,
    /// The stage.
    pub stage: StageName,
    /// Whether the base path that matched is taken away.
    pub strip_base_path: bool,
}

/// Where a request to a domain name goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination<'d> {
    /// The API.
    pub api: ApiId,
    /// The stage.
    pub stage: &'d StageName,
    /// The mapping key or base path that matched; empty for a catch-all.
    pub base_path: &'d str,
    /// How many bytes of the path are taken away.
    pub stripped: usize,
}

/// What remains of `path` after `key`, which must be whole segments of it, however they are spelled: how many bytes those and
/// their slash take.
fn prefix_len(path: &str, key: &str) -> Option<usize> {
    if key.is_empty() {
        return Some(0);
    }
    let rest = path.strip_prefix('/')?;
    let after = rest.match_indices('/').nth(key.matches('/').count());
    let length = after.map_or(rest.len(), |(at, _)| at);
    (canonical(rest.get(..length)?) == canonical(key)).then_some(length + 1)
}

impl Domain {
    /// Where a path with these headers goes; `header` gives each value of a header by its lower-case name.
    pub fn destination<'h, H>(&self, path: &str, header: impl Fn(&str) -> H) -> Option<Destination<'_>>
    where
        H: Iterator<Item = &'h [u8]>,
    {
        let by_rule = || self.rules.iter().find_map(|rule| rule.destination(path, &header));
        let by_mapping = || self.mappings.iter().find_map(|mapping| mapping.destination(path));
        match self.mode {
            RoutingMode::ApiMappingOnly => by_mapping(),
            RoutingMode::RoutingRuleOnly => by_rule(),
            RoutingMode::RoutingRuleThenApiMapping => by_rule().or_else(by_mapping),
        }
    }
}

impl Mapping {
    fn destination(&self, path: &str) -> Option<Destination<'_>> {
        let stripped = prefix_len(path, &self.key)?;
        Some(Destination { api: self.api, stage: &self.stage, base_path: &self.key, stripped })
    }
}

impl Rule {
    fn destination<'h, H>(&self, path: &str, header: &impl Fn(&str) -> H) -> Option<Destination<'_>>
    where
        H: Iterator<Item = &'h [u8]>,
    {
        let fits = |(name, glob): &(String, Glob)| header(name).any(|value| glob.matches(value));
        if !self.headers.iter().all(|any_of| any_of.iter().any(fits)) {
            return None;
        }
        let (base_path, length) = if self.base_paths.is_empty() {
            ("", 0)
        } else {
            self.base_paths.iter().find_map(|base| Some((base.as_str(), prefix_len(path, base)?)))?
        };
        let stripped = if self.strip_base_path { length } else { 0 };
        Some(Destination { api: self.api, stage: &self.stage, base_path, stripped })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> Domain {
        let mapping = |at: u64, key: &str| Mapping {
            id: ApiMappingId::from_bits(at),
            key: key.to_owned(),
            api: ApiId::from_bits(at),
            stage: "prod".parse().unwrap(),
        };
        let beta = Rule {
            id: RoutingRuleId::from_bits(1),
            headers: vec![vec![("x-version".to_owned(), Glob::exact_case("beta*"))]],
            base_paths: vec!["v1".to_owned()],
            api: ApiId::from_bits(9),
            stage: "beta".parse().unwrap(),
            strip_base_path: true,
        };
        Domain {
            name: "api.example.com".parse().unwrap(),
            certificate: None,
            trust: None,
            mode: RoutingMode::ApiMappingOnly,
            mappings: vec![mapping(1, "v1/orders"), mapping(2, "v1"), mapping(3, "")],
            rules: vec![beta],
            problem: None,
        }
    }

    #[test]
    fn the_mapping_with_the_most_segments_wins_and_counts_whole_segments() {
        let domain = domain();
        for (path, api, stripped) in [
            ("/v1/orders/7", 1, 10),
            ("/v1/orders", 1, 10),
            ("/v1/ordersX", 2, 3),
            ("/v1", 2, 3),
            ("/v12", 3, 0),
            ("/%761/orders/7", 1, 12),
            ("/v%31/x", 2, 5),
            ("/", 3, 0),
        ] {
            let found = domain.destination(path, |_| std::iter::empty()).unwrap();
            assert_eq!((found.api, found.stripped), (ApiId::from_bits(api), stripped), "{path}");
        }
    }

    #[test]
    fn rules_ask_for_headers_and_base_paths_and_then_mappings_may_follow() {
        let mut domain = domain();
        let beta = |_: &str| std::iter::once(&b"beta-2"[..]);
        let none = |_: &str| std::iter::once(&b"stable"[..]);
        domain.mode = RoutingMode::RoutingRuleThenApiMapping;
        assert_eq!(domain.destination("/v1/x", beta).map(|d| (d.stage.as_str(), d.stripped)), Some(("beta", 3)));
        assert_eq!(domain.destination("/v1/x", none).map(|d| d.stage.as_str()), Some("prod"));
        assert_eq!(domain.destination("/v2/x", beta).map(|d| d.api), Some(ApiId::from_bits(3)));
        domain.mode = RoutingMode::RoutingRuleOnly;
        assert_eq!(domain.destination("/v2/x", beta), None);
    }
}
