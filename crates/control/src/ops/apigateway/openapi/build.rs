//! From the plan of a document to what it describes, by the same functions as single calls. A part that cannot be made does not
//! keep the others from being tried, so that the caller learns of all of them at once, in AWS's form: a line for each (public
//! reports, 2026-11). The import fails then, and its draft is dropped.

use std::collections::BTreeMap;
use std::str::FromStr;

use topology::estate::{PartOf, RealmEstate, Table};
use topology::id::{ApiId, AuthorizerId, RequestValidatorId};
use topology::resource::rest_api::{RequestValidator, RestAuthorizer};
use wire::Fault;
use wire::apigateway as shapes;

use super::read::{Plan, PlannedMethod, with_references};
use crate::context::Context;
use crate::ops::apigateway::documentation::import;
use crate::ops::apigateway::{
    authorizer, fault, gateway_response, integration, integration_response, load, method, method_response, model,
    resource, schema, validator,
};

/// Resources that an API may have after an import: ten times what AWS lets one have by default (REST API quotas, 2026-11), so that
/// what is looked up among them stays cheap. Ours. Above: refused.
const RESOURCES_MAX: usize = 3_000;
/// Validators, or authorizers, that a document may describe, for the same reason. Ours. Above: refused.
const NAMED_MAX: usize = 1_000;
/// Lines that a refusal lists; how many more there are follows. Ours.
const LINES_MAX: usize = 100;

/// Makes everything that a plan describes.
///
/// # Errors
/// What could not be made, all at once.
pub(super) fn carry_out(context: &mut Context<'_>, id: ApiId, plan: Plan) -> Result<(), Fault> {
    if plan.validators.len().max(plan.authorizers.len()) > NAMED_MAX {
        let text = format!("The document describes more than {NAMED_MAX} validators or authorizers");
        return Err(fault::bad_request(text));
    }
    let paths = resource::of_api(context, id).map(|known| (resource::path(context, known), Some(known.id.to_string())));
    let paths = paths.collect();
    if let Some(documentation) = plan.documentation {
        import::carry_out(context, id, documentation)?;
    }
    let mut builder = Builder { context, id, paths, lines: plan.errors };
    builder.models(plan.models);
    let validators = builder.validators(plan.validators);
    let authorizers = builder.authorizers(plan.authorizers);
    builder.gateway_responses(plan.gateway_responses);
    for path in &plan.paths {
        builder.resource_at(path)?;
    }
    for wanted in plan.methods {
        builder.method(wanted, (&validators, &authorizers))?;
    }
    refuse(builder.lines)
}

fn refuse(mut lines: Vec<String>) -> Result<(), Fault> {
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    if more > 0 {
        lines.push(format!("... and {more} more"));
    }
    if lines.is_empty() {
        return Ok(());
    }
    Err(fault::bad_request(format!("Errors found during import:\n\t{}", lines.join("\n\t"))))
}

struct Builder<'b, 'c> {
    context: &'b mut Context<'c>,
    id: ApiId,
    /// Ids of resources by path; none where one could not be made.
    paths: BTreeMap<String, Option<String>>,
    /// What could not be made so far.
    lines: Vec<String>,
}

impl Builder<'_, '_> {
    /// The value, or a line about why there is none.
    fn or_line<T>(&mut self, what: &str, made: Result<T, Fault>) -> Option<T> {
        match made {
            Ok(value) => Some(value),
            Err(fault) => {
                self.lines.push(format!("{what}: {}", fault.message));
                None
            }
        }
    }

    /// Makes the models, or gives those that are there new schemas. They may refer to each other and to themselves, so that
    /// references are looked at when all are there.
    fn models(&mut self, wanted: BTreeMap<String, shapes::CreateModelRequest>) {
        let names: Vec<String> = wanted.keys().cloned().collect();
        for (name, request) in wanted {
            let mut schema = serde_json::from_str(request.schema.as_deref().unwrap_or_default()).unwrap_or_default();
            with_references(&mut schema, self.id.as_str());
            let (rest_api_id, schema) = (self.id.to_string(), Some(schema.to_string()));
            let made = model::put(self.context, shapes::CreateModelRequest { rest_api_id, schema, ..request });
            self.or_line(&format!("Unable to create model '{name}'"), made);
        }
        for name in names {
            let checked = model::check_references(self.context, self.id, &name);
            self.or_line(&format!("Unable to create model '{name}'"), checked);
        }
        for name in load::unbearable(self.context, self.id) {
            self.or_line(&format!("Unable to create model '{name}'"), Err::<(), _>(schema::unbearable()));
        }
    }

