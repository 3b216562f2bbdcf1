"""JWT and IAM authorization: good callers are let in, every kind of bad token is refused for what is wrong with it, keys rotate
without a good token lost, and an issuer that is down is borne as documented. The issuer is a small server of this script."""

import base64
import hashlib
import hmac
import json
import threading
import time

import harness
import jwt
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from chain import Chain
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from harness import equal, refused
from issuer import AUDIENCE, Issuer, encode, key, public

LOADERS, LOADED_REQUESTS = 4, 60
CHALLENGES = {
    "TOKEN_MALFORMED": "the token is malformed",
    "JWT_ALGORITHM": "the signing method is invalid",
    "JWT_KEY_UNKNOWN": "unable to find a signing key that matches the kid",
    "JWT_BAD_SIGNATURE": "signature is invalid",
    "JWT_EXPIRED": "the token has expired",
    "JWT_NOT_YET_VALID": "the token is not valid yet",
    "JWT_ISSUER": "the token has invalid issuer",
    "JWT_AUDIENCE": "the token does not have a valid audience",
}


def now():
    """By the server's moved clock."""
    return int(time.time()) + (_scene.moved if _scene else 0)


class Scene:
    def __init__(self):
        self.server = harness.server()
        self.issuer = Issuer(now)
        self.chain = Chain(self.server)
        self.api, self.moved = self.chain.stack["api"], 0
        aws = self.chain.aws.apigatewayv2
        self.authorizer = aws.create_authorizer(
            ApiId=self.api,
            Name="tokens",
            AuthorizerType="JWT",
            IdentitySource=["$request.header.Authorization"],
            JwtConfiguration={"Issuer": self.issuer.url, "Audience": [AUDIENCE, "warehouse"]},
        )["AuthorizerId"]
        aws.update_integration(
            ApiId=self.api,
            IntegrationId=self.chain.stack["integration"],
            RequestParameters={
                "overwrite:header.x-sub": "$context.authorizer.claims.sub",
                "overwrite:header.x-caller": "$context.identity.caller",
                "overwrite:header.x-caller-account": "$context.identity.accountId",
            },
        )
        target = f"integrations/{self.chain.stack['integration']}"
        jwt_only = {"AuthorizationType": "JWT", "AuthorizerId": self.authorizer, "Target": target}
        aws.create_route(ApiId=self.api, RouteKey="GET /guarded", **jwt_only)
        aws.create_route(ApiId=self.api, RouteKey="GET /scoped", AuthorizationScopes=["admin", "write"], **jwt_only)
        aws.create_route(ApiId=self.api, RouteKey="ANY /signed", AuthorizationType="AWS_IAM", Target=target)

    def get(self, token, path="/guarded"):
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return self.chain.get(path, headers=headers)

    def tick(self, seconds):
        body = json.dumps({"seconds": seconds})
        equal(harness.request(self.server.api, "/_tidegate/tick", "POST", body=body).status, 200, "tick")
        self.moved += seconds

    def reason(self, answer):
        return self.server.explain(answer.id).json


_scene = None


def scene():
    global _scene
    if _scene is None:
        _scene = Scene()
    return _scene


def rsa_sign(private, message, digest=None, pad=None):
    return private.sign(message, pad or padding.PKCS1v15(), digest or hashes.SHA256())


def compact(header, payload, sign):
    """A token of any header and payload, which may be text; `sign` makes the signature's bytes."""
    header, payload = (part if isinstance(part, str) else json.dumps(part) for part in (header, payload))
    message = f"{encode(header)}.{encode(payload)}"
    return f"{message}.{encode(sign(message.encode()))}"


