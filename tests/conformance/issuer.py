"""An issuer of tokens for the scripts: a discovery document, keys that can change, and tokens by them."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE = "shop"


def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def number(value):
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def encode(data):
    data = data if isinstance(data, bytes) else data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public(private, kid):
    numbers = private.public_key().public_numbers()
    return {"kty": "RSA", "use": "sig", "kid": kid, "n": number(numbers.n), "e": number(numbers.e)}


class Issuer:
    """Serves a discovery document and a JWKS; counts what is asked for. `now` is the clock of those who judge its tokens."""

    def __init__(self, now=time.time):
        self.now = now
        # Key and kid change together, also for a thread that looks on.
        self.signer, self.asked, self.port, self.server = (key(), "first"), [], 0, None
        self.keys = [public(self.key, self.kid)]
        self.up()
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def key(self):
        return self.signer[0]

    @property
    def kid(self):
        return self.signer[1]

    def up(self):
        issuer = self

        class Documents(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                own = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
                body = json.dumps({"keys": issuer.keys} if self.path == "/keys" else own).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format, *args):
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Documents)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def down(self):
        self.server.shutdown()
        self.server.server_close()

    def claims(self, **changes):
        """What a good token says, with these changes; None takes a claim away."""
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "scope": "read", "exp": int(self.now()) + 600}
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, **changes):
        private, kid = self.signer
        return jwt.encode(self.claims(**changes), private, algorithm="RS256", headers={"kid": kid})
