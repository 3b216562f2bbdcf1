//! A small chain to test on: one VPC of two zones, a link, an internal load balancer "web" with a listener on port 80, a
//! target group "orders" with a target in each zone, and an HTTP API with one route. Ids are small numbers, so that a test
//! can name them. Only the public items of `topology` are used; the estate's benchmark multiplies this chain.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use topology::estate::RealmEstate;
use topology::id::*;
use topology::net::{PortRange, Traffic};
use topology::resource::action::Action;
use topology::resource::health_check::{HealthCheck, Pace, Probe};
use topology::resource::http_api::{
    Api, Authorization, Deployment, Frozen, Integration, IntegrationConnection, Route, Stage,
};
use topology::resource::listener::{Listener, ListenerProtocol, ListenerRule, NewListener, RuleCondition};
use topology::resource::load_balancer::{
    BalancerAttributes, BalancerKind, BalancerState, BalancerZone, LoadBalancer, Scheme,
};
use topology::resource::network_interface::{InterfaceOwner, MacAddress, NetworkInterface};
use topology::resource::peering::{PeeringState, VpcPeeringConnection};
use topology::resource::routing::{Route as NetRoute, RouteTable, RouteTableAssociation, RouteTarget};
use topology::resource::security_group::{RulePeer, SecurityGroup, SecurityGroupRule};
use topology::resource::target_group::{
    HttpVersion, NewTargetGroup, Registered, Target, TargetGroup, TargetGroupKind, TargetZone,
};
use topology::resource::vpc::{AclAction, NetworkAcl, NetworkAclEntry, Subnet, Vpc};
use topology::resource::vpc_link::{VpcLink, VpcLinkState};
use topology::time::Moment;
use topology::verdict::Direction;

/// The realm of the tests.
pub(crate) fn realm() -> Realm {
    Realm { account: AccountId::DEFAULT, region: "us-east-1".parse().unwrap() }
}

/// Zone `a` or `b`, by the place of a subnet.
pub(crate) fn zone(at: u128) -> Zone {
    ["us-east-1a", "us-east-1b"][usize::try_from(at % 2).unwrap()].parse().unwrap()
}

/// What is different about a chain's groups.
pub(crate) const LINK_GROUP: u128 = 1;
/// The load balancer's group.
pub(crate) const ALB_GROUP: u128 = 2;
/// The targets' group.
pub(crate) const TARGET_GROUP: u128 = 3;

/// Numbers of the chain's interfaces: two of the link, two nodes, two targets.
pub(crate) const LINK_ENIS: [u128; 2] = [1, 2];
/// The load balancer's nodes.
pub(crate) const NODE_ENIS: [u128; 2] = [3, 4];
/// The targets.
pub(crate) const TARGET_ENIS: [u128; 2] = [5, 6];

/// An estate with the chain number `n`; ids of chain `n` begin at `n * 100`.
#[derive(Debug)]
pub(crate) struct World {
    /// The estate.
    pub(crate) estate: RealmEstate,
    n: u128,
}

impl World {
    /// A chain with no rule in any group.
    pub(crate) fn closed() -> Self {
        let mut world = Self { estate: RealmEstate::default(), n: 0 };
        world.add_chain(0);
        world
    }

    /// A chain whose rules are the least that let a request through.
    pub(crate) fn open() -> Self {
        let mut world = Self::closed();
        world.open_chain();
        world
    }

    /// Adds chain `n` without rules; what follows speaks of it.
    pub(crate) fn add_chain(&mut self, n: u128) {
        self.n = n;
        self.add_network();
        for (group, name) in [(LINK_GROUP, "link"), (ALB_GROUP, "alb"), (TARGET_GROUP, "orders")] {
            self.add_group(group, name);
        }
        self.add_balancer();
        self.add_gateway();
    }

    /// From here on everything speaks of chain `n`, which is there.
    pub(crate) fn at_chain(&mut self, n: u128) {
        self.n = n;
    }

    /// The peering connection of this chain's VPC with another chain's.
    pub(crate) fn peering(&self) -> VpcPeeringConnectionId {
        VpcPeeringConnectionId::from_bits(self.n * 100 + 1)
    }

    /// Asks for a peering connection with the VPC of chain `other`.
    pub(crate) fn add_peering(&mut self, other: u128, state: PeeringState) {
        let accepter = VpcId::from_bits(other + 1);
        let (id, requester) = (self.peering(), self.vpc());
        let made = VpcPeeringConnection { id, requester, accepter, state, expires: Moment(0), tags: BTreeMap::new() };
        self.estate.vpc_peering_connections.insert(id, made);
    }

