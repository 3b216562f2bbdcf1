"""What a link costs over a path that is far, lossy or narrow, beside a direct hop by TLS over the same path: latency of small requests, throughput of large bodies both ways, and
what a connection makes of a window that it had before it was idle.

The path is a program between two TUN devices, one here and one in a namespace that is the private host: what the kernel's netem does where it is built in. It is run by hand, as
root, in a network namespace of its own, with the packages of tests/requirements.txt:
`unshare --net sh -c 'ip link set lo up && exec python xtask/bench/wan.py'`; TIDEGATE_BIN names another binary than the debug build.
Congestion control is that of most machines, cubic; CONGESTION names another, and KEEP=1 has both ends keep windows over silence.
Losses are drawn from a seed: the same for both ways of going. A round trip is twice the delay.
"""

import contextlib
import ctypes
import fcntl
import heapq
import http.client
import os
import random
import select
import shutil
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "conformance"))
import harness  # noqa: E402, the path is set above
import build  # noqa: E402, harness finds it
from agents import Agent  # noqa: E402

HERE, THERE, TARGET = "10.99.0.1", "10.99.0.2", build.TARGETS[0]
SPACE = f"tgw{os.getpid()}"
# Of linux/if_tun.h and sched.h.
TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 1, 0x1000, 0x40000000
PACKET_BYTES, QUEUE_PACKETS = 65535, 200
# Name, one-way delay, lost part, bits per second (0 is as many as there are).
PATHS = [("near", 0.0, 0.0, 0), ("100 ms", 0.05, 0.0, 0), ("100 ms, 1 % lost", 0.05, 0.01, 0), ("20 Mbit/s, 20 ms", 0.01, 0.0, 20_000_000)]
SMALL, CROWD, BODY_BYTES, BODIES, IDLE_S, AFTER_IDLE_BYTES = 100, 16, 8 << 20, 7, 20, 256 << 10
HUGE_BYTES = 1 << 30
TARGET_PROGRAM = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_GET(self):
        body = b"x" * int(self.path.rsplit("/", 1)[1] if "/bytes/" in self.path else 2)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 65536)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *words):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
Server((sys.argv[1], 8080), Answer).serve_forever()
"""


def ip(*words, inside=False):
    subprocess.run([*(["ip", "netns", "exec", SPACE] if inside else []), "ip", *words], check=True)


def settle(inside=False):
    """How TCP of a namespace behaves."""
    wanted = {"tcp_congestion_control": os.environ.get("CONGESTION", "cubic"), "tcp_slow_start_after_idle": "0" if os.environ.get("KEEP") else "1"}
    for name, value in wanted.items():
        words = ["sh", "-c", f"echo {value} > /proc/sys/net/ipv4/{name}"]
        subprocess.run([*(["ip", "netns", "exec", SPACE] if inside else []), *words], check=True)


def tun(name):
    """A device of the namespace that the thread is in."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


class Way:
    """The path in one direction."""

    def __init__(self, out):
        self.out, self.queue, self.free_at, self.chance = out, [], 0.0, random.Random(out)
        self.number = 0

    def take(self, packet, path):
        _, delay, lost, rate = path
        now = time.monotonic()
        # A full queue drops what comes last, as a router's does.
        if self.chance.random() < lost or len(self.queue) >= QUEUE_PACKETS * (10 if not rate else 1):
            return
        self.free_at = max(now, self.free_at) + (len(packet) * 8 / rate if rate else 0)
        self.number += 1
        heapq.heappush(self.queue, (self.free_at + delay, self.number, packet))

    def pass_on(self):
        """Sends what is due; when the next is."""
        now = time.monotonic()
        while self.queue and self.queue[0][0] <= now:
            with contextlib.suppress(OSError):
                os.write(self.out, heapq.heappop(self.queue)[2])
        return self.queue[0][0] - now if self.queue else 1.0


