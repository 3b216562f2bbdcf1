"""What careful operators ask of the server: TLS on the API port, a public side with TLS alone, metrics at a place of their own, a service
manager that is told, and warnings of secrets that others can read."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import harness
from botocore.config import Config
from harness import equal, until

TOLD_S = 20
KEYS = '[[access_keys]]\nid = "AKIDEXAMPLE"\nsecret = "test"\n'


class Scratch:
    """A directory with certificates of authorities of the test's own."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="tidegate-operators-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name):
        return os.path.join(self.path, name)

    def issue(self, authority, name="localhost"):
        """The paths of a certificate, its key and its authority's certificate."""
        place = ["--data-dir", self.file(authority)]
        harness.command([harness.binary(), "ca", "issue", *place, "--dir", self.file(authority), name, "127.0.0.1"], dict(os.environ))
        root = harness.command([harness.binary(), "ca", *place], dict(os.environ)).stdout
        Path(self.file(f"{authority}.pem")).write_text(root)
        return self.file(f"{authority}/{name}.crt"), self.file(f"{authority}/{name}.key"), self.file(f"{authority}.pem")


@contextlib.contextmanager
def serving(**options):
    server = harness.Server(**options)
    try:
        yield server
    finally:
        server.close()


def identity(server, roots, key="test"):
    """Who we are, asked over TLS with trust in these roots alone."""
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=TOLD_S)
    where = {"endpoint_url": server.ready["api_tls"], "verify": roots, "region_name": harness.REGION, "config": config}
    sts = boto3.client("sts", aws_access_key_id=key, aws_secret_access_key="test", **where)
    return sts.get_caller_identity()["Account"]


def presented(url, roots):
    """The serial number of the certificate at a URL; None where the roots do not stand behind it."""
    where = urlsplit(url)
    context = ssl.create_default_context(cafile=roots)
    with socket.create_connection((where.hostname, where.port), TOLD_S) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as stream:
                return stream.getpeercert()["serialNumber"]
        except ssl.SSLCertVerificationError:
            return None


def test_the_api_port_speaks_tls_by_the_development_authority():
    with Scratch() as scratch, serving(args=["--api-tls", "127.0.0.1:0"]) as server:
        roots = scratch.file("roots.pem")
        Path(roots).write_text(harness.request(server.api, "/_tidegate/ca").text)
        equal(identity(server, roots), "000000000000")
        equal(harness.request(server.api, "/_tidegate/health").status, 200, "the port without TLS stays")
        equal(server.tidegate("status", "--output", "json").json["api_tls"], server.ready["api_tls"])
        # Both protocols, and what a browser may be tricked into is refused here too.
        for version in ("--http1.1", "--http2"):
            words = ["curl", "--silent", "--show-error", version, "--cacert", roots, "--write-out", "\n%{http_code} %{http_version}"]
            got = subprocess.run([*words, f"{server.ready['api_tls']}/_tidegate/health"], capture_output=True, text=True, timeout=TOLD_S)
            equal(got.stdout.splitlines()[-1], {"--http1.1": "200 1.1", "--http2": "200 2"}[version], got.stderr)
        words = ["curl", "--silent", "--cacert", roots, "--header", "Origin: https://evil.example", "--write-out", "%{http_code}", "--output", os.devnull]
        got = subprocess.run([*words, f"{server.ready['api_tls']}/_tidegate/status"], capture_output=True, text=True, timeout=TOLD_S)
        equal(got.stdout, "403")
        # A client that never shakes hands keeps nobody out.
        with socket.create_connection((urlsplit(server.ready["api_tls"]).hostname, urlsplit(server.ready["api_tls"]).port)) as silent:
            silent.sendall(b"\x16")
            equal(identity(server, roots), "000000000000")


def test_the_certificate_of_the_api_port_is_a_file_that_a_signal_reads_anew():
    with Scratch() as scratch:
        first, second = scratch.issue("first"), scratch.issue("second")
        certificate, key = scratch.file("api.crt"), scratch.file("api.key")
        place = lambda pair: (shutil.copy(pair[0], certificate), shutil.copy(pair[1], key))
        place(first)
        args = ["--api-tls", "127.0.0.1:0", "--api-certificate", certificate, "--api-key", key]
        with serving(config=KEYS, args=args) as server:
            url = server.ready["api_tls"]
            equal(identity(server, first[2], key="AKIDEXAMPLE"), "000000000000")
            place(second)
            os.kill(server.ready["pid"], signal.SIGHUP)
            until("the new certificate is presented", lambda: presented(url, second[2]), TOLD_S)
            equal(presented(url, first[2]), None)
            Path(certificate).write_text("rubbish")
            os.kill(server.ready["pid"], signal.SIGHUP)
            until("the log tells of it", lambda: "the one before stays" in server.tail(), TOLD_S)
            assert presented(url, second[2])
            equal(identity(server, second[2], key="AKIDEXAMPLE"), "000000000000")


