"""IPv6 in a VPC: blocks and addresses by AWS's calls, load balancers of both families, targets of IPv6 with real traffic; rules, network ACLs and flow logs of IPv6, and
what `explain` says of a denial and of its remedy."""

import ipaddress
import json

import harness
from chain import Chain
from harness import equal, refused, until

PORT = 8080
EVERY = "::/0"


class Scene:
    """A chain in a VPC with an IPv6 block. Its load balancer gets addresses of IPv6, and a rule that leads to a target of IPv6 alone."""

    def __init__(self):
        self.chain = Chain(harness.server(), name="six")
        self.aws, self.stack = self.chain.aws, self.chain.stack
        self.ec2, self.elb = self.aws.ec2, self.aws.elbv2
        self.vpc = self.stack["vpc"]
        made = self.ec2.associate_vpc_cidr_block(VpcId=self.vpc, AmazonProvidedIpv6CidrBlock=True)
        self.block = ipaddress.ip_network(made["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"])
        self.subnets = [self.stack["private_a"], self.stack["private_b"]]
        nets = self.block.subnets(new_prefix=64)
        self.nets = [next(nets) for _ in self.subnets]
        for subnet, net in zip(self.subnets, self.nets, strict=True):
            self.ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=str(net))
        balancer = self.elb.describe_load_balancers(LoadBalancerArns=[self.stack["lb"]])["LoadBalancers"][0]
        # Both nodes in subnets that have a block.
        self.elb.set_subnets(LoadBalancerArn=self.stack["lb"], Subnets=self.subnets)
        equal(balancer["IpAddressType"], "ipv4")

    def interface(self, **members):
        made = self.ec2.create_network_interface(SubnetId=self.subnets[0], Groups=[self.stack["target_sg"]], **members)
        return made["NetworkInterface"]

    def addresses(self, interface):
        shown = self.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
        return [one["Ipv6Address"] for one in shown["Ipv6Addresses"]]

    def nodes(self):
        """The interfaces of the load balancer."""
        wanted = [{"Name": "description", "Values": ["ELB app/six*"]}]
        return self.ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]


@harness.once
def scene():
    return Scene()


@harness.once
def target():
    """An interface with an address of IPv6, which a program is attached to, as the only target of a group."""
    interface = scene().interface(Ipv6AddressCount=1)
    address = interface["Ipv6Addresses"][0]["Ipv6Address"]
    backend = harness.Backend("six")
    told = harness.server().tidegate("attach", f"[{address}]:{PORT}", backend.address, "--output", "json").json
    equal((told["interface"], told["ipv6"]), (interface["NetworkInterfaceId"], address))
    return {"address": address, "interface": interface["NetworkInterfaceId"], "backend": backend}


@harness.once
def group():
    probed = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2}
    made = scene().elb.create_target_group(
        Name="six-ip", Protocol="HTTP", Port=PORT, VpcId=scene().vpc, TargetType="ip", IpAddressType="ipv6", **probed
    )["TargetGroups"][0]
    equal(made["IpAddressType"], "ipv6")
    return made["TargetGroupArn"]


def told(answer):
    return harness.server().explain(answer.headers["apigw-requestid"]).json


def test_the_first_block_of_a_vpc_opens_what_is_as_it_was_made():
    acls = scene().ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [scene().vpc]}])["NetworkAcls"]
    entries = {(one["RuleNumber"], one["RuleAction"], one["Egress"]) for one in acls[0]["Entries"] if one.get("Ipv6CidrBlock") == EVERY}
    equal(entries, {(number, action, out) for number, action in ((101, "allow"), (32768, "deny")) for out in (True, False)})
    listed = scene().ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [scene().vpc]}])["SecurityGroups"]
    default = next(one for one in listed if one["GroupName"] == "default")
    equal([one["Ipv6Ranges"] for one in default["IpPermissionsEgress"] if one["Ipv6Ranges"]], [[{"CidrIpv6": EVERY}]])
    # One whose rules were changed is left alone.
    changed = next(one for one in listed if one["GroupId"] == scene().stack["alb_sg"])
    equal([one for one in changed["IpPermissionsEgress"] if one["Ipv6Ranges"]], [])
    fresh = scene().ec2.create_security_group(GroupName="fresh", Description="fresh", VpcId=scene().vpc)["GroupId"]
    rules = scene().ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [fresh]}])["SecurityGroupRules"]
    equal({one.get("CidrIpv4") or one["CidrIpv6"] for one in rules}, {"0.0.0.0/0", EVERY})


