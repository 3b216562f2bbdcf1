"""Targets that are spoken to in HTTP/2: calls of gRPC of all four kinds by a real client and a real server, their statuses and trailers, the
health of targets by a call, and what becomes of requests that do not fit."""

import subprocess
import threading
from urllib.parse import urlsplit

import grpc
from cryptography.hazmat.primitives.asymmetric import ec

import harness
import build  # harness finds it
from chain import Chain
from harness import equal
from sockets import imported
from targets import Calling

NOTICED_S = 30


def group(chain, version, **more):
    made = chain.aws.elbv2.create_target_group(
        Name=f"grpc-{version.lower()}",
        Protocol="HTTP",
        ProtocolVersion=version,
        Port=8080,
        VpcId=chain.stack["vpc"],
        TargetType="ip",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        **more,
    )["TargetGroups"][0]
    arn = made["TargetGroupArn"]
    chain.aws.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": one} for one in build.TARGETS])
    return made


def health(chain, arn):
    listed = chain.aws.elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return {it["TargetHealth"]["State"] for it in listed}


def status(url, *options):
    words = ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20", *options, url]
    return subprocess.run(words, capture_output=True, text=True).stdout


def test_calls_of_all_four_kinds_reach_targets_of_grpc():
    chain = Chain(harness.server(), name="grpc")
    elb, groups, listener = chain.aws.elbv2, [], None
    servers = [Calling("grpc-a"), Calling("grpc-b")]
    try:
        for address, server in zip(build.TARGETS, servers):
            chain.server.tidegate("attach", f"{address}:8080", server.address)
        made = group(chain, "GRPC")
        groups.append(made["TargetGroupArn"])
        wanted = ("GRPC", "/AWS.ALB/healthcheck", {"GrpcCode": "12"})
        equal((made["ProtocolVersion"], made["HealthCheckPath"], made["Matcher"]), wanted)
        forward = [{"Type": "forward", "TargetGroupArn": groups[0]}]
        harness.refused(
            "InvalidConfigurationRequest",
            elb.create_rule,
            ListenerArn=chain.stack["listener"],
            Priority=5,
            Conditions=[{"Field": "path-pattern", "Values": ["/shop.*"]}],
            Actions=forward,
            text="protocol-version 'GRPC'",
        )
        arn, pem = imported(chain.aws, ec.generate_private_key(ec.SECP256R1()), "orders.example")
        listener = elb.create_listener(
            LoadBalancerArn=chain.stack["lb"],
            Protocol="HTTPS",
            Port=443,
            SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
            Certificates=[{"CertificateArn": arn}],
            DefaultActions=forward,
        )["Listeners"][0]["ListenerArn"]
        chain.permit("alb_sg", "alb_sg", 443)
        opened = chain.server.tidegate(
            "attach", "--listen", listener, "127.0.0.1:0", "--security-group", chain.stack["alb_sg"]
        ).json
        harness.until("healthy by a call", lambda: health(chain, groups[0]) == {"healthy"}, NOTICED_S)

        where = urlsplit(opened["url"])
        options = [("grpc.ssl_target_name_override", "orders.example")]
        with grpc.secure_channel(f"127.0.0.1:{where.port}", grpc.ssl_channel_credentials(pem), options) as channel:
            call = channel.unary_unary("/shop.Orders/One").with_call
            seen = set()
            for _ in range(6):
                answer, told = call(b"order", timeout=20)
                equal((answer, dict(told.initial_metadata())["x-seen"]), (b"one order", "https"))
                seen.add(dict(told.trailing_metadata())["x-backend"])
            equal(seen, {"grpc-a", "grpc-b"}, "calls are spread, whatever connection they come over")
            many = list(channel.unary_stream("/shop.Orders/Many")(b"200", timeout=20))
            equal((len(many), many[199][:3]), (200, b"199"))
            pieces = (b"x" * 5_000 for _ in range(300))
            equal(channel.stream_unary("/shop.Orders/Sum")(pieces, timeout=20), b"1500000")

            answers, more = [], threading.Event()

            def conversation():
                for number in range(5):
                    yield b"%d" % number
                    more.wait(20)
                    more.clear()

            for answer in channel.stream_stream("/shop.Orders/Echo")(conversation(), timeout=60):
                answers.append(answer)
                more.set()
            equal(answers, [b"0", b"1", b"2", b"3", b"4"], "each is answered before the next is sent")
            for path, code, text in [
                ("/shop.Orders/Fails", grpc.StatusCode.FAILED_PRECONDITION, "not so"),
                ("/shop.Orders/None", grpc.StatusCode.UNIMPLEMENTED, "Method not found!"),
            ]:
                try:
                    channel.unary_unary(path)(b"", timeout=20)
                    raise AssertionError(f"{path} passed")
                except grpc.RpcError as error:
                    equal((error.code(), error.details()), (code, text))
            more.clear()

            def never():
                more.wait(20)
                yield b""

            try:
                channel.stream_unary("/shop.Orders/Sum")(never(), timeout=0.5)
                raise AssertionError("the deadline had passed")
            except grpc.RpcError as error:
                equal(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
            more.set()

        equal(status(opened["url"] + "/shop.Orders/One", "--http1.1", "-d", "x"), "464", "HTTP/1.1 to GRPC")
        equal(status(opened["url"] + "/shop.Orders/One", "--http2"), "464", "a GET to GRPC")

        elb.modify_target_group(TargetGroupArn=groups[0], Matcher={"GrpcCode": "0-11"})
        harness.until("the status no longer fits", lambda: health(chain, groups[0]) == {"unhealthy"}, NOTICED_S)
        listed = elb.describe_target_health(TargetGroupArn=groups[0])["TargetHealthDescriptions"]
        equal(listed[0]["TargetHealth"]["Description"], "Health checks failed with these codes: [12]")

        plain = group(chain, "HTTP2", HealthCheckPath="/shop.Orders/One", Matcher={"HttpCode": "200-499"})
        groups.append(plain["TargetGroupArn"])
        elb.modify_listener(
            ListenerArn=listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": plain["TargetGroupArn"]}]
        )
        equal(status(opened["url"] + "/x", "--http1.1"), "464", "HTTP/1.1 to HTTP2")
        with grpc.secure_channel(f"127.0.0.1:{where.port}", grpc.ssl_channel_credentials(pem), options) as channel:
            equal(channel.unary_unary("/shop.Orders/One")(b"order", timeout=20), b"one order")
        elb.modify_listener(
            ListenerArn=listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": chain.stack["tg"]}]
        )
        grpc_type = ["-H", "content-type: application/grpc", "-d", "x"]
        equal(status(opened["url"] + "/x", "--http2", *grpc_type), "464", "gRPC to HTTP1")
    finally:
        if listener:
            elb.delete_listener(ListenerArn=listener)
        for arn in groups:
            elb.delete_target_group(TargetGroupArn=arn)
        for server in servers:
            server.kill()
        chain.close()


harness.main()
