//! What is past is never billed again by the way: an item that would begin before now is not written where the contract
//! has or had one like it, unless its spec says `backdate`, or somebody approves a plan that names it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Months, TimeDelta};
use serde_json::{Value, json};

use super::{
    draft::Draft,
    lists::{LISTS, List, Removal},
    matching::{Matched, Wanted, differences, has_ended},
    observed::Item,
    schedule,
    tables::BACKDATE,
    text,
};
use crate::{
    api::contract::ManagementPolicy,
    plan::Change,
    terms::{Decimal, Timestamp},
};

/// What can be told of an item in whatever list it stands.
struct Moved {
    product: String,
    /// Its amounts; none where it has them period after period, which no other list says in the same way.
    amounts: Option<BTreeSet<Decimal>>,
}

/// What the contract has or had, by what it is for.
pub(super) struct Past {
    /// Lists and the products that items of theirs are for. Another type or frequency bills the same time once more.
    known: BTreeSet<(&'static str, String)>,
    /// What is gone, or about to go, of each list: in another list it is billed again all the same.
    moved: Vec<(&'static str, Moved)>,
    /// Lists of which something is gone that billing no longer shows.
    unknown: BTreeSet<&'static str>,
    /// What is about to go and has not begun, so that it can't be ended yet: another one for the same would bill beside it.
    waiting: BTreeSet<(&'static str, String)>,
    /// What parts of items that stay are for that billing has and the spec no longer says, or says with less: in another item
    /// they are billed again.
    split: BTreeSet<(String, Timestamp)>,
    /// What each item is for, part by part, that is there and is no item of the spec: a record that is older than it takes it
    /// for somebody else's.
    there: Vec<BTreeSet<PartOfSchedule>>,
}

/// A product, a moment, and what is billed or given of it then.
type PartOfSchedule = (String, Timestamp, Decimal);

impl Past {
    /// What the contract had and has no more, or is about to lose. Of what recurs, what it has counts as well: two
    /// templates or subscriptions bill the same time side by side.
    pub(super) fn of(draft: &Draft<'_>, matched: &Matched<'_>) -> Self {
        let mut past = Self {
            known: BTreeSet::new(),
            moved: Vec::new(),
            unknown: BTreeSet::new(),
            waiting: BTreeSet::new(),
            split: BTreeSet::new(),
            there: Vec::new(),
        };
        // What follows the create of a contract from a package is a part of the create.
        let is_new = draft.desired.has_package() && draft.recorded.applied_spec.is_none();
        for pairs in &matched.lists {
            let gone = draft.observed.gone.get(pairs.list.name).into_iter().flatten();
            let of_list = |terms| Some((pairs.list.name, product(pairs.list, terms)?.to_owned()));
            past.known.extend(gone.clone().filter_map(|(_, terms)| of_list(terms)));
            let is_gone = |item: &&Item<'_>| {
                has_ended(draft.observed, **item, draft.now)
                    || draft.recorded_as(pairs.list.name, &item.ids.own).is_some()
                    || draft.observed.is_ours(&item.ids.own)
                    || draft.observed.came_with_own(draft.desired, draft.recorded, pairs.list.name)
            };
            let going = pairs.left.iter().filter(is_gone).map(|item| item.terms);
            past.waiting.extend(
                pairs
                    .left
                    .iter()
                    .filter(|item| waits(draft, pairs.list, **item))
                    .filter_map(|item| of_list(item.terms)),
            );
            let moved =
                gone.map(|(_, terms)| terms).chain(going).filter_map(|terms| Moved::of(pairs.list, terms));
            past.moved.extend(moved.map(|moved| (pairs.list.name, moved)));
            // Which of several an item is, is asked before it is added.
            let is_told = !is_new && !pairs.list.is_beside() && matched.ambiguous.is_empty();
            let others = pairs.left.iter().filter(|item| is_told && !is_gone(item));
            past.there.extend(others.map(|item| parts(pairs.list, item.terms)));
            let left = pairs.left.iter().filter(|item| is_gone(item) || (recurs(pairs.list) && !is_new));
            for (wanted, item) in pairs.wanted.iter().filter_map(|(wanted, item)| Some((wanted, (*item)?))) {
                let differences = differences(pairs.list, wanted, item);
                if !differences.access.is_empty() || !differences.invoice.is_empty() {
                    past.split.extend(split_off(pairs.list, item.terms, &wanted.written));
                }
            }
            let held = pairs.wanted.iter().filter_map(|(_, item)| *item);
            let held = held.filter(|_| recurs(pairs.list) && !is_new);
            past.known.extend(left.copied().chain(held).filter_map(|item| of_list(item.terms)));
        }
        // What an invoice still tells of was billed, though billing shows no more of it.
        let billed = draft.observed.billed.iter();
        past.known.extend(billed.map(|billed| (billed.list, billed.product.clone())));
        past.unknown = LISTS
            .iter()
            .filter(|list| !recurs(list) && has_vanished(draft, list))
            .map(|list| list.name)
            .collect();
        past
    }

    /// Whether the contract has or had an item that is for the same.
    fn knows(&self, list: &'static List, wanted: &Wanted) -> bool {
        let was_elsewhere = || {
            let of_others = self.moved.iter().filter(|(of, _)| *of != list.name);
            Moved::of(list, &wanted.written)
                .is_some_and(|wanted| of_others.map(|(_, gone)| gone).any(|gone| gone.may_be(&wanted)))
        };
        self.unknown.contains(list.name)
            || product(list, &wanted.compared)
                .is_some_and(|product| self.known.contains(&(list.name, product.to_owned())))
            || was_elsewhere()
    }

    /// Whether an item that is to be added is for the same as one that is to go and can't be ended yet.
    pub(super) fn is_waited_for(&self, list: &'static List, wanted: &Wanted) -> bool {
        product(list, &wanted.compared)
            .is_some_and(|product| self.waiting.contains(&(list.name, product.to_owned())))
    }

    /// Admits an item that is to be added. One that may only be because somebody says so is named by a change of its own.
    ///
    /// # Errors
    /// The first moment of it that is past, when the contract has or had one for the same and nobody said that it may be.
    pub(super) fn admit(
        &self,
        draft: &Draft<'_>,
        list: &'static List,
        wanted: &Wanted,
    ) -> Result<Option<Change>, Timestamp> {
        let is_there = || {
            let mut past = parts(list, &wanted.written);
            past.retain(|(_, at, _)| at.0 < draft.now);
            let is_split = past.iter().any(|(product, at, _)| self.split.contains(&(product.clone(), *at)));
            is_split || (!past.is_empty() && self.there.iter().any(|there| past.is_subset(there)))
        };
        if self.knows(list, wanted) || is_there() { replaced(draft, list, wanted) } else { Ok(None) }
    }
}

/// Admits an item that is archived and added again in its place, as [`Past::admit`].
///
/// # Errors
/// The first moment of it that is past, when nobody said that it may be billed again.
pub(super) fn replaced(
    draft: &Draft<'_>,
    list: &'static List,
    wanted: &Wanted,
) -> Result<Option<Change>, Timestamp> {
    let first = starts(list, &wanted.written, draft.observed.starting_at).into_iter().min();
    first.filter(|start| start.0 < draft.now).map(|first| named(draft, list, wanted, first)).transpose()
}

/// The change by which a plan says that a time is billed again.
///
/// # Errors
/// The time, when nobody said that it may be.
pub(super) fn named(
    draft: &Draft<'_>,
    list: &List,
    wanted: &Wanted,
    first: Timestamp,
) -> Result<Change, Timestamp> {
    // Whoever approves plans sees it named there; a policy that only looks writes nothing.
    let is_seen = draft.policy.asks() || draft.policy.management == ManagementPolicy::Observe;
    if !is_seen && wanted.written.get(BACKDATE) != Some(&Value::Bool(true)) {
        return Err(first);
    }
    let path = format!("/{}/{}/{BACKDATE}", list.name, wanted.key);
    Ok(Change::added(path, json!(format!("bills the past from {first} on"))))
}

/// Whether an item that left the spec is the resource's own and has not begun: it is ended once it has.
fn waits(draft: &Draft<'_>, list: &'static List, item: Item<'_>) -> bool {
    let key = draft.own_key(list, item);
    let is_left_alone = |key: &str| {
        draft.desired.is_beyond(list.name, key) || !draft.counts(&format!("/{}/{key}", list.name))
    };
    recurs(list)
        && time(item.terms, "startingAt").is_some_and(|start| draft.soonest(Some(start)) <= start)
        && key.is_some_and(|key| !is_left_alone(&key))
}

/// Whether items of a list bill period after period.
fn recurs(list: &List) -> bool {
    list.removal == Removal::End
}

/// What an item bills or gives at one moment each.
fn parts(list: &List, terms: &Value) -> BTreeSet<PartOfSchedule> {
    let Some(product) = product(list, terms) else { return BTreeSet::new() };
    let part = |item: Value| Some((product.to_owned(), schedule::start_of(&item)?, schedule::amount(&item)?));
    schedule_items(list, terms).filter_map(part).collect()
}

/// What an item has at moments at which the spec has less for it, or nothing.
fn split_off(list: &List, terms: &Value, wanted: &Value) -> Vec<(String, Timestamp)> {
    let Some(product) = product(list, terms) else { return Vec::new() };
    let schedules = [list.access, list.invoice].into_iter().flatten();
    let less = schedules.flat_map(|name| {
        let sums = |terms: &Value| -> BTreeMap<Timestamp, Decimal> {
            let mut sums: BTreeMap<Timestamp, Decimal> = BTreeMap::new();
            for item in terms.get(name).map(schedule::items).unwrap_or_default() {
                let Some((at, amount)) = schedule::start_of(&item).zip(schedule::amount(&item)) else {
                    continue;
                };
                let sum = sums.entry(at).or_insert(Decimal::ZERO);
                *sum = sum.checked_add(amount).unwrap_or(*sum);
            }
            sums
        };
        let wanted = sums(wanted);
        let has_less = move |(at, sum): &(Timestamp, Decimal)| {
            wanted.get(at).is_none_or(|wanted| wanted < sum && !wanted.agrees_with(*sum))
        };
        sums(terms).into_iter().filter(has_less).map(|(at, _)| at)
    });
    less.map(|at| (product.to_owned(), at)).collect()
}

/// The product that an item is for.
fn product<'v>(list: &List, terms: &'v Value) -> Option<&'v str> {
    let place = list.identity.iter().find(|place| place.ends_with("/productId"))?;
    terms.pointer(place)?.as_str()
}

