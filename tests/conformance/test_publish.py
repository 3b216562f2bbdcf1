"""`tidegate publish`: a service of somebody who needs no AWS, behind a name with TLS. Changed in place under requests, all or nothing at
every call that may fail, and gone without a trace."""

import contextlib
import json
import tempfile
from pathlib import Path

import harness
from faults import Faults
from harness import equal
from issuer import AUDIENCE, Issuer
from load import Callers

HOST = "svc.example.com"
# Calls of a whole publication; a fault at each of them in turn leaves nothing.
CALLS_MIN = 20


@harness.once
def backend():
    return harness.Backend("first")


@harness.once
def trusted():
    return harness.server().tidegate("ca").stdout


def publish(*words, host=HOST, to=None, check=True, server=None, api=None):
    server = server or harness.server()
    words = ["publish", host, "--to", to or backend().address, "--output", "json", *words]
    return harness.command([harness.binary(), *words], server.env() | ({"TIDEGATE_API": api} if api else {}), check)


def unpublish(host=HOST):
    return harness.server().tidegate("unpublish", host, "--output", "json")


def published():
    return harness.server().tidegate("published", "--output", "json").json["published"]


@harness.once
def clients():
    return harness.server().clients()


def estate():
    """How many there are of everything that a realm holds, what is attached and where, and which certificates there are."""
    # The default network is made at the first look.
    clients().ec2.describe_vpcs()
    realms = harness.server().tidegate("status", "--output", "json").json["realms"]
    certificates = {one["CertificateArn"] for one in clients().acm.list_certificates()["CertificateSummaryList"]}
    return [(realm["resources"], realm["domains"], realm["attachments"]) for realm in realms], certificates


def get(told, path="", authority=None, **options):
    return harness.named(told["urls"][0].rstrip("/") + path, authority or trusted(), **options)


class Clients(Callers):
    """Callers of what was published."""

    def __init__(self, told, headers=None, authority=None):
        super().__init__(lambda: get(told, "/orders", authority, headers=headers))


def test_a_service_is_published_and_says_who_reaches_what():
    before = estate()
    told = publish().json
    equal(told["host"], HOST)
    equal(told["stage"], "$default")
    for member in ("api", "link", "load_balancer", "target_group"):
        assert told[member], member
    assert all(call.startswith("aws ") for call in told["calls"]) and len(told["calls"]) >= CALLS_MIN, told["calls"]
    assert told["urls"][0].startswith(f"https://{HOST}:"), told["urls"]
    for url in told["urls"]:
        answer = harness.named(url + "orders/7", trusted())
        seen = json.loads(answer.text)
        equal((answer.status, seen["backend"], seen["path"]), (200, "first", "/orders/7"), url)
    equal(publish().json["calls"], [], "what is so already is left alone")
    text = harness.server().tidegate("publish", HOST, "--to", backend().address).stdout
    for wanted in (f"{HOST} is published.", "no credentials", "admits it alone", 'resource "aws_lb" "this"', "curl --cacert"):
        assert wanted in text, (wanted, text)
    (one,) = published()
    equal((one["host"], one["to"], one["guard"], one["api"]), (HOST, backend().address, "nothing", told["api"]))
    assert f"{HOST} to {backend().address}" in harness.server().tidegate("published").stdout
    unpublish()
    equal(estate(), before, "nothing is left")
    again = harness.server().tidegate("unpublish", HOST, check=False)
    equal((again.returncode, again.stdout), (1, ""))
    assert "is not published" in again.stderr, again.stderr


def test_it_is_changed_in_place_and_no_request_fails():
    other = harness.Backend("second")
    told = publish().json
    with Clients(told) as clients:
        for words in (
            ["--cors", "https://app.example.com"],
            ["--rate", "5000", "--burst", "4000"],
            ["--health", "/healthz"],
            [],
            ["--cors", "*", "--rate", "4000"],
        ):
            changed = publish(*words).json
            equal((changed["api"], changed["link"]), (told["api"], told["link"]), words)
            assert 0 < len(changed["calls"]) <= 4, changed["calls"]
        moved = publish("--cors", "*", "--rate", "4000", to=other.address).json
        equal(moved["calls"], [], "where it listens is no resource of AWS")
        passed = clients.passed
        harness.until("requests pass", lambda: clients.passed > passed + 5 or clients.failed, within_s=30)
    equal(json.loads(get(told, "/x").text)["backend"], "second")
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    answer = get(told, "/x", method="OPTIONS", headers=preflight)
    equal((answer.status, answer.headers.get("access-control-allow-origin")), (204, "*"))
    equal(published()[0]["to"], other.address)
    unpublish()
    other.kill()


