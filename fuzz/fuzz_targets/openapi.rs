//! Fuzzes `control::fuzzing::document`, JSON and YAML; its crashes go to `fuzz/regressions/openapi/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| control::fuzzing::document(data));
