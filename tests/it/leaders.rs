//! Only the leader's word counts, in the cluster as in billing.

use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::time::sleep;

use crate::support::{
    DEADLINE, World, kstatus,
    operator::Operator,
    plane::Plane,
    sim::{Calls, TOKEN},
    terms::{ORG, PRICE, acme, contract, organization, provider, secret, with},
};

const LEASE: &str = "Lease";

/// A second operator beside the world's own.
async fn standby(world: &World) -> Operator {
    let mut options = world.options.clone();
    "operator-1".clone_into(&mut options.identity);
    options.log = world.folder().join("standby.log");
    let operator = Operator::start(&options).await;
    while operator.get("/readyz").await.0 != 200 {
        sleep(Duration::from_millis(50)).await;
    }
    operator
}

/// A world whose operator leads by a short lease, and has brought the contract into sync.
async fn short_lease() -> World {
    let mut world = World::bare().await;
    world.connect().await;
    world.options.lease_seconds = 6;
    world.start_operator().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world
}

async fn until_leading(operator: &Operator) {
    while operator.metric("countersign_leader", "").await != 1 {
        sleep(Duration::from_millis(50)).await;
    }
}

async fn fence(world: &World) -> i64 {
    world.get("acme").await["status"]["fence"].as_i64().unwrap()
}

#[tokio::test]
async fn a_leader_that_slept_in_the_middle_of_a_write_never_writes_over_the_next_one() {
    let mut world = short_lease().await;
    let second = standby(&world).await;
    let before = fence(&world).await;
    // The first one sleeps while it waits for the reply to a write.
    world.sim.fault(json!({"kind": "delay_reply", "method": "PUT", "delay_ms": 1500, "count": 1})).await;
    world.apply(&with(acme(), PRICE, json!("0.41"))).await;
    while world.sim.calls(ORG).await.puts < 2 {
        sleep(Duration::from_millis(10)).await;
    }
    world.operator().signal("STOP");
    world.apply(&with(acme(), PRICE, json!("0.42"))).await;
    until_leading(&second).await;
    let contract = world.until_ready("acme").await;
    let after = fence(&world).await;
    assert!(after > before, "{before} {after}");

    let looks = world.sim.calls(ORG).await.gets;
    world.operator().signal("CONT");
    // It notices that its write may have come late, says so, and the leader looks again.
    while world.lease().await["metadata"]["annotations"]["billing.countersign.dev/late-write"].is_null() {
        sleep(Duration::from_millis(50)).await;
    }
    while world.sim.calls(ORG).await.gets == looks {
        sleep(Duration::from_millis(50)).await;
    }
    world.reconcile("acme").await;
    let last = world.until_ready("acme").await;
    for field in ["contractId", "lastApplied", "account", "fence"] {
        assert_eq!(last["status"][field], contract["status"][field], "{field}");
    }
    let fences: Vec<_> =
        world.versions("acme").await.iter().filter_map(|v| v["status"]["fence"].as_i64()).collect();
    assert!(fences.is_sorted(), "{fences:?}");
    let billed = world.sim.contract(ORG).await;
    assert_eq!(billed["items"][0]["rate_tiers"][0]["unit_price"], 0.42);
    assert_eq!(world.operator().metric("countersign_contracts", "").await, 0, "only the leader counts");
    assert_eq!(world.operator().metric("countersign_leader", "").await, 0);
    assert!(world.operator().runs());
}

#[tokio::test]
async fn a_status_that_was_written_meanwhile_is_gone_on_from_and_not_written_over() {
    let mut world = World::start().await;
    world.sim.fault(json!({"kind": "delay_reply", "method": "PUT", "delay_ms": 1500, "count": 1})).await;
    world.apply(&acme()).await;
    while world.sim.calls(ORG).await.puts < 1 {
        sleep(Duration::from_millis(10)).await;
    }
    // The last word of a leader before this one, which comes late.
    let since = "2026-01-02T03:04:05Z";
    let ready = json!({"type": "Ready", "status": "True", "reason": "InSync", "message": "", "observedGeneration": 1, "lastTransitionTime": since});
    let late = json!({"status": {"observedGeneration": 1, "conditions": [ready]}});
    let contracts = world.api("billing.countersign.dev/v1alpha1", "BillingContract");
    contracts.patch_status("acme", &PatchParams::default(), &Patch::Merge(late)).await.unwrap();

    let written = world.until("acme", |contract| contract["status"]["contractId"].is_string()).await;
    world.stop_operator().await;
    assert_eq!(kstatus::condition(&written, "Ready").unwrap()["lastTransitionTime"], since);
    assert!(world.log().contains("the status was written by somebody else meanwhile"), "{}", world.log());
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 2, puts: 1 }, "the write is known by its record");
}

#[tokio::test]
async fn a_leader_that_takes_over_looks_again_once_a_write_of_the_last_one_can_no_longer_come() {
    let mut world = short_lease().await;
    world.take_operator().kill();
    let mut options = world.options.clone();
    "operator-1".clone_into(&mut options.identity);
    let second = Operator::start(&options).await;
    until_leading(&second).await;
    while world.sim.calls(ORG).await.gets < 2 {
        sleep(Duration::from_millis(20)).await;
    }
    // What the one before had sent arrives only now.
    world.sim.change(ORG, |body| body["items"][0]["rate_tiers"][0]["unit_price"] = json!(0.99)).await;
    while world.sim.calls(ORG).await.puts < 2 {
        sleep(Duration::from_millis(50)).await;
    }
    world.until_ready("acme").await;
    assert!(second.stop().await.success());
}

