//! Network ACLs. What they mean for traffic `topology::verdict::acl` decides.

use std::sync::Arc;

use topology::id::{NetworkAclAssociationId, NetworkAclId};
use topology::net::{Family, Ipv4Net, Ipv6Net};
use topology::resource::vpc::{AclAction, NetworkAcl, NetworkAclEntry};
use wire::Fault;
use wire::ec2 as shapes;

use super::filters::{each, one, owner};
use super::select::Filters;
use super::{fault, select, tags};
use crate::context::Context;
use std::borrow::Cow;

/// The number under which EC2 shows the final deny.
const FINAL_RULE: i64 = 32_767;
/// And that of IPv6.
const FINAL_IPV6_RULE: i64 = 32_768;

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateNetworkAclRequest,
) -> Result<shapes::NetworkAcl, Fault> {
    let vpc = select::known(&context.estate().vpcs, &input.vpc_id, fault::VPC)?.id;
    let id = NetworkAclId::from_bits(context.mint.wide());
    let tags = tags::at_creation(input.tag_specifications, "network-acl")?;
    let acl = NetworkAcl { id, vpc, is_default: false, entries: Vec::new(), associations: Vec::new(), tags };
    let shape = render(context, &acl);
    context.edit().network_acls.insert(id, acl);
    Ok(shape)
}

pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let acl = select::known(&context.estate().network_acls, id, fault::ACL)?;
    if acl.is_default {
        return Err(fault::invalid_value(format!("cannot delete default network ACL {id}")));
    }
    if !acl.associations.is_empty() {
        return Err(fault::dependency("networkAcl", id));
    }
    context.edit().network_acls.remove(&acl.id);
    Ok(())
}

/// What a request says of an entry.
pub(super) struct WantedEntry {
    pub(super) acl: String,
    pub(super) rule_number: i64,
    pub(super) egress: bool,
    pub(super) protocol: String,
    pub(super) action: String,
    pub(super) cidr: Option<String>,
    pub(super) ipv6_cidr: Option<String>,
    pub(super) ports: Option<shapes::PortRange>,
    pub(super) icmp: Option<shapes::IcmpTypeCode>,
}

/// Both requests have the same members.
macro_rules! entry_from {
    ($($request:ident)*) => {$(
        impl From<shapes::$request> for WantedEntry {
            fn from(input: shapes::$request) -> Self {
                Self {
                    acl: input.network_acl_id,
                    rule_number: input.rule_number,
                    egress: input.egress,
                    protocol: input.protocol,
                    action: input.rule_action,
                    cidr: input.cidr_block,
                    ipv6_cidr: input.ipv6_cidr_block,
                    ports: input.port_range,
                    icmp: input.icmp_type_code,
                }
            }
        }
    )*};
}
entry_from!(CreateNetworkAclEntryRequest ReplaceNetworkAclEntryRequest);

impl WantedEntry {
    fn parse(&self) -> Result<NetworkAclEntry, Fault> {
        let rule_number = parse_number(self.rule_number)?;
        let protocol = match self.protocol.as_str() {
            "-1" | "all" => -1,
            "tcp" => 6,
            "udp" => 17,
            "icmp" => 1,
            number => number.parse::<u8>().map(i16::from).map_err(|_| {
                fault::invalid_value(format!("Invalid value '{number}' for IP protocol. Unknown protocol."))
            })?,
        };
        let action = if self.action == "allow" { AclAction::Allow } else { AclAction::Deny };
        let malformed = |text: &str| {
            fault::invalid_value(format!(
                "Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
            ))
        };
        let (cidr, ipv6_cidr) = match (&self.cidr, &self.ipv6_cidr) {
            (Some(text), None) => {
                (Some(text.parse::<Ipv4Net>().map_err(|_| malformed(text))?.trunc().to_string()), None)
            }
            (None, Some(text)) => {
                (None, Some(text.parse::<Ipv6Net>().map_err(|_| malformed(text))?.trunc().to_string()))
            }
            _ => {
                return Err(fault::invalid_combination("Exactly one of cidrBlock and ipv6CidrBlock must be specified"));
            }
        };
        let ported = protocol == 6 || protocol == 17;
        let ports = match &self.ports {
            Some(range) if ported => Some(parse_ports(range)?),
            None if ported => return Err(fault::missing("portRange.from")),
            _ => None,
        };
        let icmp = self.icmp.as_ref().filter(|_| protocol == 1 || protocol == 58).map(|icmp| {
            let part = |number: Option<i64>| number.and_then(|n| i16::try_from(n).ok()).unwrap_or(-1);
            (part(icmp.type_), part(icmp.code))
        });
        Ok(NetworkAclEntry { rule_number, egress: self.egress, protocol, action, cidr, ipv6_cidr, ports, icmp })
    }
}

fn parse_number(number: i64) -> Result<u16, Fault> {
    let within = u16::try_from(number).ok().filter(|number| (1..=32_766).contains(number));
    within.ok_or_else(|| fault::invalid_value(format!("Rule number {number} must be between 1 and 32766")))
}

