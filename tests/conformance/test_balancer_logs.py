"""Logs and metrics of load balancers: files of a bucket as Python reads them, and the `access_logs` block of Terraform."""

import gzip
import re
import socket
import ssl
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

import harness
from chain import Chain
from harness import equal, refused
from sockets import certificate as by_itself, listen
from terraform import Module, inventory

# As AWS's page for Athena reads an entry; what is escaped holds no quote.
ENTRY = re.compile(
    r'(?P<type>\S+) (?P<time>\S+) (?P<elb>\S+) (?P<client>\S+) (?P<target>\S+) (?P<request_time>\S+) (?P<target_time>\S+) '
    r'(?P<response_time>\S+) (?P<status>\S+) (?P<target_status>\S+) (?P<received>\d+) (?P<sent>\d+) "(?P<request>[^"]*)" '
    r'"(?P<agent>[^"]*)" (?P<cipher>\S+) (?P<protocol>\S+) (?P<group>\S+) "(?P<trace>[^"]*)" "(?P<domain>[^"]*)" '
    r'"(?P<certificate>[^"]*)" (?P<rule>\S+) (?P<created>\S+) "(?P<actions>[^"]*)" "(?P<redirect>[^"]*)" "(?P<error>[^"]*)" '
    r'"(?P<targets>[^"]*)" "(?P<target_statuses>[^"]*)" "(?P<class>[^"]*)" "(?P<why>[^"]*)" (?P<connection>\S+) '
    r'"(?P<host>[^"]*)" "(?P<uri>[^"]*)" "(?P<transform>[^"]*)"'
)
ATTEMPT = re.compile(
    r'(?P<time>\S+) (?P<client>\S+) (?P<client_port>\d+) (?P<port>\d+) (?P<protocol>\S+) (?P<cipher>\S+) (?P<took>\S+) '
    r'"(?P<subject>[^"]*)" (?P<validity>\S+) (?P<serial>\S+) (?P<status>\S+) (?P<connection>\S+) (?P<exchange>\S+) (?P<elb>\S+) (?P<node>\S+)'
)
# As AWS's page for Athena reads one, without the fields that may follow.
DECRYPTED = re.compile(
    r"tls 2\.0 (?P<ended>\S+) (?P<elb>\S+) (?P<listener>[0-9a-f]{16}) (?P<client>[0-9.]+:\d+) (?P<node>[0-9.]+:\d+) (?P<lasted>\d+) "
    r"(?P<handshake>\S+) (?P<received>\d+) (?P<sent>\d+) (?P<alert>\S+) (?P<certificate>\S+) - (?P<cipher>\S+) (?P<version>\S+) "
    r"(?P<exchange>\S+) (?P<domain>\S+) (?P<protocol>\S+) - (?P<offered>\S+) (?P<began>\S+)"
)
NAME = re.compile(
    r"my-logs/(?P<prefix>\w+)/AWSLogs/000000000000/elasticloadbalancing/us-east-1/\d{4}/\d\d/\d\d/(?P<kind>health_check_log_|conn_log_|)"
    r"000000000000_elasticloadbalancing_us-east-1_(?P<type>app|net)\.(?P<balancer>[\w-]+\.[0-9a-f]{16})_\d{8}T\d\d[0-5][05]Z_"
    r"((?P<node>[0-9.]+)_)?\w{8}\.log\.gz"
)


def logs(root):
    """The lines of each file by what its name says, and nothing else is there."""
    found = []
    for path in sorted(path for path in Path(root).rglob("*") if path.is_file()):
        name = NAME.fullmatch(str(path.relative_to(root)))
        assert name and (name["node"] is None) == (name["type"] == "net"), path
        with gzip.open(path, "rt", encoding="ascii") as file:
            found.append((name, file.read().splitlines()))
    return found


def entries(root):
    lines = [line for name, lines in logs(root) if not name["kind"] for line in lines]
    parsed = [ENTRY.fullmatch(line) for line in lines]
    assert all(parsed), lines
    return sorted((entry.groupdict() for entry in parsed), key=lambda entry: entry["created"])


