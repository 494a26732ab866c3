//! What is billed once is not billed again: nothing is added twice, nothing past is added again, nothing after the end is
//! put back.

use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    metronome::{
        CREATE, CUSTOMER, EDIT, OTHER_PRODUCT, PRODUCT, RATE_CARD, START, USD, acme, bare, from_package,
        package, plus, traffic, writes,
    },
    terms::{with, without},
    world::message,
};

const APPROVED: &str = "/metadata/annotations";

/// A contract with a monthly template of commits and a monthly subscription, both since its start.
fn monthly() -> Value {
    let template = json!([{
        "key": "monthly", "productId": PRODUCT, "priority": "50", "startingAt": START, "name": "Monthly",
        "accessAmount": {"unitPrice": "100000", "quantity": "1"},
        "invoiceAmount": {"unitPrice": "100000", "quantity": "1", "creditTypeId": USD},
        "commitDuration": {"value": "1"}, "recurrenceFrequency": "MONTHLY",
    }]);
    let subscription = json!([{
        "key": "platform", "collectionSchedule": "ADVANCE", "initialQuantity": "10", "name": "Platform",
        "proration": {}, "startingAt": START,
        "subscriptionRate": {"billingFrequency": "MONTHLY", "productId": PRODUCT},
    }]);
    let terms = json!({"rateCardId": RATE_CARD, "recurringCommits": template, "subscriptions": subscription});
    plus(bare("acme", CUSTOMER), &terms)
}

/// Items of a list that are in force.
async fn live(world: &World, list: &str) -> Vec<Value> {
    let terms = world.sim.terms(CUSTOMER).await;
    let items = terms[list].as_array().cloned().unwrap_or_default();
    items.into_iter().filter(|item| item["archived_at"].is_null()).collect()
}

/// The contract with one more commit.
fn topped_up(members: &Value) -> Value {
    let mut spec = acme();
    let mut more = spec["spec"]["metronome"]["commits"][0].clone();
    more["key"] = json!("more");
    more.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    spec["spec"]["metronome"]["commits"].as_array_mut().unwrap().push(more);
    spec
}

