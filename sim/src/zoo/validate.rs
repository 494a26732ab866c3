//! What a well-formed contract can still get wrong, as far as Zoo's field descriptions say. Pure.

use super::wire::{BillingContractUpsert, BillingPeriodInput, BillingRateTierInput};

/// Checks what the types can't.
///
/// # Errors
/// The first thing wrong, with its path.
pub(super) fn check(contract: &BillingContractUpsert) -> Result<(), String> {
    let currency = &contract.currency;
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("currency: `{currency}` is not a three-letter ISO currency code"));
    }
    if contract.effective_at >= contract.term_end_at {
        return Err("term_end_at: must be after effective_at".to_owned());
    }
    for (index, item) in contract.items.iter().enumerate() {
        for (tier_index, tier) in item.rate_tiers.iter().enumerate() {
            check_tier(tier).map_err(|wrong| format!("items[{index}].rate_tiers[{tier_index}].{wrong}"))?;
        }
        if item.fixed_fee_amount.as_ref().is_some_and(super::wire::Money::is_negative) {
            return Err(format!("items[{index}].fixed_fee_amount: must not be negative"));
        }
    }
    for (index, period) in contract.periods.iter().enumerate() {
        check_period(period).map_err(|wrong| format!("periods[{index}].{wrong}"))?;
    }
    Ok(())
}

fn check_tier(tier: &BillingRateTierInput) -> Result<(), &'static str> {
    if tier.tier_start_inclusive < 0 {
        return Err("tier_start_inclusive: must not be negative");
    }
    if tier.tier_end_exclusive.is_some_and(|end| end <= tier.tier_start_inclusive) {
        return Err("tier_end_exclusive: must be after tier_start_inclusive");
    }
    if tier.unit_price.is_negative() {
        return Err("unit_price: must not be negative");
    }
    Ok(())
}

fn check_period(period: &BillingPeriodInput) -> Result<(), &'static str> {
    if period.period_index < 0 {
        return Err("period_index: must not be negative");
    }
    if period.period_start_at >= period.period_end_at {
        return Err("period_end_at: must be after period_start_at");
    }
    if period.commitment_amount.is_negative() {
        return Err("commitment_amount: must not be negative");
    }
    Ok(())
}
