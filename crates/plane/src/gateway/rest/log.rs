//! Execution logs: what the gateway did with a request, line by line, in the order and words of API Gateway (API Gateway
//! developer guide, "Set up CloudWatch logging for REST APIs", 2026-11; lines as seen in public logs). Lines are gathered while the
//! request is served and leave by the outlet of access logs when it is answered; nothing waits for them.
//!
//! At level `ERROR` only requests that the gateway itself refused leave lines. Bodies and headers are written with `dataTrace` only.
//! The request's own secrets (its API key, its token, its signature) are hidden wherever they stand: under another header's name, in
//! a URL, in a body.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use topology::resource::rest_stage::LoggingLevel;
use topology::snapshot::gateway::LogStream;
use topology::snapshot::rest::{Logging, Stage};
use topology::trace::RequestId;

use crate::clock;
use crate::gateway::context::Context;
use crate::gateway::mapping::{encode, is_query_byte};
use crate::limits::{EXECUTION_LOG_EVENT_BYTES_MAX, EXECUTION_LOG_LINES_MAX, REQUEST_HEAD_BYTES_MAX};
use crate::report::outlet::LogLine;
use crate::shared::Shared;
use crate::vtl::Params;

/// The lines of one request.
#[derive(Debug)]
pub(crate) struct Log {
    at: Vec<Arc<LogStream>>,
    logging: Logging,
    id: String,
    lines: Vec<(u64, String)>,
    secrets: Vec<Secret>,
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
        Some(Self { at, logging, id: id.uuid(), lines: Vec::new(), secrets: secrets() })
    }

    /// Adds a line.
    pub(super) fn line(&mut self, text: &str) {
        if self.lines.len() >= EXECUTION_LOG_LINES_MAX {
            return;
        }
        let at_unix_ms = u64::try_from(clock::since_epoch().as_millis()).unwrap_or(u64::MAX);
        let mut line = format!("({}) {}", self.id, self.without_secrets(text));
        line.truncate(line.floor_char_boundary(EXECUTION_LOG_EVENT_BYTES_MAX));
        // Or the rest would stay in memory, uncounted.
        line.shrink_to_fit();
        self.lines.push((at_unix_ms, line));
    }

    /// The beginning of a text, long enough for a line, with its secrets hidden.
    fn without_secrets<'t>(&self, text: &'t str) -> Cow<'t, str> {
        // A secret that begins within the line ends within this.
        let longest = self.secrets.iter().map(|secret| secret.text.len()).max().unwrap_or_default();
        let mut text = Cow::Borrowed(&text[..text.floor_char_boundary(EXECUTION_LOG_EVENT_BYTES_MAX + longest)]);
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

    /// Sends the lines out, as far as the level wants them.
    pub(super) fn end(self, shared: &Shared, was_refused: bool) {
        let Some(outlet) = &shared.config.lines else { return };
        if self.logging.level == LoggingLevel::Error && !was_refused {
            return;
        }
        for log in &self.at {
            for (at_unix_ms, text) in &self.lines {
                outlet.offer(LogLine { log: Arc::clone(log), at_unix_ms: *at_unix_ms, text: text.clone() });
            }
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
/// without `Bearer`, as it is and as it would stand in a URL. The longest come first, since they may hold others.
pub(super) fn secrets(params: &Params, token_header: Option<&str>) -> Vec<Secret> {
    let is_named = |name: &str| SECRET_NAMES.iter().copied().chain(token_header).any(|s| name.eq_ignore_ascii_case(s));
    let named = params.header.iter().chain(&params.querystring).filter(|(name, _)| is_named(name));
    let parts =
        named.flat_map(|(_, value)| [value.as_str(), value.split_once(' ').map_or("", |(_, rest)| rest.trim())]);
    let mut texts: Vec<String> = parts.flat_map(|text| [text.to_owned(), encode(text, is_query_byte)]).collect();
    texts.retain(|text| text.len() >= SECRET_BYTES_MIN);
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
