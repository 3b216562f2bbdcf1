"""The three tiers of `examples/three-tier`, with the real Terraform, every program in a private network of the kernel: the drills of the example pass as they stand."""

import os
import subprocess

import harness
from harness import equal
from terraform import Terraform

DRILLS_S = 900


def test_the_drills_of_three_tiers_pass():
    work = Terraform("../three-tier")
    work.run("init", "-no-color")
    work.apply()
    equal(work.server.ready["fabric"], "kernel")
    env = work.server.env() | work.env | {"TIDEGATE": harness.binary()}
    said = subprocess.run(["./drills.sh"], cwd=work.directory, env=env, capture_output=True, text=True, timeout=DRILLS_S)
    equal(said.returncode, 0, said.stdout + said.stderr)
    for drill in range(1, 5):
        assert f"== drill {drill}: " in said.stdout, said.stdout
    # Twice silence from the wrong place, and once behind the rule that was opened.
    equal(said.stdout.count("silence\n"), 3, said.stdout)
    assert '"behind": null' in said.stdout and "all drills passed" in said.stdout, said.stdout
    work.run("plan", "-detailed-exitcode", "-no-color")
    work.destroy()


os.environ["TEST_FABRIC"] = "kernel"
harness.isolate()
harness.main()
