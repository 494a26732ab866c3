//! What was sent becomes what is kept and read: ids are given, references resolved, defaults filled in.
//!
//! One [`Mint`] serves one request, because temporary ids mean something only inside it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::call::Call;
use super::failure::Failure;
use super::schedules::{self, fresh};
use super::seats::Seats;
use super::value::{Fields, Json};
use super::{catalog, custom_fields, next_ids, rules, time, views};

/// Fields that balances and templates of balances have in common, written and read alike.
const BALANCE: [&str; 9] = [
    "applicable_product_ids",
    "applicable_product_tags",
    "custom_fields",
    "description",
    "hierarchy_configuration",
    "name",
    "netsuite_sales_order_id",
    "rollover_fraction",
    "specifiers",
];

/// The priority of what has none.
const PRIORITY: u32 = 100;

/// Makes items for one contract.
pub(super) struct Mint<'a> {
    call: &'a Call,
    contract: String,
    start: DateTime<Utc>,
    /// Server ids by the temporary ones of the request.
    named: BTreeMap<String, String>,
    /// Ids of items that the contract already has.
    existing: BTreeSet<String>,
    /// Whether the keys of custom fields must exist; those that come from a package need not.
    pub(super) check_keys: bool,
    /// What was made.
    pub(super) made: Vec<Made>,
    /// Who sits on the subscriptions that were made.
    pub(super) seats: BTreeMap<String, Seats>,
}

/// An item that was made, as far as custom fields are concerned.
pub(super) struct Made {
    pub(super) entity: &'static str,
    pub(super) id: String,
    pub(super) custom_fields: Option<Fields>,
}

