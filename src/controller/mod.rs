//! The controllers: what is watched, what runs when, and who may write.
//!
//! `schedule` is pure; the rest is the thin shell around `plan`.

pub mod contract;
pub mod deletion;
pub mod events;
pub mod lease;
pub mod outcome;
pub mod package;
pub mod packages;
pub mod pass;
pub mod provider;
pub mod providers;
pub mod renewals;
pub mod report;
pub mod schedule;
pub mod secrets;
pub mod server;
mod sources;
pub mod target;
pub mod undecodable;

use std::{collections::HashSet, fmt::Debug, future::Future, hash::Hash, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream, stream::BoxStream};
use k8s_openapi::NamespaceResourceScope;
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::{
        Controller, WatchStreamExt,
        controller::{self, Action},
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};

use self::{
    lease::Lease,
    packages::Packages,
    provider::ProviderResource,
    providers::{ProviderKey, Providers},
    renewals::Renewals,
    schedule::Schedule,
    secrets::SecretWatches,
};
use crate::{
    api::{
        BillingContract, BillingProvider, ClusterBillingProvider, ContractPackage, contract::ProviderKind,
    },
    billing::WriteGate,
    metrics::Metrics,
    protocol::claims,
    status,
};

/// Longest that a call to the API server may take.
const API_TIMEOUT: Duration = Duration::from_secs(15);

/// How often contracts are counted for the metrics, and what is gone is forgotten.
const HOUSEKEEPING_PERIOD: Duration = Duration::from_secs(10);

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The only namespace whose resources are handled; every namespace when left out.
    pub namespace: Option<String>,
    /// The operator's own namespace: of its Lease, and of the Secrets of cluster providers.
    pub own_namespace: String,
    /// Unique among the processes that run at the same time.
    pub identity: String,
    /// Contracts that are reconciled at once.
    pub concurrency: u16,
    /// How long the lease lasts without being renewed.
    pub lease_duration: Duration,
    /// Whether to wait for a lease; without it, two operators could write at once.
    pub leader_election: bool,
}

/// A resource as the watch delivers it: decoded, or with the reason why not.
pub type Guarded<K> = DeserializeGuard<K>;

/// What every reconcile needs.
pub struct Context {
    /// Client of the API server.
    pub client: Client,
    /// How the operator runs.
    pub options: Options,
    /// Metrics.
    pub metrics: Metrics,
    /// Billing accounts.
    pub providers: Providers,
    /// Who hears of packages.
    pub packages: Packages,
    /// Who waits for the contract that theirs renews.
    pub renewals: Renewals,
    /// Watches on Secrets.
    pub secrets: SecretWatches,
    /// Opens for writes while the lease lasts.
    pub gate: WriteGate,
    /// Schedule of the contracts.
    pub contracts: Schedule,
    /// Schedule of the providers.
    pub accounts: Schedule,
    /// Schedule of the packages.
    pub package_schedule: Schedule,
    /// Cache of the contracts.
    pub contract_store: Store<Guarded<BillingContract>>,
    /// Cache of the providers.
    pub provider_store: Store<Guarded<BillingProvider>>,
    /// Cache of the cluster providers.
    pub cluster_provider_store: Store<Guarded<ClusterBillingProvider>>,
    /// Cache of the packages.
    pub package_store: Store<Guarded<ContractPackage>>,
    /// Whether each cache is filled.
    pub caches: [watch::Receiver<bool>; 4],
}

impl Context {
    /// Waits until every cache is filled: before that, what is not there yet would seem to be missing.
    ///
    /// A store's own `wait_until_ready` is its controller's: of several that wait, it wakes only the last.
    pub async fn filled(&self) {
        for mut cache in self.caches.clone() {
            if cache.wait_for(|filled| *filled).await.is_err() {
                tracing::debug!("stopping before the caches were filled");
            }
        }
    }
}

