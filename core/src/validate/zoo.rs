//! House rules of a Zoo contract that neither its schema nor, as far as is known, Zoo itself checks.

mod package;

pub use package::package;

use super::{Validated, Violation, Violations};
use crate::terms::zoo::{
    self, Contract, Item, ItemKind, Package, PartialContract, Period, RateTier, RolloverPolicy, Unit,
};

/// Where the terms are in the resource.
const ROOT: &str = "spec.zoo";

/// Completes a contract with the terms of its package, if it has one, and checks it.
///
/// # Errors
/// Every violation: what is missing, or else what is wrong, in the order of the fields.
pub fn contract(
    written: &PartialContract,
    package: Option<&Package>,
) -> Result<Validated<Contract>, Vec<Violation>> {
    let gap = |gap: zoo::Gap| Violation::new(format!("{ROOT}.{}", gap.field), gap.message);
    let whole =
        zoo::expand(written, package).map_err(|gaps| gaps.into_iter().map(gap).collect::<Vec<_>>())?;
    complete(whole).map_err(|mut violations| {
        let own = serde_json::to_value(written).unwrap_or_default();
        for violation in &mut violations {
            let field = violation.path.strip_prefix(ROOT).and_then(|path| path.split(['.', '[']).nth(1));
            if field.is_some_and(|field| own.get(field).is_none()) {
                violation.message.push_str("; it comes from the package");
            }
        }
        violations
    })
}

/// Checks a complete contract.
///
/// # Errors
/// Every violation, in the order of the fields.
pub fn complete(contract: Contract) -> Result<Validated<Contract>, Vec<Violation>> {
    let mut found = Violations::below(ROOT);
    found.check(!contract.name.trim().is_empty(), "name", || "must not be blank".to_owned());
    found.check(is_uuid(&contract.organization_id), "organizationId", || {
        format!("must be a UUID in lower case, not {:?}", contract.organization_id)
    });
    found.check(is_currency(&contract.currency), "currency", || {
        format!("must be a three-letter ISO 4217 code such as USD, not {:?}", contract.currency)
    });
    found.check(contract.effective_at < contract.term_end_at, "termEndAt", || {
        format!("must be after `effectiveAt` ({}), not {}", contract.effective_at, contract.term_end_at)
    });
    found.check(
        contract.rollover_policy == RolloverPolicy::None || contract.periods.len() >= 2,
        "rolloverPolicy",
        || {
            "may be `year1_to_year2_once` only with at least two periods: add the second, or write `none`"
                .to_owned()
        },
    );
    check_items(&contract.items, &mut found);
    check_periods(&contract, &mut found);
    found.or(contract)
}

fn check_items(items: &[Item], found: &mut Violations) {
    for (index, item) in items.iter().enumerate() {
        let code = item.code;
        let repeated = items.iter().take(index).any(|earlier| earlier.code == item.code);
        found.check(!repeated, &format!("items[{code}].code"), || {
            format!("is used twice; a contract has one item `{code}`")
        });
        found.within(&format!("items[{code}]"), |found| check_item(item, found));
    }
}

fn check_item(item: &Item, found: &mut Violations) {
    found.check(!item.display_name.trim().is_empty(), "displayName", || "must not be blank".to_owned());
    if item.kind == ItemKind::FixedFee {
        found.check(item.fixed_fee_amount.is_some(), "fixedFeeAmount", || {
            "is required when `kind` is `fixed_fee`".to_owned()
        });
        found.check(item.rate_tiers.is_empty(), "rateTiers", || {
            "must be left out when `kind` is `fixed_fee`: a fixed fee has no price by quantity".to_owned()
        });
    } else {
        let kind = item.kind;
        found.check(item.fixed_fee_amount.is_none(), "fixedFeeAmount", || {
            format!("must be left out when `kind` is `{kind}`; only `fixed_fee` takes it")
        });
        found.check(!item.rate_tiers.is_empty(), "rateTiers", || {
            format!("is required when `kind` is `{kind}`: write at least one tier, {{tierStartInclusive: 0, unitPrice: \"…\"}}")
        });
    }
    if let Some(amount) = item.fixed_fee_amount {
        found.not_negative(amount, "fixedFeeAmount");
    }
    let is_time = matches!(item.unit, Unit::Minute | Unit::Second);
    found.check(item.billing_unit_granularity.is_none() || is_time, "billingUnitGranularity", || {
        format!("may be set only when `unit` is `minute` or `second`, not `{}`", item.unit)
    });
    check_tiers(&item.rate_tiers, found);
}

