//! Who comes with a certificate, and whether it is let in. The handshake has shown that the link's authority made the certificate and that the
//! peer has its key; here it is asked whose it is, and what that agent is now.

use std::time::{SystemTime, UNIX_EPOCH};

use control::enrolment::AgentName;
use plane::link::carrier::LaneKind;
use rustls::pki_types::CertificateDer;
use tokio::sync::OwnedSemaphorePermit;
use topology::id::{AgentId, Realm, VpcId};
use topology::snapshot::fabric::AgentPlace;

use super::certifier::Certifier;
use super::{Admitted, Link, Refused};
use crate::link::{AgentCertificate, CheckedRequest};
use crate::mailbox::Mailbox;
use crate::serve::State;
use crate::serve::limits::LINK_CONNECTIONS_PER_AGENT_MAX;

/// Lets a lane in. A resumed handshake does not look at its certificate again, so its time is looked at here.
pub(super) async fn admit(
    state: &State,
    link: &Link,
    (chain, lane): (Option<&[CertificateDer<'_>]>, LaneKind),
    permit: OwnedSemaphorePermit,
) -> Result<Admitted, Refused> {
    let (AgentName { realm, agent, generation }, vpc) = look(state, chain).await?;
    let place = link.bounds.place(&realm, agent, permit).ok_or_else(|| {
        let message = format!("{agent} has {LINK_CONNECTIONS_PER_AGENT_MAX} connections");
        Refused::new("TOO_MANY_CONNECTIONS", message)
    })?;
    Ok(Admitted { realm, agent, vpc, generation, lane, place })
}

/// Who comes, and the VPC that it carries, if it would be let in.
pub(super) async fn look(state: &State, chain: Option<&[CertificateDer<'_>]>) -> Result<(AgentName, VpcId), Refused> {
    let leaf = chain.and_then(|chain| chain.first());
    let leaf = leaf.ok_or_else(|| Refused::new("NO_CERTIFICATE", "it came without a certificate"))?;
    let named = name(leaf)?;
    let is_plain = |known: &&AgentPlace| known.is_active && known.is_settled && known.generation == named.generation;
    let snapshot = state.plane.snapshot();
    let held = snapshot.realms.iter().find(|held| held.realm == named.realm);
    let known = held.and_then(|held| held.fabric.agent(named.agent));
    let vpc = match known.filter(is_plain) {
        Some(known) => known.vpc,
        None => {
            let AgentName { realm, agent, generation } = named.clone();
            let asked = state
                .mailbox
                .work("admit an agent", move |control, now| control.admit_agent(&realm, (agent, generation), now));
            asked.await??.vpc
        }
    };
    Ok((named, vpc))
}

/// Whose a certificate is.
fn name(leaf: &CertificateDer<'_>) -> Result<AgentName, Refused> {
    let read = AgentCertificate::read(leaf);
    let AgentCertificate { name, ends_s, .. } =
        read.ok_or_else(|| Refused::new("NOT_AN_AGENT", "its certificate names no agent"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if u64::try_from(ends_s).is_ok_and(|ends| now <= ends) {
        Ok(name)
    } else {
        let agent = name.agent;
        Err(Refused::new("CERTIFICATE_EXPIRED", format!("the certificate of {agent} has expired; enrol it again")))
    }
}

/// The next certificate of an agent.
#[derive(Debug)]
pub(crate) struct Renewed {
    /// The certificate, and after it the authorities that the agent is to believe from now on, in PEM.
    pub(crate) chain: String,
    /// Its generation, which whoever asked has from now on.
    pub(crate) generation: u64,
}

/// Gives an agent that has the certificate of this generation its next one.
pub(super) async fn renew(
    (certifier, mailbox): (&Certifier, &Mailbox),
    (realm, agent, has): (Realm, AgentId, u64),
    csr: &[u8],
) -> Result<Renewed, Refused> {
    let request = CheckedRequest::read(csr).map_err(|why| Refused::new("MALFORMED", why.to_string()))?;
    let current = certifier.current();
    let (named, knows) = (realm.clone(), current.authorities.told());
    let renewed =
        mailbox.work("renew an agent", move |control, now| control.renew_agent(&named, ((agent, has), &knows), now));
    let generation = renewed.await??;
    let certificate = current.authorities.issuing().certify(&request, &AgentName { realm, agent, generation });
    let certificate = certificate.map_err(|why| Refused::new("AUTHORITY", why.to_string()))?;
    let chain = format!("{certificate}{}", current.authorities.for_agents());
    tracing::info!(%agent, generation, "an agent has its next certificate");
    Ok(Renewed { chain, generation })
}
