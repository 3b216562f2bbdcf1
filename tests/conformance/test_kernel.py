"""Private networks of the kernel (`--fabric kernel`), by a server of root and by one without any privilege: a program at a private address is a target, calls the
internal load balancer under its groups, and is reached by nobody else; programs of the host that are attached go on as they are."""

import atexit
import collections
import contextlib
import json
import os
import subprocess
from types import SimpleNamespace

import harness
import build  # harness finds it
import load
import wire
from chain import Chain
from inside import FlowLog, Inside, PORT, PYTHON, SERVED, each, serving
from harness import equal, until

NOBODY = 65534
# Requests that a program inside answers while packets are captured, and how many clients ask at once.
REQUESTS, CLIENTS = 700, 8
PROGRAM, BEYOND = "10.0.10.77", "10.1.10.10"


def namespaces(server):
    """The namespaces of networks that a server holds, as paths."""
    directory = f"/proc/{server.process.pid}/fd"
    held = []
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        try:
            held += [path] if os.readlink(path).startswith("net:") else []
        except FileNotFoundError:
            # It was closed in the meantime.
            pass
    return held


class Scene:
    def __init__(self, user):
        config = '[timeouts]\nblocked_connect = "250ms"\n'
        self.server = harness.Server(config=config, args=["--fabric", "kernel"], user=user)
        atexit.register(self.server.close)
        self.chain = Chain(self.server, name="kernel")
        self.stack, self.ec2, self.elb = self.chain.stack, self.chain.aws.ec2, self.chain.aws.elbv2
        self.program = Inside(self, self.stack["private_a"], PROGRAM, self.stack["target_sg"], serving(self.server))
        atexit.register(self.program.end)

    def nodes(self):
        mine = [{"Name": "description", "Values": ["ELB app/kernel/*"]}]
        found = self.ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"]
        return sorted(one["PrivateIpAddress"] for one in found)


@harness.once
def of_root():
    return Scene(None)


@harness.once
def of_nobody():
    return Scene(NOBODY)


# A test with each server.
both = each(of_root, of_nobody)


@both
def test_the_engine_is_told_everywhere(scene):
    equal(scene.server.ready["fabric"], "kernel")
    told = [harness.request(scene.server.api, path).text for path in ("/_tidegate/health", "/_localstack/health")]
    equal([json.loads(text)["enforcement"] for text in told], ["kernel", "kernel"])
    equal(scene.server.tidegate("status", "--output", "json").json["enforcement"], "kernel")
    assert 'tidegate_fabric_info{engine="kernel"} 1' in harness.request(scene.server.api, "/metrics").text


# CAP_DAC_OVERRIDE and CAP_NET_BIND_SERVICE; with CAP_NET_ADMIN and CAP_SYS_ADMIN those of the threads of networks.
OF_A_SERVER, OF_NETWORKS = 1 << 1 | 1 << 10, 1 << 1 | 1 << 10 | 1 << 12 | 1 << 21


@both
def test_no_thread_has_a_privilege_that_it_does_not_need(scene):
    tasks = f"/proc/{scene.server.process.pid}/task"
    threads = {}
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/status") as file:
            told = dict(line.split(":", 1) for line in file.read().splitlines())
        sets = {int(told[name], 16) for name in ("CapEff", "CapPrm")}
        threads.setdefault(told["Name"].strip(), []).extend(sets)
        equal(int(told["CapInh"], 16) | int(told["CapAmb"], 16), 0, told["Name"])
        assert int(told["CapBnd"], 16) & ~OF_NETWORKS == 0, told
    for name, sets in threads.items():
        equal(set(sets), {OF_NETWORKS if name in ("fabric", "networks") else OF_A_SERVER}, name)
    assert {"fabric", "networks"} < set(threads), threads


@both
def test_programs_of_the_host_are_targets_as_ever(scene):
    answers = [scene.chain.get("/hello") for _ in range(4)]
    equal({(one.status, json.loads(one.text)["backend"]) for one in answers}, {(200, "kernel-a"), (200, "kernel-b")})


