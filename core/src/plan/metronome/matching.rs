//! Which item of the contract is which item of the spec: by the recorded id, by the stamp, by what they say. Never by a
//! guess: where two answers are as good, nothing is written.

use std::{borrow::Cow, collections::BTreeMap};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{
    CUSTOM_FIELDS, Desired, ITEM_KEY, View, list,
    lists::{LISTS, List, Removal, USAGE, item_shape},
    money::{self, USD_CENTS},
    read::Ids,
    schedule::{self, Difference, Kind},
    text,
};
use crate::{
    plan::{Change, Recorded, diff::diff},
    terms::Timestamp,
};

/// Members of an item that are compared by themselves, or that never come back.
const APART: [&str; 4] = ["key", "temporaryId", CUSTOM_FIELDS, "initialQuantity"];

/// An item of the spec.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Its key.
    pub key: String,
    /// The item with the digits of the spec, references to items of the contract replaced by their ids.
    pub written: Value,
    /// What is compared of it member by member, in canonical form.
    compared: Value,
}

/// An item of the contract.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'v> {
    /// Its ids.
    pub ids: &'v Ids,
    /// Its terms, in canonical form.
    pub terms: &'v Value,
}

/// What is unlike between an item of the spec and one of the contract.
#[derive(Clone, Debug, Default)]
pub(super) struct Unlike {
    /// Members, by their paths in the item.
    pub members: Vec<Change>,
    /// Items of the schedule of what may be used.
    pub access: Vec<Difference>,
    /// Items of the schedule of what is invoiced.
    pub invoice: Vec<Difference>,
}

impl Unlike {
    fn count(&self) -> usize {
        self.members.len() + self.access.len() + self.invoice.len()
    }
}

/// The items of one list, matched.
pub(super) struct Pairs<'v> {
    pub list: &'static List,
    /// Items of the spec, each with the item of the contract that it is.
    pub wanted: Vec<(Wanted, Option<Item<'v>>)>,
    /// Items of the contract that no item of the spec is.
    pub left: Vec<Item<'v>>,
}

/// The items of every list that has keys, matched.
pub(super) struct Matched<'v> {
    pub lists: Vec<Pairs<'v>>,
    /// Ids of matched items by the temporary ids that the spec gives them.
    pub references: BTreeMap<String, String>,
    /// What could not be told, as sentences.
    pub ambiguous: Vec<String>,
}

impl<'v> Matched<'v> {
    /// Matches the items of every list. Lists that others refer to come first.
    pub(super) fn new(desired: &Desired, view: &'v View, recorded: &Recorded, now: DateTime<Utc>) -> Self {
        let mut matched = Self { lists: Vec::new(), references: BTreeMap::new(), ambiguous: Vec::new() };
        let search = Matcher { desired, view, recorded, now };
        for list in &LISTS {
            let wanted = wanted_items(desired, list, &matched.references);
            let pairs = search.pair(list, wanted, &mut matched.ambiguous);
            for (wanted, item) in &pairs.wanted {
                if let (Some(temporary), Some(item)) = (text(&wanted.written, "temporaryId"), item) {
                    matched.references.insert(temporary.to_owned(), item.ids.own.clone());
                }
            }
            matched.lists.push(pairs);
        }
        matched
    }
}

/// The items of a list of the spec.
fn wanted_items(desired: &Desired, of: &'static List, references: &BTreeMap<String, String>) -> Vec<Wanted> {
    let pairs = list(&desired.written, of.name).zip(list(&desired.canonical, of.name));
    pairs
        .map(|(written, canonical)| {
            let (mut written, mut compared) = (written.clone(), canonical.clone());
            let key = text(&written, "key").unwrap_or_default().to_owned();
            for value in [&mut written, &mut compared] {
                refer(value, references);
            }
            if let Some(members) = compared.as_object_mut() {
                members.retain(|name, _| !APART.contains(&name.as_str()));
            }
            for (member, names) in [
                (of.access, &["scheduleItems"][..]),
                (of.invoice, &["scheduleItems", "recurringSchedule"]),
                (Some("seatConfig"), &["initialSeatIds", "initialUnassignedSeats"]),
            ] {
                let member =
                    member.and_then(|member| compared.get_mut(member)).and_then(Value::as_object_mut);
                if let Some(members) = member {
                    members.retain(|name, _| !names.contains(&name.as_str()));
                }
            }
            super::read::prune(&mut compared);
            Wanted { key, written, compared }
        })
        .collect()
}

