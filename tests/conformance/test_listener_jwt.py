"""Rules of an HTTPS listener that ask for a token: written by boto3 and the AWS CLI, tried with PyJWT's tokens through the whole chain. The
endpoint with the keys is a small server of this script."""

import base64
import json
import shutil
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import harness
import jwt
from chain import Chain
from cryptography.hazmat.primitives.asymmetric import rsa
from harness import equal, refused

NAME = "internal.example.com"
ISSUER = "https://issuer.example.com"
_scene = None


def number(value):
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


class Keys:
    """Serves a JWKS, or whatever a test puts in its place."""

    def __init__(self):
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        of = self.private.public_key().public_numbers()
        self.own = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": number(of.n), "e": number(of.e)}
        self.answer = (200, {"keys": [self.own]})
        keys = self

        class Documents(BaseHTTPRequestHandler):
            def do_GET(self):
                status, document = keys.answer
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Documents)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/keys"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def token(self, algorithm="RS256", **changes):
        claims = {"iss": ISSUER, "exp": int(time.time()) + 600, "sub": "ann", "scope": "read write"} | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.private, algorithm=algorithm, headers={"kid": "one"})


def scene():
    """A chain whose listener speaks HTTPS with a certificate of the local authority; its rule asks for a token."""
    global _scene
    if _scene is None:
        data = tempfile.mkdtemp(prefix="tidegate-listener-jwt-")
        server = harness.Server(data_dir=data, config='[timeouts]\nblocked_connect = "200ms"\n')
        chain, keys = Chain(server), Keys()
        _scene = SimpleNamespace(data=data, server=server, chain=chain, keys=keys, elb=chain.aws.elbv2)
        elb, stack = _scene.elb, chain.stack
        elb.modify_listener(
            ListenerArn=stack["listener"], Protocol="HTTPS", Certificates=[{"CertificateArn": certificate()}]
        )
        v2 = chain.aws.apigatewayv2
        v2.update_integration(
            ApiId=stack["api"], IntegrationId=stack["integration"], TlsConfig={"ServerNameToVerify": NAME}
        )
        elb.modify_rule(RuleArn=stack["rule"], Actions=actions())
    return _scene


def certificate():
    words = [harness.binary(), "ca", "issue", NAME, "--dir", _scene.data, "--output", "json", "--data-dir", _scene.data]
    got = harness.command(words, _scene.server.env()).json
    pair = {"Certificate": Path(got["certificate"]).read_bytes(), "PrivateKey": Path(got["private_key"]).read_bytes()}
    return _scene.chain.aws.acm.import_certificate(**pair)["CertificateArn"]


def forward():
    return {"Type": "forward", "TargetGroupArn": _scene.chain.stack["tg"], "Order": 2}


def validation(**members):
    config = {"JwksEndpoint": _scene.keys.url, "Issuer": ISSUER} | members
    return {"Type": "jwt-validation", "JwtValidationConfig": config, "Order": 1}


def actions(**members):
    return [validation(**members), forward()]


def get(token=None, **options):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return scene().chain.get(headers=headers, **options)


def told(answer):
    """Status, reason code, and what an access log would call it."""
    explained = scene().server.explain(answer.id)
    hop = next((hop for hop in explained.json["hops"] if hop["verdict"] in ("deny", "fail")), None)
    detail = hop["detail"] if hop else ""
    error = next((word.strip(":;,.") for word in detail.split() if word.startswith(("JWT", "JWKS"))), None)
    return (answer.status, answer.headers["x-tidegate-trace"], error), explained.returncode


def test_a_good_token_reaches_the_target_and_the_others_do_not():
    token = scene().keys.token()
    answer = get(token)
    equal(answer.status, 200, answer.text)
    equal(json.loads(answer.text)["headers"]["authorization"], f"Bearer {token}")
    equal(told(get()), ((401, "TOKEN_MISSING", "JWTHeaderNotPresent"), 3))
    now = int(time.time())
    rows = [
        ({"exp": now - 1}, "JWT_EXPIRED", "JWTClaimValueInvalid"),
        ({"exp": None}, "TOKEN_MALFORMED", "JWTClaimNotPresent"),
        ({"nbf": now + 60}, "JWT_NOT_YET_VALID", "JWTClaimValueInvalid"),
        ({"iss": "https://other.example.com"}, "JWT_ISSUER", "JWTClaimValueInvalid"),
        ({"algorithm": "RS512"}, "JWT_ALGORITHM", "JWTSignatureValidationError"),
    ]
    for changes, reason, error in rows:
        equal(told(get(scene().keys.token(**changes))), ((401, reason, error), 3), changes)
    forged = token[:-8] + ("AAAAAAAA" if token[-8:] != "AAAAAAAA" else "BBBBBBBB")
    equal(told(get(forged)), ((401, "JWT_BAD_SIGNATURE", "JWTSignatureValidationError"), 3))


