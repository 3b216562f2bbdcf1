//! Every resource, in memory: one table for each kind and realm. Cloning an estate clones pointers to its tables; a draft is a clone
//! whose tables are copied where they are edited, and dropping it is the rollback. Two estates are compared pointer by pointer to find
//! what a write changed.

mod table;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

pub use self::table::{PartOf, Table};
use crate::arn::CertificateArn;
pub use crate::id::StageKey;
use crate::id::{
    AccountId, AgentId, AllocationId, ApiId, ApiKeyId, ApiMappingId, AuthorizerId, CertificateId, ClientCertificateId,
    DeploymentId, DhcpOptionsId, EgressOnlyInternetGatewayId, FlowLogId, HostName, InstanceId, IntegrationId,
    InternetGatewayId, ListenerId, ListenerRuleId, LoadBalancerId, LogGroupName, NatGatewayId, NetworkAclId,
    NetworkInterfaceId, PrefixListId, Realm, RequestValidatorId, ResourceId, RouteId, RouteTableId, RoutingRuleId,
    SecurityGroupId, SecurityGroupRuleId, SubnetId, TargetGroupId, TokenHash, TrustStoreId, UsagePlanId, VpcEndpointId,
    VpcId, VpcLinkId, VpcLinkV1Id, VpcPeeringConnectionId,
};
use crate::resource::agent::{Agent, AgentToken};
use crate::resource::attachment::{Attachment, AttachmentKey};
use crate::resource::certificate::Certificate;
use crate::resource::client_certificate::ClientCertificate;
use crate::resource::documentation::{DocumentationLocation, DocumentationPart, DocumentationVersion};
use crate::resource::domain::{ApiMapping, DomainName, RoutingRule};
use crate::resource::flow_log::FlowLog;
use crate::resource::gateway_account::GatewayAccount;
use crate::resource::http_api::{Api, Authorizer, Deployment, Integration, Route, Stage};
use crate::resource::instance::Instance;
use crate::resource::listener::{Listener, ListenerRule};
use crate::resource::listener_socket::ListenerSocket;
use crate::resource::load_balancer::LoadBalancer;
use crate::resource::log_group::LogGroup;
use crate::resource::network_interface::NetworkInterface;
use crate::resource::peering::VpcPeeringConnection;
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
use crate::resource::trust_store::{Revocation, RevocationKey, TrustStore};
use crate::resource::usage_plan::{ApiKey, Usage, UsageKey, UsagePlan, UsagePlanKey};
use crate::resource::vpc::{DhcpOptions, NetworkAcl, Subnet, Vpc};
use crate::resource::vpc_link::{VpcLink, VpcLinkV1};

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

/// Whose a resource is: that of the API that a member of it names, or none's.
macro_rules! owner {
    ($resource:ident) => {
        None
    };
    ($resource:ident $member:ident) => {
        Some($resource.$member)
    };
}

