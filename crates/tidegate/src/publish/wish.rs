//! What is to be published: words as values that can be carried out. All problems are told at once; nothing is looked up here.

use std::path::PathBuf;

use topology::id::HostName;

use crate::cli::PublishArgs;

/// Requests a second that one may allow, and at once: what a stage takes (API Gateway quotas, 2026-11).
const RATE_MAX: f64 = 10_000.0;
const BURST_MAX: u32 = 5_000;

/// A service that is to be published.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wish {
    /// The name that clients call.
    pub(super) host: HostName,
    /// Where the service listens, as it was written.
    pub(super) to: String,
    /// The path below which it answers, without a slash at its end; empty is everything.
    pub(super) path: String,
    /// Whose tokens are asked for, if any are.
    pub(super) jwt: Option<Jwt>,
    /// How much is let through: requests a second, and at once.
    pub(super) limit: Option<(f64, u32)>,
    /// Whether clients need a key.
    pub(super) api_key: bool,
    /// The files of the certificate and its key.
    pub(super) certificate: Option<(PathBuf, PathBuf)>,
    /// Whether the server asks an authority for the certificate by ACME.
    pub(super) acme: bool,
    /// The origins of pages that may call.
    pub(super) cors: Vec<String>,
    /// The path that tells whether the service is well; without one any answer below 500 does.
    pub(super) health: Option<String>,
    /// The version of the API that is made of it, which is another for every other wish; where the service listens is no part of it.
    pub(super) version: String,
}

impl Wish {
    /// The same, with the version that belongs to it and to the certificate that its files hold.
    pub(super) fn versioned(self, certificate: &str) -> Self {
        let whole = format!("{:?}{certificate}", Self { to: String::new(), version: String::new(), ..self.clone() });
        Self { version: format!("{:016x}", fingerprint(&whole)), ..self }
    }
}

/// FNV-1a (Fowler, Noll, Vo): the same on every machine, since what stands is told from what is wished by it.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The tokens that are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Jwt {
    /// Who issues them.
    pub(super) issuer: String,
    /// For whom; one must fit.
    pub(super) audience: Vec<String>,
    /// For what; one must fit. None is asked for where there is none.
    pub(super) scopes: Vec<String>,
}

/// Judges the words.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn judge(args: &PublishArgs) -> Result<Wish, Vec<String>> {
    let mut problems = Vec::new();
    let host = host(args.host.as_deref().unwrap_or_default()).map_err(|problem| problems.push(problem)).ok();
    let to = args.to.clone().unwrap_or_default();
    if to.is_empty() {
        problems.push("--to ADDRESS:PORT says where the service listens".to_owned());
    }
    let path = path("--path", args.path.as_deref().unwrap_or_default()).map_err(|problem| problems.push(problem));
    let health = args.health.as_deref().map(|text| match text.starts_with('/') {
        true => Ok(text.to_owned()),
        false => Err(format!("--health {text}: must begin with a slash")),
    });
    let health = health.transpose().map_err(|problem| problems.push(problem));
    let jwt = jwt(args).map_err(|problem| problems.push(problem));
    if args.api_key && args.jwt_issuer.is_some() {
        problems.push(
            "--api-key and --jwt-issuer: on AWS a REST API judges keys and an HTTP API judges tokens; no API does both"
                .to_owned(),
        );
    }
    let certificate = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
        (None, None) => None,
        _ => {
            problems.push("--cert and --key: one is of no use without the other".to_owned());
            None
        }
    };
    if args.acme && certificate.is_some() {
        problems.push("--acme and --cert: the certificate is asked for or given, not both".to_owned());
    }
    let limit = limit(args).map_err(|problem| problems.push(problem));
    for origin in &args.cors {
        let is_origin = origin == "*" || origin.starts_with("http://") || origin.starts_with("https://");
        if !is_origin || origin.ends_with('/') {
            problems.push(format!("--cors {origin}: is no origin such as https://app.example.com"));
        }
    }
    let (api_key, acme, cors) = (args.api_key, args.acme, args.cors.clone());
    match (host, path, health, jwt, limit) {
        (Some(host), Ok(path), Ok(health), Ok(jwt), Ok(limit)) if problems.is_empty() => {
            Ok(Wish { host, to, path, jwt, limit, api_key, certificate, acme, cors, health, version: String::new() })
        }
        _ => Err(problems),
    }
}

/// A name that one service may have.
pub(super) fn host(text: &str) -> Result<HostName, String> {
    let is_name = text.contains('.') && !text.starts_with('*');
    let host = text.parse::<HostName>().ok().filter(|_| is_name);
    host.ok_or_else(|| format!("{text:?} is no name such as svc.example.com"))
}

