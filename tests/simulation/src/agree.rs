//! Whether billing says what Git says: written anew over JSON, apart from the planners that say so themselves.

use countersign_core::api::BillingContract;
use serde_json::Value;

use crate::time::{HOUR, parse};

/// How the difference ends that is an item of a deal which Git does not have.
pub(crate) const NOT_IN_GIT: &str = " is in force, and not in Git";

/// The terms of a contract, as its YAML has them.
pub(crate) fn terms(contract: &BillingContract) -> Value {
    let spec = serde_json::to_value(&contract.spec).unwrap_or_default();
    let terms = ["zoo", "metronome"].into_iter().map(|api| spec[api].clone());
    terms.into_iter().find(Value::is_object).unwrap_or_default()
}

/// A number, as billing or as Git writes it.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value[name].as_array().into_iter().flatten()
}

/// A difference of what Zoo shows from what the spec says.
pub(crate) fn zoo(terms: &Value, view: &Value) -> Option<String> {
    let texts = [("name", "name"), ("currency", "currency"), ("notes", "notes"), ("status", "status")];
    for (said, told) in texts {
        let starts = said == "status" && terms[said] == "scheduled" && view[told] == "active";
        if terms[said].is_string() && !starts && terms[said] != view[told] {
            return Some(format!("{said}: {} and {}", view[told], terms[said]));
        }
    }
    let items = list(terms, "items").map(|item| {
        let found = list(view, "items").find(|found| found["code"] == item["code"]);
        (item, found.unwrap_or(&Value::Null))
    });
    for (item, found) in items {
        if number(&item["fixedFeeAmount"]) != number(&found["fixed_fee_amount"]) {
            return Some(format!("the fee of {}: {found} and {item}", item["code"]));
        }
    }
    for period in list(terms, "periods") {
        let found = list(view, "periods")
            .find(|found| number(&found["period_index"]) == number(&period["periodIndex"]))
            .unwrap_or(&Value::Null);
        if number(&found["commitment_amount"]) != number(&period["commitmentAmount"]) {
            return Some(format!("a period: {found} and {period}"));
        }
    }
    let count = |value: &Value, name: &str| list(value, name).count();
    let differs = ["items", "periods"].into_iter().find(|name| count(terms, name) != count(view, name));
    differs.map(|name| format!("more or fewer {name}"))
}

/// A difference of what Metronome shows from what the spec of a deal says.
pub(crate) fn metronome(terms: &Value, data: &Value, slot: usize) -> Option<String> {
    if data["archived_at"].is_string() {
        return Some("it is archived".to_owned());
    }
    let trimmed = |value: &Value| value.as_str().map(|text| text.trim().to_owned());
    if terms["name"].is_string() && trimmed(&terms["name"]) != trimmed(&data["name"]) {
        return Some(format!("name: {} and {}", data["name"], terms["name"]));
    }
    let days = number(&terms["netPaymentTermsDays"]);
    if days.is_some() && days != number(&data["net_payment_terms_days"]) {
        return Some(format!("payment terms: {} and {days:?}", data["net_payment_terms_days"]));
    }
    let end = parse(&terms["endingBefore"]);
    if end.is_some() && end != parse(&data["ending_before"]) {
        return Some(format!("end: {} and {}", data["ending_before"], terms["endingBefore"]));
    }
    let lists = [
        ("commits", "commits"),
        ("credits", "credits"),
        ("scheduledCharges", "scheduled_charges"),
        ("recurringCommits", "recurring_commits"),
    ];
    for (said, told) in lists {
        let live = || list(data, told).filter(|item| is_live(item));
        for item in list(terms, said) {
            let mut found = live().filter(|found| found["product"]["id"] == item["productId"]);
            match (found.next(), found.next()) {
                (Some(found), None) => {
                    if let Some(difference) = item_difference(item, found, end) {
                        return Some(format!("{said}/{}: {difference}", item["key"]));
                    }
                }
                (None, _) => return Some(format!("{said}/{} is not there", item["key"])),
                _ => return Some(format!("{said}/{} is there twice", item["key"])),
            }
        }
        let prefix = format!("product-{slot}-");
        let is_own = |found: &&Value| {
            found["product"]["id"].as_str().is_some_and(|product| product.starts_with(&prefix))
        };
        let is_said =
            |found: &Value| list(terms, said).any(|item| item["productId"] == found["product"]["id"]);
        let more =
            live().filter(is_own).find(|found| !is_said(found) && parse(&found["ending_before"]).is_none());
        if let Some(more) = more {
            return Some(format!("{told} {}{NOT_IN_GIT}", more["id"]));
        }
    }
    None
}

