//! Lines of logs and counts of what passes at an agent: its plane writes them as a gateway's would, and they come out at the gateway, in the same files and log
//! groups. An agent keeps what waits and what is not taken yet, within bounds; what is dropped is counted, and counts at the gateway.
//!
//! Enforced: lines and counts are of a log, load balancer or group of the VPC that the agent carries. Trusted: what they say.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use topology::arn::LogGroupArn;
use topology::id::{LogGroupName, Realm, VpcId};
use topology::snapshot::fabric::FlowTo;
use topology::snapshot::gateway::LogStream;
use topology::snapshot::logs::LogPlace;

use super::message::{CountOf, CountTold, KindTold, LineTold, LinesTold};
use crate::limits::{LINK_COUNTS_MAX, LINK_LINES_BYTES, LINK_LINES_MAX};
use crate::report::counted::{of_balancer, of_group};
use crate::report::outlet::{BalancerLine, LogLine, Loss, Outflow};
use crate::shared::Shared;
use crate::world::RealmWorld;

/// Bytes of a line's message beside its texts, at most: names of members, kind, address and time.
const BESIDE_BYTES: usize = 192;
/// What is counted of a target.
const REQUESTS: &str = "request_count";

/// What an agent's plane writes for logs, until a gateway has it.
#[derive(Debug)]
pub struct Ledger {
    files: Outflow<BalancerLine>,
    events: Outflow<LogLine>,
    waiting: VecDeque<LineTold>,
    sent: Option<LinesTold>,
    /// Whether this session was told of what was sent.
    is_told: bool,
    number: u64,
    /// What was counted of each, as far as messages tell of it, and what the next one is to tell.
    counted: HashMap<(CountOf, &'static str), u64>,
    counts: Vec<CountTold>,
    /// Losses that messages tell of, and of lines that are longer than one may be.
    dropped: (u64, u64),
    too_long: (u64, u64),
}

impl Ledger {
    /// Of what comes out of these.
    #[must_use]
    pub fn new(files: Outflow<BalancerLine>, events: Outflow<LogLine>) -> Self {
        Self {
            files,
            events,
            waiting: VecDeque::new(),
            sent: None,
            is_told: false,
            number: 0,
            counted: HashMap::new(),
            counts: Vec::new(),
            dropped: (0, 0),
            too_long: (0, 0),
        }
    }

    /// A session begins: what is not taken yet is told again.
    pub(crate) const fn begin(&mut self) {
        self.is_told = false;
    }

    /// Waits for lines, where none wait. Nothing is lost where it is dropped before it is ready.
    pub(crate) async fn fill(&mut self) {
        if !self.waiting.is_empty() {
            return std::future::pending().await;
        }
        let (mut files, mut events) = (Vec::new(), Vec::new());
        tokio::select! {
            _ = self.files.take(&mut files, LINK_LINES_MAX) => {}
            _ = self.events.take(&mut events, LINK_LINES_MAX) => {}
        }
        self.put(files, events);
    }

    /// Whether everything that was written is taken.
    pub(crate) fn is_taken(&mut self) -> bool {
        if self.waiting.is_empty() {
            let (mut files, mut events) = (Vec::new(), Vec::new());
            self.files.take_waiting(&mut files, LINK_LINES_MAX);
            self.events.take_waiting(&mut events, LINK_LINES_MAX);
            self.put(files, events);
        }
        self.waiting.is_empty() && self.counts.is_empty() && self.sent.is_none()
    }

    fn put(&mut self, files: Vec<BalancerLine>, events: Vec<LogLine>) {
        let files = files.into_iter().map(|BalancerLine { place, node, text }| LineTold::File {
            kind: place.kind.into(),
            of: place.balancer.clone(),
            node,
            text,
        });
        let events = events.into_iter().map(|LogLine { log, at_unix_ms, text }| LineTold::Event {
            group: log.group.name.clone(),
            stream: log.stream.clone(),
            at_unix_ms,
            text,
        });
        self.waiting.extend(files.chain(events));
    }

