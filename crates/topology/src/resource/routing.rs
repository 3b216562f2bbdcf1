//! Route tables and what routes lead to: internet gateways, NAT gateways, Elastic IP addresses, endpoints. They are records
//! with correct life cycles; of routes those through VPC peering connections are judged, those to internet and NAT gateways as ways out, and what shadows
//! either (`docs/differences-from-aws.md`).

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::id::{
    AddressAssociationId, AllocationId, EgressOnlyInternetGatewayId, InternetGatewayId, NatGatewayId,
    NetworkInterfaceId, RouteTableAssociationId, RouteTableId, SecurityGroupId, SubnetId, VpcEndpointId, VpcId,
    VpcPeeringConnectionId,
};
use crate::time::Moment;

/// An internet gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetGateway {
    /// Its id.
    pub id: InternetGatewayId,
    /// The VPC it is attached to.
    pub vpc: Option<VpcId>,
    /// Its tags.
    pub tags: Tags,
}

/// An egress-only internet gateway: the way out for IPv6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressOnlyInternetGateway {
    /// Its id.
    pub id: EgressOnlyInternetGatewayId,
    /// The VPC it is attached to.
    pub vpc: VpcId,
    /// Its tags.
    pub tags: Tags,
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteTarget {
    /// Within the VPC; made with the table and never removed.
    Local,
    /// An internet gateway.
    InternetGateway(InternetGatewayId),
    /// An egress-only internet gateway.
    EgressOnlyInternetGateway(EgressOnlyInternetGatewayId),
    /// A NAT gateway.
    NatGateway(NatGatewayId),
    /// An interface.
    NetworkInterface(NetworkInterfaceId),
    /// A gateway endpoint.
    VpcEndpoint(VpcEndpointId),
    /// A VPC peering connection.
    VpcPeeringConnection(VpcPeeringConnectionId),
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// An IPv4 or IPv6 block in canonical form, or a prefix list id.
    pub destination: String,
    /// Where it leads.
    pub target: RouteTarget,
}

/// The association of a route table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTableAssociation {
    /// Its id.
    pub id: RouteTableAssociationId,
    /// The subnet; `None` marks the VPC's main table.
    pub subnet: Option<SubnetId>,
}

/// A route table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// Its id.
    pub id: RouteTableId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its routes, the local one first.
    pub routes: Vec<Route>,
    /// Its associations.
    pub associations: Vec<RouteTableAssociation>,
    /// Its tags.
    pub tags: Tags,
}

/// The state of a NAT gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NatGatewayState {
    /// Until this moment.
    Pending(Moment),
    /// In service.
    Available,
    /// Until this moment.
    Deleting(Moment),
    /// Listed until this moment, then forgotten.
    Deleted(Moment),
}

/// A NAT gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatGateway {
    /// Its id.
    pub id: NatGatewayId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its Elastic IP address; `None` for a private one.
    pub allocation: Option<AllocationId>,
    /// Its interface, while it has one.
    pub interface: Option<NetworkInterfaceId>,
    /// Its private address.
    pub private_ip: Ipv4Addr,
    /// Its state.
    pub state: NatGatewayState,
    /// When it was made.
    pub created: Moment,
    /// When it was deleted.
    pub deleted: Option<Moment>,
    /// Its tags.
    pub tags: Tags,
}

/// An Elastic IP address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Its id.
    pub id: AllocationId,
    /// The address, from a documentation block: nothing is reachable there.
    pub public_ip: Ipv4Addr,
    /// The interface it is associated with.
    pub association: Option<(AddressAssociationId, NetworkInterfaceId)>,
    /// Its tags.
    pub tags: Tags,
}

/// What kind of endpoint, with what that kind has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointKind {
    /// An interface endpoint.
    Interface {
        /// Its subnets.
        subnets: Vec<SubnetId>,
        /// Its groups.
        groups: Vec<SecurityGroupId>,
        /// Its interfaces.
        interfaces: Vec<NetworkInterfaceId>,
        /// Whether the service's own name resolves to it.
        private_dns: bool,
    },
    /// A gateway endpoint.
    Gateway {
        /// The route tables that lead to it.
        route_tables: Vec<RouteTableId>,
    },
}

/// A VPC endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcEndpoint {
    /// Its id.
    pub id: VpcEndpointId,
    /// Its VPC.
    pub vpc: VpcId,
    /// The service it leads to.
    pub service_name: String,
    /// Its kind.
    pub kind: EndpointKind,
    /// Its policy document, as given.
    pub policy: Option<String>,
    /// `pending` until this moment, then `available`.
    pub available_from: Moment,
    /// When it was made.
    pub created: Moment,
    /// Its tags.
    pub tags: Tags,
}
