//! Every file under `examples/` is applied as it is, and comes to what it says.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::support::{
    World,
    kstatus::{self, Standing},
    objects,
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

async fn come_into_force(folder: &str) {
    let folder = root().join(folder);
    let mut world = World::bare().await;
    seed(&world, &folder.join("existing")).await;
    let contracts = apply(&world, &folder).await;
    let on_disk = yaml_files(&folder.join("contracts"));
    assert_eq!(contracts.len(), on_disk.len(), "the kustomization names every contract");
    world.apply(&secret(TOKEN)).await;
    world.start_operator().await;
    for name in &contracts {
        world
            .until(name, |contract| {
                let expected = match contract["spec"]["managementPolicy"].as_str() {
                    Some("Plan") => Standing::InProgress,
                    _ => Standing::Current,
                };
                contract["status"]["observedGeneration"] == contract["metadata"]["generation"]
                    && kstatus::compute(contract) == expected
            })
            .await;
    }
    world.stop_operator().await;
    let writes = |requests: Vec<crate::support::sim::Request>| {
        requests.iter().filter(|request| request.method == "PUT").count()
    };
    let before = (writes(world.sim.requests().await), world.get_all(&contracts).await);
    world.second_look(contracts.len().try_into().unwrap()).await;
    assert_eq!((writes(world.sim.requests().await), world.get_all(&contracts).await), before);
}

/// Applies a folder of examples to a world, in the order of its kustomization; the names of its contracts.
pub(crate) async fn apply(world: &World, folder: &Path) -> Vec<String> {
    let arguments = ["create", "--dry-run=client", "-o", "json", "-k", folder.to_str().unwrap()];
    let mut contracts = Vec::new();
    for mut object in objects(&Plane::shared().kubectl(&arguments)) {
        object["metadata"] =
            json!({"name": object["metadata"]["name"], "annotations": object["metadata"]["annotations"]});
        match object["kind"].as_str().unwrap() {
            "BillingContract" => {
                let organization = object["spec"]["zoo"]["organizationId"].as_str().unwrap();
                world.sim.register(organization).await;
                contracts.push(object["metadata"]["name"].as_str().unwrap().to_owned());
            }
            "BillingProvider" => object["spec"]["zoo"]["baseUrl"] = json!(world.sim.url),
            "ClusterBillingProvider" => {
                object["spec"]["zoo"]["baseUrl"] = json!(world.sim.url);
                object["spec"]["allowedNamespaces"] = json!([world.namespace]);
            }
            "ContractPackage" => {}
            _ => continue,
        }
        world.apply(&object).await;
    }
    contracts
}

/// Puts in what the examples find, if anything: `existing/ORGANIZATION/CONTRACT.json`.
async fn seed(world: &World, folder: &Path) {
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
