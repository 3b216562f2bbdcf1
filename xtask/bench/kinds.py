"""Puts listeners beside the measured one, each with what a request may meet there: a thousand rules, a regular expression, a sticky group, targets with TLS
and targets that speak HTTP/2. Each has a route of the API by its name.

Prints one JSON line with the cookie that a client of the sticky group holds.
"""

import argparse
import json
import subprocess
import urllib.request
from pathlib import Path

import boto3

import rules

RULES = 1_000
FIRST_PORT = 8101
QUICK = {"Delay": 1, "MaxAttempts": 120}


class Kinds:
    def __init__(self, stack):
        self.stack, self.port = stack, FIRST_PORT
        self.elb, self.ec2, self.api = boto3.client("elbv2"), boto3.client("ec2"), boto3.client("apigatewayv2")

    def permit(self, source, target, port):
        pairs = lambda group: [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [{"GroupId": self.stack[group]}]}]
        self.ec2.authorize_security_group_egress(GroupId=self.stack[source], IpPermissions=pairs(target))
        self.ec2.authorize_security_group_ingress(GroupId=self.stack[target], IpPermissions=pairs(source))

    def group(self, name, port=8080, backend=None, **more):
        """A target group; its target is a program at `backend`, or the stack's own are."""
        made = self.elb.create_target_group(
            Name=name, Protocol=more.pop("Protocol", "HTTP"), Port=port, VpcId=self.stack["vpc"], TargetType="ip", HealthCheckPath="/health",
            HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2, **more,
        )
        arn = made["TargetGroups"][0]["TargetGroupArn"]
        addresses = ["10.0.10.10", "10.0.11.10"]
        if backend:
            self.permit("alb_sg", "target_sg", port)
            addresses = [f"10.0.10.{port % 100 + 100}"]
            attach = ["tidegate", "attach", "--vpc", self.stack["vpc"], "--security-group", self.stack["target_sg"]]
            subprocess.run([*attach, f"{addresses[0]}:{port}", backend], check=True, stdout=subprocess.DEVNULL, timeout=30)
        self.elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": address} for address in addresses])
        return arn

    def listener(self, name, action):
        """A listener whose default action this is, and the API's route to it."""
        port, self.port = self.port, self.port + 1
        self.permit("link_sg", "alb_sg", port)
        made = self.elb.create_listener(LoadBalancerArn=self.stack["lb"], Protocol="HTTP", Port=port, DefaultActions=[action])
        arn = made["Listeners"][0]["ListenerArn"]
        integration = self.api.create_integration(
            ApiId=self.stack["api"], IntegrationType="HTTP_PROXY", IntegrationMethod="ANY", IntegrationUri=arn, ConnectionType="VPC_LINK",
            ConnectionId=self.stack["link"], PayloadFormatVersion="1.0",
        )["IntegrationId"]
        self.api.create_route(ApiId=self.stack["api"], RouteKey=f"GET /{name}", Target=f"integrations/{integration}")
        return arn

    def await_health(self, group):
        self.elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig=QUICK)


def forward(group):
    return {"Type": "forward", "TargetGroupArn": group}


def refuse():
    return {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "no rule"}}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", required=True)
    parser.add_argument("--public", required=True)
    parser.add_argument("--tls", required=True, help="a backend with TLS")
    parser.add_argument("--http2", required=True, help="a backend that speaks HTTP/2 without TLS")
    options = parser.parse_args()
    stack = json.loads(Path(options.state).read_text())
    kinds = Kinds(stack)
    four = kinds.listener("four", refuse())
    many = kinds.listener("many", refuse())
    rules.put(kinds.elb, four, 3, stack["tg"])
    rules.put(kinds.elb, many, RULES - 1, stack["tg"])
    path = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}]
    for listener in (four, many):
        kinds.elb.create_rule(ListenerArn=listener, Priority=rules.LAST, Conditions=path, Actions=[forward(stack["tg"])])
    regex = [{"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/[a-z]+(/[0-9]+)?$"]}}]
    by_regex = kinds.listener("regex", refuse())
    kinds.elb.create_rule(ListenerArn=by_regex, Priority=1, Conditions=regex, Actions=[forward(stack["tg"])])
    sticky = kinds.group("sticky")
    stays = [{"Key": "stickiness.enabled", "Value": "true"}, {"Key": "stickiness.type", "Value": "lb_cookie"}]
    kinds.elb.modify_target_group_attributes(TargetGroupArn=sticky, Attributes=stays)
    groups = [
        ("sticky", sticky),
        ("https", kinds.group("https", 8443, options.tls, Protocol="HTTPS")),
        ("http2", kinds.group("http2", 8082, options.http2, ProtocolVersion="HTTP2")),
    ]
    for name, group in groups:
        kinds.listener(name, forward(group))
        kinds.await_health(group)
    host = f"{stack['api']}.execute-api.us-east-1.amazonaws.com"
    asked = urllib.request.Request(f"{options.public.rstrip('/')}/sticky", headers={"Host": host})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        cookies = [value.split(";")[0] for value in answer.headers.get_all("set-cookie")]
    print(json.dumps({"cookie": "; ".join(cookies)}), flush=True)


if __name__ == "__main__":
    main()
