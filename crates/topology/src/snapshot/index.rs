//! Which of many rules may hold for a request at all, found without a look at the others: each rule stands under one thing that it
//! cannot hold without, the beginning of a path or a host, or under nothing. Numbers here are places in the listener's list.

use std::collections::{BTreeMap, HashMap};

/// Rules below which each is looked at, which costs less.
const INDEXED_MIN: usize = 8;

/// What a rule cannot hold without: one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// The path begins so.
    Prefixes(Vec<Box<[u8]>>),
    /// The host is this one, in lower case.
    Hosts(Vec<Box<[u8]>>),
    /// Nothing that is known.
    Nothing,
}

/// Rules by what they cannot hold without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleIndex {
    /// In order of their texts.
    prefixes: Vec<Prefix>,
    hosts: HashMap<Box<[u8]>, Vec<u32>>,
    /// Those that may hold for any request.
    rest: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Prefix {
    text: Box<[u8]>,
    rules: Vec<u32>,
    /// The place of the longest other one that this begins with.
    within: Option<usize>,
}

impl RuleIndex {
    /// An index of rules with these keys, in order.
    pub(crate) fn of(keys: impl ExactSizeIterator<Item = Key>) -> Self {
        let mut index = Self::default();
        let is_small = keys.len() < INDEXED_MIN;
        let mut prefixes: BTreeMap<Box<[u8]>, Vec<u32>> = BTreeMap::new();
        for (at, key) in (0u32..).zip(keys) {
            match key {
                Key::Prefixes(texts) if !is_small => texts.into_iter().for_each(|text| enter(prefixes.entry(text), at)),
                Key::Hosts(texts) if !is_small => {
                    texts.into_iter().for_each(|text| index.hosts.entry(text).or_default().push(at));
                }
                _ => index.rest.push(at),
            }
        }
        for (text, rules) in prefixes {
            let within = index.prefixes.len().checked_sub(1).and_then(|last| index.longest(last, &text));
            index.prefixes.push(Prefix { text, rules, within });
        }
        index
    }

    /// From one place up: the first whose text this one begins with.
    fn longest(&self, from: usize, text: &[u8]) -> Option<usize> {
        let up = std::iter::successors(Some(from), |at| self.prefixes.get(*at)?.within);
        up.into_iter().find(|at| self.prefixes.get(*at).is_some_and(|prefix| text.starts_with(&prefix.text)))
    }

    /// Whether each rule stands under nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.hosts.is_empty()
    }

    /// The lists of rules that may hold for a path and a host, each in order. The host is compared in lower case.
    pub(crate) fn lists<'i>(&'i self, path: &'i [u8], host: &[u8]) -> impl Iterator<Item = &'i [u32]> {
        // All that begin the path come before it in order, and the last before it begins with each of them.
        let last = self.prefixes.partition_point(|prefix| *prefix.text <= *path).checked_sub(1);
        let first = last.and_then(|last| self.longest(last, path));
        let chain = std::iter::successors(first, |at| self.prefixes.get(*at)?.within);
        let of_path = chain.filter_map(|at| self.prefixes.get(at)).map(|prefix| prefix.rules.as_slice());
        let of_host = if self.hosts.is_empty() { None } else { self.hosts.get(&*host.to_ascii_lowercase()) };
        of_path.chain(of_host.map(Vec::as_slice)).chain([self.rest.as_slice()])
    }
}

/// Two patterns of a rule may begin alike.
fn enter(entry: std::collections::btree_map::Entry<'_, Box<[u8]>, Vec<u32>>, at: u32) {
    let rules = entry.or_default();
    if rules.last() != Some(&at) {
        rules.push(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(index: &RuleIndex, path: &str, host: &str) -> Vec<u32> {
        let mut all: Vec<u32> = index.lists(path.as_bytes(), host.as_bytes()).flatten().copied().collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn rules_are_found_by_what_they_cannot_hold_without() {
        let prefixes = |texts: &[&str]| Key::Prefixes(texts.iter().map(|text| text.as_bytes().into()).collect());
        let hosts = |text: &str| Key::Hosts(vec![text.as_bytes().into()]);
        let keys = [
            prefixes(&["/a"]),
            prefixes(&["/a/b", "/c"]),
            prefixes(&["/a/b"]),
            prefixes(&["/ab"]),
            hosts("api.example.com"),
            Key::Nothing,
            prefixes(&["/"]),
            prefixes(&["/a/b/", "/a/b/"]),
            prefixes(&["/b"]),
        ];
        let index = RuleIndex::of(keys.clone().into_iter());
        for (path, host, expected) in [
            ("/a/b/c", "x", &[0, 1, 2, 5, 6, 7][..]),
            ("/a/c", "x", &[0, 5, 6]),
            ("/abc", "API.example.com", &[0, 3, 4, 5, 6]),
            ("/c", "x", &[1, 5, 6]),
            ("*", "x", &[5]),
            ("", "x", &[5]),
        ] {
            assert_eq!(found(&index, path, host), expected, "{path}");
        }
        let few = RuleIndex::of(keys.into_iter().take(INDEXED_MIN - 1).collect::<Vec<_>>().into_iter());
        assert_eq!(found(&few, "/x", "x"), [0, 1, 2, 3, 4, 5, 6], "few are all looked at");
    }
}