def attempts(root):
    lines = [line for name, lines in logs(root) if name["kind"] == "conn_log_" for line in lines]
    parsed = [ATTEMPT.fullmatch(line) for line in lines]
    assert all(parsed), lines
    return sorted((attempt.groupdict() for attempt in parsed), key=lambda attempt: attempt["time"])


def set_attributes(chain, **wanted):
    pairs = [{"Key": key.replace("__", "."), "Value": value} for key, value in wanted.items()]
    chain.aws.elbv2.modify_load_balancer_attributes(LoadBalancerArn=chain.stack["lb"], Attributes=pairs)


def metrics(server):
    with urllib.request.urlopen(f"{server.api}/metrics") as page:
        return page.read().decode()


# sees: Application load balancers: access_logs.s3.*, health_check_logs.s3.*
def test_requests_and_probes_are_in_files_of_the_bucket():
    kept = tempfile.TemporaryDirectory(prefix="tidegate-logs-")
    root = Path(kept.name, "data", "s3")
    server = harness.Server(data_dir=f"{kept.name}/data")
    chain = Chain(server, name="logged")
    try:
        modify = chain.aws.elbv2.modify_load_balancer_attributes
        on = [{"Key": "access_logs.s3.enabled", "Value": "true"}]
        refused("InvalidConfigurationRequest", modify, LoadBalancerArn=chain.stack["lb"], Attributes=on)
        empty = [{"Key": "access_logs.s3.bucket", "Value": ""}]
        refused("ValidationError", modify, LoadBalancerArn=chain.stack["lb"], Attributes=empty)
        for kind in ("access_logs", "health_check_logs"):
            wanted = {f"{kind}.s3.enabled": "true", f"{kind}.s3.bucket": "my-logs", f"{kind}.s3.prefix": "shop"}
            set_attributes(chain, **wanted)
        for _ in range(3):
            equal(chain.get("/hello", headers={"User-Agent": 'a "quoted" \\ agent'}).status, 200)
        equal(logs(root) if root.exists() else [], [], "files before their interval is over")
        server.tidegate("tick", "300")
        seen = entries(root)
        equal(len(seen), 3)
        for entry in seen:
            equal((entry["type"], entry["status"], entry["target_status"], entry["actions"]), ("http", "200", "200", "forward"))
            equal(entry["agent"], r"a \x22quoted\x22 \x5C agent")
            equal((entry["group"], entry["targets"]), (chain.stack["tg"], entry["target"]))
            assert entry["request"].startswith("GET http://") and entry["request"].endswith("/hello HTTP/1.1"), entry
            assert chain.stack["lb"].endswith(entry["elb"]), entry
        page = metrics(server)
        balancer = f'load_balancer="{seen[0]["elb"]}"'
        group = chain.stack["tg"].rsplit(":", 1)[1]
        codes = f'tidegate_applicationelb_httpcode_target_2xx_count_total{{{balancer},target_group="{group}"}} 3'
        assert codes in page.splitlines(), page
        assert "tidegate_load_balancer_log_lines_dropped_total{cause=\"failed\"} 0" in page, page

        chain.revoke("target_sg", False)
        chain.get("/hello")
        server.stop()
        equal([entry["status"] for entry in entries(root)], ["200"] * 3 + ["504"], "written at the end")
        for name, lines in logs(root):
            if name["kind"] == "health_check_log_":
                ends = {" ".join(line.split(" ")[5:]) for line in lines}
                assert ends <= {"PASS 200 -", "FAIL - TimedOut"}, lines
        server.start()
        chain.aws = server.clients()
    finally:
        chain.close()
        server.close()
        kept.cleanup()


def curl(url, *options):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", *options, url], capture_output=True, text=True)
    equal(done.returncode, 0, done.stderr)


