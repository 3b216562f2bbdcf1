//! Fuzzes the public listener with raw bytes over a real connection: request line, headers, chunking, HTTP/2 frames. The plane
//! and its backend live in this process; now and then a good request must still pass. Crashes go to `fuzz/regressions/http/`.
#![no_main]
#![allow(dead_code, missing_docs)]

#[path = "../../crates/plane/tests/it/estate.rs"]
mod estate;
#[path = "../../crates/plane/tests/it/scene.rs"]
mod scene;

use std::cell::Cell;
use std::time::Duration;

use scene::{Backend, OK, Scene};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

/// How long an answer is waited for: most hostile requests are answered or closed at once.
const ANSWER_WITHIN: Duration = Duration::from_millis(20);
/// Every so many inputs a good request must pass.
const PROOF_EVERY: u32 = 256;

struct Lab {
    runtime: Runtime,
    scene: Scene,
    _backend: Backend,
    inputs: Cell<u32>,
}

thread_local! {
    static LAB: Lab = {
        // Rust's own start-up does this, but libFuzzer's main comes without it: the plane may close while we write.
        // SAFETY: one thread runs, and ignoring a signal has no further precondition.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (scene, backend) = runtime.block_on(async {
            let backend = Backend::answering(OK).await;
            (Scene::new(&backend).await, backend)
        });
        Lab { runtime, scene, _backend: backend, inputs: Cell::new(0) }
    };
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    LAB.with(|lab| {
        lab.runtime.block_on(async {
            let mut stream = lab.scene.connect().await;
            // The plane may close before everything is written.
            let _ = stream.write_all(data).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let _ = tokio::time::timeout(ANSWER_WITHIN, stream.read_to_end(&mut answer)).await;
            lab.inputs.set(lab.inputs.get() + 1);
            if lab.inputs.get() % PROOF_EVERY == 0 {
                assert_eq!(lab.scene.get("/").await.status, 200);
            }
        });
    });
});
