//! Digests of canonical terms, for status, plans and idempotency keys.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The first 128 bits of a SHA-256 over a value's canonical JSON, in lower-case hexadecimal.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Digest(#[schemars(length(max = 32))] String);

impl Digest {
    /// The digest of a value; the order of its keys does not matter.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        let mut hasher = Sha256::new();
        feed(&mut hasher, value);
        let hash = hasher.finalize();
        let first_half = hash.iter().take(16).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        Self(format!("{first_half:032x}"))
    }

    /// The digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Feeds JSON with sorted keys; every part is delimited, so that no two values feed the same bytes.
fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<_> = members.iter().collect();
            keys.sort_by_key(|(key, _)| key.as_str());
            hasher.update(b"{");
            for (key, value) in keys {
                hasher.update(Value::from(key.as_str()).to_string());
                hasher.update(b":");
                feed(hasher, value);
                hasher.update(b",");
            }
            hasher.update(b"}");
        }
        Value::Array(items) => {
            hasher.update(b"[");
            for item in items {
                feed(hasher, item);
                hasher.update(b",");
            }
            hasher.update(b"]");
        }
        scalar => hasher.update(scalar.to_string()),
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_digest_depends_on_content_alone() {
        assert_eq!(Digest::of(&json!({"a": 1, "b": [2]})), Digest::of(&json!({"b": [2], "a": 1})));
        assert_ne!(Digest::of(&json!(["a", "b"])), Digest::of(&json!(["a,b"])));
        assert_ne!(Digest::of(&json!("1")), Digest::of(&json!(1)));
        assert_eq!(Digest::of(&json!({})).as_str().len(), 32);
    }
}
