//! The notebook: SQLite, in WAL mode with full synchronisation, one row for each resource. It is read once at start; after
//! that the estate in memory is what counts, and each write is here before its answer leaves.
//!
//! The format is versioned. A newer one is refused, so that an older program never spoils it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::changes::{Changes, Row, TableName};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use topology::estate::Estate;
use topology::id::Realm;

use crate::notebook::{Loaded, Notebook, StoreError};
use crate::sqlite::{self, Synchronous};

/// The format that this program writes.
pub const FORMAT: i64 = 1;

/// An open file, or none: see [`Notebook`] for what it does.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    file: Option<PathBuf>,
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
            Some(found) if found > FORMAT => return Err(StoreError::Newer { found, known: FORMAT }),
            Some(_) => {}
        }
        Ok(Self { connection, file: file.map(Path::to_owned) })
    }

    /// One transaction, which knows the newest revision and makes the next.
    fn transact(
        &mut self,
        change: impl FnOnce(&Transaction<'_>, u64) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let connection = &mut self.connection;
        let kept = move || {
            // From its begin on, nobody else writes.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let found = revision(&transaction)?;
            change(&transaction, found)?;
            let next = found.saturating_add(1);
            transaction
                .prepare_cached("INSERT OR REPLACE INTO revision (only, count) VALUES (1, ?1)")?
                .execute([i64::try_from(next).unwrap_or(i64::MAX)])?;
            transaction.commit()?;
            Ok(next)
        };
        kept().map_err(|error: StoreError| error.of(self.file.as_deref()))
    }
}

impl Notebook for Store {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        read_all(&mut self.connection).map_err(|error| error.of(self.file.as_deref()))
    }

    fn commit(&mut self, expected: u64, changes: &Changes) -> Result<u64, StoreError> {
        let text = serde_json::to_string(&changes.realm);
        let realm = text.map_err(|source| StoreError::Realm { row: "any table".to_owned(), source })?;
        self.transact(|transaction, found| {
            if found != expected {
                return Err(StoreError::Conflict { expected, found });
            }
            changes.rows.iter().try_for_each(|row| put_row(transaction, &realm, row))?;
            Ok(())
        })
    }

    fn clear(&mut self) -> Result<u64, StoreError> {
        self.transact(|transaction, _| Ok(transaction.execute("DELETE FROM resource", []).map(drop)?))
    }
}

fn revision(connection: &Connection) -> rusqlite::Result<u64> {
    let count: Option<i64> =
        connection.prepare_cached("SELECT count FROM revision")?.query_row([], |row| row.get(0)).optional()?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
}

fn read_all(connection: &mut Connection) -> Result<Loaded, StoreError> {
    // Within one transaction, so that the rows are those of the revision.
    let transaction = connection.transaction()?;
    let revision = revision(&transaction)?;
    let mut estate = Estate::default();
    let mut statement = transaction.prepare("SELECT realm, kind, key, value FROM resource ORDER BY realm")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (realm, table): (String, String) = (row.get(0)?, row.get(1)?);
        let table: TableName = table.parse()?;
        let row = Row { table, key: row.get(2)?, value: Some(row.get(3)?) };
        let realm: Realm = serde_json::from_str(&realm)
            .map_err(|source| StoreError::Realm { row: format!("{}, {}", table.as_str(), row.key), source })?;
        row.put_into(Arc::make_mut(estate.realms.entry(realm).or_default()))?;
    }
    Ok(Loaded { revision, estate })
}

fn put_row(transaction: &Transaction<'_>, realm: &str, row: &Row) -> rusqlite::Result<()> {
    let table = row.table.as_str();
    match &row.value {
        Some(value) => transaction
            .prepare_cached("INSERT OR REPLACE INTO resource (realm, kind, key, value) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![realm, table, row.key, value])?,
        None => transaction
            .prepare_cached("DELETE FROM resource WHERE realm = ?1 AND kind = ?2 AND key = ?3")?
            .execute(params![realm, table, row.key])?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use topology::estate::RealmEstate;
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
            name: name.parse().unwrap(),
            created: Moment(5),
            retention_days: Some(7),
            class: "STANDARD".to_owned(),
            tags: [("a".to_owned(), "b".to_owned())].into(),
        };
        estate.log_groups.insert(group.name.clone(), group);
        estate
    }

    fn commit(store: &mut Store, before: &RealmEstate, after: &RealmEstate) -> Result<u64, StoreError> {
        let revision = store.load()?.revision;
        store.commit(revision, &Changes::between(&realm(), before, after)?)
    }

    #[test]
    fn what_was_committed_is_loaded_by_the_next_program() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.db");
        let estate = with_log_group("/a");
        commit(&mut Store::open(&file).unwrap(), &RealmEstate::default(), &estate).unwrap();
        let loaded = Store::open(&file).unwrap().load().unwrap().estate;
        assert_eq!(*loaded.realms[&realm()], estate);
    }

    #[test]
    fn what_was_removed_is_gone() {
        let mut store = Store::in_memory().unwrap();
        let estate = with_log_group("/a");
        commit(&mut store, &RealmEstate::default(), &estate).unwrap();
        commit(&mut store, &estate, &RealmEstate::default()).unwrap();
        assert!(store.load().unwrap().estate.realms.is_empty());
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
        commit(&mut Store::open(&file).unwrap(), &RealmEstate::default(), &with_log_group("/a")).unwrap();
        let refused = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            Store::open(&file).and_then(|mut store| store.load()).unwrap_err().to_string()
        };
        let sound = std::fs::read(&file).unwrap();
        for (what, bytes) in [("no database", b"x".repeat(4096)), ("cut", sound[..sound.len() / 2].to_vec())] {
            let sentence = refused(&bytes);
            assert!(sentence.contains("state.db") && sentence.contains("damaged"), "{what}: {sentence}");
        }
        let mut unread = Store::open(&dir.path().join("other.db")).unwrap();
        unread.connection.execute("INSERT INTO resource VALUES ('{}', 'log_groups', '\"a\"', '{}')", []).unwrap();
        let sentence = unread.load().unwrap_err().to_string();
        assert!(sentence.contains("other.db") && sentence.contains("log_groups, \"a\""), "{sentence}");
    }

    #[test]
    fn revisions_count_on_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.db");
        let mut store = Store::open(&file).unwrap();
        assert_eq!(store.load().unwrap().revision, 0);
        assert_eq!(commit(&mut store, &RealmEstate::default(), &with_log_group("/a")).unwrap(), 1);
        assert_eq!(store.clear().unwrap(), 2);
        drop(store);
        assert_eq!(Store::open(&file).unwrap().load().unwrap().revision, 2);
    }

    #[test]
    fn whoever_had_read_an_older_revision_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("state.db")).unwrap();
        let changes = |after| Changes::between(&realm(), &RealmEstate::default(), &after).unwrap();
        assert_eq!(store.commit(0, &changes(with_log_group("/a"))).unwrap(), 1);
        let refused = store.commit(0, &changes(with_log_group("/b"))).unwrap_err();
        assert!(matches!(refused, StoreError::Conflict { expected: 0, found: 1 }), "{refused}");
        let loaded = store.load().unwrap();
        assert_eq!((loaded.revision, &*loaded.estate.realms[&realm()]), (1, &with_log_group("/a")));
    }
}
