//! Fuzzes `control::fuzzing::enrolment`; its crashes go to `fuzz/regressions/enrolment/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| control::fuzzing::enrolment(data));
