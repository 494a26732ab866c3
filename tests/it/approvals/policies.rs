//! Whose word counts: what the API server lets nobody say, and what providers demand.

use super::*;
use crate::support::{plane::Plane, terms};

const OTHER: &str = "0123456789abcdef0123456789abcdef";

/// Says something again and again until the API server refuses it by a policy, which it knows a little after it was made.
async fn until_refused(world: &World, client: &Client, approval: &Value) -> String {
    let give_up = std::time::Instant::now() + DEADLINE;
    loop {
        if let Err(why) = say(world, client, approval.clone()).await {
            return why;
        }
        let name = approval["metadata"]["name"].as_str().unwrap();
        approvals(world, &world.client).delete(name, &DeleteParams::default()).await.unwrap();
        assert!(std::time::Instant::now() < give_up, "the policies of manifests/ are not in force");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn nobody_says_something_in_the_name_of_another() {
    let world = World::bare().await;
    let ann = approver(&world, "ann").await;
    let why = until_refused(&world, &ann, &word("forged", "bob", OTHER, "Approve")).await;
    assert!(why.contains("spec.approvedBy must be ann") && why.contains("and not bob"), "{why}");
    let why = until_refused(&world, &world.client, &word("forged", "ann", OTHER, "Deny")).await;
    assert!(why.contains("spec.approvedBy must be "), "not even an administrator: {why}");
    say(&world, &ann, word("own", "ann", OTHER, "Approve")).await.unwrap();
}

#[tokio::test]
async fn what_was_said_never_changes() {
    let world = World::bare().await;
    let ann = approver(&world, "ann").await;
    say(&world, &ann, word("own", "ann", OTHER, "Deny")).await.unwrap();
    let why = world.try_apply(&word("own", "ann", OTHER, "Approve")).await.unwrap_err();
    assert!(why.contains("delete this ContractApproval and create another"), "{why}");
    for (member, value) in [("planDigest", "acme"), ("decision", "Maybe"), ("approvedBy", "")] {
        let mut odd = word("odd", "ann", OTHER, "Approve");
        odd["spec"][member] = json!(value);
        let why = say(&world, &ann, odd).await.unwrap_err();
        assert!(why.contains(member), "{why}");
    }
}

#[tokio::test]
async fn whoever_may_write_contracts_is_not_independent_of_their_author() {
    let world = World::bare().await;
    let (ann, eve) = (approver(&world, "ann").await, approver(&world, "eve").await);
    bind(&world, "eve", "countersign-edit").await;
    let independent = |name: &str, by: &str| {
        let mut approval = word(name, by, OTHER, "Approve");
        approval["spec"]["independent"] = json!(true);
        approval
    };
    let why = until_refused(&world, &eve, &independent("own", "eve")).await;
    assert!(why.contains("eve may write BillingContracts"), "{why}");
    say(&world, &eve, word("dependent", "eve", OTHER, "Approve")).await.unwrap();
    say(&world, &ann, independent("free", "ann")).await.unwrap();
}

#[tokio::test]
async fn nobody_has_the_right_to_approve_by_another_right() {
    let world = World::bare().await;
    for role in ["view", "edit", "admin", "countersign-edit", "countersign-admin"] {
        bind(&world, role, role).await;
    }
    let may = |user: &str, verb: &str, resource: &str| {
        let resource = format!("{resource}.billing.countersign.dev");
        let user = format!("--as={user}");
        Plane::shared().succeeds(&["auth", "can-i", verb, &resource, "--namespace", &world.namespace, &user])
    };
    let give_up = std::time::Instant::now() + DEADLINE;
    while !may("view", "list", "contractapprovals") || !may("admin", "create", "billingproviders") {
        assert!(std::time::Instant::now() < give_up, "the roles are not aggregated");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    for user in ["view", "edit", "admin", "countersign-edit", "countersign-admin"] {
        for verb in ["create", "update", "patch", "delete"] {
            assert!(!may(user, verb, "contractapprovals"), "{user} may {verb}");
        }
    }
    approver(&world, "ann").await;
    while !may("ann", "create", "contractapprovals") {
        assert!(std::time::Instant::now() < give_up, "the approver may not approve");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    for verb in ["update", "patch", "create", "delete"] {
        assert!(!may("ann", verb, "billingcontracts"), "an approver may {verb} contracts");
    }
    assert!(may("ann", "get", "billingcontracts"));
}

#[tokio::test]
async fn a_provider_can_demand_that_somebody_else_approves_whatever_the_contract_says() {
    let mut world = World::bare().await;
    world.apply(&terms::secret(crate::support::sim::TOKEN)).await;
    let provider = terms::provider(&world.sim.url);
    world.apply(&with(provider, "/spec/requireApprovalByOther", json!(true))).await;
    world.start_operator().await;
    let (ann, eve) = (approver(&world, "ann").await, approver(&world, "eve").await);
    bind(&world, "eve", "countersign-edit").await;
    world.apply(&acme()).await;
    let digest = waiting_plan(&world, &[]).await;
    let why = message(&world.get("acme").await);
    assert!(why.contains("somebody who may not write contracts") && !why.contains("annotate"), "{why}");
    world.annotate("acme", "billing.countersign.dev/approved-plan", &digest).await;
    say(&world, &eve, word("own", "eve", &digest, "Approve")).await.unwrap();
    let told = |contract: &Value| {
        let why = message(contract);
        why.contains("does not count with this provider") && why.contains("ContractApproval own does not say")
    };
    world.until("acme", told).await;
    assert_eq!(world.sim.calls(ORG).await.puts, 0);
    let mut free = word("free", "ann", &digest, "Approve");
    free["spec"]["independent"] = json!(true);
    say(&world, &ann, free).await.unwrap();
    let contract = world.until_ready("acme").await;
    assert_eq!(contract["status"]["lastApproval"]["approvedBy"], "ann");
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}
