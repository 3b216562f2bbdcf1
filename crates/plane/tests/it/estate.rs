//! A small estate with the whole chain: an API, a link with an interface in each of two zones, an internal load balancer, a
//! target group with one target, and groups that let exactly that through. Tests change what they are about.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use topology::arn::CertificateArn;
use topology::arn::{ElbArn, ElbResource, LoadBalancerName};
use topology::compile::compile;
use topology::estate::RealmEstate;
use topology::id::*;
use topology::net::{PortRange, Traffic};
use topology::resource::action::Action;
use topology::resource::attachment::{Attachment, ServedAt};
use topology::resource::certificate::Certificate;
use topology::resource::domain::{ApiMapping, DomainName, RoutingMode};
use topology::resource::health_check::{HealthCheck, Pace, Probe};
use topology::resource::http_api::{
    Api, Authorization, Deployment, Frozen, Integration, IntegrationConnection, Route, Stage,
};
use topology::resource::listener::{Listener, ListenerProtocol, NewListener};
use topology::resource::listener_socket::ListenerSocket;
use topology::resource::load_balancer::{
    BalancerAttributes, BalancerKind, BalancerState, BalancerZone, LoadBalancer, Scheme,
};
use topology::resource::network_interface::{InterfaceOwner, MacAddress, NetworkInterface};
use topology::resource::security_group::{RulePeer, SecurityGroup, SecurityGroupRule};
use topology::resource::target_group::{
    HttpVersion, NewTargetGroup, Registered, Target, TargetGroup, TargetGroupKind, TargetZone,
};
use topology::resource::trust_store::MutualAuthentication;
use topology::resource::vpc::{Subnet, Vpc};
use topology::resource::vpc_link::{VpcLink, VpcLinkState};
use topology::snapshot::Snapshot;
use topology::time::Moment;
use topology::verdict::Direction;

/// The estate and the revision of its last snapshot.
pub(crate) struct Chain {
    pub(crate) realm: Realm,
    pub(crate) estate: RealmEstate,
    pub(crate) revision: u64,
    frozen: Frozen,
}

pub(crate) const VPC: VpcId = VpcId::from_bits(1);
pub(crate) const LINK_GROUP: SecurityGroupId = SecurityGroupId::from_bits(1);
pub(crate) const ALB_GROUP: SecurityGroupId = SecurityGroupId::from_bits(2);
pub(crate) const TARGET_GROUP_SG: SecurityGroupId = SecurityGroupId::from_bits(3);
pub(crate) const LINK_EGRESS: SecurityGroupRuleId = SecurityGroupRuleId::from_bits(1);
pub(crate) const ALB_INGRESS: SecurityGroupRuleId = SecurityGroupRuleId::from_bits(2);
pub(crate) const ALB_EGRESS: SecurityGroupRuleId = SecurityGroupRuleId::from_bits(3);
pub(crate) const TARGET_INGRESS: SecurityGroupRuleId = SecurityGroupRuleId::from_bits(4);
pub(crate) const BALANCER: LoadBalancerId = LoadBalancerId::from_bits(1);
pub(crate) const LISTENER: ListenerId = ListenerId::from_bits(1);
pub(crate) const GROUP: TargetGroupId = TargetGroupId::from_bits(1);
pub(crate) const TARGET_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
pub(crate) const TARGET_PORT: u16 = 8080;
pub(crate) const LISTENER_PORT: u16 = 80;

pub(crate) fn api() -> ApiId {
    ApiId::from_bits(7)
}

pub(crate) fn link() -> VpcLinkId {
    VpcLinkId::from_bits(7)
}

/// The host by which the API is invoked.
pub(crate) fn host() -> String {
    format!("{}.execute-api.us-east-1.amazonaws.com", api())
}

const LINK_INTERFACES: [NetworkInterfaceId; 2] = [NetworkInterfaceId::from_bits(10), NetworkInterfaceId::from_bits(11)];
const NODES: [NetworkInterfaceId; 2] = [NetworkInterfaceId::from_bits(20), NetworkInterfaceId::from_bits(21)];
pub(crate) const TARGET_INTERFACE: NetworkInterfaceId = NetworkInterfaceId::from_bits(30);

pub(crate) fn zone(at: usize) -> Zone {
    ["us-east-1a", "us-east-1b"][at].parse().unwrap()
}

pub(crate) fn realm() -> Realm {
    Realm { account: AccountId::DEFAULT, region: "us-east-1".parse().unwrap() }
}

