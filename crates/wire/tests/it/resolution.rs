//! Which operation a request means, and how the rest is turned away.

use crate::support::{Raw, said};
use wire::model::Protocol;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");

fn scoped(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20261122/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
}

#[test]
fn each_kind_of_evidence_leads_to_its_operation() {
    let ec2 = scoped("ec2");
    let gateway = scoped("apigateway");
    let rows = [
        (Raw::ec2("DescribeVpcs"), "DescribeVpcs", None),
        (
            Raw::new("POST", "/", &[FORM, ("authorization", &ec2)], "Action=DescribeTags&Version=2016-11-15"),
            "DescribeTags",
            Some("eu-west-1"),
        ),
        (Raw::elb("DescribeTags"), "DescribeTags", None),
        (Raw::json("Logs_20140328.TagResource", "{}"), "TagResource", None),
        (Raw::new("GET", "/v2/apis", &[("authorization", &gateway)], ""), "GetApis", Some("eu-west-1")),
        (Raw::new("DELETE", "/v2/apis/a/cors", &[], ""), "DeleteCorsConfiguration", None),
        (Raw::new("GET", "/restapis", &[("authorization", &gateway)], ""), "GetRestApis", Some("eu-west-1")),
        (Raw::rest("PUT", "/restapis/a/resources/r/methods/GET/integration", "{}"), "PutIntegration", None),
        (
            Raw::new(
                "GET",
                "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Credential=k%2F20261122%2Fap-south-1%2Fsts%2Faws4_request",
                &[],
                "",
            ),
            "GetCallerIdentity",
            Some("ap-south-1"),
        ),
    ];
    for (request, operation, region) in rows {
        let resolved = wire::resolve(&request.parts()).unwrap_or_else(|u| panic!("{operation}: {}", u.fault));
        assert_eq!(resolved.operation.name, operation);
        assert_eq!(resolved.region.as_deref(), region, "{operation}");
    }
}

#[test]
fn what_is_not_supported_is_turned_away_in_the_caller_s_protocol() {
    let (elb, iam, s3, v1) = (scoped("elasticloadbalancing"), scoped("iam"), scoped("s3"), scoped("apigateway"));
    let rows = [
        (
            Raw::elb("ModifyIpPools"),
            Protocol::Query,
            "501 NotImplemented: Tidegate does not serve the operation elasticloadbalancing:ModifyIpPools. What it serves is listed in docs/coverage.md.",
        ),
        (
            Raw::new("POST", "/", &[FORM, ("authorization", &elb)], "Action=CreateLoadBalancer&Version=2012-06-01"),
            Protocol::Query,
            "400 NoSuchVersion: Classic Load Balancers (version 2012-06-01) are not supported; use version 2015-12-01.",
        ),
        (
            Raw::form("Action=CreateLoadBalancer&Version=2012-06-01"),
            Protocol::Query,
            "400 NoSuchVersion: Classic Load Balancers (version 2012-06-01) are not supported; use version 2015-12-01.",
        ),
        (
            Raw::new("POST", "/", &[FORM, ("authorization", &iam)], "Action=ListRoles&Version=2010-05-08"),
            Protocol::Query,
            "501 NotImplemented: Tidegate does not serve the service iam. What it serves is listed in docs/coverage.md.",
        ),
        (
            Raw::form("Action=CreateImage&Version=2016-11-15"),
            Protocol::Ec2Query,
            "501 NotImplemented: Tidegate does not serve the operation ec2:CreateImage. What it serves is listed in docs/coverage.md.",
        ),
        (
            Raw::form("Action=FlyToTheMoon&Version=2016-11-15"),
            Protocol::Ec2Query,
            "400 InvalidAction: The action FlyToTheMoon is not valid for this web service.",
        ),
        (
            Raw::new("GET", "/x", &[("authorization", &scoped("no-such-service"))], ""),
            Protocol::RestJson,
            "404 UnknownOperationException: Tidegate does not serve the service no-such-service. What it serves is listed in docs/coverage.md.",
        ),
        (
            Raw::form("Version=2016-11-15"),
            Protocol::Ec2Query,
            "400 MissingAction: The request is missing an action or a required parameter.",
        ),
        (
            Raw::form("Action=DescribeVpcs"),
            Protocol::Query,
            "400 MissingParameter: The request must contain the parameter Version",
        ),
        (
            Raw::json("Logs_20140328.StartLiveTail", "{}"),
            Protocol::Json,
            "501 NotImplemented: Tidegate does not serve the operation logs:StartLiveTail. What it serves is listed in docs/coverage.md.",
        ),
        (
            Raw::json("DynamoDB_20120810.ListTables", "{}"),
            Protocol::Json,
            "400 UnknownOperationException: The operation DynamoDB_20120810.ListTables is not known",
        ),
        (
            Raw::rest("GET", "/v2/portals", ""),
            Protocol::RestJson,
            "501 NotImplemented: Tidegate does not serve the operation apigateway:ListPortals. What it serves is listed in docs/coverage.md.",
        ),
        (
            Raw::rest("PUT", "/v2/apis/a1/routes", ""),
            Protocol::RestJson,
            "403 MissingAuthenticationTokenException: Missing Authentication Token",
        ),
        (
            Raw::new("GET", "/sdktypes", &[("authorization", &v1)], ""),
            Protocol::RestJson,
            "501 NotImplemented: Tidegate does not serve the operation apigateway:GetSdkTypes. What it serves is listed in docs/coverage.md.",
        ),
        (
            Raw::rest("DELETE", "/restapis/a1/stages", ""),
            Protocol::RestJson,
            "403 MissingAuthenticationTokenException: Missing Authentication Token",
        ),
        (
            Raw::rest("GET", "/favicon.ico", ""),
            Protocol::RestJson,
            "404 UnknownOperationException: The request names no service",
        ),
        (
            Raw::new("GET", "/bucket", &[("authorization", &s3)], ""),
            Protocol::Query,
            "501 NotImplemented: Tidegate does not serve the service s3. What it serves is listed in docs/coverage.md.",
        ),
        (
            Raw::new("GET", "/", &[("authorization", &elb)], ""),
            Protocol::Query,
            "400 MissingAction: The request is missing an action or a required parameter.",
        ),
    ];
    for (request, protocol, expected) in rows {
        let unresolved = wire::resolve(&request.parts()).expect_err(expected);
        assert_eq!(said(&unresolved.fault), expected);
        assert_eq!(unresolved.dialect.protocol, protocol, "{expected}");
    }
}

#[test]
fn the_scope_outweighs_the_version() {
    let sts = scoped("sts");
    let request = Raw::new("POST", "/", &[FORM, ("authorization", &sts)], "Action=DescribeVpcs&Version=2016-11-15");
    let unresolved = wire::resolve(&request.parts()).expect_err("sts has no such version");
    assert_eq!(unresolved.fault.code, "NoSuchVersion");
}

#[test]
fn s3_s_clients_find_the_error_where_they_look_for_it() {
    let s3 = scoped("s3");
    let request = Raw::new("GET", "/bucket", &[("authorization", &s3)], "");
    let unresolved = wire::resolve(&request.parts()).expect_err("S3 is not served");
    let answer = wire::encode_fault(unresolved.dialect, &unresolved.fault, "id");
    let body = String::from_utf8(answer.into_body()).expect("text");
    assert!(body.contains("<Error><Code>NotImplemented</Code>") && !body.contains("ErrorResponse"), "{body}");
}
