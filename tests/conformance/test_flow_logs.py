"""VPC flow logs: what passes the interfaces of link, load balancer and target, and what does not, as records in a log group and in gzip files of a bucket."""

import atexit
import gzip
import tempfile
import time
from pathlib import Path

import harness
from botocore.exceptions import ClientError
from chain import Chain
from harness import equal

FIELDS = ["interface-id", "flow-direction", "srcaddr", "srcport", "dstaddr", "dstport", "action", "tcp-flags", "bytes", "packets", "start", "end"]
FIELDS += ["log-status", "vpc-id", "subnet-id", "az-id", "traffic-path", "reject-reason", "version", "account-id", "protocol"]
FORMAT = " ".join(f"${{{field}}}" for field in FIELDS)
GROUP, ROLE = "/tidegate/flows", "arn:aws:iam::000000000000:role/flows"


class Scene:
    def __init__(self):
        self.moved = 0
        self.buckets = tempfile.TemporaryDirectory(prefix="tidegate-flows-")
        self.server = harness.Server(args=["--s3-root", self.buckets.name], config='[timeouts]\nblocked_connect = "200ms"\n')
        atexit.register(self.server.close)
        self.chain = Chain(self.server, name="flows")
        self.aws, self.stack = self.chain.aws, self.chain.stack
        self.ec2 = self.aws.ec2
        said = {"ResourceType": "VPC", "ResourceIds": [self.stack["vpc"]], "MaxAggregationInterval": 60, "LogFormat": FORMAT}
        made = self.ec2.create_flow_logs(**said, TrafficType="ALL", LogGroupName=GROUP, DeliverLogsPermissionArn=ROLE)
        self.into_group = made["FlowLogIds"][0]
        into = {"LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::my-flows/net/"}
        self.into_files = self.ec2.create_flow_logs(**said | {"LogFormat": "${action} ${dstport}"}, TrafficType="REJECT", **into)["FlowLogIds"][0]
        # What was open before is not told of.
        self.aws.elbv2.modify_target_group(TargetGroupArn=self.stack["tg"], HealthCheckIntervalSeconds=300)
        self.minute()

    def minute(self):
        """Moves on by five minutes, so that what came before is written, a file of it too."""
        self.server.tidegate("tick", "300")
        self.moved += 300

    def now(self):
        """The server's time, in whole seconds."""
        return int(time.time()) + self.moved

    def records(self, group=GROUP):
        """All records so far, as fields by name."""
        streams = self.aws.logs.describe_log_streams(logGroupName=group)["logStreams"]
        found = []
        for name in [stream["logStreamName"] for stream in streams]:
            events = self.aws.logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)["events"]
            parted = [dict(zip(FIELDS, event["message"].split(" "), strict=True)) for event in events]
            equal({f"{one['interface-id']}-all" for one in parted} - {name}, set())
            found += parted
        return found

    def new(self, act, group=GROUP):
        """The records of what `act` does. A later request follows it: once that is told everything before it is."""
        self.minute()
        since = self.now()
        act()
        self.minute()
        until = self.now()
        self.chain.get("/hello")
        self.minute()
        harness.until("the later request is told", lambda: any(int(one["start"]) >= until for one in self.records(group)), 30)
        return [one for one in self.records() if since <= int(one["start"]) and int(one["end"]) < until]

    def at(self, address):
        """The interfaces at an address."""
        wanted = [{"Name": "addresses.private-ip-address", "Values": [address]}]
        return self.ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]


@harness.once
def scene():
    return Scene()


