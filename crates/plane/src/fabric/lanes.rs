//! Connections that the agents of private networks dialled to this gateway, to be used like kept ones: each carries one request at a time,
//! and is taken only with leave to enter a node there. An agent whose lane is closed gets no request; where it was shut out, what it carries is cut too.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;
use topology::id::AgentId;

use super::dial::Leave;
use super::outside::Stream;
use crate::clock;
use crate::http1::wire::Wire;
use crate::limits::LINK_CONNECTIONS_MAX;

/// No agent has a connection to lend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no agent that carries this has a connection to lend")]
pub(crate) struct NoConnection;

/// The lanes of all agents that are connected.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    by_agent: ArcSwap<HashMap<AgentId, Arc<AgentLane>>>,
    /// One writer at a time.
    writing: Mutex<()>,
    /// An agent came, or has a connection to lend again.
    changed: Notify,
}

/// The connections of one agent.
#[derive(Debug)]
pub(crate) struct AgentLane {
    id: AgentId,
    #[allow(clippy::vec_box, reason = "a wire is given out and taken back in its box")]
    idle: Mutex<Vec<Box<Wire<Stream>>>>,
    open: Mutex<Vec<Weak<Cut>>>,
    /// A connection can be taken.
    came: Notify,
    /// Whether requests may be given to it.
    takes: AtomicBool,
    /// Whether it may be unreachable: others are given requests first.
    is_doubted: AtomicBool,
    round_trip_micros: AtomicU32,
    /// When it was last heard.
    heard: Mutex<Instant>,
    /// The newest revision that it was sent.
    sent: AtomicU64,
    /// The run of the agent's program.
    run: u64,
    /// The run that has the lane in its place, once one has.
    replaced_by: watch::Sender<Option<u64>>,
}

/// What ends a connection from elsewhere.
#[derive(Debug, Default)]
struct Cut {
    is_cut: AtomicBool,
    reader: Mutex<Option<Waker>>,
}

/// One connection of an agent.
#[derive(Debug)]
pub(crate) struct LaneStream {
    stream: TlsStream<TcpStream>,
    cut: Arc<Cut>,
    /// What lasts as long as the connection does.
    _held: Held,
}

/// What lasts as long as a connection does: whoever lets connections in counts them by it.
pub(crate) type Held = Box<dyn Any + Send + Sync>;

/// Leave to send one request to an agent: nobody has one without leave to enter the node that the request enters there.
#[derive(Debug)]
pub(crate) struct Lane<'p> {
    agent: &'p Arc<AgentLane>,
    until: Instant,
}

impl<'p> Lane<'p> {
    /// That of an agent, for who waits for a connection until then.
    pub(crate) const fn new(_leave: &'p Leave, agent: &'p Arc<AgentLane>, until: Instant) -> Self {
        Self { agent, until }
    }

    /// Whose it is.
    pub(super) const fn agent(&self) -> &Arc<AgentLane> {
        self.agent
    }

    /// Waits for a connection.
    pub(super) async fn wait(&self) -> Result<Box<Wire<Stream>>, NoConnection> {
        loop {
            let came = self.agent.came.notified();
            tokio::pin!(came);
            came.as_mut().enable();
            if let Some(wire) = self.agent.take() {
                return Ok(wire);
            }
            if !self.agent.takes() {
                return Err(NoConnection);
            }
            timeout_at(self.until, came).await.map_err(|_elapsed| NoConnection)?;
        }
    }
}

impl Lanes {
    /// The lane of an agent, if it is connected.
    pub(crate) fn agent(&self, id: AgentId) -> Option<Arc<AgentLane>> {
        self.by_agent.load().get(&id).cloned()
    }

    /// Opens the lane of an agent that has come, in this run of its program. One that it had ends with what is under way on it.
    pub(crate) fn open(&self, id: AgentId, run: u64) -> Arc<AgentLane> {
        let lane = Arc::new(AgentLane {
            id,
            idle: Mutex::default(),
            open: Mutex::default(),
            came: Notify::new(),
            takes: AtomicBool::new(true),
            is_doubted: AtomicBool::new(false),
            round_trip_micros: AtomicU32::new(0),
            heard: Mutex::new(clock::now()),
            sent: AtomicU64::new(0),
            run,
            replaced_by: watch::Sender::new(None),
        });
        let before = self.write(|agents| agents.insert(id, Arc::clone(&lane)));
        if let Some(before) = before {
            before.close();
            before.replaced_by.send_replace(Some(run));
        }
        self.changed.notify_waiters();
        lane
    }

    /// Forgets a lane, unless the agent has another one by now; whether it did.
    pub(crate) fn forget(&self, lane: &Arc<AgentLane>) -> bool {
        lane.close();
        self.write(|agents| {
            let is_newest = agents.get(&lane.id).is_some_and(|now| Arc::ptr_eq(now, lane));
            is_newest && agents.remove(&lane.id).is_some()
        })
    }

    fn write<T>(&self, edit: impl FnOnce(&mut HashMap<AgentId, Arc<AgentLane>>) -> T) -> T {
        let _turn = self.writing.lock();
        let mut agents = HashMap::clone(&self.by_agent.load());
        let edited = edit(&mut agents);
        self.by_agent.store(Arc::new(agents));
        edited
    }

