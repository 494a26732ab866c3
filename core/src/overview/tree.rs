//! Provider → package → contract: who depends on whom, and how each stands.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use kube::ResourceExt;
use serde::Serialize;

use super::{
    Resources, Standing, Unreadable,
    customers::{After, Contract, customers},
    place,
};
use crate::{
    api::{
        BillingContract, ContractPackage,
        contract::{Amount, Approval, ManagementPolicy, PlanStatus, ProviderKind, Term},
        package::Lifecycle,
    },
    terms::Timestamp,
};

/// Everything, as a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tree {
    /// Providers, with what depends on them.
    pub providers: Vec<ProviderNode>,
    /// Packages that no contract uses and that belong to no provider.
    pub packages: Vec<PackageNode>,
    /// Resources that this version cannot read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableNode>,
    /// What was not looked at, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

/// A provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderNode {
    /// `BillingProvider` or `ClusterBillingProvider`.
    pub kind: &'static str,
    /// Its namespace, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Where its billing API is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How it stands.
    pub standing: Standing,
    /// Packages of its account, and those that its contracts take terms from.
    pub packages: Vec<PackageNode>,
    /// Contracts without a package.
    pub contracts: Vec<ContractNode>,
}

/// A package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageNode {
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// How far it has come.
    pub lifecycle: Lifecycle,
    /// How it stands.
    pub standing: Standing,
    /// Contracts that take terms from it.
    pub contracts: Vec<ContractNode>,
}

/// A contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContractNode {
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// ID of the contract in the billing API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<String>,
    /// The billing API's own state of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// How it stands.
    pub standing: Standing,
    /// Whether changes are carried out, wait, or are only looked at.
    pub management_policy: ManagementPolicy,
    /// Whether it is being deleted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_deleted: bool,
    /// When it applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// What comes when it ends.
    pub after: After,
    /// What the customer commits to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub committed_value: Vec<Amount>,
    /// When spec and billing were first seen to agree as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_change: Option<Timestamp>,
    /// Where billing says something else, as far as that is only reported.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<String>,
    /// The plan that waits, or that cannot be made to hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanStatus>,
    /// By whom a plan was last approved that was sent to the billing API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_approval: Option<Approval>,
    /// Since when a write is not confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unconfirmed_since: Option<Timestamp>,
}

/// A resource that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreadableNode {
    /// Its kind.
    pub kind: String,
    /// `namespace/name`.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
}

/// Order of providers: those of namespaces first.
type ProviderKey = (bool, Option<String>, String);

