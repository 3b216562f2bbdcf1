//! The static tables that the generated code fills and the protocols read: services, operations, shapes, members.
//!
//! Only data and its types live here. How a member is written or read is the protocols' business; what a constraint
//! answers is `check`'s.

use crate::generated::ServiceId;
use std::sync::OnceLock;

/// How a service's bytes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Form in, XML out, with `.member.N` lists.
    Query,
    /// Form in, XML out, with flat lists and capitalised names.
    Ec2Query,
    /// Paths, query strings and JSON bodies.
    RestJson,
    /// JSON with the operation in `X-Amz-Target`.
    Json,
}

/// One service.
#[derive(Debug)]
pub struct ServiceModel {
    /// Which service this is.
    pub id: ServiceId,
    /// How it is spoken.
    pub protocol: Protocol,
    /// The API version that a form names.
    pub version: &'static str,
    /// The service in a SigV4 credential scope.
    pub signing_name: &'static str,
    /// What precedes the dot in `X-Amz-Target`.
    pub target_prefix: Option<&'static str>,
    /// The XML namespace of answers; empty for JSON.
    pub namespace: &'static str,
    /// The supported operations, in the order of the service's `Operation`.
    pub operations: &'static [OperationModel],
}

impl ServiceModel {
    /// The operation of that exact name.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&'static OperationModel> {
        self.operations.iter().find(|o| o.name == name)
    }
}

/// One operation.
#[derive(Debug)]
pub struct OperationModel {
    /// The service it belongs to.
    pub service: ServiceId,
    /// Its place in the service's list.
    pub index: usize,
    /// Its name in AWS's model.
    pub name: &'static str,
    /// The HTTP method of its binding.
    pub method: &'static str,
    /// The path of its binding, with `{Label}` segments and, after `?`, the query pairs that tell it from others.
    pub uri: &'static str,
    /// The status of a good answer.
    pub status: u16,
    /// What a request carries.
    pub input: &'static Structure,
    /// What an answer carries.
    pub output: &'static Structure,
    /// Whether the model gives it an output at all.
    pub has_output: bool,
    /// The element that wraps a query answer; empty when there is none.
    pub result_wrapper: &'static str,
}

impl PartialEq for OperationModel {
    fn eq(&self, other: &Self) -> bool {
        (self.service, self.index) == (other.service, other.index)
    }
}

impl OperationModel {
    /// Whether the operation changes nothing: AWS names those Describe, Get and List.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        ["Describe", "Get", "List"].iter().any(|verb| self.name.starts_with(verb))
    }
}

/// The members of a structure. Values of it are lists in the same order.
#[derive(Debug)]
pub struct Structure {
    /// Its name in the model.
    pub name: &'static str,
    /// Its members.
    pub members: &'static [Member],
}

/// A structure without members.
pub static EMPTY: Structure = Structure { name: "", members: &[] };

/// One member of a structure.
#[derive(Debug)]
pub struct Member {
    /// Its name in the model, which error messages use.
    pub name: &'static str,
    /// Its name in a request.
    pub wire_in: &'static str,
    /// Its name in an answer.
    pub wire_out: &'static str,
    /// Where in a request it travels.
    pub location: Location,
    /// Whether a request without it is refused.
    pub need: Need,
    /// What it holds.
    pub shape: &'static Shape,
}

/// Whether a request must carry a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A request without it is refused.
    Required,
    /// It may be absent.
    Optional,
}

/// The generated tables' short form; the two wire names are the one in a request and the one in an answer.
impl Member {
    pub(crate) const fn body(
        name: &'static str,
        wire_in: &'static str,
        wire_out: &'static str,
        need: Need,
        shape: &'static Shape,
    ) -> Member {
        Member { name, wire_in, wire_out, location: Location::Body, need, shape }
    }

    pub(crate) const fn payload(
        name: &'static str,
        wire_in: &'static str,
        wire_out: &'static str,
        need: Need,
        shape: &'static Shape,
    ) -> Member {
        Member { name, wire_in, wire_out, location: Location::Payload, need, shape }
    }

    pub(crate) const fn uri(
        name: &'static str,
        wire_in: &'static str,
        wire_out: &'static str,
        need: Need,
        shape: &'static Shape,
    ) -> Member {
        Member { name, wire_in, wire_out, location: Location::Uri, need, shape }
    }

    pub(crate) const fn query(
        name: &'static str,
        wire_in: &'static str,
        wire_out: &'static str,
        need: Need,
        shape: &'static Shape,
    ) -> Member {
        Member { name, wire_in, wire_out, location: Location::Query, need, shape }
    }

    pub(crate) const fn header(
        name: &'static str,
        wire_in: &'static str,
        wire_out: &'static str,
        need: Need,
        shape: &'static Shape,
    ) -> Member {
        Member { name, wire_in, wire_out, location: Location::Header, need, shape }
    }
}

/// Where a member of a REST message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In the body (the only place for the other protocols).
    Body,
    /// It is the whole body, as it stands.
    Payload,
    /// In a label of the path.
    Uri,
    /// In the query string; a map takes every pair that no other member is named for.
    Query,
    /// In a header.
    Header,
}

