//! Every bound of the data plane: its unit, its default, where it comes from, and what happens at the edge. Nothing else
//! lives here; a bound written anywhere else is a mistake.

use std::time::Duration;

/// Bytes of a request body. Quotas of HTTP APIs, payload size, 10 MB (2026-11). Above: 413, whatever the framing.
pub const REQUEST_BODY_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// Bytes of the request line and all header lines. Quotas of HTTP APIs (2026-11). Above: 431.
pub const REQUEST_HEAD_BYTES_MAX: usize = 10_240;

/// Bytes of a request head that are read at all, so that the 431 above can still be told apart. Ours. Above: a plain 431.
pub const REQUEST_HEAD_READ_BYTES_MAX: usize = 64 * 1024;

/// Header lines of one message, and trailer lines of one body. Ours, as most servers have it. Above: 431, or 502 for a target.
pub const HEADER_LINES_MAX: usize = 100;

/// Bytes of the line that a chunk begins with, extensions and all. Ours. Above: the body is malformed.
pub const CHUNK_LINE_BYTES_MAX: usize = 4096;

/// Bytes of all chunk extensions of one body, and of zeros in front of its chunks' sizes: 16 KiB. Ours. Above: the body is malformed.
pub const CHUNK_EXTENSIONS_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a body's trailers: 16 KiB. Ours. Above: the body is malformed.
pub const TRAILER_BYTES_MAX: usize = 16 * 1024;

/// Interim answers (1xx) before the one that counts: 16. Ours. Above: 502.
pub const INTERIM_RESPONSES_MAX: u32 = 16;

/// Bytes that are read and thrown away after an answer that came before its request's end, so that the client can read it. Ours.
/// Above: the connection is closed.
pub const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long that is done over HTTP/2, where nothing else waits for the request's end: 5 s. Ours. Above: its stream is reset, as a server may
/// behind a whole answer (RFC 9113, section 8.1).
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a target's response head. ALB quotas (2026-11). Above: 502.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 32 * 1024;

/// Addresses in `X-Forwarded-For`. ALB troubleshooting, HTTP 463 (2026-11). Above: 463.
pub const FORWARDED_ADDRESSES_MAX: usize = 30;

/// Bytes of a request line that a load balancer takes. ALB quotas (2026-11). Above: 414.
pub const LISTENER_LINE_BYTES_MAX: usize = 16 * 1024;

/// Bytes of one header that a load balancer takes. ALB quotas (2026-11). Above: 400.
pub const LISTENER_HEADER_BYTES_MAX: usize = 16 * 1024;

/// Bytes of all headers that a load balancer takes. ALB quotas (2026-11). Above: 400.
pub const LISTENER_HEADERS_BYTES_MAX: usize = 64 * 1024;

/// Sockets of listeners that are bound before their entry is kept. Ours. Above: the oldest is closed.
pub const OFFERED_SOCKETS_MAX: usize = 16;

/// Sockets that listeners of internet-facing load balancers have (`listen.balancers`). Ours: 64, which the descriptors that no client takes
/// have room for. Above: a listener has none, and `tidegate status` says so.
pub const INTERNET_SOCKETS_MAX: usize = 64;

/// Descriptors that private networks of the kernel may hold, where the process has so many: three of four are interfaces', and routers', of
/// the others half are for sockets of load balancers' nodes and half for those of attached programs of the host. Ours. Above: an interface reaches nobody and nobody reaches it, or a node does not listen, and
/// `tidegate status` says so; the gateway and links do not need either.
pub const NETWORK_DESCRIPTORS_MAX: usize = 8_192;

/// The lowest port of a listener that its socket for the internet has too, where it is free. Ours: 1024, since a program without
/// privileges gets none below. A listener with a lower one has a free port in its place.
pub const OWN_PORT_MIN: u16 = 1024;

/// Bytes of a redirect's `Location`. ALB troubleshooting, HTTP 507 (2026-11). Above: 507.
pub const REDIRECT_LOCATION_BYTES_MAX: usize = 8 * 1024;

/// Bytes of all request headers above which `X-Amzn-Trace-Id` is written anew. ALB user guide, request tracing (2026-11).
pub const TRACE_HEADER_BYTES_MAX: usize = 7 * 1024;

