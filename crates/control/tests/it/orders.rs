//! Certificates that an authority is asked for by ACME: until when they are pending, what they show, and when they are renewed.

use control::certified::{Certified, CertifiedKind};
use control::orders::{Declined, Ordered};
use topology::id::CertificateId;
use topology::resource::certificate::FailureReason;
use topology::time::Moment;

use crate::calls::{Calls, made, realm};

/// When the request is made, and shortly after.
const NOW: Moment = Moment(1_795_341_600_000);
const SOON: Moment = NOW.plus_ms(5_000);
const HOUR_MS: i64 = 3600 * 1000;

const REQUEST: &str = r#"POST / acm
x-amz-target: CertificateManager.RequestCertificate
content-type: application/x-amz-json-1.1

{"DomainName": "app.example.com", "SubjectAlternativeNames": ["*.app.example.com"], "ValidationMethod": "DNS", "IdempotencyToken": "byacme"}
= cert "CertificateArn":"([^"]+)"
= id certificate/([0-9a-f-]+)
"#;

/// A name that presents the certificate.
const USED: &str = r#"POST /v2/domainnames apigateway

{"domainName": "app.example.com", "domainNameConfigurations": [{"certificateArn": "{cert}"}]}"#;

struct Asked(Calls, CertificateId);

impl Asked {
    fn new() -> Self {
        let mut calls = Calls::new();
        calls.run("request", REQUEST).unwrap();
        let id = calls.name("id").parse().unwrap();
        Self(calls, id)
    }

    fn call(&mut self, operation: &str) -> String {
        let target = format!(
            "POST / acm\nx-amz-target: CertificateManager.{operation}\ncontent-type: application/x-amz-json-1.1"
        );
        self.0.run(operation, &format!("{target}\n\n{{\"CertificateArn\": \"{{cert}}\"}}")).unwrap()
    }

    /// What of a certificate is shown under these names.
    fn shows(&mut self, names: &[&str]) -> Vec<serde_json::Value> {
        let answer = self.call("DescribeCertificate");
        let body: serde_json::Value = serde_json::from_str(answer.split("\n\n").last().unwrap()).unwrap();
        names.iter().map(|name| body["Certificate"][name].clone()).collect()
    }

    fn fulfil(&mut self, made: &Certified, now: Moment) -> Result<(), wire::Fault> {
        let id = self.1;
        self.0.control().fulfil((&realm(), id), made, now)
    }

    fn decline(&mut self, why: Declined, now: Moment) {
        let id = self.1;
        self.0.control().decline((&realm(), id), why, now).unwrap();
    }

    fn orders(&mut self) -> Vec<Ordered> {
        self.0.control().orders()
    }
}

#[test]
fn a_certificate_is_pending_until_the_authority_has_issued_it() {
    let mut asked = Asked::new();
    let before = asked.shows(&["Status", "Issuer", "Serial", "NotAfter", "IssuedAt", "Type"]);
    assert_eq!(
        before,
        serde_json::json!(["PENDING_VALIDATION", null, null, null, null, "AMAZON_ISSUED"]).as_array().unwrap()[..]
    );
    assert!(asked.call("GetCertificate").starts_with("400"), "there is none to be got");
    assert!(asked.0.run("use", USED).unwrap().starts_with("400"), "nothing presents what stands for it");
    let orders = asked.orders();
    let [order] = &orders[..] else { panic!("{orders:?}") };
    assert_eq!((order.due.is_some_and(|due| due < NOW), &order.before), (true, &None));
    assert_eq!(order.names, ["app.example.com", "*.app.example.com"]);

    asked.fulfil(&made(CertifiedKind::Issued), SOON).unwrap();
    let after = asked.shows(&["Status", "Issuer", "Serial", "IssuedAt", "RenewalEligibility", "RenewalSummary"]);
    let wanted =
        serde_json::json!(["ISSUED", "Example authority", "12:34:56:78:90", 1_795_341_605, "INELIGIBLE", null]);
    assert_eq!(after, wanted.as_array().unwrap()[..]);
    assert!(asked.call("GetCertificate").starts_with("200"));
    assert_eq!(asked.orders(), [], "one that nobody uses is not renewed");
}

