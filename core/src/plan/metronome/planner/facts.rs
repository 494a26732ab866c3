//! What was read for a contract, fact by fact, as it was told. Decides nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::plan::{
    Unreadable,
    metronome::{
        Balances, CustomerId, Need, ObservedBalances, ObservedContract, UniquenessKey, history::Edits,
        invoices::Invoices, reply::is_about,
    },
};

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub customer_id: Option<CustomerId>,
    pub contracts: BTreeMap<String, Option<ObservedContract>>,
    pub legacy: BTreeMap<String, Option<Value>>,
    pub seats: BTreeMap<String, Value>,
    pub balances: BTreeMap<Balances, ObservedBalances>,
    pub listed: BTreeMap<CustomerId, Vec<ObservedContract>>,
    pub edits: BTreeMap<String, Edits>,
    pub billing_configurations: Option<Value>,
    pub packages: BTreeMap<String, Option<Value>>,
    pub custom_field_keys: Option<Value>,
    pub invoices: BTreeMap<String, Invoices>,
}

impl Facts {
    /// Takes what came of a read, for the resource with a uniqueness key.
    pub(super) fn learn(
        &mut self,
        need: &Need,
        told: Option<Value>,
        key: &UniquenessKey,
        now: DateTime<Utc>,
    ) -> Result<(), Unreadable> {
        let contract = |data: &Value| {
            ObservedContract::read(data, now)
                .map_err(|why| Unreadable(format!("the reply is not a contract: {why}")))
        };
        match need {
            Need::CustomerByAlias { .. } => {
                let id = told.as_ref().and_then(Value::as_str).map(CustomerId::from);
                self.customer_id = Some(id.ok_or_else(|| Unreadable("no customer was told".to_owned()))?);
            }
            Need::Contract(of) => {
                let read = told.as_ref().map(contract).transpose()?;
                if let Some(read) = &read {
                    is_about("contract", &read.contract_id, of.contract_id.as_str())?;
                    is_about("a contract of customer", read.customer_id.as_str(), of.customer_id.as_str())?;
                }
                self.contracts.insert(of.contract_id.to_string(), read);
            }
            Need::LegacyContract(of) => {
                let id = told.as_ref().and_then(|told| told.get("id")?.as_str());
                is_about("contract", id.unwrap_or(of.contract_id.as_str()), of.contract_id.as_str())?;
                self.legacy.insert(of.contract_id.to_string(), told);
            }
            Need::Contracts { customer_id } => {
                let mut all: Vec<ObservedContract> = Vec::new();
                for data in told.as_ref().and_then(Value::as_array).into_iter().flatten() {
                    let read = contract(data)?;
                    is_about("a contract of customer", read.customer_id.as_str(), customer_id.as_str())?;
                    // Pages move while they are read, so that one contract may stand on two.
                    if all.iter().all(|known| known.contract_id != read.contract_id) {
                        all.push(read);
                    }
                }
                self.listed.insert(customer_id.clone(), all);
            }
            Need::Edits(of) => {
                let edits = Edits::read(told.as_ref(), &key.mark());
                self.edits.insert(of.contract_id.to_string(), edits);
            }
            Need::Invoices(of) => {
                let invoices = Invoices::read(told.as_ref(), of.contract_id.as_str());
                self.invoices.insert(of.contract_id.to_string(), invoices);
            }
            Need::Seats { subscription_id, .. } => {
                self.seats.insert(subscription_id.clone(), told.unwrap_or_default());
            }
            Need::Balances { kind, .. } => {
                let told = told.unwrap_or(json!([]));
                let read = ObservedBalances::read(*kind, &told)
                    .map_err(|why| Unreadable(format!("the reply is no list of balances: {why}")))?;
                self.balances.insert(*kind, read);
            }
            Need::BillingConfigurations { .. } => self.billing_configurations = told.or(Some(json!([]))),
            Need::CustomFieldKeys => self.custom_field_keys = told.or(Some(json!([]))),
            Need::Package { package_id } => drop(self.packages.insert(package_id.clone(), told)),
            // A contract asks for no such fact.
            Need::Packages | Need::ContractsOnPackage { .. } => {}
        }
        Ok(())
    }

    /// Takes that a fact could not be read, and why; whether it can be done without.
    pub(super) fn spare(&mut self, need: &Need, why: &str) -> bool {
        let Need::Invoices(of) = need else { return false };
        self.invoices.insert(of.contract_id.to_string(), Invoices::Unknown(why.to_owned()));
        true
    }

    /// Forgets what a write may have changed.
    pub(super) fn forget(&mut self) {
        let Self { customer_id, billing_configurations, packages, custom_field_keys, .. } =
            std::mem::take(self);
        *self = Self { customer_id, billing_configurations, packages, custom_field_keys, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_write_changes_is_not_read_again_after_one_and_all_else_is() {
        let id = "c-1".to_owned();
        let mut facts = Facts {
            customer_id: Some("customer-1".into()),
            contracts: [(id.clone(), None)].into(),
            legacy: [(id.clone(), None)].into(),
            seats: [("s-1".to_owned(), json!({}))].into(),
            balances: [(Balances::Commits, ObservedBalances::default())].into(),
            listed: [("customer-1".into(), Vec::new())].into(),
            edits: [(id.clone(), Edits::default())].into(),
            billing_configurations: Some(json!([{"billing_provider": "stripe"}])),
            packages: [("p-1".to_owned(), Some(json!({"id": "p-1"})))].into(),
            custom_field_keys: Some(json!([{"key": "team"}])),
            invoices: [(id, Invoices::Unknown("it is down".to_owned()))].into(),
        };
        facts.forget();
        assert_eq!(facts.customer_id, Some("customer-1".into()));
        assert_eq!(facts.billing_configurations, Some(json!([{"billing_provider": "stripe"}])));
        assert_eq!(facts.packages.get("p-1"), Some(&Some(json!({"id": "p-1"}))));
        assert_eq!(facts.custom_field_keys, Some(json!([{"key": "team"}])));
        assert!(facts.contracts.is_empty() && facts.legacy.is_empty() && facts.listed.is_empty());
        assert!(facts.seats.is_empty() && facts.balances.is_empty());
        assert!(facts.edits.is_empty() && facts.invoices.is_empty());
    }
}
