//! Bounded text: every string of the terms says how long it may be, once, in its type.
//!
//! The bounds are the schema's; `validate` checks them again where no API server has, and reports each with its path.
//! Reading does not refuse, so that one long note never makes a whole contract unreadable.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Text of at least `MIN` and at most `MAX` characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text<const MIN: usize, const MAX: usize>(String);

/// A user's stable name of one item in a list: a DNS label, so that it fits into paths and annotations.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemKey(String);

/// Text of at most `MAX` characters by names that the user chooses; at most 100 of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TextMap<const MAX: usize>(pub BTreeMap<String, Text<0, MAX>>);

/// Most names in a [`TextMap`].
const MAX_NAMES: usize = 100;

/// Whether a character is one that nobody sees: it breaks a line, drives a terminal, turns the direction of reading round, or
/// has no width. What joins letters of a script, or parts of a symbol, is none.
#[must_use]
pub fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A character as people are shown it: a space for one that nobody sees.
#[must_use]
pub fn seen(character: char) -> char {
    if is_unseen(character) { ' ' } else { character }
}

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ItemKey {
    /// Pattern of a key: lower-case letters, digits and inner hyphens.
    pub const PATTERN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
    /// Most characters of a key.
    pub const MAX_LENGTH: usize = 63;

    /// The key itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text matches [`Self::PATTERN`].
    #[must_use]
    pub fn is_well_formed(text: &str) -> bool {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
    }
}

impl<const MAX: usize> TextMap<MAX> {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const MIN: usize, const MAX: usize> From<&str> for Text<MIN, MAX> {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<const MIN: usize, const MAX: usize> From<String> for Text<MIN, MAX> {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for ItemKey {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Display for Text<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Debug for Text<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<const MIN: usize, const MAX: usize> JsonSchema for Text<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("Text{MIN}To{MAX}").into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = json_schema!({"type": "string", "maxLength": MAX});
        if MIN > 0 {
            schema.insert("minLength".to_owned(), MIN.into());
        }
        schema
    }
}

impl JsonSchema for ItemKey {
    fn schema_name() -> Cow<'static, str> {
        "ItemKey".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": Self::PATTERN, "maxLength": Self::MAX_LENGTH})
    }
}

impl<const MAX: usize> JsonSchema for TextMap<MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("TextMap{MAX}").into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": Text::<0, MAX>::json_schema(generator),
            "maxProperties": MAX_NAMES,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_dns_labels() {
        for key in ["a", "0", "prepaid-2026", "a--b"] {
            assert!(ItemKey::is_well_formed(key), "{key}");
        }
        for key in ["", "-a", "a-", "A", "a_b", "a.b", "é"] {
            assert!(!ItemKey::is_well_formed(key), "{key}");
        }
    }
}
