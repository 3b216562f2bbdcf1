//! Documentation of REST APIs: parts, each at a location within its API, and versions, which are frozen copies of the parts
//! (API Gateway developer guide, "Representation of API documentation in API Gateway", 2026-11). Traffic depends on none of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rest_api::MethodName;
use crate::id::{ApiId, DocumentationPartId, IdError};
use crate::time::Moment;

/// Where a path starts when a location names none.
const ROOT: &str = "/";
/// What stands for any method, and for any status.
pub const ANY: &str = "*";

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $text:literal $members:expr,)*) => {
        /// What is documented, in the order in which AWS lists parts (recorded, 2026-02).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum DocumentedKind { $($(#[$doc])* $name,)* }

        impl DocumentedKind {
            const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The kind as AWS writes it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            const fn members(self) -> Members {
                match self { $(Self::$name => $members,)* }
            }
        }
    };
}

/// How far a location of some kind reaches: each has what those before it have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Nothing,
    Path,
    Method,
    Status,
}

/// Whether a location of some kind has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    Never,
    Allowed,
    Needed,
}

type Members = (Reach, Naming);

// The API reference asks for a name where the developer guide's table does not, and the other way round. Bodies of requests have
// none in the guide's example, and Serverless plugins make them without.
kinds! {
    /// The API itself.
    Api "API" (Reach::Nothing, Naming::Never),
    /// An authorizer.
    Authorizer "AUTHORIZER" (Reach::Nothing, Naming::Needed),
    /// A method.
    Method "METHOD" (Reach::Method, Naming::Never),
    /// A model, or a property of one: `Model.property`.
    Model "MODEL" (Reach::Nothing, Naming::Needed),
    /// A parameter of a path.
    PathParameter "PATH_PARAMETER" (Reach::Method, Naming::Needed),
    /// A parameter of a query.
    QueryParameter "QUERY_PARAMETER" (Reach::Method, Naming::Needed),
    /// The body of a request.
    RequestBody "REQUEST_BODY" (Reach::Method, Naming::Allowed),
    /// A header of a request.
    RequestHeader "REQUEST_HEADER" (Reach::Method, Naming::Needed),
    /// A resource.
    Resource "RESOURCE" (Reach::Path, Naming::Never),
    /// A response of a method.
    Response "RESPONSE" (Reach::Status, Naming::Never),
    /// The body of a response.
    ResponseBody "RESPONSE_BODY" (Reach::Status, Naming::Never),
    /// A header of a response.
    ResponseHeader "RESPONSE_HEADER" (Reach::Status, Naming::Needed),
}

impl FromStr for DocumentedKind {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::ALL.iter().find(|kind| kind.as_str() == text).copied().ok_or(IdError { kind: "DocumentedKind" })
    }
}

/// What a location says beside its kind. Empty is not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// `path`
    pub path: Option<String>,
    /// `method`
    pub method: Option<String>,
    /// `statusCode`
    pub status: Option<String>,
    /// `name`
    pub name: Option<String>,
}

/// Why there is no such location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLocation {
    /// The kind has no such member.
    Foreign(&'static str),
    /// The kind needs a name.
    Nameless,
    /// The member's value is of another form.
    Malformed(&'static str),
}

/// A member of locations: what it is when it is not said, and what else it may be.
struct Form {
    member: &'static str,
    default: &'static str,
    fits: fn(&str) -> bool,
}

const PATH: Form = Form { member: "path", default: ROOT, fits: |text| text.starts_with('/') };
const METHOD: Form = Form { member: "method", default: ANY, fits: |text| text.parse::<MethodName>().is_ok() };
const STATUS: Form = Form { member: "statusCode", default: ANY, fits: is_status };

/// Where a part belongs. Only what its kind has is there, with AWS's defaults for what was not said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DocumentationLocation {
    kind: DocumentedKind,
    path: Option<String>,
    method: Option<String>,
    status: Option<String>,
    name: Option<String>,
}

impl DocumentationLocation {
    /// The API itself, which stands before every other location.
    pub const API: Self = Self { kind: DocumentedKind::Api, path: None, method: None, status: None, name: None };

    /// The location of this kind at which `said` points.
    ///
    /// # Errors
    /// When the kind has no such members, or their values have another form.
    pub fn new(kind: DocumentedKind, said: Said) -> Result<Self, NoLocation> {
        let (reach, naming) = kind.members();
        let member = |said: Option<String>, needs: Reach, form: &Form| {
            let said = said.filter(|text| !text.trim().is_empty());
            match (said, reach >= needs) {
                (Some(_), false) => Err(NoLocation::Foreign(form.member)),
                (Some(text), true) if text != form.default && !(form.fits)(&text) => {
                    Err(NoLocation::Malformed(form.member))
                }
                (None, false) => Ok(None),
                (said, true) => Ok(Some(said.unwrap_or_else(|| form.default.to_owned()))),
            }
        };
        let path = member(said.path, Reach::Path, &PATH)?;
        let method = member(said.method, Reach::Method, &METHOD)?;
        let status = member(said.status, Reach::Status, &STATUS)?;
        let name = match (said.name.filter(|name| !name.is_empty()), naming) {
            (Some(_), Naming::Never) => return Err(NoLocation::Foreign("name")),
            (None, Naming::Needed) => return Err(NoLocation::Nameless),
            (name, _) => name,
        };
        Ok(Self { kind, path, method, status, name })
    }

