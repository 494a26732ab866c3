//! Schedules: what a spec means by one, and the steps from what is observed to that.
//!
//! The API splits a recurring schedule into items and gives every item `amount`, `unitPrice` and `quantity`, whichever
//! was sent. So items are compared by what they come to, and a divided amount by its parts' sum: how the API rounds
//! the parts is its own affair.

use chrono::{Months, TimeDelta};
use serde_json::{Map, Value, json};

use crate::{
    plan::{
        Change, USD_CENTS,
        pairing::{Pairing, Traits},
    },
    terms::{Decimal, Timestamp},
};

/// Most items that a recurring schedule is split into; beyond them it is a mistake that `validate` tells.
const MAX_ITEMS: u32 = 10_000;

/// The interval that only edits take, not creates: its items are written out, so that both take it.
const WEEKLY: &str = "WEEKLY";

/// The two kinds of schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What may be used from when to when.
    Access,
    /// What is invoiced when.
    Invoice,
}

/// What to do with one item of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Add it, as the spec says.
    Add(Value),
    /// Change these members of the item with the id.
    Update(String, Map<String, Value>),
    /// Remove the item with the id.
    Remove(String),
}

/// A difference, and the step that removes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub change: Change,
    pub step: Step,
}

impl Kind {
    /// The member that says when an item begins, by which it goes in paths.
    fn start(self) -> &'static str {
        match self {
            Self::Access => "startingAt",
            Self::Invoice => "timestamp",
        }
    }
}

/// The items of a schedule: those that are listed, or those that its recurring schedule means. Where it has both, the
/// contract's end has cut off the rest.
pub(super) fn items(schedule: &Value) -> Vec<Value> {
    match (listed(schedule), schedule.get("recurringSchedule")) {
        (None, Some(recurring)) => split(recurring).unwrap_or_default(),
        (listed, _) => listed.cloned().unwrap_or_default(),
    }
}

fn listed(schedule: &Value) -> Option<&Vec<Value>> {
    schedule.get("scheduleItems").and_then(Value::as_array)
}

/// When an item begins.
pub(super) fn start_of(item: &Value) -> Option<Timestamp> {
    time(item, "startingAt").or_else(|| time(item, "timestamp"))
}

/// Cuts a schedule of a spec at the contract's end: items that begin at `last` or later go. What is divided keeps its parts, of
/// which those that are left are listed beside it: to divide the amount anew would bill all of it.
pub(super) fn cut(schedule: &mut Value, end: Timestamp, last: Timestamp) {
    let items = items(schedule);
    let is_recurring = listed(schedule).is_none();
    let is_late = |item: &Value| start_of(item).is_some_and(|start| start >= last);
    let mut left: Vec<_> = items.iter().filter(|item| !is_late(item)).cloned().collect();
    for item in &mut left {
        shorten(item, end);
    }
    if left == items {
        return;
    }
    let Some(members) = schedule.as_object_mut() else { return };
    let is_divided = members.get("recurringSchedule").is_some_and(|of| division(of).is_some());
    match members.get_mut("recurringSchedule") {
        Some(recurring) if is_recurring && !is_divided && !left.is_empty() => {
            shorten(recurring, end);
            return;
        }
        Some(_) if left.is_empty() || !is_divided => drop(members.remove("recurringSchedule")),
        _ => {}
    }
    members.insert("scheduleItems".to_owned(), left.into());
}

/// Ends an item, or a part of a schedule, at a moment where it would go on.
pub(super) fn shorten(item: &mut Value, end: Timestamp) {
    let until = time(item, "endingBefore");
    if let (true, Some(members)) = (until.is_some_and(|until| until > end), item.as_object_mut()) {
        members.insert("endingBefore".to_owned(), json!(end));
    }
}

/// Leaves one of both where a schedule has its items and what they are parts of, as the API takes only one; and writes out
/// the items of an interval that not every call takes.
pub(super) fn as_sent(terms: &mut Value) {
    match terms {
        Value::Object(members) => {
            let recurring = members.get("recurringSchedule");
            if recurring.and_then(|of| of.get("frequency")).is_some_and(|frequency| frequency == WEEKLY) {
                let listed = recurring.and_then(split).unwrap_or_default();
                members.entry("scheduleItems").or_insert_with(|| listed.into());
            }
            if members.contains_key("scheduleItems") {
                members.remove("recurringSchedule");
            }
            members.values_mut().for_each(as_sent);
        }
        Value::Array(items) => items.iter_mut().for_each(as_sent),
        _ => {}
    }
}

