//! Reading contracts: replies become terms in the shape in which they are written.
//!
//! A reply says things otherwise than a request: products and pricing units are objects, tiers of overrides have
//! another name, usage filters and billing configurations are segments of time, and defaults are filled in. What the API
//! makes by itself (commits of recurring commits, rollovers) and what is archived is no part of the terms.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    Balances, Desired, ObservedContract,
    defaults::{fill_defaults, prune},
    list,
    lists::{LISTS, List, item_shape, wire_name},
    money::{names_of, unit_names},
    observed::{ApiId, EditedBy, Ids, Seats},
    planned::{
        BILLING, FILTERS, current, identified, instant, made, made_later, next_period, planned_segments,
        segments,
    },
    tables::KEYLESS,
};
use crate::{
    plan::{Recorded, Unreadable, told},
    terms::{
        Decimal, Shape, Timestamp,
        metronome::CONTRACT,
        shape::{Spelling, in_usual_letters},
    },
};

/// Lists that every reply has; one without them is not read as a contract without items, to which all would be added
/// once more.
pub(super) const REQUIRED: [&str; 3] = ["commits", "overrides", "scheduled_charges"];
/// Members whose own members are named by others and mean nothing here.
pub(super) const FREE: [&str; 8] = [
    "configuration",
    "custom_fields",
    "custom_rate",
    "delivery_method_configuration",
    "invoice_metadata",
    "presentation_group_values",
    "pricing_group_values",
    "product_custom_fields",
];
/// Members whose presence says that the API made the item by itself.
const MADE_BY_THE_API: [&str; 3] = ["recurring_commit_id", "recurring_credit_id", "rolled_over_from"];

