//! Fuzzes `wire::fuzzing::query`; its crashes go to `fuzz/regressions/query/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzzing::query(data));
