//! `countersign import`: what is billed becomes files, and files that are applied to an empty cluster take it over
//! without a write.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

use kube::api::ListParams;
use serde_json::{Value, json};

use crate::support::{World, metronome, root, sim::TOKEN, terms};

/// Runs the command for an account of the simulator.
fn import(world: &World, provider: &Value, dir: &Path, arguments: &[&str]) -> Output {
    let file = world.folder().join("provider.yaml");
    fs::write(&file, provider.to_string()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["import", "--provider", file.to_str().unwrap(), "--dir", dir.to_str().unwrap()])
        .args(arguments)
        .env("COUNTERSIGN_TOKEN", TOKEN)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The resources in a folder.
fn resources(dir: &Path) -> Vec<Value> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let text = |path| fs::read_to_string(path).unwrap();
    let resources = files.flat_map(|path| countersign::yaml::parse_documents(&text(path)).unwrap());
    resources.filter(|resource| resource["kind"] != "Kustomization").collect()
}

/// Brings examples into force, and gives back the world that they are in force in, without its operator.
async fn in_force(folder: &str) -> World {
    let mut world = World::bare().await;
    let folder = root().join(folder);
    crate::examples::seed(&world, &folder.join("existing")).await;
    let contracts = crate::examples::apply(&world, &folder).await;
    world.apply(&terms::secret(TOKEN)).await;
    world.apply(&metronome::secret(TOKEN)).await;
    world.start_operator().await;
    for name in &contracts {
        if world.get(name).await["spec"]["managementPolicy"] != "Plan" {
            world.until_ready(name).await;
        }
    }
    world.stop_operator().await;
    world.sim.forget_journal().await;
    world
}

/// Applies what was imported to an empty cluster, which takes over every contract and writes nothing.
async fn take_over(billed: &mut World, provider: &Value, dir: &Path) {
    let mut world = World::bare().await;
    std::mem::swap(&mut world.sim, &mut billed.sim);
    world.apply(&terms::secret(TOKEN)).await;
    world.apply(&metronome::secret(TOKEN)).await;
    world.apply(provider).await;
    let resources = resources(dir);
    world.apply_all(&resources).await;
    world.start_operator().await;
    for resource in resources.iter().filter(|resource| resource["kind"] == "BillingContract") {
        let contract = world.until_ready(resource["metadata"]["name"].as_str().unwrap()).await;
        assert_eq!(contract["status"]["contractId"], resource["spec"]["adopt"]["contractId"]);
    }
    world.stop_operator().await;
    assert_eq!(world.sim.all_writes().await, metronome::Traffic::new());
}

