//! What goes over Zoo's wire: field names, enums, what may be missing and what may be null. Checks no meaning.

use chrono::{DateTime, Utc};
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// A JSON number, kept as the text it was sent as.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(super) struct Money(Box<RawValue>);

impl Money {
    /// Zero dollars.
    pub(super) fn zero() -> Self {
        Self(RawValue::from_string("0".to_owned()).unwrap_or_default())
    }

    /// Whether it is below zero.
    pub(super) fn is_negative(&self) -> bool {
        let mantissa = self.0.get().split(['e', 'E']).next().unwrap_or_default();
        mantissa.starts_with('-') && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let unexpected = match raw.get().as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => return Ok(Self(raw)),
            Some(b'"') => Unexpected::Str(raw.get().trim_matches('"')),
            Some(b'{') => Unexpected::Map,
            Some(b'[') => Unexpected::Seq,
            Some(b't') => Unexpected::Bool(true),
            Some(b'f') => Unexpected::Bool(false),
            _ => Unexpected::Unit,
        };
        Err(D::Error::invalid_type(unexpected, &"f64"))
    }
}

/// Declares a closed set of words, each spelled on the wire in snake case.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($word:ident),+ $(,)? })+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name { $($word),+ }
    )+ };
}

words! {
    /// How often the customer is billed.
    BillingCadence { Annual, Quarterly, Monthly, Manual }
    /// What a commitment covers.
    BillingCommitmentScope { Pooled, PerItem }
    /// Where a contract is in its life.
    BillingContractStatus { Draft, Scheduled, Active, Closed, Canceled }
    /// Who sends the invoice.
    BillingProvider { Stripe, ManualInvoice }
    /// What happens to an unused commitment.
    BillingRolloverPolicy { None, Year1ToYear2Once }
    /// What is sold.
    BillingItemCode { EnterpriseSupport, Fde, GovcloudManagement, FileIngestionConversion, LicensedApiCredits }
    /// How an item is priced.
    BillingItemKind { FixedFee, UsageTiered, UsageCommitmentBucket }
    /// What is counted.
    BillingUnit { File, Minute, Second, Year, Period }
    /// To what a count is rounded.
    BillingUnitGranularity { Minute, Second }
    /// Whether a period can still change.
    BillingPeriodStatus { Open, Closed }
}

/// The body of PUT.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct BillingContractUpsert {
    pub(super) name: String,
    pub(super) status: BillingContractStatus,
    pub(super) provider: BillingProvider,
    pub(super) billing_cadence: BillingCadence,
    pub(super) commitment_scope: BillingCommitmentScope,
    pub(super) rollover_policy: BillingRolloverPolicy,
    pub(super) currency: String,
    pub(super) effective_at: DateTime<Utc>,
    pub(super) term_end_at: DateTime<Utc>,
    pub(super) items: Vec<BillingContractItemInput>,
    pub(super) periods: Vec<BillingPeriodInput>,
    pub(super) discount_description: Option<String>,
    pub(super) external_customer_id: Option<String>,
    pub(super) notes: Option<String>,
}

/// `items[]` of PUT.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct BillingContractItemInput {
    pub(super) code: BillingItemCode,
    pub(super) display_name: String,
    pub(super) kind: BillingItemKind,
    pub(super) unit: BillingUnit,
    #[serde(default = "yes")]
    pub(super) active: bool,
    #[serde(default)]
    pub(super) is_commitment_eligible: bool,
    #[serde(default)]
    pub(super) rate_tiers: Vec<BillingRateTierInput>,
    pub(super) billing_unit_granularity: Option<BillingUnitGranularity>,
    pub(super) fixed_fee_amount: Option<Money>,
}

fn yes() -> bool {
    true
}

/// `items[].rate_tiers[]` of PUT.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct BillingRateTierInput {
    pub(super) tier_start_inclusive: i64,
    pub(super) tier_end_exclusive: Option<i64>,
    pub(super) unit_price: Money,
}

/// `periods[]` of PUT.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct BillingPeriodInput {
    pub(super) period_index: i32,
    pub(super) period_start_at: DateTime<Utc>,
    pub(super) period_end_at: DateTime<Utc>,
    pub(super) commitment_amount: Money,
    pub(super) rollover_in_amount: Option<Money>,
    pub(super) rollover_out_amount: Option<Money>,
    pub(super) status: Option<BillingPeriodStatus>,
}

/// The answer of PUT and GET; also the form in which a contract is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BillingContractView {
    pub(super) contract_id: Uuid,
    pub(super) account_id: Uuid,
    pub(super) name: String,
    pub(super) status: BillingContractStatus,
    pub(super) provider: BillingProvider,
    pub(super) billing_cadence: BillingCadence,
    pub(super) commitment_scope: BillingCommitmentScope,
    pub(super) rollover_policy: BillingRolloverPolicy,
    pub(super) currency: String,
    pub(super) effective_at: DateTime<Utc>,
    pub(super) term_end_at: DateTime<Utc>,
    pub(super) items: Vec<BillingContractItemView>,
    pub(super) periods: Vec<BillingPeriodView>,
    pub(super) discount_description: Option<String>,
    pub(super) external_customer_id: Option<String>,
    pub(super) notes: Option<String>,
}

/// `items[]` of the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BillingContractItemView {
    pub(super) id: Uuid,
    pub(super) code: BillingItemCode,
    pub(super) display_name: String,
    pub(super) kind: BillingItemKind,
    pub(super) unit: BillingUnit,
    pub(super) active: bool,
    pub(super) is_commitment_eligible: bool,
    pub(super) rate_tiers: Vec<BillingRateTierView>,
    pub(super) billing_unit_granularity: Option<BillingUnitGranularity>,
    pub(super) fixed_fee_amount: Option<Money>,
}

/// `items[].rate_tiers[]` of the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BillingRateTierView {
    pub(super) id: Uuid,
    pub(super) tier_start_inclusive: i64,
    pub(super) tier_end_exclusive: Option<i64>,
    pub(super) unit_price: Money,
}

/// `periods[]` of the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BillingPeriodView {
    pub(super) id: Uuid,
    pub(super) period_index: i32,
    pub(super) period_start_at: DateTime<Utc>,
    pub(super) period_end_at: DateTime<Utc>,
    pub(super) commitment_amount: Money,
    pub(super) rollover_in_amount: Money,
    pub(super) rollover_out_amount: Money,
    pub(super) status: BillingPeriodStatus,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_a_number_and_keeps_its_text() {
        for text in ["0", "-0.10", "1.50e4", "123456789012345678901234567890.000000000000000000001"] {
            let money: Money = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&money).unwrap(), text);
        }
        for (text, found) in [
            ("\"1\"", "string"),
            ("true", "boolean `true`"),
            ("null", "null"),
            ("[1]", "sequence"),
            ("{}", "map"),
        ] {
            let error = serde_json::from_str::<Money>(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("invalid type: {found}")), "{error}");
        }
    }

    #[test]
    fn only_less_than_nothing_is_negative() {
        let negative = |text: &str| serde_json::from_str::<Money>(text).unwrap().is_negative();
        assert!(negative("-0.01") && negative("-1e-3"));
        assert!(!negative("-0") && !negative("-0.00e1") && !negative("0.01") && !negative("1e-3"));
    }
}
