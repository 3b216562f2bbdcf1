//! Who is logged in: a sealed cookie that the client keeps in parts of 4 KB (ALB user guide, "Authenticate users using an Application Load
//! Balancer", 2026-11). How long it lasts is told inside; the cookies' own expiry is a week.

use std::time::Duration;

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};
use serde::{Deserialize, Serialize};
use topology::snapshot::balancer::Provider;

use crate::limits::{SESSION_SHARD_BYTES_MAX, SESSION_SHARDS_MAX};
use crate::targets::seal::UserSeal;

/// How long clients keep the cookies: a week.
const KEPT: Duration = Duration::from_secs(604_800);
/// Bytes of a part's value, so that name, value and attributes stay within a cookie's 4 KB.
const VALUE_BYTES_MAX: usize = SESSION_SHARD_BYTES_MAX - 256;

/// A user who is logged in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// When they logged in, since 1970.
    pub(super) made_s: u64,
    /// When the access token ends; `None` where the provider does not say.
    pub(super) expires_s: Option<u64>,
    /// What the target gets.
    pub(super) access_token: String,
    /// What a new access token is had with.
    pub(super) refresh_token: Option<String>,
    /// `sub`
    pub(super) subject: String,
    /// What the provider says of them: a JSON object, as it came.
    pub(super) claims: String,
}

/// What a session is sealed for: a cookie of this name, of this client of this issuer, at this load balancer.
pub(super) fn purpose(oidc: &Provider<'_>, balancer: &str) -> String {
    format!("session\n{}\n{}\n{}\n{balancer}", oidc.session.cookie_name, oidc.issuer, oidc.client_id)
}

/// What a request's cookies say.
pub(super) enum Found {
    /// There are none.
    Nobody,
    /// They are none of ours, or have ended.
    Ended,
    /// Someone.
    User(Box<Session>),
}

impl Session {
    /// Reads the cookies of a request.
    pub(super) fn find(
        headers: &HeaderMap,
        (oidc, balancer): (&Provider<'_>, &str),
        (seal, now_s): (&UserSeal, u64),
    ) -> Found {
        let parts = (0..SESSION_SHARDS_MAX).map_while(|at| cookie(headers, &shard(&oidc.session.cookie_name, at)));
        let text: String = parts.collect();
        if text.is_empty() {
            return Found::Nobody;
        }
        let session: Option<Self> = seal.open(&purpose(oidc, balancer), &text);
        match session.filter(|session| now_s.saturating_sub(session.made_s) < u64::from(oidc.session.timeout_s)) {
            Some(session) => Found::User(Box::new(session)),
            None => Found::Ended,
        }
    }

    /// The lines that set its cookies; `None` where it is too large for them.
    pub(super) fn cookies(&self, (oidc, balancer): (&Provider<'_>, &str), seal: &UserSeal) -> Option<Vec<HeaderValue>> {
        let text = seal.seal(&purpose(oidc, balancer), self)?;
        let mut parts: Vec<&str> = Vec::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(VALUE_BYTES_MAX));
            parts.push(part);
            rest = after;
        }
        if parts.len() > SESSION_SHARDS_MAX {
            return None;
        }
        // A part that an earlier, longer session left would be read with this one.
        let parts = parts.into_iter().map(Some).chain(std::iter::repeat(None)).take(SESSION_SHARDS_MAX);
        let lines = parts.enumerate().map(|(at, part)| match part {
            Some(value) => set(&shard(&oidc.session.cookie_name, at), value, KEPT),
            None => set(&shard(&oidc.session.cookie_name, at), "", Duration::ZERO),
        });
        lines.collect()
    }

    /// The access token and `sub` as headers tell them; `None` where one of them is no header's value. Of such a user no session is made.
    pub(super) fn told(&self) -> Option<(HeaderValue, HeaderValue)> {
        let mut token = HeaderValue::from_str(&self.access_token).ok()?;
        token.set_sensitive(true);
        Some((token, HeaderValue::from_str(&self.subject).ok()?))
    }

    /// Whether the access token has ended.
    pub(super) fn is_stale(&self, now_s: u64) -> bool {
        self.expires_s.is_some_and(|at| at <= now_s)
    }
}

fn shard(name: &str, at: usize) -> String {
    format!("{name}-{at}")
}

/// A line that sets a cookie for HTTPS alone, out of reach of scripts.
pub(super) fn set(name: &str, value: &str, lasts: Duration) -> Option<HeaderValue> {
    let until = if lasts.is_zero() {
        std::time::UNIX_EPOCH
    } else {
        std::time::UNIX_EPOCH + crate::clock::since_epoch() + lasts
    };
    let expires = httpdate::fmt_http_date(until);
    HeaderValue::try_from(format!("{name}={value}; Expires={expires}; Path=/; Secure; HttpOnly")).ok()
}

/// The first cookie of this name (RFC 6265, section 4.2.1).
pub(super) fn cookie<'r>(headers: &'r HeaderMap, name: &str) -> Option<&'r str> {
    let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let mut pairs = lines.flat_map(|line| line.split(|b| *b == b';')).map(<[u8]>::trim_ascii);
    let value = pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    std::str::from_utf8(value).ok().filter(|value| !value.is_empty())
}
