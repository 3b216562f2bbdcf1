"""The REST API example with Terraform: apply, an empty plan, traffic, a change of everything, an empty plan, destroy."""

import json
from urllib.parse import urlsplit

import harness
from harness import equal
from terraform import Terraform

# Nothing of theirs can be changed without replacing them, or without changing what the requests of this script ask for.
UNCHANGEABLE = {
    "aws_lb_target_group_attachment.application",
    "aws_api_gateway_resource.pet",
    "aws_api_gateway_resource.pets",
    "aws_api_gateway_usage_plan_key.client",
}
# A deployment is frozen: another takes its place.
REPLACED = {"aws_api_gateway_deployment"}
_work = None


def work():
    global _work
    if _work is None:
        _work = Terraform("rest-api")
        _work.run("init", "-no-color")
    return _work


def call(path, method="GET", key=None, body=None):
    out = work().outputs()
    headers = {"content-type": "application/json"} if body is not None else {}
    if key:
        headers["x-api-key"] = key
    path = urlsplit(out["invoke_url_path"]).path + path
    return harness.request(work().server.api, path, method=method, headers=headers, body=body)


def documentation_is_exported(revision):
    api = work().aws.apigateway
    (pets,) = [item for item in api.get_rest_apis()["items"] if item["name"].endswith(f"-{revision}")]
    document = json.loads(api.get_export(restApiId=pets["id"], stageName="live", exportType="oas30")["body"].read())
    # A version is what the parts were when it was made: a later revision changes the parts alone.
    equal(document["info"]["description"], "Pets, revision 1")
    parts = api.get_documentation_parts(restApiId=pets["id"], type="API")["items"]
    equal([json.loads(part["properties"]) for part in parts], [{"info": {"description": f"Pets, revision {revision}"}}])
    (version,) = api.get_documentation_versions(restApiId=pets["id"])["items"]
    equal((version["version"], version["description"]), ("1.0.0", f"revision {revision}"))


def calls_pass(revision):
    out = work().outputs()
    key = out["api_key"]
    answer = call(f"/health-v{revision}")
    equal((answer.status, json.loads(answer.text)), (200, {"healthy": True, "revision": revision}))
    answer = call("/pets", "POST", key, '{"name": "Tom", "kind": "cat", "owner": {"email": "a@b"}}')
    equal(answer.status, 201, answer.text)
    equal(json.loads(answer.text)["revision"], revision)
    equal((answer.headers["x-release"], answer.headers["x-stage"]), (f"r{revision}", "live"))
    equal(call("/pets", "POST", key, '{"name": "Tom", "kind": "dog"}').status, 202)
    answer = call("/pets", "POST", key, '{"name": "Tom", "kind": "fish"}')
    equal((answer.status, answer.headers["x-release"]), (421 + revision, f"r{revision}"), answer.text)
    equal(json.loads(answer.text), {"message": "Invalid request body", "revision": revision})
    assert "not found in enum" in answer.headers["x-why"], answer.headers
    equal(call("/pets", "POST", key, '{"name": "Tom", "kind": "cat", "owner": {"email": "x"}}').status, 421 + revision)
    equal(call("/pets", "POST", None, "{}").status, 403, "no key")
    answer = call("/pets/7", key=key)
    equal((answer.status, answer.text), (200, f"revision {revision}"), "through both load balancers")


def test_apply_and_the_plan_after_it_is_empty():
    work().apply()


def test_requests_are_answered():
    if _work is None:
        raise harness.Skip("nothing was applied")
    calls_pass(1)


def test_the_documentation_is_exported():
    if _work is None:
        raise harness.Skip("nothing was applied")
    documentation_is_exported(1)


def test_a_revision_changes_everything():
    if _work is None:
        raise harness.Skip("nothing was applied")

    def wanted(kind, address):
        if kind in REPLACED:
            return ["create", "delete"]
        return ["no-op"] if address in UNCHANGEABLE else ["update"]

    work().change(wanted)
    calls_pass(2)
    documentation_is_exported(2)


def test_destroy_leaves_nothing():
    if _work is None:
        raise harness.Skip("nothing was applied")
    work().destroy()


harness.main()
