//! What the execution log says of a request from outside its steps: its first lines, its body, its last lines.

use http::Response;

use super::log;
use crate::answer::body::Body;
use crate::gateway::context::Context;
use crate::gateway::words::Words;
use crate::shared::Shared;

/// The first lines of what is executed.
pub(super) fn begin(context: &mut Context<'_>) {
    let (id, method) = (context.request_id, &context.method);
    let Some(rest) = context.rest.as_mut().filter(|rest| rest.log.is_some()) else { return };
    let path = rest.method.map_or("", |method| method.path.as_str());
    rest.say(&format!("Starting execution for request: {}", id.uuid()));
    rest.say(&format!("HTTP Method: {method}, Resource Path: {path}"));
    rest.say_request();
}

/// Shows the client's body, once.
pub(super) fn say_sent(context: &mut Context<'_>, whole: &[u8]) {
    context.rest.iter_mut().filter_map(|rest| rest.log.as_mut()).for_each(|log| log.sent(whole));
}

/// The last lines: the answer's headers and status.
pub(in crate::gateway) fn answered(
    shared: &Shared,
    context: &mut Context<'_>,
    refused: Option<&Words>,
    answer: &Response<Body>,
) {
    let Some(mut lines) = context.rest.as_mut().and_then(|rest| rest.log.take()) else { return };
    match refused {
        Some(words) => {
            lines.refused(words, context.rest.as_ref().and_then(|rest| rest.validation.as_deref()));
        }
        None => {
            lines.data("Method response headers", || log::headers(answer.headers(), &answer.body().lines()));
            lines.line("Successfully completed execution");
        }
    }
    lines.line(&format!("Method completed with status: {}", answer.status().as_u16()));
    let kept = lines.end(shared.config.lines.as_ref(), refused.is_some());
    if let Some(rest) = &mut context.rest {
        rest.log = kept;
    }
}
