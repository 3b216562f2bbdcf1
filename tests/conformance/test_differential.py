"""What clients try to put past the load balancer and the gateway, before real servers: nginx, HAProxy, gunicorn, waitress, uvicorn, tornado
and Node. Of each case no server may see another request than was sent to it, and the next client on its connection gets its own answer.

For information, the table says what nginx and HAProxy do with the same bytes where they stand in front themselves."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import harness
import frames
import servers
import smuggled
from chain import Chain
from harness import equal
from smuggled import BOTH, FIRST, REFUSED, SECOND_ALONE

SERVERS = ("nginx", "haproxy", "gunicorn", "waitress", "uvicorn", "tornado", "node")
# These answer as soon as they have a head.
EARLY = ("nginx", "haproxy")
FRONTS = ("nginx-front", "haproxy-front")
ANSWER_S, SHORT_S = 10, 0.4
FIRST_PORT = 9001


class Door:
    """Where a client connects to reach one server, and what it must say for it."""

    def __init__(self, name, address, host, prefix):
        self.name, self.address, self.host, self.prefix = name, address, host, prefix

    def send(self, data):
        """Sends the bytes of a case, and behind the first answer a last request; everything that comes back."""
        with socket.create_connection(self.address, timeout=ANSWER_S) as stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream.sendall(data)
            last = f"GET {self.prefix}/last HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode()
            got, is_asked = b"", False
            try:
                while True:
                    # Who waits for more of a body than there is says nothing.
                    stream.settimeout(ANSWER_S if is_asked else SHORT_S)
                    more = stream.recv(65536)
                    if not more:
                        break
                    got += more
                    if not is_asked and b"\r\n\r\n" in got and not got.startswith(b"HTTP/1.1 100"):
                        is_asked = True
                        stream.sendall(last)
            except OSError:
                pass
            return got

    def get(self, path):
        """What a server says it saw of a well-behaved client's request, as a request line."""
        asked = f"GET {self.prefix}{path} HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode()
        with socket.create_connection(self.address, timeout=ANSWER_S) as stream:
            stream.sendall(asked)
            got = b""
            while more := stream.recv(65536):
                got += more
        found = re.search(rb'"line": ?"(.*?)"', got)
        return found[1].decode() if found else got[:200].decode("latin-1")


class Bench:
    """Every server behind a tap, a group and a listener of its own, entered through a socket and through a path of one HTTP API."""

    def __init__(self):
        self.server = harness.Server()
        self.programs = [servers.Program(name) for name in SERVERS]
        self.taps = {program.name: servers.Tap(program.port) for program in self.programs}
        self.chain = Chain(self.server, name="differential")
        self.doors = [door for at, name in enumerate(SERVERS) for door in self.doors_to(at, name)]
        # The fronts stand before a server of their own.
        self.behind = servers.Program("node")
        self.fronts = []
        for name in FRONTS:
            tap = servers.Tap(self.behind.port)
            program = servers.Program(name, tap.address)
            self.programs.append(program)
            self.taps[name] = tap
            self.fronts.append((name, Door(name, ("127.0.0.1", program.port), "h.example", "")))
        self.programs.append(self.behind)

    def doors_to(self, at, name):
        elb, stack = self.chain.aws.elbv2, self.chain.stack
        port, address = FIRST_PORT + at, f"10.0.10.{100 + at}"
        made = elb.create_target_group(Name=name, Protocol="HTTP", Port=8080, VpcId=stack["vpc"], TargetType="ip", HealthCheckIntervalSeconds=300)
        group = made["TargetGroups"][0]["TargetGroupArn"]
        self.server.tidegate("attach", "--vpc", stack["vpc"], "--security-group", stack["target_sg"], f"{address}:8080", self.taps[name].address)
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address}])
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        made = elb.create_listener(LoadBalancerArn=stack["lb"], Protocol="HTTP", Port=port, DefaultActions=forward)
        listener = made["Listeners"][0]["ListenerArn"]
        self.chain.permit("link_sg", "alb_sg", port)
        self.chain.route(f"ANY /{name}/{{proxy+}}", listener)
        opened = self.server.tidegate("attach", "--listen", listener, "127.0.0.1:0", "--security-group", stack["link_sg"]).json["url"]
        at_listener, at_gateway = urlsplit(opened), urlsplit(self.server.public)
        yield name, Door("listener", (at_listener.hostname, at_listener.port), "h.example", "")
        yield name, Door("gateway", (at_gateway.hostname, at_gateway.port), self.chain.host(), f"/{name}")

    def close(self):
        for tap in self.taps.values():
            tap.kill()
        for program in self.programs:
            program.kill()
        for backend in self.chain.backends:
            backend.kill()
        self.server.close()


