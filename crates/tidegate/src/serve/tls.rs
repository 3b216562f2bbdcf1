//! The public listener with TLS and the development authority behind it. What is presented to whom is the plane's to decide.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use control::certified::{Certified, CertifiedKind, Wanted};
use plane::{Issued, Issuer};
use tokio::net::TcpListener;

use super::limits::LEAF_DAYS;
use super::{StartError, ends};
use crate::ca::{Authority, AuthorityError, placeholder, self_signed};
use crate::config::{Acme, Config};

/// The public listener with TLS. Where nobody said where it is to be, a port that is taken leaves it out: a second server on
/// this machine is no mistake.
pub(super) async fn listener(config: &Config) -> Result<Option<TcpListener>, StartError> {
    let wanted = config.public_tls;
    match ends::listener("listen.public_tls", wanted.address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(StartError::Listen { source, .. }) if !wanted.given && source.kind() == std::io::ErrorKind::AddrInUse => {
            tracing::warn!(address = %wanted.address, "the port is taken: TLS is not served; listen.public_tls names another");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The development authority of a server.
pub(crate) struct Development {
    data_dir: Option<PathBuf>,
    asked: Option<Acme>,
    authority: OnceLock<Result<Authority, AuthorityError>>,
}

impl Development {
    /// That of the data directory, which must be usable in development mode; in gateway mode it is opened with the first certificate that is
    /// requested. Without a directory it ends with the process, and is made when it is first needed.
    pub(super) fn open(config: &Config) -> Result<Arc<Self>, AuthorityError> {
        let data_dir = config.data_dir.clone();
        let authority = match &data_dir {
            Some(data_dir) if config.is_development() => OnceLock::from(Ok(Authority::open(data_dir)?)),
            _ => OnceLock::new(),
        };
        Ok(Arc::new(Self { data_dir, asked: config.acme.clone(), authority }))
    }

    fn authority(&self) -> Result<&Authority, String> {
        let open = || self.data_dir.as_deref().map_or_else(Authority::in_memory, Authority::open);
        self.authority.get_or_init(open).as_ref().map_err(ToString::to_string)
    }

    /// The certificate that a call needs, or what stands for it where another authority is asked by ACME. It may take a while.
    pub(super) fn certify(&self, wanted: &Wanted) -> Result<Certified, String> {
        let is_asked = |names: &[String]| self.asked.as_ref().is_some_and(|acme| acme.is_for(names));
        let mut kind = CertifiedKind::Issued;
        let (leaf, chain) = match wanted {
            Wanted::SelfSigned => (self_signed(), None),
            Wanted::Issued { names, key } if is_asked(names) => {
                kind = CertifiedKind::Placeholder;
                (placeholder(*key, names), None)
            }
            Wanted::Issued { names, key } => {
                let authority = self.authority()?;
                (authority.issue_with(*key, names, LEAF_DAYS), Some(authority.certificate().to_owned()))
            }
        };
        let leaf = leaf.map_err(|error| error.to_string())?;
        Ok(Certified { certificate: leaf.certificate, chain, key: leaf.key, kind })
    }

    /// Its certificate, in PEM. The first call may take a while.
    pub(super) fn certificate(&self) -> Result<String, String> {
        Ok(self.authority()?.certificate().to_owned())
    }

    /// A certificate for names, and its key.
    pub(super) fn issue(&self, names: &[String]) -> Result<Issued, String> {
        let leaf = self.authority()?.issue(names, LEAF_DAYS).map_err(|error| error.to_string())?;
        Ok(Issued { chain: leaf.certificate, key: leaf.key })
    }
}

/// How the plane has certificates issued for invoke hosts.
pub(super) fn issuer(development: &Arc<Development>) -> Issuer {
    let (told, issuing) = (Arc::clone(development), Arc::clone(development));
    Issuer::new(move || told.certificate(), move |names| issuing.issue(names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::UpArgs;
    use crate::config;

    #[test]
    fn an_authority_without_a_data_directory_is_made_when_it_is_needed_and_once() {
        let mut config = config::load(&UpArgs::default(), [], None).unwrap();
        config.data_dir = None;
        let development = Development::open(&config).unwrap();
        assert!(development.authority.get().is_none());
        let leaf = development.issue(&["localhost".to_owned()]).unwrap();
        assert!(leaf.chain.contains("BEGIN CERTIFICATE"));
        assert_eq!(development.certificate(), development.certificate());
    }

    #[test]
    fn an_authority_that_cannot_be_read_is_told_at_the_start() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("ca")).unwrap();
        std::fs::write(directory.path().join("ca/authority.pem"), "rubbish").unwrap();
        let mut config = config::load(&UpArgs::default(), [], None).unwrap();
        config.data_dir = Some(directory.path().to_owned());
        assert!(Development::open(&config).is_err());
    }

    #[tokio::test]
    async fn a_taken_port_leaves_tls_out_only_where_nobody_named_it() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = config::load(&UpArgs::default(), [], None).unwrap();
        config.public_tls.address = taken.local_addr().unwrap();
        assert!(listener(&config).await.unwrap().is_none());
        config.public_tls.given = true;
        assert!(matches!(listener(&config).await, Err(StartError::Listen { .. })));
    }
}
