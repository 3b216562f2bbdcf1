"""What private networks of the kernel cost: how long a changed rule takes to be in force beside 60,000 others, how long 500 interfaces in 20 VPCs
take to be up, and the kernel's memory of each.

It is run by hand, as root, in a network namespace of its own, with the packages of tests/requirements.txt:
`unshare --net sh -c 'ip link set lo up && exec python xtask/bench/networks.py'`; TIDEGATE_BIN names another binary than the debug build.
Other work on the machine is in the figures: memory is the smallest of some rounds, times are medians.
"""

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "conformance"))
import harness  # noqa: E402, the path is set above

GROUPS, RULES, GROUPS_OF_ONE, CARRIERS = 1000, 60, 5, 200
ROUNDS = 51
VPCS, INTERFACES, STARTS = 20, 25, 3
PORT = 9000
# A new socket for each, so that none belongs to what was let through before.
SENDER = """
import socket, sys, time
while True:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"?", (sys.argv[1], int(sys.argv[2])))
    time.sleep(0.0001)
"""
# Tells when the first datagram came since a line was read, and that none came for a while.
RECEIVER = """
import socket, sys, time
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind((sys.argv[1], int(sys.argv[2])))
print("bound", flush=True)
for line in sys.stdin:
    one.settimeout(0.05)
    try:
        while line == "silence\\n":
            one.recv(16)
    except TimeoutError:
        print("silence", flush=True)
        continue
    one.settimeout(20)
    one.recv(16)
    print(time.monotonic(), flush=True)
"""


def permission(first, last, block):
    return {"IpProtocol": "tcp", "FromPort": first, "ToPort": last, "IpRanges": [{"CidrIp": block}]}


def of_group(number):
    """The rules of one group, none like another."""
    ports = ((1000 + 10 * rule, 1000 + 10 * rule + number % 10) for rule in range(RULES))
    return [permission(*port, f"172.{16 + number // 256}.{number % 256}.{rule}/32") for rule, port in enumerate(ports)]


def held(server):
    """How many namespaces of networks a server holds."""
    directory, count = f"/proc/{server.process.pid}/fd", 0
    for name in os.listdir(directory):
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(f"{directory}/{name}").startswith("net:")
    return count


def kernel_kib():
    """Memory of the kernel that grows with networks."""
    counted = {"Slab", "Percpu", "KernelStack", "PageTables"}
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(line[1]) for line in lines if line[0].rstrip(":") in counted)


def rule():
    """How long a rule takes to let a datagram through, from the call and from its reply on."""
    with contextlib.closing(harness.Server(args=["--fabric", "kernel"])) as server:
        ec2 = server.clients().ec2
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/16")
        groups = []
        for number in range(GROUPS):
            group = ec2.create_security_group(VpcId=vpc, GroupName=f"g{number}", Description="-")["GroupId"]
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=of_group(number))
            groups.append(group)
        addresses = [f"10.0.{1 + number // 200}.{10 + number % 200}" for number in range(CARRIERS)]
        for number, address in enumerate(addresses):
            own = groups[GROUPS_OF_ONE * number : GROUPS_OF_ONE * (number + 1)]
            words = [word for group in own for word in ("--security-group", group)]
            server.tidegate("attach", "--vpc", vpc, *words, f"{address}:80", "127.0.0.1:9")
        harness.until("all are up", lambda: held(server) == 1 + CARRIERS, 120)
        found = ec2.describe_network_interfaces(Filters=[{"Name": "private-ip-address", "Values": addresses[:2]}])
        interfaces = {one["PrivateIpAddress"]: one["NetworkInterfaceId"] for one in found["NetworkInterfaces"]}

        def inside(address, program, *words, **how):
            command = [harness.binary(), "netns", "exec", interfaces[address], "--", "/usr/bin/python3", "-c", program, *words]
            return subprocess.Popen(command, env=server.env(), **how)

        client, here = addresses[1], addresses[0]
        receiver = inside(here, RECEIVER, here, str(PORT), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        sender = None
        try:
            receiver.stdout.readline()
            sender = inside(client, SENDER, here, str(PORT))
            taken = {"from the call": [], "from its request": [], "from its reply": []}
            # What the client makes of a call before it sends a byte is none of the server's time.
            sent = []
            ec2.meta.events.register("before-send.ec2.AuthorizeSecurityGroupIngress", lambda **_: sent.append(time.monotonic()))
            one = {"IpProtocol": "udp", "FromPort": PORT, "ToPort": PORT, "IpRanges": [{"CidrIp": f"{client}/32"}]}
            for turn in range(ROUNDS):
                group = {"GroupId": groups[0], "IpPermissions": [one]}
                receiver.stdin.write("silence\nfirst\n")
                receiver.stdin.flush()
                receiver.stdout.readline()
                called = time.monotonic()
                ec2.authorize_security_group_ingress(**group)
                replied = time.monotonic()
                came = float(receiver.stdout.readline())
                ec2.revoke_security_group_ingress(**group)
                taken["from the call"].append(came - called)
                taken["from its request"].append(came - sent[-1])
                taken["from its reply"].append(came - replied)
        finally:
            for process in (receiver, sender):
                if process:
                    process.kill()
                    process.wait()
    for since, times in taken.items():
        times = sorted(1000 * one for one in times)
        print(f"a changed rule beside {GROUPS * RULES} others, {since}: median {statistics.median(times):.1f} ms, best {times[0]:.1f}, worst {times[-1]:.1f}")


def interfaces():
    """How long a start takes until all interfaces are up, and what they cost."""
    directory = tempfile.mkdtemp(prefix="tidegate-networks-")
    wanted, first, times, memory = VPCS * (1 + INTERFACES), None, [], []
    try:
        with contextlib.closing(harness.Server(data_dir=directory, args=["--fabric", "proxy"])) as server:
            ec2 = server.clients().ec2
            for number in range(VPCS):
                vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
                ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")
                for last in range(10, 10 + INTERFACES):
                    server.tidegate("attach", "--vpc", vpc, f"10.0.0.{last}:80", "127.0.0.1:9")
        for turn in range(STARTS):
            before, began = kernel_kib(), time.monotonic()
            with contextlib.closing(harness.Server(data_dir=directory, args=["--fabric", "kernel"])) as server:
                ready = time.monotonic()
                harness.until("all are up", lambda: held(server) >= wanted, 120)
                times.append(time.monotonic() - began)
                memory.append((kernel_kib() - before) / (VPCS * INTERFACES))
                first = ready - began if first is None else first
            harness.until("the kernel has taken them back", lambda: kernel_kib() < before + 20_000, 120)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{VPCS * INTERFACES} interfaces in {VPCS} VPCs are up {statistics.median(times):.1f} s after the start (ready after {first:.1f} s)")
    print(f"memory of the kernel for each: {min(memory):.0f} KiB (of {', '.join(f'{one:.0f}' for one in memory)})")


if __name__ == "__main__":
    interfaces()
    rule()
