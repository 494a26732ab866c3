//! What leaves the spec: each field that the spec had set and no longer says is cleared, set to what it means when it is
//! left out, or refused by name.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::{
    CUSTOM_FIELDS, Desired, ObservedContract,
    defaults::{DEFAULTS, fill_defaults},
    lists::{LISTS, List, item_shape},
    matching::Wanted,
    observed::{Item, ROYALTIES, royalty_id},
    schedule,
    tables::{APART, CLEARABLE, IS_ENABLED, KEYLESS, REMEMBERED, THRESHOLD_NAMES, UNSEEN},
    text,
};
use crate::{
    plan::{
        Change, Recorded, SetTerms,
        diff::{covers, diff},
        three_way::{self, Fields, is_nothing, said},
    },
    terms::{Decimal, Digest, Shape, metronome::CONTRACT},
};

/// Fields of items, and of thresholds below their name, that an edit clears by null.
const NULLABLE: [&str; 17] = [
    "applicableContractIds",
    "applicableProductIds",
    "applicableProductTags",
    "commit/applicableProductIds",
    "commit/applicableProductTags",
    "commit/duration",
    "commit/rolloverFraction",
    "commit/specifiers",
    "customCreditTypeId",
    "discountConfiguration",
    "endingBefore",
    "netsuiteSalesOrderId",
    "proration/rounding",
    "prorationRounding",
    "rolloverFraction",
    "specifiers",
    "thresholdBalanceSpecifiers",
];
/// Fields below one that is sent as a whole which null clears there: to leave them out could mean to keep them.
const NULL_WITHIN: [&str; 3] =
    ["discountConfiguration/cap", "prorationRounding/access", "prorationRounding/invoice"];
/// Fields of an item, besides those compared apart, that have records of their own or are compared by what they mean.
const COMPARED: [&str; 5] = [
    "invoiceSchedule/recurringSchedule",
    "invoiceSchedule/scheduleItems",
    "schedule/recurringSchedule",
    "schedule/scheduleItems",
    "seatConfig/initialUnassignedSeats",
];
/// Characters of a digest of a name.
const SHORT: usize = 12;
/// The list whose items go by an alias.
const TRACKERS: &str = "spendTrackers";
/// The key that the contract was created with, which the API tells in a form of its own.
const UNIQUENESS_KEY: &str = "uniquenessKey";
/// From when on a filter of usage applies. It is recorded with its value: a filter that was changed without a date applies
/// from another time, which the spec never said.
pub(super) const FILTER_START: &str = "usageFilter/startingAt";
/// Ways to say one thing: with the ID of a configuration, what else it says is the configuration's.
const BY_ID: [(&str, &str); 2] = [
    ("billingProviderConfiguration", "billingProviderConfiguration/billingProviderConfigurationId"),
    ("revenueSystemConfiguration", "revenueSystemConfiguration/revenueSystemConfigurationId"),
];

/// What the record says of the contract and of its items, these by their ids: a key may have changed since.
#[derive(Debug)]
pub(super) struct Known<'r> {
    set: &'r SetTerms,
    paths: HashMap<(&'r str, &'r str), &'r str>,
    custom_fields: HashMap<&'r str, Vec<&'r str>>,
    is_held: bool,
}

impl<'r> Known<'r> {
    pub(super) fn new(recorded: &'r Recorded, observed: &ObservedContract) -> Self {
        let items = recorded.items.iter().filter_map(|(path, id)| {
            let (list, key) = path.split_once('/')?;
            (!key.contains('/') && list != CUSTOM_FIELDS).then_some(((list, id.as_str()), path.as_str()))
        });
        let mut custom_fields: HashMap<&str, Vec<&str>> = HashMap::new();
        for (path, id) in recorded.items.iter().filter(|(_, id)| !id.is_empty()) {
            let name = path.split_once(CUSTOM_FIELDS).and_then(|(_, name)| name.strip_prefix('/'));
            if let Some(name) = name {
                custom_fields.entry(id).or_default().push(name);
            }
        }
        let is_held = observed.is_of(recorded);
        Self { set: &recorded.set, paths: items.collect(), custom_fields, is_held }
    }

