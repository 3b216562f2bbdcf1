//! Clients that stay with a group or a target: the cookies that say so (ALB user guide, "Sticky sessions for your Application Load
//! Balancer", 2026-11). What a cookie holds is sealed, so that no client learns of targets or chooses one, and says when it was
//! made, so that it ends whatever the client keeps. Whether the one that it names may still get traffic is `choose`'s to say.

use std::fmt;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use aws_lc_rs::aead::{AES_256_GCM_SIV, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac, rand};
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use topology::id::TargetGroupId;
use topology::snapshot::attributes::Stickiness;
use topology::snapshot::balancer::Forward;

use super::choose::Chosen;
use super::seal;
use crate::limits::STICKY_COOKIE_BYTES_MAX;

/// Names a group.
const OF_GROUP: &str = "AWSALBTG";
/// The same, with the same value, for requests from other sites.
const OF_GROUP_CORS: &str = "AWSALBTGCORS";
/// Names a target.
const OF_TARGET: &str = "AWSALB";
/// The same, with the same value, for requests from other sites.
const OF_TARGET_CORS: &str = "AWSALBCORS";
/// Names a target, beside a cookie of its own.
const OF_APPLICATION: &str = "AWSALBAPP-0";
/// What AWS splits a long value over; ours are never so long, and none is kept of an earlier one.
const APPLICATION_REST: [&str; 3] = ["AWSALBAPP-1", "AWSALBAPP-2", "AWSALBAPP-3"];
/// How long clients keep a cookie: a week, whatever the stickiness lasts (ALB user guide, "Sticky sessions", 2026-11).
const KEPT: Duration = Duration::from_secs(604_800);

/// What cookies of load balancers are sealed with. It is not shown.
#[derive(Clone)]
pub struct CookieKey([u8; 32]);

impl CookieKey {
    /// Random bytes, which whoever made them keeps for the next run.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key of its own for whoever has this name, from which this one cannot be found.
    #[must_use]
    pub fn of(&self, name: &str) -> [u8; 32] {
        let mut bytes = [0; 32];
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        bytes.copy_from_slice(hmac::sign(&key, name.as_bytes()).as_ref());
        bytes
    }
}

impl fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieKey")
    }
}

/// Seals what cookies hold.
#[derive(Debug)]
pub(crate) struct Seal {
    /// `None` seals with a key that nobody keeps.
    given: Option<CookieKey>,
    /// Made when the first cookie is; `None` where that failed.
    key: OnceLock<Option<RandomizedNonceKey>>,
}

/// Who had the first request of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    group: TargetGroupId,
    /// `None` where the group alone is meant.
    target: Option<(IpAddr, u16)>,
    /// Since 1970.
    made_s: u64,
}

impl Bound {
    /// The group.
    pub(crate) const fn group(self) -> TargetGroupId {
        self.group
    }

    /// Whether it means this target of a group.
    pub(crate) fn is_target(self, group: TargetGroupId, address: IpAddr, port: u16) -> bool {
        self.group == group && self.target == Some((address, port))
    }

    fn lasts(self, lasts: Duration, now_s: u64) -> bool {
        now_s.saturating_sub(self.made_s) < lasts.as_secs()
    }

    /// Time, address as one of version 6, port and group, the first three of as many bytes as they have. Of one length, whatever it holds.
    fn bytes(self) -> Vec<u8> {
        let Self { group, target, made_s } = self;
        let (address, port) = target.unwrap_or((Ipv4Addr::UNSPECIFIED.into(), 0));
        let address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let mut bytes = [&made_s.to_be_bytes()[..], &address.octets(), &port.to_be_bytes()].concat();
        // Writing to a vector cannot fail.
        let _ = write!(bytes, "{group}");
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (made_s, rest) = bytes.split_first_chunk()?;
        let (address, rest) = rest.split_first_chunk::<16>()?;
        let (port, group) = rest.split_first_chunk()?;
        let port = u16::from_be_bytes(*port);
        let target = (port > 0).then_some((IpAddr::from(*address).to_canonical(), port));
        let group = std::str::from_utf8(group).ok()?.parse().ok()?;
        Some(Self { group, target, made_s: u64::from_be_bytes(*made_s) })
    }
}

