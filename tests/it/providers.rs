//! Billing accounts: tokens, Secrets, who may use which.

use serde_json::{Value, json};

use crate::support::{
    World, kstatus,
    sim::{Calls, TOKEN},
    terms::{ORG, acme, contract, organization, provider, secret, with, without},
    world::reason,
};

#[tokio::test]
async fn a_bad_token_costs_one_probe_and_its_contracts_wait() {
    let mut world = World::bare().await;
    world.apply(&secret("no-such-token")).await;
    world.apply(&provider(&world.sim.url)).await;
    for n in 0..20 {
        world.sim.register(&organization(n)).await;
        world.apply(&contract(&format!("c{n}"), &organization(n))).await;
    }
    world.start_operator().await;
    for n in 0..20 {
        let why = world.until_waiting(&format!("c{n}"), "ProviderNotReady").await;
        assert!(why.contains("does not accept the token"), "{why}");
    }
    let provider =
        world.until_provider(|provider| kstatus::compute(provider) == kstatus::Standing::Failed).await;
    assert_eq!(reason(&provider), "CredentialsRefused");
    assert_eq!(kstatus::status_of(&provider, "CredentialsValid"), Some("False"));
    world.stop_operator().await;
    assert_eq!(world.sim.requests().await.len(), 1);

    // The right token is picked up at once, and everything goes on by itself.
    world.start_operator().await;
    world.apply(&secret(TOKEN)).await;
    for n in 0..20 {
        world.until_ready(&format!("c{n}")).await;
    }
}

#[tokio::test]
async fn a_rotated_token_is_used_at_once() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    let fresh = "another-token-of-an-administrator";
    world.sim.admit(fresh).await;
    world.sim.revoke(TOKEN).await;
    let before = world.sim.requests().await.len();
    world.apply(&secret(fresh)).await;
    // The probe of the new token and the look at the contract, nobody asked for either.
    while world.sim.calls(ORG).await.gets < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.reconcile("acme").await;
    let requests = world.sim.requests().await;
    assert!(requests[before..].iter().all(|request| request.status != Some(401)), "{requests:#?}");
}

#[tokio::test]
async fn a_token_that_stops_being_accepted_stops_the_provider_and_not_only_one_contract() {
    let world = World::start().await;
    for n in 0..3 {
        world.sim.register(&organization(n)).await;
        world.apply(&contract(&format!("c{n}"), &organization(n))).await;
        world.until_ready(&format!("c{n}")).await;
    }
    world.sim.revoke(TOKEN).await;
    world.ask("c0").await;
    for n in 0..3 {
        world.until_waiting(&format!("c{n}"), "ProviderNotReady").await;
    }
    let requests = world.sim.requests().await;
    let refused = requests.iter().filter(|request| request.status == Some(401)).count();
    assert_eq!(refused, 2, "the contract that noticed, and one probe");
    world.apply(&secret("still-wrong")).await;
    world.until_provider(|provider| kstatus::compute(provider) == kstatus::Standing::Failed).await;
    world.sim.admit("right-again").await;
    world.apply(&secret("right-again")).await;
    for n in 0..3 {
        world.until_ready(&format!("c{n}")).await;
    }
}

#[tokio::test]
async fn a_secret_that_is_annotated_or_created_again_changes_nothing_for_contracts() {
    let mut world = World::start().await;
    for n in 0..5 {
        world.sim.register(&organization(n)).await;
        world.apply(&contract(&format!("c{n}"), &organization(n))).await;
        world.until_ready(&format!("c{n}")).await;
    }
    let before = world.sim.requests().await.len();
    for n in 0..5 {
        let annotations = json!({"metadata": {"annotations": {format!("note-{n}"): "seen"}}});
        world.patch("Secret", "zoo-token", annotations).await;
    }
    world.delete_object("Secret", "zoo-token").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    world.apply(&secret(TOKEN)).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    world.reconcile("c0").await;
    world.stop_operator().await;
    assert_eq!(world.sim.requests().await.len(), before + 1, "the look that was asked for");
    for n in 0..5 {
        let versions = world.versions(&format!("c{n}")).await;
        assert!(versions.iter().skip(2).all(|version| reason(version) == "InSync"), "{versions:#?}");
    }
}

