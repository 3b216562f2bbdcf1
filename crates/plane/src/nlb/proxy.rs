//! The header of the PROXY protocol, version 2, that a connection to a target begins with (haproxy.org, "The PROXY protocol", section 2.2;
//! NLB user guide, "Proxy protocol", 2026-11).

use std::net::{IpAddr, SocketAddr};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, and a connection for somebody else.
const PROXY: u8 = 0x21;
/// TCP over IPv4, and over IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The header of a connection from a client to a node of the load balancer.
pub(super) fn header(client: SocketAddr, node: SocketAddr) -> Vec<u8> {
    let (kind, addresses) = match (client.ip(), node.ip()) {
        (IpAddr::V4(client), IpAddr::V4(node)) => (TCP4, [client.octets(), node.octets()].concat()),
        // An address of version 4 beside one of version 6 is written as one of that.
        (client, node) => (TCP6, [client, node].map(mapped).concat()),
    };
    let ports = [client.port(), node.port()].map(u16::to_be_bytes).concat();
    // 12 or 36.
    let len = u8::try_from(addresses.len() + ports.len()).unwrap_or(u8::MAX);
    [&SIGNATURE[..], &[PROXY, kind, 0, len], &addresses, &ports].concat()
}

fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
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

    #[test]
    fn a_header_of_ipv6_tells_longer_ones() {
        let header = header("[2001:db8::1]:40000".parse().unwrap(), "[2001:db8::2]:443".parse().unwrap());
        assert_eq!(&header[12..16], b"\x21\x21\x00\x24");
        assert_eq!(header.len(), 16 + 36);
        assert_eq!(header[16..20], [0x20, 1, 0x0d, 0xb8]);
        assert_eq!(header[31..33], [1, 0x20]);
        assert_eq!(header[47..], [2, 0x9c, 0x40, 0x01, 0xbb]);
    }
}
