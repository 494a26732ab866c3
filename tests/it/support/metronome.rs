//! Metronome's side of a test: a world with a Metronome account, contracts as YAML would say them, and what the
//! simulator holds and saw of them.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    World,
    plane::Plane,
    sim::{Sim, TOKEN},
};

/// A customer of the simulator.
pub(crate) const CUSTOMER: &str = "5d3ff5b0-9c1e-4b7a-8f5e-1f2a3b4c5d01";
/// An alias of [`CUSTOMER`].
pub(crate) const ALIAS: &str = "team@acme.example";
/// A product.
pub(crate) const PRODUCT: &str = "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a101";
/// Another product.
pub(crate) const OTHER_PRODUCT: &str = "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a102";
/// A rate card.
pub(crate) const RATE_CARD: &str = "7c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e01";
/// An alias of [`RATE_CARD`].
pub(crate) const RATE_CARD_ALIAS: &str = "list-2026";
/// US cents.
pub(crate) const USD: &str = "2714e483-4ff1-48e4-9e25-ac732e8f24f2";
/// Euros.
pub(crate) const EUR: &str = "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a1e0";
/// When the contracts of the tests begin.
pub(crate) const START: &str = "2026-01-01T00:00:00Z";
/// When they end.
pub(crate) const END: &str = "2036-01-01T00:00:00Z";

/// Path of a create.
pub(crate) const CREATE: &str = "/v1/contracts/create";
/// Path of an edit.
pub(crate) const EDIT: &str = "/v2/contracts/edit";
/// Path of a read of one contract.
pub(crate) const GET: &str = "/v2/contracts/get";
/// Path of a read of all of a customer's.
pub(crate) const LIST: &str = "/v2/contracts/list";
/// Path of a read of the last edits.
pub(crate) const HISTORY: &str = "/v2/contracts/getEditHistory";

/// Paths that only read, although they are asked by `POST`.
const READS: [&str; 15] = [
    GET,
    LIST,
    HISTORY,
    "/v1/contracts/get",
    "/v1/contracts/list",
    "/v1/contracts/getSubscriptionSeatsHistory",
    "/v1/contracts/getContractRateSchedule",
    "/v1/contracts/customerCommits/list",
    "/v1/contracts/customerCredits/list",
    "/v1/contracts/customerBalances/list",
    "/v1/customFields/listKeys",
    "/v1/packages/get",
    "/v1/packages/list",
    "/v1/packages/listContractsOnPackage",
    "/v1/getCustomerBillingProviderConfigurations",
];

/// Whether a request of this path may change something.
pub(crate) fn is_write(method: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    method != "GET" && !READS.contains(&path)
}

/// The n-th of many customers.
pub(crate) fn customer(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012x}")
}

/// A plain contract of [`CUSTOMER`] named `acme`.
pub(crate) fn acme() -> Value {
    contract("acme", CUSTOMER)
}

/// A contract with a commit, a credit, a charge and a discount on a price.
pub(crate) fn contract(name: &str, customer: &str) -> Value {
    let year = |amount: &str| json!([{"amount": amount, "startingAt": START, "endingBefore": "2027-01-01T00:00:00Z"}]);
    with_terms(
        name,
        json!({
            "customerId": customer,
            "startingAt": START,
            "endingBefore": END,
            "name": "Acme 2026",
            "rateCardId": RATE_CARD,
            "netPaymentTermsDays": "30",
            "commits": [{
                "key": "launch", "productId": PRODUCT, "type": "PREPAID", "name": "Launch",
                "accessSchedule": {"scheduleItems": year("12000000")},
                "invoiceSchedule": {"scheduleItems": [{"timestamp": START, "amount": "12000000"}]},
            }],
            "credits": [{"key": "welcome", "productId": PRODUCT, "accessSchedule": {"scheduleItems": year("50000.50")}}],
            "scheduledCharges": [{
                "key": "setup", "productId": PRODUCT, "name": "Set-up",
                "schedule": {"scheduleItems": [{"timestamp": START, "amount": "99900"}]},
            }],
            "overrides": [{"startingAt": START, "type": "MULTIPLIER", "multiplier": "0.8", "productId": PRODUCT}],
        }),
    )
}

/// A contract without any items.
pub(crate) fn bare(name: &str, customer: &str) -> Value {
    with_terms(name, json!({"customerId": customer, "startingAt": START, "endingBefore": END, "name": name}))
}

/// The same with some terms added or replaced.
pub(crate) fn plus(mut contract: Value, terms: &Value) -> Value {
    let members = contract["spec"]["metronome"].as_object_mut().unwrap();
    members.extend(terms.as_object().unwrap().clone());
    contract
}

/// A contract with terms as given.
pub(crate) fn with_terms(name: &str, terms: Value) -> Value {
    let mut contract = json!({
        "apiVersion": "billing.countersign.dev/v1alpha1",
        "kind": "BillingContract",
        "metadata": {"name": name},
        "spec": {"providerRef": {"name": "metronome"}},
    });
    contract["spec"]["metronome"] = terms;
    contract
}

