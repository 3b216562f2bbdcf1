"""HTTP/2 clients that mean harm: resets by the thousand (CVE-2023-44487), blocks of fields without an end, floods of what must be answered,
windows that never open, tables that unfold. Whatever comes: the server's memory stays within a bound, and others are served meanwhile."""

import threading
import time

import harness
import hostile
from frames import *
from harness import equal

MIB = hostile.MIB
# How long an attack may write at most, and how long a bystander may wait under it. A test machine has two cores, and a debug build is slow.
ATTACK_S, PATIENCE_S = 1, 8
BOUND_MIB = 96


class Bystander:
    """Asks both doors in turn until it is told to stop, each time over a new connection."""

    def __init__(self, field):
        self.field, self.stopped, self.took, self.wrong = field, threading.Event(), [], []
        self.thread = threading.Thread(target=self.ask)
        self.thread.start()

    def ask(self):
        while not self.stopped.is_set():
            for place in (self.field.gateway, self.field.listener):
                start = time.monotonic()
                try:
                    status = place.get()
                except OSError as error:
                    status = repr(error)
                self.took.append(time.monotonic() - start)
                if status != 200:
                    self.wrong.append((place.name, status))

    def end(self):
        self.stopped.set()
        self.thread.join()
        return max(self.took)


def against_both(name, attack, bound_mib=BOUND_MIB):
    field = hostile.field()
    for place in (field.gateway, field.listener):
        place.get()
        before, bystander = field.resident(), Bystander(field)
        try:
            told = attack(place)
            grown = (field.resident() - before) / MIB
        finally:
            longest = bystander.end()
        print(f"  {name}, {place.name}: {told}; {grown:+.0f} MiB; bystander {len(bystander.took)} times, {longest * 1000:.0f} ms at most")
        equal(bystander.wrong, [], f"{name}: a bystander")
        assert longest < PATIENCE_S, f"{name}: a bystander waited {longest:.1f} s"
        assert grown < bound_mib, f"{name}: the server grew by {grown:.0f} MiB"
    field.is_unharmed()


class Flood(Connection):
    """A connection that writes without end and reads nothing until it is asked to."""

    def pour(self, pieces, limit_s=ATTACK_S):
        """Writes pieces until the time is over, the other end has closed, or takes nothing more; how many bytes went."""
        self.socket.settimeout(limit_s)
        deadline, went = time.monotonic() + limit_s, 0
        for piece in pieces:
            if time.monotonic() > deadline:
                break
            try:
                self.socket.sendall(piece)
            except TimeoutError:
                break
            except OSError:
                break
            went += len(piece)
        self.socket.settimeout(hostile.PATIENCE_S)
        return went


def last_word(c):
    """The error with which the server ends the connection, if it does."""
    try:
        got = c.until(lambda got: got.kind == GOAWAY)
        return f"goaway {named(got.payload[4:8])}"
    except Over:
        return "closed"
    except TimeoutError:
        return "open"


CANCEL = b"\0\0\0\x08"


def resets(name, pair, right):
    """Requests that are undone at once, by the hundred; few may get as far as a target."""

    def attack(place):
        hostile.field().forget()
        with Flood(place.address, place.authority) as c:
            c.settled()
            batches = (range(first, first + 200, 2) for first in range(1, 40_000, 200))
            went = c.pour(b"".join(pair(c, one) for one in batch) for batch in batches)
            word = last_word(c)
        reached = hostile.field().count("/echo")
        equal(word, right)
        assert reached < 1_000, f"{reached} requests reached a target"
        return f"{word} after {went // len(pair(c, 1))} pairs at most, {reached} requests reached targets"

    against_both(name, attack)


def test_resets_by_the_thousand():
    right = "goaway ENHANCE_YOUR_CALM"
    asked = lambda c, one: frame(HEADERS, END_HEADERS | END_STREAM, one, c.block())
    resets("rapid reset", lambda c, one: asked(c, one) + frame(RST_STREAM, 0, one, CANCEL), right)
    # The server is made to do it itself (CVE-2025-8671): each of these is an error of its stream.
    begun = lambda c, one: frame(HEADERS, END_HEADERS, one, c.block("POST"))
    resets("made-you-reset", lambda c, one: begun(c, one) + frame(WINDOW_UPDATE, 0, one, b"\x7f\xff\xff\xff"), right)


def test_resets_that_wait_until_their_request_is_under_way():
    def attack(place):
        hostile.field().forget()
        with Connection(place.address, place.authority) as c:
            c.settled()
            for one in range(1, 601, 2):
                c.ask(one, "GET", "/large")
                assert c.alive()
                c.send(RST_STREAM, 0, one, CANCEL)
            assert c.alive()
        return f"{hostile.field().count('/large')} of 300 requests reached targets"

    against_both("paced resets", attack)


