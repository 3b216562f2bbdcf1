"""Targets that speak TLS with a certificate of their own: a group of protocol HTTPS, probes within TLS, and what a plain group makes of it."""

import json

import harness
import build  # harness finds it
from chain import Chain
from harness import equal
from targets import Secured

NOTICED_S = 30

def test_a_group_of_protocol_https_reaches_targets_within_tls():
    chain = Chain(harness.server(), name="secured", backend=Secured)
    elb = chain.aws.elbv2
    plain = chain.stack["tg"]
    try:
        for backend in chain.backends:
            backend.kill()
            backend.is_secure = True
            backend.revive()
        equal(chain.get().status, 502, "a plain group sends in the clear what the target cannot read")
        group = elb.create_target_group(
            Name="secured-tls",
            Protocol="HTTPS",
            Port=8080,
            VpcId=chain.stack["vpc"],
            TargetType="ip",
            HealthCheckProtocol="HTTPS",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
        )["TargetGroups"][0]
        equal((group["Protocol"], group["HealthCheckProtocol"]), ("HTTPS", "HTTPS"))
        elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": one} for one in build.TARGETS])
        rule = {"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}
        elb.modify_rule(RuleArn=chain.stack["rule"], Actions=[rule])
        chain.stack["tg"] = group["TargetGroupArn"]
        healthy = {one: ("healthy", None) for one in build.TARGETS}
        harness.until("both are healthy", lambda: chain.health() == healthy, NOTICED_S)
        equal({json.loads(chain.get().text)["backend"] for _ in range(8)}, {"secured-a", "secured-b"})
        elb.modify_target_group(TargetGroupArn=group["TargetGroupArn"], HealthCheckProtocol="HTTP")
        gone = {one: ("unhealthy", "Target.FailedHealthChecks") for one in build.TARGETS}
        harness.until("a probe in the clear fails", lambda: chain.health() == gone, NOTICED_S)
        elb.modify_rule(RuleArn=chain.stack["rule"], Actions=[{"Type": "forward", "TargetGroupArn": plain}])
        elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
    finally:
        chain.stack["tg"] = plain
        chain.close()


harness.main()
