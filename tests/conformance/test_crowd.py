"""Many agents that lose their gateway at the same moment and come back at once, and clients that take their time: the link has them all back soon, within
bounds, and nobody else's requests are held up. How many agents is AGENTS: a few where nothing is said, since each is a process; figures are taken with 200."""

import atexit
import os
import resource
import shutil
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import harness
import build  # harness finds it
from agents import Agent
from harness import equal, until
from load import Load
from paths import CONTROL, DATA, Path

AGENTS = int(os.environ.get("AGENTS", "16"))
# A VPC has 64 of them at most, and its newest token closes the one before: agents of one VPC are enrolled one after the other.
VPCS = 4
BACK_S = 30
# What the gateway may have in memory for so many agents, beyond what it has at rest: 9 connections each, with their TLS.
MIB_PER_AGENT, MIB_MORE = 2, 64


# A lane is two files of the script's, one for each side of its path.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Scene:
    """A gateway with a stack that a steady agent carries, and a crowd of agents that come to it by a path of their own."""

    def __init__(self):
        self.crowd, self.steady, self.backends, self.path = [], None, [], None
        self.data_dir = tempfile.mkdtemp(prefix="tidegate-crowd-")
        self.server = harness.Server(self.data_dir, args=["--link", "127.0.0.1:0"], config="[timeouts]\nblocked_connect = \"2s\"\n")
        # Where it is found again after another start.
        self.server.args = ["--link", self.server.ready["link"]]
        atexit.register(self.close)
        self.aws = self.server.clients()
        self.stack = build.build(self.aws, name="orders")
        self.backends = [harness.Backend("orders-a"), harness.Backend("orders-b")]
        self.steady = Agent(self.server, self.stack["vpc"])
        build.attach(self.stack, [backend.address for backend in self.backends], harness.binary(), self.steady.env())
        build.register(self.aws.elbv2, self.stack)
        until("requests cross", lambda: self.get().status == 200, 30)
        self.rest_mib = self.mib()
        self.path = Path(self.server.ready["link"])
        vpcs = [self.aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(VPCS)]
        began, worked = time.monotonic(), self.cpu_s()
        with ThreadPoolExecutor(VPCS) as pool:
            list(pool.map(self.join, vpcs, range(VPCS)))
        until("all are connected", lambda: self.connected() == AGENTS, BACK_S)
        took = time.monotonic() - began
        print(f"     {AGENTS} agents enrolled in {took:.1f} s, {self.cpu_s() - worked:.1f} s of work; the gateway has {self.mib()} MiB, and {self.rest_mib} without them")

    def join(self, vpc, first):
        for _ in range(first, AGENTS, VPCS):
            self.crowd.append(Agent(self.server, vpc, gateway=self.path.address))

    def get(self, path="/hello", **options):
        return self.server.invoke(self.stack["api"], path, **options)

    def agents(self):
        listed = self.server.tidegate("agents", "--output", "json").json["agents"]
        return [agent for agent in listed if agent["agent"] != self.steady.id]

    def connected(self):
        return sum(agent["state"] == "connected" for agent in self.agents())

    def mib(self):
        """What the gateway has in memory."""
        return self.server.status("VmRSS") // 1024

    def cpu_s(self):
        """What the gateway has worked."""
        with open(f"/proc/{self.server.process.pid}/stat") as file:
            fields = file.read().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        for agent in [*self.crowd, *([self.steady] if self.steady else [])]:
            agent.close()
        if self.path:
            self.path.close()
        for backend in self.backends:
            backend.kill()
        self.server.close()
        shutil.rmtree(self.data_dir, ignore_errors=True)


shared = harness.once(Scene)


def told(took):
    ordered = sorted(took)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1e3 for part in (0.5, 0.99))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms of {len(ordered)}"


def all_back(scene, began):
    """Waits until every agent is connected and has its connections for requests again."""
    until("all agents are back", lambda: scene.connected() == AGENTS, BACK_S)
    back = time.monotonic() - began
    until("their connections are back", lambda: all(agent["connections"] > 8 for agent in scene.agents()), BACK_S)
    return back, time.monotonic() - began


