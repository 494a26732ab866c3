//! Which item of the contract is which item of the spec: by the recorded id, by the stamp, by what they say. Never by a
//! guess: where two answers are as good, nothing is written.

mod exchange;

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{
    CUSTOM_FIELDS, Desired, ITEM_KEY, ObservedContract,
    defaults::prune,
    likeness::{Likeness, question},
    lists::{LISTS, List, Removal, USAGE, item_shape},
    money,
    observed::Item,
    schedule::{self, Difference, Kind},
    tables::{APART, REFERRING},
    text, words,
};
use crate::{
    plan::{
        self, Change, Recorded,
        diff::{covers, diff},
        pairing::{ANYTHING, Candidate, Pairing, Traits},
    },
    terms::{Decimal, Timestamp},
};

/// Texts and times by which items of one identity are told from each other.
pub(super) const TELLING_TEXTS: [&str; 4] = ["/description", "/endingBefore", "/name", "/startingAt"];
/// Numbers by which items of one identity are told from each other.
pub(super) const TELLING_NUMBERS: [&str; 2] = ["/accessAmount/quantity", "/accessAmount/unitPrice"];

/// An item of the spec.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Its key.
    pub key: String,
    /// The item with the digits of the spec, references to items of the contract replaced by their ids.
    pub written: Value,
    /// What is compared of it member by member, in canonical form.
    pub compared: Value,
}

/// Differences between an item of the spec and one of the contract.
#[derive(Clone, Debug, Default)]
pub(super) struct Differences {
    /// Members, by their paths in the item.
    pub members: Vec<Change>,
    /// Items of the schedule of what may be used.
    pub access: Vec<Difference>,
    /// Items of the schedule of what is invoiced.
    pub invoice: Vec<Difference>,
}

impl Differences {
    /// Whether the API can change all that differs.
    fn are_updatable(&self, list: &List) -> bool {
        let is_updatable =
            |change: &Change| list.updatable.iter().any(|(place, _)| covers(place, &change.path));
        self.members.iter().all(is_updatable)
    }

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
    pub(super) fn new(
        desired: &Desired,
        observed: &'v ObservedContract,
        recorded: &Recorded,
        now: DateTime<Utc>,
    ) -> Self {
        let mut matched = Self { lists: Vec::new(), references: BTreeMap::new(), ambiguous: Vec::new() };
        let likeness = Likeness::of(desired, observed, recorded);
        let known = recorded.items.values().map(String::as_str).collect();
        let search = Matcher { desired, observed, recorded, known, likeness, now };
        for list in &LISTS {
            let wanted = wanted_items(desired, list, &matched.references);
            let pairs = search.pair(list, wanted, &mut matched.ambiguous);
            for (wanted, item) in &pairs.wanted {
                if let (Some(temporary), Some(item)) = (text(&wanted.written, "temporaryId"), item) {
                    matched.references.insert(temporary.to_owned(), item.ids.own.to_string());
                }
            }
            matched.lists.push(pairs);
        }
        matched
    }
}

/// The items of a list of the spec.
pub(super) fn wanted_items(
    desired: &Desired,
    list: &'static List,
    references: &BTreeMap<String, String>,
) -> Vec<Wanted> {
    let pairs = super::list(&desired.written, list.name).zip(super::list(&desired.canonical, list.name));
    pairs
        .map(|(written, canonical)| {
            let (mut written, mut compared) = (written.clone(), canonical.clone());
            let key = text(&written, "key").unwrap_or_default().to_owned();
            for value in [&mut written, &mut compared] {
                resolve_references(value, references);
            }
            if let Some(members) = compared.as_object_mut() {
                members.retain(|name, _| !APART.contains(&name.as_str()));
            }
            for (member, names) in [
                (list.access, &["scheduleItems"][..]),
                (list.invoice, &["scheduleItems", "recurringSchedule"]),
                (Some("seatConfig"), &["initialSeatIds", "initialUnassignedSeats"]),
            ] {
                let member =
                    member.and_then(|member| compared.get_mut(member)).and_then(Value::as_object_mut);
                if let Some(members) = member {
                    members.retain(|name, _| !names.contains(&name.as_str()));
                }
            }
            prune(&mut compared);
            Wanted { key, written, compared }
        })
        .collect()
}

/// Replaces temporary ids by the ids of the items that they mean; those of items that are yet to be added stay.
pub(super) fn resolve_references(value: &mut Value, references: &BTreeMap<String, String>) {
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
                    _ => resolve_references(value, references),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| resolve_references(item, references)),
        _ => {}
    }
}

/// Everything that matching depends on.
struct Matcher<'a, 'v> {
    desired: &'a Desired,
    observed: &'v ObservedContract,
    recorded: &'a Recorded,
    /// Ids on record.
    known: HashSet<&'a str>,
    likeness: Likeness,
    now: DateTime<Utc>,
}

