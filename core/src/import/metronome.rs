//! Metronome's contracts and packages as resources.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Destination, Imported, LeftOut, Unimportable, distinct, package as resource_of, slug};
use crate::{
    api::{Api, BillingContract, ContractPackage},
    plan::metronome::{
        Balances, ITEM_KEY, ObservedBalances, ObservedContract, STAMP_KEYS, UniquenessKey, keyed_lists,
        leave_out_defaults, package::ObservedPackage,
    },
    terms::{Decimal, Timestamp},
};

/// Configurations of a contract, and the member that names one by its ID.
const CONFIGURATIONS: [(&str, &str); 2] = [
    ("billingProviderConfiguration", "billingProviderConfigurationId"),
    ("revenueSystemConfiguration", "revenueSystemConfigurationId"),
];

/// IDs of the subscriptions of a contract whose seats `v1/contracts/getSubscriptionSeatsHistory` tells.
pub fn seat_based(data: &Value) -> impl Iterator<Item = &str> {
    let subscriptions = data.get("subscriptions").and_then(Value::as_array).into_iter().flatten();
    let has_seats = |subscription: &&Value| {
        let mode = subscription.get("quantity_management_mode").and_then(Value::as_str);
        mode.is_some_and(|mode| mode.eq_ignore_ascii_case("SEAT_BASED"))
    };
    subscriptions.filter(has_seats).filter_map(|subscription| subscription.get("id")?.as_str())
}

/// What a customer has beside its contracts, as lists of it told it.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// `data` of each list.
    pub told: &'a BTreeMap<Balances, Value>,
    /// Whether what is billed on no contract goes with this one: it must be in one resource only.
    pub takes_unbilled: bool,
}

/// A contract, from `data` of `v2/contracts/get`, and the seats of its subscriptions by their IDs.
///
/// # Errors
/// When the reply is no contract, or one that no resource can say.
pub fn contract(
    data: &Value,
    seats: &BTreeMap<String, Value>,
    beside: Beside<'_>,
    to: &Destination,
    now: DateTime<Utc>,
) -> Result<Imported<BillingContract>, Unimportable> {
    let mut observed = ObservedContract::read(data, now).map_err(Unimportable)?;
    for (subscription_id, told) in seats {
        observed.merge_seats(subscription_id, told);
    }
    let key = UniquenessKey::given(observed.uniqueness_key.as_deref().unwrap_or_default());
    for (kind, told) in beside.told {
        let told = ObservedBalances::read(*kind, told).map_err(Unimportable)?;
        observed.merge_balances(*kind, &told, &key);
    }
    let mut terms = observed.terms.clone();
    take_balances(&mut terms, &observed, beside.takes_unbilled, now);
    take_seats(&mut terms, &observed);
    leave_out_defaults(&mut terms);
    leave_out_sums(&mut terms);
    // Required, and told only where it says something.
    for subscription in terms.get_mut("subscriptions").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(subscription) = subscription.as_object_mut() {
            subscription.entry("proration").or_insert_with(|| json!({}));
        }
    }
    // Told in full and by its ID; people write the former.
    for (name, id) in CONFIGURATIONS {
        if let Some(configuration) = terms.get_mut(name).and_then(Value::as_object_mut)
            && configuration.len() > 1
        {
            configuration.remove(id);
        }
    }
    if let Some(members) = terms.as_object_mut() {
        // The package says when usage is invoiced, and the spec may not.
        if members.contains_key("packageId") {
            members.remove("usageStatementSchedule");
        }
        // Which day it stands for is not told, and without that a spec cannot say it.
        if let Some(schedule) = members.get_mut("usageStatementSchedule").and_then(Value::as_object_mut) {
            schedule.remove("billingAnchorDate");
        }
    }
    for (list, noun) in keyed_lists() {
        name_items(&mut terms, list, noun);
    }
    let name = take_stamp(&mut terms);
    let name = name.or_else(|| terms.get("name")?.as_str().map(str::to_owned)).unwrap_or_default();
    if let Some(members) = terms.as_object_mut() {
        members.insert("customerId".to_owned(), json!(observed.customer_id));
        if let Some(key) = &observed.uniqueness_key {
            members.insert("uniquenessKey".to_owned(), json!(key));
        }
    }
    let (resource, left_out) = super::contract(Api::Metronome, &terms, &observed.contract_id, &name, to)?;
    Ok(Imported { id: observed.contract_id, state: observed.state, resource, left_out })
}

/// Takes the stamp of the cluster that a contract was made by off; the name that it had there, if it was stamped.
fn take_stamp(terms: &mut Value) -> Option<String> {
    let fields = terms.get_mut("customFields")?.as_object_mut()?;
    let [_, _, name, _] = STAMP_KEYS;
    let name = fields.get(name)?.as_str().map(str::to_owned);
    fields.retain(|field, _| !STAMP_KEYS.contains(&field.as_str()));
    if fields.is_empty() {
        terms.as_object_mut()?.remove("customFields");
    }
    name
}