    /// Looks at what is counted now. What finds no room in the next message is told in a later one.
    pub(crate) fn count(&mut self, shared: &Shared) {
        let world = shared.world.load();
        let mut before = std::mem::take(&mut self.counted);
        for (of, what, cell) in world.realms.iter().flat_map(|realm| counted(realm, |_| true)) {
            let now = cell.load(Ordering::Relaxed);
            if now == 0 {
                continue;
            }
            let mut known = before.remove(&(of, what)).unwrap_or_default();
            if now > known && self.counts.len() < LINK_COUNTS_MAX {
                self.counts.push(CountTold { of, what: what.to_owned(), more: now - known });
                known = now;
            }
            self.counted.insert((of, what), known);
        }
    }

    /// What a gateway is to be told now: the next lines, once those before are taken, or these again in another session.
    pub(crate) fn says(&mut self) -> Option<LinesTold> {
        if self.is_told {
            return None;
        }
        if self.sent.is_none() {
            self.sent = self.next();
        }
        self.is_told = self.sent.is_some();
        self.sent.clone()
    }

    fn next(&mut self) -> Option<LinesTold> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while lines.len() < LINK_LINES_MAX
            && let Some(line) = self.waiting.front()
        {
            let more = line.bytes();
            if more > LINK_LINES_BYTES {
                match self.waiting.pop_front() {
                    Some(LineTold::File { .. }) => self.too_long.0 += 1,
                    Some(LineTold::Event { .. }) | None => self.too_long.1 += 1,
                }
                continue;
            }
            bytes += more;
            if bytes > LINK_LINES_BYTES {
                break;
            }
            lines.extend(self.waiting.pop_front());
        }
        let lost = (self.files.lost() + self.too_long.0, self.events.lost() + self.too_long.1);
        let (dropped_files, dropped_events) = (lost.0 - self.dropped.0, lost.1 - self.dropped.1);
        let counts = std::mem::take(&mut self.counts);
        if lines.is_empty() && counts.is_empty() && (dropped_files, dropped_events) == (0, 0) {
            return None;
        }
        self.dropped = lost;
        self.number += 1;
        Some(LinesTold { number: self.number, lines, dropped_files, dropped_events, counts })
    }

    /// A gateway has taken the lines of this message.
    pub(crate) fn took(&mut self, number: u64) {
        if self.sent.as_ref().is_some_and(|sent| sent.number == number) {
            (self.sent, self.is_told) = (None, false);
        }
    }
}

impl LineTold {
    /// At most how many bytes it takes in a message: JSON makes two or six of some.
    fn bytes(&self) -> usize {
        let written = |text: &str| -> usize {
            let one = |byte: u8| match byte {
                b'"' | b'\\' => 2,
                0..b' ' => 6,
                _ => 1,
            };
            text.bytes().map(one).sum()
        };
        BESIDE_BYTES
            + match self {
                Self::File { of, text, .. } => written(of) + written(text),
                Self::Event { group, stream, text, .. } => written(group.as_str()) + written(stream) + written(text),
            }
    }

    fn text(&self) -> &str {
        match self {
            Self::File { text, .. } | Self::Event { text, .. } => text,
        }
    }
}

/// Everything that is counted of the load balancers and target groups of some VPCs.
fn counted(
    realm: &RealmWorld,
    is_of: impl Fn(VpcId) -> bool + Copy,
) -> impl Iterator<Item = (CountOf, &'static str, &AtomicU64)> {
    let balancers = realm.balancers().filter(move |(balancer, _)| is_of(balancer.vpc)).flat_map(|(balancer, meter)| {
        let of = CountOf::Balancer { balancer: balancer.id };
        of_balancer(meter).map(move |(what, cell)| (of, what, cell))
    });
    let groups = realm.groups().filter(move |(group, _)| is_of(group.vpc)).flat_map(|(group, state)| {
        let of = CountOf::Group { group: group.id };
        let targets = state.targets.iter();
        let requests = targets.map(|target| (CountOf::Target(target.key.into()), REQUESTS, target.requests_counted()));
        of_group(&state.meter).map(move |(what, cell)| (of, what, cell)).chain(requests)
    });
    balancers.chain(groups)
}

