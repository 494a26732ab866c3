//! The billing accounts that are known now, with a client for each that is ready.
//!
//! Providers put their state in; contracts look it up and never call a billing API that is not ready.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, LazyLock, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use kube::ResourceExt;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    api::contract::{ProviderKind, ProviderRef},
    billing::{budget::Budget, registry::Client},
    plan::Demands,
    protocol::{claims, references::ProviderLookup},
};

/// Names one provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProviderKey {
    /// Kind.
    pub kind: ProviderKind,
    /// Namespace; none for a cluster provider.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl ProviderKey {
    /// The key of a provider by name.
    #[must_use]
    pub fn new(kind: ProviderKind, namespace: Option<String>, name: &str) -> Self {
        Self { kind, namespace, name: name.to_owned() }
    }

    /// The key of the provider that an object of a namespace refers to.
    #[must_use]
    pub fn of(reference: &ProviderRef, namespace: Option<String>) -> Self {
        let namespace = match reference.kind {
            ProviderKind::BillingProvider => namespace,
            ProviderKind::ClusterBillingProvider => None,
        };
        Self::new(reference.kind, namespace, &reference.name)
    }
}

impl std::fmt::Display for ProviderKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.kind, self.name)
    }
}

/// A billing account that is ready.
#[derive(Debug)]
pub struct ReadyProvider {
    /// Its client.
    pub client: Client,
    /// The account, as claims and records name it.
    pub account: String,
    /// What all calls in the account share.
    pub budget: Budget,
    /// How often contracts in sync are compared again.
    pub sync_period: Duration,
    /// What it demands of every plan.
    pub demands: Demands,
    /// Grows with each new client, so that contracts notice.
    pub epoch: u64,
    built_from: Origin,
    suspect: AtomicBool,
    /// Since when its token cannot be read any more.
    missing_since: Mutex<Option<Instant>>,
}

/// A provider's spec as it was at one time: another provider of the same name has another, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecVersion {
    uid: Option<String>,
    generation: Option<i64>,
}

impl SpecVersion {
    /// The spec that an object has now.
    pub fn of(object: &impl ResourceExt) -> Self {
        Self { uid: object.uid(), generation: object.meta().generation }
    }
}

/// What a client was built from: while it stays the same, so does the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The provider's spec.
    pub spec: SpecVersion,
    /// What in the Secret matters. Not its version: an annotation on it changes nothing.
    pub token: Seal,
}

/// Tells whether what was read from a Secret is the same and nothing else, within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal(u64);

impl Seal {
    /// The seal of a token, or of the reason why there is none, and of what else in the Secret matters.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(KEY.hash_one(parts))
    }
}

impl std::fmt::Display for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl ReadyProvider {
    /// A ready account.
    #[must_use]
    pub fn new(
        client: Client,
        base_url: &str,
        budget: Budget,
        (sync_period, demands): (Duration, Demands),
        built_from: Origin,
    ) -> Self {
        static EPOCH: AtomicU64 = AtomicU64::new(1);
        let epoch = EPOCH.fetch_add(1, Ordering::Relaxed);
        let account = claims::account(base_url);
        Self {
            client,
            account,
            budget,
            sync_period,
            demands,
            epoch,
            built_from,
            suspect: AtomicBool::new(false),
            missing_since: Mutex::default(),
        }
    }

    /// Notes that the token can be read now, or cannot; how long it could not.
    pub fn note_token(&self, is_readable: bool) -> Duration {
        let mut since = self.missing_since.lock().unwrap_or_else(PoisonError::into_inner);
        if is_readable {
            *since = None;
        }
        if is_readable { Duration::ZERO } else { since.get_or_insert_with(Instant::now).elapsed() }
    }

    /// The spec that the client was built from.
    #[must_use]
    pub fn spec(&self) -> &SpecVersion {
        &self.built_from.spec
    }

