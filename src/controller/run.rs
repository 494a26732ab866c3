//! How the controllers are wired and run, and when they may.

use std::{collections::HashSet, future::Future, hash::Hash, sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use k8s_openapi::NamespaceResourceScope;
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        Controller, WatchStreamExt,
        controller::{self, Action},
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use tokio::sync::{mpsc, watch};

use super::{
    Context, Error, Guarded, Handled, ObjectId, Options,
    approval::Approvals,
    context::Stores,
    contract::{self, claims::ClaimIndex, renewals::Renewals, wakes::Wakes},
    kubernetes::{
        again::Again,
        journal::Journal,
        leadership::Leadership,
        lease::{Lease, Taken},
        queue::Queue,
        server,
        watch::watch,
        words::words,
    },
    package::{
        self,
        registry::{PackageIndex, PackageRegistry},
    },
    provider::{
        self, ProviderResource,
        registry::{ProviderKey, ProviderRegistry},
        secrets::SecretWatches,
    },
    unbroken,
};
use crate::{
    api::{
        BillingContract, BillingProvider, ClusterBillingProvider, ContractApproval, ContractPackage,
        contract::ProviderKind,
    },
    billing::{
        slots::Slots,
        tenure::{Stop, Tenure, WriteGate},
    },
    clock,
    metrics::Metrics,
};

/// How often contracts are counted for the metrics, and what is gone is forgotten.
const HOUSEKEEPING_PERIOD: Duration = Duration::from_secs(10);

/// Longest that work under way may go on once the process is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(30);

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
    let stop = Stop::when(shutdown);
    let start = |tenure: Tenure, lease: Option<Lease>, taken: Taken, again: Again| {
        let leadership = Leadership::new(tenure.clone(), lease);
        let term = Term { tenure, leadership, taken };
        controllers(client.clone(), options.clone(), metrics.clone(), term, &ready, again)
    };
    if !options.leader_election {
        metrics.leads(true);
        let gate: WriteGate = Arc::new(|_| true);
        start(Tenure::new(gate, stop), None, Taken::Clean, Again::default()).await;
        return;
    }
    let (namespace, identity) = (&options.own_namespace, options.identity.clone());
    let lease = Lease::new(client.clone(), namespace, "countersign", identity, options.lease_duration);
    ready.send_replace(true);
    loop {
        tracing::info!(identity = options.identity, "waiting for the lease");
        let taken = tokio::select! {
            taken = lease.acquire() => taken,
            () = stop.set() => return,
        };
        tracing::info!(number = lease.fence(), "leading");
        metrics.leads(true);
        let tenure = Tenure::new(lease.gate(), stop.clone());
        // Longer than any write of an earlier leader can have taken.
        let again = Again::after((taken == Taken::FromSomebody).then_some(options.lease_duration));
        let late = again.clone();
        let done = tokio::select! {
            is_settled = start(tenure.clone(), Some(lease.clone()), taken, again) => Some(is_settled),
            () = lease.keep(|| late.now(options.lease_duration)) => None,
        };
        metrics.leads(false);
        metrics.count_contracts(std::iter::empty());
        if let Some(is_settled) = done {
            return lease.release(is_settled && !tenure.gave_up()).await;
        }
        tracing::warn!("the lease was lost; all work has stopped");
        if tenure.wrote_late().await {
            lease.note_late_write();
        }
    }
}

/// Counts and forgets what is gone, from the moment on at which every cache is filled.
async fn keep_house(context: &Context, stop: &Stop, ready: &watch::Sender<bool>) {
    tokio::select! {
        () = context.filled() => {}
        // No pass over a contract has begun, so there is none to finish.
        () = stop.set() => return,
    }
    tracing::info!(contracts = context.stores.contracts.len(), "watching");
    ready.send_replace(true);
    loop {
        server::count_contracts(&context.metrics, &context.stores.contracts);
        let contracts = uids(&context.stores.contracts);
        context.contract_queue.keep(&contracts);
        context.journal.tidy(&contracts).await;
        let mut providers = uids(&context.stores.providers);
        providers.extend(uids(&context.stores.cluster_providers));
        context.provider_queue.keep(&providers);
        context.package_queue.keep(&uids(&context.stores.packages));
        package::refresh(context);
        tokio::time::sleep(HOUSEKEEPING_PERIOD).await;
    }
}

/// Looks at everything again whenever an earlier leader may have written late.
async fn look_again(context: &Context, wakes: &Wakes, again: &Again) {
    loop {
        again.due().await;
        tracing::info!(
            "an earlier leader may have written late: every contract and package is looked at again"
        );
        wakes.wake_all(&context.stores.contracts);
        package::wake_all(context);
    }
}

/// One term as the leader.
struct Term {
    tenure: Tenure,
    leadership: Leadership,
    /// How it began.
    taken: Taken,
}

