"""What AWS refuses, refused with AWS's codes; lists that page and filter; tags that come back."""

import urllib.parse

import harness
import build  # harness finds it
from harness import equal, refused

_world = None


class World:
    """The example's stack without targets."""

    def __init__(self):
        self.aws = harness.server().clients()
        self.stack = build.build(self.aws, name="integrity")


def world():
    global _world
    if _world is None:
        _world = World()
    return _world.aws, _world.stack


def name_filter(key, *values):
    return [{"Name": key, "Values": list(values)}]


def test_what_is_in_use_is_not_deleted():
    aws, stack = world()
    ec2 = aws.ec2
    refused("DependencyViolation", ec2.delete_vpc, VpcId=stack["vpc"], text="has dependencies and cannot be deleted")
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=stack["private_a"])
    for group in ("link_sg", "alb_sg", "target_sg"):
        refused("DependencyViolation", ec2.delete_security_group, GroupId=stack[group], text="has a dependent object")
    refused("DependencyViolation", ec2.delete_internet_gateway, InternetGatewayId=stack["igw"])
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=stack["routes"])
    default = ec2.describe_security_groups(
        Filters=name_filter("group-name", "default") + name_filter("vpc-id", stack["vpc"])
    )["SecurityGroups"]
    equal(len(default), 1, "every VPC has one default group")
    refused("CannotDelete", ec2.delete_security_group, GroupId=default[0]["GroupId"])
    refused(
        "ResourceInUse",
        aws.elbv2.delete_target_group,
        TargetGroupArn=stack["tg"],
        text="is currently in use by a listener or a rule",
    )
    refused(
        "BadRequestException", aws.apigatewayv2.delete_vpc_link, VpcLinkId=stack["link"], text="Cannot delete vpc link"
    )
    refused(
        "ConflictException",
        aws.apigatewayv2.delete_integration,
        ApiId=stack["api"],
        IntegrationId=stack["integration"],
        text="Cannot delete Integration",
    )


def test_what_does_not_exist_is_named():
    aws, stack = world()
    gone = "0123456789abcdef0"
    for code, call, args in [
        ("InvalidVpcID.NotFound", aws.ec2.describe_vpcs, {"VpcIds": [f"vpc-{gone}"]}),
        ("InvalidSubnetID.NotFound", aws.ec2.describe_subnets, {"SubnetIds": [f"subnet-{gone}"]}),
        ("InvalidGroup.NotFound", aws.ec2.describe_security_groups, {"GroupIds": [f"sg-{gone}"]}),
        ("InvalidRouteTableID.NotFound", aws.ec2.describe_route_tables, {"RouteTableIds": [f"rtb-{gone}"]}),
        (
            "InvalidInternetGatewayID.NotFound",
            aws.ec2.describe_internet_gateways,
            {"InternetGatewayIds": [f"igw-{gone}"]},
        ),
        ("LoadBalancerNotFound", aws.elbv2.describe_load_balancers, {"Names": ["none"]}),
        ("TargetGroupNotFound", aws.elbv2.describe_target_groups, {"Names": ["none"]}),
        ("ListenerNotFound", aws.elbv2.describe_listeners, {"ListenerArns": [stack["listener"][:-4] + "0000"]}),
        ("RuleNotFound", aws.elbv2.describe_rules, {"RuleArns": [stack["rule"][:-4] + "0000"]}),
        ("NotFoundException", aws.apigatewayv2.get_api, {"ApiId": "zzzzzzzzzz"}),
        ("NotFoundException", aws.apigatewayv2.get_vpc_link, {"VpcLinkId": "zzzzzz"}),
        ("NotFoundException", aws.apigatewayv2.get_stage, {"ApiId": stack["api"], "StageName": "none"}),
    ]:
        refused(code, call, **args)
    aws.elbv2.delete_load_balancer(LoadBalancerArn=stack["lb"][:-4] + "0000")  # deleting what is gone is no error


