//! Settings of a stage's methods (REST API reference, "MethodSetting", 2026-11). A key is a resource's path and a method as they
//! stand in the path of a patch, `*/*` or `~1pets/GET`: AWS shows it again in the same spelling.

use std::collections::BTreeMap;

use topology::resource::rest_stage::{LoggingLevel, MethodSettings};
use wire::Fault;
use wire::apigateway as shapes;

use super::fault;
use super::integration::written;
use super::patch::Change;

/// Seconds that an answer may stay in a cache (REST API reference, 2026-11).
const CACHE_TTL_S_MAX: i64 = 3600;
/// No limit of a rate or burst.
const UNLIMITED: i64 = -1;

const LEVELS: [(&str, LoggingLevel); 3] =
    [("OFF", LoggingLevel::Off), ("ERROR", LoggingLevel::Error), ("INFO", LoggingLevel::Info)];
const STRATEGIES: [(&str, &str); 3] = [
    ("FAIL_WITH_403", "FAIL_WITH_403"),
    ("SUCCEED_WITH_RESPONSE_HEADER", "SUCCEED_WITH_RESPONSE_HEADER"),
    ("SUCCEED_WITHOUT_RESPONSE_HEADER", "SUCCEED_WITHOUT_RESPONSE_HEADER"),
];

/// The paths of a stage, as AWS lists them when it refuses another (recorded, 2026-03).
pub(super) const PATHS: &str = "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit, /{resourcePath}/{httpMethod}/throttling/rateLimit, /{resourcePath}/{httpMethod}/caching/ttlInSeconds, /{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, /{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, /{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit, /*/*/throttling/rateLimit, /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, /*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name}, /tracingEnabled";

/// Writes one setting at `/{path}/{METHOD}/{group}/{setting}`; the others of a new key have AWS's defaults.
pub(super) fn write(settings: &mut BTreeMap<String, MethodSettings>, change: &Change<'_>) -> Result<(), Fault> {
    let mut parts = change.path.rsplitn(3, '/');
    let (setting, group) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let key = parts.next().and_then(|key| key.strip_prefix('/')).unwrap_or_default();
    let mut changed = settings.get(key).cloned().unwrap_or_default();
    set(&mut changed, (group, setting), change)?;
    settings.insert(key.to_owned(), changed);
    Ok(())
}

fn set(settings: &mut MethodSettings, at: (&str, &str), change: &Change<'_>) -> Result<(), Fault> {
    match at {
        ("metrics", "enabled") => settings.metrics = change.flag(),
        ("logging", "loglevel") => settings.logging_level = Some(change.one_of(&LEVELS)?),
        ("logging", "dataTrace") => settings.data_trace = change.flag(),
        ("throttling", "burstLimit") => settings.throttling_burst_limit = burst(change)?,
        ("throttling", "rateLimit") => settings.throttling_rate_limit = rate(change)?,
        ("caching", "enabled") => settings.caching = change.flag(),
        ("caching", "ttlInSeconds") => settings.cache_ttl_s = ttl(change)?,
        ("caching", "dataEncrypted") => settings.cache_encrypted = change.flag(),
        ("caching", "requireAuthorizationForCacheControl") => settings.cache_control_authorized = change.flag(),
        ("caching", "unauthorizedCacheControlHeaderStrategy") => {
            settings.cache_control_strategy = change.one_of(&STRATEGIES)?.to_owned();
        }
        _ => {
            let text = format!("Invalid method setting path: {}. Must be one of: [{PATHS}]", change.path);
            return Err(fault::bad_request(text));
        }
    }
    Ok(())
}

fn burst(change: &Change<'_>) -> Result<i64, Fault> {
    let limit: i64 = change.parsed()?;
    // The answer has 32 bits for it.
    let fits = (UNLIMITED..=i64::from(i32::MAX)).contains(&limit);
    if fits { Ok(limit) } else { Err(change.invalid()) }
}

fn rate(change: &Change<'_>) -> Result<f64, Fault> {
    let limit: f64 = change.parsed()?;
    #[allow(clippy::cast_precision_loss)] // minus one
    let is_unlimited = limit == UNLIMITED as f64;
    if limit.is_finite() && (limit >= 0.0 || is_unlimited) { Ok(limit) } else { Err(change.invalid()) }
}

fn ttl(change: &Change<'_>) -> Result<i64, Fault> {
    let seconds: i64 = change.parsed()?;
    if (0..=CACHE_TTL_S_MAX).contains(&seconds) { Ok(seconds) } else { Err(change.invalid()) }
}

/// Takes every setting of `/{path}/{METHOD}` away.
pub(super) fn remove(settings: &mut BTreeMap<String, MethodSettings>, change: &Change<'_>) -> Result<(), Fault> {
    let key = change.path.strip_prefix('/').unwrap_or_default();
    match settings.remove(key) {
        Some(_) => Ok(()),
        None => Err(fault::bad_request(format!(
            "Cannot remove method setting {key} because there is no method setting for this method "
        ))),
    }
}

pub(super) fn render(settings: &MethodSettings) -> shapes::MethodSetting {
    shapes::MethodSetting {
        cache_data_encrypted: Some(settings.cache_encrypted),
        cache_ttl_in_seconds: Some(settings.cache_ttl_s),
        caching_enabled: Some(settings.caching),
        data_trace_enabled: Some(settings.data_trace),
        logging_level: settings.logging_level.and_then(|level| written(&LEVELS, &level)),
        metrics_enabled: Some(settings.metrics),
        require_authorization_for_cache_control: Some(settings.cache_control_authorized),
        throttling_burst_limit: Some(settings.throttling_burst_limit),
        throttling_rate_limit: Some(settings.throttling_rate_limit),
        unauthorized_cache_control_header_strategy: Some(settings.cache_control_strategy.clone()),
    }
}
