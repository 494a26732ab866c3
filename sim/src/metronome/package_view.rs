//! A package's terms as they are read: ids given, references resolved, defaults filled in, time still relative.

use std::collections::BTreeMap;

use super::call::Call;
use super::failure::Failure;
use super::minting::Made;
use super::schedules::fresh;
use super::value::{Fields, Json};
use super::{catalog, custom_fields, rules, time};

/// Fields of a package that are written and read alike.
const PLAIN: [&str; 14] = [
    "aliases",
    "billing_anchor_date",
    "billing_provider",
    "contract_name",
    "delivery_method",
    "duration",
    "multiplier_override_prioritization",
    "name",
    "net_payment_terms_days",
    "prepaid_balance_threshold_configuration",
    "scheduled_charges_on_usage_invoices",
    "spend_threshold_configuration",
    "spend_trackers",
    "usage_statement_schedule",
];

type Read = fn(&mut Reader<'_>, &Fields) -> Result<Fields, Failure>;

/// The package as it is read, and its items.
pub(super) fn read(call: &Call, sent: &Fields) -> Result<(Fields, Vec<Made>), Failure> {
    let mut reader = Reader { call, named: BTreeMap::new(), made: Vec::new() };
    let mut read =
        Fields::default().with("created_at", time::json(call.now)).with("created_by", call.actor.as_str());
    read.copy(sent, &PLAIN);
    if let Some(rate_card) = catalog::rate_card(call, sent)? {
        read.set("rate_card_id", rate_card);
    }
    read.edit("usage_statement_schedule", |schedule| {
        schedule.take("invoice_generation_starting_at_offset");
        schedule.set_default("frequency", "MONTHLY");
        schedule.set_default("day", "FIRST_OF_MONTH");
    });
    let lists: [(&str, Read); 7] = [
        ("subscriptions", |reader, sent| reader.subscription(sent)),
        ("commits", |reader, sent| reader.balance(sent, "package_commit")),
        ("credits", |reader, sent| reader.balance(sent, "package_credit")),
        ("recurring_commits", |reader, sent| reader.recurring(sent)),
        ("recurring_credits", |reader, sent| reader.recurring(sent)),
        ("overrides", |reader, sent| reader.r#override(sent)),
        ("scheduled_charges", |reader, sent| reader.charge(sent)),
    ];
    for (list, make) in lists {
        let mut items: Vec<Json> = Vec::new();
        for (index, sent) in sent.objects(list).enumerate() {
            let item = make(&mut reader, sent).map_err(|failure| failure.at(&format!("{list}[{index}]")))?;
            items.push(item.into());
        }
        read.set(list, items);
    }
    Ok((read, reader.made))
}

struct Reader<'a> {
    call: &'a Call,
    named: BTreeMap<String, String>,
    made: Vec<Made>,
}

impl Reader<'_> {
    /// The item with an id and a product in place of the product's id.
    fn item(&mut self, sent: &Fields, entity: Option<&'static str>) -> Result<Fields, Failure> {
        let id = fresh();
        let mut item = sent.clone();
        if let Some(Json::Text(name)) = item.take("temporary_id") {
            self.named.insert(name, id.clone());
        }
        if let Some(Json::Text(product)) = item.take("product_id") {
            item.set("product", catalog::product(self.call, &product)?);
        }
        if let Some(entity) = entity {
            let custom_fields = sent.object("custom_fields").cloned();
            custom_fields::check(self.call, entity, &id, custom_fields.as_ref())?;
            self.made.push(Made { entity, id: id.clone(), custom_fields });
        }
        Ok(item.with("id", id))
    }

    fn credit_type(&self, schedule: &mut Fields) -> Result<(), Failure> {
        let unit = schedule.take("credit_type_id");
        schedule.set("credit_type", catalog::credit_type(self.call, unit.as_ref().and_then(Json::text))?);
        Ok(())
    }

    fn schedule(&self, item: &mut Fields, field: &str) -> Result<(), Failure> {
        let Some(mut schedule) = item.object(field).cloned() else { return Ok(()) };
        self.credit_type(&mut schedule)?;
        for row in schedule.objects_mut("schedule_items") {
            row.set("id", fresh());
        }
        item.set(field, schedule);
        Ok(())
    }

    fn balance(&mut self, sent: &Fields, entity: &'static str) -> Result<Fields, Failure> {
        rules::balance(sent)?;
        let mut item = self.item(sent, Some(entity))?;
        item.set_default("priority", 100_u32);
        item.set_default("rate_type", "LIST_RATE");
        self.schedule(&mut item, "access_schedule")?;
        self.schedule(&mut item, "invoice_schedule")?;
        item.edit("access_schedule", |schedule| schedule.set_default("access_type", "SPEND"));
        if item.has("invoice_schedule") {
            item.edit("invoice_schedule", |schedule| schedule.set_default("do_not_invoice", false));
        }
        Ok(item)
    }

    fn charge(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        let mut item = self.item(sent, Some("package_scheduled_charge"))?;
        self.schedule(&mut item, "schedule")?;
        Ok(item)
    }

    fn recurring(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        rules::balance(sent)?;
        let mut item = self.item(sent, None)?;
        item.set_default("rate_type", "LIST_RATE");
        item.set_default("proration", "FIRST_AND_LAST");
        item.edit("commit_duration", |duration| duration.set_default("unit", "PERIODS"));
        item.edit("access_amount", |amount| {
            let units = amount.text("access_type") == Some("QUANTITY");
            amount.set_default("access_type", "SPEND");
            amount.set_default("credit_type_id", if units { catalog::NO_CREDIT_TYPE } else { catalog::USD });
        });
        if let Some(mut config) = item.object("subscription_config").cloned() {
            let name = config.take("subscription_id");
            let id = self.resolve(name.as_ref().and_then(Json::text).unwrap_or_default())?;
            config.set("subscription_template_id", id);
            config.set_default("allocation", "POOLED");
            item.set("subscription_config", config);
        }
        Ok(item)
    }

    fn subscription(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        rules::subscription(sent)?;
        let mut item = self.item(sent, Some("package_subscription"))?;
        item.set_default("quantity_management_mode", "QUANTITY_ONLY");
        item.set("fiat_credit_type_id", catalog::USD);
        item.edit("proration", |proration| {
            proration.set_default("invoice_behavior", "BILL_IMMEDIATELY");
            proration.set_default("is_prorated", true);
        });
        let mut rate = item.object("subscription_rate").cloned().unwrap_or_default();
        if let Some(Json::Text(product)) = rate.take("product_id") {
            rate.set("product", catalog::product(self.call, &product)?);
        }
        item.set("subscription_rate", rate);
        if item.has("seat_config") {
            item.edit("seat_config", |config| drop(config.take("initial_unassigned_seats")));
        }
        Ok(item)
    }

    fn r#override(&mut self, sent: &Fields) -> Result<Fields, Failure> {
        let kind = rules::r#override(sent)?;
        let mut item = self.item(sent, None)?;
        item.rename("tiers", "override_tiers");
        item.set_default("target", "LIST_RATE");
        if let Some(kind) = kind {
            item.set("type", kind);
        }
        if let Some(mut rate) = item.object("overwrite_rate").cloned() {
            self.credit_type(&mut rate)?;
            item.set("overwrite_rate", rate);
        }
        for specifier in item.objects_mut("override_specifiers") {
            for (sent, read) in [
                ("commit_ids", "commit_template_ids"),
                ("recurring_commit_ids", "recurring_commit_template_ids"),
                ("any_commit_or_credit_ids", "any_commit_or_credit_template_ids"),
            ] {
                if specifier.has(sent) {
                    let ids: Result<Vec<_>, _> =
                        specifier.texts(sent).map(|name| self.resolve(name).map(Json::from)).collect();
                    specifier.take(sent);
                    specifier.set(read, ids?);
                }
            }
        }
        Ok(item)
    }

    fn resolve(&self, name: &str) -> Result<String, Failure> {
        let id = self.named.get(name);
        id.cloned().ok_or_else(|| Failure::bad_request(format!("{name} is no temporary_id of the package")))
    }
}
