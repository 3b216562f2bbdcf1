//! What listeners' rules do: forward, answer, redirect (ALB user guide, "Rule action types", 2026-11). An action that AWS would refuse
//! cannot be made. Whether the target groups exist is asked by `control`.
//!
//! ```compile_fail
//! // Groups come in by the constructor, which wants one at least.
//! let nothing = topology::resource::action::Forward { groups: Vec::new(), stickiness: Default::default() };
//! ```

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::id::TargetGroupId;

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// `forward`
    Forward(Forward),
    /// `fixed-response`
    FixedResponse(FixedResponse),
    /// `redirect`
    Redirect(Redirect),
}

impl Action {
    /// All to one group.
    #[must_use]
    pub fn to(group: TargetGroupId) -> Self {
        Self::Forward(Forward { groups: vec![(group, Weight(1))], stickiness: GroupStickiness::Unset })
    }

    /// Its type as AWS names it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Forward(_) => "forward",
            Self::FixedResponse(_) => "fixed-response",
            Self::Redirect(_) => "redirect",
        }
    }

    /// The target groups it sends to.
    pub fn target_groups(&self) -> impl Iterator<Item = TargetGroupId> {
        let groups: &[(TargetGroupId, Weight)] = match self {
            Self::Forward(forward) => &forward.groups,
            Self::FixedResponse(_) | Self::Redirect(_) => &[],
        };
        groups.iter().map(|(group, _)| *group)
    }
}

/// Why there can be no such action, in AWS's manner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionError {
    /// A forward action without a group.
    NoGroup,
    /// One with more than [`Forward::GROUPS_MAX`].
    TooManyGroups,
    /// A weight out of range.
    Weight(i64),
    /// A duration of stickiness out of range.
    Stickiness(i64),
    /// Stickiness without a duration.
    StickinessDuration,
    /// Clients stay with targets of one of several groups, and not with the group.
    StickyTargets,
    /// A status that no fixed response has.
    FixedStatus(String),
    /// A media type that no fixed response has.
    ContentType,
    /// A body that is longer than [`FixedResponse::BODY_CHARS_MAX`].
    Body,
    /// A status that no redirect has.
    RedirectStatus(String),
    /// A scheme that no redirect has.
    Protocol(String),
    /// A port that is none.
    Port(String),
    /// A path without its slash.
    Path,
    /// A redirect to where the request came.
    Unchanged,
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGroup => f.write_str("A target group must be specified for a forward action"),
            Self::TooManyGroups => {
                write!(f, "A forward action can name at most {} target groups", Forward::GROUPS_MAX)
            }
            Self::Weight(weight) => {
                write!(f, "Target group weight '{weight}' must be between 0 and {}", Weight::MAX)
            }
            Self::Stickiness(seconds) => write!(
                f,
                "Target group stickiness duration '{seconds}' must be between 1 and {} seconds",
                StickinessS::MAX
            ),
            Self::StickinessDuration => {
                f.write_str("A duration must be specified when target group stickiness is enabled")
            }
            Self::StickyTargets => f.write_str(
                "You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups",
            ),
            Self::FixedStatus(status) => write!(f, "Status code '{status}' must be 2XX, 4XX or 5XX"),
            Self::ContentType => write!(f, "Content type must be one of {}", FixedResponse::CONTENT_TYPES.join(", ")),
            Self::Body => write!(f, "Message body must have at most {} characters", FixedResponse::BODY_CHARS_MAX),
            Self::RedirectStatus(status) => write!(f, "Status code '{status}' must be HTTP_301 or HTTP_302"),
            Self::Protocol(protocol) => write!(f, "Protocol '{protocol}' must be HTTP, HTTPS or #{{protocol}}"),
            Self::Port(port) => write!(f, "Port '{port}' must be 1-65535 or #{{port}}"),
            Self::Path => f.write_str("The redirect path must start with '/'"),
            Self::Unchanged => f.write_str("A redirect must change at least one of protocol, host, port and path"),
        }
    }
}

impl std::error::Error for ActionError {}

/// A group's share of what is forwarded: 0–999; at 0 it gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Weight(u32);

impl Weight {
    const MAX: u32 = 999;
}

impl TryFrom<i64> for Weight {
    type Error = ActionError;
    fn try_from(weight: i64) -> Result<Self, ActionError> {
        let within = u32::try_from(weight).ok().filter(|weight| *weight <= Self::MAX);
        within.map(Self).ok_or(ActionError::Weight(weight))
    }
}

impl TryFrom<u32> for Weight {
    type Error = ActionError;
    fn try_from(weight: u32) -> Result<Self, ActionError> {
        i64::from(weight).try_into()
    }
}

impl From<Weight> for u32 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

/// How long group stickiness lasts, in seconds: seven days at most (ELBv2 API reference, TargetGroupStickinessConfig, 2026-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct StickinessS(u32);

impl StickinessS {
    const MAX: u32 = 604_800;
}

