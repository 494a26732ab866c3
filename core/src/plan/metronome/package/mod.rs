//! Plans for packages: created once, never changed, archived at the end.
//!
//! The API cannot change a package, not even its aliases, which only a younger package takes over. So what is found by
//! the uniqueness key must say what the spec says, or nothing is made from it.

pub(super) mod items;
mod planner;
pub(super) mod read;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub use self::{planner::PackagePlanner, read::ObservedPackage};
use super::{UniquenessKey, text};
use crate::{
    api::{
        package::{Alias, Lifecycle},
        reasons,
    },
    plan::{Call, CallKind, Change, Recorded, Refusal, diff::diff, summarize},
    terms::{
        Digest, Shape,
        metronome::{PACKAGE, Package},
        shape::{ShapeError, Spelling},
    },
    validate::Validated,
};

/// Path of the call that creates a package.
pub const CREATE_PACKAGE: &str = "v1/packages/create";
/// Path of the call that archives a package.
pub const ARCHIVE_PACKAGE: &str = "v1/packages/archive";

/// What a package should be, in the forms that planning needs.
#[derive(Clone, Debug)]
pub struct Desired {
    key: UniquenessKey,
    /// Terms with the digits of the spec, aliases and key included.
    written: Value,
    /// The terms that can be read again, in canonical form.
    comparable: Value,
    /// The aliases, in canonical form.
    aliases: Value,
}

impl Desired {
    /// Prepares a validated package; without a key of its own it gets `derived`.
    ///
    /// # Errors
    /// Never for terms that came through the types; the error names the place otherwise.
    pub fn new(
        package: &Validated<&Package>,
        aliases: &[Alias],
        derived: UniquenessKey,
    ) -> Result<Self, ShapeError> {
        let misshapen = |error: serde_json::Error| ShapeError {
            path: String::new(),
            expected: "a package",
            found: error.to_string(),
        };
        let key = package.uniqueness_key.as_ref().map_or(derived, |key| UniquenessKey::given(key.as_str()));
        let mut written = serde_json::to_value(**package).map_err(misshapen)?;
        if let Some(members) = written.as_object_mut() {
            members.insert("uniquenessKey".to_owned(), json!(key.as_str()));
            members.insert("aliases".to_owned(), serde_json::to_value(aliases).map_err(misshapen)?);
        }
        let canonical = PACKAGE.canonical(&written, Spelling::Spec)?;
        let aliases = canonical.get("aliases").cloned().unwrap_or_default();
        Ok(Self { key, written, comparable: read::comparable(canonical), aliases })
    }

    /// The package's uniqueness key.
    #[must_use]
    pub fn key(&self) -> &UniquenessKey {
        &self.key
    }

    /// Whether `data` of a package is of one that was created with this key.
    #[must_use]
    pub fn has_made(&self, data: &Value) -> bool {
        text(data, "uniqueness_key").is_some_and(|key| self.key.matches(key))
    }

    /// Why the package is not created yet: one may still come that a create without a reply makes by another key.
    fn may_come(&self, recorded: &Recorded, now: DateTime<Utc>) -> Option<Refusal> {
        let own = create_fingerprint(self.key.as_str());
        let until = recorded.shows_until(now, |write| write.digest != own)?;
        Some(Refusal {
            reason: reasons::WRITE_UNCONFIRMED,
            message: format!(
                "A create whose reply did not come, by another uniqueness key, may still be carried out. The package is looked \
                 for, until {until}, before another one is created."
            ),
        })
    }

    /// Where a package says something else.
    #[must_use]
    pub fn differences(&self, observed: &ObservedPackage) -> Vec<Change> {
        let mut changes = Vec::new();
        let lists = PACKAGE.members().filter_map(|(name, member)| match &member.shape {
            Shape::List { item, .. } if matches!(**item, Shape::Object(_)) => Some((name, &**item)),
            _ => None,
        });
        let (mut wanted, mut found) = (self.comparable.clone(), observed.terms.clone());
        for (name, item) in lists {
            let take = |terms: &mut Value| {
                let list = terms.as_object_mut().and_then(|terms| terms.remove(name));
                list.and_then(|list| list.as_array().cloned()).unwrap_or_default()
            };
            let (wanted, found) = (take(&mut wanted), take(&mut found));
            changes.extend(items::list_differences(&format!("/{name}"), item, &wanted, &found));
        }
        changes.extend(items::differences(&PACKAGE, &wanted, &found));
        changes
    }

    /// Where the API has the aliases otherwise; it cannot change them.
    #[must_use]
    pub fn alias_differences(&self, observed: &ObservedPackage) -> Vec<Change> {
        let observed = json!({"aliases": observed.aliases});
        diff(&PACKAGE, &json!({"aliases": self.aliases}), &observed)
    }
}

