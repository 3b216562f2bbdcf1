"""VPC peering by the real Terraform: connections, their acceptance, routes through them and groups across. Apply, an empty plan, a change in place, destroy."""

import harness
from harness import equal
from terraform import Module


def test_peering_is_applied_changed_in_place_and_destroyed():
    work = Module("peering")
    work.apply()
    equal(work.outputs()["accepted"], "active")
    work.change(lambda _, address: ["update"] if address == "aws_vpc_peering_connection.one" else ["no-op"])
    work.destroy()


harness.main()
