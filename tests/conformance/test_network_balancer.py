"""Network load balancers that carry connections: through sockets, links of both versions and an application load balancer behind them."""

import json
import socket
import socketserver
import ssl
import struct
import tempfile
import threading
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

import harness
import build  # harness finds it
from chain import Chain
from harness import equal, until
from rest import Api
from sockets import certificate, curl, listen, signed_by_itself


class Taker(socketserver.ThreadingTCPServer):
    """Answers each connection with what it is called, then says again what it is told. What came first is kept."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, name, context=None):
        self.name, self.context, self.first, self.open = name.encode(), context, [], []
        super().__init__(("127.0.0.1", 0), Talk)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return "%s:%d" % self.server_address

    def kill(self):
        self.shutdown()
        self.server_close()
        for connection in self.open:
            connection.close()


class Talk(socketserver.BaseRequestHandler):
    def handle(self):
        stream = self.request
        self.server.open.append(stream)
        try:
            if self.server.context:
                stream = self.server.context.wrap_socket(stream, server_side=True)
            stream.sendall(self.server.name + b"\n")
            while data := stream.recv(65536):
                self.server.first.append(data)
                stream.sendall(data)
            stream.sendall(b"bye\n")
        except OSError:
            pass


class Net:
    """A chain, and beside it a network load balancer with a group of TCP targets at ports of their own."""

    def __init__(self):
        self.chain = Chain(harness.server(), name="nlb")
        self.aws, self.server, stack = self.chain.aws, self.chain.server, self.chain.stack
        self.takers = [Taker("one"), Taker("two")]
        self.group = self.target_group("tcp", port=9000)
        elb, ec2 = self.aws.elbv2, self.aws.ec2
        self.sg = ec2.create_security_group(GroupName="nlb", Description="nlb", VpcId=stack["vpc"])["GroupId"]
        stack["nlb_sg"] = self.sg
        self.chain.permit("link_sg", "nlb_sg", 9000)
        for port in (9000, 8080):
            permission = build.by_group(port, self.sg)
            ec2.authorize_security_group_ingress(GroupId=stack["target_sg"], IpPermissions=permission)
        self.lb = elb.create_load_balancer(
            Name="nlb-net",
            Type="network",
            Scheme="internal",
            Subnets=[stack["private_a"], stack["private_b"]],
            SecurityGroups=[self.sg],
        )["LoadBalancers"][0]
        self.lb_arn = self.lb["LoadBalancerArn"]
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=self.lb_arn, Attributes=[{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
        )
        self.addresses = ["10.0.10.20", "10.0.11.20"]
        for address, taker in zip(self.addresses, self.takers):
            self.attach(f"{address}:9000", taker.address)
        targets = [{"Id": address, "Port": 9000} for address in self.addresses]
        elb.register_targets(TargetGroupArn=self.group, Targets=targets)
        self.listener = self.listen_on(9000, self.group)
        self.await_health(self.group, ["healthy", "healthy"])
        self.url = listen(self.chain, self.listener, "--security-group", stack["link_sg"]).json["url"]

    def attach(self, where, host):
        stack = self.chain.stack
        self.server.tidegate("attach", "--vpc", stack["vpc"], "--security-group", stack["target_sg"], where, host)

    def target_group(self, name, protocol="TCP", port=9000, kind="ip", **options):
        made = self.aws.elbv2.create_target_group(
            Name=f"nlb-{name}",
            Protocol=protocol,
            Port=port,
            VpcId=self.chain.stack["vpc"],
            TargetType=kind,
            HealthCheckIntervalSeconds=5,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
            HealthCheckTimeoutSeconds=2,
            **options,
        )
        return made["TargetGroups"][0]["TargetGroupArn"]

    def listen_on(self, port, group, protocol="TCP", lb=None, **options):
        action = {"Type": "forward", "TargetGroupArn": group}
        made = self.aws.elbv2.create_listener(
            LoadBalancerArn=lb or self.lb_arn, Protocol=protocol, Port=port, DefaultActions=[action], **options
        )
        return made["Listeners"][0]["ListenerArn"]

    def health(self, group):
        listed = self.aws.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return sorted(target["TargetHealth"]["State"] for target in listed)

    def await_health(self, group, wanted):
        try:
            until(f"targets are {wanted}", lambda: self.health(group) == wanted, within_s=30)
        except AssertionError as late:
            told = self.aws.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            raise AssertionError(f"{late}: {told}") from late

    def set(self, group, **attributes):
        pairs = [{"Key": key.replace("__", "."), "Value": value} for key, value in attributes.items()]
        self.aws.elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=pairs)


@harness.once
def net():
    return Net()


def dial(url, context=None, name=None):
    where = urlsplit(url)
    stream = socket.create_connection((where.hostname, where.port), timeout=15)
    return context.wrap_socket(stream, server_hostname=name) if context else stream


def line(stream):
    said = b""
    while not said.endswith(b"\n"):
        more = stream.recv(1)
        if not more:
            return said or None
        said += more
    return said


def trusting():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_bytes_go_both_ways_to_each_target_and_each_side_ends_alone():
    names = set()
    for _ in range(60):
        with dial(net().url) as stream:
            names.add(line(stream))
            sent = bytes(range(256)) * 256
            stream.sendall(sent)
            got = b""
            while len(got) < len(sent):
                got += stream.recv(65536)
            equal(got == sent, True, "said again")
            stream.shutdown(socket.SHUT_WR)
            equal(line(stream), b"bye\n", "the target may speak after the client's end")
    equal(names, {b"one\n", b"two\n"})


# sees: Target groups with protocol TCP: stickiness.enabled
def test_a_client_stays_with_its_target_by_its_address_alone():
    net().set(net().group, stickiness__enabled="true")
    try:
        names = set()
        for _ in range(30):
            with dial(net().url) as stream:
                names.add(line(stream))
        equal(len(names), 1, names)
    finally:
        net().set(net().group, stickiness__enabled="false")


def test_a_group_that_denies_is_silence_and_is_explained():
    stack, ec2 = net().chain.stack, net().aws.ec2
    permission = build.by_group(9000, net().sg)
    ec2.revoke_security_group_ingress(GroupId=stack["target_sg"], IpPermissions=permission)
    try:
        asked = net().server.explain("GET", net().url + "/")
        equal((asked.returncode, asked.json["reason"]), (3, "SG_INGRESS_DENIED"))
        kinds = [hop["kind"] for hop in asked.json["hops"]]
        equal(kinds, ["socket", "security-group", "listener", "target-group", "security-group"])
        for fix in asked.json["fix"]:
            harness.command(["bash", "-c", fix], net().server.env())
        asked = net().server.explain("GET", net().url + "/")
        equal((asked.returncode, asked.json["reason"]), (0, None))
    finally:
        rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [stack["target_sg"]]}])
        if not any(rule.get("FromPort") == 9000 for rule in rules["SecurityGroupRules"]):
            ec2.authorize_security_group_ingress(GroupId=stack["target_sg"], IpPermissions=permission)
    with dial(net().url) as stream:
        equal(line(stream) in (b"one\n", b"two\n"), True)


# sees: Target groups with protocol TCP: preserve_client_ip.enabled
def test_targets_see_the_clients_address_or_the_nodes():
    stack, ec2 = net().chain.stack, net().aws.ec2
    group = ec2.create_security_group(GroupName="by-address", Description="d", VpcId=stack["vpc"])["GroupId"]
    socket_of = net().server.tidegate("status", "--output", "json").json["realms"][0]["listener_sockets"][0]
    client = {"IpProtocol": "tcp", "FromPort": 9000, "ToPort": 9000}
    client["IpRanges"] = [{"CidrIp": f"{socket_of['private_ip']}/32"}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[client])
    interfaces = ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [stack["vpc"]]}])
    mine = [one for one in interfaces["NetworkInterfaces"] if one["PrivateIpAddress"] in net().addresses]
    for one in mine:
        ec2.modify_network_interface_attribute(NetworkInterfaceId=one["NetworkInterfaceId"], Groups=[group])
    try:
        equal(net().server.explain("GET", net().url).json["reason"], "SG_INGRESS_DENIED", "a node's address")
        net().set(net().group, preserve_client_ip__enabled="true")
        equal(net().server.explain("GET", net().url).json["reason"], None, "the client's")
    finally:
        net().set(net().group, preserve_client_ip__enabled="false")
        for one in mine:
            wanted = [stack["target_sg"]]
            ec2.modify_network_interface_attribute(NetworkInterfaceId=one["NetworkInterfaceId"], Groups=wanted)
        ec2.delete_security_group(GroupId=group)


# sees: Target groups with protocol TCP: proxy_protocol_v2.enabled
def test_a_connection_begins_with_a_header_of_the_proxy_protocol():
    net().set(net().group, proxy_protocol_v2__enabled="true")
    for taker in net().takers:
        taker.first.clear()
    try:
        with dial(net().url) as stream:
            port = stream.getsockname()[1]
            line(stream)
            header = stream.recv(28, socket.MSG_WAITALL)
        signature, version, kind, length, source, to, source_port, to_port = struct.unpack(">12sBBH4s4sHH", header)
        equal((signature, version, kind, length), (b"\r\n\r\n\x00\r\nQUIT\n", 0x21, 0x11, 12))
        status = net().server.tidegate("status", "--output", "json").json["realms"][0]["listener_sockets"][0]
        equal(socket.inet_ntoa(source), status["private_ip"])
        equal((source_port, to_port), (port, 9000))
    finally:
        net().set(net().group, proxy_protocol_v2__enabled="false")


# sees: Target groups with protocol TCP: target_health_state.unhealthy.connection_termination.enabled
def test_a_dead_target_is_left_out_and_its_connections_end():
    victim = net().takers[0]
    held = []
    while not any(name == b"one\n" for _, name in held):
        stream = dial(net().url)
        held.append((stream, line(stream)))
    victim.shutdown()
    victim.server_close()
    until("it is noticed", lambda: net().health(net().group) == ["healthy", "unhealthy"], within_s=40)
    try:
        for stream, name in held:
            stream.settimeout(15)
            if name == b"one\n":
                equal(stream.recv(1), b"", "its connection ended with it")
            else:
                stream.sendall(b"still\n")
                equal(line(stream), b"still\n", "the others go on")
        for _ in range(20):
            with dial(net().url) as stream:
                equal(line(stream), b"two\n")
    finally:
        for stream, _ in held:
            stream.close()
        net().takers[0] = Taker("one")
        net().attach(f"{net().addresses[0]}:9000", net().takers[0].address)
        net().await_health(net().group, ["healthy", "healthy"])


# sees: Target groups with protocol TCP: target_health_state.unhealthy.draining_interval_seconds
def test_an_unhealthy_target_drains_for_its_time():
    key = "target_health_state.unhealthy.{}".format
    modify, pair = net().aws.elbv2.modify_target_group_attributes, lambda name, value: {"Key": key(name), "Value": value}
    draining = pair("draining_interval_seconds", "7200")
    harness.refused("InvalidConfigurationRequest", modify, TargetGroupArn=net().group, Attributes=[draining])
    modify(TargetGroupArn=net().group, Attributes=[pair("connection_termination.enabled", "false"), draining])
    held = dial(net().url)
    while line(held) != b"one\n":
        held.close()
        held = dial(net().url)
    victim = net().takers[0]
    victim.shutdown()
    victim.server_close()

    def answers(stream):
        stream.sendall(b"still\n")
        return line(stream) == b"still\n"

    try:
        net().await_health(net().group, ["healthy", "unhealthy.draining"])
        equal(answers(held), True, "while it drains")
        for _ in range(20):
            with dial(net().url) as stream:
                equal(line(stream), b"two\n", "no new ones")
        net().server.tidegate("tick", "3600")
        equal((net().health(net().group), answers(held)), (["healthy", "unhealthy.draining"], True))
        net().server.tidegate("tick", "3600")
        equal(net().health(net().group), ["healthy", "unhealthy"])
        held.settimeout(15)
        equal(held.recv(1), b"", "its time is over")
    finally:
        held.close()
        modify(TargetGroupArn=net().group, Attributes=[pair("draining_interval_seconds", "0"), pair("connection_termination.enabled", "true")])
        net().takers[0] = Taker("one")
        net().attach(f"{net().addresses[0]}:9000", net().takers[0].address)
        net().await_health(net().group, ["healthy", "healthy"])


def test_tls_ends_at_the_load_balancer_and_begins_again():
    elb = net().aws.elbv2
    harness.refused(
        "ValidationError",
        elb.create_listener,
        LoadBalancerArn=net().lb_arn,
        Protocol="TLS",
        Port=9443,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": net().group}],
    )
    arn = certificate(net().chain, ec.generate_private_key(ec.SECP256R1()), "nlb.example.com")
    secured = net().target_group("tls", protocol="TLS", port=9000)
    listener = net().listen_on(
        9443, net().group, protocol="TLS", Certificates=[{"CertificateArn": arn}], AlpnPolicy=["HTTP2Preferred"]
    )
    shown = elb.describe_listeners(ListenerArns=[listener])["Listeners"][0]
    equal((shown["Protocol"], shown["AlpnPolicy"]), ("TLS", ["HTTP2Preferred"]))
    stack = net().chain.stack
    net().chain.permit("link_sg", "nlb_sg", 9443)
    url = listen(net().chain, listener, "--security-group", stack["link_sg"]).json["url"]
    context = trusting()
    context.set_alpn_protocols(["http/1.1", "h2"])
    with dial(url, context, "nlb.example.com") as stream:
        equal(stream.selected_alpn_protocol(), "h2", "the listener prefers it")
        equal(line(stream) in (b"one\n", b"two\n"), True)
        stream.sendall(b"within\n")
        equal(line(stream), b"within\n")
    # The same with targets that speak TLS themselves: bytes in the clear end at the load balancer.
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(signed_by_itself(ec.generate_private_key(ec.SECP256R1()), "target")))
        file.flush()
        server.load_cert_chain(file.name)
    taker = Taker("secured", server)
    net().attach("10.0.10.21:9000", taker.address)
    elb.register_targets(TargetGroupArn=secured, Targets=[{"Id": "10.0.10.21", "Port": 9000}])
    elb.modify_listener(ListenerArn=listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": secured}])
    net().await_health(secured, ["healthy"])
    with dial(url, trusting(), "nlb.example.com") as stream:
        equal(line(stream), b"secured\n")
    taker.kill()


def web():
    """A group of the chain's two HTTP targets behind the network load balancer, with its listener."""
    if not hasattr(net(), "web"):
        group = net().target_group("web", port=8080, HealthCheckProtocol="HTTP", HealthCheckPath="/health")
        targets = [{"Id": address} for address in net().chain.health()]
        net().aws.elbv2.register_targets(TargetGroupArn=group, Targets=targets)
        net().web = net().listen_on(80, group)
        net().chain.permit("link_sg", "nlb_sg", 80)
        net().await_health(group, ["healthy", "healthy"])
    return net().web


