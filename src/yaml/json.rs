//! JSON by itself. Nearly all of it is YAML too and is read as that, with places; this is for the rest: several values in a
//! row, and rarities such as indentation by tabs.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use super::{Part, Place, SyntaxError};

/// Where each of several JSON values in a row stands (`jq --compact-output`); nothing for anything else.
pub(super) fn several(text: &str) -> Option<Vec<Part>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let (mut parts, mut start, mut lines) = (Vec::new(), 0, 0);
    while let Some(value) = stream.next() {
        value.ok()?;
        let end = stream.byte_offset();
        let between = text.get(start..end)?;
        let blank = between.len() - between.trim_start().len();
        let before = lines + newlines(between.get(..blank)?);
        parts.push(Part { start: start + blank, end, lines: before });
        lines += newlines(between);
        start = end;
    }
    (parts.len() > 1).then_some(parts)
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// Reads one JSON value.
///
/// # Errors
/// Where the text is none, or says one key twice.
pub fn parse_json(text: &str) -> Result<Value, SyntaxError> {
    serde_json::from_str(text).map(|Unique(value)| value).map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message);
        let place = Place { line: error.line().max(1), column: error.column().max(1) };
        SyntaxError { message: format!("is no JSON: {message}"), place }
    })
}

/// A value of which no mapping says one key twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Unique, E> {
        Ok(Unique(Value::Null))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Unique, E> {
        Number::from_f64(value).map(|number| Unique(number.into())).ok_or_else(|| E::custom("no number"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
        let mut read = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            read.push(item);
        }
        Ok(Unique(read.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unique, A::Error> {
        let (mut read, mut names) = (Map::new(), BTreeSet::new());
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(de::Error::custom(format!("says `{name}` twice")));
            }
            let Unique(value) = members.next_value()?;
            read.insert(name, value);
        }
        Ok(Unique(read.into()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::parts, *};

    #[test]
    fn json_that_says_a_key_twice_is_refused() {
        let error = parse_json("{\n\t\"a\": {\"b\": 1,\n\t\"b\": 2}}").unwrap_err();
        assert!(error.message.contains("says `b` twice") && error.place.line == 3, "{error}");
        assert_eq!(parse_json("{\t\"a\": [1, 1.5, null]}").unwrap(), json!({"a": [1, 1.5, null]}));
    }

    #[test]
    fn json_values_in_a_row_are_documents_each_with_its_line() {
        let text = "{\"a\": 1}\n{\"b\":\n 2}{\"c\": 3}\n";
        let said: Vec<_> =
            parts(text).into_iter().map(|part| (part.line(), part.value(text).unwrap())).collect();
        assert_eq!(said, [(1, json!({"a": 1})), (2, json!({"b": 2})), (3, json!({"c": 3}))]);
    }
}
