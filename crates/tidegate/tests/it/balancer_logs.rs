//! Log files of load balancers, as a server writes them: when `tick` ends an interval, and at its end.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::support::{Server, signature, until};

/// A call of API Gateway, whose answer is JSON.
fn api_call(server: &Server, path: &str, body: &str) -> Value {
    let signed = signature("apigateway", "test");
    let headers =
        [("authorization", &*signed), ("x-amz-date", "20260101T000000Z"), ("content-type", "application/json")];
    let reply = server.send("POST", path, &headers, body);
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()
}

/// An API whose requests a load balancer answers with 404 by itself; its URL on the API's port, and the load balancer.
fn build(server: &Server) -> (String, String) {
    let subnets = server.ec2("DescribeSubnets").succeeded();
    let ids: Vec<&str> = subnets.body.split("<subnetId>").skip(1).map(|rest| &rest[..24]).take(2).collect();
    let members = format!("Subnets.member.1={}&Subnets.member.2={}", ids[0], ids[1]);
    let made = server.elb(&format!("CreateLoadBalancer&Name=logged&Scheme=internal&{members}")).succeeded();
    let balancer = made.element("LoadBalancerArn").to_owned();
    let answer = "Type=fixed-response&DefaultActions.member.1.FixedResponseConfig.StatusCode=404";
    let listener =
        format!("CreateListener&LoadBalancerArn={balancer}&Protocol=HTTP&Port=80&DefaultActions.member.1.{answer}");
    let listener = server.elb(&listener).succeeded().element("ListenerArn").to_owned();
    let link = format!(r#"{{"name":"link","subnetIds":["{}","{}"]}}"#, ids[0], ids[1]);
    let link = api_call(server, "/v2/vpclinks", &link)["vpcLinkId"].as_str().unwrap().to_owned();
    let api = api_call(server, "/v2/apis", r#"{"name":"logged","protocolType":"HTTP"}"#);
    let api = api["apiId"].as_str().unwrap();
    let to = format!(r#""connectionType":"VPC_LINK","connectionId":"{link}","integrationUri":"{listener}""#);
    let integration =
        format!(r#"{{"integrationType":"HTTP_PROXY","integrationMethod":"ANY","payloadFormatVersion":"1.0",{to}}}"#);
    let integration = api_call(server, &format!("/v2/apis/{api}/integrations"), &integration);
    let target = format!("integrations/{}", integration["integrationId"].as_str().unwrap());
    let route = format!(r#"{{"routeKey":"$default","target":"{target}"}}"#);
    api_call(server, &format!("/v2/apis/{api}/routes"), &route);
    api_call(server, &format!("/v2/apis/{api}/stages"), r#"{"stageName":"$default","autoDeploy":true}"#);
    (format!("/_aws/execute-api/{api}"), balancer)
}

fn log(server: &Server, balancer: &str) -> crate::support::Reply {
    let pairs = [("enabled", "true"), ("bucket", "my-logs"), ("prefix", "shop")];
    let member = |(at, (key, value)): (usize, (&str, &str))| {
        let at = at + 1;
        format!("&Attributes.member.{at}.Key=access_logs.s3.{key}&Attributes.member.{at}.Value={value}")
    };
    let members: String = pairs.into_iter().enumerate().map(member).collect();
    server.elb(&format!("ModifyLoadBalancerAttributes&LoadBalancerArn={balancer}{members}"))
}

/// Files below a directory; none where it is not there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Request lines of all entries, in order.
fn asked(folder: &Path) -> Vec<String> {
    let mut text = String::new();
    for file in files(folder) {
        assert!(file.to_str().unwrap().ends_with(".log.gz"), "{file:?}");
        GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    }
    let mut paths: Vec<_> = text.lines().map(|line| line.split('"').nth(1).unwrap().to_owned()).collect();
    paths.sort();
    paths.iter().map(|line| line.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned()).collect()
}

#[test]
fn a_tick_over_the_interval_and_the_end_write_files() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("s3/my-logs/shop/AWSLogs/000000000000/elasticloadbalancing/us-east-1");
    let mut server = Server::durable(directory.path());
    let (url, balancer) = build(&server);
    until("the link carries", || server.get(&format!("{url}/unlogged")).status == 404);
    log(&server, &balancer).succeeded();
    for path in ["a", "b"] {
        assert_eq!(server.get(&format!("{url}/{path}")).status, 404);
    }
    assert_eq!(asked(&bucket), Vec::<String>::new());
    server.send("POST", "/_tidegate/tick", &[], "{\"seconds\":300}").succeeded();
    assert_eq!(asked(&bucket), ["a", "b"]);
    assert_eq!(server.get(&format!("{url}/c")).status, 404);
    server.signal("TERM");
    assert!(server.wait().success());
    assert_eq!(asked(&bucket), ["a", "b", "c"]);
    let server = Server::durable(directory.path());
    assert_eq!(server.get(&format!("{url}/d")).status, 404);
    server.send("POST", "/_tidegate/tick", &[], "{\"seconds\":300}").succeeded();
    assert_eq!(asked(&bucket), ["a", "b", "c", "d"], "after a restart it goes on");
}

#[test]
fn without_a_place_for_buckets_a_log_is_refused() {
    let server = Server::ephemeral(&[]);
    let (_, balancer) = build(&server);
    let refused = log(&server, &balancer);
    assert_eq!((refused.status, refused.element("Code")), (400, "InvalidConfigurationRequest"));
    assert_eq!(refused.element("Message"), "Access Denied for bucket: my-logs. Please check S3bucket permission");
}
