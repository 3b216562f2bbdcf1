"""`TestInvokeMethod` with boto3 and the AWS CLI: methods tried as they are now, without a deployment and past what guards a stage,
over the same network as every other request."""

import datetime
import json
import re
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError, HTTPClientError

import harness
from chain import REST_VERDICTS
from harness import equal
from rest import INTERNAL_BODY, STAGE, UUID, Api, RestChain

_chain = None
JSON = "application/json"
STAMP = r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4}"
PET = json.dumps({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}})


def chain():
    global _chain
    if _chain is None:
        _chain = RestChain(harness.server(), "trial")
    return _chain


def api(name, **options):
    return Api(harness.server(), name, **options)


def tried(made, at, **options):
    """A trial, and the lines of its log without their times."""
    answer = made.rest.test_invoke_method(**at, **options)
    equal(answer["ResponseMetadata"]["HTTPStatusCode"], 200)
    first, *lines = re.split(f"\n(?={STAMP} : )", answer["log"].removesuffix("\n"))
    answer["id"] = first.removeprefix("Execution log for request ")
    assert UUID.fullmatch(answer["id"]), first
    answer["lines"] = [re.sub(f"^{STAMP} : ", "", line) for line in lines]
    assert answer["latency"] >= 0 and answer["log"].endswith("\n"), answer
    return answer


def said(answer, *steps):
    """The log has these lines, or lines that begin so, in this order."""
    places = [next((at for at, line in enumerate(answer["lines"]) if line.startswith(step)), None) for step in steps]
    assert None not in places and places == sorted(places), f"{list(zip(places, steps))}\n{answer['log']}"


def refused(code, words, call, **options):
    try:
        call(**options)
    except ClientError as error:
        equal((error.response["Error"]["Code"]), code, str(error))
        assert words in str(error), f"{words!r} is not in {error}"
        return error
    raise AssertionError(f"nothing was refused: {options}")


def test_a_mock_method_answers_before_anything_is_deployed():
    made = api("mock")
    at = made.method("GET /hello")
    made.rest.put_integration(**at, type="MOCK", requestTemplates={JSON: '{"statusCode": 200}'})
    header = {"method.response.header.X-Made-By": "'hand'"}
    made.respond(at, "200", None, {JSON: '{"hello": "world"}'}, header)
    answer = tried(made, at)
    equal((answer["status"], answer["body"]), (200, '{"hello": "world"}'))
    equal(answer["headers"], {"Content-Type": JSON, "X-Made-By": "hand"}, "spelled as declared, and no ids")
    equal(answer["multiValueHeaders"], {"Content-Type": [JSON], "X-Made-By": ["hand"]})
    equal(
        [line for line in answer["lines"] if not line.startswith("Method response headers")],
        [
            f"Starting execution for request: {answer['id']}",
            "HTTP Method: GET, Resource Path: /hello",
            "Method request path: {}",
            "Method request query string: {}",
            "Method request headers: {}",
            "Method request body before transformations: ",
            'Method response body after transformations: {"hello": "world"}',
            "Successfully completed execution",
            "Method completed with status: 200",
        ],
    )
    equal(made.rest.get_deployments(restApiId=made.id)["items"], [], "nothing was deployed")
    equal(made.rest.get_stages(restApiId=made.id)["item"], [], "no stage was made")
    equal(made.call("/hello", stage="test-invoke-stage").status, 403, "and none is served")
    made.delete()


def test_the_draft_is_tried_and_not_what_a_stage_serves():
    made = api("draft")
    at = made.mock("GET /a", answers="old")
    made.deploy()
    at = {name: at[name] for name in ("restApiId", "resourceId", "httpMethod")}
    change = [{"op": "replace", "path": "/responseTemplates/application~1json", "value": "new"}]
    made.rest.update_integration_response(**at, statusCode="200", patchOperations=change)
    equal((made.call("/a").text, tried(made, at)["body"]), ("old", "new"))
    made.delete()


