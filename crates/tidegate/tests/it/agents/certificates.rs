//! Certificates that let nobody in.

use std::time::{Duration, SystemTime};

use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SanType};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a certificate says that a test makes.
struct Wish<'a> {
    names: &'a [&'a str],
    purpose: ExtendedKeyUsagePurpose,
    begins: SystemTime,
}

impl Wish<'_> {
    fn certified(&self, issuer: &Issuer<'_, KeyPair>) -> Papers {
        let key = new_key();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = |name: &&str| match name.strip_prefix("dns:") {
            Some(name) => SanType::DnsName(Ia5String::try_from(name).unwrap()),
            None => SanType::URI(Ia5String::try_from(*name).unwrap()),
        };
        params.subject_alt_names = self.names.iter().map(name).collect();
        params.extended_key_usages = vec![self.purpose.clone()];
        params.not_before = self.begins.into();
        params.not_after = (self.begins + DAY).into();
        let certificate = params.signed_by(&key, issuer).unwrap();
        Papers { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// The authority of a gateway, as whoever has its data directory has it.
fn authority(gateway: &Gateway) -> Issuer<'static, KeyPair> {
    let text = std::fs::read_to_string(gateway.directory.path().join("link/authority.pem")).unwrap();
    let at = text.find("-----BEGIN CERTIFICATE-----").unwrap();
    Issuer::from_ca_cert_pem(&text[at..], KeyPair::from_pem(&text[..at]).unwrap()).unwrap()
}

/// Another authority, with the same name as the gateway's.
fn impostor() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, new_key()).unwrap()
}