impl Tree {
    /// The tree of some resources. `days` before its end a contract is due to be renewed.
    #[must_use]
    pub fn of(resources: &Resources, now: DateTime<Utc>, days: u32) -> Self {
        let mut providers: BTreeMap<ProviderKey, ProviderNode> = BTreeMap::new();
        for provider in &resources.providers {
            let node = ProviderNode {
                kind: "BillingProvider",
                namespace: provider.namespace(),
                name: provider.name_any(),
                address: provider.spec.base_url().map(str::to_owned),
                standing: Standing::of_provider(provider),
                packages: Vec::new(),
                contracts: Vec::new(),
            };
            providers.insert((false, provider.namespace(), provider.name_any()), node);
        }
        for provider in &resources.cluster_providers {
            let node = ProviderNode {
                kind: "ClusterBillingProvider",
                namespace: None,
                name: provider.name_any(),
                address: provider.spec.account.base_url().map(str::to_owned),
                standing: Standing::of_cluster_provider(provider),
                packages: Vec::new(),
                contracts: Vec::new(),
            };
            providers.insert((true, None, provider.name_any()), node);
        }
        let all: Vec<&ContractPackage> = resources.packages.iter().collect();
        let mut used: Vec<bool> = vec![false; all.len()];
        let names =
            all.iter().enumerate().map(|(index, package)| ((package.namespace(), package.name_any()), index));
        let index_of: HashMap<_, _> = names.collect();
        let customers = customers(resources, now, days);
        let mut contracts: Vec<&Contract<'_>> =
            customers.iter().flat_map(|customer| &customer.contracts).collect();
        contracts.sort_by_key(|contract| contract.name());
        // Packages of each provider, by their place among all, so that each stands once below it.
        let mut below: BTreeMap<(ProviderKey, usize), Vec<ContractNode>> = BTreeMap::new();
        for contract in contracts {
            let key = provider_key(contract.resource);
            let provider = providers.entry(key.clone()).or_insert_with(|| missing(&key));
            let package =
                contract.package.and_then(|package| index_of.get(&(package.namespace(), package.name_any())));
            let node = node(contract);
            match package {
                Some(index) => below.entry((key, *index)).or_default().push(node),
                None => provider.contracts.push(node),
            }
        }
        for (index, package) in all.iter().enumerate() {
            if let Some(reference) = &package.spec.provider_ref {
                let key = key_of(reference.kind, package.namespace(), &reference.name);
                providers.entry(key.clone()).or_insert_with(|| missing(&key));
                below.entry((key, index)).or_default();
            }
        }
        for ((key, index), contracts) in below {
            let (Some(provider), Some(package)) = (providers.get_mut(&key), all.get(index)) else { continue };
            provider.packages.push(package_node(package, contracts));
            if let Some(used) = used.get_mut(index) {
                *used = true;
            }
        }
        for provider in providers.values_mut() {
            provider
                .packages
                .sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
        }
        let unused = all.iter().zip(used).filter(|(_, used)| !used);
        Self {
            providers: providers.into_values().collect(),
            packages: unused.map(|(package, _)| package_node(package, Vec::new())).collect(),
            unreadable: resources.unreadable.iter().map(UnreadableNode::of).collect(),
            unseen: resources.unseen.clone(),
        }
    }

    /// The same with one contract alone, and what it depends on; nothing when there is no such contract.
    #[must_use]
    pub fn only(mut self, name: &str) -> Option<Self> {
        for provider in &mut self.providers {
            provider.contracts.retain(|contract| contract.name == name);
            for package in &mut provider.packages {
                package.contracts.retain(|contract| contract.name == name);
            }
            provider.packages.retain(|package| !package.contracts.is_empty());
        }
        self.providers.retain(|provider| !provider.contracts.is_empty() || !provider.packages.is_empty());
        self.packages.clear();
        self.unreadable.retain(|node| node.name.rsplit('/').next() == Some(name));
        (!self.providers.is_empty() || !self.unreadable.is_empty()).then_some(self)
    }

    /// Every contract in it.
    pub fn contracts(&self) -> impl Iterator<Item = &ContractNode> {
        self.providers.iter().flat_map(|provider| {
            provider.packages.iter().flat_map(|package| &package.contracts).chain(&provider.contracts)
        })
    }
}

impl UnreadableNode {
    fn of(unreadable: &Unreadable) -> Self {
        Self {
            kind: unreadable.kind.clone(),
            name: place(unreadable.namespace.as_deref(), &unreadable.name),
            standing: Standing::unreadable(&unreadable.kind, &unreadable.why),
        }
    }
}

fn provider_key(contract: &BillingContract) -> ProviderKey {
    let reference = &contract.spec.provider_ref;
    key_of(reference.kind, contract.namespace(), &reference.name)
}

fn key_of(kind: ProviderKind, namespace: Option<String>, name: &str) -> ProviderKey {
    match kind {
        ProviderKind::BillingProvider => (false, namespace, name.to_owned()),
        ProviderKind::ClusterBillingProvider => (true, None, name.to_owned()),
    }
}

/// A provider that something refers to and that there is not.
fn missing((is_cluster, namespace, name): &ProviderKey) -> ProviderNode {
    let kind = if *is_cluster { "ClusterBillingProvider" } else { "BillingProvider" };
    ProviderNode {
        kind,
        namespace: namespace.clone(),
        name: name.clone(),
        address: None,
        standing: Standing::missing(kind),
        packages: Vec::new(),
        contracts: Vec::new(),
    }
}

fn package_node(package: &ContractPackage, contracts: Vec<ContractNode>) -> PackageNode {
    PackageNode {
        namespace: package.namespace(),
        name: package.name_any(),
        lifecycle: package.spec.lifecycle,
        standing: Standing::of_package(package),
        contracts,
    }
}

