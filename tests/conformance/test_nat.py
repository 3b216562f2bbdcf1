"""Ways out of private networks of the kernel (`egress.nat`), by a server of root and by one without any privilege: what routes, groups and network ACLs let out
reaches a world that the script makes, everything else is silent, and nothing comes in."""

import atexit
import contextlib
import os
import subprocess
import tempfile

import harness
import wire
from harness import equal, until
from hosts import MARK, ip
from inside import PORT, PYTHON, FlowLog, Inside, each, serving

NOBODY = 65534
# A public address, one that may not be reached, and one that may all the same; nobody listens at this port of theirs.
PUBLIC, FORBIDDEN, ALLOWED, CLOSED = "93.184.216.34", "192.168.77.1", "192.168.78.1", 81
METADATA = "169.254.169.254"
# A public address of this machine itself.
OWN = "93.184.216.99"
HERE, THERE = "198.18.0.1", "198.18.0.2"
# What the machine's resolver knows.
NAMES = {"world.example": PUBLIC, "inner.example": FORBIDDEN}
# 0 is an answer; of curl's codes, 7 is no way there, 28 silence, and these are a connection that was cut.
NO_WAY, SILENCE, CUT = (7, ""), (28, ""), (7, 35, 52, 55, 56)
ANSWER = (0, "out there")
WAY_OUT = {"DestinationCidrBlock": "0.0.0.0/0"}
REQUESTS = 10
# How long a request may be silent, in seconds.
SILENT_S = "0.4"
# Asks the resolver of the VPC for an address, over UDP or TCP: the code of the answer (RFC 1035 section 4.1.1), and the addresses.
ASKS = """import socket, struct, sys
name = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[2].split(".")) + bytes(1)
question = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1)
is_stream = sys.argv[1] == "tcp"
with socket.socket(type=socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM) as one:
    one.settimeout(10)
    one.connect(("10.0.0.2", 53))
    one.sendall(struct.pack(">H", len(question)) * is_stream + question)
    answer = one.recv(2048)
    while is_stream and len(answer) < 2 + int.from_bytes(answer[:2], "big"):
        answer += one.recv(2048)
answer = answer[2 * is_stream:]
count = struct.unpack(">H", answer[6:8])[0]
found = [socket.inet_ntoa(answer[len(answer) - 16 * n - 4 : len(answer) - 16 * n]) for n in range(count)]
print(answer[3] & 15, *found)
"""


# Serves a directory at port 80 of an address, without a question about its name.
SERVES = """import functools, http.server, socketserver, sys
answers = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
socketserver.ThreadingTCPServer((sys.argv[2], 80), answers).serve_forever()
"""


class World:
    """What is outside: a namespace beside this one with a program at some addresses."""

    def __init__(self):
        self.name, self.scratch = f"{MARK}w", tempfile.mkdtemp(prefix="tidegate-world-")
        ip("netns", "add", self.name)
        atexit.register(ip, "netns", "del", self.name)
        ip("link", "add", "world", "type", "veth", "peer", "name", "here", "netns", self.name)
        ip("addr", "add", f"{HERE}/30", "dev", "world")
        ip("link", "set", "world", "up")
        ip("link", "set", "lo", "up", where=self.name)
        ip("addr", "add", f"{THERE}/30", "dev", "here", where=self.name)
        ip("link", "set", "here", "up", where=self.name)
        ip("route", "add", "default", "via", HERE, where=self.name)
        for address in (PUBLIC, FORBIDDEN, ALLOWED, METADATA):
            ip("addr", "add", f"{address}/32", "dev", "lo", where=self.name)
            ip("route", "add", f"{address}/32", "via", THERE)
        # If this machine forwarded for anybody, it would be seen.
        with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
            file.write("1")
        with open(os.path.join(self.scratch, "hello"), "w") as file:
            file.write("out there")
        ip("addr", "add", f"{OWN}/32", "dev", "world")
        serving = [PYTHON, "-c", SERVES, self.scratch]
        for command, address in ((self.within(*serving, "0.0.0.0"), PUBLIC), ([*serving, OWN], OWN)):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            atexit.register(process.kill)
            until(f"{address} answers", lambda: self.curl(f"http://{address}/hello") == ANSWER, 20)

    def within(self, *words):
        return ["ip", "netns", "exec", self.name, *words]

    def curl(self, url):
        told = subprocess.run(self.within("curl", "--silent", "--max-time", "1", url), capture_output=True, text=True)
        return told.returncode, told.stdout


