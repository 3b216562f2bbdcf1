//! What proves names to an authority that asks at this server's listeners, for as long as an order is under way and no longer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use plane::Issued;
use rcgen::{CertificateParams, CustomExtension, KeyPair, PKCS_ECDSA_P256_SHA256};

/// Where an authority asks for the answer to a token (RFC 8555, section 8.3).
const WELL_KNOWN: &str = "/.well-known/acme-challenge/";

/// What is answered now.
#[derive(Default)]
pub(crate) struct Challenges {
    open: Mutex<Open>,
}

/// Answers to tokens, and certificates for names.
#[derive(Default)]
struct Open {
    http: HashMap<String, String>,
    tls: HashMap<String, Issued>,
}

/// An answer that is given until this is dropped.
pub(super) struct Offered {
    challenges: Arc<Challenges>,
    token: Option<String>,
    name: Option<String>,
}

impl Challenges {
    /// The answer to a token, in the path of a request.
    pub(crate) fn answer(&self, path: &str) -> Option<String> {
        let token = path.strip_prefix(WELL_KNOWN)?;
        self.with(|open| open.http.get(token).cloned())
    }

    /// The certificate that proves a name in a handshake.
    pub(crate) fn certificate(&self, name: &str) -> Option<Issued> {
        self.with(|open| open.tls.get(name).cloned())
    }

    /// Answers a token with this text.
    pub(super) fn offer_http(self: &Arc<Self>, token: &str, text: &str) -> Offered {
        self.with(|open| open.http.insert(token.to_owned(), text.to_owned()));
        Offered { challenges: Arc::clone(self), token: Some(token.to_owned()), name: None }
    }

    /// Proves a name in handshakes by this digest (RFC 8737, section 3). Two orders for one name are never under way at once.
    pub(super) fn offer_tls(self: &Arc<Self>, name: &str, digest: &[u8]) -> Result<Offered, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let chain = params.self_signed(&key)?.pem();
        self.with(|open| open.tls.insert(name.to_owned(), Issued { chain, key: key.serialize_pem() }));
        Ok(Offered { challenges: Arc::clone(self), token: None, name: Some(name.to_owned()) })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Open) -> T) -> T {
        act(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        self.challenges.with(|open| {
            self.token.iter().for_each(|token| drop(open.http.remove(token)));
            self.name.iter().for_each(|name| drop(open.tls.remove(name)));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_answered_for_as_long_as_its_order_is_under_way() {
        let challenges = Arc::new(Challenges::default());
        let digest = [7; 32];
        let http = challenges.offer_http("token", "token.thumbprint");
        let tls = challenges.offer_tls("svc.example.com", &digest).unwrap();
        assert_eq!(challenges.answer("/.well-known/acme-challenge/token").as_deref(), Some("token.thumbprint"));
        for path in ["/.well-known/acme-challenge/", "/.well-known/acme-challenge/other", "/token", "token"] {
            assert_eq!(challenges.answer(path), None, "{path}");
        }
        assert!(challenges.certificate("svc.example.com").unwrap().chain.contains("BEGIN CERTIFICATE"));
        assert!(challenges.certificate("other.example.com").is_none());
        drop((http, tls));
        assert_eq!(challenges.answer("/.well-known/acme-challenge/token"), None);
        assert!(challenges.certificate("svc.example.com").is_none());
    }
}
