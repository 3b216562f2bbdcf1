//! What is said where an agent is enrolled: the token as text, the name of an agent in its certificate, and the one request and the one
//! answer of an enrolment. Both ends read with what stands here (docs/link-protocol.md). Who is let in is decided elsewhere.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use topology::id::{AgentId, AuthorityPin, Realm, VpcId, Zone};
use topology::net::Ipv4Net;

use crate::agent::TokenSecret;

/// What every token begins with.
pub const TOKEN_PREFIX: &str = "tga1.";
/// The only version of a token's form that there is.
const TOKEN_VERSION: u8 = 1;
/// Bytes of the sum at the end of a token, by which one that was cut or altered is known as such.
const SUM_BYTES: usize = 4;
/// Characters of a token: its parts have 134 bytes at most. Above: it is none.
pub const TOKEN_CHARS_MAX: usize = 256;
/// The version of the messages of an enrolment.
pub const ENROLMENT_VERSION: u32 = 1;
/// Bytes of a message of an enrolment, its length not counted. A certificate with its authority has some 2 KiB. Above: the connection is
/// closed.
pub const ENROLMENT_BYTES_MAX: usize = 16 * 1024;
/// The name by which a gateway is known to agents, whatever host they reach it at.
pub const GATEWAY_NAME: &str = "gateway.tidegate.link";

/// The pin of the authority that has this public key, in DER.
#[must_use]
pub fn pin_of_key(public_key: &[u8]) -> AuthorityPin {
    AuthorityPin::from_bytes(Sha256::digest(public_key).into())
}

/// A token: whose agent it makes, what proves that, and whom to say it to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The realm of the VPC.
    pub realm: Realm,
    /// What proves it.
    pub secret: TokenSecret,
    /// The authority of the gateway that made it.
    pub pin: AuthorityPin,
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// It is something else.
    #[error("it is no token: one begins with {TOKEN_PREFIX}")]
    Foreign,
    /// A part of it is missing or other.
    #[error("the token was cut or altered; copy the whole line that `tidegate agent token` printed")]
    Altered,
    /// A newer program made it.
    #[error("the token is of a newer form; this program is too old for that server")]
    Newer,
}

impl Token {
    /// As one line, with the secret in it: for whoever asked for the token, and for nobody's log.
    #[must_use]
    pub fn expose(&self) -> String {
        let mut bytes = vec![TOKEN_VERSION];
        bytes.extend(self.secret.expose());
        bytes.extend(self.pin.as_bytes());
        bytes.extend(self.realm.to_string().bytes());
        let sum = Sha256::digest(&bytes);
        bytes.extend(sum.iter().take(SUM_BYTES));
        format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let coded = text.strip_prefix(TOKEN_PREFIX).ok_or(TokenError::Foreign)?;
        if text.len() > TOKEN_CHARS_MAX {
            return Err(TokenError::Altered);
        }
        let bytes = URL_SAFE_NO_PAD.decode(coded).map_err(|_| TokenError::Altered)?;
        let (said, sum) = bytes.split_last_chunk::<SUM_BYTES>().ok_or(TokenError::Altered)?;
        if !Sha256::digest(said).starts_with(sum) {
            return Err(TokenError::Altered);
        }
        let (version, rest) = said.split_first().ok_or(TokenError::Altered)?;
        if *version != TOKEN_VERSION {
            return Err(TokenError::Newer);
        }
        let (secret, rest) = rest.split_first_chunk::<32>().ok_or(TokenError::Altered)?;
        let (pin, realm) = rest.split_first_chunk::<32>().ok_or(TokenError::Altered)?;
        let realm = std::str::from_utf8(realm).ok().and_then(realm_of).ok_or(TokenError::Altered)?;
        Ok(Self { realm, secret: TokenSecret::from_bytes(*secret), pin: AuthorityPin::from_bytes(*pin) })
    }
}

/// `ACCOUNT/REGION`.
fn realm_of(text: &str) -> Option<Realm> {
    let (account, region) = text.split_once('/')?;
    Some(Realm { account: account.parse().ok()?, region: region.parse().ok()? })
}

/// Whose a certificate is: `tidegate://ACCOUNT/REGION/agent/ID?generation=N`, its one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentName {
    /// The realm.
    pub realm: Realm,
    /// The agent.
    pub agent: AgentId,
    /// Which of its certificates.
    pub generation: u64,
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tidegate://{}/agent/{}?generation={}", self.realm, self.agent, self.generation)
    }
}

/// The name of no agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it is the name of no agent")]
pub struct NoAgentName;

impl FromStr for AgentName {
    type Err = NoAgentName;

    fn from_str(text: &str) -> Result<Self, NoAgentName> {
        let read = || {
            let (realm, rest) = text.strip_prefix("tidegate://")?.split_once("/agent/")?;
            let (agent, generation) = rest.split_once("?generation=")?;
            let name =
                Self { realm: realm_of(realm)?, agent: agent.parse().ok()?, generation: generation.parse().ok()? };
            // One spelling only.
            (name.to_string() == text).then_some(name)
        };
        read().ok_or(NoAgentName)
    }
}

