//! The control lane's two sides without input and output: what was heard and what time it is comes in, what is to be said and what happened
//! goes out. Time is how long ago whoever drives a session began to count.
//!
//! Nothing here knows of sockets, tasks or certificates; who an agent is was found before.

use std::collections::VecDeque;
use std::time::Duration;

use super::message::{
    FactTold, FromAgent, FromGateway, Hello, LinesTold, Refusal, Slice, VERSION, VERSION_LEAST, Welcome,
};
use crate::limits::{
    LINK_ANSWER_TIMEOUT, LINK_CALLS_MAX, LINK_COUNTS_MAX, LINK_DEAD_AFTER, LINK_FACTS_MAX, LINK_GREETING_TIMEOUT,
    LINK_LINES_MAX, LINK_PING_INTERVAL, LINK_UNSENT_MAX,
};

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Over {
    /// The other side fell silent.
    #[error("the other side does not answer any more")]
    Silent,
    /// It did not greet in time.
    #[error("the other side did not greet within {} s", LINK_GREETING_TIMEOUT.as_secs())]
    NoGreeting,
    /// It said something that does not fit, or too much.
    #[error("the other side broke the protocol: {0}")]
    Broken(&'static str),
    /// There is no version that both speak.
    #[error("the other side speaks versions {0} to {1} of the link's protocol, this one {VERSION_LEAST} to {VERSION}")]
    NoVersion(u16, u16),
    /// The gateway does not want this agent.
    #[error("the gateway refused: {} ({})", .0.message, .0.code)]
    Refused(Refusal),
    /// It was told of an older state than one that it knows.
    #[error(
        "the gateway sent the state of revision {sent}, and revision {known} was known already: is it a copy of an older store?"
    )]
    Older {
        /// Of what it was told.
        sent: u64,
        /// The newest one that it knows.
        known: u64,
    },
}

/// Pings, and who has not been heard of for too long.
#[derive(Debug)]
struct Pulse {
    heard: Duration,
    next: Duration,
    asked: Option<(u64, Duration)>,
    number: u64,
}

impl Pulse {
    const fn new(now: Duration) -> Self {
        Self { heard: now, next: now, asked: None, number: 0 }
    }

    const fn heard(&mut self, now: Duration) {
        self.heard = now;
    }

    /// A ping that is due.
    fn due(&mut self, now: Duration) -> Result<Option<u64>, Over> {
        let is_unanswered = self.asked.is_some_and(|(_, since)| now.saturating_sub(since) >= LINK_ANSWER_TIMEOUT);
        if is_unanswered || now.saturating_sub(self.heard) >= LINK_DEAD_AFTER {
            return Err(Over::Silent);
        }
        if now < self.next {
            return Ok(None);
        }
        self.next = now + LINK_PING_INTERVAL;
        self.number += 1;
        // One that is not answered yet goes on being measured.
        self.asked.get_or_insert((self.number, now));
        Ok(Some(self.number))
    }

    /// How long a ping and its answer took, if that is the one that is measured.
    fn answered(&mut self, number: u64, now: Duration) -> Option<Duration> {
        let (_, since) = self.asked.filter(|(asked, _)| *asked == number)?;
        self.asked = None;
        Some(now.saturating_sub(since))
    }

    fn wakes_at(&self) -> Duration {
        let answer_due = self.asked.map_or(Duration::MAX, |(_, since)| since + LINK_ANSWER_TIMEOUT);
        self.next.min(self.heard + LINK_DEAD_AFTER).min(answer_due)
    }
}

/// What happens in a gateway's session.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentEvent {
    /// The agent greeted, and is to be welcomed or refused.
    Came(Hello),
    /// It works by the state of this revision.
    Took(u64),
    /// What its data plane saw.
    Facts(Vec<FactTold>),
    /// A call, to be answered under its number.
    Called {
        /// The number.
        number: u64,
        /// The last part of its path.
        path: String,
        /// Its body.
        body: String,
    },
    /// Lines of its logs, which are to be answered by [`GatewaySession::logged`].
    Lines(LinesTold),
    /// It wants another certificate.
    Renews(String),
    /// It wants no request any more.
    Draining,
    /// A ping and its answer took so long.
    RoundTrip(Duration),
    /// A ping is due, and the one before is not answered yet.
    Late,
}

