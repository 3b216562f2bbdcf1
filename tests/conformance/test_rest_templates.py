"""Mapping templates of REST APIs through real requests: what HTTP integrations behind a private load balancer and clients get of
each other, MOCK answers, overrides, what passes without a template, and templates that would never end."""

import json
import re
import threading
import time
from types import SimpleNamespace

import harness
from harness import equal, refused
from rest import INTERNAL, INTERNAL_BODY, STAGE, Api, RestChain, explained, refusal, seen

_scene = None
JSON = "application/json"
URI = "http://pets.internal"
PEOPLE = {"name": 'b"c', "list": [1, 2.5, "x"], "pet": {"kind": "cat", "age": 4, "tags": ["a", "b"]}, "none": None, "yes": True}
PEOPLE |= {"inner": '{"a":[1,{"b":2}]}', "text": "it's / ü", "code": "YSBi", "form": "a+b%2Fc"}
BODY = json.dumps(PEOPLE, ensure_ascii=False, separators=(",", ":"))
QUERY = "?q=1&q=2&other=x%26y"
VARIABLES = {"colour": "blue", "size": "9"}
# Nothing but words: `explain` must lead from the id that templates see.
UUID, ID = r"[0-9a-f-]{36}", r"[A-Za-z0-9_=-]{16}"

# Template of the request, what the backend gets.
TEXTS = [
    ("$input.body", BODY),
    ("$input.json('$')", BODY),
    ("$input.json('$.pet.age')", "4"),
    ("$input.json('$.list[1]')", "2.5"),
    ("$input.json('$.name')", r'"b\"c"'),
    ("$input.json('$.pet')", '{"kind":"cat","age":4,"tags":["a","b"]}'),
    ("$input.json('$.pet.tags')", '["a","b"]'),
    ("$input.json('$.yes')", "true"),
    ("$input.json('$.missing')", '""'),
    ("$input.path('$.name')", 'b"c'),
    ("$input.path('$.pet.tags[1]')", "b"),
    ("$input.path('$').pet.kind", "cat"),
    ("$input.path('$.list').size()", "3"),
    ("#if($input.path('$.missing') == \"\")none#else some#end", "none"),
    ("$input.params('id')", "a b"),
    ("$input.params('q')", "2"),
    ("$input.params('other')", "x&y"),
    ("$input.params('X-Mine')", "Mine"),
    ("$input.params('x-mine')", "Mine"),
    ("[$input.params('nothing')]", "[]"),
    ("$input.params().path.id", "a b"),
    ("$input.params().querystring.get('other')", "x&y"),
    ("$input.params().header.get('X-Mine')", "Mine"),
    ("#foreach($n in $input.params().path.keySet())$n=$input.params().path.get($n)#end", "id=a b"),
    ("#foreach($n in $input.params().querystring.keySet())$n;#end", "q;other;"),
    ("$input.params().keySet().size()", "3"),
    ("$util.escapeJavaScript($input.path('$.name'))", r"b\"c"),
    ("$util.escapeJavaScript($input.path('$.text'))", r"it\'s \/ \u00FC"),
    ("$util.parseJson($input.path('$.inner')).a[1].b", "2"),
    ("$util.urlEncode('a b/ü')", "a+b%2F%C3%BC"),
    ("$util.urlDecode($input.path('$.form'))", "a b/c"),
    ("$util.base64Encode('a b')", "YSBi"),
    ("$util.base64Decode($input.path('$.code'))", "a b"),
    ("$stageVariables.colour/$stageVariables.get('size')", "blue/9"),
    ("$context.stage $context.httpMethod", f"{STAGE} POST"),
    ("#foreach($t in $input.path('$.pet.tags'))$foreach.index:$foreach.count:$t#if($foreach.hasNext),#end#end", "0:1:a,1:2:b"),
    ("#foreach($i in [1..4])#if($i == 3)#break#end$i#end", "12"),
    ("#set($x = 7)#set($y = $x * 2 - 4 / 2 + 5 % 3)$y", "14"),
    ("#set($m = {\"a\": 1, \"b\": [2, 3]})$m.b[1] $m.get('a') $m.containsKey('z')", "3 1 false"),
    ("#if($input.path('$.pet.age') > 5)old#elseif($input.path('$.pet.age') > 3)middle#else young#end", "middle"),
    ("#if(!$input.path('$.yes') || $input.path('$.pet.kind') == 'dog')a#{else}b#end", "b"),
    ("#set($s = 'Quick')$s.length() $s.substring(1, 3) $s.toUpperCase() $s.replace('u', 'o') ${s}ly", "5 ui QUICK Qoick Quickly"),
    ("#set($l = [])#set($void = $l.add('a'))$l.size() $l.isEmpty()", "1 false"),
    ("#macro(twice $v)$v$v#end#twice('ab')", "abab"),
    ("a## a comment\n#* more *#b", "ab"),
    ("$nothing [$!nothing] #[[$input.body]]#", "$nothing [] $input.body"),
]

