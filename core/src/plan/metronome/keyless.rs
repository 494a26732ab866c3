//! Lists whose items have no key: matched by what they say. Overrides are removed and added, spend trackers archived and
//! added by their alias, and the rest can only be added to.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    CUSTOM_FIELDS, Desired, View,
    draft::Draft,
    fields,
    fixed::WayOut,
    list,
    lists::item_shape,
    matching::{Item, Matched, refer},
    money::{self, Unit, units_at},
    part::Part,
    read::{KEYLESS, fill_defaults, prune},
    schedule::{self, Difference, Kind},
    text,
};
use crate::{
    plan::{Change, Recorded, diff::diff},
    terms::{Decimal, Digest},
};

/// Characters of a digest that an item is recorded by.
const SHORT: usize = 12;
/// Members of an override that say what it does and to what: what is left out of them is not there.
const ESSENCE: [&str; 6] =
    ["applicableProductTags", "multiplier", "overrideSpecifiers", "overwriteRate", "productId", "tiers"];
/// Places of an override that hold tiers.
const TIERS: [&str; 2] = ["/overwriteRate/tiers", "/tiers"];

/// An item of the spec.
pub(super) struct Wanted {
    /// What it is recorded by: its list and a digest of what it says.
    pub path: String,
    /// The item with the digits of the spec.
    pub written: Value,
    canonical: Value,
}

/// The items of one list, matched.
pub(super) struct Pairs<'v> {
    pub list: &'static str,
    pub wanted: Vec<(Wanted, Option<Item<'v>>)>,
    pub left: Vec<Item<'v>>,
}

/// Matches the items of every list without keys.
pub(super) fn matched<'v>(
    desired: &Desired,
    view: &'v View,
    recorded: &Recorded,
    references: &BTreeMap<String, String>,
) -> Vec<Pairs<'v>> {
    KEYLESS.into_iter().map(|name| pair(desired, view, recorded, references, name)).collect()
}

fn pair<'v>(
    desired: &Desired,
    view: &'v View,
    recorded: &Recorded,
    references: &BTreeMap<String, String>,
    name: &'static str,
) -> Pairs<'v> {
    let found: Vec<_> = view.items(name).collect();
    let mut taken = vec![false; found.len()];
    let mut wanted: Vec<(Wanted, Option<Item<'v>>)> = Vec::new();
    for (written, canonical) in list(&desired.written, name).zip(list(&desired.canonical, name)) {
        let digest = Digest::of(canonical);
        let short: String = digest.as_str().chars().take(SHORT).collect();
        let path = format!("{name}/{short}");
        let twins = wanted.iter().filter(|(other, _)| other.path.starts_with(&path)).count();
        let path = if twins == 0 { path } else { format!("{path}-{}", twins + 1) };
        let (mut written, mut canonical) = (written.clone(), canonical.clone());
        refer(&mut written, references);
        refer(&mut canonical, references);
        wanted.push((Wanted { path, written, canonical }, None));
    }
    for by_record in [true, false] {
        for (wanted, partner) in wanted.iter_mut().filter(|(_, partner)| partner.is_none()) {
            let recorded = recorded.items.get(&wanted.path);
            let index = found.iter().zip(&taken).position(|(item, taken)| {
                let known = !by_record || recorded == Some(&item.ids.own);
                !taken && known && says_the_same(name, wanted, *item, view)
            });
            if let Some((slot, item)) =
                index.and_then(|index| Some((taken.get_mut(index)?, found.get(index)?)))
            {
                *slot = true;
                *partner = Some(*item);
            }
        }
    }
    let left = found.iter().zip(taken).filter(|(_, taken)| !taken).map(|(item, _)| *item).collect();
    Pairs { list: name, wanted, left }
}