/// Why a pass could not be finished; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not do what it was asked.
    #[error("the API server: {0}")]
    Kubernetes(#[from] Box<kube::Error>),
    /// The API server did not answer in time.
    #[error("the API server did not answer in time")]
    Timeout,
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

/// A call to the API server, bounded in time.
///
/// # Errors
/// The call's own, or that it took too long.
pub async fn bounded<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Error> {
    Ok(tokio::time::timeout(API_TIMEOUT, call).await.map_err(|_| Error::Timeout)??)
}

/// Whether this process leads and has seen every object.
pub type Readiness = watch::Receiver<bool>;

/// Runs the operator until `shutdown`. Whenever the lease is lost, all work stops at once until it is held again.
pub async fn run(
    client: Client,
    options: Options,
    metrics: Metrics,
    ready: watch::Sender<bool>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let shutdown: Shutdown = shutdown.boxed().shared();
    if !options.leader_election {
        let gate: WriteGate = Arc::new(|_| true);
        return controllers(client, options, metrics, gate, &ready, shutdown).await;
    }
    let (namespace, identity) = (&options.own_namespace, options.identity.clone());
    let lease = Lease::new(client.clone(), namespace, "countersign", identity, options.lease_duration);
    ready.send_replace(true);
    loop {
        tracing::info!(identity = options.identity, "waiting for the lease");
        tokio::select! {
            () = lease.acquire() => {}
            () = shutdown.clone() => return,
        }
        tracing::info!("leading");
        metrics.leads(true);
        let work = controllers(
            client.clone(),
            options.clone(),
            metrics.clone(),
            lease.gate(),
            &ready,
            shutdown.clone(),
        );
        let done = tokio::select! {
            () = work => true,
            () = lease.keep() => false,
        };
        metrics.leads(false);
        if done {
            return lease.release().await;
        }
        tracing::warn!("the lease was lost; all work has stopped");
    }
}

type Shutdown = futures::future::Shared<BoxFuture<'static, ()>>;

/// Runs the controllers until `shutdown`, and then for as long as passes under way take.
async fn controllers(
    client: Client,
    options: Options,
    metrics: Metrics,
    gate: WriteGate,
    ready: &watch::Sender<bool>,
    shutdown: Shutdown,
) {
    let (providers, changed, suspected) = Providers::new();
    let (packages, changed_packages, due_packages) = Packages::new();
    let (renewals, due_renewals) = Renewals::new();
    let (secrets, rotated) = SecretWatches::new(client.clone());
    let (contracts, has_contracts) = watched(scoped::<BillingContract>(&client, &options));
    let (accounts, has_accounts) = watched(scoped::<BillingProvider>(&client, &options));
    let (cluster_accounts, has_cluster_accounts) =
        watched(Api::<Guarded<ClusterBillingProvider>>::all(client.clone()));
    let (sheets, has_sheets) = watched(scoped::<ContractPackage>(&client, &options));
    let concurrency = controller::Config::default().concurrency(options.concurrency);
    let context = Arc::new(Context {
        client,
        options,
        metrics,
        providers,
        packages,
        renewals,
        secrets,
        gate,
        contracts: Schedule::default(),
        accounts: Schedule::default(),
        package_schedule: Schedule::default(),
        contract_store: contracts.store(),
        provider_store: accounts.store(),
        cluster_provider_store: cluster_accounts.store(),
        package_store: sheets.store(),
        caches: [has_contracts, has_accounts, has_cluster_accounts, has_sheets],
    });

    let (doubtful, doubtful_cluster) = by_kind(futures::stream::select(receive(rotated), receive(suspected)));
    let accounts = accounts.reconcile_on(doubtful.map(|key| provider_ref(&key)));
    let cluster_accounts = cluster_accounts.reconcile_on(doubtful_cluster.map(|key| provider_ref(&key)));
    let affected = {
        let store = contracts.store();
        let shared = Arc::clone(&context);
        let by_provider = receive(changed).map(move |key| {
            for package in packages::of_account(&shared.package_store, &key) {
                shared.packages.due(package);
            }
            sources::using(&store, &key)
        });
        let store = contracts.store();
        let by_package = receive(changed_packages).map(move |key| packages::using(&store, &key));
        stream::select(by_provider, by_package).flat_map(stream::iter)
    };
    let sheets = sheets.reconcile_on(receive(due_packages).map(|key| package_ref(&key)));
    let contracts =
        contracts.with_config(concurrency).reconcile_on(affected).reconcile_on(receive(due_renewals));

    let housekeeping = async {
        tokio::select! {
            () = context.filled() => {}
            // No pass over a contract has begun, so there is none to finish.
            () = shutdown.clone() => return,
        }
        tracing::info!(contracts = context.contract_store.len(), "watching");
        ready.send_replace(true);
        loop {
            server::count_contracts(&context.metrics, &context.contract_store);
            context.contracts.keep(&uids(&context.contract_store));
            let mut accounts = uids(&context.provider_store);
            accounts.extend(uids(&context.cluster_provider_store));
            context.accounts.keep(&accounts);
            context.package_schedule.keep(&uids(&context.package_store));
            context.packages.refresh(&context);
            tokio::time::sleep(HOUSEKEEPING_PERIOD).await;
        }
    };
    let all = futures::future::join4(
        drive(contracts, contract::reconcile, &context, &shutdown),
        drive(accounts, provider::reconcile::<BillingProvider>, &context, &shutdown),
        drive(cluster_accounts, provider::reconcile::<ClusterBillingProvider>, &context, &shutdown),
        drive(sheets, package::reconcile, &context, &shutdown),
    );
    tokio::select! {
        _ = all => {}
        () = housekeeping => {}
    }
}

/// A controller that hears of every change of a kind, deletions included, and whether its cache is filled.
fn watched<K: Handled>(api: Api<Guarded<K>>) -> (Controller<Guarded<K>>, watch::Receiver<bool>) {
    let (reader, writer) = reflector::store();
    let (filled, cache) = watch::channel(false);
    let note = move |event: &watcher::Event<_>| {
        if matches!(event, watcher::Event::InitDone) {
            filled.send_replace(true);
        }
    };
    let events = reflector::reflector(writer, watcher(api, watcher::Config::default())).inspect_ok(note);
    (Controller::for_stream(events.touched_objects(), reader), cache)
}

/// Runs one controller to its end; whatever fails is tried again after the time that its schedule says.
async fn drive<K, R, F>(
    controller: Controller<Guarded<K>>,
    reconcile: R,
    context: &Arc<Context>,
    shutdown: &Shutdown,
) where
    K: Handled,
    R: FnMut(Arc<Guarded<K>>, Arc<Context>) -> F,
    F: Future<Output = Result<Action, Error>> + Send + 'static,
{
    let on_error = |object: Arc<Guarded<K>>, error: &Error, context: Arc<Context>| {
        let uid = object.uid().unwrap_or_default();
        let wait = K::schedule(&context).retry(&uid, Duration::ZERO);
        tracing::warn!(kind = %K::kind(&()), name = object.name_any(), %error, "try again in {wait:?}");
        context.metrics.reconciled(K::LABEL, "error");
        Action::requeue(wait)
    };
    let outcomes =
        controller.graceful_shutdown_on(shutdown.clone()).run(reconcile, on_error, Arc::clone(context));
    let after = |outcome: Result<_, controller::Error<Error, watcher::Error>>| async move {
        match outcome {
            Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
            Err(controller::Error::ObjectNotFound(object)) => {
                K::gone(context, object.namespace.clone(), &object.name);
            }
            Err(error) => tracing::warn!(kind = %K::kind(&()), %error, "the watch"),
        }
    };
    outcomes.for_each(after).await;
}

/// A kind that has a controller.
pub trait Handled:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
    /// Its label in metrics.
    const LABEL: &'static str;

    /// The schedule of its objects.
    fn schedule(context: &Context) -> &Schedule;

    /// Hears that an object is gone; without a finalizer nothing else says so.
    fn gone(_context: &Context, _namespace: Option<String>, _name: &str) {}
}

