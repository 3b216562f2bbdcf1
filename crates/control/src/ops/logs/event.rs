//! Log events: put, read by stream, and searched by group (CloudWatch Logs API reference, 2026-11).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use topology::time::Moment;
use wire::Fault;
use wire::logs as shapes;

use super::pattern::Pattern;
use super::{broken, group_by, invalid, known_group, stream};
use crate::context::Context;
use crate::log_book::{Cursor, DAY_MS, Event, Line, LogError, Order, Page, Range, weight};

/// Events of a page: 10,000 at most.
const PAGE_EVENTS_MAX: usize = 10_000;
/// Bytes of a page: 1 MiB at most.
const PAGE_BYTES_MAX: i64 = 1024 * 1024;
/// Events that one search looks at. Ours: a search holds up the control thread. Above: the page ends early, with a token.
const LOOKS_MAX: usize = 10_000;
/// Names of streams that a search may list.
const STREAM_NAMES_MAX: usize = 100;
/// Events, and bytes of them, that one call may put.
const PUT_EVENTS_MAX: usize = 10_000;
const PUT_BYTES_MAX: i64 = 1_048_576;
/// How far the events of one call may lie apart, and from now.
const PUT_SPAN_MS: i64 = DAY_MS;
const PUT_PAST_MS: i64 = 14 * DAY_MS;
const PUT_FUTURE_MS: i64 = 2 * 3600 * 1000;

fn range(context: &Context<'_>, times: (Option<i64>, Option<i64>)) -> Result<Range, Fault> {
    let (from, until) = (times.0.map(Moment), times.1.map(Moment));
    if from.zip(until).is_some_and(|(from, until)| from > until) {
        return Err(invalid("startTime must not be after endTime."));
    }
    Ok(Range { from, until, beyond: None, order: Order::Forward, now: context.now })
}

fn page(limit: Option<i64>) -> Page {
    let events_max = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_EVENTS_MAX);
    Page { events_max: events_max.min(PAGE_EVENTS_MAX), bytes_max: PAGE_BYTES_MAX, looks_max: LOOKS_MAX }
}

pub(super) fn get(
    context: &Context<'_>,
    input: &shapes::GetLogEventsRequest,
) -> Result<shapes::GetLogEventsResponse, Fault> {
    let group = group_by(context, (input.log_group_name.as_deref(), input.log_group_identifier.as_deref()))?;
    let mut range = range(context, (input.start_time, input.end_time))?;
    let token = input.next_token.as_deref().map(read_token).transpose()?;
    (range.order, range.beyond) = match token {
        Some((order, place)) => (order, Some(place)),
        None if input.start_from_head == Some(true) => (Order::Forward, None),
        None => (Order::Backward, None),
    };
    let found = context.logs.of_stream(&group, &input.log_stream_name, range, page(input.limit));
    let mut events = found.map_err(unknown_stream)?.events;
    if range.order == Order::Backward {
        events.reverse();
    }
    // A page without events leads nowhere else: its tokens are where it began.
    let beginning = Cursor { at: Moment(0), number: 0 };
    let here = range.beyond.unwrap_or(beginning);
    let first = events.first().map_or(here, |event| event.place);
    let last = events.last().map_or(here, |event| event.place);
    Ok(shapes::GetLogEventsResponse {
        events: Some(events.into_iter().map(render).collect()),
        next_backward_token: Some(write_token('b', first)),
        next_forward_token: Some(write_token('f', last)),
    })
}

fn unknown_stream(error: LogError) -> Fault {
    match error {
        LogError::Unknown => stream::not_found(),
        other => broken(&other),
    }
}

fn render(event: Event) -> shapes::OutputLogEvent {
    shapes::OutputLogEvent {
        ingestion_time: Some(event.ingested.0),
        message: Some(event.message),
        timestamp: Some(event.place.at.0),
    }
}

/// `f/` or `b/` and 56 digits, the length that AWS's have.
fn write_token(direction: char, place: Cursor) -> String {
    format!("{direction}/{}", number(place))
}

/// A place as 56 digits: also the event's id.
fn number(place: Cursor) -> String {
    format!("{:028}{:028}", place.at.0.max(0), place.number)
}

fn read_token(token: &str) -> Result<(Order, Cursor), Fault> {
    let bad = || invalid("The specified nextToken is invalid.");
    let (direction, digits) = token.split_once('/').ok_or_else(bad)?;
    let order = match direction {
        "f" => Order::Forward,
        "b" => Order::Backward,
        _ => return Err(bad()),
    };
    if digits.len() != 56 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    let (at, number) = digits.split_at(28);
    let part = |digits: &str| digits.parse().map_err(|_| bad());
    Ok((order, Cursor { at: Moment(part(at)?), number: part(number)? }))
}