/// What an item comes to: its amount, or its price times its quantity.
pub(super) fn amount(item: &Value) -> Option<Decimal> {
    number(item, "amount").or_else(|| number(item, "unitPrice")?.checked_mul(number(item, "quantity")?))
}

/// The times at which items begin, whatever their order, in one text.
pub(super) fn times(items: &[Value]) -> String {
    let mut times: Vec<_> = items.iter().map(|item| format!("{:?}", start_of(item))).collect();
    times.sort();
    times.concat()
}

/// What items come to, whatever their order, in one text that is the same for amounts that agree; nothing when one has
/// no amount.
pub(super) fn amounts(items: &[Value]) -> Option<String> {
    let digits = |item| Some(amount(item)?.to_float_digits().to_string());
    let mut amounts = items.iter().map(digits).collect::<Option<Vec<_>>>()?;
    amounts.sort();
    Some(amounts.join(" "))
}

fn number(item: &Value, name: &str) -> Option<Decimal> {
    Decimal::from_wire(item.get(name)?.as_str()?).ok()
}

fn time(item: &Value, name: &str) -> Option<Timestamp> {
    item.get(name)?.as_str()?.parse().ok()
}

/// The items that a recurring schedule means. The parts of a divided amount are cut off after cents' hundredths
/// (`DIVIDED`) or whole units (`DIVIDED_ROUNDED`); the last one has what is left.
fn split(recurring: &Value) -> Option<Vec<Value>> {
    let times = occurrences(recurring)?;
    let item = |time: &Timestamp, members: &[(&str, Decimal)]| -> Value {
        let mut item = Map::from_iter([("timestamp".to_owned(), time.to_string().into())]);
        item.extend(members.iter().map(|(name, number)| ((*name).to_owned(), number.to_string().into())));
        item.into()
    };
    let each = |members: &[(&str, Decimal)]| times.iter().map(|time| item(time, members)).collect();
    let Some(distribution) = division(recurring) else {
        return Some(match number(recurring, "amount") {
            Some(amount) => each(&[("amount", amount)]),
            None => each(&[
                ("unitPrice", number(recurring, "unitPrice")?),
                ("quantity", number(recurring, "quantity")?),
            ]),
        });
    };
    let (total, count) = (amount(recurring)?, Decimal::from(i64::try_from(times.len()).ok()?));
    let part = total.checked_div(count)?.truncated(distribution);
    let last = total.checked_sub(part.checked_mul(count.checked_sub(Decimal::from(1))?)?)?;
    let (final_time, earlier) = times.split_last()?;
    let mut items: Vec<_> = earlier.iter().map(|time| item(time, &[("amount", part)])).collect();
    items.push(item(final_time, &[("amount", last)]));
    Some(items)
}

/// The decimal places that the parts of a divided amount have, `None` when it is not divided.
fn division(recurring: &Value) -> Option<u32> {
    match recurring.get("amountDistribution").and_then(Value::as_str)? {
        "DIVIDED" => Some(2),
        "DIVIDED_ROUNDED" => Some(0),
        _ => None,
    }
}

/// The step that the API may round the parts of a divided amount to: a cent, which is 1 where amounts count cents.
fn step(schedule: &Value, places: u32) -> Decimal {
    let unit = schedule.get("creditTypeId").and_then(Value::as_str);
    let counts_cents = unit.is_none_or(|unit| unit == USD_CENTS);
    let cent = if counts_cents || places == 0 { "1" } else { "0.01" };
    cent.parse().unwrap_or(Decimal::ZERO)
}

