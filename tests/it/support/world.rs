//! A world for one test: a namespace, a simulator, an operator, and what they come to.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy, ValidationDirective},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, DynamicObject},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use super::{
    DEADLINE, install_crypto,
    kstatus::{self, Standing},
    observer::Observer,
    operator::{Operator, Options},
    plane::Plane,
    rbac,
    sim::{Sim, TOKEN},
    terms,
};

const CONTRACT: &str = "BillingContract";
const PROVIDER: &str = "BillingProvider";
const PACKAGE: &str = "ContractPackage";

/// Everything that one test needs.
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) namespace: String,
    pub(crate) client: Client,
    pub(crate) options: Options,
    operator: Option<Operator>,
    observer: Observer,
    folder: TempDir,
    /// Kubeconfig of an administrator.
    administrator: PathBuf,
}

/// An event about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) type_: String,
    pub(crate) reason: String,
    pub(crate) text: String,
}

impl World {
    /// A namespace with a provider whose token is right, an organization, and an operator.
    pub(crate) async fn start() -> Self {
        let mut world = Self::bare().await;
        world.connect().await;
        world.start_operator().await;
        world
    }

    /// The same on a control plane of the caller's.
    pub(crate) async fn start_on(plane: &Plane) -> Self {
        let mut world = Self::bare_on(plane).await;
        world.connect().await;
        world.start_operator().await;
        world
    }

    /// A namespace and a simulator; no provider, no operator yet.
    pub(crate) async fn bare() -> Self {
        Self::bare_on(Plane::shared()).await
    }

