//! Amounts for people: the API counts USD in cents and every other unit whole.

use serde_json::{Map, Value};

use crate::terms::Decimal;

/// ID of the API's default pricing unit, "USD (cents)".
pub(super) const USD_CENTS: &str = "2714e483-4ff1-48e4-9e25-ac732e8f24f2";

/// Members whose number is an amount of money.
const AMOUNTS: [&str; 11] = [
    "amount",
    "maxAmount",
    "price",
    "rechargeToAmount",
    "resellerContractValue",
    "taxAmount",
    "thresholdAmount",
    "totalContractValue",
    "unitPrice",
    "granted",
    "invoiced",
];

/// The unit of the amounts in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// US dollars, counted in cents.
    Usd,
    /// Anything else, counted as it is.
    Other,
}

impl Unit {
    /// The unit that an object says, or else the one around it.
    pub(super) fn of(object: &Value, around: Self) -> Self {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let counts_units = text("accessType") == Some("QUANTITY");
        let is_share = text("rateType").is_some_and(|rate| rate.contains("PERCENTAGE"));
        match text("creditTypeId").or_else(|| text("customCreditTypeId")) {
            _ if counts_units || is_share => Self::Other,
            Some(unit) => {
                if unit == USD_CENTS {
                    Self::Usd
                } else {
                    Self::Other
                }
            }
            None => around,
        }
    }
}

/// An amount with its unit as people read it: `1200.00 USD` for 120000 cents.
pub(super) fn amount(amount: Decimal, unit: Unit) -> String {
    match unit {
        Unit::Usd => {
            dollars(amount).map_or_else(|| format!("{amount} US cents"), |text| format!("{text} USD"))
        }
        Unit::Other => amount.to_string(),
    }
}

/// Cents as dollars with at least two decimals, `None` beyond 28 digits.
fn dollars(cents: Decimal) -> Option<String> {
    let hundredth: Decimal = "0.01".parse().ok()?;
    let text = cents.normalized().checked_mul(hundredth)?.normalized().to_string();
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    Some(match decimals {
        0 => format!("{text}.00"),
        1 => format!("{text}0"),
        _ => text,
    })
}

/// Terms as people read them: amounts of money with their unit.
pub(super) fn readable(name: &str, value: &Value, unit: Unit) -> Value {
    match value {
        Value::Object(members) => {
            let unit = Unit::of(value, unit);
            let readable = |(name, value): (&String, &Value)| (name.clone(), readable(name, value, unit));
            members.iter().map(readable).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(|item| readable(name, item, unit)).collect(),
        Value::String(digits) if AMOUNTS.contains(&name) => match digits.parse() {
            Ok(number) => amount(number, unit).into(),
            Err(_) => value.clone(),
        },
        _ => value.clone(),
    }
}

/// What the customer commits to pay: the invoices of commits, or what may be used of one that has none and is not
/// free. Recurring commits have no sum, and scheduled charges are no commitment.
pub(super) fn committed(terms: &Value) -> Option<Vec<(Unit, Decimal)>> {
    let commits = terms.get("commits").and_then(Value::as_array).into_iter().flatten();
    let mut sums: Vec<(Unit, Decimal)> = Vec::new();
    for commit in commits {
        let postpaid = commit.get("type").and_then(Value::as_str) == Some("POSTPAID");
        let invoices = commit.get("invoiceSchedule");
        let schedule = invoices.or_else(|| commit.get("accessSchedule").filter(|_| postpaid));
        let Some(schedule) = schedule else { continue };
        if schedule.get("doNotInvoice") == Some(&Value::Bool(true)) {
            continue;
        }
        let unit = Unit::of(schedule, Unit::Usd);
        for item in super::schedule::items(schedule) {
            let Some(amount) = super::schedule::amount(&item) else { continue };
            match sums.iter_mut().find(|(found, _)| *found == unit) {
                Some((_, sum)) => *sum = sum.checked_add(amount.normalized())?,
                None => sums.push((unit, amount.normalized())),
            }
        }
    }
    Some(sums)
}

/// The sum that the customer commits to, for people: `1200.00 USD`; nothing without commits.
#[must_use]
pub fn committed_value(terms: &Value) -> Option<String> {
    let mut sums = committed(terms)?;
    sums.sort_by_key(|(unit, _)| *unit != Unit::Usd);
    let texts: Vec<_> = sums
        .into_iter()
        .map(|(unit, sum)| match unit {
            Unit::Usd => amount(sum, unit),
            Unit::Other => format!("{sum} of other units"),
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// What a change does to the sum that the customer commits to, empty when nothing.
pub(super) fn effect(observed: &Value, desired: &Value) -> String {
    match (committed_value(observed), committed_value(desired)) {
        (None, Some(to)) if observed.is_null() => format!("committed: {to}"),
        (from, to) if from != to => {
            let text = |sum: Option<String>| sum.unwrap_or_else(|| "nothing".to_owned());
            format!("committed: {} -> {}", text(from), text(to))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cents_are_shown_as_dollars_without_losing_a_digit() {
        let shown = |cents: &str| amount(cents.parse().unwrap(), Unit::Usd);
        assert_eq!(shown("120000"), "1200.00 USD");
        assert_eq!(shown("5"), "0.05 USD");
        assert_eq!(shown("0.5"), "0.005 USD");
        assert_eq!(shown("-1250.00"), "-12.50 USD");
        assert_eq!(shown("0"), "0.00 USD");
        assert_eq!(shown("9999999999999999999999999999"), "99999999999999999999999999.99 USD");
    }

    #[test]
    fn other_units_are_shown_as_they_are() {
        let euros = json!({"creditTypeId": "eur", "scheduleItems": [{"amount": "10"}]});
        assert_eq!(readable("", &euros, Unit::Usd), euros);
        let share = json!({"rateType": "PERCENTAGE", "price": "0.1"});
        assert_eq!(readable("", &share, Unit::Usd), share);
        let units = json!({"accessType": "QUANTITY", "creditTypeId": USD_CENTS, "unitPrice": "3"});
        assert_eq!(readable("", &units, Unit::Usd), units);
        assert_eq!(readable("", &json!({"price": "50"}), Unit::Usd), json!({"price": "0.50 USD"}));
    }

    #[test]
    fn what_is_committed_is_what_commits_invoice() {
        let terms = json!({"commits": [
            {"type": "PREPAID", "accessSchedule": {"scheduleItems": [{"amount": "150000"}]},
             "invoiceSchedule": {"scheduleItems": [{"amount": "120000"}, {"unitPrice": "100", "quantity": "5"}]}},
            {"type": "PREPAID", "accessSchedule": {"scheduleItems": [{"amount": "777"}]}},
            {"type": "POSTPAID", "accessSchedule": {"scheduleItems": [{"amount": "100"}]}},
            {"type": "PREPAID", "invoiceSchedule": {"doNotInvoice": true, "scheduleItems": [{"amount": "9"}]}},
            {"type": "PREPAID", "invoiceSchedule": {"creditTypeId": "eur", "scheduleItems": [{"amount": "300"}]}},
        ]});
        assert_eq!(committed_value(&terms).as_deref(), Some("1206.00 USD, 300 of other units"));
        assert_eq!(committed_value(&json!({"commits": []})), None);
        assert_eq!(effect(&json!({}), &terms), "committed: nothing -> 1206.00 USD, 300 of other units");
    }
}
