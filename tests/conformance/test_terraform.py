"""The Terraform example with the real provider: apply, an empty plan, traffic, a change in place, an empty plan, destroy.

Terraform is looked for on PATH, the provider in the directory that TIDEGATE_TF_PLUGINS names or in one called `tf-plugins`.
Where either is missing the test is skipped; in CI that is a failure.
"""

import json
import os
import shutil
import subprocess
import tempfile
from urllib.parse import urlsplit

import harness
from harness import equal

EXAMPLE = harness.ROOT / "examples" / "terraform" / "http-api"
APPLY_S = 400
DOMAIN = "orders.example.com"
# Never asked in this script: every token is missing.
ISSUER = "http://127.0.0.1:9/issuer"
# Nothing of theirs can be changed without replacing them: they have no tags and only identifying attributes.
UNCHANGEABLE = {"aws_route", "aws_route_table_association", "aws_lb_target_group_attachment"}
_work = None


def missing(what):
    if harness.IN_CI:
        raise AssertionError(f"{what}, and CI may not skip this")
    raise harness.Skip(what)


def plugins():
    """The directory of a filesystem mirror that holds the AWS provider."""
    named = os.environ.get("TIDEGATE_TF_PLUGINS")
    if named:
        return named
    look = ["find", "/", "-xdev", "-type", "d", "-name", "tf-plugins", "-print", "-quit"]
    found = subprocess.run(look, capture_output=True, text=True, timeout=120).stdout.split()
    return found[0] if found else None


class Work:
    """A copy of the example in a scratch directory, with a CLI configuration of its own."""

    def __init__(self):
        if not shutil.which("terraform"):
            missing("terraform is not on PATH")
        mirror = plugins()
        if not mirror:
            missing("no provider mirror: set TIDEGATE_TF_PLUGINS")
        self.directory = tempfile.mkdtemp(prefix="tidegate-terraform-")
        for file in EXAMPLE.glob("*.tf"):
            shutil.copy(file, self.directory)
        config = os.path.join(self.directory, "cli.tfrc")
        with open(config, "w") as file:
            file.write(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
        self.server = harness.server()
        self.authority = None
        self.env = self.server.env() | {
            "TF_CLI_CONFIG_FILE": config,
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "TF_VAR_endpoint": self.server.api.rstrip("/"),
            "TF_VAR_certificate": self.certificate(),
            "TF_VAR_issuer": ISSUER,
            "CHECKPOINT_DISABLE": "1",
        }
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            self.env.pop(name)  # the example's own provider block has to do
        self.aws = self.server.clients()
        self.before = inventory(self.aws)
        self.terraform("init", "-no-color")

    def certificate(self):
        """Issued by an authority of the test's own: the server imports it like any other."""
        authority = ["--data-dir", os.path.join(self.directory, "authority")]
        harness.command([harness.binary(), "ca", "issue", *authority, "--dir", self.directory, DOMAIN], dict(os.environ))
        self.authority = os.path.join(self.directory, "authority.pem")
        with open(self.authority, "w") as file:
            file.write(harness.command([harness.binary(), "ca", *authority], dict(os.environ)).stdout)
        return os.path.join(self.directory, DOMAIN)

    def terraform(self, *args, wanted=0):
        result = subprocess.run(
            ["terraform", *args], cwd=self.directory, env=self.env, capture_output=True, text=True, timeout=APPLY_S
        )
        assert result.returncode == wanted, f"terraform {args}: exit {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout

    def outputs(self):
        return {name: output["value"] for name, output in json.loads(self.terraform("output", "-json")).items()}


def work():
    global _work
    if _work is None:
        _work = Work()
    return _work


def inventory(aws):
    """The ids of everything that a stack could leave behind."""
    ec2, elb, api = aws.ec2, aws.elbv2, aws.apigatewayv2
    return {
        "vpcs": [i["VpcId"] for i in ec2.describe_vpcs()["Vpcs"]],
        "subnets": [i["SubnetId"] for i in ec2.describe_subnets()["Subnets"]],
        "gateways": [i["InternetGatewayId"] for i in ec2.describe_internet_gateways()["InternetGateways"]],
        "route tables": [i["RouteTableId"] for i in ec2.describe_route_tables()["RouteTables"]],
        "acls": [i["NetworkAclId"] for i in ec2.describe_network_acls()["NetworkAcls"]],
        "groups": [i["GroupId"] for i in ec2.describe_security_groups()["SecurityGroups"]],
        "rules": [i["SecurityGroupRuleId"] for i in ec2.describe_security_group_rules()["SecurityGroupRules"]],
        "interfaces": [i["NetworkInterfaceId"] for i in ec2.describe_network_interfaces()["NetworkInterfaces"]],
        "load balancers": [i["LoadBalancerArn"] for i in elb.describe_load_balancers()["LoadBalancers"]],
        "target groups": [i["TargetGroupArn"] for i in elb.describe_target_groups()["TargetGroups"]],
        "apis": [i["ApiId"] for i in api.get_apis()["Items"]],
        "links": [i["VpcLinkId"] for i in api.get_vpc_links()["Items"]],
        "domain names": [i["DomainName"] for i in api.get_domain_names()["Items"]],
        "certificates": [i["CertificateArn"] for i in aws.acm.list_certificates()["CertificateSummaryList"]],
        "log groups": [i["logGroupName"] for i in aws.logs.describe_log_groups()["logGroups"]],
    }


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
    words = ["curl", "--silent", "--show-error", "--fail", "--cacert", work().authority]
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
        equal(answer.headers["x-answered-by"], "GET /hello", "the answer is mapped")
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
    work().terraform("apply", "-auto-approve", "-no-color")
    work().terraform("plan", "-detailed-exitcode", "-no-color")


def test_requests_reach_the_targets_in_both_forms():
    if _work is None:
        raise harness.Skip("nothing was applied")
    attach()
    calls_pass(1)


def test_a_revision_changes_everything_in_place_and_replaces_nothing():
    if _work is None:
        raise harness.Skip("nothing was applied")
    change = ("-var", "revision=2")
    work().terraform("plan", *change, "-out=change", "-no-color")
    plan = json.loads(work().terraform("show", "-json", "change"))
    actions = {r["address"]: (r["type"], r["change"]["actions"]) for r in plan["resource_changes"]}
    wrong = {
        address: done
        for address, (kind, done) in actions.items()
        if done != (["no-op"] if kind in UNCHANGEABLE else ["update"])
    }
    equal(wrong, {}, "resources that are not changed in place")
    work().terraform("apply", "-no-color", "change")
    work().terraform("plan", *change, "-detailed-exitcode", "-no-color")
    calls_pass(2)


def test_destroy_leaves_nothing():
    if _work is None:
        raise harness.Skip("nothing was applied")
    out = work().outputs()
    for address in out["target_ips"]:
        work().server.tidegate("detach", "--vpc", out["vpc_id"], f"{address}:{out['target_port']}")
    work().terraform("destroy", "-auto-approve", "-no-color")
    left = inventory(work().aws)
    for kind, before in work().before.items():
        equal(sorted(set(left[kind]) - set(before)), [], f"{kind} that are left")
    shutil.rmtree(work().directory, ignore_errors=True)
    for backend in work().backends:
        backend.kill()


harness.main()
