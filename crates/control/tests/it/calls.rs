//! Runs the steps of a case against one control with a fixed seed and moment.

use std::sync::Arc;

use control::certified::{Certified, CertifiedKind};
use control::changes::Changes;
use control::notebook::Notebook;
use control::objects::Objects;
use control::store::Store;
use control::{ApiRefusal, Caller, Control, Mint, Outcome, Pending, Settings};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use topology::estate::RealmEstate;
use topology::id::{AccountId, Realm};
use topology::snapshot::Snapshot;
use topology::time::Moment;
use topology::trace::RequestId;
use topology::trial::{STAGE, Tried, TriedLine};

/// 2026-11-22T10:00:00Z.
const NOW: Moment = Moment(1_795_341_600_000);
/// Long enough for everything that is on its way to arrive.
const STEP_MS: i64 = 1000;
/// The idempotency token of requests that an authority is asked for by ACME.
const BY_ACME: &str = "byacme";
const REQUEST_ID: &str = "11111111-2222-4333-8444-555555555555";

/// The realm of every call, unless another account is meant.
pub(crate) fn realm() -> Realm {
    Realm { account: AccountId::DEFAULT, region: "us-east-1".parse().unwrap() }
}

/// Writes down what differs between two states of a realm.
pub(crate) fn commit(store: &mut Store, realm: &Realm, (before, after): (&RealmEstate, &RealmEstate)) {
    let revision = store.load().unwrap().revision;
    store.commit(revision, &Changes::between(realm, before, after).unwrap()).unwrap();
}

/// A control that a case speaks to.
pub(crate) struct Calls {
    control: Control,
    now: Moment,
    caller: Realm,
    names: Vec<(String, String)>,
    refusal: Option<ApiRefusal>,
    newest: Option<Arc<Snapshot>>,
    committed: Vec<Changes>,
}

impl Calls {
    /// Over a store that forgets.
    pub(crate) fn new() -> Self {
        Self::over(Store::in_memory().unwrap())
    }

    /// Over this store.
    pub(crate) fn over(store: impl Notebook + 'static) -> Self {
        let control = Control::open(store, Settings::default(), Mint::new(7)).unwrap();
        Self {
            control,
            now: NOW,
            caller: realm(),
            names: Vec::new(),
            refusal: None,
            newest: None,
            committed: Vec::new(),
        }
    }

    /// The next calls are this account's.
    pub(crate) fn call_as(&mut self, account: &str) {
        self.caller.account = account.parse().unwrap();
    }

    /// The newest snapshot that a call made.
    pub(crate) fn newest(&self) -> Arc<Snapshot> {
        self.newest.clone().unwrap()
    }

    /// What was committed since this was last asked.
    pub(crate) fn committed(&mut self) -> Vec<Changes> {
        std::mem::take(&mut self.committed)
    }

    /// The control itself, for what is no call.
    pub(crate) fn control(&mut self) -> &mut Control {
        &mut self.control
    }

    /// Why the last call was refused, in the words of the contract.
    pub(crate) fn refusal(&self) -> Option<&ApiRefusal> {
        self.refusal.as_ref()
    }

    /// What a step of a script has named.
    pub(crate) fn name(&self, name: &str) -> &str {
        self.names.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap()
    }

    /// Runs every step and renders the last answer.
    ///
    /// # Errors
    /// When a step on the way is refused, or its answer does not hold what later steps need.
    pub(crate) fn run(&mut self, case: &str, steps: &str) -> Result<String, String> {
        let steps = steps.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
        let steps = split_steps(&steps);
        let mut answer = String::new();
        for (at, (step, pause_ms)) in steps.iter().enumerate() {
            let (request, captures) = split_captures(step);
            answer = self.step(case, &self.named(&request));
            // A refusal on the way is only meant where something of it is looked for.
            let passed = answer.starts_with('2') || !captures.is_empty() || at + 1 == steps.len();
            if !passed {
                return Err(format!("step {} is refused\n{answer}", at + 1));
            }
            for (name, pattern) in captures {
                let found = regex::Regex::new(&pattern).unwrap().captures(&answer);
                let found = found.ok_or_else(|| format!("step {}: {pattern} is not in\n{answer}", at + 1))?;
                self.names.push((name, found[1].to_owned()));
            }
            // Life cycles move between two steps, as they do between two calls of a client.
            self.now = self.now.plus_ms(*pause_ms);
            self.control.tick(self.now).unwrap();
        }
        Ok(answer)
    }

    fn named(&self, request: &str) -> String {
        let replace = |text: String, (name, value): &(String, String)| text.replace(&format!("{{{name}}}"), value);
        self.names.iter().fold(request.to_owned(), replace)
    }

