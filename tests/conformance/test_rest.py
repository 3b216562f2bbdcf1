"""REST APIs through a link, by real clients: the four verdicts with REST's bodies, keys and quotas over `kill -9`, templates, validation, logs."""

import json
import tempfile
import time
from types import SimpleNamespace

import harness
from chain import REST_VERDICTS, Chain
from harness import equal

_rest = None

PET = {"type": "object", "required": ["name"], "properties": {"age": {"type": "integer"}}}


def resource(v1, api, above, part):
    return v1.create_resource(restApiId=api, parentId=above, pathPart=part)["id"]


def method(v1, api, at, verb, integration, **options):
    options.setdefault("authorizationType", "NONE")
    v1.put_method(restApiId=api, resourceId=at, httpMethod=verb, **options)
    v1.put_integration(restApiId=api, resourceId=at, httpMethod=verb, **integration)


def build(chain):
    """`/pets/{proxy+}` passed on, `/mapped` and `/mock` mapped, `/keyed` with a key of a plan."""
    v1, stack = chain.aws.apigateway, chain.stack
    api = v1.create_rest_api(name="pets", endpointConfiguration={"types": ["REGIONAL"]})["id"]
    root = v1.get_resources(restApiId=api)["items"][0]["id"]
    linked = {
        "integrationHttpMethod": "ANY",
        "connectionType": "VPC_LINK",
        "connectionId": stack["link"],
        "integrationTarget": stack["lb"],
    }
    proxy = resource(v1, api, resource(v1, api, root, "pets"), "{proxy+}")
    passed_on = linked | {
        "type": "HTTP_PROXY",
        "uri": "http://backend.internal/stamp/{proxy}",
        "requestParameters": {"integration.request.path.proxy": "method.request.path.proxy"},
    }
    method(v1, api, proxy, "ANY", passed_on, requestParameters={"method.request.path.proxy": True})
    plain = linked | {"type": "HTTP_PROXY", "uri": "http://backend.internal/keyed"}
    method(v1, api, resource(v1, api, root, "keyed"), "GET", plain, apiKeyRequired=True)
    v1.create_model(restApiId=api, name="Pet", contentType="application/json", schema=json.dumps(PET))
    validator = v1.create_request_validator(restApiId=api, name="body", validateRequestBody=True)["id"]
    mapped = resource(v1, api, root, "mapped")
    custom = linked | {
        "type": "HTTP",
        "integrationHttpMethod": "POST",
        "uri": "http://backend.internal/mapped",
        "requestTemplates": {"application/json": '{"who":$input.json(\'$.name\'),"stage":"$context.stage"}'},
    }
    options = {"requestModels": {"application/json": "Pet"}, "requestValidatorId": validator}
    method(v1, api, mapped, "POST", custom, **options)
    at = {"restApiId": api, "resourceId": mapped, "httpMethod": "POST", "statusCode": "200"}
    v1.put_method_response(**at)
    v1.put_integration_response(**at, responseTemplates={"application/json": "{\"got\":$input.json('$.body')}"})
    mock = resource(v1, api, root, "mock")
    templates = {"application/json": '{"statusCode": 200}'}
    method(v1, api, mock, "GET", {"type": "MOCK", "requestTemplates": templates})
    at = {"restApiId": api, "resourceId": mock, "httpMethod": "GET", "statusCode": "200"}
    v1.put_method_response(**at)
    v1.put_integration_response(**at, responseTemplates={"application/json": '{"api":"$context.apiId"}'})
    v1.create_deployment(restApiId=api, stageName="prod")
    return SimpleNamespace(api=api, chain=chain, v1=v1)


def rest():
    global _rest
    if _rest is None:
        _rest = build(Chain(harness.server()))
    return _rest


def call(made, path, method="GET", **options):
    url = f"/_aws/execute-api/{made.api}/prod{path}"
    return harness.request(made.chain.server.api, url, method=method, **options)


def test_a_proxy_reaches_a_target_by_the_path_of_its_uri():
    answer = call(rest(), "/pets/1/toys?q=1")
    equal((answer.status, answer.headers.get("x-tidegate-trace")), (200, "passed"), answer.text)
    seen = json.loads(answer.text)
    equal(seen["path"], "/stamp/1/toys?q=1")
    equal(seen["headers"]["host"], "backend.internal")
    equal(seen["headers"]["x-amzn-apigateway-api-id"], rest().api)
    for id in (answer.headers["x-amzn-requestid"], answer.headers["x-amz-apigw-id"]):
        explained = rest().chain.server.explain(id).json
        equal((explained["outcome"], explained["status"]), ("passed", 200))