    /// Whether the client was built from this spec, whatever the Secret says.
    #[must_use]
    pub fn is_of(&self, spec: &SpecVersion) -> bool {
        self.built_from.spec == *spec
    }

    /// Whether the client was built from this.
    #[must_use]
    pub fn is_from(&self, origin: &Origin) -> bool {
        self.built_from == *origin
    }

    /// Whether a contract's call was refused for its credentials.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Relaxed)
    }
}

/// State of a provider.
#[derive(Clone, Debug)]
pub enum Readiness {
    /// Ready.
    Ready(Arc<ReadyProvider>),
    /// Not ready, with the reason and message of its `Ready` condition.
    NotReady(String),
}

#[derive(Debug)]
struct Entry {
    readiness: Readiness,
    serves: Option<Vec<String>>,
}

/// How long what deleted contracts hold can still be ended through an account that was ready when its provider or its Secret
/// went.
const LINGERS: Duration = Duration::from_mins(10);

/// Every provider, by name.
#[derive(Debug)]
pub struct ProviderRegistry {
    entries: RwLock<HashMap<ProviderKey, Entry>>,
    /// Accounts whose provider or Secret went, and when.
    left: RwLock<HashMap<ProviderKey, (Arc<ReadyProvider>, Instant)>>,
    /// By provider, with the account that each is for; what was learned of an account outlives a client.
    budgets: Mutex<HashMap<ProviderKey, (String, Budget)>>,
    at_once: u16,
    changed: mpsc::UnboundedSender<ProviderKey>,
    suspected: mpsc::UnboundedSender<ProviderKey>,
}

impl ProviderRegistry {
    /// An empty registry for so many objects of one provider at once, the stream of providers that changed, and the stream of those whose token is in doubt.
    #[must_use]
    pub fn new(
        at_once: u16,
    ) -> (Self, mpsc::UnboundedReceiver<ProviderKey>, mpsc::UnboundedReceiver<ProviderKey>) {
        let ((changed, to_contracts), (suspected, to_providers)) =
            (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let (entries, budgets) = (RwLock::default(), Mutex::default());
        (
            Self { entries, left: RwLock::default(), budgets, at_once, changed, suspected },
            to_contracts,
            to_providers,
        )
    }

    /// The budget of a provider's account, now at this rate: a pause that its API asked for holds for a new client as well.
    #[must_use]
    pub fn budget(&self, key: &ProviderKey, base_url: &str, requests_per_second: i32) -> Budget {
        let account = claims::account(base_url);
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let budget = match budgets.get(key).filter(|(known, _)| *known == account) {
            Some((_, budget)) => budget.at(requests_per_second),
            None => Budget::new(requests_per_second, self.at_once),
        };
        budgets.insert(key.clone(), (account, budget.clone()));
        budget
    }

    /// Puts a provider's state in; `serves` lists the namespaces of a cluster provider. Contracts hear of a change.
    pub fn set(&self, key: &ProviderKey, readiness: Readiness, serves: Option<Vec<String>>) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let same = entries.get(key).is_some_and(|entry| {
            entry.serves == serves
                && match (&entry.readiness, &readiness) {
                    (Readiness::Ready(old), Readiness::Ready(new)) => Arc::ptr_eq(old, new),
                    (Readiness::NotReady(old), Readiness::NotReady(new)) => old == new,
                    _ => false,
                }
        });
        if matches!(readiness, Readiness::Ready(_)) {
            self.left.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
        entries.insert(key.clone(), Entry { readiness, serves });
        drop(entries);
        if !same {
            self.announce(key);
        }
    }

    /// Takes a provider out that is gone.
    pub fn remove(&self, key: &ProviderKey) {
        self.leave(key);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.remove(key).is_some() {
            let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
            budgets.retain(|known, (_, budget)| budget.is_paused() || entries.contains_key(known));
            self.announce(key);
        }
    }

    /// A provider or its Secret goes. Whoever deletes a namespace deletes them along with the contracts, in any order, so what
    /// those hold can still be ended for a while.
    pub fn leave(&self, key: &ProviderKey) {
        let Some(account) = self.account(key).filter(|account| !account.is_suspect()) else { return };
        let mut left = self.left.write().unwrap_or_else(PoisonError::into_inner);
        left.retain(|_, (_, since)| since.elapsed() < LINGERS);
        left.insert(key.clone(), (account, Instant::now()));
    }

    /// The account of a provider that went, or whose Secret did, a short while ago: only to end what deleted contracts hold.
    #[must_use]
    pub fn lingering(&self, key: &ProviderKey) -> Option<Arc<ReadyProvider>> {
        let left = self.left.read().unwrap_or_else(PoisonError::into_inner);
        left.get(key).filter(|(_, since)| since.elapsed() < LINGERS).map(|(account, _)| Arc::clone(account))
    }

    /// The account of a provider, if it is ready.
    #[must_use]
    pub fn account(&self, key: &ProviderKey) -> Option<Arc<ReadyProvider>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        match &entries.get(key)?.readiness {
            Readiness::Ready(account) => Some(Arc::clone(account)),
            Readiness::NotReady(_) => None,
        }
    }