def test_blocks_without_an_end():
    def attack(place):
        words = []
        for payload in (fields(("x-a", "b" * 16_000)), fields(("a", "")), b""):
            with Flood(place.address, place.authority) as c:
                c.settled()
                c.send(HEADERS, END_STREAM, 1, c.block())
                piece = frame(CONTINUATION, 0, 1, payload)
                went = c.pour(piece * max(1, 4096 // len(piece)) for _ in range(20_000))
                words.append((last_word(c), went // 1024))
        for word, _ in words:
            assert word in ("goaway ENHANCE_YOUR_CALM", "goaway PROTOCOL_ERROR", "closed"), words
        return f"large, small and empty: {words} KiB"

    against_both("CONTINUATION flood", attack)


def flood(name, piece, right, first=None):
    def attack(place):
        with Flood(place.address, place.authority) as c:
            c.settled()
            if first:
                c.raw(first(c))
            went = c.pour(piece(c) * 64 for _ in range(20_000))
            word = last_word(c) if right != {"open"} else "open"
        assert word in right, f"{name}: {word}"
        return f"{word} after {went // 1024} KiB"

    against_both(name, attack)


def test_floods_of_what_must_be_answered():
    flood("PING flood", lambda c: frame(PING, 0, 0, bytes(8)), {"open"})
    flood("SETTINGS flood", lambda c: frame(SETTINGS, 0, 0, setting((INITIAL_WINDOW_SIZE, 65535))), {"open"})


def test_floods_of_what_says_nothing():
    begun = lambda c: frame(HEADERS, END_HEADERS, 1, c.block("POST"))
    calm = {"goaway ENHANCE_YOUR_CALM"}
    flood("empty DATA flood", lambda c: frame(DATA, 0, 1), calm, begun)
    flood("padding flood", lambda c: frame(DATA, PADDED, 1, b"\xff" + bytes(255)), {"goaway FLOW_CONTROL_ERROR", "goaway ENHANCE_YOUR_CALM", "open"}, begun)
    flood("PRIORITY flood", lambda c: frame(PRIORITY, 0, 3, bytes(4) + b"\x10"), {"open"})
    flood("WINDOW_UPDATE flood", lambda c: frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\x01"), {"open"})
    flood("flood of unknown frames", lambda c: frame(0x16, 0, 0, bytes(1000)), {"open"})


def test_answers_that_nobody_takes():
    def attack(place):
        closed = setting((INITIAL_WINDOW_SIZE, 0))
        wide = setting((INITIAL_WINDOW_SIZE, WINDOW_MAX))
        held = [Connection(place.address, place.authority, settings=closed if at % 2 else wide) for at in range(8)]
        try:
            for at, c in enumerate(held):
                c.settled()
                if at % 2 == 0:
                    c.send(WINDOW_UPDATE, 0, 0, b"\x7f\xff\0\0")
                for one in range(60):
                    c.ask(2 * one + 1, "GET", "/large")
            wanted = 8 * 60
            harness.until("every request at a target", lambda: hostile.field().count("/large") >= wanted, 30)
            return f"{wanted} answers of a MiB each are owed"
        finally:
            for c in held:
                c.close()
            hostile.field().forget()

    against_both("windows that never open, and sockets that nobody reads", attack, 200)


def test_tables_that_unfold():
    def attack(place):
        outcomes = []
        for value, times in (("b" * 4000, 15_000), ("", 16_000)):
            with Connection(place.address, place.authority) as c:
                c.settled()
                block = c.block() + literal("x-a", value, 0x40) + b"\xbe" * times
                first, rest = block[:FRAME_BYTES], block[FRAME_BYTES:]
                c.send(HEADERS, END_STREAM | (0 if rest else END_HEADERS), 1, first)
                if rest:
                    c.send(CONTINUATION, END_HEADERS, 1, rest)
                outcomes.append(c.outcome())
        for outcome in outcomes:
            assert outcome in ("answered 431", "answered 400", "reset PROTOCOL_ERROR", "reset REFUSED_STREAM") or outcome.startswith("goaway"), outcomes
        return str(outcomes)

    against_both("HPACK bombs", attack)


def test_frames_that_never_end():
    def attack(place):
        held = [Connection(place.address, place.authority) for _ in range(40)]
        try:
            for c in held:
                c.settled()
                c.raw(frame(HEADERS, END_HEADERS, 1, c.block("POST")) + frame(DATA, 0, 1, b"abc", length=FRAME_BYTES))
            return f"{len(held)} connections wait within a frame"
        finally:
            for c in held:
                c.close()

    against_both("frames that never end", attack)


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        hostile.close()
