//! The two shapes of a security-group rule: IpPermission with several peers, and SecurityGroupRule with one.

use topology::id::{SecurityGroupId, VpcId};
use topology::net::{Ipv4Net, Ipv6Net, PortRange, Traffic};
use topology::resource::security_group::{RulePeer, SecurityGroupRule};
use topology::verdict::Direction;
use wire::Fault;
use wire::ec2 as shapes;

use super::{fault, peering, select};
use crate::context::Context;

/// A rule as a request describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedRule {
    pub(super) traffic: Traffic,
    pub(super) peer: RulePeer,
    pub(super) description: Option<String>,
}

/// The flat members of old requests.
#[derive(Debug, Default)]
pub(super) struct Flat {
    pub(super) protocol: Option<String>,
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    pub(super) cidr: Option<String>,
    pub(super) source_group: Option<String>,
    pub(super) source_owner: Option<String>,
}

/// Every rule that a request describes, in order.
pub(super) fn parse_all(
    context: &Context<'_>,
    vpc: VpcId,
    permissions: Option<Vec<shapes::IpPermission>>,
    flat: Flat,
) -> Result<Vec<WantedRule>, Fault> {
    let mut permissions = permissions.unwrap_or_default();
    permissions.extend(flat_permission(context, vpc, flat)?);
    let mut rules = Vec::new();
    for permission in permissions {
        rules.extend(parse(context, vpc, permission)?);
    }
    Ok(rules)
}

fn flat_permission(context: &Context<'_>, vpc: VpcId, flat: Flat) -> Result<Option<shapes::IpPermission>, Fault> {
    if flat.source_owner.as_ref().is_some_and(|owner| *owner != context.account().to_string()) {
        return Err(fault::unsupported("a security group of another account"));
    }
    let groups = match flat.source_group {
        None => Vec::new(),
        Some(name) => {
            let found = context.estate().security_groups.values().find(|group| group.vpc == vpc && group.name == name);
            let found = found.ok_or_else(|| {
                fault::new("InvalidGroup.NotFound", format!("The security group '{name}' does not exist"))
            })?;
            vec![shapes::UserIdGroupPair { group_id: Some(found.id.to_string()), ..Default::default() }]
        }
    };
    if flat.protocol.is_none() && flat.cidr.is_none() && groups.is_empty() {
        return Ok(None);
    }
    let range = flat.cidr.map(|cidr| shapes::IpRange { cidr_ip: Some(cidr), description: None });
    Ok(Some(shapes::IpPermission {
        from_port: flat.from,
        ip_protocol: flat.protocol.or_else(|| Some("-1".to_owned())),
        ip_ranges: Some(range.into_iter().collect()),
        to_port: flat.to,
        user_id_group_pairs: Some(groups),
        ..Default::default()
    }))
}

fn parse(context: &Context<'_>, vpc: VpcId, permission: shapes::IpPermission) -> Result<Vec<WantedRule>, Fault> {
    let protocol = permission.ip_protocol.ok_or_else(|| fault::missing("ipProtocol"))?;
    let traffic = traffic(&protocol, permission.from_port, permission.to_port)?;
    let mut rules = Vec::new();
    let mut add = |peer, description| rules.push(WantedRule { traffic, peer, description });
    for range in permission.ip_ranges.unwrap_or_default() {
        add(ipv4(&range.cidr_ip.unwrap_or_default())?, checked(range.description, Described::Range)?);
    }
    for range in permission.ipv6_ranges.unwrap_or_default() {
        add(ipv6(&range.cidr_ipv6.unwrap_or_default())?, checked(range.description, Described::Range)?);
    }
    for list in permission.prefix_list_ids.unwrap_or_default() {
        add(
            prefix_list(context, &list.prefix_list_id.unwrap_or_default())?,
            checked(list.description, Described::Reference)?,
        );
    }
    for pair in permission.user_id_group_pairs.unwrap_or_default() {
        let description = checked(pair.description.clone(), Described::Reference)?;
        add(RulePeer::Group(group_of(context, vpc, pair)?), description);
    }
    if rules.is_empty() {
        return Err(fault::missing("ipRanges, ipv6Ranges, prefixListIds or groups"));
    }
    Ok(rules)
}

