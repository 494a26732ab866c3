//! What is invoiced for good already of what a plan changes, so that whoever reads the plan knows what stays as it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Unit;
use crate::terms::{Decimal, Timestamp};

/// What is invoiced for good already of what a plan changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invoiced {
    /// The invoices, by their date.
    pub invoices: Vec<FinalInvoice>,
    /// Why it is not known, where it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// An invoice that is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinalInvoice {
    /// Its ID.
    pub id: String,
    /// When it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// Its total; none where it was not told, or is beyond 28 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Decimal>,
    /// What the total is counted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The places in the terms that the plan changes and that it is about.
    pub places: Vec<String>,
    /// Whether the plan voids it. Otherwise it stays as it is.
    pub is_voided: bool,
}

impl Invoiced {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.invoices.is_empty() && self.unknown.is_none()
    }
}
