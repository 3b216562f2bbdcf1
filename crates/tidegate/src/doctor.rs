//! `tidegate doctor`: whether this machine can carry private networks by its kernel. It finds out by building a tiny one, in a process of its
//! own, since that ends up in namespaces that nobody gets out of. Nothing of it is left, and nothing of the machine's own network is touched.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cli::{DoctorArgs, Form};
use crate::exit::Exit;
use crate::output;

/// How long the examination may take; without load it takes a tenth of a second, and two seconds where a connection is lost.
const EXAMINATION_TIME_MAX: Duration = Duration::from_secs(20);

/// One step as scripts read it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    name: String,
    ok: bool,
    detail: String,
    remedy: Option<String>,
}

impl Step {
    /// One that all is well with.
    pub(crate) fn good(name: &str, detail: String) -> Self {
        Self { name: name.to_owned(), ok: true, detail, remedy: None }
    }

    /// One that goes, and what would make it better.
    pub(crate) fn better(name: &str, detail: String, remedy: &str) -> Self {
        Self { remedy: Some(remedy.to_owned()), ..Self::good(name, detail) }
    }

    /// One that failed, and what mends it.
    pub(crate) fn failed(name: &str, detail: String, remedy: &str) -> Self {
        Self { name: name.to_owned(), ok: false, detail, remedy: Some(remedy.to_owned()) }
    }
}

/// All of them.
#[derive(Debug, Serialize)]
struct Findings {
    ok: bool,
    steps: Vec<Step>,
}

/// Prints each step of an examination, and ends with 4 where one failed.
pub(crate) fn doctor(args: &DoctorArgs) -> Exit {
    let findings = match find() {
        Ok(findings) => findings,
        Err(error) => {
            output::complaint(&format!("the examination cannot be started: {error}"));
            return Exit::Failed;
        }
    };
    print(&findings, args.output, |is_ok| match is_ok {
        true => "the kernel of this machine can carry private networks",
        false => "the kernel of this machine cannot carry private networks; the proxy engine works everywhere",
    })
}

/// Prints what became of other steps, with what they come to, and ends with 4 where one failed.
pub(crate) fn told(steps: Vec<Step>, form: Option<Form>, summary: impl Fn(bool) -> &'static str) -> Exit {
    let findings = Findings { ok: steps.iter().all(|step| step.ok), steps };
    print(&findings, form, summary)
}

fn print(findings: &Findings, form: Option<Form>, summary: impl Fn(bool) -> &'static str) -> Exit {
    match form {
        Some(Form::Json) => output::json(&serde_json::json!(findings)),
        Some(Form::Table) | None => {
            lines(findings).iter().for_each(|line| output::line(line));
            output::line(summary(findings.ok));
        }
    }
    if findings.ok { Exit::Ok } else { Exit::Unreachable }
}

/// The hidden command: the examination itself, a line for each step.
pub(crate) fn examine() -> Exit {
    // Elsewhere an examination whose starter was killed ends by itself within its own limits.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)) {
        output::complaint(&format!("cannot tie this process to its parent: {error}"));
        return Exit::Failed;
    }
    let mut tell = |kernel::Step { name, is_ok, detail, remedy }| {
        output::json(&serde_json::json!(Step { name: name.to_owned(), ok: is_ok, detail, remedy }));
    };
    if kernel::examine(&mut tell) { Exit::Ok } else { Exit::Unreachable }
}

/// Why this machine's kernel cannot carry private networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    /// The step of the examination that failed.
    pub(crate) step: String,
    /// What came of it, and what would mend it.
    pub(crate) why: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.why)
    }
}

/// The first step that fails; `None` where this machine's kernel can carry private networks. No thread is left of it.
pub(crate) fn first_failure() -> Option<Unfit> {
    let findings = match find() {
        Ok(findings) => findings,
        Err(error) => {
            let why = format!("the examination cannot be started: {error}");
            return Some(Unfit { step: "examination".to_owned(), why });
        }
    };
    let failed = findings.steps.into_iter().find(|step| !step.ok)?;
    let remedy = failed.remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
    Some(Unfit { step: failed.name, why: format!("{}{remedy}", failed.detail) })
}

fn find() -> std::io::Result<Findings> {
    let mut examination =
        Command::new(crate::given::own_program()?).arg("examine-kernel").stdout(Stdio::piped()).spawn()?;
    let (mut steps, reader) = steps_of(&mut examination);
    // It has ended, or is not to go on; a process that is gone cannot be ended again.
    let _ = examination.kill();
    let ended = examination.wait()?;
    // It reads to the end, which has come. One that panicked has told what it read.
    let _ = reader.map(JoinHandle::join);
    let has_failed = steps.iter().any(|step| !step.ok);
    if !ended.success() && !has_failed {
        let last = steps.last().map_or("it began", |step| step.name.as_str());
        let detail = format!("the examination did not come to its end after `{last}` ({ended})");
        let remedy = Some("use --fabric proxy, and report this with `uname -r`".to_owned());
        steps.push(Step { name: "end".to_owned(), ok: false, detail, remedy });
    }
    Ok(Findings { ok: ended.success() && !has_failed, steps })
}

/// What the examination says within its time.
fn steps_of(examination: &mut Child) -> (Vec<Step>, Option<JoinHandle<()>>) {
    let Some(said) = examination.stdout.take() else { return (Vec::new(), None) };
    let (found, steps) = channel();
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(said).lines().map_while(Result::ok);
        for step in lines.map_while(|line| serde_json::from_str::<Step>(&line).ok()) {
            if found.send(step).is_err() {
                return;
            }
        }
    });
    let end = Instant::now() + EXAMINATION_TIME_MAX;
    let mut all = Vec::new();
    loop {
        match steps.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(step) => all.push(step),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return (all, Some(reader)),
        }
    }
}

fn lines(findings: &Findings) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &findings.steps {
        let word = if step.ok { output::coloured("ok", "32") } else { output::coloured("FAILED", "31") };
        lines.push(format!("{:<19} {word}  {}", step.name, step.detail));
        lines.extend(step.remedy.iter().map(|remedy| format!("{:<19} {remedy}", "")));
    }
    lines
}
