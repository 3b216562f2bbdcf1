//! Managed prefix lists: those of customers and AWS's own, which every operation sees alike.

use std::sync::Arc;

use topology::id::PrefixListId;
use topology::net::{Family, IpNet};
use topology::resource::Tags;
use topology::resource::prefix_list::{PrefixList, PrefixListEntry};
use topology::resource::security_group::RulePeer;
use wire::Fault;
use wire::ec2 as shapes;

use super::aws_prefix_list::{self, AwsPrefixList};
use super::filters::one;
use super::select::Filters;
use super::{fault, select, tags};
use crate::context::Context;
use std::borrow::Cow;

/// Entries of a list: 1000 at most (VPC quotas, 2026-11).
const ENTRIES_MAX: u32 = 1000;

/// A list, whoever made it.
#[derive(Debug, Clone)]
pub(super) enum Listed {
    /// AWS's own.
    Aws(AwsPrefixList),
    /// A customer's.
    Customer(Arc<PrefixList>),
}

impl Listed {
    pub(super) fn id(&self) -> PrefixListId {
        match self {
            Self::Aws(list) => list.id,
            Self::Customer(list) => list.id,
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Aws(list) => &list.name,
            Self::Customer(list) => &list.name,
        }
    }

    pub(super) fn owner(&self, context: &Context<'_>) -> String {
        match self {
            Self::Aws(_) => "AWS".to_owned(),
            Self::Customer(_) => context.account().to_string(),
        }
    }

    pub(super) fn tags(&self) -> Tags {
        match self {
            Self::Aws(_) => Tags::new(),
            Self::Customer(list) => list.tags.clone(),
        }
    }

    fn entries(&self) -> &[PrefixListEntry] {
        match self {
            Self::Aws(_) => &[],
            Self::Customer(list) => &list.entries,
        }
    }
}

fn of_aws(context: &Context<'_>) -> impl Iterator<Item = Listed> {
    aws_prefix_list::all(context.region()).into_iter().map(Listed::Aws)
}

/// The list that an id names.
pub(super) fn known(context: &Context<'_>, id: &str) -> Result<Listed, Fault> {
    match of_aws(context).find(|list| list.id().to_string() == id) {
        Some(list) => Ok(list),
        None => select::known(&context.estate().prefix_lists, id, fault::PREFIX_LIST).map(Listed::Customer),
    }
}

