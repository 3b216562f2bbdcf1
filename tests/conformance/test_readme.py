"""The README as a stranger types it: its path to a first answer, on the default ports of a network of its own."""

import os
import re
import subprocess
import tempfile
import tomllib
from pathlib import Path

import harness
from harness import equal

PATH_S = 300
# A network with loopback alone, and processes that end with the shell.
OWN_WORLD = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"]


def block(heading):
    """The first indented block below this heading."""
    text = (harness.ROOT / "README.md").read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    assert lines, f"nothing to type below {heading!r}"
    return lines


def test_what_is_installed_is_the_command_that_is_typed():
    [line] = block("Install it")
    where = line.rsplit("--path ", 1)[1]
    package = tomllib.loads((harness.ROOT / where / "Cargo.toml").read_text())["package"]
    equal(package["name"], "tidegate")
    assert (harness.ROOT / where / "src" / "main.rs").exists()


def typed(commands):
    """What a bash says to these commands in a network of its own; all of them must succeed."""
    possible = subprocess.run([*OWN_WORLD, "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    if possible.returncode:
        raise harness.Skip(f"no network of its own to be had here: {possible.stderr.strip()}")
    env = harness.environment()
    env["PATH"] = os.path.dirname(harness.binary()) + os.pathsep + env["PATH"]
    script = "\n".join(["ip link set lo up", "set -e", *commands])
    with tempfile.TemporaryDirectory(prefix="tidegate-readme-") as scratch:
        # The examples at the place where the README has them, and nothing that is left behind in the sources.
        Path(scratch, "examples").symlink_to(harness.ROOT / "examples")
        env["HOME"] = scratch
        shell = [*OWN_WORLD, "bash", "-c", script]
        done = subprocess.run(shell, env=env, cwd=scratch, capture_output=True, text=True, timeout=PATH_S)
    said = f"{done.stdout}\n---\n{done.stderr[-4000:]}"
    equal(done.returncode, 0, said)
    return said


def answered(said):
    """The answer that curl printed, a 200 of the service."""
    answer = re.search(r"^HTTP/\S+ (\d+)", said, re.MULTILINE)
    assert answer and answer.group(1) == "200", said
    assert '"path": "/hello"' in said[answer.start() :], said


def test_five_commands_lead_from_nothing_to_a_200():
    commands = block("From nothing to a 200")
    equal(len(commands), 5)
    answered(typed(commands))


def test_five_commands_lead_to_a_service_of_one_s_own():
    commands = block("A service of yours, without AWS")
    equal(len(commands), 5)
    said = typed(commands)
    answered(said)
    assert "svc.example.com is published." in said and "has ended" in said, said


def test_every_command_that_it_names_exists():
    for line in block("Use it"):
        words = line.split()
        equal(words[0], "tidegate", line)
        helped = harness.command([harness.binary(), words[1], "--help"], dict(os.environ), check=False)
        equal(helped.returncode, 0, line)


if __name__ == "__main__":
    harness.main()
