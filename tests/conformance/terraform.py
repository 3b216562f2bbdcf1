"""Runs an example with the real Terraform and the real AWS provider.

Terraform is looked for on PATH, the provider in the directory that TIDEGATE_TF_PLUGINS names or in one called `tf-plugins`.
Where either is missing a test is skipped; in CI that is a failure.
"""

import json
import os
import shutil
import subprocess
import tempfile

import harness
from harness import equal

APPLY_S = 400


def plugins():
    """The directory of a filesystem mirror that holds the AWS provider."""
    named = os.environ.get("TIDEGATE_TF_PLUGINS")
    if named:
        return named
    look = ["find", "/", "-xdev", "-type", "d", "-name", "tf-plugins", "-print", "-quit"]
    found = subprocess.run(look, capture_output=True, text=True, timeout=120).stdout.split()
    return found[0] if found else None


def wanted_plugins():
    """That directory; the test is skipped where Terraform or the provider is missing."""
    if not shutil.which("terraform"):
        harness.missing("terraform is not on PATH")
    mirror = plugins()
    if not mirror:
        harness.missing("no provider mirror: set TIDEGATE_TF_PLUGINS")
    return mirror


def settings(directory, mirror):
    """The variables by which Terraform takes providers from the mirror and asks nobody else; its configuration is put into the directory."""
    config = os.path.join(directory, "cli.tfrc")
    with open(config, "w") as file:
        file.write(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    return {"TF_CLI_CONFIG_FILE": config, "CHECKPOINT_DISABLE": "1"}


class Terraform:
    """A copy of an example in a scratch directory, with a server and a CLI configuration of its own."""

    def __init__(self, *sources, server=None):
        """`sources` are directories whose configuration is put together; a name alone is that of an example. The server is the script's, or another."""
        mirror = wanted_plugins()
        self.directory = tempfile.mkdtemp(prefix="tidegate-terraform-")
        for source in sources:
            directory = harness.ROOT / "examples" / "terraform" / source
            shutil.copytree(directory, self.directory, ignore=shutil.ignore_patterns("*.tfstate*", ".terraform*"), dirs_exist_ok=True)
        self.env = settings(self.directory, mirror) | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
        self.on(server or harness.server())

    def on(self, server):
        """Meets this server from now on."""
        self.server = server
        self.env = server.env() | self.env | {"TF_VAR_endpoint": server.api.rstrip("/")}
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            self.env.pop(name)  # the example's own provider block has to do
        self.aws = server.clients()
        self.before = inventory(self.aws)

    def certificate(self, domain, authority="authority"):
        """Issued by an authority of the test's own, to be imported or shown like any other: the path without .crt and .key."""
        place = ["--data-dir", os.path.join(self.directory, authority)]
        harness.command([harness.binary(), "ca", "issue", *place, "--dir", self.directory, domain], dict(os.environ))
        with open(self.authority(authority), "w") as file:
            file.write(harness.command([harness.binary(), "ca", *place], dict(os.environ)).stdout)
        return os.path.join(self.directory, domain)

    def authority(self, name="authority"):
        """The path of the certificate of an authority of the test's own."""
        return os.path.join(self.directory, f"{name}.pem")

    def run(self, *args, wanted=0):
        result = subprocess.run(
            ["terraform", *args], cwd=self.directory, env=self.env, capture_output=True, text=True, timeout=APPLY_S
        )
        assert result.returncode == wanted, f"terraform {args}: exit {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout

    def outputs(self):
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json")).items()}

    def apply(self):
        self.run("apply", "-auto-approve", "-no-color")
        self.run("plan", "-detailed-exitcode", "-no-color")

    def change(self, wanted):
        """Applies revision 2; `wanted` says for the type and the address of a resource what is to be done to it."""
        change = ("-var", "revision=2")
        self.run("plan", *change, "-out=change", "-no-color")
        plan = json.loads(self.run("show", "-json", "change"))
        changes = {r["address"]: (r["type"], r["change"]["actions"]) for r in plan["resource_changes"]}
        wrong = {address: done for address, (kind, done) in changes.items() if done != wanted(kind, address)}
        equal(wrong, {}, "resources that are not changed as they should be")
        self.run("apply", "-no-color", "change")
        self.run("plan", *change, "-detailed-exitcode", "-no-color")

    def destroy(self):
        self.run("destroy", "-auto-approve", "-no-color")
        left = inventory(self.aws)
        for kind, before in self.before.items():
            equal(sorted(set(left[kind]) - set(before)), [], f"{kind} that are left")
        shutil.rmtree(self.directory, ignore_errors=True)


class Module(Terraform):
    """A configuration of `tests/conformance/terraform` with the provider block that all of them share."""

    def __init__(self, name):
        here = harness.ROOT / "tests" / "conformance" / "terraform"
        super().__init__(here / "common", here / name)
        self.env["TF_VAR_certificate"] = self.certificate("modules.example.com")
        self.env["TF_VAR_name"] = f"ex-{name}"
        self.run("init", "-no-color")

    def comes_and_goes(self):
        self.apply()
        self.destroy()


def inventory(aws):
    """The ids of everything that a stack could leave behind."""
    ec2, elb, api = aws.ec2, aws.elbv2, aws.apigatewayv2
    return {
        "vpcs": [i["VpcId"] for i in ec2.describe_vpcs()["Vpcs"]],
        "subnets": [i["SubnetId"] for i in ec2.describe_subnets()["Subnets"]],
        "egress-only gateways": [
            i["EgressOnlyInternetGatewayId"]
            for i in ec2.describe_egress_only_internet_gateways()["EgressOnlyInternetGateways"]
        ],
        "dhcp options": [i["DhcpOptionsId"] for i in ec2.describe_dhcp_options()["DhcpOptions"]],
        "endpoints": [i["VpcEndpointId"] for i in ec2.describe_vpc_endpoints()["VpcEndpoints"]],
        "prefix lists": [i["PrefixListId"] for i in ec2.describe_managed_prefix_lists()["PrefixLists"]],
        "addresses": [i["AllocationId"] for i in ec2.describe_addresses()["Addresses"]],
        "gateways": [i["InternetGatewayId"] for i in ec2.describe_internet_gateways()["InternetGateways"]],
        "route tables": [i["RouteTableId"] for i in ec2.describe_route_tables()["RouteTables"]],
        "flow logs": [i["FlowLogId"] for i in ec2.describe_flow_logs()["FlowLogs"]],
        "peering connections": [
            i["VpcPeeringConnectionId"]
            for i in ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
            if i["Status"]["Code"] != "deleted"
        ],
        "acls": [i["NetworkAclId"] for i in ec2.describe_network_acls()["NetworkAcls"]],
        "groups": [i["GroupId"] for i in ec2.describe_security_groups()["SecurityGroups"]],
        "rules": [i["SecurityGroupRuleId"] for i in ec2.describe_security_group_rules()["SecurityGroupRules"]],
        "instances": [
            i["InstanceId"]
            for r in ec2.describe_instances()["Reservations"]
            for i in r["Instances"]
            if i["State"]["Name"] != "terminated"
        ],
        "interfaces": [i["NetworkInterfaceId"] for i in ec2.describe_network_interfaces()["NetworkInterfaces"]],
        "load balancers": [i["LoadBalancerArn"] for i in elb.describe_load_balancers()["LoadBalancers"]],
        "target groups": [i["TargetGroupArn"] for i in elb.describe_target_groups()["TargetGroups"]],
        "apis": [i["ApiId"] for i in api.get_apis()["Items"]],
        "links": [i["VpcLinkId"] for i in api.get_vpc_links()["Items"]],
        "domain names": [i["DomainName"] for i in api.get_domain_names()["Items"]],
        "certificates": [i["CertificateArn"] for i in aws.acm.list_certificates()["CertificateSummaryList"]],
        "rest apis": [i["id"] for i in aws.apigateway.get_rest_apis()["items"]],
        "rest links": [i["id"] for i in aws.apigateway.get_vpc_links()["items"]],
        "client certificates": [i["clientCertificateId"] for i in aws.apigateway.get_client_certificates()["items"]],
        "keys": [i["id"] for i in aws.apigateway.get_api_keys()["items"]],
        "plans": [i["id"] for i in aws.apigateway.get_usage_plans()["items"]],
        "log groups": [i["logGroupName"] for i in aws.logs.describe_log_groups()["logGroups"]],
    }
