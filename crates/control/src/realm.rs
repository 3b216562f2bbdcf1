//! What every account has in every region before it asks for anything: DHCP options, and a default VPC with an internet
//! gateway, a main route table, an ACL, a group and a subnet in each zone (VPC user guide, "Default VPCs", 2026-11).

use std::collections::BTreeMap;

use topology::estate::RealmEstate;
use topology::id::{
    DhcpOptionsId, InternetGatewayId, NetworkAclAssociationId, NetworkAclId, Region, RouteTableAssociationId,
    RouteTableId, SecurityGroupId, SecurityGroupRuleId, SubnetId, VpcCidrAssociationId, VpcId, Zone,
};
use topology::net::{Ipv4Net, Ipv6Net, Traffic};
use topology::resource::Tags;
use topology::resource::routing::{InternetGateway, Route, RouteTable, RouteTableAssociation, RouteTarget};
use topology::resource::security_group::{RulePeer, SecurityGroup, SecurityGroupRule};
use topology::resource::vpc::{AclAction, DhcpOptions, NetworkAcl, NetworkAclEntry, Subnet, Vpc};
use topology::verdict::Direction;

use crate::mint::Mint;

/// The block of a default VPC: 172.31.0.0/16.
const DEFAULT_VPC: (u32, u8) = (0xac1f_0000, 16);
/// The prefix length of a default subnet.
const DEFAULT_SUBNET_PREFIX: u8 = 20;
/// `0.0.0.0/0`
pub(crate) const ANYWHERE: &str = "0.0.0.0/0";

/// Whether a realm has what it must have. The region's own DHCP options are never deleted, so they tell.
pub(crate) fn is_furnished(estate: &RealmEstate) -> bool {
    !estate.dhcp_options.is_empty()
}

/// Gives a realm that holds nothing what it must have.
pub(crate) fn furnish(estate: &mut RealmEstate, mint: &mut Mint, region: &Region) {
    let id = DhcpOptionsId::from_bits(mint.wide());
    estate.dhcp_options.insert(id, DhcpOptions { id, configurations: Vec::new(), tags: Tags::new() });
    create_default_vpc(estate, mint, region);
}

/// Makes the default VPC with all that belongs to it.
pub(crate) fn create_default_vpc(estate: &mut RealmEstate, mint: &mut Mint, region: &Region) -> Option<VpcId> {
    let cidr = Ipv4Net::new(DEFAULT_VPC.0.into(), DEFAULT_VPC.1).ok()?;
    let vpc = create_vpc(estate, mint, cidr, true)?;
    let gateway = InternetGatewayId::from_bits(mint.wide());
    estate.internet_gateways.insert(gateway, InternetGateway { id: gateway, vpc: Some(vpc), tags: Tags::new() });
    if let Some(table) = main_route_table(estate, vpc).and_then(|id| estate.route_tables.edit(&id)) {
        let target = RouteTarget::InternetGateway(gateway);
        table.routes.push(Route { destination: ANYWHERE.to_owned(), target });
    }
    let blocks = cidr.subnets(DEFAULT_SUBNET_PREFIX).ok()?;
    for (zone, cidr) in Zone::all(region).into_iter().zip(blocks) {
        let subnet = create_subnet(estate, mint, (vpc, cidr, zone));
        if let Some(subnet) = estate.subnets.edit(&subnet) {
            subnet.default_for_az = true;
            subnet.map_public_ip_on_launch = true;
        }
    }
    Some(vpc)
}

/// Makes a VPC with its main route table, default ACL and default group. `None` if the realm has no DHCP options.
pub(crate) fn create_vpc(estate: &mut RealmEstate, mint: &mut Mint, cidr: Ipv4Net, is_default: bool) -> Option<VpcId> {
    let dhcp_options = estate.dhcp_options.values().find(|options| options.is_regions_own())?.id;
    let id = VpcId::from_bits(mint.wide());
    let vpc = Vpc {
        id,
        cidr,
        cidr_association: VpcCidrAssociationId::from_bits(mint.wide()),
        secondary_cidrs: Vec::new(),
        ipv6_cidrs: Vec::new(),
        is_default,
        enable_dns_support: true,
        enable_dns_hostnames: is_default,
        enable_network_address_usage_metrics: false,
        instance_tenancy: "default".to_owned(),
        dhcp_options: Some(dhcp_options),
        tags: Tags::new(),
    };
    estate.vpcs.insert(id, vpc);
    create_main_route_table(estate, mint, id, cidr);
    create_default_acl(estate, mint, id);
    create_default_group(estate, mint, id);
    Some(id)
}

fn create_main_route_table(estate: &mut RealmEstate, mint: &mut Mint, vpc: VpcId, cidr: Ipv4Net) {
    let id = RouteTableId::from_bits(mint.wide());
    let main = RouteTableAssociation { id: RouteTableAssociationId::from_bits(mint.wide()), subnet: None };
    let local = Route { destination: cidr.to_string(), target: RouteTarget::Local };
    let table = RouteTable { id, vpc, routes: vec![local], associations: vec![main], tags: Tags::new() };
    estate.route_tables.insert(id, table);
}

/// The entry of a default ACL that lets everything through.
fn allow_all(egress: bool) -> NetworkAclEntry {
    NetworkAclEntry {
        rule_number: 100,
        egress,
        protocol: -1,
        action: AclAction::Allow,
        cidr: Some(ANYWHERE.to_owned()),
        ipv6_cidr: None,
        ports: None,
        icmp: None,
    }
}