@both
def test_a_program_at_its_own_address_is_a_target_under_its_groups(scene):
    told = scene.server.tidegate("attachments", "--output", "json").json["attachments"]
    equal([one["host"] for one in told if one["private_ip"] == PROGRAM], [None])
    register(scene)
    until("it is healthy", lambda: scene.chain.health().get(PROGRAM) == ("healthy", None), 60)
    removed = scene.chain.revoke("target_sg", egress=False)
    assert removed, "there was a rule"
    answers = [scene.chain.get("/hello") for _ in range(3)]
    equal({(one.status, one.headers["x-tidegate-trace"]) for one in answers}, {(504, "SG_INGRESS_DENIED")})
    grant = [{"GroupId": scene.stack["target_sg"], "IpPermissions": build.by_group(PORT, scene.stack["alb_sg"])}]
    for one in grant:
        scene.ec2.authorize_security_group_ingress(**one)
    until("it answers again", lambda: scene.chain.get("/hello").text == SERVED, 60)


@both
def test_the_internal_load_balancer_answers_inside_those_whom_its_groups_let_in(scene):
    nodes = scene.nodes()
    equal(len(nodes), 2)
    for node in nodes:
        equal(scene.program.curl(f"http://{node}/hello"), (28, ""))
    scene.chain.permit("target_sg", "alb_sg", 80)

    def is_reached(node):
        code, text = scene.program.curl(f"http://{node}/hello", "--write-out", " %{http_code}")
        return code == 0 and text.endswith(" 200")

    for node in nodes:
        until(f"{node} answers", lambda: is_reached(node), 10)
    # Whom a load balancer sees is the program, by its address.
    def seen():
        text = scene.program.curl(f"http://{nodes[0]}/hello")[1]
        return text.startswith("{") and json.loads(text)["headers"]["x-forwarded-for"] == PROGRAM

    until("a program of the host is told of it", seen, 10)
    scene.chain.revoke("alb_sg", egress=False)
    for node in nodes:
        until(f"{node} is silent again", lambda: scene.program.curl(f"http://{node}/hello") == (28, ""), 10)
    scene.ec2.authorize_security_group_ingress(
        GroupId=scene.stack["alb_sg"], IpPermissions=build.by_group(80, scene.stack["link_sg"])
    )


@both
def test_a_program_of_the_host_is_reached_at_the_port_that_it_is_attached_to(scene):
    url = f"http://10.0.10.10:{PORT}/hello"
    equal(scene.program.curl(url), (28, ""))
    scene.chain.permit("target_sg", "target_sg", PORT)

    def answer():
        code, text = scene.program.curl(url)
        return json.loads(text) if code == 0 else None

    equal(until("it answers", answer, 10)["backend"], "kernel-a")
    # Another port of it refuses, whatever the groups let through.
    scene.chain.permit("target_sg", "target_sg", PORT + 1)
    until("a port that nobody serves refuses", lambda: scene.program.curl(f"http://10.0.10.10:{PORT + 1}/") == (7, ""), 10)
    scene.server.tidegate("detach", f"10.0.10.10:{PORT}")
    until("nobody is there", lambda: scene.program.curl(url) == (28, ""), 10)
    scene.server.tidegate("attach", "--security-group", scene.stack["target_sg"], f"10.0.10.10:{PORT}", scene.chain.backends[0].address)
    equal(until("it is there again", answer, 10)["backend"], "kernel-a")


