//! JSON whose numbers keep the digits they were sent with. Knows no API.

use std::collections::BTreeMap;
use std::collections::btree_map::IntoIter;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// How deep values may be nested; no API goes half as deep.
const DEPTH: u8 = 32;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Json {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as the text it was sent as.
    Number(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object.
    Object(Fields),
}

impl Json {
    /// The text of a string.
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The digits of a number.
    pub(super) fn number(&self) -> Option<&str> {
        if let Self::Number(digits) = self { Some(digits) } else { None }
    }

    /// The fields of an object.
    pub(super) fn object(&self) -> Option<&Fields> {
        if let Self::Object(fields) = self { Some(fields) } else { None }
    }

    /// What a reader would call it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    fn of(text: &str, depth: u8) -> Result<Self, serde_json::Error> {
        let inner = |raw: &RawValue| match depth.checked_sub(1) {
            Some(depth) => Self::of(raw.get(), depth),
            None => Err(<serde_json::Error as serde::de::Error>::custom("too deeply nested")),
        };
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
                let fields = fields.into_iter().map(|(name, raw)| Ok((name, inner(raw)?)));
                Self::Object(fields.collect::<Result<_, serde_json::Error>>()?)
            }
            Some(b'[') => {
                let values: Vec<&RawValue> = serde_json::from_str(text)?;
                Self::List(values.into_iter().map(inner).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            Some(b't' | b'f') => Self::Bool(serde_json::from_str(text)?),
            Some(b'n') => Self::Null,
            _ => Self::Number(text.to_owned()),
        })
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::of(raw.get(), DEPTH).map_err(D::Error::custom)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(digits) => {
                RawValue::from_string(digits.clone()).map_err(S::Error::custom)?.serialize(serializer)
            }
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(values) => values.serialize(serializer),
            Self::Object(fields) => fields.serialize(serializer),
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<Vec<Json>> for Json {
    fn from(values: Vec<Json>) -> Self {
        Self::List(values)
    }
}

impl From<Fields> for Json {
    fn from(fields: Fields) -> Self {
        Self::Object(fields)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The fields of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Fields(BTreeMap<String, Json>);

impl Fields {
    /// Whether there is no field.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The field called `name`, null or not.
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// Whether the field is there and not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| *value != Json::Null)
    }

    /// The text of the field, when it is a string.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::text)
    }

    /// The digits of the field, when it is a number.
    pub(super) fn number(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::number)
    }

    /// The field, when it is a boolean.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        if let Some(Json::Bool(value)) = self.get(name) { Some(*value) } else { None }
    }

    /// The fields of the field, when it is an object.
    pub(super) fn object(&self, name: &str) -> Option<&Fields> {
        self.get(name).and_then(Json::object)
    }

    /// The values of the field; none when it is not an array.
    pub(super) fn list(&self, name: &str) -> &[Json] {
        if let Some(Json::List(values)) = self.get(name) { values } else { &[] }
    }

    /// The objects in the field; none when it is not an array.
    pub(super) fn objects(&self, name: &str) -> impl Iterator<Item = &Fields> {
        self.list(name).iter().filter_map(Json::object)
    }

    /// The strings in the field; none when it is not an array.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.list(name).iter().filter_map(Json::text)
    }

    /// The objects in the field, to change them.
    pub(super) fn objects_mut(&mut self, name: &str) -> impl Iterator<Item = &mut Fields> {
        let values = match self.0.get_mut(name) {
            Some(Json::List(values)) => values.as_mut_slice(),
            _ => &mut [],
        };
        values
            .iter_mut()
            .filter_map(|value| if let Json::Object(fields) = value { Some(fields) } else { None })
    }

    /// The object in the field called `name` with that id, to change it.
    pub(super) fn item_mut(&mut self, name: &str, id: &str) -> Option<&mut Fields> {
        self.objects_mut(name).find(|item| item.text("id") == Some(id))
    }

    /// The object in the field called `name` with that id.
    pub(super) fn item(&self, name: &str, id: &str) -> Option<&Fields> {
        self.objects(name).find(|item| item.text("id") == Some(id))
    }

    /// Sets a field.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Json>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The same with a field set.
    pub(super) fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a field that is not there yet, or is null.
    pub(super) fn set_default(&mut self, name: &str, value: impl Into<Json>) {
        if !self.has(name) {
            self.set(name, value);
        }
    }

    /// Sets a field, or takes it out when the value is null.
    pub(super) fn set_or_clear(&mut self, name: &str, value: &Json) {
        match value {
            Json::Null => drop(self.take(name)),
            value => self.set(name, value.clone()),
        }
    }

    /// Takes a field out.
    pub(super) fn take(&mut self, name: &str) -> Option<Json> {
        self.0.remove(name)
    }

    /// Gives a field another name.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if let Some(value) = self.take(from) {
            self.set(to, value);
        }
    }

    /// Changes the object in a field, which is empty at first when the field is not one.
    pub(super) fn edit(&mut self, name: &str, change: impl FnOnce(&mut Fields)) {
        let mut fields = match self.take(name) {
            Some(Json::Object(fields)) => fields,
            _ => Self::default(),
        };
        change(&mut fields);
        self.set(name, fields);
    }

    /// Adds values to the end of the array in a field, made when the field is not one.
    pub(super) fn extend<T: Into<Json>>(&mut self, name: &str, more: impl IntoIterator<Item = T>) {
        let mut values = match self.take(name) {
            Some(Json::List(values)) => values,
            _ => Vec::new(),
        };
        values.extend(more.into_iter().map(Into::into));
        self.set(name, values);
    }

    /// Keeps those objects of the array in a field for which `keep` says so.
    pub(super) fn retain(&mut self, name: &str, mut keep: impl FnMut(&Fields) -> bool) {
        if let Some(Json::List(values)) = self.0.get_mut(name) {
            values.retain(|value| value.object().is_none_or(&mut keep));
        }
    }

    /// Copies those of the fields that `from` has.
    pub(super) fn copy(&mut self, from: &Fields, names: &[&str]) {
        for name in names {
            if let Some(value) = from.get(name) {
                self.set(name, value.clone());
            }
        }
    }

    /// The fields in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl FromIterator<(String, Json)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl IntoIterator for Fields {
    type Item = (String, Json);
    type IntoIter = IntoIter<String, Json>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_survives() {
        let text = r#"{"a":[1.10,-0.000000000000000000000000001,1e400,null,true],"b":"x\"y"}"#;
        let json: Json = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
    }
}
