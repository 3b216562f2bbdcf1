"""What requests leave behind, as real clients see it: access logs in log groups, metrics, traces at a collector.

Every line is compared field by field with what was sent; what a client sends must not look like format.
"""

import calendar
import gzip
import json
import os
import re
import shutil
import signal
import tempfile
import threading
import time
import xml.dom.minidom
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import harness
import yaml
from chain import Chain
from harness import equal, refused, until
from issuer import Issuer

GROUP = "/shop/access"
VARIABLES = """accountId apiId authorizer.claims.sub authorizer.error authorizer.principalId awsEndpointRequestId
    customDomain.basePathMatched dataProcessed domainName domainPrefix error.message error.messageString error.responseType
    extendedRequestId httpMethod identity.accountId identity.caller identity.sourceIp identity.user identity.userAgent
    identity.userArn identity.clientCert.subjectDN integration.error integration.integrationStatus integration.latency
    integration.requestId integration.status integrationErrorMessage integrationLatency integrationStatus path protocol
    requestId requestTime requestTimeEpoch responseLatency responseLength routeKey stage status""".split()
JSON = json.dumps({name: f"$context.{name}" for name in VARIABLES}, separators=(",", ":"))
CLF = (
    '$context.identity.sourceIp - - [$context.requestTime] "$context.httpMethod $context.routeKey $context.protocol" '
    "$context.status $context.responseLength $context.requestId"
)
XML = (
    '<request id="$context.requestId"><ip>$context.identity.sourceIp</ip><agent>$context.identity.userAgent</agent>'
    "<path>$context.path</path><status>$context.status</status></request>"
)
CSV = "$context.identity.sourceIp,$context.requestTime,$context.httpMethod,$context.routeKey,$context.status,$context.requestId"

_chain = None


def chain():
    global _chain
    if _chain is None:
        _chain = Chain(harness.server(), name="logged")
        _chain.aws.logs.create_log_group(logGroupName=GROUP)
        use(JSON)
    return _chain


def arn(group=GROUP):
    return f"arn:aws:logs:{harness.REGION}:000000000000:log-group:{group}"


def use(log_format, group=GROUP, of=None):
    of = of or _chain
    settings = {"DestinationArn": arn(group), "Format": log_format}
    of.aws.apigatewayv2.update_stage(ApiId=of.stack["api"], StageName="$default", AccessLogSettings=settings)


def messages(of=None, group=GROUP, **wanted):
    pages = (of or chain()).aws.logs.get_paginator("filter_log_events").paginate(logGroupName=group, **wanted)
    return [event["message"] for page in pages for event in page["events"]]


def line_of(request_id, of=None):
    """The line of one request; its id is a term that needs quotes."""
    assert request_id
    found = lambda: messages(of, filterPattern=f'"{request_id}"')
    lines = until(f"the line of {request_id}", found, 10, 0.05)
    equal(len(lines), 1, "one line for each request")
    return lines[0]


def fields_of(answer):
    return json.loads(line_of(answer.id))


def is_now(clf, epoch):
    parsed = time.strptime(clf, "%d/%b/%Y:%H:%M:%S +0000")
    seconds = calendar.timegm(parsed)
    equal(str(seconds), epoch)
    assert abs(seconds - time.time()) < 30, clf


def numbers(got, names):
    for name in names:
        assert re.fullmatch(r"\d+", got[name]), f"{name}: {got[name]!r}"


def test_a_success_says_everything():
    answer = chain().get("/hello?q=1", headers={"User-Agent": "me/1.0"})
    equal(answer.status, 200)
    got = fields_of(answer)
    api = chain().stack["api"]
    known = {
        "accountId": "000000000000",
        "apiId": api,
        "domainName": f"{api}.execute-api.{harness.REGION}.amazonaws.com",
        "domainPrefix": api,
        "httpMethod": "GET",
        "identity.sourceIp": "127.0.0.1",
        "identity.userAgent": "me/1.0",
        "integration.status": "200",
        "integration.integrationStatus": "200",
        "integrationStatus": "200",
        "path": "/hello",
        "protocol": "HTTP/1.1",
        "requestId": answer.id,
        "extendedRequestId": answer.id,
        "responseLength": str(len(answer.text)),
        "dataProcessed": str(len(answer.text)),
        "routeKey": "GET /hello",
        "stage": "$default",
        "status": "200",
    }
    times = ["responseLatency", "integrationLatency", "integration.latency"]
    numbers(got, times)
    assert int(got["responseLatency"]) >= int(got["integrationLatency"]), got
    is_now(got["requestTime"], got["requestTimeEpoch"])
    for name in set(VARIABLES) - set(times) - {"requestTime", "requestTimeEpoch"}:
        equal(got[name], known.get(name, "-"), name)


