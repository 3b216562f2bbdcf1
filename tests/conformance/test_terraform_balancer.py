"""The load-balancer example with Terraform: apply, an empty plan, traffic of real clients to real targets by each kind of rule and group, a change
in place, an empty plan, destroy."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import grpc

import harness
from harness import equal
from provider import Provider
from targets import Calling, Secured, Speaking, Streams
from terraform import Terraform

SHOP, API = NAMES = ("shop.example.com", "api.example.com")
POOL = "us-east-1_shopUSERS"
# Nothing of theirs can be changed without replacing them, or nothing of theirs has a revision.
UNCHANGED = {"aws_lb_target_group_attachment", "aws_lb_listener_certificate"}
NOTICED_S = 60
_work = None


class Work(Terraform):
    """The example with its certificates and a provider to log in at, on a server that has a place for buckets."""

    def __init__(self):
        super().__init__("load-balancer")
        self.buckets = tempfile.TemporaryDirectory(prefix="tidegate-buckets-")
        self.provider = Provider(secret="not-a-secret", pool=POOL)
        # A rule of Cognito sends users to its pool, and here that is the same provider.
        self.on(harness.Server(args=["--s3-root", self.buckets.name, "--cognito-endpoint", self.provider.url]))
        paths = [self.certificate(name) for name in NAMES]
        self.env |= {"TF_VAR_certificates": json.dumps(paths), "TF_VAR_issuer": self.provider.url}
        self.clients = {name: self.certificate(f"{name}.example.com", name) for name in ("ours", "others")}
        trust = Path(self.buckets.name, "trust")
        trust.mkdir()
        for name in self.clients:
            shutil.copy(self.authority(name), trust / f"{name}.pem")
        self.env["TF_VAR_client_bundle"] = "ours.pem"
        self.run("init", "-no-color")

    def jar(self):
        return tempfile.NamedTemporaryFile(dir=self.directory, prefix="cookies-", delete=False).name


def work():
    if _work is None:
        raise harness.Skip("nothing was applied")
    return _work


def test_apply_and_the_plan_after_it_is_empty():
    global _work
    _work = Work()
    _work.apply()
    _work.out = SimpleNamespace(**_work.outputs())


def test_each_group_has_targets_of_its_kind_and_finds_them_healthy():
    out, server = work().out, work().server
    kinds = {
        8080: lambda name: harness.Backend(f"web-{name}"),
        8081: lambda name: Speaking(f"canary-{name}"),
        8082: lambda name: Calling(f"calls-{name}"),
        8083: lambda name: Secured(f"secured-{name}", is_secure=True),
        8084: lambda name: Streams(f"streams-{name}"),
    }
    work().backends = []
    where = ["--vpc", out.vpc_id, "--security-group", out.target_security_group_id]
    for address, name in zip(out.target_ips, ("a", "b")):
        for port, kind in kinds.items():
            work().backends.append(kind(name))
            server.tidegate("attach", *where, f"{address}:{port}", work().backends[-1].address)
    waiter = work().aws.elbv2.get_waiter("target_in_service")
    for arn in (*out.target_group_arns.values(), *out.edge_target_group_arns.values()):
        waiter.wait(TargetGroupArn=arn, WaiterConfig={"Delay": 1, "MaxAttempts": NOTICED_S})
    work().sockets = {}
    work().listeners = out.listener_arns | out.edge_listener_arns
    for port, arn in work().listeners.items():
        listen = ["attach", "--listen", arn, "--security-group", out.client_security_group_id, "127.0.0.1:0"]
        work().sockets[port] = server.tidegate(*listen).json


def port_of(listener):
    """The port of this machine that enters a listener."""
    return urlsplit(work().sockets[listener]["url"]).port


def run(name, path, *options, listener="443"):
    """What curl says when it asks a listener for a path, by its own name and port."""
    scheme = "http" if listener == "80" else "https"
    words = ["curl", "-sS", "--max-time", "60", "--cacert", work().authority(), *options]
    words += ["--connect-to", f"{name}:{listener}:127.0.0.1:{port_of(listener)}", f"{scheme}://{name}:{listener}{path}"]
    return subprocess.run(words, capture_output=True, text=True)


def curl(name, path, *options, **where):
    """Status, headers and body of an answer; of the last one, where redirects are followed."""
    done = run(name, path, "-i", *options, **where)
    equal(done.returncode, 0, done.stderr)
    *_, head, body = done.stdout.split("\n\n")
    return int(head.split()[1]), head.lower(), body


def seen(name, path, *options, **where):
    """What the target saw."""
    status, _, body = curl(name, path, *options, **where)
    equal(status, 200, body)
    return json.loads(body)


def asked_often(name, path, count):
    """Who answered each of so many requests over one connection."""
    done = run(name, f"{path}/[1-{count}]")
    equal(done.returncode, 0, done.stderr)
    answered, text, decoder = [], done.stdout, json.JSONDecoder()
    while text:
        one, end = decoder.raw_decode(text)
        answered.append(one["backend"])
        text = text[end:].lstrip()
    equal(len(answered), count)
    return answered


def test_names_choose_certificates_and_plain_http_leads_to_https():
    for name in NAMES:
        told = seen(name, "/shop/1")
        equal((told["headers"]["x-forwarded-proto"], told["headers"]["x-amzn-tls-version"]), ("https", "TLSv1.3"))
    status, head, _ = curl(SHOP, "/a?b=c", listener="80")
    equal((status, f"location: https://{SHOP}:443/a?b=c" in head), (301, True), head)
    status, head, _ = curl(SHOP, "/nothing")
    equal((status, "strict-transport-security: max-age=3600" in head), (404, True), head)


def test_a_network_load_balancer_in_front_leads_to_it_and_past_it():
    told = seen(SHOP, "/shop/1", listener="10443")["headers"]
    equal(told["x-forwarded-for"], work().sockets["10443"]["private_ip"], "the address of who connected in front")
    equal((told["x-forwarded-proto"], told["x-forwarded-port"]), ("https", "443"))
    told = seen(SHOP, "/past", listener="10444")
    equal((told["backend"].startswith("web-"), "x-forwarded-for" in told["headers"]), (True, False), "TLS ends in front")


def test_weighted_groups_share_new_clients_and_keep_those_they_have():
    # Of 200 new clients each goes to the lighter group with probability 1/10. That none goes there, or more than 70, is less likely than 1e-9.
    canaries = [name for name in asked_often(SHOP, "/shop", 200) if name.startswith("canary-")]
    equal(1 <= len(canaries) <= 70, True, f"{len(canaries)} of 200 for a weight of 10 in 100")
    equal(["set-cookie: awsalbtg=" in curl(SHOP, "/shop/1")[1] for _ in range(10)], [True] * 10, "every client is bound to a group")
    for first, prefix in ((0, "web-"), (1, "canary-")):
        jar = work().jar()

        def is_of_group():
            Path(jar).write_text("")
            return seen(SHOP, "/shop/1", "-c", jar, "-b", jar)["backend"].startswith(prefix)

        harness.until(f"a client of {prefix}", is_of_group, 120, every_s=0)
        stayed = {seen(SHOP, "/shop/1", "-c", jar, "-b", jar)["backend"] for _ in range(10)}
        # The heavier group is sticky by itself too; the other one takes its targets in turn.
        equal((len(stayed), all(name.startswith(prefix) for name in stayed)), (1 + first, True), str(stayed))


def test_conditions_of_each_kind_choose_their_rule():
    equal(seen(SHOP, "/x", "-H", "X-Busy: yes")["backend"].startswith("web-"), True, "by header and method")
    equal(curl(SHOP, "/x", "-H", "X-Busy: yes", "-X", "DELETE")[0], 404, "another method")
    equal(curl(SHOP, "/x?show=revision")[2], '{"revision":1}', "by query")
    equal(curl(SHOP, "/shop/1", "-X", "OPTIONS")[2], "revision 1", "by method")
    equal(curl(SHOP, "/admin")[::2], (200, "from here"), "by source")
    status, head, _ = curl(SHOP, "/old/thing?a=b")
    equal((status, f"location: https://{SHOP}:443/shop/old/thing?revision=1&a=b" in head), (301, True), head)
    json_type = ("-H", "Accept: application/json")
    told = seen(API, "/session-1/x", *json_type)
    equal(told["backend"].startswith("canary-"), True, "by five conditions")
    for name, path, options in [(SHOP, "/session-1/x", json_type), (API, "/session-1/x", ()), (API, "/session/x", json_type)]:
        equal(curl(name, path, *options)[0], 404, f"{name}{path} {options}")


def test_an_application_cookie_keeps_a_client():
    jar = work().jar()
    ask = lambda *options: seen(API, "/session-1/x", "-H", "Accept: application/json", *options)["backend"]
    first = ask("-c", jar)
    equal({ask("-b", jar, "-c", jar) for _ in range(8)}, {first})
    equal({ask() for _ in range(8)}, {"canary-a", "canary-b"}, "without the cookies in turn")


def test_targets_within_tls_are_reached_by_host():
    told = {seen(SHOP, "/x", "-H", "Host: a.secured.example.com")["backend"] for _ in range(8)}
    equal(told, {"secured-a", "secured-b"})


def test_calls_of_grpc_and_requests_of_http2_reach_their_groups():
    options = [("grpc.ssl_target_name_override", SHOP)]
    roots = grpc.ssl_channel_credentials(Path(work().authority()).read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{port_of('443')}", roots, options) as channel:
        answered = set()
        for _ in range(8):
            answer, told = channel.unary_unary("/calls.Orders/One").with_call(b"order", timeout=20)
            equal(answer, b"one order")
            answered.add(dict(told.trailing_metadata())["x-backend"])
        equal(answered, {"calls-a", "calls-b"})
        equal(len(list(channel.unary_stream("/calls.Orders/Many")(b"50", timeout=20))), 50)
        equal(channel.stream_unary("/calls.Orders/Sum")(iter([b"x" * 1000] * 20), timeout=20), b"20000")
        equal(list(channel.stream_stream("/calls.Orders/Echo")(iter([b"a", b"b"]), timeout=20)), [b"a", b"b"])
        try:
            channel.unary_unary("/calls.Orders/Fails")(b"", timeout=20)
            raise AssertionError("the call passed")
        except grpc.RpcError as error:
            equal((error.code(), error.details()), (grpc.StatusCode.FAILED_PRECONDITION, "not so"))
    equal(curl(SHOP, "/calls.Orders/One", "--http1.1", "-d", "x")[0], 464, "HTTP/1.1 to GRPC")
    told = seen(SHOP, "/streams.x/1?a=b", "--http2", "-d", "body")
    equal((told["version"], told["path"], told["body"]), ("2", "/streams.x/1", "body"))
    equal({seen(SHOP, "/streams.x/1", "--http2")["backend"] for _ in range(8)}, {"streams-a", "streams-b"})
    equal(curl(SHOP, "/streams.x/1", "--http1.1")[0], 464, "HTTP/1.1 to HTTP2")


def test_users_log_in_at_the_provider_and_at_the_pool():
    for path, cookie in (("/account", "AWSELBAuthSessionCookie-0"), ("/members/1", "Members-0")):
        jar = work().jar()
        told = seen(SHOP, path, "-L", "-c", jar, "-b", jar)
        equal((told["path"], told["headers"]["x-amzn-oidc-identity"]), (path, "ann"))
        equal(cookie in Path(jar).read_text(), True, Path(jar).read_text())
        logins = len(work().provider.redirects)
        equal(seen(SHOP, path, "-b", jar)["headers"]["x-amzn-oidc-identity"], "ann", "without another login")
        equal(len(work().provider.redirects), logins)


def test_rules_that_the_provider_does_not_know_are_made_beside_it():
    rule = ["--listener-arn", work().out.listener_arns["443"], "--priority", "200"]
    condition = {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/v[0-9]+/items/[a-z]+$"]}}
    rewrite = {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/v([0-9]+)/(.*)$", "Replace": "/$2?v=$1"}]}}
    rule += ["--conditions", json.dumps([condition]), "--transforms", json.dumps([rewrite])]
    rule += ["--actions", f"Type=forward,TargetGroupArn={work().out.target_group_arns['busy']}"]
    made = harness.command(["aws", "elbv2", "create-rule", *rule], work().server.env()).json["Rules"][0]
    try:
        equal(seen(SHOP, "/v7/items/abc")["path"], "/items/abc?v=7")
        equal(curl(SHOP, "/v7/items/ABC1")[0], 404)
        work().run("plan", "-detailed-exitcode", "-no-color")
    finally:
        harness.command(["aws", "elbv2", "delete-rule", "--rule-arn", made["RuleArn"]], work().server.env())


def shows(client):
    path = work().clients[client]
    return run(SHOP, "/", "-w", "%{http_code}", "--cert", f"{path}.crt", "--key", f"{path}.key", listener="8443")


def is_let_in(client):
    done = shows(client)
    equal(done.returncode == 0 or done.returncode in harness.HANDSHAKE_REFUSED, True, done.stderr)
    return done.returncode == 0


def is_told_names():
    """Whether the listener says whose certificates it takes."""
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{port_of('8443')}"]
    done = subprocess.run(words, input="", capture_output=True, text=True, timeout=20)
    return "Acceptable client certificate CA names" in done.stdout


def test_clients_of_the_second_listener_show_a_certificate_of_the_trust_store():
    equal(shows("ours").stdout, "no rule, revision 1404")
    equal(is_let_in("others"), False)
    equal(run(SHOP, "/", listener="8443").returncode in harness.HANDSHAKE_REFUSED, True, "without a certificate")
    equal(is_told_names(), False)


def test_a_revision_changes_everything_in_place_and_replaces_nothing():
    work().env["TF_VAR_client_bundle"] = "others.pem"
    work().change(lambda kind, _: ["no-op"] if kind in UNCHANGED else ["update"])
    equal(curl(SHOP, "/x?show=revision")[2], '{"revision":2}')
    equal(curl(SHOP, "/admin")[0], 404, "nobody comes from there")
    equal(seen(API, "/session-2/x", "-H", "Accept: application/json")["backend"].startswith("canary-"), True)
    equal(curl(SHOP, "/a", listener="80")[0], 302)
    equal((is_let_in("ours"), is_let_in("others"), is_told_names()), (False, True, True), "by the other bundle")


def test_destroy_leaves_nothing():
    for arn in work().listeners.values():
        work().server.tidegate("detach", "--listen", arn)
    work().server.tidegate("detach", "--all")
    work().destroy()
    work().server.close()
    logged = [path.name for path in Path(work().buckets.name).rglob("*.log.gz")]
    equal([name for name in logged if "_app.shop." not in name], [], "names of log files")
    equal(len(logged) > 0, True, "requests were logged")
    work().buckets.cleanup()
    work().provider.close()
    for backend in work().backends:
        backend.kill()


harness.main()
