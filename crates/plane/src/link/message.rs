//! What gateway and agent say to each other on the control lane: JSON in frames, each a length of four bytes, most significant first, and so
//! many bytes (`docs/link-protocol.md`). A member that one side does not know is passed over, so that neighbouring versions understand each
//! other; whoever speaks no common version is refused by both.

use std::net::{IpAddr, Ipv4Addr};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use topology::id::{LoadBalancerId, LogGroupName, TargetGroupId};
use topology::observed::{Health, TargetKey, Unhealthy};
use topology::snapshot::logs::LogKind;

/// The version of the protocol that this program speaks.
pub const VERSION: u16 = 3;

/// The oldest one that it speaks too. Those before were of no release: version 1 told no lines of logs, and ids beside requests as texts;
/// version 2 knew no addresses of IPv6 beside requests.
pub const VERSION_LEAST: u16 = 3;

/// Bytes before a frame that tell how long it is.
const PREFIX_BYTES: usize = 4;

/// What an agent says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum FromAgent {
    /// The first message.
    Hello(Hello),
    /// Wants a [`FromGateway::Pong`] with the same number.
    Ping {
        /// Which one.
        number: u64,
    },
    /// Answers a ping.
    Pong {
        /// Which one.
        number: u64,
    },
    /// The state of this revision is in effect.
    Took {
        /// Which revision.
        revision: u64,
    },
    /// What its data plane saw.
    Facts {
        /// In the order in which they came.
        facts: Vec<FactTold>,
    },
    /// One of our own calls, from a program beside the agent: see [`CALLS`].
    Call {
        /// What the answer is to be known by.
        number: u64,
        /// The last part of its path.
        path: String,
        /// Its body, in JSON.
        body: String,
    },
    /// Wants another certificate for a new key.
    Renew {
        /// The signing request (PKCS #10), in Base64.
        csr: String,
    },
    /// Lines of logs: wants a [`FromGateway::Logged`] before the next ones.
    Lines(LinesTold),
    /// It is going down: it wants no request any more.
    Draining,
}

/// The calls of our own that cross a link. Everything else is the gateway's own business.
pub const CALLS: [&str; 3] = ["attach", "detach", "attachments"];

/// What a gateway says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum FromGateway {
    /// Answers [`FromAgent::Hello`].
    Welcome(Welcome),
    /// The agent is not wanted, and why; the last message.
    Refused(Refusal),
    /// A part of the state of the VPC.
    Slice(Slice),
    /// Wants a [`FromAgent::Pong`] with the same number.
    Ping {
        /// Which one.
        number: u64,
    },
    /// Answers a ping.
    Pong {
        /// Which one.
        number: u64,
    },
    /// Answers [`FromAgent::Call`].
    Answer {
        /// The call's number.
        number: u64,
        /// The status, as of HTTP.
        status: u16,
        /// The body, in JSON.
        body: String,
    },
    /// Another certificate.
    Renewed {
        /// The certificate and what vouches for it, in PEM.
        chain: String,
        /// The generation that it is of.
        generation: u64,
    },
    /// Lines are where they belong.
    Logged {
        /// Of which message.
        number: u64,
    },
    /// The gateway is going down: what is under way ends, and then the connections do.
    Closing,
}

/// How an agent begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The versions of the protocol that it speaks: the oldest and the newest.
    pub versions: (u16, u16),
    /// The version of the program.
    pub program: String,
    /// What tells one run of the program from another, at random.
    pub run: u64,
    /// The newest revision whose state it has.
    pub revision: u64,
}

/// How a gateway answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version of the protocol that is spoken.
    pub version: u16,
    /// The version of the program.
    pub program: String,
    /// By what cookies of the load balancers of this VPC are sealed, in Base64.
    pub cookie_key: String,
}

/// Why an agent is not wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
    /// After how many milliseconds it may come again; `None` means never as it is.
    pub retry_after_ms: Option<u64>,
}

/// A part of the state of a VPC, as rows of tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The revision that the state is of.
    pub revision: u64,
    /// Whether it begins anew: what was there before is gone.
    pub is_whole: bool,
    /// Whether it is the last part of this revision, which takes effect then.
    pub is_last: bool,
    /// What is new, other or gone.
    pub rows: Vec<SliceRow>,
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceRow {
    /// Its table.
    pub table: String,
    /// Its key, in JSON.
    pub key: String,
    /// The resource, in JSON; `None` where it is gone.
    pub value: Option<String>,
}