/// A published package with terms as given.
pub(crate) fn published(name: &str, terms: &Value) -> Value {
    json!({
        "apiVersion": "billing.countersign.dev/v1alpha1",
        "kind": "ContractPackage",
        "metadata": {"name": name},
        "spec": {"lifecycle": "Published", "providerRef": {"name": "metronome"}, "metronome": terms},
    })
}

/// A published package with a commit and a discount on a price, for contracts of ten years.
pub(crate) fn package(name: &str) -> Value {
    let zero = json!({"unit": "DAYS", "value": 0});
    let year = json!({"unit": "YEARS", "value": 10});
    published(
        name,
        &json!({
            "name": "Pro 2026", "contractName": "Pro", "rateCardAlias": RATE_CARD_ALIAS, "duration": year,
            "commits": [{
                "productId": PRODUCT, "type": "PREPAID", "name": "Included", "temporaryId": "included",
                "accessSchedule": {"scheduleItems": [
                    {"amount": "1000000.50", "startingAtOffset": zero, "duration": year},
                ]},
            }],
            "overrides": [{
                "startingAtOffset": zero, "type": "MULTIPLIER", "multiplier": "0.8",
                "overrideSpecifiers": [{"productId": PRODUCT}],
            }],
        }),
    )
}

/// A contract that takes everything but customer and start from a package.
pub(crate) fn from_package(name: &str, customer: &str, reference: Value) -> Value {
    let mut contract = with_terms(name, json!({"customerId": customer, "startingAt": START}));
    contract["spec"]["packageRef"] = reference;
    contract
}

/// A provider named `metronome` with its token in the Secret `metronome-token`.
pub(crate) fn provider(url: &str) -> Value {
    json!({
        "apiVersion": "billing.countersign.dev/v1alpha1",
        "kind": "BillingProvider",
        "metadata": {"name": "metronome"},
        "spec": {
            "metronome": {"baseUrl": url},
            "tokenSecretRef": {"name": "metronome-token"},
            "requestsPerSecond": 1000,
            "syncPeriodSeconds": 86_400,
        },
    })
}

/// The same, that marks its contracts with the cluster's name.
pub(crate) fn stamping(url: &str, cluster: &str) -> Value {
    let mut provider = provider(url);
    provider["spec"]["metronome"]["ownerStamp"] = json!({"cluster": cluster});
    provider
}

/// The Secret `metronome-token`.
pub(crate) fn secret(token: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "metronome-token"}, "stringData": {"token": token}})
}

impl World {
    /// A namespace with a Metronome account whose token is right, a customer, and an operator.
    pub(crate) async fn metronome() -> Self {
        let mut world = Self::metronome_bare().await;
        world.connect_metronome().await;
        world.start_operator().await;
        world
    }

    /// A namespace on a control plane of the caller's with an account of each billing API, and no operator yet.
    pub(crate) async fn of_both_on(plane: &Plane) -> Self {
        let world = Self::bare_on(plane).await;
        world.sim.seed_catalog().await;
        world.connect().await;
        world.connect_metronome().await;
        world
    }

    /// The same without account and operator.
    pub(crate) async fn metronome_bare() -> Self {
        let world = Self::bare().await;
        world.sim.seed_catalog().await;
        world
    }

    /// Applies the Metronome account and its Secret.
    pub(crate) async fn connect_metronome(&self) {
        self.apply(&secret(TOKEN)).await;
        self.apply(&provider(&self.sim.url)).await;
    }
}

/// How often each path was asked for.
pub(crate) type Traffic = BTreeMap<String, usize>;

/// Traffic as expected.
pub(crate) fn traffic<const N: usize>(calls: [(&str, usize); N]) -> Traffic {
    calls.map(|(path, count)| (path.to_owned(), count)).into()
}

/// Only what writes of some traffic.
pub(crate) fn writes(traffic: Traffic) -> Traffic {
    traffic.into_iter().filter(|(path, _)| is_write("POST", path)).collect()
}

impl Sim {
    /// Puts products, pricing units, a rate card and a customer in.
    pub(crate) async fn seed_catalog(&self) {
        let put = async |path: &str, body: Value| drop(self.control(Method::PUT, path, &body).await);
        put("/settings", json!({"metronome_unknown_ids": "reject"})).await;
        put("/metronome/products", json!({PRODUCT: "API", OTHER_PRODUCT: "GPU"})).await;
        put("/metronome/credit-types", json!({EUR: "EUR"})).await;
        self.seed_rate_card(RATE_CARD, RATE_CARD_ALIAS).await;
        self.seed_customer(CUSTOMER, json!({"name": "Acme", "ingest_aliases": [ALIAS]})).await;
    }