@both
def test_a_program_finds_the_load_balancer_by_its_name(scene):
    balancer = scene.elb.describe_load_balancers(Names=["kernel"])["LoadBalancers"][0]["DNSName"]
    let_out = build.by_group(80, scene.stack["alb_sg"])
    groups = scene.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [scene.stack["target_sg"]]}])["SecurityGroupRules"]
    if not any(one["IsEgress"] and one["FromPort"] == 80 for one in groups):
        scene.ec2.authorize_security_group_egress(GroupId=scene.stack["target_sg"], IpPermissions=let_out)
    scene.ec2.authorize_security_group_ingress(GroupId=scene.stack["alb_sg"], IpPermissions=build.by_group(80, scene.stack["target_sg"]))
    place = ["--subnet", scene.stack["private_b"], "--security-group", scene.stack["target_sg"]]

    def run(*words):
        process = scene.program.run(place, words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(timeout=harness.COMMAND_S)
        return process.returncode, out, err

    def answers():
        code, out, err = run("curl", "--silent", "--max-time", "5", "--write-out", "%{http_code}", f"http://{balancer}/hello")
        return code == 0 and out.endswith("200")

    until(f"{balancer} answers by its name", answers, 20)
    # 6 is a name that is not there.
    equal(run("curl", "--silent", "--max-time", "5", "http://example.com/")[:2], (6, ""))
    names = ["getent", "hosts", "ip-" + PROGRAM.replace(".", "-") + ".ec2.internal"]
    equal(run(*names)[1].split(), [PROGRAM, names[2]])
    # The domain of the region is searched, and addresses have names.
    equal(run("getent", "ahostsv4", names[2].split(".")[0])[1].split()[0], PROGRAM)
    equal(run("getent", "hosts", PROGRAM)[1].split(), [PROGRAM, names[2]])
    equal(run("sh", "-c", "test -n $PORT && exit $((PORT % 256))")[0], 8080 % 256)
    scene.chain.revoke("alb_sg", egress=False)
    scene.ec2.authorize_security_group_ingress(GroupId=scene.stack["alb_sg"], IpPermissions=build.by_group(80, scene.stack["link_sg"]))


@both
def test_the_network_is_another_user_s_to_nobody(scene):
    door = scene.server.tidegate("status", "--output", "json").json["door"]
    other = 65533 if scene.server.user is None else None
    identity = {"user": other, "group": other, "extra_groups": None if other is None else []}
    script = "import socket,sys;s=socket.socket(socket.AF_UNIX);s.connect(chr(0)+sys.argv[1]);s.sendall(b'eni-0\\n');print(s.recv(1024).decode())"
    told = subprocess.run([PYTHON, "-c", script, door.removeprefix("@")], capture_output=True, text=True, **identity)
    assert "another user's" in told.stdout, told
    ended = scene.program.exec("true")
    equal(ended.returncode, 0, ended.stderr)
    unknown = subprocess.run(
        scene.program.command("netns", "exec", "eni-00000000000000abc", "--", "true"),
        env=scene.program.environment(), capture_output=True, text=True, **scene.program.identity(),
    )
    equal((unknown.returncode, "there is no network interface" in unknown.stderr), (1, True), unknown.stderr)


@both
def test_nothing_outside_reaches_it_and_it_reaches_nothing_outside(scene):
    # 7 is no way there, 28 silence; the host's loopback has a server that the program must not see.
    address = f"http://{PROGRAM}:{PORT}/hello"
    outside = subprocess.run(["curl", "--silent", "--max-time", "1", address], capture_output=True, text=True)
    assert (outside.returncode, outside.stdout) in [(7, ""), (28, "")], outside
    equal(scene.program.curl(scene.server.api), (7, ""))
    equal(scene.program.curl("http://192.0.2.1/"), (7, ""))
    # The other server's network has the same addresses: one program is not the other.
    other = of_nobody() if scene is of_root() else of_root()
    equal(other.program.address, scene.program.address)
    assert scene.program.namespace != other.program.namespace


def register(scene):
    """Has the program be a target that requests come to."""
    scene.elb.register_targets(TargetGroupArn=scene.stack["tg"], Targets=[{"Id": PROGRAM, "Port": PORT}])
    until("its turn comes", lambda: scene.chain.get("/hello").text == SERVED, 60)


@both
def test_not_one_packet_of_the_network_is_seen_outside_during_a_load_of_the_whole_chain(scene):
    register(scene)
    answered = collections.Counter()

    def get():
        answer = scene.chain.get("/hello")
        answered[answer.text == SERVED] += 1
        return answer

    with wire.Capture() as captured, load.Load(SimpleNamespace(get=get), CLIENTS) as loaded:
        while answered[True] < REQUESTS:
            # Meanwhile programs call each other, too.
            scene.program.curl(f"http://10.0.10.10:{PORT}/hello")
    equal(loaded.failed(), [])
    packets, lost, private = captured.seen
    assert packets > sum(answered.values()) > REQUESTS, "what clients send is seen, over loopback"
    equal((lost, private), (0, []))


@both
def test_peering_carries_what_programs_send_where_routes_and_groups_lead(scene):
    ec2, stack = scene.ec2, scene.stack
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.10.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="beyond", Description="beyond", VpcId=vpc)["GroupId"]
    beyond = Inside(scene, subnet, BEYOND, group, os.path.join(scene.server.scratch, "served"))
    url = f"http://{BEYOND}:{PORT}/hello"
    try:
        # 7 is no way there, 28 silence.
        equal(scene.program.curl(url), (7, ""))
        asked = ec2.create_vpc_peering_connection(VpcId=stack["vpc"], PeerVpcId=vpc)["VpcPeeringConnection"]["VpcPeeringConnectionId"]

        def state():
            told = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[asked])["VpcPeeringConnections"]
            return told[0]["Status"]["Code"]

        until("it waits", lambda: state() == "pending-acceptance", 10)
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=asked)
        until("it is active", lambda: state() == "active", 10)
        for at, to in ((stack["vpc"], "10.1.0.0/16"), (vpc, "10.0.0.0/16")):
            mine = [{"Name": "vpc-id", "Values": [at]}, {"Name": "association.main", "Values": ["true"]}]
            table = ec2.describe_route_tables(Filters=mine)["RouteTables"][0]["RouteTableId"]
            ec2.create_route(RouteTableId=table, DestinationCidrBlock=to, VpcPeeringConnectionId=asked)
        until("a way there, and silence", lambda: scene.program.curl(url) == (28, ""), 10)
        ec2.authorize_security_group_egress(GroupId=stack["target_sg"], IpPermissions=build.by_group(PORT, group))
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=build.by_group(PORT, stack["target_sg"]))
        until("it answers", lambda: scene.program.curl(url) == (0, SERVED), 10)
        # The other way there is no rule.
        equal(beyond.curl(f"http://{PROGRAM}:{PORT}/hello"), (28, ""))
        ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=asked)
        until("nothing leads there", lambda: scene.program.curl(url) == (7, ""), 10)
    finally:
        beyond.end()


