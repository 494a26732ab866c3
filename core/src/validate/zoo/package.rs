//! House rules of a Zoo package: what is wrong for every contract that could be made from it.

use chrono::DateTime;

use super::{ROOT, check_items, is_currency};
use crate::{
    terms::{
        Timestamp,
        calendar::{RelativeTime, Span},
        zoo::{
            Package, RolloverPolicy,
            expand::MAX_PERIODS,
            package::{GeneratedPeriods, RelativePeriod},
        },
    },
    validate::{Validated, Violation, Violations},
};

/// Checks a package.
///
/// # Errors
/// Every violation.
pub fn package(package: &Package) -> Result<Validated<&Package>, Vec<Violation>> {
    let mut violations = Violations::below(ROOT);
    let (terms, found) = (&package.terms, &mut violations);
    found.check(terms.name.as_ref().is_none_or(|name| !name.trim().is_empty()), "name", || {
        "must not be blank".to_owned()
    });
    if let Some(currency) = &terms.currency {
        found.check(is_currency(currency), "currency", || {
            format!("must be a three-letter ISO 4217 code such as USD, not {currency:?}")
        });
    }
    check_lasting(package.term, "term", found);
    check_items(terms.items.as_deref().unwrap_or_default(), found);
    let count = match (&package.periods, &package.generated_periods) {
        (Some(periods), None) => {
            check_listed(periods, package.term, found);
            u32::try_from(periods.len()).ok()
        }
        (None, Some(periods)) => check_generated(periods, package.term, found),
        _ => {
            found.check(false, "periods", || {
                "must be set, or `generatedPeriods`, and not both; `periods: []` is a package without commitments".to_owned()
            });
            None
        }
    };
    let too_few = terms.rollover_policy == Some(RolloverPolicy::Year1ToYear2Once)
        && count.is_some_and(|count| count < 2);
    found.check(!too_few, "rolloverPolicy", || {
        "may be `year1_to_year2_once` only with at least two periods: add the second, or write `none`"
            .to_owned()
    });
    violations.or(package)
}

/// Periods that are listed follow one another and stay inside the term.
fn check_listed(periods: &[RelativePeriod], term: RelativeTime, found: &mut Violations) {
    let mut before: Option<Span> = None;
    for (index, period) in periods.iter().enumerate() {
        found.within(&format!("periods[{index}]"), |found| {
            check_lasting(period.duration, "duration", found);
            found.not_negative(period.commitment_amount, "commitmentAmount");
            let offset = period.offset.map_or(before.or(Some(Span::default())), RelativeTime::span);
            found.check(before.is_none() || offset == before, "offset", || {
                "must be where the period before ends, in the same unit; leave it out to have just that"
                    .to_owned()
            });
            let end = offset.zip(period.duration.span()).and_then(|(offset, length)| offset.plus(length));
            found.check(fits(end, term.span()), "duration", || {
                format!("must not reach past the end of the term ({term})")
            });
            before = end;
        });
    }
}

/// Periods of one length fill the term whatever day it starts on; the number of them, if that is so.
fn check_generated(periods: &GeneratedPeriods, term: RelativeTime, found: &mut Violations) -> Option<u32> {
    let every = periods.every;
    let count = term.span().zip(every.span()).and_then(|(term, every)| term.divided_by(every));
    found.within("generatedPeriods", |found| {
        let few = count.is_some_and(|count| (1..=MAX_PERIODS).contains(&count));
        found.check(few, "every", || {
            format!(
                "must divide the term ({term}) into 1 to {MAX_PERIODS} periods of the same length, not {every}; or list \
                 `periods`"
            )
        });
        match (periods.commitment_amount, &periods.commitment_amounts) {
            (Some(amount), None) => found.not_negative(amount, "commitmentAmount"),
            (None, Some(amounts)) => {
                let length = u32::try_from(amounts.len()).ok();
                found.check(count.is_none() || length == count, "commitmentAmounts", || {
                    format!("must have one amount a period, {} in all, not {}", count.unwrap_or_default(), amounts.len())
                });
                for (index, amount) in amounts.iter().enumerate() {
                    found.not_negative(*amount, &format!("commitmentAmounts[{index}]"));
                }
            }
            _ => found.check(false, "commitmentAmount", || {
                "must be set, or `commitmentAmounts`, and not both".to_owned()
            }),
        }
    });
    count
}

fn check_lasting(time: RelativeTime, field: &str, found: &mut Violations) {
    found.check(time.value > 0, &format!("{field}.value"), || {
        format!("must be more than 0, not {}", time.value)
    });
}

