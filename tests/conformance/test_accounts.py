"""Accounts and regions are worlds of their own: what one makes, another neither sees, names nor deletes."""

import harness
from harness import equal, refused

ONE, TWO = "111111111111", "222222222222"


def both():
    return harness.server().clients(ONE), harness.server().clients(TWO)


def test_a_twelve_digit_key_is_the_account():
    for key, account in [(ONE, ONE), (TWO, TWO), ("test", "000000000000"), ("AKIDEXAMPLE", "000000000000")]:
        identity = harness.server().clients(key).sts.get_caller_identity()
        equal(identity["Account"], account, key)
        assert f"::{account}:" in identity["Arn"], identity["Arn"]


def test_networks_are_not_shared():
    one, two = both()
    vpc = one.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]
    equal(vpc["OwnerId"], ONE)
    assert vpc["VpcId"] not in [v["VpcId"] for v in two.ec2.describe_vpcs()["Vpcs"]]
    refused("InvalidVpcID.NotFound", two.ec2.describe_vpcs, VpcIds=[vpc["VpcId"]])
    refused("InvalidVpcID.NotFound", two.ec2.delete_vpc, VpcId=vpc["VpcId"])
    refused("InvalidVpcID.NotFound", two.ec2.create_subnet, VpcId=vpc["VpcId"], CidrBlock="10.9.0.0/24")
    equal(one.ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"][0]["VpcId"], vpc["VpcId"])
    one.ec2.delete_vpc(VpcId=vpc["VpcId"])


def test_a_group_of_another_account_is_unknown():
    one, two = both()
    mine, theirs = (aws.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"] for aws in (one, two))
    group = one.ec2.create_security_group(GroupName="same", Description="a", VpcId=mine)["GroupId"]
    other = two.ec2.create_security_group(GroupName="same", Description="a", VpcId=theirs)["GroupId"]
    allow = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": group}]}]
    refused("InvalidGroup.NotFound", two.ec2.authorize_security_group_ingress, GroupId=other, IpPermissions=allow)
    refused("InvalidGroup.NotFound", two.ec2.delete_security_group, GroupId=group)
    for aws, made, vpc in ((one, group, mine), (two, other, theirs)):
        aws.ec2.delete_security_group(GroupId=made)
        aws.ec2.delete_vpc(VpcId=vpc)


def test_load_balancing_and_apis_are_not_shared():
    one, two = both()
    vpc = one.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = one.elbv2.create_target_group(Name="same", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    assert f":{ONE}:" in arn, arn
    refused("TargetGroupNotFound", two.elbv2.describe_target_groups, TargetGroupArns=[arn])
    refused("TargetGroupNotFound", two.elbv2.describe_target_groups, Names=["same"])
    api = one.apigatewayv2.create_api(Name="same", ProtocolType="HTTP")["ApiId"]
    equal(two.apigatewayv2.get_apis()["Items"], [])
    refused("NotFoundException", two.apigatewayv2.get_api, ApiId=api)
    refused("NotFoundException", two.apigatewayv2.delete_api, ApiId=api)
    # An id that one account has cannot be wished for by another: requests find an API by its id alone.
    wish = {"Name": "shadow", "ProtocolType": "HTTP", "Tags": {"_custom_id_": api}}
    refused("ConflictException", two.apigatewayv2.create_api, **wish)
    one.apigatewayv2.delete_api(ApiId=api)
    one.elbv2.delete_target_group(TargetGroupArn=arn)
    one.ec2.delete_vpc(VpcId=vpc)


def test_regions_are_not_shared():
    here, there = (harness.server().clients(ONE, region) for region in ("us-east-1", "eu-west-1"))
    vpc = there.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    refused("InvalidVpcID.NotFound", here.ec2.describe_vpcs, VpcIds=[vpc])
    zones = there.ec2.describe_availability_zones()["AvailabilityZones"]
    assert zones and all(zone["ZoneName"].startswith("eu-west-1") for zone in zones), zones
    api = there.apigatewayv2.create_api(Name="there", ProtocolType="HTTP")
    assert ".eu-west-1." in api["ApiEndpoint"], api["ApiEndpoint"]
    equal(here.apigatewayv2.get_apis()["Items"], [])
    there.apigatewayv2.delete_api(ApiId=api["ApiId"])
    there.ec2.delete_vpc(VpcId=vpc)


harness.main()