def test_a_body_is_validated_and_the_log_has_the_sentence():
    made = api("valid")
    made.rest.create_model(restApiId=made.id, name="Pet", contentType=JSON, schema=PET)
    validator = made.rest.create_request_validator(
        restApiId=made.id, name="all", validateRequestBody=True, validateRequestParameters=True
    )["id"]
    at = made.mock(
        "POST /pets",
        requestValidatorId=validator,
        requestModels={JSON: "Pet"},
        requestParameters={"method.request.querystring.dry": True},
    )
    answer = tried(made, at, body="{}", pathWithQueryString="/pets?dry=1")
    equal((answer["status"], answer["body"]), (400, '{"message": "Invalid request body"}'))
    equal(answer["headers"], {"x-amzn-ErrorType": "BadRequestException"}, "as on AWS, without a content type")
    sentence = 'Request body does not match model schema for content type application/json: [object has missing required properties (["name"])]'
    said(answer, "Method request body before transformations: {}", sentence, "Method completed with status: 400")
    assert not any("Successfully" in line for line in answer["lines"]), answer["log"]
    result = harness.server().explain(answer["id"])
    equal((result.returncode, result.json["reason"], result.json["status"]), (3, "VALIDATION_FAILED", 400))
    answer = tried(made, at, body='{"name": "rex"}', pathWithQueryString="/pets")
    equal((answer["status"], answer["body"]), (400, '{"message": "Missing required request parameters: [dry]"}'))
    equal(tried(made, at, body='{"name": "rex"}', pathWithQueryString="?dry=1")["status"], 200, "a query alone")
    made.rest.put_gateway_response(
        restApiId=made.id,
        responseType="BAD_REQUEST_BODY",
        statusCode="422",
        responseParameters={"gatewayresponse.header.X-Why": "'model'"},
        responseTemplates={JSON: "$context.error.validationErrorString"},
    )
    answer = tried(made, at, body="{}", pathWithQueryString="/pets?dry=1")
    equal((answer["status"], answer["headers"].get("X-Why")), (422, "model"), "gateway responses of the draft")
    assert "name" in answer["body"], answer["body"]
    made.delete()


def test_templates_see_parameters_stage_variables_and_the_caller():
    made = api("template")
    template = (
        "$stageVariables.color|$input.params('id')|$input.params('q')|$input.params('X-Mine')|$input.path('$.n')"
        "|$context.stage|$context.path|$context.identity.sourceIp|$context.identity.apiKey|$context.domainName"
        "|$context.identity.accountId|$context.httpMethod|$context.requestId"
    )
    chosen = "#set($context.responseOverride.header.X-Body = $input.json('$'))" + '{"statusCode": 200}'
    at = made.mock("PUT /pets/{id}", requests=chosen, answers=template)
    answer = tried(
        made,
        at,
        pathWithQueryString="/pets/a%20b?q=1&q=2",
        headers={"X-Mine": "one"},
        multiValueHeaders={"X-Many": ["a", "b"], "X-Mine": ["one"]},
        body='{"n": 7}',
        stageVariables={"color": "red"},
    )
    equal(answer["status"], 200)
    want = f"red|a b|2|one||test-invoke-stage|/pets/{{id}}|test-invoke-source-ip|test-invoke-api-key|testPrefix.testDomainName|000000000000|PUT|{answer['id']}"
    equal(answer["body"], want, "a mock's answer has no body of its own")
    equal(answer["headers"].get("x-body"), '{"n":7}', str(answer["headers"]))
    said(
        answer,
        "Method request path: {id=a b}",
        "Method request query string: {q=1, q=2}",
        "Method request headers: {",
        'Method request body before transformations: {"n": 7}',
    )
    (line,) = [line for line in answer["lines"] if line.startswith("Method request headers")]
    equal((line.count("X-Mine=one"), line.count("X-Many=")), (1, 2), line)
    made.delete()


