//! Which certificates there are, and who uses them.

use topology::arn::CertificateArn;
use topology::estate::RealmEstate;
use topology::id::{CertificateId, Realm};
use topology::resource::certificate::Certificate;
use wire::Fault;

use crate::context::Context;

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", 400, message)
}

/// The ARN of a certificate of the caller's account and region.
pub(crate) fn arn(context: &Context<'_>, id: CertificateId) -> CertificateArn {
    CertificateArn { realm: context.realm().clone(), id }
}

pub(super) fn known(context: &Context<'_>, wanted: &str) -> Result<std::sync::Arc<Certificate>, Fault> {
    let named = wanted.parse().ok().filter(|arn: &CertificateArn| arn.realm == *context.realm());
    let found = named.and_then(|arn| context.estate().certificates.get(&arn.id).cloned());
    found.ok_or_else(|| {
        Fault::new(
            "ResourceNotFoundException",
            400,
            format!("Could not find certificate {wanted} in account {}.", context.account()),
        )
    })
}

/// The certificate of the caller's account and region that an ARN names.
pub(crate) fn found(context: &Context<'_>, arn: &str) -> Option<std::sync::Arc<Certificate>> {
    known(context, arn).ok()
}

/// Who uses a certificate of the caller's account and region.
pub(super) fn users(context: &Context<'_>, id: CertificateId) -> Vec<String> {
    users_in(context.realm(), context.estate(), id)
}

/// Who uses a certificate: load balancers whose listeners name it, and domain names.
pub(crate) fn users_in(realm: &Realm, estate: &RealmEstate, id: CertificateId) -> Vec<String> {
    let arn = CertificateArn { realm: realm.clone(), id };
    let listeners = estate.listeners.values().filter(|listener| {
        let presented = listener.protocol().certificates();
        presented.is_some_and(|(default, others)| *default == arn || others.contains(&arn))
    });
    let (region, account) = (&realm.region, realm.account);
    let balancers =
        listeners.filter_map(|listener| estate.load_balancers.get(&listener.load_balancer)).map(|balancer| {
            format!("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{}", balancer.full_name())
        });
    let domains = estate
        .domain_names
        .values()
        .filter(|domain| domain.certificate_arn == arn || domain.ownership_certificate_arn.as_ref() == Some(&arn));
    let domains = domains.map(|domain| format!("arn:aws:apigateway:{region}::/domainnames/{}", domain.name));
    balancers.chain(domains).collect()
}
