//! A realm compiled after a change is what it would be when compiled from nothing, and what the change has no bearing on is the same
//! pointer. `control` asks the first of each change of its own tests too.

use std::sync::Arc;

use topology::compile::{Before, compile, recompile};
use topology::estate::RealmEstate;
use topology::net::Traffic;
use topology::snapshot::RealmSnapshot;

use crate::rest;
use crate::world::{ALB_GROUP, World, realm};

/// Two chains, the API of the second with a stage that is behind its draft, and a REST API.
fn world() -> World {
    let mut world = World::open();
    world.add_chain(1);
    world.open_chain();
    for key in world.estate.stages.iter().map(|(key, _)| key.clone()).skip(1).collect::<Vec<_>>() {
        world.estate.stages.edit(&key).unwrap().auto_deploy = false;
    }
    rest::put_private(&mut world);
    world
}

fn recompiled(before: &RealmEstate, after: &RealmEstate) -> (RealmSnapshot, RealmSnapshot) {
    let compiled = compile(&realm(), before);
    let recompiled = recompile(&realm(), after, Before { estate: before, compiled: &compiled });
    (compiled, recompiled)
}

/// Each resource by itself is taken away and put back.
macro_rules! each_resource_comes_and_goes {
    ($($table:ident: $key:ty => $value:ty,)*) => {
        fn come_and_go(whole: &RealmEstate) -> usize {
            let mut judged = 0;
            $(for (key, _) in whole.$table.iter() {
                let mut without = whole.clone();
                without.$table.remove(key);
                for (before, after) in [(whole, &without), (&without, whole)] {
                    let (_, recompiled) = recompiled(before, after);
                    assert_eq!(recompiled, compile(&realm(), after), "{} {key:?}", stringify!($table));
                    judged += 1;
                }
            })*
            judged
        }
    };
}
topology::for_each_table!(each_resource_comes_and_goes);

#[test]
fn whatever_comes_or_goes_nothing_stale_is_served() {
    let judged = come_and_go(&world().estate);
    assert!(judged > 80, "{judged}");
}

#[test]
fn what_a_change_has_no_bearing_on_is_the_same() {
    let before = world().estate;
    let mut after = before.clone();
    let id = before.apis.iter().map(|(id, _)| *id).next().unwrap();
    after.apis.edit(&id).unwrap().name = "renamed".into();
    let (compiled, recompiled) = recompiled(&before, &after);
    assert!(
        Arc::ptr_eq(&compiled.fabric, &recompiled.fabric) && Arc::ptr_eq(&compiled.balancers, &recompiled.balancers)
    );
    let same = |(old, new): (&Arc<_>, &Arc<_>)| Arc::ptr_eq(old, new);
    let kept: Vec<_> = compiled.gateway.apis.iter().zip(&*recompiled.gateway.apis).map(same).collect();
    assert_eq!(kept, [false, true, true]);
}

#[test]
fn a_rule_of_a_group_leaves_every_api_as_it_is() {
    let mut world = world();
    let before = world.estate.clone();
    world.add_group(40, "another");
    world.revoke(ALB_GROUP);
    let (compiled, recompiled) = recompiled(&before, &world.estate);
    assert!(!Arc::ptr_eq(&compiled.fabric, &recompiled.fabric));
    assert!(compiled.gateway.apis.iter().zip(&*recompiled.gateway.apis).all(|(old, new)| Arc::ptr_eq(old, new)));
    assert_eq!(recompiled, compile(&realm(), &world.estate));
}

#[test]
fn a_rule_that_changes_leaves_the_other_groups_as_they_are() {
    let before = world().estate;
    let (id, rule) = before.security_group_rules.iter().next().unwrap();
    let (id, group) = (*id, rule.group);
    let mut after = before.clone();
    after.security_group_rules.edit(&id).unwrap().traffic = Traffic::Other(47);
    let (compiled, recompiled) = recompiled(&before, &after);
    assert_eq!(recompiled, compile(&realm(), &after));
    assert_ne!(compiled.fabric, recompiled.fabric);
    for (other, kept) in &recompiled.fabric.groups {
        assert_eq!(Arc::ptr_eq(kept, &compiled.fabric.groups[other]), *other != group, "{other}");
    }
}
