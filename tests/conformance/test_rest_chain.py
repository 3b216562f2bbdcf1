"""REST APIs through a link of version 2 as the example builds them: what backends and clients get, the four verdicts with REST's
bodies, gateway responses, deployments and canaries, logs, and the AWS CLI with curl."""

import json
import re
import subprocess
import time

import harness
from chain import REST_VERDICTS
from harness import equal, until
from rest import INTERNAL, INTERNAL_BODY, STAGE, Api, RestChain, explained, refusal, seen

_chain = None
JSON = "application/json"
MISSING = '{"message":"Missing Authentication Token"}'
CANARY_REQUESTS, CANARY_OFF = 400, 60


def chain():
    global _chain
    if _chain is None:
        _chain = RestChain(harness.server())
    return _chain


def api(name, **options):
    return Api(chain().server, name, chain().rest, **options)


def patch(*operations):
    return [{"op": op, "path": path, "value": value} for op, path, value in operations]


def test_the_path_is_that_of_the_uri():
    for sent, path in [
        ("/pets/7", "/pets/7"),
        ("/pets/7/", "/pets/7"),
        ("/pets/a%20b", "/pets/a%20b"),
        ("/pets/7?a=1&b=%2F&a=2", "/pets/7?a=1&b=%2F&a=2"),
        ("/cats/1/toys", "/cats/1/toys"),
        ("/cats/1/toys?q=x", "/cats/1/toys?q=x"),
    ]:
        equal(seen(chain().get(sent))["path"], path, sent)
    got = seen(chain().get("/cats", method="DELETE", body="gone"))
    equal((got["method"], got["path"], got["body"]), ("DELETE", "/cats", "gone"), "ANY")


def test_a_backend_sees_the_headers_of_rest_apis():
    sent = {
        "User-Agent": "shows/1",
        "X-Mine": "1",
        "Accept": "text/html",
        "Authorization": "Bearer t",
        "Via": "1.0 elsewhere",
        "Expect": "nothing",
        "Max-Forwards": "5",
        "Proxy-Authenticate": "p",
        "Server": "s",
        "TE": "trailers",
        "WWW-Authenticate": "w",
        "Content-MD5": "m",
        "Content-Encoding": "identity",
        "Connection": "x-hop",
        "X-Hop": "1",
    }
    sent.pop("Expect")
    headers = seen(chain().get(headers=sent))["headers"]
    for name in ("via", "max-forwards", "proxy-authenticate", "server", "te", "www-authenticate", "content-md5"):
        assert name not in headers, name
    for name in ("content-encoding", "x-hop", "forwarded"):
        assert name not in headers, name
    equal(headers["host"], "pets.internal", "the host of the uri")
    equal(headers["x-amzn-apigateway-api-id"], chain().id)
    assert headers["x-amzn-trace-id"].startswith(("Root=1-", "Self=1-")), headers
    assert "127.0.0.1" in headers["x-forwarded-for"], "the client, and the link's interface after it"
    equal((headers["user-agent"], headers["accept"], headers["authorization"], headers["x-mine"]), ("shows/1", "text/html", "Bearer t", "1"))
    equal(headers["content-type"], JSON, "what a body is taken for that does not say it")
    signature = {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}
    assert "authorization" not in seen(chain().get(headers=signature))["headers"]


def test_some_headers_come_back_under_other_names():
    answer = chain().get()
    for name in ("date", "server", "content-length"):
        assert answer.headers.get(f"x-amzn-remapped-{name}"), (name, answer.headers)
    assert "BaseHTTP" in answer.headers["x-amzn-remapped-server"], answer.headers
    assert "BaseHTTP" not in answer.headers.get("server", ""), answer.headers
    equal(answer.headers["content-type"], JSON)


