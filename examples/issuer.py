#!/usr/bin/env python3
"""An issuer of tokens to try things with: it gives a token to whoever asks.

    python3 examples/issuer.py --port 9100
    curl http://127.0.0.1:9100/token?audience=shop\\&scope=read

Standard library only. Its key is made at the start and ends with it; it is for a trial on one machine, and for nothing else.
"""

import argparse
import base64
import hashlib
import json
import math
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BITS, EXPONENT = 2048, 65537
# How often a candidate is tried: a composite passes with a probability below 4 ** -20.
ROUNDS = 20
TOKEN_S = 3600
# What stands before the digest in a signature by RSA with SHA-256 (RFC 8017, 9.2).
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


def is_prime(number):
    """By Miller and Rabin."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(ROUNDS):
        power = pow(secrets.randbelow(number - 3) + 2, odd, number)
        if power in (1, number - 1):
            continue
        if all((power := power * power % number) != number - 1 for _ in range(twos - 1)):
            return False
    return True


def prime(bits):
    while True:
        # The two highest bits are set, so that a product of two has all its bits.
        number = secrets.randbits(bits) | 3 << bits - 2 | 1
        if all(number % small for small in (3, 5, 7, 11, 13, 17, 19)) and math.gcd(number - 1, EXPONENT) == 1 and is_prime(number):
            return number


def encoded(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """A key for RS256."""

    def __init__(self):
        p, q = prime(BITS // 2), prime(BITS // 2)
        self.modulus, self.private = p * q, pow(EXPONENT, -1, (p - 1) * (q - 1))
        number = self.modulus.to_bytes(BITS // 8, "big")
        self.kid = hashlib.sha256(number).hexdigest()[:16]
        self.public = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": encoded(number), "e": encoded(EXPONENT.to_bytes(3, "big"))}

    def token(self, claims):
        said = f"{encoded({'alg': 'RS256', 'typ': 'JWT', 'kid': self.kid})}.{encoded(claims)}"
        digest = SHA256 + hashlib.sha256(said.encode()).digest()
        padded = b"\x00\x01" + b"\xff" * (BITS // 8 - len(digest) - 3) + b"\x00" + digest
        signature = pow(int.from_bytes(padded, "big"), self.private, self.modulus)
        return f"{said}.{encoded(signature.to_bytes(BITS // 8, 'big'))}"


def handler():
    class Issuer(BaseHTTPRequestHandler):
        key = None

        def do_GET(self):
            key = self.key
            asked, own = urlsplit(self.path), f"http://{self.headers['Host']}"
            wanted = {name: values[-1] for name, values in parse_qs(asked.query).items()}
            if asked.path == "/.well-known/openid-configuration":
                return self.say(json.dumps({"issuer": own, "jwks_uri": f"{own}/keys"}))
            if asked.path == "/keys":
                return self.say(json.dumps({"keys": [key.public]}))
            if asked.path == "/token":
                now = int(time.time())
                claims = {"iss": own, "sub": "me", "aud": wanted.get("audience", ""), "iat": now, "exp": now + TOKEN_S}
                return self.say(key.token(claims | {"scope": wanted.get("scope", "")}))
            self.send_error(404)

        def say(self, text):
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format, *args):
            pass

    return Issuer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    issuer = handler()
    # Who comes before the key is made waits.
    server = ThreadingHTTPServer(("127.0.0.1", options.port), issuer)
    issuer.key = Key()
    print(f"issues tokens at http://127.0.0.1:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
