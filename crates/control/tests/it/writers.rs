//! Two controls over one notebook: each call is carried out on what the other left, and nothing of either is lost.

use std::sync::{Arc, Mutex};

use control::changes::{Changes, Row};
use control::notebook::StoreError;
use control::notebook::{Loaded, Notebook};
use control::store::Store;
use topology::estate::RealmEstate;

use crate::calls::{Calls, realm};

/// One notebook for several writers, and what is to happen right before the next commit.
#[derive(Debug, Clone)]
struct Shared(Arc<Mutex<Store>>);

impl Notebook for Shared {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        self.0.lock().unwrap().load()
    }

    fn commit(&mut self, expected: u64, changes: &Changes) -> Result<u64, StoreError> {
        self.0.lock().unwrap().commit(expected, changes)
    }

    fn clear(&mut self) -> Result<u64, StoreError> {
        self.0.lock().unwrap().clear()
    }
}

fn shared() -> Shared {
    Shared(Arc::new(Mutex::new(Store::in_memory().unwrap())))
}

fn create_group(name: &str) -> String {
    format!(
        "POST / logs\nx-amz-target: Logs_20140328.CreateLogGroup\ncontent-type: application/x-amz-json-1.1\n\n{{\"logGroupName\": \"{name}\"}}"
    )
}

fn groups(calls: &mut Calls) -> Vec<String> {
    calls.control().estate().realms[&realm()].log_groups.iter().map(|(name, _)| name.to_string()).collect()
}

#[test]
fn a_change_that_comes_too_late_is_made_again_on_what_the_other_left() {
    let shared = shared();
    let (mut one, mut two) = (Calls::over(shared.clone()), Calls::over(shared.clone()));
    assert!(one.run("one", &create_group("/one")).unwrap().starts_with("200"));
    // The second has read nothing of it, furnishes the realm itself, comes too late, and begins again.
    assert!(two.run("two", &create_group("/two")).unwrap().starts_with("200"));
    assert_eq!(groups(&mut two), ["/one", "/two"]);
    // A run that comes too late answers by what it meets when it is run again.
    let answer = one.run("two again", &create_group("/two")).unwrap();
    assert!(answer.starts_with("400") && answer.contains("ResourceAlreadyExistsException"), "{answer}");
    let (of_one, of_two) = (one.control().estate().clone(), two.control().estate().clone());
    assert_eq!(of_one, of_two);
    assert_eq!(of_one.realms[&realm()].vpcs.len(), 1, "the realm was furnished once");
}

#[test]
fn whoever_follows_gets_the_estate_by_its_changes() {
    let mut calls = Calls::new();
    calls.control().take_committed().unwrap();
    let mut copy = RealmEstate::default();
    let mut follow = |calls: &mut Calls, step: &str| {
        calls.run(step, step).unwrap();
        let changes = calls.committed();
        assert!(!changes.is_empty(), "{step}");
        // As another program would get them.
        let sent = serde_json::to_string(&changes).unwrap();
        let received: Vec<Changes> = serde_json::from_str(&sent).unwrap();
        received.iter().flat_map(|changes| &changes.rows).for_each(|row| row.put_into(&mut copy).unwrap());
        assert_eq!(copy, *calls.control().estate().realms[&realm()], "{step}");
    };
    follow(&mut calls, &create_group("/one"));
    follow(&mut calls, &create_group("/two"));
    follow(
        &mut calls,
        "POST / logs\nx-amz-target: Logs_20140328.DeleteLogGroup\ncontent-type: application/x-amz-json-1.1\n\n{\"logGroupName\": \"/one\"}",
    );
    assert_eq!(groups(&mut calls), ["/two"]);
}

#[test]
fn a_row_that_holds_something_else_is_refused_and_changes_nothing() {
    let mut estate = RealmEstate::default();
    let row = |table: &str, key: &str, value: &str| {
        let text = serde_json::json!({ "table": table, "key": key, "value": value }).to_string();
        serde_json::from_str::<Row>(&text)
    };
    assert!(row("log_grooups", "\"/a\"", "{}").unwrap_err().to_string().contains("log_grooups"));
    let refused = row("log_groups", "\"/a\"", "{}").unwrap().put_into(&mut estate).unwrap_err().to_string();
    assert!(refused.contains("log_groups, \"/a\""), "{refused}");
    let refused = row("vpcs", "\"vpc-1\"", "{}").unwrap().put_into(&mut estate).unwrap_err().to_string();
    assert!(refused.contains("vpcs, \"vpc-1\""), "{refused}");
    assert!(estate.is_empty());
}
