#!/usr/bin/env python3
"""A REST API in front of an internal application load balancer, through a VPC link of version 2: no network load balancer.

    eval "$(tidegate env)"
    python3 examples/backend.py --port 9000 &
    python3 examples/boto3/rest-v2-link/rest.py build --backend 127.0.0.1:9000
    python3 examples/boto3/rest-v2-link/rest.py teardown

`integrationTarget` names the load balancer; scheme and port of `uri` choose its listener, the host of `uri` is what the load
balancer and the service see as Host, and the path of `uri` is the path that they get. The network, the load balancer and the link are
those of `../build.py`.
"""

import argparse
import json
import os
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import build as chain  # noqa: E402

HOST = "pets.internal"
STAGE = "live"
OWNER = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "required": ["email"],
    "properties": {"email": {"type": "string", "pattern": "^[^@]+@[^@]+$"}},
}
PET = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "required": ["name", "kind"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "kind": {"type": "string", "enum": ["cat", "dog"]},
        "age": {"type": "integer", "minimum": 0, "maximum": 40},
    },
}


def build(aws, name="pets", health_path="/health", unhealthy_threshold=2):
    """Builds everything but the targets and returns the ids by name."""
    stack = {"name": name}
    chain.network(aws.ec2, stack)
    chain.groups(aws.ec2, stack)
    chain.balancer(aws.elbv2, stack, health_path, unhealthy_threshold)
    chain.link(aws.apigatewayv2, stack)
    api(aws.apigateway, stack)
    resources(aws.apigateway, stack)
    deploy(aws.apigateway, stack)
    plan(aws.apigateway, stack)
    return stack


def api(rest, stack):
    made = rest.create_rest_api(name=stack["name"], endpointConfiguration={"types": ["REGIONAL"]})
    stack["rest_api"], stack["root"] = made["id"], made["rootResourceId"]
    json_model = {"restApiId": stack["rest_api"], "contentType": "application/json"}
    rest.create_model(name="Owner", schema=json.dumps(OWNER), **json_model)
    owner = f"https://apigateway.amazonaws.com/restapis/{stack['rest_api']}/models/Owner"
    pet = PET | {"properties": PET["properties"] | {"owner": {"$ref": owner}}}
    rest.create_model(name="Pet", schema=json.dumps(pet), **json_model)
    stack["validator"] = rest.create_request_validator(
        restApiId=stack["rest_api"], name="all", validateRequestBody=True, validateRequestParameters=True
    )["id"]
    rest.put_gateway_response(
        restApiId=stack["rest_api"],
        responseType="BAD_REQUEST_BODY",
        statusCode="422",
        responseTemplates={"application/json": '{"message": $context.error.messageString}'},
    )


def resources(rest, stack):
    pets = rest.create_resource(restApiId=stack["rest_api"], parentId=stack["root"], pathPart="pets")["id"]
    pet = rest.create_resource(restApiId=stack["rest_api"], parentId=pets, pathPart="{petId}")["id"]
    rest_of = rest.create_resource(restApiId=stack["rest_api"], parentId=stack["root"], pathPart="{proxy+}")["id"]
    at_pets = {"restApiId": stack["rest_api"], "resourceId": pets, "httpMethod": "POST"}
    rest.put_method(
        **at_pets,
        authorizationType="NONE",
        apiKeyRequired=True,
        requestModels={"application/json": "Pet"},
        requestValidatorId=stack["validator"],
    )
    private(rest, stack, at_pets, "POST", "/pets", {})
    at_pet = {"restApiId": stack["rest_api"], "resourceId": pet, "httpMethod": "GET"}
    rest.put_method(**at_pet, authorizationType="NONE", requestParameters={"method.request.path.petId": True})
    private(rest, stack, at_pet, "GET", "/pets/{petId}", {"integration.request.path.petId": "method.request.path.petId"})
    at_rest = {"restApiId": stack["rest_api"], "resourceId": rest_of, "httpMethod": "ANY"}
    rest.put_method(**at_rest, authorizationType="NONE", requestParameters={"method.request.path.proxy": True})
    mapped = {"integration.request.path.proxy": "method.request.path.proxy"}
    private(rest, stack, at_rest, "ANY", "/{proxy}", mapped)


def private(rest, stack, at, method, path, parameters):
    """A private integration: the link carries it to the load balancer that `integrationTarget` names."""
    rest.put_integration(
        **at,
        type="HTTP_PROXY",
        integrationHttpMethod=method,
        uri=f"http://{HOST}{path}",
        connectionType="VPC_LINK",
        connectionId=stack["link"],
        integrationTarget=stack["lb"],
        requestParameters=parameters,
    )


def deploy(rest, stack):
    stack["deployment"] = rest.create_deployment(restApiId=stack["rest_api"], stageName=STAGE)["id"]


def plan(rest, stack):
    stack["plan"] = rest.create_usage_plan(
        name=stack["name"],
        apiStages=[{"apiId": stack["rest_api"], "stage": STAGE}],
        throttle={"rateLimit": 1000.0, "burstLimit": 1000},
        quota={"limit": 1000, "period": "DAY"},
    )["id"]
    key = rest.create_api_key(name=stack["name"], enabled=True)
    stack["key"], stack["key_value"] = key["id"], key["value"]
    rest.create_usage_plan_key(usagePlanId=stack["plan"], keyId=stack["key"], keyType="API_KEY")


def teardown(aws, stack, tidegate="tidegate", env=None):
    """Removes everything, in the order in which AWS allows it."""
    rest = aws.apigateway
    rest.delete_usage_plan_key(usagePlanId=stack["plan"], keyId=stack["key"])
    stage = f"{stack['rest_api']}:{STAGE}"
    rest.update_usage_plan(
        usagePlanId=stack["plan"], patchOperations=[{"op": "remove", "path": "/apiStages", "value": stage}]
    )
    rest.delete_usage_plan(usagePlanId=stack["plan"])
    rest.delete_api_key(apiKey=stack["key"])
    rest.delete_rest_api(restApiId=stack["rest_api"])
    chain.teardown(aws, stack, tidegate, env)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["build", "teardown"])
    parser.add_argument("--state", default="rest-stack.json")
    parser.add_argument("--backend", default="127.0.0.1:9000", help="where the private service really listens")
    options = parser.parse_args()
    aws = chain.clients()
    if options.task == "teardown":
        with open(options.state) as file:
            teardown(aws, json.load(file))
        os.remove(options.state)
        return
    stack = build(aws)
    with open(options.state, "w") as file:
        json.dump(stack, file, indent=2)
    chain.attach(stack, [options.backend] * len(chain.TARGETS))
    chain.register(aws.elbv2, stack)
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    base = f"{endpoint}/_aws/execute-api/{stack['rest_api']}/{STAGE}"
    print(f"curl -i {base}/pets/7")
    key = f"-H 'x-api-key: {stack['key_value']}' -H 'content-type: application/json'"
    print(f"""curl -i {base}/pets {key} -d '{{"name": "Tom", "kind": "cat"}}'""")


if __name__ == "__main__":
    main()
