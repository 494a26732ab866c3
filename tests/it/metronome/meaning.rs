//! What an item, a key, an amount and a customer mean: never the contract of another key, the customer of an old alias, the
//! item of somebody else, the quantity of another day, or a sum that is only nearly the same.

use serde_json::{Value, json};

use super::once::lose_an_edit_that_is_undone;
use crate::support::{
    World, kstatus,
    metronome::{
        ALIAS, CREATE, CUSTOMER, EDIT, EUR, PRODUCT, RATE_CARD, START, acme, bare, contract, customer,
        from_package, package, plus, traffic, writes,
    },
    terms::{with, without},
    world::{message, reason},
};

/// Terms of a contract with one commit of 1,000 USD for each key, all of one product and time.
fn commits(keys: &[(&str, &str)]) -> Value {
    let commit = |(key, amount): &(&str, &str)| {
        json!({"key": key, "productId": PRODUCT, "type": "PREPAID", "name": key, "accessSchedule": {"scheduleItems":
            [{"amount": amount, "startingAt": START, "endingBefore": "2036-01-01T00:00:00Z"}]}})
    };
    json!({"rateCardId": RATE_CARD, "commits": keys.iter().map(commit).collect::<Vec<_>>()})
}

/// Items of a list that are in force.
async fn live(world: &World, list: &str) -> Vec<Value> {
    let items = world.sim.terms(CUSTOMER).await[list].as_array().cloned().unwrap_or_default();
    items.into_iter().filter(|item| item["archived_at"].is_null()).collect()
}

/// Two contracts of one customer, of which one's key is the end of the other's, with keys told in this way.
async fn of_two_keys(told: &str) {
    let world = World::metronome().await;
    world.sim.set(json!({"metronome_contract_keys": told})).await;
    let keyed = |name: &str, key: &str, days: &str| {
        let terms = json!({"uniquenessKey": key, "netPaymentTermsDays": days});
        with(plus(bare(name, CUSTOMER), &terms), "/spec/deletionPolicy", json!("Cancel"))
    };
    world.apply(&keyed("first", "2026:acme", "30")).await;
    let first = world.until_ready("first").await["status"]["contractId"].clone();
    world.apply(&keyed("second", "acme", "60")).await;
    assert_ne!(world.until_ready("second").await["status"]["contractId"], first, "{told}");
    assert_eq!(world.sim.held(CUSTOMER).await.len(), 2, "{told}");
    world.delete("second").await;
    world.until_gone("second", 1).await;
    world.reconcile("first").await;
    let held = world.sim.held(CUSTOMER).await;
    let first = held.iter().find(|contract| contract["id"] == first).unwrap();
    let days = &first["contract"]["net_payment_terms_days"];
    assert_eq!((&first["state"], days, &first["edits"]), (&json!("active"), &json!(30), &json!(0)), "{told}");
}

#[tokio::test]
async fn a_key_that_is_the_end_of_another_is_that_of_another_contract() {
    futures::join!(of_two_keys("plain"), of_two_keys("prefixed"));
}

#[tokio::test]
async fn a_new_contract_is_of_the_customer_whom_its_alias_means_now() {
    let world = World::metronome().await;
    let other = customer(1);
    world.sim.seed_customers(std::slice::from_ref(&other)).await;
    let by_alias = |name: &str| {
        let spec = without(bare(name, CUSTOMER), "/spec/metronome/customerId");
        plus(spec, &json!({"customerAlias": ALIAS}))
    };
    world.apply(&by_alias("before")).await;
    let before = world.until_ready("before").await;
    assert_eq!(before["status"]["customerId"], CUSTOMER);
    for (id, aliases) in [(CUSTOMER, json!([])), (other.as_str(), json!([ALIAS]))] {
        let path = format!("/v1/customers/{id}/setIngestAliases");
        world.sim.call(&path, &json!({"ingest_aliases": aliases})).await;
    }
    world.apply(&by_alias("after")).await;
    let after = world.until_ready("after").await;
    assert_eq!(after["status"]["customerId"], other.as_str());
    assert_eq!((world.sim.held(CUSTOMER).await.len(), world.sim.held(&other).await.len()), (1, 1));
    // What was made already stays where it is.
    assert_eq!(world.reconcile("before").await["status"]["contractId"], before["status"]["contractId"]);
    assert_eq!(world.sim.held(CUSTOMER).await.len(), 1);
}

