//! The wire form of a value in spec spelling: names of the wire, and decimals with exactly the digits that were written.

use serde::{Serialize, Serializer, ser};
use serde_json::{Value, value::RawValue};

use super::{Place, Shape};
use crate::terms::Decimal;

impl Shape {
    /// The wire form of a value in spec spelling, decimals with exactly the digits that were written.
    #[must_use]
    pub fn wire<'a>(&'a self, value: &'a Value) -> impl Serialize + 'a {
        Wire { shape: self, value }
    }
}

/// A value on its way to the wire.
struct Wire<'a> {
    shape: &'a Shape,
    value: &'a Value,
}

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.shape, self.value) {
            (Shape::Object(members), Value::Object(value)) => {
                let known = || value.iter().filter_map(|(name, value)| Some((members.get(name)?, value)));
                let body = known().filter(|(member, _)| member.place == Place::Body);
                let body = body.map(|(member, value)| (&member.wire, Wire { shape: &member.shape, value }));
                let merged = known().filter(|(member, _)| member.place == Place::Merged);
                let merged = merged.filter_map(|(_, value)| value.as_object()).flatten();
                let merged = merged.filter(|(name, _)| members.values().all(|member| member.wire != **name));
                let merged = merged.map(|(name, value)| (name, Wire { shape: &Shape::Any, value }));
                serializer.collect_map(body.chain(merged))
            }
            (Shape::Map(shape), Value::Object(value)) => {
                serializer.collect_map(value.iter().map(|(key, value)| (key, Wire { shape, value })))
            }
            (Shape::List { item, .. }, Value::Array(values)) => {
                serializer.collect_seq(values.iter().map(|value| Wire { shape: item, value }))
            }
            (Shape::Decimal, Value::String(digits)) => {
                digits.parse::<Decimal>().map_err(ser::Error::custom)?;
                RawValue::from_string(digits.clone()).map_err(ser::Error::custom)?.serialize(serializer)
            }
            (_, value) => value.serialize(serializer),
        }
    }
}
