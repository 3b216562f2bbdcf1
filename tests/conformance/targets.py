"""Targets that speak something else than plain HTTP/1.1, for the scripts that send traffic: a session of their own, TLS, HTTP/2, gRPC."""

import asyncio
import datetime
import json
import socket
import ssl
import tempfile
import threading
from concurrent import futures
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypercorn.asyncio import serve
from hypercorn.config import Config

import harness


class Speaking(harness.Backend):
    """Sets a session cookie of its own."""

    def revive(self):
        super().revive()
        handler = self.server.RequestHandlerClass
        plain = handler.end_headers

        def with_session(it):
            it.send_header("Set-Cookie", "SESSION=1; Path=/")
            plain(it)

        handler.end_headers = with_session


_made = None


def context():
    """A server's, with a certificate that nobody signed and that is over."""
    global _made
    if _made is None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "elsewhere.example")])
        start = datetime.datetime(2020, 1, 1)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=1))
        pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        with tempfile.TemporaryDirectory(prefix="tidegate-tls-") as held:
            both = Path(held, "both.pem")
            both.write_bytes(pem + key.private_bytes(serialization.Encoding.PEM, form, plain))
            _made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            _made.load_cert_chain(both)
    return _made


class Secured(harness.Backend):
    """Speaks in the clear until it is told otherwise and revived."""

    def __init__(self, name, is_secure=False):
        self.is_secure = is_secure
        super().__init__(name)

    def revive(self):
        super().revive()
        if not self.is_secure:
            return
        accept = self.server.get_request

        def within_tls():
            stream, address = accept()
            # The handshake is the connection's own thread's.
            return context().wrap_socket(stream, server_side=True, do_handshake_on_connect=False), address

        self.server.get_request = within_tls
        self.server.handle_error = lambda request, address: None


class Calls(grpc.GenericRpcHandler):
    """Services of bytes, by any name; a method that it does not know is UNIMPLEMENTED."""

    def __init__(self, backend):
        self.backend = backend

    def service(self, details):
        kinds = {
            "One": grpc.unary_unary_rpc_method_handler(self.one),
            "Many": grpc.unary_stream_rpc_method_handler(self.many),
            "Sum": grpc.stream_unary_rpc_method_handler(self.sum),
            "Echo": grpc.stream_stream_rpc_method_handler(self.echo),
            "Fails": grpc.unary_unary_rpc_method_handler(self.fails),
        }
        return kinds.get(details.method.rpartition("/")[2])

    def one(self, request, context):
        seen = dict(context.invocation_metadata())
        context.send_initial_metadata((("x-seen", seen.get("x-forwarded-proto", "-")),))
        context.set_trailing_metadata((("x-backend", self.backend.name),))
        return b"one " + request

    def many(self, request, context):
        for number in range(int(request)):
            yield b"%d" % number + b"x" * 10_000

    def sum(self, requests, context):
        return b"%d" % sum(len(it) for it in requests)

    def echo(self, requests, context):
        for request in requests:
            yield request

    def fails(self, request, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not so")


class Calling:
    """A server of gRPC in the clear."""

    def __init__(self, name):
        self.name = name
        self.server = grpc.server(futures.ThreadPoolExecutor(16), handlers=[Calls(self)])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def kill(self):
        self.server.stop(None)


class Streams:
    """A server of HTTP/2 with prior knowledge that answers with what it saw."""

    def __init__(self, name):
        self.name, self.loop, self.ended = name, asyncio.new_event_loop(), asyncio.Event()
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        config = Config()
        config.bind, config.loglevel = [f"fd://{listening.detach()}"], "CRITICAL"
        serving = serve(self.answer, config, shutdown_trigger=self.ended.wait)
        threading.Thread(target=self.loop.run_until_complete, args=(serving,), daemon=True).start()

    async def answer(self, scope, receive, send):
        if scope["type"] != "http":
            return
        body, is_more = b"", True
        while is_more:
            event = await receive()
            body, is_more = body + event.get("body", b""), event.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        seen = {"backend": self.name, "version": scope["http_version"], "path": scope["path"], "headers": headers}
        seen |= {"method": scope["method"], "body": body.decode()}
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(seen).encode()})

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def kill(self):
        self.loop.call_soon_threadsafe(self.ended.set)
