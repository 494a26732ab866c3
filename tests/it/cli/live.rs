//! `countersign plan` against the billing API, held against what the operator then does.

use std::{collections::BTreeMap, fs, path::Path};

use kube::api::ListParams;
use serde_json::{Value, json};

use super::{Ran, git, plan_of, write};
use crate::{
    approvals, examples,
    support::{
        World, metronome, root,
        sim::{Request, TOKEN},
        terms,
    },
};

/// Runs the command as the operator of a world, with the rights of its service account.
pub(crate) fn as_operator(world: &World, folder: &Path, arguments: &[&str]) -> Ran {
    let kubeconfig = world.options.kubeconfig.to_str().unwrap().to_owned();
    let target =
        ["plan", "--context", "operator", "--kubeconfig", &kubeconfig, "--allowed-hosts", "127.0.0.1"];
    let namespaces = ["--namespace", &world.namespace, "--own-namespace", &world.namespace];
    super::countersign(folder, &[&target[..], &namespaces, arguments].concat())
}

/// Writes what the cluster has as files, without their namespace; how many.
async fn write_out(world: &World, folder: &Path) -> usize {
    let mut count = 0;
    for kind in ["BillingProvider", "ContractPackage", "BillingContract"] {
        let api = world.api("billing.countersign.dev/v1alpha1", kind);
        for object in api.list(&ListParams::default()).await.unwrap() {
            let object = serde_json::to_value(object).unwrap();
            let metadata =
                json!({"name": object["metadata"]["name"], "annotations": object["metadata"]["annotations"]});
            let written = json!({"apiVersion": "billing.countersign.dev/v1alpha1", "kind": kind, "metadata": metadata,
                "spec": object["spec"]});
            let name = format!("{kind}-{}.json", object["metadata"]["name"].as_str().unwrap());
            write(folder, &name, &written.to_string());
            count += 1;
        }
    }
    count
}

/// A call that changes something.
type Call = (String, Value);

/// Calls by whom they are about: an organization, a customer, or the account.
fn by_customer(calls: impl Iterator<Item = (String, String, Value)>) -> BTreeMap<String, Vec<Call>> {
    let mut all: BTreeMap<String, Vec<Call>> = BTreeMap::new();
    for (method, path, body) in calls {
        let organization = path.split('/').nth(1).filter(|_| path.starts_with("orgs/"));
        let customer = organization.or(body["customer_id"].as_str()).unwrap_or("account").to_owned();
        all.entry(customer).or_default().push((format!("{method} {path}"), body));
    }
    // What prepares an account is done by whichever contract comes first.
    if let Some(calls) = all.get_mut("account") {
        calls.sort_by_key(|(call, body)| (call.clone(), body.to_string()));
        calls.dedup();
    }
    all
}

/// What a plan says that is sent.
fn planned(plan: &Value) -> BTreeMap<String, Vec<Call>> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let resources = plan["resources"].as_array().unwrap().iter();
    let waits = |resource: &&Value| resource["waitsForApproval"] != true;
    let calls = resources.filter(waits).flat_map(|resource| resource["calls"].as_array().unwrap());
    by_customer(calls.map(|call| (text(&call["method"]), text(&call["path"]), call["body"].clone())))
}

/// What the simulator was sent and took.
fn journal(requests: Vec<Request>) -> BTreeMap<String, Vec<Call>> {
    let writes = requests.into_iter().filter(|request| metronome::is_write(&request.method, &request.path));
    let taken = writes.filter(|request| request.status.is_some_and(|status| status < 300));
    by_customer(taken.map(|request| {
        let path = request.path.trim_start_matches('/').to_owned();
        (request.method, path, serde_json::from_str(&request.body).unwrap_or_default())
    }))
}

/// Whether something was sent as it was planned; what only a reply told was in angle brackets.
fn is_as_planned(planned: &Value, sent: &Value) -> bool {
    match (planned, sent) {
        (Value::String(planned), Value::String(_)) if planned.starts_with('<') && planned.ends_with('>') => {
            true
        }
        (Value::Object(planned), Value::Object(sent)) => {
            planned.len() == sent.len()
                && planned
                    .iter()
                    .all(|(name, value)| sent.get(name).is_some_and(|sent| is_as_planned(value, sent)))
        }
        (Value::Array(planned), Value::Array(sent)) => {
            planned.len() == sent.len()
                && planned.iter().zip(sent).all(|(one, other)| is_as_planned(one, other))
        }
        _ => planned == sent,
    }
}

