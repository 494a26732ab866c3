//! A package: the terms of many contracts, with times relative to each contract's start.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SharedTerms;
use crate::terms::{Decimal, Digest, Shape, calendar::RelativeTime, decimal::non_negative, shape::Spelling};

static SHAPE: LazyLock<Shape> = LazyLock::new(Shape::of::<Package>);

/// Terms that many Zoo contracts share. What a contract sets itself wins; a list that it sets takes the place of the
/// package's whole list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "has(self.periods) != has(self.generatedPeriods)",
     "message": "exactly one of `periods` and `generatedPeriods` must be set; `periods: []` is a package without commitments"}]))]
pub struct Package {
    /// How long a contract lasts from its `effectiveAt`. Days of the month that a month lacks become its last day.
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self.value > 0", "message": "must be more than 0", "fieldPath": ".value"}]))]
    pub term: RelativeTime,
    /// Commitment periods, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 240), extend("x-kubernetes-list-type" = "atomic"))]
    pub periods: Option<Vec<RelativePeriod>>,
    /// Commitment periods of one length that fill the term exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated_periods: Option<GeneratedPeriods>,
    /// What a contract can say as well.
    #[serde(flatten)]
    pub terms: SharedTerms,
}

/// One commitment period of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RelativePeriod {
    /// Start, from the contract's start; where the period before ends when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<RelativeTime>,
    /// Length. The end is reckoned from the contract's start too: the offset and the length together.
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self.value > 0", "message": "must be more than 0", "fieldPath": ".value"}]))]
    pub duration: RelativeTime,
    /// Amount that the customer commits to, in the contract's currency.
    #[schemars(schema_with = "non_negative")]
    pub commitment_amount: Decimal,
}

/// Commitment periods of one length, as many as the term has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "has(self.commitmentAmount) != has(self.commitmentAmounts)",
     "message": "exactly one of `commitmentAmount` and `commitmentAmounts` must be set"}]))]
pub struct GeneratedPeriods {
    /// Length of each period: `{unit: MONTHS, value: 3}` makes one each quarter.
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self.value > 0", "message": "must be more than 0", "fieldPath": ".value"}]))]
    pub every: RelativeTime,
    /// Amount that the customer commits to in each period, in the contract's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub commitment_amount: Option<Decimal>,
    /// Amounts that the customer commits to, one a period and in order, in the contract's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 240), inner(length(max = 30), regex(pattern = r"^(0|[1-9][0-9]{0,27})(\.[0-9]{1,27})?$")), extend("x-kubernetes-list-type" = "atomic"))]
    pub commitment_amounts: Option<Vec<Decimal>>,
}

impl Package {
    /// Digest of what the package says, however it is written.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let written = serde_json::to_value(self).unwrap_or_default();
        Digest::of(&SHAPE.canonical(&written, Spelling::Spec).unwrap_or(written))
    }
}