#[test]
fn a_certificate_that_is_no_agents_of_this_gateway_lets_nobody_in() {
    let gateway = Gateway::new();
    let steady = gateway.enrol(&gateway.token("us-east-1f", &[]));
    let (ours, other) = (authority(&gateway), impostor());
    let id = steady.enrolled.agent;
    let name = format!("tidegate://000000000000/us-east-1/agent/{id}?generation=1");
    let (account, region) = (name.replace("000000000000/", "000000000009/"), name.replace("east-1", "west-1"));
    let unknown = name.replace(&id.to_string(), "agent-00000000000000009");
    let (now, client) = (SystemTime::now() - Duration::from_secs(60), ExtendedKeyUsagePurpose::ClientAuth);
    let wish = |names| Wish { names, purpose: client.clone(), begins: now };
    let foreign = Gateway::new();
    let foreign = foreign.enrol(&foreign.token("us-east-1f", &[]));
    let mut altered = steady.papers.clone();
    let mut der = CertificateDer::from_pem_slice(altered.certificate.as_bytes()).unwrap().to_vec();
    *der.last_mut().unwrap() ^= 1;
    altered.certificate = pem(&der);
    let as_client = Wish { names: &["dns:gateway.tidegate.link"], purpose: client.clone(), begins: now };
    let as_server = Wish { purpose: ExtendedKeyUsagePurpose::ServerAuth, names: &[&name], begins: now };
    let rows = [
        ("of another gateway", foreign.papers.clone(), "HANDSHAKE"),
        ("of an authority of the same name", wish(&[&name]).certified(&other), "HANDSHAKE"),
        ("altered", altered, "HANDSHAKE"),
        ("for servers", as_server.certified(&ours), "HANDSHAKE"),
        ("expired", Wish { begins: now - DAY, ..wish(&[&name]) }.certified(&ours), "HANDSHAKE"),
        ("not yet valid", Wish { begins: now + DAY, ..wish(&[&name]) }.certified(&ours), "HANDSHAKE"),
        ("of the gateway's name", as_client.certified(&ours), "NOT_AN_AGENT"),
        ("of no name", wish(&[]).certified(&ours), "NOT_AN_AGENT"),
        ("of two names", wish(&[&name, &name]).certified(&ours), "NOT_AN_AGENT"),
        ("of an agent and a host", wish(&[&name, "dns:x"]).certified(&ours), "NOT_AN_AGENT"),
        ("of another scheme", wish(&["https://x/"]).certified(&ours), "NOT_AN_AGENT"),
        ("of an unknown agent", wish(&[&unknown]).certified(&ours), "NOT_FOUND"),
        ("of another account", wish(&[&account]).certified(&ours), "NOT_FOUND"),
        ("of another region", wish(&[&region]).certified(&ours), "NOT_FOUND"),
    ];
    for (what, papers, code) in &rows {
        for protocol in [DATA, CONTROL] {
            assert_eq!(gateway.lane(protocol, Some(papers)), *code, "{what}");
        }
    }
    assert_eq!(gateway.lane(DATA, None), "NO_CERTIFICATE");
    assert_eq!(gateway.lane(CONTROL, None), "NO_CERTIFICATE");
    undisturbed(&gateway, &steady);
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[test]
fn who_is_shut_out_is_not_let_in_by_a_handshake_that_is_resumed_either() {
    let gateway = Gateway::new();
    let steady = gateway.enrol(&gateway.token("us-east-1f", &[]));
    let agent = gateway.enrol(&gateway.token("us-east-1a", &[]));
    let id = agent.enrolled.agent.to_string();
    let config = config(&[DATA], Some(&agent.papers));
    let come = || {
        let stream = gateway.connect();
        let port = stream.local_addr().unwrap().port();
        let mut stream = shake(stream, Arc::clone(&config)).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        (stream.conn.handshake_kind().unwrap(), gateway.verdict(port))
    };
    let (first, again) = (come(), come());
    assert_eq!((first.0, first.1.as_str()), (rustls::HandshakeKind::Full, "LET_IN"));
    assert_eq!((again.0, again.1.as_str()), (rustls::HandshakeKind::Resumed, "LET_IN"));
    assert_eq!(gateway.json(&["agent", "revoke", &id])["state"], "revoked");
    let revoked = come();
    assert_eq!((revoked.0, revoked.1.as_str()), (rustls::HandshakeKind::Resumed, "AGENT_REVOKED"));
    assert_eq!(gateway.lane(CONTROL, Some(&agent.papers)), "AGENT_REVOKED");
    assert_eq!(gateway.json(&["agent", "forget", &id])["state"], "forgotten");
    assert_eq!(come().1, "NOT_FOUND");
    undisturbed(&gateway, &steady);
}

#[test]
fn a_certificate_of_a_generation_before_shuts_the_agent_out() {
    let gateway = Gateway::new();
    let steady = gateway.enrol(&gateway.token("us-east-1f", &[]));
    let agent = gateway.enrol(&gateway.token("us-east-1a", &[]));
    let id = agent.enrolled.agent.to_string();
    let name = format!("tidegate://000000000000/us-east-1/agent/{id}?generation=2");
    let wish = Wish { names: &[&name], purpose: ExtendedKeyUsagePurpose::ClientAuth, begins: SystemTime::now() };
    let next = wish.certified(&authority(&gateway));
    assert_eq!(gateway.lane(DATA, Some(&agent.papers)), "LET_IN");
    assert_eq!(gateway.lane(DATA, Some(&next)), "LET_IN");
    assert_eq!(gateway.lane(DATA, Some(&agent.papers)), "AGENT_GENERATION_LATE", "it may have been under way");
    let ticked = gateway.server.send("POST", "/_tidegate/tick", &[], "{\"seconds\": 61}");
    assert_eq!(ticked.status, 200, "{ticked:?}");
    for papers in [&agent.papers, &next] {
        assert_eq!(gateway.lane(DATA, Some(papers)), "AGENT_IDENTITY_COPIED");
    }
    let told = gateway.json(&["agents"]);
    let states: Vec<_> = told["agents"].as_array().unwrap().iter().map(|one| (&one["agent"], &one["state"])).collect();
    assert!(states.contains(&(&id.clone().into(), &"quarantined".into())), "{states:?}");
    undisturbed(&gateway, &steady);
}
