//! Providers that change under their contracts: what a contract is brought into force with is its provider as it is now.

use serde_json::{Value, json};

use crate::{
    approvals::{approver, planned, say, word},
    support::{
        World, kstatus,
        plane::Plane,
        rbac,
        sim::{Sim, TOKEN},
        terms::{ORG, PRICE, acme, contract, organization, provider, with},
        world::{message, reason},
    },
};

/// What is asked to try a token.
const PROBE: &str = "/orgs/00000000-0000-0000-0000-000000000000";

/// An account whose API takes its time to answer when a token is tried.
async fn slow(sim: &Sim) {
    sim.fault(json!({"kind": "delay_reply", "path": PROBE, "delay_ms": 3000})).await;
}

/// Waits until such a request is under way; those after it are answered at once.
async fn until_asked(sim: &Sim) {
    sim.until_faults_met(1).await;
    sim.heal().await;
}

async fn another_account() -> Sim {
    let other = Sim::start();
    other.admit(TOKEN).await;
    other.register(ORG).await;
    other
}

#[tokio::test]
async fn nothing_is_written_to_the_former_account_while_the_new_one_is_looked_at() {
    let world = World::start().await;
    world.until_provider(|provider| reason(provider) == "Ready").await;
    let other = another_account().await;
    slow(&other).await;
    world.apply(&provider(&other.url)).await;
    until_asked(&other).await;
    world.apply(&acme()).await;
    let ready = world.until_ready("acme").await;
    assert_eq!(ready["status"]["account"], other.url.as_str());
    assert_eq!(ready["status"]["contractId"], other.contract(ORG).await["contract_id"]);
    assert_eq!((world.sim.calls(ORG).await.puts, other.calls(ORG).await.puts), (0, 1));
}

#[tokio::test]
async fn what_a_provider_demands_counts_from_the_moment_on_at_which_it_says_so() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    slow(&world.sim).await;
    world.apply(&with(provider(&world.sim.url), "/spec/requireApprovalByOther", json!(true))).await;
    until_asked(&world.sim).await;
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    world.until_waiting("acme", "AwaitingApproval").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn a_provider_that_is_made_anew_while_the_former_one_is_looked_at_is_another_one() {
    let mut world = World::bare().await;
    let other = another_account().await;
    slow(&world.sim).await;
    world.connect().await;
    world.start_operator().await;
    until_asked(&world.sim).await;
    world.delete_object("BillingProvider", "zoo").await;
    world.apply(&provider(&other.url)).await;
    world.apply(&acme()).await;
    let ready = world.until_ready("acme").await;
    assert_eq!(ready["status"]["account"], other.url.as_str());
    assert_eq!((world.sim.contracts(ORG).await.len(), other.contracts(ORG).await.len()), (0, 1));
}

#[tokio::test]
async fn a_provider_that_is_made_anew_at_once_is_another_one() {
    let world = World::start().await;
    let other = another_account().await;
    world.until_provider(|provider| reason(provider) == "Ready").await;
    for (n, sim) in [&other, &world.sim, &other].into_iter().enumerate() {
        world.delete_object("BillingProvider", "zoo").await;
        world.apply(&provider(&sim.url)).await;
        world.apply(&acme()).await;
        let ready = world.until_ready("acme").await;
        assert_eq!(ready["status"]["account"], sim.url.as_str());
        assert_eq!(ready["status"]["contractId"], sim.contract(ORG).await["contract_id"]);
        world.delete("acme").await;
        world.until_gone("acme", n + 1).await;
    }
}

#[tokio::test]
async fn one_customer_that_the_token_may_not_see_costs_the_others_nothing_and_is_asked_for_rarely() {
    let world = World::start().await;
    for n in 0..3 {
        world.sim.register(&organization(n)).await;
        world.apply(&contract(&format!("c{n}"), &organization(n))).await;
        world.until_ready(&format!("c{n}")).await;
    }
    let path = format!("/orgs/{}", organization(0));
    world.sim.fault(json!({"kind": "status", "status": 403, "method": "GET", "path": path})).await;
    world.sim.fault(json!({"kind": "delay_reply", "path": PROBE, "delay_ms": 300})).await;
    let before = world.sim.requests().await.len();
    let versions = world.versions("c0").await.len();
    world.ask("c0").await;
    world.until_waiting("c0", "CredentialsRefused").await;
    for n in 1..3 {
        world.ask(&format!("c{n}")).await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let asked = world.sim.requests().await.len() - before;
    assert_eq!(asked, 4, "the three that were asked for, and one probe");
    let written = world.versions("c0").await.len() - versions;
    assert_eq!(written, 2, "the annotation, and the status");
    for n in 1..3 {
        let versions = world.versions(&format!("c{n}")).await;
        assert!(versions.iter().skip(2).all(|version| reason(version) == "InSync"), "{versions:#?}");
    }
    world.sim.heal().await;
    world.ask("c0").await;
    world.until_ready("c0").await;
}

#[tokio::test]
async fn contracts_say_so_when_their_provider_is_deleted_and_does_not_go() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.patch("BillingProvider", "zoo", json!({"metadata": {"finalizers": ["example.com/keep"]}})).await;
    world.delete_object("BillingProvider", "zoo").await;
    world.apply(&with(acme(), PRICE, json!("0.49"))).await;
    let says = |contract: &Value| {
        kstatus::status_of(contract, "Ready") == Some("False")
            && contract["status"]["observedGeneration"] == contract["metadata"]["generation"]
    };
    let why = message(&world.until("acme", says).await);
    assert!(why.contains("is being deleted"), "{why}");
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
    world.patch("BillingProvider", "zoo", json!({"metadata": {"finalizers": null}})).await;
    world.until_object_gone("BillingProvider", "zoo").await;
    world.connect().await;
    world.until_ready("acme").await;
}

