//! The shape of terms, read off their schema: which member is a decimal, a time, a keyed list or a free map.
//!
//! The schema that the API server enforces is so also what spells terms for the wire (`unitPrice: "0.50"` becomes
//! `"unit_price": 0.50`), reads replies, and tells the planner how lists are matched. No field is listed twice.

use std::{collections::BTreeMap, fmt};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Serialize, Serializer, ser};
use serde_json::{Map, Value, value::RawValue};

use super::{Decimal, Timestamp, decimal};

/// How one part of the terms is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Named members, by their name in the custom resource.
    Object(BTreeMap<String, Member>),
    /// Members named by the user; their names are never respelled.
    Map(Box<Shape>),
    /// A list; `keys` are the members that identify an item (`listType: map`), none for a plain list.
    List {
        /// Shape of every item.
        item: Box<Shape>,
        /// Members that together identify an item.
        keys: Vec<String>,
    },
    /// A [`Decimal`]: a string in YAML, a number on the wire.
    Decimal,
    /// A [`Timestamp`].
    Time,
    /// Text, an integer, a boolean or an enum: the same everywhere.
    Plain,
    /// Anything; carried as it is.
    Any,
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name on the wire, in `snake_case`.
    pub wire: String,
    /// Its shape.
    pub shape: Shape,
}

/// Which spelling a value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// The custom resource's: lowerCamelCase members, decimals as strings.
    Spec,
    /// The billing API's: `snake_case` members, decimals as numbers.
    Wire,
}

/// A value that does not have the shape that it should have.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{path}` must be {expected}, not {found}")]
pub struct ShapeError {
    /// JSON pointer to the value.
    pub path: String,
    /// What belongs there.
    pub expected: &'static str,
    /// What is there, shortened.
    pub found: String,
}

impl Shape {
    /// The shape of `T`, read off its JSON schema.
    #[must_use]
    pub fn of<T: JsonSchema>() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        Self::from_schema(settings.into_generator().into_root_schema_for::<T>().as_value())
    }

    fn from_schema(schema: &Value) -> Self {
        let alternatives = ["anyOf", "oneOf"].into_iter().find_map(|key| schema.get(key)?.as_array());
        if let Some(alternatives) = alternatives.filter(|_| schema.get("properties").is_none()) {
            let mut shapes =
                alternatives.iter().filter(|schema| !is_type(schema, "null")).map(Self::from_schema);
            return shapes.next().unwrap_or(Self::Plain);
        }
        if schema.get("x-kubernetes-preserve-unknown-fields").is_some() {
            return Self::Any;
        }
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            let member = |(name, schema): (&String, &Value)| {
                (name.clone(), Member { wire: snake_case(name), shape: Self::from_schema(schema) })
            };
            return Self::Object(properties.iter().map(member).collect());
        }
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            return Self::Map(Box::new(Self::from_schema(values)));
        }
        if let Some(items) = schema.get("items") {
            let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            let keys = keys.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
            return Self::List { item: Box::new(Self::from_schema(items)), keys };
        }
        let text = |key| schema.get(key).and_then(Value::as_str);
        match (text("pattern"), text("format")) {
            (Some(decimal::PATTERN | decimal::NON_NEGATIVE_PATTERN), _) => Self::Decimal,
            (_, Some("date-time")) => Self::Time,
            _ => Self::Plain,
        }
    }

    /// Brings a value from either spelling into the one canonical form that comparison and digests use: spec
    /// spelling, decimals without trailing zeros, times in UTC, no nulls, no members that the terms do not have.
    ///
    /// # Errors
    /// When a part of the value has another shape than the schema says.
    pub fn canonical(&self, value: &Value, spelling: Spelling) -> Result<Value, ShapeError> {
        self.convert(value, spelling, &Pointer::Root)
    }

    fn convert(&self, value: &Value, spelling: Spelling, path: &Pointer<'_>) -> Result<Value, ShapeError> {
        let refuse = |expected| ShapeError { path: path.to_string(), expected, found: shortened(value) };
        match self {
            Self::Object(members) => {
                let found = value.as_object().ok_or_else(|| refuse("an object"))?;
                let mut converted = Map::new();
                for (name, member) in members {
                    let spelled = if spelling == Spelling::Wire { &member.wire } else { name };
                    if let Some(value) = found.get(spelled).filter(|value| !value.is_null()) {
                        let value = member.shape.convert(value, spelling, &path.member(name))?;
                        converted.insert(name.clone(), value);
                    }
                }
                Ok(converted.into())
            }
            Self::Map(values) => {
                let found = value.as_object().ok_or_else(|| refuse("an object"))?;
                let convert = |(key, value): (&String, &Value)| {
                    Ok((key.clone(), values.convert(value, spelling, &path.member(key))?))
                };
                found.iter().filter(|(_, value)| !value.is_null()).map(convert).collect()
            }
            Self::List { item, .. } => {
                let found = value.as_array().ok_or_else(|| refuse("a list"))?;
                let convert = |(index, value)| item.convert(value, spelling, &path.index(index));
                found.iter().enumerate().map(convert).collect()
            }
            Self::Decimal => {
                let number = match value {
                    Value::String(text) => Decimal::from_wire(text).ok(),
                    Value::Number(number) => number.as_i64().map(Decimal::from),
                    _ => None,
                };
                let number = number.ok_or_else(|| refuse("a decimal"))?;
                Ok(Value::String(number.normalized().to_string()))
            }
            Self::Time => {
                let time = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
                Ok(Value::String(time.ok_or_else(|| refuse("an RFC 3339 time"))?.to_string()))
            }
            Self::Plain if value.is_object() || value.is_array() => Err(refuse("a single value")),
            Self::Plain | Self::Any => Ok(value.clone()),
        }
    }

    /// The wire form of a value in spec spelling, decimals with exactly the digits that were written.
    #[must_use]
    pub fn wire<'a>(&'a self, value: &'a Value) -> impl Serialize + 'a {
        Wire { shape: self, value }
    }

    /// The same object without a member that the billing API does not have in its body.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let Self::Object(members) = &mut self {
            members.remove(name);
        }
        self
    }

    /// The members of an object, none for any other shape.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Member)> {
        let members = if let Self::Object(members) = self { Some(members) } else { None };
        members.into_iter().flatten().map(|(name, member)| (name.as_str(), member))
    }

    /// The shape of a named member of an object.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(name).map(|member| &member.shape),
            Self::Map(values) => Some(values),
            _ => None,
        }
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
                serializer.collect_map(value.iter().filter_map(|(name, value)| {
                    let member = members.get(name)?;
                    Some((&member.wire, Wire { shape: &member.shape, value }))
                }))
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

