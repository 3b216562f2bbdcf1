"""Integrations with public endpoints. The script runs in a network namespace that has loopback only, so that no packet can
leave the machine whatever the server does; names resolve by a hosts file of its own where the script may mount one.
"""

import harness
from harness import equal

# Forms of addresses that an integration must never reach, with what they are.
FORBIDDEN = [
    "http://127.0.0.1:{port}/",
    "http://127.1.2.3:{port}/",
    "http://localhost:{port}/",
    "http://a.localhost:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://0.0.0.0:{port}/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://224.0.0.1/",
]


def api_to(aws, uri, key="GET /x"):
    api = aws.create_api(Name="out", ProtocolType="HTTP")["ApiId"]
    integration = aws.create_integration(
        ApiId=api, IntegrationType="HTTP_PROXY", IntegrationMethod="ANY", IntegrationUri=uri, PayloadFormatVersion="1.0"
    )["IntegrationId"]
    aws.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{integration}")
    aws.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return api


def call(server, api, path="/x"):
    return server.invoke(api, path)


def test_what_is_not_public_is_never_reached():
    server, backend = harness.server(), harness.Backend("private")
    seen = []
    backend.server.RequestHandlerClass.answer = lambda handler: seen.append(handler.path)
    aws = server.clients().apigatewayv2
    for form in FORBIDDEN:
        api = api_to(aws, form.format(port=backend.port))
        answer = call(server, api)
        equal((answer.status, answer.headers["x-tidegate-trace"]), (503, "EGRESS_FORBIDDEN"), form)
        explained = server.explain(answer.id)
        equal((explained.returncode, explained.json["outcome"]), (4, "failed"), form)
        assert "leads to" in explained.json["hops"][-1]["detail"], explained.json
        aws.delete_api(ApiId=api)
    equal(seen, [], "what arrived at the private service")
    backend.kill()


def test_a_listed_block_is_reached_and_nothing_else():
    server = harness.Server(config='[egress]\nallow = ["127.0.0.0/8"]\n')
    try:
        backend = harness.Backend("public")
        aws = server.clients().apigatewayv2
        api = api_to(aws, f"http://{backend.address}/base/{{proxy}}", "ANY /in/{proxy+}")
        answer = call(server, api, "/in/a/b?x=1")
        equal(answer.status, 200, answer.text)
        assert '"path": "/base/a/b?x=1"' in answer.text, answer.text
        assert f'"host": "{backend.address}"' in answer.text, answer.text
        backend.kill()
        answer = call(server, api, "/in/a")
        equal((answer.status, answer.headers["x-tidegate-trace"]), (503, "TARGET_REFUSED"))
        other = api_to(aws, "http://10.0.0.1/")
        equal(call(server, other).headers["x-tidegate-trace"], "EGRESS_FORBIDDEN")
    finally:
        server.close()


def test_a_redirect_to_a_private_address_is_the_clients_business():
    server = harness.Server(config='[egress]\nallow = ["127.0.0.0/8"]\n')
    try:
        backend = harness.Backend("public")

        def redirect(handler):
            handler.send_response(302)
            handler.send_header("Location", "http://169.254.169.254/")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        backend.server.RequestHandlerClass.do_GET = redirect
        aws = server.clients().apigatewayv2
        answer = call(server, api_to(aws, f"http://{backend.address}/"))
        equal((answer.status, answer.headers["location"]), (302, "http://169.254.169.254/"))
        backend.kill()
    finally:
        server.close()


def test_a_name_that_does_not_resolve_says_so():
    server = harness.server()
    api = api_to(server.clients().apigatewayv2, "http://nowhere.invalid/")
    answer = call(server, api)
    equal((answer.status, answer.headers["x-tidegate-trace"]), (503, "NO_ROUTE"))


harness.isolate()
harness.main()