fn parse_ports(range: &shapes::PortRange) -> Result<(u16, u16), Fault> {
    let port = |port: Option<i64>| port.and_then(|port| u16::try_from(port).ok());
    let ports = port(range.from).zip(port(range.to)).filter(|(from, to)| from <= to);
    ports.ok_or_else(|| fault::invalid_value("Invalid port range"))
}

pub(super) fn create_entry(context: &mut Context<'_>, wanted: &WantedEntry) -> Result<(), Fault> {
    let acl = select::known(&context.estate().network_acls, &wanted.acl, fault::ACL)?;
    let entry = wanted.parse()?;
    if find(&acl, entry.rule_number, entry.egress).is_some() {
        return Err(fault::new(
            "NetworkAclEntryAlreadyExists",
            format!("The network acl entry identified by {} already exists.", entry.rule_number),
        ));
    }
    if let Some(acl) = context.edit().network_acls.edit(&acl.id) {
        acl.entries.push(entry);
        acl.entries.sort_by_key(|entry| (!entry.egress, entry.rule_number));
    }
    Ok(())
}

fn find(acl: &NetworkAcl, number: u16, egress: bool) -> Option<usize> {
    acl.entries.iter().position(|entry| (entry.rule_number, entry.egress) == (number, egress))
}

fn no_entry(number: i64) -> Fault {
    fault::new(
        "InvalidNetworkAclEntry.NotFound",
        format!("The network acl entry identified by {number} does not exist."),
    )
}

pub(super) fn replace_entry(context: &mut Context<'_>, wanted: &WantedEntry) -> Result<(), Fault> {
    let acl = select::known(&context.estate().network_acls, &wanted.acl, fault::ACL)?;
    let entry = wanted.parse()?;
    let place = find(&acl, entry.rule_number, entry.egress).ok_or_else(|| no_entry(wanted.rule_number))?;
    if let Some(known) = context.edit().network_acls.edit(&acl.id).and_then(|acl| acl.entries.get_mut(place)) {
        *known = entry;
    }
    Ok(())
}

pub(super) fn delete_entry(
    context: &mut Context<'_>,
    input: &shapes::DeleteNetworkAclEntryRequest,
) -> Result<(), Fault> {
    let acl = select::known(&context.estate().network_acls, &input.network_acl_id, fault::ACL)?;
    let number = u16::try_from(input.rule_number).map_err(|_| no_entry(input.rule_number))?;
    let place = find(&acl, number, input.egress).ok_or_else(|| no_entry(input.rule_number))?;
    if let Some(acl) = context.edit().network_acls.edit(&acl.id) {
        acl.entries.remove(place);
    }
    Ok(())
}

pub(super) fn replace_association(
    context: &mut Context<'_>,
    association: &str,
    acl: &str,
) -> Result<NetworkAclAssociationId, Fault> {
    let to = select::known(&context.estate().network_acls, acl, fault::ACL)?;
    let unknown = || fault::ACL_ASSOCIATION.unknown(association);
    let wanted: NetworkAclAssociationId = association.parse().map_err(|_| unknown())?;
    let holds = |acl: &&Arc<NetworkAcl>| acl.associations.iter().any(|(id, _)| *id == wanted);
    let from = context.estate().network_acls.values().find(holds).cloned().ok_or_else(unknown)?;
    if from.vpc != to.vpc {
        return Err(fault::invalid_value(format!(
            "network ACL {acl} and association {association} belong to different networks"
        )));
    }
    let new = NetworkAclAssociationId::from_bits(context.mint.wide());
    let estate = context.edit();
    let mut subnet = None;
    if let Some(acl) = estate.network_acls.edit(&from.id) {
        subnet = acl.associations.iter().find(|(id, _)| *id == wanted).map(|(_, subnet)| *subnet);
        acl.associations.retain(|(id, _)| *id != wanted);
    }
    if let (Some(subnet), Some(acl)) = (subnet, estate.network_acls.edit(&to.id)) {
        acl.associations.push((new, subnet));
    }
    Ok(new)
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::NetworkAcl>, Fault> {
    let found = select::by_ids(&context.estate().network_acls, ids, fault::ACL)?;
    let kept = NETWORK_ACLS.apply(context, found, wanted)?;
    Ok(kept.iter().map(|acl| render(context, acl)).collect())
}

fn render_entry(entry: &NetworkAclEntry) -> shapes::NetworkAclEntry {
    let action = match entry.action {
        AclAction::Allow => "allow",
        AclAction::Deny => "deny",
    };
    shapes::NetworkAclEntry {
        cidr_block: entry.cidr.clone(),
        egress: Some(entry.egress),
        icmp_type_code: entry
            .icmp
            .map(|(kind, code)| shapes::IcmpTypeCode { code: Some(i64::from(code)), type_: Some(i64::from(kind)) }),
        ipv6_cidr_block: entry.ipv6_cidr.clone(),
        port_range: entry
            .ports
            .map(|(from, to)| shapes::PortRange { from: Some(i64::from(from)), to: Some(i64::from(to)) }),
        protocol: Some(entry.protocol.to_string()),
        rule_action: Some(action.to_owned()),
        rule_number: Some(i64::from(entry.rule_number)),
    }
}

fn final_deny(egress: bool, family: Family) -> shapes::NetworkAclEntry {
    let every = |of: Family, block: &str| Some(block.to_owned()).filter(|_| of == family);
    shapes::NetworkAclEntry {
        cidr_block: every(Family::Ipv4, "0.0.0.0/0"),
        ipv6_cidr_block: every(Family::Ipv6, "::/0"),
        egress: Some(egress),
        protocol: Some("-1".to_owned()),
        rule_action: Some("deny".to_owned()),
        rule_number: Some(match family {
            Family::Ipv4 => FINAL_RULE,
            Family::Ipv6 => FINAL_IPV6_RULE,
        }),
        ..Default::default()
    }
}

/// The entries as an answer shows them: those of each direction, its final deny after them.
pub(super) fn rendered_entries<'a>(
    context: &Context<'_>,
    acl: &'a NetworkAcl,
) -> impl Iterator<Item = shapes::NetworkAclEntry> + 'a {
    // That of IPv6 is there where the VPC has a block of that.
    let has_ipv6 = context.estate().vpcs.get(&acl.vpc).is_some_and(|vpc| !vpc.ipv6_cidrs.is_empty());
    [true, false].into_iter().flat_map(move |egress| {
        let own = acl.entries.iter().filter(move |entry| entry.egress == egress).map(render_entry);
        let families = [Family::Ipv4, Family::Ipv6].into_iter().take(1 + usize::from(has_ipv6));
        own.chain(families.map(move |family| final_deny(egress, family)))
    })
}

