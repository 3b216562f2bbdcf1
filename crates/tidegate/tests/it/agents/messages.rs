//! Tokens that cannot be used, and messages of an enrolment that are none.

use control::TokenSecret;
use control::enrolment::ENROLMENT_BYTES_MAX;
use rcgen::PKCS_ECDSA_P384_SHA384;

use super::*;

/// What the gateway has against this message; `None` where it enrols.
fn refusal(gateway: &Gateway, message: &[u8]) -> Option<String> {
    match gateway.ask(message) {
        EnrolmentAnswer::Enrolled(_) => None,
        EnrolmentAnswer::Refused(refusal) => Some(refusal.code),
    }
}

fn request(secret: &TokenSecret) -> String {
    serde_json::to_string(&EnrolmentRequest::new(secret, &[], csr(&new_key()))).unwrap()
}

#[test]
fn a_token_is_refused_that_is_not_open_here() {
    let gateway = Gateway::new();
    let steady = gateway.enrol(&gateway.token("us-east-1f", &[]));
    let used = gateway.token("us-east-1a", &[]);
    let agent = gateway.enrol(&used);
    assert_eq!(agent.enrolled.vpc.to_string(), gateway.vpc);
    assert_eq!(agent.enrolled.zones, ["us-east-1a".parse().unwrap()].into());
    let replaced = gateway.token("us-east-1b", &[]);
    let open = gateway.token("us-east-1b", &[]);
    let expired = gateway.token("us-east-1c", &["--ttl", "1m"]);
    let made = gateway.server.ec2("CreateVpc&CidrBlock=10.1.0.0/16").succeeded();
    let vpc = made.element("vpcId");
    let out = gateway.server.run(&["agent", "token", "--vpc", vpc]);
    let gone: Token = text(&out.stdout).trim_end().parse().unwrap();
    gateway.server.ec2(&format!("DeleteVpc&VpcId={vpc}")).succeeded();
    let foreign = Gateway::new();
    let foreign = foreign.token("us-east-1a", &[]);
    assert_ne!(foreign.pin, open.pin);
    let ticked = gateway.server.send("POST", "/_tidegate/tick", &[], "{\"seconds\": 61}");
    assert_eq!(ticked.status, 200, "{ticked:?}");
    let altered = |at: usize| {
        let mut bytes = *open.secret.expose();
        bytes[at] ^= 1;
        TokenSecret::from_bytes(bytes)
    };
    for (what, secret, code) in [
        ("used", used.secret, "TOKEN_USED"),
        ("replaced", replaced.secret, "TOKEN_REPLACED"),
        ("expired", expired.secret, "TOKEN_EXPIRED"),
        ("of a VPC that is gone", gone.secret, "TOKEN_UNKNOWN"),
        ("of another server", foreign.secret, "TOKEN_UNKNOWN"),
        ("altered at its begin", altered(0), "TOKEN_UNKNOWN"),
        ("altered in its middle", altered(15), "TOKEN_UNKNOWN"),
        ("altered at its end", altered(31), "TOKEN_UNKNOWN"),
        ("of zeros", TokenSecret::from_bytes([0; 32]), "TOKEN_UNKNOWN"),
    ] {
        assert_eq!(refusal(&gateway, request(&secret).as_bytes()).as_deref(), Some(code), "{what}");
    }
    gateway.enrol(&open);
    undisturbed(&gateway, &steady);
    let log = std::fs::read_to_string(&gateway.server.log).unwrap();
    let spelled = open.expose();
    let hex: String = open.secret.expose().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!log.contains(&spelled[..40]) && !log.contains(&hex), "a secret is in the log");
}

#[test]
fn a_message_that_is_no_request_leaves_its_token_open() {
    let gateway = Gateway::new();
    let steady = gateway.enrol(&gateway.token("us-east-1f", &[]));
    let token = gateway.token("us-east-1a", &[]);
    let good = request(&token.secret);
    let of = |native: &[Ipv4Net], csr: Vec<u8>| {
        serde_json::to_string(&EnrolmentRequest::new(&token.secret, native, csr)).unwrap()
    };
    let sound = csr(&new_key());
    let mut unsigned = sound.clone();
    *unsigned.last_mut().unwrap() ^= 1;
    let p384 = csr(&KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap());
    let many: Vec<Ipv4Net> = (0..40).map(|n| block(&format!("10.0.{n}.0/24"))).collect();
    for (what, message, code) in [
        ("of a newer version", good.replace("\"version\":1", "\"version\":2"), "VERSION"),
        ("of no version", good.replace("\"version\":1,", ""), "MALFORMED"),
        ("with another member", good.replace("\"version\":1", "\"version\":1,\"admin\":true"), "MALFORMED"),
        ("with a member twice", good.replace("\"version\":1", "\"version\":1,\"version\":1"), "MALFORMED"),
        ("with a short secret", good.replace("\"secret\":\"", "\"secret\":\"AAAA\",\"x\":\""), "MALFORMED"),
        ("no JSON", "junk".to_owned(), "MALFORMED"),
        ("a list", "[]".to_owned(), "MALFORMED"),
        ("deep", "[".repeat(16_000), "MALFORMED"),
        ("cut", good[..good.len() - 1].to_owned(), "MALFORMED"),
        ("empty", String::new(), "MALFORMED"),
        ("with addresses outside the VPC", of(&[block("192.168.0.0/24")], sound.clone()), "MALFORMED"),
        ("with a block around the VPC", of(&[block("10.0.0.0/8")], sound.clone()), "MALFORMED"),
        ("with too many blocks", of(&many, sound.clone()), "MALFORMED"),
        ("with a request that its key did not sign", of(&[], unsigned), "MALFORMED"),
        ("with a request of another kind of key", of(&[], p384), "MALFORMED"),
        ("with a request that is none", of(&[], b"junk".to_vec()), "MALFORMED"),
        ("with no request", of(&[], Vec::new()), "MALFORMED"),
    ] {
        assert_eq!(refusal(&gateway, message.as_bytes()).as_deref(), Some(code), "{what}");
    }
    gateway.enrol(&token);
    undisturbed(&gateway, &steady);
}

#[test]
fn a_frame_that_is_none_is_refused_without_the_memory_that_it_announces() {
    let gateway = Gateway::new();
    let steady = gateway.enrol(&gateway.token("us-east-1f", &[]));
    let one_more = u32::try_from(ENROLMENT_BYTES_MAX + 1).unwrap().to_be_bytes();
    for (what, bytes, code) in [
        ("4 GiB are announced", vec![0xff; 4], "TOO_LARGE"),
        ("4 GiB are announced and some come", [0xff; 60_000].to_vec(), "TOO_LARGE"),
        ("one byte more than may be", one_more.to_vec(), "TOO_LARGE"),
        ("half a length", vec![0, 0], "MALFORMED"),
        ("nothing", Vec::new(), "MALFORMED"),
        ("half a message", frame(&[b' '; 100])[..50].to_vec(), "MALFORMED"),
    ] {
        match answer(&gateway.say(&bytes)) {
            EnrolmentAnswer::Refused(refusal) => assert_eq!(refusal.code, code, "{what}"),
            EnrolmentAnswer::Enrolled(enrolled) => panic!("{what}: {enrolled:?}"),
        }
    }
    // A message that never ends, as others come and go.
    let mut slow = gateway.secured(ENROL, None).unwrap();
    let port = slow.sock.local_addr().unwrap().port();
    slow.write_all(&frame(&[b' '; 100])[..50]).unwrap();
    undisturbed(&gateway, &steady);
    slow.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(gateway.verdict(port), "ENROLMENT_TIMEOUT");
}