/// The id of the certificate that tests call by this name.
fn certificate_id(name: &str) -> CertificateId {
    CertificateId::from_bits(name.bytes().fold(0, |bits, byte| u128::rotate_left(bits, 8) ^ u128::from(byte)))
}

/// The ARN of the certificate that tests call by this name.
pub(crate) fn certificate_arn(name: &str) -> CertificateArn {
    CertificateArn { realm: realm(), id: certificate_id(name) }
}

fn subnet(at: usize) -> SubnetId {
    SubnetId::from_bits(at as u128 + 1)
}

impl Chain {
    /// The chain, its target served at `backend`.
    pub(crate) fn new(backend: SocketAddr) -> Self {
        let realm = realm();
        let frozen = Frozen {
            disable_execute_api_endpoint: false,
            cors: None,
            routes: Vec::new(),
            integrations: Vec::new(),
            authorizers: Vec::new(),
        };
        let mut chain = Self { realm, estate: RealmEstate::default(), revision: 0, frozen };
        chain.network();
        chain.balancing();
        chain.gateway();
        chain.attach(backend);
        chain
    }

    fn network(&mut self) {
        let vpc = Vpc {
            id: VPC,
            cidr: "10.0.0.0/16".parse().unwrap(),
            cidr_association: VpcCidrAssociationId::from_bits(1),
            secondary_cidrs: Vec::new(),
            ipv6_cidrs: Vec::new(),
            is_default: false,
            enable_dns_support: true,
            enable_dns_hostnames: false,
            enable_network_address_usage_metrics: false,
            instance_tenancy: "default".into(),
            dhcp_options: Some(DhcpOptionsId::from_bits(1)),
            tags: Default::default(),
        };
        self.estate.vpcs.insert(VPC, vpc);
        for at in 0..2 {
            let subnet = Subnet {
                id: subnet(at),
                vpc: VPC,
                cidr: format!("10.0.{at}.0/24").parse().unwrap(),
                ipv6_cidr: None,
                assign_ipv6: false,
                zone: zone(at),
                map_public_ip_on_launch: false,
                default_for_az: false,
                enable_dns64: false,
                resource_name_dns_a: false,
                resource_name_dns_aaaa: false,
                private_dns_hostname_type: "ip-name".into(),
                tags: Default::default(),
            };
            self.estate.subnets.insert(subnet.id, subnet);
            self.interface(LINK_INTERFACES[at], at, 10, LINK_GROUP, InterfaceOwner::VpcLink(link()));
            self.interface(NODES[at], at, 20, ALB_GROUP, InterfaceOwner::LoadBalancer(BALANCER));
        }
        self.interface(TARGET_INTERFACE, 0, 50, TARGET_GROUP_SG, InterfaceOwner::Attachment);
        for (id, name) in [(LINK_GROUP, "link"), (ALB_GROUP, "alb"), (TARGET_GROUP_SG, "target")] {
            let group =
                SecurityGroup { id, vpc: VPC, name: name.into(), description: String::new(), tags: Default::default() };
            self.estate.security_groups.insert(id, group);
        }
        let port = |port| Traffic::Tcp(PortRange::new(port, port).unwrap());
        self.rule(LINK_EGRESS, LINK_GROUP, Direction::Egress, port(LISTENER_PORT), ALB_GROUP);
        self.rule(ALB_INGRESS, ALB_GROUP, Direction::Ingress, port(LISTENER_PORT), LINK_GROUP);
        self.rule(ALB_EGRESS, ALB_GROUP, Direction::Egress, port(TARGET_PORT), TARGET_GROUP_SG);
        self.rule(TARGET_INGRESS, TARGET_GROUP_SG, Direction::Ingress, port(TARGET_PORT), ALB_GROUP);
    }

    fn interface(
        &mut self,
        id: NetworkInterfaceId,
        at: usize,
        last: u8,
        group: SecurityGroupId,
        owner: InterfaceOwner,
    ) {
        let interface = NetworkInterface {
            id,
            vpc: VPC,
            subnet: subnet(at),
            private_ip: Ipv4Addr::new(10, 0, at as u8, last),
            secondary_ips: Vec::new(),
            ipv6_addresses: Vec::new(),
            mac: MacAddress([2, 0, 0, 0, at as u8, last]),
            description: String::new(),
            groups: vec![group],
            source_dest_check: true,
            owner,
            attachment: None,
            tags: Default::default(),
        };
        self.estate.network_interfaces.insert(id, interface);
    }

