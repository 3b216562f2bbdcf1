"""Puts listeners beside the measured one, each with what a request may meet there: a thousand rules, a regular expression, a sticky group, targets with TLS
and targets that speak HTTP/2. Each but the last has a route of the API by its name; a client of the last speaks HTTP/2 within TLS to a socket of
the listener, as it must on AWS.

Prints one JSON line with the cookie that a client of the sticky group holds, and the port of that socket.
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
    def __init__(self, stack, pem, key):
        self.stack, self.port = stack, FIRST_PORT
        imported = boto3.client("acm").import_certificate(Certificate=Path(pem).read_bytes(), PrivateKey=Path(key).read_bytes())
        self.certificate = imported["CertificateArn"]
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
        arn = self.listening(action, Protocol="HTTP")
        integration = self.api.create_integration(
            ApiId=self.stack["api"], IntegrationType="HTTP_PROXY", IntegrationMethod="ANY", IntegrationUri=arn, ConnectionType="VPC_LINK",
            ConnectionId=self.stack["link"], PayloadFormatVersion="1.0",
        )["IntegrationId"]
        self.api.create_route(ApiId=self.stack["api"], RouteKey=f"GET /{name}", Target=f"integrations/{integration}")
        return arn

    def socket(self, action):
        """The port of a socket of a listener with TLS, whose default action this is."""
        arn = self.listening(action, Protocol="HTTPS", Certificates=[{"CertificateArn": self.certificate}])
        words = ["tidegate", "attach", "--listen", arn, "127.0.0.1:0", "--security-group", self.stack["link_sg"], "--output", "json"]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, timeout=30)
        return int(json.loads(done.stdout)["url"].rsplit(":", 1)[1])

    def listening(self, action, **how):
        port, self.port = self.port, self.port + 1
        self.permit("link_sg", "alb_sg", port)
        made = self.elb.create_listener(LoadBalancerArn=self.stack["lb"], Port=port, DefaultActions=[action], **how)
        return made["Listeners"][0]["ListenerArn"]

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
    parser.add_argument("--certificate", required=True, help="for a listener with TLS")
    parser.add_argument("--key", required=True)
    options = parser.parse_args()
    stack = json.loads(Path(options.state).read_text())
    kinds = Kinds(stack, options.certificate, options.key)
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
        ("https", kinds.group("https", 8443, options.tls, Protocol="HTTPS", HealthCheckProtocol="HTTPS")),
    ]
    for name, group in groups:
        kinds.listener(name, forward(group))
        kinds.await_health(group)
    over_http2 = kinds.group("http2", 8082, options.http2, ProtocolVersion="HTTP2")
    port = kinds.socket(forward(over_http2))
    kinds.await_health(over_http2)
    host = f"{stack['api']}.execute-api.us-east-1.amazonaws.com"
    asked = urllib.request.Request(f"{options.public.rstrip('/')}/sticky", headers={"Host": host})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        cookies = [value.split(";")[0] for value in answer.headers.get_all("set-cookie")]
    print(json.dumps({"cookie": "; ".join(cookies), "port": port}), flush=True)


if __name__ == "__main__":
    main()
