//! What each kind of terms comes to, as specs change and time passes.

use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    metronome::{
        CREATE, CUSTOMER, EDIT, OTHER_PRODUCT, PRODUCT, RATE_CARD, START, Traffic, USD, acme, bare, plus,
        traffic, writes,
    },
    terms::with,
};

const USAGE_FILTER: &str = "/v1/contracts/setUsageFilter";
const SET_VALUES: &str = "/v1/customFields/setValues";
const DELETE_VALUES: &str = "/v1/customFields/deleteValues";
const EDIT_COMMIT: &str = "/v2/contracts/commits/edit";

/// Applies a contract, waits until it is in force, and sees what was written for it; then that nothing more is.
async fn settle(world: &World, spec: &Value) -> (Traffic, Value) {
    world.sim.forget_journal().await;
    world.apply(spec).await;
    world.until_ready("acme").await;
    let written = world.sim.all_writes().await;
    world.reconcile("acme").await;
    assert_eq!(world.sim.all_writes().await, written, "a further look writes nothing");
    (written, world.sim.terms(CUSTOMER).await)
}

/// A contract whose terms are `terms`, without other items.
fn acme_with(terms: &Value) -> Value {
    plus(bare("acme", CUSTOMER), terms)
}

#[tokio::test]
async fn subscriptions_change_their_quantity_and_applications_may_change_it_meanwhile() {
    let world = World::metronome().await;
    let spec = acme_with(&json!({"rateCardId": RATE_CARD, "subscriptions": [{
        "key": "platform", "collectionSchedule": "ADVANCE", "initialQuantity": "10", "name": "Platform",
        "proration": {"isProrated": true, "invoiceBehavior": "BILL_IMMEDIATELY"},
        "subscriptionRate": {"billingFrequency": "MONTHLY", "productId": PRODUCT},
    }]}));
    let (written, terms) = settle(&world, &spec).await;
    assert_eq!(written, traffic([(CREATE, 1)]));
    let id = terms["subscriptions"][0]["id"].clone();

    let quantity = "/spec/metronome/subscriptions/0/initialQuantity";
    let (written, terms) = settle(&world, &with(spec.clone(), quantity, json!("15"))).await;
    assert_eq!(written, traffic([(EDIT, 1)]));
    let schedule = terms["subscriptions"][0]["quantity_schedule"].as_array().unwrap();
    assert_eq!(schedule.last().unwrap()["quantity"], 15, "{schedule:?}");

    // What an application makes of it since is reported, and not undone.
    let update = json!({"subscription_id": id, "quantity_updates": [{"starting_at": START, "quantity": 17}]});
    world.sim.edit(CUSTOMER, json!({"update_subscriptions": [update]})).await;
    let contract = world.reconcile("acme").await;
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([]));
    assert_eq!(kstatus::status_of(&contract, "Ready"), Some("True"));

    // One that leaves the spec is ended, as the API cannot remove it.
    let mut without = spec.clone();
    without["spec"]["metronome"]["subscriptions"] = json!([]);
    let (written, terms) = settle(&world, &without).await;
    assert_eq!(written, traffic([(EDIT, 1)]));
    assert!(terms["subscriptions"][0]["ending_before"].is_string(), "{terms:#}");
}

#[tokio::test]
async fn seats_are_added_and_removed_by_their_ids() {
    let world = World::metronome().await;
    let spec = acme_with(&json!({"rateCardId": RATE_CARD, "subscriptions": [{
        "key": "seats", "collectionSchedule": "ARREARS", "quantityManagementMode": "SEAT_BASED", "proration": {},
        "subscriptionRate": {"billingFrequency": "ANNUAL", "productId": PRODUCT},
        "seatConfig": {"initialSeatIds": ["anna", "ben"], "seatGroupKey": "seat_id", "initialUnassignedSeats": "3"},
    }]}));
    let (written, _) = settle(&world, &spec).await;
    assert_eq!(written, traffic([(CREATE, 1)]));
    let seats = "/spec/metronome/subscriptions/0/seatConfig/initialSeatIds";
    let (written, _) = settle(&world, &with(spec, seats, json!(["anna", "cleo"]))).await;
    assert_eq!(written, traffic([(EDIT, 1)]));
    let sent: Value = serde_json::from_str(&world.sim.sent(EDIT).await[0]).unwrap();
    let update = sent["update_subscriptions"][0]["seat_updates"].to_string();
    assert!(update.contains("cleo") && update.contains("ben") && !update.contains("anna"), "{update}");
}

