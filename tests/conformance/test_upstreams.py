"""Targets of HTTP/1.1 that lie: about lengths, about how many answers there are, about which protocol they speak. Whoever asked gets what
can be read in one way only or a 502 with its reason; whoever asks next, over the same group, gets the answer to its own request."""

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import harness
from accepting import Accepting
import hostile
from harness import equal

ADDRESS = "10.0.10.13"
PORT = 9002
IDLE_S = 1
BOUND_MIB = 96


class Liar(Accepting):
    """A target that says to each path what stands for it, and else tells which path was asked; it keeps connections open where it may."""

    def __init__(self):
        self.lies = {}
        super().__init__()

    def serve(self, accepted):
        with accepted, accepted.makefile("rb") as lines:
            try:
                while line := lines.readline():
                    length = 0
                    while (field := lines.readline()) not in (b"\r\n", b""):
                        if field.lower().startswith(b"content-length:"):
                            length = int(field.split(b":")[1])
                    path = line.split(b" ")[1].decode()
                    lie = self.lies.get(path)
                    if lie is None or not lie.early:
                        lines.read(length)
                    if lie is None:
                        accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path.encode()))
                    elif not lie.tell(accepted):
                        return
            except (OSError, ValueError, IndexError):
                # Behind an early answer comes what is left of a body.
                pass


class Lie:
    """Bytes, and whether the connection stays open behind them."""

    def __init__(self, *pieces, stays=True, early=False, times=1):
        self.pieces, self.stays, self.early, self.times = pieces, stays, early, times

    def tell(self, accepted):
        for _ in range(self.times):
            for piece in self.pieces:
                accepted.sendall(piece)
        return self.stays


MALFORMED, CLOSED, OTHER, TIMEOUT = "TARGET_MALFORMED_RESPONSE", "TARGET_CLOSED", "TARGET_PROTOCOL_MISMATCH", "TARGET_TIMEOUT"
# Every request of these goes out over a connection that was kept.
IDLE = "UPSTREAM_CLOSED_IDLE"
OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
CUT, ENDLESS = "cut", "endless"

