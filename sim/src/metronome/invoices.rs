//! Invoices: what a contract's commits, charges and subscriptions come to, one by one, and which of them are final.
//!
//! A draft follows the contract; one that is issued is kept as it was, whatever is edited afterwards. The key of an
//! invoice is the id of the schedule item that it is for, or that of a subscription with the start of a period. There
//! is no usage, so there are no invoices for it.

use bigdecimal::BigDecimal;
use chrono::{DateTime, SecondsFormat, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Builder;

use super::call::Call;
use super::contract::{Contract, Invoice};
use super::failure::Failure;
use super::switches::{Finality, FutureInvoices, InvoiceGrouping};
use super::time::{self, Step};
use super::value::{Fields, Json};
use super::{catalog, decimal, rates, schedules};

/// An invoice that the terms of a contract come to.
struct Drawn {
    key: String,
    issued_at: DateTime<Utc>,
    /// As it is read, but for id and status.
    body: Fields,
}

/// The schedules that invoice something: the list, the field, the type of a line and the name of its item in there.
const SCHEDULES: [(&str, &str, &str, &str); 2] = [
    ("commits", "invoice_schedule", "commit_purchase", "commit"),
    ("scheduled_charges", "schedule", "scheduled", "scheduled_charge"),
];

/// Every invoice that the terms come to, later ones of schedules and begun ones of subscriptions included.
fn drawn(call: &Call, contract: &Contract) -> Result<Vec<Drawn>, Failure> {
    let mut all = Vec::new();
    if contract.archived_at.is_some() {
        return Ok(all);
    }
    for (list, field, kind, prefix) in SCHEDULES {
        for item in contract.terms.objects(list).filter(|item| !item.has("archived_at")) {
            let Some(schedule) = item.object(field) else { continue };
            if schedule.flag("do_not_invoice") == Some(true) {
                continue;
            }
            let consolidated = prefix == "scheduled_charge"
                && contract.terms.text("scheduled_charges_on_usage_invoices") == Some("ALL");
            for row in schedule.objects("schedule_items") {
                let (Some(key), Some(issued_at)) = (row.text("id"), time::of(row, "timestamp")) else {
                    continue;
                };
                let mut line = line(item, kind, prefix, schedule.object("credit_type"));
                line.copy(row, &["unit_price", "quantity"]);
                line.set("total", row.get("amount").cloned().unwrap_or_default());
                if prefix == "commit" {
                    let postpaid = item.text("type") == Some("POSTPAID");
                    line.set("commit_type", if postpaid { "PostpaidCommit" } else { "PrepaidCommit" });
                }
                let kind = if consolidated { "USAGE" } else { "SCHEDULED" };
                let mut body = body(contract, kind, issued_at, line);
                if let Some(id) =
                    item.object("invoice_contract").and_then(|invoiced_on| invoiced_on.text("id"))
                {
                    body.set("contract_id", id);
                }
                all.push(Drawn { key: key.to_owned(), issued_at, body });
            }
        }
    }
    for subscription in contract.terms.objects("subscriptions") {
        all.extend(periods(call, contract, subscription)?);
    }
    Ok(all)
}

/// A line for an item, without what it costs.
fn line(item: &Fields, kind: &str, prefix: &str, unit: Option<&Fields>) -> Fields {
    let product = item.object("product").or_else(|| item.object("subscription_rate")?.object("product"));
    let name = item.text("name").or_else(|| product?.text("name")).unwrap_or_default();
    let product_type =
        if prefix == "subscription" { "SubscriptionProductListItem" } else { "FixedProductListItem" };
    let mut line = Fields::default()
        .with("type", kind)
        .with("name", name)
        .with("product_type", product_type)
        .with("credit_type", unit.cloned().unwrap_or_default())
        .with(&format!("{prefix}_id"), item.text("id").unwrap_or_default());
    if let Some(id) = product.and_then(|product| product.text("id")) {
        line.set("product_id", id);
    }
    if let Some(custom) = item.object("custom_fields") {
        line.set(&format!("{prefix}_custom_fields"), custom.clone());
    }
    line
}

fn body(contract: &Contract, kind: &str, issued_at: DateTime<Utc>, line: Fields) -> Fields {
    let total = line.get("total").cloned().unwrap_or_default();
    let mut body = Fields::default()
        .with("customer_id", contract.customer_id.as_str())
        .with("contract_id", contract.id.as_str())
        .with("type", kind)
        .with("issued_at", time::json(issued_at))
        .with("credit_type", line.object("credit_type").cloned().unwrap_or_default())
        .with("billable_status", "billable")
        .with("subtotal", total.clone())
        .with("total", total)
        .with("line_items", vec![Json::from(line)]);
    body.copy(
        &contract.terms,
        &["net_payment_terms_days", "netsuite_sales_order_id", "salesforce_opportunity_id"],
    );
    if let Some(custom) = contract.terms.object("custom_fields") {
        body.set("contract_custom_fields", custom.clone());
    }
    body
}

/// The periods of a subscription that have begun, each with the quantity at its start.
fn periods(call: &Call, contract: &Contract, subscription: &Fields) -> Result<Vec<Drawn>, Failure> {
    let frequency = subscription.object("subscription_rate").and_then(|rate| rate.text("billing_frequency"));
    let (Some(step), Some(from)) = (
        frequency.and_then(|it| Step::every(it, call.settings.metronome_month_ends)),
        time::of(subscription, "starting_at"),
    ) else {
        return Ok(Vec::new());
    };
    let ends = [time::of(subscription, "ending_before"), time::of(&contract.terms, "ending_before")];
    let end = ends.into_iter().flatten().min().unwrap_or(DateTime::<Utc>::MAX_UTC);
    let in_arrears = subscription.text("collection_schedule") == Some("ARREARS");
    let apart = subscription.object("billing_cycle_config").and_then(|cycle| cycle.text("invoice_placement"))
        == Some("ON_SCHEDULED_INVOICE");
    let unit = catalog::credit_type(call, subscription.text("fiat_credit_type_id"))?;
    let begun: Vec<_> = step.starts(from, end).take_while(|start| *start <= call.now).collect();
    let mut drawn = Vec::new();
    for (start, index) in begun.into_iter().zip(1..) {
        let until = step.after(from, index).unwrap_or(end).min(end);
        let quantity = quantity_at(subscription, start);
        let mut line = line(subscription, "subscription", "subscription", Some(&unit));
        let price = rates::subscription_price(call, contract, subscription, start)?;
        line.set("total", schedules::product(&price, &quantity)?);
        line.set("unit_price", Json::Number(price));
        line.set("quantity", Json::Number(quantity));
        line.set("starting_at", time::json(start));
        line.set("ending_before", time::json(until));
        let issued_at = if in_arrears { until } else { start };
        let kind = if apart { "SCHEDULED" } else { "USAGE" };
        let body = body(contract, kind, issued_at, line)
            .with("start_timestamp", time::json(start))
            .with("end_timestamp", time::json(until));
        drawn.push(Drawn { key: period_key(subscription, start), issued_at, body });
    }
    Ok(drawn)
}

/// The quantity of a subscription at a time.
pub(super) fn quantity_at(subscription: &Fields, at: DateTime<Utc>) -> String {
    let in_force = |segment: &&Fields| time::of(segment, "starting_at").is_some_and(|start| start <= at);
    let segment = subscription.objects("quantity_schedule").filter(in_force).last();
    segment.and_then(|segment| segment.number("quantity")).unwrap_or("0").to_owned()
}

fn period_key(subscription: &Fields, start: DateTime<Utc>) -> String {
    let id = subscription.text("id").unwrap_or_default();
    format!("{id}@{}", start.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// The key under which an issued invoice is kept once another has taken its place, as the `count`-th from 0 on.
fn old_key(key: &str, count: usize) -> String {
    format!("{key}#{count}")
}

/// How often the invoice with that key was voided and regenerated.
fn regenerated(contract: &Contract, key: &str) -> usize {
    // `$` comes after `#`: these are the keys that begin with this one and `#`.
    contract.issued.range(format!("{key}#")..format!("{key}$")).count()
}

/// The id of the invoice with that key: the same at every look.
fn id(contract: &Contract, key: &str) -> String {
    let digest = Sha256::digest(old_key(key, regenerated(contract, key)));
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, digest)| *byte = digest);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// The keys of all invoices that can be issued.
pub(super) fn keys(call: &Call, contract: &Contract) -> Result<Vec<String>, Failure> {
    Ok(drawn(call, contract)?.into_iter().map(|invoice| invoice.key).collect())
}

/// Issues what is due, where the settings say that time does so; says whether there was anything.
pub(super) fn issue_due(call: &Call, contract: &mut Contract) -> Result<bool, Failure> {
    if call.settings.metronome_finality == Finality::Marked {
        return Ok(false);
    }
    let due = drawn(call, contract)?.into_iter().filter(|invoice| invoice.issued_at <= call.now);
    let due: Vec<_> = due.filter(|invoice| !contract.invoices.contains_key(&invoice.key)).collect();
    let any = !due.is_empty();
    for invoice in due {
        issue(contract, invoice, Invoice::Finalized);
    }
    show_ids(contract);
    Ok(any)
}

/// Says that the thing with that key is on an invoice in that state, or on none.
pub(super) fn mark(
    call: &Call,
    contract: &mut Contract,
    key: &str,
    state: Option<Invoice>,
) -> Result<(), Failure> {
    let Some(state) = state else {
        contract.invoices.remove(key);
        contract.issued.remove(key);
        show_ids(contract);
        return Ok(());
    };
    match drawn(call, contract)?.into_iter().find(|invoice| invoice.key == key) {
        Some(invoice) => issue(contract, invoice, state),
        None => drop(contract.invoices.insert(key.to_owned(), state)),
    }
    show_ids(contract);
    Ok(())
}

fn issue(contract: &mut Contract, invoice: Drawn, state: Invoice) {
    let Drawn { key, body, .. } = invoice;
    let body = body.with("id", id(contract, &key));
    contract.issued.entry(key.clone()).or_insert(body);
    contract.invoices.insert(key, state);
}

/// Gives every item of an invoice schedule that is on an invoice the invoice's id, and no other.
fn show_ids(contract: &mut Contract) {
    let mut terms = std::mem::take(&mut contract.terms);
    for (list, field) in
        [("commits", "invoice_schedule"), ("scheduled_charges", "schedule"), ("discounts", "schedule")]
    {
        for item in terms.objects_mut(list).filter(|item| item.has(field)) {
            item.edit(field, |schedule| {
                for row in schedule.objects_mut("schedule_items") {
                    let key = row.text("id").unwrap_or_default().to_owned();
                    let invoice = contract.invoices.contains_key(&key).then(|| id(contract, &key));
                    row.set_or_clear("invoice_id", &Json::from(invoice));
                }
            });
        }
    }
    contract.terms = terms;
}

/// Takes voided invoices' place by new ones, which follow the contract; answers the id of the first.
pub(super) fn regenerate(
    call: &Call,
    contract: &mut Contract,
    keys: Vec<String>,
) -> Result<Option<String>, Failure> {
    let mut new = None;
    for key in keys {
        let count = regenerated(contract, &key);
        if let Some(invoice) = contract.issued.remove(&key) {
            contract.issued.insert(old_key(&key, count), invoice);
        }
        contract.invoices.remove(&key);
        contract.invoices.insert(old_key(&key, count), Invoice::Voided);
        new = new.or_else(|| Some(id(contract, &key)));
    }
    issue_due(call, contract)?;
    show_ids(contract);
    Ok(new)
}

/// The invoices of a contract as they are read, with their keys: those that were issued, and drafts.
pub(super) fn told(call: &Call, contract: &Contract) -> Result<Vec<(Vec<String>, Fields)>, Failure> {
    let mut all: Vec<(Vec<String>, Fields)> = Vec::new();
    for (key, invoice) in &contract.issued {
        let status = match contract.invoices.get(key) {
            Some(Invoice::Finalized) => "FINALIZED",
            Some(Invoice::Voided) | None => "VOID",
        };
        all.push((vec![key.clone()], invoice.clone().with("status", status)));
    }
    for Drawn { key, issued_at, body } in drawn(call, contract)? {
        let later = issued_at > call.now && call.settings.metronome_future_invoices == FutureInvoices::Hidden;
        if !later && !contract.issued.contains_key(&key) {
            let body = body.with("id", id(contract, &key)).with("status", "DRAFT");
            all.push((vec![key], body));
        }
    }
    all.sort_by_cached_key(|(_, invoice)| {
        (time::of(invoice, "issued_at"), invoice.text("id").map(str::to_owned))
    });
    Ok(match call.settings.metronome_invoice_grouping {
        InvoiceGrouping::Each => all,
        InvoiceGrouping::ByDate => grouped(all),
    })
}

/// One invoice for all that have type, date, unit and status in common, under the id of the first.
fn grouped(all: Vec<(Vec<String>, Fields)>) -> Vec<(Vec<String>, Fields)> {
    let mut groups: Vec<(Vec<String>, Fields)> = Vec::new();
    for (keys, invoice) in all {
        let alike = |group: &Fields| {
            ["type", "issued_at", "credit_type", "status"]
                .iter()
                .all(|name| group.get(name) == invoice.get(name))
        };
        match groups.iter_mut().find(|(_, group)| alike(group)) {
            Some((all_keys, group)) => {
                all_keys.extend(keys);
                group.extend("line_items", invoice.list("line_items").to_vec());
                let total = |of: &Fields| of.number("total").and_then(decimal::parse).unwrap_or_default();
                let sum: BigDecimal = total(group) + total(&invoice);
                group.set("total", decimal::json(&sum));
                group.set("subtotal", decimal::json(&sum));
            }
            None => groups.push((keys, invoice)),
        }
    }
    groups
}

/// The invoices of a contract as they are read.
pub(super) fn of_contract(call: &Call, contract: &Contract) -> Result<Vec<Fields>, Failure> {
    Ok(told(call, contract)?.into_iter().map(|(_, invoice)| invoice).collect())
}
