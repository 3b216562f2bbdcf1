//! Attributes of load balancers, target groups and listeners. One table (`table::ROWS`) says which there are, whose they are, what
//! values they take and what becomes of them; reading, writing, refusing and the page `docs/load-balancer-attributes.md` come from
//! it. A new attribute is a row, and the place that acts on it, which names the row's key once and is given a typed value.
//!
//! No request's shape and no fault's code here: those are `control`'s.

mod page;
#[cfg(test)]
mod seen;
mod table;
mod value;

use std::collections::BTreeMap;
use std::fmt;

pub use page::{Seen, page};
use value::Value;
pub(crate) use value::Values;
pub use value::{Choice, Flag, Limit, Number, TextValue};

/// Whether logs can be kept in a bucket of this name, below this prefix: both as attributes of load balancers take them.
#[must_use]
pub fn is_log_place(bucket: &str, prefix: &str) -> bool {
    value::is_bucket(bucket) && value::is_key_prefix(prefix)
}

/// What keys of log files have below the bucket's prefix.
pub(crate) const LOGS_BELOW: &str = "AWSLogs";

/// Whose attributes. `LambdaGroup` and `GeneveGroup` cannot be made here; their rows tell what exists elsewhere from what AWS does
/// not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// An application load balancer.
    ApplicationBalancer,
    /// A network load balancer.
    NetworkBalancer,
    /// A target group of an application load balancer.
    HttpGroup,
    /// A target group of a network load balancer.
    TcpGroup,
    /// A target group of functions.
    LambdaGroup,
    /// A target group of a gateway load balancer.
    GeneveGroup,
    /// A plain listener of an application load balancer.
    HttpListener,
    /// A TLS listener of an application load balancer.
    HttpsListener,
    /// A listener of a network load balancer.
    TcpListener,
}

impl Owner {
    /// What texts begin with.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::ApplicationBalancer | Self::NetworkBalancer => "Load balancer",
            Self::HttpGroup | Self::TcpGroup | Self::LambdaGroup | Self::GeneveGroup => "Target group",
            Self::HttpListener | Self::HttpsListener | Self::TcpListener => "Listener",
        }
    }

    /// All of its kind, as texts name them.
    #[must_use]
    pub const fn all_of_them(self) -> &'static str {
        match self {
            Self::ApplicationBalancer => "load balancers with type 'application'",
            Self::NetworkBalancer => "load balancers with type 'network'",
            Self::HttpGroup => "target groups with protocol 'HTTP'",
            Self::TcpGroup => "target groups with protocol 'TCP'",
            Self::LambdaGroup => "target groups with target type 'lambda'",
            Self::GeneveGroup => "target groups with protocol 'GENEVE'",
            Self::HttpListener => "listeners with protocol 'HTTP'",
            Self::HttpsListener => "listeners with protocol 'HTTPS'",
            Self::TcpListener => "listeners with protocol 'TCP'",
        }
    }

    /// The attributes it has, in key order.
    pub(crate) fn rows(self) -> impl Iterator<Item = &'static Row> {
        table::ROWS.iter().filter(move |row| row.owners.contains(&self))
    }

    /// What is wrong with each of these by itself, in their order.
    #[must_use]
    pub fn problems(self, wanted: &[(String, String)], idle: Idle) -> Vec<AttributeError> {
        let all = Attributes::new(self);
        let problem = |(key, text): &(String, String)| match all.read(key, text) {
            Ok((row, value)) => match row.standing {
                Standing::Kept(why) if idle == Idle::Refused && value != row.values.default() => {
                    Some(AttributeError::Idle { owner: self, key: row.key, why })
                }
                Standing::Kept(_) | Standing::CarriedOut(_) | Standing::Elsewhere => None,
            },
            Err(error) => Some(error),
        };
        wanted.iter().filter_map(problem).collect()
    }

    fn row(self, key: &str) -> Option<&'static Row> {
        self.rows().find(|row| row.key == key)
    }

    /// Whether the key is of something else of the same noun.
    fn is_elsewhere(self, key: &str) -> bool {
        let of_noun = |owner: &Owner| owner.noun() == self.noun();
        table::ROWS.iter().any(|row| row.key == key && row.owners.iter().any(of_noun))
    }
}

/// What becomes of an attribute that is asked to be more than its default, and means nothing here: `Kept` in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Idle {
    /// It is kept and shown.
    #[default]
    Taken,
    /// It is refused, with its reason.
    Refused,
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// The key.
    pub(crate) key: &'static str,
    /// Who has it.
    pub(crate) owners: &'static [Owner],
    /// What values it takes, and which it has while none is set.
    pub(crate) values: Values,
    /// What becomes of them.
    pub(crate) standing: Standing,
}

