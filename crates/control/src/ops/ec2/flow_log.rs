//! Flow logs of VPCs, subnets and interfaces, into log groups and buckets. What their records say is the data plane's.

use std::borrow::Cow;
use std::sync::Arc;

use topology::arn::LogGroupArn;
use topology::id::{FlowLogId, LogGroupName};
use topology::resource::Tags;
use topology::resource::attribute::is_log_place;
use topology::resource::flow_log::{
    FlowDestination, FlowFormat, FlowInterval, FlowLog, FlowSource, FlowTraffic, FormatError,
};
use topology::resource::log_group::LogGroup;
use wire::Fault;
use wire::ec2 as shapes;

use super::filters::{one, some};
use super::select::Filters;
use super::{fault, select, tags};
use crate::context::Context;

/// Resources of one call (EC2 API reference, CreateFlowLogs, 2026-11).
const RESOURCES_MAX: usize = 1000;

const S3_ARN: &str = "arn:aws:s3:::";

fn invalid(message: impl Into<String>) -> Fault {
    fault::new("InvalidParameter", message)
}

pub(super) fn create(
    context: &mut Context<'_>,
    input: shapes::CreateFlowLogsRequest,
) -> Result<shapes::CreateFlowLogsResult, Fault> {
    if input.resource_ids.is_empty() || input.resource_ids.len() > RESOURCES_MAX {
        return Err(invalid(format!("The number of resource ids must be between 1 and {RESOURCES_MAX}")));
    }
    let sources = input.resource_ids.iter().map(|id| source(context, &input.resource_type, id));
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    let traffic = match input.traffic_type.as_deref() {
        None => return Err(fault::missing("trafficType")),
        Some("ACCEPT") => FlowTraffic::Accept,
        Some("REJECT") => FlowTraffic::Reject,
        Some(_) => FlowTraffic::All,
    };
    let destination = destination(context, &input)?;
    let format = match input.log_format.as_deref() {
        None => FlowFormat::default(),
        Some(text) => text.parse().map_err(|FormatError(wrong)| match wrong {
            Some(word) => invalid(format!("Unknown log format field: {word}")),
            None => invalid("LogFormat must name a field"),
        })?,
    };
    let interval = match input.max_aggregation_interval {
        None | Some(600) => FlowInterval::TenMinutes,
        Some(60) => FlowInterval::Minute,
        Some(_) => return Err(invalid("Invalid Flow Log Max Aggregation Interval")),
    };
    let tags = tags::at_creation(input.tag_specifications, "vpc-flow-log")?;
    let known = |log: &FlowLog| {
        sources.contains(&log.source)
            && log.destination == destination
            && (log.traffic, &log.format) == (traffic, &format)
    };
    if context.estate().flow_logs.values().any(|log| known(log)) {
        let text = "Error. There is an existing Flow Log with the same configuration and log destination.";
        return Err(fault::new("FlowLogAlreadyExists", text));
    }
    if let FlowDestination::Group(name) = &destination {
        make_log_group(context, name);
    }
    let mut ids = Vec::new();
    for source in sources {
        let id = FlowLogId::from_bits(context.mint.wide());
        let made = FlowLog {
            id,
            source,
            traffic,
            destination: destination.clone(),
            role: input.deliver_logs_permission_arn.clone(),
            format: format.clone(),
            interval,
            created: context.now,
            tags: tags.clone(),
        };
        context.edit().flow_logs.insert(id, made);
        ids.push(id.to_string());
    }
    Ok(shapes::CreateFlowLogsResult {
        client_token: input.client_token,
        flow_log_ids: Some(ids),
        unsuccessful: Some(Vec::new()),
    })
}

fn source(context: &Context<'_>, kind: &str, id: &str) -> Result<FlowSource, Fault> {
    let estate = context.estate();
    match kind {
        "VPC" => Ok(FlowSource::Vpc(select::known(&estate.vpcs, id, fault::VPC)?.id)),
        "Subnet" => Ok(FlowSource::Subnet(select::known(&estate.subnets, id, fault::SUBNET)?.id)),
        "NetworkInterface" => {
            Ok(FlowSource::Interface(select::known(&estate.network_interfaces, id, fault::INTERFACE)?.id))
        }
        other => Err(fault::unsupported(&format!("a flow log of a resource of the type {other}"))),
    }
}

