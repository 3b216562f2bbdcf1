//! Fuzzes `plane::fuzzing::model`; its crashes go to `fuzz/regressions/model/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plane::fuzzing::model(data));
