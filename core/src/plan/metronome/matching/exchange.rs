//! Items that have exchanged their keys, or taken that of another: each stays the item that it was.
//!
//! To go by the keys would turn each item into the other, with all that was invoiced for it, or be refused because the API
//! cannot change that.

use std::collections::{BTreeMap, HashMap};

use super::{Item, List, Wanted, differences, identity, text};
use crate::plan::{
    Recorded,
    pairing::{Candidate, Traits},
};

/// How many items that are alike are looked at for one that an item of the spec may be under another key.
const MOST_ALIKE: usize = 16;

/// Items of the spec that differ from what is on record for their key, and say to the letter what an item on record by another
/// key says, which that key has no use for: it has left the spec, or has gone to another item in the same way.
pub(super) fn exchanged(
    list: &'static List,
    wanted: &[Wanted],
    found: &[Item<'_>],
    recorded: &Recorded,
) -> Vec<Candidate> {
    let keys: HashMap<&str, &str> = recorded
        .items
        .iter()
        .filter_map(|(path, id)| {
            let key = path.strip_prefix(list.name)?.strip_prefix('/')?;
            (!key.contains('/')).then_some((id.as_str(), key))
        })
        .collect();
    let key_of = |index: usize| keys.get(found.get(index)?.ids.own.as_str()).copied();
    let on_record: HashMap<&str, usize> =
        (0..found.len()).filter_map(|index| Some((key_of(index)?, index))).collect();
    let says = |wanted: &Wanted, index: usize| {
        found.get(index).is_some_and(|item| differences(list, wanted, *item).count() == 0)
    };
    let is_changed =
        |wanted: &Wanted| on_record.get(wanted.key.as_str()).is_some_and(|index| !says(wanted, *index));
    let changed: Vec<_> = wanted.iter().enumerate().filter(|(_, wanted)| is_changed(wanted)).collect();
    // What is the customer's is made with its key, and is known by it.
    if list.is_beside() || changed.is_empty() {
        return Vec::new();
    }
    let mut alike: HashMap<(Traits, Option<&str>), Vec<usize>> = HashMap::new();
    for (index, item) in found.iter().enumerate().filter(|(index, _)| key_of(*index).is_some()) {
        alike.entry((identity(list, item.terms), text(item.terms, "name"))).or_default().push(index);
    }
    let other = |wanted: &Wanted| {
        let likely = alike.get(&(identity(list, &wanted.compared), text(&wanted.compared, "name")))?;
        let mut same = likely.iter().copied().take(MOST_ALIKE).filter(|index| says(wanted, *index));
        let only = same.next()?;
        same.next().is_none().then_some(only)
    };
    let pairs = changed.into_iter().filter_map(|(position, wanted)| Some((position, other(wanted)?)));
    let positions: HashMap<&str, usize> =
        wanted.iter().enumerate().map(|(position, wanted)| (wanted.key.as_str(), position)).collect();
    let pairs = given_up(&pairs.collect(), |index| positions.get(key_of(index)?).copied());
    pairs.into_iter().map(|(position, index)| Candidate { position, index, cost: 0 }).collect()
}

/// The pairs whose found item nobody else takes, and whose `holder` by its key, if the spec has one, is given another.
fn given_up(
    pairs: &BTreeMap<usize, usize>,
    holder: impl Fn(usize) -> Option<usize>,
) -> BTreeMap<usize, usize> {
    let mut takers: HashMap<usize, usize> = HashMap::new();
    for index in pairs.values() {
        *takers.entry(*index).or_default() += 1;
    }
    let is_free = |index: usize| {
        takers.get(&index) == Some(&1) && holder(index).is_none_or(|position| pairs.contains_key(&position))
    };
    let left: BTreeMap<usize, usize> = pairs
        .iter()
        .map(|(position, index)| (*position, *index))
        .filter(|(_, index)| is_free(*index))
        .collect();
    if left.len() == pairs.len() { left } else { given_up(&left, holder) }
}