/// The rule that the new shape describes. Codes and texts of what is missing are those that AWS gave to reports of users
/// (2026-11).
pub(super) fn parse_one(context: &Context<'_>, input: shapes::SecurityGroupRuleRequest) -> Result<WantedRule, Fault> {
    let protocol = input.ip_protocol.ok_or_else(|| {
        fault::invalid_value(
            "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.",
        )
    })?;
    let ported = matches!(protocol.to_ascii_lowercase().as_str(), "tcp" | "6" | "udp" | "17");
    if ported && (input.from_port.is_none() || input.to_port.is_none()) {
        return Err(fault::invalid_value(
            "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.",
        ));
    }
    let traffic = traffic(&protocol, input.from_port, input.to_port)?;
    let peers = [
        input.cidr_ipv4.is_some(),
        input.cidr_ipv6.is_some(),
        input.prefix_list_id.is_some(),
        input.referenced_group_id.is_some(),
    ];
    if peers.iter().filter(|given| **given).count() != 1 {
        return Err(fault::new(
            "MissingParameter",
            "The request must contain exactly one of: cidrIp, cidrIpv6, prefixListId, or referencedGroupId",
        ));
    }
    let peer = match (input.cidr_ipv4, input.cidr_ipv6, input.prefix_list_id, input.referenced_group_id) {
        (Some(cidr), ..) => ipv4(&cidr)?,
        (_, Some(cidr), ..) => ipv6(&cidr)?,
        (_, _, Some(list), _) => prefix_list(context, &list)?,
        (.., group) => {
            let id = group.unwrap_or_default();
            RulePeer::Group(select::known(&context.estate().security_groups, &id, fault::GROUP)?.id)
        }
    };
    Ok(WantedRule { traffic, peer, description: checked(input.description, Described::of(peer))? })
}

/// Protocol and ports; ports play no part where the protocol has none (EC2 API reference, IpPermission, 2026-11).
fn traffic(protocol: &str, from: Option<i64>, to: Option<i64>) -> Result<Traffic, Fault> {
    match protocol.to_ascii_lowercase().as_str() {
        "-1" | "all" => Ok(Traffic::All),
        "tcp" | "6" => ports(from, to).map(Traffic::Tcp),
        "udp" | "17" => ports(from, to).map(Traffic::Udp),
        "icmp" | "1" => icmp(from, to).map(|(kind, code)| Traffic::Icmp { kind, code }),
        "icmpv6" | "58" => icmp(from, to).map(|(kind, code)| Traffic::Icmpv6 { kind, code }),
        other => {
            let number = other.parse::<u8>().map_err(|_| {
                fault::invalid_value(format!("Invalid value '{protocol}' for IP protocol. Unknown protocol."))
            })?;
            Ok(Traffic::Other(number))
        }
    }
}

fn ports(from: Option<i64>, to: Option<i64>) -> Result<PortRange, Fault> {
    let (Some(from), Some(to)) = (from, to) else {
        return Err(fault::invalid_value(
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        ));
    };
    let port = |port: i64| u16::try_from(port).ok();
    let range = port(from).zip(port(to)).and_then(|(from, to)| PortRange::new(from, to));
    range.ok_or_else(|| fault::invalid_value(format!("Invalid TCP/UDP port range ({from}:{to})")))
}

fn icmp(kind: Option<i64>, code: Option<i64>) -> Result<(i16, i16), Fault> {
    let part = |number: Option<i64>| {
        let number = number.unwrap_or(-1);
        i16::try_from(number).ok().filter(|number| (-1..=255).contains(number))
    };
    part(kind).zip(part(code)).ok_or_else(|| fault::invalid_value("Invalid ICMP type or code"))
}

fn malformed(text: &str) -> Fault {
    fault::invalid_value(format!("CIDR block {text} is malformed"))
}

fn ipv4(text: &str) -> Result<RulePeer, Fault> {
    let net: Ipv4Net = text.parse().map_err(|_| malformed(text))?;
    Ok(RulePeer::Ipv4(net.trunc()))
}

fn ipv6(text: &str) -> Result<RulePeer, Fault> {
    let net: Ipv6Net = text.parse().map_err(|_| malformed(text))?;
    Ok(RulePeer::Ipv6(net.trunc()))
}

fn prefix_list(context: &Context<'_>, id: &str) -> Result<RulePeer, Fault> {
    Ok(RulePeer::PrefixList(super::prefix_list::known(context, id)?.id()))
}