def test_half_a_configuration_is_refused_with_every_key():
    with Scratch() as scratch:
        config = scratch.file("tidegate.toml")
        Path(config).write_text(KEYS + '[listen]\napi_tls = "127.0.0.1:0"\nmetrics = "nowhere"\n[tls]\napi_key = "x.pem"\n')
        got = harness.command([harness.binary(), "up", "--ephemeral", "--config", config], dict(os.environ), check=False)
        equal(got.returncode, 2)
        for key in ("listen.metrics", "tls.api_key", "tls.api_certificate"):
            assert f"{key}:" in got.stderr, (key, got.stderr)
        missing = ["--api-tls", "127.0.0.1:0", "--api-certificate", scratch.file("none"), "--api-key", scratch.file("none")]
        words = [harness.binary(), "up", "--ephemeral", "--api", "127.0.0.1:0", "--public", "none", "--public-tls", "127.0.0.1:0"]
        got = harness.command([*words, *missing], dict(os.environ), check=False)
        equal(got.returncode, 1)
        assert "tls.api_certificate" in got.stderr and scratch.file("none") in got.stderr, got.stderr


def test_a_public_side_with_tls_alone():
    with serving(args=["--public", "none"]) as server:
        equal(server.ready["public"], None)
        api = server.clients().apigatewayv2
        made = api.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
        api.create_stage(ApiId=made, StageName="$default", AutoDeploy=True)
        [told] = server.tidegate("status", "--output", "json").json["realms"][0]["urls"]
        equal(told["url"], None)
        trusted = harness.request(server.api, "/_tidegate/ca").text
        equal(harness.named(told["tls"], trusted).status, 404, "there is no route")
        assert "(not served)" in server.tidegate("status").stdout


def test_requests_without_tls_are_sent_on_to_it():
    with serving(args=["--public", "none", "--redirect", "127.0.0.1:0"]) as server:
        where, there = server.ready["redirect"], server.ready["public_tls"]
        equal((server.ready["public"], server.tidegate("status", "--output", "json").json["redirect"]), (None, where))
        port = there.rsplit(":", 1)[1]
        for method, host, path in (
            ("GET", "svc.example.com", "/orders?open=1"),
            ("POST", "svc.example.com:80", "/orders/a%2Fb"),
            ("GET", "[::1]", "//evil.example/x"),
            # Neither Tidegate's own paths nor AWS's APIs are here.
            ("GET", "localhost", "/_tidegate/status"),
            ("POST", "localhost", "/?Action=DescribeVpcs"),
        ):
            answer = harness.request(where, path, method=method, host=host, body=b"Action=DescribeVpcs" if method == "POST" else None)
            name = host.removesuffix(":80")
            equal((answer.status, answer.headers["location"]), (308, f"https://{name}:{port}{path}"))
            equal((answer.headers["connection"], answer.text), ("close", ""))
        answer = harness.request(where, "/", host="user@svc.example.com")
        equal(answer.status, 400, answer.headers)
        assert "location" not in answer.headers, answer.headers
        # By what it is told a client arrives: the name is none of a published service, which is said there, within TLS.
        sent_on = harness.request(where, "/x", host="abcdefghij.execute-api.us-east-1.localhost").headers["location"]
        equal(harness.named(sent_on, server.tidegate("ca").stdout).status, 404)


def test_metrics_and_health_at_a_place_of_their_own():
    with serving(config=KEYS, args=["--metrics", "127.0.0.1:0"]) as server:
        where = server.ready["metrics"]
        page = harness.request(where, "/metrics", host="tidegate.example")
        equal(page.status, 200)
        assert page.text.startswith("# HELP"), page.text[:200]
        health = harness.request(where, "/healthz", host="tidegate.example")
        equal((health.status, '"mode"' in health.text), (200, True))
        for method, path in (("GET", "/"), ("POST", "/metrics"), ("POST", "/"), ("GET", "/_tidegate/status")):
            equal(harness.request(where, path, method=method).status, 404, path)


def test_a_service_manager_is_told():
    with Scratch() as scratch:
        for address in (scratch.file("notify"), f"\0tidegate-{os.path.basename(scratch.path)}"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(address)
                manager.settimeout(TOLD_S)
                os.environ |= {"NOTIFY_SOCKET": address.replace("\0", "@"), "WATCHDOG_USEC": "100000"}
                try:
                    server = harness.Server()
                finally:
                    del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]
                try:
                    heard = [manager.recv(64).decode() for _ in range(4)]
                    equal(heard, ["READY=1"] + ["WATCHDOG=1"] * 3)
                finally:
                    server.close()
                while heard[-1] == "WATCHDOG=1":
                    heard.append(manager.recv(64).decode())
                equal(heard[-1], "STOPPING=1")


def test_secrets_that_others_can_read_are_warned_of():
    with Scratch() as scratch:
        warned = {}
        for mode in (0o644, 0o640):
            config = scratch.file(f"{mode:o}.toml")
            Path(config).write_text(KEYS)
            os.chmod(config, mode)
            with serving(args=["--config", config]) as server:
                warned[mode] = config in server.tail()
        equal(warned, {0o644: True, 0o640: False})


harness.main()
