"""Shares of targets that change with time, measured from outside and by the clock on the wall: a newcomer's that grows, and a failing target's that shrinks
and comes back."""

import subprocess
import time

import harness
from chain import Chain
from harness import equal, until
from sockets import listen

# The shortest that AWS takes.
SLOW_START_S = 30
# Requests of one measurement, which takes a second and a half of the ramp. They are shared out in turn: chance has no part in it.
REQUESTS, PER_SECOND, OFF = 90, 60, 0.06
# Documented is that targets are weighed anew every five seconds. A share that is halved each time is small after so many seconds, and whole again after
# as many more.
MITIGATED_S = 40
ADDRESS = "10.0.11.77"


class Changing(harness.Backend):
    """Is healthy whatever it answers."""

    def revive(self):
        super().revive()
        handler = self.server.RequestHandlerClass
        plain = handler.send_response
        handler.send_response = lambda it, status: plain(it, 200 if it.path == "/health" else status)


class Scene:
    def __init__(self):
        self.chain = Chain(harness.server(), name="ramps", backend=Changing)
        self.third = Changing("ramps-c")
        stack = self.chain.stack
        words = ["attach", "--vpc", stack["vpc"], "--security-group", stack["target_sg"], f"{ADDRESS}:8080", self.third.address]
        self.chain.server.tidegate(*words)
        self.url = listen(self.chain, stack["listener"], "--security-group", stack["link_sg"]).json["url"]

    def set(self, **attributes):
        listed = [{"Key": key.replace("__", "."), "Value": value} for key, value in attributes.items()]
        self.chain.aws.elbv2.modify_target_group_attributes(TargetGroupArn=self.chain.stack["tg"], Attributes=listed)

    def described(self, include=()):
        more = {"Include": list(include)} if include else {}
        listed = self.chain.aws.elbv2.describe_target_health(TargetGroupArn=self.chain.stack["tg"], **more)
        return {one["Target"]["Id"]: one for one in listed["TargetHealthDescriptions"]}

    def join(self):
        """The third target becomes one, and healthy."""
        self.chain.aws.elbv2.register_targets(TargetGroupArn=self.chain.stack["tg"], Targets=[{"Id": ADDRESS}])
        until("the third is healthy", lambda: self.described()[ADDRESS]["TargetHealth"]["State"] == "healthy", 30)

    def leave(self):
        at_once = {"deregistration_delay__timeout_seconds": "0"}
        self.set(**at_once)
        self.chain.aws.elbv2.deregister_targets(TargetGroupArn=self.chain.stack["tg"], Targets=[{"Id": ADDRESS}])
        until("the third is gone", lambda: ADDRESS not in self.described(), 20)

    def share(self):
        """The third target's, of the requests of a measurement."""
        words = ["curl", "-sS", "--max-time", "60", "--rate", f"{PER_SECOND}/s", f"{self.url}/[1-{REQUESTS}]"]
        done = subprocess.run(words, capture_output=True, text=True)
        equal(done.returncode, 0, done.stderr)
        equal(done.stdout.count('"backend": "ramps-'), REQUESTS, "answers of targets")
        return done.stdout.count('"backend": "ramps-c"') / REQUESTS

    def close(self):
        self.chain.close()
        self.third.kill()


@harness.once
def scene():
    return Scene()


def test_the_share_of_a_newcomer_grows_with_the_time():
    scene().set(slow_start__duration_seconds=str(SLOW_START_S))
    scene().join()
    begun, ramp = time.monotonic(), []
    while time.monotonic() - begun < SLOW_START_S + 3:
        start = time.monotonic()
        share = scene().share()
        ramp.append(((start + time.monotonic()) / 2 - begun, share))
    print("  the newcomer's share: " + ", ".join(f"{share:.0%} after {at:.0f} s" for at, share in ramp[::3]))
    for at, share in ramp:
        # Of three targets; what it does not take yet goes to the others.
        wanted = min(at / SLOW_START_S, 1) / 3
        assert abs(share - wanted) <= OFF, f"{share:.3f} after {at:.1f} s, wanted {wanted:.3f}"
    scene().set(slow_start__duration_seconds="0")
    scene().leave()


def test_a_failing_target_loses_its_share_and_gets_it_back():
    algorithm = {"load_balancing__algorithm__type": "weighted_random", "load_balancing__algorithm__anomaly_mitigation": "on"}
    scene().set(**algorithm)
    scene().join()
    for status, is_reached, wanted in (
        (500, lambda share: share <= 0.1, {"Result": "anomalous", "MitigationInEffect": "yes"}),
        (200, lambda share: share >= 0.2, {"Result": "normal", "MitigationInEffect": "no"}),
    ):
        scene().third.status = status
        begun, shares = time.monotonic(), []
        while not (len(shares) > 2 and is_reached(shares[-1]) and is_reached(shares[-2])):
            shares.append(scene().share())
            assert time.monotonic() - begun < MITIGATED_S, f"answering {status}: {shares}"
        print(f"  answering {status}, its share: " + ", ".join(f"{share:.0%}" for share in shares))
        told = lambda: scene().described(["AnomalyDetection"])[ADDRESS].get("AnomalyDetection")
        until(f"{wanted} is told", lambda: scene().share() is not None and told() == wanted, MITIGATED_S)
        equal(scene().described()[ADDRESS]["TargetHealth"]["State"], "healthy", "its probes are answered")


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        if scene.made():
            scene().third.kill()