def test_good_tokens_are_let_in_and_the_backend_learns_a_claim():
    issuer = scene().issuer
    for name, token in {
        "plain": issuer.token(),
        "again": issuer.token(),
        "audience in a list": issuer.token(aud=["x", "warehouse"]),
        "client id where there is no audience": issuer.token(aud=None, client_id=AUDIENCE),
        "half a second": issuer.token(exp=now() + 60.5),
        "RS384": jwt.encode(issuer.claims(), issuer.key, algorithm="RS384", headers={"kid": issuer.kid}),
        "RS512": jwt.encode(issuer.claims(), issuer.key, algorithm="RS512", headers={"kid": issuer.kid}),
        "another typ": jwt.encode(issuer.claims(), issuer.key, "RS256", headers={"kid": issuer.kid, "typ": "at+jwt"}),
    }.items():
        answer = scene().get(token)
        equal((answer.status, answer.headers.get("x-tidegate-trace")), (200, "passed"), name)
        equal(json.loads(answer.text)["headers"].get("x-sub"), "ann", name)
    bare = scene().chain.get("/guarded", headers={"Authorization": issuer.token()})
    equal(bare.status, 200, "without Bearer")
    equal(issuer.asked, ["/.well-known/openid-configuration", "/keys"], "asked once")


def test_what_the_client_is_told():
    issuer = scene().issuer
    missing = scene().get(None)
    equal((missing.status, missing.text), (401, '{"message":"Unauthorized"}'))
    equal(missing.headers["www-authenticate"], "Bearer")
    equal(missing.headers["content-length"], "26")
    explained = scene().reason(missing)
    equal((explained["outcome"], explained["reason"]), ("denied", "TOKEN_MISSING"))

    wrong = scene().get(issuer.token(aud="other"))
    equal(
        wrong.headers["www-authenticate"],
        'Bearer scope="" error="invalid_token" error_description="the token does not have a valid audience"',
    )
    hop = [hop for hop in scene().reason(wrong)["hops"] if hop["kind"] == "authorizer"][0]
    equal((hop["id"], hop["name"], hop["verdict"]), (scene().authorizer, "tokens", "deny"))
    assert "other" in hop["detail"] and AUDIENCE in hop["detail"], hop["detail"]

    scoped = scene().get(issuer.token(), "/scoped")
    equal((scoped.status, scoped.text), (403, '{"message":"Forbidden"}'))
    assert 'scope="admin write" error="insufficient_scope"' in scoped.headers["www-authenticate"]
    equal(scene().reason(scoped)["reason"], "SCOPE_MISSING")
    for good in ({"scope": "read write"}, {"scope": None, "scp": ["admin"]}, {"scope": ["write"]}):
        equal(scene().get(issuer.token(**good), "/scoped").status, 200, str(good))


