//! What the customer owes by a contract of Zoo: commitments by period, and fixed fees. One currency, whole units.

use serde_json::Value;

use crate::{
    api::contract::Amount,
    plan::{
        FixedKind, MoneyEffect, Open, OpenCause, Outlook, Price, Unit,
        money::open_rates,
        owed::{Due, Owed, start_of_year},
        unit::{FEE, each_number, is_price},
        usage::{self, Tier, UsagePrice},
    },
    terms::{Decimal, Timestamp},
};

/// Most years of a fee that is due every year; a term beyond them is most likely a mistake.
const MAX_YEARS: u32 = 100;

/// What amounts of a contract are counted in.
pub(super) fn unit(terms: &Value) -> Option<Unit> {
    terms.get("currency")?.as_str().map(|currency| Unit::Currency(currency.to_owned()))
}

/// What a replace does to the money that the customer owes, between what is observed, if anything is, and what is sent.
pub(super) fn effect(observed: Option<&Value>, sent: &Value) -> MoneyEffect {
    let (before, endless) = observed.map(owed).unwrap_or_default();
    let (after, still_endless) = owed(sent);
    let (unit_before, unit_after) = (observed.and_then(unit), unit(sent));
    let before_items = observed.and_then(|terms| terms.get("items"));
    let mut open = open_rates(
        "/items",
        (before_items, unit_before.as_ref()),
        (sent.get("items"), unit_after.as_ref()),
        OpenCause::Usage,
    );
    open.extend(endless.iter().filter(|fee| !still_endless.contains(fee)).cloned());
    open.extend(still_endless.iter().filter(|fee| !endless.contains(fee)).map(|fee| Open {
        before: None,
        after: fee.before,
        ..fee.clone()
    }));
    let usage = usage::pair(
        observed.map(prices).unwrap_or_default().into_iter().map(before_only).collect(),
        prices(sent),
    );
    MoneyEffect::between(&before, &after, open).with_usage(usage)
}

/// What use of each item costs, by tiers that each hold for the units that they are for.
fn prices(terms: &Value) -> Vec<UsagePrice> {
    let Some(unit) = unit(terms) else { return Vec::new() };
    let is_sold = |item: &&Value| item.get("active") != Some(&Value::Bool(false));
    let price = |item: &Value| {
        let code = text(item, "code")?;
        let tiers: Option<Vec<Tier>> = list(item, "rateTiers").map(tier).collect();
        let tiers = tiers.filter(|tiers| !tiers.is_empty())?;
        let (item, path) = (code.to_owned(), format!("/items/{code}"));
        Some(UsagePrice { item, path, unit: unit.clone(), before: None, after: Some(tiers) })
    };
    list(terms, "items").filter(is_sold).filter_map(price).collect()
}

fn tier(tier: &Value) -> Option<Tier> {
    let number = |name: &str| match tier.get(name)? {
        Value::String(digits) => Decimal::from_wire(digits).ok(),
        Value::Number(number) => Decimal::from_wire(&number.to_string()).ok(),
        _ => None,
    };
    Some(Tier {
        from: number("tierStartInclusive")?,
        to: number("tierEndExclusive"),
        price: number("unitPrice")?,
    })
}

fn before_only(price: UsagePrice) -> UsagePrice {
    UsagePrice { before: price.after, after: None, ..price }
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
    commitments.map(|sum| Amount::new(sum.after, sum.unit.label())).collect()
}

