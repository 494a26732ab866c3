use serde_json::json;

use super::*;
use crate::{
    api::contract::ManagementPolicy,
    plan::{Change, Decision, Demands, Fixed, MoneyEffect, Open, Policy, Recorded, USD_CENTS, Unit},
};

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn usd() -> Unit {
    Unit::Currency("USD".to_owned())
}

fn fixed(kind: FixedKind, unit: Unit, before: &str, after: &str) -> Fixed {
    Fixed { kind, unit, year: Some(1), before: Some(decimal(before)), after: Some(decimal(after)) }
}

fn plan(changes: Vec<Change>, fixed: Vec<Fixed>, open: Vec<Open>) -> Plan {
    Plan::new(&json!(1), &json!(2), changes, MoneyEffect { fixed, open, ..MoneyEffect::default() }, vec![])
}

fn most(limit: &str) -> Guardrails {
    Guardrails { max_committed: Some(decimal(limit)), ..Guardrails::default() }
}

fn percent_at_most(limit: &str) -> Guardrails {
    Guardrails { max_price_change_percent: Some(decimal(limit)), ..Guardrails::default() }
}

#[test]
fn what_is_committed_is_held_against_the_limit_in_whole_units_where_it_is_raised() {
    use FixedKind::{Commitment, Fee};
    let cents = || Unit::PricingUnit { id: USD_CENTS.to_owned(), name: None };
    for (sums, is_beyond) in [
        (vec![fixed(Commitment, usd(), "0", "500000")], false),
        (vec![fixed(Commitment, usd(), "0", "500000.01")], true),
        (vec![fixed(Commitment, usd(), "0", "300000"), fixed(Commitment, usd(), "0", "300000")], true),
        (vec![fixed(Commitment, cents(), "0", "50000000")], false),
        (vec![fixed(Commitment, cents(), "0", "50000001")], true),
        (vec![fixed(Commitment, usd(), "900000", "900000")], false),
        (vec![fixed(Commitment, usd(), "900000", "800000")], false),
        (vec![fixed(Commitment, usd(), "900000", "900001")], true),
        (vec![fixed(Fee, usd(), "0", "900000")], false),
        (vec![Fixed { after: None, ..fixed(Commitment, usd(), "0", "0") }], true),
    ] {
        let found = most("500000").beyond(&plan(vec![], sums.clone(), vec![]));
        assert_eq!(!found.is_empty(), is_beyond, "{sums:?}: {found:?}");
    }
    let sums = vec![fixed(Commitment, cents(), "0", "90000000")];
    let found = most("500000").beyond(&plan(vec![], sums, vec![]));
    for words in ["900000.00 USD", "maxCommitted of 500000"] {
        assert!(found[0].contains(words), "{found:?}");
    }
}

#[test]
fn a_commitment_without_a_sum_is_beyond_every_limit() {
    let open =
        |path: &str, cause| Open { path: path.to_owned(), cause, unit: None, before: None, after: None };
    for (path, cause, is_beyond) in [
        ("/recurringCommits/support", OpenCause::NoEnd, true),
        ("/packageId", OpenCause::Package, true),
        ("/items/fde", OpenCause::NoEnd, false),
        ("/items/credits/rateTiers/0/unitPrice", OpenCause::Usage, false),
    ] {
        let found = most("500000").beyond(&plan(vec![], vec![], vec![open(path, cause)]));
        assert_eq!(!found.is_empty(), is_beyond, "{path}: {found:?}");
    }
}

#[test]
fn what_dollars_have_no_digits_for_is_held_against_the_limit_all_the_same() {
    let cents = Unit::PricingUnit { id: crate::plan::USD_CENTS.to_owned(), name: None };
    for (after, is_beyond) in [("0.000000000000000000000000001", false), ("120000000", true)] {
        let fixed = fixed(FixedKind::Commitment, cents.clone(), "0", after);
        let found = most("500000").beyond(&plan(vec![], vec![fixed], vec![]));
        assert_eq!(!found.is_empty(), is_beyond, "{after}: {found:?}");
    }
}