def test_bodies_are_counted_in_both_directions():
    answer = chain().get("/orders/1", method="POST", body="x" * 1000)
    got = fields_of(answer)
    equal((got["httpMethod"], got["routeKey"], got["path"]), ("POST", "ANY /{proxy+}", "/orders/1"))
    equal(got["responseLength"], str(len(answer.text)))
    equal(got["dataProcessed"], str(1000 + len(answer.text)))


def refusal(answer, status, message, kind, **more):
    equal((answer.status, json.loads(answer.text)), (status, {"message": message}))
    got = fields_of(answer)
    equal((got["status"], got["error.message"], got["error.responseType"]), (str(status), message, kind))
    equal(got["error.messageString"], f'"{message}"')
    equal((got["integrationStatus"], got["responseLength"]), ("-", str(len(answer.text))))
    for name, value in more.items():
        equal(got[name], value, name)
    return got


def test_a_404_has_no_route():
    got = refusal(chain().get("/"), 404, "Not Found", "RESOURCE_NOT_FOUND", routeKey="-", path="/")
    equal(got["integrationErrorMessage"], "-")


def test_a_throttled_request_says_so():
    api, aws = chain().stack["api"], chain().aws.apigatewayv2
    limits = {"ThrottlingBurstLimit": 0, "ThrottlingRateLimit": 0.0}
    aws.update_stage(ApiId=api, StageName="$default", RouteSettings={"GET /hello": limits})
    refusal(chain().get("/hello"), 429, "Too Many Requests", "THROTTLED", routeKey="GET /hello")
    aws.delete_route_settings(ApiId=api, StageName="$default", RouteKey="GET /hello")


def test_a_denied_hop_is_503_and_the_line_names_the_reason():
    chain().revoke("link_sg", egress=True)
    answer = chain().get("/hello")
    got = refusal(answer, 503, "Service Unavailable", "INTEGRATION_FAILURE", routeKey="GET /hello")
    assert got["integration.error"].endswith(": SG_EGRESS_DENIED"), got["integration.error"]
    assert int(got["integrationLatency"]) >= 150, "the silence of the link"
    chain().run_fix(chain().server.explain(answer.id).json)
    equal(chain().get("/hello").status, 200)


def test_a_disabled_endpoint_is_403():
    api, aws = chain().stack["api"], chain().aws.apigatewayv2
    aws.update_api(ApiId=api, DisableExecuteApiEndpoint=True)
    refusal(chain().get("/hello"), 403, "Forbidden", "ACCESS_DENIED", routeKey="-")
    aws.update_api(ApiId=api, DisableExecuteApiEndpoint=False)


def test_authorizers_say_whom_they_let_in_and_what_they_refused():
    api, aws, issuer = chain().stack["api"], chain().aws.apigatewayv2, Issuer()
    authorizer = aws.create_authorizer(
        ApiId=api,
        Name="tokens",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer.url, "Audience": ["shop"]},
    )["AuthorizerId"]
    guarded = {"AuthorizationType": "JWT", "AuthorizerId": authorizer, "AuthorizationScopes": ["read"]}
    target = f"integrations/{chain().stack['integration']}"
    routes = [
        aws.create_route(ApiId=api, RouteKey="GET /guarded", Target=target, **guarded)["RouteId"],
        aws.create_route(ApiId=api, RouteKey="GET /iam", Target=target, AuthorizationType="AWS_IAM")["RouteId"],
    ]
    ask = lambda token: chain().get("/guarded", headers={"Authorization": f"Bearer {token}"} if token else {})
    evil = 'ann","requestId":"forged"}\n{"status":"500'
    good = ask(issuer.token(sub=evil, scope="read"))
    got = fields_of(good)
    equal((got["authorizer.claims.sub"], got["requestId"], got["status"]), (evil, good.id, "200"))
    equal((got["authorizer.error"], got["error.message"]), ("-", "-"))
    refusal(ask(None), 401, "Unauthorized", "UNAUTHORIZED", routeKey="GET /guarded")
    got = refusal(ask(issuer.token(aud="other", scope="read")), 401, "Unauthorized", "UNAUTHORIZED")
    equal(got["authorizer.error"], "invalid_token: the token does not have a valid audience")
    refusal(ask(issuer.token(scope=None)), 403, "Forbidden", "ACCESS_DENIED", routeKey="GET /guarded")
    refusal(chain().get("/iam"), 403, "Forbidden", "ACCESS_DENIED", routeKey="GET /iam")
    for route in routes:
        aws.delete_route(ApiId=api, RouteId=route)
    aws.delete_authorizer(ApiId=api, AuthorizerId=authorizer)
    issuer.down()


