//! The contracts of a cluster as one of them sees the others, from one listing: who holds or claims what, and what else is
//! made for its customer. What went before the cluster was listed is not in it, and neither is what an operator that stopped
//! may have sent: only the operator, which watches, waits for that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kube::ResourceExt;

use crate::{
    api::BillingContract,
    cli::cluster::name_of,
    plan::{Holder, Holders, Others, Refusal, Sibling, Sought},
    protocol::claims::{self, Asking, Subject},
};

/// Namespace and name.
type Key = (Option<String>, String);

/// Contracts of a cluster by what they hold and claim.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Each contract, and its account as far as it is known.
    contracts: BTreeMap<Key, (BillingContract, Option<String>)>,
    by_mark: BTreeMap<Subject, BTreeSet<Key>>,
    /// The only namespace that can be seen, if not all can.
    scope: Option<String>,
}

impl Listed {
    /// Contracts with their accounts; `scope` is the namespace that they are of where no other can be seen.
    pub(super) fn new(
        contracts: impl Iterator<Item = (BillingContract, Option<String>)>,
        scope: Option<String>,
    ) -> Self {
        let mut listed = Self { scope, ..Self::default() };
        for (contract, account) in contracts {
            let key = key(&contract);
            for mark in claims::marks(&contract) {
                listed.by_mark.entry(mark).or_default().insert(key.clone());
            }
            listed.contracts.insert(key, (contract, account));
        }
        listed
    }

    /// Every contract, in the order of their places.
    pub(super) fn contracts(&self) -> impl Iterator<Item = &BillingContract> {
        self.contracts.values().map(|(contract, _)| contract)
    }

    /// The contract of this namespace and name.
    pub(super) fn get(&self, key: &Key) -> Option<&BillingContract> {
        self.contracts.get(key).map(|(contract, _)| contract)
    }

    /// Contracts besides one that hold or claim one of these, each with its account.
    fn marked(
        &self,
        own: &Key,
        marks: impl IntoIterator<Item = Subject>,
    ) -> impl Iterator<Item = (&BillingContract, Option<&str>)> {
        let found: BTreeSet<&Key> =
            marks.into_iter().filter_map(|mark| self.by_mark.get(&mark)).flatten().collect();
        let others = found.into_iter().filter(move |key| *key != own);
        others.filter_map(|key| self.contracts.get(key)).map(|(other, account)| (other, account.as_deref()))
    }

    /// Why another resource holds what this one claims.
    pub(super) fn claimed(&self, contract: &BillingContract, account: &str) -> Option<Refusal> {
        let own = key(contract);
        let rivals = self.marked(&own, claims::subjects(contract));
        let rivals = rivals
            .filter(|(rival, of)| *of == Some(account) || claims::mean_one(contract, rival))
            .map(|(rival, _)| rival);
        claims::holder(contract, rivals).map(|(holder, subject)| claims::refusal(holder, &subject))
    }

    /// The others, as a contract of an account sees them.
    pub(super) fn around(self: &Arc<Self>, contract: &BillingContract, account: &str) -> Holders {
        Holders::new(Seen {
            listed: Arc::clone(self),
            own: key(contract),
            asking: Asking::of(contract),
            account: account.to_owned(),
        })
    }
}

/// The others, as one of them sees them.
struct Seen {
    listed: Arc<Listed>,
    own: Key,
    asking: Asking,
    account: String,
}

impl Seen {
    /// Others of the same account that hold or claim one of these.
    fn of_account(&self, marks: impl IntoIterator<Item = Subject>) -> impl Iterator<Item = &BillingContract> {
        let found = self.listed.marked(&self.own, marks);
        found.filter(|(_, account)| *account == Some(&self.account)).map(|(other, _)| other)
    }
}

impl Others for Seen {
    fn holder(&self, sought: Sought<'_>) -> Holder {
        let others = self.listed.marked(&self.own, claims::marks_of(&sought));
        let is_near = |(other, account): &(&BillingContract, Option<&str>)| {
            *account == Some(&self.account) || claims::holds(other, sought.contract_id)
        };
        let mut others = others.filter(is_near).map(|(other, _)| other);
        let is_out_of_sight = || {
            let place = sought.place.map(|(namespace, _)| namespace);
            self.listed.scope.as_deref().is_some_and(|scope| place != Some(scope))
        };
        match claims::keeper(&self.asking, &sought, &mut others) {
            Some(keeper) => Holder::Resource(name_of(keeper)),
            None if is_out_of_sight() => Holder::OutOfSight,
            None => Holder::Nobody,
        }
    }