def test_rules_of_groups_are_unique_and_exact():
    aws, stack = world()
    ec2, group = aws.ec2, stack["alb_sg"]
    exists = build.by_group(80, stack["link_sg"])
    refused(
        "InvalidPermission.Duplicate",
        ec2.authorize_security_group_ingress,
        GroupId=group,
        IpPermissions=exists,
        text="TCP, from port: 80, to port: 80, ALLOW",
    )
    refused("InvalidParameterValue", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=exists + exists)
    absent = build.by_group(81, stack["link_sg"])
    before = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    refused("InvalidPermission.NotFound", ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=absent)
    refused(
        "InvalidPermission.NotFound", ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=exists + absent
    )
    refused(
        "InvalidPermission.Duplicate",
        ec2.authorize_security_group_ingress,
        GroupId=group,
        IpPermissions=absent + exists,
    )
    equal(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"], before, "a refused call changes nothing")
    refused(
        "InvalidGroup.Duplicate",
        ec2.create_security_group,
        GroupName="integrity-alb_sg",
        Description="again",
        VpcId=stack["vpc"],
    )


def test_networks_that_cannot_be():
    aws, stack = world()
    ec2, vpc = aws.ec2, stack["vpc"]
    refused("InvalidSubnet.Conflict", ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.10.128/25")
    refused("InvalidSubnet.Range", ec2.create_subnet, VpcId=vpc, CidrBlock="192.168.0.0/24")
    refused("InvalidVpc.Range", ec2.create_vpc, CidrBlock="10.0.0.0/8")
    route = {"RouteTableId": stack["routes"], "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": stack["igw"]}
    refused("RouteAlreadyExists", ec2.create_route, **route)
    refused(
        "InvalidRoute.NotFound", ec2.delete_route, RouteTableId=stack["routes"], DestinationCidrBlock="192.0.2.0/24"
    )
    refused("Gateway.NotAttached", ec2.detach_internet_gateway, VpcId=vpc, InternetGatewayId=spare_gateway(ec2))


def spare_gateway(ec2):
    made = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    equal(ec2.describe_internet_gateways(InternetGatewayIds=[made])["InternetGateways"][0]["Attachments"], [])
    return made


def test_load_balancers_that_cannot_be():
    aws, stack = world()
    elb = aws.elbv2
    same = {"Name": "integrity-2", "Scheme": "internal", "SecurityGroups": [stack["alb_sg"]]}
    refused(
        "ValidationError",
        elb.create_load_balancer,
        **same,
        Subnets=[stack["private_a"]],
        text="At least two subnets in two different Availability Zones must be specified",
    )
    refused(
        "InvalidConfigurationRequest",
        elb.create_load_balancer,
        **same,
        Subnets=[stack["private_a"], stack["public_a"], stack["private_b"]],
        text="cannot be attached to multiple subnets in the same Availability Zone",
    )
    refused("SubnetNotFound", elb.create_load_balancer, **same, Subnets=["subnet-0123456789abcdef0", stack["private_a"]])
    refused(
        "DuplicateLoadBalancerName",
        elb.create_load_balancer,
        Name="integrity",
        Scheme="internal",
        Subnets=[stack["public_a"], stack["public_b"]],
        SecurityGroups=[stack["alb_sg"]],
    )
    refused(
        "DuplicateTargetGroupName",
        elb.create_target_group,
        Name="integrity",
        Protocol="HTTP",
        Port=9999,
        VpcId=stack["vpc"],
        TargetType="ip",
    )


def test_listeners_and_rules_that_cannot_be():
    aws, stack = world()
    elb = aws.elbv2
    forward = [{"Type": "forward", "TargetGroupArn": stack["tg"]}]
    listener = {"LoadBalancerArn": stack["lb"], "Protocol": "HTTP", "Port": 80, "DefaultActions": forward}
    refused("DuplicateListener", elb.create_listener, **listener)
    where = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/x"]}}]
    rule = {"ListenerArn": stack["listener"], "Conditions": where, "Actions": forward}
    refused("PriorityInUse", elb.create_rule, **rule, Priority=10)
    rules = elb.describe_rules(ListenerArn=stack["listener"])["Rules"]
    equal([r["Priority"] for r in rules], ["10", "default"])
    default = next(r["RuleArn"] for r in rules if r["IsDefault"])
    refused("OperationNotPermitted", elb.delete_rule, RuleArn=default)
    unknown = [{"Type": "forward", "TargetGroupArn": stack["tg"][:-4] + "0000"}]
    refused("TargetGroupNotFound", elb.create_rule, **{**rule, "Actions": unknown}, Priority=11)
    second = elb.create_load_balancer(
        Name="integrity-2", Scheme="internal", Subnets=[stack["public_a"], stack["public_b"]]
    )["LoadBalancers"][0]["LoadBalancerArn"]
    refused("TargetGroupAssociationLimit", elb.create_listener, **{**listener, "LoadBalancerArn": second})
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=second, Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}]
    )
    refused("OperationNotPermitted", elb.delete_load_balancer, LoadBalancerArn=second)
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=second, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}]
    )
    refused(
        "ValidationError",
        elb.modify_load_balancer_attributes,
        LoadBalancerArn=second,
        Attributes=[{"Key": "no.such.key", "Value": "1"}],
        text="attribute key 'no.such.key' is not recognized",
    )
    elb.delete_load_balancer(LoadBalancerArn=second)


