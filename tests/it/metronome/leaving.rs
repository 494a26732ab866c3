//! What leaves the spec: billing no longer has it, or the status names it and what there is to do. Never a word less.

use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    metronome::{CREATE, CUSTOMER, EDIT, EUR, OTHER_PRODUCT, PRODUCT, START, acme, plus, traffic},
    terms::without,
    world::message,
};

const LATER: &str = "2035-07-01T00:00:00Z";

fn commit(members: &Value) -> Value {
    let mut commit = json!({
        "key": "launch", "productId": PRODUCT, "type": "PREPAID",
        "accessSchedule": {"scheduleItems": [{"amount": "1000", "startingAt": START, "endingBefore": "2036-01-01T00:00:00Z"}]},
    });
    commit.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    commit
}

/// A contract with something of everything that can be taken out again.
fn full() -> Value {
    let gate =
        json!({"paymentGateType": "STRIPE", "taxType": "NONE", "stripeConfig": {"paymentType": "INVOICE"}});
    plus(
        acme(),
        &json!({
            "commits": [commit(&json!({
                "name": "Launch", "description": "paid later", "rolloverFraction": "0.25", "priority": "7",
                "rateType": "COMMIT_RATE", "invoiceSchedule": {"scheduleItems": [{"timestamp": LATER, "amount": "1000"}]},
            }))],
            "recurringCommits": [{
                "key": "monthly", "productId": PRODUCT, "priority": "50", "startingAt": START,
                "endingBefore": "2035-01-01T00:00:00Z", "recurrenceFrequency": "MONTHLY",
                "accessAmount": {"unitPrice": "100", "quantity": "10"}, "commitDuration": {"value": "1"},
                "invoiceAmount": {"unitPrice": "90", "quantity": "10", "creditTypeId": EUR},
                "prorationRounding": {"access": {"decimalPlaces": "0", "roundingMethod": "HALF_UP"}},
            }],
            "spendThresholdConfiguration": {
                "isEnabled": true, "thresholdAmount": "100000", "paymentGateConfig": gate,
                "discountConfiguration": {"paymentFraction": "0.85"},
                "commit": {"productId": OTHER_PRODUCT, "priority": "3"},
            },
            "overrides": [{
                "startingAt": START, "type": "MULTIPLIER", "multiplier": "0.8", "isCommitSpecific": true,
                "target": "COMMIT_RATE", "overrideSpecifiers": [{"productId": PRODUCT}],
            }],
        }),
    )
}

/// What billing is to say at a place.
type Check = Box<dyn Fn(Option<&Value>) -> bool>;

#[tokio::test]
async fn what_leaves_the_spec_is_taken_out_of_billing_by_one_edit() {
    let mut world = World::metronome().await;
    let mut spec = full();
    world.apply(&spec).await;
    let contract = world.until_ready("acme").await;
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));
    let set = contract["status"]["setFields"].to_string();
    assert!(set.contains("rolloverFraction") && set.contains("discountConfiguration"), "{set}");

    let is = |value: Value| move |found: Option<&Value>| found.unwrap_or(&Value::Null) == &value;
    let none = || is(Value::Null);
    let steps: [(&[&str], &str, Check); 10] = [
        (&["/commits/0/rolloverFraction"], "/commits/0/rollover_fraction", Box::new(none())),
        (&["/commits/0/priority"], "/commits/0/priority", Box::new(is(json!(100)))),
        (&["/commits/0/rateType"], "/commits/0/rate_type", Box::new(is(json!("LIST_RATE")))),
        (
            &["/commits/0/invoiceSchedule"],
            "/commits/0/invoice_schedule/schedule_items",
            Box::new(|found| found.is_none_or(|items| *items == json!([]))),
        ),
        (&["/recurringCommits/0/endingBefore"], "/recurring_commits/0/ending_before", Box::new(none())),
        (
            &["/recurringCommits/0/prorationRounding"],
            "/recurring_commits/0/proration_rounding",
            Box::new(none()),
        ),
        (
            &["/recurringCommits/0/invoiceAmount"],
            "/recurring_commits/0/invoice_amount/unit_price",
            Box::new(is(json!(0))),
        ),
        (
            &["/spendThresholdConfiguration/discountConfiguration"],
            "/spend_threshold_configuration/discount_configuration",
            Box::new(none()),
        ),
        (
            &["/spendThresholdConfiguration"],
            "/spend_threshold_configuration/is_enabled",
            Box::new(is(json!(false))),
        ),
        (
            &["/overrides/0/isCommitSpecific", "/overrides/0/target"],
            "/overrides/0/is_commit_specific",
            Box::new(|found| found.is_none_or(|flag| *flag == json!(false))),
        ),
    ];
    for (places, billed, holds) in steps {
        for place in places {
            spec = without(spec, &format!("/spec/metronome{place}"));
        }
        world.sim.forget_journal().await;
        world.apply(&spec).await;
        world.until_ready("acme").await;
        let terms = world.sim.terms(CUSTOMER).await;
        assert!(holds(terms.pointer(billed)), "{places:?}: {:?}", terms.pointer(billed));
        assert_eq!(world.sim.all_writes().await, traffic([(EDIT, 1)]), "{places:?}");
    }
    let events = world.events("acme").await;
    assert_eq!(events.len(), 11, "one for the create and one for each: {events:?}");

    world.sim.forget_journal().await;
    let before = world.versions("acme").await.len();
    world.second_look(1).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
    assert_eq!(world.versions("acme").await.len(), before, "nothing is left to put on record");
}

