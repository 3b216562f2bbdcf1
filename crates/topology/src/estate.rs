//! Every resource, in memory: one map for each kind and realm. Cloning an estate clones pointers to its maps; a draft is a clone
//! whose maps are copied as they are edited, and dropping it is the rollback. Two estates are compared pointer by pointer to find
//! what a write changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::arn::CertificateArn;
pub use crate::id::StageKey;
use crate::id::{
    AccountId, AllocationId, ApiId, ApiKeyId, ApiMappingId, AuthorizerId, CertificateId, DeploymentId, DhcpOptionsId,
    EgressOnlyInternetGatewayId, IntegrationId, InternetGatewayId, ListenerId, ListenerRuleId, LoadBalancerId,
    NatGatewayId, NetworkAclId, NetworkInterfaceId, PrefixListId, Realm, RequestValidatorId, ResourceId, RouteId,
    RouteTableId, RoutingRuleId, SecurityGroupId, SecurityGroupRuleId, SubnetId, TargetGroupId, UsagePlanId,
    VpcEndpointId, VpcId, VpcLinkId, VpcLinkV1Id,
};
use crate::resource::attachment::{Attachment, AttachmentKey};
use crate::resource::certificate::Certificate;
use crate::resource::documentation::{DocumentationLocation, DocumentationPart, DocumentationVersion};
use crate::resource::domain::{ApiMapping, DomainName, RoutingRule};
use crate::resource::gateway_account::GatewayAccount;
use crate::resource::http_api::{Api, Authorizer, Deployment, Integration, Route, Stage};
use crate::resource::listener::{Listener, ListenerRule};
use crate::resource::load_balancer::LoadBalancer;
use crate::resource::log_group::LogGroup;
use crate::resource::network_interface::NetworkInterface;
use crate::resource::prefix_list::PrefixList;
use crate::resource::rest_api::{
    GatewayResponse, GatewayResponseType, Model, RequestValidator, Resource, RestApi, RestAuthorizer,
};
use crate::resource::rest_stage::{RestDeployment, RestStage};
use crate::resource::routing::{
    Address, EgressOnlyInternetGateway, InternetGateway, NatGateway, RouteTable, VpcEndpoint,
};
use crate::resource::security_group::{SecurityGroup, SecurityGroupRule};
use crate::resource::target_group::TargetGroup;
use crate::resource::usage_plan::{ApiKey, Usage, UsageKey, UsagePlan, UsagePlanKey};
use crate::resource::vpc::{DhcpOptions, NetworkAcl, Subnet, Vpc};
use crate::resource::vpc_link::{VpcLink, VpcLinkV1};

/// Resources of one kind by key. A copy shares them until one of the two is edited.
#[derive(Debug, PartialEq)]
pub struct Table<K, V>(Arc<BTreeMap<K, Arc<V>>>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Arc::new(BTreeMap::new()))
    }
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Ord + Clone, V> Table<K, V> {
    /// The resource of this key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&Arc<V>> {
        self.0.get(key)
    }

    /// Whether there is one.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// Puts a resource in the place of what is there.
    pub fn insert(&mut self, key: K, value: V) {
        Arc::make_mut(&mut self.0).insert(key, Arc::new(value));
    }

    /// Takes a resource away.
    pub fn remove(&mut self, key: &K) -> Option<Arc<V>> {
        // What is not there is taken away without a copy.
        if self.0.contains_key(key) { Arc::make_mut(&mut self.0).remove(key) } else { None }
    }

    /// Every resource, in key order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Arc<V>> {
        self.0.values()
    }

    /// Every key and resource, in key order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &Arc<V>)> {
        self.0.iter()
    }

    /// Every key and resource from this key on, in key order.
    pub fn from(&self, first: K) -> impl Iterator<Item = (&K, &Arc<V>)> + use<'_, K, V> {
        self.0.range(first..)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether neither was edited since they were one. Two that are not the same may be equal all the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The keys whose resource is new, other or gone in `later`: `None` for gone.
    pub fn changes<'a>(&'a self, later: &'a Self) -> Vec<(&'a K, Option<&'a Arc<V>>)> {
        if self.is_same(later) {
            return Vec::new();
        }
        let mut changes: Vec<_> =
            self.0.keys().filter(|key| !later.0.contains_key(*key)).map(|key| (key, None)).collect();
        for (key, value) in &*later.0 {
            if self.0.get(key).is_none_or(|before| !Arc::ptr_eq(before, value)) {
                changes.push((key, Some(value)));
            }
        }
        changes
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    /// The resource of this key, to be edited in place; the old copy stays with those who hold it.
    pub fn edit(&mut self, key: &K) -> Option<&mut V> {
        // What is not there is looked for without a copy.
        if self.0.contains_key(key) { Arc::make_mut(&mut self.0).get_mut(key).map(Arc::make_mut) } else { None }
    }
}

/// A resource's key: the resources of one API stand together.
pub type ResourceKey = (ApiId, ResourceId);

/// A model's key: its API and name.
pub type ModelKey = (ApiId, String);

/// The key of a part of an API's documentation: no two are at one location, and parts of one API stand together.
pub type DocumentationPartKey = (ApiId, DocumentationLocation);

/// The key of a version of an API's documentation: its API and name.
pub type DocumentationVersionKey = (ApiId, String);