def test_integrations_and_links_that_cannot_be():
    aws, stack = world()
    api = aws.apigatewayv2
    private = {
        "ApiId": stack["api"],
        "IntegrationType": "HTTP_PROXY",
        "IntegrationMethod": "ANY",
        "ConnectionType": "VPC_LINK",
        "PayloadFormatVersion": "1.0",
    }
    refused(
        "BadRequestException",
        api.create_integration,
        **private,
        ConnectionId=stack["link"],
        IntegrationUri=stack["lb"],
        text="For VpcLink VPC_LINK, integration uri should be a valid ELB listener ARN",
    )
    refused(
        "BadRequestException",
        api.create_integration,
        **private,
        ConnectionId="zzzzzz",
        IntegrationUri=stack["listener"],
    )
    refused("BadRequestException", api.create_vpc_link, Name="none", SubnetIds=["subnet-0123456789abcdef0"])
    refused("ConflictException", api.create_route, ApiId=stack["api"], RouteKey="GET /hello")
    refused("BadRequestException", api.create_route, ApiId=stack["api"], RouteKey="GET hello")
    refused("ConflictException", api.create_stage, ApiId=stack["api"], StageName="$default")
    api.update_vpc_link(VpcLinkId=stack["link"], Name="renamed")
    equal(api.get_vpc_link(VpcLinkId=stack["link"])["Name"], "renamed")


def test_unknown_actions_and_parameters_are_refused():
    aws, stack = world()
    answer = signed_form("ec2", {"Action": "NoSuchAction", "Version": "2016-11-15"})
    equal(answer.status, 400)
    assert "<Code>InvalidAction</Code>" in answer.text, answer.text
    answer = signed_form("ec2", {"Action": "DescribeVpcs", "Version": "2016-11-15", "NoSuchParameter": "1"})
    equal(answer.status, 400)
    assert "<Code>UnknownParameter</Code>" in answer.text, answer.text
    answer = signed_form("ec2", {"Action": "DeleteVpc", "Version": "2016-11-15"})
    equal(answer.status, 400)
    assert "<Code>MissingParameter</Code>" in answer.text, answer.text


def signed_form(service, fields):
    """A form that no client library would send; signed well enough for development mode."""
    scope = f"test/20261101/{harness.REGION}/{service}/aws4_request"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Amz-Date": "20261101T000000Z",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
    }
    body = urllib.parse.urlencode(fields)
    return harness.request(harness.server().api, "/", method="POST", headers=headers, body=body)


def test_lists_page():
    aws, stack = world()
    ec2, api = aws.ec2, aws.apigatewayv2
    made = [
        ec2.create_security_group(GroupName=f"page-{n}", Description="page", VpcId=stack["vpc"])["GroupId"]
        for n in range(12)
    ]
    paged = ec2.get_paginator("describe_security_groups").paginate(
        Filters=name_filter("group-name", "page-*"), PaginationConfig={"PageSize": 5}
    )
    pages = [[group["GroupId"] for group in page["SecurityGroups"]] for page in paged]
    equal([len(page) for page in pages], [5, 5, 2])
    equal(sorted(sum(pages, [])), sorted(made))
    for group in made:
        ec2.delete_security_group(GroupId=group)
    apis = [api.create_api(Name=f"page-{n}", ProtocolType="HTTP")["ApiId"] for n in range(3)]
    pages = list(api.get_paginator("get_apis").paginate(PaginationConfig={"PageSize": 2}))
    equal([len(page["Items"]) for page in pages], [2, 2])
    for made_api in apis:
        api.delete_api(ApiId=made_api)
    groups = [
        aws.elbv2.create_target_group(
            Name=f"page-{n}", Protocol="HTTP", Port=80, VpcId=stack["vpc"], TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        for n in range(3)
    ]
    pages = list(aws.elbv2.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 2}))
    equal([len(page["TargetGroups"]) for page in pages], [2, 2])
    for group in groups:
        aws.elbv2.delete_target_group(TargetGroupArn=group)


