//! What is put on record before it is written to billing, and what comes of it when the operator is killed.

use std::{process::Command, time::Duration};

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    World, metronome,
    plane::Plane,
    run,
    terms::{ORG, PRICE, acme, contract, organization, with, without},
    world::{message, reason},
};

const RECORD: &str = "countersign-writes";

/// What stands on record of writes; nothing where there is no record.
async fn record(world: &World) -> Option<Value> {
    let record = world.api("v1", "ConfigMap").get_opt(RECORD).await.unwrap();
    record.map(|record| record.data["data"].clone())
}

/// The operator dies in the middle of its next write: billing has carried it out, and nobody hears of it. Git says something
/// else by the time that it comes back.
async fn killed_in_a_write(world: &mut World, fault: Value, write: &Value, meanwhile: impl AsyncFn(&World)) {
    let act = async |world: &World| drop(world.apply(write).await);
    killed_in(world, fault, act, meanwhile).await;
}

/// The same, where the write comes of something else.
async fn killed_in(
    world: &mut World,
    fault: Value,
    act: impl AsyncFn(&World),
    meanwhile: impl AsyncFn(&World),
) {
    let delayed = async |world: &World| {
        world.sim.requests().await.iter().filter(|request| request.fault.is_some()).count()
    };
    let before = delayed(world).await;
    let mut fault = fault;
    fault.as_object_mut().unwrap().extend([
        ("kind".to_owned(), json!("delay_reply")),
        ("delay_ms".to_owned(), json!(15_000)),
        ("count".to_owned(), json!(1)),
    ]);
    world.sim.fault(fault).await;
    act(world).await;
    while delayed(world).await == before {
        sleep(Duration::from_millis(20)).await;
    }
    world.take_operator().kill();
    meanwhile(world).await;
    world.start_operator().await;
}

fn put() -> Value {
    json!({"method": "PUT"})
}

#[tokio::test]
async fn what_a_killed_operator_has_written_is_its_own_though_git_has_changed() {
    let mut world = World::start().await;
    let dearer = |price: &str| with(acme(), PRICE, json!(price));
    for (write, then) in [("0.50", "0.49"), ("0.48", "0.47")] {
        killed_in_a_write(&mut world, put(), &dearer(write), async |world| {
            world.apply(&dearer(then)).await;
        })
        .await;
        let ready = world.until_ready("acme").await;
        assert_eq!(ready["status"]["contractId"], world.sim.contract(ORG).await["contract_id"]);
        let billed = world.sim.contract(ORG).await;
        assert_eq!(billed["items"][0]["rate_tiers"][0]["unit_price"].to_string(), then);
    }
    assert_eq!(world.sim.calls(ORG).await.puts, 4);
}

#[tokio::test]
async fn what_a_killed_operator_had_just_made_ends_with_its_resource() {
    let mut world = World::start().await;
    let cancels = with(acme(), "/spec/deletionPolicy", json!("Cancel"));
    killed_in_a_write(&mut world, put(), &cancels, async |world| {
        world.apply(&with(cancels.clone(), PRICE, json!("0.49"))).await;
        world.delete("acme").await;
    })
    .await;
    world.until_object_gone("BillingContract", "acme").await;
    assert_eq!(world.sim.contract(ORG).await["status"], "canceled");
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}

#[tokio::test]
async fn an_end_that_a_killed_operator_has_carried_out_lets_its_resource_go() {
    let mut world = World::start().await;
    world.apply(&with(acme(), "/spec/deletionPolicy", json!("Cancel"))).await;
    world.until_ready("acme").await;
    killed_in(&mut world, put(), async |world| world.delete("acme").await, async |_| {}).await;
    world.until_object_gone("BillingContract", "acme").await;
    assert_eq!(world.sim.contract(ORG).await["status"], "canceled");
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}

#[tokio::test]
async fn without_its_record_a_resource_that_may_have_made_its_contract_stays_and_says_so() {
    let mut world = World::start().await;
    let cancels = with(acme(), "/spec/deletionPolicy", json!("Cancel"));
    killed_in_a_write(&mut world, put(), &cancels, async |world| {
        world.delete_object("ConfigMap", RECORD).await;
        world.delete("acme").await;
    })
    .await;
    let contract = world.until("acme", |contract| reason(contract) == "OwnershipUnproven").await;
    let why = message(&contract);
    assert!(why.contains("billing.countersign.dev/release=true"), "{why}");
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn what_a_killed_operator_has_set_of_a_contract_is_taken_out_when_git_takes_it_out() {
    let mut world = World::metronome().await;
    let plain = without(metronome::acme(), "/spec/metronome/netPaymentTermsDays");
    world.apply(&plain).await;
    world.until_ready("acme").await;
    killed_in_a_write(&mut world, json!({"path": metronome::EDIT}), &metronome::acme(), async |world| {
        world.apply(&plain).await;
    })
    .await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.terms(metronome::CUSTOMER).await["net_payment_terms_days"], Value::Null);
}