/// A list that its owner may change.
fn own(context: &Context<'_>, id: &str) -> Result<Arc<PrefixList>, Fault> {
    match known(context, id)? {
        Listed::Customer(list) => Ok(list),
        Listed::Aws(list) => Err(fault::new(
            "OperationNotPermitted",
            format!("The prefix list '{}' is managed by AWS and may not be changed or deleted.", list.id),
        )),
    }
}

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateManagedPrefixListRequest,
) -> Result<shapes::ManagedPrefixList, Fault> {
    let family = match input.address_family.as_str() {
        "IPv4" => Family::Ipv4,
        "IPv6" => Family::Ipv6,
        other => return Err(fault::invalid_value(format!("Value ({other}) for parameter addressFamily is invalid"))),
    };
    if input.prefix_list_name.starts_with("com.amazonaws") || input.prefix_list_name.is_empty() {
        return Err(fault::invalid_value("The prefix list name is not valid"));
    }
    let id = PrefixListId::from_bits(context.mint.wide());
    let entries =
        input.entries.unwrap_or_default().into_iter().map(|new| entry(new, family)).collect::<Result<Vec<_>, _>>()?;
    let list = PrefixList {
        id,
        name: input.prefix_list_name,
        max_entries: parse_max(input.max_entries)?,
        family,
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

fn entry(input: shapes::AddPrefixListEntry, family: Family) -> Result<PrefixListEntry, Fault> {
    let cidr = input.cidr.parse::<IpNet>().ok().filter(|cidr| Family::of_block(cidr) == family);
    let cidr = cidr.ok_or_else(|| fault::invalid_value(format!("The CIDR {} is not valid", input.cidr)))?.trunc();
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
    let before = own(context, &input.prefix_list_id)?;
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
        let new = entry(new, list.family)?;
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
    let list = own(context, id)?;
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

/// Those that ids name, or all.
fn listed(context: &Context<'_>, ids: Option<Vec<String>>) -> Result<Vec<Listed>, Fault> {
    match ids.filter(|ids| !ids.is_empty()) {
        Some(ids) => ids.iter().map(|id| known(context, id)).collect(),
        None => {
            let customers = context.estate().prefix_lists.values().map(|list| Listed::Customer(Arc::clone(list)));
            Ok(of_aws(context).chain(customers).collect())
        }
    }
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::ManagedPrefixList>, Fault> {
    let found = listed(context, ids)?;
    let kept = MANAGED_PREFIX_LISTS.apply(context, found, wanted)?;
    let shape = |list: &Listed| match list {
        Listed::Aws(list) => render_aws(context, list),
        Listed::Customer(list) => render(context, list),
    };
    Ok(kept.iter().map(shape).collect())
}

pub(super) fn entries(
    context: &Context<'_>,
    input: &shapes::GetManagedPrefixListEntriesRequest,
) -> Result<Vec<shapes::PrefixListEntry>, Fault> {
    let list = known(context, &input.prefix_list_id)?;
    if let (Listed::Customer(list), Some(version)) = (&list, input.target_version)
        && u64::try_from(version) != Ok(list.version)
    {
        return Err(fault::unsupported("a version of a prefix list other than the current one"));
    }
    let shape = |entry: &PrefixListEntry| shapes::PrefixListEntry {
        cidr: Some(entry.cidr.to_string()),
        description: entry.description.clone(),
    };
    Ok(list.entries().iter().map(shape).collect())
}

/// The older operation, which speaks of AWS's lists alone.
pub(super) fn describe_services(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::PrefixList>, Fault> {
    let found = match ids.filter(|ids| !ids.is_empty()) {
        None => of_aws(context).collect(),
        Some(ids) => {
            let one = |id: &String| match known(context, id)? {
                Listed::Customer(_) => Err(fault::PREFIX_LIST.unknown(id)),
                list => Ok(list),
            };
            ids.iter().map(one).collect::<Result<Vec<_>, Fault>>()?
        }
    };
    let kept = PREFIX_LISTS.apply(context, found, wanted)?;
    let shape = |list: Listed| shapes::PrefixList {
        cidrs: Some(list.entries().iter().map(|entry| entry.cidr.to_string()).collect()),
        prefix_list_id: Some(list.id().to_string()),
        prefix_list_name: Some(list.name().to_owned()),
    };
    Ok(kept.into_iter().map(shape).collect())
}

/// AWS shows neither a size nor a version of its own lists.
fn render_aws(context: &Context<'_>, list: &AwsPrefixList) -> shapes::ManagedPrefixList {
    shapes::ManagedPrefixList {
        address_family: Some("IPv4".to_owned()),
        owner_id: Some("AWS".to_owned()),
        prefix_list_arn: Some(format!("arn:aws:ec2:{}:aws:prefix-list/{}", context.region(), list.id)),
        prefix_list_id: Some(list.id.to_string()),
        prefix_list_name: Some(list.name.clone()),
        state: Some("create-complete".to_owned()),
        tags: Some(Vec::new()),
        ..Default::default()
    }
}

fn render(context: &Context<'_>, list: &PrefixList) -> shapes::ManagedPrefixList {
    let state = if list.version > 1 { "modify-complete" } else { "create-complete" };
    shapes::ManagedPrefixList {
        address_family: Some(list.family.to_string()),
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
    of_aws(context).find(|list| list.name() == service).map(|list| list.id())
}

const MANAGED_PREFIX_LISTS: Filters<Listed> = Filters {
    by: &[
        ("owner-id", |context, list| one(list.owner(context))),
        ("prefix-list-id", |_, list| one(list.id())),
        ("prefix-list-name", |_, list| one(list.name())),
    ],
    tags: Some(|list| Cow::Owned(list.tags())),
};

const PREFIX_LISTS: Filters<Listed> = Filters {
    by: &[("prefix-list-id", |_, list| one(list.id())), ("prefix-list-name", |_, list| one(list.name()))],
    tags: None,
};