#[test]
fn a_certificate_in_use_is_renewed_once_a_third_of_its_life_is_left() {
    let mut asked = Asked::new();
    asked.fulfil(&made(CertifiedKind::Issued), SOON).unwrap();
    assert!(asked.0.run("use", USED).unwrap().starts_with("201"));
    // From 2026-01-01 to 2126-01-01.
    let (from, until) = (Moment(1_767_225_600_000), Moment(4_922_899_200_000));
    let life = until.ms_since(from);
    let orders = asked.orders();
    assert_eq!(orders.iter().map(|order| order.due).collect::<Vec<_>>(), [Some(until.plus_ms(-life / 3))]);
    assert!(orders[0].before.is_some());
    assert_eq!(orders[0].earliest, SOON.plus_ms(life / 8));

    let due = orders[0].due.unwrap();
    asked.decline(Declined::ForNow, due);
    let summary = asked.shows(&["RenewalSummary", "Status"]);
    assert_eq!((&summary[0]["RenewalStatus"], &summary[1]), (&"PENDING_AUTO_RENEWAL".into(), &"ISSUED".into()));
    asked.decline(Declined::ForGood(FailureReason::Caa), due);
    let summary = asked.shows(&["RenewalSummary", "Status"]);
    assert_eq!((&summary[0]["RenewalStatus"], &summary[1]), (&"FAILED".into(), &"ISSUED".into()));
    assert_eq!(summary[0]["RenewalStatusReason"], "CAA_ERROR");
    asked.fulfil(&made(CertifiedKind::Issued), due).unwrap();
    let summary = asked.shows(&["RenewalSummary", "Status"]);
    assert_eq!((&summary[0]["RenewalStatus"], &summary[1]), (&"SUCCESS".into(), &"ISSUED".into()));
    // An authority that gives the same again is not asked without end.
    assert_eq!(asked.orders()[0].due, Some(due.plus_ms(life / 8)));
}

#[test]
fn a_refusal_for_good_says_why_and_one_for_now_waits() {
    let mut asked = Asked::new();
    asked.decline(Declined::ForNow, SOON);
    assert_eq!(asked.shows(&["Status"]), ["PENDING_VALIDATION"]);
    asked.decline(Declined::ForGood(FailureReason::DomainNotAllowed), SOON);
    let shown = asked.shows(&["Status", "FailureReason", "DomainValidationOptions"]);
    assert_eq!((&shown[0], &shown[1]), (&"FAILED".into(), &"DOMAIN_NOT_ALLOWED".into()));
    assert_eq!(shown[2][0]["ValidationStatus"], "FAILED");
    assert_eq!(asked.orders()[0].due, None);
    asked.fulfil(&made(CertifiedKind::Issued), SOON).unwrap();
    assert_eq!(asked.shows(&["Status"]), ["FAILED"], "what comes late changes nothing");
}

#[test]
fn names_that_are_not_validated_within_72_hours_are_given_up() {
    let mut asked = Asked::new();
    let due = NOW.plus_ms(72 * HOUR_MS);
    asked.0.control().tick(due.plus_ms(-1)).unwrap();
    assert_eq!(
        (asked.shows(&["Status"]), asked.0.control().next_change()),
        (vec!["PENDING_VALIDATION".into()], Some(due))
    );
    asked.0.control().tick(due).unwrap();
    assert_eq!(asked.shows(&["Status"]), ["VALIDATION_TIMED_OUT"]);
    assert_eq!((asked.orders()[0].due, asked.0.control().next_change()), (None, None));
}

#[test]
fn what_is_not_what_was_asked_for_is_not_kept() {
    let mut asked = Asked::new();
    let wrong_key = Certified { key: "rubbish".to_owned(), ..made(CertifiedKind::Issued) };
    assert!(asked.fulfil(&wrong_key, SOON).is_err());
    let no_pem = Certified { certificate: "rubbish".to_owned(), ..made(CertifiedKind::Issued) };
    assert!(asked.fulfil(&no_pem, SOON).is_err());
    assert_eq!(asked.shows(&["Status"]), ["PENDING_VALIDATION"]);
    asked.call("DeleteCertificate");
    asked.fulfil(&made(CertifiedKind::Issued), SOON).unwrap();
    assert!(asked.call("DescribeCertificate").starts_with("400"), "one that was deleted stays so");
}
