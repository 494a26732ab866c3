//! Zoo's own client for Rust against the simulator, on its own HTTP stack and with its own types.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use std::time::{Duration, Instant};

use billing_sim::{Options, Server};
use chrono::{DateTime, Utc};
use kittycad::types::error::Error;
use kittycad::types::{
    BillingCadence, BillingCommitmentScope, BillingContractItemInput, BillingContractStatus,
    BillingContractUpsert, BillingContractView, BillingItemCode, BillingItemKind, BillingPeriodInput,
    BillingPeriodStatus, BillingProvider, BillingRateTierInput, BillingRolloverPolicy, BillingUnit,
    BillingUnitGranularity,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

const TOKEN: &str = "admin";

/// A simulator in this process, with one organization.
struct Simulator {
    server: Server,
    organization: Uuid,
    _folder: TempDir,
}

impl Simulator {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let data = folder.path().to_owned();
        let server = Server::start(Options { listen, data, tokens: vec![TOKEN.to_owned()] }).await.unwrap();
        let simulator = Self { server, organization: Uuid::new_v4(), _folder: folder };
        simulator.control("POST", "zoo/orgs", Some(json!({"ids": [simulator.organization]}))).await;
        simulator
    }

    fn client(&self, token: &str) -> kittycad::Client {
        let mut client = kittycad::Client::new(token);
        client.set_base_url(self.server.url());
        client
    }

    async fn put(&self, contract: &BillingContractUpsert) -> Result<BillingContractView, Error> {
        self.client(TOKEN).orgs().upsert_billing_contract_for_any(self.organization, contract).await
    }

    async fn get(&self) -> Result<BillingContractView, Error> {
        self.client(TOKEN).orgs().get_billing_contract_for_any(self.organization).await
    }

    /// A control request, by the same client: it has a way to send any.
    async fn control(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let method = method.parse().unwrap();
        let body = body.map(|body| body.to_string().into());
        let request = self.client("none").request_raw(method, &format!("_sim/{path}"), body).await.unwrap();
        let response = request.0.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null)
    }

    /// The statuses of the PUTs so far, in order.
    async fn put_statuses(&self) -> Vec<Value> {
        let journal = self.control("GET", "journal?method=PUT", None).await;
        journal["entries"].as_array().unwrap().iter().map(|entry| entry["status"].clone()).collect()
    }
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A contract with a value in every field.
fn contract() -> BillingContractUpsert {
    BillingContractUpsert {
        name: "Acme 2026 enterprise".to_owned(),
        status: BillingContractStatus::Active,
        provider: BillingProvider::ManualInvoice,
        billing_cadence: BillingCadence::Quarterly,
        commitment_scope: BillingCommitmentScope::PerItem,
        rollover_policy: BillingRolloverPolicy::Year1ToYear2Once,
        currency: "USD".to_owned(),
        effective_at: time("2026-01-01T00:00:00Z"),
        term_end_at: time("2028-01-01T00:00:00Z"),
        items: vec![
            BillingContractItemInput {
                active: true,
                billing_unit_granularity: Some(BillingUnitGranularity::Second),
                code: BillingItemCode::FileIngestionConversion,
                display_name: "Conversion".to_owned(),
                fixed_fee_amount: None,
                is_commitment_eligible: true,
                kind: BillingItemKind::UsageTiered,
                rate_tiers: vec![
                    BillingRateTierInput {
                        tier_start_inclusive: 0,
                        tier_end_exclusive: Some(1000),
                        unit_price: 0.0083,
                    },
                    BillingRateTierInput {
                        tier_start_inclusive: 1000,
                        tier_end_exclusive: None,
                        unit_price: 0.0,
                    },
                ],
                unit: BillingUnit::Minute,
            },
            BillingContractItemInput {
                active: false,
                billing_unit_granularity: None,
                code: BillingItemCode::EnterpriseSupport,
                display_name: "Support".to_owned(),
                fixed_fee_amount: Some(15_000.25),
                is_commitment_eligible: false,
                kind: BillingItemKind::FixedFee,
                rate_tiers: Vec::new(),
                unit: BillingUnit::Year,
            },
        ],
        periods: vec![BillingPeriodInput {
            commitment_amount: 120_000.0,
            period_end_at: time("2027-01-01T00:00:00Z"),
            period_index: 0,
            period_start_at: time("2026-01-01T00:00:00Z"),
            rollover_in_amount: Some(1.5),
            rollover_out_amount: Some(2.5),
            status: Some(BillingPeriodStatus::Closed),
        }],
        discount_description: Some("10 % off".to_owned()),
        external_customer_id: Some("cus_123".to_owned()),
        notes: Some("signed".to_owned()),
    }
}

