"""Targets that are spoken to in HTTP/2 and mean harm: frames that are none, heads without an end, lies about lengths, windows that never open.
Each costs its client a 502 or a 504 with its reason, and nobody else anything."""

import socket
import time

import hpack

import harness
from accepting import Accepting
import hostile
from frames import *
from harness import equal

ADDRESS = "10.0.10.12"
BOUND_MIB = 96
# Seconds of silence that the load balancer bears here.
IDLE_S = 1


class Evil(Accepting):
    """A target that does to each request what its path names."""

    deeds = {}

    def serve(self, accepted):
        with accepted:
            try:
                Line(accepted).serve()
            except (OSError, Over):
                pass


class Line(Connection):
    """One connection of the load balancer's."""

    def __init__(self, accepted):
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket, self.read, self.told, self.requests = accepted, b"", {}, hpack.Decoder()

    def serve(self):
        assert self.bytes(len(PREFACE)) == PREFACE
        # The windows of requests are closed until a deed opens them.
        self.send(SETTINGS, 0, 0, setting((INITIAL_WINDOW_SIZE, 0)))
        while True:
            got = self.frame()
            if got.kind == HEADERS:
                path = dict(self.requests.decode(whole(got)))[":path"]
                Evil.deeds.get(path.removeprefix("/evil"), well)(self, got.stream)

    def raw(self, data):
        self.socket.sendall(data)

    def head(self, stream, *pairs, status="200", end=False, flags=END_HEADERS):
        self.send(HEADERS, flags | (END_STREAM if end else 0), stream, fields((":status", status), *pairs))


def well(line, stream):
    line.head(stream, ("content-length", "4"))
    line.send(DATA, END_STREAM, stream, b"well")


# Path, what becomes of the request (status and reason), and what the target does. `None` where the answer's head is good and its body breaks off.
CASES = []


def deed(path, *outcomes, method="GET", body=None):
    def add(act):
        Evil.deeds[path] = act
        CASES.append((path, outcomes, method, body))
        return act

    return add


MALFORMED, CLOSED, TIMEOUT = (502, "TARGET_MALFORMED_RESPONSE"), (502, "TARGET_CLOSED"), (504, "TARGET_TIMEOUT")
FINE = (200, "passed")
# The answer does not come to its end; where head and end come together, its head may be lost with it.
CUT = "cut"


def does(path, *outcomes, **more):
    """A deed of one line: frames made of the stream's number."""

    def add(*frames):
        deed(path, *outcomes, **more)(lambda line, stream: [line.raw(one(stream)) for one in frames])

    return add


head = lambda *pairs, status="200", flags=END_HEADERS, first=(): lambda stream: frame(HEADERS, flags, stream, fields(*first, (":status", status), *pairs))
bare = lambda *pairs: lambda stream: frame(HEADERS, END_HEADERS | END_STREAM, stream, fields(*pairs))
data = lambda payload, flags=END_STREAM: lambda stream: frame(DATA, flags, stream, payload)
over = lambda *pairs, status="200": head(*pairs, status=status, flags=END_HEADERS | END_STREAM)
raw = lambda payload: lambda stream: payload

