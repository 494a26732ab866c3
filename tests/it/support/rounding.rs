//! A billing API that keeps prices with two places only: it takes what is written, and says something else.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

#[derive(Default)]
struct Kept {
    contract: Option<Value>,
    puts: usize,
    answer: Option<Value>,
}

/// The API, for one organization.
pub(crate) struct Api {
    pub(crate) url: String,
    kept: Arc<Mutex<Kept>>,
    task: JoinHandle<()>,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let kept = Arc::<Mutex<Kept>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/orgs/{id}/billing/contract", get(read).put(write))
            .with_state(Arc::clone(&kept));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, kept, task }
    }

    /// How often it was written.
    pub(crate) fn puts(&self) -> usize {
        self.kept.lock().unwrap().puts
    }

    /// Answers every read with this; with the contract again after a null.
    pub(crate) fn answer_with(&self, answer: Value) {
        self.kept.lock().unwrap().answer = Some(answer).filter(|answer| !answer.is_null());
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(State(kept): State<Arc<Mutex<Kept>>>) -> Response {
    let kept = kept.lock().unwrap();
    match kept.answer.as_ref().or(kept.contract.as_ref()) {
        Some(answer) => Json(answer).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({"message": "no contract", "request_id": "1"})))
            .into_response(),
    }
}

async fn write(State(kept): State<Arc<Mutex<Kept>>>, Json(mut body): Json<Value>) -> Json<Value> {
    for item in body["items"].as_array_mut().unwrap() {
        for tier in item["rate_tiers"].as_array_mut().unwrap() {
            let price = tier["unit_price"].to_string();
            tier["unit_price"] =
                serde_json::from_str(&format!("{:.2}", price.parse::<f64>().unwrap())).unwrap();
        }
    }
    body["contract_id"] = json!("2f7d9c0e-0000-4000-8000-000000000001");
    body["account_id"] = json!("2f7d9c0e-0000-4000-8000-000000000002");
    let mut kept = kept.lock().unwrap();
    kept.puts += 1;
    kept.contract = Some(body.clone());
    Json(body)
}
