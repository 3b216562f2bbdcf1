//! Tables of nftables as values, and the transactions that make one of another: written in the kernel's own terms
//! (`include/uapi/linux/netfilter/nf_tables.h`), carried out whole or not at all. What rules are to say is others' business.

mod spelled;
mod written;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use spelled::{Fate, Field, Hook, Kind, Step};
pub(crate) use written::Transaction;

/// An element of a set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    /// Its key, or the first of them: its fields one after the other, each filled up to four bytes.
    pub(crate) from: Vec<u8>,
    /// The last key, in a set of intervals.
    pub(crate) to: Option<Vec<u8>>,
    /// What a map says of it.
    pub(crate) fate: Option<Fate>,
}

/// A set, or a map.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    kind: Kind,
    elements: BTreeSet<Element>,
}

/// A chain with its rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Chain {
    /// Where packets come to it by themselves, and what becomes of those that nothing decides.
    base: Option<(Hook, i32, Fate)>,
    rules: Vec<Vec<Step>>,
}

/// A table. Sets and chains of one name are always of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    sets: BTreeMap<String, Set>,
    chains: BTreeMap<String, Chain>,
}

impl Table {
    /// Adds a set.
    pub(crate) fn set(&mut self, name: &str, kind: Kind, elements: impl IntoIterator<Item = Element>) {
        self.sets.insert(name.to_owned(), Set { kind, elements: elements.into_iter().collect() });
    }

    /// Adds a chain that others jump to.
    pub(crate) fn chain(&mut self, name: &str) {
        self.chains.insert(name.to_owned(), Chain::default());
    }

    /// Adds a chain that packets come to at this hook, the chain of the lower priority first, with what becomes of those that nothing decides.
    pub(crate) fn base_chain(&mut self, name: &str, (hook, priority): (Hook, i32), policy: Fate) {
        self.chains.insert(name.to_owned(), Chain { base: Some((hook, priority, policy)), rules: Vec::new() });
    }

    /// Adds a rule at the end of a chain.
    pub(crate) fn rule(&mut self, chain: &str, steps: &[Step]) {
        self.chains.entry(chain.to_owned()).or_default().rules.push(steps.to_vec());
    }

    /// What makes this of whatever has the name.
    pub(crate) fn replacing(&self, name: &str) -> Transaction {
        let mut transaction = Transaction::replacing(name);
        change(&mut transaction, &Self::default(), self);
        transaction
    }

    /// What makes this of a table that is there; of what both have only the name is looked at in the kernel.
    pub(crate) fn changing(&self, name: &str, before: &Self) -> Transaction {
        let mut transaction = Transaction::on(name);
        change(&mut transaction, before, self);
        transaction
    }
}

impl Chain {
    /// When its rules are written, of two the lower first: a chain that keeps out what nothing decides opens last, so that a table that is
    /// written in parts lets nothing through before it is whole.
    fn turn(&self) -> u8 {
        match &self.base {
            None => 0,
            Some((_, _, Fate::Drop)) => 2,
            Some(_) => 1,
        }
    }
}

/// Whatever is led to or asked is made before it, and taken away after it. What keeps out comes first of all.
fn change(transaction: &mut Transaction, before: &Table, after: &Table) {
    let is_new = |(name, _): &(&String, &Chain)| !before.chains.contains_key(*name);
    for (name, chain) in after.chains.iter().filter(is_new) {
        if let Some((hook, priority, policy)) = &chain.base {
            transaction.base_chain(name, (*hook, *priority), policy);
        }
    }
    for (name, set) in after.sets.iter().filter(|(name, _)| !before.sets.contains_key(*name)) {
        transaction.set(name, set.kind);
    }
    for (name, _) in after.chains.iter().filter(is_new).filter(|(_, chain)| chain.base.is_none()) {
        transaction.chain(name);
    }
    let changed = |name: &&String| before.chains.get(*name) != after.chains.get(*name);
    for name in before.chains.keys().filter(changed) {
        transaction.empty(name);
    }
    let nothing = BTreeSet::new();
    for (name, set) in &before.sets {
        let after = after.sets.get(name).map_or(&nothing, |set| &set.elements);
        transaction.take_out(name, set.elements.difference(after));
    }
    for (name, set) in &after.sets {
        let before = before.sets.get(name).map_or(&nothing, |set| &set.elements);
        transaction.add(name, set.elements.difference(before));
    }
    let mut chains: Vec<_> = after.chains.iter().filter(|(name, _)| changed(name)).collect();
    chains.sort_by_key(|(_, chain)| chain.turn());
    for (name, chain) in chains {
        chain.rules.iter().for_each(|steps| transaction.rule(name, steps));
    }
    for name in before.chains.keys().filter(|name| !after.chains.contains_key(*name)) {
        transaction.remove_chain(name);
    }
    for name in before.sets.keys().filter(|name| !after.sets.contains_key(*name)) {
        transaction.remove_set(name);
    }
}