/// What to do about a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    InSync,
    /// Create or archive it.
    Write(Call),
    /// Nothing may be written.
    Refuse(Refusal),
}

/// Decides what to do about a package that is published or archived.
#[must_use]
pub fn plan(desired: &Desired, lifecycle: Lifecycle, observed: Option<&ObservedPackage>) -> Step {
    let archives = lifecycle == Lifecycle::Archived;
    let Some(observed) = observed else {
        return if archives { Step::InSync } else { create(desired).map_or_else(Step::Refuse, Step::Write) };
    };
    let differences = desired.differences(observed);
    if !differences.is_empty() {
        let message = format!(
            "package {} in billing has the uniqueness key {} and says something else (billing -> spec), and packages \
             cannot be changed: restore the terms, or write a new ContractPackage with another name or \
             `uniquenessKey`. Differences: {}",
            observed.package_id,
            desired.key,
            summarize(&differences)
        );
        return Step::Refuse(Refusal { reason: reasons::PACKAGE_DIFFERS, message });
    }
    match (archives, observed.archived) {
        (true, false) => archive(&observed.package_id).map_or_else(Step::Refuse, Step::Write),
        (false, true) => {
            let message = format!(
                "package {} is archived in billing, which cannot be undone: set `spec.lifecycle` to Archived, and write \
                 a new ContractPackage for new contracts",
                observed.package_id
            );
            Step::Refuse(Refusal { reason: reasons::PACKAGE_ARCHIVED, message })
        }
        _ => Step::InSync,
    }
}

fn create(desired: &Desired) -> Result<Call, Refusal> {
    let fingerprint = create_fingerprint(desired.key.as_str());
    Call::new(CallKind::Create, CREATE_PACKAGE, &PACKAGE.wire(&desired.written), fingerprint)
}

/// Recognises, whatever its create may be told by, a package with a key that was read.
fn create_fingerprints(read: Option<&str>) -> impl Iterator<Item = Digest> {
    read.into_iter().flat_map(UniquenessKey::readings).map(create_fingerprint)
}

/// Recognises the create of a package with a key.
fn create_fingerprint(key: &str) -> Digest {
    Digest::of(&json!([CREATE_PACKAGE, key]))
}

/// The call that archives a package; no new contracts are made from it then, and those that there are stay.
///
/// # Errors
/// When the body cannot be written as JSON.
pub fn archive(package_id: &str) -> Result<Call, Refusal> {
    let fingerprint = Digest::of(&json!([ARCHIVE_PACKAGE, package_id]));
    Call::new(CallKind::Other, ARCHIVE_PACKAGE, &json!({"package_id": package_id}), fingerprint)
}

/// How a package is billed: provider and delivery method, in the API's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billing {
    provider: String,
    method: String,
}

impl Billing {
    /// How contracts from these terms are billed, if they say.
    #[must_use]
    pub fn of(terms: &Value) -> Option<Self> {
        let member = |name| text(terms, name).map(str::to_owned);
        Some(Self { provider: member("billingProvider")?, method: member("deliveryMethod")? })
    }

    /// `data` of a customer's configurations that is billed so.
    #[must_use]
    pub fn configuration(&self) -> Value {
        json!([{"billing_provider": self.provider, "delivery_method": self.method}])
    }

    /// What keeps a customer from having contracts from the package: it must have exactly one billing configuration
    /// with the package's provider and delivery method. `configurations` is `data` of
    /// `v1/getCustomerBillingProviderConfigurations`.
    #[must_use]
    pub fn obstacle(&self, customer_id: &str, configurations: &Value) -> Option<Refusal> {
        let Self { provider, method } = self;
        let all = || configurations.as_array().into_iter().flatten();
        let is = |found: &Value, name: &str, wanted: &str| {
            text(found, name).is_some_and(|found| found.eq_ignore_ascii_case(wanted))
        };
        let current = |found: &&Value| found.get("archived_at").is_none_or(Value::is_null);
        let matching = all()
            .filter(current)
            .filter(|found| is(found, "billing_provider", provider) && is(found, "delivery_method", method))
            .count();
        if matching == 1 {
            return None;
        }
        let has: Vec<_> = all()
            .filter(current)
            .map(|found| {
                let word = |name| text(found, name).unwrap_or("?");
                format!("{} with {}", word("billing_provider"), word("delivery_method"))
            })
            .collect();
        let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
        let cure = if matching == 0 {
            "add one in Metronome (setCustomerBillingProviderConfigurations)"
        } else {
            "archive all but one of them in Metronome"
        };
        let message = format!(
            "Nothing was written: contracts from the package need customer {customer_id} to have exactly one billing \
             configuration for {provider} with {method}, and it has {matching}: {cure}. It has: {has}"
        );
        Some(Refusal { reason: reasons::BILLING_CONFIGURATION_MISMATCH, message })
    }
}
