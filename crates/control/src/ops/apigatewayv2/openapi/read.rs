//! From an OpenAPI 3.0 document, as JSON or YAML, to a plan of what it describes. What an HTTP API has no place for (schemas,
//! request bodies, responses) is passed over and said in the plan's information; what the author may have meant to take effect
//! and does not is a warning.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use wire::Fault;
use wire::apigatewayv2 as shapes;

use crate::ops::gateway_common::document::open_api::{Malformed, OpenApi, Security, Version};
use crate::ops::gateway_common::document::{BasePath, INVALID, Unread, list, parse, plain, tags};
use crate::ops::gateway_common::fault;

/// What a document describes.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// `info.title`
    pub(super) name: String,
    /// `info.version`
    pub(super) version: Option<String>,
    /// `info.description`
    pub(super) description: Option<String>,
    /// `x-amazon-apigateway-tag-value` of the document's tags.
    pub(super) tags: BTreeMap<String, String>,
    /// `x-amazon-apigateway-cors`
    pub(super) cors: Option<shapes::Cors>,
    /// `x-amazon-apigateway-endpoint-configuration`
    pub(super) disable_execute_api_endpoint: Option<bool>,
    /// Security schemes that are authorizers, by name.
    pub(super) authorizers: BTreeMap<String, shapes::CreateAuthorizerRequest>,
    /// Integrations, with where they stand in the document.
    pub(super) integrations: Vec<(String, shapes::CreateIntegrationRequest)>,
    /// Which of them several operations name, by where they stand.
    shared: BTreeMap<String, usize>,
    /// Routes.
    pub(super) routes: Vec<PlannedRoute>,
    /// What may not be as meant.
    pub(super) warnings: Vec<String>,
    /// What was passed over.
    pub(super) info: Vec<String>,
}

/// A route of a plan.
#[derive(Debug)]
pub(super) struct PlannedRoute {
    /// Its key.
    pub(super) key: String,
    /// The place of its integration in the plan.
    pub(super) integration: Option<usize>,
    /// `operationId`
    pub(super) operation_name: Option<String>,
    /// Who may call it.
    pub(super) guard: Guard,
}

/// Who may call a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Guard {
    /// Anyone.
    None,
    /// Who signs the request.
    Iam,
    /// Whom this authorizer lets in.
    Authorizer {
        /// The security scheme.
        name: String,
        /// The scopes.
        scopes: Vec<String>,
    },
}

/// Routes that a document may describe: ten times what AWS lets an API have by default (HTTP API quotas, 2026-11), so that what
/// is looked up among them stays cheap. Ours. Above: refused.
const ROUTES_MAX: usize = 3_000;
/// Authorizers that a document may describe, for the same reason. Ours. Above: refused.
const AUTHORIZERS_MAX: usize = 1_000;
/// Scopes of a guard. What stands once in a document may guard every route. Ours. Above: refused.
const SCOPES_MAX: usize = 1_000;

const INTEGRATION: &str = "x-amazon-apigateway-integration";
const INTEGRATIONS: &str = "x-amazon-apigateway-integrations";

/// Reads a document.
///
/// # Errors
/// AWS's message, with what is wrong where this reader knows it.
pub(super) fn plan(text: &str, base_path: BasePath) -> Result<Plan, Fault> {
    let document = parse(text)?;
    described(&document, base_path).map_err(fault::bad_request)
}

fn described(document: &Map<String, Value>, base_path: BasePath) -> Result<Plan, String> {
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("3.0") {
        return Err(format!("{INVALID} HTTP APIs take OpenAPI 3.0"));
    }
    let api = OpenApi::new(document, Version::Three, base_path);
    let info = api.info().map_err(said)?;
    let mut plan = Plan {
        name: info.title,
        version: info.version,
        description: info.description,
        tags: tags(document),
        cors: api.extension("cors").map(cors).transpose()?,
        disable_execute_api_endpoint: info.disable_execute_api_endpoint,
        ..Plan::default()
    };
    let reader = Reader { api };
    reader.authorizers(&mut plan)?;
    reader.routes(&mut plan)?;
    if reader.api.components("schemas").is_some() {
        plan.info.push("Models are not supported for HTTP APIs. Schemas are passed over.".to_owned());
    }
    Ok(plan)
}

/// What is wrong with a document, as `ImportApi` says it: with where.
fn said(unread: Unread) -> String {
    format!("{} {}", unread.message, unread.detail)
}

fn cors(value: &Value) -> Result<shapes::Cors, String> {
    let cors = value.as_object().ok_or_else(|| format!("{INVALID} x-amazon-apigateway-cors is no object"))?;
    Ok(shapes::Cors {
        allow_credentials: cors.get("allowCredentials").and_then(Value::as_bool),
        allow_headers: list(cors.get("allowHeaders")),
        allow_methods: list(cors.get("allowMethods")),
        allow_origins: list(cors.get("allowOrigins")),
        expose_headers: list(cors.get("exposeHeaders")),
        max_age: cors.get("maxAge").and_then(Value::as_i64),
    })
}