impl ObservedContract {
    /// Reads `data` of a `v2/contracts/get` reply, or an item of a `v2/contracts/list` reply, that was parsed with its
    /// exact numbers.
    ///
    /// # Errors
    /// When the reply is no contract, or a member of its terms has another shape than the API documents; the error
    /// names it.
    pub fn read(data: &Value, now: DateTime<Utc>) -> Result<Self, String> {
        let text = |name: &str| data.get(name).and_then(Value::as_str);
        let required = |name: &str| {
            text(name).filter(|text| !text.is_empty()).ok_or_else(|| format!("the reply has no `{name}`"))
        };
        let time = |name: &str| match data.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let time = value.as_str().and_then(|text| Timestamp::from_wire(text).ok());
                time.map(Some).ok_or_else(|| format!("`{name}` of the reply must be a time, not {value}"))
            }
        };
        let contract_id = required("id")?.to_owned();
        let customer_id = required("customer_id")?.into();
        let starting_at = time("starting_at")?.ok_or("the reply has no `starting_at`")?;
        if let Some(missing) = REQUIRED.iter().find(|name| !data.get(**name).is_some_and(Value::is_array)) {
            return Err(format!("the reply for contract {contract_id} has no list `{missing}`"));
        }
        let (ending_before, archived_at) = (time("ending_before")?, time("archived_at")?);
        let archived = archived_at.is_some();
        let state = match ending_before {
            _ if archived => "archived",
            Some(end) if end.0 <= now => "ended",
            _ if starting_at.0 > now => "upcoming",
            _ => "active",
        };
        let mut wire = as_written(data);
        let gone = archived_items(&wire, &contract_id);
        keep_own_items(&mut wire, &contract_id);
        if let Some(members) = wire.as_object_mut() {
            // These are the customer's, and told by other calls.
            members.retain(|name, _| {
                Balances::ALL.iter().all(|kind| *name != wire_name(&CONTRACT, kind.list()))
            });
        }
        let soonest = super::next_hour(now).max(starting_at);
        let planned = planned_quantities(&wire, soonest);
        let (planned_filters, planned_billing) = planned_segments(&wire, soonest);
        fold_segments(&mut wire, &contract_id, soonest);
        let mut terms = CONTRACT
            .canonical(&wire, Spelling::Wire)
            .map_err(|error| format!("contract {contract_id} was read, but {error}"))?;
        prune(&mut terms);
        fill_defaults(&mut terms);
        let ids = ids_of_lists(&wire)?;
        let linked = |this: &str, other: &str| {
            let mut links = data.get("transitions").and_then(Value::as_array).into_iter().flatten();
            let link = links.find(|link| link.get(this).and_then(Value::as_str) == Some(&contract_id));
            let id = link.and_then(|link| link.get(other)?.as_str());
            id.map(|id| told::is_id(other, id).map(|()| id.to_owned())).transpose()
        };
        let cut_off = |name: &str| data.pointer(&format!("/has_more/{name}")) == Some(&Value::Bool(true));
        let (renews, renewed_by) =
            (linked("to_contract_id", "from_contract_id")?, linked("from_contract_id", "to_contract_id")?);
        Ok(Self {
            contract_id,
            customer_id,
            uniqueness_key: text("uniqueness_key").map(str::to_owned),
            archived,
            archived_at,
            state: state.to_owned(),
            starting_at,
            ending_before,
            terms,
            renews,
            renewed_by,
            last_edit: None,
            ours: None,
            made: made(&wire),
            made_later: made_later(&wire),
            edited_by: EditedBy::Unknown,
            made_at: instant(&wire, "created_at"),
            keys: BTreeMap::new(),
            missing: Vec::new(),
            read_at: now,
            invoices: invoices(data),
            listed: listed(data),
            billed: BTreeSet::new(),
            gone,
            ids,
            soonest,
            planned,
            planned_filters,
            planned_billing,
            seats: BTreeMap::new(),
            unit_names: unit_names(data),
            product_names: names_of("product", data),
            truncated: cut_off("commits") || cut_off("credits"),
        })
    }

    /// Whether the spec sets, or had set, something that only `v1/contracts/get` shows.
    #[must_use]
    pub fn needs_v1(&self, desired: &Desired, recorded: &Recorded) -> bool {
        let package = desired.terms().get("packageId").is_some() || recorded.set.has("", "packageId");
        let is_unknown = package && self.terms.get("packageId").is_none();
        let mut commits = list(desired.terms(), "commits");
        is_unknown
            || commits.any(|commit| commit.get("amount").is_some())
            || recorded.set.has("commits", "amount")
    }

    /// Takes what only `v1/contracts/get` shows from its `data`: the package, and the deprecated amounts of commits.
    pub fn merge_v1(&mut self, data: &Value) {
        if let (Some(package), Some(terms)) =
            (data.get("package_id").filter(|id| id.is_string()), self.terms.as_object_mut())
        {
            terms.insert("packageId".to_owned(), package.clone());
        }
        let amounts = data.pointer("/current/commits").and_then(Value::as_array);
        let ids = self.ids.get("commits").into_iter().flatten();
        let commits = self.terms.get_mut("commits").and_then(Value::as_array_mut).into_iter().flatten();
        for (commit, ids) in commits.zip(ids) {
            let same = |found: &&Value| found.get("id").and_then(Value::as_str) == Some(ids.own.as_str());
            let amount = amounts.into_iter().flatten().find(same).and_then(|found| found.get("amount"));
            let amount = amount.and_then(|amount| Shape::Decimal.canonical(amount, Spelling::Wire).ok());
            if let (Some(amount), Some(commit)) = (amount, commit.as_object_mut()) {
                commit.insert("amount".to_owned(), amount);
            }
        }
    }

    /// Takes the seats of a subscription from `data` of `v1/contracts/getSubscriptionSeatsHistory`: those of the segment
    /// in force.
    pub fn merge_seats(&mut self, subscription_id: &str, data: &Value) {
        let found = self.items("subscriptions").find(|item| item.ids.own.as_str() == subscription_id);
        let start = found.and_then(|item| item.terms.get("startingAt")?.as_str()?.parse().ok());
        let segments = data.as_array().map_or(&[][..], Vec::as_slice);
        let Some(latest) = in_force(segments, start, self.soonest) else { return };
        let taken = latest.get("assigned_seat_ids").and_then(Value::as_array);
        let taken: BTreeSet<_> =
            taken.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let total = latest.get("total_quantity").and_then(Value::as_i64);
        let unassigned =
            total.zip(i64::try_from(taken.len()).ok()).map(|(total, taken)| Decimal::from(total - taken));
        self.seats.insert(subscription_id.into(), Seats { taken, unassigned });
    }
}

