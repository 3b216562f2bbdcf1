//! CloudWatch Logs: groups here, streams and events beside. Groups are resources of the estate; the rest is in the log book.

mod event;
mod pattern;
mod stream;

use topology::arn::LogGroupArn;
use topology::resource::Tags;
use topology::resource::log_group::LogGroup;
use wire::Fault;
use wire::logs::*;

use crate::context::Context;
use crate::log_book::LogError;
use crate::ops::paging;

/// The retention times that the service takes, in days (CloudWatch Logs API reference, PutRetentionPolicy, 2026-11).
const RETENTION_DAYS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
/// Tags of a log group: 50 at most (CloudWatch Logs API reference, TagResource, 2026-11).
const TAGS_MAX: usize = 50;
/// At most this many groups on a page.
const PAGE_MAX: usize = 50;

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", 400, message)
}

fn not_found() -> Fault {
    Fault::new("ResourceNotFoundException", 400, "The specified log group does not exist.")
}

/// The events cannot be read or written.
fn broken(error: &LogError) -> Fault {
    let text = "The service cannot complete the request.";
    Fault::new("ServiceUnavailableException", 503, text).with_detail(error.to_string())
}

fn arn(context: &Context<'_>, name: &str) -> LogGroupArn {
    LogGroupArn { realm: context.realm().clone(), name: name.to_owned() }
}

/// The ARN of the group of this name, which must exist.
fn known_group(context: &Context<'_>, name: &str) -> Result<LogGroupArn, Fault> {
    if context.estate().log_groups.contains(&name.to_owned()) { Ok(arn(context, name)) } else { Err(not_found()) }
}

/// The group of a name or of an identifier, which is a name or an ARN; one of the two must be given.
fn group_by(context: &Context<'_>, by: (Option<&str>, Option<&str>)) -> Result<LogGroupArn, Fault> {
    match by {
        (Some(name), None) => known_group(context, name),
        (None, Some(text)) if text.starts_with("arn:") => known_group(context, name_of(context, text)?),
        (None, Some(name)) => known_group(context, name),
        (Some(_), Some(_)) => Err(invalid("LogGroup name and LogGroup ARN are mutually exclusive parameters.")),
        (None, None) => Err(invalid("Either logGroupName or logGroupIdentifier must be specified.")),
    }
}

/// The name of the group that an ARN names.
fn name_of<'a>(context: &Context<'_>, resource: &'a str) -> Result<&'a str, Fault> {
    let prefix = arn(context, "").to_string();
    let name = resource.strip_prefix(&prefix).ok_or_else(|| invalid("The ARN does not name a log group"))?;
    let name = name.strip_suffix(":*").unwrap_or(name);
    if context.estate().log_groups.contains(&name.to_owned()) { Ok(name) } else { Err(not_found()) }
}

fn edit(context: &mut Context<'_>, name: &str, change: impl FnOnce(&mut LogGroup)) -> Result<(), Fault> {
    if !context.estate().log_groups.contains(&name.to_owned()) {
        return Err(not_found());
    }
    if let Some(group) = context.edit().log_groups.edit(&name.to_owned()) {
        change(group);
    }
    Ok(())
}

/// Tags with more tags over them.
fn merged(known: &Tags, more: Tags) -> Result<Tags, Fault> {
    let mut all = known.clone();
    all.extend(more);
    if all.len() > TAGS_MAX {
        return Err(Fault::new(
            "TooManyTagsException",
            400,
            format!("A resource can have no more than {TAGS_MAX} tags."),
        ));
    }
    Ok(all)
}

fn render(context: &Context<'_>, group: &LogGroup) -> wire::logs::LogGroup {
    let arn = arn(context, &group.name);
    let stored_bytes = context.logs.bytes(&arn);
    let log_group_arn = arn.to_string();
    wire::logs::LogGroup {
        arn: Some(format!("{log_group_arn}:*")),
        creation_time: Some(group.created.0),
        log_group_arn: Some(log_group_arn),
        log_group_class: Some(group.class.clone()),
        log_group_name: Some(group.name.clone()),
        metric_filter_count: Some(0),
        retention_in_days: group.retention_days.map(i64::from),
        stored_bytes: Some(stored_bytes),
    }
}

