//! What the version before kept is read, kept again in the same form, and refused with the name of its row where it cannot be.
//!
//! `tests/stored/format-1.tsv` holds the rows (realm, kind, key, value) that the program of 2026-11-30 wrote for `estate.http`.

use std::path::Path;

use control::notebook::Notebook;
use control::notebook::StoreError;
use control::store::Store;
use topology::estate::Estate;

use crate::calls::realm;
use crate::estate::{filled, listener};

const KEPT: &str = include_str!("../stored/format-1.tsv");

fn connect(file: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(file).unwrap()
}

/// Reads a store that holds these rows.
fn read(rows: &str) -> Result<Estate, StoreError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    drop(Store::open(&file).unwrap());
    let connection = connect(&file);
    for row in rows.lines() {
        let columns: Vec<&str> = row.split('\t').collect();
        let insert = "INSERT INTO resource (realm, kind, key, value) VALUES (?1, ?2, ?3, ?4)";
        connection.execute(insert, rusqlite::params_from_iter(columns)).unwrap();
    }
    drop(connection);
    Store::open(&file).unwrap().load().map(|loaded| loaded.estate)
}

/// The rows that this program keeps for the same calls, and its estate.
fn kept_now() -> (String, Estate) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    let mut calls = filled(&file);
    // Sockets of listeners are newer than what is kept here.
    let arn = listener(&mut calls);
    calls.control().unlisten(&realm(), &arn).unwrap();
    let estate = calls.control().estate().clone();
    drop(calls);
    let connection = connect(&file);
    let mut found = connection.prepare("SELECT realm, kind, key, value FROM resource ORDER BY 1, 2, 3").unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        let columns: Result<Vec<String>, _> = (0..4).map(|at| row.get(at)).collect();
        Ok(columns?.join("\t") + "\n")
    };
    let rows = found.query_map([], row).unwrap().collect::<Result<String, _>>().unwrap();
    (rows, estate)
}

#[test]
fn what_the_version_before_kept_is_read_and_kept_in_the_same_form() {
    let (rows, estate) = kept_now();
    assert_eq!(read(KEPT).unwrap(), estate);
    // Once it is active, nobody asks since when.
    let since = regex::Regex::new(r#""active_from":\d+,"active":true"#).unwrap();
    let same = |rows: &str| since.replace_all(rows, "").into_owned();
    let (rows, kept) = (same(&rows), same(KEPT));
    for (before, now) in kept.lines().zip(rows.lines()) {
        assert_eq!(now, before);
    }
    assert_eq!(rows.lines().count(), kept.lines().count());
}

#[test]
fn what_versions_before_that_left_out_is_filled_in() {
    let older = KEPT.replace("\"kind\":\"Application\",", "").replace("\"target_type\":\"Ip\",", "");
    assert_ne!(older, KEPT);
    assert_eq!(read(&older).unwrap(), read(KEPT).unwrap());
}

#[test]
fn a_row_that_cannot_be_is_named() {
    let rows = [
        ("load_balancers", "\"attributes\":{}", "\"attributes\":{\"colour\":\"red\"}", "'colour' is not recognized"),
        ("listeners", "\"attributes\":{}", "\"attributes\":{\"tcp.idle_timeout.seconds\":0}", "expected a string"),
        ("listener_rules", "\"status\":404", "\"status\":302", "Status code '302' must be 2XX, 4XX or 5XX"),
        ("listeners", "[[\"75e923be72ddbe94\",1]]", "[]", "A target group must be specified"),
        ("target_groups", "\"matcher\":\"200\"", "\"matcher\":\"nonsense\"", "'nonsense' must be within '200-499'"),
        (
            "target_groups",
            "\"protocol\":\"HTTP\",\"protocol_version\"",
            "\"protocol\":\"UDP\",\"protocol_version\"",
            "'UDP'",
        ),
        ("domain_names", "certificate/", "certificate/not-", "not a valid CertificateArn"),
    ];
    for (kind, found, with, words) in rows {
        let of_kind = |row: &&str| row.split('\t').nth(1) == Some(kind) && row.contains(found);
        let row = KEPT.lines().find(of_kind).unwrap_or_else(|| panic!("no row of {kind} has {found}"));
        let key = row.split('\t').nth(2).unwrap();
        let refused = read(&row.replacen(found, with, 1)).unwrap_err().to_string();
        assert!(refused.contains(&format!("{kind}, {key}")) && refused.contains(words), "{refused}");
    }
}
