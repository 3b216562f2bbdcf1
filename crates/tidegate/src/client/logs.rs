//! `tidegate logs`: what the server's log groups hold, and its own log where `up --detach` keeps it, in the order of time; `--follow` goes
//! on with what comes. Events are read by `FilterLogEvents`, as any client reads them.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::aws::{Aws, LOGS};
use super::{Complaint, Server, span};
use crate::cli::{Form, LogsArgs};
use crate::exit::Exit;
use crate::hour::wall_clock;
use crate::output;

/// How often is looked for what has come.
const EVERY: Duration = Duration::from_millis(250);
/// Events come in batches: one may be older than another that was read before, by no more than this.
const LATE_MS: i64 = 10_000;
/// Events that are remembered so that none is told twice; above, the eldest are forgotten, and may be told again.
const REMEMBERED_MAX: usize = 20_000;
/// Events that are told at once; of more, the newest.
const EVENTS_MAX: usize = 10_000;
/// Bytes at the end of the server's own log that are looked at.
const OWN_LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The kind of the server's own log.
const CONTROL: &str = "control";
/// Every kind that is no group's name.
const KINDS: [&str; 4] = ["access", "execution", CONTROL, "other"];

/// Something that was logged.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at_ms: i64,
    /// Tells it from every other of its source.
    id: String,
    kind: String,
    group: String,
    stream: String,
    message: String,
}

/// Tells what was logged, and with `--follow` what is.
pub(crate) async fn logs(args: &LogsArgs) -> Result<Exit, Complaint> {
    let server = Server::of(&args.server)?;
    let since = span("--since", &args.since)?;
    let mut reader = Reader::new(&args.what, wall_clock().0.saturating_sub(millis(since)));
    let mut events = reader.fresh(&server).await?;
    reader.check()?;
    let cut = events.len().saturating_sub(EVENTS_MAX);
    if cut > 0 {
        output::complaint(&format!("{cut} older events are left out; --since narrows the time"));
        events.drain(..cut);
    }
    match (args.follow, args.server.output) {
        (false, Some(Form::Json)) => {
            output::json(&json!({ "events": events.iter().map(Event::json).collect::<Vec<_>>() }));
        }
        (_, form) => events.iter().for_each(|event| event.print(form)),
    }
    if !args.follow {
        return Ok(Exit::Ok);
    }
    loop {
        tokio::time::sleep(EVERY).await;
        reader.fresh(&server).await?.iter().for_each(|event| event.print(args.server.output));
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl Event {
    fn json(&self) -> Value {
        json!({
            "time": moment(self.at_ms),
            "kind": self.kind,
            "group": self.group,
            "stream": self.stream,
            "message": self.message,
        })
    }

    fn print(&self, form: Option<Form>) {
        if form == Some(Form::Json) {
            output::json(&self.json());
            return;
        }
        let named = if self.group.is_empty() { &self.kind } else { &self.group };
        output::line(&format!("{} {named} {}", moment(self.at_ms), self.message.trim_end()));
    }
}

fn moment(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map(|at| format!("{at:.3}")).unwrap_or_default()
}

/// What is read, how far it was read, and what of it was told.
struct Reader {
    wanted: Vec<String>,
    from_ms: i64,
    told: (BTreeSet<String>, VecDeque<String>),
    /// Kinds and names of groups that were found.
    found: BTreeSet<String>,
}

impl Reader {
    fn new(wanted: &[String], from_ms: i64) -> Self {
        Self { wanted: wanted.to_vec(), from_ms, told: Default::default(), found: BTreeSet::new() }
    }

    fn is_wanted(&self, kind: &str, group: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| wanted == kind || wanted == group)
    }

    /// What was asked for must be a kind, or be there.
    fn check(&self) -> Result<(), Complaint> {
        let is_known = |wanted: &&String| KINDS.contains(&wanted.as_str()) || self.found.contains(*wanted);
        if let Some(unknown) = self.wanted.iter().find(|wanted| !is_known(wanted)) {
            let text = format!("{unknown}: is no log group that there is, nor one of {}", KINDS.join(", "));
            return Err(Complaint::Usage(text));
        }
        if self.wanted.iter().any(|wanted| wanted == CONTROL) && !self.found.contains(CONTROL) {
            let text = "the server's own log goes to its standard error; `tidegate up --detach` keeps it in a file";
            return Err(Complaint::Refused(text.to_owned()));
        }
        Ok(())
    }

    /// Everything that was not told yet, by time.
    async fn fresh(&mut self, server: &Server) -> Result<Vec<Event>, Complaint> {
        let now = wall_clock().0;
        let told = server.status().await?;
        let mut events = Vec::new();
        if let Some(file) = told["log_file"].as_str().filter(|_| self.is_wanted(CONTROL, "")) {
            self.found.insert(CONTROL.to_owned());
            events.extend(of_file(PathBuf::from(file), self.from_ms)?);
        }
        for realm in told["realms"].as_array().into_iter().flatten() {
            let text = |name: &str| realm[name].as_str().unwrap_or_default();
            for group in realm["log_groups"].as_array().into_iter().flatten() {
                let (kind, name) =
                    (group["kind"].as_str().unwrap_or_default(), group["name"].as_str().unwrap_or_default());
                if !self.is_wanted(kind, name) {
                    continue;
                }
                self.found.insert(name.to_owned());
                let aws = Aws::within(server, (text("account_id"), text("region"))).await;
                events.extend(of_group(&aws, (kind, name), self.from_ms).await?);
            }
        }
        events.sort();
        events.retain(|event| self.is_new(event));
        self.from_ms = self.from_ms.max(now.saturating_sub(LATE_MS));
        Ok(events)
    }

    fn is_new(&mut self, event: &Event) -> bool {
        let (known, order) = &mut self.told;
        let id = format!("{} {}", event.group, event.id);
        if !known.insert(id.clone()) {
            return false;
        }
        order.push_back(id);
        if order.len() > REMEMBERED_MAX
            && let Some(eldest) = order.pop_front()
        {
            known.remove(&eldest);
        }
        true
    }
}

/// The events of a group; a group that is gone has none.
async fn of_group(aws: &Aws, (kind, group): (&str, &str), from_ms: i64) -> Result<Vec<Event>, Complaint> {
    let mut events: VecDeque<Event> = VecDeque::new();
    let mut token = Value::Null;
    loop {
        let mut wish = Map::from_iter([
            ("logGroupName".to_owned(), Value::from(group)),
            ("startTime".to_owned(), Value::from(from_ms.max(0))),
        ]);
        if !token.is_null() {
            wish.insert("nextToken".to_owned(), token);
        }
        let mut page = match aws.json(LOGS, "FilterLogEvents", &Value::Object(wish)).await {
            Err(Complaint::Aws { code, .. }) if code == "ResourceNotFoundException" => return Ok(Vec::new()),
            page => page?,
        };
        for event in page["events"].as_array().into_iter().flatten() {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            events.push_back(Event {
                at_ms: event["timestamp"].as_i64().unwrap_or_default(),
                id: text("eventId"),
                kind: kind.to_owned(),
                group: group.to_owned(),
                stream: text("logStreamName"),
                message: text("message"),
            });
            // One more than are told, so that whoever cuts them says so.
            if events.len() > EVENTS_MAX + 1 {
                events.pop_front();
            }
        }
        token = page["nextToken"].take();
        if token.is_null() {
            return Ok(events.into());
        }
    }
}

/// What the server wrote of itself: lines of JSON with a time. One that a sudden end cut is none.
fn of_file(path: PathBuf, from_ms: i64) -> Result<Vec<Event>, Complaint> {
    let unread = |error: std::io::Error| Complaint::System(format!("{}: {error}", path.display()));
    let mut file = File::open(&path).map_err(unread)?;
    let length = file.metadata().map_err(unread)?.len();
    let from = length.saturating_sub(OWN_LOG_BYTES_MAX);
    file.seek(SeekFrom::Start(from)).map_err(unread)?;
    let mut bytes = Vec::new();
    file.take(length - from).read_to_end(&mut bytes).map_err(unread)?;
    let mut place = from;
    let mut events = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let id = place.to_string();
        place += line.len() as u64;
        if line.last() == Some(&b'\n')
            && let Some(event) = own_event(line, id).filter(|event| event.at_ms >= from_ms)
        {
            events.push(event);
        }
    }
    Ok(events)
}

