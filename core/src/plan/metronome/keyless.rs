//! Lists whose items have no key: matched by what they say, since nothing else tells them apart. What becomes of them then is
//! in `compare`.

mod compare;
mod made;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};

pub(super) use self::compare::compare;
use super::{
    CUSTOM_FIELDS, Desired, ObservedContract,
    defaults::prune,
    leaving::{self, Known},
    likeness::{Likeness, question},
    list,
    lists::item_shape,
    matching::resolve_references,
    money, notes,
    observed::{Item, ROYALTIES},
    schedule::{self, Difference, Kind},
    tables::KEYLESS,
    text, words,
};
use crate::{
    plan::{
        Change, Recorded, USD_CENTS,
        diff::diff,
        pairing::{ANYTHING, Pairing, Traits},
    },
    terms::{Decimal, Digest},
};

/// Characters of a digest that an item is recorded by.
const SHORT: usize = 12;
/// Members of an override that say what it does and to what: what is left out of them is not there.
pub(super) const EFFECT: [&str; 6] =
    ["applicableProductTags", "multiplier", "overrideSpecifiers", "overwriteRate", "productId", "tiers"];
/// Members that are the same in items that say the same.
pub(super) const LOOKED_UP: [&str; 3] = ["startingAt", "productId", "resellerType"];
/// Places of an override that hold tiers.
pub(super) const TIERS: [&str; 2] = ["/overwriteRate/tiers", "/tiers"];

/// An item of the spec.
pub(super) struct Wanted {
    /// What it is recorded by: its list and a digest of what it says.
    pub path: String,
    /// The item with the digits of the spec.
    pub written: Value,
    /// The item in canonical form.
    pub canonical: Value,
}

/// The items of one list, matched.
pub(super) struct Pairs<'v> {
    pub list: &'static str,
    pub wanted: Vec<(Wanted, Option<Item<'v>>)>,
    pub left: Vec<Item<'v>>,
    /// What could not be told, as sentences.
    pub ambiguous: Vec<String>,
    likeness: Likeness,
    /// For each subject, how many items are yet to be added, and how many are left of the contract's.
    subjects: BTreeMap<Traits, (usize, usize)>,
}

impl Pairs<'_> {
    /// Whether an item that is left and one that is yet to be added are the only ones of their subject.
    fn is_only(&self, item: Item<'_>) -> bool {
        self.subjects.get(&subject(self.list, item.terms)) == Some(&(1, 1))
    }
}

/// Matches the items of every list without keys.
pub(super) fn matched<'v>(
    desired: &Desired,
    observed: &'v ObservedContract,
    recorded: &Recorded,
    references: &BTreeMap<String, String>,
) -> Vec<Pairs<'v>> {
    let known = Known::new(recorded, observed);
    KEYLESS.into_iter().map(|name| pair(desired, observed, recorded, &known, references, name)).collect()
}

/// The items of a list of the spec.
pub(super) fn wanted(
    desired: &Desired,
    references: &BTreeMap<String, String>,
    name: &'static str,
) -> Vec<Wanted> {
    let mut twins: HashMap<String, usize> = HashMap::new();
    let pairs = list(&desired.written, name).zip(list(&desired.canonical, name));
    pairs
        .map(|(written, canonical)| {
            let digest = Digest::of(canonical);
            let short: String = digest.as_str().chars().take(SHORT).collect();
            let path = format!("{name}/{short}");
            let twin = twins.entry(short).or_default();
            *twin += 1;
            let path = if *twin == 1 { path } else { format!("{path}-{twin}") };
            let (mut written, mut canonical) = (written.clone(), canonical.clone());
            resolve_references(&mut written, references);
            resolve_references(&mut canonical, references);
            Wanted { path, written, canonical }
        })
        .collect()
}

