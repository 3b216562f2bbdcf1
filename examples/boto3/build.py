#!/usr/bin/env python3
"""The whole chain with boto3: a VPC, an internal load balancer, a VPC link and an HTTP API in front of it.

    eval "$(tidegate env)"
    python3 examples/backend.py --port 9000 &
    python3 examples/boto3/build.py build --backend 127.0.0.1:9000
    python3 examples/boto3/build.py teardown

Ids are kept in a JSON file between the two. Waiters poll quickly because Tidegate is quick; on AWS leave their delays alone.
"""

import argparse
import json
import os
import subprocess
import time
from types import SimpleNamespace

import boto3
from botocore.exceptions import ClientError

# States in between last milliseconds here; AWS takes minutes, and wants to be asked less often.
EVERY_S, TRIES = 0.05, 2400
QUICK = {"Delay": EVERY_S, "MaxAttempts": TRIES}
SERVICES = ("ec2", "elbv2", "apigateway", "apigatewayv2")
TARGETS = ("10.0.10.10", "10.0.11.10")


def clients(**options):
    """One client per service; the endpoint comes from AWS_ENDPOINT_URL unless it is given."""
    return SimpleNamespace(**{name: boto3.client(name, **options) for name in SERVICES})


def tags(kind, name):
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}, {"Key": "Stack", "Value": "orders"}]}]


def by_group(port, group):
    """A permission that names another group: TCP, one port, nothing wider."""
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [{"GroupId": group}]}]


def build(aws, name="orders", health_path="/health", unhealthy_threshold=2):
    """Builds everything but the targets and returns the ids by name."""
    stack = {"name": name}
    network(aws.ec2, stack)
    groups(aws.ec2, stack)
    balancer(aws.elbv2, stack, health_path, unhealthy_threshold)
    gateway(aws.apigatewayv2, stack)
    return stack


def network(ec2, stack):
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tags("vpc", stack["name"]))["Vpc"]["VpcId"]
    ec2.get_waiter("vpc_available").wait(VpcIds=[vpc], WaiterConfig=QUICK)
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"][:2]]
    plan = [
        ("public_a", "10.0.0.0/24", zones[0]),
        ("public_b", "10.0.1.0/24", zones[1]),
        ("private_a", "10.0.10.0/24", zones[0]),
        ("private_b", "10.0.11.0/24", zones[1]),
    ]
    stack["vpc"] = vpc
    for key, cidr, zone in plan:
        made = ec2.create_subnet(
            VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone, TagSpecifications=tags("subnet", key)
        )
        stack[key] = made["Subnet"]["SubnetId"]
    ec2.get_waiter("subnet_available").wait(SubnetIds=[stack[key] for key, _, _ in plan], WaiterConfig=QUICK)

    stack["igw"] = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=stack["igw"])
    stack["routes"] = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=stack["routes"], DestinationCidrBlock="0.0.0.0/0", GatewayId=stack["igw"])
    stack["associations"] = [
        ec2.associate_route_table(RouteTableId=stack["routes"], SubnetId=stack[key])["AssociationId"]
        for key in ("public_a", "public_b")
    ]


def groups(ec2, stack):
    """Link -> load balancer on 80, load balancer -> targets on 8080, and nothing else in any direction."""
    for key in ("link_sg", "alb_sg", "target_sg"):
        group = ec2.create_security_group(
            GroupName=f"{stack['name']}-{key}",
            Description=key,
            VpcId=stack["vpc"],
            TagSpecifications=tags("security-group", key),
        )["GroupId"]
        ec2.get_waiter("security_group_exists").wait(GroupIds=[group], WaiterConfig=QUICK)
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
        stack[key] = group
    link, alb, target = stack["link_sg"], stack["alb_sg"], stack["target_sg"]
    ec2.authorize_security_group_egress(GroupId=link, IpPermissions=by_group(80, alb))
    ec2.authorize_security_group_ingress(GroupId=alb, IpPermissions=by_group(80, link))
    ec2.authorize_security_group_egress(GroupId=alb, IpPermissions=by_group(8080, target))
    ec2.authorize_security_group_ingress(GroupId=target, IpPermissions=by_group(8080, alb))