/// An operator that may not write statuses of providers.
async fn without_a_right(world: &World) -> std::path::PathBuf {
    let (plane, name) = (Plane::shared(), format!("lesser-{}", world.namespace));
    let mut role = plane.rights().iter().find(|right| right["kind"] == "ClusterRole").unwrap().clone();
    role["metadata"] = json!({"name": name});
    for rule in role["rules"].as_array_mut().unwrap() {
        if let Some(resources) = rule["resources"].as_array_mut() {
            resources.retain(|resource| resource != "billingproviders/status");
        }
    }
    role["rules"].as_array_mut().unwrap().retain(|rule| rule["resources"] != json!([]));
    let subject = json!({"kind": "ServiceAccount", "name": "lesser", "namespace": world.namespace});
    let binding = |kind: &str, role_kind: &str, role: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
            "metadata": {"name": format!("lesser-{role}-{}", world.namespace)},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role}, "subjects": [subject],
        })
    };
    world.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "lesser"}})).await;
    world.apply(&role).await;
    world.apply(&binding("ClusterRoleBinding", "ClusterRole", &name)).await;
    for own in plane.rights().iter().filter(|right| right["kind"] == "Role") {
        world.apply(&binding("RoleBinding", "Role", own["metadata"]["name"].as_str().unwrap())).await;
    }
    rbac::kubeconfig(&world.client, &world.namespace, "lesser", plane, world.folder()).await
}

#[tokio::test]
async fn a_provider_whose_status_cannot_be_written_keeps_no_contract_waiting() {
    let mut world = World::bare().await;
    world.connect().await;
    world.options.kubeconfig = without_a_right(&world).await;
    world.start_operator().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    assert_eq!(world.get_object("BillingProvider", "zoo").await["status"]["observedGeneration"], -1);
}

/// The next look at the contract takes its time.
async fn slow_look(world: &World) {
    let path = format!("/orgs/{ORG}");
    world.sim.fault(json!({"kind": "delay_reply", "method": "GET", "path": path, "delay_ms": 3000})).await;
}

#[tokio::test]
async fn what_is_suspended_or_changed_while_billing_is_asked_is_not_written_as_it_was() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    for (n, change) in [
        ("/spec/suspend", json!(true)),
        ("/spec/managementPolicy", json!("Plan")),
        ("/spec/managementPolicy", json!("Observe")),
        ("/spec/zoo/notes", json!("Corrected")),
    ]
    .into_iter()
    .enumerate()
    {
        let (pointer, value) = change;
        let priced = with(acme(), PRICE, json!(format!("0.4{n}")));
        slow_look(&world).await;
        world.apply(&priced).await;
        until_asked(&world.sim).await;
        let changed = world.apply(&with(priced, pointer, value)).await;
        let is_said =
            |contract: &Value| contract["status"]["observedGeneration"] == changed["metadata"]["generation"];
        world.until("acme", is_said).await;
        let expected = if pointer == "/spec/zoo/notes" { 2 } else { 1 };
        world.ask("acme").await;
        assert_eq!(world.sim.calls(ORG).await.puts, expected, "{pointer}");
        world.apply(&acme()).await;
        world.until_ready("acme").await;
    }
}

#[tokio::test]
async fn what_is_denied_while_billing_is_asked_is_not_written() {
    let world = World::start().await;
    let ann = approver(&world, "ann").await;
    world.apply(&planned()).await;
    let waiting = world.until("acme", |contract| reason(contract) == "AwaitingApproval").await;
    let digest = waiting["status"]["plan"]["digest"].as_str().unwrap().to_owned();
    slow_look(&world).await;
    say(&world, &ann, word("yes", "ann", &digest, "Approve")).await.unwrap();
    until_asked(&world.sim).await;
    say(&world, &ann, word("no", "ann", &digest, "Deny")).await.unwrap();
    world.until_stalled("acme", "PlanDenied").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 0);
}

#[tokio::test]
async fn an_end_is_not_carried_out_where_the_resource_is_released_while_billing_is_asked() {
    let world = World::start().await;
    world.apply(&with(acme(), "/spec/deletionPolicy", json!("Cancel"))).await;
    world.until_ready("acme").await;
    slow_look(&world).await;
    world.delete("acme").await;
    until_asked(&world.sim).await;
    world.annotate("acme", "billing.countersign.dev/release", "true").await;
    world.until_gone("acme", 1).await;
    let billed = world.sim.contract(ORG).await;
    assert_eq!((&billed["status"], world.sim.calls(ORG).await.puts), (&json!("active"), 1));
}

#[tokio::test]
async fn an_end_is_not_carried_out_where_another_resource_comes_to_claim_the_contract_while_billing_is_asked()
{
    let world = World::start().await;
    world.apply(&with(acme(), "/spec/deletionPolicy", json!("Cancel"))).await;
    let id = world.until_ready("acme").await["status"]["contractId"].clone();
    slow_look(&world).await;
    world.delete("acme").await;
    until_asked(&world.sim).await;
    world.apply(&contract("renamed", ORG)).await;
    world.until_gone("acme", 1).await;
    let ready = world.until_ready("renamed").await;
    assert_eq!(ready["status"]["contractId"], id);
    let billed = world.sim.contract(ORG).await;
    assert_eq!((&billed["status"], world.sim.calls(ORG).await.puts), (&json!("active"), 1));
}
