"""HTTP/2 by the frame, for scripts that say what no client library would (RFC 9113, RFC 7541): a connection whose bytes are the script's
own, and what the other end makes of them. Nothing here knows which server it talks to."""

import socket
import ssl
import struct
from collections import namedtuple

import hpack
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 0x1, 0x1, 0x4, 0x8, 0x20
ERRORS = (
    "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR REFUSED_STREAM CANCEL "
    "COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED"
).split()
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
WINDOW_MAX = 2**31 - 1
FRAME_BYTES = 2**14
PATIENCE_S = 8

Frame = namedtuple("Frame", "kind flags stream payload")


class Over(Exception):
    """The connection ended."""


def frame(kind, flags, stream, payload=b"", length=None):
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def setting(*pairs):
    return b"".join(struct.pack(">HI", key, value) for key, value in pairs)


def integer(value, bits, first=0):
    """An integer of HPACK with a prefix of so many bits."""
    full = (1 << bits) - 1
    if value < full:
        return bytes([first | value])
    out, value = [first | full], value - full
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def literal(name, value, first=0x00):
    """A field with a name of its own, in no table unless `first` says so."""
    name, value = (text if isinstance(text, bytes) else text.encode() for text in (name, value))
    return bytes([first]) + integer(len(name), 7) + name + integer(len(value), 7) + value


def coded(text, padding=b""):
    """A string in Huffman's code, with more padding than it needs."""
    code = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(text) + padding
    return integer(len(code), 7, 0x80) + code


def fields(*pairs):
    return b"".join(literal(name, value) for name, value in pairs)


def client_context():
    """Within TLS by whatever certificate, with h2 and nothing else."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


class Connection:
    """A client's end. `authority` is whom its requests are for."""

    def __init__(self, address, authority, settings=b"", begin=True):
        plain = socket.create_connection(address, timeout=PATIENCE_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = client_context().wrap_socket(plain, server_hostname=authority.split(":")[0])
        assert self.socket.selected_alpn_protocol() == "h2", "h2 was not agreed"
        self.authority, self.read, self.pinged = authority, b"", 0
        self.decoder, self.told, self.window = hpack.Decoder(), {}, 65535
        if begin:
            self.raw(PREFACE + frame(SETTINGS, 0, 0, settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def raw(self, data):
        """Sends bytes; that the other end has had enough of them is seen by what it said before."""
        try:
            self.socket.sendall(data)
        except (ConnectionError, ssl.SSLError):
            pass

    def send(self, kind, flags=0, stream=0, payload=b"", length=None):
        self.raw(frame(kind, flags, stream, payload, length))

    def block(self, method="GET", path="/echo", *more, scheme="https"):
        """A request's fields."""
        pseudo = [(":method", method), (":scheme", scheme), (":authority", self.authority), (":path", path)]
        return fields(*pseudo, *more)

    def ask(self, stream=1, method="GET", path="/echo", *more, end=True):
        flags = END_HEADERS | (END_STREAM if end else 0)
        self.send(HEADERS, flags, stream, self.block(method, path, *more))

    def frame(self):
        """The next frame; SETTINGS are acknowledged, and PING answered, on the way."""
        head = self.bytes(9)
        length, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
        got = Frame(kind, flags, int.from_bytes(head[5:]) & WINDOW_MAX, self.bytes(length))
        if kind == SETTINGS and not flags & ACK:
            for at in range(0, length, 6):
                key, value = struct.unpack(">HI", got.payload[at : at + 6])
                self.told[key] = value
            self.send(SETTINGS, ACK)
        if kind == PING and not flags & ACK:
            self.send(PING, ACK, 0, got.payload)
        return got

    def bytes(self, count):
        while len(self.read) < count:
            try:
                more = self.socket.recv(65536)
            except TimeoutError:
                raise
            except (ConnectionError, ssl.SSLError, OSError):
                more = b""
            if not more:
                raise Over
            self.read += more
        taken, self.read = self.read[:count], self.read[count:]
        return taken

    def until(self, wanted):
        """Frames up to one that is wanted, which is the last."""
        while True:
            got = self.frame()
            if wanted(got):
                return got

    def settled(self):
        """Both ends know the other's settings."""
        self.until(lambda got: got.kind == SETTINGS and got.flags & ACK)

    def alive(self):
        """The other end goes on: it answers a PING, and said nothing else before that ends the connection."""
        self.pinged += 1
        mark = struct.pack(">Q", self.pinged)
        self.send(PING, 0, 0, mark)
        got = self.until(lambda got: got.kind == GOAWAY or (got.kind == PING and got.flags & ACK and got.payload == mark))
        return got.kind == PING

    def outcome(self, stream=1):
        """What becomes of a stream: `answered STATUS`, `reset CODE`, `goaway CODE`, `closed`, or `silence`."""
        status = None
        try:
            while True:
                got = self.frame()
                if got.kind == GOAWAY:
                    return f"goaway {named(got.payload[4:8])}"
                if got.stream == stream and got.kind == RST_STREAM:
                    return f"reset {named(got.payload)}"
                if got.kind == HEADERS:
                    found = dict(self.decoder.decode(whole(got)))
                    status = found.get(":status", status) if got.stream == stream else status
                if got.stream == stream and got.kind in (DATA, HEADERS) and got.flags & END_STREAM:
                    return f"answered {status}"
        except Over:
            return "closed"
        except TimeoutError:
            return "silence"

    def body(self, stream=1):
        """The bytes of an answer to its end."""
        data = b""
        while True:
            got = self.frame()
            assert got.kind not in (GOAWAY, RST_STREAM), got
            if got.stream == stream and got.kind == DATA:
                data += got.payload
            if got.stream == stream and got.kind in (DATA, HEADERS) and got.flags & END_STREAM:
                return data


def whole(got):
    assert got.flags & END_HEADERS, "answers of these scripts have small heads"
    payload = got.payload
    if got.flags & PADDED:
        payload = payload[1 : len(payload) - payload[0]]
    return payload[5:] if got.flags & PRIORITIZED else payload


def named(code):
    number = int.from_bytes(code)
    return ERRORS[number] if number < len(ERRORS) else str(number)
