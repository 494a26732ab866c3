//! What plans do to the money that the customer owes.

use super::*;
use crate::plan::{FixedKind, MoneyEffect, OpenCause};

/// Fixed money that changes: kind, unit, year, before, after.
fn changed(effect: &MoneyEffect) -> Vec<String> {
    let fixed = effect.fixed.iter().filter(|fixed| fixed.is_changed());
    let text = |fixed: &crate::plan::Fixed| {
        let kind = match fixed.kind {
            FixedKind::Commitment => "commitment",
            FixedKind::Fee => "fee",
            FixedKind::Discount => "discount",
        };
        let (before, after) = (fixed.before.unwrap(), fixed.after.unwrap());
        format!("{kind} year {:?}: {before} -> {after} {}", fixed.year, fixed.unit.label())
    };
    fixed.map(text).collect()
}

fn causes(effect: &MoneyEffect) -> Vec<(String, OpenCause)> {
    effect.open.iter().map(|open| (open.path.clone(), open.cause)).collect()
}

fn monthly() -> Value {
    json!([{"key": "monthly", "productId": fixture::OTHER, "startingAt": "2026-01-01T00:00:00Z", "priority": "10",
        "recurrenceFrequency": "MONTHLY", "commitDuration": {"value": "1"},
        "accessAmount": {"unitPrice": "100", "quantity": "50"},
        "invoiceAmount": {"creditTypeId": crate::plan::USD_CENTS, "unitPrice": "100", "quantity": "50"}}])
}

#[test]
fn a_recurring_commit_that_is_taken_out_is_owed_until_it_ends() {
    let spec = with(&fixture::plain(), "/recurringCommits", monthly());
    let bench = Bench::created(&spec);
    let effect = written(bench.decide(&fixture::plain())).effect;
    // It ends on June 1: five whole periods are left of twelve, and what June costs is the API's to say.
    assert_eq!(changed(&effect), ["commitment year Some(1): 180000 -> 145000 USD"]);
    let part = ("/recurringCommits/monthly".to_owned(), OpenCause::PartOfPeriod);
    assert_eq!(causes(&effect), [part]);
}

#[test]
fn a_recurring_commit_is_owed_once_in_each_of_its_periods() {
    for (frequency, sum, open) in [
        ("DAILY", "1945000", &[][..]),
        // Of the last week, one day is in the term, and what that costs is the API's to say.
        ("WEEKLY", "380000", &[OpenCause::PartOfPeriod]),
        ("MONTHLY", "180000", &[]),
        ("QUARTERLY", "140000", &[]),
        ("ANNUAL", "125000", &[]),
    ] {
        let spec = with(&fixture::plain(), "/recurringCommits", monthly());
        let spec = with(&spec, "/recurringCommits/0/recurrenceFrequency", json!(frequency));
        let effect = written(Bench::default().decide(&spec)).effect;
        let expected = format!("commitment year Some(1): 0 -> {sum} USD");
        assert!(changed(&effect).contains(&expected), "{frequency}: {effect:?}");
        let causes = causes(&effect).into_iter().filter(|(path, _)| path.starts_with("/recurringCommits"));
        assert_eq!(causes.map(|(_, cause)| cause).collect::<Vec<_>>(), open, "{frequency}");
    }
}

#[test]
fn a_new_end_takes_out_what_is_due_after_it() {
    let later = json!([{"timestamp": "2026-01-01T00:00:00Z", "amount": "1000"},
                       {"timestamp": "2026-11-01T00:00:00Z", "amount": "2000"}]);
    let spec = with(&fixture::plain(), "/scheduledCharges/0/schedule/scheduleItems", later);
    let bench = Bench::created(&spec);
    let kept = json!([{"timestamp": "2026-01-01T00:00:00Z", "amount": "1000"}]);
    let sooner = with(&spec, "/endingBefore", json!("2026-10-01T00:00:00Z"));
    let sooner = with(&sooner, "/scheduledCharges/0/schedule/scheduleItems", kept);
    let effect = written(bench.decide(&sooner)).effect;
    assert!(changed(&effect).contains(&"fee year Some(1): 3000 -> 1000 USD".to_owned()), "{effect:?}");
}

#[test]
fn a_contract_from_a_package_says_that_the_package_has_terms() {
    let desired = desired(&fixture::from_package());
    let Decision::Write(plan) = Bench::default().decide_for(&desired) else { panic!("not written") };
    assert!(plan.effect.open.iter().any(|open| open.cause == OpenCause::Package), "{:?}", plan.effect);
}

#[test]
fn a_changed_price_is_open_and_a_changed_name_is_none() {
    let bench = Bench::created(&fixture::plain());
    let effect =
        written(bench.decide(&with(&fixture::plain(), "/overrides/0/multiplier", json!("0.7")))).effect;
    assert_eq!(changed(&effect), Vec::<String>::new());
    let factors: Vec<_> =
        effect.open.iter().map(|open| (open.before, open.after, open.unit.clone())).collect();
    let factor = |digits: &str| digits.parse().ok();
    assert!(factors.contains(&(factor("0.8"), None, None)), "{factors:?}");
    assert!(factors.contains(&(None, factor("0.7"), None)), "{factors:?}");
    let named = written(bench.decide(&with(&fixture::plain(), "/commits/0/name", json!("Another"))));
    assert!(named.effect.is_none(), "{:?}", named.effect);
}

#[test]
fn an_ignored_place_changes_no_money() {
    let mut bench = Bench::created(&fixture::plain());
    bench.policy.ignore = vec!["/commits/launch/invoiceSchedule".into()];
    let more = json!([{"timestamp": "2026-01-01T00:00:00Z", "amount": "990000"}]);
    let spec = with(&fixture::plain(), "/commits/0/invoiceSchedule/scheduleItems", more);
    let plan = written(bench.decide(&with(&spec, "/name", json!("Another"))));
    assert!(plan.effect.is_none(), "{:?}", plan.effect);
}

#[test]
fn every_contract_that_is_made_and_changed_adds_up() {
    for spec in fixture::all() {
        let (mut bench, desired) = (Bench::default(), fields::meant(&spec).unwrap());
        let Decision::Write(plan) = bench.decide_for(&desired) else { panic!("{spec}") };
        assert!(plan.effect.totals().iter().all(|sum| sum.difference().is_some()), "{:?}", plan.effect);
        bench.settle_for(&desired);
    }
}
