//! Signatures made by others hold, and every change to what they cover breaks them.

use crate::support::{Raw, read_vectors, said, service, text};
use serde_json::Value as Json;
use wire::model::{Protocol, ServiceModel};
use wire::sigv4::{inspect, inspect_invocation, verify, verify_invocation, verify_invocation_head};
use wire::{Caller, KeyLookup, Secret, ServiceId, Timestamp};

/// AWS's documented example key; also the one that the vectors are signed with.
struct ExampleKey;

impl KeyLookup for ExampleKey {
    fn secret(&self, access_key_id: &str) -> Option<Secret> {
        (access_key_id == "AKIDEXAMPLE").then(|| Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"))
    }
}

const SIGNED_AT: Timestamp = Timestamp(1_795_341_600_000);
const MINUTE: i64 = 60_000;

fn headers(record: &Json) -> Vec<(String, String)> {
    let headers = record["headers"].as_object().expect("headers").iter();
    headers.map(|(k, v)| (k.clone(), v.as_str().expect("text").to_owned())).collect()
}

fn raw(method: &str, target: &str, headers: &[(String, String)], body: &str) -> Raw {
    let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    Raw::new(method, target, &headers, body)
}

#[test]
fn every_signature_that_botocore_makes_holds() {
    for record in read_vectors("inputs.json") {
        let request = raw(text(&record, "method"), text(&record, "target"), &headers(&record), text(&record, "body"));
        let model = service(text(&record, "service")).model();
        let caller = verify(&request.parts(), model, &ExampleKey, SIGNED_AT);
        let caller = caller.unwrap_or_else(|fault| panic!("{}: {fault:?}", text(&record, "operation")));
        assert_eq!(caller.region.as_deref(), Some("us-east-1"));
    }
}

/// Signed by the AWS SDK for Go v2 in Terraform's AWS provider 5.100.0 with the key `test`, 2026-11-23.
#[test]
fn every_signature_that_the_go_sdk_makes_holds() {
    struct TestKey;
    impl KeyLookup for TestKey {
        fn secret(&self, access_key_id: &str) -> Option<Secret> {
            (access_key_id == "test").then(|| Secret::new("test"))
        }
    }
    for record in read_vectors("signed_by_go.json") {
        let request = raw(text(&record, "method"), text(&record, "target"), &headers(&record), text(&record, "body"));
        let model = service(text(&record, "service")).model();
        // The recording took minutes, so the clock is read from each request.
        let signed_at = &record["headers"]["x-amz-date"].as_str().expect("text")[9..15];
        let clock: i64 = [(0, 3_600), (2, 60), (4, 1)]
            .iter()
            .map(|(at, seconds)| signed_at[*at..at + 2].parse::<i64>().expect("digits") * seconds)
            .sum();
        let now = Timestamp((DAY_OF_RECORDING + clock) * 1000);
        verify(&request.parts(), model, &TestKey, now).unwrap_or_else(|f| panic!("{record}: {f:?}"));
    }
}

/// 2026-11-23T00:00:00Z in seconds.
const DAY_OF_RECORDING: i64 = 1_795_392_000;

#[test]
fn presigned_requests_hold_until_they_expire() {
    for record in read_vectors("presigned.json") {
        let request = raw("GET", text(&record, "target"), &headers(&record), "");
        let model = service(text(&record, "service")).model();
        let at = |minutes: i64| verify(&request.parts(), model, &ExampleKey, Timestamp(SIGNED_AT.0 + minutes * MINUTE));
        assert_eq!(at(0).expect("holds").region.as_deref(), Some("eu-west-1"));
        assert!(at(15).is_ok() && at(-15).is_ok());
        let late = at(16).expect_err("900 seconds are over");
        assert!(["SignatureDoesNotMatch", "RequestExpired"].contains(&&*late.code), "{late}");
        assert!(at(-16).is_err());
        let tampered = text(&record, "target").replace("Version", "version");
        let request = raw("GET", &tampered, &headers(&record), "");
        assert!(verify(&request.parts(), model, &ExampleKey, SIGNED_AT).is_err());
        request.call().expect_err("the parameter is unknown besides");
        let request = raw("GET", text(&record, "target"), &headers(&record), "");
        request.call().expect("signature parameters are no members");
    }
}

#[test]
fn the_documented_example_holds() {
    let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date, \
        Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    let request = Raw::new(
        "GET",
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        &[
            ("host", "iam.amazonaws.com"),
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("x-amz-date", "20150830T123600Z"),
            ("authorization", authorization),
        ],
        "",
    );
    let iam = ServiceModel {
        id: ServiceId::Sts,
        protocol: Protocol::Query,
        version: "2010-05-08",
        signing_name: "iam",
        target_prefix: None,
        namespace: "",
        operations: &[],
    };
    let caller = verify(&request.parts(), &iam, &ExampleKey, Timestamp(1_440_938_160_000)).expect("holds");
    assert_eq!(caller.access_key_id, "AKIDEXAMPLE");
}

/// A signed request that a test may damage.
fn sample() -> (String, String, Vec<(String, String)>, String) {
    let record = read_vectors("inputs.json").into_iter().find(|r| r["operation"] == "CreateVpcLink").expect("recorded");
    let field = |name: &str| text(&record, name).to_owned();
    (field("method"), field("target"), headers(&record), field("body"))
}

fn verified(method: &str, target: &str, headers: &[(String, String)], body: &str) -> Result<Caller, String> {
    let model = ServiceId::ApiGatewayV2.model();
    verify(&raw(method, target, headers, body).parts(), model, &ExampleKey, SIGNED_AT).map_err(|f| said(&f))
}

#[test]
fn the_head_of_an_invocation_is_judged_before_its_body_is_there() {
    let (method, target, headers, _) = sample();
    let renamed: Vec<_> =
        headers.iter().map(|(k, v)| (k.clone(), v.replace("/apigateway/", "/execute-api/"))).collect();
    let judge = |headers: &[(String, String)], region: &str, late: i64| {
        let now = Timestamp(SIGNED_AT.0 + late * MINUTE);
        let judged = verify_invocation_head(&raw(&method, &target, headers, "").parts(), region, &ExampleKey, now);
        judged.map(|caller| caller.access_key_id)
    };
    let changed =
        |from: &str, to: &str| -> Vec<_> { renamed.iter().map(|(k, v)| (k.clone(), v.replace(from, to))).collect() };
    assert_eq!(judge(&renamed, "us-east-1", 0).as_deref(), Ok("AKIDEXAMPLE"), "without a hash the body decides");
    let mut hashed = changed("SignedHeaders=", "SignedHeaders=x-amz-content-sha256;");
    hashed.push(("x-amz-content-sha256".to_owned(), "0".repeat(64)));
    let rows = [
        (judge(&[], "us-east-1", 0), "The request is not signed."),
        (judge(&headers, "us-east-1", 0), "Credential should be scoped to correct service"),
        (judge(&renamed, "eu-west-1", 0), "Credential should be scoped to eu-west-1"),
        (judge(&renamed, "us-east-1", 16), "Signature expired"),
        (judge(&changed("AKIDEXAMPLE", "AKIDOTHER"), "us-east-1", 0), "The access key id or session token is unknown."),
        (judge(&hashed, "us-east-1", 0), "The request signature we calculated"),
    ];
    for (judged, expected) in rows {
        let refused = judged.expect_err(expected);
        assert!(refused.starts_with(expected), "{refused}");
    }
}

#[test]
fn invocations_are_signed_for_execute_api() {
    let (method, target, headers, body) = sample();
    let ask = |headers: &[(String, String)]| {
        let request = raw(&method, &target, headers, &body);
        let inspected = inspect_invocation(&request.parts()).map(|caller| caller.access_key_id);
        let verified = verify_invocation(&request.parts(), "us-east-1", &ExampleKey, SIGNED_AT);
        (inspected, verified.expect_err("never signed for it"))
    };
    let service = "Credential should be scoped to correct service: 'execute-api'.";
    assert_eq!(ask(&headers), (Err(service.to_owned()), service.to_owned()));
    let renamed: Vec<_> =
        headers.iter().map(|(k, v)| (k.clone(), v.replace("/apigateway/", "/execute-api/"))).collect();
    let (inspected, refused) = ask(&renamed);
    assert_eq!(inspected.as_deref(), Ok("AKIDEXAMPLE"));
    assert!(refused.starts_with("The request signature we calculated"), "{refused}");
    let unsigned = "The request is not signed.".to_owned();
    assert_eq!(ask(&[]), (Err(unsigned.clone()), unsigned));
    let mut open = renamed;
    open.push(("x-amz-content-sha256".to_owned(), "UNSIGNED-PAYLOAD".to_owned()));
    assert_eq!(ask(&open).1, "The payload must be signed.");
}

#[test]
fn any_change_under_the_signature_breaks_it() {
    let (method, target, headers, body) = sample();
    assert!(verified(&method, &target, &headers, &body).is_ok());
    let mismatch =
        "403 InvalidSignatureException: The request signature we calculated does not match the signature you provided.";
    assert_eq!(verified("PUT", &target, &headers, &body).expect_err("method"), mismatch);
    assert_eq!(verified(&method, "/v2/apis", &headers, &body).expect_err("path"), mismatch);
    assert_eq!(verified(&method, &format!("{target}?a=b"), &headers, &body).expect_err("query"), mismatch);
    assert_eq!(verified(&method, &target, &headers, &format!("{body} ")).expect_err("body"), mismatch);
    for damaged in &headers {
        let changed: Vec<_> = headers
            .iter()
            .map(
                |(k, v)| {
                    if k == &damaged.0 { (k.clone(), v.replace(['1', 'l'], "0")) } else { (k.clone(), v.clone()) }
                },
            )
            .collect();
        assert_ne!(changed, headers, "{} was changed", damaged.0);
        assert!(verified(&method, &target, &changed, &body).is_err(), "{} is covered", damaged.0);
    }
}

#[test]
fn headers_that_matter_must_be_signed() {
    let (method, target, headers, body) = sample();
    for (name, value) in
        [("x-amz-target", "Logs_20140328.DeleteLogGroup"), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]
    {
        let mut more = headers.clone();
        more.push((name.to_owned(), value.to_owned()));
        let fault = verified(&method, &target, &more, &body).expect_err("not under the signature");
        assert_eq!(fault, format!("403 InvalidSignatureException: '{name}' must be a signed header."));
    }
}

#[test]
fn each_protocol_has_its_own_name_for_a_refused_caller() {
    let signed = |authorization: &str| {
        let headers = [("authorization", authorization), ("x-amz-date", "20261122T100000Z"), ("host", "h")];
        Raw::new("POST", "/", &headers, "")
    };
    let credential = |service: &str, key: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential={key}/20261122/us-east-1/{service}/aws4_request, SignedHeaders=host;x-amz-date, Signature={}",
            "0".repeat(64)
        )
    };
    let rows = [
        (ServiceId::Sts, "AKIDEXAMPLE", "403 SignatureDoesNotMatch", "403 InvalidClientTokenId"),
        (ServiceId::Ec2, "AKIDEXAMPLE", "401 AuthFailure", "401 AuthFailure"),
        (ServiceId::ApiGatewayV2, "AKIDEXAMPLE", "403 InvalidSignatureException", "403 UnrecognizedClientException"),
        (ServiceId::Logs, "AKIDEXAMPLE", "400 InvalidSignatureException", "400 UnrecognizedClientException"),
    ];
    for (service, key, mismatch, unknown) in rows {
        let model = service.model();
        let name = model.signing_name;
        let fault = |request: Raw| {
            let fault = verify(&request.parts(), model, &ExampleKey, SIGNED_AT).expect_err("refused");
            format!("{} {}", fault.status, fault.code)
        };
        assert_eq!(fault(signed(&credential(name, key))), mismatch, "{service:?}");
        assert_eq!(fault(signed(&credential(name, "AKIDNOBODY"))), unknown, "{service:?}");
        assert_eq!(fault(signed(&credential("s3", key))), mismatch, "{service:?}, scope of another service");
    }
}

