//! The header of the PROXY protocol, version 2, that a connection to a target begins with (haproxy.org, "The PROXY protocol", section 2.2;
//! NLB user guide, "Proxy protocol", 2026-11).

use std::net::SocketAddrV4;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, and a connection for somebody else.
const PROXY: u8 = 0x21;
/// TCP over IPv4.
const TCP4: u8 = 0x11;
const ADDRESSES_LEN: u8 = 12;

/// The header of a connection from a client to a node of the load balancer.
pub(super) fn header(client: SocketAddrV4, node: SocketAddrV4) -> [u8; 28] {
    let mut header = [0; 28];
    header[..12].copy_from_slice(&SIGNATURE);
    header[12..16].copy_from_slice(&[PROXY, TCP4, 0, ADDRESSES_LEN]);
    header[16..20].copy_from_slice(&client.ip().octets());
    header[20..24].copy_from_slice(&node.ip().octets());
    header[24..26].copy_from_slice(&client.port().to_be_bytes());
    header[26..].copy_from_slice(&node.port().to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_tells_both_ends() {
        let header = header("10.1.2.3:40000".parse().unwrap(), "10.0.9.8:443".parse().unwrap());
        assert_eq!(&header[..16], b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x11\x00\x0c");
        assert_eq!(header[16..], [10, 1, 2, 3, 10, 0, 9, 8, 0x9c, 0x40, 0x01, 0xbb]);
    }
}
