//! Managed prefix lists, and the two lists of AWS's own that gateway endpoints have.

use std::sync::Arc;

use topology::id::PrefixListId;
use topology::resource::prefix_list::{PrefixList, PrefixListEntry};
use topology::resource::security_group::RulePeer;
use wire::Fault;
use wire::ec2 as shapes;

use super::select::{self, Filters};
use super::{fault, tags};
use crate::context::Context;

/// Entries of a list: 1000 at most (VPC quotas, 2026-11).
const ENTRIES_MAX: u32 = 1000;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateManagedPrefixListRequest,
) -> Result<shapes::ManagedPrefixList, Fault> {
    if input.address_family != "IPv4" {
        return Err(fault::unsupported(&format!("the address family {}", input.address_family)));
    }
    if input.prefix_list_name.starts_with("com.amazonaws") || input.prefix_list_name.is_empty() {
        return Err(fault::invalid_value("The prefix list name is not valid"));
    }
    let id = PrefixListId::from_bits(context.mint.wide());
    let entries = input.entries.unwrap_or_default().into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let list = PrefixList {
        id,
        name: input.prefix_list_name,
        max_entries: parse_max(input.max_entries)?,
        version: 1,
        entries,
        tags: tags::at_creation(input.tag_specifications, "prefix-list")?,
    };
    check(&list)?;
    let mut shape = render(context, &list);
    shape.state = Some("create-in-progress".to_owned());
    context.edit().prefix_lists.insert(id, list);
    Ok(shape)
}

fn parse_max(max: i64) -> Result<u32, Fault> {
    let within = u32::try_from(max).ok().filter(|max| (1..=ENTRIES_MAX).contains(max));
    within.ok_or_else(|| fault::invalid_value(format!("MaxEntries must be between 1 and {ENTRIES_MAX}")))
}

fn entry(input: shapes::AddPrefixListEntry) -> Result<PrefixListEntry, Fault> {
    let cidr = input.cidr.parse::<topology::net::Ipv4Net>();
    let cidr = cidr.map_err(|_| fault::invalid_value(format!("The CIDR {} is not valid", input.cidr)))?.trunc();
    Ok(PrefixListEntry { cidr, description: input.description.filter(|text| !text.is_empty()) })
}

fn check(list: &PrefixList) -> Result<(), Fault> {
    let double = list.entries.iter().enumerate().any(|(at, one)| list.entries[..at].iter().any(|o| o.cidr == one.cidr));
    if double {
        return Err(fault::invalid_value("The same CIDR must not appear multiple times"));
    }
    if list.entries.len() > list.max_entries as usize {
        return Err(fault::new(
            "PrefixListMaxEntriesExceeded",
            "You've reached the maximum number of entries for the prefix list.",
        ));
    }
    Ok(())
}

pub(super) fn modify(
    context: &mut Context<'_>,
    input: shapes::ModifyManagedPrefixListRequest,
) -> Result<shapes::ManagedPrefixList, Fault> {
    let before = select::known(&context.estate().prefix_lists, &input.prefix_list_id, fault::PREFIX_LIST)?;
    let added = input.add_entries.unwrap_or_default();
    let removed = input.remove_entries.unwrap_or_default();
    let changes_entries = !added.is_empty() || !removed.is_empty();
    let stated = input.current_version.and_then(|version| u64::try_from(version).ok());
    if changes_entries && stated != Some(before.version) {
        return Err(fault::new(
            "PrefixListVersionMismatch",
            format!("The prefix list has the incorrect version number, expected {}", before.version),
        ));
    }
    let mut list = PrefixList::clone(&before);
    for gone in removed {
        let count = list.entries.len();
        list.entries.retain(|entry| entry.cidr.to_string() != gone.cidr);
        if list.entries.len() == count {
            return Err(fault::invalid_value(format!("The CIDR {} is not in the prefix list", gone.cidr)));
        }
    }
    for new in added {
        let new = entry(new)?;
        // An entry that is added again gets the new description.
        list.entries.retain(|entry| entry.cidr != new.cidr);
        list.entries.push(new);
    }
    list.max_entries = input.max_entries.map_or(Ok(list.max_entries), parse_max)?;
    list.name = input.prefix_list_name.unwrap_or(list.name);
    list.version += u64::from(changes_entries);
    check(&list)?;
    let shape = render(context, &list);
    context.edit().prefix_lists.insert(before.id, list);
    Ok(shape)
}

pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<shapes::ManagedPrefixList, Fault> {
    let list = select::known(&context.estate().prefix_lists, id, fault::PREFIX_LIST)?;
    let estate = context.estate();
    let used = estate.security_group_rules.values().any(|rule| rule.peer == RulePeer::PrefixList(list.id))
        || estate.route_tables.values().any(|table| table.routes.iter().any(|route| route.destination == id));
    if used {
        return Err(fault::new(
            "DependencyViolation",
            format!("The prefix list '{id}' is in use and cannot be deleted."),
        ));
    }
    let mut shape = render(context, &list);
    shape.state = Some("delete-in-progress".to_owned());
    context.edit().prefix_lists.remove(&list.id);
    Ok(shape)
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    filters: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::ManagedPrefixList>, Fault> {
    let found = select::by_ids(&context.estate().prefix_lists, ids, fault::PREFIX_LIST)?;
    let names = &["owner-id", "prefix-list-id", "prefix-list-name"];
    let known = Filters { names, tags: |list: &Arc<PrefixList>| Some(&list.tags) };
    let kept = known.apply(found, filters, |list, name| {
        vec![match name {
            "owner-id" => context.account().to_string(),
            "prefix-list-id" => list.id.to_string(),
            _ => list.name.clone(),
        }]
    })?;
    Ok(kept.iter().map(|list| render(context, list)).collect())
}

pub(super) fn entries(
    context: &Context<'_>,
    input: &shapes::GetManagedPrefixListEntriesRequest,
) -> Result<Vec<shapes::PrefixListEntry>, Fault> {
    let list = select::known(&context.estate().prefix_lists, &input.prefix_list_id, fault::PREFIX_LIST)?;
    if input.target_version.is_some_and(|version| u64::try_from(version) != Ok(list.version)) {
        return Err(fault::unsupported("a version of a prefix list other than the current one"));
    }
    let shape = |entry: &PrefixListEntry| shapes::PrefixListEntry {
        cidr: Some(entry.cidr.to_string()),
        description: entry.description.clone(),
    };
    Ok(list.entries.iter().map(shape).collect())
}

/// AWS's own lists: name and id of the two services that have gateway endpoints. Their blocks are left out, for nothing of
/// AWS is reachable from here.
fn services(context: &Context<'_>) -> [(String, PrefixListId); 2] {
    let name = |service: &str| format!("com.amazonaws.{}.{service}", context.region());
    [(name("s3"), PrefixListId::from_bits(0x63a5_400a)), (name("dynamodb"), PrefixListId::from_bits(0x02cd_2c6b))]
}

pub(super) fn describe_services(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    filters: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::PrefixList>, Fault> {
    let mut all = services(context).to_vec();
    if let Some(ids) = ids.filter(|ids| !ids.is_empty()) {
        for id in &ids {
            if all.iter().all(|(_, known)| known.to_string() != *id) {
                return Err(fault::PREFIX_LIST.unknown(id));
            }
        }
        all.retain(|(_, known)| ids.contains(&known.to_string()));
    }
    let known = Filters { names: &["prefix-list-id", "prefix-list-name"], tags: |_: &(String, PrefixListId)| None };
    let kept = known.apply(all, filters, |(service, id), name| {
        vec![if name == "prefix-list-id" { id.to_string() } else { service.clone() }]
    })?;
    let shape = |(name, id): (String, PrefixListId)| shapes::PrefixList {
        cidrs: Some(Vec::new()),
        prefix_list_id: Some(id.to_string()),
        prefix_list_name: Some(name),
    };
    Ok(kept.into_iter().map(shape).collect())
}

fn render(context: &Context<'_>, list: &PrefixList) -> shapes::ManagedPrefixList {
    let state = if list.version > 1 { "modify-complete" } else { "create-complete" };
    shapes::ManagedPrefixList {
        address_family: Some("IPv4".to_owned()),
        max_entries: Some(i64::from(list.max_entries)),
        owner_id: Some(context.account().to_string()),
        prefix_list_arn: Some(format!(
            "arn:aws:ec2:{}:{}:prefix-list/{}",
            context.region(),
            context.account(),
            list.id
        )),
        prefix_list_id: Some(list.id.to_string()),
        prefix_list_name: Some(list.name.clone()),
        state: Some(state.to_owned()),
        state_message: None,
        tags: tags::render(&list.tags),
        version: i64::try_from(list.version).ok(),
    }
}

/// AWS's own list of the service that a gateway endpoint leads to.
pub(super) fn service_list(context: &Context<'_>, service: &str) -> Option<PrefixListId> {
    services(context).into_iter().find(|(name, _)| name == service).map(|(_, id)| id)
}
