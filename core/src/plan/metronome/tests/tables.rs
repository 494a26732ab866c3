//! The tables of places that planning keeps by hand: each place is in the shape of the terms, so that a misspelt one
//! cannot stand there and never be met.

use super::*;
use crate::{
    plan::metronome::{
        lists::{LISTS, USAGE, item_shape},
        tables,
    },
    terms::{Shape, metronome::PACKAGE},
};

/// Members with free names that only replies have.
const ONLY_IN_REPLIES: [&str; 3] =
    ["configuration", "delivery_method_configuration", "product_custom_fields"];

/// Shape of a place: names of members, `*` for every item of a list.
fn at<'s>(shape: &'s Shape, place: &str) -> Option<&'s Shape> {
    place.trim_start_matches('/').split('/').try_fold(shape, |shape, name| match shape {
        Shape::List { item, .. } if name == "*" => Some(&**item),
        Shape::Object(members) => members.get(name).map(|member| &member.shape),
        _ => None,
    })
}

/// Whether a member, by its name in the terms or on the wire, is anywhere in a shape.
fn has_member(shape: &Shape, name: &str) -> bool {
    let mut members = shape.members();
    let below = members
        .any(|(found, member)| found == name || member.wire == name || has_member(&member.shape, name));
    below || matches!(shape, Shape::List { item, .. } if has_member(item, name))
}

#[track_caller]
fn all_at<'p>(shape: &Shape, places: impl IntoIterator<Item = &'p str>) {
    for place in places {
        assert!(at(shape, place).is_some(), "{place} is not in the terms");
    }
}

#[track_caller]
fn all_members<'p>(shape: &Shape, names: impl IntoIterator<Item = &'p str>) {
    for name in names {
        assert!(has_member(shape, name), "{name} is not in the terms");
    }
}

/// That what a place means when it is left out is a value that it could have.
#[track_caller]
fn are_defaults(shape: &Shape, defaults: &[(&str, &str)]) {
    for (place, default) in defaults {
        let fits = match at(shape, place) {
            Some(Shape::Enum(words)) => words.iter().any(|word| word == default),
            Some(Shape::Decimal) => default.parse::<crate::terms::Decimal>().is_ok(),
            Some(Shape::Plain) => true,
            found => panic!("{place}: {found:?}"),
        };
        assert!(fits, "{place} is never {default}");
    }
}

#[test]
fn every_place_of_a_table_is_in_the_shape_of_a_contract() {
    all_at(&CONTRACT, tables::CLEARABLE.map(|(name, _)| name));
    all_at(&CONTRACT, members::IMMUTABLE);
    all_at(&CONTRACT, tables::UNSEEN);
    all_at(&CONTRACT, tables::REMEMBERED);
    all_at(&CONTRACT, [members::ANSWERED_OTHERWISE, CUSTOM_FIELDS]);
    all_at(&CONTRACT, create::BESIDE_A_PACKAGE);
    all_at(&CONTRACT, tables::KEYLESS);
    all_at(&CONTRACT, tables::THRESHOLD_NAMES);
    are_defaults(&CONTRACT, defaults::DEFAULTS);
    all_members(&CONTRACT, reply::REQUIRED);
    all_members(&CONTRACT, reply::FREE.into_iter().filter(|name| !ONLY_IN_REPLIES.contains(name)));
    all_members(&CONTRACT, tables::REFERRING);
    all_members(&CONTRACT, keyless::LOOKED_UP);
    all_at(item_shape("overrides"), keyless::EFFECT);
    all_at(item_shape("overrides"), keyless::TIERS);
    for name in ["commits", "credits", "recurringCommits", "recurringCredits"] {
        all_at(item_shape(name), USAGE);
    }
}

#[test]
fn every_place_of_the_lists_with_keys_is_in_the_shape_of_their_items() {
    let items = || LISTS.iter().map(|list| item_shape(list.name));
    for list in &LISTS {
        let item = item_shape(list.name);
        // Credits share the table of commits, and nobody is invoiced for them.
        let is_absent = |place: &&str| list.name == "recurringCredits" && place.starts_with("/invoiceAmount");
        all_at(item, list.updatable.iter().map(|(place, _)| *place).filter(|place| !is_absent(place)));
        all_at(item, list.identity.iter().copied().chain(list.access).chain(list.invoice));
        all_at(item, ["key"]);
    }
    for place in tables::APART.into_iter().chain(matching::TELLING_TEXTS).chain(matching::TELLING_NUMBERS) {
        assert!(items().any(|item| at(item, place).is_some()), "{place} is in no item");
    }
    for place in matching::TELLING_NUMBERS {
        assert!(items().all(|item| at(item, place).is_none_or(|shape| *shape == Shape::Decimal)), "{place}");
    }
}

#[test]
fn the_lists_beside_the_contract_are_those_of_the_table() {
    let spec: crate::api::contract::BillingContractSpec =
        serde_json::from_value(json!({"providerRef": {"name": "m"}, "metronome": fixture::plain()})).unwrap();
    let table: Vec<_> = LISTS.iter().filter(|list| list.is_beside()).map(|list| list.name).collect();
    assert_eq!(spec.lists_beside(), table);
    assert_eq!(Balances::ALL.map(Balances::list).to_vec(), table);
}

#[test]
fn every_place_of_a_threshold_is_in_its_shape() {
    for threshold in &thresholds::THRESHOLDS {
        let shape = at(&CONTRACT, threshold.name).unwrap();
        all_at(shape, threshold.places.iter().map(|(place, _)| *place));
        all_at(shape, [tables::IS_ENABLED]);
    }
    assert_eq!(thresholds::THRESHOLDS.map(|threshold| threshold.name), tables::THRESHOLD_NAMES);
}

#[test]
fn every_place_of_a_table_is_in_the_shape_of_a_package() {
    all_at(&PACKAGE, package::read::NOT_TOLD.iter().copied());
    are_defaults(&PACKAGE, package::read::DEFAULTS);
    all_members(&PACKAGE, package::items::NONE_WHEN_LEFT_OUT);
}

#[test]
fn a_misspelt_place_is_not_in_the_shape() {
    assert!(at(&CONTRACT, "/commits/*/accesSchedule").is_none());
    assert!(at(&CONTRACT, "/commits/accessSchedule").is_none());
    assert!(!has_member(&CONTRACT, "applicableProductID"));
}
