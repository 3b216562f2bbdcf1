//! One order: from the names to a certificate, or to why there is none. Each step is the protocol's (RFC 8555, section 7.4); its bounds are here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use control::certified::{Certified, CertifiedKind};
use control::orders::{Declined, Ordered};
use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier, NewOrder, Order,
    OrderStatus, Problem, RetryPolicy,
};
use thiserror::Error;
use topology::resource::certificate::FailureReason;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::challenges::Offered;
use super::http::Http;
use super::{Authority, renewal};
use crate::ca;
use crate::config::Challenge;

/// How long the authority may take to validate the names, and after that to issue. Above: the order is given up, and made again later.
const POLLING: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(200)).backoff(1.5).timeout(Duration::from_secs(60));
/// How long an order may take altogether.
pub(super) const ORDER_TIMEOUT: Duration = Duration::from_secs(180);
/// What types of problems begin with (RFC 8555, section 6.7).
const PROBLEM: &str = "urn:ietf:params:acme:error:";

/// Why there is no certificate.
#[derive(Debug, Error)]
#[error("{why}")]
pub(super) struct Refusal {
    /// In one sentence, for people.
    pub(super) why: String,
    /// Whether it makes sense to ask again.
    pub(super) declined: Declined,
    /// How long the authority wants to be left alone.
    pub(super) pause: Option<Duration>,
}

impl Refusal {
    pub(super) fn for_now(why: impl Into<String>) -> Self {
        Self { why: why.into(), declined: Declined::ForNow, pause: None }
    }

    fn for_good(reason: FailureReason, why: impl Into<String>) -> Self {
        Self { why: why.into(), declined: Declined::ForGood(reason), pause: None }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(problem) => told(&problem),
            other => Self::for_now(other.to_string()),
        }
    }
}

impl From<rcgen::Error> for Refusal {
    fn from(error: rcgen::Error) -> Self {
        Self::for_now(format!("a key or a request cannot be made: {error}"))
    }
}

/// What a problem's type means, without what all types begin with.
fn kind(problem: &str) -> &str {
    problem.strip_prefix(PROBLEM).unwrap_or(problem)
}

/// What the authority says, and whether asking again may help.
fn told(problem: &Problem) -> Refusal {
    let mut kinds = vec![kind(problem.r#type.as_deref().unwrap_or("no type"))];
    let mut why = format!("the authority refuses ({}): {}", kinds[0], problem.detail.as_deref().unwrap_or("no detail"));
    for one in &problem.subproblems {
        kinds.extend(one.r#type.as_deref().map(kind));
        why.push_str("; ");
        why.push_str(one.detail.as_deref().unwrap_or("no detail"));
    }
    let reason = kinds.iter().find_map(|kind| match *kind {
        "caa" => Some(FailureReason::Caa),
        "rejectedIdentifier" => Some(FailureReason::DomainNotAllowed),
        "unsupportedIdentifier" => Some(FailureReason::InvalidPublicDomain),
        _ => None,
    });
    match reason {
        Some(reason) => Refusal::for_good(reason, why),
        None => Refusal::for_now(why),
    }
}

/// Asks the authority for a certificate.
pub(super) async fn obtain(authority: &Authority, wanted: &Ordered) -> Result<Certified, Refusal> {
    if let Some(name) = wanted.names.iter().find(|name| name.starts_with('*')) {
        let why =
            format!("{name}: a wildcard is proven by a record in the DNS alone (dns-01), which Tidegate does not make");
        return Err(Refusal::for_good(FailureReason::Other, why));
    }
    let http = Http::new(&authority.tls);
    let asked = tokio::time::timeout(ORDER_TIMEOUT, ask(authority, wanted, &http)).await;
    let asked = asked.unwrap_or_else(|_| Err(Refusal::for_now(format!("no certificate within {ORDER_TIMEOUT:?}"))));
    asked.map_err(|refusal| Refusal { pause: http.pause(), ..refusal })
}

async fn ask(authority: &Authority, wanted: &Ordered, http: &Http) -> Result<Certified, Refusal> {
    let names: Vec<Identifier> = wanted.names.iter().cloned().map(Identifier::Dns).collect();
    let account = authority.book.account(&authority.acme, http.clone()).await?;
    let replaced = wanted.before.as_deref().and_then(renewal::identifier);
    let mut order = match begin(&account, &names, replaced).await {
        Err(Error::Api(problem)) if is(&problem, "accountDoesNotExist") => {
            authority.book.forget().await;
            let account = authority.book.account(&authority.acme, http.clone()).await?;
            begin(&account, &names, None).await?
        }
        Err(Error::Api(problem)) if is(&problem, "malformed") => return Err(unfit(&problem)),
        begun => begun?,
    };
    // Until the names are validated; after that nothing of this server answers for the tokens.
    let offered = prove(authority, &mut order).await?;
    let validated = order.poll_ready(&POLLING).await;
    drop(offered);
    match validated {
        Ok(OrderStatus::Ready | OrderStatus::Valid) => {}
        Ok(status) => {
            let otherwise = Refusal::for_now(format!("the order became {status:?}"));
            return Err(why_invalid(&mut order).await.unwrap_or(otherwise));
        }
        Err(error) => return Err(why_invalid(&mut order).await.unwrap_or_else(|| error.into())),
    }
    let (names, key) = (wanted.names.clone(), wanted.key);
    let made = tokio::task::spawn_blocking(move || ca::request(key, &names)).await;
    let (request, key) = made.map_err(|_| Refusal::for_now("the key could not be made"))??;
    order.finalize_csr(&request).await?;
    let chain = order.poll_certificate(&POLLING).await?;
    whole(&chain, key)
}

fn is(problem: &Problem, wanted: &str) -> bool {
    problem.r#type.as_deref().map(kind) == Some(wanted)
}

/// Begins an order, which says what it replaces where the authority knows that (RFC 9773, section 5), and does not say it where that was
/// replaced already.
async fn begin(
    account: &Account,
    names: &[Identifier],
    replaced: Option<CertificateIdentifier<'static>>,
) -> Result<Order, Error> {
    if let Some(replaced) = replaced {
        match account.new_order(&NewOrder::new(names).replaces(replaced)).await {
            Err(Error::Unsupported(_)) => {}
            Err(Error::Api(problem)) if is(&problem, "alreadyReplaced") => {}
            begun => return begun,
        }
    }
    account.new_order(&NewOrder::new(names)).await
}

/// Of a new order nothing can be malformed but its names.
fn unfit(problem: &Problem) -> Refusal {
    Refusal { declined: Declined::ForGood(FailureReason::InvalidPublicDomain), ..told(problem) }
}

/// Answers a challenge for each name that is not proven yet, and tells the authority so.
async fn prove(authority: &Authority, order: &mut Order) -> Result<Vec<Offered>, Refusal> {
    let mut offered = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(next) = authorizations.next().await {
        let mut authorization = next?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            status => return Err(Refusal::for_now(format!("an authorization is {status:?}"))),
        }
        let of = |kind: &Challenge| authorization.challenges.iter().any(|one| one.r#type == in_protocol(*kind));
        let kind = authority.acme.challenges.iter().copied().find(of).ok_or_else(|| {
            let ours: Vec<&str> = authority.acme.challenges.iter().map(|kind| kind.as_str()).collect();
            Refusal::for_now(format!("the authority offers none of the challenges {}", ours.join(", ")))
        })?;
        let mut challenge =
            authorization.challenge(in_protocol(kind)).ok_or_else(|| Refusal::for_now("a challenge is gone"))?;
        let proof = challenge.key_authorization();
        offered.push(match kind {
            Challenge::Http => authority.challenges.offer_http(&challenge.token, proof.as_str()),
            Challenge::TlsAlpn => {
                let name = match challenge.identifier().identifier {
                    Identifier::Dns(name) => name.to_ascii_lowercase(),
                    other => return Err(Refusal::for_now(format!("the authority wants {other:?} proven"))),
                };
                authority.challenges.offer_tls(&name, proof.digest().as_ref())?
            }
        });
        challenge.set_ready().await?;
    }
    Ok(offered)
}

fn in_protocol(kind: Challenge) -> ChallengeType {
    match kind {
        Challenge::Http => ChallengeType::Http01,
        Challenge::TlsAlpn => ChallengeType::TlsAlpn01,
    }
}

/// What the authority says of the first name that it could not validate.
async fn why_invalid(order: &mut Order) -> Option<Refusal> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let state = authorization.refresh().await.ok()?;
        let name = match state.identifier().identifier {
            Identifier::Dns(name) => name.clone(),
            other => format!("{other:?}"),
        };
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()) {
            let refusal = told(problem);
            return Some(Refusal { why: format!("{name} could not be validated: {}", refusal.why), ..refusal });
        }
    }
    None
}

