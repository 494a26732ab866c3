//! What leaves the spec of a Zoo contract. A replace that left it out would carry it over for ever.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{KINDS, MEANT_WHEN_LEFT_OUT, ObservedContract};
use crate::{
    api::reasons,
    plan::{
        Change, Decision, Policy, Recorded, SetTerms,
        diff::covers,
        summarize,
        three_way::{self, Fields, fields, in_force, note, said},
    },
    terms::{
        Decimal, Shape,
        zoo::{SHAPE, partial::REQUIRED},
    },
};

/// Lists whose items may leave fields out, each with the member that names an item.
const LISTS: [(&str, &str); 2] = [("items", "code"), ("periods", "periodIndex")];
/// Members of a period that billing moves along, and what it begins with. They are recorded with their values: one that
/// billing has moved since is no longer what the spec said.
const MOVED: [(&str, &str); 3] = [("rolloverInAmount", "0"), ("rolloverOutAmount", "0"), ("status", "open")];

/// What has left the spec.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// What a replace takes out.
    pub cleared: Vec<Change>,
    /// What the spec said of a period, and only billing or another value may end.
    kept: Vec<Change>,
}

impl Left {
    /// What has left the spec and still says something in billing, ignored places left out.
    pub(super) fn of(
        written: &Value,
        observed: &ObservedContract,
        recorded: &Recorded,
        policy: &Policy,
    ) -> Self {
        let mut left = Self::default();
        let set =
            Some(&recorded.set).filter(|_| recorded.contract_id.as_ref() == Some(&observed.contract_id));
        let fields = |path: &str| set.and_then(|set| set.get(path)).into_iter().flatten();
        // A text that the spec says to be empty is compared, as any other.
        for field in fields("").filter(|field| written.get(field.as_str()).is_none()) {
            left.cleared.extend(removed(&observed.terms, "", field));
        }
        for (list, key) in LISTS {
            for (id, wanted, found) in pairs(written, &observed.terms, list, key) {
                let place = format!("/{list}/{id}");
                for field in fields(&format!("{list}/{id}")) {
                    let (name, value) = field
                        .split_once('=')
                        .map_or((field.as_str(), None), |(name, value)| (name, Some(value)));
                    if wanted.get(name).is_some() {
                        continue;
                    }
                    match value {
                        None => left.cleared.extend(removed(found, &place, name)),
                        Some(value)
                            if begins_with(name, value) || text_of(found, name).as_deref() != Some(value) => {
                        }
                        Some(_) => left.kept.extend(removed(found, &place, name)),
                    }
                }
                left.cleared.extend(meant(wanted, found, &place));
            }
        }
        let counts = |change: &Change| !policy.ignore.iter().any(|pointer| covers(pointer, &change.path));
        left.cleared.retain(counts);
        left.kept.retain(counts);
        left
    }

    /// Every difference that they make.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.cleared.iter().chain(&self.kept)
    }

    /// Why nothing may be written, if something left that a replace must not take out.
    pub(super) fn refusal(&self) -> Option<Decision> {
        (!self.kept.is_empty()).then(|| {
            Decision::refuse(
                reasons::IMMUTABLE_FIELD,
                format!(
                    "Nothing was written: what the spec said of a period has left it, and a replace without it could begin the \
                     period anew: {}. Ways out: restore it; or write what is to hold instead; or leave it to billing, which \
                     moves it along, by naming the place in `spec.ignoreDrift`",
                    summarize(&self.kept)
                ),
            )
        })
    }

    /// Takes out of a body what was carried over although it has left the spec.
    pub(super) fn take_out(&self, body: &mut Value) {
        for change in &self.cleared {
            let segments: Vec<_> = change.path.split('/').skip(1).collect();
            let holder = match segments[..] {
                [list, id, ..] => {
                    let key = LISTS.iter().find(|(name, _)| *name == list).map_or("", |(_, key)| key);
                    let items = body.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
                    items.into_iter().find(|item| text_of(item, key).as_deref() == Some(id))
                }
                _ => Some(&mut *body),
            };
            if let (Some(members), [_] | [_, _, _], Some(name)) =
                (holder.and_then(Value::as_object_mut), &segments[..], segments.last())
            {
                members.remove(*name);
            }
        }
    }
}

/// Fields of the contract, of its items and of its periods that a replace sets and that billing does not say yet.
pub(super) fn to_set(written: &Value, observed: Option<&ObservedContract>) -> Vec<String> {
    let of_contract = |field: &str| REQUIRED.contains(&field);
    let mut set = three_way::to_set(&SHAPE, written, observed.map(|observed| &observed.terms), &of_contract);
    // What billing moves along is money of the customer's, and comes first: how much is remembered has a limit.
    let mut of_items = Vec::new();
    for (list, key) in LISTS {
        let Some(Shape::List { item: shape, .. }) = SHAPE.member(list) else { continue };
        let there = observed.map(|observed| pairs(written, &observed.terms, list, key)).unwrap_or_default();
        for wanted in written.get(list).and_then(Value::as_array).into_iter().flatten() {
            let Some(id) = text_of(wanted, key) else { continue };
            let found = there.iter().find(|(found, ..)| *found == id).map(|(.., found)| *found);
            for field in fields(shape, wanted, &|field| MEANT_WHEN_LEFT_OUT.contains(&field)) {
                let value = said(wanted, &field)
                    .filter(|value| found.and_then(|found| said(found, &field)) != Some(value));
                of_items.extend(
                    value.map(|value| (!is_moved(&field), note(&format!("{list}/{id}"), &field, value))),
                );
            }
        }
    }
    of_items.sort_by_key(|(is_plain, _)| *is_plain);
    set.extend(of_items.into_iter().map(|(_, note)| note));
    set
}

