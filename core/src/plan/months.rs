//! Fixed money by the month in which it is due: what a chart shows, where years hide too much.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    FixedKind, Unit,
    owed::{Owed, add},
};
use crate::terms::Decimal;

/// Fixed money of one kind in one unit that is due in one month, before and after a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Month {
    /// Why it is owed.
    pub kind: FixedKind,
    /// What it is counted in.
    pub unit: Unit,
    /// The month (UTC), as `2026-01`.
    pub month: String,
    /// Sum before, zero when nothing was owed; `None` beyond 28 digits.
    pub before: Option<Decimal>,
    /// Sum after; `None` beyond 28 digits.
    pub after: Option<Decimal>,
}

/// What is due in each month in which something is; what nothing says the time of is left out.
pub(super) fn between(before: &Owed, after: &Owed) -> Vec<Month> {
    let zero = Some(Decimal::ZERO);
    let mut sums = BTreeMap::new();
    for (side, is_after) in [(before, false), (after, true)] {
        for due in &side.dues {
            let Some(time) = due.time else { continue };
            let month = time.0.format("%Y-%m").to_string();
            let sums = sums.entry((due.kind, due.unit.clone(), month)).or_insert((zero, zero));
            let sum = if is_after { &mut sums.1 } else { &mut sums.0 };
            *sum = add(*sum, due.amount);
        }
    }
    sums.into_iter()
        .map(|((kind, unit, month), (before, after))| Month { kind, unit, month, before, after })
        .collect()
}

/// The sums of several plans' months, by kind, unit and month.
#[must_use]
pub fn sum<'a>(months: impl Iterator<Item = &'a Month>) -> Vec<Month> {
    let mut sums: BTreeMap<(FixedKind, &Unit, &str), Month> = BTreeMap::new();
    for month in months {
        let key = (month.kind, &month.unit, month.month.as_str());
        match sums.get_mut(&key) {
            Some(sum) => {
                sum.before = add(sum.before, month.before);
                sum.after = add(sum.after, month.after);
            }
            None => drop(sums.insert(key, month.clone())),
        }
    }
    sums.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::{super::owed::Due, *};

    #[test]
    fn what_is_due_is_summed_by_month_and_over_plans() {
        let due = |time: &str, amount: &str| Due {
            kind: FixedKind::Commitment,
            unit: Unit::Currency("USD".into()),
            time: time.parse().ok(),
            amount: amount.parse().ok(),
        };
        let owed = |dues| Owed { start: None, dues };
        let before = owed(vec![due("2026-01-01T00:00:00Z", "5"), due("", "3")]);
        let after = owed(vec![
            due("2026-01-31T23:00:00Z", "5"),
            due("2026-01-01T00:00:00Z", "2"),
            due("2026-03-01T00:00:00Z", "1"),
        ]);
        let months = between(&before, &after);
        let text = |months: &[Month]| {
            let text = |month: &Month| {
                format!("{} {} -> {}", month.month, month.before.unwrap(), month.after.unwrap())
            };
            months.iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(text(&months), ["2026-01 5 -> 7", "2026-03 0 -> 1"]);
        assert_eq!(text(&sum(months.iter().chain(&months))), ["2026-01 10 -> 14", "2026-03 0 -> 2"]);
    }
}
