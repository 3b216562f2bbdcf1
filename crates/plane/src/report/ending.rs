//! The end of a request: the answer's body is over, broke off, or its client went away. Counts, line and span are settled
//! here, once, when the value is dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::line::{End, OpenLine};
use super::meter::{Meter, Tallied};
use super::outlet::{LogLine, Outlet};
use super::span::RequestSpan;
use crate::clock;
use crate::http::body::{BodyFault, Progress};

/// What is known of a request when its answer begins, or when its client goes away before: all that its end needs of it.
#[derive(Debug)]
pub(crate) struct Facts {
    /// When it began.
    pub(crate) start: Instant,
    /// The same, since 1970.
    pub(crate) arrived: Duration,
    /// The status of its answer, if there is one.
    pub(crate) status: Option<u16>,
    /// How long its integration took to answer, if it was reached for.
    pub(crate) integration_latency: Option<Duration>,
    /// What it is counted by: its stage, and its route where that has a meter of its own.
    pub(crate) meters: Option<(Arc<Meter>, Option<Arc<Meter>>)>,
    /// Its line, and where lines go.
    pub(crate) line: Option<(OpenLine, Outlet<LogLine>)>,
    /// Its span, and where spans go.
    pub(crate) span: Option<(Box<RequestSpan>, Outlet<RequestSpan>)>,
    /// How far its body got.
    pub(crate) sent: Option<Arc<Progress>>,
}

/// What is settled when an answer is over.
#[derive(Debug)]
pub(crate) struct Ending {
    facts: Facts,
    received_bytes: u64,
}

impl Ending {
    /// What is to be settled of a request; `None` where nothing is.
    pub(crate) fn of(facts: Facts) -> Option<Box<Self>> {
        let leaves_nothing = facts.meters.is_none() && facts.line.is_none() && facts.span.is_none();
        (!leaves_nothing).then(|| Box::new(Self { facts, received_bytes: 0 }))
    }

    /// So many bytes of the answer's body went out.
    pub(crate) fn passed(&mut self, bytes: usize) {
        self.received_bytes = self.received_bytes.saturating_add(bytes as u64);
    }

    /// The body broke off.
    pub(crate) fn broke(&mut self, fault: BodyFault) {
        if let Some((span, _)) = &mut self.facts.span {
            span.broken = Some(fault);
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let facts = &mut self.facts;
        let latency = clock::now().duration_since(facts.start);
        let end = End {
            request_bytes: facts.sent.as_ref().map_or(0, |sent| sent.bytes()),
            response_bytes: self.received_bytes,
            latency,
        };
        if let Some((stage, route)) = &facts.meters {
            let bytes = end.request_bytes.saturating_add(end.response_bytes);
            let (status, integration_latency) = (facts.status, facts.integration_latency);
            let tallied = Tallied { status, bytes, latency, integration_latency };
            stage.count(&tallied);
            route.iter().for_each(|route| route.count(&tallied));
        }
        let ended = facts.arrived + latency;
        if let Some((draft, lines)) = facts.line.take() {
            let log = Arc::clone(&draft.log.at);
            let at_unix_ms = u64::try_from(ended.as_millis()).unwrap_or(u64::MAX);
            lines.offer(LogLine { log, at_unix_ms, text: draft.complete(&end) });
        }
        if let Some((mut span, spans)) = facts.span.take() {
            span.ended_unix_micros = clock::micros(ended);
            spans.offer(*span);
        }
    }
}
