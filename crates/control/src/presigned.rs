//! Addresses of the API port under which whoever has one fetches what a trust store holds, for a while: what AWS gives as pre-signed
//! URLs of S3 (ELBv2 API reference, GetTrustStoreCaCertificatesBundle, 2026-11). An address carries its end and a signature by a key that
//! this run of the server keeps to itself, so that nothing has to be kept for it. Who may ask for one is decided where it is made.

use std::fmt::Write as _;
use std::sync::Arc;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use topology::estate::Estate;
use topology::id::{Realm, TrustStoreId};
use topology::time::Moment;

/// Where such addresses begin, behind the API port's own.
pub const PREFIX: &str = "/_tidegate/elb-trust-stores/";
/// How long an address leads anywhere: ten minutes, as AWS's.
const LASTS_MS: i64 = 600_000;

/// What an address leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Presigned {
    /// Whose trust store.
    pub(crate) realm: Realm,
    /// Which one.
    pub(crate) store: TrustStoreId,
    /// What of it.
    pub(crate) content: Content,
}

/// What of a trust store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// The certificates of its authorities.
    Bundle,
    /// The revocation lists with this id.
    Revocation(u64),
}

/// Why an address leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dead {
    /// It was not made here, or by an earlier run.
    Forged,
    /// Its time is over.
    Expired,
    /// What it leads to is gone.
    Gone,
}

/// Signs addresses, and knows its own again.
#[derive(Clone)]
pub(crate) struct Signer([u8; 32]);

impl std::fmt::Debug for Signer {
    /// Without the key, which no log may hold.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    pub(crate) const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The path and query of an address.
    pub(crate) fn path(&self, of: &Presigned, now: Moment) -> String {
        let signed = signed(of, now.plus_ms(LASTS_MS));
        let signature = self.mac(&signed).finalize().into_bytes().iter().fold(String::new(), |mut out, byte| {
            // Writing to a String cannot fail.
            let _ = write!(out, "{byte:02x}");
            out
        });
        format!("{PREFIX}{signed}&Signature={signature}")
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(signed.as_bytes());
        mac
    }

    /// What an address leads to: the path and the query behind [`PREFIX`].
    pub(crate) fn fetch(&self, address: &str, estate: &Estate, now: Moment) -> Result<Arc<str>, Dead> {
        let (signed, signature) = address.rsplit_once("&Signature=").ok_or(Dead::Forged)?;
        let signature = bytes(signature).ok_or(Dead::Forged)?;
        self.mac(signed).verify_slice(&signature).map_err(|_| Dead::Forged)?;
        let (of, end) = read(signed).ok_or(Dead::Forged)?;
        if end < now {
            return Err(Dead::Expired);
        }
        let estate = estate.realms.get(&of.realm).ok_or(Dead::Gone)?;
        let found = match of.content {
            Content::Bundle => estate.trust_stores.get(&of.store).map(|store| &store.bundle),
            Content::Revocation(id) => estate.trust_store_revocations.get(&(of.store, id)).map(|held| &held.lists),
        };
        found.map(Arc::clone).ok_or(Dead::Gone)
    }
}

/// What is signed: everything but the signature.
fn signed(of: &Presigned, end: Moment) -> String {
    let Presigned { realm: Realm { account, region }, store, content } = of;
    let content = match content {
        Content::Bundle => "ca-certificates-bundle".to_owned(),
        Content::Revocation(id) => format!("revocations/{id}"),
    };
    format!("{account}/{region}/{store}/{content}?Expires={}", end.0)
}

/// Reads what was signed here.
fn read(signed: &str) -> Option<(Presigned, Moment)> {
    let (path, end) = signed.split_once("?Expires=")?;
    let mut parts = path.splitn(4, '/');
    let realm = Realm { account: parts.next()?.parse().ok()?, region: parts.next()?.parse().ok()? };
    let store = parts.next()?.parse().ok()?;
    let content = match parts.next()? {
        "ca-certificates-bundle" => Content::Bundle,
        other => Content::Revocation(other.strip_prefix("revocations/")?.parse().ok()?),
    };
    Some((Presigned { realm, store, content }, Moment(end.parse().ok()?)))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    hex.as_bytes().chunks(2).map(|pair| Some((digit(*pair.first()?)? << 4) | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use topology::estate::RealmEstate;
    use topology::resource::trust_store::{Revocation, TrustStore};

    use super::*;

    #[test]
    fn an_address_leads_to_its_content_until_its_end_and_no_other_does() {
        let realm = Realm { account: "123456789012".parse().unwrap(), region: "eu-west-1".parse().unwrap() };
        let id = TrustStoreId::from_bits(9);
        let mut held = RealmEstate::default();
        let tags = topology::resource::Tags::default();
        let (name, bundle) = ("clients".to_owned(), "bundle".into());
        held.trust_stores.insert(id, TrustStore { id, name, bundle, certificates: 1, last_revocation: 2, tags });
        held.trust_store_revocations.insert((id, 2), Revocation { lists: "lists".into(), entries: 1 });
        let estate = Estate { realms: [(realm.clone(), Arc::new(held))].into() };
        let (signer, now) = (Signer::new([1; 32]), Moment(1_000));
        let of = |content| Presigned { realm: realm.clone(), store: id, content };
        let address = |content| signer.path(&of(content), now).strip_prefix(PREFIX).unwrap().to_owned();
        let fetch = |address: &str, now| signer.fetch(address, &estate, now).map(|text| text.to_string());
        let (bundle, list) = (address(Content::Bundle), address(Content::Revocation(2)));
        assert_eq!(fetch(&bundle, now), Ok("bundle".to_owned()));
        assert_eq!(fetch(&list, now.plus_ms(LASTS_MS)), Ok("lists".to_owned()));
        assert_eq!(fetch(&list, now.plus_ms(LASTS_MS + 1)), Err(Dead::Expired));
        assert_eq!(fetch(&address(Content::Revocation(1)), now), Err(Dead::Gone));
        let longer = list.replace("Expires=601000", "Expires=901000");
        assert_ne!(longer, list);
        let other = Signer::new([2; 32]).path(&of(Content::Bundle), now);
        for forged in [&longer, &list.replace("/2?", "/1?"), &list[..list.len() - 2], "", &other[PREFIX.len()..]] {
            assert_eq!(fetch(forged, now), Err(Dead::Forged), "{forged}");
        }
        assert!(!format!("{signer:?}").contains('1'));
    }
}