/// The times of a recurring schedule, each counted from the first, so that a 31st does not become a 28th for good.
fn occurrences(recurring: &Value) -> Option<Vec<Timestamp>> {
    let months = match recurring.get("frequency").and_then(Value::as_str)? {
        "MONTHLY" => 1,
        "QUARTERLY" => 3,
        "SEMI_ANNUAL" => 6,
        "ANNUAL" => 12,
        WEEKLY => 0,
        _ => return None,
    };
    let (start, end) = (time(recurring, "startingAt")?, time(recurring, "endingBefore")?);
    let at = |index: u32| match months {
        0 => start.0.checked_add_signed(TimeDelta::weeks(index.into())),
        months => start.0.checked_add_months(Months::new(index * months)),
    };
    let at = |index| at(index).map(Timestamp);
    Some((0..MAX_ITEMS).map_while(at).take_while(|time| *time < end).collect())
}

/// Whether observed items are what a recurring schedule with a divided amount means: its times, and parts that add up
/// to exactly the amount and are equal within one step of rounding, but for one that has what rounding left over.
fn is_division(schedule: &Value, observed: &[Value]) -> bool {
    let same = || {
        let recurring = schedule.get("recurringSchedule")?;
        let step = step(schedule, division(recurring)?);
        let all = occurrences(recurring)?;
        let left = listed(schedule).map(|items| items.iter().map(start_of).collect::<Option<Vec<_>>>());
        let times = left.unwrap_or_else(|| Some(all.clone()))?;
        let mut found = observed.iter().map(|item| time(item, "timestamp")).collect::<Option<Vec<_>>>()?;
        found.sort();
        let (total, count) = (amount(recurring)?, Decimal::from(i64::try_from(all.len()).ok()?));
        let share = total.checked_div(count)?;
        let parts = observed.iter().map(amount).collect::<Option<Vec<_>>>()?;
        let sum = parts.iter().try_fold(Decimal::ZERO, |sum, part| sum.checked_add(*part))?;
        let gaps = parts.iter().map(|part| part.checked_sub(share)).collect::<Option<Vec<_>>>()?;
        let uneven: Vec<_> = gaps.iter().map(|gap| gap.abs()).filter(|gap| *gap > step).collect();
        let rest = step.checked_mul(count)?;
        let is_even = uneven.len() <= 1 && uneven.iter().all(|gap| *gap <= rest);
        // The API rounds the parts as it likes, but the customer must owe the amount, to the last digit.
        let is_sum = times.len() < all.len() || total.agrees_with(sum);
        Some(found == times && is_sum && is_even)
    };
    same().unwrap_or(false)
}

/// Every difference of an observed schedule, whose items have these ids, from what the spec says.
pub(super) fn differences(
    kind: Kind,
    desired: &Value,
    observed: Option<&Value>,
    ids: &[String],
) -> Vec<Difference> {
    let found = observed.map(items).unwrap_or_default();
    if is_division(desired, &found) {
        return Vec::new();
    }
    let wanted = items(desired);
    let same = |(wanted, found): (&Value, &Value)| member_differences(kind, wanted, found).is_empty();
    if wanted.len() == found.len() && wanted.iter().zip(&found).all(same) {
        return Vec::new();
    }
    let partners = pair(kind, &wanted, &found);
    let path = |item: &Value, member: &str| {
        let start = item.get(kind.start()).and_then(Value::as_str).unwrap_or_default();
        if member.is_empty() {
            format!("/scheduleItems/{start}")
        } else {
            format!("/scheduleItems/{start}/{member}")
        }
    };
    let mut differences = Vec::new();
    for (item, partner) in wanted.iter().zip(&partners) {
        let observed = partner.and_then(|index| Some((found.get(index)?, ids.get(index)?)));
        let Some((observed, id)) = observed else {
            let change = Change::new(path(item, ""), None, Some(item.clone()));
            differences.push(Difference { change, step: Step::Add(item.clone()) });
            continue;
        };
        for (member, sent) in member_differences(kind, item, observed) {
            let from = observed.get(member).cloned();
            let change = Change::new(path(item, member), from, item.get(member).cloned());
            differences.push(Difference { change, step: Step::Update(id.clone(), sent) });
        }
    }
    for (index, (item, id)) in found.iter().zip(ids).enumerate() {
        if !partners.contains(&Some(index)) {
            let change = Change::new(path(item, ""), Some(item.clone()), None);
            differences.push(Difference { change, step: Step::Remove(id.clone()) });
        }
    }
    differences
}

