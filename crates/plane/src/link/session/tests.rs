//! Both sides by themselves, and both of them over a network that does as it likes.

use std::net::Ipv4Addr;

use topology::id::TargetGroupId;

use super::*;
use crate::link::message::{FactTold, HealthTold, KindTold, LineTold, SliceRow, TargetTold};

const SECOND: Duration = Duration::from_secs(1);

fn hello(revision: u64) -> Hello {
    Hello { versions: (VERSION_LEAST, VERSION), program: "0.1.0".to_owned(), run: 1, revision }
}

fn part(revision: u64, is_whole: bool, is_last: bool) -> Slice {
    let row = SliceRow { table: "vpcs".to_owned(), key: revision.to_string(), value: None };
    Slice { revision, is_whole, is_last, rows: vec![row] }
}

/// A session of each side, in which the gateway has welcomed.
fn open() -> (GatewaySession, AgentSession) {
    let (mut gateway, mut agent) = (GatewaySession::new(Duration::ZERO), AgentSession::new(hello(0), Duration::ZERO));
    gateway.hear(agent.says().unwrap(), Duration::ZERO).unwrap();
    assert!(matches!(gateway.event(), Some(AgentEvent::Came(_))));
    gateway.welcome("0.1.0".to_owned(), String::new());
    agent.hear(gateway.says().unwrap(), Duration::ZERO).unwrap();
    assert!(matches!(agent.event(), Some(GatewayEvent::Welcomed(_))) && agent.is_open());
    (gateway, agent)
}

#[test]
fn what_does_not_fit_ends_a_session_and_says_why() {
    let call = |number| FromAgent::Call { number, path: "attach".to_owned(), body: String::new() };
    let rows: &[(&[FromAgent], &str)] = &[
        (&[FromAgent::Ping { number: 1 }], "the first message is no greeting"),
        (&[FromAgent::Hello(hello(0)), FromAgent::Hello(hello(0))], "it greeted twice"),
        (&[FromAgent::Hello(hello(0)), FromAgent::Draining], "it did not wait for its welcome"),
    ];
    for (said, why) in rows {
        let mut gateway = GatewaySession::new(Duration::ZERO);
        let outcome = said.iter().try_for_each(|message| gateway.hear(message.clone(), Duration::ZERO));
        assert_eq!(outcome, Err(Over::Broken(why)));
    }
    let (mut gateway, _) = open();
    let target = TargetTold { group: TargetGroupId::from_bits(1), address: Ipv4Addr::LOCALHOST.into(), port: 80 };
    let facts = vec![FactTold::Health { target, health: HealthTold::Healthy }; LINK_FACTS_MAX + 1];
    assert!(matches!(gateway.hear(FromAgent::Facts { facts }, SECOND), Err(Over::Broken(_))));
    let (mut gateway, _) = open();
    let line =
        LineTold::File { kind: KindTold::Access, of: String::new(), node: Ipv4Addr::LOCALHOST, text: String::new() };
    let told = |count| LinesTold {
        number: 1,
        lines: vec![line.clone(); count],
        dropped_files: 0,
        dropped_events: 0,
        counts: vec![],
    };
    gateway.hear(FromAgent::Lines(told(LINK_LINES_MAX)), SECOND).unwrap();
    assert!(matches!(gateway.event(), Some(AgentEvent::Lines(_))));
    assert!(matches!(gateway.hear(FromAgent::Lines(told(LINK_LINES_MAX + 1)), SECOND), Err(Over::Broken(_))));
    let (mut gateway, _) = open();
    for number in 0..LINK_CALLS_MAX as u64 {
        gateway.hear(call(number), SECOND).unwrap();
    }
    assert_eq!(gateway.hear(call(99), SECOND), Err(Over::Broken("it makes too many calls at a time")));
    let (mut gateway, _) = open();
    let pinged = (0..=LINK_UNSENT_MAX as u64).try_for_each(|number| gateway.hear(FromAgent::Ping { number }, SECOND));
    assert_eq!(pinged, Err(Over::Broken("it does not take what it is told")));
}

#[test]
fn whoever_speaks_no_common_version_is_told_and_goes() {
    for versions in [(VERSION + 1, 9), (0, 0), (1, 1), (3, 1)] {
        let mut gateway = GatewaySession::new(Duration::ZERO);
        gateway.hear(FromAgent::Hello(Hello { versions, ..hello(0) }), Duration::ZERO).unwrap();
        let Some(FromGateway::Refused(refusal)) = gateway.says() else { panic!("{versions:?}") };
        assert_eq!(refusal.code, "LINK_VERSION");
        assert!(gateway.is_over() && gateway.event().is_none());
    }
    // A neighbour that speaks a version too that this one speaks is welcome, in the newest of both.
    for (newest, spoken) in [(VERSION_LEAST, VERSION_LEAST), (VERSION, VERSION), (VERSION + 1, VERSION)] {
        let mut gateway = GatewaySession::new(Duration::ZERO);
        let greeting = Hello { versions: (VERSION_LEAST, newest), ..hello(0) };
        gateway.hear(FromAgent::Hello(greeting), Duration::ZERO).unwrap();
        assert!(matches!(gateway.event(), Some(AgentEvent::Came(_))));
        gateway.welcome("0.1.0".to_owned(), String::new());
        let Some(FromGateway::Welcome(welcome)) = gateway.says() else { panic!("no welcome") };
        assert_eq!(welcome.version, spoken);
        let mut agent = AgentSession::new(hello(0), Duration::ZERO);
        agent.hear(FromGateway::Welcome(welcome), Duration::ZERO).unwrap();
        assert!(agent.is_open());
    }
}