/// The gateway's side.
#[derive(Debug)]
pub struct GatewaySession {
    pulse: Pulse,
    began: Duration,
    phase: Phase,
    /// The version that both speak.
    version: u16,
    calls: usize,
    says: VecDeque<FromGateway>,
    events: VecDeque<AgentEvent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The other side has not greeted.
    Greeting,
    /// It has, and is not answered yet.
    Asking,
    /// Both know each other.
    Open,
    /// Nothing more is said.
    Over,
}

impl GatewaySession {
    /// One that begins now.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self {
            pulse: Pulse::new(now),
            began: now,
            phase: Phase::Greeting,
            version: VERSION_LEAST,
            calls: 0,
            says: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Takes in what the agent said.
    ///
    /// # Errors
    /// Why the session is over.
    pub fn hear(&mut self, message: FromAgent, now: Duration) -> Result<(), Over> {
        self.pulse.heard(now);
        match (self.phase, message) {
            (Phase::Greeting, FromAgent::Hello(hello)) => {
                let (least, newest) = hello.versions;
                if least > VERSION || newest < VERSION_LEAST || least > newest {
                    self.refuse(Refusal {
                        code: "LINK_VERSION".to_owned(),
                        message: Over::NoVersion(least, newest).to_string(),
                        retry_after_ms: None,
                    });
                    return Ok(());
                }
                (self.phase, self.version) = (Phase::Asking, VERSION.min(newest));
                self.events.push_back(AgentEvent::Came(hello));
            }
            (Phase::Greeting, _) => return Err(Over::Broken("the first message is no greeting")),
            (_, FromAgent::Hello(_)) => return Err(Over::Broken("it greeted twice")),
            (Phase::Over, _) => {}
            (_, FromAgent::Ping { number }) => self.say(FromGateway::Pong { number })?,
            (_, FromAgent::Pong { number }) => {
                self.events.extend(self.pulse.answered(number, now).map(AgentEvent::RoundTrip));
            }
            (Phase::Asking, _) => return Err(Over::Broken("it did not wait for its welcome")),
            (Phase::Open, FromAgent::Took { revision }) => self.events.push_back(AgentEvent::Took(revision)),
            (Phase::Open, FromAgent::Facts { facts }) if facts.len() > LINK_FACTS_MAX => {
                return Err(Over::Broken("a message tells too many facts"));
            }
            (Phase::Open, FromAgent::Facts { facts }) => self.events.push_back(AgentEvent::Facts(facts)),
            (Phase::Open, FromAgent::Call { .. }) if self.calls >= LINK_CALLS_MAX => {
                return Err(Over::Broken("it makes too many calls at a time"));
            }
            (Phase::Open, FromAgent::Call { number, path, body }) => {
                self.calls += 1;
                self.events.push_back(AgentEvent::Called { number, path, body });
            }
            (Phase::Open, FromAgent::Lines(LinesTold { lines, counts, .. }))
                if lines.len() > LINK_LINES_MAX || counts.len() > LINK_COUNTS_MAX =>
            {
                return Err(Over::Broken("a message tells too many lines or counts"));
            }
            (Phase::Open, FromAgent::Lines(lines)) => self.events.push_back(AgentEvent::Lines(lines)),
            (Phase::Open, FromAgent::Renew { csr }) => self.events.push_back(AgentEvent::Renews(csr)),
            (Phase::Open, FromAgent::Draining) => self.events.push_back(AgentEvent::Draining),
        }
        Ok(())
    }

    /// What happened next.
    pub fn event(&mut self) -> Option<AgentEvent> {
        self.events.pop_front()
    }

    /// What is to be said next.
    pub fn says(&mut self) -> Option<FromGateway> {
        self.says.pop_front()
    }

    /// Welcomes the agent that came.
    pub fn welcome(&mut self, program: String, cookie_key: String) {
        if self.phase == Phase::Asking {
            self.phase = Phase::Open;
            self.says.push_back(FromGateway::Welcome(Welcome { version: self.version, program, cookie_key }));
        }
    }

    /// Refuses it; that is the last that is said.
    pub fn refuse(&mut self, refusal: Refusal) {
        self.phase = Phase::Over;
        self.says.push_back(FromGateway::Refused(refusal));
    }

