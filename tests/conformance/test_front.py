"""The front door of HTTP APIs as clients see it: rate limits measured, CORS, parameter mappings, deployments, OpenAPI documents.

Traffic that only counts is answered by a rule of the load balancer, so that the scripts' own backends are not measured.
"""

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

import harness
from chain import Chain
from harness import equal, refused

_chain = None
# Requests a second and at once; each is measured on a stage of its own, all at the same time.
LIMITS = {"slow": (40.0, 20), "middle": (80.0, 40), "quick": (150.0, 60)}
MEASURED_S = 10.0
TOLERANCE = 0.02
CLIENTS = 2


def chain():
    global _chain
    if _chain is None:
        _chain = Chain(harness.server(), name="front")
        c = _chain
        c.api, c.id = c.aws.apigatewayv2, c.stack["api"]
        c.integration = c.api.get_integrations(ApiId=c.id)["Items"][0]["IntegrationId"]
        c.aws.elbv2.create_rule(
            ListenerArn=c.stack["listener"],
            Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["*/counted/*"]}],
            Actions=[
                {
                    "Type": "fixed-response",
                    "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "ok"},
                }
            ],
        )
    return _chain


def calls(path, until, got):
    """Asks as fast as one connection allows, and notes when each answer of each status came."""
    where = urlsplit(harness.server().public)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=harness.REQUEST_S)
    headers = {"Host": chain().host()}
    while time.monotonic() < until:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        got.append((time.monotonic(), answer.status))
    connection.close()


