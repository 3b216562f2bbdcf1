"""A load balancer under load while everything around it changes: not one request fails that AWS would have served. How long, says
TIDEGATE_CHURN_S."""

import http.client
import itertools
import json
import os
import ssl
import threading
import time
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

import harness
from chain import Chain
from harness import equal, until
from sockets import certificate, listen, signed_by_itself

SECONDS = float(os.environ.get("TIDEGATE_CHURN_S", "15"))
EVERY_S = 0.1
# Each connection is used for so many requests, so that new ones are made all the time.
REQUESTS_OF_A_CONNECTION = 25
NAME = "churn.example.com"


class Slow(harness.Backend):
    """A target that can be told to take its time."""

    def __init__(self, name):
        self.delay_s = 0.0
        super().__init__(name)

    def revive(self):
        super().revive()
        owner, handler = self, self.server.RequestHandlerClass
        at_once = handler.answer

        def answer(self):
            if not self.path.startswith("/health"):
                time.sleep(owner.delay_s)
            at_once(self)

        for name in [name for name in vars(handler) if name.startswith("do_")]:
            setattr(handler, name, answer)


class Load(threading.Thread):
    """Sends requests one after another until it is told to stop, and keeps what went wrong."""

    def __init__(self, connect, path, host):
        super().__init__(daemon=True)
        self.connect, self.path, self.host = connect, path, host
        self.done, self.wrong, self.slowest_s = 0, [], 0.0
        self.going = True

    def run(self):
        while self.going:
            connection = self.connect()
            for _ in range(REQUESTS_OF_A_CONNECTION):
                body = "x" * (self.done % 3000)
                begun = time.monotonic()
                try:
                    connection.request("POST" if body else "GET", self.path, body=body, headers={"Host": self.host})
                    answer = connection.getresponse()
                    text = answer.read()
                    if answer.status != 200 or json.loads(text)["body"] != body:
                        self.wrong.append((answer.status, dict(answer.getheaders()), text[:200]))
                except Exception as error:
                    self.wrong.append(repr(error))
                    break
                finally:
                    self.done += 1
                    self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
                if not self.going or answer.will_close:
                    break
            connection.close()


