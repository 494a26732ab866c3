//! A contract made from a package: relative terms become absolute ones, counted from the contract's start.
//!
//! Months and years are added as calendars do: a month after 31 January is the last day of February.

use chrono::{DateTime, Utc};

use super::call::Call;
use super::customers::Customer;
use super::failure::Failure;
use super::packages::{self, Package};
use super::time::{self, Step};
use super::value::{Fields, Json};
use super::{billing, minting};

/// What a request that names a package may have besides.
const ALLOWED: [&str; 7] = [
    "customer_id",
    "starting_at",
    "package_id",
    "package_alias",
    "uniqueness_key",
    "transition",
    "custom_fields",
];

/// The request as if it had named every term itself, and the package that they come from. A request that names no
/// package stays as it is.
pub(super) fn expand(
    call: &Call,
    customer: &Customer,
    body: Fields,
) -> Result<(Fields, Option<String>), Failure> {
    let start = time::of(&body, "starting_at").unwrap_or(call.now);
    let package = match (body.text("package_id"), body.text("package_alias")) {
        (None, None) => return Ok((body, None)),
        (Some(_), Some(_)) => {
            return Err(Failure::bad_request("package_id and package_alias exclude each other"));
        }
        (Some(id), None) => packages::find(call, id)?
            .ok_or_else(|| Failure::missing("PackageNotFound", format!("Package {id} not found")))?,
        (None, Some(alias)) => packages::with_alias(call, alias, start)?.ok_or_else(|| {
            Failure::missing("PackageNotFound", format!("no package has the alias {alias}"))
        })?,
    };
    if let Some((extra, _)) = body.iter().find(|(name, _)| !ALLOWED.contains(name)) {
        return Err(Failure::bad_request(format!("{extra}: can't be given together with a package")));
    }
    if package.archived_at.is_some() {
        return Err(Failure::bad_request(format!("package {} is archived", package.id)));
    }
    let mut terms = terms(&package, start)?;
    if let Some(provider) = package.terms.text("billing_provider") {
        let matching = billing::matching(customer, provider, package.terms.text("delivery_method"));
        let [configuration] = matching.collect::<Vec<_>>()[..] else {
            let message = format!(
                "the customer must have exactly one billing provider configuration for {provider} with the \
                 package's delivery method"
            );
            return Err(Failure::bad_request(message));
        };
        let id = configuration.text("id").unwrap_or_default();
        let named = Fields::default().with("billing_provider_configuration_id", id);
        terms.set("billing_provider_configuration", named);
    }
    terms.copy(&body, &["customer_id", "starting_at", "uniqueness_key", "transition", "custom_fields"]);
    Ok((terms, Some(package.id)))
}

/// The package's terms for a contract that starts then, as a request to create it would have them.
fn terms(package: &Package, start: DateTime<Utc>) -> Result<Fields, Failure> {
    let of = &package.terms;
    let mut terms = Fields::default();
    for (list, _) in minting::LISTS {
        for item in of.objects(list) {
            terms.extend(list, [absolute(item, start)?]);
        }
    }
    terms.copy(of, &["multiplier_override_prioritization", "net_payment_terms_days", "rate_card_id"]);
    terms.copy(of, &["rate_card_alias", "scheduled_charges_on_usage_invoices"]);
    terms.copy(of, &["spend_threshold_configuration", "prepaid_balance_threshold_configuration"]);
    if let Some(name) = of.get("contract_name") {
        terms.set("name", name.clone());
    }
    if let Some(duration) = of.object("duration") {
        terms.set("ending_before", time::json(after(start, duration)?));
    }
    let mut schedule = of.object("usage_statement_schedule").cloned().unwrap_or_default();
    schedule.take("invoice_generation_starting_at_offset");
    let anchor = of.text("billing_anchor_date").or(schedule.text("billing_anchor_date"));
    if anchor == Some("contract_start_date") {
        schedule.set("day", "CONTRACT_START");
    }
    if !schedule.is_empty() {
        terms.set("usage_statement_schedule", schedule);
    }
    Ok(terms)
}

/// The same with times in place of offsets and durations.
fn absolute(relative: &Fields, start: DateTime<Utc>) -> Result<Fields, Failure> {
    let mut made = Fields::default();
    let from = match relative.object("starting_at_offset") {
        Some(offset) => after(start, offset)?,
        None => start,
    };
    for (name, value) in relative.iter() {
        match (name, value) {
            ("starting_at_offset", _) => made.set("starting_at", time::json(from)),
            ("duration", Json::Object(duration)) => {
                made.set("ending_before", time::json(after(from, duration)?));
            }
            ("date_offset", Json::Object(offset)) => made.set("timestamp", time::json(after(start, offset)?)),
            (_, Json::Object(inner)) => made.set(name, absolute(inner, start)?),
            (_, Json::List(values)) => {
                let values = values.iter().map(|value| match value {
                    Json::Object(inner) => absolute(inner, start).map(Json::from),
                    other => Ok(other.clone()),
                });
                made.set(name, values.collect::<Result<Vec<_>, _>>()?);
            }
            (_, value) => made.set(name, value.clone()),
        }
    }
    Ok(made)
}

fn after(from: DateTime<Utc>, length: &Fields) -> Result<DateTime<Utc>, Failure> {
    let end = Step::relative(length).and_then(|step| step.after(from, 1));
    end.ok_or_else(|| Failure::bad_request("an offset or duration is out of bounds"))
}
