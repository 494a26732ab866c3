//! The custom fields by which contracts and items say who owns them, and their registration.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::key::within;
use crate::{
    plan::{Call, CallKind, Refusal},
    terms::Digest,
};

/// Keys of the custom fields that say who owns a contract: cluster, namespace, name, revision.
pub const STAMP_KEYS: [&str; 4] =
    ["countersign_cluster", "countersign_namespace", "countersign_name", "countersign_revision"];
/// Most characters that the value of a custom field has.
const MOST: usize = 200;

/// A text as a custom field can have it.
pub(super) fn value(text: String) -> String {
    within(text, MOST)
}

/// Custom field that says which item of the spec an item is. It is set where the provider stamps contracts, and must be
/// registered for [`KEYED_ENTITIES`].
pub const ITEM_KEY: &str = "countersign_key";
/// What the API calls the items that [`ITEM_KEY`] is set on.
pub(super) const KEYED_ENTITIES: [&str; 4] =
    ["commit", "contract_credit", "scheduled_charge", "subscription"];
/// Path of the call that registers a key.
pub const ADD_KEY: &str = "v1/customFields/addKey";

fn wanted() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_contracts = STAMP_KEYS.into_iter().map(|key| ("contract", key));
    of_contracts.chain(KEYED_ENTITIES.into_iter().map(|entity| (entity, ITEM_KEY)))
}

/// The entities whose keys have to be known before anything is stamped.
#[must_use]
pub fn entities() -> BTreeSet<&'static str> {
    wanted().map(|(entity, _)| entity).collect()
}

/// `data` of `v1/customFields/listKeys` where everything that a stamp needs is registered.
#[must_use]
pub fn registered() -> Value {
    wanted().map(|(entity, key)| json!({"entity": entity, "key": key})).collect()
}

/// Whether everything that a stamp needs is registered.
#[must_use]
pub fn stamp_is_registered(listed: &Value) -> bool {
    missing(listed).is_ok_and(|calls| calls.is_empty())
}

/// The calls that register what is missing, given `data` of `v1/customFields/listKeys`: the API refuses custom fields
/// whose key it does not know.
///
/// # Errors
/// When a body cannot be written as JSON.
pub(super) fn missing(listed: &Value) -> Result<Vec<Call>, Refusal> {
    let text = |field: &Value, name: &str| field.get(name).and_then(Value::as_str).map(str::to_owned);
    let listed = listed.as_array().into_iter().flatten();
    let registered: BTreeSet<_> =
        listed.filter_map(|field| text(field, "entity").zip(text(field, "key"))).collect();
    let missing =
        wanted().filter(|(entity, key)| !registered.contains(&((*entity).to_owned(), (*key).to_owned())));
    missing
        .map(|(entity, key)| {
            let body = json!({"entity": entity, "key": key, "enforce_uniqueness": false});
            Call::new(CallKind::Other, ADD_KEY, &body, Digest::of(&body))
        })
        .collect()
}