/// Whether a span ends within another, told from 1970, a year without a leap day.
fn fits(part: Option<Span>, whole: Option<Span>) -> bool {
    let start = Timestamp(DateTime::UNIX_EPOCH);
    part.and_then(|part| part.after(start)) <= whole.and_then(|whole| whole.after(start))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sound() -> Value {
        json!({
            "term": {"unit": "YEARS", "value": 2}, "currency": "USD", "rolloverPolicy": "year1_to_year2_once",
            "generatedPeriods": {"every": {"unit": "MONTHS", "value": 12}, "commitmentAmounts": ["1", "2"]},
            "items": [{"code": "fde", "displayName": "Engineer", "kind": "fixed_fee", "unit": "year", "fixedFeeAmount": "1"}],
        })
    }

    fn listed(periods: Value) -> Value {
        let mut listed = sound();
        listed["periods"] = periods;
        listed.as_object_mut().unwrap().remove("generatedPeriods");
        listed
    }

    fn violations(written: Value) -> Vec<String> {
        let parsed: Package = serde_json::from_value(written).unwrap();
        package(&parsed).err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn refused(written: Value, path: &str, part: &str) {
        let violations = violations(written);
        let hit =
            violations.iter().any(|found| found.starts_with(&format!("`{path}`")) && found.contains(part));
        assert!(hit, "no violation at {path} with {part:?} in {violations:#?}");
    }

    /// The sound package with another value at a JSON pointer.
    fn with(pointer: &str, value: Value) -> Value {
        let mut changed = sound();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    }

    #[test]
    fn a_sound_package_passes() {
        assert_eq!(violations(sound()), [""; 0]);
        let year = json!({"unit": "YEARS", "value": 1});
        let next =
            json!({"offset": year, "duration": {"unit": "MONTHS", "value": 12}, "commitmentAmount": "2"});
        assert_eq!(violations(listed(json!([{"duration": year, "commitmentAmount": "1"}, next]))), [""; 0]);
    }

    #[test]
    fn every_period_is_as_long_as_the_others_whatever_day_the_contract_starts_on() {
        let every =
            |unit: &str, value: i32| with("/generatedPeriods/every", json!({"unit": unit, "value": value}));
        refused(every("DAYS", 365), "spec.zoo.generatedPeriods.every", "same length");
        refused(every("MONTHS", 7), "spec.zoo.generatedPeriods.every", "same length");
        refused(every("YEARS", 3), "spec.zoo.generatedPeriods.every", "same length");
        refused(every("YEARS", 0), "spec.zoo.generatedPeriods.every", "same length");
        let mut daily = with("/term", json!({"unit": "WEEKS", "value": 40}));
        daily["generatedPeriods"] = json!({"every": {"unit": "DAYS", "value": 1}, "commitmentAmount": "1"});
        refused(daily, "spec.zoo.generatedPeriods.every", "240");
    }

    #[test]
    fn amounts_are_as_many_as_the_periods() {
        refused(
            with("/generatedPeriods/commitmentAmounts", json!(["1"])),
            "spec.zoo.generatedPeriods.commitmentAmounts",
            "2 in all, not 1",
        );
        refused(
            with("/generatedPeriods/commitmentAmounts", json!(["1", "-2"])),
            "spec.zoo.generatedPeriods.commitmentAmounts[1]",
            "negative",
        );
        refused(
            with("/generatedPeriods/commitmentAmounts", json!(null)),
            "spec.zoo.generatedPeriods.commitmentAmount",
            "must be set",
        );
    }

    #[test]
    fn listed_periods_follow_one_another_inside_the_term() {
        let year = json!({"unit": "YEARS", "value": 1});
        let gap =
            json!({"offset": {"unit": "DAYS", "value": 365}, "duration": year, "commitmentAmount": "1"});
        let first = json!({"duration": year, "commitmentAmount": "1"});
        refused(listed(json!([first, gap])), "spec.zoo.periods[1].offset", "where the period before ends");
        refused(listed(json!([first, first, first])), "spec.zoo.periods[2].duration", "past the end");
        let empty = json!({"duration": {"unit": "DAYS", "value": 0}, "commitmentAmount": "1"});
        refused(listed(json!([empty])), "spec.zoo.periods[0].duration.value", "more than 0");
        refused(listed(json!([first])), "spec.zoo.rolloverPolicy", "two periods");
        refused(listed(json!(null)), "spec.zoo.periods", "must be set");
    }

    #[test]
    fn what_contracts_share_is_checked_as_in_a_contract() {
        refused(with("/currency", json!("usd")), "spec.zoo.currency", "USD");
        refused(
            with("/items/0/fixedFeeAmount", json!(null)),
            "spec.zoo.items[fde].fixedFeeAmount",
            "required",
        );
        refused(with("/term/value", json!(0)), "spec.zoo.term.value", "more than 0");
    }
}
