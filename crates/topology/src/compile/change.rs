//! What of a compiled realm a change has a bearing on. What it has none on is taken over as it is: a write costs what it changes,
//! not what there is. Which tables a part is made of stands here alone; a new table does not compile until it has its place.

use std::collections::BTreeSet;

use crate::estate::{PartOf, RealmEstate, Table};
use crate::id::ApiId;
use crate::snapshot::RealmSnapshot;

/// A realm as it was compiled before, and what changed since.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) compiled: &'a RealmSnapshot,
    pub(super) change: &'a Change,
}

impl<'a> Kept<'a> {
    /// The realm as it was, for a part of it that did not change.
    pub(super) fn unless(self, is_changed: bool) -> Option<&'a RealmSnapshot> {
        (!is_changed).then_some(self.compiled)
    }
}

/// The parts of a realm that a change has a bearing on. Whether links and listeners are where APIs look for them only the compiled parts
/// can say.
pub(super) struct Change {
    pub(super) fabric: bool,
    /// Load balancers, which take their nodes from the fabric.
    pub(super) balancers: bool,
    /// The links of version 1, which are looked up by the way to a listener.
    pub(super) links_v1: bool,
    pub(super) domains: bool,
    /// Keys and plans.
    pub(super) usage: bool,
    /// Which keys are in which plans of which stages: each stage of a REST API has its own.
    pub(super) plans: bool,
    /// APIs that were edited, with whatever is theirs.
    pub(super) apis: BTreeSet<ApiId>,
}

impl Change {
    /// What changed from one state of a realm to a later one.
    #[rustfmt::skip]
    pub(super) fn between(before: &RealmEstate, after: &RealmEstate) -> Self {
        macro_rules! any {
            ($($table:ident)*) => { false $(|| !before.$table.is_same(&after.$table))* };
        }
        // Every table by its name: one that is added has to be given its place below.
        let RealmEstate {
            vpcs: _, subnets: _, network_acls: _, security_groups: _, security_group_rules: _, network_interfaces: _, instances: _, attachments: _, prefix_lists: _,
            route_tables: _, internet_gateways: _, nat_gateways: _, addresses: _, vpc_peering_connections: _, flow_logs: _, agents: _,
            load_balancers: _, listeners: _, listener_rules: _, target_groups: _, certificates: _, listener_sockets: _, trust_stores: _,
            trust_store_revocations: _,
            vpc_links: _, vpc_links_v1: _, domain_names: _, api_mappings: _, routing_rules: _,
            api_keys: _, usage_plans: _, usage_plan_keys: _, usage: _,
            apis: _, routes: _, integrations: _, authorizers: _, stages: _, deployments: _,
            rest_apis: _, resources: _, models: _, request_validators: _, rest_authorizers: _, gateway_responses: _,
            rest_deployments: _, rest_stages: _,
            // Traffic reads nothing of these.
            dhcp_options: _, egress_only_internet_gateways: _, vpc_endpoints: _, documentation_parts: _, documentation_versions: _,
            gateway_accounts: _, log_groups: _, agent_tokens: _,
            // What traffic reads of these does not change, and none goes while a stage has it.
            client_certificates: _,
        } = after;
        let fabric = any!(instances vpcs subnets network_acls security_groups security_group_rules network_interfaces attachments prefix_lists route_tables internet_gateways nat_gateways addresses vpc_peering_connections flow_logs agents);
        Self {
            fabric,
            balancers: fabric || any!(load_balancers listeners listener_rules target_groups certificates listener_sockets trust_stores trust_store_revocations),
            links_v1: any!(vpc_links_v1),
            domains: any!(domain_names api_mappings routing_rules certificates),
            usage: any!(api_keys usage_plans usage_plan_keys usage),
            plans: any!(usage_plans usage_plan_keys),
            apis: apis(before, after),
        }
    }
}

fn apis(before: &RealmEstate, after: &RealmEstate) -> BTreeSet<ApiId> {
    let mut edited = BTreeSet::new();
    edited.extend(before.apis.changes(&after.apis).into_iter().map(|(id, _)| *id));
    edited.extend(before.rest_apis.changes(&after.rest_apis).into_iter().map(|(id, _)| *id));
    macro_rules! owners {
        ($($table:ident)*) => { $(add(&mut edited, &before.$table, &after.$table);)* };
    }
    owners!(routes integrations authorizers stages deployments);
    owners!(resources models request_validators rest_authorizers gateway_responses rest_deployments rest_stages);
    edited
}

/// Adds the APIs of what is new, other or gone.
fn add<K: Ord, V: PartOf>(edited: &mut BTreeSet<ApiId>, before: &Table<K, V>, after: &Table<K, V>) {
    for (key, later) in before.changes(after) {
        edited.extend(before.get(key).and_then(|earlier| earlier.api()));
        edited.extend(later.and_then(|later| later.api()));
    }
}
