"""Instances by the real Terraform: `aws_instance`, a target group of the default type and its attachments. Apply, an empty plan, requests
that reach the attached programs, changes in place, destroy.
"""

import json

import harness
from harness import equal
from terraform import Module

_work = None


def work():
    global _work
    if _work is None:
        _work = Module("instances")
        _work.backends = [harness.Backend("plain"), harness.Backend("described")]
    return _work


def test_apply_and_the_plan_after_it_is_empty():
    work().apply()


def test_requests_reach_what_serves_the_instances():
    out = work().outputs()
    for backend in work().backends:
        work().server.tidegate("attach", out["instances"][backend.name], backend.address)

    def states():
        told = work().aws.elbv2.describe_target_health(TargetGroupArn=out["target_group"])["TargetHealthDescriptions"]
        return [one["TargetHealth"]["State"] for one in told]

    harness.until("both are healthy", lambda: states() == ["healthy"] * 2, 30)
    answers = [work().server.invoke(out["api"]) for _ in range(8)]
    equal({answer.status for answer in answers}, {200}, answers[0].text)
    equal({json.loads(answer.text)["backend"] for answer in answers}, {"plain", "described"})


def test_a_revision_changes_instances_in_place():
    changed = {"aws_instance.plain", "aws_instance.described"}
    work().change(lambda _, address: ["update"] if address in changed else ["no-op"])


def test_destroy_leaves_nothing():
    work().run("apply", "-auto-approve", "-no-color")
    work().destroy()
    for backend in work().backends:
        backend.kill()


harness.main()