def balancer(elb, stack, health_path, unhealthy_threshold):
    stack["lb"] = elb.create_load_balancer(
        Name=stack["name"],
        Type="application",
        Scheme="internal",
        Subnets=[stack["private_a"], stack["private_b"]],
        SecurityGroups=[stack["alb_sg"]],
        Tags=[{"Key": "Stack", "Value": "orders"}],
    )["LoadBalancers"][0]["LoadBalancerArn"]
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[stack["lb"]], WaiterConfig=QUICK)
    stack["tg"] = elb.create_target_group(
        Name=stack["name"],
        Protocol="HTTP",
        Port=8080,
        VpcId=stack["vpc"],
        TargetType="ip",
        HealthCheckPath=health_path,
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=unhealthy_threshold,
    )["TargetGroups"][0]["TargetGroupArn"]
    refuse = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "no rule"}
    stack["listener"] = elb.create_listener(
        LoadBalancerArn=stack["lb"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": refuse}],
    )["Listeners"][0]["ListenerArn"]
    stack["rule"] = elb.create_rule(
        ListenerArn=stack["listener"],
        Priority=10,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": stack["tg"]}],
    )["Rules"][0]["RuleArn"]


def link(api, stack):
    stack["link"] = api.create_vpc_link(
        Name=stack["name"],
        SubnetIds=[stack["private_a"], stack["private_b"]],
        SecurityGroupIds=[stack["link_sg"]],
        Tags={"Stack": "orders"},
    )["VpcLinkId"]
    await_link(api, stack["link"], "AVAILABLE")


def gateway(api, stack):
    link(api, stack)
    stack["api"] = api.create_api(
        Name=stack["name"],
        ProtocolType="HTTP",
        CorsConfiguration={"AllowOrigins": ["https://example.com"], "AllowMethods": ["GET", "POST"], "MaxAge": 300},
    )["ApiId"]
    stack["integration"] = api.create_integration(
        ApiId=stack["api"],
        IntegrationType="HTTP_PROXY",
        IntegrationMethod="ANY",
        IntegrationUri=stack["listener"],
        ConnectionType="VPC_LINK",
        ConnectionId=stack["link"],
        PayloadFormatVersion="1.0",
    )["IntegrationId"]
    target = f"integrations/{stack['integration']}"
    stack["route_ids"] = [
        api.create_route(ApiId=stack["api"], RouteKey=key, Target=target)["RouteId"]
        for key in ("GET /hello", "ANY /{proxy+}")
    ]
    api.create_stage(ApiId=stack["api"], StageName="$default", AutoDeploy=True)


def await_link(api, link, wanted):
    """VPC links have no waiter in boto3: PENDING ends in AVAILABLE, DELETING ends in not found (wanted=None)."""
    for _ in range(TRIES):
        try:
            status = api.get_vpc_link(VpcLinkId=link)["VpcLinkStatus"]
        except ClientError as error:
            if wanted is None and error.response["Error"]["Code"] == "NotFoundException":
                return
            raise
        if status == wanted:
            return
        if status not in ("PENDING", "DELETING"):
            raise RuntimeError(f"link {link} is {status}")
        time.sleep(EVERY_S)
    raise RuntimeError(f"link {link} is not {wanted or 'gone'}")


def attach(stack, backends, tidegate="tidegate", env=None):
    """Gives each target's private address to a program of this machine; prints nothing on success."""
    for address, backend in zip(TARGETS, backends):
        command = [tidegate, "attach", "--vpc", stack["vpc"], "--security-group", stack["target_sg"]]
        subprocess.run(
            [*command, f"{address}:8080", backend], check=True, env=env, stdout=subprocess.DEVNULL, timeout=30
        )


def register(elb, stack):
    elb.register_targets(TargetGroupArn=stack["tg"], Targets=[{"Id": address} for address in TARGETS])
    elb.get_waiter("target_in_service").wait(TargetGroupArn=stack["tg"], WaiterConfig=QUICK)


def teardown(aws, stack, tidegate="tidegate", env=None):
    """Removes everything, in the order in which AWS allows it."""
    if "api" in stack:
        aws.apigatewayv2.delete_api(ApiId=stack["api"])
    aws.apigatewayv2.delete_vpc_link(VpcLinkId=stack["link"])
    await_link(aws.apigatewayv2, stack["link"], None)
    aws.elbv2.delete_load_balancer(LoadBalancerArn=stack["lb"])
    aws.elbv2.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[stack["lb"]], WaiterConfig=QUICK)
    aws.elbv2.delete_target_group(TargetGroupArn=stack["tg"])
    detach(aws.ec2, stack, tidegate, env)

    ec2 = aws.ec2
    for key in ("link_sg", "alb_sg", "target_sg"):
        revoke_all(ec2, stack[key])
    for key in ("link_sg", "alb_sg", "target_sg"):
        ec2.delete_security_group(GroupId=stack[key])
    for association in stack["associations"]:
        ec2.disassociate_route_table(AssociationId=association)
    ec2.delete_route_table(RouteTableId=stack["routes"])
    ec2.detach_internet_gateway(VpcId=stack["vpc"], InternetGatewayId=stack["igw"])
    ec2.delete_internet_gateway(InternetGatewayId=stack["igw"])
    pages = ec2.get_paginator("describe_subnets").paginate(Filters=[{"Name": "vpc-id", "Values": [stack["vpc"]]}])
    for subnet in pages.search("Subnets[].SubnetId"):
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=stack["vpc"])


def detach(ec2, stack, tidegate, env):
    for address in TARGETS:
        subprocess.run([tidegate, "detach", "--vpc", stack["vpc"], f"{address}:8080"], env=env, check=True, timeout=30)
    for _ in range(TRIES):  # the load balancer's interfaces go a moment after it
        mine = [{"Name": "vpc-id", "Values": [stack["vpc"]]}]
        if not ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"]:
            return
        time.sleep(EVERY_S)
    raise RuntimeError("interfaces are left in the VPC")


def revoke_all(ec2, group):
    """Groups that name each other can only be deleted once their rules are gone."""
    mine = [{"Name": "group-id", "Values": [group]}]
    rules = ec2.get_paginator("describe_security_group_rules").paginate(Filters=mine)
    for rule in rules.search("SecurityGroupRules[]"):
        revoke = ec2.revoke_security_group_egress if rule["IsEgress"] else ec2.revoke_security_group_ingress
        revoke(GroupId=group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["build", "teardown"])
    parser.add_argument("--state", default="stack.json")
    parser.add_argument("--backend", default="127.0.0.1:9000", help="where the private service really listens")
    options = parser.parse_args()
    aws = clients()
    if options.task == "teardown":
        with open(options.state) as file:
            teardown(aws, json.load(file))
        os.remove(options.state)
        return
    stack = build(aws)
    with open(options.state, "w") as file:
        json.dump(stack, file, indent=2)
    attach(stack, [options.backend] * len(TARGETS))
    register(aws.elbv2, stack)
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    print(f"curl -i {endpoint}/_aws/execute-api/{stack['api']}/hello")


if __name__ == "__main__":
    main()
