//! Records the hop trace of each request into a ring of fixed size. A record is kept small, because each request writes one
//! into memory that has long left the caches, and what a slot held is handed back to be written over, so that recording does
//! not allocate once the ring is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use parking_lot::Mutex;
use tokio::time::Instant;
use topology::id::{AgentId, ApiId};
use topology::reason::Reason;
use topology::trace::{HOST_BYTES_MAX, Hop, HopId, HopKind, HopVerdict, Leg, PATH_BYTES_MAX, RequestId, Run, Trace};

use crate::limits::{TRACE_DETAIL_BYTES_MAX, TRACE_METHOD_BYTES_MAX, TRACES_KEPT};
use crate::spare::Spares;
use crate::{clock, entropy};

/// The newest traces.
#[derive(Debug)]
pub struct TraceRing {
    slots: Box<[Mutex<Option<Box<Record>>>]>,
    next: AtomicUsize,
    /// Whose ids the traces get.
    run: Run,
}

/// A trace as it is kept.
#[derive(Debug)]
struct Record {
    id: RequestId,
    revision: u64,
    started_unix_micros: u64,
    api: Option<ApiId>,
    status: u16,
    reason: Option<Reason>,
    /// Method, path, stage, forwarded path and host, one after the other.
    text: String,
    method_len: usize,
    path_len: usize,
    stage_len: usize,
    forwarded_len: usize,
    steps: Vec<Step>,
    legs: Vec<Leg>,
    hints: Vec<Reason>,
    /// By the place of the step.
    details: Vec<(usize, String)>,
    /// Which step an agent carried, which agent, and how many microseconds away that was: it becomes a text when somebody reads it.
    carried: Option<(usize, AgentId, u32)>,
    /// What the request makes of silence. Here, so that the recording stays small.
    silence: Silence,
}

/// A hop; its leg is kept aside, since several hops share one and most have none.
#[derive(Debug, Clone, Copy)]
struct Step {
    id: HopId,
    micros: u32,
    kind: HopKind,
    verdict: HopVerdict,
    reason: Option<Reason>,
    status: Option<u16>,
    leg: Option<u8>,
}

thread_local! {
    /// Records to write over: as many as requests of this thread began before others were filed.
    static SPARES: Spares<Box<Record>> = const { Spares::new() };
}

/// Hops and legs of a request through the whole chain.
const STEPS_USUAL: usize = 10;
const LEGS_USUAL: usize = 2;

impl Record {
    fn new(id: RequestId) -> Self {
        Self {
            id,
            revision: 0,
            started_unix_micros: 0,
            api: None,
            status: 0,
            reason: None,
            text: String::new(),
            method_len: 0,
            path_len: 0,
            stage_len: 0,
            forwarded_len: 0,
            steps: Vec::with_capacity(STEPS_USUAL),
            legs: Vec::with_capacity(LEGS_USUAL),
            hints: Vec::new(),
            details: Vec::new(),
            carried: None,
            silence: Silence::Borne,
        }
    }

    fn begin(&mut self, id: RequestId, (revision, arrived): (u64, Duration), method: &str, path: &str) {
        (self.id, self.revision, self.silence) = (id, revision, Silence::Borne);
        self.started_unix_micros = clock::micros(arrived);
        (self.api, self.status, self.reason) = (None, 0, None);
        let (method, path) = (cut(method, TRACE_METHOD_BYTES_MAX), cut(path, PATH_BYTES_MAX));
        self.text.clear();
        self.text.push_str(method);
        self.text.push_str(path);
        (self.method_len, self.path_len) = (method.len(), path.len());
        (self.stage_len, self.forwarded_len) = (0, 0);
        self.steps.clear();
        self.legs.clear();
        self.hints.clear();
        self.details.clear();
        self.carried = None;
    }

    fn push(&mut self, hop: &Hop, micros: u32) {
        if self.reason.is_none() {
            self.reason = hop.reason;
        }
        let leg = hop.leg.map(|leg| {
            if self.legs.last() != Some(&leg) {
                self.legs.push(leg);
            }
            // A request has a handful of legs.
            u8::try_from(self.legs.len() - 1).unwrap_or(u8::MAX)
        });
        let Hop { kind, id, verdict, reason, status, .. } = *hop;
        self.steps.push(Step { id, micros, kind, verdict, reason, status, leg });
    }

    fn hop(&self, step: &Step) -> Hop {
        let Step { id, micros, kind, verdict, reason, status, leg } = *step;
        Hop {
            kind,
            id,
            verdict,
            reason,
            micros,
            leg: leg.and_then(|at| self.legs.get(usize::from(at)).copied()),
            status,
        }
    }