    /// Names of the custom fields that were set on the thing with an id.
    pub(super) fn custom_fields(&self, id: &str) -> impl Iterator<Item = &'r str> {
        self.custom_fields.get(id).into_iter().flatten().copied()
    }

    /// Fields of the contract itself that were set.
    pub(super) fn of_contract(&self) -> Option<&'r Fields> {
        self.set.get("").filter(|_| self.is_held)
    }

    /// Fields of an item that were set, which the spec has under a key.
    pub(super) fn of_item(&self, list: &str, key: &str, item: Item<'_>) -> Option<&'r Fields> {
        let id = item.recorded_id();
        if let Some(path) = self.paths.get(&(list, &*id)) {
            return self.set.get(path);
        }
        // What a write that nobody heard of has made is known by its key alone, where nothing on record has that; what has no
        // key is known by its ID.
        let name = if KEYLESS.contains(&list) { &*id } else { key };
        let path = format!("{list}/{name}");
        self.set.get(&path).filter(|_| self.paths.values().all(|known| *known != path.as_str()))
    }
}

/// Whether a field of an item is compared or recorded in another way.
pub(super) fn is_apart(field: &str) -> bool {
    APART.contains(&field) || COMPARED.contains(&field)
}

/// The same of a field of the contract itself.
fn is_apart_in_contract(field: &str) -> bool {
    let names = ["customerAlias", "customerId", CUSTOM_FIELDS, "spendTrackers", UNIQUENESS_KEY, FILTER_START];
    let elsewhere = |place: &&str| place.strip_prefix('/') == Some(field);
    names.contains(&field)
        || CLEARABLE.iter().any(|(name, _)| *name == field)
        || LISTS.iter().any(|list| list.name == field)
        || KEYLESS.contains(&field)
        || REMEMBERED.iter().any(elsewhere)
        || UNSEEN.iter().any(elsewhere)
}

/// What a field means when it is left out; nothing where that is not known, or is nothing.
fn means(observed: &ObservedContract, list: &str, field: &str, wanted: &Value) -> Option<Value> {
    let place = if list.is_empty() { format!("/{field}") } else { format!("/{list}/*/{field}") };
    if let Some((_, default)) = DEFAULTS.iter().find(|(found, _)| *found == place) {
        return Some(default.parse::<bool>().map_or_else(|_| json!(default), Value::Bool));
    }
    let product =
        |place: &str| observed.product_names.get(wanted.pointer(place)?.as_str()?).map(|name| json!(name));
    match (list, field) {
        ("subscriptions", "name") => product("/subscriptionRate/productId"),
        (_, "name") => product("/productId"),
        ("commits" | "credits" | "customerCommits" | "customerCredits", "description") => Some(json!("")),
        ("", _) if field.ends_with("Configuration/commit/description") => Some(json!("")),
        ("", _) if field.ends_with("Configuration/commit/rateType") => Some(json!("LIST_RATE")),
        ("", _) => {
            let threshold = field.strip_suffix("/commit/name")?;
            product(&format!("/{threshold}/commit/productId"))
        }
        (_, "rateType") => Some(json!("LIST_RATE")),
        ("subscriptions", "startingAt") => Some(json!(observed.starting_at)),
        _ => None,
    }
}