/// How long a client may take for a request head, or stay idle between two. Ours, after the ALB's idle timeout of 60 s.
/// Above: the connection is closed, up to two sweeps later.
pub const CLIENT_HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a client of the gateway may be silent within a body; a listener's own clients as long as its load balancer's
/// `idle_timeout.timeout_seconds`. ALB troubleshooting, HTTP 408 (2026-11). Above: 408.
pub const CLIENT_BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a body that is passed on as it comes may take in all: 300 s, which lets a client of 35 kB/s send the largest. Ours. Above: 408.
pub const CLIENT_BODY_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a client may take nothing of an answer that it is owed: 60 s, as an ALB's idle timeout. Ours. Above: the answer breaks off,
/// up to two sweeps later, and what it held is free.
pub const CLIENT_READ_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a request may take from its head to the last byte of its answer: 20 min, the longest stream of a REST API (15 min; REST API
/// developer guide, "Stream the integration response", 2026-11) and the longest body together. Ours. Above: as for a client that takes
/// nothing.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20 * 60);

/// Bytes that an HTTP/2 client may send of one body before they are read: 64 KiB, about what the protocol begins with, since each
/// byte may come in a frame of its own. Ours.
pub const CLIENT_STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// The same of all bodies of its connection: 256 KiB. Ours.
pub const CLIENT_WINDOW_BYTES: u32 = 256 * 1024;

/// How long the gateway waits for a connection that a group drops: about 9 s were seen on HTTP APIs. At most the
/// integration's timeout. Above: 503.
pub const BLOCKED_LINK_TIMEOUT: Duration = Duration::from_secs(9);

/// How long an ALB waits for a connection to a target. ALB troubleshooting, HTTP 504 (2026-11). Above: 504.
pub const TARGET_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a TLS handshake with a target may take: 10 s (ALB user guide, troubleshooting, 2026-11). Above: 502.
pub const TARGET_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Open client connections of one listener. Ours; fewer where the process has too few descriptors. Above: accepting waits until
/// one closes.
pub const CLIENT_CONNECTIONS_MAX: usize = 16_384;

/// How long a TLS handshake may take. Ours. Above: the connection is closed.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Certificates of a client's chain: 4 (HTTP API developer guide, "Configuring mutual TLS authentication"; ALB user guide, "Mutual authentication
/// with TLS"; both 2026-11). Above: 403, and at a listener a failed handshake.
pub const CLIENT_CHAIN_CERTIFICATES_MAX: usize = 4;

/// Server names whose verification is kept for one listener. Ours. Above: all are verified again.
pub const SERVER_NAMES_KEPT: usize = 256;

/// Sets of valid authorities of a trust store whose judges are kept. Ours; it changes when one of them begins or ends. Above: the eldest is
/// made again.
pub const JUDGES_KEPT_MAX: usize = 4;

/// Bytes of the names of a trust store that a client is told in a handshake: 32 KiB. Ours; the message holds 64 KiB, with all else.
/// Above: the client is told none.
pub const TRUST_HINT_BYTES_MAX: usize = 32 * 1024;

/// Certificates of the development authority at once: one for each region and domain of invoke hosts. Ours. Above: the one that was
/// not asked for for longest is forgotten, and made anew when it is asked for.
pub const DEVELOPMENT_CERTIFICATES_MAX: usize = 128;

/// How long accepting pauses after an error such as a lack of descriptors. Ours.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes that the system may keep of what a client is sent: 256 KiB, which Linux doubles. A client that reads 6 kB/s is then seen to
/// read within [`CLIENT_READ_IDLE_TIMEOUT`]. Ours.
pub const CLIENT_SEND_BUFFER_BYTES: u32 = 256 * 1024;

/// Connections that wait to be accepted by a listener. Ours. Above: the system turns clients away.
pub const LISTEN_BACKLOG: u32 = 1024;

/// Requests at once on a connection to a target over which HTTP/2 is spoken: 128, as an ALB takes of clients. Ours. Above: one more
/// connection.
pub const TARGET_STREAMS_MAX: usize = 128;

/// Bytes that a target may send of one answer over HTTP/2 before they are read: 64 KiB. Ours.
pub const TARGET_STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// The same of all answers of its connection: what [`TARGET_STREAMS_MAX`] answers may have, 8 MiB, so that clients who read nothing keep
/// nobody else's answer. Ours.
pub const TARGET_WINDOW_BYTES: u32 = TARGET_STREAMS_MAX as u32 * TARGET_STREAM_WINDOW_BYTES;

/// How long one request waits for another one that opens a connection to the same target, before it opens its own: 1 s. Ours.
pub const TARGET_OPENING_WAIT: Duration = Duration::from_secs(1);

/// How long a connection to a target is taken to have room although the target has not said how much: 250 ms. Ours.
pub const TARGET_SETTINGS_WAIT: Duration = Duration::from_millis(250);

/// Idle upstream connections for one pair of ends. Ours. Above: the connection is closed instead of kept.
pub const IDLE_PER_KEY_MAX: usize = 256;

/// How long an idle upstream connection is kept. Ours, after the ALB's idle timeout of 60 s.
pub const UPSTREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How often idle connections on both sides are looked through. Ours.
pub const IDLE_SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How often a request is put on another connection because the one before was closed unused. Ours.
pub const UNSENT_RETRIES_MAX: u32 = 4;

/// Bytes of a probe's response body that are read before its connection is closed. Ours.
pub const PROBE_BODY_BYTES_MAX: usize = 64 * 1024;

/// Traces that are kept; the oldest give way. Ours: about 5 MiB.
pub const TRACES_KEPT: usize = 4096;

/// Bytes of a body that a parameter mapping looks into. HTTP API developer guide, parameter mapping (2026-11): 100 KB.
pub const MAPPED_BODY_BYTES_MAX: usize = 100 * 1024;

/// Bytes of one detail of a step in a trace.
pub const TRACE_DETAIL_BYTES_MAX: usize = 1024;

/// Bytes of a method in a trace.
pub const TRACE_METHOD_BYTES_MAX: usize = 16;

/// How often a link's use is reported. The consumer counts 60 idle days.
pub const LINK_USED_INTERVAL: Duration = Duration::from_secs(60);

/// HTTP/2 requests at once on a client's connection: 128, as an ALB takes (ALB user guide, "Listeners", 2026-11; API Gateway
/// names none). One more waits for a place.
pub const CLIENT_STREAMS_MAX: u32 = 128;

/// How often a silent HTTP/2 client is pinged: 30 s after its last request or its last answer to a ping, or up to one sweep earlier. Ours:
/// no timeout of a head can end such a connection.
pub const CLIENT_PING_INTERVAL: Duration = Duration::from_secs(30);

/// How long one may leave a ping without an answer: 20 s, or up to one sweep more. Ours. Above: the connection is closed.
pub const CLIENT_PONG_TIMEOUT: Duration = Duration::from_secs(20);

/// Streams that a connection may have this end reset for errors of its own: 1,024. Ours, h2's default. Above: the connection is closed.
pub const CLIENT_RESETS_MAX: usize = 1024;

/// Looks of a connection over HTTP/2 at what has become ready, before its thread looks at others: 8. One look is enough for what is ready
/// when it begins; what that makes ready is looked at in the next. Ours.
pub const CLIENT_LOOKS_MAX: usize = 8;

/// How long a listener waits for the rest of what may be an HTTP/2 preface before it looks again: 5 ms, far below what a
/// person notices and far above what a segment in one piece needs.
pub const PREFACE_PAUSE: Duration = Duration::from_millis(5);

/// How often a listener looks again for the rest of what may be an HTTP/2 preface: 20 times, a tenth of a second in all.
pub const PREFACE_LOOKS_MAX: u32 = 20;

/// Lines of access logs that wait to be written. Ours: about a second of full load. Above: the line is dropped and counted.
pub const LINES_MAX: usize = 16_384;

/// Bytes of all of them. Ours. Above: the line is dropped and counted.
pub const LINES_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes of one line: 1 MB (HTTP API developer guide, access logs, 2026-11). Above: the line is dropped and counted.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Connections that flow logs put together at a time, of each interval, and those that are open. Ours. Above: `SKIPDATA` says of their
/// interfaces that some were left out.
pub const FLOWS_MAX: usize = 16_384;

/// Lines of logs of load balancers that wait to be written. Ours: about a second of full load. Above: the line is dropped and counted.
pub const BALANCER_LINES_MAX: usize = 16_384;

/// Bytes of all of them. Ours. Above: the line is dropped and counted.
pub const BALANCER_LINES_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes of `User-Agent` in a load balancer's log: 8 KB (ALB user guide, access log entries, 2026-11). Above: cut.
pub const LOGGED_AGENT_BYTES_MAX: usize = 8 * 1024;

/// How long the capacity units of a load balancer are counted before they are told: a minute, as CloudWatch has metrics.
pub const CAPACITY_WINDOW: Duration = Duration::from_secs(60);

/// Bytes of what a client offers by ALPN in a load balancer's log: 256 (NLB user guide, access log entries, 2026-11). Above: cut.
pub const LOGGED_PROTOCOLS_BYTES_MAX: usize = 256;

/// Requests that wait for the export of their spans. Ours. Above: the request is not exported, and counted.
pub const SPANS_MAX: usize = 4096;

/// Bytes of all of them. Ours. Above: the request is not exported, and counted.
pub const SPANS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of one of them. Ours. Above: the request is not exported, and counted.
pub const SPAN_BYTES_MAX: usize = 256 * 1024;
/// How long a connection to the outside may take to be established: name, TCP and TLS together, 10 s. Ours, as for targets; a
/// caller with less time left sets less.
pub const OUTSIDE_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Addresses of one name that are tried in turn: 4. Ours. Above: the rest is not tried.
pub const OUTSIDE_ADDRESSES_MAX: usize = 4;

/// Names under resolution at once: 32. Ours; each takes a thread while the system's resolver waits. Above: the next waits for
/// its turn, within its own time.
pub const OUTSIDE_RESOLUTIONS_MAX: usize = 32;

/// Bytes of a token: as many as a request head may have, which is all that AWS says. Above: 401.
pub const TOKEN_BYTES_MAX: usize = REQUEST_HEAD_BYTES_MAX;

/// Keys, audiences or scopes that a trace names where a token was refused: 8. Ours. Above: the rest is counted.
pub const SHOWN_ITEMS_MAX: usize = 8;

/// Bytes that verified tokens may take in memory, roughly: 32 MiB, some 10,000 tokens. Ours. Above: the ones unused for longest
/// are forgotten and verified anew.
pub const TOKEN_CACHE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How long an issuer may take for its discovery document. HTTP API quotas (2026-11). Above: 401.
pub const DISCOVERY_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long an issuer may take for its keys. HTTP API quotas (2026-11). Above: 401.
pub const JWKS_TIMEOUT: Duration = Duration::from_millis(1500);

/// Bytes of an issuer's JWKS. HTTP API quotas and ALB user guide, JWT validation limits (2026-11); ours for the discovery document.
/// Above: 401, or 500 of a listener's rule.
pub const ISSUER_BODY_BYTES_MAX: usize = 150_000;

/// Keys of a JWKS that are taken: 256. Ours; the bytes above hold about 300. Above: the rest is passed over.
pub const JWKS_KEYS_MAX: usize = 256;

/// How long the endpoint with the keys of a listener's rule may take. ALB user guide, access logs (2026-11). Above: 500.
pub const RULE_JWKS_TIMEOUT: Duration = Duration::from_secs(5);

/// Keys of the JWKS of a listener's rule: 10. ALB user guide, JWT validation limits (2026-11). Above: 500.
pub const RULE_JWKS_KEYS_MAX: usize = 10;

/// How long a provider may take for tokens, and again for claims. ALB user guide, access logs (2026-11). Above: 500.
pub const LOGIN_EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may take to log in. ALB user guide, client login timeout (2026-11). Above: 401.
pub const LOGIN_MAX: Duration = Duration::from_secs(15 * 60);

/// Bytes of claims and access token together. ALB user guide, authentication flow (2026-11). Above: 500.
pub const LOGIN_CLAIMS_BYTES_MAX: usize = 11 * 1024;

/// Bytes of one cookie of a session, and how many there are. ALB user guide, authentication logout (2026-11). Above: 500.
pub const SESSION_SHARD_BYTES_MAX: usize = 4096;

/// Cookies of one session. ALB user guide, authentication logout (2026-11). Above: 500.
pub const SESSION_SHARDS_MAX: usize = 4;

/// Bytes of a path with its query to which a client comes back after it logged in. Ours. Above: it comes back to `/`.
pub const LOGIN_RETURN_BYTES_MAX: usize = 2048;

/// How long an issuer's keys are believed without asking again. HTTP API developer guide, JWT authorizers (2026-11).
pub const JWKS_CACHE: Duration = Duration::from_secs(2 * 3600);

/// How long an issuer's old keys are believed while it does not answer: a day. Ours. Above: 401.
pub const JWKS_STALE_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long passes between two times of asking an issuer whose keys are known: 10 s. Ours. Within: what there is decides.
pub const ISSUER_RETRY: Duration = Duration::from_secs(10);

/// How long passes before an issuer is asked again whose keys were never had: 1 s. Ours. Within: 401.
pub const ISSUER_FIRST_RETRY: Duration = Duration::from_secs(1);

/// How long a request waits for an issuer's keys: 6 s, more than one or both documents may take. Ours. Above: what there is decides.
pub const ISSUER_WAIT_MAX: Duration = Duration::from_secs(6);

/// How long a body whose signature is to be verified may take, with waiting for its turn: 60 s. Ours. Above: 408.
pub const SIGNED_BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a client may be silent within a body that is kept in memory until it is whole, or a mapping has seen its beginning: 10 s,
/// since others may wait for its place. Ours. Above: 408.
pub const HELD_BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of the beginnings of requests' bodies that are read ahead for mappings, of all together, and as many of answers': 128 MiB, so
/// 1024 of the largest. Ours. Above: the next waits for its place.
pub const MAPPED_BODIES_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Bytes of bodies in memory because their signature is verified, all of requests whose head is good: 320 MiB, so 32 of the largest.
/// Ours. Above: the next waits for its place.
pub const SIGNED_BODIES_BYTES_MAX: u64 = 32 * REQUEST_BODY_BYTES_MAX;

/// Iterations of one `#foreach`, and numbers of one range: 1000. REST API quotas (2026-11). Above: 500.
pub const TEMPLATE_LOOP_MAX: usize = 1000;

/// Steps of one evaluation of a template, loops within loops and long texts included: half a million, about a tenth of a second. Ours. Above: 500.
pub const TEMPLATE_STEPS_MAX: usize = 500_000;

/// Seconds of one evaluation of a template, whatever its steps: 1. Ours. Above: 500.
pub const TEMPLATE_SECONDS_MAX: usize = 1;

/// The same as a time.
pub const TEMPLATE_TIME_MAX: Duration = Duration::from_secs(TEMPLATE_SECONDS_MAX as u64);

/// Steps of a template or a model that are done where the request is served: ten thousand, about two milliseconds. Ours. Above: it is begun anew
/// in a turn for long work.
pub const INLINE_STEPS_MAX: usize = 10_000;

/// Bytes of a body that is packed, unpacked, judged or mapped where the request is served: 64 KiB, about a millisecond. Ours. Above:
/// in a turn for long work.
pub const INLINE_WORK_BYTES_MAX: usize = 64 * 1024;

/// Long works at once, each on a thread that gives its other tasks away: 8. Ours. Above: the next waits.
pub const TURNS_MAX: usize = 8;

/// How long a request waits for a turn for long work: 29 s, as an integration's time is by default. Ours. Above: 504.
pub const TURN_TIMEOUT: Duration = Duration::from_secs(29);

/// Levels of directives, expressions, macros and printed values within each other while a template is evaluated: as many as one may
/// be written with. Ours. Above: 500.
pub const TEMPLATE_NESTING_MAX: usize = topology::template::TEMPLATE_NESTING_MAX;

/// Bytes of one text of a template, its output included: 10 MiB, the largest payload. REST API quotas (2026-11). Above: 500.
pub const TEMPLATE_OUTPUT_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Bytes that all values of one evaluation hold: 64 MiB. Ours. Above: 500.
pub const TEMPLATE_BYTES_HELD_MAX: usize = 64 * 1024 * 1024;

/// Bytes of a compiled regular expression of a template: 256 KiB. Ours. Above: 500.
pub const TEMPLATE_REGEX_BYTES_MAX: usize = 256 * 1024;

/// Bytes of an integration's answer that a REST API takes whole: 10 MiB. REST API quotas, payload size (2026-11). Above: 500.
pub const ANSWER_BODY_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// Bytes of whole bodies of requests to REST APIs in memory while they are read or sent on, of all together, and as many of answers:
/// 640 MiB each, so 64 of the largest. Ours. Above: the next waits for its place.
pub const WHOLE_BODIES_BYTES_MAX: u64 = 64 * REQUEST_BODY_BYTES_MAX;

/// Bytes of a piece by which bodies in memory are counted, as their bytes arrive: 64 KiB, so that clients who send little, or nothing
/// of what they announced, take little. Ours.
pub const WHOLE_BODY_PIECE_BYTES: u64 = 64 * 1024;

/// The part of the pieces of all bodies that those of one API may have: a half. Ours. Above: the API's next waits for its place.
pub const BODY_SHARE_OF_API: usize = 2;

/// The part of the pieces of all bodies that those of one peer may have, an address of version 4 or a network `/64` of version 6: a
/// quarter. Ours. Above: the peer's next waits for its place.
pub const BODY_SHARE_OF_PEER: usize = 4;

/// APIs, and as many peers, whose shares are kept while nobody holds a part of them: 1024. Ours. Above: they are forgotten.
pub const BODY_SHARES_KEPT: usize = 1024;

/// How long a body of which bytes have come waits for a place for them: 20 s, less than a client or an integration waits. Ours. Above:
/// 504 of a REST API, else 503.
pub const BODY_PLACE_TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes of an answer in memory that are given to its client's connection at once: 64 KiB. Ours; more comes when they have gone.
pub const HELD_PIECE_BYTES: usize = 64 * 1024;

/// How long a whole body may take, with waiting for its turn: 60 s. Ours. Above: 408.
pub const WHOLE_BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes of a compiled selection pattern or token validation: 256 KiB. Ours. Above: the pattern matches nothing.
pub const SELECTION_PATTERN_BYTES_MAX: usize = 256 * 1024;

/// Steps of one validation by a model, long texts and patterns included: a million; a value under a schema is a step.
/// Ours. Above: 400.
pub const VALIDATION_STEPS_MAX: usize = 1_000_000;

/// Time of one validation by a model, whatever its steps: 1 s. Ours. Above: 400.
pub const VALIDATION_TIME_MAX: Duration = Duration::from_secs(1);

/// Schemas that are applied within each other, references included: 512. A body has 128 levels at most. Ours. Above: 400.
pub const VALIDATION_NESTING_MAX: usize = 512;

/// Bytes that a body takes as values while a model judges it, estimated before any is made: 64 MiB. Ours. Above: 400.
pub const VALIDATION_BYTES_HELD_MAX: usize = 64 * 1024 * 1024;

/// Errors of one body that validation tells of: 16. Ours. Above: the rest is passed over.
pub const VALIDATION_ERRORS_MAX: usize = 16;

/// How long a request waits for its count against a quota to be kept: 10 s. Ours. Above: it goes on, and the log says so.
pub const USAGE_KEEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of one event of an execution log: 1,024 (REST API developer guide, "Set up CloudWatch logging", 2026-11). Above: cut.
pub const EXECUTION_LOG_EVENT_BYTES_MAX: usize = 1024;

/// Events of one request in an execution log: 64. Ours. Above: the rest is left out.
pub const EXECUTION_LOG_LINES_MAX: usize = 64;

/// Bytes of a sentence about what is wrong with a body: 1 KiB. Ours. Above: cut.
pub const SENTENCE_BYTES_MAX: usize = 1024;

/// Bytes of a packed request body that may come to nothing, beyond what it makes and an eighth of that: 16 KiB. Ours. Above: 415.
pub const PACKED_IDLE_BYTES_MAX: usize = 16 * 1024;

/// Bytes of one read of a head, or of a body that is nearly over: 16 KiB. Ours; more comes with the next read.
pub const READ_BYTES: usize = 16 * 1024;

/// Bytes of one read within a large body: 64 KiB. Ours; more comes with the next read.
pub const BODY_READ_BYTES: usize = 64 * 1024;

/// Bytes of a body's piece that are copied behind what is to be sent, so that both go out as one: 8 KiB. Ours. Above: it goes out as
/// it is.
pub const COPIED_BYTES_MAX: usize = 8 * 1024;

/// Bytes that are gathered before they are sent, up to one copied piece more: 16 KiB. Ours.
pub const GATHERED_BYTES_MAX: usize = 16 * 1024;

/// Buffers, and as many header maps, rooms of calls and records of traces, that a thread keeps for its next messages: 64, about as many as
/// it serves between two waits under load. Ours. Above: given back to the allocator.
pub const SPARES_MAX: usize = 64;

/// Bytes of such a buffer: 32 KiB. Ours. Above: given back to the allocator.
pub const SPARE_BUFFER_BYTES_MAX: usize = 32 * 1024;

/// Lines that such a header map has room for: 64. Ours. Above: given back to the allocator.
pub const SPARE_HEADERS_MAX: usize = 64;

/// Bytes of a cookie that a load balancer reads: 256. Ours; its own are shorter. Above: it is none of its own.
pub const STICKY_COOKIE_BYTES_MAX: usize = 256;

/// Bytes of a host, or of a path with its query, that a rule's transform makes: 16 KiB, as of a request line (ALB quotas, 2026-11).
/// Above: 500.
pub const REWRITTEN_BYTES_MAX: usize = 16 * 1024;

/// Bytes that wait in each direction of a connection that a network load balancer or a way out of a private network carries.
pub const RELAY_BUFFER_BYTES: usize = 16 * 1024;

/// How often such a connection is looked at: whether it is silent, and whether its target, or who began it, is still there.
pub const RELAY_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Connections that one interface of a private network of the kernel may have outside at a time: 1,024. Ours. Above: the next one is cut.
pub const EXIT_CONNECTIONS_PER_INTERFACE_MAX: usize = 1024;

/// Which part of all connections by ways out one VPC may have at a time: a quarter. Ours. Above: the next one is cut.
pub const EXIT_SHARE: usize = 4;

/// How long a connection by a way out of a private network may carry nothing: 350 s, as of a NAT gateway (VPC user guide, "NAT gateway basics",
/// 2026-11). Above: it is cut.
pub const EXIT_IDLE_TIMEOUT: Duration = Duration::from_secs(350);

/// Questions of one VPC's resolver that are asked outside at a time: 8, a quarter of all resolutions. Ours. Above: no answer by a datagram, so that whoever asks
/// asks again, and `SERVFAIL` by a connection.
pub const DNS_FORWARDED_MAX: usize = 8;

/// How long the machine's resolver may take for a question of a private network: 4 s. Ours, less than resolvers wait. Above: `SERVFAIL`.
pub const DNS_FORWARD_TIMEOUT: Duration = Duration::from_secs(4);

/// Addresses in an answer that came from outside: 16. Ours. Above: the rest is left out.
pub const DNS_FORWARDED_ADDRESSES_MAX: usize = 16;

/// Bytes of an answer of a VPC's resolver in a datagram whose asker says nothing of its room (RFC 1035 section 2.3.4). Above: cut, and said.
pub const DNS_ANSWER_BYTES_PLAIN: usize = 512;

/// Bytes of such an answer at most, whatever room the asker has: 1,232, as resolvers have agreed (DNS flag day 2020). Above: cut, and said.
pub const DNS_ANSWER_BYTES_MAX: usize = 1232;

/// Bytes of a question to a VPC's resolver: 1 KiB. Ours; a name has 255. Above: a datagram is cut, a connection closed.
pub const DNS_QUESTION_BYTES_MAX: usize = 1024;

/// Connections of a VPC's resolver at a time: 64. Ours. Above: the next ones wait.
pub const DNS_CONNECTIONS_MAX: usize = 64;

/// How long a connection to a VPC's resolver may go without a whole question, and without an answer's being taken: 5 s. Ours. Above: closed.
pub const DNS_CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Hops of an agent that one answer tells: 64. Ours. Above: left out by who tells, refused by who hears.
pub const LINK_HOPS_MAX: usize = 64;

/// Hints and details of an agent that one answer tells, of each: 16. Ours. Above: as hops.
pub const LINK_HINTS_MAX: usize = 16;

/// Bytes of a header that says something over a link: 16 KiB. Ours. Above: refused.
pub const LINK_NOTE_BYTES_MAX: usize = 16 * 1024;

/// Connections of one agent to one gateway, which carry a request each: 1,024. Ours. Above: closed.
pub const LINK_CONNECTIONS_MAX: usize = 1024;

/// Connections without a request that an agent keeps to a gateway, at least: 8; a quarter of those with one where that is more. Ours.
pub const LINK_IDLE_LEAST: usize = 8;

/// Connections that an agent is dialling to one gateway at a time: 16. Ours. Above: later.
pub const LINK_DIALLING_MAX: usize = 16;

/// How often each side of a link pings the other: 5 s. Ours.
pub const LINK_PING_INTERVAL: Duration = Duration::from_secs(5);

/// How long the other side of a link may be silent: 15 s. Ours. Above: it is gone.
pub const LINK_DEAD_AFTER: Duration = Duration::from_secs(15);

/// How long a ping of a link may go unanswered: 9 s, so that a path that is cut one way is noticed within 15 s by the side that still hears the
/// other. Ours. Above: the other side is gone.
pub const LINK_ANSWER_TIMEOUT: Duration = Duration::from_secs(9);

/// How long either side waits for the other's greeting: 10 s. Ours. Above: it is let go of.
pub const LINK_GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls of one agent under way at a time: 16. Ours. Above: the session ends.
pub const LINK_CALLS_MAX: usize = 16;

/// Facts that one message tells: 512. Ours. Above: the session ends.
pub const LINK_FACTS_MAX: usize = 512;

/// Lines of logs in one message of an agent: 512. Ours. Above: by the agent in another message, otherwise the session ends.
pub const LINK_LINES_MAX: usize = 512;

/// Bytes of such lines as the message has them: 512 KiB. Ours. Above: in another message; a line that is longer alone is dropped and counted.
pub const LINK_LINES_BYTES: usize = 512 * 1024;

/// Counts in one message of an agent: 2,048. Ours. Above: by the agent in another message, otherwise the session ends.
pub const LINK_COUNTS_MAX: usize = 2_048;

/// How often an agent looks what was counted: 1 s. Ours.
pub const LINK_COUNTS_INTERVAL: Duration = Duration::from_secs(1);

/// How long an agent that goes down waits until its last lines are taken: 2 s. Ours. Above: they are lost.
pub const LINK_LAST_LINES_TIMEOUT: Duration = Duration::from_secs(2);

/// Messages that wait to be sent to the other side of a link because it made them necessary: 64. Ours. Above: the session ends.
pub const LINK_UNSENT_MAX: usize = 64;

/// Bytes of a message of an agent: 1 MiB. Ours. Above: the session ends.
pub const LINK_AGENT_MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a message of a gateway: 16 MiB, more than the largest resource has. Ours. Above: the session ends.
pub const LINK_GATEWAY_MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of rows in one part of a state: 512 KiB. Ours. Above: another part follows.
pub const LINK_SLICE_BYTES: usize = 512 * 1024;

/// How long an agent that lost its gateway waits at most before it dials again, at first: 1 s, at random. Ours.
pub const LINK_DIAL_AGAIN_LEAST: Duration = Duration::from_secs(1);

/// The same, however long that lasts: 30 s. Ours.
pub const LINK_DIAL_AGAIN_MOST: Duration = Duration::from_secs(30);

/// How much longer a gateway waits for an agent than the agent for a target, so that whoever knows why it was late says so: 500 ms. Ours.
pub const LINK_GRACE: Duration = Duration::from_millis(500);

/// How long an agent waits for a state that knows what a request asks for: 1 s. Ours. Above: it is not there.
pub const LINK_STATE_WAIT: Duration = Duration::from_secs(1);

const _: () = assert!(LINK_PING_INTERVAL.as_secs() * 3 <= LINK_DEAD_AFTER.as_secs(), "one lost ping ends no session");
const _: () = assert!(
    LINK_ANSWER_TIMEOUT.as_secs() + LINK_PING_INTERVAL.as_secs() < LINK_DEAD_AFTER.as_secs(),
    "a cut is noticed in time"
);
const _: () = assert!(
    LINK_LINES_BYTES + LINK_COUNTS_MAX * 224 < LINK_AGENT_MESSAGE_BYTES_MAX,
    "lines and counts fit into a message"
);
const _: () = assert!(LINK_SLICE_BYTES < LINK_GATEWAY_MESSAGE_BYTES_MAX, "a part of a state fits into a message");

/// How long an agent keeps a connection to a gateway that carries nothing: 1 h. Ours. Above: closed, and another one is dialled.
pub const LINK_LANE_IDLE: Duration = Duration::from_secs(3600);

/// Bytes of a control lane, which has one stream, that may be on their way: 1 MiB. Ours. Above: whoever sends waits.
pub const LINK_WINDOW_BYTES: u32 = 1024 * 1024;

/// When an agent that came while too many did is to come again: 1 s. Ours.
pub const LINK_REFUSED_RETRY: Duration = Duration::from_secs(1);

/// How long an agent that has come looks at its targets before it takes requests: 3 s. Ours. Above: it takes them all the same.
pub const LINK_SETTLE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an agent waits for a connection that it dials: 3 s. Ours. Above: it dials again.
pub const LINK_DIAL_TIMEOUT: Duration = Duration::from_secs(3);
