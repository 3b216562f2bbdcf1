//! Reading events: pages by time, of one stream or of a group, and the list of streams.

use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};
use topology::arn::LogGroupArn;
use topology::time::Moment;

use super::{Inner, LogBook, LogError, weight};

/// Where an event stands among all: by time, then in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When it happened.
    pub at: Moment,
    /// Its number.
    pub number: i64,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where it stands.
    pub place: Cursor,
    /// When it came in.
    pub ingested: Moment,
    /// The name of its stream.
    pub stream: String,
    /// What happened.
    pub message: String,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Moment,
    /// When its first and its last event happened.
    pub span: Option<(Moment, Moment)>,
    /// When its last event came in.
    pub last_ingested: Option<Moment>,
}

/// Which way a page is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// From the oldest on.
    Forward,
    /// From the newest back.
    Backward,
}

/// Which events are meant.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// From this moment on.
    pub from: Option<Moment>,
    /// Before this moment.
    pub until: Option<Moment>,
    /// Beyond this place, in the direction in which the page is read.
    pub beyond: Option<Cursor>,
    /// Which way.
    pub order: Order,
    /// What time it is, for the group's retention.
    pub now: Moment,
}

/// How much a page may hold.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Events.
    pub events_max: usize,
    /// Bytes of messages; one event always fits.
    pub bytes_max: i64,
    /// Events that are looked at.
    pub looks_max: usize,
}

/// What a page gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The events, in the direction in which they were read.
    pub events: Vec<Event>,
    /// The last place that was looked at, when there may be more beyond it.
    pub more_beyond: Option<Cursor>,
}

impl LogBook {
    /// The streams of a group, by name.
    ///
    /// # Errors
    /// When the group is unknown or SQLite says no.
    pub fn streams(&self, group: &LogGroupArn) -> Result<Vec<Stream>, LogError> {
        let inner = self.lock();
        let id = inner.groups.get(group).ok_or(LogError::Unknown)?.id;
        let mut statement = inner.connection.prepare_cached(
            "SELECT name, created, (SELECT min(at) FROM log_event WHERE stream = log_stream.id),
                    (SELECT max(at) FROM log_event WHERE stream = log_stream.id),
                    (SELECT ingested FROM log_event WHERE stream = log_stream.id ORDER BY at DESC, id DESC LIMIT 1)
             FROM log_stream WHERE owner = ?1 ORDER BY name",
        )?;
        let streams = statement.query_map([id], |row| {
            let (first, last): (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
            Ok(Stream {
                name: row.get(0)?,
                created: Moment(row.get(1)?),
                span: first.zip(last).map(|(first, last)| (Moment(first), Moment(last))),
                last_ingested: row.get::<_, Option<i64>>(4)?.map(Moment),
            })
        })?;
        Ok(streams.collect::<Result<_, _>>()?)
    }

    /// Events of one stream.
    ///
    /// # Errors
    /// When the stream is unknown or SQLite says no.
    pub fn of_stream(&self, group: &LogGroupArn, stream: &str, range: Range, page: Page) -> Result<Found, LogError> {
        let inner = self.lock();
        let (_, id) = inner.find(group, stream)?;
        inner.read(group, ("stream", id), range, page, |_, _| true)
    }

    /// Events of a group that `wanted` wants, by stream and message.
    ///
    /// # Errors
    /// When the group is unknown or SQLite says no.
    pub fn of_group(
        &self,
        group: &LogGroupArn,
        range: Range,
        page: Page,
        wanted: impl Fn(&str, &str) -> bool,
    ) -> Result<Found, LogError> {
        let inner = self.lock();
        let id = inner.groups.get(group).ok_or(LogError::Unknown)?.id;
        inner.read(group, ("owner", id), range, page, wanted)
    }
}

impl Inner {
    fn read(
        &self,
        group: &LogGroupArn,
        (column, id): (&'static str, i64),
        range: Range,
        page: Page,
        wanted: impl Fn(&str, &str) -> bool,
    ) -> Result<Found, LogError> {
        let kept_from = self.groups.get(group).ok_or(LogError::Unknown)?.kept_from(range.now);
        let from = range.from.map_or(kept_from, |from| from.max(kept_from));
        let (beyond, direction) = match range.order {
            Order::Forward => (">", "ASC"),
            Order::Backward => ("<", "DESC"),
        };
        let mut sql = format!(
            "SELECT e.at, e.id, e.ingested, s.name, e.message FROM log_event e JOIN log_stream s ON s.id = e.stream
             WHERE e.{column} = ? AND e.at >= ?"
        );
        let mut values = vec![Value::from(id), Value::from(from.0)];
        if let Some(until) = range.until {
            sql.push_str(" AND e.at < ?");
            values.push(Value::from(until.0));
        }
        if let Some(place) = range.beyond {
            sql.push_str(&format!(" AND (e.at, e.id) {beyond} (?, ?)"));
            values.extend([Value::from(place.at.0), Value::from(place.number)]);
        }
        sql.push_str(&format!(" ORDER BY e.at {direction}, e.id {direction}"));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let (mut found, mut bytes, mut looks, mut last) = (Found::default(), 0, 0, None);
        while let Some(row) = rows.next()? {
            let event = event(row)?;
            let is_full = found.events.len() >= page.events_max
                || (bytes + weight(&event.message) > page.bytes_max && !found.events.is_empty());
            if is_full || looks >= page.looks_max {
                found.more_beyond = last;
                return Ok(found);
            }
            looks += 1;
            last = Some(event.place);
            if wanted(&event.stream, &event.message) {
                bytes += weight(&event.message);
                found.events.push(event);
            }
        }
        Ok(found)
    }
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        place: Cursor { at: Moment(row.get(0)?), number: row.get(1)? },
        ingested: Moment(row.get(2)?),
        stream: row.get(3)?,
        message: row.get(4)?,
    })
}
