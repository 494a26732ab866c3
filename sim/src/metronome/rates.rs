//! Rates of rate cards, which a test seeds, and what a contract's overrides make of them.
//!
//! An overwrite comes before multipliers, and the last added of several overwrites counts. Of multipliers one counts:
//! the lowest, or with explicit prioritization the one whose priority is the lowest number. Overrides for commits only
//! are left aside.

use chrono::{DateTime, Utc};

use super::call::Call;
use super::contract::Contract;
use super::failure::Failure;
use super::value::{Fields, Json};
use super::{catalog, decimal, schedules, time};
use crate::store::Collection;

/// Rates by the id of their rate card: rows of `product_id`, `starting_at`, `rate_type`, `price` and more.
const RATES: Collection<Vec<Fields>> = Collection::new("metronome/rates");

/// Sets the rates of a rate card.
pub(super) fn seed(call: &Call, card: &str, rates: &Vec<Fields>) -> Result<(), Failure> {
    for rate in rates {
        for needed in ["product_id", "rate_type", "starting_at"] {
            if rate.text(needed).is_none() {
                return Err(Failure::bad_request(format!("{needed}: is required for a rate")));
            }
        }
        if time::of(rate, "starting_at").is_none() {
            return Err(Failure::bad_request("starting_at: is not an RFC 3339 time"));
        }
    }
    Ok(call.tx.put(&RATES, card, rates)?)
}

/// The rates of the contract's rate card that hold at a time.
pub(super) fn in_force(call: &Call, contract: &Contract, at: DateTime<Utc>) -> Result<Vec<Fields>, Failure> {
    let Some(card) = contract.terms.text("rate_card_id") else { return Ok(Vec::new()) };
    let rates = call.tx.get(&RATES, card)?.unwrap_or_default();
    Ok(rates.into_iter().filter(|rate| holds(rate, at)).collect())
}

fn holds(dated: &Fields, at: DateTime<Utc>) -> bool {
    time::of(dated, "starting_at").is_none_or(|start| start <= at)
        && time::of(dated, "ending_before").is_none_or(|end| at < end)
}

/// What a product costs at a time and billing frequency, overrides included; nothing when no rate says so.
pub(super) fn unit_price(
    call: &Call,
    contract: &Contract,
    product: &str,
    frequency: Option<&str>,
    at: DateTime<Utc>,
) -> Result<String, Failure> {
    let rates = in_force(call, contract, at)?;
    let rate = rates.iter().find(|rate| {
        rate.text("product_id") == Some(product)
            && rate.text("billing_frequency").is_none_or(|of| Some(of) == frequency)
    });
    let Some(rate) = rate else { return Ok("0".to_owned()) };
    let overrides = matching(contract, rate);
    let overridden = overridden(call, contract, rate, &overrides, at)?;
    let price = overridden.as_ref().and_then(|rate| rate.number("price")).or_else(|| rate.number("price"));
    Ok(price.unwrap_or("0").to_owned())
}

/// The overrides that bear on a rate, at whatever time.
fn matching<'a>(contract: &'a Contract, rate: &Fields) -> Vec<&'a Fields> {
    let product = rate.text("product_id");
    let tagged = |fields: &Fields, name: &str| {
        fields.texts(name).any(|tag| rate.texts("product_tags").any(|it| it == tag))
    };
    let specified = |specifier: &Fields| {
        let groups = specifier.object("pricing_group_values");
        let of_rate = rate.object("pricing_group_values");
        (!specifier.has("product_id") || specifier.text("product_id") == product)
            && (!specifier.has("product_tags") || tagged(specifier, "product_tags"))
            && (!specifier.has("billing_frequency")
                || specifier.text("billing_frequency") == rate.text("billing_frequency"))
            && groups.is_none_or(|groups| {
                groups.iter().all(|(key, value)| of_rate.and_then(|it| it.get(key)) == Some(value))
            })
    };
    let bears = |item: &&Fields| {
        let named = item.object("product").and_then(|product| product.text("id"));
        let anything =
            ["product", "applicable_product_tags", "override_specifiers"].iter().all(|it| !item.has(it));
        item.flag("is_commit_specific") != Some(true)
            && item.text("target") != Some("COMMIT_RATE")
            && (anything
                || (named.is_some() && named == product)
                || tagged(item, "applicable_product_tags")
                || item.objects("override_specifiers").any(specified))
    };
    contract.terms.objects("overrides").filter(bears).collect()
}

