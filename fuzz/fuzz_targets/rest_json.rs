//! Fuzzes `wire::fuzzing::rest_json`; its crashes go to `fuzz/regressions/rest_json/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzzing::rest_json(data));
