//! Fuzzes `plane::fuzzing::token`; its crashes go to `fuzz/regressions/token/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plane::fuzzing::token(data));