# Name below `$context.`, what it must look like.
CONTEXT = [
    ("requestId", UUID),
    ("extendedRequestId", ID),
    ("accountId", "000000000000"),
    ("protocol", r"HTTP/1\.1"),
    ("identity.sourceIp", r"127\.0\.0\.1"),
    ("identity.userAgent", "shows/1"),
    ("requestTimeEpoch", r"\d{13}"),
    ("requestTime", r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000"),
    ("resourceId", "[a-z0-9]{6}"),
    ("deploymentId", "[a-z0-9]{6}"),
    ("resourcePath", r"/context/\{id\}"),
    ("path", rf"/{STAGE}/context/a(%20| )b"),
    ("domainName", r"[a-z0-9]{10}\.execute-api\..*"),
    ("domainPrefix", "[a-z0-9]{10}"),
    ("apiId", "[a-z0-9]{10}"),
    ("identity.apiKey", "[A-Za-z0-9]{40}"),
    ("identity.apiKeyId", "[a-z0-9]{10}"),
]

# Templates that would never end or grow beyond every bound.
LOOP = "#foreach($a in [1..1000])"
ENDLESS = {
    "loops in loops": LOOP * 4 + "x" + "#end" * 4,
    "a text that doubles": '#set($s = "0123456789")' + LOOP + '#set($s = "$s$s")#end$s',
    "a list that holds itself twice": "#set($l = [1])" + LOOP + "#set($l = [$l, $l])#end$l",
    "a macro that calls itself": "#macro(again)x#again()#end#again()",
    "long output": '#set($s = "0123456789")#foreach($a in [1..20])#set($s = "$s$s")#end' + LOOP + "$s#end",
    "a long range": "#foreach($a in [1..2000000000])$a#end",
}

# Behaviour, types that have a template, the request's type, what happens.
PASSTHROUGH = [
    (behaviour, kinds, sent, outcome)
    for behaviour, wanted in {
        "WHEN_NO_MATCH": ["pass", "pass", "template", "template", "pass"],
        "WHEN_NO_TEMPLATES": ["pass", "pass", "template", "template", "415"],
        "NEVER": ["415", "415", "template", "template", "415"],
    }.items()
    for (kinds, sent), outcome in zip(
        [((), JSON), ((), "text/plain"), ((JSON,), JSON), ((JSON,), None), ((JSON,), "text/plain")], wanted
    )
]


def scene():
    """The chain, and an API with one method for each template."""
    global _scene
    if _scene is not None:
        return _scene
    chain = RestChain(harness.server(), name="templates")
    api = Api(chain.server, "templates", chain.rest)
    for at, (template, _) in enumerate(TEXTS):
        chain.private(api, f"POST /t{at}/{{id}}", URI, kind="HTTP", requestTemplates={JSON: template})
    for at, (behaviour, kinds, *_) in enumerate(PASSTHROUGH):
        templates = {kind: "mapped" for kind in kinds}
        chain.private(
            api, f"POST /p{at}", URI, kind="HTTP", requestTemplates=templates, passthroughBehavior=behaviour
        )
    context(api)
    overrides(chain, api)
    answers(chain, api)
    for at, template in enumerate(ENDLESS.values()):
        api.mock(f"GET /endless/{at}", answers=template)
        api.mock(f"POST /endless/{at}", requests=template)
    broken(api)
    api.deploy(variables=VARIABLES)
    plan = api.rest.create_usage_plan(name="templates", apiStages=[{"apiId": api.id, "stage": STAGE}])["id"]
    key = api.rest.create_api_key(name="templates", enabled=True)
    api.rest.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    _scene = SimpleNamespace(chain=chain, api=api, server=chain.server, key=key, plan=plan)
    return _scene


def context(api):
    told = "".join(f"{name}=$context.{name}\n" for name, _ in CONTEXT)
    api.mock("GET /context/{id}", answers=told, apiKeyRequired=True)


def overrides(chain, api):
    sets = [
        '#set($context.requestOverride.header.X-Over = "o-$input.params(\'id\')")',
        '#set($context.requestOverride.header.X-Mapped = "over")',
        '#set($context.requestOverride.path.id = "over there")',
        '#set($context.requestOverride.querystring.to = "a&b")',
        "{}",
    ]
    parameters = {
        "integration.request.path.id": "method.request.path.id",
        "integration.request.header.X-Mapped": "method.request.header.X-Mine",
        "integration.request.header.X-Static": "'text'",
        "integration.request.header.X-Stage": "context.stage",
        "integration.request.header.X-Colour": "stageVariables.colour",
        "integration.request.header.X-Kind": "method.request.body.pet.kind",
        "integration.request.querystring.to": "method.request.querystring.other",
    }
    kind = {"kind": "HTTP", "parameters": parameters, "method": "PUT"}
    chain.private(api, "POST /mapped/{id}", f"{URI}/x/{{id}}", **kind)
    chain.private(api, "POST /over/{id}", f"{URI}/x/{{id}}", requestTemplates={JSON: "\n".join(sets)}, **kind)
    api.mock("GET /names", answers="#foreach($n in $input.params().header.keySet())$n;#end")
    api.mock("GET /status", answers='#set($context.responseOverride.status = 418)#set($context.responseOverride.header.X-A = "1")tea')


def answers(chain, api):
    at = chain.private(api, "GET /answer/{id}", f"{URI}/answer", kind="HTTP", responses=())
    template = '{"m":$input.json(\'$.method\'),"p":"$input.path(\'$.path\')","id":"$input.params(\'id\')"}'
    mapped = {
        "method.response.header.X-Type": "integration.response.header.Content-Type",
        "method.response.header.X-Method": "integration.response.body.method",
        "method.response.header.X-Static": "'s'",
        "method.response.header.X-Stage": "context.stage",
        "method.response.header.Server": "'mine'",
    }
    api.respond(at, "200", None, {JSON: template, "text/plain": "plain $input.path('$.method')"}, mapped)
    api.respond(at, "410", r"4\d{2}", {JSON: '{"gone":"$context.resourcePath"}'})
    at = chain.private(api, "GET /lone", f"{URI}/lone", kind="HTTP")
    at = chain.private(api, "GET /none", f"{URI}/none", kind="HTTP", responses=())
    api.respond(at, "200", "200")


def broken(api):
    api.mock("GET /broken/method", answers="$input.body.size()")
    api.mock("GET /broken/function", answers="$util.parseJson('{')")
    api.mock("GET /broken/status", requests='{"statusCode": "many"}')
    api.mock("GET /broken/json", requests="{")


def post(path, body=BODY, kind=JSON, **headers):
    headers = {"X-Mine": "Mine"} | headers | ({"Content-Type": kind} if kind else {})
    return scene().api.call(path, method="POST", body=body.encode(), headers=headers)


def test_what_templates_make_of_a_request():
    wrong = []
    for at, (template, wanted) in enumerate(TEXTS):
        answer = post(f"/t{at}/a%20b{QUERY}")
        got = json.loads(answer.text).get("body") if answer.status == 200 else f"{answer.status} {answer.text}"
        if got != wanted:
            wrong.append(f"{template!r}: wanted {wanted!r}, got {got!r}")
    assert not wrong, f"{len(wrong)} of {len(TEXTS)} rows:\n" + "\n".join(wrong)


def test_what_templates_know_of_a_request():
    s = scene()
    headers = {"User-Agent": "shows/1", "x-api-key": s.key["value"]}
    answer = s.api.call("/context/a%20b", headers=headers)
    equal(answer.status, 200, answer.text)
    told = dict(line.split("=", 1) for line in answer.text.splitlines())
    wrong = [(name, told[name], like) for name, like in CONTEXT if not re.fullmatch(like, told[name])]
    assert not wrong, wrong
    equal(told["requestId"], answer.headers["x-amzn-requestid"])
    equal(told["extendedRequestId"], answer.headers["x-amz-apigw-id"])
    equal((told["apiId"], told["identity.apiKey"], told["identity.apiKeyId"]), (s.api.id, s.key["value"], s.key["id"]))
    equal(told["resourceId"], s.api.paths["/context/{id}"])
    for request_id in (told["requestId"], told["extendedRequestId"]):
        equal(s.server.explain(request_id).json["outcome"], "passed", request_id)


def test_templates_see_the_names_of_headers_as_they_were_sent():
    s = scene()
    path = f"/_aws/execute-api/{s.api.id}/{STAGE}/names"
    answer = harness.request(s.server.public, path, headers={"X-MiNe": "1", "x-other": "2"})
    names = answer.text.split(";")
    assert "X-MiNe" in names and "x-other" in names, answer.text


def test_an_http_integration_gets_what_is_mapped_and_nothing_else():
    got = seen(post(f"/mapped/a%20b{QUERY}", **{"X-Secret": "s"}))
    equal((got["method"], got["path"], got["body"]), ("PUT", "/x/a%20b?to=x%26y", BODY))
    headers = got["headers"]
    for name, value in {"mapped": "Mine", "static": "text", "stage": STAGE, "colour": "blue", "kind": "cat"}.items():
        equal(headers.get(f"x-{name}"), value, name)
    assert "x-secret" not in headers and "x-mine" not in headers, headers
    equal((headers["accept"], headers["user-agent"]), (JSON, f"AmazonAPIGateway_{scene().api.id}"))
    equal(headers["host"], "pets.internal")


def test_templates_override_headers_path_query_and_status():
    got = seen(post(f"/over/a%20b{QUERY}"))
    equal(got["path"], "/x/over%20there?to=a%26b")
    equal((got["headers"]["x-over"], got["headers"]["x-mapped"]), ("o-a b", "over"))
    answer = scene().api.call("/status")
    equal((answer.status, answer.text, answer.headers.get("x-a")), (418, "tea", "1"))


def test_an_answer_is_chosen_by_status_and_type_and_mapped():
    s = scene()
    answer = s.api.call("/answer/7")
    equal((answer.status, answer.text), (200, '{"m":"GET","p":"/answer","id":"7"}'))
    told = {name: answer.headers.get(f"x-{name}") for name in ("type", "method", "static", "stage", "amzn-remapped-server")}
    equal(list(told.values()), [JSON, "GET", "s", STAGE, "mine"], told)
    answer = s.api.call("/answer/7", headers={"Accept": "text/plain"})
    equal((answer.text, answer.headers["content-type"].split(";")[0]), ("plain GET", "text/plain"))
    try:
        for backend in s.chain.backends:
            backend.status = 404
        answer = s.api.call("/answer/7")
        equal((answer.status, answer.text), (410, '{"gone":"/answer/{id}"}'))
        equal(s.api.call("/lone").status, 200, "a lone default response makes 200 of everything")
        answer = s.api.call("/none")
        refusal(answer, 500, INTERNAL_BODY, INTERNAL, "MAPPING_FAILED")
    finally:
        for backend in s.chain.backends:
            backend.status = 200
    equal(s.api.call("/none").status, 200)


def test_passthrough_table():
    for at, (behaviour, kinds, sent, outcome) in enumerate(PASSTHROUGH):
        answer, what = post(f"/p{at}", "raw", sent), f"{behaviour} {kinds} {sent}"
        if outcome == "415":
            body = '{"message": "Unsupported Media Type"}'
            refusal(answer, 415, body, "BadRequestException", "UNSUPPORTED_MEDIA_TYPE", what)
            explained(scene().server, answer, 3, "UNSUPPORTED_MEDIA_TYPE")
        else:
            equal(seen(answer)["body"], {"pass": "raw", "template": "mapped"}[outcome], what)


def test_templates_that_cannot_be_evaluated_are_500():
    for what in ("method", "function", "status", "json"):
        answer = scene().api.call(f"/broken/{what}")
        refusal(answer, 500, INTERNAL_BODY, INTERNAL, "MAPPING_FAILED", what)
        told = explained(scene().server, answer, 4, "MAPPING_FAILED")
        assert any(hop["detail"] for hop in told["hops"] if hop["reason"] == "MAPPING_FAILED"), told


def test_templates_that_are_not_carried_out_are_refused_when_they_are_written():
    server = scene().server
    api = Api(server, "refused")
    at = api.mock("GET /kept")
    unserved = "Tidegate does not serve {} in a mapping template ({} 'text/plain', line 2, column {})."
    cases = {
        "a\n#include('x')": unserved.format("the directive #include", "{}", 1),
        "a\n$util.md5('x')": unserved.format("the method $util.md5 with 1 arguments", "{}", 7),
        "a\n#if($x)": "Invalid mapping template specified: {} 'text/plain', line 2, column 8: #if does not end",
    }
    put = {"requestTemplates": api.rest.put_integration, "responseTemplates": api.rest.put_integration_response}
    patch = {"requestTemplates": api.rest.update_integration, "responseTemplates": api.rest.update_integration_response}
    place = {"requestTemplates": at, "responseTemplates": at | {"statusCode": "200"}}
    for template, expected in cases.items():
        for member in put:
            text, kind = expected.format(member), {"type": "MOCK"} if member == "requestTemplates" else {}
            added = [{"op": "add", "path": f"/{member}/text~1plain", "value": template}]
            refused("BadRequestException", put[member], **place[member], **kind, **{member: {"text/plain": template}}, text=text)
            refused("BadRequestException", patch[member], **place[member], patchOperations=added, text=text)
    # A refused write leaves what was there.
    kept = api.rest.get_integration(**at)
    assert "text/plain" not in kept["requestTemplates"], kept
    api.delete()


def neighbour(stop, took):
    """Another client of the same server, one request after the other."""
    while not stop.is_set():
        start = time.monotonic()
        equal(scene().api.call("/status").status, 418)
        took.append(time.monotonic() - start)


def test_templates_without_end_are_stopped_while_others_are_served():
    s = scene()
    stop, took = threading.Event(), []
    other = threading.Thread(target=neighbour, args=(stop, took))
    other.start()
    try:
        for at, what in enumerate(ENDLESS):
            for method in ("GET", "POST"):
                start = time.monotonic()
                answer = s.api.call(f"/endless/{at}", method=method)
                print(f"  {method} {what}: {time.monotonic() - start:.2f} s")
                refusal(answer, 500, INTERNAL_BODY, INTERNAL, "MAPPING_FAILED", what)
    finally:
        stop.set()
        other.join()
    took.sort()
    print(f"  {len(took)} requests beside, the median took {took[len(took) // 2]:.3f} s and the slowest {took[-1]:.3f} s")
    assert took[-1] < 1.0, "another client waited"
    explained(s.server, answer, 4, "MAPPING_FAILED")


def test_teardown_leaves_nothing():
    s = scene()
    s.api.rest.delete_usage_plan_key(usagePlanId=s.plan, keyId=s.key["id"])
    gone = [{"op": "remove", "path": "/apiStages", "value": f"{s.api.id}:{STAGE}"}]
    s.api.rest.update_usage_plan(usagePlanId=s.plan, patchOperations=gone)
    s.api.delete()
    s.chain.close()
    equal(s.api.rest.get_rest_apis()["items"], [])


harness.main()
