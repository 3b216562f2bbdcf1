//! What plays a connection for the engine's tests: a stream whose bytes come and are taken in pieces, with nothing for a while in between;
//! an executor that polls only what was woken, so that a wake-up that is lost is a connection that stands; and choices that a seed
//! makes again.

mod answers;
mod beside_hyper;
mod reader;
mod sequences;

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http_body::Frame;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http::body::BodyFault;
use crate::http::framing::{Framing, WithFraming};

/// A source of choices that its seed makes again.
#[derive(Debug, Clone)]
pub(super) struct Choices(pub(super) u64);

impl Choices {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    /// True once in so many times.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// How many runs: few in every run of the tests, many by hand (`TIDEGATE_SEQUENCES=100000`).
pub(super) fn runs(few: u64) -> u64 {
    std::env::var("TIDEGATE_SEQUENCES").ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

/// What happens on the other end of a stream, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// These bytes come.
    Bytes(Bytes),
    /// Nothing comes for a while.
    Pause,
    /// Nothing comes before this was said.
    Await(&'static [u8]),
    /// Nothing comes any more.
    End,
}

/// How much of what is written is taken at once.
#[derive(Debug, Clone)]
pub(super) struct Taking {
    /// At most so many bytes.
    pub(super) bytes_max: usize,
    /// Now and then nothing, by these choices.
    pub(super) choices: Option<Choices>,
}

impl Taking {
    /// Everything at once.
    pub(super) const ALL: Self = Self { bytes_max: usize::MAX, choices: None };

    /// So many bytes now; `None` where nothing is taken for a while.
    fn now(&mut self) -> Option<usize> {
        let Some(choices) = &mut self.choices else { return Some(self.bytes_max) };
        (!choices.once_in(3)).then(|| 1 + choices.below(self.bytes_max.min(1 << 20)))
    }
}

/// The two ends of a played stream.
#[derive(Debug)]
struct Script {
    coming: VecDeque<Event>,
    taking: Taking,
    taken: Vec<u8>,
    is_shut: bool,
    /// Who waits for a pause to be over.
    later: Vec<Waker>,
    /// Who waits for what may never come.
    reader: Option<Waker>,
}

/// A stream that is played.
#[derive(Debug, Clone)]
pub(super) struct Played(Arc<Mutex<Script>>);

impl Played {
    pub(super) fn new(coming: Vec<Event>, taking: Taking) -> Self {
        let (coming, taken) = (coming.into(), Vec::new());
        Self(Arc::new(Mutex::new(Script { coming, taking, taken, is_shut: false, later: Vec::new(), reader: None })))
    }

    /// What was written so far.
    pub(super) fn taken(&self) -> Vec<u8> {
        self.0.lock().taken.clone()
    }

    /// Whether the engine closed its side.
    pub(super) fn is_shut(&self) -> bool {
        self.0.lock().is_shut
    }

    /// Ends one pause; `false` where there is none.
    fn go_on(&self) -> bool {
        let mut script = self.0.lock();
        let is_said = matches!(script.coming.front(), Some(Event::Await(said)) if script.taken.ends_with(said));
        if is_said {
            script.coming.pop_front();
            let reader = script.reader.take();
            drop(script);
            reader.into_iter().for_each(Waker::wake);
            return true;
        }
        let waker = script.later.pop();
        drop(script);
        waker.map(Waker::wake).is_some()
    }

    fn write(&self, cx: &Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let script = &mut *self.0.lock();
        if script.is_shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let Some(mut room) = script.taking.now() else {
            script.later.push(cx.waker().clone());
            return Poll::Pending;
        };
        let before = script.taken.len();
        for slice in slices {
            let part = &slice[..slice.len().min(room)];
            script.taken.extend_from_slice(part);
            room -= part.len();
        }
        Poll::Ready(Ok(script.taken.len() - before))
    }
}

impl AsyncRead for Played {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let script = &mut *self.0.lock();
        match script.coming.front_mut() {
            Some(Event::Bytes(bytes)) => {
                into.put_slice(&bytes.split_to(bytes.len().min(into.remaining())));
                if bytes.is_empty() {
                    script.coming.pop_front();
                }
                Poll::Ready(Ok(()))
            }
            Some(Event::End) => Poll::Ready(Ok(())),
            Some(Event::Pause) => {
                script.coming.pop_front();
                script.later.push(cx.waker().clone());
                Poll::Pending
            }
            Some(Event::Await(_)) | None => {
                script.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Played {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let script = &mut *self.0.lock();
        if script.taking.now().is_none() {
            script.later.push(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().is_shut = true;
        Poll::Ready(Ok(()))
    }
}

/// Something that is waited for, and happens once.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    pub(super) fn open(&self) {
        let mut gate = self.0.lock();
        gate.0 = true;
        let waker = gate.1.take();
        drop(gate);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// What a body that is played does next.
pub(super) enum Step {
    Gives(Frame<Bytes>),
    Pauses,
    Waits(Gate),
}

/// The body of an answer, as a test plays it.
#[derive(Default)]
pub(super) struct Body {
    steps: VecDeque<Step>,
    framing: Framing,
}

impl Body {
    /// These steps, of a length that nobody knows.
    pub(super) fn played(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), framing: Framing::Chunked }
    }

    /// These bytes.
    pub(super) fn full(bytes: Bytes) -> Self {
        let framing = Framing::of_bytes(bytes.len());
        Self { steps: [Step::Gives(Frame::data(bytes))].into(), framing }
    }

    /// Leaves the bytes out: the answer is to a HEAD.
    pub(super) fn leave_out(&mut self) {
        self.steps.clear();
    }
}

impl WithFraming for Body {
    fn framing(&self) -> Framing {
        self.framing
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        while let Some(Step::Waits(gate)) = self.steps.front() {
            let mut inner = gate.0.lock();
            if !inner.0 {
                inner.1 = Some(cx.waker().clone());
                return Poll::Pending;
            }
            drop(inner);
            self.steps.pop_front();
        }
        match self.steps.pop_front() {
            Some(Step::Gives(frame)) => Poll::Ready(Some(Ok(frame))),
            Some(_) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }
}

/// Whether a task was woken.
#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Something that is polled when it was woken.
pub(super) type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Tasks beside the connection.
pub(super) type Tasks = Arc<Mutex<Vec<Task>>>;

/// How a connection was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Its future is over.
    Closed,
    /// Everything was done that could be done, and it waits.
    Waiting,
}

/// Polls what was woken until nothing is, and nothing on the stream goes on. `polled` is called before each poll of the connection.
pub(super) fn play<C>(
    mut connection: Pin<&mut C>,
    stream: &Played,
    tasks: &Tasks,
    polled: impl FnMut(Pin<&mut C>),
) -> Left
where
    C: Future,
{
    let (mut polled, mut running) = (polled, Vec::<(Task, Arc<Flag>)>::new());
    let (flag, mut left) = (Arc::new(Flag(AtomicBool::new(true))), None);
    for _ in 0..1_000_000 {
        for task in std::mem::take(&mut *tasks.lock()) {
            running.push((task, Arc::new(Flag(AtomicBool::new(true)))));
        }
        let mut has_run = false;
        if left.is_none() && flag.0.swap(false, Ordering::Relaxed) {
            has_run = true;
            polled(connection.as_mut());
            let waker = Waker::from(Arc::clone(&flag));
            if connection.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                left = Some(Left::Closed);
            }
        }
        running.retain_mut(|(task, flag)| {
            if !flag.0.swap(false, Ordering::Relaxed) {
                return true;
            }
            has_run = true;
            let waker = Waker::from(Arc::clone(flag));
            task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
        });
        if !has_run && !stream.go_on() {
            return left.unwrap_or(Left::Waiting);
        }
    }
    panic!("a connection that never rests");
}

/// Cuts bytes into pieces of at most so many, with pauses in between.
pub(super) fn pieces(bytes: &[u8], bytes_max: usize, choices: &mut Choices) -> Vec<Event> {
    let (mut events, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (now, later) = rest.split_at((1 + choices.below(bytes_max)).min(rest.len()));
        events.push(Event::Bytes(Bytes::copy_from_slice(now)));
        if choices.once_in(2) {
            events.push(Event::Pause);
        }
        rest = later;
    }
    events
}
