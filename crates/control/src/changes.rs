//! What a write changed, as data: rows that can be stored, sent, and put into another copy of the same estate. Values are JSON, in the
//! form that a store keeps.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use topology::estate::{PartOf, RealmEstate, Table};
use topology::id::Realm;

/// The name of a table of a [`RealmEstate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TableName(&'static str);

/// No table is called so: a row of a newer program, or of no program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it holds a {0}, which this program does not know")]
pub struct UnknownTable(pub String);

/// Why a row cannot be written.
#[derive(Debug, Error)]
#[error("a row of {} cannot be written: {source}", .table.as_str())]
pub struct Unwritable {
    /// Its table.
    pub table: TableName,
    /// What is wrong.
    pub source: serde_json::Error,
}

/// Why a row cannot be read.
#[derive(Debug, Error)]
#[error("it holds a row of {}, {key}, that cannot be read: {source}", .table.as_str())]
pub struct Unreadable {
    /// Its table.
    pub table: TableName,
    /// Its key.
    pub key: String,
    /// What is wrong.
    pub source: serde_json::Error,
}

/// One resource that is new, other or gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its table.
    pub table: TableName,
    /// Its key, in JSON.
    pub key: String,
    /// The resource, in JSON; `None` when it is gone.
    pub value: Option<String>,
}

/// What a write changed of one realm: each key at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The realm.
    pub realm: Realm,
    /// What changed, table by table.
    pub rows: Vec<Row>,
}

impl TableName {
    /// As stores spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl<'de> Deserialize<'de> for TableName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Changes {
    /// What differs between two states of a realm. Tables that were not edited are not looked at.
    ///
    /// # Errors
    /// When a resource has no form in JSON.
    pub fn between(realm: &Realm, before: &RealmEstate, after: &RealmEstate) -> Result<Self, Unwritable> {
        Ok(Self { realm: realm.clone(), rows: rows(before, after)? })
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Row {
    /// Puts it into another copy of the realm.
    ///
    /// # Errors
    /// When it does not hold what its table wants; nothing is put in then.
    pub fn put_into(&self, estate: &mut RealmEstate) -> Result<(), Unreadable> {
        put(estate, self)
    }
}

fn add_rows<K: Ord + Clone + Serialize, V: Serialize>(
    table: TableName,
    before: &Table<K, V>,
    after: &Table<K, V>,
    rows: &mut Vec<Row>,
) -> Result<(), Unwritable> {
    for (key, value) in before.changes(after) {
        let value = value.map(|value| write(table, value)).transpose()?;
        rows.push(Row { table, key: write(table, key)?, value });
    }
    Ok(())
}

fn write<T: Serialize>(table: TableName, value: &T) -> Result<String, Unwritable> {
    serde_json::to_string(value).map_err(|source| Unwritable { table, source })
}

fn read<T: DeserializeOwned>(row: &Row, text: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|source| Unreadable { table: row.table, key: row.key.clone(), source })
}

fn put_row<K, V>(table: &mut Table<K, V>, row: &Row) -> Result<(), Unreadable>
where
    K: Ord + Clone + DeserializeOwned,
    V: PartOf + DeserializeOwned,
{
    let key = read(row, &row.key)?;
    match &row.value {
        Some(value) => table.insert(key, read(row, value)?),
        None => drop(table.remove(&key)),
    }
    Ok(())
}

macro_rules! per_table {
    ($($field:ident: $key:ty => $value:ty,)*) => {
        impl std::str::FromStr for TableName {
            type Err = UnknownTable;

            fn from_str(name: &str) -> Result<Self, UnknownTable> {
                match name {
                    $(stringify!($field) => Ok(Self(stringify!($field))),)*
                    _ => Err(UnknownTable(name.to_owned())),
                }
            }
        }

        fn rows(before: &RealmEstate, after: &RealmEstate) -> Result<Vec<Row>, Unwritable> {
            let mut rows = Vec::new();
            $(add_rows(TableName(stringify!($field)), &before.$field, &after.$field, &mut rows)?;)*
            Ok(rows)
        }

        fn put(estate: &mut RealmEstate, row: &Row) -> Result<(), Unreadable> {
            match row.table.0 {
                $(stringify!($field) => put_row(&mut estate.$field, row),)*
                // Names are made from the same list.
                _ => Ok(()),
            }
        }
    };
}

topology::for_each_table!(per_table);
