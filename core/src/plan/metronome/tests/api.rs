//! A contract as the API keeps it, in recorded: what requests make of it, in the form in which v2 tells it.
//!
//! Written from the API's description and not from the planner, so that both do not make the same mistake: ids are
//! minted, products and pricing units are told as objects, recurring schedules are split, defaults are filled in,
//! temporary ids are resolved and forgotten.

pub(super) mod end;
mod values;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    plan::{Call, metronome::Balances},
    terms::json::parse_exact,
};
use values::{digits, list, merge, object, product, resolve, split, told};

/// What the customer has beside the contract is kept with it, where no reply shows it.
const COMMITS: &str = "beside_commits";
const CREDITS: &str = "beside_credits";
const USD: &str = "2714e483-4ff1-48e4-9e25-ac732e8f24f2";

/// The API, with at most one contract.
#[derive(Clone, Debug, Default)]
pub(super) struct Api {
    pub contract: Value,
    pub seats: BTreeMap<String, (Vec<String>, i64)>,
    pub edits: Vec<Value>,
    /// What the history tells of the edits.
    pub history: Vec<Value>,
    /// Whether lists leave the keys out that the customer's balances were made with.
    pub hides_keys: bool,
    /// Id of what was last made beside the contract.
    pub made_beside: Value,
    /// Whether what goes beyond an end stays when the end is set.
    pub keeps_after_end: bool,
    /// Whether IDs are UUIDs.
    pub mints_uuids: bool,
    minted: usize,
    temporary: BTreeMap<String, String>,
}

impl Api {
    /// Carries a call out.
    pub(super) fn call(&mut self, call: &Call) {
        let body = parse_exact(&call.body).unwrap();
        match call.path.as_str() {
            "v1/contracts/create" => self.create(&body),
            "v2/contracts/edit" => self.edit(&body),
            "v2/contracts/commits/edit" => {
                let list = self.list_of(["commits", COMMITS], &body["commit_id"]);
                self.update(list, "commit_id", &body);
            }
            "v2/contracts/credits/edit" => {
                let list = self.list_of(["credits", CREDITS], &body["credit_id"]);
                self.update(list, "credit_id", &body);
            }
            "v1/contracts/customerCommits/create" => self.create_beside(COMMITS, "commits", &body),
            "v1/contracts/customerCredits/create" => self.create_beside(CREDITS, "credits", &body),
            "v1/contracts/customerCommits/updateEndDate" => {
                self.end_beside(COMMITS, &body["commit_id"], &body);
            }
            "v1/contracts/customerCredits/updateEndDate" => {
                self.end_beside(CREDITS, &body["credit_id"], &body);
            }
            "v1/customFields/setValues" => {
                let fields = self.fields(&body);
                fields.extend(body["custom_fields"].as_object().unwrap().clone());
            }
            "v1/customFields/deleteValues" => {
                let keys = body["keys"].as_array().unwrap().clone();
                self.fields(&body).retain(|key, _| !keys.iter().any(|gone| gone == key));
            }
            "v1/contracts/setUsageFilter" => {
                let segment = json!({"group_key": body["group_key"], "group_values": body["group_values"], "starting_at": body["starting_at"]});
                list(&mut self.contract, "usage_filter").push(segment);
            }
            "v1/contracts/updateEndDate" => {
                self.set_end(&body["ending_before"]);
            }
            "v1/contracts/archive" => {
                object(&mut self.contract).insert("archived_at".into(), json!("2026-06-01T00:00:00+00:00"));
            }
            path => panic!("no such call: {path}"),
        }
    }

    fn set_end(&mut self, end: &Value) {
        object(&mut self.contract).insert("ending_before".into(), told(end));
        if !self.keeps_after_end {
            end::cut(&mut self.contract, end);
        }
    }

