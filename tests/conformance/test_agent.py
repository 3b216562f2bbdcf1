"""The link between machines: an agent of the VPC dials the gateway and carries requests to the targets on its side, judged on both sides, and nobody carries
them where no agent is."""

import atexit
import gzip
import json
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path

import harness
import build  # harness finds it
import paths
from agents import Agent
from harness import equal, until
from paths import CONTROL


class Scene:
    """A gateway, a stack, and an agent to which the targets are attached."""

    def __init__(self):
        self.agent, self.path, self.backends = None, None, []
        self.buckets = tempfile.mkdtemp(prefix="tidegate-buckets-")
        args = ["--link", "127.0.0.1:0", "--s3-root", self.buckets]
        self.server = harness.Server(args=args, config="[timeouts]\nblocked_connect = \"2s\"\n")
        atexit.register(self.close)
        self.aws = self.server.clients()
        self.stack = build.build(self.aws, name="orders")
        self.backends = [harness.Backend("orders-a"), harness.Backend("orders-b")]
        self.path = paths.Path(self.server.ready["link"])
        self.agent = Agent(self.server, self.stack["vpc"], gateway=self.path.address)
        build.attach(self.stack, [backend.address for backend in self.backends], harness.binary(), self.agent.env())
        build.register(self.aws.elbv2, self.stack)
        until("its targets are healthy", self.healthy, 30)

    def healthy(self):
        listed = self.aws.elbv2.describe_target_health(TargetGroupArn=self.stack["tg"])["TargetHealthDescriptions"]
        return {target["TargetHealth"]["State"] for target in listed} == {"healthy"}

    def get(self, path="/hello", **options):
        return self.server.invoke(self.stack["api"], path, **options)

    def close(self):
        if self.agent:
            self.agent.close()
        if self.path:
            self.path.close()
        for backend in self.backends:
            backend.kill()
        self.server.close()
        shutil.rmtree(self.buckets, ignore_errors=True)


shared = harness.once(Scene)


def test_requests_cross_the_link_and_explain_says_who_carried_them():
    scene = shared()
    answer = scene.get()
    equal(answer.status, 200, answer.text)
    assert "orders-" in answer.text, answer.text
    explained = scene.server.explain(answer.id).json
    hops = [(hop["kind"], hop["verdict"]) for hop in explained["hops"]]
    for kind in ("link", "security-group", "listener", "rule", "target-group", "target"):
        assert (kind, "pass") in hops, hops
    assert scene.agent.id in str(explained), explained


def test_bodies_cross_in_both_directions():
    scene = shared()
    answer = scene.get("/echo", method="POST", body=b"x" * 300_000)
    equal(answer.status, 200, answer.text[:200])


def test_a_group_that_denies_is_explained_from_both_sides():
    scene = shared()
    mine = [{"Name": "group-id", "Values": [scene.stack["target_sg"]]}]
    rules = [rule for rule in scene.aws.ec2.describe_security_group_rules(Filters=mine)["SecurityGroupRules"] if not rule["IsEgress"]]
    ids = [rule["SecurityGroupRuleId"] for rule in rules]
    permissions = scene.aws.ec2.describe_security_groups(GroupIds=[scene.stack["target_sg"]])["SecurityGroups"][0]["IpPermissions"]
    scene.aws.ec2.revoke_security_group_ingress(GroupId=scene.stack["target_sg"], SecurityGroupRuleIds=ids)
    try:
        until("the agent knows", lambda: scene.get().status == 504, 10)
        explained = scene.server.explain(scene.get().id).json
        equal(explained["reason"], "SG_INGRESS_DENIED", str(explained))
    finally:
        scene.aws.ec2.authorize_security_group_ingress(GroupId=scene.stack["target_sg"], IpPermissions=permissions)
    until("it is admitted again", lambda: scene.get().status == 200, 20)


def test_without_an_agent_nobody_carries_and_with_one_again_somebody_does():
    scene = shared()
    scene.agent.kill()
    until("it is missed", lambda: scene.get().status == 503, 20)
    explained = scene.server.explain(scene.get().id).json
    equal(explained["reason"], "LINK_NO_CONNECTOR", str(explained))
    scene.agent.start()
    until("it carries again", lambda: scene.get().status == 200, 20)


