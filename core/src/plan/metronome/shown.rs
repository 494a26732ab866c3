//! A contract as the API would show it, had the spec been carried out and nobody changed anything since.
//!
//! For plans without the billing API: what files mean is put in the place of what a read would tell. It is in the form of
//! a reply, and so it is read by the same code.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Balances, CUSTOM_FIELDS, Desired, balances, create, list,
    lists::{LISTS, wire_name},
    reply::REQUIRED,
    schedule, text,
};
use crate::terms::{json::parse_exact, metronome::CONTRACT};

/// Members that say how a contract is made, and that the newer read does not tell.
const NOT_TOLD: [&str; 4] = ["package_alias", "package_id", "rate_card_alias", "transition"];
/// Lists whose items have ids, as the wire names them.
const WITH_IDS: [&str; 10] = [
    "commits",
    "credits",
    "discounts",
    "overrides",
    "professional_services",
    "recurring_commits",
    "recurring_credits",
    "reseller_royalties",
    "scheduled_charges",
    "subscriptions",
];
/// Members with schedules, as the wire names them.
const SCHEDULES: [&str; 3] = ["access_schedule", "invoice_schedule", "schedule"];

/// What reads would tell of a contract.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// `data` of `v2/contracts/get`.
    pub contract: Value,
    /// `data` of `v1/contracts/get`, as far as it is needed.
    pub legacy: Value,
    /// What the customer has beside the contract, by kind.
    pub balances: BTreeMap<Balances, Value>,
}

impl Desired {
    /// What reads would tell of the contract with this id, had it just been made: what a create does not take is not in it,
    /// and what its package gives is left out.
    ///
    /// # Errors
    /// When the terms cannot be written as JSON.
    pub(super) fn shown_as_created(&self, contract_id: &str) -> Result<Shown, serde_json::Error> {
        let mut created = self.clone();
        create::withhold(&mut created.written);
        if let (true, Some(members)) = (self.has_package(), created.written.as_object_mut()) {
            members.retain(|name, _| create::BESIDE_A_PACKAGE.contains(&name.as_str()));
        }
        created.shown(contract_id)
    }

    /// What reads would tell of the contract with this id.
    ///
    /// # Errors
    /// When the terms cannot be written as JSON.
    pub fn shown(&self, contract_id: &str) -> Result<Shown, serde_json::Error> {
        let mut terms = self.written.clone();
        create::stamp_items(self, &mut terms);
        split_schedules(&mut terms);
        let fields = create::contract_fields(self, terms.get(CUSTOM_FIELDS));
        if let (Some(members), false) = (terms.as_object_mut(), fields.is_empty()) {
            members.insert(CUSTOM_FIELDS.to_owned(), fields.into());
        }
        let (terms, beside) = balances::apart(&terms);
        let balances = self.shown_beside(&beside)?;
        let mut contract = parse_exact(&serde_json::to_string(&CONTRACT.wire(&terms))?)?;
        let start = contract.get("starting_at").cloned().unwrap_or_default();
        let legacy = json!({
            "package_id": contract.get("package_id"),
            "current": {"commits": contract.get("commits").cloned().unwrap_or_else(|| json!([]))},
        });
        let Some(members) = contract.as_object_mut() else { return Ok(Shown { contract, legacy, balances }) };
        members.insert("id".to_owned(), contract_id.into());
        members.insert("uniqueness_key".to_owned(), self.key().as_str().into());
        for name in REQUIRED {
            members.entry(name).or_insert_with(|| json!([]));
        }
        if let Some(mut filter) = members.remove("usage_filter") {
            put(&mut filter, "starting_at", &start);
            members.insert("usage_filter".to_owned(), json!([filter]));
        }
        if let Some(transition) = members.remove("transition") {
            let from = transition.get("from_contract_id").cloned().unwrap_or_default();
            let kind = transition.get("type").and_then(Value::as_str).unwrap_or_default().to_lowercase();
            let link = json!([{"type": kind, "from_contract_id": from, "to_contract_id": contract_id}]);
            members.insert("transitions".to_owned(), link);
        }
        for name in ["billing_provider_configuration", "revenue_system_configuration"] {
            let Some(mut configuration) = members.remove(name) else { continue };
            if let Some(id) =
                configuration.as_object_mut().and_then(|told| told.remove(&format!("{name}_id")))
            {
                put(&mut configuration, "id", &id);
            }
            members.insert(format!("{name}_schedule"), json!([{"effective_at": start, name: configuration}]));
        }
        if let Some(schedule) = members.get_mut("usage_statement_schedule").and_then(Value::as_object_mut) {
            schedule.retain(|name, _| matches!(name.as_str(), "frequency" | "billing_anchor_date"));
        }
        for name in WITH_IDS {
            let items = members.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten();
            for (index, item) in items.enumerate() {
                told(name, index, item, &start);
            }
        }
        members.retain(|name, _| !NOT_TOLD.contains(&name.as_str()));
        let mut shown = Shown { contract, legacy, balances };
        shown.copy_ids();
        Ok(shown)
    }

