//! Fuzzes `plane::fuzzing::answer`; its crashes go to `fuzz/regressions/answer/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plane::fuzzing::answer(data));