#[tokio::test]
async fn what_is_billed_by_metronome_is_imported_and_taken_over_without_a_write() {
    let mut world = in_force("examples/metronome").await;
    let held = world.sim.all_held().await.len();
    let provider = metronome::provider(&world.sim.url);
    let dir = world.folder().join("billed");
    let output = import(&world, &provider, &dir, &["--all", "--states", "active,upcoming,ended"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(resources(&dir).len(), held, "{}", said(&output));
    assert_eq!(world.sim.all_writes().await, metronome::Traffic::new());
    let again = import(&world, &provider, &dir, &["--all"]);
    assert!(again.status.success() && said(&again).contains("0 files written"), "{}", said(&again));
    take_over(&mut world, &provider, &dir).await;
}

#[tokio::test]
async fn what_is_billed_by_zoo_is_imported_and_taken_over_without_a_write() {
    let mut world = in_force("examples/zoo").await;
    let provider = terms::provider(&world.sim.url);
    let dir = world.folder().join("billed");
    let mut organizations = BTreeSet::new();
    for contract in world
        .api("billing.countersign.dev/v1alpha1", "BillingContract")
        .list(&ListParams::default())
        .await
        .unwrap()
    {
        organizations.insert(contract.data["spec"]["zoo"]["organizationId"].as_str().unwrap().to_owned());
    }
    let list = world.folder().join("organizations");
    fs::write(&list, organizations.into_iter().collect::<Vec<_>>().join("\n")).unwrap();
    let output = import(
        &world,
        &provider,
        &dir,
        &["--customers-from", list.to_str().unwrap(), "--label", "team=finance"],
    );
    assert!(output.status.success(), "{}", said(&output));
    let imported = resources(&dir);
    assert!(imported.len() >= 4, "{}", said(&output));
    assert!(imported.iter().all(|contract| contract["metadata"]["labels"]["team"] == "finance"));
    take_over(&mut world, &provider, &dir).await;
}

#[tokio::test]
async fn packages_are_imported_with_their_keys_and_found_again_without_a_write() {
    let mut world = in_force("examples/packages/metronome").await;
    let provider = metronome::provider(&world.sim.url);
    let dir = world.folder().join("billed");
    let output = import(&world, &provider, &dir, &["--packages"]);
    assert!(output.status.success(), "{}", said(&output));
    let imported = resources(&dir);
    assert_eq!(imported.len(), 2, "{}", said(&output));
    assert!(imported.iter().all(|package| package["spec"]["metronome"]["uniquenessKey"].is_string()));
    take_over(&mut world, &provider, &dir).await;
}

#[tokio::test]
async fn a_file_that_is_imported_reads_as_a_person_would_write_it() {
    let world = World::bare().await;
    world.sim.seed(terms::ORG, "c0ffee00-0000-4000-8000-000000000001", &body()).await;
    let dir = world.folder().join("billed");
    let output = import(&world, &terms::provider(&world.sim.url), &dir, &["--customer", terms::ORG]);
    assert!(output.status.success(), "{}", said(&output));
    let text = fs::read_to_string(dir.join("acme-2026-enterprise.yaml")).unwrap();
    insta::assert_snapshot!(text);
    assert!(!text.contains(TOKEN) && !said(&output).contains(TOKEN));
}

#[tokio::test]
async fn a_second_run_adds_what_is_new_and_leaves_what_people_have_put_there() {
    let world = World::bare().await;
    world.sim.seed(terms::ORG, "c0ffee00-0000-4000-8000-000000000001", &body()).await;
    let dir = world.folder().join("billed");
    let run =
        |customer: String| import(&world, &terms::provider(&world.sim.url), &dir, &["--customer", &customer]);
    let output = run(terms::ORG.to_owned());
    assert!(output.status.success(), "{}", said(&output));

    let list = dir.join("kustomization.yaml");
    let ours = "# finance keeps this\nnamespace: billing\nresources:\n- ../base # shared\n- acme-2026-enterprise.yaml\nlabels: []\n";
    fs::write(&list, ours).unwrap();
    fs::write(dir.join("kustomization-2.yaml"), "# a note of somebody's\n").unwrap();
    // Names that would take the place of the list, or of somebody's file.
    let second = terms::organization(2);
    world.sim.register(&second).await;
    let mut named = body();
    named["name"] = json!("Kustomization");
    world.sim.seed(&second, "c0ffee00-0000-4000-8000-000000000002", &named).await;
    let output = run(second);
    assert!(output.status.success(), "{}", said(&output));
    let added = ours
        .replace("- acme-2026-enterprise.yaml\n", "- acme-2026-enterprise.yaml\n- kustomization-3.yaml\n");
    assert_eq!(fs::read_to_string(&list).unwrap(), added);
    assert_eq!(fs::read_to_string(dir.join("kustomization-2.yaml")).unwrap(), "# a note of somebody's\n");
    assert!(dir.join("kustomization-3.yaml").is_file() && !dir.join(".countersign-import").exists());
}

#[tokio::test]
async fn without_a_token_or_a_customer_import_says_what_is_missing() {
    let world = World::bare().await;
    let dir = world.folder().join("billed");
    let output = import(&world, &terms::provider(&world.sim.url), &dir, &["--all"]);
    assert!(said(&output).contains("cannot list its customers"), "{}", said(&output));
    assert_eq!(output.status.code(), Some(1));
    let listed = world.folder().join("customers.txt");
    fs::write(&listed, "acme, globex\n").unwrap();
    for (wrong, why) in [
        (["--states", "upcoming"], "must be one of draft, scheduled"),
        (["--label", "a b=c"], "must be a name and a value that labels can have"),
        (["--namespace", "Billing"], "must be lower case letters"),
        (["--customers-from", listed.to_str().unwrap()], "customers.txt: line 1 must be one ID"),
        (["--customer", terms::ORG], "1f7a11: check the ID and the account"),
    ] {
        let output = import(&world, &terms::provider(&world.sim.url), &dir, &wrong);
        assert!(output.status.code() == Some(1) && said(&output).contains(why), "{}", said(&output));
    }
}

/// A contract as the API has it.
fn body() -> Value {
    json!({
        "name": "Acme 2026 enterprise", "status": "active", "provider": "stripe", "billing_cadence": "annual",
        "commitment_scope": "pooled", "rollover_policy": "none", "currency": "USD",
        "effective_at": "2026-01-01T00:00:00Z", "term_end_at": "2027-01-01T00:00:00Z",
        "items": [{
            "code": "licensed_api_credits", "display_name": "API credits", "kind": "usage_tiered", "unit": "minute",
            "rate_tiers": [
                {"tier_start_inclusive": 0, "tier_end_exclusive": 100_000, "unit_price": 0.5},
                {"tier_start_inclusive": 100_000, "unit_price": 0.42},
            ],
        }],
        "periods": [{
            "period_index": 0, "period_start_at": "2026-01-01T00:00:00Z", "period_end_at": "2027-01-01T00:00:00Z",
            "commitment_amount": 120_000,
        }],
    })
}
