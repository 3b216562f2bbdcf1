"""The HTTP API example with Terraform: apply, an empty plan, traffic, a change in place, an empty plan, destroy."""

import json
import os
from urllib.parse import urlsplit

import harness
from harness import equal
from terraform import Terraform

DOMAIN = "orders.example.com"
# Never asked in this script: every token is missing.
ISSUER = "http://127.0.0.1:9/issuer"
# Nothing of theirs can be changed without replacing them: they have no tags and only identifying attributes.
UNCHANGEABLE = {"aws_route", "aws_route_table_association", "aws_lb_target_group_attachment"}
_work = None


class Work(Terraform):
    """The example with a certificate for its domain name."""

    def __init__(self):
        super().__init__("http-api")
        self.env |= {"TF_VAR_certificate": self.certificate(DOMAIN), "TF_VAR_issuer": ISSUER}
        self.run("init", "-no-color")


def work():
    global _work
    if _work is None:
        _work = Work()
    return _work


def attach():
    out = work().outputs()
    work().backends = [harness.Backend("tf-a"), harness.Backend("tf-b")]
    for address, backend in zip(out["target_ips"], work().backends):
        where = ["--vpc", out["vpc_id"], "--security-group", out["target_security_group_id"]]
        work().server.tidegate("attach", *where, f"{address}:{out['target_port']}", backend.address)
    waiter = work().aws.elbv2.get_waiter("target_in_service")
    waiter.wait(TargetGroupArn=out["target_group_arn"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def by_domain(path):
    """Over TLS, by the domain's own name and certificate, as curl sees them."""
    port = urlsplit(work().server.ready["public_tls"]).port
    words = ["curl", "--silent", "--show-error", "--fail", "--cacert", work().authority()]
    words += ["--resolve", f"{DOMAIN}:{port}:127.0.0.1", f"https://{DOMAIN}:{port}{path}"]
    seen = json.loads(harness.command(words, dict(os.environ)).stdout)
    equal((seen["path"], seen["headers"]["host"].split(":")[0]), ("/hello", DOMAIN))


def calls_pass(revision):
    out = work().outputs()
    by_path = urlsplit(out["invoke_url_path"])
    by_host = urlsplit(out["invoke_url_host"])
    for base, path, host in [
        (work().server.api, by_path.path + "/hello", None),
        (work().server.api, by_path.path + "/orders/7", None),
        (work().server.api, "/hello", by_host.netloc),
        (work().server.public, "/hello", by_host.hostname),
    ]:
        answer = harness.request(base, path, host=host)
        equal(answer.status, 200, f"{host} {path}: {answer.text}")
        assert json.loads(answer.text)["backend"].startswith("tf-"), answer.text
        route = "GET /hello" if path.endswith("/hello") else "ANY /{proxy+}"
        equal(answer.headers["x-answered-by"], route, "the answer is mapped")
    equal(json.loads(answer.text)["headers"]["x-release"], f"r{revision}", "the request is mapped")
    guarded = harness.request(work().server.api, by_path.path + "/guarded")
    equal((guarded.status, guarded.headers["x-tidegate-trace"]), (401, "TOKEN_MISSING"))
    document = f"/_aws/execute-api/{out['document_api_id']}/live"
    answer = harness.request(work().server.api, document + "/hello")
    equal(json.loads(answer.text)["headers"]["x-revision"], str(revision), "the document's integration")
    equal(harness.request(work().server.api, document + "/guarded").status, 401)
    by_domain(f"/v{revision}/orders/hello")
    equal(by_host.port, urlsplit(work().server.api).port, "the host form names the API's port")


def test_apply_and_the_plan_after_it_is_empty():
    work().apply()


def test_requests_reach_the_targets_in_both_forms():
    if _work is None:
        raise harness.Skip("nothing was applied")
    attach()
    calls_pass(1)


def test_a_revision_changes_everything_in_place_and_replaces_nothing():
    if _work is None:
        raise harness.Skip("nothing was applied")
    work().change(lambda kind, _: ["no-op"] if kind in UNCHANGEABLE else ["update"])
    calls_pass(2)


def test_destroy_leaves_nothing():
    if _work is None:
        raise harness.Skip("nothing was applied")
    out = work().outputs()
    for address in out["target_ips"]:
        work().server.tidegate("detach", "--vpc", out["vpc_id"], f"{address}:{out['target_port']}")
    work().destroy()
    for backend in work().backends:
        backend.kill()


harness.main()
