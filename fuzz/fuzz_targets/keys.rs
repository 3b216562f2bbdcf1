//! Fuzzes `plane::fuzzing::keys`; its crashes go to `fuzz/regressions/keys/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plane::fuzzing::keys(data));
