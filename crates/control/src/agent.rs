//! Agents: who may carry a VPC from another machine. Our own, beside AWS's operations; used by `tidegate agent` and the link. Tokens, the
//! generations of certificates and what becomes of a copy are decided here; certificates and sockets are elsewhere.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use topology::estate::RealmEstate;
use topology::id::{AgentId, Realm, TokenHash, VpcId, Zone};
use topology::net::Ipv4Net;
use topology::resource::agent::{Agent, AgentToken, Bearer, Knows, Standing, TokenState};
use topology::time::Moment;
use wire::Fault;

use crate::mint::Mint;

/// How long a token is valid where nobody says.
pub const TOKEN_TTL: Duration = Duration::from_secs(15 * 60);
/// The shortest and the longest that may be said.
pub const TOKEN_TTL_RANGE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));
/// Agents of a VPC, those that are shut out among them; of these the oldest that is revoked gives way. Ours. Above: nobody is enrolled.
pub const AGENTS_PER_VPC_MAX: usize = 64;
/// Open tokens of a VPC, one for each choice of zones. Ours. Above: none is made.
pub const OPEN_TOKENS_PER_VPC_MAX: usize = 16;
/// Tokens of a VPC that can no longer be used and are known all the same, so that whoever comes with one hears why. Ours. The oldest give
/// way.
const CLOSED_TOKENS_PER_VPC_MAX: usize = 64;
/// Blocks of a VPC that are real addresses in an agent's network. Ours. Above: it is not enrolled.
pub const NATIVE_BLOCKS_MAX: usize = 32;

/// The secret of a token.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret([u8; 32]);

impl TokenSecret {
    /// The secret of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the token alone.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::from_bytes(Sha256::digest(self.0).into())
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A wish for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenWish {
    /// The VPC of whoever is enrolled with it.
    pub vpc: VpcId,
    /// The zones; empty is every zone of the VPC.
    pub zones: BTreeSet<Zone>,
    /// How long it is valid.
    pub ttl: Duration,
}

/// A token that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Its secret, which nobody has but whoever asked.
    pub secret: TokenSecret,
    /// When it expires.
    pub expires: Moment,
}

/// Why an agent is not let in, or a token not made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AgentError {
    /// There is no such VPC.
    #[error("there is no VPC {0} in this account and region")]
    UnknownVpc(VpcId),
    /// The region has no such zone.
    #[error("the region has no zone {0}")]
    UnknownZone(Zone),
    /// No token is valid for so long.
    #[error("ttl: a token is valid for 1 minute to 24 hours")]
    Ttl,
    /// Too many are open.
    #[error("{0} has {OPEN_TOKENS_PER_VPC_MAX} open tokens; use one, or wait until it expires")]
    TooManyTokens(VpcId),
    /// Too many are there.
    #[error("{0} has {AGENTS_PER_VPC_MAX} agents, and none that is revoked; revoke one first")]
    TooManyAgents(VpcId),
    /// Nobody made it, or it is long gone.
    #[error("this server knows no such token; make one with `tidegate agent token`")]
    TokenUnknown,
    /// It was used.
    #[error("the token was used already; each enrols one agent, so make another with `tidegate agent token`")]
    TokenUsed,
    /// A newer one took its place.
    #[error("a newer token for the same VPC and zones took this one's place; use that one")]
    TokenReplaced,
    /// It expired.
    #[error("the token has expired; make another with `tidegate agent token`")]
    TokenExpired,
    /// The VPC has no such addresses.
    #[error("native: {block} is not within a block of {vpc}")]
    NativeOutside {
        /// What was said to be real.
        block: Ipv4Net,
        /// The VPC.
        vpc: VpcId,
    },
    /// Too many blocks.
    #[error("native: more than {NATIVE_BLOCKS_MAX} blocks")]
    NativeTooMany,
    /// There is no such agent.
    #[error("there is no agent {0}")]
    UnknownAgent(AgentId),
    /// A person shut it out.
    #[error("{0} was revoked; enrol it again with a new token")]
    Revoked(AgentId),
    /// Two have its key.
    #[error(
        "{0} came with an older certificate than it had: somebody has a copy of its directory, so both are shut out; revoke it and enrol it again"
    )]
    Copied(AgentId),
    /// The certificate was the newest until a moment ago.
    #[error("{0} came with the certificate before its newest; it is to come with the newest")]
    Late(AgentId),
    /// It may still carry.
    #[error("{0} is not revoked; revoke it first")]
    NotRevoked(AgentId),
    /// The change could not be kept.
    #[error("the change could not be kept: {0}")]
    Store(String),
}