def bad_tokens(issuer):
    """Every bad token by name, with the reason that it must be refused for."""
    own, other, kid = issuer.key, key(), issuer.kid
    head, claims = {"alg": "RS256", "kid": kid}, issuer.claims()
    good = issuer.token()
    message, signature = good.rsplit(".", 1)
    pem = own.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = own.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    curve, edwards = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()

    def sign(data):
        return rsa_sign(own, data)

    def forge(data):
        return rsa_sign(other, data)

    def mac(secret):
        return lambda data: hmac.new(secret, data, hashlib.sha256).digest()

    def header(**changes):
        changed = head | changes
        return compact({name: value for name, value in changed.items() if value is not None}, claims, sign)

    def payload(**changes):
        return compact(head, issuer.claims(**changes), sign)

    table = {
        # No signature at all.
        **{f"alg {alg!r}": (compact(head | {"alg": alg}, claims, lambda _: b""), "JWT_ALGORITHM") for alg in
           ("none", "None", "NONE", "nOnE", "none ", "")},
        "alg none, signature kept": (header(alg="none"), "JWT_ALGORITHM"),
        # Another algorithm than the key's.
        "HS256 with the public key as PEM": (compact(head | {"alg": "HS256"}, claims, mac(pem)), "JWT_ALGORITHM"),
        "HS256 with the public key as DER": (compact(head | {"alg": "HS256"}, claims, mac(der)), "JWT_ALGORITHM"),
        "HS256 with an empty secret": (compact(head | {"alg": "HS256"}, claims, mac(b"")), "JWT_ALGORITHM"),
        "HS384": (header(alg="HS384"), "JWT_ALGORITHM"),
        "HS512": (header(alg="HS512"), "JWT_ALGORITHM"),
        "ES256": (compact(head | {"alg": "ES256"}, claims, lambda d: curve.sign(d, ec.ECDSA(hashes.SHA256()))), "JWT_ALGORITHM"),
        "EdDSA": (compact(head | {"alg": "EdDSA"}, claims, edwards.sign), "JWT_ALGORITHM"),
        "PS256": (compact(head | {"alg": "PS256"}, claims,
                          lambda d: rsa_sign(own, d, pad=padding.PSS(padding.MGF1(hashes.SHA256()), 32))), "JWT_ALGORITHM"),
        "rs256 in lower case": (header(alg="rs256"), "JWT_ALGORITHM"),
        "no alg": (header(alg=None), "JWT_ALGORITHM"),
        "alg a number": (header(alg=256), "TOKEN_MALFORMED"),
        "alg a list": (header(alg=["RS256"]), "TOKEN_MALFORMED"),
        "RS512 by name, RS256 by signature": (header(alg="RS512"), "JWT_BAD_SIGNATURE"),
        "PSS under RS256": (compact(head, claims,
                                    lambda d: rsa_sign(own, d, pad=padding.PSS(padding.MGF1(hashes.SHA256()), 32))), "JWT_BAD_SIGNATURE"),
        # Another key than the issuer's.
        "forged by another key": (compact(head, claims, forge), "JWT_BAD_SIGNATURE"),
        "own key embedded": (compact(head | {"jwk": public(other, kid)}, claims, forge), "JWT_BAD_SIGNATURE"),
        "own key embedded, own kid": (compact(head | {"kid": "evil", "jwk": public(other, "evil")}, claims, forge), "JWT_KEY_UNKNOWN"),
        "jku": (compact(head | {"kid": "evil", "jku": f"{issuer.url}/evil"}, claims, forge), "JWT_KEY_UNKNOWN"),
        "x5u": (compact(head | {"kid": "evil", "x5u": f"{issuer.url}/evil"}, claims, forge), "JWT_KEY_UNKNOWN"),
        "x5c": (compact(head | {"x5c": [base64.b64encode(der).decode()]}, claims, forge), "JWT_BAD_SIGNATURE"),
        "no kid": (header(kid=None), "JWT_KEY_UNKNOWN"),
        "empty kid": (header(kid=""), "JWT_KEY_UNKNOWN"),
        "kid in another case": (header(kid=kid.upper()), "JWT_KEY_UNKNOWN"),
        "kid that walks the file system": (header(kid="../../../../dev/null"), "JWT_KEY_UNKNOWN"),
        "kid with a statement": (header(kid="x' UNION SELECT 'k"), "JWT_KEY_UNKNOWN"),
        "kid with a zero byte": (header(kid=f"{kid}\0"), "JWT_KEY_UNKNOWN"),
        "kid a number": (header(kid=1), "TOKEN_MALFORMED"),
        "kid a list": (header(kid=[kid]), "TOKEN_MALFORMED"),
        # A signature that does not fit.
        "blank signature": (f"{message}.", "JWT_BAD_SIGNATURE"),
        "short signature": (f"{message}.AAAA", "JWT_BAD_SIGNATURE"),
        "truncated signature": (good[:-8], "JWT_BAD_SIGNATURE"),
        "longer signature": (f"{good}AAAA", "JWT_BAD_SIGNATURE"),
        "zero signature": (f"{message}.{encode(bytes(256))}", "JWT_BAD_SIGNATURE"),
        "signature of another token": (f"{message}.{issuer.token(sub='bob').rsplit('.', 1)[1]}", "JWT_BAD_SIGNATURE"),
        "payload changed afterwards": (compact(head, issuer.claims(sub="root"), lambda _: decoded(signature)), "JWT_BAD_SIGNATURE"),
        "header changed afterwards": (compact(head | {"typ": "x"}, claims, lambda _: decoded(signature)), "JWT_BAD_SIGNATURE"),
        # Not the form of a token.
        "no token": ("x", "TOKEN_MALFORMED"),
        "two parts": (message, "TOKEN_MALFORMED"),
        "four parts": (f"{good}.{signature}", "TOKEN_MALFORMED"),
        "five parts, as an encrypted one": (f"{good}.{signature}.{signature}", "TOKEN_MALFORMED"),
        "empty header": ("." + good.split(".", 1)[1], "TOKEN_MALFORMED"),
        "empty payload": (f"{good.split('.')[0]}..{signature}", "TOKEN_MALFORMED"),
        "padding": (f"{good.split('.')[0]}=.{good.split('.', 1)[1]}", "TOKEN_MALFORMED"),
        "standard base64": (f"{message}.+/{signature[2:]}", "TOKEN_MALFORMED"),
        "header no JSON": (compact("nonsense", claims, sign), "TOKEN_MALFORMED"),
        "header a list": (compact("[]", claims, sign), "TOKEN_MALFORMED"),
        "payload a list": (compact(head, "[]", sign), "TOKEN_MALFORMED"),
        "payload no JSON": (compact(head, "nonsense", sign), "TOKEN_MALFORMED"),
        "trailing bytes": (compact(head, json.dumps(claims) + "x", sign), "TOKEN_MALFORMED"),
        "a token within a token": (compact(head | {"cty": "JWT"}, good, sign), "TOKEN_MALFORMED"),
        "cty JWT around claims": (header(cty="JWT"), "TOKEN_MALFORMED"),
        "alg twice": (compact(f'{{"alg":"RS256","kid":"{kid}","alg":"none"}}', claims, sign), "TOKEN_MALFORMED"),
        "kid twice": (compact(f'{{"alg":"RS256","kid":"x","kid":"{kid}"}}', claims, sign), "TOKEN_MALFORMED"),
        "aud twice": (compact(head, json.dumps(claims)[:-1] + ',"aud":"x"}', sign), "TOKEN_MALFORMED"),
        "exp twice, one escaped": (compact(head, json.dumps(claims)[:-1] + ',"\\u0065xp":9999999999}', sign), "TOKEN_MALFORMED"),
        "crit": (header(crit=["exp"], exp=1), "TOKEN_MALFORMED"),
        "crit, empty": (header(crit=[]), "TOKEN_MALFORMED"),
        "unencoded payload": (header(b64=False), "TOKEN_MALFORMED"),
        "compressed": (header(zip="DEF"), "TOKEN_MALFORMED"),
        # Claims.
        "expired": (payload(exp=now() - 1), "JWT_EXPIRED"),
        "expires now": (payload(exp=now()), "JWT_EXPIRED"),
        "expired in 1970": (payload(exp=0), "JWT_EXPIRED"),
        "negative exp": (payload(exp=-1), "JWT_EXPIRED"),
        "no exp": (payload(exp=None), "TOKEN_MALFORMED"),
        "exp a string": (payload(exp=str(now() + 60)), "TOKEN_MALFORMED"),
        "exp true": (payload(exp=True), "TOKEN_MALFORMED"),
        "exp beyond numbers": (compact(head, json.dumps(issuer.claims(exp=1))[:-2] + "1e999}", sign), "TOKEN_MALFORMED"),
        "not before a minute": (payload(nbf=now() + 60), "JWT_NOT_YET_VALID"),
        "nbf a string": (payload(nbf="0"), "TOKEN_MALFORMED"),
        "made in a minute": (payload(iat=now() + 60), "JWT_NOT_YET_VALID"),
        "iat a list": (payload(iat=[0]), "TOKEN_MALFORMED"),
        "another issuer": (payload(iss="https://other.example"), "JWT_ISSUER"),
        "issuer with a slash": (payload(iss=issuer.url + "/"), "JWT_ISSUER"),
        "issuer in upper case": (payload(iss=issuer.url.upper()), "JWT_ISSUER"),
        "no issuer": (payload(iss=None), "JWT_ISSUER"),
        "issuers in a list": (payload(iss=[issuer.url]), "TOKEN_MALFORMED"),
        "another audience": (payload(aud="other"), "JWT_AUDIENCE"),
        "audience in another case": (payload(aud="SHOP"), "JWT_AUDIENCE"),
        "part of the audience": (payload(aud="sho"), "JWT_AUDIENCE"),
        "both audiences in one text": (payload(aud="shop warehouse"), "JWT_AUDIENCE"),
        "no audience": (payload(aud=None), "JWT_AUDIENCE"),
        "empty audience": (payload(aud=[]), "JWT_AUDIENCE"),
        "client id beside a wrong audience": (payload(aud="other", client_id=AUDIENCE), "JWT_AUDIENCE"),
        "wrong client id": (payload(aud=None, client_id="other"), "JWT_AUDIENCE"),
        "audience a number": (payload(aud=1), "TOKEN_MALFORMED"),
        "audiences with a number": (payload(aud=[AUDIENCE, 1]), "TOKEN_MALFORMED"),
        "scope a number": (payload(scope=1), "TOKEN_MALFORMED"),
    }
    return table


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_bad_tokens_are_refused_for_what_is_wrong_with_them():
    issuer = scene().issuer
    equal(scene().get(issuer.token()).status, 200, "the keys are there")
    table = bad_tokens(issuer)
    assert len(table) >= 60, len(table)
    wrong = []
    for name, (token, reason) in table.items():
        answer = scene().get(token)
        challenge = f'Bearer scope="" error="invalid_token" error_description="{CHALLENGES[reason]}"'
        got = (answer.status, answer.text, answer.headers.get("www-authenticate"))
        explained = scene().reason(answer)
        ends = (explained["outcome"], explained["reason"])
        if got != (401, '{"message":"Unauthorized"}', challenge) or ends != ("denied", reason):
            wrong.append(f"{name}: wanted {reason}, got {got} {ends}")
        signature = token.rsplit(".", 1)[-1]
        assert len(signature) < 40 or signature not in json.dumps(explained), f"{name}: the trace holds the signature"
    assert not wrong, "\n".join(wrong)
    assert "/evil" not in issuer.asked, "nothing that a token points to is followed"