    fn fields(&mut self, body: &Value) -> &mut Map<String, Value> {
        let list = match body["entity"].as_str().unwrap() {
            "contract" => {
                return object(
                    object(&mut self.contract).entry("custom_fields").or_insert_with(|| json!({})),
                );
            }
            "commit" => self.list_of(["commits", COMMITS], &body["entity_id"]),
            "contract_credit" => self.list_of(["credits", CREDITS], &body["entity_id"]),
            "discount" => "discounts",
            "professional_service" => "professional_services",
            "scheduled_charge" => "scheduled_charges",
            "subscription" => "subscriptions",
            entity => panic!("no such entity: {entity}"),
        };
        let item = self.item(list, &body["entity_id"]);
        object(object(item).entry("custom_fields").or_insert_with(|| json!({})))
    }

    /// The one of two lists that has an item.
    fn list_of(&self, lists: [&'static str; 2], id: &Value) -> &'static str {
        let items = |name: &str| self.contract.get(name).and_then(Value::as_array).into_iter().flatten();
        let has = |name: &&str| items(name).any(|item| item["id"] == *id);
        lists.into_iter().find(has).unwrap_or_else(|| panic!("no {id} in {lists:?}"))
    }

    /// What the lists of the customer's balances tell.
    pub(super) fn balances(&self, kind: Balances) -> Value {
        let name = if kind == Balances::Commits { COMMITS } else { CREDITS };
        let mut told = self.contract.get(name).cloned().unwrap_or_else(|| json!([]));
        if self.hides_keys {
            told.as_array_mut()
                .unwrap()
                .iter_mut()
                .for_each(|item| drop(object(item).remove("uniqueness_key")));
        }
        told
    }

    fn create_beside(&mut self, name: &str, kind: &'static str, body: &Value) {
        let used = list(&mut self.contract, name)
            .iter()
            .any(|item| item["uniqueness_key"] == body["uniqueness_key"]);
        assert!(!used, "the key was used");
        let mut item = self.made(kind, body);
        assert_eq!(object(&mut item).remove("customer_id").as_ref(), self.contract.get("customer_id"));
        if let Some(id) = object(&mut item).remove("invoice_contract_id") {
            item["invoice_contract"] = json!({"id": id});
        }
        self.made_beside = item["id"].clone();
        list(&mut self.contract, name).push(item);
    }

    fn end_beside(&mut self, name: &str, id: &Value, body: &Value) {
        let item = self.item(name, id);
        assert_ne!(item["type"], "postpaid");
        for (member, end) in
            [("access_schedule", "access_ending_before"), ("invoice_schedule", "invoices_ending_before")]
        {
            let Some(end) = body.get(end) else { continue };
            let at = |part: &Value, name: &str| {
                part.get(name).map(|time| time.as_str().unwrap().parse::<crate::terms::Timestamp>().unwrap())
            };
            let end = end.as_str().unwrap().parse::<crate::terms::Timestamp>().unwrap();
            let parts = list(item.get_mut(member).expect("a schedule to end"), "schedule_items");
            parts.retain(|part| at(part, "starting_at").or(at(part, "timestamp")).unwrap() < end);
            for part in parts.iter_mut().filter(|part| at(part, "ending_before").is_some_and(|old| old > end))
            {
                part["ending_before"] = json!(end);
            }
        }
    }

    fn item(&mut self, name: &str, id: &Value) -> &mut Value {
        let items = list(&mut self.contract, name);
        items.iter_mut().find(|item| item["id"] == *id).unwrap_or_else(|| panic!("no {name} {id}"))
    }

    fn mint(&mut self, what: &str) -> Value {
        self.minted += 1;
        if self.mints_uuids {
            return format!("0e3b5a52-5c0f-4e70-9d3c-{:012x}", 0xabcd_ef00_0000_usize + self.minted).into();
        }
        format!("{what}-{}", self.minted).into()
    }

    fn create(&mut self, body: &Value) {
        self.contract = json!({
            "id": self.mint("contract"), "created_at": "2026-01-01T00:00:00+00:00", "created_by": "test",
            "commits": [], "overrides": [], "scheduled_charges": [], "transitions": [], "usage_filter": [],
            "multiplier_override_prioritization": "lowest_multiplier",
            "usage_statement_schedule": {"frequency": "MONTHLY", "billing_anchor_date": "2026-01-01T00:00:00+00:00"},
        });
        for (name, value) in body.as_object().unwrap() {
            match name.as_str() {
                "package_alias" | "rate_card_alias" => {}
                "usage_filter" => {
                    let mut segment = value.clone();
                    object(&mut segment).entry("starting_at").or_insert_with(|| body["starting_at"].clone());
                    list(&mut self.contract, name).push(segment);
                }
                "transition" => {
                    let link = json!({"type": value["type"].as_str().unwrap().to_lowercase(), "from_contract_id": value["from_contract_id"], "to_contract_id": self.contract["id"]});
                    list(&mut self.contract, "transitions").push(link);
                }
                "usage_statement_schedule" => {
                    let mut schedule = value.clone();
                    object(&mut schedule)
                        .retain(|name, _| matches!(name.as_str(), "frequency" | "billing_anchor_date"));
                    object(&mut self.contract).insert(name.clone(), schedule);
                }
                "billing_provider_configuration" => self.switch_billing(value, "2026-01-01T00:00:00+00:00"),
                "revenue_system_configuration" => self.set_revenue(value),
                _ if value.is_array() => {}
                _ => {
                    object(&mut self.contract).insert(name.clone(), told(value));
                }
            }
        }
        drop(self.add(body, ""));
    }

    fn switch_billing(&mut self, configuration: &Value, at: &str) {
        let mut told = json!({"id": "configuration-1", "billing_provider": "stripe", "delivery_method": "direct_to_billing_provider"});
        for (name, value) in configuration.as_object().unwrap() {
            let name = if name == "billing_provider_configuration_id" { "id" } else { name };
            object(&mut told).insert(name.to_owned(), value.clone());
        }
        let segment = json!({"effective_at": at, "billing_provider_configuration": told});
        list(&mut self.contract, "billing_provider_configuration_schedule").push(segment);
    }

    fn set_revenue(&mut self, configuration: &Value) {
        let mut told = json!({"id": "revenue-1", "provider": "netsuite", "delivery_method": "direct_to_billing_provider"});
        for (name, value) in configuration.as_object().unwrap() {
            let name = if name == "revenue_system_configuration_id" { "id" } else { name };
            object(&mut told).insert(name.to_owned(), value.clone());
        }
        let segment =
            json!({"effective_at": "2026-01-01T00:00:00+00:00", "revenue_system_configuration": told});
        list(&mut self.contract, "revenue_system_configuration_schedule").push(segment);
    }

    /// Adds the items of a create, or of an edit whose verbs begin with `add_`.
    fn add(&mut self, body: &Value, verb: &str) -> Value {
        let mut added = json!({});
        let names = [
            "subscriptions",
            "commits",
            "credits",
            "recurring_commits",
            "recurring_credits",
            "scheduled_charges",
            "overrides",
            "discounts",
            "professional_services",
            "reseller_royalties",
            "spend_trackers",
        ];
        for name in names {
            for item in body[format!("{verb}{name}")].as_array().cloned().unwrap_or_default() {
                let item = self.made(name, &item);
                list(&mut self.contract, name).push(item.clone());
                list(&mut added, &format!("{verb}{name}")).push(item);
            }
        }
        added
    }

    /// An item as it is told once it is made.
    fn made(&mut self, name: &str, sent: &Value) -> Value {
        let mut item = told(sent);
        let id = self.mint(name);
        if !matches!(name, "spend_trackers" | "reseller_royalties") {
            object(&mut item).insert("id".into(), id.clone());
        }
        if let Some(temporary) = object(&mut item).remove("temporary_id") {
            self.temporary.insert(temporary.as_str().unwrap().to_owned(), id.as_str().unwrap().to_owned());
        }
        let temporary = self.temporary.clone();
        resolve(&mut item, &temporary);
        for place in ["product_id", "/subscription_rate/product_id"] {
            let holder =
                if place.starts_with('/') { item.get_mut("subscription_rate") } else { Some(&mut item) };
            if let Some(product) = holder
                .filter(|_| name != "professional_services")
                .and_then(|holder| object(holder).remove("product_id"))
            {
                let holder = if place.starts_with('/') {
                    item.get_mut("subscription_rate").unwrap()
                } else {
                    &mut item
                };
                object(holder).insert("product".into(), json!({"id": product, "name": "A product"}));
            }
        }
        for schedule in ["access_schedule", "invoice_schedule", "schedule"] {
            if let Some(sent) = item.get(schedule).cloned() {
                item[schedule] = self.schedule(schedule, &sent);
            }
        }
        self.complete(name, &mut item, &id);
        item
    }

    /// Fills in what the API fills in, and says the rest as the API does.
    fn complete(&mut self, name: &str, item: &mut Value, id: &Value) {
        match name {
            "commits" | "credits" => {
                object(item).entry("priority").or_insert(json!(100));
                item["type"] = item
                    .get("type")
                    .map_or("credit".into(), |kind| kind.as_str().unwrap().to_lowercase().into());
            }
            "overrides" => {
                if let Some(tiers) = object(item).remove("tiers") {
                    object(item).insert("override_tiers".into(), tiers);
                }
                if let Some(rate) = item.get_mut("overwrite_rate") {
                    let unit = object(rate).remove("credit_type_id").unwrap_or_else(|| USD.into());
                    object(rate).insert("credit_type".into(), json!({"id": unit, "name": "A unit"}));
                }
            }
            "recurring_commits" | "recurring_credits" => {
                object(&mut item["access_amount"]).entry("credit_type_id").or_insert(json!(USD));
                object(item).entry("rate_type").or_insert(json!("LIST_RATE"));
            }
            "subscriptions" => {
                let quantity = object(item).remove("initial_quantity");
                object(item).entry("starting_at").or_insert(json!("2026-01-01T00:00:00+00:00"));
                let start = item["starting_at"].clone();
                if let Some(config) = item.get_mut("seat_config") {
                    let seats: Vec<_> = object(config)
                        .remove("initial_seat_ids")
                        .unwrap_or_default()
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|seat| seat.as_str().unwrap().to_owned())
                        .collect();
                    let free =
                        object(config).remove("initial_unassigned_seats").map_or(0, |number| digits(&number));
                    self.seats.insert(id.as_str().unwrap().to_owned(), (seats, free));
                }
                let quantity = quantity.unwrap_or(json!(1));
                object(item).insert(
                    "quantity_schedule".into(),
                    json!([{"quantity": quantity, "starting_at": start}]),
                );
                object(item).entry("quantity_management_mode").or_insert(json!("QUANTITY_ONLY"));
            }
            "reseller_royalties" => {
                for options in ["aws_options", "gcp_options"] {
                    let options = object(item).remove(options).unwrap_or_else(|| json!({}));
                    object(item).extend(options.as_object().unwrap().clone());
                }
                *item = json!({"reseller_type": item["reseller_type"], "segments": [item]});
            }
            _ => {}
        }
    }

    /// A schedule as it is told: split, with ids and every way to say an amount.
    fn schedule(&mut self, name: &str, sent: &Value) -> Value {
        let mut schedule = sent.clone();
        if let Some(recurring) = object(&mut schedule).remove("recurring_schedule") {
            object(&mut schedule).insert("schedule_items".into(), split(&recurring).into());
        }
        let unit = object(&mut schedule).remove("credit_type_id").unwrap_or_else(|| USD.into());
        object(&mut schedule).insert("credit_type".into(), json!({"id": unit, "name": "A unit"}));
        let items: Vec<_> = list(&mut schedule, "schedule_items").clone();
        let items: Vec<_> = items.iter().map(|item| self.schedule_item(name, item)).collect();
        schedule["schedule_items"] = items.into();
        schedule
    }

    fn schedule_item(&mut self, name: &str, sent: &Value) -> Value {
        let mut item = told(sent);
        let id = self.mint("item");
        object(&mut item).insert("id".into(), id);
        if name != "access_schedule" {
            if item.get("amount").is_some() {
                let amount = item["amount"].clone();
                object(&mut item).extend([("unit_price".into(), amount), ("quantity".into(), json!(1))]);
            } else {
                let amount = product(&item["unit_price"], &item["quantity"]);
                object(&mut item).insert("amount".into(), amount);
            }
        }
        item
    }

    fn edit(&mut self, body: &Value) {
        assert_eq!(body["contract_id"], self.contract["id"]);
        let key = &body["uniqueness_key"];
        assert!(!self.edits.iter().any(|edit| edit["uniqueness_key"] == *key), "the edit's key was used");
        self.edits.push(body.clone());
        for (verb, name) in [
            ("archive_commits", "commits"),
            ("archive_credits", "credits"),
            ("archive_scheduled_charges", "scheduled_charges"),
        ] {
            for gone in body[verb].as_array().cloned().unwrap_or_default() {
                object(self.item(name, &gone["id"]))
                    .insert("archived_at".into(), json!("2026-06-01T00:00:00Z"));
            }
        }
        for gone in body["remove_overrides"].as_array().cloned().unwrap_or_default() {
            list(&mut self.contract, "overrides").retain(|item| item["id"] != gone["id"]);
        }
        for gone in body["archive_spend_trackers"].as_array().cloned().unwrap_or_default() {
            list(&mut self.contract, "spend_trackers").retain(|item| item["alias"] != gone);
        }
        let mut entry = self.add(body, "add_");
        let number = self.edits.len();
        entry["id"] = json!(number.to_string());
        entry["timestamp"] = json!(format!("2026-05-{:02}T{:02}:00:00+00:00", 1 + number / 24, number % 24));
        entry["uniqueness_key"] = key.clone();
        for verb in body.as_object().into_iter().flatten().filter(|(verb, _)| verb.contains("threshold")) {
            entry[verb.0] = verb.1.clone();
        }
        self.history.push(entry);
        for (verb, name, id) in [
            ("update_commits", "commits", "commit_id"),
            ("update_credits", "credits", "credit_id"),
            ("update_scheduled_charges", "scheduled_charges", "scheduled_charge_id"),
            ("update_recurring_commits", "recurring_commits", "recurring_commit_id"),
            ("update_recurring_credits", "recurring_credits", "recurring_credit_id"),
            ("update_subscriptions", "subscriptions", "subscription_id"),
        ] {
            for update in body[verb].as_array().cloned().unwrap_or_default() {
                self.update(name, id, &update);
            }
        }
        for name in ["spend_threshold_configuration", "prepaid_balance_threshold_configuration"] {
            if let Some(added) = body.get(format!("add_{name}")) {
                assert!(self.contract.get(name).is_none(), "there is a threshold already");
                object(&mut self.contract).insert(name.into(), added.clone());
            }
            if let Some(update) = body.get(format!("update_{name}")) {
                merge(
                    self.contract.get_mut(name).expect("a threshold to change"),
                    update,
                    &["commit", "discount_configuration"],
                );
            }
        }
        if let Some(end) = body.get("update_contract_end_date") {
            self.set_end(end);
        }
        for (verb, name) in
            [("update_contract_name", "name"), ("update_net_payment_terms_days", "net_payment_terms_days")]
        {
            if let Some(value) = body.get(verb) {
                object(&mut self.contract).insert(name.into(), told(value));
            }
        }
        if let Some(update) = body.get("add_billing_provider_configuration_update") {
            let at = if update["schedule"]["effective_at"] == "START_OF_CURRENT_PERIOD" {
                "2026-06-01T00:00:00Z"
            } else {
                "2026-07-01T00:00:00Z"
            };
            self.switch_billing(&update["billing_provider_configuration"], at);
        }
        if let Some(update) = body.get("add_revenue_system_configuration_update") {
            assert!(
                self.contract.get("revenue_system_configuration_schedule").is_none(),
                "there is one already"
            );
            self.set_revenue(&update["revenue_system_configuration"]);
        }
    }

    /// Updates an item as a verb of an edit, or a call of its own, says.
    fn update(&mut self, name: &str, id_name: &str, update: &Value) {
        let mut item = self.item(name, &update[id_name]).clone();
        assert!(item.get("archived_at").is_none(), "the item is archived");
        let id = item["id"].as_str().unwrap().to_owned();
        for (member, value) in
            update.as_object().unwrap().iter().filter(|(member, _)| !matches!(member.as_str(), "customer_id"))
        {
            match member.as_str() {
                _ if member == id_name => {}
                "access_schedule" | "invoice_schedule" => {
                    let told = if name == "scheduled_charges" { "schedule" } else { member };
                    self.update_schedule(&mut item, told, value);
                }
                "invoice_contract_id" => item["invoice_contract"] = json!({"id": value}),
                "product_id" => item["product"] = json!({"id": value, "name": "Another product"}),
                "access_amount" | "invoice_amount" => merge(&mut item[member], value, &[]),
                "proration_rounding" if name == "subscriptions" => {
                    item["proration"]["rounding"] = value.clone();
                }
                "quantity_updates" => {
                    for update in value.as_array().unwrap() {
                        list(&mut item, "quantity_schedule").push(told(update));
                    }
                }
                "quantity_management_mode_update" => {
                    item["quantity_management_mode"] = value["quantity_management_mode"].clone();
                    object(&mut item).insert("seat_config".into(), value["seat_config"].clone());
                    self.seats.insert(id.clone(), (Vec::new(), 0));
                }
                "seat_updates" => self.update_seats(&id, value),
                _ => {
                    object(&mut item).insert(member.clone(), told(value));
                }
            }
        }
        *self.item(name, &update[id_name]) = item;
    }

    fn update_seats(&mut self, id: &str, updates: &Value) {
        let (seats, free) = self.seats.get_mut(id).expect("seats");
        let each = |verb: &str| updates[verb].as_array().cloned().unwrap_or_default();
        for update in each("add_seat_ids") {
            // New seats fill free ones first.
            for seat in update["seat_ids"].as_array().unwrap() {
                seats.push(seat.as_str().unwrap().to_owned());
                *free = (*free - 1).max(0);
            }
        }
        for update in each("remove_seat_ids") {
            seats.retain(|seat| !update["seat_ids"].as_array().unwrap().iter().any(|gone| gone == seat));
        }
        for update in each("add_unassigned_seats") {
            *free += digits(&update["quantity"]);
        }
        for update in each("remove_unassigned_seats") {
            *free -= digits(&update["quantity"]);
        }
    }

    fn update_schedule(&mut self, item: &mut Value, name: &str, change: &Value) {
        if item.get(name).is_none() {
            object(item).insert(
                name.into(),
                json!({"credit_type": {"id": USD, "name": "A unit"}, "schedule_items": []}),
            );
        }
        let each = |verb: &str| change[verb].as_array().cloned().unwrap_or_default();
        for gone in each("remove_schedule_items") {
            let items = list(&mut item[name], "schedule_items");
            let before = items.len();
            items.retain(|item| item["id"] != gone["id"]);
            assert_eq!(items.len() + 1, before, "an item to remove");
        }
        for update in each("update_schedule_items") {
            let items = list(&mut item[name], "schedule_items");
            let found = items.iter_mut().find(|item| item["id"] == update["id"]).expect("an item to change");
            object(found).extend(told(&update).as_object().unwrap().clone());
            if name != "access_schedule" {
                if let Some(amount) = update.get("amount") {
                    object(found)
                        .extend([("unit_price".into(), amount.clone()), ("quantity".into(), json!(1))]);
                } else {
                    found["amount"] = product(&found["unit_price"], &found["quantity"]);
                }
            }
        }
        for added in each("add_schedule_items") {
            let added = self.schedule_item(name, &added);
            list(&mut item[name], "schedule_items").push(added);
        }
    }

    /// The id that was minted for a temporary one.
    pub(super) fn id_of(&self, temporary: &str) -> Option<String> {
        self.temporary.get(temporary).cloned()
    }

    /// `data` of the seats of a subscription.
    pub(super) fn seats_of(&self, id: &str) -> Value {
        let (seats, free) = &self.seats[id];
        let total = i64::try_from(seats.len()).unwrap() + free;
        json!([{"starting_at": "2026-01-01T00:00:00Z", "assigned_seat_ids": seats, "total_quantity": total}])
    }
}
