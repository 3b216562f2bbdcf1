//! The messages of one transaction, in the order in which the kernel carries them out.

use super::Element;
use super::spelled::{Fate, HEADER_OF_BATCH, Hook, Kind, Step, expression, header, spell};
use crate::failure::Failure;
use crate::message::{APPEND, CREATE, Message};
use crate::netlink::Netlink;

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const DELETE_CHAIN: u16 = 5;
const NEW_RULE: u16 = 6;
const DELETE_RULES: u16 = 8;
const NEW_SET: u16 = 9;
const DELETE_SET: u16 = 11;
const NEW_ELEMENTS: u16 = 12;
const DELETE_ELEMENTS: u16 = 14;

const LIST_ELEMENT: u16 = 1;
const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const SET_TABLE: u16 = 1;
const SET_NAME: u16 = 2;
const SET_FLAGS: u16 = 3;
const SET_KEY_TYPE: u16 = 4;
const SET_KEY_BYTES: u16 = 5;
const SET_DATA_TYPE: u16 = 6;
const SET_DATA_BYTES: u16 = 7;
const SET_DESCRIPTION: u16 = 9;
const SET_ID: u16 = 10;
const DESCRIPTION_CONCAT: u16 = 2;
const FIELD_BYTES: u16 = 1;
const ELEMENTS_TABLE: u16 = 1;
const ELEMENTS_SET: u16 = 2;
const ELEMENTS: u16 = 3;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_DATA: u16 = 2;
const ELEMENT_KEY_END: u16 = 10;
const DATA_VALUE: u16 = 1;

const SET_IS_INTERVAL: u32 = 0x4;
const SET_IS_MAP: u32 = 0x8;
const SET_IS_CONCAT: u32 = 0x80;
const TYPE_OF_VERDICTS: u32 = 0xffff_ff00;

/// Elements of a set that one message carries: an attribute holds 64 KiB at most, and an element is at most 64 bytes here.
const ELEMENTS_PER_MESSAGE: usize = 500;

/// What happens to one table, in order.
#[derive(Debug)]
pub(crate) struct Transaction {
    table: String,
    messages: Vec<Message>,
    sets: u32,
    is_new: bool,
}

impl Transaction {
    /// A table that is there changes.
    pub(super) fn on(table: &str) -> Self {
        Self { table: table.to_owned(), messages: Vec::new(), sets: 0, is_new: false }
    }

    /// An empty table takes the place of what had its name, if something had.
    pub(super) fn replacing(table: &str) -> Self {
        let mut transaction = Self { is_new: true, ..Self::on(table) };
        for kind in [NEW_TABLE, DELETE_TABLE, NEW_TABLE] {
            let mut message = header(kind, if kind == NEW_TABLE { CREATE } else { 0 });
            message.text(TABLE_NAME, table);
            transaction.messages.push(message);
        }
        transaction
    }

    /// Adds a set without elements.
    pub(super) fn set(&mut self, name: &str, kind: Kind) {
        self.sets += 1;
        let fields = kind.fields();
        let bytes: u32 = fields.iter().map(|bytes| bytes.next_multiple_of(4)).sum();
        let mut flags = 0;
        if kind.has_intervals() {
            flags |= SET_IS_INTERVAL | SET_IS_CONCAT;
        }
        if kind.is_map() {
            flags |= SET_IS_MAP;
        }
        let mut message = header(NEW_SET, CREATE);
        message.text(SET_TABLE, &self.table);
        message.text(SET_NAME, name);
        message.number(SET_FLAGS, flags);
        message.number(SET_KEY_TYPE, 0);
        message.number(SET_KEY_BYTES, bytes);
        if kind.is_map() {
            message.number(SET_DATA_TYPE, TYPE_OF_VERDICTS);
            message.number(SET_DATA_BYTES, 0);
        }
        if kind.has_intervals() {
            message.nest(SET_DESCRIPTION, |description| {
                description.nest(DESCRIPTION_CONCAT, |concat| {
                    for bytes in fields {
                        concat.nest(LIST_ELEMENT, |field| field.number(FIELD_BYTES, *bytes));
                    }
                });
            });
        }
        message.number(SET_ID, self.sets);
        self.messages.push(message);
    }

