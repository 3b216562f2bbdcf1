//! Fuzzes `wire::fuzzing::sigv4`; its crashes go to `fuzz/regressions/sigv4/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzzing::sigv4(data));
