//! Access-log settings of stages, as both versions check them.

use topology::access_log::{AccessLogFormat, FormatProblem};
use topology::arn::LogGroupArn;
use topology::resource::http_api::AccessLogSettings;
use wire::Fault;

use super::fault;
use crate::context::Context;

/// The settings as they are kept. A log group of another account or region is refused: its owner did not ask for the lines.
pub(crate) fn checked(context: &Context<'_>, destination: &str, format: String) -> Result<AccessLogSettings, Fault> {
    let group = destination_arn(context, destination)?;
    check_format(&format)?;
    Ok(AccessLogSettings { destination_arn: group, format })
}

/// The ARN of a log group of the caller.
pub(crate) fn destination_arn(context: &Context<'_>, destination: &str) -> Result<String, Fault> {
    let group = destination.parse().ok().filter(|group: &LogGroupArn| group.realm == *context.realm());
    let group =
        group.ok_or_else(|| fault::bad_request(format!("Invalid ARN specified in the request: {destination}")))?;
    Ok(group.to_string())
}

/// Refuses a format that AWS would not take.
pub(crate) fn check_format(format: &str) -> Result<(), Fault> {
    AccessLogFormat::parse(format).map(|_| ()).map_err(|problem| match problem {
        FormatProblem::ManyLines | FormatProblem::TooLong => {
            fault::bad_request("Access log format must be single line and at most 3 KB")
        }
        FormatProblem::NoRequestId => fault::bad_request(
            "Access log format must include at least $context.requestId or $context.extendedRequestId",
        ),
    })
}