/// The logs of a VPC that lines may be of.
struct Logs<'w> {
    places: HashMap<(KindTold, &'w str), &'w Arc<LogPlace>>,
    streams: HashSet<(&'w LogGroupName, String)>,
}

/// Takes lines of an agent to the logs of its VPC. What belongs to none of them is dropped and counted, and so is what the agent has dropped.
pub(crate) fn take(shared: &Shared, (realm, vpc): (&Realm, VpcId), told: LinesTold) {
    let world = shared.world.load();
    let held = world.realms.iter().find(|held| held.snapshot.realm == *realm);
    if let (Some(held), false) = (held, told.counts.is_empty()) {
        let cells: HashMap<_, _> = counted(held, |of| of == vpc).map(|(of, what, cell)| ((of, what), cell)).collect();
        for CountTold { of, what, more } in &told.counts {
            if let Some(cell) = cells.get(&(*of, what.as_str())) {
                cell.fetch_add(*more, Ordering::Relaxed);
            }
        }
    }
    let held = held.map(|held| &held.snapshot);
    let mut logs = Logs { places: HashMap::new(), streams: HashSet::new() };
    if let Some(held) = held {
        let balancers = held.balancers.balancers.iter().filter(|balancer| balancer.vpc == vpc);
        let of_balancers = balancers.flat_map(|balancer| {
            let logs = &balancer.logs;
            [&logs.access, &logs.connections, &logs.health_checks].into_iter().flatten()
        });
        logs.places.extend(of_balancers.map(|place| ((place.kind.into(), place.balancer.as_str()), place)));
        for logged in held.fabric.flow_logs.values().filter(|logged| logged.interface.vpc == vpc) {
            for log in logged.logs.iter() {
                match &log.to {
                    FlowTo::Files(place) => {
                        logs.places.insert((place.kind.into(), place.balancer.as_str()), place);
                    }
                    FlowTo::Group(group) => {
                        logs.streams.insert((group, log.stream(logged.interface.id)));
                    }
                }
            }
        }
    }
    let lose = |is_file: bool, why, count| match is_file {
        true => shared.config.balancer_lines.iter().for_each(|lines| lines.lose(why, count)),
        false => shared.config.lines.iter().for_each(|lines| lines.lose(why, count)),
    };
    lose(true, Loss::QueueFull, told.dropped_files);
    lose(false, Loss::QueueFull, told.dropped_events);
    for line in told.lines {
        let is_file = matches!(line, LineTold::File { .. });
        // What ends a line would begin another one, of a log that nobody looked at.
        if line.text().contains(['\n', '\r']) {
            lose(is_file, Loss::Failed, 1);
            continue;
        }
        match line {
            LineTold::File { kind, of, node, text } => match logs.places.get(&(kind, of.as_str())) {
                Some(place) => shared.log(BalancerLine { place: Arc::clone(place), node, text }),
                None => lose(is_file, Loss::NoDestination, 1),
            },
            LineTold::Event { group, stream, at_unix_ms, text } => {
                if !logs.streams.contains(&(&group, stream.clone())) {
                    lose(is_file, Loss::NoDestination, 1);
                    continue;
                }
                let group = LogGroupArn { realm: realm.clone(), name: group };
                let log = Arc::new(LogStream { group, stream });
                if let Some(lines) = &shared.config.lines {
                    lines.offer(LogLine { log, at_unix_ms, text });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use topology::snapshot::logs::LogKind;

    use super::*;
    use crate::limits::LINK_AGENT_MESSAGE_BYTES_MAX;
    use crate::link::message::{FromAgent, framed};
    use crate::report::outlet::{self, Outlet};

    fn ledger() -> (Ledger, Outlet<BalancerLine>, Outlet<LogLine>) {
        let (files, events) = (outlet::balancer_lines(), outlet::lines());
        (Ledger::new(files.1, events.1), files.0, events.0)
    }

    fn file(text: String) -> BalancerLine {
        let place = LogPlace {
            kind: LogKind::Access,
            bucket: "my-logs".to_owned(),
            prefix: String::new(),
            realm: realm(),
            balancer: "app/a/1".to_owned(),
            header: String::new(),
        };
        BalancerLine { place: Arc::new(place), node: Ipv4Addr::LOCALHOST, text }
    }

    fn event(text: String) -> LogLine {
        let group = LogGroupArn { realm: realm(), name: "/a".parse().unwrap() };
        LogLine { log: Arc::new(LogStream { group, stream: "b".to_owned() }), at_unix_ms: 1, text }
    }

    fn realm() -> Realm {
        Realm { account: "123456789012".parse().unwrap(), region: "us-east-1".parse().unwrap() }
    }

    #[tokio::test]
    async fn lines_are_told_until_they_are_taken_and_once_in_each_session() {
        let (mut ledger, files, events) = ledger();
        assert!(ledger.says().is_none() && ledger.is_taken());
        files.offer(file("first".to_owned()));
        ledger.fill().await;
        let told = ledger.says().unwrap();
        assert_eq!((told.number, told.lines.len()), (1, 1));
        events.offer(event("second".to_owned()));
        ledger.fill().await;
        assert!(ledger.says().is_none(), "the first ones are on their way");
        ledger.begin();
        assert_eq!(ledger.says(), Some(told), "to another session again");
        ledger.took(7);
        assert!(ledger.says().is_none() && !ledger.is_taken());
        ledger.took(1);
        let next = ledger.says().unwrap();
        assert_eq!((next.number, next.lines[0].text()), (2, "second"));
        ledger.took(2);
        assert!(ledger.is_taken() && ledger.says().is_none());
    }

    #[tokio::test]
    async fn a_message_has_room_for_its_lines_whatever_they_say_and_the_rest_follows() {
        let (mut ledger, files, _) = ledger();
        let sizes = [1, 100, 200 * 1024, LINK_LINES_BYTES];
        let texts = sizes
            .iter()
            .flat_map(|size| ["a", "\"", "\\", "\u{1}", "\u{7f}", "\u{fc}"].map(|text| text.repeat(size / text.len())));
        let texts: Vec<String> = texts.collect();
        texts.iter().for_each(|text| files.offer(file(text.clone())));
        let (mut came, mut dropped) = (0, 0);
        while !ledger.is_taken() {
            let Some(told) = ledger.says() else { break };
            ledger.took(told.number);
            came += told.lines.len();
            dropped += told.dropped_files;
            assert!(framed(&FromAgent::Lines(told)).len() <= LINK_AGENT_MESSAGE_BYTES_MAX);
        }
        assert_eq!(came as u64 + dropped, texts.len() as u64);
        assert!(dropped >= 6, "those that fill a message alone");
    }

    #[tokio::test]
    async fn what_finds_no_room_while_nobody_takes_it_is_counted() {
        let (mut ledger, _, events) = ledger();
        let many = crate::limits::LINES_MAX as u64 + 5;
        (0..many).for_each(|_| events.offer(event(String::new())));
        let (mut came, mut dropped) = (0, 0);
        while !ledger.is_taken() {
            let told = ledger.says().unwrap();
            came += told.lines.len() as u64;
            dropped += told.dropped_events;
            ledger.took(told.number);
        }
        assert_eq!((came, dropped), (many - 5, 5));
    }
}
