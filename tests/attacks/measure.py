"""What hostile clients cost the server and its other clients: memory, time, and the 99th percentile of two bystanders.

Run by hand, with the Python of the conformance checks: `python tests/attacks/measure.py [PART-OF-A-NAME]`; the binary is
$TIDEGATE_BIN. Each attack meets a server of its own. While it runs, two bystanders in processes of their own ask every 5 ms: one
for a route of a private backend, one for a call of the API. A measurement, not a check: a shared machine delays bystanders by
itself, which the first row shows. Everything stays on loopback.
"""

import asyncio
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))

import harness
import rest
from chain import Chain
from harness import Server

MIB = 1024 * 1024
PAUSE_S = 0.005
# What a bystander waits for at most; a longer silence counts as this.
PATIENCE_S = 60
CALL = b"Action=GetCallerIdentity&Version=2011-06-15"


class Bystander:
    """A client beside the attack, in a process of its own: kept connections, a request every 5 ms."""

    def __init__(self, base, method, path, headers, body=b""):
        where = urlsplit(base)
        told = json.dumps([where.hostname, where.port, method, path, headers, body.decode()])
        self.process = subprocess.Popen([sys.executable, __file__, "--bystander", told], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"

    def end(self):
        """Milliseconds of each request, sorted, and how many were not answered 200."""
        self.process.stdin.write(b"\n")
        self.process.stdin.close()
        out = self.process.stdout.read()
        self.process.wait(PATIENCE_S)
        return json.loads(out)


def stand_by(host, port, method, path, headers, body):
    """The bystander's own process."""
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
    took, failed, connection, warm = [], 0, None, False
    while not stop.is_set():
        begin = time.monotonic()
        try:
            connection = connection or http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
            connection.request(method, path, body=body.encode() or None, headers=headers)
            answer = connection.getresponse()
            answer.read()
            failed += answer.status != 200
        except OSError:
            failed, connection = failed + 1, None
        except http.client.HTTPException:
            failed, connection = failed + 1, None
        took.append((time.monotonic() - begin) * 1000)
        if not warm and len(took) == 20:
            took, failed, warm = [], 0, True
            print("ready", flush=True)
        time.sleep(PAUSE_S)
    print(json.dumps({"took": sorted(took), "failed": failed}))


def signed():
    """Headers of a call in development mode, which wants a signature's form and does not check it."""
    now = time.gmtime()
    scope = time.strftime("test/%Y%m%d/us-east-1/sts/aws4_request", now)
    return {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", now),
        "Content-Type": "application/x-www-form-urlencoded",
    }


class Quick:
    """A backend in a process of its own, that answers at once: 8 MiB to `/large`, a mebibyte to `/mebibyte` and in chunks of one byte to `/crumbs`, else a word."""

    started = []

    def __init__(self, name):
        self.started.append(self)
        self.process = subprocess.Popen([sys.executable, __file__, "--backend"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.address = f"127.0.0.1:{int(self.process.stdout.readline())}"

    def kill(self):
        self.process.kill()
        self.process.wait()


class Answers(asyncio.Protocol):
    """HTTP/1.1 as far as the load balancer speaks it to this backend: requests without a body, one after another."""

    def connection_made(self, transport):
        self.transport, self.read = transport, b""

    def data_received(self, data):
        self.read += data
        while b"\r\n\r\n" in self.read:
            head, self.read = self.read.split(b"\r\n\r\n", 1)
            line = head.split(b"\r\n", 1)[0]
            if b" /crumbs" in line:
                self.transport.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * MIB + b"0\r\n\r\n")
                continue
            body = bytes(8 * MIB) if b" /large" in line else bytes(MIB) if b" /mebibyte" in line else b"well"
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def answer():
    """The backend's own process."""
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Field:
    """A server, a private route for the bystander, and the server's figures."""

    def __init__(self):
        self.server = Server()
        self.chain = Chain(self.server, name="calm", backend=Quick)
        self.pid = self.server.process.pid
        where = urlsplit(self.server.public)
        self.address = (where.hostname, where.port)

    def status(self, name):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) // 1024
        return 0

    def connect(self):
        return socket.create_connection(self.address, timeout=PATIENCE_S)

    def close(self):
        for backend in Quick.started:
            backend.kill()
        self.server.close()


def measured(name, attack):
    """Prints the row of one attack."""
    field = Field()
    try:
        aim = attack(field)
        Path(f"/proc/{field.pid}/clear_refs").write_text("5")
        before = field.status("VmRSS")
        bystanders = [
            Bystander(field.server.public, "GET", "/hello", {"Host": field.chain.host()}),
            Bystander(field.server.api, "POST", "/", signed(), CALL),
        ]
        begin = time.monotonic()
        outcome = aim()
        took = time.monotonic() - begin
        cells = []
        for bystander in bystanders:
            seen = bystander.end()
            sample = seen["took"] or [0]
            p99 = sample[min(len(sample) - 1, len(sample) * 99 // 100)]
            cells.append(f"{p99:.0f} / {sample[-1]:.0f} of {len(sample)}" + (f", {seen['failed']} failed" if seen["failed"] else ""))
        alive = "" if field.server.process.poll() is None else " **the server is gone**"
        print(f"| {name} | {took:.2f} | {before} -> {field.status('VmHWM')} | {cells[0]} | {cells[1]} | {outcome}{alive} |", flush=True)
    finally:
        field.close()


def validated(field, model):
    """A REST method that judges bodies by a model, and a function that posts to it."""
    api = rest.Api(field.server, "attacked")
    api.rest.create_model(restApiId=api.id, name="judge", contentType="application/json", schema=json.dumps(model))
    made = api.rest.create_request_validator(restApiId=api.id, name="bodies", validateRequestBody=True)
    api.mock("POST /judge", requestModels={"application/json": "judge"}, requestValidatorId=made["id"])
    split = '#foreach($part in $input.path("$.t").split(","))#set($rest = $part.split(","))#end{"statusCode": 200}'
    api.mock("POST /split", requests=split)
    api.rest.create_deployment(restApiId=api.id, stageName=rest.STAGE)
    host = f"{api.id}.execute-api.{harness.REGION}.localhost"

    def post(path, body):
        answer = harness.request(field.server.public, f"/{rest.STAGE}{path}", "POST", host, {"Content-Type": "application/json"}, body)
        return answer.status

    post.host = host
    assert post("/judge", "[]") == 200
    return post


def at_once(count, work):
    """Runs the same in as many threads; what came of each, counted."""
    results, lock = {}, threading.Lock()

    def one():
        try:
            got = work()
        except OSError as error:
            got = type(error).__name__
        with lock:
            results[got] = results.get(got, 0) + 1

    threads = [threading.Thread(target=one) for _ in range(count)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return ", ".join(f"{count} x {got}" for got, count in sorted(results.items(), key=str))


def head(host, path="/hello", method="POST", **headers):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"] + [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def status_of(stream):
    """The status of the next answer, or how the connection ended."""
    try:
        line = stream.recv(64).split(b" ")
    except TimeoutError:
        return "silence"
    return line[1].decode() if len(line) > 1 else "closed"


def nothing(field):
    def aim():
        time.sleep(5)
        return "nobody attacks"

    return aim


def idle_announcers(field):
    post = validated(field, {"type": "array"})

    def aim():
        held = [field.connect() for _ in range(64)]
        for stream in held:
            stream.sendall(head(post.host, f"/{rest.STAGE}/judge", Content_Type="application/json", Content_Length=10 * MIB))
        begin = time.monotonic()
        got = [post("/judge", "[1]") for _ in range(50)]
        took = (time.monotonic() - begin) / 50 * 1000
        [stream.close() for stream in held]
        return f"other bodies: {set(got)}, {took:.0f} ms each"

    return aim


def crumbs(field):
    post = validated(field, {"type": "array"})
    body = b"1\r\na\r\n" * 65_536

    def one():
        with closing(field.connect()) as stream:
            stream.sendall(head(post.host, f"/{rest.STAGE}/judge", Content_Type="application/json", Transfer_Encoding="chunked"))
            try:
                for _ in range(128):
                    stream.sendall(body)
                stream.sendall(b"0\r\n\r\n")
            except OSError:
                pass
            return status_of(stream)

    return lambda: at_once(8, one)


def long_sizes(field):
    host = field.chain.host()
    chunk = b"0" * 4000 + b"1\r\na\r\n"

    def one():
        with closing(field.connect()) as stream:
            stream.sendall(head(host, Transfer_Encoding="chunked"))
            try:
                for _ in range(2000):
                    stream.sendall(chunk)
            except OSError:
                pass
            return status_of(stream)

    return lambda: at_once(4, one)


def documents(field):
    """OpenAPI documents whose reading once grew faster than they do."""
    client = field.server.clients().apigateway
    aliases = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    models = {f"m{i:04}": {"$ref": f"#/components/schemas/m{i + 1:04}"} for i in range(1500)} | {"m1500": {"type": "string"}}
    base = {"openapi": "3.0.1", "info": {"title": "t", "version": "1"}, "paths": {}}
    paths = {f"/p{i}": {"get": {"responses": {"200": {"description": "x"}}}} for i in range(2000)}
    bodies = {
        "brackets": b"[" * 250_000,
        "aliases": ("openapi: 3.0.1\ninfo: {title: t, version: '1'}\npaths: {}\n" + aliases).encode(),
        "models": json.dumps(base | {"components": {"schemas": models}}).encode(),
        "paths": json.dumps(base | {"paths": paths}).encode(),
    }

    def aim():
        told = []
        for name, body in bodies.items():
            begin = time.monotonic()
            try:
                client.import_rest_api(body=body)
                came = "taken"
            except client.exceptions.ClientError as error:
                came = error.response["Error"]["Code"]
            told.append(f"{name} {time.monotonic() - begin:.2f} s {came}")
        return ", ".join(told)

    return aim


def numbers(field):
    post = validated(field, {"type": "array", "items": {"type": "string"}})
    body = "[" + ",".join(["1"] * 2_500_000) + "]"
    return lambda: at_once(4, lambda: post("/judge", body))


def commas(field):
    post = validated(field, {"type": "array"})
    body = json.dumps({"t": "," * 100_000})
    return lambda: at_once(8, lambda: post("/split", body))


def readers_of_nothing(field):
    host = Chain(field.server, name="large", backend=Quick).host()

    def aim():
        held = [field.connect() for _ in range(250)]
        for stream in held:
            stream.sendall(head(host, "/large", "GET"))
        time.sleep(5)
        [stream.close() for stream in held]
        return "250 held for 5 s"

    return aim


def frame(kind, flags, stream, payload=b""):
    """A frame of HTTP/2 (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def field_line(name, value):
    """A header that no table keeps (RFC 7541, section 6.2.2); shorter than 127 bytes."""
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def closed_windows(field):
    """HTTP/2 clients that let nothing of what they asked for be sent."""
    host = Chain(field.server, name="large", backend=Quick).host()
    names = {":method": "GET", ":scheme": "http", ":path": "/mebibyte", ":authority": host}
    asked = b"".join(field_line(name, value) for name, value in names.items())
    begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, (4).to_bytes(2) + (0).to_bytes(4))

    def aim():
        held = [field.connect() for _ in range(10)]
        for stream in held:
            stream.sendall(begin + b"".join(frame(1, 5, 2 * at + 1, asked) for at in range(50)))
        time.sleep(5)
        [stream.close() for stream in held]
        return "10 connections of 50 streams held for 5 s"

    return aim


def crumbs_of_targets(field):
    host = Chain(field.server, name="crumbs", backend=Quick).host()

    def one():
        with closing(field.connect()) as stream:
            stream.sendall(head(host, "/crumbs", "GET", Connection="close"))
            count = 0
            while got := stream.recv(65_536):
                count += len(got)
            return f"{count // MIB} MiB"

    return lambda: at_once(8, one)


def drips(field):
    post = validated(field, {"type": "array"})

    def aim():
        held = [field.connect() for _ in range(100)]
        for stream in held:
            stream.sendall(head(post.host, f"/{rest.STAGE}/judge", Content_Type="application/json", Content_Length=1 * MIB))
        for _ in range(5):
            time.sleep(1)
            for stream in held:
                try:
                    stream.sendall(b"[")
                except OSError:
                    pass
        other = post("/judge", "[]")
        [stream.close() for stream in held]
        return f"100 drip for 5 s; another's body: {other}"

    return aim


def silent(field):
    def aim():
        held = []
        for _ in range(1100):
            try:
                held.append(field.connect())
            except OSError:
                break
        time.sleep(3)
        fresh = harness.request(field.server.public, "/hello", host=field.chain.host()).status
        [stream.close() for stream in held]
        return f"{len(held)} connected, a new client: {fresh}"

    return aim


def names(field):
    where = urlsplit(field.server.ready["public_tls"])
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def one(name):
        with closing(socket.create_connection((where.hostname, where.port), timeout=10)) as raw:
            try:
                context.wrap_socket(raw, server_hostname=name).close()
                return "shaken"
            except (ssl.SSLError, OSError):
                return "refused"

    def aim():
        got = [one(f"a{i}.execute-api.xx-made-{i}.localhost") for i in range(300)]
        real = one(f"{field.chain.stack['api']}.execute-api.{harness.REGION}.localhost")
        return f"300 made-up regions: {got.count('shaken')} shaken; the real one: {real}"

    return aim


def heads(field):
    """Requests that the parser refuses, as fast as four connections can send them."""
    raw = b'GET /?filter={"a":1} HTTP/1.1\r\nHost: x\r\n\r\n'

    def one():
        end = time.monotonic() + 5
        while time.monotonic() < end:
            with closing(field.connect()) as stream:
                stream.sendall(raw)
                got = status_of(stream)
        return got

    return lambda: at_once(4, one)


ATTACKS = {
    "nothing": nothing,
    "64 idle POSTs that announce 10 MiB": idle_announcers,
    "8 MiB in chunks of one byte, eight at once": crumbs,
    "chunk sizes with 4,000 zeros, four at once": long_sizes,
    "OpenAPI: 250 KB of `[`, aliases, 1,500 models, 2,000 paths": documents,
    "5 MB of numbers against `items: string`, four at once": numbers,
    "`split` of 100,000 commas, eight at once": commas,
    "250 clients read nothing of 8 MiB": readers_of_nothing,
    "500 HTTP/2 streams with windows of 0": closed_windows,
    "a target's mebibyte in chunks of one byte, eight at once": crumbs_of_targets,
    "100 bodies that drip": drips,
    "1,100 silent clients at a soft limit of 1,024": silent,
    "300 made-up server names": names,
    "unreadable heads, four connections": heads,
}


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    print("| attack | s | MiB before -> most | a route: p99 / longest ms | the API: p99 / longest ms | what came of it |")
    print("|---|---|---|---|---|---|")
    for name, attack in ATTACKS.items():
        if only in name:
            measured(name, attack)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bystander"]:
        stand_by(*json.loads(sys.argv[2]))
    elif sys.argv[1:2] == ["--backend"]:
        asyncio.run(answer())
    else:
        main()
