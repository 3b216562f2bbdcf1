"""Targets that fail: probes are real, a dead target leaves the rotation, and the load balancer fails open as AWS's does."""

import json

import harness
import build  # harness finds it
from chain import Chain
from harness import equal

# Interval 5 s, threshold 2, time-out 2 s, and room for a busy machine.
NOTICED_S = 30
A, B = build.TARGETS
_chain = None


def chain():
    global _chain
    if _chain is None:
        _chain = Chain(harness.server(), name="targets")
    return _chain


def until_health(address, state, reason):
    harness.until(f"{address} is {state} {reason}", lambda: chain().health()[address] == (state, reason), NOTICED_S)


def served_by(count=8):
    return {json.loads(chain().get().text)["backend"] for _ in range(count)}


def test_a_first_good_probe_makes_a_target_healthy():
    equal(chain().health(), {A: ("healthy", None), B: ("healthy", None)})
    equal(served_by(), {"targets-a", "targets-b"})


def test_a_dead_target_is_noticed_and_left_out():
    chain().backends[0].kill()
    until_health(A, "unhealthy", "Target.FailedHealthChecks")
    equal(chain().health()[B], ("healthy", None))
    equal(served_by(), {"targets-b"})


def test_a_wrong_status_is_a_reason_of_its_own():
    chain().backends[0].revive()
    until_health(A, "healthy", None)
    chain().backends[0].status = 500
    until_health(A, "unhealthy", "Target.ResponseCodeMismatch")
    listed = chain().aws.elbv2.describe_target_health(
        TargetGroupArn=chain().stack["tg"], Targets=[{"Id": A, "Port": 8080}]
    )
    told = listed["TargetHealthDescriptions"][0]["TargetHealth"]["Description"]
    equal(told, "Health checks failed with these codes: [500]")
    chain().backends[0].status = 200
    until_health(A, "healthy", None)


def test_a_blocked_probe_times_out_and_the_hint_says_so():
    chain().revoke("target_sg", False)
    for address in (A, B):
        until_health(address, "unhealthy", "Target.Timeout")
    answer = chain().get()
    equal(answer.status, 504, answer.text)
    told = harness.server().explain(answer.id).json
    equal(told["reason"], "SG_INGRESS_DENIED")
    assert {"ALL_UNHEALTHY_FAIL_OPEN", "HEALTH_CHECK_BLOCKED"} & {h["code"] for h in told["hints"]}, told["hints"]
    chain().run_fix(told)
    for address in (A, B):
        until_health(address, "healthy", None)


def test_all_dead_is_bad_gateway_because_the_balancer_fails_open():
    for backend in chain().backends:
        backend.kill()
    for address in (A, B):
        until_health(address, "unhealthy", "Target.FailedHealthChecks")
    answer = chain().get()
    equal((answer.status, answer.headers.get("server")), (502, "awselb/2.0"), answer.text)
    equal(len(answer.text), 122)
    result = harness.server().explain(answer.id)
    equal((result.returncode, result.json["outcome"], result.json["reason"]), (4, "failed", "TARGET_REFUSED"))
    assert "ALL_UNHEALTHY_FAIL_OPEN" in [hint["code"] for hint in result.json["hints"]], result.json["hints"]


def test_no_registered_target_is_service_unavailable():
    chain().aws.elbv2.deregister_targets(
        TargetGroupArn=chain().stack["tg"], Targets=[{"Id": address} for address in build.TARGETS]
    )
    answer = chain().get()
    equal((answer.status, answer.headers.get("server")), (503, "awselb/2.0"), answer.text)
    equal(len(answer.text), 162)
    result = harness.server().explain(answer.id)
    equal((result.returncode, result.json["reason"]), (4, "NO_TARGETS"))


def test_revived_and_registered_again_it_serves():
    for backend in chain().backends:
        backend.revive()
    build.register(chain().aws.elbv2, chain().stack)
    equal(served_by(), {"targets-a", "targets-b"})
    chain().close()


harness.main()
