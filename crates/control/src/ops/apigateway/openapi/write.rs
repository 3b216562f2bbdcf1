//! From what a stage serves to an OpenAPI document, version 2.0 or 3.0, with as much of AWS's extensions as was asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use topology::id::Realm;
use topology::resource::documentation::{DocumentationVersion, DocumentedKind};
use topology::resource::rest_api::{
    Integration, Method, MethodAuthorization, Model, Resource, RestApi, RestAuthorizer, RestAuthorizerKind,
    RestConnection,
};
use topology::resource::rest_stage::FrozenRest;
use wire::apigateway as shapes;

use super::PASSTHROUGH;
use super::documented::{self, Documented, Entity};
use super::order::as_hashed;
use super::read::model_name;
use crate::ops::apigateway::documentation::import::EXTENSION;
use crate::ops::apigateway::{integration, integration_response, resource};
use crate::ops::gateway_common::document::open_api::ANY_METHOD;
use crate::ops::gateway_common::seconds;

/// The security scheme of API keys, as AWS names it.
const KEY_SCHEME: &str = "api_key";
/// The security scheme of signed requests, as AWS names it.
const IAM_SCHEME: &str = "sigv4";

/// Which version of OpenAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// 2.0, called Swagger.
    Two,
    /// 3.0
    Three,
}

/// Which of AWS's extensions are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Extensions {
    /// Integrations.
    pub(super) integrations: bool,
    /// Authorizers.
    pub(super) authorizers: bool,
    /// The documentation: the parts, and what is said of each entity.
    pub(super) documentation: bool,
    /// Everything else.
    pub(super) others: bool,
}

impl Extensions {
    /// All of them: what a document needs to be imported again.
    pub(super) const ALL: Self = Self { integrations: true, authorizers: true, documentation: true, others: true };
    /// What a document for readers has, which is the one that is written when nothing is said.
    pub(super) const FOR_READERS: Self =
        Self { integrations: false, authorizers: false, documentation: true, others: false };
}

/// Whose document it is.
pub(super) struct Exported<'a> {
    /// The API.
    pub(super) api: &'a RestApi,
    /// Its account and region.
    pub(super) realm: &'a Realm,
    /// The stage.
    pub(super) stage: &'a str,
    /// The version of the documentation that the stage publishes.
    pub(super) documentation: Option<&'a DocumentationVersion>,
}

impl Exported<'_> {
    /// The API's version: the time of its making where it has none (recorded, 2024-04: a time; which one is not said).
    pub(super) fn version(&self) -> String {
        self.api.version.clone().unwrap_or_else(|| seconds(self.api.created).to_the_second())
    }
}

/// A method in its place.
#[derive(Clone, Copy)]
struct Spot<'a> {
    resource: &'a Resource,
    path: &'a str,
    name: &'a str,
    method: &'a Method,
}

impl<'a> Spot<'a> {
    const fn entity(self, name: &'a str) -> Entity<'a> {
        Entity { path: self.path, method: self.name, status: "", name }
    }
}

struct Writer<'a> {
    frozen: &'a FrozenRest,
    form: Form,
    extensions: Extensions,
    documented: Option<Documented<'a>>,
}