impl<'v> Matcher<'_, 'v> {
    fn pair(&self, list: &'static List, wanted: Vec<Wanted>, ambiguous: &mut Vec<String>) -> Pairs<'v> {
        let found: Vec<_> = self.observed.items(list.name).collect();
        let mut pairing = Pairing::new(&wanted, &found);
        for pair in exchange::exchanged(list, &wanted, &found, self.recorded) {
            pairing.take(pair);
        }
        // The record goes first: an item that was added once must never be added again, whatever it says by now.
        pairing.by_key(
            |wanted| self.recorded.items.get(&format!("{}/{}", list.name, wanted.key)).map(String::as_str),
            |item| Some(item.ids.own.as_str()),
        );
        if list.is_beside() {
            pairing.by_key(
                |wanted| Some(self.desired.key().of_item(list.name, &wanted.key)),
                |item| self.observed.made_key(&item.ids.own).map(str::to_owned),
            );
        }
        pairing.by_key(|wanted| Some(wanted.key.clone()), |item| stamp(item).map(str::to_owned));
        let same = pairing.same(
            |wanted| wanted.traits(list),
            |item| traits(list, item.terms),
            |item| item.terms.to_string(),
            |wanted, item| {
                self.is_possible(list, wanted, *item) && differences(list, wanted, *item).count() == 0
            },
        );
        // An item that is left unpaired is added, and billed, so what could be several is asked and not left.
        self.pair_ended(list, &mut pairing);
        self.pair_ours(list, &mut pairing);
        let open: HashSet<_> = pairing.open().map(|(position, _)| position).collect();
        let same = same.into_iter().filter(|(position, _)| open.contains(position));
        let mut questions: BTreeMap<usize, Vec<usize>> = same.collect();
        let asked: BTreeSet<_> = questions.keys().copied().collect();
        // A contract that was in force has its record: what is not on it is not the spec's.
        let is_told = list.is_beside() && self.recorded.applied_spec.is_some();
        let likeness = match list.name {
            _ if is_told => Likeness::Other,
            name => self.likeness.in_list(name, self.desired, self.observed),
        };
        let left = match likeness {
            Likeness::Other => Vec::new(),
            Likeness::Unknown => self.could_be(list, &pairing),
            Likeness::Same => {
                let mut left = pairing.nearest(
                    |wanted| (identity(list, &wanted.compared), telling(list, wanted.traits(list))),
                    |item| (identity(list, item.terms), telling(list, traits(list, item.terms))),
                    place_of,
                    |wanted, item| {
                        let cost = || differences(list, wanted, *item).count();
                        self.is_possible(list, wanted, *item).then(cost)
                    },
                );
                let of_unknown_words = self.of_unknown_words(list, &pairing);
                left.extend(pairing.closest(of_unknown_words));
                left
            }
        };
        let open: HashSet<_> = pairing.open().map(|(position, _)| position).collect();
        let is_asked = |pair: &Candidate| open.contains(&pair.position) && !asked.contains(&pair.position);
        for pair in left.into_iter().filter(is_asked) {
            questions.entry(pair.position).or_default().push(pair.index);
        }
        for (position, candidates) in questions {
            let Some(wanted) = wanted.get(position) else { continue };
            let ids =
                candidates.iter().filter_map(|index| found.get(*index)).map(|item| item.ids.own.as_str());
            let or_new = likeness == Likeness::Unknown && !asked.contains(&position);
            ambiguous.push(question(&format!("{}[{}]", list.name, wanted.key), list.noun, ids, or_new));
        }
        let left = pairing.free().map(|(_, item)| *item).collect();
        let partners = pairing.into_partners();
        let item = |partner: Option<usize>| partner.and_then(|index| found.get(index)).copied();
        let wanted =
            wanted.into_iter().zip(partners).map(|(wanted, partner)| (wanted, item(partner))).collect();
        Pairs { list, wanted, left }
    }

    /// The pairs that could be where nothing is on record: what is for the same, and what says all the rest as the spec does, as
    /// somebody may have changed what it is for.
    fn could_be(&self, list: &'static List, pairing: &Pairing<'_, Wanted, Item<'v>>) -> Vec<Candidate> {
        let possible = |wanted: &Wanted, item: &Item<'_>| self.is_possible(list, wanted, *item).then_some(0);
        let alike = pairing.candidates(
            |wanted| identity(list, &wanted.compared),
            |item| identity(list, item.terms),
            possible,
        );
        let known: HashSet<_> = alike.iter().map(|pair| (pair.position, pair.index)).collect();
        let otherwise = pairing.candidates(
            |wanted| enough(telling(list, wanted.traits(list))),
            |item| telling(list, traits(list, item.terms)),
            possible,
        );
        let otherwise = otherwise.into_iter().filter(|pair| !known.contains(&(pair.position, pair.index)));
        alike.iter().copied().chain(otherwise).collect()
    }

    /// The pairs that could be by a word that this version does not know, each with its number of differences.
    fn of_unknown_words(
        &self,
        list: &'static List,
        pairing: &Pairing<'_, Wanted, Item<'v>>,
    ) -> Vec<Candidate> {
        let is_open = |identity: &Traits| identity.values().any(|said| said == ANYTHING);
        pairing.candidates(
            |wanted| identity(list, &wanted.compared),
            |item| Some(identity(list, item.terms)).filter(is_open).unwrap_or_default(),
            |wanted, item| {
                let cost = || differences(list, wanted, *item).count();
                self.is_possible(list, wanted, *item).then(cost)
            },
        )
    }

    /// Pairs what is still wanted with what has ended, while it is the same item: to end it no more bills nothing twice,
    /// and to add it once more would bill its past again. Of several, the one that ended last.
    fn pair_ended(&self, list: &'static List, pairing: &mut Pairing<'_, Wanted, Item<'v>>) {
        if list.removal != Removal::End {
            return;
        }
        let mut ended: Vec<_> =
            pairing.free().filter(|(_, item)| has_ended(self.observed, **item, self.now)).collect();
        ended.sort_by_key(|(_, item)| Reverse(end_of(**item)));
        let ranks: HashMap<&str, usize> =
            ended.iter().enumerate().map(|(rank, (_, item))| (item.ids.own.as_str(), rank)).collect();
        let candidates = pairing.candidates(
            |wanted| identity(list, &wanted.compared),
            |item| identity(list, item.terms),
            |wanted, item| {
                let rank = ranks.get(item.ids.own.as_str())?;
                let is_same = || differences(list, wanted, *item).are_updatable(list);
                (stamp(item).is_none_or(|key| key == wanted.key) && is_same()).then_some(*rank)
            },
        );
        pairing.closest(candidates);
    }

    /// Pairs what is still wanted with what an edit of this resource has added and nobody has recorded, as its reply was
    /// lost: it must not be added again, whatever it says by now.
    fn pair_ours(&self, list: &'static List, pairing: &mut Pairing<'_, Wanted, Item<'v>>) {
        let is_ours = |item: &Item<'_>| {
            self.observed.is_ours(&item.ids.own) && !self.known.contains(item.ids.own.as_str())
        };
        // What is beside the contract is made with a key of its own, by which it was found.
        if list.is_beside() || !pairing.free().any(|(_, item)| is_ours(item)) {
            return;
        }
        let wanted_identity = |wanted: &Wanted| identity(list, &wanted.compared);
        let candidates = pairing.candidates(
            wanted_identity,
            |item| identity(list, item.terms),
            |wanted, item| {
                let fits = is_ours(item) && stamp(item).is_none_or(|key| key == wanted.key);
                fits.then(|| differences(list, wanted, *item).count())
            },
        );
        // Which of those that are left is which does not matter: each becomes what the spec says of it.
        for pair in pairing.closest(candidates) {
            pairing.take(pair);
        }
    }

    /// Whether an item of the contract could be one of the spec, whatever they say: it has not the key of another, and
    /// has not ended by itself where the spec has one that goes on.
    fn is_possible(&self, list: &List, wanted: &Wanted, item: Item<'_>) -> bool {
        let has_ended = list.removal == Removal::End
            && wanted.written.get("endingBefore").is_none()
            && has_ended(self.observed, item, self.now);
        // One that is made with the key of another item is that one.
        let is_made = list.is_beside() && self.observed.made_key(&item.ids.own).is_some();
        !has_ended && !is_made && stamp(&item).is_none_or(|key| key == wanted.key)
    }
}

