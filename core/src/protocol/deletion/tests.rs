//! What a deleted resource waits for, under every policy.

use super::*;
use serde_json::{Value, json};

fn metadata(finalizer: Option<&str>, release: Option<&str>) -> Value {
    let finalizers: Vec<_> = ["other.example/finalizer"].into_iter().chain(finalizer).collect();
    let annotations = release.map(|value| json!({RELEASE: value}));
    json!({"name": "acme", "namespace": "billing", "finalizers": finalizers, "annotations": annotations})
}

fn contract(metadata: &Value, spec: &Value) -> BillingContract {
    let mut contract = json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract", "metadata": metadata,
        "spec": {"providerRef": {"name": "zoo"}},
    });
    contract["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(contract).unwrap()
}

fn package(metadata: &Value, policy: &str) -> ContractPackage {
    serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractPackage", "metadata": metadata,
        "spec": {"deletionPolicy": policy},
    }))
    .unwrap()
}

fn end(policy: DeletionPolicy) -> Deletion {
    Deletion::End(Goal::Ended(Ending { policy, end_at: None, void_invoices: false }))
}

#[test]
fn a_contract_without_our_finalizer_is_not_ours_to_hold() {
    for release in [None, Some("true")] {
        let spec = json!({"deletionPolicy": "Cancel"});
        assert_eq!(of_contract(&contract(&metadata(None, release), &spec)), Deletion::NotOurs);
        assert_eq!(of_package(&package(&metadata(None, release), "Archive")), Deletion::NotOurs);
    }
    // That of the other kind is none.
    let metadata = metadata(Some(PACKAGE_FINALIZER), None);
    assert_eq!(of_contract(&contract(&metadata, &json!({"deletionPolicy": "Cancel"}))), Deletion::NotOurs);
}

#[test]
fn what_is_on_record_of_another_account_is_not_taken_for_gone() {
    let of = |status: Value| {
        let mut contract = contract(&metadata(Some(FINALIZER), None), &json!({"deletionPolicy": "Cancel"}));
        contract.status = Some(serde_json::from_value(status).unwrap());
        contract
    };
    let held = of(json!({"account": "https://one", "contractId": "c-1"}));
    assert_eq!(is_elsewhere(&held, None, "https://one"), None);
    let why = is_elsewhere(&held, None, "https://two").unwrap();
    assert_eq!(why.reason, "AccountChanged");
    for part in ["contract c-1", "https://one", "https://two", "baseUrl"] {
        assert!(why.message.contains(part), "{}", why.message);
    }
    assert!(told(&held_while_deleted(&held), &why.message).contains(&format!("{RELEASE}=true")));
    let lost = json!({"account": "https://one", "unconfirmedWrite": {"digest": "0".repeat(32), "time": "2026-01-01T00:00:00Z"}});
    assert!(is_elsewhere(&of(lost), None, "https://two").unwrap().message.contains("may have been made"));
    // Where nothing is on record of the other one, nothing is left there.
    for nothing in [json!({"account": "https://one"}), json!({"contractId": "c-1"}), json!({})] {
        assert_eq!(is_elsewhere(&of(nothing), None, "https://two"), None);
    }
}

#[test]
fn what_was_announced_to_another_account_is_not_taken_for_gone_until_it_is_reported() {
    let mut contract = contract(&metadata(Some(FINALIZER), None), &json!({"deletionPolicy": "Cancel"}));
    let announced: Announced = serde_json::from_value(json!({
        "account": "https://one", "after": {},
        "write": {"digest": "0".repeat(32), "time": "2026-01-01T00:00:00Z"},
    }))
    .unwrap();
    let elsewhere = |contract: &BillingContract, account: &str| {
        is_elsewhere(contract, Some(&announced), account).map(|refusal| refusal.message)
    };
    assert_eq!(elsewhere(&contract, "https://one"), None);
    assert!(
        elsewhere(&contract, "https://two")
            .unwrap()
            .contains("may have been made in the account https://one")
    );
    let status = json!({"account": "https://two", "contractId": "c-2"});
    contract.status = Some(serde_json::from_value(status).unwrap());
    assert!(elsewhere(&contract, "https://two").unwrap().contains("in the account https://one"));
    let status =
        json!({"account": "https://two", "contractId": "c-2", "lastWriteAt": "2026-01-01T00:00:09Z"});
    contract.status = Some(serde_json::from_value(status).unwrap());
    assert_eq!(elsewhere(&contract, "https://two"), None, "a report has come since");
}

