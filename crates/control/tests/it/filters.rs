//! Every filter that the EC2 API reference documents (the page of each operation, 2026-11) is taken, whether anything fits or
//! not; every other name is refused in AWS's words.

use crate::calls::Calls;

const DOCUMENTED: &[(&str, &[&str])] = &[
    (
        "DescribeAddresses",
        &[
            "allocation-id",
            "association-id",
            "instance-id",
            "network-border-group",
            "network-interface-id",
            "network-interface-owner-id",
            "private-ip-address",
            "public-ip",
        ],
    ),
    (
        "DescribeAvailabilityZones",
        &[
            "group-long-name",
            "group-name",
            "message",
            "opt-in-status",
            "parent-zone-id",
            "parent-zone-name",
            "region-name",
            "state",
            "zone-id",
            "zone-name",
            "zone-type",
        ],
    ),
    ("DescribeDhcpOptions", &["dhcp-options-id", "key", "value", "owner-id"]),
    (
        "DescribeFlowLogs",
        &["deliver-log-status", "flow-log-id", "log-destination-type", "log-group-name", "resource-id", "traffic-type"],
    ),
    ("DescribeInternetGateways", &["attachment.state", "attachment.vpc-id", "internet-gateway-id", "owner-id"]),
    ("DescribeManagedPrefixLists", &["owner-id", "prefix-list-id", "prefix-list-name"]),
    ("DescribeNatGateways", &["nat-gateway-id", "state", "subnet-id", "vpc-id"]),
    (
        "DescribeNetworkAcls",
        &[
            "association.association-id",
            "association.network-acl-id",
            "association.subnet-id",
            "default",
            "entry.cidr",
            "entry.icmp.code",
            "entry.icmp.type",
            "entry.ipv6-cidr",
            "entry.port-range.from",
            "entry.port-range.to",
            "entry.protocol",
            "entry.rule-action",
            "entry.egress",
            "entry.rule-number",
            "network-acl-id",
            "owner-id",
            "vpc-id",
        ],
    ),
    (
        "DescribeNetworkInterfaces",
        &[
            "association.allocation-id",
            "association.association-id",
            "addresses.association.owner-id",
            "addresses.association.public-ip",
            "addresses.primary",
            "addresses.private-ip-address",
            "association.ip-owner-id",
            "association.public-ip",
            "attachment.attachment-id",
            "attachment.delete-on-termination",
            "attachment.device-index",
            "attachment.instance-id",
            "attachment.instance-owner-id",
            "attachment.status",
            "availability-zone",
            "availability-zone-id",
            "description",
            "group-id",
            "ipv6-addresses.ipv6-address",
            "interface-type",
            "mac-address",
            "network-interface-id",
            "operator.managed",
            "operator.principal",
            "owner-id",
            "private-dns-name",
            "private-ip-address",
            "requester-id",
            "requester-managed",
            "source-dest-check",
            "status",
            "subnet-id",
            "vpc-id",
        ],
    ),
    ("DescribePrefixLists", &["prefix-list-id", "prefix-list-name"]),
    ("DescribeRegions", &["endpoint", "opt-in-status", "region-name"]),
    (
        "DescribeRouteTables",
        &[
            "association.gateway-id",
            "association.route-table-association-id",
            "association.route-table-id",
            "association.subnet-id",
            "association.main",
            "owner-id",
            "route-table-id",
            "route.destination-cidr-block",
            "route.destination-ipv6-cidr-block",
            "route.destination-prefix-list-id",
            "route.egress-only-internet-gateway-id",
            "route.gateway-id",
            "route.instance-id",
            "route.nat-gateway-id",
            "route.transit-gateway-id",
            "route.origin",
            "route.state",
            "route.vpc-peering-connection-id",
            "vpc-id",
        ],
    ),
    ("DescribeSecurityGroupRules", &["group-id", "security-group-rule-id"]),
    (
        "DescribeSecurityGroups",
        &[
            "description",
            "egress.ip-permission.cidr",
            "egress.ip-permission.from-port",
            "egress.ip-permission.group-id",
            "egress.ip-permission.group-name",
            "egress.ip-permission.ipv6-cidr",
            "egress.ip-permission.prefix-list-id",
            "egress.ip-permission.protocol",
            "egress.ip-permission.to-port",
            "egress.ip-permission.user-id",
            "group-id",
            "group-name",
            "ip-permission.cidr",
            "ip-permission.from-port",
            "ip-permission.group-id",
            "ip-permission.group-name",
            "ip-permission.ipv6-cidr",
            "ip-permission.prefix-list-id",
            "ip-permission.protocol",
            "ip-permission.to-port",
            "ip-permission.user-id",
            "owner-id",
            "vpc-id",
        ],
    ),
    (
        "DescribeSubnets",
        &[
            "availability-zone",
            "availability-zone-id",
            "available-ip-address-count",
            "cidr-block",
            "customer-owned-ipv4-pool",
            "default-for-az",
            "enable-dns64",
            "enable-lni-at-device-index",
            "ipv6-cidr-block-association.ipv6-cidr-block",
            "ipv6-cidr-block-association.association-id",
            "ipv6-cidr-block-association.state",
            "ipv6-native",
            "map-customer-owned-ip-on-launch",
            "map-public-ip-on-launch",
            "outpost-arn",
            "owner-id",
            "private-dns-name-options-on-launch.hostname-type",
            "private-dns-name-options-on-launch.enable-resource-name-dns-a-record",
            "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record",
            "state",
            "subnet-arn",
            "subnet-id",
            "vpc-id",
        ],
    ),
    ("DescribeTags", &["key", "resource-id", "resource-type", "value"]),
    (
        "DescribeVpcEndpointServices",
        &["owner", "service-name", "service-region", "service-type", "supported-ip-address-types"],
    ),
    (
        "DescribeVpcEndpoints",
        &[
            "ip-address-type",
            "service-name",
            "service-region",
            "vpc-id",
            "vpc-endpoint-id",
            "vpc-endpoint-state",
            "vpc-endpoint-type",
        ],
    ),
    (
        "DescribeVpcPeeringConnections",
        &[
            "accepter-vpc-info.cidr-block",
            "accepter-vpc-info.owner-id",
            "accepter-vpc-info.vpc-id",
            "expiration-time",
            "requester-vpc-info.cidr-block",
            "requester-vpc-info.owner-id",
            "requester-vpc-info.vpc-id",
            "status-code",
            "status-message",
            "vpc-peering-connection-id",
        ],
    ),
    (
        "DescribeVpcs",
        &[
            "cidr",
            "cidr-block-association.cidr-block",
            "cidr-block-association.association-id",
            "cidr-block-association.state",
            "dhcp-options-id",
            "ipv6-cidr-block-association.ipv6-cidr-block",
            "ipv6-cidr-block-association.ipv6-pool",
            "ipv6-cidr-block-association.association-id",
            "ipv6-cidr-block-association.state",
            "is-default",
            "owner-id",
            "state",
            "vpc-id",
        ],
    ),
];

