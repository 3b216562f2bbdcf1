//! Revocation lists of trust stores. The files come with the call, and what they held when they were added is kept (ELBv2 API reference,
//! AddTrustStoreRevocations; ALB user guide, "Mutual authentication with TLS", "Quotas"; all 2026-11). They are judged by the reader
//! that handshakes use, so that none is kept that those could not use. Whether somebody is revoked is no question here.

use std::sync::Arc;

use topology::id::TrustStoreId;
use topology::resource::trust_store::{Revocation, TrustStore};
use webpki::BorrowedCertRevocationList;
use wire::Fault;
use wire::elbv2 as shapes;
use x509_parser::asn1_rs::{Any, FromDer as _, Sequence};
use x509_parser::oid_registry::{self as oids, Oid};
use x509_parser::pem::Pem;
use x509_parser::x509::AlgorithmIdentifier;

use super::fault;
use crate::context::Context;
use crate::objects::{ObjectName, Objects, REVOCATIONS_MAX};
use crate::presigned::{Content, Presigned};

/// Entries of all lists of a trust store (ALB user guide, "Quotas", 2026-11).
const ENTRIES_MAX: u64 = 500_000;
/// What a list is signed by: hashes from SHA-256 on, as certificates.
const ALGORITHMS: [Oid<'static>; 7] = [
    oids::OID_PKCS1_SHA256WITHRSA,
    oids::OID_PKCS1_SHA384WITHRSA,
    oids::OID_PKCS1_SHA512WITHRSA,
    oids::OID_PKCS1_RSASSAPSS,
    oids::OID_SIG_ECDSA_WITH_SHA256,
    oids::OID_SIG_ECDSA_WITH_SHA384,
    oids::OID_SIG_ECDSA_WITH_SHA512,
];
/// The only kind there is.
const KIND: &str = "CRL";

/// What the files of a call hold, or why one cannot be added.
type Read = Result<Vec<Revocation>, Fault>;

/// Reads the files of a call. It takes a while for large ones, and needs nothing of the estate.
pub(crate) fn read(input: &shapes::AddTrustStoreRevocationsInput, objects: &Objects) -> Read {
    let contents = input.revocation_contents.as_deref().unwrap_or_default();
    if contents.is_empty() {
        return Err(fault::validation("At least one revocation content must be specified"));
    }
    if contents.len() > REVOCATIONS_MAX {
        return Err(too_many_lists());
    }
    contents.iter().map(|content| read_one(content, objects)).collect()
}

fn read_one(content: &shapes::RevocationContent, objects: &Objects) -> Result<Revocation, Fault> {
    let lacking = |what: &str| fault::validation(format!("The S3 {what} of a revocation content must be specified"));
    let bucket = content.s3_bucket.as_deref().filter(|it| !it.is_empty()).ok_or_else(|| lacking("bucket"))?;
    let key = content.s3_key.as_deref().filter(|it| !it.is_empty()).ok_or_else(|| lacking("key"))?;
    let name = ObjectName::of(bucket, key, content.s3_object_version.as_deref());
    let bytes = objects.get(&name).map_err(|why| {
        let text = "The specified revocation file does not exist";
        Fault::new("RevocationContentNotFound", 400, text).with_detail(why)
    })?;
    let lists = std::str::from_utf8(bytes).map_err(|_| invalid("it is not in PEM format"))?;
    Ok(Revocation { entries: judge(lists)?, lists: lists.into() })
}

fn invalid(why: impl std::fmt::Display) -> Fault {
    let text = format!("The specified revocation file is in an invalid format, or uses an incorrect algorithm: {why}");
    Fault::new("InvalidRevocationContent", 400, text)
}

/// How many entries the lists of a file have; a fault where one is no list, or none that handshakes can use.
fn judge(text: &str) -> Result<u32, Fault> {
    let (mut lists, mut entries) = (0, 0_u64);
    for pem in Pem::iter_from_buffer(text.as_bytes()) {
        let pem = pem.map_err(|_| invalid("it is not in PEM format"))?;
        if pem.label != "X509 CRL" {
            return Err(invalid("it holds something that is no revocation list"));
        }
        lists += 1;
        entries = entries.saturating_add(count(&pem.contents)?);
        if entries > ENTRIES_MAX {
            return Err(too_many_entries());
        }
    }
    if lists == 0 {
        Err(invalid("it holds no revocation list"))
    } else {
        Ok(u32::try_from(entries).unwrap_or(u32::MAX))
    }
}

fn count(der: &[u8]) -> Result<u64, Fault> {
    let list = BorrowedCertRevocationList::from_der(der).map_err(unusable)?;
    if !algorithm(der).is_some_and(|algorithm| ALGORITHMS.contains(&algorithm)) {
        return Err(invalid("a list is signed by an algorithm that is not supported"));
    }
    let mut entries = 0;
    for entry in &list {
        let entry = entry.map_err(unusable)?;
        if entry.serial_number.first().is_some_and(|first| first & 0x80 != 0) {
            return Err(invalid("a list has a negative serial number"));
        }
        entries += 1;
    }
    Ok(entries)
}

/// What a list is signed by, from behind what is signed.
fn algorithm(der: &[u8]) -> Option<Oid<'_>> {
    let (_, list) = Sequence::from_der(der).ok()?;
    let content: &[u8] = match list.content {
        std::borrow::Cow::Borrowed(content) => content,
        std::borrow::Cow::Owned(_) => return None,
    };
    let (rest, _signed) = Any::from_der(content).ok()?;
    AlgorithmIdentifier::from_der(rest).ok().map(|(_, algorithm)| algorithm.algorithm)
}

