//! What time does to a contract by itself: recurring commits and credits make a grant at the start of every period,
//! and invoices become final.
//!
//! Periods are counted from the recurring item's own start, at its frequency or else at that of the usage statements;
//! partial periods are not prorated.

use chrono::{DateTime, Utc};

use super::call::Call;
use super::catalog;
use super::contract::{Contract, index_item};
use super::failure::Failure;
use super::invoices::{self, quantity_at};
use super::schedules::{self, fresh};
use super::time::{self, Step};
use super::value::{Fields, Json};

/// Makes the grants that are due, and issues the invoices where time does that; says whether there were any.
pub(super) fn settle(contract: &mut Contract, call: &Call) -> Result<bool, Failure> {
    if contract.archived_at.is_some() {
        return Ok(false);
    }
    let mut any = false;
    for (templates, grants, link, kind) in [
        ("recurring_commits", "commits", "recurring_commit_id", "PREPAID"),
        ("recurring_credits", "credits", "recurring_credit_id", "CREDIT"),
    ] {
        let due: Vec<_> = contract.terms.objects(templates).cloned().collect();
        for template in due {
            let id = template.text("id").unwrap_or_default().to_owned();
            let made = contract.granted.get(&id).copied().unwrap_or(0);
            let starts = starts(call, contract, &template);
            let fresh: Result<Vec<_>, _> = (made..)
                .zip(starts.iter().skip(usize::try_from(made).unwrap_or(usize::MAX)))
                .map(|(index, start)| grant(contract, call, &template, kind, index, *start))
                .collect();
            for grant in fresh? {
                index_item(&call.tx, grant.text("id").unwrap_or_default(), &contract.id)?;
                contract.terms.extend(grants, [grant.with(link, id.as_str())]);
                *contract.granted.entry(id.clone()).or_default() += 1;
                any = true;
            }
        }
    }
    Ok(invoices::issue_due(call, contract)? || any)
}

/// The period of a recurring item.
fn step(call: &Call, contract: &Contract, template: &Fields) -> Option<Step> {
    let usage =
        contract.terms.object("usage_statement_schedule").and_then(|schedule| schedule.text("frequency"));
    Step::every(template.text("recurrence_frequency").or(usage)?, call.settings.metronome_month_ends)
}

/// The starts of all periods that have begun.
fn starts(call: &Call, contract: &Contract, template: &Fields) -> Vec<DateTime<Utc>> {
    let ends = [time::of(template, "ending_before"), time::of(&contract.terms, "ending_before")];
    let end = ends.into_iter().flatten().min().unwrap_or(DateTime::<Utc>::MAX_UTC);
    let (Some(from), Some(step)) = (time::of(template, "starting_at"), step(call, contract, template)) else {
        return Vec::new();
    };
    step.starts(from, end).take_while(|start| *start <= call.now).collect()
}

fn grant(
    contract: &Contract,
    call: &Call,
    template: &Fields,
    kind: &str,
    index: u32,
    start: DateTime<Utc>,
) -> Result<Fields, Failure> {
    let mut grant = Fields::default()
        .with("id", fresh())
        .with("type", kind)
        .with("created_at", time::json(start))
        .with("created_by", "Metronome");
    let inherited =
        ["product", "contract", "priority", "rate_type", "name", "description", "rollover_fraction"];
    grant.copy(template, &inherited);
    let scope =
        ["applicable_product_ids", "applicable_product_tags", "specifiers", "hierarchy_configuration"];
    grant.copy(template, &scope);
    grant.copy(template, &["subscription_config", "netsuite_sales_order_id"]);

    let amount = template.object("access_amount").cloned().unwrap_or_default();
    let quantity = amount.number("quantity").map_or_else(|| seats(contract, template, start), str::to_owned);
    let periods = template.object("commit_duration").and_then(|duration| duration.number("value"));
    let periods: u32 = periods.and_then(|periods| periods.parse().ok()).unwrap_or(1);
    let (from, step) = (time::of(template, "starting_at"), step(call, contract, template));
    let until = from.zip(step).and_then(|(from, step)| step.after(from, index.saturating_add(periods)));
    let item = Fields::default()
        .with("id", fresh())
        .with("amount", schedules::product(amount.number("unit_price").unwrap_or("0"), &quantity)?)
        .with("starting_at", time::json(start))
        .with("ending_before", time::json(until.unwrap_or(DateTime::<Utc>::MAX_UTC)));
    let access = Fields::default()
        .with("access_type", amount.text("access_type").unwrap_or("SPEND"))
        .with("credit_type", catalog::credit_type(call, amount.text("credit_type_id"))?)
        .with("schedule_items", vec![Json::from(item)]);
    grant.set("access_schedule", access);

    if let Some(invoice) = template.object("invoice_amount") {
        let (unit_price, quantity) = (invoice.number("unit_price"), invoice.number("quantity"));
        let mut item = Fields::default().with("id", fresh()).with("timestamp", time::json(start));
        item.copy(invoice, &["unit_price", "quantity"]);
        item.set("amount", schedules::product(unit_price.unwrap_or("0"), quantity.unwrap_or("0"))?);
        let schedule = Fields::default()
            .with("credit_type", catalog::credit_type(call, invoice.text("credit_type_id"))?)
            .with("do_not_invoice", false)
            .with("schedule_items", vec![Json::from(item)]);
        grant.set("invoice_schedule", schedule);
    }
    Ok(grant)
}

/// The quantity of the subscription that the template is tied to; one without such.
fn seats(contract: &Contract, template: &Fields, at: DateTime<Utc>) -> String {
    let subscription = template
        .object("subscription_config")
        .and_then(|config| config.text("subscription_id"))
        .and_then(|id| contract.terms.item("subscriptions", id));
    let Some(subscription) = subscription else { return "1".to_owned() };
    quantity_at(subscription, at)
}