def test_a_broken_mapping_says_what_is_wrong():
    made = api("broken")
    at = made.mock("GET /", requests="no status")
    answer = tried(made, at)
    equal((answer["status"], answer["body"]), (500, INTERNAL_BODY))
    equal(answer["headers"], {"x-amzn-ErrorType": "InternalServerErrorException"})
    said(answer, "Execution failed due to configuration error: ", "Method completed with status: 500")
    made.delete()


def test_what_guards_a_stage_does_not_guard_a_trial():
    made = api("guarded", policy=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"}],
    }))
    pool = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_a"
    authorizer = made.rest.create_authorizer(
        restApiId=made.id, name="pool", type="COGNITO_USER_POOLS", providerARNs=[pool], identitySource="method.request.header.Authorization"
    )["id"]
    signed = made.mock("GET /signed", authorizationType="AWS_IAM", apiKeyRequired=True, answers="in")
    token = made.mock("GET /token", authorizationType="COGNITO_USER_POOLS", authorizerId=authorizer, answers="in")
    made.deploy()
    limits = [
        {"op": "replace", "path": f"/*/*/throttling/{name}", "value": "0"} for name in ("rateLimit", "burstLimit")
    ]
    made.rest.update_stage(restApiId=made.id, stageName=STAGE, patchOperations=limits)
    for path, at in (("/signed", signed), ("/token", token)):
        equal(made.call(path).status, 403, path)
        answer = tried(made, at)
        equal((answer["status"], answer["body"]), (200, "in"), path)
        assert not any("Usage Plan" in line or "API Key" in line for line in answer["lines"]), answer["log"]
    made.delete()


def test_usage_and_metrics_of_a_stage_stay_as_they_were():
    made = api("counted")
    at = made.mock("GET /", apiKeyRequired=True, answers="in")
    made.deploy()
    key = made.rest.create_api_key(name="k", enabled=True)
    plan = made.rest.create_usage_plan(
        name="p", apiStages=[{"apiId": made.id, "stage": STAGE}], quota={"limit": 100, "period": "MONTH"}
    )["id"]
    made.rest.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    equal(made.call("/", headers={"x-api-key": key["value"]}).status, 200)
    for _ in range(3):
        equal(tried(made, at, headers={"x-api-key": key["value"]})["status"], 200)
    page = harness.request(harness.server().api, "/metrics").text
    counted = [line for line in page.splitlines() if made.id in line and "count_total{" in line]
    equal(counted, [f'tidegate_apigateway_count_total{{api_id="{made.id}",stage="{STAGE}"}} 1'])
    assert "test-invoke-stage" not in page
    day = datetime.timedelta(days=1)
    begin, end = [(datetime.datetime.now(datetime.timezone.utc) + days).date().isoformat() for days in (-day, day)]
    usage = made.rest.get_usage(usagePlanId=plan, keyId=key["id"], startDate=begin, endDate=end)
    equal([sum(day[0] for day in days) for days in usage["items"].values()], [1])
    made.delete()