    /// The id of this chain's route table for the subnet `at`.
    pub(crate) fn table(&self, at: u128) -> RouteTableId {
        RouteTableId::from_bits(self.n * 100 + at + 1)
    }

    /// Gives the subnet `at` a route table with these routes beside the local one; an internet gateway stands for what is no peering.
    pub(crate) fn add_table(&mut self, at: u128, routes: &[(&str, Option<VpcPeeringConnectionId>)]) {
        let gateway = RouteTarget::InternetGateway(InternetGatewayId::from_bits(1));
        let target = |through: Option<_>| through.map_or(gateway, RouteTarget::VpcPeeringConnection);
        let route =
            |(to, through): &(&str, Option<_>)| NetRoute { destination: (*to).to_owned(), target: target(*through) };
        let local = NetRoute { destination: "10.0.0.0/24".to_owned(), target: RouteTarget::Local };
        let association = RouteTableAssociationId::from_bits(self.n * 100 + at);
        let table = RouteTable {
            id: self.table(at),
            vpc: self.vpc(),
            routes: std::iter::once(local).chain(routes.iter().map(route)).collect(),
            associations: vec![RouteTableAssociation { id: association, subnet: Some(self.subnet(at)) }],
            tags: BTreeMap::new(),
        };
        self.estate.route_tables.insert(table.id, table);
    }

    /// Puts a route through a peering connection into a table, in place of one for the same addresses.
    pub(crate) fn put_route(&mut self, table: RouteTableId, to: &str, through: VpcPeeringConnectionId) {
        let table = self.estate.route_tables.edit(&table).unwrap();
        table.routes.retain(|route| route.destination != to);
        let target = RouteTarget::VpcPeeringConnection(through);
        table.routes.push(NetRoute { destination: to.to_owned(), target });
    }

    /// The least rules that let a request through the chain.
    pub(crate) fn open_chain(&mut self) {
        let tcp = |port| Traffic::Tcp(PortRange::new(port, port).unwrap());
        let group = |n| RulePeer::Group(self.sg(n));
        let rows = [
            (LINK_GROUP, Direction::Egress, tcp(80), group(ALB_GROUP)),
            (ALB_GROUP, Direction::Ingress, tcp(80), group(LINK_GROUP)),
            (ALB_GROUP, Direction::Egress, tcp(8080), group(TARGET_GROUP)),
            (TARGET_GROUP, Direction::Ingress, tcp(8080), group(ALB_GROUP)),
        ];
        for (at, (group, direction, traffic, peer)) in (1..).zip(rows) {
            self.add_rule(at, group, (direction, traffic, peer));
        }
    }

    /// The id of the chain's group `n`.
    pub(crate) fn sg(&self, n: u128) -> SecurityGroupId {
        SecurityGroupId::from_bits(self.n * 100 + n)
    }

    /// The id of the chain's rule `n`.
    pub(crate) fn sgr(&self, n: u128) -> SecurityGroupRuleId {
        SecurityGroupRuleId::from_bits(self.n * 100 + n)
    }

    /// The id of the chain's interface `n`.
    pub(crate) fn eni(&self, n: u128) -> NetworkInterfaceId {
        NetworkInterfaceId::from_bits(self.n * 100 + n)
    }

    /// The address of the chain's interface `n`: odd ones lie in zone a, even ones in zone b.
    pub(crate) fn address(&self, n: u128) -> Ipv4Addr {
        let subnet = u8::try_from((n + 1) % 2).unwrap();
        let [_, _, high, low] = u32::try_from(self.n).unwrap().to_be_bytes();
        Ipv4Addr::new(10, high, low, subnet * 128 + u8::try_from(n).unwrap() + 3)
    }

    fn elb(&self, n: u64) -> u64 {
        u64::try_from(self.n).unwrap() * 100 + n
    }

    /// The VPC of the chain.
    pub(crate) fn vpc(&self) -> VpcId {
        VpcId::from_bits(self.n + 1)
    }

    /// The API.
    pub(crate) fn api(&self) -> ApiId {
        ApiId::from_bits(self.elb(1))
    }

    /// The API's route.
    pub(crate) fn route(&self) -> RouteId {
        RouteId::from_bits(self.elb(1))
    }

    /// The route's integration.
    pub(crate) fn integration(&self) -> IntegrationId {
        IntegrationId::from_bits(self.elb(1))
    }

    /// What the API's stages serve.
    pub(crate) fn deployment(&self) -> DeploymentId {
        DeploymentId::from_bits(self.elb(1))
    }

    /// The link.
    pub(crate) fn link(&self) -> VpcLinkId {
        VpcLinkId::from_bits(self.elb(1))
    }