#[tokio::test]
async fn a_quantity_that_is_planned_for_later_is_shown_and_not_taken_for_the_one_in_force() {
    let world = World::metronome().await;
    let terms = json!({"rateCardId": RATE_CARD, "subscriptions": [{
        "key": "platform", "collectionSchedule": "ADVANCE", "initialQuantity": "10", "name": "Platform",
        "proration": {"isProrated": true, "invoiceBehavior": "BILL_IMMEDIATELY"},
        "subscriptionRate": {"billingFrequency": "MONTHLY", "productId": PRODUCT},
    }]});
    let spec = plus(bare("acme", CUSTOMER), &terms);
    world.apply(&spec).await;
    world.until_ready("acme").await;
    let id = live(&world, "subscriptions").await[0]["id"].clone();
    let later = json!({"subscription_id": id, "quantity_updates": [{"starting_at": "2030-01-01T00:00:00Z", "quantity": 20}]});
    world.sim.edit(CUSTOMER, json!({"update_subscriptions": [later]})).await;
    let shown = world.reconcile("acme").await;
    assert!(shown["status"]["drift"].to_string().contains("2030-01-01"), "{shown:#}");
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([]));
    world.apply(&with(spec, "/spec/metronome/subscriptions/0/initialQuantity", json!("20"))).await;
    world.until_ready("acme").await;
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([(EDIT, 1)]));
    let asked = json!({"customer_id": CUSTOMER, "contract_id": world.sim.only(CUSTOMER).await["id"], "subscription_id": id});
    let told = world.sim.call("/v1/contracts/getSubscriptionQuantityHistory", &asked).await;
    let history = told["data"]["history"].as_array().unwrap();
    let now = history.iter().rfind(|part| part["starting_at"].as_str() < Some("2027")).unwrap();
    assert_eq!(now["data"][0]["quantity"], 20, "twenty now and not in 2030: {history:#?}");
}

#[tokio::test]
async fn parts_of_a_divided_amount_that_come_to_another_sum_are_corrected_to_the_last_cent() {
    let world = World::metronome().await;
    let divided = json!({"rateCardId": RATE_CARD, "scheduledCharges": [{"key": "fee", "productId": PRODUCT, "name": "Fee",
        "schedule": {"creditTypeId": EUR, "recurringSchedule": {"amountDistribution": "DIVIDED", "frequency": "MONTHLY",
            "amount": "12", "startingAt": "2035-01-01T00:00:00Z", "endingBefore": "2036-01-01T00:00:00Z"}}}]});
    world.apply(&plus(bare("acme", CUSTOMER), &divided)).await;
    world.until_ready("acme").await;
    let parts = async || {
        let charges = live(&world, "scheduled_charges").await;
        assert_eq!(charges.len(), 1, "{charges:#?}");
        charges[0]["schedule"]["schedule_items"].as_array().unwrap().clone()
    };
    let sum = |parts: &[Value]| {
        let amounts =
            parts.iter().map(|part| part["amount"].to_string().parse::<rust_decimal::Decimal>().unwrap());
        amounts.sum::<rust_decimal::Decimal>().normalize().to_string()
    };
    let before = parts().await;
    assert_eq!((before.len(), sum(&before).as_str()), (12, "12"));
    let dearer: Vec<_> = before.iter().map(|part| json!({"id": part["id"], "amount": 1.08})).collect();
    let charge = live(&world, "scheduled_charges").await[0]["id"].clone();
    let update =
        json!({"scheduled_charge_id": charge, "invoice_schedule": {"update_schedule_items": dearer}});
    world.sim.edit(CUSTOMER, json!({"update_scheduled_charges": [update]})).await;
    assert_eq!(sum(&parts().await), "12.96");
    world.reconcile("acme").await;
    world.until_ready("acme").await;
    assert_eq!(sum(&parts().await), "12");
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([(EDIT, 1)]));
}