def test_a_token_that_stands_twice_or_is_too_long_is_refused():
    good = scene().issuer.token()
    where = scene().server.api.split("//")[1]
    path = f"/_aws/execute-api/{scene().api}/guarded"
    lines = f"GET {path} HTTP/1.1\r\nHost: {where}\r\nConnection: close\r\n"
    twice = raw(where, lines + f"Authorization: Bearer {good}\r\nAuthorization: Bearer {good}\r\n\r\n")
    assert twice.startswith("HTTP/1.1 401 ") and "TOKEN_MALFORMED" in twice, twice
    long = scene().get(scene().issuer.token(padding="x" * 9000))
    equal((long.status, long.headers["x-tidegate-trace"]), (431, "HEADERS_TOO_LARGE"))


def raw(where, text):
    import socket

    host, port = where.split(":")
    with socket.create_connection((host, int(port)), timeout=harness.REQUEST_S) as connection:
        connection.sendall(text.encode())
        answer = b""
        while more := connection.recv(4096):
            answer += more
    return answer.decode()


def test_keys_rotate_under_load_and_no_good_token_is_refused():
    # Unknown keys are asked for once in ten seconds of the server's clock, and made-up ones count: those of the test before.
    scene().tick(11)
    issuer, failed, stop = scene().issuer, [], threading.Event()
    sent = [0] * LOADERS

    def load(number):
        while not stop.is_set():
            answer = scene().get(issuer.token(jti=f"{number}-{sent[number]}"))
            sent[number] += 1
            if answer.status != 200:
                failed.append((answer.status, answer.headers.get("x-tidegate-trace")))

    threads = [threading.Thread(target=load, args=(number,)) for number in range(LOADERS)]
    for thread in threads:
        thread.start()
    try:
        for kid in ("second", "third"):
            harness.until("load", lambda: min(sent) >= 5 or failed, 30)
            old, new = issuer.keys[0], key()
            # As issuers do: publish both, sign with the new one, and withdraw the old one when its tokens are over.
            issuer.keys = [public(new, kid), old]
            issuer.signer = (new, kid)
            before = min(sent)
            harness.until(f"load with {kid}", lambda: min(sent) >= before + 5 or failed, 30)
            issuer.keys = [public(new, kid)]
            scene().tick(11)
        harness.until("all load", lambda: sum(sent) >= LOADED_REQUESTS or failed, 60)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    equal(failed, [], f"of {sum(sent)} requests")


