//! The server by kube's own client and watchers.

mod faults;
mod objects;
mod operator;
mod watches;

use std::time::Duration;

use chrono::{DateTime, Utc};
use countersign::api::{self, BillingContract, BillingProvider};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Id, Server};

fn definitions() -> Vec<Value> {
    api::crds().iter().map(|definition| serde_json::to_value(definition).unwrap()).collect()
}

/// A server whose clock is tokio's.
fn server(seed: u64) -> Server {
    let (epoch, began) = (DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap(), Instant::now());
    Server::new(seed, &definitions(), move || epoch + began.elapsed())
}

fn providers(server: &Server, who: usize) -> Api<BillingProvider> {
    Api::namespaced(server.client(who), "billing")
}

fn config_maps(server: &Server, who: usize) -> Api<ConfigMap> {
    Api::namespaced(server.client(who), "billing")
}

fn contract(name: &str) -> Value {
    json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
        "metadata": {"name": name, "namespace": "billing"},
        "spec": {"providerRef": {"name": "zoo"}, "zoo": {"organizationId": name, "name": name}},
    })
}

fn provider(name: &str) -> Value {
    json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingProvider",
        "metadata": {"name": name, "namespace": "billing"},
        "spec": {"zoo": {}, "tokenSecretRef": {"name": "token", "key": "token"}},
    })
}

fn config_map(name: &str, text: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"text": text}})).unwrap()
}

fn contract_id(name: &str) -> Id {
    Id::within("billingcontracts", "billing", name)
}

/// The reason of a refusal, with its code.
fn reason<T: std::fmt::Debug>(answer: Result<T, kube::Error>) -> (u16, String) {
    match answer {
        Err(kube::Error::Api(status)) => (status.code, status.reason.clone()),
        other => panic!("{other:?} is no answer of the server's that says no"),
    }
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