    fn trace(&self) -> Trace {
        let (method, rest) = self.text.split_at(self.method_len);
        let (path, rest) = rest.split_at(self.path_len);
        let (stage, rest) = rest.split_at(self.stage_len);
        let (forwarded_path, host) = rest.split_at(self.forwarded_len);
        Trace {
            request_id: self.id,
            revision: self.revision,
            started_unix_micros: self.started_unix_micros,
            api: self.api,
            stage: stage.to_owned(),
            status: self.status,
            reason: self.reason,
            method: method.to_owned(),
            path: path.to_owned(),
            forwarded_path: forwarded_path.to_owned(),
            host: host.to_owned(),
            hops: self.steps.iter().map(|step| self.hop(step)).collect(),
            hints: self.hints.clone(),
            details: self.details.iter().cloned().chain(self.carried()).collect(),
        }
    }

    /// What the step that an agent carried has to say.
    fn carried(&self) -> Option<(usize, String)> {
        let (at, agent, micros) = self.carried?;
        Some((at, format!("by {agent}, round trip {:.1} ms", f64::from(micros) / 1e3)))
    }
}

fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

impl Default for TraceRing {
    fn default() -> Self {
        Self::new(Run::default())
    }
}

impl TraceRing {
    /// A ring without traces, for this run of the server.
    pub(crate) fn new(run: Run) -> Self {
        Self { slots: (0..TRACES_KEPT).map(|_| Mutex::new(None)).collect(), next: AtomicUsize::new(0), run }
    }

    /// The trace of this request, if it is still kept.
    #[must_use]
    pub fn find(&self, id: RequestId) -> Option<Trace> {
        self.slots.iter().find_map(|slot| slot.lock().as_ref().filter(|record| record.id == id).map(|r| r.trace()))
    }

    /// How many were recorded, kept or not.
    pub(crate) fn recorded(&self) -> u64 {
        self.next.load(Ordering::Relaxed) as u64
    }

    /// The newest traces, the newest first.
    #[must_use]
    pub fn newest(&self, count: usize) -> Vec<Trace> {
        self.newest_of(count, |_| true)
    }

    /// The newest of those that somebody is shown, the newest first.
    #[must_use]
    pub fn newest_of(&self, count: usize, is_shown: impl Fn(&Trace) -> bool) -> Vec<Trace> {
        let next = self.next.load(Ordering::Relaxed);
        let places = (1..=self.slots.len()).map(|back| next.wrapping_sub(back) % self.slots.len());
        let kept = places.filter_map(|place| self.slots[place].lock().as_ref().map(|record| record.trace()));
        kept.filter(is_shown).take(count).collect()
    }

    /// Notes on a kept trace that the answer broke off.
    pub(crate) fn amend(&self, id: RequestId, reason: Reason) {
        for slot in &self.slots {
            let mut slot = slot.lock();
            if let Some(record) = slot.as_mut().filter(|record| record.id == id) {
                let micros = record.steps.last().map_or(0, |step| step.micros);
                record.push(&Hop::stop(HopKind::Target, HopId::None, reason, micros), micros);
                return;
            }
        }
    }

    fn keep(&self, record: Box<Record>) {
        let place = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        let old = self.slots[place].lock().replace(record);
        if let Some(old) = old {
            SPARES.with(|spares| spares.keep(old));
        }
    }
}

/// What a request makes of a connection that nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// It waits as long as AWS waits.
    Borne,
    /// It was sent for its explanation alone, and goes on at once with the status and the reason that waiting would end in.
    Skipped,
}

/// The trace of a request under way, until it is filed.
#[derive(Debug)]
pub(crate) struct Recording {
    record: Option<Box<Record>>,
    ring: Arc<TraceRing>,
    id: RequestId,
    start: Instant,
    now_micros: u32,
}

impl Recording {
    /// Begins a trace under a fresh request id.
    pub(crate) fn begin(ring: &Arc<TraceRing>, revision: u64, method: &str, path: &str) -> Self {
        let id = RequestId::of_run(ring.run, entropy::bits128());
        let arrived = clock::since_epoch();
        let spare = SPARES.with(Spares::take);
        let mut record = spare.unwrap_or_else(|| Box::new(Record::new(id)));
        record.begin(id, (revision, arrived), method, path);
        Self { record: Some(record), ring: Arc::clone(ring), id, start: clock::now(), now_micros: 0 }
    }

    /// What the request makes of silence, where it does not bear it.
    pub(crate) fn make_of_silence(&mut self, silence: Silence) {
        if let Some(record) = &mut self.record {
            record.silence = silence;
        }
    }

