//! A create: one call with everything in it, or, from a package, with what the API takes beside one.

use serde_json::{Map, Value, json};

use super::{
    CREATE_CONTRACT, CUSTOM_FIELDS, Desired, ITEM_KEY, balances, effect, list,
    lists::{LISTS, list_names},
    money, schedule,
    tables::{PAYMENT_GATE, REFERRING},
    text,
};
use crate::{
    plan::{Call, CallKind, Change, Decision, Plan, Policy, Recorded, Refusal},
    terms::metronome::CONTRACT,
};

/// Members that a create from a package takes; the rest follows as an edit.
pub(super) const BESIDE_A_PACKAGE: [&str; 7] =
    ["customerId", CUSTOM_FIELDS, "packageAlias", "packageId", "startingAt", "transition", "uniquenessKey"];

/// Plans a contract where there is none.
pub(super) fn plan(desired: &Desired, recorded: &Recorded, policy: &Policy, applied: bool) -> Decision {
    let usd = money::Unit::Usd.data();
    let change = Change::new_contract(desired.canonical.clone()).counted_in(None, usd.as_ref());
    let effect = effect::of_create(desired);
    let calls = match create(desired) {
        Ok(call) => vec![call],
        Err(refusal) => return Decision::Refuse(refusal),
    };
    Plan::new(&Value::Null, &desired.canonical, vec![change], effect, calls).under(policy, recorded, applied)
}

/// Whether somebody approved the create that an edit belongs to: what a contract from a package says beside the package,
/// and what else the create does not take, was shown with the create, and follows it because the API takes it no other way.
pub(super) fn is_approved(desired: &Desired, recorded: &Recorded, policy: &Policy) -> bool {
    if recorded.applied_spec.is_some() || recorded.applied_plan.is_some() {
        return false;
    }
    // The customer was not on record before the create, unless the spec was planned before.
    let before = Recorded { customer_id: None, ..recorded.clone() };
    [recorded, &before].into_iter().any(|recorded| match plan(desired, recorded, policy, false) {
        Decision::Write(plan) => plan.consent.given.is_some(),
        _ => false,
    })
}

fn create(desired: &Desired) -> Result<Call, Refusal> {
    let mut terms = desired.written.clone();
    stamp_items(desired, &mut terms);
    schedule::as_sent(&mut terms);
    withhold(&mut terms);
    if let Some(members) = terms.as_object_mut() {
        members.insert("uniquenessKey".to_owned(), json!(desired.key().as_str()));
        let fields = contract_fields(desired, members.get(CUSTOM_FIELDS));
        if !fields.is_empty() {
            members.insert(CUSTOM_FIELDS.to_owned(), fields.into());
        }
        if desired.has_package() {
            members.retain(|name, _| BESIDE_A_PACKAGE.contains(&name.as_str()));
        }
    }
    Call::new(CallKind::Create, CREATE_CONTRACT, &CONTRACT.wire(&terms), desired.create_fingerprint())
}

/// How many items of each list a create makes.
pub(super) fn counts(desired: &Desired) -> Vec<(&'static str, usize)> {
    if desired.has_package() {
        return Vec::new();
    }
    let mut terms = desired.written.clone();
    withhold(&mut terms);
    list_names().map(|name| (name, list(&terms, name).count())).collect()
}

/// Whether a commit waits for a payment, which a create does not take: whether the API drops that or refuses it, the balance
/// could be used before it is paid for.
fn is_withheld(commit: &Value) -> bool {
    commit.get(PAYMENT_GATE).is_some()
}

/// Takes out what follows a create: the customer's balances, commits that wait for a payment, and overrides for them.
pub(super) fn withhold(terms: &mut Value) {
    let withheld = list(terms, "commits").filter(|commit| is_withheld(commit));
    let names: Vec<_> =
        withheld.filter_map(|commit| text(commit, "temporaryId")).map(str::to_owned).collect();
    let (mut own, _) = balances::apart(terms);
    let mut retain = |name: &str, keeps: &dyn Fn(&Value) -> bool| {
        if let Some(items) = own.get_mut(name).and_then(Value::as_array_mut) {
            items.retain(keeps);
        }
    };
    retain("commits", &|commit| !is_withheld(commit));
    retain("overrides", &|item| !names.iter().any(|name| refers_to(item, name)));
    *terms = own;
}

/// Whether something refers to an item by its temporary id.
fn refers_to(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(member, value)| match value {
            Value::Array(ids) if REFERRING.contains(&member.as_str()) => ids.iter().any(|id| id == name),
            value => refers_to(value, name),
        }),
        Value::Array(items) => items.iter().any(|item| refers_to(item, name)),
        _ => false,
    }
}

/// The custom fields of the contract: the spec's, the stamp and its notes.
pub(super) fn contract_fields(desired: &Desired, own: Option<&Value>) -> Map<String, Value> {
    let mut fields = own.and_then(Value::as_object).cloned().unwrap_or_default();
    let stamp = desired.resolved.stamp.iter().flat_map(|stamp| stamp.fields.iter().chain(&stamp.notes));
    fields.extend(stamp.map(|(name, value)| (name.clone(), json!(value))));
    fields
}

/// Puts the key of each item on it, where contracts are stamped and the item can have custom fields.
pub(super) fn stamp_items(desired: &Desired, terms: &mut Value) {
    for list in LISTS.iter().filter(|list| list.entity.is_some()) {
        let items = terms.get_mut(list.name).and_then(Value::as_array_mut).into_iter().flatten();
        items.for_each(|item| stamp_item(desired, item));
    }
}

/// Puts the key of an item on it, where contracts are stamped.
pub(super) fn stamp_item(desired: &Desired, item: &mut Value) {
    let key = item.get("key").cloned();
    if let (true, Some(key), Some(members)) = (desired.resolved.stamp.is_some(), key, item.as_object_mut()) {
        let fields = members.entry(CUSTOM_FIELDS).or_insert_with(|| json!({}));
        if let Some(fields) = fields.as_object_mut() {
            fields.insert(ITEM_KEY.to_owned(), key);
        }
    }
}