#[tokio::test]
async fn what_was_taken_out_and_comes_back_goes_on_and_three_months_are_billed_once() {
    let world = World::metronome().await;
    world.sim.set_clock("2026-03-15T12:00:00Z").await;
    world.apply(&monthly()).await;
    world.until_ready("acme").await;
    assert_eq!(live(&world, "commits").await.len(), 3);
    let id = world.sim.only(CUSTOMER).await["id"].as_str().unwrap().to_owned();
    let billed = async || {
        let invoices = world.sim.invoices(&id).await;
        let each = |invoice: &Value| (invoice["issued_at"].to_string(), invoice["total"].to_string());
        let mut all: Vec<_> = invoices.iter().map(each).collect();
        all.sort();
        all
    };
    let before = billed().await;
    assert!(before.len() >= 3, "{before:?}");
    for list in ["recurringCommits", "subscriptions"] {
        world.apply(&without(monthly(), &format!("/spec/metronome/{list}"))).await;
        world.until_ready("acme").await;
        world.apply(&monthly()).await;
        world.until_ready("acme").await;
    }
    let (templates, subscriptions) =
        (live(&world, "recurring_commits").await, live(&world, "subscriptions").await);
    assert_eq!((templates.len(), subscriptions.len()), (1, 1));
    assert_eq!(
        (&templates[0]["ending_before"], &subscriptions[0]["ending_before"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(live(&world, "commits").await.len(), 3, "January, February and March, once");
    assert_eq!(billed().await, before, "no invoice more, and none less");
}

#[tokio::test]
async fn another_name_or_key_does_not_bill_the_past_again_and_the_advice_says_how() {
    let world = World::metronome().await;
    world.sim.set_clock("2026-03-15T12:00:00Z").await;
    world.apply(&monthly()).await;
    world.until_ready("acme").await;
    let renamed = with(monthly(), "/spec/metronome/recurringCommits/0/name", json!("Every month"));
    world.apply(&renamed).await;
    let why = world.until_stalled("acme", "ImmutableField").await;
    assert!(why.contains("another `key`, and a new `startingAt`"), "{why}");
    let renewed = with(renamed, "/spec/metronome/recurringCommits/0/key", json!("renewed"));
    world.apply(&renewed).await;
    let why = world.until_stalled("acme", "BackdatedItem").await;
    assert!(why.contains("`backdate: true`"), "{why}");
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));
    world
        .apply(&with(renewed, "/spec/metronome/recurringCommits/0/startingAt", json!("2035-01-01T00:00:00Z")))
        .await;
    world.until_ready("acme").await;
    let templates = live(&world, "recurring_commits").await;
    assert_eq!(templates.len(), 2);
    assert!(templates[0]["ending_before"].is_string(), "the old one ends: {templates:#?}");
    assert_eq!(live(&world, "commits").await.len(), 3);
}

#[tokio::test]
async fn what_was_archived_is_not_added_again_with_its_past_unless_the_spec_says_so() {
    for archived in ["shown", "hidden"] {
        let world = World::metronome().await;
        world.sim.set(json!({"metronome_archived_items": archived})).await;
        world.apply(&acme()).await;
        world.until_ready("acme").await;
        for (list, wire) in
            [("commits", "commits"), ("credits", "credits"), ("scheduledCharges", "scheduled_charges")]
        {
            world.apply(&without(acme(), &format!("/spec/metronome/{list}"))).await;
            world.until_ready("acme").await;
            let edits = world.sim.only(CUSTOMER).await["edits"].clone();
            world.apply(&acme()).await;
            let why = world.until_stalled("acme", "BackdatedItem").await;
            assert!(why.contains(&format!("/{list}/")), "{archived}: {why}");
            assert_eq!(world.sim.only(CUSTOMER).await["edits"], edits, "{archived}");
            world.apply(&with(acme(), &format!("/spec/metronome/{list}/0/backdate"), json!(true))).await;
            world.until_ready("acme").await;
            assert_eq!(live(&world, wire).await.len(), 1, "{archived}");
        }
    }
}

#[tokio::test]
async fn a_charge_is_renamed_with_what_is_still_to_come_only() {
    let world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let renamed = |spec| with(spec, "/spec/metronome/scheduledCharges/0/name", json!("Onboarding"));
    world.apply(&renamed(acme())).await;
    let why = world.until_stalled("acme", "ImmutableField").await;
    assert!(why.contains("/scheduledCharges/setup/name: Set-up -> Onboarding"), "{why}");
    assert_eq!(world.sim.all_writes().await, traffic([(CREATE, 1)]));
    let due = "/spec/metronome/scheduledCharges/0/schedule/scheduleItems/0/timestamp";
    let later = with(acme(), due, json!("2035-01-01T00:00:00Z"));
    world.apply(&later).await;
    world.until_ready("acme").await;
    world.apply(&renamed(later)).await;
    world.until_ready("acme").await;
    let charges = live(&world, "scheduled_charges").await;
    assert_eq!((charges.len(), &charges[0]["name"]), (1, &json!("Onboarding")));
}

#[tokio::test]
async fn an_earlier_end_cuts_what_is_wanted_and_nothing_after_it_is_put_back() {
    for distribution in ["EACH", "DIVIDED"] {
        let world = World::metronome().await;
        let quarterly = json!({"recurringSchedule": {"amountDistribution": distribution, "frequency": "QUARTERLY",
            "amount": "200000", "startingAt": START, "endingBefore": "2027-01-01T00:00:00Z"}});
        let spec = with(acme(), "/spec/metronome/scheduledCharges/0/schedule", quarterly);
        let spec = with(spec, "/spec/metronome/endingBefore", json!("2027-01-01T00:00:00Z"));
        let second = json!({"timestamp": "2026-09-01T00:00:00Z", "amount": "200000"});
        let mut spec = with(spec, "/spec/metronome/overrides/0/endingBefore", json!("2027-01-01T00:00:00Z"));
        spec["spec"]["metronome"]["commits"][0]["invoiceSchedule"]["scheduleItems"]
            .as_array_mut()
            .unwrap()
            .push(second);
        world.apply(&spec).await;
        world.until_ready("acme").await;
        let end = "2026-05-01T00:00:00Z";
        world.apply(&with(spec, "/spec/metronome/endingBefore", json!(end))).await;
        world.until_ready("acme").await;
        world.reconcile("acme").await;
        let held = world.sim.only(CUSTOMER).await;
        assert_eq!(held["edits"], 1, "{distribution}: {held:#}");
        let terms = &held["contract"];
        let charge = terms["scheduled_charges"][0]["schedule"]["schedule_items"].as_array().unwrap().clone();
        assert_eq!(charge.len(), 2, "January and April: {charge:#?}");
        let invoices = terms["commits"][0]["invoice_schedule"]["schedule_items"].as_array().unwrap();
        assert_eq!(invoices.len(), 1, "{invoices:#?}");
    }
}

/// A commit that is told otherwise than it was sent, by an API with these settings.
async fn told_otherwise(settings: &Value, members: &Value, named: &str) {
    let mut world = World::metronome().await;
    world.sim.set(settings.clone()).await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.apply(&topped_up(members)).await;
    let why = world.until_waiting("acme", "NotYetInForce").await;
    assert!(why.contains(named), "{why}");
    assert_eq!(live(&world, "commits").await.len(), 2);
    world.stop_operator().await;
    world.sim.edit(CUSTOMER, json!({"update_contract_name": "By hand"})).await;
    world.start_operator().await;
    let why = world.until_stalled("acme", "NonConverging").await;
    assert!(why.contains(named), "{why}");
    world.reconcile("acme").await;
    assert_eq!(live(&world, "commits").await.len(), 2, "{named}");
}

#[tokio::test]
async fn what_the_billing_api_tells_otherwise_is_added_once_and_named() {
    let (trimmed, name) = (json!({"metronome_texts": "trimmed"}), json!({"name": "Top-up "}));
    // Nor does the reply to the edit tell what it has added.
    let lowered = json!({"metronome_tags": "lower_case", "metronome_reply": "id"});
    let tags = json!({"applicableProductTags": ["API"]});
    futures::join!(
        told_otherwise(&trimmed, &name, "/commits/more/name"),
        told_otherwise(&lowered, &tags, "/commits/more/applicableProductTags"),
    );
}

#[tokio::test]
async fn an_override_that_is_told_with_more_is_added_once_and_reported() {
    let world = World::metronome().await;
    world.sim.set(json!({"metronome_override_rates": "filled"})).await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let mut spec = acme();
    let overwrite = json!({"startingAt": START, "type": "OVERWRITE", "productId": OTHER_PRODUCT,
        "overwriteRate": {"rateType": "FLAT", "price": "12.50"}});
    spec["spec"]["metronome"]["overrides"].as_array_mut().unwrap().push(overwrite);
    world.apply(&spec).await;
    let contract = world.until("acme", |contract| contract["status"]["drift"].is_array()).await;
    assert!(contract["status"]["drift"].to_string().contains("isProrated"), "{contract:#}");
    for _ in 0..2 {
        world.reconcile("acme").await;
    }
    assert_eq!(live(&world, "overrides").await.len(), 2);
    assert_eq!(world.sim.only(CUSTOMER).await["edits"], 1);
}

#[tokio::test]
async fn what_a_lost_edit_added_is_taken_out_when_git_goes_back() {
    let mut world = World::metronome().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.fault(json!({"kind": "drop_reply", "path": EDIT, "count": 1})).await;
    world.apply(&topped_up(&json!({"name": "More"}))).await;
    world.until_waiting("acme", "WriteUnconfirmed").await;
    world.take_operator().kill();
    assert_eq!(live(&world, "commits").await.len(), 2);
    world.apply(&acme()).await;
    world.start_operator().await;
    world.until_ready("acme").await;
    let commits = live(&world, "commits").await;
    assert_eq!((commits.len(), &commits[0]["name"]), (1, &json!("Launch")));
}

/// Loses the reply to an edit, and has it undone by somebody before the next look: its key is used, and another edit makes it.
pub(super) async fn lose_an_edit_that_is_undone(world: &mut World) {
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.sim.fault(json!({"kind": "drop_reply", "path": EDIT, "count": 1})).await;
    world.apply(&with(acme(), "/spec/metronome/name", json!("Acme 2027"))).await;
    world.until_waiting("acme", "WriteUnconfirmed").await;
    world.take_operator().kill();
    world.sim.edit(CUSTOMER, json!({"update_contract_name": "Acme 2026"})).await;
    world.start_operator().await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.terms(CUSTOMER).await["name"], "Acme 2027");
    assert_eq!(
        writes(world.sim.traffic(CUSTOMER).await),
        traffic([(EDIT, 2)]),
        "the one with the used key, and another"
    );
}