/// Replaces temporary ids by the ids of the items that they mean; those of items that are yet to be added stay.
pub(super) fn refer(value: &mut Value, references: &BTreeMap<String, String>) {
    const REFERRING: [&str; 4] =
        ["anyCommitOrCreditIds", "commitIds", "recurringCommitIds", "subscriptionId"];
    let replace = |value: &mut Value| {
        if let Some(id) = value.as_str().and_then(|temporary| references.get(temporary)) {
            *value = Value::String(id.clone());
        }
    };
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::Array(ids) if REFERRING.contains(&name.as_str()) => {
                        ids.iter_mut().for_each(replace);
                    }
                    Value::String(_) if REFERRING.contains(&name.as_str()) => replace(value),
                    _ => refer(value, references),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, references)),
        _ => {}
    }
}

/// Everything that matching depends on.
struct Matcher<'a, 'v> {
    desired: &'a Desired,
    view: &'v View,
    recorded: &'a Recorded,
    now: DateTime<Utc>,
}

/// Whether an item that differs may be taken for one of the spec that has no match.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alike {
    /// Yes: nothing is recorded, as after a rebuild of the cluster.
    Same,
    /// No: it is recorded which items are the spec's, or they can only be the package's.
    Other,
    /// Both could be.
    Unknown,
}

