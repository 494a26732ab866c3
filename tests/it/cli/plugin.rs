//! `kubectl countersign`, on a real control plane, as people run it.

use std::{os::unix::fs::symlink, path::Path, process::Command};

use serde_json::{Value, json};

use super::Ran;
use crate::support::{
    World,
    kstatus::{self, Standing},
    plane::Plane,
    rbac, root, run, terms, world,
};

/// Runs the program as an administrator, in the world's namespace.
fn plugin(world: &World, arguments: &[&str]) -> Ran {
    command().args(arguments).args(["-n", &world.namespace]).output().unwrap().into()
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.env("KUBECONFIG", &Plane::shared().kubeconfig).env_remove("NO_COLOR");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_says_how_everything_stands_and_a_pipe_that_closes_is_no_error() {
    let world = World::start().await;
    world.sim.register(&terms::organization(2)).await;
    world.apply(&terms::acme()).await;
    world.until_ready("acme").await;
    let wrong = terms::with(
        terms::contract("globex", &terms::organization(2)),
        "/spec/zoo/items/0/rateTiers/1/tierStartInclusive",
        json!(90_000),
    );
    world.apply(&wrong).await;
    world.until_stalled("globex", "InvalidSpec").await;

    let ran = plugin(&world, &["status"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    for part in [
        &*format!("BillingProvider {}/zoo  ready  {}", world.namespace, world.sim.url),
        &format!(
            "BillingContract {}/acme  ready  active  2026-01-01 to 2036-01-01  120000 USD",
            world.namespace
        ),
        "why: InvalidSpec: `spec.zoo.items[licensed_api_credits].rateTiers[1].tierStartInclusive` must be 100000",
        "cure: correct the spec",
        "2 contracts: 1 refused, 1 ready.",
    ] {
        assert!(ran.out.contains(part), "{part}\n{}", ran.out);
    }
    assert!(!ran.out.contains('\u{1b}'), "colours in a pipe: {}", ran.out);
    assert!(plugin(&world, &["status", "--color", "always"]).out.contains("\u{1b}[32mready"));

    let ran = plugin(&world, &["status", "globex", "-o", "json"]);
    let tree: Value = serde_json::from_str(&ran.out).unwrap();
    let node = &tree["providers"][0]["contracts"][0];
    assert_eq!(
        (&tree["version"], &node["name"], &node["standing"]["mark"]),
        (&json!(1), &json!("globex"), &json!("Refused"))
    );
    let ran = plugin(&world, &["status", "nobody"]);
    assert_eq!(ran.code, 1);
    assert!(ran.said.contains("there is no BillingContract nobody in"), "{}", ran.said);

    let program = env!("CARGO_BIN_EXE_countersign");
    let line = format!("set -o pipefail; {program} status -A -o json | head -c 10 > /dev/null");
    let piped = Command::new("bash")
        .args(["-c", &line])
        .env("KUBECONFIG", &Plane::shared().kubeconfig)
        .output()
        .unwrap();
    assert!(piped.status.success() && piped.stderr.is_empty(), "{piped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_is_asked_for_and_waited_for() {
    let world = World::start().await;
    world.apply(&terms::acme()).await;
    world.until_ready("acme").await;
    let reads = world.sim.requests().await.len();
    let ran = plugin(&world, &["reconcile", "acme", "--wait", "--timeout", "60"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.said);
    assert!(ran.out.contains("/acme  ready"), "{}", ran.out);
    assert!(world.sim.requests().await.len() > reads);
    assert_eq!(plugin(&world, &["reconcile", "bprov/zoo", "--wait"]).code, 0);
    let ran = plugin(&world, &["reconcile", "package/none"]);
    assert_eq!(ran.code, 1);
    assert!(ran.said.contains("there is no ContractPackage none"), "{}", ran.said);
    let ran = plugin(&world, &["reconcile", "pod/none"]);
    assert!(ran.code == 1 && ran.said.contains("`pod` is no kind"), "{}", ran.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_contract_is_left_alone_until_it_is_resumed() {
    let world = World::start().await;
    world.apply(&terms::acme()).await;
    world.until_ready("acme").await;
    let ran = plugin(&world, &["suspend", "acme"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    // The tests apply as `git`, which would set it back.
    assert!(
        ran.out.contains("suspended: nothing is read or written\ngit applies this contract"),
        "{}",
        ran.out
    );
    assert_eq!(world.get("acme").await["spec"]["suspend"], true);
    assert!(plugin(&world, &["suspend", "acme"]).out.contains("suspended already"));
    let ran = plugin(&world, &["reconcile", "acme", "--wait"]);
    assert!(ran.code == 1 && ran.said.contains("kubectl countersign resume acme"), "{}", ran.said);
    assert!(plugin(&world, &["status"]).out.contains("/acme  suspended"));
    let ran = plugin(&world, &["resume", "acme"]);
    assert!(ran.out.contains("/acme: resumed"), "{}{}", ran.out, ran.said);
    world.until_ready("acme").await;
    assert_eq!(world.get("acme").await["spec"].get("suspend"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_approved_by_who_read_it_and_no_other_plan_is() {
    let world = World::start().await;
    world.apply(&terms::with(terms::acme(), "/spec/managementPolicy", json!("Plan"))).await;
    world.until_waiting("acme", "AwaitingApproval").await;
    let digest = world.get("acme").await["status"]["plan"]["digest"].as_str().unwrap().to_owned();
    let ran = plugin(&world, &["status", "acme"]);
    assert!(ran.out.contains(&format!("plan {digest}")) && ran.out.contains("new contract"), "{}", ran.out);

    let ran = plugin(&world, &["approve", "acme"]);
    assert!(ran.code == 1 && ran.said.contains("no terminal to ask on"), "{}", ran.said);
    assert!(ran.out.contains("new contract") && ran.out.contains("120000 USD"), "{}", ran.out);
    let ran = plugin(&world, &["approve", "acme", "--yes", "--plan", "00112233445566778899aabbccddeeff"]);
    assert!(ran.code == 1 && ran.said.contains("read it again"), "{}", ran.said);
    assert!(world.sim.requests().await.iter().all(|request| request.method != "PUT"));

    let ran = plugin(&world, &["approve", "acme", "--yes", "--plan", &digest, "--as", "mallory"]);
    assert!(ran.code == 1 && ran.said.contains("mallory"), "{}", ran.said);
    let of_ann =
        ["approve", "acme", "--yes", "--plan", &digest, "--as", "ann", "--as-group", "system:masters"];
    let ran = plugin(&world, &of_ann);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.said);
    assert!(ran.out.contains("approved by ann"), "{}", ran.out);
    world.until_ready("acme").await;
    let ran = plugin(&world, &["approve", "acme", "--yes"]);
    assert!(ran.code == 1 && ran.said.contains("no plan of BillingContract"), "{}", ran.said);
    let ran = plugin(&world, &["status", "acme"]);
    assert!(ran.out.contains("last approved by "), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_write_the_contract_is_told_that_their_approval_would_not_count() {
    let world = World::start().await;
    let provider = terms::provider(&world.sim.url);
    world.apply(&terms::with(provider, "/spec/requireApprovalByOther", json!(true))).await;
    // A contract that comes along with the demand may be written by what the provider said before.
    world
        .until_provider(|provider| {
            provider["status"]["observedGeneration"] == provider["metadata"]["generation"]
        })
        .await;
    world.apply(&terms::acme()).await;
    world.until_waiting("acme", "AwaitingApproval").await;
    let ran = plugin(&world, &["approve", "acme", "--yes"]);
    assert!(ran.code == 1 && ran.said.contains("let somebody else approve it"), "{}{}", ran.out, ran.said);
    let ran = plugin(&world, &["deny", "acme", "--yes"]);
    assert!(ran.code == 0 && ran.out.contains(" denied by "), "{}{}", ran.out, ran.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_somebody_denies_is_not_carried_out() {
    let world = World::start().await;
    world.apply(&terms::with(terms::acme(), "/spec/managementPolicy", json!("Plan"))).await;
    world.until_waiting("acme", "AwaitingApproval").await;
    let ran = plugin(&world, &["deny", "acme", "--yes", "--note", "not agreed"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.said);
    assert!(ran.out.contains(" denied by "), "{}", ran.out);
    let is_denied = |contract: &Value| {
        world::reason(contract) == "PlanDenied" && world::message(contract).contains("who says: not agreed")
    };
    world.until("acme", is_denied).await;
    assert!(world.sim.requests().await.iter().all(|request| request.method != "PUT"));
    let ran = plugin(&world, &["approve", "acme", "--yes"]);
    assert!(ran.code == 1 && ran.said.contains("delete the ContractApproval"), "{}", ran.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said_with_its_cure_and_no_token_is_read() {
    let mut world = World::start().await;
    world.apply(&terms::acme()).await;
    world.until_ready("acme").await;
    world.until_provider(|provider| kstatus::compute(provider) == Standing::Current).await;
    let own = ["--operator-namespace", &world.namespace.clone()];
    let check = |world: &World| plugin(world, &[&["check"][..], &own[..]].concat());
    let ran = check(&world);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.said);
    for part in [
        "ok    CRD billingcontracts: installed, of this version",
        "ok    operator: operator-0 leads",
        "ok    your rights: you may patch billingcontracts",
        "the billing API accepts the token",
        "zoo-token is there",
        "ok    clock:",
        "Nothing is missing.",
    ] {
        assert!(ran.out.contains(part), "{part}\n{}", ran.out);
    }
    world.delete_object("Secret", "zoo-token").await;
    let refused = |provider: &Value| world::reason(provider) == "SecretNotReadable";
    world.until_provider(refused).await;
    let ran = check(&world);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(
        ran.out.contains("zoo-token does not exist\n      cure: kubectl create secret generic zoo-token"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("SecretNotReadable"), "{}", ran.out);
    world.stop_operator().await;
    let elsewhere = plugin(&world, &["check", "--operator-namespace", "nowhere"]);
    assert!(elsewhere.out.contains("no Lease `countersign` in namespace nowhere"), "{}", elsewhere.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_see_contracts_that_is_said() {
    let world = World::bare().await;
    let stranger = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "stranger"}});
    world.apply(&stranger).await;
    let plane = Plane::shared();
    let kubeconfig =
        rbac::kubeconfig(&world.client, &world.namespace, "stranger", plane, world.folder()).await;
    let ran: Ran = command()
        .args(["status", "--namespace", &world.namespace, "--kubeconfig"])
        .arg(kubeconfig)
        .output()
        .unwrap()
        .into();
    assert_eq!(ran.code, 1);
    assert!(
        ran.said.contains("cannot list BillingContracts in namespace") && ran.said.contains("forbidden"),
        "{}",
        ran.said
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_the_cluster_says_what_is_not_ready() {
    let world = World::start().await;
    world.apply(&terms::acme()).await;
    world.until_ready("acme").await;
    world.apply(&terms::contract("hooli", terms::ORG)).await;
    world.until_stalled("hooli", "DuplicateClaim").await;
    let ran = plugin(&world, &["report"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    for part in
        ["<b>DuplicateClaim</b>: ", "delete one of the two", "USD: 240,000 committed", "Acme 2026 enterprise"]
    {
        assert!(ran.out.contains(part), "{part}\n{}", ran.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_to_this_machine_alone_and_made_anew_for_each_look() {
    use std::{io::BufRead as _, process::Stdio};
    let world = World::start().await;
    world.apply(&terms::acme()).await;
    world.until_ready("acme").await;
    world.until_provider(|provider| kstatus::compute(provider) == Standing::Current).await;
    let mut child = command()
        .args(["view", "-n", &world.namespace])
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let client = reqwest::Client::new();
    let look = async || client.get(url).send().await.unwrap().text().await.unwrap();
    assert!(look().await.contains("Everything is ready."));
    world.apply(&terms::contract("hooli", terms::ORG)).await;
    world.until_stalled("hooli", "DuplicateClaim").await;
    assert!(look().await.contains("DuplicateClaim"));
    let foreign = client.get(url).header("host", "evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 421);
    assert_eq!(client.post(url).send().await.unwrap().status(), 405);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn kubectl_finds_the_plugin_by_its_name_and_it_speaks_as_kubectl_does() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("kubectl-countersign");
    symlink(env!("CARGO_BIN_EXE_countersign"), &program).unwrap();
    let help = run(Command::new(&program).args(["status", "--help"]));
    assert!(help.contains("Usage: kubectl countersign status"), "{help}");
    let help = run(Command::new(env!("CARGO_BIN_EXE_countersign")).args(["status", "--help"]));
    assert!(help.contains("Usage: countersign status"), "{help}");
}

#[test]
fn completions_and_pages_of_the_manual_name_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = run(Command::new(env!("CARGO_BIN_EXE_countersign")).args(["completion", shell]));
        assert!(script.contains("reconcile") && script.contains("operator-namespace"), "{shell}: {script}");
    }
    let man = folder.path().join("man1");
    run(Command::new(env!("CARGO_BIN_EXE_countersign")).args(["man", "--dir"]).arg(&man));
    let page = |name: &str| std::fs::read_to_string(Path::new(&man).join(name)).unwrap();
    assert!(page("countersign-approve.1").contains("Does not ask"));
    assert!(page("countersign.1").contains("countersign\\-status"));
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_completes_commands_and_the_names_of_contracts() {
    let world = World::bare().await;
    world.apply(&terms::acme()).await;
    let programs = world.folder().join("completion");
    std::fs::create_dir_all(&programs).unwrap();
    symlink(env!("CARGO_BIN_EXE_countersign"), programs.join("kubectl-countersign")).unwrap();
    let script = root().join("examples/kubectl/kubectl_complete-countersign");
    symlink(script, programs.join("kubectl_complete-countersign")).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let complete = |words: &str| {
        // By the environment: kubectl completes plugins only where `__complete` is its first word.
        let kubectl = Plane::shared().kubectl_command();
        let kubectl = kubectl.split(" --kubeconfig").next().unwrap();
        let line = format!("{kubectl} __complete countersign {words}");
        let mut shell = Command::new("bash");
        shell.args(["-c", &line]).env("PATH", &path).env("KUBECONFIG", &Plane::shared().kubeconfig);
        Ran::from(shell.output().unwrap()).out
    };
    let commands = complete("app");
    assert!(commands.starts_with("approve\tShows the plan that waits"), "{commands}");
    let contracts = complete(&format!("approve -n {} ''", world.namespace));
    assert_eq!(contracts, "acme\n:4\n", "{contracts}");
}