    /// The load balancer.
    pub(crate) fn balancer(&self) -> LoadBalancerId {
        LoadBalancerId::from_bits(self.elb(1))
    }

    /// The listener.
    pub(crate) fn listener(&self) -> ListenerId {
        ListenerId::from_bits(self.elb(1))
    }

    /// The listener's rule `n`; 1 is the default rule.
    pub(crate) fn rule(&self, n: u64) -> ListenerRuleId {
        ListenerRuleId::from_bits(self.elb(n))
    }

    /// The target group `n`.
    pub(crate) fn target_group(&self, n: u64) -> TargetGroupId {
        TargetGroupId::from_bits(self.elb(n))
    }

    /// The ARN of the listener.
    pub(crate) fn listener_arn(&self) -> String {
        let tail = format!("listener/app/web/{}/{}", self.balancer(), self.listener());
        format!("arn:aws:elasticloadbalancing:us-east-1:000000000000:{tail}")
    }

    fn add_network(&mut self) {
        let id = self.vpc();
        let [a, b, c, _] = self.address(0).octets();
        let cidr = |host: u8, bits: u8| ipnet::Ipv4Net::new(Ipv4Addr::new(a, b, c, host), bits).unwrap();
        let vpc = Vpc {
            id,
            cidr: cidr(0, 24),
            cidr_association: VpcCidrAssociationId::from_bits(1),
            secondary_cidrs: Vec::new(),
            ipv6_cidrs: Vec::new(),
            is_default: false,
            enable_dns_support: true,
            enable_dns_hostnames: false,
            enable_network_address_usage_metrics: false,
            instance_tenancy: "default".to_owned(),
            dhcp_options: Some(DhcpOptionsId::from_bits(1)),
            tags: BTreeMap::new(),
        };
        self.estate.vpcs.insert(id, vpc);
        for at in 0..2 {
            let subnet = Subnet {
                id: self.subnet(at),
                vpc: id,
                cidr: cidr(u8::try_from(at).unwrap() * 128, 25),
                ipv6_cidr: None,
                assign_ipv6: false,
                zone: zone(at),
                map_public_ip_on_launch: false,
                default_for_az: false,
                enable_dns64: false,
                resource_name_dns_a: false,
                resource_name_dns_aaaa: false,
                private_dns_hostname_type: "ip-name".to_owned(),
                tags: BTreeMap::new(),
            };
            self.estate.subnets.insert(subnet.id, subnet);
        }
    }

    /// The subnet of zone `a` or `b`.
    pub(crate) fn subnet(&self, at: u128) -> SubnetId {
        SubnetId::from_bits(self.n * 100 + at % 2)
    }

    /// Adds a group without rules.
    pub(crate) fn add_group(&mut self, n: u128, name: &str) {
        let group = SecurityGroup {
            id: self.sg(n),
            vpc: self.vpc(),
            name: name.to_owned(),
            description: String::new(),
            tags: BTreeMap::new(),
        };
        self.estate.security_groups.insert(group.id, group);
    }

    /// Adds a rule to a group of the chain.
    pub(crate) fn add_rule(
        &mut self,
        n: u128,
        group: u128,
        (direction, traffic, peer): (Direction, Traffic, RulePeer),
    ) {
        let rule = SecurityGroupRule {
            id: self.sgr(n),
            group: self.sg(group),
            direction,
            traffic,
            peer,
            description: None,
            tags: BTreeMap::new(),
        };
        self.estate.security_group_rules.insert(rule.id, rule);
    }

    /// An ACL of this chain.
    pub(crate) fn acl(&self, n: u128) -> NetworkAclId {
        NetworkAclId::from_bits(self.n * 100 + n)
    }

    /// Gives these subnets, `a` or `b`, an ACL without entries.
    pub(crate) fn add_acl(&mut self, n: u128, subnets: &[u128]) {
        let guarded = |at: &u128| (NetworkAclAssociationId::from_bits(self.n * 100 + *at), self.subnet(*at));
        let acl = NetworkAcl {
            id: self.acl(n),
            vpc: self.vpc(),
            is_default: false,
            entries: Vec::new(),
            associations: subnets.iter().map(guarded).collect(),
            tags: BTreeMap::new(),
        };
        self.estate.network_acls.insert(acl.id, acl);
    }

