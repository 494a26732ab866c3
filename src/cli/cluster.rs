//! A cluster as the user's own kubeconfig reaches it, and the resources in it.

use std::{fmt::Debug, path::PathBuf};

use clap::Args;
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
    core::NamespaceResourceScope,
};
use serde::de::DeserializeOwned;

use super::Failure;
use crate::{
    api::BillingContract,
    controller::Guarded,
    overview::{Resources, Unreadable, place},
};

/// How many objects are asked for at once.
const PAGE: u32 = 500;

/// Which cluster, as kubectl would reach it.
#[derive(Clone, Debug, Args)]
pub struct Target {
    /// Context of the kubeconfig; the current one when left out.
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
    /// The kubeconfig; `$KUBECONFIG` or `~/.kube/config` when left out.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Namespace; the context's when left out.
    #[arg(long, short)]
    namespace: Option<String>,
    /// User in whose name to ask, as kubectl's `--as`; it takes the right to impersonate.
    #[arg(long = "as", value_name = "USER")]
    as_user: Option<String>,
    /// Group of that user; may be given several times.
    #[arg(long, value_name = "GROUP", requires = "as_user")]
    as_group: Vec<String>,
}

impl Target {
    /// The target that somebody named by these.
    #[must_use]
    pub fn of(context: Option<String>, kubeconfig: Option<String>, namespace: Option<String>) -> Self {
        let kubeconfig = kubeconfig.map(PathBuf::from);
        Self { context, kubeconfig, namespace, as_user: None, as_group: Vec::new() }
    }

    /// Whether any of it was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.names_a_cluster() || self.namespace.is_some()
    }

    /// Whether a cluster was named.
    #[must_use]
    pub fn names_a_cluster(&self) -> bool {
        self.context.is_some() || self.kubeconfig.is_some()
    }

    /// The namespace that was given.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Prepares a client; nothing is asked of the cluster yet.
    ///
    /// # Errors
    /// When there is no kubeconfig, or it has no such context.
    pub async fn connect(&self) -> Result<Cluster, Failure> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let unusable = |error: &dyn std::fmt::Display| {
            format!("no cluster to talk to: {error}. Point KUBECONFIG at one, or name a context by --context")
        };
        let read = match &self.kubeconfig {
            Some(file) => Kubeconfig::read_from(file),
            None => Kubeconfig::read(),
        };
        let is_proxied =
            read.as_ref().is_ok_and(|kubeconfig| names_a_proxy(kubeconfig, self.context.as_ref()));
        let mut config = match read {
            Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .map_err(|error| unusable(&error))?,
            Err(error) if self.names_a_cluster() => {
                return Err(unusable(&error).into());
            }
            // Inside of a cluster there is none.
            Err(_) => Config::infer().await.map_err(|error| unusable(&error))?,
        };
        if !is_proxied {
            // `HTTPS_PROXY` is for billing APIs: the API server is reached directly, as by the operator.
            config.proxy_url = None;
        }
        if let Some(user) = &self.as_user {
            config.auth_info.impersonate = Some(user.clone());
            config.auth_info.impersonate_groups = Some(self.as_group.clone());
        }
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| unusable(&error))?;
        Ok(Cluster { client, namespace })
    }
}

/// Whether a kubeconfig itself says that the API server of a context is behind a proxy.
#[must_use]
pub(super) fn names_a_proxy(kubeconfig: &Kubeconfig, context: Option<&String>) -> bool {
    let wanted = context.or(kubeconfig.current_context.as_ref());
    let context = kubeconfig.contexts.iter().find(|named| Some(&named.name) == wanted);
    let cluster = context.and_then(|named| Some(named.context.as_ref()?.cluster.as_str()));
    let named = kubeconfig.clusters.iter().find(|named| Some(named.name.as_str()) == cluster);
    named.and_then(|named| named.cluster.as_ref()?.proxy_url.as_ref()).is_some_and(|proxy| !proxy.is_empty())
}

/// A cluster that can be asked.
#[derive(Clone)]
pub struct Cluster {
    /// The client.
    pub client: Client,
    /// The namespace that is meant where one has to be.
    pub namespace: String,
}

