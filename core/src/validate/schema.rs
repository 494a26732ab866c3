//! What the schema of a resource definition says, checked where no API server does it: files on the command line.
//!
//! Knows the keywords that our definitions use. CEL rules are not evaluated; the rules of `validate` say the same.

mod words;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use regex_lite::Regex;
use serde_json::{Map, Value};

use self::words::{SHOWN, expected, nothing, shown, unknown};
use super::{Violation, Violations};
use crate::terms::Timestamp;

/// Paths of members that a schema does not know, in a value that the API server took: what a newer definition has and this
/// version would leave out. One without a value says nothing.
#[must_use]
pub fn unknown_members(schema: &Value, name: &str, value: &Value) -> Vec<String> {
    let mut found = Violations::below("");
    find_unknown(schema, name, value, &mut found);
    found.list.into_iter().map(|violation| violation.path).collect()
}

fn find_unknown(schema: &Value, field: &str, value: &Value, found: &mut Violations) {
    match value {
        Value::Object(members) if schema.get("x-kubernetes-preserve-unknown-fields").is_none() => {
            let known = schema.get("properties").and_then(Value::as_object);
            let free = schema.get("additionalProperties");
            found.within(field, |found| {
                for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                    match known.and_then(|known| known.get(name)).or(free) {
                        Some(schema) => find_unknown(schema, name, value, found),
                        None => found.check(false, name, String::new),
                    }
                }
            });
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let place = place(schema, field, index, item);
                find_unknown(schema.get("items").unwrap_or(&Value::Null), &place, item, found);
            }
        }
        _ => {}
    }
}

/// A value without what its schema does not take: what is left of terms that this version cannot read. Nothing when the value
/// itself is not taken.
#[must_use]
pub fn pruned(schema: &Value, value: &Value) -> Option<Value> {
    match (text(schema, "type"), value) {
        (Some("object"), Value::Object(members)) => {
            let known = schema.get("properties").and_then(Value::as_object);
            let free = schema.get("additionalProperties");
            let member = |(name, value): (&String, &Value)| {
                let schema = known.and_then(|known| known.get(name)).or(free)?;
                Some((name.clone(), pruned(schema, value)?))
            };
            Some(Value::Object(members.iter().filter_map(member).collect()))
        }
        (Some("array"), Value::Array(items)) => {
            let schema = schema.get("items").unwrap_or(&Value::Null);
            Some(Value::Array(items.iter().filter_map(|item| pruned(schema, item)).collect()))
        }
        _ => check(schema, "", value).is_empty().then(|| value.clone()),
    }
}

/// Where an item of a list stands: by its key, or else by its number.
fn place(list: &Value, field: &str, index: usize, item: &Value) -> String {
    format!("{field}[{}]", key(list, item).unwrap_or_else(|| index.to_string()))
}

/// Checks a member of a resource, such as its `spec`, against its schema, as it stands in a resource definition.
#[must_use]
pub fn check(schema: &Value, name: &str, value: &Value) -> Vec<Violation> {
    let mut found = Violations::below("");
    check_value(schema, name, value, &mut found);
    found.list
}

fn check_value(schema: &Value, field: &str, value: &Value, found: &mut Violations) {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return found.check(words.contains(value), field, || {
            let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
            format!("must be one of {}, not {}", words.join(", "), shown(value))
        });
    }
    match (text(schema, "type"), value) {
        (Some("object"), Value::Object(members)) => check_object(schema, field, members, found),
        (Some("array"), Value::Array(items)) => check_list(schema, field, items, found),
        (Some("string"), Value::String(text)) => check_text(schema, field, text, found),
        (Some("integer"), Value::Number(number)) if number.as_i64().is_some() => {
            check_bounds(schema, field, number.as_i64().unwrap_or_default(), found);
        }
        (Some("boolean"), Value::Bool(_)) | (None, _) => {}
        (Some(kind), _) => found.check(false, field, || format!("must be {}", expected(schema, kind, value))),
    }
}