/// Whether a value that billing has says no more than leaving the field out does.
fn says_no_more(
    observed: &ObservedContract,
    list: &str,
    field: &str,
    found: &Value,
    wanted: &Value,
    item: &Value,
) -> bool {
    let shape =
        field.split('/').fold(shape_of(list), |shape, name| shape.member(name).unwrap_or(&Shape::Any));
    if let Some(meant) = means(observed, list, field, wanted) {
        return diff(shape, &meant, found).is_empty() || (*found == json!("") && meant == json!(""));
    }
    match (list, field) {
        ("commits", "amount") => access_amount(item).is_some_and(|sum| is_number(found, sum)),
        ("commits" | "customerCommits", "invoiceSchedule") => schedule::items(found).is_empty(),
        ("recurringCommits", "invoiceAmount") => ["unitPrice", "quantity"]
            .iter()
            .any(|name| found.get(name).is_some_and(|found| is_number(found, Decimal::ZERO))),
        ("", "endingBefore") => false,
        (_, "endingBefore") => observed.ending_before.is_some_and(|end| *found == json!(end)),
        ("", name) if THRESHOLD_NAMES.contains(&name) => found.get("isEnabled") == Some(&json!(false)),
        _ => found.as_object().is_some_and(|members| {
            members.iter().all(|(name, value)| {
                is_nothing(value)
                    || says_no_more(observed, list, &format!("{field}/{name}"), value, wanted, item)
            })
        }),
    }
}

fn shape_of(list: &str) -> &'static Shape {
    if list.is_empty() { &CONTRACT } else { item_shape(list) }
}

fn is_number(value: &Value, number: Decimal) -> bool {
    let value = value.as_str().and_then(|digits| Decimal::from_wire(digits).ok());
    value.is_some_and(|value| value.agrees_with(number))
}

/// What the schedule of what may be used comes to, which a deprecated `amount` only repeats.
fn access_amount(item: &Value) -> Option<Decimal> {
    let items = schedule::items(item.get("accessSchedule")?);
    items.iter().map(schedule::amount).try_fold(Decimal::ZERO, |sum, amount| sum.checked_add(amount?))
}

/// Fields of a thing that were set, are not in the spec any more, and still say something in billing: each as a change to
/// what it means when it is left out, by its path in the thing.
fn left(
    observed: &ObservedContract,
    list: &str,
    set: Option<&Fields>,
    wanted: &Value,
    found: &Value,
) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let mut gone: Vec<String> = Vec::new();
    // What has others below it comes first, and stands for them.
    for field in set.into_iter().flatten() {
        let place = format!("/{field}");
        let is_dealt_with = gone.iter().any(|above| covers(above, &place));
        if is_dealt_with
            || (!list.is_empty() && is_apart(field))
            || said(wanted, field).is_some()
            || is_said_by_id(wanted, field)
        {
            continue;
        }
        gone.push(place.clone());
        let Some(from) = said(found, field) else { continue };
        if says_no_more(observed, list, field, from, wanted, found) {
            continue;
        }
        if (list, field.as_str()) == ("recurringCommits", "invoiceAmount") {
            // Nothing is invoiced when it is left out, and a price of 0 is how the API says that.
            changes.push(Change::new(
                format!("{place}/unitPrice"),
                from.get("unitPrice").cloned(),
                Some(json!("0")),
            ));
            continue;
        }
        if list.is_empty() && THRESHOLD_NAMES.contains(&field.as_str()) {
            // The API cannot remove a threshold; one that is turned off charges nobody.
            let place = format!("{place}{IS_ENABLED}");
            changes.push(Change::new(place, from.get("isEnabled").cloned(), Some(json!(false))));
            continue;
        }
        changes.push(Change::new(place, Some(from.clone()), means(observed, list, field, wanted)));
    }
    changes
}

/// Whether a member of a configuration left the spec for the ID that stands for all of it, or the other way round.
fn is_said_by_id(wanted: &Value, field: &str) -> bool {
    BY_ID.iter().any(|(configuration, id)| {
        field.strip_prefix(configuration).is_some_and(|rest| rest.starts_with('/'))
            && said(wanted, configuration).is_some()
            && (field == *id || said(wanted, id).is_some())
    })
}

/// What left an item with a key, besides its schedule of invoices.
pub(super) fn of_item(
    observed: &ObservedContract,
    known: &Known<'_>,
    list: &List,
    wanted: &Wanted,
    item: Item<'_>,
) -> Vec<Change> {
    let mut changes =
        left(observed, list.name, known.of_item(list.name, &wanted.key, item), &wanted.written, item.terms);
    changes.retain(|change| list.invoice.is_none_or(|invoice| change.path != format!("/{invoice}")));
    changes
}

