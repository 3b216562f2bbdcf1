//! `tidegate up`: its start, its refusals, its paths, its end.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::signing;
use crate::support::{PATIENCE, Server, send, signature, text, tidegate};

#[test]
fn every_configuration_problem_is_said_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("tidegate.toml");
    std::fs::write(&file, "colour = 'red'\nfabric = 'carrier'\n[timeouts]\nblocked_connect = 'soon'\n").unwrap();
    // A variable would win over the file.
    let mut up = tidegate();
    let out = up.env_remove("TIDEGATE_FABRIC").args(["up", "--ephemeral", "--config"]).arg(&file).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(out.stdout.is_empty(), "nothing is ready");
    let said = text(&out.stderr);
    for wanted in ["colour: ", "fabric: must be auto or proxy or kernel", "timeouts.blocked_connect: \"soon\""] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
}

#[test]
fn listening_beyond_loopback_is_refused_unless_it_is_allowed_and_guarded() {
    let bare = tidegate().args(["up", "--ephemeral", "--api", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(bare.status.code(), Some(2));
    assert!(text(&bare.stderr).contains("listen.api: 0.0.0.0 is not loopback"), "{}", text(&bare.stderr));
    let unguarded = tidegate().args(["up", "--ephemeral", "--api", "0.0.0.0:0", "--allow-remote"]).output().unwrap();
    assert_eq!(unguarded.status.code(), Some(2));
    assert!(text(&unguarded.stderr).contains("access_keys"), "{}", text(&unguarded.stderr));
}

#[test]
fn the_ready_line_and_the_health_pages_agree() {
    let server = Server::ephemeral(&[]);
    let names: Vec<&str> = server.ready.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["account_id", "api", "data_dir", "fabric", "link", "pid", "public", "public_tls", "region"]);
    assert_eq!(server.ready["pid"], server.child.id());
    let health = server.get("/_tidegate/health").succeeded().json();
    assert_eq!((&health["enforcement"], &health["services"]["ec2"]), (&server.ready["fabric"], &json!("running")));
    let health = server.get("/_localstack/health").succeeded().json();
    assert_eq!(health["services"]["apigatewayv2"], "available");
}

#[test]
fn the_effective_configuration_is_logged_without_secrets() {
    let file = "region = 'eu-west-1'\nlog = 'debug'\n[[access_keys]]\nid = 'AKIDEXAMPLE'\nsecret = 'hush-hush'\n";
    let server = Server::configured(file);
    assert_eq!(server.ready["region"], "eu-west-1");
    let log = std::fs::read_to_string(&server.log).unwrap();
    assert!(log.contains("eu-west-1") && log.contains("AKIDEXAMPLE"), "{log}");
    assert!(!log.contains("hush-hush"), "{log}");
}

#[test]
fn a_call_is_answered_for_the_account_that_its_key_names() {
    let server = Server::ephemeral(&["--account-id", "999999999999"]);
    for (key, account) in [("111111111111", "111111111111"), ("test", "999999999999")] {
        let reply = server.form("sts", key, "Version=2011-06-15&Action=GetCallerIdentity").succeeded();
        assert_eq!(reply.element("Account"), account);
        assert_eq!(reply.header("x-amzn-requestid").map(str::len), Some(36));
    }
}

#[test]
fn calls_without_credentials_are_refused_with_a_request_id() {
    let server = Server::ephemeral(&[]);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let reply = server.send("POST", "/", &headers, "Version=2011-06-15&Action=GetCallerIdentity");
    assert_eq!(reply.status, 403);
    assert_eq!(reply.element("Code"), "MissingAuthenticationToken");
    assert_eq!(reply.header("x-amzn-requestid"), Some(reply.element("RequestId")));
}

#[test]
fn with_access_keys_a_signature_that_does_not_hold_is_refused() {
    let server = Server::configured("[[access_keys]]\nid = 'AKIDEXAMPLE'\nsecret = 'hush'\n");
    for key in ["AKIDEXAMPLE", "test", "111111111111"] {
        let reply = server.form("sts", key, "Version=2011-06-15&Action=GetCallerIdentity");
        assert_eq!(reply.status, 403, "{key}: {reply:?}");
    }
}

#[test]
fn with_access_keys_a_signature_that_holds_speaks_for_the_key_s_account() {
    let server = Server::configured("[[access_keys]]\nid = 'AKIDEXAMPLE'\nsecret = 'hush'\naccount = '222222222222'\n");
    let body = "Version=2011-06-15&Action=GetCallerIdentity";
    let signed = |secret: &str| signing::headers(server.authority(), ("AKIDEXAMPLE", secret), body);
    let call = |headers: &[(&str, String)]| {
        let mut sent = vec![("content-type", "application/x-www-form-urlencoded")];
        sent.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
        server.send("POST", "/", &sent, body)
    };
    assert_eq!(call(&signed("hush")).succeeded().element("Account"), "222222222222");
    assert_eq!(call(&signed("guess")).element("Code"), "SignatureDoesNotMatch");
    let reply = server.get("/_aws/execute-api/abcdefghij/x");
    assert_eq!(reply.header("x-tidegate-trace"), None, "a stranger is not told why");
}

#[test]
fn a_body_above_the_bound_is_refused() {
    let server = Server::ephemeral(&[]);
    let body = format!("Version=2011-06-15&Action=GetCallerIdentity&X={}", "x".repeat(4 * 1024 * 1024));
    let reply = server.form("sts", "test", &body);
    assert_eq!(reply.status, 413, "{}", reply.head);
    assert!(reply.header("x-amzn-requestid").is_some());
}

#[test]
fn pages_of_other_sites_cannot_call_the_api() {
    let server = Server::ephemeral(&[]);
    let signed = signature("ec2", "test");
    let call = "Version=2016-11-15&Action=CreateVpc&CidrBlock=10.0.0.0/16";
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let headers = [
            (name, value),
            ("authorization", signed.as_str()),
            ("x-amz-date", "20260101T000000Z"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        assert_eq!(server.send("POST", "/", &headers, call).status, 403, "{name}");
        assert_eq!(server.send("POST", "/_tidegate/reset", &headers[..1], "").status, 403, "{name}");
    }
    let vpcs = server.ec2("DescribeVpcs").succeeded();
    assert!(!vpcs.body.contains("10.0.0.0/16"), "nothing was made: {}", vpcs.body);
}

#[test]
fn an_aws_call_by_a_rebound_name_is_refused() {
    let server = Server::ephemeral(&[]);
    let signed = signature("sts", "test");
    let call = |host| {
        let headers = [("host", host), ("authorization", signed.as_str()), ("x-amz-date", "20260101T000000Z")];
        server.send("GET", "/?Version=2011-06-15&Action=GetCallerIdentity", &headers, "").status
    };
    assert_eq!(call("rebound.example"), 403);
    assert_eq!(call("[::ffff:7f00:1].rebound.example"), 403);
    assert_eq!(call("sts.localhost:4566"), 200);
}

#[test]
fn no_path_lets_an_aws_call_by_a_rebound_name_through() {
    let server = Server::ephemeral(&[]);
    let signed = signature("ec2", "test");
    let call = "Action=CreateVpc&CidrBlock=10.99.0.0/16&Version=2016-11-15";
    let paths = ["/", "/_x", "/_tidegatex", "/_localstack/healthy", "/metrics/", "/_aws/", "//_tidegate/health"];
    for path in paths {
        let headers = [
            ("host", "rebound.example:4566"),
            ("authorization", signed.as_str()),
            ("x-amz-date", "20260101T000000Z"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-amz-target", "Logs_20140328.CreateLogGroup"),
        ];
        assert_eq!(server.send("GET", &format!("{path}?{call}"), &headers[..4], "").status, 403, "GET {path}");
        assert_eq!(server.send("POST", path, &headers[..4], call).status, 403, "POST {path}");
        assert_eq!(server.send("POST", path, &headers, "{\"logGroupName\":\"x\"}").status, 403, "target {path}");
    }
    let vpcs = server.ec2("DescribeVpcs").succeeded();
    assert!(!vpcs.body.contains("10.99.0.0/16"), "nothing was made: {}", vpcs.body);
}

#[test]
fn our_own_paths_answer_to_loopback_names_only() {
    let server = Server::ephemeral(&[]);
    assert_eq!(server.send("GET", "/_tidegate/status", &[("host", "rebound.example")], "").status, 403);
    assert_eq!(server.send("GET", "/_tidegate/status", &[("host", "x.localhost:4566")], "").status, 200);
    assert_eq!(server.send("DELETE", "/_tidegate/status", &[], "").status, 404);
    assert_eq!(server.send("POST", "/_tidegate/tick", &[], "{\"seconds\":1,\"x\":1}").status, 400);
    assert_eq!(server.send("POST", "/_tidegate/tick", &[], "{\"seconds\":-1}").status, 400);
}

#[test]
fn http_2_with_prior_knowledge_is_spoken() {
    let server = Server::ephemeral(&[]);
    let mut stream = TcpStream::connect(server.authority()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "the server's first frame is SETTINGS: {frame:?}");
}

#[test]
fn unknown_apis_are_not_found_by_host_and_by_path_on_both_ports() {
    let server = Server::ephemeral(&[]);
    let public = server.ready["public"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    let host = [("host", "abcdefghij.execute-api.us-east-1.localhost")];
    for (authority, path, headers) in [
        (server.authority(), "/_aws/execute-api/abcdefghij/x", &[][..]),
        (server.authority(), "/_aws/execute-api/odd/x", &[][..]),
        (server.authority(), "/x", &host[..]),
        (public.as_str(), "/x", &host[..]),
    ] {
        let reply = send(authority, "GET", path, headers, "");
        assert_eq!((reply.status, reply.header("x-tidegate-trace")), (404, Some("API_NOT_FOUND")), "{reply:?}");
    }
    let strict = Server::ephemeral(&["--strict-wire"]);
    let reply = strict.get("/_aws/execute-api/abcdefghij/x");
    assert_eq!((reply.status, reply.header("x-tidegate-trace")), (404, None), "{reply:?}");
}

#[test]
fn what_was_answered_survives_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::durable(directory.path());
    let vpc = server.ec2("CreateVpc&CidrBlock=10.7.0.0/16").succeeded().element("vpcId").to_owned();
    server.kill();
    let server = Server::durable(directory.path());
    let found = server.ec2(&format!("DescribeVpcs&VpcId.1={vpc}")).succeeded();
    assert_eq!(found.element("cidrBlock"), "10.7.0.0/16");
}

#[test]
fn the_data_directory_is_for_its_owner_and_for_one_server() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("state");
    let _server = Server::durable(&directory);
    assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let words = ["up", "--api", "127.0.0.1:0", "--public", "127.0.0.1:0", "--data-dir", directory.to_str().unwrap()];
    let second = tidegate().args(words).output().unwrap();
    assert_eq!((second.status.code(), second.stdout.len()), (Some(1), 0));
    assert!(text(&second.stderr).contains("is in use by another tidegate"), "{}", text(&second.stderr));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let server = Server::ephemeral(&[]);
    let words = ["up", "--ephemeral", "--public", "127.0.0.1:0", "--api", server.authority()];
    let second = tidegate().args(words).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("listen.api: cannot listen on"), "{}", text(&second.stderr));
}

#[test]
fn sigterm_ends_with_success_although_a_client_is_idle() {
    let mut server = Server::ephemeral(&[]);
    let mut idle = TcpStream::connect(server.authority()).unwrap();
    idle.set_read_timeout(Some(PATIENCE)).unwrap();
    idle.write_all(b"GET /_tidegate/health HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    server.signal("HUP");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn reset_forgets_everything() {
    let server = Server::ephemeral(&[]);
    let vpc = server.ec2("CreateVpc&CidrBlock=10.7.0.0/16").succeeded().element("vpcId").to_owned();
    server.send("POST", "/_tidegate/reset", &[], "").succeeded();
    let gone = server.ec2(&format!("DescribeVpcs&VpcId.1={vpc}"));
    assert_eq!((gone.status, gone.element("Code")), (400, "InvalidVpcID.NotFound"));
}

#[test]
fn tick_moves_what_takes_minutes() {
    let server = Server::ephemeral(&["--delays", "realistic"]);
    let subnets = server.ec2("DescribeSubnets").succeeded();
    let ids: Vec<&str> = subnets.body.split("<subnetId>").skip(1).map(|rest| &rest[..24]).collect();
    let made =
        format!("CreateLoadBalancer&Name=x&Scheme=internal&Subnets.member.1={}&Subnets.member.2={}", ids[0], ids[1]);
    server.elb(&made).succeeded();
    let state = || server.elb("DescribeLoadBalancers").succeeded().element("Code").to_owned();
    assert_eq!(state(), "provisioning");
    server.send("POST", "/_tidegate/tick", &[], "{\"seconds\":600}").succeeded();
    assert_eq!(state(), "active");
}