# The first says when it listens, and answers whatever comes. The other asks it for each line that it reads, always from the same port, and says what was answered.
ANSWERS = "import os,socket;s=socket.socket(type=socket.SOCK_DGRAM);s.bind((os.environ['HOST'],int(os.environ['PORT'])));print(flush=True)\nwhile True: s.sendto(*s.recvfrom(9))"
ASKS = """import socket, sys
s = socket.socket(type=socket.SOCK_DGRAM)
s.connect((sys.argv[1], int(sys.argv[2])))
s.settimeout(float(sys.argv[3]))
for _ in sys.stdin:
    s.send(b"?")
    try:
        print(s.recv(9).decode(), flush=True)
    except TimeoutError:
        print("silence", flush=True)
"""


@both
def test_an_address_that_is_given_anew_has_no_connection_of_the_one_before(scene):
    ec2, group, address = scene.ec2, scene.stack["target_sg"], "10.0.10.78"
    datagrams = [{"IpProtocol": "udp", "FromPort": PORT, "ToPort": PORT, "UserIdGroupPairs": [{"GroupId": group}]}]
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=datagrams)
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=datagrams)
    shut = ec2.create_security_group(GroupName="shut", Description="shut", VpcId=scene.stack["vpc"])["GroupId"]

    def serve(under):
        place = ["--ip", address, "--port", str(PORT), "--subnet", scene.stack["private_a"], "--security-group", under]
        program = scene.program.run(place, [PYTHON, "-c", ANSWERS], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert program.stdout.readline() == b"\n", "it listens"
        return program

    command = scene.program.command("netns", "exec", scene.program.interface, "--", PYTHON, "-c", ASKS, address, str(PORT), "2")
    asking = subprocess.Popen(command, env=scene.program.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **scene.program.identity())

    def ask():
        asking.stdin.write("\n")
        asking.stdin.flush()
        return asking.stdout.readline().strip()

    programs = []
    try:
        programs.append(serve(group))
        until("it is answered", lambda: ask() == "?", 30)
        programs[0].terminate()
        programs[0].wait(harness.STOP_S)
        programs.append(serve(shut))
        equal(ask(), "silence")
    finally:
        for process in [asking, *programs]:
            process.kill()
            process.wait(harness.STOP_S)
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=datagrams)
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=datagrams)