impl CookieKey {
    /// A key for another purpose, from which nothing is learnt of this one (RFC 5869).
    fn derived(&self, purpose: &'static [u8]) -> Option<RandomizedNonceKey> {
        let mut bytes = [0; 32];
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&self.0);
        secret.expand(&[purpose], hkdf::HKDF_SHA256).ok()?.fill(&mut bytes).ok()?;
        RandomizedNonceKey::new(&AES_256_GCM_SIV, &bytes).ok()
    }
}

/// A key for a purpose of its own: derived, or of this run alone. `None` where there is no randomness.
pub(crate) fn key_for(purpose: &'static [u8], given: Option<&CookieKey>) -> Option<RandomizedNonceKey> {
    given.map_or_else(random_key, |given| given.derived(purpose))
}

/// A key of this run alone.
fn random_key() -> Option<RandomizedNonceKey> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).ok()?;
    RandomizedNonceKey::new(&AES_256_GCM_SIV, &bytes).ok()
}

impl Seal {
    /// Seals with this key, or with one of its own.
    pub(crate) const fn new(given: Option<CookieKey>) -> Self {
        Self { given, key: OnceLock::new() }
    }

    fn key(&self) -> Option<&RandomizedNonceKey> {
        let make = || match &self.given {
            Some(CookieKey(given)) => RandomizedNonceKey::new(&AES_256_GCM_SIV, given).ok(),
            None => random_key(),
        };
        self.key.get_or_init(make).as_ref()
    }

    /// The value of the cookie of this name, and of its twin for other sites. Empty when it cannot be sealed: then the client stays with nobody.
    fn seal(&self, name: &str, bound: Bound) -> String {
        self.key().and_then(|key| seal::seal(key, name, bound.bytes())).unwrap_or_default()
    }

    /// What a cookie that was sealed for this name says, unless it is none of ours or has ended now.
    fn open(&self, name: &str, value: &str, (lasts, now_s): (Duration, u64)) -> Option<Bound> {
        if value.len() > STICKY_COOKIE_BYTES_MAX {
            return None;
        }
        let bound = Bound::parse(&seal::open(self.key()?, name, value)?)?;
        bound.lasts(lasts, now_s).then_some(bound)
    }
}

/// The cookies of a request.
#[derive(Clone, Copy)]
pub(crate) struct Jar<'r> {
    headers: &'r HeaderMap,
    seal: &'r Seal,
    /// Since 1970.
    now_s: u64,
}

impl<'r> Jar<'r> {
    /// Those in these headers, of a request that came at this time since 1970.
    pub(crate) const fn new(headers: &'r HeaderMap, seal: &'r Seal, arrived: Duration) -> Self {
        Self { headers, seal, now_s: arrived.as_secs() }
    }

    /// The group that the client stays with.
    pub(crate) fn group(self, lasts: Duration) -> Option<Bound> {
        self.opened((OF_GROUP_CORS, OF_GROUP), lasts).or_else(|| self.opened((OF_GROUP, OF_GROUP), lasts))
    }

    /// The target that the client stays with.
    pub(crate) fn target(self, stickiness: &Stickiness) -> Option<Bound> {
        match &stickiness.app_cookie {
            None => {
                let of_other_sites = self.opened((OF_TARGET_CORS, OF_TARGET), stickiness.lasts);
                of_other_sites.or_else(|| self.opened((OF_TARGET, OF_TARGET), stickiness.lasts))
            }
            // Only who sends the target's own cookie too.
            Some(own) => self.opened((OF_APPLICATION, OF_APPLICATION), stickiness.lasts).filter(|_| self.has(own)),
        }
    }

    /// A cookie of one name, sealed for another or the same.
    fn opened(self, (name, sealed_for): (&str, &str), lasts: Duration) -> Option<Bound> {
        self.seal.open(sealed_for, self.value(name)?, (lasts, self.now_s))
    }

    /// The first cookie of this name (RFC 6265, section 4.2.1). What others hold may be no text.
    fn value(self, name: &str) -> Option<&'r str> {
        let mut values = self.pairs().filter_map(|pair| value_of(pair, name));
        std::str::from_utf8(values.next()?).ok()
    }

    /// Whether there is a cookie of this name.
    fn has(self, name: &str) -> bool {
        self.pairs().any(|pair| value_of(pair, name).is_some())
    }

    fn pairs(self) -> impl Iterator<Item = &'r [u8]> {
        let lines = self.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        lines.flat_map(split).map(<[u8]>::trim_ascii)
    }
}