def test_interfaces_have_the_addresses_that_are_asked_for():
    net = scene().nets[0]
    counted = scene().interface(Ipv6AddressCount=2)
    # The first four addresses and the last one are AWS's.
    equal([one["Ipv6Address"] for one in counted["Ipv6Addresses"]], [str(net[4]), str(net[5])])
    equal(counted["Ipv6Address"], str(net[4]))
    named = scene().interface(Ipv6Addresses=[{"Ipv6Address": str(net[0x20])}])["NetworkInterfaceId"]
    for address, code in ((net[4], "InvalidIPAddress.InUse"), (net[3], "InvalidParameterValue"), (net[-1], "InvalidParameterValue"), (scene().nets[1][9], "InvalidParameterValue")):
        refused(code, scene().interface, Ipv6Addresses=[{"Ipv6Address": str(address)}])
    refused("InvalidParameterValue", scene().interface, Ipv6Addresses=[{"Ipv6Address": "10.0.10.9"}])
    refused("InvalidParameterCombination", scene().interface, Ipv6Addresses=[{"Ipv6Address": str(net[0x30])}], Ipv6AddressCount=1)
    without = scene().stack["public_a"]
    refused("InvalidParameterValue", scene().ec2.create_network_interface, SubnetId=without, Ipv6AddressCount=1, text=without)
    more = scene().ec2.assign_ipv6_addresses(NetworkInterfaceId=named, Ipv6AddressCount=1)["AssignedIpv6Addresses"]
    equal(scene().addresses(named), [str(net[0x20]), *more])
    wanted = [{"Name": "ipv6-addresses.ipv6-address", "Values": more}]
    equal([one["NetworkInterfaceId"] for one in scene().ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]], [named])
    refused("InvalidParameterValue", scene().ec2.unassign_ipv6_addresses, NetworkInterfaceId=named, Ipv6Addresses=[str(net[0x99])])
    gone = scene().ec2.unassign_ipv6_addresses(NetworkInterfaceId=named, Ipv6Addresses=more)
    equal((gone["UnassignedIpv6Addresses"], scene().addresses(named)), (more, [str(net[0x20])]))


def test_a_subnet_that_gives_addresses_gives_them_to_interfaces_and_instances():
    subnet = scene().subnets[1]
    scene().ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})
    made = scene().ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    assert ipaddress.ip_address(made["Ipv6Address"]) in scene().nets[1], made
    run = scene().ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]
    assert ipaddress.ip_address(run["Ipv6Address"]) in scene().nets[1], run
    equal([one["Ipv6Address"] for one in run["NetworkInterfaces"][0]["Ipv6Addresses"]], [run["Ipv6Address"]])
    named = str(scene().nets[1][0x77])
    run = scene().ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=subnet, Ipv6Addresses=[{"Ipv6Address": named}])["Instances"][0]
    equal(run["Ipv6Address"], named)
    found = scene().ec2.describe_instances(Filters=[{"Name": "ipv6-address", "Values": [named]}])["Reservations"]
    equal([one["InstanceId"] for each in found for one in each["Instances"]], [run["InstanceId"]])
    kept = scene().ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["Ipv6CidrBlockAssociationSet"][0]["AssociationId"]
    refused("InvalidCidrBlock.InUse", scene().ec2.disassociate_subnet_cidr_block, AssociationId=kept)
    scene().ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": False})
    refused("InvalidCidrBlock.InUse", scene().ec2.disassociate_subnet_cidr_block, AssociationId=kept)


def test_a_group_of_ipv6_has_addresses_of_ipv6_and_a_load_balancer_of_both_families():
    elb, stack = scene().elb, scene().stack
    forward = [{"Type": "forward", "TargetGroupArn": group()}]
    refused("InvalidConfigurationRequest", elb.modify_rule, RuleArn=stack["rule"], Actions=forward, text="dualstack")
    refused("ValidationError", elb.register_targets, TargetGroupArn=group(), Targets=[{"Id": "10.0.10.10"}], text="IPv6")
    refused("ValidationError", elb.register_targets, TargetGroupArn=group(), Targets=[{"Id": "2001:db8:ffff::9"}])
    refused("ValidationError", elb.register_targets, TargetGroupArn=stack["tg"], Targets=[{"Id": target()["address"]}], text="IPv4")
    elb.register_targets(TargetGroupArn=group(), Targets=[{"Id": target()["address"], "Port": PORT}])
    equal([one["Ipv6Addresses"] for one in scene().nodes()], [[], []])
    # A subnet without a block of IPv6 cannot serve one.
    public = [stack["public_a"], scene().subnets[1]]
    refused("ValidationError", elb.set_subnets, LoadBalancerArn=stack["lb"], Subnets=public, IpAddressType="dualstack", text="IPv6")
    equal(elb.set_ip_address_type(LoadBalancerArn=stack["lb"], IpAddressType="dualstack")["IpAddressType"], "dualstack")
    equal([len(one["Ipv6Addresses"]) for one in scene().nodes()], [1, 1])
    elb.modify_rule(RuleArn=stack["rule"], Actions=forward)
    refused("InvalidConfigurationRequest", elb.set_ip_address_type, LoadBalancerArn=stack["lb"], IpAddressType="ipv4", text="six-ip")


