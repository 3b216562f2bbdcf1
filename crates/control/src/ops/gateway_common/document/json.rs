//! JSON into values, within a budget that is asked before each of them is built.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::budget::Budget;

/// Reads a document.
///
/// # Errors
/// Why it is no JSON, or what it has too much of.
pub(super) fn read(text: &str, budget: &mut Budget) -> Result<Value, String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let seed = Seed { budget, levels: 0 };
    let value = seed.deserialize(&mut reader).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// One value that is to be read, so many levels deep.
struct Seed<'b> {
    budget: &'b mut Budget,
    levels: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl Seed<'_> {
    fn scalar<E: Error>(self, value: Value) -> Result<Value, E> {
        self.budget.value("").map_err(E::custom)?;
        Ok(value)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.scalar(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.scalar(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.scalar(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.scalar(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.scalar(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.budget.value(text).map_err(E::custom)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let levels = self.levels + 1;
        self.budget.level(levels).and_then(|()| self.budget.value("")).map_err(A::Error::custom)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Seed { budget: &mut *self.budget, levels })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let levels = self.levels + 1;
        self.budget.level(levels).and_then(|()| self.budget.map()).map_err(A::Error::custom)?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            self.budget.key(&name).map_err(A::Error::custom)?;
            let value = members.next_value_seed(Seed { budget: &mut *self.budget, levels })?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}