/// The key that the stamp of an item has.
fn stamp<'v>(item: &Item<'v>) -> Option<&'v str> {
    text(item.terms.get(CUSTOM_FIELDS)?, ITEM_KEY)
}

/// What every item that is like one of the spec says as it does.
fn identity(list: &List, terms: &Value) -> Traits {
    let places = list.identity.iter();
    places.map(|place| (*place, words::said(item_shape(list.name), place, terms))).collect()
}

/// What can be looked up of an item of the contract.
fn traits(list: &List, terms: &Value) -> Traits {
    let mut traits = identity(list, terms);
    let texts = TELLING_TEXTS.into_iter().filter_map(|place| Some((place, text_at(terms, place)?)));
    traits.extend(texts);
    let numbers = TELLING_NUMBERS.into_iter();
    traits.extend(numbers.filter_map(|place| Some((place, float_digits(terms.pointer(place)?)))));
    for (member, times, amounts) in schedules(list) {
        let items = terms.get(member).map(schedule::items).unwrap_or_default();
        traits.insert(times, schedule::times(&items));
        traits.extend(schedule::amounts(&items).map(|found| (amounts, found)));
    }
    traits
}

/// The traits by which items of one identity are told from each other.
fn telling(list: &List, mut traits: Traits) -> Traits {
    traits.retain(|name, _| !list.identity.contains(name));
    traits
}

