//! The notebook: SQLite, in WAL mode with full synchronisation, one row for each resource. It is read once at start; after
//! that the estate in memory is what counts, and each write is here before its answer leaves.
//!
//! The format is versioned. A newer one is refused, so that an older program never spoils it.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use topology::estate::{Estate, RealmEstate, Table};
use topology::id::Realm;

/// The format that this program writes.
pub const FORMAT: i64 = 1;

/// Why the store failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// SQLite says no.
    #[error("the store failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A row does not hold what its kind wants.
    #[error("the store holds a {kind} that cannot be read: {source}")]
    Unreadable {
        /// The kind of the row.
        kind: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A row is of a kind that this program does not know.
    #[error("the store holds a {0}, which this program does not know")]
    UnknownKind(String),
    /// Another program wrote a newer format.
    #[error("the state was written in format {found}; this program reads up to {FORMAT}")]
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

/// An open store.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
}

impl Store {
    /// Opens or makes the store in this file.
    ///
    /// # Errors
    /// When it cannot be opened, or is of a newer format.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        Self::prepare(connection)
    }

    /// A store that forgets everything when the process ends.
    ///
    /// # Errors
    /// When SQLite cannot make one.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Self, StoreError> {
        // One program at a time: a second one on the same file fails at its first write instead of mixing with ours.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS format (version INTEGER NOT NULL);
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
        Ok(Self { connection })
    }

    /// Reads everything.
    ///
    /// # Errors
    /// When a row cannot be read: nothing is skipped in silence.
    pub fn load(&self) -> Result<Estate, StoreError> {
        let mut estate = Estate::default();
        let mut statement = self.connection.prepare("SELECT realm, kind, key, value FROM resource ORDER BY realm")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (realm, kind): (String, String) = (row.get(0)?, row.get(1)?);
            let (key, value): (String, String) = (row.get(2)?, row.get(3)?);
            let realm: Realm = read(&kind, &realm)?;
            let resources = Arc::make_mut(estate.realms.entry(realm).or_default());
            put(resources, &kind, &key, &value)?;
        }
        Ok(estate)
    }

    /// Keeps what differs between two states of a realm, in one transaction.
    ///
    /// # Errors
    /// When it cannot be kept; then nothing of it is.
    pub fn commit(&mut self, realm: &Realm, before: &RealmEstate, after: &RealmEstate) -> Result<(), StoreError> {
        let realm = write("realm", realm)?;
        let transaction = self.connection.transaction()?;
        for change in changes(before, after)? {
            match change.value {
                Some(value) => transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO resource (realm, kind, key, value) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![realm, change.kind, change.key, value])?,
                None => transaction
                    .prepare_cached("DELETE FROM resource WHERE realm = ?1 AND kind = ?2 AND key = ?3")?
                    .execute(params![realm, change.kind, change.key])?,
            };
        }
        transaction.commit()?;
        Ok(())
    }

    /// Forgets every resource.
    ///
    /// # Errors
    /// When SQLite says no.
    pub fn clear(&mut self) -> Result<(), StoreError> {
        self.connection.execute("DELETE FROM resource", [])?;
        Ok(())
    }
}

struct Change {
    kind: &'static str,
    key: String,
    value: Option<String>,
}

fn read<T: DeserializeOwned>(kind: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Unreadable { kind: kind.to_owned(), source })
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
                $(stringify!($field) => estate.$field.insert(read(kind, key)?, read(kind, value)?),)*
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
        assert!(matches!(Store::open(&file), Err(StoreError::Newer { found: 99 })));
    }
}