def test_lists_filter():
    aws, stack = world()
    ec2 = aws.ec2
    mine = name_filter("vpc-id", stack["vpc"])

    def subnets(*filters):
        return {s["SubnetId"] for s in ec2.describe_subnets(Filters=[*mine, *filters])["Subnets"]}

    equal(len(subnets()), 4)
    equal(subnets(*name_filter("tag:Name", "private_a", "private_b")), {stack["private_a"], stack["private_b"]})
    equal(subnets(*name_filter("tag:Name", "p*_a")), {stack["private_a"], stack["public_a"]})
    equal(subnets(*name_filter("tag:Name", "private_?"), *name_filter("cidr-block", "10.0.10.0/24")), {stack["private_a"]})
    equal(subnets(*name_filter("tag:Name", "PRIVATE_A")), set(), "filters are case-sensitive")
    equal(len(subnets(*name_filter("tag-key", "Stack"))), 4)
    refused("InvalidParameterValue", ec2.describe_subnets, Filters=name_filter("no-such-filter", "x"))
    nodes = ec2.describe_network_interfaces(Filters=mine + name_filter("attachment.instance-owner-id", "amazon-elb"))
    equal({n["SubnetId"] for n in nodes["NetworkInterfaces"]}, {stack["private_a"], stack["private_b"]})
    equal({n["Description"] for n in nodes["NetworkInterfaces"]}, {"ELB " + stack["lb"].split("loadbalancer/")[1]})
    links = ec2.describe_network_interfaces(Filters=mine + name_filter("group-id", stack["link_sg"]))
    equal({n["InterfaceType"] for n in links["NetworkInterfaces"]}, {"api_gateway_managed"})
    main = ec2.describe_route_tables(Filters=mine + name_filter("association.main", "true"))["RouteTables"]
    equal(len(main), 1)
    acls = ec2.describe_network_acls(Filters=mine + name_filter("default", "true"))["NetworkAcls"]
    equal(len(acls), 1)


def test_tags_come_back_and_go():
    aws, stack = world()
    ec2, elb, api = aws.ec2, aws.elbv2, aws.apigatewayv2
    ec2.create_tags(Resources=[stack["vpc"], stack["link_sg"]], Tags=[{"Key": "team", "Value": "tide"}])
    found = ec2.describe_tags(Filters=name_filter("key", "team"))["Tags"]
    equal({(t["ResourceType"], t["ResourceId"]) for t in found}, {("vpc", stack["vpc"]), ("security-group", stack["link_sg"])})
    ec2.delete_tags(Resources=[stack["vpc"], stack["link_sg"]], Tags=[{"Key": "team"}])
    equal(ec2.describe_tags(Filters=name_filter("key", "team"))["Tags"], [])

    for arn in (stack["lb"], stack["tg"], stack["listener"], stack["rule"]):
        elb.add_tags(ResourceArns=[arn], Tags=[{"Key": "team", "Value": "tide"}])
        tags = elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
        assert {"Key": "team", "Value": "tide"} in tags, (arn, tags)
        elb.remove_tags(ResourceArns=[arn], TagKeys=["team"])
        tags = elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
        assert "team" not in [t["Key"] for t in tags], (arn, tags)

    base = f"arn:aws:apigateway:{harness.REGION}::"
    for arn in (f"/apis/{stack['api']}", f"/apis/{stack['api']}/stages/$default", f"/vpclinks/{stack['link']}"):
        api.tag_resource(ResourceArn=base + arn, Tags={"team": "tide"})
        equal(api.get_tags(ResourceArn=base + arn)["Tags"].get("team"), "tide", arn)
        api.untag_resource(ResourceArn=base + arn, TagKeys=["team"])
        assert "team" not in api.get_tags(ResourceArn=base + arn)["Tags"], arn


def test_repeating_a_creation_with_the_same_settings_is_no_error():
    aws, stack = world()
    elb = aws.elbv2
    before = elb.describe_load_balancers()["LoadBalancers"]
    again = elb.create_load_balancer(
        Name="integrity",
        Type="application",
        Scheme="internal",
        Subnets=[stack["private_a"], stack["private_b"]],
        SecurityGroups=[stack["alb_sg"]],
        Tags=[{"Key": "Stack", "Value": "orders"}],
    )["LoadBalancers"][0]
    equal(again["LoadBalancerArn"], stack["lb"])
    equal(len(elb.describe_load_balancers()["LoadBalancers"]), len(before))


harness.main()