class Carried:
    """Both directions, carried by a process of its own."""

    def __init__(self):
        subprocess.run(["ip", "netns", "add", SPACE], check=True)
        here = tun("far")
        libc, own = ctypes.CDLL(None, use_errno=True), os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        with open(f"/run/netns/{SPACE}") as space:
            assert libc.setns(space.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        there = tun("far")
        assert libc.setns(own, CLONE_NEWNET) == 0
        ip("address", "add", f"{HERE}/30", "dev", "far")
        ip("link", "set", "far", "up")
        for words in (("link", "set", "lo", "up"), ("address", "add", f"{THERE}/30", "dev", "far"), ("link", "set", "far", "up"), ("address", "add", f"{TARGET}/32", "dev", "lo")):
            ip(*words, inside=True)
        settle()
        settle(inside=True)
        self.told, told = os.pipe()[::-1]
        self.process = os.fork()
        if not self.process:
            os.close(self.told)
            self.carry(here, there, told)
            os._exit(0)

    @staticmethod
    def carry(here, there, told):
        path, ways = PATHS[0], {here: Way(there), there: Way(here)}
        while True:
            wait = min(way.pass_on() for way in ways.values())
            ready, _, _ = select.select([here, there, told], [], [], max(0.0, wait))
            for one in ready:
                if one == told:
                    word = os.read(told, 1)
                    if not word:
                        return
                    path = PATHS[word[0]]
                    continue
                for _ in range(64):
                    try:
                        ways[one].take(os.read(one, PACKET_BYTES), path)
                    except BlockingIOError:
                        break

    def be(self, number):
        os.write(self.told, bytes([number]))

    def close(self):
        os.close(self.told)
        os.waitpid(self.process, 0)
        subprocess.run(["ip", "netns", "del", SPACE])


class Direct:
    """nginx with TLS on the private host, in front of the same target."""

    def __init__(self):
        self.scratch = tempfile.mkdtemp(prefix="tidegate-wan-")
        key, certificate = f"{self.scratch}/key", f"{self.scratch}/certificate"
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=direct"]
        subprocess.run([*words, "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
        Path(self.scratch, "nginx.conf").write_text(
            f"daemon off; worker_processes 1; pid {self.scratch}/pid; error_log stderr;\n"
            "events { worker_connections 1024; }\n"
            "http { access_log off; client_max_body_size 0; proxy_request_buffering off; proxy_buffering on;\n"
            f"upstream target {{ server {TARGET}:8080; keepalive 64; }}\n"
            f"server {{ listen {THERE}:8443 ssl; ssl_certificate {certificate}; ssl_certificate_key {key};\n"
            'location / { proxy_pass http://target; proxy_http_version 1.1; proxy_set_header Connection ""; } } }\n'
        )
        words = ["ip", "netns", "exec", SPACE, "/usr/sbin/nginx", "-p", self.scratch, "-c", f"{self.scratch}/nginx.conf"]
        self.process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        self.believing = ssl.create_default_context(cafile=certificate)
        self.believing.check_hostname = False

    def connection(self):
        return http.client.HTTPSConnection(THERE, 8443, timeout=120, context=self.believing)

    def path(self, rest):
        return rest

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.scratch)


class Linked:
    """The chain: gateway here, agent, load balancer and target there."""

    def __init__(self):
        self.server = harness.Server(args=["--link", f"{HERE}:0"])
        aws = self.server.clients()
        self.stack = build.build(aws, name="far")
        aws.ec2.create_network_interface(SubnetId=self.stack["private_a"], PrivateIpAddress=TARGET, Groups=[self.stack["target_sg"]])
        self.agent = Agent(self.server, self.stack["vpc"], [], ["10.0.0.0/16"], prefix=["ip", "netns", "exec", SPACE])
        aws.elbv2.register_targets(TargetGroupArn=self.stack["tg"], Targets=[{"Id": TARGET}])
        harness.until("the far target answers", lambda: self.server.invoke(self.stack["api"], "/bytes/2").status == 200, 60)

    def connection(self):
        host, port = self.server.api.removeprefix("http://").rstrip("/").split(":")
        return http.client.HTTPConnection(host, int(port), timeout=120)

    def path(self, rest):
        return f"/_aws/execute-api/{self.stack['api']}{rest}"

    def close(self):
        self.agent.close()
        self.server.close()


def took(connection, path, body=None):
    """How long a request and all of its answer take."""
    begun = time.monotonic()
    connection.request("POST" if body else "GET", path, body)
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    answer.read()
    return time.monotonic() - begun


def small(way, connections):
    """Small requests over kept connections: half of them, and all but a twentieth, take no longer."""
    times = []

    def ask():
        one = way.connection()
        took(one, way.path("/bytes/2"))
        times.extend([took(one, way.path("/bytes/2")) for _ in range(SMALL)])
        one.close()

    threads = [threading.Thread(target=ask) for _ in range(connections)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    times.sort()
    return f"p50 {statistics.median(times) * 1e3:6.1f} ms  p95 {times[int(len(times) * 0.95)] * 1e3:6.1f} ms"


def large(way, sends):
    """Bodies one after another over one connection: half of them are no slower."""
    one = way.connection()
    path = way.path("/sent" if sends else f"/bytes/{BODY_BYTES}")
    took(one, way.path("/bytes/2"))
    spent = statistics.median(took(one, path, b"x" * BODY_BYTES if sends else None) for _ in range(BODIES))
    return f"{BODY_BYTES * 8 / spent / 1e6:7.1f} Mbit/s"


def huge(linked):
    """A body of a GiB down, and as much up in bodies that an HTTP API takes: the most memory that gateway and agent ever had, before and after."""
    processes = {"gateway": linked.server, "agent": linked.agent}
    before = {what: process.status("VmHWM") / 1024 for what, process in processes.items()}
    one = linked.connection()
    took(one, linked.path(f"/bytes/{HUGE_BYTES}"))
    for _ in range(HUGE_BYTES // BODY_BYTES):
        took(one, linked.path("/sent"), b"x" * BODY_BYTES)
    return ", ".join(f"{what} {before[what]:.1f} -> {process.status('VmHWM') / 1024:.1f} MiB" for what, process in processes.items())


def after_idle(way):
    """A body of some windows over a connection that has just carried one, and over the same after some silence."""
    one = way.connection()
    path = way.path(f"/bytes/{AFTER_IDLE_BYTES}")
    for _ in range(4):
        warm = took(one, path)
    time.sleep(IDLE_S)
    return f"warm {warm * 1e3:6.0f} ms, after {IDLE_S} s {took(one, path) * 1e3:6.0f} ms"


def main():
    carried = Carried()
    ways, target = {}, None
    try:
        target = subprocess.Popen(["ip", "netns", "exec", SPACE, sys.executable, "-c", TARGET_PROGRAM, TARGET])
        ways = {"direct TLS": Direct(), "link": Linked()}
        for number, (name, *_) in enumerate(PATHS):
            carried.be(number)
            for what, measure in (
                ("small, one connection", lambda way: small(way, 1)),
                (f"small, {CROWD} connections", lambda way: small(way, CROWD)),
                ("body down", lambda way: large(way, False)),
                ("body up", lambda way: large(way, True)),
                ("after silence", after_idle),
            ):
                if what == "after silence" and "ms" not in name:
                    continue
                for way in ways:
                    print(f"{name:18} {what:22} {way:11} {measure(ways[way])}", flush=True)
            if number == 0:
                print(f"{name:18} a GiB each way         link        {huge(ways['link'])}", flush=True)
    finally:
        for way in ways.values():
            way.close()
        if target:
            target.kill()
            target.wait()
        carried.close()


if __name__ == "__main__":
    main()
