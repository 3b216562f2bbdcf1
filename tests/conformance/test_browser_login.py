"""A user with a real browser logs in to a page behind a rule that authenticates: the provider's form, the cookies, what the target is told, and how
the session is renewed, ends, and is left."""

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import harness
from browser import Browser
from chain import Chain
from harness import equal
from provider import Provider, verified

NAME, PASSWORD = "shop.example.com", "correct horse"
PAGE = f"https://{NAME}/account?a=1"
SESSION_S = 3_600
_scene = None


class Shop(harness.Backend):
    """Its page `/leave` ends the session as AWS has applications do it: the cookies are taken away, and the provider is told."""

    provider = None

    def revive(self):
        super().revive()
        plain = self.server.RequestHandlerClass.do_GET

        def answer(it):
            if it.path != "/leave":
                return plain(it)
            it.send_response(302)
            for at in range(2):
                it.send_header("Set-Cookie", f"AWSELBAuthSessionCookie-{at}=gone; Max-Age=-1; Path=/; Secure; HttpOnly")
            it.send_header("Location", f"{Shop.provider}/logout")
            it.send_header("Content-Length", "0")
            it.end_headers()

        self.server.RequestHandlerClass.do_GET = answer


def scene():
    """A chain whose load balancer has an HTTPS listener with the rule, entered by a browser through a socket."""
    global _scene
    if _scene is None:
        kept = tempfile.TemporaryDirectory(prefix="tidegate-browser-login-")
        provider = Provider(password=PASSWORD)
        # Together they are more than one cookie holds.
        provider.claims |= {"groups": ["customers"], "picture": "x" * 4_000}
        Shop.provider = provider.url
        server = harness.Server(data_dir=f"{kept.name}/data")
        chain = Chain(server, name="shop", backend=Shop)
        words = [harness.binary(), "ca", "issue", NAME, "--dir", kept.name, "--data-dir", f"{kept.name}/data"]
        harness.command(words, server.env())
        pair = [Path(kept.name, f"{NAME}.{end}").read_bytes() for end in ("crt", "key")]
        arn = chain.aws.acm.import_certificate(Certificate=pair[0], PrivateKey=pair[1])["CertificateArn"]
        url = provider.url
        login = {
            "Issuer": url,
            "AuthorizationEndpoint": f"{url}/authorize",
            "TokenEndpoint": f"{url}/token",
            "UserInfoEndpoint": f"{url}/userinfo",
            "ClientId": provider.client,
            "ClientSecret": provider.secret,
            "SessionTimeout": SESSION_S,
        }
        listener = chain.aws.elbv2.create_listener(
            LoadBalancerArn=chain.stack["lb"],
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": arn}],
            DefaultActions=[
                {"Type": "authenticate-oidc", "AuthenticateOidcConfig": login, "Order": 1},
                {"Type": "forward", "TargetGroupArn": chain.stack["tg"], "Order": 2},
            ],
        )["Listeners"][0]["ListenerArn"]
        chain.permit("link_sg", "alb_sg", 443)
        opened = server.tidegate("attach", "--listen", listener, "127.0.0.1:0", "--security-group", chain.stack["link_sg"]).json
        browser = Browser(pair[0], {f"{NAME}:443": f"127.0.0.1:{urlsplit(opened['url']).port}"})
        _scene = SimpleNamespace(
            kept=kept, server=server, chain=chain, provider=provider, listener=listener, browser=browser
        )
    return _scene


def told():
    """What the target was told of the user by the request for the page that the browser shows."""
    equal(scene().browser.where(), PAGE)
    return json.loads(scene().browser.text())["headers"]


def is_at_the_form():
    browser = scene().browser
    return (browser.title(), browser.where().startswith(f"{scene().provider.url}/")) == ("Log in", True)


def log_in():
    browser = scene().browser
    browser.type("#user", "ann")
    browser.type("#password", PASSWORD)
    browser.follow("#enter")


def test_whoever_asks_for_the_page_is_led_to_the_form_and_back():
    browser = scene().browser
    browser.go(PAGE)
    equal(is_at_the_form(), True, browser.where())
    browser.type("#user", "ann")
    browser.type("#password", "guessed")
    browser.follow("#enter")
    equal((is_at_the_form(), browser.text("#told")), (True, "Wrong name or password"))
    log_in()
    headers = told()
    equal((headers["x-amzn-oidc-identity"], headers["x-amzn-oidc-accesstoken"]), ("ann", "access-1"))
    about, claims = verified(scene().server.api, headers["x-amzn-oidc-data"])
    equal((about["client"], about["iss"]), (scene().provider.client, scene().provider.url))
    equal((claims["email"], claims["groups"]), ("ann@example.com", ["customers"]))
    cookies = browser.cookies()
    equal(set(cookies), {"AWSELBAuthSessionCookie-0", "AWSELBAuthSessionCookie-1"})
    equal({(it["secure"], it["httpOnly"], it["path"]) for it in cookies.values()}, {(True, True, "/")})
    asked = scene().provider.redirects[-1]
    equal(asked["redirect_uri"], f"https://{NAME}/oauth2/idpresponse")


def test_another_request_needs_no_login():
    forms, logins = scene().provider.forms, len(scene().provider.redirects)
    scene().browser.go(PAGE)
    equal(told()["x-amzn-oidc-accesstoken"], "access-1")
    equal((scene().provider.forms, len(scene().provider.redirects)), (forms, logins))


def test_a_session_is_renewed_without_the_user():
    logins = len(scene().provider.redirects)
    scene().server.tidegate("tick", str(scene().provider.lasts + 1))
    scene().browser.go(PAGE)
    equal(told()["x-amzn-oidc-accesstoken"], "access-2", "by the refresh token")
    equal(len(scene().provider.redirects), logins)


def test_a_session_outlives_a_restart():
    scene().server.kill()
    scene().server.start()
    scene().chain.aws = scene().server.clients()

    def is_shown():
        scene().browser.go(PAGE)
        return '"backend"' in scene().browser.text()

    harness.until("the page is shown again", is_shown, 30)
    equal(told()["x-amzn-oidc-accesstoken"], "access-2")


def test_a_session_that_is_over_leads_to_the_provider_which_remembers_its_user():
    forms, logins = scene().provider.forms, len(scene().provider.redirects)
    scene().server.tidegate("tick", str(SESSION_S + 1))
    scene().browser.go(PAGE)
    equal(told()["x-amzn-oidc-identity"], "ann")
    equal((scene().provider.forms, len(scene().provider.redirects)), (forms, logins + 1), "a login without the form")


def test_whoever_leaves_has_to_log_in_again():
    browser = scene().browser
    browser.go(f"https://{NAME}/leave")
    equal(browser.title(), "Logged out")
    browser.go(PAGE)
    equal(is_at_the_form(), True, browser.where())
    log_in()
    equal(told()["x-amzn-oidc-identity"], "ann")


def close():
    if _scene:
        _scene.browser.close()
        _scene.chain.aws.elbv2.delete_listener(ListenerArn=_scene.listener)
        _scene.chain.close()
        _scene.provider.close()
        _scene.server.close()
        _scene.kept.cleanup()


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        close()
