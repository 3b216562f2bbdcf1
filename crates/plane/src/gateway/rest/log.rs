//! Execution logs: what the gateway did with a request, line by line, in the order and words of API Gateway (API Gateway
//! developer guide, "Set up CloudWatch logging for REST APIs", 2026-11; lines as seen in public logs). Lines are gathered while the
//! request is served and leave by the outlet of access logs when it is answered; nothing waits for them. Those of a trial stay with
//! it, for its answer.
//!
//! At level `ERROR` only requests that the gateway itself refused leave lines. Bodies and headers are written with `dataTrace` only.
//! The request's own secrets (its API key, its token, its signature) are hidden wherever they stand: under another header's name, in
//! a URL, in a body.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use http::HeaderMap;
use topology::resource::rest_stage::LoggingLevel;
use topology::snapshot::gateway::LogStream;
use topology::snapshot::rest::{Logging, Stage};
use topology::trace::RequestId;

use crate::clock;
use crate::gateway::words::Words;
use crate::http::framing::FramingLines;
use crate::http::percent::{encode, is_query_byte};
use crate::limits::{EXECUTION_LOG_EVENT_BYTES_MAX, EXECUTION_LOG_LINES_MAX, REQUEST_HEAD_BYTES_MAX};
use crate::report::outlet::{LogLine, Outlet};
use crate::vtl::Params;

/// The lines of one request.
#[derive(Debug)]
pub(crate) struct Log {
    end: End,
    logging: Logging,
    lines: Vec<(u64, String)>,
    secrets: Vec<Secret>,
    /// Whether the client's body was shown.
    is_body_shown: bool,
    /// Whether it was told why the request failed.
    is_failure_told: bool,
}

/// What no line may show, and what is shown in its place.
#[derive(Clone)]
pub(super) struct Secret {
    text: String,
    shown: String,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Where the lines go.
#[derive(Debug)]
enum End {
    /// Into log streams, each with the request's id.
    Streams(Vec<Arc<LogStream>>, String),
    /// Nowhere: a trial takes them.
    Kept,
}

/// What stands for the rest of a line that was cut.
const CUT: &str = " [TRUNCATED]";

impl Log {
    /// The log of a request, where its method has one; a canary's request stands in two groups.
    pub(super) fn begin(
        stage: &Stage,
        (logging, id): (Logging, RequestId),
        secrets: impl FnOnce() -> Vec<Secret>,
    ) -> Option<Self> {
        if logging.level == LoggingLevel::Off || stage.log.is_none() {
            return None;
        }
        let at = stage.log.iter().chain(&stage.canary_log).cloned().collect();
        Some(Self::to(End::Streams(at, id.uuid()), logging, secrets()))
    }

    /// The log of a trial, which shows everything but secrets.
    pub(super) fn kept(secrets: Vec<Secret>) -> Self {
        Self::to(End::Kept, Logging { level: LoggingLevel::Info, data_trace: true }, secrets)
    }

    fn to(end: End, logging: Logging, secrets: Vec<Secret>) -> Self {
        Self { end, logging, lines: Vec::new(), secrets, is_body_shown: false, is_failure_told: false }
    }

    /// The lines so far, each with its time in milliseconds since 1970.
    pub(super) fn into_lines(self) -> Vec<(u64, String)> {
        self.lines
    }

    /// Adds a line.
    pub(super) fn line(&mut self, text: &str) {
        if self.lines.len() >= EXECUTION_LOG_LINES_MAX {
            return;
        }
        let at_unix_ms = u64::try_from(clock::since_epoch().as_millis()).unwrap_or(u64::MAX);
        let text = self.without_secrets(text);
        let mut line = match &self.end {
            End::Streams(_, id) => format!("({id}) {text}"),
            End::Kept => text.into_owned(),
        };
        if line.len() > EXECUTION_LOG_EVENT_BYTES_MAX {
            line.truncate(line.floor_char_boundary(EXECUTION_LOG_EVENT_BYTES_MAX));
            if matches!(self.end, End::Kept) {
                line.push_str(CUT);
            }
        }
        // Or the rest would stay in memory, uncounted.
        line.shrink_to_fit();
        self.lines.push((at_unix_ms, line));
    }