    /// Lets go of what agents closed.
    pub(crate) fn sweep(&self) {
        self.by_agent.load().values().for_each(|lane| lane.sweep());
    }

    /// The first that `find` finds, now or as soon as an agent comes, until then.
    pub(crate) async fn wait_for<T>(&self, find: impl Fn() -> Option<T>, until: Instant) -> Option<T> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = find() {
                return Some(found);
            }
            timeout_at(until, changed).await.ok()?;
        }
    }
}

impl AgentLane {
    /// Whose it is.
    pub(crate) const fn id(&self) -> AgentId {
        self.id
    }

    /// Whether requests may be given to it.
    pub(crate) fn takes(&self) -> bool {
        self.takes.load(Ordering::Acquire)
    }

    /// Notes that it does not answer.
    pub(crate) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Relaxed);
    }

    /// How many connections wait for a request, and how many carry one.
    pub(crate) fn connections(&self) -> (usize, usize) {
        let (idle, open) =
            (self.idle.lock().len(), self.open.lock().iter().filter(|cut| cut.strong_count() > 0).count());
        (idle, open.saturating_sub(idle))
    }

    /// Waits until the agent has another lane.
    pub(crate) async fn replaced(&self) {
        // The sender is here, so that this ends with an answer only.
        let _ = self.replaced_by.subscribe().wait_for(Option::is_some).await;
    }

    /// Whether the agent has another lane, of another run of its program.
    pub(crate) fn is_replaced_by_another(&self) -> bool {
        self.replaced_by.borrow().is_some_and(|run| run != self.run)
    }

    /// Notes that it was heard.
    pub(crate) fn was_heard(&self) {
        *self.heard.lock() = clock::now();
    }

    /// How long ago it was heard.
    pub(crate) fn silent_for(&self) -> Duration {
        clock::now().saturating_duration_since(*self.heard.lock())
    }

    /// Notes how long a ping and its answer took.
    pub(crate) fn measured(&self, micros: u32) {
        self.round_trip_micros.store(micros, Ordering::Relaxed);
        self.is_doubted.store(false, Ordering::Relaxed);
    }

    /// How long the last ping and its answer took, in microseconds; 0 before the first.
    pub(crate) fn round_trip_micros(&self) -> u32 {
        self.round_trip_micros.load(Ordering::Relaxed)
    }

    /// Notes that it was sent the state of its VPC at this revision.
    pub(crate) fn was_sent(&self, revision: u64) {
        self.sent.fetch_max(revision, Ordering::Relaxed);
    }

    /// The newest revision that it was sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether it has a connection to lend, and nothing speaks against its using it.
    pub(crate) fn is_good(&self) -> bool {
        self.takes() && !self.is_doubted.load(Ordering::Relaxed) && !self.idle.lock().is_empty()
    }

    /// Takes a connection in that the agent dialled; one too many is closed.
    pub(crate) fn admit(&self, stream: TlsStream<TcpStream>, held: Held) {
        let cut = Arc::new(Cut::default());
        {
            let mut open = self.open.lock();
            open.retain(|cut| cut.strong_count() > 0);
            if open.len() >= LINK_CONNECTIONS_MAX {
                tracing::warn!(agent = %self.id, "an agent dials more connections than it may");
                return;
            }
            open.push(Arc::downgrade(&cut));
        }
        self.put(Box::new(Wire::new(Stream::Lane(Box::new(LaneStream { stream, cut, _held: held })))));
    }

    /// One that can be used, the one used last first.
    pub(super) fn take(&self) -> Option<Box<Wire<Stream>>> {
        let mut idle = self.idle.lock();
        while let Some(mut wire) = idle.pop() {
            if wire.is_quiet() {
                return Some(wire);
            }
        }
        None
    }

    /// Keeps one whose exchange is over.
    pub(super) fn give_back(&self, wire: Box<Wire<Stream>>) {
        self.put(wire);
    }

    fn put(&self, wire: Box<Wire<Stream>>) {
        let mut idle = self.idle.lock();
        // Asked under the lock: who closes the lane empties the list after that.
        if self.takes() {
            idle.push(wire);
            drop(idle);
            self.came.notify_one();
        }
    }

    fn sweep(&self) {
        self.idle.lock().retain_mut(|wire| wire.is_quiet());
    }

    /// Gives it no request any more. What is under way goes on; what waits is closed.
    pub(crate) fn close(&self) {
        self.takes.store(false, Ordering::Release);
        self.idle.lock().clear();
        self.came.notify_waiters();
    }

    /// The same, and cuts what is under way.
    pub(crate) fn cut(&self) {
        self.close();
        for cut in self.open.lock().drain(..) {
            if let Some(cut) = cut.upgrade() {
                cut.is_cut.store(true, Ordering::Release);
                if let Some(reader) = cut.reader.lock().take() {
                    reader.wake();
                }
            }
        }
    }
}

impl LaneStream {
    fn check(&self) -> io::Result<()> {
        match self.cut.is_cut.load(Ordering::Acquire) {
            false => Ok(()),
            true => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

impl AsyncRead for LaneStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if polled.is_pending() {
            let mut reader = self.cut.reader.lock();
            if !reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
                *reader = Some(cx.waker().clone());
            }
            drop(reader);
            // Whoever cut in between has found no waker.
            self.check()?;
        }
        polled
    }
}

impl AsyncWrite for LaneStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
