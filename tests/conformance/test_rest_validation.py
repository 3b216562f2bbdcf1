"""Request validation of REST APIs over real HTTP: which bodies and parameters are let in, and the exact refusal of the others."""

import gzip
import json
import zlib
from types import SimpleNamespace

import harness
from harness import equal
from rest import Api, refusal

_scene = None
TYPES = ("application/json", "text/plain", "application/xml", "application/vnd.pet+json")
BODY = '{"message": "Invalid request body"}'
PET = {
    "type": "object",
    "required": ["name", "kind"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5},
        "kind": {"enum": ["cat", "dog", 7, None]},
        "age": {"type": "integer", "minimum": 0, "maximum": 40},
        "tag": {"type": "string", "pattern": "^[a-z]{2,3}$"},
        "owner": {"$ref": "Owner"},
    },
}
OWNER = {
    "type": "object",
    "required": ["email"],
    "properties": {"email": {"type": "string"}, "home": {"$ref": "Address"}},
    "additionalProperties": False,
}
ADDRESS = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}


def of(**member):
    """An object with one member `v` of this schema."""
    return {"type": "object", "properties": {"v": member}}


def deep(levels, value):
    """`value` below that many members `v`."""
    for _ in range(levels):
        value = {"v": value}
    return value


def deep_schema(levels, leaf):
    for _ in range(levels):
        leaf = {"type": "object", "required": ["v"], "properties": {"v": leaf}}
    return leaf


SCHEMAS = {
    "Address": ADDRESS,
    "Owner": OWNER,
    "Pet": PET,
    "Types": {
        "type": "object",
        "properties": {
            "s": {"type": "string"},
            "n": {"type": "number"},
            "i": {"type": "integer"},
            "b": {"type": "boolean"},
            "a": {"type": "array"},
            "o": {"type": "object"},
            "z": {"type": "null"},
            "either": {"type": ["string", "null"]},
        },
    },
    "Formats": {
        "type": "object",
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "mail": {"type": "string", "format": "email"},
            "v4": {"type": "string", "format": "ipv4"},
            "v6": {"type": "string", "format": "ipv6"},
            "other": {"type": "string", "format": "of-our-own"},
        },
    },
    "Array": of(type="array", items={"type": "integer"}, minItems=1, maxItems=3, uniqueItems=True),
    "Tuple": of(type="array", items=[{"type": "string"}, {"type": "integer"}], additionalItems=False),
    "Pets": {"type": "array", "items": {"$ref": "Pet"}},
    "Exclusive": of(type="number", minimum=0, maximum=10, exclusiveMinimum=True, exclusiveMaximum=True),
    "Multiple": of(type="number", multipleOf=5),
    "Long": of(type="integer", maximum=9007199254740993),
    "Length": of(type="string", minLength=2, maxLength=3),
    "Within": {"type": "object", "minProperties": 1, "maxProperties": 2},
    "Patterned": {"type": "object", "patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": False},
    "More": {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "integer"}},
    "Needs": {"type": "object", "properties": {"a": {}, "b": {}}, "dependencies": {"a": ["b"]}},
    "All": of(allOf=[{"type": "integer"}, {"minimum": 5}]),
    "Any": of(anyOf=[{"type": "integer"}, {"type": "string", "maxLength": 2}]),
    "One": of(oneOf=[{"multipleOf": 3}, {"multipleOf": 5}]),
    "Not": of(**{"not": {"type": "string"}}),
    "Deep": deep_schema(40, {"type": "integer"}),
    "Within2": {"type": "object", "properties": {"v": {"$ref": "#/definitions/even"}}, "definitions": {"even": {"multipleOf": 2}}},
    "Optional": {"type": "object", "properties": {"name": {"type": "string"}}},
}
CAT = {"name": "Tom", "kind": "cat"}

