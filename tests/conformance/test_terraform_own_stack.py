"""The page on a stack of one's own, word for word and by the clock: Terraform's files, an attached service, a refusal and its end, all of it away again."""

import re
import tempfile
import time

import harness
import terraform
from harness import in_order
from typed import blocks, typed

PAGE = harness.ROOT / "docs" / "own-stack.md"
# What a user of AWS has until the first answer of an own stack. In CI a dozen other Terraforms have the machine meanwhile.
FIRST_S = 1_000 if harness.IN_CI else 300
# What all of it may take there.
ALL_S = 1_100


def test_the_stack_of_one_s_own_is_as_it_is_written():
    mirror = terraform.wanted_plugins()
    with tempfile.TemporaryDirectory(prefix="tidegate-own-stack-") as scratch:
        begun = time.time()
        said = typed(lines(), terraform.settings(scratch, mirror) | {"TF_CLI_ARGS": "-no-color"}, within_s=ALL_S)
    in_order(said, "Apply complete!", "HTTP/1.1 200", '"path": "/hello"', "HTTP/1.1 503", "SG_INGRESS_DENIED", "Apply complete!", "HTTP/1.1 200")
    in_order(said, "internal", "Destroy complete! Resources: 19 destroyed.", "has ended")
    first_s = int(re.search(r"first answer at (\d+)", said).group(1)) - begun
    print(f"    the first answer after {first_s:.0f} s, all of it in {time.time() - begun:.0f} s")
    assert first_s < FIRST_S, f"it took {first_s:.0f} s"


def lines():
    """All that is typed; the clock is read behind what is to be answered by a 200."""
    return re.sub(r" +# 200 OK.*", "; date +'first answer at %s'", "".join(blocks(PAGE, "sh"))).splitlines()


if __name__ == "__main__":
    harness.main()