    /// Gives the VPC and its subnets blocks of IPv6, and the nodes and the target an address each; the target's.
    pub(crate) fn dual_stack(&mut self) -> Ipv6Addr {
        let (vpc, net) = ("2001:db8::/56".parse().unwrap(), |at: usize| format!("2001:db8:0:{at}::"));
        self.estate.vpcs.edit(&VPC).unwrap().ipv6_cidrs = vec![(VpcCidrAssociationId::from_bits(2), vpc)];
        let address = |at: usize, last: u8| -> Ipv6Addr { format!("{}{last}", net(at)).parse().unwrap() };
        for (at, node) in NODES.iter().enumerate() {
            let block = format!("{}/64", net(at)).parse().unwrap();
            let id = SubnetCidrAssociationId::from_bits(at as u128 + 1);
            self.estate.subnets.edit(&subnet(at)).unwrap().ipv6_cidr = Some((id, block));
            self.estate.network_interfaces.edit(node).unwrap().ipv6_addresses = vec![address(at, 20)];
        }
        self.estate.load_balancers.edit(&BALANCER).unwrap().ip_address_type = LoadBalancer::DUAL_STACK.into();
        let target = address(0, 50);
        self.estate.network_interfaces.edit(&TARGET_INTERFACE).unwrap().ipv6_addresses = vec![target];
        target
    }

    fn rule(
        &mut self,
        id: SecurityGroupRuleId,
        group: SecurityGroupId,
        direction: Direction,
        traffic: Traffic,
        peer: SecurityGroupId,
    ) {
        let peer = RulePeer::Group(peer);
        let rule =
            SecurityGroupRule { id, group, direction, traffic, peer, description: None, tags: Default::default() };
        self.estate.security_group_rules.insert(id, rule);
    }

    fn balancing(&mut self) {
        let zones =
            (0..2).map(|at| BalancerZone { zone: zone(at), subnet: subnet(at), interface: NODES[at], address: None });
        let balancer = LoadBalancer {
            id: BALANCER,
            name: "internal".into(),
            scheme: Scheme::Internal,
            vpc: VPC,
            zones: zones.collect(),
            groups: vec![ALB_GROUP],
            judges_private_link: true,
            ip_address_type: "ipv4".into(),
            dns_name: "internal-1.us-east-1.elb.amazonaws.com".into(),
            created: Moment(0),
            state: BalancerState::Active,
            attributes: BalancerAttributes::new(BalancerKind::Application),
            tags: Default::default(),
        };
        self.estate.load_balancers.insert(BALANCER, balancer);
        let listener = Listener::new(NewListener {
            id: LISTENER,
            load_balancer: BALANCER,
            kind: BalancerKind::Application,
            port: LISTENER_PORT,
            protocol: ListenerProtocol::Http,
            default_rule: ListenerRuleId::from_bits(1),
            default_gate: None,
            default_action: Action::to(GROUP),
            tags: Default::default(),
        })
        .unwrap();
        self.estate.listeners.insert(LISTENER, listener);
        let pace = Pace { interval_s: 30, timeout_s: 5, healthy_threshold: 5, unhealthy_threshold: 2 };
        let probe = Probe::Http { is_secure: false, path: "/health".parse().unwrap(), matcher: "200".parse().unwrap() };
        let mut group = TargetGroup::new(NewTargetGroup {
            id: GROUP,
            name: "targets".into(),
            vpc: VPC,
            kind: TargetGroupKind::Http(Registered::Ip, HttpVersion::Http1),
            family: topology::net::Family::Ipv4,
            port: TARGET_PORT,
            health_check: HealthCheck::new(None, probe, pace).unwrap(),
            tags: Default::default(),
        })
        .unwrap();
        group
            .set_targets(vec![Target {
                instance: None,
                address: TARGET_IP.into(),
                port: TARGET_PORT,
                zone: TargetZone::In(zone(0)),
                draining_until: None,
            }])
            .unwrap();
        self.estate.target_groups.insert(GROUP, group);
    }