/// The certificate and what is above it, of a text in PEM that begins with it.
fn whole(text: &str, key: String) -> Result<Certified, Refusal> {
    let end = "-----END CERTIFICATE-----";
    let cut = text.find(end).map(|at| at + end.len()).ok_or_else(|| Refusal::for_now("the authority sent no PEM"))?;
    let (leaf, above) = text.split_at(cut);
    let unread = |_| Refusal::for_now("the authority sent no certificate");
    let (_, pem) = x509_parser::pem::parse_x509_pem(leaf.trim_start().as_bytes()).map_err(unread)?;
    let unread = |_| Refusal::for_now("the authority sent no certificate");
    let (_, parsed) = X509Certificate::from_der(&pem.contents).map_err(unread)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    // One that begins to be valid in a moment is well: clocks differ.
    if parsed.validity().not_after.timestamp() <= now {
        return Err(Refusal::for_now("the authority sent a certificate that has expired"));
    }
    let chain = Some(above.trim_start().to_owned()).filter(|above| above.contains(end));
    let certificate = format!("{}\n", leaf.trim_start());
    Ok(Certified { certificate, chain, key, kind: CertifiedKind::Issued })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_authority_says_is_for_now_or_for_good() {
        let of = |text: &str| told(&serde_json::from_str::<Problem>(text).unwrap()).declined;
        let rows = [
            (r#"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "slow"}"#, Declined::ForNow),
            (r#"{"type": "urn:ietf:params:acme:error:unauthorized"}"#, Declined::ForNow),
            (r#"{"type": "urn:ietf:params:acme:error:caa"}"#, Declined::ForGood(FailureReason::Caa)),
            (
                r#"{"type": "urn:ietf:params:acme:error:rejectedIdentifier"}"#,
                Declined::ForGood(FailureReason::DomainNotAllowed),
            ),
            (
                r#"{"type": "urn:ietf:params:acme:error:compound",
                    "subproblems": [{"type": "urn:ietf:params:acme:error:unsupportedIdentifier", "detail": "no"}]}"#,
                Declined::ForGood(FailureReason::InvalidPublicDomain),
            ),
            ("{}", Declined::ForNow),
        ];
        for (text, wanted) in rows {
            assert_eq!(of(text), wanted, "{text}");
        }
        let said =
            told(&serde_json::from_str(r#"{"type": "urn:ietf:params:acme:error:dns", "detail": "no A"}"#).unwrap());
        assert_eq!(said.why, "the authority refuses (dns): no A");
    }
}
