//! The tables of log events, and what of them is held in memory. The format is versioned; a newer one is refused.

use std::collections::HashMap;
use std::path::PathBuf;

use rusqlite::Connection;
use topology::arn::LogGroupArn;
use topology::id::Realm;
use topology::time::Moment;

use super::{EVENT_BYTES, Group, LogError};

/// The format that this program writes.
const FORMAT: i64 = 1;

/// Groups by name, and streams by group and name.
pub(super) type Known = (HashMap<LogGroupArn, Group>, HashMap<(i64, String), i64>);

/// Makes what is not there.
pub(super) fn prepare(connection: &Connection) -> Result<(), LogError> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > FORMAT {
        return Err(LogError::Newer { file: PathBuf::new(), format: found });
    }
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS log_group (
             id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
             created INTEGER NOT NULL, UNIQUE (account, region, name));
         CREATE TABLE IF NOT EXISTS log_stream (
             id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL,
             UNIQUE (owner, name));
         CREATE TABLE IF NOT EXISTS log_event (
             id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, stream INTEGER NOT NULL, at INTEGER NOT NULL,
             ingested INTEGER NOT NULL, message TEXT NOT NULL);
         CREATE INDEX IF NOT EXISTS event_by_stream ON log_event (stream, at, id);
         CREATE INDEX IF NOT EXISTS event_by_owner ON log_event (owner, at, id);",
    )?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    Ok(())
}

/// Reads what is held in memory. Rows that name no account, region or group are left out, and so forgotten by nobody's estate.
pub(super) fn load(connection: &Connection) -> Result<Known, LogError> {
    let mut groups = HashMap::new();
    let mut statement = connection.prepare("SELECT id, account, region, name, created FROM log_group")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (account, region, name): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let (Ok(account), Ok(region), Ok(name)) = (account.parse(), region.parse(), name.parse()) else { continue };
        let (id, created) = (row.get(0)?, Moment(row.get(4)?));
        let arn = LogGroupArn { realm: Realm { account, region }, name };
        groups.insert(arn, Group { id, created, retention_ms: None, bytes: weigh(connection, id)? });
    }
    let mut streams = HashMap::new();
    let mut statement = connection.prepare("SELECT id, owner, name FROM log_stream")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        streams.insert((row.get(1)?, row.get(2)?), row.get(0)?);
    }
    Ok((groups, streams))
}

/// What a group holds.
pub(super) fn weigh(connection: &Connection, group: i64) -> Result<i64, LogError> {
    let sum = "SELECT coalesce(sum(length(CAST(message AS BLOB)) + ?2), 0) FROM log_event WHERE owner = ?1";
    Ok(connection.query_row(sum, [group, EVENT_BYTES], |row| row.get(0))?)
}