#[test]
fn a_state_that_is_older_or_mixed_up_is_not_taken() {
    let take = |known, parts: &[Slice]| {
        let (mut gateway, mut agent) = open();
        agent.known = known;
        parts.iter().try_for_each(|part| {
            gateway.slice(part.clone());
            agent.hear(gateway.says().unwrap(), SECOND)
        })
    };
    assert_eq!(take(5, &[part(5, true, true), part(6, false, false), part(6, false, true)]), Ok(()));
    assert_eq!(take(5, &[part(4, true, true)]), Err(Over::Older { sent: 4, known: 5 }));
    assert!(matches!(take(0, &[part(1, true, false), part(2, false, true)]), Err(Over::Broken(_))));
    assert!(matches!(take(0, &[part(1, true, false), part(1, true, true)]), Err(Over::Broken(_))));
}

#[test]
fn silence_is_noticed_on_both_sides_and_a_round_trip_is_measured() {
    let (mut gateway, mut agent) = open();
    gateway.tick(5 * SECOND).unwrap();
    let ping = gateway.says().unwrap();
    agent.hear(ping, 5 * SECOND).unwrap();
    gateway.hear(agent.says().unwrap(), 6 * SECOND).unwrap();
    assert_eq!(gateway.event(), Some(AgentEvent::RoundTrip(SECOND)));
    // From now on nobody says anything: what was heard last is long ago, or a ping is not answered.
    assert_eq!(agent.tick(19 * SECOND), Ok(()));
    assert_eq!(agent.tick(20 * SECOND), Err(Over::Silent));
    assert_eq!(gateway.tick(10 * SECOND), Ok(()));
    assert_eq!(gateway.tick(18 * SECOND), Ok(()));
    assert_eq!(gateway.event(), Some(AgentEvent::Late));
    assert_eq!(gateway.tick(19 * SECOND), Err(Over::Silent));
    let mut greeting = GatewaySession::new(Duration::ZERO);
    assert_eq!(greeting.tick(LINK_GREETING_TIMEOUT), Err(Over::NoGreeting));
    let mut greeting = AgentSession::new(hello(0), Duration::ZERO);
    assert_eq!(greeting.tick(LINK_GREETING_TIMEOUT), Err(Over::NoGreeting));
}

#[test]
fn whoever_dials_again_waits_at_random_and_never_long() {
    for seconds in [0, 1, 29, 600, 1_000_000] {
        let waits: Vec<_> = [0, 500_000, 1_000_000].map(|at| dial_again_after(seconds * SECOND, at)).to_vec();
        assert_eq!(waits[0], Duration::ZERO);
        assert!(waits[1] < waits[2] && waits[2] <= 30 * SECOND);
    }
    assert_eq!(dial_again_after(30 * SECOND, 1_000_000), SECOND);
}

/// Numbers that a seed makes (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Messages on their way in one direction, in order, each with when it arrives.
struct Wire<T>(VecDeque<(Duration, T)>);

impl<T> Wire<T> {
    fn send(&mut self, message: T, at: Duration) {
        // A byte stream overtakes nothing.
        let after = self.0.back().map_or(Duration::ZERO, |(last, _)| *last);
        self.0.push_back((at.max(after), message));
    }

    fn arrived(&mut self, now: Duration) -> Option<T> {
        self.0.pop_front_if(|(at, _)| *at <= now).map(|(_, message)| message)
    }
}

/// One connection.
struct Lane {
    gateway: GatewaySession,
    agent: AgentSession,
    up: Wire<FromAgent>,
    down: Wire<FromGateway>,
    /// The revision that the gateway has told of.
    told: Option<u64>,
    parts: VecDeque<Slice>,
}

/// What an agent has put in, and what a gateway has.
struct World {
    now: Duration,
    newest: u64,
    known: u64,
    lane: Option<Lane>,
    dial_at: Duration,
    lost: Duration,
    /// Since when nothing gets through: up, down.
    cut: [Option<Duration>; 2],
    noticed_max: Duration,
}

