//! The billing simulator, a process of its own for each test, and what it saw.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use super::program_beside;

/// The token of a billing administrator. Nothing that anybody can read may ever contain it.
pub(crate) const TOKEN: &str = "marker-7Qf2xW9s-billing-token";

/// A running simulator.
pub(crate) struct Sim {
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
    child: Mutex<Child>,
    data: TempDir,
}

/// One request that the simulator got.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The status answered, also when nobody got the answer.
    pub(crate) status: Option<u64>,
    pub(crate) body: String,
    /// The fault that it met.
    pub(crate) fault: Option<String>,
}

impl Sim {
    /// A simulator on an empty folder.
    pub(crate) fn start() -> Self {
        let data = TempDir::with_prefix("billing-sim-").unwrap();
        let (child, url) = launch("127.0.0.1:0", data.path());
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { url, client, child: Mutex::new(child), data }
    }

    /// Kills it as `kill -9` does, and starts it again where it was, with all that it had on disk.
    pub(crate) fn restart(&self) {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        (*child, _) = launch(address, self.data.path());
    }

    /// A request to the control interface, which must succeed.
    pub(crate) async fn control(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self.client.request(method, format!("{}/_sim{path}", self.url));
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// Registers an organization, so that it may have a contract.
    pub(crate) async fn register(&self, organization: &str) {
        self.control(Method::PUT, &format!("/zoo/orgs/{organization}"), &Value::Null).await;
    }

    /// Registers many.
    pub(crate) async fn register_all(&self, organizations: &[String]) {
        self.control(Method::POST, "/zoo/orgs", &json!({"ids": organizations})).await;
    }

    /// Puts a contract in, as somebody else would; `body` as in the API.
    pub(crate) async fn seed(&self, organization: &str, contract_id: &str, body: &Value) {
        let path = format!("/zoo/orgs/{organization}/contracts/{contract_id}");
        self.control(Method::PUT, &path, body).await;
    }

    /// Every contract of an organization, whatever its state.
    pub(crate) async fn contracts(&self, organization: &str) -> Vec<Value> {
        let path = format!("/zoo/orgs/{organization}/contracts");
        self.control(Method::GET, &path, &Value::Null).await["contracts"].as_array().unwrap().clone()
    }

    /// The only contract of an organization.
    pub(crate) async fn contract(&self, organization: &str) -> Value {
        let contracts = self.contracts(organization).await;
        assert_eq!(contracts.len(), 1, "{contracts:#?}");
        contracts[0].clone()
    }

    /// Changes the only contract of an organization behind the operator's back.
    pub(crate) async fn change(&self, organization: &str, change: impl FnOnce(&mut Value)) {
        let mut body = self.contract(organization).await;
        let id = body["contract_id"].as_str().unwrap().to_owned();
        for name in ["organization_id", "contract_id", "account_id", "updated_at", "writes"] {
            body.as_object_mut().unwrap().remove(name);
        }
        change(&mut body);
        self.seed(organization, &id, &body).await;
    }

    /// Switches for what the real service leaves open.
    pub(crate) async fn set(&self, settings: Value) {
        self.control(Method::PUT, "/settings", &settings).await;
    }

    /// Puts a fault into force.
    pub(crate) async fn fault(&self, fault: Value) {
        self.control(Method::POST, "/faults", &fault).await;
    }

    /// Waits until faults in force were met so many times; also by requests that have not been answered.
    pub(crate) async fn until_faults_met(&self, times: u64) {
        loop {
            let faults = self.control(Method::GET, "/faults", &Value::Null).await;
            let hits = |fault: &Value| fault["hits"].as_u64().unwrap();
            if faults["faults"].as_array().unwrap().iter().map(hits).sum::<u64>() >= times {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends every fault.
    pub(crate) async fn heal(&self) {
        self.control(Method::DELETE, "/faults", &Value::Null).await;
    }

    /// Makes a further token valid.
    pub(crate) async fn admit(&self, token: &str) {
        self.control(Method::POST, "/tokens", &json!({"token": token, "role": "admin"})).await;
    }

    /// Makes a token invalid.
    pub(crate) async fn revoke(&self, token: &str) {
        self.control(Method::DELETE, &format!("/tokens/{token}"), &Value::Null).await;
    }

    /// Every request, oldest first.
    pub(crate) async fn requests(&self) -> Vec<Request> {
        let journal = self.control(Method::GET, "/journal", &Value::Null).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let request = |entry: &Value| Request {
            method: text(&entry["method"]),
            path: text(&entry["path"]),
            status: entry["status"].as_u64(),
            body: text(&entry["body"]),
            fault: entry["fault"].as_str().map(str::to_owned),
        };
        journal["entries"].as_array().unwrap().iter().map(request).collect()
    }

    /// Requests about one organization.
    pub(crate) async fn requests_about(&self, organization: &str) -> Vec<Request> {
        let mut requests = self.requests().await;
        requests.retain(|request| request.path.contains(organization));
        requests
    }

    /// How often an organization's contract was read and written.
    pub(crate) async fn calls(&self, organization: &str) -> Calls {
        let requests = self.requests_about(organization).await;
        let count = |method: &str| requests.iter().filter(|request| request.method == method).count();
        Calls { gets: count("GET"), puts: count("PUT") }
    }

    /// Bodies of the writes to one organization, as they were sent.
    pub(crate) async fn written(&self, organization: &str) -> Vec<String> {
        let requests = self.requests_about(organization).await;
        requests.into_iter().filter(|request| request.method == "PUT").map(|request| request.body).collect()
    }
}

/// How often a contract was read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) gets: usize,
    pub(crate) puts: usize,
}

impl Drop for Sim {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Starts a simulator; where it listens.
fn launch(address: &str, data: &Path) -> (Child, String) {
    let mut child = Command::new(program_beside("billing-sim"))
        .args(["--listen", address, "--stop-with-stdin", "--data"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let url = ready["url"].as_str().unwrap().to_owned();
    (child, url)
}