    /// The beginning of a text, long enough for a line, with its secrets hidden.
    fn without_secrets<'t>(&self, text: &'t str) -> Cow<'t, str> {
        // A secret that begins within the line ends within this; a character more tells that the line was cut.
        let longest = self.secrets.iter().map(|secret| secret.text.len()).max().unwrap_or_default();
        let mut text = Cow::Borrowed(&text[..text.floor_char_boundary(EXECUTION_LOG_EVENT_BYTES_MAX + longest + 4)]);
        for secret in &self.secrets {
            if text.contains(&secret.text) {
                text = Cow::Owned(text.replace(&secret.text, &secret.shown));
            }
        }
        text
    }

    /// Adds a line that shows what was sent, where that may be shown.
    pub(super) fn data(&mut self, what: &str, text: impl FnOnce() -> String) {
        if self.logging.data_trace {
            let text = text();
            self.line(&format!("{what}: {text}"));
        }
    }

    /// Shows the client's body, once.
    pub(super) fn sent(&mut self, whole: &[u8]) {
        if !std::mem::replace(&mut self.is_body_shown, true) {
            self.data("Method request body before transformations", || body(whole));
        }
    }

    /// Tells what of the API's own set-up failed.
    pub(super) fn failure(&mut self, why: &str) {
        self.is_failure_told = true;
        self.line(&format!("Execution failed due to configuration error: {why}"));
    }

    /// Tells why the gateway answered itself.
    pub(super) fn refused(&mut self, words: &Words, found: Option<&str>) {
        match (found, &words.integration_error) {
            _ if self.is_failure_told => {}
            (Some(found), _) => {
                let kind = "application/json";
                self.line(&format!("Request body does not match model schema for content type {kind}: {found}"));
            }
            (None, Some(error)) => self.failure(error),
            (None, None) => self.line(&format!("Execution failed: {}", words.message)),
        }
    }

    /// Sends the lines out, as far as the level wants them. Those of a trial come back.
    pub(super) fn end(self, outlet: Option<&Outlet<LogLine>>, was_refused: bool) -> Option<Self> {
        let streams = match &self.end {
            End::Streams(streams, _) => streams,
            End::Kept => return Some(self),
        };
        // At level ERROR only what was refused is told.
        let outlet = outlet.filter(|_| was_refused || self.logging.level != LoggingLevel::Error)?;
        for log in streams {
            for (at_unix_ms, text) in &self.lines {
                outlet.offer(LogLine { log: Arc::clone(log), at_unix_ms: *at_unix_ms, text: text.clone() });
            }
        }
        None
    }
}

/// Pairs as the log writes maps: `{a=1, b=2}`.
pub(super) fn pairs(pairs: &[(String, String)]) -> String {
    let shown = pairs.iter().map(|(name, value)| format!("{name}={}", shown(name, value)));
    format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
}

/// Headers in the same form, and the lines that frame their message.
pub(super) fn headers(headers: &HeaderMap, lines: &FramingLines) -> String {
    let mut text = String::from("{");
    for (at, (name, value)) in lines.among(headers).iter().enumerate() {
        let value = String::from_utf8_lossy(value.as_bytes());
        let comma = if at == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{name}={}", shown(name.as_str(), &value));
    }
    text.push('}');
    text
}

/// Bytes of a body that are looked at: a line, and a secret that begins in it, which is no longer than a head.
const BODY_SHOWN_BYTES: usize = EXECUTION_LOG_EVENT_BYTES_MAX + 3 * REQUEST_HEAD_BYTES_MAX;

/// Headers and query parameters that hold secrets.
const SECRET_NAMES: [&str; 4] = ["authorization", "x-api-key", "x-amz-security-token", "x-amz-signature"];

/// Bytes of a secret that is looked for in other places: eight. What is shorter is no key and no token, and stands in much text.
const SECRET_BYTES_MIN: usize = 8;