impl World {
    fn step(&mut self, dice: &mut Dice) {
        self.now += Duration::from_millis(50 + dice.below(200));
        match dice.below(60) {
            0 => self.newest += 1 + dice.below(3),
            1 => self.cut = [Some(self.now), self.cut[1]],
            2 => self.cut = [self.cut[0], Some(self.now)],
            3 => self.cut = [Some(self.now), Some(self.now)],
            4..8 => self.cut = [None, None],
            // One side's process ends and begins anew: the other hears of it.
            8 => self.lose(),
            _ => {}
        }
        if self.lane.is_none() && self.now >= self.dial_at && self.cut == [None, None] {
            let now = self.now;
            let lane = Lane {
                gateway: GatewaySession::new(now),
                agent: AgentSession::new(hello(self.known), now),
                up: Wire(VecDeque::new()),
                down: Wire(VecDeque::new()),
                told: None,
                parts: VecDeque::new(),
            };
            self.lane = Some(lane);
        }
        if let Err(over) = self.run(dice) {
            if over == Over::Silent {
                let since = self.cut.iter().flatten().min().copied().unwrap_or(self.now);
                self.noticed_max = self.noticed_max.max(self.now.saturating_sub(since));
            }
            assert!(!matches!(over, Over::Older { .. } | Over::Broken(_) | Over::Refused(_)), "{over}");
            self.lose();
        }
    }

    fn lose(&mut self) {
        if self.lane.take().is_some() {
            self.lost = self.now;
        }
        self.dial_at = self.now + dial_again_after(self.now.saturating_sub(self.lost), 500_000);
    }

    fn run(&mut self, dice: &mut Dice) -> Result<(), Over> {
        let Some(lane) = &mut self.lane else { return Ok(()) };
        let now = self.now;
        let arrives = now + Duration::from_millis(dice.below(400));
        // What a cut holds back is sent again when it is over, and nothing overtakes it: a byte stream.
        while self.cut[0].is_none()
            && let Some(message) = lane.up.arrived(now)
        {
            lane.gateway.hear(message, now)?;
        }
        while self.cut[1].is_none()
            && let Some(message) = lane.down.arrived(now)
        {
            lane.agent.hear(message, now)?;
        }
        while let Some(event) = lane.gateway.event() {
            match event {
                AgentEvent::Came(_) => lane.gateway.welcome("0.1.0".to_owned(), String::new()),
                AgentEvent::Called { number, .. } => lane.gateway.answer(number, (200, String::new())),
                _ => {}
            }
        }
        while let Some(event) = lane.agent.event() {
            if let GatewayEvent::Slice(slice) = event
                && slice.is_last
            {
                assert!(slice.revision >= self.known, "a state went back");
                self.known = slice.revision;
                lane.agent.tell(FromAgent::Took { revision: slice.revision });
            }
        }
        if lane.parts.is_empty() && lane.told != Some(self.newest) {
            let count = 1 + dice.below(3);
            let is_first = lane.told.replace(self.newest).is_none();
            lane.parts.extend((0..count).map(|at| part(self.newest, is_first && at == 0, at + 1 == count)));
        }
        if lane.gateway.wants_slice()
            && let Some(slice) = lane.parts.pop_front()
        {
            lane.gateway.slice(slice);
        }
        if dice.below(10) == 0 {
            lane.agent.tell(FromAgent::Call { number: 1, path: "attach".to_owned(), body: String::new() });
        }
        if now >= lane.gateway.wakes_at() {
            lane.gateway.tick(now)?;
        }
        if now >= lane.agent.wakes_at() {
            lane.agent.tick(now)?;
        }
        while let Some(message) = lane.agent.says() {
            lane.up.send(message, arrives);
        }
        while let Some(message) = lane.gateway.says() {
            lane.down.send(message, arrives);
        }
        Ok(())
    }
}

/// Delay, loss of everything in either direction, and ends of either side at any step: no state goes back, nothing is left waiting for ever,
/// and once the network is whole the agent comes to the newest state.
#[test]
fn whatever_the_network_does_the_agent_comes_to_the_newest_state() {
    for seed in 1..=10_000_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut world = World {
            now: Duration::ZERO,
            newest: 1,
            known: 0,
            lane: None,
            dial_at: Duration::ZERO,
            lost: Duration::ZERO,
            cut: [None, None],
            noticed_max: Duration::ZERO,
        };
        for _ in 0..120 {
            world.step(&mut dice);
        }
        (world.cut, world.newest) = ([None, None], world.newest + 1);
        world.lose();
        for _ in 0..200 {
            if world.known == world.newest {
                break;
            }
            world.now += Duration::from_millis(500);
            if world.lane.is_none() && world.now >= world.dial_at {
                world.lane = Some(Lane {
                    gateway: GatewaySession::new(world.now),
                    agent: AgentSession::new(hello(world.known), world.now),
                    up: Wire(VecDeque::new()),
                    down: Wire(VecDeque::new()),
                    told: None,
                    parts: VecDeque::new(),
                });
            }
            world.run(&mut dice).unwrap_or_else(|over| panic!("seed {seed}: {over}"));
        }
        assert_eq!(world.known, world.newest, "seed {seed}");
        let bound = LINK_DEAD_AFTER + LINK_PING_INTERVAL;
        assert!(world.noticed_max <= bound, "seed {seed}: a cut was noticed after {:?}", world.noticed_max);
    }
}
