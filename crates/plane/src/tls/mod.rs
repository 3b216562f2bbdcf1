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

/// The protocol by which an authority asks for the proof of a name (RFC 8737, section 6.2).
pub(crate) const PROOF_PROTOCOL: &[u8] = b"acme-tls/1";

type Prove = dyn Fn(&str) -> Option<Issued> + Send + Sync;

/// Proves names to an authority that asks in a handshake (TLS-ALPN-01, RFC 8737), while it has reason to ask.
#[derive(Clone)]
pub struct Prover(Arc<Prove>);

impl Prover {
    /// One that asks `prove` for the certificate that proves a name, in lower case; `None` is that nobody has reason to ask.
    pub fn new(prove: impl Fn(&str) -> Option<Issued> + Send + Sync + 'static) -> Self {
        Self(Arc::new(prove))
    }

    /// What proves the name to a client that begins like this. Who offers another protocol beside that of the proof is no authority.
    pub(crate) fn proof(&self, hello: Hello<'_>) -> Option<(String, Issued)> {
        let name = hello.name.filter(|_| hello.offered == [PROOF_PROTOCOL])?;
        Some((name.to_owned(), (self.0)(name)?))
    }
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prover")
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