def test_a_crowd_that_is_cut_off_comes_back_at_once_and_harms_nobody():
    scene = shared()
    with Load(scene, clients=2) as load:
        load.more(100)
        before = load.took()
        scene.path.cut()
        until("all are missed", lambda: scene.connected() == 0, BACK_S)
        during, worked, began = len(load.outcomes), scene.cpu_s(), time.monotonic()
        scene.path.mend()
        sessions, lanes = all_back(scene, began)
        worked, storm = scene.cpu_s() - worked, load.took(during)
    equal(load.failed(), [], f"of {len(load.outcomes)} requests")
    assert lanes < BACK_S, lanes
    mib = scene.mib()
    print(f"     back after {sessions:.1f} s, with all connections after {lanes:.1f} s; the gateway worked {worked:.1f} s and has {mib} MiB")
    print(f"     a steady agent's requests before: {told(before)}; meanwhile: {told(storm)}")
    assert mib < scene.rest_mib + MIB_MORE + MIB_PER_AGENT * AGENTS, (mib, scene.rest_mib)


def test_a_gateway_that_is_killed_has_all_of_them_back():
    scene = shared()
    scene.server.kill()
    scene.server.start()
    began, worked = time.monotonic(), scene.cpu_s()
    until("a steady agent carries", lambda: scene.get().status == 200, BACK_S)
    carries = time.monotonic() - began
    sessions, lanes = all_back(scene, began)
    assert lanes < BACK_S, lanes
    print(f"     the steady one carries after {carries:.1f} s, all are back after {sessions:.1f} s, with all connections after {lanes:.1f} s; the gateway worked {scene.cpu_s() - worked:.1f} s")


# Clients that take their time, of each kind, and what they move.
SLOW, SLOW_BYTES = 6, 6 * 1024 * 1024
ROUNDS, REQUESTS = int(os.environ.get("ROUNDS", "1")), int(os.environ.get("REQUESTS", "60"))


class Slow:
    """One client whose request stays half sent, or whose answer stays hardly read, until it is told to finish."""

    def __init__(self, scene, reads):
        host, port = scene.server.api.removeprefix("http://").rstrip("/").split(":")
        self.reads, self.socket = reads, socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(60)
        self.socket.connect((host, int(port)))
        size = SLOW_BYTES if reads else 64 * 1024
        head = f"POST /_aws/execute-api/{scene.stack['api']}/echo HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
        self.socket.sendall(head.encode())
        self.left = size if reads else size - 1024
        if reads:
            self.socket.sendall(b"r" * size)
            self.got = self.socket.recv(1024)
        else:
            self.socket.sendall(b"w" * 1024)
            self.got = b""

    def finish(self):
        """Sends and reads what is left: the status, and how much of its body came back."""
        if not self.reads:
            self.socket.sendall(b"w" * self.left)
        while more := self.socket.recv(65536):
            self.got += more
        self.socket.close()
        return int(self.got.split(b" ", 2)[1]), self.got.count(b"r" if self.reads else b"w")


def timed(scene, count):
    with Load(scene, clients=2) as load:
        load.more(count)
    equal(load.failed(), [], f"of {len(load.outcomes)} requests")
    return load.took()


def test_who_reads_or_writes_slowly_holds_nobody_else_up():
    scene = shared()
    alone, beside = [], []
    for _ in range(ROUNDS):
        alone += timed(scene, REQUESTS)
        slow = [Slow(scene, reads) for reads in [True, False] * SLOW]
        # The sessions of the others read nothing meanwhile.
        scene.path.still({CONTROL, DATA})
        beside += timed(scene, REQUESTS)
        scene.path.mend()
        for client in slow:
            status, came = client.finish()
            equal(status, 200, str(client.got[:300]))
            assert came >= (SLOW_BYTES if client.reads else 64 * 1024), (client.reads, came)
    print(f"     alone: {told(alone)}; beside {2 * SLOW} slow ones: {told(beside)}")


if __name__ == "__main__":
    harness.main()
