//! Parts of a request that are put together from the terms: names as the API has them, decimals with their digits.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::terms::{Decimal, Shape, Timestamp};

/// One part of a request.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// An explicit null, which clears.
    Null,
    /// Text.
    Text(String),
    /// Terms in spec spelling, with the shape that spells them for the wire.
    Terms(&'static Shape, Value),
    /// A list.
    List(Vec<Part>),
    /// An object.
    Object(Members),
}

/// Members of an object by their names on the wire.
pub(super) type Members = BTreeMap<&'static str, Part>;

/// Shape of a decimal outside the terms.
static DECIMAL: Shape = Shape::Decimal;

impl Part {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn time(time: Timestamp) -> Self {
        Self::Text(time.to_string())
    }

    pub(super) fn decimal(number: Decimal) -> Self {
        Self::Terms(&DECIMAL, Value::String(number.to_string()))
    }

    pub(super) fn object<const N: usize>(members: [(&'static str, Self); N]) -> Self {
        Self::Object(Members::from(members))
    }

    pub(super) fn texts(texts: impl IntoIterator<Item = String>) -> Self {
        Self::List(texts.into_iter().map(Self::Text).collect())
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Terms(shape, value) => shape.wire(value).serialize(serializer),
            Self::List(parts) => serializer.collect_seq(parts),
            Self::Object(members) => serializer.collect_map(members),
        }
    }
}

/// Puts a part at a path of names (`access_amount.quantity`) below an object.
pub(super) fn insert(members: &mut Members, path: &[&'static str], part: Part) {
    match path {
        [] => {}
        [name] => {
            members.insert(name, part);
        }
        [name, rest @ ..] => {
            if let Part::Object(below) = members.entry(name).or_insert_with(|| Part::Object(Members::new())) {
                insert(below, rest, part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn digits_and_nulls_reach_the_wire() {
        let mut members = Members::new();
        insert(&mut members, &["amount", "price"], Part::decimal("0.50".parse().unwrap()));
        insert(&mut members, &["amount", "name"], Part::Null);
        insert(&mut members, &["ids"], Part::texts(["a".to_owned()]));
        let text = serde_json::to_string(&Part::Object(members)).unwrap();
        assert_eq!(text, r#"{"amount":{"name":null,"price":0.50},"ids":["a"]}"#);
    }

    #[test]
    fn terms_are_spelled_as_their_shape_says() {
        static SHAPE: std::sync::LazyLock<Shape> =
            std::sync::LazyLock::new(Shape::of::<crate::terms::metronome::schedules::Segment>);
        let part = Part::Terms(&SHAPE, json!({"amount": "1.20", "startingAt": "2026-01-01T00:00:00Z"}));
        let text = serde_json::to_string(&part).unwrap();
        assert_eq!(text, r#"{"amount":1.20,"starting_at":"2026-01-01T00:00:00Z"}"#);
    }
}