class Churn:
    """A chain with four targets and an HTTPS listener beside its plain one, each with a socket; and what is done to it in turn."""

    def __init__(self):
        self.chain = Chain(harness.server(), name="churn", backend=Slow)
        self.elb, stack = self.chain.aws.elbv2, self.chain.stack
        self.targets = list(zip(self.chain.health(), self.chain.backends))
        for number in (30, 31):
            backend = Slow(f"churn-{number}")
            self.targets.append((f"10.0.10.{number}", backend))
            where = ["--vpc", stack["vpc"], "--security-group", stack["target_sg"], f"10.0.10.{number}:8080"]
            self.chain.server.tidegate("attach", *where, backend.address)
        self.elb.modify_target_group_attributes(
            TargetGroupArn=stack["tg"], Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "2"}]
        )
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = certificate(self.chain, self.key, NAME)
        self.secured = self.elb.create_listener(
            LoadBalancerArn=stack["lb"],
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": self.certificate}],
            DefaultActions=[{"Type": "forward", "TargetGroupArn": stack["tg"]}],
        )["Listeners"][0]["ListenerArn"]
        self.chain.permit("link_sg", "alb_sg", 443)
        group = ["--security-group", stack["link_sg"]]
        self.plain = urlsplit(listen(self.chain, stack["listener"], *group).json["url"])
        self.tls = urlsplit(listen(self.chain, self.secured, *group).json["url"])
        self.rules, self.away, self.done = [], None, 0

    def connections(self):
        """How clients connect: to the plain listener, within TLS, and to the gateway."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        gateway = urlsplit(self.chain.server.public)
        return [
            (lambda: http.client.HTTPConnection(self.plain.hostname, self.plain.port, timeout=60), NAME),
            (lambda: http.client.HTTPSConnection(self.tls.hostname, self.tls.port, timeout=60, context=context), NAME),
            (lambda: http.client.HTTPConnection(gateway.hostname, gateway.port, timeout=60), self.chain.host()),
        ]

    def leave_or_join(self):
        """One target at a time is away: it drains, dies, comes back and is registered again."""
        if self.away is None:
            address, _ = self.away = self.targets[self.done % len(self.targets)]
            self.elb.deregister_targets(TargetGroupArn=self.chain.stack["tg"], Targets=[{"Id": address}])
            return
        address, backend = self.away
        registered = self.chain.health()
        if registered.get(address, ("gone", None))[0] == "draining":
            return
        backend.kill()
        backend.revive()
        self.elb.register_targets(TargetGroupArn=self.chain.stack["tg"], Targets=[{"Id": address}])
        self.away = None

    def slow_down(self):
        for number, (_, backend) in enumerate(self.targets):
            backend.delay_s = 0.3 if number == self.done % len(self.targets) else 0.0

    def change_rules(self):
        if len(self.rules) > 5:
            self.elb.delete_rule(RuleArn=self.rules.pop(0))
            return
        condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/never-{self.done}/*"]}}
        action = {"Type": "forward", "TargetGroupArn": self.chain.stack["tg"]}
        made = self.elb.create_rule(
            ListenerArn=self.chain.stack["listener"], Priority=100 + self.done, Conditions=[condition], Actions=[action]
        )
        self.rules.append(made["Rules"][0]["RuleArn"])

    def change_certificate(self):
        made, private = signed_by_itself(self.key, NAME)
        self.chain.aws.acm.import_certificate(CertificateArn=self.certificate, Certificate=made, PrivateKey=private)

    def change_attributes(self):
        of_balancer = [
            {"Key": "idle_timeout.timeout_seconds", "Value": str(60 + self.done % 50)},
            {"Key": "routing.http.xff_client_port.enabled", "Value": str(self.done % 2 == 0).lower()},
        ]
        self.elb.modify_load_balancer_attributes(LoadBalancerArn=self.chain.stack["lb"], Attributes=of_balancer)
        algorithm = ["round_robin", "least_outstanding_requests", "weighted_random"][self.done % 3]
        of_group = [{"Key": "load_balancing.algorithm.type", "Value": algorithm}]
        self.elb.modify_target_group_attributes(TargetGroupArn=self.chain.stack["tg"], Attributes=of_group)


def test_not_one_request_fails_while_everything_changes():
    churn = Churn()
    addresses = [{"Id": address} for address, _ in churn.targets]
    churn.elb.register_targets(TargetGroupArn=churn.chain.stack["tg"], Targets=addresses)
    healthy = lambda: {state for state, _ in churn.chain.health().values()} == {"healthy"}
    until("all are healthy", healthy, within_s=30)
    loads = [Load(connect, "/hello", host) for connect, host in churn.connections() for _ in range(2)]
    for load in loads:
        load.start()
    ways = [churn.leave_or_join, churn.change_rules, churn.change_certificate, churn.change_attributes, churn.slow_down]
    end = time.monotonic() + SECONDS
    for way in itertools.cycle(ways):
        begun = time.monotonic()
        if begun > end:
            break
        way()
        churn.done += 1
        # The pace of the changes, not a wait for anything.
        time.sleep(max(0.0, EVERY_S - (time.monotonic() - begun)))
    for load in loads:
        load.going = False
    for load in loads:
        load.join(timeout=60)
    wrong = [one for load in loads for one in load.wrong]
    sent = sum(load.done for load in loads)
    slowest = max(load.slowest_s for load in loads)
    print(f"{sent} requests, {churn.done} changes in {SECONDS:.0f} s, the slowest took {slowest:.2f} s", flush=True)
    equal(wrong, [], f"{len(wrong)} of {sent}")
    equal(sent > 20 * SECONDS, True, f"{sent} requests are no load")


harness.main()