def test_either_id_leads_to_the_request():
    answer = chain().get()
    equal(answer.headers["x-tidegate-trace"], "passed")
    for name in ("x-amzn-requestid", "x-amz-apigw-id"):
        result = chain().server.explain(answer.headers[name])
        equal((result.returncode, result.json["outcome"], result.json["status"]), (0, "passed", 200), name)
        equal(result.json["fix"], [])
    deciders = [hop["deciding_rule"] for hop in result.json["hops"] if hop["deciding_rule"]]
    assert len(deciders) >= 2 and all(rule.startswith("sgr-") for rule in deciders), result.json["hops"]


def test_what_is_not_there_lacks_a_token_and_an_unknown_stage_is_forbidden():
    for path, method in (("/", "GET"), ("/pets", "GET"), ("/pets/7", "DELETE"), ("/pets/7", "HEAD")):
        answer = chain().get(path, method=method)
        body = "" if method == "HEAD" else MISSING
        refusal(answer, 403, body, "MissingAuthenticationTokenException", "ROUTE_NOT_FOUND", f"{method} {path}")
    answer = chain().get(stage="nowhere")
    equal((answer.status, answer.text), (403, '{"message":"Forbidden"}'))
    equal(answer.headers["x-amzn-errortype"], "ForbiddenException")
    explained(chain().server, answer, 4, "STAGE_NOT_FOUND")


def test_the_examples_guarded_method():
    key = {"x-api-key": chain().stack["key_value"]}
    cat, post = json.dumps({"name": "Tom", "kind": "cat", "owner": {"email": "a@b"}}), {"method": "POST"}
    refusal(chain().get("/pets", body=cat, **post), 403, '{"message":"Forbidden"}', "ForbiddenException", "API_KEY_MISSING")
    equal(seen(chain().get("/pets", body=cat, headers=key, **post))["body"], cat)
    answer = chain().get("/pets", body='{"name": "Tom"}', headers=key, **post)
    refusal(answer, 422, '{"message": "Invalid request body"}', "BadRequestException", "VALIDATION_FAILED")


def denied(group, egress, status, code):
    equal(chain().revoke(group, egress), 1, "rules that were there")
    answer = chain().get()
    if status == 500:
        refusal(answer, 500, INTERNAL_BODY, INTERNAL, code, f"{group} {egress}")
    else:
        equal((answer.status, answer.headers["x-tidegate-trace"]), (504, code), f"{group} {egress}")
        equal(len(answer.text), 132, "the load balancer's own page")
        equal(answer.headers.get("x-amzn-remapped-server"), "awselb/2.0")
        assert "x-amzn-errortype" not in answer.headers, answer.headers
    told = explained(chain().server, answer, 3, code)
    stop = next(hop for hop in told["hops"] if hop["verdict"] == "deny")
    equal(stop["reason"], code)
    equal(stop["from_groups"] if egress else stop["to_groups"], [chain().stack[group]], "the groups that decided")
    assert stop["from"].startswith("eni-") and stop["to"].startswith("eni-"), stop
    equal(stop["port"], 80 if status == 500 else 8080)
    return told


def test_each_verdict_is_explained_and_mended_by_its_command():
    for group, egress, status, code in REST_VERDICTS:
        told = denied(group, egress, status, code)
        equal(len(told["fix"]), 1, told["fix"])
        direction = "egress" if egress else "ingress"
        assert chain().stack[group] in told["fix"][0] and f"-{direction}" in told["fix"][0], told["fix"]
        chain().run_fix(told)
        seen(chain().get())
        equal(len(chain().rules(group, egress)), 1, "the narrowest rule and nothing more")


def test_all_four_are_mended_in_one_go():
    for group, egress, *_ in REST_VERDICTS:
        chain().revoke(group, egress)
    told = explained(chain().server, chain().get(), 3, "SG_EGRESS_DENIED")
    equal(len(told["fix"]), 4, told["fix"])
    chain().run_fix(told)
    seen(chain().get())