def test_what_changed_while_the_session_was_still_or_cut_is_in_effect_once_it_is_back():
    scene = shared()
    listener = scene.aws.elbv2.describe_listeners(LoadBalancerArn=scene.stack["lb"])["Listeners"][0]["ListenerArn"]
    answer = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "changed"}
    said = {"ListenerArn": listener, "Actions": [{"Type": "fixed-response", "FixedResponseConfig": answer}]}
    for number, stop in enumerate((scene.path.still, scene.path.cut)):
        path = f"/changed-{number}"
        condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}
        stop({CONTROL})
        try:
            scene.aws.elbv2.create_rule(**said, Priority=number + 1, Conditions=[condition])
            if stop == scene.path.still:
                # Requests go on, by the state that the agent has.
                for _ in range(5):
                    got = scene.get(path)
                    equal(got.status, 200, got.text)
                    assert "orders-" in got.text, got.text
                assert "STALE_CONFIG" in str(scene.server.explain(got.id).json), "the trace says that it was an older one"
        finally:
            scene.path.mend()

        def is_back():
            listed = scene.server.tidegate("agents", "--output", "json").json["agents"]
            return listed[0]["state"] == "connected"

        until("the session is back", is_back, 20)
        began = time.monotonic()
        until("the change is in effect", lambda: scene.get(path).text == "changed", 10, every_s=0.02)
        took = time.monotonic() - began
        print(f"     in effect {took * 1e3:.0f} ms after the session was back ({stop.__name__})")
        # A second, and what a busy machine adds.
        assert took < 5, took


def test_an_agent_that_goes_down_in_order_finishes_what_is_under_way():
    scene = shared()
    scene.agent.stop()
    equal(scene.agent.process.returncode, 0, scene.agent.tail())
    scene.agent.start()
    until("it carries again", lambda: scene.get().status == 200, 20)


