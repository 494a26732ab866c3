//! Which account a contract means, and which others mean a contract of the same.

use std::sync::Arc;

use kube::{ResourceExt, runtime::reflector::ObjectRef};

use super::claims::ClaimIndex;
use crate::{
    api::{BillingContract, contract::ProviderKind},
    controller::{
        Guarded,
        context::Stores,
        decoded,
        provider::registry::{ProviderKey, SpecVersion},
    },
    plan::Refusal,
    protocol::claims,
};

pub(super) fn provider_key(contract: &BillingContract) -> ProviderKey {
    ProviderKey::of(&contract.spec.provider_ref, contract.namespace())
}

/// A contract's account: where its provider says, whether or not that can be reached, or else as it has on record.
pub(super) fn account(contract: &BillingContract, stores: &Stores) -> Option<String> {
    let said = account_of(&provider_key(contract), stores);
    said.or_else(|| contract.status.as_ref()?.account.clone())
}

/// The account that a provider means now; nothing where there is no such provider.
#[must_use]
pub fn account_of(key: &ProviderKey, stores: &Stores) -> Option<String> {
    base_url(key, stores).map(|url| claims::account(&url))
}

fn base_url(key: &ProviderKey, stores: &Stores) -> Option<String> {
    match key.kind {
        ProviderKind::BillingProvider => {
            let reference = ObjectRef::new(&key.name).within(key.namespace.as_deref().unwrap_or_default());
            let provider = stores.providers.get(&reference)?;
            decoded(&provider).ok()?.spec.base_url().map(str::to_owned)
        }
        ProviderKind::ClusterBillingProvider => {
            let provider = stores.cluster_providers.get(&ObjectRef::new(&key.name))?;
            decoded(&provider).ok()?.spec.account.base_url().map(str::to_owned)
        }
    }
}

/// The spec that a provider has now; nothing where there is no such provider.
#[must_use]
pub fn spec_version(key: &ProviderKey, stores: &Stores) -> Option<SpecVersion> {
    match key.kind {
        ProviderKind::BillingProvider => {
            let reference = ObjectRef::new(&key.name).within(key.namespace.as_deref().unwrap_or_default());
            stores.providers.get(&reference).map(|found| SpecVersion::of(found.as_ref()))
        }
        ProviderKind::ClusterBillingProvider => {
            let found = stores.cluster_providers.get(&ObjectRef::new(&key.name))?;
            Some(SpecVersion::of(found.as_ref()))
        }
    }
}

/// Why another resource holds what this one claims.
pub(super) fn claimed(
    contract: &BillingContract,
    account: &str,
    index: &ClaimIndex,
    stores: &Stores,
) -> Option<Refusal> {
    let rivals = rivals(contract, account, index, stores);
    let holder = claims::holder(contract, rivals.iter().filter_map(|rival| rival.readable()));
    holder.map(|(holder, subject)| claims::refusal(holder, &subject))
}

/// Name of another resource that claims what this one, which is deleted, has or claims.
pub(super) fn heir(
    contract: &BillingContract,
    account: &str,
    index: &ClaimIndex,
    stores: &Stores,
) -> Option<String> {
    let rivals = rivals(contract, account, index, stores);
    let heir = claims::heir(contract, rivals.iter().filter_map(|rival| rival.readable()));
    heir.map(|heir| ObjectRef::from_obj(heir).to_string())
}

/// Other contracts that claim something of this one in the same account, or mean the same contract through another address of
/// it.
fn rivals(
    contract: &BillingContract,
    own: &str,
    index: &ClaimIndex,
    stores: &Stores,
) -> Vec<Arc<Guarded<BillingContract>>> {
    index.rivals(contract, |rival| {
        account(rival, stores).as_deref() == Some(own) || claims::mean_one(contract, rival)
    })
}