def test_tokens_are_asked_for():
    issuer = Issuer()
    words = ["--path", "/v1", "--jwt-issuer", issuer.url, "--audience", AUDIENCE, "--scope", "read"]
    told = publish(*words).json
    assert told["urls"][0].endswith("/v1"), told["urls"]

    def status(token=None, path=""):
        return get(told, path, headers={"Authorization": f"Bearer {token}"} if token else {}).status

    equal(status(), 401)
    equal(status(issuer.token(), "/orders"), 200)
    equal(status(issuer.token(scope="write")), 403)
    equal(status(issuer.token(aud="another")), 401)
    base = told["urls"][0].removesuffix("/v1")
    equal(harness.named(base + "/v2", trusted(), headers={"Authorization": f"Bearer {issuer.token()}"}).status, 404)
    equal(published()[0]["guard"], "tokens")
    # Without them again, in place.
    equal(publish("--path", "/v1").json["api"], told["api"])
    equal(status(), 200)
    unpublish()
    issuer.down()


def test_a_rate_is_kept_to():
    told = publish("--rate", "0.001", "--burst", "2").json
    equal([get(told).status for _ in range(4)], [200, 200, 429, 429])
    publish()
    equal([get(told).status for _ in range(4)], [200] * 4, "without it again")
    unpublish()


def test_keys_are_asked_for_by_a_rest_api_that_takes_over_at_once():
    before = estate()
    open_to_all = publish().json
    # Whoever has the key already is not disturbed: nobody asks for it before, and it is right afterwards.
    told = publish("--api-key", "--rate", "500", "--burst", "400").json
    key = {"x-api-key": told["api_key"]}
    assert told["api"] != open_to_all["api"] and told["stage"] == "live", told
    equal((get(told).status, get(told, headers=key).status), (403, 200))
    seen = json.loads(get(told, "/orders/7", headers=key).text)
    equal(seen["path"], "/orders/7", "the path that the client asked for")
    with Clients(told, key):
        equal(publish("--api-key").json["api_key"], told["api_key"])
        equal(publish("--api-key", "--cors", "https://app.example.com").json["api"], told["api"])
        publish()
        equal(published()[0]["guard"], "nothing")
    answer = harness.command([harness.binary(), "publish", HOST, "--to", backend().address, "--api-key"], harness.server().env())
    assert "x-api-key: " in answer.stdout and "aws_api_gateway_usage_plan_key" in answer.stdout, answer.stdout
    unpublish()
    equal(estate(), before, "nothing is left")
    aws = harness.server().clients().apigateway
    equal((aws.get_api_keys()["items"], aws.get_usage_plans()["items"]), ([], []))


@contextlib.contextmanager
def certificates():
    """Certificates of the development authority in files: of the name, twice, and of another authority's key."""
    server = harness.Server(data_dir=tempfile.mkdtemp(prefix="tidegate-ca-"))
    try:
        with tempfile.TemporaryDirectory(prefix="tidegate-certs-") as scratch:
            found = []
            for at in range(2):
                place = Path(scratch, str(at))
                place.mkdir()
                issued = server.tidegate("ca", "issue", HOST, "--dir", str(place), "--output", "json").json
                found.append((issued["certificate"], issued["private_key"]))
            yield server.tidegate("ca").stdout, found
    finally:
        server.close()


def test_a_certificate_of_one_s_own_is_presented_and_replaced():
    with certificates() as (authority, [(cert, key), (newer, newer_key)]):
        told = publish("--cert", cert, "--key", key).json
        first = harness.named(told["urls"][0], authority)
        equal(first.status, 200)
        mixed = publish("--cert", newer, "--key", key, check=False)
        equal((mixed.returncode, mixed.stdout), (1, ""))
        assert "stays as it was" in mixed.stderr, mixed.stderr
        equal(harness.named(told["urls"][0], authority).serial, first.serial)
        equal(publish("--cert", cert, "--key", key).json["calls"], [])
        (call,) = [call for call in publish("--cert", newer, "--key", newer_key).json["calls"] if " acm " in call]
        assert newer in call and "BEGIN" not in call, call
        assert harness.named(told["urls"][0], authority).serial != first.serial
    unpublish()


