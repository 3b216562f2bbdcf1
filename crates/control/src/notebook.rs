//! Where the estate is written down: what control asks of a store, whichever keeps it. Several writers may share one: each says which
//! revision it had read, and whoever comes too late reads again.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use thiserror::Error;
use topology::estate::Estate;

use crate::changes::{Changes, UnknownTable, Unreadable, Unwritable};
use crate::sqlite::Trouble;

/// Why a notebook failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// SQLite says no.
    #[error("{0}")]
    Sqlite(#[from] Trouble),
    /// What a file holds cannot be used.
    #[error("{}: {source}", .file.display())]
    Unusable {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        source: Box<StoreError>,
    },
    /// A row does not hold what its table wants.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// What stands as the realm of a row is none.
    #[error("it holds a row of {row}, of a realm that cannot be read: {source}")]
    Realm {
        /// Its table and key.
        row: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A row is of a table that this program does not know.
    #[error(transparent)]
    UnknownTable(#[from] UnknownTable),
    /// Another program wrote a newer format.
    #[error("it was written in format {found}; this program reads up to {known}")]
    Newer {
        /// The format found.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// A value cannot be written.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// Another program wrote since the estate was read.
    #[error("it is at revision {found}, where {expected} was expected")]
    Conflict {
        /// The revision that the writer had read.
        expected: u64,
        /// The one that it holds.
        found: u64,
    },
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.into())
    }
}

impl StoreError {
    /// The same, with the name of the file.
    pub(crate) fn of(self, file: Option<&Path>) -> Self {
        match (self, file) {
            (Self::Sqlite(trouble), file) => Self::Sqlite(trouble.of(file)),
            // Whoever came too late asks by this.
            (conflict @ Self::Conflict { .. }, _) => conflict,
            (unusable, Some(file)) => Self::Unusable { file: file.to_owned(), source: Box::new(unusable) },
            (unusable, None) => unusable,
        }
    }
}

/// What a notebook holds, and how many writes it took.
#[derive(Debug)]
pub struct Loaded {
    /// How many writes were ever committed.
    pub revision: u64,
    /// Everything.
    pub estate: Estate,
}

/// Keeps the estate.
pub trait Notebook: Debug + Send {
    /// Reads everything, as it is after one write.
    ///
    /// # Errors
    /// When a row cannot be read: nothing is skipped in silence.
    fn load(&mut self) -> Result<Loaded, StoreError>;

    /// Keeps a change, wholly, and answers the revision that this makes. `expected` is the one that the writer had read.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when that is not the newest any more; any other when the change cannot be kept. Then nothing of it is.
    fn commit(&mut self, expected: u64, changes: &Changes) -> Result<u64, StoreError>;

    /// Forgets every resource, whoever wrote them, and answers the revision that this makes.
    ///
    /// # Errors
    /// When it cannot; then nothing is forgotten.
    fn clear(&mut self) -> Result<u64, StoreError>;
}
