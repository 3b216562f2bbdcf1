//! Who of a trust store's clients is trusted no longer, by its revocation lists, and the judges that know it (ALB user guide, "Mutual
//! authentication with TLS in Application Load Balancer", 2026-11). The lists are judged with each chain: a certificate on a list of
//! whoever issued it is refused, and so is what stands below it. Where nobody has a list, nobody is revoked; a list that is over counts on.
//!
//! A judge looks at one list of each issuer. Where an issuer has several, there are as many judges, and all of them must agree.

use std::borrow::Cow;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::RootCertStore;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::asn1_rs::{Any, FromDer as _, Sequence};

use super::provider;
use crate::limits::JUDGES_KEPT_MAX;

/// Judges of one moment, who must all agree.
pub(super) type Bench = Arc<[Arc<dyn ClientCertVerifier>]>;

/// The judges of a trust store, made when they are first needed: which of its certificates are valid changes with time.
#[derive(Debug)]
pub(super) struct Judges {
    /// The lists of each judge.
    rounds: Vec<Vec<CertificateRevocationListDer<'static>>>,
    made: Mutex<Vec<(Vec<bool>, Bench)>>,
}

impl Judges {
    /// With these files of revocation lists.
    ///
    /// # Errors
    /// When one is none that could be added: then nobody can be judged.
    pub(super) fn new(files: &[Arc<str>]) -> Result<Self, String> {
        let mut rounds: Vec<Vec<CertificateRevocationListDer<'static>>> = vec![Vec::new()];
        let mut issuers: Vec<(Vec<u8>, usize)> = Vec::new();
        for file in files {
            for list in CertificateRevocationListDer::pem_slice_iter(file.as_bytes()) {
                let list = list.map_err(|error| format!("a revocation list cannot be read: {error}"))?;
                let issuer = issuer(&list).ok_or("a revocation list names no issuer")?;
                let round = match issuers.iter_mut().find(|(known, _)| *known == issuer) {
                    Some((_, count)) => {
                        *count += 1;
                        *count - 1
                    }
                    None => {
                        issuers.push((issuer, 1));
                        0
                    }
                };
                match rounds.get_mut(round) {
                    Some(lists) => lists.push(list),
                    None => rounds.push(vec![list]),
                }
            }
        }
        Ok(Self { rounds, made: Mutex::default() })
    }

    /// The judges for the certificates that are valid, which `roots` gathers if there are none yet.
    ///
    /// # Errors
    /// Why nobody can be judged.
    pub(super) fn of(
        &self,
        valid: Vec<bool>,
        roots: impl FnOnce() -> Result<RootCertStore, String>,
    ) -> Result<Bench, String> {
        if let Some((_, bench)) = self.made.lock().iter().find(|(known, _)| *known == valid) {
            return Ok(Arc::clone(bench));
        }
        let bench = self.make(Arc::new(roots()?))?;
        let mut made = self.made.lock();
        if made.len() >= JUDGES_KEPT_MAX {
            made.remove(0);
        }
        made.push((valid, Arc::clone(&bench)));
        Ok(bench)
    }

    fn make(&self, roots: Arc<RootCertStore>) -> Result<Bench, String> {
        let judge = |lists: &Vec<CertificateRevocationListDer<'static>>| {
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider());
            let judge = builder.with_crls(lists.iter().cloned()).allow_unknown_revocation_status().build();
            judge.map_err(|error| error.to_string())
        };
        self.rounds.iter().map(judge).collect()
    }
}

/// Who issued a list, as it is spelled there (RFC 5280, section 5.1). Only lists of version 2 are kept, which say so first.
fn issuer(list: &CertificateRevocationListDer<'_>) -> Option<Vec<u8>> {
    let (_, outer) = Sequence::from_der(list).ok()?;
    let (_, signed) = Sequence::from_der(borrowed(&outer)?).ok()?;
    let (rest, _version) = Any::from_der(borrowed(&signed)?).ok()?;
    let (rest, _algorithm) = Any::from_der(rest).ok()?;
    Any::from_der(rest).ok().map(|(_, name)| name.data.to_vec())
}

fn borrowed<'a>(sequence: &Sequence<'a>) -> Option<&'a [u8]> {
    match sequence.content {
        Cow::Borrowed(content) => Some(content),
        Cow::Owned(_) => None,
    }
}
