//! Overrides: prices and entitlements that differ from the rate card.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Id, Text, commits::RateType, free_form, selectors::OverrideSpecifier};
use crate::terms::{Decimal, Timestamp, api_enum::api_enums, decimal::non_negative};

/// What an override changes, in a contract or a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideTerms {
    /// Whether the customer may use the product at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitled: Option<bool>,
    /// Whether the override applies only while commits and credits are drawn down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_commit_specific: Option<bool>,
    /// Factor on the list price, for `MULTIPLIER`: `0.8` is 20 % off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub multiplier: Option<Decimal>,
    /// The rate instead of the rate card's, for `OVERWRITE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overwrite_rate: Option<OverwriteRate>,
    /// Order among multipliers and tiered overrides, the lowest first; more than 0. Required for `TIERED`,
    /// and for `MULTIPLIER` when the contract's `multiplierOverridePrioritization` is `EXPLICIT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Decimal>,
    /// Whether commit rates or list rates (the default) are changed. Only with `isCommitSpecific`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<RateType>,
    /// Factors by quantity, for `TIERED`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub tiers: Vec<OverrideTier>,
    /// `OVERWRITE` replaces the rate, `MULTIPLIER` multiplies it, `TIERED` multiplies it by quantity.
    /// Overwrites go first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<OverrideType>,
}

/// A price or an entitlement that differs from the rate card for some time. Overrides have no key: the API
/// cannot change one and returns nothing of yours on it, so they are matched by what they say. A changed
/// override is a removed and an added one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// What changes.
    #[serde(flatten)]
    pub terms: OverrideTerms,
    /// First moment in which it applies; a full hour.
    pub starting_at: Timestamp,
    /// Moment from which it no longer applies; a full hour. The contract's end when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_before: Option<Timestamp>,
    /// Tags of the products that it applies to. Not together with `overrideSpecifiers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "set"))]
    pub applicable_product_tags: Vec<Text>,
    /// What it applies to. Not together with `productId` or `applicableProductTags`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub override_specifiers: Vec<OverrideSpecifier>,
    /// ID of the product that it applies to. Not together with `overrideSpecifiers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<Id>,
}

/// A rate instead of the rate card's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverwriteRate {
    /// `FLAT`, `PERCENTAGE` and `SUBSCRIPTION` have a `price`, `TIERED` and `TIERED_PERCENTAGE` have `tiers`,
    /// `CUSTOM` has a `customRate`.
    pub rate_type: OverwriteRateType,
    /// ID of the pricing unit of the prices; USD in cents when left out. Other fiat units count whole units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_type_id: Option<Id>,
    /// Input of a custom rate processor, for `CUSTOM`. Numbers in it are sent as your YAML has them, to the
    /// precision of a float.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "free_form")]
    pub custom_rate: Map<String, Value>,
    /// Whether a part of a period costs a part of the price. Only for `SUBSCRIPTION`, where it must be true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_prorated: Option<bool>,
    /// Price of one unit in the unit of the credit type (USD: cents); for `PERCENTAGE` a share from 0 to 1,
    /// where `0.1` is 10 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub price: Option<Decimal>,
    /// Quantity, for `SUBSCRIPTION`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub quantity: Option<Decimal>,
    /// Prices by quantity, for `TIERED` and `TIERED_PERCENTAGE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub tiers: Vec<RateTier>,
}

/// A price for a range of quantities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateTier {
    /// Price of one unit in the unit of the credit type (USD: cents); a share in percentage tiers.
    #[schemars(schema_with = "non_negative")]
    pub price: Decimal,
    /// How many units the tier covers; left out in the last tier, which is open-ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub size: Option<Decimal>,
}

/// A factor for a range of quantities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideTier {
    /// Factor on the list price.
    #[schemars(schema_with = "non_negative")]
    pub multiplier: Decimal,
    /// How many units the tier covers; left out in the last tier, which is open-ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub size: Option<Decimal>,
}

api_enums! { "SCREAMING_SNAKE_CASE"
    /// How an override changes a rate.
    OverrideType {
        /// Replaces it.
        Overwrite,
        /// Multiplies it.
        Multiplier,
        /// Multiplies it by quantity.
        Tiered,
    }

    /// Kinds of rate.
    OverwriteRateType {
        /// A price for each unit.
        Flat,
        /// A share of spend.
        Percentage,
        /// A price for each period.
        Subscription,
        /// Prices by quantity.
        Tiered,
        /// Shares by amount.
        TieredPercentage,
        /// Whatever a custom rate processor makes of its input.
        Custom,
    }
}
