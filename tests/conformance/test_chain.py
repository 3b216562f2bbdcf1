"""A request through gateway, link, load balancer and target; then each of the four verdicts on its way, explained and mended."""

import json
import subprocess

import harness
from chain import HTTP_VERDICTS, Chain
from harness import equal

_chain = None


def chain():
    global _chain
    if _chain is None:
        _chain = Chain(harness.server())
    return _chain


def passes(answer, path="/hello"):
    equal(answer.status, 200, answer.text)
    seen = json.loads(answer.text)
    equal(seen["path"], path)
    assert answer.id, f"no apigw-requestid in {answer.headers}"
    equal(answer.headers.get("x-tidegate-trace"), "passed")
    return seen


def test_ready_line_says_where_and_how():
    ready = harness.server().ready
    equal(set(ready), {"api", "public", "public_tls", "link", "pid", "fabric", "account_id", "region", "data_dir"})
    equal(ready["pid"], harness.server().process.pid)
    assert ready["fabric"] in ("proxy", "kernel"), ready
    equal((ready["account_id"], ready["region"]), ("000000000000", "us-east-1"))


def test_health_page_reports_the_enforcement_mode():
    for path in ("/_tidegate/health", "/_localstack/health"):
        answer = harness.request(harness.server().api, path)
        equal(answer.status, 200, path)
        assert harness.server().ready["fabric"] in answer.text, answer.text


def test_path_form_reaches_a_target():
    seen = passes(chain().get("/hello?a=1&b=%2F&a=2"), "/hello?a=1&b=%2F&a=2")
    equal(seen["headers"]["host"], f"{chain().stack['api']}.execute-api.us-east-1.amazonaws.com")
    passes(chain().get("/$default/hello"))


def test_host_form_reaches_a_target_on_both_ports():
    for base in (harness.server().api, harness.server().public):
        for domain in ("execute-api.us-east-1.localhost", "execute-api.localhost.localstack.cloud"):
            passes(harness.request(base, "/hello", host=chain().host(domain)))


def test_http2_with_prior_knowledge_reaches_a_target_on_both_ports():
    for base in (chain().server.public, chain().server.api):
        for how, version in (("--http2-prior-knowledge", "2"), ("--http1.1", "1.1")):
            command = ["curl", "-sS", how, "-m", "20", "-o", "-", "-w", "\n%{http_version} %{http_code}"]
            sent = subprocess.run(
                [*command, "-d", "x=1", f"{base}/_aws/execute-api/{chain().stack['api']}/hello/2"],
                capture_output=True,
                text=True,
                check=True,
                timeout=30,
            )
            body, said = sent.stdout.rsplit("\n", 1)
            equal(said, f"{version} 200")
            equal(json.loads(body)["method"], "POST")


def test_backend_sees_what_aws_sends():
    seen = passes(chain().get("/hello", headers={"X-Mine": "1", "Connection": "x-hop", "X-Hop": "1"}))["headers"]
    equal(seen["via"], "HTTP/1.1 AmazonAPIGateway")
    assert seen["forwarded"].startswith("for=127.0.0.1;host="), seen["forwarded"]
    assert seen["x-amzn-trace-id"].startswith(("Root=1-", "Self=1-")), seen["x-amzn-trace-id"]
    equal(seen["x-forwarded-port"], "80")
    equal(seen["x-forwarded-proto"], "http")
    assert seen["x-forwarded-for"].startswith(("10.0.10.", "10.0.11.")), "the link's interface, not the client"
    equal(seen["x-mine"], "1")
    assert "x-hop" not in seen, "a header that Connection names is for one hop"


def test_bodies_and_methods_pass_through():
    body = "x" * 300_000
    answer = chain().get("/orders/1", method="POST", body=body, headers={"Content-Type": "text/plain"})
    seen = passes(answer, "/orders/1")
    equal((seen["method"], seen["body"] == body), ("POST", True))


def test_requests_are_spread_over_the_targets():
    names = {passes(chain().get())["backend"] for _ in range(8)}
    equal(names, {"orders-a", "orders-b"})


def test_unknown_route_stage_and_api_are_not_found():
    other = chain().aws.apigatewayv2.create_api(Name="empty", ProtocolType="HTTP")["ApiId"]
    for path, code in [
        (f"/_aws/execute-api/{other}/hello", "STAGE_NOT_FOUND"),
        ("/_aws/execute-api/zzzzzzzzzz/hello", "API_NOT_FOUND"),
    ]:
        answer = harness.request(harness.server().api, path)
        equal((answer.status, answer.headers.get("x-tidegate-trace")), (404, code), path)
    chain().aws.apigatewayv2.create_stage(ApiId=other, StageName="$default", AutoDeploy=True)
    answer = harness.request(harness.server().api, f"/_aws/execute-api/{other}/hello")
    equal((answer.status, answer.text), (404, '{"message":"Not Found"}'))
    equal(answer.headers.get("x-tidegate-trace"), "ROUTE_NOT_FOUND")
    chain().aws.apigatewayv2.delete_api(ApiId=other)


def test_a_passed_request_is_explained():
    answer = chain().get()
    result = harness.server().explain(answer.id)
    equal(result.returncode, 0, result.stdout)
    told = result.json
    equal((told["request_id"], told["status"], told["outcome"], told["reason"]), (answer.id, 200, "passed", None))
    equal(told["fix"], [])
    deciders = [hop["deciding_rule"] for hop in told["hops"] if hop["deciding_rule"]]
    assert all(rule.startswith("sgr-") for rule in deciders), deciders
    assert len(deciders) >= 2, f"both hops name the rule that let them pass: {told['hops']}"