@both
def test_flow_logs_tell_of_what_programs_send_each_other(scene):
    port, client = 9099, "10.0.10.10"
    mine = [{"Name": "private-ip-address", "Values": [client]}]
    sender = scene.ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    receiver = scene.program.interface
    server = subprocess.Popen(
        scene.program.command("netns", "exec", receiver, "--", PYTHON, "-m", "http.server", str(port), "--bind", PROGRAM, "--directory", os.path.join(scene.server.scratch, "served")),
        env=scene.program.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **scene.program.identity(),
    )
    log = FlowLog(scene, scene.chain.aws.logs, scene.stack["vpc"])

    def ask():
        words = scene.program.command("netns", "exec", sender, "--", "curl", "--silent", "--max-time", "0.5", f"http://{PROGRAM}:{port}/hello")
        told = subprocess.run(words, env=scene.program.environment(), capture_output=True, text=True, timeout=harness.COMMAND_S, **scene.program.identity())
        return told.returncode, told.stdout

    def carried():
        """One connection that was told of from its beginning, to the same sums at both ends: at each way flags, packets and bytes of all records, and the path."""
        sums = {}

        def is_whole(one):
            return set(one) == set(WAYS) and all(of[0] & 2 for of in one.values()) and all(one[here][:3] == one[there][:3] for here, there in (WAYS[:2], WAYS[2:]))

        def look():
            for way, one in log.records(str(port)):
                if one["action"] == "ACCEPT":
                    client_port = one["dstport"] if one["srcport"] == str(port) else one["srcport"]
                    of = sums.setdefault(client_port, {}).setdefault(way, [0, 0, 0, one["traffic-path"]])
                    of[0] |= int(one["tcp-flags"])
                    of[1:3] = of[1] + int(one["packets"]), of[2] + int(one["bytes"])
            return next((one for one in sums.values() if is_whole(one)), None)

        return until("a connection is told whole", look, 20)

    WAYS = [(sender, "egress"), (receiver, "ingress"), (receiver, "egress"), (sender, "ingress")]
    try:
        def refused(*actions):
            """Silence, told so at the first of the ways. Rules, and who listens to the router, follow a call a moment later."""

            def look():
                equal(ask(), (28, ""))
                found = dict(log.records(str(port)))
                is_it = [(way, found[way]["action"]) for way in WAYS if way in found] == [*zip(WAYS, actions)]
                return found if is_it else None

            found = until(f"{actions} is told", look, 20)
            for record in found.values():
                equal((record["srcaddr"], record["dstaddr"], record["dstport"], record["tcp-flags"]), (client, PROGRAM, str(port), "2"))
                equal(int(record["bytes"]), 60 * int(record["packets"]), record)

        refused("REJECT")
        own = {"GroupId": scene.stack["target_sg"], "IpPermissions": build.by_group(port, scene.stack["target_sg"])}
        scene.ec2.authorize_security_group_egress(**own)
        refused("ACCEPT", "REJECT")
        scene.ec2.authorize_security_group_ingress(**own)
        until("it answers", lambda: ask() == (0, SERVED), 20)
        found = carried()
        equal([(found[way][0] & 18, found[way][3]) for way in WAYS], [(2, "1"), (2, "-"), (18, "1"), (18, "-")])
        assert found[WAYS[2]][2] > len(SERVED) + 40 * found[WAYS[2]][1], found
        # What the kernel tells Tidegate does not tell once more: nothing that comes to the program lacks what only the kernel counts.
        register(scene)
        kept = []

        def to_it():
            kept.extend(one for _, one in log.records(str(PORT)) if (one["dstaddr"], one["dstport"], one["action"]) == (PROGRAM, str(PORT), "ACCEPT"))
            return kept

        until("a request is told", to_it, 20)
        equal([one for one in kept if "-" in (one["packets"], one["srcport"])], [])
    finally:
        log.end()
        server.terminate()
        server.wait(harness.STOP_S)


@both
def test_an_interface_that_is_let_go_is_gone(scene):
    scene.elb.deregister_targets(TargetGroupArn=scene.stack["tg"], Targets=[{"Id": PROGRAM, "Port": PORT}])
    scene.program.end()
    until("no namespace has its address", lambda: scene.program.find() is None, 20)
    answers = [scene.chain.get("/hello") for _ in range(4)]
    equal({(one.status, json.loads(one.text)["backend"]) for one in answers}, {(200, "kernel-a"), (200, "kernel-b")})


