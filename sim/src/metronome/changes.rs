//! The verbs of an edit that touch what a contract already has: archive, remove, update, end.

use chrono::{DateTime, Utc};

use super::call::Call;
use super::contract::{Contract, Invoice};
use super::failure::Failure;
use super::minting::Mint;
use super::schedules::{self, Kind};
use super::seats::Seats;
use super::value::{Fields, Json};
use super::{catalog, decimal, rules, time};

fn refuse(message: String) -> Failure {
    Failure::bad_request(message)
}

fn id_of<'a>(sent: &'a Fields, field: &str) -> &'a str {
    sent.text(field).unwrap_or_default()
}

/// The item that an update is about, if it is there and not archived.
fn item<'a>(terms: &'a mut Fields, list: &str, id: &str) -> Result<&'a mut Fields, Failure> {
    let item = terms.item_mut(list, id).ok_or_else(|| refuse(format!("{list}: {id} not found")))?;
    if item.has("archived_at") { Err(refuse(format!("{list}: {id} is archived"))) } else { Ok(item) }
}

/// `archive_commits`, `archive_credits`, `archive_scheduled_charges`, `archive_spend_trackers`, `remove_overrides`
pub(super) fn archive_items(call: &Call, contract: &mut Contract, body: &Fields) -> Result<(), Failure> {
    for (verb, list) in [
        ("archive_commits", "commits"),
        ("archive_credits", "credits"),
        ("archive_scheduled_charges", "scheduled_charges"),
    ] {
        for sent in body.objects(verb) {
            let id = id_of(sent, "id");
            let item = item(&mut contract.terms, list, id)?;
            let bound = ["access_schedule", "invoice_schedule", "schedule"].iter().any(|field| {
                let schedule = item.object(field).into_iter().flat_map(|it| it.objects("schedule_items"));
                let mut ids = schedule.filter_map(|it| it.text("id"));
                ids.any(|id| contract.invoices.get(id) == Some(&Invoice::Finalized))
            });
            if bound {
                return Err(refuse(format!("{list}: {id} has finalized invoices; void them first")));
            }
            item.set("archived_at", time::json(call.now));
        }
    }
    for sent in body.objects("remove_overrides") {
        let id = id_of(sent, "id");
        contract.terms.item("overrides", id).ok_or_else(|| refuse(format!("overrides: {id} not found")))?;
        contract.terms.retain("overrides", |it| it.text("id") != Some(id));
    }
    for alias in body.texts("archive_spend_trackers") {
        if !contract.terms.objects("spend_trackers").any(|tracker| tracker.text("alias") == Some(alias)) {
            return Err(refuse(format!("spend_trackers: {alias} not found")));
        }
        contract.terms.retain("spend_trackers", |tracker| tracker.text("alias") != Some(alias));
    }
    Ok(())
}

/// The verbs that update items of lists; answers them as the history tells them.
pub(super) fn update_items(call: &Call, contract: &mut Contract, body: &Fields) -> Result<Fields, Failure> {
    type Update = fn(&Call, &mut Contract, &Fields) -> Result<Fields, Failure>;
    let verbs: [(&str, Update); 6] = [
        ("update_commits", |call, contract, sent| {
            update_balance(call, contract, "commits", "commit_id", sent)
        }),
        ("update_credits", |call, contract, sent| {
            update_balance(call, contract, "credits", "credit_id", sent)
        }),
        ("update_scheduled_charges", |_, contract, sent| update_charge(contract, sent)),
        ("update_recurring_commits", |_, contract, sent| {
            update_recurring(contract, "recurring_commits", "recurring_commit_id", sent)
        }),
        ("update_recurring_credits", |_, contract, sent| {
            update_recurring(contract, "recurring_credits", "recurring_credit_id", sent)
        }),
        ("update_subscriptions", |_, contract, sent| update_subscription(contract, sent)),
    ];
    let mut edit = Fields::default();
    for (verb, update) in verbs {
        for (index, sent) in body.objects(verb).enumerate() {
            let shown =
                update(call, contract, sent).map_err(|failure| failure.at(&format!("{verb}[{index}]")))?;
            edit.extend(verb, [shown]);
        }
    }
    Ok(edit)
}

/// The update as the history tells it: with `id`.
fn shown(sent: &Fields, id_field: &str) -> Fields {
    let mut shown = sent.clone();
    shown.rename(id_field, "id");
    shown
}

