"""Programs inside private networks of the kernel, for scripts that look at what becomes of what they send, and the flow logs that tell of it."""

import os
import subprocess
import sys

import harness
from harness import until

# One that every user may start.
PYTHON = "/usr/bin/python3"
# The port of a program with its own address, and a file that it serves.
PORT = 8080
SERVED = "from inside"


def each(*scenes):
    """Runs a test with each of these, one after the other."""

    def decorated(test):
        def run():
            for scene in scenes:
                test(scene())

        run.__name__ = test.__name__
        return run

    return decorated


def serving(server):
    """A directory with what programs serve, which every user may read."""
    served = os.path.join(server.scratch, "served")
    os.mkdir(served)
    os.chmod(served, 0o755)
    for name in ("hello", "health"):
        with open(os.path.join(served, name), "w") as file:
            file.write(SERVED)
    return served


class Inside:
    """A program at a private address, by `tidegate run`, and other programs beside it in the namespace of its interface."""

    def __init__(self, scene, subnet, address, group, directory):
        self.scene, self.address = scene, address
        server = [sys.executable if scene.server.user is None else PYTHON, "-m", "http.server", str(PORT), "--bind", address]
        self.process = self.run(["--ip", address, "--port", str(PORT), "--subnet", subnet, "--security-group", group], server, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        mine = [{"Name": "private-ip-address", "Values": [address]}]
        found = until("it has an interface", lambda: scene.ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"], 20)
        self.interface = found[0]["NetworkInterfaceId"]
        until("it serves", lambda: self.curl(f"http://{address}:{PORT}/hello") == (0, SERVED), 20)
        self.namespace = self.find()

    def run(self, place, program, **how):
        """`tidegate run` by the user whose server it is."""
        return subprocess.Popen(self.command("run", *place, "--", *program), env=self.environment(), **self.identity(), **how)

    def command(self, *words):
        return [self.scene.server.program, *words]

    def environment(self):
        return {**os.environ, "TIDEGATE_API": self.scene.server.api}

    def identity(self):
        user = self.scene.server.user
        return {"user": user, "group": user, "extra_groups": None if user is None else []}

    def exec(self, *words):
        """A program in the namespace."""
        command = self.command("netns", "exec", self.interface, "--", *words)
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=harness.COMMAND_S, **self.identity())

    def find(self):
        """The namespace, if it is there."""
        told = self.exec("readlink", "/proc/self/ns/net")
        return told.stdout if told.returncode == 0 else None

    def curl(self, url, *words):
        """A request from there; the exit code of curl, which is 28 for silence, and the answer."""
        told = self.exec("curl", "--silent", "--max-time", "1", *words, url)
        return told.returncode, told.stdout

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(harness.STOP_S)


FLOW_FIELDS = ["interface-id", "flow-direction", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "action", "tcp-flags", "packets", "bytes", "traffic-path"]


class FlowLog:
    """A flow log of all that passes a VPC, into a log group, as it is looked at by a test."""

    def __init__(self, scene, logs, vpc):
        self.scene, self.logs, self.group = scene, logs, "/kernel/flows"
        said = {"ResourceType": "VPC", "ResourceIds": [vpc], "TrafficType": "ALL", "MaxAggregationInterval": 60}
        said |= {"LogGroupName": self.group, "DeliverLogsPermissionArn": "arn:aws:iam::000000000000:role/flows"}
        made = scene.ec2.create_flow_logs(**said, LogFormat=" ".join(f"${{{field}}}" for field in FLOW_FIELDS))
        self.id, self.seen = made["FlowLogIds"][0], {}

    def all(self):
        """Every record so far by its stream, of minutes that are over, of which one is over now."""
        self.scene.server.tidegate("tick", "60")
        events = {}
        for stream in self.logs.describe_log_streams(logGroupName=self.group)["logStreams"]:
            found = self.logs.get_log_events(logGroupName=self.group, logStreamName=stream["logStreamName"], startFromHead=True)
            told = [dict(zip(FLOW_FIELDS, event["message"].split(), strict=True)) for event in found["events"]]
            events[stream["logStreamName"]] = told
        return events

    def records(self, port):
        """The records of a port since the last time, each with its interface and way."""
        told = self.all()
        new = [one for stream, events in told.items() for one in events[self.seen.get(stream, 0) :] if port in (one["srcport"], one["dstport"])]
        self.seen = {stream: len(events) for stream, events in told.items()}
        return [((one["interface-id"], one["flow-direction"]), one) for one in new]

    def end(self):
        self.scene.ec2.delete_flow_logs(FlowLogIds=[self.id])
