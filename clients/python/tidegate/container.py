"""Tidegate in a container, by testcontainers: for tests that have no program of their own, or another machine's. The image is what
`cargo xtask dist oci` writes; an engine loads it from that file."""

import json

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

import tidegate

IMAGE = "tidegate:0.1.0"
# The line of JSON that a server prints once it serves, which names where.
READY = '"public_tls":'
# Loopback of the machine, on ports that were free: there private services of tests are reached, and nobody else reaches the server.
FREE = ("--api", "127.0.0.1:0", "--public", "127.0.0.1:0", "--public-tls", "127.0.0.1:0")


class TidegateContainer(DockerContainer):
    """One server in a container on the machine's own network, in memory. `server` is there once it is started."""

    def __init__(self, image=IMAGE, args=("--timeouts-blocked-connect", "300ms"), **further):
        words = ["up", "--ephemeral", "--output", "json", "--log", "warn", *FREE, *args]
        further = {"network_mode": "host", **further}
        super().__init__(image, command=words, _wait_strategy=LogMessageWaitStrategy(READY), **further)
        self.server = None

    def start(self):
        try:
            super().start()
        except (RuntimeError, TimeoutError) as error:
            _, said = self.get_logs()
            raise tidegate.TidegateError(f"the server did not start: {said.decode().strip()}") from error
        said, _ = self.get_logs()
        line = next(line for line in said.decode().splitlines() if READY in line)
        self.server = tidegate.Running(json.loads(line))
        return self
