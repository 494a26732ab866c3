//! What amounts of a contract are counted in, and what the customer owes by its terms.
//!
//! USD is counted in cents and every other pricing unit whole; what a place does not say is said around it.

use std::collections::BTreeMap;

use chrono::{Days, Months};
use serde_json::{Value, json};

use super::{list, schedule, text};
use crate::{
    api::contract::Amount,
    plan::{
        Change, FixedKind, MoneyEffect, OpenCause, Outlook, Price, USD_CENTS,
        owed::{Due, Owed},
        unit::{self, Says, US_CENTS, each_number, is_amount, is_rate, said_by},
    },
    terms::{Decimal, Timestamp},
};

/// Most commits of a recurring commit that are counted one by one.
const MAX_PERIODS: u32 = 10_000;

/// The unit of the amounts in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// US dollars, counted in cents: what a contract means where it says nothing.
    Usd,
    /// Another pricing unit, by its ID, counted whole.
    Pricing(String),
    /// Numbers of units and shares, which are no money, and places without amounts.
    Other,
}

impl Unit {
    /// The unit that an object says, or else the one around it.
    pub(super) fn of(object: &Value, around: &Self) -> Self {
        match said_by(object) {
            Says::NoMoney => Self::Other,
            Says::PricingUnit(USD_CENTS) => Self::Usd,
            Says::PricingUnit(id) => Self::Pricing(id.to_owned()),
            Says::Nothing => around.clone(),
        }
    }

    /// The same as data, `None` for what is no money.
    pub(super) fn data(&self) -> Option<unit::Unit> {
        let id = match self {
            Self::Usd => USD_CENTS,
            Self::Pricing(id) => id,
            Self::Other => return None,
        };
        Some(unit::Unit::PricingUnit { id: id.to_owned(), name: None })
    }
}

/// The units of both sides of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Units {
    /// In the contract.
    pub from: Unit,
    /// In the spec.
    pub to: Unit,
}

impl From<Unit> for Units {
    fn from(unit: Unit) -> Self {
        Self { from: unit.clone(), to: unit }
    }
}

/// The unit of an amount at a place of an item.
pub(super) fn unit_at(item: &Value, place: &str) -> Unit {
    let start = (Unit::of(item, &Unit::Usd), Some(item));
    let (unit, _) = place.split('/').skip(1).fold(start, |(unit, value), name| {
        let value = value.and_then(|value| value.get(name));
        (value.map_or_else(|| unit.clone(), |value| Unit::of(value, &unit)), value)
    });
    unit
}

/// The units of an amount at a place of an item, in the contract and in the spec.
pub(super) fn units_at(found: &Value, wanted: &Value, place: &str) -> Units {
    Units { from: unit_at(found, place), to: unit_at(wanted, place) }
}

/// Members in which an item says what its amounts are counted in, where it leaves that out and so means US dollars, and
/// the contract has another unit: the same number of something else is another amount.
pub(super) fn other_units(places: &[&str], wanted: &Value, found: &Value) -> Vec<Change> {
    let differs = |place: &&str| {
        let (wanted, found) = (wanted.get(place)?, found.get(place)?);
        let unit = found.get("creditTypeId").filter(|unit| **unit != json!(USD_CENTS))?;
        let says_nothing = wanted.get("creditTypeId").is_none();
        let is_money = Unit::of(found, &Unit::Usd) != Unit::Other;
        let path = format!("/{place}/creditTypeId");
        (says_nothing && is_money).then(|| Change::new(path, Some(unit.clone()), Some(json!(USD_CENTS))))
    };
    places.iter().filter_map(differs).collect()
}

/// Names of pricing units by their IDs, as a reply tells them, wherever it does.
pub(super) fn unit_names(reply: &Value) -> BTreeMap<String, String> {
    names_of("credit_type", reply)
}

/// Names of what a reply tells as an object under a member, by their IDs.
pub(super) fn names_of(member: &str, reply: &Value) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    collect_names(member, reply, &mut names);
    names
}

