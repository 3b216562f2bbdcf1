"""WebSockets through a load balancer, by a real client and a real server: what follows the upgrade is theirs alone."""

import asyncio
import http.client
import socket
import threading
from urllib.parse import urlsplit

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

import harness
from chain import Chain
from harness import equal


class Sockets:
    """A WebSocket server that answers what it is sent; it compresses, and refuses the path /refused."""

    def __init__(self, name):
        self.name, self.loop, self.port = name, asyncio.new_event_loop(), None
        started = threading.Event()
        threading.Thread(target=self.run, args=(started,), daemon=True).start()
        started.wait(10)

    def run(self, started):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.listen(started))
        self.loop.run_forever()

    async def listen(self, started):
        async def echo(connection):
            await connection.send(self.name + " " + connection.request.headers["X-Forwarded-For"])
            async for message in connection:
                await connection.send(message)

        def process(connection, request):
            if request.path in ("/health", "/refused"):
                return connection.respond(200 if request.path == "/health" else 403, "no\n")
            return None

        self.server = await serve(echo, "127.0.0.1", 0, process_request=process, compression="deflate")
        self.port = self.server.sockets[0].getsockname()[1]
        started.set()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def kill(self):
        self.loop.call_soon_threadsafe(self.loop.stop)


def test_websockets_are_carried_both_ways():
    chain = Chain(harness.server(), name="websocket", backend=Sockets)
    try:
        opened = chain.server.tidegate(
            "attach", "--listen", chain.stack["listener"], "127.0.0.1:0", "--security-group", chain.stack["link_sg"]
        ).json
        url = opened["url"].replace("http://", "ws://")

        async def talk():
            async with connect(url + "/chat?room=1", compression="deflate") as one:
                first = await one.recv()
                equal(first.split()[0] in ("websocket-a", "websocket-b"), True, first)
                equal(first.split()[1], opened["private_ip"])
                equal([type(it).__name__ for it in one.protocol.extensions], ["PerMessageDeflate"])
                for message in ("hello", "x" * 1_000_000, b"\x00\x01" * 70_000):
                    await one.send(message)
                    equal(await one.recv() == message, True, "the same comes back")
                async with connect(url + "/chat") as other:
                    await other.recv()
                    await asyncio.gather(*(it.send("both") for it in (one, other)))
                    equal([await it.recv() for it in (one, other)], ["both", "both"])
                pong = await one.ping()
                await asyncio.wait_for(pong, 10)
            equal(one.close_code, 1000)
            try:
                async with connect(url + "/refused"):
                    raise AssertionError("it was refused")
            except websockets.InvalidStatus as refused:
                equal(refused.response.status_code, 403)

        asyncio.run(talk())
        answer = chain.get("/hello", headers={"Connection": "upgrade", "Upgrade": "websocket"})
        equal(answer.status, 426, "an HTTP API carries no upgrade: the server sees a plain request")
    finally:
        chain.close()


def test_what_is_sent_before_the_target_agrees_is_held_back():
    chain = Chain(harness.server(), name="websocket-early")
    try:
        opened = chain.server.tidegate(
            "attach", "--listen", chain.stack["listener"], "127.0.0.1:0", "--security-group", chain.stack["link_sg"]
        ).json
        where = urlsplit(opened["url"])
        with socket.create_connection((where.hostname, where.port), timeout=20) as stream:
            head = "GET /first HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            stream.sendall((head + "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n").encode())
            answer = http.client.HTTPResponse(stream)
            answer.begin()
            equal((answer.status, answer.getheader("Connection")), (200, "close"))
            equal(b'"path": "/first"' in answer.read(), True)
            equal(stream.recv(1000), b"", "nothing follows")
    finally:
        chain.close()


harness.main()
