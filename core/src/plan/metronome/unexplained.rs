//! What a contract has and neither the spec nor the record explains: somebody else's, or ours whose record was lost.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{
    Desired, ObservedContract, keyless,
    lists::Removal,
    matching::{Matched, has_ended},
    observed::{ApiId, Item, ROYALTIES},
    thresholds,
};
use crate::plan::Recorded;

/// Whether the contract has any that is in force.
pub(super) fn has_any(
    desired: &Desired,
    observed: &ObservedContract,
    recorded: &Recorded,
    now: DateTime<Utc>,
) -> bool {
    if thresholds::any_unexplained(desired, observed, recorded) {
        return true;
    }
    let known: HashSet<_> = recorded.items.values().map(String::as_str).collect();
    let is_unknown = |id: &ApiId| !id.is_empty() && !known.contains(id.as_str());
    let is_unknown_royalty =
        |item: &Item<'_>| item.ids.own.is_empty() && !known.contains(&*item.recorded_id());
    let has_royalty = || observed.items(ROYALTIES).any(|item| is_unknown_royalty(&item));
    if !observed.ids.values().flatten().any(|ids| is_unknown(&ids.own)) && !has_royalty() {
        return false;
    }
    let desired = &*desired.within(observed, recorded);
    let matched = Matched::new(desired, observed, recorded, now);
    // What lies beside the contract is made with keys, by which it is explained.
    let is_keyed = matched.lists.iter().filter(|pairs| !pairs.list.is_beside()).any(|pairs| {
        let mut left = pairs.left.iter().filter(|item| is_unknown(&item.ids.own));
        left.any(|item| pairs.list.removal != Removal::End || !has_ended(observed, *item, now))
    });
    let keyless = || keyless::matched(desired, observed, recorded, &matched.references);
    let is_left = |list: &str, item: &Item<'_>| {
        is_unknown(&item.ids.own) || (list == ROYALTIES && is_unknown_royalty(item))
    };
    is_keyed || keyless().iter().any(|pairs| pairs.left.iter().any(|item| is_left(pairs.list, item)))
}
