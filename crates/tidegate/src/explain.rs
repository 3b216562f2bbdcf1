//! What `explain` answers: the contract's JSON, and the same as text. The explaining itself is `topology::reach`'s; a
//! refused call has its own reason from `control`.

use control::ApiRefusal;
use serde_json::{Value, json};
use topology::reach::{self, ExplainedHop, Explanation, Probed};
use topology::reason::Reason;
use topology::snapshot::Snapshot;
use topology::trace::{Outcome, Trace};
use wire::{Fault, LeftOut};

use crate::remembered::{Came, Remembered};

/// An explained request or call.
#[derive(Debug)]
pub(crate) struct Explained {
    request_id: String,
    status: u16,
    outcome: Outcome,
    reason: Option<Reason>,
    hops: Vec<Value>,
    sentences: Vec<String>,
    fix: Vec<String>,
    hints: Vec<(Reason, String, String)>,
}

/// Explains a request of the data plane by what exists now, and by what probes have seen.
pub(crate) fn of_trace(snapshot: &Snapshot, trace: &Trace, probed: Probed<'_>) -> Explained {
    let explanation = reach::explain_with(snapshot, trace, probed);
    let sentences = reach::sentences(&explanation);
    let Explanation { hops, fix, hints } = explanation;
    Explained {
        request_id: trace.request_id.to_string(),
        status: trace.status,
        outcome: trace.outcome(),
        reason: trace.reason,
        hops: hops.iter().map(hop).collect(),
        sentences,
        fix,
        hints: hints.into_iter().map(|hint| (hint.code, hint.text, hint.id)).collect(),
    }
}

/// Explains a call: the one step is the call itself.
pub(crate) fn of_call(call: &Remembered) -> Explained {
    let name = format!("{} {}", call.service, call.operation).trim().to_owned();
    match &call.came {
        Came::Refused { fault, why } => of_refused(call, &name, (fault, why.as_ref())),
        Came::LeftOut(status, left_out) => {
            let hint = |lacks: &LeftOut| {
                let text = format!("{name}: {} was left out: {}", lacks.parameter, lacks.why);
                (Reason::NotCarriedOut, text, lacks.parameter.clone())
            };
            let hop = call_hop((None, &name), ("carried out", "pass", None));
            Explained {
                request_id: call.request_id.clone(),
                status: *status,
                outcome: Outcome::Passed,
                reason: None,
                hops: vec![hop],
                sentences: vec![format!("pass  api-call  {name}")],
                fix: Vec::new(),
                hints: left_out.iter().map(hint).collect(),
            }
        }
    }
}

/// The one step that a call is.
fn call_hop((id, name): (Option<&String>, &str), (detail, verdict, reason): (&str, &str, Option<Reason>)) -> Value {
    json!({
        "kind": "api-call", "id": id, "name": name, "detail": detail, "verdict": verdict,
        "reason": reason.map(Reason::code), "micros": 0, "from": null, "to": null, "from_groups": [], "to_groups": [],
        "port": null, "deciding_rule": null, "nearest_rule": null,
    })
}

/// The ids of a refused call are those that were meant.
fn of_refused(call: &Remembered, name: &str, (fault, refusal): (&Fault, Option<&ApiRefusal>)) -> Explained {
    let reason = refusal.map(|refusal| refusal.reason);
    let meant = refusal.map(|refusal| refusal.meant.join(", ")).unwrap_or_default();
    let mut detail = fault.to_string();
    if !meant.is_empty() {
        detail.push_str(&format!("; meant, or in the way: {meant}"));
    }
    let first = refusal.and_then(|refusal| refusal.meant.first());
    let hop = call_hop((first, name), (&detail, "fail", reason));
    Explained {
        request_id: call.request_id.clone(),
        status: fault.status,
        outcome: Outcome::Failed,
        reason,
        hops: vec![hop],
        sentences: vec![format!("fail  api-call  {name}: {detail}")],
        fix: refusal.map(|refusal| refusal.fix.clone()).unwrap_or_default(),
        hints: Vec::new(),
    }
}

fn hop(hop: &ExplainedHop) -> Value {
    json!({
        "kind": hop.kind.as_str(),
        "id": hop.id,
        "name": hop.name,
        "detail": hop.detail,
        "verdict": hop.verdict.map(|verdict| verdict.as_str()),
        "reason": hop.reason.map(Reason::code),
        "micros": hop.micros,
        "from": hop.from,
        "to": hop.to,
        "from_groups": hop.from_groups,
        "to_groups": hop.to_groups,
        "port": hop.port,
        "deciding_rule": hop.deciding_rule,
        "nearest_rule": hop.nearest_rule,
    })
}

impl Explained {
    /// The contract's object.
    pub(crate) fn json(&self) -> Value {
        let hint = |(code, text, id): &(Reason, String, String)| json!({ "code": code.code(), "text": text, "id": id });
        json!({
            "request_id": self.request_id,
            "status": self.status,
            "outcome": self.outcome.as_str(),
            "reason": self.reason.map(Reason::code),
            "hops": self.hops,
            "fix": self.fix,
            "hints": self.hints.iter().map(hint).collect::<Vec<_>>(),
        })
    }

    /// The same for a person.
    pub(crate) fn text(&self) -> String {
        let reason = self.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let mut text = format!("{}  status {}  {}{reason}\n\n", self.request_id, self.status, self.outcome.as_str());
        for sentence in &self.sentences {
            text.push_str(&format!("  {sentence}\n"));
        }
        if !self.fix.is_empty() {
            text.push_str("\nTo let it through:\n\n");
            self.fix.iter().for_each(|command| text.push_str(&format!("  {command}\n")));
        }
        if !self.hints.is_empty() {
            text.push_str("\nWorth knowing:\n\n");
            self.hints.iter().for_each(|(code, sentence, _)| text.push_str(&format!("  {code}: {sentence}\n")));
        }
        text
    }
}