/// The rate that the overrides in force make of a list rate, if there are any.
fn overridden(
    call: &Call,
    contract: &Contract,
    rate: &Fields,
    overrides: &[&Fields],
    at: DateTime<Utc>,
) -> Result<Option<Fields>, Failure> {
    let now: Vec<_> = overrides.iter().filter(|item| holds(item, at)).collect();
    if let Some(rate) = now.iter().rev().find_map(|item| item.object("overwrite_rate")) {
        return Ok(Some(rate.clone()));
    }
    let explicit = contract.terms.text("multiplier_override_prioritization") == Some("EXPLICIT");
    let order = |item: &&&&Fields| {
        let of = if explicit { "priority" } else { "multiplier" };
        item.number(of).and_then(decimal::parse)
    };
    let price = rate.number("price").unwrap_or("0");
    if let Some(multiplier) = now
        .iter()
        .filter(|item| item.has("multiplier"))
        .min_by_key(order)
        .and_then(|item| item.number("multiplier"))
    {
        let price = schedules::product(price, multiplier)?;
        return Ok(Some(list_rate(call, rate)?.with("price", price)));
    }
    let Some(tiered) = now.iter().rev().find(|item| item.has("override_tiers")) else { return Ok(None) };
    let mut tiers = Vec::new();
    for tier in tiered.objects("override_tiers") {
        let price = schedules::product(price, tier.number("multiplier").unwrap_or("1"))?;
        let mut shown = Fields::default().with("price", price);
        shown.copy(tier, &["size"]);
        tiers.push(Json::from(shown));
    }
    let mut shown = list_rate(call, rate)?.with("rate_type", "TIERED").with("tiers", tiers);
    shown.take("price");
    Ok(Some(shown))
}

fn list_rate(call: &Call, rate: &Fields) -> Result<Fields, Failure> {
    let unit = catalog::credit_type(call, rate.text("credit_type_id"))?;
    let mut shown = Fields::default().with("credit_type", unit);
    shown.copy(rate, &["rate_type", "price", "tiers", "quantity", "is_prorated", "custom_rate"]);
    Ok(shown)
}

/// A rate as it holds at a time, from the last change before to the next one after.
pub(super) fn row(
    call: &Call,
    contract: &Contract,
    rate: &Fields,
    at: DateTime<Utc>,
) -> Result<Fields, Failure> {
    let overrides = matching(contract, rate);
    let dates = overrides.iter().copied().chain([rate]);
    let dates: Vec<_> =
        dates.flat_map(|it| [time::of(it, "starting_at"), time::of(it, "ending_before")]).flatten().collect();
    let product = catalog::product(call, rate.text("product_id").unwrap_or_default())?;
    let entitled =
        overrides.iter().rev().filter(|item| holds(item, at)).find_map(|item| item.flag("entitled"));
    let tags = rate.list("product_tags").to_vec();
    let mut row = Fields::default()
        .with("product_id", product.text("id"))
        .with("product_name", product.text("name"))
        .with("product_tags", tags)
        .with("product_custom_fields", Fields::default())
        .with("rate_card_id", contract.terms.text("rate_card_id"))
        .with("entitled", entitled.or_else(|| rate.flag("entitled")).unwrap_or(true))
        .with("list_rate", list_rate(call, rate)?);
    row.copy(rate, &["billing_frequency", "pricing_group_values", "commit_rate"]);
    if let Some(start) = dates.iter().filter(|date| **date <= at).max() {
        row.set("starting_at", time::json(*start));
    }
    if let Some(end) = dates.iter().filter(|date| **date > at).min() {
        row.set("ending_before", time::json(*end));
    }
    if let Some(rate) = overridden(call, contract, rate, &overrides, at)? {
        row.set("override_rate", rate);
    }
    Ok(row)
}

/// What one unit of a subscription costs at a time.
pub(super) fn subscription_price(
    call: &Call,
    contract: &Contract,
    subscription: &Fields,
    at: DateTime<Utc>,
) -> Result<String, Failure> {
    let rate = subscription.object("subscription_rate").cloned().unwrap_or_default();
    let product = rate.object("product").and_then(|product| product.text("id")).unwrap_or_default();
    unit_price(call, contract, product, rate.text("billing_frequency"), at)
}
