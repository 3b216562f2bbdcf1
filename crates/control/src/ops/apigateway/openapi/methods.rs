//! The methods of a document: who may call them, what they take and answer, and how they are carried out. What a document says
//! once and many methods name is counted as often as it is named.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use wire::apigateway as shapes;

use super::PASSTHROUGH;
use super::read::{JSON, Plan, PlannedMethod, Reader, model, model_name};
use crate::ops::gateway_common::document::open_api::{Malformed, Security};
use crate::ops::gateway_common::document::{Unread, list, map, plain};

const INTEGRATION: &str = "x-amazon-apigateway-integration";
const VALIDATOR: &str = "x-amazon-apigateway-request-validator";
/// Statuses that a response may have.
const STATUSES: std::ops::RangeInclusive<u16> = 100..=599;

/// Parameters of a request and whether each is required, and models by media type.
type Inputs = (BTreeMap<String, bool>, BTreeMap<String, String>);

/// How a method may be called.
#[derive(Debug, Default, PartialEq, Eq)]
struct Guard {
    kind: &'static str,
    authorizer: Option<String>,
    scopes: Vec<String>,
    key: bool,
}

/// Where a method stands in its document.
#[derive(Debug, Clone, Copy)]
struct Operation<'d> {
    path: &'d str,
    method: &'d str,
    item: &'d Map<String, Value>,
    value: &'d Value,
}

impl Operation<'_> {
    /// A line about a method that cannot be as its author meant it.
    fn error(&self, why: &str) -> String {
        format!("Unable to put method '{}' on resource at path '{}': {why}", self.method, self.path)
    }

    /// Letters and digits that tell this method from others, for names that are made.
    fn letters(&self) -> String {
        [self.method, self.path].concat().chars().filter(char::is_ascii_alphanumeric).collect()
    }
}

impl<'d> Reader<'d> {
    pub(super) fn paths(&self, plan: &mut Plan) -> Result<(), Unread> {
        for path in self.api.paths()? {
            self.count(1 + path.full.bytes().filter(|byte| *byte == b'/').count())?;
            for (method, _, value) in path.operations(&mut plan.warnings) {
                self.count(1)?;
                let operation = Operation { path: &path.full, method: &method, item: path.item, value };
                if let Some(planned) = self.method(plan, operation)? {
                    plan.methods.push(planned);
                }
            }
            plan.paths.push(path.full);
        }
        Ok(())
    }

    /// A method, or nothing where its guard or validator cannot be had, which is in the plan's errors then.
    fn method(&self, plan: &mut Plan, operation: Operation<'_>) -> Result<Option<PlannedMethod>, Unread> {
        let guard = match self.guard(operation)? {
            Ok(guard) => guard,
            Err(why) => {
                plan.errors.push(operation.error(&why));
                return Ok(None);
            }
        };
        let (parameters, models) = self.inputs(plan, operation)?;
        let validator = operation.value.get(VALIDATOR).or_else(|| self.api.document.get(VALIDATOR)).and_then(plain);
        if let Some(name) = validator.as_ref().filter(|name| !plan.validators.contains_key(*name)) {
            plan.errors.push(operation.error(&format!("Invalid Request Validator specified: {name}")));
            return Ok(None);
        }
        let (integration, integration_responses) = match operation.value.get(INTEGRATION) {
            None => (None, Vec::new()),
            Some(value) => match integration(value) {
                Ok((integration, responses)) => (Some(integration), responses),
                Err(why) => {
                    let (method, path) = (operation.method, operation.path);
                    let line = format!("Unable to put integration on '{method}' for resource at path '{path}': {why}");
                    plan.errors.push(line);
                    (None, Vec::new())
                }
            },
        };
        Ok(Some(PlannedMethod {
            path: operation.path.to_owned(),
            method: shapes::PutMethodRequest {
                api_key_required: Some(guard.key),
                authorization_scopes: Some(guard.scopes).filter(|scopes| !scopes.is_empty()),
                authorization_type: guard.kind.to_owned(),
                http_method: operation.method.to_owned(),
                operation_name: operation.value.get("operationId").and_then(plain),
                request_models: Some(models).filter(|models| !models.is_empty()),
                request_parameters: Some(parameters).filter(|parameters| !parameters.is_empty()),
                ..shapes::PutMethodRequest::default()
            },
            authorizer: guard.authorizer,
            validator,
            responses: self.responses(plan, operation)?,
            integration,
            integration_responses,
        }))
    }

