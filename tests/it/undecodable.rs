//! Objects that this version cannot read, as a newer one may leave behind.

use serde_json::{Value, json};

use crate::support::{
    World,
    plane::Plane,
    sim::Calls,
    terms::{ORG, acme, contract, organization, with},
};

#[tokio::test]
async fn an_object_that_cannot_be_read_is_told_so_and_is_in_nobodys_way() {
    // Another version's definition: it knows a state that this one does not.
    let plane = Plane::of_its_own("loosened");
    let name = "billingcontracts.billing.countersign.dev";
    let crd: Value = serde_json::from_str(&plane.kubectl(&["get", "crd", name, "-o", "json"])).unwrap();
    let zoo = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/zoo/properties/status";
    assert!(crd.pointer(&format!("{zoo}/enum")).is_some(), "{crd}");
    let patch = json!([{"op": "remove", "path": format!("{zoo}/enum")}]).to_string();
    plane.kubectl(&["patch", "crd", name, "--type=json", "-p", &patch]);

    let mut world = World::bare_on(&plane).await;
    world.connect().await;
    let odd = with(acme(), "/spec/zoo/status", json!("paused"));
    while world.try_apply(&odd).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
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
    world.apply(&acme()).await;
    world.until_ready("acme").await;
}
