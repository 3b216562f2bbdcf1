//! Compiles custom domain names with their mappings and routing rules, each list in the order in which it is asked.

use std::collections::HashMap;
use std::sync::Arc;

use crate::estate::RealmEstate;
use crate::id::HostName;
use crate::resource::domain::{ApiMapping, DomainName, RoutingCondition, RoutingRule};
use crate::snapshot::Problem;
use crate::snapshot::domain::{Domain, Mapping, Rule};
use crate::snapshot::pattern::Glob;

pub(super) fn compile(estate: &RealmEstate) -> Vec<Domain> {
    let mut mappings: HashMap<&HostName, Vec<Mapping>> = HashMap::new();
    for resource in estate.api_mappings.values() {
        mappings.entry(&resource.domain_name).or_default().push(mapping(resource));
    }
    let mut rules: HashMap<&HostName, Vec<(u32, Rule)>> = HashMap::new();
    for resource in estate.routing_rules.values() {
        rules.entry(&resource.domain_name).or_default().push((resource.priority, rule(resource)));
    }
    let mut compiled = |resource: &Arc<DomainName>| {
        let certificate = estate.certificate(&resource.certificate_arn).cloned();
        let gone = || Problem::gone(&resource.name, &resource.certificate_arn);
        let problem = certificate.is_none().then(gone);
        let mut mappings = mappings.remove(&resource.name).unwrap_or_default();
        mappings.sort_by_key(|mapping| std::cmp::Reverse((!mapping.key.is_empty(), segments(&mapping.key))));
        let mut rules = rules.remove(&resource.name).unwrap_or_default();
        rules.sort_by_key(|(priority, _)| *priority);
        Domain {
            name: resource.name.clone(),
            certificate,
            trust: resource.mutual_tls.as_ref().map(|mutual| Arc::clone(&mutual.bundle)),
            mode: resource.routing_mode,
            mappings,
            rules: rules.into_iter().map(|(_, rule)| rule).collect(),
            problem,
        }
    };
    estate.domain_names.values().map(&mut compiled).collect()
}

fn segments(key: &str) -> usize {
    key.split('/').count()
}

fn mapping(resource: &ApiMapping) -> Mapping {
    Mapping { id: resource.id, key: resource.key.clone(), api: resource.api, stage: resource.stage.clone() }
}

fn rule(resource: &RoutingRule) -> Rule {
    let glob = |(name, value): &(String, String)| (name.to_ascii_lowercase(), Glob::stars(value));
    let mut compiled = Rule {
        id: resource.id,
        headers: Vec::new(),
        base_paths: Vec::new(),
        api: resource.api,
        stage: resource.stage.clone(),
        strip_base_path: resource.strip_base_path,
    };
    for condition in &resource.conditions {
        match condition {
            RoutingCondition::Headers(any_of) => compiled.headers.push(any_of.iter().map(glob).collect()),
            RoutingCondition::BasePaths(any_of) => compiled.base_paths.extend(any_of.iter().cloned()),
        }
    }
    // The longest first, as with mappings.
    compiled.base_paths.sort_by_key(|base| std::cmp::Reverse(segments(base)));
    compiled
}
