"""Agents of private networks, for the scripts that run some: processes of their own, with a directory and a socket each."""

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import harness

READY_S = 30
STOP_S = 40


class Agent:
    """One `tidegate agent`. It joins with a token of the server's, and may be started again as who it is."""

    def __init__(self, server, vpc, zones=(), native=(), gateway=None, prefix=(), env=None):
        self.server, self.vpc, self.prefix, self.extra = server, vpc, list(prefix), env or {}
        self.scratch = tempfile.mkdtemp(prefix="tidegate-agent-")
        self.directory = os.path.join(self.scratch, "state")
        self.socket = os.path.join(self.scratch, "agent.sock")
        self.process = None
        words = [word for zone in zones for word in ("--zone", zone)]
        token = server.tidegate("agent", "token", "--vpc", vpc, *words).stdout.strip()
        gateway = gateway or server.ready["link"]
        self.start("--join", token, "--gateway", gateway, *(["--native", ",".join(native)] if native else []))
        self.id = self.ready["agent"]

    def command(self, *words):
        return [*self.prefix, harness.binary(), "agent", *words, "--data-dir", self.directory, "--socket", self.socket, "--output", "json"]

    def start(self, *words):
        self.log = open(os.path.join(self.scratch, "agent.log"), "ab")
        env = {key: value for key, value in os.environ.items() if not key.startswith(("TIDEGATE_", "AWS_"))}
        self.process = subprocess.Popen(self.command(*words), stdout=subprocess.PIPE, stderr=self.log, env={**env, **self.extra})
        line = self.first_line()
        try:
            self.ready = json.loads(line)
        except ValueError:
            self.kill()
            raise AssertionError(f"no ready line of an agent: {line!r}\n{self.tail()}") from None
        return self

    def first_line(self):
        deadline, read = time.monotonic() + READY_S, b""
        while not read.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                break
            more = os.read(self.process.stdout.fileno(), 4096)
            if not more:
                break
            read += more
        return read.decode(errors="replace")

    def env(self):
        """The environment in which commands find the agent rather than the server."""
        return {**self.server.env(), "TIDEGATE_API": f"unix:{self.socket}"}

    def tidegate(self, *words, check=True):
        return harness.command([harness.binary(), *words], self.env(), check)

    def end(self, how):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_S)
                raise AssertionError(f"the agent did not end within {STOP_S} s of {how.name}\n{self.tail()}") from None
        if self.process and not self.process.stdout.closed:
            self.process.stdout.close()
            self.log.close()

    def kill(self):
        self.end(signal.SIGKILL)

    def stop(self):
        self.end(signal.SIGTERM)

    def close(self):
        try:
            self.kill()
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def tail(self, lines=40):
        text = Path(self.scratch, "agent.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])