impl Service for Context<'_> {
    fn create_log_group(&mut self, input: CreateLogGroupRequest) -> Result<(), Fault> {
        let name = input.log_group_name;
        if self.estate().log_groups.contains(&name) {
            return Err(Fault::new("ResourceAlreadyExistsException", 400, "The specified log group already exists"));
        }
        let class = input.log_group_class.unwrap_or_else(|| "STANDARD".to_owned());
        if class == "DELIVERY" {
            return Err(invalid(wire::unserved("the log group class DELIVERY")));
        }
        let tags = merged(&Tags::new(), input.tags.unwrap_or_default())?;
        let group = LogGroup { name: name.clone(), created: self.now, retention_days: None, class, tags };
        self.edit().log_groups.insert(name, group);
        Ok(())
    }

    fn create_log_stream(&mut self, input: CreateLogStreamRequest) -> Result<(), Fault> {
        stream::create(self, &input)
    }

    fn delete_log_stream(&mut self, input: DeleteLogStreamRequest) -> Result<(), Fault> {
        stream::delete(self, &input)
    }

    fn describe_log_streams(&mut self, input: DescribeLogStreamsRequest) -> Result<DescribeLogStreamsResponse, Fault> {
        stream::describe(self, &input)
    }

    fn filter_log_events(&mut self, input: FilterLogEventsRequest) -> Result<FilterLogEventsResponse, Fault> {
        event::filter(self, &input)
    }

    fn get_log_events(&mut self, input: GetLogEventsRequest) -> Result<GetLogEventsResponse, Fault> {
        event::get(self, &input)
    }

    fn put_log_events(&mut self, input: PutLogEventsRequest) -> Result<PutLogEventsResponse, Fault> {
        event::put(self, &input)
    }

    fn delete_log_group(&mut self, input: DeleteLogGroupRequest) -> Result<(), Fault> {
        if !self.estate().log_groups.contains(&input.log_group_name) {
            return Err(not_found());
        }
        self.edit().log_groups.remove(&input.log_group_name);
        Ok(())
    }

    fn put_retention_policy(&mut self, input: PutRetentionPolicyRequest) -> Result<(), Fault> {
        let days =
            u32::try_from(input.retention_in_days).ok().filter(|_| RETENTION_DAYS.contains(&input.retention_in_days));
        let days = days.ok_or_else(|| invalid(format!("retentionInDays must be one of {RETENTION_DAYS:?}")))?;
        edit(self, &input.log_group_name, |group| group.retention_days = Some(days))
    }

    fn delete_retention_policy(&mut self, input: DeleteRetentionPolicyRequest) -> Result<(), Fault> {
        edit(self, &input.log_group_name, |group| group.retention_days = None)
    }

    fn describe_log_groups(&mut self, input: DescribeLogGroupsRequest) -> Result<DescribeLogGroupsResponse, Fault> {
        if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
            return Err(invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
        }
        let wanted = |group: &LogGroup| {
            input.log_group_name_prefix.as_deref().is_none_or(|prefix| group.name.starts_with(prefix))
                && input.log_group_name_pattern.as_deref().is_none_or(|part| group.name.contains(part))
                && input.log_group_class.as_deref().is_none_or(|class| group.class == class)
        };
        let groups = self.estate().log_groups.values().filter(|group| wanted(group));
        let groups: Vec<_> = groups.map(|group| render(self, group)).collect();
        let size = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_MAX);
        let page = paging::page(groups, Some(size), input.next_token.as_deref());
        let (groups, next_token) = page.map_err(|paging::BadToken| invalid("The specified nextToken is invalid."))?;
        Ok(DescribeLogGroupsResponse { log_groups: Some(groups), next_token })
    }

    fn list_tags_for_resource(
        &mut self,
        input: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, Fault> {
        let name = name_of(self, &input.resource_arn)?;
        let tags = self.estate().log_groups.get(&name.to_owned()).map(|group| group.tags.clone());
        Ok(ListTagsForResourceResponse { tags })
    }

    fn tag_resource(&mut self, input: TagResourceRequest) -> Result<(), Fault> {
        let name = name_of(self, &input.resource_arn)?;
        let known = self.estate().log_groups.get(&name.to_owned()).map(|group| group.tags.clone());
        let tags = merged(&known.unwrap_or_default(), input.tags)?;
        edit(self, name, |group| group.tags = tags)
    }

    fn untag_resource(&mut self, input: UntagResourceRequest) -> Result<(), Fault> {
        let name = name_of(self, &input.resource_arn)?;
        edit(self, name, |group| group.tags.retain(|key, _| !input.tag_keys.contains(key)))
    }
}