    /// Adds elements to a set. Chains that they lead to must be there.
    pub(super) fn add<'a>(&mut self, set: &str, elements: impl Iterator<Item = &'a Element>) {
        self.elements((NEW_ELEMENTS, CREATE), set, elements);
    }

    /// Takes elements out of a set.
    pub(super) fn take_out<'a>(&mut self, set: &str, elements: impl Iterator<Item = &'a Element>) {
        self.elements((DELETE_ELEMENTS, 0), set, elements);
    }

    fn elements<'a>(&mut self, (kind, flags): (u16, u16), set: &str, elements: impl Iterator<Item = &'a Element>) {
        let mut elements = elements.peekable();
        while elements.peek().is_some() {
            let mut message = header(kind, flags);
            message.text(ELEMENTS_TABLE, &self.table);
            message.text(ELEMENTS_SET, set);
            message.nest(ELEMENTS, |list| {
                for element in elements.by_ref().take(ELEMENTS_PER_MESSAGE) {
                    list.nest(LIST_ELEMENT, |spelled| {
                        spelled.nest(ELEMENT_KEY, |key| key.put(DATA_VALUE, &element.from));
                        if let Some(to) = &element.to {
                            spelled.nest(ELEMENT_KEY_END, |key| key.put(DATA_VALUE, to));
                        }
                        if let Some(fate) = &element.fate {
                            spelled.nest(ELEMENT_DATA, |data| spell(data, fate));
                        }
                    });
                }
            });
            self.messages.push(message);
        }
    }

    /// Takes all rules out of a chain.
    pub(super) fn empty(&mut self, chain: &str) {
        self.naming(DELETE_RULES, (RULE_TABLE, RULE_CHAIN), chain);
    }

    /// Takes a chain away that has no rules and that nothing leads to.
    pub(super) fn remove_chain(&mut self, chain: &str) {
        self.naming(DELETE_CHAIN, (CHAIN_TABLE, CHAIN_NAME), chain);
    }

    /// Takes a set away that no rule asks.
    pub(super) fn remove_set(&mut self, set: &str) {
        self.naming(DELETE_SET, (SET_TABLE, SET_NAME), set);
    }

    fn naming(&mut self, kind: u16, (of_table, of_name): (u16, u16), name: &str) {
        let mut message = header(kind, 0);
        message.text(of_table, &self.table);
        message.text(of_name, name);
        self.messages.push(message);
    }

    /// Adds a chain that others jump to.
    pub(super) fn chain(&mut self, name: &str) {
        let mut message = header(NEW_CHAIN, CREATE);
        message.text(CHAIN_TABLE, &self.table);
        message.text(CHAIN_NAME, name);
        self.messages.push(message);
    }

    /// Adds a chain that packets come to at this hook, the chain of the lower priority first, with what becomes of those that nothing decides.
    pub(super) fn base_chain(&mut self, name: &str, (hook, priority): (Hook, i32), policy: &Fate) {
        let mut message = header(NEW_CHAIN, CREATE);
        message.text(CHAIN_TABLE, &self.table);
        message.text(CHAIN_NAME, name);
        message.nest(CHAIN_HOOK, |inner| {
            inner.number(HOOK_NUMBER, hook.number());
            inner.put(HOOK_PRIORITY, &priority.to_be_bytes());
        });
        message.put(CHAIN_POLICY, &policy.code().to_be_bytes());
        message.text(CHAIN_TYPE, hook.chain());
        self.messages.push(message);
    }

    /// Adds a rule at the end of a chain.
    pub(super) fn rule(&mut self, chain: &str, steps: &[Step]) {
        let mut message = header(NEW_RULE, CREATE | APPEND);
        message.text(RULE_TABLE, &self.table);
        message.text(RULE_CHAIN, chain);
        message.nest(RULE_EXPRESSIONS, |list| {
            for step in steps {
                list.nest(LIST_ELEMENT, |spelled| expression(spelled, step));
            }
        });
        self.messages.push(message);
    }

    /// Has it carried out in the namespace of the socket, whole or not at all. What is more than the socket takes at once is refused, but for a
    /// new table: that is written in parts, of which the last lets the first packet through.
    pub(crate) fn carry_out(self, netlink: &mut Netlink) -> Result<(), Failure> {
        let room = if self.is_new { netlink.room()? } else { usize::MAX };
        self.parts(room).into_iter().try_for_each(|part| netlink.carry_out_at_once(part, "write a table of nftables"))
    }

    /// The messages in their order, in as few parts as have room, each bounded as a transaction. Where nothing changes there is none.
    fn parts(self, room: usize) -> Vec<Vec<Message>> {
        let bound = |kind| Message::new(kind, 0).fixed(&HEADER_OF_BATCH);
        let bounds = 2 * bound(BATCH_BEGIN).bytes();
        let (mut parts, mut free) = (Vec::<Vec<Message>>::new(), 0);
        for message in self.messages {
            match parts.last_mut().filter(|_| message.bytes() <= free) {
                Some(part) => {
                    free -= message.bytes();
                    part.push(message);
                }
                None => {
                    free = room.saturating_sub(bounds + message.bytes());
                    parts.push(vec![bound(BATCH_BEGIN), message]);
                }
            }
        }
        parts.iter_mut().for_each(|part| part.push(bound(BATCH_END)));
        parts
    }

    /// The kinds of what it asks for.
    #[cfg(test)]
    pub(super) fn kinds(self) -> Vec<u16> {
        let bytes = self.messages.into_iter().map(|message| message.numbered(0, 0));
        bytes.map(|bytes| u16::from_ne_bytes([bytes[4], bytes[5]]) & 0xff).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(chains: usize) -> Transaction {
        let mut transaction = Transaction::on("t");
        (0..chains).for_each(|n| transaction.chain(&format!("chain{n:02}")));
        transaction
    }

    #[test]
    fn parts_are_bounded_have_room_and_keep_the_order() {
        let kind = |message: &Message| {
            let bytes = message.clone().numbered(0, 0);
            u16::from_ne_bytes([bytes[4], bytes[5]])
        };
        let whole = transaction(20).messages;
        let one = whole[0].bytes();
        for (room, sizes) in [(usize::MAX, vec![20]), (40 + 8 * one, vec![8, 8, 4]), (0, vec![1; 20])] {
            let parts = transaction(20).parts(room);
            assert_eq!(parts.iter().map(|part| part.len() - 2).collect::<Vec<_>>(), sizes);
            for part in &parts {
                assert_eq!((kind(&part[0]), kind(&part[part.len() - 1])), (BATCH_BEGIN, BATCH_END));
                assert!(room == 0 || part.iter().map(Message::bytes).sum::<usize>() <= room);
            }
            let inner = parts.into_iter().flat_map(|part| part[1..part.len() - 1].to_vec());
            assert_eq!(inner.collect::<Vec<_>>(), whole);
        }
        assert!(transaction(0).parts(usize::MAX).is_empty());
    }
}
