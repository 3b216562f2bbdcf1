//! Fuzzes what topology parses from text: ARNs, ids, route keys and paths, patterns, mappings, matchers. Crashes go to
//! `fuzz/regressions/topology/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| topology::fuzzing::texts(data));