/// What semicolons separate.
fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut left = Some(line);
    std::iter::from_fn(move || {
        let line = left?;
        let end = memchr::memchr(b';', line);
        left = end.map(|end| &line[end + 1..]);
        Some(&line[..end.unwrap_or(line.len())])
    })
}

/// The value of `NAME=VALUE`, where it is of this name.
fn value_of<'p>(pair: &'p [u8], name: &str) -> Option<&'p [u8]> {
    pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

/// How a client is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telling {
    /// Whether it stays with the group.
    group: bool,
    /// Whether it came over TLS: then it is to send what goes to other sites over TLS only.
    is_secure: bool,
}

impl Telling {
    /// How the client of a request is told, if it stays with anybody.
    pub(crate) fn of(forward: &Forward, chosen: &Chosen<'_>, is_secure: bool) -> Option<Self> {
        let group = forward.stickiness.is_some();
        (group || chosen.group.attributes.stickiness.is_some()).then_some(Self { group, is_secure })
    }
}

/// With what a client stays by its cookies.
#[derive(Debug, Clone, Copy)]
enum Stay {
    Group,
    Target,
    /// The target, as long as its own cookie comes too.
    Application,
}

/// The lines by which clients were told of a target last. What is sealed in one second is sealed once: the lines say no more than the second
/// and the target, so that clients who share both may share them.
#[derive(Debug, Default)]
pub(crate) struct Told([ArcSwapOption<Lines>; 6]);

#[derive(Debug)]
struct Lines {
    made_s: u64,
    /// Values of `Set-Cookie`.
    lines: Vec<HeaderValue>,
}

impl Told {
    const fn of(&self, stay: Stay, is_secure: bool) -> &ArcSwapOption<Lines> {
        &self.0[2 * stay as usize + is_secure as usize]
    }
}

impl Seal {
    /// Tells a client, whose request came at this time since 1970, with whom it stays, in the head of the answer.
    pub(crate) fn tell(&self, chosen: &Chosen<'_>, (telling, arrived): (Telling, Duration), answer: &mut HeaderMap) {
        let made_s = arrived.as_secs();
        let tell = |stay, answer: &mut HeaderMap| {
            let told = chosen.state.told.of(stay, telling.is_secure);
            let kept = told.load();
            match kept.as_ref().filter(|kept| kept.made_s == made_s) {
                Some(kept) => append(answer, &kept.lines),
                None => {
                    let lines = self.lines(chosen, (stay, telling.is_secure), made_s);
                    append(answer, &lines);
                    told.store(Some(Arc::new(Lines { made_s, lines })));
                }
            }
        };
        if telling.group {
            tell(Stay::Group, answer);
        }
        let Some(stickiness) = &chosen.group.attributes.stickiness else { return };
        match &stickiness.app_cookie {
            None => tell(Stay::Target, answer),
            Some(own) if chosen.is_bound || sets(answer, own) => tell(Stay::Application, answer),
            Some(_) => {}
        }
    }

    fn lines(&self, chosen: &Chosen<'_>, (stay, is_secure): (Stay, bool), made_s: u64) -> Vec<HeaderValue> {
        let expires = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(made_s) + KEPT);
        let cors = if is_secure { "; SameSite=None; Secure" } else { "; SameSite=None" };
        let target = match stay {
            Stay::Group => None,
            Stay::Target | Stay::Application => Some((chosen.target.address, chosen.target.port)),
        };
        let bound = Bound { group: chosen.group.id, target, made_s };
        let twins = |name, twin| {
            let value = self.seal(name, bound);
            vec![(name, value.clone(), ""), (twin, value, cors)]
        };
        let cookies = match stay {
            Stay::Group => twins(OF_GROUP, OF_GROUP_CORS),
            Stay::Target => twins(OF_TARGET, OF_TARGET_CORS),
            Stay::Application => {
                let rest = APPLICATION_REST.map(|name| (name, "_remove_".to_owned(), ""));
                [(OF_APPLICATION, self.seal(OF_APPLICATION, bound), "")].into_iter().chain(rest).collect()
            }
        };
        let line = |(name, value, more)| format!("{name}={value}; Expires={expires}; Path=/{more}");
        // Base64, names of ours and a date: header values.
        cookies.into_iter().map(line).filter_map(|line| HeaderValue::try_from(line).ok()).collect()
    }
}