/// Something that the data plane of an agent saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum FactTold {
    /// What probes say of a target.
    Health {
        /// Which one.
        target: TargetTold,
        /// What they say.
        health: HealthTold,
    },
    /// Whether a target behaves unlike its neighbours.
    Anomaly {
        /// Which one.
        target: TargetTold,
        /// Whether it does.
        is_anomalous: bool,
        /// Whether it gets fewer requests for that.
        is_mitigated: bool,
    },
}

/// Lines of logs that the data plane of an agent wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinesTold {
    /// One more than that of the message before, in one run of the agent. One that is told again, as in another session, counts once.
    pub number: u64,
    /// In the order in which they were written.
    pub lines: Vec<LineTold>,
    /// How many for files were dropped since the message before.
    pub dropped_files: u64,
    /// How many for log groups.
    pub dropped_events: u64,
    /// What was counted since the message before.
    pub counts: Vec<CountTold>,
}

/// So many more of what is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountTold {
    /// Of what.
    pub of: CountOf,
    /// Its name. One that is not known is passed over.
    pub what: String,
    /// How many more.
    pub more: u64,
}

/// Of what something is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum CountOf {
    /// Of a load balancer.
    Balancer {
        /// Which one.
        balancer: LoadBalancerId,
    },
    /// Of a target group.
    Group {
        /// Which one.
        group: TargetGroupId,
    },
    /// Of a target: requests that it was chosen for.
    Target(TargetTold),
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum LineTold {
    /// Of files in a bucket.
    File {
        /// What the log tells of.
        kind: KindTold,
        /// Whose it is: `app/NAME/ID`, `net/NAME/ID`, or the id of a flow log.
        of: String,
        /// The address of the node that it is of; unspecified where it is of none.
        node: Ipv4Addr,
        /// The line, without a line end.
        text: String,
    },
    /// Of a log group.
    Event {
        /// Which one.
        group: LogGroupName,
        /// Its stream.
        stream: String,
        /// When, in milliseconds since 1970.
        at_unix_ms: u64,
        /// The line, without a line end.
        text: String,
    },
}

/// What a log tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KindTold {
    /// Requests.
    Access,
    /// Connections that a network load balancer decrypts.
    Decrypted,
    /// Connections of clients.
    Connections,
    /// Probes.
    HealthChecks,
    /// Connections of interfaces.
    Flows,
}

impl From<LogKind> for KindTold {
    fn from(kind: LogKind) -> Self {
        match kind {
            LogKind::Access => Self::Access,
            LogKind::Decrypted => Self::Decrypted,
            LogKind::Connections => Self::Connections,
            LogKind::HealthChecks => Self::HealthChecks,
            LogKind::Flows => Self::Flows,
        }
    }
}

/// A target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TargetTold {
    /// The group.
    pub group: TargetGroupId,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
}

impl From<TargetKey> for TargetTold {
    fn from(TargetKey { group, address, port }: TargetKey) -> Self {
        Self { group, address, port }
    }
}

impl From<TargetTold> for TargetKey {
    fn from(TargetTold { group, address, port }: TargetTold) -> Self {
        Self { group, address, port }
    }
}

/// What probes say of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthTold {
    /// Nothing yet.
    Initial,
    /// It answers.
    Healthy,
    /// It answers with this status.
    ResponseCodeMismatch(u16),
    /// It does not answer in time.
    Timeout,
    /// It does not answer well.
    FailedHealthChecks,
}

impl From<Health> for HealthTold {
    fn from(health: Health) -> Self {
        match health {
            Health::Initial => Self::Initial,
            Health::Healthy => Self::Healthy,
            Health::Unhealthy(Unhealthy::ResponseCodeMismatch(status)) => Self::ResponseCodeMismatch(status),
            Health::Unhealthy(Unhealthy::Timeout) => Self::Timeout,
            Health::Unhealthy(Unhealthy::FailedHealthChecks) => Self::FailedHealthChecks,
        }
    }
}

