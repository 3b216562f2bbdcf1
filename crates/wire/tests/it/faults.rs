//! Bad requests and the words they are refused with, one table per protocol.

use crate::support::Raw;

fn check(rows: Vec<(Raw, &str)>) {
    for (request, expected) in rows {
        let fault = request.call().expect_err(expected);
        assert_eq!(fault, expected);
    }
}

#[test]
fn ec2_names_the_parameter() {
    check(vec![
        (Raw::ec2("DescribeVpcs&Color=red"), "400 UnknownParameter: The parameter Color is not recognized"),
        (
            Raw::ec2("CreateSubnet&VpcId=v&OutpostArn=arn"),
            "400 UnknownParameter: Tidegate does not serve the parameter OutpostArn. What it serves is listed in docs/coverage.md.",
        ),
        (
            Raw::ec2("CreateSubnet&VpcId=v&OutpostArn=arn&Ipv4IpamPoolId=p&DryRun=maybe"),
            "400 UnknownParameter: Tidegate does not serve the parameters Ipv4IpamPoolId, OutpostArn. What it serves is listed in docs/coverage.md.",
        ),
        (
            Raw::ec2("CreateSubnet&VpcId=v&OutpostArn=arn&Colour=red"),
            "400 UnknownParameter: The parameter Colour is not recognized",
        ),
        (
            Raw::ec2("DescribeVpcs&Filter.1.Colour=x"),
            "400 UnknownParameter: The parameter Filter.1.Colour is not recognized",
        ),
        (Raw::ec2("DeleteVpc"), "400 MissingParameter: The request must contain the parameter VpcId"),
        (
            Raw::ec2("DeleteVpc&VpcId=v&DryRun=maybe"),
            "400 InvalidParameterValue: The value of parameter DryRun must be true or false",
        ),
        (
            Raw::ec2("CreateVpc&CidrBlock=10.0.0.0/16&InstanceTenancy=mine"),
            "400 InvalidParameterValue: Value (mine) for parameter InstanceTenancy is invalid. Expecting one of default, dedicated, host.",
        ),
        (
            Raw::ec2("DescribeVpcs&MaxResults=1"),
            "400 InvalidParameterValue: Value (1) for parameter MaxResults is invalid. Expecting a value of at least 5.",
        ),
        (
            Raw::ec2("DeleteVpc&VpcId=a&VpcId=b"),
            "400 MalformedQueryString: The parameter VpcId is given more than once",
        ),
        (
            Raw::ec2("DescribeVpcs&VpcId.1=a&VpcId.01=b"),
            "400 MalformedQueryString: The parameter VpcId.1 is given more than once",
        ),
        (
            Raw::ec2("DescribeVpcs&VpcId.999999999=a"),
            "400 MalformedQueryString: The request has too many list entries; the limit is 8192",
        ),
        (Raw::ec2("DescribeVpcs&VpcId.0=a"), "400 UnknownParameter: The parameter VpcId.0 is not recognized"),
    ]);
}

#[test]
fn query_answers_validation_errors() {
    check(vec![
        (
            Raw::elb("DeleteRule"),
            "400 ValidationError: 1 validation error detected: Value null at 'ruleArn' failed to satisfy constraint: Member must not be null",
        ),
        (Raw::elb("DeleteRule&RuleArn=a&Force=true"), "400 ValidationError: The parameter Force is not recognized"),
        (
            Raw::elb("DescribeLoadBalancers&PageSize=401"),
            "400 ValidationError: 1 validation error detected: Value '401' at 'pageSize' failed to satisfy constraint: Member must have value less than or equal to 400",
        ),
        (
            Raw::elb("AddTags&ResourceArns.member.1=a&Tags.member.1.Key="),
            "400 ValidationError: 1 validation error detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            Raw::elb("SetIpAddressType&IpAddressType=ipv9"),
            "400 ValidationError: 2 validation errors detected: Value 'ipv9' at 'ipAddressType' failed to satisfy constraint: Member must satisfy enum value set: [ipv4, dualstack, dualstack-without-public-ipv4]; Value null at 'loadBalancerArn' failed to satisfy constraint: Member must not be null",
        ),
        (
            Raw::elb("RegisterTargets&TargetGroupArn=a&Targets.member.1.Id=b&Targets.member.1.QuicServerId=x"),
            "400 ValidationError: Tidegate does not serve the parameter Targets.1.QuicServerId. What it serves is listed in docs/coverage.md.",
        ),
        (
            Raw::elb("DescribeTags&ResourceArns.1=a"),
            "400 ValidationError: The parameter ResourceArns.1 is not recognized",
        ),
    ]);
}

