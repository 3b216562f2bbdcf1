//! How targets are probed (ALB and NLB user guides, "Health checks for target groups", 2026-11). What was observed stands elsewhere.
//!
//! ```compile_fail
//! // Statuses are read from a text; no list of numbers becomes a matcher.
//! let never = topology::resource::health_check::Matcher { text: "nonsense".into(), ranges: Vec::new() };
//! ```

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A range of statuses, inclusive.
pub type StatusRange = (u16, u16);

/// Which statuses a healthy target answers: codes and ranges within 200–499, as they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    text: String,
    ranges: Vec<StatusRange>,
}

impl Matcher {
    /// The ranges, one at least.
    #[must_use]
    pub fn ranges(&self) -> &[StatusRange] {
        &self.ranges
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Matcher {
    type Err = HealthCheckError;
    fn from_str(text: &str) -> Result<Self, HealthCheckError> {
        let code = |t: &str| t.parse::<u16>().ok().filter(|c| t.len() == 3 && (200..=499).contains(c));
        let ranges = ranges(text, code);
        let ranges = ranges.ok_or_else(|| HealthCheckError::Matcher(text.to_owned()))?;
        Ok(Self { text: text.to_owned(), ranges })
    }
}

/// Which statuses of gRPC a healthy target answers: codes and ranges within 0–99, as they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcMatcher {
    text: String,
    ranges: Vec<StatusRange>,
}

impl GrpcMatcher {
    /// The ranges, one at least.
    #[must_use]
    pub fn ranges(&self) -> &[StatusRange] {
        &self.ranges
    }
}

impl fmt::Display for GrpcMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for GrpcMatcher {
    type Err = HealthCheckError;
    fn from_str(text: &str) -> Result<Self, HealthCheckError> {
        let code = |t: &str| t.parse::<u16>().ok().filter(|code| (1..=2).contains(&t.len()) && *code <= 99);
        let ranges = ranges(text, code).ok_or_else(|| HealthCheckError::GrpcMatcher(text.to_owned()))?;
        Ok(Self { text: text.to_owned(), ranges })
    }
}

/// Codes and ranges of them, with commas between.
fn ranges(text: &str, code: impl Fn(&str) -> Option<u16>) -> Option<Vec<StatusRange>> {
    let range = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let range = (code(low)?, code(high)?);
        (range.0 <= range.1).then_some(range)
    };
    text.split(',').map(range).collect()
}

/// The path of a probe: `/` and visible ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbePath(String);

impl ProbePath {
    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProbePath {
    type Err = HealthCheckError;
    fn from_str(text: &str) -> Result<Self, HealthCheckError> {
        let fits = text.starts_with('/') && text.bytes().all(|b| (b'!'..=b'~').contains(&b));
        if fits { Ok(Self(text.to_owned())) } else { Err(HealthCheckError::Path(text.to_owned())) }
    }
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// `HTTP` or `HTTPS`: asks for a path and looks at the status.
    Http {
        /// Whether it asks within TLS.
        is_secure: bool,
        /// The path.
        path: ProbePath,
        /// The accepted statuses.
        matcher: Matcher,
    },
    /// `HTTP` or `HTTPS`: makes a call of gRPC and looks at its status.
    Grpc {
        /// Whether it calls within TLS.
        is_secure: bool,
        /// The path, which names service and method.
        path: ProbePath,
        /// The accepted statuses.
        matcher: GrpcMatcher,
    },
    /// `TCP`: a connection is all that it makes.
    Tcp,
}

impl Probe {
    /// Its protocol, as AWS has it.
    #[must_use]
    pub const fn protocol(&self) -> &'static str {
        match self {
            Self::Http { is_secure: false, .. } | Self::Grpc { is_secure: false, .. } => "HTTP",
            Self::Http { is_secure: true, .. } | Self::Grpc { is_secure: true, .. } => "HTTPS",
            Self::Tcp => "TCP",
        }
    }
}

/// When targets are probed, and how many probes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// 5–300 s.
    pub interval_s: u32,
    /// 2–120 s.
    pub timeout_s: u32,
    /// 2–10.
    pub healthy_threshold: u32,
    /// 2–10.
    pub unhealthy_threshold: u32,
}

/// Why there can be no such health check, in AWS's manner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthCheckError {
    /// A protocol that is none.
    Protocol(String),
    /// A port that is none.
    Port(String),
    /// A path that is none.
    Path(String),
    /// Statuses that are none.
    Matcher(String),
    /// Statuses of gRPC that are none.
    GrpcMatcher(String),
    /// A path or statuses where nothing is asked for.
    NothingAsked,
    /// A number out of its range.
    Number(&'static str, u32, RangeInclusive<u32>),
    /// A probe would last until the next one.
    Overlap,
}

impl fmt::Display for HealthCheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(protocol) => {
                write!(f, "Health check protocol '{protocol}' must be one of 'HTTP, HTTPS, TCP'")
            }
            Self::Port(port) => write!(f, "Health check port '{port}' must be 'traffic-port' or 1-65535"),
            Self::Path(path) => {
                write!(f, "Health check path '{path}' must start with '/' and hold visible ASCII only")
            }
            Self::Matcher(matcher) => {
                write!(f, "Health check matcher HTTP code '{matcher}' must be within '200-499' inclusive")
            }
            Self::GrpcMatcher(matcher) => {
                write!(f, "Health check matcher GRPC code '{matcher}' must be within '0-99' inclusive")
            }
            Self::NothingAsked => {
                f.write_str("Health check paths and matchers are not supported with health check protocol 'TCP'")
            }
            Self::Number(what, number, within) => {
                write!(f, "Health check {what} '{number}' must be between {} and {}", within.start(), within.end())
            }
            Self::Overlap => f.write_str("Health check interval must be greater than the timeout."),
        }
    }
}