    fn validators(
        &mut self,
        wanted: BTreeMap<String, shapes::CreateRequestValidatorRequest>,
    ) -> BTreeMap<String, String> {
        let mut ids = BTreeMap::new();
        for (name, wanted) in wanted {
            let request = shapes::CreateRequestValidatorRequest { rest_api_id: self.id.to_string(), ..wanted };
            let made = validator::create(self.context, request);
            if let Some(made) = self.or_line(&format!("Unable to create request validator '{name}'"), made) {
                let at = (self.id, name.as_str());
                let id = keep_id::<RequestValidator>(self.context, at, made.id.unwrap_or_default());
                ids.insert(name, id);
            }
        }
        ids
    }

    fn authorizers(&mut self, wanted: BTreeMap<String, shapes::CreateAuthorizerRequest>) -> BTreeMap<String, String> {
        let mut ids = BTreeMap::new();
        for (name, wanted) in wanted {
            let request = shapes::CreateAuthorizerRequest { rest_api_id: self.id.to_string(), ..wanted };
            let made = authorizer::create(self.context, request);
            if let Some(made) = self.or_line(&format!("Unable to create authorizer '{name}'"), made) {
                let id = keep_id::<RestAuthorizer>(self.context, (self.id, &name), made.id.unwrap_or_default());
                ids.insert(name, id);
            }
        }
        ids
    }

    fn gateway_responses(&mut self, wanted: Vec<shapes::PutGatewayResponseRequest>) {
        for wanted in wanted {
            let what = format!("Unable to put gateway response '{}'", wanted.response_type);
            let request = shapes::PutGatewayResponseRequest { rest_api_id: self.id.to_string(), ..wanted };
            let made = gateway_response::put(self.context, request);
            self.or_line(&what, made);
        }
    }

    /// The id of the resource at a path, made where it is not there, or nothing where it cannot be.
    ///
    /// # Errors
    /// When there are more resources than there may be.
    fn resource_at(&mut self, path: &str) -> Result<Option<String>, Fault> {
        let root = self.paths.get("/").cloned().flatten().ok_or_else(|| Fault::internal("the API is gone"))?;
        let (mut at, mut so_far) = (root, String::new());
        for part in path.split('/').filter(|part| !part.is_empty()) {
            so_far = format!("{so_far}/{part}");
            at = match self.paths.get(&so_far) {
                Some(Some(known)) => known.clone(),
                Some(None) => return Ok(None),
                None => {
                    if self.paths.len() >= RESOURCES_MAX {
                        let text = format!("An import can leave an API with at most {RESOURCES_MAX} resources");
                        return Err(fault::bad_request(text));
                    }
                    let (rest_api_id, path_part) = (self.id.to_string(), part.to_owned());
                    let request = shapes::CreateResourceRequest { parent_id: at, path_part, rest_api_id };
                    let made = resource::create(self.context, request);
                    let what = format!("Unable to create resource at path '{so_far}'");
                    let id = self.or_line(&what, made).and_then(|made| made.id);
                    self.paths.insert(so_far.clone(), id.clone());
                    match id {
                        Some(id) => id,
                        None => return Ok(None),
                    }
                }
            };
        }
        Ok(Some(at))
    }

