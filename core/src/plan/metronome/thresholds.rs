//! Thresholds: added once, changed afterwards, never removed. One that the API turned off stays off.

use serde_json::{Value, json};

use super::{
    Desired, ObservedContract,
    draft::Draft,
    immutable::Remedy,
    leaving,
    lists::shape_at,
    matching::unnamed_usage,
    money::{Unit, unit_at, units_at},
    notes::IS_ENABLED_FIELD,
    part::{Members, Part, insert},
    tables::IS_ENABLED,
};
use crate::{
    plan::{
        Change, Recorded,
        diff::{covers, diff},
    },
    terms::metronome::CONTRACT,
};

/// A threshold of the contract, its verbs, and the places that an update has one by one.
pub(super) struct Threshold {
    pub name: &'static str,
    add: &'static str,
    update: &'static str,
    pub places: &'static [(&'static str, &'static [&'static str])],
}

pub(super) const THRESHOLDS: [Threshold; 2] = [
    Threshold {
        name: "spendThresholdConfiguration",
        add: "add_spend_threshold_configuration",
        update: "update_spend_threshold_configuration",
        places: &[
            ("/commit/description", &["commit", "description"]),
            ("/commit/name", &["commit", "name"]),
            ("/commit/priority", &["commit", "priority"]),
            ("/commit/productId", &["commit", "product_id"]),
            ("/discountConfiguration", &["discount_configuration"]),
            ("/isEnabled", &["is_enabled"]),
            ("/paymentGateConfig", &["payment_gate_config"]),
            ("/thresholdAmount", &["threshold_amount"]),
        ],
    },
    Threshold {
        name: "prepaidBalanceThresholdConfiguration",
        add: "add_prepaid_balance_threshold_configuration",
        update: "update_prepaid_balance_threshold_configuration",
        places: &[
            ("/commit/applicableProductIds", &["commit", "applicable_product_ids"]),
            ("/commit/applicableProductTags", &["commit", "applicable_product_tags"]),
            ("/commit/description", &["commit", "description"]),
            ("/commit/duration", &["commit", "duration"]),
            ("/commit/name", &["commit", "name"]),
            ("/commit/priority", &["commit", "priority"]),
            ("/commit/productId", &["commit", "product_id"]),
            ("/commit/rateType", &["commit", "rate_type"]),
            ("/commit/rolloverFraction", &["commit", "rollover_fraction"]),
            ("/commit/specifiers", &["commit", "specifiers"]),
            ("/customCreditTypeId", &["custom_credit_type_id"]),
            ("/discountConfiguration", &["discount_configuration"]),
            ("/isEnabled", &["is_enabled"]),
            ("/paymentGateConfig", &["payment_gate_config"]),
            ("/rechargeToAmount", &["recharge_to_amount"]),
            ("/thresholdAmount", &["threshold_amount"]),
            ("/thresholdBalanceSpecifiers", &["threshold_balance_specifiers"]),
        ],
    },
];

impl Threshold {
    /// The verbs of an edit that set it.
    pub(super) fn verbs(&self) -> [&'static str; 2] {
        [self.add, self.update]
    }

    /// Whether it is watched, though the spec has none.
    fn is_left(&self, desired: &Desired, observed: &ObservedContract) -> bool {
        let is_on = || observed.terms.pointer(&format!("/{}", enabled_path(self.name))) == Some(&json!(true));
        desired.terms().get(self.name).is_none() && is_on()
    }
}

/// Whether the contract has one that neither the spec nor the record explains.
pub(super) fn any_unexplained(desired: &Desired, observed: &ObservedContract, recorded: &Recorded) -> bool {
    let is_known = |threshold: &Threshold| recorded.items.contains_key(&enabled_path(threshold.name));
    THRESHOLDS.iter().any(|threshold| threshold.is_left(desired, observed) && !is_known(threshold))
}

/// Path under which it is recorded whether a threshold was last watched.
pub(super) fn enabled_path(name: &str) -> String {
    format!("{name}{IS_ENABLED}")
}

/// Whether terms have a threshold watched; nothing where they do not say.
pub(super) fn is_enabled(terms: &Value, name: &str) -> Option<bool> {
    terms.get(name)?.get(IS_ENABLED_FIELD)?.as_bool()
}

/// Compares both thresholds.
pub(super) fn compare(draft: &mut Draft<'_>) {
    let left = leaving::of_contract(draft.desired, draft.observed, &draft.known);
    for threshold in &THRESHOLDS {
        let wanted = draft.desired.terms().get(threshold.name).zip(draft.desired.written.get(threshold.name));
        match (wanted, draft.observed.terms.get(threshold.name)) {
            (Some((wanted, written)), Some(found)) => {
                let left = left.iter().filter_map(|change| {
                    let path = change.path.strip_prefix('/')?.strip_prefix(threshold.name)?.to_owned();
                    Some(Change { path, ..change.clone() })
                });
                update(draft, threshold, wanted, written, found, left.collect());
            }
            (Some((wanted, written)), None) => add(draft, threshold, wanted, written),
            (None, _) => turn_off(draft, threshold, &left),
        }
    }
}

