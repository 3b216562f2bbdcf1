//! What has one name on the whole server belongs to one realm: an API's id, which a caller may wish for, and a domain name.

use std::path::Path;

use control::store::Store;
use control::{Control, Double, Mint, Name, Settings};
use topology::estate::RealmEstate;
use topology::id::{ApiId, Realm};
use topology::snapshot::Snapshot;
use topology::time::Moment;

use crate::calls::{Calls, commit, realm};

const WISHED: &str = "abcdef0123";
const OTHER: &str = "222222222222";

/// A call that makes an API of this kind with the wished id.
fn create(kind: &str) -> String {
    let (path, members) = match kind {
        "http" => ("/v2/apis apigateway", r#""name": "a", "protocolType": "HTTP""#),
        _ => ("/restapis apigateway", r#""name": "a""#),
    };
    format!("POST {path}\ncontent-type: application/json\n\n{{{members}, \"tags\": {{\"_custom_id_\": \"{WISHED}\"}}}}")
}

fn other() -> Realm {
    Realm { account: OTHER.parse().unwrap(), ..realm() }
}

#[test]
fn an_id_that_another_account_has_cannot_be_wished_for() {
    for first in ["http", "rest"] {
        for second in ["http", "rest"] {
            let mut calls = Calls::new();
            assert!(calls.run(first, &create(first)).unwrap().starts_with("201"));
            calls.call_as(OTHER);
            let answer = calls.run(second, &create(second)).unwrap();
            assert!(answer.starts_with("409") && answer.contains("ConflictException"), "{first}, {second}: {answer}");
            let held = calls.control().estate().realms.get(&other());
            assert!(held.is_none_or(|held| held.apis.is_empty() && held.rest_apis.is_empty()));
        }
    }
}

/// The estate of an account that has an API of this kind with the wished id, made at this moment.
fn holding(kind: &str, created: Moment) -> RealmEstate {
    let mut calls = Calls::new();
    calls.run(kind, &create(kind)).unwrap();
    let mut estate = (*calls.control().estate().realms[&realm()]).clone();
    let id: ApiId = WISHED.parse().unwrap();
    if let Some(api) = estate.apis.edit(&id) {
        api.created = created;
    }
    if let Some(api) = estate.rest_apis.edit(&id) {
        api.created = created;
    }
    estate
}

/// A store that holds the id twice: another account's HTTP API, and our REST API.
fn doubled(file: &Path, (theirs, ours): (Moment, Moment)) -> (Control, std::sync::Arc<Snapshot>) {
    let mut store = Store::open(file).unwrap();
    commit(&mut store, &other(), (&RealmEstate::default(), &holding("http", theirs)));
    commit(&mut store, &realm(), (&RealmEstate::default(), &holding("rest", ours)));
    drop(store);
    let mut control = Control::open(Store::open(file).unwrap(), Settings::default(), Mint::new(9)).unwrap();
    let committed = control.take_committed().unwrap();
    (control, committed.snapshot)
}

/// Whose APIs traffic reaches.
fn served(snapshot: &Snapshot) -> Vec<Realm> {
    let with_api = snapshot.realms.iter().filter(|realm| !realm.gateway.apis.is_empty());
    with_api.map(|realm| realm.realm.clone()).collect()
}

#[test]
fn of_an_id_that_a_store_holds_twice_the_elder_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    let (control, snapshot) = doubled(&file, (Moment(1_000), Moment(2_000)));
    let name = Name::Api(WISHED.parse().unwrap());
    assert_eq!(control.doubles(), [Double { name, served: Some(other()), hidden: vec![realm()] }]);
    assert_eq!(served(&snapshot), [other()]);
    drop(control);

    // Once the elder is deleted, the other is served.
    let mut calls = Calls::over(Store::open(&file).unwrap());
    calls.call_as(OTHER);
    let answer = calls.run("delete", &format!("DELETE /v2/apis/{WISHED} apigateway")).unwrap();
    assert!(answer.starts_with("204"), "{answer}");
    assert_eq!(calls.control().doubles(), []);
    let newest = calls.newest();
    assert_eq!(served(&newest), [realm()]);
}

#[test]
fn of_an_id_whose_owner_cannot_be_told_nobody_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let (control, snapshot) = doubled(&dir.path().join("state.db"), (Moment(1_000), Moment(1_000)));
    assert_eq!(control.doubles().len(), 1);
    assert_eq!(served(&snapshot), []);
}

/// A mint that begins again makes the ids that are there already, as chance does now and then with ids of six characters.
#[test]
fn an_id_that_is_there_is_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    let plan = "POST /usageplans apigateway\ncontent-type: application/json\n\n{\"name\": \"a\"}";
    let mut made = 0;
    for count in [20, 80] {
        let mut calls = Calls::over(Store::open(&file).unwrap());
        for _ in 0..count {
            let answer = calls.run("a plan", plan).unwrap();
            assert!(answer.starts_with("201"), "{answer}");
            made += 1;
            assert_eq!(calls.control().estate().realms[&realm()].usage_plans.len(), made);
        }
    }
}

/// The same of parts of documentation, whose ids are no keys.
#[test]
fn no_two_documentation_parts_of_an_api_have_one_id() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    let api = "POST /restapis apigateway\ncontent-type: application/json\n\n{\"name\": \"a\", \"tags\": {\"_custom_id_\": \"abcdefghij\"}}";
    let part = |at: usize| {
        let location = format!("{{\"type\": \"RESOURCE\", \"path\": \"/{at}\"}}");
        let target = "/restapis/abcdefghij/documentation/parts apigateway\ncontent-type: application/json";
        format!("POST {target}\n\n{{\"location\": {location}, \"properties\": \"{{}}\"}}")
    };
    let mut calls = Calls::over(Store::open(&file).unwrap());
    calls.run("an API", api).unwrap();
    for at in 0..20 {
        calls.run("a part", &part(at)).unwrap();
    }
    drop(calls);

    let mut calls = Calls::over(Store::open(&file).unwrap());
    for at in 20..80 {
        calls.run("a part", &part(at)).unwrap();
    }
    let parts = &calls.control().estate().realms[&realm()].documentation_parts;
    let ids: std::collections::BTreeSet<_> = parts.values().map(|part| part.id).collect();
    assert_eq!((parts.len(), ids.len()), (80, 80));
}
