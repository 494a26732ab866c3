//! Rules of the payment that a balance waits for.

use crate::{
    terms::metronome::payment::{PaymentGate, PaymentGateType, StripeGate, StripePaymentType, TaxType},
    validate::Violations,
};

/// Rules of a payment gate; `stripe` is what its Stripe settings say of every gate.
pub(super) fn check_gate<S>(
    gate: &PaymentGate<S>,
    stripe: impl FnOnce(&S) -> &StripeGate,
    found: &mut Violations,
) {
    let by_stripe = gate.payment_gate_type == PaymentGateType::Stripe;
    found.check(gate.stripe_config.is_none() || by_stripe, "stripeConfig", || {
        format!(
            "must be left out when `paymentGateType` is `{}`; only `STRIPE` takes it",
            gate.payment_gate_type
        )
    });
    if let Some(stripe) = gate.stripe_config.as_ref().map(stripe) {
        let by_invoice = stripe.payment_type == StripePaymentType::Invoice;
        found.check(by_invoice || stripe.invoice_metadata.is_empty(), "stripeConfig.invoiceMetadata", || {
            "must be left out when `paymentType` is `PAYMENT_INTENT`; only `INVOICE` takes it".to_owned()
        });
    }
    found.check(gate.tax_type != Some(TaxType::Stripe) || by_stripe, "taxType", || {
        format!("may be `STRIPE` only when `paymentGateType` is `STRIPE`, not `{}`", gate.payment_gate_type)
    });
    let is_precalculated = gate.tax_type == Some(TaxType::Precalculated);
    found.check(
        gate.precalculated_tax_config.is_some() == is_precalculated,
        "precalculatedTaxConfig",
        || {
            let verb = if is_precalculated { "is required" } else { "must be left out" };
            format!("{verb}: it belongs to `taxType: PRECALCULATED`")
        },
    );
}
