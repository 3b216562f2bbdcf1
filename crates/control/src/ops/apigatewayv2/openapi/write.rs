//! From what an API is, or what a stage serves, to an OpenAPI 3.0 document.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use topology::id::{IntegrationId, Realm};
use topology::resource::http_api::{
    Api, Authorization, Authorizer, AuthorizerKind, Cors, Frozen, Integration, IntegrationConnection, Route,
};
use topology::snapshot::routes::{RouteKey, Segment};

/// Whether AWS's extensions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extensions {
    /// They are.
    Kept,
    /// Only plain OpenAPI is.
    Left,
}

const IAM_SCHEME: &str = "sigv4";

/// The document. The base path is the stage's, where one is exported.
pub(super) fn document(
    (api, realm): (&Api, &Realm),
    frozen: &Frozen,
    stage: Option<&str>,
    extensions: Extensions,
) -> Value {
    let base = stage.filter(|stage| *stage != "$default").unwrap_or_default();
    let url = format!("https://{}.execute-api.{}.amazonaws.com/{{basePath}}", api.id, realm.region);
    let mut info = json!({ "title": api.name, "version": api.version.clone().unwrap_or_else(|| "1.0".to_owned()) });
    if let Some(description) = &api.description {
        info["description"] = json!(description);
    }
    let mut document = json!({
        "openapi": "3.0.1",
        "info": info,
        "servers": [{ "url": url, "variables": { "basePath": { "default": base } } }],
        "paths": paths(frozen, extensions),
    });
    let schemes = schemes(frozen, extensions);
    if !schemes.is_empty() {
        document["components"] = json!({ "securitySchemes": schemes });
    }
    if extensions == Extensions::Kept {
        if let Some(cors) = &frozen.cors {
            document["x-amazon-apigateway-cors"] = cors_of(cors);
        }
        if frozen.disable_execute_api_endpoint {
            document["x-amazon-apigateway-endpoint-configuration"] = json!({ "disableExecuteApiEndpoint": true });
        }
        document["x-amazon-apigateway-importexport-version"] = json!("1.0");
    }
    document
}

fn paths(frozen: &Frozen, extensions: Extensions) -> Value {
    let mut paths = Map::new();
    for route in &frozen.routes {
        let (path, method) = match &route.key {
            RouteKey::Default => ("/$default".to_owned(), "x-amazon-apigateway-any-method".to_owned()),
            RouteKey::Path { method, .. } => {
                let key = route.key.to_string();
                let path = key.split_once(' ').map_or_else(|| key.clone(), |(_, path)| path.to_owned());
                let method = method.map(|method| method.as_str().to_ascii_lowercase());
                (path, method.unwrap_or_else(|| "x-amazon-apigateway-any-method".to_owned()))
            }
        };
        if extensions == Extensions::Left && method.starts_with("x-") {
            // Plain OpenAPI has no word for it.
            continue;
        }
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method] = operation(frozen, route, extensions);
    }
    Value::Object(paths)
}

fn operation(frozen: &Frozen, route: &Route, extensions: Extensions) -> Value {
    let mut operation = json!({
        "responses": { "default": { "description": format!("Default response for {}", route.key) } },
    });
    if let Some(name) = &route.operation_name {
        operation["operationId"] = json!(name);
    }
    let parameters = parameters(&route.key);
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    match &route.authorization {
        Authorization::None => {}
        Authorization::AwsIam => operation["security"] = json!([{ IAM_SCHEME: [] }]),
        Authorization::Jwt { authorizer, scopes } => {
            if let Some(authorizer) = frozen.authorizers.iter().find(|known| known.id == *authorizer) {
                operation["security"] = json!([{ &authorizer.name: scopes }]);
            }
        }
        // No authorizer of this kind can be made here.
        Authorization::Custom { .. } => {}
    }
    if extensions == Extensions::Kept {
        if route.key == RouteKey::Default {
            operation["isDefaultRoute"] = json!(true);
        }
        if let Some(integration) = route.target.and_then(|id| find(&frozen.integrations, id)) {
            operation["x-amazon-apigateway-integration"] = integration_of(integration);
        }
    }
    operation
}