#[test]
fn json_answers_validation_and_serialization_exceptions() {
    let logs = |operation: &str, body: &str| Raw::json(&format!("Logs_20140328.{operation}"), body);
    check(vec![
        (
            logs("CreateLogGroup", "{}"),
            "400 ValidationException: 1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null",
        ),
        (
            logs("CreateLogGroup", r#"{"logGroupName":"a b"}"#),
            "400 ValidationException: 1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+",
        ),
        (
            logs("CreateLogGroup", r#"{"logGroupName":"a","kmsKeyId":"k"}"#),
            "400 ValidationException: Tidegate does not serve the parameter kmsKeyId. What it serves is listed in docs/coverage.md.",
        ),
        (logs("CreateLogGroup", "{"), "400 SerializationException: The request body is not valid JSON"),
        (logs("CreateLogGroup", "[]"), "400 SerializationException: The request body is not a JSON object"),
        (
            logs("PutRetentionPolicy", r#"{"logGroupName":"a","retentionInDays":"7"}"#),
            "400 SerializationException: Value at 'retentionInDays' must be an integer",
        ),
        (
            logs("PutRetentionPolicy", r#"{"logGroupName":"a","retentionInDays":3000000000}"#),
            "400 SerializationException: Value at 'retentionInDays' must be an integer",
        ),
    ]);
}

#[test]
fn rest_json_answers_bad_requests() {
    check(vec![
        (
            Raw::rest("POST", "/v2/apis", r#"{"protocolType":"HTTP"}"#),
            "400 BadRequestException: 1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null",
        ),
        (
            Raw::rest(
                "POST",
                "/v2/apis",
                r#"{"name":"n","protocolType":"HTTP","corsConfiguration":{"allowOrigin":[]}}"#,
            ),
            "400 BadRequestException: The parameter corsConfiguration.allowOrigin is not supported",
        ),
        (
            Raw::rest(
                "POST",
                "/v2/apis/a1/authorizers",
                r#"{"name":"n","authorizerType":"JWT","identitySource":[],"identityValidation":"u"}"#,
            ),
            "400 BadRequestException: The parameter identityValidation is not supported",
        ),
        (Raw::rest("GET", "/v2/apis?limit=5", ""), "400 BadRequestException: The parameter limit is not supported"),
        (
            Raw::rest("GET", "/v2/apis?nextToken=a&nextToken=b", ""),
            "400 BadRequestException: The parameter nextToken is given more than once",
        ),
        (
            Raw::rest("POST", "/v2/apis", r#"{"apiId":"x","name":"n","protocolType":"HTTP"}"#),
            "400 BadRequestException: The parameter apiId is not supported",
        ),
        (Raw::rest("GET", "/v2/apis/%ff", ""), "400 BadRequestException: The path label apiId is not UTF-8"),
    ]);
}

#[test]
fn secrets_and_long_values_stay_out_of_messages() {
    let long = "x".repeat(100_000);
    let fault = Raw::elb(&format!("CreateLoadBalancer&Name=n&Scheme={long}")).call().expect_err("an enum");
    assert!(fault.len() < 1_000, "{} characters", fault.len());
    let body = format!(r#"{{"Certificate":"AA==","PrivateKey":"{}"}}"#, "c2VjcmV0".repeat(2_000));
    let fault = Raw::json("CertificateManager.ImportCertificate", &body).call().expect_err("too long a key");
    assert!(fault.contains("Value at 'privateKey' failed") && !fault.contains("secret"), "{fault}");
    let many: String = (1..=500).map(|i| format!("&Tags.member.{i}.Key=")).collect();
    let fault = Raw::elb(&format!("AddTags&ResourceArns.member.1=a{many}")).call().expect_err("empty keys");
    assert!(fault.contains("10 validation errors") && fault.len() < 4_000, "{fault}");
}

#[test]
fn bounds_on_fields_depth_and_size_are_kept() {
    let fields: String = (0..9_000).map(|i| format!("&F{i}=1")).collect();
    let fault = Raw::ec2(&format!("DescribeVpcs{fields}")).call().expect_err("too many fields");
    assert!(fault.contains("too many parameters"), "{fault}");
    let fault = Raw::ec2(&format!("DescribeVpcs&{}=1", ["a"; 50].join("."))).call().expect_err("too deep");
    assert!(fault.contains("too many levels"), "{fault}");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let fault = Raw::json("Logs_20140328.TagResource", &deep).call().expect_err("too deep");
    assert!(fault.contains("SerializationException"), "{fault}");
    let large = format!("{{\"logGroupName\":\"{}\"}}", "a".repeat(wire::limits::BODY_BYTES_MAX));
    let fault = Raw::json("Logs_20140328.DeleteLogGroup", &large).call().expect_err("too large");
    assert!(fault.contains("too many bytes in its body"), "{fault}");
}

#[test]
fn every_pattern_of_every_table_compiles() {
    fn walk(shape: &'static wire::model::Shape, depth: usize) {
        use wire::model::Shape;
        assert!(depth < 20, "the tables are shallow");
        match shape {
            Shape::String(text) => {
                if let Some(pattern) = &text.pattern {
                    assert!(pattern.regex().is_some(), "{}", pattern.source);
                }
            }
            Shape::List(list) => walk(list.member, depth + 1),
            Shape::Map(map) => {
                walk(map.key, depth + 1);
                walk(map.value, depth + 1);
            }
            Shape::Structure(inner) => inner.members.iter().for_each(|m| walk(m.shape, depth + 1)),
            _ => {}
        }
    }
    for service in wire::ServiceId::ALL {
        for operation in service.model().operations {
            operation.input.members.iter().for_each(|m| walk(m.shape, 0));
        }
    }
}
