//! What an edit or a create does to the money that the customer owes: the effect of the changes only, so that items of
//! others, of the package and of ignored places stand on neither side.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::{
    Desired, balances,
    draft::Draft,
    lists::{LISTS, Removal},
    matching::{Matched, Wanted},
    money::{self, WithoutSum},
    next_hour,
    observed::Item,
    tables::BACKDATE,
    text,
};
use crate::{
    plan::{
        Change, MoneyEffect, Open, OpenCause, diff::covers, money::open_rates, owed::Owed, unit::is_amount,
        usage,
    },
    terms::{Decimal, Timestamp},
};

/// Members of a contract whose money has no sum, and why.
const OPEN: [(&str, OpenCause); 5] = [
    ("overrides", OpenCause::Usage),
    ("prepaidBalanceThresholdConfiguration", OpenCause::Usage),
    ("professionalServices", OpenCause::Usage),
    ("spendThresholdConfiguration", OpenCause::Usage),
    ("subscriptions", OpenCause::RateCard),
];
/// Members below them that say nothing about money.
const TEXTS: [&str; 5] = [BACKDATE, "customFields", "description", "name", "netsuiteSalesOrderId"];

/// The effect of a new contract.
pub(super) fn of_create(desired: &Desired) -> MoneyEffect {
    let terms = desired.terms();
    let time = |name: &str| text(terms, name).and_then(|time| time.parse::<Timestamp>().ok());
    let (owed, without_sum) = money::owed(terms, time("startingAt"), time("endingBefore"));
    let mut changes = Vec::new();
    for (name, _) in OPEN {
        match terms.get(name) {
            Some(Value::Array(items)) => {
                changes.extend(items.iter().enumerate().map(|(index, item)| {
                    let segment = text(item, "key").map_or_else(|| index.to_string(), str::to_owned);
                    Change::added(format!("/{name}/{segment}"), item.clone())
                }));
            }
            Some(value) => changes.push(Change::added(format!("/{name}"), value.clone())),
            None => {}
        }
    }
    let usd = money::Unit::Usd.data();
    let changes: Vec<_> =
        changes.into_iter().map(|change| change.counted_in(usd.as_ref(), usd.as_ref())).collect();
    let mut open = open_of(&changes);
    open.extend(without_sums(&[], &without_sum));
    if desired.has_package() {
        let path = if terms.get("packageId").is_some() { "/packageId" } else { "/packageAlias" };
        let (cause, path) = (OpenCause::Package, path.to_owned());
        open.push(Open { path, cause, unit: None, before: None, after: None });
    }
    MoneyEffect::between(&Owed::default(), &owed, open).with_usage(usage::of_overrides(&changes))
}

/// The effect of an edit.
pub(super) fn of_edit(draft: &Draft<'_>, matched: &Matched<'_>) -> MoneyEffect {
    let (mut before, mut after) = (Map::new(), Map::new());
    let mut keyed: HashSet<String> = HashSet::new();
    // What the contract's end cuts off is billed until then, and so before.
    let items = LISTS.iter().flat_map(|list| draft.observed.items(list.name));
    let shown: HashMap<&str, &Value> = items.map(|item| (item.ids.own.as_str(), item.terms)).collect();
    let mut touched: HashMap<String, Vec<&Change>> = HashMap::new();
    for change in &draft.changes {
        let item: Vec<_> = change.path.splitn(4, '/').take(3).collect();
        touched.entry(item.join("/")).or_default().push(change);
    }
    for pairs in &matched.lists {
        for (wanted, item) in &pairs.wanted {
            let path = format!("/{}/{}", pairs.list.name, wanted.key);
            let touching = touched.remove(&path).unwrap_or_default();
            if let Some(item) = item {
                let terms = shown.get(item.ids.own.as_str()).copied().unwrap_or(item.terms);
                push(&mut before, pairs.list.name, &wanted.key, terms.clone());
            }
            let is_there = item.is_some() || !touching.is_empty();
            if is_there {
                let changed = changed(&path, wanted, *item, &touching);
                push(&mut after, pairs.list.name, &wanted.key, changed);
            }
            keyed.insert(path);
        }
    }
    for change in draft.changes.iter().filter(|change| !keyed.contains(&change.path)) {
        let mut segments = change.path.split('/').skip(1);
        let (Some(name), Some(key), None) = (segments.next(), segments.next(), segments.next()) else {
            continue;
        };
        if let Some(from) = &change.from {
            push(&mut before, name, key, from.clone());
            let ends = LISTS.iter().any(|list| list.name == name && list.removal == Removal::End);
            let beside = LISTS.iter().find(|list| list.name == name && list.is_beside());
            if let (Some(list), None) = (beside, &change.to) {
                push(&mut after, name, key, balances::ended(list, from, next_hour(draft.now)));
            }
            if ends {
                let start = text(from, "startingAt").and_then(|start| start.parse().ok());
                let mut ended = from.clone();
                if let Some(members) = ended.as_object_mut() {
                    members.insert("endingBefore".to_owned(), json!(draft.soonest(start)));
                }
                push(&mut after, name, key, ended);
            }
        }
        if let Some(to) = &change.to {
            push(&mut after, name, key, to.clone());
        }
    }
    between(draft, &before.into(), &after.into())
}

