//! Objects of newer definitions than this version's: with terms that it does not know, or cannot read.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{
    World,
    plane::Plane,
    sim::Calls,
    terms::{ORG, acme, contract, from_package, organization, package, provider, with, without},
    world::{message, reason},
};

const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";

/// Changes a definition as a newer version would.
fn change(plane: &Plane, plural: &str, patch: &Value) {
    let name = format!("{plural}.billing.countersign.dev");
    plane.kubectl(&["patch", "crd", &name, "--type=json", "-p", &patch.to_string()]);
}

/// Another version's definition: it knows a state that this one does not.
fn loosened() -> Plane {
    let plane = Plane::of_its_own("loosened");
    change(
        &plane,
        "billingcontracts",
        &json!([{"op": "remove", "path": format!("{SPEC}/zoo/properties/status/enum")}]),
    );
    plane
}

/// Applies what the definition takes once the API server has noticed that it changed.
async fn apply_soon(world: &World, object: &Value) {
    while world.try_apply(object).await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_told_so_and_is_in_nobodys_way() {
    let plane = loosened();
    let mut world = World::bare_on(&plane).await;
    world.connect().await;
    let odd = with(acme(), "/spec/zoo/status", json!("paused"));
    apply_soon(&world, &odd).await;
    world.sim.register(&organization(1)).await;
    world.apply(&contract("sound", &organization(1))).await;
    world.start_operator().await;
    world.until_ready("sound").await;
    let why = world.until_stalled("acme", "Undecodable").await;
    assert!(why.contains("paused"), "{why}");

    // The watch goes on, and so does the object once it can be read.
    world.sim.register(&organization(2)).await;
    world.apply(&contract("later", &organization(2))).await;
    world.until_ready("later").await;
    assert_eq!(world.sim.calls(ORG).await, Calls::default());
    // It holds its organization all the same.
    world.apply(&contract("rival", ORG)).await;
    world.until_stalled("rival", "DuplicateClaim").await;
    world.delete("rival").await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;

    // Orphan and the release annotation need nothing of what cannot be read.
    let ended = |object: Value| with(object, "/spec/deletionPolicy", json!("Cancel"));
    for (name, n) in [("acme", None), ("sound", Some(1))] {
        let organization = n.map_or_else(|| ORG.to_owned(), organization);
        world.apply(&ended(contract(name, &organization))).await;
        world.until(name, |contract| contract["metadata"]["finalizers"].is_array()).await;
    }
    world.apply(&with(contract("acme", ORG), "/spec/zoo/status", json!("paused"))).await;
    world.until_stalled("acme", "Undecodable").await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    let odd = with(contract("sound", &organization(1)), "/spec/zoo/status", json!("paused"));
    world.apply(&ended(odd)).await;
    world.until_stalled("sound", "Undecodable").await;
    world.annotate("sound", "billing.countersign.dev/release", "true").await;
    world.delete("sound").await;
    world.until_gone("sound", 1).await;
    assert_eq!(world.sim.contract(&organization(1)).await["status"], "active");
}

/// A definition with terms that this version does not know.
fn widened() -> Plane {
    let plane = Plane::of_its_own("widened");
    let field =
        |path: &str| json!([{"op": "add", "path": format!("{SPEC}{path}"), "value": {"type": "string"}}]);
    change(&plane, "billingcontracts", &field("/zoo/properties/items/items/properties/minimumFee"));
    change(&plane, "contractpackages", &field("/zoo/properties/discount"));
    change(&plane, "billingproviders", &field("/zoo/properties/region"));
    plane
}

#[tokio::test]
async fn nothing_is_written_for_terms_that_this_version_does_not_know() {
    let plane = widened();
    let mut world = World::bare_on(&plane).await;
    world.connect().await;
    let newer = with(acme(), "/spec/zoo/items/0/minimumFee", json!("500"));
    apply_soon(&world, &newer).await;
    world.start_operator().await;
    let why = world.until_stalled("acme", "UnknownField").await;
    assert!(why.contains("`spec.zoo.items[licensed_api_credits].minimumFee`"), "{why}");
    assert_eq!(world.sim.calls(ORG).await.puts, 0);

    // What is in force already stays as it is.
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.apply(&with(newer, "/spec/zoo/name", json!("Another"))).await;
    world.until_stalled("acme", "UnknownField").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
    let status = world.get("acme").await["status"].clone();
    assert!(status["contractId"].is_string(), "{status}");

    // A package, and with it whatever it would give terms to.
    let other = organization(1);
    world.sim.register(&other).await;
    let sheet = with(package("sheet"), "/spec/zoo/discount", json!("10%"));
    apply_soon(&world, &sheet).await;
    world.apply(&from_package("beta", &other, json!({"name": "sheet"}))).await;
    world.until_package("sheet", |package| reason(package) == "UnknownField").await;
    let why = world.until_waiting("beta", "PackageNotReady").await;
    assert!(why.contains("`spec.zoo.discount`"), "{why}");
    // What is published never changes.
    world.delete_object("ContractPackage", "sheet").await;
    world.until_object_gone("ContractPackage", "sheet").await;
    world.apply(&without(sheet, "/spec/zoo/discount")).await;
    world.until_ready("beta").await;

    // A provider: what is not known may be about where the token goes.
    apply_soon(&world, &with(provider(&world.sim.url), "/spec/zoo/region", json!("eu"))).await;
    let refused = world.until_provider(|provider| reason(provider) == "UnknownField").await;
    assert!(message(&refused).contains("`spec.zoo.region`"), "{}", message(&refused));
    world.until_waiting("beta", "ProviderNotReady").await;
    world.connect().await;
    world.until_ready("beta").await;
}

/// Definitions of a later version, whose statuses remember more.
fn remembering() -> Plane {
    let plane = Plane::of_its_own("remembering");
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/sentBefore";
    change(&plane, "billingcontracts", &json!([{"op": "add", "path": path, "value": {"type": "string"}}]));
    plane
}

#[tokio::test]
async fn what_a_later_version_remembers_is_left_to_it() {
    let plane = remembering();
    let mut world = World::start_on(&plane).await;
    let cancels = with(acme(), "/spec/deletionPolicy", json!("Cancel"));
    world.apply(&cancels).await;
    world.until_ready("acme").await;
    world.stop_operator().await;
    let contracts = world.api("billing.countersign.dev/v1alpha1", "BillingContract");
    let write = async |status: Value| {
        let patch = Patch::Merge(json!({"status": status}));
        let written = contracts.patch_status("acme", &PatchParams::default(), &patch).await.unwrap();
        serde_json::to_value(written).unwrap()["status"].clone()
    };
    // The API server drops what it does not know, and takes a moment to learn of it.
    while write(json!({"format": 2, "sentBefore": "once"})).await["sentBefore"].is_null() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // The version before it takes its turn.
    world.apply(&with(cancels, "/spec/zoo/name", json!("Another"))).await;
    world.start_operator().await;
    let why = world.until_stalled("acme", "Undecodable").await;
    assert!(why.contains("in format 2"), "{why}");
    world.apply(&contract("rival", ORG)).await;
    world.until_stalled("rival", "DuplicateClaim").await;
    world.delete("rival").await;
    world.until_gone("rival", 1).await;
    world.delete("acme").await;
    world.until("acme", |contract| message(contract).contains("release=true")).await;
    let status = world.get("acme").await["status"].clone();
    assert_eq!((&status["format"], &status["sentBefore"]), (&json!(2), &json!("once")));
    assert!(status["contractId"].is_string() && status["lastApplied"].is_object(), "{status}");
    assert_eq!(world.sim.calls(ORG).await.puts, 1);

    // What it can read again, it acts on.
    write(json!({"format": null, "sentBefore": null})).await;
    world.until_gone("acme", 1).await;
    assert_eq!(world.sim.contract(ORG).await["status"], "canceled");
}
