//! The API of what is published, as an OpenAPI document: an HTTP API, or a REST API where clients need a key. One document says all of it, so
//! that one call changes all of it at once. Pure: values in, values out.

use serde_json::{Map, Value, json};

use super::private::Private;
use super::wish::Wish;

/// The paths that lead to the service, and whether each ends in whatever is below.
fn paths(wish: &Wish) -> [(String, bool); 2] {
    let root = if wish.path.is_empty() { "/".to_owned() } else { wish.path.clone() };
    [(root, false), (format!("{}/{{proxy+}}", wish.path), true)]
}

/// The document of an HTTP API.
pub(super) fn http(wish: &Wish, private: &Private) -> Value {
    let integration = json!({
        "type": "http_proxy", "httpMethod": "ANY", "uri": private.listener,
        "connectionType": "VPC_LINK", "connectionId": private.link, "payloadFormatVersion": "1.0",
    });
    let mut operation = json!({ "x-amazon-apigateway-integration": integration, "responses": { "default": { "description": "of the service" } } });
    let mut document = json!({ "openapi": "3.0.1", "info": { "title": wish.host.as_str(), "version": wish.version } });
    if let Some(jwt) = &wish.jwt {
        operation["security"] = json!([{ "tokens": jwt.scopes }]);
        let authorizer = json!({
            "type": "jwt", "identitySource": "$request.header.Authorization",
            "jwtConfiguration": { "issuer": jwt.issuer, "audience": jwt.audience },
        });
        let scheme = json!({ "type": "oauth2", "flows": {}, "x-amazon-apigateway-authorizer": authorizer });
        document["components"] = json!({ "securitySchemes": { "tokens": scheme } });
    }
    if !wish.cors.is_empty() {
        document["x-amazon-apigateway-cors"] = json!({
            "allowOrigins": wish.cors,
            "allowMethods": ["*"],
            "allowHeaders": ["authorization", "content-type"],
        });
    }
    let paths = paths(wish).map(|(path, _)| (path, json!({ "x-amazon-apigateway-any-method": operation })));
    document["paths"] = Value::Object(paths.into_iter().collect());
    document
}

/// The document of a REST API whose methods need a key.
pub(super) fn rest(wish: &Wish, private: &Private) -> Value {
    let methods = paths(wish).map(|(path, is_proxy)| {
        // Of a REST API the service sees the path of the integration: the same as the client's.
        let behind = path.replace("{proxy+}", "{proxy}");
        let mut integration = json!({
            "type": "http_proxy", "httpMethod": "ANY", "uri": format!("http://{}{behind}", wish.host),
            "connectionType": "VPC_LINK", "connectionId": private.link, "integrationTarget": private.load_balancer,
        });
        let mut method = json!({ "security": [{ "key": [] }], "responses": {} });
        if is_proxy {
            integration["requestParameters"] = json!({ "integration.request.path.proxy": "method.request.path.proxy" });
            method["parameters"] =
                json!([{ "name": "proxy", "in": "path", "required": true, "schema": { "type": "string" } }]);
        }
        method["x-amazon-apigateway-integration"] = integration;
        let mut item = Map::from_iter([("x-amazon-apigateway-any-method".to_owned(), method)]);
        if !wish.cors.is_empty() {
            item.insert("options".to_owned(), preflight(wish, is_proxy));
        }
        (path, Value::Object(item))
    });
    json!({
        "openapi": "3.0.1",
        "info": { "title": wish.host.as_str(), "version": wish.version },
        "paths": Value::Object(methods.into_iter().collect()),
        "components": { "securitySchemes": { "key": { "type": "apiKey", "name": "x-api-key", "in": "header" } } },
    })
}

/// The answer to a page that asks whether it may call: a method without a service behind it.
fn preflight(wish: &Wish, is_proxy: bool) -> Value {
    // A header names one origin: of several the first.
    let origin = wish.cors.first().map(String::as_str).unwrap_or_default();
    let headers = [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", "*"),
        ("Access-Control-Allow-Headers", "authorization,content-type,x-api-key"),
    ];
    let told: Map<_, _> =
        headers.iter().map(|(name, _)| ((*name).to_owned(), json!({ "schema": { "type": "string" } }))).collect();
    let written: Map<_, _> = headers
        .iter()
        .map(|(name, value)| (format!("method.response.header.{name}"), Value::from(format!("'{value}'"))))
        .collect();
    let mut method = json!({
        "responses": { "200": { "description": "yes", "headers": told } },
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": { "application/json": "{\"statusCode\": 200}" },
            "responses": { "default": { "statusCode": "200", "responseParameters": written } },
        },
    });
    if is_proxy {
        method["parameters"] =
            json!([{ "name": "proxy", "in": "path", "required": true, "schema": { "type": "string" } }]);
    }
    method
}
