//! Where access-log lines go: into the log book, whose events CloudWatch Logs' operations read, and, where it is configured,
//! to a file or standard output as well. A task of its own takes the lines in batches; traffic never waits for it. What a
//! line says is the plane's business.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use control::log_book::{Line, LogBook};
use plane::report::outlet::{LogLine, Loss, Outflow};
use tokio::sync::{mpsc, oneshot};
use topology::time::Moment;

use crate::output;

/// Lines of one batch, which is one transaction.
const BATCH_LINES_MAX: usize = 4_096;
/// How long a batch waits for more lines. What waits here is lost by the sudden end of the process.
const BATCH_DELAY: Duration = Duration::from_millis(50);
/// Orders that wait; there are two kinds, and each is given seldom.
const ORDERS_MAX: usize = 8;
/// How long the last lines may take when the server ends.
const FINISH_DEADLINE: Duration = Duration::from_secs(2);

/// Where lines go besides the log book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Copies {
    /// Nowhere.
    None,
    /// To standard output.
    Stdout,
    /// To this file, at its end.
    File(PathBuf),
}

/// What the task can be told.
enum Order {
    Reopen,
    Finish(oneshot::Sender<()>),
}

/// The way to the task.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    orders: mpsc::Sender<Order>,
}

impl Journal {
    /// Starts the task.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn start(lines: Outflow<LogLine>, book: Arc<LogBook>, copies: Copies) -> io::Result<Self> {
        let (orders, told) = mpsc::channel(ORDERS_MAX);
        let writer = Writer { file: open(&copies)?, copies, book };
        tokio::spawn(work(lines, writer, told));
        Ok(Self { orders })
    }

    /// Opens the file anew, after it was moved away.
    pub(crate) async fn reopen(&self) {
        // A task that has ended writes nothing more.
        let _ = self.orders.send(Order::Reopen).await;
    }

    /// Writes what waits, and ends.
    pub(crate) async fn finish(&self) {
        let (done, finished) = oneshot::channel();
        if self.orders.send(Order::Finish(done)).await.is_ok()
            && tokio::time::timeout(FINISH_DEADLINE, finished).await.is_err()
        {
            tracing::warn!("the last access-log lines were not written in time");
        }
    }
}

async fn work(mut lines: Outflow<LogLine>, mut writer: Writer, mut told: mpsc::Receiver<Order>) {
    let mut batch = Vec::new();
    let mut done = None;
    loop {
        tokio::select! {
            count = lines.take(&mut batch, BATCH_LINES_MAX) => {
                if count == 0 {
                    break;
                }
                if done.is_none() {
                    fill(&mut lines, &mut batch).await;
                }
                writer = writer.write(&lines, std::mem::take(&mut batch)).await;
            }
            order = told.recv(), if done.is_none() => match order {
                Some(Order::Reopen) => writer.reopen(),
                Some(Order::Finish(sender)) => {
                    lines.close();
                    done = Some(sender);
                }
                None => break,
            },
        }
    }
    if let Some(done) = done {
        // Whoever waited may have given up.
        let _ = done.send(());
    }
}

/// Waits a moment for more lines, so that one transaction takes many.
async fn fill(lines: &mut Outflow<LogLine>, batch: &mut Vec<LogLine>) {
    let until = tokio::time::Instant::now() + BATCH_DELAY;
    while batch.len() < BATCH_LINES_MAX {
        let room = BATCH_LINES_MAX - batch.len();
        match tokio::time::timeout_at(until, lines.take(batch, room)).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// Writes batches.
struct Writer {
    book: Arc<LogBook>,
    copies: Copies,
    file: Option<File>,
}

impl Writer {
    /// Writes a batch on a thread that may block; what cannot be written is counted.
    async fn write(self, lines: &Outflow<LogLine>, batch: Vec<LogLine>) -> Self {
        let count = batch.len() as u64;
        let (book, copies) = (Arc::clone(&self.book), self.copies.clone());
        let written = tokio::task::spawn_blocking(move || {
            let mut writer = self;
            let homeless = writer.write_now(&batch);
            (writer, homeless)
        });
        match written.await {
            Ok((writer, Ok(homeless))) => {
                lines.lose(Loss::NoDestination, homeless);
                writer
            }
            Ok((writer, Err(error))) => {
                tracing::error!(%error, count, "access-log lines could not be kept");
                lines.lose(Loss::Failed, count);
                writer
            }
            // A defect met this batch; the next one gets a new writer.
            Err(_) => {
                lines.lose(Loss::Failed, count);
                let file = open(&copies).unwrap_or_default();
                Self { book, copies, file }
            }
        }
    }

    fn write_now(&mut self, batch: &[LogLine]) -> Result<u64, control::log_book::LogError> {
        self.copy(batch);
        let line = |line: &LogLine| Moment(i64::try_from(line.at_unix_ms).unwrap_or(i64::MAX));
        let lines: Vec<Line<'_>> = batch
            .iter()
            .map(|l| Line { group: &l.log.group, stream: &l.log.stream, at: line(l), message: &l.text })
            .collect();
        self.book.append(&lines, now())
    }

    fn copy(&mut self, batch: &[LogLine]) {
        if self.copies == Copies::None {
            return;
        }
        let mut text = String::with_capacity(batch.iter().map(|line| line.text.len() + 1).sum());
        for line in batch {
            text.push_str(&line.text);
            text.push('\n');
        }
        match &mut self.file {
            Some(file) => {
                if let Err(error) = file.write_all(text.as_bytes()) {
                    tracing::error!(%error, count = batch.len(), "access-log lines could not be copied to the file");
                }
            }
            None => output::bytes(text.as_bytes()),
        }
    }

    fn reopen(&mut self) {
        match open(&self.copies) {
            Ok(file) => self.file = file,
            Err(error) => tracing::error!(%error, "the access-log file cannot be opened anew; the old one goes on"),
        }
    }
}

fn open(copies: &Copies) -> io::Result<Option<File>> {
    match copies {
        Copies::None | Copies::Stdout => Ok(None),
        Copies::File(path) => open_file(path).map(Some),
    }
}

/// For its owner alone, since lines hold what clients sent; a file that is there keeps its mode.
fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
