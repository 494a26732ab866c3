//! A cluster as the operator sees it: its resources with what they have on record, its providers and their tokens. Everything
//! here is read; the rights that it takes are to get and list our kinds, and to get the Secrets of the providers in use.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    path::PathBuf,
    sync::Arc,
};

use clap::Args;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    super::{Failure, account, files::Source},
    accounts::{Account, Found},
    pairs::Key,
};
use crate::{
    api::{
        ALLOWED_HOSTS, BillingContract, BillingProvider, ClusterBillingProvider, ContractPackage,
        contract::{ProviderKind, ProviderRef},
        provider::BillingProviderSpec,
    },
    billing::http::base_url,
    controller::{Guarded, provider::token},
    plan::{Holder, Holders, Refusal},
    protocol::{
        claims::{self, Subject},
        destination::{AllowedHosts, Destination},
    },
};

/// How many resources are asked for at once.
const PAGE: u32 = 500;

/// Which cluster, as kubectl would reach it.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// Plans as the operator in a cluster would: with the providers, tokens and records that are there. Name of a context of
    /// the kubeconfig.
    #[arg(long, value_name = "CONTEXT")]
    pub(super) context: Option<String>,
    /// The kubeconfig; `$KUBECONFIG` or `~/.kube/config` when left out.
    #[arg(long, value_name = "FILE", requires = "context")]
    kubeconfig: Option<PathBuf>,
    /// The operator's own namespace, of the Secrets of cluster providers.
    #[arg(long, value_name = "NAMESPACE", default_value = "countersign-system", requires = "context")]
    own_namespace: String,
    /// Hosts that the operator may send tokens to besides the public ones, as its own `--allowed-hosts`.
    #[arg(long, value_name = "HOSTS", value_delimiter = ',', requires = "context")]
    allowed_hosts: Vec<AllowedHosts>,
}

/// Names one provider: its kind, its namespace unless it is the cluster's, its name.
type ProviderKey = (bool, Option<String>, String);

/// What a cluster has.
pub(super) struct Cluster {
    contracts: BTreeMap<(Option<String>, String), BillingContract>,
    packages: BTreeMap<(Option<String>, String), ContractPackage>,
    providers: Vec<BillingProvider>,
    cluster_providers: Vec<ClusterBillingProvider>,
    accounts: BTreeMap<ProviderKey, Result<Account, String>>,
    /// Who is found by what in which account.
    marks: Arc<BTreeMap<(String, Subject), BTreeSet<(Option<String>, String)>>>,
    /// The only namespace that can be seen, if not all can.
    scope: Option<String>,
}

impl Target {
    /// Prepares a client, and tells the namespace of the context.
    ///
    /// # Errors
    /// When there is no kubeconfig, or no such context in it.
    pub(super) async fn connect(&self) -> Result<(Client, String), Failure> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let read = match &self.kubeconfig {
            Some(file) => Kubeconfig::read_from(file),
            None => Kubeconfig::read(),
        };
        let cannot = |error: &dyn std::fmt::Display| format!("no cluster to talk to: {error}");
        let read = read.map_err(|error| cannot(&error))?;
        let mut config =
            Config::from_custom_kubeconfig(read, &options).await.map_err(|error| cannot(&error))?;
        config.default_retry = false;
        let namespace = config.default_namespace.clone();
        Ok((Client::try_from(config).map_err(|error| cannot(&error))?, namespace))
    }

    /// Reads what a cluster has; `namespace` is the one to look at where not all can be seen.
    ///
    /// # Errors
    /// When the cluster does not answer, or does not show its contracts.
    pub(super) async fn load(&self, client: &Client, namespace: &str) -> Result<Cluster, Failure> {
        let (contracts, scope) = near::<BillingContract>(client, namespace).await?;
        let (packages, _) = near::<ContractPackage>(client, namespace).await?;
        let (providers, _) = near::<BillingProvider>(client, namespace).await?;
        let cluster_providers =
            list::<ClusterBillingProvider>(Api::all(client.clone())).await.or_else(|error| match error {
                kube::Error::Api(status) if status.is_forbidden() => Ok(Vec::new()),
                error => Err(explain::<ClusterBillingProvider>(&error)),
            })?;
        let by_name = |contract: BillingContract| ((contract.namespace(), contract.name_any()), contract);
        let mut cluster = Cluster {
            contracts: contracts.into_iter().map(by_name).collect(),
            packages: packages
                .into_iter()
                .map(|package| ((package.namespace(), package.name_any()), package))
                .collect(),
            providers,
            cluster_providers,
            accounts: BTreeMap::new(),
            marks: Arc::default(),
            scope,
        };
        cluster.marks = Arc::new(cluster.marked());
        Ok(cluster)
    }

    /// Makes the accounts ready that resources refer to.
    pub(super) async fn connect_accounts<'r>(
        &self,
        cluster: &mut Cluster,
        client: &Client,
        references: impl Iterator<Item = (&'r ProviderRef, Option<&'r str>)>,
    ) {
        for (reference, namespace) in references {
            let key = provider_key(reference, namespace);
            if cluster.accounts.contains_key(&key) {
                continue;
            }
            let Some(spec) = cluster.provider(reference, namespace) else { continue };
            let place = key.1.as_deref().unwrap_or(&self.own_namespace);
            let account = self.account(client, spec, place).await;
            cluster.accounts.insert(key, account);
        }
    }

    /// The account of a provider, with the token of its Secret in a namespace, to read only.
    async fn account(
        &self,
        client: &Client,
        spec: &BillingProviderSpec,
        place: &str,
    ) -> Result<Account, String> {
        let name = &spec.token_secret_ref.name;
        let secret = Api::<Secret>::namespaced(client.clone(), place).get(name).await;
        let secret = secret.map_err(|error| format!("Secret {place}/{name} cannot be read: {error}"))?;
        let token = token(&secret, name, &spec.token_secret_ref.key)?;
        let address = spec.base_url().ok_or("exactly one billing API must be set in the spec")?;
        let parsed = base_url(address).map_err(|error| error.to_string())?;
        if let Some(api) = spec.api() {
            // The same question as the operator's: whoever may write a provider must not learn a token by it.
            Destination {
                api,
                address: &parsed,
                secret: &format!("{place}/{name}"),
                said_by_secret: secret.annotations().get(ALLOWED_HOSTS).map(String::as_str),
                said_by_administrator: &self.allowed_hosts.iter().cloned().collect(),
            }
            .check()?;
        }
        let client = account::client(spec, token).map_err(|error| error.to_string())?;
        Ok(Account { client, name: claims::account(address) })
    }
}