@harness.once
def world():
    hosts = tempfile.NamedTemporaryFile("w", delete=False)
    with hosts as file:
        file.write("".join(f"{address} {name}\n" for name, address in NAMES.items()))
    os.chmod(hosts.name, 0o644)
    subprocess.run(["mount", "--bind", hosts.name, "/etc/hosts"], check=True)
    atexit.register(os.unlink, hosts.name)
    return World()


class Scene:
    """A VPC with a private subnet whose way out is a NAT gateway in a public one, and a subnet without any."""

    def __init__(self, user, nat="nat = true\n"):
        world()
        self.server = harness.Server(config=f'[egress]\n{nat}allow = ["{ALLOWED}/32"]\n', args=["--fabric", "kernel"], user=user)
        atexit.register(self.server.close)
        clients = self.server.clients()
        self.ec2, self.logs = clients.ec2, clients.logs
        ec2 = self.ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        # Of another VPC, which no route leads to.
        ec2.create_vpc(CidrBlock="10.9.0.0/16")
        names = ("private", "public", "sealed")
        subnets = [ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"] for n in (1, 2, 3)]
        self.subnets = dict(zip(names, subnets, strict=True))
        self.group = ec2.create_security_group(GroupName="out", Description="out", VpcId=self.vpc)["GroupId"]
        internet = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=internet, VpcId=self.vpc)
        made = ec2.create_nat_gateway(SubnetId=self.subnets["public"], AllocationId=ec2.allocate_address(Domain="vpc")["AllocationId"])
        self.nat = made["NatGateway"]["NatGatewayId"]
        state = lambda: ec2.describe_nat_gateways(NatGatewayIds=[self.nat])["NatGateways"][0]["State"]
        until("the gateway is there", lambda: state() == "available", 20)
        self.ways = {"private": {"NatGatewayId": self.nat}, "public": {"GatewayId": internet}}
        self.tables = {}
        for name in names:
            table = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
            ec2.associate_route_table(RouteTableId=table, SubnetId=self.subnets[name])
            self.tables[name] = table
        for name in self.ways:
            self.route(name)
        self.served, self.programs = serving(self.server), {}

    def program(self, name):
        """The program in a subnet, from its first use on."""
        if name not in self.programs:
            number = 1 + list(self.subnets).index(name)
            self.programs[name] = Inside(self, self.subnets[name], f"10.0.{number}.10", self.group, self.served)
            atexit.register(self.programs[name].end)
        return self.programs[name]

    def route(self, name):
        self.ec2.create_route(RouteTableId=self.tables[name], **WAY_OUT, **self.ways[name])

    @contextlib.contextmanager
    def without_route(self, name):
        self.ec2.delete_route(RouteTableId=self.tables[name], **WAY_OUT)
        yield
        self.route(name)

    @contextlib.contextmanager
    def without_rules(self):
        everything = {"GroupId": self.group, "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}
        self.ec2.revoke_security_group_egress(**everything)
        yield
        self.ec2.authorize_security_group_egress(**everything)

    @contextlib.contextmanager
    def with_acl(self, name, *denied):
        """The subnet has an ACL of its own that lets everything through but this: direction and ports."""
        ec2 = self.ec2
        mine = [{"Name": "association.subnet-id", "Values": [self.subnets[name]]}]
        was = ec2.describe_network_acls(Filters=mine)["NetworkAcls"][0]
        at = next(one["NetworkAclAssociationId"] for one in was["Associations"] if one["SubnetId"] == self.subnets[name])
        acl = ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
        for egress in (False, True):
            ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Protocol="-1", RuleAction="allow", Egress=egress, CidrBlock="0.0.0.0/0")
        for number, (egress, first, last) in enumerate(denied, 10):
            ports = {"From": first, "To": last}
            ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=number, Protocol="6", RuleAction="deny", Egress=egress, CidrBlock="0.0.0.0/0", PortRange=ports)
        new = ec2.replace_network_acl_association(AssociationId=at, NetworkAclId=acl)["NewAssociationId"]
        yield
        ec2.replace_network_acl_association(AssociationId=new, NetworkAclId=was["NetworkAclId"])
        ec2.delete_network_acl(NetworkAclId=acl)

    def get(self, name="private", address=PUBLIC, port=80):
        return self.program(name).curl(f"http://{address}:{port}/hello", "--max-time", SILENT_S)

    def answers(self, name="private", address=PUBLIC):
        """Waits until it reaches the world: changes follow a call a moment later."""
        until("it is answered", lambda: self.get(name, address) == ANSWER, 10)

    def resolved(self, name, carrier="udp"):
        told = self.program("private").exec(PYTHON, "-c", ASKS, carrier, name)
        equal(told.returncode, 0, told.stderr)
        code, *addresses = told.stdout.split()
        return int(code), addresses


