//! Writes a line of an access log. What is known at the head of the answer is written then, since the request's world is
//! given back afterwards; what only the end knows is left open and filled in there.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use topology::access_log::{Part, Setting};
use topology::snapshot::gateway::AccessLog;
use topology::variable::{Known, Variable};

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
pub(crate) struct OpenLine {
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

impl OpenLine {
    /// Writes what is known of a request: what each variable is worth.
    pub(crate) fn new<'v>(log: &'v Arc<AccessLog>, value: impl Fn(&'v Variable) -> Option<Cow<'v, str>>) -> Self {
        let mut text = String::with_capacity(VALUES_BYTES_USUAL);
        let mut open = Vec::new();
        for part in log.format.parts() {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Variable(variable, setting) => match late(variable) {
                    Some(late) => open.push((text.len(), late, *setting)),
                    None => write(variable, *setting, value(variable), &mut text),
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
