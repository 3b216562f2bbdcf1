"""REST APIs as clients set them up: what is made is shown, what is used stays, patches are made whole or not at all, secrets
stay secret, and nothing that was answered is lost."""

import datetime
import tempfile

import harness
from harness import equal, refused

POOL = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_abc123"
SCHEMA = '{"type": "object", "required": ["name"]}'
VALUE = "a-value-of-twenty-characters-or-more"


def new_api(v1, name):
    """An API with `GET /pets/{id}` answered by a mock, deployed to `prod`."""
    api = v1.create_rest_api(name=name)
    at = {"restApiId": api["id"]}
    pets = v1.create_resource(**at, parentId=api["rootResourceId"], pathPart="pets")
    one = v1.create_resource(**at, parentId=pets["id"], pathPart="{id}")
    method = at | {"resourceId": one["id"], "httpMethod": "GET"}
    v1.put_method(**method, authorizationType="NONE", requestParameters={"method.request.path.id": True})
    v1.put_integration(**method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    v1.put_method_response(**method, statusCode="200", responseParameters={"method.response.header.x": True})
    v1.put_integration_response(**method, statusCode="200", responseParameters={"method.response.header.x": "'y'"})
    deployment = v1.create_deployment(**at, stageName="prod", variables={"colour": "blue"})
    return at, method, deployment["id"]


def test_what_is_made_is_shown():
    v1 = harness.server().clients().apigateway
    at, method, deployment = new_api(v1, "shown")
    pages = list(v1.get_paginator("get_resources").paginate(**at, embed=["methods"], PaginationConfig={"PageSize": 1}))
    resources = {resource["path"]: resource for page in pages for resource in page["items"]}
    equal(sorted(resources), ["/", "/pets", "/pets/{id}"], "one on each page")
    shown = resources["/pets/{id}"]["resourceMethods"]["GET"]
    equal(shown["methodIntegration"]["integrationResponses"]["200"]["responseParameters"], {"method.response.header.x": "'y'"})
    equal(shown["methodIntegration"]["timeoutInMillis"], 29000)
    stage = v1.get_stage(**at, stageName="prod")
    equal((stage["deploymentId"], stage["variables"]), (deployment, {"colour": "blue"}))
    equal(stage["createdDate"].tzinfo is not None, True, "a time that botocore reads")
    summary = v1.get_deployment(**at, deploymentId=deployment, embed=["apisummary"])["apiSummary"]
    equal(summary, {"/pets/{id}": {"GET": {"authorizationType": "NONE", "apiKeyRequired": False}}})
    equal(sorted(model["name"] for model in v1.get_models(**at)["items"]), ["Empty", "Error"])
    equal(len(v1.get_gateway_responses(**at)["items"]), 21, "every type")
    v1.delete_rest_api(**at)
    refused("NotFoundException", v1.get_rest_api, **at, text=f"000000000000:{at['restApiId']}")


def test_what_is_used_stays():
    v1 = harness.server().clients().apigateway
    at, method, deployment = new_api(v1, "used")
    model = v1.create_model(**at, name="Pet", contentType="application/json", schema=SCHEMA)["name"]
    validator = v1.create_request_validator(**at, name="all", validateRequestBody=True)["id"]
    pool = v1.create_authorizer(**at, name="pool", type="COGNITO_USER_POOLS", providerARNs=[POOL])["id"]
    v1.put_method(
        **method | {"httpMethod": "PUT"},
        authorizationType="COGNITO_USER_POOLS",
        authorizerId=pool,
        requestModels={"application/json": model},
        requestValidatorId=validator,
    )
    refused("ConflictException", v1.delete_model, **at, modelName=model, text="is referenced in method request: /pets/{id}/PUT")
    refused("ConflictException", v1.delete_request_validator, **at, requestValidatorId=validator)
    refused("ConflictException", v1.delete_authorizer, **at, authorizerId=pool)
    refused("BadRequestException", v1.create_deployment, **at, text="No integration defined for method")
    refused("BadRequestException", v1.delete_deployment, **at, deploymentId=deployment, text="Active stages")
    v1.delete_method(**method | {"httpMethod": "PUT"})
    v1.delete_model(**at, modelName=model)
    v1.delete_request_validator(**at, requestValidatorId=validator)
    v1.delete_authorizer(**at, authorizerId=pool)


def test_a_patch_is_made_whole_or_not_at_all():
    v1 = harness.server().clients().apigateway
    at, method, _ = new_api(v1, "patched")
    good = {"op": "replace", "path": "/timeoutInMillis", "value": "1000"}
    bad = {"op": "replace", "path": "/nothing", "value": "1"}
    refused(
        "BadRequestException",
        v1.update_integration,
        **method,
        patchOperations=[good, bad],
        text="Invalid patch path  '/nothing' specified for op 'replace'. Must be one of: [",
    )
    equal(v1.get_integration(**method)["timeoutInMillis"], 29000)
    equal(v1.update_integration(**method, patchOperations=[good])["timeoutInMillis"], 1000)
    setting = {"op": "replace", "path": "/~1pets~1{id}/GET/throttling/rateLimit", "value": "2.5"}
    stage = v1.update_stage(**at, stageName="prod", patchOperations=[setting])
    equal(stage["methodSettings"]["~1pets~1{id}/GET"]["throttlingRateLimit"], 2.5)


def test_a_canary_is_promoted():
    v1 = harness.server().clients().apigateway
    at, _, first = new_api(v1, "canary")
    canary = {"percentTraffic": 10, "stageVariableOverrides": {"colour": "green"}}
    second = v1.create_deployment(**at, stageName="prod", canarySettings=canary)["id"]
    stage = v1.get_stage(**at, stageName="prod")
    equal((stage["deploymentId"], stage["canarySettings"]["deploymentId"]), (first, second))
    promote = [
        {"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"},
        {"op": "copy", "from": "/canarySettings/stageVariableOverrides", "path": "/variables"},
        {"op": "remove", "path": "/canarySettings"},
    ]
    stage = v1.update_stage(**at, stageName="prod", patchOperations=promote)
    equal((stage["deploymentId"], stage["variables"], "canarySettings" in stage), (second, {"colour": "green"}, False))


def test_keys_and_their_plans():
    v1 = harness.server().clients().apigateway
    at, _, _ = new_api(v1, "keys")
    made = v1.create_api_key(name="made", enabled=True)
    equal((len(made["value"]), made["value"].isalnum()), (40, True), "a value that AWS would make")
    key = v1.create_api_key(name="given", value=VALUE, enabled=True)["id"]
    equal("value" in v1.get_api_key(apiKey=key), False)
    equal(v1.get_api_key(apiKey=key, includeValue=True)["value"], VALUE)
    refused("ConflictException", v1.create_api_key, value=VALUE)
    stage = {"apiId": at["restApiId"], "stage": "prod", "throttle": {"/pets/{id}/GET": {"rateLimit": 1.5, "burstLimit": 2}}}
    plan = {"quota": {"limit": 100, "offset": 10, "period": "MONTH"}, "throttle": {"rateLimit": 5.0, "burstLimit": 5}}
    gold = v1.create_usage_plan(name="gold", apiStages=[stage], **plan)["id"]
    v1.create_usage_plan_key(usagePlanId=gold, keyId=key, keyType="API_KEY")
    equal([plan["id"] for plan in v1.get_usage_plans(keyId=key)["items"]], [gold])
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    days = {"usagePlanId": gold, "startDate": today, "endDate": today}
    equal(v1.get_usage(**days)["items"], {key: [[0, 90]]}, "less the offset of the first period")
    more = [{"op": "replace", "path": "/remaining", "value": "500"}]
    v1.update_usage(usagePlanId=gold, keyId=key, patchOperations=more)
    equal(v1.get_usage(**days)["items"], {key: [[0, 500]]})
    silver = v1.create_usage_plan(name="silver", apiStages=[stage])["id"]
    refused("ConflictException", v1.create_usage_plan_key, usagePlanId=silver, keyId=key, keyType="API_KEY")
    file = f"name,key,enabled,usageplanIds\nimported,{VALUE}x,true,{silver}\nshort,abc,true,\n"
    imported = v1.import_api_keys(body=file.encode(), format="csv")
    equal((len(imported["ids"]), len(imported["warnings"])), (1, 1))
    equal([key["name"] for key in v1.get_usage_plan_keys(usagePlanId=silver)["items"]], ["imported"])
    refused("BadRequestException", v1.delete_usage_plan, usagePlanId=gold)
    equal(VALUE in harness.server().tail(lines=100_000), False, "no value is in the log")


def test_what_is_not_here_is_refused_by_name():
    v1 = harness.server().clients().apigateway
    at, method, _ = new_api(v1, "refused")
    uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/f/invocations"
    lambda_proxy = {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": uri}
    refused("BadRequestException", v1.put_integration, **method, **lambda_proxy, text="AWS_PROXY")
    refused("BadRequestException", v1.create_authorizer, **at, name="f", type="TOKEN", authorizerUri=uri, text="TOKEN")
    refused("ValidationException", v1.put_integration, **method, type="HTTPS", text="at 'putIntegrationInput.type'")
    refused("NotImplemented", v1.get_sdk_types, text="apigateway:GetSdkTypes")


def test_nothing_answered_is_lost():
    server = harness.Server(data_dir=tempfile.mkdtemp(prefix="tidegate-rest-"))
    try:
        v1 = server.clients().apigateway
        at, method, _ = new_api(v1, "durable")
        key = v1.create_api_key(name="made", enabled=True)
        before = (v1.get_resources(**at, embed=["methods"])["items"], v1.get_stage(**at, stageName="prod"))
        server.kill()
        server.start()
        v1 = server.clients().apigateway
        after = (v1.get_resources(**at, embed=["methods"])["items"], v1.get_stage(**at, stageName="prod"))
        equal([strip(part) for part in after], [strip(part) for part in before])
        equal(v1.get_api_key(apiKey=key["id"], includeValue=True)["value"], key["value"])
        equal(v1.create_api_key(name="next")["value"] == key["value"], False, "a restart makes no value twice")
    finally:
        server.close()


def strip(answer):
    """An answer without what differs between two calls."""
    return {k: v for k, v in answer.items() if k != "ResponseMetadata"} if isinstance(answer, dict) else answer


harness.main()
