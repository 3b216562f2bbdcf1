"""A gateway and private hosts that are hosts of their own: the private ones have no port that the gateway's could reach, what crosses is TLS, and whatever
becomes of an agent or of the network, requests go on by the agent that is left."""

import atexit
import http.client
import socket
import subprocess
import sys
import time

import harness
import build  # harness finds it
from agents import Agent
from harness import equal, until
from hosts import GATEWAY, Host, Middle
from load import Load

# What the targets answer, and what a request says: neither may be read on the way.
TARGET = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/slow":
            import time
            time.sleep(1)
        text = ("plaintext-answer-of-" + sys.argv[2]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer((sys.argv[1], 8080), Answer).serve_forever()
"""
# How long a cut may go unnoticed, and how long it may take until all is well again.
NOTICED_S, WELL_S = 15, 2


class Scene:
    def __init__(self):
        self.hosts, self.targets, self.agents, self.server = [], [], [], None
        atexit.register(self.close)
        self.middle = Middle()
        self.hosts = [Host(self.middle, number, [address]) for number, address in enumerate(build.TARGETS)]
        for number, (host, address) in enumerate(zip(self.hosts, build.TARGETS)):
            words = [*host.prefix(), sys.executable, "-c", TARGET, address, f"host-{number}"]
            self.targets.append(subprocess.Popen(words))
        self.server = harness.Server(args=["--link", f"{GATEWAY}:0"], config="[timeouts]\nblocked_connect = \"2s\"\n")
        self.aws = self.server.clients()
        self.stack = build.build(self.aws, name="orders")
        for subnet, address in zip(("private_a", "private_b"), build.TARGETS):
            # Whose an address is decides which groups it has, whatever machine serves it.
            self.aws.ec2.create_network_interface(SubnetId=self.stack[subnet], PrivateIpAddress=address, Groups=[self.stack["target_sg"]])
        zones = [zone["ZoneName"] for zone in self.aws.ec2.describe_availability_zones()["AvailabilityZones"][:2]]
        native = [["10.0.10.0/24"], ["10.0.11.0/24"]]
        for host, zone, blocks in zip(self.hosts, zones, native):
            self.agents.append(Agent(self.server, self.stack["vpc"], [zone], blocks, prefix=host.prefix()))
        build.register(self.aws.elbv2, self.stack)
        until("both hosts answer", lambda: {self.get().text[-1] for _ in range(8)} == {"0", "1"}, 30)

    def get(self, path="/hello", **options):
        return self.server.invoke(self.stack["api"], path, **options)

    def state(self, agent):
        listed = self.server.tidegate("agents", "--output", "json").json["agents"]
        return next(found["state"] for found in listed if found["agent"] == agent.id)

    def close(self):
        for agent in self.agents:
            agent.close()
        for target in self.targets:
            target.kill()
            target.wait()
        if self.server:
            self.server.close()
        for host in self.hosts:
            host.close()
        self.middle.close()


shared = harness.once(Scene)


def test_the_private_host_has_no_port_that_the_gateway_reaches():
    scene = shared()
    for host in scene.hosts:
        reached = []
        for port in range(1, 65536):
            with socket.socket() as probe:
                probe.settimeout(2)
                if probe.connect_ex((host.address, port)) == 0:
                    reached.append(port)
        equal(reached, [], f"ports of {host.address}")


def test_what_crosses_is_tls():
    scene = shared()
    # In the middle, where everything between the hosts passes.
    capture = (
        "import socket, sys, time\n"
        "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))\n"
        "s.bind(('gateway', 0)); s.settimeout(0.5); print('ready', flush=True)\n"
        "end, seen, bytes_, bad = time.monotonic() + 30, 0, 0, 0\n"
        "while time.monotonic() < end:\n"
        "    try: packet = s.recv(65536)\n"
        "    except TimeoutError:\n"
        "        if seen > 20: break\n"
        "        continue\n"
        "    seen += 1; bytes_ += len(packet)\n"
        "    bad += any(word in packet for word in (b'plaintext-', b'HTTP/1.1', b'GET /', b'waybill'))\n"
        "print(seen, bytes_, bad, flush=True)\n"
    )
    watcher = subprocess.Popen(["ip", "netns", "exec", scene.middle.name, sys.executable, "-c", capture], stdout=subprocess.PIPE, text=True)
    equal(watcher.stdout.readline(), "ready\n")
    for _ in range(40):
        answer = scene.get("/hello?plaintext-question", headers={"x-plain": "plaintext-header"})
        equal(answer.status, 200)
    out, _ = watcher.communicate(timeout=60)
    seen, size, bad = map(int, out.split())
    assert seen > 40 and size > 10_000, out
    equal(bad, 0, "packets that could be read")


def test_large_bodies_cross_both_ways():
    scene = shared()
    body = bytes(range(256)) * 20_000
    connection = http.client.HTTPConnection(*scene.server.api.removeprefix("http://").split(":"), timeout=60)
    connection.request("POST", f"/_aws/execute-api/{scene.stack['api']}/echo", body=body)
    answer = connection.getresponse()
    equal(answer.status, 200)
    assert answer.read() == body
    connection.close()


def test_an_agent_that_goes_down_in_order_costs_no_request():
    scene = shared()
    for agent in scene.agents:
        with Load(scene) as load:
            agent.stop()
            load.more(50)
            agent.start()
            load.more(50)
        equal(load.failed(), [], f"of {len(load.outcomes)} requests")


def test_an_agent_that_is_killed_costs_what_it_had_in_hand():
    scene = shared()
    with Load(scene) as load:
        scene.agents[0].kill()
        after = time.monotonic() + 3
        load.more(100)
        scene.agents[0].start()
        load.more(100)
    assert len(load.failed()) <= 8, load.failed()
    equal(load.failed(since=after), [])


def test_a_path_that_is_cut_is_noticed_and_comes_back():
    scene = shared()
    host, agent = scene.hosts[0], scene.agents[0]
    for ways in (["to"], ["from"], ["to", "from"]):
        host.cut(ways)
        began = time.monotonic()
        try:
            until(f"the cut {ways} is noticed", lambda: scene.state(agent) == "lost", NOTICED_S)
            noticed = time.monotonic() - began
            for _ in range(10):
                equal(scene.get().status, 200, f"by the other agent, {ways}")
        finally:
            host.mend(ways)
        mended = time.monotonic()
        until(f"the agent is back after {ways}", lambda: scene.state(agent) == "connected", 10)
        back = time.monotonic() - mended
        print(f"     cut {'+'.join(ways)}: noticed after {noticed:.1f} s, back {back:.1f} s after it was mended")
        assert back < WELL_S + 2, back


if __name__ == "__main__":
    harness.isolate()
    harness.main()
