use countersign::{
    clock,
    controller::{self, Options},
    metrics::Metrics,
};
use tokio::{sync::watch, task::JoinHandle};

use super::*;
use crate::server::Weather;

const LEASE: Duration = Duration::from_secs(30);

/// An operator that runs until it is aborted, without a billing API to speak to.
fn operator(server: &Server, who: usize) -> JoinHandle<()> {
    let options = Options {
        namespace: None,
        own_namespace: "countersign-system".to_owned(),
        identity: format!("operator-{who}"),
        concurrency: 4,
        lease_duration: LEASE,
        allowed_hosts: std::iter::empty().collect(),
        leader_election: true,
        carrier: None,
    };
    let (ready, _) = watch::channel(false);
    let (client, stopped) = (server.client(who), std::future::pending());
    tokio::spawn(controller::run(client, options, Metrics::default(), ready, stopped))
}

/// A server with the operator's clock.
fn of_operators(seed: u64) -> Server {
    clock::follow_tokio(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    Server::new(seed, &definitions(), clock::now)
}

/// Whether a contract's status speaks of its spec as it is.
fn is_reported(server: &Server, name: &str) -> bool {
    let contract = server.get(&contract_id(name)).unwrap();
    contract["status"]["observedGeneration"] == contract["metadata"]["generation"]
}

#[tokio::test(start_paused = true)]
async fn operators_lead_one_after_another_and_report() {
    let server = of_operators(1);
    server.apply(contract("acme"));
    let first = operator(&server, 1);
    pass(Duration::from_secs(1)).await;
    let _second = operator(&server, 2);
    pass(LEASE).await;
    assert_eq!(server.holder().as_deref(), Some("operator-1"));
    assert!(is_reported(&server, "acme"));
    first.abort();
    server.patch(&contract_id("acme"), json!({"spec": {"suspend": true}}));
    pass(LEASE * 2).await;
    assert_eq!(server.holder().as_deref(), Some("operator-2"));
    assert!(is_reported(&server, "acme"));
    server.delete(&contract_id("acme"));
    pass(Duration::from_mins(1)).await;
    assert_eq!(server.get(&contract_id("acme")), None);
    let plurals: std::collections::BTreeSet<_> =
        server.log().into_iter().map(|entry| entry.id.plural).collect();
    for plural in ["billingcontracts", "leases"] {
        assert!(plurals.contains(plural), "{plurals:?}");
    }
    assert_eq!(server.unserved(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn operators_report_once_the_weather_is_calm() {
    for seed in 0..4 {
        let server = of_operators(seed);
        let _operators = [operator(&server, 1), operator(&server, 2)];
        server.set_weather(Weather {
            latency_ms: 20,
            breaks_after_s: 60,
            request_lost: 20,
            reply_lost: 20,
            late: 50,
            conflict: 20,
            too_many: 20,
            internal: 20,
            unavailable: 20,
            failed_after: 20,
            compaction: 20,
            watch_gone: 100,
            watch_closed: 500,
            held_up: 200,
            ..Weather::default()
        });
        for n in 0..30 {
            let mut next = contract(&format!("c{}", n % 3));
            next["spec"]["zoo"]["name"] = json!(n.to_string());
            server.apply(next);
            pass(Duration::from_secs(11)).await;
        }
        server.set_weather(Weather::default());
        pass(Duration::from_mins(10)).await;
        for name in ["c0", "c1", "c2"] {
            assert!(is_reported(&server, name), "seed {seed}: {:#}", server.get(&contract_id(name)).unwrap());
        }
        assert_eq!(server.unserved(), Vec::<String>::new());
    }
}
