//! The whole chain in one process, for measuring: `chain LISTEN BACKEND [THREADS]`. Every check is on and traces are kept;
//! the development header is off.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot start stops")]

#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/estate.rs"]
mod estate;

use std::net::SocketAddr;

use plane::{Observer, Plane, PlaneConfig};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let listen: SocketAddr = arguments.next().unwrap().parse().unwrap();
    let backend: SocketAddr = arguments.next().unwrap().parse().unwrap();
    let threads = arguments.next().map_or(1, |threads| threads.parse().unwrap());
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(threads).enable_all();
    builder.build().unwrap().block_on(async move {
        let mut chain = estate::Chain::new(backend);
        let plane = Plane::new(PlaneConfig { strict_wire: true, ..PlaneConfig::default() }, Observer::new(|_| {}));
        plane.publish(chain.snapshot());
        let listener = tokio::net::TcpListener::bind(listen).await.unwrap();
        plane.serve_public(listener).await;
    });
}