fn append(answer: &mut HeaderMap, lines: &[HeaderValue]) {
    for line in lines {
        answer.append(SET_COOKIE, line.clone());
    }
}

/// Whether an answer sets a cookie of this name.
fn sets(answer: &HeaderMap, name: &str) -> bool {
    answer.get_all(SET_COOKIE).iter().any(|line| value_of(line.as_bytes().trim_ascii(), name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const HOUR: Duration = Duration::from_secs(3600);

    fn bound(made_s: u64) -> Bound {
        Bound { group: TargetGroupId::from_bits(7), target: Some(([10, 0, 0, 9].into(), 8080)), made_s }
    }

    fn seal_of(byte: u8) -> Seal {
        Seal::new(Some(CookieKey::new([byte; 32])))
    }

    fn headers(line: &str) -> HeaderMap {
        [(COOKIE, line.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn what_was_sealed_is_opened_by_the_same_key_and_name_while_it_lasts() {
        let now = clock::since_epoch().as_secs();
        let seal = seal_of(7);
        let value = seal.seal(OF_TARGET, bound(now));
        assert_ne!(value, seal.seal(OF_TARGET, bound(now)), "opaque: the same is never sealed alike");
        assert_eq!(seal_of(7).open(OF_TARGET, &value, (HOUR, now)), Some(bound(now)), "after a restart too");
        assert_eq!(seal_of(8).open(OF_TARGET, &value, (HOUR, now)), None);
        assert_eq!(seal.open(OF_GROUP, &value, (HOUR, now)), None, "a cookie by another name");
        assert_eq!(seal.open(OF_TARGET, &seal.seal(OF_TARGET, bound(now - 3600)), (HOUR, now)), None, "ended");
        let mut forged = value.clone().into_bytes();
        forged[3] ^= 1;
        let forged = String::from_utf8(forged).unwrap();
        for text in ["", "_remove_", "AAAA", "%41", &forged, &value[1..], &value.repeat(100)] {
            assert_eq!(seal.open(OF_TARGET, text, (HOUR, now)), None, "{text}");
        }
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let seal = seal_of(7);
        let rows = [
            ("AWSALB=1; AWSALBCORS=2", OF_TARGET, Some("1")),
            ("AWSALB=1; AWSALBCORS=2", OF_TARGET_CORS, Some("2")),
            ("xAWSALB=1", OF_TARGET, None),
            (" a=b;AWSALB=c=d", OF_TARGET, Some("c=d")),
            ("AWSALB", OF_TARGET, None),
        ];
        for (line, name, expected) in rows {
            assert_eq!(Jar::new(&headers(line), &seal, Duration::ZERO).value(name), expected, "{line}");
        }
        let line = HeaderValue::from_bytes(b"name=Jos\xe9; AWSALB=1; sid=\xe9").unwrap();
        let headers = [(COOKIE, line)].into_iter().collect();
        let jar = Jar::new(&headers, &seal, Duration::ZERO);
        assert_eq!(
            (jar.value(OF_TARGET), jar.value("sid"), jar.has("sid"), jar.has("si")),
            (Some("1"), None, true, false)
        );
        let lengths = [([10, 0, 0, 9], 80), ([10, 0, 0, 123], 8080)].map(|(address, port)| {
            seal.seal(OF_TARGET, Bound { target: Some((address.into(), port)), ..bound(1) }).len()
        });
        assert_eq!(lengths[0], lengths[1], "the length tells nothing");
    }

    #[test]
    fn a_targets_own_cookie_has_to_come_back_too() {
        let seal = seal_of(7);
        let now = clock::since_epoch().as_secs();
        let value = seal.seal(OF_APPLICATION, bound(now));
        let stickiness = Stickiness { app_cookie: Some("sid".into()), lasts: HOUR };
        let both = headers(&format!("sid=1; {OF_APPLICATION}={value}"));
        assert_eq!(Jar::new(&both, &seal, Duration::from_secs(now)).target(&stickiness), Some(bound(now)));
        let one = headers(&format!("{OF_APPLICATION}={value}"));
        assert_eq!(Jar::new(&one, &seal, Duration::from_secs(now)).target(&stickiness), None);
    }
}
