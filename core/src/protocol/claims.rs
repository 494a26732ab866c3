//! Two resources that claim one contract: the older one holds it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::{api::BillingContract, terms::text::Text};

/// What makes two resources mean one contract in the billing API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Base URL of the billing API.
    pub base_url: String,
    /// The contract's place in it: with Zoo, the organization.
    pub subject: String,
}

/// The subject of a contract's claim: with Zoo the organization, with Metronome the uniqueness key or the contract to
/// adopt. Keys that are derived from namespace and name are nobody else's.
#[must_use]
pub fn subject(contract: &BillingContract) -> Option<&str> {
    if let Some(zoo) = &contract.spec.zoo {
        return Some(zoo.organization_id.as_str());
    }
    let given = contract.spec.metronome.as_ref().and_then(|terms| terms.uniqueness_key.as_ref());
    given.map(Text::as_str).or_else(|| contract.spec.adopt.as_ref().map(|adopt| adopt.contract_id.as_str()))
}

/// The resource, among others that claim the same contract, that holds it in place of this one; `None` when this one
/// does. The oldest holds it; of those created in the same second, one that has a contract already, then by name.
pub fn holder<'a>(
    this: &BillingContract,
    others: impl Iterator<Item = &'a BillingContract>,
) -> Option<&'a BillingContract> {
    let own = rank(this);
    others.filter(|other| other.uid() != this.uid() && rank(other) < own).min_by_key(|other| rank(other))
}

fn rank(contract: &BillingContract) -> (Option<Time>, bool, String, String) {
    let has_none = contract.status.as_ref().is_none_or(|status| status.contract_id.is_none());
    (contract.creation_timestamp(), has_none, contract.namespace().unwrap_or_default(), contract.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn contract(name: &str, created: &str, id: Option<&str>) -> BillingContract {
        serde_json::from_value(json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
            "metadata": {"name": name, "namespace": "billing", "uid": name, "creationTimestamp": created},
            "spec": {"providerRef": {"name": "zoo"}},
            "status": {"contractId": id},
        }))
        .unwrap()
    }

    fn holder_of(this: &BillingContract, others: &[BillingContract; 2]) -> Option<String> {
        holder(this, others.iter()).map(ResourceExt::name_any)
    }

    #[test]
    fn the_oldest_holds_the_contract() {
        let (old, new) =
            (contract("z", "2026-01-01T00:00:00Z", None), contract("a", "2026-01-02T00:00:00Z", Some("c")));
        assert_eq!(holder_of(&new, &[old.clone(), new.clone()]), Some("z".to_owned()));
        assert_eq!(holder_of(&old, &[old.clone(), new.clone()]), None);
    }

    #[test]
    fn of_two_as_old_the_one_with_a_contract_holds_it() {
        let (first, second) =
            (contract("a", "2026-01-01T00:00:00Z", None), contract("b", "2026-01-01T00:00:00Z", Some("c")));
        assert_eq!(holder_of(&first, &[first.clone(), second.clone()]), Some("b".to_owned()));
        assert_eq!(holder_of(&second, &[first.clone(), second.clone()]), None);
    }
}
