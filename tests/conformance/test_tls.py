"""TLS on the public listener, custom domain names, mutual TLS and TLS to a private listener, by the clients that people use."""

import contextlib
import datetime
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import harness
from chain import Chain
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from harness import equal, refused, until

NAME = "api.example.com"
LOCKED = "locked.example.com"
CURL_S = 30
SCAN_S = 120

_scene = None


def scene():
    """A server with a data directory of its own, so that its authority and its trust stores are files; and a chain."""
    global _scene
    if _scene is None:
        data = tempfile.mkdtemp(prefix="tidegate-tls-")
        server = harness.Server(data_dir=data, config='[timeouts]\nblocked_connect = "200ms"\n')
        _scene = SimpleNamespace(server=server, data=data, chain=Chain(server), aws=server.clients(), port=0)
        _scene.port = urlsplit(server.ready["public_tls"]).port
        _scene.ca = Path(data, "authority.pem")
        _scene.ca.write_text(tidegate_ca("ca").stdout)
    return _scene


def close():
    if _scene:
        for backend in _scene.chain.backends:
            backend.kill()
        _scene.server.close()
        shutil.rmtree(_scene.data, ignore_errors=True)


def tidegate_ca(*args, data=None):
    words = [harness.binary(), *args, "--data-dir", data or scene().data]
    return harness.command(words, dict(os.environ))


class Authority:
    """A certificate authority of the test."""

    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self.sign(self.name, self.key, authority=True)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, subject, key, days=(-1, 365), names=(), authority=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now + datetime.timedelta(days[0]))
        made = made.not_valid_after(now + datetime.timedelta(days[1]))
        made = made.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        return made.sign(self.key, hashes.SHA256())

    def leaf(self, *names, days=(-1, 365)):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self.sign(subject, key, days, names).public_bytes(serialization.Encoding.PEM)
        form = serialization.PrivateFormat.PKCS8
        key = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        return SimpleNamespace(certificate=certificate, key=key)


def import_certificate(leaf, chain=None, arn=None):
    options = {"CertificateChain": chain} if chain else {}
    options |= {"CertificateArn": arn} if arn else {}
    got = scene().aws.acm.import_certificate(Certificate=leaf.certificate, PrivateKey=leaf.key, **options)
    return got["CertificateArn"]


def domain(name, arn, **options):
    return scene().aws.apigatewayv2.create_domain_name(
        DomainName=name,
        DomainNameConfigurations=[{"CertificateArn": arn, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}],
        **options,
    )


def mapping(name, key, stage="$default"):
    api = scene().chain.stack["api"]
    return scene().aws.apigatewayv2.create_api_mapping(DomainName=name, ApiId=api, Stage=stage, ApiMappingKey=key)


def issued(*names):
    """A certificate of the development authority."""
    got = tidegate_ca("ca", "issue", *names, "--dir", scene().data, "--output", "json").json
    read = lambda key: Path(got[key]).read_bytes()
    equal(os.stat(got["private_key"]).st_mode & 0o777, 0o600)
    return SimpleNamespace(certificate=read("certificate"), key=read("private_key"))


_names = None


def names():
    """Two domain names with one certificate of the development authority; the second asks for client certificates."""
    global _names
    if _names is None:
        arn = import_certificate(issued("api.example.com", "*.example.com"), chain=scene().ca.read_bytes())
        domain(NAME, arn)
        mapping(NAME, "")
        clients = Authority("clients")
        bucket = Path(scene().data, "s3", "trust")
        bucket.mkdir(parents=True)
        bucket.joinpath("clients.pem").write_bytes(clients.pem)
        domain(LOCKED, arn, MutualTlsAuthentication={"TruststoreUri": "s3://trust/clients.pem"})
        mapping(LOCKED, "")
        _names = SimpleNamespace(arn=arn, clients=clients, bucket=bucket)
    return _names


def connect(name, authority=None, client=None, protocols=("http/1.1",)):
    """A connection to the public listener for this server name, verified."""
    context = ssl.create_default_context(cadata=authority or scene().ca.read_text())
    context.set_alpn_protocols(list(protocols))
    if client:
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(client.certificate + client.key)
            file.flush()
            context.load_cert_chain(file.name)
    plain = socket.create_connection(("127.0.0.1", scene().port), timeout=CURL_S)
    return context.wrap_socket(plain, server_hostname=name)


def ask(stream, host, path="/hello"):
    """One request on a connection that stays open."""
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    answer = http.client.HTTPResponse(stream)
    answer.begin()
    text = answer.read().decode()
    got = {key.lower(): value for key, value in answer.getheaders()}
    return SimpleNamespace(status=answer.status, headers=got, text=text, id=got.get("apigw-requestid"))


