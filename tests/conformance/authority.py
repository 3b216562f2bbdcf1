"""An authority that issues certificates by ACME: Pebble (Debian's package `pebble`), which dials back and checks what proves a name; names that
all lead to this machine; and a door before it that counts what is asked, can be shut, refuse, or offer one kind of challenge alone, and suggests when
a certificate is to be renewed (RFC 9773), which Debian's Pebble does not.

Whoever uses it has a network namespace of its own: the ports are those that authorities dial."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import harness

# Where the authority dials: the ports of HTTP and of TLS.
HTTP_PORT, TLS_PORT = 80, 443
PEBBLE_PORT, MANAGEMENT_PORT, DOOR_PORT, NAMES_PORT = 14000, 15000, 14001, 8053
# How long its certificates are valid: a third of it is left before a link is idle for 60 days.
VALID_S = 60 * 24 * 3600
BLOCKED = "blocked.example.com"
HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "retry-after")


class Names:
    """A resolver by which every name is 127.0.0.1, but those that are `gone`, and none has an IPv6 address or a CAA record."""

    def __init__(self):
        self.gone = set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", NAMES_PORT))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            with contextlib.suppress(Exception):
                self.socket.sendto(self.answer(query), client)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12 : at + 5]
        (kind,) = struct.unpack("!H", query[at + 1 : at + 3])
        known = ".".join(labels).lower() not in self.gone
        answers = [b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton("127.0.0.1")] if known and kind == 1 else []
        head = query[:2] + struct.pack("!HHHHH", 0x8180 | (0 if known else 3), 1, len(answers), 0, 0)
        return head + question + b"".join(answers)


class Authority:
    """Pebble behind its door. `directory` is what clients are told, `ca_file` whom they believe there, `root()` who signs in the end."""

    def __init__(self):
        self.pebble = shutil.which("pebble") or harness.missing("no pebble")
        self.scratch = tempfile.mkdtemp(prefix="tidegate-acme-")
        place = ["--data-dir", f"{self.scratch}/ca"]
        harness.command([harness.binary(), "ca", "issue", *place, "--dir", self.scratch, "127.0.0.1"], harness.environment())
        self.ca_file = os.path.join(self.scratch, "ca.pem")
        Path(self.ca_file).write_text(harness.command([harness.binary(), "ca", *place], harness.environment()).stdout)
        self.identity = [os.path.join(self.scratch, f"127.0.0.1.{end}") for end in ("crt", "key")]
        self.trust = ssl.create_default_context(cafile=self.ca_file)
        self.names, self.process = Names(), None
        # What was asked, in order, and what of it was done; which challenge alone is offered; what new orders are refused with.
        self.asked, self.done, self.only, self.refusal = [], [], None, None
        # When certificates are to be renewed, in seconds from now, how long that is good for, and which were said to be replaced.
        self.suggested_s, self.good_s, self.replaced = 10 * VALID_S, 6 * 3600, []
        self.holds = threading.Event()
        self.holds.set()
        self.begin()
        self.open()

    @property
    def directory(self):
        return f"https://127.0.0.1:{DOOR_PORT}/dir"

    def begin(self):
        certificate, key = self.identity
        config = {
            "listenAddress": f"127.0.0.1:{PEBBLE_PORT}",
            "managementListenAddress": f"127.0.0.1:{MANAGEMENT_PORT}",
            "certificate": certificate,
            "privateKey": key,
            "httpPort": HTTP_PORT,
            "tlsPort": TLS_PORT,
            "certificateValidityPeriod": VALID_S,
            "domainBlocklist": [BLOCKED],
        }
        file = os.path.join(self.scratch, "pebble.json")
        Path(file).write_text(json.dumps({"pebble": config}))
        self.log = open(os.path.join(self.scratch, "pebble.log"), "ab")
        # Without pauses at random, and nothing that was proven before counts again.
        how = harness.environment() | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": "5"}
        words = [self.pebble, "-config", file, "-dnsserver", f"127.0.0.1:{NAMES_PORT}"]
        self.process = subprocess.Popen(words, stdout=self.log, stderr=self.log, env=how)
        harness.until("the authority serves", self.root, within_s=30)

    def root(self):
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{MANAGEMENT_PORT}/roots/0", context=self.trust, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def forget(self):
        """Forgets every account and certificate, as authorities for tests do."""
        self.process.kill()
        self.process.wait(harness.STOP_S)
        self.begin()

    def open(self):
        authority = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def carry(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                authority.asked.append(self.path)
                authority.holds.wait(harness.REQUEST_S)
                if self.path.startswith("/suggested/"):
                    start = datetime.now(timezone.utc) + timedelta(seconds=authority.suggested_s)
                    window = {"start": start.isoformat(), "end": (start + timedelta(seconds=1)).isoformat()}
                    text = json.dumps({"suggestedWindow": window}).encode()
                    return self.reply(200, {"Content-Type": "application/json", "Retry-After": str(authority.good_s)}, text)
                if authority.refusal and self.path == "/order-plz":
                    return self.reply(*authority.refusal)
                upstream = http.client.HTTPSConnection("127.0.0.1", PEBBLE_PORT, context=authority.trust, timeout=harness.REQUEST_S)
                with contextlib.closing(upstream):
                    # The authority's URLs lead to where it is asked.
                    kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
                    upstream.request(self.command, self.path, body=body or None, headers=kept)
                    answer = upstream.getresponse()
                    text = answer.read()
                if answer.status < 300:
                    authority.done.append(self.path)
                if authority.only and answer.status == 200 and self.path.startswith("/authZ/"):
                    state = json.loads(text)
                    state["challenges"] = [one for one in state["challenges"] if one["type"] == authority.only]
                    text = json.dumps(state).encode()
                if self.path == "/dir":
                    text = json.dumps(json.loads(text) | {"renewalInfo": f"https://127.0.0.1:{DOOR_PORT}/suggested"}).encode()
                if answer.status == 201 and self.path == "/order-plz":
                    payload = json.loads(body)["payload"]
                    wanted = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
                    if "replaces" in wanted:
                        authority.replaced.append(wanted["replaces"])
                        text = json.dumps(json.loads(text) | {"replaces": wanted["replaces"]}).encode()
                self.reply(answer.status, dict(answer.getheaders()), text)

            def reply(self, status, headers, text):
                self.send_response(status)
                for name, value in headers.items():
                    # What may be asked again is asked again at once, unless it was refused, or is a suggestion.
                    is_said = status >= 400 or self.path.startswith("/suggested/")
                    if name.lower() not in HOP_BY_HOP or (is_said and name.lower() == "retry-after"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                # Who asked may have been killed meanwhile.
                with contextlib.suppress(OSError):
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(text)

            do_GET = do_POST = do_HEAD = carry

            def log_message(self, format, *args):
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self.door = ThreadingHTTPServer(("127.0.0.1", DOOR_PORT), Door)
        self.door.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.identity)
        self.door.socket = context.wrap_socket(self.door.socket, server_side=True)
        threading.Thread(target=self.door.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def shut(self):
        """Nobody listens any more."""
        self.door.shutdown()
        self.door.server_close()

    def tail(self, lines=40):
        text = Path(self.scratch, "pebble.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def orders(self):
        """How many orders were taken."""
        return self.done.count("/order-plz")

    def accounts(self):
        """How many accounts were made."""
        return self.done.count("/sign-me-up")

    @staticmethod
    def serial(identifier):
        """The serial number in what a certificate is known by (RFC 9773, section 4.1)."""
        text = identifier.rsplit(".", 1)[1]
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")

    def asked_when(self, serial):
        """How often it was asked when the certificate of this serial number is to be renewed."""
        paths = [path for path in self.asked if path.startswith("/suggested/")]
        return len([path for path in paths if self.serial(path) == int(serial, 16)])

    def refuse(self, kind, detail, status=403, **headers):
        problem = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail, "status": status}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.refusal = (status, {"Content-Type": "application/problem+json", **named}, json.dumps(problem).encode())

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait(harness.STOP_S)
            self.log.close()
        with contextlib.suppress(Exception):
            self.shut()
        shutil.rmtree(self.scratch, ignore_errors=True)
