//! What control needs to know of the server's configuration.

use topology::resource::attribute::Idle;
use topology::time::Moment;

/// How long things take that AWS does in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delays {
    /// Milliseconds: states still pass through PENDING and provisioning.
    #[default]
    Instant,
    /// AWS's seconds and minutes.
    Realistic,
}

/// How long a state in between lasts with [`Delays::Instant`]: long enough for a client to see it.
const INSTANT_MS: i64 = 20;

impl Delays {
    /// When something is done that takes AWS `realistic_s` seconds.
    #[must_use]
    pub const fn ready_at(self, now: Moment, realistic_s: i64) -> Moment {
        match self {
            Self::Instant => now.plus_ms(INSTANT_MS),
            Self::Realistic => now.plus_ms(realistic_s.saturating_mul(1000)),
        }
    }
}

/// What control needs to know of the server's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// How long background work takes.
    pub delays: Delays,
    /// Whether AWS's default quotas are enforced, as far as they are written: on the rules of a security group.
    pub quotas: bool,
    /// Whether an authorizer may name an issuer on this machine, over plain HTTP.
    pub local_issuers: LocalIssuers,
    /// Whether files can be written to buckets.
    pub buckets: Buckets,
    /// What becomes of attributes of load balancers and groups that mean nothing here.
    pub idle_attributes: Idle,
    /// The URL of the API port, without a slash at its end, for addresses that answers name. Empty: they are paths alone.
    pub api_url: String,
}

/// Whether files can be written to buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Buckets {
    /// Each is a folder, made with its first file.
    #[default]
    Folders,
    /// The server has no place for them: what would be written there cannot be switched on.
    None,
}

/// Whether an authorizer may name an issuer on this machine, over plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LocalIssuers {
    /// It must be HTTPS, as on AWS.
    #[default]
    Refused,
    /// It may: development mode.
    Allowed,
}
