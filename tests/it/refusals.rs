//! Bad input: refused with a message that names the place, and never sent to the billing API.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    World,
    plane::Plane,
    sim::Calls,
    terms::{ORG, PRICE, acme, with, without},
};

/// Input, where it is wrong, and what the API server says of it.
fn refused_by_the_api_server() -> Vec<(&'static str, Value, [&'static str; 2])> {
    let spec = |pointer: &str, value: Value| with(acme(), &format!("/spec{pointer}"), value);
    vec![
        ("unquoted money", with(acme(), PRICE, json!(0.5)), ["unitPrice", "string"]),
        ("money with an exponent", with(acme(), PRICE, json!("5e-1")), ["unitPrice", "should match"]),
        ("money with a comma", with(acme(), PRICE, json!("1,000")), ["unitPrice", "should match"]),
        ("negative money", with(acme(), PRICE, json!("-0.50")), ["unitPrice", "should match"]),
        ("a wrong status", spec("/zoo/status", json!("actve")), ["spec.zoo.status", "\"active\""]),
        ("a wrong cadence", spec("/zoo/billingCadence", json!("yearly")), ["billingCadence", "\"annual\""]),
        ("a wrong item", spec("/zoo/items/0/code", json!("api")), ["items", "\"licensed_api_credits\""]),
        (
            "a reversed term",
            spec("/zoo/termEndAt", json!("2025-01-01T00:00:00Z")),
            ["termEndAt", "must be before"],
        ),
        (
            "a date without a time",
            spec("/zoo/effectiveAt", json!("2026-01-01")),
            ["effectiveAt", "date-time"],
        ),
        ("no billing API", without(acme(), "/spec/zoo"), ["spec", "exactly one"]),
        ("an unknown field", spec("/zoo/discount", json!("10%")), ["spec.zoo.discount", "unknown field"]),
        ("an unknown policy", spec("/deletionPolicy", json!("Delete")), ["deletionPolicy", "\"Orphan\""]),
        ("a missing field", without(acme(), "/spec/zoo/currency"), ["spec.zoo.currency", "Required"]),
        ("a currency in small letters", spec("/zoo/currency", json!("usd")), ["currency", "should match"]),
        ("a name for an ID", spec("/zoo/organizationId", json!("acme")), ["organizationId", "should match"]),
        (
            "a negative quantity",
            spec("/zoo/items/0/rateTiers/0/tierStartInclusive", json!(-1)),
            ["tierStartInclusive", "greater than or equal to 0"],
        ),
        (
            "the same tier twice",
            spec("/zoo/items/0/rateTiers/1/tierStartInclusive", json!(0)),
            ["rateTiers", "Duplicate"],
        ),
        ("no provider", without(acme(), "/spec/providerRef"), ["spec.providerRef", "Required"]),
    ]
}

#[tokio::test]
async fn what_the_schema_knows_is_refused_on_apply_and_the_message_names_the_field() {
    let world = World::bare().await;
    for (what, object, parts) in refused_by_the_api_server() {
        let file = world.folder().join("contract.json");
        fs::write(&file, object.to_string()).unwrap();
        let said = Plane::shared().kubectl_refusal(&[
            "apply",
            "--namespace",
            &world.namespace,
            "-f",
            file.to_str().unwrap(),
        ]);
        for part in parts {
            assert!(said.contains(part), "{what}: nothing of {part:?} in {said}");
        }
    }
}

