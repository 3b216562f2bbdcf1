//! Every bound of the API port: its unit, and what happens at the edge. The bound of an AWS call's body is `wire`'s, those
//! of public traffic are `plane`'s.

use std::time::Duration;

/// Open connections of the API port; fewer where the process has too few descriptors. Above: accepting waits until one closes.
pub(crate) const CONNECTIONS_MAX: usize = 1_024;
/// Open connections of the listener of metrics: more than anybody scrapes with. Above: accepting waits until one closes.
pub(crate) const METRICS_CONNECTIONS_MAX: usize = 16;
/// Open connections of the listener that sends requests on to TLS, each for one request. Above: accepting waits until one closes.
pub(crate) const REDIRECT_CONNECTIONS_MAX: usize = 256;
/// Requests that are told of at once, the newest: as many as a person reads. Older ones are explained by their ids.
pub(crate) const REQUESTS_TOLD_MAX: usize = 50;
/// How long a client of that listener may take for its request. Above: the connection is closed.
pub(crate) const REDIRECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a client of the API port with TLS may take for its handshake. Above: the connection is closed.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a file with a certificate, or with a key. Above: it cannot be used.
pub(crate) const PEM_BYTES_MAX: u64 = 1024 * 1024;
/// Descriptors that no connection of a client takes: listeners, the store, logs, probes, fetches of keys, and some to spare. Below
/// so many in all, one connection at a time is served.
pub(crate) const DESCRIPTORS_RESERVED: usize = 128;
/// How long accepting pauses after an error such as a lack of descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a client may take for a request head, or stay idle between two. Above: the connection is closed.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may take nothing of an answer. Above: the connection is closed.
pub(crate) const READ_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a request head. Above: 431.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long a client may take for the body of a call. Above: 408.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a call may wait for its turn and be carried out. Above: 503.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a body that is meant for Tidegate itself. Above: 413.
pub(crate) const OWN_BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a request that is to be carried out and explained, as JSON: what the longest word of a Linux command line (128 KiB) takes
/// where each byte of it is escaped, and more. Above: 413.
pub(crate) const ASKED_BYTES_MAX: usize = 1024 * 1024;
/// Requests that are carried out to be explained, at a time: each holds its body in memory. Above: 503.
pub(crate) const ASKED_MAX: usize = 16;
/// How long one of them may take. An integration has 30 s at most, which leaves the rest for reading the answer. Above: 503.
pub(crate) const ASKED_TIMEOUT: Duration = Duration::from_secs(45);
/// Documents that are read at a time, each with the memory that `control` lets one take. Above: a call waits, as long as it may last.
pub(crate) const DOCUMENTS_READ_MAX: usize = 2;
/// Trials of methods at a time: each holds a body and an answer in memory. Above: 429.
pub(crate) const TRIALS_MAX: usize = 16;
/// How long a trial may take. Its integration has 29 s at most, as on a stage, which leaves the rest for reading the answer.
/// Above: 503.
pub(crate) const TRIAL_TIMEOUT: Duration = Duration::from_secs(45);
/// Days that a certificate of the development authority for an invoke host, or one that was requested of ACM, is valid: 397, since some clients take no longer one.
/// A server that runs longer presents an expired one.
pub(crate) const LEAF_DAYS: u64 = 397;
/// Runs whose request ids a data directory knows beside those of the one that serves; the oldest give way.
pub(crate) const RUNS_KEPT: usize = 64;
/// Bytes of the file of runs: above twice what that many take. Above: they are forgotten.
pub(crate) const RUNS_BYTES_MAX: u64 = 16 * 1024;
/// Leases at a time. Above: 503.
pub(crate) const LEASES_MAX: usize = 512;
/// How often each end of a lease says that it is there.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long requests under way may take once the server is told to end. Above: they are cut.
pub(crate) const DRAIN_DEADLINE: Duration = Duration::from_secs(8);
/// Bytes of the file of `tls.extra_roots`. Above: the server does not start.
pub(crate) const ROOTS_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Programs that ask for the namespace of an interface at a time. Above: the next ones wait.
#[cfg(target_os = "linux")]
pub(crate) const DOOR_ASKING_MAX: usize = 16;
/// How long one may take to ask and to be answered. Above: the connection is closed.
#[cfg(target_os = "linux")]
pub(crate) const DOOR_TIMEOUT: Duration = Duration::from_secs(8);
/// Bytes of the word that names an interface: ids have 21. Above: it is cut, and none.
#[cfg(target_os = "linux")]
pub(crate) const DOOR_WORD_BYTES_MAX: u64 = 64;
/// How long no connection is taken after one that the system could not give.
#[cfg(target_os = "linux")]
pub(crate) const DOOR_PAUSE: Duration = Duration::from_millis(100);
/// Connections of the listener of the link, all agents' together; fewer where the process has too few descriptors. Above: accepting waits
/// until one closes.
pub(crate) const LINK_CONNECTIONS_MAX: usize = 8_192;
/// Connections of one agent. Above: the next one is refused.
pub(crate) const LINK_CONNECTIONS_PER_AGENT_MAX: usize = 1_024;
/// Handshakes of the link at a time. Above: the next ones wait, as long as a handshake may take.
pub(crate) const LINK_HANDSHAKES_MAX: usize = 256;
/// Connections of one address that have not said who they are. Above: the next one is closed.
pub(crate) const LINK_HANDSHAKES_PER_ADDRESS_MAX: usize = 128;
/// How long a client of the link may take for its handshake, and to take the end of a connection. Above: it is cut.
pub(crate) const LINK_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an enrolment may take after its handshake and its turn. Above: the connection is cut.
pub(crate) const LINK_ENROLMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Agents whose control lanes begin in a second, and apart from these those who want to be enrolled. Above: they wait for a turn.
pub(crate) const LINK_ACCEPTS_PER_SECOND: u32 = 20;
/// How long one may wait for its turn. Above: it is sent away.
pub(crate) const LINK_PACE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long the log does not tell again of the same refusal of the same address.
pub(crate) const LINK_TOLD_AGAIN: Duration = Duration::from_secs(60);
/// Refusals that are remembered for that. Above: the log tells of no others.
pub(crate) const LINK_TOLD_MAX: usize = 1_024;
