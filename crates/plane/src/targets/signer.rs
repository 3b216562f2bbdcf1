//! What targets are told of a user: claims that the load balancer signs, with a key whose public half anyone may read (ALB user guide,
//! "User claims encoding and signature verification", 2026-11). The key is of this run.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// How long a target may believe what it is told: two minutes. Ours; AWS does not say.
const BELIEVED_S: u64 = 120;

/// A key and its name.
#[derive(Debug)]
struct Key {
    pair: EcdsaKeyPair,
    kid: String,
    pem: String,
}

/// Signs claims.
#[derive(Debug, Default)]
pub(crate) struct Signer(OnceLock<Option<Key>>);

/// What stands in the header beside the key.
pub(crate) struct Told<'a> {
    /// The load balancer's ARN.
    pub(crate) signer: &'a str,
    /// The issuer.
    pub(crate) issuer: &'a str,
    /// The client's id.
    pub(crate) client: &'a str,
    /// What the provider says: a JSON object.
    pub(crate) claims: &'a str,
}

impl Signer {
    fn key(&self) -> Option<&Key> {
        self.0.get_or_init(make).as_ref()
    }

    /// The public half of the key of this name, in PEM.
    pub(crate) fn public(&self, kid: &str) -> Option<String> {
        self.key().filter(|key| key.kid == kid).map(|key| key.pem.clone())
    }

    /// The claims as a signed token, with the padding that AWS leaves in it.
    pub(crate) fn sign(&self, told: &Told<'_>, now_s: u64) -> Option<String> {
        let key = self.key()?;
        let header = json!({
            "typ": "JWT", "alg": "ES256", "kid": key.kid, "iss": told.issuer, "client": told.client, "signer": told.signer,
            "exp": now_s + BELIEVED_S,
        });
        let signed = format!("{}.{}", URL_SAFE.encode(header.to_string()), URL_SAFE.encode(told.claims));
        let signature = key.pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", URL_SAFE.encode(signature)))
    }
}

fn make() -> Option<Key> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
    let hex: String = Sha256::digest(public.as_ref()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let kid = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    let text = STANDARD.encode(public.as_ref());
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    Some(Key { pair, kid, pem })
}