type Make = fn(&mut Mint<'_>, &Fields) -> Result<Fields, Failure>;

/// The lists of a contract whose items are made one by one, in an order in which each can refer to those before.
pub(super) const LISTS: [(&str, Make); 10] = [
    ("subscriptions", |mint, sent| mint.subscription(sent)),
    ("commits", |mint, sent| mint.commit(sent)),
    ("credits", |mint, sent| mint.credit(sent)),
    ("recurring_commits", |mint, sent| mint.recurring(sent)),
    ("recurring_credits", |mint, sent| mint.recurring(sent)),
    ("overrides", |mint, sent| mint.r#override(sent)),
    ("scheduled_charges", |mint, sent| mint.scheduled_charge(sent)),
    ("discounts", |mint, sent| mint.discount(sent)),
    ("professional_services", |mint, sent| mint.professional_service(sent)),
    ("spend_trackers", |_, sent| Ok(spend_tracker(sent))),
];

impl<'a> Mint<'a> {
    /// For the contract with that id and start, which has these items already.
    pub(super) fn new(call: &'a Call, contract: &str, start: DateTime<Utc>, terms: &Fields) -> Self {
        let lists = ["commits", "credits", "recurring_commits", "recurring_credits", "subscriptions"];
        let ids = lists.iter().flat_map(|list| terms.objects(list)).filter_map(|item| item.text("id"));
        Self {
            call,
            contract: contract.to_owned(),
            start,
            named: BTreeMap::new(),
            existing: ids.map(str::to_owned).collect(),
            check_keys: true,
            made: Vec::new(),
            seats: BTreeMap::new(),
        }
    }

    /// Makes an item of every object in `sent[field]`.
    pub(super) fn all(
        &mut self,
        sent: &Fields,
        field: &str,
        make: impl Fn(&mut Self, &Fields) -> Result<Fields, Failure>,
    ) -> Result<Vec<Fields>, Failure> {
        let make =
            |(index, item)| make(self, item).map_err(|failure| failure.at(&format!("{field}[{index}]")));
        sent.objects(field).enumerate().map(make).collect()
    }

    fn item(&mut self, sent: &Fields, entity: Option<&'static str>) -> Result<Fields, Failure> {
        let id = self.next_id(entity)?;
        if let Some(name) = sent.text("temporary_id")
            && self.named.insert(name.to_owned(), id.clone()).is_some()
        {
            return Err(Failure::bad_request(format!("temporary_id {name} is used twice")));
        }
        if let Some(entity) = entity {
            let custom_fields = sent.object("custom_fields").cloned();
            if self.check_keys {
                custom_fields::check(self.call, entity, &id, custom_fields.as_ref())?;
            }
            self.made.push(Made { entity, id: id.clone(), custom_fields });
        }
        Ok(Fields::default().with("id", id))
    }

    /// The next id that a test has seeded for the entity, or else a fresh one.
    fn next_id(&self, entity: Option<&'static str>) -> Result<String, Failure> {
        let Some(entity) = entity else { return Ok(fresh()) };
        let before = self.made.iter().filter(|made| made.entity == entity).count();
        let seeded = next_ids::of(self.call, entity)?.into_iter().nth(before);
        Ok(seeded.unwrap_or_else(fresh))
    }

    fn stamped(&self, item: Fields) -> Fields {
        item.with("created_at", time::json(self.call.now)).with("created_by", self.call.actor.as_str())
    }

    fn owned(&self, item: Fields) -> Fields {
        item.with("contract", Fields::default().with("id", self.contract.as_str()))
    }

    fn product(&self, sent: &Fields) -> Result<Fields, Failure> {
        catalog::product(self.call, sent.text("product_id").unwrap_or_default())
    }

    /// The server's id of what the request calls `name`.
    fn resolve(&self, name: &str) -> Result<String, Failure> {
        match self.named.get(name) {
            Some(id) => Ok(id.clone()),
            None if self.existing.contains(name) => Ok(name.to_owned()),
            None => Err(Failure::bad_request(format!("{name} is no item of the contract"))),
        }
    }

    /// A commit.
    pub(super) fn commit(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        rules::commit(sent)?;
        let mut commit = self.balance(sent, "commit")?;
        commit.copy(sent, &["type", "amount", "spend_tracker_attributes"]);
        if let Some(schedule) = sent.object("invoice_schedule") {
            commit.set("invoice_schedule", schedules::invoices(self.call, schedule)?);
        }
        Ok(commit)
    }

    /// A credit.
    pub(super) fn credit(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        rules::balance(sent)?;
        Ok(self.balance(sent, "contract_credit")?.with("type", "CREDIT"))
    }

    fn balance(&mut self, sent: &Fields, entity: &'static str) -> Result<Fields, Failure> {
        let item = self.item(sent, Some(entity))?;
        let mut balance = self.owned(self.stamped(item)).with("product", self.product(sent)?);
        balance.copy(sent, &BALANCE);
        balance.set("priority", sent.get("priority").cloned().unwrap_or(PRIORITY.into()));
        balance.set("rate_type", sent.text("rate_type").unwrap_or("LIST_RATE"));
        if let Some(schedule) = sent.object("access_schedule") {
            balance.set("access_schedule", schedules::access(self.call, schedule)?);
        }
        Ok(balance)
    }

    /// A recurring commit or credit.
    pub(super) fn recurring(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        rules::recurring(sent)?;
        let mut item = self.item(sent, None)?;
        item = self.owned(item).with("product", self.product(sent)?);
        item.copy(sent, &BALANCE);
        let copied = ["commit_duration", "priority", "starting_at", "ending_before", "recurrence_frequency"];
        item.copy(sent, &copied);
        item.copy(sent, &["invoice_amount", "proration_rounding", "subscription_config"]);
        item.edit("commit_duration", |duration| duration.set_default("unit", "PERIODS"));
        item.set("rate_type", sent.text("rate_type").unwrap_or("LIST_RATE"));
        item.set("proration", sent.text("proration").unwrap_or("FIRST_AND_LAST"));
        item.set("anchor_date", sent.get("starting_at").cloned().unwrap_or_default());
        let mut amount = sent.object("access_amount").cloned().unwrap_or_default();
        let units = amount.text("access_type") == Some("QUANTITY");
        amount.set_default("access_type", "SPEND");
        amount.set_default("credit_type_id", if units { catalog::NO_CREDIT_TYPE } else { catalog::USD });
        for priced in [Some(&amount), sent.object("invoice_amount")].into_iter().flatten() {
            catalog::credit_type(self.call, priced.text("credit_type_id"))?;
            schedules::product(
                priced.number("unit_price").unwrap_or("0"),
                priced.number("quantity").unwrap_or("0"),
            )?;
        }
        item.set("access_amount", amount);
        if let Some(config) = sent.object("subscription_config") {
            let subscription = self.resolve(config.text("subscription_id").unwrap_or_default())?;
            item.edit("subscription_config", |config| {
                config.set("subscription_id", subscription);
                config.set_default("allocation", "POOLED");
            });
        }
        Ok(item)
    }

    /// A subscription.
    pub(super) fn subscription(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        rules::subscription(sent)?;
        let mut item = self.item(sent, Some("subscription"))?;
        item.set("created_at", time::json(self.call.now));
        item.copy(sent, &["collection_schedule", "custom_fields", "description", "ending_before", "name"]);
        item.set("starting_at", sent.get("starting_at").cloned().unwrap_or(time::json(self.start)));
        item.set("fiat_credit_type_id", catalog::USD);
        let mut proration = sent.object("proration").cloned().unwrap_or_default();
        proration.set_default("invoice_behavior", "BILL_IMMEDIATELY");
        proration.set_default("is_prorated", true);
        item.set("proration", proration);
        let rate = sent.object("subscription_rate").cloned().unwrap_or_default();
        let mut shown = Fields::default().with("product", self.product(&rate)?);
        shown.copy(&rate, &["billing_frequency"]);
        item.set("subscription_rate", shown);
        if let Some(cycle) = sent.object("billing_cycle_config") {
            let mut cycle = cycle.clone();
            cycle.set_default("anchor_date", time::json(self.start));
            cycle.set_default("invoice_placement", "ON_USAGE_INVOICE");
            item.set("billing_cycle_config", cycle);
        }
        item.set(
            "quantity_management_mode",
            sent.text("quantity_management_mode").unwrap_or("QUANTITY_ONLY"),
        );
        let mut quantity = sent.get("initial_quantity").cloned().unwrap_or(0_u32.into());
        if let Some(config) = sent.object("seat_config") {
            let seats = Seats::first(config, time::of(&item, "starting_at").unwrap_or(self.start));
            quantity = seats.count();
            let mut shown = Fields::default();
            shown.copy(config, &["seat_group_key"]);
            item.set("seat_config", shown);
            self.seats.insert(item.text("id").unwrap_or_default().to_owned(), seats);
        }
        let first = Fields::default().with("quantity", quantity);
        let start = item.get("starting_at").cloned().unwrap_or_default();
        item.extend("quantity_schedule", [first.with("starting_at", start)]);
        item.set("billing_periods", views::billing_periods(self.call, &item));
        Ok(item)
    }

    /// A scheduled charge.
    pub(super) fn scheduled_charge(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        self.charge(sent, "scheduled_charge")
    }

    /// A discount.
    pub(super) fn discount(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        self.charge(sent, "discount")
    }

    fn charge(&mut self, sent: &Fields, entity: &'static str) -> Result<Fields, Failure> {
        let mut item = self.item(sent, Some(entity))?.with("product", self.product(sent)?);
        item.copy(sent, &["custom_fields", "name", "netsuite_sales_order_id"]);
        let schedule = sent.object("schedule").cloned().unwrap_or_default();
        Ok(item.with("schedule", schedules::invoices(self.call, &schedule)?))
    }

    /// A professional service.
    pub(super) fn professional_service(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        let mut item = self.item(sent, Some("professional_service"))?;
        item.copy(sent, &["product_id", "max_amount", "quantity", "unit_price"]);
        item.copy(sent, &["custom_fields", "description", "netsuite_sales_order_id"]);
        self.product(sent)?;
        Ok(item)
    }

    /// An override.
    pub(super) fn r#override(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        let kind = rules::r#override(sent)?;
        let mut item = self.item(sent, None)?;
        item.set("created_at", time::json(self.call.now));
        item.copy(sent, &["applicable_product_tags", "starting_at", "ending_before", "entitled", "priority"]);
        item.copy(sent, &["is_commit_specific", "multiplier"]);
        item.set("target", sent.text("target").unwrap_or("LIST_RATE"));
        if let Some(kind) = kind {
            item.set("type", kind);
        }
        if sent.has("product_id") {
            item.set("product", self.product(sent)?);
        }
        if let Some(tiers) = sent.get("tiers") {
            item.set("override_tiers", tiers.clone());
        }
        if let Some(rate) = sent.object("overwrite_rate") {
            let mut rate = rate.clone();
            let unit = rate.take("credit_type_id");
            let unit = catalog::credit_type(self.call, unit.as_ref().and_then(Json::text))?;
            item.set("overwrite_rate", rate.with("credit_type", unit));
        }
        if sent.has("override_specifiers") {
            let specifiers: Result<Vec<_>, _> =
                sent.objects("override_specifiers").map(|specifier| self.specifier(specifier)).collect();
            item.set("override_specifiers", Vec::new());
            item.extend("override_specifiers", specifiers?);
        }
        Ok(item)
    }

    /// A specifier in which every item has the server's id.
    fn specifier(&self, sent: &Fields) -> Result<Fields, Failure> {
        let mut specifier = sent.clone();
        for field in ["commit_ids", "recurring_commit_ids", "any_commit_or_credit_ids"] {
            if sent.has(field) {
                let ids: Result<Vec<Json>, _> =
                    sent.texts(field).map(|name| self.resolve(name).map(Json::from)).collect();
                specifier.set(field, ids?);
            }
        }
        Ok(specifier)
    }

    /// A threshold configuration, of spend or of the prepaid balance.
    pub(super) fn threshold(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        let commit = sent.object("commit").cloned().unwrap_or_default();
        self.product(&commit)?;
        let mut threshold = sent.clone();
        threshold.edit("payment_gate_config", |gate| gate.set_default("tax_type", "NONE"));
        Ok(threshold)
    }
}

/// A spend tracker.
pub(super) fn spend_tracker(sent: &Fields) -> Fields {
    let mut tracker = sent.clone();
    for specifier in tracker.objects_mut("applicable_spend_specifiers") {
        specifier.set_default("discounted", "ANY");
    }
    tracker
}

/// A segment of reseller royalties, flat as it is read.
pub(super) fn royalty(sent: &Fields) -> Fields {
    let mut segment = sent.clone();
    for options in ["aws_options", "gcp_options"] {
        if let Some(Json::Object(options)) = segment.take(options) {
            for (name, value) in options {
                segment.set(&name, value);
            }
        }
    }
    segment
}
