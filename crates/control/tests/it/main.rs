//! Control by what it is asked and what it holds afterwards: costs, names, stores, explanations. Answers byte for byte are the other
//! binary's, `cases`.

#![allow(clippy::unwrap_used, reason = "a case that cannot go on should panic")]

mod agents;
mod calls;
mod case;
mod cost;
mod documentation;
mod estate;
mod filters;
mod instances;
mod names;
mod orders;
mod refusals;
mod stored;
mod writers;

fn folder(service: wire::ServiceId) -> String {
    format!("{service:?}").to_lowercase()
}

#[test]
fn every_case_says_where_its_answer_comes_from() {
    let says = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let mut head = text.lines().take_while(|line| line.starts_with('#'));
        head.any(|line| line.starts_with("# Source: ") && line.ends_with('.'))
    };
    let silent: Vec<_> = case::below(&case::root()).into_iter().filter(|path| !says(path)).collect();
    assert!(silent.is_empty(), "whose answer is it? {silent:?}");
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