fn pair<'v>(
    desired: &Desired,
    observed: &'v ObservedContract,
    recorded: &Recorded,
    known: &Known<'_>,
    references: &BTreeMap<String, String>,
    name: &'static str,
) -> Pairs<'v> {
    let found: Vec<_> = observed.items(name).collect();
    let wanted = wanted(desired, references, name);
    let says_the_same = |wanted: &Wanted, item: &Item<'_>| {
        says_the_same(name, wanted, *item, observed)
            && leaving::of_keyless(observed, known, &wanted.path, &wanted.written, *item).is_empty()
    };
    let mut pairing = Pairing::new(&wanted, &found);
    // By the record first: what was added once must never be added again, whatever it says by now. And of two that say the
    // same, the one of others must stay when ours leaves the spec.
    pairing.by_key(
        |wanted| recorded.items.get(&wanted.path).map(String::as_str),
        |item| Some(item.ids.own.as_str()).filter(|id| !id.is_empty()),
    );
    pairing.first_fit(
        |wanted| Some(traits(name, &wanted.canonical)),
        |item| traits(name, item.terms),
        says_the_same,
    );
    // What an edit of this resource has added and nobody has recorded, as its reply was lost.
    let known: HashSet<_> = recorded.items.values().map(String::as_str).collect();
    let is_ours = |item: &Item<'_>| observed.is_ours_in(name, *item) && !known.contains(&*item.recorded_id());
    // Of one that such an edit did not add nothing can have been made: what is there was made for another one.
    let may_be_ours = |wanted: &&Wanted| name != "overrides" || !notes::was_not_added(recorded, &wanted.path);
    pairing.by_key(
        |wanted| Some(wanted).filter(may_be_ours).map(|wanted| subject(name, &wanted.canonical)),
        |item| is_ours(item).then(|| subject(name, item.terms)),
    );
    pairing.by_key(
        |wanted| {
            Some(wanted).filter(may_be_ours).map(|wanted| subject_without_words(name, &wanted.canonical))
        },
        |item| {
            (is_ours(item) && has_unknown_word(name, *item)).then(|| subject_without_words(name, item.terms))
        },
    );
    // What the resource's own create has made is its own, so that none is asked about and what left the spec is taken out.
    let likeness = match Likeness::of(desired, observed, recorded) {
        Likeness::Unknown if observed.came_with_own(desired, recorded, name) => Likeness::Other,
        likeness => likeness,
    };
    if likeness.is_made_from(desired, recorded) {
        made::pair(&mut pairing);
    }
    let mut subjects: BTreeMap<Traits, (usize, usize)> = BTreeMap::new();
    pairing
        .open()
        .for_each(|(_, wanted)| subjects.entry(subject(name, &wanted.canonical)).or_default().0 += 1);
    pairing.free().for_each(|(_, item)| subjects.entry(subject(name, item.terms)).or_default().1 += 1);
    let ambiguous = if likeness == Likeness::Unknown { questions(name, &pairing) } else { Vec::new() };
    let left = pairing.free().map(|(_, item)| *item).collect();
    let partners = pairing.into_partners();
    let item = |partner: Option<usize>| partner.and_then(|index| found.get(index)).copied();
    let wanted = wanted.into_iter().zip(partners).map(|(wanted, partner)| (wanted, item(partner))).collect();
    Pairs { list: name, wanted, left, ambiguous, likeness, subjects }
}

/// Which items of the spec could be one of those that are left, changed, as well as a new one.
fn questions(name: &str, pairing: &Pairing<'_, Wanted, Item<'_>>) -> Vec<String> {
    let alike = pairing.candidates(
        |wanted| rough_subject_of_wanted(name, &wanted.canonical),
        |item| rough_subject(name, item.terms),
        |_, _| Some(0),
    );
    let mut questions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for pair in alike {
        questions.entry(pair.position).or_default().push(pair.index);
    }
    let asked = pairing.open().filter_map(|(position, wanted)| Some((wanted, questions.get(&position)?)));
    let id = |index: usize| {
        pairing.free().find(|(found, _)| *found == index).map(|(_, item)| item.ids.own.as_str())
    };
    asked
        .map(|(wanted, items)| {
            question(&wanted.path, "item", items.iter().filter_map(|index| id(*index)), true)
        })
        .collect()
}

/// What an item is about: a thing of the same subject takes its place.
fn subject(list: &str, terms: &Value) -> Traits {
    let mut subject = traits(list, terms);
    if list != "overrides" {
        subject.remove("startingAt");
    }
    subject
}

/// What an item is about, whatever billing makes of the words for it: of an override, its kind and its start.
fn rough_subject(list: &str, terms: &Value) -> Traits {
    let said = |place| words::said(item_shape(list), place, terms);
    match list {
        "overrides" => {
            let start = text(terms, "startingAt").map(|start| ("startingAt", start.to_owned()));
            start.into_iter().chain([("type", said("/type"))]).collect()
        }
        ROYALTIES => Traits::from([("resellerType", said("/resellerType"))]),
        _ => subject(list, terms),
    }
}