pub(super) fn filter(
    context: &Context<'_>,
    input: &shapes::FilterLogEventsRequest,
) -> Result<shapes::FilterLogEventsResponse, Fault> {
    let group = group_by(context, (input.log_group_name.as_deref(), input.log_group_identifier.as_deref()))?;
    let names = input.log_stream_names.as_deref();
    let prefix = input.log_stream_name_prefix.as_deref();
    if names.is_some() && prefix.is_some() {
        return Err(invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters."));
    }
    if names.is_some_and(|names| names.len() > STREAM_NAMES_MAX) {
        return Err(invalid(format!("logStreamNames holds at most {STREAM_NAMES_MAX} names")));
    }
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default()).map_err(invalid)?;
    let mut range = range(context, (input.start_time, input.end_time))?;
    range.beyond = input.next_token.as_deref().map(read_search_token).transpose()?;
    let wanted = |stream: &str, message: &str| {
        names.is_none_or(|names| names.iter().any(|name| name == stream))
            && prefix.is_none_or(|prefix| stream.starts_with(prefix))
            && pattern.matches(message)
    };
    let found = context.logs.of_group(&group, range, page(input.limit), wanted).map_err(|error| broken(&error))?;
    let events = found.events.into_iter().map(|event| shapes::FilteredLogEvent {
        event_id: Some(number(event.place)),
        ingestion_time: Some(event.ingested.0),
        log_stream_name: Some(event.stream),
        message: Some(event.message),
        timestamp: Some(event.place.at.0),
    });
    Ok(shapes::FilterLogEventsResponse {
        events: Some(events.collect()),
        next_token: found.more_beyond.map(|place| URL_SAFE_NO_PAD.encode(number(place))),
        searched_log_streams: Some(Vec::new()),
    })
}

fn read_search_token(token: &str) -> Result<Cursor, Fault> {
    let bad = || invalid("The specified nextToken is invalid.");
    let digits = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad)?;
    read_token(&format!("f/{digits}")).map(|(_, place)| place)
}

pub(super) fn put(
    context: &Context<'_>,
    input: &shapes::PutLogEventsRequest,
) -> Result<shapes::PutLogEventsResponse, Fault> {
    let group = known_group(context, &input.log_group_name)?;
    if !context.logs.has_stream(&group, &input.log_stream_name) {
        return Err(stream::not_found());
    }
    check_batch(&input.log_events)?;
    let now = context.now;
    let days = context.estate().log_groups.get(&group.name).and_then(|group| group.retention_days);
    let kept_ms = days.map_or(i64::MAX, |days| i64::from(days) * DAY_MS);
    let at = |event: &shapes::InputLogEvent| now.ms_since(Moment(event.timestamp));
    let too_old = input.log_events.partition_point(|event| at(event) > PUT_PAST_MS);
    let expired = input.log_events.partition_point(|event| at(event) > kept_ms);
    let too_new = input.log_events.partition_point(|event| at(event) >= -PUT_FUTURE_MS);
    let taken = input.log_events.get(too_old.max(expired)..too_new).unwrap_or_default();
    let lines: Vec<_> = taken
        .iter()
        .map(|event| Line {
            group: &group,
            stream: &input.log_stream_name,
            at: Moment(event.timestamp),
            message: &event.message,
        })
        .collect();
    context.logs.append(&lines, now).map_err(|error| broken(&error))?;
    let place = |count: usize| i64::try_from(count).ok();
    let rejected = shapes::RejectedLogEventsInfo {
        expired_log_event_end_index: place(expired).filter(|count| *count > 0),
        too_new_log_event_start_index: place(too_new).filter(|_| too_new < input.log_events.len()),
        too_old_log_event_end_index: place(too_old).filter(|count| *count > 0),
    };
    Ok(shapes::PutLogEventsResponse {
        // Long without a meaning; clients may still hand it back.
        next_sequence_token: Some(format!("{:056}", 0)),
        rejected_log_events_info: Some(rejected).filter(|_| taken.len() < input.log_events.len()),
    })
}

fn check_batch(events: &[shapes::InputLogEvent]) -> Result<(), Fault> {
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    let span =
        events.first().zip(events.last()).map_or(0, |(first, last)| last.timestamp.saturating_sub(first.timestamp));
    if span > PUT_SPAN_MS {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    let bytes: i64 = events.iter().map(|event| weight(&event.message)).fold(0, i64::saturating_add);
    if events.len() > PUT_EVENTS_MAX || bytes > PUT_BYTES_MAX {
        return Err(invalid(format!(
            "A batch holds at most {PUT_EVENTS_MAX} log events and {PUT_BYTES_MAX} bytes, 26 of them for each event"
        )));
    }
    Ok(())
}
