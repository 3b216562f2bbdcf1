//! Log streams: made, listed and deleted. They live with the events, not in the estate.

use topology::arn::LogGroupArn;
use wire::Fault;
use wire::logs as shapes;

use super::{broken, group_by, invalid, known_group};
use crate::context::Context;
use crate::log_book::{LogError, Stream};
use crate::ops::paging;

/// At most this many streams on a page.
const PAGE_MAX: usize = 50;
/// Characters of a stream's name.
const NAME_CHARS_MAX: usize = 512;

pub(super) fn not_found() -> Fault {
    Fault::new("ResourceNotFoundException", 400, "The specified log stream does not exist.")
}

pub(super) fn create(context: &Context<'_>, input: &shapes::CreateLogStreamRequest) -> Result<(), Fault> {
    let group = known_group(context, &input.log_group_name)?;
    let name = &input.log_stream_name;
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains([':', '*']) {
        return Err(invalid(format!("The log stream name {name:?} is not valid")));
    }
    match context.logs.create_stream(&group, name, context.now) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Fault::new("ResourceAlreadyExistsException", 400, "The specified log stream already exists")),
        Err(error) => Err(broken(&error)),
    }
}

pub(super) fn delete(context: &Context<'_>, input: &shapes::DeleteLogStreamRequest) -> Result<(), Fault> {
    let group = known_group(context, &input.log_group_name)?;
    context.logs.delete_stream(&group, &input.log_stream_name).map_err(|error| match error {
        LogError::Unknown => not_found(),
        other => broken(&other),
    })
}

pub(super) fn describe(
    context: &Context<'_>,
    input: &shapes::DescribeLogStreamsRequest,
) -> Result<shapes::DescribeLogStreamsResponse, Fault> {
    let group = group_by(context, (input.log_group_name.as_deref(), input.log_group_identifier.as_deref()))?;
    let prefix = input.log_stream_name_prefix.as_deref();
    let by_time = input.order_by.as_deref() == Some("LastEventTime");
    if by_time && prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let mut streams = context.logs.streams(&group).map_err(|error| broken(&error))?;
    streams.retain(|stream| prefix.is_none_or(|prefix| stream.name.starts_with(prefix)));
    if by_time {
        streams.sort_by_key(|stream| stream.span.map(|(_, last)| last));
    }
    if input.descending == Some(true) {
        streams.reverse();
    }
    let size = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_MAX);
    let page = paging::page(streams, Some(size), input.next_token.as_deref());
    let (streams, next_token) = page.map_err(|paging::BadToken| invalid("The specified nextToken is invalid."))?;
    let log_streams = streams.into_iter().map(|stream| render(&group, stream)).collect();
    Ok(shapes::DescribeLogStreamsResponse { log_streams: Some(log_streams), next_token })
}

fn render(group: &LogGroupArn, stream: Stream) -> shapes::LogStream {
    shapes::LogStream {
        arn: Some(format!("{group}:log-stream:{}", stream.name)),
        creation_time: Some(stream.created.0),
        first_event_timestamp: stream.span.map(|(first, _)| first.0),
        last_event_timestamp: stream.span.map(|(_, last)| last.0),
        last_ingestion_time: stream.last_ingested.map(|at| at.0),
        log_stream_name: Some(stream.name),
    }
}