impl Cluster {
    /// The account that a resource of a namespace refers to.
    pub(super) fn account(&self, reference: &ProviderRef, namespace: Option<&str>) -> Found<'_> {
        let what = format!("{:?} {}", reference.kind, reference.name);
        if let Some(refused) = self.not_allowed(reference, namespace) {
            return Found::NotReady(refused);
        }
        match self.accounts.get(&provider_key(reference, namespace)) {
            Some(Ok(account)) => Found::Ready(account),
            Some(Err(why)) => Found::NotReady(format!("{what} is not ready: {why}")),
            None => Found::Missing(format!("{what} does not exist; create it or correct `spec.providerRef`")),
        }
    }

    fn not_allowed(&self, reference: &ProviderRef, namespace: Option<&str>) -> Option<String> {
        if reference.kind != ProviderKind::ClusterBillingProvider {
            return None;
        }
        let provider = self.cluster_providers.iter().find(|found| found.name_any() == reference.name)?;
        let namespace = namespace.unwrap_or_default();
        let is_allowed = provider.spec.allowed_namespaces.iter().any(|allowed| allowed == namespace);
        (!is_allowed).then(|| {
            format!(
                "ClusterBillingProvider {} does not name namespace {namespace}; add it to its `spec.allowedNamespaces`",
                reference.name
            )
        })
    }

    fn provider(&self, reference: &ProviderRef, namespace: Option<&str>) -> Option<&BillingProviderSpec> {
        match reference.kind {
            ProviderKind::BillingProvider => self
                .providers
                .iter()
                .find(|found| {
                    found.name_any() == reference.name && found.metadata.namespace.as_deref() == namespace
                })
                .map(|found| &found.spec),
            ProviderKind::ClusterBillingProvider => self
                .cluster_providers
                .iter()
                .find(|found| found.name_any() == reference.name)
                .map(|found| &found.spec.account),
        }
    }

    /// A contract's resource.
    pub(super) fn contract(&self, (namespace, name): Key<'_>) -> Option<&BillingContract> {
        self.contracts.get(&(namespace.map(str::to_owned), name.to_owned()))
    }

    /// A package's resource.
    pub(super) fn package(&self, (namespace, name): Key<'_>) -> Option<&ContractPackage> {
        self.packages.get(&(namespace.map(str::to_owned), name.to_owned()))
    }

    /// A contract's account: where its provider says, or else as it has on record.
    fn account_of(&self, contract: &BillingContract) -> Option<String> {
        let spec = self.provider(&contract.spec.provider_ref, contract.metadata.namespace.as_deref());
        let said = spec.and_then(|spec| spec.base_url()).map(claims::account);
        said.or_else(|| contract.status.as_ref()?.account.clone())
    }

    fn marked(&self) -> BTreeMap<(String, Subject), BTreeSet<(Option<String>, String)>> {
        let mut marks: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (key, contract) in &self.contracts {
            let Some(account) = self.account_of(contract) else { continue };
            for mark in claims::marks(contract) {
                marks.entry((account.clone(), mark)).or_default().insert(key.clone());
            }
        }
        marks
    }

    /// Why another resource holds what this one claims.
    pub(super) fn claimed(&self, contract: &BillingContract, account: &str) -> Option<Refusal> {
        let own = (contract.namespace(), contract.name_any());
        let of = |subject| self.marks.get(&(account.to_owned(), subject)).into_iter().flatten();
        let rivals: BTreeSet<_> =
            claims::subjects(contract).into_iter().flat_map(of).filter(|key| **key != own).collect();
        let rivals = rivals.into_iter().filter_map(|key| self.contracts.get(key));
        claims::holder(contract, rivals).map(|(holder, subject)| claims::refusal(holder, &subject))
    }

    /// Finds who holds a contract among the other resources.
    pub(super) fn holders(&self, contract: &BillingContract, account: &str) -> Holders {
        let own = (contract.namespace(), contract.name_any());
        let (marks, account, scope) = (Arc::clone(&self.marks), account.to_owned(), self.scope.clone());
        Holders::new(move |sought| {
            if scope.as_ref().is_some_and(|scope| scope != sought.place.0) {
                return Holder::OutOfSight;
            }
            let of = |subject| marks.get(&(account.clone(), subject)).into_iter().flatten();
            let mut found = claims::marks_of(&sought).into_iter().flat_map(of).filter(|key| **key != own);
            found.next().map_or(Holder::Nobody, |(namespace, name)| {
                Holder::Resource(format!("{}/{name}", namespace.as_deref().unwrap_or_default()))
            })
        })
    }

    /// What the cluster has of some namespaces, as files would say it.
    pub(super) fn files(&self, namespaces: &BTreeSet<String>) -> Vec<Source> {
        let is_near = |of: Option<&str>| of.is_some_and(|of| namespaces.contains(of));
        let contracts = self.contracts.values().filter(|found| is_near(found.metadata.namespace.as_deref()));
        let packages = self.packages.values().filter(|found| is_near(found.metadata.namespace.as_deref()));
        let providers = self.providers.iter().filter(|found| is_near(found.metadata.namespace.as_deref()));
        let mut sources: Vec<Source> = contracts.filter_map(|found| source(found, &found.spec)).collect();
        sources.extend(packages.filter_map(|found| source(found, &found.spec)));
        sources.extend(providers.filter_map(|found| source(found, &found.spec)));
        sources.extend(self.cluster_providers.iter().filter_map(|found| source(found, &found.spec)));
        sources
    }
}