def test_a_silent_backend_is_504_after_the_timeout():
    slow = api("slow")
    chain().private(slow, "GET /slow", "http://pets.internal/slow", timeoutInMillis=150)
    slow.deploy()
    seen(slow.call("/slow"))
    for backend in chain().backends:
        backend.gate.clear()
    start = time.monotonic()
    answer = slow.call("/slow")
    took = time.monotonic() - start
    for backend in chain().backends:
        backend.gate.set()
    refusal(answer, 504, '{"message": "Endpoint request timed out"}', INTERNAL, "INTEGRATION_TIMEOUT")
    assert 0.15 <= took < 5, took
    explained(chain().server, answer, 4, "INTEGRATION_TIMEOUT")
    seen(slow.call("/slow"))
    slow.delete()


def test_gateway_responses_are_the_apis_own():
    own = api("own")
    own.mock("GET /keyed", apiKeyRequired=True)
    chain().private(own, "GET /gone", "http://pets.internal:81/")
    template = '{"why":$context.error.messageString,"type":"$context.error.responseType","id":"$context.requestId","colour":"$stageVariables.colour"}'
    headers = {"Access-Control-Allow-Origin": "'*'", "X-Mine": "method.request.header.X-Mine", "X-Stage": "context.stage"}
    own.rest.put_gateway_response(
        restApiId=own.id,
        responseType="DEFAULT_4XX",
        statusCode="404",
        responseParameters={f"gatewayresponse.header.{name}": value for name, value in headers.items()},
        responseTemplates={JSON: template, "text/plain": "no: $context.error.message"},
    )
    own.rest.put_gateway_response(restApiId=own.id, responseType="INVALID_API_KEY", statusCode="401")
    own.rest.put_gateway_response(
        restApiId=own.id, responseType="INTEGRATION_FAILURE", statusCode="502", responseTemplates={JSON: "$context.error.message"}
    )
    own.deploy(variables={"colour": "blue"})
    answer = own.call("/nothing", headers={"X-Mine": "1"})
    equal(answer.status, 404, answer.text)
    told = {"why": "Missing Authentication Token", "type": "MISSING_AUTHENTICATION_TOKEN", "colour": "blue"}
    equal(json.loads(answer.text), told | {"id": answer.headers["x-amzn-requestid"]})
    got = [answer.headers.get(name) for name in ("access-control-allow-origin", "x-mine", "x-stage", "x-amzn-errortype")]
    equal(got, ["*", "1", STAGE, "MissingAuthenticationTokenException"])
    answer = own.call("/nothing", headers={"Accept": "text/plain"})
    equal((answer.status, answer.text), (404, "no: Missing Authentication Token"))
    answer = own.call("/keyed")
    equal((answer.status, answer.text), (401, '{"message":"Forbidden"}'), "its own kind comes before the class")
    answer = own.call("/gone")
    equal((answer.status, answer.text, answer.headers["x-tidegate-trace"]), (502, "Internal server error", "LISTENER_NOT_FOUND"))
    own.delete()


def old(answer):
    hints = explained(chain().server, answer, 4 if answer.status == 403 else 0, answer_reason(answer))["hints"]
    return [hint["text"] for hint in hints if hint["code"] == "STAGE_RUNS_OLD_DEPLOYMENT"]


def answer_reason(answer):
    code = answer.headers["x-tidegate-trace"]
    return None if code == "passed" else code


def test_a_change_is_seen_once_it_is_deployed():
    frozen = api("frozen")
    at = frozen.mock("GET /a", answers="first")
    frozen.deploy()
    equal(old(frozen.call("/a")), [])
    frozen.mock("GET /b", answers="b")
    operation = patch(("replace", "/responseTemplates/application~1json", "second"))
    frozen.rest.update_integration_response(**at, statusCode="200", patchOperations=operation)
    answer = frozen.call("/a")
    equal((answer.status, answer.text), (200, "first"))
    assert old(answer), "a request that passed is told as well"
    answer = frozen.call("/b")
    equal((answer.status, answer.text), (403, MISSING))
    (text,) = old(answer)
    assert "/b" in text and "is new" in text and "/a" in text and "changed" in text, text
    assert f"create-deployment --rest-api-id {frozen.id} --stage-name {STAGE}" in text, text
    frozen.deploy()
    for path, body in (("/a", "second"), ("/b", "b")):
        answer = frozen.call(path)
        equal((answer.status, answer.text, old(answer)), (200, body, []))
    frozen.delete()


