//! Packages with Zoo: the terms go into each contract.

use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    sim::Calls,
    terms::{ORG, contract, from_package, organization, package, wire, with},
    world::message,
};

const CONTRACTS: usize = 100;
const AMOUNT: &str = "/spec/zoo/generatedPeriods/commitmentAmount";

fn by_name(name: &str) -> Value {
    json!({"name": name})
}

/// The package `pro-2026`, which has the alias `pro` for contracts that start before 2027.
fn old() -> Value {
    with(
        package("pro-2026"),
        "/spec/aliases",
        json!([{"name": "pro", "endingBefore": "2027-01-01T00:00:00Z"}]),
    )
}

#[tokio::test]
async fn a_hundred_contracts_from_one_package_cost_one_get_one_put_and_one_status_write_each() {
    let mut world = World::start().await;
    let organizations: Vec<_> = (0..CONTRACTS).map(organization).collect();
    world.sim.register_all(&organizations).await;
    let named =
        |(n, organization): (usize, &String)| from_package(&format!("c{n}"), organization, by_name("sheet"));
    let contracts: Vec<_> = organizations.iter().enumerate().map(named).collect();
    // The package comes last: contracts that were applied with it wait for it without saying so.
    world.create_all(&contracts).await;
    world.apply(&package("sheet")).await;
    for n in 0..CONTRACTS {
        world.until_ready(&format!("c{n}")).await;
    }
    let counted =
        world.until_package("sheet", |package| package["status"]["contracts"] == json!(CONTRACTS)).await;
    let expected = u64::try_from(CONTRACTS).unwrap();
    let writes = world.until_counted("countersign_status_writes_total", expected).await;
    world.stop_operator().await;

    for organization in &organizations {
        assert_eq!(world.sim.calls(organization).await, Calls { gets: 1, puts: 1 });
    }
    assert_eq!(writes, expected);
    assert_eq!(world.versions("c0").await.len(), 2, "as created, and with its status");
    let used = &world.get("c0").await["status"]["package"];
    assert_eq!(*used, json!({"name": "sheet", "digest": counted["status"]["digest"]}));
    let whole = wire(&contract("c0", &organizations[0]));
    let sent: Value = serde_json::from_str(&world.sim.written(&organizations[0]).await[0]).unwrap();
    for (n, item) in whole["items"].as_array().unwrap().iter().enumerate() {
        for (field, value) in item.as_object().unwrap() {
            assert_eq!(sent["items"][n][field], *value, "{field} of item {n}");
        }
    }
    assert_eq!(sent["periods"], whole["periods"]);

    println!("{CONTRACTS} contracts from one package: 1 GET, 1 PUT and 1 status write each");
    world.second_look(expected).await;
    assert_eq!(world.sim.calls(&organizations[0]).await, Calls { gets: 2, puts: 1 });
    assert_eq!(world.versions("c0").await.len(), 2);
}

#[tokio::test]
async fn apply_refuses_other_terms_of_a_published_package_and_says_what_to_do() {
    let mut world = World::start().await;
    world.apply(&package("sheet")).await;
    world.apply(&from_package("acme", ORG, by_name("sheet"))).await;
    world.until_ready("acme").await;
    world.until_package_is("sheet", "Published").await;

    let refusal = world.try_apply(&with(package("sheet"), AMOUNT, json!("1"))).await.unwrap_err();
    assert!(refusal.contains("the terms of a published package must not change"), "{refusal}");
    assert!(
        refusal.contains("write a new ContractPackage with the new terms, and move the alias"),
        "{refusal}"
    );
    let refusal =
        world.try_apply(&with(package("sheet"), "/spec/lifecycle", json!("Draft"))).await.unwrap_err();
    assert!(refusal.contains("only moves on, from Draft to Published to Archived"), "{refusal}");

    // Aliases may move, and the same terms may be applied again.
    world.apply(&with(package("sheet"), "/spec/aliases", json!([{"name": "pro"}]))).await;
    world.until_package_is("sheet", "Published").await;
    world.stop_operator().await;
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 1, puts: 1 });
}

#[tokio::test]
async fn terms_that_change_in_spite_of_the_api_server_reach_no_contract() {
    let world = World::start().await;
    world.apply(&package("sheet")).await;
    world.apply(&from_package("acme", ORG, by_name("sheet"))).await;
    world.until_ready("acme").await;
    // As if somebody had published other terms, say without the rule of the definition.
    let published = world.until_package_is("sheet", "Published").await;
    let digest = published["status"]["digest"].as_str().unwrap();
    let other: String = digest.chars().map(|letter| if letter == '0' { '1' } else { '0' }).collect();
    let status = world.api("billing.countersign.dev/v1alpha1", "ContractPackage");
    let patch =
        kube::api::Patch::Merge(json!({"status": {"digest": digest.replace(&digest[8..], &other[8..])}}));
    status.patch_status("sheet", &kube::api::PatchParams::default(), &patch).await.unwrap();

    let package =
        world.until_package("sheet", |package| kstatus::condition(package, "Stalled").is_some()).await;
    assert_eq!(kstatus::condition(&package, "Stalled").unwrap()["reason"], "TermsChanged");
    assert!(message(&package).contains("write a new ContractPackage"), "{}", message(&package));
    let why = world.until_waiting("acme", "PackageNotReady").await;
    assert!(why.contains("its terms have changed since they were published"), "{why}");
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 1, puts: 1 });
}