macro_rules! estate {
    ($($(#[$doc:meta])* $field:ident: $key:ty => $value:ty $([$member:ident])?,)*) => {
        $(impl PartOf for $value {
            fn api(&self) -> Option<ApiId> {
                owner!(self $($member)?)
            }
        })*

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
    /// Instances.
    instances: InstanceId => Instance,
    /// Internet gateways.
    internet_gateways: InternetGatewayId => InternetGateway,
    /// Egress-only internet gateways.
    egress_only_internet_gateways: EgressOnlyInternetGatewayId => EgressOnlyInternetGateway,
    /// Route tables.
    route_tables: RouteTableId => RouteTable,
    /// VPC peering connections.
    vpc_peering_connections: VpcPeeringConnectionId => VpcPeeringConnection,
    /// Flow logs.
    flow_logs: FlowLogId => FlowLog,
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
    /// Trust stores of load balancers.
    trust_stores: TrustStoreId => TrustStore,
    /// Their revocation lists.
    trust_store_revocations: RevocationKey => Revocation,
    /// HTTP APIs.
    apis: ApiId => Api,
    /// Routes.
    routes: RouteId => Route [api],
    /// Integrations.
    integrations: IntegrationId => Integration [api],
    /// Authorizers.
    authorizers: AuthorizerId => Authorizer [api],
    /// Stages.
    stages: StageKey => Stage [api],
    /// Deployments.
    deployments: DeploymentId => Deployment [api],
    /// VPC links (V2).
    vpc_links: VpcLinkId => VpcLink,
    /// VPC links (V1).
    vpc_links_v1: VpcLinkV1Id => VpcLinkV1,
    /// REST APIs.
    rest_apis: ApiId => RestApi,
    /// Resources of REST APIs, with their methods.
    resources: ResourceKey => Resource [api],
    /// Models of REST APIs.
    models: ModelKey => Model [api],
    /// Request validators of REST APIs.
    request_validators: RequestValidatorId => RequestValidator [api],
    /// Authorizers of REST APIs.
    rest_authorizers: AuthorizerId => RestAuthorizer [api],
    /// Gateway responses that were customized.
    gateway_responses: GatewayResponseKey => GatewayResponse [api],
    /// Parts of the documentation of REST APIs.
    documentation_parts: DocumentationPartKey => DocumentationPart [api],
    /// Versions of the documentation of REST APIs.
    documentation_versions: DocumentationVersionKey => DocumentationVersion [api],
    /// Deployments of REST APIs.
    rest_deployments: DeploymentId => RestDeployment [api],
    /// Stages of REST APIs.
    rest_stages: StageKey => RestStage [api],
    /// The account settings of API Gateway, once there are any.
    gateway_accounts: AccountId => GatewayAccount,
    /// Client certificates of stages.
    client_certificates: ClientCertificateId => ClientCertificate,
    /// API keys.
    api_keys: ApiKeyId => ApiKey,
    /// Usage plans.
    usage_plans: UsagePlanId => UsagePlan,
    /// Which keys are in which plans.
    usage_plan_keys: UsageKey => UsagePlanKey,
    /// What keys have used of plans with a quota.
    usage: UsageKey => Usage,
    /// Custom domain names.
    domain_names: HostName => DomainName,
    /// API mappings.
    api_mappings: ApiMappingId => ApiMapping [api],
    /// Routing rules of domain names.
    routing_rules: RoutingRuleId => RoutingRule,
    /// Log groups.
    log_groups: LogGroupName => LogGroup,
    /// Certificates.
    certificates: CertificateId => Certificate,
    /// Attachments.
    attachments: AttachmentKey => Attachment,
    /// Sockets of listeners.
    listener_sockets: ListenerId => ListenerSocket,
    /// Agents.
    agents: AgentId => Agent,
    /// Tokens that agents are enrolled with.
    agent_tokens: TokenHash => AgentToken,
}

impl RealmEstate {
    /// The certificate of this ARN, which must be of this realm: callers checked that when they kept the ARN.
    #[must_use]
    pub fn certificate(&self, arn: &CertificateArn) -> Option<&Arc<Certificate>> {
        self.certificates.get(&arn.id)
    }

    /// The address by which a load balancer is known that is a target: that of its first node.
    #[must_use]
    pub fn address_of_balancer(&self, id: LoadBalancerId) -> Option<Ipv4Addr> {
        let first = self.load_balancers.get(&id)?.zones.first()?.interface;
        self.network_interfaces.get(&first).map(|interface| interface.private_ip)
    }

    /// The revocation lists of a trust store, by their ids.
    pub fn revocations(&self, store: TrustStoreId) -> impl Iterator<Item = (u64, &Arc<Revocation>)> {
        let lists = self.trust_store_revocations.from((store, 0)).take_while(move |((of, _), _)| *of == store);
        lists.map(|((_, id), list)| (*id, list))
    }
}

/// Everything of everyone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Estate {
    /// The realms that hold anything.
    pub realms: BTreeMap<Realm, Arc<RealmEstate>>,
}
