//! Agents: our own resource. A process in a private network that dials out to the gateway and carries the interfaces of one VPC there,
//! and the tokens that such a process is enrolled with. What is known only while an agent is connected is no part of this.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::id::{AgentId, AuthorityPin, TokenHash, VpcId, Zone};
use crate::time::Moment;

/// How long after the newest generation first came an older one is late rather than a copy's, in milliseconds: a connection that was begun
/// with the one before may still be on its way.
pub const GENERATION_GRACE_MS: i64 = 60 * 1000;

/// Whether an agent may carry anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It may.
    Active,
    /// Somebody has a copy of its key: nobody may come with it until a person decides.
    Quarantined,
    /// A person has shut it out, for good.
    Revoked,
    /// It is the process that looks: in its own slice alone, never in a store.
    Here,
}

/// Which authorities of the link an agent knows by the newest certificate that it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knows {
    /// The one that made the certificate.
    pub issuer: AuthorityPin,
    /// Those by which it believes a gateway.
    pub trusted: BTreeSet<AuthorityPin>,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// The VPC whose interfaces it carries.
    pub vpc: VpcId,
    /// The zones in which it does; empty is every zone of the VPC.
    pub zones: BTreeSet<Zone>,
    /// The blocks of the VPC that are real addresses in its network.
    pub native: Vec<Ipv4Net>,
    /// The newest generation of its certificate: 1 at first, one more with each renewal.
    pub generation: u64,
    /// The generation that it came with last, as long as it has not come with the newest: it may have ended before it kept that one.
    pub fallback: Option<u64>,
    /// When it first came with the newest generation; before that, when this generation was given.
    pub since: Moment,
    /// Whether it may carry anything.
    pub standing: Standing,
    /// Which authorities it knows.
    pub knows: Knows,
    /// When it was enrolled.
    pub enrolled: Moment,
}

/// What the generation of a certificate says of whoever comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearer {
    /// It is the newest.
    Newest,
    /// It is the one before, and the newest has not come yet.
    Before,
    /// It is an older one, whose connection may have been under way when the newest came.
    Late,
    /// It is newer than what is known: the estate is older than the certificate, as one that was restored from a backup.
    Ahead,
    /// It is an older one: of two who have the key, one is a copy.
    Copy,
}

impl Agent {
    /// Who comes with this generation.
    #[must_use]
    pub fn bearer(&self, generation: u64, now: Moment) -> Bearer {
        if generation == self.generation {
            Bearer::Newest
        } else if self.fallback == Some(generation) {
            Bearer::Before
        } else if generation > self.generation {
            Bearer::Ahead
        } else if now.ms_since(self.since) < GENERATION_GRACE_MS {
            Bearer::Late
        } else {
            Bearer::Copy
        }
    }
}

/// What became of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenState {
    /// It may be used, until it expires.
    Open,
    /// An agent was enrolled with it.
    Used,
    /// A newer one for the same VPC and zones took its place.
    Replaced,
}

/// A token that one agent can be enrolled with, once. Of its secret only the hash is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentToken {
    /// The hash of its secret.
    pub hash: TokenHash,
    /// The VPC of whoever is enrolled with it.
    pub vpc: VpcId,
    /// The zones; empty is every zone of the VPC.
    pub zones: BTreeSet<Zone>,
    /// When it expires.
    pub expires: Moment,
    /// What became of it.
    pub state: TokenState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generation_says_who_comes() {
        let since = Moment(1_000_000);
        let agent = |generation, fallback| Agent {
            id: AgentId::from_bits(1),
            vpc: VpcId::from_bits(1),
            zones: BTreeSet::new(),
            native: Vec::new(),
            generation,
            fallback,
            since,
            standing: Standing::Active,
            knows: Knows { issuer: AuthorityPin::from_bytes([0; 32]), trusted: BTreeSet::new() },
            enrolled: since,
        };
        let (soon, later) = (since.plus_ms(GENERATION_GRACE_MS - 1), since.plus_ms(GENERATION_GRACE_MS));
        for (what, newest, fallback, comes_with, now, bearer) in [
            ("the first", 1, None, 1, soon, Bearer::Newest),
            ("the newest, for the first time", 5, Some(4), 5, later, Bearer::Newest),
            ("the one before, before the newest came", 5, Some(4), 4, later, Bearer::Before),
            ("one that was given and never came", 6, Some(4), 5, later, Bearer::Copy),
            ("the one before, just after the newest came", 5, None, 4, soon, Bearer::Late),
            ("the one before, long after the newest came", 5, None, 4, later, Bearer::Copy),
            ("the one before that, before the newest came", 5, Some(4), 3, later, Bearer::Copy),
            ("one that the estate does not know yet", 5, None, 6, soon, Bearer::Ahead),
            ("the same before the newest came", 5, Some(4), 6, later, Bearer::Ahead),
            ("none", 5, None, 0, later, Bearer::Copy),
        ] {
            assert_eq!(agent(newest, fallback).bearer(comes_with, now), bearer, "{what}");
        }
    }
}
