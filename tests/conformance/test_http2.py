"""HTTP/2 by the letter: what RFC 9113 and RFC 7541 ask of a server, frame by frame, at the gateway's public TLS port and at the socket of
an HTTPS listener. Each case says which section it is about, what is sent, and which outcomes are right. The outline is that of h2spec's
published list of cases; the cases are written anew, for RFC 9113 where it differs from RFC 7540."""

from collections import Counter

from hpack import NeverIndexedHeaderTuple

import harness
import hostile
from frames import *
from harness import equal

CASES = []
# PROTOCOL_ERROR is what the engine says of most errors, also where there is a better name.
P, F, S, C, Z = "PROTOCOL_ERROR", "FLOW_CONTROL_ERROR", "STREAM_CLOSED", "COMPRESSION_ERROR", "FRAME_SIZE_ERROR"


def connection(*codes):
    """The connection ends with one of these errors, or with the one for whatever is wrong (RFC 9113, section 7)."""
    return {f"goaway {code}" for code in (*codes, P)} | {"closed"}


def stream(*codes):
    """The stream ends with one of these, which a server may also treat as an error of the connection (section 5.4.2)."""
    return {f"reset {code}" for code in codes} | connection(*codes)


def malformed(*more):
    """A malformed request is a stream error, or answered with 400 (section 8.1.1)."""
    return stream(P) | {"answered 400"} | set(more)


OK = {"answered 200"}


def case(section, name, right, watched=1, **begin):
    def add(act):
        CASES.append((section, name, right, watched, begin, act))
        return act

    return add


def sends(section, name, right, *frames, watched=1, after=None):
    """A case that sends frames, after requests on these streams were answered."""

    @case(section, name, right, watched)
    def _(c):
        c.settled()
        for one in after or ():
            c.ask(one)
            assert c.outcome(one) == "answered 200"
        for one in frames:
            c.raw(one(c) if callable(one) else one)


def asks(section, name, right, block, body=None):
    """A case of one request with this block of fields."""

    @case(section, name, right)
    def _(c):
        c.send(HEADERS, END_HEADERS | (0 if body else END_STREAM), 1, block(c))
        for at, piece in enumerate(body or ()):
            c.send(DATA, END_STREAM if at + 1 == len(body) else 0, 1, piece)


def get(number=1, end=True):
    return lambda c: frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), number, c.block("GET" if end else "POST"))


def begun(number=1, end=True):
    """A request whose block goes on."""
    return lambda c: frame(HEADERS, END_STREAM if end else 0, number, c.block())


# Requests as they should be.

