//! The notebook: SQLite, in WAL mode with full synchronisation, one row for each resource. It is read once at start; after
//! that the estate in memory is what counts, and each write is here before its answer leaves.
//!
//! The format is versioned. A newer one is refused, so that an older program never spoils it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use topology::estate::{Estate, RealmEstate, Table};
use topology::id::Realm;

use crate::sqlite::{self, Synchronous, Trouble};

/// The format that this program writes.
pub const FORMAT: i64 = 1;

/// Why the store failed.
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
    /// A row does not hold what its kind wants.
    #[error("it holds a row of {kind}, {key}, that cannot be read: {source}")]
    Unreadable {
        /// The kind of the row.
        kind: String,
        /// Its key.
        key: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A row is of a kind that this program does not know.
    #[error("it holds a {0}, which this program does not know")]
    UnknownKind(String),
    /// Another program wrote a newer format.
    #[error("it was written in format {found}; this program reads up to {FORMAT}")]
    Newer {
        /// The format found.
        found: i64,
    },
    /// A value cannot be written.
    #[error("a {kind} cannot be written: {source}")]
    Unwritable {
        /// Its kind.
        kind: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.into())
    }
}

impl StoreError {
    /// The same, with the name of the file.
    fn of(self, file: Option<&Path>) -> Self {
        match (self, file) {
            (Self::Sqlite(trouble), file) => Self::Sqlite(trouble.of(file)),
            (unusable, Some(file)) => Self::Unusable { file: file.to_owned(), source: Box::new(unusable) },
            (unusable, None) => unusable,
        }
    }
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    file: Option<PathBuf>,
    revision: u64,
}

impl Store {
    /// Opens or makes the store in this file.
    ///
    /// # Errors
    /// When it cannot be opened, or is of a newer format.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        let opened = sqlite::open(file, Synchronous::Full).map_err(StoreError::from);
        opened.and_then(|connection| Self::prepare(connection, Some(file))).map_err(|error| error.of(Some(file)))
    }

    /// A store that forgets everything when the process ends.
    ///
    /// # Errors
    /// When SQLite cannot make one.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?, None)
    }

    fn prepare(connection: Connection, file: Option<&Path>) -> Result<Self, StoreError> {
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS format (version INTEGER NOT NULL);
             CREATE TABLE IF NOT EXISTS revision (only INTEGER PRIMARY KEY CHECK (only = 1), count INTEGER NOT NULL);
             CREATE TABLE IF NOT EXISTS resource (
                 realm TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
                 PRIMARY KEY (realm, kind, key)) WITHOUT ROWID;",
        )?;
        let found: Option<i64> = connection.query_row("SELECT version FROM format", [], |row| row.get(0)).optional()?;
        match found {
            None => {
                connection.execute("INSERT INTO format (version) VALUES (?1)", [FORMAT])?;
            }
            Some(found) if found > FORMAT => return Err(StoreError::Newer { found }),
            Some(_) => {}
        }
        let revision: Option<i64> =
            connection.query_row("SELECT count FROM revision", [], |row| row.get(0)).optional()?;
        let revision = revision.and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
        Ok(Self { connection, file: file.map(Path::to_owned), revision })
    }

    /// How many writes were ever committed.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Reads everything.
    ///
    /// # Errors
    /// When a row cannot be read: nothing is skipped in silence.
    pub fn load(&self) -> Result<Estate, StoreError> {
        self.read_all().map_err(|error| error.of(self.file.as_deref()))
    }

    fn read_all(&self) -> Result<Estate, StoreError> {
        let mut estate = Estate::default();
        let mut statement = self.connection.prepare("SELECT realm, kind, key, value FROM resource ORDER BY realm")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (realm, kind): (String, String) = (row.get(0)?, row.get(1)?);
            let (key, value): (String, String) = (row.get(2)?, row.get(3)?);
            let realm: Realm = read((&kind, &key), &realm)?;
            let resources = Arc::make_mut(estate.realms.entry(realm).or_default());
            put(resources, &kind, &key, &value)?;
        }
        Ok(estate)
    }

    /// Keeps what differs between two states of a realm, in one transaction, and counts it as a revision.
    ///
    /// # Errors
    /// When it cannot be kept; then nothing of it is.
    pub fn commit(&mut self, realm: &Realm, before: &RealmEstate, after: &RealmEstate) -> Result<(), StoreError> {
        let realm = write("realm", realm)?;
        let changes = changes(before, after)?;
        if changes.is_empty() {
            return Ok(());
        }
        self.transact(|transaction| changes.iter().try_for_each(|change| put_row(transaction, &realm, change)))
    }

    /// Forgets every resource.
    ///
    /// # Errors
    /// When SQLite says no.
    pub fn clear(&mut self) -> Result<(), StoreError> {
        self.transact(|transaction| transaction.execute("DELETE FROM resource", []).map(drop))
    }

    /// One transaction, with the count of revisions in it.
    fn transact(&mut self, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> Result<(), StoreError> {
        let revision = self.revision.saturating_add(1);
        let connection = &mut self.connection;
        let kept = move || {
            let transaction = connection.transaction()?;
            change(&transaction)?;
            let count = i64::try_from(revision).unwrap_or(i64::MAX);
            transaction
                .prepare_cached("INSERT OR REPLACE INTO revision (only, count) VALUES (1, ?1)")?
                .execute([count])?;
            transaction.commit()
        };
        kept().map_err(|error| StoreError::from(error).of(self.file.as_deref()))?;
        self.revision = revision;
        Ok(())
    }
}

