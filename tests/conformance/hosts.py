"""Hosts that are network namespaces, with one path between them: the script's own namespace is the gateway's host, a router stands in the middle, and each
private host has a path of its own to it. Nothing leaves the machine: the namespaces have no other interface than these and loopback."""

import os
import subprocess

MARK = f"tg{os.getpid()}"
GATEWAY = "192.168.201.2"


def ip(*words, where=None):
    """`ip`, in this namespace or in another."""
    inside = ["ip", "netns", "exec", where] if where else []
    done = subprocess.run([*inside, "ip", *words], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"ip {' '.join(words)} ({where}): {done.stderr}"


class Middle:
    """The router."""

    def __init__(self):
        self.name = f"{MARK}m"
        ip("netns", "add", self.name)
        ip("link", "add", f"{MARK}g", "type", "veth", "peer", "name", "gateway", "netns", self.name)
        ip("addr", "add", f"{GATEWAY}/30", "dev", f"{MARK}g")
        ip("link", "set", f"{MARK}g", "up")
        ip("link", "set", "lo", "up", where=self.name)
        ip("addr", "add", "192.168.201.1/30", "dev", "gateway", where=self.name)
        ip("link", "set", "gateway", "up", where=self.name)
        ip("route", "add", "default", "via", "192.168.201.1")
        self.write("/proc/sys/net/ipv4/ip_forward", "1")

    def write(self, path, text):
        subprocess.run(["ip", "netns", "exec", self.name, "sh", "-c", f"echo {text} > {path}"], check=True, timeout=30)

    def drop(self, towards):
        """Drops what goes towards this address."""
        ip("route", "add", "blackhole", f"{towards}/32", where=self.name)

    def let(self, towards):
        """Drops it no longer."""
        ip("route", "del", "blackhole", f"{towards}/32", where=self.name)

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], timeout=30)


class Host:
    """A private host: its own addresses of the VPC are real ones there."""

    def __init__(self, middle, number, addresses):
        self.middle, self.name, self.address = middle, f"{MARK}p{number}", f"192.168.{210 + number}.2"
        end, router = f"p{number}", f"192.168.{210 + number}.1"
        ip("netns", "add", self.name)
        ip("link", "add", end, "type", "veth", "peer", "name", "up0", "netns", self.name, where=middle.name)
        ip("addr", "add", f"{router}/30", "dev", end, where=middle.name)
        ip("link", "set", end, "up", where=middle.name)
        ip("link", "set", "lo", "up", where=self.name)
        ip("addr", "add", f"{self.address}/30", "dev", "up0", where=self.name)
        ip("link", "set", "up0", "up", where=self.name)
        ip("route", "add", "default", "via", router, where=self.name)
        for address in addresses:
            ip("addr", "add", f"{address}/32", "dev", "lo", where=self.name)

    def prefix(self):
        return ["ip", "netns", "exec", self.name]

    def cut(self, ways):
        """Cuts its path: `to` it, `from` it, or both."""
        for way in ways:
            if way == "to":
                self.middle.drop(self.address)
            else:
                # By the one address that the gateway has, for what comes from this host alone.
                ip("rule", "add", "from", self.address, "to", GATEWAY, "blackhole", where=self.middle.name)

    def mend(self, ways):
        for way in ways:
            if way == "to":
                self.middle.let(self.address)
            else:
                ip("rule", "del", "from", self.address, "to", GATEWAY, "blackhole", where=self.middle.name)

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], timeout=30)