/// The traits of an item by which it can be told whatever it is for: a name, or amounts. Times alone are those of many, and
/// nothing has a trait that stands for none.
fn enough(telling: Traits) -> Traits {
    let tells =
        |name: &&str| *name == "/name" || name.starts_with("amounts of") || TELLING_NUMBERS.contains(name);
    if telling.keys().any(tells) { telling } else { Traits::from([("nothing", String::new())]) }
}

/// The place that a trait is of: the times and amounts of a schedule may differ by one item.
fn place_of(name: &'static str) -> &'static str {
    match name {
        "times of access" | "amounts of access" => "access",
        "times of invoices" | "amounts of invoices" => "invoices",
        name => name,
    }
}

impl Wanted {
    /// What an item of the contract must say to be the same.
    fn traits(&self, list: &List) -> Traits {
        let mut traits = traits(list, &self.compared);
        for (member, times, amounts) in schedules(list) {
            traits.remove(times);
            traits.remove(amounts);
            let Some(wanted) = self.written.get(member) else { continue };
            let items = schedule::items(wanted);
            traits.insert(times, schedule::times(&items));
            // How the API rounds the parts of a divided amount, or a price times a quantity, is its own affair.
            if wanted.get("recurringSchedule").is_none()
                && items.iter().all(|item| item.get("amount").is_some())
            {
                traits.extend(schedule::amounts(&items).map(|found| (amounts, found)));
            }
        }
        traits
    }
}

/// Text of a place that says something: an empty one says the same as none.
fn text_at(terms: &Value, place: &str) -> Option<String> {
    terms.pointer(place).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A number as all that agree with it have it.
pub(super) fn float_digits(number: &Value) -> String {
    let digits = number.as_str().unwrap_or_default();
    Decimal::from_wire(digits)
        .map_or_else(|_| digits.to_owned(), |number| number.to_float_digits().to_string())
}

/// The schedules of a list, each with what its times and its amounts are looked up by.
fn schedules(list: &List) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let access = list.access.map(|member| (member, "times of access", "amounts of access"));
    let invoice = list.invoice.map(|member| (member, "times of invoices", "amounts of invoices"));
    access.into_iter().chain(invoice)
}

/// When an item ends by itself.
pub(super) fn end_of(item: Item<'_>) -> Option<Timestamp> {
    text(item.terms, "endingBefore")?.parse().ok()
}

/// Whether an item ends within the hour, or has, and its contract goes on.
pub(super) fn has_ended(observed: &ObservedContract, item: Item<'_>, now: DateTime<Utc>) -> bool {
    end_of(item).is_some_and(|end| {
        end.0 <= now + TimeDelta::hours(1) && observed.ending_before.is_none_or(|last| end < last)
    })
}

/// Differences between an item of the spec and one of the contract. An empty text says the same as none.
pub(super) fn differences(list: &List, wanted: &Wanted, item: Item<'_>) -> Differences {
    let mut members = diff(item_shape(list.name), &wanted.compared, &with_schedules(list, item.terms));
    members
        .retain(|change| change.from.is_some() || change.to.as_ref() != Some(&Value::String(String::new())));
    members.extend(unnamed_usage(list.name, &wanted.compared, item.terms));
    let counted = [list.access, list.invoice, Some("accessAmount")].into_iter().flatten().collect::<Vec<_>>();
    members.extend(money::other_units(&counted, &wanted.written, item.terms));
    let schedule = |member: Option<&str>, kind: Kind, ids: &[String]| {
        let desired = member.and_then(|member| wanted.written.get(member));
        let observed = member.and_then(|member| item.terms.get(member));
        desired.map(|desired| schedule::differences(kind, desired, observed, ids)).unwrap_or_default()
    };
    Differences {
        members,
        access: schedule(list.access, Kind::Access, &item.ids.access),
        invoice: schedule(list.invoice, Kind::Invoice, &item.ids.invoice),
    }
}

/// The terms of an item in which a schedule without items stands for one that is not there.
fn with_schedules<'t>(list: &List, terms: &'t Value) -> Cow<'t, Value> {
    let default = json!({"accessType": "SPEND", "creditTypeId": plan::USD_CENTS, "doNotInvoice": false});
    let schedules = [list.access, list.invoice].into_iter().flatten();
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

/// Members of an object, none for anything else.
pub(super) fn members_of(value: Option<&Value>) -> Map<String, Value> {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}