impl AgentError {
    /// The reason as a word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownVpc(_) | Self::UnknownAgent(_) => "NOT_FOUND",
            Self::UnknownZone(_) | Self::Ttl | Self::NativeOutside { .. } | Self::NativeTooMany => "MALFORMED",
            Self::TooManyTokens(_) => "TOO_MANY_TOKENS",
            Self::TooManyAgents(_) => "TOO_MANY_AGENTS",
            Self::TokenUnknown => "TOKEN_UNKNOWN",
            Self::TokenUsed => "TOKEN_USED",
            Self::TokenReplaced => "TOKEN_REPLACED",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::Revoked(_) => "AGENT_REVOKED",
            Self::Copied(_) => "AGENT_IDENTITY_COPIED",
            Self::Late(_) => "AGENT_GENERATION_LATE",
            Self::NotRevoked(_) => "AGENT_NOT_REVOKED",
            Self::Store(_) => "STORE",
        }
    }
}

impl From<Fault> for AgentError {
    fn from(fault: Fault) -> Self {
        Self::Store(fault.detail.unwrap_or(fault.message))
    }
}

/// What comes of a look at an agent that may itself change it: a copy that comes shuts the agent out, which is to be kept although
/// whoever came is refused.
pub(crate) type Judged<T> = Result<T, AgentError>;

/// Makes a token, in a draft. One that is open for the same VPC and zones is closed.
pub(crate) fn token(
    estate: &mut RealmEstate,
    mint: &mut Mint,
    realm: &Realm,
    (wish, now): (&TokenWish, Moment),
) -> Result<NewToken, AgentError> {
    let (vpc, (shortest, longest)) = (wish.vpc, TOKEN_TTL_RANGE);
    if !(shortest..=longest).contains(&wish.ttl) {
        return Err(AgentError::Ttl);
    }
    if !estate.vpcs.contains(&vpc) {
        return Err(AgentError::UnknownVpc(vpc));
    }
    let known = Zone::all(&realm.region);
    if let Some(unknown) = wish.zones.iter().find(|zone| !known.contains(zone)) {
        return Err(AgentError::UnknownZone(unknown.clone()));
    }
    let of_vpc = |state: TokenState| {
        let tokens = estate.agent_tokens.values().filter(move |token| token.vpc == vpc && token.state == state);
        tokens.filter(move |token| token.expires > now).map(|token| (token.hash, token.zones == wish.zones))
    };
    let open: Vec<(TokenHash, bool)> = of_vpc(TokenState::Open).collect();
    if open.iter().filter(|(_, is_same)| !is_same).count() >= OPEN_TOKENS_PER_VPC_MAX {
        return Err(AgentError::TooManyTokens(vpc));
    }
    for (hash, _) in open.into_iter().filter(|(_, is_same)| *is_same) {
        close(estate, hash, TokenState::Replaced);
    }
    let secret = TokenSecret(mint.secret_bytes());
    let ttl_ms = i64::try_from(wish.ttl.as_millis()).map_err(|_| AgentError::Ttl)?;
    let (hash, expires) = (secret.hash(), now.plus_ms(ttl_ms));
    let token = AgentToken { hash, vpc, zones: wish.zones.clone(), expires, state: TokenState::Open };
    estate.agent_tokens.insert(hash, token);
    forget_tokens(estate, vpc, now);
    Ok(NewToken { secret, expires })
}

fn close(estate: &mut RealmEstate, hash: TokenHash, state: TokenState) {
    if let Some(token) = estate.agent_tokens.edit(&hash) {
        token.state = state;
    }
}

