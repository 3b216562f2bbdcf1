//! The events of log groups: a second notebook beside the store, in SQLite too, because events come at the rate of traffic
//! and must not pass through the commits of resources. Whoever has lines appends them from a thread of their own;
//! operations read here. Which groups there are is the estate's: [`LogBook::follow`] keeps the two together.
//!
//! What was appended survives the end of the process, not the loss of power (WAL, normal synchronisation; decision 0008).
//! Bounded in bytes: above, the oldest events of the largest group give way. Retention is obeyed when events are read, and
//! expired ones are deleted now and then.

mod query;
mod schema;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, params};
use thiserror::Error;
use topology::arn::LogGroupArn;
use topology::estate::Table;
use topology::id::{LogGroupName, Realm};
use topology::resource::log_group::LogGroup;
use topology::time::Moment;

use crate::sqlite::{self, Synchronous, Trouble};

pub use query::{Cursor, Event, Order, Page, Range, Stream};

/// Bytes of messages that are kept in a file. Ours. Above: the oldest of the largest group give way.
const FILE_BYTES_MAX: i64 = 1024 * 1024 * 1024;
/// The same in memory.
const MEMORY_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// What an event weighs besides its message (CloudWatch Logs API reference, PutLogEvents, 2026-11).
pub const EVENT_BYTES: i64 = 26;
/// How often expired events are deleted while lines come in.
const EXPIRY_INTERVAL_MS: i64 = 60_000;
/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 24 * 3600 * 1000;

/// Why events could not be kept or read.
#[derive(Debug, Error)]
pub enum LogError {
    /// SQLite says no.
    #[error("the log events cannot be used: {0}")]
    Sqlite(#[from] Trouble),
    /// Another program wrote a newer format.
    #[error("{}: the log events were written in format {format}, which this program does not read", .file.display())]
    Newer {
        /// Which file.
        file: PathBuf,
        /// The format found.
        format: i64,
    },
    /// The group, or the stream in it, does not exist.
    #[error("there is no such log stream")]
    Unknown,
}

impl From<rusqlite::Error> for LogError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.into())
    }
}

impl LogError {
    /// The same, with the name of the file.
    fn of(self, path: &Path) -> Self {
        match self {
            Self::Sqlite(trouble) => Self::Sqlite(trouble.of(Some(path))),
            Self::Newer { format, .. } => Self::Newer { file: path.to_owned(), format },
            Self::Unknown => Self::Unknown,
        }
    }
}

/// A line to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The log group.
    pub group: &'a LogGroupArn,
    /// The stream, which is made if it is not there.
    pub stream: &'a str,
    /// When it happened.
    pub at: Moment,
    /// What.
    pub message: &'a str,
}

/// A group as it is known here.
#[derive(Debug, Clone, Copy)]
struct Group {
    id: i64,
    created: Moment,
    retention_ms: Option<i64>,
    bytes: i64,
}

impl Group {
    /// The first moment that is kept.
    fn kept_from(&self, now: Moment) -> Moment {
        self.retention_ms.map_or(Moment(i64::MIN), |ms| now.plus_ms(-ms))
    }
}

/// The events of every log group.
#[derive(Debug)]
pub struct LogBook(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    connection: Connection,
    bytes_max: i64,
    groups: HashMap<LogGroupArn, Group>,
    streams: HashMap<(i64, String), i64>,
    expire_at: Moment,
}