# Model, body (an object is sent as JSON), content type, whether it is let in.
JSON = "application/json"
BODIES = [
    ("Pet", CAT, JSON, True),
    ("Pet", CAT | {"more": 1}, JSON, True),
    ("Pet", {"name": "Tom"}, JSON, False),
    ("Pet", {}, JSON, False),
    ("Pet", "", JSON, False),
    ("Pet", "", None, False),
    ("Pet", "   \n", JSON, False),
    ("Pet", "{", JSON, False),
    ("Pet", "name=Tom", JSON, False),
    ("Pet", '{"name": "Tom", "kind": "cat"} x', JSON, False),
    ("Pet", "{'name': 'Tom', 'kind': 'cat'}", JSON, False),
    ("Pet", "null", JSON, False),
    ("Pet", "[]", JSON, False),
    ("Pet", '"Tom"', JSON, False),
    ("Pet", "5", JSON, False),
    ("Pet", '{"name": "", "name": "Tom", "kind": "cat"}', JSON, True),
    ("Pet", '{"name": "Tom", "name": "", "kind": "cat"}', JSON, False),
    ("Pet", CAT | {"name": None}, JSON, False),
    ("Pet", CAT | {"kind": 7}, JSON, True),
    ("Pet", CAT | {"kind": None}, JSON, True),
    ("Pet", CAT | {"kind": "7"}, JSON, False),
    ("Pet", CAT | {"kind": "Cat"}, JSON, False),
    ("Pet", CAT | {"age": 0}, JSON, True),
    ("Pet", CAT | {"age": 40}, JSON, True),
    ("Pet", CAT | {"age": -1}, JSON, False),
    ("Pet", CAT | {"age": 41}, JSON, False),
    ("Pet", CAT | {"age": 1.5}, JSON, False),
    ("Pet", CAT | {"age": "4"}, JSON, False),
    ("Pet", CAT | {"tag": "abc"}, JSON, True),
    ("Pet", CAT | {"tag": "abcd"}, JSON, False),
    ("Pet", CAT | {"tag": "ABC"}, JSON, False),
    ("Pet", CAT | {"owner": {"email": "a@b"}}, JSON, True),
    ("Pet", CAT | {"owner": {}}, JSON, False),
    ("Pet", CAT | {"owner": {"email": "a@b", "home": {"city": "Ulm"}}}, JSON, True),
    ("Pet", CAT | {"owner": {"email": "a@b", "home": {"city": 1}}}, JSON, False),
    ("Pet", CAT | {"owner": {"email": "a@b", "home": {}}}, JSON, False),
    ("Pet", CAT | {"owner": {"email": "a@b", "phone": "1"}}, JSON, False),
    ("Pet", CAT, "application/json; charset=utf-8", True),
    ("Pet", {}, "application/json; charset=utf-8", False),
    ("Pet", {}, "APPLICATION/JSON", False),
    ("Pet", CAT, None, True),
    ("Pet", {"name": "Tom"}, None, False),
    ("Pet", {}, "text/plain", True),
    ("Pet", "<pet/>", "application/xml", True),
    ("Pet", {}, "application/vnd.pet+json", True),
    ("Types", {"s": "", "n": 1.5, "i": 1, "b": False, "a": [], "o": {}, "z": None, "either": None}, JSON, True),
    ("Types", {"n": 1, "either": "x"}, JSON, True),
    ("Types", {"s": 1}, JSON, False),
    ("Types", {"n": "1"}, JSON, False),
    ("Types", {"i": 1.5}, JSON, False),
    ("Types", {"i": True}, JSON, False),
    ("Types", {"b": "true"}, JSON, False),
    ("Types", {"a": {}}, JSON, False),
    ("Types", {"o": []}, JSON, False),
    ("Types", {"z": 0}, JSON, False),
    ("Types", {"either": 1}, JSON, False),
    ("Formats", {"at": "2026-11-24T23:00:00Z", "mail": "a@b.example", "v4": "10.0.0.1", "v6": "::1"}, JSON, True),
    ("Formats", {"at": "yesterday"}, JSON, False),
    ("Formats", {"mail": "nobody"}, JSON, False),
    ("Formats", {"v4": "10.0.0.256"}, JSON, False),
    ("Formats", {"v6": "10.0.0.1"}, JSON, False),
    ("Formats", {"other": "anything"}, JSON, True),
    ("Array", {"v": [1, 2, 3]}, JSON, True),
    ("Array", {"v": []}, JSON, False),
    ("Array", {"v": [1, 2, 3, 4]}, JSON, False),
    ("Array", {"v": [1, 1]}, JSON, False),
    ("Array", {"v": [1, "2"]}, JSON, False),
    ("Tuple", {"v": ["a", 1]}, JSON, True),
    ("Tuple", {"v": [1, "a"]}, JSON, False),
    ("Tuple", {"v": ["a", 1, 2]}, JSON, False),
    ("Pets", [CAT, CAT], JSON, True),
    ("Pets", [], JSON, True),
    ("Pets", [CAT, {}], JSON, False),
    ("Pets", CAT, JSON, False),
    ("Pets", "", JSON, False),
    ("Exclusive", {"v": 0.001}, JSON, True),
    ("Exclusive", {"v": 9.999}, JSON, True),
    ("Exclusive", {"v": 0}, JSON, False),
    ("Exclusive", {"v": 10}, JSON, False),
    ("Multiple", {"v": 15}, JSON, True),
    ("Multiple", {"v": 16}, JSON, False),
    ("Long", {"v": 9007199254740993}, JSON, True),
    ("Long", {"v": 9007199254740994}, JSON, False),
    ("Length", {"v": "ää"}, JSON, True),
    ("Length", {"v": "😀😀😀"}, JSON, True),
    ("Length", {"v": "😀"}, JSON, False),
    ("Length", {"v": "ääää"}, JSON, False),
    ("Length", '{"v": "\\ud83d\\ude00"}', JSON, False),
    ("Within", {"a": 1, "b": 2}, JSON, True),
    ("Within", {}, JSON, False),
    ("Within", "", JSON, False),
    ("Within", {"a": 1, "b": 2, "c": 3}, JSON, False),
    ("Patterned", {"x-a": "1"}, JSON, True),
    ("Patterned", {"x-a": 1}, JSON, False),
    ("Patterned", {"y-a": "1"}, JSON, False),
    ("More", {"a": "x", "b": 2}, JSON, True),
    ("More", {"a": "x", "b": "2"}, JSON, False),
    ("Needs", {"b": 1}, JSON, True),
    ("Needs", {"a": 1}, JSON, False),
    ("All", {"v": 5}, JSON, True),
    ("All", {"v": 4}, JSON, False),
    ("Any", {"v": "ab"}, JSON, True),
    ("Any", {"v": "abc"}, JSON, False),
    ("One", {"v": 9}, JSON, True),
    ("One", {"v": 15}, JSON, False),
    ("One", {"v": 7}, JSON, False),
    ("Not", {"v": 1}, JSON, True),
    ("Not", {"v": "1"}, JSON, False),
    ("Deep", deep(40, 1), JSON, True),
    ("Deep", deep(40, "1"), JSON, False),
    ("Deep", deep(39, 1), JSON, False),
    ("Within2", {"v": 4}, JSON, True),
    ("Within2", {"v": 5}, JSON, False),
    ("Optional", "", JSON, True),
    ("Optional", "", None, True),
    ("Optional", "[" * 5000, JSON, False),
]