/// A gateway response's key.
pub type GatewayResponseKey = (ApiId, GatewayResponseType);

macro_rules! estate {
    ($($(#[$doc:meta])* $field:ident: $key:ty => $value:ty,)*) => {
        /// Everything of one account in one region.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct RealmEstate {
            $($(#[$doc])* pub $field: Table<$key, $value>,)*
        }

        impl RealmEstate {
            /// Whether it holds nothing.
            #[must_use]
            pub fn is_empty(&self) -> bool { true $(&& self.$field.is_empty())* }

            /// How many resources it holds.
            #[must_use]
            pub fn len(&self) -> usize { 0 $(+ self.$field.len())* }
        }

        /// Calls a macro with every table's field name, key type and value type; the store uses it so that no kind is
        /// forgotten.
        #[macro_export]
        macro_rules! for_each_table {
            ($call:ident) => { $call! { $($field: $key => $value,)* } };
        }
    };
}

estate! {
    /// VPCs.
    vpcs: VpcId => Vpc,
    /// Subnets.
    subnets: SubnetId => Subnet,
    /// Network ACLs.
    network_acls: NetworkAclId => NetworkAcl,
    /// DHCP options.
    dhcp_options: DhcpOptionsId => DhcpOptions,
    /// Security groups.
    security_groups: SecurityGroupId => SecurityGroup,
    /// Rules of security groups.
    security_group_rules: SecurityGroupRuleId => SecurityGroupRule,
    /// Network interfaces.
    network_interfaces: NetworkInterfaceId => NetworkInterface,
    /// Internet gateways.
    internet_gateways: InternetGatewayId => InternetGateway,
    /// Egress-only internet gateways.
    egress_only_internet_gateways: EgressOnlyInternetGatewayId => EgressOnlyInternetGateway,
    /// Route tables.
    route_tables: RouteTableId => RouteTable,
    /// NAT gateways.
    nat_gateways: NatGatewayId => NatGateway,
    /// Elastic IP addresses.
    addresses: AllocationId => Address,
    /// VPC endpoints.
    vpc_endpoints: VpcEndpointId => VpcEndpoint,
    /// Prefix lists.
    prefix_lists: PrefixListId => PrefixList,
    /// Load balancers.
    load_balancers: LoadBalancerId => LoadBalancer,
    /// Listeners.
    listeners: ListenerId => Listener,
    /// Rules of listeners.
    listener_rules: ListenerRuleId => ListenerRule,
    /// Target groups.
    target_groups: TargetGroupId => TargetGroup,
    /// HTTP APIs.
    apis: ApiId => Api,
    /// Routes.
    routes: RouteId => Route,
    /// Integrations.
    integrations: IntegrationId => Integration,
    /// Authorizers.
    authorizers: AuthorizerId => Authorizer,
    /// Stages.
    stages: StageKey => Stage,
    /// Deployments.
    deployments: DeploymentId => Deployment,
    /// VPC links (V2).
    vpc_links: VpcLinkId => VpcLink,
    /// VPC links (V1).
    vpc_links_v1: VpcLinkV1Id => VpcLinkV1,
    /// REST APIs.
    rest_apis: ApiId => RestApi,
    /// Resources of REST APIs, with their methods.
    resources: ResourceKey => Resource,
    /// Models of REST APIs.
    models: ModelKey => Model,
    /// Request validators of REST APIs.
    request_validators: RequestValidatorId => RequestValidator,
    /// Authorizers of REST APIs.
    rest_authorizers: AuthorizerId => RestAuthorizer,
    /// Gateway responses that were customized.
    gateway_responses: GatewayResponseKey => GatewayResponse,
    /// Parts of the documentation of REST APIs.
    documentation_parts: DocumentationPartKey => DocumentationPart,
    /// Versions of the documentation of REST APIs.
    documentation_versions: DocumentationVersionKey => DocumentationVersion,
    /// Deployments of REST APIs.
    rest_deployments: DeploymentId => RestDeployment,
    /// Stages of REST APIs.
    rest_stages: StageKey => RestStage,
    /// The account settings of API Gateway, once there are any.
    gateway_accounts: AccountId => GatewayAccount,
    /// API keys.
    api_keys: ApiKeyId => ApiKey,
    /// Usage plans.
    usage_plans: UsagePlanId => UsagePlan,
    /// Which keys are in which plans.
    usage_plan_keys: UsageKey => UsagePlanKey,
    /// What keys have used of plans with a quota.
    usage: UsageKey => Usage,
    /// Custom domain names.
    domain_names: String => DomainName,
    /// API mappings.
    api_mappings: ApiMappingId => ApiMapping,
    /// Routing rules of domain names.
    routing_rules: RoutingRuleId => RoutingRule,
    /// Log groups.
    log_groups: String => LogGroup,
    /// Certificates.
    certificates: CertificateId => Certificate,
    /// Attachments.
    attachments: AttachmentKey => Attachment,
}

impl RealmEstate {
    /// The certificate of this ARN, which must be of this realm: callers checked that when they kept the ARN.
    #[must_use]
    pub fn certificate(&self, arn: &CertificateArn) -> Option<&Arc<Certificate>> {
        self.certificates.get(&arn.id)
    }
}

/// Everything of everyone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Estate {
    /// The realms that hold anything.
    pub realms: BTreeMap<Realm, Arc<RealmEstate>>,
}
