//! Who may carry a VPC: tokens, enrolment, generations and what shuts an agent out.

use std::collections::BTreeSet;
use std::time::Duration;

use control::store::Store;
use control::{
    AGENTS_PER_VPC_MAX, AgentError, Control, Mint, NATIVE_BLOCKS_MAX, NewToken, OPEN_TOKENS_PER_VPC_MAX, Settings,
    TOKEN_TTL, TokenSecret, TokenWish,
};
use topology::id::{AgentId, AuthorityPin, VpcId, Zone};
use topology::net::Ipv4Net;
use topology::resource::agent::{Agent, GENERATION_GRACE_MS, Knows, Standing};
use topology::time::Moment;

use crate::calls::{Calls, realm};

const NOW: Moment = Moment(1_795_341_600_000);
const LATER: Moment = NOW.plus_ms(GENERATION_GRACE_MS);

/// A control with a VPC of two blocks, and what is asked of it about agents.
pub(crate) struct Agents {
    pub(crate) calls: Calls,
    pub(crate) vpc: VpcId,
}

fn zones(letters: &str) -> BTreeSet<Zone> {
    letters.chars().map(|letter| format!("us-east-1{letter}").parse().unwrap()).collect()
}

/// The authority of this number alone.
fn knows(number: u8) -> Knows {
    let issuer = AuthorityPin::from_bytes([number; 32]);
    Knows { issuer, trusted: [issuer].into() }
}

impl Agents {
    fn new() -> Self {
        let mut calls = Calls::new();
        let vpc = "POST / ec2\n\nAction=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0/16\n= vpc <vpcId>([^<]+)<";
        calls.run("vpc", vpc).unwrap();
        Self::of(calls)
    }

    /// In the VPC that a script named.
    pub(crate) fn of(calls: Calls) -> Self {
        let vpc = calls.name("vpc").parse().unwrap();
        Self { calls, vpc }
    }

    fn wish(&self, letters: &str) -> TokenWish {
        TokenWish { vpc: self.vpc, zones: zones(letters), ttl: TOKEN_TTL }
    }

    pub(crate) fn token(&mut self, letters: &str) -> NewToken {
        let wish = self.wish(letters);
        self.calls.control().agent_token(&realm(), &wish, NOW).unwrap()
    }

    pub(crate) fn enrolled(&mut self, letters: &str) -> Agent {
        let token = self.token(letters);
        self.calls.control().enrol_agent(&realm(), (&token.secret, &[], &knows(1)), NOW).unwrap()
    }

    fn enrol(&mut self, token: &NewToken, native: &[&str], now: Moment) -> Result<Agent, AgentError> {
        let native: Vec<Ipv4Net> = native.iter().map(|block| block.parse().unwrap()).collect();
        self.calls.control().enrol_agent(&realm(), (&token.secret, &native, &knows(1)), now)
    }

    fn admit(&mut self, id: AgentId, generation: u64, now: Moment) -> Result<u64, String> {
        let admitted = self.calls.control().admit_agent(&realm(), (id, generation), now);
        admitted.map(|agent| agent.generation).map_err(|error| error.code().to_owned())
    }

    fn renew(&mut self, id: AgentId, generation: u64, now: Moment) -> Result<u64, String> {
        let renewed = self.calls.control().renew_agent(&realm(), ((id, generation), &knows(2)), now);
        renewed.map_err(|error| error.code().to_owned())
    }

    fn standing(&mut self, id: AgentId) -> Option<Standing> {
        self.calls.control().estate().realms[&realm()].agents.get(&id).map(|agent| agent.standing)
    }

    fn tokens(&mut self) -> usize {
        self.calls.control().estate().realms[&realm()].agent_tokens.len()
    }
}

