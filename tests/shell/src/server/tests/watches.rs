use std::collections::BTreeSet;

use countersign::controller::{Guarded, kubernetes::watch::watch};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    ResourceExt,
    api::{PartialObjectMeta, WatchEvent, WatchParams},
    runtime::{
        WatchStreamExt as _,
        reflector::{self, Store},
        watcher::{self, Event},
    },
};

use super::*;
use crate::server::{Weather, state::State};

type Contract = Guarded<BillingContract>;

fn guarded(server: &Server, who: usize) -> Api<Contract> {
    Api::namespaced(server.client(who), "billing")
}

fn params() -> WatchParams {
    WatchParams::default().timeout(600)
}

/// The cache of an operator, filled for as long as the test runs.
fn cache(server: &Server, who: usize) -> Store<Contract> {
    let (store, writer) = reflector::store();
    let events = watch(guarded(server, who), watcher::Config::default());
    let events = reflector::reflector(writer, events).default_backoff();
    tokio::spawn(events.for_each(|_| std::future::ready(())));
    store
}

/// What a cache holds: each name with its version.
fn held(store: &Store<Contract>) -> BTreeSet<(String, String)> {
    let version = |object: &Contract| (object.name_any(), object.resource_version().unwrap());
    store.state().iter().map(|object| version(object)).collect()
}

/// The same of the server.
fn stored(server: &Server) -> BTreeSet<(String, String)> {
    let text = |object: &Value, member: &str| object["metadata"][member].as_str().unwrap().to_owned();
    let all = server.list("billingcontracts");
    all.iter().map(|object| (text(object, "name"), text(object, "resourceVersion"))).collect()
}

async fn heard<T>(stream: &mut (impl Stream<Item = kube::Result<WatchEvent<T>>> + Unpin)) -> (String, String)
where
    T: ResourceExt,
{
    let event = tokio::time::timeout(Duration::from_secs(590), stream.next()).await.ok().flatten();
    let Some(event) = event else { return told("over", "") };
    match event.unwrap() {
        WatchEvent::Added(object) => told("added", &object.name_any()),
        WatchEvent::Modified(object) => told("modified", &object.name_any()),
        WatchEvent::Deleted(object) => told("deleted", &object.name_any()),
        WatchEvent::Bookmark(mark) => told("bookmark", &mark.metadata.resource_version),
        WatchEvent::Error(status) => told("error", &status.code.to_string()),
    }
}

