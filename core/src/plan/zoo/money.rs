//! What the customer owes by a contract of Zoo: commitments by period, and fixed fees. One currency, whole units.

use serde_json::Value;

use crate::{
    api::contract::Amount,
    plan::{
        Change, FixedKind, MoneyEffect, Open, OpenCause, Unit,
        money::{Due, Owed, open_rates, start_of_year},
    },
    terms::{Decimal, Timestamp},
};

/// Most years of a fee that is due every year; a term beyond them is most likely a mistake.
const MAX_YEARS: u32 = 100;

/// What amounts of a contract are counted in.
pub(super) fn unit(terms: &Value) -> Option<Unit> {
    terms.get("currency")?.as_str().map(|currency| Unit::Currency(currency.to_owned()))
}

/// What changes do to the money that the customer owes, between what is observed, if anything is, and what is sent.
pub(super) fn effect(observed: Option<&Value>, sent: &Value, changes: &[Change]) -> MoneyEffect {
    let (before, endless) = observed.map(owed).unwrap_or_default();
    let (after, still_endless) = owed(sent);
    let mut open: Vec<Open> = changes.iter().flat_map(open_of).collect();
    open.extend(endless.iter().filter(|fee| !still_endless.contains(fee)).cloned());
    open.extend(still_endless.iter().filter(|fee| !endless.contains(fee)).map(|fee| Open {
        before: None,
        after: fee.before,
        ..fee.clone()
    }));
    MoneyEffect::between(&before, &after, open)
}

/// Prices of use that a change makes different.
fn open_of(change: &Change) -> Vec<Open> {
    let sides =
        ((change.from.as_ref(), change.from_unit.as_ref()), (change.to.as_ref(), change.unit.as_ref()));
    open_rates(&change.path, sides.0, sides.1, OpenCause::Usage)
}

/// Everything that is owed by some terms, and fees without an end.
fn owed(terms: &Value) -> (Owed, Vec<Open>) {
    let start = time(terms, "effectiveAt");
    let mut owed = Owed { start, dues: Vec::new() };
    let mut endless = Vec::new();
    let Some(unit) = unit(terms) else { return (owed, endless) };
    let due = |kind, time, amount| Due { kind, unit: unit.clone(), time, amount };
    for period in list(terms, "periods") {
        if let Some(digits) = text(period, "commitmentAmount") {
            let amount = Decimal::from_wire(digits).ok();
            owed.dues.push(due(FixedKind::Commitment, time(period, "periodStartAt"), amount));
        }
    }
    for item in list(terms, "items") {
        let (Some(digits), true) =
            (text(item, "fixedFeeAmount"), item.get("active") != Some(&Value::Bool(false)))
        else {
            continue;
        };
        let amount = Decimal::from_wire(digits).ok();
        match due_times(terms, item, start) {
            Some(times) => {
                owed.dues.extend(times.into_iter().map(|time| due(FixedKind::Fee, time, amount)));
            }
            None => endless.push(Open {
                path: format!("/items/{}/fixedFeeAmount", text(item, "code").unwrap_or_default()),
                cause: OpenCause::NoEnd,
                unit: Some(unit.clone()),
                before: amount,
                after: None,
            }),
        }
    }
    (owed, endless)
}

/// When a fixed fee is due: each year of the term for one that is counted in years, at the start of each period for one
/// that is counted in periods; for any other unit once, and nothing says when. `None` for more years than a term has.
fn due_times(terms: &Value, item: &Value, start: Option<Timestamp>) -> Option<Vec<Option<Timestamp>>> {
    match (text(item, "unit"), start, time(terms, "termEndAt")) {
        (Some("year"), Some(start), Some(end)) => {
            let years = (0..=MAX_YEARS).map_while(|index| start_of_year(start, index));
            let times: Vec<_> = years.take_while(|time| *time < end).map(Some).collect();
            u32::try_from(times.len()).is_ok_and(|count| count <= MAX_YEARS).then_some(times)
        }
        (Some("period"), _, _) => {
            Some(list(terms, "periods").map(|period| time(period, "periodStartAt")).collect())
        }
        _ => Some(vec![None]),
    }
}

/// The sum of the commitments of all periods in the contract's currency.
#[must_use]
pub fn committed_value(terms: &Value) -> Vec<Amount> {
    let (owed, _) = owed(terms);
    let totals = MoneyEffect::between(&Owed::default(), &owed, Vec::new()).totals();
    let commitments = totals.into_iter().filter(|sum| sum.kind == FixedKind::Commitment);
    commitments.map(|sum| Amount { amount: sum.after, currency: sum.unit.label().to_owned() }).collect()
}

fn list<'v>(terms: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    terms.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

fn time(value: &Value, name: &str) -> Option<Timestamp> {
    text(value, name)?.parse().ok()
}