    /// What lists of the customer's balances would tell.
    fn shown_beside(&self, beside: &Value) -> Result<BTreeMap<Balances, Value>, serde_json::Error> {
        let wire = parse_exact(&serde_json::to_string(&CONTRACT.wire(beside))?)?;
        let shown = Balances::ALL.into_iter().map(|kind| {
            let name = wire_name(&CONTRACT, kind.list());
            let mut items = wire.get(name).cloned().unwrap_or_else(|| json!([]));
            let keys = list(&self.written, kind.list()).filter_map(|item| text(item, "key"));
            let keys: Vec<_> = keys.map(|key| self.key().of_item(kind.list(), key)).collect();
            for (index, item) in items.as_array_mut().into_iter().flatten().enumerate() {
                told(name, index, item, &Value::Null);
                put(item, "uniqueness_key", &json!(keys.get(index)));
            }
            (kind, items)
        });
        Ok(shown.collect())
    }
}

impl Shown {
    /// `data` of the seats of a subscription.
    #[must_use]
    pub fn seats(&self, subscription_id: &str) -> Value {
        let subscriptions =
            self.contract.get("subscriptions").and_then(Value::as_array).into_iter().flatten();
        let mut same =
            subscriptions.filter(|item| item.get("id").and_then(Value::as_str) == Some(subscription_id));
        let Some(subscription) = same.next() else { return json!([]) };
        let config = subscription.get("seat_config");
        let member = |name: &str| config.and_then(|config| config.get(name));
        let seats = member("initial_seat_ids").cloned().unwrap_or_else(|| json!([]));
        let free = member("initial_unassigned_seats").and_then(|free| match free {
            Value::String(digits) => digits.parse().ok(),
            number => number.as_u64(),
        });
        let taken = seats.as_array().and_then(|seats| u64::try_from(seats.len()).ok()).unwrap_or_default();
        let start = subscription.get("starting_at").cloned().unwrap_or_default();
        json!([{"starting_at": start, "assigned_seat_ids": seats, "total_quantity": taken + free.unwrap_or_default()}])
    }

    /// Gives the commits of the older read the ids that they have in the newer one.
    fn copy_ids(&mut self) {
        let ids: Vec<_> =
            self.contract.get("commits").and_then(Value::as_array).into_iter().flatten().collect();
        let legacy =
            self.legacy.pointer_mut("/current/commits").and_then(Value::as_array_mut).into_iter().flatten();
        for (commit, told) in legacy.zip(ids) {
            put(commit, "id", told.get("id").unwrap_or(&Value::Null));
        }
    }
}

/// Says an item as the API tells it: with ids, and quantities as a schedule.
fn told(list: &str, index: usize, item: &mut Value, start: &Value) {
    // References inside the contract are by temporary ids; they hold when an item's id is the same.
    let id = item.as_object_mut().and_then(|item| item.remove("temporary_id"));
    let id = id.filter(Value::is_string).unwrap_or_else(|| format!("{list}-{index}").into());
    for name in SCHEDULES {
        let items = item.get_mut(name).and_then(|schedule| schedule.get_mut("schedule_items"));
        for (position, part) in items.and_then(Value::as_array_mut).into_iter().flatten().enumerate() {
            put(part, "id", &format!("{}-{name}-{position}", id.as_str().unwrap_or_default()).into());
        }
    }
    put(item, "id", &id);
    if list == "subscriptions"
        && let Some(members) = item.as_object_mut()
    {
        let quantity = members.remove("initial_quantity").unwrap_or_else(|| json!(1));
        let begins = members.entry("starting_at").or_insert_with(|| start.clone()).clone();
        members
            .insert("quantity_schedule".to_owned(), json!([{"quantity": quantity, "starting_at": begins}]));
    }
}

/// Writes out the items of recurring schedules, as the API does when it takes them.
fn split_schedules(terms: &mut Value) {
    let names = LISTS
        .iter()
        .map(|list| (list.name, [list.access, list.invoice]))
        .chain([("discounts", [Some("schedule"), None])]);
    for (name, schedules) in names {
        let items = terms.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten();
        for item in items {
            for schedule in schedules
                .iter()
                .flatten()
                .filter_map(|name| Some((*name, item.get(*name)?.clone())))
                .collect::<Vec<_>>()
            {
                let (name, schedule) = schedule;
                let Some(held) = item.get_mut(name).and_then(Value::as_object_mut) else { continue };
                if held.remove("recurringSchedule").is_some() {
                    held.insert("scheduleItems".to_owned(), schedule::items(&schedule).into());
                }
            }
        }
    }
}

fn put(object: &mut Value, name: &str, value: &Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value.clone());
    }
}