    fn gateway(&mut self) {
        let api_resource = Api {
            id: api(),
            name: "api".into(),
            description: None,
            version: None,
            cors: None,
            disable_execute_api_endpoint: false,
            ip_address_type: "ipv4".into(),
            route_selection_expression: "$request.method $request.path".into(),
            api_key_selection_expression: "$request.header.x-api-key".into(),
            created: Moment(0),
            tags: Default::default(),
        };
        self.estate.apis.insert(api(), api_resource);
        let link_resource = VpcLink {
            id: link(),
            name: "link".into(),
            vpc: VPC,
            subnets: vec![subnet(0), subnet(1)],
            groups: vec![LINK_GROUP],
            interfaces: LINK_INTERFACES.to_vec(),
            state: VpcLinkState::Available,
            created: Moment(0),
            last_used: Moment(0),
            tags: Default::default(),
        };
        self.estate.vpc_links.insert(link(), link_resource);
        let name = LoadBalancerName { kind: BalancerKind::Application, name: "internal".into(), id: BALANCER };
        let uri = ElbArn { realm: self.realm.clone(), resource: ElbResource::Listener(name, LISTENER) };
        let integration = Integration {
            id: IntegrationId::from_bits(1),
            api: api(),
            connection: IntegrationConnection::VpcLink(link().to_string()),
            uri: uri.to_string(),
            method: "ANY".into(),
            payload_format_version: "1.0".into(),
            timeout_ms: 30_000,
            request_parameters: Default::default(),
            response_parameters: Default::default(),
            tls_server_name: None,
            description: None,
            managed: false,
        };
        self.frozen.integrations = vec![Arc::new(integration)];
        self.route("$default");
        self.stage("$default");
    }

    /// Adds a route to the integration.
    pub(crate) fn route(&mut self, key: &str) {
        let id = RouteId::from_bits(self.frozen.routes.len() as u64 + 1);
        let target = Some(IntegrationId::from_bits(1));
        let key = key.parse().unwrap();
        let authorization = Authorization::None;
        let route = Route { id, api: api(), key, authorization, target, operation_name: None, managed: false };
        self.frozen.routes.push(Arc::new(route));
    }

    /// Sets whether the VPC's resolver answers.
    pub(crate) fn support_dns(&mut self, is_on: bool) {
        let vpc = Vpc { enable_dns_support: is_on, ..Vpc::clone(self.estate.vpcs.get(&VPC).unwrap()) };
        self.estate.vpcs.insert(VPC, vpc);
    }

    /// Changes the route added last.
    pub(crate) fn edit_route(&mut self, edit: impl FnOnce(&mut Route)) {
        edit(Arc::make_mut(self.frozen.routes.last_mut().unwrap()));
    }

    /// Changes the integration.
    pub(crate) fn edit_integration(&mut self, edit: impl FnOnce(&mut Integration)) {
        edit(Arc::make_mut(&mut self.frozen.integrations[0]));
    }

    /// Changes what is deployed as a whole.
    pub(crate) fn edit_deployment(&mut self, edit: impl FnOnce(&mut Frozen)) {
        edit(&mut self.frozen);
    }

    /// Adds a stage.
    pub(crate) fn stage(&mut self, name: &str) {
        let stage = Stage {
            api: api(),
            name: name.parse().unwrap(),
            auto_deploy: false,
            deployment: Some(DeploymentId::from_bits(1)),
            description: None,
            variables: [("color".to_owned(), "blue".to_owned())].into(),
            access_log: None,
            default_route_settings: None,
            route_settings: Default::default(),
            last_deployment_status: None,
            created: Moment(0),
            updated: Moment(0),
            managed: false,
            tags: Default::default(),
        };
        self.estate.stages.insert((api(), name.parse().unwrap()), stage);
    }

    /// Imports a certificate under an id that is the domain's name.
    pub(crate) fn import(&mut self, id: &str, certificate: impl Into<Certificate>) {
        let certificate = Certificate { id: certificate_id(id), ..certificate.into() };
        self.estate.certificates.insert(certificate.id, certificate);
    }

    /// Adds a custom domain name with this certificate.
    pub(crate) fn domain(&mut self, name: &str, certificate: impl Into<Certificate>) {
        self.import(name, certificate);
        let domain = DomainName {
            name: name.parse().unwrap(),
            certificate_arn: certificate_arn(name),
            ownership_certificate_arn: None,
            security_policy: "TLS_1_2".into(),
            ip_address_type: "ipv4".into(),
            target_label: "d-1".into(),
            mutual_tls: None,
            routing_mode: RoutingMode::default(),
            tags: Default::default(),
        };
        self.estate.domain_names.insert(domain.name.clone(), domain);
    }

