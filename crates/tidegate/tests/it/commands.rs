//! The commands beside `up`: what they print and how they end.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Server, signature, text, tidegate};

const PRIVATE: &str = "172.31.0.10:8080";

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", text(bytes)))
}

#[test]
fn attach_answers_ids_and_detach_undoes_it_once() {
    let server = Server::ephemeral(&[]);
    let made = server.run(&["attach", PRIVATE, "localhost:9000"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let made = parsed(&made.stdout);
    assert_eq!((&made["private_ip"], &made["port"]), (&"172.31.0.10".into(), &8080.into()));
    assert_eq!(made["host"], "127.0.0.1:9000");
    let interface = made["interface"].as_str().unwrap();
    let described = format!("DescribeNetworkInterfaces&NetworkInterfaceId.1={interface}");
    assert_eq!(server.ec2(&described).succeeded().element("privateIpAddress"), "172.31.0.10");

    assert_eq!(parsed(&server.run(&["detach", PRIVATE]).stdout), made);
    assert_eq!(server.ec2(&described).element("Code"), "InvalidNetworkInterfaceID.NotFound");
    let again = server.run(&["detach", PRIVATE]);
    assert_eq!((again.status.code(), text(&again.stderr).as_str()), (Some(1), "tidegate: nothing is attached there\n"));
}

#[test]
fn an_address_of_two_vpcs_must_be_told_apart() {
    let server = Server::ephemeral(&[]);
    let vpc = server.ec2("CreateVpc&CidrBlock=172.31.0.0/16").succeeded().element("vpcId").to_owned();
    server.ec2(&format!("CreateSubnet&VpcId={vpc}&CidrBlock=172.31.0.0/24")).succeeded();
    let asked = server.run(&["attach", PRIVATE, "127.0.0.1:9000"]);
    assert_eq!(asked.status.code(), Some(2));
    assert!(text(&asked.stderr).contains(&vpc), "the candidates are named: {}", text(&asked.stderr));
    let told = server.run(&["attach", "--vpc", &vpc, PRIVATE, "127.0.0.1:9000"]);
    assert_eq!(parsed(&told.stdout)["vpc"], vpc.as_str());
}

#[test]
fn the_only_port_of_an_address_is_meant_and_several_are_named() {
    let server = Server::ephemeral(&[]);
    let attach = |to: &str| server.run(&["attach", to, "127.0.0.1:9000"]);
    attach(PRIVATE);
    assert_eq!(server.run(&["detach", "172.31.0.10"]).status.code(), Some(0));
    attach(PRIVATE);
    attach("172.31.0.10:8081");
    let several = text(&server.run(&["detach", "172.31.0.10"]).stderr);
    assert!(several.contains("port 8080 and port 8081"), "{several}");
    let other = text(&server.run(&["detach", "172.31.0.10:9999"]).stderr);
    assert!(other.contains("port 8080"), "{other}");

    let again = server.run(&["attach", PRIVATE, "127.0.0.1:9001"]);
    assert!(text(&again.stderr).contains("replaces the attachment to 127.0.0.1:9000"), "{}", text(&again.stderr));
    assert_eq!(parsed(&again.stdout).as_object().unwrap().len(), 6, "scripts get the same members");
    assert_eq!(server.run(&["detach", "--all"]).status.code(), Some(0));
    let told = parsed(&server.run(&["status", "--output", "json"]).stdout);
    assert_eq!(told["realms"][0]["attachments"], Value::Array(Vec::new()));
}

#[test]
fn the_clock_is_moved_and_everything_is_forgotten_by_commands() {
    let server = Server::ephemeral(&[]);
    server.ec2("CreateVpc&CidrBlock=10.7.0.0/16").succeeded();
    assert_eq!(parsed(&server.run(&["tick", "60"]).stdout)["seconds"], 60);
    assert_eq!(server.run(&["tick", "--", "-1"]).status.code(), Some(2));
    let asked = server.run(&["reset"]);
    assert_eq!(asked.status.code(), Some(2), "a script must say --yes: {}", text(&asked.stderr));
    assert!(server.ec2("DescribeVpcs").body.contains("10.7.0.0/16"));
    assert_eq!(server.run(&["reset", "--yes"]).status.code(), Some(0));
    assert!(!server.ec2("DescribeVpcs").body.contains("10.7.0.0/16"));
}

#[test]
fn the_authority_is_the_running_server_s_and_a_new_one_is_told() {
    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::durable(data.path());
    let printed = server.command(&["ca"]).current_dir(elsewhere.path()).output().unwrap();
    let kept = std::fs::read_to_string(data.path().join("ca/certificate.pem")).unwrap();
    assert_eq!(text(&printed.stdout), kept);
    assert!(!elsewhere.path().join(".tidegate").exists(), "no second authority");

    let memory = Server::ephemeral(&[]);
    let printed = memory.command(&["ca"]).current_dir(elsewhere.path()).output().unwrap();
    assert!(text(&printed.stdout).contains("BEGIN CERTIFICATE"), "{}", text(&printed.stderr));
    let nobody = ["ca", "--api", "http://127.0.0.1:1"];
    let made = tidegate().args(nobody).current_dir(elsewhere.path()).output().unwrap();
    assert!(text(&made.stderr).contains("made a new development authority"), "{}", text(&made.stderr));
    let again = tidegate().args(nobody).current_dir(elsewhere.path()).output().unwrap();
    assert_eq!((again.stdout, text(&again.stderr)), (made.stdout, String::new()));
}

#[test]
fn attachments_are_durable() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::durable(directory.path());
    let made = server.run(&["attach", PRIVATE, "127.0.0.1:9000"]);
    server.kill();
    let server = Server::durable(directory.path());
    assert_eq!(server.run(&["detach", PRIVATE]).stdout, made.stdout);
}

#[test]
fn wrong_words_are_usage_errors() {
    let server = Server::ephemeral(&[]);
    for words in [
        &["attach", "10.0.0:80", "127.0.0.1:1"][..],
        &["attach", PRIVATE, "127.0.0.1"],
        &["attach", PRIVATE, "127.0.0.1:1", "--vpc", "vpc-x"],
        &["detach", PRIVATE, "--account", "12"],
        &["explain", "no id at all"],
        &["explain", "GET", "ftp://127.0.0.1/"],
        &["explain", "GET", "http://127.0.0.1/", "--header", "no colon"],
        &["explain", "GET", "https://user@127.0.0.1/"],
        &["explain", "GET", "/orders"],
        &["run", "--subnet", "subnet-x", "--", "true"],
        &["status", "--colour"],
    ] {
        let out = server.run(words);
        assert_eq!(out.status.code(), Some(2), "{words:?}: {}", text(&out.stderr));
        assert!(out.stdout.is_empty() && !out.stderr.is_empty(), "{words:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_said_so() {
    let mut server = Server::ephemeral(&[]);
    server.kill();
    for words in [&["status"][..], &["attach", PRIVATE, "127.0.0.1:1"], &["explain", "AAAAAAAAAAAAAAA="]] {
        let out = server.run(words);
        assert_eq!(out.status.code(), Some(1), "{words:?}");
        assert!(text(&out.stderr).contains("cannot reach"), "{words:?}: {}", text(&out.stderr));
    }
}

#[test]
fn explain_tells_a_refused_call_by_its_request_id() {
    let server = Server::ephemeral(&[]);
    let refused = server.ec2("DescribeVpcs&VpcId.1=vpc-00000000000000abc");
    let id = refused.header("x-amzn-requestid").unwrap();
    let out = server.run(&["explain", id, "--output", "json"]);
    assert_eq!(out.status.code(), Some(4), "{}", text(&out.stderr));
    let told = parsed(&out.stdout);
    assert_eq!((&told["request_id"], &told["status"]), (&id.into(), &400.into()));
    assert_eq!((&told["outcome"], &told["reason"]), (&"failed".into(), &Value::Null));
    let detail = told["hops"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("InvalidVpcID.NotFound") && detail.contains("vpc-00000000000000abc"), "{detail}");
    let names: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["fix", "hints", "hops", "outcome", "reason", "request_id", "status"]);
}

#[test]
fn explain_sends_a_request_and_tells_why_it_failed() {
    let server = Server::ephemeral(&[]);
    let port = server.authority().rsplit(':').next().unwrap();
    let url = format!("http://abcdefghij.execute-api.us-east-1.localhost:{port}/x");
    let out = server.run(&["explain", "GET", &url, "--output", "json"]);
    assert_eq!(out.status.code(), Some(4), "{}", text(&out.stderr));
    let told = parsed(&out.stdout);
    assert_eq!((&told["status"], &told["reason"]), (&404.into(), &"API_NOT_FOUND".into()));
    let spoken = server.run(&["explain", told["request_id"].as_str().unwrap()]);
    assert_eq!(spoken.status.code(), Some(4));
    assert!(text(&spoken.stdout).contains("failed (API_NOT_FOUND)"), "{}", text(&spoken.stdout));
    assert!(!text(&spoken.stdout).contains('\x1b'), "a pipe gets no colours");
}

/// A call of API Gateway, whose answer is JSON.
fn api_call(server: &Server, path: &str, body: &str) -> Value {
    let signed = signature("apigateway", "test");
    let headers =
        [("authorization", &*signed), ("x-amz-date", "20260101T000000Z"), ("content-type", "application/json")];
    let reply = server.send("POST", path, &headers, body);
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()
}

#[test]
fn explain_takes_every_url_of_an_api_and_sends_nothing_elsewhere() {
    let server = Server::ephemeral(&[]);
    let made = api_call(&server, "/v2/apis", r#"{"name":"orders","protocolType":"HTTP"}"#);
    let api = made["apiId"].as_str().unwrap();
    api_call(&server, &format!("/v2/apis/{api}/routes"), r#"{"routeKey":"GET /known"}"#);
    api_call(&server, &format!("/v2/apis/{api}/stages"), r#"{"stageName":"prod","autoDeploy":true}"#);
    let explained = |words: &[&str]| {
        let out = server.run(&[&["explain"], words, &["--output", "json"]].concat());
        assert_eq!(out.status.code(), Some(4), "{words:?}: {}", text(&out.stderr));
        parsed(&out.stdout)
    };
    let invoke_host = format!("{api}.execute-api.us-east-1.amazonaws.com");
    let by_path = format!("_aws/execute-api/{api}/prod/x?n=1");
    let urls = [
        format!("https://{invoke_host}/prod/x"),
        format!("https://{api}.execute-api.us-east-1.localhost:8443/prod"),
        format!("http://{api}.execute-api.localhost:1/prod/x"),
        format!("{}/{by_path}", server.api()),
        format!("{}/{by_path}", server.ready["public"].as_str().unwrap()),
    ];
    for url in urls {
        let told = explained(&["POST", &url, "--header", "X-Mine: yes", "--data", "{}"]);
        assert_eq!((&told["status"], &told["reason"]), (&404.into(), &"ROUTE_NOT_FOUND".into()), "{url}: {told}");
        assert_eq!(told["hops"][0]["id"], api, "{url}");
    }

    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let url = format!("http://{}/", elsewhere.local_addr().unwrap());
    assert_eq!(explained(&["GET", &url])["reason"], "API_NOT_FOUND");
    // The server's own path refuses what it would, and nobody ever came here.
    assert_eq!(elsewhere.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    // A name of one's own choice, as curl's --header gives it.
    assert_eq!(
        explained(&["GET", &format!("{url}prod/x"), "-H", &format!("host: {invoke_host}")])["reason"],
        "ROUTE_NOT_FOUND"
    );
}

#[test]
fn explain_sends_a_call_of_the_api_to_the_api() {
    let server = Server::ephemeral(&[]);
    let signed = format!("authorization: {}", signature("ec2", "test"));
    let url = server.api().replace("127.0.0.1", "localhost");
    let form = "content-type: application/x-www-form-urlencoded";
    let headers = ["-H", &signed, "-H", "x-amz-date: 20260101T000000Z", "-H", form];
    let call = "Action=DescribeVpcs&Version=2016-11-15&VpcId.1=vpc-00000000000000abc";
    let words = [&["explain", "POST", &url, "--output", "json", "--data", call], &headers[..]].concat();
    let out = server.run(&words);
    assert_eq!(out.status.code(), Some(4), "{}", text(&out.stderr));
    assert_eq!(parsed(&out.stdout)["hops"][0]["name"], "ec2 DescribeVpcs");
}

#[test]
fn a_request_to_be_explained_is_bounded_and_must_be_one() {
    let server = Server::ephemeral(&[]);
    let ask = |body: &str| server.send("POST", "/_tidegate/explain", &[], body).status;
    for target in ["", "x", "http://a/b c", r"/\u0000"] {
        let wish = format!(r#"{{"method":"GET","host":"h","target":"{target}"}}"#);
        assert_eq!(ask(&wish), 400, "{target:?}");
    }
    let wish = |length: usize| format!(r#"{{"method":"PUT","host":"h","target":"/","body":"{}"}}"#, "x".repeat(length));
    assert_eq!(ask(&wish(128 * 1024)), 200);
    assert_eq!(ask(&wish(1024 * 1024)), 413);
}

#[test]
fn explain_tells_a_restart_from_an_id_that_was_never_given() {
    let directory = tempfile::tempdir().unwrap();
    let said = |server: &Server, id: &str| {
        let out = server.run(&["explain", id]);
        assert_eq!((out.status.code(), text(&out.stdout)), (Some(1), String::new()), "{id}");
        text(&out.stderr)
    };
    let mut server = Server::durable(directory.path());
    let of_traffic = server.get("/_aws/execute-api/abcdefghij/prod");
    let of_traffic = of_traffic.header("apigw-requestid").unwrap();
    let (refused, passed) = (server.ec2("DescribeVpcs&VpcId.1=vpc-00000000000000abc"), server.ec2("DescribeVpcs"));
    let (refused, passed) = (refused.header("x-amzn-requestid").unwrap(), passed.header("x-amzn-requestid").unwrap());
    for known in [of_traffic, refused] {
        assert_eq!(server.run(&["explain", known]).status.code(), Some(4), "{known}");
    }
    assert!(said(&server, passed).contains("this server gave that id"), "{}", said(&server, passed));
    server.kill();

    let server = Server::durable(directory.path());
    for id in [of_traffic, refused, passed] {
        assert!(
            said(&server, id).contains("an earlier run of this server, which started at 2"),
            "{}",
            said(&server, id)
        );
    }
    // Its mark is 0, which one run in 16 million has.
    assert!(said(&server, "AAAAAAAAAAAAAAA=").contains("no run of this data directory gave that id"));
    assert!(said(&server, "00000000-0000-0000-0000-000000000000").contains("no request id that a tidegate gives"));
    let memory = Server::ephemeral(&[]);
    assert!(said(&memory, of_traffic).contains("keeps its state in memory"), "{}", said(&memory, of_traffic));
}

#[test]
fn explain_of_an_unknown_request_fails() {
    let server = Server::ephemeral(&[]);
    for id in ["AAAAAAAAAAAAAAA=", "-AAAAAAAAAAAAAA=", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(server.run(&["explain", id]).status.code(), Some(1), "{id}");
    }
}

#[test]
fn status_counts_what_there_is() {
    let server = Server::ephemeral(&[]);
    server.ec2("CreateVpc&CidrBlock=10.7.0.0/16").succeeded();
    let told = parsed(&server.run(&["status", "--output", "json"]).stdout);
    assert_eq!((&told["enforcement"], &told["realms"][0]["resources"]["vpcs"]), (&"proxy".into(), &2.into()));
    let other = parsed(&server.run(&["status", "--output", "json", "--region", "eu-west-1"]).stdout);
    assert_eq!(other["realms"], Value::Array(Vec::new()));
    assert!(text(&server.run(&["status"]).stdout).contains("enforcement  proxy"));
    let words = server.run(&["status", "--region", "mars"]);
    assert_eq!(
        (words.status.code(), tidegate().args(["up", "--region", "mars"]).output().unwrap().status.code()),
        (Some(2), Some(2))
    );
}

#[test]
fn status_tells_what_leads_nowhere_until_it_leads_somewhere() {
    let server = Server::ephemeral(&[]);
    let subnet = server.ec2("DescribeSubnets").succeeded().element("subnetId").to_owned();
    let link = api_call(&server, "/v2/vpclinks", &json!({ "name": "link", "subnetIds": [subnet] }).to_string());
    let api = api_call(&server, "/v2/apis", r#"{"name":"orders","protocolType":"HTTP"}"#)["apiId"]
        .as_str()
        .unwrap()
        .to_owned();
    let gone = "arn:aws:servicediscovery:us-east-1:000000000000:service/srv-4444444444444444";
    let wish = json!({
        "integrationType": "HTTP_PROXY", "integrationMethod": "ANY", "payloadFormatVersion": "1.0",
        "connectionType": "VPC_LINK", "connectionId": link["vpcLinkId"], "integrationUri": gone,
    });
    let integration = api_call(&server, &format!("/v2/apis/{api}/integrations"), &wish.to_string());
    let id = integration["integrationId"].as_str().unwrap();
    let route = json!({ "routeKey": "GET /", "target": format!("integrations/{id}") });
    api_call(&server, &format!("/v2/apis/{api}/routes"), &route.to_string());
    let problems = || parsed(&server.run(&["status", "--output", "json"]).stdout)["realms"][0]["problems"].clone();
    assert_eq!(problems(), json!([]), "nothing is deployed");
    api_call(&server, &format!("/v2/apis/{api}/stages"), r#"{"stageName":"prod","autoDeploy":true}"#);
    let problem = json!({ "id": format!("{api}/prod/{id}"), "problem": format!("INTEGRATION_UNSUPPORTED: {gone}") });
    assert_eq!(problems(), json!([problem]));
    // Another API is written, this one is taken over, and what was found of it stays known.
    api_call(&server, "/v2/apis", r#"{"name":"other","protocolType":"HTTP"}"#);
    assert_eq!(problems(), json!([problem]));
    let line = format!("  problem {api}/prod/{id}: INTEGRATION_UNSUPPORTED: {gone}");
    assert!(text(&server.run(&["status"]).stdout).lines().any(|told| told == line));
    let path = format!("/v2/apis/{api}/stages/prod");
    let signed = signature("apigateway", "test");
    server.send("DELETE", &path, &[("authorization", &signed), ("x-amz-date", "20260101T000000Z")], "");
    assert_eq!(problems(), json!([]));
}

#[test]
fn env_is_what_a_shell_evaluates() {
    let out =
        tidegate().args(["env", "--api", "http://127.0.0.1:4577/", "--account", "111111111111"]).output().unwrap();
    let script = format!("{}\necho \"$AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $AWS_REGION\"", text(&out.stdout));
    let said = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(text(&said.stdout), "http://127.0.0.1:4577 111111111111 us-east-1\n");
}

#[test]
fn completion_scripts_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let out = tidegate().args(["completion", shell]).output().unwrap();
        assert!(out.status.success() && text(&out.stdout).contains("attach"), "{shell}");
    }
}

#[test]
fn the_demo_does_everything_that_it_claims() {
    // What it shows with the kernel engine is a script's to check, in a network of its own.
    let out = tidegate().args(["demo", "--once", "--fabric", "proxy"]).output().unwrap();
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{said}{}", text(&out.stderr));
    for wanted in ["-> 503", "SG_INGRESS_DENIED", "aws ec2 authorize-security-group-ingress"] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
    assert!(!said.contains("curl"), "nothing is there to be called any more: {said}");
    assert_eq!(said.matches("-> 200").count(), 4, "three before, one after: {said}");
}
