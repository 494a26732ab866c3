//! Runs the built command on a folder of its own, and talks to it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

/// The token given on the command line.
pub(crate) const TOKEN: &str = "sim-admin-token";

/// A contract as JSON, with decimals whose digits no float keeps.
pub(crate) const CONTRACT: &str = include_str!("contract.json");

/// An organization that [`Simulator::start`] registers.
pub(crate) const ORG: &str = "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11";

/// A running simulator; killed when dropped.
pub(crate) struct Simulator {
    folder: TempDir,
    child: Child,
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The answer, if its status is `status`.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
}

impl Simulator {
    /// A simulator on an empty folder, with [`ORG`] registered.
    pub(crate) async fn start() -> Self {
        let simulator = Self::start_with(&[]);
        simulator.control(Method::PUT, &format!("/zoo/orgs/{ORG}"), "").await.expect(204);
        simulator
    }

    /// A simulator on an empty folder, with further arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
        let folder = TempDir::new().unwrap();
        let (child, url) = spawn(&folder, "127.0.0.1:0", arguments);
        // A connection each: a fault that closes one must not be blamed on the next request.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { folder, child, url, client }
    }

    /// Kills the process as `kill -9` does, and starts another on the same folder and port.
    pub(crate) fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.restart();
    }

    /// Sends SIGTERM, and starts another on the same folder and port.
    pub(crate) fn terminate_and_restart(&mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.restart()
    }

    fn restart(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        let (child, url) = spawn(&self.folder, self.url.trim_start_matches("http://"), &[]);
        assert_eq!(url, self.url);
        self.child = child;
        status
    }

    /// A second process on the same folder.
    pub(crate) fn another(&self) -> Child {
        command(&self.folder, "127.0.0.1:0").spawn().unwrap()
    }

    /// Closes the simulator's stdin and waits for its end.
    pub(crate) fn close_stdin(mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A control request, under `/_sim`.
    pub(crate) async fn control(&self, method: Method, path: &str, body: &str) -> Answer {
        send(self.request(method, &format!("/_sim{path}")).body(body.to_owned())).await.unwrap()
    }

    pub(crate) async fn fault(&self, fault: &str) -> u64 {
        self.control(Method::POST, "/faults", fault).await.expect(200).json()["id"].as_u64().unwrap()
    }

    /// PUTs a contract, as an admin.
    pub(crate) async fn put(&self, org: &str, body: &str) -> reqwest::Result<Answer> {
        send(self.request(Method::PUT, &contract_path(org)).bearer_auth(TOKEN).body(body.to_owned())).await
    }

    /// GETs a contract, as an admin.
    pub(crate) async fn get(&self, org: &str) -> reqwest::Result<Answer> {
        send(self.request(Method::GET, &contract_path(org)).bearer_auth(TOKEN)).await
    }

    /// Every stored contract.
    pub(crate) async fn contracts(&self) -> Vec<Value> {
        let answer = self.control(Method::GET, "/zoo/contracts", "").await.expect(200);
        answer.json()["contracts"].as_array().unwrap().clone()
    }

    /// The journal's entries that a query admits.
    pub(crate) async fn journal(&self, query: &str) -> Vec<Value> {
        let answer = self.control(Method::GET, &format!("/journal?{query}"), "").await.expect(200);
        answer.json()["entries"].as_array().unwrap().clone()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn contract_path(org: &str) -> String {
    format!("/orgs/{org}/billing/contract")
}

/// The contract with one top-level field changed.
pub(crate) fn contract_with(field: &str, value: &str) -> String {
    let old = CONTRACT.lines().find(|line| line.trim_start().starts_with(&format!("\"{field}\":"))).unwrap();
    let comma = if old.ends_with(',') { "," } else { "" };
    CONTRACT.replacen(old, &format!("  \"{field}\": {value}{comma}"), 1)
}

pub(crate) async fn send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Answer { status, headers, text: response.text().await? })
}

fn command(folder: &TempDir, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_billing-sim"));
    command.args(["--listen", listen, "--token", TOKEN, "--data"]);
    command.arg(folder.path().join("made/by/the/simulator"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn spawn(folder: &TempDir, listen: &str, arguments: &[&str]) -> (Child, String) {
    let mut child = command(folder, listen).args(arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        panic!("not ready: {error}; stdout {line:?}, stderr {said:?}")
    });
    assert_eq!(ready["ready"], true);
    (child, ready["url"].as_str().unwrap().to_owned())
}
