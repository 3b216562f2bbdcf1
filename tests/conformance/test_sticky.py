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


def test_a_client_stays_with_its_target_over_a_restart():
    server = harness.Server(data_dir=DATA)
    chain = Chain(server, name="sticky", backend=Speaking)
    try:
        group_attributes(chain, stickiness__enabled="true")
        first = curl(chain, "-c", JAR)
        equal(jar(), {"AWSALB", "AWSALBCORS", "SESSION"})
        equal({curl(chain, "-b", JAR, "-c", JAR) for _ in range(6)}, {first})
        equal({curl(chain) for _ in range(6)}, {"sticky-a", "sticky-b"}, "without cookies")
        server.kill()
        server.start()
        chain.aws = server.clients()
        equal({curl(chain, "-b", JAR) for _ in range(6)}, {first}, "after the restart")

        group_attributes(chain, stickiness__type="app_cookie", stickiness__app_cookie__cookie_name="SESSION")
        Path(JAR).unlink()
        first = curl(chain, "-c", JAR)
        equal(jar(), {"AWSALBAPP-0", "AWSALBAPP-1", "AWSALBAPP-2", "AWSALBAPP-3", "SESSION"})
        equal({curl(chain, "-b", JAR, "-c", JAR) for _ in range(6)}, {first})

        at = ["sticky-a", "sticky-b"].index(first)
        targets = [{"Id": build.TARGETS[at]}]
        chain.aws.elbv2.deregister_targets(TargetGroupArn=chain.stack["tg"], Targets=targets)
        other = curl(chain, "-b", JAR, "-c", JAR)
        equal(other != first, True, "nobody stays with a target that is gone")
    finally:
        chain.close()
        server.close()
        KEPT.cleanup()


harness.main()
