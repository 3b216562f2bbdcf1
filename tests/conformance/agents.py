"""Agents of private networks, for the scripts that run some: processes of their own, with a directory and a socket each."""

import os
import shutil
import tempfile

import harness


class Agent(harness.Process):
    """One `tidegate agent`. It joins with a token of the server's, and may be started again as who it is."""

    what, ready_s, stop_s = "agent", 30, 40

    def __init__(self, server, vpc, zones=(), native=(), gateway=None, prefix=(), env=None):
        self.server, self.vpc, self.prefix, self.extra = server, vpc, list(prefix), env or {}
        self.scratch = tempfile.mkdtemp(prefix="tidegate-agent-")
        self.directory = os.path.join(self.scratch, "state")
        self.socket = os.path.join(self.scratch, "agent.sock")
        words = [word for zone in zones for word in ("--zone", zone)]
        token = server.tidegate("agent", "token", "--vpc", vpc, *words).stdout.strip()
        gateway = gateway or server.ready["link"]
        self.start("--join", token, "--gateway", gateway, *(["--native", ",".join(native)] if native else []))
        self.id = self.ready["agent"]

    def command(self, *words):
        return [*self.prefix, harness.binary(), "agent", *words, "--data-dir", self.directory, "--socket", self.socket, "--output", "json"]

    def start(self, *words):
        self.ready = self.begin(self.command(*words), env=harness.environment() | self.extra)
        return self

    def env(self):
        """The environment in which commands find the agent rather than the server."""
        return {**self.server.env(), "TIDEGATE_API": f"unix:{self.socket}"}

    def tidegate(self, *words, check=True):
        return harness.command([harness.binary(), *words], self.env(), check)

    def close(self):
        try:
            self.kill()
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)
