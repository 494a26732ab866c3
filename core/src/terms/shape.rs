//! The shape of terms, read off their schema: which member is a decimal, a time, a keyed list or a free map.
//!
//! The schema that the API server enforces is so also what spells terms for the wire (`unitPrice: "0.50"` becomes
//! `"unit_price": 0.50`), reads replies, and tells the planner how lists are matched. No field is listed twice.

mod schema;
mod wire;

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use serde_json::{Map, Value};

pub use self::schema::{MERGED, PLACE, SPEC_ONLY};
pub(crate) use self::schema::{is_type, schema_of, words};
use super::{Decimal, Timestamp};

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
    /// A 64-bit integer.
    Integer,
    /// One of these words, in the billing API's spelling.
    Enum(Vec<String>),
    /// Text or a boolean: the same everywhere.
    Plain,
    /// Anything; carried as it is.
    Any,
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name on the wire, in `snake_case`.
    pub wire: String,
    /// Where the wire has it.
    pub place: Place,
    /// Whether it may be left out, and no default stands for it then.
    pub optional: bool,
    /// Its shape.
    pub shape: Shape,
}

/// Where the wire has a member. Its schema says so by the keyword [`PLACE`], which CRDs drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the object, under its wire name.
    Body,
    /// Nowhere: only the custom resource has it.
    SpecOnly,
    /// Its own members stand beside it, as they are; a member that the terms know is not overruled.
    Merged,
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
    /// Brings a value from either spelling into the one canonical form that comparison and digests use: spec
    /// spelling, decimals without trailing zeros, times in UTC, enums as the schema spells them, lists of single
    /// values (sets of ids or tags) sorted, UUIDs in lower case, no nulls, no members that the terms do not have; of the
    /// wire, only what is in its body. What is sent is made from the spec itself, not from this form.
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
                    let spelled = match (spelling, member.place) {
                        (Spelling::Spec, _) => name,
                        (Spelling::Wire, Place::Body) => &member.wire,
                        (Spelling::Wire, Place::SpecOnly | Place::Merged) => continue,
                    };
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
            Self::List { item, keys } => {
                let found = value.as_array().ok_or_else(|| refuse("a list"))?;
                let convert = |(index, value)| item.convert(value, spelling, &path.index(index));
                let mut items = found.iter().enumerate().map(convert).collect::<Result<Vec<_>, _>>()?;
                if matches!(**item, Self::Plain | Self::Enum(_)) {
                    items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                }
                items.sort_by(|a, b| compare_keys(keys, a, b));
                Ok(items.into())
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
                let parse = match spelling {
                    Spelling::Spec => |text: &str| text.parse(),
                    Spelling::Wire => Timestamp::from_wire,
                };
                let time = value.as_str().and_then(|text| parse(text).ok());
                Ok(Value::String(time.ok_or_else(|| refuse("an RFC 3339 time"))?.to_string()))
            }
            Self::Integer => {
                let digits = value.as_str().and_then(|text| Decimal::from_wire(text).ok());
                let integer = digits.and_then(|digits| digits.normalized().to_string().parse().ok());
                Ok(value.as_i64().or(integer).ok_or_else(|| refuse("an integer"))?.into())
            }
            Self::Enum(words) => {
                let found = value.as_str().ok_or_else(|| refuse("a word"))?;
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(found));
                Ok(Value::String(word.map_or(found, String::as_str).to_owned()))
            }
            Self::Plain if value.is_object() || value.is_array() => Err(refuse("a single value")),
            Self::Plain => {
                let id = value.as_str().and_then(uuid_in_lower_case);
                Ok(id.map_or_else(|| value.clone(), Value::String))
            }
            Self::Any => Ok(exact(value)),
        }
    }

    /// Brings the IDs of terms in spec spelling into the letters in which they are compared. What is in a free form, or in a
    /// list of single values, stays as it is.
    pub(crate) fn with_usual_ids(&self, terms: &mut Value) {
        match (self, terms) {
            (Self::Object(members), Value::Object(values)) => {
                for (name, value) in values {
                    match (members.get(name).map(|member| &member.shape), value) {
                        (Some(Self::Plain), Value::String(id)) if name.ends_with("Id") => {
                            if let Some(usual) = uuid_in_lower_case(id) {
                                *id = usual;
                            }
                        }
                        (Some(shape), value) => shape.with_usual_ids(value),
                        (None, _) => {}
                    }
                }
            }
            (Self::List { item, .. }, Value::Array(items)) => {
                for value in items {
                    item.with_usual_ids(value);
                }
            }
            _ => {}
        }
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

/// A UUID as it is compared, where a text is one in other letters: billing APIs take it in any and tell it in lower case.
pub(crate) fn uuid_in_lower_case(text: &str) -> Option<String> {
    let may_be = text.len() == 36 && text.bytes().any(|byte| byte.is_ascii_uppercase());
    (may_be && uuid::Uuid::try_parse(text).is_ok()).then(|| text.to_ascii_lowercase())
}

/// An ID as it is compared: a UUID in lower case, and any other as it is.
#[must_use]
pub fn in_usual_letters(id: &str) -> String {
    uuid_in_lower_case(id).unwrap_or_else(|| id.to_owned())
}

/// Brings the IDs of a reply into the letters in which they are compared, wherever they stand: a member is one by its name.
/// What else looks like one (a name, a uniqueness key, a seat) stays as it is.
pub(crate) fn ids_in_usual_letters(reply: &mut Value) {
    match reply {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(id) if name == "id" || name.ends_with("_id") => {
                        if let Some(usual) = uuid_in_lower_case(id) {
                            *id = usual;
                        }
                    }
                    value => ids_in_usual_letters(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(ids_in_usual_letters),
        _ => {}
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

/// Anything, with every number that is no 64-bit integer as its own digits, as an exactly parsed reply has it.
fn exact(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.as_i64().is_none() => Value::String(number.to_string()),
        Value::Array(values) => values.iter().map(exact).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), exact(value))).collect(),
        _ => value.clone(),
    }
}