# sees: Application load balancers: connection_logs.s3.*
def test_clients_of_sockets_are_told_by_their_connections():
    kept = tempfile.TemporaryDirectory(prefix="tidegate-logs-")
    server = harness.Server(data_dir=f"{kept.name}/data")
    chain = Chain(server, name="sockets")
    listener = None
    try:
        for kind in ("access_logs", "connection_logs"):
            set_attributes(chain, **{f"{kind}.s3.enabled": "true", f"{kind}.s3.bucket": "my-logs", f"{kind}.s3.prefix": "shop"})
        attach = lambda arn: server.tidegate("attach", "--listen", arn, "127.0.0.1:0", "--security-group", chain.stack["alb_sg"]).json
        for allow in ("egress", "ingress"):
            peer = [{"GroupId": chain.stack["alb_sg"]}]
            ports = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": peer} for port in (80, 443)]
            getattr(chain.aws.ec2, f"authorize_security_group_{allow}")(GroupId=chain.stack["alb_sg"], IpPermissions=ports)
        plain = attach(chain.stack["listener"])
        curl(plain["url"] + "/one", plain["url"] + "/two")
        curl(plain["url"] + "/three", "-d", "x" * 100)
        harness.command([harness.binary(), "ca", "issue", "--data-dir", f"{kept.name}/ca", "--dir", kept.name, "shop.example"], {})
        pem = {name: Path(kept.name, f"shop.example.{end}").read_bytes() for name, end in [("Certificate", "crt"), ("PrivateKey", "key")]}
        certificate = imported(chain, pem)
        listener = chain.aws.elbv2.create_listener(
            LoadBalancerArn=chain.stack["lb"],
            Protocol="HTTPS",
            Port=443,
            SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
            Certificates=[{"CertificateArn": certificate}],
            DefaultActions=[{"Type": "forward", "TargetGroupArn": chain.stack["tg"]}],
        )["Listeners"][0]["ListenerArn"]
        port = urlsplit(attach(listener)["url"]).port
        to_shop = ["-k", "--resolve", f"shop.example:{port}:127.0.0.1"]
        curl(f"https://shop.example:{port}/four", *to_shop, "--http2")
        curl(f"https://shop.example:{port}/five", *to_shop, "--http1.1", "--tls-max", "1.2")
        curl(f"https://shop.example:{port}/call", *to_shop, "--http2", "-H", "content-type: application/grpc", "-d", "x")
        failed = subprocess.run(["curl", "-sS", f"https://shop.example:{port}/six", *to_shop[1:]], capture_output=True, text=True)
        equal(failed.returncode, 60, failed.stderr)
        server.tidegate("tick", "300")
        one, two, three, four, five, call = entries(Path(kept.name, "data", "s3"))
        equal([entry["type"] for entry in (one, two, three, four, five, call)], ["http"] * 3 + ["h2", "https", "grpcs"])
        equal(one["client"].split(":")[0], plain["private_ip"])
        assert one["connection"].startswith("TID_") and len(one["connection"]) == 36, one
        equal((one["connection"] == two["connection"], one["connection"] == three["connection"]), (True, False))
        assert int(three["received"]) - int(one["received"]) > 100, (one, three)
        equal(four["request"], "GET https://shop.example:443/four HTTP/2.0")
        equal((four["protocol"], five["protocol"]), ("TLSv1.3", "TLSv1.2"))
        assert four["cipher"].startswith("TLS_AES_") and five["cipher"].startswith("ECDHE-"), (four, five)
        for entry in (four, five):
            equal((entry["domain"], entry["certificate"]), ("shop.example", certificate))
        tried = attempts(Path(kept.name, "data", "s3"))
        equal([attempt["status"] for attempt in tried], ["-", "-", *["Success"] * 3, "Failed:UnmappedConnectionError"])
        connected = (one, three, four, five, call)
        ids = [entry["connection"] for entry in connected]
        equal([attempt["connection"] for attempt in tried[:5]], ids)
        for attempt, entry in zip(tried, connected):
            equal(f"{attempt['client']}:{attempt['client_port']}", entry["client"])
            equal((attempt["protocol"], attempt["cipher"], attempt["elb"]), (entry["protocol"], entry["cipher"], entry["elb"]))
        equal([attempt["port"] for attempt in tried], ["80"] * 2 + ["443"] * 4)
        page = metrics(server)
        for name, count in (("new_connection_count_total", 5), ("active_connection_count", 0), ("client_tls_negotiation_error_count_total", 1)):
            line = f'tidegate_applicationelb_{name}{{load_balancer="{one["elb"]}"}} {count}'
            assert line in page.splitlines(), page
    finally:
        if listener:
            chain.aws.elbv2.delete_listener(ListenerArn=listener)
        chain.close()
        server.close()
        kept.cleanup()