impl TryFrom<i64> for StickinessS {
    type Error = ActionError;
    fn try_from(seconds: i64) -> Result<Self, ActionError> {
        let within = u32::try_from(seconds).ok().filter(|seconds| (1..=Self::MAX).contains(seconds));
        within.map(Self).ok_or(ActionError::Stickiness(seconds))
    }
}

impl TryFrom<u32> for StickinessS {
    type Error = ActionError;
    fn try_from(seconds: u32) -> Result<Self, ActionError> {
        i64::from(seconds).try_into()
    }
}

impl From<StickinessS> for u32 {
    fn from(seconds: StickinessS) -> Self {
        seconds.0
    }
}

/// Whether a client stays with the group that had its first request (`TargetGroupStickinessConfig`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupStickiness {
    /// It does not, and nothing was said of how long it would.
    #[default]
    Unset,
    /// It does not. The duration is kept, since who gave it looks for it.
    Off(StickinessS),
    /// It does, for so long.
    On(StickinessS),
}

impl GroupStickiness {
    /// The duration that was given.
    #[must_use]
    pub const fn seconds(self) -> Option<StickinessS> {
        match self {
            Self::Unset => None,
            Self::Off(seconds) | Self::On(seconds) => Some(seconds),
        }
    }

    /// Whether it is on.
    #[must_use]
    pub const fn is_on(self) -> bool {
        matches!(self, Self::On(_))
    }
}

/// `forward`: to one group at least.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredForward", into = "StoredForward")]
pub struct Forward {
    groups: Vec<(TargetGroupId, Weight)>,
    stickiness: GroupStickiness,
}

impl Forward {
    /// Groups of one action.
    pub const GROUPS_MAX: usize = 5;

    /// To these groups.
    ///
    /// # Errors
    /// When there is none, or there are too many.
    pub fn new(groups: Vec<(TargetGroupId, Weight)>, stickiness: GroupStickiness) -> Result<Self, ActionError> {
        match groups.len() {
            0 => Err(ActionError::NoGroup),
            1..=Self::GROUPS_MAX => Ok(Self { groups, stickiness }),
            _ => Err(ActionError::TooManyGroups),
        }
    }

    /// The groups, one at least.
    #[must_use]
    pub fn groups(&self) -> &[(TargetGroupId, Weight)] {
        &self.groups
    }

    /// Whether clients stay with a group.
    #[must_use]
    pub const fn stickiness(&self) -> GroupStickiness {
        self.stickiness
    }
}

/// How it is kept.
#[derive(Serialize, Deserialize)]
struct StoredForward {
    groups: Vec<(TargetGroupId, Weight)>,
    stickiness_s: Option<StickinessS>,
    /// Left out where it is off, as before it could be on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_sticky: bool,
}

impl TryFrom<StoredForward> for Forward {
    type Error = ActionError;
    fn try_from(kept: StoredForward) -> Result<Self, ActionError> {
        let stickiness = match (kept.is_sticky, kept.stickiness_s) {
            (true, Some(seconds)) => GroupStickiness::On(seconds),
            (true, None) => return Err(ActionError::StickinessDuration),
            (false, Some(seconds)) => GroupStickiness::Off(seconds),
            (false, None) => GroupStickiness::Unset,
        };
        Self::new(kept.groups, stickiness)
    }
}

impl From<Forward> for StoredForward {
    fn from(forward: Forward) -> Self {
        let (stickiness_s, is_sticky) = (forward.stickiness.seconds(), forward.stickiness.is_on());
        Self { groups: forward.groups, stickiness_s, is_sticky }
    }
}

/// What a fixed response is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedResponseParts {
    /// 2XX, 4XX or 5XX.
    pub status: u16,
    /// One of [`FixedResponse::CONTENT_TYPES`].
    pub content_type: Option<String>,
    /// At most [`FixedResponse::BODY_CHARS_MAX`] characters.
    pub body: Option<String>,
}

/// `fixed-response`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FixedResponseParts", into = "FixedResponseParts")]
pub struct FixedResponse(FixedResponseParts);

impl FixedResponse {
    /// The media types.
    pub const CONTENT_TYPES: [&str; 5] =
        ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];
    /// Characters of a body.
    pub const BODY_CHARS_MAX: usize = 1024;

    /// Checks the parts.
    ///
    /// # Errors
    /// When one of them is not what its documentation says.
    pub fn new(parts: FixedResponseParts) -> Result<Self, ActionError> {
        if ![2, 4, 5].contains(&(parts.status / 100)) {
            return Err(ActionError::FixedStatus(parts.status.to_string()));
        }
        if parts.content_type.as_deref().is_some_and(|text| !Self::CONTENT_TYPES.contains(&text)) {
            return Err(ActionError::ContentType);
        }
        if parts.body.as_ref().is_some_and(|body| body.chars().count() > Self::BODY_CHARS_MAX) {
            return Err(ActionError::Body);
        }
        Ok(Self(parts))
    }
}

impl Deref for FixedResponse {
    type Target = FixedResponseParts;
    fn deref(&self) -> &FixedResponseParts {
        &self.0
    }
}

