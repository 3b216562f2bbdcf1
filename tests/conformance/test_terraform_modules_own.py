"""A module of one's own around load balancers with the real Terraform, as teams write it: maps, optional arguments, everything set and nothing set.
Apply, an empty plan, a change in place of whatever AWS changes in place, an empty plan, destroy."""

import json
import tempfile
from pathlib import Path

import harness
from terraform import Module

# Nothing of theirs can be changed without replacing them, or nothing of theirs has a revision.
UNCHANGED = {
    "aws_acm_certificate",
    "aws_ec2_managed_prefix_list",
    "aws_internet_gateway",
    "aws_lb_listener_certificate",
    "aws_lb_target_group_attachment",
    "aws_security_group",
    "aws_subnet",
    "aws_vpc",
}


class Everything(Module):
    """With two more certificates and a place for buckets."""

    def __init__(self):
        self.buckets = tempfile.TemporaryDirectory(prefix="tidegate-buckets-")
        super().__init__("alb-everything")
        self.on(harness.Server(args=["--s3-root", self.buckets.name]))
        more = [self.certificate(name) for name in ("shop.example.com", "api.example.com")]
        self.env["TF_VAR_more_certificates"] = json.dumps(more)
        trust = Path(self.buckets.name, "trust")
        trust.mkdir()
        for name in ("clients.pem", "others.pem", "versioned.pem", "versioned.pem@one", "versioned.pem@two"):
            trust.joinpath(name).write_bytes(Path(self.authority()).read_bytes())


def is_changed(kind, address):
    if address.startswith("module.bare.") or kind in UNCHANGED and not address.startswith("module.everything.aws_security_group."):
        return ["no-op"]
    return ["update"]


def test_everything_is_applied_changed_in_place_and_destroyed():
    work = Everything()
    try:
        work.apply()
        work.change(is_changed)
        work.destroy()
    finally:
        work.server.close()
        work.buckets.cleanup()


harness.main()
