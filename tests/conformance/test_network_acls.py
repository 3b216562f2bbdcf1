"""Network ACLs on the way from link to load balancer to target: asked between subnets only, in both directions, in the order of their numbers; each denial is
explained, and mended by what `explain` says."""

import harness
from chain import Chain
from harness import equal, until


class Scene:
    """A chain whose second link interface and second target are in a subnet with an ACL of its own, and no node of the load balancer is."""

    def __init__(self):
        # Probes are denied too. No target is to be left out for that while requests are looked at: ten in a row take fifty seconds.
        self.chain = Chain(harness.server(), name="acls", unhealthy_threshold=10)
        self.ec2, stack = self.chain.aws.ec2, self.chain.stack
        self.chain.aws.elbv2.set_subnets(LoadBalancerArn=stack["lb"], Subnets=[stack["private_a"], stack["public_b"]])
        self.acl = self.ec2.create_network_acl(VpcId=stack["vpc"])["NetworkAcl"]["NetworkAclId"]
        self.default = self.associate(self.acl)

    def associate(self, acl):
        """Gives the second subnet this ACL; returns the one that it had."""
        subnet = self.chain.stack["private_b"]
        listed = self.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"]
        held = [one for found in listed for one in found["Associations"] if one["SubnetId"] == subnet]
        equal(len(held), 1)
        self.ec2.replace_network_acl_association(AssociationId=held[0]["NetworkAclAssociationId"], NetworkAclId=acl)
        return held[0]["NetworkAclId"]

    def entry(self, number, egress, action, ports, block="10.0.0.0/16"):
        said = {"NetworkAclId": self.acl, "RuleNumber": number, "Egress": egress}
        self.ec2.create_network_acl_entry(**said, Protocol="6", RuleAction=action, CidrBlock=block, PortRange=ports)

    def entries(self):
        found = self.ec2.describe_network_acls(NetworkAclIds=[self.acl])["NetworkAcls"][0]["Entries"]
        return {(one["RuleNumber"], one["Egress"]) for one in found if one["RuleNumber"] < 32767}

    def clear(self):
        for number, egress in self.entries():
            self.ec2.delete_network_acl_entry(NetworkAclId=self.acl, RuleNumber=number, Egress=egress)

    def outcomes(self, requests=24):
        """What so many requests get, by status and reason. Interfaces and targets take turns, so that some go by the guarded subnet."""
        answers = [self.chain.get("/hello") for _ in range(requests)]
        return {(answer.status, answer.headers.get("x-tidegate-trace")): answer for answer in answers}

    def denied(self, words):
        """Requests by the guarded subnet are silence, at the link or at the target; what `explain` says of the last."""
        got = self.outcomes()
        silent = {(503, "NACL_DENIED"), (504, "NACL_DENIED")}
        equal(set(got) - silent - {(200, "passed")}, set())
        told = [harness.server().explain(got[one].headers["apigw-requestid"]).json for one in silent & set(got)]
        assert told, f"nothing was denied: {set(got)}"
        for one in told:
            equal((one["outcome"], one["reason"]), ("denied", "NACL_DENIED"))
            hop = one["hops"][[hop["verdict"] for hop in one["hops"]].index("deny")]
            equal((hop["kind"], hop["id"], hop["reason"]), ("network-acl", self.acl, "NACL_DENIED"))
            for word in (words, self.chain.stack["private_b"], "SUBNET_ACL_RESTRICTION"):
                assert word in hop["detail"], hop["detail"]
        return told[-1]


@harness.once
def scene():
    return Scene()


def test_a_new_acl_lets_nothing_through_and_what_explain_says_opens_it():
    told = scene().denied(f"no rule of {scene().acl} lets ")
    assert all(line.startswith("aws ec2 create-network-acl-entry ") for line in told["fix"]), told["fix"]
    scene().chain.run_fix(told)
    equal(set(scene().outcomes()), {(200, "passed")})
    equal(len(scene().entries()), len(told["fix"]), "each made one entry")


def test_replies_need_entries_of_their_own():
    scene().clear()
    scene().entry(100, False, "allow", {"From": 8080, "To": 8080})
    scene().entry(100, True, "allow", {"From": 80, "To": 80})
    told = scene().denied("replies to ")
    scene().chain.run_fix(told)
    equal(set(scene().outcomes()), {(200, "passed")})
    # Linux's own range is less than what load balancers open from.
    scene().clear()
    scene().entry(100, False, "allow", {"From": 0, "To": 65535})
    scene().entry(100, True, "allow", {"From": 80, "To": 80})
    scene().entry(110, True, "allow", {"From": 32768, "To": 60999})
    scene().denied("replies to tcp 1024-65535")


def test_the_lowest_number_decides_and_its_denial_is_named():
    scene().clear()
    for egress in (False, True):
        scene().entry(100, egress, "allow", {"From": 0, "To": 65535})
    equal(set(scene().outcomes()), {(200, "passed")})
    scene().entry(50, False, "deny", {"From": 8000, "To": 9000})
    told = scene().denied(f"rule 50 of {scene().acl} does not let ")
    scene().chain.run_fix(told)
    equal(set(scene().outcomes()), {(200, "passed")})
    assert (49, False) in scene().entries(), scene().entries()


def test_a_target_that_every_probe_is_denied_is_unhealthy():
    scene().clear()
    scene().chain.aws.elbv2.modify_target_group(TargetGroupArn=scene().chain.stack["tg"], UnhealthyThresholdCount=2)
    state = lambda: scene().chain.health()["10.0.11.10"]
    until("the target times out", lambda: state() == ("unhealthy", "Target.Timeout"), 60)
    scene().associate(scene().default)
    until("the target is healthy again", lambda: state()[0] == "healthy", 60)
    equal(set(scene().outcomes()), {(200, "passed")})


harness.main()