def number_of(at, door):
    """A number that no other case of the server has."""
    return f"{at:03}{door.name[0]}"


def play(server, door):
    """Every case at one door, each followed by another client's request; what was answered, and what that client got wrong."""
    answered, wrong = {}, []
    for at, (name, data, _) in enumerate(smuggled.CASES):
        number = number_of(at, door)
        got = door.send(smuggled.bytes_of(data, door.prefix, door.host, number))
        if re.search(rb'"line": ?"[A-Z]+ [^" ]*/smuggled', got):
            wrong.append(f"{server} by the {door.name}, {name}: {got!r}")
        answered[name] = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", got)]
        canary = door.get(f"/canary{number}")
        if canary != f"GET {door.prefix}/canary{number}":
            wrong.append(f"{server} by the {door.name}, {name}: another client got {canary!r}")
    return answered, wrong


def seen(tap):
    """What came of each case, by its number."""
    found = {}
    for kept in tap.kept:
        try:
            sent = servers.requests(kept.asked)
        except servers.Odd as odd:
            sent = odd.found
        for request in sent:
            match = re.search(r"/(first|second|smuggled)(\d{3}[a-z])", request.line)
            # One that was given up within its body is none.
            if match and request.whole:
                found.setdefault(match[2], []).append(match[1])
    return found


def word_of(sent):
    return {(): REFUSED, ("first",): FIRST, ("first", "second"): BOTH}.get(tuple(sorted(sent)), " ".join(sorted(sent)))


_bench = None


def bench():
    global _bench
    if _bench is None:
        _bench = Bench()
    return _bench


def judged(doors, rights):
    """Plays every case at these doors; what is wrong, and a row of the table for each case."""
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        # Doors of one server share its connections; the log tells them apart by number.
        played = list(pool.map(lambda one: play(*one), doors))
    wrong = [line for _, lines in played for line in lines]
    sent = {server: seen(bench().taps[server]) for server, _ in doors}
    table = []
    for at, (name, _, _) in enumerate(smuggled.CASES):
        words, right = {}, rights(at)
        for (server, door), (answered, _) in zip(doors, played):
            word = word_of(sent[server].get(number_of(at, door), ()))
            words.setdefault((door.name, word), []).append(server)
            # A server that answers before the body has come is not sent all of it.
            is_early = server in EARLY and word in (REFUSED, FIRST, SECOND_ALONE) and right & {FIRST, BOTH}
            if word not in right and not is_early:
                wrong.append(f"{server} by the {door.name}, {name}: {word}, not {' or '.join(sorted(right))}")
            # With that of the last request.
            answers = [status for status in answered[name] if status >= 200]
            if len(answers) > (3 if right & {BOTH, SECOND_ALONE} else 2):
                wrong.append(f"{server} by the {door.name}, {name}: {word}, and the answers {answers}")
        told = [f"{door} {word}" + (f" ({len(which)})" if len(which) < len(SERVERS) else "") for (door, word), which in words.items()]
        table.append(", ".join(told))
    return wrong, table


def agreement(wrong):
    """Adds what servers saw otherwise than it was sent, and says how often they agreed."""
    agreed = 0
    for name in SERVERS:
        lines, count = servers.disagreements(bench().taps[name])
        wrong += [f"{name}: {line}" for line in lines]
        agreed += count
    for line in wrong:
        print(f"  WRONG {line}")
    equal(wrong, [], "disagreements")
    return agreed


