//! Request bytes to typed calls: every operation as botocore sends it, and the odd forms by hand.

use crate::support::{Raw, operation, read_vectors, text, to_json};
use wire::{Call, Timestamp, acm, apigatewayv2, ec2, elbv2, logs};

fn recorded(record: &serde_json::Value) -> Raw {
    let headers: Vec<(&str, &str)> = record["headers"]
        .as_object()
        .expect("headers")
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str().expect("text")))
        .collect();
    Raw::new(text(record, "method"), text(record, "target"), &headers, text(record, "body"))
}

#[test]
fn every_operation_decodes_what_botocore_sends_and_loses_nothing() {
    let records = read_vectors("inputs.json");
    let supported: usize = wire::ServiceId::ALL.iter().map(|s| s.model().operations.len()).sum();
    assert_eq!(records.len(), supported, "one recording per operation");
    for record in &records {
        let operation = operation(record);
        let call = recorded(record).call().unwrap_or_else(|fault| panic!("{}: {fault}", operation.name));
        assert_eq!(call.operation(), operation);
        let value = match call {
            Call::Sts(call) => call.into_value(),
            Call::Ec2(call) => call.into_value(),
            Call::Elbv2(call) => call.into_value(),
            Call::ApiGateway(call) => call.into_value(),
            Call::ApiGatewayV2(call) => call.into_value(),
            Call::Logs(call) => call.into_value(),
            Call::Acm(call) => call.into_value(),
        };
        assert_eq!(to_json(operation.input, &value), record["params"], "{}", operation.name);
    }
}