struct Reader<'d> {
    api: OpenApi<'d>,
}

impl<'d> Reader<'d> {
    fn authorizers(&self, plan: &mut Plan) -> Result<(), String> {
        for (name, scheme) in self.api.components("securitySchemes").into_iter().flatten() {
            let Some(authorizer) = scheme.get("x-amazon-apigateway-authorizer") else { continue };
            if plan.authorizers.len() >= AUTHORIZERS_MAX {
                return Err(format!("The document describes more than {AUTHORIZERS_MAX} authorizers"));
            }
            let kind = authorizer.get("type").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
            if kind != "jwt" {
                return Err(format!("{INVALID} Authorizer type {kind} of security scheme {name} is not supported"));
            }
            let jwt = authorizer.get("jwtConfiguration");
            let source = match authorizer.get("identitySource") {
                Some(Value::Array(_)) => list(authorizer.get("identitySource")).unwrap_or_default(),
                Some(Value::String(text)) => text.split(',').map(|part| part.trim().to_owned()).collect(),
                _ => vec!["$request.header.Authorization".to_owned()],
            };
            let configuration = shapes::JWTConfiguration {
                audience: list(jwt.and_then(|jwt| jwt.get("audience"))),
                issuer: jwt.and_then(|jwt| jwt.get("issuer")).and_then(plain),
            };
            let wanted = shapes::CreateAuthorizerRequest {
                name: name.clone(),
                authorizer_type: "JWT".to_owned(),
                identity_source: source,
                jwt_configuration: Some(configuration),
                ..shapes::CreateAuthorizerRequest::default()
            };
            plan.authorizers.insert(name.clone(), wanted);
        }
        Ok(())
    }

    fn routes(&self, plan: &mut Plan) -> Result<(), String> {
        for path in self.api.paths().map_err(said)? {
            for (method, key, operation) in path.operations(&mut plan.warnings) {
                let is_default =
                    path.written == "/$default" || operation.get("isDefaultRoute") == Some(&Value::Bool(true));
                let route_key = if is_default { "$default".to_owned() } else { format!("{method} {}", path.full) };
                if plan.routes.len() >= ROUTES_MAX {
                    return Err(format!("The document describes more than {ROUTES_MAX} routes"));
                }
                self.note_missing_schemas(plan, (path.written, key), operation);
                let route = self.route(plan, route_key, operation)?;
                plan.routes.push(route);
            }
        }
        Ok(())
    }

    /// A warning for each reference to a schema that is not there (text recorded on AWS, 2026-03; the place within a request body is
    /// ours in the same form).
    fn note_missing_schemas(&self, plan: &mut Plan, (path, method): (&str, &str), operation: &Value) {
        let schemas = self.api.components("schemas");
        let responses = operation.get("responses").and_then(Value::as_object).into_iter().flatten();
        let responses = responses.map(|(status, response)| (format!("responses.{status}"), response));
        let body = operation.get("requestBody").map(|body| ("requestBody".to_owned(), body));
        for (place, value) in responses.chain(body) {
            let content = value.get("content").and_then(Value::as_object);
            for schema in content.into_iter().flatten().filter_map(|(_, media)| media.get("schema")) {
                let reference = schema.get("$ref").and_then(Value::as_str).unwrap_or_default();
                let name = reference.strip_prefix("#/components/schemas/");
                if name.is_some_and(|name| !schemas.is_some_and(|known| known.contains_key(name))) {
                    let at = format!("paths.'{path}'({method}).{place}.content.schema.{reference}");
                    plan.warnings.push(format!("Parse issue: attribute {at} is missing"));
                }
            }
        }
    }

    fn route(&self, plan: &mut Plan, key: String, operation: &'d Value) -> Result<PlannedRoute, String> {
        let integration = match operation.get(INTEGRATION) {
            Some(inline) => Some(self.integration(plan, &key, inline)?),
            None => {
                plan.warnings.push(format!("{key} has no integration"));
                None
            }
        };
        if operation.get("requestBody").is_some() {
            plan.info.push(format!("Request bodies are not validated by HTTP APIs. That of {key} is passed over."));
        }
        let guard = self.guard(plan, &key, operation)?;
        let operation_name = operation.get("operationId").and_then(plain);
        Ok(PlannedRoute { key, integration, operation_name, guard })
    }