fn node(contract: &Contract<'_>) -> ContractNode {
    let resource = contract.resource;
    let status = resource.status.clone().unwrap_or_default();
    let day = |time: Timestamp| time.0.date_naive().to_string();
    let term = contract.term().map(|(start, end)| Term { start_date: day(start), end_date: end.map(day) });
    ContractNode {
        namespace: resource.namespace(),
        name: resource.name_any(),
        customer: status.customer_id.or_else(|| resource.spec.customer_names().next().map(str::to_owned)),
        contract_id: status.contract_id,
        state: status.state,
        standing: contract.standing.clone(),
        management_policy: resource.spec.management_policy,
        is_deleted: resource.metadata.deletion_timestamp.is_some(),
        term: status.term.or(term),
        after: contract.after.clone(),
        committed_value: contract.committed(),
        last_change: status.last_applied.map(|applied| applied.time),
        drift: status.drift,
        plan: status.plan,
        last_approval: status.last_approval,
        unconfirmed_since: status.unconfirmed_write.map(|write| write.time),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::fixture::{contract, contract_of, set},
        *,
    };
    use crate::api::{BillingProvider, ClusterBillingProvider};

    fn tree(resources: &Resources) -> Tree {
        Tree::of(resources, "2026-06-01T00:00:00Z".parse().unwrap(), 90)
    }

    fn provider() -> BillingProvider {
        serde_json::from_value(json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingProvider",
            "metadata": {"name": "zoo", "namespace": "billing", "generation": 1},
            "spec": {"zoo": {}, "tokenSecretRef": {"name": "zoo-token"}},
        }))
        .unwrap()
    }

    fn package(name: &str) -> ContractPackage {
        let mut terms = serde_json::to_value(contract("a", "2026-01-01", "2027-01-01").spec.zoo).unwrap();
        let members = terms.as_object_mut().unwrap();
        for absolute in ["organizationId", "effectiveAt", "termEndAt", "periods"] {
            members.remove(absolute);
        }
        members.insert("term".into(), json!({"unit": "YEARS", "value": 1}));
        members.insert(
            "generatedPeriods".into(),
            json!({"every": {"unit": "YEARS", "value": 1}, "commitmentAmount": "5"}),
        );
        serde_json::from_value(json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractPackage",
            "metadata": {"name": name, "namespace": "billing", "generation": 1},
            "spec": {"lifecycle": "Published", "zoo": terms},
        }))
        .unwrap()
    }

    fn from_package(name: &str, package: &str) -> BillingContract {
        let mut contract = contract(name, "2026-01-01", "2027-01-01");
        contract.spec.package_ref = serde_json::from_value(json!({"name": package})).ok();
        contract
    }

    #[test]
    fn contracts_stand_below_their_package_or_below_their_provider() {
        let resources = Resources {
            providers: vec![provider()],
            packages: vec![package("sheet"), package("unused")],
            contracts: vec![
                from_package("b", "sheet"),
                from_package("a", "sheet"),
                contract("c", "2026-01-01", "2027-01-01"),
            ],
            ..Resources::default()
        };
        let tree = tree(&resources);
        let [zoo] = &*tree.providers else { panic!("{tree:?}") };
        let names =
            |contracts: &[ContractNode]| contracts.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (zoo.packages.len(), names(&zoo.packages[0].contracts)),
            (1, vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(names(&zoo.contracts), ["c"]);
        assert_eq!((tree.packages.len(), tree.packages[0].name.as_str()), (1, "unused"));
        assert_eq!(tree.contracts().count(), 3);
    }

    #[test]
    fn a_provider_that_is_missing_is_a_node_that_says_so() {
        let resources =
            Resources { contracts: vec![contract("a", "2026-01-01", "2027-01-01")], ..Resources::default() };
        let tree = tree(&resources);
        assert_eq!(tree.providers[0].name, "zoo");
        assert!(tree.providers[0].standing.message.contains("no such BillingProvider"));
    }

    #[test]
    fn providers_of_one_name_in_two_namespaces_and_in_the_cluster_are_three() {
        let mut far = contract_of("far", 2, "2026-01-01", "2027-01-01", "1");
        far.metadata.namespace = Some("other".to_owned());
        let mut shared = contract_of("shared", 3, "2026-01-01", "2027-01-01", "1");
        shared.spec.provider_ref.kind = ProviderKind::ClusterBillingProvider;
        let cluster: ClusterBillingProvider = serde_json::from_value(json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ClusterBillingProvider", "metadata": {"name": "zoo"},
            "spec": {"zoo": {}, "tokenSecretRef": {"name": "zoo-token"}},
        }))
        .unwrap();
        let resources = Resources {
            providers: vec![provider()],
            cluster_providers: vec![cluster],
            contracts: vec![contract("near", "2026-01-01", "2027-01-01"), far, shared],
            ..Resources::default()
        };
        let found: Vec<_> = tree(&resources)
            .providers
            .iter()
            .map(|node| (node.kind, node.namespace.clone(), node.contracts[0].name.clone()))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                ("BillingProvider", text("billing"), "near".to_owned()),
                ("BillingProvider", text("other"), "far".to_owned()),
                ("ClusterBillingProvider", None, "shared".to_owned()),
            ]
        );
    }

    #[test]
    fn of_the_clusters_providers_a_namespace_has_those_that_serve_it_or_that_it_names() {
        let shared = |name: &str, serves: &[&str]| -> ClusterBillingProvider {
            serde_json::from_value(json!({
                "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ClusterBillingProvider", "metadata": {"name": name},
                "spec": {"zoo": {}, "tokenSecretRef": {"name": "zoo-token"}, "allowedNamespaces": serves},
            }))
            .unwrap()
        };
        let mut contract = contract("a", "2026-01-01", "2027-01-01");
        contract.spec.provider_ref.kind = ProviderKind::ClusterBillingProvider;
        contract.spec.provider_ref.name = "named".to_owned();
        let resources = Resources {
            cluster_providers: vec![
                shared("named", &[]),
                shared("of-others", &["other"]),
                shared("serving", &["other", "billing"]),
            ],
            contracts: vec![contract],
            ..Resources::default()
        };
        let found = tree(&resources.of_namespace("billing"));
        let names: Vec<_> = found.providers.iter().map(|node| &*node.name).collect();
        assert_eq!(names, ["named", "serving"]);
    }

    #[test]
    fn one_contract_alone_keeps_what_it_depends_on() {
        let resources = Resources {
            providers: vec![provider()],
            packages: vec![package("sheet"), package("unused")],
            contracts: vec![from_package("a", "sheet"), contract("c", "2026-01-01", "2027-01-01")],
            ..Resources::default()
        };
        let only = tree(&resources).only("a").unwrap();
        assert_eq!(
            (only.contracts().count(), only.providers[0].packages.len(), only.packages.len()),
            (1, 1, 0)
        );
        assert_eq!(tree(&resources).only("nobody"), None);
    }

    #[test]
    fn a_node_has_what_the_status_says() {
        let mut contract = contract("a", "2026-01-01", "2027-01-01");
        set(&mut contract, "False", "AwaitingApproval", "why", false);
        let status = contract.status.as_mut().unwrap();
        status.state = Some("active".to_owned());
        status.plan = serde_json::from_value(json!({"digest": "d1", "changes": 2, "summary": "x -> y"})).ok();
        status.drift = vec!["/name".to_owned()];
        let resources =
            Resources { providers: vec![provider()], contracts: vec![contract], ..Resources::default() };
        let tree = tree(&resources);
        let node = tree.contracts().next().unwrap();
        assert_eq!((node.state.as_deref(), node.drift.len()), (Some("active"), 1));
        assert_eq!(node.plan.as_ref().map(|plan| plan.changes), Some(2));
        assert_eq!(node.term.as_ref().and_then(|term| term.end_date.as_deref()), Some("2027-01-01"));
        assert_eq!(node.committed_value[0].amount.unwrap().to_string(), "120000");
    }
}
