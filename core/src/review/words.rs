//! What is looked at besides the changes: prices that are called out, and what expected use costs.

use super::{
    alerts::{Alert, Why, percent},
    volumes::Estimate,
};
use crate::{
    plan::{
        Unit,
        render::{number, plain},
    },
    terms::Decimal,
};

/// Prices that are called out, a line each.
#[must_use]
pub fn alerts(alerts: &[Alert]) -> Vec<String> {
    let line = |alert: &Alert| {
        let unit = alert.unit.as_ref();
        let in_unit = |price: Decimal| unit.map_or((price, ""), |unit| number(price, unit));
        let ((before, label), (after, _)) = (in_unit(alert.before), in_unit(alert.after));
        let why = match alert.why {
            Why::Free => "falls to zero".to_owned(),
            Why::Sign => "changes its sign".to_owned(),
            Why::Moved => alert
                .percent
                .map_or_else(|| "moves".to_owned(), |percent| format!("moves by {} %", signed(percent))),
        };
        format!("{} {why}: {before} -> {after} {}", plain(&alert.path), plain(label)).trim_end().to_owned()
    };
    alerts.iter().map(line).collect()
}

/// What expected use costs, a line each; nothing without any.
#[must_use]
pub fn estimates(estimates: &[Estimate]) -> Vec<String> {
    estimates
        .iter()
        .map(|estimate| {
            let (before, after, by) = sums(estimate);
            format!("with {} of {}: {before} -> {after}{by}", estimate.units, plain(&estimate.item))
        })
        .collect()
}

/// The sums of expected use before and after, and by how much and how many percent they differ, if that can be told.
#[must_use]
pub fn sums(estimate: &Estimate) -> (String, String, String) {
    let sum = |sum: Option<Decimal>| in_words(sum, &estimate.unit);
    let by = estimate.before.zip(estimate.after).and_then(|(before, after)| {
        let (by, _) = number(after.checked_sub(before)?, &estimate.unit);
        let percent = percent(before, after).map(|percent| format!(" ({} %)", signed(percent)));
        Some(format!(", {}{}", signed(by), percent.unwrap_or_default()))
    });
    (sum(estimate.before), sum(estimate.after), by.unwrap_or_default())
}

/// What all expected use costs, a line for each unit.
#[must_use]
pub fn expected<'e>(estimates: impl Iterator<Item = &'e Estimate>) -> Vec<String> {
    let mut all: Vec<Estimate> = Vec::new();
    let add = |sum: Option<Decimal>, more: Option<Decimal>| sum?.checked_add(more?);
    for estimate in estimates {
        match all.iter_mut().find(|sum| sum.unit == estimate.unit) {
            Some(sum) => {
                (sum.before, sum.after) = (add(sum.before, estimate.before), add(sum.after, estimate.after));
            }
            None => all.push(estimate.clone()),
        }
    }
    let line = |sum: &Estimate| {
        let (before, after, by) = sums(sum);
        format!("expected use: {before} -> {after}{by}")
    };
    all.iter().map(line).collect()
}

fn in_words(sum: Option<Decimal>, unit: &Unit) -> String {
    match sum.map(|sum| number(sum, unit)) {
        Some((sum, label)) => format!("{sum} {}", plain(label)),
        None => "not priced".to_owned(),
    }
}

fn signed(number: Decimal) -> String {
    if number.is_negative() { number.to_string() } else { format!("+{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_price_that_is_called_out_says_by_how_much_it_moves_and_in_what() {
        let alert = |why, after: &str, percent: &str| Alert {
            path: "/items/api/unitPrice".into(),
            why,
            unit: Some(Unit::PricingUnit { id: crate::plan::USD_CENTS.into(), name: None }),
            before: decimal("150"),
            after: decimal(after),
            percent: Some(decimal(percent)),
        };
        let found = alerts(&[alert(Why::Moved, "300", "100"), alert(Why::Free, "0", "-100")]);
        assert_eq!(
            found,
            [
                "/items/api/unitPrice moves by +100 %: 1.50 -> 3.00 USD",
                "/items/api/unitPrice falls to zero: 1.50 -> 0.00 USD"
            ]
        );
    }

    #[test]
    fn expected_use_says_what_it_costs_before_and_after() {
        let estimate = |before: Option<&str>, after: Option<&str>| Estimate {
            item: "api".into(),
            units: decimal("1000"),
            unit: Unit::Currency("EUR".into()),
            before: before.map(decimal),
            after: after.map(decimal),
        };
        let found = estimates(&[estimate(Some("500"), Some("420")), estimate(Some("0"), None)]);
        assert_eq!(
            found,
            ["with 1000 of api: 500 EUR -> 420 EUR, -80 (-16 %)", "with 1000 of api: 0 EUR -> not priced"]
        );
    }
}
