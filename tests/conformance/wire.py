"""A capture of every packet on every interface of the network that a script runs in, beside whatever the script does meanwhile. As a program, in a process of its
own so that it keeps up, it captures until its input ends and says what it saw."""

import json
import select
import socket
import struct
import subprocess
import sys
from typing import NamedTuple

# linux/if_ether.h, linux/if_packet.h, asm-generic/socket.h
ETH_P_ALL, ETH_P_IP, ETH_P_ARP = 3, 0x0800, 0x0806
SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE = 263, 6, 33
# Where addresses of IPv4 stand in what follows the header of a link.
ADDRESSES_AT = {ETH_P_IP: (12, 16), ETH_P_ARP: (14, 24)}
# What waits to be read may take so much memory, and of a packet only its addresses are read.
BUFFER_BYTES, READ_BYTES = 128 << 20, 64
# The addresses of private networks in scripts that capture, and one of them that nobody has.
PRIVATE, MARK = "10.0.0.0/8", ("10.255.255.254", 9)


class Seen(NamedTuple):
    """How many packets there were, how many of these the capture lost, and what had a private address in it, as hexadecimal numbers."""

    packets: int
    lost: int
    private: list


def capture():
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as wire:
        wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        wire.setblocking(False)
        print("captures", flush=True)
        private, is_over = [], False
        while not is_over:
            # What was sent before the input ended is there to be read.
            is_over = sys.stdin in select.select([wire, sys.stdin], [], [])[0]
            while True:
                try:
                    packet, (_, kind, *_) = wire.recvfrom(READ_BYTES)
                except BlockingIOError:
                    break
                if any(packet[at] == 10 for at in ADDRESSES_AT.get(kind, ()) if at < len(packet)):
                    private.append(packet.hex())
        packets, lost = struct.unpack("II", wire.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    print(json.dumps(Seen(packets, lost, private)))


class Capture:
    """Captures from its beginning to its end, while this machine has a route for private addresses over its loopback: what should be sent to one
    from outside is seen there. `seen` is what the capture saw but for a packet at its end, sent to be sure that it sees such."""

    def __enter__(self):
        subprocess.run(["ip", "route", "add", PRIVATE, "dev", "lo"], check=True)
        self.process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "captures\n"
        return self

    def __exit__(self, *_):
        try:
            with socket.socket(type=socket.SOCK_DGRAM) as one:
                one.sendto(b"mark", MARK)
            packets, lost, private = json.loads(self.process.communicate()[0])
        finally:
            self.process.kill()
            self.process.wait()
            subprocess.run(["ip", "route", "delete", PRIVATE, "dev", "lo"], check=True)
        marks = [packet for packet in private if packet[32:40] == socket.inet_aton(MARK[0]).hex()]
        assert marks, "a private address is seen where there is one"
        self.seen = Seen(packets, lost, [packet for packet in private if packet not in marks])


if __name__ == "__main__":
    capture()
