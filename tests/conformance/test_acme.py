"""Certificates of an authority that is asked by ACME, of Pebble: requested, proven by both challenges, presented, renewed without a failed request;
and what comes of an authority that is down, refuses, is asked too often, or forgets, of a name that cannot be proven, and of a restart meanwhile."""

import functools
import json
import os
import tempfile
import time
from pathlib import Path

import harness
from authority import BLOCKED, HTTP_PORT, TLS_PORT, VALID_S, Authority
from faults import Faults
from harness import equal
from issuer import AUDIENCE, Issuer
from load import Callers

DAY_S = 24 * 3600
# Calls of a whole publication, and which of them are made to fail: by hand each (EVERY=1), which takes a minute and a half.
CALLS_MIN, EVERY = 20, int(os.environ.get("EVERY", "7"))


@harness.once
def authority():
    return Authority()


def settings(**more):
    lines = {"directory": authority().directory, "contact": ["mailto:ops@example.com"], "terms_agreed": True, "ca_file": authority().ca_file}
    text = "\n".join(f"{name} = {json.dumps(value)}" for name, value in (lines | more).items())
    return f"[listen]\nredirect = \"127.0.0.1:{HTTP_PORT}\"\n\n[timeouts]\nblocked_connect = \"200ms\"\n\n[acme]\n{text}\n"


@harness.once
def data():
    return tempfile.TemporaryDirectory()


@harness.once
def server():
    return harness.Server(data_dir=data().name, config=settings(), args=["--public-tls", f"127.0.0.1:{TLS_PORT}", "--log", "debug"])


@functools.cache
def clients(api):
    """Clients of the server at this address, which is another after a restart."""
    equal(server().api, api)
    return server().clients()


def acm():
    return clients(server().api).acm


def request(*names):
    answer = acm().request_certificate(DomainName=names[0], SubjectAlternativeNames=list(names), ValidationMethod="DNS")
    return answer["CertificateArn"]


def shown(arn):
    return acm().describe_certificate(CertificateArn=arn)["Certificate"]


def becomes(arn, status, within_s=30):
    def probe():
        found = shown(arn)
        return found if found["Status"] == status else None

    try:
        return harness.until(f"{arn} is {status}", probe, within_s)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{troubles()}\n{server().tail()}\n{authority().tail()}") from None


def troubles():
    told = server().tidegate("status", "--output", "json").json["acme"]["troubles"]
    return {one["certificate"]: one for one in told}


def trouble(arn, tries=1):
    found = lambda: troubles().get(arn)
    return harness.until(f"trouble {tries} of {arn} is told", lambda: (found() or {}).get("tries") == tries and found(), within_s=30)


def log():
    return Path(server().log_path()).read_text().splitlines()


def tick(seconds):
    server().tidegate("tick", str(seconds))


def test_a_requested_certificate_is_proven_by_each_challenge_and_issued():
    for kind, name in (("http-01", "one.example.com"), ("tls-alpn-01", "two.example.com")):
        authority().only = kind
        other = f"www.{name}"
        arn = request(name, other)
        issued = becomes(arn, "ISSUED")
        equal((issued["Type"], issued["DomainName"], sorted(issued["SubjectAlternativeNames"])), ("AMAZON_ISSUED", name, [name, other]), kind)
        assert issued["Issuer"].startswith("Pebble Intermediate CA"), issued["Issuer"]
        equal([one["ValidationStatus"] for one in issued["DomainValidationOptions"]], ["SUCCESS", "SUCCESS"], kind)
        assert issued["IssuedAt"] and issued["Serial"], issued
        got = acm().get_certificate(CertificateArn=arn)
        assert "BEGIN CERTIFICATE" in got["Certificate"] and "BEGIN CERTIFICATE" in got["CertificateChain"], got
        equal(troubles(), {}, kind)
    authority().only = None
    equal(authority().accounts(), 1, "both by one account")


def test_no_token_is_answered_once_its_order_has_ended():
    where = f"http://127.0.0.1:{HTTP_PORT}"
    answer = harness.request(where, "/.well-known/acme-challenge/none", host="one.example.com")
    equal((answer.status, answer.headers["location"]), (308, "https://one.example.com/.well-known/acme-challenge/none"))


@harness.once
def backend():
    return harness.Backend("private")


def publish(host, *words, check=True):
    words = ["publish", host, "--to", backend().address, "--acme", "--output", "json", *words]
    return server().tidegate(*words, check=check)


