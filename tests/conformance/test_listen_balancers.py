"""Internet-facing load balancers at addresses of this machine (`listen.balancers`): each listener has a socket there, whose clients are
judged by the address that they come from.
"""

import contextlib
import json
import random
import socket
import socketserver
import ssl
import tempfile
import threading
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

import harness
import build  # harness finds it
from chain import Chain
from harness import equal, until
from sockets import certificate, curl, signed_by_itself

QUICK = '[timeouts]\nblocked_connect = "200ms"\n'
HERE = "127.0.0.1/32"
# Below the ports that the system gives by itself.
OWN_PORTS = range(10_000, 32_000)
# Each draw hits a port that is taken with less than one chance in a hundred.
DRAWS = 8


class Taker(socketserver.ThreadingTCPServer):
    """Answers a connection with all that it was sent, once the client has no more to say."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return "%s:%d" % self.server_address


class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        sent = b""
        while more := self.request.recv(65536):
            sent += more
        self.request.sendall(b"got " + sent)


class Facing:
    """A chain whose load balancer is internal, and beside it an application load balancer that faces the internet."""

    def __init__(self):
        self.kept = tempfile.TemporaryDirectory(prefix="tidegate-facing-")
        self.server = harness.Server(
            data_dir=f"{self.kept.name}/data", config=QUICK, args=["--balancers", "127.0.0.1"]
        )
        self.chain = Chain(self.server, name="facing")
        self.stack = self.chain.stack
        self.elb, self.ec2 = self.chain.aws.elbv2, self.chain.aws.ec2
        self.sg = self.stack["front_sg"] = self.group("front")
        self.permit(80)
        ec2 = self.ec2
        ec2.authorize_security_group_ingress(
            GroupId=self.stack["target_sg"], IpPermissions=build.by_group(8080, self.sg)
        )
        self.lb = self.balancer("front", SecurityGroups=[self.sg])
        self.tg = self.targets("front", "HTTP", build.TARGETS[0], 8080)
        self.http = self.listen(self.lb, 80, forward(self.tg))
        until("the target is healthy", lambda: self.health(self.tg) == ["healthy"], within_s=30)

    def group(self, name):
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.stack["vpc"])["GroupId"]

    def permit(self, port, block=HERE, group=None):
        permission = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": block}]}]
        self.ec2.authorize_security_group_ingress(GroupId=group or self.sg, IpPermissions=permission)

    def balancer(self, name, kind="application", **options):
        subnets = [self.stack["public_a"], self.stack["public_b"]]
        made = self.elb.create_load_balancer(
            Name=name, Type=kind, Scheme="internet-facing", Subnets=subnets, **options
        )
        arn = made["LoadBalancers"][0]["LoadBalancerArn"]
        self.elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig=build.QUICK)
        return arn

    def targets(self, name, protocol, address, port):
        """A group with one target. A group belongs to one load balancer."""
        group = self.elb.create_target_group(
            Name=name,
            Protocol=protocol,
            Port=port,
            VpcId=self.stack["vpc"],
            TargetType="ip",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address}])
        return group

    def health(self, group):
        listed = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [target["TargetHealth"]["State"] for target in listed]

    def listen(self, lb, port, action, protocol="HTTP", **options):
        made = self.elb.create_listener(
            LoadBalancerArn=lb, Protocol=protocol, Port=port, DefaultActions=[action], **options
        )
        return made["Listeners"][0]["ListenerArn"]

    def status(self):
        return self.server.tidegate("status", "--output", "json").json["realms"][0]["internet_listeners"]

    def told(self, listener):
        """What status says of a listener."""
        found = [one for one in self.status() if one["listener"] == listener]
        equal(len(found), 1, listener)
        return found[0]

    def url(self, listener):
        told = self.told(listener)
        equal(told["problem"], None)
        return told["url"]


def forward(group):
    return {"Type": "forward", "TargetGroupArn": group}


@harness.once
def facing():
    return Facing()


def is_refused(url):
    where = urlsplit(url)
    try:
        socket.create_connection((where.hostname, where.port), timeout=2).close()
    except ConnectionRefusedError:
        return True
    return False


def spoken(url, said):
    """What a listener that carries bytes answers; nothing where it ends the connection."""
    where = urlsplit(url)
    with contextlib.suppress(ConnectionResetError):
        with socket.create_connection((where.hostname, where.port), timeout=15) as stream:
            stream.sendall(said)
            stream.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: stream.recv(65536), b""))
    return b""


def header(head, name):
    return [line.split(": ", 1)[1].strip() for line in head.split("\n") if line.lower().startswith(name + ":")]


def test_clients_are_the_addresses_that_they_come_from():
    net = facing()
    told = net.told(net.http)
    equal((told["load_balancer"], told["protocol"], told["port"]), ("front", "HTTP", 80))
    equal(urlsplit(told["url"]).hostname, "127.0.0.1")
    equal(urlsplit(told["url"]).port >= 1024, True, "a port below 1024 is the system's to give")
    head, body = curl(told["url"] + "/hello")
    equal("200 OK" in head, True, head)
    equal(json.loads(body)["headers"]["x-forwarded-for"], "127.0.0.1")
    equal([one["listener"] for one in net.status()], [net.http], "the internal one is not there")
    text = net.server.tidegate("status").stdout
    equal(f"internet {told['url']} enters front HTTP:80" in text, True, text)
    log = net.server.tail(4000)
    equal("the socket of a listener is open" in log and urlsplit(told["url"]).netloc in log, True, "the log says it")


def test_a_rule_for_their_address_admits_and_without_it_is_silence():
    net = facing()
    url = net.url(net.http)
    equal(net.chain.revoke("front_sg", egress=False), 1)
    head, _ = curl(url + "/hello")
    equal("503 Service" in head and header(head, "x-tidegate-trace") == ["SG_INGRESS_DENIED"], True, head)
    explained = net.server.explain(*header(head, "x-tidegate-request-id"))
    equal((explained.returncode, explained.json["reason"]), (3, "SG_INGRESS_DENIED"))
    denied = [hop for hop in explained.json["hops"] if hop["kind"] == "security-group" and hop["verdict"] == "deny"]
    equal([(hop["from"], hop["to_groups"]) for hop in denied], [(None, [net.sg])])
    equal("127.0.0.1 (a client on the internet)" in denied[0]["detail"], True, denied)
    mend = f"aws ec2 authorize-security-group-ingress --group-id {net.sg} "
    mend += f"--ip-permissions 'IpProtocol=tcp,FromPort=80,ToPort=80,IpRanges=[{{CidrIp={HERE}}}]'"
    equal(explained.json["fix"], [mend])
    asked = net.server.explain("GET", url + "/hello")
    equal((asked.returncode, asked.json["fix"]), (3, [mend]), "asked about without a client")
    # A rule for a group speaks of interfaces, and a client on the internet has none.
    for group in (net.sg, net.stack["link_sg"]):
        net.ec2.authorize_security_group_ingress(GroupId=net.sg, IpPermissions=build.by_group(80, group))
    equal("503 Service" in curl(url + "/hello")[0], True)
    net.chain.run_fix(explained.json)
    equal("200 OK" in curl(url + "/hello")[0], True)
    equal(net.server.explain("GET", url + "/hello").json["outcome"], "passed")
    lists = net.ec2.create_managed_prefix_list(
        PrefixListName="here", MaxEntries=2, AddressFamily="IPv4", Entries=[{"Cidr": "127.0.0.0/8"}]
    )["PrefixList"]["PrefixListId"]
    net.chain.revoke("front_sg", egress=False)
    permission = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "PrefixListIds": [{"PrefixListId": lists}]}]
    net.ec2.authorize_security_group_ingress(GroupId=net.sg, IpPermissions=permission)
    equal("200 OK" in curl(url + "/hello")[0], True, "by a prefix list")


def test_a_listener_with_tls_presents_its_certificate():
    net = facing()
    arn = certificate(net.chain, ec.generate_private_key(ec.SECP256R1()), "facing.example")
    net.permit(443)
    secure = net.listen(net.lb, 443, forward(net.tg), protocol="HTTPS", Certificates=[{"CertificateArn": arn}])
    url = net.url(secure)
    equal(url.startswith("https://127.0.0.1:"), True, url)
    head, body = curl(url + "/hello", "-k", "--http2")
    equal(head.startswith("HTTP/2 200"), True, head)
    equal(json.loads(body)["headers"]["x-forwarded-for"], "127.0.0.1")
    net.elb.delete_listener(ListenerArn=secure)
    until("the port is closed", lambda: is_refused(url), within_s=10)


def test_a_network_load_balancer_hands_the_address_on():
    net = facing()
    taker, stack = Taker(), net.stack
    net.server.tidegate(
        "attach", "--vpc", stack["vpc"], "--security-group", stack["target_sg"], "10.0.10.20:9000", taker.address
    )
    group, other = (net.targets(name, "TCP", "10.0.10.20", 9000) for name in ("open", "narrow"))
    on = [{"Key": "proxy_protocol_v2.enabled", "Value": "true"}, {"Key": "preserve_client_ip.enabled", "Value": "true"}]
    net.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=on)
    # One without groups of its own judges nobody; its target sees the client's address, and judges that.
    open_lb = net.balancer("open", kind="network")
    everywhere = [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
    net.elb.modify_load_balancer_attributes(LoadBalancerArn=open_lb, Attributes=everywhere)
    url = net.url(net.listen(open_lb, 9000, forward(group), protocol="TCP"))
    equal(url.startswith("tcp://127.0.0.1:"), True, url)
    equal(spoken(url, b"hello"), b"", "the target's group does not admit the address")
    asked = net.server.explain("GET", url)
    equal((asked.returncode, asked.json["reason"]), (3, "SG_INGRESS_DENIED"))
    equal(any(f"CidrIp={HERE}" in line and stack["target_sg"] in line for line in asked.json["fix"]), True, asked.json)
    net.chain.run_fix(asked.json)
    answer = spoken(url, b"hello")
    equal((answer[:4], answer[-5:]), (b"got ", b"hello"), answer)
    equal(answer[4 + 16 : 4 + 20], bytes([127, 0, 0, 1]), "the header of the PROXY protocol")
    made, private = signed_by_itself(ec.generate_private_key(ec.SECP256R1()), "bytes.example")
    arn = net.chain.aws.acm.import_certificate(Certificate=made, PrivateKey=private)["CertificateArn"]
    secure = net.listen(open_lb, 9443, forward(group), protocol="TLS", Certificates=[{"CertificateArn": arn}])
    where = urlsplit(net.url(secure))
    equal(where.scheme, "tls")
    context = ssl.create_default_context(cadata=made.decode())
    with socket.create_connection((where.hostname, where.port), timeout=15) as plain:
        with context.wrap_socket(plain, server_hostname="bytes.example") as stream:
            stream.sendall(b"hello")
            equal(stream.getpeercert()["subject"], ((("commonName", "bytes.example"),),))
    # One with groups judges it too.
    narrow = net.group("narrow")
    lb = net.balancer("narrow", kind="network", SecurityGroups=[narrow])
    net.elb.modify_load_balancer_attributes(LoadBalancerArn=lb, Attributes=everywhere)
    url = net.url(net.listen(lb, 9000, forward(other), protocol="TCP"))
    equal(spoken(url, b"hello"), b"")
    asked = net.server.explain("GET", url)
    equal((asked.returncode, asked.json["reason"]), (3, "SG_INGRESS_DENIED"))
    net.chain.run_fix(asked.json)
    equal(spoken(url, b"hello")[-5:], b"hello")
    for one in (open_lb, lb):
        net.elb.delete_load_balancer(LoadBalancerArn=one)
    until("the port is closed with its load balancer", lambda: is_refused(url), within_s=10)


def test_an_application_load_balancer_behind_another_sees_the_client_too():
    net, stack = facing(), facing().stack
    group = net.elb.create_target_group(
        Name="inner",
        Protocol="TCP",
        Port=80,
        VpcId=stack["vpc"],
        TargetType="alb",
        HealthCheckProtocol="HTTP",
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    net.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": stack["lb"], "Port": 80}])
    lb = net.balancer("outer", kind="network")
    url = net.url(net.listen(lb, 80, forward(group), protocol="TCP")).replace("tcp:", "http:")
    explained = net.server.explain("GET", url + "/orders")
    equal((explained.returncode, explained.json["reason"]), (3, "SG_INGRESS_DENIED"))
    mend = f"aws ec2 authorize-security-group-ingress --group-id {stack['alb_sg']} "
    mend += f"--ip-permissions 'IpProtocol=tcp,FromPort=80,ToPort=80,IpRanges=[{{CidrIp={HERE}}}]'"
    equal(explained.json["fix"], [mend], "the client's address, which the second one sees, and not the first one's node")
    net.chain.run_fix(explained.json)
    head, body = curl(url + "/orders")
    equal("200 OK" in head, True, head)
    equal(json.loads(body)["headers"]["x-forwarded-for"], "127.0.0.1")
    net.elb.delete_load_balancer(LoadBalancerArn=lb)


def test_a_listener_has_its_own_port_where_that_is_free():
    net = facing()
    for _ in range(DRAWS):
        port = random.choice(OWN_PORTS)
        net.permit(port)
        first = net.listen(net.lb, port, forward(net.tg))
        url = net.url(first)
        if urlsplit(url).port == port:
            break
        net.elb.delete_listener(ListenerArn=first)
    equal(urlsplit(url).port, port)
    equal("200 OK" in curl(url + "/hello")[0], True)
    # The same port of another load balancer is taken: it has another one, and both answer.
    second_lb = net.balancer("second", SecurityGroups=[net.sg])
    second = net.listen(second_lb, port, forward(net.targets("second", "HTTP", build.TARGETS[1], 8080)))
    told = net.told(second)
    equal((told["load_balancer"], told["port"], told["problem"]), ("second", port, None))
    equal(urlsplit(told["url"]).port != port, True, told)
    for one in (url, told["url"]):
        equal("200 OK" in curl(one + "/hello")[0], True, one)
    # Both are there again after a restart.
    net.server.kill()
    net.server.start()
    net.chain.aws = net.server.clients()
    net.elb, net.ec2 = net.chain.aws.elbv2, net.chain.aws.ec2
    urls = [net.url(first), net.url(second)]
    equal(port in [urlsplit(one).port for one in urls], True, urls)
    for one in urls:
        until("the targets are healthy", lambda: "200 OK" in curl(one + "/hello")[0], within_s=20)
    # Without its load balancer a port is closed, and the other one stays.
    net.elb.delete_load_balancer(LoadBalancerArn=second_lb)
    until("the port is closed", lambda: is_refused(urls[1]), within_s=10)
    equal("200 OK" in curl(urls[0] + "/hello")[0], True)
    equal(net.url(first), urls[0], "kept")


def test_without_the_setting_nothing_listens():
    server = harness.Server(config=QUICK)
    chain = Chain(server, name="closed")
    try:
        elb, stack = chain.aws.elbv2, chain.stack
        subnets = [stack["public_a"], stack["public_b"]]
        lb = elb.create_load_balancer(Name="facing", Subnets=subnets)["LoadBalancers"][0]
        equal(lb["Scheme"], "internet-facing")
        answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
        elb.create_listener(LoadBalancerArn=lb["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[answer])
        status = server.tidegate("status", "--output", "json").json
        equal([realm["internet_listeners"] for realm in status["realms"]], [[]])
    finally:
        server.close()
        for backend in chain.backends:
            backend.kill()


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        if facing.made():
            facing().server.close()
            for backend in facing().chain.backends:
                backend.kill()
            facing().kept.cleanup()
