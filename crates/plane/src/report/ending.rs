//! The end of a request: the answer's body is over, broke off, or its client went away. Counts, line and span are settled
//! here, once, when the value is dropped.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;
use topology::trace::Trace;

use super::line::{Draft, End};
use super::meter::{Meter, Tallied};
use super::outlet::LogLine;
use super::span::RequestSpan;
use crate::clock;
use crate::gateway::context::Context;
use crate::http::body::{BodyFault, Progress};
use crate::shared::Shared;
use crate::trace::Recording;

/// What is settled when an answer is over.
#[derive(Debug)]
pub(crate) struct Ending {
    shared: Arc<Shared>,
    start: Instant,
    arrived: Duration,
    status: Option<u16>,
    integration_latency: Option<Duration>,
    meters: Option<(Arc<Meter>, Option<Arc<Meter>>)>,
    line: Option<Draft>,
    span: Option<Box<RequestSpan>>,
    sent: Option<Arc<Progress>>,
    received_bytes: u64,
}

impl Ending {
    /// What is to be settled of a request whose answer begins now; `None` where nothing is.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        context: &mut Context<'_>,
        (status, headers): (u16, &HeaderMap),
        recording: &Recording,
    ) -> Option<Box<Self>> {
        context.is_answered = true;
        // An integration that was given up on took its time as well.
        let integration = &mut context.integration;
        if integration.sent_micros > 0 && integration.took_micros.is_none() {
            integration.took_micros = Some(recording.now_micros().saturating_sub(integration.sent_micros));
        }
        let trace = || recording.trace(status);
        Self::of(shared, context, recording.start(), Some((status, headers)), trace)
    }

    /// What is to be settled of a request whose client went away before there was an answer.
    pub(crate) fn unanswered(shared: &Arc<Shared>, context: &Context<'_>, start: Instant) -> Option<Box<Self>> {
        let trace = || shared.home.traces.find(context.request_id);
        Self::of(shared, context, start, None, trace)
    }

    fn of(
        shared: &Arc<Shared>,
        context: &Context<'_>,
        start: Instant,
        answer: Option<(u16, &HeaderMap)>,
        trace: impl FnOnce() -> Option<Trace>,
    ) -> Option<Box<Self>> {
        let found = context.found.as_ref();
        let log = found.and_then(|found| found.place.stage.access_log.as_ref());
        let line = log.filter(|_| shared.config.lines.is_some()).map(|log| Draft::new(log, context, answer));
        let sampled = context.span.filter(|span| span.is_sampled && shared.config.spans.is_some());
        let span = sampled.and_then(|span| Some(Box::new(RequestSpan::new(span, context, trace()?))));
        let meters = found.map(|found| (Arc::clone(&found.place.stage_world.meter), context.route_meter()));
        if meters.is_none() && line.is_none() && span.is_none() {
            return None;
        }
        Some(Box::new(Self {
            shared: Arc::clone(shared),
            start,
            arrived: context.arrived,
            status: answer.map(|(status, _)| status),
            integration_latency: context.integration.took_micros.map(|micros| Duration::from_micros(micros.into())),
            meters,
            line,
            span,
            sent: context.sent.clone(),
            received_bytes: 0,
        }))
    }

    /// So many bytes of the answer's body went out.
    pub(crate) fn passed(&mut self, bytes: usize) {
        self.received_bytes = self.received_bytes.saturating_add(bytes as u64);
    }

    /// The body broke off.
    pub(crate) fn broke(&mut self, fault: BodyFault) {
        if let Some(span) = &mut self.span {
            span.broken = Some(fault);
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let latency = clock::now().duration_since(self.start);
        let end = End {
            request_bytes: self.sent.as_ref().map_or(0, |sent| sent.bytes()),
            response_bytes: self.received_bytes,
            latency,
        };
        if let Some((stage, route)) = &self.meters {
            let bytes = end.request_bytes.saturating_add(end.response_bytes);
            let integration_latency = self.integration_latency;
            let tallied = Tallied { status: self.status, bytes, latency, integration_latency };
            stage.count(&tallied);
            route.iter().for_each(|route| route.count(&tallied));
        }
        let ended = self.arrived + latency;
        if let (Some(draft), Some(lines)) = (self.line.take(), &self.shared.config.lines) {
            let log = Arc::clone(&draft.log.at);
            let at_unix_ms = u64::try_from(ended.as_millis()).unwrap_or(u64::MAX);
            lines.offer(LogLine { log, at_unix_ms, text: draft.complete(&end) });
        }
        if let (Some(mut span), Some(spans)) = (self.span.take(), &self.shared.config.spans) {
            span.ended_unix_micros = clock::micros(ended);
            spans.offer(*span);
        }
    }
}
