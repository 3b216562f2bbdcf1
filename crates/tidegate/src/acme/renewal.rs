//! When the authority suggests that a certificate is renewed (RFC 9773), earlier than its age would: one that it is going to revoke, or at a time
//! when others do not come.

use std::time::Duration;

use instant_acme::{CertificateIdentifier, Error};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use topology::time::Moment;

use super::Authority;
use super::http::Http;

/// How soon the authority is asked for its suggestion again at the earliest, and at the latest, whatever it says (RFC 9773, section 4.3.2).
const AGAIN: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));
/// The same after a suggestion that could not be had, and where the authority makes none (RFC 9773, section 4.3.3).
const AGAIN_WITHOUT: Duration = Duration::from_secs(6 * 3600);

/// What the authority suggests.
#[derive(Debug)]
pub(super) struct Advice {
    /// When the certificate is to be renewed, by chance within the window that it names; `None` is nothing.
    pub(super) at: Option<Moment>,
    /// In how long it is asked again.
    pub(super) again: Duration,
}

/// By what a certificate in PEM is known to its authority; `None` where it does not say who issued it.
pub(super) fn identifier(pem: &str) -> Option<CertificateIdentifier<'static>> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    CertificateIdentifier::try_from(&certificate).ok().map(CertificateIdentifier::into_owned)
}

/// Asks for the suggestion for a certificate in PEM.
pub(super) async fn advice(authority: &Authority, pem: &str, chance: u64) -> Advice {
    match ask(authority, pem).await {
        Ok((start, end, again)) => {
            let again = again.clamp(AGAIN.0, AGAIN.1);
            Advice { at: Some(within((start, end), chance)), again }
        }
        Err(error) => {
            if !matches!(error, Error::Unsupported(_)) {
                tracing::debug!(%error, "the authority made no suggestion for a certificate's renewal");
            }
            Advice { at: None, again: AGAIN_WITHOUT }
        }
    }
}

/// The window in seconds since 1970, and how long it is good for.
async fn ask(authority: &Authority, pem: &str) -> Result<(i64, i64, Duration), Error> {
    let id = identifier(pem).ok_or(Error::Unsupported("certificates without their authority's key"))?;
    let account = authority.book.account(&authority.acme, Http::new(&authority.tls)).await?;
    let (info, again) = account.renewal_info(&id).await?;
    let window = info.suggested_window;
    Ok((window.start.unix_timestamp(), window.end.unix_timestamp(), again))
}

/// A moment within a window, each as likely as any other.
fn within((start, end): (i64, i64), chance: u64) -> Moment {
    let width = u64::try_from(end.saturating_sub(start)).unwrap_or(0);
    let after = i64::try_from(chance % width.saturating_add(1).max(1)).unwrap_or(0);
    Moment(start.saturating_add(after).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lies_within_its_window() {
        for (window, chance, wanted) in [
            ((10, 20), 0, 10),
            ((10, 20), 10, 20),
            ((10, 20), 11, 10),
            ((10, 10), 7, 10),
            // A window that ends before it begins.
            ((20, 10), 7, 20),
        ] {
            assert_eq!(within(window, chance), Moment(wanted * 1000), "{window:?} {chance}");
        }
        for chance in [1, u64::MAX / 3, u64::MAX] {
            assert!((Moment(10_000)..=Moment(20_000)).contains(&within((10, 20), chance)));
        }
    }
}