impl From<HealthTold> for Health {
    fn from(told: HealthTold) -> Self {
        match told {
            HealthTold::Initial => Self::Initial,
            HealthTold::Healthy => Self::Healthy,
            HealthTold::ResponseCodeMismatch(status) => Self::Unhealthy(Unhealthy::ResponseCodeMismatch(status)),
            HealthTold::Timeout => Self::Unhealthy(Unhealthy::Timeout),
            HealthTold::FailedHealthChecks => Self::Unhealthy(Unhealthy::FailedHealthChecks),
        }
    }
}

/// Why frames cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameFault {
    /// A frame is longer than it may be.
    #[error("a message of {0} bytes is longer than one may be")]
    TooLong(u64),
    /// What is in a frame is no message.
    #[error("what came is no message of the link: {0}")]
    Malformed(String),
}

/// Takes frames apart as their bytes come. What it keeps is bounded by what has come, not by what was announced.
#[derive(Debug)]
pub struct Frames {
    bytes: BytesMut,
    bytes_max: usize,
}

impl Frames {
    /// For messages of at most so many bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes: BytesMut::new(), bytes_max }
    }

    /// Bytes that have come.
    pub fn fill(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, if it is whole.
    ///
    /// # Errors
    /// See [`FrameFault`]. Nothing that follows can be read then.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameFault> {
        let Some(prefix) = self.bytes.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*prefix);
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        if bytes > self.bytes_max {
            return Err(FrameFault::TooLong(u64::from(length)));
        }
        if self.bytes.len() < PREFIX_BYTES + bytes {
            return Ok(None);
        }
        self.bytes.advance(PREFIX_BYTES);
        let frame = self.bytes.split_to(bytes);
        serde_json::from_slice(&frame).map(Some).map_err(|error| FrameFault::Malformed(error.to_string()))
    }
}

/// A message in its frame.
#[must_use]
pub fn framed(message: &impl Serialize) -> Bytes {
    // No message has a form that JSON has not.
    let text = serde_json::to_vec(message).unwrap_or_default();
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + text.len());
    frame.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    frame.put_slice(&text);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let said = [
            FromAgent::Hello(Hello { versions: (1, 3), program: "0.1.0".to_owned(), run: 7, revision: 9 }),
            FromAgent::Ping { number: 1 },
            FromAgent::Draining,
        ];
        let bytes: Vec<u8> = said.iter().flat_map(framed).collect();
        for size in 1..bytes.len() {
            let (mut frames, mut heard) = (Frames::new(1024), Vec::new());
            for piece in bytes.chunks(size) {
                frames.fill(piece);
                while let Some(message) = frames.take::<FromAgent>().unwrap() {
                    heard.push(message);
                }
            }
            assert_eq!(heard, said, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_message_is_told_and_what_is_not_known_is_passed_over() {
        let read = |bytes: &[u8]| {
            let mut frames = Frames::new(64);
            frames.fill(bytes);
            frames.take::<FromGateway>()
        };
        let frame = |text: &str| [&u32::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
        assert_eq!(read(&[0xff; 4]), Err(FrameFault::TooLong(u64::from(u32::MAX))));
        assert_eq!(read(&[0, 0, 0]), Ok(None));
        assert_eq!(read(&[0, 0, 0, 9, b'{']), Ok(None));
        for text in ["", "nonsense", "{}", r#"{"is":"hello"}"#, r#"{"is":"ping"}"#, r#"{"is":"ping","number":-1}"#] {
            assert!(matches!(read(&frame(text)), Err(FrameFault::Malformed(_))), "{text}");
        }
        let newer = frame(r#"{"is":"ping","number":4,"mood":"good"}"#);
        assert_eq!(read(&newer), Ok(Some(FromGateway::Ping { number: 4 })));
    }

    #[test]
    fn health_comes_out_as_it_went_in() {
        let all = [
            Health::Initial,
            Health::Healthy,
            Health::Unhealthy(Unhealthy::ResponseCodeMismatch(503)),
            Health::Unhealthy(Unhealthy::Timeout),
            Health::Unhealthy(Unhealthy::FailedHealthChecks),
        ];
        for health in all {
            assert_eq!(Health::from(HealthTold::from(health)), health);
        }
    }
}
