//! Every file under `examples/` is applied as it is, and comes to what it says.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::support::{
    World,
    kstatus::{self, Standing},
    metronome, objects,
    plane::Plane,
    root,
    sim::TOKEN,
    terms::secret,
};

#[tokio::test]
async fn every_zoo_example_comes_into_force_and_a_second_look_writes_nothing() {
    come_into_force("examples/zoo").await;
}

#[tokio::test]
async fn every_example_of_packages_with_zoo_comes_into_force_and_a_second_look_writes_nothing() {
    come_into_force("examples/packages/zoo").await;
}

#[tokio::test]
async fn every_metronome_example_comes_into_force_and_a_second_look_writes_nothing() {
    come_into_force("examples/metronome").await;
}

#[tokio::test]
async fn every_example_of_packages_with_metronome_comes_into_force_and_a_second_look_writes_nothing() {
    come_into_force("examples/packages/metronome").await;
}

#[test]
fn the_examples_can_be_applied_side_by_side() {
    let folders = ["zoo", "metronome", "packages/zoo", "packages/metronome"];
    let mut seen = BTreeMap::<(String, String), Value>::new();
    for folder in folders {
        let folder = root().join("examples").join(folder);
        let text = Plane::shared().kubectl(&["kustomize", folder.to_str().unwrap()]);
        for object in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
            let of = |name: &str| object.pointer(name).unwrap().as_str().unwrap().to_owned();
            let spec = object["spec"].clone();
            let before = seen.insert((of("/kind"), of("/metadata/name")), spec.clone());
            assert!(
                before.is_none_or(|before| before == spec),
                "{} has a name twice: {object}",
                folder.display()
            );
        }
    }
    assert!(seen.len() > 30, "{}", seen.len());
}

async fn come_into_force(folder: &str) {
    let folder = root().join(folder);
    let mut world = World::bare().await;
    seed(&world, &folder.join("existing")).await;
    let contracts = apply(&world, &folder).await;
    let on_disk = yaml_files(&folder.join("contracts"));
    assert_eq!(contracts.len(), on_disk.len(), "the kustomization names every contract");
    world.apply(&secret(TOKEN)).await;
    world.apply(&metronome::secret(TOKEN)).await;
    world.start_operator().await;
    until_in_force(&world, &contracts).await;
    world.stop_operator().await;
    let writes = |requests: Vec<crate::support::sim::Request>| {
        let writes = requests.iter().filter(|request| metronome::is_write(&request.method, &request.path));
        writes.count()
    };
    let before = (writes(world.sim.requests().await), world.get_all(&contracts).await);
    world.second_look(contracts.len().try_into().unwrap()).await;
    assert_eq!((writes(world.sim.requests().await), world.get_all(&contracts).await), before);
}

/// Waits until each contract has come to what it says, and those that are renewed know by what.
pub(crate) async fn until_in_force(world: &World, contracts: &[String]) {
    for name in contracts {
        let contract = world
            .until(name, |contract| {
                let expected = match contract["spec"]["managementPolicy"].as_str() {
                    Some("Plan") => Standing::InProgress,
                    _ => Standing::Current,
                };
                contract["status"]["observedGeneration"] == contract["metadata"]["generation"]
                    && kstatus::compute(contract) == expected
            })
            .await;
        let renewed = &contract["spec"]["metronome"]["transition"]["fromContractRef"]["name"];
        if let Some(renewed) = renewed.as_str() {
            let id = contract["status"]["contractId"].clone();
            world.until(renewed, |renewed| renewed["status"]["renewedBy"] == id).await;
        }
    }
}

/// Applies a folder of examples to a world, in the order of its kustomization; the names of its contracts. Worlds share a
/// cluster: each has the cluster's providers under a name of its own.
pub(crate) async fn apply(world: &World, folder: &Path) -> Vec<String> {
    let arguments = ["create", "--dry-run=client", "-o", "json", "-k", folder.to_str().unwrap()];
    let mut contracts = Vec::new();
    for mut object in objects(&Plane::shared().kubectl(&arguments)) {
        object["metadata"] =
            json!({"name": object["metadata"]["name"], "annotations": object["metadata"]["annotations"]});
        let api = if object["spec"]["zoo"].is_object() { "zoo" } else { "metronome" };
        let is_of_cluster = object["kind"] == "ClusterBillingProvider";
        let refers = object["spec"]["providerRef"]["kind"] == "ClusterBillingProvider";
        let named = if is_of_cluster { "/metadata/name" } else { "/spec/providerRef/name" };
        if let Some(name) = object.pointer_mut(named).filter(|_| is_of_cluster || refers) {
            *name = json!(format!("{}-{}", name.as_str().unwrap(), world.namespace));
        }
        match object["kind"].as_str().unwrap() {
            "BillingContract" => {
                match object["spec"]["zoo"]["organizationId"].as_str() {
                    Some(organization) => world.sim.register(organization).await,
                    None => seed_customer(world, &object["spec"]["metronome"]).await,
                }
                contracts.push(object["metadata"]["name"].as_str().unwrap().to_owned());
            }
            "BillingProvider" => object["spec"][api]["baseUrl"] = json!(world.sim.url),
            "ClusterBillingProvider" => {
                object["spec"][api]["baseUrl"] = json!(world.sim.url);
                object["spec"]["allowedNamespaces"] = json!([world.namespace]);
            }
            "ContractPackage" => {}
            _ => continue,
        }
        world.apply(&object).await;
    }
    contracts
}

/// Puts in a contract's customer and the rate card that its prices come from.
async fn seed_customer(world: &World, terms: &Value) {
    world.sim.seed_customer(terms["customerId"].as_str().unwrap(), json!({"name": "A customer"})).await;
    world.sim.seed_rate_card("7c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e01", "list-2026").await;
}

/// Puts in what the examples find, if anything: `existing/ORGANIZATION/CONTRACT.json`.
pub(crate) async fn seed(world: &World, folder: &Path) {
    if !folder.exists() {
        return;
    }
    for organization in fs::read_dir(folder).unwrap() {
        let organization = organization.unwrap();
        for file in fs::read_dir(organization.path()).unwrap() {
            let file = file.unwrap().path();
            let body: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            let id = file.file_stem().unwrap().to_str().unwrap();
            world.sim.seed(organization.file_name().to_str().unwrap(), id, &body).await;
        }
    }
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}