#[tokio::test]
async fn a_schedule_whose_month_ends_billing_counts_otherwise_is_added_once_and_never_again() {
    for ends in ["from_start", "carried", "last_day"] {
        let world = World::metronome().await;
        world.sim.set(json!({"metronome_month_ends": ends})).await;
        world.apply(&acme()).await;
        world.until_ready("acme").await;
        let mut spec = acme();
        let more = json!({"key": "support", "productId": PRODUCT, "name": "Support", "schedule": {"recurringSchedule": {
            "amountDistribution": "EACH", "frequency": "MONTHLY", "amount": "500",
            "startingAt": "2035-01-31T00:00:00Z", "endingBefore": "2035-07-01T00:00:00Z"}}});
        spec["spec"]["metronome"]["scheduledCharges"].as_array_mut().unwrap().push(more);
        world.apply(&spec).await;
        for _ in 0..4 {
            world.reconcile("acme").await;
        }
        let contract = world.get("acme").await;
        let charges = live(&world, "scheduled_charges").await;
        assert_eq!(charges.len(), 2, "{ends}: {}", message(&contract));
        let ready = kstatus::compute(&contract) == kstatus::Standing::Current;
        let named = message(&contract).contains("/scheduledCharges/support")
            || contract["status"]["drift"].to_string().contains("/scheduledCharges/support");
        let items = charges[1]["schedule"]["schedule_items"].as_array().unwrap().len();
        assert!(ready || named, "{ends}: {items} {}", message(&contract));
        assert_eq!(items, 6, "{ends}: each month once: {:#?}", charges[1]);
    }
}

#[tokio::test]
async fn what_others_put_into_a_list_that_the_spec_does_not_have_is_reported_with_a_package_as_well() {
    let world = World::metronome().await;
    let million = json!({"product_id": PRODUCT, "name": "A million", "access_schedule": {"schedule_items":
        [{"amount": 100_000_000, "starting_at": "2026-02-01T00:00:00Z", "ending_before": "2027-03-01T00:00:00Z"}]}});
    world.apply(&package("pro")).await;
    let plain = without(acme(), "/spec/metronome/credits");
    let other = customer(1);
    world.sim.seed_customers(std::slice::from_ref(&other)).await;
    let packaged = from_package("packaged", &other, json!({"name": "pro"}));
    let contracts = [("acme", CUSTOMER, plain), ("packaged", other.as_str(), packaged)];
    for (hours, (name, customer, spec)) in (1..).zip(contracts) {
        world.apply(&spec).await;
        world.until_ready(name).await;
        // An hour later than the contract was made, by the clock of whoever tells so.
        let later = chrono::Utc::now() + chrono::TimeDelta::hours(hours);
        world.sim.set_clock(&later.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).await;
        world.sim.edit(customer, json!({"add_credits": [million.clone()]})).await;
        let contract = world.reconcile(name).await;
        assert_eq!(kstatus::status_of(&contract, "Drifted"), Some("True"), "{name}: {contract:#}");
        let drift = contract["status"]["drift"].to_string();
        assert!(drift.contains("A million") && !drift.contains("Included"), "{name}: {drift}");
        assert_eq!(writes(world.sim.traffic(customer).await), traffic([]), "{name}");
    }
}

