//! The control thread and the one way to it. A bounded queue gives all writes a total order; each new snapshot is published
//! before the reply that caused it is sent. The clock that control sees is read here, and moved here, and nowhere else.
//!
//! What an operation means belongs to `control`; who may ask belongs to `serve`.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use control::objects::Objects;
use control::presigned::Dead;
use control::{
    AttachError, AttachRequest, Attached, Caller, Committed, Control, DetachRequest, ListenRequest, Listening, Reply,
};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use topology::estate::RealmEstate;
use topology::id::{Realm, VpcLinkId};
use topology::observed::{Fact, Observed, TargetKey};
use topology::resource::attachment::Served;
use topology::resource::usage_plan::UsageKey;
use topology::time::Moment;
use wire::Fault;

use crate::turns::Turns;

/// Messages that wait for the control thread. Above: the sender waits for its turn, as long as its request may last.
const MAILBOX_MESSAGES_MAX: usize = 256;
/// How long the thread sleeps at most when no life cycle is due.
const IDLE_WAIT: Duration = Duration::from_secs(60);
/// How long it waits before it tries again a change that was due and did not happen.
const RETRY_WAIT: Duration = Duration::from_millis(250);
/// Seconds that one `tick` may move the clock: ten years.
pub(crate) const TICK_SECONDS_MAX: i64 = 10 * 366 * 24 * 3600;

/// Takes what was committed, each time that something was.
pub(crate) type Publish = Box<dyn Fn(Committed) + Send>;

/// The control thread has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the control thread has ended, or failed on this message")]
pub(crate) struct Stopped;

/// What there was when it was asked for.
#[derive(Debug)]
pub(crate) struct Census {
    /// Every realm with what it holds.
    pub(crate) realms: Vec<(Realm, Arc<RealmEstate>)>,
    /// What traffic had reported.
    pub(crate) observed: Observed,
    /// When, by the moved clock.
    pub(crate) now: Moment,
}

/// What control does, and then the reply, which leaves once it is published.
type Work = Box<dyn FnOnce(&mut Control, Moment) -> Box<dyn FnOnce() + Send> + Send>;

/// What the thread can be asked.
enum Message {
    Call { caller: Caller, call: Box<(wire::Call, Objects)>, reply: oneshot::Sender<Reply> },
    Attach { realm: Realm, wish: AttachRequest, reply: oneshot::Sender<Result<Attached, AttachError>> },
    Detach { realm: Realm, wish: DetachRequest, reply: oneshot::Sender<Result<Attached, AttachError>> },
    Listen { realm: Realm, wish: ListenRequest, reply: oneshot::Sender<Result<Listening, AttachError>> },
    Unlisten { realm: Realm, listener: String, reply: oneshot::Sender<Result<Listening, AttachError>> },
    Release { realm: Realm, lease: Attached },
    Tick { seconds: i64, reply: oneshot::Sender<Result<(), Fault>> },
    Reset { reply: oneshot::Sender<Result<(), String>> },
    Census { reply: oneshot::Sender<Census> },
    Fetch { address: String, reply: oneshot::Sender<Result<Arc<str>, Dead>> },
    Keep { reply: oneshot::Sender<bool> },
    Work { name: &'static str, work: Work },
    Facts,
    Stop,
}

impl Message {
    /// What a turn is called that it takes.
    fn name(&self) -> &'static str {
        match self {
            Self::Call { call, .. } => call.0.operation().name,
            Self::Attach { .. } => "attach",
            Self::Listen { .. } => "listen",
            Self::Unlisten { .. } => "unlisten",
            Self::Detach { .. } => "detach",
            Self::Release { .. } => "the end of a lease",
            Self::Tick { .. } => "tick",
            Self::Reset { .. } => "reset",
            Self::Census { .. } => "status",
            Self::Fetch { .. } => "fetch",
            Self::Keep { .. } | Self::Facts => "facts",
            Self::Work { name, .. } => name,
            Self::Stop => "stop",
        }
    }
}

/// A message and its place in the queue.
struct Envelope {
    message: Message,
    _turn: Option<OwnedSemaphorePermit>,
}

/// What a fact is about: a newer one replaces an older one.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Subject {
    Target(Realm, TargetKey),
    Anomaly(Realm, TargetKey),
    Link(Realm, VpcLinkId),
    Usage(Realm, UsageKey, u32),
}