    fn siblings(&self, customer: &[&str]) -> Vec<Sibling> {
        let marks = customer.iter().map(|name| Subject::Of((*name).to_owned()));
        self.of_account(marks).map(|other| claims::sibling(&self.asking, other)).collect()
    }

    fn share(&self, customer: &str) -> bool {
        self.of_account([Subject::Customer(customer.to_owned())]).next().is_some()
    }
}

fn key(contract: &BillingContract) -> Key {
    (contract.namespace(), contract.name_any())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::Before;

    fn contract(name: &str, customer: &str, second: u32, held: Option<&str>) -> BillingContract {
        let terms = json!({"customerId": customer, "startingAt": "2026-01-01T00:00:00Z"});
        of(name, json!({"metronome": terms}), second, held)
    }

    fn of(name: &str, mut spec: Value, second: u32, held: Option<&str>) -> BillingContract {
        spec["providerRef"] = json!({"name": "account"});
        serde_json::from_value(json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
            "metadata": {"name": name, "namespace": "billing", "uid": name,
                "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z")},
            "spec": spec, "status": {"contractId": held, "accountId": held.map(|_| "owner")},
        }))
        .unwrap()
    }

    fn listed(contracts: &[(&BillingContract, &str)]) -> Arc<Listed> {
        let all =
            contracts.iter().map(|(contract, account)| ((*contract).clone(), Some((*account).to_owned())));
        Arc::new(Listed::new(all, None))
    }

    #[test]
    fn others_of_the_customer_in_the_same_account_are_seen_with_who_goes_before() {
        let [older, this, younger] = [("older", 1), ("this", 2), ("younger", 3)]
            .map(|(name, second)| contract(name, "acme", second, Some(name).filter(|name| *name == "older")));
        let (elsewhere, stranger) =
            (contract("elsewhere", "acme", 0, None), contract("stranger", "globex", 0, None));
        let all = listed(&[
            (&older, "one"),
            (&this, "one"),
            (&younger, "one"),
            (&elsewhere, "two"),
            (&stranger, "one"),
        ]);
        let seen = all.around(&this, "one").siblings(&["acme"]);
        let told: Vec<_> = seen
            .iter()
            .map(|found| (found.resource.as_str(), found.is_before, found.contract_id.as_deref()))
            .collect();
        assert_eq!(told, [("billing/older", true, Some("older")), ("billing/younger", false, None)]);
        assert!(all.around(&this, "three").siblings(&["acme"]).is_empty());
    }

    #[test]
    fn a_customer_that_can_have_one_contract_is_shared_by_whoever_claims_it_in_the_same_account() {
        let zoo = |name, second| {
            of(
                name,
                json!({"zoo": {"organizationId": "org", "effectiveAt": "2026-01-01T00:00:00Z"}}),
                second,
                None,
            )
        };
        let (this, other) = (zoo("this", 2), zoo("other", 1));
        let all = listed(&[(&this, "one"), (&other, "one")]);
        assert!(all.around(&this, "one").share("org") && !all.around(&this, "one").share("other"));
        let why = all.claimed(&this, "one").unwrap();
        assert!(why.message.contains("billing/other claims the same contract (org)"), "{}", why.message);
        let apart = listed(&[(&this, "one"), (&other, "two")]);
        assert!(!apart.around(&this, "one").share("org"));
        assert_eq!(apart.claimed(&this, "one"), None);
    }

    #[test]
    fn what_is_held_by_its_id_is_held_by_whichever_address_of_the_account() {
        let (this, holder) = (contract("this", "acme", 1, None), contract("holder", "acme", 2, Some("c")));
        let all = listed(&[(&this, "one"), (&holder, "two")]);
        let sought = Sought { contract_id: "c", key: None, place: None, before: Before::Creating };
        assert_eq!(all.around(&this, "one").of(sought), Holder::Resource("billing/holder".into()));
        assert_eq!(all.around(&this, "one").of(Sought { contract_id: "d", ..sought }), Holder::Nobody);
        let mut adopting = this.clone();
        adopting.spec.adopt = Some(serde_json::from_value(json!({"contractId": "c"})).unwrap());
        let why = all.claimed(&adopting, "one").unwrap();
        assert!(why.message.contains("billing/holder holds the same contract (c)"), "{}", why.message);
    }
}
