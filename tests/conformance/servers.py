"""Real servers as targets, each behind a tap that keeps what went each way, and both sides of a tap read strictly: what the load balancer
believes that it sent, and what the server believes that it was asked."""

import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from accepting import Accepting

READY_S = 20

WSGI = '''
import json

def app(environ, start):
    body = environ["wsgi.input"].read() if environ.get("wsgi.input_terminated") or environ.get("CONTENT_LENGTH") else b""
    line = environ["REQUEST_METHOD"] + " " + (environ.get("RAW_URI") or environ.get("REQUEST_URI"))
    told = json.dumps({"line": line, "body": body.decode("latin-1")}).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(told)))])
    return [told]
'''
ASGI = '''
import json

async def app(scope, receive, send):
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    told = json.dumps({"line": scope["method"] + " " + target.decode(), "body": body.decode("latin-1")}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(told)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": told})
'''
TORNADO = '''
import asyncio, json, sys
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

class Echo(RequestHandler):
    def prepare(self):
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"line": f"{self.request.method} {self.request.uri}", "body": self.request.body.decode("latin-1")}))

async def main():
    HTTPServer(Application([(".*", Echo)])).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
'''
NODE = '''
const http = require("http");
http.createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const told = JSON.stringify({ line: `${request.method} ${request.url}`, body: Buffer.concat(pieces).toString("latin1") });
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(told) });
    response.end(told);
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
'''
NGINX = '''
daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; keepalive_requests 100000; default_type application/json;
  client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
  upstream behind {{ server {behind}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{port}; {what}
  }}
}}
'''
NGINX_ANSWERS = """location / { return 200 '{"line":"$request_method $request_uri"}'; }"""
NGINX_PASSES = 'location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; }'
HAPROXY = '''
global
  stats timeout 1s
defaults
  mode http
  timeout client 20s
  timeout server 20s
  timeout connect 5s
  timeout http-request 20s
frontend front
  bind 127.0.0.1:{port}
  {what}
'''
HAPROXY_ANSWERS = """http-request return status 200 content-type application/json lf-string '{"line":"%[method] %[url]"}'"""
HAPROXY_PASSES = "default_backend behind\nbackend behind\n  http-reuse always\n  server one {behind}"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