/// Writes a document.
pub(super) fn document(place: &Exported<'_>, frozen: &FrozenRest, (form, extensions): (Form, Extensions)) -> Value {
    let documented = place.documentation.filter(|_| extensions.documentation).map(Documented::new);
    let writer = Writer { frozen, form, extensions, documented };
    let api = place.api;
    let mut info = json!({ "title": api.name, "version": place.version() });
    if let Some(description) = &api.description {
        info["description"] = json!(description);
    }
    if let Some(documented) = &writer.documented {
        documented.describe_info(&mut info);
    }
    let host = format!("{}.execute-api.{}.amazonaws.com", api.id, place.realm.region);
    let mut document = match form {
        Form::Two => json!({
            "swagger": "2.0", "info": info, "host": host, "basePath": format!("/{}", place.stage), "schemes": ["https"],
        }),
        Form::Three => json!({
            "openapi": "3.0.1",
            "info": info,
            "servers": [{
                "url": format!("https://{host}/{{basePath}}"),
                "variables": { "basePath": { "default": place.stage } },
            }],
        }),
    };
    document["paths"] = writer.paths();
    let (schemas, schemes) = (writer.schemas(), writer.schemes());
    match form {
        Form::Two => {
            put(&mut document, "definitions", schemas);
            put(&mut document, "securityDefinitions", schemes);
        }
        Form::Three => {
            let mut components = json!({});
            put(&mut components, "schemas", schemas);
            put(&mut components, "securitySchemes", schemes);
            // Without any, the member is there and empty.
            document["components"] = components;
        }
    }
    if extensions.others {
        writer.others(&mut document);
    }
    if let Some(documented) = &writer.documented {
        writer.describe(&mut document, (DocumentedKind::Api, Entity::default()), documented::DOCUMENT);
        document[EXTENSION] = documented.extension();
    }
    document
}

fn put(into: &mut Value, name: &str, value: Map<String, Value>) {
    if !value.is_empty() {
        into[name] = Value::Object(value);
    }
}

