"""The other two of four popular community modules (the registry's family `terraform-aws-modules`) with the real Terraform: each
configuration in `terraform/` has the resources and arguments that a module makes of its examples. Apply, an empty plan, destroy.

What waits for the load-balancer work (authentication, trust stores), and what asks for services that are not
here, is named at the head of each configuration.
"""

import harness
from terraform import Module


def test_alb_complete_comes_and_goes():
    Module("alb").comes_and_goes()


def test_http_api_with_a_vpc_link_comes_and_goes():
    Module("http-api").comes_and_goes()


harness.main()
