"""VPC peering: a load balancer of one VPC sends to a target in another, by the route tables of both subnets and the groups of both ends. What is missing is explained,
and what `explain` says is all that is needed."""

import atexit
import json

import harness
from botocore.exceptions import ClientError
from chain import Chain
from harness import equal, until

BEYOND = "10.1.10.10"


class Scene:
    """A chain whose rule leads to one target alone, which is in another VPC: nothing joins the two yet."""

    def __init__(self):
        self.server = harness.Server(config='[timeouts]\nblocked_connect = "250ms"\n')
        atexit.register(self.server.close)
        self.chain = Chain(self.server, name="peering")
        self.ec2, self.elb, self.stack = self.chain.aws.ec2, self.chain.aws.elbv2, self.chain.stack
        self.vpc = self.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.1.10.0/24")["Subnet"]["SubnetId"]
        self.group = self.ec2.create_security_group(GroupName="beyond", Description="beyond", VpcId=self.vpc)["GroupId"]
        self.backend = harness.Backend("beyond")
        place = ["--vpc", self.vpc, "--security-group", self.group, f"{BEYOND}:8080"]
        self.server.tidegate("attach", *place, self.backend.address)
        self.tg = self.elb.create_target_group(
            Name="beyond", Protocol="HTTP", Port=8080, VpcId=self.stack["vpc"], TargetType="ip", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2
        )["TargetGroups"][0]["TargetGroupArn"]
        self.elb.modify_rule(RuleArn=self.stack["rule"], Actions=[{"Type": "forward", "TargetGroupArn": self.tg}])

    def table(self, vpc):
        """The main route table of a VPC."""
        mine = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
        return self.ec2.describe_route_tables(Filters=mine)["RouteTables"][0]["RouteTableId"]

    def routes(self, vpc):
        """What leads out of a VPC's main table: state and connection by destination."""
        told = self.ec2.describe_route_tables(RouteTableIds=[self.table(vpc)])["RouteTables"][0]["Routes"]
        return {one["DestinationCidrBlock"]: (one["State"], one.get("VpcPeeringConnectionId")) for one in told if one.get("GatewayId") != "local"}

    def state(self, peering):
        found = self.ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])["VpcPeeringConnections"]
        return found[0]["Status"]["Code"]

    def unrouted(self, *words):
        """A request finds no route; what `explain` says of it."""
        answer = self.chain.get("/hello")
        equal((answer.status, answer.headers.get("x-tidegate-trace")), (504, "NO_ROUTE"))
        told = self.server.explain(answer.headers["apigw-requestid"]).json
        equal((told["outcome"], told["reason"]), ("failed", "NO_ROUTE"))
        hop = next(hop for hop in told["hops"] if hop["verdict"] == "fail")
        equal((hop["kind"], hop["reason"]), ("route-table", "NO_ROUTE"))
        for word in (*words, "NO_ROUTE_TO_DESTINATION"):
            assert word in hop["detail"], hop["detail"]
        return hop, told


@harness.once
def scene():
    return Scene()


@harness.once
def asked():
    """A connection that was asked for."""
    made = scene().ec2.create_vpc_peering_connection(VpcId=scene().stack["vpc"], PeerVpcId=scene().vpc)
    return made["VpcPeeringConnection"]["VpcPeeringConnectionId"]


def refused(code, call, **members):
    try:
        call(**members)
    except ClientError as error:
        return equal(error.response["Error"]["Code"], code)
    raise AssertionError(f"{code} was expected")


def test_an_address_of_another_vpc_is_a_target_in_all_zones_and_unreachable():
    target = {"Id": BEYOND, "Port": 8080}
    refused("ValidationError", scene().elb.register_targets, TargetGroupArn=scene().tg, Targets=[target])
    scene().elb.register_targets(TargetGroupArn=scene().tg, Targets=[target | {"AvailabilityZone": "all"}])
    hop, told = scene().unrouted("no peering connection joins", scene().stack["vpc"], BEYOND)
    equal((hop["id"], told["fix"]), (scene().table(scene().stack["vpc"]), []))