impl Cluster {
    /// An API of a kind in the namespace, or in all of them.
    fn api<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self, everywhere: bool) -> Api<K> {
        if everywhere {
            Api::all(self.client.clone())
        } else {
            Api::namespaced(self.client.clone(), &self.namespace)
        }
    }

    /// Reads everything of ours in the namespace, or in all of them, with the providers of the cluster.
    ///
    /// # Errors
    /// When the cluster does not answer, has no such kinds, or does not show the contracts.
    pub async fn resources(&self, everywhere: bool) -> Result<Resources, Failure> {
        let mut resources = Resources::default();
        let contracts = list(self.api::<Guarded<BillingContract>>(everywhere)).await;
        let contracts = contracts.map_err(|error| self.explain("BillingContracts", everywhere, &error))?;
        resources.contracts = read(contracts, &mut resources.unreadable);
        let packages = list(self.api(everywhere)).await;
        resources.packages = self.or_unseen(packages, "ContractPackages", &mut resources, everywhere)?;
        let providers = list(self.api(everywhere)).await;
        resources.providers = self.or_unseen(providers, "BillingProviders", &mut resources, everywhere)?;
        let shared = list(Api::all(self.client.clone())).await;
        resources.cluster_providers =
            self.or_unseen(shared, "ClusterBillingProviders", &mut resources, true)?;
        let approvals = list(self.api(everywhere)).await;
        resources.approvals = self.or_unseen(approvals, "ContractApprovals", &mut resources, everywhere)?;
        Ok(resources)
    }

    /// What whoever works in the namespace sees, or in all of them.
    ///
    /// # Errors
    /// Those of [`Self::resources`].
    pub async fn shown(&self, everywhere: bool) -> Result<Resources, Failure> {
        let all = self.resources(everywhere).await?;
        Ok(if everywhere { all } else { all.of_namespace(&self.namespace) })
    }

    /// What was listed; what may not be listed is only told.
    fn or_unseen<K: Resource<DynamicType = ()>>(
        &self,
        listed: Result<Vec<Guarded<K>>, kube::Error>,
        kinds: &str,
        resources: &mut Resources,
        everywhere: bool,
    ) -> Result<Vec<K>, Failure> {
        match listed {
            Ok(found) => Ok(read(found, &mut resources.unreadable)),
            Err(kube::Error::Api(status)) if status.code == 403 => {
                resources.unseen.push(format!("{kinds}: you may not list them"));
                Ok(Vec::new())
            }
            Err(error) => Err(self.explain(kinds, everywhere, &error)),
        }
    }

    /// Why something could not be read, and what to do.
    fn explain(&self, kinds: &str, everywhere: bool, error: &kube::Error) -> Failure {
        let place =
            if everywhere { "any namespace".to_owned() } else { format!("namespace {}", self.namespace) };
        explain(&format!("list {kinds} in {place}"), error)
    }
}

/// Why the cluster did not do something, and what to do.
#[must_use]
pub fn explain(what: &str, error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.code == 404 && status.details.as_ref().is_none_or(|of| of.name.is_empty()) => {
            format!("cannot {what}: the cluster has no such kind. Install the CRDs: countersign crds | kubectl apply --server-side -f -")
        }
        kube::Error::Api(status) if status.code == 401 => {
            format!("cannot {what}: the cluster does not know who you are ({}); log in again", status.message)
        }
        kube::Error::Api(status) => format!("cannot {what}: {}", status.message),
        error => {
            // The cause is what tells: that the connection was refused, that a certificate is not trusted.
            let mut text = format!("cannot {what}: {error}");
            let mut cause = std::error::Error::source(error);
            while let Some(inner) = cause {
                let inner_text = inner.to_string();
                if !text.contains(&inner_text) {
                    text = format!("{text}: {inner_text}");
                }
                cause = inner.source();
            }
            text
        }
    }
    .into()
}

/// Everything of a kind, page by page.
async fn list<K>(api: Api<Guarded<K>>) -> Result<Vec<Guarded<K>>, kube::Error>
where
    K: Clone + DeserializeOwned + Debug + Resource<DynamicType = ()>,
{
    let (mut all, mut parameters) = (Vec::new(), ListParams::default().limit(PAGE));
    loop {
        let page = api.list(&parameters).await?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(all),
        }
    }
}

/// Those that this version can read; the others are told.
fn read<K: Resource<DynamicType = ()>>(found: Vec<Guarded<K>>, unreadable: &mut Vec<Unreadable>) -> Vec<K> {
    let mut all = Vec::with_capacity(found.len());
    for object in found {
        let (namespace, name) = (object.meta().namespace.clone(), object.name_any());
        match object.into_decoded() {
            Ok(object) => all.push(object),
            Err(why) => unreadable.push(Unreadable { kind: K::kind(&()).into_owned(), namespace, name, why }),
        }
    }
    all
}

/// `namespace/name` of an object.
#[must_use]
pub fn name_of(object: &impl ResourceExt) -> String {
    place(object.namespace().as_deref(), &object.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(proxy: &str) -> Kubeconfig {
        Kubeconfig::from_yaml(&format!(
            "{{current-context: a, contexts: [{{name: a, context: {{cluster: one, user: u}}}}, {{name: b, context: {{cluster: two, \
             user: u}}}}], clusters: [{{name: one, cluster: {{server: 'https://a'}}}}, {{name: two, cluster: {{server: 'https://b'{proxy}}}}}]}}"
        ))
        .unwrap()
    }

    #[test]
    fn a_proxy_counts_only_where_the_context_names_it() {
        let proxied = kubeconfig(", proxy-url: 'http://proxy'");
        assert!(names_a_proxy(&proxied, Some(&"b".to_owned())));
        assert!(!names_a_proxy(&proxied, None));
        assert!(!names_a_proxy(&kubeconfig(""), Some(&"b".to_owned())));
    }
}