/// Whether the schedule of invoices of an item left the spec, so that nothing is invoiced any more.
pub(super) fn is_free_of_charge(known: &Known<'_>, list: &List, wanted: &Wanted, item: Item<'_>) -> bool {
    let was_set =
        |invoice: &str| known.of_item(list.name, &wanted.key, item).is_some_and(|set| set.contains(invoice));
    list.invoice.is_some_and(|invoice| was_set(invoice) && wanted.written.get(invoice).is_none())
}

/// What left an item without a key, by the path that the spec's is recorded by.
pub(super) fn of_keyless(
    observed: &ObservedContract,
    known: &Known<'_>,
    path: &str,
    wanted: &Value,
    item: Item<'_>,
) -> Vec<Change> {
    let (list, key) = path.split_once('/').unwrap_or_default();
    left(observed, list, known.of_item(list, key, item), wanted, item.terms)
}

/// Members that an edit clears, which are compared by themselves.
fn is_clearable(field: &str) -> bool {
    CLEARABLE.iter().any(|(name, _)| *name == field)
}

/// Fields of the contract itself that a write is to set, each with a digest of its value, what a reply fills in included.
pub(super) fn to_set(desired: &Desired, observed: Option<&ObservedContract>) -> Vec<String> {
    let spec = desired.terms();
    let mut meant = spec.clone();
    fill_defaults(&mut meant);
    let is_apart = |field: &str| {
        let is_said = field.split('/').next().is_some_and(|name| spec.get(name).is_some());
        !is_said || (is_apart_in_contract(field) && !is_clearable(field))
    };
    let mut set = three_way::to_set(&CONTRACT, &meant, observed.map(|observed| &observed.terms), &is_apart);
    // A filter of usage is told with its start, whether the spec says one or not.
    if set.iter().any(|field| field.starts_with("usageFilter=")) {
        let parts = ["usageFilter/groupKey", "usageFilter/groupValues"].into_iter();
        set.extend(parts.filter_map(|part| Some(three_way::with_digest(part, said(spec, part)?))));
    }
    set
}

/// An item without an id.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Nameless {
    /// How a write that adds it notes it: by digests of what it goes by and of what else makes it the same one.
    note: String,
    /// Where it is on record.
    pub path: String,
    /// What it goes by on record.
    pub id: String,
}

/// Spend trackers and royalties.
pub(super) fn nameless(terms: &Value) -> impl Iterator<Item = Nameless> {
    let trackers = super::list(terms, TRACKERS).map(|tracker| {
        let id = text(tracker, "alias").unwrap_or_default().to_owned();
        let rest = json!(["creditTypeId", "resetFrequency"].map(|name| tracker.get(name)));
        let note = three_way::with_digest(&format!("{TRACKERS}/{}", short(&id)), &rest);
        Nameless { note, path: format!("{TRACKERS}/{id}"), id }
    });
    let royalties = super::list(terms, ROYALTIES).map(|royalty| {
        let id = royalty_id(royalty);
        let path = royalty_path(&id);
        let note = three_way::with_digest(&path, &json!(royalty.get("fraction")));
        Nameless { note, path, id }
    });
    trackers.chain(royalties)
}

fn short(text: &str) -> String {
    Digest::of(&json!(text)).as_str().chars().take(SHORT).collect()
}

/// Where a royalty is on record of which only is known that a write has added it.
pub(super) fn royalty_path(id: &str) -> String {
    format!("{ROYALTIES}/{}", short(id))
}

/// Spend trackers and royalties that a write is to add, as it notes them.
pub(super) fn to_add(desired: &Desired, observed: Option<&ObservedContract>) -> Vec<String> {
    let there: HashSet<_> = observed.iter().flat_map(|observed| nameless(&observed.terms)).collect();
    nameless(desired.terms()).filter(|item| !there.contains(item)).map(|item| item.note).collect()
}