def test_an_issuer_that_is_down_is_borne_for_a_day():
    issuer = scene().issuer
    before = len(issuer.asked)
    scene().tick(2 * 3600)
    equal(scene().get(issuer.token()).status, 200, "old keys, while fresh ones are fetched")
    harness.until("the issuer is asked for both documents", lambda: len(issuer.asked) >= before + 2, within_s=10)
    equal(scene().get(issuer.token()).status, 200, "fresh keys")
    asked = len(issuer.asked)
    issuer.down()
    scene().tick(3600)
    equal(scene().get(issuer.token()).status, 200, "an hour: the keys are kept for two")
    equal(len(issuer.asked), asked, "nothing was asked")
    scene().tick(2 * 3600)
    equal(scene().get(issuer.token()).status, 200, "three hours: old keys are better than none")
    stranger = compact({"alg": "RS256", "kid": "unseen"}, issuer.claims(), lambda d: rsa_sign(issuer.key, d))
    answer = scene().get(stranger)
    equal((answer.status, scene().reason(answer)["reason"]), (401, "ISSUER_UNREACHABLE"))
    scene().tick(24 * 3600)
    answer = scene().get(issuer.token())
    explained = scene().reason(answer)
    equal((answer.status, explained["reason"], explained["outcome"]), (401, "ISSUER_UNREACHABLE", "failed"))
    assert "OIDC discovery endpoint communication error" in answer.headers["www-authenticate"], answer.headers
    issuer.up()
    scene().tick(11)
    equal(scene().get(issuer.token()).status, 200, "up again")


