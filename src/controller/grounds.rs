//! What a reconcile rests on besides its own resource, asked of the API server itself before the first write: of what is applied
//! together, watches may tell of the contract before its provider.

use kube::{Api, ResourceExt};

use super::{
    Context, Error, bounded,
    kubernetes::journal::Page,
    provider::registry::{ProviderKey, SpecVersion},
};
use crate::{
    api::{BillingProvider, ClusterBillingProvider, ContractPackage, contract::ProviderKind},
    billing::{CallError, Cluster},
    plan::Announced,
};

/// What one reconcile began with.
pub struct Grounds<'a> {
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

impl Grounds<'_> {
    async fn are_so(&self) -> Result<bool, Error> {
        let (provider, package) = futures::try_join!(self.provider_now(), self.package_now())?;
        Ok(provider == self.provider && package == self.package.map(SpecVersion::of))
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

    async fn package_now(&self) -> Result<Option<SpecVersion>, Error> {
        let Some(package) = self.package else { return Ok(None) };
        let namespace = package.namespace().unwrap_or_default();
        let api = Api::<ContractPackage>::namespaced(self.context.client.clone(), &namespace);
        let found = bounded(api.get_metadata_opt(&package.name_any())).await?;
        Ok(found.as_ref().map(SpecVersion::of))
    }
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