impl LogBook {
    /// Opens or makes the events in this file.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn open(file: &Path) -> Result<Self, LogError> {
        let opened = sqlite::open(file, Synchronous::Normal).map_err(LogError::from);
        opened.and_then(|connection| Self::over(connection, FILE_BYTES_MAX)).map_err(|error| error.of(file))
    }

    /// Events that are forgotten when the process ends.
    ///
    /// # Errors
    /// When SQLite cannot make them a place.
    pub fn in_memory() -> Result<Self, LogError> {
        Self::over(Connection::open_in_memory()?, MEMORY_BYTES_MAX)
    }

    fn over(connection: Connection, bytes_max: i64) -> Result<Self, LogError> {
        schema::prepare(&connection)?;
        let (groups, streams) = schema::load(&connection)?;
        Ok(Self(Mutex::new(Inner { connection, bytes_max, groups, streams, expire_at: Moment(0) })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is one transaction: a thread that panicked within one has left nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the groups of one realm in line with the estate: new ones are known, those that are gone lose their events,
    /// and so do those that were made anew under an old name.
    ///
    /// # Errors
    /// When the events cannot be deleted; they are then unreachable, and the next start tries again.
    pub fn follow(&self, realm: &Realm, groups: &Table<LogGroupName, LogGroup>) -> Result<(), LogError> {
        let mut inner = self.lock();
        let gone: Vec<LogGroupArn> = inner.groups.keys().filter(|arn| arn.realm == *realm).cloned().collect();
        let is_same =
            |known: &Group, name: &LogGroupName| groups.get(name).is_some_and(|group| group.created == known.created);
        for arn in gone {
            if !inner.groups.get(&arn).is_some_and(|known| is_same(known, &arn.name)) {
                inner.forget(&arn)?;
            }
        }
        for group in groups.values() {
            let arn = LogGroupArn { realm: realm.clone(), name: group.name.clone() };
            inner.know(arn, group)?;
        }
        Ok(())
    }

    /// Forgets the groups of realms that are not among these.
    ///
    /// # Errors
    /// As [`Self::follow`].
    pub fn keep_realms(&self, realms: &[&Realm]) -> Result<(), LogError> {
        let mut inner = self.lock();
        let gone: Vec<LogGroupArn> = inner.groups.keys().filter(|arn| !realms.contains(&&arn.realm)).cloned().collect();
        gone.iter().try_for_each(|arn| inner.forget(arn))
    }

    /// Keeps lines, in one transaction; returns how many have no log group to go to.
    ///
    /// # Errors
    /// When none of them could be kept.
    pub fn append(&self, lines: &[Line<'_>], now: Moment) -> Result<u64, LogError> {
        let mut inner = self.lock();
        let homeless = inner.append(lines, now)?;
        if now >= inner.expire_at {
            inner.expire(now)?;
            inner.expire_at = now.plus_ms(EXPIRY_INTERVAL_MS);
        }
        inner.make_room()?;
        Ok(homeless)
    }

    /// Deletes what is older than its group's retention.
    ///
    /// # Errors
    /// When SQLite says no.
    pub fn expire(&self, now: Moment) -> Result<(), LogError> {
        self.lock().expire(now)
    }

    /// Bytes that a group holds.
    #[must_use]
    pub fn bytes(&self, group: &LogGroupArn) -> i64 {
        self.lock().groups.get(group).map_or(0, |group| group.bytes)
    }

    /// Whether a group has this stream.
    #[must_use]
    pub fn has_stream(&self, group: &LogGroupArn, stream: &str) -> bool {
        self.lock().find(group, stream).is_ok()
    }

    /// Makes a stream; returns whether there was none.
    ///
    /// # Errors
    /// When the group is unknown or SQLite says no.
    pub fn create_stream(&self, group: &LogGroupArn, stream: &str, now: Moment) -> Result<bool, LogError> {
        let mut inner = self.lock();
        let id = inner.groups.get(group).ok_or(LogError::Unknown)?.id;
        if inner.streams.contains_key(&(id, stream.to_owned())) {
            return Ok(false);
        }
        inner.stream(id, stream, now)?;
        Ok(true)
    }

    /// Deletes a stream with its events.
    ///
    /// # Errors
    /// When it is unknown or SQLite says no.
    pub fn delete_stream(&self, group: &LogGroupArn, stream: &str) -> Result<(), LogError> {
        let mut inner = self.lock();
        let (id, stream_id) = inner.find(group, stream)?;
        inner.connection.execute("DELETE FROM log_event WHERE stream = ?1", [stream_id])?;
        inner.connection.execute("DELETE FROM log_stream WHERE id = ?1", [stream_id])?;
        inner.streams.remove(&(id, stream.to_owned()));
        inner.weigh(id)
    }
}

impl Inner {
    fn find(&self, group: &LogGroupArn, stream: &str) -> Result<(i64, i64), LogError> {
        let group = self.groups.get(group).ok_or(LogError::Unknown)?.id;
        let stream = self.streams.get(&(group, stream.to_owned())).ok_or(LogError::Unknown)?;
        Ok((group, *stream))
    }

    fn know(&mut self, arn: LogGroupArn, group: &LogGroup) -> Result<(), LogError> {
        let retention_ms = group.retention_days.map(|days| i64::from(days) * DAY_MS);
        if let Some(known) = self.groups.get_mut(&arn) {
            known.retention_ms = retention_ms;
            return Ok(());
        }
        self.connection.execute(
            "INSERT INTO log_group (account, region, name, created) VALUES (?1, ?2, ?3, ?4)",
            params![arn.realm.account.to_string(), arn.realm.region.as_str(), arn.name.as_str(), group.created.0],
        )?;
        let id = self.connection.last_insert_rowid();
        self.groups.insert(arn, Group { id, created: group.created, retention_ms, bytes: 0 });
        Ok(())
    }

    fn forget(&mut self, arn: &LogGroupArn) -> Result<(), LogError> {
        let Some(group) = self.groups.remove(arn) else { return Ok(()) };
        self.streams.retain(|(owner, _), _| *owner != group.id);
        let transaction = self.connection.transaction()?;
        transaction.execute("DELETE FROM log_event WHERE owner = ?1", [group.id])?;
        transaction.execute("DELETE FROM log_stream WHERE owner = ?1", [group.id])?;
        transaction.execute("DELETE FROM log_group WHERE id = ?1", [group.id])?;
        transaction.commit()?;
        Ok(())
    }

    fn stream(&mut self, group: i64, name: &str, now: Moment) -> Result<i64, LogError> {
        self.connection.execute(
            "INSERT INTO log_stream (owner, name, created) VALUES (?1, ?2, ?3)",
            params![group, name, now.0],
        )?;
        let id = self.connection.last_insert_rowid();
        self.streams.insert((group, name.to_owned()), id);
        Ok(id)
    }

    fn append(&mut self, lines: &[Line<'_>], now: Moment) -> Result<u64, LogError> {
        let mut homeless = 0;
        let mut placed = Vec::with_capacity(lines.len());
        for line in lines {
            let Some(group) = self.groups.get(line.group).map(|group| group.id) else {
                homeless += 1;
                continue;
            };
            let stream = match self.streams.get(&(group, line.stream.to_owned())) {
                Some(stream) => *stream,
                None => self.stream(group, line.stream, now)?,
            };
            placed.push((group, stream, line));
        }
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO log_event (owner, stream, at, ingested, message) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for (group, stream, line) in &placed {
                insert.execute(params![group, stream, line.at.0, now.0, line.message])?;
            }
        }
        transaction.commit()?;
        for (_, _, line) in &placed {
            if let Some(group) = self.groups.get_mut(line.group) {
                group.bytes += weight(line.message);
            }
        }
        Ok(homeless)
    }

    fn expire(&mut self, now: Moment) -> Result<(), LogError> {
        let limited: Vec<_> = self.groups.values().filter(|group| group.retention_ms.is_some()).copied().collect();
        for group in limited {
            let from = group.kept_from(now).0;
            let gone = self
                .connection
                .execute("DELETE FROM log_event WHERE owner = ?1 AND at < ?2", params![group.id, from])?;
            if gone > 0 {
                self.weigh(group.id)?;
            }
        }
        Ok(())
    }

    /// Deletes an eighth of the largest group, its oldest, until the bound is kept.
    fn make_room(&mut self) -> Result<(), LogError> {
        while self.groups.values().map(|group| group.bytes).sum::<i64>() > self.bytes_max {
            let Some(largest) = self.groups.values().max_by_key(|group| group.bytes).copied() else { return Ok(()) };
            self.connection.execute(
                "DELETE FROM log_event WHERE id IN (SELECT id FROM log_event WHERE owner = ?1 ORDER BY at, id
                 LIMIT (SELECT count(*) / 8 + 1 FROM log_event WHERE owner = ?1))",
                [largest.id],
            )?;
            self.weigh(largest.id)?;
        }
        Ok(())
    }

    /// Counts anew what a group holds.
    fn weigh(&mut self, id: i64) -> Result<(), LogError> {
        let bytes = schema::weigh(&self.connection, id)?;
        if let Some(group) = self.groups.values_mut().find(|group| group.id == id) {
            group.bytes = bytes;
        }
        Ok(())
    }
}

/// What an event counts for.
pub(crate) fn weight(message: &str) -> i64 {
    i64::try_from(message.len()).unwrap_or(i64::MAX).saturating_add(EVENT_BYTES)
}

#[cfg(test)]
mod tests;