fn check_object(schema: &Value, field: &str, members: &Map<String, Value>, found: &mut Violations) {
    check_size(schema, "Properties", "members", field, members.len(), found);
    if schema.get("x-kubernetes-preserve-unknown-fields").is_some() {
        return;
    }
    let known = schema.get("properties").and_then(Value::as_object);
    let free = schema.get("additionalProperties");
    let required = schema.get("required").and_then(Value::as_array);
    found.within(field, |found| {
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            let is_there = members.get(name).is_some_and(|value| !value.is_null());
            found.check(is_there, name, || "is required".to_owned());
        }
        for (name, value) in members {
            match (known.and_then(|known| known.get(name)), free) {
                (Some(_), _) if value.is_null() => {}
                (None, Some(_)) if value.is_null() => found.check(false, name, || "has no value".to_owned()),
                (Some(schema), _) | (None, Some(schema)) => check_value(schema, name, value, found),
                (None, None) if value.is_null() => found.check(false, name, || nothing(name, known)),
                (None, None) => found.check(false, name, || unknown(name, known)),
            }
        }
    });
}

fn check_list(schema: &Value, field: &str, items: &[Value], found: &mut Violations) {
    check_size(schema, "Items", "items", field, items.len(), found);
    let is_set = text(schema, "x-kubernetes-list-type") == Some("set");
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let place = place(schema, field, index, item);
        if let Some(identity) = key(schema, item).or_else(|| is_set.then(|| shown(item))) {
            found.check(seen.insert(identity), &place, || "stands in the list twice".to_owned());
        }
        check_value(schema.get("items").unwrap_or(&Value::Null), &place, item, found);
    }
}

/// What identifies an item of a keyed list: text, or a whole number; nothing else can.
fn key(list: &Value, item: &Value) -> Option<String> {
    let names = list.get("x-kubernetes-list-map-keys")?.as_array()?;
    let part = |name: &Value| match item.get(name.as_str()?)? {
        Value::String(text) => Some(text.clone()),
        value => value.as_i64().map(|number| number.to_string()),
    };
    names.iter().map(part).collect::<Option<Vec<_>>>().map(|parts| parts.join(","))
}

fn check_text(schema: &Value, field: &str, value: &str, found: &mut Violations) {
    // Of text that can be shown as a whole, its form says more than its length.
    let length = value.chars().count();
    let is_form_wrong = length <= SHOWN && check_form(schema, field, value, found);
    if !is_form_wrong {
        let before = found.list.len();
        check_size(schema, "Length", "characters", field, length, found);
        if length > SHOWN && found.list.len() == before {
            check_form(schema, field, value, found);
        }
    }
}

/// Checks the form of text, and says whether it is wrong.
fn check_form(schema: &Value, field: &str, value: &str, found: &mut Violations) -> bool {
    if text(schema, "format") == Some("date-time")
        && let Err(error) = value.parse::<Timestamp>()
    {
        found.check(false, field, || format!("is no time: {error}"));
        return true;
    }
    let Some(pattern) = text(schema, "pattern") else { return false };
    let matches = fits(pattern, value);
    found.check(matches, field, || words::misfit(pattern, value));
    !matches
}