/// Whether an item of the spec is an item of the contract.
type Rule<'r> = &'r dyn Fn(&Wanted, &Item<'_>) -> bool;

impl<'v> Matcher<'_, 'v> {
    fn pair(&self, of: &'static List, wanted: Vec<Wanted>, ambiguous: &mut Vec<String>) -> Pairs<'v> {
        let found: Vec<_> = self.view.items(of.name).collect();
        let mut partners: Vec<Option<usize>> = vec![None; wanted.len()];
        let recorded = |wanted: &Wanted, item: &Item<'_>| {
            self.recorded.items.get(&format!("{}/{}", of.name, wanted.key)) == Some(&item.ids.own)
        };
        let stamp = |item: &Item<'_>| {
            item.terms.get(CUSTOM_FIELDS).and_then(|fields| text(fields, ITEM_KEY)).map(str::to_owned)
        };
        let stamped = |wanted: &Wanted, item: &Item<'_>| stamp(item).as_ref() == Some(&wanted.key);
        let rules: [Rule<'_>; 2] = [&recorded, &stamped];
        for rule in rules {
            for (position, wanted) in wanted.iter().enumerate() {
                let taken = |index: &usize| partners.contains(&Some(*index));
                let mut free = (0..found.len()).filter(|index| !taken(index));
                let partner = free.find(|index| found.get(*index).is_some_and(|item| rule(wanted, item)));
                if let Some(slot) = partners.get_mut(position).filter(|slot| slot.is_none()) {
                    *slot = partner;
                }
            }
        }
        let mut costs = self.costs(of, &wanted, &found, &partners);
        costs.retain(|&(position, index, _)| {
            let pair = wanted.get(position).zip(found.get(index));
            pair.is_some_and(|(wanted, item)| stamp(item).is_none_or(|key| key == wanted.key))
        });
        let same: Vec<_> = costs.iter().filter(|(_, _, cost)| *cost == 0).copied().collect();
        assign_same(&same, &found, &mut partners, &mut |position| {
            ambiguous
                .extend(wanted.get(position).map(|wanted| question(of, wanted, &same, position, &found)));
        });
        match self.alike(&costs, &partners) {
            Alike::Other => {}
            Alike::Same => {
                for position in assign_closest(&mut costs, &mut partners) {
                    ambiguous.extend(
                        wanted.get(position).map(|wanted| question(of, wanted, &costs, position, &found)),
                    );
                }
            }
            Alike::Unknown => {
                for (position, wanted) in wanted.iter().enumerate() {
                    if partners.get(position) == Some(&None)
                        && costs.iter().any(|(found, _, _)| *found == position)
                    {
                        ambiguous.push(question(of, wanted, &costs, position, &found));
                    }
                }
            }
        }
        let left = found.iter().enumerate().filter(|(index, _)| !partners.contains(&Some(*index)));
        let left = left.map(|(_, item)| *item).collect();
        let item = |partner: Option<usize>| partner.and_then(|index| found.get(index)).copied();
        let wanted =
            wanted.into_iter().zip(partners).map(|(wanted, partner)| (wanted, item(partner))).collect();
        Pairs { list: of, wanted, left }
    }

    /// For each item of the spec without a match, the free items that it could be, with the number of differences.
    fn costs(
        &self,
        of: &List,
        wanted: &[Wanted],
        found: &[Item<'_>],
        partners: &[Option<usize>],
    ) -> Vec<(usize, usize, usize)> {
        let mut costs = Vec::new();
        for (position, wanted) in
            wanted.iter().enumerate().filter(|(position, _)| partners.get(*position) == Some(&None))
        {
            for (index, item) in
                found.iter().enumerate().filter(|(index, _)| !partners.contains(&Some(*index)))
            {
                let alike = of
                    .identity
                    .iter()
                    .all(|place| wanted.compared.pointer(place) == item.terms.pointer(place));
                let ends = wanted.written.get("endingBefore").is_none() && self.has_ended(of, *item);
                if alike && !ends {
                    costs.push((position, index, unlike(of, wanted, *item).count()));
                }
            }
        }
        costs
    }

    /// Whether an item was ended by itself, before its contract.
    fn has_ended(&self, of: &List, item: Item<'_>) -> bool {
        of.removal == Removal::End && has_ended(self.view, item, self.now)
    }

    fn alike(&self, costs: &[(usize, usize, usize)], partners: &[Option<usize>]) -> Alike {
        let open = costs.iter().any(|(position, index, _)| {
            partners.get(*position) == Some(&None) && !partners.contains(&Some(*index))
        });
        if !open || !self.recorded.items.is_empty() {
            return Alike::Other;
        }
        if !self.desired.has_package() {
            return Alike::Same;
        }
        let just_made = self.recorded.contract_id.as_ref() == Some(&self.view.contract_id)
            || self.recorded.unconfirmed.is_some();
        if just_made { Alike::Other } else { Alike::Unknown }
    }
}

/// Whether an item ends within the hour, or has, and its contract goes on.
pub(super) fn has_ended(view: &View, item: Item<'_>, now: DateTime<Utc>) -> bool {
    let end = text(item.terms, "endingBefore").and_then(|end| end.parse::<Timestamp>().ok());
    end.is_some_and(|end| {
        end.0 <= now + TimeDelta::hours(1) && view.ending_before.is_none_or(|last| end < last)
    })
}

/// Takes items that say the same for one another. Those with the fewest candidates go first; candidates that differ
/// from each other, in what the spec leaves open, are a question.
fn assign_same(
    same: &[(usize, usize, usize)],
    found: &[Item<'_>],
    partners: &mut [Option<usize>],
    ask: &mut dyn FnMut(usize),
) {
    let mut positions: Vec<_> = same.iter().map(|(position, _, _)| *position).collect();
    positions.dedup();
    positions.sort_by_key(|position| same.iter().filter(|(found, _, _)| found == position).count());
    for position in positions {
        let free = same.iter().filter(|(of, index, _)| *of == position && !partners.contains(&Some(*index)));
        let free: Vec<_> = free.map(|(_, index, _)| *index).collect();
        let mut terms = free.iter().filter_map(|index| found.get(*index)).map(|item| item.terms);
        let first = terms.next();
        if terms.any(|terms| Some(terms) != first) {
            ask(position);
        } else if let (Some(slot), Some(index)) = (partners.get_mut(position), free.first()) {
            *slot = Some(*index);
        }
    }
}

/// Takes each item for the one that differs least, as long as each is the other's only best; returns the items of the
/// spec for which that cannot be said.
fn assign_closest(costs: &mut Vec<(usize, usize, usize)>, partners: &mut [Option<usize>]) -> Vec<usize> {
    loop {
        costs.retain(|(position, index, _)| {
            partners.get(*position) == Some(&None) && !partners.contains(&Some(*index))
        });
        let best = costs.iter().find(|(position, index, cost)| {
            costs.iter().all(|(p, i, c)| {
                let rival = (p == position) != (i == index);
                !rival || c > cost
            })
        });
        let Some((position, index, _)) = best.copied() else { break };
        if let Some(slot) = partners.get_mut(position) {
            *slot = Some(index);
        }
    }
    let mut positions: Vec<_> = costs.iter().map(|(position, _, _)| *position).collect();
    positions.dedup();
    positions
}

/// The question which of several items one of the spec is.
fn question(
    of: &List,
    wanted: &Wanted,
    costs: &[(usize, usize, usize)],
    position: usize,
    found: &[Item<'_>],
) -> String {
    let candidates =
        costs.iter().filter(|(at, _, _)| *at == position).filter_map(|(_, index, _)| found.get(*index));
    let ids: Vec<_> = candidates.map(|item| item.ids.own.as_str()).collect();
    format!("`{}[{}]` could be the {} {}", of.name, wanted.key, of.noun, ids.join(" or "))
}

/// What is unlike between an item of the spec and one of the contract. An empty text says the same as none.
pub(super) fn unlike(of: &List, wanted: &Wanted, item: Item<'_>) -> Unlike {
    let mut members = diff(item_shape(of.name), &wanted.compared, &with_schedules(of, item.terms));
    members
        .retain(|change| change.from.is_some() || change.to.as_ref() != Some(&Value::String(String::new())));
    members.extend(unnamed_usage(of.name, &wanted.compared, item.terms));
    let counted = [of.access, of.invoice, Some("accessAmount")].into_iter().flatten().collect::<Vec<_>>();
    members.extend(money::other_units(&counted, &wanted.written, item.terms));
    let schedule = |member: Option<&str>, kind: Kind, ids: &[String]| {
        let desired = member.and_then(|member| wanted.written.get(member));
        let observed = member.and_then(|member| item.terms.get(member));
        desired.map(|desired| schedule::differences(kind, desired, observed, ids)).unwrap_or_default()
    };
    Unlike {
        members,
        access: schedule(of.access, Kind::Access, &item.ids.access),
        invoice: schedule(of.invoice, Kind::Invoice, &item.ids.invoice),
    }
}

/// The terms of an item in which a schedule without items stands for one that is not there.
fn with_schedules<'t>(of: &List, terms: &'t Value) -> Cow<'t, Value> {
    let default = json!({"accessType": "SPEND", "creditTypeId": USD_CENTS, "doNotInvoice": false});
    let schedules = [of.access, of.invoice].into_iter().flatten();
    schedules.fold(Cow::Borrowed(terms), |terms, schedule| {
        if terms.get(schedule).is_some() {
            terms
        } else {
            let mut terms = terms.into_owned();
            if let Some(members) = terms.as_object_mut() {
                members.insert(schedule.to_owned(), default.clone());
            }
            Cow::Owned(terms)
        }
    })
}

/// Members by which an item names usage although the spec means all, or names it by other members.
pub(super) fn unnamed_usage(list: &str, wanted: &Value, found: &Value) -> Vec<Change> {
    let names = USAGE.iter().filter(|name| item_shape(list).member(name).is_some());
    let left_out = names.filter(|name| wanted.get(**name).is_none());
    left_out
        .filter_map(|name| {
            let from = found.get(*name)?.clone();
            Some(Change::new(format!("/{name}"), Some(from), None))
        })
        .collect()
}

impl View {
    /// The items of a list with their ids.
    pub(super) fn items(&self, name: &str) -> impl Iterator<Item = Item<'_>> {
        let ids = self.ids.get(name).into_iter().flatten();
        ids.zip(list(&self.terms, name)).map(|(ids, terms)| Item { ids, terms })
    }
}

/// Members of an object, none for anything else.
pub(super) fn members_of(value: Option<&Value>) -> Map<String, Value> {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}
