//! Items of a Metronome contract, as the API keeps them: made from what is sent, and changed by the verbs of an edit.

use serde_json::{Map, Value, json};

use crate::time;

/// A list of a contract, and the name of an item's ID in the verbs that change one.
pub(crate) const LISTS: [(&str, &str); 4] = [
    ("commits", "commit_id"),
    ("credits", "credit_id"),
    ("scheduled_charges", "scheduled_charge_id"),
    ("recurring_commits", "recurring_commit_id"),
];

/// What may be used for a while.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Access {
    pub(crate) id: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) amount: i64,
}

/// What is invoiced at a moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) at: i64,
    pub(crate) amount: i64,
}

/// What comes again every month.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recurring {
    pub(crate) from: i64,
    pub(crate) to: Option<i64>,
    pub(crate) amount: i64,
}

/// An item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) list: &'static str,
    pub(crate) product: String,
    pub(crate) access: Vec<Access>,
    pub(crate) invoices: Vec<Invoice>,
    pub(crate) recurring: Option<Recurring>,
    /// Everything else, as it was sent.
    pub(crate) rest: Map<String, Value>,
    pub(crate) is_archived: bool,
    /// The deal that added it; nobody's when somebody did in the console.
    pub(crate) maker: Option<usize>,
    pub(crate) added: i64,
    /// Somebody approved the plan that added it, which names what of the past it bills.
    pub(crate) may_bill_past: bool,
    /// Whoever added it was shown another end of the contract, which somebody else has changed since.
    pub(crate) is_unaware: bool,
}

/// Numbers of IDs.
pub(crate) struct Minter(pub(crate) u64);

impl Minter {
    pub(crate) fn mint(&mut self, what: &str) -> String {
        self.0 += 1;
        format!("{what}-{}", self.0)
    }
}

impl Item {
    /// An item from what a create or an edit sends.
    pub(crate) fn made(
        list: &'static str,
        sent: &Value,
        maker: Option<usize>,
        now: i64,
        minter: &mut Minter,
    ) -> Result<Self, String> {
        let mut rest = sent.as_object().cloned().ok_or("an item is no object")?;
        let mut take = |name: &str| rest.remove(name).unwrap_or_default();
        let product = take("product_id").as_str().ok_or("`product_id` is missing")?.to_owned();
        let access = take("access_schedule");
        let schedule = take(if list == "scheduled_charges" { "schedule" } else { "invoice_schedule" });
        let (from, to) = (time::parse(&take("starting_at")), time::parse(&take("ending_before")));
        let mut item = Self {
            id: minter.mint(list),
            list,
            product,
            access: Vec::new(),
            invoices: Vec::new(),
            recurring: None,
            rest,
            is_archived: false,
            maker,
            added: now,
            may_bill_past: false,
            is_unaware: false,
        };
        for sent in access["schedule_items"].as_array().into_iter().flatten() {
            item.access.push(access_of(sent, minter)?);
        }
        for sent in schedule["schedule_items"].as_array().into_iter().flatten() {
            item.invoices.push(invoice_of(sent, minter)?);
        }
        for (at, amount) in occurrences(&schedule["recurring_schedule"]) {
            item.invoices.push(Invoice { id: minter.mint("item"), at, amount });
        }
        if list == "recurring_commits" {
            let from = from.ok_or("`starting_at` is missing")?;
            item.recurring = Some(Recurring { from, to, amount: invoiced(&item.rest) });
        }
        Ok(item)
    }

    /// Changes an item as a verb of an edit says. `is_final` tells what was invoiced already.
    pub(crate) fn change(
        &mut self,
        sent: &Value,
        id_name: &str,
        is_final: &dyn Fn(&str) -> bool,
        minter: &mut Minter,
    ) -> Result<(), String> {
        if self.is_archived {
            return Err("the item is archived".to_owned());
        }
        for (name, value) in sent.as_object().into_iter().flatten().filter(|(name, _)| *name != id_name) {
            match (name.as_str(), &mut self.recurring) {
                ("access_schedule", _) => self.change_access(value, minter)?,
                ("invoice_schedule", _) => self.change_invoices(value, is_final, minter)?,
                ("product_id", _) => value.as_str().unwrap_or_default().clone_into(&mut self.product),
                ("ending_before", Some(recurring)) => {
                    let to = time::parse(value);
                    if to.is_some_and(|to| to <= recurring.from) {
                        return Err("`ending_before` must be after `starting_at`".to_owned());
                    }
                    recurring.to = to;
                }
                ("access_amount" | "invoice_amount", Some(_)) => {
                    let amount = self.rest.entry(name.clone()).or_insert_with(|| json!({}));
                    for (name, value) in value.as_object().into_iter().flatten() {
                        amount[name.as_str()] = value.clone();
                    }
                }
                _ if value.is_null() => drop(self.rest.remove(name)),
                _ => drop(self.rest.insert(name.clone(), value.clone())),
            }
        }
        let amount = invoiced(&self.rest);
        if let Some(recurring) = &mut self.recurring {
            recurring.amount = amount;
        }
        Ok(())
    }

