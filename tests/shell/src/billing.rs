//! Billing accounts, the way there, and what becomes of requests on it. billing-sim answers; who wrote what is on record here.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use billing_sim::Embedded;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use countersign::{
    billing::carrier::{Carrier, Unanswered},
    clock,
};
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::sleep,
};

use crate::{
    server::Server,
    version::{self, Version},
};

/// The token of every account.
pub(crate) const TOKEN: &str = "token-of-the-simulation";

/// The hosts of the accounts.
pub(crate) const HOSTS: [&str; 2] = ["one.billing.test", "two.billing.test"];

/// Paths of Metronome that only read, although they are asked by `POST`.
const READS: [&str; 12] = [
    "/v1/contracts/get",
    "/v1/contracts/list",
    "/v1/contracts/customerBalances/list",
    "/v1/contracts/customerCommits/list",
    "/v1/contracts/customerCredits/list",
    "/v1/customFields/listKeys",
    "/v1/getCustomerBillingProviderConfigurations",
    "/v1/packages/get",
    "/v1/packages/list",
    "/v2/contracts/get",
    "/v2/contracts/getEditHistory",
    "/v2/contracts/list",
];

/// What may go wrong on the way: chances of one in a thousand requests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trouble {
    /// It is not carried out, and nobody answers.
    pub(crate) request_lost: u32,
    /// It is carried out, and nobody answers.
    pub(crate) reply_lost: u32,
    /// It is carried out up to 25 s later, when nobody waits any more.
    pub(crate) late: u32,
    /// It is carried out, and up to 25 s later once more.
    pub(crate) twice: u32,
    /// It is answered 503, and not carried out.
    pub(crate) unavailable: u32,
    /// It is answered 500, and carried out.
    pub(crate) failed_after: u32,
    /// The operator is killed once it is carried out, before the answer.
    pub(crate) killed: u32,
    /// It takes seconds.
    pub(crate) slow: u32,
}

/// A write, as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: DateTime<Utc>,
    pub(crate) who: usize,
    /// Number of the account.
    pub(crate) account: usize,
    pub(crate) path: String,
    pub(crate) body: Value,
    /// Whether the sender had the Lease.
    pub(crate) led: bool,
    /// The contracts that the next version remembers something of, where the sender is of the version before it.
    pub(crate) unread: Vec<String>,
}

struct Inner {
    seed: u64,
    server: Server,
    accounts: Vec<Embedded>,
    trouble: Mutex<Trouble>,
    ordinals: Mutex<HashMap<String, u64>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    sent: Mutex<Vec<Sent>>,
    /// Paths of replaces that were delivered once more, behind a newer one.
    replaced_again: Mutex<Vec<String>>,
    kills: UnboundedSender<usize>,
}

