//! Approvals that are merged with the change: what `countersign plan --approvals` writes, and what comes of it.

use std::{collections::BTreeMap, fs, path::Path};

use super::*;
use crate::{
    cli::{Ran, live::as_operator, write},
    support::terms,
};

/// Who applies what is merged.
const FLUX: &str = "flux";

/// What the trusted job of a pull request does with the contract in its files.
fn review(world: &World, contract: &Value) -> Ran {
    write(world.folder(), "contracts/acme.json", &contract.to_string());
    let approving = ["--approvals", "approvals", "--approved-by", FLUX, "--note", "pull request 7"];
    as_operator(world, world.folder(), &[&["contracts"], &approving[..]].concat())
}

/// What is in the folder of approvals, by the names of its files.
fn written(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder.join("approvals")).unwrap().map(Result::unwrap);
    let file = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
    };
    entries.map(file).collect()
}

/// The only approval that is written, as it is applied.
fn only(world: &World) -> Value {
    let files = written(world.folder());
    assert_eq!(files.len(), 1, "{files:#?}");
    let file = format!("{}.acme.yaml", world.namespace);
    serde_saphyr::from_str(&files[&file]).unwrap()
}

/// Applies a change with its approval, as Flux does once it is merged.
async fn merge(world: &World, flux: &Client, contract: &Value) -> String {
    let approval = only(world);
    let name = approval["metadata"]["name"].as_str().unwrap().to_owned();
    world.apply(contract).await;
    say(world, flux, approval).await.unwrap();
    name
}

#[tokio::test]
async fn a_change_that_is_merged_with_its_approval_is_carried_out() {
    let world = World::start().await;
    let flux = approver(&world, FLUX).await;
    let ran = review(&world, &planned());
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.said);
    assert!(
        ran.said.contains("approves the plan of") && ran.out.contains("waits for approval"),
        "{}",
        ran.said
    );
    let first = written(world.folder());
    let text = first.values().next().unwrap();
    assert!(text.starts_with("# Written by `countersign plan --approvals`: merging it approves"), "{text}");
    assert!(text.lines().any(|line| line.starts_with('#') && line.contains("120000 USD")), "{text}");
    review(&world, &planned());
    assert_eq!(written(world.folder()), first, "a second run changes nothing");

    let name = merge(&world, &flux, &planned()).await;
    let contract = world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
    let last = &contract["status"]["lastApproval"];
    assert_eq!((&last["approvedBy"], &last["note"]), (&json!(FLUX), &json!("pull request 7")));
    until_spent(&world, &name).await;

    // What was carried out has no plan any more, and the next pull request takes its approval out.
    let own = "# Somebody's own.\n".to_owned()
        + &word("own", FLUX, "0123456789abcdef0123456789abcdef", "Deny").to_string();
    write(world.folder(), "approvals/own.yaml", &own);
    let ran = review(&world, &planned());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.said);
    assert_eq!(written(world.folder()).into_iter().collect::<Vec<_>>(), [("own.yaml".to_owned(), own)]);
    fs::remove_file(world.folder().join("approvals/own.yaml")).unwrap();

    // While a change is reviewed, its approval follows it.
    let dearer = |price: &str| with(planned(), PRICE, json!(price));
    review(&world, &dearer("0.55"));
    let before = only(&world);
    review(&world, &dearer("0.60"));
    let after = only(&world);
    assert_ne!(before["spec"]["planDigest"], after["spec"]["planDigest"]);
    assert_ne!(before["metadata"]["name"], after["metadata"]["name"], "what an approval says never changes");
    merge(&world, &flux, &dearer("0.60")).await;
    world.until("acme", |contract| contract["status"]["appliedPlan"] == after["spec"]["planDigest"]).await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}

#[tokio::test]
async fn a_change_whose_plan_is_another_one_by_the_time_it_is_merged_waits_and_says_so() {
    let world = World::start().await;
    let flux = approver(&world, FLUX).await;
    review(&world, &planned());
    merge(&world, &flux, &planned()).await;
    world.until_ready("acme").await;

    let dearer = with(planned(), PRICE, json!("0.55"));
    review(&world, &dearer);
    let reviewed = only(&world);
    let renamed = |body: &mut Value| body["name"] = json!("Renamed by hand");
    world.sim.change(ORG, renamed).await;
    let name = merge(&world, &flux, &dearer).await;
    let told = format!("ContractApproval {name} is about another plan");
    world
        .until("acme", |contract| reason(contract) == "AwaitingApproval" && message(contract).contains(&told))
        .await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);

    // Reviewed again, it is approved as it is by now.
    review(&world, &dearer);
    let again = only(&world);
    assert_ne!(again["spec"]["planDigest"], reviewed["spec"]["planDigest"]);
    say(&world, &flux, again).await.unwrap();
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 2);
}

#[tokio::test]
async fn a_provider_that_wants_author_and_approver_to_be_two_takes_no_approval_from_a_change() {
    let mut world = World::bare().await;
    world.connect().await;
    let strict = with(terms::provider(&world.sim.url), "/spec/requireApprovalByOther", json!(true));
    world.apply(&strict).await;
    world.start_operator().await;
    let ran = review(&world, &terms::acme());
    assert!(ran.said.contains("approve it in the cluster"), "{}", ran.said);
    assert_eq!(written(world.folder()), BTreeMap::new());
}

#[tokio::test]
async fn nothing_is_approved_by_what_an_account_alone_tells() {
    let world = World::bare().await;
    let refused = |arguments: &[&str]| {
        let fixed = ["plan", "contracts", "--approvals", "approvals"];
        let ran = crate::cli::countersign(world.folder(), &[&fixed[..], arguments].concat());
        assert_ne!(ran.code, 0);
        ran.said
    };
    let why = refused(&["--approved-by", FLUX, "--base", "HEAD"]);
    assert!(why.contains("approvals need --context"), "{why}");
    assert!(refused(&["--base", "HEAD"]).contains("--approved-by"));
    assert!(refused(&["--approved-by", FLUX, "--provider", "zoo.yaml"]).contains("--provider"));
}