def test_a_renewed_certificate_in_the_same_files_is_presented_and_no_request_fails():
    with certificates() as (authority, [old, new]), tempfile.TemporaryDirectory(prefix="tidegate-renewed-") as scratch:
        files = [Path(scratch, name) for name in ("cert.pem", "key.pem")]

        def put(pair):
            [file.write_bytes(Path(given).read_bytes()) for file, given in zip(files, pair)]

        words = ["--cert", str(files[0]), "--key", str(files[1])]
        put(old)
        told = publish(*words).json
        with Clients(told, authority=authority) as clients:
            equal(publish(*words).json["calls"], [], "files that are the same change nothing")
            for pair in (new, old, new):
                put(pair)
                (call,) = [call for call in publish(*words).json["calls"] if " acm " in call]
                assert call.startswith("aws acm import-certificate"), call
            newest = get(told, "/orders", authority).serial
            harness.until("clients meet it", lambda: newest in clients.serials or clients.failed, within_s=30)
        equal(len(clients.serials), 2, clients.serials)
        equal(get(told, "/orders", authority).serial, newest)
    unpublish()


def test_what_cannot_be_changes_nothing():
    before = estate()
    gone = harness.Backend("gone")
    gone.kill()
    refused = publish(to=gone.address, check=False)
    equal((refused.returncode, refused.stdout), (1, ""))
    assert "nothing answers at" in refused.stderr and "nothing was changed" in refused.stderr, refused.stderr
    words = ["--path", "v1", "--rate", "0", "--api-key", "--jwt-issuer", "https://i", "--key", "k.pem"]
    wrong = publish(*words, host="*.example.com", check=False)
    equal((wrong.returncode, wrong.stdout), (2, ""))
    for wanted in ("*.example.com", "--path", "--rate", "--api-key", "--audience", "--cert"):
        assert wanted in wrong.stderr, (wanted, wrong.stderr)
    aws = clients()
    with certificates() as (_, [(cert, key), _]):
        arn = aws.acm.import_certificate(Certificate=Path(cert).read_bytes(), PrivateKey=Path(key).read_bytes())["CertificateArn"]
    own = [{"CertificateArn": arn, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}]
    aws.apigatewayv2.create_domain_name(DomainName=HOST, DomainNameConfigurations=own)
    foreign = publish(check=False)
    equal(foreign.returncode, 1)
    assert "was not published" in foreign.stderr, foreign.stderr
    equal(harness.server().tidegate("unpublish", HOST, check=False).returncode, 1)
    aws.apigatewayv2.delete_domain_name(DomainName=HOST)
    aws.acm.delete_certificate(CertificateArn=arn)
    equal(estate(), before)


def test_gateway_mode_takes_signed_calls_and_a_certificate_of_one_s_own():
    keys = '[[access_keys]]\nid = "AKIDPUBLISH"\nsecret = "of-nobody-else"\n'
    server = harness.Server(config=keys)
    env = server.env() | {"AWS_ACCESS_KEY_ID": "AKIDPUBLISH", "AWS_SECRET_ACCESS_KEY": "of-nobody-else"}
    words = [harness.binary(), "publish", HOST, "--to", backend().address, "--output", "json"]
    try:
        without = harness.command(words, env, check=False)
        equal((without.returncode, without.stdout), (2, ""))
        assert "--cert and --key" in without.stderr, without.stderr
        with certificates() as (authority, [(cert, key), _]):
            told = harness.command([*words, "--cert", cert, "--key", key, "--rate", "50"], env).json
            equal(harness.named(told["urls"][0], authority).status, 200)
            wrong = harness.command(words, env | {"AWS_SECRET_ACCESS_KEY": "another"}, check=False)
            assert wrong.returncode == 1 and "signature" in wrong.stderr.lower(), wrong.stderr
            harness.command([*words, "--cert", cert, "--key", key, "--api-key"], env)
            equal(harness.named(told["urls"][0], authority).status, 403)
        harness.command([harness.binary(), "unpublish", HOST], env)
        equal(harness.command([harness.binary(), "published", "--output", "json"], env).json, {"published": []})
    finally:
        server.close()


def with_fault(faults, at, *words, **options):
    """A publication whose call of this number fails."""
    faults.fail(at)
    return publish(*words, check=False, api=faults.api, **options)


def test_a_fault_at_any_call_leaves_nothing_of_a_new_one():
    faults, before = Faults(harness.server()), estate()
    failed = 0
    for at in range(1, 60):
        outcome = with_fault(faults, at)
        if outcome.returncode == 0:
            break
        equal((outcome.returncode, outcome.stdout), (1, ""), outcome.stderr)
        assert "stays as it was" in outcome.stderr or at == 1, (at, outcome.stderr)
        equal(estate(), before, f"a fault at call {at}: {outcome.stderr}")
        failed = at
    assert CALLS_MIN <= failed < 59, failed
    unpublish()
    equal(estate(), before)
    faults.close()


