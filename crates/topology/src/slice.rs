//! What an agent has to know to carry its VPC: the slice of a realm that this VPC is, as an estate of its own. Nothing of another VPC is in
//! it, and no API, key, domain, log group or token. Flow logs are, since it is the agent that sees what they tell of.
//!
//! It shares its resources with the estate that it is cut from, so that two slices are compared by what they do not share.

use std::collections::BTreeSet;

use crate::arn::ElbResource;
use crate::estate::RealmEstate;
use crate::id::{AgentId, CertificateId, PrefixListId, TrustStoreId, VpcId};
use crate::resource::agent::Standing;
use crate::resource::flow_log::FlowSource;
use crate::resource::listener::Listener;
use crate::resource::routing::RouteTable;
use crate::resource::security_group::RulePeer;
use crate::resource::trust_store::MutualAuthentication;

/// The slice for this agent, of the VPC that it carries; empty where there is no such agent.
#[must_use]
pub fn slice(estate: &RealmEstate, id: AgentId) -> RealmEstate {
    let mut own = RealmEstate::default();
    let Some(agent) = estate.agents.get(&id) else { return own };
    let vpc = agent.vpc;
    let mut here = (**agent).clone();
    here.standing = Standing::Here;
    own.agents.insert(id, here);
    add_network(estate, vpc, &mut own);
    add_balancers(estate, vpc, &mut own);
    own.vpc_links = estate.vpc_links.filtered(|_, link| link.vpc == vpc);
    own.vpc_links_v1 = estate.vpc_links_v1.filtered(|_, link| match &link.target_arn.resource {
        ElbResource::LoadBalancer(balancer) => own.load_balancers.contains(&balancer.id),
        _ => false,
    });
    // What others attached is served on their machines.
    own.attachments = estate.attachments.filtered(|(interface, _), attachment| {
        attachment.agent == Some(id) && own.network_interfaces.contains(interface)
    });
    own.flow_logs = estate.flow_logs.filtered(|_, log| match log.source {
        FlowSource::Vpc(of) => of == vpc,
        FlowSource::Subnet(of) => own.subnets.contains(&of),
        FlowSource::Interface(of) => own.network_interfaces.contains(&of),
    });
    // Decided for every table: what is not named above stays where it is.
    let RealmEstate {
        vpcs: _,
        subnets: _,
        network_acls: _,
        security_groups: _,
        security_group_rules: _,
        network_interfaces: _,
        instances: _,
        route_tables: _,
        prefix_lists: _,
        load_balancers: _,
        listeners: _,
        listener_rules: _,
        target_groups: _,
        trust_stores: _,
        trust_store_revocations: _,
        vpc_links: _,
        vpc_links_v1: _,
        certificates: _,
        attachments: _,
        flow_logs: _,
        agents: _,
        // Sockets of the gateway's machine.
        listener_sockets: _,
        // Of other VPCs, or of the way out.
        vpc_peering_connections: _,
        dhcp_options: _,
        internet_gateways: _,
        egress_only_internet_gateways: _,
        nat_gateways: _,
        addresses: _,
        vpc_endpoints: _,
        // Of the gateway.
        log_groups: _,
        apis: _,
        routes: _,
        integrations: _,
        authorizers: _,
        stages: _,
        deployments: _,
        rest_apis: _,
        resources: _,
        models: _,
        request_validators: _,
        rest_authorizers: _,
        gateway_responses: _,
        documentation_parts: _,
        documentation_versions: _,
        rest_deployments: _,
        rest_stages: _,
        gateway_accounts: _,
        client_certificates: _,
        api_keys: _,
        usage_plans: _,
        usage_plan_keys: _,
        usage: _,
        domain_names: _,
        api_mappings: _,
        routing_rules: _,
        agent_tokens: _,
    } = estate;
    own
}

/// The VPC, with its interfaces and what judges connections between them.
fn add_network(estate: &RealmEstate, vpc: VpcId, own: &mut RealmEstate) {
    own.vpcs = estate.vpcs.filtered(|id, _| *id == vpc);
    own.subnets = estate.subnets.filtered(|_, subnet| subnet.vpc == vpc);
    own.network_acls = estate.network_acls.filtered(|_, acl| acl.vpc == vpc);
    own.route_tables = estate.route_tables.filtered(|_, table| table.vpc == vpc);
    own.network_interfaces = estate.network_interfaces.filtered(|_, interface| interface.vpc == vpc);
    own.instances = estate.instances.filtered(|_, instance| instance.vpc == vpc);
    own.security_groups = estate.security_groups.filtered(|_, group| group.vpc == vpc);
    own.security_group_rules =
        estate.security_group_rules.filtered(|_, rule| own.security_groups.contains(&rule.group));
    let of_rules = own.security_group_rules.values().filter_map(|rule| match rule.peer {
        RulePeer::PrefixList(id) => Some(id),
        RulePeer::Ipv4(_) | RulePeer::Ipv6(_) | RulePeer::Group(_) => None,
    });
    let named = |table: &RouteTable| table.routes.iter().filter_map(|route| route.destination.parse().ok()).collect();
    let of_routes = own.route_tables.values().flat_map(|table| -> Vec<PrefixListId> { named(table) });
    let lists: BTreeSet<PrefixListId> = of_rules.chain(of_routes).collect();
    own.prefix_lists = estate.prefix_lists.filtered(|id, _| lists.contains(id));
}

/// Its load balancers, with what their listeners present and whom these trust.
fn add_balancers(estate: &RealmEstate, vpc: VpcId, own: &mut RealmEstate) {
    own.load_balancers = estate.load_balancers.filtered(|_, balancer| balancer.vpc == vpc);
    own.target_groups = estate.target_groups.filtered(|_, group| group.vpc == vpc);
    own.listeners = estate.listeners.filtered(|_, listener| own.load_balancers.contains(&listener.load_balancer));
    own.listener_rules = estate.listener_rules.filtered(|_, rule| own.listeners.contains(&rule.listener));
    let presented: BTreeSet<_> = own.listeners.values().flat_map(|listener| presented(listener)).collect();
    own.certificates = estate.certificates.filtered(|id, _| presented.contains(id));
    let trusted: BTreeSet<TrustStoreId> = own.listeners.values().filter_map(|listener| trusted(listener)).collect();
    own.trust_stores = estate.trust_stores.filtered(|id, _| trusted.contains(id));
    own.trust_store_revocations = estate.trust_store_revocations.filtered(|(id, _), _| trusted.contains(id));
}

fn presented(listener: &Listener) -> Vec<CertificateId> {
    let Some((first, others)) = listener.protocol().certificates() else { return Vec::new() };
    std::iter::once(first).chain(others).map(|arn| arn.id).collect()
}

fn trusted(listener: &Listener) -> Option<TrustStoreId> {
    match listener.protocol().mutual() {
        MutualAuthentication::Verify(verify) => Some(verify.trust_store),
        _ => None,
    }
}

/// The agent whose slice an estate is, with its VPC; `None` where it is none's, or more than one VPC's.
#[must_use]
pub fn agent_of(slice: &RealmEstate) -> Option<(AgentId, VpcId)> {
    let mut agents = slice.agents.values();
    let agent = agents.next().filter(|agent| agent.standing == Standing::Here)?;
    let is_whole = agents.next().is_none() && slice.vpcs.values().all(|vpc| vpc.id == agent.vpc);
    is_whole.then_some((agent.id, agent.vpc))
}
