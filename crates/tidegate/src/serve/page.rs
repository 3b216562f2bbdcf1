//! The page of the server for a person's browser, in development mode: what answers, which targets are healthy, and why a request was refused. It is one text with its
//! style and its script in it; it asks our own paths, loads nothing from elsewhere, and may run no other script.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use topology::reason::Reason;
use topology::trace::Trace;

use super::State;
use super::answer::{self, Answer};
use super::limits::REQUESTS_TOLD_MAX;
use super::owner::Owner;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The page and what it may do.
struct Made {
    text: String,
    policy: HeaderValue,
}

/// The page, where there is one.
pub(super) fn page(state: &State) -> Answer {
    static MADE: OnceLock<Option<Made>> = OnceLock::new();
    if !state.config.is_development() {
        let message = "Gateway mode has no page for browsers: tidegate status and tidegate explain tell the same";
        return answer::refusal(StatusCode::NOT_FOUND, "NOT_FOUND", message);
    }
    let Some(made) = MADE.get_or_init(made).as_ref() else {
        return answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "the page cannot be made");
    };
    let mut page = answer::text(StatusCode::OK, made.text.clone());
    let headers = page.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, made.policy.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    page
}

/// Style and script are named by what they are (Content Security Policy Level 3, 2.3.1): nothing else is carried out, whatever is shown.
fn made() -> Option<Made> {
    let text = PAGE.replace("STYLE", STYLE).replace("SCRIPT", SCRIPT);
    let hash = |part: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(part)));
    let policy = format!(
        "default-src 'none'; connect-src 'self'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    Some(Made { text, policy: policy.parse().ok()? })
}

/// The newest requests that the caller may see.
pub(super) fn requests(state: &State, owner: &Owner) -> Answer {
    let snapshot = state.plane.snapshot();
    let newest = state.plane.traces().newest_of(REQUESTS_TOLD_MAX, |trace| owner.may_see(&snapshot, trace));
    let told: Vec<Value> = newest.iter().map(told).collect();
    answer::json(StatusCode::OK, &json!({ "requests": told }))
}

fn told(trace: &Trace) -> Value {
    let micros = i64::try_from(trace.started_unix_micros).ok();
    let started = micros.and_then(|micros| Timestamp::from_microsecond(micros).ok());
    json!({
        "request_id": trace.request_id.to_string(),
        "started": started.map(|started| started.to_string()),
        "api": trace.api.map(|api| api.to_string()),
        "stage": trace.stage,
        "method": trace.method,
        "path": trace.path,
        "status": trace.status,
        "outcome": trace.outcome().as_str(),
        "reason": trace.reason.map(Reason::code),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_are_in_it_as_they_are_hashed() {
        let made = made().unwrap();
        assert!(made.text.contains(&format!("<style>{STYLE}</style>")));
        assert!(made.text.contains(&format!("<script>{SCRIPT}</script>")));
        // What is told is only ever text.
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http:", "https:"] {
            assert!(!made.text.contains(way), "{way}");
        }
    }
}