/// Changes a commit or credit; answers the change as the history tells it.
pub(super) fn update_balance(
    call: &Call,
    contract: &mut Contract,
    list: &str,
    id_field: &str,
    sent: &Fields,
) -> Result<Fields, Failure> {
    let id = id_of(sent, id_field);
    let mut balance = item(&mut contract.terms, list, id)?.clone();
    if balance.has("rolled_over_from") {
        return Err(refuse(format!("{list}: {id} was rolled over and can't be edited")));
    }
    for field in [
        "applicable_contract_ids",
        "applicable_product_ids",
        "applicable_product_tags",
        "description",
        "hierarchy_configuration",
        "name",
        "netsuite_sales_order_id",
        "priority",
        "rate_type",
        "rollover_fraction",
        "specifiers",
    ] {
        if let Some(value) = sent.get(field) {
            balance.set_or_clear(field, value);
        }
    }
    rules::balance(&balance)?;
    if let Some(product) = sent.text("product_id") {
        balance.set("product", catalog::product(call, product)?);
    }
    if let Some(invoiced_on) = sent.text("invoice_contract_id") {
        balance.set("invoice_contract", Fields::default().with("id", invoiced_on));
    }
    for (field, kind) in [("access_schedule", Kind::Access), ("invoice_schedule", Kind::Invoice)] {
        if let Some(change) = sent.object(field) {
            schedules::change(contract, &mut balance, field, kind, change)
                .map_err(|failure| failure.at(field))?;
        }
    }
    *item(&mut contract.terms, list, id)? = balance;
    Ok(shown(sent, id_field))
}

fn update_charge(contract: &mut Contract, sent: &Fields) -> Result<Fields, Failure> {
    let id = id_of(sent, "scheduled_charge_id");
    let mut charge = item(&mut contract.terms, "scheduled_charges", id)?.clone();
    if let Some(value) = sent.get("netsuite_sales_order_id") {
        charge.set_or_clear("netsuite_sales_order_id", value);
    }
    if let Some(change) = sent.object("invoice_schedule") {
        schedules::change(contract, &mut charge, "schedule", Kind::Invoice, change)
            .map_err(|failure| failure.at("invoice_schedule"))?;
    }
    *item(&mut contract.terms, "scheduled_charges", id)? = charge;
    Ok(shown(sent, "scheduled_charge_id"))
}

fn update_recurring(
    contract: &mut Contract,
    list: &str,
    id_field: &str,
    sent: &Fields,
) -> Result<Fields, Failure> {
    let item = item(&mut contract.terms, list, id_of(sent, id_field))?;
    for amount in ["access_amount", "invoice_amount"] {
        let Some(change) = sent.object(amount) else { continue };
        if !item.has(amount) {
            return Err(refuse(format!("{amount}: there is none to change")));
        }
        item.edit(amount, |amount| amount.copy(change, &["quantity", "unit_price"]));
        let priced = item.object(amount).cloned().unwrap_or_default();
        schedules::product(
            priced.number("unit_price").unwrap_or("0"),
            priced.number("quantity").unwrap_or("1"),
        )?;
    }
    for field in ["ending_before", "proration_rounding", "rate_type"] {
        if let Some(value) = sent.get(field) {
            item.set_or_clear(field, value);
        }
    }
    rules::term(item)?;
    Ok(shown(sent, id_field))
}

fn update_subscription(contract: &mut Contract, sent: &Fields) -> Result<Fields, Failure> {
    let id = id_of(sent, "subscription_id");
    let subscription = item(&mut contract.terms, "subscriptions", id)?;
    for field in ["ending_before", "name"] {
        if let Some(value) = sent.get(field) {
            subscription.set_or_clear(field, value);
        }
    }
    rules::term(subscription)?;
    if let Some(rounding) = sent.get("proration_rounding") {
        subscription.edit("proration", |proration| proration.set_or_clear("rounding", rounding));
    }
    if let Some(update) = sent.object("quantity_management_mode_update") {
        if subscription.text("quantity_management_mode") == Some("SEAT_BASED") {
            return Err(refuse("the subscription already counts seats".to_owned()));
        }
        subscription.set("quantity_management_mode", "SEAT_BASED");
        subscription.set("seat_config", update.object("seat_config").cloned().unwrap_or_default());
        let quantity =
            subscription.objects("quantity_schedule").last().and_then(|segment| segment.get("quantity"));
        let config = Fields::default().with("initial_unassigned_seats", quantity.cloned());
        let start = time::of(subscription, "starting_at").unwrap_or_default();
        contract.seats.insert(id.to_owned(), Seats::first(&config, start));
    }
    let seats_based = subscription.text("quantity_management_mode") == Some("SEAT_BASED");
    for update in sent.objects("quantity_updates") {
        if seats_based {
            return Err(refuse("quantity_updates: the subscription counts seats".to_owned()));
        }
        update_quantity(subscription, update)?;
    }
    if let Some(updates) = sent.object("seat_updates") {
        let Some(seats) = contract.seats.get_mut(id).filter(|_| seats_based) else {
            return Err(refuse("seat_updates: the subscription does not count seats".to_owned()));
        };
        update_seats(subscription, seats, updates);
    }
    Ok(shown(sent, "subscription_id"))
}