fn unusable(error: webpki::Error) -> Fault {
    match error {
        webpki::Error::UnsupportedCrlVersion | webpki::Error::BadDer => {
            invalid("a list cannot be read, or is not of version 2")
        }
        webpki::Error::MalformedExtensions => invalid("a list has no extensions that can be read, not even its number"),
        webpki::Error::UnsupportedDeltaCrl => invalid("a list is a delta"),
        webpki::Error::UnsupportedIndirectCrl => invalid("a list is indirect"),
        other => invalid(format_args!("a list cannot be used ({other:?})")),
    }
}

fn too_many_entries() -> Fault {
    Fault::new("TooManyTrustStoreRevocationEntries", 400, "The specified trust store has too many revocation entries")
}

fn too_many_lists() -> Fault {
    let text = "You've reached the limit on the number of revocation lists for the trust store";
    Fault::new("TooManyTrustStoreRevocationEntries", 400, text)
}

pub(super) fn add(
    context: &mut Context<'_>,
    input: &shapes::AddTrustStoreRevocationsInput,
) -> Result<Vec<shapes::TrustStoreRevocation>, Fault> {
    let mut store = TrustStore::clone(&*fault::trust_store(context, &input.trust_store_arn)?);
    let read = context.objects.take_document::<Read>().unwrap_or_else(|| read(input, context.objects))?;
    if context.estate().revocations(store.id).count() + read.len() > REVOCATIONS_MAX {
        return Err(too_many_lists());
    }
    let new: u64 = read.iter().map(|revocation| u64::from(revocation.entries)).sum();
    if u64::from(total(context, store.id)) + new > ENTRIES_MAX {
        return Err(too_many_entries());
    }
    let mut shown = Vec::with_capacity(read.len());
    for revocation in read {
        store.last_revocation += 1;
        let described = render(context, &store, (store.last_revocation, &revocation));
        shown.push(shapes::TrustStoreRevocation {
            number_of_revoked_entries: described.number_of_revoked_entries,
            revocation_id: described.revocation_id,
            revocation_type: described.revocation_type,
            trust_store_arn: described.trust_store_arn,
        });
        context.edit().trust_store_revocations.insert((store.id, store.last_revocation), revocation);
    }
    context.edit().trust_stores.insert(store.id, store);
    Ok(shown)
}

/// The lists that a request selects.
pub(super) fn select(
    context: &Context<'_>,
    input: &shapes::DescribeTrustStoreRevocationsInput,
) -> Result<Vec<shapes::DescribeTrustStoreRevocation>, Fault> {
    let store = fault::trust_store(context, &input.trust_store_arn)?;
    match input.revocation_ids.as_deref().unwrap_or_default() {
        [] => {
            let all = context.estate().revocations(store.id);
            Ok(all.map(|(id, revocation)| render(context, &store, (id, revocation))).collect())
        }
        ids => {
            let found =
                |id: &i64| find(context, store.id, *id).map(|found| render(context, &store, (found.0, &found.1)));
            ids.iter().map(found).collect()
        }
    }
}

/// Removes lists: all of those that are named, or none.
pub(super) fn remove(context: &mut Context<'_>, input: &shapes::RemoveTrustStoreRevocationsInput) -> Result<(), Fault> {
    let store = fault::trust_store(context, &input.trust_store_arn)?.id;
    for id in &input.revocation_ids {
        let (id, _) = find(context, store, *id)?;
        context.edit().trust_store_revocations.remove(&(store, id));
    }
    Ok(())
}

/// Removes all lists of a trust store that goes.
pub(super) fn forget_all(context: &mut Context<'_>, store: TrustStoreId) {
    let ids: Vec<u64> = context.estate().revocations(store).map(|(id, _)| id).collect();
    for id in ids {
        context.edit().trust_store_revocations.remove(&(store, id));
    }
}

/// Where a file of revocation lists can be fetched for a while.
pub(super) fn location(context: &Context<'_>, arn: &str, id: i64) -> Result<String, Fault> {
    let store = fault::trust_store(context, arn)?.id;
    let (id, _) = find(context, store, id)?;
    Ok(context.address_of(&Presigned { realm: context.realm().clone(), store, content: Content::Revocation(id) }))
}

/// `TotalRevokedEntries`
pub(super) fn total(context: &Context<'_>, store: TrustStoreId) -> u32 {
    context.estate().revocations(store).map(|(_, revocation)| revocation.entries).sum()
}

fn find(context: &Context<'_>, store: TrustStoreId, id: i64) -> Result<(u64, Arc<Revocation>), Fault> {
    let known = u64::try_from(id).ok().and_then(|id| {
        let found = context.estate().trust_store_revocations.get(&(store, id))?;
        Some((id, Arc::clone(found)))
    });
    known.ok_or_else(|| {
        let text = format!("The specified revocation ID does not exist: {id}");
        Fault::new("RevocationIdNotFound", 400, text)
    })
}

fn render(
    context: &Context<'_>,
    store: &TrustStore,
    (id, revocation): (u64, &Revocation),
) -> shapes::DescribeTrustStoreRevocation {
    shapes::DescribeTrustStoreRevocation {
        number_of_revoked_entries: Some(revocation.entries.into()),
        revocation_id: Some(i64::try_from(id).unwrap_or(i64::MAX)),
        revocation_type: Some(KIND.to_owned()),
        trust_store_arn: Some(fault::trust_store_arn(context, store)),
    }
}