/// The term, what is due by the terms, and their prices; nothing without a start.
pub(in crate::plan) fn outlook(terms: &Value) -> Option<Outlook> {
    let (start, end) = (time(terms, "effectiveAt")?, time(terms, "termEndAt"));
    let (owed, endless) = owed(terms);
    let unit = unit(terms);
    let mut prices = Vec::new();
    for item in list(terms, "items") {
        let code = text(item, "code").unwrap_or_default();
        each_number("", item, unit.as_ref(), &mut |path, name, unit, digits| {
            let is_fee = name == FEE;
            let (true, Ok(value)) = (is_price(name), Decimal::from_wire(digits)) else { return };
            let tier = path.strip_prefix("/rateTiers/").and_then(|rest| rest.split('/').next());
            let part = match tier {
                Some(from) => format!("from {from}"),
                None if is_fee => "fee".to_owned(),
                None => String::new(),
            };
            let (item, unit) = (code.to_owned(), unit.cloned());
            prices.push(Price { item, part, unit, value: value.normalized(), since: start, until: end });
        });
    }
    let has_use = prices.iter().any(|price| price.part != "fee");
    let open = [(has_use, OpenCause::Usage), (!endless.is_empty(), OpenCause::NoEnd)];
    Some(Outlook {
        title: text(terms, "name").map(str::to_owned),
        start,
        end,
        is_billed: !matches!(text(terms, "status"), Some("draft" | "canceled")),
        dues: owed.dues,
        open: open.into_iter().filter_map(|(is_there, cause)| is_there.then_some(cause)).collect(),
        prices,
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn terms(currency: &str, items: &Value) -> Value {
        let period = |index: u32, start: &str| json!({"periodIndex": index, "periodStartAt": start, "commitmentAmount": "100"});
        json!({
            "currency": currency, "effectiveAt": "2024-02-29T00:00:00Z", "termEndAt": "2026-02-28T00:00:00Z",
            "periods": [period(0, "2024-02-29T00:00:00Z"), period(1, "2025-02-28T00:00:00Z")], "items": items,
        })
    }

    fn fee(unit: &str) -> Value {
        json!({"code": "fde", "kind": "fixed_fee", "unit": unit, "fixedFeeAmount": "7.5"})
    }

    /// Fees of a new contract with one item, by year.
    fn fees(item: &Value) -> Vec<(Option<u32>, String)> {
        let fixed = effect(None, &terms("USD", &json!([item]))).fixed;
        let fees = fixed.into_iter().filter(|fixed| fixed.kind == FixedKind::Fee);
        fees.map(|fixed| (fixed.year, fixed.after.unwrap().to_string())).collect()
    }

    #[test]
    fn a_fixed_fee_is_due_as_often_as_its_unit_says() {
        let each = vec![(Some(1), "7.5".to_owned()), (Some(2), "7.5".to_owned())];
        assert_eq!(fees(&fee("year")), each);
        assert_eq!(fees(&fee("period")), each);
        assert_eq!(fees(&fee("file")), [(None, "7.5".to_owned())]);
        let mut inactive = fee("year");
        inactive["active"] = json!(false);
        assert_eq!(fees(&inactive), []);
    }

    #[test]
    fn a_fee_of_more_years_than_a_term_has_is_said_to_have_no_end() {
        let mut endless = terms("USD", &json!([fee("year")]));
        endless["termEndAt"] = json!("2207-01-01T00:00:00Z");
        let found = effect(None, &endless);
        assert!(found.fixed.iter().all(|fixed| fixed.kind == FixedKind::Commitment), "{found:?}");
        assert_eq!((found.open.len(), found.open[0].cause), (1, OpenCause::NoEnd));
        assert_eq!(found.open[0].path, "/items/fde/fixedFeeAmount");
        assert!(effect(Some(&endless), &endless).is_none());
    }

    #[test]
    fn another_currency_is_other_money_though_every_number_stays() {
        let priced = json!([{"code": "api", "rateTiers": [{"tierStartInclusive": 0, "unitPrice": "0.5"}]}]);
        let (euros, dollars) = (terms("EUR", &priced), terms("USD", &priced));
        assert!(effect(Some(&euros), &euros).is_none());
        let found = effect(Some(&euros), &dollars);
        let totals: Vec<_> = found
            .totals()
            .iter()
            .map(|sum| format!("{} {}", sum.difference().unwrap(), sum.unit.label()))
            .collect();
        assert_eq!(totals, ["-200 EUR", "200 USD"]);
        let units: Vec<_> = found.open.iter().map(|open| open.unit.as_ref().unwrap().label()).collect();
        assert_eq!(units, ["EUR", "USD"]);
    }

    #[test]
    fn what_is_committed_is_the_sum_of_all_periods() {
        let amount = Amount { amount: "200".parse().ok(), currency: "EUR".into() };
        assert_eq!(committed_value(&terms("EUR", &json!([fee("year")]))), [amount]);
        assert_eq!(committed_value(&json!({"currency": "EUR"})), []);
    }
}
