"""Where the scripts of hostile peers meet the server: a chain whose targets count what they see, with the two doors that speak HTTP/2, and
what must hold whatever comes: others are served, no task panicked, and memory stays within a bound."""

import json
import socket
from types import SimpleNamespace
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

import harness
from accepting import Accepting
from chain import Chain
from frames import client_context
from harness import equal
from sockets import certificate

NAME = "hostile.example.com"
PATIENCE_S = 20
MIB = 1024 * 1024


class Echo(Accepting):
    """A target that reads requests strictly and tells each what it was: its line, its body, how many it saw before. It keeps what it saw."""

    def __init__(self, name):
        self.name, self.seen, self.odd = name, [], []
        super().__init__()

    def serve(self, accepted):
        with accepted, accepted.makefile("rb") as lines:
            try:
                while request := self.read(lines):
                    self.answer(accepted, request)
            except (OSError, EOFError):
                # The load balancer gave up: no request came of it.
                return
            except (ValueError, AssertionError) as error:
                self.odd.append(repr(error))

    def read(self, lines):
        line = lines.readline(65536)
        if not line:
            return None
        method, target, _ = line.decode("latin-1").rstrip("\r\n").split(" ")
        headers = []
        while (field := self.line(lines)) != b"\r\n":
            headers.append(tuple(part.strip() for part in field.decode("latin-1").split(":", 1)))
        found = {name.lower(): value for name, value in headers}
        body = self.chunks(lines) if "transfer-encoding" in found else self.whole(lines, int(found.get("content-length", 0)))
        return SimpleNamespace(line=f"{method} {target}", method=method, target=target, headers=headers, found=found, body=body)

    def whole(self, lines, count):
        data = lines.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def chunks(self, lines):
        data = b""
        while size := int(self.line(lines), 16):
            data += self.whole(lines, size)
            assert self.whole(lines, 2) == b"\r\n", "a chunk goes on"
        while self.line(lines) != b"\r\n":
            pass
        return data

    def line(self, lines):
        line = lines.readline(65536)
        if not line.endswith(b"\n"):
            raise EOFError
        return line

    def answer(self, accepted, request):
        if not request.found.get("user-agent", "").startswith("ELB-HealthChecker"):
            self.seen.append(request)
        told = {"line": request.line, "body": request.body.decode("latin-1"), "backend": self.name}
        payload = bytes(MIB) if request.target.startswith("/large") else json.dumps(told).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(payload)}\r\n\r\n"
        accepted.sendall(head.encode() + (b"" if request.method == "HEAD" else payload))

    def kill(self):
        self.listening.close()


class Place:
    """A door with TLS."""

    def __init__(self, name, url, authority):
        where = urlsplit(url)
        self.name, self.address, self.authority = name, (where.hostname, where.port), authority

    def get(self, path="/well"):
        """The status that a well-behaved client gets, over a connection of its own."""
        context = client_context()
        context.set_alpn_protocols(["http/1.1"])
        with socket.create_connection(self.address, timeout=PATIENCE_S) as plain:
            with context.wrap_socket(plain, server_hostname=self.authority) as stream:
                stream.sendall(f"GET {path} HTTP/1.1\r\nhost: {self.authority}\r\nconnection: close\r\n\r\n".encode())
                answer = b""
                while more := stream.recv(65536):
                    answer += more
        return int(answer.split(b" ", 2)[1])


class Field:
    """A server with a chain, entered at the gateway's public TLS port and at the sockets of two listeners."""

    def __init__(self, config=None, backend=Echo):
        self.server = harness.Server(config=config)
        self.chain = Chain(self.server, name="hostile", backend=backend)
        self.gateway = Place("gateway", self.server.ready["public_tls"], self.chain.host())
        self.secure = self.listener_of(443, Protocol="HTTPS", Certificates=[{"CertificateArn": certificate(self.chain, ec.generate_private_key(ec.SECP256R1()), NAME)}])
        self.listener = Place("listener", self.enter(self.secure), NAME)
        self.plain = urlsplit(self.enter(self.chain.stack["listener"]))

    def listener_of(self, port, **more):
        elb, stack = self.chain.aws.elbv2, self.chain.stack
        forward = [{"Type": "forward", "TargetGroupArn": stack["tg"]}]
        made = elb.create_listener(LoadBalancerArn=stack["lb"], Port=port, DefaultActions=forward, **more)
        ports = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
        link, alb = [{"GroupId": stack["link_sg"]}], [{"GroupId": stack["alb_sg"]}]
        self.chain.aws.ec2.authorize_security_group_egress(GroupId=stack["link_sg"], IpPermissions=[ports | {"UserIdGroupPairs": alb}])
        self.chain.aws.ec2.authorize_security_group_ingress(GroupId=stack["alb_sg"], IpPermissions=[ports | {"UserIdGroupPairs": link}])
        return made["Listeners"][0]["ListenerArn"]

    def enter(self, listener):
        """The URL of a new socket of a listener."""
        opened = self.server.tidegate("attach", "--listen", listener, "127.0.0.1:0", "--security-group", self.chain.stack["link_sg"])
        return opened.json["url"]

    def seen(self):
        """What the targets saw."""
        return [request for backend in self.chain.backends for request in backend.seen]

    def count(self, target):
        return sum(request.target == target for request in self.seen())

    def forget(self):
        for backend in self.chain.backends:
            backend.seen.clear()

    def resident(self):
        """Bytes of the server in memory."""
        return self.server.status("VmRSS") * 1024

    def is_unharmed(self):
        """Both doors serve, no target saw what is no request, and no task panicked."""
        for place in (self.gateway, self.listener):
            equal(place.get(), 200, place.name)
        equal([odd for backend in self.chain.backends for odd in backend.odd], [], "what targets saw")
        equal("panic" in self.server.tail(10_000), False, self.server.tail())

    def close(self):
        for backend in self.chain.backends:
            backend.kill()
        self.server.close()


_field = None


def field():
    """The script's own, made on first use."""
    global _field
    if _field is None:
        _field = Field()
    return _field


def close():
    if _field is not None:
        _field.close()