fn between(draft: &Draft<'_>, before: &Value, after: &Value) -> MoneyEffect {
    let (start, end) = (Some(draft.observed.starting_at), draft.observed.ending_before);
    let new_end = draft.changes.iter().find(|change| change.path == "/endingBefore");
    let end_after = new_end.map_or(end, |change| change.to.as_ref()?.as_str()?.parse().ok());
    let (before, without_sum) = money::owed(before, start, end);
    let (own, beside) = balances::apart(after);
    let (mut after, mut still_without) = money::owed(&own, start, end_after);
    if let (Some(_), Some(end)) = (new_end, end_after) {
        // The API takes out what is due at or after a new end.
        after.dues.retain(|due| due.time.is_none_or(|time| time < end));
    }
    // What is beside the contract outlasts it.
    let (beside, open_beside) = money::owed(&beside, start, None);
    after.dues.extend(beside.dues);
    still_without.extend(open_beside);
    let mut open = open_of(&draft.changes);
    open.extend(without_sums(&without_sum, &still_without));
    let usage = usage::of_overrides(&draft.changes);
    let mut effect = MoneyEffect::between(&before, &after, open).with_usage(usage);
    effect.find_names(&draft.observed.unit_names);
    effect
}

/// An item after the changes: as it is, with what the spec says where something changes, and without what is cleared.
fn changed(path: &str, wanted: &Wanted, item: Option<Item<'_>>, touching: &[&Change]) -> Value {
    let Some(item) = item else { return wanted.written.clone() };
    let mut terms = item.terms.clone();
    let Some(members) = terms.as_object_mut() else { return terms };
    for (name, value) in wanted.written.as_object().into_iter().flatten() {
        let place = format!("{path}/{name}");
        if touching.iter().any(|change| covers(&place, &change.path)) {
            members.insert(name.clone(), value.clone());
        }
    }
    // What left the spec: a member that it no longer has is taken out, or means something when it is left out.
    for change in touching {
        let Some(place) = change.path.strip_prefix(path).filter(|place| place.starts_with('/')) else {
            continue;
        };
        let name = place.split('/').nth(1).unwrap_or_default();
        if wanted.written.get(name).is_some() {
            continue;
        }
        match &change.to {
            None => drop(terms.as_object_mut().and_then(|members| members.remove(name))),
            Some(to) => {
                if let Some(found) = terms.pointer_mut(place) {
                    found.clone_from(to);
                }
            }
        }
    }
    terms
}

fn push(terms: &mut Map<String, Value>, list: &str, key: &str, mut item: Value) {
    if let Some(members) = item.as_object_mut() {
        members.insert("key".to_owned(), key.into());
        if let Some(items) = terms.entry(list).or_insert_with(|| json!([])).as_array_mut() {
            items.push(item);
        }
    }
}

/// What has no sum in the changes themselves: prices of use, and what the rate card prices.
fn open_of(changes: &[Change]) -> Vec<Open> {
    let mut open = Vec::new();
    for change in changes {
        let mut segments = change.path.split('/').skip(1);
        let name = segments.next().unwrap_or_default();
        let Some((_, cause)) = OPEN.iter().find(|(open, _)| *open == name) else { continue };
        if segments.any(|segment| TEXTS.contains(&segment)) {
            continue;
        }
        let (before, after) =
            ((change.from.as_ref(), change.from_unit.as_ref()), (change.to.as_ref(), change.unit.as_ref()));
        let rates = open_rates(&change.path, before, after, *cause);
        if rates.is_empty() {
            open.push(amounts(change, *cause));
        }
        open.extend(rates);
    }
    open
}

/// A change without a price: its amounts, where it is one.
fn amounts(change: &Change, cause: OpenCause) -> Open {
    let name = change.path.rsplit('/').next().unwrap_or_default();
    let amount = |value: &Option<Value>| -> Option<Decimal> {
        value.as_ref()?.as_str().filter(|_| is_amount(name))?.parse().ok()
    };
    let (before, after) = (amount(&change.from), amount(&change.to));
    let unit = change.unit.clone().filter(|_| before.is_some() || after.is_some());
    Open { path: change.path.clone(), cause, unit, before, after }
}

/// What has no sum on one side or on both, where it is not the same.
fn without_sums(before: &[WithoutSum], after: &[WithoutSum]) -> Vec<Open> {
    let open = |side: &WithoutSum, is_after: bool| {
        let amount = side.amount.as_ref().map(|(_, amount)| *amount);
        let (before, after) = if is_after { (None, amount) } else { (amount, None) };
        let unit = side.amount.as_ref().map(|(unit, _)| unit.clone());
        Open { path: side.path.clone(), cause: side.cause, unit, before, after }
    };
    let gone = before.iter().filter(|side| !after.contains(side)).map(|side| open(side, false));
    let new = after.iter().filter(|side| !before.contains(side)).map(|side| open(side, true));
    gone.chain(new).collect()
}
