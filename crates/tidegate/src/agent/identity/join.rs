//! Joining: an agent makes its key, finds the gateway that its token is of, and is enrolled there. The secret of the token is told to nobody
//! whose chain does not end with the authority that the token names.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use control::enrolment::{ENROLMENT_BYTES_MAX, Enrolled, EnrolmentAnswer, EnrolmentRequest, Refusal, Token};
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use topology::net::Ipv4Net;

use super::{GATEWAYS_MAX, Identity, IdentityError, Said, csr, dial, new_key, shake};
use crate::link::{enrolment_config, pin_of};

/// How long the answer to an enrolment may take: longer than a gateway lets one wait for its turn.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why an agent did not join.
#[derive(Debug, Error)]
pub(crate) enum JoinError {
    /// Its directory cannot be used, or the certificate.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No gateway is named, or too many.
    #[error("--gateway: 1 to {GATEWAYS_MAX} of HOST:PORT")]
    Gateways,
    /// No gateway answers as the token's.
    #[error("no gateway could be joined: {}", .0.join("; "))]
    Unreached(Vec<String>),
    /// A gateway refused.
    #[error("{gateway} refused ({code}): {message}")]
    Refused {
        /// Which one.
        gateway: String,
        /// A word for programs.
        code: String,
        /// Why.
        message: String,
    },
    /// The answer did not come, or is none.
    #[error(
        "{gateway} took the token, and its answer cannot be used: {why}; the token may be used up, so make another with `tidegate agent token`"
    )]
    Answer {
        /// Which one.
        gateway: String,
        /// What is wrong.
        why: String,
    },
}

/// Joins by the first of these gateways that answers, and writes down who the agent is from now on.
///
/// # Errors
/// See [`JoinError`].
pub(crate) async fn join(
    token: &Token,
    gateways: &[String],
    (directory, native): (&Path, &[Ipv4Net]),
) -> Result<Identity, JoinError> {
    if !(1..=GATEWAYS_MAX).contains(&gateways.len()) {
        return Err(JoinError::Gateways);
    }
    match Identity::load(directory) {
        Err(IdentityError::Missing(_)) => {}
        Ok(there) => return Err(IdentityError::Taken { path: directory.to_owned(), agent: there.said.agent }.into()),
        // One that cannot be read is still one.
        Err(error) => return Err(error.into()),
    }
    let key = new_key().map_err(IdentityError::from)?;
    let request = EnrolmentRequest::new(&token.secret, native, csr(&key).map_err(IdentityError::from)?);
    let (gateway, stream) = reach(token, gateways).await?;
    let enrolled = ask(stream, &request).await.map_err(|why| JoinError::Answer { gateway: gateway.to_owned(), why })?;
    match enrolled {
        EnrolmentAnswer::Refused(Refusal { code, message }) => {
            Err(JoinError::Refused { gateway: gateway.to_owned(), code, message })
        }
        EnrolmentAnswer::Enrolled(enrolled) => {
            let unfit = |why: &str| JoinError::Answer { gateway: gateway.to_owned(), why: why.to_owned() };
            let mut authorities = CertificateDer::pem_slice_iter(enrolled.authority.as_bytes()).filter_map(Result::ok);
            if !authorities.any(|authority| pin_of(&authority) == Some(token.pin)) {
                return Err(unfit("it names another authority than the token"));
            }
            Ok(keep(*enrolled, (gateways, native), (directory, &key))?)
        }
    }
}

fn keep(
    enrolled: Enrolled,
    (gateways, native): (&[String], &[Ipv4Net]),
    (directory, key): (&Path, &KeyPair),
) -> Result<Identity, IdentityError> {
    let Enrolled { agent, realm, vpc, zones, generation, certificate, authority, cookie_key, blocked_connect_ms } =
        enrolled;
    let (gateways, native) = (gateways.to_vec(), native.to_vec());
    let said = Said { agent, realm, vpc, zones, gateways, native, cookie_key, blocked_connect_ms, generation };
    let identity = Identity::of(directory, said, (key.serialize_pem(), certificate, authority))?;
    identity.keep()?;
    Ok(identity)
}

/// The first gateway that shakes hands as the one of the token.
async fn reach<'a>(token: &Token, gateways: &'a [String]) -> Result<(&'a str, TlsStream<TcpStream>), JoinError> {
    let config = enrolment_config(token.pin).map_err(|error| JoinError::Unreached(vec![error.to_string()]))?;
    let mut failed = Vec::new();
    for gateway in gateways {
        let stream = match dial(gateway).await {
            Ok(stream) => stream,
            Err(error) => {
                failed.push(format!("{gateway}: {error}"));
                continue;
            }
        };
        match shake(Arc::clone(&config), stream).await {
            Ok(stream) if stream.get_ref().1.alpn_protocol().is_some() => return Ok((gateway, stream)),
            Ok(_) => failed.push(format!("{gateway}: it speaks TLS and none of our protocols (ALPN)")),
            Err(error) => failed.push(format!("{gateway}: {}", told(&error))),
        }
    }
    Err(JoinError::Unreached(failed))
}

/// What a failed handshake means to whoever typed the command.
fn told(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => format!(
            "it is not the gateway that the token is of, or something in between answers in its place ({why:?})"
        ),
        Some(other) => format!("the TLS handshake failed: {other}"),
        None => format!("the TLS handshake failed: {error}"),
    }
}

/// One request and its answer.
async fn ask(mut stream: TlsStream<TcpStream>, request: &EnrolmentRequest) -> Result<EnrolmentAnswer, String> {
    let asking = async {
        let text = serde_json::to_vec(request).map_err(io::Error::other)?;
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        stream.write_all(&length.to_be_bytes()).await?;
        stream.write_all(&text).await?;
        stream.flush().await?;
        let length = usize::try_from(stream.read_u32().await?).map_err(io::Error::other)?;
        if length > ENROLMENT_BYTES_MAX {
            return Err(io::Error::other(format!("it has {length} bytes, at most {ENROLMENT_BYTES_MAX}")));
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, asking).await {
        Err(_) => Err(format!("nothing came within {ANSWER_TIMEOUT:?}")),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(answer)) => EnrolmentAnswer::read(&answer).map_err(|error| error.to_string()),
    }
}