/// Those that writes without a reply have added, as is observed: the paths by which they would be on record.
pub(super) fn added<'s>(
    sets: impl Iterator<Item = &'s String>,
    observed: &ObservedContract,
) -> impl Iterator<Item = String> {
    let noted: HashSet<&String> = sets.collect();
    nameless(&observed.terms).filter(move |item| noted.contains(&item.note)).map(|item| item.path)
}

/// What left the contract itself: its members, or those of one of its thresholds.
pub(super) fn of_contract(desired: &Desired, observed: &ObservedContract, known: &Known<'_>) -> Vec<Change> {
    let mut changes = left(observed, "", known.of_contract(), &desired.written, &observed.terms);
    changes.retain(|change| !is_clearable(change.path.trim_start_matches('/')));
    changes.retain(|change| {
        change.path.trim_start_matches('/') != UNIQUENESS_KEY || !has_key(desired, observed)
    });
    changes
}

/// Whether the contract has the key that the spec means, said or derived.
fn has_key(desired: &Desired, observed: &ObservedContract) -> bool {
    observed.uniqueness_key.as_deref().is_none_or(|key| desired.key().matches(key))
}

/// Whether an edit can bring about a change at a place that the spec no longer has: it writes another value, or null.
pub(super) fn can_leave(place: &str, written: &Value, change: &Change) -> bool {
    let field = place.trim_start_matches('/');
    said(written, field).is_some() || change.to.is_some() || NULLABLE.contains(&field)
}

/// What is sent for a place: what the spec says there, with what left it below that place, or what it means to leave it
/// out; nothing when that is null.
pub(super) fn sent(place: &str, written: &Value, changes: &[Change]) -> Option<Value> {
    let Some(mut value) = written.pointer(place).cloned() else {
        return changes.iter().find(|change| change.path == place).and_then(|change| change.to.clone());
    };
    for change in changes {
        let path = change.path.as_str();
        let Some(below) = path.strip_prefix(place).filter(|below| below.starts_with('/')) else { continue };
        let is_null = change.to.is_none() && NULL_WITHIN.contains(&path.trim_start_matches('/'));
        if written.pointer(path).is_some() || !(is_null || change.to.is_some()) {
            continue;
        }
        let (parent, name) = below.rsplit_once('/').unwrap_or_default();
        if let Some(members) = value.pointer_mut(parent).and_then(Value::as_object_mut) {
            members.insert(name.to_owned(), change.to.clone().unwrap_or_default());
        }
    }
    Some(value)
}

/// What is to be on record of the contract itself.
pub(super) fn record_of_contract(
    desired: &Desired,
    observed: &ObservedContract,
    known: &Known<'_>,
) -> Fields {
    let remains = |field: &str, found: &Value| {
        !says_no_more(observed, "", field, found, &desired.written, &observed.terms)
            && !is_said_by_id(&desired.written, field)
    };
    let apart = &is_apart_in_contract;
    let before = known.of_contract();
    let mut set = three_way::in_force(&CONTRACT, &desired.written, &observed.terms, before, apart, &remains);
    let is_said = said(&desired.written, UNIQUENESS_KEY).is_some();
    set.retain(|field| field != UNIQUENESS_KEY || !has_key(desired, observed));
    if is_said && has_key(desired, observed) {
        set.insert(UNIQUENESS_KEY.to_owned());
    }
    set
}

/// What is to be on record of an item, which the spec has at a path.
pub(super) fn record_of_item(
    observed: &ObservedContract,
    known: &Known<'_>,
    path: &str,
    wanted: &Value,
    item: Item<'_>,
) -> Fields {
    let (list, key) = path.split_once('/').unwrap_or_default();
    let remains =
        |field: &str, found: &Value| !says_no_more(observed, list, field, found, wanted, item.terms);
    let before = known.of_item(list, key, item);
    let mut set = three_way::in_force(item_shape(list), wanted, item.terms, before, &is_apart, &remains);
    set.retain(|field| !is_apart(field));
    set
}