def test_further_claims_come_from_the_aws_cli():
    claim = {"Name": "scope", "Format": "space-separated-values", "Values": ["write", "read"]}
    rule = scene().chain.stack["rule"]
    words = ["aws", "elbv2", "modify-rule", "--rule-arn", rule, "--actions", json.dumps(actions(AdditionalClaims=[claim]))]
    made = harness.command(words, scene().server.env()).json["Rules"][0]["Actions"]
    equal([(one["Type"], one["Order"]) for one in made], [("jwt-validation", 1), ("forward", 2)])
    equal(made[0]["JwtValidationConfig"]["AdditionalClaims"], [claim])
    try:
        equal(get(scene().keys.token()).status, 200)
        equal(told(get(scene().keys.token(scope="read"))), ((401, "JWT_CLAIM", "JWTClaimValueInvalid"), 3))
        equal(told(get(scene().keys.token(scope=["read", "write"]))), ((401, "JWT_CLAIM", "JWTClaimFormatInvalid"), 3))
        equal(told(get(scene().keys.token(scope=None))), ((401, "JWT_CLAIM", "JWTClaimNotPresent"), 3))
    finally:
        scene().elb.modify_rule(RuleArn=rule, Actions=actions())


def test_keys_that_cannot_be_used_are_the_issuers_fault():
    rule, good = scene().chain.stack["rule"], scene().keys.answer
    rows = [
        ((404, {}), (562, "ISSUER_UNREACHABLE", "JWKSRequestFailed")),
        ((200, {"keys": []}), (562, "ISSUER_UNREACHABLE", "JWKSResponseInvalid")),
        ((200, {"keys": [scene().keys.own] * 11}), (500, "ISSUER_UNREACHABLE", "JWKSResponseSizeExceeded")),
    ]
    try:
        for at, (answer, wanted) in enumerate(rows):
            scene().keys.answer = answer
            # An endpoint that nobody has asked yet.
            fresh = f"{scene().keys.url}?{at}"
            scene().elb.modify_rule(RuleArn=rule, Actions=actions(JwksEndpoint=fresh))
            equal(told(get(scene().keys.token())), (wanted, 4))
    finally:
        scene().keys.answer = good
        scene().elb.modify_rule(RuleArn=rule, Actions=actions())
    equal(get(scene().keys.token()).status, 200)


def test_rules_survive_a_restart_and_what_cannot_be_is_refused():
    rule, listener = scene().chain.stack["rule"], scene().chain.stack["listener"]
    change = scene().elb.modify_rule
    refused("ValidationError", change, RuleArn=rule, Actions=[{**forward(), "Order": 1}, validation()], text="Order")
    refused("InvalidLoadBalancerAction", change, RuleArn=rule, Actions=[validation()], text="last action")
    endless = actions(Issuer="x" * 257)
    refused("ValidationError", change, RuleArn=rule, Actions=endless, text="Issuer")
    refused("InvalidLoadBalancerAction", scene().elb.modify_listener, ListenerArn=listener, Protocol="HTTP", text="HTTPS")
    scene().server.kill()
    scene().server.start()
    scene().chain.aws = scene().server.clients()
    scene().elb = scene().chain.aws.elbv2
    kept = scene().elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"]
    equal(kept[0], validation())
    harness.until("the targets are found again", lambda: get(scene().keys.token()).status == 200, 20)
    equal(get().status, 401)


def close():
    if _scene:
        for backend in _scene.chain.backends:
            backend.kill()
        _scene.keys.server.shutdown()
        _scene.server.close()
        shutil.rmtree(_scene.data, ignore_errors=True)


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        close()