impl Subject {
    fn of(fact: &Fact) -> Self {
        match fact {
            Fact::TargetHealth { realm, target, .. } => Self::Target(realm.clone(), *target),
            Fact::TargetAnomaly { realm, target, .. } => Self::Anomaly(realm.clone(), *target),
            Fact::LinkUsed { realm, link } => Self::Link(realm.clone(), *link),
            Fact::Usage { realm, key, day, .. } => Self::Usage(realm.clone(), *key, *day),
        }
    }
}

/// The newest fact of each subject that control has not taken yet. Bounded by the targets,
/// links and keys of plans that there are.
type Facts = Arc<Mutex<HashMap<Subject, Fact>>>;

/// Whether a [`Message::Facts`] waits in the queue: one at a time, so that facts never take a place that has a turn.
type Nudged = Arc<AtomicBool>;

/// The way to the control thread.
#[derive(Clone)]
pub(crate) struct Mailbox {
    queue: SyncSender<Envelope>,
    turns: Arc<Semaphore>,
    facts: Facts,
    nudged: Nudged,
    lasted: Arc<Turns>,
}

impl Mailbox {
    /// The way, and the desk at its end, which works once it is started. `publish` gets what was committed before the reply leaves.
    pub(crate) fn new(control: Control, publish: Publish) -> (Self, Desk) {
        // One place more than there are turns, so that a waking fact always fits or finds the thread awake.
        let (queue, inbox) = sync_channel(MAILBOX_MESSAGES_MAX + 1);
        let facts = Facts::default();
        let nudged = Nudged::default();
        let lasted = Arc::new(Turns::default());
        let desk = Desk {
            inbox,
            control,
            publish,
            facts: Arc::clone(&facts),
            nudged: Arc::clone(&nudged),
            lasted: Arc::clone(&lasted),
            offset_ms: 0,
            kept: true,
        };
        (Self { queue, turns: Arc::new(Semaphore::new(MAILBOX_MESSAGES_MAX)), facts, nudged, lasted }, desk)
    }

    /// How long the thread's turns last.
    pub(crate) fn lasted(&self) -> &Turns {
        &self.lasted
    }

    /// Carries out an AWS call, with the bytes of the object that it names.
    pub(crate) async fn call(&self, caller: Caller, call: (wire::Call, Objects)) -> Result<Reply, Stopped> {
        let call = Box::new(call);
        self.ask(|reply| Message::Call { caller, call, reply }).await
    }

    /// Attaches an address.
    pub(crate) async fn attach(
        &self,
        realm: Realm,
        wish: AttachRequest,
    ) -> Result<Result<Attached, AttachError>, Stopped> {
        self.ask(|reply| Message::Attach { realm, wish, reply }).await
    }

    /// Undoes an attachment.
    pub(crate) async fn detach(
        &self,
        realm: Realm,
        wish: DetachRequest,
    ) -> Result<Result<Attached, AttachError>, Stopped> {
        self.ask(|reply| Message::Detach { realm, wish, reply }).await
    }

    /// Opens a socket to a listener.
    pub(crate) async fn listen(
        &self,
        realm: Realm,
        wish: ListenRequest,
    ) -> Result<Result<Listening, AttachError>, Stopped> {
        self.ask(|reply| Message::Listen { realm, wish, reply }).await
    }

    /// Closes the socket of a listener.
    pub(crate) async fn unlisten(
        &self,
        realm: Realm,
        listener: String,
    ) -> Result<Result<Listening, AttachError>, Stopped> {
        self.ask(|reply| Message::Unlisten { realm, listener, reply }).await
    }

    /// Ends a lease, unless something else has taken its place.
    pub(crate) async fn release(&self, realm: Realm, lease: Attached) {
        if let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await {
            // A thread that has ended holds no lease: a restart forgets them.
            let _ = self.queue.send(Envelope { message: Message::Release { realm, lease }, _turn: Some(turn) });
        }
    }

    /// Moves the clock and everything that is then due.
    pub(crate) async fn tick(&self, seconds: i64) -> Result<Result<(), Fault>, Stopped> {
        self.ask(|reply| Message::Tick { seconds, reply }).await
    }

