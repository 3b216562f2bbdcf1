//! Control by what it is asked and what it holds afterwards: costs, names, stores, explanations. Answers byte for byte are the other
//! binary's, `cases`.

#![allow(clippy::unwrap_used, reason = "a case that cannot go on should panic")]

mod calls;
mod case;
mod cost;
mod documentation;
mod estate;
mod filters;
mod names;
mod refusals;
mod stored;
mod writers;

fn folder(service: wire::ServiceId) -> String {
    format!("{service:?}").to_lowercase()
}

#[test]
fn every_operation_has_a_case() {
    let mut missing = Vec::new();
    for service in wire::ServiceId::ALL {
        for operation in service.model().operations {
            if case::below(&case::root().join(folder(*service)).join(operation.name)).is_empty() {
                missing.push(format!("{}/{}", folder(*service), operation.name));
            }
        }
    }
    assert!(missing.is_empty(), "no case for {}", missing.join(", "));
}
