//! Fuzzes `plane::fuzzing::policy`; its crashes go to `fuzz/regressions/policy/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plane::fuzzing::policy(data));