    /// Forgets everything.
    pub(crate) async fn reset(&self) -> Result<Result<(), String>, Stopped> {
        self.ask(|reply| Message::Reset { reply }).await
    }

    /// What there is.
    pub(crate) async fn census(&self) -> Result<Census, Stopped> {
        self.ask(|reply| Message::Census { reply }).await
    }

    /// What an address leads to that an answer named.
    pub(crate) async fn fetch(&self, address: String) -> Result<Result<Arc<str>, Dead>, Stopped> {
        self.ask(|reply| Message::Fetch { address, reply }).await
    }

    /// Ends the thread, after everything that was asked before.
    pub(crate) async fn stop(&self) {
        if let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await {
            // A thread that has ended already is what was wanted.
            let _ = self.queue.send(Envelope { message: Message::Stop, _turn: Some(turn) });
        }
    }

    /// Hands in a fact and waits until it is durable; `false` where it could not be kept.
    pub(crate) async fn keep(&self, fact: Fact) -> Result<bool, Stopped> {
        self.put(fact);
        // Facts are taken before any message is handled.
        self.ask(|reply| Message::Keep { reply }).await
    }

    /// Hands in a fact. Called from traffic: it never waits.
    pub(crate) fn observe(&self, fact: Fact) {
        self.put(fact);
        if !self.nudged.swap(true, Ordering::SeqCst) {
            // The one place beyond the turns is free. A thread that has ended takes no facts.
            let _ = self.queue.try_send(Envelope { message: Message::Facts, _turn: None });
        }
    }

    /// Puts a fact in the place of an older one about the same. Totals only grow: one that was read earlier and comes later is
    /// passed over.
    fn put(&self, fact: Fact) {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let subject = Subject::of(&fact);
        let is_behind = match (facts.get(&subject), &fact) {
            (Some(Fact::Usage { used: known, .. }), Fact::Usage { used, .. }) => used <= known,
            _ => false,
        };
        if !is_behind {
            facts.insert(subject, fact);
        }
    }

    /// Has control do something that has no message of its own; `name` is what a turn is called that it takes.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Control, Moment) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let message = |reply: oneshot::Sender<T>| {
            let work: Work = Box::new(move |control, now| {
                let done = work(control, now);
                Box::new(move || drop(reply.send(done)))
            });
            Message::Work { name, work }
        };
        self.ask(message).await
    }

    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Result<T, Stopped> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Stopped)?;
        let (reply, answer) = oneshot::channel();
        // As many turns as places, and one for the facts: this never blocks.
        self.queue.send(Envelope { message: message(reply), _turn: Some(turn) }).map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

/// The control thread's own.
pub(crate) struct Desk {
    inbox: Receiver<Envelope>,
    control: Control,
    publish: Publish,
    facts: Facts,
    nudged: Nudged,
    lasted: Arc<Turns>,
    offset_ms: i64,
    /// Whether all facts that were taken last are kept.
    kept: bool,
}