#[track_caller]
fn assert_as_planned(planned: &BTreeMap<String, Vec<Call>>, sent: &BTreeMap<String, Vec<Call>>) {
    let names = |calls: &BTreeMap<String, Vec<Call>>| calls.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(planned), names(sent), "who is written to");
    for (customer, calls) in planned {
        let done = &sent[customer];
        let same = |((call, body), (other, sent)): (&Call, &Call)| call == other && is_as_planned(body, sent);
        assert!(
            calls.len() == done.len() && calls.iter().zip(done).all(same),
            "{customer}: planned {calls:#?}\nsent {done:#?}"
        );
    }
}

/// What is planned for a folder of examples is what then happens.
async fn plan_is_what_happens(folder: &str, calls: usize) {
    let mut world = World::bare().await;
    let folder = root().join(folder);
    examples::seed(&world, &folder.join("existing")).await;
    let contracts = examples::apply(&world, &folder).await;
    world.apply(&terms::secret(TOKEN)).await;
    world.apply(&metronome::secret(TOKEN)).await;
    let files = world.folder().join("files");
    assert!(write_out(&world, &files).await >= contracts.len());
    let ran = as_operator(&world, world.folder(), &["--output", "json", "files"]);
    let plan = plan_of(&ran);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.said);
    assert_eq!((&plan["live"], &plan["counts"]["undone"]), (&json!(true), &json!(0)), "{}", ran.out);
    let planned = planned(&plan);
    assert!(planned.values().map(Vec::len).sum::<usize>() >= calls, "{planned:#?}");
    assert_eq!(world.sim.all_writes().await, metronome::Traffic::new(), "a plan only reads");
    world.start_operator().await;
    examples::until_in_force(&world, &contracts).await;
    world.stop_operator().await;
    assert_as_planned(&planned, &journal(world.sim.requests().await));
    // What is in force plans to nothing; only what waits for its approval is left.
    let again = plan_of(&as_operator(&world, world.folder(), &["--output", "json", "files"]));
    let resources = again["resources"].as_array().unwrap();
    let is_still =
        |resource: &&Value| resource["waitsForApproval"] == true || resource["parts"] == json!(["left"]);
    assert!(resources.iter().all(|resource| is_still(&resource)), "{again:#}");
}

#[tokio::test]
async fn what_is_planned_for_the_examples_of_zoo_is_what_happens() {
    plan_is_what_happens("examples/zoo", 8).await;
}

#[tokio::test]
async fn what_is_planned_for_the_examples_of_metronome_is_what_happens() {
    plan_is_what_happens("examples/metronome", 6).await;
}

#[tokio::test]
async fn what_is_planned_for_the_examples_of_packages_with_zoo_is_what_happens() {
    plan_is_what_happens("examples/packages/zoo", 5).await;
}

#[tokio::test]
async fn what_is_planned_for_the_examples_of_packages_with_metronome_is_what_happens() {
    plan_is_what_happens("examples/packages/metronome", 7).await;
}

#[tokio::test]
async fn a_plan_that_somebody_of_the_cluster_has_approved_waits_for_nobody() {
    let mut world = World::bare().await;
    world.connect().await;
    world.apply(&approvals::planned()).await;
    world.start_operator().await;
    world.until_waiting("acme", "AwaitingApproval").await;
    let digest = world.get("acme").await["status"]["plan"]["digest"].as_str().unwrap().to_owned();
    world.stop_operator().await;
    let waits = || plan_of(&as_operator(&world, world.folder(), &["-o", "json"]))["resources"][0].clone();
    assert_eq!((&waits()["waitsForApproval"], &waits()["digest"]), (&json!(true), &json!(digest)));
    let ann = approvals::approver(&world, "ann").await;
    approvals::say(&world, &ann, approvals::word("agreed", "ann", &digest, "Approve")).await.unwrap();
    assert_eq!((&waits()["waitsForApproval"], &waits()["digest"]), (&json!(false), &json!(digest)));
}

