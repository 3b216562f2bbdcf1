//! HTTP/1.1 on the wire, in both roles: requests of clients on the public side, requests to targets on the private side. HTTP/2
//! and the API port are hyper's; so are probes and fetches, which are rare.
//!
//! The parts are pure where they can be: [`head`] and [`decode`] turn bytes into meaning, [`encode`] turns meaning into bytes,
//! [`spelling`] remembers what meaning leaves out,
//! [`wire`] moves bytes, [`message`] sends one message over it. [`server`] and [`client`] put them together. Nothing here knows of gateways or load balancers.
//!
//! Whatever can be read in two ways is refused or closes the connection (RFC 9112, sections 6.3 and 11.2).

pub(crate) mod client;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod head;
pub(crate) mod message;
pub(crate) mod server;
pub(crate) mod spelling;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod wire;