/// Forgets what can no longer be used, but the newest of it.
fn forget_tokens(estate: &mut RealmEstate, vpc: VpcId, now: Moment) {
    let is_closed = |token: &AgentToken| token.state != TokenState::Open || token.expires <= now;
    let tokens = estate.agent_tokens.values().filter(|token| token.vpc == vpc && is_closed(token));
    let mut closed: Vec<(Moment, TokenHash)> = tokens.map(|token| (token.expires, token.hash)).collect();
    closed.sort();
    let over = closed.len().saturating_sub(CLOSED_TOKENS_PER_VPC_MAX);
    for (_, hash) in closed.into_iter().take(over) {
        estate.agent_tokens.remove(&hash);
    }
}

/// Enrols an agent and uses its token up, in a draft.
pub(crate) fn enrol(
    estate: &mut RealmEstate,
    mint: &mut Mint,
    (secret, native, knows): (&TokenSecret, &[Ipv4Net], &Knows),
    now: Moment,
) -> Result<Agent, AgentError> {
    let token = estate.agent_tokens.get(&secret.hash()).cloned().ok_or(AgentError::TokenUnknown)?;
    match token.state {
        TokenState::Used => return Err(AgentError::TokenUsed),
        TokenState::Replaced => return Err(AgentError::TokenReplaced),
        TokenState::Open if token.expires <= now => return Err(AgentError::TokenExpired),
        TokenState::Open => {}
    }
    let native = real(estate, token.vpc, native)?;
    make_room(estate, token.vpc)?;
    let id = loop {
        let id = AgentId::from_bits(mint.wide());
        if !estate.agents.contains(&id) {
            break id;
        }
    };
    let agent = Agent {
        id,
        vpc: token.vpc,
        zones: token.zones.clone(),
        native,
        generation: 1,
        fallback: None,
        since: now,
        standing: Standing::Active,
        knows: knows.clone(),
        enrolled: now,
    };
    close(estate, token.hash, TokenState::Used);
    forget_tokens(estate, token.vpc, now);
    estate.agents.insert(id, agent.clone());
    Ok(agent)
}

/// The blocks of a VPC that are real, each within one of its own.
fn real(estate: &RealmEstate, vpc: VpcId, native: &[Ipv4Net]) -> Result<Vec<Ipv4Net>, AgentError> {
    let blocks: BTreeSet<Ipv4Net> = native.iter().map(Ipv4Net::trunc).collect();
    if blocks.len() > NATIVE_BLOCKS_MAX {
        return Err(AgentError::NativeTooMany);
    }
    let held = estate.vpcs.get(&vpc).ok_or(AgentError::UnknownVpc(vpc))?;
    let is_held = |block: &Ipv4Net| held.cidrs().any(|(_, cidr)| cidr.contains(block));
    match blocks.iter().find(|block| !is_held(block)) {
        Some(outside) => Err(AgentError::NativeOutside { block: *outside, vpc }),
        None => Ok(blocks.into_iter().collect()),
    }
}

/// Forgets the oldest agent that is revoked where there are as many as there may be.
fn make_room(estate: &mut RealmEstate, vpc: VpcId) -> Result<(), AgentError> {
    let of_vpc: Vec<_> = estate.agents.values().filter(|agent| agent.vpc == vpc).collect();
    if of_vpc.len() < AGENTS_PER_VPC_MAX {
        return Ok(());
    }
    let revoked = of_vpc.iter().filter(|agent| agent.standing == Standing::Revoked);
    let oldest = revoked.min_by_key(|agent| agent.enrolled).map(|agent| agent.id);
    estate.agents.remove(&oldest.ok_or(AgentError::TooManyAgents(vpc))?);
    Ok(())
}