/// The parts of both schedules of an item.
fn schedule_items(list: &List, terms: &Value) -> impl Iterator<Item = Value> {
    let schedules = [list.access, list.invoice].into_iter().flatten();
    schedules.filter_map(|name| terms.get(name)).flat_map(schedule::items)
}

impl Moved {
    fn of(list: &List, terms: &Value) -> Option<Self> {
        let product = product(list, terms)?.to_owned();
        let amounts = schedule_items(list, terms).filter_map(|item| schedule::amount(&item));
        Some(Self { product, amounts: (!recurs(list)).then(|| amounts.collect()) })
    }

    /// Whether another item may be this one: for the same product, and, where both have amounts, with one of them.
    fn may_be(&self, other: &Self) -> bool {
        let both = self.amounts.as_ref().zip(other.amounts.as_ref());
        self.product == other.product && both.is_none_or(|(one, other)| !one.is_disjoint(other))
    }
}

/// Whether an item of a list is on record that billing shows neither as one of the contract nor as archived.
fn has_vanished(draft: &Draft<'_>, list: &List) -> bool {
    let gone = draft.observed.gone.get(list.name).into_iter().flatten().map(|(id, _)| id.as_str());
    let shown: BTreeSet<_> =
        draft.observed.items(list.name).map(|item| item.ids.own.as_str()).chain(gone).collect();
    draft.recorded_ids(list.name).any(|id| !shown.contains(id))
}