#[test]
fn development_mode_believes_any_key_but_not_nonsense() {
    let with = |authorization: &str| {
        let headers = [("authorization", authorization), ("x-amz-date", "20200101T000000Z")];
        inspect(&Raw::new("POST", "/", &headers, "").parts(), Protocol::Query).map_err(|f| said(&f))
    };
    let rest = "SignedHeaders=host, Signature=x";
    let caller = with(&format!("AWS4-HMAC-SHA256 Credential=123456789012/20200101/eu-west-1/sts/aws4_request, {rest}"));
    let expected = Caller {
        access_key_id: "123456789012".into(),
        account: Some("123456789012".into()),
        region: Some("eu-west-1".into()),
    };
    assert_eq!(caller, Ok(expected));
    let caller = with(&format!("AWS4-HMAC-SHA256 Credential=test/20200101/eu-west-1/sts/aws4_request, {rest}"));
    assert_eq!(caller.expect("any key").account, None);
    let rows = [
        ("Bearer abc".to_owned(), "400 IncompleteSignature: Unsupported AWS 'algorithm': 'Bearer'"),
        (
            format!("AWS4-HMAC-SHA256 {rest}"),
            "400 IncompleteSignature: Authorization header requires 'Credential' parameter.",
        ),
        (
            format!("AWS4-HMAC-SHA256 Credential=test, {rest}"),
            "400 IncompleteSignature: Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request, got: 'test'",
        ),
        (
            format!("AWS4-HMAC-SHA256 Credential=/20200101/eu-west-1/sts/aws4_request, {rest}"),
            "403 InvalidClientTokenId: The security token included in the request is invalid.",
        ),
    ];
    for (authorization, expected) in rows {
        assert_eq!(with(&authorization).expect_err(expected), expected);
    }
    let none = inspect(&Raw::new("POST", "/", &[], "").parts(), Protocol::RestJson).map_err(|f| said(&f));
    assert_eq!(none, Err("403 MissingAuthenticationTokenException: Missing Authentication Token".to_owned()));
}

#[test]
fn secrets_do_not_print_themselves() {
    assert_eq!(format!("{:?}", Secret::new("wJalr")), "Secret(hidden)");
    let input = wire::acm::ImportCertificateRequest { private_key: vec![42; 3], ..Default::default() };
    let shown = format!("{input:?}");
    assert!(shown.contains("private_key: (hidden)") && !shown.contains("42"), "{shown}");
}