def curl(url, *args):
    where = urlsplit(url)
    resolve = f"{where.hostname}:{where.port}:127.0.0.1"
    words = ["curl", "--silent", "--show-error", "--cacert", str(scene().ca), "--resolve", resolve, *args, url]
    return subprocess.run(words, capture_output=True, text=True, timeout=CURL_S)


def test_the_authority_is_printed_and_its_key_is_its_owners():
    got = tidegate_ca("ca", "--output", "json").json
    equal(Path(got["path"]).read_text(), got["certificate"])
    equal(os.stat(Path(scene().data, "ca", "authority.pem")).st_mode & 0o777, 0o600)
    equal(harness.request(scene().server.api, "/_tidegate/ca").text, got["certificate"])


def test_invoke_hosts_are_served_with_tls_in_development_mode():
    chain = scene().chain
    for host in (chain.host(), chain.host("execute-api.localhost.localstack.cloud")):
        got = curl(f"https://{host}:{scene().port}/hello", "--write-out", "\n%{http_version} %{http_code}")
        body, line = got.stdout.rsplit("\n", 1)
        equal(line, "2 200", got.stderr)
        equal(json.loads(body)["headers"]["host"], chain.host("execute-api.us-east-1.amazonaws.com"))
        got = curl(f"https://{host}:{scene().port}/hello", "--http1.1", "--output", os.devnull, "--write-out", "%{http_version}")
        equal(got.stdout, "1.1", got.stderr)
    stranger = subprocess.run(
        ["curl", "--silent", "--resolve", f"{host}:{scene().port}:127.0.0.1", f"https://{host}:{scene().port}/hello"],
        capture_output=True,
        timeout=CURL_S,
    )
    equal(stranger.returncode, 60, "the authority is trusted by who is told to")


def test_gateway_mode_presents_custom_domain_names_only():
    config = '[[access_keys]]\nid = "AKIDEXAMPLE"\nsecret = "hush"\n'
    server = harness.Server(config=config)
    try:
        port = urlsplit(server.ready["public_tls"]).port
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for name in (scene().chain.host(), "localhost", None):
            with socket.create_connection(("127.0.0.1", port), timeout=CURL_S) as plain:
                with contextlib.suppress(ssl.SSLError, ConnectionError):
                    context.wrap_socket(plain, server_hostname=name)
                    raise AssertionError(f"{name} was presented something")
        until("a log line", lambda: "a TLS handshake was refused" in server.tail(), 10)
    finally:
        server.close()


def test_domain_names_with_several_levels_of_mappings():
    names()
    scene().aws.apigatewayv2.create_stage(ApiId=scene().chain.stack["api"], StageName="prod", AutoDeploy=True)
    mapping(NAME, "v1", "prod")
    mapping(NAME, "v1/orders")
    for path, seen in (("/x?a=1", "/x?a=1"), ("/v1/x", "/prod/x"), ("/v1/orders/x", "/x"), ("/v12", "/v12")):
        with connect(NAME) as stream:
            answer = ask(stream, NAME, path)
        equal(answer.status, 200, answer.text)
        body = json.loads(answer.text)
        equal((body["path"], body["headers"]["host"]), (seen, NAME))
        plain = harness.request(scene().server.public, path, host=NAME)
        equal((plain.status, json.loads(plain.text)["path"]), (200, seen))
    explained = scene().server.explain("GET", f"https://{NAME}/v1/orders/x")
    equal((explained.returncode, explained.json["status"], explained.json["outcome"]), (0, 200, "passed"))
    explained = scene().server.explain("GET", f"https://{LOCKED}/hello")
    equal((explained.returncode, explained.json["reason"]), (3, "CLIENT_CERT_REQUIRED"))
    unmapped = harness.request(scene().server.public, "/", host="other.example.com")
    equal(unmapped.status, 404)


def test_another_account_cannot_take_a_domain_name():
    names()
    leaf = issued(NAME, "*.example.com")
    other = scene().server.clients(account="222222222222")
    arn = other.acm.import_certificate(Certificate=leaf.certificate, PrivateKey=leaf.key)["CertificateArn"]
    wanted = [{"CertificateArn": arn, "EndpointType": "REGIONAL"}]
    for name in (NAME, "*.example.com"):
        refused(
            "ConflictException", other.apigatewayv2.create_domain_name, DomainName=name, DomainNameConfigurations=wanted
        )


