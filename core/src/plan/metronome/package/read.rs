//! Reading packages: replies become terms in the shape in which they are written.

use serde_json::Value;

use super::Billing;
use crate::{
    plan::metronome::{
        defaults::{fill, fill_defaults, prune},
        reply::as_written,
    },
    terms::{metronome::PACKAGE, shape::Spelling},
};

/// What a package says and no reply tells, by its place in the terms; `*` is every item of a list.
pub(in crate::plan::metronome) const NOT_TOLD: &[&str] = &[
    "/aliases",
    "/commits/*/temporaryId",
    "/extraFields",
    "/overrides/*/overrideSpecifiers/*/anyCommitOrCreditIds",
    "/overrides/*/overrideSpecifiers/*/commitIds",
    "/overrides/*/overrideSpecifiers/*/recurringCommitIds",
    "/rateCardAlias",
    "/recurringCommits/*/subscriptionConfig/subscriptionId",
    "/recurringCommits/*/temporaryId",
    "/recurringCredits/*/subscriptionConfig/subscriptionId",
    "/recurringCredits/*/temporaryId",
    "/subscriptions/*/seatConfig/initialUnassignedSeats",
    "/subscriptions/*/temporaryId",
    "/uniquenessKey",
    "/usageStatementSchedule/invoiceGenerationStartingAtOffset",
];

/// What a package means when it leaves a member out of something that is compared as a whole.
pub(in crate::plan::metronome) const DEFAULTS: &[(&str, &str)] =
    &[("/spendTrackers/*/applicableSpendSpecifiers/*/discounted", "ANY")];

/// A package as the API returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedPackage {
    /// The package's ID.
    pub package_id: String,
    /// Whether it is archived.
    pub archived: bool,
    /// The uniqueness key that it was created with.
    pub(super) uniqueness_key: Option<String>,
    /// Its terms, in canonical form and in the shape of a request, as far as they are told.
    pub(super) terms: Value,
    /// Its aliases, in canonical form.
    pub(super) aliases: Value,
}

impl ObservedPackage {
    /// Reads `data` of a `v1/packages/get` reply, or an item of a `v1/packages/list` reply, that was parsed with its
    /// exact numbers.
    ///
    /// # Errors
    /// When the reply is no package, or a member of its terms has another shape than the API documents; the error
    /// names it.
    pub fn read(data: &Value) -> Result<Self, String> {
        let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
        let package_id = text("id").ok_or("the reply has no `id`")?;
        if !["name", "commits", "overrides"].iter().any(|name| data.get(*name).is_some()) {
            return Err(format!("the reply for package {package_id} has no terms"));
        }
        let terms = PACKAGE
            .canonical(&as_written(data), Spelling::Wire)
            .map_err(|error| format!("package {package_id} was read, but {error}"))?;
        let aliases = terms.get("aliases").cloned().unwrap_or_default();
        let mut terms = comparable(terms);
        fill_defaults(&mut terms);
        let archived = data.get("archived_at").is_some_and(|at| !at.is_null());
        Ok(Self { package_id, archived, uniqueness_key: text("uniqueness_key"), terms, aliases })
    }

    /// Its terms, in canonical form, as far as they are told.
    #[must_use]
    pub fn terms(&self) -> &Value {
        &self.terms
    }

    /// Its aliases, in canonical form.
    #[must_use]
    pub fn aliases(&self) -> &Value {
        &self.aliases
    }

    /// How contracts from the package are billed, if it says.
    #[must_use]
    pub fn billing(&self) -> Option<Billing> {
        Billing::of(&self.terms)
    }
}

/// The part of some terms that is told again when it is read.
pub(super) fn comparable(mut terms: Value) -> Value {
    for place in NOT_TOLD {
        let path: Vec<_> = place.split('/').skip(1).collect();
        remove(&mut terms, &path);
    }
    for (place, default) in DEFAULTS {
        let path: Vec<_> = place.split('/').skip(1).collect();
        fill(&mut terms, &path, &Value::from(*default));
    }
    prune(&mut terms);
    terms
}

fn remove(value: &mut Value, path: &[&str]) {
    match (path, value) {
        ([name], Value::Object(members)) => drop(members.remove(*name)),
        (["*", rest @ ..], Value::Array(items)) => items.iter_mut().for_each(|item| remove(item, rest)),
        ([name, rest @ ..], Value::Object(members)) => {
            if let Some(value) = members.get_mut(*name) {
                remove(value, rest);
            }
        }
        _ => {}
    }
}
