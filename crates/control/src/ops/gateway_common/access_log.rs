//! Access-log settings of stages, as both versions check them.

use topology::access_log::{AccessLogFormat, FormatProblem};
use topology::arn::LogGroupArn;
use topology::resource::http_api::AccessLogSettings;
use wire::Fault;

use super::fault;
use crate::context::Context;

/// The settings as they are kept. A log group of another account or region is refused: its owner did not ask for the lines.
pub(crate) fn checked(context: &Context<'_>, destination: &str, format: &str) -> Result<AccessLogSettings, Fault> {
    Ok(AccessLogSettings { destination: log_group(context, destination)?, format: log_format(format)? })
}

/// A log group of the caller.
pub(crate) fn log_group(context: &Context<'_>, destination: &str) -> Result<LogGroupArn, Fault> {
    let group = destination.parse().ok().filter(|group: &LogGroupArn| group.realm == *context.realm());
    group.ok_or_else(|| fault::bad_request(format!("Invalid ARN specified in the request: {destination}")))
}

/// A format that AWS would take.
pub(crate) fn log_format(format: &str) -> Result<AccessLogFormat, Fault> {
    format.parse().map_err(|problem: FormatProblem| fault::bad_request(problem.to_string()))
}