fn put_row(transaction: &Transaction<'_>, realm: &str, change: &Change) -> rusqlite::Result<()> {
    match &change.value {
        Some(value) => transaction
            .prepare_cached("INSERT OR REPLACE INTO resource (realm, kind, key, value) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![realm, change.kind, change.key, value])?,
        None => transaction
            .prepare_cached("DELETE FROM resource WHERE realm = ?1 AND kind = ?2 AND key = ?3")?
            .execute(params![realm, change.kind, change.key])?,
    };
    Ok(())
}

struct Change {
    kind: &'static str,
    key: String,
    value: Option<String>,
}

fn read<T: DeserializeOwned>((kind, key): (&str, &str), text: &str) -> Result<T, StoreError> {
    let unreadable = |source| StoreError::Unreadable { kind: kind.to_owned(), key: key.to_owned(), source };
    serde_json::from_str(text).map_err(unreadable)
}

fn write<T: Serialize>(kind: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Unwritable { kind, source })
}

fn table_changes<K: Ord + Clone + Serialize, V: Serialize>(
    kind: &'static str,
    before: &Table<K, V>,
    after: &Table<K, V>,
    changes: &mut Vec<Change>,
) -> Result<(), StoreError> {
    for (key, value) in before.changes(after) {
        let value = value.map(|value| write(kind, value)).transpose()?;
        changes.push(Change { kind, key: write(kind, key)?, value });
    }
    Ok(())
}

macro_rules! per_table {
    ($($field:ident: $key:ty => $value:ty,)*) => {
        fn changes(before: &RealmEstate, after: &RealmEstate) -> Result<Vec<Change>, StoreError> {
            let mut changes = Vec::new();
            $(table_changes(stringify!($field), &before.$field, &after.$field, &mut changes)?;)*
            Ok(changes)
        }

        fn put(estate: &mut RealmEstate, kind: &str, key: &str, value: &str) -> Result<(), StoreError> {
            match kind {
                $(stringify!($field) => estate.$field.insert(read((kind, key), key)?, read((kind, key), value)?),)*
                _ => return Err(StoreError::UnknownKind(kind.to_owned())),
            }
            Ok(())
        }
    };
}

topology::for_each_table!(per_table);

#[cfg(test)]
mod tests {
    use topology::id::AccountId;
    use topology::resource::log_group::LogGroup;
    use topology::time::Moment;

    use super::*;

    fn realm() -> Realm {
        Realm { account: AccountId::DEFAULT, region: "us-east-1".parse().unwrap() }
    }

    fn with_log_group(name: &str) -> RealmEstate {
        let mut estate = RealmEstate::default();
        let group = LogGroup {
            name: name.to_owned(),
            created: Moment(5),
            retention_days: Some(7),
            class: "STANDARD".to_owned(),
            tags: [("a".to_owned(), "b".to_owned())].into(),
        };
        estate.log_groups.insert(name.to_owned(), group);
        estate
    }

    #[test]
    fn what_was_committed_is_loaded_by_the_next_program() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.db");
        let estate = with_log_group("/a");
        Store::open(&file).unwrap().commit(&realm(), &RealmEstate::default(), &estate).unwrap();
        let loaded = Store::open(&file).unwrap().load().unwrap();
        assert_eq!(*loaded.realms[&realm()], estate);
    }

    #[test]
    fn what_was_removed_is_gone() {
        let mut store = Store::in_memory().unwrap();
        let estate = with_log_group("/a");
        store.commit(&realm(), &RealmEstate::default(), &estate).unwrap();
        store.commit(&realm(), &estate, &RealmEstate::default()).unwrap();
        assert!(store.load().unwrap().realms.is_empty());
    }

    #[test]
    fn a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.db");
        Store::open(&file).unwrap().connection.execute("UPDATE format SET version = 99", []).unwrap();
        let refused = Store::open(&file).unwrap_err().to_string();
        assert!(refused.contains("state.db") && refused.contains("format 99"), "{refused}");
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.db");
        Store::open(&file).unwrap().commit(&realm(), &RealmEstate::default(), &with_log_group("/a")).unwrap();
        let refused = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            Store::open(&file).and_then(|store| store.load()).unwrap_err().to_string()
        };
        let sound = std::fs::read(&file).unwrap();
        for (what, bytes) in [("no database", b"x".repeat(4096)), ("cut", sound[..sound.len() / 2].to_vec())] {
            let sentence = refused(&bytes);
            assert!(sentence.contains("state.db") && sentence.contains("damaged"), "{what}: {sentence}");
        }
        let unread = Store::open(&dir.path().join("other.db")).unwrap();
        unread.connection.execute("INSERT INTO resource VALUES ('{}', 'log_groups', '\"a\"', '{}')", []).unwrap();
        let sentence = unread.load().unwrap_err().to_string();
        assert!(sentence.contains("other.db") && sentence.contains("log_groups, \"a\""), "{sentence}");
    }

    #[test]
    fn revisions_count_on_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.db");
        let mut store = Store::open(&file).unwrap();
        assert_eq!(store.revision(), 0);
        store.commit(&realm(), &RealmEstate::default(), &with_log_group("/a")).unwrap();
        store.clear().unwrap();
        assert_eq!(store.revision(), 2);
        drop(store);
        assert_eq!(Store::open(&file).unwrap().revision(), 2);
    }
}