/// Where records are to go. Codes and sentences as public reports quote them.
fn destination(context: &Context<'_>, input: &shapes::CreateFlowLogsRequest) -> Result<FlowDestination, Fault> {
    let options = input.destination_options.as_ref();
    let (role, group) = (input.deliver_logs_permission_arn.as_ref(), input.log_group_name.as_deref());
    match input.log_destination_type.as_deref().unwrap_or("cloud-watch-logs") {
        "cloud-watch-logs" => {
            if options.is_some() {
                return Err(invalid("DestinationOptions are for the destination type s3 alone"));
            }
            if role.is_none() {
                return Err(invalid(
                    "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.",
                ));
            }
            let name = match (group, input.log_destination.as_deref()) {
                (Some(name), None) => name.parse().ok(),
                (None, Some(arn)) => {
                    let arn = arn.parse::<LogGroupArn>().ok().filter(|arn| arn.realm == *context.realm());
                    arn.map(|arn| arn.name)
                }
                (Some(_), Some(_)) => {
                    return Err(invalid("Please only provide LogGroupName or only provide LogDestination."));
                }
                (None, None) => return Err(invalid("LogDestination can't be empty if LogGroupName is not provided.")),
            };
            name.map(FlowDestination::Group)
                .ok_or_else(|| invalid("The log group is not one of this account and region"))
        }
        "s3" => {
            if group.is_some() || role.is_some() {
                return Err(invalid("LogGroupName and DeliverLogsPermissionArn are not for the destination type s3"));
            }
            check_options(options)?;
            let arn = input.log_destination.as_deref().ok_or_else(|| invalid("LogDestination can't be empty"))?;
            let path = arn.strip_prefix(S3_ARN).ok_or_else(|| invalid(format!("{arn} is not the ARN of a bucket")))?;
            let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
            let prefix = prefix.trim_matches('/');
            if !is_log_place(bucket, prefix) {
                return Err(invalid(format!("{arn} does not name a bucket and a folder that logs can be kept in")));
            }
            Ok(FlowDestination::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
        }
        other => Err(fault::unsupported(&format!("flow logs to the destination type {other}"))),
    }
}

fn check_options(options: Option<&shapes::DestinationOptionsRequest>) -> Result<(), Fault> {
    let Some(options) = options else { return Ok(()) };
    if options.file_format.as_deref().is_some_and(|format| format != "plain-text") {
        return Err(fault::unsupported("flow logs in the file format parquet"));
    }
    if options.hive_compatible_partitions == Some(true) {
        return Err(fault::unsupported("HiveCompatiblePartitions of flow logs"));
    }
    if options.per_hour_partition == Some(true) {
        return Err(fault::unsupported("PerHourPartition of flow logs"));
    }
    Ok(())
}

/// The service makes the group that is not there.
fn make_log_group(context: &mut Context<'_>, name: &LogGroupName) {
    if context.estate().log_groups.contains(name) {
        return;
    }
    let (created, class) = (context.now, "STANDARD".to_owned());
    let group = LogGroup { name: name.clone(), created, retention_days: None, class, tags: Tags::new() };
    context.edit().log_groups.insert(name.clone(), group);
}

pub(super) fn delete(context: &mut Context<'_>, ids: &[String]) -> Result<shapes::DeleteFlowLogsResult, Fault> {
    for id in ids {
        let known = select::known(&context.estate().flow_logs, id, fault::FLOW_LOG)?;
        context.edit().flow_logs.remove(&known.id);
    }
    Ok(shapes::DeleteFlowLogsResult { unsuccessful: Some(Vec::new()) })
}

pub(super) fn describe(
    context: &Context<'_>,
    ids: Option<Vec<String>>,
    wanted: Option<Vec<shapes::Filter>>,
) -> Result<Vec<shapes::FlowLog>, Fault> {
    let found = select::by_ids(&context.estate().flow_logs, ids, fault::FLOW_LOG)?;
    let kept = FLOW_LOGS.apply(context, found, wanted)?;
    Ok(kept.iter().map(|log| render(context, log)).collect())
}

fn kind(destination: &FlowDestination) -> &'static str {
    match destination {
        FlowDestination::Group(_) => "cloud-watch-logs",
        FlowDestination::Bucket { .. } => "s3",
    }
}

fn group(destination: &FlowDestination) -> Option<String> {
    match destination {
        FlowDestination::Group(name) => Some(name.to_string()),
        FlowDestination::Bucket { .. } => None,
    }
}

fn render(context: &Context<'_>, log: &FlowLog) -> shapes::FlowLog {
    let arn = match &log.destination {
        FlowDestination::Group(name) => LogGroupArn { realm: context.realm().clone(), name: name.clone() }.to_string(),
        FlowDestination::Bucket { bucket, prefix } if prefix.is_empty() => format!("{S3_ARN}{bucket}"),
        FlowDestination::Bucket { bucket, prefix } => format!("{S3_ARN}{bucket}/{prefix}/"),
    };
    let is_bucket = matches!(log.destination, FlowDestination::Bucket { .. });
    shapes::FlowLog {
        creation_time: Some(wire::Timestamp(log.created.0)),
        deliver_logs_error_message: None,
        deliver_logs_permission_arn: log.role.clone(),
        deliver_logs_status: Some("SUCCESS".to_owned()),
        destination_options: is_bucket.then(|| shapes::DestinationOptionsResponse {
            file_format: Some("plain-text".to_owned()),
            hive_compatible_partitions: Some(false),
            per_hour_partition: Some(false),
        }),
        flow_log_id: Some(log.id.to_string()),
        flow_log_status: Some("ACTIVE".to_owned()),
        log_destination: Some(arn),
        log_destination_type: Some(kind(&log.destination).to_owned()),
        log_format: Some(log.format.to_string()),
        log_group_name: group(&log.destination),
        max_aggregation_interval: i64::try_from(log.interval.seconds()).ok(),
        resource_id: Some(log.source.to_string()),
        tags: tags::render(&log.tags),
        traffic_type: Some(log.traffic.as_str().to_owned()),
    }
}

const FLOW_LOGS: Filters<Arc<FlowLog>> = Filters {
    by: &[
        ("deliver-log-status", |_, _| one("SUCCESS")),
        ("flow-log-id", |_, log| one(log.id)),
        ("log-destination-type", |_, log| one(kind(&log.destination))),
        ("log-group-name", |_, log| some(group(&log.destination))),
        ("resource-id", |_, log| one(log.source)),
        ("traffic-type", |_, log| one(log.traffic.as_str())),
    ],
    tags: Some(|log| Cow::Borrowed(&log.tags)),
};
