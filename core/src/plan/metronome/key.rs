//! The uniqueness key of a contract: what keeps the API from creating it twice, and what finds it again; and the keys that
//! follow from it, of the contract's edits and of what is made beside it.
//!
//! The API never frees a key, so it follows from the resource's name alone, never from its UID: a cluster that is
//! rebuilt from Git derives the same keys. Knows nothing of contracts.

use std::fmt;

use serde_json::json;

use crate::terms::Digest;

/// What the API may put before a key when it tells it.
const PREFIXES: [&str; 2] = ["contract:", "package:"];
/// Most characters of a key.
const MAX_LENGTH: usize = 128;
/// Characters of a mark.
const MARK: usize = 16;
/// How the keys of all items that a resource makes beside its contract begin.
const ITEMS: &str = "countersign-item/";

/// A key that the API takes once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniquenessKey(String);

impl UniquenessKey {
    /// The key of a resource: `<prefix>/<namespace>/<name>`. Of one that is longer than 128 characters, a digest
    /// replaces the end.
    #[must_use]
    pub fn derive(prefix: &str, namespace: &str, name: &str) -> Self {
        Self(within(format!("{prefix}/{namespace}/{name}"), MAX_LENGTH))
    }

    /// A key that the user chose.
    #[must_use]
    pub fn given(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a key that was read is this one, plain or after one of the API's own words. Any other word before a colon is
    /// part of somebody's key: `2026:acme` is not `acme`.
    #[must_use]
    pub fn matches(&self, read: &str) -> bool {
        Self::readings(read).any(|key| key == self.0)
    }

    /// What a key that was read may be: as it is, and without one of the API's own words before it.
    pub(super) fn readings(read: &str) -> impl Iterator<Item = &str> {
        std::iter::once(read).chain(PREFIXES.iter().filter_map(|prefix| read.strip_prefix(prefix)))
    }

    /// How the keys of the edits of the resource with this key begin.
    pub(super) fn mark(&self) -> String {
        let digest = Digest::of(&json!(["edits of", self.0]));
        digest.as_str().chars().take(MARK).chain(['-']).collect()
    }

    /// How the keys of the items begin that the resource with this key makes beside its contract.
    pub(super) fn mark_of_items(&self) -> String {
        format!("{ITEMS}{}", self.mark())
    }

    /// The key that an item of a list is made with.
    pub(super) fn of_item(&self, list: &str, key: &str) -> String {
        format!("{}{list}/{key}", self.mark_of_items())
    }
}

/// A text of at most so many characters: a digest replaces the end of one that is longer.
pub(super) fn within(text: String, most: usize) -> String {
    if text.chars().count() <= most {
        return text;
    }
    let digest = Digest::of(&json!(text));
    let kept = most.saturating_sub(digest.as_str().len() + 1);
    text.chars().take(kept).chain(['-']).chain(digest.as_str().chars()).collect()
}

/// The key of an item beside a contract that a resource has made, without the word that the API puts before it.
pub(super) fn key_of_item(read: &str) -> Option<&str> {
    let at = read.find(ITEMS)?;
    let (before, key) = read.split_at_checked(at)?;
    (before.is_empty() || before.ends_with(':')).then_some(key)
}

impl fmt::Display for UniquenessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_follows_from_the_name_of_the_resource() {
        assert_eq!(UniquenessKey::derive("prod", "billing", "acme").as_str(), "prod/billing/acme");
    }

    #[test]
    fn a_long_key_stays_in_bounds_and_unique() {
        let key = |end: &str| UniquenessKey::derive("prod", "billing", &format!("{}{end}", "a".repeat(200)));
        assert_eq!(key("x").as_str().chars().count(), MAX_LENGTH);
        assert_eq!(key("x"), key("x"));
        assert_ne!(key("x"), key("y"));
        let fits = UniquenessKey::derive("p", "n", &"a".repeat(124));
        assert_eq!(fits.as_str().len(), MAX_LENGTH);
        assert!(fits.as_str().ends_with('a'));
    }

    #[test]
    fn a_key_is_recognised_plain_or_prefixed() {
        let key = UniquenessKey::given("prod/billing/acme");
        assert_eq!(key.to_string(), "prod/billing/acme", "messages name it");
        assert!(key.matches("prod/billing/acme"));
        assert!(key.matches("contract:prod/billing/acme"));
        assert!(!key.matches("x/prod/billing/acme"));
        assert!(!key.matches("prod/billing/acme-2"));
        assert!(!key.matches(":prod/billing/acme"));
        assert!(!key.matches("2026:prod/billing/acme"));
    }
}