impl TryFrom<FixedResponseParts> for FixedResponse {
    type Error = ActionError;
    fn try_from(parts: FixedResponseParts) -> Result<Self, ActionError> {
        Self::new(parts)
    }
}

impl From<FixedResponse> for FixedResponseParts {
    fn from(response: FixedResponse) -> Self {
        response.0
    }
}

/// The status of a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum RedirectStatus {
    /// 301
    MovedPermanently,
    /// 302
    Found,
}

impl TryFrom<u16> for RedirectStatus {
    type Error = ActionError;
    fn try_from(status: u16) -> Result<Self, ActionError> {
        match status {
            301 => Ok(Self::MovedPermanently),
            302 => Ok(Self::Found),
            other => Err(ActionError::RedirectStatus(format!("HTTP_{other}"))),
        }
    }
}

impl From<RedirectStatus> for u16 {
    fn from(status: RedirectStatus) -> Self {
        match status {
            RedirectStatus::MovedPermanently => 301,
            RedirectStatus::Found => 302,
        }
    }
}

/// What a redirect is made of; each text may hold `#{protocol}`, `#{host}`, `#{port}`, `#{path}` and `#{query}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectParts {
    /// The status.
    pub status: RedirectStatus,
    /// `HTTP`, `HTTPS` or `#{protocol}`.
    pub protocol: String,
    /// Host, default `#{host}`.
    pub host: String,
    /// 1–65535 or `#{port}`.
    pub port: String,
    /// Path with its leading slash, default `/#{path}`.
    pub path: String,
    /// Query, default `#{query}`.
    pub query: String,
}

/// `redirect`, to elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RedirectParts", into = "RedirectParts")]
pub struct Redirect(RedirectParts);

impl Redirect {
    /// Checks the parts.
    ///
    /// # Errors
    /// When one of them is not what its documentation says, or the redirect leads to where the request came.
    pub fn new(parts: RedirectParts) -> Result<Self, ActionError> {
        let RedirectParts { protocol, host, port, path, .. } = &parts;
        if !["HTTP", "HTTPS", "#{protocol}"].contains(&protocol.as_str()) {
            return Err(ActionError::Protocol(protocol.clone()));
        }
        if port != "#{port}" && !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err(ActionError::Port(port.clone()));
        }
        if !path.starts_with('/') {
            return Err(ActionError::Path);
        }
        let unchanged = protocol == "#{protocol}" && host == "#{host}" && port == "#{port}" && path == "/#{path}";
        if unchanged { Err(ActionError::Unchanged) } else { Ok(Self(parts)) }
    }
}

impl Deref for Redirect {
    type Target = RedirectParts;
    fn deref(&self) -> &RedirectParts {
        &self.0
    }
}

impl TryFrom<RedirectParts> for Redirect {
    type Error = ActionError;
    fn try_from(parts: RedirectParts) -> Result<Self, ActionError> {
        Self::new(parts)
    }
}

impl From<Redirect> for RedirectParts {
    fn from(redirect: Redirect) -> Self {
        redirect.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Action, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_kept_is_read_and_kept_in_the_same_form() {
        for json in [
            r#"{"Forward":{"groups":[["00000000000000cc",1],["00000000000000dd",999]],"stickiness_s":null}}"#,
            r#"{"Forward":{"groups":[["00000000000000cc",0]],"stickiness_s":60}}"#,
            r#"{"FixedResponse":{"status":503,"content_type":"text/plain","body":"later"}}"#,
            r##"{"Redirect":{"status":301,"protocol":"HTTPS","host":"#{host}","port":"443","path":"/#{path}","query":""}}"##,
        ] {
            assert_eq!(serde_json::to_string(&read(json).unwrap()).unwrap(), json);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let rows = [
            (r#"{"Forward":{"groups":[],"stickiness_s":null}}"#, "A target group must be specified"),
            (r#"{"Forward":{"groups":[["00000000000000cc",1000]],"stickiness_s":null}}"#, "weight '1000'"),
            (r#"{"Forward":{"groups":[["00000000000000cc",1]],"stickiness_s":0}}"#, "stickiness duration '0'"),
            (r#"{"FixedResponse":{"status":302,"content_type":null,"body":null}}"#, "must be 2XX, 4XX or 5XX"),
            (r#"{"FixedResponse":{"status":200,"content_type":"a/b","body":null}}"#, "Content type must be one of"),
            (
                r#"{"Redirect":{"status":900,"protocol":"HTTPS","host":"h","port":"1","path":"/","query":""}}"#,
                "must be HTTP_301 or HTTP_302",
            ),
            (
                r##"{"Redirect":{"status":302,"protocol":"#{protocol}","host":"#{host}","port":"#{port}","path":"/#{path}","query":"a"}}"##,
                "must change at least one",
            ),
        ];
        for (json, words) in rows {
            let refused = read(json).unwrap_err();
            assert!(refused.contains(words), "{json}: {refused}");
        }
    }
}