/// Turns a threshold off that left the spec.
fn turn_off(draft: &mut Draft<'_>, threshold: &Threshold, left: &[Change]) {
    let path = format!("/{}", enabled_path(threshold.name));
    let is_ours = threshold.is_left(draft.desired, draft.observed)
        && draft.observed.has_own_threshold(draft.desired, draft.recorded, threshold.name);
    // What the resource has set and left before it came on record charges the customer all the same.
    let unrecorded = || is_ours.then(|| Change::new(&path, Some(json!(true)), Some(json!(false))));
    if let Some(change) = left.iter().find(|change| change.path == path).cloned().or_else(unrecorded)
        && draft.change(&change, Unit::Other)
    {
        let off = Part::Terms(shape_at(&CONTRACT, &path), false.into());
        draft.set(threshold.update, Part::object([("is_enabled", off)]));
    }
}

fn add(draft: &mut Draft<'_>, threshold: &Threshold, wanted: &Value, written: &Value) {
    let path = format!("/{}", threshold.name);
    if draft.change(&Change::added(path.clone(), wanted.clone()), unit_at(written, "")) {
        draft.set(threshold.add, Part::Terms(shape_at(&CONTRACT, &path), written.clone()));
    }
}

fn update(
    draft: &mut Draft<'_>,
    threshold: &Threshold,
    wanted: &Value,
    written: &Value,
    found: &Value,
    left: Vec<Change>,
) {
    let shape = shape_at(&CONTRACT, &format!("/{}", threshold.name));
    let mut changes = diff(shape, wanted, found);
    if let (Some(wanted), Some(found)) = (wanted.get("commit"), found.get("commit")) {
        let usage = unnamed_usage_of_commit(threshold, wanted, found);
        changes.extend(usage);
    }
    for change in left {
        if changes.iter().all(|found| found.path != change.path) {
            changes.push(change);
        }
    }
    let (of_unit, mut amounts) = ("/customCreditTypeId", vec!["/rechargeToAmount", "/thresholdAmount"]);
    if changes.iter().any(|change| change.path == of_unit) {
        // The same number of another unit is another amount, and is shown and written as one.
        amounts.retain(|place| changes.iter().all(|change| change.path != *place));
        changes.extend(amounts.into_iter().filter_map(|place| {
            Some(Change::new(
                place,
                Some(found.pointer(place)?.clone()),
                Some(wanted.pointer(place)?.clone()),
            ))
        }));
    }
    let mut update = Members::new();
    for change in &changes {
        let whole = Change { path: format!("/{}{}", threshold.name, change.path), ..change.clone() };
        let unit = units_at(found, wanted, &change.path);
        // To turn it on again by itself would charge a customer whose payment has just failed.
        if change.path == IS_ENABLED && change.to == Some(json!(true)) && !was_turned_on(draft, threshold) {
            draft.report(&whole, unit);
            continue;
        }
        let Some((place, names)) = threshold.places.iter().find(|(place, _)| covers(place, &change.path))
        else {
            continue;
        };
        if !leaving::can_leave(place, written, change) {
            draft.reject(&whole, unit, Remedy::Say);
            continue;
        }
        if draft.change(&whole, unit) {
            let part = match leaving::sent(place, written, &changes) {
                Some(value) => Part::Terms(shape_at(shape, place), value),
                None => Part::Null,
            };
            insert(&mut update, names, part);
        }
    }
    if !update.is_empty() {
        draft.set(threshold.update, Part::Object(update));
    }
}

/// Usage that the commit of a recharge names although the spec does not.
fn unnamed_usage_of_commit(threshold: &Threshold, wanted: &Value, found: &Value) -> Vec<Change> {
    let has_usage = threshold.places.iter().any(|(place, _)| *place == "/commit/specifiers");
    let usage = if has_usage { unnamed_usage("commits", wanted, found) } else { Vec::new() };
    usage.into_iter().map(|change| Change { path: format!("/commit{}", change.path), ..change }).collect()
}

/// Whether a write of this resource that nobody heard of has made it watched, or not, as it is.
pub(super) fn is_unheard(recorded: &Recorded, name: &str) -> bool {
    recorded.set.get(name).is_some_and(|set| set.contains(IS_ENABLED_FIELD))
}

/// Whether it is the spec that turns the threshold on: it said off when it was last in force. Otherwise the API turned
/// it off, after a payment that failed.
fn was_turned_on(draft: &Draft<'_>, threshold: &Threshold) -> bool {
    is_unheard(draft.recorded, threshold.name)
        || draft
            .recorded(&enabled_path(threshold.name))
            .map_or_else(|| draft.overrides(), |recorded| recorded == "false")
}