def crowd(paths, seconds):
    """Several clients on each path at once; the answers by path."""
    start = time.monotonic()
    got = {path: [] for path in paths}
    threads = [
        threading.Thread(target=calls, args=(path, start + seconds, got[path])) for path in paths for _ in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return start, got


def test_a_burst_and_the_steady_rate_are_as_configured():
    c = chain()
    for name, (rate, burst) in LIMITS.items():
        settings = {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst}
        c.api.create_stage(ApiId=c.id, StageName=name, AutoDeploy=True, DefaultRouteSettings=settings)
    paths = {name: f"/{name}/counted/x" for name in LIMITS}
    start, got = crowd(paths.values(), MEASURED_S)
    for name, (rate, burst) in LIMITS.items():
        answers = got[paths[name]]
        equal({status for _, status in answers}, {200, 429}, f"{name}: every client asks for more than there is")
        passed = sum(status == 200 for _, status in answers)
        took = max(when for when, _ in answers) - start
        wanted = rate * took + burst
        off = abs(passed - wanted) / wanted
        print(f"  {name}: {passed} passed of {len(answers)} in {took:.2f} s, wanted {wanted:.0f} ({off:.2%} off)")
        assert off <= TOLERANCE, f"{name}: {passed} passed, wanted {wanted:.1f}"
        c.api.delete_stage(ApiId=c.id, StageName=name)


def test_a_crowded_route_takes_nothing_from_its_neighbour():
    c = chain()
    target = f"integrations/{c.integration}"
    for key in ("GET /counted/crowded", "GET /counted/quiet"):
        c.api.create_route(ApiId=c.id, RouteKey=key, Target=target)
    c.api.create_stage(
        ApiId=c.id,
        StageName="fair",
        AutoDeploy=True,
        DefaultRouteSettings={"ThrottlingRateLimit": 50.0, "ThrottlingBurstLimit": 10},
        RouteSettings={"GET /counted/crowded": {"ThrottlingRateLimit": 20.0, "ThrottlingBurstLimit": 5}},
    )
    stop, got = time.monotonic() + 3, []
    crowd_of_one = threading.Thread(target=calls, args=("/fair/counted/crowded", stop, got))
    crowd_of_one.start()
    quiet = []
    while time.monotonic() < stop:
        quiet.append(harness.request(harness.server().public, "/fair/counted/quiet", host=c.host()).status)
        time.sleep(0.1)
    crowd_of_one.join()
    equal(set(quiet), {200}, "the quiet route")
    passed = sum(status == 200 for _, status in got)
    assert 55 <= passed <= 70, f"the crowded route passed {passed} of {len(got)}"
    c.api.delete_stage(ApiId=c.id, StageName="fair")


def test_settings_without_numbers_let_nothing_pass_and_explain_says_so():
    c = chain()
    c.api.create_stage(
        ApiId=c.id, StageName="zero", AutoDeploy=True, DefaultRouteSettings={"DetailedMetricsEnabled": True}
    )
    answer = c.get("/zero/hello")
    equal((answer.status, answer.text), (429, '{"message":"Too Many Requests"}'))
    explained = harness.server().explain(answer.id)
    equal((explained.returncode, explained.json["outcome"], explained.json["reason"]), (3, "denied", "THROTTLED"))
    assert "THROTTLE_ZERO" in [hint["code"] for hint in explained.json["hints"]], explained.json
    c.api.delete_stage(ApiId=c.id, StageName="zero")


def test_cors_is_answered_by_the_api():
    c = chain()
    cors = {"AllowOrigins": ["https://app.example"], "AllowMethods": ["GET"], "AllowHeaders": ["x-a"], "MaxAge": 60}
    c.api.update_api(ApiId=c.id, CorsConfiguration=cors)
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    answer = c.get("/hello", method="OPTIONS", headers=asked)
    equal((answer.status, answer.text), (204, ""))
    equal(answer.headers["access-control-allow-origin"], "https://app.example")
    equal(answer.headers["access-control-allow-methods"], "GET")
    equal(answer.headers["access-control-max-age"], "60")
    answer = c.get("/hello", headers={"Origin": "https://app.example"})
    equal((answer.status, answer.headers["access-control-allow-origin"]), (200, "https://app.example"))
    answer = c.get("/hello", headers={"Origin": "https://evil.example"})
    assert answer.status == 200 and "access-control-allow-origin" not in answer.headers, answer.headers
    c.api.delete_cors_configuration(ApiId=c.id)
    answer = c.get("/hello", headers={"Origin": "https://app.example"})
    assert "access-control-allow-origin" not in answer.headers, answer.headers


def test_requests_and_answers_are_mapped():
    c = chain()
    c.api.update_integration(
        ApiId=c.id,
        IntegrationId=c.integration,
        RequestParameters={
            "append:header.x-who": "$request.body.user.name",
            "overwrite:header.x-stage": "${context.stage}-${stageVariables.colour}",
            "overwrite:path": "/mapped/$context.stage",
        },
        ResponseParameters={"200": {"overwrite:statuscode": "202", "append:header.x-saw": "$response.body.method"}},
    )
    c.api.update_stage(ApiId=c.id, StageName="$default", StageVariables={"colour": "blue"})
    body = json.dumps({"user": {"name": "ann"}})
    answer = c.get("/hello", method="POST", body=body, headers={"Content-Type": "application/json"})
    seen = json.loads(answer.text)
    equal((answer.status, answer.headers["x-saw"], seen["body"]), (202, "POST", body))
    equal((seen["path"], seen["headers"]["x-who"], seen["headers"]["x-stage"]), ("/mapped/$default", "ann", "$default-blue"))
    refused(
        "BadRequestException",
        c.api.update_integration,
        ApiId=c.id,
        IntegrationId=c.integration,
        RequestParameters={"append:header.x-forwarded-for": "1"},
        text="x-forwarded-for",
    )
    c.api.update_integration(
        ApiId=c.id,
        IntegrationId=c.integration,
        RequestParameters={"append:header.x-who": "", "overwrite:header.x-stage": "", "overwrite:path": ""},
        ResponseParameters={"200": {}},
    )
    equal(c.get("/hello").status, 200)


def test_a_stage_keeps_its_deployment_and_explain_says_that_it_is_old():
    c = chain()
    made = c.api.create_deployment(ApiId=c.id)["DeploymentId"]
    c.api.create_stage(ApiId=c.id, StageName="frozen", DeploymentId=made)
    c.api.create_route(ApiId=c.id, RouteKey="GET /brand-new", Target=f"integrations/{c.integration}")
    equal(c.get("/brand-new").status, 200, "the stage with automatic deployment")
    answer = c.get("/frozen/brand-new")
    explained = harness.server().explain(answer.id).json
    hint = next(hint for hint in explained["hints"] if hint["code"] == "STAGE_RUNS_OLD_DEPLOYMENT")
    assert "GET /brand-new is new" in hint["text"], hint
    c.api.create_deployment(ApiId=c.id, StageName="frozen")
    explained = harness.server().explain(c.get("/frozen/brand-new").id).json
    equal([hint["code"] for hint in explained["hints"] if hint["code"] == "STAGE_RUNS_OLD_DEPLOYMENT"], [])
    c.api.delete_stage(ApiId=c.id, StageName="frozen")


def document(listener, link):
    integration = {
        "type": "http_proxy",
        "httpMethod": "ANY",
        "uri": listener,
        "connectionType": "VPC_LINK",
        "connectionId": link,
        "payloadFormatVersion": "1.0",
        "requestParameters": {"overwrite:path": "$request.path"},
    }
    reference = {"x-amazon-apigateway-integration": {"$ref": "#/components/x-amazon-apigateway-integrations/chain"}}
    return {
        "openapi": "3.0.1",
        "info": {"title": "imported", "version": "1"},
        "paths": {"/pets/{id}": {"get": reference}, "/$default": {"x-amazon-apigateway-any-method": reference}},
        "components": {"x-amazon-apigateway-integrations": {"chain": integration}},
        "x-amazon-apigateway-cors": {"allowOrigins": ["*"]},
    }


def test_a_document_becomes_an_api_that_carries_traffic_and_reads_back():
    c = chain()
    wanted = document(c.stack["listener"], c.stack["link"])
    made = c.api.import_api(Body=json.dumps(wanted))
    api = made["ApiId"]
    equal((made["Name"], made["Version"], made["CorsConfiguration"]["AllowOrigins"]), ("imported", "1", ["*"]))
    c.api.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    answer = harness.request(harness.server().api, f"/_aws/execute-api/{api}/live/pets/7")
    equal((answer.status, json.loads(answer.text)["path"]), (200, "/pets/7"))
    body = c.api.export_api(ApiId=api, Specification="OAS30", OutputType="JSON")["body"].read()
    exported = json.loads(body)
    equal(sorted(exported["paths"]), ["/$default", "/pets/{id}"])
    c.api.reimport_api(ApiId=api, Body=body.decode())
    again = json.loads(c.api.export_api(ApiId=api, Specification="OAS30", OutputType="JSON")["body"].read())
    equal(again, exported, "an export that was imported again")
    wanted["paths"].pop("/$default")
    c.api.reimport_api(ApiId=api, Body=json.dumps(wanted))
    equal([route["RouteKey"] for route in c.api.get_routes(ApiId=api)["Items"]], ["GET /pets/{id}"])
    equal(harness.request(harness.server().api, f"/_aws/execute-api/{api}/live/other").status, 404)
    c.api.delete_api(ApiId=api)


def test_teardown_leaves_nothing():
    chain().close()


harness.main()
