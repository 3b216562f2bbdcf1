//! What listeners of load balancers present to clients that dial them: the certificate that fits the server name, by the protocols and
//! suites of the listener's security policy (ALB user guide, "Security policies", 2026-11). Suites that this library does not have, those
//! with CBC or without forward secrecy, are left out, and so are TLS 1.0 and 1.1 (`docs/differences-from-aws.md`).

use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CipherSuite, NamedGroup, ServerConfig, SupportedProtocolVersion};
use topology::resource::certificate::Certificate;
use topology::resource::ssl_policy::SslPolicy;
use topology::snapshot::balancer::{ListenerTls, MutualTls};

use super::presented::{Only, Presentation, Purpose, of_certificate};
use super::{Hello, mutual, provider};
use crate::clock;

/// A presentation, or why it cannot be made.
type Made = OnceLock<Result<Arc<Presentation>, String>>;

/// Who asks clients for certificates, if anybody does, or why nobody can.
type Asking = Result<Option<Arc<dyn ClientCertVerifier>>, String>;

/// A listener's side of TLS. It is the same one for as long as its certificates, its policy and its protocols are.
#[derive(Debug)]
pub(crate) struct ListenerPresented {
    tls: ListenerTls,
    /// What may be agreed by ALPN.
    protocols: &'static [&'static str],
    /// At the places of the certificates, made with the first handshake that needs it.
    made: Box<[Made]>,
    /// The same for all certificates.
    asking: OnceLock<Asking>,
}

impl ListenerPresented {
    /// That of a compiled listener: the one before, if nothing changed. `protocols` are those that may be agreed by ALPN.
    pub(crate) fn of(tls: &ListenerTls, protocols: &'static [&'static str], before: Option<&Arc<Self>>) -> Arc<Self> {
        match before.filter(|before| before.protocols == protocols && is_like(&before.tls, tls)) {
            Some(before) => Arc::clone(before),
            None => {
                let made = tls.certificates.iter().map(|_| OnceLock::new()).collect();
                Arc::new(Self { tls: tls.clone(), protocols, made, asking: OnceLock::new() })
            }
        }
    }

    /// Makes ready what judges clients, where that may block: long revocation lists take a while.
    pub(crate) async fn prepare(self: &Arc<Self>) {
        if self.asking.get().is_some() || self.tls.mutual == MutualTls::Off {
            return;
        }
        let presented = Arc::clone(self);
        // What cannot be made is told to whoever asks for it.
        let _ = tokio::task::spawn_blocking(move || presented.asking().is_ok()).await;
    }

    fn asking(&self) -> &Asking {
        self.asking.get_or_init(|| mutual::verifier(&self.tls.mutual))
    }

    /// What is presented to a client that begins like this.
    ///
    /// # Errors
    /// Why nothing is, for the operator.
    pub(crate) fn presentation(&self, hello: Hello<'_>) -> Result<Arc<Presentation>, String> {
        let now = clock::moment(clock::since_epoch());
        let chosen = self.tls.certificate(hello.name, hello.takes_curves, now);
        let place = chosen.and_then(|chosen| self.tls.certificates.iter().position(|own| Arc::ptr_eq(own, chosen)));
        let made = chosen.zip(place.and_then(|place| self.made.get(place)));
        let (certificate, made) = made.ok_or("the listener's certificate is gone")?;
        made.get_or_init(|| self.make(certificate).map(Arc::new)).clone()
    }

    fn make(&self, certificate: &Certificate) -> Result<Presentation, String> {
        let (key, names) = of_certificate(certificate)?;
        let builder = ServerConfig::builder_with_provider(provider_of(self.tls.policy))
            .with_protocol_versions(&versions_of(self.tls.policy))
            .map_err(|error| format!("no version of TLS can be used: {error}"))?;
        let mutual = &self.tls.mutual;
        let builder = match self.asking().as_ref().map_err(String::clone)? {
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(Only(Arc::new(key))));
        if *mutual != MutualTls::Off {
            // A session that is taken up again would not be judged again.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        config.alpn_protocols = self.protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let (config, certificate, mutual) = (Arc::new(config), Some(certificate.id), mutual.clone());
        Ok(Presentation { config, names, certificate, trust: None, mutual, purpose: Purpose::Requests })
    }
}

/// Whether nothing changed: what did not is the same value.
fn is_like(old: &ListenerTls, new: &ListenerTls) -> bool {
    let (ours, theirs) = (&old.certificates, &new.certificates);
    let is_same = ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(one, two)| Arc::ptr_eq(one, two));
    is_same && old.policy == new.policy && old.mutual == new.mutual
}

/// A policy of which nothing would be left has TLS 1.2 and what is left of its suites: every policy has one of the two.
fn versions_of(policy: SslPolicy) -> Vec<&'static SupportedProtocolVersion> {
    let known = [("TLSv1.3", &rustls::version::TLS13), ("TLSv1.2", &rustls::version::TLS12)];
    known.into_iter().filter(|(name, _)| policy.protocols().contains(name)).map(|(_, version)| version).collect()
}

fn provider_of(policy: SslPolicy) -> Arc<CryptoProvider> {
    let suites = policy.suites();
    let all = provider();
    let cipher_suites = all.cipher_suites.iter().filter(|known| suites.contains(&openssl_name(known.suite())));
    let is_classical = |group: &&&'static dyn SupportedKxGroup| group.name() != NamedGroup::X25519MLKEM768;
    let groups = all.kx_groups.iter().filter(|group| policy.is_post_quantum() || is_classical(group));
    Arc::new(CryptoProvider {
        cipher_suites: cipher_suites.copied().collect(),
        kx_groups: groups.copied().collect(),
        ..(*all).clone()
    })
}

/// A suite as OpenSSL and AWS call it; empty for one that no policy has.
pub(crate) fn openssl_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_leaves_something_to_agree_on() {
        for policy in SslPolicy::all() {
            let (versions, provider) = (versions_of(policy), provider_of(policy));
            let has_suite = |version: &&SupportedProtocolVersion| {
                provider.cipher_suites.iter().any(|suite| suite.version().version == version.version)
            };
            assert!(!versions.is_empty() && versions.iter().all(has_suite), "{}", policy.name());
            let has_hybrid = provider.kx_groups.iter().any(|group| group.name() == NamedGroup::X25519MLKEM768);
            assert_eq!(has_hybrid, policy.is_post_quantum(), "{}", policy.name());
        }
    }
}