class Switching(harness.Backend):
    """Goes on in another protocol where it is asked to, and then sends back what it gets."""

    def revive(self):
        super().revive()
        handler = self.server.RequestHandlerClass
        plain = handler.do_GET

        def switch(it):
            if "Upgrade" not in it.headers:
                return plain(it)
            it.send_response(101)
            it.send_header("Upgrade", "websocket")
            it.send_header("Connection", "Upgrade")
            it.end_headers()
            it.close_connection = True
            while piece := it.connection.recv(4096):
                it.connection.sendall(piece)

        handler.do_GET = switch


def test_a_websocket_leaves_its_line_when_it_is_closed():
    kept = tempfile.TemporaryDirectory(prefix="tidegate-logs-")
    root = Path(kept.name, "data", "s3")
    server = harness.Server(data_dir=f"{kept.name}/data")
    chain = Chain(server, name="switched", backend=Switching)
    try:
        set_attributes(chain, access_logs__s3__enabled="true", access_logs__s3__bucket="my-logs", access_logs__s3__prefix="shop")
        opened = server.tidegate("attach", "--listen", chain.stack["listener"], "127.0.0.1:0", "--security-group", chain.stack["link_sg"])
        where = urlsplit(opened.json["url"])
        with socket.create_connection((where.hostname, where.port), timeout=20) as stream:
            stream.sendall(b"GET /ws HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            head = b""
            while b"\r\n\r\n" not in head:
                head += stream.recv(4096)
            assert head.startswith(b"HTTP/1.1 101"), head
            stream.sendall(b"x" * 1000)
            got = len(head.split(b"\r\n\r\n", 1)[1])
            while got < 1000:
                got += len(stream.recv(4096))
            server.tidegate("tick", "300")
            equal(logs(root) if root.exists() else [], [], "while it is open")
        read = lambda: server.tidegate("tick", "300") and root.exists() and entries(root)
        (entry,) = harness.until("the line of the closed connection", read, 20)
        equal((entry["type"], entry["status"], entry["target_status"], entry["actions"]), ("ws", "101", "101", "forward"))
        assert int(entry["received"]) > 1000 and int(entry["sent"]) > 1000, entry
    finally:
        chain.close()
        server.close()
        kept.cleanup()


def network(chain):
    """A network load balancer with a log before the chain's targets: its TLS listener and where to enter it, and the certificate."""
    elb, stack = chain.aws.elbv2, chain.stack
    ends = dict(Protocol="TCP", Port=8080, VpcId=stack["vpc"], TargetType="ip")
    group = elb.create_target_group(Name="net-logged", **ends)["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address} for address in chain.health()])
    subnets = [stack["private_a"], stack["private_b"]]
    made = elb.create_load_balancer(
        Name="net-logged", Type="network", Scheme="internal", Subnets=subnets, SecurityGroups=[stack["alb_sg"]]
    )
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    wanted = {"enabled": "true", "bucket": "my-logs", "prefix": "shop"}
    pairs = [{"Key": f"access_logs.s3.{key}", "Value": value} for key, value in wanted.items()]
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=pairs)
    certificate = by_itself(chain, ec.generate_private_key(ec.SECP256R1()), "shop.example")
    chain.permit("link_sg", "alb_sg", 443)
    action = [{"Type": "forward", "TargetGroupArn": group}]
    ports = {"TLS": dict(Port=443, Certificates=[{"CertificateArn": certificate}], AlpnPolicy=["HTTP2Preferred"]), "TCP": dict(Port=80)}
    urls = []
    for protocol, options in ports.items():
        listener = elb.create_listener(LoadBalancerArn=arn, Protocol=protocol, DefaultActions=action, **options)
        listener = listener["Listeners"][0]["ListenerArn"]
        urls.append((listener, urlsplit(listen(chain, listener, "--security-group", stack["link_sg"]).json["url"])))
    healthy = lambda: {t["TargetHealth"]["State"] for t in elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]}
    harness.until("targets are healthy", lambda: healthy() == {"healthy"}, 60)
    return urls, certificate