/// Lists of what can be invoiced.
const INVOICED: [&str; 4] = ["commits", "credits", "scheduled_charges", "subscriptions"];

fn entries<'v>(data: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    data.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// Ids of invoices by those of the parts of schedules that are on them.
fn invoices(data: &Value) -> BTreeMap<String, String> {
    let items = INVOICED.iter().flat_map(|name| entries(data, name));
    let schedules = items.filter_map(|item| item.get("invoice_schedule").or_else(|| item.get("schedule")));
    let parts = schedules.flat_map(|schedule| entries(schedule, "schedule_items"));
    let id = |part: &Value, name: &str| part.get(name).and_then(Value::as_str).map(str::to_owned);
    parts.filter_map(|part| id(part, "id").zip(id(part, "invoice_id"))).collect()
}

/// Ids of everything that can be invoiced.
fn listed(data: &Value) -> BTreeSet<String> {
    let items = INVOICED.iter().flat_map(|name| entries(data, name));
    items.filter_map(|item| Some(item.get("id")?.as_str()?.to_owned())).collect()
}

/// A reply with the names that a request has.
pub(super) fn as_written(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(as_written).collect(),
        Value::Object(members) => {
            let mut written = Map::new();
            for (name, value) in members {
                if value.is_null() && written.contains_key(name) {
                    // The same thing under the name of a request, which says nothing beside that of a reply.
                    continue;
                }
                match (name.as_str(), value.get("id").and_then(Value::as_str)) {
                    ("product", Some(id)) => drop(written.insert("product_id".to_owned(), id.into())),
                    ("credit_type", Some(id)) => drop(written.insert("credit_type_id".to_owned(), id.into())),
                    ("invoice_contract", Some(id)) => {
                        drop(written.insert("invoice_contract_id".to_owned(), id.into()));
                    }
                    ("override_tiers", _) if !value.is_null() => {
                        drop(written.insert("tiers".to_owned(), as_written(value)));
                    }
                    (name, _) if FREE.contains(&name) => drop(written.insert(name.to_owned(), value.clone())),
                    (name, _) => drop(written.insert(name.to_owned(), as_written(value))),
                }
            }
            written.into()
        }
        _ => value.clone(),
    }
}

/// Leaves out items that are archived, that the API made by itself, or that belong to another contract.
fn keep_own_items(wire: &mut Value, contract_id: &str) {
    for list in ["commits", "credits", "scheduled_charges", "discounts"] {
        let Some(items) = wire.get_mut(list).and_then(Value::as_array_mut) else { continue };
        items.retain(|item| is_own_item(item, contract_id) && !is_set(item, "archived_at"));
    }
}

/// Whether somebody made an item for this contract. A commit that a recurring one or a rollover made must not be taken for
/// one of the spec that says the same.
fn is_own_item(item: &Value, contract_id: &str) -> bool {
    let home = item.pointer("/contract/id").and_then(Value::as_str);
    !is_made_by_the_api(item) && home.is_none_or(|home| home == contract_id)
}

/// Whether the API made an item by itself.
pub(super) fn is_made_by_the_api(item: &Value) -> bool {
    MADE_BY_THE_API.iter().any(|name| is_set(item, name))
}

/// Whether an item has a member.
pub(super) fn is_set(item: &Value, name: &str) -> bool {
    item.get(name).is_some_and(|value| !value.is_null())
}

