"""Four popular community modules (of the registry's family `terraform-aws-modules`) with the real Terraform: each configuration
in `terraform/` has the resources and arguments that a module makes of its examples. Apply, an empty plan, destroy.

What waits for the load-balancer work (stickiness, authentication, trust stores), and what asks for services that are not here,
is named at the head of each configuration.
"""

import harness
from terraform import Terraform

HERE = harness.ROOT / "tests" / "conformance" / "terraform"


class Module(Terraform):
    """A configuration with the provider block that all share."""

    def __init__(self, name):
        super().__init__(HERE / "common", HERE / name)
        self.env["TF_VAR_certificate"] = self.certificate("modules.example.com")
        self.env["TF_VAR_name"] = f"ex-{name}"
        self.run("init", "-no-color")

    def comes_and_goes(self):
        self.apply()
        self.destroy()


def test_vpc_with_network_acls_comes_and_goes():
    Module("vpc").comes_and_goes()


def test_security_group_complete_comes_and_goes():
    Module("security-group").comes_and_goes()


def test_alb_complete_comes_and_goes():
    Module("alb").comes_and_goes()


def test_http_api_with_a_vpc_link_comes_and_goes():
    Module("http-api").comes_and_goes()


harness.main()
