//! Fuzzes `wire::fuzzing::ec2_query`; its crashes go to `fuzz/regressions/ec2_query/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzzing::ec2_query(data));
