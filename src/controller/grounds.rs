//! What a reconcile rests on, asked of the API server itself before the first write: a watch may have been silent for minutes,
//! and of what is applied together it may tell of the contract before its provider.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt, core::PartialObjectMeta};
use serde::de::DeserializeOwned;

use super::{
    Context, Error, bounded,
    kubernetes::journal::Page,
    provider::registry::{ProviderKey, SpecVersion},
};
use crate::{
    api::{
        BillingContract, BillingProvider, ClusterBillingProvider, ContractPackage, contract::ProviderKind,
    },
    billing::{CallError, Cluster},
    plan::Announced,
};

/// What one reconcile began with.
pub struct Grounds<'a> {
    /// The resource that it is of.
    pub own: Own<'a>,
    /// Its provider.
    pub key: &'a ProviderKey,
    /// The spec that the provider had; nothing where there was none.
    pub provider: Option<SpecVersion>,
    /// The package that gives terms to it.
    pub package: Option<&'a ContractPackage>,
    /// Where its writes are announced. Of packages nothing is: each is found by its key, and nothing of it can be taken out
    /// again.
    pub page: Option<Page<'a>>,
    /// What reconciles share.
    pub context: &'a Context,
}

/// A resource as its reconcile has read it.
pub enum Own<'a> {
    /// Of a contract.
    Contract(&'a BillingContract),
    /// Of a package.
    Package(&'a ContractPackage),
}

impl Grounds<'_> {
    async fn are_so(&self) -> Result<bool, Error> {
        let (own, provider, package) =
            futures::try_join!(self.own_is_as_read(), self.provider_now(), self.package_now())?;
        Ok(own && provider == self.provider && package == self.package.map(SpecVersion::of))
    }

    /// Whether nobody has changed the resource since: what it says, or what its status remembers.
    async fn own_is_as_read(&self) -> Result<bool, Error> {
        Ok(match self.own {
            Own::Contract(contract) => self.now(contract).await?.is_some_and(|now| is_same(&now, contract)),
            Own::Package(package) => self.now(package).await?.is_some_and(|now| is_same(&now, package)),
        })
    }

    async fn package_now(&self) -> Result<Option<SpecVersion>, Error> {
        let Some(package) = self.package else { return Ok(None) };
        Ok(self.now(package).await?.as_ref().map(SpecVersion::of))
    }

    /// What the API server has of an object now.
    async fn now<K>(&self, object: &K) -> Result<Option<PartialObjectMeta<K>>, Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let namespace = object.namespace().unwrap_or_default();
        let api = Api::<K>::namespaced(self.context.client.clone(), &namespace);
        bounded(api.get_metadata_opt(&object.name_any())).await
    }

    async fn provider_now(&self) -> Result<Option<SpecVersion>, Error> {
        let (client, name) = (self.context.client.clone(), &self.key.name);
        let found = match self.key.kind {
            ProviderKind::BillingProvider => {
                let namespace = self.key.namespace.as_deref().unwrap_or_default();
                let api = Api::<BillingProvider>::namespaced(client, namespace);
                bounded(api.get_metadata_opt(name)).await?.as_ref().map(SpecVersion::of)
            }
            ProviderKind::ClusterBillingProvider => {
                let api = Api::<ClusterBillingProvider>::all(client);
                bounded(api.get_metadata_opt(name)).await?.as_ref().map(SpecVersion::of)
            }
        };
        Ok(found)
    }
}

fn is_same(now: &impl ResourceExt, read: &impl ResourceExt) -> bool {
    now.uid() == read.uid() && now.resource_version() == read.resource_version()
}

impl Cluster for Grounds<'_> {
    async fn confirm(&self) -> bool {
        Box::pin(self.are_so()).await.unwrap_or_else(|error| {
            tracing::warn!(provider = %self.key, %error, "nothing is written, since what it rests on cannot be read anew");
            false
        })
    }

    async fn announce(&self, announced: Announced) -> Result<(), CallError> {
        match &self.page {
            Some(page) => page.announce(announced).await,
            None => Ok(()),
        }
    }

    fn withdraw(&self) {
        self.page.iter().for_each(Page::withdraw);
    }
}