    fn step(&mut self, case: &str, text: &str) -> String {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let first = lines.next().unwrap_or_default();
        let [method, target, service] = first.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{case}: {first:?} is not METHOD PATH SERVICE");
        };
        let mut headers = HeaderMap::new();
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature={}",
            "0".repeat(64)
        );
        headers.insert("authorization", HeaderValue::from_str(&scope).unwrap());
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{case}: header {line:?}"));
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        if !headers.contains_key("content-type") && body.contains("Action=") {
            headers
                .insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"));
        }
        // Forms may be written with one member on each line.
        let body = if body.contains("Action=") { body.replace('\n', "") } else { body.to_owned() };
        let (method, uri): (Method, Uri) = (method.parse().unwrap(), target.parse().unwrap());
        let request = wire::Request { method: &method, uri: &uri, headers: &headers, body: body.as_bytes() };
        render(&self.answer(&request))
    }

    fn answer(&mut self, request: &wire::Request<'_>) -> http::Response<Vec<u8>> {
        let resolved = match wire::resolve(request) {
            Ok(resolved) => resolved,
            Err(unresolved) => return wire::encode_fault(unresolved.dialect, &unresolved.fault, REQUEST_ID),
        };
        let call = match wire::decode(&resolved, request) {
            Ok(call) => call,
            Err(fault) => return wire::encode_fault(resolved.dialect(), &fault, REQUEST_ID),
        };
        let caller = Caller { realm: self.caller.clone(), access_key_id: "test".to_owned() };
        let objects = objects(&call);
        let reply = self.control.call_with(&caller, (call, objects), self.now);
        self.refusal = reply.refusal;
        if let Some(committed) = self.control.take_committed() {
            self.newest = Some(committed.snapshot);
            self.committed.extend(committed.changes.into_iter().flatten());
        }
        match reply.result {
            Ok(Outcome::Answer(output)) => wire::encode(&output, REQUEST_ID),
            Ok(Outcome::Trial(pending)) => wire::encode(&tried(*pending), REQUEST_ID),
            Err(fault) => wire::encode_fault(resolved.dialect(), &fault, REQUEST_ID),
        }
    }
}

/// The answer to a trial that comes to what it was: no traffic is here.
fn tried(pending: Pending) -> wire::Output {
    let (trial, shape) = pending.split();
    let api = trial.realm.gateway.apis.iter().find(|api| api.id == trial.api).unwrap();
    let [stage] = api.stages.as_slice() else { panic!("one stage, not {:?}", api.stages) };
    assert_eq!((stage.name.as_str(), trial.realm.gateway.apis.len()), (STAGE, 1));
    let deployed = stage.deployed.as_ref().unwrap();
    let routes: Vec<String> = deployed.routes.iter().map(|route| route.key.to_string()).collect();
    let line = |text: String| TriedLine { at_unix_ms: 1_685_409_765_000, text };
    let headers = trial.headers.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ");
    shape.answer(Tried {
        request_id: RequestId::from_bits(7),
        status: 201,
        headers: [
            ("content-type", "application/json"),
            ("x-id", "7"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("content-length", "2"),
            ("x-amzn-requestid", "id"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        body: trial.body,
        lines: vec![
            line(format!("{} {} of {}", trial.verb, trial.target, routes.join(", "))),
            line(format!("{{{headers}}}, {:?}", stage.variables)),
        ],
        latency_ms: 5,
    })
}

/// The certificate that stands for every other, and its key.
pub(crate) fn made(kind: CertifiedKind) -> Certified {
    let text = |name: &str| {
        let file = format!("{}/tests/objects/certified/{name}.pem", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(file).unwrap()
    };
    Certified { certificate: text("leaf"), chain: Some(text("chain")), key: text("key"), kind }
}

/// The object that a call names: `s3://BUCKET/KEY` is the file `tests/objects/BUCKET/KEY`, a version `V` of it `KEY@V`. The certificate
/// that a call needs is the same for each: for `app.example.com` and what is one level below it. With the idempotency token [`BY_ACME`] it
/// stands for one that an authority is asked for.
fn objects(call: &wire::Call) -> Objects {
    let mut objects = Objects::default();
    for (name, _) in control::objects::named_by(call) {
        let version = name.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
        let file = name.uri.replace("s3://", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/objects/")) + &version;
        objects.insert(name, std::fs::read(file).map_err(|error| error.kind().to_string()));
    }
    control::ahead::read_ahead(call, &mut objects);
    if control::ahead::certificate_of(call).is_some() {
        let is_asked = matches!(call, wire::Call::Acm(wire::acm::Call::RequestCertificate(input))
            if input.idempotency_token.as_deref() == Some(BY_ACME));
        let kind = if is_asked { CertifiedKind::Placeholder } else { CertifiedKind::Issued };
        objects.bring_certified(Ok(made(kind)));
    }
    objects
}

/// The steps, each with the time that passes after it: a line `---` is [`STEP_MS`], a line `--- 0` nothing, and so on.
fn split_steps(text: &str) -> Vec<(String, i64)> {
    let mut steps = vec![(String::new(), STEP_MS)];
    for line in text.lines() {
        let last = steps.len() - 1;
        match line.strip_prefix("---").map(str::trim) {
            Some("") => steps.push((String::new(), STEP_MS)),
            Some(pause) if pause.parse::<i64>().is_ok() => {
                steps[last].1 = pause.parse().unwrap();
                steps.push((String::new(), STEP_MS));
            }
            _ => steps[last].0.push_str(&format!("{line}\n")),
        }
    }
    steps.into_iter().map(|(step, pause)| (step.trim().to_owned(), pause)).collect()
}

fn split_captures(step: &str) -> (String, Vec<(String, String)>) {
    let capture = |line: &str| {
        let (name, pattern) = line.strip_prefix("= ")?.split_once(' ')?;
        Some((name.to_owned(), pattern.to_owned()))
    };
    let captures = step.lines().filter_map(capture).collect();
    let request: Vec<&str> = step.lines().filter(|line| capture(line).is_none()).collect();
    (request.join("\n").trim_end().to_owned(), captures)
}

fn render(answer: &http::Response<Vec<u8>>) -> String {
    let mut text = format!("{}\n", answer.status().as_u16());
    for (name, value) in answer.headers() {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    text.push('\n');
    text.push_str(&String::from_utf8_lossy(answer.body()));
    text.push('\n');
    text
}