fn update_quantity(subscription: &mut Fields, update: &Fields) -> Result<(), Failure> {
    let at = time::of(update, "starting_at").unwrap_or_default();
    let quantity = match (update.number("quantity"), update.number("quantity_delta")) {
        (Some(quantity), None) => Json::Number(quantity.to_owned()),
        (None, Some(delta)) if !decimal::is_zero(delta) => {
            let in_force = subscription
                .objects("quantity_schedule")
                .filter(|it| time::of(it, "starting_at") <= Some(at));
            let before = in_force.last().and_then(|segment| segment.number("quantity")).unwrap_or("0");
            match (decimal::parse(before), decimal::parse(delta)) {
                (Some(before), Some(delta)) => decimal::json(&(before + delta)),
                _ => return Err(refuse("quantity_delta: is out of bounds".to_owned())),
            }
        }
        _ => {
            return Err(refuse(
                "quantity_updates: each has a quantity or a quantity_delta that is not 0".to_owned(),
            ));
        }
    };
    if quantity.number().is_some_and(decimal::is_negative) {
        return Err(refuse("quantity_updates: a quantity must not be negative".to_owned()));
    }
    set_quantity(subscription, at, quantity);
    Ok(())
}

/// Seats change in the order of adding and removing; each change counts from its own date on.
fn update_seats(subscription: &mut Fields, seats: &mut Seats, updates: &Fields) {
    type Change = fn(&mut Seats, &Fields);
    let kinds: [(&str, Change); 4] = [
        ("add_unassigned_seats", Seats::free),
        ("add_seat_ids", |seats, change| seats.assign(change.texts("seat_ids"))),
        ("remove_seat_ids", |seats, change| seats.remove(change.texts("seat_ids"))),
        ("remove_unassigned_seats", Seats::take_free),
    ];
    for (kind, apply) in kinds {
        for change in updates.objects(kind) {
            let at = time::of(change, "starting_at").unwrap_or_default();
            seats.from(at);
            apply(seats, change);
            set_quantity(subscription, at, seats.count());
        }
    }
}

/// Sets the quantity from a time on; what was planned for later gives way.
fn set_quantity(subscription: &mut Fields, at: DateTime<Utc>, quantity: Json) {
    const SCHEDULE: &str = "quantity_schedule";
    subscription.retain(SCHEDULE, |segment| time::of(segment, "starting_at").is_some_and(|start| start < at));
    if let Some(last) = subscription.objects_mut(SCHEDULE).last() {
        last.set("ending_before", time::json(at));
    }
    let segment = Fields::default().with("quantity", quantity).with("starting_at", time::json(at));
    subscription.extend(SCHEDULE, [segment]);
}

/// The verbs that add and update threshold configurations; answers them as the history tells them.
pub(super) fn thresholds(
    contract: &mut Contract,
    mint: &mut Mint<'_>,
    body: &Fields,
) -> Result<Fields, Failure> {
    let mut edit = Fields::default();
    for field in ["spend_threshold_configuration", "prepaid_balance_threshold_configuration"] {
        let (add, update) = (format!("add_{field}"), format!("update_{field}"));
        if let Some(sent) = body.object(&add) {
            if contract.terms.has(field) {
                return Err(refuse(format!("{add}: the contract already has one")));
            }
            let made = mint.threshold(sent)?;
            contract.terms.set(field, made.clone());
            edit.set(&add, made);
        }
        if let Some(sent) = body.object(&update) {
            if !contract.terms.has(field) {
                return Err(refuse(format!("{update}: the contract has none")));
            }
            contract
                .terms
                .edit(field, |threshold| merge(threshold, sent, &["commit", "discount_configuration"]));
            edit.set(&update, sent.clone());
        }
    }
    Ok(edit)
}

/// Sets the fields that were sent, and clears those sent as null; objects named in `deep` are merged likewise.
fn merge(into: &mut Fields, sent: &Fields, deep: &[&str]) {
    for (name, value) in sent.iter() {
        match value {
            Json::Object(change) if deep.contains(&name) && into.has(name) => {
                into.edit(name, |inner| merge(inner, change, &[]));
            }
            value => into.set_or_clear(name, value),
        }
    }
}
