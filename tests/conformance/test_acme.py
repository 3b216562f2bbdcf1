"""Certificates of an authority that is asked by ACME, of Pebble: requested, proven by both challenges, presented, renewed without a failed request;
and what comes of an authority that is down, refuses, is asked too often, or forgets, of a name that cannot be proven, and of a restart meanwhile."""

import json
import os
import stat
import tempfile
from pathlib import Path

import harness
from authority import BLOCKED, HTTP_PORT, TLS_PORT, Authority
from harness import equal

DAY_S = 24 * 3600


@harness.once
def authority():
    return Authority()


def settings(**more):
    lines = {"directory": authority().directory, "contact": ["mailto:ops@example.com"], "terms_agreed": True, "ca_file": authority().ca_file}
    text = "\n".join(f"{name} = {json.dumps(value)}" for name, value in (lines | more).items())
    return f"[listen]\nredirect = \"127.0.0.1:{HTTP_PORT}\"\n\n[timeouts]\nblocked_connect = \"200ms\"\n\n[acme]\n{text}\n"


@harness.once
def server():
    data = tempfile.mkdtemp(prefix="tidegate-acme-data-")
    return harness.Server(data_dir=data, config=settings(), args=["--public-tls", f"127.0.0.1:{TLS_PORT}"])


def acm():
    return server().clients().acm


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
    equal(authority().count("/sign-me-up"), 1, "both by one account")


def test_no_token_is_answered_once_its_order_has_ended():
    where = f"http://127.0.0.1:{HTTP_PORT}"
    answer = harness.request(where, "/.well-known/acme-challenge/none", host="one.example.com")
    equal((answer.status, answer.headers["location"]), (308, "https://one.example.com/.well-known/acme-challenge/none"))


if __name__ == "__main__":
    harness.isolate()
    try:
        harness.main()
    finally:
        for made in (server, authority):
            if made.made():
                made().close()