impl Handled for BillingContract {
    const LABEL: &'static str = "BillingContract";

    fn schedule(context: &Context) -> &Schedule {
        &context.contracts
    }
}

impl Handled for BillingProvider {
    const LABEL: &'static str = "BillingProvider";

    fn schedule(context: &Context) -> &Schedule {
        &context.accounts
    }

    fn gone(context: &Context, namespace: Option<String>, name: &str) {
        provider::gone(context, &ProviderKey::new(ProviderKind::BillingProvider, namespace, name));
    }
}

impl Handled for ClusterBillingProvider {
    const LABEL: &'static str = "ClusterBillingProvider";

    fn schedule(context: &Context) -> &Schedule {
        &context.accounts
    }

    fn gone(context: &Context, _: Option<String>, name: &str) {
        provider::gone(context, &ProviderKey::new(ProviderKind::ClusterBillingProvider, None, name));
    }
}

impl Handled for ContractPackage {
    const LABEL: &'static str = "ContractPackage";

    fn schedule(context: &Context) -> &Schedule {
        &context.package_schedule
    }

    fn gone(context: &Context, namespace: Option<String>, name: &str) {
        context.packages.changed((namespace, name.to_owned()));
    }
}

fn uids<K: Resource<DynamicType = ()> + Clone>(store: &Store<K>) -> HashSet<String> {
    store.state().iter().filter_map(|object| object.uid()).collect()
}

