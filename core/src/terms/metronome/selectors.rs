//! Selectors: which usage, product or balance something applies to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BillingFrequency, GroupValues, Id, Text};
use crate::terms::text::TextMap;

/// A filter of usage; what it leaves out it does not ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Specifier {
    /// Values of presentation groups that the usage must have.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub presentation_group_values: GroupValues,
    /// Values of pricing groups that the usage must have.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub pricing_group_values: GroupValues,
    /// ID of the product that must have been used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<Id>,
    /// Tags that the product must have, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "set"))]
    pub product_tags: Vec<Text>,
}

/// What an override applies to. The fields that name commits and credits narrow a commit-specific override,
/// next to at least one that names products or groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideSpecifier {
    /// Products and groups.
    #[serde(flatten)]
    pub specifier: Specifier,
    /// IDs of commits, credits, recurring commits and recurring credits, or their `temporaryId`, while which
    /// are drawn down the override applies. Only with `isCommitSpecific`, and instead of `commitIds` and
    /// `recurringCommitIds`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "set"))]
    pub any_commit_or_credit_ids: Vec<Id>,
    /// Billing frequency of the subscription rate; with the product, a rate of the rate card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_frequency: Option<BillingFrequency>,
    /// IDs of commits, or their `temporaryId`, while which are drawn down the override applies; all when left
    /// out. Only with `isCommitSpecific`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "set"))]
    pub commit_ids: Vec<Id>,
    /// IDs of recurring commits, or their `temporaryId`, while whose commits are drawn down the override
    /// applies. Only with `isCommitSpecific`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "set"))]
    pub recurring_commit_ids: Vec<Id>,
}