impl Writer<'_> {
    /// Writes on an entity what is said of it.
    fn describe(&self, value: &mut Value, entity: (DocumentedKind, Entity<'_>), places: &[&str]) {
        if let Some(documented) = &self.documented {
            documented.describe(value, entity, places);
        }
    }

    fn paths(&self) -> Value {
        let mut paths = BTreeMap::new();
        for resource in self.frozen.resources.iter().filter(|resource| !resource.methods.is_empty()) {
            let path = resource::path_among(&self.frozen.resources, resource);
            let mut item = json!({});
            let entity = Entity { path: &path, ..Entity::default() };
            self.describe(&mut item, (DocumentedKind::Resource, entity), &[]);
            for (name, method) in &resource.methods {
                let key = name.0.map_or_else(|| ANY_METHOD.to_owned(), |method| method.as_str().to_ascii_lowercase());
                let spot = Spot { resource, path: &path, name: &name.to_string(), method };
                item[key] = self.operation(spot);
            }
            paths.insert(path, item);
        }
        json!(paths)
    }

    fn operation(&self, spot: Spot<'_>) -> Value {
        let method = spot.method;
        let mut operation = json!({ "responses": self.responses(spot) });
        self.describe(&mut operation, (DocumentedKind::Method, spot.entity("")), documented::OPERATION);
        if let Some(name) = &method.operation_name {
            operation["operationId"] = json!(name);
        }
        if self.form == Form::Two && !method.request_models.is_empty() {
            operation["consumes"] = json!(method.request_models.keys().collect::<Vec<_>>());
        }
        let produced: BTreeSet<_> = method.responses.values().flat_map(|response| response.models.keys()).collect();
        if self.form == Form::Two && !produced.is_empty() {
            operation["produces"] = json!(produced);
        }
        let parameters = self.parameters(spot);
        if !parameters.is_empty() {
            operation["parameters"] = json!(parameters);
        }
        if self.form == Form::Three && !method.request_models.is_empty() {
            let mut body = json!({ "content": self.content(&method.request_models), "required": true });
            self.describe_body(&mut body, spot);
            operation["requestBody"] = body;
        }
        let security = self.security(method);
        if !security.is_empty() {
            operation["security"] = json!(security);
        }
        if self.extensions.others
            && let Some(id) = method.request_validator
            && let Some(validator) = self.frozen.validators.iter().find(|known| known.id == id)
        {
            operation["x-amazon-apigateway-request-validator"] = json!(validator.name);
        }
        if let Some(integration) = method.integration.as_ref().filter(|_| self.extensions.integrations) {
            operation["x-amazon-apigateway-integration"] = written(spot.resource, integration);
        }
        operation
    }

    /// What is said of a body stands under no name, or under its model's.
    fn describe_body(&self, body: &mut Value, spot: Spot<'_>) {
        let model = spot.method.request_models.values().next();
        for name in model.map(String::as_str).into_iter().chain([""]) {
            self.describe(body, (DocumentedKind::RequestBody, spot.entity(name)), documented::OTHER);
        }
    }

    fn responses(&self, spot: Spot<'_>) -> Value {
        let mut responses = Map::new();
        for (status, response) in &spot.method.responses {
            let mut value = json!({ "description": format!("{status} response") });
            let status = status.to_string();
            let entity = Entity { status: &status, ..spot.entity("") };
            self.describe(&mut value, (DocumentedKind::Response, entity), documented::OTHER);
            let headers = response.parameters.keys().filter_map(|key| key.strip_prefix("method.response.header."));
            let schema = match self.form {
                Form::Two => json!({ "type": "string" }),
                Form::Three => json!({ "schema": { "type": "string" } }),
            };
            let header = |name: &str| {
                let mut header = schema.clone();
                let entity = Entity { name, ..entity };
                self.describe(&mut header, (DocumentedKind::ResponseHeader, entity), documented::OTHER);
                (name.to_owned(), header)
            };
            let headers: Map<String, Value> = headers.map(header).collect();
            put(&mut value, "headers", headers);
            match (self.form, response.models.values().next()) {
                (Form::Two, None) => {}
                (Form::Three, None) => value["content"] = json!({}),
                (Form::Two, Some(model)) => value["schema"] = self.reference(model),
                (Form::Three, Some(_)) => value["content"] = self.content(&response.models),
            }
            responses.insert(status, value);
        }
        Value::Object(responses)
    }

    fn content(&self, models: &BTreeMap<String, String>) -> Value {
        let entries = models.iter().map(|(media, model)| (media.clone(), json!({ "schema": self.reference(model) })));
        Value::Object(entries.collect())
    }

    fn reference(&self, model: &str) -> Value {
        let base = match self.form {
            Form::Two => "#/definitions/",
            Form::Three => "#/components/schemas/",
        };
        json!({ "$ref": format!("{base}{model}") })
    }

    fn parameters(&self, spot: Spot<'_>) -> Vec<Value> {
        let method = spot.method;
        let mut parameters = Vec::new();
        for (key, required) in as_hashed(&method.request_parameters) {
            let Some((place, name)) = key.strip_prefix("method.request.").and_then(|rest| rest.split_once('.')) else {
                continue;
            };
            let (place, kind) = match place {
                "querystring" => ("query", DocumentedKind::QueryParameter),
                "path" => ("path", DocumentedKind::PathParameter),
                other => (other, DocumentedKind::RequestHeader),
            };
            let mut parameter = json!({ "name": name, "in": place, "required": *required || place == "path" });
            if self.form == Form::Three && parameter["required"] == json!(false) {
                // What is the default is left out there, and there only.
                parameter.as_object_mut().map(|members| members.remove("required"));
            }
            match self.form {
                Form::Two => parameter["type"] = json!("string"),
                Form::Three => parameter["schema"] = json!({ "type": "string" }),
            }
            self.describe(&mut parameter, (kind, spot.entity(name)), documented::OTHER);
            parameters.push(parameter);
        }
        if let (Form::Two, Some(model)) = (self.form, method.request_models.values().next()) {
            let schema = self.reference(model);
            let mut body = json!({ "in": "body", "name": model, "required": true, "schema": schema });
            self.describe_body(&mut body, spot);
            parameters.push(body);
        }
        parameters
    }

    fn security(&self, method: &Method) -> Vec<Value> {
        let mut security = Vec::new();
        match &method.authorization {
            MethodAuthorization::None => {}
            MethodAuthorization::AwsIam => security.push(json!({ IAM_SCHEME: [] })),
            MethodAuthorization::CognitoUserPools { authorizer, scopes } => {
                let known = self.frozen.authorizers.iter().find(|known| known.id == *authorizer);
                security.extend(known.map(|known| json!({ &known.name: scopes })));
            }
            // No authorizer of this kind can be made here.
            MethodAuthorization::Custom { .. } => {}
        }
        if method.api_key_required {
            security.push(json!({ KEY_SCHEME: [] }));
        }
        security
    }

    fn methods(&self) -> impl Iterator<Item = &Method> {
        self.frozen.resources.iter().flat_map(|resource| resource.methods.values())
    }

    fn schemes(&self) -> Map<String, Value> {
        let mut schemes = Map::new();
        if self.methods().any(|method| method.api_key_required) {
            schemes.insert(KEY_SCHEME.to_owned(), json!({ "type": "apiKey", "name": "x-api-key", "in": "header" }));
        }
        if self.methods().any(|method| method.authorization == MethodAuthorization::AwsIam) {
            let scheme = json!({
                "type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4",
            });
            schemes.insert(IAM_SCHEME.to_owned(), scheme);
        }
        for authorizer in &self.frozen.authorizers {
            schemes.insert(authorizer.name.clone(), self.scheme(authorizer));
        }
        schemes
    }

    fn scheme(&self, authorizer: &RestAuthorizer) -> Value {
        let header = authorizer.identity_source.strip_prefix("method.request.header.").unwrap_or("Authorization");
        let mut scheme = json!({
            "type": "apiKey", "name": header, "in": "header", "x-amazon-apigateway-authtype": "cognito_user_pools",
        });
        if self.extensions.authorizers {
            let RestAuthorizerKind::CognitoUserPools { provider_arns } = &authorizer.kind;
            scheme["x-amazon-apigateway-authorizer"] =
                json!({ "type": "cognito_user_pools", "providerARNs": provider_arns });
        }
        let entity = Entity { name: &authorizer.name, ..Entity::default() };
        self.describe(&mut scheme, (DocumentedKind::Authorizer, entity), documented::OTHER);
        scheme
    }

    fn schemas(&self) -> Map<String, Value> {
        let used = |name: &str| {
            let by_method = |method: &Method| {
                let of_responses = method.responses.values().flat_map(|response| response.models.values());
                method.request_models.values().chain(of_responses).any(|model| model == name)
            };
            self.methods().any(by_method) || self.frozen.models.iter().any(|model| refers_to(&model.schema, name))
        };
        let models = self.frozen.models.iter().filter(|model| used(&model.name));
        models.map(|model| (model.name.clone(), self.schema(model))).collect()
    }

    fn schema(&self, model: &Model) -> Value {
        let mut schema: Value = serde_json::from_str(&model.schema).unwrap_or_else(|_| json!({}));
        if let Some(members) = schema.as_object_mut() {
            // A document has one dialect; a schema within it names none.
            members.remove("$schema");
        }
        self.localize(&mut schema);
        if let Some(documented) = &self.documented {
            documented.describe_model(&mut schema, &model.name);
        }
        schema
    }

    fn localize(&self, schema: &mut Value) {
        match schema {
            Value::Object(members) => {
                if let Some(reference) = members.get_mut("$ref")
                    && let Some(name) = reference.as_str().and_then(model_name)
                {
                    let local = self.reference(name);
                    *reference = local.get("$ref").cloned().unwrap_or_default();
                }
                members.values_mut().for_each(|member| self.localize(member));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.localize(item)),
            _ => {}
        }
    }

    fn others(&self, document: &mut Value) {
        let frozen = self.frozen;
        let validators = frozen.validators.iter().map(|validator| {
            let flags = json!({
                "validateRequestBody": validator.body, "validateRequestParameters": validator.parameters,
            });
            (validator.name.clone(), flags)
        });
        put(document, "x-amazon-apigateway-request-validators", validators.collect());
        let responses = frozen.gateway_responses.iter().map(|response| {
            let mut value = json!({
                "responseParameters": response.parameters, "responseTemplates": response.templates,
            });
            if let Some(status) = response.status {
                value["statusCode"] = json!(status);
            }
            (response.kind.as_str().to_owned(), value)
        });
        put(document, "x-amazon-apigateway-gateway-responses", responses.collect());
        if !frozen.binary_media_types.is_empty() {
            document["x-amazon-apigateway-binary-media-types"] = json!(frozen.binary_media_types);
        }
        if let Some(bytes) = frozen.minimum_compression_size {
            document["x-amazon-apigateway-minimum-compression-size"] = json!(bytes);
        }
        if let Some(policy) = frozen.policy.as_ref().and_then(|policy| serde_json::from_str(policy.as_str()).ok()) {
            let policy: Value = policy;
            document["x-amazon-apigateway-policy"] = policy;
        }
    }
}

