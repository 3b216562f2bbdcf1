"""The mistakes that the page on security groups tells of: each is made in a chain that passes, gives what its row says, and is mended by what `explain` prints."""

import contextlib
import re

import harness
from build import by_group
from chain import Chain
from harness import equal, until

PAGE = harness.ROOT / "docs" / "security-groups.md"
HEALTH_PORT = 8081
# The four of groups, and of ACLs one where each way leaves a subnet and one where it enters.
GATES = 12


@harness.once
def chain():
    # Probes meet the same silence. No target is to be left out for that while requests are looked at.
    made = Chain(harness.server(), name="mistakes", unhealthy_threshold=10)
    until("two healthy targets", lambda: all(state == "healthy" for state, _ in made.health().values()), 60)
    return made


def rows():
    """What is seen and what is said, by number."""
    found = re.findall(r"^\| (\d+) \|.*\| (\d{3}) \| (?:.*: )?`([\w.]+)` \|$", PAGE.read_text(), re.MULTILINE)
    return {int(number): (int(status), reason) for number, status, reason in found}


def now(group, egress, *permissions):
    """All that a group lets through in one direction, from now on."""
    ec2, id = chain().aws.ec2, chain().stack[group]
    if chain().rules(group, egress):
        chain().revoke(group, egress)
    if permissions:
        call = ec2.authorize_security_group_egress if egress else ec2.authorize_security_group_ingress
        call(GroupId=id, IpPermissions=[one for some in permissions for one in some])


def of(key, port):
    return by_group(port, chain().stack[key])


def right():
    """The four rules of the page."""
    now("link_sg", True, of("alb_sg", 80))
    now("alb_sg", False, of("link_sg", 80))
    now("alb_sg", True, of("target_sg", 8080))
    now("target_sg", False, of("alb_sg", 8080))


def meets(number):
    """The row's answer and reason, from one of some requests; then what `explain` prints lets them pass."""
    status, reason = rows()[number]
    answers = [chain().get() for _ in range(8)]
    refused = [answer for answer in answers if answer.status != 200]
    assert refused, f"{number}: nothing was refused"
    equal({(answer.status, answer.headers.get("x-tidegate-trace")) for answer in refused}, {(status, reason)}, number)
    for _ in range(GATES):
        # They are asked in their order: behind one that was opened another may be shut.
        told = harness.server().explain(refused[0].headers["apigw-requestid"]).json
        equal(told["outcome"], "denied")
        chain().run_fix(told)
        answers = [chain().get() for _ in range(8)]
        refused = [answer for answer in answers if answer.status != 200]
        if not refused:
            return
    raise AssertionError(f"{number}: still {refused[0].status} {refused[0].headers.get('x-tidegate-trace')}")


@contextlib.contextmanager
def in_default_group():
    """The targets, in the default group of their VPC."""
    ec2, stack = chain().aws.ec2, chain().stack
    mine = [{"Name": "vpc-id", "Values": [stack["vpc"]]}]
    [default] = ec2.describe_security_groups(Filters=[*mine, {"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
    held = ec2.describe_network_interfaces(Filters=[*mine, {"Name": "group-id", "Values": [stack["target_sg"]]}])["NetworkInterfaces"]
    equal(len(held), 2)

    def give(group):
        for one in held:
            ec2.modify_network_interface_attribute(NetworkInterfaceId=one["NetworkInterfaceId"], Groups=[group])

    give(default["GroupId"])
    try:
        yield
    finally:
        give(stack["target_sg"])


@contextlib.contextmanager
def without_replies():
    """The load balancer in subnets of its own, and the ACL of all lets out what goes to listeners alone."""
    aws, stack = chain().aws, chain().stack
    aws.elbv2.set_subnets(LoadBalancerArn=stack["lb"], Subnets=[stack["public_a"], stack["public_b"]])
    [acl] = aws.ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [stack["vpc"]]}])["NetworkAcls"]
    first = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 100, "Egress": True, "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
    aws.ec2.replace_network_acl_entry(**first, Protocol="6", PortRange={"From": 80, "To": 80})
    try:
        yield
    finally:
        aws.ec2.replace_network_acl_entry(**first, Protocol="-1")
        aws.elbv2.set_subnets(LoadBalancerArn=stack["lb"], Subnets=[stack["private_a"], stack["private_b"]])


def test_ten_mistakes_are_told_of():
    equal(sorted(rows()), list(range(1, 11)))


def test_each_slip_in_a_rule_is_seen_as_the_page_says():
    world = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "203.0.113.0/24"}]}]
    udp = [dict(of("link_sg", 80)[0], IpProtocol="udp")]
    slips = {
        1: lambda: now("link_sg", True),
        2: lambda: now("alb_sg", False),
        3: lambda: now("alb_sg", False, of("link_sg", 443)),
        4: lambda: now("alb_sg", True),
        5: lambda: now("target_sg", False, of("link_sg", 8080)),
        6: lambda: now("alb_sg", False, world),
        7: lambda: now("alb_sg", False, udp),
    }
    for number, slip in slips.items():
        right()
        equal(chain().get().status, 200)
        slip()
        meets(number)


def test_a_target_without_a_group_of_its_own_is_not_reached():
    right()
    with in_default_group():
        meets(8)


def test_probes_at_another_port_need_a_rule_of_their_own():
    right()
    elb, group = chain().aws.elbv2, chain().stack["tg"]
    status, reason = rows()[9]
    elb.modify_target_group(TargetGroupArn=group, HealthCheckPort=str(HEALTH_PORT), UnhealthyThresholdCount=2)
    until("both are unhealthy", lambda: set(chain().health().values()) == {("unhealthy", reason)}, 60)
    equal(chain().get().status, status, "requests reach targets that are all unhealthy")
    elb.modify_target_group(TargetGroupArn=group, HealthCheckPort="traffic-port", UnhealthyThresholdCount=10)
    until("both are healthy", lambda: {state for state, _ in chain().health().values()} == {"healthy"}, 60)


def test_replies_need_a_rule_of_a_network_acl():
    right()
    with without_replies():
        meets(10)


if __name__ == "__main__":
    harness.main()