/// Runs the controllers until the process is told to stop, and then for as long as passes under way take. Whether all work
/// is over then, and nothing of it may come to light later.
async fn controllers(
    client: Client,
    options: Options,
    metrics: Metrics,
    Term { tenure, leadership, taken }: Term,
    ready: &watch::Sender<bool>,
    again: Again,
) -> bool {
    let stop = tenure.stop().clone();
    let journal = tokio::select! {
        journal = Journal::open(&client, &options.own_namespace, &leadership, &metrics) => journal,
        () = stop.set() => return true,
    };
    let [contract_queue, provider_queue, package_queue] = [(); 3].map(|()| Arc::<Queue>::default());
    let (contracts_cache, contracts_writer) = reflector::store();
    let (wakes, woken) = Wakes::new(Arc::clone(&contract_queue));
    let claims = Arc::new(claim_index(ClaimIndex::new(contracts_cache.clone(), wakes.clone()), taken));
    let (packages_cache, packages_writer) = reflector::store();
    let index = Arc::new(PackageIndex::new(contracts_cache.clone(), packages_cache.clone()));
    let hears = (Arc::clone(&claims), Arc::clone(&index));
    let ((approvals, named), (said, has_approvals)) =
        heard(scoped::<ContractApproval>(&client, &options), &contracts_cache);
    let (contracts, has_contracts) = watched(
        scoped::<BillingContract>(&client, &options),
        (contracts_cache.clone(), contracts_writer),
        &contract_queue,
        move |event| {
            hears.0.hear(event);
            hears.1.hear_contract(event);
        },
    );
    let (providers, has_providers) =
        watched(scoped::<BillingProvider>(&client, &options), reflector::store(), &provider_queue, |_| {});
    let (cluster_providers, has_cluster_providers) = watched(
        Api::<Guarded<ClusterBillingProvider>>::all(client.clone()),
        reflector::store(),
        &provider_queue,
        |_| {},
    );
    let hears = Arc::clone(&index);
    let (packages, has_packages) = watched(
        scoped::<ContractPackage>(&client, &options),
        (packages_cache, packages_writer),
        &package_queue,
        move |event| hears.hear_package(event),
    );
    let (provider_registry, changed_providers, suspected) = ProviderRegistry::new(options.concurrency);
    let (package_registry, changed_packages, due_packages) = PackageRegistry::new(index);
    let (secrets, rotated) = SecretWatches::new(client.clone());
    let local = Slots::new(options.concurrency);
    let context = Arc::new(Context {
        client,
        options,
        metrics,
        stores: Stores {
            contracts: contracts_cache.clone(),
            providers: providers.store(),
            cluster_providers: cluster_providers.store(),
            packages: packages.store(),
        },
        providers: provider_registry,
        packages: package_registry,
        paces: Arc::default(),
        approvals,
        renewals: Renewals::new(contracts_cache, wakes.clone()),
        claims,
        secrets,
        tenure,
        leadership,
        journal,
        local,
        contract_queue,
        provider_queue,
        package_queue,
        filled: [has_contracts, has_providers, has_cluster_providers, has_packages, has_approvals],
    });

    let (doubtful, doubtful_cluster) = by_kind(stream::select(receive(rotated), receive(suspected)));
    let providers = providers.reconcile_on(doubtful.map(|key| provider_ref(&key)));
    let cluster_providers = cluster_providers.reconcile_on(doubtful_cluster.map(|key| provider_ref(&key)));
    let affected = {
        let shared = Arc::clone(&context);
        let by_provider = receive(changed_providers).map(move |key| {
            shared.packages.of_provider(&key).into_iter().for_each(|package| shared.packages.due(package));
            contract::of_provider(&shared.stores.contracts, &key)
        });
        let shared = Arc::clone(&context);
        let by_package = receive(changed_packages).map(move |key| shared.packages.users(&key));
        stream::select(by_provider, by_package).flat_map(stream::iter)
    };
    let packages = packages.reconcile_on(receive(due_packages).map(|key| package_ref(&key)));
    let contracts =
        contracts.reconcile_on(affected).reconcile_on(receive(woken)).reconcile_on(receive(named));

    let all = futures::future::join4(
        drive(contracts, contract::reconcile, &context),
        drive(providers, provider::reconcile::<BillingProvider>, &context),
        drive(cluster_providers, provider::reconcile::<ClusterBillingProvider>, &context),
        drive(packages, package::reconcile, &context),
    );
    let is_over = tokio::select! {
        _ = all => true,
        () = said => false,
        // It ends only where it is told to stop before any pass has begun.
        () = keep_house(&context, &stop, ready) => true,
        () = out_of_time(&stop) => false,
        () = look_again(&context, &wakes, &again) => false,
    };
    is_over && context.claims.is_settled(clock::now())
}

/// Waits until a process that was told to stop has had its time to finish what is under way.
async fn out_of_time(stop: &Stop) {
    stop.set().await;
    tokio::time::sleep(STOP_GRACE).await;
    tracing::warn!("work under way is given up");
}