/// Leaves what the customer has beside the contract to the contract on whose invoices it is billed. What is over is left out.
fn take_balances(terms: &mut Value, observed: &ObservedContract, takes_unbilled: bool, now: DateTime<Utc>) {
    const BILLED_ON: &str = "invoiceContractId";
    let Some(members) = terms.as_object_mut() else { return };
    for kind in Balances::ALL {
        let mut taken = Vec::new();
        for (key, item) in observed.balances(kind, Timestamp(now)) {
            let billed_on = item.get(BILLED_ON).and_then(Value::as_str);
            if !billed_on.map_or(takes_unbilled, |contract| contract == observed.contract_id) {
                continue;
            }
            let mut item = item.clone();
            if let Some(item) = item.as_object_mut() {
                item.remove(BILLED_ON);
                item.extend(key.map(|key| ("key".to_owned(), json!(key))));
            }
            taken.push(item);
        }
        members.remove(kind.list());
        if !taken.is_empty() {
            members.insert(kind.list().to_owned(), taken.into());
        }
    }
}

/// Says who sits on each subscription that has seats, which takes the place of its quantity.
fn take_seats(terms: &mut Value, observed: &ObservedContract) {
    for (index, taken, unassigned) in observed.seats() {
        let subscription =
            terms.pointer_mut(&format!("/subscriptions/{index}")).and_then(Value::as_object_mut);
        let Some(subscription) = subscription else { continue };
        subscription.remove("initialQuantity");
        let seats = subscription.entry("seatConfig").or_insert_with(|| json!({}));
        if let Some(seats) = seats.as_object_mut() {
            seats.insert("initialSeatIds".to_owned(), json!(taken));
            if let Some(unassigned) = unassigned.filter(|count| *count != Decimal::from(0)) {
                seats.insert("initialUnassignedSeats".to_owned(), json!(unassigned));
            }
        }
    }
}

/// Leaves out one of the two forms in which the API tells an amount, its sum or its price and quantity; people write the
/// shorter one.
fn leave_out_sums(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(leave_out_sums),
        Value::Object(members) => {
            members.values_mut().for_each(leave_out_sums);
            if ["amount", "unitPrice", "quantity"].iter().all(|name| members.contains_key(*name)) {
                if members.get("quantity").is_some_and(|quantity| quantity == "1") {
                    members.retain(|name, _| !["unitPrice", "quantity"].contains(&name.as_str()));
                } else {
                    members.remove("amount");
                }
            }
        }
        _ => {}
    }
}

/// Gives every item of a list the key that the resource needs: the one that it is stamped with, or else from what people
/// call it.
fn name_items(terms: &mut Value, list: &str, noun: &str) {
    let mut taken = BTreeSet::new();
    for item in terms.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(item) = item.as_object_mut() else { continue };
        let called = ["name", "description"].iter().find_map(|name| item.get(*name)?.as_str()).map(slug);
        let called = called.filter(|slug| !slug.is_empty()).unwrap_or_else(|| slug(noun));
        let fields = item.get_mut("customFields").and_then(Value::as_object_mut);
        let stamped = fields.and_then(|fields| fields.remove(ITEM_KEY)?.as_str().map(str::to_owned));
        if item.get("customFields").is_some_and(|fields| *fields == json!({})) {
            item.remove("customFields");
        }
        let made = item.get("key").and_then(Value::as_str).map(str::to_owned);
        let key = distinct(&made.or(stamped).unwrap_or(called), &mut taken);
        item.insert("key".to_owned(), json!(key));
    }
}

/// A package, from an item of `v1/packages/list`. Its uniqueness key is what finds it again; without one a resource would
/// make a second package.
///
/// # Errors
/// When the reply is no package, or one that no resource can say.
pub fn package(data: &Value, to: &Destination) -> Result<Imported<ContractPackage>, Unimportable> {
    let observed = ObservedPackage::read(data).map_err(Unimportable)?;
    let key = data.get("uniqueness_key").and_then(Value::as_str).ok_or_else(|| {
        Unimportable(format!(
            "package {} has no uniqueness key, by which it could be found again",
            observed.package_id
        ))
    })?;
    let mut terms = observed.terms().clone();
    leave_out_defaults(&mut terms);
    let name = terms.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(members) = terms.as_object_mut() {
        members.insert("uniquenessKey".to_owned(), json!(key));
    }
    let (lifecycle, state) =
        if observed.archived { ("Archived", "archived") } else { ("Published", "published") };
    let mut spec = json!({"providerRef": to.provider, "lifecycle": lifecycle, "metronome": terms});
    if let (Some(members), Value::Array(aliases)) = (spec.as_object_mut(), observed.aliases())
        && !aliases.is_empty()
    {
        members.insert("aliases".to_owned(), json!(aliases));
    }
    let (resource, left_out): (_, Vec<LeftOut>) = resource_of(&spec, &name, to)?;
    Ok(Imported { id: observed.package_id, state: state.to_owned(), resource, left_out })
}
