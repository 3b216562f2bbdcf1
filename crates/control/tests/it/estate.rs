//! What the store keeps: an estate with a resource of every kind is the same after the program was opened again.

use control::store::Store;
use control::{AttachRequest, Control, Mint, Place, Settings};
use topology::estate::RealmEstate;

use crate::calls::{Calls, realm};

/// Tables that hold nothing.
fn empty_tables(estate: &RealmEstate) -> Vec<&'static str> {
    let mut empty = Vec::new();
    macro_rules! look {
        ($($field:ident: $key:ty => $value:ty,)*) => {
            $(if estate.$field.is_empty() {
                empty.push(stringify!($field));
            })*
        };
    }
    topology::for_each_table!(look);
    empty
}

fn lease() -> AttachRequest {
    AttachRequest {
        place: Place::Address([10, 0, 1, 9].into(), None),
        port: Some(8080),
        host: ([127, 0, 0, 1], 9000).into(),
        groups: Vec::new(),
        lease: true,
    }
}

#[test]
fn an_estate_with_every_kind_of_resource_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    let mut calls = Calls::over(Store::open(&file).unwrap());
    calls.run("estate", include_str!("../estate.http")).unwrap();
    calls.control().attach(&realm(), &AttachRequest { lease: false, ..lease() }).unwrap();
    let before = calls.control().estate().clone();
    assert_eq!(empty_tables(&before.realms[&realm()]), Vec::<&str>::new(), "the script leaves these out");
    drop(calls);

    let (after, _) = Control::open(Store::open(&file).unwrap(), Settings::default(), Mint::new(8)).unwrap();
    assert_eq!(*after.estate(), before);
}

#[test]
fn a_lease_ends_with_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    let mut calls = Calls::over(Store::open(&file).unwrap());
    calls.run("estate", include_str!("../estate.http")).unwrap();
    let before = calls.control().estate().clone();
    calls.control().attach(&realm(), &lease()).unwrap();
    drop(calls);

    let (after, _) = Control::open(Store::open(&file).unwrap(), Settings::default(), Mint::new(8)).unwrap();
    assert_eq!(*after.estate(), before);
}