/// A difference of what a customer has beside its contracts, as Metronome shows it, from a list of the spec of a deal.
pub(crate) fn beside(terms: &Value, said: &str, told: &[Value], slot: usize, now: i64) -> Option<String> {
    let own = format!("product-{slot}-");
    let of = |found: &Value| found["product"]["id"].as_str().unwrap_or_default().to_owned();
    let ends = |schedule: &Value, name: &str| -> Vec<i64> {
        let mut ends: Vec<_> = list(schedule, name).filter_map(ending).collect();
        ends.sort_unstable();
        ends
    };
    for item in list(terms, said) {
        let mut found = told.iter().filter(|found| found["product"]["id"] == item["productId"]);
        let difference = match (found.next(), found.next()) {
            (Some(found), None) => item_difference(item, found, None).or_else(|| {
                let wanted = ends(&item["accessSchedule"], "scheduleItems");
                let told = ends(&found["access_schedule"], "schedule_items");
                (wanted != told).then(|| format!("its access ends {told:?} and {wanted:?}"))
            }),
            (None, _) => Some("not there".to_owned()),
            _ => Some("there twice".to_owned()),
        };
        if let Some(difference) = difference {
            return Some(format!("{said}/{}: {difference}", item["key"]));
        }
    }
    let is_said = |found: &Value| list(terms, said).any(|item| item["productId"] == found["product"]["id"]);
    let goes_on = |part: &Value| {
        let until = ending(part).or_else(|| parse(&part["timestamp"]));
        until.is_some_and(|until| until > now + HOUR) && number(&part["amount"]) != Some(0)
    };
    let is_left = |found: &&Value| {
        let schedules = ["access_schedule", "invoice_schedule"].into_iter();
        of(found).starts_with(&own)
            && !is_said(found)
            && schedules.flat_map(|schedule| list(&found[schedule], "schedule_items")).any(goes_on)
    };
    told.iter().find(is_left).map(|left| format!("{said} {}{NOT_IN_GIT}", left["id"]))
}

/// When a part of a schedule ends, in either spelling.
fn ending(part: &Value) -> Option<i64> {
    parse(&part["ending_before"]).or_else(|| parse(&part["endingBefore"]))
}

/// Whether an item is somebody's, and not archived.
fn is_live(item: &Value) -> bool {
    item["archived_at"].is_null() && item["recurring_commit_id"].is_null()
}

fn item_difference(item: &Value, found: &Value, end: Option<i64>) -> Option<String> {
    let is_in = |at: i64| end.is_none_or(|end| at < end);
    let sorted = |mut found: Vec<(i64, i64)>| {
        found.sort_unstable();
        found
    };
    let invoices = |schedule: &Value, items: &str| -> Vec<(i64, i64)> {
        let entries = list(schedule, items)
            .filter_map(|entry| parse(&entry["timestamp"]).zip(number(&entry["amount"])));
        sorted(entries.filter(|(at, _)| is_in(*at)).collect())
    };
    for (said, told) in [("schedule", "schedule"), ("invoiceSchedule", "invoice_schedule")] {
        let wanted = &item[said];
        if wanted.is_object()
            && wanted["recurringSchedule"].is_null()
            && invoices(wanted, "scheduleItems") != invoices(&found[told], "schedule_items")
        {
            return Some(format!("invoices: {} and {wanted}", found[told]));
        }
    }
    let access = |schedule: &Value, items: &str, from: &str, amount: &str| -> Vec<(i64, i64)> {
        let entries =
            list(schedule, items).filter_map(|entry| parse(&entry[from]).zip(number(&entry[amount])));
        sorted(entries.filter(|(at, _)| is_in(*at)).collect())
    };
    let wanted = access(&item["accessSchedule"], "scheduleItems", "startingAt", "amount");
    if wanted != access(&found["access_schedule"], "schedule_items", "starting_at", "amount") {
        return Some(format!("access: {} and {wanted:?}", found["access_schedule"]));
    }
    let amount = |value: &Value, name: &str, price: &str| {
        number(&value[name][price])
            .zip(number(&value[name]["quantity"]))
            .map(|(price, quantity)| price * quantity)
    };
    let wanted = amount(item, "invoiceAmount", "unitPrice");
    if wanted.is_some() && wanted != amount(found, "invoice_amount", "unit_price") {
        return Some(format!("amount: {} and {wanted:?}", found["invoice_amount"]));
    }
    // Taken out and not put back: the end of a recurring item is an hour away at most.
    let (said, told) = (parse(&item["endingBefore"]), parse(&found["ending_before"]));
    let cut = |end_of: Option<i64>| end_of.into_iter().chain(end).min();
    let is_recurring = item["recurrenceFrequency"].is_string();
    let differs = is_recurring
        && cut(said) != cut(told)
        && told.is_none_or(|told| end.is_none_or(|end| told < end - HOUR));
    differs.then(|| format!("end: {told:?} and {said:?}"))
}
