//! Duplicates and references across resources.

use serde_json::{Value, json};

use super::*;
use crate::review::Severity;

const ORG: &str = "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11";

fn of<K: serde::de::DeserializeOwned>(kind: &str, namespace: Option<&str>, name: &str, spec: &Value) -> K {
    serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    }))
    .unwrap()
}

fn zoo(name: &str, provider: &str, organization: &str) -> BillingContract {
    let terms = json!({"organizationId": organization, "effectiveAt": "2026-01-01T00:00:00Z"});
    of("BillingContract", None, name, &json!({"providerRef": {"name": provider}, "zoo": terms}))
}

fn metronome(name: &str, extra: &Value) -> BillingContract {
    let mut terms = json!({"customerId": "c", "startingAt": "2026-01-01T00:00:00Z"});
    terms.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    of("BillingContract", None, name, &json!({"providerRef": {"name": "m"}, "metronome": terms}))
}

fn provider(name: &str, url: &str) -> BillingProvider {
    let spec = json!({"zoo": {"baseUrl": url}, "tokenSecretRef": {"name": "t"}});
    of("BillingProvider", None, name, &spec)
}

fn placed<K>(all: &[K]) -> Vec<Placed<'_, K>> {
    let place =
        |(index, resource)| Placed { place: format!("{index}.yaml:1"), scope: String::new(), resource };
    all.iter().enumerate().map(place).collect()
}

fn found(providers: &[BillingProvider], contracts: &[BillingContract]) -> Vec<(Which, Severity, String)> {
    let together =
        Together { providers: placed(providers), contracts: placed(contracts), ..Together::default() };
    let told = |(which, finding): (Which, Finding)| (which, finding.severity, finding.to_string());
    together.findings().into_iter().map(told).collect()
}

#[test]
fn one_name_is_used_once_unless_it_says_the_same() {
    let providers = [provider("zoo", "https://api.zoo.dev"), provider("m", "https://api.zoo.dev")];
    let contracts = [zoo("acme", "zoo", ORG), zoo("acme", "m", ORG)];
    let all = found(&providers, &contracts);
    assert!(
        matches!(&*all, [(Which::Contract(1), Severity::Error, told)] if told.contains("another BillingContract too, in 0.yaml:1")),
        "{all:#?}"
    );
    assert_eq!(found(&providers, &[contracts[0].clone(), contracts[0].clone()]), []);
}

#[test]
fn names_that_are_not_built_together_may_be_the_same() {
    let providers = [provider("zoo", "https://api.zoo.dev"), provider("zoo", "https://staging.zoo.dev")];
    let mut together = Together { providers: placed(&providers), ..Together::default() };
    assert_eq!(together.findings().len(), 1);
    together.providers[1].scope = "staging".to_owned();
    assert_eq!(together.findings(), []);
}

#[test]
fn a_customer_has_one_contract_in_an_account() {
    let providers = [provider("a", "https://api.zoo.dev"), provider("b", "https://API.zoo.dev:443/")];
    let all = found(&providers, &[zoo("acme", "a", ORG), zoo("again", "b", ORG)]);
    assert!(
        matches!(&*all, [(Which::Contract(1), Severity::Error, told)]
            if told.starts_with("`spec.zoo.organizationId` is that of another contract too") && told.contains("BillingContract acme in 0.yaml:1")),
        "{all:#?}"
    );
    let apart = [provider("a", "https://api.zoo.dev"), provider("b", "https://staging.zoo.dev")];
    assert_eq!(found(&apart, &[zoo("acme", "a", ORG), zoo("again", "b", ORG)]), []);
}

#[test]
fn a_key_and_an_adopted_contract_are_claimed_once() {
    let key = json!({"uniquenessKey": "acme"});
    let mut adopting = [metronome("c", &json!({})), metronome("d", &json!({}))];
    for contract in &mut adopting {
        contract.spec.adopt = Some(serde_json::from_value(json!({"contractId": "x"})).unwrap());
    }
    let [third, fourth] = adopting;
    let all = found(&[], &[metronome("a", &key), metronome("b", &key), third, fourth]);
    let errors: Vec<_> = all.iter().filter(|(_, severity, _)| *severity == Severity::Error).collect();
    assert_eq!(errors.len(), 2, "{all:#?}");
    assert!(errors[0].2.starts_with("`spec.metronome.uniquenessKey` is that of"), "{all:#?}");
    assert!(errors[1].2.starts_with("`spec.adopt.contractId` is adopted"), "{all:#?}");
}

#[test]
fn a_provider_that_is_not_there_is_told_once_with_what_may_be_meant() {
    let other = "7f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11";
    let all = found(
        &[provider("zoo-prod", "https://api.zoo.dev")],
        &[zoo("a", "zoo-prd", ORG), zoo("b", "zoo-prd", other)],
    );
    let [(Which::Contract(0), Severity::Warning, told)] = &*all else { panic!("{all:#?}") };
    assert_eq!(
        told,
        "`spec.providerRef.name` names BillingProvider zoo-prd, which is not in these files (2 resources refer to it); did you mean `zoo-prod`?"
    );
}

#[test]
fn a_provider_of_the_cluster_names_the_namespace_of_its_contracts() {
    let provider: ClusterBillingProvider = of(
        "ClusterBillingProvider",
        None,
        "zoo",
        &json!({"zoo": {}, "tokenSecretRef": {"name": "t"}, "allowedNamespaces": ["sales"]}),
    );
    let contract = |namespace| -> BillingContract {
        let terms = json!({"organizationId": ORG, "effectiveAt": "2026-01-01T00:00:00Z"});
        let reference = json!({"name": "zoo", "kind": "ClusterBillingProvider"});
        of("BillingContract", Some(namespace), "acme", &json!({"providerRef": reference, "zoo": terms}))
    };
    for (namespace, count) in [("sales", 0), ("billing", 1)] {
        let contracts = [contract(namespace)];
        let together = Together {
            cluster_providers: placed(std::slice::from_ref(&provider)),
            contracts: placed(&contracts),
            ..Together::default()
        };
        assert_eq!(together.findings().len(), count, "{namespace}");
    }
}

#[test]
fn a_renewed_contract_is_looked_for() {
    let renews = |name: &str| json!({"transition": {"type": "RENEWAL", "fromContractRef": {"name": name}}});
    let all = found(&[], &[metronome("new", &renews("old")), metronome("self", &renews("self"))]);
    assert!(
        all.iter().any(|(_, severity, told)| *severity == Severity::Warning
            && told.contains("names BillingContract old"))
    );
    assert!(
        all.iter().any(|(_, severity, told)| *severity == Severity::Error
            && told.contains("another contract than this one"))
    );
    let all = found(&[], &[metronome("new", &renews("old")), metronome("old", &json!({}))]);
    assert_eq!(all.len(), 1, "{all:#?}");
}
