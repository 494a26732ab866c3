//! What becomes of items without keys: overrides are replaced, trackers archived and added anew, and the rest is only added to.

use serde_json::{Map, Value, json};

use super::{
    super::{
        defaults::fill_defaults,
        draft::Draft,
        fields,
        immutable::Remedy,
        leaving,
        likeness::Likeness,
        list,
        lists::item_shape,
        matching::Matched,
        money::{Unit, units_at},
        observed::{ApiId, Item, ROYALTIES, royalty_id},
        part::Part,
        schedule, text,
    },
    Pairs, Wanted, differences, effect_differences, has_unknown_word, matched, subject,
    subject_without_words,
};
use crate::{
    plan::{Change, diff::diff},
    terms::json::to_segment,
};

/// Compares overrides, the lists that can only be added to, and spend trackers.
pub(in crate::plan::metronome) fn compare(draft: &mut Draft<'_>, matched: &Matched<'_>) {
    for pairs in self::matched(draft.desired, draft.shown, draft.recorded, &matched.references) {
        let list = pairs.list;
        draft.ambiguous.extend(pairs.ambiguous.iter().cloned());
        for (wanted, item) in pairs.wanted.iter().filter_map(|(wanted, item)| Some((wanted, (*item)?))) {
            let entity = match list {
                "discounts" => "discount",
                "professionalServices" => "professional_service",
                _ => continue,
            };
            let none = Map::new();
            fields::compare_of(
                draft,
                entity,
                item.ids.own.as_str(),
                &wanted.path,
                &wanted.written,
                item.terms,
                &none,
            );
        }
        if list == "overrides" { compare_overrides(draft, &pairs) } else { compare_additions(draft, &pairs) }
    }
    compare_trackers(draft);
}

/// Whether an item of the contract was put there by the spec: it is recorded, or nothing is, every item is the spec's,
/// and it is the only one of its subject.
fn is_own(draft: &Draft<'_>, pairs: &Pairs<'_>, item: Item<'_>) -> bool {
    let recorded = draft.recorded_as(pairs.list, &item.ids.own).is_some();
    let is_same = pairs.likeness == Likeness::Same && pairs.is_only(item);
    let is_made = draft.observed.came_with_own(draft.desired, draft.recorded, pairs.list);
    recorded || draft.observed.is_ours_in(pairs.list, item) || is_made || is_same
}

fn compare_overrides(draft: &mut Draft<'_>, pairs: &Pairs<'_>) {
    for (wanted, item) in &pairs.wanted {
        let Some(item) = item else {
            let change = Change::new(format!("/{}", wanted.path), None, Some(wanted.canonical.clone()));
            if draft.change(&change, Unit::Usd) {
                add_override(draft, wanted);
            }
            continue;
        };
        if is_cut_off(draft, wanted, *item) {
            let path = format!("/{}/endingBefore", wanted.path);
            let change = Change::removed(path, json!(draft.observed.ending_before));
            if draft.change(&change, Unit::Other) {
                remove_override(draft, *item);
                add_override(draft, wanted);
            }
            continue;
        }
        // The API changes no override, so one that says something else is what it made of what was sent: to add it again
        // would end the same way.
        let mut changes = differences(pairs.list, wanted, *item, draft.shown);
        changes.extend(effect_differences(wanted, *item));
        for change in changes {
            let whole = Change { path: format!("/{}{}", wanted.path, change.path), ..change.clone() };
            draft.report(&whole, units_at(item.terms, &wanted.canonical, &change.path));
        }
    }
    for item in &pairs.left {
        let change = Change::removed(format!("/{}/{}", pairs.list, item.ids.own), item.terms.clone());
        if is_own(draft, pairs, *item) {
            if draft.change(&change, Unit::Usd) {
                remove_override(draft, *item);
            }
        } else {
            report_foreign(draft, pairs.list, &item.ids.own, &change);
        }
    }
}

fn add_override(draft: &mut Draft<'_>, wanted: &Wanted) {
    let part = Part::Terms(item_shape("overrides"), wanted.written.clone());
    draft.add("add_overrides", wanted.path.clone(), part);
}

fn remove_override(draft: &mut Draft<'_>, item: Item<'_>) {
    draft.push("remove_overrides", Part::object([("id", Part::text(&item.ids.own))]));
}

/// Whether an override without an end of its own was ended along with its contract, which goes on again: its price would
/// not.
fn is_cut_off(draft: &Draft<'_>, wanted: &Wanted, item: Item<'_>) -> bool {
    let end = draft.observed.ending_before;
    let goes_on = || {
        let to = draft.desired.end_in(draft.observed, draft.recorded);
        end.is_some_and(|end| to.is_none_or(|to| to > end))
    };
    let found = text(item.terms, "endingBefore").and_then(|end| end.parse().ok());
    wanted.written.get("endingBefore").is_none() && end.is_some() && found == end && goes_on()
}

/// Reports what somebody else put into a list.
fn report_foreign(draft: &mut Draft<'_>, list: &str, id: &ApiId, change: &Change) {
    if draft.reports_foreign(list, id) {
        draft.report(change, Unit::Usd);
    }
}

