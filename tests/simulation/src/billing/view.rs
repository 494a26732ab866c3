//! How a Metronome contract is told: defaults filled in, products as objects, lists in whatever order.

use serde_json::{Map, Value, json};

use super::{
    Manner,
    items::{Item, LISTS},
    metronome::{Contract, Line},
};
use crate::time;

const USD: &str = "2714e483-4ff1-48e4-9e25-ac732e8f24f2";

/// `data` of `v2/contracts/get`.
pub(super) fn contract(contract: &Contract, manner: Manner, now: i64) -> Value {
    let mut data = json!({
        "id": contract.id, "customer_id": contract.customer, "created_at": when(contract.created, manner),
        "created_by": "somebody", "starting_at": when(contract.from, manner),
        "commits": [], "credits": [], "scheduled_charges": [], "recurring_commits": [], "overrides": [],
        "transitions": [], "usage_filter": [], "rate_card_id": contract.rest.get("rate_card_id"),
        "usage_statement_schedule": {"frequency": "MONTHLY", "billing_anchor_date": when(contract.from, manner)},
    });
    let optional = [
        ("ending_before", contract.to.map(|to| json!(when(to, manner)))),
        ("archived_at", contract.archived.map(|at| json!(when(at, manner)))),
        ("name", contract.name.as_ref().map(|name| json!(text(name, manner)))),
        ("net_payment_terms_days", contract.payment_days.map(|days| json!(days))),
        ("uniqueness_key", contract.key.as_ref().map(|key| json!(prefixed(key, manner)))),
    ];
    for (name, value) in optional {
        if value.is_some() || manner.nulls {
            data[name] = value.unwrap_or_default();
        }
    }
    for (list, _) in LISTS {
        let mut told: Vec<_> = contract
            .items
            .iter()
            .filter(|item| item.list == list)
            .map(|item| told(item, contract, manner))
            .collect();
        if list == "commits" {
            told.extend(contract.items.iter().flat_map(|item| minted(item, contract, manner, now)));
        }
        if manner.reversed {
            told.reverse();
        }
        data[list] = told.into();
    }
    if manner.extras {
        data["total_balance"] = json!(7);
    }
    data
}

/// `data` of a list of what a customer has beside its contracts.
pub(super) fn beside(all: &Contract, list: &str, manner: Manner) -> Vec<Value> {
    let manner = Manner { extras: false, ..manner };
    let mut listed: Vec<_> =
        all.items.iter().filter(|item| item.list == list).map(|item| told(item, all, manner)).collect();
    if manner.reversed {
        listed.reverse();
    }
    listed
}

fn told(item: &Item, contract: &Contract, manner: Manner) -> Value {
    let mut members = item.rest.clone();
    for (name, value) in &mut members {
        match (name.as_str(), value.as_str()) {
            ("name" | "description", Some(found)) => *value = json!(text(found, manner)),
            ("uniqueness_key", Some(found)) if manner.prefixed => *value = json!(format!("commit:{found}")),
            ("type", Some(found)) if manner.lower => *value = json!(found.to_lowercase()),
            _ => {}
        }
    }
    members.insert("id".to_owned(), json!(item.id));
    members.insert("product".to_owned(), json!({"id": item.product, "name": "A product"}));
    if manner.extras {
        members.insert("contract".to_owned(), json!({"id": contract.id}));
    }
    if item.is_archived {
        members.insert("archived_at".to_owned(), json!(when(contract.created, manner)));
    }
    match item.list {
        "recurring_commits" => {
            members.entry("rate_type").or_insert_with(|| json!("LIST_RATE"));
            for name in ["access_amount", "invoice_amount"] {
                if let Some(amount) = members.get_mut(name).and_then(Value::as_object_mut) {
                    amount.entry("credit_type_id").or_insert_with(|| json!(USD));
                }
            }
            if let Some(recurring) = &item.recurring {
                members.insert("starting_at".to_owned(), json!(when(recurring.from, manner)));
                if let Some(to) = recurring.to {
                    members.insert("ending_before".to_owned(), json!(when(to, manner)));
                }
            }
        }
        "scheduled_charges" => {
            members.insert("schedule".to_owned(), invoices(item, manner));
        }
        _ => {
            members.entry("priority").or_insert_with(|| json!(100));
            members.entry("rate_type").or_insert_with(|| json!("LIST_RATE"));
            members.insert("access_schedule".to_owned(), access(item, manner));
            if item.list == "commits" && !item.invoices.is_empty() {
                members.insert("invoice_schedule".to_owned(), invoices(item, manner));
            }
        }
    }
    Value::Object(members)
}

