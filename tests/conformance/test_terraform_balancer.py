"""The load-balancer example with Terraform: apply, an empty plan, requests through sockets of its listeners, a change in place, an empty plan,
destroy."""

import json
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import harness
from harness import equal
from terraform import Terraform, inventory

NAMES = ("shop.example.com", "api.example.com")
# Nothing of theirs can be changed without replacing them, or nothing of theirs has a revision.
UNCHANGED = {"aws_lb_target_group_attachment", "aws_lb_listener_certificate"}
_work = None


class Work(Terraform):
    """The example with its certificates, on a server that has a place for buckets."""

    def __init__(self):
        super().__init__("load-balancer")
        self.buckets = tempfile.TemporaryDirectory(prefix="tidegate-buckets-")
        self.server = harness.Server(args=["--s3-root", self.buckets.name])
        self.env["TF_VAR_endpoint"] = self.server.api.rstrip("/")
        self.aws = self.server.clients()
        self.before = inventory(self.aws)
        paths = [self.certificate(name) for name in NAMES]
        self.env |= {"TF_VAR_certificates": json.dumps(paths), "TF_VAR_issuer": "http://127.0.0.1:9"}
        self.run("init", "-no-color")


def work():
    global _work
    if _work is None:
        _work = Work()
    return _work


def test_apply_and_the_plan_after_it_is_empty():
    work().apply()


def curl(name, path, *options):
    """Status, headers and body of an answer of the listener on 443, by this server name."""
    port = urlsplit(work().url).port
    words = ["curl", "-sS", "-i", "--max-time", "20", "--cacert", work().authority, *options]
    words += ["--resolve", f"{name}:{port}:127.0.0.1", f"https://{name}:{port}{path}"]
    done = subprocess.run(words, capture_output=True, text=True)
    equal(done.returncode, 0, done.stderr)
    head, _, body = done.stdout.partition("\n\n")
    return int(head.split()[1]), head.lower(), body


def test_requests_are_answered_by_each_kind_of_rule():
    if _work is None:
        raise harness.Skip("nothing was applied")
    out = work().outputs()
    work().backends = [harness.Backend("lb-a"), harness.Backend("lb-b")]
    for address, backend in zip(out["target_ips"], work().backends):
        for port in (8080, 8081):
            where = ["--vpc", out["vpc_id"], "--security-group", out["target_security_group_id"]]
            work().server.tidegate("attach", *where, f"{address}:{port}", backend.address)
    waiter = work().aws.elbv2.get_waiter("target_in_service")
    for name in ("web", "canary", "busy"):
        waiter.wait(TargetGroupArn=out["target_group_arns"][name], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    listen = ["attach", "--listen", out["listener_arns"]["443"], "--security-group", out["client_security_group_id"]]
    work().url = work().server.tidegate(*listen, "127.0.0.1:0").json["url"]
    for name in NAMES:
        status, head, body = curl(name, "/shop/1")
        equal(status, 200, body)
        equal(json.loads(body)["headers"]["x-forwarded-proto"], "https")
        equal("strict-transport-security: max-age=3600" in head, True, head)
    # Who comes without cookies gets a group by weight: `canary`, which binds nobody, or `web`, which binds each client to a target.
    heads = [curl(NAMES[0], "/shop/1")[1] for _ in range(40)]
    equal(["set-cookie: awsalbtg=" in head for head in heads], [True] * 40, "every client is bound to a group")
    equal(any("set-cookie: awsalb=" in head for head in heads), True, "and some to a target of it")
    equal(curl(NAMES[0], "/x", "-H", "X-Busy: yes")[0], 200)
    equal(curl(NAMES[0], "/x?show=revision")[2], '{"revision":1}')
    status, head, _ = curl(NAMES[0], "/old/thing?a=b")
    port = "443"
    equal((status, f"location: https://{NAMES[0]}:{port}/shop/old/thing?revision=1&a=b" in head), (301, True), head)
    status, head, _ = curl(NAMES[0], "/account")
    equal((status, "location: http://127.0.0.1:9/authorize?" in head), (302, True), head)
    equal(curl(NAMES[0], "/x")[0], 404, "the default rule")


def test_a_revision_changes_everything_in_place_and_replaces_nothing():
    if _work is None:
        raise harness.Skip("nothing was applied")
    work().change(lambda kind, _: ["no-op"] if kind in UNCHANGED else ["update"])
    equal(curl(NAMES[0], "/x?show=revision")[2], '{"revision":2}')


def test_destroy_leaves_nothing():
    if _work is None:
        raise harness.Skip("nothing was applied")
    out = work().outputs()
    work().server.tidegate("detach", "--listen", out["listener_arns"]["443"])
    work().server.tidegate("detach", "--all")
    work().destroy()
    work().server.close()
    logged = [path.name for path in Path(work().buckets.name).rglob("*.log.gz")]
    equal([name for name in logged if "_app.shop." not in name], [], "names of log files")
    equal(len(logged) > 0, True, "requests were logged")
    work().buckets.cleanup()
    for backend in work().backends:
        backend.kill()


harness.main()
