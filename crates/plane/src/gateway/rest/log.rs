//! Execution logs: what the gateway did with a request, line by line, in the order and words of API Gateway (API Gateway
//! developer guide, "Set up CloudWatch logging for REST APIs", 2026-11; lines as seen in public logs). Lines are gathered while the
//! request is served and leave by the outlet of access logs when it is answered; nothing waits for them. Those of a trial stay with
//! it, for its answer.
//!
//! At level `ERROR` only requests that the gateway itself refused leave lines. Bodies and headers are written with `dataTrace` only;
//! `Authorization` and API keys never in full.

use std::fmt::Write as _;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use topology::resource::rest_stage::LoggingLevel;
use topology::snapshot::gateway::LogStream;
use topology::snapshot::rest::Logging;
use topology::trace::RequestId;

use crate::clock;
use crate::gateway::context::Context;
use crate::gateway::words::Words;
use crate::limits::{EXECUTION_LOG_EVENT_BYTES_MAX, EXECUTION_LOG_LINES_MAX};
use crate::report::outlet::LogLine;
use crate::shared::Shared;

/// The lines of one request.
#[derive(Debug)]
pub(crate) struct Log {
    end: End,
    logging: Logging,
    lines: Vec<(u64, String)>,
    /// Whether the client's body was shown.
    is_body_shown: bool,
    /// Whether it was told why the request failed.
    is_failure_told: bool,
}

/// Where the lines go.
#[derive(Debug)]
enum End {
    /// Into a log stream, each with the request's id.
    Stream(Arc<LogStream>, String),
    /// Nowhere: a trial takes them.
    Kept,
}

/// What stands for the rest of a line that was cut.
const CUT: &str = " [TRUNCATED]";

impl Log {
    /// The log of a request, where its method has one.
    pub(super) fn begin(at: Option<&Arc<LogStream>>, logging: Logging, id: RequestId) -> Option<Self> {
        let at = at.filter(|_| logging.level != LoggingLevel::Off)?;
        Some(Self::to(End::Stream(Arc::clone(at), id.uuid()), logging))
    }

    /// The log of a trial, which shows everything.
    pub(super) fn kept() -> Self {
        Self::to(End::Kept, Logging { level: LoggingLevel::Info, data_trace: true })
    }

    fn to(end: End, logging: Logging) -> Self {
        Self { end, logging, lines: Vec::new(), is_body_shown: false, is_failure_told: false }
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
        let mut line = match &self.end {
            End::Stream(_, id) => format!("({id}) {text}"),
            End::Kept => text.to_owned(),
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

    /// Adds a line that shows what was sent, where that may be shown.
    pub(super) fn data(&mut self, what: &str, text: impl FnOnce() -> String) {
        if self.logging.data_trace {
            let text = text();
            self.line(&format!("{what}: {text}"));
        }
    }

    /// Tells what of the API's own set-up failed.
    pub(super) fn failure(&mut self, why: &str) {
        self.is_failure_told = true;
        self.line(&format!("Execution failed due to configuration error: {why}"));
    }

    /// Tells why the gateway answered itself.
    fn refused(&mut self, words: &Words, found: Option<&str>) {
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
    fn end(self, shared: &Shared, was_refused: bool) -> Option<Self> {
        let stream = match &self.end {
            End::Stream(stream, _) => Arc::clone(stream),
            End::Kept => return Some(self),
        };
        let outlet = shared.config.lines.as_ref();
        // At level ERROR only what was refused is told.
        let outlet = outlet.filter(|_| was_refused || self.logging.level != LoggingLevel::Error)?;
        for (at_unix_ms, text) in self.lines {
            outlet.offer(LogLine { log: Arc::clone(&stream), at_unix_ms, text });
        }
        None
    }
}

/// Pairs as the log writes maps: `{a=1, b=2}`.
pub(super) fn pairs(pairs: &[(String, String)]) -> String {
    let shown = pairs.iter().map(|(name, value)| format!("{name}={}", shown(name, value)));
    format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
}

/// Headers in the same form.
pub(super) fn headers(headers: &HeaderMap) -> String {
    let mut text = String::from("{");
    for (at, (name, value)) in headers.iter().enumerate() {
        let value = String::from_utf8_lossy(value.as_bytes());
        let comma = if at == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{name}={}", shown(name.as_str(), &value));
    }
    text.push('}');
    text
}

/// Secrets are shown by their last six characters, as AWS does.
fn shown(name: &str, value: &str) -> String {
    let is_secret = ["authorization", "x-api-key", "x-amz-security-token"].iter().any(|s| name.eq_ignore_ascii_case(s));
    if !is_secret {
        return value.to_owned();
    }
    let kept: String = value.chars().rev().take(6).collect::<Vec<_>>().into_iter().rev().collect();
    let hidden = value.chars().count().saturating_sub(6);
    format!("{}{kept}", "*".repeat(hidden))
}

/// A body as text, as far as a line may show it; what is none is said to be binary.
pub(super) fn body(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        // One byte more tells that the line was cut.
        Ok(text) => text[..text.floor_char_boundary(EXECUTION_LOG_EVENT_BYTES_MAX + 1)].to_owned(),
        Err(_) => "[Binary Data]".to_owned(),
    }
}

/// Shows the client's body, once.
pub(super) fn say_sent(context: &mut Context<'_>, whole: &[u8]) {
    let Some(log) = context.rest.as_mut().and_then(|rest| rest.log.as_mut()) else { return };
    if !std::mem::replace(&mut log.is_body_shown, true) {
        log.data("Method request body before transformations", || body(whole));
    }
}

/// The last lines: the answer's headers and status.
pub(crate) fn answered(shared: &Shared, context: &mut Context<'_>, (status, headers): (StatusCode, &HeaderMap)) {
    let was_refused = context.refused;
    let Some(mut log) = context.rest.as_mut().and_then(|rest| rest.log.take()) else { return };
    match context.words() {
        Some(words) => {
            log.refused(&words, context.rest.as_ref().and_then(|rest| rest.validation.as_deref()));
        }
        None => {
            log.data("Method response headers", || self::headers(headers));
            log.line("Successfully completed execution");
        }
    }
    log.line(&format!("Method completed with status: {}", status.as_u16()));
    let kept = log.end(shared, was_refused.is_some());
    if let Some(rest) = &mut context.rest {
        rest.log = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_by_their_end() {
        let shown = pairs(&[("x-api-key".into(), "0123456789abcdef".into()), ("a".into(), "1".into())]);
        assert_eq!(shown, "{x-api-key=**********abcdef, a=1}");
        assert_eq!(body(b"\xff"), "[Binary Data]");
    }
}
