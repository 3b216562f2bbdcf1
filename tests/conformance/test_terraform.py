"""The HTTP API example with Terraform: apply, an empty plan, traffic, a change in place, an empty plan, destroy. From the change on an agent carries the VPC.
With HOSTS=1, in a network namespace of the script's own, there are two agents, each with its target on a host of its own."""

import atexit
import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

import harness
from agents import Agent
from harness import equal
from hosts import GATEWAY, Host, Middle
from terraform import Terraform

DOMAIN = "orders.example.com"
# Never asked in this script: every token is missing.
ISSUER = "http://127.0.0.1:9/issuer"
# Nothing of theirs can be changed without replacing them: they have no tags and only identifying attributes.
UNCHANGEABLE = {"aws_route", "aws_route_table_association", "aws_lb_target_group_attachment"}
_work = None


class Work(Terraform):
    """The example with a certificate for its domain name, and a server that agents may come to."""

    def __init__(self):
        self.agents, self.programs, self.hosts = [], [], []
        atexit.register(self.close)
        if os.environ.get("HOSTS"):
            middle = Middle()
            self.hosts = [Host(middle, 0, []), Host(middle, 1, []), middle]
        link = f"{GATEWAY}:0" if self.hosts else "127.0.0.1:0"
        self.own = harness.Server(args=["--link", link], config="[timeouts]\nblocked_connect = \"200ms\"\n")
        super().__init__("http-api", server=self.own)
        self.env |= {"TF_VAR_certificate": self.certificate(DOMAIN), "TF_VAR_issuer": ISSUER}
        self.run("init", "-no-color")

    def close(self):
        for agent in self.agents:
            agent.close()
        for program in self.programs:
            program.kill()
            program.wait()
        self.own.close()
        for host in self.hosts:
            host.close()


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


def cross():
    """Has agents carry the VPC: they serve the targets from now on, and the server none of them."""
    out, hosts = work().outputs(), work().hosts[:2]
    for address in out["target_ips"]:
        work().server.tidegate("detach", "--vpc", out["vpc_id"], f"{address}:{out['target_port']}")
    prefixes = [host.prefix() for host in hosts] or [[]]
    work().agents += [Agent(work().server, out["vpc_id"], prefix=prefix) for prefix in prefixes]
    for number, address in enumerate(out["target_ips"]):
        agent = work().agents[number % len(work().agents)]
        words = [*agent.prefix, sys.executable, str(harness.ROOT / "examples" / "backend.py"), "--name", f"tf-{number}"]
        program = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        work().programs.append(program)
        where = ["--vpc", out["vpc_id"], "--security-group", out["target_security_group_id"]]
        served = program.stdout.readline().removeprefix("listening on ").strip()
        agent.tidegate("attach", *where, f"{address}:{out['target_port']}", served)
    crossed = [agent.id for agent in work().agents]

    def is_carried():
        answer = harness.request(work().server.api, urlsplit(out["invoke_url_path"]).path + "/hello")
        return answer.status == 200 and any(agent in str(work().server.explain(answer.id).json) for agent in crossed)

    harness.until("requests cross the link", is_carried, 60)


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


def test_agents_carry_it_from_now_on():
    if _work is None:
        raise harness.Skip("nothing was applied")
    cross()
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
    for number, address in enumerate(out["target_ips"]):
        agent = work().agents[number % len(work().agents)]
        agent.tidegate("detach", "--vpc", out["vpc_id"], f"{address}:{out['target_port']}")
    for agent in work().agents:
        work().server.tidegate("agent", "revoke", agent.id)
        work().server.tidegate("agent", "forget", agent.id)
    work().destroy()
    for backend in work().backends:
        backend.kill()


harness.main()
