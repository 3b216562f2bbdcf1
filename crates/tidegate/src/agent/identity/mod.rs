//! Who an agent is: the key that it made, the certificate that it was given for it, and the authority that it believes, kept in a directory for
//! its owner alone. The key leaves the directory for nobody.
//!
//! `agent.json` is written last: a directory without it holds no agent.

mod dial;
mod join;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use plane::link::carrier::LaneKind;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use topology::id::{AgentId, Realm, VpcId, Zone};
use topology::net::Ipv4Net;

pub(crate) use dial::{dial, is_by_proxy, shake};
pub(crate) use join::{JoinError, join};

use crate::link::{AgentCertificate, client_config};
use crate::{given, private};

/// What the agent is.
const AGENT: &str = "agent.json";
/// Its key.
const KEY: &str = "key.pem";
/// Its certificate.
const CERTIFICATE: &str = "certificate.pem";
/// The authority that it believes.
const AUTHORITY: &str = "authority.pem";
/// What a certificate in PEM ends with.
const PEM_END: &str = "-----END CERTIFICATE-----";
/// Bytes of each of these files. Above: it cannot be used.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Gateways that an agent dials: as many as one dials directly. Above: they are refused.
pub(crate) const GATEWAYS_MAX: usize = 16;

/// Why there is no identity, or none that can be used.
#[derive(Debug, Error)]
pub(crate) enum IdentityError {
    /// The directory holds none.
    #[error("{} holds no agent; join with a token: tidegate agent --join TOKEN --gateway HOST:PORT --data-dir DIR", .0.display())]
    Missing(PathBuf),
    /// The directory holds one already.
    #[error("{} holds {agent} already; take another directory, or start it without --join", .path.display())]
    Taken {
        /// Which one.
        path: PathBuf,
        /// Whose it is.
        agent: AgentId,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {why}", .path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The key cannot be made or used.
    #[error("the agent's key: {0}")]
    Key(#[from] rcgen::Error),
    /// Nothing is believed.
    #[error("no authority came with the certificate")]
    Authority,
    /// A certificate is not this agent's.
    #[error("the gateway gave a certificate that is not this agent's: {0}")]
    Certificate(&'static str),
}

/// What an agent is, as its directory says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// Its id.
    pub(crate) agent: AgentId,
    /// The realm of its VPC.
    pub(crate) realm: Realm,
    /// The VPC that it carries.
    pub(crate) vpc: VpcId,
    /// The zones in which it does; empty is every zone of the VPC.
    pub(crate) zones: BTreeSet<Zone>,
    /// Where gateways are, as `HOST:PORT`.
    pub(crate) gateways: Vec<String>,
    /// The blocks of the VPC that are real addresses here.
    pub(crate) native: Vec<Ipv4Net>,
    /// By what cookies of the load balancers of its VPC are sealed, in Base64.
    pub(crate) cookie_key: String,
    /// How long a connection that is dropped stays silent, in milliseconds, where the gateway does not do as AWS does.
    pub(crate) blocked_connect_ms: Option<u64>,
    /// Which of its certificates it has; the certificate itself says it too, and counts.
    pub(crate) generation: u64,
}

impl std::fmt::Debug for Said {
    /// Without the key of cookies.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.agent, self.vpc)
    }
}

/// An agent that was enrolled.
pub(crate) struct Identity {
    directory: PathBuf,
    said: Said,
    key: String,
    certificate: String,
    authority: String,
    begins: SystemTime,
    ends: SystemTime,
}

impl std::fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("said", &self.said).finish_non_exhaustive()
    }
}

impl Identity {
    /// The agent that a directory holds.
    ///
    /// # Errors
    /// When it holds none, or not all of one.
    pub(crate) fn load(directory: &Path) -> Result<Self, IdentityError> {
        if !directory.join(AGENT).exists() {
            return Err(IdentityError::Missing(directory.to_owned()));
        }
        let [said, key, certificate, authority] = [AGENT, KEY, CERTIFICATE, AUTHORITY].map(|name| {
            let path = directory.join(name);
            given::text(&path, FILE_BYTES_MAX).map_err(|why| IdentityError::Unreadable {
                why: why.trim_start_matches(&format!("{}: ", path.display())).to_owned(),
                path,
            })
        });
        let unreadable = |name: &str, why: String| IdentityError::Unreadable { path: directory.join(name), why };
        let said: Said = serde_json::from_str(&said?).map_err(|error| unreadable(AGENT, error.to_string()))?;
        let parts = (key?, certificate?, authority?);
        Self::of(directory, said, parts).map_err(|error| match error {
            IdentityError::Certificate(why) => unreadable(CERTIFICATE, why.to_owned()),
            IdentityError::Authority => unreadable(AUTHORITY, "it holds no certificate in PEM".to_owned()),
            other => other,
        })
    }

