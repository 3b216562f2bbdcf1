//! Fuzzes `wire::fuzzing::json`; its crashes go to `fuzz/regressions/json/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzzing::json(data));