/// The accounts; clones are the same ones.
#[derive(Clone)]
pub(crate) struct Billing(Arc<Inner>);

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Billing {
    /// Empty accounts, and what hears of operators that a fault kills.
    pub(crate) fn new(seed: u64, server: &Server) -> Result<(Self, UnboundedReceiver<usize>), String> {
        let account = |_| Embedded::new(&[TOKEN.to_owned()]).map_err(|error| error.to_string());
        let accounts = HOSTS.iter().map(account).collect::<Result<_, _>>()?;
        let (kills, killed) = unbounded_channel();
        let inner = Inner {
            seed,
            server: server.clone(),
            accounts,
            trouble: Mutex::default(),
            ordinals: Mutex::default(),
            counts: Mutex::default(),
            sent: Mutex::default(),
            replaced_again: Mutex::default(),
            kills,
        };
        Ok((Self(Arc::new(inner)), killed))
    }

    pub(crate) fn set_trouble(&self, trouble: Trouble) {
        *lock(&self.0.trouble) = trouble;
    }

    /// The writes that were sent, in their order.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        lock(&self.0.sent).clone()
    }

    /// Whether a replace of a customer's contract was delivered once more, behind a newer one.
    pub(crate) fn was_replaced_again(&self, customer: &str) -> bool {
        lock(&self.0.replaced_again).iter().any(|path| path.contains(customer))
    }

    /// How often each fault came up.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.0.counts).clone()
    }

    /// What an operator sends its requests by.
    pub(crate) fn carrier(&self, who: usize, version: Version, identity: &str) -> Carrier {
        let (billing, identity) = (self.clone(), identity.to_owned());
        Carrier::new(move |request| {
            let (billing, identity) = (billing.clone(), identity.clone());
            async move { billing.carry((who, version), &identity, request).await }
        })
    }

    /// A request of whoever looks after the accounts, without faults; it must succeed.
    pub(crate) async fn control(
        &self,
        account: usize,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request::builder().method(method).uri(format!("/_sim{path}")).body(body);
        let request = request.map_err(|error| error.to_string())?;
        let account = self.0.accounts.get(account).ok_or("no such account")?;
        let response = account.answer(request).await.ok_or("closed")?;
        let (parts, body) = response.into_parts();
        if !parts.status.is_success() {
            return Err(format!("{path}: {} {}", parts.status, String::from_utf8_lossy(&body)));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }

    async fn carry(
        self,
        (who, version): (usize, Version),
        identity: &str,
        request: reqwest::Request,
    ) -> Result<reqwest::Response, Unanswered> {
        let host = request.url().host_str().unwrap_or_default();
        let Some(account) = HOSTS.iter().position(|known| *known == host) else {
            return Err(Unanswered { why: format!("no host {host}"), never_sent: true });
        };
        let path = request.url().path().to_owned();
        let is_write = request.method() != Method::GET && !READS.contains(&path.as_str());
        let mut rng = self.rng(&format!("{who} {} {account}{path}", request.method()));
        let body = request.body().and_then(|body| body.as_bytes()).map(Bytes::copy_from_slice);
        let body = body.unwrap_or_default();
        if is_write {
            lock(&self.0.sent).push(Sent {
                at: clock::now(),
                who,
                account,
                path: path.clone(),
                body: serde_json::from_slice(&body).unwrap_or(Value::Null),
                led: self.0.server.holder().as_deref() == Some(identity),
                unread: if version == Version::This { self.remembered() } else { Vec::new() },
            });
        }
        let target = match request.url().query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        let mut arriving = Request::new(body);
        *arriving.method_mut() = request.method().clone();
        *arriving.headers_mut() = request.headers().clone();
        *arriving.uri_mut() = target.parse().unwrap_or_default();
        self.meet(account, who, arriving, &mut rng).await
    }

    /// The contracts that the next version remembers something of which this one cannot read.
    fn remembered(&self) -> Vec<String> {
        let contracts = self.0.server.list("billingcontracts").into_iter();
        let remembered = contracts.filter(|contract| version::remembers(&self.0.server, contract));
        remembered.filter_map(|contract| Some(contract["metadata"]["name"].as_str()?.to_owned())).collect()
    }

    /// The request meets its fate.
    async fn meet(
        &self,
        account: usize,
        who: usize,
        request: Request<Bytes>,
        rng: &mut fastrand::Rng,
    ) -> Result<reqwest::Response, Unanswered> {
        let trouble = *lock(&self.0.trouble);
        sleep(Duration::from_millis(rng.u64(1..40))).await;
        let later = Duration::from_millis(rng.u64(100..25_000));
        let mut roll = rng.u32(0..1000);
        let mut is = |chance: u32, name: &'static str| {
            let hit = roll < chance;
            roll = if hit { u32::MAX } else { roll.saturating_sub(chance) };
            if hit {
                *lock(&self.0.counts).entry(name).or_default() += 1;
            }
            hit
        };
        if is(trouble.request_lost, "billing: request lost") {
            return std::future::pending().await;
        }
        if is(trouble.late, "billing: carried out late") {
            self.carried_out(account, request, later);
            return std::future::pending().await;
        }
        if is(trouble.unavailable, "billing: 503") {
            return Ok(answered(StatusCode::SERVICE_UNAVAILABLE, "try later"));
        }
        if is(trouble.slow, "billing: slow") {
            sleep(Duration::from_millis(rng.u64(1_000..15_000))).await;
        }
        if is(trouble.twice, "billing: carried out twice") {
            self.once_more(account, request.clone(), later);
        }
        let done = self.carried_out(account, request, Duration::ZERO);
        if is(trouble.reply_lost, "billing: reply lost") {
            return std::future::pending().await;
        }
        let response = done.await.ok().flatten();
        if is(trouble.killed, "billing: killed before the reply") {
            // Nobody listens once the run is over.
            let _ = self.0.kills.send(who);
            return std::future::pending().await;
        }
        if is(trouble.failed_after, "billing: 500, and carried out") {
            return Ok(answered(StatusCode::INTERNAL_SERVER_ERROR, "something broke"));
        }
        sleep(Duration::from_millis(rng.u64(1..40))).await;
        let lost = || Unanswered { why: "the connection was lost".to_owned(), never_sent: false };
        response.map(reqwest::Response::from).ok_or_else(lost)
    }

    /// Carries a request out that has been carried out before.
    fn once_more(&self, account: usize, request: Request<Bytes>, later: Duration) {
        let (billing, path) = (self.clone(), request.uri().path().to_owned());
        let is_replace = request.method() == Method::PUT;
        let before = self.sent_to(&path);
        tokio::spawn(async move {
            // What becomes of it is billing's to say.
            let _ = billing.carried_out(account, request, later).await;
            if is_replace && billing.sent_to(&path) > before {
                lock(&billing.0.replaced_again).push(path);
            }
        });
    }

    fn sent_to(&self, path: &str) -> usize {
        lock(&self.0.sent).iter().filter(|sent| sent.path == path).count()
    }

    /// Carries a request out, whoever waits for it.
    fn carried_out(
        &self,
        account: usize,
        request: Request<Bytes>,
        later: Duration,
    ) -> tokio::task::JoinHandle<Option<Response<Bytes>>> {
        let billing = self.clone();
        tokio::spawn(async move {
            sleep(later).await;
            let now = json!({"now": clock::now()});
            billing.control(account, Method::PUT, "/clock", &now).await.ok()?;
            billing.0.accounts.get(account)?.answer(request).await
        })
    }

    /// Chances of a request: of the seed, of what it is, and of how many like it there were.
    fn rng(&self, of: &str) -> fastrand::Rng {
        let mut ordinals = lock(&self.0.ordinals);
        let ordinal = ordinals.entry(of.to_owned()).or_default();
        *ordinal += 1;
        fastrand::Rng::with_seed(crate::hash((self.0.seed, of, *ordinal)))
    }
}

fn answered(status: StatusCode, message: &str) -> reqwest::Response {
    let body = json!({"message": message, "request_id": "r"}).to_string();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.into()
}