/// Headers of other names are shown as they are, unless they hold a secret.
fn shown<'v>(name: &str, value: &'v str) -> Cow<'v, str> {
    let is_secret = SECRET_NAMES.iter().any(|secret| name.eq_ignore_ascii_case(secret));
    if is_secret { Cow::Owned(hidden(value)) } else { Cow::Borrowed(value) }
}

/// Secrets are shown by their last six characters, as AWS does; short ones not at all.
fn hidden(value: &str) -> String {
    let count = value.chars().count();
    let kept = if count < 2 * SECRET_BYTES_MIN { 0 } else { 6 };
    let end: String = value.chars().skip(count - kept).collect();
    format!("{}{end}", "*".repeat(count - kept))
}

/// The secrets of a request: what stands under the names of secrets and under that of its user pools' token, as a whole and
/// without `Bearer`, as it is, as it would stand in a URL, and
/// by the longer runs of it that no escape changes. The longest come first, since they may hold others.
pub(super) fn secrets(params: &Params, token_header: Option<&str>) -> Vec<Secret> {
    let is_named = |name: &str| SECRET_NAMES.iter().copied().chain(token_header).any(|s| name.eq_ignore_ascii_case(s));
    let named = params.header.iter().chain(&params.querystring).filter(|(name, _)| is_named(name));
    let mut texts: Vec<String> = Vec::new();
    for (_, value) in named {
        let bare = value.split_once(' ').map_or("", |(_, rest)| rest.trim());
        let wholes = [value, bare].into_iter().flat_map(|text| [text.to_owned(), encode(text, is_query_byte)]);
        texts.extend(wholes.filter(|text| text.len() >= SECRET_BYTES_MIN));
        // Escapes of any kind leave these runs as they are.
        let runs = value.split(|c: char| !c.is_ascii_alphanumeric() && !"-._~".contains(c)).map(str::to_owned);
        texts.extend(runs.filter(|run| run.len() >= 2 * SECRET_BYTES_MIN));
    }
    texts.sort_by(|one, two| two.len().cmp(&one.len()).then_with(|| one.cmp(two)));
    texts.dedup();
    texts.into_iter().map(|text| Secret { shown: hidden(&text), text }).collect()
}

/// The beginning of a body as text; what is none is said to be binary.
pub(super) fn body(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(BODY_SHOWN_BYTES)];
    match std::str::from_utf8(shown) {
        Ok(text) => text.to_owned(),
        // Cut within a character.
        Err(error) if error.error_len().is_none() && shown.len() < bytes.len() => {
            String::from_utf8_lossy(&shown[..error.valid_up_to()]).into_owned()
        }
        Err(_) => "[Binary Data]".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_by_their_end() {
        let shown = pairs(&[("x-api-key".into(), "0123456789abcdef".into()), ("a".into(), "1".into())]);
        assert_eq!(shown, "{x-api-key=**********abcdef, a=1}");
        assert_eq!(hidden("short"), "*****");
        assert_eq!(body(b"\xff"), "[Binary Data]");
        assert_eq!(body("\u{fc}".as_bytes()), "\u{fc}");
        assert_eq!(body(&b"\xc3"[..]), "[Binary Data]");
        assert_eq!(body(format!("a{}", "\u{fc}".repeat(20_000)).as_bytes()).len(), BODY_SHOWN_BYTES - 1);
    }

    #[test]
    fn the_secrets_of_a_request_are_found_by_their_names() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let header =
            vec![pair("X-Token", "Bearer abcdefgh.ijk"), pair("x-api-key", "short"), pair("x-other", "abcdefgh")];
        let params = Params { header, querystring: vec![pair("X-Amz-Signature", "0123456789")], ..Params::default() };
        let found: Vec<_> = secrets(&params, Some("x-token")).into_iter().map(|secret| secret.text).collect();
        assert_eq!(found, ["Bearer%20abcdefgh.ijk", "Bearer abcdefgh.ijk", "abcdefgh.ijk", "0123456789"]);
    }
}
