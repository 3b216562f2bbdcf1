//! The runs of a server: what is known of requests ends with the run that carried them, and ids say which run that was. A data
//! directory keeps the marks of its newest runs, so that the id of an earlier one is told from an id that was never given here.
//!
//! Trusted: the file, which the lock of the directory guards. It says nothing of resources, so that a damaged one is begun anew.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use plane::limits::TRACES_KEPT;
use serde::{Deserialize, Serialize};
use topology::trace::{RequestId, Run};
use wire::Timestamp;

use super::limits::{RUNS_BYTES_MAX, RUNS_KEPT};
use crate::chance::seed;
use crate::private;
use crate::remembered::CALLS_KEPT;

/// The file of runs.
const RUNS: &str = "runs.json";
/// What becomes that file.
const NEXT_RUNS: &str = "runs.json.next";

/// A run as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    mark: u32,
    started_unix_ms: i64,
}

/// This run, and what is known of those before it.
#[derive(Debug)]
pub(crate) struct Runs {
    current: Run,
    started: Timestamp,
    /// The oldest first; `None` where nothing outlives a run.
    earlier: Option<Vec<Kept>>,
}

impl Runs {
    /// Begins a run in this directory, or in none.
    pub(super) fn begin(directory: Option<&Path>, now: Timestamp) -> Self {
        let earlier = directory.map(|directory| {
            read(directory).unwrap_or_else(|error| {
                tracing::warn!(%error, "the earlier runs of the data directory cannot be read; they are forgotten");
                Vec::new()
            })
        });
        let is_taken = |run: Run| earlier.iter().flatten().any(|kept| kept.mark == run.bits());
        let current = loop {
            let run = Run::from_bits((seed() >> 32) as u32);
            if !is_taken(run) {
                break run;
            }
        };
        let runs = Self { current, started: now, earlier };
        if let Some(Err(error)) = directory.map(|directory| runs.keep(directory)) {
            tracing::warn!(%error, "this run cannot be noted in the data directory; a later one will not know its request ids");
        }
        runs
    }

    /// This run.
    pub(crate) const fn current(&self) -> Run {
        self.current
    }

    fn keep(&self, directory: &Path) -> io::Result<()> {
        let this = Kept { mark: self.current.bits(), started_unix_ms: self.started.0 };
        let mut kept: Vec<Kept> = self.earlier.iter().flatten().copied().chain([this]).collect();
        kept.drain(..kept.len().saturating_sub(RUNS_KEPT));
        let next = directory.join(NEXT_RUNS);
        let mut file = private::file().truncate(true).open(&next)?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        fs::rename(&next, directory.join(RUNS))
    }

    /// What to say of an id of which nothing is remembered.
    pub(super) fn unknown(&self, id: Option<RequestId>) -> String {
        let started = self.started.to_the_second();
        let Some(id) = id else {
            return format!("that is no request id that a tidegate gives; this server started at {started}");
        };
        if id.run() == self.current {
            return format!(
                "this server gave that id since it started at {started}, but remembers nothing that you may see: it keeps the newest \
                 {TRACES_KEPT} requests and {CALLS_KEPT} refused calls, and no calls that were carried out as they were made"
            );
        }
        let ends = "what is known of requests ends with the server that carried them";
        match &self.earlier {
            None => format!(
                "this server, which started at {started}, did not give that id; it keeps its state in memory and knows of no run before: {ends}"
            ),
            Some(earlier) => match earlier.iter().rev().find(|kept| kept.mark == id.run().bits()) {
                Some(kept) => format!(
                    "an earlier run of this server, which started at {}, gave that id; this one started at {started}, and {ends}",
                    Timestamp(kept.started_unix_ms).to_the_second()
                ),
                None => format!(
                    "no run of this data directory gave that id, as far as its newest {RUNS_KEPT} are known; this server started at {started}"
                ),
            },
        }
    }
}

fn read(directory: &Path) -> io::Result<Vec<Kept>> {
    let file = match File::open(directory.join(RUNS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut text = Vec::new();
    // A longer file is none of ours: what was cut is no JSON.
    file.take(RUNS_BYTES_MAX).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_knows_its_newest_runs_and_a_damaged_file_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let begin = |at: usize| Runs::begin(Some(directory.path()), Timestamp(i64::try_from(at).unwrap() * 1000));
        let id = |runs: &Runs| RequestId::of_run(runs.current(), 5);
        let (oldest, second) = (begin(0), begin(1));
        assert!(second.unknown(Some(id(&oldest))).contains("1970-01-01T00:00:00Z, gave that id"));
        for at in 2..=RUNS_KEPT {
            begin(at);
        }
        let newest = begin(RUNS_KEPT + 1);
        assert!(newest.unknown(Some(id(&oldest))).contains("no run of this data directory"));
        assert!(newest.unknown(Some(id(&second))).contains("an earlier run"));
        assert!(begin(RUNS_KEPT + 2).unknown(Some(id(&second))).contains("no run of this data directory"));
        let size = fs::metadata(directory.path().join(RUNS)).unwrap().len();
        assert!(size < RUNS_BYTES_MAX, "{size} bytes could not be read again");
        fs::write(directory.path().join(RUNS), "{").unwrap();
        let anew = begin(100);
        assert!(anew.unknown(Some(id(&newest))).contains("no run of this data directory"));
        assert!(begin(101).unknown(Some(id(&anew))).contains("an earlier run"));
    }
}
