//! The answer to a call that traffic has to carry out first: `TestInvokeMethod`. What is tried and what came of it is
//! `topology::trial`'s; here stands how AWS tells of it (API Gateway REST API reference, 2026-11; logs, headers and their spelling as
//! seen in public output of AWS's console and command line, 2016 to 2024).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use topology::trial::{Trial, Tried, TriedLine};
use wire::apigateway::TestInvokeMethodResponse;
use wire::model::OperationModel;
use wire::{Fault, Output, Shaped, Timestamp};

/// A call whose answer waits for a trial.
#[derive(Debug)]
pub struct Pending {
    trial: Trial,
    shape: Shape,
}

/// How the answer to a call is made of what came of its trial.
#[derive(Debug)]
pub struct Shape {
    operation: &'static OperationModel,
    names: Names,
}

/// How headers are spelled that the API itself sets.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, String>);

impl Names {
    /// Learns the spelling of a header.
    pub(crate) fn learn(&mut self, name: &str) {
        self.0.insert(name.to_ascii_lowercase(), name.to_owned());
    }

    /// A header as AWS spells it, else as the API does, else in lower case.
    fn spelled(&self, name: &str) -> String {
        const OF_AWS: [(&str, &str); 3] = [
            ("content-type", "Content-Type"),
            ("x-amzn-errortype", "x-amzn-ErrorType"),
            ("x-amzn-trace-id", "X-Amzn-Trace-Id"),
        ];
        if let Some((_, spelled)) = OF_AWS.iter().find(|(known, _)| *known == name) {
            return (*spelled).to_owned();
        }
        if let Some(spelled) = self.0.get(name) {
            return spelled.clone();
        }
        match name.strip_prefix("x-amzn-remapped-") {
            Some(rest) => format!("x-amzn-Remapped-{}", self.0.get(rest).cloned().unwrap_or_else(|| capitalized(rest))),
            None => name.to_owned(),
        }
    }
}

/// `content-length` becomes `Content-Length`.
fn capitalized(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

impl Pending {
    pub(crate) fn new(operation: &'static OperationModel, (trial, names): (Trial, Names)) -> Self {
        Self { trial, shape: Shape { operation, names } }
    }

    /// What is to be carried out, and how the answer is made of what comes of it.
    #[must_use]
    pub fn split(self) -> (Trial, Shape) {
        (self.trial, self.shape)
    }
}

/// What the gateway puts on every answer to a client, and a trial's answer does not show.
const UNSHOWN: [&str; 4] = ["content-length", "x-amzn-requestid", "x-amz-apigw-id", "x-tidegate-trace"];

impl Shape {
    /// The answer.
    #[must_use]
    pub fn answer(&self, tried: Tried) -> Output {
        let log = log(&tried);
        let is_refusal = tried.headers.iter().any(|(name, _)| name == "x-amzn-errortype");
        // An answer of the gateway's own does not say that it is JSON.
        let is_unshown = |name: &str| UNSHOWN.contains(&name) || (is_refusal && name == "content-type");
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in tried.headers.into_iter().filter(|(name, _)| !is_unshown(name)) {
            all.entry(self.names.spelled(&name)).or_default().push(value);
        }
        let last = |(name, values): (&String, &Vec<String>)| Some((name.clone(), values.last()?.clone()));
        let response = TestInvokeMethodResponse {
            body: Some(String::from_utf8(tried.body).unwrap_or_else(|error| STANDARD.encode(error.as_bytes()))),
            headers: Some(all.iter().filter_map(last).collect()),
            latency: Some(i64::try_from(tried.latency_ms).unwrap_or(i64::MAX)),
            log: Some(log),
            multi_value_headers: Some(all),
            status: Some(i64::from(tried.status)),
        };
        Output { operation: self.operation, value: response.into_value() }
    }

    /// As many trials as may be are under way.
    #[must_use]
    pub fn too_many(&self) -> Fault {
        Fault::new("TooManyRequestsException", 429, "Too Many Requests")
    }

    /// The trial did not end in time.
    #[must_use]
    pub fn too_slow(&self) -> Fault {
        Fault::new("ServiceUnavailableException", 503, "The method did not answer in time")
    }
}

/// The execution log, as AWS's console shows it.
fn log(tried: &Tried) -> String {
    let line = |line: &TriedLine| format!("{} : {}\n", date(line.at_unix_ms), line.text);
    let lines: String = tried.lines.iter().map(line).collect();
    format!("Execution log for request {}\n{lines}", tried.request_id.uuid())
}

/// `Tue May 30 01:22:45 UTC 2023`
fn date(unix_ms: u64) -> String {
    Timestamp(i64::try_from(unix_ms).unwrap_or(i64::MAX)).of_console()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_in_logs_of_the_console() {
        for (unix_s, expected) in [
            (1_685_409_765, "Tue May 30 01:22:45 UTC 2023"),
            (1_480_729_177, "Sat Dec 03 01:39:37 UTC 2016"),
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
        ] {
            assert_eq!(date(unix_s * 1000), expected);
        }
    }

    #[test]
    fn headers_are_spelled_as_on_aws() {
        let mut names = Names::default();
        names.learn("X-Made-By");
        for (name, expected) in [
            ("content-type", "Content-Type"),
            ("x-amzn-errortype", "x-amzn-ErrorType"),
            ("x-made-by", "X-Made-By"),
            ("x-amzn-remapped-content-length", "x-amzn-Remapped-Content-Length"),
            ("x-other", "x-other"),
        ] {
            assert_eq!(names.spelled(name), expected);
        }
    }
}