def test_aws_sample_formats():
    for log_format in (CLF, XML, CSV):
        chain()
        use(log_format)
        answer = chain().get("/hello", headers={"User-Agent": "a<b>&\"c\""})
        line = line_of(answer.id)
        if log_format is CLF:
            shape = r'127\.0\.0\.1 - - \[[^]]+ \+0000\] "GET GET /hello HTTP/1\.1" 200 (\d+) (\S+)'
            got = re.fullmatch(shape, line)
            equal(got and got.groups(), (str(len(answer.text)), answer.id), line)
        elif log_format is XML:
            root = xml.dom.minidom.parseString(line).documentElement
            text = lambda tag: root.getElementsByTagName(tag)[0].firstChild.data
            equal((root.getAttribute("id"), text("agent"), text("status")), (answer.id, 'a<b>&"c"', "200"))
        else:
            cells = line.split(",")
            equal((cells[0], *cells[2:]), ("127.0.0.1", "GET", "GET /hello", "200", answer.id))
    use(JSON)


def test_a_client_cannot_forge_lines_or_members():
    evil = 'x","requestId":"forged"}\t{"a":"\\'
    answer = chain().get('/%0d%0a%22forged%22/"?a=%0a%22', headers={"User-Agent": evil})
    got = fields_of(answer)
    equal((got["identity.userAgent"], got["requestId"]), (evil, answer.id))
    assert "\n" not in line_of(answer.id)
    use('{"id":$context.requestId,"status":$context.status,"agent":$context.identity.userAgent,"route":$context.routeKey}')
    got = json.loads(line_of(chain().get("/", headers={"User-Agent": '1,"status":200'}).id))
    equal((got["status"], got["agent"], got["route"]), (404, '1,"status":200', "-"))
    use(JSON)


def test_formats_that_aws_refuses_are_refused():
    api, aws = chain().stack["api"], chain().aws.apigatewayv2
    for settings in (
        {"DestinationArn": arn(), "Format": "$context.status"},
        {"DestinationArn": arn(), "Format": "$context.requestId\n$context.status"},
        {"DestinationArn": arn(), "Format": "$context.requestId" + "x" * 3072},
        {"DestinationArn": "arn:aws:s3:::bucket", "Format": CLF},
        {"DestinationArn": arn().replace("000000000000", "111111111111"), "Format": CLF},
    ):
        refused(
            "BadRequestException", aws.update_stage, ApiId=api, StageName="$default", AccessLogSettings=settings
        )