#[tokio::test]
async fn commits_that_recur_are_made_as_time_passes_and_are_no_drift() {
    let mut world = World::metronome().await;
    world.sim.set_clock("2026-03-15T12:00:00Z").await;
    let template = json!([{
        "key": "monthly", "productId": PRODUCT, "priority": "50", "startingAt": START, "name": "Monthly",
        "accessAmount": {"unitPrice": "100.50", "quantity": "10"}, "invoiceAmount": {"unitPrice": "90", "quantity": "10", "creditTypeId": USD},
        "commitDuration": {"value": "1", "unit": "PERIODS"}, "recurrenceFrequency": "MONTHLY",
    }]);
    let spec = acme_with(&json!({"recurringCommits": template}));
    let (written, terms) = settle(&world, &spec).await;
    assert_eq!(written, traffic([(CREATE, 1)]));
    assert_eq!(terms["commits"].as_array().unwrap().len(), 3);

    world.sim.set_clock("2026-08-15T12:00:00Z").await;
    world.sim.set(json!({"metronome_embedded_limit": 2})).await;
    world.sim.forget_journal().await;
    let contract = world.reconcile("acme").await;
    assert_eq!(kstatus::status_of(&contract, "Drifted"), Some("False"), "{contract:#}");
    world.second_look(1).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
    world.sim.set(json!({"metronome_embedded_limit": null})).await;
    assert_eq!(world.sim.terms(CUSTOMER).await["commits"].as_array().unwrap().len(), 8);

    world.start_operator().await;
    let price = "/spec/metronome/recurringCommits/0/accessAmount/unitPrice";
    let (written, terms) = settle(&world, &with(spec, price, json!("120"))).await;
    assert_eq!(written, traffic([(EDIT, 1)]));
    assert_eq!(terms["recurring_commits"][0]["access_amount"]["unit_price"], 120);
}

fn thresholds(amount: &str) -> Value {
    let gate =
        json!({"paymentGateType": "STRIPE", "taxType": "NONE", "stripeConfig": {"paymentType": "INVOICE"}});
    acme_with(&json!({
        "prepaidBalanceThresholdConfiguration": {
            "isEnabled": true, "thresholdAmount": amount, "rechargeToAmount": "500000", "paymentGateConfig": gate,
            "commit": {"productId": OTHER_PRODUCT, "name": "Recharge"},
        },
        "spendThresholdConfiguration": {
            "isEnabled": true, "thresholdAmount": "100000", "paymentGateConfig": gate,
            "commit": {"productId": OTHER_PRODUCT, "name": "Top-up"},
        },
    }))
}

#[tokio::test]
async fn thresholds_change_and_one_that_the_api_turned_off_is_reported_and_left_off() {
    let mut world = World::metronome().await;
    let (written, _) = settle(&world, &thresholds("100000")).await;
    assert_eq!(written, traffic([(CREATE, 1)]));
    let (written, terms) = settle(&world, &thresholds("150000")).await;
    assert_eq!(written, traffic([(EDIT, 1)]));
    assert_eq!(terms["prepaid_balance_threshold_configuration"]["threshold_amount"], 150_000);

    world.sim.act(CUSTOMER, "disable-thresholds", &Value::Null).await;
    world.sim.forget_journal().await;
    let contract = world.reconcile("acme").await;
    assert_eq!(kstatus::status_of(&contract, "Drifted"), Some("True"), "{contract:#}");
    assert!(contract["status"]["drift"].to_string().contains("isEnabled"), "{contract:#}");
    world.second_look(1).await;
    assert_eq!(world.sim.all_writes().await, traffic([]));
}