/// Input, where it is wrong, and what the operator says of it.
fn refused_by_the_operator() -> Vec<(&'static str, Value, [&'static str; 2])> {
    let zoo = |pointer: &str, value: Value| with(acme(), &format!("/spec/zoo{pointer}"), value);
    let tiers = |end: i64, start: i64| {
        let tiers = json!([
            {"tierStartInclusive": 0, "tierEndExclusive": end, "unitPrice": "0.50"},
            {"tierStartInclusive": start, "unitPrice": "0.42"},
        ]);
        zoo("/items/0/rateTiers", tiers)
    };
    vec![
        (
            "overlapping tiers",
            tiers(100, 50),
            ["items[licensed_api_credits].rateTiers[1].tierStartInclusive", "must be 100"],
        ),
        (
            "a gap between tiers",
            tiers(100, 150),
            ["items[licensed_api_credits].rateTiers[1].tierStartInclusive", "must be 100"],
        ),
        (
            "a fee for usage",
            zoo("/items/0/fixedFeeAmount", json!("1")),
            ["items[licensed_api_credits].fixedFeeAmount", "fixed_fee"],
        ),
        (
            "a fixed fee without one",
            without(acme(), "/spec/zoo/items/1/fixedFeeAmount"),
            ["items[fde].fixedFeeAmount", "required"],
        ),
        (
            "a period past the term",
            zoo("/periods/0/periodEndAt", json!("2037-01-01T00:00:00Z")),
            ["periods[0].periodEndAt", "termEndAt"],
        ),
        (
            "rollover into no period",
            zoo("/rolloverPolicy", json!("year1_to_year2_once")),
            ["rolloverPolicy", "two periods"],
        ),
    ]
}

#[tokio::test]
async fn what_only_the_operator_knows_is_refused_in_the_status_and_in_one_event() {
    let mut world = World::start().await;
    let mut count = 0;
    for (what, object, parts) in refused_by_the_operator() {
        let name = format!("refused-{count}");
        world.apply(&with(object, "/metadata/name", json!(name))).await;
        let why = world.until_stalled(&name, "InvalidSpec").await;
        for part in parts {
            assert!(why.contains(part), "{what}: nothing of {part:?} in {why}");
        }
        count += 1;
    }
    world.second_look(count).await;
    for n in 0..count {
        let events = world.events(&format!("refused-{n}")).await;
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!((events[0].type_.as_str(), events[0].reason.as_str()), ("Warning", "InvalidSpec"));
    }
    assert_eq!(world.sim.calls(ORG).await, Calls::default());
}

#[tokio::test]
async fn every_violation_is_told_at_once_and_a_corrected_spec_is_taken_up() {
    let world = World::start().await;
    let wrong = with(acme(), "/spec/zoo/items/0/fixedFeeAmount", json!("1"));
    let wrong = with(wrong, "/spec/zoo/rolloverPolicy", json!("year1_to_year2_once"));
    world.apply(&wrong).await;
    let why = world.until_stalled("acme", "InvalidSpec").await;
    assert!(why.contains("fixedFeeAmount") && why.contains("rolloverPolicy"), "{why}");
    world.apply(&acme()).await;
    world.until_ready("acme").await;
}

#[tokio::test]
async fn a_provider_of_the_other_billing_api_is_refused() {
    let mut world = World::bare().await;
    world.apply(&crate::support::terms::secret(crate::support::sim::TOKEN)).await;
    let mut provider = crate::support::terms::provider(&world.sim.url);
    provider["spec"]["metronome"] = json!({"baseUrl": world.sim.url});
    provider["spec"].as_object_mut().unwrap().remove("zoo");
    world.apply(&provider).await;
    world.start_operator().await;
    world.apply(&acme()).await;
    let why = world.until_stalled("acme", "InvalidSpec").await;
    assert!(why.contains("Metronome") && why.contains("spec.metronome"), "{why}");
    assert_eq!(world.sim.calls(ORG).await, Calls::default());
}

#[tokio::test]
async fn a_provider_of_two_billing_apis_or_of_none_is_refused_on_apply() {
    let world = World::bare().await;
    let provider = crate::support::terms::provider(&world.sim.url);
    for wrong in [with(provider.clone(), "/spec/metronome", json!({})), without(provider, "/spec/zoo")] {
        let refusal = world.try_apply(&wrong).await.unwrap_err();
        assert!(refusal.contains("exactly one of `spec.zoo` and `spec.metronome`"), "{refusal}");
    }
}