def ask(stream):
    """One request; how many bytes came before the end."""
    stream.sendall(b"GET /hello HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
    got = 0
    while piece := stream.recv(4096):
        got += len(piece)
    return got


# sees: Network load balancers: access_logs.s3.*
def test_connections_to_tls_listeners_of_a_network_load_balancer_leave_lines():
    kept = tempfile.TemporaryDirectory(prefix="tidegate-logs-")
    root = Path(kept.name, "data", "s3")
    server = harness.Server(data_dir=f"{kept.name}/data")
    chain = Chain(server, name="netlog")
    try:
        [(listener, where), (_, clear)], certificate = network(chain)
        dial = lambda to: socket.create_connection((to.hostname, to.port), timeout=20)
        with dial(clear) as stream:
            assert ask(stream) > 0
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        trusting.maximum_version = ssl.TLSVersion.TLSv1_2
        trusting.set_alpn_protocols(["http/1.1", "h2"])
        with trusting.wrap_socket(dial(where), server_hostname="shop.example") as stream:
            port, sent = stream.getsockname()[1], ask(stream)
        # A client that does not believe the certificate says so: unknown_ca, 48.
        try:
            ssl.create_default_context().wrap_socket(dial(where), server_hostname="other.example")
            raise AssertionError("believed")
        except ssl.SSLCertVerificationError:
            pass
        # One that speaks no TLS.
        with dial(where) as stream:
            stream.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            while stream.recv(4096):
                pass
        chain.revoke("alb_sg", False)
        with dial(where) as stream:
            stream.settimeout(20)
            equal(stream.recv(1), b"", "denied: no connection on AWS")

        def lines():
            server.tidegate("tick", "300")
            found = [line for name, lines in logs(root) if name["type"] == "net" for line in lines] if root.exists() else []
            return len(found) >= 3 and found

        count = r'tidegate_networkelb_client_tls_negotiation_error_count_total\{load_balancer="net/net-logged/\w+"\} 2'
        assert re.search(f"^{count}$", metrics(server), re.M), metrics(server)
        parsed = [DECRYPTED.fullmatch(line) for line in harness.until("three lines", lines, 20)]
        assert len(parsed) == 3 and all(parsed), lines()
        good, doubted, strange = sorted((line.groupdict() for line in parsed), key=lambda line: (line["domain"] == "-", line["domain"] != "shop.example"))
        for line in (good, doubted, strange):
            equal((line["elb"].split("/")[:2], line["listener"]), (["net", "net-logged"], listener.rsplit("/", 1)[1]))
            assert line["node"].endswith(":443") and line["began"] <= line["ended"], line
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", line["ended"]), line
        equal(good["client"].rsplit(":", 1)[1], str(port))
        equal((good["sent"], int(good["received"]) > 50, good["alert"]), (str(sent), True, "-"))
        equal((good["version"], good["protocol"], good["offered"]), ("tlsv12", "h2", '"http/1.1","h2"'))
        assert good["cipher"].startswith("ECDHE-ECDSA-") and int(good["handshake"]) <= int(good["lasted"]), good
        equal([line["certificate"] for line in (good, doubted, strange)], [certificate, certificate, "-"])
        equal((doubted["domain"], doubted["alert"], doubted["offered"]), ("other.example", "48", "-"))
        for line in (doubted, strange):
            equal([line[key] for key in ("handshake", "received", "sent", "cipher", "version", "exchange", "protocol")], ["-", "0", "0", *["-"] * 4])
    finally:
        server.close()
        for backend in chain.backends:
            backend.kill()
        kept.cleanup()


def imported(chain, pem):
    leaf, _, rest = pem["Certificate"].partition(b"-----END CERTIFICATE-----\n")
    chained = {"CertificateChain": rest} if rest.strip() else {}
    given = {"Certificate": leaf + b"-----END CERTIFICATE-----\n", "PrivateKey": pem["PrivateKey"]} | chained
    return chain.aws.acm.import_certificate(**given)["CertificateArn"]


def test_a_bucket_that_cannot_be_written_harms_nothing_else():
    kept = tempfile.TemporaryDirectory(prefix="tidegate-logs-")
    root = Path(kept.name, "s3")
    root.mkdir()
    (root / "my-logs").write_text("no folder")
    server = harness.Server(args=["--s3-root", str(root)])
    chain = Chain(server, name="full")
    try:
        set_attributes(chain, access_logs__s3__enabled="true", access_logs__s3__bucket="my-logs")
        for _ in range(2):
            equal(chain.get("/hello").status, 200)
            server.tidegate("tick", "300")
        assert "tidegate_load_balancer_log_lines_dropped_total{cause=\"failed\"} 2" in metrics(server), metrics(server)
        equal(server.tail(1000).count("a log cannot be written"), 1)
    finally:
        chain.close()
        server.close()
        kept.cleanup()


def test_without_a_place_for_buckets_no_log_can_be_switched_on():
    aws = harness.server().clients()
    subnets = [subnet["SubnetId"] for subnet in aws.ec2.describe_subnets()["Subnets"][:2]]
    made = aws.elbv2.create_load_balancer(Name="nowhere", Subnets=subnets, Scheme="internal")
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    wanted = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "my-logs"}
    pairs = [{"Key": key, "Value": value} for key, value in wanted.items()]
    words = "Access Denied for bucket: my-logs. Please check S3bucket permission"
    modify = aws.elbv2.modify_load_balancer_attributes
    refused("InvalidConfigurationRequest", modify, LoadBalancerArn=arn, Attributes=pairs, text=words)
    aws.elbv2.delete_load_balancer(LoadBalancerArn=arn)


