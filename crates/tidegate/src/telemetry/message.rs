//! The messages of OTLP traces, as far as they are sent: fields and numbers are those of OpenTelemetry's protocol
//! definitions (opentelemetry-proto 1, `trace`, `resource` and `common`, 2026-11). What a span says is decided beside.

use prost::Message;

/// `ExportTraceServiceRequest`
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

/// A span.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Span {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) trace_id: Vec<u8>,
    /// 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) span_id: Vec<u8>,
    /// 8 bytes, or none for the beginning of a trace.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) parent_span_id: Vec<u8>,
    /// What it is.
    #[prost(string, tag = "5")]
    pub(super) name: String,
    /// Which side it is on.
    #[prost(enumeration = "Kind", tag = "6")]
    pub(super) kind: i32,
    /// When it began, in nanoseconds since 1970.
    #[prost(fixed64, tag = "7")]
    pub(super) start_time_unix_nano: u64,
    /// When it ended.
    #[prost(fixed64, tag = "8")]
    pub(super) end_time_unix_nano: u64,
    /// What it says.
    #[prost(message, repeated, tag = "9")]
    pub(super) attributes: Vec<KeyValue>,
    /// How it ended.
    #[prost(message, optional, tag = "15")]
    pub(super) status: Option<Status>,
}

/// Which side a span is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Kind {
    /// Nobody said.
    Unspecified = 0,
    /// A step within this program.
    Internal = 1,
    /// A request that was served.
    Server = 2,
    /// A request that was sent.
    Client = 3,
}

/// How a span ended.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    /// Why, for an error.
    #[prost(string, tag = "2")]
    pub(super) message: String,
    /// 2 for an error; 0 leaves it open.
    #[prost(int32, tag = "3")]
    pub(super) code: i32,
}

/// The code of an error.
const ERROR: i32 = 2;

impl Status {
    /// An error.
    pub(super) fn error(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: ERROR }
    }
}

/// An attribute.
#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 3")]
    pub(super) value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Number(i64),
}

impl KeyValue {
    /// A text.
    pub(super) fn text(key: &str, value: impl Into<String>) -> Self {
        Self { key: key.to_owned(), value: Some(AnyValue { value: Some(Value::Text(value.into())) }) }
    }

    /// A number.
    pub(super) fn number(key: &str, value: i64) -> Self {
        Self { key: key.to_owned(), value: Some(AnyValue { value: Some(Value::Number(value)) }) }
    }
}

/// The body of one export.
pub(super) fn encode(service: &str, spans: impl Iterator<Item = Span>) -> Vec<u8> {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let scope = Some(Scope { name: name.to_owned(), version: version.to_owned() });
    let attributes = vec![KeyValue::text("service.name", service), KeyValue::text("service.version", version)];
    let resource = Some(Resource { attributes });
    let scope_spans = vec![ScopeSpans { scope, spans: spans.collect() }];
    Export { resource_spans: vec![ResourceSpans { resource, scope_spans }] }.encode_to_vec()
}
