"""The page of the server in a real browser: what answers, the health of targets, requests as they come, and why one was refused; nothing that is shown is ever carried out.
With UPDATE=1 its picture in the documentation is made anew."""

import os
from contextlib import closing

import harness
from browser import Browser
from chain import Chain
from harness import equal, until

PICTURE = harness.ROOT / "docs" / "pictures" / "page.png"
# In gateway mode nobody is believed without a key.
KEYS = '[[access_keys]]\nid = "AKIDEXAMPLE"\nsecret = "test"\n'
# A name and a path that would run a script where they were not text.
NASTY = "<img src=x onerror=\"document.title='taken over'\">"


@harness.once
def chain():
    made = Chain(harness.server(), name="orders")
    until("two healthy targets", lambda: all(state == "healthy" for state, _ in made.health().values()), 60)
    return made


@harness.once
def browser():
    return Browser()


def shown(selector, part, within_s=20):
    """Waits until it is on the page; the page asks every two seconds."""

    def has():
        text = browser().text(selector)
        return text if part in text else None

    return until(f"{part} in {selector}", has, within_s)


def opened():
    """Where the command leads, without a terminal."""
    return harness.server().tidegate("open").stdout.strip()


def test_it_tells_what_answers_and_why_a_request_was_refused():
    equal(chain().get("/hello").status, 200)
    chain().revoke("alb_sg", False)
    equal(chain().get("/refused").status, 503)
    url = opened()
    equal(url, f"{harness.server().api.rstrip('/')}/_tidegate/")
    browser().go(url)
    shown("#urls", "orders $default")
    assert shown("#targets", "10.0.10.10:8080").count("healthy") >= 2
    rows = shown("#requests", "/refused")
    assert "SG_INGRESS_DENIED" in rows and "/hello" in rows, rows
    browser().click("#requests button")
    way = shown("#way", "security-group")
    assert "link orders (eni-" in way and "has no ingress rule" in way, way
    assert "aws ec2 authorize-security-group-ingress" in browser().text("#fix")
    if os.environ.get("UPDATE"):
        PICTURE.write_bytes(browser().picture(1000, 1080))
    assert PICTURE.read_bytes().startswith(b"\x89PNG"), PICTURE
    chain().run_fix(harness.server().explain("GET", f"{harness.server().api.rstrip('/')}/_aws/execute-api/{chain().stack['api']}/hello").json)
    equal(chain().get("/mended").status, 200)
    shown("#requests", "/mended")


def test_what_is_shown_is_text():
    made = chain().aws.apigatewayv2.create_api(Name=NASTY, ProtocolType="HTTP")["ApiId"]
    chain().aws.apigatewayv2.create_stage(ApiId=made, StageName="$default", AutoDeploy=True)
    harness.server().invoke(made, "/%3Cscript%3Ealert(1)%3C/script%3E")
    browser().go(opened())
    shown("#urls", NASTY)
    shown("#requests", "/%3Cscript%3E")
    equal(browser().title(), "Tidegate")
    equal(browser().run("return document.querySelectorAll('img, iframe, object').length"), 0)
    # Nor does the page take a script from whoever could write into it.
    browser().run("const own = document.createElement('script'); own.textContent = \"document.title = 'taken over'\"; document.body.append(own)")
    equal(browser().title(), "Tidegate")
    chain().aws.apigatewayv2.delete_api(ApiId=made)


def test_an_api_is_opened_by_its_name():
    url = harness.server().tidegate("open", "orders", "--output", "json").json
    equal(url["opened"], False, "there is no terminal")
    assert chain().stack["api"] in url["url"], url
    refused = harness.server().tidegate("open", "nothing", check=False)
    equal(refused.returncode, 1, refused)
    assert "tidegate status lists them" in refused.stderr, refused.stderr


def test_others_are_not_let_in():
    own = harness.request(harness.server().api, "/_tidegate/")
    equal(own.status, 200)
    policy = own.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy, policy
    for path in ("/_tidegate/", "/_tidegate/requests"):
        equal(harness.request(harness.server().api, path, host="evil.example").status, 403)
        equal(harness.request(harness.server().api, path, headers={"Origin": "https://evil.example"}).status, 403)
    with closing(harness.Server(config=KEYS)) as server:
        equal(harness.request(server.api, "/_tidegate/").status, 404)
        equal(harness.request(server.api, "/_tidegate/requests").status, 403)


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        if browser.made():
            browser.made().close()
