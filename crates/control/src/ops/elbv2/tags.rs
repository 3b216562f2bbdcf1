//! Tags of load balancers, listeners, rules, target groups and trust stores.

use topology::resource::Tags;
use wire::Fault;
use wire::elbv2 as shapes;

use super::fault::{self, FoundRule};
use crate::context::Context;

/// Tags of a resource: 50 at most (ELBv2 API reference, AddTags, 2026-11).
const TAGS_MAX: usize = 50;

/// Tags as a request lists them.
pub(super) fn parse(tags: Option<Vec<shapes::Tag>>) -> Result<Tags, Fault> {
    let mut parsed = Tags::new();
    for tag in tags.unwrap_or_default() {
        if tag.key.starts_with("aws:") {
            return Err(fault::validation("aws: prefixed tag key names are not allowed for external use."));
        }
        if parsed.insert(tag.key.clone(), tag.value.unwrap_or_default()).is_some() {
            return Err(Fault::new(
                "DuplicateTagKeys",
                400,
                format!("A tag key was specified more than once: {}", tag.key),
            ));
        }
    }
    check_count(&parsed)?;
    Ok(parsed)
}

fn check_count(tags: &Tags) -> Result<(), Fault> {
    if tags.len() > TAGS_MAX {
        return Err(Fault::new("TooManyTags", 400, "You've reached the limit on the number of tags per resource"));
    }
    Ok(())
}

pub(super) fn describe(context: &Context<'_>, arns: &[String]) -> Result<Vec<shapes::TagDescription>, Fault> {
    arns.iter()
        .map(|arn| {
            let tags = of(context, arn)?;
            let tags = tags.into_iter().map(|(key, value)| shapes::Tag { key, value: Some(value) }).collect();
            Ok(shapes::TagDescription { resource_arn: Some(arn.clone()), tags: Some(tags) })
        })
        .collect()
}

pub(super) fn add(context: &mut Context<'_>, arns: &[String], tags: Vec<shapes::Tag>) -> Result<(), Fault> {
    let more = parse(Some(tags))?;
    for arn in arns {
        let mut tags = of(context, arn)?;
        tags.extend(more.clone());
        check_count(&tags)?;
        put(context, arn, tags)?;
    }
    Ok(())
}

pub(super) fn remove(context: &mut Context<'_>, arns: &[String], keys: &[String]) -> Result<(), Fault> {
    for arn in arns {
        let mut tags = of(context, arn)?;
        tags.retain(|key, _| !keys.contains(key));
        put(context, arn, tags)?;
    }
    Ok(())
}

fn of(context: &Context<'_>, arn: &str) -> Result<Tags, Fault> {
    match kind(arn) {
        Kind::Balancer => fault::balancer(context, arn).map(|found| found.tags.clone()),
        Kind::Listener => fault::listener(context, arn).map(|found| found.tags.clone()),
        Kind::Group => fault::group(context, arn).map(|found| found.tags.clone()),
        Kind::Rule => fault::rule(context, arn).map(|found| match found {
            FoundRule::Rule(rule) => rule.tags.clone(),
            // A default rule has no tags of its own.
            FoundRule::Default(_) => Tags::new(),
        }),
        Kind::TrustStore => fault::trust_store(context, arn).map(|found| found.tags.clone()),
    }
}

fn put(context: &mut Context<'_>, arn: &str, tags: Tags) -> Result<(), Fault> {
    match kind(arn) {
        Kind::Balancer => {
            let id = fault::balancer(context, arn)?.id;
            if let Some(found) = context.edit().load_balancers.edit(&id) {
                found.tags = tags;
            }
        }
        Kind::Listener => {
            let id = fault::listener(context, arn)?.id;
            if let Some(found) = context.edit().listeners.edit(&id) {
                found.tags = tags;
            }
        }
        Kind::Group => {
            let id = fault::group(context, arn)?.id;
            if let Some(found) = context.edit().target_groups.edit(&id) {
                found.tags = tags;
            }
        }
        Kind::TrustStore => {
            let id = fault::trust_store(context, arn)?.id;
            if let Some(found) = context.edit().trust_stores.edit(&id) {
                found.tags = tags;
            }
        }
        Kind::Rule => match fault::rule(context, arn)? {
            FoundRule::Rule(rule) => {
                if let Some(found) = context.edit().listener_rules.edit(&rule.id) {
                    found.tags = tags;
                }
            }
            FoundRule::Default(_) => {
                return Err(Fault::new("OperationNotPermitted", 400, "A default rule cannot be tagged"));
            }
        },
    }
    Ok(())
}

enum Kind {
    Balancer,
    Listener,
    Rule,
    Group,
    TrustStore,
}

fn kind(arn: &str) -> Kind {
    if arn.contains(":listener-rule/") {
        Kind::Rule
    } else if arn.contains(":listener/") {
        Kind::Listener
    } else if arn.contains(":targetgroup/") {
        Kind::Group
    } else if arn.contains(":truststore/") {
        Kind::TrustStore
    } else {
        Kind::Balancer
    }
}
