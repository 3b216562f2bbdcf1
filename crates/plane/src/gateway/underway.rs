//! A request under way, and the one place where what it leaves behind is settled: its trace, and what its stage keeps of it. With an
//! answer that happens in two parts. The trace is filed with the head; counts, line and span go with the body to its end. Without one,
//! because the client went away, both happen here, the trace first, so that the span has its last hop.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Uri, Version};
use topology::snapshot::gateway::ApiKind;
use topology::variable::{Known, Variable};

use super::context::Context;
use super::respond::rest;
use super::variables;
use super::words::Words;
use crate::front::arrival::Arrival;
use crate::http1::spelling::Spelling;
use crate::report::ending::{Ending, Facts};
use crate::report::line::OpenLine;
use crate::report::span::{RequestSpan, SpanContext};
use crate::shared::Shared;
use crate::trace::Recording;

/// The head of an answer.
type Answer<'a> = Option<(u16, &'a HeaderMap)>;

/// A request under way.
pub(crate) struct Underway<'w> {
    /// What is known of it. Boxed, so that futures stay small.
    pub(crate) context: Box<Context<'w>>,
    /// Its trace.
    pub(crate) recording: Recording,
    shared: &'w Arc<Shared>,
    is_answered: bool,
}

impl<'w> Underway<'w> {
    /// A request that just came.
    pub(crate) fn begin(
        shared: &'w Arc<Shared>,
        recording: Recording,
        (head, (headers, spelling)): ((Method, Uri, Version), (&mut HeaderMap, Spelling)),
        arrival: Arc<Arrival>,
    ) -> Self {
        let mut context =
            Box::new(Context::new(head, (headers, spelling), arrival, (recording.id(), recording.arrived())));
        context.span = shared.config.spans.as_ref().map(|_| SpanContext::of(headers));
        Self { context, recording, shared, is_answered: false }
    }

    /// What is known of it, and its trace.
    pub(crate) const fn parts(&mut self) -> (&mut Context<'w>, &mut Recording) {
        (&mut self.context, &mut self.recording)
    }

    /// Its answer begins: the trace is filed, and what is to be settled at the end comes back.
    pub(super) fn answered(&mut self, status: u16, headers: &HeaderMap) -> Option<Box<Ending>> {
        self.is_answered = true;
        // An integration that was given up on took its time as well.
        let integration = &mut self.context.integration;
        if integration.sent_micros > 0 && integration.took_micros.is_none() {
            integration.took_micros = Some(self.recording.now_micros().saturating_sub(integration.sent_micros));
        }
        let ending = Ending::of(self.facts(Some((status, headers))));
        self.recording.file(status);
        ending
    }

    fn facts(&self, answer: Answer<'_>) -> Facts {
        let (context, config) = (&*self.context, &self.shared.config);
        let found = context.found.as_ref();
        let log = found.and_then(|found| found.site.stage.access_log.as_ref()).zip(config.lines.as_ref());
        let sampled = context.span.filter(|span| span.is_sampled).zip(config.spans.as_ref());
        let status = answer.map(|(status, _)| status);
        let integration_latency = context.integration.took_micros;
        Facts {
            start: self.recording.start(),
            arrived: context.arrived,
            status,
            integration_latency: integration_latency.map(|micros| Duration::from_micros(micros.into())),
            meters: found.map(|found| (Arc::clone(&found.site.stage_world.meter), context.route_meter())),
            line: log
                .map(|(log, lines)| (OpenLine::new(log, |variable| value(variable, context, answer)), lines.clone())),
            span: sampled.and_then(|(span, spans)| Some((self.span(span, status.unwrap_or_default())?, spans.clone()))),
            sent: context.sent.clone(),
        }
    }

    /// Its span; its end is told when it is known.
    fn span(&self, span: SpanContext, status: u16) -> Option<Box<RequestSpan>> {
        let found = self.context.found.as_ref();
        Some(Box::new(RequestSpan {
            context: span,
            trace: self.recording.trace(status)?,
            route: found.and_then(|found| found.route).map(|route| route.key.to_string()),
            stage: found.map(|found| found.site.stage.name.to_string()),
            client: self.context.peer.ip(),
            ended_unix_micros: 0,
            broken: None,
        }))
    }
}

impl Drop for Underway<'_> {
    /// A client that goes away before there is an answer leaves its trace, its line and its counts all the same.
    fn drop(&mut self) {
        if !self.is_answered {
            self.recording.client_closed();
            drop(Ending::of(self.facts(None)));
            self.recording.file(0);
        }
    }
}

/// What an access log says of the gateway's own answer, if it gave one.
fn words(context: &Context<'_>) -> Option<Words> {
    let refusal = context.refused?;
    Some(match context.kind {
        ApiKind::Http => refusal.words(),
        ApiKind::Rest => rest::words(refusal, context),
    })
}

/// What a variable is worth at the head of the answer: what the answer itself says, else what the request's context says.
fn value<'a>(
    variable: &'a Variable,
    context: &'a Context<'_>,
    answer: Option<(u16, &'a HeaderMap)>,
) -> Option<Cow<'a, str>> {
    let Variable::Known(known) = variable else { return variables::worth(context, variable) };
    let words = || words(context);
    match known {
        Known::Status => answer.map(|(status, _)| Cow::Owned(status.to_string())),
        Known::ErrorMessage => words().map(|words| words.message),
        Known::ErrorMessageString => words().map(|words| Cow::Owned(format!("\"{}\"", words.message))),
        Known::ErrorResponseType => words().map(|words| Cow::Borrowed(words.response_type)),
        Known::IntegrationError => words().and_then(|words| words.integration_error).map(Cow::Owned),
        // As seen in public logs where a mapping has no key.
        Known::BasePathMatched => {
            let matched = variables::worth(context, variable)?;
            Some(if matched.is_empty() { Cow::Borrowed("(none)") } else { matched })
        }
        Known::IntegrationRequestId => {
            context.integration.status?;
            let id = answer?.1.get("x-amzn-requestid")?;
            Some(String::from_utf8_lossy(id.as_bytes()))
        }
        _ => variables::worth(context, variable),
    }
}