fn find(integrations: &[Arc<Integration>], id: IntegrationId) -> Option<&Integration> {
    integrations.iter().find(|integration| integration.id == id).map(|integration| &**integration)
}

fn parameters(key: &RouteKey) -> Vec<Value> {
    let RouteKey::Path { path, .. } = key else { return Vec::new() };
    let named = path.iter().filter_map(|segment| match segment {
        Segment::Static(_) => None,
        Segment::Variable(name) => Some(name.clone()),
        Segment::Greedy(name) => Some(format!("{name}+")),
    });
    let parameter = |name: String| {
        json!({
            "name": name,
            "in": "path",
            "description": format!("Generated path parameter for {name}"),
            "required": true,
            "schema": { "type": "string" },
        })
    };
    named.map(parameter).collect()
}

fn integration_of(integration: &Integration) -> Value {
    let mut value = json!({
        "type": "http_proxy",
        "httpMethod": integration.method,
        "uri": integration.uri,
        "payloadFormatVersion": integration.payload_format_version,
        "timeoutInMillis": integration.timeout_ms,
    });
    match &integration.connection {
        IntegrationConnection::Internet => value["connectionType"] = json!("INTERNET"),
        IntegrationConnection::VpcLink(id) => {
            value["connectionType"] = json!("VPC_LINK");
            value["connectionId"] = json!(id);
        }
    }
    if !integration.request_parameters.is_empty() {
        value["requestParameters"] = json!(integration.request_parameters);
    }
    if !integration.response_parameters.is_empty() {
        value["responseParameters"] = json!(integration.response_parameters);
    }
    if let Some(name) = &integration.tls_server_name {
        value["tlsConfig"] = json!({ "serverNameToVerify": name });
    }
    if let Some(description) = &integration.description {
        value["description"] = json!(description);
    }
    value
}

fn schemes(frozen: &Frozen, extensions: Extensions) -> Map<String, Value> {
    let mut schemes: Map<String, Value> =
        frozen.authorizers.iter().map(|known| (known.name.clone(), scheme(known, extensions))).collect();
    if frozen.routes.iter().any(|route| route.authorization == Authorization::AwsIam) {
        let mut scheme = json!({ "type": "apiKey", "name": "Authorization", "in": "header" });
        if extensions == Extensions::Kept {
            scheme["x-amazon-apigateway-authtype"] = json!("awsSigv4");
        }
        schemes.insert(IAM_SCHEME.to_owned(), scheme);
    }
    schemes
}

fn scheme(authorizer: &Authorizer, extensions: Extensions) -> Value {
    let AuthorizerKind::Jwt { issuer, audience } = &authorizer.kind;
    let mut scheme = json!({ "type": "oauth2", "flows": {} });
    if extensions == Extensions::Kept {
        scheme["x-amazon-apigateway-authorizer"] = json!({
            "type": "jwt",
            "identitySource": authorizer.identity_source.join(","),
            "jwtConfiguration": { "issuer": issuer, "audience": audience },
        });
    }
    scheme
}

fn cors_of(cors: &Cors) -> Value {
    let mut value = Map::new();
    let mut put = |name: &str, member: Option<Value>| {
        if let Some(member) = member {
            value.insert(name.to_owned(), member);
        }
    };
    put("allowCredentials", cors.allow_credentials.map(Value::from));
    put("allowHeaders", cors.allow_headers.clone().map(Value::from));
    put("allowMethods", cors.allow_methods.clone().map(Value::from));
    put("allowOrigins", cors.allow_origins.clone().map(Value::from));
    put("exposeHeaders", cors.expose_headers.clone().map(Value::from));
    put("maxAge", cors.max_age_s.map(Value::from));
    Value::Object(value)
}