# Model, body, what `$context.error.validationErrorString` says.
TOLD = [
    ("Pet", {"kind": "cat"}, '[object has missing required properties (["name"])]'),
    ("Pet", {}, '[object has missing required properties (["kind","name"])]'),
    ("Pet", "", '[object has missing required properties (["kind","name"])]'),
    ("Types", {"i": "1"}, '[instance type (string) does not match any allowed primitive type (allowed: ["integer"])]'),
    ("Types", {"n": None}, '[instance type (null) does not match any allowed primitive type (allowed: ["integer","number"])]'),
    ("Pet", CAT | {"age": 41}, "[numeric instance is greater than the required maximum (maximum: 40, found: 41)]"),
    ("Pet", CAT | {"age": -1}, "[numeric instance is lower than the required minimum (minimum: 0, found: -1)]"),
    ("Pet", CAT | {"name": "Thomas"}, '[string "Thomas" is too long (length: 6, maximum allowed: 5)]'),
    ("Length", {"v": "😀"}, '[string "😀" is too short (length: 1, required minimum: 2)]'),
    ("Pet", CAT | {"tag": "A"}, '[ECMA 262 regex "^[a-z]{2,3}$" does not match input string "A"]'),
    ("Pet", CAT | {"kind": "cow"}, '[instance value ("cow") not found in enum (possible values: ["cat","dog",7,null])]'),
    (
        "Pet",
        CAT | {"owner": {"email": "a", "phone": 1}},
        '[object instance has properties which are not allowed by the schema: ["phone"]]',
    ),
    ("Array", {"v": []}, "[array is too short: must have at least 1 elements but instance has 0 elements]"),
    ("Array", {"v": [1, 1]}, "[array must not contain duplicate elements]"),
    (
        "Pet",
        {"kind": "cat", "age": "x"},
        '[object has missing required properties (["name"]), instance type (string) does not match any allowed primitive'
        ' type (allowed: ["integer"])]',
    ),
]