    /// Looks a provider up for a contract of a namespace.
    #[must_use]
    pub fn lookup(&self, key: &ProviderKey, namespace: &str) -> ProviderLookup<Arc<ReadyProvider>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get(key) else { return ProviderLookup::Unknown };
        if entry.serves.as_ref().is_some_and(|serves| !serves.iter().any(|served| served == namespace)) {
            return ProviderLookup::NotAllowed;
        }
        match &entry.readiness {
            Readiness::Ready(account) => ProviderLookup::Ready(Arc::clone(account)),
            Readiness::NotReady(why) => ProviderLookup::NotReady(why.clone()),
        }
    }

    /// A contract's call was refused for its credentials: its provider checks the token, and the others wait.
    pub fn suspect(&self, key: &ProviderKey, account: &ReadyProvider) {
        if !account.suspect.swap(true, Ordering::Relaxed) && self.suspected.send(key.clone()).is_err() {
            tracing::debug!(%key, "no provider controller is running");
        }
    }

    /// The token of a suspected account was accepted after all: contracts may go on.
    pub fn clear(&self, key: &ProviderKey, account: &ReadyProvider) {
        if account.suspect.swap(false, Ordering::Relaxed) {
            self.announce(key);
        }
    }

    fn announce(&self, key: &ProviderKey) {
        if self.changed.send(key.clone()).is_err() {
            tracing::debug!(%key, "no contract controller is running");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pause_outlives_the_client_and_the_provider_that_learned_of_it() {
        let (registry, ..) = ProviderRegistry::new(8);
        let key = ProviderKey::new(ProviderKind::BillingProvider, Some("billing".to_owned()), "zoo");
        let other = ProviderKey::new(ProviderKind::ClusterBillingProvider, None, "zoo");
        registry.budget(&key, "https://api.zoo.dev", 10).hold(Duration::from_mins(10));
        assert!(registry.budget(&key, "https://api.zoo.dev/", 20).is_paused());
        assert!(!registry.budget(&other, "https://api.zoo.dev", 10).is_paused(), "somebody else's account");
        registry.set(&key, Readiness::NotReady(String::new()), None);
        registry.remove(&key);
        assert!(registry.budget(&key, "https://api.zoo.dev", 10).is_paused());
        assert!(!registry.budget(&key, "https://eu.zoo.dev", 10).is_paused(), "another account");
    }

    #[test]
    fn a_seal_tells_tokens_apart_and_does_not_show_them() {
        assert_eq!(Seal::of(&["token", ""]), Seal::of(&["token", ""]));
        assert_ne!(Seal::of(&["token", ""]), Seal::of(&["other", ""]));
        assert!(!format!("{0} {0:?}", Seal::of(&["token", ""])).contains("token"));
    }
}