fn package_ref((namespace, name): &packages::Key) -> ObjectRef<Guarded<ContractPackage>> {
    ObjectRef::new(name).within(namespace.as_deref().unwrap_or_default())
}

/// The contracts of a cache that fit.
fn contracts_of(
    store: &Store<Guarded<BillingContract>>,
    fits: impl Fn(&BillingContract) -> bool,
) -> Vec<ObjectRef<Guarded<BillingContract>>> {
    let cached = store.state();
    let fitting = cached.iter().filter(|contract| decoded(contract).is_ok_and(&fits));
    fitting.map(|contract| ObjectRef::from_obj(contract.as_ref())).collect()
}

/// The decoded object, or what is to be reported on it.
///
/// # Errors
/// The reason why it could not be decoded.
pub fn decoded<K>(guarded: &Guarded<K>) -> Result<&K, &InvalidObject> {
    guarded.0.as_ref()
}

fn scoped<K>(client: &Client, options: &Options) -> Api<Guarded<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match &options.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

fn receive<T: Send + 'static>(receiver: mpsc::UnboundedReceiver<T>) -> BoxStream<'static, T> {
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|item| (item, receiver)) })
        .boxed()
}

/// Splits a stream of providers by their kind.
fn by_kind(
    keys: impl futures::Stream<Item = ProviderKey> + Send + 'static,
) -> (BoxStream<'static, ProviderKey>, BoxStream<'static, ProviderKey>) {
    let ((namespaced, of_namespaces), (cluster, of_cluster)) =
        (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    tokio::spawn(keys.for_each(move |key| {
        let sent = match key.kind {
            ProviderKind::BillingProvider => namespaced.send(key),
            ProviderKind::ClusterBillingProvider => cluster.send(key),
        };
        async move { drop(sent) }
    }));
    (receive(of_namespaces), receive(of_cluster))
}

fn provider_ref<K>(key: &ProviderKey) -> ObjectRef<Guarded<K>>
where
    K: ProviderResource,
    Guarded<K>: Resource<DynamicType = ()>,
    <Guarded<K> as Resource>::DynamicType: Hash + Eq,
{
    let reference = ObjectRef::new(&key.name);
    match &key.namespace {
        Some(namespace) => reference.within(namespace),
        None => reference,
    }
}