def test_a_fault_at_any_call_leaves_the_old_one_as_it_was():
    faults, other = Faults(harness.server()), harness.Backend("other")
    told = publish("--cors", "https://old.example", "--rate", "500", "--burst", "400").json
    aws = harness.server().clients().apigatewayv2

    def state():
        """What is served: routes, limits, origins, and by whom."""
        routes = sorted(route["RouteKey"] for route in aws.get_routes(ApiId=told["api"])["Items"])
        stage = aws.get_stage(ApiId=told["api"], StageName="$default")["DefaultRouteSettings"]
        origins = aws.get_api(ApiId=told["api"])["CorsConfiguration"]["AllowOrigins"]
        (one,) = published()
        return routes, stage, origins, one, json.loads(get(told, "/x").text)["backend"]

    before, failed = state(), 0
    wanted = ["--cors", "https://new.example", "--health", "/h", "--rate", "7", "--burst", "7"]
    for kind in (wanted, ["--api-key"]):
        for at in range(1, 30):
            outcome = with_fault(faults, at, *kind, to=other.address)
            if outcome.returncode == 0:
                break
            assert "stays as it was" in outcome.stderr, (at, outcome.stderr)
            equal(state(), before, f"a fault at call {at} of {kind}: {outcome.stderr}")
            failed += 1
        assert outcome.returncode == 0, outcome.stderr
        unpublish()
        told = publish("--cors", "https://old.example", "--rate", "500", "--burst", "400").json
        before = state()
    assert failed >= 10, failed
    unpublish()
    faults.close()
    other.kill()


def test_a_file_says_all_that_is_published():
    before = estate()
    with tempfile.TemporaryDirectory(prefix="tidegate-file-") as scratch:
        file = Path(scratch, "services.yaml")

        def apply(*services, yes=("--yes",), check=True):
            listed = "".join(f"\n- {json.dumps(service)}" for service in services) or " []"
            file.write_text(f"services:{listed}\n")
            return harness.server().tidegate("publish", "-f", str(file), *yes, "--output", "json", check=check)

        def plan(result):
            return {one["host"]: one["action"] for one in result.json["plan"]}

        def of(name, **more):
            return {"host": f"{name}.example.com", "to": backend().address} | more

        shown = apply(of("a"), of("b"), yes=(), check=False)
        equal((shown.returncode, plan(shown), shown.json["applied"]), (2, {"a.example.com": "create", "b.example.com": "create"}, False))
        equal(estate(), before, "a plan changes nothing")
        made = apply(of("a"), of("b", rate=0.001, burst=1))
        equal([one["host"] for one in made.json["services"]], ["a.example.com", "b.example.com"])
        one, two = made.json["services"]
        equal((get(one).status, [get(two).status for _ in range(2)]), (200, [200, 429]))
        kept = apply(of("a"), of("b", rate=0.001, burst=1), yes=())
        equal((set(plan(kept).values()), kept.json["services"]), ({"keep"}, []))

        gone = harness.Backend("gone")
        gone.kill()
        standing = estate(), published()
        failed = apply(of("a", cors="*"), of("c"), of("d", to=gone.address), check=False)
        equal((failed.returncode, failed.stdout), (1, ""))
        assert "nothing was changed" in failed.stderr and gone.address in failed.stderr, failed.stderr
        equal((estate(), published()), standing, "all or nothing")
        # A backend of these tests answers no OPTIONS: the API does not answer them any more either.
        asking = {"Origin": "https://x", "Access-Control-Request-Method": "GET"}
        equal(get(one, method="OPTIONS", headers=asking).status, 501)

        changed = apply(of("a", path="/v1"), of("c"))
        equal(plan(changed), {"a.example.com": "change", "b.example.com": "remove", "c.example.com": "create"})
        equal([one["host"] for one in published()], ["a.example.com", "c.example.com"])
        slip = apply(of("a", raet=5), check=False)
        equal((slip.returncode, slip.stdout), (2, ""))
        assert "raet" in slip.stderr, slip.stderr
        apply()
        equal(published(), [])
    equal(estate(), before)


def test_nothing_is_left_when_all_is_done():
    equal(published(), [])
    backend().kill()


if __name__ == "__main__":
    harness.main()