def test_vpcs_with_addresses_in_common_are_not_joined():
    twin = scene().ec2.create_vpc(CidrBlock="10.0.0.0/20")["Vpc"]["VpcId"]
    made = scene().ec2.create_vpc_peering_connection(VpcId=twin, PeerVpcId=scene().stack["vpc"])["VpcPeeringConnection"]
    equal(made["Status"]["Code"], "failed")
    refused("InvalidStateTransition", scene().ec2.accept_vpc_peering_connection, VpcPeeringConnectionId=made["VpcPeeringConnectionId"])


def test_everything_that_explain_says_is_all_that_is_needed():
    peering = asked()
    until("the request waits", lambda: scene().state(peering) == "pending-acceptance", 10)
    _, told = scene().unrouted(peering, "not accepted")
    own, theirs = scene().table(scene().stack["vpc"]), scene().table(scene().vpc)
    fix = told["fix"]
    equal(fix[0], f"aws ec2 accept-vpc-peering-connection --vpc-peering-connection-id {peering}")
    led = [line for line in fix if " create-route " in line]
    # Both nodes' subnets have the one table there; each of the two needs a way back.
    equal([own in line for line in led].count(True), 1, fix)
    equal([theirs in line for line in led].count(True), 2, fix)
    by_group = [line for line in fix if scene().group in line]
    assert any("authorize-security-group-egress" in line for line in by_group), fix
    assert any("authorize-security-group-ingress" in line for line in by_group), fix
    scene().chain.run_fix(told)
    equal(scene().state(peering), "active")
    answers = [scene().chain.get("/hello") for _ in range(6)]
    equal({(one.status, one.headers.get("x-tidegate-trace")) for one in answers}, {(200, "passed")})
    equal({json.loads(one.text)["backend"] for one in answers}, {"beyond"})
    told = scene().server.explain(answers[0].headers["apigw-requestid"]).json
    assert not told["fix"] and any(BEYOND in hop["detail"] for hop in told["hops"]), told

    def state():
        return scene().elb.describe_target_health(TargetGroupArn=scene().tg)["TargetHealthDescriptions"][0]["TargetHealth"]["State"]

    until("the target is healthy", lambda: state() == "healthy", 60)


def test_a_narrower_route_and_a_lost_way_back_are_named():
    ec2, stack, peering = scene().ec2, scene().stack, asked()
    own, theirs = scene().table(stack["vpc"]), scene().table(scene().vpc)
    ec2.create_route(RouteTableId=own, DestinationCidrBlock=f"{BEYOND}/32", GatewayId=stack["igw"])
    _, told = scene().unrouted(f"the route for {BEYOND}/32 in {own}", peering)
    equal(told["fix"], [f"aws ec2 replace-route --route-table-id {own} --destination-cidr-block {BEYOND}/32 --vpc-peering-connection-id {peering}"])
    scene().chain.run_fix(told)
    equal(scene().chain.get("/hello").status, 200)
    for block in [block for block in scene().routes(scene().vpc)]:
        ec2.delete_route(RouteTableId=theirs, DestinationCidrBlock=block)
    hop, told = scene().unrouted("replies to ", theirs)
    equal(hop["id"], theirs)
    scene().chain.run_fix(told)
    equal(scene().chain.get("/hello").status, 200)


def test_what_is_deleted_leads_nowhere_and_its_routes_are_black_holes():
    ec2, peering = scene().ec2, asked()
    refused("DependencyViolation", ec2.delete_vpc, VpcId=scene().vpc)
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    equal(scene().state(peering), "deleted")
    equal(set(scene().routes(scene().vpc).values()), {("blackhole", peering)})
    scene().unrouted(peering, BEYOND)
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [scene().group]}])["SecurityGroupRules"]
    stale = [rule["ReferencedGroupInfo"]["PeeringStatus"] for rule in rules if "ReferencedGroupInfo" in rule]
    equal(stale, ["deleted"])


harness.main()