def test_each_verdict_has_rests_answer_and_is_mended_as_explained():
    made = rest()
    for group, egress, status, code in REST_VERDICTS:
        assert made.chain.revoke(group, egress) > 0
        answer = call(made, "/pets/1")
        equal((answer.status, answer.headers["x-tidegate-trace"]), (status, code))
        if status == 500:
            equal(answer.text, '{"message": "Internal server error"}')
        explained = made.chain.server.explain(answer.id)
        equal((explained.returncode, explained.json["reason"]), (3, code))
        made.chain.run_fix(explained.json)
        equal(call(made, "/pets/1").status, 200, f"after the fix for {code}")


def test_unknown_paths_lack_a_token():
    for path, method in (("/nothing", "GET"), ("/keyed", "POST"), ("/pets", "GET")):
        answer = call(rest(), path, method)
        equal((answer.status, answer.text), (403, '{"message":"Missing Authentication Token"}'))


def test_bodies_are_validated_and_mapped_both_ways():
    json_type = {"content-type": "application/json"}
    answer = call(rest(), "/mapped", "POST", body=json.dumps({"name": "ann"}), headers=json_type)
    equal(answer.status, 200, answer.text)
    equal(json.loads(json.loads(answer.text)["got"]), {"who": "ann", "stage": "prod"})
    answer = call(rest(), "/mapped", "POST", body='{"age":"x"}', headers=json_type)
    equal((answer.status, answer.text), (400, '{"message": "Invalid request body"}'))
    explained = rest().chain.server.explain(answer.id).json
    assert 'object has missing required properties (["name"])' in explained["hops"][-1]["detail"], explained["hops"]
    equal(json.loads(call(rest(), "/mock").text), {"api": rest().api})


def test_a_deployment_is_told_to_be_old():
    made = rest()
    made.v1.update_rest_api(
        restApiId=made.api, patchOperations=[{"op": "add", "path": "/binaryMediaTypes/image~1png"}]
    )
    explained = made.chain.server.explain(call(made, "/mock").id).json
    hints = [hint for hint in explained["hints"] if hint["code"] == "STAGE_RUNS_OLD_DEPLOYMENT"]
    assert hints and f"create-deployment --rest-api-id {made.api} --stage-name prod" in hints[0]["text"], explained


def test_execution_logs_can_be_read():
    made = rest()
    level = {"op": "replace", "path": "/*/*/logging/loglevel", "value": "INFO"}
    made.v1.update_stage(restApiId=made.api, stageName="prod", patchOperations=[level])
    id = call(made, "/mock").headers["x-amzn-requestid"]
    group = f"API-Gateway-Execution-Logs_{made.api}/prod"

    def lines():
        events = made.chain.aws.logs.filter_log_events(logGroupName=group)["events"]
        found = [event["message"] for event in events if id in event["message"]]
        return found if len(found) >= 5 else None

    found = harness.until("the log", lines, within_s=10)
    assert found[-1].endswith("Method completed with status: 200"), found


def plan(made, limit):
    key = made.v1.create_api_key(name="k", enabled=True)
    made.plan = made.v1.create_usage_plan(
        name="small",
        apiStages=[{"apiId": made.api, "stage": "prod"}],
        quota={"limit": limit, "period": "DAY"},
    )["id"]
    made.key, made.value = key["id"], key["value"]
    return made


def used(made):
    today = time.strftime("%Y-%m-%d", time.gmtime())
    usage = made.v1.get_usage(usagePlanId=made.plan, startDate=today, endDate=today)["items"]
    return usage.get(made.key, [[0, 0]])[0]


def test_a_quota_is_exact_over_the_sudden_end_of_the_server():
    with tempfile.TemporaryDirectory() as data_dir:
        server = harness.Server(data_dir)
        try:
            made = plan(build(Chain(server, name="quota")), 5)
            key = {"x-api-key": made.value}
            answer = call(made, "/keyed", headers=key)
            equal((answer.status, answer.text), (403, '{"message":"Forbidden"}'))
            explained = server.explain(answer.id)
            equal((explained.returncode, explained.json["reason"]), (3, "API_KEY_INVALID"))
            made.chain.run_fix(explained.json)
            for _ in range(3):
                equal(call(made, "/keyed", headers=key).status, 200)
            server.kill()
            server.start()
            made.chain.aws = server.clients()
            made.v1 = made.chain.aws.apigateway
            equal(used(made), [3, 2], "counted before the end")
            statuses = [call(made, "/keyed", headers=key).status for _ in range(4)]
            equal(statuses, [200, 200, 429, 429])
            equal(used(made), [5, 0])
            answer = call(made, "/keyed", headers=key)
            equal(answer.text, '{"message":"Limit Exceeded"}')
            more = [{"op": "replace", "path": "/remaining", "value": "1"}]
            made.v1.update_usage(usagePlanId=made.plan, keyId=made.key, patchOperations=more)
            equal([call(made, "/keyed", headers=key).status for _ in range(2)], [200, 429])
            harness.request(server.api, "/_tidegate/tick", method="POST", body='{"seconds": 86400}')
            equal(call(made, "/keyed", headers=key).status, 200, "a new day has a quota of its own")
        finally:
            server.close()


if __name__ == "__main__":
    harness.main()
