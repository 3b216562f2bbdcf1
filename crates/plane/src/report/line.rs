//! Writes a line of an access log. What is known at the head of the answer is written then, since the request's world is
//! given back afterwards; what only the end knows is left open and filled in there.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use topology::access_log::{Part, Setting};
use topology::snapshot::gateway::AccessLog;
use topology::variable::{Known, Variable};

use crate::gateway::context::Context;

/// What the end of an answer knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// Bytes of the request's body.
    pub(crate) request_bytes: u64,
    /// Bytes of the answer's body.
    pub(crate) response_bytes: u64,
    /// From the request's head to here.
    pub(crate) latency: Duration,
}

/// A line that waits for the end of the answer.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Where it belongs.
    pub(crate) log: Arc<AccessLog>,
    text: String,
    /// Where in the text something is still to be written, and what, in order.
    open: Vec<(usize, Late, Setting)>,
}

/// A variable that only the end knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Late {
    ResponseLength,
    ResponseLatency,
    DataProcessed,
}

/// Usual bytes of a line beyond its format.
const VALUES_BYTES_USUAL: usize = 256;

impl Draft {
    /// Writes what is known of a request; `answer` is the head of the answer, if there was one.
    pub(crate) fn new(log: &Arc<AccessLog>, context: &Context<'_>, answer: Option<(u16, &HeaderMap)>) -> Self {
        let mut text = String::with_capacity(VALUES_BYTES_USUAL);
        let mut open = Vec::new();
        for part in log.format.parts() {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Variable(variable, setting) => match late(variable) {
                    Some(late) => open.push((text.len(), late, *setting)),
                    None => write(variable, *setting, value(variable, context, answer), &mut text),
                },
            }
        }
        Self { log: Arc::clone(log), text, open }
    }

    /// The whole line.
    pub(crate) fn complete(mut self, end: &End) -> String {
        if self.open.is_empty() {
            return std::mem::take(&mut self.text);
        }
        let mut line = String::with_capacity(self.text.len() + self.open.len() * 8);
        let mut done = 0;
        for (at, late, setting) in &self.open {
            line.push_str(&self.text[done..*at]);
            setting.write(Some(itoa::Buffer::new().format(late.of(end))), &mut line);
            done = *at;
        }
        line.push_str(&self.text[done..]);
        line
    }
}

impl Late {
    fn of(self, end: &End) -> u64 {
        match self {
            Self::ResponseLength => end.response_bytes,
            Self::ResponseLatency => u64::try_from(end.latency.as_millis()).unwrap_or(u64::MAX),
            Self::DataProcessed => end.request_bytes.saturating_add(end.response_bytes),
        }
    }
}

const fn late(variable: &Variable) -> Option<Late> {
    match variable {
        Variable::Known(Known::ResponseLength) => Some(Late::ResponseLength),
        Variable::Known(Known::ResponseLatency) => Some(Late::ResponseLatency),
        Variable::Known(Known::DataProcessed) => Some(Late::DataProcessed),
        _ => None,
    }
}

/// The quoted form of a message is one of our own texts: in plain text its quotes stay quotes.
fn write(variable: &Variable, setting: Setting, value: Option<Cow<'_, str>>, out: &mut String) {
    match (variable, setting, value) {
        (Variable::Known(Known::ErrorMessageString), Setting::Text, Some(quoted)) => out.push_str(&quoted),
        (_, _, value) => setting.write(value.as_deref(), out),
    }
}

/// What a variable is worth at the head of the answer: what the answer itself says, else what the request's context says.
fn value<'a>(
    variable: &'a Variable,
    context: &'a Context<'_>,
    answer: Option<(u16, &'a HeaderMap)>,
) -> Option<Cow<'a, str>> {
    let Variable::Known(known) = variable else { return context.variable(variable) };
    let words = || context.words();
    match known {
        Known::Status => answer.map(|(status, _)| Cow::Owned(status.to_string())),
        Known::ErrorMessage => words().map(|words| words.message),
        Known::ErrorMessageString => words().map(|words| Cow::Owned(format!("\"{}\"", words.message))),
        Known::ErrorResponseType => words().map(|words| Cow::Borrowed(words.response_type)),
        Known::IntegrationError => words().and_then(|words| words.integration_error).map(Cow::Owned),
        // As seen in public logs where a mapping has no key.
        Known::BasePathMatched => {
            let matched = context.variable(variable)?;
            Some(if matched.is_empty() { Cow::Borrowed("(none)") } else { matched })
        }
        Known::IntegrationRequestId => {
            context.integration.status?;
            let id = answer?.1.get("x-amzn-requestid")?;
            Some(String::from_utf8_lossy(id.as_bytes()))
        }
        _ => context.variable(variable),
    }
}
