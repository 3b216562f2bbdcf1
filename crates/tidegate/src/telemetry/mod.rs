//! Exports the traces of requests to an OpenTelemetry collector: a task of its own takes them in batches and sends each by
//! OTLP over HTTP. A collector that is slow or gone costs traces, which are counted, and never traffic.

mod message;
mod send;
mod span;

use std::time::Duration;

use plane::report::outlet::{Loss, Outflow};
use plane::report::span::RequestSpan;
use tokio::sync::oneshot;

use crate::config::Collector;

/// Requests of one batch.
const BATCH_REQUESTS_MAX: usize = 256;
/// How long a batch waits for more.
const BATCH_DELAY: Duration = Duration::from_millis(500);
/// How long the last batches may take when the server ends.
const FINISH_DEADLINE: Duration = Duration::from_secs(2);

/// The way to the task.
#[derive(Debug)]
pub(crate) struct Exporter {
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<()>,
}

impl Exporter {
    /// Starts the task.
    pub(crate) fn start(spans: Outflow<RequestSpan>, collector: Collector) -> Self {
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(work(spans, collector, stopped));
        Self { stop, ended }
    }

    /// Sends what waits, and ends.
    pub(crate) async fn finish(self) {
        // A task that has ended already is what was wanted.
        let _ = self.stop.send(());
        if tokio::time::timeout(FINISH_DEADLINE, self.ended).await.is_err() {
            tracing::warn!("the last traces were not exported in time");
        }
    }
}

async fn work(mut spans: Outflow<RequestSpan>, collector: Collector, mut stop: oneshot::Receiver<()>) {
    let mut is_ending = false;
    let mut is_failing = false;
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            count = spans.take(&mut batch, BATCH_REQUESTS_MAX) => {
                if count == 0 {
                    return;
                }
            }
            _ = &mut stop, if !is_ending => {
                is_ending = true;
                spans.close();
                continue;
            }
        }
        if !is_ending {
            fill(&mut spans, &mut batch, &mut stop).await;
        }
        let body = message::encode(&collector.service, batch.iter().flat_map(span::of));
        let sent = send::send(&collector, body).await;
        if let Err(error) = &sent {
            spans.lose(Loss::Failed, batch.len() as u64);
            // Once for each time that it begins to fail.
            if !is_failing {
                tracing::warn!(%error, ?collector, "traces cannot be exported");
            }
        }
        is_failing = sent.is_err();
    }
}

/// Waits a moment for more, unless the server ends.
async fn fill(spans: &mut Outflow<RequestSpan>, batch: &mut Vec<RequestSpan>, stop: &mut oneshot::Receiver<()>) {
    let until = tokio::time::Instant::now() + BATCH_DELAY;
    while batch.len() < BATCH_REQUESTS_MAX && stop.is_empty() && !stop.is_terminated() {
        let room = BATCH_REQUESTS_MAX - batch.len();
        match tokio::time::timeout_at(until, spans.take(batch, room)).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
}
