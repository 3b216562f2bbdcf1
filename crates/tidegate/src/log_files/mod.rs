//! Where lines of load balancers and of flow logs go: into gzip files of buckets, as S3 has them from AWS (ALB user guide, "Access log files", 2026-11).
//! A task of its own gathers them for five minutes of the server's clock, which `tick` moves, and writes what it has at the end of an
//! interval and of the server. Traffic never waits for it, and a folder that cannot be written to costs lines alone: they are counted,
//! and the log says it once. What a line says is the plane's business, what a file is called topology's.
//!
//! Until its file is written a line is in memory: a sudden end loses up to five minutes of them.

mod bucket;
mod gathered;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use plane::report::outlet::{BalancerLine, Loss, Outflow};
use tokio::sync::{mpsc, oneshot};
use topology::snapshot::logs::LogPlace;

use gathered::{Gathered, Ready};

/// Lines that are taken at a time.
const BATCH_LINES_MAX: usize = 4_096;
/// Orders that wait; there are two kinds, and each is given seldom.
const ORDERS_MAX: usize = 8;
/// How long the last files may take when the server ends.
const FINISH_DEADLINE: Duration = Duration::from_secs(5);
/// How long one file tells of.
const INTERVAL: Duration = Duration::from_secs(300);

/// What the task can be told.
enum Order {
    Move(Duration, oneshot::Sender<()>),
    Finish(oneshot::Sender<()>),
}

/// The way to the task.
#[derive(Debug, Clone)]
pub(crate) struct LogFiles {
    orders: mpsc::Sender<Order>,
}

impl LogFiles {
    /// Starts the task, which writes below this directory.
    pub(crate) fn start(lines: Outflow<BalancerLine>, root: PathBuf) -> Self {
        let (orders, told) = mpsc::channel(ORDERS_MAX);
        let shelf = Shelf {
            lines,
            root: Arc::new(root),
            gathered: Gathered::default(),
            clock: Clock::default(),
            failing: HashSet::new(),
        };
        tokio::spawn(shelf.work(told));
        Self { orders }
    }

    /// Moves the clock; when an interval ends by that, its files are written before this returns.
    pub(crate) async fn move_clock(&self, by: Duration) {
        let (done, moved) = oneshot::channel();
        if self.orders.send(Order::Move(by, done)).await.is_ok() {
            // A task that has ended writes nothing more.
            let _ = moved.await;
        }
    }

    /// Writes what waits, and ends.
    pub(crate) async fn finish(&self) {
        let (done, finished) = oneshot::channel();
        if self.orders.send(Order::Finish(done)).await.is_ok()
            && tokio::time::timeout(FINISH_DEADLINE, finished).await.is_err()
        {
            tracing::warn!("the last log files were not written in time");
        }
    }
}

/// The server's clock: the real one, moved by `tick`.
#[derive(Debug, Default)]
struct Clock {
    moved: Duration,
}

impl Clock {
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_add(self.moved)
    }

    /// The end of the interval that this moment is in, since 1970.
    const fn interval_end(now: Duration) -> Duration {
        Duration::from_secs((now.as_secs() / INTERVAL.as_secs() + 1) * INTERVAL.as_secs())
    }
}

/// What the task has.
struct Shelf {
    lines: Outflow<BalancerLine>,
    root: Arc<PathBuf>,
    gathered: Gathered,
    clock: Clock,
    /// Logs of which it was said that they cannot be written.
    failing: HashSet<Arc<LogPlace>>,
}

impl Shelf {
    async fn work(mut self, mut told: mpsc::Receiver<Order>) {
        let mut batch = Vec::new();
        let mut done = None;
        loop {
            let now = self.clock.now();
            let left = Clock::interval_end(now).saturating_sub(now);
            tokio::select! {
                count = self.lines.take(&mut batch, BATCH_LINES_MAX) => {
                    if count == 0 {
                        break;
                    }
                    self.gather(std::mem::take(&mut batch)).await;
                }
                () = tokio::time::sleep(left) => self.write_ended().await,
                order = told.recv(), if done.is_none() => match order {
                    Some(Order::Move(by, moved)) => {
                        self.take_waiting().await;
                        self.clock.moved = self.clock.moved.saturating_add(by);
                        self.write_ended().await;
                        // Whoever waited may have given up.
                        let _ = moved.send(());
                    }
                    Some(Order::Finish(sender)) => {
                        self.lines.close();
                        done = Some(sender);
                    }
                    None => break,
                },
            }
        }
        let rest = self.gathered.take_all();
        self.write(rest).await;
        if let Some(done) = done {
            // Whoever waited may have given up.
            let _ = done.send(());
        }
    }

    /// What traffic left before this moment belongs to this moment's interval.
    async fn take_waiting(&mut self) {
        let mut waiting = Vec::new();
        while self.lines.take_waiting(&mut waiting, BATCH_LINES_MAX) > 0 {
            self.gather(std::mem::take(&mut waiting)).await;
        }
    }

    async fn gather(&mut self, batch: Vec<BalancerLine>) {
        let end = Clock::interval_end(self.clock.now());
        let full = self.gathered.add(batch, end);
        self.write(full).await;
    }

    async fn write_ended(&mut self) {
        let ended = self.gathered.take_ended(self.clock.now());
        self.write(ended).await;
    }

    /// Writes files on a thread that may block; lines of those that cannot be written are counted.
    async fn write(&mut self, files: Vec<Ready>) {
        if files.is_empty() {
            return;
        }
        let lines = files.iter().map(|file| file.lines).sum();
        let root = Arc::clone(&self.root);
        let written = tokio::task::spawn_blocking(move || {
            let write = |file: Ready| (bucket::write(&root, &file), file);
            files.into_iter().map(write).collect::<Vec<_>>()
        });
        match written.await {
            Ok(outcomes) => outcomes.into_iter().for_each(|(outcome, file)| self.note(outcome, &file)),
            // A defect met these files.
            Err(_) => self.lines.lose(Loss::Failed, lines),
        }
    }

    /// Says that a log cannot be written, once until it can.
    fn note(&mut self, outcome: std::io::Result<()>, file: &Ready) {
        let Err(error) = outcome else {
            self.failing.remove(&file.place);
            return;
        };
        self.lines.lose(Loss::Failed, file.lines);
        if self.failing.insert(Arc::clone(&file.place)) {
            let (of, bucket) = (&file.place.balancer, &file.place.bucket);
            tracing::error!(%error, of, bucket, lines = file.lines, "a log cannot be written");
        }
    }
}

#[cfg(test)]
mod tests;