def test_explain_sends_a_request_itself():
    url = f"{harness.server().api}/_aws/execute-api/{chain().stack['api']}/hello"
    result = harness.server().explain("GET", url)
    equal((result.returncode, result.json["outcome"]), (0, "passed"))


def test_explain_of_an_unknown_request_fails():
    result = harness.server().tidegate("explain", "AAAAAAAAAAAAAAA=", "--output", "json", check=False)
    equal(result.returncode, 1)


def test_named_stage_is_part_of_the_forwarded_path():
    api, stack = chain().aws.apigatewayv2, chain().stack
    api.create_stage(ApiId=stack["api"], StageName="dev", AutoDeploy=True)
    passes(chain().get("/dev/hello"), "/dev/hello")
    api.update_integration(
        ApiId=stack["api"],
        IntegrationId=stack["integration"],
        RequestParameters={"overwrite:path": "$request.path"},
    )
    harness.until("the override is served", lambda: json.loads(chain().get("/dev/hello").text)["path"] == "/hello", 5)
    api.update_integration(
        ApiId=stack["api"], IntegrationId=stack["integration"], RequestParameters={"overwrite:path": ""}
    )
    api.delete_stage(ApiId=stack["api"], StageName="dev")


def denied(group, egress, status, code):
    equal(chain().revoke(group, egress), 1, "rules that were there")
    answer = chain().get()
    equal((answer.status, answer.headers.get("x-tidegate-trace")), (status, code), f"{group} {egress}: {answer.text}")
    if status == 503:
        equal(answer.text, '{"message":"Service Unavailable"}')
    else:
        equal(answer.headers.get("server"), "awselb/2.0")
        equal(len(answer.text), 132, "the load balancer's own page")
    result = harness.server().explain(answer.id)
    told = result.json
    equal((result.returncode, told["outcome"], told["reason"]), (3, "denied", code), result.stdout)
    stop = next(hop for hop in told["hops"] if hop["verdict"] == "deny")
    equal(stop["reason"], code)
    groups = stop["from_groups"] if egress else stop["to_groups"]
    equal(groups, [chain().stack[group]], "the groups that decided")
    assert stop["from"].startswith("eni-") and stop["to"].startswith("eni-"), stop
    equal(stop["port"], 80 if status == 503 else 8080)
    return told


def test_each_verdict_is_explained_and_its_fix_works():
    for group, egress, status, code in HTTP_VERDICTS:
        told = denied(group, egress, status, code)
        equal(len(told["fix"]), 1, told["fix"])
        chain().run_fix(told)
        passes(chain().get())
        equal(len(chain().rules(group, egress)), 1, "the narrowest rule and nothing more")


def test_the_fix_lists_every_command_that_is_needed_in_order():
    for group, egress, *_ in HTTP_VERDICTS:
        chain().revoke(group, egress)
    answer = chain().get()
    equal(answer.headers.get("x-tidegate-trace"), "SG_EGRESS_DENIED")
    told = harness.server().explain(answer.id).json
    equal(len(told["fix"]), 4, told["fix"])
    order = [(chain().stack[group], "egress" if egress else "ingress") for group, egress, *_ in HTTP_VERDICTS]
    for line, (group, direction) in zip(told["fix"], order):
        assert group in line and f"authorize-security-group-{direction}" in line, (line, group, direction)
    chain().run_fix(told)
    passes(chain().get())


def test_a_refused_call_is_explained_with_what_was_meant():
    stack, api = chain().stack, chain().aws.apigatewayv2
    error = harness.refused(
        "BadRequestException",
        api.create_integration,
        ApiId=stack["api"],
        IntegrationType="HTTP_PROXY",
        IntegrationMethod="ANY",
        IntegrationUri=stack["lb"],
        ConnectionType="VPC_LINK",
        ConnectionId=stack["link"],
        PayloadFormatVersion="1.0",
        text="integration uri should be a valid ELB listener ARN",
    )
    request_id = error.response["ResponseMetadata"]["RequestId"]
    result = harness.server().explain(request_id)
    equal((result.returncode, result.json["reason"]), (4, "INTEGRATION_TARGET_NOT_LISTENER"), result.stdout)
    assert stack["listener"] in result.stdout, "the listener that was meant"


def test_a_link_sleeps_after_sixty_idle_days_and_the_next_request_wakes_it():
    links = chain().aws.apigatewayv2
    passes(chain().get())
    harness.request(chain().server.api, "/_tidegate/tick", method="POST", body=json.dumps({"seconds": 60 * 86400 + 1}))
    equal(links.get_vpc_link(VpcLinkId=chain().stack["link"])["VpcLinkStatus"], "INACTIVE")
    asleep = chain().get()
    equal((asleep.status, asleep.headers["x-tidegate-trace"]), (503, "LINK_INACTIVE"))
    harness.until("the link to wake", lambda: chain().get().status == 200, 20)


def test_teardown_leaves_nothing():
    chain().close()
    aws = chain().aws
    equal(aws.apigatewayv2.get_apis()["Items"], [])
    equal(aws.elbv2.describe_load_balancers()["LoadBalancers"], [])
    equal([vpc for vpc in aws.ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]], [])


harness.main()