    /// Adds an entry to an ACL: number, direction, whether it allows, ports of TCP or everything, and block.
    pub(crate) fn add_entry(
        &mut self,
        acl: NetworkAclId,
        (rule_number, direction, allows): (u16, Direction, bool),
        (ports, block): (Option<(u16, u16)>, &str),
    ) {
        let entry = NetworkAclEntry {
            rule_number,
            egress: direction == Direction::Egress,
            protocol: if ports.is_some() { 6 } else { -1 },
            action: if allows { AclAction::Allow } else { AclAction::Deny },
            cidr: Some(block.to_owned()),
            ipv6_cidr: None,
            ports,
            icmp: None,
        };
        self.estate.network_acls.edit(&acl).unwrap().entries.push(entry);
    }

    /// Takes a rule away.
    pub(crate) fn revoke(&mut self, n: u128) {
        let id = self.sgr(n);
        self.estate.security_group_rules.remove(&id);
    }

    /// Adds interface `n` with the groups given by number.
    pub(crate) fn add_interface(&mut self, n: u128, groups: &[u128], owner: InterfaceOwner) {
        let interface = NetworkInterface {
            id: self.eni(n),
            vpc: self.vpc(),
            subnet: self.subnet(n + 1),
            private_ip: self.address(n),
            secondary_ips: Vec::new(),
            ipv6_addresses: Vec::new(),
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            description: String::new(),
            groups: groups.iter().map(|group| self.sg(*group)).collect(),
            source_dest_check: true,
            owner,
            attachment: None,
            tags: BTreeMap::new(),
        };
        self.estate.network_interfaces.insert(interface.id, interface);
    }

    fn add_balancer(&mut self) {
        let owner = InterfaceOwner::LoadBalancer(self.balancer());
        for n in NODE_ENIS {
            self.add_interface(n, &[ALB_GROUP], owner);
        }
        for n in TARGET_ENIS {
            self.add_interface(n, &[TARGET_GROUP], InterfaceOwner::User);
        }
        let node = |(at, n): (u128, u128)| BalancerZone {
            zone: zone(at),
            subnet: self.subnet(at),
            interface: self.eni(n),
            address: None,
        };
        let balancer = LoadBalancer {
            id: self.balancer(),
            name: "web".to_owned(),
            scheme: Scheme::Internal,
            vpc: self.vpc(),
            zones: (0..).zip(NODE_ENIS).map(node).collect(),
            groups: vec![self.sg(ALB_GROUP)],
            judges_private_link: true,
            ip_address_type: "ipv4".to_owned(),
            dns_name: "internal-web-1.us-east-1.elb.amazonaws.com".to_owned(),
            created: Moment(0),
            state: BalancerState::Active,
            attributes: BalancerAttributes::new(BalancerKind::Application),
            tags: BTreeMap::new(),
        };
        self.estate.load_balancers.insert(balancer.id, balancer);
        let targets = TARGET_ENIS.map(|n| (self.address(n), 8080));
        self.add_target_group(1, &targets);
        let listener = Listener::new(NewListener {
            id: self.listener(),
            load_balancer: self.balancer(),
            kind: BalancerKind::Application,
            port: 80,
            protocol: ListenerProtocol::Http,
            default_rule: self.rule(1),
            default_gate: None,
            default_action: self.forward(1),
            tags: BTreeMap::new(),
        })
        .unwrap();
        self.estate.listeners.insert(listener.id, listener);
    }

    /// Forwards everything to target group `n`.
    pub(crate) fn forward(&self, n: u64) -> Action {
        Action::to(self.target_group(n))
    }

    /// Adds a target group; group 1 is called "orders". Targets alternate between the zones.
    pub(crate) fn add_target_group(&mut self, n: u64, targets: &[(Ipv4Addr, u16)]) {
        let place = |(at, (address, port)): (u128, &(Ipv4Addr, u16))| Target {
            instance: None,
            address: (*address).into(),
            port: *port,
            zone: TargetZone::In(zone(at)),
            draining_until: None,
        };
        let pace = Pace { interval_s: 30, timeout_s: 5, healthy_threshold: 5, unhealthy_threshold: 2 };
        let probe = Probe::Http { is_secure: false, path: "/".parse().unwrap(), matcher: "200".parse().unwrap() };
        let mut group = TargetGroup::new(NewTargetGroup {
            id: self.target_group(n),
            name: if n == 1 { "orders".to_owned() } else { format!("group-{n}") },
            vpc: self.vpc(),
            kind: TargetGroupKind::Http(Registered::Ip, HttpVersion::Http1),
            family: topology::net::Family::Ipv4,
            port: 8080,
            health_check: HealthCheck::new(None, probe, pace).unwrap(),
            tags: BTreeMap::new(),
        })
        .unwrap();
        group.set_targets((0..).zip(targets).map(place).collect()).unwrap();
        self.estate.target_groups.insert(group.id, group);
    }

