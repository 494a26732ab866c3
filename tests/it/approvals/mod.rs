//! Approvals as resources of their own: who says yes or no to a plan, what comes of it, and for how long.

mod guardrails;
mod merged;
mod policies;
mod spent;
mod walk;

use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
    core::DynamicObject,
};
use serde_json::{Value, json};

use crate::support::{
    DEADLINE, World, kstatus,
    terms::{ORG, PRICE, acme, with},
    world::{message, reason},
};

/// A contract whose plans wait for approval.
pub(crate) fn planned() -> Value {
    with(acme(), "/spec/managementPolicy", json!("Plan"))
}

/// Approvals of the world's namespace, as somebody with this client sees them.
fn approvals(world: &World, client: &Client) -> Api<DynamicObject> {
    let resource = kube::core::ApiResource::erase::<countersign::api::ContractApproval>(&());
    Api::namespaced_with(client.clone(), &world.namespace, &resource)
}

/// Somebody who may approve in the world's namespace, and nothing else.
pub(crate) async fn approver(world: &World, name: &str) -> Client {
    bind(world, name, "countersign-approver").await;
    world.acting_as(name).await
}

/// Gives somebody a role in the world's namespace.
async fn bind(world: &World, name: &str, role: &str) {
    world
        .apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": format!("{role}-{name}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
        }))
        .await;
}

/// A word of somebody on the plan that waits in `acme`.
pub(crate) fn word(name: &str, by: &str, digest: &str, decision: &str) -> Value {
    json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractApproval", "metadata": {"name": name},
        "spec": {"contractRef": {"name": "acme"}, "planDigest": digest, "decision": decision, "approvedBy": by},
    })
}

/// Creates an approval; what the API server refuses is its message.
pub(crate) async fn say(world: &World, client: &Client, approval: Value) -> Result<(), String> {
    let give_up = std::time::Instant::now() + DEADLINE;
    loop {
        let object = serde_json::from_value(approval.clone()).unwrap();
        match approvals(world, client).create(&PostParams::default(), &object).await {
            Ok(_) => return Ok(()),
            // A right that was only just given is not known at once.
            Err(kube::Error::Api(status))
                if status.message.contains("cannot create resource")
                    && std::time::Instant::now() < give_up =>
            {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            Err(kube::Error::Api(status)) => return Err(status.message),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The digest of the plan that waits, once one does that is none of these.
async fn waiting_plan(world: &World, but: &[&str]) -> String {
    let digest = |contract: &Value| contract["status"]["plan"]["digest"].as_str().map(str::to_owned);
    let contract = world
        .until("acme", |contract| {
            reason(contract) == "AwaitingApproval"
                && contract["status"]["observedGeneration"] == contract["metadata"]["generation"]
                && digest(contract).is_some_and(|digest| !but.contains(&&*digest))
        })
        .await;
    digest(&contract).unwrap()
}

/// Waits until an approval is marked as spent.
async fn until_spent(world: &World, name: &str) {
    let give_up = std::time::Instant::now() + DEADLINE;
    loop {
        let approval = approvals(world, &world.client).get(name).await.unwrap();
        if approval.data["status"]["spentAt"].is_string() {
            return;
        }
        assert!(std::time::Instant::now() < give_up, "{name} is not spent: {approval:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_plan_is_carried_out_once_somebody_approves_it_and_it_is_known_who_did() {
    let world = World::start().await;
    let ann = approver(&world, "ann").await;
    world.apply(&planned()).await;
    let digest = waiting_plan(&world, &[]).await;
    let plan = world.get("acme").await["status"]["plan"].clone();
    let lines: Vec<_> = plan["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(lines.len() > 5 && lines.iter().any(|line| line.contains("120000 USD")), "{lines:#?}");
    let mut yes = word("first-year", "ann", &digest, "Approve");
    yes["spec"]["note"] = json!("signed on paper");
    say(&world, &ann, yes).await.unwrap();
    let contract = world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
    let last = &contract["status"]["lastApproval"];
    assert_eq!(
        (&last["digest"], &last["name"], &last["approvedBy"], &last["note"]),
        (&json!(digest), &json!("first-year"), &json!("ann"), &json!("signed on paper"))
    );
    assert!(last["time"].is_string(), "{last}");
    until_spent(&world, "first-year").await;
    let events = world.events("acme").await;
    let applied = events.iter().find(|event| event.reason == "Applied").unwrap();
    assert!(applied.text.contains("? [approved by ann (ContractApproval first-year)] "), "{applied:?}");
}

#[tokio::test]
async fn a_plan_that_is_denied_is_not_carried_out_whoever_else_approves_it() {
    let world = World::start().await;
    let (ann, bob) = (approver(&world, "ann").await, approver(&world, "bob").await);
    world.apply(&planned()).await;
    let digest = waiting_plan(&world, &[]).await;
    let mut no = word("no", "bob", &digest, "Deny");
    no["spec"]["note"] = json!("the fee is missing");
    say(&world, &bob, no).await.unwrap();
    let why = world.until_stalled("acme", "PlanDenied").await;
    for words in ["bob", "ContractApproval no", "the fee is missing", &*digest] {
        assert!(why.contains(words), "{words}: {why}");
    }
    assert_eq!(world.get("acme").await["status"]["plan"]["digest"], *digest, "what was denied can be read");
    say(&world, &ann, word("yes", "ann", &digest, "Approve")).await.unwrap();
    world.annotate("acme", "billing.countersign.dev/approved-plan", &digest).await;
    let contract = world.reconcile("acme").await;
    assert_eq!((reason(&contract), world.sim.calls(ORG).await.puts), ("PlanDenied".to_owned(), 0));
    // Without the denial the approval counts, at once.
    approvals(&world, &bob).delete("no", &DeleteParams::default()).await.unwrap();
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn a_denial_holds_for_its_plan_and_not_for_the_next_one() {
    let world = World::start().await;
    let bob = approver(&world, "bob").await;
    world.apply(&planned()).await;
    let first = waiting_plan(&world, &[]).await;
    say(&world, &bob, word("no", "bob", &first, "Deny")).await.unwrap();
    world.until_stalled("acme", "PlanDenied").await;
    world.apply(&with(planned(), PRICE, json!("0.55"))).await;
    let second = waiting_plan(&world, &[&first]).await;
    say(&world, &bob, word("yes", "bob", &second, "Approve")).await.unwrap();
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn an_approval_of_another_plan_does_nothing_and_is_named() {
    let world = World::start().await;
    let ann = approver(&world, "ann").await;
    world.apply(&planned()).await;
    let first = waiting_plan(&world, &[]).await;
    world.apply(&with(planned(), PRICE, json!("0.55"))).await;
    let second = waiting_plan(&world, &[&first]).await;
    say(&world, &ann, word("stale", "ann", &first, "Approve")).await.unwrap();
    let told = |contract: &Value| message(contract).contains("ContractApproval stale is about another plan");
    let contract = world.until("acme", told).await;
    assert_eq!(contract["status"]["plan"]["digest"], *second);
    assert_eq!(world.sim.calls(ORG).await.puts, 0);
    assert_eq!(kstatus::status_of(&contract, "Ready"), Some("False"));
}