fn told(event: &str, name: &str) -> (String, String) {
    (event.to_owned(), name.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_watch_hears_every_change_after_its_version_in_order() {
    let server = server(1);
    let api = guarded(&server, 0);
    server.apply(contract("a"));
    let version =
        server.list("billingcontracts")[0]["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    server.apply(contract("b"));
    server.patch(&contract_id("a"), json!({"metadata": {"labels": {"x": "1"}}}));
    server.apply(provider("zoo"));
    let mut stream = api.watch(&params(), &version).await.unwrap().boxed();
    assert_eq!(heard(&mut stream).await, told("added", "b"));
    assert_eq!(heard(&mut stream).await, told("modified", "a"));
    server.delete(&contract_id("b"));
    assert_eq!(heard(&mut stream).await, told("deleted", "b"));
    // Nothing came about since: the bookmark is of the last change of anything.
    server.apply(provider("other"));
    let last = server.log().last().unwrap().version.to_string();
    assert_eq!(heard(&mut stream).await, told("bookmark", &last));
    // From a bookmark nothing is heard twice.
    let mut stream = api.watch(&params(), &last).await.unwrap().boxed();
    server.apply(contract("c"));
    assert_eq!(heard(&mut stream).await, told("added", "c"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_at_its_time() {
    let server = server(1);
    let began = Instant::now();
    let params = WatchParams::default().timeout(200).disable_bookmarks();
    let stream = guarded(&server, 0).watch(&params, "1").await.unwrap();
    assert_eq!(stream.try_collect::<Vec<_>>().await.unwrap().len(), 0);
    assert_eq!(began.elapsed().as_secs(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_one_name_hears_of_no_other_and_of_metadata_alone() {
    let server = server(1);
    let secret = |name: &str, text: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "billing"},
            "stringData": {"token": text}})
    };
    server.apply(secret("other", "1"));
    let api = Api::<PartialObjectMeta<Secret>>::namespaced(server.client(0), "billing");
    let config = watcher::Config::default().fields("metadata.name=token");
    let mut events = watch(api, config).boxed();
    assert!(matches!(events.next().await, Some(Ok(Event::Init))));
    assert!(matches!(events.next().await, Some(Ok(Event::InitDone))));
    server.apply(secret("token", "1"));
    server.apply(secret("other", "2"));
    server.apply(secret("token", "2"));
    for _ in 0..2 {
        let Some(Ok(Event::Apply(heard))) = events.next().await else { panic!("it hears nothing") };
        assert_eq!(heard.name_any(), "token");
        assert_eq!(heard.types.unwrap().kind, "PartialObjectMetadata");
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_forgotten_is_gone_by_status_or_by_event() {
    let server = server(1);
    server.apply(contract("a"));
    server.apply(contract("b"));
    server.with(State::compact);
    let (mut statuses, mut events) = (0, 0);
    for _ in 0..20 {
        match guarded(&server, 0).watch(&params(), "2").await {
            Ok(stream) => {
                let mut stream = stream.boxed();
                assert_eq!(heard(&mut stream).await, told("error", "410"));
                assert_eq!(heard(&mut stream).await, told("over", ""));
                events += 1;
            }
            refused => {
                assert_eq!(reason(refused.map(drop)), (410, "Expired".to_owned()));
                statuses += 1;
            }
        }
    }
    assert!(statuses > 0 && events > 0, "{statuses} {events}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_a_version_to_come_hears_nothing_before_it() {
    let server = server(1);
    let mut stream = guarded(&server, 0).watch(&params(), "4").await.unwrap().boxed();
    for name in ["a", "b", "c", "d"] {
        server.apply(contract(name));
    }
    assert_eq!(heard(&mut stream).await, told("added", "d"));
}

#[tokio::test(start_paused = true)]
async fn a_cache_shows_what_a_restore_put_back() {
    let server = server(1);
    server.apply(contract("kept"));
    server.apply(contract("changed"));
    server.back_up();
    let store = cache(&server, 0);
    pass(Duration::from_secs(1)).await;
    server.patch(&contract_id("changed"), json!({"metadata": {"labels": {"x": "1"}}}));
    server.delete(&contract_id("kept"));
    server.apply(contract("lost"));
    pass(Duration::from_secs(1)).await;
    assert_eq!(held(&store), stored(&server));
    server.restore();
    // As many versions again, with other content.
    server.apply(contract("new"));
    server.apply(contract("newer"));
    server.apply(contract("newest"));
    pass(Duration::from_mins(1)).await;
    assert_eq!(held(&store), stored(&server));
    let names: Vec<_> = held(&store).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["changed", "kept", "new", "newer", "newest"]);
}

#[tokio::test(start_paused = true)]
async fn caches_agree_with_the_server_once_the_weather_is_calm() {
    for seed in 0..12 {
        let server = server(seed);
        let stores = [cache(&server, 0), cache(&server, 1)];
        server.set_weather(Weather {
            latency_ms: 20,
            breaks_after_s: 30,
            request_lost: 20,
            reply_lost: 20,
            late: 50,
            internal: 50,
            unavailable: 50,
            watch_gone: 100,
            watch_closed: 700,
            watch_silent: 50,
            held_up: 200,
            ..Weather::default()
        });
        for n in 0..60 {
            let name = format!("c{}", n % 7);
            match n % 5 {
                4 => drop(server.delete(&contract_id(&name))),
                _ => drop(server.apply({
                    let mut contract = contract(&name);
                    contract["spec"]["zoo"]["name"] = json!(n.to_string());
                    contract
                })),
            }
            match n {
                20 => server.back_up(),
                30 => server.with(State::compact),
                40 => server.restore(),
                _ => {}
            }
            pass(Duration::from_secs(7)).await;
        }
        server.set_weather(Weather::default());
        // A watch that is silent is found out after its time, and a bit.
        pass(Duration::from_secs(400)).await;
        for store in stores {
            assert_eq!(held(&store), stored(&server), "seed {seed}");
        }
        assert!(server.counts().len() > 3, "{:?}", server.counts());
    }
}
