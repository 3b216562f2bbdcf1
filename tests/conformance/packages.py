"""Packages of the built program, as `cargo xtask dist` writes them; nothing here says what must hold of one."""

import atexit
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import harness


def place(prefix):
    """A directory that is there until the script ends."""
    made = tempfile.mkdtemp(prefix=prefix)
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def stripped(place):
    """The binary as packages have it: without what only a debugger reads, which would be most of what is compressed here."""
    made = os.path.join(place, "tidegate")
    harness.command(["strip", "-o", made, harness.binary()], dict(os.environ))
    return made


def write(program, out, *kinds, umask=-1, moment_s=None):
    """Writes packages of these kinds, or of all, to a directory; their paths."""
    words = ["cargo", "run", "--quiet", "--package", "xtask", "--", "dist", *kinds, "--binary", program, "--out", out]
    env = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    env |= {} if moment_s is None else {"SOURCE_DATE_EPOCH": str(moment_s)}
    done = subprocess.run(words, cwd=harness.ROOT, env=env, capture_output=True, text=True, timeout=harness.COMMAND_S, umask=umask)
    harness.equal(done.returncode, 0, done.stderr)
    return [Path(line) for line in done.stdout.splitlines()]