def count(scene, name):
    """A count of the server's page of metrics, of all series together."""
    lines = harness.request(scene.server.api, "/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"tidegate_{name}") and not line.startswith("#"))


COUNTED = ["applicationelb_httpcode_target_2xx_count_total", "applicationelb_request_count_total", "applicationelb_target_response_time_seconds_count"]


def test_logs_and_counts_of_what_an_agent_carried_come_out_at_the_gateway():
    scene = shared()
    wanted = {"enabled": "true", "bucket": "my-logs", "prefix": "shop"}
    pairs = [{"Key": f"access_logs.s3.{key}", "Value": value} for key, value in wanted.items()]
    scene.aws.elbv2.modify_load_balancer_attributes(LoadBalancerArn=scene.stack["lb"], Attributes=pairs)
    until("lines come", lambda: scene.get().status == 200 and count(scene, "load_balancer_log_lines_taken_total"), 20)
    said = {"ResourceType": "VPC", "ResourceIds": [scene.stack["vpc"]], "MaxAggregationInterval": 60, "TrafficType": "ALL"}
    fields = ["interface-id", "flow-direction", "dstport", "action", "bytes"]
    said["LogFormat"] = " ".join(f"${{{field}}}" for field in fields)
    role = "arn:aws:iam::000000000000:role/flows"
    made = scene.aws.ec2.create_flow_logs(**said, LogGroupName="/tidegate/flows", DeliverLogsPermissionArn=role)
    equal(made["Unsuccessful"], [])
    bucket = {"LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::my-flows/net/"}
    equal(scene.aws.ec2.create_flow_logs(**said, **bucket)["Unsuccessful"], [])
    until("its healthy targets are counted", lambda: count(scene, "applicationelb_healthy_host_count") == 2, 10)
    # What was open before is not told of.
    scene.agent.stop()
    before = {name: count(scene, name) for name in COUNTED}
    scene.agent.start()
    until("it carries again", lambda: scene.get().status == 200, 20)
    for _ in range(20):
        equal(scene.get("/counted", headers={"User-Agent": 'a "quoted" \\ agent'}).status, 200)
    scene.agent.stop()
    equal(scene.agent.process.returncode, 0, scene.agent.tail())

    # One request had an answer before.
    equal({name: count(scene, name) - before[name] for name in COUNTED}, dict.fromkeys(COUNTED, 21))

    def records():
        found = []
        for stream in scene.aws.logs.describe_log_streams(logGroupName="/tidegate/flows")["logStreams"]:
            name = stream["logStreamName"]
            events = scene.aws.logs.get_log_events(logGroupName="/tidegate/flows", logStreamName=name, startFromHead=True)["events"]
            found += [dict(zip(fields, event["message"].split(" "), strict=True)) | {"stream": name} for event in events]
        return found

    def ways(port):
        return {one["flow-direction"] for one in records() if one["dstport"] == port and one["action"] == "ACCEPT"}

    until("what the agent carried is told", lambda: ways("80") == ways("8080") == {"egress", "ingress"}, 20)
    told = records()
    assert all(one["stream"] == f"{one['interface-id']}-all" for one in told), told
    assert any(int(one["bytes"]) > 1000 for one in told if one["dstport"] == "8080" and one["bytes"] != "-"), told
    scene.server.tidegate("tick", "300")
    equal(len(records()), len(told), "the gateway tells nothing of it again")
    lines = [line for path in Path(scene.buckets, "my-logs").rglob("*.gz") for line in gzip.open(path, "rt").read().splitlines()]
    counted = [line for line in lines if "/counted HTTP/1.1" in line]
    equal(len(counted), 20, str(lines))
    assert all(r'"a \x22quoted\x22 \x5C agent"' in line and scene.stack["tg"] in line for line in counted), counted
    assert list(Path(scene.buckets, "my-flows", "net").rglob("*.gz")), "flow logs have files too"
    equal((count(scene, "load_balancer_log_lines_dropped_total"), count(scene, "access_log_lines_dropped_total")), (0, 0))
    scene.agent.start()
    until("it carries again", lambda: scene.get().status == 200, 20)


def doctor(agent, directory=None, **env):
    """An examination of the link by the agent's directory, or a copy of it, with these variables beside."""
    words = [harness.binary(), "doctor", "--link", "--data-dir", directory or agent.directory, "--output", "json"]
    return harness.command(words, harness.environment() | env, check=False)


def test_an_examination_says_that_the_agent_reaches_its_gateway():
    scene = shared()
    done = doctor(scene.agent)
    equal(done.returncode, 0, done.stdout + done.stderr)
    equal(done.json["ok"], True, done.stdout)
    equal([step["name"] for step in done.json["steps"]], ["directory", "clock", "name", "connection", "handshake", "silence"])
    equal([step for step in done.json["steps"] if not step["ok"]], [])
    assert scene.agent.id in done.json["steps"][0]["detail"], done.stdout


def test_an_examination_takes_no_proxy_to_this_machine_and_names_a_dead_one_elsewhere():
    scene = shared()
    with socket.socket() as taken:
        # Bound and never listening: whoever dials it is refused, and nobody else has the port meanwhile.
        taken.bind(("127.0.0.1", 0))
        dead = "http://127.0.0.1:%d" % taken.getsockname()[1]
        done = doctor(scene.agent, HTTPS_PROXY=dead)
        equal(done.returncode, 0, done.stdout + done.stderr)
        said = {step["name"]: step["detail"] for step in done.json["steps"]}
        assert said["connection"].endswith("directly"), said
        # The same directory, of an agent whose gateway is on another machine: the proxy is dialled, and nothing else.
        far = tempfile.mkdtemp(dir=scene.agent.scratch)
        for name in os.listdir(scene.agent.directory):
            if name.endswith((".json", ".pem")):
                shutil.copy(os.path.join(scene.agent.directory, name), far)
        kept = json.loads(Path(far, "agent.json").read_text())
        kept["gateways"] = ["gateway.invalid:443"]
        Path(far, "agent.json").write_text(json.dumps(kept))
        done = doctor(scene.agent, far, HTTPS_PROXY=dead)
    equal(done.returncode, 4, done.stdout + done.stderr)
    failed = [step for step in done.json["steps"] if not step["ok"]]
    equal([step["name"] for step in failed], ["connection"], done.stdout)
    assert "by the proxy" in failed[0]["detail"] and "HTTPS_PROXY" in failed[0]["remedy"], failed


def test_agents_are_listed_and_one_that_is_revoked_is_shut_out_within_a_second():
    scene = shared()
    second = Agent(scene.server, scene.stack["vpc"])
    try:
        listed = scene.server.tidegate("agents", "--output", "json").json["agents"]
        states = {agent["agent"]: agent["state"] for agent in listed}
        equal((states[scene.agent.id], states[second.id]), ("connected", "connected"), str(listed))
        scene.server.tidegate("agent", "revoke", second.id)
        began = time.monotonic()

        def is_out():
            listed = scene.server.tidegate("agents", "--output", "json").json["agents"]
            found = [agent for agent in listed if agent["agent"] == second.id]
            return found[0]["state"] == "revoked" and not found[0]["connections"]

        until("it is shut out", is_out, 5)
        assert time.monotonic() - began < 5
        equal(scene.get().status, 200)
        done = doctor(second)
        equal(done.returncode, 4, done.stdout + done.stderr)
        failed = [step for step in done.json["steps"] if not step["ok"]]
        equal([step["name"] for step in failed], ["handshake"], done.stdout)
        assert "let this agent go" in failed[0]["detail"] and "revoked" in failed[0]["remedy"], failed
    finally:
        second.close()


if __name__ == "__main__":
    harness.main()
