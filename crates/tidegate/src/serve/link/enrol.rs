//! Enrolment: one request and one answer, each a length of four bytes and so many bytes of JSON. The request is checked before its token is
//! used up.

use std::net::SocketAddr;

use control::enrolment::{
    AgentName, ENROLMENT_BYTES_MAX, Enrolled, EnrolmentAnswer, EnrolmentError, EnrolmentRequest, Refusal,
};
use plane::link::carrier::gateway::Office as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::{Link, Refused};
use crate::link::CheckedRequest;
use crate::serve::State;
use crate::serve::limits::LINK_ENROLMENT_TIMEOUT;

/// Answers one request.
pub(super) async fn serve(
    state: &State,
    link: &Link,
    (mut stream, peer): (TlsStream<TcpStream>, SocketAddr),
) -> Result<(), Refused> {
    let served = async {
        let outcome = match read(&mut stream).await {
            Ok(message) => enrol(state, link, &message).await,
            Err(refused) => Err(refused),
        };
        let answer = match &outcome {
            Ok(enrolled) => EnrolmentAnswer::Enrolled(Box::new(enrolled.clone())),
            Err(Refused { code, message }) => {
                EnrolmentAnswer::Refused(Refusal { code: (*code).to_owned(), message: message.clone() })
            }
        };
        if write(&mut stream, &answer).await.is_err() {
            tracing::debug!(%peer, "whoever wanted to be enrolled did not wait for the answer");
        }
        let enrolled = outcome?;
        let (agent, vpc, realm) = (enrolled.agent, enrolled.vpc, enrolled.realm);
        tracing::info!(%peer, %agent, %vpc, %realm, "an agent was enrolled");
        Ok(())
    };
    let late = || Refused::new("ENROLMENT_TIMEOUT", format!("no request within {LINK_ENROLMENT_TIMEOUT:?}"));
    tokio::time::timeout(LINK_ENROLMENT_TIMEOUT, served).await.unwrap_or_else(|_| Err(late()))
}

async fn read(stream: &mut TlsStream<TcpStream>) -> Result<Vec<u8>, Refused> {
    let cut = |error: std::io::Error| Refused::new("MALFORMED", format!("its request did not arrive: {error}"));
    let length = usize::try_from(stream.read_u32().await.map_err(cut)?).unwrap_or(usize::MAX);
    if length > ENROLMENT_BYTES_MAX {
        let message = format!("its request has {length} bytes, at most {ENROLMENT_BYTES_MAX}");
        return Err(Refused::new("TOO_LARGE", message));
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.map_err(cut)?;
    Ok(message)
}

async fn write(stream: &mut TlsStream<TcpStream>, answer: &EnrolmentAnswer) -> std::io::Result<()> {
    let text = serde_json::to_vec(answer).map_err(std::io::Error::other)?;
    let length = u32::try_from(text.len()).map_err(std::io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(&text).await?;
    stream.shutdown().await
}

async fn enrol(state: &State, link: &Link, message: &[u8]) -> Result<Enrolled, Refused> {
    let request = EnrolmentRequest::read(message).map_err(|error| {
        let code = if matches!(error, EnrolmentError::Version(_)) { "VERSION" } else { "MALFORMED" };
        Refused::new(code, error.to_string())
    })?;
    let checked = CheckedRequest::read(&request.csr).map_err(|error| Refused::new("MALFORMED", error.to_string()))?;
    let current = link.certifier.current();
    let knows = current.authorities.told();
    let asked = state.mailbox.work("enrol an agent", move |control, now| {
        let secret = request.secret();
        let realm = control.realm_of_token(&secret).cloned().ok_or(control::AgentError::TokenUnknown)?;
        control.enrol_agent(&realm, (&secret, &request.native, &knows), now).map(|agent| (realm, agent))
    });
    let (realm, agent) = asked.await??;
    let name = AgentName { realm, agent: agent.id, generation: agent.generation };
    let certificate = current.authorities.issuing().certify(&checked, &name);
    let certificate = certificate.map_err(|error| Refused::new("AUTHORITY", error.to_string()))?;
    Ok(Enrolled {
        agent: agent.id,
        realm: name.realm,
        vpc: agent.vpc,
        zones: agent.zones,
        generation: agent.generation,
        certificate,
        authority: current.authorities.for_agents(),
        cookie_key: link.office.cookie_key(agent.vpc),
        blocked_connect_ms: link.office.blocked_connect_ms(),
    })
}