fn group_of(context: &Context<'_>, vpc: VpcId, pair: shapes::UserIdGroupPair) -> Result<SecurityGroupId, Fault> {
    if pair.user_id.as_ref().is_some_and(|user| *user != context.account().to_string()) {
        return Err(fault::unsupported("a security group of another account"));
    }
    if pair.peering_status.is_some() {
        return Err(fault::unsupported("PeeringStatus of a group that a rule names, which only an answer has"));
    }
    let groups = &context.estate().security_groups;
    match (pair.group_id, pair.group_name) {
        (Some(id), _) => {
            let group = select::known(groups, &id, fault::GROUP)?;
            let is_other =
                |id: &String| peering::between(context, vpc, group.vpc).map(|id| id.to_string()).as_ref() != Some(id);
            if let Some(id) = pair.vpc_peering_connection_id.as_ref().filter(|id| is_other(id)) {
                return Err(fault::invalid_value(format!("{id} does not join the VPCs of the two security groups")));
            }
            if let Some(id) = pair.vpc_id.as_ref().filter(|id| **id != group.vpc.to_string()) {
                return Err(fault::invalid_value(format!("The security group {} is not in {id}", group.id)));
            }
            Ok(group.id)
        }
        (None, Some(name)) => {
            let found = groups.values().find(|group| group.vpc == vpc && group.name == name).map(|group| group.id);
            found.ok_or_else(|| {
                fault::new("InvalidGroup.NotFound", format!("The security group '{name}' does not exist"))
            })
        }
        (None, None) => Err(fault::missing("GroupId")),
    }
}

/// Refuses a rule whose peer is a group of another VPC that no active peering connection joins with this one (VPC guide, "Security group
/// referencing", 2026-11; code and sentence as users of Terraform report them).
pub(super) fn within(context: &Context<'_>, vpc: VpcId, peer: RulePeer) -> Result<(), Fault> {
    let RulePeer::Group(id) = peer else { return Ok(()) };
    match context.estate().security_groups.get(&id) {
        Some(group) if group.vpc != vpc && peering::between(context, vpc, group.vpc).is_none() => Err(fault::new(
            "InvalidGroup.NotFound",
            "You have specified two resources that belong to different networks.",
        )),
        _ => Ok(()),
    }
}

/// What a description stands at, which decides its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Described {
    /// A range of addresses, or a group itself: `&` is among them.
    Range,
    /// A peer that is a group or a prefix list: `&` is not.
    Reference,
}

impl Described {
    /// What the description of a rule with this peer stands at.
    pub(super) const fn of(peer: RulePeer) -> Self {
        match peer {
            RulePeer::Ipv4(_) | RulePeer::Ipv6(_) => Self::Range,
            RulePeer::PrefixList(_) | RulePeer::Group(_) => Self::Reference,
        }
    }

    const fn marks(self) -> &'static str {
        match self {
            Self::Range => "_-:/()#,@[]+=&;{}!$*",
            Self::Reference => "_-:/()#,@[]+=;{}!$*",
        }
    }
}

/// Descriptions: 255 characters of AWS's set (EC2 API reference, IpRange, Ipv6Range, UserIdGroupPair and PrefixListId, 2026-11).
pub(super) fn checked(description: Option<String>, of: Described) -> Result<Option<String>, Fault> {
    let Some(text) = description.filter(|text| !text.is_empty()) else { return Ok(None) };
    let marks = of.marks();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == ' ' || c == '.' || marks.contains(c);
    if text.chars().count() > 255 || !text.chars().all(plain) {
        return Err(fault::invalid_value(format!(
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. {marks}"
        )));
    }
    Ok(Some(text))
}

/// The rule as `InvalidPermission.Duplicate` quotes it.
pub(super) fn quoted(rule: &WantedRule) -> String {
    let peer = rule.peer;
    match rule.traffic {
        Traffic::All => format!("\"peer: {peer}, ALL, ALLOW\""),
        traffic => {
            let (from, to) = traffic.from_to();
            let protocol = traffic.protocol().to_ascii_uppercase();
            format!("\"peer: {peer}, {protocol}, from port: {from}, to port: {to}, ALLOW\"")
        }
    }
}

/// Rules in the old shape: one permission for each protocol and ports, without ports where the protocol has none.
pub(super) fn render_all<'a>(
    context: &Context<'_>,
    rules: impl Iterator<Item = &'a SecurityGroupRule>,
) -> Vec<shapes::IpPermission> {
    let mut rendered: Vec<(Traffic, shapes::IpPermission)> = Vec::new();
    for rule in rules {
        let at = rendered.iter().position(|(traffic, _)| *traffic == rule.traffic);
        let at = at.unwrap_or_else(|| {
            rendered.push((rule.traffic, blank(rule.traffic)));
            rendered.len() - 1
        });
        if let Some((_, permission)) = rendered.get_mut(at) {
            let beyond = peering::of_rule(context, rule);
            add_peer((context, beyond), permission, rule.peer, rule.description.clone());
        }
    }
    rendered.into_iter().map(|(_, permission)| permission).collect()
}

