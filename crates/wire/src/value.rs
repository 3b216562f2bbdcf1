//! The tree between bytes and typed structs, and the conversions that the generated structs use.
//!
//! A tree is always built along a table of `model`, so its forms are known; no protocol and no constraint lives here.

use crate::model::OperationModel;
use std::collections::BTreeMap;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z. Each protocol writes it its own way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Anything that a request or an answer can hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// An integer or a long.
    Integer(i64),
    /// A double.
    Double(f64),
    /// Text.
    String(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// A point in time.
    Timestamp(Timestamp),
    /// Entries in order.
    List(Vec<Value>),
    /// Entries by key.
    Map(BTreeMap<String, Value>),
    /// No value, of an entry in a map whose table keeps nulls.
    Null,
    /// One slot per member of the structure's table, in its order; empty slots are absent members.
    Structure(Vec<Option<Value>>),
}

/// The answer of an operation, ready to be encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The operation that answers.
    pub operation: &'static OperationModel,
    /// A structure along the operation's output table.
    pub value: Value,
}

/// What can stand in a tree.
pub trait Shaped: Sized {
    /// Takes the typed form out of a tree that was built along its table.
    fn from_value(value: Value) -> Self;
    /// The tree of the typed form.
    fn into_value(self) -> Value;
}

/// The slots of a structure, handed out in the order of its members.
pub(crate) struct Fields(std::vec::IntoIter<Option<Value>>);

impl Fields {
    pub(crate) fn of(value: Value) -> Self {
        match value {
            Value::Structure(slots) => Fields(slots.into_iter()),
            other => {
                debug_assert!(false, "a structure was expected, not {other:?}");
                Fields(Vec::new().into_iter())
            }
        }
    }

    /// The next slot, for a member that may be absent.
    pub(crate) fn optional<T: Shaped>(&mut self) -> Option<T> {
        self.0.next().flatten().map(T::from_value)
    }

    /// The next slot, for a member whose absence `check` has refused already.
    pub(crate) fn required<T: Shaped + Default>(&mut self) -> T {
        self.optional().unwrap_or_default()
    }
}

/// The scalars: one variant each. A tree of the wrong form is a mistake in a table, caught by tests, not by requests.
macro_rules! shaped {
    ($($ty:ty => $variant:ident),* $(,)?) => {$(
        impl Shaped for $ty {
            fn from_value(value: Value) -> Self {
                match value {
                    Value::$variant(inner) => inner,
                    other => {
                        debug_assert!(false, "{} was expected, not {other:?}", stringify!($variant));
                        Self::default()
                    }
                }
            }
            fn into_value(self) -> Value {
                Value::$variant(self)
            }
        }
    )*};
}

shaped! {
    bool => Boolean,
    i64 => Integer,
    f64 => Double,
    String => String,
    Vec<u8> => Blob,
    Timestamp => Timestamp,
}

impl<T: Shaped> Shaped for Vec<T> {
    fn from_value(value: Value) -> Self {
        match value {
            Value::List(items) => items.into_iter().map(T::from_value).collect(),
            other => {
                debug_assert!(false, "a list was expected, not {other:?}");
                Vec::new()
            }
        }
    }
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }
}

impl<T: Shaped> Shaped for BTreeMap<String, T> {
    fn from_value(value: Value) -> Self {
        match value {
            Value::Map(items) => items.into_iter().map(|(k, v)| (k, T::from_value(v))).collect(),
            other => {
                debug_assert!(false, "a map was expected, not {other:?}");
                BTreeMap::new()
            }
        }
    }
    fn into_value(self) -> Value {
        Value::Map(self.into_iter().map(|(k, v)| (k, v.into_value())).collect())
    }
}

/// The value of an entry that may be null.
impl<T: Shaped> Shaped for Option<T> {
    fn from_value(value: Value) -> Self {
        (value != Value::Null).then(|| T::from_value(value))
    }
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

impl Shaped for () {
    fn from_value(_: Value) -> Self {}
    fn into_value(self) -> Value {
        Value::Structure(Vec::new())
    }
}
