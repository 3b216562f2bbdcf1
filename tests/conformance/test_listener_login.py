"""Rules of an HTTPS listener that authenticate users: a browser's cookies and redirects through the whole chain, with a provider of OpenID
Connect that is a small server of this script. What targets are told is verified with the key that the API port gives."""

import base64
import http.client
import json
import shutil
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import harness
from chain import Chain
from harness import equal, refused
from provider import Provider, verified

NAME = "internal.example.com"
CLIENT, SECRET = "shop", "s3cret/+&"
POOL = "us-east-1_abc123DEF"
_scene = None


class Browser:
    """Keeps cookies, and follows a login when it is asked to."""

    def __init__(self):
        self.cookies = {}

    def get(self, path):
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        connection = http.client.HTTPConnection(urlsplit(scene().server.public).netloc, timeout=harness.REQUEST_S)
        try:
            connection.request("GET", path, headers=sent | {"Host": scene().chain.host()})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            first, *attributes = [part.strip() for part in line.split(";")]
            assert {"Secure", "HttpOnly"} <= set(attributes), line
            name, value = first.split("=", 1)
            self.cookies[name] = value
            if "1970" in line:
                del self.cookies[name]
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return SimpleNamespace(status=answer.status, headers=headers, text=text, id=headers.get("apigw-requestid"))

    def way_back(self, path):
        """The path with which the provider sends the client back."""
        sent = self.get(path)
        equal(sent.status, 302, sent.text)
        where = urlsplit(sent.headers["location"])
        gone = harness.request(scene().provider.url, f"{where.path}?{where.query}")
        return "/oauth2/idpresponse?" + urlsplit(gone.headers["location"]).query

    def log_in(self, path):
        back = self.get(self.way_back(path))
        equal(back.status, 302, back.text)
        return back.headers["location"]


def scene():
    global _scene
    if _scene is None:
        data = tempfile.mkdtemp(prefix="tidegate-listener-login-")
        provider = Provider(CLIENT, SECRET, POOL)
        config = f'[timeouts]\nblocked_connect = "200ms"\n[cognito]\nendpoint = "{provider.url}"\n'
        server = harness.Server(data_dir=data, config=config)
        chain = Chain(server)
        _scene = SimpleNamespace(data=data, server=server, chain=chain, provider=provider, elb=chain.aws.elbv2)
        stack = chain.stack
        words = [harness.binary(), "ca", "issue", NAME, "--dir", data, "--output", "json", "--data-dir", data]
        got = harness.command(words, server.env()).json
        pair = {"Certificate": Path(got["certificate"]).read_bytes(), "PrivateKey": Path(got["private_key"]).read_bytes()}
        arn = chain.aws.acm.import_certificate(**pair)["CertificateArn"]
        _scene.elb.modify_listener(
            ListenerArn=stack["listener"], Protocol="HTTPS", Certificates=[{"CertificateArn": arn}],
        )
        chain.aws.apigatewayv2.update_integration(
            ApiId=stack["api"], IntegrationId=stack["integration"], TlsConfig={"ServerNameToVerify": NAME}
        )
        _scene.elb.modify_rule(RuleArn=stack["rule"], Actions=[authenticate(), forward()])
    return _scene


def authenticate(**members):
    url = _scene.provider.url
    config = {
        "Issuer": url,
        "AuthorizationEndpoint": f"{url}/authorize",
        "TokenEndpoint": f"{url}/token",
        "UserInfoEndpoint": f"{url}/me",
        "ClientId": CLIENT,
        "ClientSecret": SECRET,
    } | members
    config = {name: value for name, value in config.items() if value is not None}
    return {"Type": "authenticate-oidc", "AuthenticateOidcConfig": config, "Order": 1}


def forward():
    return {"Type": "forward", "TargetGroupArn": _scene.chain.stack["tg"], "Order": 2}


def ask(**members):
    """The rule asks so from now on."""
    return scene().elb.modify_rule(RuleArn=scene().chain.stack["rule"], Actions=[authenticate(**members), forward()])


def seen(answer):
    equal(answer.status, 200, answer.text)
    return json.loads(answer.text)["headers"]


def test_a_browser_logs_in_and_the_target_verifies_who_it_is():
    browser = Browser()
    target = browser.log_in("/hello?a=1")
    assert target.startswith("https://") and target.endswith("/hello?a=1"), target
    asked = scene().provider.redirects[-1]
    equal((asked["client_id"], asked["response_type"], asked["scope"]), (CLIENT, "code", "openid"))
    equal(set(browser.cookies), {"AWSELBAuthSessionCookie-0"})
    told = seen(browser.get("/hello?a=1"))
    equal((told["x-amzn-oidc-identity"], told["x-amzn-oidc-accesstoken"]), ("ann", "access-1"))
    about, claims = verified(scene().server.api, told["x-amzn-oidc-data"])
    equal(claims, {"sub": "ann", "email": "ann@example.com"})
    equal((about["client"], about["iss"]), (CLIENT, scene().provider.url))
    assert ":loadbalancer/app/" in about["signer"] and about["exp"] > time.time(), about
    equal(harness.request(scene().server.api, "/_tidegate/elb-keys/none").status, 404)