class Program:
    """A server in a process of its own, on a free port."""

    def __init__(self, name, behind="127.0.0.1:9"):
        self.name, self.port, self.scratch = name, free_port(), tempfile.mkdtemp(prefix=f"tidegate-{name}-")
        self.log = open(Path(self.scratch, "log"), "wb")
        command = getattr(self, name.replace("-", "_"))(behind)
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, cwd=self.scratch)
        deadline = time.monotonic() + READY_S
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline and self.process.poll() is None, f"{name}: {self.told()}"
                time.sleep(0.05)

    def told(self):
        return Path(self.scratch, "log").read_text(errors="replace")[-2000:]

    def write(self, name, text):
        path = Path(self.scratch, name)
        path.write_text(text)
        return str(path)

    def nginx(self, behind, what=NGINX_ANSWERS):
        made = NGINX.format(dir=self.scratch, port=self.port, what=what, behind=behind)
        return [program("nginx"), "-c", self.write("nginx.conf", made), "-e", f"{self.scratch}/error.log"]

    def nginx_front(self, behind):
        return self.nginx(behind, NGINX_PASSES)

    def haproxy(self, behind, what=HAPROXY_ANSWERS):
        return [program("haproxy"), "-q", "-db", "-f", self.write("haproxy.cfg", HAPROXY.format(port=self.port, what=what))]

    def haproxy_front(self, behind):
        return self.haproxy(behind, HAPROXY_PASSES.format(behind=behind))

    def gunicorn(self, _):
        self.write("told.py", WSGI)
        options = ["-w", "1", "-k", "gthread", "--threads", "8", "--keep-alive", "60", "-b", f"127.0.0.1:{self.port}"]
        return [sys.executable, "-m", "gunicorn", *options, "told:app"]

    def waitress(self, _):
        self.write("told.py", WSGI)
        return [sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{self.port}", "--channel-timeout=60", "told:app"]

    def uvicorn(self, _):
        self.write("told.py", ASGI)
        options = ["--http", "h11", "--timeout-keep-alive", "60", "--port", str(self.port), "--lifespan", "off"]
        return [sys.executable, "-m", "uvicorn", *options, "told:app"]

    def tornado(self, _):
        return [sys.executable, self.write("told.py", TORNADO), str(self.port)]

    def node(self, _):
        return ["node", self.write("told.js", NODE), str(self.port)]

    def kill(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.log.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


def program(name):
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    assert found, f"{name} is not installed"
    return found


class Tap(Accepting):
    """Hands connections on to a server and keeps what went each way."""

    def __init__(self, port):
        self.behind, self.kept = port, []
        super().__init__()

    def serve(self, near):
        kept = SimpleNamespace(asked=bytearray(), answered=bytearray())
        self.kept.append(kept)
        with near, socket.create_connection(("127.0.0.1", self.behind)) as far:
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while True:
                    for one in select.select([near, far], [], [])[0]:
                        data = one.recv(65536)
                        if not data:
                            return
                        (kept.asked if one is near else kept.answered).extend(data)
                        (far if one is near else near).sendall(data)
            except OSError:
                return

    def kill(self):
        self.listening.close()


class Odd(Exception):
    """Bytes that are not what they should be, behind the requests that are."""

    def __init__(self, what, found=()):
        super().__init__(what)
        self.found = list(found)


TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
LINE = re.compile(rb"(" + TOKEN + rb") (/[\x21-\x7e\x80-\xff]*) HTTP/1\.1\r\n")
FIELD = re.compile(rb"(" + TOKEN + rb"): ?([\x20-\x7e\x80-\xff\t]*)\r\n")


def requests(data):
    """What was sent, read as strictly as can be. The last one may have been given up within: `whole` says so."""
    found = []
    try:
        read(bytes(data), found)
    except Odd as odd:
        raise Odd(odd, found) from None
    return found


def read(data, found):
    at = 0
    while at < len(data):
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            break
        head = data[at : end + 2]
        line = LINE.match(head)
        if not line:
            raise Odd(f"a request line: {head[:200]!r}")
        fields, place = [], line.end()
        while place < len(head):
            field = FIELD.match(head, place)
            if not field:
                raise Odd(f"a field: {head[place : place + 200]!r}")
            fields.append((field[1].lower().decode(), field[2].decode("latin-1")))
            place = field.end()
        framing = [value for name, value in fields if name in ("content-length", "transfer-encoding")]
        hosts = [value for name, value in fields if name == "host"]
        if len(framing) > 1 or len(hosts) != 1 or (framing and not re.fullmatch(r"\d+|chunked", framing[0])):
            raise Odd(f"its framing or host: {head!r}")
        body, at, is_whole = sent_body(data, end + 4, framing)
        asked = SimpleNamespace(line=f"{line[1].decode()} {line[2].decode('latin-1')}", fields=fields, body=body, whole=is_whole)
        found.append(asked)
        if not is_whole:
            break


def sent_body(data, at, framing):
    if not framing:
        return b"", at, True
    if framing[0] != "chunked":
        length = int(framing[0])
        return data[at : at + length], at + length, len(data) >= at + length
    body = b""
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return body, len(data), False
        if not re.fullmatch(rb"[0-9a-f]+", data[at:end]):
            raise Odd(f"a chunk: {data[at:end][:100]!r}")
        size, at = int(data[at:end], 16), end + 2
        if size == 0:
            while (end := data.find(b"\r\n", at)) > at:
                at = end + 2
            return body, end + 2, end >= 0
        if len(data) < at + size + 2:
            return body + data[at:], len(data), False
        body, at = body + data[at : at + size], at + size + 2
        if data[at - 2 : at] != b"\r\n":
            raise Odd("a chunk goes on")


def answers(data, asked):
    """What a server answered to requests that were sent on one connection, as status and what it was told."""
    data, at, found = bytes(data), 0, []
    for request in [*asked, None]:
        while True:
            end = data.find(b"\r\n\r\n", at)
            if end < 0:
                return found
            head = data[at:end].decode("latin-1")
            status = int(head.split(" ", 2)[1])
            if status >= 200:
                break
            at = end + 4
        fields = dict((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:]))
        at = end + 4
        if (request and request.line.startswith("HEAD ")) or status in (204, 304):
            body = b""
        elif "chunked" in fields.get("transfer-encoding", ""):
            body, at, _ = sent_body(data, at, ["chunked"])
        else:
            length = int(fields.get("content-length", len(data) - at))
            body, at = data[at : at + length], at + length
        found.append(SimpleNamespace(status=status, told=told_in(body)))
    return found


def told_in(body):
    """The request line and the body that a server says it saw."""
    try:
        told = json.loads(body)
        return told["line"], told.get("body")
    except (ValueError, KeyError, TypeError):
        return None


def disagreements(tap):
    """Where a server saw something else than was sent to it, with how many requests both agree on."""
    wrong, agreed = [], 0
    for kept in tap.kept:
        try:
            asked = requests(kept.asked)
        except Odd as odd:
            wrong.append(f"sent {odd}")
            continue
        got = answers(kept.answered, asked)
        if len(got) > len(asked):
            wrong.append(f"{len(asked)} requests and {len(got)} answers: {[one.line for one in asked][-3:]}")
        for request, answer in zip(asked, got):
            if not answer.told:
                continue
            line, body = answer.told
            agreed += 1
            if line != request.line:
                wrong.append(f"sent {request.line!r}, seen {line!r}")
            if body is not None and request.whole and body != request.body.decode("latin-1"):
                wrong.append(f"{request.line}: sent the body {request.body!r}, seen {body!r}")
    return wrong, agreed