thread_local! {
    /// Patterns of definitions, each compiled once: there are few, and to compile one takes longer than to check a resource.
    static PATTERNS: RefCell<BTreeMap<String, Option<Regex>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Whether a value fits a pattern; none fits what is no pattern.
fn fits(pattern: &str, value: &str) -> bool {
    PATTERNS.with_borrow_mut(|known| {
        if let Some(known) = known.get(pattern) {
            return known.as_ref().is_some_and(|known| known.is_match(value));
        }
        let compiled = Regex::new(pattern).ok();
        let fits = compiled.as_ref().is_some_and(|compiled| compiled.is_match(value));
        known.insert(pattern.to_owned(), compiled);
        fits
    })
}

fn check_bounds(schema: &Value, field: &str, value: i64, found: &mut Violations) {
    let bound = |name| schema.get(name).and_then(Value::as_number).and_then(whole);
    let (least, most) = (bound("minimum"), bound("maximum"));
    let inside = least.is_none_or(|least| least <= value) && most.is_none_or(|most| value <= most);
    found.check(inside, field, || match (least, most) {
        (Some(least), Some(most)) => format!("must be from {least} to {most}, not {value}"),
        (Some(least), None) => format!("must be at least {least}, not {value}"),
        _ => format!("must be at most {}, not {value}", most.unwrap_or_default()),
    });
}

/// A bound; definitions write whole ones as `10.0`.
fn whole(bound: &serde_json::Number) -> Option<i64> {
    let text = bound.to_string();
    text.strip_suffix(".0").unwrap_or(&text).parse().ok()
}

/// Checks a size against the schema's `min…` and `max…`.
fn check_size(schema: &Value, of: &str, unit: &str, field: &str, size: usize, found: &mut Violations) {
    let bound = |end| schema.get(format!("{end}{of}")).and_then(Value::as_u64);
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    if let Some(most) = bound("max") {
        found.check(size <= most, field, || format!("must have at most {most} {unit}, not {size}"));
    }
    if let Some(least) = bound("min") {
        found.check(size >= least, field, || format!("must have at least {least} {unit}, not {size}"));
    }
}

fn text<'a>(schema: &'a Value, name: &str) -> Option<&'a str> {
    schema.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{words::form, *};
    use crate::{api, terms::decimal::Range};

    fn contract() -> Value {
        api::spec_schema("BillingContract").unwrap().clone()
    }

    fn sound() -> Value {
        json!({
            "providerRef": {"name": "zoo"}, "ignoreDrift": ["/notes"], "syncPeriodSeconds": 60, "suspend": false,
            "zoo": {
                "organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "effectiveAt": "2026-01-01T00:00:00Z", "notes": null,
                "items": [{"code": "fde", "displayName": "Engineer", "kind": "usage_tiered", "unit": "minute",
                           "rateTiers": [{"tierStartInclusive": 0, "unitPrice": "0.50"}]}],
            },
        })
    }

    #[track_caller]
    fn refused(pointer: &str, value: Value, path: &str, part: &str) {
        let mut changed = sound();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        match changed.pointer_mut(parent).unwrap() {
            Value::Array(items) => items.push(value),
            parent => parent[member] = value,
        }
        let violations = check(&contract(), "spec", &changed);
        let expected = |found: &Violation| found.path == path && found.message.contains(part);
        assert!(violations.iter().any(expected), "no violation at {path} with {part:?} in {violations:#?}");
        assert_eq!(violations.len(), 1, "{violations:#?}");
    }

    #[test]
    fn a_sound_resource_passes() {
        assert_eq!(check(&contract(), "spec", &sound()), []);
    }

    #[test]
    fn a_misspelt_field_is_refused_with_the_right_spelling() {
        refused("/zoo/curency", json!("USD"), "spec.zoo.curency", "`currency`");
        refused("/zoo/quux", json!("USD"), "spec.zoo.quux", "no field here");
    }

    #[test]
    fn a_field_as_the_billing_apis_write_it_is_refused_with_our_spelling() {
        refused("/zoo/term_end_at", json!("2027-01-01T00:00:00Z"), "spec.zoo.term_end_at", "`termEndAt`");
        let mut odd = sound();
        odd["metronome"] =
            json!({"startingAt": "2026-01-01T00:00:00Z", "multiplier_override_prioritization": "EXPLICIT"});
        let told: Vec<_> = check(&contract(), "spec", &odd).iter().map(ToString::to_string).collect();
        let near = "is no field; did you mean `multiplierOverridePrioritization`?";
        assert_eq!(told, [format!("`spec.metronome.multiplier_override_prioritization` {near}")]);
    }

    #[test]
    fn an_unknown_field_without_a_value_is_refused_as_one_with_a_value_is() {
        let tier = "spec.zoo.items[fde].rateTiers[0].000";
        refused("/zoo/items/0/rateTiers/0/000", json!(null), tier, "without commas");
        refused("/zoo/curency", json!(null), "spec.zoo.curency", "did you mean `currency`");
        refused("/zoo/quux", json!(null), "spec.zoo.quux", "no value");
    }

    #[test]
    fn what_is_not_taken_can_be_left_out() {
        let mut odd = sound();
        odd["zoo"]["status"] = json!("paused");
        odd["zoo"]["items"][0]["rateTiers"][0]["unitPrice"] = json!("0.5O");
        odd["zoo"]["minimumFee"] = json!("5");
        odd["suspend"] = json!("yes");
        let mut expected = sound();
        expected["zoo"]["items"][0]["rateTiers"][0].as_object_mut().unwrap().remove("unitPrice");
        expected["zoo"].as_object_mut().unwrap().remove("notes");
        expected.as_object_mut().unwrap().remove("suspend");
        assert_eq!(pruned(&contract(), &odd), Some(expected));
        assert_eq!(pruned(&contract(), &json!("acme")), None);
    }

    #[test]
    fn members_that_a_newer_definition_has_are_found() {
        let mut newer = sound();
        assert_eq!(unknown_members(&contract(), "spec", &newer), [""; 0]);
        newer["zoo"]["items"][0]["rateTiers"][0]["minimumFee"] = json!("5");
        newer["zoo"]["discounts"] = json!([]);
        newer["zoo"]["credits"] = json!(null);
        newer["approvers"] = json!(["finance"]);
        newer["metronome"] = json!({"customFields": {"anything": "goes"}});
        let unknown = ["spec.approvers", "spec.zoo.discounts", "spec.zoo.items[fde].rateTiers[0].minimumFee"];
        assert_eq!(unknown_members(&contract(), "spec", &newer), unknown);
    }

    #[test]
    fn unquoted_money_is_refused() {
        let price = "spec.zoo.items[fde].rateTiers[0].unitPrice";
        refused("/zoo/items/0/rateTiers/0/unitPrice", json!(0.5), price, "in quotes, \"0.5\"");
        refused("/zoo/items/0/rateTiers/0/unitPrice", json!(0.123_456_789_012_345_6), price, "in quotes: a");
        refused("/zoo/items/0/rateTiers/0/unitPrice", json!(1e27), price, "in quotes: a");
        refused("/zoo/items/0/rateTiers/0/unitPrice", json!("-1"), price, "0 or more");
        refused("/zoo/items/0/rateTiers/0/unitPrice", json!("1e3"), price, "plain digits");
        refused("/zoo/items/0/rateTiers/0/unitPrice", json!("0,50"), price, "such as 1250.50");
        refused("/zoo/items/0/rateTiers/0/unitPrice", json!("1".repeat(30)), price, "at most 28 digits");
    }

    #[test]
    fn a_number_where_text_belongs_is_never_shown_as_the_text_that_was_meant() {
        let approval = api::spec_schema("ContractApproval").unwrap();
        let spec = json!({
            "contractRef": {"name": "acme"}, "planDigest": 0, "decision": "Approve", "approvedBy": "ann",
        });
        let told: Vec<_> = check(approval, "spec", &spec).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["`spec.planDigest` must be text, in quotes: without them, it means 0"]);
    }

    #[test]
    fn an_item_whose_key_can_be_none_is_named_by_its_place_in_the_list() {
        let start = "spec.zoo.items[fde].rateTiers[0].tierStartInclusive";
        refused("/zoo/items/0/rateTiers/0/tierStartInclusive", json!(0.5), start, "a whole number, not 0.5");
        let quoted = "spec.zoo.items[fde].rateTiers[7].tierStartInclusive";
        refused("/zoo/items/0/rateTiers/0/tierStartInclusive", json!("7"), quoted, "without quotes: 7");
    }

    #[test]
    fn every_pattern_of_our_definitions_is_told_in_words() {
        fn visit(schema: &Value, untold: &mut BTreeSet<String>) {
            for (keyword, value) in schema.as_object().into_iter().flatten() {
                match (keyword.as_str(), value) {
                    ("pattern", Value::String(pattern)) => {
                        let is_time = text(schema, "format") == Some("date-time");
                        let is_told =
                            is_time || Range::of_pattern(pattern).is_some() || form(pattern).is_some();
                        untold.extend((!is_told).then(|| pattern.clone()));
                    }
                    ("properties", Value::Object(members)) => {
                        members.values().for_each(|schema| visit(schema, untold));
                    }
                    ("items" | "additionalProperties", schema) => visit(schema, untold),
                    _ => {}
                }
            }
        }
        let mut untold = BTreeSet::new();
        for crd in api::crds() {
            let crd = serde_json::to_value(crd).unwrap();
            visit(
                &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"],
                &mut untold,
            );
        }
        assert_eq!(untold, BTreeSet::new());
    }

    #[test]
    fn what_is_required_must_be_there() {
        refused("/zoo/organizationId", json!(null), "spec.zoo.organizationId", "is required");
        refused("/providerRef/name", json!(""), "spec.providerRef.name", "at least 1 characters");
    }

    #[test]
    fn values_have_the_type_and_the_bounds_of_the_schema() {
        refused("/suspend", json!("yes"), "spec.suspend", "true or false");
        refused("/syncPeriodSeconds", json!(5), "spec.syncPeriodSeconds", "from 10 to 604800");
        refused("/syncPeriodSeconds", json!(10.5), "spec.syncPeriodSeconds", "whole number");
        refused("/zoo/items", json!({}), "spec.zoo.items", "a list");
        refused("/zoo/name", json!(5), "spec.zoo.name", "in quotes");
        refused("/zoo/status", json!("actve"), "spec.zoo.status", "draft, scheduled, active");
        refused("/zoo/effectiveAt", json!("2026-01-01"), "spec.zoo.effectiveAt", "RFC 3339");
        refused("/zoo/organizationId", json!("acme"), "spec.zoo.organizationId", "an ID in lower case");
        refused("/ignoreDrift", json!("/notes"), "spec.ignoreDrift", "a list");
    }

    #[test]
    fn keyed_lists_and_sets_have_no_repetitions() {
        refused("/ignoreDrift/1", json!("/notes"), "spec.ignoreDrift[1]", "twice");
        let again = sound()["zoo"]["items"][0].clone();
        refused("/zoo/items/1", again, "spec.zoo.items[fde]", "twice");
    }

    #[test]
    fn every_keyword_of_our_definitions_is_checked() {
        fn visit(schema: &Value, seen: &mut BTreeSet<String>) {
            for (keyword, value) in schema.as_object().into_iter().flatten() {
                seen.insert(keyword.clone());
                match (keyword.as_str(), value) {
                    ("properties", Value::Object(members)) => {
                        members.values().for_each(|schema| visit(schema, seen));
                    }
                    ("items" | "additionalProperties", schema) => visit(schema, seen),
                    _ => {}
                }
            }
        }
        let mut seen = BTreeSet::new();
        for crd in api::crds() {
            let crd = serde_json::to_value(crd).unwrap();
            visit(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"], &mut seen);
        }
        let known = [
            "additionalProperties",
            "default",
            "description",
            "enum",
            "format",
            "items",
            "maxItems",
            "maxLength",
            "maxProperties",
            "maximum",
            "minItems",
            "minLength",
            "minimum",
            "pattern",
            "properties",
            "required",
            "type",
            "x-kubernetes-list-map-keys",
            "x-kubernetes-list-type",
            "x-kubernetes-preserve-unknown-fields",
            "x-kubernetes-validations",
        ];
        assert_eq!(
            seen.into_iter().filter(|keyword| !known.contains(&keyword.as_str())).collect::<Vec<_>>(),
            [""; 0]
        );
    }
}
