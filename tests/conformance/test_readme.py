"""The README as a stranger types it: its path to a first answer, on the default ports of a network of its own."""

import os
import re
import time
import tomllib

import harness
from harness import equal
from typed import typed

# What a newcomer has for each of the two ways, from the first command to the 200.
AWS_S, OWN_S = 300, 180


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


def within(limit_s, commands):
    """What is said to these commands, which take no longer."""
    begun = time.monotonic()
    said = typed(commands)
    took_s = time.monotonic() - begun
    print(f"    {took_s:.1f} s, all of it")
    assert took_s < limit_s, f"it took {took_s:.0f} s"
    return said


def answered(said):
    """The answer that curl printed, a 200 of the service."""
    answer = re.search(r"^HTTP/\S+ (\d+)", said, re.MULTILINE)
    assert answer and answer.group(1) == "200", said
    assert '"path": "/hello"' in said[answer.start() :], said


def test_five_commands_lead_from_nothing_to_a_200():
    commands = block("From nothing to a 200")
    equal(len(commands), 5)
    answered(within(AWS_S, commands))


def test_five_commands_lead_to_a_service_of_one_s_own():
    commands = block("A service of yours, without AWS")
    equal(len(commands), 5)
    said = within(OWN_S, commands)
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
