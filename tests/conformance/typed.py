"""Commands as a person types them into a bash at the root of the repository, with the built program in the path: on the default ports of a network
of its own, which has loopback alone, and among processes that end with the shell."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

import harness
from harness import equal

TYPED_S = 300
OWN_WORLD = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"]


def pages():
    """Every page of the repository, but for decisions, which show nothing that is typed."""
    patterns = ("*.md", "docs/*.md", "examples/**/*.md", "clients/**/*.md", "packaging/**/*.md")
    return [path for pattern in patterns for path in sorted(harness.ROOT.glob(pattern))]


def blocks(path, language):
    """What the fenced blocks of a language hold on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def typed(commands, more={}, within_s=TYPED_S):
    """What is said to them; all of them must succeed. `more` are variables of the shell's beside those of every test."""
    possible = subprocess.run([*OWN_WORLD, "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    if possible.returncode:
        raise harness.Skip(f"no network of its own to be had here: {possible.stderr.strip()}")
    env = harness.environment() | more
    env["PATH"] = os.path.dirname(harness.binary()) + os.pathsep + env["PATH"]
    script = "\n".join(["ip link set lo up", "set -e", *commands])
    with tempfile.TemporaryDirectory(prefix="tidegate-typed-") as scratch:
        # The examples at the place where the pages have them, and nothing that is left behind in the sources.
        Path(scratch, "examples").symlink_to(harness.ROOT / "examples")
        env["HOME"] = scratch
        shell = [*OWN_WORLD, "bash", "-c", script]
        done = subprocess.run(shell, env=env, cwd=scratch, capture_output=True, text=True, timeout=within_s)
    said = f"{done.stdout}\n---\n{done.stderr[-4000:]}"
    equal(done.returncode, 0, said)
    return said
