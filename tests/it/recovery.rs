//! Whatever dies at whatever moment: afterwards everything converges by itself.

use std::time::Duration;

use crate::support::{
    World, kstatus,
    operator::Operator,
    plane::Plane,
    sim::Calls,
    terms::{ORG, PRICE, acme, contract, organization, with},
};
use serde_json::json;
use tokio::time::sleep;

#[tokio::test]
async fn an_operator_killed_again_and_again_while_contracts_come_and_change_leaves_all_in_sync() {
    const CONTRACTS: usize = 30;
    let mut world = World::start().await;
    for n in 0..CONTRACTS {
        world.sim.register(&organization(n)).await;
    }
    // Moments that differ from run to run of the loop, and are the same every time.
    let pauses = [37, 5, 120, 61, 240, 11, 83, 170, 29, 310];
    let mut pauses = pauses.iter().cycle();
    for n in 0..CONTRACTS {
        world.apply(&contract(&format!("c{n}"), &organization(n))).await;
        if n % 3 == 2 {
            sleep(Duration::from_millis(*pauses.next().unwrap())).await;
            world.take_operator().kill();
            world.start_operator().await;
        }
    }
    for n in 0..CONTRACTS {
        world.until_ready(&format!("c{n}")).await;
        let calls = world.sim.calls(&organization(n)).await;
        assert_eq!(calls.puts, 1, "c{n}: a write that was not noted down is found again, and not repeated");
    }
    for n in 0..CONTRACTS {
        world.apply(&with(contract(&format!("c{n}"), &organization(n)), PRICE, json!("0.49"))).await;
        if n % 5 == 4 {
            sleep(Duration::from_millis(*pauses.next().unwrap())).await;
            world.take_operator().kill();
            world.start_operator().await;
        }
    }
    for n in 0..CONTRACTS {
        world.until_ready(&format!("c{n}")).await;
        let billed = world.sim.contract(&organization(n)).await;
        assert_eq!(billed["items"][0]["rate_tiers"][0]["unit_price"], 0.49, "c{n}");
    }
}

#[tokio::test]
async fn an_api_server_killed_while_contracts_come_and_change_is_survived() {
    const CONTRACTS: usize = 12;
    let plane = Plane::of_its_own("killed");
    let mut world = World::start_on(&plane).await;
    for n in 0..CONTRACTS {
        world.sim.register(&organization(n)).await;
        world.apply(&contract(&format!("c{n}"), &organization(n))).await;
    }
    plane.kill("kube-apiserver");
    world.persist(&acme()).await;
    plane.kill("kube-apiserver");
    for n in 0..CONTRACTS {
        world.persist(&with(contract(&format!("c{n}"), &organization(n)), PRICE, json!("0.49"))).await;
    }
    world.until_ready("acme").await;
    for n in 0..CONTRACTS {
        world.until_ready(&format!("c{n}")).await;
        let billed = world.sim.contract(&organization(n)).await;
        assert_eq!(billed["items"][0]["rate_tiers"][0]["unit_price"], 0.49, "c{n}");
    }
    assert!(world.operator().runs(), "{}", world.log());
    let (status, _) = world.operator().get("/readyz").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn of_two_operators_only_the_one_that_holds_the_lease_works_and_the_other_takes_over() {
    let mut world = World::bare().await;
    world.connect().await;
    world.options.lease_seconds = 6;
    world.start_operator().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;

    let mut standby = world.options.clone();
    standby.identity = "operator-1".to_owned();
    standby.log = world.folder().join("standby.log");
    let second = Operator::start(&standby).await;
    while second.get("/readyz").await.0 != 200 {
        sleep(Duration::from_millis(50)).await;
    }
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    world.until_ready("acme").await;
    assert_eq!(second.metric("countersign_leader", "").await, 0);
    assert_eq!(second.metric("countersign_billing_requests_total", "").await, 0);
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 2, puts: 2 });

    // The one that leads dies without a word; the other takes over when the lease has run out.
    world.take_operator().kill();
    world.apply(&with(acme(), PRICE, json!("0.48"))).await;
    world.until_ready("acme").await;
    assert_eq!(second.metric("countersign_leader", "").await, 1);
    assert_eq!(world.sim.calls(ORG).await.puts, 3);
    assert!(second.stop().await.success());
}

#[tokio::test]
async fn a_lease_that_is_given_up_can_be_taken_at_once() {
    let mut world = World::start().await;
    world.stop_operator().await;
    let lease = world.lease().await;
    assert!(lease["spec"]["holderIdentity"].is_null(), "{lease}");
    world.options.identity = "operator-1".to_owned();
    world.start_operator().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    assert_eq!(world.lease().await["spec"]["holderIdentity"], "operator-1");
}

#[tokio::test]
async fn a_change_while_no_operator_runs_is_carried_out_when_one_does() {
    let mut world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.stop_operator().await;
    let edited = world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    assert_eq!(kstatus::compute(&edited), kstatus::Standing::InProgress, "before anybody has looked");
    world.start_operator().await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}