    fn change_access(&mut self, sent: &Value, minter: &mut Minter) -> Result<(), String> {
        for gone in entries(sent, "remove_schedule_items") {
            self.access.retain(|access| gone["id"] != json!(access.id));
        }
        for update in entries(sent, "update_schedule_items") {
            let found = self.access.iter_mut().find(|access| update["id"] == json!(access.id));
            let found = found.ok_or("no such item of the schedule")?;
            found.from = time::parse(&update["starting_at"]).unwrap_or(found.from);
            found.to = time::parse(&update["ending_before"]).unwrap_or(found.to);
            found.amount = update["amount"].as_i64().unwrap_or(found.amount);
        }
        for added in entries(sent, "add_schedule_items") {
            self.access.push(access_of(added, minter)?);
        }
        Ok(())
    }

    fn change_invoices(
        &mut self,
        sent: &Value,
        is_final: &dyn Fn(&str) -> bool,
        minter: &mut Minter,
    ) -> Result<(), String> {
        let touched = entries(sent, "remove_schedule_items").chain(entries(sent, "update_schedule_items"));
        if touched.filter_map(|entry| entry["id"].as_str()).any(is_final) {
            return Err("the invoice is final".to_owned());
        }
        for gone in entries(sent, "remove_schedule_items") {
            self.invoices.retain(|invoice| gone["id"] != json!(invoice.id));
        }
        for update in entries(sent, "update_schedule_items") {
            let found = self.invoices.iter_mut().find(|invoice| update["id"] == json!(invoice.id));
            let found = found.ok_or("no such item of the schedule")?;
            found.at = time::parse(&update["timestamp"]).unwrap_or(found.at);
            found.amount = amount(update).unwrap_or(found.amount);
        }
        for added in entries(sent, "add_schedule_items") {
            self.invoices.push(invoice_of(added, minter)?);
        }
        Ok(())
    }

    /// Cuts off what lies at or after a contract's end, as the API does.
    pub(crate) fn end(&mut self, end: i64) {
        self.invoices.retain(|invoice| invoice.at < end);
        self.access.retain(|access| access.from < end);
        for access in &mut self.access {
            access.to = access.to.min(end);
        }
        if let Some(recurring) = &mut self.recurring {
            recurring.to = Some(recurring.to.map_or(end, |to| to.min(end)));
        }
    }

    /// Moments at which a recurring item begins anew, up to one.
    pub(crate) fn beginnings(&self, until: i64, end: Option<i64>) -> Vec<i64> {
        let Some(recurring) = &self.recurring else { return Vec::new() };
        let moments = (0..240).map(|index| time::months_after(recurring.from, index));
        let is_in = |at: &i64| *at <= until && [recurring.to, end].iter().flatten().all(|end| at < end);
        moments.take_while(is_in).collect()
    }
}

fn entries<'v>(sent: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    sent[name].as_array().into_iter().flatten()
}

fn access_of(sent: &Value, minter: &mut Minter) -> Result<Access, String> {
    Ok(Access {
        id: minter.mint("item"),
        from: time::parse(&sent["starting_at"]).ok_or("`starting_at` is missing")?,
        to: time::parse(&sent["ending_before"]).ok_or("`ending_before` is missing")?,
        amount: sent["amount"].as_i64().ok_or("`amount` is missing")?,
    })
}

fn invoice_of(sent: &Value, minter: &mut Minter) -> Result<Invoice, String> {
    Ok(Invoice {
        id: minter.mint("item"),
        at: time::parse(&sent["timestamp"]).ok_or("`timestamp` is missing")?,
        amount: amount(sent).ok_or("`amount` is missing")?,
    })
}

fn amount(sent: &Value) -> Option<i64> {
    let product = || sent["unit_price"].as_i64()?.checked_mul(sent["quantity"].as_i64()?);
    sent["amount"].as_i64().or_else(product)
}

fn invoiced(rest: &Map<String, Value>) -> i64 {
    rest.get("invoice_amount").and_then(amount).unwrap_or_default()
}

/// A schedule that recurs, split: each of its moments with the amount, which is never divided here.
fn occurrences(recurring: &Value) -> Vec<(i64, i64)> {
    let months = match recurring["frequency"].as_str() {
        Some("MONTHLY") => 1,
        Some("QUARTERLY") => 3,
        _ => return Vec::new(),
    };
    let span = time::parse(&recurring["starting_at"]).zip(time::parse(&recurring["ending_before"]));
    let (Some((from, to)), Some(amount)) = (span, amount(recurring)) else { return Vec::new() };
    let moments = (0..240).map(|index| time::months_after(from, index * months));
    moments.take_while(|at| *at < to).map(|at| (at, amount)).collect()
}