def test_a_canary_serves_its_part_with_its_own_variables():
    bird = api("canary")
    at = bird.mock("GET /who", answers="base $stageVariables.colour $context.isCanaryRequest")
    bird.deploy(variables={"colour": "blue"})
    operation = patch(("replace", "/responseTemplates/application~1json", "new $stageVariables.colour $context.isCanaryRequest"))
    bird.rest.update_integration_response(**at, statusCode="200", patchOperations=operation)
    bird.deploy(canarySettings={"percentTraffic": 0.0, "stageVariableOverrides": {"colour": "yellow"}})
    base, new = "base blue false", "new yellow true"

    def ask(percent, count):
        to = patch(("replace", "/canarySettings/percentTraffic", str(percent)))
        bird.rest.update_stage(restApiId=bird.id, stageName=STAGE, patchOperations=to)
        return [bird.call("/who").text for _ in range(count)]

    equal(set(ask(0.0, 30)), {base})
    equal(set(ask(100.0, 30)), {new})
    got = ask(50.0, CANARY_REQUESTS)
    equal(set(got), {base, new})
    share = got.count(new)
    assert abs(share - CANARY_REQUESTS / 2) <= CANARY_OFF, f"{share} of {CANARY_REQUESTS}"
    promoted = [
        {"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"},
        {"op": "copy", "from": "/canarySettings/stageVariableOverrides", "path": "/variables"},
        {"op": "remove", "path": "/canarySettings"},
    ]
    bird.rest.update_stage(restApiId=bird.id, stageName=STAGE, patchOperations=promoted)
    equal({bird.call("/who").text.strip() for _ in range(30)}, {"new yellow"})
    bird.delete()


def test_an_internet_integration_does_not_reach_what_is_private():
    out = api("out")
    uris = [f"http://127.0.0.1:{chain().backends[0].port}/", "http://169.254.169.254/latest/meta-data/", "http://10.0.10.10:8080/"]
    for at, uri in enumerate(uris):
        method = out.method(f"GET /{at}")
        out.rest.put_integration(**method, type="HTTP_PROXY", integrationHttpMethod="GET", uri=uri)
    out.deploy()
    for at, uri in enumerate(uris):
        answer = out.call(f"/{at}")
        refusal(answer, 500, INTERNAL_BODY, INTERNAL, "EGRESS_FORBIDDEN", uri)
        assert chain().server.explain(answer.id).returncode in (3, 4), uri
    out.delete()


def messages(group, request_id):
    """What a log group says of a request."""
    events = chain().aws.logs.filter_log_events(logGroupName=group)["events"]
    return [event["message"] for event in events if request_id in event["message"]]


