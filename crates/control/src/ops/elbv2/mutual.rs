//! What an HTTPS listener asks of clients' certificates (ELBv2 API reference, MutualAuthenticationAttributes, 2026-11).

use topology::id::{ListenerId, LoadBalancerId};
use topology::resource::trust_store::{MutualAuthentication, Verify};
use wire::Fault;
use wire::elbv2 as shapes;

use super::{fault, trust_store};
use crate::context::Context;

/// Listeners of a load balancer that verify clients (ALB user guide, "Quotas", 2026-11).
const VERIFYING_MAX: usize = 2;

/// What is asked from now on: what was, where nothing else is wanted.
pub(super) fn parse(
    context: &Context<'_>,
    (wanted, before): (Option<shapes::MutualAuthenticationAttributes>, MutualAuthentication),
) -> Result<MutualAuthentication, Fault> {
    let Some(wanted) = wanted else { return Ok(before) };
    let mutual = match wanted.mode.as_deref() {
        Some("off") => MutualAuthentication::Off,
        Some("passthrough") => MutualAuthentication::Passthrough,
        Some("verify") => return verify(context, wanted).map(MutualAuthentication::Verify),
        Some(other) => {
            let text = format!("Mutual authentication mode '{other}' must be one of 'off, passthrough, verify'");
            return Err(fault::validation(text));
        }
        None => return Err(fault::validation("A mutual authentication mode must be specified")),
    };
    // Terraform writes members out that say nothing.
    let stray = [
        ("TrustStoreArn", wanted.trust_store_arn.is_some_and(|arn| !arn.is_empty())),
        ("IgnoreClientCertificateExpiry", wanted.ignore_client_certificate_expiry == Some(true)),
        ("AdvertiseTrustStoreCaNames", wanted.advertise_trust_store_ca_names.as_deref() == Some("on")),
        ("TrustStoreAssociationStatus", wanted.trust_store_association_status.is_some()),
    ];
    match stray.into_iter().find(|(_, is_given)| *is_given) {
        Some((member, _)) => Err(fault::validation(format!(
            "{member} can only be specified when the mutual authentication mode is 'verify'"
        ))),
        None => Ok(mutual),
    }
}

fn verify(context: &Context<'_>, wanted: shapes::MutualAuthenticationAttributes) -> Result<Verify, Fault> {
    if wanted.trust_store_association_status.as_deref().is_some_and(|status| status != "active") {
        return Err(fault::validation("TrustStoreAssociationStatus cannot be set"));
    }
    let lacking =
        || fault::validation("A trust store ARN must be specified when the mutual authentication mode is 'verify'");
    let arn = wanted.trust_store_arn.filter(|arn| !arn.is_empty()).ok_or_else(lacking)?;
    Ok(Verify {
        trust_store: fault::trust_store(context, &arn)?.id,
        ignores_expiry: wanted.ignore_client_certificate_expiry.unwrap_or(false),
        advertises_names: wanted.advertise_trust_store_ca_names.as_deref() == Some("on"),
    })
}

/// Refuses one listener more that verifies clients than a load balancer may have.
pub(super) fn check_count(
    context: &Context<'_>,
    mutual: MutualAuthentication,
    of: (LoadBalancerId, Option<ListenerId>),
) -> Result<(), Fault> {
    if mutual.verify().is_some() && trust_store::others_verifying(context, of) >= VERIFYING_MAX {
        let text = "You've reached the limit on the number of listeners with mutual authentication in verify mode";
        return Err(Fault::new("TooManyListeners", 400, text));
    }
    Ok(())
}

pub(super) fn render(context: &Context<'_>, mutual: MutualAuthentication) -> shapes::MutualAuthenticationAttributes {
    let verify = mutual.verify();
    let store = verify.and_then(|verify| context.estate().trust_stores.get(&verify.trust_store));
    let on_or_off = |is_on: bool| if is_on { "on" } else { "off" }.to_owned();
    shapes::MutualAuthenticationAttributes {
        advertise_trust_store_ca_names: verify.map(|verify| on_or_off(verify.advertises_names)),
        ignore_client_certificate_expiry: verify.map(|verify| verify.ignores_expiry),
        mode: Some(mutual.mode().to_owned()),
        trust_store_arn: store.map(|store| fault::trust_store_arn(context, store)),
        // One that is used cannot be deleted, and none is shared.
        trust_store_association_status: store.map(|_| "active".to_owned()),
    }
}