    /// Changes a custom domain name.
    pub(crate) fn edit_domain(&mut self, name: &str, edit: impl FnOnce(&mut DomainName)) {
        edit(self.estate.domain_names.edit(&name.parse().unwrap()).unwrap());
    }

    /// Maps a stage below a custom domain name.
    pub(crate) fn mapping(&mut self, name: &str, key: &str, stage: &str) {
        let id = ApiMappingId::from_bits(self.estate.api_mappings.len() as u64 + 1);
        let mapping = ApiMapping {
            id,
            domain_name: name.parse().unwrap(),
            api: api(),
            stage: stage.parse().unwrap(),
            key: key.into(),
        };
        self.estate.api_mappings.insert(id, mapping);
    }

    /// Makes the listener speak TLS with these certificates, the default one first; with none it speaks plain HTTP.
    pub(crate) fn listener_certificates(&mut self, certificates: impl IntoIterator<Item = impl Into<Certificate>>) {
        let mut arns = Vec::new();
        for (at, certificate) in certificates.into_iter().enumerate() {
            let id = format!("listener-{at}");
            self.import(&id, certificate);
            arns.push(certificate_arn(&id));
        }
        let listener = self.estate.listeners.edit(&LISTENER).unwrap();
        let protocol = if arns.is_empty() {
            ListenerProtocol::Http
        } else {
            let certificate = arns.remove(0);
            let ssl_policy = "ELBSecurityPolicy-TLS13-1-2-2021-06".into();
            let mutual = MutualAuthentication::Off;
            ListenerProtocol::Https { certificate, ssl_policy, extra_certificates: arns, mutual }
        };
        listener.set_protocol(protocol).unwrap();
    }

    /// Makes the listener, which speaks TLS, ask this of clients' certificates.
    pub(crate) fn mutual(&mut self, wanted: MutualAuthentication) {
        let listener = self.estate.listeners.edit(&LISTENER).unwrap();
        let mut protocol = listener.protocol().clone();
        let ListenerProtocol::Https { mutual, .. } = &mut protocol else { panic!("it speaks plain HTTP") };
        *mutual = wanted;
        listener.set_protocol(protocol).unwrap();
    }

    /// Gives the listener a socket, whose clients come from an interface of the link.
    pub(crate) fn listen(&mut self, host: SocketAddr) {
        let socket = ListenerSocket { listener: LISTENER, host, interface: LINK_INTERFACES[0] };
        self.estate.listener_sockets.insert(LISTENER, socket);
    }

    /// Makes the group one of another kind, probed so.
    pub(crate) fn group_of(&mut self, kind: TargetGroupKind, probe: Probe) {
        let plain = self.estate.target_groups.get(&GROUP).unwrap();
        let before = plain.health_check();
        let mut group = TargetGroup::new(NewTargetGroup {
            id: plain.id,
            name: plain.name.clone(),
            vpc: plain.vpc,
            kind,
            family: topology::net::Family::Ipv4,
            port: plain.port,
            health_check: HealthCheck::new(before.port(), probe, before.pace()).unwrap(),
            tags: plain.tags.clone(),
        })
        .unwrap();
        group.set_targets(plain.targets().to_vec()).unwrap();
        self.estate.target_groups.insert(GROUP, group);
    }

    /// Serves every port of the target's address at `backend`.
    pub(crate) fn attach(&mut self, backend: SocketAddr) {
        let attachment = Attachment {
            interface: TARGET_INTERFACE,
            port: None,
            host: ServedAt::Host(backend),
            lease: false,
            agent: None,
        };
        self.estate.attachments.insert(attachment.key(), attachment);
    }

    /// Compiles what there is now.
    pub(crate) fn snapshot(&mut self) -> Arc<Snapshot> {
        let deployment = Deployment {
            id: DeploymentId::from_bits(1),
            api: api(),
            created: Moment(0),
            description: None,
            auto_deployed: false,
            frozen: self.frozen.clone(),
        };
        self.estate.deployments.insert(deployment.id, deployment);
        let realm = compile(&self.realm, &self.estate);
        // Integrations may lead nowhere here, and their requests be refused.
        assert_eq!(realm.problems().find(|problem| problem.text.ends_with("is gone")), None);
        self.revision += 1;
        Arc::new(Snapshot::new(self.revision, vec![Arc::new(realm)]))
    }
}
