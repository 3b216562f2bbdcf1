//! Request validation: required parameters first, then the body against its model (API Gateway developer guide, "Request
//! validation for REST APIs", 2026-11). What is wrong is told to the client in one sentence, and in full to
//! `$context.error.validationErrorString`.

use http::header::CONTENT_TYPE;
use topology::mapping::rest::Parameter;
use topology::reason::Reason;
use topology::resource::rest_api::IntegrationType;
use topology::snapshot::gateway::Integration;
use topology::trace::HopKind;

use super::compress::Decoded;
use super::context::{RestContext, last};
use super::request::Request;
use crate::gateway::context::Context;
use crate::gateway::refusal::Refusal;
use crate::limits::INLINE_WORK_BYTES_MAX;
use crate::readied::schema::{Patience, Schema};
use crate::readied::validation::Validation;
use crate::shared::Shared;
use crate::trace::Recording;
use crate::world::RealmWorld;

/// A request that meets what its method asks. Only [`check`] makes one.
pub(super) struct Valid<'w> {
    request: Request<'w>,
}

/// Leave to send one valid request to its integration. Only [`Valid`] gives it.
pub(in crate::gateway) struct Sendable<'w> {
    realm: &'w RealmWorld,
    integration: &'w Integration,
}

impl<'w> Valid<'w> {
    /// What its integration is.
    pub(super) const fn integration_type(&self) -> IntegrationType {
        self.request.integration_type()
    }

    /// The request, to be mapped, and leave to send what comes of it.
    pub(super) fn into_parts(self) -> (Request<'w>, Sendable<'w>) {
        let sendable = Sendable { realm: self.request.leads.site.realm, integration: self.request.integration };
        (self.request, sendable)
    }
}

impl<'w> Sendable<'w> {
    /// Where everything is looked up.
    pub(in crate::gateway) const fn realm(&self) -> &'w RealmWorld {
        self.realm
    }

    /// The method's integration.
    pub(in crate::gateway) const fn integration(&self) -> &'w Integration {
        self.integration
    }
}

/// Validates the request, or says what it lacks.
pub(super) async fn check<'w>(
    shared: &Shared,
    decoded: Decoded<'w>,
    context: &mut Context<'w>,
    recording: &mut Recording,
) -> Result<Valid<'w>, Refusal> {
    let mut request = decoded.into_request();
    let asked = &request.plan.validation;
    if asked.asks_nothing() {
        return Ok(Valid { request });
    }
    let hop = request.leads.route.id.hop();
    let missing = context.rest.as_ref().map(|rest| missing(asked, rest)).unwrap_or_default();
    if !missing.is_empty() {
        let told = format!("Missing required request parameters: [{}]", missing.join(", "));
        recording.stop(HopKind::Validation, hop, Reason::ValidationFailed);
        recording.detail(&told);
        if let Some(rest) = &mut context.rest {
            rest.message = Some(told);
        }
        return Err(Refusal::ParametersMissing);
    }
    if !asked.models.is_empty() && request.headers.get_all(CONTENT_TYPE).iter().nth(1).is_some() {
        // Which of two types a backend takes is not known, and a model for one of them would be passed by.
        return Err(Refusal::Malformed);
    }
    if let Some(schema) = asked.schema(&request.content_type()) {
        let whole = request.whole(shared).await?;
        let judged = judge(shared, schema, &whole).await?;
        recording.read_clock();
        if let Err(found) = judged {
            recording.stop(HopKind::Validation, hop, Reason::ValidationFailed);
            recording.detail(&found);
            if let Some(rest) = &mut context.rest {
                rest.validation = Some(found);
            }
            return Err(Refusal::BodyInvalid);
        }
    }
    recording.pass(HopKind::Validation, hop);
    Ok(Valid { request })
}

/// The names of required parameters that are missing or blank.
fn missing<'v>(asked: &'v Validation, rest: &RestContext<'_>) -> Vec<&'v str> {
    let value = |parameter: &Parameter| match parameter {
        Parameter::Header(name) => rest.header(name).map(str::to_owned),
        Parameter::Path(name) => last(&rest.params.path, |other| other == name).map(str::to_owned),
        Parameter::Query(name) => last(&rest.params.querystring, |other| other == name).map(str::to_owned),
    };
    let lacks = |parameter: &&Parameter| value(parameter).is_none_or(|value| value.trim().is_empty());
    asked.required.iter().filter(lacks).map(Parameter::name).collect()
}

/// Short work is done at once, long work in its turn.
async fn judge(shared: &Shared, schema: &Schema, body: &[u8]) -> Result<Result<(), String>, Refusal> {
    let briefly = (body.len() <= INLINE_WORK_BYTES_MAX).then(|| schema.judge_body(body, Patience::Brief)).flatten();
    if let Some(judged) = briefly {
        return Ok(judged);
    }
    let turn = shared.turns.long().await.ok_or(Refusal::TimedOut)?;
    // With such patience it comes to an end.
    Ok(turn
        .run(|| schema.judge_body(body, Patience::Long))
        .unwrap_or_else(|| Err("[the body was not judged]".to_owned())))
}