class Logged(Module):
    """On a server that has a place for buckets."""

    def __init__(self, root):
        super().__init__("alb-logs")
        self.server = harness.Server(args=["--s3-root", root])
        self.env["TF_VAR_endpoint"] = self.server.api.rstrip("/")
        self.aws = self.server.clients()
        self.before = inventory(self.aws)


def test_the_blocks_of_logs_of_terraform():
    with tempfile.TemporaryDirectory(prefix="tidegate-logs-") as root:
        work = Logged(root)
        try:
            work.apply()
            read = work.aws.elbv2.describe_load_balancer_attributes
            shown = lambda: {a["Key"]: a["Value"] for a in read(LoadBalancerArn=work.outputs()["load_balancer"])["Attributes"]}
            for kind in ("access", "connection"):
                equal([shown()[f"{kind}_logs.s3.{key}"] for key in ("enabled", "bucket", "prefix")], ["true", "my-logs", "shop"])
            change = ("-var", "prefix=other/place", "-no-color")
            work.run("apply", "-auto-approve", *change)
            work.run("plan", "-detailed-exitcode", *change)
            equal([shown()[f"{kind}_logs.s3.prefix"] for kind in ("access", "connection")], ["other/place"] * 2)
            work.destroy()
        finally:
            work.server.close()


harness.main()