/// The commits that a recurring one has made up to now.
fn minted(item: &Item, contract: &Contract, manner: Manner, now: i64) -> Vec<Value> {
    let beginnings = item.beginnings(now, contract.to).into_iter().enumerate();
    let commit = |(index, at): (usize, i64)| {
        json!({
            "id": minted_id(item, index), "recurring_commit_id": item.id, "type": "PREPAID",
            "product": {"id": item.product, "name": "A product"}, "priority": 100, "rate_type": "LIST_RATE",
            "access_schedule": {"credit_type": {"id": USD, "name": "USD (cents)"}, "schedule_items": [
                {"id": format!("{}-access-{index}", item.id), "amount": 1,
                 "starting_at": when(at, manner), "ending_before": when(time::months_after(at, 1), manner)}]},
        })
    };
    beginnings.map(commit).collect()
}

/// ID of the commit that a recurring one has made for the period with this number.
pub(super) fn minted_id(item: &Item, index: usize) -> String {
    format!("{}-of-{index}", item.id)
}

/// An invoice of one line, as a list of invoices has it.
pub(super) fn invoice(contract: &str, id: &str, at: i64, line: &Line, manner: Manner) -> Value {
    let status = if manner.lower { "finalized" } else { "FINALIZED" };
    let mut told = json!({"product_id": line.product, "name": "A product"});
    if line.list == "scheduled_charges" {
        told["type"] = json!("scheduled");
        told["scheduled_charge_id"] = json!(line.item);
    } else {
        told["type"] = json!("commit_purchase");
        told["commit_id"] = json!(line.item);
        told["commit_type"] = json!("PrepaidCommit");
    }
    json!({
        "id": format!("invoice-of-{id}-at-{at}"), "contract_id": contract, "customer_id": line.customer, "status": status,
        "type": "SCHEDULED", "issued_at": when(at, manner), "total": 1,
        "credit_type": {"id": USD, "name": "USD (cents)"}, "line_items": [told],
    })
}

fn access(item: &Item, manner: Manner) -> Value {
    let told = item.access.iter().map(|access| {
        json!({"id": access.id, "amount": access.amount, "starting_at": when(access.from, manner),
               "ending_before": when(access.to, manner)})
    });
    schedule(told.collect(), manner)
}

fn invoices(item: &Item, manner: Manner) -> Value {
    let told = item.invoices.iter().map(|invoice| {
        let mut told = Map::new();
        told.insert("id".to_owned(), json!(invoice.id));
        told.insert("timestamp".to_owned(), json!(when(invoice.at, manner)));
        told.insert("amount".to_owned(), json!(invoice.amount));
        if manner.priced {
            told.insert("unit_price".to_owned(), json!(invoice.amount));
            told.insert("quantity".to_owned(), json!(1));
        }
        Value::Object(told)
    });
    schedule(told.collect(), manner)
}

fn schedule(mut items: Vec<Value>, manner: Manner) -> Value {
    if manner.reversed {
        items.reverse();
    }
    json!({"credit_type": {"id": USD, "name": "USD (cents)"}, "schedule_items": items})
}

fn when(moment: i64, manner: Manner) -> String {
    let text = time::text(moment);
    if manner.offsets { text.replace('Z', "+00:00") } else { text }
}

fn text(text: &str, manner: Manner) -> &str {
    if manner.trimmed { text.trim() } else { text }
}

fn prefixed(key: &str, manner: Manner) -> String {
    if manner.prefixed { format!("contract:{key}") } else { key.to_owned() }
}