#[tokio::test]
async fn a_secret_that_stays_away_stops_its_contracts() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.delete_object("Secret", "zoo-token").await;
    let why = world.until_waiting("acme", "ProviderNotReady").await;
    assert!(why.contains("does not exist"), "{why}");
    world.apply(&secret(TOKEN)).await;
    world.until_ready("acme").await;
}

#[tokio::test]
async fn a_pause_that_was_asked_for_holds_also_with_a_new_token() {
    let mut world = World::start().await;
    world.until_provider(|provider| kstatus::compute(provider) == kstatus::Standing::Current).await;
    world
        .sim
        .fault(json!({"kind": "status", "status": 429, "retry_after_seconds": 600, "path": "/orgs/", "count": 1}))
        .await;
    world.apply(&acme()).await;
    world.until_waiting("acme", "Throttled").await;
    let before = world.sim.requests().await.len();
    world.sim.admit("fresh").await;
    world.apply(&secret("fresh")).await;
    world.until_waiting("acme", "ProviderNotReady").await;
    world.stop_operator().await;
    assert_eq!(world.sim.requests().await.len(), before, "the pause is the account's");
}

#[tokio::test]
async fn a_missing_secret_is_named_and_noticed_when_it_comes() {
    let mut world = World::bare().await;
    world.apply(&provider(&world.sim.url)).await;
    world.apply(&acme()).await;
    world.start_operator().await;
    let why = world.until_waiting("acme", "ProviderNotReady").await;
    assert!(why.contains(&format!("Secret {}/zoo-token does not exist", world.namespace)), "{why}");
    world.until_provider(|provider| reason(provider) == "SecretNotReadable").await;
    assert_eq!(world.sim.requests().await, []);

    // A Secret without the key, with an empty one, and with the right one.
    let lacking = with(without(secret(""), "/stringData/token"), "/stringData/password", json!("x"));
    world.apply(&lacking).await;
    let contract = world
        .until("acme", |contract| {
            kstatus::condition(contract, "Ready")
                .is_some_and(|ready| ready["message"].to_string().contains("no key"))
        })
        .await;
    let why = crate::support::world::message(&contract);
    assert!(why.contains("has no key `token` (it has: password)"), "{why}");
    world.apply(&secret(" ")).await;
    world
        .until("acme", |contract| {
            kstatus::condition(contract, "Ready")
                .is_some_and(|ready| ready["message"].to_string().contains("is empty"))
        })
        .await;
    assert_eq!(world.sim.requests().await, []);
    world.apply(&secret(TOKEN)).await;
    world.until_ready("acme").await;
}

#[tokio::test]
async fn a_provider_may_come_after_its_contracts() {
    let mut world = World::bare().await;
    world.start_operator().await;
    world.apply(&acme()).await;
    let why = world.until_waiting("acme", "ProviderNotFound").await;
    assert!(why.contains("BillingProvider zoo does not exist"), "{why}");
    world.connect().await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await, Calls { gets: 1, puts: 1 });
}

#[tokio::test]
async fn a_provider_that_goes_stops_its_contracts_and_one_that_comes_back_resumes_them() {
    let world = World::start().await;
    world.apply(&acme()).await;
    world.until_ready("acme").await;
    world.delete_object("BillingProvider", "zoo").await;
    world.until_waiting("acme", "ProviderNotFound").await;
    world.connect().await;
    world.until_ready("acme").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
}

#[tokio::test]
async fn an_unknown_organization_is_refused_and_noticed_on_request_when_it_exists() {
    let mut world = World::start().await;
    let unknown = organization(7);
    world.apply(&contract("acme", &unknown)).await;
    let why = world.until_stalled("acme", "CustomerNotFound").await;
    assert!(why.contains(&unknown) && why.contains("organizationId"), "{why}");
    world.second_look(1).await;
    world.sim.register(&unknown).await;
    world.start_operator().await;
    world.ask("acme").await;
    world.until_ready("acme").await;
}

fn cluster_provider(world: &World, allowed: &[&str]) -> Value {
    let mut provider = provider(&world.sim.url);
    provider["kind"] = json!("ClusterBillingProvider");
    provider["metadata"]["name"] = json!(world.namespace);
    provider["spec"]["allowedNamespaces"] = json!(allowed);
    provider
}