    /// Whether the last was said.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over && self.says.is_empty()
    }

    /// Whether another part of a state may be said: what was said before has left.
    #[must_use]
    pub fn wants_slice(&self) -> bool {
        self.phase == Phase::Open && self.says.is_empty()
    }

    /// Says a part of a state.
    pub fn slice(&mut self, slice: Slice) {
        self.says.push_back(FromGateway::Slice(slice));
    }

    /// Answers a call.
    pub fn answer(&mut self, number: u64, (status, body): (u16, String)) {
        self.calls = self.calls.saturating_sub(1);
        self.says.push_back(FromGateway::Answer { number, status, body });
    }

    /// Says that the lines of this message are where they belong.
    ///
    /// # Errors
    /// Why the session is over.
    pub fn logged(&mut self, number: u64) -> Result<(), Over> {
        self.say(FromGateway::Logged { number })
    }

    /// Says another certificate.
    pub fn renewed(&mut self, chain: String, generation: u64) {
        self.says.push_back(FromGateway::Renewed { chain, generation });
    }

    /// Pings before it is time.
    pub fn ping(&mut self) {
        self.pulse.next = Duration::ZERO;
    }

    /// Says that the gateway goes down.
    pub fn closing(&mut self) {
        self.says.push_back(FromGateway::Closing);
    }

    /// When [`Self::tick`] is wanted, if nothing is heard before.
    #[must_use]
    pub fn wakes_at(&self) -> Duration {
        match self.phase {
            Phase::Greeting => self.began + LINK_GREETING_TIMEOUT,
            Phase::Asking | Phase::Open | Phase::Over => self.pulse.wakes_at(),
        }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// Why the session is over.
    pub fn tick(&mut self, now: Duration) -> Result<(), Over> {
        if self.phase == Phase::Greeting {
            let is_late = now.saturating_sub(self.began) >= LINK_GREETING_TIMEOUT;
            return if is_late { Err(Over::NoGreeting) } else { Ok(()) };
        }
        let is_late = self.pulse.asked.is_some();
        if let Some(number) = self.pulse.due(now)? {
            self.say(FromGateway::Ping { number })?;
            self.events.extend(is_late.then_some(AgentEvent::Late));
        }
        Ok(())
    }

    /// What an agent makes this side say is bounded by what it takes.
    fn say(&mut self, message: FromGateway) -> Result<(), Over> {
        if self.says.len() >= LINK_UNSENT_MAX {
            return Err(Over::Broken("it does not take what it is told"));
        }
        self.says.push_back(message);
        Ok(())
    }
}

/// What happens in an agent's session.
#[derive(Debug, Clone, PartialEq)]
pub enum GatewayEvent {
    /// The gateway welcomed.
    Welcomed(Welcome),
    /// A part of a state, in the order in which they are to be put in.
    Slice(Slice),
    /// The answer to a call.
    Answered {
        /// The call's number.
        number: u64,
        /// The status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The lines of this message are where they belong.
    Logged(u64),
    /// Another certificate.
    Renewed {
        /// The certificate and what vouches for it.
        chain: String,
        /// Its generation.
        generation: u64,
    },
    /// The gateway goes down.
    Closing,
    /// A ping and its answer took so long.
    RoundTrip(Duration),
}

/// The agent's side.
#[derive(Debug)]
pub struct AgentSession {
    pulse: Pulse,
    began: Duration,
    phase: Phase,
    known: u64,
    /// The revision whose parts come in now.
    coming: Option<u64>,
    says: VecDeque<FromAgent>,
    events: VecDeque<GatewayEvent>,
}

impl AgentSession {
    /// One that begins now, by a greeting.
    #[must_use]
    pub fn new(hello: Hello, now: Duration) -> Self {
        let known = hello.revision;
        Self {
            pulse: Pulse::new(now),
            began: now,
            phase: Phase::Greeting,
            known,
            coming: None,
            says: VecDeque::from([FromAgent::Hello(hello)]),
            events: VecDeque::new(),
        }
    }

