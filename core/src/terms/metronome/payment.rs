//! The payment that a balance waits for: who collects it, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GroupValues, Text};
use crate::terms::{Decimal, api_enum::api_enums, decimal::non_negative, text::TextMap};

/// Payment that a balance waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", bound(deserialize = "Stripe: Deserialize<'de>"))]
pub struct PaymentGate<Stripe = StripeGate> {
    /// Who collects it: `STRIPE`, your own integration (`EXTERNAL`), or nobody (`NONE`).
    pub payment_gate_type: PaymentGateType,
    /// Tax that you have worked out, with `taxType: PRECALCULATED` and only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precalculated_tax_config: Option<PrecalculatedTax>,
    /// How Stripe collects, with `paymentGateType: STRIPE` and only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stripe_config: Option<Stripe>,
    /// Who works out the tax: `NONE` (the default), `STRIPE` (only when Stripe collects), `ANROK`, or you
    /// (`PRECALCULATED`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_type: Option<TaxType>,
}

/// Tax that you have worked out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrecalculatedTax {
    /// Amount of tax, in the unit of the commit's invoice (USD: cents).
    #[schemars(schema_with = "non_negative")]
    pub tax_amount: Decimal,
    /// Name of the tax on the invoice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_name: Option<Text>,
}

/// How Stripe collects a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StripeGate {
    /// By a Stripe `INVOICE` or a `PAYMENT_INTENT`.
    pub payment_type: StripePaymentType,
    /// Metadata of the Stripe invoice, with `INVOICE` and only then.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub invoice_metadata: GroupValues,
}

/// How Stripe collects the payment for a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitStripeGate {
    /// How, and with which metadata.
    #[serde(flatten)]
    pub stripe: StripeGate,
    /// Whether the payer is there to confirm the payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_session_payment: Option<bool>,
}

api_enums! { "SCREAMING_SNAKE_CASE"
    /// Who collects the payment that a balance waits for.
    PaymentGateType {
        /// Nobody.
        None,
        /// Stripe.
        Stripe,
        /// Your own integration.
        External,
    }

    /// Who works out tax.
    TaxType {
        /// Nobody.
        None,
        /// Stripe.
        Stripe,
        /// Anrok.
        Anrok,
        /// You.
        Precalculated,
    }

    /// How Stripe collects.
    StripePaymentType {
        /// By invoice.
        Invoice,
        /// By payment intent.
        PaymentIntent,
    }
}