@harness.once
def of_root():
    return Scene(None)


@harness.once
def of_nobody():
    return Scene(NOBODY)


@harness.once
def without():
    return Scene(None, nat="")


# A test with each server.
both = each(of_root, of_nobody)


@both
def test_what_routes_groups_and_acls_let_out_reaches_the_world_and_nothing_else(scene):
    scene.answers()
    ways_shut = [
        ("no rule", scene.without_rules(), SILENCE),
        ("no route", scene.without_route("private"), NO_WAY),
        ("no route of the gateway's subnet", scene.without_route("public"), SILENCE),
        ("the subnet's ACL", scene.with_acl("private", (True, 80, 80)), SILENCE),
        ("the ACL of the gateway's subnet", scene.with_acl("public", (False, 80, 80)), SILENCE),
    ]
    # What rules say is compiled by the same whoever runs it.
    for name, shut, said in ways_shut if scene.server.user is None else ways_shut[:1]:
        with shut:
            until(f"{name}: shut", lambda: scene.get() == said, 10)
        scene.answers()
    with scene.with_acl("public", (False, 443, 443)):
        scene.answers()


@both
def test_what_may_not_be_reached_is_silent_and_a_refusal_is_a_cut(scene):
    scene.answers()
    scene.answers(address=ALLOWED)
    for address in (FORBIDDEN, METADATA, "127.0.0.1", "10.9.0.1", "169.254.0.1"):
        said = scene.get(address=address)
        assert said in (SILENCE, NO_WAY), (address, said)
    assert scene.get(port=CLOSED)[0] in CUT, "nobody listens there"
    assert scene.get(address=OWN)[0] in CUT, "this machine is not reached by its public address"
    # Datagrams have no way out.
    asked = scene.program("private").exec(PYTHON, "-c", f"import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(0.3); s.connect(({PUBLIC!r}, 80)); s.send(b'?'); s.recv(9)")
    assert "timed out" in asked.stderr, asked


def test_an_internet_gateway_is_the_way_out_of_who_has_a_public_address():
    scene = of_root()
    equal(scene.get("public"), SILENCE)
    address = scene.ec2.allocate_address(Domain="vpc")["AllocationId"]
    associated = scene.ec2.associate_address(AllocationId=address, NetworkInterfaceId=scene.program("public").interface)
    scene.answers("public")
    scene.ec2.disassociate_address(AssociationId=associated["AssociationId"])
    until("it has none any more", lambda: scene.get("public") == SILENCE, 10)


@both
def test_who_has_no_route_and_makes_one_stays_inside(scene):
    equal(scene.get("sealed"), NO_WAY)
    made = scene.program("sealed").exec("ip", "route", "add", "default", "via", "10.0.3.1", "dev", "eth0", "onlink")
    equal(made.returncode, 0, made.stderr)
    equal(scene.get("sealed"), SILENCE)


@both
def test_nothing_comes_in_and_no_packet_of_the_network_is_seen_outside(scene):
    program = scene.program("private")
    scene.answers()
    with wire.Capture() as captured:
        for _ in range(REQUESTS):
            scene.answers()
        # The world has no way in by the address that it was asked from, which is this machine's.
        equal(world().curl(f"http://{HERE}:{PORT}/hello")[0], 7)
    packets, lost, private = captured.seen
    assert packets > REQUESTS, captured.seen
    equal((lost, private), (0, []))
    # With this machine as its gateway, which forwards.
    said = world().curl(f"http://{program.address}:{PORT}/hello")
    assert said in (NO_WAY, SILENCE), said


