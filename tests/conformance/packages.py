"""Packages of the built program, as `cargo xtask dist` writes them; nothing here says what must hold of one."""

import os
import subprocess
from pathlib import Path

import harness


def stripped(place):
    """The binary as packages have it: without what only a debugger reads, which would be most of what is compressed here."""
    made = os.path.join(place, "tidegate")
    harness.command(["strip", "-o", made, harness.binary()], dict(os.environ))
    return made


def write(program, out, *kinds, umask=-1):
    """Writes packages of these kinds, or of all, to a directory; their paths."""
    words = ["cargo", "run", "--quiet", "--package", "xtask", "--", "dist", *kinds, "--binary", program, "--out", out]
    done = subprocess.run(words, cwd=harness.ROOT, capture_output=True, text=True, timeout=harness.COMMAND_S, umask=umask)
    harness.equal(done.returncode, 0, done.stderr)
    return [Path(line) for line in done.stdout.splitlines()]