    /// An integration written in place, or one that several operations name: that one is made once.
    fn integration(&self, plan: &mut Plan, key: &str, value: &Value) -> Result<usize, String> {
        let named = value.get("$ref").and_then(Value::as_str);
        let (place, value) = match named {
            None => (format!("the integration of {key}"), value),
            Some(reference) => {
                let name = reference.strip_prefix(&format!("#/components/{INTEGRATIONS}/"));
                let found = name.and_then(|name| self.api.components(INTEGRATIONS)?.get(name));
                let found =
                    found.ok_or_else(|| format!("{INVALID} {key} refers to {reference}, which is not there"))?;
                (format!("the integration {reference}"), found)
            }
        };
        if let Some(at) = named.and_then(|_| plan.shared.get(&place)) {
            return Ok(*at);
        }
        let (wanted, at) = (integration(value, &place, &mut plan.warnings)?, plan.integrations.len());
        if named.is_some() {
            plan.shared.insert(place.clone(), at);
        }
        plan.integrations.push((place, wanted));
        Ok(at)
    }

    fn guard(&self, plan: &mut Plan, key: &str, operation: &'d Value) -> Result<Guard, String> {
        let wrong = |what: &str| format!("{INVALID} {what} of {key} is not in the form of OpenAPI 3.0");
        let schemes = match self.api.security(operation).map_err(|Malformed(what)| wrong(what))? {
            Security::Open => return Ok(Guard::None),
            Security::Authorization(kind) if kind.eq_ignore_ascii_case("aws_iam") => return Ok(Guard::Iam),
            Security::Authorization(kind) => {
                return Err(format!("{INVALID} Authorization type {kind} of {key} is not supported"));
            }
            Security::Schemes(schemes) => schemes,
        };
        let Some((&(name, scopes), others)) = schemes.split_first() else { return Ok(Guard::None) };
        let scopes = scopes.as_array().ok_or_else(|| wrong("security"))?;
        if scopes.len() > SCOPES_MAX {
            return Err(format!("The security of {key} names more than {SCOPES_MAX} scopes"));
        }
        let scopes: Option<Vec<String>> = scopes.iter().map(|scope| scope.as_str().map(str::to_owned)).collect();
        let scopes = scopes.ok_or_else(|| wrong("security"))?;
        if !others.is_empty() {
            plan.warnings.push(format!("{key} names several security schemes; the first one, {name}, is taken"));
        }
        let scheme = self.api.components("securitySchemes").and_then(|schemes| schemes.get(name));
        let scheme = scheme.ok_or_else(|| format!("{INVALID} Security scheme {name} of {key} is not there"))?;
        if scheme.get("x-amazon-apigateway-authtype").and_then(Value::as_str) == Some("awsSigv4") {
            return Ok(Guard::Iam);
        }
        if !plan.authorizers.contains_key(name) {
            // Left out, the route would stand open although its author closed it.
            return Err(format!("{INVALID} Security scheme {name} of {key} has no x-amazon-apigateway-authorizer"));
        }
        Ok(Guard::Authorizer { name: name.to_owned(), scopes })
    }
}

/// Members of `x-amazon-apigateway-integration` that this reader carries out.
const KNOWN: [&str; 12] = [
    "type",
    "httpMethod",
    "uri",
    "connectionType",
    "connectionId",
    "payloadFormatVersion",
    "timeoutInMillis",
    "requestParameters",
    "responseParameters",
    "tlsConfig",
    "description",
    "passthroughBehavior",
];

fn integration(
    value: &Value,
    place: &str,
    warnings: &mut Vec<String>,
) -> Result<shapes::CreateIntegrationRequest, String> {
    let members = value.as_object().ok_or_else(|| format!("{INVALID} {place} is no object"))?;
    let text = |name: &str| members.get(name).and_then(plain);
    for name in members.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
        warnings.push(format!("{name} of {place} is not supported and is left out"));
    }
    let answers = members.get("responseParameters").and_then(Value::as_object);
    let tls = members
        .get("tlsConfig")
        .map(|tls| shapes::TlsConfigInput { server_name_to_verify: tls.get("serverNameToVerify").and_then(plain) });
    Ok(shapes::CreateIntegrationRequest {
        integration_type: text("type").unwrap_or_default().to_ascii_uppercase(),
        integration_method: text("httpMethod"),
        integration_uri: text("uri"),
        connection_type: text("connectionType"),
        connection_id: text("connectionId"),
        payload_format_version: text("payloadFormatVersion"),
        timeout_in_millis: members.get("timeoutInMillis").and_then(Value::as_i64),
        request_parameters: members.get("requestParameters").map(|mappings| texts(mappings, place)).transpose()?,
        response_parameters: answers
            .map(|answers| {
                answers.iter().map(|(status, m)| Ok((status.clone(), texts(m, place)?))).collect::<Result<_, String>>()
            })
            .transpose()?,
        tls_config: tls,
        description: text("description"),
        ..shapes::CreateIntegrationRequest::default()
    })
}