    fn method(
        &mut self,
        wanted: PlannedMethod,
        (validators, authorizers): (&BTreeMap<String, String>, &BTreeMap<String, String>),
    ) -> Result<(), Fault> {
        let Some(resource_id) = self.resource_at(&wanted.path)? else { return Ok(()) };
        let (rest_api_id, http_method) = (self.id.to_string(), wanted.method.http_method.clone());
        let (name, path) = (http_method.as_str(), wanted.path.as_str());
        // A method that is there is made anew.
        let place = (resource_id.as_str(), name);
        if method::get(self.context, &rest_api_id, place).is_ok() {
            method::delete(self.context, &rest_api_id, place)?;
        }
        let request = shapes::PutMethodRequest {
            authorizer_id: wanted.authorizer.and_then(|name| authorizers.get(&name).cloned()),
            request_validator_id: wanted.validator.and_then(|name| validators.get(&name).cloned()),
            resource_id: resource_id.clone(),
            rest_api_id: rest_api_id.clone(),
            ..wanted.method
        };
        let made = method::put(self.context, request);
        let what = format!("Unable to put method '{name}' on resource at path '{path}'");
        if self.or_line(&what, made).is_none() {
            return Ok(());
        }
        for response in wanted.responses {
            let (rest_api_id, resource_id) = (rest_api_id.clone(), resource_id.clone());
            let request = shapes::PutMethodResponseRequest { rest_api_id, resource_id, ..response };
            let made = method_response::put(self.context, request);
            self.or_line(&format!("Unable to put method response on '{name}' for resource at path '{path}'"), made);
        }
        if let Some(request) = wanted.integration {
            let (rest_api_id, resource_id) = (rest_api_id.clone(), resource_id.clone());
            let http_method = name.to_owned();
            let request = shapes::PutIntegrationRequest { rest_api_id, resource_id, http_method, ..request };
            let made = integration::put(self.context, request);
            let what = format!("Unable to put integration on '{name}' for resource at path '{path}'");
            if self.or_line(&what, made).is_none() {
                return Ok(());
            }
        }
        for response in wanted.integration_responses {
            let (rest_api_id, resource_id) = (rest_api_id.clone(), resource_id.clone());
            let http_method = name.to_owned();
            let request = shapes::PutIntegrationResponseRequest { rest_api_id, resource_id, http_method, ..response };
            let made = integration_response::put(self.context, request);
            self.or_line(
                &format!("Unable to put integration response on '{name}' for resource at path '{path}'"),
                made,
            );
        }
        Ok(())
    }
}

/// What has a name of its own within an API, and an id that others name it by.
trait Named: Clone + PartOf {
    /// Its kind of id.
    type Id: Copy + Ord + FromStr + std::fmt::Display;
    /// Where the estate has its kind.
    fn table(estate: &mut RealmEstate) -> &mut Table<Self::Id, Self>;
    /// Its API and name.
    fn name(&self) -> (ApiId, &str);
    /// Its id.
    fn id(&mut self) -> &mut Self::Id;
}

impl Named for RequestValidator {
    type Id = RequestValidatorId;
    fn table(estate: &mut RealmEstate) -> &mut Table<Self::Id, Self> {
        &mut estate.request_validators
    }
    fn name(&self) -> (ApiId, &str) {
        (self.api, &self.name)
    }
    fn id(&mut self) -> &mut Self::Id {
        &mut self.id
    }
}

impl Named for RestAuthorizer {
    type Id = AuthorizerId;
    fn table(estate: &mut RealmEstate) -> &mut Table<Self::Id, Self> {
        &mut estate.rest_authorizers
    }
    fn name(&self) -> (ApiId, &str) {
        (self.api, &self.name)
    }
    fn id(&mut self) -> &mut Self::Id {
        &mut self.id
    }
}

/// What is made under a name that there is keeps the id that there was, because methods that the document does not name may use it.
fn keep_id<T: Named>(context: &mut Context<'_>, (api, name): (ApiId, &str), made: String) -> String {
    let table = T::table(context.edit());
    let Ok(made) = made.parse::<T::Id>() else { return made };
    let is_old = |known: &T| known.name() == (api, name);
    let old = table.keys_of(api).copied().find(|id| *id != made && table.get(id).is_some_and(|known| is_old(known)));
    let Some(old) = old else { return made.to_string() };
    if let Some(new) = table.remove(&made) {
        let mut kept = T::clone(&new);
        *kept.id() = old;
        table.insert(old, kept);
    }
    old.to_string()
}