/// A wish in the old shape, for the list of what a revoke did not find.
pub(super) fn render_wanted(context: &Context<'_>, rule: &WantedRule) -> shapes::IpPermission {
    let mut permission = blank(rule.traffic);
    add_peer((context, None), &mut permission, rule.peer, None);
    permission
}

fn blank(traffic: Traffic) -> shapes::IpPermission {
    let (from, to) = traffic.from_to();
    let ported = !matches!(traffic, Traffic::All | Traffic::Other(_));
    shapes::IpPermission {
        from_port: ported.then_some(from),
        ip_protocol: Some(traffic.protocol()),
        ip_ranges: Some(Vec::new()),
        ipv6_ranges: Some(Vec::new()),
        prefix_list_ids: Some(Vec::new()),
        to_port: ported.then_some(to),
        user_id_group_pairs: Some(Vec::new()),
    }
}

fn add_peer(
    (context, beyond): (&Context<'_>, Option<peering::Beyond>),
    permission: &mut shapes::IpPermission,
    peer: RulePeer,
    description: Option<String>,
) {
    match peer {
        RulePeer::Ipv4(net) => permission
            .ip_ranges
            .get_or_insert_default()
            .push(shapes::IpRange { cidr_ip: Some(net.to_string()), description }),
        RulePeer::Ipv6(net) => permission
            .ipv6_ranges
            .get_or_insert_default()
            .push(shapes::Ipv6Range { cidr_ipv6: Some(net.to_string()), description }),
        RulePeer::PrefixList(id) => permission
            .prefix_list_ids
            .get_or_insert_default()
            .push(shapes::PrefixListId { description, prefix_list_id: Some(id.to_string()) }),
        RulePeer::Group(id) => permission.user_id_group_pairs.get_or_insert_default().push(shapes::UserIdGroupPair {
            description,
            group_id: Some(id.to_string()),
            user_id: Some(context.account().to_string()),
            vpc_id: beyond.as_ref().map(|beyond| beyond.vpc.to_string()),
            vpc_peering_connection_id: beyond.as_ref().map(|beyond| beyond.peering.to_string()),
            peering_status: beyond.map(|beyond| beyond.status.to_owned()),
            group_name: None,
        }),
    }
}

/// A rule in the new shape: −1 stands where there are no ports.
pub(super) fn render_one(context: &Context<'_>, rule: &SecurityGroupRule) -> shapes::SecurityGroupRule {
    let (from, to) = rule.traffic.from_to();
    let account = context.account().to_string();
    let mut shape = shapes::SecurityGroupRule {
        description: rule.description.clone(),
        from_port: Some(from),
        group_id: Some(rule.group.to_string()),
        group_owner_id: Some(account.clone()),
        ip_protocol: Some(rule.traffic.protocol()),
        is_egress: Some(rule.direction == Direction::Egress),
        security_group_rule_arn: Some(format!(
            "arn:aws:ec2:{}:{account}:security-group-rule/{}",
            context.region(),
            rule.id
        )),
        security_group_rule_id: Some(rule.id.to_string()),
        tags: super::tags::render(&rule.tags),
        to_port: Some(to),
        ..Default::default()
    };
    match rule.peer {
        RulePeer::Ipv4(net) => shape.cidr_ipv4 = Some(net.to_string()),
        RulePeer::Ipv6(net) => shape.cidr_ipv6 = Some(net.to_string()),
        RulePeer::PrefixList(id) => shape.prefix_list_id = Some(id.to_string()),
        RulePeer::Group(id) => {
            let vpc = context.estate().security_groups.get(&id).map(|group| group.vpc.to_string());
            let beyond = peering::of_rule(context, rule);
            shape.referenced_group_info = Some(shapes::ReferencedSecurityGroup {
                group_id: Some(id.to_string()),
                user_id: Some(account),
                vpc_id: vpc,
                vpc_peering_connection_id: beyond.as_ref().map(|beyond| beyond.peering.to_string()),
                peering_status: beyond.map(|beyond| beyond.status.to_owned()),
            });
        }
    }
    shape
}