/// The same of an item of the spec, which may leave its kind out.
fn rough_subject_of_wanted(list: &str, terms: &Value) -> Traits {
    let mut subject = rough_subject(list, terms);
    subject.retain(|_, said| said != ANYTHING);
    subject
}

/// What an item is about, but for its words.
fn subject_without_words(list: &str, terms: &Value) -> Traits {
    subject(list, &words::without(item_shape(list), terms))
}

/// Whether an item of the contract has a word that this version does not know: what it is about cannot be told by its words.
fn has_unknown_word(list: &str, item: Item<'_>) -> bool {
    words::has_unknown(item_shape(list), item.terms)
}

/// What an item is looked up by: what it is for, and from when.
fn traits(list: &str, terms: &Value) -> Traits {
    let mut traits = Traits::new();
    for name in LOOKED_UP {
        let is_selector = name == "productId" && list == "overrides";
        traits.extend(text(terms, name).filter(|_| !is_selector).map(|found| (name, found.to_owned())));
    }
    if list == "overrides" {
        let mut selectors = selectors(terms);
        prune(&mut selectors);
        traits.insert("selectors", unordered(&selectors));
    }
    traits
}

/// A value as text that is the same whatever the order and number of equal items in its lists.
fn unordered(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: BTreeSet<_> = items.iter().map(unordered).collect();
            format!("{items:?}")
        }
        Value::Object(members) => {
            let members: Vec<_> = members.iter().map(|(name, value)| (name, unordered(value))).collect();
            format!("{members:?}")
        }
        value => value.to_string(),
    }
}

/// Whether an item of the contract says what one of the spec does.
fn says_the_same(name: &str, wanted: &Wanted, item: Item<'_>, observed: &ObservedContract) -> bool {
    differences(name, wanted, item, observed).is_empty()
        && (name != "overrides" || has_same_effect(wanted, item))
}

/// Differences between an item of the spec and one of the contract; of an override, besides its effect.
fn differences(name: &str, wanted: &Wanted, item: Item<'_>, observed: &ObservedContract) -> Vec<Change> {
    let mut rest = wanted.canonical.clone();
    let Some(members) = rest.as_object_mut() else { return Vec::new() };
    members.remove(CUSTOM_FIELDS);
    let mut changes = Vec::new();
    let ends = text(item.terms, "endingBefore");
    let ends_with_contract = ends == observed.ending_before.map(|end| end.to_string()).as_deref();
    if !members.contains_key("endingBefore") && ends.is_some() && !ends_with_contract {
        changes.push(Change::new("/endingBefore".to_owned(), ends.map(Value::from), None));
    }
    if name == "overrides" {
        members.retain(|name, _| !EFFECT.contains(&name.as_str()));
    }
    if let (true, Some(schedule)) = (name == "discounts", members.get_mut("schedule")) {
        changes.extend(money::other_units(&["schedule"], &wanted.canonical, item.terms));
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
fn has_same_effect(wanted: &Wanted, item: Item<'_>) -> bool {
    effect_differences(wanted, item).is_empty()
}

/// What two overrides do otherwise, or to something else.
fn effect_differences(wanted: &Wanted, item: Item<'_>) -> Vec<Change> {
    let shape = item_shape("overrides");
    let (wanted, found) = (&wanted.canonical, item.terms);
    let tiers = TIERS.iter().filter(|place| !same_tiers(wanted.pointer(place), found.pointer(place)));
    let tiers =
        tiers.map(|place| Change::new(*place, found.pointer(place).cloned(), wanted.pointer(place).cloned()));
    let mut changes: Vec<_> = tiers.collect();
    let (wanted, found) = (effect(wanted.clone()), effect(found.clone()));
    changes.extend(diff(shape, &wanted, &found));
    let more = diff(shape, &found, &wanted).into_iter().filter(|change| change.from.is_none());
    changes.extend(more.map(|change| Change::new(change.path, change.to, None)));
    changes
}

/// What an override does and to what, without its tiers, whose order matters.
fn effect(mut terms: Value) -> Value {
    let specifiers = selectors(&terms);
    let Some(members) = terms.as_object_mut() else { return terms };
    members.insert("overrideSpecifiers".to_owned(), specifiers);
    members.retain(|name, _| EFFECT.contains(&name.as_str()) && name != "productId" && name != "tiers");
    if let Some(rate) = members.get_mut("overwriteRate").and_then(Value::as_object_mut) {
        rate.remove("tiers");
        rate.entry("creditTypeId").or_insert_with(|| USD_CENTS.into());
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