/// The order of two items of a keyed list; items of other lists stay in theirs.
fn compare_keys(keys: &[String], a: &Value, b: &Value) -> Ordering {
    let by_key = |key: &String| match (a.get(key), b.get(key)) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => a.as_i64().cmp(&b.as_i64()),
        (a, b) => a.and_then(Value::as_str).cmp(&b.and_then(Value::as_str)),
    };
    keys.iter().map(by_key).fold(Ordering::Equal, Ordering::then)
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

    #[derive(JsonSchema)]
    #[serde(rename_all = "camelCase")]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Marked {
        #[schemars(extend("x-countersign-place" = "spec-only"))]
        key: String,
        tags: Vec<String>,
        kind: Option<Kind>,
        months: Option<i32>,
        #[schemars(extend("x-countersign-place" = "merged", "x-kubernetes-preserve-unknown-fields" = true))]
        extra_fields: Option<BTreeMap<String, String>>,
        #[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
        custom_rate: Option<BTreeMap<String, String>>,
    }

    #[derive(JsonSchema)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    #[allow(dead_code, reason = "only its schema is used")]
    enum Kind {
        /// A documented word.
        AsIs,
        Remove,
    }

    #[test]
    fn markers_say_what_the_wire_has() {
        let shape = Shape::of::<Marked>();
        let spec =
            json!({"key": "a", "tags": ["x"], "extraFields": {"tags": ["y"], "new_field": {"camelCase": 1}}});
        let wire = serde_json::to_value(shape.wire(&spec)).unwrap();
        assert_eq!(wire, json!({"tags": ["x"], "new_field": {"camelCase": 1}}));
        let read = shape.canonical(&json!({"key": "b", "extra_fields": {}, "tags": []}), Spelling::Wire);
        assert_eq!(read, Ok(json!({"tags": []})));
        let kept = shape.canonical(&spec, Spelling::Spec).unwrap();
        assert_eq!(kept.get("key"), Some(&json!("a")));
    }

    #[test]
    fn a_member_is_optional_where_neither_a_rule_nor_a_default_stands_for_it() {
        #[derive(JsonSchema)]
        #[allow(dead_code, reason = "only its schema is used")]
        struct Members {
            required: String,
            optional: Option<String>,
            #[serde(default)]
            defaulted: bool,
        }
        let optional =
            |name| Shape::of::<Members>().members().any(|(found, member)| found == name && member.optional);
        assert!(optional("optional") && !optional("required") && !optional("defaulted"));
    }

    #[test]
    fn one_meaning_has_one_canonical_form() {
        let shape = Shape::of::<Marked>();
        let canonical = |text| shape.canonical(&parse_exact(text).unwrap(), Spelling::Wire);
        let expected = Ok(json!({"tags": ["a", "b"], "kind": "AS_IS", "months": 6}));
        assert_eq!(canonical(r#"{"tags": ["b", "a"], "kind": "as_is", "months": 6}"#), expected);
        assert_eq!(canonical(r#"{"tags": ["a", "b"], "kind": "AS_IS", "months": "6"}"#), expected);
        assert_eq!(canonical(r#"{"tags": ["a", "b"], "kind": "AS_IS", "months": 6.0}"#), expected);
        assert_eq!(canonical(r#"{"kind": "NEW_WORD"}"#), Ok(json!({"kind": "NEW_WORD"})));
        assert!(canonical(r#"{"months": "half"}"#).unwrap_err().to_string().contains("an integer"));
    }

    #[test]
    fn ids_are_read_in_one_spelling_and_nothing_else_is() {
        let id = "0E3B5A52-5C0F-4E70-9D3C-0C1A4EA6A101";
        let mut reply = json!({"id": id, "name": id, "uniqueness_key": id, "items": [{"customer_id": id, "seat_ids": [id]}]});
        ids_in_usual_letters(&mut reply);
        let usual = id.to_lowercase();
        let read = json!({"id": usual, "name": id, "uniqueness_key": id, "items": [{"customer_id": usual, "seat_ids": [id]}]});
        assert_eq!(reply, read);
    }

    #[test]
    fn free_forms_read_from_the_spec_and_from_the_wire_are_equal() {
        let shape = Shape::of::<Marked>();
        let spec = json!({"customRate": {"share": 0.5, "list": [1, "x", 1e30]}});
        let wire = serde_json::to_string(&shape.wire(&spec)).unwrap();
        let read = shape.canonical(&parse_exact(&wire).unwrap(), Spelling::Wire);
        assert_eq!(read, shape.canonical(&spec, Spelling::Spec));
    }
}