fn path(flag: &str, text: &str) -> Result<String, String> {
    let is_spelled = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_spelled);
    let bare = text.strip_suffix('/').unwrap_or(text);
    match bare.strip_prefix('/') {
        None if text.is_empty() || text == "/" => Ok(String::new()),
        Some(parts) if parts.split('/').all(is_part) => Ok(bare.to_owned()),
        _ => Err(format!("{flag} {text}: is no path such as /v1, of letters, digits and -._~")),
    }
}

fn jwt(args: &PublishArgs) -> Result<Option<Jwt>, String> {
    let Some(issuer) = args.jwt_issuer.clone() else {
        return match args.audience.is_empty() && args.scope.is_empty() {
            true => Ok(None),
            false => Err("--audience and --scope say something of tokens: --jwt-issuer says whose".to_owned()),
        };
    };
    if !(issuer.starts_with("https://") || issuer.starts_with("http://")) {
        return Err(format!("--jwt-issuer {issuer}: is no URL"));
    }
    if args.audience.is_empty() {
        return Err("--audience: says for whom the tokens of --jwt-issuer must be".to_owned());
    }
    Ok(Some(Jwt { issuer, audience: args.audience.clone(), scopes: args.scope.clone() }))
}

fn limit(args: &PublishArgs) -> Result<Option<(f64, u32)>, String> {
    match (args.rate, args.burst) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err("--burst: --rate says how many requests a second there may be".to_owned()),
        (Some(rate), _) if !(rate > 0.0 && rate <= RATE_MAX) => {
            Err(format!("--rate {rate}: must be above 0 and at most {RATE_MAX}"))
        }
        (Some(rate), burst) => {
            // As many at once as in a second, where nothing is said.
            let burst =
                burst.map_or_else(|| rate.ceil().min(f64::from(BURST_MAX)).to_string(), |burst| burst.to_string());
            match burst.parse() {
                Ok(burst) if (1..=BURST_MAX).contains(&burst) => Ok(Some((rate, burst))),
                _ => Err(format!("--burst {burst}: must be from 1 to {BURST_MAX}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> PublishArgs {
        PublishArgs {
            host: Some("Svc.example.com".to_owned()),
            to: Some("127.0.0.1:9".to_owned()),
            ..PublishArgs::default()
        }
    }

    #[test]
    fn what_is_not_said_has_a_meaning() {
        let wish = judge(&words()).unwrap();
        assert_eq!((wish.host.as_str(), wish.path.as_str(), wish.limit), ("svc.example.com", "", None));
        let limited = judge(&PublishArgs { rate: Some(2.5), path: Some("/v1/".to_owned()), ..words() }).unwrap();
        assert_eq!((limited.limit, limited.path.as_str()), (Some((2.5, 3)), "/v1"));
    }

    #[test]
    fn another_wish_has_another_version_and_another_address_has_not() {
        let version = |args: PublishArgs, certificate: &str| judge(&args).unwrap().versioned(certificate).version;
        let first = version(words(), "");
        assert_eq!(first, version(PublishArgs { to: Some("127.0.0.1:8".to_owned()), ..words() }, ""));
        assert_ne!(first, version(words(), "renewed"));
        assert_ne!(first, version(PublishArgs { rate: Some(1.0), ..words() }, ""));
        assert_ne!(first, version(PublishArgs { health: Some("/".to_owned()), ..words() }, ""));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let wrong = PublishArgs {
            host: Some("*.example.com".to_owned()),
            path: Some("v1".to_owned()),
            health: Some("healthz".to_owned()),
            audience: vec!["a".to_owned()],
            burst: Some(1),
            cert: Some("c.pem".into()),
            cors: vec!["app.example.com".to_owned()],
            ..PublishArgs::default()
        };
        let problems = judge(&wrong).unwrap_err();
        for wanted in ["svc.example.com", "--to", "--path", "--health", "--jwt-issuer", "--burst", "--key", "--cors"] {
            assert!(problems.iter().any(|problem| problem.contains(wanted)), "{wanted} in {problems:?}");
        }
        assert_eq!(problems.len(), 8);
    }

    #[test]
    fn keys_and_tokens_are_of_two_kinds_of_api() {
        let both = PublishArgs {
            api_key: true,
            jwt_issuer: Some("https://issuer".to_owned()),
            audience: vec!["a".to_owned()],
            ..words()
        };
        assert!(judge(&both).unwrap_err()[0].contains("no API does both"));
        let twice = PublishArgs { acme: true, cert: Some("c.pem".into()), key: Some("k.pem".into()), ..words() };
        assert!(judge(&twice).unwrap_err()[0].contains("not both"));
        for rate in [0.0, -1.0, f64::NAN, 1e9] {
            assert!(judge(&PublishArgs { rate: Some(rate), ..words() }).is_err(), "{rate}");
        }
        for path in ["/a b", "/a//b", "/../b", "/{x}", "a"] {
            assert!(judge(&PublishArgs { path: Some(path.to_owned()), ..words() }).is_err(), "{path}");
        }
    }
}
