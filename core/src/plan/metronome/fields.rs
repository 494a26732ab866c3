//! Custom fields and the stamp: calls of their own, on the contract and on its items.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    CUSTOM_FIELDS,
    draft::Draft,
    matching::members_of,
    money::Unit,
    part::{Members, Part},
};
use crate::{
    plan::Change,
    terms::{json::to_segment, metronome::CONTRACT},
};

/// Compares the custom fields of the contract, the stamp among them.
pub(super) fn compare(draft: &mut Draft<'_>) {
    let (desired, observed) = (draft.desired, draft.observed);
    let stamp = desired.owner().map(|(name, value)| (name.clone(), json!(value))).collect();
    compare_of(draft, "contract", &observed.contract_id, "", &desired.written, &observed.terms, &stamp);
}

/// Compares the custom fields of one thing. `place` is its path without the leading slash, empty for the contract;
/// `stamp` holds fields that are set beside the spec's.
pub(super) fn compare_of(
    draft: &mut Draft<'_>,
    entity: &'static str,
    id: &str,
    place: &str,
    wanted: &Value,
    found: &Value,
    stamp: &Map<String, Value>,
) {
    let mut wanted = members_of(wanted.get(CUSTOM_FIELDS));
    wanted.extend(stamp.clone());
    let found = members_of(found.get(CUSTOM_FIELDS));
    let prefix = record_prefix(place);
    let mut set = Map::new();
    for (name, value) in &wanted {
        let from = found.get(name).cloned();
        if from.as_ref() != Some(value) {
            let change = Change::new(format!("/{prefix}{}", to_segment(name)), from, Some(value.clone()));
            if draft.change(&change, Unit::Other) {
                set.insert(name.clone(), value.clone());
            }
        }
    }
    // By the id, as an item without a key goes by another path once it says something else.
    let recorded: BTreeSet<_> = draft.known.custom_fields(id).collect();
    let is_left = |name: &&str| !wanted.contains_key(*name) && found.contains_key(*name);
    let gone: Vec<_> = recorded.into_iter().filter(is_left).collect();
    let mut delete = Vec::new();
    for name in gone {
        let change = Change::new(format!("/{prefix}{}", to_segment(name)), found.get(name).cloned(), None);
        if draft.change(&change, Unit::Other) {
            delete.push(name.to_owned());
        }
    }
    if !set.is_empty() {
        draft.call("v1/customFields/setValues", &values(entity, id, set));
    }
    if !delete.is_empty() {
        let body = Members::from([
            ("entity", Part::text(entity)),
            ("entity_id", Part::text(id)),
            ("keys", Part::texts(delete)),
        ]);
        draft.call("v1/customFields/deleteValues", &body);
    }
}

/// What the records of the custom fields of a thing begin with.
pub(super) fn record_prefix(place: &str) -> String {
    if place.is_empty() { format!("{CUSTOM_FIELDS}/") } else { format!("{place}/{CUSTOM_FIELDS}/") }
}

/// Writes the notes of the stamp beside other changes.
pub(super) fn note(draft: &mut Draft<'_>) {
    let Some(stamp) = &draft.desired.resolved.stamp else { return };
    let stale = stamp.notes.iter().filter(|(name, value)| draft.observed.custom_field(name) != Some(value));
    let stale: Map<_, _> = stale.map(|(name, value)| (name.clone(), json!(value))).collect();
    if !stale.is_empty() {
        draft.call("v1/customFields/setValues", &values("contract", &draft.observed.contract_id, stale));
    }
}

fn values(entity: &'static str, id: &str, fields: Map<String, Value>) -> Members {
    let shape = CONTRACT.member(CUSTOM_FIELDS).unwrap_or(&crate::terms::Shape::Any);
    Members::from([
        ("custom_fields", Part::Terms(shape, fields.into())),
        ("entity", Part::text(entity)),
        ("entity_id", Part::text(id)),
    ])
}