/// What a member holds, with the constraints that a request must meet.
#[derive(Debug)]
pub enum Shape {
    /// Text, enumerations included.
    String(Text),
    /// A 32-bit integer on the wire.
    Integer(Scalar),
    /// A 64-bit integer.
    Long(Scalar),
    /// A number with a fraction.
    Double(Scalar),
    /// `true` or `false`.
    Boolean,
    /// A point in time.
    Timestamp(TimeFormat),
    /// Bytes, base64 on the wire; bounds count bytes.
    Blob(Scalar),
    /// Several of one shape.
    List(List),
    /// Text to one shape.
    Map(Map),
    /// Named members.
    Structure(&'static Structure),
}

impl Shape {
    /// What a value of it is called in a message.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Shape::String(_) => "a string",
            Shape::Integer(_) | Shape::Long(_) => "an integer",
            Shape::Double(_) => "a number",
            Shape::Boolean => "true or false",
            Shape::Timestamp(_) => "a timestamp",
            Shape::Blob(_) => "base64 text",
            Shape::List(_) => "a list",
            Shape::Map(_) => "a map",
            Shape::Structure(_) => "a structure",
        }
    }
}

/// Constraints on text. Bounds count characters.
#[derive(Debug)]
pub struct Text {
    /// Fewest characters.
    pub min: Option<i64>,
    /// Most characters.
    pub max: Option<i64>,
    /// A regular expression that the whole text must match.
    pub pattern: Option<Pattern>,
    /// The values of an enumeration; empty when it is none.
    pub choices: &'static [&'static str],
    /// Whether the value must stay out of messages.
    pub sensitive: bool,
}

/// Constraints on a number, or on the length of a blob.
#[derive(Debug)]
pub struct Scalar {
    /// Smallest.
    pub min: Option<i64>,
    /// Largest.
    pub max: Option<i64>,
    /// Whether the value must stay out of messages.
    pub sensitive: bool,
}

/// A list.
#[derive(Debug)]
pub struct List {
    /// The element name of one entry.
    pub item: &'static str,
    /// Fewest entries.
    pub min: Option<i64>,
    /// Most entries.
    pub max: Option<i64>,
    /// What an entry holds.
    pub member: &'static Shape,
}

/// A map.
#[derive(Debug)]
pub struct Map {
    /// Fewest entries.
    pub min: Option<i64>,
    /// Most entries.
    pub max: Option<i64>,
    /// What a key must look like.
    pub key: &'static Shape,
    /// What a value holds.
    pub value: &'static Shape,
    /// What becomes of entries that are null.
    pub nulls: Nulls,
}

/// What becomes of the entries of a map that are null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// They are as if they were not there.
    Dropped,
    /// They are values of the map, and come back.
    Kept,
}

/// How a timestamp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2026-11-22T10:00:00.000Z`
    IsoMillis,
    /// `2026-11-22T10:00:00Z`
    IsoSeconds,
    /// Seconds since 1970 as a JSON number, with a fraction where there is one.
    Epoch,
}

/// A regular expression of the model, compiled at its first use.
#[derive(Debug)]
pub struct Pattern {
    /// As the model writes it.
    pub source: &'static str,
    compiled: OnceLock<Option<regex::Regex>>,
}

impl Pattern {
    /// A pattern that is not compiled yet.
    #[must_use]
    pub const fn new(source: &'static str) -> Self {
        Pattern { source, compiled: OnceLock::new() }
    }

    /// Whether the whole text matches. Models write patterns with and without anchors and mean the whole text by both.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        // `None` cannot occur: a test compiles every pattern of every table.
        self.regex().is_none_or(|regex| regex.is_match(text))
    }

    /// The compiled form, or `None` when the engine does not know the syntax.
    pub fn regex(&self) -> Option<&regex::Regex> {
        self.compiled.get_or_init(|| regex::Regex::new(&format!("^(?:{})$", self.source)).ok()).as_ref()
    }
}

const PLAIN: Scalar = Scalar { min: None, max: None, sensitive: false };

/// Text without constraints.
pub static STRING: Shape = Shape::String(Text { min: None, max: None, pattern: None, choices: &[], sensitive: false });
/// An integer without constraints.
pub static INTEGER: Shape = Shape::Integer(PLAIN);
/// A long without constraints.
pub static LONG: Shape = Shape::Long(PLAIN);
/// A double without constraints.
pub static DOUBLE: Shape = Shape::Double(PLAIN);
/// A boolean.
pub static BOOLEAN: Shape = Shape::Boolean;
/// Bytes without constraints.
pub static BLOB: Shape = Shape::Blob(PLAIN);
/// A timestamp with milliseconds.
pub static TIME_ISO_MILLIS: Shape = Shape::Timestamp(TimeFormat::IsoMillis);
/// A timestamp in whole seconds.
pub static TIME_ISO_SECONDS: Shape = Shape::Timestamp(TimeFormat::IsoSeconds);
/// A timestamp as a number.
pub static TIME_EPOCH: Shape = Shape::Timestamp(TimeFormat::Epoch);