    /// An agent by its parts, which must be of one another.
    fn of(
        directory: &Path,
        said: Said,
        (key, certificate, authority): (String, String, String),
    ) -> Result<Self, IdentityError> {
        let read = own_certificate(&certificate, &key, said.agent)?;
        if CertificateDer::pem_slice_iter(authority.as_bytes()).filter_map(Result::ok).next().is_none() {
            return Err(IdentityError::Authority);
        }
        let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        let said = Said { generation: read.name.generation, ..said };
        let (begins, ends) = (at(read.begins_s), at(read.ends_s));
        Ok(Self { directory: directory.to_owned(), said, key, certificate, authority, begins, ends })
    }

    /// Writes everything down, what the agent is last.
    fn keep(&self) -> Result<(), IdentityError> {
        private::directory(&self.directory)
            .map_err(|source| IdentityError::File { path: self.directory.clone(), source })?;
        self.put(KEY, self.key.as_bytes())?;
        self.put(AUTHORITY, self.authority.as_bytes())?;
        self.put(CERTIFICATE, self.certificate.as_bytes())?;
        let said = serde_json::to_vec_pretty(&self.said);
        self.put(
            AGENT,
            &said.map_err(|error| IdentityError::Unreadable {
                path: self.directory.join(AGENT),
                why: error.to_string(),
            })?,
        )
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), IdentityError> {
        let path = self.directory.join(name);
        private::replace(&path, bytes).map_err(|source| IdentityError::File { path, source })
    }

    /// What the agent is.
    pub(crate) fn said(&self) -> &Said {
        &self.said
    }

    /// When the certificate begins to be valid, and when it ends.
    pub(crate) fn times(&self) -> (SystemTime, SystemTime) {
        (self.begins, self.ends)
    }

    /// What nobody but the agent knows.
    pub(crate) fn secret(&self) -> Vec<u8> {
        self.key.as_bytes().to_vec()
    }

    /// When to renew the certificate: at two thirds of its life.
    pub(crate) fn renew_at(&self) -> SystemTime {
        let life = self.ends.duration_since(self.begins).unwrap_or_default();
        self.begins + life * 2 / 3
    }

    /// How a lane to a gateway shakes hands. Without 0-RTT; tickets last as long as this is kept.
    ///
    /// # Errors
    /// When what the directory holds cannot be used.
    pub(crate) fn client_config(&self, lane: LaneKind) -> Result<Arc<ClientConfig>, rustls::Error> {
        client_config(lane, &self.authority, (&self.certificate, &self.key))
    }

    /// A request for the next certificate (PKCS#10), in DER.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub(crate) fn renewal_csr(&self) -> Result<Vec<u8>, IdentityError> {
        Ok(csr(&KeyPair::from_pem(&self.key)?)?)
    }

    /// Takes the next certificate and, as they stand after it, the authorities to believe, once they are written down.
    ///
    /// # Errors
    /// When it is not this agent's, or cannot be written down; the one before stays.
    pub(crate) fn renewed(&mut self, chain: &str, generation: u64) -> Result<(), IdentityError> {
        let (certificate, authority) = chain.split_at(chain.find(PEM_END).map_or(chain.len(), |at| at + PEM_END.len()));
        let parts = (self.key.clone(), format!("{certificate}\n"), authority.trim_start().to_owned());
        let next = Self::of(&self.directory, self.said.clone(), parts)?;
        if next.said.generation != generation || generation <= self.said.generation {
            return Err(IdentityError::Certificate("its generation is not the next"));
        }
        next.keep()?;
        *self = next;
        Ok(())
    }
}

/// A new key, in PEM.
fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

/// A request for a certificate of this key. It asks for nothing: who the agent is, the gateway says.
fn csr(key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(key)?.der().to_vec())
}

/// Reads a certificate, which must be this agent's and of this key.
fn own_certificate(certificate: &str, key: &str, agent: AgentId) -> Result<AgentCertificate, IdentityError> {
    let key = KeyPair::from_pem(key)?;
    let der = CertificateDer::from_pem_slice(certificate.as_bytes());
    let der = der.map_err(|_| IdentityError::Certificate("it is no certificate in PEM"))?;
    let read = AgentCertificate::read(&der).ok_or(IdentityError::Certificate("it names no agent"))?;
    if read.name.agent != agent {
        return Err(IdentityError::Certificate("it names another agent"));
    }
    if read.public_key != key.subject_public_key_info() {
        return Err(IdentityError::Certificate("it is of another key"));
    }
    Ok(read)
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
