"""Flow logs by the real Terraform: of a VPC, a subnet and an interface. Apply, an empty plan, a change in place, destroy."""

import harness
from terraform import Module


def test_flow_logs_are_applied_changed_in_place_and_destroyed():
    work = Module("flow-logs")
    work.apply()
    work.change(lambda _, address: ["update"] if address == "aws_flow_log.vpc" else ["no-op"])
    work.destroy()


harness.main()