/// A view without what the server adds to the terms.
fn terms(view: &BillingContractView) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for id in ["id", "contract_id", "account_id"] {
                    fields.remove(id);
                }
                fields.values_mut().for_each(strip);
            }
            Value::Array(rows) => rows.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(view).unwrap();
    strip(&mut value);
    value
}

fn refused(result: Result<BillingContractView, Error>) -> (u16, Value) {
    match result {
        Err(Error::Server { body, status }) => (status.as_u16(), serde_json::from_str(&body).unwrap()),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn every_field_that_the_client_sends_comes_back() {
    let simulator = Simulator::start().await;
    let put = simulator.put(&contract()).await.unwrap();
    assert_eq!(terms(&put), serde_json::to_value(contract()).unwrap());
    assert_eq!(simulator.get().await.unwrap(), put);
    assert_ne!(put.account_id, simulator.organization);
}

#[tokio::test]
async fn a_replaced_contract_comes_back_replaced() {
    let simulator = Simulator::start().await;
    let first = simulator.put(&contract()).await.unwrap();
    let mut changed = contract();
    changed.status = BillingContractStatus::Draft;
    changed.notes = None;
    changed.items.pop();
    let second = simulator.put(&changed).await.unwrap();
    assert_eq!(second.contract_id, first.contract_id);
    assert_eq!(terms(&second), serde_json::to_value(&changed).unwrap());
    assert_eq!(simulator.get().await.unwrap(), second);
}

#[tokio::test]
async fn the_client_reads_a_contract_told_in_other_words() {
    let simulator = Simulator::start().await;
    let mut put = simulator.put(&contract()).await.unwrap();
    simulator.control("PUT", "settings", Some(json!({"zoo_view": "retold"}))).await;
    put.items.reverse();
    put.items.iter_mut().for_each(|item| item.rate_tiers.reverse());
    assert_eq!(simulator.get().await.unwrap(), put);
}

#[tokio::test]
async fn refusals_reach_the_client_as_zoo_words_them() {
    let simulator = Simulator::start().await;
    let id = simulator.organization;
    let (status, body) = refused(simulator.client("stranger").orgs().get_billing_contract_for_any(id).await);
    assert_eq!(status, 401);
    assert!(body["message"].is_string() && body["request_id"].is_string());

    let stranger = simulator.client("stranger");
    assert_eq!(refused(stranger.orgs().upsert_billing_contract_for_any(id, &contract()).await).0, 401);
    assert_eq!(refused(simulator.get().await).0, 404);
    let nobody = simulator.client(TOKEN);
    assert_eq!(
        refused(nobody.orgs().upsert_billing_contract_for_any(Uuid::new_v4(), &contract()).await).0,
        404
    );

    let mut wrong = contract();
    wrong.currency = "dollars".to_owned();
    let (status, body) = refused(simulator.put(&wrong).await);
    assert_eq!(status, 422);
    assert!(body["message"].as_str().unwrap().starts_with("currency: "), "{body}");
}

#[tokio::test]
async fn the_client_gets_through_two_times_503() {
    let simulator = Simulator::start().await;
    simulator.control("POST", "faults", Some(json!({"kind": "status", "status": 503, "count": 2}))).await;
    simulator.put(&contract()).await.unwrap();
    assert_eq!(simulator.put_statuses().await, [503, 503, 200]);
}

#[tokio::test]
async fn the_client_gives_up_after_four_tries() {
    let simulator = Simulator::start().await;
    let fault = json!({"kind": "status", "status": 429, "retry_after_seconds": 60, "method": "PUT"});
    simulator.control("POST", "faults", Some(fault)).await;
    let start = Instant::now();
    assert_eq!(refused(simulator.put(&contract()).await).0, 429);
    assert_eq!(simulator.put_statuses().await, [429; 4]);
    // It has a pace of its own and does not look at Retry-After.
    assert!(start.elapsed() < Duration::from_mins(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_lost_reply_leaves_one_contract() {
    let simulator = Simulator::start().await;
    simulator
        .control("POST", "faults", Some(json!({"kind": "drop_reply", "method": "PUT", "count": 1})))
        .await;
    // Whether the client tries again by itself is its own affair.
    let _ = simulator.put(&contract()).await;
    assert_eq!(terms(&simulator.get().await.unwrap()), serde_json::to_value(contract()).unwrap());
    let contracts = simulator.control("GET", "zoo/contracts", None).await;
    assert_eq!(contracts["contracts"].as_array().unwrap().len(), 1);
}