/// A JSON pointer under construction, without an allocation until somebody wants to read it.
enum Pointer<'a> {
    Root,
    Member(&'a Pointer<'a>, &'a str),
    Index(&'a Pointer<'a>, usize),
}

impl<'a> Pointer<'a> {
    fn member(&'a self, name: &'a str) -> Self {
        Self::Member(self, name)
    }

    fn index(&'a self, index: usize) -> Self {
        Self::Index(self, index)
    }
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(parent, name) => write!(f, "{parent}/{name}"),
            Self::Index(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

fn is_type(schema: &Value, name: &str) -> bool {
    schema.get("type").and_then(Value::as_str) == Some(name)
}

/// `unitPrice` as `unit_price`.
fn snake_case(camel: &str) -> String {
    camel.chars().fold(String::with_capacity(camel.len() + 4), |mut snake, letter| {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
        snake
    })
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("...".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::json::parse_exact;
    use schemars::JsonSchema;
    use serde_json::json;

    #[derive(JsonSchema)]
    #[serde(rename_all = "camelCase")]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Terms {
        starts_at: Timestamp,
        custom_fields: Option<BTreeMap<String, String>>,
        #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["code"]))]
        items: Vec<Item>,
    }

    #[derive(JsonSchema)]
    #[serde(rename_all = "camelCase")]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Item {
        code: String,
        unit_price: Option<Decimal>,
    }

    #[test]
    fn the_wire_has_snake_case_and_the_digits_that_were_written() {
        let shape = Shape::of::<Terms>();
        let spec = json!({
            "startsAt": "2026-01-01T00:00:00Z",
            "customFields": {"contractOwner": "x"},
            "items": [{"code": "a", "unitPrice": "0.50"}],
        });
        let wire = serde_json::to_string(&shape.wire(&spec)).unwrap();
        assert_eq!(
            wire,
            r#"{"custom_fields":{"contractOwner":"x"},"items":[{"code":"a","unit_price":0.50}],"starts_at":"2026-01-01T00:00:00Z"}"#
        );
        let read = shape.canonical(&parse_exact(&wire).unwrap(), Spelling::Wire);
        assert_eq!(read, shape.canonical(&spec, Spelling::Spec));
    }

    #[test]
    fn nulls_and_unknown_members_are_left_out_of_what_is_read() {
        let shape = Shape::of::<Terms>();
        let read = shape.canonical(
            &json!({"starts_at": "2026-01-01T00:00:00+00:00", "custom_fields": null, "items": [{"code": "a", "id": 7}]}),
            Spelling::Wire,
        );
        assert_eq!(read, Ok(json!({"startsAt": "2026-01-01T00:00:00Z", "items": [{"code": "a"}]})));
    }

    #[test]
    fn a_reply_of_another_shape_names_the_place() {
        let error = Shape::of::<Terms>()
            .canonical(&json!({"items": [{"code": "a", "unit_price": true}]}), Spelling::Wire)
            .unwrap_err();
        assert_eq!(error.to_string(), "`/items/0/unitPrice` must be a decimal, not true");
    }
}