/// Tiers must cover every quantity from 0 exactly once, in order.
fn check_tiers(tiers: &[RateTier], found: &mut Violations) {
    let mut expected_start = Some(0);
    for (index, tier) in tiers.iter().enumerate() {
        let is_last = index + 1 == tiers.len();
        found.within(&format!("rateTiers[{index}]"), |found| {
            match expected_start {
                Some(expected) => found.check(tier.tier_start_inclusive == expected, "tierStartInclusive", || {
                    format!(
                        "must be {expected}, {}, not {}",
                        if index == 0 { "since the first tier starts at 0" } else { "where the tier before ends" },
                        tier.tier_start_inclusive
                    )
                }),
                None => found.check(false, "tierStartInclusive", || {
                    format!(
                        "must come before the open-ended tier: only the last tier may leave out `tierEndExclusive`, and this one starts at {}",
                        tier.tier_start_inclusive
                    )
                }),
            }
            if let Some(end) = tier.tier_end_exclusive {
                found.check(end > tier.tier_start_inclusive, "tierEndExclusive", || {
                    format!("must be more than `tierStartInclusive` ({}), not {end}", tier.tier_start_inclusive)
                });
                found.check(!is_last, "tierEndExclusive", || {
                    format!("must be left out in the last tier, or use from {end} on has no price")
                });
            }
            found.not_negative(tier.unit_price, "unitPrice");
        });
        expected_start = tier.tier_end_exclusive;
    }
}

