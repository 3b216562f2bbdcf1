//! Execution logs: what the gateway did with a request, line by line, in the order and words of API Gateway (API Gateway
//! developer guide, "Set up CloudWatch logging for REST APIs", 2026-11; lines as seen in public logs). Lines are gathered while the
//! request is served and leave by the outlet of access logs when it is answered; nothing waits for them.
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
use crate::limits::{EXECUTION_LOG_EVENT_BYTES_MAX, EXECUTION_LOG_LINES_MAX};
use crate::report::outlet::LogLine;
use crate::shared::Shared;

/// The lines of one request.
#[derive(Debug)]
pub(crate) struct Log {
    at: Arc<LogStream>,
    logging: Logging,
    id: String,
    lines: Vec<(u64, String)>,
}

impl Log {
    /// The log of a request, where its method has one.
    pub(super) fn begin(at: Option<&Arc<LogStream>>, logging: Logging, id: RequestId) -> Option<Self> {
        let at = at.filter(|_| logging.level != LoggingLevel::Off)?;
        Some(Self { at: Arc::clone(at), logging, id: id.uuid(), lines: Vec::new() })
    }

    /// Adds a line.
    pub(super) fn line(&mut self, text: &str) {
        if self.lines.len() >= EXECUTION_LOG_LINES_MAX {
            return;
        }
        let at_unix_ms = u64::try_from(clock::since_epoch().as_millis()).unwrap_or(u64::MAX);
        let mut line = format!("({}) {text}", self.id);
        line.truncate(line.floor_char_boundary(EXECUTION_LOG_EVENT_BYTES_MAX));
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

    /// Sends the lines out, as far as the level wants them.
    pub(super) fn end(self, shared: &Shared, was_refused: bool) {
        let Some(outlet) = &shared.config.lines else { return };
        if self.logging.level == LoggingLevel::Error && !was_refused {
            return;
        }
        for (at_unix_ms, text) in self.lines {
            outlet.offer(LogLine { log: Arc::clone(&self.at), at_unix_ms, text });
        }
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

/// A body as text; what is none is said to be binary.
pub(super) fn body(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => "[Binary Data]".to_owned(),
    }
}

/// The last lines: the answer's headers and status.
pub(crate) fn answered(shared: &Shared, context: &mut Context<'_>, (status, headers): (StatusCode, &HeaderMap)) {
    let was_refused = context.refused;
    let Some(mut log) = context.rest.as_mut().and_then(|rest| rest.log.take()) else { return };
    if let Some(words) = context.words() {
        match &words.integration_error {
            Some(error) => log.line(&format!("Execution failed due to configuration error: {error}")),
            None => log.line(&format!("Execution failed: {}", words.message)),
        }
        if let Some(found) = context.rest.as_ref().and_then(|rest| rest.validation.as_deref()) {
            log.line(&format!("Request body does not match model schema for content type application/json: {found}"));
        }
    }
    log.data("Method response headers", || self::headers(headers));
    if was_refused.is_none() {
        log.line("Successfully completed execution");
    }
    log.line(&format!("Method completed with status: {}", status.as_u16()));
    log.end(shared, was_refused.is_some());
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