    /// Probes the targets of a group at this port.
    pub(crate) fn probe_port(&mut self, group: TargetGroupId, port: Option<u16>) {
        let group = self.estate.target_groups.edit(&group).unwrap();
        let check = group.health_check();
        let check = HealthCheck::new(port, check.probe().clone(), check.pace()).unwrap();
        group.set_health_check(check).unwrap();
    }

    /// Changes the targets of a group.
    pub(crate) fn edit_targets(&mut self, group: TargetGroupId, change: impl FnOnce(&mut Vec<Target>)) {
        let group = self.estate.target_groups.edit(&group).unwrap();
        let mut targets = group.targets().to_vec();
        change(&mut targets);
        group.set_targets(targets).unwrap();
    }

    /// Adds a rule to the listener.
    pub(crate) fn add_listener_rule(&mut self, n: u64, conditions: Vec<RuleCondition>, action: Action) {
        let rule = ListenerRule {
            id: self.rule(n),
            listener: self.listener(),
            priority: u32::try_from(n).unwrap(),
            conditions,
            action,
            gate: None,
            order: None,
            transforms: Default::default(),
            tags: BTreeMap::new(),
        };
        self.estate.listener_rules.insert(rule.id, rule);
    }

    fn add_gateway(&mut self) {
        for n in LINK_ENIS {
            self.add_interface(n, &[LINK_GROUP], InterfaceOwner::VpcLink(self.link()));
        }
        let link = VpcLink {
            id: self.link(),
            name: "private".to_owned(),
            vpc: self.vpc(),
            subnets: vec![self.subnet(0), self.subnet(1)],
            groups: vec![self.sg(LINK_GROUP)],
            interfaces: LINK_ENIS.map(|n| self.eni(n)).to_vec(),
            state: VpcLinkState::Available,
            created: Moment(0),
            last_used: Moment(0),
            tags: BTreeMap::new(),
        };
        self.estate.vpc_links.insert(link.id, link);
        let api = Api {
            id: self.api(),
            name: "shop".to_owned(),
            description: None,
            version: None,
            cors: None,
            disable_execute_api_endpoint: false,
            ip_address_type: "ipv4".to_owned(),
            route_selection_expression: "$request.method $request.path".to_owned(),
            api_key_selection_expression: "$request.header.x-api-key".to_owned(),
            created: Moment(0),
            tags: BTreeMap::new(),
        };
        self.estate.apis.insert(api.id, api);
        let integration = self.integration_to(&self.listener_arn());
        self.deploy(integration);
        for name in ["$default", "dev"] {
            self.add_stage(name);
        }
    }

    /// The integration, leading through the link to `uri`.
    pub(crate) fn integration_to(&self, uri: &str) -> Integration {
        Integration {
            id: self.integration(),
            api: self.api(),
            connection: IntegrationConnection::VpcLink(self.link().to_string()),
            uri: uri.to_owned(),
            method: "ANY".to_owned(),
            payload_format_version: "1.0".to_owned(),
            timeout_ms: 30_000,
            request_parameters: BTreeMap::new(),
            response_parameters: BTreeMap::new(),
            tls_server_name: None,
            description: None,
            managed: false,
        }
    }

    /// Deploys the API with one route, `ANY /hello`, that leads to this integration.
    pub(crate) fn deploy(&mut self, integration: Integration) {
        let route = Route {
            id: self.route(),
            api: self.api(),
            key: "ANY /hello".parse().unwrap(),
            authorization: Authorization::None,
            target: Some(integration.id),
            operation_name: None,
            managed: false,
        };
        let frozen = Frozen {
            disable_execute_api_endpoint: false,
            cors: None,
            routes: vec![Arc::new(route)],
            integrations: vec![Arc::new(integration)],
            authorizers: Vec::new(),
        };
        let deployment = Deployment {
            id: self.deployment(),
            api: self.api(),
            created: Moment(0),
            description: None,
            auto_deployed: true,
            frozen,
        };
        self.estate.deployments.insert(deployment.id, deployment);
    }

    fn add_stage(&mut self, name: &str) {
        let stage = Stage {
            api: self.api(),
            name: name.parse().unwrap(),
            auto_deploy: true,
            deployment: Some(self.deployment()),
            description: None,
            variables: BTreeMap::new(),
            access_log: None,
            default_route_settings: None,
            route_settings: BTreeMap::new(),
            last_deployment_status: None,
            created: Moment(0),
            updated: Moment(0),
            managed: false,
            tags: BTreeMap::new(),
        };
        self.estate.stages.insert((self.api(), name.parse().unwrap()), stage);
    }
}