def test_an_http_api_reaches_targets_through_a_link_of_version_2():
    stack = net().chain.stack
    net().chain.route("ANY /bytes", web())
    answers = [net().chain.get("/bytes", method="POST", body="a body") for _ in range(30)]
    equal({answer.status for answer in answers}, {200})
    told = [json.loads(answer.text) for answer in answers]
    equal({one["backend"] for one in told}, {"nlb-a", "nlb-b"})
    equal({(one["method"], one["path"], one["body"]) for one in told}, {("POST", "/bytes", "a body")})
    equal("x-forwarded-for" in told[0]["headers"], False, "no load balancer of requests was on the way")
    permission = build.by_group(80, stack["link_sg"])
    net().aws.ec2.revoke_security_group_ingress(GroupId=net().sg, IpPermissions=permission)
    answer = net().chain.get("/bytes")
    equal((answer.status, answer.headers["x-tidegate-trace"]), (503, "SG_INGRESS_DENIED"), "kept connections end too")
    explained = net().server.explain(answer.headers["apigw-requestid"])
    equal((explained.returncode, explained.json["reason"]), (3, "SG_INGRESS_DENIED"))
    net().chain.run_fix(explained.json)
    equal(net().chain.get("/bytes").status, 200)


def test_a_rest_api_reaches_targets_through_a_link_of_version_1():
    rest = net().aws.apigateway
    link = rest.create_vpc_link(name="first", targetArns=[net().lb_arn])["id"]
    until("it is there", lambda: rest.get_vpc_link(vpcLinkId=link)["status"] == "AVAILABLE", within_s=10)
    web()
    api = Api(net().server, "nlb-rest", rest)
    at = api.method("GET /pets")
    uri = f"http://{net().lb['DNSName']}/pets"
    rest.put_integration(
        **at, type="HTTP_PROXY", integrationHttpMethod="GET", uri=uri, connectionType="VPC_LINK", connectionId=link
    )
    api.deploy()
    # The load balancer's groups judge what comes from the service, until it is told not to.
    answer = api.call("/pets")
    equal((answer.status, answer.headers["x-tidegate-trace"]), (500, "SG_INGRESS_DENIED"))
    elb = net().aws.elbv2
    key = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
    equal(elb.describe_load_balancers(LoadBalancerArns=[net().lb_arn])["LoadBalancers"][0][key], "on")
    said = elb.set_security_groups(LoadBalancerArn=net().lb_arn, SecurityGroups=[net().sg], **{key: "off"})
    equal(said[key], "off")
    harness.refused(
        "ValidationError",
        elb.set_security_groups,
        LoadBalancerArn=net().lb_arn,
        SecurityGroups=[net().sg],
        **{key: "maybe"},
    )
    answer = api.call("/pets")
    equal(answer.status, 200)
    told = json.loads(answer.text)
    equal((told["path"], told["headers"]["host"]), ("/pets", net().lb["DNSName"]))
    traced = net().server.explain(answer.headers["x-amzn-requestid"]).json
    kinds = [hop["kind"] for hop in traced["hops"]]
    equal(kinds[-5:], ["link", "listener", "target-group", "security-group", "target"], kinds)