/// An index that knows how this leadership began.
fn claim_index(index: ClaimIndex, taken: Taken) -> ClaimIndex {
    match taken {
        Taken::Clean => index,
        Taken::FromSomebody => index.taken_over(clock::now()),
    }
}

/// A controller that hears of every change of a kind, deletions included, and whether its cache is filled; `hear` is told
/// each change after the cache. When everything was listed anew, every object is looked at.
fn watched<K: Handled>(
    api: Api<Guarded<K>>,
    (reader, writer): (Store<Guarded<K>>, reflector::store::Writer<Guarded<K>>),
    queue: &Arc<Queue>,
    hear: impl Fn(&watcher::Event<Guarded<K>>) + Send + 'static,
) -> (Controller<Guarded<K>>, watch::Receiver<bool>) {
    let (filled, cache) = watch::channel(false);
    let (listed, to_controller) = mpsc::unbounded_channel();
    let (queue, store) = (Arc::clone(queue), reader.clone());
    let note = move |event: &watcher::Event<_>| {
        hear(event);
        match event {
            watcher::Event::Init => queue.list_began(),
            watcher::Event::InitDone => {
                queue.list_done();
                let is_first = !filled.send_replace(true);
                for object in store.state().iter().filter(|_| !is_first) {
                    // Nobody listens while everything stops.
                    let _ = listed.send(ObjectRef::from_obj(object.as_ref()));
                }
            }
            _ => {}
        }
    };
    let events = reflector::reflector(writer, watch(api, watcher::Config::default())).inspect_ok(note);
    let controller = Controller::for_stream(events.touched_objects(), reader);
    (controller.reconcile_on(receive(to_controller)), cache)
}

/// The approvals, with the contracts that they name; what hears of every change of them, for as long as it is polled, and
/// whether their cache is filled.
#[expect(clippy::type_complexity, reason = "it is taken apart where it is made")]
fn heard(
    api: Api<Guarded<ContractApproval>>,
    contracts: &Store<Guarded<BillingContract>>,
) -> (
    (Arc<Approvals>, mpsc::UnboundedReceiver<ObjectRef<Guarded<BillingContract>>>),
    (impl Future<Output = ()> + use<>, watch::Receiver<bool>),
) {
    let (filled, cache) = watch::channel(false);
    let (store, writer) = reflector::store();
    let (approvals, named) = Approvals::new(store, contracts.clone());
    let approvals = Arc::new(approvals);
    let told = Arc::clone(&approvals);
    let events = reflector::reflector(writer, watch(api, watcher::Config::default()));
    let hear = move |event: watcher::Result<watcher::Event<_>>| {
        match event {
            Ok(event) => {
                told.hear(&event);
                if matches!(event, watcher::Event::InitDone) {
                    filled.send_replace(true);
                }
            }
            Err(error) => tracing::warn!(kind = "ContractApproval", error = words(&error), "the watch"),
        }
        std::future::ready(())
    };
    ((approvals, named), (events.default_backoff().for_each(hear), cache))
}

/// Runs one controller to its end; whatever fails is tried again after the time that its schedule says.
async fn drive<K, R, F>(controller: Controller<Guarded<K>>, mut reconcile: R, context: &Arc<Context>)
where
    K: Handled,
    R: FnMut(Arc<Guarded<K>>, Arc<Context>) -> F,
    F: Future<Output = Result<Action, Error>> + Send + 'static,
{
    let on_error = |object: Arc<Guarded<K>>, error: &Error, context: Arc<Context>| {
        let uid = ObjectId::of(object.as_ref()).uid;
        let wait = K::queue(&context).retry(&uid, Duration::ZERO);
        tracing::warn!(kind = %K::kind(&()), name = object.name_any(), %error, "try again in {wait:?}");
        context.metrics.reconciled(K::LABEL, "error");
        Action::requeue(wait)
    };
    let stop = context.tenure.stop().clone();
    let stopped = async move { stop.set().await };
    let reconcile = move |object, context| unbroken(reconcile(object, context));
    let outcomes = controller.graceful_shutdown_on(stopped).run(reconcile, on_error, Arc::clone(context));
    let after = |outcome: Result<_, controller::Error<Error, watcher::Error>>| async move {
        match outcome {
            Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
            Err(controller::Error::ObjectNotFound(object)) => {
                K::gone(context, object.namespace.clone(), &object.name);
            }
            Err(error) => tracing::warn!(kind = %K::kind(&()), error = words(&error), "the watch"),
        }
    };
    outcomes.for_each(after).await;
}

fn uids<K: Resource<DynamicType = ()> + Clone>(store: &Store<K>) -> HashSet<String> {
    store.state().iter().filter_map(|object| object.uid()).collect()
}

fn package_ref((namespace, name): &package::registry::Key) -> ObjectRef<Guarded<ContractPackage>> {
    ObjectRef::new(name).within(namespace.as_deref().unwrap_or_default())
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