def test_http_and_http_proxy_go_over_the_private_chain():
    made = Api(harness.server(), "private", chain().rest)
    proxy = chain().private(
        made, "ANY /pets/{id}", "http://pets.internal/v/{id}", method="ANY", parameters={"integration.request.path.id": "method.request.path.id"}
    )
    answer = tried(made, proxy | {"httpMethod": "POST"}, pathWithQueryString="/pets/7?q=1", body='{"a": 1}', headers={"Content-Type": JSON, "X-Mine": "1"})
    equal(answer["status"], 200, answer["log"])
    got = json.loads(answer["body"])
    equal((got["method"], got["path"], got["body"]), ("POST", "/v/7?q=1", '{"a": 1}'))
    equal((got["headers"]["user-agent"], got["headers"]["x-mine"]), (f"AmazonAPIGateway_{made.id}", "1"))
    equal(got["headers"]["host"], "pets.internal")
    assert "127.0.0.1" not in got["headers"].get("x-forwarded-for", ""), "there is no client to name"
    assert answer["headers"]["x-amzn-Remapped-Server"].startswith("BaseHTTP"), answer["headers"]
    said(
        answer,
        "HTTP Method: POST, Resource Path: /pets/{id}",
        "Endpoint request URI: http://pets.internal/v/7?q=1",
        "Endpoint request headers: {",
        'Endpoint request body after transformations: {"a": 1}',
        "Sending request to http://pets.internal/v/7?q=1",
        "Received response. Status: 200, Integration latency: ",
        "Endpoint response headers: {",
        "Endpoint response body before transformations: {",
        "Method response body after transformations: {",
        "Method response headers: {",
        "Successfully completed execution",
    )
    result = harness.server().explain(answer["id"])
    equal((result.returncode, result.json["outcome"]), (0, "passed"), result.stdout)
    assert {"link", "target"} <= {hop["kind"] for hop in result.json["hops"]}, result.json["hops"]
    custom = chain().private(made, "POST /custom", "http://pets.internal/c", kind="HTTP", responses={}, requestTemplates={JSON: '{"made": "$stageVariables.v"}'})
    made.respond(custom, "201", None, {JSON: "status $context.integration.status"})
    answer = tried(made, custom, body="{}", stageVariables={"v": "x"})
    equal((answer["status"], answer["body"]), (201, "status 200"), answer["log"])
    equal(set(answer["headers"]), {"Content-Type", "X-Amzn-Trace-Id"})
    said(answer, 'Endpoint request body after transformations: {"made": "x"}', "Endpoint response body before transformations: {")
    made.delete()


def test_a_denied_hop_is_denied_as_for_every_other_request():
    at = {"restApiId": chain().id, "resourceId": resource("/pets/{petId}"), "httpMethod": "GET"}
    made = Api(harness.server(), "undeployed", chain().rest)
    undeployed = chain().private(made, "GET /", "http://pets.internal/pets/7")
    for group, egress, status, code in REST_VERDICTS:
        chain().revoke(group, egress)
        real = chain().get("/pets/7")
        answer = tried(chain(), at, pathWithQueryString="/pets/7")
        equal((answer["status"], answer["body"]), (status, real.text), f"{group} {code}")
        said(answer, "Sending request to ", f"Method completed with status: {status}")
        if status == 500:
            equal(answer["headers"], {"x-amzn-ErrorType": real.headers["x-amzn-errortype"]}, code)
            said(answer, "Execution failed due to configuration error: ")
        else:
            # What the load balancer answers itself is passed on as a target's answer would be.
            said(answer, "Received response. Status: 504", "Successfully completed execution")
        result = harness.server().explain(answer["id"])
        equal((result.returncode, result.json["reason"]), (3, code), result.stdout)
        equal(result.json["fix"], harness.server().explain(real.id).json["fix"], "the same commands")
        bare = harness.server().explain(tried(made, undeployed)["id"])
        equal((bare.json["reason"], bare.json["fix"]), (code, result.json["fix"]), "also where nothing is deployed")
        chain().run_fix(result.json)
        equal(tried(chain(), at, pathWithQueryString="/pets/7")["status"], 200, f"mended by {result.json['fix']}")
    made.delete()


def resource(path):
    found = chain().rest.get_resources(restApiId=chain().id, limit=500)["items"]
    return next(item["id"] for item in found if item["path"] == path)