def test_access_and_execution_logs_tell_of_a_request():
    logs, group = chain().aws.logs, "/pets/access"
    logs.create_log_group(logGroupName=group)
    names = "requestId extendedRequestId httpMethod resourcePath path status stage identity.sourceIp integration.status".split()
    wanted = json.dumps({name: f"$context.{name}" for name in names})
    settings = patch(
        ("replace", "/accessLogSettings/destinationArn", f"arn:aws:logs:{harness.REGION}:000000000000:log-group:{group}"),
        ("replace", "/accessLogSettings/format", wanted),
        ("replace", "/*/*/logging/loglevel", "INFO"),
        ("replace", "/*/*/logging/dataTrace", "true"),
    )
    chain().rest.update_stage(restApiId=chain().id, stageName=STAGE, patchOperations=settings)
    secret = "Bearer a-token-that-nobody-may-read"
    answer = chain().get("/pets/7?q=1", headers={"X-Mine": "shown", "Authorization": secret})
    request_id = answer.headers["x-amzn-requestid"]
    (line,) = until("the access log", lambda: messages(group, request_id), 10)
    said = json.loads(line)
    equal(said["extendedRequestId"], answer.headers["x-amz-apigw-id"])
    got = [said[name] for name in names[2:]]
    equal(list(map(str, got)), ["GET", "/pets/{petId}", f"/{STAGE}/pets/7", "200", STAGE, "127.0.0.1", "200"])
    execution = f"API-Gateway-Execution-Logs_{chain().id}/{STAGE}"
    ended = lambda: (lines := messages(execution, request_id)) and "Method completed" in lines[-1] and lines
    lines = until("the execution log", ended, 10)
    steps = [
        "Verifying Usage Plan for request",
        "does not require API Key",
        "Usage Plan check succeeded",
        "Starting execution for request",
        "HTTP Method: GET, Resource Path: /pets/{petId}",
        "Method request path: {petId=7}",
        "Method request query string: {q=1}",
        "X-Mine=shown|x-mine=shown",
        "Endpoint request URI",
        "Received response. Status: 200",
        "Method completed with status: 200",
    ]
    text = "\n".join(lines)
    places = [next((at for at, line in enumerate(lines) if re.search(step.replace("{", r"\{").replace("}", r"\}"), line)), None) for step in steps]
    assert None not in places and places == sorted(places), f"{list(zip(places, steps))}\n{text}"
    assert secret not in text, "a token is never written in full"
    assert all(len(line.encode()) <= 1024 for line in lines), "events are cut"


def test_the_aws_cli_builds_an_api_and_curl_asks_it():
    def aws(*words):
        return harness.command(["aws", "apigateway", *words], chain().server.env()).json

    made = aws("create-rest-api", "--name", "typed", "--endpoint-configuration", "types=REGIONAL")
    at = ["--rest-api-id", made["id"], "--resource-id", made["rootResourceId"], "--http-method", "GET"]
    aws("put-method", *at, "--authorization-type", "NONE")
    words = ["--type", "HTTP_PROXY", "--integration-http-method", "GET", "--uri", "http://pets.internal/typed"]
    words += ["--connection-type", "VPC_LINK", "--connection-id", chain().stack["link"]]
    aws("put-integration", *at, *words, "--integration-target", chain().stack["lb"])
    aws("create-deployment", "--rest-api-id", made["id"], "--stage-name", "dev")
    curl = ["curl", "-sS", "-m", "20", "-w", "\n%{http_code}"]
    api_port, public = chain().server.api, chain().server.public
    for url, host in [
        (f"{api_port}/_aws/execute-api/{made['id']}/dev", None),
        (f"{api_port}/restapis/{made['id']}/dev/_user_request_/", None),
        (f"{public}/dev", f"{made['id']}.execute-api.us-east-1.amazonaws.com"),
        (f"{public}/dev/", f"{made['id']}.execute-api.localhost"),
    ]:
        sent = subprocess.run(
            [*curl, url, *(["-H", f"Host: {host}"] if host else [])], capture_output=True, text=True, check=True, timeout=30
        )
        body, status = sent.stdout.rsplit("\n", 1)
        equal(status, "200", f"{url} {host}: {body}")
        equal(json.loads(body)["path"], "/typed", url)
    aws("delete-rest-api", "--rest-api-id", made["id"])


def test_teardown_leaves_nothing():
    chain().close()
    aws = chain().aws
    equal((aws.apigateway.get_rest_apis()["items"], aws.apigateway.get_usage_plans()["items"]), ([], []))
    equal(aws.elbv2.describe_load_balancers()["LoadBalancers"], [])
    equal([vpc for vpc in aws.ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]], [])


harness.main()