#[test]
fn a_token_enrols_one_agent_of_its_vpc_and_zones() {
    let mut agents = Agents::new();
    let token = agents.token("ab");
    assert_eq!(token.expires, NOW.plus_ms(15 * 60 * 1000));
    let agent = agents.enrol(&token, &["10.0.9.7/24", "10.0.4.0/24", "10.0.9.0/24"], NOW).unwrap();
    assert_eq!((agent.vpc, agent.zones, agent.generation), (agents.vpc, zones("ab"), 1));
    assert_eq!(agent.native.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.4.0/24", "10.0.9.0/24"]);
    assert_eq!(agents.enrol(&token, &[], NOW), Err(AgentError::TokenUsed));
    agents.calls.run("look", "POST / ec2\n\nAction=CreateVpc&Version=2016-11-15&CidrBlock=10.1.0.0/16").unwrap();
    let snapshot = agents.calls.newest();
    let fabric = &snapshot.realms[0].fabric;
    let [place] = fabric.agents_of(agents.vpc) else { panic!("one agent") };
    assert_eq!((place.id, place.is_active, place.is_settled), (agent.id, true, true));
    assert!(place.carries(&"us-east-1a".parse().unwrap()) && !place.carries(&"us-east-1c".parse().unwrap()));
    assert_eq!(fabric.agent(agent.id), Some(place));
    assert!(fabric.agents_of(VpcId::from_bits(1)).is_empty());
}

#[test]
fn a_token_that_cannot_be_used_says_why() {
    let mut agents = Agents::new();
    let (replaced, other) = (agents.token("a"), agents.token("b"));
    let expired = agents.token("a");
    let unknown = NewToken { secret: TokenSecret::from_bytes([7; 32]), ..expired.clone() };
    let many: Vec<String> = (0..=NATIVE_BLOCKS_MAX).map(|n| format!("10.0.{n}.0/24")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let block = |text: &str| text.parse::<Ipv4Net>().unwrap();
    let outside = |agents: &Agents, text| AgentError::NativeOutside { block: block(text), vpc: agents.vpc };
    for (what, token, native, now, why) in [
        ("replaced", &replaced, &[][..], NOW, AgentError::TokenReplaced),
        ("expired", &expired, &[], expired.expires, AgentError::TokenExpired),
        ("unknown", &unknown, &[], NOW, AgentError::TokenUnknown),
        ("other addresses", &other, &["10.1.0.0/24"], NOW, outside(&agents, "10.1.0.0/24")),
        ("a larger block", &other, &["10.0.0.0/15"], NOW, outside(&agents, "10.0.0.0/15")),
        ("too many blocks", &other, &many, NOW, AgentError::NativeTooMany),
    ] {
        assert_eq!(agents.enrol(token, native, now), Err(why), "{what}");
    }
    // None of these used it up.
    assert!(agents.enrol(&other, &[], NOW).is_ok());
    assert!(agents.enrol(&expired, &[], expired.expires.plus_ms(-1)).is_ok());
}

#[test]
fn a_wish_for_a_token_that_cannot_be_is_refused() {
    let mut agents = Agents::new();
    let good = agents.wish("a");
    for (what, wish, code) in [
        ("too short", TokenWish { ttl: Duration::from_secs(59), ..good.clone() }, "MALFORMED"),
        ("too long", TokenWish { ttl: Duration::from_secs(24 * 3600 + 1), ..good.clone() }, "MALFORMED"),
        ("no such zone", TokenWish { zones: zones("z"), ..good.clone() }, "MALFORMED"),
        ("no such VPC", TokenWish { vpc: VpcId::from_bits(1), ..good.clone() }, "NOT_FOUND"),
    ] {
        let refused = agents.calls.control().agent_token(&realm(), &wish, NOW).unwrap_err();
        assert_eq!(refused.code(), code, "{what}");
    }
    for ttl in [60, 24 * 3600] {
        let wish = TokenWish { ttl: Duration::from_secs(ttl), ..good.clone() };
        assert!(agents.calls.control().agent_token(&realm(), &wish, NOW).is_ok(), "{ttl}");
    }
}

#[test]
fn tokens_are_bounded() {
    let mut agents = Agents::new();
    let choices: Vec<String> = (1..64u32)
        .map(|bits| "abcdef".chars().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, c)| c).collect())
        .collect();
    for letters in &choices[..OPEN_TOKENS_PER_VPC_MAX] {
        agents.token(letters);
    }
    let wish = agents.wish(&choices[OPEN_TOKENS_PER_VPC_MAX]);
    let refused = agents.calls.control().agent_token(&realm(), &wish, NOW).unwrap_err();
    assert_eq!(refused.code(), "TOO_MANY_TOKENS");
    // One that takes another's place is no more, and closed ones do not grow without an end.
    for _ in 0..200 {
        agents.token(&choices[0]);
    }
    assert_eq!(agents.tokens(), OPEN_TOKENS_PER_VPC_MAX + 64);
    let wish = agents.wish(&choices[OPEN_TOKENS_PER_VPC_MAX]);
    let after = NOW.plus_ms(15 * 60 * 1000);
    assert!(agents.calls.control().agent_token(&realm(), &wish, after).is_ok(), "expired ones make room");
}

#[test]
fn agents_are_bounded_and_a_revoked_one_gives_way() {
    let mut agents = Agents::new();
    let first = agents.enrolled("a").id;
    for _ in 1..AGENTS_PER_VPC_MAX {
        agents.enrolled("a");
    }
    let token = agents.token("a");
    assert_eq!(agents.enrol(&token, &[], NOW).unwrap_err().code(), "TOO_MANY_AGENTS");
    agents.calls.control().revoke_agent(&realm(), first).unwrap();
    agents.enrol(&token, &[], NOW).unwrap();
    assert_eq!(agents.standing(first), None);
}

#[test]
fn the_newest_generation_is_the_only_one_once_it_came() {
    let mut agents = Agents::new();
    let id = agents.enrolled("").id;
    assert_eq!(agents.admit(id, 1, NOW), Ok(1));
    assert_eq!(agents.renew(id, 1, NOW), Ok(2));
    assert_eq!(agents.calls.control().estate().realms[&realm()].agents.get(&id).unwrap().knows, knows(2));
    // It ended before it kept the new one: it comes with the old one, and asks again.
    assert_eq!(agents.admit(id, 1, LATER), Ok(2));
    assert_eq!(agents.renew(id, 1, LATER), Ok(3));
    assert_eq!(agents.admit(id, 1, LATER), Ok(3));
    assert_eq!(agents.admit(id, 3, LATER), Ok(3));
    // Begun before the newest came, and judged after: no copy, and not let in.
    assert_eq!(agents.admit(id, 1, LATER).unwrap_err(), "AGENT_GENERATION_LATE");
    assert_eq!(agents.standing(id), Some(Standing::Active));
    assert_eq!(agents.renew(id, 3, LATER), Ok(4));
}

