use std::cmp::Ordering;

use kube::{
    ResourceExt,
    api::{ListParams, PostParams, WatchParams},
    runtime::watcher,
};

use countersign::controller::{Guarded, kubernetes::watch::watch};
use futures::{Stream, StreamExt as _};

use super::*;
use crate::server::Weather;

fn config_map_id(name: &str) -> Id {
    Id::within("configmaps", "billing", name)
}

/// Waits for an answer for longer than anybody does.
async fn answer<T>(call: impl Future<Output = kube::Result<T>>) -> Option<kube::Result<T>> {
    tokio::time::timeout(Duration::from_hours(1), call).await.ok()
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_is_never_answered_and_a_lost_reply_is_of_what_was_carried_out() {
    let server = server(1);
    let api = config_maps(&server, 0);
    server.set_weather(Weather { request_lost: 1000, ..Weather::default() });
    assert!(answer(api.create(&PostParams::default(), &config_map("a", ""))).await.is_none());
    assert_eq!(server.get(&config_map_id("a")), None);
    server.set_weather(Weather { reply_lost: 1000, ..Weather::default() });
    assert!(answer(api.create(&PostParams::default(), &config_map("a", ""))).await.is_none());
    assert!(server.get(&config_map_id("a")).is_some());
    assert!(answer(api.get("a")).await.is_none());
    server.set_weather(Weather { reply_lost: 1000, breaks_after_s: 60, ..Weather::default() });
    assert!(matches!(answer(api.get("a")).await, Some(Err(kube::Error::Service(_)))));
    assert_eq!(server.counts(), [("reply lost", 3), ("request lost", 1)].into());
}

#[tokio::test(start_paused = true)]
async fn a_late_request_is_carried_out_though_nobody_waits_any_more() {
    let server = server(1);
    let api = config_maps(&server, 0);
    server.set_weather(Weather { late: 1000, ..Weather::default() });
    for name in ["a", "b", "c", "d", "e", "f"] {
        let map = config_map(name, "");
        let params = PostParams::default();
        let write = api.create(&params, &map);
        drop(tokio::time::timeout(Duration::from_millis(1), write).await);
    }
    let there = server.list("configmaps").len();
    assert!(there < 6, "{there}");
    pass(Duration::from_mins(1)).await;
    assert_eq!(server.list("configmaps").len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_why_and_carries_nothing_out_but_where_it_says_so() {
    let server = server(1);
    let api = config_maps(&server, 0);
    let calm = Weather::default();
    for (weather, code, reason_, is_there) in [
        (Weather { conflict: 1000, ..calm.clone() }, 409, "Conflict", false),
        (Weather { too_many: 1000, ..calm.clone() }, 429, "TooManyRequests", false),
        (Weather { internal: 1000, ..calm.clone() }, 500, "InternalError", false),
        (Weather { unavailable: 1000, ..calm.clone() }, 503, "ServiceUnavailable", false),
        (Weather { failed_after: 1000, ..calm.clone() }, 500, "InternalError", true),
    ] {
        server.set_weather(weather);
        let created = api.create(&PostParams::default(), &config_map("a", "")).await;
        assert_eq!(reason(created), (code, reason_.to_owned()));
        assert_eq!(server.get(&config_map_id("a")).is_some(), is_there);
    }
    // Reads are neither in conflict nor half done.
    server.set_weather(Weather { conflict: 500, failed_after: 500, ..calm });
    assert!(api.get("a").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_at_home_while_the_server_is_away() {
    let server = server(1);
    let api = config_maps(&server, 0);
    let mut stream = api.watch(&WatchParams::default(), "1").await.unwrap().boxed();
    server.set_weather_of(1, Some(Weather { away: true, ..Weather::default() }));
    assert!(answer(api.list(&ListParams::default())).await.unwrap().is_ok());
    assert!(answer(config_maps(&server, 1).list(&ListParams::default())).await.unwrap().is_err());
    server.set_weather(Weather { away: true, ..Weather::default() });
    assert!(matches!(stream.next().await, Some(Err(kube::Error::ReadEvents(_)))));
    assert!(stream.next().await.is_none());
    assert!(matches!(answer(api.list(&ListParams::default())).await, Some(Err(kube::Error::Service(_)))));
    server.set_weather(Weather::default());
    assert!(answer(api.list(&ListParams::default())).await.unwrap().is_ok());
}

/// How long a watch takes to hear of a change.
async fn hears<K>(events: impl Stream<Item = watcher::Result<watcher::Event<K>>>) -> Duration {
    let mut events = std::pin::pin!(events);
    let began = Instant::now();
    while let Some(event) = events.next().await {
        if matches!(event, Ok(watcher::Event::Apply(_))) {
            return began.elapsed();
        }
    }
    panic!("it hears nothing")
}

#[tokio::test(start_paused = true)]
async fn the_watch_of_one_kind_is_ahead_of_another_s() {
    let mut orders = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let server = server(seed);
        server.set_weather(Weather { held_up: 500, ..Weather::default() });
        let of_contracts: Api<Guarded<BillingContract>> = Api::namespaced(server.client(0), "billing");
        let contracts = hears(watch(of_contracts, watcher::Config::default()));
        let providers = hears(watch(providers(&server, 0), watcher::Config::default()));
        let changes = async {
            pass(Duration::from_millis(1)).await;
            server.apply(provider("zoo"));
            server.apply(contract("acme"));
        };
        let (contract, provider, ()) = futures::join!(contracts, providers, changes);
        assert_eq!(server.counts().is_empty(), contract.max(provider) == Duration::from_millis(1));
        orders.insert(contract.cmp(&provider));
    }
    assert_eq!(orders, [Ordering::Less, Ordering::Equal, Ordering::Greater].into());
}

#[tokio::test(start_paused = true)]
async fn a_list_of_any_version_may_be_an_older_one() {
    let server = server(1);
    for name in ["a", "b", "c", "d"] {
        server.apply(contract(name));
    }
    server.set_weather(Weather { stale_list: 1000, ..Weather::default() });
    let api: Api<Guarded<BillingContract>> = Api::all(server.client(0));
    let mut counts = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let list = api.list(&ListParams::default().match_any()).await.unwrap();
        counts.insert(list.items.len());
        assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 4);
    }
    assert_eq!(counts, [1, 2, 3, 4].into());
}

/// What becomes of requests, under some weather.
async fn story(seed: u64, others: usize) -> Vec<(u128, String)> {
    let server = server(seed);
    server.set_weather(Weather {
        latency_ms: 30,
        breaks_after_s: 9,
        request_lost: 100,
        reply_lost: 100,
        late: 200,
        conflict: 100,
        too_many: 50,
        internal: 50,
        failed_after: 100,
        ..Weather::default()
    });
    let (api, other) = (config_maps(&server, 0), config_maps(&server, 1));
    let mut story = Vec::new();
    for n in 0..40 {
        for _ in 0..others {
            drop(answer(other.list(&ListParams::default())).await);
        }
        let asked = Instant::now();
        let map = config_map(&format!("m{n}"), "");
        let created = answer(api.create(&PostParams::default(), &map)).await.unwrap();
        let took = asked.elapsed().as_millis();
        story.push((took, created.map_or_else(|error| error.to_string(), |map| map.name_any())));
    }
    story
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_fates_whatever_others_ask() {
    let first = story(7, 0).await;
    assert_eq!(story(7, 0).await, first);
    assert_eq!(story(7, 2).await, first);
    assert_ne!(story(8, 0).await, first);
}