def test_another_client_cannot_use_a_way_back():
    victim, other = Browser(), Browser()
    back = victim.way_back("/hello")
    other.way_back("/hello")
    answer = other.get(back)
    equal((answer.status, answer.headers["x-tidegate-trace"]), (401, "TOKEN_MALFORMED"))
    explained = scene().server.explain(answer.id)
    equal(explained.returncode, 3)
    assert "AuthInvalidAWSALBAuthNonce" in json.dumps(explained.json), explained.json
    equal(victim.get(back).status, 302)
    equal(Browser().get(back).status, 401)


def test_a_session_is_renewed_and_ends_when_the_provider_says_so():
    scene().provider.lasts = 60
    browser = Browser()
    browser.log_in("/hello")
    first = seen(browser.get("/hello"))["x-amzn-oidc-accesstoken"]
    scene().server.tidegate("tick", "61")
    renewed = seen(browser.get("/hello"))["x-amzn-oidc-accesstoken"]
    assert renewed != first, renewed
    scene().provider.refreshes = set()
    scene().server.tidegate("tick", "61")
    equal(browser.get("/hello").status, 302)
    scene().provider.lasts = 600


def test_clients_take_parameters_to_the_provider():
    params = {"prompt": "login", "ui locale": "de&fr"}
    told = ask(AuthenticationRequestExtraParams=params)["Rules"][0]["Actions"][0]["AuthenticateOidcConfig"]
    equal(told["AuthenticationRequestExtraParams"], params)
    browser = Browser()
    browser.log_in("/hello")
    asked = scene().provider.redirects[-1]
    equal({name: asked[name] for name in params}, params)
    equal(seen(browser.get("/hello"))["x-amzn-oidc-identity"], "ann")
    refused("ValidationError", ask, AuthenticationRequestExtraParams={str(n): "" for n in range(11)}, text="at most 10")
    refused("ValidationError", ask, AuthenticationRequestExtraParams={"redirect_uri": "https://evil"}, text="redirect_uri")


def test_users_of_a_pool_log_in():
    config = {
        "UserPoolArn": f"arn:aws:cognito-idp:us-east-1:000000000000:userpool/{POOL}",
        "UserPoolClientId": CLIENT,
        "UserPoolDomain": "shop",
        "AuthenticationRequestExtraParams": {"lang": "de"},
    }
    action = {"Type": "authenticate-cognito", "AuthenticateCognitoConfig": config, "Order": 1}
    rule = scene().chain.stack["rule"]
    told = scene().elb.modify_rule(RuleArn=rule, Actions=[action, forward()])["Rules"][0]["Actions"][0]
    defaults = {
        "SessionCookieName": "AWSELBAuthSessionCookie",
        "Scope": "openid",
        "SessionTimeout": 604800,
        "OnUnauthenticatedRequest": "authenticate",
    }
    equal(told, action | {"AuthenticateCognitoConfig": config | defaults})
    browser = Browser()
    browser.log_in("/hello")
    asked = scene().provider.redirects[-1]
    equal((asked["client_id"], asked["scope"], asked["lang"]), (CLIENT, "openid", "de"))
    headers = seen(browser.get("/hello"))
    equal(headers["x-amzn-oidc-identity"], "ann")
    about = json.loads(base64.urlsafe_b64decode(headers["x-amzn-oidc-data"].split(".")[0]))
    equal(about["iss"], f"{scene().provider.url}/{POOL}")
    refused("ValidationError", scene().elb.modify_rule, RuleArn=rule, text="UserPoolArn", Actions=[
        action | {"AuthenticateCognitoConfig": config | {"UserPoolArn": "arn:aws:s3:::shop"}}, forward(),
    ])
    ask()


def test_rules_deny_allow_and_keep_their_secret():
    told = ask(OnUnauthenticatedRequest="deny", ClientSecret=None, UseExistingClientSecret=True, SessionCookieName="mine")
    assert SECRET not in json.dumps(told, default=str) and "ClientSecret" not in json.dumps(told, default=str), told
    denied = Browser().get("/hello")
    equal((denied.status, denied.headers["x-tidegate-trace"]), (401, "TOKEN_MISSING"))
    ask(OnUnauthenticatedRequest="allow")
    assert not [name for name in seen(Browser().get("/hello")) if name.startswith("x-amzn-oidc")]
    ask(SessionCookieName="mine", ClientSecret=None, UseExistingClientSecret=True)
    browser = Browser()
    browser.log_in("/hello")
    equal(set(browser.cookies), {"mine-0"})
    refused("ValidationError", ask, ClientSecret=None, text="ClientSecret")
    refused("ValidationError", ask, SessionTimeout=0, text="SessionTimeout")
    refused("ValidationError", ask, TokenEndpoint="http://10.0.0.1/token", text="TokenEndpoint")
    scene().server.kill()
    scene().server.start()
    scene().chain.aws = scene().server.clients()
    scene().elb = scene().chain.aws.elbv2
    harness.until("a session outlives a restart", lambda: browser.get("/hello").status == 200, 20)
    assert SECRET not in scene().server.tail(10_000)


def close():
    if _scene:
        for backend in _scene.chain.backends:
            backend.kill()
        _scene.provider.close()
        _scene.server.close()
        shutil.rmtree(_scene.data, ignore_errors=True)


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        close()
