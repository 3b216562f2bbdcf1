//! Tags of EC2 resources: given at creation, added and removed by id.

use topology::resource::Tags;
use wire::Fault;
use wire::ec2 as shapes;

use super::fault::{self, IdFaults};
use super::filters::some;
use super::select;
use super::select::Filters;
use crate::context::Context;
use std::borrow::Cow;

/// Tags of a resource: 50 at most (EC2 user guide, "Tag restrictions", 2026-11).
const TAGS_MAX: usize = 50;

/// The tags that a request gives to a new resource of this type.
pub(super) fn at_creation(specifications: Option<Vec<shapes::TagSpecification>>, kind: &str) -> Result<Tags, Fault> {
    let mut tags = Tags::new();
    for specification in specifications.unwrap_or_default() {
        let named = specification.resource_type.unwrap_or_default();
        if named != kind {
            return Err(fault::invalid_value(format!(
                "'{named}' is not a valid taggable resource type for this operation."
            )));
        }
        for (key, value) in pairs(specification.tags.unwrap_or_default())? {
            tags.insert(key, value);
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

fn pairs(tags: Vec<shapes::Tag>) -> Result<Vec<(String, String)>, Fault> {
    tags.into_iter()
        .map(|tag| {
            let (key, value) = (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
            let fits = (1..=127).contains(&key.chars().count()) && value.chars().count() <= 255;
            if !fits || key.starts_with("aws:") {
                return Err(fault::invalid_value(format!("Tag key '{key}' or its value is not valid: keys have 1-127 characters and do not start with aws:, values at most 255")));
            }
            Ok((key, value))
        })
        .collect()
}

fn check_count(tags: &Tags) -> Result<(), Fault> {
    if tags.len() > TAGS_MAX {
        return Err(fault::new(
            "TagLimitExceeded",
            "You have reached the maximum number of tags for this resource: 50",
        ));
    }
    Ok(())
}

/// Tags as an answer lists them.
pub(super) fn render(tags: &Tags) -> Option<Vec<shapes::Tag>> {
    let shape = |(key, value): (&String, &String)| shapes::Tag { key: Some(key.clone()), value: Some(value.clone()) };
    Some(tags.iter().map(shape).collect())
}

/// Calls a macro with each kind that can be tagged: id faults, table, type name.
macro_rules! taggable {
    ($call:ident) => {
        $call! {
            VPC vpcs "vpc",
            SUBNET subnets "subnet",
            GROUP security_groups "security-group",
            RULE security_group_rules "security-group-rule",
            INTERFACE network_interfaces "network-interface",
            INSTANCE instances "instance",
            INTERNET_GATEWAY internet_gateways "internet-gateway",
            EGRESS_ONLY_GATEWAY egress_only_internet_gateways "egress-only-internet-gateway",
            ROUTE_TABLE route_tables "route-table",
            ALLOCATION addresses "elastic-ip",
            ACL network_acls "network-acl",
            PREFIX_LIST prefix_lists "prefix-list",
            DHCP_OPTIONS dhcp_options "dhcp-options",
            ENDPOINT vpc_endpoints "vpc-endpoint",
            NAT_GATEWAY nat_gateways "natgateway",
            FLOW_LOG flow_logs "vpc-flow-log",
            PEERING vpc_peering_connections "vpc-peering-connection",
        }
    };
}

/// Edits the tags of the resource that an id names.
fn edit(context: &mut Context<'_>, id: &str, change: impl FnOnce(&mut Tags)) -> Result<(), Fault> {
    let mut change = Some(change);
    macro_rules! try_each {
        ($($faults:ident $table:ident $kind:literal,)*) => {$(
            let faults: IdFaults = fault::$faults;
            if id.starts_with(faults.prefix) {
                select::known(&context.estate().$table, id, faults)?;
                let key = id.parse().map_err(|_| faults.unknown(id))?;
                if let (Some(found), Some(change)) = (context.edit().$table.edit(&key), change.take()) {
                    change(&mut found.tags);
                    check_count(&found.tags)?;
                }
                return Ok(());
            }
        )*};
    }
    taggable!(try_each);
    Err(fault::new("InvalidID", format!("The ID '{id}' is not valid")))
}

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateTagsRequest) -> Result<(), Fault> {
    let pairs = pairs(input.tags)?;
    for id in &input.resources {
        edit(context, id, |tags| tags.extend(pairs.iter().cloned()))?;
    }
    Ok(())
}

/// Without a list, every tag goes; a tag with a value goes only if it has that value.
pub(super) fn delete(context: &mut Context<'_>, input: shapes::DeleteTagsRequest) -> Result<(), Fault> {
    for id in &input.resources {
        edit(context, id, |tags| match &input.tags {
            None => tags.clear(),
            Some(gone) => tags.retain(|key, value| {
                !gone.iter().any(|tag| tag.key.as_ref() == Some(key) && tag.value.as_ref().is_none_or(|v| v == value))
            }),
        })?;
    }
    Ok(())
}

pub(super) fn describe(
    context: &Context<'_>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::TagDescription>, Fault> {
    let mut all = Vec::new();
    macro_rules! list_each {
        ($($faults:ident $table:ident $kind:literal,)*) => {$(
            for (id, resource) in context.estate().$table.iter() {
                for (key, value) in &resource.tags {
                    all.push(shapes::TagDescription {
                        key: Some(key.clone()),
                        resource_id: Some(id.to_string()),
                        resource_type: Some($kind.to_owned()),
                        value: Some(value.clone()),
                    });
                }
            }
        )*};
    }
    taggable!(list_each);
    TAGS.apply(context, all, wanted)
}

const TAGS: Filters<shapes::TagDescription> = Filters {
    by: &[
        ("key", |_, tag| some(tag.key.as_ref())),
        ("resource-id", |_, tag| some(tag.resource_id.as_ref())),
        ("resource-type", |_, tag| some(tag.resource_type.as_ref())),
        ("value", |_, tag| some(tag.value.as_ref())),
    ],
    tags: Some(|tag| Cow::Owned(tag.key.clone().zip(tag.value.clone()).into_iter().collect::<Tags>())),
};
