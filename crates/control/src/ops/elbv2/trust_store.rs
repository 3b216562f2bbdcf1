//! Trust stores. The bundle comes with the call; what it held when it was set is kept, so that nothing is read again later (ELBv2 API
//! reference, CreateTrustStore; ALB user guide, "Mutual authentication with TLS"; both 2026-11).

use std::sync::Arc;

use topology::id::{ListenerId, TrustStoreId};
use topology::resource::listener::Listener;
use topology::resource::trust_store::TrustStore;
use wire::Fault;
use wire::elbv2 as shapes;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::{fault, revocation, tags};
use crate::context::Context;
use crate::objects::ObjectName;
use crate::presigned::{Content, Presigned};

/// Trust stores of an account (ALB user guide, "Quotas", 2026-11).
const STORES_MAX: usize = 20;
/// Certificates of a trust store, and bytes of one of them: 16 KB (the same).
const CERTIFICATES_MAX: usize = 25;
const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
/// Bits of an RSA key at least (ALB user guide, "Mutual authentication with TLS", 2026-11).
const RSA_BITS_MIN: usize = 2_048;

/// A bundle that was judged, and how many certificates it has.
type Bundle = (Arc<str>, u32);

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateTrustStoreInput,
) -> Result<shapes::TrustStore, Fault> {
    let place = (input.ca_certificates_bundle_s3_bucket, input.ca_certificates_bundle_s3_key);
    let (bundle, certificates) = read(context, place, input.ca_certificates_bundle_s3_object_version.as_deref())?;
    let tags = tags::parse(input.tags)?;
    if let Some(known) = context.estate().trust_stores.values().find(|store| store.name == input.name) {
        let is_same = known.bundle == bundle && known.tags == tags;
        let taken =
            || Fault::new("DuplicateTrustStoreName", 400, "A trust store with the specified name already exists");
        return is_same.then(|| render(context, known)).ok_or_else(taken);
    }
    if context.estate().trust_stores.len() >= STORES_MAX {
        let text = "You've reached the limit on the number of trust stores for your AWS account";
        return Err(Fault::new("TooManyTrustStores", 400, text));
    }
    let id = TrustStoreId::from_bits(context.mint.bits());
    let store = TrustStore { id, name: input.name, bundle, certificates, last_revocation: 0, tags };
    let shape = render(context, &store);
    context.edit().trust_stores.insert(id, store);
    Ok(shape)
}

pub(super) fn modify(
    context: &mut Context<'_>,
    input: shapes::ModifyTrustStoreInput,
) -> Result<shapes::TrustStore, Fault> {
    let before = fault::trust_store(context, &input.trust_store_arn)?;
    let place = (input.ca_certificates_bundle_s3_bucket, input.ca_certificates_bundle_s3_key);
    let (bundle, certificates) = read(context, place, input.ca_certificates_bundle_s3_object_version.as_deref())?;
    let store = TrustStore { bundle, certificates, ..TrustStore::clone(&before) };
    let shape = render(context, &store);
    context.edit().trust_stores.insert(before.id, store);
    Ok(shape)
}

pub(super) fn delete(context: &mut Context<'_>, arn: &str) -> Result<(), Fault> {
    let store = fault::trust_store(context, arn)?;
    if users(context, store.id).next().is_some() {
        return Err(Fault::new("TrustStoreInUse", 400, format!("Trust store '{arn}' is currently in use")));
    }
    revocation::forget_all(context, store.id);
    context.edit().trust_stores.remove(&store.id);
    Ok(())
}

/// The trust stores that a request selects.
pub(super) fn select(
    context: &Context<'_>,
    input: &shapes::DescribeTrustStoresInput,
) -> Result<Vec<shapes::TrustStore>, Fault> {
    let arns = input.trust_store_arns.as_deref().unwrap_or_default();
    let names = input.names.as_deref().unwrap_or_default();
    let stores = &context.estate().trust_stores;
    let named = |name: &String| {
        let found = stores.values().find(|store| store.name == *name);
        found.cloned().ok_or_else(|| fault::trust_store_not_found(name))
    };
    let found: Vec<Arc<TrustStore>> = match (arns, names) {
        ([], []) => stores.values().map(Arc::clone).collect(),
        (arns, []) => arns.iter().map(|arn| fault::trust_store(context, arn)).collect::<Result<_, _>>()?,
        ([], names) => names.iter().map(named).collect::<Result<_, _>>()?,
        _ => return Err(fault::validation("Only one of trust store ARNs and trust store names can be specified")),
    };
    Ok(found.iter().map(|store| render(context, store)).collect())
}