/// Whether a schema refers to a model of this name.
fn refers_to(schema: &str, name: &str) -> bool {
    schema.contains(&format!("/models/{name}\""))
}

fn written(resource: &Resource, integration: &Integration) -> Value {
    let shown: shapes::Integration = integration::render(integration);
    let mut value = json!({ "type": shown.type_.map(|kind| kind.to_ascii_lowercase()) });
    let mut told = |name: &str, text: Option<String>| {
        if let Some(text) = text {
            value[name] = json!(text);
        }
    };
    told("httpMethod", shown.http_method);
    told("uri", shown.uri);
    told("connectionType", Some("VPC_LINK".to_owned()).filter(|_| integration.connection != RestConnection::Internet));
    told("connectionId", shown.connection_id);
    told("integrationTarget", shown.integration_target);
    told("passthroughBehavior", shown.passthrough_behavior.map(|behavior| behavior.to_ascii_lowercase()));
    told("contentHandling", shown.content_handling);
    told("responseTransferMode", shown.response_transfer_mode);
    told("cacheNamespace", Some(integration.cache_namespace.clone()).filter(|name| *name != resource.id.as_str()));
    if integration.timeout_ms != integration::TIMEOUT_MS_DEFAULT {
        value["timeoutInMillis"] = json!(integration.timeout_ms);
    }
    if !integration.request_parameters.is_empty() {
        value["requestParameters"] = json!(integration.request_parameters);
    }
    if !integration.request_templates.is_empty() {
        value["requestTemplates"] = json!(integration.request_templates);
    }
    if !integration.cache_key_parameters.is_empty() {
        value["cacheKeyParameters"] = json!(integration.cache_key_parameters);
    }
    if let Some(skips) = integration.insecure_skip_verification {
        value["tlsConfig"] = json!({ "insecureSkipVerification": skips });
    }
    let mut responses = Map::new();
    for (status, response) in &integration.responses {
        let shown = integration_response::render(*status, response);
        let mut entry = json!({ "statusCode": status.to_string() });
        if let Some(parameters) = shown.response_parameters.filter(|parameters| !parameters.is_empty()) {
            entry["responseParameters"] = json!(parameters);
        }
        if let Some(templates) = shown.response_templates.filter(|templates| !templates.is_empty()) {
            let text = |text: Option<String>| text.unwrap_or_else(|| PASSTHROUGH.to_owned());
            let templates: BTreeMap<_, _> = templates.into_iter().map(|(kind, own)| (kind, text(own))).collect();
            entry["responseTemplates"] = json!(templates);
        }
        if let Some(handling) = shown.content_handling {
            entry["contentHandling"] = json!(handling);
        }
        let pattern = response.selection_pattern.clone().filter(|pattern| !pattern.is_empty());
        responses.insert(pattern.unwrap_or_else(|| "default".to_owned()), entry);
    }
    put(&mut value, "responses", responses);
    value
}
