//! The public listener with TLS and the development authority behind it. What is presented to whom is the plane's to decide.

use std::sync::Arc;

use plane::{Issued, Issuer};
use tokio::net::TcpListener;

use super::StartError;
use super::limits::LEAF_DAYS;
use crate::ca::{Authority, AuthorityError};
use crate::config::Config;

/// The public listener with TLS. Where nobody said where it is to be, a port that is taken leaves it out: a second server on
/// this machine is no mistake.
pub(super) async fn listener(config: &Config) -> Result<Option<TcpListener>, StartError> {
    let wanted = config.public_tls;
    match super::listener("listen.public_tls", wanted.address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(StartError::Listen { source, .. }) if !wanted.given && source.kind() == std::io::ErrorKind::AddrInUse => {
            tracing::warn!(address = %wanted.address, "the port is taken: TLS is not served; listen.public_tls names another");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The development authority. Gateway mode has none: it presents the certificates of custom domain names only.
pub(super) fn authority(config: &Config) -> Result<Option<Arc<Authority>>, AuthorityError> {
    if !config.access_keys.is_empty() {
        return Ok(None);
    }
    let authority = match &config.data_dir {
        Some(data_dir) => Authority::open(data_dir)?,
        None => Authority::in_memory()?,
    };
    Ok(Some(Arc::new(authority)))
}

/// How the plane has certificates issued for invoke hosts.
pub(super) fn issuer(authority: &Arc<Authority>) -> Issuer {
    let issuing = Arc::clone(authority);
    Issuer::new(authority.certificate(), move |names| {
        let leaf = issuing.issue(names, LEAF_DAYS).map_err(|error| error.to_string())?;
        Ok(Issued { chain: leaf.certificate, key: leaf.key })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::UpArgs;
    use crate::config;

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
