//! A cluster as the operator sees it: its resources with what they have on record, its providers and their tokens. Everything
//! here is read; the rights that it takes are to get and list our kinds, and to get the Secrets of the providers in use.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use clap::Args;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde_json::json;

use super::{
    super::{Failure, account, cluster, files::Source, out},
    lookup::{Account, Found},
    others::Listed,
    pairs::Key,
};
use crate::{
    api::{
        ALLOWED_HOSTS, BillingContract, BillingProvider, ClusterBillingProvider, ContractApproval,
        ContractPackage,
        contract::{ProviderKind, ProviderRef},
        provider::BillingProviderSpec,
    },
    billing::endpoint::base_url,
    controller::provider::token,
    overview::place,
    plan::{Demands, Holders, Refusal, Sayings},
    protocol::{
        claims,
        destination::{AllowedHosts, Destination},
    },
};

/// How the operator of a cluster runs, as far as it bears on what it would do.
#[derive(Debug, Args)]
pub(in crate::cli) struct Settings {
    /// The operator's own namespace, of the Secrets of cluster providers.
    #[arg(long, value_name = "NAMESPACE", default_value = "countersign-system")]
    own_namespace: String,
    /// Hosts that the operator may send tokens to besides the public ones, as its own `--allowed-hosts`.
    #[arg(long, value_name = "HOSTS", value_delimiter = ',')]
    allowed_hosts: Vec<AllowedHosts>,
}

/// Names one provider: its kind, its namespace unless it is the cluster's, its name.
type ProviderKey = (bool, Option<String>, String);

/// What a cluster has.
pub(in crate::cli) struct Cluster {
    contracts: Arc<Listed>,
    packages: BTreeMap<(Option<String>, String), ContractPackage>,
    providers: Vec<BillingProvider>,
    shared_providers: Vec<ClusterBillingProvider>,
    approvals: Vec<ContractApproval>,
    accounts: BTreeMap<ProviderKey, Result<Account, String>>,
}

impl Settings {
    /// Makes the accounts ready that resources refer to.
    pub(in crate::cli) async fn connect_accounts<'r>(
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
        Ok(Account { client, name: claims::account(address), demands: Demands::of(spec) })
    }
}

impl Cluster {
    /// Reads what a cluster has: everything, or what its namespace has where not all can be seen.
    ///
    /// # Errors
    /// When the cluster does not answer, or does not show its contracts.
    pub(in crate::cli) async fn load(target: &cluster::Cluster) -> Result<Self, Failure> {
        let (found, scope) = match target.resources(true).await {
            Ok(found) => (found, None),
            Err(_) => (target.resources(false).await?, Some(target.namespace.clone())),
        };
        let unreadable = found.unreadable.iter().map(|found| {
            let name = place(found.namespace.as_deref(), &found.name);
            format!("{} {name} cannot be read and is left out: {}", found.kind, found.why)
        });
        for unseen in found.unseen.iter().cloned().chain(unreadable) {
            out::say(&format!("countersign: {unseen}"));
        }
        let key =
            |metadata: &ObjectMeta| (metadata.namespace.clone(), metadata.name.clone().unwrap_or_default());
        let mut cluster = Self {
            contracts: Arc::default(),
            packages: found.packages.into_iter().map(|found| (key(&found.metadata), found)).collect(),
            providers: found.providers,
            shared_providers: found.cluster_providers,
            approvals: found.approvals,
            accounts: BTreeMap::new(),
        };
        let contracts = found.contracts.into_iter().map(|contract| {
            let account = cluster.account_of(&contract);
            (contract, account)
        });
        cluster.contracts = Arc::new(Listed::new(contracts, scope));
        Ok(cluster)
    }

    /// The account that a resource of a namespace refers to.
    pub(in crate::cli) fn account(&self, reference: &ProviderRef, namespace: Option<&str>) -> Found<'_> {
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
        let provider = self.shared_providers.iter().find(|found| found.name_any() == reference.name)?;
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
                .shared_providers
                .iter()
                .find(|found| found.name_any() == reference.name)
                .map(|found| &found.spec.account),
        }
    }

    /// A contract's resource.
    pub(in crate::cli) fn contract(&self, (namespace, name): Key<'_>) -> Option<&BillingContract> {
        self.contracts.get(&(namespace.map(str::to_owned), name.to_owned()))
    }

    /// A package's resource.
    pub(in crate::cli) fn package(&self, (namespace, name): Key<'_>) -> Option<&ContractPackage> {
        self.packages.get(&(namespace.map(str::to_owned), name.to_owned()))
    }

    /// A contract's account: where its provider says, or else as it has on record.
    fn account_of(&self, contract: &BillingContract) -> Option<String> {
        let spec = self.provider(&contract.spec.provider_ref, contract.metadata.namespace.as_deref());
        let said = spec.and_then(|spec| spec.base_url()).map(claims::account);
        said.or_else(|| contract.status.as_ref()?.account.clone())
    }

    /// Why another resource holds what this one claims.
    pub(in crate::cli) fn claimed(&self, contract: &BillingContract, account: &str) -> Option<Refusal> {
        self.contracts.claimed(contract, account)
    }

    /// What people say of a contract's plans.
    pub(in crate::cli) fn sayings(&self, contract: &BillingContract) -> Sayings {
        let names = |approval: &&ContractApproval| {
            approval.metadata.namespace == contract.metadata.namespace
                && contract.metadata.name.as_ref() == Some(&approval.spec.contract_ref.name)
        };
        Sayings::of(self.approvals.iter().filter(names))
    }

    /// The other contracts, as this one sees them.
    pub(in crate::cli) fn holders(&self, contract: &BillingContract, account: &str) -> Holders {
        self.contracts.around(contract, account)
    }

    /// What the cluster has of some namespaces, as files would say it.
    pub(in crate::cli) fn files(&self, namespaces: &BTreeSet<String>) -> Vec<Source> {
        let is_near = |of: Option<&str>| of.is_some_and(|of| namespaces.contains(of));
        let contracts =
            self.contracts.contracts().filter(|found| is_near(found.metadata.namespace.as_deref()));
        let packages = self.packages.values().filter(|found| is_near(found.metadata.namespace.as_deref()));
        let providers = self.providers.iter().filter(|found| is_near(found.metadata.namespace.as_deref()));
        let mut sources: Vec<Source> = contracts.filter_map(|found| source(found, &found.spec)).collect();
        sources.extend(packages.filter_map(|found| source(found, &found.spec)));
        sources.extend(providers.filter_map(|found| source(found, &found.spec)));
        sources.extend(self.shared_providers.iter().filter_map(|found| source(found, &found.spec)));
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
        unread: None,
    })
}

fn provider_key(reference: &ProviderRef, namespace: Option<&str>) -> ProviderKey {
    let is_cluster = reference.kind == ProviderKind::ClusterBillingProvider;
    (is_cluster, namespace.filter(|_| !is_cluster).map(str::to_owned), reference.name.clone())
}