def test_a_certificate_is_replaced_under_a_connection_that_stays():
    made = names()
    with connect(NAME) as before:
        old = before.getpeercert(binary_form=True)
        equal(ask(before, NAME).status, 200)
        import_certificate(issued("*.example.com"), chain=scene().ca.read_bytes(), arn=made.arn)
        with connect(NAME) as after:
            assert after.getpeercert(binary_form=True) != old, "a new handshake gets the new certificate"
            equal(ask(after, NAME).status, 200)
        equal(ask(before, NAME).status, 200, "the connection that was open goes on")


def test_a_certificate_in_use_is_not_deleted():
    refused("ResourceInUseException", scene().aws.acm.delete_certificate, CertificateArn=names().arn)


def test_client_certificates():
    clients = names().clients
    rows = (
        (clients.leaf("right"), 200, "passed"),
        (Authority("strangers").leaf("wrong"), 403, "CLIENT_CERT_INVALID"),
        (clients.leaf("old", days=(-30, -1)), 403, "CLIENT_CERT_INVALID"),
    )
    for leaf, status, outcome in rows:
        with connect(LOCKED, client=leaf) as stream:
            answer = ask(stream, LOCKED)
        equal((answer.status, answer.headers["x-tidegate-trace"]), (status, outcome))
        if status == 403:
            equal(json.loads(answer.text), {"message": "Forbidden"})
            explained = scene().server.explain(answer.id)
            equal((explained.returncode, explained.json["outcome"]), (3, "denied"))
            assert any(LOCKED in hop["detail"] for hop in explained.json["hops"]), explained.json
    try:
        with connect(LOCKED) as stream:
            ask(stream, LOCKED)
    except (ssl.SSLError, ConnectionError, http.client.HTTPException):
        pass
    else:
        raise AssertionError("a client without a certificate got an answer")


def test_no_way_round_client_certificates():
    own = names().clients.leaf("right")
    with connect(NAME, client=own) as stream:
        answer = ask(stream, LOCKED)
        equal((answer.status, answer.headers["x-tidegate-trace"]), (421, "CLIENT_CERT_REQUIRED"))
        equal(ask(stream, NAME).status, 200)
    for host in (LOCKED, LOCKED.upper(), f"{LOCKED}:443", f"{LOCKED}."):
        for base in (scene().server.public, scene().server.api):
            answer = harness.request(base, "/hello", host=host)
            assert answer.status in (400, 403, 404), (host, base, answer.status)
    answer = harness.request(scene().server.public, "/hello", host=LOCKED)
    equal(answer.headers["x-tidegate-trace"], "CLIENT_CERT_REQUIRED")


def test_a_trust_store_is_kept_and_can_be_replaced_and_disabled():
    made, v2 = names(), scene().aws.apigatewayv2
    name = "kept.example.com"
    domain(name, made.arn, MutualTlsAuthentication={"TruststoreUri": "s3://trust/clients.pem"})
    mapping(name, "")
    own = made.clients.leaf("right")
    made.bucket.joinpath("clients.pem").rename(made.bucket.joinpath("moved.pem"))
    scene().server.kill()
    scene().server.start()
    scene().port = urlsplit(scene().server.ready["public_tls"]).port
    scene().aws = scene().server.clients()
    scene().chain.aws, v2 = scene().aws, scene().aws.apigatewayv2
    with connect(name, client=own) as stream:
        equal(ask(stream, name).status, 200, "a restart needs no file")
    refused(
        "BadRequestException",
        v2.update_domain_name,
        DomainName=name,
        MutualTlsAuthentication={"TruststoreUri": "s3://trust/clients.pem"},
    )
    for uri in ("s3://trust/../../state.db", "s3://../state.db", "https://example.com/x.pem"):
        wanted = {"TruststoreUri": uri}
        refused("BadRequestException", v2.update_domain_name, DomainName=name, MutualTlsAuthentication=wanted)
    others = Authority("others")
    made.bucket.joinpath("moved.pem@2").write_bytes(others.pem)
    wanted = {"TruststoreUri": "s3://trust/moved.pem", "TruststoreVersion": "2"}
    v2.update_domain_name(DomainName=name, MutualTlsAuthentication=wanted)
    for leaf, status in ((own, 403), (others.leaf("other"), 200)):
        with connect(name, client=leaf) as stream:
            equal(ask(stream, name).status, status)
    v2.update_domain_name(DomainName=name, MutualTlsAuthentication={"TruststoreUri": ""})
    assert "MutualTlsAuthentication" not in v2.get_domain_name(DomainName=name)
    with connect(name) as stream:
        equal(ask(stream, name).status, 200)


