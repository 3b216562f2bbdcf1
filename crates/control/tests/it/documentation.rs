//! The documentation of a REST API has bounds in bytes and versions, and what passes them changes nothing.

use crate::calls::{Calls, realm};

const JSON: &str = "apigateway\ncontent-type: application/json\n\n";

fn part(api: &str, name: usize, bytes: usize) -> String {
    let properties = format!(r#"{{\"description\": \"{}\"}}"#, "x".repeat(bytes));
    let location = format!(r#"{{"type": "MODEL", "name": "M{name}"}}"#);
    format!(
        "POST /restapis/{api}/documentation/parts {JSON}{{\"location\": {location}, \"properties\": \"{properties}\"}}"
    )
}

fn api(calls: &mut Calls) -> String {
    let made = calls.run("an API", &format!("POST /restapis {JSON}{{\"name\": \"a\"}}")).unwrap();
    made.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn parts(calls: &mut Calls) -> usize {
    calls.control().estate().realms[&realm()].documentation_parts.len()
}

#[test]
fn what_is_said_has_bounds_in_bytes() {
    let mut calls = Calls::new();
    let api = api(&mut calls);
    let answer = calls.run("too large", &part(&api, 0, 300_000)).unwrap();
    assert!(answer.starts_with("400") && answer.contains("A documentation part can have at most"), "{answer}");
    for name in 0..16 {
        assert!(calls.run("a part", &part(&api, name, 260_000)).unwrap().starts_with("201"));
    }
    let answer = calls.run("too much", &part(&api, 16, 260_000)).unwrap();
    assert!(answer.starts_with("400") && answer.contains("The documentation parts of an API"), "{answer}");
    assert_eq!(parts(&mut calls), 16);
    let said = format!(
        r#"{{"location": {{"type": "MODEL", "name": "M0"}}, "properties": {{"more": "{}"}}}}"#,
        "y".repeat(9_000)
    );
    let document = format!(
        r#"{{"x-amazon-apigateway-documentation": {{"documentationParts": [{said}]}}, "swagger": "2.0", "info": {{}}, "paths": {{}}}}"#
    );
    let merge = format!("PUT /restapis/{api}/documentation/parts?mode=merge {JSON}{document}");
    let answer = calls.run("a merge", &merge).unwrap();
    assert!(answer.starts_with("400") && answer.contains("A documentation part can have at most"), "{answer}");
}

#[test]
fn versions_have_a_bound() {
    let mut calls = Calls::new();
    let api = api(&mut calls);
    let version =
        |n: usize| format!("POST /restapis/{api}/documentation/versions {JSON}{{\"documentationVersion\": \"v{n}\"}}");
    for n in 0..200 {
        assert!(calls.run("a version", &version(n)).unwrap().starts_with("201"));
    }
    let answer = calls.run("one more", &version(200)).unwrap();
    assert!(answer.starts_with("400") && answer.contains("at most 200 documentation versions"), "{answer}");
}