def test_interfaces_beyond_the_descriptors_reach_nobody_and_are_told():
    # (400 - 128) / 4 descriptors are for networks; of these, two eighths are for sockets.
    server = harness.Server(args=["--fabric", "kernel"], files=400)
    try:
        ec2 = server.clients().ec2
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")

        def faults():
            return server.tidegate("status", "--output", "json").json["fabric_faults"]

        for last in range(10, 60):
            server.tidegate("attach", "--vpc", vpc, f"10.0.0.{last}:80", "127.0.0.1:9")
        until("as many are there as may be", lambda: len(namespaces(server)) == 51, 20)
        until("50 interfaces fit, and a router with its socket", lambda: not faults(), 10)
        server.tidegate("attach", "--vpc", vpc, "10.0.0.99:80", "127.0.0.1:9")
        [fault] = until("one more does not", faults, 10)
        equal(fault["vpc"], vpc)
        assert "ulimit -Hn" in fault["why"], fault
        equal(len(namespaces(server)), 51)
        told = server.tidegate("status").stdout
        assert vpc in told and "ulimit -Hn" in told, told
        assert "tidegate_fabric_faults 1" in harness.request(server.api, "/metrics").text
        server.tidegate("detach", "--vpc", vpc, "10.0.0.10:80")
        until("there is room again", lambda: not faults(), 20)
        equal(len(namespaces(server)), 51)
    finally:
        server.close()


def test_a_machine_without_it_is_told_the_step_that_fails():
    # As many namespaces of networks as there are, and not one more.
    script = 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"'
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", harness.binary(), "up", "--ephemeral", "--fabric", "kernel"]
    ends = ["--api", "127.0.0.1:0", "--public", "127.0.0.1:0", "--public-tls", "127.0.0.1:0"]
    told = subprocess.run(words + ends, capture_output=True, text=True, timeout=harness.COMMAND_S)
    equal(told.returncode, 1, told.stderr)
    assert "--fabric kernel cannot be had here: network_namespaces:" in told.stderr, told.stderr
    assert "max_net_namespaces" in told.stderr, told.stderr


def enforced(server):
    """Which engine a server says that it has, and why it is not the kernel's, wherever it says so."""
    health = [json.loads(harness.request(server.api, path).text) for path in ("/_tidegate/health", "/_localstack/health")]
    explained = server.tidegate("explain", "GET", f"{server.public}/", "--output", "json", check=False).json
    status = server.tidegate("status", "--output", "json").json
    # An explanation speaks of it where there is something to say.
    explained = {"enforcement": server.ready["fabric"], "enforcement_reason": None} | explained
    told = [(one["enforcement"], one["enforcement_reason"]) for one in (*health, status, explained)]
    engines = {server.ready["fabric"], *(engine for engine, _ in told)}
    equal(len(engines), 1, told)
    return engines.pop(), [reason for _, reason in told]


def test_auto_takes_the_kernel_where_it_can_by_whomever_it_is_started():
    for user in (None, NOBODY):
        with contextlib.closing(harness.Server(args=["--fabric", "auto"], user=user)) as server:
            equal(enforced(server), ("kernel", [None] * 4))


def test_auto_takes_the_proxy_engine_elsewhere_and_says_everywhere_why():
    script = 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"'
    before = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]
    with contextlib.closing(harness.Server(args=["--fabric", "auto", "--log", "info"], before=before)) as server:
        engine, [step, same, *whole] = enforced(server)
        equal((engine, step, same), ("proxy", "network_namespaces", "network_namespaces"))
        for why in (*whole, server.tidegate("status").stdout, server.tail()):
            assert "network_namespaces: " in why and "sysctl -w user.max_net_namespaces" in why, why
        text = server.tidegate("explain", "GET", f"{server.public}/", check=False).stdout
        assert "Enforced by the proxy engine" in text and "sysctl -w user.max_net_namespaces" in text, text
        metrics = harness.request(server.api, "/metrics").text
        assert 'tidegate_fabric_info{engine="proxy",kernel_refused_at="network_namespaces"} 1' in metrics, metrics


def test_auto_keeps_a_listener_that_only_a_privilege_opens():
    # CAP_NET_BIND_SERVICE alone, as in the drop-in of a service. In a namespace of its own every port is free.
    before = ["setpriv", "--reuid", str(NOBODY), "--clear-groups", "--bounding-set=-all,+net_bind_service", "--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service"]
    with contextlib.closing(harness.Server(args=["--fabric", "auto", "--api", "127.0.0.1:443"], before=before, user=None)) as server:
        equal((server.api, enforced(server)[1][0]), ("http://127.0.0.1:443", "listeners"))


harness.isolate()
harness.main()
