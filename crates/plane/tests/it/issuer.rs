//! An issuer of tokens on loopback: RSA keys of its own, a discovery document and a JWKS, and tokens of whatever kind a test
//! wants to see refused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// Now, in seconds.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Two keys, made once: making them is slow.
fn key(at: usize) -> &'static EncodingKey {
    static KEYS: [OnceLock<EncodingKey>; 2] = [OnceLock::new(), OnceLock::new()];
    KEYS[at].get_or_init(|| {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap()
    })
}

/// The public half of a key, as a JWKS lists it.
pub(crate) fn public(at: usize, kid: &str) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key(at), Algorithm::RS256).unwrap()).unwrap();
    let members = jwk.as_object_mut().unwrap();
    members.remove("alg");
    members.insert("kid".into(), kid.into());
    members.insert("use".into(), "sig".into());
    jwk
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

/// A token with this header and payload, signed by the key.
pub(crate) fn signed(at: usize, algorithm: Algorithm, header: &Value, payload: &Value) -> String {
    let message = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(payload.to_string().as_bytes()));
    let signature = crypto::sign(message.as_bytes(), key(at), algorithm).unwrap();
    format!("{message}.{signature}")
}

/// A token with this text for a signature.
pub(crate) fn with_signature(header: &Value, payload: &Value, signature: &str) -> String {
    let message = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(payload.to_string().as_bytes()));
    format!("{message}.{signature}")
}

/// An issuer that serves.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    discoveries: Arc<AtomicUsize>,
    fetches: Arc<AtomicUsize>,
    answers: Arc<Mutex<Answers>>,
}

/// What it answers.
struct Answers {
    is_down: bool,
    is_silent: bool,
    discovery: Option<String>,
    jwks: String,
}

impl Issuer {
    /// An issuer whose first key is published as `first`.
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Answers {
            is_down: false,
            is_silent: false,
            discovery: None,
            jwks: json!({ "keys": [public(0, "first")] }).to_string(),
        };
        let issuer =
            Self { url, discoveries: Arc::default(), fetches: Arc::default(), answers: Arc::new(Mutex::new(answers)) };
        let serving = issuer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let issuer = serving.clone();
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let mut line = String::new();
                    let mut asked = String::new();
                    while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
                        if asked.is_empty() {
                            asked.clone_from(&line);
                        }
                        line.clear();
                    }
                    if let Some(answer) = issuer.answer(&asked) {
                        let _ = stream.get_mut().write_all(answer.as_bytes()).await;
                    } else if issuer.answers.lock().unwrap().is_silent {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        issuer
    }

    fn answer(&self, asked: &str) -> Option<String> {
        let answers = self.answers.lock().unwrap();
        let body = if asked.contains("/.well-known/openid-configuration ") {
            self.discoveries.fetch_add(1, Ordering::SeqCst);
            let own = || json!({ "issuer": self.url, "jwks_uri": format!("{}/keys", self.url) }).to_string();
            answers.discovery.clone().unwrap_or_else(own)
        } else {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            answers.jwks.clone()
        };
        if answers.is_down || answers.is_silent {
            return None;
        }
        if body.starts_with("HTTP/1.1 ") {
            return Some(body);
        }
        Some(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    }

    /// Publishes these keys, each a key's number and its `kid`.
    pub(crate) fn publish(&self, keys: &[(usize, &str)]) {
        let keys: Vec<_> = keys.iter().map(|(at, kid)| public(*at, kid)).collect();
        self.answers.lock().unwrap().jwks = json!({ "keys": keys }).to_string();
    }

    /// Answers this instead of the keys; with a status line in front, as it stands.
    pub(crate) fn jwks(&self, text: &str) {
        text.clone_into(&mut self.answers.lock().unwrap().jwks);
    }

    /// Answers this instead of the discovery document.
    pub(crate) fn discovery(&self, text: &str) {
        self.answers.lock().unwrap().discovery = Some(text.to_owned());
    }

    /// Takes connections and closes them without an answer, or answers again.
    pub(crate) fn down(&self, is_down: bool) {
        self.answers.lock().unwrap().is_down = is_down;
    }

    /// Takes connections and never answers them.
    pub(crate) fn silent(&self) {
        self.answers.lock().unwrap().is_silent = true;
    }

    /// How often each document was asked for.
    pub(crate) fn asked(&self) -> (usize, usize) {
        (self.discoveries.load(Ordering::SeqCst), self.fetches.load(Ordering::SeqCst))
    }

    /// What a good token says, with these changes; a null takes a claim away.
    pub(crate) fn payload(&self, changes: Value) -> Value {
        let mut payload = json!({ "iss": self.url, "aud": "shop", "exp": now() + 600, "sub": "ann", "scope": "read" });
        let members = payload.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.clone(), value.clone());
            }
        }
        payload
    }

    /// A token that is good but for these changes.
    pub(crate) fn token(&self, changes: Value) -> String {
        signed(0, Algorithm::RS256, &json!({ "alg": "RS256", "kid": "first" }), &self.payload(changes))
    }
}
