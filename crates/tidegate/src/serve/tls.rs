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