    /// Puts a rate card in.
    pub(crate) async fn seed_rate_card(&self, id: &str, alias: &str) {
        let body = json!({"name": alias, "aliases": [alias]});
        self.control(Method::PUT, &format!("/metronome/rate-cards/{id}"), &body).await;
    }

    /// Puts a customer in.
    pub(crate) async fn seed_customer(&self, id: &str, body: Value) {
        self.control(Method::PUT, &format!("/metronome/customers/{id}"), &body).await;
    }

    /// Puts many customers in.
    pub(crate) async fn seed_customers(&self, ids: &[String]) {
        let customers: serde_json::Map<_, _> =
            ids.iter().map(|id| (id.clone(), json!({"name": "Acme"}))).collect();
        self.control(Method::POST, "/metronome/customers", &json!({"customers": customers})).await;
    }

    /// Registers custom fields: entities and keys.
    pub(crate) async fn register_fields(&self, fields: &[(&str, &str)]) {
        let keys: Vec<_> = fields.iter().map(|(entity, key)| json!({"entity": entity, "key": key})).collect();
        self.control(Method::POST, "/metronome/custom-field-keys", &json!(keys)).await;
    }

    /// Puts a contract of a customer in, as somebody else would; `body` as in the API.
    pub(crate) async fn seed_terms(&self, customer: &str, contract_id: &str, body: &Value) {
        let path = format!("/metronome/customers/{customer}/contracts/{contract_id}");
        self.control(Method::PUT, &path, body).await;
    }

    /// Everything that the simulator holds of a customer's contracts, archived ones included.
    pub(crate) async fn held(&self, customer: &str) -> Vec<Value> {
        let mut all = self.all_held().await;
        all.retain(|contract| contract["customer_id"] == customer);
        all
    }

    /// The same of every customer.
    pub(crate) async fn all_held(&self) -> Vec<Value> {
        let all = self.control(Method::GET, "/metronome/contracts", &Value::Null).await;
        all["contracts"].as_array().unwrap().clone()
    }

    /// Invoices of a contract, as the API lists them.
    pub(crate) async fn invoices(&self, contract: &str) -> Vec<Value> {
        let listed = self
            .control(Method::GET, &format!("/metronome/contracts/{contract}/invoices"), &Value::Null)
            .await;
        listed["invoices"].as_array().unwrap().clone()
    }

    /// Everything that the simulator holds of the only contract of a customer.
    pub(crate) async fn only(&self, customer: &str) -> Value {
        let held = self.held(customer).await;
        assert_eq!(held.len(), 1, "{held:#?}");
        held[0].clone()
    }

    /// The terms of the only contract of a customer, as the API reads them.
    pub(crate) async fn terms(&self, customer: &str) -> Value {
        self.only(customer).await["contract"].take()
    }

    /// Does something to the only contract of a customer that the control interface offers.
    pub(crate) async fn act(&self, customer: &str, action: &str, body: &Value) {
        let id = self.only(customer).await["id"].as_str().unwrap().to_owned();
        self.control(Method::POST, &format!("/metronome/contracts/{id}/{action}"), body).await;
    }

    /// Calls the API as somebody else would.
    pub(crate) async fn call(&self, path: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(TOKEN);
        let response = request.body(body.to_string()).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// Edits the only contract of a customer behind the operator's back.
    pub(crate) async fn edit(&self, customer: &str, mut verbs: Value) {
        verbs["customer_id"] = json!(customer);
        verbs["contract_id"] = self.only(customer).await["id"].clone();
        self.call(EDIT, &verbs).await;
        self.forget_journal().await;
    }

    /// Sets the simulator's clock.
    pub(crate) async fn set_clock(&self, now: &str) {
        self.control(Method::PUT, "/clock", &json!({"now": now})).await;
    }

    /// Starts counting anew.
    pub(crate) async fn forget_journal(&self) {
        self.control(Method::DELETE, "/journal", &Value::Null).await;
    }

    /// How often each path was asked about a customer.
    pub(crate) async fn traffic(&self, customer: &str) -> Traffic {
        let mut traffic = Traffic::new();
        for request in self.requests().await.iter().filter(|request| request.body.contains(customer)) {
            *traffic.entry(request.path.clone()).or_default() += 1;
        }
        traffic
    }

    /// How often each path that may change something was asked for, by anybody.
    pub(crate) async fn all_writes(&self) -> Traffic {
        let mut traffic = Traffic::new();
        for request in self.requests().await.iter().filter(|request| is_write(&request.method, &request.path))
        {
            *traffic.entry(request.path.clone()).or_default() += 1;
        }
        traffic
    }

    /// Bodies sent to a path, oldest first.
    pub(crate) async fn sent(&self, path: &str) -> Vec<String> {
        let requests = self.requests().await;
        requests.into_iter().filter(|request| request.path == path).map(|request| request.body).collect()
    }
}
