//! Where tokens go, and who answers there.

use axum::{
    Router,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::support::{
    World, kstatus,
    plane::Plane,
    sim::TOKEN,
    terms::{acme, provider, secret},
    world::{message, reason},
};

#[tokio::test]
async fn a_token_is_sent_nowhere_that_nobody_who_may_read_it_names() {
    let mut world = World::bare().await;
    world.options.allowed_hosts.clear();
    world.connect().await;
    world.apply(&acme()).await;
    world.start_operator().await;
    let refused = world.until_provider(|provider| reason(provider) == "AddressNotAllowed").await;
    assert_eq!(kstatus::compute(&refused), kstatus::Standing::Failed);
    let host = world.sim.url.strip_prefix("http://").unwrap();
    let cure = format!(
        "kubectl annotate secret zoo-token --namespace {} billing.countersign.dev/allowed-hosts={host}",
        world.namespace
    );
    assert!(message(&refused).contains(&cure), "{}", message(&refused));
    let why = world.until_waiting("acme", "ProviderNotReady").await;
    assert!(why.contains("--allowed-hosts"), "{why}");
    assert_eq!(world.sim.requests().await, []);

    // Whoever may write the Secret says so, and everything goes on by itself.
    let mut said = secret(TOKEN);
    said["metadata"]["annotations"] = json!({"billing.countersign.dev/allowed-hosts": host});
    world.apply(&said).await;
    world.until_ready("acme").await;
    said["metadata"]["annotations"] = json!({"billing.countersign.dev/allowed-hosts": "api.zoo.dev"});
    world.apply(&said).await;
    world.until_provider(|provider| reason(provider) == "AddressNotAllowed").await;
    world.until_waiting("acme", "ProviderNotReady").await;
}

#[tokio::test]
async fn a_secret_allows_nothing_beyond_what_the_administrator_lists() {
    let mut world = World::bare().await;
    world.options.allowed_hosts = vec!["proxy.example".to_owned(), "https://10.0.0.1:8443".to_owned()];
    let mut said = secret(TOKEN);
    said["metadata"]["annotations"] = json!({"billing.countersign.dev/allowed-hosts": "127.0.0.1"});
    world.apply(&said).await;
    world.apply(&provider(&world.sim.url)).await;
    world.start_operator().await;
    let refused = world.until_provider(|provider| reason(provider) == "AddressNotAllowed").await;
    assert!(message(&refused).contains("the administrator does not allow"), "{}", message(&refused));
    assert_eq!(world.sim.requests().await, []);
}

/// A web server that answers everything in one way.
struct Elsewhere {
    url: String,
    task: JoinHandle<()>,
}

impl Elsewhere {
    async fn start(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(move || std::future::ready(answer()));
        Self { url, task: tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }) }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What other web servers answer.
fn answers(sim: &str) -> Vec<(StatusCode, Option<String>, String)> {
    let json = |status, body: Value| (status, None, body.to_string());
    vec![
        (StatusCode::NOT_FOUND, None, "<html>no such page</html>".to_owned()),
        (StatusCode::NOT_FOUND, None, String::new()),
        (StatusCode::OK, None, "<html>welcome</html>".to_owned()),
        json(StatusCode::NOT_FOUND, json!({"message": "no Route matched with those values"})),
        json(StatusCode::METHOD_NOT_ALLOWED, json!({"message": "only POST"})),
        json(StatusCode::OK, json!({"ok": true})),
        json(StatusCode::OK, json!([])),
        json(StatusCode::OK, json!({"data": {}})),
        // The token would go along to another host.
        (StatusCode::TEMPORARY_REDIRECT, Some(sim.to_owned()), String::new()),
    ]
}

#[tokio::test]
async fn a_provider_is_ready_only_if_the_billing_api_answers_as_itself() {
    let mut world = World::bare().await;
    world.apply(&secret(TOKEN)).await;
    world.start_operator().await;
    for (status, location, body) in answers(&world.sim.url) {
        let answer = body.clone();
        let elsewhere = Elsewhere::start(move || match &location {
            Some(location) => (status, [(header::LOCATION, location.clone())]).into_response(),
            None => (status, Html(answer.clone())).into_response(),
        })
        .await;
        for (api, name) in [("zoo", "Zoo"), ("metronome", "Metronome")] {
            let mut provider = provider(&elsewhere.url);
            provider["spec"].as_object_mut().unwrap().remove("zoo");
            provider["spec"][api] = json!({"baseUrl": elsewhere.url});
            let uid = world.apply(&provider).await["metadata"]["uid"].clone();
            let looked_at = world
                .until_provider(|provider| {
                    provider["metadata"]["uid"] == uid && provider["status"]["observedGeneration"] == 1
                })
                .await;
            assert_eq!(reason(&looked_at), "NotTheBillingApi", "{status} {body}: {}", message(&looked_at));
            let expected = format!("does not answer as {name}'s API");
            assert!(message(&looked_at).contains(&expected), "{}", message(&looked_at));
            world.delete_object("BillingProvider", "zoo").await;
        }
    }
    assert_eq!(world.sim.requests().await, []);

    // The API itself is ready, of course.
    world.connect().await;
    world.until_provider(|provider| reason(provider) == "Ready").await;
}

#[tokio::test]
async fn why_there_is_no_connection_is_told_and_a_private_root_can_be_trusted() {
    let mut world = World::bare().await;
    world.options.allowed_hosts.push("nowhere.invalid".to_owned());
    world.apply(&secret(TOKEN)).await;
    world.start_operator().await;
    // The API server of the cluster has a certificate of a private root.
    let config = Plane::shared().kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]);
    let config: Value = serde_json::from_str(&config).unwrap();
    let cluster = &config["clusters"][0]["cluster"];
    let server = cluster["server"].as_str().unwrap().replace("localhost", "127.0.0.1");
    let roots: ByteString = serde_json::from_value(cluster["certificate-authority-data"].clone()).unwrap();
    let causes = [
        (server.as_str(), ["UnknownIssuer", "`caBundle`"]),
        ("https://127.0.0.1:1", ["no connection", "refused"]),
        ("https://nowhere.invalid", ["no connection", "lookup"]),
    ];
    for (url, parts) in causes {
        let generation = world.apply(&provider(url)).await["metadata"]["generation"].clone();
        let looked_at =
            world.until_provider(|provider| provider["status"]["observedGeneration"] == generation).await;
        assert_eq!(reason(&looked_at), "BillingUnreachable", "{url}: {}", message(&looked_at));
        for part in parts {
            assert!(message(&looked_at).contains(part), "{url}: {}", message(&looked_at));
        }
    }

    let mut trusting = provider(&server);
    trusting["spec"]["caBundle"] = json!("no certificate");
    world.apply(&trusting).await;
    let refused = world.until_provider(|provider| reason(provider) == "InvalidSpec").await;
    assert!(message(&refused).contains("`caBundle` has no certificate"), "{}", message(&refused));
    trusting["spec"]["caBundle"] = json!(String::from_utf8(roots.0).unwrap());
    world.apply(&trusting).await;
    // It does not know the token, which it was told over a connection that is trusted.
    world.until_provider(|provider| reason(provider) == "CredentialsRefused").await;
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_for_billing_apis_that_are_elsewhere() {
    let mut world = World::bare().await;
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        world.options.environment.push((name.to_owned(), "http://127.0.0.1:1".to_owned()));
    }
    world.options.environment.push(("NO_PROXY".to_owned(), "localhost, .svc,".to_owned()));
    world.connect().await;
    world.apply(&acme()).await;
    world.start_operator().await;
    world.until_ready("acme").await;
}
