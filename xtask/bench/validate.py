"""Puts a REST API beside the measured stack: the same link and load balancer, one POST that is checked by a model and one that is not.

Prints one JSON line with the API's id and what is posted, and writes a script for wrk that posts 1 KiB of JSON.
"""

import argparse
import json

import boto3

BODY_BYTES = 1024
MODEL = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "required": ["id", "customer", "items"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9-]+$", "maxLength": 40},
        "customer": {
            "type": "object",
            "required": ["email"],
            "properties": {"email": {"type": "string", "minLength": 3}, "age": {"type": "integer", "minimum": 0}},
        },
        "items": {
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "items": {
                "type": "object",
                "required": ["sku", "count"],
                "properties": {"sku": {"type": "string"}, "count": {"type": "integer", "minimum": 1, "maximum": 99}},
            },
        },
        "note": {"type": "string"},
    },
}


def body():
    order = {
        "id": "order-7",
        "customer": {"email": "ann@example.com", "age": 41},
        "items": [{"sku": f"sku-{n}", "count": n + 1} for n in range(12)],
        "note": "",
    }
    order["note"] = "x" * (BODY_BYTES - len(json.dumps(order)))
    return json.dumps(order)


def build(stack):
    rest = boto3.client("apigateway")
    made = rest.create_rest_api(name="bench", endpointConfiguration={"types": ["REGIONAL"]})
    api, root = made["id"], made["rootResourceId"]
    rest.create_model(restApiId=api, name="Order", contentType="application/json", schema=json.dumps(MODEL))
    validator = rest.create_request_validator(restApiId=api, name="body", validateRequestBody=True)["id"]
    checked = {"requestModels": {"application/json": "Order"}, "requestValidatorId": validator}
    for part, more in [("plain", {}), ("checked", checked)]:
        resource = rest.create_resource(restApiId=api, parentId=root, pathPart=part)["id"]
        at = {"restApiId": api, "resourceId": resource, "httpMethod": "POST"}
        rest.put_method(**at, authorizationType="NONE", **more)
        rest.put_integration(
            **at,
            type="HTTP_PROXY",
            integrationHttpMethod="POST",
            uri="http://orders.internal/hello",
            connectionType="VPC_LINK",
            connectionId=stack["link"],
            integrationTarget=stack["lb"],
        )
    rest.create_deployment(restApiId=api, stageName="live")
    return api


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    parser.add_argument("--script", required=True)
    options = parser.parse_args()
    with open(options.script, "w") as file:
        file.write('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n')
        file.write(f"wrk.body = [[{body()}]]\n")
    with open(options.state) as file:
        print(json.dumps({"api": build(json.load(file)), "body": body()}))


main()
