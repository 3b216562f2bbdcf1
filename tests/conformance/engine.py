"""An engine of containers as clients of Docker's API (1.44) see it, for one image: what it starts is the built program itself, on the network of
this machine, which is what `--network host` means. It has no images, namespaces or limits."""

import contextlib
import json
import os
import re
import struct
import subprocess
import tempfile
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import harness

API = "1.44"
OUT, ERR = 1, 2
LOGS = "application/vnd.docker.multiplexed-stream"


def frame(stream, said):
    return struct.pack(">BxxxL", stream, len(said)) + said


class Engine:
    """Serves until it is closed; `made` is what clients asked to be made, by id."""

    def __init__(self, image):
        self.image, self.made, self.running = image, {}, {}
        self.scratch = tempfile.TemporaryDirectory(prefix="tidegate-engine-")
        engine = self

        class Asked(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                path = re.sub(r"^/v[0-9.]+", "", urlsplit(self.path).path)
                if followed := re.match(r"/containers/([0-9a-f]+)/logs$", path) if re.search(r"follow=(1|true)", self.path) else None:
                    return self.follow(followed[1])
                status, kind, said = engine.do(self.command, path, self.path, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Api-Version", API)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said if self.command != "HEAD" else b"")

            def follow(self, made):
                """What the program says, as it says it, until it ends or nobody listens."""
                self.send_response(200)
                self.send_header("Content-Type", LOGS)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                told = {OUT: 0, ERR: 0}
                with contextlib.suppress(OSError):
                    while True:
                        runs = engine.runs(made)
                        for stream, at in told.items():
                            more = engine.said(made, stream)[at:]
                            told[stream] += len(more)
                            if more:
                                framed = frame(stream, more)
                                self.wfile.write(b"%x\r\n%s\r\n" % (len(framed), framed))
                        if not runs:
                            return self.wfile.write(b"0\r\n\r\n")
                        time.sleep(0.02)

            do_GET = do_POST = do_DELETE = do_HEAD = answer

            def log_message(self, format, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.host = f"tcp://127.0.0.1:{self.server.server_address[1]}"

    def do(self, method, path, whole, body):
        """What comes of a request: status, kind of content, content."""
        told = lambda status, what: (status, "application/json", json.dumps(what).encode())
        if path == "/_ping":
            return 200, "text/plain", b"OK"
        if path == "/version":
            return told(200, {"ApiVersion": API, "MinAPIVersion": "1.24", "Version": "28.0.0", "Os": "linux", "Arch": "amd64"})
        if path == "/info":
            return told(200, {"ID": "engine", "OperatingSystem": "Tests", "ServerVersion": "28.0.0", "OSType": "linux"})
        if path == f"/images/{self.image}/json":
            return told(200, {"Id": "sha256:" + "0" * 64, "RepoTags": [self.image], "Config": {}, "Os": "linux", "Architecture": "amd64"})
        if method == "POST" and path == "/containers/create":
            wish = json.loads(body)
            if wish["Image"] != self.image:
                return told(404, {"message": f"No such image: {wish['Image']}"})
            made = uuid.uuid4().hex * 2
            self.made[made] = wish
            return told(201, {"Id": made, "Warnings": []})
        if path == "/containers/json":
            return told(200, [])
        found = re.match(r"/containers/([0-9a-f]+)(?:/(\w+))?$", path)
        if not found or found[1] not in self.made:
            return told(404, {"message": f"no such thing here: {method} {path}"})
        return self.of_container(method, found[1], found[2], whole, told)

    def of_container(self, method, made, what, whole, told):
        if (method, what) == ("POST", "start"):
            files = [open(self.log(made, stream), "wb") for stream in (OUT, ERR)]
            env = harness.environment() | dict(line.split("=", 1) for line in self.made[made].get("Env") or [])
            words = [harness.binary(), *(self.made[made].get("Cmd") or ["up"])]
            self.running[made] = subprocess.Popen(words, stdout=files[0], stderr=files[1], env=env, cwd=self.scratch.name)
            return 204, "text/plain", b""
        if (method, what) == ("GET", "json"):
            return told(200, self.shown(made))
        if (method, what) == ("GET", "logs"):
            wanted = [stream for stream, name in ((OUT, "stdout"), (ERR, "stderr")) if re.search(rf"{name}=(1|true|True)", whole)]
            return 200, LOGS, b"".join(frame(stream, self.said(made, stream)) for stream in wanted)
        if (method, what) in (("POST", "stop"), ("POST", "kill"), ("DELETE", None)):
            self.end(made)
            if method == "DELETE":
                self.made.pop(made)
            return 204, "text/plain", b""
        return told(404, {"message": f"no such thing here: {method} {what}"})

    def log(self, made, stream):
        return os.path.join(self.scratch.name, f"{made}.{stream}")

    def said(self, made, stream):
        with open(self.log(made, stream), "rb") as file:
            return file.read()

    def runs(self, made):
        return made in self.running and self.running[made].poll() is None

    def shown(self, made):
        process, runs = self.running.get(made), self.runs(made)
        state = {"Status": "running" if runs else "exited", "Running": runs, "ExitCode": 0 if runs or not process else process.poll()}
        state |= {"StartedAt": "2026-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"}
        network = {"Ports": {}, "Networks": {"host": {"IPAddress": ""}}}
        return {"Id": made, "Name": f"/{made[:12]}", "Image": self.image, "State": state, "Config": self.made[made], "NetworkSettings": network, "HostConfig": self.made[made].get("HostConfig") or {}}

    def end(self, made):
        process = self.running.pop(made, None)
        if process:
            process.terminate()
            process.wait(harness.STOP_S)

    def close(self):
        for made in list(self.running):
            self.end(made)
        self.server.shutdown()
        self.server.server_close()
        self.scratch.cleanup()
