"""Listeners that are entered through sockets of this machine: `attach --listen`, in the clear and within TLS, under security groups."""

import json
import socket
import ssl
import tempfile
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import harness
from chain import Chain
from harness import equal
from sockets import certificate, curl, listen

def shaken(url, name, sni=True, **wanted):
    """Name and key of the certificate that is presented for this name, with version, suite and protocol."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(wanted.get("alpn", ["h2", "http/1.1"]))
    if "ciphers" in wanted:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(wanted["ciphers"])
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=name if sni else None) as stream:
            shown = x509.load_der_x509_certificate(stream.getpeercert(binary_form=True))
            common = shown.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
            kind = "EC" if isinstance(shown.public_key(), ec.EllipticCurvePublicKey) else "RSA"
            return (common, kind, stream.version(), stream.cipher()[0], stream.selected_alpn_protocol())


def test_a_socket_enters_the_listener_as_a_client_of_its_own():
    chain = Chain(harness.server(), name="sockets")
    try:
        listener = chain.stack["listener"]
        equal(listen(chain, listener, at="0.0.0.0:0", check=False).returncode != 0, True, "beyond loopback")
        equal(listen(chain, listener + "x", check=False).returncode != 0, True, "no such listener")
        opened = listen(chain, listener, "--security-group", chain.stack["link_sg"]).json
        seen = json.loads(curl(opened["url"] + "/orders/1?a=b", "-d", "body", "-H", "X-Some: 1")[1])
        equal((seen["method"], seen["path"], seen["body"]), ("POST", "/orders/1?a=b", "body"))
        headers = seen["headers"]
        equal(headers["x-forwarded-for"], opened["private_ip"])
        equal((headers["x-forwarded-proto"], headers["x-forwarded-port"]), ("http", "80"))
        equal(headers["x-amzn-trace-id"].startswith("Root=1-"), True, headers["x-amzn-trace-id"])
        equal("via" in headers or "forwarded" in headers, False, "no gateway was on the way")
        interfaces = chain.aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[opened["interface"]])
        found = interfaces["NetworkInterfaces"][0]
        equal((found["PrivateIpAddress"], found["Groups"][0]["GroupId"]), (opened["private_ip"], chain.stack["link_sg"]))
        harness.refused(
            "InvalidNetworkInterface.InUse",
            chain.aws.ec2.delete_network_interface,
            NetworkInterfaceId=opened["interface"],
        )

        moved = listen(chain, listener, "--security-group", chain.stack["link_sg"])
        equal("replaces the socket at" in moved.stderr, True, moved.stderr)
        status = chain.server.tidegate("status", "--output", "json").json
        equal([one["url"] for one in status["realms"][0]["listener_sockets"]], [moved.json["url"]])
        closed = chain.server.tidegate("detach", "--listen", listener).json
        equal(closed["url"], moved.json["url"])
        where = urlsplit(closed["url"])
        try:
            socket.create_connection((where.hostname, where.port), timeout=2).close()
            raise AssertionError("the socket still listens")
        except ConnectionRefusedError:
            pass
        gone = chain.aws.ec2.describe_network_interfaces(
            Filters=[{"Name": "network-interface-id", "Values": [moved.json["interface"]]}]
        )
        equal(gone["NetworkInterfaces"], [])
    finally:
        chain.close()


def test_a_group_that_denies_is_silence_and_is_explained():
    chain = Chain(harness.server(), name="sockets-denied")
    try:
        opened = listen(chain, chain.stack["listener"], "--security-group", chain.stack["target_sg"]).json
        head, _ = curl(opened["url"] + "/hello")
        equal("503 Service" in head and "x-tidegate-trace: SG_EGRESS_DENIED" in head, True, head)
        request = [line.split(": ")[1] for line in head.split("\n") if line.startswith("x-tidegate-request-id")][0]
        explained = chain.server.explain(request)
        equal((explained.returncode, explained.json["reason"]), (3, "SG_EGRESS_DENIED"))
        equal(explained.json["hops"][0]["kind"], "socket")
        equal(explained.json["hops"][1]["from"], opened["interface"])
        asked = chain.server.explain("GET", opened["url"] + "/hello")
        equal((asked.returncode, asked.json["reason"]), (3, "SG_EGRESS_DENIED"), "asked about without a client")
        equal(asked.json["fix"], explained.json["fix"])
        chain.run_fix(explained.json)
        equal(chain.server.explain("GET", opened["url"] + "/hello").json["outcome"], "passed")
        equal("200 OK" in curl(opened["url"] + "/hello")[0], True)
    finally:
        chain.close()


def test_a_socket_outlives_a_restart_and_goes_with_its_listener():
    with tempfile.TemporaryDirectory(prefix="tidegate-sockets-") as kept:
        server = harness.Server(data_dir=f"{kept}/data")
        chain = Chain(server, name="sockets-kept")
        try:
            opened = listen(chain, chain.stack["listener"], "--security-group", chain.stack["link_sg"]).json
            equal("200 OK" in curl(opened["url"] + "/hello")[0], True)
            server.kill()
            server.start()
            chain.aws = server.clients()
            equal("200 OK" in curl(opened["url"] + "/hello")[0], True, "after the restart")
            spare = chain.aws.elbv2.create_listener(
                LoadBalancerArn=chain.stack["lb"],
                Protocol="HTTP",
                Port=81,
                DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "204"}}],
            )["Listeners"][0]["ListenerArn"]
            listen(chain, spare)
            chain.aws.elbv2.delete_listener(ListenerArn=spare)
            status = server.tidegate("status", "--output", "json").json
            equal(len(status["realms"][0]["listener_sockets"]), 1)
        finally:
            chain.close()
            server.close()


# sees: Application load balancers: routing.http.x_amzn_tls_version_and_cipher_suite.enabled, routing.http2.enabled
# sees: HTTPS listeners: routing.http.request.x_amzn_tls_version.header_name, routing.http.request.x_amzn_tls_cipher_suite.header_name
def test_https_listeners_speak_tls_by_their_policy_and_certificates():
    chain = Chain(harness.server(), name="sockets-tls")
    elb = chain.aws.elbv2
    listener = None
    try:
        by_rsa, by_curves = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
        default = certificate(chain, by_rsa, "default.example")
        shop, shop_ec = certificate(chain, by_rsa, "shop.example"), certificate(chain, by_curves, "shop.example")
        wild = certificate(chain, by_curves, "*.wild.example")
        listener = elb.create_listener(
            LoadBalancerArn=chain.stack["lb"],
            Protocol="HTTPS",
            Port=443,
            SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
            Certificates=[{"CertificateArn": default}],
            DefaultActions=[{"Type": "forward", "TargetGroupArn": chain.stack["tg"]}],
        )["Listeners"][0]["ListenerArn"]
        more = [{"CertificateArn": one} for one in (shop, shop_ec, wild)]
        elb.add_listener_certificates(ListenerArn=listener, Certificates=more)
        chain.permit("alb_sg", "alb_sg", 443)
        url = listen(chain, listener, "--security-group", chain.stack["alb_sg"]).json["url"]
        equal(url.startswith("https://127.0.0.1:"), True, url)
        equal(shaken(url, "elsewhere.example")[:2], ("default.example", "RSA"))
        equal(shaken(url, "default.example", sni=False)[:2], ("default.example", "RSA"), "without a name")
        equal(shaken(url, "shop.example")[:2], ("shop.example", "EC"), "elliptic curves where the client takes them")
        equal(shaken(url, "a.wild.example")[:2], ("*.wild.example", "EC"))
        equal(shaken(url, "default.example")[2:], ("TLSv1.3", "TLS_AES_256_GCM_SHA384", "h2"))
        older = shaken(url, "shop.example", ciphers="ECDHE-RSA-AES128-GCM-SHA256", alpn=["http/1.1"])
        equal(older[1:], ("RSA", "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", "http/1.1"), "else by RSA")

        head, body = curl(url + "/hello", "-k", "--http2")
        equal(head.startswith("HTTP/2 200"), True, head)
        headers = json.loads(body)["headers"]
        equal((headers["x-forwarded-proto"], headers["x-forwarded-port"]), ("https", "443"))
        equal(curl(url + "/hello", "-k", "--http1.1")[0].startswith("HTTP/1.1 200 OK"), True)

        answered = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403", "MessageBody": "no", "ContentType": "text/plain"}}
        condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/answered"]}}
        elb.create_rule(ListenerArn=listener, Priority=1, Conditions=[condition], Actions=[answered])
        statuses = {curl(url + "/answered", "-k", "--http2", "-d", "x" * 1_000)[0].split("\n")[0].strip() for _ in range(40)}
        equal(statuses, {"HTTP/2 403"}, "answers that come before a body reach its client")

        claim = ("-k", "-H", "X-Amzn-Tls-Version: SSLv3")
        headers = json.loads(curl(url + "/hello", *claim)[1])["headers"]
        equal(headers["x-amzn-tls-version"], "SSLv3", "nothing is said by default")
        attribute = {"Key": "routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "Value": "true"}
        elb.modify_load_balancer_attributes(LoadBalancerArn=chain.stack["lb"], Attributes=[attribute])
        headers = json.loads(curl(url + "/hello", *claim)[1])["headers"]
        equal((headers["x-amzn-tls-version"], headers["x-amzn-tls-cipher-suite"]), ("TLSv1.3", "TLS_AES_256_GCM_SHA384"))
        naming = "routing.http.request.x_amzn_tls_version.header_name"
        elb.modify_listener_attributes(ListenerArn=listener, Attributes=[{"Key": naming, "Value": "X-Spoken"}])
        suite = "routing.http.request.x_amzn_tls_cipher_suite.header_name"
        elb.modify_listener_attributes(ListenerArn=listener, Attributes=[{"Key": suite, "Value": "X-Suite"}])
        older = ("--tls-max", "1.2", "--ciphers", "ECDHE-RSA-AES128-GCM-SHA256", "--http1.1")
        headers = json.loads(curl(url + "/hello", *older, *claim)[1])["headers"]
        equal((headers["x-spoken"], headers["x-suite"]), ("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256"))
        equal("x-amzn-tls-version" in headers, False, "it is called otherwise")
        harness.refused(
            "ValidationError",
            elb.modify_listener_attributes,
            ListenerArn=listener,
            Attributes=[{"Key": naming, "Value": "Content-Length"}],
        )

        attribute = {"Key": "routing.http2.enabled", "Value": "false"}
        elb.modify_load_balancer_attributes(LoadBalancerArn=chain.stack["lb"], Attributes=[attribute])
        equal(shaken(url, "default.example")[4], "http/1.1", "HTTP/2 is switched off")
        elb.modify_listener(ListenerArn=listener, SslPolicy="ELBSecurityPolicy-TLS13-1-3-2021-06")
        try:
            shaken(url, "default.example", ciphers="ECDHE-RSA-AES128-GCM-SHA256")
            raise AssertionError("TLS 1.2 was taken")
        except ssl.SSLError:
            pass
        equal(shaken(url, "default.example")[2], "TLSv1.3")
    finally:
        if listener:
            elb.delete_listener(ListenerArn=listener)
        chain.close()


harness.main()