fn own_event(line: &[u8], id: String) -> Option<Event> {
    let mut told: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let time: jiff::Timestamp = told.remove("timestamp")?.as_str()?.parse().ok()?;
    let word = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let (level, message) = (word(told.remove("level")), word(told.remove("message")));
    let target = told.remove("target");
    drop(target);
    let rest: String = told.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    Some(Event {
        at_ms: time.as_millisecond(),
        id,
        kind: CONTROL.to_owned(),
        group: String::new(),
        stream: String::new(),
        message: format!("{level} {message}{rest}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_server_s_own_log_is_an_event() {
        let line =
            br#"{"timestamp":"2026-11-29T10:00:00.250Z","level":"WARN","message":"it rains","target":"x","mm":3}"#;
        let event = own_event(line, "0".to_owned()).unwrap();
        assert_eq!(
            (moment(event.at_ms).as_str(), event.message.as_str()),
            ("2026-11-29T10:00:00.250Z", "WARN it rains mm=3")
        );
        for other in [&b"Ready."[..], b"{}", br#"{"timestamp":"x"}"#] {
            assert_eq!(own_event(other, String::new()), None);
        }
    }

    #[test]
    fn an_event_is_told_once_and_what_is_remembered_is_bounded() {
        let mut reader = Reader::new(&[], 0);
        let event = |id: usize| Event {
            at_ms: 0,
            id: id.to_string(),
            kind: String::new(),
            group: "g".to_owned(),
            stream: String::new(),
            message: String::new(),
        };
        assert!(reader.is_new(&event(0)) && !reader.is_new(&event(0)));
        (1..=REMEMBERED_MAX).for_each(|id| assert!(reader.is_new(&event(id))));
        assert_eq!(reader.told.0.len(), REMEMBERED_MAX);
    }
}
