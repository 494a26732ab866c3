//! The walk of `examples/approval/`, with its own files and its own script.

use std::{fs, process::Command};

use super::*;
use crate::support::{plane::Plane, root, run, sim::TOKEN, terms};

const CUSTOMER: &str = "5e0d7a44-9a1e-4d0c-8c53-0a4b1c7de901";
const CONTRACT: &str = "massive-2026";
/// A note as people write them: its quotes and its backslash are YAML's, too.
const NOTE: &str = r#"order form 2025-118: it's "final", see sales\acme"#;

fn example(file: &str) -> Value {
    let text = fs::read_to_string(root().join("examples/approval").join(file)).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// The example as it is applied, up to the plan that waits.
async fn applied() -> World {
    let mut world = World::bare().await;
    world.sim.register(CUSTOMER).await;
    world.apply(&terms::secret(TOKEN)).await;
    world.apply(&with(example("provider.yaml"), "/spec/zoo/baseUrl", json!(world.sim.url))).await;
    world.apply(&example("approver.yaml")).await;
    world.start_operator().await;
    world.apply(&example("contract.yaml")).await;
    world.until_waiting(CONTRACT, "AwaitingApproval").await;
    world
}

#[tokio::test]
async fn the_walk_of_the_example_approves_the_plan_that_it_shows() {
    let world = applied().await;
    // The walk is somebody's who has had the right for a while.
    let ann = world.acting_as("ann@example.com").await;
    let digest = world.get(CONTRACT).await["status"]["plan"]["digest"].clone();
    let mut tried = word("tried", "ann@example.com", digest.as_str().unwrap(), "Deny");
    tried["spec"]["contractRef"]["name"] = json!("another");
    say(&world, &ann, tried).await.unwrap();

    let shown = run(Command::new(root().join("examples/approval/walk.sh"))
        .args([CONTRACT, NOTE])
        .env("NAMESPACE", &world.namespace)
        .env("KUBECTL", format!("{} --as ann@example.com", Plane::shared().kubectl_command())));
    assert!(shown.contains("/periods/0: + commitmentAmount 240000 USD"), "{shown}");
    assert!(shown.contains("contractapproval.billing.countersign.dev/massive-2026-"), "{shown}");
    let contract = world.until_ready(CONTRACT).await;
    let last = &contract["status"]["lastApproval"];
    assert_eq!((&last["approvedBy"], &last["note"]), (&json!("ann@example.com"), &json!(NOTE)));
    assert_eq!(world.sim.calls(CUSTOMER).await.puts, 1);
}

#[tokio::test]
async fn the_form_of_the_example_is_an_approval_once_the_digest_is_filled_in() {
    let world = applied().await;
    let ann = world.acting_as("ann@example.com").await;
    let digest = world.get(CONTRACT).await["status"]["plan"]["digest"].clone();
    say(&world, &ann, with(example("approval.yaml"), "/spec/planDigest", digest)).await.unwrap();
    world.until_ready(CONTRACT).await;
    until_spent(&world, "massive-2026-first-year").await;
}
