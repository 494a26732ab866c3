//! A simulator in this process, with a customer.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Once;

use billing_sim::{Options, Server};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "metronome-token";

/// The customer that [`Simulator::start`] makes.
pub(crate) const CUSTOMER: &str = "customer";

pub(crate) const Y2026: &str = "2026-01-01T00:00:00Z";
pub(crate) const Y2027: &str = "2027-01-01T00:00:00Z";

pub(crate) struct Simulator {
    folder: TempDir,
    server: Option<Server>,
    client: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The answer, if its status is `status`.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// What `data` holds, of a success.
    pub(crate) fn data(self) -> Value {
        self.expect(200).json()["data"].take()
    }

    /// The message of a refusal.
    pub(crate) fn refusal(self, status: u16) -> String {
        self.expect(status).json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

impl Simulator {
    /// A simulator on an empty folder, with [`CUSTOMER`], in March 2026.
    pub(crate) async fn start() -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
        let folder = TempDir::new().unwrap();
        // A connection each: a fault that closes one must not be blamed on the next request.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let server = Some(Server::start(options(&folder)).await.unwrap());
        let simulator = Self { folder, server, client };
        simulator.control(Method::PUT, "/clock", json!({"now": "2026-03-15T12:00:00Z"})).await;
        simulator.control(Method::PUT, "/metronome/customers/customer", json!({"name": "Acme"})).await;
        simulator
    }

    /// Stops the server and starts another on the same folder.
    pub(crate) async fn restart(&mut self) {
        self.server.take().unwrap().stop().await;
        self.server = Some(Server::start(options(&self.folder)).await.unwrap());
    }

    async fn send(&self, method: Method, path: &str, body: String) -> reqwest::Result<Answer> {
        let url = self.server.as_ref().unwrap().url();
        let request = self.client.request(method, format!("{url}{path}")).bearer_auth(TOKEN).body(body);
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok(Answer { status, text: response.text().await? })
    }

    /// A control request that must succeed, under `/_sim`.
    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let answer = self.send(method, &format!("/_sim{path}"), body.to_string()).await.unwrap();
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.text);
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }

    pub(crate) async fn settings(&self, settings: Value) {
        self.control(Method::PUT, "/settings", settings).await;
    }

    pub(crate) async fn fault(&self, fault: Value) {
        self.control(Method::POST, "/faults", fault).await;
    }

    /// POSTs a body as it stands.
    pub(crate) async fn post_text(&self, path: &str, body: &str) -> reqwest::Result<Answer> {
        self.send(Method::POST, path, body.to_owned()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_text(path, &body.to_string()).await.unwrap()
    }

    /// GETs a path of the API.
    pub(crate) async fn read(&self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new()).await.unwrap()
    }

    /// The invoices of a contract of [`CUSTOMER`], oldest first.
    pub(crate) async fn invoices(&self, contract: &str) -> Vec<Value> {
        let path = format!("/v1/customers/{CUSTOMER}/invoices?contract_id={contract}");
        self.read(&path).await.data().as_array().unwrap().clone()
    }

    /// Sets the clock.
    pub(crate) async fn clock(&self, now: &str) {
        self.control(Method::PUT, "/clock", json!({"now": now})).await;
    }

    /// Creates a contract of [`CUSTOMER`] that starts with 2026; answers its id.
    pub(crate) async fn create(&self, terms: Value) -> String {
        let data = self.post("/v1/contracts/create", of_customer(terms)).await.data();
        data["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, contract: &str) -> Value {
        let body = json!({"customer_id": CUSTOMER, "contract_id": contract});
        self.post("/v2/contracts/get", body).await.data()
    }

    pub(crate) async fn edit(&self, contract: &str, mut verbs: Value) -> Answer {
        verbs["customer_id"] = CUSTOMER.into();
        verbs["contract_id"] = contract.into();
        self.post("/v2/contracts/edit", verbs).await
    }

    /// Every stored contract, with what the API does not tell.
    pub(crate) async fn contracts(&self) -> Vec<Value> {
        let all = self.control(Method::GET, "/metronome/contracts", Value::Null).await;
        all["contracts"].as_array().unwrap().clone()
    }

    /// Every entry of the journal.
    pub(crate) async fn journal(&self) -> Vec<Value> {
        let journal = self.control(Method::GET, "/journal", Value::Null).await;
        journal["entries"].as_array().unwrap().clone()
    }
}

fn options(folder: &TempDir) -> Options {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Options { listen, data: folder.path().to_owned(), tokens: vec![TOKEN.to_owned()] }
}

/// Terms with what every contract needs.
pub(crate) fn of_customer(mut terms: Value) -> Value {
    terms["customer_id"] = CUSTOMER.into();
    if terms["starting_at"].is_null() {
        terms["starting_at"] = Y2026.into();
    }
    terms
}

/// A prepaid commit of 100 for 2026, invoiced at its start.
pub(crate) fn prepaid() -> Value {
    json!({
        "product_id": "product",
        "type": "PREPAID",
        "access_schedule": {"schedule_items": [{"amount": 100, "starting_at": Y2026, "ending_before": Y2027}]},
        "invoice_schedule": {"schedule_items": [{"timestamp": Y2026, "amount": 100}]},
    })
}