def test_a_token_ends_when_the_clock_is_moved():
    token = scene().issuer.token()
    equal(scene().get(token).status, 200)
    scene().tick(601)
    equal(scene().get(token).headers["x-tidegate-trace"], "JWT_EXPIRED")


def test_an_authorizer_is_checked_used_and_in_the_way():
    aws, api = scene().chain.aws.apigatewayv2, scene().api
    refused("ConflictException", aws.delete_authorizer, ApiId=api, AuthorizerId=scene().authorizer)
    jwt_of = lambda issuer: {"Issuer": issuer, "Audience": [AUDIENCE]}
    make = {"ApiId": api, "AuthorizerType": "JWT", "IdentitySource": ["$request.header.Authorization"]}
    for issuer in ("http://issuer.example", "issuer.example", "https://issuer.example?x=1"):
        refused("BadRequestException", aws.create_authorizer, Name="x", JwtConfiguration=jwt_of(issuer), **make)
    function = dict(make, AuthorizerType="REQUEST", Name="fn", AuthorizerUri="arn:aws:lambda:us-east-1:0:function:f")
    refused("BadRequestException", aws.create_authorizer, **function)
    # A change of the authorizer counts for tokens that were verified before.
    token = scene().issuer.token()
    equal(scene().get(token).status, 200)
    aws.update_authorizer(ApiId=api, AuthorizerId=scene().authorizer, JwtConfiguration={"Issuer": scene().issuer.url, "Audience": ["x"]})
    equal(scene().get(token).headers["x-tidegate-trace"], "JWT_AUDIENCE")
    aws.update_authorizer(ApiId=api, AuthorizerId=scene().authorizer, JwtConfiguration=jwt_of(scene().issuer.url))
    equal(scene().get(token).status, 200)
    aws.reset_authorizers_cache(ApiId=api, StageName="$default")
    equal(scene().get(token).status, 200)