does("/no-status", MALFORMED)(bare(("x-a", "b")))
does("/status-of-letters", MALFORMED)(over(status="abc"))
does("/status-of-two-digits", MALFORMED)(over(status="20"))
does("/status-101", MALFORMED)(over(status="101"))
does("/status-twice", MALFORMED)(over((":status", "201")))
# The engine drops it.
does("/a-requests-pseudo-header", FINE)(over((":path", "/")))
does("/pseudo-behind-fields", MALFORMED)(bare(("x-a", "b"), (":status", "200")))
does("/large-letters", MALFORMED)(over(("X-A", "b")))
does("/line-end-in-a-value", MALFORMED)(over(("x-a", "b\r\nset-cookie: c=d")))
does("/nul-in-a-value", MALFORMED)(over(("x-a", "b\0")))
does("/blank-in-a-name", MALFORMED)(over(("x a", "b")))
does("/connection", MALFORMED)(over(("connection", "close")))
does("/transfer-encoding", MALFORMED)(over(("transfer-encoding", "chunked")))
does("/upgrade", MALFORMED)(over(("upgrade", "h2c")))
does("/data-first", MALFORMED)(data(b"a"))
does("/reset", CLOSED)(lambda stream: frame(RST_STREAM, 0, stream, b"\0\0\0\x02"))
does("/refused", CLOSED)(lambda stream: frame(RST_STREAM, 0, stream, b"\0\0\0\x07"))
does("/goaway", CLOSED)(raw(frame(GOAWAY, 0, 0, bytes(4) + b"\0\0\0\x01")))
does("/ping-of-another-length", MALFORMED)(raw(frame(PING, 0, 0, bytes(7))))
does("/settings-of-another-length", MALFORMED)(raw(frame(SETTINGS, 0, 0, bytes(5))))
does("/window-above-its-most", MALFORMED)(raw(frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2))
does("/promise", MALFORMED)(lambda stream: frame(PUSH_PROMISE, END_HEADERS, stream, b"\0\0\0\x02" + fields((":method", "GET"), (":path", "/"))))
does("/headers-of-another-stream", MALFORMED)(lambda stream: frame(HEADERS, END_HEADERS, stream + 100, fields((":status", "200"))))
does("/an-index-beyond-the-tables", MALFORMED)(lambda stream: frame(HEADERS, END_HEADERS | END_STREAM, stream, b"\xff\x7f"))
does("/garbage", MALFORMED)(raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
does("/frame-above-the-size", MALFORMED)(lambda stream: frame(HEADERS, END_HEADERS, stream, b"\x00" * 20_000))
does("/length-that-is-none", MALFORMED, CUT)(head(("content-length", "x")), data(b"a"))
does("/two-lengths", MALFORMED, CUT)(head(("content-length", "1"), ("content-length", "2")), data(b"a"))
does("/length-and-no-body", MALFORMED, CUT)(over(("content-length", "5")))
does("/length-above-the-body", CUT, MALFORMED)(head(("content-length", "5")), data(b"abc"))
does("/length-below-the-body", CUT, MALFORMED)(head(("content-length", "2")), data(b"abc"))
does("/reset-within-the-body", CUT)(head(), data(b"abc", 0), lambda stream: frame(RST_STREAM, 0, stream, b"\0\0\0\x02"))
does("/goaway-within-the-body", CUT)(head(), data(b"abc", 0), raw(frame(GOAWAY, 0, 0, bytes(4) + b"\0\0\0\x01")))
does("/padding-above-the-frame", CUT, MALFORMED)(head(), lambda stream: frame(DATA, PADDED | END_STREAM, stream, b"\x09ab"))
does("/a-body-beyond-its-window", CUT, MALFORMED)(head(), *[data(bytes(FRAME_BYTES), 0)] * 1000)
does("/body-of-204", MALFORMED, CUT, (204, "passed"))(head(status="204"), data(b"abc"))
does("/one-large-head", MALFORMED)(*[lambda stream: frame(HEADERS, 0, stream, fields((":status", "200"), ("x-a", "b" * 16_000)))], *[lambda stream: frame(CONTINUATION, 0, stream, fields(("x-a", "b" * 16_000)))] * 3, lambda stream: frame(CONTINUATION, END_HEADERS, stream))
does("/silence", TIMEOUT)()
does("/a-window-that-never-opens", TIMEOUT, method="POST", body=b"x" * 100_000)()


@deed("/interim-answers-without-end", MALFORMED, TIMEOUT)
def _(line, stream):
    for _ in range(20_000):
        line.head(stream, status="103")


@deed("/continuation-without-end", MALFORMED)
def _(line, stream):
    line.head(stream, flags=0)
    for _ in range(20_000):
        line.send(CONTINUATION, 0, stream, fields(("x-a", "b" * 1000)))


@deed("/empty-continuation-without-end", MALFORMED)
def _(line, stream):
    line.head(stream, flags=0)
    for _ in range(20_000):
        line.send(CONTINUATION, 0, stream)


@deed("/a-table-that-unfolds", MALFORMED)
def _(line, stream):
    line.send(HEADERS, END_HEADERS | END_STREAM, stream, fields((":status", "200")) + literal("x-a", "b" * 4000, 0x40) + b"\xbe" * 12_000)


@deed("/pings-without-end", MALFORMED, TIMEOUT, FINE)
def _(line, stream):
    for _ in range(500):
        line.raw(frame(PING, 0, 0, bytes(8)) * 64)
    well(line, stream)


@deed("/settings-without-end", MALFORMED, TIMEOUT, FINE)
def _(line, stream):
    for _ in range(500):
        line.raw(frame(SETTINGS, 0, 0, setting((INITIAL_WINDOW_SIZE, 100))) * 64)
    well(line, stream)


@deed("/empty-data-without-end", CUT)
def _(line, stream):
    line.head(stream)
    for _ in range(2_000):
        line.raw(frame(DATA, 0, stream) * 64)


_scene = None


def scene():
    """The field, with a group of HTTP/2 whose only target is evil, behind `/evil/*` of the secure listener."""
    global _scene
    if _scene is None:
        field, evil = hostile.field(), Evil()
        chain, elb, stack = field.chain, field.chain.aws.elbv2, field.chain.stack
        group = elb.create_target_group(Name="evil", Protocol="HTTP", ProtocolVersion="HTTP2", Port=8080, VpcId=stack["vpc"], TargetType="ip")
        arn = group["TargetGroups"][0]["TargetGroupArn"]
        chain.server.tidegate("attach", "--vpc", stack["vpc"], "--security-group", stack["target_sg"], f"{ADDRESS}:8080", evil.address)
        elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": ADDRESS}])
        elb.create_rule(
            ListenerArn=field.secure,
            Priority=1,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/evil/*"]}}],
            Actions=[{"Type": "forward", "TargetGroupArn": arn}],
        )
        idle = [{"Key": "idle_timeout.timeout_seconds", "Value": str(IDLE_S)}]
        elb.modify_load_balancer_attributes(LoadBalancerArn=stack["lb"], Attributes=idle)
        _scene = field
    return _scene


def asked(place, path, method="GET", body=None):
    """Status and reason of one request over a connection of its own, or `cut` where its answer does not come to its end."""
    with Connection(place.address, place.authority) as c:
        c.settled()
        c.ask(1, method, path, end=body is None)
        for at in range(0, len(body or b""), FRAME_BYTES):
            # Within what the server takes at once.
            if at < 4 * FRAME_BYTES - FRAME_BYTES:
                c.send(DATA, 0, 1, body[at : at + FRAME_BYTES])
        found, length = {}, 0
        try:
            while True:
                got = c.frame()
                if got.kind == GOAWAY:
                    return "goaway"
                if got.kind == RST_STREAM and got.stream == 1:
                    return CUT
                if got.kind == DATA:
                    length += len(got.payload)
                    c.send(WINDOW_UPDATE, 0, 0, len(got.payload).to_bytes(4)) if got.payload else None
                    c.send(WINDOW_UPDATE, 0, 1, len(got.payload).to_bytes(4)) if got.payload and not got.flags & END_STREAM else None
                if got.kind == HEADERS:
                    found |= dict(c.decoder.decode(whole(got)))
                if got.kind in (DATA, HEADERS) and got.flags & END_STREAM:
                    return int(found[":status"]), found.get("x-tidegate-trace")
        except Over:
            return "closed"
        except TimeoutError:
            return "silence"


def test_each_deed_costs_its_request_and_nobody_else():
    field = scene()
    place, wrong = field.listener, []
    equal(asked(place, "/evil/fine")[0], 200)
    before = field.resident()
    for path, outcomes, method, body in CASES:
        start = time.monotonic()
        got = asked(place, f"/evil{path}", method, body)
        took = time.monotonic() - start
        neighbours = asked(place, "/well")[0], asked(place, "/evil/fine")[0]
        told = f"{path}: {got} in {took:.1f} s"
        print(f"  {told}")
        if got not in outcomes or neighbours != (200, 200) or took > IDLE_S + 6:
            wrong.append((told, neighbours))
    grown = (field.resident() - before) / hostile.MIB
    equal(wrong, [])
    assert grown < BOUND_MIB, f"the server grew by {grown:.0f} MiB"
    print(f"  {len(CASES)} deeds, {grown:+.0f} MiB")
    field.is_unharmed()


def test_requests_beside_a_deed_on_its_connection_are_no_worse_off_than_its_own():
    place = scene().listener
    with Connection(place.address, place.authority) as c:
        c.settled()
        # All over one connection to the target: the stream that it breaks is one, and the others go on.
        for at, path in enumerate(["/silence", "/fine", "/reset", "/fine", "/no-status", "/fine"]):
            c.ask(2 * at + 1, "GET", f"/evil{path}")
        statuses = {}
        while len(statuses) < 6:
            got = c.until(lambda got: got.kind in (HEADERS, GOAWAY))
            assert got.kind == HEADERS, got
            statuses[got.stream] = dict(c.decoder.decode(whole(got)))[":status"]
    equal([statuses[2 * at + 1] for at in range(6)], ["504", "200", "502", "200", "502", "200"])


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        hostile.close()
