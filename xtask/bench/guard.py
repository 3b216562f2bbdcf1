"""Guards a route of the measured stack: an issuer with one key, a JWT authorizer, a scope, a rate limit that is never reached.

Prints one JSON line with a token, the issuer and the path of its public key, and serves the keys until its standard input ends.
"""

import argparse
import base64
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE, SCOPE, KID = "orders", "orders.read", "bench"
NEVER_REACHED = 1_000_000


def encoded(number):
    return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


def serve(public):
    numbers = public.public_numbers()
    key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KID, "n": encoded(numbers.n), "e": encoded(numbers.e)}

    class Issuer(BaseHTTPRequestHandler):
        def do_GET(self):
            url = f"http://127.0.0.1:{self.server.server_address[1]}"
            known = {
                "/.well-known/openid-configuration": {"issuer": url, "jwks_uri": f"{url}/keys"},
                "/keys": {"keys": [key]},
            }
            body = json.dumps(known.get(self.path, {})).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Issuer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def guard(stack, issuer):
    api = boto3.client("apigatewayv2")
    authorizer = api.create_authorizer(
        ApiId=stack["api"],
        Name="bench",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer, "Audience": [AUDIENCE]},
    )["AuthorizerId"]
    integration = api.get_integrations(ApiId=stack["api"])["Items"][0]["IntegrationId"]
    api.create_route(
        ApiId=stack["api"],
        RouteKey="GET /guarded",
        Target=f"integrations/{integration}",
        AuthorizationType="JWT",
        AuthorizerId=authorizer,
        AuthorizationScopes=[SCOPE],
    )
    limits = {"ThrottlingRateLimit": float(NEVER_REACHED), "ThrottlingBurstLimit": NEVER_REACHED}
    api.update_stage(ApiId=stack["api"], StageName="$default", RouteSettings={"GET /guarded": limits})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    parser.add_argument("--pem", required=True)
    options = parser.parse_args()
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key()
    with open(options.pem, "wb") as file:
        file.write(
            public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
    issuer = serve(public)
    with open(options.state) as file:
        guard(json.load(file), issuer)
    now = int(time.time())
    claims = {"iss": issuer, "aud": AUDIENCE, "sub": "bench", "scope": f"{SCOPE} other", "iat": now, "exp": now + 86400}
    token = jwt.encode(claims, private, algorithm="RS256", headers={"kid": KID})
    print(json.dumps({"token": token, "issuer": issuer, "audience": AUDIENCE, "scope": SCOPE}), flush=True)
    sys.stdin.read()


main()
