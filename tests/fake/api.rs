//! The Fake billing API: one contract a customer, in memory, with faults.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use countersign::terms::json::parse_exact;
use futures::stream;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::support::sim::TOKEN;

/// What befalls the next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is carried out, and its reply does not come.
    LoseReply,
    /// It is not carried out, which nobody is told: HTTP 500.
    Fail,
    /// It is refused: HTTP 422.
    Refuse,
}

/// How often a customer's contract was read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) gets: usize,
    pub(crate) puts: usize,
}

#[derive(Default)]
struct Kept {
    /// By customer: the ID of the contract, and the body as it was written.
    contracts: BTreeMap<String, (String, String)>,
    calls: BTreeMap<String, Calls>,
    /// Bodies of all writes, as they were sent.
    written: Vec<String>,
    faults: VecDeque<Fault>,
    made: usize,
}

/// The API. Customers whose names start with `nobody` do not exist.
pub(crate) struct FakeApi {
    pub(crate) url: String,
    kept: Arc<Mutex<Kept>>,
    task: JoinHandle<()>,
}

impl FakeApi {
    pub(crate) async fn start() -> Self {
        let kept = Arc::<Mutex<Kept>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/account", get(account))
            .route("/customers/{id}", get(read).put(write))
            .with_state(Arc::clone(&kept));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, kept, task }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// Lets something befall the next write that nothing befalls yet.
    pub(crate) fn fault(&self, fault: Fault) {
        self.kept().faults.push_back(fault);
    }

    /// Changes a customer's contract behind the operator's back, or makes one.
    pub(crate) fn set(&self, customer: &str, name: &str, price: &str) {
        self.kept()
            .put(customer, &format!(r#"{{"terms":{{"name":"{name}","price":{price}}},"ended":false}}"#));
    }

    /// What a customer's contract says, digits as strings.
    pub(crate) fn contract(&self, customer: &str) -> Value {
        let (id, body) = self.kept().contracts[customer].clone();
        let mut contract = parse_exact(&body).unwrap();
        contract["contract_id"] = json!(id);
        contract
    }

    pub(crate) fn calls(&self, customer: &str) -> Calls {
        self.kept().calls.get(customer).copied().unwrap_or_default()
    }

    pub(crate) fn written(&self) -> Vec<String> {
        self.kept().written.clone()
    }
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Kept {
    fn put(&mut self, customer: &str, body: &str) {
        let id = match self.contracts.get(customer) {
            Some((id, before)) if !has_ended(before) => id.clone(),
            _ => {
                self.made += 1;
                format!("fake-{}", self.made)
            }
        };
        self.contracts.insert(customer.to_owned(), (id, body.to_owned()));
    }

    /// The reply, with every digit as it was written.
    fn reply(&self, customer: &str) -> Response {
        match self.contracts.get(customer) {
            Some((id, body)) => body.replacen('{', &format!(r#"{{"contract_id":"{id}","#), 1).into_response(),
            None => problem(StatusCode::NOT_FOUND, "no contract"),
        }
    }
}

fn has_ended(body: &str) -> bool {
    parse_exact(body).unwrap()["ended"] == true
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, json!({"message": message}).to_string()).into_response()
}

fn is_admitted(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|token| *token == format!("Bearer {TOKEN}"))
}

async fn account(headers: HeaderMap) -> Response {
    if is_admitted(&headers) {
        r#"{"account":"fake"}"#.into_response()
    } else {
        problem(StatusCode::UNAUTHORIZED, "no such token")
    }
}

async fn read(
    State(kept): State<Arc<Mutex<Kept>>>,
    Path(customer): Path<String>,
    headers: HeaderMap,
) -> Response {
    let mut kept = kept.lock().unwrap();
    kept.calls.entry(customer.clone()).or_default().gets += 1;
    if !is_admitted(&headers) {
        return problem(StatusCode::UNAUTHORIZED, "no such token");
    }
    kept.reply(&customer)
}

async fn write(
    State(kept): State<Arc<Mutex<Kept>>>,
    Path(customer): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let mut kept = kept.lock().unwrap();
    kept.calls.entry(customer.clone()).or_default().puts += 1;
    kept.written.push(body.clone());
    if !is_admitted(&headers) {
        return problem(StatusCode::UNAUTHORIZED, "no such token");
    }
    if customer.starts_with("nobody") {
        return problem(StatusCode::NOT_FOUND, "no such customer");
    }
    match kept.faults.pop_front() {
        Some(Fault::Fail) => return problem(StatusCode::INTERNAL_SERVER_ERROR, "something broke"),
        Some(Fault::Refuse) => return problem(StatusCode::UNPROCESSABLE_ENTITY, "not at this price"),
        Some(Fault::LoseReply) => {
            kept.put(&customer, &body);
            let broken = Err::<String, _>(std::io::Error::other("lost"));
            return Body::from_stream(stream::iter([broken])).into_response();
        }
        None => kept.put(&customer, &body),
    }
    kept.reply(&customer)
}
