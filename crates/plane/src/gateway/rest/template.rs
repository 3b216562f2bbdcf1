//! Chooses and evaluates mapping templates of bodies, and what passes through where no template is for a body (REST API
//! developer guide, "Method request behavior for payloads without mapping templates", 2026-11).

use bytes::Bytes;
use topology::reason::Reason;
use topology::resource::rest_api::PassthroughBehavior;
use topology::template::{AnswerTemplates, Template, Unusable, Written};
use topology::trace::HopKind;

use super::request::Request;
use super::source;
use crate::gateway::context::Context;
use crate::gateway::refusal::Refusal;
use crate::limits::INLINE_WORK_BYTES_MAX;
use crate::readied::MethodPlan;
use crate::shared::Shared;
use crate::trace::Recording;
use crate::vtl::{self, Scope, TemplateError};

/// The body that the integration gets.
pub(super) async fn request(
    shared: &Shared,
    body: Bytes,
    (request, plan): (&Request<'_>, &MethodPlan),
    context: &mut Context<'_>,
    recording: &mut Recording,
) -> Result<Bytes, Refusal> {
    let kind = request.content_type();
    let found = plan.templates.iter().find(|(of, _)| of.eq_ignore_ascii_case(&kind));
    let Some((_, template)) = found else {
        let passes = match request.source.passthrough_behavior {
            PassthroughBehavior::WhenNoMatch => true,
            PassthroughBehavior::WhenNoTemplates => plan.templates.is_empty(),
            PassthroughBehavior::Never => false,
        };
        if passes {
            return Ok(body);
        }
        recording.stop(HopKind::Integration, request.integration.id.hop(), Reason::UnsupportedMediaType);
        let known: Vec<_> = plan.templates.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        recording.detail(&format!("the body is {kind}; templates are for {known}"));
        return Err(Refusal::UnsupportedMediaType);
    };
    evaluate(shared, (template, &body), request, context, recording).await.map(Bytes::from)
}

/// The template for an answer: for what the client accepts, else for JSON, else the first; with its content type. None is that the
/// answer passes as it is.
pub(super) fn for_answer<'t>(templates: &'t AnswerTemplates, context: &Context<'_>) -> Option<(&'t str, &'t Written)> {
    let accepted = context.rest.as_ref().and_then(|rest| rest.header("accept")).unwrap_or_default();
    let accepted = accepted.split([',', ';']).next().unwrap_or_default().trim();
    let of = |wanted: &str| templates.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(wanted));
    let found = of(accepted).or_else(|| of("application/json")).or_else(|| templates.iter().next())?;
    Some((found.0, found.1.as_ref()?))
}

/// Evaluates a template; what it overrides is kept in the context. Short work is done at once, long work in its turn.
pub(super) async fn evaluate(
    shared: &Shared,
    (template, body): (&Written, &[u8]),
    request: &Request<'_>,
    context: &mut Context<'_>,
    recording: &mut Recording,
) -> Result<String, Refusal> {
    let body = String::from_utf8_lossy(body);
    let template = read(shared, template).await?;
    let briefly = match template {
        Ok(template) if body.len() <= INLINE_WORK_BYTES_MAX => {
            in_scope(&body, context, |scope| vtl::evaluate_briefly(template, scope))
        }
        Ok(_) => Ok(None),
        Err(refused) => Err(TemplateError::Refused(refused.clone())),
    };
    let rendered = match (briefly, template) {
        (Ok(None), Ok(template)) => {
            let turn = shared.turns.long().await.ok_or(Refusal::TimedOut)?;
            turn.run(|| in_scope(&body, context, |scope| vtl::evaluate(template, scope)))
        }
        (Ok(rendered), _) => Ok(rendered.unwrap_or_default()),
        (Err(error), _) => Err(error),
    };
    let rendered = rendered.map_err(|error| failed(request, &error.to_string(), context, recording))?;
    if let Some(rest) = &mut context.rest {
        rest.overrides.extend(rendered.overrides);
    }
    Ok(rendered.text)
}

/// What was read of a template: now, if this is the first request that needs it.
async fn read<'t>(shared: &Shared, template: &'t Written) -> Result<Result<&'t Template, &'t Unusable>, Refusal> {
    if template.is_read() {
        return Ok(template.read());
    }
    let turn = shared.turns.for_bytes(template.as_str().len()).await.ok_or(Refusal::TimedOut)?;
    Ok(turn.run(|| template.read()))
}

/// Does something with what a template sees of this request.
fn in_scope<T: Default>(
    body: &str,
    context: &Context<'_>,
    evaluate: impl FnOnce(&Scope<'_>) -> Result<T, TemplateError>,
) -> Result<T, TemplateError> {
    let Some((rest, found)) = context.rest.as_ref().zip(context.found.as_ref()) else { return Ok(T::default()) };
    let variable = |name: &str| source::variable(context, name);
    let stage_variables = &found.site.stage.variables;
    evaluate(&Scope { body, params: &rest.params, context: &variable, stage_variables })
}

/// Notes that a mapping failed, and why.
pub(super) fn failed(
    request: &Request<'_>,
    why: &str,
    context: &mut Context<'_>,
    recording: &mut Recording,
) -> Refusal {
    recording.read_clock();
    recording.stop(HopKind::Integration, request.integration.id.hop(), Reason::MappingFailed);
    recording.detail(why);
    if let Some(log) = context.rest.as_mut().and_then(|rest| rest.log.as_mut()) {
        log.failure(why);
    }
    Refusal::MappingFailed
}