#[tokio::test]
async fn an_edit_that_was_lost_and_undone_is_made_anew_by_another_key() {
    lose_an_edit_that_is_undone(&mut World::metronome().await).await;
}

/// A contract from a package with an override and a commit of its own.
fn from_pro() -> Value {
    let terms = json!({
        "overrides": [{"startingAt": START, "type": "MULTIPLIER", "multiplier": "0.5", "productId": OTHER_PRODUCT}],
        "commits": [{"key": "own", "productId": PRODUCT, "type": "PREPAID", "name": "Own",
            "accessSchedule": {"scheduleItems": [{"amount": "500", "startingAt": START, "endingBefore": "2027-01-01T00:00:00Z"}]}}],
    });
    plus(from_package("acme", CUSTOMER, json!({"name": "pro"})), &terms)
}

#[tokio::test]
async fn a_contract_from_a_package_is_approved_once_with_what_follows() {
    let world = World::metronome().await;
    world.apply(&package("pro")).await;
    let spec = with(from_pro(), "/spec/managementPolicy", json!("Plan"));
    world.apply(&spec).await;
    let waiting = world.until("acme", |contract| contract["status"]["plan"]["digest"].is_string()).await;
    let summary = waiting["status"]["plan"]["summary"].as_str().unwrap();
    assert!(summary.contains("0.5") && summary.contains("Own"), "all that follows is shown: {summary}");
    let approval = json!({"billing.countersign.dev/approved-plan": waiting["status"]["plan"]["digest"]});
    world.apply(&with(spec, APPROVED, approval)).await;
    let ready = world.until_ready("acme").await;
    assert_eq!(ready["status"]["contractId"], world.sim.only(CUSTOMER).await["id"], "{}", message(&ready));
    assert_eq!(live(&world, "commits").await.len(), 2);
    assert_eq!(live(&world, "overrides").await.len(), 2);
    assert_eq!(kstatus::status_of(&ready, "Ready"), Some("True"));
}

#[tokio::test]
async fn an_operator_that_is_killed_while_a_contract_is_made_from_a_package_goes_on() {
    let mut world = World::metronome().await;
    world.apply(&package("pro")).await;
    world.until_package_is("pro", "Published").await;
    world.sim.fault(json!({"kind": "delay_reply", "path": CREATE, "delay_ms": 3000, "count": 1})).await;
    world.apply(&from_pro()).await;
    while world.sim.held(CUSTOMER).await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.take_operator().kill();
    world.start_operator().await;
    world.until_ready("acme").await;
    assert_eq!(live(&world, "commits").await.len(), 2);
    assert_eq!(live(&world, "overrides").await.len(), 2);
    assert_eq!(world.sim.only(CUSTOMER).await["edits"], 1);
}
