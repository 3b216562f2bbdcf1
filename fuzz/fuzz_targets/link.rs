//! Fuzzes `plane::fuzzing::link`; its crashes go to `fuzz/regressions/link/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plane::fuzzing::link(data));