#[tokio::test]
async fn a_cluster_provider_serves_the_namespaces_that_it_names_and_no_other() {
    let mut world = World::bare().await;
    world.apply(&secret(TOKEN)).await;
    world.apply(&cluster_provider(&world, &["elsewhere"])).await;
    world.start_operator().await;
    let reference = json!({"kind": "ClusterBillingProvider", "name": world.namespace});
    world.apply(&with(acme(), "/spec/providerRef", reference)).await;
    let why = world.until_stalled("acme", "ProviderNotAllowed").await;
    assert!(why.contains(&format!("does not name namespace {}", world.namespace)), "{why}");
    assert_eq!(world.sim.calls(ORG).await, Calls::default());

    world.apply(&cluster_provider(&world, &["elsewhere", &world.namespace])).await;
    world.until_ready("acme").await;
    world.apply(&cluster_provider(&world, &[])).await;
    world.until_stalled("acme", "ProviderNotAllowed").await;
    assert_eq!(world.sim.calls(ORG).await.puts, 1);
    world.delete_object("ClusterBillingProvider", &world.namespace).await;
}

#[tokio::test]
async fn plain_http_to_a_host_of_the_internet_is_refused() {
    let mut world = World::bare().await;
    world.apply(&secret(TOKEN)).await;
    world.apply(&provider("http://billing.example.com")).await;
    world.start_operator().await;
    let provider =
        world.until_provider(|provider| kstatus::compute(provider) == kstatus::Standing::Failed).await;
    let why = crate::support::world::message(&provider);
    assert!(why.contains("clear text"), "{why}");
}

#[tokio::test]
async fn a_misspelt_provider_is_waited_for_a_little_and_then_refused() {
    let world = World::start().await;
    let started = std::time::Instant::now();
    world.apply(&with(acme(), "/spec/providerRef/name", json!("zooo"))).await;
    world.until_waiting("acme", "ProviderNotFound").await;
    let why = world.until_stalled("acme", "ProviderNotFound").await;
    assert!(why.contains("zooo") && why.contains("`spec.providerRef`"), "{why}");
    assert!(started.elapsed() < std::time::Duration::from_mins(1), "{:?}", started.elapsed());
    world.apply(&with(provider(&world.sim.url), "/metadata/name", json!("zooo"))).await;
    world.until_ready("acme").await;
}

#[tokio::test]
async fn a_misspelt_secret_is_told_as_what_it_may_be_and_not_as_a_missing_right_alone() {
    let mut world = World::bare().await;
    world.apply(&secret(TOKEN)).await;
    world.apply(&with(provider(&world.sim.url), "/spec/tokenSecretRef/name", json!("zoo-tokn"))).await;
    world.start_operator().await;
    let told = world.until_provider(|provider| reason(provider) == "SecretNotReadable").await;
    let why = crate::support::world::message(&told);
    for part in ["zoo-tokn", "`spec.tokenSecretRef.name` if it is misspelt", "Role `countersign-tokens`"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert_eq!(world.sim.requests().await, []);
}

#[tokio::test]
async fn what_the_operator_writes_bears_its_name_and_what_it_counts_is_sent_as_what_it_is() {
    let mut world = World::start().await;
    world.apply(&with(acme(), "/spec/deletionPolicy", json!("End"))).await;
    world.until_ready("acme").await;
    let api = world.api("billing.countersign.dev/v1alpha1", "BillingContract");
    let managed = api.get("acme").await.unwrap().metadata.managed_fields.unwrap_or_default();
    let of = |subresource: Option<&str>| {
        managed
            .iter()
            .filter(|entry| entry.subresource.as_deref() == subresource)
            .map(|entry| entry.manager.clone().unwrap_or_default())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(Some("status")), ["countersign"]);
    assert_eq!(of(None), ["git", "countersign"], "the spec, and the finalizer");
    let metrics = format!("http://{}/metrics", world.operator().address());
    let answer = world.sim.client.get(metrics).send().await.unwrap();
    let form = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(form.starts_with("application/openmetrics-text; version=1.0.0"), "{form}");
    assert!(answer.text().await.unwrap().ends_with("# EOF\n"));
}