    /// The same on a control plane of the caller's.
    pub(crate) async fn bare_on(plane: &Plane) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        install_crypto();
        let namespace = format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let client = client(plane.kubeconfig.clone()).await;
        let folder = TempDir::with_prefix("countersign-").unwrap();
        let namespaces: Api<DynamicObject> = Api::all_with(client.clone(), &resource("v1", "Namespace"));
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        namespaces.patch(&namespace, &apply_params(), &Patch::Apply(&object)).await.unwrap();
        let options = Options {
            kubeconfig: plane.kubeconfig.clone(),
            namespace: namespace.clone(),
            identity: "operator-0".to_owned(),
            lease_seconds: 45,
            election: true,
            log: folder.path().join("operator.log"),
            verbosity: "info,countersign=debug".to_owned(),
            allowed_hosts: vec!["127.0.0.1".to_owned()],
            environment: Vec::new(),
        };
        let observer = Observer::start(&client, &namespace);
        let sim = Sim::start();
        sim.admit(TOKEN).await;
        sim.register(terms::ORG).await;
        let administrator = plane.kubeconfig.clone();
        let mut world =
            Self { sim, namespace, client, options, operator: None, observer, folder, administrator };
        for right in rbac::moved_to(&world.namespace, plane.rights()) {
            world.apply(&right).await;
        }
        rbac::until_granted(&world.client, &world.namespace).await;
        world.options.kubeconfig =
            rbac::kubeconfig(&world.client, &world.namespace, rbac::NAME, plane, world.folder.path()).await;
        world
    }

    /// Applies the provider and its Secret.
    pub(crate) async fn connect(&self) {
        self.apply(&terms::secret(TOKEN)).await;
        self.apply(&terms::provider(&self.sim.url)).await;
    }

    /// A client that acts as somebody else.
    pub(crate) async fn acting_as(&self, user: &str) -> Client {
        let kubeconfig = Kubeconfig::read_from(&self.administrator).unwrap();
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        config.auth_info.impersonate = Some(user.to_owned());
        Client::try_from(config).unwrap()
    }

    // The operator.

    pub(crate) async fn start_operator(&mut self) {
        self.operator = Some(Operator::start(&self.options).await);
    }

    /// The operator that runs.
    pub(crate) fn operator(&mut self) -> &mut Operator {
        self.operator.as_mut().expect("a running operator")
    }

    /// Takes the operator out of the world, to be killed or to live beside another.
    pub(crate) fn take_operator(&mut self) -> Operator {
        self.operator.take().expect("a running operator")
    }

    /// Ends the operator; whatever it began is finished then.
    pub(crate) async fn stop_operator(&mut self) {
        let status = self.take_operator().stop().await;
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// Lets a fresh operator, which remembers nothing, look at every contract once, and ends it.
    pub(crate) async fn second_look(&mut self, contracts: u64) {
        if self.operator.is_some() {
            self.stop_operator().await;
        }
        self.start_operator().await;
        self.until_counted("countersign_reconciles_total", contracts).await;
        self.stop_operator().await;
    }

    /// Waits until the operator has counted so many of something about contracts; how many it has.
    pub(crate) async fn until_counted(&mut self, metric: &str, at_least: u64) -> u64 {
        self.until_counted_of(CONTRACT, metric, at_least).await
    }

    /// The same about another kind.
    pub(crate) async fn until_counted_of(&mut self, kind: &str, metric: &str, at_least: u64) -> u64 {
        let give_up = Instant::now() + DEADLINE;
        loop {
            let counted = self.operator().metric(metric, &format!("kind=\"{kind}\"")).await;
            if counted >= at_least {
                return counted;
            }
            assert!(Instant::now() < give_up, "{metric} stays at {counted}: {}", tail(&self.log()));
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The operator's log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.options.log).unwrap_or_default()
    }

    // Objects.

    /// Applies an object to the namespace, as kubectl and Flux do.
    pub(crate) async fn apply(&self, object: &Value) -> Value {
        self.try_apply(object).await.unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// The same; what the API server refuses is its message.
    pub(crate) async fn try_apply(&self, object: &Value) -> Result<Value, String> {
        let api = self.api(object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        let name = object["metadata"]["name"].as_str().unwrap();
        let applied = api.patch(name, &apply_params(), &Patch::Apply(object)).await;
        applied.map(|object| serde_json::to_value(object).unwrap()).map_err(|error| match error {
            kube::Error::Api(status) => status.message,
            error => error.to_string(),
        })
    }

    /// Applies an object, again and again while the API server is away.
    pub(crate) async fn persist(&self, object: &Value) {
        let give_up = Instant::now() + DEADLINE;
        while let Err(refusal) = self.try_apply(object).await {
            assert!(Instant::now() < give_up, "{refusal}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Creates many contracts, some at a time.
    pub(crate) async fn create_all(&self, contracts: &[Value]) {
        let api = self.api(version(CONTRACT), CONTRACT);
        let create = async |contract: &Value| {
            let contract = serde_json::from_value(contract.clone()).unwrap();
            api.create(&PostParams::default(), &contract).await.unwrap();
        };
        stream::iter(contracts).for_each_concurrent(16, create).await;
    }

    /// Applies many objects, some at a time.
    pub(crate) async fn apply_all(&self, objects: &[Value]) {
        stream::iter(objects).for_each_concurrent(16, async |object| drop(self.apply(object).await)).await;
    }

    /// Several contracts as the API server has them now.
    pub(crate) async fn get_all(&self, names: &[String]) -> Vec<Value> {
        let mut contracts = Vec::new();
        for name in names {
            contracts.push(self.get(name).await);
        }
        contracts
    }

    /// The operator's lease.
    pub(crate) async fn lease(&self) -> Value {
        let lease = self.api("coordination.k8s.io/v1", "Lease").get("countersign").await.unwrap();
        serde_json::to_value(lease).unwrap()
    }

    /// Changes part of an object, as another tool than Git's would.
    pub(crate) async fn patch(&self, kind: &str, name: &str, patch: Value) {
        let api = self.api(version(kind), kind);
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    }

    /// Sets an annotation of a contract.
    pub(crate) async fn annotate(&self, name: &str, annotation: &str, value: &str) {
        self.patch(CONTRACT, name, json!({"metadata": {"annotations": {annotation: value}}})).await;
    }

    /// Asks for a look at a contract now, and waits until it was taken.
    pub(crate) async fn reconcile(&self, name: &str) -> Value {
        self.reconcile_object(CONTRACT, name).await
    }

    /// The same of any object.
    pub(crate) async fn reconcile_object(&self, kind: &str, name: &str) -> Value {
        let moment = self.ask_object(kind, name).await;
        let is_handled = |object: &Value| object["status"]["lastHandledReconcileAt"] == moment.as_str();
        self.until_object(kind, name, is_handled).await
    }

    /// Asks for a look at a contract now.
    pub(crate) async fn ask(&self, name: &str) -> String {
        self.ask_object(CONTRACT, name).await
    }

    async fn ask_object(&self, kind: &str, name: &str) -> String {
        static MOMENT: AtomicU32 = AtomicU32::new(0);
        let moment = format!("moment-{}", MOMENT.fetch_add(1, Ordering::Relaxed));
        let annotations = json!({"reconcile.fluxcd.io/requestedAt": moment});
        self.patch(kind, name, json!({"metadata": {"annotations": annotations}})).await;
        moment
    }

    /// Asks for a contract to be deleted.
    pub(crate) async fn delete(&self, name: &str) {
        self.delete_object(CONTRACT, name).await;
    }

    pub(crate) async fn delete_object(&self, kind: &str, name: &str) {
        let parameters = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        self.api(version(kind), kind).delete(name, &parameters).await.unwrap();
    }

    /// Waits until a contract was deleted for the n-th time.
    pub(crate) async fn until_gone(&self, name: &str, times: usize) {
        assert!(self.observer.until_gone(CONTRACT, name, times).await, "{name} stays\n{}", self.log());
    }

    /// Waits until an object was deleted.
    pub(crate) async fn until_object_gone(&self, kind: &str, name: &str) {
        assert!(self.observer.until_gone(kind, name, 1).await, "{name} stays\n{}", self.log());
    }

    /// A contract as the API server has it now.
    pub(crate) async fn get(&self, name: &str) -> Value {
        self.get_object(CONTRACT, name).await
    }

    pub(crate) async fn get_object(&self, kind: &str, name: &str) -> Value {
        serde_json::to_value(self.api(version(kind), kind).get(name).await.unwrap()).unwrap()
    }

    // What comes of it.

    /// Waits until a contract is as wanted.
    pub(crate) async fn until(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until_object(CONTRACT, name, wanted).await
    }

    /// Waits until the provider is as wanted.
    pub(crate) async fn until_provider(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until_object(PROVIDER, "zoo", wanted).await
    }

    /// Waits until a package is as wanted.
    pub(crate) async fn until_package(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until_object(PACKAGE, name, wanted).await
    }

    /// Waits until a package as it was last applied is ready, for a reason.
    pub(crate) async fn until_package_is(&self, name: &str, reason: &str) -> Value {
        let generation = self.get_object(PACKAGE, name).await["metadata"]["generation"].clone();
        let is_new = |package: &Value| {
            package["metadata"]["generation"].as_i64() >= generation.as_i64()
                && package["status"]["observedGeneration"] == package["metadata"]["generation"]
        };
        self.until_package(name, |package| is_new(package) && self::reason(package) == reason).await
    }

    async fn until_object(&self, kind: &str, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let seen = self.observer.until(kind, name, wanted).await;
        seen.unwrap_or_else(|last| panic!("{name} is not as wanted but {last}\n{}", tail(&self.log())))
    }

    /// Waits until a contract is in sync with its spec as it was last applied.
    pub(crate) async fn until_ready(&self, name: &str) -> Value {
        let generation = self.get(name).await["metadata"]["generation"].clone();
        let is_new = |contract: &Value| contract["metadata"]["generation"].as_i64() >= generation.as_i64();
        self.until(name, |contract| is_new(contract) && kstatus::compute(contract) == Standing::Current).await
    }

    /// Waits until a contract is stalled for a reason; its message.
    pub(crate) async fn until_stalled(&self, name: &str, reason: &str) -> String {
        let generation = self.get(name).await["metadata"]["generation"].clone();
        let contract = self
            .until(name, |contract| {
                contract["metadata"]["generation"].as_i64() >= generation.as_i64()
                    && kstatus::compute(contract) == Standing::Failed
                    && kstatus::condition(contract, "Stalled")
                        .is_some_and(|stalled| stalled["reason"] == reason)
            })
            .await;
        message(&contract)
    }

    /// Waits until a contract waits for a reason; its message.
    pub(crate) async fn until_waiting(&self, name: &str, reason: &str) -> String {
        let contract = self
            .until(name, |contract| {
                kstatus::compute(contract) == Standing::InProgress
                    && contract["metadata"]["generation"] == contract["status"]["observedGeneration"]
                    && kstatus::condition(contract, "Ready").is_some_and(|ready| ready["reason"] == reason)
            })
            .await;
        message(&contract)
    }

    /// Every version of a contract up to now.
    pub(crate) async fn versions(&self, name: &str) -> Vec<Value> {
        self.versions_of(CONTRACT, name).await
    }

    /// Every version of an object up to now.
    pub(crate) async fn versions_of(&self, kind: &str, name: &str) -> Vec<Value> {
        let newest = self.get_object(kind, name).await["metadata"]["resourceVersion"].clone();
        self.until_object(kind, name, |object| object["metadata"]["resourceVersion"] == newest).await;
        self.observer.history(kind, name)
    }

    /// Waits until an event of a contract has some text: an event comes after the status that it tells of.
    pub(crate) async fn until_event(&self, name: &str, text: &str) {
        let started = Instant::now();
        loop {
            let events = self.events(name).await;
            if events.iter().any(|event| event.text.contains(text)) {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "no event has {text:?}: {events:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Events about an object, oldest first.
    pub(crate) async fn events(&self, name: &str) -> Vec<Note> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut events = api.list(&ListParams::default()).await.unwrap().items;
        events.retain(|event| {
            event.regarding.as_ref().is_some_and(|about| about.name.as_deref() == Some(name))
        });
        events.sort_by_key(|event| event.event_time.clone().map(|time| time.0));
        let note = |event: Event| Note {
            type_: event.type_.unwrap_or_default(),
            reason: event.reason.unwrap_or_default(),
            text: event.note.unwrap_or_default(),
        };
        events.into_iter().map(note).collect()
    }

    /// All that anybody who may read the namespace's objects, events and logs could see, and the log files.
    pub(crate) async fn everything_readable(&self) -> String {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let events = events.list(&ListParams::default()).await.unwrap();
        let events = serde_json::to_string(&events.items).unwrap();
        format!("{}{events}{}", self.observer.everything(), self.log())
    }

    pub(crate) fn api(&self, version: &str, kind: &str) -> Api<DynamicObject> {
        let resource = resource(version, kind);
        if kind.starts_with("Cluster") {
            return Api::all_with(self.client.clone(), &resource);
        }
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// A folder of this world, for files.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let broken = self.observer.broken_rules();
        if !std::thread::panicking() {
            assert!(broken.is_empty(), "rules of kstatus were broken: {broken:#?}");
        }
    }
}

/// Message of the Ready condition.
pub(crate) fn message(object: &Value) -> String {
    kstatus::condition(object, "Ready")
        .and_then(|ready| ready["message"].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// Reason of the Ready condition.
pub(crate) fn reason(object: &Value) -> String {
    kstatus::condition(object, "Ready")
        .and_then(|ready| ready["reason"].as_str())
        .unwrap_or_default()
        .to_owned()
}

async fn client(kubeconfig: PathBuf) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

fn apply_params() -> PatchParams {
    PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply("git").force() }
}

fn version(kind: &str) -> &'static str {
    match kind {
        CONTRACT | PROVIDER | PACKAGE | "ClusterBillingProvider" => "billing.countersign.dev/v1alpha1",
        "Lease" => "coordination.k8s.io/v1",
        _ => "v1",
    }
}

fn resource(version: &str, kind: &str) -> ApiResource {
    let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
    ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, version, kind))
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
