//! Which item of a package is which item of the spec. Items of packages have no keys: they go by what they say.

use serde_json::Value;

use crate::{
    plan::{Change, diff::diff},
    terms::Shape,
};

/// What a package or an item of one does not have at all when the spec leaves it out: the API fills none of it in.
const NONE_WHEN_LEFT_OUT: [&str; 9] = [
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
pub(super) fn unlike(shape: &Shape, wanted: &Value, found: &Value) -> Vec<Change> {
    let more = NONE_WHEN_LEFT_OUT.iter().filter(|name| wanted.get(**name).is_none()).filter_map(|name| {
        let from = found.get(*name)?.clone();
        Some(Change::new(format!("/{name}"), Some(from), None))
    });
    diff(shape, wanted, found).into_iter().chain(more).collect()
}

/// Where a list of items, in canonical form, says something else than the spec's, whatever the order. An item without
/// its like is compared with the one that differs least; `path` is that of the list, and indexes are the spec's.
pub(super) fn differences(path: &str, item: &Shape, wanted: &[Value], found: &[Value]) -> Vec<Change> {
    let between = |position: usize, index: usize| match (wanted.get(position), found.get(index)) {
        (Some(wanted), Some(found)) => unlike(item, wanted, found),
        _ => Vec::new(),
    };
    let mut holders = vec![None; found.len()];
    let is_alike = |position, index| between(position, index).is_empty();
    for position in 0..wanted.len() {
        place(position, &is_alike, &mut holders, &mut vec![false; found.len()]);
    }
    let free = |(index, holder): (usize, &Option<usize>)| holder.is_none().then_some(index);
    let mut left: Vec<_> = holders.iter().enumerate().filter_map(free).collect();
    let mut changes = Vec::new();
    for (position, item) in wanted.iter().enumerate() {
        if holders.contains(&Some(position)) {
            continue;
        }
        let closest = left.iter().copied().min_by_key(|index| between(position, *index).len());
        if let Some(closest) = closest {
            left.retain(|index| *index != closest);
            changes.extend(
                between(position, closest)
                    .into_iter()
                    .map(|change| Change { path: format!("{path}/{position}{}", change.path), ..change }),
            );
        } else {
            changes.push(Change::new(path.to_owned(), None, Some(item.clone())));
        }
    }
    let rest = left.iter().filter_map(|index| found.get(*index));
    changes.extend(rest.map(|found| Change::new(path.to_owned(), Some(found.clone()), None)));
    changes
}

/// Gives an item of the spec one of those found that says the same, and if need be another one to the item that has it:
/// an item that says little is like several, and must not take the only one that is like another.
fn place(
    position: usize,
    is_alike: &dyn Fn(usize, usize) -> bool,
    holders: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for only_free in [true, false] {
        for index in 0..holders.len() {
            let holder = holders.get(index).copied().flatten();
            if tried.get(index) != Some(&false)
                || (only_free && holder.is_some())
                || !is_alike(position, index)
            {
                continue;
            }
            if let Some(tried) = tried.get_mut(index) {
                *tried = true;
            }
            if holder.is_none_or(|holder| place(holder, is_alike, holders, tried))
                && let Some(slot) = holders.get_mut(index)
            {
                *slot = Some(position);
                return true;
            }
        }
    }
    false
}