/// The moments at which an item, or a part of it, begins to be billed or may begin to be used.
pub(super) fn starts(list: &List, terms: &Value, contract: Timestamp) -> Vec<Timestamp> {
    if recurs(list) {
        return vec![time(terms, "startingAt").unwrap_or(contract)];
    }
    let access = list.access.and_then(|name| terms.get(name));
    let invoice = list.invoice.and_then(|name| terms.get(name));
    let invoice = invoice.filter(|schedule| schedule.get("doNotInvoice") != Some(&Value::Bool(true)));
    let items = access.into_iter().chain(invoice).flat_map(schedule::items);
    items.filter_map(|item| schedule::start_of(&item)).collect()
}

fn time(terms: &Value, name: &str) -> Option<Timestamp> {
    text(terms, name)?.parse().ok()
}

/// The first period that an item which has ended would be billed for again if it went on: one that begins at or after
/// its end, and before now.
pub(super) fn first_missed(draft: &Draft<'_>, item: Item<'_>) -> Option<Timestamp> {
    first_missed_after(draft, item, time(item.terms, "endingBefore")?)
}

/// The first period that an item which goes on would be billed for at once, as its contract had ended and goes on as well:
/// whether the API ends what is in a contract along with it is its own affair. `until` is the item's end in the spec.
pub(super) fn missed_with_contract(
    draft: &Draft<'_>,
    list: &List,
    item: Item<'_>,
    until: Option<Timestamp>,
) -> Option<Timestamp> {
    let end = draft.observed.ending_before.filter(|end| recurs(list) && end.0 <= draft.now)?;
    let goes_on = draft.desired.end_in(draft.observed, draft.recorded).is_none_or(|wanted| wanted > end);
    let went_on = time(item.terms, "endingBefore").is_none_or(|own| own >= end);
    let missed = first_missed_after(draft, item, end).filter(|_| goes_on && went_on)?;
    until.is_none_or(|until| missed < until).then_some(missed)
}