fn collect_names(member: &str, reply: &Value, names: &mut BTreeMap<String, String>) {
    match reply {
        Value::Object(members) => {
            for (name, value) in members {
                let is_member = name == member;
                if let (true, Some(id), Some(found)) = (is_member, text(value, "id"), text(value, "name")) {
                    names.insert(id.to_owned(), found.to_owned());
                } else {
                    collect_names(member, value, names);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_names(member, item, names)),
        _ => {}
    }
}

/// Most units that a status takes: a reply with more must not keep it unwritten.
const MAX_UNITS: usize = 1000;

/// Something that is owed and has no sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WithoutSum {
    /// Where it is.
    pub path: String,
    /// Why.
    pub cause: OpenCause,
    /// Its amount, each time that it is due.
    pub amount: Option<(unit::Unit, Decimal)>,
}

/// What the customer owes by some terms whatever is used, until the contract's end, and what of that has no sum.
/// Credits are given and not owed.
pub(super) fn owed(
    terms: &Value,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
) -> (Owed, Vec<WithoutSum>) {
    let mut all = Sheet { owed: Owed { start, dues: Vec::new() }, open: Vec::new() };
    for name in ["commits", "customerCommits"] {
        for commit in list(terms, name) {
            if let Some((schedule, time)) = paid(commit) {
                all.add_schedule(&path(name, commit), FixedKind::Commitment, schedule, time);
            }
        }
    }
    for (name, kind) in [("scheduledCharges", FixedKind::Fee), ("discounts", FixedKind::Discount)] {
        for item in list(terms, name) {
            if let Some(schedule) = item.get("schedule").filter(|schedule| is_invoiced(schedule)) {
                all.add_schedule(&path(name, item), kind, schedule, "timestamp");
            }
        }
    }
    for template in list(terms, "recurringCommits") {
        all.add_recurring(template, end);
    }
    (all.owed, all.open)
}

/// Path of an item that has its key.
fn path(list: &str, item: &Value) -> String {
    format!("/{list}/{}", text(item, "key").unwrap_or_default())
}

fn is_invoiced(schedule: &Value) -> bool {
    schedule.get("doNotInvoice") != Some(&Value::Bool(true))
}

/// The schedule by which a commit is paid, and the member with its times: its invoices, or what may be used of one that
/// has none and is paid at the end. One that is paid in advance and has none is free.
fn paid(commit: &Value) -> Option<(&Value, &'static str)> {
    let invoices = commit.get("invoiceSchedule").map(|schedule| (schedule, "timestamp"));
    let postpaid = text(commit, "type") == Some("POSTPAID");
    let access = || commit.get("accessSchedule").filter(|_| postpaid).map(|access| (access, "startingAt"));
    invoices.or_else(access).filter(|(schedule, _)| is_invoiced(schedule))
}

/// What is owed, as it is added up.
struct Sheet {
    owed: Owed,
    open: Vec<WithoutSum>,
}

impl Sheet {
    fn add_schedule(&mut self, path: &str, kind: FixedKind, schedule: &Value, time: &str) {
        let Some(unit) = Unit::of(schedule, &Unit::Usd).data() else {
            let path = path.to_owned();
            self.open.push(WithoutSum { path, cause: OpenCause::Usage, amount: None });
            return;
        };
        self.owed.dues.extend(schedule::items(schedule).iter().map(|item| Due {
            kind,
            unit: unit.clone(),
            time: text(item, time).and_then(|time| time.parse().ok()),
            amount: schedule::amount(item),
        }));
    }

    /// Adds the commits that a template makes until it or the contract ends.
    fn add_recurring(&mut self, template: &Value, end: Option<Timestamp>) {
        let Some(invoice) = template.get("invoiceAmount") else { return };
        let amount = schedule::amount(invoice);
        let unit = Unit::of(invoice, &Unit::Usd).data();
        let path = path("recurringCommits", template);
        let open = |cause| WithoutSum { path: path.clone(), cause, amount: unit.clone().zip(amount) };
        let time = |name: &str| text(template, name).and_then(|time| time.parse::<Timestamp>().ok());
        let end = [time("endingBefore"), end].into_iter().flatten().min();
        let (Some(due_in), Some(start), Some(end), Some(frequency)) =
            (&unit, time("startingAt"), end, text(template, "recurrenceFrequency"))
        else {
            self.open.push(open(OpenCause::NoEnd));
            return;
        };
        if template.get("subscriptionConfig").is_some() {
            self.open.push(open(OpenCause::Usage));
            return;
        }
        // Unless a template says otherwise, the API prorates the first and the last period. Periods are counted from
        // the start, so that only the last one can be cut short.
        let is_prorated = matches!(text(template, "proration"), None | Some("LAST" | "FIRST_AND_LAST"));
        let begin = |index: u32| after(start, frequency, index);
        for index in 0..MAX_PERIODS {
            let Some(time) = begin(index).filter(|time| *time < end) else { return };
            if is_prorated && begin(index + 1).is_none_or(|next| next > end) {
                self.open.push(open(OpenCause::PartOfPeriod));
            } else {
                let (kind, unit) = (FixedKind::Commitment, due_in.clone());
                self.owed.dues.push(Due { kind, unit, time: Some(time), amount });
            }
        }
        self.open.push(open(OpenCause::NoEnd));
    }
}

/// The start of a period, counted from the first.
fn after(start: Timestamp, frequency: &str, index: u32) -> Option<Timestamp> {
    let days = |days: u64| start.0.checked_add_days(Days::new(days * u64::from(index)));
    let months = |months: u32| start.0.checked_add_months(Months::new(months * index));
    let time = match frequency {
        "DAILY" => days(1),
        "WEEKLY" => days(7),
        "MONTHLY" => months(1),
        "QUARTERLY" => months(3),
        "ANNUAL" => months(12),
        _ => None,
    };
    time.map(Timestamp)
}

/// The sums that the customer commits to by its commits, each in its unit, US dollars first; nothing without commits.
/// `names` has the names of pricing units by their IDs. Recurring commits have no sum, and scheduled charges are no
/// commitment.
pub(super) fn committed_value(terms: &Value, names: &BTreeMap<String, String>) -> Vec<Amount> {
    let commits = json!({"commits": terms.get("commits").cloned().unwrap_or_default()});
    let (owed, _) = owed(&commits, None, None);
    let mut sums = MoneyEffect::between(&Owed::default(), &owed, Vec::new()).totals();
    sums.sort_by_key(|sum| sum.unit.label() != "USD");
    let amount = |sum: crate::plan::Fixed| {
        let mut unit = sum.unit;
        unit.find_name(names);
        let amount = sum.after.and_then(|sum| unit.in_label(sum));
        Amount::new(amount, unit.label())
    };
    sums.into_iter().map(amount).take(MAX_UNITS).collect()
}

/// The term, what is due by the terms, and the prices that differ from the rate card's; nothing without a start.
pub(in crate::plan) fn outlook(terms: &Value, has_package: bool) -> Option<Outlook> {
    let time = |value: &Value, name: &str| text(value, name).and_then(|time| time.parse::<Timestamp>().ok());
    let (start, end) = (time(terms, "startingAt")?, time(terms, "endingBefore"));
    let (owed, without_sum) = owed(terms, Some(start), end);
    let has = |name: &str| terms.get(name).is_some();
    let has_package = has_package || has("packageId") || has("packageAlias");
    let mut open: Vec<OpenCause> = without_sum.into_iter().map(|part| part.cause).collect();
    open.extend((has("rateCardId") || has("rateCardAlias")).then_some(OpenCause::RateCard));
    open.extend(has_package.then_some(OpenCause::Package));
    open.sort_unstable();
    open.dedup();
    let mut prices = Vec::new();
    for item in list(terms, "overrides") {
        let applies = applies_to(item);
        let (since, until) = (time(item, "startingAt").unwrap_or(start), time(item, "endingBefore").or(end));
        each_number("", item, Unit::Usd.data().as_ref(), &mut |path, name, unit, digits| {
            let (true, Ok(value)) = (is_rate(name), Decimal::from_wire(digits)) else { return };
            let tier = path.split("tiers/").nth(1).and_then(|rest| rest.split('/').next());
            let what = if is_amount(name) { "" } else { "factor" };
            let part = match tier.and_then(|index| index.parse::<u32>().ok()) {
                Some(index) => format!("{what} tier {}", index.saturating_add(1)).trim().to_owned(),
                None => what.to_owned(),
            };
            // A factor is no amount, whatever unit is around it.
            let unit = unit.filter(|_| is_amount(name)).cloned();
            let (value, unit) = match unit.map(|unit| (unit.in_label(value), unit)) {
                Some((Some(value), unit)) => (value, Some(unit)),
                Some((None, _)) => (value, Some(unit::Unit::Currency(US_CENTS.to_owned()))),
                None => (value, None),
            };
            prices.push(Price { item: applies.clone(), part, unit, value: value.normalized(), since, until });
        });
    }
    Some(Outlook {
        title: text(terms, "name").map(str::to_owned),
        start,
        end,
        is_billed: true,
        dues: owed.dues,
        open,
        prices,
    })
}

/// What an override applies to, in the words of its specifiers.
fn applies_to(item: &Value) -> String {
    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(members) => members.values().for_each(|member| texts(member, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for member in ["productId", "applicableProductTags", "overrideSpecifiers"] {
        if let Some(value) = item.get(member) {
            texts(value, &mut found);
        }
    }
    if found.is_empty() { "every product".to_owned() } else { found.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn time(text: &str) -> Option<Timestamp> {
        text.parse().ok()
    }

    #[test]
    fn a_place_says_its_unit_or_has_the_one_around_it() {
        let unit = |object: Value| Unit::of(&object, &Unit::Usd);
        assert_eq!(unit(json!({"amount": "10"})), Unit::Usd);
        assert_eq!(unit(json!({"creditTypeId": USD_CENTS})), Unit::Usd);
        assert_eq!(unit(json!({"creditTypeId": "eur"})), Unit::Pricing("eur".into()));
        assert_eq!(unit(json!({"rateType": "PERCENTAGE", "price": "0.1"})), Unit::Other);
        assert_eq!(unit(json!({"accessType": "QUANTITY", "creditTypeId": USD_CENTS})), Unit::Other);
        let item = json!({"schedule": {"creditTypeId": "eur", "scheduleItems": []}});
        assert_eq!(unit_at(&item, "/schedule/scheduleItems"), Unit::Pricing("eur".into()));
    }

    #[test]
    fn what_is_committed_is_what_commits_invoice_each_unit_by_its_name() {
        let terms = json!({"commits": [
            {"type": "PREPAID", "invoiceSchedule": {"creditTypeId": "eur", "scheduleItems": [{"amount": "300"}]}},
            {"type": "PREPAID", "accessSchedule": {"scheduleItems": [{"amount": "150000"}]},
             "invoiceSchedule": {"scheduleItems": [{"amount": "120000"}, {"unitPrice": "100", "quantity": "5"}]}},
            {"type": "PREPAID", "accessSchedule": {"scheduleItems": [{"amount": "777"}]}},
            {"type": "POSTPAID", "accessSchedule": {"scheduleItems": [{"amount": "100"}]}},
            {"type": "PREPAID", "invoiceSchedule": {"doNotInvoice": true, "scheduleItems": [{"amount": "9"}]}},
            {"type": "PREPAID", "invoiceSchedule": {"creditTypeId": "tokens", "scheduleItems": [{"amount": "7"}]}},
        ]});
        let names = BTreeMap::from([("eur".to_owned(), "EUR".to_owned())]);
        let found: Vec<_> = committed_value(&terms, &names)
            .into_iter()
            .map(|sum| format!("{} {}", sum.amount.unwrap(), sum.currency))
            .collect();
        assert_eq!(found, ["1206.00 USD", "300 EUR", "7 tokens"]);
        assert!(committed_value(&json!({"commits": []}), &names).is_empty());
    }

    #[test]
    fn a_recurring_commit_is_counted_until_the_contract_ends_and_open_without_an_end() {
        let template = json!({"key": "monthly", "startingAt": "2026-01-31T00:00:00Z", "recurrenceFrequency": "MONTHLY",
            "invoiceAmount": {"creditTypeId": USD_CENTS, "unitPrice": "100", "quantity": "3"}});
        let count = |template: &Value, end: Option<Timestamp>| {
            let (owed, open) = owed(&json!({"recurringCommits": [template]}), None, end);
            (owed.dues.len(), open.iter().map(|open| open.cause).collect::<Vec<_>>())
        };
        assert_eq!(count(&template, time("2027-01-31T00:00:00Z")), (12, vec![]));
        assert_eq!(count(&template, None), (0, vec![OpenCause::NoEnd]));
        assert_eq!(count(&template, time("2026-03-15T00:00:00Z")), (1, vec![OpenCause::PartOfPeriod]));
        let mut whole = template.clone();
        whole["proration"] = json!("NONE");
        assert_eq!(count(&whole, time("2026-03-15T00:00:00Z")), (2, vec![]));
        whole["endingBefore"] = json!("2026-02-28T00:00:00Z");
        assert_eq!(count(&whole, None), (1, vec![]));
    }

    #[test]
    fn a_unit_that_is_left_out_is_us_dollars_and_differs_from_any_other() {
        let found = json!({"invoiceSchedule": {"creditTypeId": "eur"}, "accessSchedule": {"creditTypeId": USD_CENTS}});
        let wanted = json!({"invoiceSchedule": {}, "accessSchedule": {}});
        let places = ["accessSchedule", "invoiceSchedule"];
        let changes = other_units(&places, &wanted, &found);
        assert_eq!(
            changes,
            [Change::new("/invoiceSchedule/creditTypeId", Some(json!("eur")), Some(json!(USD_CENTS)),)]
        );
        assert!(other_units(&places, &found, &found).is_empty());
    }

    #[test]
    fn units_have_the_names_that_replies_give_them() {
        let reply = json!({"commits": [{"access_schedule": {"credit_type": {"id": "eur", "name": "EUR"}}}]});
        assert_eq!(unit_names(&reply), BTreeMap::from([("eur".into(), "EUR".into())]));
    }
}