#[test]
fn a_store_that_is_older_than_a_certificate_catches_up_with_it() {
    let mut agents = Agents::new();
    let id = agents.enrolled("").id;
    // The store is one of before the renewals to 4 and 5, and a copy of the directory is from then too.
    assert_eq!(agents.renew(id, 1, NOW), Ok(2));
    assert_eq!(agents.admit(id, 4, NOW), Ok(4));
    assert_eq!(agents.renew(id, 5, NOW), Ok(6));
    assert_eq!(agents.admit(id, 6, NOW), Ok(6));
    assert_eq!(agents.admit(id, 4, LATER).unwrap_err(), "AGENT_IDENTITY_COPIED");
}

#[test]
fn a_copy_shuts_both_out_until_a_person_decides() {
    for (what, comes) in [
        ("it connects", Agents::admit as fn(&mut Agents, AgentId, u64, Moment) -> Result<u64, String>),
        ("it renews", Agents::renew),
    ] {
        let mut agents = Agents::new();
        let id = agents.enrolled("").id;
        agents.renew(id, 1, NOW).unwrap();
        agents.admit(id, 2, NOW).unwrap();
        for (who, generation) in [("the copy", 1), ("the copy again", 1), ("the original", 2)] {
            assert_eq!(
                comes(&mut agents, id, generation, LATER).unwrap_err(),
                "AGENT_IDENTITY_COPIED",
                "{what}: {who}"
            );
        }
        assert_eq!(agents.standing(id), Some(Standing::Quarantined), "{what}");
        agents.calls.control().quarantine_agent(&realm(), id).unwrap();
        agents.calls.control().revoke_agent(&realm(), id).unwrap();
        assert_eq!(agents.admit(id, 2, LATER).unwrap_err(), "AGENT_REVOKED", "{what}");
        agents.calls.control().quarantine_agent(&realm(), id).unwrap();
        assert_eq!(agents.standing(id), Some(Standing::Revoked), "{what}");
    }
}

#[test]
fn a_revoked_agent_is_known_until_it_is_forgotten() {
    let mut agents = Agents::new();
    let id = agents.enrolled("").id;
    assert_eq!(agents.calls.control().forget_agent(&realm(), id), Err(AgentError::NotRevoked(id)));
    agents.calls.control().revoke_agent(&realm(), id).unwrap();
    assert_eq!(agents.admit(id, 1, NOW).unwrap_err(), "AGENT_REVOKED");
    assert_eq!(agents.renew(id, 1, NOW).unwrap_err(), "AGENT_REVOKED");
    assert_eq!(agents.calls.control().revoke_agent(&realm(), id).unwrap().standing, Standing::Revoked);
    agents.calls.control().forget_agent(&realm(), id).unwrap();
    for gone in [agents.admit(id, 1, NOW), agents.renew(id, 1, NOW)] {
        assert_eq!(gone.unwrap_err(), "NOT_FOUND");
    }
    let unknown = Err(AgentError::UnknownAgent(id));
    assert_eq!(agents.calls.control().revoke_agent(&realm(), id), unknown);
    assert_eq!(agents.calls.control().forget_agent(&realm(), id), unknown);
    assert_eq!(agents.calls.control().quarantine_agent(&realm(), id).unwrap_err(), AgentError::UnknownAgent(id));
}

#[test]
fn agents_and_tokens_go_with_their_vpc() {
    let mut agents = Agents::new();
    agents.enrolled("a");
    agents.token("b");
    agents.calls.run("delete", "POST / ec2\n\nAction=DeleteVpc&Version=2016-11-15&VpcId={vpc}").unwrap();
    let estate = &agents.calls.control().estate().realms[&realm()];
    assert!(estate.agents.is_empty() && estate.agent_tokens.is_empty());
}

#[test]
fn no_secret_is_kept_or_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    let mut calls = Calls::over(Store::open(&file).unwrap());
    calls
        .run("vpc", "POST / ec2\n\nAction=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0/16\n= vpc <vpcId>([^<]+)<")
        .unwrap();
    let mut agents = Agents::of(calls);
    let token = agents.token("a");
    let secret = *token.secret.expose();
    assert!(format!("{token:?}").contains("secret: (secret)"));
    drop(agents);
    let control = Control::open(Store::open(&file).unwrap(), Settings::default(), Mint::new(8)).unwrap();
    assert_eq!(control.estate().realms[&realm()].agent_tokens.len(), 1);
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        let spelled: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!bytes.windows(spelled.len()).any(|window| window == spelled.as_bytes()));
    }
}