#[tokio::test]
async fn a_change_that_waits_for_approval_was_not_made_in_billing_by_somebody() {
    let mut world = World::bare().await;
    world.connect().await;
    world.apply(&terms::acme()).await;
    world.start_operator().await;
    world.until_ready("acme").await;
    let planned = terms::with(terms::acme(), "/spec/managementPolicy", json!("Plan"));
    world.apply(&terms::with(planned, "/spec/zoo/items/1/fixedFeeAmount", json!("260000"))).await;
    world.until_waiting("acme", "AwaitingApproval").await;
    world.stop_operator().await;
    let parts = |world: &World| {
        let plan = plan_of(&as_operator(world, world.folder(), &["-o", "json"]));
        let acme = &plan["resources"][0];
        (acme["parts"].clone(), acme["waitsForApproval"].clone())
    };
    assert_eq!(parts(&world), (json!(["does"]), json!(true)));
    // Once it agreed with billing, what differs is somebody's doing.
    world.apply(&terms::acme()).await;
    world.start_operator().await;
    world.until_ready("acme").await;
    world.stop_operator().await;
    world.sim.change(terms::ORG, |body: &mut Value| body["name"] = json!("Renamed by hand")).await;
    assert_eq!(parts(&world), (json!(["undone"]), json!(false)));
}

