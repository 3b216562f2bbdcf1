"""Instances as targets, by the AWS CLI and its waiters: programs of this machine serve their addresses."""

import json

import harness
from chain import Chain
from harness import equal

NOTICED_S = 30
_chain = None


def chain():
    """The chain's own targets are addresses; its listener is led to a group of the default type."""
    global _chain
    if _chain is None:
        _chain = Chain(harness.server(), name="instances")
        stack = _chain.stack
        made = aws("ec2", "run-instances", "--image-id", "ami-0123456789abcdef0", "--count", "2", "--instance-type", "t3.micro",
                   "--subnet-id", stack["private_a"], "--security-group-ids", stack["target_sg"])
        _chain.instances = [one["InstanceId"] for one in made["Instances"]]
        aws("ec2", "wait", "instance-running", "--instance-ids", *_chain.instances)
        aws("ec2", "wait", "instance-status-ok", "--instance-ids", *_chain.instances)
        group = aws("elbv2", "create-target-group", "--name", "of-instances", "--protocol", "HTTP", "--port", "8080",
                    "--vpc-id", stack["vpc"], "--health-check-interval-seconds", "5", "--health-check-timeout-seconds", "2")
        _chain.group = group["TargetGroups"][0]["TargetGroupArn"]
        equal(group["TargetGroups"][0]["TargetType"], "instance")
        aws("elbv2", "register-targets", "--target-group-arn", _chain.group,
            "--targets", *[f"Id={one}" for one in _chain.instances])
        lead_to(_chain.group)
    return _chain


def lead_to(group):
    elb, listener = _chain.aws.elbv2, _chain.stack["listener"]
    actions = [{"Type": "forward", "TargetGroupArn": group}]
    for rule in elb.describe_rules(ListenerArn=listener)["Rules"]:
        if not rule["IsDefault"]:
            elb.modify_rule(RuleArn=rule["RuleArn"], Actions=actions)
    elb.modify_listener(ListenerArn=listener, DefaultActions=actions)


def aws(*words):
    return harness.command(["aws", *words, "--output", "json"], harness.server().env()).json


def health():
    told = aws("elbv2", "describe-target-health", "--target-group-arn", chain().group)["TargetHealthDescriptions"]
    return [(one["TargetHealth"]["State"], one["TargetHealth"].get("Reason")) for one in told]


def served_by(count=8):
    return {json.loads(chain().get().text)["backend"] for _ in range(count)}


def test_a_request_reaches_the_program_of_an_instance():
    for instance, backend in zip(chain().instances, chain().backends):
        told = harness.server().tidegate("attach", f"{instance}:8080", backend.address).json
        shown = chain().aws.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        equal((told["private_ip"], told["subnet"]), (shown["PrivateIpAddress"], shown["SubnetId"]))
        equal(told["interface"], shown["NetworkInterfaces"][0]["NetworkInterfaceId"])
    harness.until("both are healthy", lambda: health() == [("healthy", None)] * 2, NOTICED_S)
    equal(served_by(), {"instances-a", "instances-b"})


def test_the_groups_of_an_instance_guard_it():
    chain().revoke("target_sg", False)
    answer = chain().get()
    told = harness.server().explain(answer.id).json
    equal((answer.status, told["reason"]), (504, "SG_INGRESS_DENIED"), answer.text)
    chain().run_fix(told)
    harness.until("both are healthy", lambda: health() == [("healthy", None)] * 2, NOTICED_S)


def test_a_stopped_instance_is_unused_until_it_runs_again():
    first, second = chain().instances
    aws("ec2", "stop-instances", "--instance-ids", first)
    aws("ec2", "wait", "instance-stopped", "--instance-ids", first)
    equal(health(), [("unused", "Target.InvalidState"), ("healthy", None)])
    equal(served_by(), {"instances-b"})
    aws("ec2", "stop-instances", "--instance-ids", second)
    aws("ec2", "wait", "instance-stopped", "--instance-ids", second)
    answer = chain().get()
    told = harness.server().explain(answer.id)
    equal((answer.status, told.json["reason"]), (503, "NO_TARGETS"), answer.text)
    assert "instances that do not run" in told.stdout, told.stdout
    aws("ec2", "start-instances", "--instance-ids", first, second)
    aws("ec2", "wait", "instance-running", "--instance-ids", first, second)
    harness.until("both are healthy", lambda: health() == [("healthy", None)] * 2, NOTICED_S)
    equal(served_by(), {"instances-a", "instances-b"})


def test_a_terminated_instance_leaves_its_address_and_its_attachment():
    first, second = chain().instances
    harness.server().tidegate("detach", second)
    aws("ec2", "terminate-instances", "--instance-ids", first, second)
    aws("ec2", "wait", "instance-terminated", "--instance-ids", first, second)
    equal(health(), [("unused", "Target.InvalidState")] * 2)
    found = chain().aws.ec2.describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [first, second]}]
    )
    equal(found["NetworkInterfaces"], [])
    gone = harness.server().tidegate("attach", f"{first}:8080", chain().backends[0].address, check=False)
    assert gone.returncode and "no instance" in gone.stderr, gone
    lead_to(chain().stack["tg"])
    aws("elbv2", "delete-target-group", "--target-group-arn", chain().group)
    chain().close()


harness.main()