def test_tls_to_the_private_listener():
    made, stack = scene(), scene().chain.stack
    elb, v2, api = made.aws.elbv2, made.aws.apigatewayv2, stack["api"]
    listener = stack["listener"]
    integration = v2.get_integrations(ApiId=api)["Items"][0]["IntegrationId"]
    arn = import_certificate(issued("internal.example.com"), chain=made.ca.read_bytes())

    def outcome(name, deployed="/hello"):
        wanted = {"ServerNameToVerify": name} if name else {}
        v2.update_integration(ApiId=api, IntegrationId=integration, TlsConfig=wanted)
        answer = made.chain.get(deployed)
        return answer, (answer.status, answer.headers["x-tidegate-trace"])

    try:
        equal(outcome("internal.example.com")[1], (503, "TLS_EXPECTED_GOT_PLAIN"))
        elb.modify_listener(
            ListenerArn=listener, Protocol="HTTPS", Port=80, Certificates=[{"CertificateArn": arn}],
            SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        )
        answer, got = outcome("internal.example.com")
        equal(got, (200, "passed"))
        equal(json.loads(answer.text)["headers"]["x-forwarded-proto"], "https")
        answer, got = outcome("wrong.example.com")
        equal(got, (503, "TLS_NAME_MISMATCH"))
        explained = made.server.explain(answer.id)
        equal(explained.returncode, 4)
        text = json.dumps(explained.json)
        assert "wrong.example.com" in text and "internal.example.com" in text, text
        strange = Authority("strangers").leaf("strange.example.com")
        extra = import_certificate(strange)
        elb.add_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": extra}])
        equal(outcome("strange.example.com")[1], (503, "TLS_UNTRUSTED"))
        elb.remove_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": extra}])
        equal(outcome(None)[1], (400, "TLS_PLAIN_TO_TLS_PORT"))
    finally:
        elb.modify_listener(ListenerArn=listener, Protocol="HTTP", Port=80)
        v2.update_integration(ApiId=api, IntegrationId=integration, TlsConfig={})


def test_the_aws_cli_sets_up_a_domain_name():
    leaf, env = issued("cli.example.com"), scene().server.env()
    for suffix, content in (("crt", leaf.certificate), ("key", leaf.key)):
        Path(scene().data, f"cli.{suffix}").write_bytes(content)
    where = lambda suffix: "fileb://" + str(Path(scene().data, f"cli.{suffix}"))
    aws = [str(Path(sys.executable).with_name("aws"))]
    words = ["acm", "import-certificate", "--certificate", where("crt"), "--private-key", where("key")]
    arn = harness.command(aws + words, env).json["CertificateArn"]
    configuration = f"CertificateArn={arn},EndpointType=REGIONAL,SecurityPolicy=TLS_1_2"
    words = ["apigatewayv2", "create-domain-name", "--domain-name", "cli.example.com"]
    made = harness.command(aws + words + ["--domain-name-configurations", configuration], env).json
    equal(made["DomainNameConfigurations"][0]["DomainNameStatus"], "AVAILABLE")
    mapping("cli.example.com", "")
    got = curl(f"https://cli.example.com:{scene().port}/hello")
    equal(json.loads(got.stdout)["headers"]["host"], "cli.example.com", got.stderr)


def test_a_scanner_finds_no_old_protocol_and_no_weak_suite():
    names()
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        words = [sys.executable, "-m", "sslyze", f"{NAME}:{scene().port}{{127.0.0.1}}", "--quiet"]
        words += ["--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--heartbleed", "--robot"]
        words += ["--compression", "--reneg", "--fallback", "--openssl_ccs", "--early_data", "--json_out", report.name]
        subprocess.run(words, capture_output=True, timeout=SCAN_S)
        [scan] = json.loads(Path(report.name).read_text())["server_scan_results"]
    equal(scan["scan_status"], "COMPLETED", scan)
    found = {name: check["result"] for name, check in scan["scan_result"].items() if check["result"]}
    suites = lambda check: {suite["cipher_suite"]["name"] for suite in found[check]["accepted_cipher_suites"]}
    for old in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        equal(suites(f"{old}_cipher_suites"), set(), old)
    for suite in suites("tls_1_2_cipher_suites"):
        assert suite.startswith("TLS_ECDHE_") and "_GCM_" in suite, suite
    assert suites("tls_1_2_cipher_suites") and suites("tls_1_3_cipher_suites")
    assert not found["heartbleed"]["is_vulnerable_to_heartbleed"]
    assert not found["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"]
    equal(found["robot"]["robot_result"], "NOT_VULNERABLE_RSA_NOT_SUPPORTED")
    assert not found["tls_compression"]["supports_compression"]
    assert not found["tls_1_3_early_data"]["supports_early_data"]
    assert not found["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"]


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        close()