/// Distinct requests of Terraform 1.11.4 with the AWS provider 5.100.0 (AWS SDK for Go v2): apply, update and destroy of a
/// stack with a network, an ALB, an HTTP API and a VPC link; recorded 2026-11-23, bodies of keys replaced, signatures blanked.
#[test]
fn every_request_that_terraform_sends_decodes() {
    let refused: Vec<String> = read_vectors("terraform.json")
        .iter()
        .filter_map(|record| recorded(record).call().err().map(|fault| format!("{fault}: {record}")))
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn rest_apis_answer_constraints_from_their_framework() {
    let integration = "/restapis/a1/resources/r1/methods/GET/integration";
    let rows = [
        (
            Raw::rest("PUT", integration, r#"{"type":"HTTPS_PROXY"}"#),
            "400 ValidationException: 1 validation error detected: Value 'HTTPS_PROXY' at 'putIntegrationInput.type' failed \
             to satisfy constraint: Member must satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]",
        ),
        (
            Raw::rest("PUT", "/restapis/a1/resources/r1/methods/GET/responses/2xx", "{}"),
            "400 ValidationException: 1 validation error detected: Value '2xx' at 'statusCode' failed \
             to satisfy constraint: Member must satisfy regular expression pattern: [1-5]\\d\\d",
        ),
        (
            Raw::rest("POST", "/restapis", "{}"),
            "400 ValidationException: 1 validation error detected: Value null at 'createRestApiInput.name' failed to satisfy \
             constraint: Member must not be null",
        ),
        (
            Raw::rest("POST", "/restapis", r#"{"name":true}"#),
            "400 SerializationException: class java.lang.Boolean can not be converted to an String",
        ),
        (
            Raw::rest("POST", "/restapis", r#"{"name":"a","cloneFrom":"b"}"#),
            "400 BadRequestException: Tidegate does not serve the parameter cloneFrom. What it serves is listed in docs/coverage.md.",
        ),
        (
            Raw::rest(
                "POST",
                "/restapis",
                r#"{"name":true,"cloneFrom":"b","endpointConfiguration":{"vpcEndpointIds":["a"]}}"#,
            ),
            "400 BadRequestException: Tidegate does not serve the parameters cloneFrom, endpointConfiguration.vpcEndpointIds. \
             What it serves is listed in docs/coverage.md.",
        ),
    ];
    for (request, expected) in rows {
        assert_eq!(request.call().expect_err(expected), expected);
    }
}

#[test]
fn ec2_flat_lists_keep_their_order_and_may_have_gaps() {
    let call = Raw::ec2("DescribeVpcs&VpcId.10=c&VpcId.2=b&VpcId.1=a&Filter.1.Name=tag:Name&Filter.1.Value.1=x").call();
    let expected = ec2::DescribeVpcsRequest {
        vpc_ids: Some(vec!["a".into(), "b".into(), "c".into()]),
        filters: Some(vec![ec2::Filter { name: Some("tag:Name".into()), values: Some(vec!["x".into()]) }]),
        ..Default::default()
    };
    assert_eq!(call, Ok(Call::Ec2(ec2::Call::DescribeVpcs(expected))));
}

#[test]
fn query_lists_have_member_markers_and_an_empty_one_is_spelled_as_empty_text() {
    let call = Raw::elb("SetSecurityGroups&LoadBalancerArn=arn&SecurityGroups.member.1=sg-1").call();
    let of = |security_groups| elbv2::SetSecurityGroupsInput {
        enforce_security_group_inbound_rules_on_private_link_traffic: None,
        load_balancer_arn: "arn".into(),
        security_groups,
    };
    let expected = of(vec!["sg-1".into()]);
    assert_eq!(call, Ok(Call::Elbv2(elbv2::Call::SetSecurityGroups(expected))));
    let call = Raw::elb("SetSecurityGroups&LoadBalancerArn=arn&SecurityGroups=").call();
    let expected = of(vec![]);
    assert_eq!(call, Ok(Call::Elbv2(elbv2::Call::SetSecurityGroups(expected))));
}

#[test]
fn query_maps_have_entries_with_keys_and_values() {
    let rule =
        "CreateRule&ListenerArn=l&Priority=1&Conditions.member.1.Field=f&Actions.member.1.Type=authenticate-cognito";
    let config = "&Actions.member.1.AuthenticateCognitoConfig";
    let pool = format!("{config}.UserPoolArn=a{config}.UserPoolClientId=c{config}.UserPoolDomain=d");
    let params = format!("{config}.AuthenticationRequestExtraParams");
    let read = |more: String| match Raw::elb(&format!("{rule}{pool}{more}")).call() {
        Ok(Call::Elbv2(elbv2::Call::CreateRule(input))) => {
            input.actions[0].authenticate_cognito_config.clone().unwrap().authentication_request_extra_params.unwrap()
        }
        other => panic!("{other:?}"),
    };
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let two = format!("{params}.entry.2.key=a{params}.entry.2.value=1{params}.entry.1.key=b");
    assert_eq!(read(two), map(&[("a", "1"), ("b", "")]));
    assert_eq!(read(format!("{params}=")), map(&[]));
    for stray in ["=x", ".a=x", ".entry=x", ".entry.1=x", ".entry.1.value=x", ".entry.0.key=x", ".entry.1.name=x"] {
        let fault = Raw::elb(&format!("{rule}{pool}{params}{stray}")).call().unwrap_err();
        assert!(format!("{fault:?}").contains("xtraParams"), "{stray}: {fault:?}");
    }
}

#[test]
fn rest_labels_are_decoded_after_the_path_is_matched() {
    let arn = "arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapis%2Fa1%2Fstages%2F%24default";
    let call = Raw::rest("DELETE", &format!("/v2/tags/{arn}?tagKeys=a&tagKeys=b%20c"), "").call();
    let expected = apigatewayv2::UntagResourceRequest {
        resource_arn: "arn:aws:apigateway:us-east-1::/apis/a1/stages/$default".into(),
        tag_keys: vec!["a".into(), "b c".into()],
    };
    assert_eq!(call, Ok(Call::ApiGatewayV2(apigatewayv2::Call::UntagResource(expected))));
    let call = Raw::rest("GET", "/v2/apis/a1/stages/%24default", "").call();
    let expected = apigatewayv2::GetStageRequest { api_id: "a1".into(), stage_name: "$default".into() };
    assert_eq!(call, Ok(Call::ApiGatewayV2(apigatewayv2::Call::GetStage(expected))));
}

#[test]
fn json_null_is_absence_and_an_absent_body_is_an_empty_object() {
    let call = Raw::json("Logs_20140328.DescribeLogGroups", "{\"limit\":null}").call();
    let expected = logs::DescribeLogGroupsRequest::default();
    assert_eq!(call, Ok(Call::Logs(logs::Call::DescribeLogGroups(expected))));
    let call = Raw::json("CertificateManager.ListCertificates", "").call();
    assert_eq!(call, Ok(Call::Acm(acm::Call::ListCertificates(acm::ListCertificatesRequest::default()))));
}

#[test]
fn timestamps_in_requests_are_instants() {
    let body =
        r#"{"domainName":"a.example","domainNameConfigurations":[{"certificateUploadDate":"2026-11-22T10:00:00Z"}]}"#;
    let call = Raw::rest("POST", "/v2/domainnames", body).call().expect("decodes");
    let Call::ApiGatewayV2(apigatewayv2::Call::CreateDomainName(input)) = call else { panic!("another call") };
    let configuration = input.domain_name_configurations.expect("one").remove(0);
    assert_eq!(configuration.certificate_upload_date, Some(Timestamp(1_795_341_600_000)));
}

#[test]
fn a_form_may_travel_in_the_query_string() {
    let call = Raw::new("GET", "/?Action=DescribeRegions&Version=2016-11-15&RegionName.1=eu-west-1", &[], "").call();
    let expected = ec2::DescribeRegionsRequest { region_names: Some(vec!["eu-west-1".into()]), ..Default::default() };
    assert_eq!(call, Ok(Call::Ec2(ec2::Call::DescribeRegions(expected))));
}