/// Lets an agent in that comes with a certificate of this generation, in a draft. The newest, once it came, leaves no other valid; one
/// that is newer than what is known is the newest from then on.
pub(crate) fn admit(
    estate: &mut RealmEstate,
    (id, generation): (AgentId, u64),
    now: Moment,
) -> Result<Judged<Agent>, AgentError> {
    let agent = standing(estate, id)?;
    match agent.bearer(generation, now) {
        Bearer::Ahead => {
            let settled = Agent { generation, fallback: None, since: now, ..agent };
            estate.agents.insert(id, settled.clone());
            Ok(Ok(settled))
        }
        Bearer::Newest if agent.fallback.is_some() => {
            let settled = Agent { fallback: None, since: now, ..agent };
            estate.agents.insert(id, settled.clone());
            Ok(Ok(settled))
        }
        Bearer::Newest | Bearer::Before => Ok(Ok(agent)),
        Bearer::Late => Err(AgentError::Late(id)),
        Bearer::Copy => Ok(Err(shut_out(estate, id))),
    }
}

/// Gives an agent the next generation, in a draft. Who has neither the newest nor the one before has a copy, or was copied.
pub(crate) fn renew(
    estate: &mut RealmEstate,
    (id, generation): (AgentId, u64),
    knows: &Knows,
    now: Moment,
) -> Result<Judged<u64>, AgentError> {
    let agent = standing(estate, id)?;
    match agent.bearer(generation, now) {
        Bearer::Newest | Bearer::Before | Bearer::Ahead => {
            let next = agent.generation.max(generation) + 1;
            let (fallback, knows) = (Some(generation), knows.clone());
            estate.agents.insert(id, Agent { generation: next, fallback, since: now, knows, ..agent });
            Ok(Ok(next))
        }
        Bearer::Late | Bearer::Copy => Ok(Err(shut_out(estate, id))),
    }
}

/// An agent that may carry.
fn standing(estate: &RealmEstate, id: AgentId) -> Result<Agent, AgentError> {
    let agent = estate.agents.get(&id).ok_or(AgentError::UnknownAgent(id))?;
    match agent.standing {
        Standing::Active => Ok(Agent::clone(agent)),
        Standing::Quarantined => Err(AgentError::Copied(id)),
        Standing::Revoked => Err(AgentError::Revoked(id)),
        // No store holds one: it is an agent's own word for itself.
        Standing::Here => Err(AgentError::UnknownAgent(id)),
    }
}

fn shut_out(estate: &mut RealmEstate, id: AgentId) -> AgentError {
    if let Some(agent) = estate.agents.edit(&id) {
        agent.standing = Standing::Quarantined;
    }
    AgentError::Copied(id)
}

/// Shuts an agent out until a person decides, in a draft. One that is revoked stays revoked.
pub(crate) fn quarantine(estate: &mut RealmEstate, id: AgentId) -> Result<(), AgentError> {
    let known = estate.agents.get(&id).ok_or(AgentError::UnknownAgent(id))?;
    if known.standing == Standing::Active {
        shut_out(estate, id);
    }
    Ok(())
}

/// Shuts an agent out for good, in a draft.
pub(crate) fn revoke(estate: &mut RealmEstate, id: AgentId) -> Result<Agent, AgentError> {
    let agent = estate.agents.edit(&id).ok_or(AgentError::UnknownAgent(id))?;
    agent.standing = Standing::Revoked;
    Ok(agent.clone())
}

/// Forgets a revoked agent, in a draft. A VPC without any is carried by the server itself again.
pub(crate) fn forget(estate: &mut RealmEstate, id: AgentId) -> Result<Agent, AgentError> {
    let agent = estate.agents.get(&id).cloned().ok_or(AgentError::UnknownAgent(id))?;
    if agent.standing != Standing::Revoked {
        return Err(AgentError::NotRevoked(id));
    }
    estate.agents.remove(&id);
    Ok(Agent::clone(&agent))
}

/// What goes with a VPC.
pub(crate) fn remove_of(estate: &mut RealmEstate, vpc: VpcId) {
    let agents = estate.agents.values().filter(|agent| agent.vpc == vpc).map(|agent| agent.id);
    for id in agents.collect::<Vec<_>>() {
        estate.agents.remove(&id);
    }
    let tokens = estate.agent_tokens.values().filter(|token| token.vpc == vpc).map(|token| token.hash);
    for hash in tokens.collect::<Vec<_>>() {
        estate.agent_tokens.remove(&hash);
    }
}
