//! Fuzzes `plane::fuzzing::names`; its crashes go to `fuzz/regressions/names/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plane::fuzzing::names(data));