/// Periods must be numbered from 0 in order, each start where the one before ends, and stay inside the term.
fn check_periods(contract: &Contract, found: &mut Violations) {
    let mut before: Option<&Period> = None;
    for (position, period) in contract.periods.iter().enumerate() {
        found.within(&format!("periods[{}]", period.period_index), |found| {
            found.check(usize::try_from(period.period_index) == Ok(position), "periodIndex", || {
                format!("must be {position}: periods are numbered from 0, in order, none left out")
            });
            found.check(period.period_start_at < period.period_end_at, "periodEndAt", || {
                format!(
                    "must be after `periodStartAt` ({}), not {}",
                    period.period_start_at, period.period_end_at
                )
            });
            let (earliest, why) = match before {
                Some(before) => (before.period_end_at, "where the period before ends"),
                None => (
                    period.period_start_at.max(contract.effective_at),
                    "the contract's `effectiveAt`, or later",
                ),
            };
            found.check(period.period_start_at == earliest, "periodStartAt", || {
                format!("must be {earliest}, {why}, not {}", period.period_start_at)
            });
            found.check(period.period_end_at <= contract.term_end_at, "periodEndAt", || {
                format!(
                    "must not be after the contract's `termEndAt` ({}), but is {}",
                    contract.term_end_at, period.period_end_at
                )
            });
            found.not_negative(period.commitment_amount, "commitmentAmount");
            for (amount, name) in [
                (period.rollover_in_amount, "rolloverInAmount"),
                (period.rollover_out_amount, "rolloverOutAmount"),
            ] {
                if let Some(amount) = amount {
                    found.not_negative(amount, name);
                }
            }
        });
        before = Some(period);
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok_and(|uuid| uuid.to_string() == text)
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|letter| letter.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn valid() -> Value {
        json!({
            "organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "name": "Acme 2026", "status": "active",
            "provider": "stripe", "billingCadence": "annual", "commitmentScope": "pooled",
            "rolloverPolicy": "none", "currency": "USD",
            "effectiveAt": "2026-01-01T00:00:00Z", "termEndAt": "2028-01-01T00:00:00Z",
            "items": [
                {"code": "licensed_api_credits", "displayName": "API credits", "kind": "usage_tiered", "unit": "minute",
                 "billingUnitGranularity": "minute",
                 "rateTiers": [{"tierStartInclusive": 0, "tierEndExclusive": 100, "unitPrice": "0.50"},
                               {"tierStartInclusive": 100, "unitPrice": "0.42"}]},
                {"code": "fde", "displayName": "Engineer", "kind": "fixed_fee", "unit": "year", "fixedFeeAmount": "1"},
            ],
            "periods": [
                {"periodIndex": 0, "periodStartAt": "2026-01-01T00:00:00Z", "periodEndAt": "2027-01-01T00:00:00Z", "commitmentAmount": "1"},
                {"periodIndex": 1, "periodStartAt": "2027-01-01T00:00:00Z", "periodEndAt": "2028-01-01T00:00:00Z", "commitmentAmount": "2"},
            ],
        })
    }

    /// The violations of the valid contract after one change at a JSON pointer.
    fn after(pointer: &str, value: Value) -> Vec<String> {
        let mut changed = valid();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        match changed.pointer_mut(parent).unwrap() {
            Value::Object(parent) => {
                parent.insert(member.to_owned(), value);
            }
            parent => parent[member.parse::<usize>().unwrap()] = value,
        }
        let parsed: Contract = serde_json::from_value(changed).unwrap();
        complete(parsed).err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn refused(pointer: &str, value: Value, path: &str, part: &str) {
        let violations = after(pointer, value);
        let hit = violations
            .iter()
            .any(|violation| violation.starts_with(&format!("`{path}`")) && violation.contains(part));
        assert!(hit, "no violation at {path} with {part:?} in {violations:#?}");
    }

    #[test]
    fn a_sound_contract_passes() {
        assert!(complete(serde_json::from_value(valid()).unwrap()).is_ok());
    }

    #[test]
    fn a_reversed_term_is_refused() {
        refused("/termEndAt", json!("2025-01-01T00:00:00Z"), "spec.zoo.termEndAt", "must be after");
    }

    #[test]
    fn names_and_codes_must_be_well_formed() {
        refused("/name", json!(" "), "spec.zoo.name", "blank");
        refused(
            "/items/0/displayName",
            json!(""),
            "spec.zoo.items[licensed_api_credits].displayName",
            "blank",
        );
        refused("/currency", json!("usd"), "spec.zoo.currency", "USD");
        refused("/organizationId", json!("acme"), "spec.zoo.organizationId", "UUID");
    }

    #[test]
    fn an_item_code_is_used_once() {
        refused(
            "/items/1/code",
            json!("licensed_api_credits"),
            "spec.zoo.items[licensed_api_credits].code",
            "twice",
        );
    }

    #[test]
    fn tiers_leave_no_gap_and_no_overlap() {
        let tiers = "spec.zoo.items[licensed_api_credits].rateTiers";
        refused(
            "/items/0/rateTiers/1/tierStartInclusive",
            json!(101),
            &format!("{tiers}[1].tierStartInclusive"),
            "must be 100",
        );
        refused(
            "/items/0/rateTiers/1/tierStartInclusive",
            json!(99),
            &format!("{tiers}[1].tierStartInclusive"),
            "must be 100",
        );
        refused(
            "/items/0/rateTiers/0/tierStartInclusive",
            json!(1),
            &format!("{tiers}[0].tierStartInclusive"),
            "must be 0",
        );
        refused(
            "/items/0/rateTiers/0/tierEndExclusive",
            json!(0),
            &format!("{tiers}[0].tierEndExclusive"),
            "more than",
        );
    }

    #[test]
    fn only_the_last_tier_is_open_ended() {
        let tiers = "spec.zoo.items[licensed_api_credits].rateTiers";
        refused(
            "/items/0/rateTiers/1/tierEndExclusive",
            json!(200),
            &format!("{tiers}[1].tierEndExclusive"),
            "last tier",
        );
        refused(
            "/items/0/rateTiers/0",
            json!({"tierStartInclusive": 0, "unitPrice": "1"}),
            &format!("{tiers}[1].tierStartInclusive"),
            "open-ended",
        );
    }

    #[test]
    fn each_kind_takes_its_own_price() {
        refused(
            "/items/0/rateTiers",
            json!([]),
            "spec.zoo.items[licensed_api_credits].rateTiers",
            "required",
        );
        refused(
            "/items/0/fixedFeeAmount",
            json!("1"),
            "spec.zoo.items[licensed_api_credits].fixedFeeAmount",
            "left out",
        );
        refused("/items/1/fixedFeeAmount", json!(null), "spec.zoo.items[fde].fixedFeeAmount", "required");
        refused(
            "/items/1/rateTiers",
            json!([{"tierStartInclusive": 0, "unitPrice": "1"}]),
            "spec.zoo.items[fde].rateTiers",
            "left out",
        );
        refused(
            "/items/1/billingUnitGranularity",
            json!("minute"),
            "spec.zoo.items[fde].billingUnitGranularity",
            "minute",
        );
    }

    #[test]
    fn amounts_are_not_negative() {
        refused(
            "/items/0/rateTiers/0/unitPrice",
            json!("-0.01"),
            "spec.zoo.items[licensed_api_credits].rateTiers[0].unitPrice",
            "negative",
        );
        refused("/items/1/fixedFeeAmount", json!("-1"), "spec.zoo.items[fde].fixedFeeAmount", "negative");
        refused(
            "/periods/0/commitmentAmount",
            json!("-1"),
            "spec.zoo.periods[0].commitmentAmount",
            "negative",
        );
        refused(
            "/periods/0/rolloverInAmount",
            json!("-1"),
            "spec.zoo.periods[0].rolloverInAmount",
            "negative",
        );
        refused(
            "/periods/0/rolloverOutAmount",
            json!("-1"),
            "spec.zoo.periods[0].rolloverOutAmount",
            "negative",
        );
    }

    #[test]
    fn periods_are_contiguous_and_inside_the_term() {
        refused(
            "/periods/1/periodStartAt",
            json!("2027-02-01T00:00:00Z"),
            "spec.zoo.periods[1].periodStartAt",
            "where the period before ends",
        );
        refused(
            "/periods/0/periodStartAt",
            json!("2025-01-01T00:00:00Z"),
            "spec.zoo.periods[0].periodStartAt",
            "effectiveAt",
        );
        refused(
            "/periods/1/periodEndAt",
            json!("2029-01-01T00:00:00Z"),
            "spec.zoo.periods[1].periodEndAt",
            "termEndAt",
        );
        refused(
            "/periods/1/periodEndAt",
            json!("2027-01-01T00:00:00Z"),
            "spec.zoo.periods[1].periodEndAt",
            "must be after",
        );
        refused("/periods/1/periodIndex", json!(2), "spec.zoo.periods[2].periodIndex", "must be 1");
    }

    #[test]
    fn rollover_needs_two_periods() {
        let mut short = valid();
        short["rolloverPolicy"] = json!("year1_to_year2_once");
        assert!(complete(serde_json::from_value(short.clone()).unwrap()).is_ok());
        short["periods"].as_array_mut().unwrap().truncate(1);
        let violations = complete(serde_json::from_value(short).unwrap()).unwrap_err();
        assert_eq!(violations.first().unwrap().path, "spec.zoo.rolloverPolicy");
    }

    #[test]
    fn every_violation_is_found_at_once() {
        let mut wrong = valid();
        wrong["name"] = json!("");
        wrong["items"][1]["fixedFeeAmount"] = json!("-1");
        wrong["periods"][0]["commitmentAmount"] = json!("-1");
        assert_eq!(complete(serde_json::from_value(wrong).unwrap()).unwrap_err().len(), 3);
    }
}
