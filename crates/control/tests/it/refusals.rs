//! What `explain` says of a refused call: the reason, what was meant, and the command that would do it.

use topology::reason::Reason;

use crate::calls::Calls;

/// A private integration of a REST API, with these members; the estate has a link, a load balancer and a link of version 1.
fn put_integration(members: &str) -> Calls {
    let mut calls = Calls::new();
    let script = include_str!("../estate.http");
    let step = format!(
        "{script}\n---\nPUT /restapis/{{rest}}/resources/{{proxy}}/methods/ANY/integration apigateway\n\
         content-type: application/json\n\n\
         {{\"type\": \"HTTP_PROXY\", \"httpMethod\": \"ANY\", \"uri\": \"http://a.example\", \
         \"connectionType\": \"VPC_LINK\", {members}}}"
    );
    let answer = calls.run("refusal", &step).unwrap();
    assert!(answer.starts_with("400"), "{answer}");
    calls
}

#[test]
fn a_wrong_link_or_target_names_what_was_meant() {
    let rows = [
        (r#""connectionId": "{link}""#, Reason::LinkVersionMismatch, "lb"),
        (r#""connectionId": "{link}", "integrationTarget": "{tg}""#, Reason::IntegrationTargetNotListener, "lb"),
        (r#""connectionId": "{edge}", "integrationTarget": "{lb}""#, Reason::LinkVersionMismatch, "link"),
        (r#""connectionId": "abcdef""#, Reason::LinkNotFound, "edge"),
    ];
    for (members, reason, meant) in rows {
        let calls = put_integration(members);
        let refusal = calls.refusal().unwrap_or_else(|| panic!("{members}: no refusal"));
        assert_eq!(refusal.reason, reason, "{members}");
        let meant = calls.name(meant).to_owned();
        assert!(refusal.meant.contains(&meant), "{members}: {:?}", refusal.meant);
        let is_target = meant.starts_with("arn:");
        let has_fix = refusal.fix.iter().any(|fix| fix.ends_with(&format!("--integration-target {meant}")));
        assert_eq!(has_fix, is_target, "{members}: {:?}", refusal.fix);
    }
}