    /// Parameters and models of a method's request. A parameter of the operation comes over one of the path.
    fn inputs(&self, plan: &mut Plan, operation: Operation<'_>) -> Result<Inputs, Unread> {
        let (mut parameters, mut models) = (BTreeMap::new(), BTreeMap::new());
        let of_path = operation.item.get("parameters").and_then(Value::as_array);
        let own = operation.value.get("parameters").and_then(Value::as_array);
        for parameter in of_path.into_iter().chain(own).flatten() {
            self.count(1)?;
            let parameter = self.resolved(parameter);
            let name = parameter.get("name").and_then(plain).unwrap_or_default();
            let required = parameter.get("required").and_then(Value::as_bool).unwrap_or(false);
            match parameter.get("in").and_then(Value::as_str) {
                Some("query") => drop(parameters.insert(format!("method.request.querystring.{name}"), required)),
                Some(place @ ("path" | "header")) => {
                    parameters.insert(format!("method.request.{place}.{name}"), required);
                }
                Some("body") => {
                    if let Some(schema) = parameter.get("schema") {
                        let named = self.named(plan, &operation.letters(), schema)?;
                        self.for_each_type(&mut models, (operation.value, "consumes"), &named)?;
                    }
                }
                _ => {
                    let place = format!("{} {}", operation.method, operation.path);
                    plan.warnings.push(format!("Parameter {name} of {place} is not supported and is left out"));
                }
            }
        }
        let body = operation.value.get("requestBody").map(|body| self.resolved(body));
        self.content(plan, &mut models, (body, &operation.letters()))?;
        Ok((parameters, models))
    }

    /// The model for each media type of a method that 2.0 lists under `key`.
    fn for_each_type(
        &self,
        models: &mut BTreeMap<String, String>,
        (operation, key): (&Value, &str),
        named: &str,
    ) -> Result<(), Unread> {
        let types = list(operation.get(key).or_else(|| self.api.document.get(key)));
        let types = types.unwrap_or_else(|| vec![JSON.to_owned()]);
        self.count(types.len())?;
        models.extend(types.into_iter().map(|media| (media, named.to_owned())));
        Ok(())
    }

    /// The models of what 3.0 calls `content`.
    fn content(
        &self,
        plan: &mut Plan,
        models: &mut BTreeMap<String, String>,
        (of, letters): (Option<&Value>, &str),
    ) -> Result<(), Unread> {
        let content = of.and_then(|of| of.get("content")).and_then(Value::as_object);
        for (media, value) in content.into_iter().flatten() {
            self.count(1)?;
            if let Some(schema) = value.get("schema") {
                models.insert(media.clone(), self.named(plan, letters, schema)?);
            }
        }
        Ok(())
    }

    /// What a local reference leads to; anything else is itself.
    fn resolved<'v>(&self, value: &'v Value) -> &'v Value
    where
        'd: 'v,
    {
        let path = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix("#/"));
        let Some(path) = path else { return value };
        let mut steps = path.split('/');
        let first = steps.next().and_then(|step| self.api.document.get(step));
        steps.fold(first, |at, step| at?.get(step)).unwrap_or(value)
    }

    /// The model of a schema: the one it refers to, or one made of it, once for all that say the same at one place.
    fn named(&self, plan: &mut Plan, letters: &str, schema: &Value) -> Result<String, Unread> {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(model_name) {
            return Ok(name.to_owned());
        }
        let text = schema.to_string();
        // What is written once and named often is written again for each place.
        self.count(1 + text.len() / 256)?;
        let digest = Sha256::digest(&text);
        let key = (letters.to_owned(), text);
        if let Some(known) = self.made.borrow().get(&key) {
            return Ok(known.clone());
        }
        let mut name = format!("MODEL{letters}");
        if plan.models.contains_key(&name) {
            // Another schema at the same place.
            name.extend(digest.iter().take(8).map(|byte| format!("{byte:02x}")));
        }
        plan.models.insert(name.clone(), model(&name, schema));
        self.made.borrow_mut().insert(key, name.clone());
        Ok(name)
    }

    fn responses(
        &self,
        plan: &mut Plan,
        operation: Operation<'_>,
    ) -> Result<Vec<shapes::PutMethodResponseRequest>, Unread> {
        let mut made = Vec::new();
        for (status, response) in operation.value.get("responses").and_then(Value::as_object).into_iter().flatten() {
            if !status.parse().is_ok_and(|status: u16| STATUSES.contains(&status)) {
                // `default` and ranges are no statuses of a method.
                let place = format!("{} {}", operation.method, operation.path);
                plan.warnings.push(format!("Response {status} of {place} is not supported and is left out"));
                continue;
            }
            let response = self.resolved(response);
            let headers = response.get("headers").and_then(Value::as_object);
            self.count(1 + headers.map_or(0, Map::len))?;
            let headers = headers.into_iter().flatten();
            let parameters: BTreeMap<_, _> =
                headers.map(|(name, _)| (format!("method.response.header.{name}"), false)).collect();
            let mut models = BTreeMap::new();
            let letters = operation.letters() + status;
            if let Some(schema) = response.get("schema") {
                let named = self.named(plan, &letters, schema)?;
                self.for_each_type(&mut models, (operation.value, "produces"), &named)?;
            }
            self.content(plan, &mut models, (Some(response), &letters))?;
            made.push(shapes::PutMethodResponseRequest {
                http_method: operation.method.to_owned(),
                status_code: status.clone(),
                response_models: Some(models).filter(|models| !models.is_empty()),
                response_parameters: Some(parameters).filter(|parameters| !parameters.is_empty()),
                ..shapes::PutMethodResponseRequest::default()
            });
        }
        Ok(made)
    }

    /// Who may call a method, or why a scheme is not understood: left out, the method would stand open.
    fn guard(&self, operation: Operation<'_>) -> Result<Result<Guard, String>, Unread> {
        let open = Guard { kind: "NONE", ..Guard::default() };
        let schemes = match self.api.security(operation.value) {
            Err(Malformed(what)) => return Ok(Err(format!("{what} is not in the form of OpenAPI"))),
            Ok(Security::Open) => return Ok(Ok(open)),
            Ok(Security::Authorization(kind)) if kind.eq_ignore_ascii_case("aws_iam") => {
                return Ok(Ok(Guard { kind: "AWS_IAM", ..open }));
            }
            Ok(Security::Authorization(kind)) => {
                return Ok(Err(wire::unserved(format_args!("authorization type {kind}"))));
            }
            Ok(Security::Schemes(schemes)) => schemes,
        };
        let mut guard = open;
        for (name, scopes) in schemes {
            self.count(1 + scopes.as_array().map_or(0, Vec::len))?;
            let known = self.api.components("securitySchemes").and_then(|known| known.get(name));
            let Some(scheme) = known else { return Ok(Err(format!("{name} is no security scheme"))) };
            if guard.add((name, scheme), scopes).is_none() {
                return Ok(Err(wire::unserved(format_args!("security scheme {name}"))));
            }
        }
        Ok(Ok(guard))
    }
}