#[test]
fn a_package_of_another_account_is_not_taken_for_gone() {
    let mut package = package(&metadata(Some(PACKAGE_FINALIZER), None), "Archive");
    assert_eq!(package_is_elsewhere(&package, "https://two"), None);
    package.status =
        Some(serde_json::from_value(json!({"account": "https://one", "packageId": "p-1"})).unwrap());
    assert_eq!(package_is_elsewhere(&package, "https://one"), None);
    let why = package_is_elsewhere(&package, "https://two").unwrap();
    assert!(
        ["p-1", "https://one", "https://two"].iter().all(|part| why.message.contains(part)),
        "{}",
        why.message
    );
}

fn held_while_deleted(contract: &BillingContract) -> BillingContract {
    let mut deleted = contract.clone();
    deleted.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-05-30T00:00:00Z")).unwrap());
    deleted
}

#[test]
fn a_contract_ends_as_its_policy_says() {
    let held = metadata(Some(FINALIZER), None);
    for management in ["Apply", "Plan"] {
        for (name, policy) in [("End", DeletionPolicy::End), ("Cancel", DeletionPolicy::Cancel)] {
            let spec = json!({"deletionPolicy": name, "managementPolicy": management});
            assert_eq!(of_contract(&contract(&held, &spec)), end(policy), "{management} {name}");
        }
    }
    let spec = json!({"deletionPolicy": "End", "endAt": "2026-07-01T00:00:00Z", "voidInvoices": true});
    let Deletion::End(Goal::Ended(ending)) = of_contract(&contract(&held, &spec)) else { panic!() };
    assert_eq!(ending.end_at, Some("2026-07-01T00:00:00Z".parse().unwrap()));
    assert!(ending.void_invoices);
}

#[test]
fn a_contract_that_is_orphaned_observed_or_released_goes_at_once() {
    let held = metadata(Some(FINALIZER), None);
    for spec in [
        json!({"deletionPolicy": "Orphan"}),
        json!({"deletionPolicy": "Cancel", "managementPolicy": "Observe"}),
    ] {
        assert_eq!(of_contract(&contract(&held, &spec)), Deletion::Release, "{spec}");
    }
    let cancel = json!({"deletionPolicy": "Cancel"});
    let release = |value| of_contract(&contract(&metadata(Some(FINALIZER), Some(value)), &cancel));
    assert_eq!(release("true"), Deletion::Release);
    assert_eq!(release("false"), end(DeletionPolicy::Cancel), "the value must be `true`");
}

#[test]
fn a_package_is_archived_orphaned_or_released() {
    let held = metadata(Some(PACKAGE_FINALIZER), None);
    assert_eq!(of_package(&package(&held, "Archive")), end(DeletionPolicy::Cancel));
    assert_eq!(of_package(&package(&held, "Orphan")), Deletion::Release);
    let released = metadata(Some(PACKAGE_FINALIZER), Some("true"));
    assert_eq!(of_package(&package(&released, "Archive")), Deletion::Release);
}

#[test]
fn only_what_takes_a_billing_call_needs_a_finalizer() {
    let of = |policy: &str| contract(&metadata(None, None), &json!({"deletionPolicy": policy}));
    assert!(!contract_needs_finalizer(&of("Orphan")));
    assert!(contract_needs_finalizer(&of("End")));
    assert!(contract_needs_finalizer(&of("Cancel")));
    assert!(!package_needs_finalizer(&package(&metadata(None, None), "Orphan")));
    assert!(package_needs_finalizer(&package(&metadata(None, None), "Archive")));
}

#[test]
fn people_are_told_once_how_to_let_a_resource_go() {
    let contract = how_to_release("It fails.", "contract", "acme", "ended");
    assert_eq!(
        contract,
        "It fails. The contract in the billing API has not been ended yet. To delete the resource and leave it as it is, \
         run: kubectl annotate billingcontract acme billing.countersign.dev/release=true"
    );
    assert_eq!(how_to_release(&contract, "contract", "acme", "ended"), contract);
    let package = how_to_release("It fails.", "package", "pro", "archived");
    assert!(package.ends_with("kubectl annotate contractpackage pro billing.countersign.dev/release=true"));
}

#[test]
fn only_a_contract_that_is_deleted_and_kept_by_our_finalizer_is_told_how_it_can_go() {
    let told_of = |finalizer: Option<&str>, deleted: bool| {
        let mut metadata = metadata(finalizer, None);
        if deleted {
            metadata["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        told(&contract(&metadata, &json!({"deletionPolicy": "End"})), "It waits.")
    };
    assert!(told_of(Some(FINALIZER), true).contains("billing.countersign.dev/release=true"));
    for (finalizer, deleted) in [(Some(FINALIZER), false), (None, true), (None, false)] {
        assert_eq!(told_of(finalizer, deleted), "It waits.", "{finalizer:?} {deleted}");
    }
}