# Name, method, the lie, and what the client gets: a status with its body (`cut` where it breaks off), or a status with its reason.
CASES = [
    ("plain", "GET", Lie(HELLO), {(200, "hello")}),
    ("chunks", "GET", Lie(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), {(200, "hello")}),
    ("until it closes", "GET", Lie(OK + b"\r\nhello", stays=False), {(200, "hello")}),
    ("a second answer at once", "GET", Lie(HELLO + POISON), {(200, "hello")}),
    ("a second answer in a piece of its own", "GET", Lie(HELLO, POISON), {(200, "hello")}),
    ("a hundred answers", "GET", Lie(HELLO + POISON * 100), {(200, "hello")}),
    ("bytes behind the end", "GET", Lie(HELLO + b"x"), {(200, "hello")}),
    ("a line end behind the end", "GET", Lie(HELLO + b"\r\n"), {(200, "hello")}),
    ("an answer behind chunks", "GET", Lie(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + POISON), {(200, "hello")}),
    ("a body for HEAD", "HEAD", Lie(OK + b"Content-Length: %d\r\n\r\n" % len(POISON) + POISON), {(200, "")}),
    ("chunks for HEAD", "HEAD", Lie(OK + b"Transfer-Encoding: chunked\r\n\r\n" + POISON), {(200, "")}),
    ("a body for 204", "GET", Lie(b"HTTP/1.1 204 No\r\nContent-Length: %d\r\n\r\n" % len(POISON) + POISON), {(204, "")}),
    ("a body for 304", "GET", Lie(b"HTTP/1.1 304 No\r\nContent-Length: %d\r\n\r\n" % len(POISON) + POISON), {(304, "")}),
    ("a length that is too large", "GET", Lie(OK + b"Content-Length: 9\r\n\r\nhello", stays=False), {(200, CUT)}),
    ("a length that never comes", "GET", Lie(OK + b"Content-Length: 9\r\n\r\nhello"), {(200, CUT)}),
    ("a length that is too small", "GET", Lie(OK + b"Content-Length: 5\r\n\r\nhello" + POISON), {(200, "hello")}),
    ("two lengths", "GET", Lie(OK + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello"), {(502, MALFORMED)}),
    ("a list of lengths", "GET", Lie(OK + b"Content-Length: 5, 6\r\n\r\nhello"), {(502, MALFORMED)}),
    ("the same length twice", "GET", Lie(OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"), {(200, "hello")}),
    ("a negative length", "GET", Lie(OK + b"Content-Length: -5\r\n\r\nhello"), {(502, MALFORMED)}),
    ("a length with a sign", "GET", Lie(OK + b"Content-Length: +5\r\n\r\nhello"), {(502, MALFORMED)}),
    ("a length that is none", "GET", Lie(OK + b"Content-Length: x\r\n\r\nhello"), {(502, MALFORMED)}),
    ("a length beyond 64 bits", "GET", Lie(OK + b"Content-Length: 18446744073709551621\r\n\r\nhello"), {(502, MALFORMED)}),
    ("a length beside chunks", "GET", Lie(OK + b"Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + POISON), {(200, "hello")}),
    ("two lengths beside chunks", "GET", Lie(OK + b"Content-Length: 1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), {(502, MALFORMED)}),
    ("gzip", "GET", Lie(OK + b"Transfer-Encoding: gzip\r\n\r\nhello", stays=False), {(502, MALFORMED)}),
    ("identity", "GET", Lie(OK + b"Transfer-Encoding: identity\r\n\r\nhello", stays=False), {(502, MALFORMED)}),
    ("chunked in disguise", "GET", Lie(OK + b"Transfer-Encoding: xchunked\r\n\r\nhello", stays=False), {(502, MALFORMED)}),
    ("chunks of HTTP/1.0", "GET", Lie(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), {(502, MALFORMED)}),
    ("a coding with NUL", "GET", Lie(OK + b"Transfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n"), {(502, MALFORMED)}),
    ("a folded coding", "GET", Lie(OK + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"), {(502, MALFORMED)}),
    ("a blank before the colon", "GET", Lie(OK + b"Content-Length : 5\r\n\r\nhello"), {(502, MALFORMED)}),
    ("a bare CR in a value", "GET", Lie(OK + b"X-A: b\rSet-Cookie: c=d\r\nContent-Length: 5\r\n\r\nhello"), {(502, MALFORMED)}),
    ("NUL in a value", "GET", Lie(OK + b"X-A: b\x00\r\nContent-Length: 5\r\n\r\nhello"), {(502, MALFORMED)}),
    ("line ends of LF", "GET", Lie(b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"), {(200, "hello")}),
    ("a chunk without a size", "GET", Lie(OK + b"Transfer-Encoding: chunked\r\n\r\nhello\r\n0\r\n\r\n"), {(200, CUT)}),
    ("a chunk that goes on", "GET", Lie(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n"), {(200, CUT)}),
    ("a chunk beyond 64 bits", "GET", Lie(OK + b"Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n"), {(200, CUT)}),
    ("a chunk of 0x5", "GET", Lie(OK + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"), {(200, CUT)}),
    ("chunk lines of LF", "GET", Lie(OK + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n"), {(200, CUT)}),
    ("an extension with LF", "GET", Lie(OK + b"Transfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n"), {(200, CUT)}),
    ("chunks without an end", "GET", Lie(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", stays=False), {(200, CUT)}),
    ("a trailer that frames", "GET", Lie(OK + b"Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n"), {(200, "hello")}),
    ("an answer in trailers", "GET", Lie(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" + POISON), {(200, CUT), (200, "hello")}),
    ("an interim answer", "GET", Lie(b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n" + HELLO), {(200, "hello")}),
    ("ten thousand interim answers", "GET", Lie(b"HTTP/1.1 103 Early\r\n\r\n" * 10_000 + HELLO), {(502, MALFORMED)}),
    ("interim answers alone", "GET", Lie(b"HTTP/1.1 100 Continue\r\n\r\n"), {(504, TIMEOUT)}),
    ("an interim answer with a length", "GET", Lie(b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n" + HELLO), {(200, "hello")}),
    ("a switch that nobody asked for", "GET", Lie(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + POISON), {(502, MALFORMED)}),
    ("a status of two digits", "GET", Lie(b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"), {(502, MALFORMED)}),
    ("a status of four digits", "GET", Lie(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"), {(502, MALFORMED)}),
    ("a status of letters", "GET", Lie(b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"), {(502, MALFORMED)}),
    ("status 999", "GET", Lie(b"HTTP/1.1 999 No\r\nContent-Length: 5\r\n\r\nhello"), {(999, "hello"), (502, MALFORMED)}),
    ("HTTP/1.2", "GET", Lie(b"HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello"), {(502, MALFORMED)}),
    ("HTTP/0.9", "GET", Lie(b"hello", stays=False), {(502, MALFORMED), (502, CLOSED)}),
    ("another protocol", "GET", Lie(b"SSH-2.0-OpenSSH_9.2\r\n", stays=False), {(502, MALFORMED)}),
    ("HTTP/2", "GET", Lie(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64"), {(502, OTHER)}),
    ("TLS", "GET", Lie(b"\x15\x03\x03\0\x02\x02\x0a", stays=False), {(502, MALFORMED)}),
    ("nothing", "GET", Lie(stays=False), {(502, IDLE)}),
    ("half a head", "GET", Lie(b"HTTP/1.1 200 OK\r\nContent-Le", stays=False), {(502, CLOSED)}),
    ("half a head, and silence", "GET", Lie(b"HTTP/1.1 200 OK\r\nContent-Le"), {(504, TIMEOUT)}),
    ("silence", "GET", Lie(), {(504, TIMEOUT)}),
    ("a head without an end", "GET", Lie(OK + b"X-A: " + b"b" * 65536, stays=False), {(502, MALFORMED)}),
    ("lines without an end", "GET", Lie(OK + b"X: y\r\n" * 10_000, stays=False), {(502, MALFORMED)}),
    ("an early answer", "POST", Lie(HELLO, early=True), {(200, "hello")}),
    ("an early answer, and the end", "POST", Lie(HELLO, early=True, stays=False), {(200, "hello"), (502, CLOSED)}),
    ("an early refusal and another answer", "POST", Lie(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n" + POISON, early=True), {(413, "")}),
    ("a body without an end", "GET", Lie(OK + b"\r\n" + b"x" * 65536, times=200), {(200, ENDLESS), (200, CUT)}),
]


class Scene:
    def __init__(self):
        self.field, self.liar = hostile.Field(), Liar()
        chain, elb, stack = self.field.chain, self.field.chain.aws.elbv2, self.field.chain.stack
        made = elb.create_target_group(Name="liars", Protocol="HTTP", Port=8080, VpcId=stack["vpc"], TargetType="ip")
        group = made["TargetGroups"][0]["TargetGroupArn"]
        chain.server.tidegate("attach", "--vpc", stack["vpc"], "--security-group", stack["target_sg"], f"{ADDRESS}:8080", self.liar.address)
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": ADDRESS}])
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        elb.create_rule(ListenerArn=stack["listener"], Priority=1, Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/lies/*"]}}], Actions=forward)
        idle = [{"Key": "idle_timeout.timeout_seconds", "Value": str(IDLE_S)}]
        elb.modify_load_balancer_attributes(LoadBalancerArn=stack["lb"], Attributes=idle)
        public = urlsplit(self.field.server.public)
        self.doors = {
            "listener": ((self.field.plain.hostname, self.field.plain.port), "h.example"),
            "gateway": ((public.hostname, public.port), chain.host()),
        }
        for at, (_, _, lie, _) in enumerate(CASES):
            self.liar.lies[f"/lies/{at}"] = lie

    def ask(self, door, path, method="GET", body=b""):
        """Status and body of one request over a connection of its own; the reason instead of the body where the server refused."""
        address, host = self.doors[door]
        with socket.create_connection(address, timeout=IDLE_S + 8) as stream:
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            if not body:
                head = head.replace("Content-Length: 0\r\n", "")
            stream.sendall(head.encode() + body)
            got, is_reset = b"", False
            try:
                while (more := stream.recv(65536)) and len(got) < 64 * hostile.MIB:
                    got += more
            except OSError:
                is_reset = True
        return read(got, method, is_reset)


def read(got, method, is_reset):
    """An answer, read strictly."""
    head, _, body = got.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    status = int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/1.1 ") else 0
    reason = fields.get(b"x-tidegate-trace", b"passed").decode().upper()
    if reason != "PASSED":
        return status, reason
    if method == "HEAD" or status in (204, 304):
        return status, body.decode("latin-1")
    if b"content-length" in fields:
        wanted = int(fields[b"content-length"])
        return status, body.decode("latin-1") if len(body) == wanted else CUT
    data = b""
    while match := re.match(rb"([0-9a-f]+)\r\n", body):
        size = int(match[1], 16)
        if size == 0:
            return status, ENDLESS if len(data) > 1000 else data.decode("latin-1")
        data, body = data + body[match.end() : match.end() + size], body[match.end() + size + 2 :]
    return status, CUT


_scene = None


def scene():
    global _scene
    if _scene is None:
        _scene = Scene()
    return _scene


def innocent(door, path):
    """What one gets who asked for no lie. Whose connection is closed by a target that just answered whole, at the other door too, is told so: no
    client can know before; asked again, there is an answer."""
    got = scene().ask(door, path)
    return scene().ask(door, path) if got == (502, IDLE) else got


def test_a_lie_costs_whoever_asked_and_nobody_else():
    before = scene().field.resident()

    def told(door):
        wrong = []
        for at, (name, method, _, right) in enumerate(CASES):
            # A connection is there, and kept.
            warm = f"/lies/warm-{door}-{at}"
            equal(innocent(door, warm), (200, warm))
            start = time.monotonic()
            got = scene().ask(door, f"/lies/{at}", method, b"x" * 20_000 if method == "POST" else b"")
            took = time.monotonic() - start
            if got not in right:
                wrong.append(f"{name} by the {door}: {got} in {took:.1f} s, not {right}")
            for turn in range(2):
                path = f"/lies/next-{door}-{at}-{turn}"
                following = innocent(door, path)
                if following != (200, path):
                    wrong.append(f"{name} by the {door}: whoever asked next got {following}")
            print(f"  {door}, {name}: {got[0]} {got[1][:40]}")
        return wrong

    with ThreadPoolExecutor(2) as pool:
        wrong = [line for lines in pool.map(told, ("listener", "gateway")) for line in lines]
    grown = (scene().field.resident() - before) / hostile.MIB
    print(f"  {len(CASES)} lies at 2 doors, {grown:+.0f} MiB")
    equal(wrong, [], "lies")
    assert grown < BOUND_MIB, f"the server grew by {grown:.0f} MiB"
    scene().field.is_unharmed()


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        if _scene is not None:
            _scene.field.close()