impl Guard {
    fn add(&mut self, (name, scheme): (&str, &Value), scopes: &Value) -> Option<()> {
        let told = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
        if scheme.get("x-amazon-apigateway-authorizer").is_some() {
            self.kind = "COGNITO_USER_POOLS";
            self.authorizer = Some(name.to_owned());
            self.scopes = list(Some(scopes))?;
        } else if told("x-amazon-apigateway-authtype").eq_ignore_ascii_case("awsSigv4") {
            self.kind = "AWS_IAM";
        } else if told("type") == "apiKey" && told("in") == "header" && told("name").eq_ignore_ascii_case("x-api-key") {
            self.key = true;
        } else {
            return None;
        }
        Some(())
    }
}

type ReadIntegration = (shapes::PutIntegrationRequest, Vec<shapes::PutIntegrationResponseRequest>);

/// An integration with its responses, or why it is none.
fn integration(value: &Value) -> Result<ReadIntegration, String> {
    let told = |key: &str| value.get(key).and_then(plain);
    let upper = |key: &str| told(key).map(|text| text.to_ascii_uppercase());
    let kind = upper("type").ok_or("Enumeration value for IntegrationType must be non-empty")?;
    let tls = value.get("tlsConfig").map(|tls| shapes::TlsConfig {
        insecure_skip_verification: tls.get("insecureSkipVerification").and_then(Value::as_bool),
    });
    let request = shapes::PutIntegrationRequest {
        cache_key_parameters: list(value.get("cacheKeyParameters")),
        cache_namespace: told("cacheNamespace"),
        connection_id: told("connectionId"),
        connection_type: upper("connectionType"),
        content_handling: upper("contentHandling"),
        credentials: told("credentials"),
        integration_http_method: upper("httpMethod"),
        integration_target: told("integrationTarget"),
        passthrough_behavior: upper("passthroughBehavior"),
        request_parameters: map(value.get("requestParameters")),
        request_templates: map(value.get("requestTemplates")),
        response_transfer_mode: upper("responseTransferMode"),
        timeout_in_millis: value.get("timeoutInMillis").and_then(Value::as_i64),
        tls_config: tls,
        type_: kind,
        uri: told("uri"),
        ..shapes::PutIntegrationRequest::default()
    };
    let mut responses = Vec::new();
    for (pattern, response) in value.get("responses").and_then(Value::as_object).into_iter().flatten() {
        let told = |key: &str| response.get(key).and_then(plain);
        let status = told("statusCode");
        responses.push(shapes::PutIntegrationResponseRequest {
            content_handling: told("contentHandling"),
            response_parameters: map(response.get("responseParameters")),
            response_templates: answer_templates(response.get("responseTemplates")),
            selection_pattern: Some(pattern.clone()).filter(|pattern| pattern != "default"),
            status_code: status.ok_or_else(|| format!("response {pattern} has no statusCode"))?,
            ..shapes::PutIntegrationResponseRequest::default()
        });
    }
    Ok((request, responses))
}

/// Templates of an answer. One that is null, or what an export writes for it, is none.
fn answer_templates(value: Option<&Value>) -> Option<BTreeMap<String, Option<String>>> {
    let entries = value?.as_object()?.iter().filter(|(_, value)| value.is_null() || plain(value).is_some());
    Some(entries.map(|(kind, value)| (kind.clone(), plain(value).filter(|text| text != PASSTHROUGH))).collect())
}