# Path, headers, what is named as missing (None: let in).
NEEDED = "?qs=1&list=a&list=b"
PARAMETERS = [
    (f"/needs/7{NEEDED}", {"X-Tenant": "t"}, None),
    (f"/needs/7{NEEDED}", {"x-tenant": "t"}, None),
    (f"/needs/7{NEEDED}&more=1", {"X-Tenant": "t", "X-More": "1"}, None),
    (f"/needs/7{NEEDED}", {}, "X-Tenant"),
    (f"/needs/7{NEEDED}", {"X-Tenant": ""}, "X-Tenant"),
    (f"/needs/7{NEEDED}", {"X-Tenant": "   "}, "X-Tenant"),
    ("/needs/7?list=a", {"X-Tenant": "t"}, "qs"),
    ("/needs/7?qs=&list=a", {"X-Tenant": "t"}, "qs"),
    ("/needs/7?qs&list=a", {"X-Tenant": "t"}, "qs"),
    ("/needs/7?qs=%20&list=a", {"X-Tenant": "t"}, "qs"),
    ("/needs/7?QS=1&list=a", {"X-Tenant": "t"}, "qs"),
    (f"/needs/%20{NEEDED}", {"X-Tenant": "t"}, "id"),
    ("/needs/7", {"X-Tenant": "t"}, "list, qs"),
    ("/needs/7", {}, "X-Tenant, list, qs"),
    ("/needs/%20", {}, "X-Tenant, id, list, qs"),
]


def linked(value, api):
    """The schema with the names of other models as references to this API's models."""
    if isinstance(value, list):
        return [linked(item, api) for item in value]
    if not isinstance(value, dict):
        return value
    ref = value.get("$ref", "#")
    if not ref.startswith("#"):
        return {"$ref": f"https://apigateway.amazonaws.com/restapis/{api}/models/{ref}"}
    return {name: linked(member, api) for name, member in value.items()}


def scene():
    """An API with one method for each model, deployed as `live`, and as `told` with a response that says what is wrong."""
    global _scene
    if _scene is not None:
        return _scene
    api = Api(harness.server(), "validation")
    for name, schema in SCHEMAS.items():
        text = json.dumps({"$schema": "http://json-schema.org/draft-04/schema#"} | linked(schema, api.id))
        api.rest.create_model(restApiId=api.id, name=name, contentType="application/json", schema=text)
    ids = {}
    for name, body, parameters in (("body", True, False), ("parameters", False, True), ("all", True, True), ("none", False, False)):
        made = api.rest.create_request_validator(
            restApiId=api.id, name=name, validateRequestBody=body, validateRequestParameters=parameters
        )
        ids[name] = made["id"]
    for name in SCHEMAS:
        api.mock(f"POST /{name}", kinds=TYPES, requestModels={JSON: name}, requestValidatorId=ids["body"])
    needs = {"header.X-Tenant": True, "querystring.qs": True, "querystring.list": True, "querystring.may": False, "path.id": True}
    needs = {f"method.request.{name}": must for name, must in needs.items()}
    pet = {"requestModels": {JSON: "Pet"}}
    api.mock("GET /needs/{id}", requestParameters=needs, requestValidatorId=ids["parameters"])
    api.mock("POST /needs/{id}", requestParameters=needs, requestValidatorId=ids["all"], **pet)
    api.mock("POST /unchecked/{id}", requestParameters=needs, requestValidatorId=ids["none"], **pet)
    api.mock("PUT /unchecked/{id}", requestParameters=needs, **pet)
    other = {"$default": "Pet", "text/plain": "Owner"}
    api.mock("POST /default", kinds=TYPES, requestModels=other, requestValidatorId=ids["body"])
    api.deploy("live")
    api.rest.put_gateway_response(
        restApiId=api.id,
        responseType="BAD_REQUEST_BODY",
        statusCode="422",
        responseTemplates={JSON: "$context.error.validationErrorString"},
    )
    api.deploy("told")
    _scene = SimpleNamespace(api=api, server=harness.server())
    return _scene


def post(path, body, kind, **options):
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    headers = {"Content-Type": kind} if kind else {}
    return scene().api.call(path, method="POST", body=text.encode() or None, headers=headers, **options)


def test_bodies_table():
    assert len(BODIES) + len(PARAMETERS) >= 80
    wrong = []
    for model, body, kind, is_let_in in BODIES:
        answer = post(f"/{model}", body, kind)
        what = f"{model} {str(body)[:80]!r} as {kind}: {answer.status} {answer.text[:80]}"
        try:
            if is_let_in:
                equal(answer.status, 200, what)
            else:
                refusal(answer, 400, BODY, "BadRequestException", "VALIDATION_FAILED", what)
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, f"{len(wrong)} of {len(BODIES)} rows:\n" + "\n".join(wrong)


