//! Answers to bytes: every operation against recorded bytes that botocore's own parsers have read, and envelopes by hand.

use crate::support::{from_json, operation, read_vectors, vectors};
use serde_json::json;
use wire::{Fault, Output, ServiceId, Shaped, ec2};

const ID: &str = "11111111-2222-3333-4444-555555555555";

fn bytes(operation: &'static wire::model::OperationModel, sample: &serde_json::Value) -> serde_json::Value {
    let output = Output { operation, value: from_json(operation.output, sample) };
    let (head, body) = wire::encode(&output, ID).into_parts();
    let headers: serde_json::Map<_, _> =
        head.headers.iter().map(|(k, v)| (k.to_string(), json!(v.to_str().expect("text")))).collect();
    json!({"status": head.status.as_u16(), "headers": headers, "body": String::from_utf8(body).expect("text")})
}

#[test]
fn every_operation_answers_the_bytes_that_botocore_has_read() {
    let mut records = read_vectors("outputs.json");
    let supported: usize = ServiceId::ALL.iter().map(|s| s.model().operations.len()).sum();
    assert_eq!(records.len(), supported, "one sample per operation");
    let update = std::env::var_os("UPDATE").is_some();
    for record in &mut records {
        let operation = operation(record);
        for (field, ours) in bytes(operation, &record["sample"]).as_object().expect("three fields") {
            if update {
                record[field] = ours.clone();
            }
            assert_eq!(ours, &record[field], "{} {field}", operation.name);
        }
    }
    if update {
        let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
        let text = format!("[\n{}\n]\n", lines.join(",\n"));
        std::fs::write(vectors().join("outputs.json"), text).expect("vectors can be written");
    }
}

fn ec2_body(operation: ec2::Operation, value: wire::Value) -> String {
    let response = wire::encode(&Output { operation: operation.model(), value }, "id-1");
    String::from_utf8(response.into_body()).expect("text")
}

#[test]
fn ec2_says_true_where_the_model_has_no_output() {
    let body = ec2_body(ec2::Operation::DeleteVpc, ().into_value());
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <DeleteVpcResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>id-1</requestId><return>true</return></DeleteVpcResponse>";
    assert_eq!(body, expected);
}

#[test]
fn ec2_lists_are_items_and_an_empty_list_stays_visible() {
    let result = ec2::DescribeVpcsResult {
        vpcs: Some(vec![ec2::Vpc { vpc_id: Some("vpc-1".into()), tags: Some(vec![]), ..Default::default() }]),
        next_token: None,
    };
    let body = ec2_body(ec2::Operation::DescribeVpcs, result.into_value());
    assert!(body.contains("<vpcSet><item><tagSet/><vpcId>vpc-1</vpcId></item></vpcSet>"), "{body}");
    assert!(!body.contains("nextToken"), "{body}");
}

#[test]
fn an_answer_without_content_has_no_content_type() {
    let operation = wire::apigatewayv2::Operation::DeleteApi.model();
    let response = wire::encode(&Output { operation, value: ().into_value() }, ID);
    assert_eq!(response.status(), 204);
    assert!(response.body().is_empty() && !response.headers().contains_key("content-type"));
    assert_eq!(response.headers()["x-amzn-requestid"], ID);
}

#[test]
fn faults_render_in_the_caller_s_dialect() {
    let fault = Fault::new("NotFoundException", 404, "no <such> thing").with_member("resourceType", "Api");
    let rows = [
        (
            ServiceId::Ec2,
            "text/xml;charset=UTF-8",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>NotFoundException</Code><Message>no &lt;such&gt; thing</Message><resourceType>Api</resourceType></Error></Errors><RequestID>id-1</RequestID></Response>",
        ),
        (
            ServiceId::Elbv2,
            "text/xml",
            "<ErrorResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\"><Error><Type>Sender</Type><Code>NotFoundException</Code><Message>no &lt;such&gt; thing</Message><resourceType>Api</resourceType></Error><RequestId>id-1</RequestId></ErrorResponse>",
        ),
        (ServiceId::ApiGatewayV2, "application/json", r#"{"message":"no <such> thing","resourceType":"Api"}"#),
        (
            ServiceId::Logs,
            "application/x-amz-json-1.1",
            r#"{"__type":"NotFoundException","message":"no <such> thing","resourceType":"Api"}"#,
        ),
    ];
    for (service, content_type, body) in rows {
        let response = wire::encode_fault(wire::Dialect::of(service), &fault, "id-1");
        assert_eq!(response.status(), 404, "{service:?}");
        assert_eq!(response.headers()["content-type"], content_type);
        assert_eq!(response.headers()["x-amzn-requestid"], "id-1");
        let kind = response.headers().get("x-amzn-errortype").map(|v| v.to_str().expect("text"));
        assert_eq!(kind, (service == ServiceId::ApiGatewayV2).then_some("NotFoundException"));
        assert_eq!(String::from_utf8(response.into_body()).expect("text"), body);
    }
}

#[test]
fn what_is_for_the_log_never_reaches_the_caller() {
    let fault = Fault::internal("disk on fire");
    for service in ServiceId::ALL {
        let response = wire::encode_fault(wire::Dialect::of(*service), &fault, "id-1");
        assert_eq!(response.status(), 500);
        assert!(!String::from_utf8_lossy(response.body()).contains("disk"));
    }
}