    /// Bears the silence of a connection that nobody answers, up to so long after the request began. What comes of it is certain
    /// before.
    pub(crate) async fn bear_silence(&mut self, up_to: Duration) {
        match self.record.as_ref().map_or(Silence::Borne, |record| record.silence) {
            Silence::Borne => tokio::time::sleep_until(self.start + up_to).await,
            Silence::Skipped => {}
        }
        self.read_clock();
    }

    /// The request's id.
    pub(crate) const fn id(&self) -> RequestId {
        self.id
    }

    /// The trace so far, answered with this status.
    pub(crate) fn trace(&self, status: u16) -> Option<Trace> {
        self.record.as_ref().map(|record| Trace { status, ..record.trace() })
    }

    /// When the request began.
    pub(crate) const fn start(&self) -> Instant {
        self.start
    }

    /// When the request began, since 1970. It is known until the trace is filed.
    pub(crate) fn arrived(&self) -> Duration {
        self.record.as_ref().map_or(Duration::ZERO, |record| Duration::from_micros(record.started_unix_micros))
    }

    /// How long the request had lasted at the last reading of the clock.
    pub(crate) const fn lasted(&self) -> Duration {
        Duration::from_micros(self.now_micros as u64)
    }

    /// Reads the clock: the hops that follow carry this time. Steps that do not wait share one reading.
    pub(crate) fn read_clock(&mut self) {
        self.now_micros = clock::micros_since(self.start);
    }

    /// The last reading of the clock, in microseconds since the request began.
    pub(crate) const fn now_micros(&self) -> u32 {
        self.now_micros
    }

    /// The API was found.
    pub(crate) fn api(&mut self, api: ApiId) {
        if let Some(record) = &mut self.record {
            record.api = Some(api);
        }
    }

    /// The stage was found. It comes before [`Self::forwarded_path`].
    pub(crate) fn stage(&mut self, name: &str) {
        if let Some(record) = &mut self.record {
            record.text.truncate(record.method_len + record.path_len);
            record.text.push_str(name);
            (record.stage_len, record.forwarded_len) = (name.len(), 0);
        }
    }

    /// The path that the backend gets, where it differs.
    pub(crate) fn forwarded_path(&mut self, path: &str) {
        if let Some(record) = &mut self.record {
            record.text.truncate(record.method_len + record.path_len + record.stage_len);
            let path = cut(path, PATH_BYTES_MAX);
            record.text.push_str(path);
            record.forwarded_len = path.len();
        }
    }

    /// The `Host` that the private side gets. It comes last of the texts.
    pub(crate) fn host(&mut self, host: &HeaderValue) {
        if let Some(record) = &mut self.record {
            record.text.truncate(record.method_len + record.path_len + record.stage_len + record.forwarded_len);
            record.text.push_str(cut(host.to_str().unwrap_or_default(), HOST_BYTES_MAX));
        }
    }

    /// A step passed.
    pub(crate) fn pass(&mut self, kind: HopKind, id: HopId) {
        self.hop(Hop::pass(kind, id, self.now_micros));
    }

    /// A step stopped the request.
    pub(crate) fn stop(&mut self, kind: HopKind, id: HopId, reason: Reason) {
        self.hop(Hop::stop(kind, id, reason, self.now_micros));
    }

    /// Any step; its time is the last reading. The first reason is the trace's.
    pub(crate) fn hop(&mut self, hop: Hop) {
        self.hop_at(hop, self.now_micros);
    }

    /// Any step, so long after the request began.
    pub(crate) fn hop_at(&mut self, hop: Hop, micros: u32) {
        if let Some(record) = &mut self.record {
            record.push(&hop, micros);
        }
    }

    /// The steps so far, the hints, and what steps have to say beyond their ids, by their places.
    pub(crate) fn steps(&self) -> (impl Iterator<Item = Hop>, &[Reason], impl Iterator<Item = (usize, &str)>) {
        let record = self.record.as_deref();
        let hops = record.into_iter().flat_map(|record| record.steps.iter().map(|step| record.hop(step)));
        let details = record.into_iter().flat_map(|record| &record.details);
        (hops, record.map_or(&[], |record| &record.hints), details.map(|(at, text)| (*at, text.as_str())))
    }