def test_an_application_load_balancer_is_a_target():
    elb, stack, ec2 = net().aws.elbv2, net().chain.stack, net().aws.ec2
    group = net().target_group("alb", port=80, kind="alb", HealthCheckProtocol="HTTP", HealthCheckPath="/health")
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": stack["lb"], "Port": 80}])
    listener = net().listen_on(8000, group)
    for port in (80, 8000):
        ec2.authorize_security_group_ingress(GroupId=stack["alb_sg"], IpPermissions=build.by_group(port, net().sg))
    net().chain.permit("link_sg", "nlb_sg", 8000)
    net().await_health(group, ["healthy"])
    opened = listen(net().chain, listener, "--security-group", stack["link_sg"]).json
    head, body = curl(opened["url"].replace("tcp:", "http:") + "/orders")
    equal("200 OK" in head, True, head)
    seen = json.loads(body)["headers"]
    equal(seen["x-forwarded-for"], opened["private_ip"], "the client's own address")
    # Who is led there has no way of its own, and is a client that is counted all the same.
    direct = build.by_group(80, stack["link_sg"])
    ec2.revoke_security_group_ingress(GroupId=stack["alb_sg"], IpPermissions=direct)
    equal("200 OK" in curl(opened["url"].replace("tcp:", "http:") + "/orders")[0], True)
    ec2.authorize_security_group_ingress(GroupId=stack["alb_sg"], IpPermissions=direct)
    name = stack["lb"].split("loadbalancer/")[1]
    counted = f'tidegate_applicationelb_new_connection_count_total{{load_balancer="{name}"}} 2'
    equal(counted in harness.request(net().server.api, "/metrics").text.split("\n"), True, "both connections")
    net().chain.route("ANY /both", listener)
    answer = net().chain.get("/both")
    equal(answer.status, 200)
    kinds = [hop["kind"] for hop in net().server.explain(answer.headers["apigw-requestid"]).json["hops"]]
    equal(kinds[-11:-5], ["link", "security-group", "listener", "target-group", "security-group", "target"], kinds)
    equal(kinds[-5:], ["listener", "rule", "target-group", "security-group", "target"], kinds)
    # Who comes through a link of version 1 is to the second one the node of the first.
    rest = net().aws.apigateway
    first = next(one["id"] for one in rest.get_vpc_links()["items"] if one["targetArns"] == [net().lb_arn])
    of_node = {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.10.0/24", "10.0.11.0/24"]}}
    path = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/who"]}}
    said = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "a node"}}
    elb.create_rule(ListenerArn=stack["listener"], Priority=5, Conditions=[path, of_node], Actions=[said])
    of_service = Api(net().server, "nlb-who", rest)
    uri = f"http://{net().lb['DNSName']}:8000/who"
    through = dict(type="HTTP_PROXY", integrationHttpMethod="GET", connectionType="VPC_LINK", connectionId=first)
    rest.put_integration(**of_service.method("GET /who"), uri=uri, **through)
    of_service.deploy()
    answer = of_service.call("/who")
    equal((answer.status, answer.text), (200, "a node"))
    # Each of the two load balancers judges: the second's groups deny, and the probe hears nothing either.
    permission = build.by_group(80, net().sg)
    ec2.revoke_security_group_ingress(GroupId=stack["alb_sg"], IpPermissions=permission)
    answer = net().chain.get("/both")
    equal((answer.status, answer.headers["x-tidegate-trace"]), (503, "SG_INGRESS_DENIED"))
    net().await_health(group, ["unhealthy"])
    ec2.authorize_security_group_ingress(GroupId=stack["alb_sg"], IpPermissions=permission)
    net().await_health(group, ["healthy"])


def test_a_load_balancer_without_groups_lets_everybody_in():
    elb, stack = net().aws.elbv2, net().chain.stack
    made = elb.create_load_balancer(
        Name="nlb-open", Type="network", Scheme="internal", Subnets=[stack["private_a"]]
    )["LoadBalancers"][0]
    equal("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic" in made, False)
    group = net().target_group("open", port=9000)
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": net().addresses[0]}])
    listener = net().listen_on(9000, group, lb=made["LoadBalancerArn"])
    ec2 = net().aws.ec2
    node = [{"IpProtocol": "tcp", "FromPort": 9000, "ToPort": 9000, "IpRanges": [{"CidrIp": "10.0.10.0/24"}]}]
    ec2.authorize_security_group_ingress(GroupId=stack["target_sg"], IpPermissions=node)
    ec2.authorize_security_group_egress(GroupId=stack["link_sg"], IpPermissions=node)
    net().await_health(group, ["healthy"])
    opened = listen(net().chain, listener, "--security-group", stack["link_sg"]).json
    with dial(opened["url"]) as stream:
        equal(line(stream), b"one\n")


harness.main()
