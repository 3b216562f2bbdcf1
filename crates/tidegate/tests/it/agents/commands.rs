//! The commands about agents, and the keys of gateway mode.

use super::*;

#[test]
fn agents_are_listed_and_outlive_the_server() {
    let gateway = Gateway::new();
    assert_eq!(text(&gateway.server.run(&["agents"]).stdout), "there are no agents\n");
    let made = gateway.json(&["agent", "token", "--vpc", &gateway.vpc, "--zone", "us-east-1b", "--ttl", "1h"]);
    assert_eq!((&made["vpc"], &made["zones"]), (&gateway.vpc.clone().into(), &serde_json::json!(["us-east-1b"])));
    assert!(made["expires"].as_str().unwrap().ends_with('Z'), "{made}");
    let agent = gateway.enrol(&made["token"].as_str().unwrap().parse().unwrap());
    let told = gateway.json(&["agents"]);
    let wanted = serde_json::json!({ "agents": [{
        "agent": agent.enrolled.agent, "vpc": gateway.vpc, "zones": ["us-east-1b"], "state": "lost", "version": null,
        "since": null, "last_seen": null, "round_trip_ms": null, "connections": 0, "account_id": "000000000000", "region": "us-east-1",
    }] });
    assert_eq!(told, wanted);
    assert_eq!(gateway.json(&["agents", "--region", "us-west-1"]), serde_json::json!({ "agents": [] }));
    let Gateway { mut server, vpc, directory } = gateway;
    server.kill();
    let path = directory.path().to_str().unwrap().to_owned();
    let server = Server::with_flags(&[
        "--data-dir",
        &path,
        "--link",
        "127.0.0.1:0",
        "--log",
        "debug",
        "--public-tls",
        "127.0.0.1:0",
    ]);
    let gateway = Gateway { server, vpc, directory };
    undisturbed(&gateway, &agent);
}

#[test]
fn the_authority_is_rotated_phase_by_phase() {
    let gateway = Gateway::new();
    let steady = gateway.enrol(&gateway.token("us-east-1f", &[]));
    let begun = gateway.json(&["agent", "rotate-authority"]);
    assert_eq!(
        (&begun["phase"], &begun["behind"]),
        (&"new-trusted".into(), &serde_json::json!([steady.enrolled.agent]))
    );
    assert_eq!(begun["trusted"].as_array().unwrap().len(), 2);
    let out = gateway.server.run(&["agent", "rotate-authority"]);
    let why = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1));
    assert!(why.contains(&format!("{} is behind", steady.enrolled.agent)) && why.contains("next renewal"), "{why}");
    undisturbed(&gateway, &steady);
    gateway.json(&["agent", "revoke", &steady.enrolled.agent.to_string()]);
    let said = [(); 2].map(|()| text(&gateway.server.run(&["agent", "rotate-authority"]).stdout));
    assert!(said[0].contains(" issues, and agents of the old one are let in\n"), "{said:?}");
    assert!(said[1].contains(" is the only one\n"), "{said:?}");
    let papers = gateway.enrol(&gateway.token("us-east-1a", &[]));
    undisturbed(&gateway, &papers);
    assert_eq!(gateway.lane(DATA, Some(&steady.papers)), "HANDSHAKE", "the old authority is believed no more");
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let gateway = Gateway::new();
    let vpc = gateway.vpc.as_str();
    for (words, exit, why) in [
        (&["agent", "token", "--vpc", "vpc-00000000000000009"][..], 1, "there is no VPC vpc-00000000000000009"),
        (&["agent", "token", "--vpc", vpc, "--zone", "us-west-1a"], 2, "the region has no zone us-west-1a"),
        (&["agent", "token", "--vpc", vpc, "--ttl", "59s"], 2, "1 minute to 24 hours"),
        (&["agent", "token", "--vpc", vpc, "--ttl", "25h"], 2, "1 minute to 24 hours"),
        (&["agent", "token", "--vpc", vpc, "--ttl", "soon"], 2, "no duration"),
        (&["agent", "token", "--vpc", "here"], 2, "not a valid VpcId"),
        (&["agent", "revoke", "agent-00000000000000009"], 1, "there is no agent agent-00000000000000009"),
        (&["agent", "forget", "agent-00000000000000009"], 1, "there is no agent agent-00000000000000009"),
        (&["agent", "revoke", "here"], 2, "not a valid AgentId"),
    ] {
        let out = gateway.server.run(words);
        assert_eq!(out.status.code(), Some(exit), "{words:?}: {}", text(&out.stderr));
        assert!(text(&out.stderr).contains(why), "{words:?}: {}", text(&out.stderr));
    }
    let server = Server::ephemeral(&[]);
    assert!(server.ready["link"].is_null());
    let out = server.run(&["agent", "token", "--vpc", "vpc-00000000000000009"]);
    assert!(text(&out.stderr).contains("start it with --link"), "{}", text(&out.stderr));
}

#[test]
fn an_authority_that_cannot_be_read_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("link")).unwrap();
    std::fs::write(directory.path().join("link/authority.pem"), "rubbish").unwrap();
    let path = directory.path().to_str().unwrap();
    let flags =
        ["up", "--api", "127.0.0.1:0", "--public", "none", "--public-tls", "127.0.0.1:0", "--link", "127.0.0.1:0"];
    let out = crate::support::tidegate().args(flags).args(["--data-dir", path]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    let why = text(&out.stderr);
    assert!(why.contains("listen.link: ") && why.contains("link/authority.pem"), "{why}");
}