/// A resource of the cluster as somebody would have written it.
fn source<K: Resource<DynamicType = ()>>(resource: &K, spec: &impl Serialize) -> Option<Source> {
    let (kind, name) = (K::kind(&()), resource.name_any());
    let mut metadata = json!({"name": name});
    if let (Some(namespace), Some(members)) = (resource.namespace(), metadata.as_object_mut()) {
        members.insert("namespace".to_owned(), namespace.into());
    }
    let value = json!({"apiVersion": K::api_version(&()), "kind": kind, "metadata": metadata, "spec": spec});
    Some(Source {
        name: format!("the cluster's {kind} {name}.json"),
        text: serde_json::to_string(&value).ok()?,
    })
}

fn provider_key(reference: &ProviderRef, namespace: Option<&str>) -> ProviderKey {
    let is_cluster = reference.kind == ProviderKind::ClusterBillingProvider;
    (is_cluster, namespace.filter(|_| !is_cluster).map(str::to_owned), reference.name.clone())
}

/// Everything of a kind in every namespace, or in one where not all can be seen, which is then told.
async fn near<K>(client: &Client, namespace: &str) -> Result<(Vec<K>, Option<String>), Failure>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug,
{
    match list::<K>(Api::all(client.clone())).await {
        Ok(all) => Ok((all, None)),
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            let found = list::<K>(Api::namespaced(client.clone(), namespace)).await;
            Ok((found.map_err(|error| explain::<K>(&error))?, Some(namespace.to_owned())))
        }
        Err(error) => Err(explain::<K>(&error)),
    }
}

/// Everything of a kind that this version can read, page by page.
async fn list<K>(api: Api<Guarded<K>>) -> Result<Vec<K>, kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let (mut all, mut parameters) = (Vec::new(), ListParams::default().limit(PAGE));
    loop {
        let page = api.list(&parameters).await?;
        all.extend(page.items.into_iter().filter_map(|found| found.readable().cloned()));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(all),
        }
    }
}

fn explain<K: Resource<DynamicType = ()>>(error: &kube::Error) -> Failure {
    format!("the cluster does not show its {}: {error}", K::plural(&())).into()
}
