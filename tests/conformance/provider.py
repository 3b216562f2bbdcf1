"""A provider of OpenID Connect on loopback, for rules that authenticate users: the authorization code flow, userinfo, refresh tokens, and a
form where users log in, for browsers."""

import base64
import json
import secrets
import threading
import time
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

import harness
from harness import equal

FORM = """<!doctype html><title>Log in</title><form method="post" action="/login">
<input type="hidden" name="query" value="{query}"><input name="user" id="user"><input name="password" id="password" type="password">
<button id="enter">Log in</button></form><p id="told">{told}</p>"""


class Provider:
    """Knows one user, Ann, and one client. Each code and refresh token is good once. Below `/oauth2` it is a user pool, with a public client.

    Without a password Ann is logged in by asking. With one there is a form, and a session of the provider's own until `/logout`.
    """

    def __init__(self, client="shop", secret="s3cret/+&", pool="us-east-1_abc123DEF", password=None):
        self.client, self.secret, self.pool, self.password = client, secret, pool, password
        self.claims = {"sub": "ann", "email": "ann@example.com"}
        self.codes, self.refreshes, self.lasts, self.given, self.redirects = {}, set(), 600, 0, []
        self.forms, self.sessions = 0, set()
        self.credentials = f"{quote_plus(client)}:{quote_plus(secret)}"
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), pages(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def back(self, query):
        """Where a user who is logged in is sent, with a code."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        code = f"code-{secrets.token_hex(8)}"
        self.codes[code] = asked["redirect_uri"]
        self.redirects.append(asked)
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def is_client(self, authorization, form, is_pool):
        if is_pool:
            return authorization is None and form.get("client_id") == self.client
        kind, _, encoded = (authorization or "").partition(" ")
        return kind == "Basic" and base64.b64decode(encoded).decode() == self.credentials

    def tokens(self, authorization, form, is_pool):
        """What the token endpoint answers, or None."""
        by_code = self.codes.pop(form.get("code"), None) == form.get("redirect_uri", "")
        by_refresh = form.get("refresh_token") in self.refreshes
        is_granted = by_code if form.get("grant_type") == "authorization_code" else by_refresh
        if not is_granted or not self.is_client(authorization, form, is_pool):
            return None
        self.given += 1
        self.refreshes = {f"refresh-{self.given}"}
        issuer = f"{self.url}/{self.pool}" if is_pool else self.url
        claims = {"iss": issuer, "aud": self.client, "sub": "ann", "exp": int(time.time()) + 86_400}
        return {
            "access_token": f"access-{self.given}",
            "refresh_token": f"refresh-{self.given}",
            "expires_in": self.lasts,
            "id_token": jwt.encode(claims, "k" * 32, algorithm="HS256"),
        }

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def pages(provider):
    class Pages(BaseHTTPRequestHandler):
        def do_GET(self):
            where = urlsplit(self.path)
            if where.path in ("/authorize", "/oauth2/authorize"):
                if provider.password is None or self.session() in provider.sessions:
                    return self.send(302, {"Location": provider.back(where.query)})
                return self.form(200, where.query, "")
            if where.path == "/logout":
                provider.sessions.discard(self.session())
                return self.send(200, {"Content-Type": "text/html"}, b"<title>Logged out</title>")
            if self.headers["Authorization"] == f"Bearer access-{provider.given}":
                return self.tell(200, provider.claims)
            return self.tell(401, {})

        def do_POST(self):
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            form = {name: values[0] for name, values in form.items()}
            if self.path == "/login":
                return self.log_in(form)
            told = provider.tokens(self.headers["Authorization"], form, self.path == "/oauth2/token")
            return self.tell(200, told) if told else self.tell(400, {"error": "invalid_grant"})

        def log_in(self, form):
            if (form.get("user"), form.get("password")) != ("ann", provider.password):
                return self.form(403, form["query"], "Wrong name or password")
            session = secrets.token_hex(8)
            provider.sessions.add(session)
            cookie = f"provider={session}; HttpOnly; Path=/"
            return self.send(302, {"Set-Cookie": cookie, "Location": provider.back(form["query"])})

        def session(self):
            return (self.headers["Cookie"] or "").partition("provider=")[2].partition(";")[0]

        def form(self, status, query, told):
            provider.forms += 1
            page = FORM.format(query=escape(query, quote=True), told=told)
            self.send(status, {"Content-Type": "text/html"}, page.encode())

        def tell(self, status, document):
            self.send(status, {"Content-Type": "application/json"}, json.dumps(document).encode())

        def send(self, status, headers, body=b""):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    return Pages


def verified(api, token):
    """Header and claims of `x-amzn-oidc-data`, whose signature verifies by the key that the API port gives."""
    head, payload, signature = token.split(".")
    about = json.loads(base64.urlsafe_b64decode(head))
    key = harness.request(api, f"/_tidegate/elb-keys/{about['kid']}")
    equal((key.status, key.headers["content-type"].split(";")[0]), (200, "text/plain"), key.text)
    signed = base64.urlsafe_b64decode(signature)
    equal((about["alg"], len(signed)), ("ES256", 64))
    halves = (int.from_bytes(signed[:32], "big"), int.from_bytes(signed[32:], "big"))
    public = serialization.load_pem_public_key(key.text.encode())
    public.verify(utils.encode_dss_signature(*halves), f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    return about, json.loads(base64.urlsafe_b64decode(payload))