def test_what_passes_is_told_at_both_ends_with_its_bytes():
    answers = []
    told = scene().new(lambda: answers.extend(scene().chain.get("/hello") for _ in range(4)))
    equal({answer.status for answer in answers}, {200})
    target = scene().at("10.0.10.10")[0]
    to_target = [one for one in told if one["dstport"] == "8080" and one["dstaddr"] == "10.0.10.10" and one["bytes"] not in ("-", "0")]
    assert to_target, told
    sent = next(one for one in to_target if one["flow-direction"] == "egress")
    ends = (sent["srcaddr"], sent["srcport"])
    received = next(one for one in to_target if one["flow-direction"] == "ingress" and (one["srcaddr"], one["srcport"]) == ends)
    equal(received["interface-id"], target["NetworkInterfaceId"])
    assert sent["interface-id"] != received["interface-id"], told
    for one in (sent, received):
        equal((one["action"], one["log-status"], one["protocol"], one["vpc-id"]), ("ACCEPT", "OK", "6", scene().stack["vpc"]))
        equal((one["packets"], one["reject-reason"], one["version"], one["account-id"]), ("-", "-", "8", "000000000000"))
        assert int(one["bytes"]) > 100 and int(one["srcport"]) > 1023 and int(one["tcp-flags"]) & 2, one
        assert int(one["start"]) <= int(one["end"]), one
    equal((sent["traffic-path"], received["traffic-path"]), ("1", "-"))
    equal(sent["bytes"], received["bytes"])
    equal(received["subnet-id"], scene().stack["private_a"])
    back = [one for one in told if one["srcport"] == "8080" and one["srcaddr"] == "10.0.10.10"]
    equal({one["flow-direction"] for one in back}, {"egress", "ingress"})
    assert all(int(one["bytes"]) > 100 and int(one["tcp-flags"]) & 18 == 18 for one in back), back
    # The hop from the link to the load balancer is within the process: it has no port of its own.
    entered = [one for one in told if one["dstport"] == "80"]
    equal({(one["action"], one["srcport"], one["bytes"]) for one in entered}, {("ACCEPT", "-", "-")})
    equal({one["flow-direction"] for one in entered}, {"egress", "ingress"})


def rejected(group, egress, port, direction):
    """A rule is taken away: the record of what is not let through, and the command that brings it back."""
    scene().chain.revoke(group, egress)
    answers = []
    told = scene().new(lambda: answers.append(scene().chain.get("/hello")))
    explained = scene().server.explain(answers[0].headers["apigw-requestid"]).json
    refused = [one for one in told if one["action"] == "REJECT" and one["dstport"] == port]
    equal({one["flow-direction"] for one in refused}, {direction}, told)
    equal({(one["tcp-flags"], one["bytes"], one["reject-reason"], one["log-status"]) for one in refused}, {("2", "-", "-", "OK")})
    denied = next(hop for hop in explained["hops"] if hop["verdict"] == "deny")
    at = denied["from"] if direction == "egress" else denied["to"]
    assert at in {one["interface-id"] for one in refused}, (denied, refused)
    scene().chain.run_fix(explained)
    equal(scene().chain.get("/hello").status, 200)
    return told


def test_what_groups_refuse_is_told_where_they_do():
    told = rejected("link_sg", True, "80", "egress")
    equal([one for one in told if one["dstport"] == "80" and one["flow-direction"] == "ingress"], [])
    told = rejected("alb_sg", False, "80", "ingress")
    left = [one for one in told if one["dstport"] == "80" and one["flow-direction"] == "egress"]
    equal({one["action"] for one in left}, {"ACCEPT"}, "it left the link")


def test_files_hold_what_was_refused_below_a_header():
    root = Path(scene().buckets.name, "my-flows", "net", "AWSLogs", "000000000000", "vpcflowlogs", "us-east-1")
    harness.until("a file is written", lambda: list(root.rglob("*.log.gz")), 20)
    for path in root.rglob("*.log.gz"):
        year, month, day, name = path.relative_to(root).parts
        assert name.startswith(f"000000000000_vpcflowlogs_us-east-1_{scene().into_files}_{year}{month}{day}T"), name
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        equal(lines[0], "action dstport")
        equal(set(lines[1:]) - {"REJECT 80", "REJECT 8080"}, set())
        assert lines[1:], path


def test_what_is_deleted_tells_nothing_more():
    said = {"ResourceType": "VPC", "ResourceIds": [scene().stack["vpc"]], "MaxAggregationInterval": 60, "LogFormat": FORMAT}
    other = scene().ec2.create_flow_logs(**said, TrafficType="ALL", LogGroupName="/tidegate/other", DeliverLogsPermissionArn=ROLE)["FlowLogIds"]
    scene().ec2.delete_flow_logs(FlowLogIds=[scene().into_group])
    equal(scene().new(lambda: scene().chain.get("/hello"), group="/tidegate/other"), [])
    told = scene().ec2.describe_flow_logs()["FlowLogs"]
    equal({one["FlowLogId"] for one in told}, {scene().into_files, *other})
    try:
        scene().ec2.delete_flow_logs(FlowLogIds=[scene().into_group])
    except ClientError as error:
        return equal(error.response["Error"]["Code"], "InvalidFlowLogId.NotFound")
    raise AssertionError("it was deleted twice")


harness.main()