    /// Whether the request was sent for its explanation alone.
    pub(crate) fn skips_silence(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.silence == Silence::Skipped)
    }

    /// What the last step has to say beyond its ids: what was asked, what was offered. Never a token or another secret; cut
    /// to a bound.
    pub(crate) fn detail(&mut self, text: &str) {
        if let Some(record) = &mut self.record {
            record.details.push((record.steps.len().saturating_sub(1), cut(text, TRACE_DETAIL_BYTES_MAX).to_owned()));
        }
    }

    /// An agent so many microseconds away carried the last step.
    pub(crate) fn carried_by(&mut self, agent: AgentId, micros: u32) {
        if let Some(record) = &mut self.record {
            record.carried = Some((record.steps.len().saturating_sub(1), agent, micros));
        }
    }

    /// A hint: the request may have passed all the same.
    pub(crate) fn hint(&mut self, hint: Reason) {
        if let Some(record) = &mut self.record {
            record.hints.push(hint);
        }
    }

    /// The reason that stopped the request, so far.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.record.as_ref().and_then(|record| record.reason)
    }

    /// The client went away before there was an answer.
    pub(crate) fn client_closed(&mut self) {
        self.read_clock();
        self.stop(HopKind::Gateway, HopId::None, Reason::ClientClosed);
    }

    /// The trace is complete: it is filed with this status, and what follows is not recorded.
    pub(crate) fn file(&mut self, status: u16) {
        if let Some(mut record) = self.record.take() {
            record.status = status;
            self.ring.keep(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_and_finds_them_by_id() {
        let ring = Arc::new(TraceRing::default());
        let mut first = Recording::begin(&ring, 1, "GET", "/first");
        let first_id = first.id();
        first.file(200);
        assert_eq!(ring.find(first_id).unwrap().path, "/first");
        for _ in 0..TRACES_KEPT {
            Recording::begin(&ring, 1, "GET", "/later").file(200);
        }
        assert!(ring.find(first_id).is_none());
        assert_eq!(ring.newest(3).len(), 3);
    }

    #[test]
    fn hops_and_their_legs_come_back_as_they_went_in() {
        let ring = Arc::new(TraceRing::default());
        let mut recording = Recording::begin(&ring, 1, "GET", "/a");
        let leg = |port| Leg {
            from: topology::trace::Sender::Gone,
            to: None,
            to_address: "10.0.0.4".parse().unwrap(),
            port,
            deciding_rule: None,
            nearest_rule: None,
        };
        recording.stage("prod");
        recording.forwarded_path("/longer");
        recording.forwarded_path("/b");
        recording.host(&HeaderValue::from_static("other"));
        recording.host(&HeaderValue::from_static("shop.test"));
        let hops = [
            Hop::pass(HopKind::Gateway, HopId::None, 0),
            Hop::pass(HopKind::SecurityGroup, HopId::None, 0).with_leg(leg(80)),
            Hop::pass(HopKind::Listener, HopId::None, 0).with_leg(leg(80)),
            Hop::stop(HopKind::Target, HopId::None, Reason::TargetRefused, 0).with_leg(leg(81)).with_status(502),
        ];
        for hop in hops {
            recording.hop(hop);
        }
        let id = recording.id();
        recording.file(502);
        let trace = ring.find(id).unwrap();
        assert_eq!(trace.hops, hops);
        let texts = (trace.path.as_str(), trace.stage.as_str(), trace.forwarded_path.as_str());
        assert_eq!(texts, ("/a", "prod", "/b"));
        assert_eq!(trace.host, "shop.test");
        assert_eq!(trace.reason, Some(Reason::TargetRefused));
    }

    #[test]
    fn a_recording_whose_client_closed_says_so() {
        let ring = Arc::new(TraceRing::default());
        let mut recording = Recording::begin(&ring, 1, "GET", "/");
        let id = recording.id();
        recording.client_closed();
        recording.file(0);
        recording.file(200);
        let trace = ring.find(id).unwrap();
        assert_eq!((trace.reason, trace.status), (Some(Reason::ClientClosed), 0));
    }

    #[test]
    fn what_is_written_over_leaves_nothing_behind() {
        let ring = Arc::new(TraceRing::default());
        for _ in 0..=TRACES_KEPT {
            let mut recording = Recording::begin(&ring, 1, "GET", "/a");
            recording.stop(HopKind::Route, HopId::None, Reason::RouteNotFound);
            recording.hint(Reason::OpenToWorld);
            recording.file(404);
        }
        let mut recording = Recording::begin(&ring, 2, "POST", "/b");
        let id = recording.id();
        recording.file(200);
        let trace = ring.find(id).unwrap();
        assert_eq!((trace.reason, trace.hops.len(), trace.hints.len(), trace.status), (None, 0, 0, 200));
        assert_eq!((trace.method.as_str(), trace.path.as_str(), trace.revision), ("POST", "/b", 2));
    }
}
