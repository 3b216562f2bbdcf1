//! The faults of EC2. Codes: EC2 API reference, "Error codes", 2026-11; texts as public reports quote them.

use wire::Fault;

pub(super) fn new(code: &'static str, message: impl Into<String>) -> Fault {
    Fault::new(code, 400, message)
}

pub(super) fn invalid_value(message: impl Into<String>) -> Fault {
    new("InvalidParameterValue", message)
}

pub(super) fn invalid_combination(message: impl Into<String>) -> Fault {
    new("InvalidParameterCombination", message)
}

pub(super) fn missing(parameter: &str) -> Fault {
    new("MissingParameter", format!("The request must contain the parameter {parameter}"))
}

pub(super) fn unsupported(what: &str) -> Fault {
    new("UnsupportedOperation", wire::unserved(what))
}

/// `noun` and `id` as in "The vpc 'vpc-…' has dependencies and cannot be deleted."
pub(super) fn dependency(noun: &str, id: &str) -> Fault {
    new("DependencyViolation", format!("The {noun} '{id}' has dependencies and cannot be deleted."))
}

/// A kind of id with its codes: malformed and not found.
#[derive(Debug, Clone, Copy)]
pub(super) struct IdFaults {
    /// What every id begins with.
    pub(super) prefix: &'static str,
    /// `InvalidVpcID`
    pub(super) code: &'static str,
    /// The noun of the text: "The vpc ID '…' does not exist".
    pub(super) noun: &'static str,
}

pub(super) const VPC: IdFaults = IdFaults { prefix: "vpc-", code: "InvalidVpcID", noun: "vpc ID" };
pub(super) const SUBNET: IdFaults = IdFaults { prefix: "subnet-", code: "InvalidSubnetID", noun: "subnet ID" };
pub(super) const GROUP: IdFaults = IdFaults { prefix: "sg-", code: "InvalidGroup", noun: "security group" };
pub(super) const RULE: IdFaults =
    IdFaults { prefix: "sgr-", code: "InvalidSecurityGroupRuleId", noun: "security group rule ID" };
pub(super) const INTERFACE: IdFaults =
    IdFaults { prefix: "eni-", code: "InvalidNetworkInterfaceID", noun: "networkInterface ID" };
pub(super) const INSTANCE: IdFaults = IdFaults { prefix: "i-", code: "InvalidInstanceID", noun: "instance ID" };
pub(super) const INTERNET_GATEWAY: IdFaults =
    IdFaults { prefix: "igw-", code: "InvalidInternetGatewayID", noun: "internetGateway ID" };
pub(super) const ROUTE_TABLE: IdFaults =
    IdFaults { prefix: "rtb-", code: "InvalidRouteTableID", noun: "routeTable ID" };
pub(super) const ASSOCIATION: IdFaults =
    IdFaults { prefix: "rtbassoc-", code: "InvalidAssociationID", noun: "association ID" };
pub(super) const ACL_ASSOCIATION: IdFaults =
    IdFaults { prefix: "aclassoc-", code: "InvalidAssociationID", noun: "association ID" };
pub(super) const ADDRESS_ASSOCIATION: IdFaults =
    IdFaults { prefix: "eipassoc-", code: "InvalidAssociationID", noun: "association ID" };
pub(super) const ALLOCATION: IdFaults =
    IdFaults { prefix: "eipalloc-", code: "InvalidAllocationID", noun: "allocation ID" };
pub(super) const ACL: IdFaults = IdFaults { prefix: "acl-", code: "InvalidNetworkAclID", noun: "networkAcl ID" };
pub(super) const PREFIX_LIST: IdFaults =
    IdFaults { prefix: "pl-", code: "InvalidPrefixListID", noun: "prefix list ID" };
pub(super) const DHCP_OPTIONS: IdFaults =
    IdFaults { prefix: "dopt-", code: "InvalidDhcpOptionID", noun: "dhcpOption ID" };
pub(super) const ENDPOINT: IdFaults =
    IdFaults { prefix: "vpce-", code: "InvalidVpcEndpointId", noun: "Vpc Endpoint Id" };
pub(super) const EGRESS_ONLY_GATEWAY: IdFaults =
    IdFaults { prefix: "eigw-", code: "InvalidGatewayID", noun: "egress only internet gateway ID" };
pub(super) const VPC_CIDR_ASSOCIATION: IdFaults = IdFaults {
    prefix: "vpc-cidr-assoc-",
    code: "InvalidVpcCidrBlockAssociationID",
    noun: "vpc CIDR block association ID",
};
pub(super) const SUBNET_CIDR_ASSOCIATION: IdFaults = IdFaults {
    prefix: "subnet-cidr-assoc-",
    code: "InvalidSubnetCidrBlockAssociationID",
    noun: "subnet CIDR block association ID",
};
pub(super) const FLOW_LOG: IdFaults = IdFaults { prefix: "fl-", code: "InvalidFlowLogId", noun: "flow log ID" };
pub(super) const PEERING: IdFaults =
    IdFaults { prefix: "pcx-", code: "InvalidVpcPeeringConnectionID", noun: "vpcPeeringConnection ID" };
pub(super) const NAT_GATEWAY: IdFaults = IdFaults { prefix: "nat-", code: "NatGateway", noun: "NAT gateway" };

impl IdFaults {
    /// Whether a text is formed like an id of this kind.
    pub(super) fn is_formed(self, id: &str) -> bool {
        let digits = id.strip_prefix(self.prefix).unwrap_or_default();
        [8, 17].contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
    }

    /// What is said of an id that names nothing: malformed, or not found.
    pub(super) fn unknown(self, id: &str) -> Fault {
        let code = self.code;
        if !self.is_formed(id) {
            let code = match code {
                "NatGateway" => "NatGatewayMalformed".to_owned(),
                "InvalidGroup" => "InvalidGroupId.Malformed".to_owned(),
                "InvalidVpcPeeringConnectionID" => "InvalidVpcPeeringConnectionId.Malformed".to_owned(),
                code => format!("{code}.Malformed"),
            };
            return Fault::new(code, 400, format!("Invalid id: \"{id}\" (expecting \"{}...\")", self.prefix));
        }
        let code = if code == "NatGateway" { "NatGatewayNotFound".to_owned() } else { format!("{code}.NotFound") };
        let noun = self.noun;
        Fault::new(code, 400, format!("The {noun} '{id}' does not exist"))
    }
}
