//! Arbitrary and mutated bytes into every decoder: it answers, it never panics. Past crashes are replayed.

use crate::support::{read_vectors, text};
use proptest::prelude::*;
use std::path::PathBuf;
use wire::fuzzing;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("query", fuzzing::query),
    ("ec2_query", fuzzing::ec2_query),
    ("rest_json", fuzzing::rest_json),
    ("json", fuzzing::json),
    ("sigv4", fuzzing::sigv4),
];

/// Recorded bodies, as seeds worth damaging, each behind the byte that chooses the operation.
fn seeds() -> Vec<Vec<u8>> {
    let records = read_vectors("inputs.json");
    let seed = |record: &serde_json::Value| {
        let operation = crate::support::operation(record);
        let choice = u8::try_from(operation.index).unwrap_or_default();
        let target = if text(record, "service").starts_with("apigateway") { "\n" } else { "" };
        let authorization = record["headers"]["authorization"].as_str().unwrap_or_default();
        let plain = format!("{target}{}", text(record, "body"));
        let signed = format!("{}\n{authorization}\n20261122T100000Z\n", text(record, "target"));
        [[&[choice], plain.as_bytes()].concat(), signed.into_bytes()]
    };
    records.iter().flat_map(seed).collect()
}

/// A seed with some bytes replaced, a part cut out and a part repeated.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    let cuts = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    (prop::sample::select(seeds()), edits, cuts).prop_map(|(mut bytes, edits, (from, to))| {
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        if from < to {
            bytes.drain(from..to);
        } else {
            bytes.extend_from_within(to..from);
        }
        bytes
    })
}

/// Text built from what forms, paths and JSON are made of.
fn spelled() -> impl Strategy<Value = Vec<u8>> {
    let tokens = [
        "Filter",
        "Tags",
        "member",
        "Version",
        "Action",
        ".",
        "=",
        "&",
        "%",
        "%2",
        "%00",
        "%ff",
        "1",
        "0",
        "-1",
        "4294967296",
        "999999999999999999999",
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "null",
        "true",
        "1e999",
        "\\u0000",
        "\\ud800",
        "/",
        "/v2/",
        "?",
        "tagKeys",
        "\n",
        "é",
        "\u{202e}",
        " ",
        "+",
    ];
    prop::collection::vec(prop::sample::select(tokens.to_vec()), 0..64).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        TARGETS.iter().for_each(|(_, run)| run(&bytes));
    }

    #[test]
    fn damaged_recordings_never_panic(bytes in mutated()) {
        TARGETS.iter().for_each(|(_, run)| run(&bytes));
    }

    #[test]
    fn text_of_the_protocols_own_pieces_never_panics(bytes in spelled(), choice in any::<u8>()) {
        let bytes = [&[choice], bytes.as_slice()].concat();
        TARGETS.iter().for_each(|(_, run)| run(&bytes));
    }
}

#[test]
fn recordings_as_they_are_never_panic() {
    for seed in seeds() {
        TARGETS.iter().for_each(|(_, run)| run(&seed));
    }
}

/// `fuzz/regressions/<target>/<name>` holds bytes, `<name>.md` beside it a sentence about them.
#[test]
fn past_crashes_are_answered() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions");
    let mut replayed = 0;
    for (target, run) in TARGETS {
        for entry in std::fs::read_dir(root.join(target)).expect("each target has a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "md") {
                continue;
            }
            assert!(path.with_extension("md").exists(), "{} wants a sentence", path.display());
            run(&std::fs::read(&path).expect("bytes"));
            replayed += 1;
        }
    }
    assert!(replayed >= TARGETS.len(), "each target has at least one");
}