fn texts(value: &Value, place: &str) -> Result<BTreeMap<String, String>, String> {
    let wrong = || format!("{INVALID} A parameter of {place} is no text");
    let members = value.as_object().ok_or_else(wrong)?;
    members.iter().map(|(key, value)| Ok((key.clone(), plain(value).ok_or_else(wrong)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Plan, String> {
        plan(text, BasePath::Ignore).map_err(|fault| fault.message)
    }

    #[test]
    fn json_and_yaml_mean_the_same() {
        let json =
            r#"{"openapi":"3.0.1","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"operationId":"a"}}}}"#;
        let yaml = "openapi: 3.0.1\ninfo: {title: t, version: 1}\npaths:\n  /a:\n    get: {operationId: a}\n";
        for text in [json, yaml] {
            let plan = read(text).unwrap();
            assert_eq!((plan.name.as_str(), plan.version.as_deref()), ("t", Some("1")));
            assert_eq!(plan.routes[0].key, "GET /a");
            assert_eq!(plan.warnings, ["GET /a has no integration"]);
        }
    }

    #[test]
    fn base_paths_table() {
        let document = |server: &str| {
            format!(
                r#"{{"openapi":"3.0.1","info":{{"title":"t"}},"servers":[{server}],"paths":{{"/x":{{"get":{{}}}}}}}}"#
            )
        };
        let variable = r#"{"url":"https://h/{basePath}","variables":{"basePath":{"default":"a/b"}}}"#;
        let url = r#"{"url":"https://h/a/b/"}"#;
        let bare = r#"{"url":"https://h"}"#;
        for (server, mode, expected) in [
            (variable, BasePath::Ignore, "GET /x"),
            (variable, BasePath::Prepend, "GET /a/b/x"),
            (variable, BasePath::Split, "GET /b/x"),
            (url, BasePath::Prepend, "GET /a/b/x"),
            (bare, BasePath::Prepend, "GET /x"),
            (bare, BasePath::Split, "GET /x"),
        ] {
            assert_eq!(plan(&document(server), mode).unwrap().routes[0].key, expected, "{server} {mode:?}");
        }
    }

    #[test]
    fn a_route_that_was_closed_never_opens() {
        let document = |security: &str, schemes: &str| {
            format!(
                r#"{{"openapi":"3.0.1","info":{{"title":"t"}},"paths":{{"/x":{{"get":{{"security":[{security}]}}}}}},"components":{{"securitySchemes":{{{schemes}}}}}}}"#
            )
        };
        let jwt = r#""j":{"type":"openIdConnect","x-amazon-apigateway-authorizer":{"type":"jwt","jwtConfiguration":{"issuer":"https://i","audience":["a"]}}}"#;
        let guard = read(&document(r#"{"j":["s"]}"#, jwt)).unwrap().routes.remove(0).guard;
        assert_eq!(guard, Guard::Authorizer { name: "j".to_owned(), scopes: vec!["s".to_owned()] });
        let sigv4 = r#""j":{"type":"apiKey","x-amazon-apigateway-authtype":"awsSigv4"}"#;
        assert_eq!(read(&document(r#"{"j":[]}"#, sigv4)).unwrap().routes[0].guard, Guard::Iam);
        for (security, schemes) in [
            (r#"{"missing":[]}"#, jwt),
            (r#"{"j":[]}"#, r#""j":{"type":"http","scheme":"bearer"}"#),
            (r#"{"j":[]}"#, r#""j":{"x-amazon-apigateway-authorizer":{"type":"request"}}"#),
        ] {
            assert!(read(&document(security, schemes)).is_err(), "{security} {schemes}");
        }
    }

    #[test]
    fn a_guard_in_a_wrong_form_is_refused() {
        let document = |operation: &str| {
            format!(
                r#"{{"openapi":"3.0.1","info":{{"title":"t"}},"paths":{{"/x":{{"get":{{{operation}}}}}}},"components":{{"securitySchemes":{{"j":{{"x-amazon-apigateway-authorizer":{{"type":"jwt","jwtConfiguration":{{"issuer":"https://i"}}}}}}}}}}}}"#
            )
        };
        assert!(read(&document(r#""security":[{"j":["s"]}]"#)).is_ok());
        for operation in [
            r#""security":{"j":[]}"#,
            r#""security":["j"]"#,
            r#""security":"j""#,
            r#""security":[{"j":"s"}]"#,
            r#""security":[{"j":[1]}]"#,
            r#""x-amazon-apigateway-auth":"AWS_IAM""#,
            r#""x-amazon-apigateway-auth":{}"#,
        ] {
            assert!(read(&document(operation)).is_err(), "{operation}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "[]", "{", "swagger: '2.0'", r#"{"openapi":"3.1.0"}"#, r#"{"openapi":"3.0.1"}"#, "a: &a [*a]"]
        {
            assert!(read(text).unwrap_err().starts_with(INVALID), "{text}");
        }
    }
}