def test_events_are_read_by_stream_time_and_pattern():
    logs = chain().aws.logs
    start = int(time.time() * 1000)
    time.sleep(0.01)
    ids = [chain().get(path).id for path in ("/hello", "/", "/hello", "/")]
    for request_id in ids:
        line_of(request_id)
    streams = logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True)["logStreams"]
    equal(len(streams), 1)
    assert re.fullmatch("[0-9a-f]{32}", streams[0]["logStreamName"]), streams
    name = streams[0]["logStreamName"]
    missed = [json.loads(m)["requestId"] for m in messages(startTime=start, filterPattern="{ $.status = 404 }")]
    equal(missed, [ids[1], ids[3]])
    equal(len(messages(startTime=start, filterPattern="?hello ?nothing")), 2)
    equal(len(messages(startTime=start, filterPattern='-"/hello"')), 2)
    equal(messages(startTime=start, endTime=start), [])
    read, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        page = logs.get_log_events(
            logGroupName=GROUP, logStreamName=name, startTime=start, startFromHead=True, limit=3, **more
        )
        if page["nextForwardToken"] == token:
            break
        read += [json.loads(event["message"])["requestId"] for event in page["events"]]
        token = page["nextForwardToken"]
    equal(read, ids)
    newest = logs.get_log_events(logGroupName=GROUP, logStreamName=name, limit=1)["events"]
    equal(json.loads(newest[0]["message"])["requestId"], ids[-1])


def test_the_aws_cli_reads_them_too():
    answer = chain().get("/hello")
    line_of(answer.id)
    env = chain().server.env()
    found = harness.command(
        ["aws", "logs", "filter-log-events", "--log-group-name", GROUP, "--filter-pattern", f'"{answer.id}"'], env
    )
    equal([json.loads(event["message"])["requestId"] for event in found.json["events"]], [answer.id])
    stream = found.json["events"][0]["logStreamName"]
    got = harness.command(
        ["aws", "logs", "get-log-events", "--log-group-name", GROUP, "--log-stream-name", stream, "--limit", "5"], env
    )
    assert any(answer.id in event["message"] for event in got.json["events"]), got.stdout
    # Only newer command lines have it; where it is, it must work.
    tail = harness.command(["aws", "logs", "tail", GROUP, "--since", "5m"], env, check=False)
    assert tail.returncode == 0 and answer.id in tail.stdout or "Invalid choice" in tail.stderr, tail.stderr


def test_events_of_ones_own_can_be_put():
    logs = chain().aws.logs
    logs.create_log_group(logGroupName="/own")
    logs.create_log_stream(logGroupName="/own", logStreamName="s")
    now = int(time.time() * 1000)
    events = [{"timestamp": now + at, "message": f"event {at}"} for at in range(25)]
    logs.put_log_events(logGroupName="/own", logStreamName="s", logEvents=events)
    equal(messages(group="/own", PaginationConfig={"PageSize": 10}), [event["message"] for event in events])
    logs.delete_log_stream(logGroupName="/own", logStreamName="s")
    equal(messages(group="/own"), [])
    logs.delete_log_group(logGroupName="/own")
    refused("ResourceNotFoundException", logs.filter_log_events, logGroupName="/own")


def test_retention_is_obeyed():
    server = harness.Server()
    try:
        logs = server.clients().logs
        logs.create_log_group(logGroupName="/old")
        logs.create_log_stream(logGroupName="/old", logStreamName="s")
        event = {"timestamp": int(time.time() * 1000), "message": "old"}
        logs.put_log_events(logGroupName="/old", logStreamName="s", logEvents=[event])
        logs.put_retention_policy(logGroupName="/old", retentionInDays=1)
        equal(len(logs.filter_log_events(logGroupName="/old")["events"]), 1)
        harness.request(server.api, "/_tidegate/tick", method="POST", body='{"seconds": 90000}')
        equal(logs.filter_log_events(logGroupName="/old")["events"], [])
    finally:
        server.close()


def test_lines_survive_a_kill_and_are_copied_to_a_file_that_sighup_opens_anew():
    scratch = tempfile.mkdtemp(prefix="tidegate-logs-")
    file = Path(scratch, "access.log")
    server = harness.Server(data_dir=os.path.join(scratch, "data"), args=["--access-log", str(file)])
    try:
        made = Chain(server, name="kept")
        made.aws.logs.create_log_group(logGroupName=GROUP)
        use(JSON, of=made)
        first = made.get("/hello").id
        kept = line_of(first, made)
        until("the copy", lambda: file.exists() and first in file.read_text(), 5)
        equal(json.loads(file.read_text().splitlines()[0]), json.loads(kept))
        file.rename(file.with_suffix(".1"))
        server.process.send_signal(signal.SIGHUP)
        until("the new file", file.exists, 5)
        second = made.get("/hello").id
        line_of(second, made)
        until("the second copy", lambda: second in file.read_text(), 5)
        server.kill()
        server.start()
        made.server, made.aws = server, server.clients()
        equal(json.loads(line_of(first, made))["requestId"], first)
        equal(json.loads(line_of(second, made))["requestId"], second)
        third = made.get("/hello")
        equal((third.status, json.loads(line_of(third.id, made))["status"]), (200, "200"))
    finally:
        server.close()
        shutil.rmtree(scratch, ignore_errors=True)