def test_a_compressed_body_is_judged_as_what_it_stands_for():
    whole, raw = json.dumps(CAT).encode(), zlib.compressobj(wbits=-15)
    rows = (
        ("gzip", gzip.compress(whole), 200, "passed"),
        ("gzip", gzip.compress(b"{}"), 400, "VALIDATION_FAILED"),
        ("deflate", zlib.compress(whole), 200, "passed"),
        ("identity", whole, 200, "passed"),
        ("gzip", whole, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("deflate", raw.compress(whole) + raw.flush(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("br", whole, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("gzip", gzip.compress(b" " * (10 * 1024 * 1024 + 1)), 413, "BODY_TOO_LARGE"),
    )
    for coding, body, status, code in rows:
        headers = {"Content-Type": JSON, "Content-Encoding": coding}
        answer = scene().api.call("/Pet", method="POST", body=body, headers=headers)
        equal((answer.status, answer.headers["x-tidegate-trace"]), (status, code), f"{coding} {body[:20]}")


def test_refused_bodies_are_explained():
    told = 0
    for model, body, kind, is_let_in in BODIES:
        if is_let_in or kind != JSON:
            continue
        answer = post(f"/{model}", body, kind)
        result = scene().server.explain(answer.id)
        equal((result.returncode, result.json["outcome"], result.json["reason"]), (3, "denied", "VALIDATION_FAILED"), model)
        stop = next(hop for hop in result.json["hops"] if hop["verdict"] == "deny")
        assert stop["reason"] == "VALIDATION_FAILED" and stop["detail"], stop
        told += 1
    assert told > 40, told


def test_what_is_wrong_is_told_by_a_gateway_response():
    wrong = []
    for model, body, said in TOLD:
        answer = post(f"/{model}", body, JSON, stage="told")
        if (answer.status, answer.text) != (422, said):
            wrong.append(f"{model} {body}: wanted {said}, got {answer.status} {answer.text}")
    assert not wrong, f"{len(wrong)} of {len(TOLD)} rows:\n" + "\n".join(wrong)


def test_parameters_table():
    for method, body in (("GET", None), ("POST", json.dumps(CAT))):
        for path, headers, missing in PARAMETERS:
            answer = scene().api.call(path, method=method, headers=headers, body=body)
            what = f"{method} {path} {headers}: {answer.status} {answer.text}"
            if missing is None:
                equal(answer.status, 200, what)
                continue
            told = f'{{"message": "Missing required request parameters: [{missing}]"}}'
            refusal(answer, 400, told, "BadRequestException", "VALIDATION_FAILED", what)
            result = scene().server.explain(answer.id)
            equal((result.returncode, result.json["reason"]), (3, "VALIDATION_FAILED"), what)
            assert missing in result.stdout, what


def test_parameters_come_before_the_body():
    answer = post("/needs/7?list=a", {}, JSON)
    equal(answer.text, '{"message": "Missing required request parameters: [X-Tenant, qs]"}')
    answer = scene().api.call(f"/needs/7{NEEDED}", method="POST", headers={"X-Tenant": "t"}, body="{}")
    refusal(answer, 400, BODY, "BadRequestException", "VALIDATION_FAILED")


def test_a_method_without_a_validator_or_with_one_that_asks_nothing_lets_everything_in():
    for method in ("POST", "PUT"):
        equal(scene().api.call("/unchecked/7", method=method, body="{").status, 200, method)


def test_the_default_model_is_for_every_other_type():
    for kind, body, status in [
        (JSON, CAT, 200),
        (JSON, {}, 400),
        ("application/xml", CAT, 200),
        ("application/xml", "<pet/>", 400),
        (None, {}, 400),
        ("text/plain", {"email": "a"}, 200),
        ("text/plain; charset=utf-8", CAT, 400),
    ]:
        equal(post("/default", body, kind).status, status, f"{kind} {body}")


def test_explain_sends_a_body_itself():
    url = f"{scene().server.api}/_aws/execute-api/{scene().api.id}/live/Pet"
    result = scene().server.explain("POST", url, "--header", "content-type: application/json", "--data", "{}")
    equal((result.returncode, result.json["reason"], result.json["status"]), (3, "VALIDATION_FAILED", 400))
    result = scene().server.explain("POST", url, "--data", json.dumps(CAT))
    equal((result.returncode, result.json["outcome"]), (0, "passed"))


harness.main()
