//! What reads would tell, had files been carried out.

use serde_json::{Value, json};

use super::{AccountSettings, ContractPlanner, Need, Shown, package, registered};
use crate::{
    api::{Api, ContractPackage, provider::BillingProviderSpec},
    plan::{
        Refusal,
        facts::{Facts, Side},
    },
};

/// A customer of Metronome.
#[derive(Debug, Default)]
pub struct Billed {
    id: String,
    shown: Option<Shown>,
}

/// What a Metronome account says about contracts; what it says by default where it is not known.
#[must_use]
pub fn settings(account: Option<&BillingProviderSpec>) -> AccountSettings {
    let account = account.and_then(|account| account.metronome.as_ref());
    AccountSettings {
        key_prefix: account
            .map_or_else(|| "countersign".to_owned(), |account| account.uniqueness_key_prefix.clone()),
        stamp_cluster: account.and_then(|account| Some(account.owner_stamp.as_ref()?.cluster.clone())),
    }
}

/// How the customer of a contract is billed, where its package says how it has to be.
fn configurations(package: Option<&ContractPackage>) -> Value {
    let terms = package.and_then(|package| serde_json::to_value(package.spec.metronome.as_ref()?).ok());
    let billing = terms.as_ref().and_then(package::Billing::of);
    billing.map_or_else(|| json!([]), |billing| billing.configuration())
}

impl Facts for Billed {
    const API: Api = Api::Metronome;
    type Planner = ContractPlanner;

    fn planner(side: &Side<'_>) -> Result<ContractPlanner, Refusal> {
        let renews = side.contract.spec.renews().map(str::to_owned);
        ContractPlanner::new(side.contract, side.package, renews, &settings(side.account))
    }

    fn of(side: &Side<'_>, id: &str) -> Result<Self, Refusal> {
        let shown = Self::planner(side)?.shown(id)?;
        Ok(Self { id: id.to_owned(), shown: Some(shown) })
    }

    fn told(&self, need: &Need, side: &Side<'_>) -> Option<Value> {
        let shown = self.shown.as_ref();
        match need {
            Need::CustomerByAlias { alias, .. } => Some(alias.as_str().into()),
            Need::Contract(contract) => {
                shown.filter(|_| contract.contract_id.as_str() == self.id).map(|shown| shown.contract.clone())
            }
            Need::LegacyContract(_) => shown.map(|shown| shown.legacy.clone()),
            Need::Contracts { .. } => Some(shown.map(|shown| shown.contract.clone()).into_iter().collect()),
            Need::Balances { kind, .. } => {
                Some(shown.and_then(|shown| shown.balances.get(kind).cloned()).unwrap_or_else(|| json!([])))
            }
            Need::Seats { subscription_id, .. } => shown.map(|shown| shown.seats(subscription_id)),
            // Whether the customer is billed as the package says is billing's to tell.
            Need::BillingConfigurations { .. } => Some(configurations(side.package)),
            Need::CustomFieldKeys => Some(registered()),
            Need::Package { .. } => None,
            // What is invoiced already is billing's to tell.
            Need::Edits(_) | Need::Invoices(_) | Need::Packages | Need::ContractsOnPackage { .. } => {
                Some(json!([]))
            }
        }
    }

    fn unseen_state(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::BillingContract,
        plan::metronome::{ContractRef, CustomerId},
    };

    #[test]
    fn files_tell_the_contract_that_they_say_and_that_its_customer_is_billed_as_its_package_asks() {
        let resource = |kind: &str, spec: Value| {
            json!({"apiVersion": "billing.countersign.dev/v1alpha1", "kind": kind,
                "metadata": {"name": "acme", "namespace": "billing"}, "spec": spec})
        };
        let terms =
            json!({"customerId": "customer-1", "startingAt": "2026-01-01T00:00:00Z", "name": "Acme 2026"});
        let contract = resource("BillingContract", json!({"providerRef": {"name": "m"}, "metronome": terms}));
        let contract: BillingContract = serde_json::from_value(contract).unwrap();
        let sheet = json!({"name": "Pro", "billingProvider": "stripe", "deliveryMethod": "direct_to_billing_provider"});
        let package = json!({"providerRef": {"name": "m"}, "lifecycle": "Published", "metronome": sheet});
        let package: ContractPackage = serde_json::from_value(resource("ContractPackage", package)).unwrap();
        let alone = Side { contract: &contract, package: None, account: None };
        let from_package = Side { package: Some(&package), ..alone };
        let billed = Billed::of(&alone, "contract-1").unwrap();
        let customer_id = CustomerId::from("customer-1");
        let of = |id: &str| Need::Contract(ContractRef::new(&customer_id, id));
        let told = billed.told(&of("contract-1"), &alone).unwrap();
        assert_eq!((&told["id"], &told["name"]), (&json!("contract-1"), &json!("Acme 2026")));
        assert_eq!(billed.told(&of("contract-2"), &alone), None);
        let ways = Need::BillingConfigurations { customer_id: customer_id.clone() };
        assert_eq!(billed.told(&ways, &alone), Some(json!([])));
        let asked = billed.told(&ways, &from_package).unwrap();
        assert_eq!(asked[0]["billing_provider"], "stripe", "{asked}");
        assert_eq!(billed.unseen_state(), None);
    }
}