/// For each wanted item, the observed item that it is: the same one, else one that begins when it does, else the next
/// one that is left over.
fn pair(kind: Kind, wanted: &[Value], found: &[Value]) -> Vec<Option<usize>> {
    let start = |item: &Value| time(item, kind.start());
    let traits = |item: &Value| Traits::from([("start", format!("{:?}", start(item)))]);
    let mut pairing = Pairing::new(wanted, found);
    pairing.first_fit(|item| Some(traits(item)), traits, |a, b| member_differences(kind, a, b).is_empty());
    pairing.by_key(|item| Some(start(item)), |item| Some(start(item)));
    pairing.by_key(|_| Some(()), |_| Some(()));
    pairing.into_partners()
}

/// Members in which an observed item differs from the wanted one, each with what is sent to change it.
fn member_differences(kind: Kind, item: &Value, observed: &Value) -> Vec<(&'static str, Map<String, Value>)> {
    let sent = |names: &[&str]| -> Map<String, Value> {
        names.iter().filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone()))).collect()
    };
    let differs = |name: &str| match (number(item, name), number(observed, name)) {
        (Some(wanted), Some(found)) => !wanted.agrees_with(found),
        (wanted, found) => wanted != found,
    };
    let mut members = Vec::new();
    let times: &[&'static str] = match kind {
        Kind::Access => &["startingAt", "endingBefore"],
        Kind::Invoice => &["timestamp"],
    };
    members.extend(
        times
            .iter()
            .filter(|name| time(item, name) != time(observed, name))
            .map(|name| (*name, sent(&[name]))),
    );
    if item.get("amount").is_some() {
        let agrees = matches!((amount(item), amount(observed)), (Some(a), Some(b)) if a.agrees_with(b));
        if !agrees {
            members.push(("amount", sent(&["amount"])));
        }
    } else {
        let prices = ["unitPrice", "quantity"].into_iter().filter(|name| differs(name));
        members.extend(prices.map(|name| (name, sent(&["unitPrice", "quantity"]))));
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn recurring(distribution: &str, frequency: &str, amount: &str) -> Value {
        json!({"recurringSchedule": {
            "amountDistribution": distribution, "frequency": frequency, "amount": amount,
            "startingAt": "2026-01-31T00:00:00Z", "endingBefore": "2027-01-31T00:00:00Z",
        }})
    }

    fn amounts(schedule: &Value) -> Vec<String> {
        items(schedule).iter().map(|item| item["amount"].as_str().unwrap().to_owned()).collect()
    }

    fn observed(amounts: &[&str]) -> (Value, Vec<String>) {
        let times = items(&recurring("EACH", "QUARTERLY", "1"));
        let items: Vec<_> = times
            .iter()
            .zip(amounts)
            .map(|(item, amount)| {
                json!({"timestamp": item["timestamp"], "amount": amount, "unitPrice": amount, "quantity": "1"})
            })
            .collect();
        let ids = (0..items.len()).map(|index| format!("item-{index}")).collect();
        (json!({"scheduleItems": items}), ids)
    }

    fn steps(desired: &Value, observed: &Value, ids: &[String]) -> Vec<Step> {
        differences(Kind::Invoice, desired, Some(observed), ids).into_iter().map(|found| found.step).collect()
    }

    #[test]
    fn a_recurring_schedule_means_items_counted_from_its_start() {
        let times: Vec<_> = items(&recurring("EACH", "MONTHLY", "5"))
            .iter()
            .map(|item| item["timestamp"].as_str().unwrap()[..10].to_owned())
            .collect();
        assert_eq!(times.len(), 12);
        assert_eq!(times[..4], ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]);
        assert_eq!(items(&recurring("EACH", "QUARTERLY", "5")).len(), 4);
        assert_eq!(items(&recurring("EACH", "SEMI_ANNUAL", "5")).len(), 2);
        assert_eq!(items(&recurring("EACH", "ANNUAL", "5")).len(), 1);
    }

    #[test]
    fn a_divided_amount_adds_up() {
        assert_eq!(amounts(&recurring("EACH", "QUARTERLY", "1000")), ["1000"; 4]);
        assert_eq!(
            amounts(&recurring("DIVIDED", "QUARTERLY", "1000.03")),
            ["250.00", "250.00", "250.00", "250.03"]
        );
        assert_eq!(amounts(&recurring("DIVIDED_ROUNDED", "QUARTERLY", "1003")), ["250", "250", "250", "253"]);
    }

    #[test]
    fn however_the_api_rounds_a_divided_amount_there_is_nothing_to_do() {
        let desired = recurring("DIVIDED", "QUARTERLY", "1001");
        for amounts in [["250.25"; 4], ["250", "250", "250", "251"], ["251", "250", "250", "250"]] {
            let (observed, ids) = observed(&amounts);
            assert_eq!(steps(&desired, &observed, &ids), [], "{amounts:?}");
        }
        let (changed, ids) = observed(&["250.25", "250.25", "250.25", "300"]);
        assert!(!steps(&desired, &changed, &ids).is_empty());
    }

    #[test]
    fn a_divided_amount_that_comes_to_another_sum_is_corrected() {
        let mut desired = recurring("DIVIDED", "QUARTERLY", "4");
        let (exact, ids) = observed(&["1.01", "0.99", "1.00", "1.00"]);
        let (changed, _) = observed(&["1.08"; 4]);
        let (uneven, _) = observed(&["0.5", "1.5", "1", "1"]);
        for unit in [None, Some("eur")] {
            if let Some(unit) = unit {
                desired["creditTypeId"] = json!(unit);
            }
            assert_eq!(steps(&desired, &exact, &ids), []);
            assert_eq!(steps(&desired, &changed, &ids).len(), 4, "0.32 more than agreed");
            // A cent is 1 in US dollars and 0.01 in euros.
            assert_eq!(steps(&desired, &uneven, &ids).is_empty(), unit.is_none());
        }
    }

    #[test]
    fn an_amount_is_its_price_times_its_quantity() {
        let observed = json!({"scheduleItems": [{"timestamp": "2026-01-01T00:00:00Z", "unitPrice": "5", "quantity": "10"}]});
        let sent = json!({"scheduleItems": [{"timestamp": "2026-01-01T00:00:00Z", "amount": "50.0"}]});
        assert_eq!(steps(&sent, &observed, &["a".to_owned()]), []);
        let other = json!({"scheduleItems": [{"timestamp": "2026-01-01T00:00:00Z", "unitPrice": "10", "quantity": "5"}]});
        let found = steps(&other, &observed, &["a".to_owned()]);
        assert!(
            found.iter().all(|step| matches!(step, Step::Update(id, sent) if id == "a" && sent.len() == 2))
        );
        assert!(!found.is_empty());
    }

    #[test]
    fn an_item_is_changed_where_it_can_be_and_others_come_and_go() {
        let segment = |start: &str, end: &str, amount: &str| json!({"startingAt": format!("{start}T00:00:00Z"), "endingBefore": format!("{end}T00:00:00Z"), "amount": amount});
        let observed = json!({"scheduleItems": [
            segment("2026-01-01", "2027-01-01", "100"), segment("2027-01-01", "2028-01-01", "200"),
        ]});
        let ids = ["a".to_owned(), "b".to_owned()];
        let run = |desired: &Value| differences(Kind::Access, desired, Some(&observed), &ids);
        let more = json!({"scheduleItems": [
            segment("2027-01-01", "2028-01-01", "250"), segment("2026-01-01", "2027-01-01", "100"),
            segment("2028-01-01", "2029-01-01", "300"),
        ]});
        let found = run(&more);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].change.path, "/scheduleItems/2027-01-01T00:00:00Z/amount");
        assert!(matches!(&found[0].step, Step::Update(id, _) if id == "b"));
        assert!(matches!(&found[1].step, Step::Add(item) if item["amount"] == "300"));
        let fewer = json!({"scheduleItems": [segment("2026-01-01", "2027-01-01", "100")]});
        assert_eq!(
            run(&fewer).into_iter().map(|found| found.step).collect::<Vec<_>>(),
            [Step::Remove("b".to_owned())]
        );
    }
}