/// Compares overrides, the lists that can only be added to, and spend trackers.
pub(super) fn compare(draft: &mut Draft<'_>, matched: &Matched<'_>) {
    for pairs in self::matched(draft.desired, draft.view, draft.recorded, &matched.references) {
        let list = pairs.list;
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
                &item.ids.own,
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

/// Whether an item of the contract was put there by the spec: it is recorded, or nothing is and it is the only one for
/// the same thing from the same time.
fn is_own(draft: &Draft<'_>, pairs: &Pairs<'_>, item: Item<'_>, alike: impl Fn(&Value) -> bool) -> bool {
    let prefix = format!("{}/", pairs.list);
    let recorded =
        draft.recorded.items.iter().any(|(path, id)| path.starts_with(&prefix) && *id == item.ids.own);
    let only = || {
        let added =
            pairs.wanted.iter().filter(|(wanted, item)| item.is_none() && alike(&wanted.canonical)).count();
        let left = pairs.left.iter().filter(|other| alike(other.terms)).count();
        (added, left) == (1, 1)
    };
    let unknown = draft.recorded.items.is_empty() && !draft.desired.has_package();
    (recorded && !item.ids.own.is_empty()) || (unknown && only())
}

fn compare_overrides(draft: &mut Draft<'_>, pairs: &Pairs<'_>) {
    for (wanted, _) in pairs.wanted.iter().filter(|(_, item)| item.is_none()) {
        let change = Change::new(format!("/{}", wanted.path), None, Some(wanted.canonical.clone()));
        if draft.change(&change, Unit::Usd) {
            draft.push("add_overrides", Part::Terms(item_shape(pairs.list), wanted.written.clone()));
        }
    }
    for item in &pairs.left {
        let target = |terms: &Value| (selectors(terms), terms.get("startingAt").cloned());
        let same_target = |terms: &Value| target(terms) == target(item.terms);
        let change = Change::new(format!("/{}/{}", pairs.list, item.ids.own), Some(item.terms.clone()), None);
        if is_own(draft, pairs, *item, same_target) {
            if draft.change(&change, Unit::Usd) {
                draft.push("remove_overrides", Part::object([("id", Part::text(&item.ids.own))]));
            }
        } else {
            report_foreign(draft, pairs.list, &change);
        }
    }
}

/// Reports what somebody else put into a list that the spec has.
fn report_foreign(draft: &mut Draft<'_>, list: &str, change: &Change) {
    if draft.desired.terms().get(list).is_some() && !draft.desired.has_package() {
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
    let subject = |terms: &Value| (terms.get("productId").cloned(), terms.get("resellerType").cloned());
    let mut own = Vec::new();
    for item in &pairs.left {
        let same_subject = |terms: &Value| subject(terms) == subject(item.terms);
        if is_own(draft, pairs, *item, same_subject) || is_recorded_royalty(draft, pairs, *item) {
            own.push(*item);
        } else {
            let path = format!("/{}/{}", pairs.list, item.ids.own);
            report_foreign(draft, pairs.list, &Change::removed(path, item.terms.clone()));
        }
    }
    let added: Vec<_> = pairs.wanted.iter().filter(|(_, item)| item.is_none()).collect();
    let one_for_one = own.len() == 1 && added.len() == 1;
    for (wanted, _) in added {
        let path = format!("/{}", wanted.path);
        let takes_place = |item: &Item<'_>| one_for_one || subject(item.terms) == subject(&wanted.canonical);
        let before = own.iter().position(takes_place);
        if let Some(item) = before.map(|index| own.remove(index)) {
            for change in unlike(pairs.list, wanted, item, draft.view) {
                let whole = Change { path: format!("{path}{}", change.path), ..change.clone() };
                draft.fix(&whole, units_at(item.terms, &wanted.canonical, &change.path), WayOut::Restore);
            }
            continue;
        }
        let change = Change::added(path, wanted.canonical.clone());
        if draft.change(&change, Unit::Usd) {
            draft.push(verb, Part::Terms(item_shape(pairs.list), wanted.written.clone()));
        }
    }
    for item in own {
        let path = format!("/{}", pairs.list);
        draft.fix(&Change::removed(path, item.terms.clone()), Unit::Usd, WayOut::Restore);
    }
}

/// Whether a royalty, which has no id, is one that the spec had: it is recorded by what it said.
fn is_recorded_royalty(draft: &Draft<'_>, pairs: &Pairs<'_>, item: Item<'_>) -> bool {
    pairs.list == "resellerRoyalties"
        && draft.recorded.items.values().any(|recorded| *recorded == royalty_id(item.terms))
}

/// What stands for the id of a royalty.
pub(super) fn royalty_id(terms: &Value) -> String {
    let parts = ["resellerType", "netsuiteResellerId", "startingAt"]
        .map(|name| text(terms, name).unwrap_or_default());
    parts.join(" ")
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
        let path = format!("/{name}/{}", alias(tracker));
        let found = list(&draft.view.terms, name).find(|found| alias(found) == alias(tracker));
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
    for found in list(&draft.view.terms, name) {
        let alias = alias(found);
        if list(&wanted, name).any(|tracker| text(tracker, "alias") == Some(&alias)) {
            continue;
        }
        let change = Change::new(format!("/{name}/{alias}"), Some(found.clone()), None);
        if draft.recorded(&format!("{name}/{alias}")).is_none() {
            report_foreign(draft, name, &change);
        } else if draft.change(&change, Unit::Other) {
            draft.push("archive_spend_trackers", Part::text(alias));
        }
    }
}

/// Whether an item of the contract says what one of the spec does.
fn says_the_same(name: &str, wanted: &Wanted, item: Item<'_>, view: &View) -> bool {
    unlike(name, wanted, item, view).is_empty() && (name != "overrides" || has_same_essence(wanted, item))
}

/// What is unlike between an item of the spec and one of the contract; of an override, besides its essence.
fn unlike(name: &str, wanted: &Wanted, item: Item<'_>, view: &View) -> Vec<Change> {
    let mut rest = wanted.canonical.clone();
    let Some(members) = rest.as_object_mut() else { return Vec::new() };
    members.remove(CUSTOM_FIELDS);
    let mut changes = Vec::new();
    let ends = text(item.terms, "endingBefore");
    let ends_with_contract = ends == view.ending_before.map(|end| end.to_string()).as_deref();
    if !members.contains_key("endingBefore") && ends.is_some() && !ends_with_contract {
        changes.push(Change::new("/endingBefore".to_owned(), ends.map(Value::from), None));
    }
    if name == "overrides" {
        members.retain(|name, _| !ESSENCE.contains(&name.as_str()));
    }
    if let (true, Some(schedule)) = (name == "discounts", members.get_mut("schedule")) {
        let (found, ids) = (item.terms.get("schedule"), &item.ids.invoice);
        let differences = schedule::differences(Kind::Invoice, schedule, found, ids).into_iter();
        changes.extend(
            differences.map(|Difference { change, .. }| Change {
                path: format!("/schedule{}", change.path),
                ..change
            }),
        );
        if let Some(members) = schedule.as_object_mut() {
            members.retain(|name, _| !matches!(name.as_str(), "recurringSchedule" | "scheduleItems"));
        }
    }
    changes.extend(diff(item_shape(name), &rest, item.terms));
    changes
}

/// Whether two overrides do the same to the same.
fn has_same_essence(wanted: &Wanted, item: Item<'_>) -> bool {
    let shape = item_shape("overrides");
    let (wanted, found) = (wanted.canonical.clone(), item.terms.clone());
    let same_tiers = TIERS.iter().all(|place| same_tiers(wanted.pointer(place), found.pointer(place)));
    let (wanted, found) = (essence(wanted), essence(found));
    same_tiers && diff(shape, &wanted, &found).is_empty() && diff(shape, &found, &wanted).is_empty()
}

/// What an override does and to what, without its tiers, whose order matters.
fn essence(mut terms: Value) -> Value {
    let specifiers = selectors(&terms);
    let Some(members) = terms.as_object_mut() else { return terms };
    members.insert("overrideSpecifiers".to_owned(), specifiers);
    members.retain(|name, _| ESSENCE.contains(&name.as_str()) && name != "productId" && name != "tiers");
    if let Some(rate) = members.get_mut("overwriteRate").and_then(Value::as_object_mut) {
        rate.remove("tiers");
        rate.entry("creditTypeId").or_insert_with(|| money::USD_CENTS.into());
    }
    prune(&mut terms);
    terms
}

/// What an override applies to. A product by itself is a specifier that names it.
fn selectors(terms: &Value) -> Value {
    let mut specifiers: Vec<Value> = list(terms, "overrideSpecifiers").cloned().collect();
    specifiers.extend(terms.get("productId").map(|product| json!({"productId": product})));
    specifiers.sort_by_key(ToString::to_string);
    specifiers.into()
}

/// Whether two lists of tiers are the same, one after the other.
fn same_tiers(wanted: Option<&Value>, found: Option<&Value>) -> bool {
    let tiers = |tiers: Option<&Value>| tiers.and_then(Value::as_array).cloned().unwrap_or_default();
    let (wanted, found) = (tiers(wanted), tiers(found));
    let same = |a: &Value, b: &Value, name: &str| match (text(a, name), text(b, name)) {
        (Some(a), Some(b)) => {
            matches!((Decimal::from_wire(a), Decimal::from_wire(b)), (Ok(a), Ok(b)) if a.agrees_with(b))
        }
        (a, b) => a == b,
    };
    let pairs = || wanted.iter().zip(&found);
    wanted.len() == found.len()
        && pairs().all(|(a, b)| ["multiplier", "price", "size"].iter().all(|name| same(a, b, name)))
}
