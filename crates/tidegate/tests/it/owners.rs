//! Whose word counts on our own paths: anybody's of this machine in development mode, that of a configured key in gateway mode.

use std::process::Output;

use serde_json::Value;

use crate::support::{Server, text};

const PRIVATE: &str = "172.31.0.10:8080";
const KEYS: &str = "account_id = '111111111111'\nregion = 'eu-central-1'
[[access_keys]]\nid = 'AKIDOPERATOR'\nsecret = 'hush'
[[access_keys]]\nid = 'AKIDTENANT'\nsecret = 'quiet'\naccount = '222222222222'\n";
const OPERATOR: (&str, &str) = ("AKIDOPERATOR", "hush");
const TENANT: (&str, &str) = ("AKIDTENANT", "quiet");

/// A command typed in a shell with these keys.
fn typed(server: &Server, (id, secret): (&str, &str), words: &[&str]) -> Output {
    let mut command = server.command(words);
    command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret).output().unwrap()
}

fn json(out: &Output) -> Value {
    serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&out.stderr)))
}

#[test]
fn in_gateway_mode_nothing_of_ours_answers_without_a_key() {
    let server = Server::configured(KEYS);
    for (method, path) in [
        ("POST", "reset"),
        ("POST", "tick"),
        ("POST", "attach"),
        ("POST", "detach"),
        ("POST", "lease"),
        ("POST", "explain"),
        ("GET", "status"),
        ("GET", "ca"),
        ("GET", "explain/AAAAAAAAAAAAAAA="),
        ("POST", "agents/tokens"),
        ("POST", "agents/revoke"),
        ("POST", "agents/forget"),
        ("POST", "agents/rotate-authority"),
        ("GET", "agents"),
        ("GET", "anything"),
    ] {
        let reply = server.send(method, &format!("/_tidegate/{path}"), &[], "{}");
        assert_eq!(reply.status, 403, "{path}: {reply:?}");
        assert_eq!(reply.json()["code"], "UNSIGNED", "{path}");
    }
    assert_eq!(server.get("/_tidegate/health").json()["mode"], "gateway");
    for keys in [("AKIDOPERATOR", "guess"), ("test", "test")] {
        let refused = typed(&server, keys, &["attach", PRIVATE, "127.0.0.1:9000"]);
        assert_eq!(refused.status.code(), Some(1), "{keys:?}");
        assert!(text(&refused.stderr).contains("AWS_ACCESS_KEY_ID"), "{}", text(&refused.stderr));
    }
}

#[test]
fn a_key_reaches_its_account_and_the_operator_s_everything() {
    let server = Server::configured(KEYS);
    let made = typed(&server, TENANT, &["attach", PRIVATE, "127.0.0.1:9000"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let accounts = |keys| {
        let told = json(&typed(&server, keys, &["status", "--output", "json"]));
        let realms = told["realms"].as_array().unwrap().iter();
        realms
            .map(|realm| format!("{} {}", realm["account_id"].as_str().unwrap(), realm["region"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(accounts(TENANT), ["222222222222 eu-central-1"], "the key's account, the server's region");
    assert_eq!(typed(&server, OPERATOR, &["attach", PRIVATE, "127.0.0.1:9000"]).status.code(), Some(0));
    assert_eq!(accounts(TENANT), ["222222222222 eu-central-1"], "nobody else's");
    assert_eq!(accounts(OPERATOR).len(), 2);

    let foreign = typed(&server, TENANT, &["detach", "--account", "111111111111", PRIVATE]);
    assert!(text(&foreign.stderr).contains("not account 111111111111's"), "{}", text(&foreign.stderr));
    let granted = typed(&server, OPERATOR, &["detach", "--account", "222222222222", PRIVATE]);
    assert_eq!(granted.status.code(), Some(0), "{}", text(&granted.stderr));
}

#[test]
fn in_development_mode_a_signature_tells_whose_resources_are_meant() {
    let server = Server::ephemeral(&[]);
    let made = server
        .command(&["attach", PRIVATE, "127.0.0.1:9000"])
        .env("AWS_ACCESS_KEY_ID", "333333333333")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "eu-west-1")
        .output()
        .unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let told = json(&server.run(&["status", "--output", "json"]));
    let realm = &told["realms"][0];
    assert_eq!((&realm["account_id"], &realm["region"]), (&"333333333333".into(), &"eu-west-1".into()));
}

#[test]
fn env_leaves_the_keys_of_gateway_mode_alone() {
    let server = Server::configured(KEYS);
    let script = text(&typed(&server, TENANT, &["env"]).stdout);
    assert!(script.contains("AWS_ENDPOINT_URL") && !script.contains("ACCESS_KEY"), "{script}");
    let bare = server.run(&["env"]);
    assert!(text(&bare.stderr).contains("AWS_ACCESS_KEY_ID"), "{}", text(&bare.stderr));
    let development = Server::ephemeral(&[]);
    assert!(text(&development.run(&["env"]).stdout).contains("export AWS_ACCESS_KEY_ID='test'"));
}
