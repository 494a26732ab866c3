//! What is about to be written to billing accounts, on record before it is sent: one `ConfigMap` beside the Lease.
//!
//! A status write before every billing write would cost each contract one more. Here, whatever waits at one moment is put on
//! record by one request, and what was reported meanwhile goes with it. Who leads next begins with what it finds.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client, ResourceExt, core::Status};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use super::{leadership::Leadership, post_params};
use crate::{
    api::{BillingContract, read_record, reasons},
    billing::CallError,
    controller::{API_TIMEOUT, Error, ObjectId, bounded},
    metrics::Metrics,
    plan::{Announced, Refusal},
};

/// Its name.
const NAME: &str = "countersign-writes";
/// Number of the leadership that wrote it.
const FENCE: &str = "billing.countersign.dev/fence";
/// How often it is written anew when somebody else changes it at the same time.
const MAX_CONFLICTS: u32 = 5;
/// How soon it is asked for again when it cannot be read.
const RETRY: Duration = Duration::from_secs(2);

/// Writes that are on record and not reported.
pub struct Journal {
    client: Client,
    api: Api<ConfigMap>,
    namespace: String,
    leadership: Leadership,
    metrics: Metrics,
    open: Mutex<Open>,
    /// Held while it is written: whoever comes meanwhile is written along with the next.
    stored: tokio::sync::Mutex<Stored>,
}

/// What stands on record for a contract.
enum Entry {
    /// What was announced.
    Read(Box<Noted>),
    /// What this version cannot read, word for word, and why: it is another's, and stays as it is.
    Unread { text: String, why: String },
}

/// What was announced for a contract, as it stands on record.
#[derive(Clone, Serialize, Deserialize)]
struct Noted {
    /// Where the contract is, for people and for whoever asks whether it is there still.
    namespace: String,
    name: String,
    #[serde(flatten)]
    announced: Announced,
}

impl Entry {
    fn of(text: &str) -> Self {
        match read_record(text) {
            Ok(noted) => Self::Read(Box::new(noted)),
            Err(why) => Self::Unread { text: text.to_owned(), why },
        }
    }

    const fn is_read(&self) -> bool {
        matches!(self, Self::Read(_))
    }

    fn text(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Read(noted) => serde_json::to_string(noted),
            Self::Unread { text, .. } => Ok(text.clone()),
        }
    }
}

/// What should be on record.
#[derive(Default)]
struct Open {
    /// By the UID of the contract.
    writes: BTreeMap<String, Entry>,
    /// How often it was changed.
    changes: u64,
}

/// What is on record.
struct Stored {
    version: Option<String>,
    fence: Option<i32>,
    /// How often what should be on record had been changed by then.
    changes: u64,
}

impl Journal {
    /// The journal as earlier leaders have left it; asks until it is told. An operator without the right to it has none, and
    /// can announce nothing.
    pub async fn open(client: &Client, namespace: &str, leadership: &Leadership, metrics: &Metrics) -> Self {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let found = loop {
            match bounded(api.get_opt(NAME)).await {
                Ok(found) => break found.unwrap_or_default(),
                Err(error) => {
                    tracing::warn!(namespace, name = NAME, %error, "the record of writes cannot be read");
                    if error.is(Status::is_forbidden) {
                        break ConfigMap::default();
                    }
                    sleep(RETRY).await;
                }
            }
        };
        Self {
            client: client.clone(),
            api,
            namespace: namespace.to_owned(),
            leadership: leadership.clone(),
            metrics: metrics.clone(),
            open: Mutex::new(Open { writes: entries(&found), changes: 0 }),
            stored: tokio::sync::Mutex::new(Stored::of(&found, 0)),
        }
    }

    /// What was announced for a contract and is not reported.
    pub fn found(&self, uid: &str) -> Option<Announced> {
        self.with_open(|open| open.noted(uid)).map(|noted| noted.announced)
    }

    /// Why nothing may be written for a contract: what is on record of it was written down by another version, and may have been
    /// sent. It is looked up once more, as somebody may have taken it off the record.
    pub async fn unread(&self, uid: &str) -> Option<Refusal> {
        self.unread_here(uid)?;
        match bounded(self.api.get_opt(NAME)).await {
            Ok(found) => self.with_open(|open| open.leave(&entries(&found.unwrap_or_default()))),
            Err(error) => tracing::warn!(uid, %error, "the record of writes cannot be read again"),
        }
        self.unread_here(uid)
    }