/// Documented, but of what is not kept here.
const REFUSED: [&str; 2] = ["association.public-dns-name", "attachment.attach-time"];

fn describe(operation: &str, filter: &str) -> String {
    // The one filter whose values must be formed like ids.
    let value = if (operation, filter) == ("DescribeSecurityGroupRules", "group-id") {
        "sg-0123456789abcdef0"
    } else {
        "no-such-value"
    };
    let step =
        format!("POST / ec2\n\nAction={operation}&Version=2016-11-15&Filter.1.Name={filter}&Filter.1.Value.1={value}");
    Calls::new().run(operation, &step).unwrap()
}

#[test]
fn documented_filters_are_taken_and_select() {
    for (operation, filters) in DOCUMENTED {
        for filter in *filters {
            let answer = describe(operation, filter);
            assert!(answer.starts_with("200") && !answer.contains("<item>"), "{operation} {filter}: {answer}");
        }
    }
}

#[test]
fn other_names_are_refused() {
    for (operation, _) in DOCUMENTED {
        let answer = describe(operation, "no-such-name");
        assert!(answer.contains("<Code>InvalidParameterValue</Code>"), "{operation}: {answer}");
        assert!(answer.contains("The filter 'no-such-name' is invalid"), "{operation}: {answer}");
    }
    for filter in REFUSED {
        assert!(describe("DescribeNetworkInterfaces", filter).contains("is invalid"), "{filter}");
    }
}
