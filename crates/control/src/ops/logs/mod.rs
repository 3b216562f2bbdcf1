//! CloudWatch Logs: groups here, streams and events beside. Groups are resources of the estate; the rest is in the log book.

mod event;
mod pattern;
mod stream;

use topology::arn::LogGroupArn;
use topology::id::LogGroupName;
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

fn arn(context: &Context<'_>, name: LogGroupName) -> LogGroupArn {
    LogGroupArn { realm: context.realm().clone(), name }
}

/// The group of this name.
fn known<'c>(context: &'c Context<'_>, name: &str) -> Result<&'c LogGroup, Fault> {
    let found = name.parse().ok().and_then(|name| context.estate().log_groups.get(&name));
    found.map(|group| &**group).ok_or_else(not_found)
}

/// The ARN of the group of this name, which must exist.
fn known_group(context: &Context<'_>, name: &str) -> Result<LogGroupArn, Fault> {
    known(context, name).map(|group| arn(context, group.name.clone()))
}

/// The group of a name or of an identifier, which is a name or an ARN; one of the two must be given.
fn group_by(context: &Context<'_>, by: (Option<&str>, Option<&str>)) -> Result<LogGroupArn, Fault> {
    match by {
        (Some(name), None) => known_group(context, name),
        (None, Some(text)) if text.starts_with("arn:") => {
            named(context, text).map(|group| arn(context, group.name.clone()))
        }
        (None, Some(name)) => known_group(context, name),
        (Some(_), Some(_)) => Err(invalid("LogGroup name and LogGroup ARN are mutually exclusive parameters.")),
        (None, None) => Err(invalid("Either logGroupName or logGroupIdentifier must be specified.")),
    }
}

/// The group that an ARN names.
fn named<'c>(context: &'c Context<'_>, resource: &str) -> Result<&'c LogGroup, Fault> {
    let arn = resource.parse().ok().filter(|arn: &LogGroupArn| arn.realm == *context.realm());
    let arn = arn.ok_or_else(|| invalid("The ARN does not name a log group"))?;
    context.estate().log_groups.get(&arn.name).map(|group| &**group).ok_or_else(not_found)
}

fn edit(context: &mut Context<'_>, name: &str, change: impl FnOnce(&mut LogGroup)) -> Result<(), Fault> {
    let name = known(context, name)?.name.clone();
    if let Some(group) = context.edit().log_groups.edit(&name) {
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
    let arn = arn(context, group.name.clone());
    let stored_bytes = context.logs.bytes(&arn);
    let log_group_arn = arn.to_string();
    wire::logs::LogGroup {
        arn: Some(format!("{log_group_arn}:*")),
        creation_time: Some(group.created.0),
        log_group_arn: Some(log_group_arn),
        log_group_class: Some(group.class.clone()),
        log_group_name: Some(group.name.to_string()),
        metric_filter_count: Some(0),
        retention_in_days: group.retention_days.map(i64::from),
        stored_bytes: Some(stored_bytes),
    }
}

impl Service for Context<'_> {
    fn create_log_group(&mut self, input: CreateLogGroupRequest) -> Result<(), Fault> {
        let name: LogGroupName =
            input.log_group_name.parse().map_err(|_| invalid("The log group name is not valid."))?;
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
        let name = known(self, &input.log_group_name)?.name.clone();
        self.edit().log_groups.remove(&name);
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
            input.log_group_name_prefix.as_deref().is_none_or(|prefix| group.name.as_str().starts_with(prefix))
                && input.log_group_name_pattern.as_deref().is_none_or(|part| group.name.as_str().contains(part))
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
        let tags = Some(named(self, &input.resource_arn)?.tags.clone());
        Ok(ListTagsForResourceResponse { tags })
    }

    fn tag_resource(&mut self, input: TagResourceRequest) -> Result<(), Fault> {
        let known = named(self, &input.resource_arn)?;
        let (name, tags) = (known.name.to_string(), merged(&known.tags, input.tags)?);
        edit(self, &name, |group| group.tags = tags)
    }

    fn untag_resource(&mut self, input: UntagResourceRequest) -> Result<(), Fault> {
        let name = named(self, &input.resource_arn)?.name.to_string();
        edit(self, &name, |group| group.tags.retain(|key, _| !input.tag_keys.contains(key)))
    }
}