#[test]
fn a_price_may_move_by_so_many_percent_of_what_it_was() {
    for (before, after, is_beyond) in [
        ("0.50", "0.60", false),
        ("0.50", "0.40", false),
        ("0.50", "0.601", true),
        ("0.50", "0.39", true),
        ("0.50", "0", true),
        ("0", "0.01", true),
        ("0", "0.00", false),
        ("0.50", "0.500", false),
        ("-10", "-11", false),
        ("-10", "10", true),
    ] {
        let change =
            Change::new("/items/credits/rateTiers/0/unitPrice", Some(json!(before)), Some(json!(after)));
        let found = percent_at_most("20").beyond(&plan(vec![change], vec![], vec![]));
        assert_eq!(!found.is_empty(), is_beyond, "{before} -> {after}: {found:?}");
    }
}

#[test]
fn prices_are_found_in_lists_and_in_what_has_no_sum_and_other_numbers_are_none() {
    let tiers = |price: &str| json!([{"tierStartInclusive": "0", "unitPrice": price}]);
    let within = |path: &str, from: Value, to: Value| Change::new(path, Some(from), Some(to));
    let beyond = |changes, open| percent_at_most("20").beyond(&plan(changes, vec![], open));
    assert_eq!(beyond(vec![within("/items/a/rateTiers", tiers("1"), tiers("2"))], vec![]).len(), 1);
    assert_eq!(beyond(vec![within("/items/a/fixedFeeAmount", json!("1"), json!("2"))], vec![]).len(), 1);
    assert_eq!(beyond(vec![within("/periods/0/commitmentAmount", json!("1"), json!("9"))], vec![]), [""; 0]);
    assert_eq!(beyond(vec![Change::added("/items/b/unitPrice", json!("9"))], vec![]), [""; 0]);
    let open = Open {
        path: "/overrides/0/multiplier".to_owned(),
        cause: OpenCause::Usage,
        unit: None,
        before: Some(decimal("1")),
        after: Some(decimal("0.5")),
    };
    let found = beyond(vec![], vec![open]);
    for words in ["/overrides/0/multiplier", "from 1 to 0.5", "by 50 percent", "maxPriceChangePercent of 20"]
    {
        assert!(found[0].contains(words), "{found:?}");
    }
}

#[test]
fn of_many_prices_the_first_are_named_and_the_others_counted() {
    let change =
        |n: usize| Change::new(format!("/items/i{n:02}/unitPrice"), Some(json!("1")), Some(json!("3")));
    let found = percent_at_most("20").beyond(&plan((0..10).map(change).collect(), vec![], vec![]));
    assert_eq!(found.len(), 3);
    assert!(found[2].ends_with(", and 7 more prices do"), "{found:?}");
}

#[test]
fn a_plan_beyond_a_guardrail_waits_under_apply_until_somebody_approves_it() {
    let change = || Change::new("/items/a/unitPrice", Some(json!("1")), Some(json!("3")));
    let decide =
        |policy: &Policy| plan(vec![change()], vec![], vec![]).under(policy, &Recorded::default(), false);
    let demands = Demands { guardrails: percent_at_most("20"), ..Demands::default() };
    let bounded = Policy { demands, ..Policy::default() };
    let Decision::AwaitApproval(asked) = decide(&bounded) else { panic!("it was not asked for") };
    assert!(asked.notes().starts_with("The price /items/a/unitPrice moves from 1 to 3"), "{}", asked.notes());
    let approved = Policy { approved: Some(asked.digest.to_string()), ..bounded.clone() };
    assert!(matches!(decide(&approved), Decision::Write(_)));
    assert!(matches!(
        decide(&Policy { management: ManagementPolicy::Observe, ..bounded }),
        Decision::Report(_)
    ));
    let demands = Demands { guardrails: percent_at_most("200"), ..Demands::default() };
    assert!(matches!(decide(&Policy { demands, ..Policy::default() }), Decision::Write(_)));
}