def test_no_server_sees_another_request_than_was_sent_to_it():
    doors = bench().doors
    wrong, table = judged(doors, lambda at: smuggled.CASES[at][2])
    with ThreadPoolExecutor(len(FRONTS)) as pool:
        list(pool.map(lambda one: play(*one), bench().fronts))
    fronts = {name: seen(bench().taps[name]) for name in FRONTS}
    for at, (name, _, _) in enumerate(smuggled.CASES):
        said = [f"{front} {word_of(fronts[front].get(number_of(at, door), ()))}" for front, door in bench().fronts]
        print(f"  {name}: {table[at]}; {', '.join(said)}")
    agreed = agreement(wrong)
    print(f"  {len(smuggled.CASES)} cases, {len(doors)} doors, {agreed} requests on which a server agreed")
    assert agreed > len(doors) * len(smuggled.CASES), agreed


def test_nothing_is_smuggled_either_where_the_mode_lets_everything_pass():
    mode = [{"Key": "routing.http.desync_mitigation_mode", "Value": "monitor"}]
    elb, balancer = bench().chain.aws.elbv2, bench().chain.stack["lb"]
    elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=mode)
    doors = [(name, Door("monitor", door.address, door.host, door.prefix)) for name, door in bench().doors if door.name == "listener"]
    # What only looks like a coding passes, and then the length counts.
    wrong, _ = judged(doors, lambda at: {FIRST, BOTH} if smuggled.is_disguised(at) else smuggled.CASES[at][2])
    agreement(wrong)
    elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=[mode[0] | {"Value": "defensive"}])


def ask_in_frames(server, door, at):
    """One case over HTTP/2, at the gateway."""
    _, method, more, pieces, trailers, _ = smuggled.HTTP2_CASES[at]
    number = f"{at:03}h"
    where = urlsplit(bench().server.ready["public_tls"])
    with frames.Connection((where.hostname, where.port), door.host) as c:
        c.settled()
        begun = frames.END_HEADERS | (0 if pieces or trailers else frames.END_STREAM)
        c.send(frames.HEADERS, begun, 1, c.block(method, f"{door.prefix}/first{number}", *more))
        for index, piece in enumerate(pieces):
            is_last = index + 1 == len(pieces) and not trailers
            data = smuggled.bytes_of(piece, door.prefix, door.host, number)
            c.send(frames.DATA, frames.END_STREAM if is_last else 0, 1, data)
        if trailers:
            c.send(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, frames.fields(*trailers))
        outcome = c.outcome()
    canary = door.get(f"/canary{number}")
    if canary != f"GET {door.prefix}/canary{number}":
        return f"another client got {canary!r} behind {outcome}"
    return None


def test_nothing_is_smuggled_through_frames():
    doors = [(server, door) for server, door in bench().doors if door.name == "gateway"]

    def ask_all(server, door):
        told = [(at, ask_in_frames(server, door, at)) for at in range(len(smuggled.HTTP2_CASES))]
        return [f"{server}, {smuggled.HTTP2_CASES[at][0]}: {line}" for at, line in told if line]

    with ThreadPoolExecutor(len(doors)) as pool:
        wrong = [line for lines in pool.map(lambda one: ask_all(*one), doors) for line in lines]
    for server, _ in doors:
        sent = seen(bench().taps[server])
        for at, (name, *_, right) in enumerate(smuggled.HTTP2_CASES):
            word = word_of(sent.get(f"{at:03}h", ()))
            is_early = server in EARLY and word == REFUSED and FIRST in right
            if word not in right and not is_early:
                wrong.append(f"{server}, {name}: {word}, not {' or '.join(sorted(right))}")
    print(f"  {len(smuggled.HTTP2_CASES)} cases, {len(doors)} servers")
    agreement(wrong)


if __name__ == "__main__":
    try:
        harness.main()
    finally:
        if _bench is not None:
            _bench.close()