fn create_default_acl(estate: &mut RealmEstate, mint: &mut Mint, vpc: VpcId) {
    let id = NetworkAclId::from_bits(mint.wide());
    let entries = vec![allow_all(true), allow_all(false)];
    let acl = NetworkAcl { id, vpc, is_default: true, entries, associations: Vec::new(), tags: Tags::new() };
    estate.network_acls.insert(id, acl);
}

fn create_default_group(estate: &mut RealmEstate, mint: &mut Mint, vpc: VpcId) {
    let id = SecurityGroupId::from_bits(mint.wide());
    let group = SecurityGroup {
        id,
        vpc,
        name: SecurityGroup::DEFAULT_NAME.to_owned(),
        description: "default VPC security group".to_owned(),
        tags: Tags::new(),
    };
    estate.security_groups.insert(id, group);
    insert_rule(estate, mint, (id, Direction::Ingress, RulePeer::Group(id)));
    allow_all_egress(estate, mint, (id, vpc));
}

/// Gives a group the egress rules that every new group of this VPC has: for IPv6 too where the VPC has a block of that.
pub(crate) fn allow_all_egress(estate: &mut RealmEstate, mint: &mut Mint, (group, vpc): (SecurityGroupId, VpcId)) {
    insert_rule(estate, mint, (group, Direction::Egress, RulePeer::Ipv4(Ipv4Net::default())));
    if estate.vpcs.get(&vpc).is_some_and(|vpc| !vpc.ipv6_cidrs.is_empty()) {
        allow_ipv6_egress(estate, mint, group);
    }
}

fn allow_ipv6_egress(estate: &mut RealmEstate, mint: &mut Mint, group: SecurityGroupId) {
    insert_rule(estate, mint, (group, Direction::Egress, RulePeer::Ipv6(Ipv6Net::default())));
}

/// What AWS does when a VPC gets its first IPv6 block: where what leaves a group, or either side of the default ACL, is as it was made, the
/// same is let through for IPv6 (VPC user guide, "Security group rules" and "Default network ACL", 2026-11).
pub(crate) fn open_for_ipv6(estate: &mut RealmEstate, mint: &mut Mint, vpc: VpcId) {
    // Whether what leaves a group is as it was made.
    let mut groups: BTreeMap<SecurityGroupId, bool> = BTreeMap::new();
    for rule in estate.security_group_rules.values().filter(|rule| rule.direction == Direction::Egress) {
        let is_made = (rule.traffic, rule.peer) == (Traffic::All, RulePeer::Ipv4(Ipv4Net::default()));
        groups.entry(rule.group).and_modify(|is_as_made| *is_as_made = false).or_insert(is_made);
    }
    let is_of_vpc = |id: SecurityGroupId| estate.security_groups.get(&id).is_some_and(|group| group.vpc == vpc);
    groups.retain(|id, is_as_made| *is_as_made && is_of_vpc(*id));
    for group in groups.into_keys() {
        allow_ipv6_egress(estate, mint, group);
    }
    let default = estate.network_acls.values().find(|acl| acl.vpc == vpc && acl.is_default).map(|acl| acl.id);
    let Some(acl) = default.and_then(|id| estate.network_acls.edit(&id)) else { return };
    for egress in [true, false] {
        let mut own = acl.entries.iter().filter(|entry| entry.egress == egress);
        if own.next() == Some(&allow_all(egress)) && own.next().is_none() {
            acl.entries.push(NetworkAclEntry {
                rule_number: 101,
                cidr: None,
                ipv6_cidr: Some(Ipv6Net::default().to_string()),
                ..allow_all(egress)
            });
        }
    }
}

fn insert_rule(estate: &mut RealmEstate, mint: &mut Mint, rule: (SecurityGroupId, Direction, RulePeer)) {
    let (group, direction, peer) = rule;
    let id = SecurityGroupRuleId::from_bits(mint.wide());
    let traffic = Traffic::All;
    let rule = SecurityGroupRule { id, group, direction, traffic, peer, description: None, tags: Tags::new() };
    estate.security_group_rules.insert(id, rule);
}

/// Makes a subnet and puts it under its VPC's default ACL.
pub(crate) fn create_subnet(estate: &mut RealmEstate, mint: &mut Mint, wanted: (VpcId, Ipv4Net, Zone)) -> SubnetId {
    let (vpc, cidr, zone) = wanted;
    let id = SubnetId::from_bits(mint.wide());
    let subnet = Subnet {
        id,
        vpc,
        cidr,
        ipv6_cidr: None,
        assign_ipv6: false,
        zone,
        map_public_ip_on_launch: false,
        default_for_az: false,
        enable_dns64: false,
        resource_name_dns_a: false,
        resource_name_dns_aaaa: false,
        private_dns_hostname_type: "ip-name".to_owned(),
        tags: Tags::new(),
    };
    estate.subnets.insert(id, subnet);
    let acl = estate.network_acls.values().find(|acl| acl.vpc == vpc && acl.is_default).map(|acl| acl.id);
    if let Some(acl) = acl.and_then(|acl| estate.network_acls.edit(&acl)) {
        acl.associations.push((NetworkAclAssociationId::from_bits(mint.wide()), id));
    }
    id
}

/// The main route table of a VPC.
pub(crate) fn main_route_table(estate: &RealmEstate, vpc: VpcId) -> Option<RouteTableId> {
    let is_main = |table: &RouteTable| table.associations.iter().any(|association| association.subnet.is_none());
    estate.route_tables.values().find(|table| table.vpc == vpc && is_main(table)).map(|table| table.id)
}
