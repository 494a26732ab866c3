//! Reads a shape off a JSON schema, by the keywords that the API server enforces and by the one that says where the wire
//! has a member. Knows nothing of values.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use super::{Member, Place, Shape};
use crate::terms::decimal;

/// Schema keyword of a member's [`Place`]: [`SPEC_ONLY`], [`MERGED`], or absent for one in the body.
pub const PLACE: &str = "x-countersign-place";
/// Value of [`PLACE`] for a member that only the custom resource has.
pub const SPEC_ONLY: &str = "spec-only";
/// Value of [`PLACE`] for an object whose members are put beside it.
pub const MERGED: &str = "merged";

impl Shape {
    /// The shape of `T`, read off its JSON schema.
    #[must_use]
    pub fn of<T: JsonSchema>() -> Self {
        Self::from_schema(&schema_of::<T>())
    }

    fn from_schema(schema: &Value) -> Self {
        if let Some(words) = words(schema) {
            return Self::Enum(words);
        }
        let alternatives = ["anyOf", "oneOf"].into_iter().find_map(|key| schema.get(key)?.as_array());
        if let Some(alternatives) = alternatives.filter(|_| schema.get("properties").is_none()) {
            let mut shapes = alternatives.iter().filter(|schema| !is_null(schema)).map(Self::from_schema);
            return shapes.next().unwrap_or(Self::Plain);
        }
        if schema.get("x-kubernetes-preserve-unknown-fields").is_some() {
            return Self::Any;
        }
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            let required = schema.get("required").and_then(Value::as_array);
            let is_required =
                |name: &String| required.is_some_and(|names| names.iter().any(|found| found == name));
            let member = |(name, schema): (&String, &Value)| {
                let place = match schema.get(PLACE).and_then(Value::as_str) {
                    Some(SPEC_ONLY) => Place::SpecOnly,
                    Some(MERGED) => Place::Merged,
                    _ => Place::Body,
                };
                let optional = !is_required(name) && schema.get("default").is_none_or(Value::is_null);
                (
                    name.clone(),
                    Member { wire: snake_case(name), place, optional, shape: Self::from_schema(schema) },
                )
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
        if text("pattern").is_some_and(|pattern| decimal::Range::of_pattern(pattern).is_some()) {
            Self::Decimal
        } else if text("format") == Some("date-time") {
            Self::Time
        } else if is_type(schema, "integer") {
            Self::Integer
        } else {
            Self::Plain
        }
    }
}

/// The JSON schema of `T`, with everything in place instead of by reference.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The words that an enum's schema allows, `None` for any other schema.
pub(crate) fn words(schema: &Value) -> Option<Vec<String>> {
    let of_text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(word) = schema.get("const") {
        return of_text(word).map(|word| vec![word]);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().filter(|word| !word.is_null()).map(of_text).collect();
    }
    let alternatives = ["anyOf", "oneOf"].into_iter().find_map(|key| schema.get(key)?.as_array())?;
    let alternatives = alternatives.iter().filter(|schema| !is_null(schema)).map(words);
    alternatives.collect::<Option<Vec<_>>>().map(|words| words.concat())
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|found| found == "null")
}

/// Whether a schema is of a type, or of that type and null.
pub(crate) fn is_type(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|found| found == name),
        found => found.is_some_and(|found| found == name),
    }
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