    fn unread_here(&self, uid: &str) -> Option<Refusal> {
        let why = self.with_open(|open| match open.writes.get(uid) {
            Some(Entry::Unread { why, .. }) => Some(why.clone()),
            Some(Entry::Read(_)) | None => None,
        })?;
        let Self { namespace, .. } = self;
        let message = format!(
            "A write of this contract is on record (`{uid}` in ConfigMap {namespace}/{NAME}) which this version of Countersign \
             cannot read: {why}. It may have been sent, so nothing is written. If you know what became of it, take it off the \
             record: kubectl patch configmap {NAME} --namespace {namespace} --type json \
             --patch '[{{\"op\": \"remove\", \"path\": \"/data/{uid}\"}}]'"
        );
        Some(Refusal { reason: reasons::UNDECODABLE, message })
    }

    /// Where the writes of one contract are announced.
    pub const fn of(&self, contract: ObjectId) -> Page<'_> {
        Page { journal: self, contract, before: Mutex::new(None) }
    }

    /// The status of a contract tells what has come of its writes.
    pub fn reported(&self, uid: &str) {
        self.with_open(|open| {
            if open.writes.get(uid).is_some_and(Entry::is_read) {
                open.change(uid, None);
            }
        });
    }

    /// Forgets contracts that are gone, and takes off the record what was reported since it was last written. What the cache
    /// does not have may be there all the same: its list may have been of an earlier time, or of fewer namespaces.
    pub async fn tidy(&self, cached: &HashSet<String>) {
        for contract in self.with_open(|open| open.besides(cached)) {
            if self.is_gone(&contract).await {
                self.reported(&contract.uid);
            }
        }
        let changes = self.with_open(|open| open.changes);
        if let Err(error) = self.write(changes).await {
            tracing::warn!(%error, "the record of writes keeps what was reported");
        }
    }

    /// Whether the API server itself says that there is no such contract.
    async fn is_gone(&self, ObjectId { uid, namespace, name }: &ObjectId) -> bool {
        let api = Api::<BillingContract>::namespaced(self.client.clone(), namespace);
        match bounded(api.get_metadata_opt(name)).await {
            Ok(found) => found.is_none_or(|found| found.uid().as_ref() != Some(uid)),
            Err(error) => {
                tracing::debug!(namespace, name, %error, "on record, and whether it is there still cannot be told");
                false
            }
        }
    }

    /// Writes it, unless what is on record is as new as this change.
    async fn write(&self, change: u64) -> Result<(), Error> {
        let mut stored = self.stored.lock().await;
        for _ in 0..MAX_CONFLICTS {
            if stored.changes >= change {
                return Ok(());
            }
            let fence = self.leadership.fence_over(stored.fence).await?;
            let (data, changes) = self.with_open(|open| (data(&open.writes), open.changes));
            match self.put(&stored, data?, fence).await {
                Ok(written) => {
                    self.metrics.record_written();
                    *stored = Stored::of(&written, changes);
                }
                Err(error) if error.is(is_another) => {
                    let found = bounded(self.api.get_opt(NAME)).await?.unwrap_or_default();
                    self.take_over(&found, fence);
                    *stored = Stored { changes: stored.changes, ..Stored::of(&found, 0) };
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Timeout)
    }

    async fn put(
        &self,
        stored: &Stored,
        data: BTreeMap<String, String>,
        fence: Option<i32>,
    ) -> Result<ConfigMap, Error> {
        let metadata = ObjectMeta {
            name: Some(NAME.to_owned()),
            resource_version: stored.version.clone(),
            labels: Some([("app.kubernetes.io/name".to_owned(), "countersign".to_owned())].into()),
            annotations: fence.map(|fence| [(FENCE.to_owned(), fence.to_string())].into()),
            ..ObjectMeta::default()
        };
        let journal = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
        bounded(async {
            if stored.version.is_none() {
                self.api.create(&post_params(), &journal).await
            } else {
                self.api.replace(NAME, &post_params(), &journal).await
            }
        })
        .await
    }

    /// Takes up what another leader has announced since it was read. What this one wrote and has no more was reported.
    fn take_over(&self, found: &ConfigMap, fence: Option<i32>) {
        let is_own = fence.is_some() && Stored::of(found, 0).fence == fence;
        let found = entries(found);
        self.with_open(|open| {
            open.leave(&found);
            for (uid, entry) in found.into_iter().filter(|_| !is_own) {
                open.writes.entry(uid).or_insert(entry);
            }
        });
    }

    fn with_open<T>(&self, act: impl FnOnce(&mut Open) -> T) -> T {
        act(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Open {
    fn noted(&self, uid: &str) -> Option<Box<Noted>> {
        match self.writes.get(uid) {
            Some(Entry::Read(noted)) => Some(noted.clone()),
            Some(Entry::Unread { .. }) | None => None,
        }
    }

    /// Which change it is that this stands there for a contract.
    fn change(&mut self, uid: &str, noted: Option<Box<Noted>>) -> u64 {
        match noted {
            Some(noted) => drop(self.writes.insert(uid.to_owned(), Entry::Read(noted))),
            None => drop(self.writes.remove(uid)),
        }
        self.changes += 1;
        self.changes
    }

    /// Contracts with an announcement that are not among these. What another version has announced is its own to take off the
    /// record.
    fn besides(&self, cached: &HashSet<String>) -> Vec<ObjectId> {
        let missing = self.writes.iter().filter(|(uid, _)| !cached.contains(*uid));
        let named = missing.filter_map(|(uid, entry)| match entry {
            Entry::Read(noted) => {
                let (namespace, name) = (noted.namespace.clone(), noted.name.clone());
                Some(ObjectId { uid: uid.clone(), namespace, name })
            }
            Entry::Unread { .. } => None,
        });
        named.collect()
    }

    /// What this version cannot read is there as long as others leave it there.
    fn leave(&mut self, found: &BTreeMap<String, Entry>) {
        self.writes.retain(|uid, entry| entry.is_read() || found.contains_key(uid));
    }
}

impl Stored {
    fn of(found: &ConfigMap, changes: u64) -> Self {
        let metadata = &found.metadata;
        let fence = metadata.annotations.as_ref().and_then(|all| all.get(FENCE)?.parse().ok());
        Self { version: metadata.resource_version.clone(), fence, changes }
    }
}

/// Where the writes of one contract are announced.
pub struct Page<'j> {
    journal: &'j Journal,
    contract: ObjectId,
    /// What was on record before the last announcement.
    before: Mutex<Option<Box<Noted>>>,
}

impl Page<'_> {
    /// Puts on record what is about to be sent.
    ///
    /// # Errors
    /// When that was not done, so that nothing may be sent.
    pub async fn announce(&self, announced: Announced) -> Result<(), CallError> {
        let Self { journal, contract: ObjectId { uid, namespace, name }, .. } = self;
        *self.before() = journal.with_open(|open| open.noted(uid));
        // What is announced and then not sent would be looked for all the same, and its approval be used.
        if !journal.leadership.may_begin() {
            return Err(CallError::NotLeader);
        }
        let noted = Noted { namespace: namespace.clone(), name: name.clone(), announced };
        let change = journal.with_open(|open| open.change(uid, Some(Box::new(noted))));
        let written = timeout(API_TIMEOUT, journal.write(change)).await.unwrap_or(Err(Error::Timeout));
        written.map_err(|error| match error {
            Error::NotLeader => CallError::NotLeader,
            error => CallError::NotOnRecord(format!("ConfigMap {}/{NAME}: {error}", journal.namespace)),
        })
    }

    /// Puts back what was on record before the last announcement. What is stored follows with the next announcement of any
    /// contract, or when it is tidied up.
    pub fn withdraw(&self) {
        let before = self.before().take();
        self.journal.with_open(|open| open.change(&self.contract.uid, before));
    }

    fn before(&self) -> MutexGuard<'_, Option<Box<Noted>>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether somebody else made, changed or deleted it since it was read.
fn is_another(status: &Status) -> bool {
    status.is_conflict() || status.is_already_exists() || status.is_not_found()
}

fn data(writes: &BTreeMap<String, Entry>) -> Result<BTreeMap<String, String>, Error> {
    let texts = writes.iter().map(|(uid, entry)| Ok((uid.clone(), entry.text()?)));
    texts.collect::<Result<_, _>>().map_err(|error| kube::Error::SerdeError(error).into())
}

fn entries(found: &ConfigMap) -> BTreeMap<String, Entry> {
    found.data.iter().flatten().map(|(uid, text)| (uid.clone(), Entry::of(text))).collect()
}