    /// Takes in what the gateway said.
    ///
    /// # Errors
    /// Why the session is over.
    pub fn hear(&mut self, message: FromGateway, now: Duration) -> Result<(), Over> {
        self.pulse.heard(now);
        match (self.phase, message) {
            (_, FromGateway::Refused(refusal)) => return Err(Over::Refused(refusal)),
            (Phase::Greeting, FromGateway::Welcome(welcome)) => {
                if !(VERSION_LEAST..=VERSION).contains(&welcome.version) {
                    return Err(Over::NoVersion(welcome.version, welcome.version));
                }
                self.phase = Phase::Open;
                self.events.push_back(GatewayEvent::Welcomed(welcome));
            }
            (_, FromGateway::Ping { number }) => self.say(FromAgent::Pong { number })?,
            (_, FromGateway::Pong { number }) => {
                self.events.extend(self.pulse.answered(number, now).map(GatewayEvent::RoundTrip));
            }
            (Phase::Greeting, _) => return Err(Over::Broken("the first message is no welcome")),
            (_, FromGateway::Welcome(_)) => return Err(Over::Broken("it welcomed twice")),
            (_, FromGateway::Slice(slice)) => self.take(slice)?,
            (_, FromGateway::Answer { number, status, body }) => {
                self.events.push_back(GatewayEvent::Answered { number, status, body });
            }
            (_, FromGateway::Logged { number }) => self.events.push_back(GatewayEvent::Logged(number)),
            (_, FromGateway::Renewed { chain, generation }) => {
                self.events.push_back(GatewayEvent::Renewed { chain, generation });
            }
            (_, FromGateway::Closing) => self.events.push_back(GatewayEvent::Closing),
        }
        Ok(())
    }

    fn take(&mut self, slice: Slice) -> Result<(), Over> {
        let (sent, known) = (slice.revision, self.known);
        match self.coming {
            Some(coming) if coming != sent => return Err(Over::Broken("parts of two revisions came together")),
            Some(_) if slice.is_whole => return Err(Over::Broken("a state began within another")),
            None if sent < known => return Err(Over::Older { sent, known }),
            Some(_) | None => {}
        }
        self.coming = (!slice.is_last).then_some(sent);
        if slice.is_last {
            self.known = sent;
        }
        self.events.push_back(GatewayEvent::Slice(slice));
        Ok(())
    }

    /// What happened next.
    pub fn event(&mut self) -> Option<GatewayEvent> {
        self.events.pop_front()
    }

    /// What is to be said next.
    pub fn says(&mut self) -> Option<FromAgent> {
        self.says.pop_front()
    }

    /// Whether the gateway has welcomed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Says something of the agent's own; `false` where there is no room, or nobody who has welcomed.
    pub fn tell(&mut self, message: FromAgent) -> bool {
        self.is_open() && self.say(message).is_ok()
    }

    /// When [`Self::tick`] is wanted, if nothing is heard before.
    #[must_use]
    pub fn wakes_at(&self) -> Duration {
        if self.is_open() { self.pulse.wakes_at() } else { self.began + LINK_GREETING_TIMEOUT }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// Why the session is over.
    pub fn tick(&mut self, now: Duration) -> Result<(), Over> {
        if !self.is_open() {
            let is_late = now.saturating_sub(self.began) >= LINK_GREETING_TIMEOUT;
            return if is_late { Err(Over::NoGreeting) } else { Ok(()) };
        }
        if let Some(number) = self.pulse.due(now)? {
            self.say(FromAgent::Ping { number })?;
        }
        Ok(())
    }

    fn say(&mut self, message: FromAgent) -> Result<(), Over> {
        if self.says.len() >= LINK_UNSENT_MAX {
            return Err(Over::Broken("it does not take what it is told"));
        }
        self.says.push_back(message);
        Ok(())
    }
}

/// How long an agent that lost its gateway waits before it dials again, `lost` after it lost it, by a number below 1,000,000 at random: at
/// random from the first attempt on, so that a thousand agents do not come at once, and longer the longer it lasts.
#[must_use]
pub fn dial_again_after(lost: Duration, millionths: u32) -> Duration {
    use crate::limits::{LINK_DIAL_AGAIN_LEAST, LINK_DIAL_AGAIN_MOST};
    let most = (lost / 30).clamp(LINK_DIAL_AGAIN_LEAST, LINK_DIAL_AGAIN_MOST);
    most.mul_f64(f64::from(millionths.min(1_000_000)) / 1e6)
}

#[cfg(test)]
mod tests;