#[tokio::test]
async fn a_lease_that_is_deleted_or_given_away_by_hand_never_makes_two_leaders() {
    let mut world = short_lease().await;
    let second = standby(&world).await;
    for round in 0..3 {
        match round {
            0 => world.delete_object(LEASE, "countersign").await,
            1 => world.patch(LEASE, "countersign", json!({"spec": {"holderIdentity": null}})).await,
            _ => world.patch(LEASE, "countersign", json!({"spec": {"holderIdentity": "operator-1"}})).await,
        }
        let until = Instant::now() + Duration::from_secs(8);
        while Instant::now() < until {
            let first = world.operator().metric("countersign_leader", "").await;
            let both = first + second.metric("countersign_leader", "").await;
            assert!(both <= 1, "round {round}");
            sleep(Duration::from_millis(20)).await;
        }
        world.apply(&with(acme(), PRICE, json!(format!("0.4{round}")))).await;
        world.until_ready("acme").await;
        for operator in [world.operator(), &second] {
            let leads = operator.metric("countersign_leader", "").await;
            assert_eq!(operator.metric("countersign_contracts", "").await, leads, "only the leader counts");
        }
    }
    assert_eq!(world.sim.calls(ORG).await.puts, 4);
}

#[tokio::test]
async fn who_holds_the_lease_that_is_waited_for_is_told() {
    let mut world = World::bare().await;
    let held = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": LEASE, "metadata": {"name": "countersign"},
        "spec": {"holderIdentity": "somebody", "leaseDurationSeconds": i32::MAX, "leaseTransitions": 1},
    });
    world.apply(&held).await;
    world.options.lease_seconds = 6;
    world.start_operator().await;
    let give_up = Instant::now() + DEADLINE;
    while !world.log().contains(r#""holder":"somebody","seconds":3600"#) {
        assert!(Instant::now() < give_up, "{}", world.log());
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.operator().metric("countersign_leader", "").await, 0);
    world.stop_operator().await;
}

#[tokio::test]
async fn statuses_can_be_written_also_after_the_lease_s_count_began_anew() {
    let mut world = short_lease().await;
    world.stop_operator().await;
    world.patch(LEASE, "countersign", json!({"spec": {"leaseTransitions": 40}})).await;
    world.start_operator().await;
    world.apply(&with(acme(), PRICE, json!("0.41"))).await;
    world.until_ready("acme").await;
    assert_eq!(fence(&world).await, 41);
    world.stop_operator().await;
    world.delete_object(LEASE, "countersign").await;
    world.start_operator().await;
    world.apply(&with(acme(), PRICE, json!("0.42"))).await;
    world.until_ready("acme").await;
    assert_eq!(fence(&world).await, 42);
}

#[tokio::test]
async fn an_operator_without_election_leads() {
    let mut world = World::bare().await;
    world.connect().await;
    world.options.election = false;
    world.start_operator().await;
    world.apply(&acme()).await;
    let contract = world.until_ready("acme").await;
    assert!(contract["status"]["fence"].is_null());
    assert_eq!(world.operator().metric("countersign_leader", "").await, 1);
    world.stop_operator().await;
}

#[tokio::test]
async fn a_cluster_restored_from_a_backup_is_acted_on_within_seconds() {
    let plane = Plane::of_its_own("restored");
    let mut world = World::bare_on(&plane).await;
    world.apply(&secret(TOKEN)).await;
    world.apply(&with(provider(&world.sim.url), "/spec/syncPeriodSeconds", json!(3600))).await;
    world.start_operator().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    plane.back_up();
    // What happens from now on is lost, and gives versions that come back only after a long time.
    for n in 0..20 {
        world.apply(&with(acme(), PRICE, json!(format!("0.{}", 50 + n)))).await;
    }
    world.until_ready("acme").await;
    plane.restore();
    world.persist(&with(acme(), PRICE, json!("0.31"))).await;
    let other = organization(1);
    world.sim.register(&other).await;
    world.persist(&contract("other", &other)).await;
    let started = Instant::now();
    for (organization, price) in [(ORG, 0.31), (other.as_str(), 0.5)] {
        loop {
            let billed = world.sim.contracts(organization).await;
            if billed.first().is_some_and(|billed| billed["items"][0]["rate_tiers"][0]["unit_price"] == price)
            {
                break;
            }
            assert!(started.elapsed() < Duration::from_mins(1), "{billed:?}\n{}", world.log());
            sleep(Duration::from_millis(50)).await;
        }
    }
    println!("acted on after {:?}", started.elapsed());
    while kstatus::compute(&world.get("acme").await) != kstatus::Standing::Current {
        assert!(started.elapsed() < Duration::from_mins(2), "{}", world.log());
        sleep(Duration::from_millis(100)).await;
    }
}
