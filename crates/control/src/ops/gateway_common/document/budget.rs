//! What a document may cost, counted before anything of it is built: levels, and bytes of memory once it is values. The counts are
//! estimates from above; whoever builds asks first. How a format spells a value is its reader's business.

use serde_json::Value;

/// Levels of a document. Ours; `serde_json` stops by itself at 128, and no API is described so deep. Above: refused.
pub(super) const LEVELS_MAX: usize = 100;
/// Bytes that a document may take once it is values: some thirty times the bytes that a call may carry, which documents that people
/// write do not come near. Ours. Above: refused.
pub(super) const MEMORY_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Characters that the reader of YAML may take in before it knows what a node is: it holds a token for each piece of them. Ours; a
/// block of text, or a list in brackets that may be a key, is read ahead as a whole. Above: refused.
pub(super) const AHEAD_CHARS_MAX: usize = 512 * 1024;
/// Bytes of a value itself.
const VALUE_BYTES: usize = std::mem::size_of::<Value>();
/// Bytes of a map, however few its entries: one node of a tree has places for eleven.
const MAP_BYTES: usize = 640;
/// Bytes of an entry beyond its key's text and its value.
const ENTRY_BYTES: usize = 72;

/// Why a document is not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooMuch {
    /// It goes deeper than a document may.
    #[error("The document has more than {LEVELS_MAX} levels")]
    Levels,
    /// It would take more memory than a document may, repetitions by aliases included.
    #[error("The document takes more than {} MiB once it is read, repetitions included", MEMORY_BYTES_MAX / 1024 / 1024)]
    Memory,
    /// One node has to be read ahead further than a document may ask for.
    #[error("A node of the document has more than {AHEAD_CHARS_MAX} characters")]
    Ahead,
}

/// What is left to spend on one document.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: usize,
    passed: Option<TooMuch>,
}

impl Budget {
    /// Notes the bound that is passed, which ends the reading.
    pub(super) fn stop(&mut self, why: TooMuch) -> TooMuch {
        self.passed = Some(why);
        why
    }

    /// The bound that was passed, if one was.
    pub(super) const fn passed(&self) -> Option<TooMuch> {
        self.passed
    }

    /// Bytes that were spent so far.
    pub(super) const fn spent(&self) -> usize {
        self.spent
    }

    /// Spends bytes that something built before had cost, to build it once more.
    pub(super) fn again(&mut self, bytes: usize) -> Result<(), TooMuch> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > MEMORY_BYTES_MAX { Err(self.stop(TooMuch::Memory)) } else { Ok(()) }
    }

    /// Spends what a value with so much text takes.
    pub(super) fn value(&mut self, text: &str) -> Result<(), TooMuch> {
        self.again(VALUE_BYTES + text.len())
    }

    /// Spends what an empty map takes.
    pub(super) fn map(&mut self) -> Result<(), TooMuch> {
        self.again(VALUE_BYTES + MAP_BYTES)
    }

    /// Spends what an entry takes beside its value.
    pub(super) fn key(&mut self, text: &str) -> Result<(), TooMuch> {
        self.again(ENTRY_BYTES + text.len())
    }

    /// Refuses one level more than there may be.
    pub(super) fn level(&mut self, levels: usize) -> Result<(), TooMuch> {
        if levels > LEVELS_MAX { Err(self.stop(TooMuch::Levels)) } else { Ok(()) }
    }
}
