"""Requests by which clients try to put a second one past whoever is in front: bytes as they are sent, and which requests may come of them.

In each, `{p}` is a prefix of paths, `{h}` the host, `{n}` a number of its own. What follows a request is named `/smuggled{n}` where it must
never be taken for one, and `/second{n}` where it is one. `REFUSED` means that nothing is sent on, `FIRST` that `/first{n}` alone is,
`BOTH` that `/second{n}` is, too, and `SECOND_ALONE` that this alone is, because the load balancer blocks the first behind the gateway."""

REFUSED, FIRST, BOTH, SECOND_ALONE = "refused", "first", "both", "second"
# What stands for a coding that only looks like one: the load balancer blocks it beside a length.
DISGUISED = "disguised"
CASES = []


def case(name, data, *right):
    CASES.append((name, data, set(right)))


def post(lines, body, target=b"{p}/first{n}", method=b"POST"):
    return method + b" " + target + b" HTTP/1.1\r\nHost: {h}\r\n" + lines + b"\r\n" + body


SMUGGLED = b"GET {p}/smuggled{n} HTTP/1.1\r\nHost: {h}\r\n\r\n"
SECOND = b"GET {p}/second{n} HTTP/1.1\r\nHost: {h}\r\n\r\n"


# Where the two lengths of a body disagree. `LENGTH` stands for the true one, since paths differ by door.
CODINGS = [
    ("plain", b"Transfer-Encoding: chunked", FIRST),
    ("large letters", b"TRANSFER-ENCODING: CHUNKED", FIRST),
    ("no blank", b"Transfer-Encoding:chunked", FIRST),
    ("tab", b"Transfer-Encoding:\tchunked", FIRST),
    ("blank behind", b"Transfer-Encoding: chunked ", FIRST),
    ("tab behind", b"Transfer-Encoding: chunked\t", FIRST),
    ("blank before the colon", b"Transfer-Encoding : chunked", REFUSED),
    ("tab before the colon", b"Transfer-Encoding\t: chunked", REFUSED),
    ("blank in front", b" Transfer-Encoding: chunked", REFUSED),
    ("tab in front", b"\tTransfer-Encoding: chunked", REFUSED),
    ("vertical tab", b"Transfer-Encoding:\x0bchunked", REFUSED),
    ("form feed", b"Transfer-Encoding: \x0cchunked", REFUSED),
    ("vertical tab behind", b"Transfer-Encoding: chunked\x0b", REFUSED),
    ("NUL in front", b"Transfer-Encoding: \x00chunked", REFUSED),
    ("NUL behind", b"Transfer-Encoding: chunked\x00", REFUSED),
    ("NUL in the name", b"Transfer\x00-Encoding: chunked", REFUSED),
    ("no-break blank", b"Transfer-Encoding: \xa0chunked", REFUSED),
    ("no-break blank in the name", b"Transfer-Encoding\xa0: chunked", REFUSED),
    ("dotless i", "Transfer-Encod\u0131ng: chunked".encode(), REFUSED),
    ("long s", b"Tran\xc5\xbffer-Encoding: chunked", REFUSED),
    ("folded value", b"Transfer-Encoding:\r\n chunked", REFUSED),
    ("folded name", b"Transfer-Encoding\r\n : chunked", REFUSED),
    ("folded behind another", b"X-A: b\r\n Transfer-Encoding: chunked", REFUSED),
    ("bare CR", b"X-A: b\rTransfer-Encoding: chunked", REFUSED),
    ("bare CR in front", b"\rTransfer-Encoding: chunked", REFUSED),
    ("bare CR behind", b"Transfer-Encoding: chunked\r\r", REFUSED),
    ("bare LF before", b"X-A: b\nTransfer-Encoding: chunked", FIRST),
    ("bare LF behind", b"Transfer-Encoding: chunked\nX-A: b", FIRST),
    ("quotes", b'Transfer-Encoding: "chunked"', REFUSED),
    ("single quotes", b"Transfer-Encoding: 'chunked'", REFUSED),
    ("x in front", b"Transfer-Encoding: xchunked", REFUSED),
    ("cut short", b"Transfer-Encoding: chunk", REFUSED),
    ("said twice in a line", b"Transfer-Encoding: chunked chunked", REFUSED),
    ("listed twice", b"Transfer-Encoding: chunked, chunked", REFUSED),
    ("said twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", REFUSED),
    ("identity behind", b"Transfer-Encoding: chunked, identity", REFUSED),
    ("identity in front", b"Transfer-Encoding: identity, chunked", REFUSED),
    ("identity in another line", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", REFUSED),
    ("cow in another line", b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked", REFUSED),
    ("identity", b"Transfer-Encoding: identity", REFUSED),
    ("gzip", b"Transfer-Encoding: gzip", REFUSED),
    ("gzip in front", b"Transfer-Encoding: gzip, chunked", REFUSED),
    ("empty", b"Transfer-Encoding:", REFUSED),
    ("comma in front", b"Transfer-Encoding: , chunked", REFUSED),
    ("comma behind", b"Transfer-Encoding: chunked,", REFUSED),
    ("parameter", b"Transfer-Encoding: chunked;q=1", REFUSED),
    ("semicolon", b"Transfer-Encoding: chunked;", REFUSED),
    ("nominated", b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", FIRST),
    ("underscore", b"Transfer_Encoding: chunked", DISGUISED),
    ("dot", b"Transfer.Encoding: chunked", DISGUISED),
    ("x- in front", b"X-Transfer-Encoding: chunked", BOTH),
    ("another header", b"Content-Encoding: chunked", BOTH),
    ("TE", b"TE: chunked", BOTH),
    ("Trailer", b"Trailer: Transfer-Encoding", BOTH),
]
for name, line, right in CODINGS:
    # CL.TE: by its length all is the body, by chunks it ends at once.
    by_length = {BOTH: FIRST, DISGUISED: REFUSED}.get(right, right)
    case(f"CL.TE {name}", post(b"Content-Length: {LENGTH}\r\n" + line + b"\r\n", b"0\r\n\r\n" + SMUGGLED), by_length)
    # TE.CL: by its length the second begins within what is one chunk.
    by_length = {BOTH: {FIRST, BOTH}, DISGUISED: {REFUSED, SECOND_ALONE}}.get(right, {right})
    inner = SECOND if right in (BOTH, DISGUISED) else SMUGGLED
    case(f"TE.CL {name}", post(b"Content-Length: 4\r\n" + line + b"\r\n", b"{SIZE}\r\n" + inner + b"\r\n0\r\n\r\n"), *by_length)



def is_disguised(at):
    """Whether the load balancer's mode alone decides of a case."""
    return CASES[at][0] in {f"{kind} {name}" for kind in ("CL.TE", "TE.CL") for name, _, right in CODINGS if right == DISGUISED}


BODY = b"hello"
for name, lines, right in [
    ("the same twice", b"Content-Length: 5\r\nContent-Length: 5\r\n", FIRST),
    ("the same in another spelling", b"Content-Length: 5\r\nContent-Length: 05\r\n", FIRST),
    ("two", b"Content-Length: 5\r\nContent-Length: 0\r\n", REFUSED),
    ("two, the smaller first", b"Content-Length: 0\r\nContent-Length: 5\r\n", REFUSED),
    ("two beside chunks", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n", REFUSED),
    ("a list", b"Content-Length: 5, 5\r\n", REFUSED),
    ("a list of two", b"Content-Length: 5, 0\r\n", REFUSED),
    ("plus", b"Content-Length: +5\r\n", REFUSED),
    ("minus", b"Content-Length: -5\r\n", REFUSED),
    ("minus zero", b"Content-Length: -0\r\n", REFUSED),
    ("hexadecimal", b"Content-Length: 0x5\r\n", REFUSED),
    ("exponent", b"Content-Length: 5e0\r\n", REFUSED),
    ("point", b"Content-Length: 5.0\r\n", REFUSED),
    ("underscore", b"Content-Length: 0_5\r\n", REFUSED),
    ("blank within", b"Content-Length: 5 0\r\n", REFUSED),
    ("zeros in front", b"Content-Length: 0005\r\n", FIRST),
    ("empty", b"Content-Length:\r\n", REFUSED),
    ("beyond 64 bits", b"Content-Length: 18446744073709551621\r\n", REFUSED),
    ("quotes", b'Content-Length: "5"\r\n', REFUSED),
    ("NUL", b"Content-Length: 5\x00\r\n", REFUSED),
    ("vertical tab", b"Content-Length:\x0b5\r\n", REFUSED),
    ("blank before the colon", b"Content-Length : 5\r\n", REFUSED),
    ("folded", b"Content-Length:\r\n 5\r\n", REFUSED),
    ("other digits", "Content-Length: \u0665\r\n".encode(), REFUSED),
    ("nominated", b"Connection: Content-Length\r\nContent-Length: 5\r\n", FIRST),
]:
    case(f"length: {name}", post(lines, BODY), right)
case("CL.0 GET with a body", post(b"Content-Length: {LENGTH}\r\n", SMUGGLED, method=b"GET"), FIRST)
case("CL.0 HEAD with a body", post(b"Content-Length: {LENGTH}\r\n", SMUGGLED, method=b"HEAD"), FIRST)
case("CL.0 POST to a static path", post(b"Content-Length: {LENGTH}\r\n", SMUGGLED, b"{p}/first{n}/robots.txt"), FIRST)
case("CL.0 OPTIONS with a body", post(b"Content-Length: {LENGTH}\r\n", SMUGGLED, method=b"OPTIONS"), FIRST)
case("CL.0 GET with chunks", post(b"Transfer-Encoding: chunked\r\n", b"{SIZE}\r\n" + SMUGGLED + b"\r\n0\r\n\r\n", method=b"GET"), FIRST)
case("0.CL no length, then bytes", post(b"", b"X" + SECOND), FIRST, BOTH)
case("HTTP/1.0 with chunks", b"POST {p}/first{n} HTTP/1.0\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, REFUSED)
case("HTTP/1.0, kept alive, with a length", b"POST {p}/first{n} HTTP/1.0\r\nHost: {h}\r\nConnection: keep-alive\r\nContent-Length: {LENGTH}\r\n\r\n" + SMUGGLED, FIRST)

CHUNKED = b"Transfer-Encoding: chunked\r\n"
for name, body, *right in [
    ("an extension", b"5;a=b\r\nhello\r\n0\r\n\r\n", FIRST),
    ("an extension in quotes", b'5;a="b;c"\r\nhello\r\n0\r\n\r\n', FIRST),
    ("an extension of the last", b"5\r\nhello\r\n0;a=b\r\n\r\n", FIRST),
    ("an extension with bare LF", b"5;a\nb\r\nhello\r\n0\r\n\r\n", REFUSED),
    ("an extension with bare LF and a request", b"2;\nxx\r\n4c\r\n0\r\n\r\n" + SMUGGLED, REFUSED),
    ("an extension with bare CR", b"5;a\rb\r\nhello\r\n0\r\n\r\n", REFUSED),
    ("an extension with NUL", b"5;\x00\r\nhello\r\n0\r\n\r\n", REFUSED),
    ("a line that ends in LF", b"5\nhello\r\n0\r\n\r\n", REFUSED),
    ("data that end in LF", b"5\r\nhello\n0\r\n\r\n", REFUSED),
    ("data that end in nothing", b"5\r\nhello0\r\n\r\n", REFUSED),
    ("data beyond the size", b"5\r\nhello!!\r\n0\r\n\r\n", REFUSED),
    ("an end in LF", b"5\r\nhello\r\n0\n\n", REFUSED),
    ("an end in CRLF and LF", b"5\r\nhello\r\n0\r\n\n" + SMUGGLED, REFUSED),
    ("an end in CR", b"5\r\nhello\r\n0\r\r\n" + SMUGGLED, REFUSED),
    ("plus", b"+5\r\nhello\r\n0\r\n\r\n", REFUSED),
    ("minus", b"-5\r\nhello\r\n0\r\n\r\n", REFUSED),
    ("0x", b"0x5\r\nhello\r\n0\r\n\r\n", REFUSED),
    ("underscore", b"0_5\r\nhello\r\n0\r\n\r\n", REFUSED),
    ("blank in front", b" 5\r\nhello\r\n0\r\n\r\n", REFUSED),
    ("blank behind", b"5 \r\nhello\r\n0\r\n\r\n", FIRST),
    ("letters behind", b"5g\r\nhello\r\n0\r\n\r\n", REFUSED),
    ("no size", b"\r\nhello\r\n0\r\n\r\n", REFUSED),
    ("zeros in front", b"0000000000000000000005\r\nhello\r\n0\r\n\r\n", FIRST),
    ("a last of many zeros", b"5\r\nhello\r\n00000000\r\n\r\n", FIRST),
    ("beyond 64 bits", b"10000000000000005\r\nhello\r\n0\r\n\r\n", REFUSED),
    ("2^64 - 1", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", FIRST, REFUSED),
    ("a trailer", b"5\r\nhello\r\n0\r\nX-A: b\r\n\r\n", FIRST),
    ("a length in trailers", b"5\r\nhello\r\n0\r\nContent-Length: 100\r\n\r\n", FIRST),
    ("a coding in trailers", b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", FIRST),
    ("a host in trailers", b"5\r\nhello\r\n0\r\nHost: other\r\n\r\n", FIRST),
    ("a trailer in LF", b"5\r\nhello\r\n0\r\nX-A: b\n\r\n", REFUSED),
    ("trailers that end in LF", b"5\r\nhello\r\n0\r\nX-A: b\r\n\n" + SMUGGLED, REFUSED),
    ("a trailer with a blank before its colon", b"5\r\nhello\r\n0\r\nX-A : b\r\n\r\n", REFUSED),
    ("a trailer without a colon", b"5\r\nhello\r\n0\r\nGET {p}/smuggled{n} HTTP/1.1\r\n\r\n", REFUSED),
    ("a folded trailer", b"5\r\nhello\r\n0\r\nX-A: b\r\n c\r\n\r\n", REFUSED),
    ("a request behind", b"5\r\nhello\r\n0\r\n\r\n" + SECOND, BOTH),
    ("a request behind trailers", b"5\r\nhello\r\n0\r\nX-A: b\r\n\r\n" + SECOND, BOTH),
]:
    case(f"chunks: {name}", post(CHUNKED, body), *right)

for name, data, *right in [
    ("absolute form", b"GET http://{h}{p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n", FIRST, REFUSED),
    ("absolute form of another host", b"GET http://other.example{p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n", FIRST, REFUSED),
    ("absolute form with a user", b"GET http://u@{h}{p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("authority form", b"CONNECT {h}:80 HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("asterisk form", b"OPTIONS * HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("no slash", b"GET first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("two blanks", b"GET  {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("a tab", b"GET\t{p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("a blank in the target", b"GET {p}/first{n} x HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("a version in the target", b"GET {p}/first{n} HTTP/1.1 HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("NUL in the target", b"GET {p}/first{n}\x00 HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("CR in the target", b"GET {p}/first{n}\r HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("a fragment", b"GET {p}/first{n}#a HTTP/1.1\r\nHost: {h}\r\n\r\n", FIRST, REFUSED),
    ("no version", b"GET {p}/first{n}\r\nHost: {h}\r\n\r\n", REFUSED),
    ("HTTP/0.9", b"GET {p}/first{n}\r\n\r\n", REFUSED),
    ("HTTP/1.2", b"GET {p}/first{n} HTTP/1.2\r\nHost: {h}\r\n\r\n", REFUSED),
    ("HTTP/2.0", b"GET {p}/first{n} HTTP/2.0\r\nHost: {h}\r\n\r\n", REFUSED),
    ("http/1.1", b"GET {p}/first{n} http/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("HTTP/1.1 and a blank", b"GET {p}/first{n} HTTP/1.1 \r\nHost: {h}\r\n\r\n", REFUSED),
    ("a colon in the method", b"GET: {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("small letters", b"get {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n", FIRST, REFUSED),
    ("TRACE", b"TRACE {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n", FIRST, REFUSED),
    ("line ends of LF", b"GET {p}/first{n} HTTP/1.1\nHost: {h}\n\n", FIRST),
    ("line ends of CR", b"GET {p}/first{n} HTTP/1.1\rHost: {h}\r\r", REFUSED),
    ("empty lines in front", b"\r\n\r\nGET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n", FIRST),
    ("a blank in front", b" GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("NUL in front", b"\x00GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n", REFUSED),
    ("no host", b"GET {p}/first{n} HTTP/1.1\r\n\r\n", REFUSED),
    ("an empty host", b"GET {p}/first{n} HTTP/1.1\r\nHost:\r\n\r\n", REFUSED),
    ("two hosts", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nHost: other.example\r\n\r\n", REFUSED),
    ("the same host twice", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nHost: {h}\r\n\r\n", REFUSED),
    ("a host with a comma", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}, other.example\r\n\r\n", REFUSED),
    ("a host with a path", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}/a\r\n\r\n", REFUSED),
    ("a host with a user", b"GET {p}/first{n} HTTP/1.1\r\nHost: u@{h}\r\n\r\n", REFUSED),
    ("a host nominated", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nConnection: Host\r\n\r\n", FIRST, REFUSED),
    ("a name of nothing", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n: a\r\n\r\n", REFUSED),
    ("no colon", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nX-A\r\n\r\n", REFUSED),
    ("a blank in a name", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nX A: b\r\n\r\n", REFUSED),
    ("NUL in a value", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nX-A: b\x00c\r\n\r\n", REFUSED),
    ("a bell in a value", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nX-A: b\x07c\r\n\r\n", REFUSED),
    ("DEL in a value", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nX-A: b\x7fc\r\n\r\n", REFUSED),
    ("other bytes in a value", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nX-A: b\xffc\r\n\r\n", FIRST),
    ("a folded value", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nX-A: b\r\n c\r\n\r\n", REFUSED),
    ("a folded first line", b"GET {p}/first{n} HTTP/1.1\r\n Host: x\r\nHost: {h}\r\n\r\n", REFUSED),
    ("a request in a value", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nX-A: GET {p}/smuggled{n} HTTP/1.1\r\n\r\n", FIRST),
    ("a hundred and one lines", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n" + b"X: y\r\n" * 101 + b"\r\n", REFUSED),
    ("escaped line ends in the target", b"GET {p}/first{n}%0d%0aX:%20y HTTP/1.1\r\nHost: {h}\r\n\r\n", FIRST, REFUSED),
    ("expectation and body at once", b"POST {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", FIRST),
    ("expectation with chunks", b"POST {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", FIRST),
    ("expectation of GET", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nExpect: 100-continue\r\n\r\n" + SECOND, BOTH),
    ("an unknown expectation", b"POST {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nExpect: x\r\nContent-Length: 5\r\n\r\nhello", FIRST, REFUSED),
    ("an expectation with a blank before its colon", b"POST {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nExpect : 100-continue\r\nContent-Length: 5\r\n\r\nhello", REFUSED),
    ("bytes behind an upgrade", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + SECOND, FIRST, BOTH),
    ("an upgrade with a length", b"POST {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: {LENGTH}\r\n\r\n" + SMUGGLED, FIRST),
    ("an upgrade to h2c", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", FIRST),
    ("two requests", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n" + SECOND, BOTH),
    ("a body, then a request", b"POST {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 5\r\n\r\nhello" + SECOND, BOTH),
    ("HEAD, then a request", b"HEAD {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n" + SECOND, BOTH),
    ("close, then a request", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\nConnection: close\r\n\r\n" + SMUGGLED, FIRST),
    ("HTTP/1.0, then a request", b"GET {p}/first{n} HTTP/1.0\r\nHost: {h}\r\n\r\n" + SMUGGLED, FIRST),
    ("a request, then nonsense", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\n\x16\x03\x01\x02\x00", FIRST),
    ("the preface of HTTP/2 behind a request", b"GET {p}/first{n} HTTP/1.1\r\nHost: {h}\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", FIRST),
]:
    case(f"head: {name}", data, *right)


# Over HTTP/2: name, method, fields, pieces of the body, trailers, and what may come of it. A request in a body is only that.
HTTP2_CASES = [
    ("H2.CL a length of nothing", "POST", [("content-length", "0")], [SMUGGLED], (), {REFUSED, FIRST}),
    ("H2.CL a length that is too small", "POST", [("content-length", "1")], [b"x" + SMUGGLED], (), {REFUSED}),
    ("H2.CL a length that is too large", "POST", [("content-length", "999")], [b"x"], (), {REFUSED}),
    ("H2.CL the same length twice", "POST", [("content-length", "5"), ("content-length", "5")], [b"hello"], (), {REFUSED, FIRST}),
    ("H2.CL a list of lengths", "POST", [("content-length", "5, 5")], [b"hello"], (), {REFUSED}),
    ("H2.CL a length with a sign", "POST", [("content-length", "+5")], [b"hello"], (), {REFUSED}),
    ("H2.CL zeros in front", "POST", [("content-length", "005")], [b"hello"], (), {FIRST}),
    ("H2.CL in trailers", "POST", [], [b"hello"], [("content-length", "0")], {REFUSED, FIRST}),
    ("H2.TE chunked", "POST", [("transfer-encoding", "chunked")], [b"0\r\n\r\n" + SMUGGLED], (), {REFUSED}),
    ("H2.TE identity", "POST", [("transfer-encoding", "identity")], [b"hello"], (), {REFUSED}),
    ("H2.TE in disguise", "POST", [("transfer_encoding", "chunked")], [b"0\r\n\r\n" + SMUGGLED], (), {REFUSED, FIRST}),
    ("H2.TE in trailers", "POST", [], [b"hello"], [("transfer-encoding", "chunked")], {REFUSED, FIRST}),
    ("H2.TE behind a line end", "POST", [("x-a", "b\r\ntransfer-encoding: chunked")], [b"0\r\n\r\n" + SMUGGLED], (), {REFUSED}),
    ("H2.TE behind a bare LF", "POST", [("x-a", "b\ntransfer-encoding: chunked")], [b"0\r\n\r\n" + SMUGGLED], (), {REFUSED}),
    ("H2.TE in a name", "POST", [("x-a: b\r\ntransfer-encoding", "chunked")], [b"0\r\n\r\n" + SMUGGLED], (), {REFUSED}),
    ("H2 a request behind a line end", "GET", [("x-a", "b\r\n\r\nGET /smuggled HTTP/1.1\r\nx: y")], [], (), {REFUSED}),
    ("H2 a request in the method", "GET /smuggled HTTP/1.1\r\nx: y\r\n\r\nGET", [], [], (), {REFUSED}),
    ("H2 connection", "GET", [("connection", "x-a"), ("x-a", "b")], [], (), {REFUSED}),
    ("H2 another host", "GET", [("host", "other.example")], [], (), {REFUSED}),
    ("H2 GET with a body", "GET", [], [SMUGGLED], (), {FIRST}),
    ("H2 HEAD with a body", "HEAD", [], [SMUGGLED], (), {FIRST}),
    ("H2 a body in pieces without a length", "POST", [], [b"x", SMUGGLED, b"y"], (), {FIRST}),
    ("H2 chunks in the data", "POST", [], [b"5\r\nhello\r\n0\r\n\r\n" + SMUGGLED], (), {FIRST}),
    ("H2 expectation", "POST", [("expect", "100-continue")], [b"hello"], (), {FIRST}),
    ("H2 an upgrade", "GET", [("upgrade", "h2c")], [], (), {REFUSED}),
]


def bytes_of(data, prefix, host, number):
    """The bytes of a case, with lengths that are true where it says so."""
    for mark, value in ((b"{p}", prefix), (b"{h}", host), (b"{n}", str(number))):
        data = data.replace(mark, value.encode())
    if b"{SIZE}" in data:
        start = data.index(b"{SIZE}\r\n") + len(b"{SIZE}\r\n")
        data = data.replace(b"{SIZE}", b"%02x" % (data.index(b"\r\n0\r\n\r\n", start) - start))
    if b"{LENGTH}" in data:
        data = data.replace(b"{LENGTH}", b"%d" % (len(data) - data.index(b"\r\n\r\n") - 4))
    return data