#[tokio::test]
async fn what_a_killed_operator_has_made_for_a_customer_whom_git_no_longer_names_is_held_and_the_only_one() {
    let mut world = World::metronome().await;
    let other = metronome::customer(1);
    world.sim.seed_customers(std::slice::from_ref(&other)).await;
    // It sets nothing that would have to be on record for another reason.
    let plain = without(metronome::bare("acme", metronome::CUSTOMER), "/spec/metronome/name");
    killed_in_a_write(&mut world, json!({"path": metronome::CREATE}), &plain, async |world| {
        world.apply(&with(plain.clone(), "/spec/metronome/customerId", json!(other))).await;
    })
    .await;
    let why = world.until_stalled("acme", "ImmutableField").await;
    let made = world.sim.only(metronome::CUSTOMER).await["id"].clone();
    assert!(why.contains(made.as_str().unwrap()) && why.contains(&other), "{why}");
    assert_eq!(world.sim.held(&other).await, [Value::Null; 0]);
    // The customer is restored, as the refusal says.
    world.apply(&plain).await;
    assert_eq!(world.until_ready("acme").await["status"]["contractId"], made);
    assert_eq!(world.sim.sent(metronome::CREATE).await.len(), 1);
}

#[tokio::test]
async fn nothing_is_written_that_could_not_be_put_on_record() {
    let world = World::start().await;
    let locked = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": RECORD}, "immutable": true, "data": {}});
    world.apply(&locked).await;
    world.apply(&acme()).await;
    let why = world.until_waiting("acme", "NotOnRecord").await;
    assert!(why.contains(RECORD) && why.contains("immutable"), "{why}");
    assert_eq!(world.sim.calls(ORG).await.puts, 0);
    world.delete_object("ConfigMap", RECORD).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn what_was_reported_is_taken_off_the_record_and_what_is_in_sync_never_comes_there() {
    const CONTRACTS: usize = 12;
    let mut world = World::start().await;
    let contracts: Vec<_> = (0..CONTRACTS).map(|n| contract(&format!("c{n}"), &organization(n))).collect();
    for n in 0..CONTRACTS {
        world.sim.register(&organization(n)).await;
    }
    world.create_all(&contracts).await;
    for n in 0..CONTRACTS {
        world.until_ready(&format!("c{n}")).await;
    }
    assert!(record(&world).await.is_some(), "it was announced");
    while record(&world).await != Some(Value::Null) {
        sleep(Duration::from_millis(200)).await;
    }
    let version = async |world: &World| {
        world.api("v1", "ConfigMap").get(RECORD).await.unwrap().metadata.resource_version
    };
    let before = version(&world).await;
    world.stop_operator().await;
    world.start_operator().await;
    world.second_look(u64::try_from(CONTRACTS).unwrap()).await;
    assert_eq!(version(&world).await, before);
}

#[tokio::test]
async fn an_announcement_goes_when_there_is_no_such_contract() {
    let mut world = World::start().await;
    let acme = acme();
    killed_in_a_write(&mut world, put(), &acme, async |world| {
        let data = record(world).await.unwrap();
        let (_, announced) = data.as_object().unwrap().iter().next().unwrap();
        let announced: Value = serde_json::from_str(announced.as_str().unwrap()).unwrap();
        assert_eq!((&announced["namespace"], &announced["name"]), (&json!(world.namespace), &json!("acme")));
        // One by a name that nobody has, and one by the name of another contract, which was made anew.
        let gone = with(announced.clone(), "/name", json!("gone")).to_string();
        let former = announced.to_string();
        world.patch("ConfigMap", RECORD, json!({"data": {"gone": gone, "former": former}})).await;
    })
    .await;
    world.until_ready("acme").await;
    while record(&world).await.is_some_and(|data| data.as_object().is_some_and(|data| !data.is_empty())) {
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn a_record_that_somebody_changes_or_deletes_is_written_anew() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let others = json!({"metadata": {"annotations": {"billing.countersign.dev/fence": "7"}}, "data": {"note": "mine"}});
    world.patch("ConfigMap", RECORD, others).await;
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    let fence = world.until_ready("acme").await["status"]["fence"].as_i64();
    assert!(fence > Some(7), "this leadership is the later one: {fence:?}");
    world.delete_object("ConfigMap", RECORD).await;
    world.apply(&with(acme(), PRICE, json!("0.48"))).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 3);
}

#[tokio::test]
async fn a_write_that_a_later_version_has_announced_stays_on_record_and_none_is_made_beside_it() {
    let mut world = World::start().await;
    let acme = world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.stop_operator().await;
    let uid = acme["metadata"]["uid"].as_str().unwrap();
    let announced = r#"{"format": 2, "sends": "something"}"#;
    let records = world.api("v1", "ConfigMap");
    let patch = Patch::Merge(json!({"data": {uid: announced}}));
    records.patch(RECORD, &PatchParams::default(), &patch).await.unwrap();

    // The version before it takes its turn.
    world.apply(&with(self::acme(), PRICE, json!("0.48"))).await;
    world.start_operator().await;
    let why = world.until_stalled("acme", "Undecodable").await;
    assert!(why.contains("in format 2") && why.contains("countersign-writes"), "{why}");
    // It goes on with others, whose writes are put on the same record.
    for n in 1..=2 {
        world.sim.register(&organization(n)).await;
        world.apply(&contract(&format!("other-{n}"), &organization(n))).await;
        world.until_ready(&format!("other-{n}")).await;
    }
    assert_eq!(record(&world).await.unwrap()[uid], announced);
    assert_eq!(world.sim.calls(ORG).await.puts, 1);

    // Somebody who knows what became of it takes it off the record, as the message says.
    let (_, cure) = why.split_once("record: kubectl ").unwrap();
    let cure = format!("{} {cure}", Plane::shared().kubectl_command());
    run(Command::new("bash").args(["-c", &cure]));
    world.reconcile("acme").await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}
