//! Which item of a package is which item of the spec. Items of packages have no keys: they go by what they say.

use serde_json::Value;

use crate::{
    plan::{
        Change,
        diff::diff,
        pairing::{Pairing, Traits},
    },
    terms::Shape,
};

/// What a package or an item of one does not have at all when the spec leaves it out: the API fills none of it in.
pub(in crate::plan::metronome) const NONE_WHEN_LEFT_OUT: [&str; 9] = [
    "applicableProductIds",
    "applicableProductTags",
    "duration",
    "invoiceAmount",
    "invoiceSchedule",
    "prepaidBalanceThresholdConfiguration",
    "specifiers",
    "spendThresholdConfiguration",
    "subscriptionConfig",
];

/// Where a package, or one of its items, in canonical form, says something else than the spec's.
pub(super) fn differences(shape: &Shape, wanted: &Value, found: &Value) -> Vec<Change> {
    let more = NONE_WHEN_LEFT_OUT.iter().filter(|name| wanted.get(**name).is_none()).filter_map(|name| {
        let from = found.get(*name)?.clone();
        Some(Change::new(format!("/{name}"), Some(from), None))
    });
    diff(shape, wanted, found).into_iter().chain(more).collect()
}

/// Where a list of items, in canonical form, says something else than the spec's, whatever the order. An item without
/// its like is compared with the one that differs least; `path` is that of the list, and indexes are the spec's.
pub(super) fn list_differences(path: &str, item: &Shape, wanted: &[Value], found: &[Value]) -> Vec<Change> {
    let mut pairing = Pairing::new(wanted, found);
    pairing
        .most(traits, traits, Value::to_string, |wanted, found| differences(item, wanted, found).is_empty());
    let open: Vec<_> = pairing.open().collect();
    let mut left: Vec<_> = pairing.free().map(|(_, item)| item).collect();
    let mut changes = Vec::new();
    for (position, wanted) in open {
        let between = left.iter().map(|found| differences(item, wanted, found)).enumerate();
        if let Some((closest, found)) = between.min_by_key(|(_, changes)| changes.len()) {
            left.remove(closest);
            changes.extend(
                found
                    .into_iter()
                    .map(|change| Change { path: format!("{path}/{position}{}", change.path), ..change }),
            );
        } else {
            changes.push(Change::added(path.to_owned(), wanted.clone()));
        }
    }
    let rest = left.into_iter();
    changes.extend(rest.map(|found| Change::removed(path.to_owned(), found.clone())));
    changes
}

/// What an item is looked up by: its product.
fn traits(item: &Value) -> Traits {
    let product = item.get("productId").and_then(Value::as_str);
    product.map(|product| ("product", product.to_owned())).into_iter().collect()
}