def signed(base, api, method="GET", body=b"", key="AKIDEXAMPLE", secret="test", service="execute-api", **more):
    """A request signed by botocore, sent as it was signed."""
    path = f"/_aws/execute-api/{api}{more.get('path', '/signed')}"
    request = AWSRequest(method, base + path, data=body, headers=more.get("headers") or {})
    (more.get("auth") or SigV4Auth)(Credentials(key, secret), service, more.get("region", harness.REGION)).add_auth(request)
    prepared = request.prepare()
    target = prepared.url[len(base):]
    headers = {name: value for name, value in prepared.headers.items() if name.lower() != "content-length"}
    headers.update(more.get("afterwards") or {})
    return harness.request(base, target, method, headers=headers, body=more.get("sent", body) or None)


def test_iam_in_development_mode_believes_any_well_formed_signature():
    base, api = scene().server.api, scene().api
    answer = signed(base, api, key="111111111111")
    equal((answer.status, answer.headers["x-tidegate-trace"]), (200, "passed"))
    headers = json.loads(answer.text)["headers"]
    equal((headers.get("x-caller"), headers.get("x-caller-account")), ("111111111111", "111111111111"))
    posted = signed(base, api, "POST", b"hello", key="whoever")
    equal(json.loads(posted.text)["body"], "hello")
    for name, answer in {
        "unsigned": scene().chain.get("/signed"),
        "another service": signed(base, api, service="apigateway"),
        "no signature": scene().chain.get("/signed", headers={"Authorization": "Bearer x"}),
    }.items():
        equal((answer.status, answer.text), (403, '{"message":"Forbidden"}'), name)
        explained = scene().reason(answer)
        equal((explained["outcome"], explained["reason"]), ("denied", "SIGV4_INVALID"), name)


def test_iam_in_gateway_mode_verifies():
    keys = '[[access_keys]]\nid = "test"\nsecret = "test"\n[[access_keys]]\nid = "THEIRS"\nsecret = "test"\naccount = "222222222222"\n'
    server = harness.Server(config=keys)
    try:
        chain = Chain(server)
        api, aws = chain.stack["api"], chain.aws.apigatewayv2
        target = f"integrations/{chain.stack['integration']}"
        aws.create_route(ApiId=api, RouteKey="ANY /signed", AuthorizationType="AWS_IAM", Target=target)
        local = {"Issuer": scene().issuer.url, "Audience": [AUDIENCE]}
        jwt_kind = {"AuthorizerType": "JWT", "IdentitySource": ["$request.header.Authorization"], "JwtConfiguration": local}
        refused("BadRequestException", aws.create_authorizer, ApiId=api, Name="local", text="Invalid issuer", **jwt_kind)

        def ask(*args, **kwargs):
            return signed(server.api, api, *args, **({"key": "test"} | kwargs))

        body = b"x" * 100_000
        posted = ask("POST", body)
        equal((posted.status, json.loads(posted.text)["body"] == body.decode()), (200, True), "a signed body")
        equal(ask().status, 200, "no body")
        equal(ask(auth=lambda *of: SigV4QueryAuth(*of, expires=60)).status, 200, "signed in the query")
        equal(ask(path="/signed?b=2&a=%2Fx").status, 200, "with a query")
        denied = {
            "unsigned": harness.request(server.api, f"/_aws/execute-api/{api}/signed"),
            "another secret": ask(secret="other"),
            "an unknown key": ask(key="AKIDUNKNOWN"),
            "a key of another account": ask(key="THEIRS"),
            "another region": ask(region="eu-west-1"),
            "another service": ask(service="apigateway"),
            "another body than signed": ask("POST", b"hello", sent=b"HELLO"),
            "a body where none was signed": ask("POST", b"", sent=b"hello"),
            "an unsigned payload": ask("POST", b"hello", headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}),
            "a date changed afterwards": ask(afterwards={"X-Amz-Date": "20200101T000000Z"}),
        }
        for name, answer in denied.items():
            equal((answer.status, answer.text), (403, '{"message":"Forbidden"}'), name)
            assert "x-tidegate-trace" not in answer.headers, name
            equal(server.explain(answer.id).json["reason"], "SIGV4_INVALID", name)
    finally:
        server.close()


harness.main()