/// Takes for set what writes without a reply were to set of items and periods, and billing says.
pub(super) fn recall<'s>(
    written: &Value,
    observed: &ObservedContract,
    sets: impl Iterator<Item = &'s String>,
    set: &mut SetTerms,
) {
    let notes: BTreeSet<&String> = sets.collect();
    for (list, key) in LISTS {
        let Some(Shape::List { item: shape, .. }) = SHAPE.member(list) else { continue };
        for (id, _, found) in pairs(written, &observed.terms, list, key) {
            let is_set = |field: &String| {
                said(found, field)
                    .is_some_and(|value| notes.contains(&note(&format!("{list}/{id}"), field, value)))
            };
            let is_set = fields(shape, found, &|_| false).into_iter().filter(is_set);
            let recorded = |field: String| match text_of(found, &field).filter(|_| is_moved(&field)) {
                Some(value) => format!("{field}={value}"),
                None => field,
            };
            set.add(&format!("{list}/{id}"), is_set.map(recorded).collect());
        }
    }
}

/// What is to be on record of a contract: fields that the spec sets and that are in force.
pub(super) fn record(written: &Value, observed: &ObservedContract, recorded: &Recorded) -> SetTerms {
    let before = Some(&recorded.set).filter(|_| recorded.contract_id.as_ref() == Some(&observed.contract_id));
    let before = |path: &str| before.and_then(|set| set.get(path));
    let remains = |_: &str, _: &Value| true;
    let mut set = SetTerms::default();
    let of_contract = |field: &str| REQUIRED.contains(&field);
    set.insert(String::new(), in_force(&SHAPE, written, &observed.terms, before(""), &of_contract, &remains));
    for (list, key) in LISTS {
        let Some(Shape::List { item: shape, .. }) = SHAPE.member(list) else { continue };
        for (id, wanted, found) in pairs(written, &observed.terms, list, key) {
            let path = format!("{list}/{id}");
            let is_apart = |field: &str| MEANT_WHEN_LEFT_OUT.contains(&field) || is_moved(field);
            let plain: Fields =
                before(&path).into_iter().flatten().filter(|field| !field.contains('=')).cloned().collect();
            let mut fields = in_force(shape, wanted, found, Some(&plain), &is_apart, &remains);
            fields.extend(moved(shape, wanted, found, before(&path)));
            set.insert(path, fields);
        }
    }
    set
}

/// What the spec says of a period that billing moves along, where that is in force, with its value; and what it said, for
/// as long as billing leaves it as it was.
fn moved(shape: &Shape, wanted: &Value, found: &Value, before: Option<&Fields>) -> Fields {
    let mut fields = Fields::new();
    for (name, _) in MOVED {
        let (Some(value), Some(member)) = (text_of(found, name), shape.member(name)) else { continue };
        let field = format!("{name}={value}");
        let is_same = match said(wanted, name) {
            Some(wanted) => {
                crate::plan::diff::diff(member, wanted, found.get(name).unwrap_or(&Value::Null)).is_empty()
            }
            None => before.is_some_and(|before| before.contains(&field)),
        };
        if is_same {
            fields.insert(field);
        }
    }
    fields
}

fn is_moved(name: &str) -> bool {
    MOVED.iter().any(|(moved, _)| *moved == name)
}

/// Whether a value is what every period begins with.
fn begins_with(name: &str, value: &str) -> bool {
    let first = MOVED.iter().find(|(moved, _)| *moved == name).map_or("", |(_, first)| first);
    value == first || is_zero(value) && first == "0"
}

fn is_zero(digits: &str) -> bool {
    Decimal::from_wire(digits).is_ok_and(|number| number.agrees_with(Decimal::ZERO))
}

/// Members whose absence is a term itself, and that billing has all the same: an item without a fee has none.
fn meant(wanted: &Value, found: &Value, place: &str) -> Vec<Change> {
    let is_left = |name: &&str| {
        let says = text_of(found, name).is_some_and(|digits| !is_zero(&digits));
        says && said(wanted, name).is_none()
    };
    let names = MEANT_WHEN_LEFT_OUT.into_iter().filter(is_left);
    names.filter_map(|name| removed(found, place, name)).collect()
}

fn removed(found: &Value, place: &str, field: &str) -> Option<Change> {
    Some(Change::removed(format!("{place}/{field}"), said(found, field)?.clone()))
}

/// Items of a list that are the same thing in the spec and in billing, with what names them.
fn pairs<'v>(
    written: &'v Value,
    observed: &'v Value,
    list: &str,
    key: &str,
) -> Vec<(String, &'v Value, &'v Value)> {
    let items = |terms: &'v Value| terms.get(list).and_then(Value::as_array).into_iter().flatten();
    let same = |wanted: &Value, found: &Value, name: &str| wanted.get(name) == found.get(name);
    let pair = |wanted: &'v Value| {
        let is_pair =
            |found: &&Value| same(wanted, found, key) && KINDS.iter().all(|kind| same(wanted, found, kind));
        Some((text_of(wanted, key)?, wanted, items(observed).find(is_pair)?))
    };
    items(written).filter_map(pair).collect()
}

/// A value as text, as it stands in paths.
fn text_of(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => Some(json!(value).to_string()),
    }
}