    /// What is documented.
    #[must_use]
    pub const fn kind(&self) -> DocumentedKind {
        self.kind
    }

    /// `path`
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// `method`
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// `statusCode`
    #[must_use]
    pub fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    /// `name`
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// `[1-5]` and two digits, as the API reference has it.
fn is_status(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 3 && matches!(bytes.first(), Some(b'1'..=b'5')) && bytes.iter().all(u8::is_ascii_digit)
}

impl fmt::Display for DocumentationLocation {
    /// As AWS names it in a refusal: `type 'METHOD', path '/pets', method 'GET'`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "type '{}'", self.kind.as_str())?;
        let members =
            [("path", self.path()), ("method", self.method()), ("statusCode", self.status()), ("name", self.name())];
        members.into_iter().try_for_each(|(member, value)| match value {
            Some(value) => write!(f, ", {member} '{value}'"),
            None => Ok(()),
        })
    }
}

/// What is said of one location of an API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentationPart {
    /// Its id.
    pub id: DocumentationPartId,
    /// Its API.
    pub api: ApiId,
    /// Where it belongs.
    pub location: DocumentationLocation,
    /// What it says: a JSON object, as written.
    pub properties: String,
}

/// The parts of an API as they were at one time, by a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentationVersion {
    /// Its API.
    pub api: ApiId,
    /// Its name within the API.
    pub version: String,
    /// When it was made.
    pub created: Moment,
    /// Its description.
    pub description: Option<String>,
    /// The parts, in the order of their locations.
    pub parts: Vec<Arc<DocumentationPart>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(kind: DocumentedKind, members: [&str; 4]) -> Result<String, NoLocation> {
        let [path, method, status, name] = members.map(|text| Some(text.to_owned()));
        DocumentationLocation::new(kind, Said { path, method, status, name }).map(|location| location.to_string())
    }

    #[test]
    fn a_location_has_what_its_kind_has_and_defaults_for_the_rest() {
        use DocumentedKind as Kind;
        use NoLocation::{Foreign, Malformed, Nameless};
        let rows: &[(Kind, [&str; 4], Result<&str, NoLocation>)] = &[
            (Kind::Api, ["", "", "", ""], Ok("type 'API'")),
            (Kind::Api, ["/", "", "", ""], Err(Foreign("path"))),
            (Kind::Resource, ["", "", "", ""], Ok("type 'RESOURCE', path '/'")),
            (Kind::Resource, ["", "GET", "", ""], Err(Foreign("method"))),
            (Kind::Resource, ["pets", "", "", ""], Err(Malformed("path"))),
            (Kind::Method, ["/pets", "", "", ""], Ok("type 'METHOD', path '/pets', method '*'")),
            (Kind::Method, ["", "FETCH", "", ""], Err(Malformed("method"))),
            (Kind::Method, ["", "", "200", ""], Err(Foreign("statusCode"))),
            (Kind::Method, ["", "", "", "a"], Err(Foreign("name"))),
            (Kind::RequestBody, ["", "ANY", "", ""], Ok("type 'REQUEST_BODY', path '/', method 'ANY'")),
            (Kind::RequestBody, ["", "PUT", "", "B"], Ok("type 'REQUEST_BODY', path '/', method 'PUT', name 'B'")),
            (Kind::Response, ["", "GET", " ", ""], Ok("type 'RESPONSE', path '/', method 'GET', statusCode '*'")),
            (Kind::Response, ["", "", "600", ""], Err(Malformed("statusCode"))),
            (Kind::Response, ["", "", "4xx", ""], Err(Malformed("statusCode"))),
            (Kind::ResponseHeader, ["", "", "", ""], Err(Nameless)),
            (Kind::Model, ["", "", "", ""], Err(Nameless)),
            (Kind::Model, ["", "", "", "Error.message"], Ok("type 'MODEL', name 'Error.message'")),
        ];
        for (kind, members, expected) in rows {
            assert_eq!(located(*kind, *members), expected.map(str::to_owned), "{kind:?} {members:?}");
        }
    }

    #[test]
    fn kinds_are_listed_by_their_names() {
        assert!(DocumentedKind::ALL.is_sorted_by_key(|kind| kind.as_str()));
        assert!(DocumentedKind::ALL.is_sorted());
    }
}
