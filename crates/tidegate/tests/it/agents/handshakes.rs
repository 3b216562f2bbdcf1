//! Handshakes that end nowhere.

use super::*;

/// A connection that says these bytes and then waits until the gateway has had enough.
fn cut(gateway: &Gateway, bytes: &[u8]) -> u16 {
    let mut stream = gateway.connect();
    let port = stream.local_addr().unwrap().port();
    stream.write_all(bytes).unwrap();
    // The end, or a reset.
    let _ = stream.read_to_end(&mut Vec::new());
    port
}

/// A first flight as a client sends it.
fn hello() -> Vec<u8> {
    let name = ServerName::try_from(GATEWAY_NAME).unwrap();
    let mut client = ClientConnection::new(config(&[DATA], None), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn whoever_does_not_speak_as_we_do_is_closed() {
    let gateway = Gateway::new();
    let steady = gateway.enrol(&gateway.token("us-east-1f", &[]));
    let tls12 = || config_of(&[&rustls::version::TLS12], &[DATA], None);
    for (what, config) in [
        ("another protocol", config(&[b"http/1.1"], None)),
        ("a newer data lane", config(&[b"tidegate-data/2"], None)),
        ("an older version of TLS", tls12()),
    ] {
        let stream = gateway.connect();
        let port = stream.local_addr().unwrap().port();
        assert!(shake(stream, config).is_err(), "{what}");
        assert_eq!(gateway.verdict(port), "HANDSHAKE", "{what}");
    }
    let stream = gateway.connect();
    let port = stream.local_addr().unwrap().port();
    let mut stream = shake(stream, config(&[], Some(&steady.papers))).unwrap();
    assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0, "closed in order, and not a byte before");
    assert_eq!(gateway.verdict(port), "PROTOCOL");
    for (what, bytes) in [
        ("HTTP", &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..]),
        ("zeros", &[0; 1000]),
        ("an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("a record of another kind", &[0x17, 3, 3, 0, 2, 1, 1]),
        ("a huge record", &[0x16, 3, 1, 0xff, 0xff, 1, 0xff, 0xff, 0xff]),
    ] {
        assert_eq!(gateway.verdict(cut(&gateway, bytes)), "HANDSHAKE", "{what}");
    }
    let stream = gateway.connect();
    let port = stream.local_addr().unwrap().port();
    drop(stream);
    assert_eq!(gateway.verdict(port), "HANDSHAKE", "gone at once");
    undisturbed(&gateway, &steady);
}

#[test]
fn handshakes_that_hang_hold_up_nobody_and_end() {
    let gateway = Gateway::new();
    let steady = gateway.enrol(&gateway.token("us-east-1f", &[]));
    let hello = hello();
    let mut hanging: Vec<(TcpStream, &str)> = Vec::new();
    // More than may shake hands from one address: those beyond are closed at once.
    for n in 0..60 {
        let mut stream = gateway.connect();
        let bytes = [&[][..], &hello[..1], &hello[..hello.len() / 2]][n % 3];
        stream.write_all(bytes).unwrap();
        hanging.push((stream, "HANDSHAKE_TIMEOUT"));
    }
    undisturbed(&gateway, &steady);
    for (mut stream, code) in hanging {
        let port = stream.local_addr().unwrap().port();
        let _ = stream.read_to_end(&mut Vec::new());
        assert_eq!(gateway.verdict(port), code);
    }
    undisturbed(&gateway, &steady);
}

#[test]
fn an_address_has_so_many_strangers_and_no_more() {
    let gateway = Gateway::new();
    let steady = gateway.enrol(&gateway.token("us-east-1f", &[]));
    let silent: Vec<TcpStream> = (0..400).map(|_| gateway.connect()).collect();
    let turned_away = || {
        let log = std::fs::read_to_string(&gateway.server.log).unwrap();
        log.matches("TOO_MANY_HANDSHAKES").count()
    };
    until("those beyond the bound are closed at once", || turned_away() >= 100);
    drop(silent);
    // Once they are gone there is room again.
    until("there is room again", || gateway.lane(DATA, Some(&steady.papers)) == "LET_IN");
}

#[test]
fn strangers_who_begin_keep_no_agent_waiting() {
    let gateway = Gateway::new();
    let steady = gateway.enrol(&gateway.token("us-east-1f", &[]));
    // More than have a turn within ten seconds, where each of them has one in a row with agents.
    let enrolments: Vec<_> = (0..300).map(|_| gateway.secured(ENROL, None).unwrap()).collect();
    undisturbed(&gateway, &steady);
    // Whoever has no certificate has no turn to take.
    let bare: Vec<_> = (0..300).map(|_| gateway.secured(CONTROL, None).unwrap()).collect();
    undisturbed(&gateway, &steady);
    drop((enrolments, bare));
}