#[tokio::test]
async fn a_contract_waits_until_its_package_appears_and_is_published() {
    let world = World::start().await;
    world.apply(&from_package("acme", ORG, by_name("sheet"))).await;
    let why = world.until_waiting("acme", "PackageNotFound").await;
    assert!(why.contains("ContractPackage sheet does not exist"), "{why}");

    world.apply(&with(package("sheet"), "/spec/lifecycle", json!("Draft"))).await;
    let draft = world.until_package_is("sheet", "Draft").await;
    assert_eq!(draft["status"]["digest"], json!(null), "the terms of a draft are nobody's yet");
    let why = world.until_waiting("acme", "PackageNotReady").await;
    assert!(why.contains("set its `spec.lifecycle` to Published"), "{why}");

    // A draft is free to change, and reaches no billing API.
    let draft = with(with(package("sheet"), "/spec/lifecycle", json!("Draft")), AMOUNT, json!("7"));
    world.apply(&draft).await;
    world.until_package_is("sheet", "Draft").await;
    assert_eq!(world.sim.calls(ORG).await, Calls::default());

    world.apply(&with(draft, "/spec/lifecycle", json!("Published"))).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.contract(ORG).await["periods"][0]["commitment_amount"], 7);
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 1, puts: 1 });
}

#[tokio::test]
async fn an_alias_moves_to_the_next_package_and_leaves_older_contracts_as_they_are() {
    let mut world = World::start().await;
    let next = organization(1);
    world.sim.register(&next).await;
    world.apply(&with(package("pro-2026"), "/spec/aliases", json!([{"name": "pro"}]))).await;
    world.apply(&from_package("acme", ORG, json!({"alias": "pro"}))).await;
    world.until_ready("acme").await;

    // While the alias is still the older package's, the younger one is refused.
    let new = with(
        with(package("pro-2027"), AMOUNT, json!("200000")),
        "/spec/aliases",
        json!([
            {"name": "pro", "startingAt": "2027-01-01T00:00:00Z"},
        ]),
    );
    world.apply(&new).await;
    let refused = world.until_package_is("pro-2027", "AliasTaken").await;
    assert!(message(&refused).contains("end it there with `endingBefore`"), "{}", message(&refused));
    world.apply(&old()).await;
    world.until_package_is("pro-2027", "Published").await;

    let late = from_package("late", &next, json!({"alias": "pro"}));
    world.apply(&with(late, "/spec/zoo/effectiveAt", json!("2027-01-01T00:00:00Z"))).await;
    let late = world.until_ready("late").await;
    assert_eq!(late["status"]["package"]["name"], "pro-2027");
    assert_eq!(world.sim.contract(&next).await["periods"][0]["commitment_amount"], 200_000);
    world.stop_operator().await;
    assert_eq!(world.get("acme").await["status"]["package"]["name"], "pro-2026");
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 1, puts: 1 });
}

#[tokio::test]
async fn everything_deleted_and_applied_again_from_git_changes_nothing_in_billing() {
    let mut world = World::start().await;
    let orgs: Vec<_> = (0..3).map(organization).collect();
    world.sim.register_all(&orgs).await;
    let contracts: Vec<_> = (0..3)
        .map(|n| {
            (format!("c{n}"), &orgs[n], if n == 0 { by_name("pro-2026") } else { json!({"alias": "pro"}) })
        })
        .map(|(name, organization, reference)| from_package(&name, organization, reference))
        .collect();
    world.apply(&old()).await;
    for contract in &contracts {
        world.apply(contract).await;
    }
    for n in 0..3 {
        world.until_ready(&format!("c{n}")).await;
    }
    let before = world.get("c1").await["status"]["contractId"].clone();
    let digest = world.until_package_is("pro-2026", "Published").await["status"]["digest"].clone();
    world.stop_operator().await;
    world.delete_object("ContractPackage", "pro-2026").await;
    for n in 0..3 {
        world.delete(&format!("c{n}")).await;
        world.until_gone(&format!("c{n}"), 1).await;
    }

    world.start_operator().await;
    for contract in &contracts {
        world.apply(contract).await;
    }
    world.apply(&old()).await;
    for n in 0..3 {
        let contract = world.until_ready(&format!("c{n}")).await;
        assert_eq!(contract["status"]["package"], json!({"name": "pro-2026", "digest": digest}));
    }
    assert_eq!(world.get("c1").await["status"]["contractId"], before);
    for organization in &orgs {
        assert_eq!(world.sim.calls(organization).await, Calls { gets: 2, puts: 1 });
    }
}

#[tokio::test]
async fn an_archived_package_leaves_its_contracts_as_they_are_and_makes_no_new_ones() {
    let mut world = World::start().await;
    let other = organization(1);
    world.sim.register(&other).await;
    world.apply(&package("sheet")).await;
    world.apply(&from_package("acme", ORG, by_name("sheet"))).await;
    world.until_ready("acme").await;
    world.apply(&with(package("sheet"), "/spec/lifecycle", json!("Archived"))).await;
    world.until_package_is("sheet", "Archived").await;

    world.apply(&from_package("late", &other, by_name("sheet"))).await;
    let why = world.until_stalled("late", "PackageArchived").await;
    assert!(why.contains("name another package in `spec.packageRef`"), "{why}");
    assert_eq!(world.sim.calls(&other).await.puts, 0);
    let acme = world.reconcile("acme").await;
    assert_eq!(kstatus::status_of(&acme, "Ready"), Some("True"));
    assert_eq!(world.sim.calls(ORG).await.puts, 1);

    // Its contracts still take their terms from it, also where nobody remembers them.
    world.stop_operator().await;
    world.delete("acme").await;
    world.until_gone("acme", 1).await;
    world.start_operator().await;
    world.apply(&from_package("acme", ORG, by_name("sheet"))).await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}
