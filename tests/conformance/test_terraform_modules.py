"""Two of four popular community modules (the registry's family `terraform-aws-modules`) with the real Terraform: each
configuration in `terraform/` has the resources and arguments that a module makes of its examples. Apply, an empty plan, destroy.

The other two are in `test_terraform_modules_front.py`. What asks for services that are not here is named at the head of each
configuration.
"""

import harness
from terraform import Module


def test_vpc_with_network_acls_comes_and_goes():
    Module("vpc").comes_and_goes()


def test_security_group_complete_comes_and_goes():
    Module("security-group").comes_and_goes()


harness.main()
