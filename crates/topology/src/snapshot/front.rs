//! What a stage asks of a request before it is carried, compiled: rate limits and CORS. The plane counts and compares; what
//! the numbers mean is said here.

/// A rate limit: a token bucket of `burst` tokens that gains `rate` tokens a second (API Gateway developer guide, "Throttle
/// requests to your HTTP APIs", 2026-11). Kept as the spacing of requests, so that one atomic number is a bucket's state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    rate: f64,
    burst: u64,
    spacing: u64,
}

/// Units of a [`RateLimit`]'s times in a second: sixteenths of a nanosecond, so that a million requests a second are spaced to
/// better than one part in ten thousand, and 64 bits last for 36 years.
pub const TICKS_PER_SECOND: u64 = 16_000_000_000;

/// Requests a second above which a limit is none.
const RATE_MAX: f64 = 1e9;

impl RateLimit {
    /// The limit of these numbers. Zero in either lets nothing pass, as on AWS.
    #[must_use]
    pub fn new(rate: f64, burst: u64) -> Self {
        let rate = if rate.is_finite() { rate.clamp(0.0, RATE_MAX) } else { 0.0 };
        // Truncation is meant: the spacing lies between 16 and 2^63 ticks.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let spacing = (TICKS_PER_SECOND as f64 / rate.max(f64::MIN_POSITIVE)).clamp(1.0, 9e18) as u64;
        Self { rate, burst, spacing }
    }

    /// Requests a second.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// Requests at once.
    #[must_use]
    pub const fn burst(&self) -> u64 {
        self.burst
    }

    /// Whether it lets nothing pass.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.burst == 0 || self.rate <= 0.0
    }

    /// Ticks between two requests at the steady rate.
    #[must_use]
    pub const fn spacing(&self) -> u64 {
        self.spacing
    }

    /// Ticks in which an empty bucket fills.
    #[must_use]
    pub const fn window(&self) -> u64 {
        self.spacing.saturating_mul(self.burst)
    }
}

/// Where a limit was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitSource {
    /// The route's own settings.
    Route,
    /// The stage's default route settings.
    Stage,
    /// The account's quota.
    Account,
}

/// A route's limit on a stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throttle {
    /// The limit.
    pub limit: RateLimit,
    /// Where it was set.
    pub source: LimitSource,
}

/// A CORS configuration (HTTP API developer guide, "Configure CORS for HTTP APIs", 2026-11).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    /// The origins that may read answers.
    pub origins: Vec<Origin>,
    /// `access-control-allow-methods`; empty when not set.
    pub methods: String,
    /// `access-control-allow-headers`; empty when not set.
    pub headers: String,
    /// `access-control-expose-headers`; empty when not set.
    pub expose: String,
    /// `access-control-max-age` in seconds.
    pub max_age_s: Option<i64>,
    /// `access-control-allow-credentials`
    pub credentials: bool,
}

/// An origin that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `*`
    Any,
    /// `https://*` or `http://*`; the text is what an origin begins with.
    Scheme(&'static str),
    /// Exactly this one.
    Exact(String),
}

impl Origin {
    /// Reads one of `allowOrigins`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "*" => Self::Any,
            "https://*" => Self::Scheme("https://"),
            "http://*" => Self::Scheme("http://"),
            exact => Self::Exact(exact.to_owned()),
        }
    }
}

/// What an origin is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// That every origin is allowed.
    Everyone,
    /// That it is allowed.
    ThisOne,
    /// Nothing.
    No,
}

impl Cors {
    /// What this origin is told.
    #[must_use]
    pub fn allows(&self, origin: &str) -> Allowed {
        let fits = |allowed: &Origin| match allowed {
            Origin::Any => true,
            Origin::Scheme(scheme) => origin.strip_prefix(scheme).is_some_and(|host| !host.is_empty()),
            Origin::Exact(exact) => exact == origin,
        };
        match self.origins.iter().find(|allowed| fits(allowed)) {
            Some(Origin::Any) => Allowed::Everyone,
            Some(_) => Allowed::ThisOne,
            None => Allowed::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_spaced_by_their_rate() {
        let limit = RateLimit::new(3000.0, 10);
        assert_eq!(limit.spacing(), TICKS_PER_SECOND / 3000);
        assert_eq!(limit.window(), limit.spacing() * 10);
        assert!(!limit.is_closed());
        for (rate, burst) in [(0.0, 10), (10.0, 0), (f64::NAN, 1), (-1.0, 1)] {
            assert!(RateLimit::new(rate, burst).is_closed(), "{rate} {burst}");
        }
        assert_eq!(RateLimit::new(0.000_000_000_1, u64::MAX).window(), u64::MAX);
    }

    #[test]
    fn origins_table() {
        let cors =
            |origins: &[&str]| Cors { origins: origins.iter().map(|o| Origin::parse(o)).collect(), ..Cors::default() };
        let rows = [
            (cors(&["*"]), "https://a.example", Allowed::Everyone),
            (cors(&["https://*"]), "https://a.example", Allowed::ThisOne),
            (cors(&["https://*"]), "http://a.example", Allowed::No),
            (cors(&["https://*"]), "https://", Allowed::No),
            (cors(&["http://a.example:8080"]), "http://a.example:8080", Allowed::ThisOne),
            (cors(&["http://a.example:8080"]), "http://a.example", Allowed::No),
            (cors(&["http://a.example"]), "http://a.example.evil", Allowed::No),
            (cors(&[]), "http://a.example", Allowed::No),
        ];
        for (cors, origin, expected) in rows {
            assert_eq!(cors.allows(origin), expected, "{:?} {origin}", cors.origins);
        }
    }
}