#[tokio::test]
async fn what_somebody_changed_in_billing_is_told_apart_from_what_a_change_does() {
    let mut world = World::bare().await;
    world.connect().await;
    world.apply(&terms::acme()).await;
    world.start_operator().await;
    world.until_ready("acme").await;
    world.stop_operator().await;
    let drift = |body: &mut Value| body["name"] = json!("Renamed by hand");
    world.sim.change(terms::ORG, drift).await;
    world.sim.forget_journal().await;
    let acme = terms::with(terms::acme(), "/spec/zoo/items/1/fixedFeeAmount", json!("260000"));
    write(world.folder(), "files/acme.json", &acme.to_string());
    let ran = as_operator(&world, world.folder(), &["files"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.said);
    let (does, undone) = ran.out.split_once("Found changed in billing, and would be undone:").unwrap();
    assert!(
        does.contains("/items/fde/fixedFeeAmount: 250000 -> 260000 USD") && !does.contains("by hand"),
        "{}",
        ran.out
    );
    assert!(
        undone.contains("/name: billing says Renamed by hand, Git says Acme 2026 enterprise"),
        "{}",
        ran.out
    );
    assert!(does.contains(&format!("call: PUT orgs/{}/billing/contract", terms::ORG)), "{}", ran.out);
    let plan = plan_of(&as_operator(&world, world.folder(), &["files", "-o", "json"]));
    let acme = &plan["resources"][0];
    assert_eq!((&acme["parts"], &acme["fileIs"]), (&json!(["does", "undone"]), &json!("changed")));
    assert_eq!(acme["undone"][0]["path"], "/name");

    // Nothing is asked for but what is in the cluster: all that differs is somebody else's doing.
    let alone = plan_of(&as_operator(&world, world.folder(), &["-o", "json"]));
    assert_eq!(
        (&alone["resources"][0]["parts"], &alone["resources"][0]["fileIs"]),
        (&json!(["undone"]), &json!("same"))
    );
    assert_eq!(world.sim.all_writes().await, metronome::Traffic::new());
}

#[tokio::test]
async fn with_a_token_alone_the_operators_records_follow_from_what_the_files_said_before() {
    let mut world = World::bare().await;
    world.connect().await;
    let noted = terms::with(terms::acme(), "/spec/zoo/notes", json!("as agreed"));
    world.apply(&noted).await;
    world.start_operator().await;
    world.until_ready("acme").await;
    world.stop_operator().await;
    world.sim.forget_journal().await;
    let folder = tempfile::TempDir::with_prefix("countersign-").unwrap();
    let at = folder.path();
    write(at, "zoo.json", &terms::provider(&world.sim.url).to_string());
    write(at, "contracts/acme.json", &noted.to_string());
    git(at, &["init", "--quiet"]);
    git(at, &["add", "--all"]);
    git(at, &["commit", "--quiet", "--message", "Before"]);
    let plan = |arguments: &[&str]| -> Ran {
        let fixed =
            ["plan", "--provider", "zoo.json", "--token-file", "token", "--namespace", &world.namespace];
        super::countersign(at, &[&fixed[..], arguments].concat())
    };
    write(at, "token", TOKEN);
    let same = plan(&["--base", "HEAD", "contracts"]);
    assert_eq!(
        (same.code, same.out.as_str()),
        (0, "Nothing changes in billing (1 contract).\n"),
        "{}",
        same.said
    );

    // What leaves the files was put there by them, and is taken out.
    write(at, "contracts/acme.json", &terms::acme().to_string());
    let cleared = plan(&["--base", "HEAD", "contracts"]);
    assert_eq!(cleared.code, 3, "{}{}", cleared.out, cleared.said);
    assert!(cleared.out.contains("/notes: - as agreed"), "{}", cleared.out);

    fs::remove_file(at.join("contracts/acme.json")).unwrap();
    let orphaned = plan(&["--base", "HEAD", "contracts"]);
    assert_eq!(orphaned.code, 0, "{}{}", orphaned.out, orphaned.said);
    assert!(
        orphaned.out.contains("Will be left as it is:") && orphaned.out.contains("committed: 120000 USD"),
        "{}",
        orphaned.out
    );

    // Under another name, it is left to that one by the operator too, whatever becomes of it by itself.
    let ending = terms::with(noted.clone(), "/spec/deletionPolicy", json!("Cancel"));
    write(at, "contracts/acme.json", &ending.to_string());
    git(at, &["add", "--all"]);
    git(at, &["commit", "--quiet", "--message", "Cancel what goes"]);
    fs::remove_file(at.join("contracts/acme.json")).unwrap();
    let canceled = plan(&["--base", "HEAD", "contracts"]);
    assert!(canceled.out.contains("active -> canceled"), "{}{}", canceled.out, canceled.said);
    let renamed = terms::with(ending, "/metadata/name", json!("acme-renamed"));
    write(at, "contracts/renamed.json", &renamed.to_string());
    let left = plan(&["--base", "HEAD", "contracts"]);
    assert_eq!(left.code, 0, "{}{}", left.out, left.said);
    assert!(left.out.contains("is left to a new one of the same customer"), "{}", left.out);
    fs::remove_file(at.join("contracts/renamed.json")).unwrap();

    write(at, "token", "expired");
    let refused = plan(&["--base", "HEAD", "contracts", "--output", "json"]);
    write(at, "contracts/acme.json", &noted.to_string());
    let unknown = plan(&["contracts", "--output", "json"]);
    assert_eq!(unknown.code, 1, "{}{}", unknown.out, unknown.said);
    assert_eq!(plan_of(&unknown)["resources"][0]["reason"], "CredentialsRefused");
    assert!(!format!("{}{}{}", refused.out, unknown.out, unknown.said).contains(TOKEN));
    assert_eq!(world.sim.all_writes().await, metronome::Traffic::new());
}

#[tokio::test]
async fn a_live_plan_refuses_what_an_older_resource_of_the_customer_may_just_be_making() {
    let mut world = World::metronome_bare().await;
    world.connect_metronome().await;
    // Nothing of it is in billing, or on record: it is a resource like the one that comes.
    world.apply(&metronome::acme()).await;
    let second = metronome::contract("acme-new", metronome::CUSTOMER);
    let second = terms::with(second, "/spec/metronome/name", json!("Another name"));
    write(world.folder(), "files/new.json", &second.to_string());
    let planned = plan_of(&as_operator(&world, world.folder(), &["files", "-o", "json"]));
    let told = &planned["resources"][0];
    assert_eq!((&told["parts"], &told["reason"]), (&json!(["refused"]), &json!("DuplicateClaim")), "{told}");
    let why = told["message"].as_str().unwrap();
    assert!(why.contains(&format!("{}/acme is older", world.namespace)), "{why}");
    // So does the operator.
    world.start_operator().await;
    world.until_ready("acme").await;
    world.apply(&second).await;
    let why = world.until_stalled("acme-new", "DuplicateClaim").await;
    assert!(why.contains(&format!("{}/acme", world.namespace)), "{why}");
    // One that bills something else is made beside it, and planned so.
    let other = metronome::bare("beside", metronome::CUSTOMER);
    write(world.folder(), "other/beside.json", &other.to_string());
    let planned = plan_of(&as_operator(&world, world.folder(), &["other", "-o", "json"]));
    assert_ne!(planned["resources"][0]["reason"], "DuplicateClaim", "{planned}");
}