impl std::error::Error for HealthCheckError {}

/// How targets are probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct HealthCheck {
    port: Option<u16>,
    probe: Probe,
    pace: Pace,
}

impl HealthCheck {
    /// Probes this port, or the target's own where there is none.
    ///
    /// # Errors
    /// When a number is out of its range, or probes for a status overlap.
    pub fn new(port: Option<u16>, probe: Probe, pace: Pace) -> Result<Self, HealthCheckError> {
        let numbers = [
            ("interval", pace.interval_s, 5..=300),
            ("timeout", pace.timeout_s, 2..=120),
            ("healthy threshold", pace.healthy_threshold, 2..=10),
            ("unhealthy threshold", pace.unhealthy_threshold, 2..=10),
        ];
        if port == Some(0) {
            return Err(HealthCheckError::Port("0".to_owned()));
        }
        for (what, number, within) in numbers {
            if !within.contains(&number) {
                return Err(HealthCheckError::Number(what, number, within));
            }
        }
        match probe {
            Probe::Http { .. } | Probe::Grpc { .. } if pace.timeout_s >= pace.interval_s => {
                Err(HealthCheckError::Overlap)
            }
            Probe::Http { .. } | Probe::Grpc { .. } | Probe::Tcp => Ok(Self { port, probe, pace }),
        }
    }

    /// A port; `None` is `traffic-port`.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// What a probe does.
    #[must_use]
    pub const fn probe(&self) -> &Probe {
        &self.probe
    }

    /// When, and how many count.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        self.pace
    }
}

/// How it is kept.
#[derive(Serialize, Deserialize)]
struct Stored {
    protocol: String,
    port: Option<u16>,
    path: String,
    interval_s: u32,
    timeout_s: u32,
    healthy_threshold: u32,
    unhealthy_threshold: u32,
    matcher: String,
    /// The statuses of gRPC, in whose place the others are empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grpc: Option<String>,
}

impl TryFrom<Stored> for HealthCheck {
    type Error = HealthCheckError;
    fn try_from(kept: Stored) -> Result<Self, HealthCheckError> {
        let probe = match kept.protocol.as_str() {
            "HTTP" | "HTTPS" => {
                let (is_secure, path) = (kept.protocol == "HTTPS", kept.path.parse()?);
                match kept.grpc {
                    Some(codes) => Probe::Grpc { is_secure, path, matcher: codes.parse()? },
                    None => Probe::Http { is_secure, path, matcher: kept.matcher.parse()? },
                }
            }
            "TCP" if kept.path.is_empty() && kept.matcher.is_empty() => Probe::Tcp,
            "TCP" => return Err(HealthCheckError::NothingAsked),
            _ => return Err(HealthCheckError::Protocol(kept.protocol)),
        };
        let Stored { interval_s, timeout_s, healthy_threshold, unhealthy_threshold, .. } = kept;
        Self::new(kept.port, probe, Pace { interval_s, timeout_s, healthy_threshold, unhealthy_threshold })
    }
}

impl From<HealthCheck> for Stored {
    fn from(check: HealthCheck) -> Self {
        let protocol = check.probe.protocol().to_owned();
        let (path, matcher, grpc) = match check.probe {
            Probe::Http { path, matcher, .. } => (path.0, matcher.text, None),
            Probe::Grpc { path, matcher, .. } => (path.0, String::new(), Some(matcher.text)),
            Probe::Tcp => (String::new(), String::new(), None),
        };
        let Pace { interval_s, timeout_s, healthy_threshold, unhealthy_threshold } = check.pace;
        let port = check.port;
        Self { protocol, port, path, interval_s, timeout_s, healthy_threshold, unhealthy_threshold, matcher, grpc }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matcher_table() {
        let rows: [(&str, Option<&[StatusRange]>); 9] = [
            ("200", Some(&[(200, 200)])),
            ("200,202", Some(&[(200, 200), (202, 202)])),
            ("200-299", Some(&[(200, 299)])),
            ("200-299,404", Some(&[(200, 299), (404, 404)])),
            ("", None),
            ("299-200", None),
            ("500", None),
            ("200,", None),
            ("0200", None),
        ];
        for (text, expected) in rows {
            let read = text.parse::<Matcher>().ok();
            assert_eq!(read.as_ref().map(Matcher::ranges), expected, "{text}");
        }
    }

    const KEPT: &str = r#"{"protocol":"HTTP","port":null,"path":"/","interval_s":30,"timeout_s":5,"healthy_threshold":5,"unhealthy_threshold":2,"matcher":"200"}"#;

    #[test]
    fn what_was_kept_is_read_and_kept_in_the_same_form() {
        let tcp = KEPT.replace("HTTP", "TCP").replace("\"/\"", "\"\"").replace("\"200\"", "\"\"");
        for json in [KEPT, &tcp] {
            let read: HealthCheck = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let rows = [
            ("HTTP", "x", "Health check protocol 'x'"),
            ("HTTP", "TCP", "not supported with health check protocol 'TCP'"),
            ("\"200\"", "\"nonsense\"", "matcher HTTP code 'nonsense'"),
            ("\"/\"", "\"/a b\"", "Health check path '/a b'"),
            (":30", ":4", "interval '4' must be between 5 and 300"),
            (":30", ":5", "must be greater than the timeout"),
            ("null", "0", "port '0'"),
        ];
        for (found, with, words) in rows {
            let refused = serde_json::from_str::<HealthCheck>(&KEPT.replace(found, with)).unwrap_err().to_string();
            assert!(refused.contains(words), "{with}: {refused}");
        }
    }
}
