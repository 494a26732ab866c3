//! What is known of a contract or a package in the billing API, as a status tells it.

use chrono::Datelike as _;

use crate::{
    api::contract::{Amount, ItemId, SetFields, Term},
    terms::{Digest, Timestamp},
};

use super::Change;

/// A contract as it was observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractSnapshot {
    /// Its ID.
    pub contract_id: String,
    /// ID of the billing account that owns it, where the API tells it (Zoo).
    pub account_id: Option<String>,
    /// What the spec has put into it, by the paths of the terms (Metronome).
    pub items: Vec<ItemId>,
    /// Optional fields that the spec has set and that were in force.
    pub set_fields: Vec<SetFields>,
    /// The contract that it renews (Metronome).
    pub renews: Option<String>,
    /// The contract that renews it (Metronome).
    pub renewed_by: Option<String>,
    /// The billing API's own lifecycle state.
    pub state: String,
    /// Whether the billing API shows contracts in this state, so that it can be compared again.
    pub is_shown: bool,
    /// When it applies.
    pub term: Option<Term>,
    /// What the customer commits to, each sum in its unit.
    pub committed_value: Vec<Amount>,
    /// Digest of its terms.
    pub digest: Digest,
}

/// A package as it was observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageSnapshot {
    /// Its ID.
    pub package_id: String,
    /// Where the billing API has its aliases otherwise, which it cannot change.
    pub alias_differences: Vec<Change>,
}

/// A day (UTC), as `2026-01-01`. In the hours around the first and the last year that there are, an offset leads out of them: that
/// is the first or the last day.
pub(super) fn day(time: Timestamp) -> String {
    match time.0.year() {
        ..0 => "0000-01-01".to_owned(),
        10_000.. => "9999-12-31".to_owned(),
        _ => time.0.date_naive().to_string(),
    }
}