impl Desk {
    /// Publishes what there is, and then works on a thread of its own until it is told to stop.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(mut self) -> std::io::Result<JoinHandle<()>> {
        self.publish();
        std::thread::Builder::new().name("control".to_owned()).spawn(move || self.work())
    }

    fn work(&mut self) {
        loop {
            let envelope = match self.inbox.recv_timeout(self.nap()) {
                Ok(Envelope { message: Message::Stop, .. }) => return,
                Ok(envelope) => {
                    if matches!(envelope.message, Message::Facts) {
                        // Before the facts are taken: one that comes later nudges again.
                        self.nudged.store(false, Ordering::SeqCst);
                    }
                    Some(envelope)
                }
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // A defect in one operation must not end all others. What was half done is in a draft, which is dropped.
            let what = envelope.as_ref().map_or("the clock", |envelope| envelope.message.name());
            let began = Instant::now();
            let done = catch_unwind(AssertUnwindSafe(|| {
                self.take_facts();
                self.advance_if_due();
                if let Some(envelope) = envelope {
                    self.handle(envelope.message);
                }
                self.advance_if_due();
            }));
            self.lasted.add(began.elapsed(), what);
            if done.is_err() {
                tracing::error!("the control thread met a defect; the call that met it fails");
            }
        }
    }

    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(self.offset_ms))
    }

    fn nap(&self) -> Duration {
        match self.control.next_change().map(|at| at.ms_since(self.now())) {
            None => IDLE_WAIT,
            Some(ms) => {
                u64::try_from(ms).ok().filter(|ms| *ms > 0).map_or(RETRY_WAIT, Duration::from_millis).min(IDLE_WAIT)
            }
        }
    }

    /// Before any answer leaves that says what was done.
    fn publish(&mut self) {
        if let Some(committed) = self.control.take_committed() {
            (self.publish)(committed);
        }
    }

    fn take_facts(&mut self) {
        let facts = std::mem::take(&mut *self.facts.lock().unwrap_or_else(PoisonError::into_inner));
        let now = self.now();
        self.kept = true;
        for fact in facts.into_values() {
            if let Err(fault) = self.control.observe(fact, now) {
                self.kept = false;
                tracing::error!(%fault, detail = fault.detail, "a fact could not be kept");
            }
        }
        self.publish();
    }

    fn advance_if_due(&mut self) {
        let now = self.now();
        if self.control.next_change().is_some_and(|at| at <= now)
            && let Err(fault) = self.advance(now)
        {
            tracing::error!(%fault, detail = fault.detail, "a life cycle could not be kept");
        }
    }

    fn advance(&mut self, now: Moment) -> Result<(), Fault> {
        let outcome = self.control.tick(now);
        self.publish();
        outcome
    }

    /// Answers one message. A client that no longer listens is no failure.
    fn handle(&mut self, message: Message) {
        let now = self.now();
        match message {
            Message::Call { caller, call, reply } => {
                let answer = self.control.call_with(&caller, (call.0, call.1), now);
                self.publish();
                let _ = reply.send(answer);
            }
            Message::Attach { realm, wish, reply } => {
                let outcome = self.control.attach(&realm, &wish);
                self.publish();
                let _ = reply.send(outcome);
            }
            Message::Detach { realm, wish, reply } => {
                let outcome = self.control.detach(&realm, &wish);
                self.publish();
                let _ = reply.send(outcome);
            }
            Message::Listen { realm, wish, reply } => {
                let outcome = self.control.listen(&realm, &wish);
                self.publish();
                let _ = reply.send(outcome);
            }
            Message::Unlisten { realm, listener, reply } => {
                let outcome = self.control.unlisten(&realm, &listener);
                self.publish();
                let _ = reply.send(outcome);
            }
            Message::Release { realm, lease } => self.release(&realm, &lease),
            Message::Tick { seconds, reply } => {
                self.offset_ms = self.offset_ms.saturating_add(seconds.saturating_mul(1000));
                let outcome = self.advance(self.now());
                let _ = reply.send(outcome);
            }
            Message::Reset { reply } => {
                let outcome = self.control.reset().map_err(|error| error.to_string());
                self.publish();
                let _ = reply.send(outcome);
            }
            Message::Census { reply } => {
                let realms = self.control.estate().realms.iter();
                let realms = realms.map(|(realm, estate)| (realm.clone(), Arc::clone(estate))).collect();
                let _ = reply.send(Census { realms, observed: self.control.observed().clone(), now });
            }
            Message::Fetch { address, reply } => _ = reply.send(self.control.fetch(&address, now)),
            Message::Keep { reply } => _ = reply.send(self.kept),
            Message::Work { work, .. } => {
                let reply = work(&mut self.control, now);
                self.publish();
                reply();
            }
            Message::Facts | Message::Stop => {}
        }
    }

    fn release(&mut self, realm: &Realm, lease: &Attached) {
        let held = self.control.estate().realms.get(realm).and_then(|estate| {
            estate.attachments.get(&(lease.interface, lease.port)).filter(|held| held.lease && held.host == lease.host)
        });
        if held.is_none() {
            return;
        }
        let wish = DetachRequest {
            address: Served::Address(lease.private_ip.into()),
            port: lease.port,
            vpc: Some(lease.vpc),
            agent: None,
        };
        let outcome = self.control.detach(realm, &wish);
        self.publish();
        if let Err(error) = outcome {
            tracing::warn!(%error, address = %lease.private_ip, "a lease could not be ended");
        }
    }
}