def get(told, **options):
    return harness.named(told["urls"][0] + "orders", authority().root(), **options)


def arns():
    return {one["CertificateArn"] for one in acm().list_certificates()["CertificateSummaryList"]}


def test_a_service_is_published_with_it_and_it_is_renewed_without_a_failed_request():
    host = "svc.example.com"
    told = publish(host).json
    assert any("acm request-certificate" in call for call in told["calls"]), told["calls"]
    assert "aws_acm_certificate_validation" in told["terraform"], told["terraform"]
    (arn,) = [one for one in arns() if shown(one)["DomainName"] == host]
    equal((get(told).status, shown(arn)["RenewalEligibility"]), (200, "ELIGIBLE"))
    equal(publish(host).json["calls"], [], "what is so already is left alone")
    first, orders = get(told).serial, authority().orders()
    with Callers(lambda: get(told)) as callers:
        tick(2 * VALID_S // 3 + DAY_S)
        harness.until("clients meet a newer one", lambda: len(callers.serials) == 2 or callers.failed, within_s=30)
    renewed = harness.until("the renewal is told", lambda: shown(arn).get("RenewalSummary"), within_s=10)
    equal(renewed["RenewalStatus"], "SUCCESS")
    assert get(told).serial != first
    equal(authority().orders(), orders + 1, "what nobody uses is not renewed, and this one not again")
    server().tidegate("unpublish", host)
    assert arn not in arns()


def test_a_certificate_is_renewed_when_its_authority_suggests_it():
    host = "early.example.com"
    told = publish(host).json
    serial, orders = get(told).serial, authority().orders()
    asks = lambda: authority().asked_when(serial)
    harness.until("the authority is asked when", asks, within_s=30)
    (arn,) = [one for one in arns() if shown(one)["DomainName"] == host]
    heard = lambda: any(arn.rsplit("/", 1)[1] in line for line in log() if "a suggestion when to renew" in line)
    harness.until("it is heard", heard, within_s=30)
    authority().suggested_s, authority().replaced = -DAY_S, []
    # Not before an eighth of its life is over, whatever the authority says.
    tick(VALID_S // 8 - DAY_S)
    harness.until("it is asked again", lambda: asks() > 1, within_s=30)
    equal((get(told).serial, authority().orders()), (serial, orders))
    tick(2 * DAY_S)
    harness.until("a newer one is presented", lambda: get(told).serial != serial, within_s=30)
    equal([authority().serial(one) for one in authority().replaced], [int(serial, 16)])
    authority().suggested_s = 10 * VALID_S
    server().tidegate("unpublish", host)


def test_a_published_service_changes_to_a_certificate_by_acme_and_back_and_a_refusal_leaves_all_as_it_was():
    host = "changed.example.com"
    before = arns()
    told = server().tidegate("publish", host, "--to", backend().address, "--output", "json").json
    own = server().tidegate("ca").stdout
    serial = harness.named(told["urls"][0], own).serial
    authority().refuse("rejectedIdentifier", "that name is not for you")
    refused = publish(host, "--rate", "100", check=False)
    authority().refusal = None
    equal((refused.returncode, refused.stdout), (1, ""))
    for part in (f"{host} stays as it was", "that name is not for you", "publish it again"):
        assert part in refused.stderr, refused.stderr
    equal(refused.stderr.count("\n"), 1, "one sentence")
    equal(harness.named(told["urls"][0], own).serial, serial, "what served before serves")
    equal(len(arns() - before), 1, "what was asked for is gone")
    publish(host, "--rate", "100")
    equal(get(told).status, 200)
    equal(len(arns() - before), 1, "the one before is gone")
    with tempfile.TemporaryDirectory() as folder:
        server().tidegate("ca", "issue", host, "--dir", folder)
        files = ["--cert", f"{folder}/{host}.crt", "--key", f"{folder}/{host}.key"]
        server().tidegate("publish", host, "--to", backend().address, *files)
    equal(harness.named(told["urls"][0], own).status, 200)
    equal(len(arns() - before), 1, "the one by ACME is gone")
    server().tidegate("unpublish", host)
    equal(arns(), before, "nothing is left")


def test_a_service_with_tokens_rates_and_keys_is_changed_in_place_and_no_request_fails():
    host, issuer, before = "shop.example.com", Issuer(), arns()
    tokens = ["--jwt-issuer", issuer.url, "--audience", AUDIENCE, "--scope", "read"]
    told = publish(host, *tokens, "--rate", "500", "--burst", "400").json
    # The server's clock may be far ahead by now.
    bearer = {"Authorization": f"Bearer {issuer.token(exp=int(time.time()) + 3650 * DAY_S)}"}
    equal((get(told).status, get(told, headers=bearer).status), (401, 200))
    with Callers(lambda: get(told, headers=bearer)):
        for more in (["--rate", "600", "--burst", "500"], ["--rate", "600", "--burst", "500", "--cors", "https://app.example.com"]):
            equal(publish(host, *tokens, *more).json["api"], told["api"])
    keyed = publish(host, "--api-key", "--rate", "500", "--burst", "400").json
    key = {"x-api-key": keyed["api_key"]}
    equal((get(keyed).status, get(keyed, headers=key).status), (403, 200))
    with Callers(lambda: get(keyed, headers=key)):
        publish(host, "--api-key", "--rate", "600", "--burst", "500")
    equal(len(arns() - before), 1, "one certificate all the while")
    server().tidegate("unpublish", host)
    equal(arns(), before)
    issuer.down()


def test_a_fault_at_any_call_leaves_nothing_of_a_new_one():
    faults, before, failed = Faults(server()), arns(), []
    words = [harness.binary(), "publish", "faulty.example.com", "--to", backend().address, "--acme", "--output", "json"]
    for at in range(1, 60, EVERY):
        faults.fail(at)
        outcome = harness.command(words, server().env() | {"TIDEGATE_API": faults.api}, check=False)
        if outcome.returncode == 0:
            break
        equal((outcome.returncode, outcome.stdout), (1, ""), outcome.stderr)
        equal((arns(), server().tidegate("published", "--output", "json").json["published"]), (before, []), f"a fault at call {at}")
        failed.append(at)
    assert failed[-1] >= CALLS_MIN, failed
    server().tidegate("unpublish", "faulty.example.com")
    faults.close()


def test_an_authority_that_is_down_is_asked_again_and_a_new_service_leaves_nothing():
    before = arns()
    authority().shut()
    refused = publish("down.example.com", check=False)
    equal(refused.returncode, 1)
    for part in (authority().directory, "cannot connect", "publish it again"):
        assert part in refused.stderr, refused.stderr
    equal((arns(), server().tidegate("published", "--output", "json").json["published"]), (before, []))
    arn = request("later.example.com")
    assert "cannot connect" in trouble(arn)["why"]
    equal(shown(arn)["Status"], "PENDING_VALIDATION")
    harness.in_order(server().tidegate("status").stdout, arn, "cannot connect", "asked for again at")
    authority().open()
    tick(60)
    becomes(arn, "ISSUED")
    equal(troubles(), {})


def test_a_name_that_cannot_be_proven_waits_and_is_given_up_after_72_hours():
    gone = "gone.example.com"
    authority().names.gone.add(gone)
    arn = request(gone)
    told = trouble(arn)
    assert f"{gone} could not be validated" in told["why"], told
    found = shown(arn)
    equal((found["Status"], found["DomainValidationOptions"][0]["ValidationStatus"]), ("PENDING_VALIDATION", "PENDING_VALIDATION"))
    harness.refused("RequestInProgressException", acm().get_certificate, CertificateArn=arn)
    authority().names.gone.clear()
    tick(60)
    becomes(arn, "ISSUED")
    authority().names.gone.add(gone)
    arn = request(gone)
    trouble(arn)
    tick(3 * DAY_S)
    found = becomes(arn, "VALIDATION_TIMED_OUT")
    equal(found["DomainValidationOptions"][0]["ValidationStatus"], "FAILED")
    told = harness.until("it is told that nothing is asked any more", lambda: (lambda it: it["again"] is None and it)(troubles()[arn]), within_s=10)
    assert f"{gone} could not be validated" in told["why"], told
    acm().delete_certificate(CertificateArn=arn)
    harness.until("what is gone is told of no more", lambda: not troubles(), within_s=10)
    authority().names.gone.clear()


def test_names_that_are_refused_fail_with_a_reason_of_aws():
    for name, said, reason in (
        (BLOCKED, None, "DOMAIN_NOT_ALLOWED"),
        ("*.example.com", None, "OTHER"),
        ("records.example.com", "caa", "CAA_ERROR"),
        ("host.local", "malformed", "INVALID_PUBLIC_DOMAIN"),
    ):
        if said:
            authority().refuse(said, "not by this authority")
        arn = request(name)
        found = becomes(arn, "FAILED")
        equal((found["FailureReason"], found.get("Issuer"), found.get("NotAfter")), (reason, None, None), name)
        configurations = [{"CertificateArn": arn}]
        create = clients(server().api).apigatewayv2.create_domain_name
        harness.refused("BadRequestException", create, DomainName="x.example.com", DomainNameConfigurations=configurations)
        harness.in_order(server().tidegate("status").stdout, arn, "not asked for again")
        acm().delete_certificate(CertificateArn=arn)
        authority().refusal = None


def test_who_is_asked_too_often_is_left_alone_as_long_as_it_says():
    authority().refuse("rateLimited", "too many orders", 429, Retry_After="5000")
    arn = request("often.example.com")
    assert "rateLimited" in trouble(arn)["why"]
    authority().refusal = None
    orders = authority().orders()
    tick(4000)
    # Whoever looks finds nothing to do: a certificate that is requested behind it is issued before.
    becomes(request("meanwhile.example.com"), "ISSUED")
    equal((shown(arn)["Status"], authority().orders()), ("PENDING_VALIDATION", orders + 1))
    tick(1000)
    becomes(arn, "ISSUED")


def test_an_order_that_a_kill_breaks_off_is_made_again_by_the_same_account():
    files = list(Path(server().data_dir, "acme").iterdir())
    equal([oct(file.stat().st_mode & 0o777) for file in files], ["0o600"])
    equal(Path(server().data_dir, "acme").stat().st_mode & 0o777, 0o700)
    accounts = authority().accounts()
    authority().holds.clear()
    asked = len(authority().asked)
    arn = request("broken.example.com")
    harness.until("the authority is asked", lambda: len(authority().asked) > asked, within_s=30)
    server().kill()
    authority().holds.set()
    server().start()
    becomes(arn, "ISSUED")
    equal(authority().accounts(), accounts, "the account is used again")
    secret = json.loads(files[0].read_text())["credentials"]["key_pkcs8"]
    assert not [line for line in log() if secret in line or "PRIVATE KEY" in line]


def test_an_authority_that_knows_the_account_no_more_is_given_another():
    accounts = authority().accounts()
    authority().forget()
    becomes(request("new.example.com"), "ISSUED")
    equal(authority().accounts(), accounts + 1)


def test_a_listener_of_a_load_balancer_presents_it_and_its_renewal():
    # The clock of the others was moved up to when certificates that are issued now have expired; that of a start is right again.
    aws, name = clients(server().api), "lb.example.com"
    vpc = aws.ec2.create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"]
    place = lambda at: {"VpcId": vpc, "CidrBlock": f"10.50.{at}.0/24", "AvailabilityZone": f"us-east-1{'ab'[at]}"}
    subnets = [aws.ec2.create_subnet(**place(at))["Subnet"]["SubnetId"] for at in (0, 1)]
    balancer = aws.elbv2.create_load_balancer(Name="acme", Scheme="internal", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    arn = request(name)
    becomes(arn, "ISSUED")
    fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "here"}}]
    wanted = {"LoadBalancerArn": balancer, "Protocol": "HTTPS", "Port": 443, "DefaultActions": fixed}
    listener = aws.elbv2.create_listener(**wanted, Certificates=[{"CertificateArn": arn}])["Listeners"][0]["ListenerArn"]
    socket = server().tidegate("attach", "--listen", listener, "127.0.0.1:0", "--output", "json").json
    url = f"https://{name}:{socket['host'].rsplit(':', 1)[1]}/"
    ask = lambda: harness.named(url, authority().root())
    first = ask()
    equal((first.status, first.text, shown(arn)["InUseBy"]), (200, "here", [balancer]))
    with Callers(ask) as callers:
        tick(2 * VALID_S // 3 + DAY_S)
        harness.until("clients meet a newer one", lambda: len(callers.serials) == 2 or callers.failed, within_s=30)
    server().tidegate("detach", "--listen", listener)
    aws.elbv2.delete_load_balancer(LoadBalancerArn=balancer)


if __name__ == "__main__":
    harness.isolate()
    try:
        harness.main()
    finally:
        for made in (server, authority):
            if made.made():
                made().close()
        if backend.made():
            backend().kill()
        if data.made():
            data().cleanup()
