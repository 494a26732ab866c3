//! What a well-formed body can still get wrong, as far as Metronome's field descriptions say. Pure.

use std::collections::BTreeSet;

use super::failure::Failure;
use super::switches::Admission;
use super::value::Fields;
use super::{decimal, time};

type Checked = Result<(), Failure>;

fn refuse(message: &str) -> Failure {
    Failure::bad_request(message)
}

/// A uniqueness key, where there is one.
pub(super) fn uniqueness_key(body: &Fields) -> Result<Option<&str>, Failure> {
    match body.text("uniqueness_key") {
        Some(key) if key.is_empty() || key.chars().count() > 128 => {
            Err(refuse("uniqueness_key: must have 1 to 128 characters"))
        }
        key => Ok(key),
    }
}

/// Whether whatever starts also ends later.
pub(super) fn term(fields: &Fields) -> Checked {
    match (time::of(fields, "starting_at"), time::of(fields, "ending_before")) {
        (Some(start), Some(end)) if end <= start => Err(refuse("ending_before: must be after starting_at")),
        _ => Ok(()),
    }
}

/// Fields and lists that only some accounts may send.
pub(super) fn gated(body: &Fields, gate: Admission) -> Checked {
    const GATED: [&str; 12] = [
        "netsuite_sales_order_id",
        "salesforce_opportunity_id",
        "total_contract_value",
        "discounts",
        "add_discounts",
        "professional_services",
        "add_professional_services",
        "reseller_royalties",
        "add_reseller_royalties",
        "revenue_system_configuration",
        "add_revenue_system_configuration_update",
        "hierarchy_configuration",
    ];
    match GATED.into_iter().find(|name| gate == Admission::Reject && body.has(name)) {
        Some(name) => Err(refuse(&format!("{name}: is not enabled for this account"))),
        None => Ok(()),
    }
}

/// What contracts as a whole can get wrong.
pub(super) fn contract(body: &Fields) -> Checked {
    term(body)?;
    if body.number("net_payment_terms_days").is_some_and(decimal::is_negative) {
        return Err(refuse("net_payment_terms_days: must not be negative"));
    }
    trackers(body)
}

/// Whether each spend tracker has an alias of its own.
pub(super) fn trackers(terms: &Fields) -> Checked {
    let mut aliases = BTreeSet::new();
    match terms
        .objects("spend_trackers")
        .filter_map(|it| it.text("alias"))
        .find(|alias| !aliases.insert(*alias))
    {
        Some(alias) => Err(refuse(&format!("spend_trackers: the alias {alias} is used twice"))),
        None => Ok(()),
    }
}

/// What credits can get wrong.
pub(super) fn balance(sent: &Fields) -> Checked {
    let applies = ["applicable_product_ids", "applicable_product_tags"];
    if sent.has("specifiers") && applies.iter().any(|name| sent.has(name)) {
        return Err(refuse("specifiers exclude applicable_product_ids and applicable_product_tags"));
    }
    fraction(sent, "rollover_fraction")
}

/// What commits can get wrong.
pub(super) fn commit(sent: &Fields) -> Checked {
    balance(sent)?;
    let prepaid = sent.text("type") == Some("PREPAID");
    if prepaid && !sent.has("access_schedule") && !sent.has("amount") {
        return Err(refuse("access_schedule: is required for a prepaid commit"));
    }
    Ok(())
}

/// What recurring commits and credits can get wrong.
pub(super) fn recurring(sent: &Fields) -> Checked {
    balance(sent)?;
    term(sent)
}

/// What subscriptions can get wrong.
pub(super) fn subscription(sent: &Fields) -> Checked {
    term(sent)?;
    let seats = sent.text("quantity_management_mode") == Some("SEAT_BASED");
    if seats != sent.has("seat_config") {
        return Err(refuse("seat_config: goes with quantity_management_mode SEAT_BASED, and that with it"));
    }
    if !seats && !sent.has("initial_quantity") {
        return Err(refuse("initial_quantity: is required for QUANTITY_ONLY"));
    }
    if sent.number("initial_quantity").is_some_and(decimal::is_negative) {
        return Err(refuse("initial_quantity: must not be negative"));
    }
    Ok(())
}

/// What overrides can get wrong; the kind of override, said or to be seen from what it has.
pub(super) fn r#override(sent: &Fields) -> Result<Option<&str>, Failure> {
    term(sent)?;
    let kinds = [("OVERWRITE", "overwrite_rate"), ("MULTIPLIER", "multiplier"), ("TIERED", "tiers")];
    if let Some(kind) = sent.text("type") {
        let needed = kinds.iter().find(|(name, _)| *name == kind).map_or("", |(_, needed)| needed);
        if !sent.has(needed) {
            return Err(refuse(&format!("{needed}: is required for an override of type {kind}")));
        }
        return Ok(Some(kind));
    }
    if sent.number("multiplier").is_some_and(decimal::is_negative) {
        return Err(refuse("multiplier: must not be negative"));
    }
    Ok(kinds.iter().find(|(_, has)| sent.has(has)).map(|(kind, _)| *kind))
}

fn fraction(sent: &Fields, name: &str) -> Checked {
    let Some(digits) = sent.number(name) else { return Ok(()) };
    if decimal::is_fraction(digits) { Ok(()) } else { Err(refuse(&format!("{name}: must be from 0 to 1"))) }
}
