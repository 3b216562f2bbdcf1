"""Clients that stay with a target, as curl keeps its cookies: over a restart, by a cookie of the target's, and as long as it is there."""

import json
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import harness
import build  # harness finds it
from chain import Chain
from harness import equal
from targets import Speaking

KEPT = tempfile.TemporaryDirectory(prefix="tidegate-sticky-")
DATA, JAR = f"{KEPT.name}/data", f"{KEPT.name}/cookies"


def group_attributes(chain, **wanted):
    pairs = [{"Key": key.replace("__", "."), "Value": value} for key, value in wanted.items()]
    chain.aws.elbv2.modify_target_group_attributes(TargetGroupArn=chain.stack["tg"], Attributes=pairs)


def curl(chain, *options):
    """Who answers a client with this cookie jar."""
    port = urlsplit(chain.server.public).port
    url = f"http://{chain.host()}:{port}/hello"
    done = subprocess.run(["curl", "-sS", "--max-time", "20", *options, url], capture_output=True, text=True)
    equal(done.returncode, 0, done.stderr)
    return json.loads(done.stdout)["backend"]


def jar():
    return {line.split("\t")[5] for line in Path(JAR).read_text().splitlines() if line.count("\t") == 6}


def restart(chain):
    chain.server.kill()
    chain.server.start()
    chain.aws = chain.server.clients()


def is_kept(chain, first):
    """The client of the jar stays with its target, over the end of the server too. Whoever has no cookies does not."""
    equal({curl(chain, "-b", JAR, "-c", JAR) for _ in range(6)}, {first})
    restart(chain)
    equal({curl(chain, "-b", JAR, "-c", JAR) for _ in range(12)}, {first}, "after the restart")
    equal({curl(chain) for _ in range(40)}, {"sticky-a", "sticky-b"}, "without cookies")


def test_a_client_stays_with_its_target_over_a_restart():
    chain = Chain(harness.Server(data_dir=DATA), name="sticky", backend=Speaking)
    other = None
    try:
        group_attributes(chain, stickiness__enabled="true")
        first = curl(chain, "-c", JAR)
        equal(jar(), {"AWSALB", "AWSALBCORS", "SESSION"})
        is_kept(chain, first)

        group_attributes(chain, stickiness__type="app_cookie", stickiness__app_cookie__cookie_name="SESSION")
        Path(JAR).unlink()
        first = curl(chain, "-c", JAR)
        equal(jar(), {"AWSALBAPP-0", "AWSALBAPP-1", "AWSALBAPP-2", "AWSALBAPP-3", "SESSION"})
        is_kept(chain, first)

        at = ["sticky-a", "sticky-b"].index(first)
        targets = [{"Id": build.TARGETS[at]}]
        chain.aws.elbv2.deregister_targets(TargetGroupArn=chain.stack["tg"], Targets=targets)
        equal(curl(chain, "-b", JAR, "-c", JAR) != first, True, "nobody stays with a target that is gone")

        # That target alone in a group of its own, the other one alone in the first group.
        group_attributes(chain, stickiness__enabled="false")
        other = chain.aws.elbv2.create_target_group(
            Name="sticky-other", Protocol="HTTP", Port=8080, VpcId=chain.stack["vpc"], TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        chain.aws.elbv2.register_targets(TargetGroupArn=other, Targets=targets)
        lasts = {"Enabled": True, "DurationSeconds": 600}
        groups = [{"TargetGroupArn": arn, "Weight": 1} for arn in (chain.stack["tg"], other)]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": lasts}}
        chain.aws.elbv2.modify_rule(RuleArn=chain.stack["rule"], Actions=[action])
        Path(JAR).unlink()
        first = curl(chain, "-c", JAR)
        equal(jar(), {"AWSALBTG", "AWSALBTGCORS", "SESSION"})
        is_kept(chain, first)
    finally:
        if other:
            action = {"Type": "forward", "TargetGroupArn": chain.stack["tg"]}
            chain.aws.elbv2.modify_rule(RuleArn=chain.stack["rule"], Actions=[action])
            chain.aws.elbv2.delete_target_group(TargetGroupArn=other)
        chain.close()
        chain.server.close()
        KEPT.cleanup()


harness.main()
