//! An approval lets its plan be carried out once.

use super::*;

async fn approve(world: &World, ann: &Client, name: &str, digest: &str) {
    say(world, ann, word(name, "ann", digest, "Approve")).await.unwrap();
}

/// Somebody puts a price into billing that Git does not say.
async fn change_price(world: &World, price: f64) {
    world.sim.change(ORG, |body| body["items"][0]["rate_tiers"][0]["unit_price"] = json!(price)).await;
}

#[tokio::test]
async fn what_is_changed_back_in_billing_asks_for_another_approval() {
    let world = World::start().await;
    let ann = approver(&world, "ann").await;
    world.apply(&planned()).await;
    approve(&world, &ann, "new", &waiting_plan(&world, &[]).await).await;
    world.until_ready("acme").await;
    world.apply(&with(planned(), PRICE, json!("0.45"))).await;
    let digest = waiting_plan(&world, &[]).await;
    approve(&world, &ann, "cheaper", &digest).await;
    world.until_ready("acme").await;
    until_spent(&world, "cheaper").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2);

    change_price(&world, 0.5).await;
    world.ask("acme").await;
    let again = waiting_plan(&world, &[&digest]).await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2, "the approval was of another day");
    approve(&world, &ann, "once-more", &again).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 3);
}

#[tokio::test]
async fn a_spent_approval_stays_spent_for_a_contract_that_is_made_anew() {
    let mut world = World::start().await;
    let ann = approver(&world, "ann").await;
    world.apply(&planned()).await;
    let digest = waiting_plan(&world, &[]).await;
    approve(&world, &ann, "new", &digest).await;
    world.until_ready("acme").await;
    until_spent(&world, "new").await;
    // The resource goes, and what it held is canceled by other means: the same plan is necessary once more.
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    world.sim.change(ORG, |body| body["status"] = json!("canceled")).await;
    world.apply(&planned()).await;
    assert_eq!(waiting_plan(&world, &[]).await, digest, "it is the same plan");
    world.second_look(1).await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn an_operator_that_is_killed_after_the_write_leaves_no_approval_behind() {
    let mut world = World::start().await;
    let ann = approver(&world, "ann").await;
    world.apply(&planned()).await;
    let digest = waiting_plan(&world, &[]).await;
    world.sim.fault(json!({"kind": "delay_reply", "method": "PUT", "delay_ms": 60_000})).await;
    approve(&world, &ann, "new", &digest).await;
    world.sim.until_faults_met(1).await;
    let give_up = std::time::Instant::now() + DEADLINE;
    while world.sim.contracts(ORG).await.is_empty() {
        assert!(std::time::Instant::now() < give_up, "nothing was written");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.take_operator().kill();
    assert_eq!(reason(&world.get("acme").await), "AwaitingApproval", "nothing is on record of the write");
    world.options.identity = "operator-1".to_owned();
    world.sim.heal().await;
    world.start_operator().await;
    let contract = world.until_ready("acme").await;
    assert_eq!(contract["status"]["appliedPlan"], *digest);
    until_spent(&world, "new").await;
    assert_eq!(world.sim.contract(ORG).await["writes"], 1);
}

#[tokio::test]
async fn a_write_whose_reply_is_lost_spends_its_approval_and_is_told_by_whom() {
    let world = World::start().await;
    let ann = approver(&world, "ann").await;
    world.apply(&planned()).await;
    let digest = waiting_plan(&world, &[]).await;
    world.sim.fault(json!({"kind": "drop_reply", "method": "PUT", "count": 1})).await;
    approve(&world, &ann, "new", &digest).await;
    let contract = world.until_ready("acme").await;
    assert_eq!(contract["status"]["lastApproval"]["approvedBy"], "ann");
    assert_eq!(contract["status"]["appliedPlan"], *digest);
    until_spent(&world, "new").await;
    assert_eq!(world.sim.contract(ORG).await["writes"], 1);
}

#[tokio::test]
async fn a_deletion_waits_for_its_own_approval_and_can_be_denied() {
    let world = World::start().await;
    let ann = approver(&world, "ann").await;
    world.apply(&with(planned(), "/spec/deletionPolicy", json!("Cancel"))).await;
    let first = waiting_plan(&world, &[]).await;
    approve(&world, &ann, "new", &first).await;
    world.until_ready("acme").await;
    world.delete("acme").await;
    let end = waiting_plan(&world, &[&first]).await;
    say(&world, &ann, word("stays", "ann", &end, "Deny")).await.unwrap();
    world.until("acme", |contract| reason(contract) == "PlanDenied").await;
    assert_eq!(world.sim.contract(ORG).await["status"], "active");
    approvals(&world, &ann).delete("stays", &DeleteParams::default()).await.unwrap();
    approve(&world, &ann, "goes", &end).await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "canceled");
    until_spent(&world, "goes").await;
    let events = world.events("acme").await;
    assert!(
        events.iter().any(|event| event.reason == "Ended" && event.text.contains("approved by ann")),
        "{events:?}"
    );
}

#[tokio::test]
async fn an_approval_of_one_account_is_none_of_the_same_plan_in_another() {
    let mut world = World::start().await;
    world.apply(&planned()).await;
    let digest = waiting_plan(&world, &[]).await;
    let other = crate::support::sim::Sim::start();
    other.admit(crate::support::sim::TOKEN).await;
    other.register(ORG).await;
    // Both come in one commit.
    world.stop_operator().await;
    let ann = approver(&world, "ann").await;
    say(&world, &ann, word("first-year", "ann", &digest, "Approve")).await.unwrap();
    world.apply(&crate::support::terms::provider(&other.url)).await;
    world.start_operator().await;
    let second = waiting_plan(&world, &[&digest]).await;
    assert!(message(&world.get("acme").await).contains("first-year is about another plan"));
    assert_eq!((world.sim.calls(ORG).await.puts, other.calls(ORG).await.puts), (0, 0));
    say(&world, &ann, word("elsewhere", "ann", &second, "Approve")).await.unwrap();
    world.until_ready("acme").await;
    assert_eq!((world.sim.calls(ORG).await.puts, other.calls(ORG).await.puts), (0, 1));
}