fn render(context: &Context<'_>, acl: &NetworkAcl) -> shapes::NetworkAcl {
    let associations = acl.associations.iter().map(|(id, subnet)| shapes::NetworkAclAssociation {
        network_acl_association_id: Some(id.to_string()),
        network_acl_id: Some(acl.id.to_string()),
        subnet_id: Some(subnet.to_string()),
    });
    shapes::NetworkAcl {
        associations: Some(associations.collect()),
        entries: Some(rendered_entries(context, acl).collect()),
        is_default: Some(acl.is_default),
        network_acl_id: Some(acl.id.to_string()),
        owner_id: Some(context.account().to_string()),
        tags: tags::render(&acl.tags),
        vpc_id: Some(acl.vpc.to_string()),
    }
}

/// Every entry of an ACL as an answer shows it, the final denies included.
fn entries<T: ToString>(
    (context, acl): (&Context<'_>, &NetworkAcl),
    part: impl Fn(shapes::NetworkAclEntry) -> Option<T>,
) -> Vec<String> {
    each(rendered_entries(context, acl).filter_map(part))
}

/// A protocol counts under its number and under its name.
fn protocols(context: &Context<'_>, acl: &NetworkAcl) -> Vec<String> {
    let names = acl.entries.iter().filter_map(|entry: &NetworkAclEntry| match entry.protocol {
        1 => Some("icmp".to_owned()),
        6 => Some("tcp".to_owned()),
        17 => Some("udp".to_owned()),
        _ => None,
    });
    names.chain(entries((context, acl), |entry| entry.protocol)).collect()
}

const NETWORK_ACLS: Filters<Arc<NetworkAcl>> = Filters {
    by: &[
        ("association.association-id", |_, acl| each(acl.associations.iter().map(|(id, _)| id))),
        ("association.network-acl-id", |_, acl| each(acl.associations.iter().map(|_| acl.id))),
        ("association.subnet-id", |_, acl| each(acl.associations.iter().map(|(_, subnet)| subnet))),
        ("default", |_, acl| one(acl.is_default)),
        ("entry.cidr", |context, acl| entries((context, acl), |entry| entry.cidr_block)),
        ("entry.egress", |context, acl| entries((context, acl), |entry| entry.egress)),
        ("entry.icmp.code", |context, acl| entries((context, acl), |entry| entry.icmp_type_code?.code)),
        ("entry.icmp.type", |context, acl| entries((context, acl), |entry| entry.icmp_type_code?.type_)),
        ("entry.ipv6-cidr", |context, acl| entries((context, acl), |entry| entry.ipv6_cidr_block)),
        ("entry.port-range.from", |context, acl| entries((context, acl), |entry| entry.port_range?.from)),
        ("entry.port-range.to", |context, acl| entries((context, acl), |entry| entry.port_range?.to)),
        ("entry.protocol", |context, acl| protocols(context, acl)),
        ("entry.rule-action", |context, acl| entries((context, acl), |entry| entry.rule_action)),
        ("entry.rule-number", |context, acl| entries((context, acl), |entry| entry.rule_number)),
        ("network-acl-id", |_, acl| one(acl.id)),
        ("owner-id", owner),
        ("vpc-id", |_, acl| one(acl.vpc)),
    ],
    tags: Some(|acl| Cow::Borrowed(&acl.tags)),
};
