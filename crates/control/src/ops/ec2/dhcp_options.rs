//! Sets of DHCP options: records, for nothing here asks for an address. The region's own set is always there, and says what
//! the region says.

use std::sync::Arc;

use topology::id::DhcpOptionsId;
use topology::names::private_domain;
use topology::resource::vpc::{DhcpConfiguration, DhcpOptions, Vpc};
use wire::Fault;
use wire::ec2 as shapes;

use super::filters::{each, one, owner};
use super::select::Filters;
use super::{fault, select, tags};
use crate::context::Context;
use std::borrow::Cow;

/// What a VPC says, and a request asks for, where it has no set.
const NONE: &str = "default";

/// The options that a set may hold (VPC user guide, "DHCP option sets", 2026-11).
const KEYS: [&str; 6] = [
    "domain-name",
    "domain-name-servers",
    "ipv6-address-preferred-lease-time",
    "netbios-name-servers",
    "netbios-node-type",
    "ntp-servers",
];

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateDhcpOptionsRequest,
) -> Result<shapes::DhcpOptions, Fault> {
    let configurations = input.dhcp_configurations.into_iter().map(configuration).collect::<Result<Vec<_>, _>>()?;
    if configurations.is_empty() {
        return Err(fault::missing("dhcpConfiguration"));
    }
    let tags = tags::at_creation(input.tag_specifications, "dhcp-options")?;
    let id = DhcpOptionsId::from_bits(context.mint.wide());
    let options = DhcpOptions { id, configurations, tags };
    let shape = render(context, &options);
    context.edit().dhcp_options.insert(id, options);
    Ok(shape)
}

fn configuration(input: shapes::NewDhcpConfiguration) -> Result<DhcpConfiguration, Fault> {
    let key = input.key.unwrap_or_default();
    if !KEYS.contains(&key.as_str()) {
        return Err(fault::invalid_value(format!("Value ({key}) for parameter name is invalid. Unknown DHCP option")));
    }
    let values = input.values.unwrap_or_default();
    if values.is_empty() {
        return Err(fault::invalid_value(format!("Value () for parameter value is invalid. {key} has no value")));
    }
    Ok(DhcpConfiguration { key, values })
}

pub(super) fn associate(context: &mut Context<'_>, input: &shapes::AssociateDhcpOptionsRequest) -> Result<(), Fault> {
    let vpc = select::known(&context.estate().vpcs, &input.vpc_id, fault::VPC)?.id;
    let options = match input.dhcp_options_id.as_str() {
        NONE => None,
        id => Some(select::known(&context.estate().dhcp_options, id, fault::DHCP_OPTIONS)?.id),
    };
    if let Some(vpc) = context.edit().vpcs.edit(&vpc) {
        vpc.dhcp_options = options;
    }
    Ok(())
}

/// The region's own set stays (`docs/differences-from-aws.md`).
pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let options = select::known(&context.estate().dhcp_options, id, fault::DHCP_OPTIONS)?;
    let used = context.estate().vpcs.values().any(|vpc| vpc.dhcp_options == Some(options.id));
    if used || options.is_regions_own() {
        return Err(fault::dependency("dhcpOptions", id));
    }
    context.edit().dhcp_options.remove(&options.id);
    Ok(())
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::DhcpOptions>, Fault> {
    let found = select::by_ids(&context.estate().dhcp_options, ids, fault::DHCP_OPTIONS)?;
    let kept = DHCP_OPTIONS.apply(context, found, wanted)?;
    Ok(kept.iter().map(|options: &Arc<DhcpOptions>| render(context, options)).collect())
}

/// The set of a VPC as answers name it.
pub(super) fn of(vpc: &Vpc) -> String {
    vpc.dhcp_options.map_or_else(|| NONE.to_owned(), |id| id.to_string())
}

/// What a set says.
pub(super) fn configurations(context: &Context<'_>, options: &DhcpOptions) -> Vec<DhcpConfiguration> {
    if !options.is_regions_own() {
        return options.configurations.clone();
    }
    let domain = private_domain(context.region());
    let one = |key: &str, value: String| DhcpConfiguration { key: key.to_owned(), values: vec![value] };
    vec![one("domain-name", domain), one("domain-name-servers", "AmazonProvidedDNS".to_owned())]
}

fn render(context: &Context<'_>, options: &DhcpOptions) -> shapes::DhcpOptions {
    let shape = |one: DhcpConfiguration| shapes::DhcpConfiguration {
        key: Some(one.key),
        values: Some(one.values.into_iter().map(|value| shapes::AttributeValue { value: Some(value) }).collect()),
    };
    shapes::DhcpOptions {
        dhcp_configurations: Some(configurations(context, options).into_iter().map(shape).collect()),
        dhcp_options_id: Some(options.id.to_string()),
        owner_id: Some(context.account().to_string()),
        tags: tags::render(&options.tags),
    }
}

const DHCP_OPTIONS: Filters<Arc<DhcpOptions>> = Filters {
    by: &[
        ("dhcp-options-id", |_, options| one(options.id)),
        ("key", |context, options| each(configurations(context, options).into_iter().map(|one| one.key))),
        ("value", |context, options| configurations(context, options).into_iter().flat_map(|one| one.values).collect()),
        ("owner-id", owner),
    ],
    tags: Some(|options| Cow::Borrowed(&options.tags)),
};