/// Adds to a list that can only be added to. An item of the spec that takes the place of one that was, or one that left
/// the spec, is refused.
fn compare_additions(draft: &mut Draft<'_>, pairs: &Pairs<'_>) {
    let verb = match pairs.list {
        "discounts" => "add_discounts",
        "professionalServices" => "add_professional_services",
        _ => "add_reseller_royalties",
    };
    let subject = |terms: &Value| subject(pairs.list, terms);
    let mut own = Vec::new();
    for item in &pairs.left {
        if is_own(draft, pairs, *item) || is_recorded_royalty(draft, pairs, *item) {
            own.push(*item);
        } else {
            let path = format!("/{}/{}", pairs.list, to_segment(&item.recorded_id()));
            report_foreign(draft, pairs.list, &item.ids.own, &Change::removed(path, item.terms.clone()));
        }
    }
    let added = pairs.wanted.iter().filter(|(_, item)| item.is_none()).count();
    let one_for_one = own.len() == 1 && added == 1;
    for (wanted, item) in &pairs.wanted {
        let path = format!("/{}", wanted.path);
        let takes_place = |item: &Item<'_>| one_for_one || subject(item.terms) == subject(&wanted.canonical);
        let before = || own.iter().position(takes_place);
        let index = if item.is_some() { None } else { before() };
        let of_unknown_words = || {
            let mut left = pairs.left.iter().filter(|item| has_unknown_word(pairs.list, **item));
            let said = subject_without_words(pairs.list, &wanted.canonical);
            left.find(|item| subject_without_words(pairs.list, item.terms) == said).copied()
        };
        let item = item.or_else(|| index.map(|index| own.remove(index))).or_else(of_unknown_words);
        if let Some(item) = item {
            let mut changes = differences(pairs.list, wanted, item, draft.shown);
            for left in leaving::of_keyless(draft.shown, &draft.known, &wanted.path, &wanted.written, item) {
                if changes.iter().all(|found| found.path != left.path) {
                    changes.push(left);
                }
            }
            for change in changes {
                let whole = Change { path: format!("{path}{}", change.path), ..change.clone() };
                draft.reject(&whole, units_at(item.terms, &wanted.canonical, &change.path), Remedy::Restore);
            }
            continue;
        }
        let change = Change::added(path, wanted.canonical.clone());
        if draft.change(&change, Unit::Usd) {
            let mut item = wanted.written.clone();
            schedule::as_sent(&mut item);
            draft.add(verb, wanted.path.clone(), Part::Terms(item_shape(pairs.list), item));
        }
    }
    for item in own {
        let path = format!("/{}/{}", pairs.list, to_segment(&item.recorded_id()));
        draft.reject(&Change::removed(path, item.terms.clone()), Unit::Usd, Remedy::Restore);
    }
}

/// Whether a royalty, which has no id, is one that the spec had: it is recorded by what it said, or a write without a reply was
/// to add it.
fn is_recorded_royalty(draft: &Draft<'_>, pairs: &Pairs<'_>, item: Item<'_>) -> bool {
    let id = || royalty_id(item.terms);
    let is_recalled = |id: &str| draft.recorded.set.get(&leaving::royalty_path(id)).is_some();
    pairs.list == ROYALTIES
        && (draft.recorded.items.values().any(|recorded| *recorded == id()) || is_recalled(&id()))
}

/// Spend trackers go by their alias. The API cannot change one: it is archived, and added again in a later edit, when
/// its alias is free.
fn compare_trackers(draft: &mut Draft<'_>) {
    let name = "spendTrackers";
    let shape = item_shape(name);
    let alias = |tracker: &Value| text(tracker, "alias").unwrap_or_default().to_owned();
    let mut wanted = json!({name: draft.desired.terms().get(name).cloned().unwrap_or_else(|| json!([]))});
    fill_defaults(&mut wanted);
    let pairs = list(&draft.desired.written, name).zip(list(&wanted, name));
    for (written, tracker) in pairs {
        let path = format!("/{name}/{}", to_segment(&alias(tracker)));
        let found = list(&draft.observed.terms, name).find(|found| alias(found) == alias(tracker));
        let Some(found) = found else {
            if draft.change(&Change::added(path, tracker.clone()), Unit::Other) {
                draft.push("add_spend_trackers", Part::Terms(shape, written.clone()));
            }
            continue;
        };
        let mut counts = false;
        for change in diff(shape, tracker, found) {
            counts |= draft.change(&Change { path: format!("{path}{}", change.path), ..change }, Unit::Other);
        }
        if counts {
            draft.push("archive_spend_trackers", Part::text(alias(found)));
            draft.push_later("add_spend_trackers", Part::Terms(shape, written.clone()));
        }
    }
    for found in list(&draft.observed.terms, name) {
        let alias = alias(found);
        if list(&wanted, name).any(|tracker| text(tracker, "alias") == Some(&alias)) {
            continue;
        }
        let change = Change::removed(format!("/{name}/{}", to_segment(&alias)), found.clone());
        let place = format!("{name}/{alias}");
        if draft.recorded(&place).is_none() && draft.recorded.set.get(&place).is_none() {
            // A tracker tells of no time.
            report_foreign(draft, name, &ApiId::default(), &change);
        } else if draft.change(&change, Unit::Other) {
            draft.push("archive_spend_trackers", Part::text(alias));
        }
    }
}
