"""A path between agents and a gateway that a script can cut, for all of it or for lanes of one kind: a forwarder on loopback. What a connection is for stands
readable in its first bytes (ALPN), everything else is TLS and passes untouched."""

import asyncio
import threading
from urllib.parse import urlsplit

CONTROL, DATA, ENROLMENT = "control", "data", "enrolment"
ALL = frozenset((CONTROL, DATA, ENROLMENT))
# Bytes that wait on their way at most, for each direction.
CHUNK = 64 * 1024
OPEN_S = 10


def purpose(hello):
    """What a connection is for, by its first bytes."""
    if b"tidegate-data/" in hello:
        return DATA
    return ENROLMENT if b"tidegate-enrol/" in hello else CONTROL


class Path:
    """A path to `to` (HOST:PORT), at `address`."""

    def __init__(self, to):
        where = urlsplit(f"//{to}")
        self.to, self.lanes, self.is_cut, self.is_still = (where.hostname, where.port), {}, frozenset(), frozenset()
        self.loop, self.moves = asyncio.new_event_loop(), None
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self.do(self.open())
        self.address = "127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]

    def do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(OPEN_S)

    async def open(self):
        self.moves = asyncio.Event()
        self.moves.set()
        return await asyncio.start_server(self.carry, "127.0.0.1", 0, backlog=2048, limit=CHUNK)

    async def carry(self, reader, writer):
        ends = [writer]
        try:
            hello = await reader.read(CHUNK)
            kind = purpose(hello)
            if not hello or kind in self.is_cut:
                return
            there, back = await asyncio.open_connection(*self.to, limit=CHUNK)
            ends.append(back)
            self.lanes[writer] = (kind, ends)
            back.write(hello)
            ways = [asyncio.ensure_future(self.pump(*way, kind)) for way in ((reader, back), (there, writer))]
            # An end of either is the end of both, as of a lane.
            _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in left:
                way.cancel()
        except OSError:
            pass
        finally:
            self.lanes.pop(writer, None)
            for end in ends:
                end.close()

    async def pump(self, reader, writer, kind):
        try:
            while data := await reader.read(CHUNK):
                while kind in self.is_still:
                    await self.moves.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass

    def cut(self, kinds=ALL):
        """Breaks lanes of these kinds, and lets none through until it is mended."""

        async def breaking():
            self.is_cut = frozenset(kinds)
            for kind, ends in list(self.lanes.values()):
                if kind in self.is_cut:
                    for end in ends:
                        end.transport.abort()

        self.do(breaking())

    def still(self, kinds=ALL):
        """Nothing moves on lanes of these kinds, and nothing is broken, until it is mended."""

        async def stilling():
            self.moves.clear()
            self.is_still = frozenset(kinds)

        self.do(stilling())

    def mend(self):
        async def mending():
            self.is_cut = self.is_still = frozenset()
            self.moves.set()

        self.do(mending())

    def open_lanes(self, kind):
        """How many there are of a kind."""
        return sum(1 for found, _ in list(self.lanes.values()) if found == kind)

    def close(self):
        self.cut()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(OPEN_S)