def metrics(server):
    answer = harness.request(server.api, "/metrics")
    equal(answer.status, 200)
    assert answer.headers["content-type"].startswith("application/openmetrics-text"), answer.headers
    rows = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", answer.text, re.M)
    return {(name, labels): float(value) for name, labels, value in rows}


def test_metrics_count_what_was_sent():
    api, aws = chain().stack["api"], chain().aws.apigatewayv2
    limits = {"DetailedMetricsEnabled": True, "ThrottlingBurstLimit": 1000, "ThrottlingRateLimit": 1000.0}
    aws.update_stage(ApiId=api, StageName="$default", DefaultRouteSettings=limits)
    place = f'api_id="{api}",stage="$default"'
    before = metrics(chain().server)
    sent = 5
    lengths = sum(len(chain().get("/hello").text) for _ in range(sent)) + len(chain().get("/").text)
    after = metrics(chain().server)
    grown = lambda name, labels=place: after[(name, labels)] - before.get((name, labels), 0)
    equal(grown("tidegate_apigateway_count_total"), sent + 1)
    equal(grown("tidegate_apigateway_4xx_total"), 1)
    equal(grown("tidegate_apigateway_5xx_total"), 0)
    equal(grown("tidegate_apigateway_data_processed_bytes_total"), lengths)
    equal(grown("tidegate_apigateway_latency_milliseconds_count"), sent + 1)
    equal(grown("tidegate_apigateway_integration_latency_milliseconds_count"), sent)
    equal(grown("tidegate_apigateway_route_count_total", f'{place},route="GET /hello"'), sent)
    group = chain().stack["tg"].rsplit(":", 1)[1]
    balancer = chain().stack["lb"].rsplit(":loadbalancer/", 1)[1]
    of_group = f'load_balancer="{balancer}",target_group="{group}"'
    equal(after[("tidegate_applicationelb_healthy_host_count", of_group)], 2)
    requests = lambda page: sum(
        value
        for (name, labels), value in page.items()
        if name == "tidegate_applicationelb_request_count_total" and f'target_group="{group}"' in labels
    )
    equal(requests(after) - requests(before), sent)
    equal(after[("tidegate_access_log_lines_dropped_total", 'cause="failed"')], 0)
    elsewhere = harness.request(chain().server.api, "/metrics", host="evil.example")
    equal(elsewhere.status, 403)


def asked():
    """Each metric that the dashboard or an alarm asks for, with the labels that it tells apart."""
    place = harness.ROOT / "packaging" / "monitoring"
    panels = json.loads((place / "grafana.json").read_text())["panels"]
    rules = yaml.safe_load((place / "alerts.yml").read_text())["groups"][0]["rules"]
    texts = [(target["expr"], target["legendFormat"].replace("{{", "$labels.")) for panel in panels for target in panel.get("targets", [])]
    for expr, told in [*texts, *((rule["expr"], rule["annotations"]["summary"]) for rule in rules)]:
        grouped = [label for labels in re.findall(r"by \(([\w, ]+)\)", expr) for label in labels.split(", ")]
        labels = {*grouped, *re.findall(r"\$labels\.(\w+)", told)} - {"le", "instance"}
        for name in re.findall(r"tidegate_\w+", expr):
            yield name, labels


def test_dashboard_and_alarms_ask_for_metrics_that_exist():
    chain().get("/hello")
    there = {}
    for name, labels in metrics(chain().server):
        there.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    page = (harness.ROOT / "docs" / "metrics.md").read_text()
    found = list(asked())
    assert len(found) > 30, found
    for name, labels in found:
        if name.startswith(("tidegate_agent_", "tidegate_load_balancer_log_lines_")):
            # Only where there is a link, or a place for buckets.
            assert f"| `{name}` |" in page, name
        else:
            assert labels <= there.get(name, set()), f"{name} has {there.get(name)}, not {labels}"