/// What a packet is to its connection; each is a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// No packet of a connection can be so.
    Invalid = 1,
    /// It follows what was let through, or answers it.
    Established = 2,
    /// It tells of a connection that was let through, as an error of ICMP does.
    Related = 4,
    /// It begins one.
    New = 8,
}

impl Connection {
    /// The steps that hold where a packet is one of these.
    pub(crate) fn is(these: &[Self]) -> [Step; 3] {
        let bits: u32 = these.iter().map(|one| *one as u32).sum();
        [Step::Read(Field::Connection, 0), Step::Keep(0, bits.to_ne_bytes()), Step::IsNot(0, vec![0; 4])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPT: &[Step] = &[Step::Then(Fate::Accept)];

    fn address(last: u8) -> Element {
        Element { from: vec![10, 0, 0, last], to: None, fate: None }
    }

    fn table(addresses: &[u8], chains: &[(&str, usize)]) -> Table {
        let mut table = Table::default();
        table.set("addresses", Kind::Addresses, addresses.iter().copied().map(address));
        for (name, rules) in chains {
            table.chain(name);
            (0..*rules).for_each(|_| table.rule(name, ACCEPT));
        }
        table
    }

    #[test]
    fn a_change_writes_what_differs_and_nothing_else() {
        const NEW_CHAIN: u16 = 3;
        const REMOVE_CHAIN: u16 = 5;
        const RULE: u16 = 6;
        const EMPTY: u16 = 8;
        const REMOVE_SET: u16 = 11;
        const ADD: u16 = 12;
        const TAKE_OUT: u16 = 14;
        let before = table(&[1, 2], &[("a", 1), ("b", 1)]);
        for (name, after, expected) in [
            ("nothing", before.clone(), vec![]),
            ("an element more", table(&[1, 2, 3], &[("a", 1), ("b", 1)]), vec![ADD]),
            ("another element", table(&[1, 3], &[("a", 1), ("b", 1)]), vec![TAKE_OUT, ADD]),
            ("rules of a chain", table(&[1, 2], &[("a", 2), ("b", 1)]), vec![EMPTY, RULE, RULE]),
            ("a chain more", table(&[1, 2], &[("a", 1), ("b", 1), ("c", 1)]), vec![NEW_CHAIN, RULE]),
            ("a chain less", table(&[1, 2], &[("b", 1)]), vec![EMPTY, REMOVE_CHAIN]),
            ("everything gone", Table::default(), vec![EMPTY, EMPTY, TAKE_OUT, REMOVE_CHAIN, REMOVE_CHAIN, REMOVE_SET]),
        ] {
            assert_eq!(after.changing("t", &before).kinds(), expected, "{name}");
        }
    }

    #[test]
    fn a_new_table_keeps_out_before_anything_else_and_opens_last() {
        let mut new = table(&[1], &[("others", 1)]);
        for (name, policy) in [("a", Fate::Drop), ("b", Fate::Accept)] {
            new.base_chain(name, (Hook::Forward, 0), policy);
            new.rule(name, ACCEPT);
        }
        // The two that keep out, a set and the chain, an element, and a rule of each chain.
        assert_eq!(new.changing("t", &Table::default()).kinds(), [3, 3, 9, 3, 12, 6, 6, 6]);
        let turns = ["others", "b", "a"].map(|name| new.chains[name].turn());
        assert!(turns.is_sorted_by(|one, next| one < next), "{turns:?}");
    }
}