/// Bytes as base64 in a message.
mod coded {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::Deserialize as _;

    pub(super) fn serialize<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}

/// What an agent asks that is to be enrolled.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRequest {
    /// [`ENROLMENT_VERSION`].
    pub version: u32,
    #[serde(with = "coded")]
    secret: Vec<u8>,
    /// The blocks of the VPC that are real addresses in its network.
    pub native: Vec<Ipv4Net>,
    /// Its request for a certificate (PKCS#10), in DER.
    #[serde(with = "coded")]
    pub csr: Vec<u8>,
}

impl fmt::Debug for EnrolmentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolmentRequest").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Why a message is none of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnrolmentError {
    /// The other end speaks another version.
    #[error("the other end enrols by version {0} of the protocol, this one by version {ENROLMENT_VERSION}")]
    Version(u64),
    /// It cannot be read. What stands in it may be a secret, so it is not told.
    #[error("the message cannot be read")]
    Unreadable,
}

impl EnrolmentRequest {
    /// A request with this secret.
    #[must_use]
    pub fn new(secret: &TokenSecret, native: &[Ipv4Net], csr: Vec<u8>) -> Self {
        Self { version: ENROLMENT_VERSION, secret: secret.expose().to_vec(), native: native.to_vec(), csr }
    }

    /// Reads what came in a frame.
    ///
    /// # Errors
    /// See [`EnrolmentError`].
    pub fn read(bytes: &[u8]) -> Result<Self, EnrolmentError> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let Version { version } = serde_json::from_slice(bytes).map_err(|_| EnrolmentError::Unreadable)?;
        if version != u64::from(ENROLMENT_VERSION) {
            return Err(EnrolmentError::Version(version));
        }
        let request: Self = serde_json::from_slice(bytes).map_err(|_| EnrolmentError::Unreadable)?;
        if request.secret.len() == 32 { Ok(request) } else { Err(EnrolmentError::Unreadable) }
    }

    /// What proves its token.
    #[must_use]
    pub fn secret(&self) -> TokenSecret {
        let mut secret = [0; 32];
        secret.iter_mut().zip(&self.secret).for_each(|(to, from)| *to = *from);
        TokenSecret::from_bytes(secret)
    }
}

/// What a gateway answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EnrolmentAnswer {
    /// It is enrolled.
    Enrolled(Box<Enrolled>),
    /// It is not.
    Refused(Refusal),
}

/// Who it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// Its id.
    pub agent: AgentId,
    /// The realm of its VPC.
    pub realm: Realm,
    /// The VPC that it carries.
    pub vpc: VpcId,
    /// The zones in which it does; empty is every zone of the VPC.
    pub zones: BTreeSet<Zone>,
    /// Which certificate it is.
    pub generation: u64,
    /// The certificate, in PEM.
    pub certificate: String,
    /// Those of the authorities that it is to believe, in PEM.
    pub authority: String,
    /// By what cookies of the load balancers of its VPC are sealed, in Base64.
    pub cookie_key: String,
    /// How long a connection that is dropped stays silent, in milliseconds, where the server does not do as AWS does.
    pub blocked_connect_ms: Option<u64>,
}

/// Why it is not enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// A word for programs.
    pub code: String,
    /// A sentence for a person.
    pub message: String,
}