def test_names_of_the_world_are_known_where_there_is_a_way_out():
    scene = of_root()
    scene.answers()
    for carrier in ("udp", "tcp"):
        equal(scene.resolved("world.example", carrier), (0, [PUBLIC]))
    # An address that may not be reached is not told, what nobody knows fails, and private names are nobody's outside.
    equal(scene.resolved("inner.example"), (0, []))
    equal(scene.resolved("nobody.example"), (2, []))
    equal(scene.resolved("nobody.ec2.internal"), (3, []))
    equal(scene.resolved("localhost"), (3, []))
    with scene.without_route("private"):
        until("there is no way out", lambda: scene.resolved("world.example") == (3, []), 10)


def test_flow_logs_tell_of_what_leaves_and_of_what_may_not():
    scene = of_root()
    log = FlowLog(scene, scene.logs, scene.vpc)
    interface = scene.program("private").interface

    def told(action):
        found = [one for way, one in log.records("80") if way == (interface, "egress") and one["dstaddr"] == PUBLIC and one["action"] == action]
        return found and (found[0]["srcaddr"], found[0]["traffic-path"])

    try:
        until("what leaves is told", lambda: scene.get() == ANSWER and told("ACCEPT") == ("10.0.1.10", "1"), 20)
        with scene.without_rules():
            until("what may not is told", lambda: scene.get() == SILENCE and told("REJECT") == ("10.0.1.10", "-"), 20)
    finally:
        log.end()


def test_without_the_setting_nothing_leaves():
    scene = without()
    equal(scene.get(), NO_WAY)
    equal(scene.resolved("world.example"), (3, []))
    made = scene.program("private").exec("ip", "route", "add", "default", "via", "10.0.1.1", "dev", "eth0", "onlink")
    equal(made.returncode, 0, made.stderr)
    # The router knows no way, and says so.
    equal(scene.get(), NO_WAY)


# Reads until the other end has said all, then answers with so many bytes and goes.
LATE = """import socketserver, sys
class Late(socketserver.BaseRequestHandler):
    def handle(self):
        while self.request.recv(4096):
            pass
        self.request.sendall(b"x" * int(sys.argv[2]))
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
server = Server((sys.argv[1], 82), Late)
print("serves", flush=True)
server.serve_forever()
"""
# Says all that it has to say, and counts what comes back.
COUNTS = """import socket, sys
with socket.create_connection((sys.argv[1], 82), 20) as one:
    one.sendall(b"?")
    one.shutdown(socket.SHUT_WR)
    count = 0
    while part := one.recv(65536):
        count += len(part)
print(count)
"""
MUCH = 6_000_000


def test_who_has_said_all_gets_the_whole_answer():
    scene = of_root()
    scene.answers()
    late = subprocess.Popen(world().within(PYTHON, "-c", LATE, PUBLIC, str(MUCH)), stdout=subprocess.PIPE, text=True)
    try:
        equal(late.stdout.readline(), "serves\n")
        for _ in range(4):
            told = scene.program("private").exec(PYTHON, "-c", COUNTS, PUBLIC)
            equal(told.stdout.strip(), str(MUCH), told.stderr)
    finally:
        late.kill()
        late.wait()


def test_the_gateway_of_another_vpc_is_none():
    scene = of_root()
    other = scene.ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    table = scene.ec2.create_route_table(VpcId=other)["RouteTable"]["RouteTableId"]
    call = scene.ec2.create_route
    harness.refused("InvalidParameterValue", call, RouteTableId=table, **WAY_OUT, NatGatewayId=scene.nat, text="belong to different networks")


def test_a_peered_vpc_is_reached_whatever_is_shut_beyond():
    scene = of_root()
    scene.answers()
    ec2, block = scene.ec2, "192.168.0.0/16"
    other = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=other, CidrBlock="192.168.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="peer", Description="-", VpcId=other)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    peering = ec2.create_vpc_peering_connection(VpcId=scene.vpc, PeerVpcId=other)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    [main] = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [other]}])["RouteTables"]
    for table, to in ((scene.tables["private"], block), (main["RouteTableId"], "10.0.0.0/16")):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock=to, VpcPeeringConnectionId=peering)
    peer = Inside(scene, subnet, "192.168.1.10", group, scene.served)
    atexit.register(peer.end)
    reached = lambda: scene.program("private").curl(f"http://192.168.1.10:{PORT}/hello")[0] == 0
    until("the peer is reached, with a way out", reached, 20)
    with scene.without_route("private"):
        until("and without", reached, 20)
    until("and with it again", reached, 20)
    scene.answers()


harness.isolate("--mount")
harness.main()