#[tokio::test]
async fn what_the_api_cannot_take_out_is_refused_by_name_and_restored_without_a_write() {
    let world = World::metronome().await;
    let spec = plus(
        acme(),
        &json!({
            "commits": [commit(&json!({
                "hierarchyConfiguration": {"childAccess": {"type": "ALL"}},
                "invoiceSchedule": {"doNotInvoice": true, "scheduleItems": [{"timestamp": LATER, "amount": "1000"}]},
            }))],
            "recurringCommits": [{
                "key": "monthly", "productId": PRODUCT, "priority": "50", "startingAt": START, "proration": "NONE",
                "recurrenceFrequency": "MONTHLY", "accessAmount": {"unitPrice": "100", "quantity": "10"},
                "commitDuration": {"value": "1"}, "rolloverFraction": "0.5",
            }],
            "usageFilter": {"groupKey": "project", "groupValues": ["a"]},
            "scheduledChargesOnUsageInvoices": "ALL",
        }),
    );
    world.apply(&spec).await;
    world.until_ready("acme").await;
    world.sim.forget_journal().await;
    for (place, named, way_out) in [
        (
            "/commits/0/hierarchyConfiguration",
            "/commits/launch/hierarchyConfiguration",
            "what is to hold instead",
        ),
        (
            "/commits/0/invoiceSchedule/doNotInvoice",
            "/commits/launch/invoiceSchedule/doNotInvoice: true -> false",
            "another `key`",
        ),
        (
            "/recurringCommits/0/proration",
            "/recurringCommits/monthly/proration: NONE -> FIRST_AND_LAST",
            "another `key`",
        ),
        (
            "/recurringCommits/0/rolloverFraction",
            "/recurringCommits/monthly/rolloverFraction",
            "another `key`",
        ),
        ("/usageFilter", "/usageFilter", "what is to hold instead"),
        ("/scheduledChargesOnUsageInvoices", "/scheduledChargesOnUsageInvoices", "a new BillingContract"),
    ] {
        world.apply(&without(spec.clone(), &format!("/spec/metronome{place}"))).await;
        let why = world.until_stalled("acme", "ImmutableField").await;
        assert!(why.contains(named) && why.contains(way_out), "{place}: {why}");
        world.apply(&spec).await;
        world.until_ready("acme").await;
    }
    assert_eq!(world.sim.all_writes().await, traffic([]));
}

#[tokio::test]
async fn a_contract_from_before_the_record_stays_in_sync_and_is_recorded_once() {
    let mut world = World::metronome().await;
    world.apply(&full()).await;
    let mut contract = world.until_ready("acme").await;
    world.stop_operator().await;
    let set = contract["status"].as_object_mut().unwrap().remove("setFields");
    contract["metadata"].as_object_mut().unwrap().remove("managedFields");
    let api = world.api(contract["apiVersion"].as_str().unwrap(), "BillingContract");
    let object = serde_json::from_value(contract).unwrap();
    api.replace_status("acme", &kube::api::PostParams::default(), &object).await.unwrap();
    world.sim.forget_journal().await;
    let before = world.versions("acme").await.len();
    world.start_operator().await;
    let contract = world.until("acme", |contract| contract["status"].get("setFields").is_some()).await;
    assert_eq!(contract["status"].get("setFields"), set.as_ref());
    assert_eq!(kstatus::status_of(&contract, "Ready"), Some("True"), "{}", message(&contract));
    world.second_look(1).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
    assert_eq!(world.versions("acme").await.len(), before + 1, "one status write, and none after it");
}

#[tokio::test]
async fn the_unit_of_a_commit_that_leaves_the_spec_is_refused_and_nothing_is_billed_in_it() {
    let world = World::metronome().await;
    let priced = |amount: &str| json!({"creditTypeId": EUR, "scheduleItems": [{"timestamp": LATER, "amount": amount}]});
    let mut commit = commit(&json!({"invoiceSchedule": priced("1000")}));
    commit["accessSchedule"]["creditTypeId"] = json!(EUR);
    let spec = plus(acme(), &json!({"commits": [commit]}));
    world.apply(&spec).await;
    world.until_ready("acme").await;
    world.sim.forget_journal().await;
    let mut other = without(spec, "/spec/metronome/commits/0/invoiceSchedule/creditTypeId");
    other["spec"]["metronome"]["commits"][0]["invoiceSchedule"]["scheduleItems"][0]["amount"] =
        json!("110000");
    world.apply(&other).await;
    let why = world.until_stalled("acme", "ImmutableField").await;
    assert!(why.contains("/commits/launch/invoiceSchedule/creditTypeId"), "{why}");
    assert_eq!(world.sim.all_writes().await, traffic([]));
}