class Collector:
    """An OTLP receiver that keeps what it gets; it answers with the statuses that it is told, then 200."""

    def __init__(self, *statuses):
        collector = self
        self.requests, self.paths, self.statuses = [], [], list(statuses)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                status = collector.statuses.pop(0) if collector.statuses else 200
                if status == 200:
                    collector.paths.append((self.path, self.headers["content-type"], self.headers.get("x-key")))
                    collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def spans(self):
        return [
            span
            for request in list(self.requests)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def attributes(span):
    value = lambda any_value: getattr(any_value, any_value.WhichOneof("value"))
    return {pair.key: value(pair.value) for pair in span.attributes}


def test_traces_reach_a_collector():
    # The first batch is refused once, as by a collector that is busy.
    collector = Collector(503)
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    os.environ["OTEL_EXPORTER_OTLP_HEADERS"] = "x-key=hush"
    try:
        server = harness.Server(config='[timeouts]\nblocked_connect = "200ms"\n')
    finally:
        del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], os.environ["OTEL_EXPORTER_OTLP_HEADERS"]
    try:
        made = Chain(server, name="traced")
        trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
        answer = made.get("/hello", headers={"traceparent": f"00-{trace}-{parent}-01", "tracestate": "a=1"})
        unsampled = made.get("/hello", headers={"traceparent": f"00-{'1' * 32}-{parent}-00"})
        assert "-00" in json.loads(unsampled.text)["headers"]["traceparent"]
        made.revoke("link_sg", egress=True)
        denied = made.get("/hello")
        equal(denied.status, 503)
        wanted = lambda: len([s for s in collector.spans() if s.kind == 2]) == 2
        until("two traces", wanted, 15)
        equal(set(collector.paths), {("/v1/traces", "application/x-protobuf", "hush")})
        spans = collector.spans()
        root = next(span for span in spans if span.trace_id.hex() == trace and span.kind == 2)
        equal((root.parent_span_id.hex(), root.name), (parent, "GET /hello"))
        seen = json.loads(answer.text)["headers"]
        equal(seen["traceparent"], f"00-{trace}-{root.span_id.hex()}-01")
        equal(seen["tracestate"], "a=1")
        assert seen["x-amzn-trace-id"].startswith(("Root=1-", "Self=1-"))
        said = attributes(root)
        equal((said["http.response.status_code"], said["tidegate.request_id"]), (200, answer.id))
        equal((said["http.route"], said["url.path"].endswith("/hello")), ("GET /hello", True))
        hops = [span for span in spans if span.parent_span_id == root.span_id]
        explained = made.server.explain(answer.id).json
        equal([hop.name for hop in hops], [hop["kind"] for hop in explained["hops"]])
        assert all(root.start_time_unix_nano <= hop.start_time_unix_nano <= hop.end_time_unix_nano for hop in hops)
        equal(attributes(hops[-1])["http.response.status_code"], 200)
        other = next(span for span in spans if span.kind == 2 and span.trace_id.hex() != trace)
        equal((other.parent_span_id, other.status.code, other.status.message), (b"", 2, "SG_EGRESS_DENIED"))
        stopped = [s for s in spans if s.parent_span_id == other.span_id and s.status.code == 2]
        equal([attributes(span)["tidegate.reason"] for span in stopped], ["SG_EGRESS_DENIED"])
        equal(metrics(server)[("tidegate_spans_taken_total", "")], 2)
        resource = collector.requests[0].resource_spans[0].resource
        equal({pair.key: pair.value.string_value for pair in resource.attributes}["service.name"], "tidegate")
    finally:
        server.close()
        collector.close()


def test_a_collector_that_is_gone_costs_traces_and_no_traffic():
    collector = Collector()
    collector.close()
    server = harness.Server(args=["--otel-endpoint", collector.url])
    try:
        made = Chain(server, name="lost")
        equal(made.get("/hello").status, 200)
        lost = lambda: metrics(server)[("tidegate_spans_dropped_total", 'cause="failed"')]
        until("the trace is counted as lost", lost, 10)
        equal(made.get("/hello").status, 200)
    finally:
        server.close()


harness.main()