/// The first period of an item that begins at or after a moment, and before now.
fn first_missed_after(draft: &Draft<'_>, item: Item<'_>, end: Timestamp) -> Option<Timestamp> {
    let statements = "/usageStatementSchedule/frequency";
    let of_item = ["/recurrenceFrequency", "/subscriptionRate/billingFrequency"];
    let frequency = of_item.iter().find_map(|place| item.terms.pointer(place));
    let frequency = frequency.or_else(|| draft.observed.terms.pointer(statements)).and_then(Value::as_str);
    let start = time(item.terms, "startingAt");
    // A frequency of its own is counted from the start. What else periods are counted from is not told of every item, so
    // each moment counts that it could be.
    let anchor = |terms: &Value, place: &str| terms.pointer(place)?.as_str()?.parse().ok();
    let others = [
        Some(draft.observed.starting_at),
        anchor(item.terms, "/billingCycleConfig/anchorDate"),
        anchor(&draft.observed.terms, "/usageStatementSchedule/billingAnchorDate"),
    ];
    let counts_from_start = item.terms.get("recurrenceFrequency").is_some();
    let others = others.into_iter().filter(|_| !counts_from_start || start.is_none());
    let anchors = std::iter::once(start).chain(others).flatten();
    let next = anchors.filter_map(|anchor| next_period(anchor, frequency, end)).min();
    next.filter(|next| next.0 < draft.now)
}

/// The first period, counted from an anchor, that begins at or after a moment.
fn next_period(anchor: Timestamp, frequency: Option<&str>, from: Timestamp) -> Option<Timestamp> {
    const MOST: u32 = 4000;
    let at = |index: u32| match frequency {
        Some("DAILY") => anchor.0.checked_add_signed(TimeDelta::days(index.into())),
        Some("WEEKLY") => anchor.0.checked_add_signed(TimeDelta::weeks(index.into())),
        Some("QUARTERLY") => anchor.0.checked_add_months(Months::new(index * 3)),
        Some("ANNUAL") => anchor.0.checked_add_months(Months::new(index * 12)),
        _ => anchor.0.checked_add_months(Months::new(index)),
    };
    (0..MOST).map_while(at).map(Timestamp).find(|start| *start >= from)
}