#[tokio::test]
async fn a_used_key_of_an_edit_is_known_by_either_word_for_it_and_another_conflict_is_told() {
    for word in ["conflict", "unprocessable"] {
        let mut world = World::metronome().await;
        world.sim.set(json!({"metronome_edit_key": word, "metronome_conflict": "code"})).await;
        println!("a used key of an edit is {word}");
        lose_an_edit_that_is_undone(&mut world).await;

        let said = "A billing provider is already configured for this contract";
        world.sim.fault(json!({"kind": "status", "status": 409, "message": said, "path": EDIT})).await;
        world.apply(&with(acme(), "/spec/metronome/name", json!("Acme 2028"))).await;
        let why = world.until_stalled("acme", "Rejected").await;
        assert!(why.contains(said), "{why}");
        world.second_look(1).await;
        assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([(EDIT, 3)]), "{word}: asked once");
    }
}

#[tokio::test]
async fn what_recurs_and_has_not_begun_is_refused_by_name_and_the_rest_of_the_change_is_made() {
    let world = World::metronome().await;
    let late = json!([{
        "key": "late", "productId": PRODUCT, "priority": "50", "startingAt": "2035-01-01T00:00:00Z", "name": "Late",
        "accessAmount": {"unitPrice": "100000", "quantity": "1"}, "commitDuration": {"value": "1"},
        "recurrenceFrequency": "MONTHLY",
    }]);
    world.apply(&plus(acme(), &json!({"recurringCommits": late}))).await;
    world.until_ready("acme").await;
    world.apply(&with(acme(), "/spec/metronome/name", json!("Acme 2027"))).await;
    let why = world.until_stalled("acme", "ImmutableField").await;
    assert!(why.contains("/recurringCommits/late"), "{why}");
    assert_eq!(world.sim.terms(CUSTOMER).await["name"], "Acme 2027");
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1), (EDIT, 1)]));
}

#[tokio::test]
async fn an_item_of_somebody_else_is_not_taken_for_a_new_one_of_the_spec_when_the_record_is_lost() {
    let world = World::metronome().await;
    world.apply(&plus(bare("acme", CUSTOMER), &commits(&[("a", "100000")]))).await;
    world.until_ready("acme").await;
    let theirs = json!({"product_id": PRODUCT, "type": "PREPAID", "name": "By hand", "access_schedule": {"schedule_items":
        [{"amount": 5_000_000, "starting_at": START, "ending_before": "2036-01-01T00:00:00Z"}]}});
    world.sim.edit(CUSTOMER, json!({"add_commits": [theirs]})).await;
    world.reconcile("acme").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    let both = plus(bare("acme", CUSTOMER), &commits(&[("a", "100000"), ("b", "2000")]));
    world.apply(&both).await;
    let why = world.until_stalled("acme", "AmbiguousItem").await;
    assert!(why.contains("commits[b]"), "{why}");
    let amounts: Vec<_> = live(&world, "commits")
        .await
        .iter()
        .map(|commit| commit["access_schedule"]["schedule_items"][0]["amount"].clone())
        .collect();
    assert_eq!(amounts, [json!(100_000), json!(5_000_000)], "nobody's amount was changed");
    assert_eq!(writes(world.sim.traffic(CUSTOMER).await), traffic([]));
}

#[tokio::test]
async fn a_second_resource_that_adopts_what_another_holds_is_refused_and_nothing_flips() {
    let world = World::metronome().await;
    world.apply(&acme()).await;
    let id = world.until_ready("acme").await["status"]["contractId"].clone();
    let second =
        with(contract("second", CUSTOMER), "/spec/adopt", json!({"contractId": id, "mode": "Override"}));
    world.apply(&with(second, "/spec/metronome/netPaymentTermsDays", json!("60"))).await;
    let why = world.until_stalled("second", "DuplicateClaim").await;
    assert!(why.contains(&format!("{}/acme", world.namespace)), "{why}");
    for name in ["acme", "second"] {
        world.reconcile(name).await;
    }
    assert_eq!(reason(&world.get("acme").await), "InSync");
    assert_eq!(world.sim.terms(CUSTOMER).await["net_payment_terms_days"], 30);
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));
}