#[tokio::test]
async fn overrides_are_replaced_and_the_others_stay() {
    let world = World::metronome().await;
    let multiplier = |factor: &str, product: &str| json!({"startingAt": START, "type": "MULTIPLIER", "multiplier": factor, "productId": product});
    let tiered = json!({"startingAt": START, "type": "TIERED", "priority": "2", "productId": PRODUCT,
        "tiers": [{"multiplier": "0.9", "size": "10"}, {"multiplier": "0.8"}]});
    let rate = json!({"startingAt": START, "type": "OVERWRITE", "productId": OTHER_PRODUCT,
        "overwriteRate": {"rateType": "FLAT", "price": "12.50"}});
    let with_overrides = |overrides: Value| {
        acme_with(&json!({"multiplierOverridePrioritization": "EXPLICIT",
        "rateCardId": RATE_CARD, "overrides": overrides}))
    };
    let priority = |mut item: Value, priority: &str| {
        item["priority"] = json!(priority);
        item
    };
    let first = priority(multiplier("0.8", PRODUCT), "1");
    let (written, terms) = settle(&world, &with_overrides(json!([first, tiered, rate]))).await;
    assert_eq!(written, traffic([(CREATE, 1)]));
    let ids = |terms: &Value| -> Vec<String> {
        let all = terms["overrides"].as_array().unwrap();
        all.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let before = ids(&terms);
    let changed = priority(multiplier("0.75", PRODUCT), "1");
    let (written, terms) = settle(&world, &with_overrides(json!([tiered, changed, rate]))).await;
    assert_eq!(written, traffic([(EDIT, 1)]));
    let after = ids(&terms);
    assert_eq!(after.len(), 3);
    assert_eq!(after.iter().filter(|id| before.contains(id)).count(), 2, "{terms:#}");
    assert!(terms["overrides"].to_string().contains("0.75"));
}

#[tokio::test]
async fn custom_fields_are_set_changed_and_taken_out() {
    let world = World::metronome().await;
    world.sim.register_fields(&[("contract", "team"), ("contract", "region"), ("commit", "team")]).await;
    let spec = |fields: Value, of_commit: Value| {
        let spec = plus(acme(), &json!({"customFields": fields}));
        with(spec, "/spec/metronome/commits/0/customFields", of_commit)
    };
    let (written, _) =
        settle(&world, &spec(json!({"team": "sales", "region": "eu"}), json!({"team": "a"}))).await;
    assert_eq!(written, traffic([(CREATE, 1)]));
    let (written, terms) = settle(&world, &spec(json!({"team": "success"}), json!({"team": "b"}))).await;
    assert_eq!(written, traffic([(SET_VALUES, 2), (DELETE_VALUES, 1)]));
    assert_eq!(terms["custom_fields"], json!({"team": "success"}));
    assert_eq!(terms["commits"][0]["custom_fields"], json!({"team": "b"}));
}

#[tokio::test]
async fn the_usage_filter_is_set_in_its_own_call() {
    let world = World::metronome().await;
    let filter = |values: Value| {
        acme_with(
            &json!({"usageFilter": {"groupKey": "project", "groupValues": values, "startingAt": START}}),
        )
    };
    let (written, _) = settle(&world, &filter(json!(["a", "b"]))).await;
    assert_eq!(written, traffic([(CREATE, 1)]));
    let (written, terms) = settle(&world, &filter(json!(["a", "c"]))).await;
    assert_eq!(written, traffic([(USAGE_FILTER, 1)]));
    let last = terms["usage_filter"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["group_values"], json!(["a", "c"]));
}

#[tokio::test]
async fn specifiers_of_a_commit_are_changed_in_their_own_call() {
    let world = World::metronome().await;
    let spec = |specifiers: Value| with(acme(), "/spec/metronome/commits/0/specifiers", specifiers);
    let (written, _) = settle(&world, &spec(json!([{"productId": PRODUCT}]))).await;
    assert_eq!(written, traffic([(CREATE, 1)]));
    let (written, terms) = settle(&world, &spec(json!([{"productId": OTHER_PRODUCT}]))).await;
    assert_eq!(written, traffic([(EDIT_COMMIT, 1)]));
    assert_eq!(terms["commits"][0]["specifiers"][0]["product_id"], OTHER_PRODUCT);
}
