//! The operator, a process of its own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{DEADLINE, run};

/// How to run an operator.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) kubeconfig: PathBuf,
    pub(crate) namespace: String,
    pub(crate) identity: String,
    pub(crate) lease_seconds: u32,
    /// Whether it waits for the Lease.
    pub(crate) election: bool,
    pub(crate) log: PathBuf,
    /// `RUST_LOG`.
    pub(crate) verbosity: String,
    /// Hosts that the administrator lets tokens be sent to; `127.0.0.1`, where the simulators are, for most tests.
    pub(crate) allowed_hosts: Vec<String>,
    /// Further variables of its environment.
    pub(crate) environment: Vec<(String, String)>,
}

/// A running operator; killed when dropped.
pub(crate) struct Operator {
    url: String,
    log: PathBuf,
    child: Child,
    client: reqwest::Client,
}

impl Operator {
    /// Starts one; its log goes on in the same file.
    pub(crate) async fn start(options: &Options) -> Self {
        let log = File::options().create(true).append(true).open(&options.log).unwrap();
        let before = log.metadata().unwrap().len();
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["run", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(["--namespace", &options.namespace, "--own-namespace", &options.namespace])
            .args(["--identity", &options.identity, "--lease-seconds", &options.lease_seconds.to_string()])
            .args((!options.election).then_some("--no-leader-election"))
            .env("KUBECONFIG", &options.kubeconfig)
            .args(options.allowed_hosts.iter().flat_map(|host| ["--allowed-hosts", host]))
            .env("RUST_LOG", &options.verbosity)
            .envs(options.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let give_up = Instant::now() + DEADLINE;
        let url = loop {
            let said = read_from(&options.log, before);
            if let Some(address) = said.lines().find_map(listening) {
                break format!("http://{address}");
            }
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < give_up, "the operator does not start: {said}");
            sleep(Duration::from_millis(10)).await;
        };
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { url, log: options.log.clone(), child, client }
    }

    /// Ends it as Kubernetes does, and waits until it is gone: what it began is finished then.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        run(Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]));
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let give_up = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < give_up, "the operator does not end: {}", self.log());
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Where it listens, as host and port.
    pub(crate) fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    /// What it answers at a path.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let response = self.client.get(format!("{}{path}", self.url)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// The sum of a metric over all series whose labels contain `labels`.
    pub(crate) async fn metric(&self, name: &str, labels: &str) -> u64 {
        let (_, text) = self.get("/metrics").await;
        let values = text.lines().filter(|line| line.starts_with(name) && line.contains(labels));
        values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }

    /// Most memory that it has had, in KiB.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// All that was logged to its file.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_from(path: &Path, start: u64) -> String {
    let text = fs::read(path).unwrap();
    String::from_utf8_lossy(text.get(usize::try_from(start).unwrap()..).unwrap_or_default()).into_owned()
}

/// The address that a line of the log names.
fn listening(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line["fields"]["listen"].as_str().map(str::to_owned)
}
