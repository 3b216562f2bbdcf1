//! TLS: what listeners present, whom they trust, and the checks that stand for a client of a private listener. One provider
//! of cryptography (aws-lc-rs), passed explicitly, so that no second one can be in the way.
//!
//! Sockets are none of this room's business: handshakes run on streams that others opened.

pub(crate) mod client;
pub(crate) mod listener;
pub(crate) mod mutual;
pub(crate) mod presented;
mod revoked;
pub(crate) mod told;
pub(crate) mod verify;

use std::fmt;
use std::sync::{Arc, LazyLock};

use rustls::CipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// The provider of everything.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// The provider for custom domain names: the suites of AWS's policy `TLS_1_2` for regional names that rustls has (API Gateway
/// developer guide, "Supported security policies", 2026-11). It has none with CBC.
pub(crate) fn public_provider() -> Arc<CryptoProvider> {
    const SUITES: [CipherSuite; 7] = [
        CipherSuite::TLS13_AES_128_GCM_SHA256,
        CipherSuite::TLS13_AES_256_GCM_SHA384,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ];
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|suite| SUITES.contains(&suite.suite()));
        Arc::new(provider)
    });
    Arc::clone(&PROVIDER)
}

/// What a client said when it began a handshake.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hello<'a> {
    /// The server that it wants, in lower case, if it named one.
    pub(crate) name: Option<&'a str>,
    /// Whether it takes signatures by elliptic curves.
    pub(crate) takes_curves: bool,
    /// What it offers by ALPN, the preferred protocol first.
    pub(crate) offered: &'a [&'a [u8]],
}

/// A certificate chain and its key, both in PEM, for names of the development mode.
#[derive(Clone)]
pub struct Issued {
    /// The certificate and those that it leads to.
    pub chain: String,
    /// Its key.
    pub key: String,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issued(withheld)")
    }
}

type Certificate = dyn Fn() -> Result<String, String> + Send + Sync;
type Issue = dyn Fn(&[String]) -> Result<Issued, String> + Send + Sync;

/// Issues certificates of the development authority, for the names that it is given.
#[derive(Clone)]
pub struct Issuer {
    authority: Arc<Certificate>,
    issue: Arc<Issue>,
}

impl Issuer {
    /// An issuer that calls `issue`, and whose own certificate is `authority`'s, in PEM. Both are first called when a
    /// certificate is needed, where it may take a while.
    pub fn new(
        authority: impl Fn() -> Result<String, String> + Send + Sync + 'static,
        issue: impl Fn(&[String]) -> Result<Issued, String> + Send + Sync + 'static,
    ) -> Self {
        Self { authority: Arc::new(authority), issue: Arc::new(issue) }
    }

    /// The authority's certificate, in PEM.
    pub(crate) fn authority(&self) -> Result<String, String> {
        (self.authority)()
    }

    pub(crate) fn issue(&self, names: &[String]) -> Result<Issued, String> {
        (self.issue)(names)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issuer")
    }
}
