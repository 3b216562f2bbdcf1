"""Much of what is harmless: large bodies in both directions at once (TIDEGATE_MUCH_MIB each; a GiB and more shows no more), and ten thousand
connections that say nothing. Memory stays flat, and others are served meanwhile."""

import os
import resource
import socket
import subprocess
import tempfile
import threading
import time
from urllib.parse import urlsplit

import harness
import hostile
from frames import client_context
from harness import equal

BODY = int(os.environ.get("TIDEGATE_MUCH_MIB", "256")) << 20
PIECE = bytes(1 << 18)
# What the server may grow by while it carries bodies, and by each connection that waits.
CARRYING_MIB, WAITING_KIB, WAITING_TLS_KIB = 48, 6, 40
# Connections at each door: the gateway's two, a listener's socket, and the API.
DOORS = {"gateway": 3_000, "gateway, TLS": 3_000, "listener": 3_000, "api": 1_000}


class Bulk(hostile.Echo):
    """A target that sends as many bytes as the path says, and counts those that it is sent without keeping them."""

    def whole(self, lines, count):
        if count < BODY:
            return super().whole(lines, count)
        left = count
        while left and (piece := lines.read1(min(left, len(PIECE)))):
            left -= len(piece)
        return b"%d" % (count - left)

    def answer(self, accepted, request):
        if not request.target.startswith("/down/"):
            return super().answer(accepted, request)
        count = int(request.target.split("/")[2])
        accepted.sendall(f"HTTP/1.1 200 OK\r\ncontent-length: {count}\r\n\r\n".encode())
        for _ in range(count // len(PIECE)):
            accepted.sendall(PIECE)


@harness.once
def field():
    return hostile.Field(backend=Bulk)


class Watch:
    """Looks how much memory the server has, until it is left."""

    def __enter__(self):
        self.before = self.most = field().resident()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()
        return self

    def look(self):
        while not self.stop.wait(0.02):
            self.most = max(self.most, field().resident())

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def grown_mib(self):
        return (self.most - self.before) / hostile.MIB


def asked(url, *options):
    """Starts curl, which prints status, bytes down and up, and seconds."""
    told = "%{http_code} %{http_version} %{size_download} %{size_upload} %{time_total}"
    command = ["curl", "-sS", "-k", "--max-time", "300", "-o", "/dev/null", "-w", told, *options, url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def outcome(process):
    status, version, down, up, seconds = process.stdout.read().decode().split()
    equal(process.wait(), 0, process.stderr.read().decode())
    return int(status), version, int(down), int(up), float(seconds)


def carried(base, version, *options):
    """A GiB down and a GiB up at once."""
    with Watch() as watch, tempfile.NamedTemporaryFile() as zeros:
        zeros.truncate(BODY)
        down = asked(f"{base}/down/{BODY}", *options)
        up = asked(f"{base}/up", "-T", zeros.name, *options)
        equal(field().listener.get(), 200, "a bystander")
        got, put = outcome(down), outcome(up)
    equal(got[:3], (200, version, BODY), "down")
    equal((put[0], put[1], put[3]), (200, version, BODY), "up")
    speed = [BODY / hostile.MIB / one[4] for one in (got, put)]
    print(f"  HTTP/{version}: {speed[0]:.0f} MiB/s down, {speed[1]:.0f} MiB/s up at once, {watch.grown_mib():+.1f} MiB of memory at most")
    assert watch.grown_mib() < CARRYING_MIB, f"the server grew by {watch.grown_mib():.0f} MiB"


def test_large_bodies_pass_in_both_directions_at_once_in_little_memory():
    secure = f"https://{field().listener.address[0]}:{field().listener.address[1]}"
    carried(f"http://{field().plain.netloc}", "1.1")
    carried(secure, "2", "--http2")
    lengths = {request.body for backend in field().chain.backends for request in backend.seen if request.target == "/up"}
    equal(lengths, {b"%d" % BODY}, "what the targets were sent")
    field().is_unharmed()


def addresses():
    gateway, api = urlsplit(field().server.public), urlsplit(field().server.api)
    return {
        "gateway": (gateway.hostname, gateway.port),
        "gateway, TLS": field().gateway.address,
        "listener": (field().plain.hostname, field().plain.port),
        "api": (api.hostname, api.port),
    }


def test_ten_thousand_connections_wait_in_little_memory_and_others_are_served():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sum(DOORS.values())
    if hard < 2 * wanted:
        harness.missing(f"a hard limit of {2 * wanted} open files is wanted, it is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    open_connections, context = [], client_context()
    context.set_alpn_protocols(["http/1.1"])
    threads = field().server.status("Threads")
    try:
        for door, count in DOORS.items():
            before, start = field().resident(), time.monotonic()
            for _ in range(count):
                stream = socket.create_connection(addresses()[door], timeout=20)
                open_connections.append(stream if "TLS" not in door else context.wrap_socket(stream, server_hostname=field().gateway.authority))
            each_kib = (field().resident() - before) / 1024 / count
            print(f"  {door}: {count} connections in {time.monotonic() - start:.1f} s, {each_kib:.1f} KiB each")
            assert each_kib < (WAITING_TLS_KIB if "TLS" in door else WAITING_KIB), f"{each_kib:.1f} KiB each"
        equal(len(open_connections), wanted)
        start = time.monotonic()
        field().is_unharmed()
        equal(field().chain.get("/well", method="GET").status in (200, 404), True)
        took = time.monotonic() - start
        print(f"  beside {wanted} connections, requests at every door in {took * 1000:.0f} ms")
        assert took < 5, f"{took:.1f} s"
        assert field().server.status("Threads") <= threads + 2, "a thread for a client"
    finally:
        for stream in open_connections:
            stream.close()
    field().is_unharmed()


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        if field.made():
            field().close()