/// Items of the contract that are archived, as far as they can be read: what they were for tells what must not be billed
/// again.
fn archived_items(wire: &Value, contract_id: &str) -> BTreeMap<&'static str, Vec<(ApiId, Value)>> {
    let of_list = |list: &'static List| {
        let items = wire.get(wire_name(&CONTRACT, list.name)).and_then(Value::as_array);
        let gone = items.into_iter().flatten();
        let gone = gone.filter(|item| is_own_item(item, contract_id) && is_set(item, "archived_at"));
        let gone = gone.filter_map(|item| {
            let terms = item_shape(list.name).canonical(item, Spelling::Wire).ok()?;
            Some((item.get("id")?.as_str()?.into(), terms))
        });
        (list.name, gone.collect())
    };
    LISTS.iter().map(of_list).collect()
}

/// Reads what a reply has as segments of time, or beside other things, as the one member that a request has.
fn fold_segments(wire: &mut Value, contract_id: &str, soonest: Timestamp) {
    let latest = |name: &str, time: &str| -> Option<Value> {
        let segments = wire.get(name)?.as_array()?;
        segments.iter().max_by_key(|segment| instant(segment, time)).cloned()
    };
    let mut folded: Vec<(&str, Value)> = Vec::new();
    let filter = current(segments(wire, FILTERS), "starting_at", soonest).cloned();
    folded.push((FILTERS, filter.unwrap_or_default()));
    let billing = current(segments(wire, BILLING), "effective_at", next_period(wire, soonest))
        .and_then(|segment| segment.get("billing_provider_configuration").cloned())
        .filter(Value::is_object)
        .or_else(|| wire.get("customer_billing_provider_configuration").cloned());
    folded.push(("billing_provider_configuration", identified(billing, "billing_provider_configuration_id")));
    let revenue = latest("revenue_system_configuration_schedule", "effective_at")
        .and_then(|segment| segment.get("revenue_system_configuration").cloned());
    folded.push(("revenue_system_configuration", identified(revenue, "revenue_system_configuration_id")));
    let transitions = wire.get("transitions").and_then(Value::as_array).into_iter().flatten();
    let to_this = |found: &&Value| found.get("to_contract_id").and_then(Value::as_str) == Some(contract_id);
    folded.push(("transition", transitions.into_iter().find(to_this).cloned().unwrap_or_default()));
    folded.push(("reseller_royalties", royalties(wire.get("reseller_royalties"))));
    if let Some(members) = wire.as_object_mut() {
        members.extend(folded.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    let subscriptions = wire.get_mut("subscriptions").and_then(Value::as_array_mut).into_iter().flatten();
    for subscription in subscriptions {
        let quantities = quantities_of(subscription);
        let latest = in_force(quantities, instant(subscription, "starting_at"), soonest);
        let quantity = latest.and_then(|segment| segment.get("quantity")).cloned();
        if let (Some(quantity), Some(members)) = (quantity, subscription.as_object_mut()) {
            members.insert("initial_quantity".to_owned(), quantity);
        }
    }
}

/// Royalties as a request has them: one for each segment, with the options of its marketplace together.
pub(super) fn royalties(told: Option<&Value>) -> Value {
    let mut found = Vec::new();
    for royalty in told.and_then(Value::as_array).into_iter().flatten() {
        let own = std::slice::from_ref(royalty);
        let segments = royalty.get("segments").and_then(Value::as_array).map_or(own, Vec::as_slice);
        for segment in segments {
            let Some(members) = segment.as_object() else { continue };
            let mut members = members.clone();
            if let (None, Some(kind)) = (members.get("reseller_type"), royalty.get("reseller_type")) {
                members.insert("reseller_type".to_owned(), kind.clone());
            }
            for (options, names) in [
                ("aws_options", &["aws_account_number", "aws_offer_id", "aws_payer_reference_id"][..]),
                ("gcp_options", &["gcp_account_id", "gcp_offer_id"][..]),
            ] {
                let found: Map<_, _> = names.iter().filter_map(|name| members.remove_entry(*name)).collect();
                let found: Map<_, _> = found.into_iter().filter(|(_, value)| !value.is_null()).collect();
                if !found.is_empty() {
                    members.insert(options.to_owned(), found.into());
                }
            }
            found.push(Value::Object(members));
        }
    }
    found.into()
}

/// The segments of a subscription's quantity.
fn quantities_of(subscription: &Value) -> &[Value] {
    subscription.get("quantity_schedule").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The segment of a thing that begins at `start` which is in force as soon as a change can be.
fn in_force(segments: &[Value], start: Option<Timestamp>, soonest: Timestamp) -> Option<&Value> {
    current(segments, "starting_at", start.map_or(soonest, |start| start.max(soonest)))
}

/// Quantities that begin after those in force, by the id of their subscription.
fn planned_quantities(wire: &Value, soonest: Timestamp) -> BTreeMap<ApiId, Vec<(Timestamp, String)>> {
    let subscriptions = wire.get("subscriptions").and_then(Value::as_array).into_iter().flatten();
    let planned = |subscription: &Value| {
        let first = in_force(quantities_of(subscription), instant(subscription, "starting_at"), soonest);
        let in_force = first.and_then(|segment| instant(segment, "starting_at"));
        let later = quantities_of(subscription).iter().filter_map(|segment| {
            let start = instant(segment, "starting_at").filter(|start| Some(*start) > in_force)?;
            let quantity = Shape::Decimal.canonical(segment.get("quantity")?, Spelling::Wire).ok()?;
            Some((start, quantity.as_str()?.to_owned()))
        });
        Some((subscription.get("id")?.as_str()?.into(), later.collect()))
    };
    subscriptions.filter_map(planned).collect()
}

/// Checks that a reply is about what was asked for: what somebody else's contract says must be neither written over nor taken
/// for this one's.
///
/// # Errors
/// When it is about another.
pub(super) fn is_about(what: &str, told: &str, asked: &str) -> Result<(), Unreadable> {
    if in_usual_letters(told) == in_usual_letters(asked) {
        return Ok(());
    }
    let why = format!("the reply is of another than what was asked for: {what} {told} instead of {asked}");
    Err(Unreadable(why))
}

/// Ids of the items of every list.
fn ids_of_lists(wire: &Value) -> Result<BTreeMap<&'static str, Vec<Ids>>, String> {
    let mut ids = BTreeMap::new();
    for list in &LISTS {
        let schedule = |name: Option<&str>| name.map(|name| wire_name(item_shape(list.name), name));
        let name = wire_name(&CONTRACT, list.name);
        ids.insert(list.name, ids_of(wire, name, schedule(list.access), schedule(list.invoice))?);
    }
    for name in KEYLESS {
        let invoice = (name == "discounts").then_some("schedule");
        ids.insert(name, ids_of(wire, wire_name(&CONTRACT, name), None, invoice)?);
    }
    Ok(ids)
}

/// Ids of the items of a list.
pub(super) fn ids_of(
    wire: &Value,
    list: &str,
    access: Option<&str>,
    invoice: Option<&str>,
) -> Result<Vec<Ids>, String> {
    let of = |item: &Value, schedule: Option<&str>| -> Result<Vec<String>, String> {
        let Some(schedule) = schedule else { return Ok(Vec::new()) };
        let items =
            item.get(schedule).and_then(|schedule| schedule.get("schedule_items")).and_then(Value::as_array);
        let id = |item: &Value| {
            let id = item.get("id").and_then(Value::as_str).map(str::to_owned);
            id.ok_or_else(|| format!("an item of `{list}[].{schedule}` of the reply has no id"))
        };
        items.into_iter().flatten().map(id).collect()
    };
    let items = wire.get(list).and_then(Value::as_array).into_iter().flatten();
    let ids = |item: &Value| {
        let own = item.get("id").and_then(Value::as_str).unwrap_or_default().into();
        Ok(Ids { own, access: of(item, access)?, invoice: of(item, invoice)? })
    };
    items.map(ids).collect()
}
