"""REST APIs for the scripts: one of MOCK methods that needs no network, and the example's chain through a link of version 2."""

import importlib.util
import json
import re
import threading

import harness
from chain import Chain
from harness import equal

STAGE = "live"
OK = '{"statusCode": 200}'
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
INTERNAL, INTERNAL_BODY = "InternalServerErrorException", '{"message": "Internal server error"}'


def example():
    """The example `rest-v2-link`; this module has its file's name, so it is found by its path."""
    path = harness.ROOT / "examples" / "boto3" / "rest-v2-link" / "rest.py"
    spec = importlib.util.spec_from_file_location("rest_v2_link", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refusal(answer, status, body, kind, code, what=""):
    """The whole of a refusal: status, body, kind of error, both ids, reason."""
    equal((answer.status, answer.text), (status, body), what)
    equal(answer.headers.get("x-amzn-errortype"), kind, what)
    equal(answer.headers.get("x-tidegate-trace"), code, what)
    assert UUID.fullmatch(answer.headers.get("x-amzn-requestid", "")), (what, answer.headers)
    assert answer.headers.get("x-amz-apigw-id"), (what, answer.headers)


def explained(server, answer, exit_code, reason):
    """What `explain` tells of an answer, by its id; the exit code and the reason must be these."""
    result = server.explain(answer.id)
    equal((result.returncode, result.json["reason"]), (exit_code, reason), result.stdout)
    equal(result.json["status"], answer.status)
    return result.json


class Api:
    """A REST API whose methods are added one by one; nothing is served before `deploy`."""

    def __init__(self, server, name, rest=None, **options):
        self.server = server
        self.rest = rest or server.clients().apigateway
        made = self.rest.create_rest_api(name=name, endpointConfiguration={"types": ["REGIONAL"]}, **options)
        self.id, self.paths = made["id"], {"/": made["rootResourceId"]}

    def resource(self, path):
        """The id of a resource, which is made with what is above it."""
        if path not in self.paths:
            above, _, part = path.rpartition("/")
            made = self.rest.create_resource(restApiId=self.id, parentId=self.resource(above or "/"), pathPart=part)
            self.paths[path] = made["id"]
        return self.paths[path]

    def at(self, key):
        """Where a method stands: `POST /pets/{id}`."""
        method, path = key.split(" ", 1)
        return {"restApiId": self.id, "resourceId": self.resource(path), "httpMethod": method}

    def method(self, key, **options):
        at = self.at(key)
        self.rest.put_method(**at, **{"authorizationType": "NONE"} | options)
        return at

    def mock(self, key, requests=OK, answers=None, responses=(), kinds=("application/json",), passthrough=None, **options):
        """A MOCK method. `responses` are further statuses, chosen by the request's template."""
        at = self.method(key, **options)
        templates = {kind: requests for kind in kinds}
        more = {"passthroughBehavior": passthrough} if passthrough else {}
        self.rest.put_integration(**at, type="MOCK", requestTemplates=templates, **more)
        self.respond(at, "200", None, {"application/json": answers} if answers is not None else {})
        for status in responses:
            self.respond(at, str(status), str(status), {})
        return at

    def respond(self, at, status, pattern=None, templates=None, parameters=None, **more):
        """A method response and the integration response behind it."""
        parameters = parameters or {}
        self.rest.put_method_response(**at, statusCode=status, responseParameters={name: False for name in parameters})
        chosen = {"selectionPattern": pattern} if pattern else {}
        chosen |= {"responseTemplates": templates} if templates else {}
        self.rest.put_integration_response(**at, statusCode=status, responseParameters=parameters, **chosen, **more)

    def deploy(self, stage=STAGE, **options):
        return self.rest.create_deployment(restApiId=self.id, stageName=stage, **options)["id"]

    def call(self, path="/", stage=STAGE, **options):
        return harness.request(self.server.api, f"/_aws/execute-api/{self.id}/{stage}{path}", **options)

    def delete(self):
        self.rest.delete_rest_api(restApiId=self.id)


class Gated(harness.Backend):
    """A backend that can be made to keep everybody waiting."""

    def __init__(self, name):
        self.gate, self.code = threading.Event(), 200
        self.gate.set()
        super().__init__(name)

    @property
    def status(self):
        self.gate.wait(harness.REQUEST_S)
        return self.code

    @status.setter
    def status(self, code):
        self.code = code


class RestChain(Chain):
    """The example `rest-v2-link` with two live targets."""

    def __init__(self, server, name="pets"):
        self.server, self.example = server, example()
        self.aws = server.clients()
        self.backends = [Gated(f"{name}-a"), Gated(f"{name}-b")]
        self.stack = self.example.build(self.aws, name=name)
        shared = self.example.chain
        shared.attach(self.stack, [b.address for b in self.backends], harness.binary(), server.env())
        shared.register(self.aws.elbv2, self.stack)
        self.rest, self.id = self.aws.apigateway, self.stack["rest_api"]

    def get(self, path="/pets/7", stage=STAGE, **options):
        return harness.request(self.server.api, f"/_aws/execute-api/{self.id}/{stage}{path}", **options)

    def private(self, api, key, uri, kind="HTTP_PROXY", method=None, parameters=None, responses=None, link=None, **options):
        """A method of another API with an integration through the chain's link to its load balancer."""
        declared = {value: False for value in (parameters or {}).values() if value.startswith("method.request.")}
        declared = {name: False for name in declared if not name.startswith("method.request.body")}
        declared = {name.replace(".multivalue", "."): value for name, value in declared.items()}
        at = api.method(key, requestParameters=declared)
        api.rest.put_integration(
            **at,
            type=kind,
            integrationHttpMethod=method or key.split()[0],
            uri=uri,
            connectionType="VPC_LINK",
            connectionId=link or self.stack["link"],
            integrationTarget=self.stack["lb"],
            requestParameters=parameters or {},
            **options,
        )
        if kind == "HTTP" and responses is None:
            api.respond(at, "200")
        return at

    def close(self):
        self.example.teardown(self.aws, self.stack, harness.binary(), self.server.env())
        for backend in self.backends:
            backend.kill()


def seen(answer):
    """What the backend saw."""
    equal(answer.status, 200, f"{answer.text} {answer.headers}")
    return json.loads(answer.text)
