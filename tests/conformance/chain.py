"""A whole chain with two live targets, for the scripts that send traffic. Built by the boto3 example, not by code of its own."""

import harness
import build  # harness finds it


def verdicts(of_link):
    """The four on the way: whose group, whether its egress, what the client gets when it denies, and why."""
    return [
        ("link_sg", True, of_link, "SG_EGRESS_DENIED"),
        ("alb_sg", False, of_link, "SG_INGRESS_DENIED"),
        ("alb_sg", True, 504, "SG_EGRESS_DENIED"),
        ("target_sg", False, 504, "SG_INGRESS_DENIED"),
    ]


HTTP_VERDICTS, REST_VERDICTS = verdicts(503), verdicts(500)


class Chain:
    def __init__(self, server, name="orders", backend=harness.Backend, **options):
        self.server = server
        self.aws = server.clients()
        self.backends = [backend(f"{name}-a"), backend(f"{name}-b")]
        self.stack = build.build(self.aws, name=name, **options)
        build.attach(self.stack, [b.address for b in self.backends], harness.binary(), server.env())
        build.register(self.aws.elbv2, self.stack)

    def get(self, path="/hello", **options):
        """By path on the API's port."""
        return self.server.invoke(self.stack["api"], path, **options)

    def host(self, domain=f"execute-api.{harness.REGION}.localhost"):
        return f"{self.stack['api']}.{domain}"

    def health(self):
        """State and reason of each target, by address."""
        listed = self.aws.elbv2.describe_target_health(TargetGroupArn=self.stack["tg"])["TargetHealthDescriptions"]
        return {t["Target"]["Id"]: (t["TargetHealth"]["State"], t["TargetHealth"].get("Reason")) for t in listed}

    def rules(self, group, egress):
        mine = [{"Name": "group-id", "Values": [self.stack[group]]}]
        found = self.aws.ec2.describe_security_group_rules(Filters=mine)["SecurityGroupRules"]
        return [rule["SecurityGroupRuleId"] for rule in found if rule["IsEgress"] == egress]

    def permit(self, from_group, to_group, port):
        """One more port from one group to another."""
        ec2, stack = self.aws.ec2, self.stack
        ec2.authorize_security_group_egress(GroupId=stack[from_group], IpPermissions=build.by_group(port, stack[to_group]))
        ec2.authorize_security_group_ingress(GroupId=stack[to_group], IpPermissions=build.by_group(port, stack[from_group]))

    def route(self, key, listener):
        """One more route of the API, by the link to a listener."""
        api = self.aws.apigatewayv2
        integration = api.create_integration(
            ApiId=self.stack["api"],
            IntegrationType="HTTP_PROXY",
            IntegrationMethod="ANY",
            IntegrationUri=listener,
            ConnectionType="VPC_LINK",
            ConnectionId=self.stack["link"],
            PayloadFormatVersion="1.0",
        )["IntegrationId"]
        api.create_route(ApiId=self.stack["api"], RouteKey=key, Target=f"integrations/{integration}")

    def revoke(self, group, egress):
        """Takes every rule of one direction away; returns how many there were."""
        ids = self.rules(group, egress)
        call = self.aws.ec2.revoke_security_group_egress if egress else self.aws.ec2.revoke_security_group_ingress
        call(GroupId=self.stack[group], SecurityGroupRuleIds=ids)
        return len(ids)

    def run_fix(self, explained):
        """Types exactly what `explain` proposes, in its order."""
        for line in explained["fix"]:
            harness.command(["bash", "-c", line], self.server.env())

    def close(self):
        build.teardown(self.aws, self.stack, harness.binary(), self.server.env())
        for backend in self.backends:
            backend.kill()