def test_a_target_of_ipv6_is_probed_and_answers():
    health = lambda: scene().elb.describe_target_health(TargetGroupArn=group())["TargetHealthDescriptions"][0]["TargetHealth"]["State"]
    until("the target is healthy", lambda: health() == "healthy", 30)
    answer = scene().chain.get("/hello")
    equal((answer.status, answer.headers.get("x-tidegate-trace")), (200, "passed"))
    seen = json.loads(answer.text)
    equal(seen["backend"], "six")
    hops = told(answer)["hops"]
    assert any(target()["address"] in json.dumps(hop) for hop in hops), hops


def test_a_rule_of_ipv4_says_nothing_of_ipv6_and_explain_says_which_does():
    # The groups name each other, which means both families. In their place come blocks.
    for side in (True, False):
        scene().chain.revoke("target_sg" if not side else "alb_sg", side)
    ec2, stack = scene().ec2, scene().stack
    tcp = {"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT}
    of_ipv4, of_ipv6 = tcp | {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, tcp | {"Ipv6Ranges": [{"CidrIpv6": f"{target()['address']}/128"}]}
    ec2.authorize_security_group_egress(GroupId=stack["alb_sg"], IpPermissions=[of_ipv4])
    answer = scene().chain.get("/hello")
    equal((answer.status, answer.headers.get("x-tidegate-trace")), (504, "SG_EGRESS_DENIED"))
    ec2.authorize_security_group_egress(GroupId=stack["alb_sg"], IpPermissions=[of_ipv6])
    ec2.authorize_security_group_ingress(GroupId=stack["target_sg"], IpPermissions=[of_ipv4])
    answer = scene().chain.get("/hello")
    equal((answer.status, answer.headers.get("x-tidegate-trace")), (504, "SG_INGRESS_DENIED"))
    scene().chain.run_fix(told(answer))
    equal(scene().chain.get("/hello").status, 200)


def test_an_acl_of_ipv6_denies_and_explain_says_what_opens_it():
    # A subnet of the target's own, so that the way crosses a boundary from either node.
    ec2, vpc = scene().ec2, scene().vpc
    net = list(scene().block.subnets(new_prefix=64))[9]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.99.0/24", Ipv6CidrBlock=str(net), AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    address = str(net[0x50])
    harness.server().tidegate("attach", "--security-group", scene().stack["target_sg"], f"[{address}]:{PORT}", target()["backend"].address)
    scene().elb.register_targets(TargetGroupArn=group(), Targets=[{"Id": address, "Port": PORT}])
    scene().elb.deregister_targets(TargetGroupArn=group(), Targets=[{"Id": target()["address"], "Port": PORT}])
    tcp = {"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT, "Ipv6Ranges": [{"CidrIpv6": str(scene().block)}]}
    ec2.authorize_security_group_egress(GroupId=scene().stack["alb_sg"], IpPermissions=[tcp])
    equal(scene().chain.get("/hello").status, 200)
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    for out in (True, False):
        every = {"NetworkAclId": acl, "RuleNumber": 100, "Egress": out, "Protocol": "-1", "RuleAction": "allow"}
        ec2.create_network_acl_entry(**every, CidrBlock="0.0.0.0/0")
    held = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"][0]
    own = next(one for one in held["Associations"] if one["SubnetId"] == subnet)["NetworkAclAssociationId"]
    ec2.replace_network_acl_association(AssociationId=own, NetworkAclId=acl)
    answer = scene().chain.get("/hello")
    equal((answer.status, answer.headers.get("x-tidegate-trace")), (504, "NACL_DENIED"))
    said = told(answer)
    assert any("--ipv6-cidr-block" in line for line in said["fix"]), said["fix"]
    for _ in scene().nodes():
        # Each node's subnet needs entries of its own.
        scene().chain.run_fix(said)
        answers = [scene().chain.get("/hello") for _ in range(6)]
        denied = [one for one in answers if one.status != 200]
        if not denied:
            break
        said = told(denied[0])
    equal({one.status for one in answers}, {200})


def test_flow_logs_tell_of_addresses_of_ipv6():
    role = "arn:aws:iam::000000000000:role/flows"
    layout = "${interface-id} ${srcaddr} ${dstaddr} ${dstport} ${action} ${type}"
    said = {"ResourceType": "VPC", "ResourceIds": [scene().vpc], "TrafficType": "ALL", "MaxAggregationInterval": 60}
    scene().ec2.create_flow_logs(**said, LogFormat=layout, LogGroupName="/six", DeliverLogsPermissionArn=role)

    def records():
        harness.server().tidegate("tick", "60")
        scene().chain.get("/hello")
        logs = scene().aws.logs
        streams = [one["logStreamName"] for one in logs.describe_log_streams(logGroupName="/six")["logStreams"]]
        events = [event for name in streams for event in logs.get_log_events(logGroupName="/six", logStreamName=name)["events"]]
        return [one["message"].split(" ") for one in events]

    of_six = until("IPv6 is told of", lambda: [one for one in records() if ":" in one[2] and one[3] == str(PORT)], 30)
    for one in of_six:
        equal((":" in one[1], one[4], one[5]), (True, "ACCEPT", "IPv6"))


harness.main()