/// Where the bundle of a trust store can be fetched for a while.
pub(super) fn location(context: &Context<'_>, arn: &str) -> Result<String, Fault> {
    let store = fault::trust_store(context, arn)?.id;
    Ok(context.address_of(&Presigned { realm: context.realm().clone(), store, content: Content::Bundle }))
}

/// The listeners that verify by a trust store.
pub(super) fn associations(context: &Context<'_>, arn: &str) -> Result<Vec<shapes::TrustStoreAssociation>, Fault> {
    let id = fault::trust_store(context, arn)?.id;
    let shape =
        |user: &Listener| shapes::TrustStoreAssociation { resource_arn: Some(fault::listener_arn(context, user)) };
    Ok(users(context, id).map(shape).collect())
}

fn users<'a>(context: &'a Context<'_>, id: TrustStoreId) -> impl Iterator<Item = &'a Listener> {
    let is_user = move |listener: &&Listener| {
        listener.protocol().mutual().verify().is_some_and(|verify| verify.trust_store == id)
    };
    context.estate().listeners.values().map(Arc::as_ref).filter(is_user)
}

/// How many other listeners of the same load balancer verify clients.
pub(super) fn others_verifying(context: &Context<'_>, of: (topology::id::LoadBalancerId, Option<ListenerId>)) -> usize {
    let (balancer, own) = of;
    let listeners = context.estate().listeners.values();
    let others = listeners.filter(|other| other.load_balancer == balancer && Some(other.id) != own);
    others.filter(|other| other.protocol().mutual().verify().is_some()).count()
}

fn read(context: &Context<'_>, (bucket, key): (String, String), version: Option<&str>) -> Result<Bundle, Fault> {
    let bytes = context.objects.get(&ObjectName::of(&bucket, &key, version)).map_err(|why| {
        let text = "The specified ca certificate bundle does not exist";
        Fault::new("CaCertificatesBundleNotFound", 400, text).with_detail(why)
    })?;
    let text = std::str::from_utf8(bytes).map_err(|_| invalid("it is no text"))?;
    let certificates = judge(text)?;
    Ok((text.into(), certificates))
}

fn invalid(why: impl std::fmt::Display) -> Fault {
    let text = format!("The specified ca certificate bundle is in an invalid format, or corrupt: {why}");
    Fault::new("InvalidCaCertificatesBundle", 400, text)
}

/// How many certificates there are; a fault where one is none of an authority that can be trusted.
fn judge(text: &str) -> Result<u32, Fault> {
    let mut count = 0;
    for pem in Pem::iter_from_buffer(text.as_bytes()) {
        let pem = pem.map_err(|_| invalid("it is not in PEM format"))?;
        count += 1;
        if pem.label != "CERTIFICATE" {
            return Err(invalid("it holds something that is no certificate"));
        }
        if let Some(flaw) = flaw(&pem.contents) {
            return Err(invalid(format_args!("certificate {count} {flaw}")));
        }
        if count as usize > CERTIFICATES_MAX {
            return Err(invalid(format_args!("it holds more than {CERTIFICATES_MAX} certificates")));
        }
    }
    if count == 0 { Err(invalid("it holds no certificate")) } else { Ok(count) }
}

fn flaw(der: &[u8]) -> Option<&'static str> {
    if der.len() > CERTIFICATE_BYTES_MAX {
        return Some("is larger than 16 KB");
    }
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Some("cannot be read") };
    match certificate.public_key().parsed() {
        _ if !certificate.is_ca() => Some("is none of an authority"),
        Ok(PublicKey::RSA(key)) if key.key_size() < RSA_BITS_MIN => Some("has a key weaker than RSA 2048"),
        Ok(PublicKey::RSA(_) | PublicKey::EC(_)) => None,
        _ => Some("has a key that is neither RSA nor ECDSA"),
    }
}

fn render(context: &Context<'_>, store: &TrustStore) -> shapes::TrustStore {
    shapes::TrustStore {
        name: Some(store.name.clone()),
        number_of_ca_certificates: Some(i64::from(store.certificates)),
        status: Some("ACTIVE".to_owned()),
        total_revoked_entries: Some(revocation::total(context, store.id).into()),
        trust_store_arn: Some(fault::trust_store_arn(context, store)),
    }
}
