//! Prices that a plan moves further than somebody would by intent: to nothing, past nothing, or by a large part.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    plan::{Change, Unit, prices},
    terms::Decimal,
};

/// Why a price is called out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// It falls to zero.
    Free,
    /// What was paid for is given, or the other way round.
    Sign,
    /// It moves by more than the percentage that was asked for.
    Moved,
}

/// A price that is called out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Where it is in the terms, as a JSON pointer.
    pub path: String,
    /// Why.
    pub why: Why,
    /// What it is counted in; none for a factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The price before.
    pub before: Decimal,
    /// The price after.
    pub after: Decimal,
    /// By how many percent it moves, with two decimals; none from zero, and beyond 28 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<Decimal>,
}

/// The prices of changes that fall to zero, change their sign, or move by more than `most` percent.
#[must_use]
pub fn alerts(changes: &[Change], most: Decimal) -> Vec<Alert> {
    let mut found = Vec::new();
    for change in changes {
        let before = prices(&change.path, change.from.as_ref(), change.from_unit.as_ref());
        let after = prices(&change.path, change.to.as_ref(), change.unit.as_ref());
        for (path, (unit, before)) in before {
            let Some((_, after)) = after.get(&path).filter(|(other, _)| *other == unit) else { continue };
            let percent = percent(before, *after);
            let why = match (before, *after) {
                (before, after) if before == after || before == Decimal::ZERO => continue,
                (_, after) if after == Decimal::ZERO => Why::Free,
                (before, after) if before.is_negative() != after.is_negative() => Why::Sign,
                // What cannot be told is called out, too.
                _ if percent.is_none_or(|percent| percent.abs() > most) => Why::Moved,
                _ => continue,
            };
            found.push(Alert { path, why, unit, before, after: *after, percent });
        }
    }
    found
}

/// By how many percent of what was something moves, with two decimals; `None` from zero, and beyond 28 digits.
#[must_use]
pub fn percent(before: Decimal, after: Decimal) -> Option<Decimal> {
    Some(before.percent_to(after)?.truncated(2).normalized())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn found(from: Value, to: Value) -> Vec<(String, Why, Option<String>)> {
        let change = Change::new("/items/api", Some(from), Some(to));
        let alerts = alerts(&[change], Decimal::from(20));
        alerts
            .into_iter()
            .map(|alert| (alert.path, alert.why, alert.percent.map(|percent| percent.to_string())))
            .collect()
    }

    fn tier(price: &str) -> Value {
        json!({"rateTiers": [{"tierStartInclusive": 0, "unitPrice": price}]})
    }

    #[test]
    fn a_price_that_falls_to_zero_changes_its_sign_or_moves_far_is_called_out() {
        let path = || "/items/api/rateTiers/0/unitPrice".to_owned();
        let percent = |text: &str| Some(text.to_owned());
        assert_eq!(found(tier("0.5"), tier("0")), [(path(), Why::Free, percent("-100"))]);
        assert_eq!(found(tier("0.5"), tier("-0.5")), [(path(), Why::Sign, percent("-200"))]);
        assert_eq!(found(tier("3"), tier("4")), [(path(), Why::Moved, percent("33.33"))]);
        assert_eq!(found(tier("0.5"), tier("0.4")), [], "exactly the threshold");
        assert_eq!(found(tier("0"), tier("4")), [], "what was free has no part of it");
        assert_eq!(found(json!({"commitmentAmount": "1"}), json!({"commitmentAmount": "9"})), []);
    }

    #[test]
    fn a_price_by_itself_is_called_out_as_well() {
        let change = Change::new("/items/fde/fixedFeeAmount", Some(json!("185000")), Some(json!("1850000")));
        let alerts = alerts(&[change], Decimal::from(20));
        assert_eq!(alerts.len(), 1);
        assert_eq!(alerts[0].percent.unwrap().to_string(), "900");
    }
}
