//! Fuzzes `plane::fuzzing::template`; its crashes go to `fuzz/regressions/template/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plane::fuzzing::template(data));