impl EnrolmentAnswer {
    /// Reads what came in a frame.
    ///
    /// # Errors
    /// See [`EnrolmentError`].
    pub fn read(bytes: &[u8]) -> Result<Self, EnrolmentError> {
        serde_json::from_slice(bytes).map_err(|_| EnrolmentError::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realm() -> Realm {
        Realm { account: "000000000012".parse().unwrap(), region: "eu-central-1".parse().unwrap() }
    }

    fn token() -> Token {
        Token { realm: realm(), secret: TokenSecret::from_bytes([0xa5; 32]), pin: pin_of_key(b"a key") }
    }

    #[test]
    fn a_token_reads_back_what_it_says_and_tells_nothing_of_it() {
        let text = token().expose();
        assert!(text.len() <= TOKEN_CHARS_MAX && text.starts_with("tga1.") && !text.contains(['\n', ' ', '=']));
        assert_eq!(text.parse(), Ok(token()));
        assert!(!format!("{:?}", token()).contains("165"), "{:?}", token());
        let longest = Token { realm: Realm { region: "a".repeat(32).parse().unwrap(), ..realm() }, ..token() };
        assert!(longest.expose().len() <= TOKEN_CHARS_MAX);
        assert_eq!(longest.expose().parse(), Ok(longest));
    }

    #[test]
    fn a_token_that_was_altered_anywhere_is_refused() {
        let text = token().expose();
        let mut refused = 0;
        for at in 0..text.len() {
            for other in ['A', 'B', '-', '.', ' '] {
                let mut altered: Vec<char> = text.chars().collect();
                if std::mem::replace(&mut altered[at], other) != other {
                    let altered: String = altered.into_iter().collect();
                    // The last character may hold bits that stand for nothing; those must be zero.
                    assert!(altered.parse::<Token>().is_err(), "{at} {other}");
                    refused += 1;
                }
            }
            assert!(text[..at].parse::<Token>().is_err(), "cut at {at}");
        }
        assert!(refused > 600);
        for (text, why) in [
            ("", TokenError::Foreign),
            ("tga2.AAAA", TokenError::Foreign),
            ("tga1.", TokenError::Altered),
            (&format!("{text}{text}"), TokenError::Altered),
            (&format!("tga1.{}", "A".repeat(1 << 20)), TokenError::Altered),
        ] {
            assert_eq!(text.parse::<Token>(), Err(why));
        }
    }

    #[test]
    fn a_token_of_a_newer_form_is_told_apart() {
        let mut bytes = URL_SAFE_NO_PAD.decode(token().expose().strip_prefix(TOKEN_PREFIX).unwrap()).unwrap();
        bytes.truncate(bytes.len() - SUM_BYTES);
        bytes[0] = 2;
        let sum = Sha256::digest(&bytes);
        bytes.extend(&sum[..SUM_BYTES]);
        let text = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(text.parse::<Token>(), Err(TokenError::Newer));
    }

    #[test]
    fn the_name_of_an_agent_has_one_spelling() {
        let name = AgentName { realm: realm(), agent: AgentId::from_bits(0xabc), generation: 7 };
        let text = "tidegate://000000000012/eu-central-1/agent/agent-00000000000000abc?generation=7";
        assert_eq!(name.to_string(), text);
        assert_eq!(text.parse(), Ok(name));
        for near in [
            "",
            &text.replace("=7", "=07"),
            &text.replace("=7", "=+7"),
            &text.replace("=7", "=7&x=1"),
            &text.replace("=7", "=99999999999999999999"),
            &text.replace("tidegate:", "https:"),
            &text.replace("/agent/agent-", "/agent/vpc-"),
            &text.replace("abc", "ABC"),
            &text.replace("000000000012", "12"),
        ] {
            assert_eq!(near.parse::<AgentName>(), Err(NoAgentName), "{near}");
        }
    }

    #[test]
    fn a_request_reads_back_and_nothing_else_does() {
        let request = EnrolmentRequest::new(&token().secret, &["10.0.0.0/24".parse().unwrap()], vec![1, 2, 3]);
        let text = serde_json::to_string(&request).unwrap();
        let read = EnrolmentRequest::read(text.as_bytes()).unwrap();
        assert_eq!((&read, read.secret()), (&request, token().secret));
        assert!(!format!("{request:?}").contains("165"));
        for (other, why) in [
            ("{}".to_owned(), EnrolmentError::Unreadable),
            ("[1]".to_owned(), EnrolmentError::Unreadable),
            (text.replace("\"version\":1", "\"version\":2"), EnrolmentError::Version(2)),
            (text.replace("\"version\":1", "\"version\":-1"), EnrolmentError::Unreadable),
            (text.replace("\"version\":1", "\"version\":1,\"more\":1"), EnrolmentError::Unreadable),
            (text.replace("10.0.0.0/24", "10.0.0.0/33"), EnrolmentError::Unreadable),
            (text.replace("pa", ""), EnrolmentError::Unreadable),
            (text.replace("AQID", "AQI"), EnrolmentError::Unreadable),
            (text[..text.len() - 1].to_owned(), EnrolmentError::Unreadable),
            (format!("{text}x"), EnrolmentError::Unreadable),
        ] {
            assert_eq!(EnrolmentRequest::read(other.as_bytes()).unwrap_err(), why, "{other}");
        }
    }

    #[test]
    fn an_answer_is_one_of_two() {
        let enrolled = EnrolmentAnswer::Enrolled(Box::new(Enrolled {
            agent: AgentId::from_bits(1),
            realm: realm(),
            vpc: VpcId::from_bits(2),
            zones: BTreeSet::from(["eu-central-1a".parse().unwrap()]),
            generation: 1,
            certificate: "one".to_owned(),
            authority: "two".to_owned(),
            cookie_key: "three".to_owned(),
            blocked_connect_ms: Some(2_000),
        }));
        let refused = EnrolmentAnswer::Refused(Refusal { code: "TOKEN_USED".to_owned(), message: "why".to_owned() });
        for answer in [enrolled, refused] {
            let text = serde_json::to_vec(&answer).unwrap();
            assert_eq!(EnrolmentAnswer::read(&text), Ok(answer));
        }
        for other in ["{}", "null", r#"{"code":"A"}"#, r#"{"code":"A","message":"b","more":1}"#] {
            assert_eq!(EnrolmentAnswer::read(other.as_bytes()), Err(EnrolmentError::Unreadable), "{other}");
        }
    }
}
