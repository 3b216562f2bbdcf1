//! What documents of HTTP APIs and of REST APIs say alike: their information, where components stand, paths with their methods, and who
//! may call one. What an API is made of that, its own reader knows.

use serde_json::{Map, Value};

use super::{BasePath, Unread, plain};

/// The key of a path item that stands for every other method.
pub(crate) const ANY_METHOD: &str = "x-amazon-apigateway-any-method";

/// Methods of a path item, as documents write them.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

/// The version of a document's form, which names components in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// 2.0, Swagger.
    Two,
    /// 3.0
    Three,
}

/// A document and where its paths begin.
#[derive(Debug)]
pub(crate) struct OpenApi<'d> {
    pub(crate) document: &'d Map<String, Value>,
    version: Version,
    prefix: String,
}

/// What a document says of the API itself.
#[derive(Debug)]
pub(crate) struct Info {
    /// `info.title`
    pub(crate) title: String,
    /// `info.version`
    pub(crate) version: Option<String>,
    /// `info.description`
    pub(crate) description: Option<String>,
    /// `disableExecuteApiEndpoint` of `x-amazon-apigateway-endpoint-configuration`
    pub(crate) disable_execute_api_endpoint: Option<bool>,
}

/// A path of a document.
#[derive(Debug)]
pub(crate) struct Path<'d> {
    /// As it is written.
    pub(crate) written: &'d str,
    /// After the document's base path.
    pub(crate) full: String,
    /// Its members.
    pub(crate) item: &'d Map<String, Value>,
}

/// Who may call a method, before anyone looks what the schemes are.
#[derive(Debug, PartialEq)]
pub(crate) enum Security<'d> {
    /// Nothing is said, or that anyone may.
    Open,
    /// The type of `x-amazon-apigateway-auth`, where it is not `none`.
    Authorization(&'d str),
    /// Schemes with their scopes, in order.
    Schemes(Vec<(&'d str, &'d Value)>),
}

/// A member that is not in the form of OpenAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl<'d> OpenApi<'d> {
    /// A document of this version; its paths begin where the base path says.
    pub(crate) fn new(document: &'d Map<String, Value>, version: Version, base_path: BasePath) -> Self {
        let two = (version == Version::Two).then(|| document.get("basePath").and_then(plain));
        let base = two.flatten().unwrap_or_else(|| server_path(document));
        Self { document, version, prefix: base_path.prefix(&base) }
    }

    /// What it says of the API itself.
    ///
    /// # Errors
    /// Without a title.
    pub(crate) fn info(&self) -> Result<Info, Unread> {
        let info = self.document.get("info").and_then(Value::as_object);
        let told = |name: &str| info.and_then(|info| info.get(name)).and_then(plain).filter(|text| !text.is_empty());
        let endpoint = self.extension("endpoint-configuration");
        Ok(Info {
            title: told("title").ok_or_else(|| Unread::invalid("info.title is missing"))?,
            version: told("version"),
            description: told("description"),
            disable_execute_api_endpoint: endpoint
                .and_then(|endpoint| endpoint.get("disableExecuteApiEndpoint"))
                .and_then(Value::as_bool),
        })
    }

    /// An extension of API Gateway's at the top of the document.
    pub(crate) fn extension(&self, name: &str) -> Option<&'d Value> {
        self.document.get(&format!("x-amazon-apigateway-{name}"))
    }

    /// The components of a kind, by its name in 3.0.
    pub(crate) fn components(&self, kind: &str) -> Option<&'d Map<String, Value>> {
        let found = match (self.version, kind) {
            (Version::Two, "schemas") => self.document.get("definitions"),
            (Version::Two, "securitySchemes") => self.document.get("securityDefinitions"),
            (Version::Two, _) => None,
            (Version::Three, _) => self.document.get("components").and_then(|components| components.get(kind)),
        };
        found.and_then(Value::as_object)
    }

    /// Every path.
    ///
    /// # Errors
    /// Without any, or when one has no members.
    pub(crate) fn paths(&self) -> Result<Vec<Path<'d>>, Unread> {
        let paths = self.document.get("paths").and_then(Value::as_object);
        let paths = paths.ok_or_else(|| Unread::invalid("paths is missing"))?;
        let path = |(written, item): (&'d String, &'d Value)| {
            let item = item.as_object().ok_or_else(|| Unread::invalid(format!("path {written} is no object")))?;
            Ok(Path { written, full: format!("{}{written}", self.prefix), item })
        };
        paths.iter().map(path).collect()
    }

    /// Who may call an operation, by itself or by the whole document.
    ///
    /// # Errors
    /// The member that is malformed.
    pub(crate) fn security(&self, operation: &'d Value) -> Result<Security<'d>, Malformed> {
        if let Some(auth) = operation.get("x-amazon-apigateway-auth") {
            let kind = auth.get("type").and_then(Value::as_str).ok_or(Malformed("x-amazon-apigateway-auth"))?;
            if !kind.eq_ignore_ascii_case("none") {
                return Ok(Security::Authorization(kind));
            }
        }
        let wrong = Malformed("security");
        let security = match operation.get("security").or_else(|| self.document.get("security")) {
            None => return Ok(Security::Open),
            Some(security) => security.as_array().ok_or(wrong)?,
        };
        let mut schemes = Vec::new();
        for requirement in security {
            let named = requirement.as_object().ok_or(wrong)?;
            schemes.extend(named.iter().map(|(name, scopes)| (name.as_str(), scopes)));
        }
        Ok(if schemes.is_empty() { Security::Open } else { Security::Schemes(schemes) })
    }
}

impl Path<'_> {
    /// Its methods in the document's order; one that no API takes is noted.
    pub(crate) fn operations(&self, warnings: &mut Vec<String>) -> Vec<(String, &str, &Value)> {
        let mut found = Vec::new();
        for (key, value) in self.item {
            match key.as_str() {
                ANY_METHOD => found.push(("ANY".to_owned(), key.as_str(), value)),
                known if METHODS.contains(&known) => found.push((known.to_ascii_uppercase(), key, value)),
                "trace" => {
                    warnings.push(format!("Method TRACE of {} is not supported and is left out", self.written));
                }
                _ => {}
            }
        }
        found
    }
}

/// The path of the document's first server (OpenAPI 3.0): its variable `basePath`, else what follows its host.
fn server_path(document: &Map<String, Value>) -> String {
    let Some(server) = document.get("servers").and_then(|servers| servers.get(0)) else { return String::new() };
    let variable = |name: &str| plain(server.get("variables")?.get(name)?.get("default")?);
    variable("basePath").unwrap_or_else(|| {
        let url = server.get("url").and_then(Value::as_str).unwrap_or_default();
        let after = url.split_once("://").map_or(url, |(_, after)| after.split_once('/').map_or("", |(_, path)| path));
        after.to_owned()
    })
}