def test_what_cannot_be_tried_is_refused_by_name():
    made = api("refused")
    at = made.mock("GET /pets/{id}")
    bare = made.method("POST /pets/{id}")
    call = made.rest.test_invoke_method
    unknown = at | {"restApiId": "aaaaaaaaaa"}
    refused("NotFoundException", "Invalid API identifier specified", call, **unknown)
    refused("NotFoundException", "Invalid Resource identifier specified", call, **at | {"resourceId": "aaaaaa"})
    refused("NotFoundException", "Invalid Method identifier specified", call, **at | {"httpMethod": "DELETE"})
    refused("BadRequestException", "Invalid HttpMethod specified", call, **at | {"httpMethod": "FETCH"})
    refused("BadRequestException", "No integration defined for method", call, **bare)
    for path in ("/cats/7", "/pets/7/toys", "/pets", "pets/7", "/pets/ü", "/pets/7#a"):
        refused("BadRequestException", "pathWithQueryString", call, **at, pathWithQueryString=path)
    refused("BadRequestException", "Invalid headers specified", call, **at, headers={"no name": "x"})
    refused("BadRequestException", "Invalid headers specified", call, **at, headers={"x": "a\nb"})
    many = {"x": [str(at) for at in range(101)]}
    refused("BadRequestException", "Invalid headers specified", call, **at, multiValueHeaders=many)
    refused("BadRequestException", "Invalid multiValueHeaders specified", call, **at, multiValueHeaders={"": ["x"]})
    refused("BadRequestException", "Invalid stage variable", call, **at, stageVariables={"a-b": "x"})
    refused("BadRequestException", "Invalid client certificate identifier specified", call, **at, clientCertificateId="abc123")
    too_large(call, at)
    # The server closes such a connection; the client's pool may not have heard of it yet.
    made.rest.close()
    answer = tried(made, at, headers={"x": "a" * 10240})
    equal(answer["status"], 431, "a head that a client could not send either")
    made.delete()


def too_large(call, at):
    """Above 4 MiB the call itself is refused, perhaps before all of it was sent."""
    try:
        call(**at, body="x" * 5 * 1024 * 1024)
    except ClientError as error:
        return equal(error.response["Error"]["Code"], "RequestEntityTooLarge")
    except HTTPClientError:
        return None
    raise AssertionError("a body of 5 MiB was taken")


def test_a_binary_answer_comes_as_base64():
    made = Api(harness.server(), "binary", chain().rest, binaryMediaTypes=["image/png"])
    at = made.method("POST /")
    made.rest.put_integration(**at, type="MOCK", requestTemplates={JSON: '{"statusCode": 200}'})
    made.respond(at, "200", None, {"image/png": "AAECA/8="}, contentHandling="CONVERT_TO_BINARY")
    answer = tried(made, at, headers={"Accept": "image/png"})
    equal((answer["status"], answer["body"]), (200, "AAECA/8="), str(answer))
    made.delete()


def test_no_more_are_under_way_than_may_be():
    made = Api(harness.server(), "many", chain().rest)
    at = chain().private(made, "GET /", "http://pets.internal/")
    backends = chain().backends
    for backend in backends:
        backend.gate.clear()
    try:
        with ThreadPoolExecutor(24) as pool:
            running = [pool.submit(tried, made, at) for _ in range(24)]
            codes = harness.until("the ones that are too many", lambda: len([r for r in running if r.done()]) >= 8, 20)
            assert codes
            for backend in backends:
                backend.gate.set()
            ended = [outcome(future) for future in running]
    finally:
        for backend in backends:
            backend.gate.set()
    equal((ended.count(200), ended.count("TooManyRequestsException")), (16, 8), str(ended))
    made.delete()


def outcome(future):
    try:
        return future.result()["status"]
    except ClientError as error:
        return error.response["Error"]["Code"]


def test_the_command_line_tries_a_method():
    made = api("cli")
    at = made.mock("POST /pets/{id}", answers="pet $input.params('id') $stageVariables.v")
    words = ["aws", "apigateway", "test-invoke-method", "--rest-api-id", made.id, "--resource-id", at["resourceId"]]
    words += ["--http-method", "POST", "--path-with-query-string", "/pets/7?a=1", "--headers", "X-A=1,X-B=2"]
    words += ["--stage-variables", "v=x", "--body", '{"a": 1}']
    answer = harness.command(words, harness.server().env()).json
    equal((answer["status"], answer["body"], answer["headers"]), (200, "pet 7 x", {"Content-Type": JSON}))
    assert "X-A=1" in answer["log"] and "Execution log for request" in answer["log"], answer["log"]
    made.delete()


def test_the_example_leaves_nothing():
    chain().close()
    equal(chain().aws.elbv2.describe_load_balancers()["LoadBalancers"], [])


harness.main()