sends("8.1", "GET", OK, get())
asks("8.1", "HEAD", OK, lambda c: c.block("HEAD"))
asks("8.1", "POST with a body", OK, lambda c: c.block("POST"), [b"a", b"b"])
asks("8.1", "POST with a length", OK, lambda c: c.block("POST", "/echo", ("content-length", "2")), [b"a", b"b"])
sends("8.1", "trailers", OK, get(1, False), frame(DATA, 0, 1, b"a"), frame(HEADERS, END_HEADERS | END_STREAM, 1, fields(("x-a", "b"))))
sends("6.1", "padded DATA", OK, get(1, False), frame(DATA, PADDED | END_STREAM, 1, b"\x05a" + bytes(5)))
sends("6.1", "DATA that is all padding", OK, get(1, False), frame(DATA, PADDED | END_STREAM, 1, b"\xff" + bytes(255)))
sends("6.2", "padded HEADERS", OK, lambda c: frame(HEADERS, PADDED | END_HEADERS | END_STREAM, 1, b"\x03" + c.block() + bytes(3)))
sends("6.2", "HEADERS with a priority", OK, lambda c: frame(HEADERS, PRIORITIZED | END_HEADERS | END_STREAM, 1, bytes(4) + b"\x10" + c.block()))
sends("6.10", "CONTINUATION", OK, begun(), frame(CONTINUATION, 0, 1, fields(("x-a", "b"))), frame(CONTINUATION, END_HEADERS, 1))
sends("6.3", "PRIORITY of an idle stream", OK, frame(PRIORITY, 0, 3, bytes(4) + b"\x10"), get())
sends("6.3", "PRIORITY of a closed stream", OK, frame(PRIORITY, 0, 1, bytes(4) + b"\x10"), get(3), watched=3, after=[1])
sends("5.1", "WINDOW_UPDATE of a half-closed stream", OK, get(), frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x64"))
sends("5.1", "WINDOW_UPDATE of a closed stream", OK, frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x64"), get(3), watched=3, after=[1])
sends("5.1", "RST_STREAM of a closed stream", OK, frame(RST_STREAM, 0, 1, b"\0\0\0\x08"), get(3), watched=3, after=[1])
sends("5.1", "RST_STREAM, and another request", OK, get(1, False), frame(RST_STREAM, 0, 1, b"\0\0\0\x08"), get(3), watched=3)
sends("7", "RST_STREAM with an unknown code", OK, get(1, False), frame(RST_STREAM, 0, 1, b"\0\0\xff\xff"), get(3), watched=3)
sends("6.8", "GOAWAY behind a request", OK, get(), frame(GOAWAY, 0, 0, bytes(8)))
sends("7", "GOAWAY with an unknown code behind a request", OK | {"closed", "goaway NO_ERROR"}, get(), frame(GOAWAY, 0, 0, bytes(4) + b"\0\0\xff\xff"))
sends("4.1", "a frame of an unknown kind", OK, frame(0x16, 0, 0, bytes(8)), get())
sends("4.1", "unknown flags", OK, frame(SETTINGS, 0xFE & ~ACK, 0), get())
sends("4.1", "the reserved bit", OK, lambda c: frame(HEADERS, END_HEADERS | END_STREAM, 0x8000_0001, c.block()))
sends("5.5", "frames of extensions between those of a request", OK, get(1, False), frame(0x16, 0, 1, b"a"), frame(DATA, END_STREAM, 1))
sends("4.2", "DATA of the largest size", OK, get(1, False), frame(DATA, END_STREAM, 1, b"a" * FRAME_BYTES))
sends("6.5.2", "an unknown setting", OK, frame(SETTINGS, 0, 0, setting((0xFF, 1))), get())
sends("6.5.2", "no push", OK, frame(SETTINGS, 0, 0, setting((ENABLE_PUSH, 0))), get())
sends("8.2.3", "cookies in pieces", OK, lambda c: frame(HEADERS, END_HEADERS | END_STREAM, 1, c.block("GET", "/echo", ("cookie", "a=b"), ("cookie", "c=d"))))
asks("8.2.2", "TE: trailers", OK, lambda c: c.block("GET", "/echo", ("te", "trailers")))
asks("8.3.1", "a Host that says the same", OK, lambda c: c.block("GET", "/echo", ("host", c.authority)))


@case("3.4", "SETTINGS come first", {"SETTINGS"})
def _(c):
    return "SETTINGS" if c.frame().kind == SETTINGS else "another frame"


@case("3.4", "a preface that is none", connection(P), begin=False)
def _(c):
    c.raw(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")


@case("3.4", "a PING instead of SETTINGS, which the engine takes", {"alive"}, begin=False)
def _(c):
    c.raw(PREFACE)
    return "alive" if c.alive() else "goaway"


@case("6.5.3", "SETTINGS are acknowledged", {"acknowledged"})
def _(c):
    c.settled()
    c.send(SETTINGS, 0, 0, setting((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)))
    c.settled()
    return "acknowledged"


@case("6.7", "PING comes back as it was", {"alive"})
def _(c):
    return "alive" if c.alive() else "goaway"


@case("6.7", "an answer to no PING has none", {"nothing"})
def _(c):
    c.send(PING, ACK, 0, b"unasked!")
    c.send(PING, 0, 0, b"asked!!!")
    got = c.until(lambda got: got.kind in (PING, GOAWAY))
    return "nothing" if got.payload == b"asked!!!" else str(got)


# Section 4: frames, and blocks of fields.

sends("4.2", "DATA above the size", stream(Z), get(1, False), frame(DATA, 0, 1, bytes(FRAME_BYTES + 1)))
sends("4.2", "HEADERS above the size", connection(Z), lambda c: frame(HEADERS, END_HEADERS, 1, c.block("GET", "/", ("a", "b" * FRAME_BYTES))))
sends("4.2", "SETTINGS above the size", connection(Z), frame(SETTINGS, 0, 0, setting(*[(0xFF, 1)] * 2731)))
sends("4.3", "a block that is none", connection(C), frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x40\x05abc"))
sends("4.3", "PRIORITY within a block", connection(P), begun(), frame(PRIORITY, 0, 1, bytes(5)), frame(CONTINUATION, END_HEADERS, 1))
sends("4.3", "HEADERS of another stream within a block", connection(P), begun(), get(3))
sends("4.3", "a PING within a block", connection(P), begun(), frame(PING, 0, 0, bytes(8)))
sends("5.5", "a frame of an extension within a block", connection(P), begun(), frame(0x16, 0, 0, bytes(8)), frame(CONTINUATION, END_HEADERS, 1))

# Section 5.1: states of streams.

sends("5.1", "DATA of an idle stream", connection(P), frame(DATA, END_STREAM, 1, b"a"))
sends("5.1", "RST_STREAM of an idle stream", connection(P), frame(RST_STREAM, 0, 1, bytes(4)))
sends("5.1", "WINDOW_UPDATE of an idle stream", connection(P), frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x64"))
sends("5.1", "CONTINUATION of an idle stream", connection(P), frame(CONTINUATION, END_HEADERS, 1))
sends("5.1", "DATA of a half-closed stream", stream(S), get(), frame(DATA, END_STREAM, 1, b"a"))
sends("5.1", "HEADERS of a half-closed stream", stream(S), get(), get())
sends("5.1", "CONTINUATION of a half-closed stream", connection(S, P), get(), frame(CONTINUATION, END_HEADERS, 1))
RESET = frame(RST_STREAM, 0, 1, b"\0\0\0\x08")
# What may still be on its way is passed over for a while, so that a PING may be answered instead (section 5.1, "closed").
sends("5.1", "HEADERS of a stream that was reset", stream(S) | {"silence"}, get(1, False), RESET, get())
sends("5.1", "CONTINUATION of a stream that was reset", connection(S, P), get(1, False), RESET, frame(CONTINUATION, END_HEADERS, 1))
sends("5.1", "DATA of a closed stream", stream(S), frame(DATA, END_STREAM, 1, b"a"), after=[1])
sends("5.1", "HEADERS of a closed stream", stream(S, P), get(), after=[1])
sends("5.1", "CONTINUATION of a closed stream", connection(S, P), frame(CONTINUATION, END_HEADERS, 1), after=[1])
sends("5.1.1", "a stream of an even number", connection(P), get(2), watched=2)
sends("5.1.1", "a stream of a smaller number", connection(P, S), get(5), get(3), watched=3)
sends("5.1.1", "a stream of a smaller number that was passed over", connection(P, S), get(3), watched=3, after=[5])


@case("5.1.2", "more streams than there may be", stream("REFUSED_STREAM", P))
def _(c):
    c.settled()
    most = c.told[MAX_CONCURRENT_STREAMS]
    for at in range(most + 1):
        c.ask(2 * at + 1, "POST", end=False)
    return c.outcome(2 * most + 1)


sends("5.3.1", "a priority that depends on itself", OK | stream(P), lambda c: frame(HEADERS, PRIORITIZED | END_HEADERS | END_STREAM, 1, b"\0\0\0\x01\x10" + c.block()))

# Section 6: each kind of frame.

sends("6.1", "DATA of no stream", connection(P), frame(DATA, 0, 0, b"a"))
sends("6.1", "DATA with more padding than there is", connection(P), get(1, False), frame(DATA, PADDED | END_STREAM, 1, b"\x06abcde"))
sends("6.1", "DATA with padding and no length of it", connection(P, Z), get(1, False), frame(DATA, PADDED | END_STREAM, 1))
sends("6.2", "HEADERS of no stream", connection(P), lambda c: frame(HEADERS, END_HEADERS | END_STREAM, 0, c.block()))
sends("6.2", "HEADERS with more padding than there is", connection(P), lambda c: frame(HEADERS, PADDED | END_HEADERS | END_STREAM, 1, b"\xff" + c.block()[:100]))
sends("6.2", "HEADERS with a priority and no room for it", connection(P, Z), frame(HEADERS, PRIORITIZED | END_HEADERS | END_STREAM, 1, bytes(3)))
sends("6.3", "PRIORITY of no stream", connection(P), frame(PRIORITY, 0, 0, bytes(5)))
sends("6.3", "PRIORITY of another length", stream(Z), get(1, False), frame(PRIORITY, 0, 1, bytes(4)))
sends("6.4", "RST_STREAM of no stream", connection(P), frame(RST_STREAM, 0, 0, bytes(4)))
sends("6.4", "RST_STREAM of another length", connection(Z), get(1, False), frame(RST_STREAM, 0, 1, bytes(3)))
sends("6.5", "an acknowledgement that says something", connection(Z), frame(SETTINGS, ACK, 0, bytes(6)))
sends("6.5", "SETTINGS of a stream", connection(P), frame(SETTINGS, 0, 1, setting((MAX_CONCURRENT_STREAMS, 3))))
sends("6.5", "SETTINGS of another length", connection(Z), frame(SETTINGS, 0, 0, bytes(5)))
for name, key, value, code in [
    ("ENABLE_PUSH of 2", ENABLE_PUSH, 2, P),
    ("INITIAL_WINDOW_SIZE above its most", INITIAL_WINDOW_SIZE, 2**31, F),
    ("MAX_FRAME_SIZE below its least", MAX_FRAME_SIZE, 2**14 - 1, P),
    ("MAX_FRAME_SIZE above its most", MAX_FRAME_SIZE, 2**24, P),
]:
    sends("6.5.2", name, connection(code), frame(SETTINGS, 0, 0, setting((key, value))))
sends("6.6", "PUSH_PROMISE of a client", connection(P), get(), lambda c: frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02" + c.block()))
sends("6.7", "PING of a stream", connection(P), frame(PING, 0, 1, bytes(8)))
sends("6.7", "PING of another length", connection(Z), frame(PING, 0, 0, bytes(6)))
sends("6.8", "GOAWAY of a stream", connection(P), frame(GOAWAY, 0, 1, bytes(8)))
sends("6.8", "GOAWAY without a code", connection(Z), frame(GOAWAY, 0, 0, bytes(7)))
sends("6.9", "WINDOW_UPDATE of nothing", connection(P), frame(WINDOW_UPDATE, 0, 0, bytes(4)))
sends("6.9", "WINDOW_UPDATE of nothing, of a stream", stream(P), get(1, False), frame(WINDOW_UPDATE, 0, 1, bytes(4)))
sends("6.9", "WINDOW_UPDATE of another length", connection(Z), frame(WINDOW_UPDATE, 0, 0, bytes(3)))
MOST = frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff")
sends("6.9.1", "a window above its most", connection(F), MOST, MOST)
sends("6.9.1", "a window of a stream above its most", stream(F), get(1, False), *[frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff")] * 2)
sends("6.9.2", "settings that put a window above its most", connection(F) | stream(F), get(1, False), frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\0\0"), frame(SETTINGS, 0, 0, setting((INITIAL_WINDOW_SIZE, WINDOW_MAX))))
sends("6.9.1", "DATA beyond the stream's window", stream(F), get(1, False), *[frame(DATA, 0, 1, bytes(FRAME_BYTES))] * 64)
sends("6.10", "CONTINUATION, then another frame", connection(P), begun(), frame(CONTINUATION, 0, 1), frame(DATA, END_STREAM, 1))
sends("6.10", "CONTINUATION of no stream", connection(P), begun(), frame(CONTINUATION, END_HEADERS, 0))
sends("6.10", "CONTINUATION behind a whole block", connection(P, S), get(1, False), frame(CONTINUATION, END_HEADERS, 1))
sends("6.10", "CONTINUATION behind CONTINUATION's end", connection(P, S), begun(1, False), frame(CONTINUATION, END_HEADERS, 1), frame(CONTINUATION, END_HEADERS, 1))
sends("6.10", "CONTINUATION behind DATA", connection(P, S), get(1, False), frame(DATA, 0, 1, b"a"), frame(CONTINUATION, END_HEADERS, 1))


@case("6.9.1", "a window of one byte is kept to", {"1 byte"}, settings=setting((INITIAL_WINDOW_SIZE, 1)))
def _(c):
    c.ask()
    sizes = Counter()
    data = b""
    while True:
        got = c.until(lambda got: got.kind in (DATA, GOAWAY, RST_STREAM))
        assert got.kind == DATA, got
        data += got.payload
        sizes[len(got.payload)] += 1
        if len(data) == 3:
            return "1 byte" if set(sizes) == {1} else str(sizes)
        c.send(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01")


@case("6.9.2", "a window that settings open later", OK, settings=setting((INITIAL_WINDOW_SIZE, 0)))
def _(c):
    c.ask()
    c.until(lambda got: got.kind == HEADERS)
    assert c.alive()
    c.send(SETTINGS, 0, 0, setting((INITIAL_WINDOW_SIZE, 65535)))
    return "answered 200" if c.body() else "nothing"


@case("6.9.2", "a window that settings put below nothing", {"0 bytes, then more"}, settings=setting((INITIAL_WINDOW_SIZE, 3)))
def _(c):
    c.ask()
    first = c.until(lambda got: got.kind == DATA)
    equal(len(first.payload), 3)
    c.send(SETTINGS, 0, 0, setting((INITIAL_WINDOW_SIZE, 2)))
    c.settled()
    c.send(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01")
    assert c.alive()
    c.send(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01")
    more = c.until(lambda got: got.kind == DATA)
    return "0 bytes, then more" if len(more.payload) == 1 else str(more)


# Section 8: requests that are malformed.

sends("8.1", "a second block without an end", malformed(), get(1, False), lambda c: frame(HEADERS, END_HEADERS, 1, fields(("x-a", "b"))))
# The engine drops it: no pseudo-header gets from trailers to a target.
sends("8.1", "a pseudo-header in trailers", malformed("answered 200"), get(1, False), frame(HEADERS, END_HEADERS | END_STREAM, 1, fields((":path", "/b"))))
sends("8.1", "trailers with a large letter", malformed(), get(1, False), frame(HEADERS, END_HEADERS | END_STREAM, 1, fields(("X-A", "b"))))
for name, field in [
    ("a name with a large letter", ("X-Test", "a")),
    ("a name with a blank", ("x a", "b")),
    ("a name with a colon", ("x:a", "b")),
    ("a name with a line end", ("x\r\na", "b")),
    ("a name with NUL", ("x\0a", "b")),
    ("a name of nothing", ("", "b")),
    ("a value with a line end", ("x-a", "b\r\nx-b: c")),
    ("a value with a bare LF", ("x-a", "b\nc")),
    ("a value with a bare CR", ("x-a", "b\rc")),
    ("a value with NUL", ("x-a", "b\0c")),
]:
    asks("8.2.1", name, malformed(), lambda c, field=field: c.block("GET", "/echo", field))
for field in [
    ("connection", "keep-alive"),
    ("connection", "x-a"),
    ("keep-alive", "a"),
    ("proxy-connection", "keep-alive"),
    ("transfer-encoding", "chunked"),
    ("transfer-encoding", "identity"),
    ("upgrade", "h2c"),
    ("te", "gzip"),
    ("te", "trailers, gzip"),
]:
    asks("8.2.2", f"{field[0]}: {field[1]}", malformed(), lambda c, field=field: c.block("POST", "/echo", field), [b"0\r\n\r\n"])
asks("8.3", "an unknown pseudo-header", malformed(), lambda c: fields((":test", "a")) + c.block())
asks("8.3", "a pseudo-header of answers", malformed(), lambda c: fields((":status", "200")) + c.block())
asks("8.3", "a pseudo-header behind a field", malformed(), lambda c: fields(("x-a", "b")) + c.block())
asks("8.3", "the last pseudo-header behind a field", malformed(), lambda c: c.block("GET", "/echo", ("x-a", "b"), (":protocol", "websocket")))
for missing in (":method", ":scheme", ":path"):
    kept = [(":method", "GET"), (":scheme", "https"), (":path", "/echo")]
    asks("8.3.1", f"no {missing}", malformed(), lambda c, missing=missing, kept=kept: fields((":authority", c.authority), *[one for one in kept if one[0] != missing]))
for name, value in [(":method", "GET"), (":scheme", "https"), (":path", "/echo"), (":authority", "other")]:
    asks("8.3.1", f"{name} twice", malformed(), lambda c, name=name, value=value: fields((name, value)) + c.block())
asks("8.3.1", "an empty :path", malformed(), lambda c: c.block("GET", ""))
asks("8.3.1", "a :path that is none", malformed(), lambda c: c.block("GET", "echo"))
asks("8.3.1", "a :path with a blank and a version", malformed(), lambda c: c.block("GET", "/ HTTP/1.1\r\nx: y"))
asks("8.3.1", "a :method with a blank", malformed(), lambda c: c.block("GET /evil HTTP/1.1\r\nx:"))
asks("8.3.1", "an :authority with a user", malformed(), lambda c: fields((":method", "GET"), (":scheme", "https"), (":authority", "u@" + c.authority), (":path", "/echo")))
asks("8.3.1", "an :authority with a line end", malformed(), lambda c: fields((":method", "GET"), (":scheme", "https"), (":authority", c.authority + "\r\nx: y"), (":path", "/echo")))
asks("8.3.1", "a Host that says something else", malformed(), lambda c: c.block("GET", "/echo", ("host", "other.example")))
asks("8.3.1", "neither :authority nor Host", malformed(), lambda c: fields((":method", "GET"), (":scheme", "https"), (":path", "/echo")))
for name, length, body in [
    ("a length above the body", "2", [b"a"]),
    ("a length below the body", "1", [b"ab"]),
    ("a length above a body in pieces", "5", [b"a", b"b"]),
    ("a length below a body in pieces", "1", [b"a", b"b"]),
    ("a length and no body", "1", None),
    ("a length that is none", "x", [b"a"]),
    ("a list of lengths", "1, 1", [b"a"]),
]:
    asks("8.1.1", name, malformed(), lambda c, length=length: c.block("POST", "/echo", ("content-length", length)), body)
asks("8.1.1", "two lengths", malformed(), lambda c: c.block("POST", "/echo", ("content-length", "1"), ("content-length", "2")), [b"a"])
asks("8.5", "CONNECT", malformed(), lambda c: fields((":method", "CONNECT"), (":authority", c.authority)))
asks("8.5", "an extended CONNECT that was not offered", malformed(), lambda c: fields((":protocol", "websocket")) + c.block("CONNECT"))

# RFC 7541: blocks of fields.

asks("7541 2.3.3", "an index of nothing", connection(C), lambda c: c.block() + b"\x80")
asks("7541 2.3.3", "an index beyond the tables", connection(C), lambda c: c.block() + integer(70, 7, 0x80))
asks("7541 2.3.3", "a name beyond the tables", connection(C), lambda c: c.block() + integer(70, 4) + b"\x01a")
asks("7541 4.2", "a size of the table behind a field", connection(C), lambda c: c.block() + b"\x20")
asks("7541 4.2", "a smaller table", OK, lambda c: b"\x20" + c.block())
asks("7541 4.2", "a table that is smaller, then as large as it may be", OK, lambda c: b"\x20" + integer(4096, 5, 0x20) + c.block())
asks("7541 5.1", "an integer without an end", connection(C), lambda c: c.block() + b"\xff" + b"\xff" * 12)
asks("7541 5.2", "padding of a byte", connection(C), lambda c: c.block() + b"\x00" + coded(b"x-a") + coded(b"b", b"\xff"))
asks("7541 5.2", "padding with zeros", connection(C), lambda c: c.block() + b"\x00" + coded(b"x-a") + b"\x81\x8c")
asks("7541 5.2", "the sign that ends a string", connection(C), lambda c: c.block() + b"\x00" + coded(b"x-a") + b"\x84\xff\xff\xff\xff")
asks("7541 6.1", "a name longer than its block", connection(C), lambda c: c.block() + b"\x00\x7e\xff")
asks("7541 6.2.1", "a field that is kept", OK, lambda c: c.block() + literal("x-a", "b", 0x40) + b"\xbe")
asks("7541 6.2.3", "a field that is never kept", OK, lambda c: c.block() + literal("x-a", "b", 0x10))
asks("7541 6.3", "a table larger than was offered", connection(C), lambda c: integer(4097, 5, 0x20) + c.block())
asks("7541 B", "a field in Huffman's code", OK, lambda c: c.block() + b"\x00" + coded(b"x-a") + coded(b"b"))


def run(place):
    wrong = []
    for section, name, right, watched, begin, act in CASES:
        with Connection(place.address, place.authority, **begin) as c:
            try:
                got = act(c) or c.outcome(watched)
                if got.startswith("answered 2") and got not in right:
                    # The answer may have been quicker than what is wrong behind the request.
                    got = c.outcome(watched)
            except Over:
                got = "closed"
            except TimeoutError:
                got = "silence"
        if got not in right:
            wrong.append(f"{section}, {name}: {got}, not {' or '.join(sorted(right))}")
    print(f"  {place.name}: {len(CASES) - len(wrong)} of {len(CASES)} cases")
    equal(wrong, [], place.name)
    equal(place.get(), 200, "another client afterwards")


def test_the_gateway_speaks_http2_by_the_letter():
    run(hostile.field().gateway)


def test_a_listener_speaks_http2_by_the_letter():
    run(hostile.field().listener)


def test_what_no_other_answer_has_is_left_out_of_the_table_of_headers():
    place = hostile.field().gateway
    with Connection(place.address, place.authority) as c:
        c.settled()
        sizes, ids = [], []
        for stream_of in (1, 3, 5):
            c.ask(stream_of)
            head = c.until(lambda got: got.kind == HEADERS)
            found = {field[0]: field for field in c.decoder.decode(whole(head))}
            sizes.append(len(head.payload))
            ids.append(found["apigw-requestid"])
            equal(isinstance(found["content-type"], NeverIndexedHeaderTuple), False, "what comes again is kept")
            c.until(lambda got: got.kind == DATA and got.flags & END_STREAM)
    equal([isinstance(one, NeverIndexedHeaderTuple) for one in ids], [True] * 3)
    equal(len(set(ids)), 3)
    assert max(sizes[1:]) < sizes[0] - 20, f"blocks of {sizes} bytes"


def test_no_case_cost_the_server_anything_but_its_connection():
    hostile.field().is_unharmed()


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        hostile.close()
