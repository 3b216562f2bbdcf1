"""Clients that take their time, all at once: heads by the byte, bodies that stop, answers that are hardly read, handshakes and connections with
nothing behind them. Each ends when its bound says so and not before, none costs a thread or much memory, and others are served."""

import socket
import threading
import time

import harness
import hostile
from harness import equal

# Seconds of silence that the load balancer bears here, and how late a sweep may notice them on a busy machine.
IDLE_S, LATE_S = 2, 14
EACH = 25
BOUND_MIB = 64
HOST = b"Host: h.example\r\n"


class Slow:
    """One client. `fate` is how its connection ended and after how many seconds."""

    def __init__(self, kind, address):
        self.kind, self.fate = kind, None
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(IDLE_S + LATE_S + 10)
        self.socket.connect(address)
        self.start = time.monotonic()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            got = self.kind(self.socket)
        except OSError as error:
            got = type(error).__name__
        self.fate = (got, time.monotonic() - self.start)
        self.socket.close()


def drip(stream, data, every_s=0.2):
    """Sends bytes one by one, until the other end has closed."""
    for at in range(len(data)):
        stream.sendall(data[at : at + 1])
        time.sleep(every_s)


def rest(stream):
    """The status of what comes, or `closed`."""
    got = b""
    while more := stream.recv(65536):
        got += more
    return int(got.split(b" ", 2)[1]) if got.startswith(b"HTTP/1.1 ") else "closed"


def nothing(stream):
    return rest(stream)


def half_a_head(stream):
    stream.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"X-A: ")
    return rest(stream)


def head_by_the_byte(stream):
    drip(stream, b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"b" * 1000)
    return rest(stream)


def body_that_stops(stream):
    stream.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\nabc")
    return rest(stream)


def chunks_that_stop(stream):
    stream.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab")
    return rest(stream)


def body_by_the_byte(stream):
    stream.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"Connection: close\r\nContent-Length: 20\r\n\r\n")
    drip(stream, b"x" * 20, IDLE_S / 5)
    return rest(stream)


def answer_by_the_byte(stream):
    stream.sendall(b"GET /large HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    got = b""
    for _ in range(10):
        got += stream.recv(100)
        time.sleep(IDLE_S / 5)
    while more := stream.recv(65536):
        got += more
    return 200 if len(got) > hostile.MIB else f"{len(got)} bytes"


def half_a_handshake(stream):
    # A record of TLS that says it is longer than what comes.
    stream.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    return rest(stream)


# What becomes of each, and within how many seconds at least and at most.
SILENCE = (IDLE_S - 0.5, IDLE_S + LATE_S)
PLAIN = [
    (nothing, {"closed"}, SILENCE),
    (half_a_head, {408}, SILENCE),
    (head_by_the_byte, {408, "BrokenPipeError", "ConnectionResetError"}, SILENCE),
    (body_that_stops, {408}, (IDLE_S - 0.5, IDLE_S + 4)),
    (chunks_that_stop, {408}, (IDLE_S - 0.5, IDLE_S + 4)),
    (body_by_the_byte, {200}, (3 * IDLE_S, 3 * IDLE_S + LATE_S)),
    (answer_by_the_byte, {200}, (IDLE_S, IDLE_S + LATE_S)),
]
SECURE = [(nothing, {"closed"}, (IDLE_S, 10 + LATE_S)), (half_a_handshake, {"closed"}, (IDLE_S, 10 + LATE_S))]


def test_slow_clients_end_when_their_bounds_say_so_and_others_are_served():
    field = hostile.field()
    idle = [{"Key": "idle_timeout.timeout_seconds", "Value": str(IDLE_S)}]
    field.chain.aws.elbv2.modify_load_balancer_attributes(LoadBalancerArn=field.chain.stack["lb"], Attributes=idle)
    plain = (field.plain.hostname, field.plain.port)
    field.listener.get()
    threads, before = field.server.status("Threads"), field.resident()
    slow = [(row, Slow(row[0], plain)) for row in PLAIN for _ in range(EACH)]
    slow += [(row, Slow(row[0], field.listener.address)) for row in SECURE for _ in range(EACH)]
    longest, served, most = 0, 0, before
    while any(one.fate is None for _, one in slow):
        start = time.monotonic()
        equal(field.listener.get(), 200, "a bystander")
        equal(field.gateway.get(), 200, "a bystander at the gateway")
        longest, served, most = max(longest, time.monotonic() - start), served + 2, max(most, field.resident())
        # A blocking one of the runtime's may come and go.
        assert field.server.status("Threads") <= threads + 2, "a thread for a client"
        time.sleep(0.1)
    wrong = {}
    for (kind, right, (least_s, most_s)), one in slow:
        outcome, took = one.fate
        if outcome not in right or not least_s <= took <= most_s:
            wrong.setdefault(kind.__name__, []).append((outcome, round(took, 1)))
    for kind, *_ in PLAIN + SECURE:
        fates = [one.fate for row, one in slow if row[0] is kind]
        print(f"  {kind.__name__}: {sorted({str(fate[0]) for fate in fates})}, {min(f[1] for f in fates):.1f} to {max(f[1] for f in fates):.1f} s")
    grown = (most - before) / hostile.MIB
    print(f"  {len(slow)} slow clients, {grown:+.0f} MiB at most, {served} bystanders, {longest * 1000:.0f} ms at most for two")
    equal(wrong, {})
    assert grown < BOUND_MIB, f"the server grew by {grown:.0f} MiB"
    assert longest < 8, f"two bystanders waited {longest:.1f} s"
    field.is_unharmed()


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        hostile.close()