/// What becomes of the values of an attribute.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Standing {
    /// Carried out; what they change.
    CarriedOut(&'static str),
    /// Kept and shown; why they mean nothing here.
    Kept(&'static str),
    /// Nothing that has it can be made here.
    Elsewhere,
}

/// Why an attribute cannot have a value, in AWS's words where AWS has some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeError {
    /// AWS has no such attribute.
    Unknown(Owner, String),
    /// It is another kind's.
    Elsewhere(Owner, String),
    /// It takes no such value.
    Value {
        /// Whose it is.
        owner: Owner,
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
    },
    /// It means nothing here.
    Idle {
        /// Whose it is.
        owner: Owner,
        /// The key.
        key: &'static str,
        /// Why.
        why: &'static str,
    },
    /// It cannot be set to nothing.
    Empty(&'static str),
    /// It is needed by a log that is on.
    NoBucket(&'static str),
    /// It holds what the load balancer itself puts into keys.
    HoldsLogs(&'static str),
    /// A header cannot hold the value.
    Unprintable(Owner),
    /// Its values and those of another do not go together.
    Together(&'static str),
}

impl fmt::Display for AttributeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(owner, key) => write!(f, "{} attribute key '{key}' is not recognized", owner.noun()),
            Self::Elsewhere(owner, key) => {
                write!(f, "{} attribute key '{key}' is not supported on {}", owner.noun(), owner.all_of_them())
            }
            Self::Value { owner, key, value } => {
                write!(f, "{} attribute value '{value}' is not valid for '{key}'", owner.noun())
            }
            Self::Idle { owner, key, why } => {
                write!(f, "{} attribute key '{key}' is not carried out by Tidegate: {why}", owner.noun())
            }
            Self::Empty(key) | Self::NoBucket(key) => write!(f, "The value of '{key}' cannot be empty"),
            Self::HoldsLogs(key) => write!(f, "The value of '{key}' cannot contain '{LOGS_BELOW}'"),
            Self::Unprintable(owner) => {
                write!(f, "{} attribute values may hold visible ASCII and spaces only", owner.noun())
            }
            Self::Together(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for AttributeError {}

/// What was set of the attributes that one owner has: no key of another's, and no value that the table does not admit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    owner: Owner,
    set: BTreeMap<&'static str, Value>,
}

impl Attributes {
    /// All at their defaults.
    #[must_use]
    pub const fn new(owner: Owner) -> Self {
        Self { owner, set: BTreeMap::new() }
    }

    /// Whose they are.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    /// Sets one.
    ///
    /// # Errors
    /// When there is none of this key, or it does not take the value.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), AttributeError> {
        let (row, value) = self.read(key, text)?;
        self.set.insert(row.key, value);
        Ok(())
    }

    fn read(&self, key: &str, text: &str) -> Result<(&'static Row, Value), AttributeError> {
        let owner = self.owner;
        let row = owner.row(key).ok_or_else(|| {
            let why = if owner.is_elsewhere(key) { AttributeError::Elsewhere } else { AttributeError::Unknown };
            why(owner, key.to_owned())
        })?;
        let value = row.values.parse(text).ok_or_else(|| match row.values {
            Values::HeaderValue => AttributeError::Unprintable(owner),
            Values::Bucket if text.is_empty() => AttributeError::Empty(row.key),
            Values::KeyPrefix if text.contains(LOGS_BELOW) => AttributeError::HoldsLogs(row.key),
            _ => AttributeError::Value { owner, key: row.key, value: text.to_owned() },
        })?;
        Ok((row, value))
    }

    /// What was kept of them by a program that judged it then: what the owner has not, but another of its noun has, is left out (a
    /// listener may have spoken TLS).
    ///
    /// # Errors
    /// When a key or a value is none.
    pub(crate) fn stored(owner: Owner, kept: BTreeMap<String, String>) -> Result<Self, AttributeError> {
        let mut all = Self::new(owner);
        for (key, text) in kept {
            match all.read(&key, &text) {
                Ok((row, value)) => drop(all.set.insert(row.key, value)),
                Err(AttributeError::Elsewhere(..)) => {}
                // Other texts were taken while it meant nothing.
                Err(AttributeError::Value { .. } | AttributeError::Empty(_) | AttributeError::HoldsLogs(_))
                    if owner.row(&key).is_some_and(|row| row.values.took_other_texts()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// What is kept of them: what was set, as text.
    pub(crate) fn kept(&self) -> BTreeMap<String, String> {
        let text =
            |(key, value): (&&'static str, &Value)| Some(((*key).to_owned(), self.owner.row(key)?.values.show(value)));
        self.set.iter().filter_map(text).collect()
    }

    /// The same for another owner: what that one has not is forgotten.
    #[must_use]
    pub fn handed_to(&self, owner: Owner) -> Self {
        let has = |key: &str| owner.row(key).is_some();
        let set = self.set.iter().filter(|(key, _)| has(key)).map(|(key, value)| (*key, value.clone()));
        Self { owner, set: set.collect() }
    }

    /// Whether it was set, and is not at its default for want of a value.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.set.contains_key(key)
    }

    /// All of them with their values, in key order.
    pub fn shown(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.owner.rows().map(|row| {
            let value = self.set.get(row.key);
            (row.key, value.map_or_else(|| row.values.show(&row.values.default()), |value| row.values.show(value)))
        })
    }

    /// Those that are more than their defaults and mean nothing here, with the reasons.
    pub(crate) fn idle(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.set.iter().filter_map(|(key, value)| {
            let row = self.owner.row(key)?;
            match row.standing {
                Standing::Kept(why) if *value != row.values.default() => Some((*key, why)),
                Standing::Kept(_) | Standing::CarriedOut(_) | Standing::Elsewhere => None,
            }
        })
    }

    /// Those whose values are of headers, by key, where they are not empty.
    pub fn header_values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.set.iter().filter_map(|(key, value)| match (value, &self.owner.row(key)?.values) {
            (Value::Text(text), Values::HeaderValue) if !text.is_empty() => Some((*key, text.as_str())),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
