//! Which package a contract means, and who holds an alias.

#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]

use serde_json::{Value, json};

use super::*;
use crate::plan::{MoneyEffect, Plan};

/// A published package of Zoo terms, created on a day of January 2026.
fn package(name: &str, day: u8, aliases: Value) -> ContractPackage {
    with_spec(name, day, json!({"lifecycle": "Published", "aliases": aliases, "zoo": terms("100")}))
}

fn with_spec(name: &str, day: u8, spec: Value) -> ContractPackage {
    serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractPackage",
        "metadata": {"name": name, "namespace": "billing", "creationTimestamp": format!("2026-01-{day:02}T00:00:00Z")},
        "spec": spec,
    }))
    .unwrap()
}

fn terms(amount: &str) -> Value {
    json!({
        "term": {"unit": "YEARS", "value": 1},
        "generatedPeriods": {"every": {"unit": "YEARS", "value": 1}, "commitmentAmount": amount},
    })
}

/// A contract that starts on a date.
fn contract(reference: Value, start: &str) -> BillingContract {
    serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
        "metadata": {"name": "acme", "namespace": "billing"},
        "spec": {
            "providerRef": {"name": "zoo"}, "packageRef": reference,
            "zoo": {"organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "effectiveAt": format!("{start}T00:00:00Z")},
        },
    }))
    .unwrap()
}

/// The name of the package that a contract means.
fn meant(contract: &BillingContract, packages: &[&ContractPackage]) -> Result<Option<String>, Unusable> {
    Ok(of(contract, packages)?.map(ResourceExt::name_any))
}

fn by_alias_on(start: &str, packages: &[&ContractPackage]) -> Result<Option<String>, Unusable> {
    meant(&contract(json!({"alias": "enterprise"}), start), packages)
}

fn enterprise(from: Value, until: Value) -> Value {
    json!([{"name": "enterprise", "startingAt": from, "endingBefore": until}])
}

#[test]
fn a_contract_without_a_reference_means_no_package() {
    assert_eq!(meant(&contract(json!(null), "2026-01-01"), &[]), Ok(None));
}

#[test]
fn a_contract_means_the_package_that_it_names_in_its_namespace() {
    let (a, b) = (package("a", 1, json!([])), package("b", 1, json!([])));
    let mut elsewhere = package("c", 1, json!([]));
    elsewhere.metadata.namespace = Some("sales".into());
    let packages = [&a, &b, &elsewhere];
    let named = |name: &str| meant(&contract(json!({"name": name}), "2026-01-01"), &packages);
    assert_eq!(named("b"), Ok(Some("b".to_owned())));
    assert!(
        matches!(named("c"), Err(Unusable::Missing(why)) if why.contains("ContractPackage c does not exist"))
    );
}

#[test]
fn an_alias_means_the_package_that_has_it_when_the_contract_starts() {
    let turn = json!("2027-01-01T00:00:00Z");
    let old = package("enterprise-2026", 1, enterprise(json!(null), turn.clone()));
    let new = package("enterprise-2027", 2, enterprise(turn, json!(null)));
    let packages = [&new, &old];
    assert_eq!(by_alias_on("2026-12-31", &packages), Ok(Some("enterprise-2026".to_owned())));
    assert_eq!(by_alias_on("2027-01-01", &packages), Ok(Some("enterprise-2027".to_owned())));
    assert!(
        matches!(by_alias_on("2026-12-31", &[&new]), Err(Unusable::Missing(why)) if why.contains("enterprise on 2026-12-31"))
    );
}

#[test]
fn of_two_packages_that_claim_an_alias_at_once_the_younger_is_refused() {
    let open = || enterprise(json!(null), json!(null));
    let (old, new) = (package("z", 1, open()), package("a", 2, open()));
    let packages = [&old, &new];
    assert_eq!(sound(&old, &packages), Ok(()));
    let refusal = sound(&new, &packages).unwrap_err();
    assert_eq!(refusal.reason, "AliasTaken");
    assert!(refusal.message.contains("billing/z has the alias enterprise"), "{}", refusal.message);
    assert_eq!(by_alias_on("2026-06-01", &packages), Ok(Some("z".to_owned())));
    let same_second = package("b", 1, open());
    assert!(sound(&same_second, &[&same_second, &old]).is_ok());
    assert!(sound(&old, &[&same_second, &old]).is_err());
}

#[test]
fn times_that_touch_do_not_overlap() {
    let time = |month: u8| json!(format!("2026-{month:02}-01T00:00:00Z"));
    let old = package("old", 1, enterprise(time(3), time(6)));
    let taken = |from: Value, until: Value| {
        let new = package("new", 2, enterprise(from, until));
        sound(&new, &[&old, &new]).is_err()
    };
    assert!(!taken(time(6), json!(null)));
    assert!(!taken(json!(null), time(3)));
    assert!(!taken(time(1), time(3)));
    assert!(taken(time(5), time(7)));
    assert!(taken(time(4), time(5)));
    assert!(taken(json!(null), time(4)));
    assert!(taken(json!(null), json!(null)));
}

#[test]
fn drafts_and_other_namespaces_claim_nothing() {
    let open = || enterprise(json!(null), json!(null));
    let mut draft = package("draft", 1, open());
    draft.spec.lifecycle = Lifecycle::Draft;
    let mut elsewhere = package("elsewhere", 1, open());
    elsewhere.metadata.namespace = Some("sales".into());
    let new = package("new", 2, open());
    assert_eq!(sound(&new, &[&draft, &elsewhere, &new]), Ok(()));
    assert_eq!(by_alias_on("2026-06-01", &[&draft, &new]), Ok(Some("new".to_owned())));
}

#[test]
fn metronome_aliases_belong_to_the_account() {
    let metronome = |name: &str, day, namespace: &str, provider: Value| {
        let spec = json!({
            "lifecycle": "Published", "aliases": [{"name": "pro"}], "providerRef": provider,
            "metronome": {"name": name},
        });
        let mut package = with_spec(name, day, spec);
        package.metadata.namespace = Some(namespace.to_owned());
        package
    };
    let shared = json!({"name": "shared", "kind": "ClusterBillingProvider"});
    let old = metronome("old", 1, "billing", shared.clone());
    let new = metronome("new", 2, "sales", shared);
    assert_eq!(sound(&new, &[&old, &new]).unwrap_err().reason, "AliasTaken");
    let old = metronome("old", 1, "billing", json!({"name": "own"}));
    let new = metronome("new", 2, "sales", json!({"name": "own"}));
    assert_eq!(sound(&new, &[&old, &new]), Ok(()));
}

#[test]
fn of_two_packages_with_one_key_in_one_account_the_younger_is_refused() {
    let keyed = |name: &str, day, provider: &str, key: Value| {
        let spec = json!({
            "lifecycle": "Published", "providerRef": {"name": provider},
            "metronome": {"name": name, "uniquenessKey": key},
        });
        with_spec(name, day, spec)
    };
    let (old, new) = (keyed("z", 1, "m", json!("pro")), keyed("a", 2, "m", json!("pro")));
    assert_eq!(sound(&old, &[&old, &new]), Ok(()));
    let refusal = sound(&new, &[&old, &new]).unwrap_err();
    assert_eq!(refusal.reason, "DuplicateClaim");
    assert!(refusal.message.contains("billing/z has the same"), "{}", refusal.message);
    for other in [
        keyed("z", 1, "m", json!("basic")),
        keyed("z", 1, "other", json!("pro")),
        keyed("z", 1, "m", json!(null)),
    ] {
        assert_eq!(sound(&new, &[&other, &new]), Ok(()));
    }
    let keyless = keyed("a", 2, "m", json!(null));
    assert_eq!(sound(&keyless, &[&old, &keyless]), Ok(()));
    let mut draft = old;
    draft.spec.lifecycle = Lifecycle::Draft;
    assert_eq!(sound(&new, &[&draft, &new]), Ok(()), "a draft claims nothing");
}

#[test]
fn a_metronome_package_can_be_used_once_the_billing_api_has_it() {
    let spec = json!({"lifecycle": "Published", "providerRef": {"name": "m"}, "metronome": {"name": "p"}});
    let mut package = with_spec("p", 1, spec);
    assert_eq!(sound(&package, &[]), Ok(()));
    assert!(matches!(created(&package), Err(Unusable::NotCreated(why)) if why.contains("ContractPackage p")));
    let package_id = Some("package-1".to_owned());
    package.status = Some(crate::api::ContractPackageStatus { package_id, ..Default::default() });
    assert_eq!(created(&package), Ok(()));
}

#[test]
fn a_draft_and_a_changed_package_cannot_be_used() {
    let mut package = package("p", 1, json!([]));
    let names = contract(json!({"name": "p"}), "2026-01-01");
    package.spec.lifecycle = Lifecycle::Draft;
    assert!(matches!(meant(&names, &[&package]), Err(Unusable::NotReady(why)) if why.contains("draft")));
    package.spec.lifecycle = Lifecycle::Published;
    let digest = Some(digest(&package.spec));
    package.status = Some(crate::api::ContractPackageStatus { digest, ..Default::default() });
    assert_eq!(meant(&names, &[&package]), Ok(Some("p".to_owned())));
    package.spec.zoo = serde_json::from_value(terms("100.00")).unwrap();
    assert_eq!(sound(&package, &[]), Ok(()), "the same terms written otherwise");
    package.spec.zoo = serde_json::from_value(terms("101")).unwrap();
    assert_eq!(sound(&package, &[]).unwrap_err().reason, "TermsChanged");
    assert!(
        matches!(meant(&names, &[&package]), Err(Unusable::NotReady(why)) if why.contains("restore them"))
    );
}

#[test]
fn an_archived_package_keeps_its_contracts_and_its_alias() {
    let mut package = package("p", 1, enterprise(json!(null), json!(null)));
    package.spec.lifecycle = Lifecycle::Archived;
    assert_eq!(by_alias_on("2026-06-01", &[&package]), Ok(Some("p".to_owned())));
}

#[test]
fn an_archived_package_makes_no_new_contract() {
    let plan = || {
        Decision::Write(Plan::new(&json!(null), &json!({}), Vec::new(), MoneyEffect::default(), Vec::new()))
    };
    let mut package = package("p", 1, json!([]));
    assert_eq!(ArchivedPackage::of(&package), None);
    package.spec.lifecycle = Lifecycle::Archived;
    let archived = ArchivedPackage::of(&package).unwrap();
    assert!(matches!(archived.allow(plan()), Decision::Refuse(why) if why.reason == "PackageArchived"));
    assert_eq!(archived.allow(Decision::InSync), Decision::InSync);
}

#[test]
fn a_package_that_breaks_the_rules_is_refused() {
    let mut wrong = package("p", 1, json!([]));
    wrong.spec.zoo.as_mut().unwrap().term.value = 0;
    let refusal = sound(&wrong, &[]).unwrap_err();
    assert_eq!(refusal.reason, "InvalidSpec");
    assert!(refusal.message.contains("spec.zoo.term.value"), "{}", refusal.message);
}

#[test]
fn what_cannot_be_is_the_contracts_fault() {
    let both = contract(json!({"name": "p", "alias": "p"}), "2026-01-01");
    assert!(matches!(meant(&both, &[]), Err(Unusable::Wrong(_))));
    let spec = json!({"lifecycle": "Published", "providerRef": {"name": "m"}, "metronome": {"name": "p"}});
    let other_api = with_spec("p", 1, spec);
    let names = contract(json!({"name": "p"}), "2026-01-01");
    assert!(
        matches!(meant(&names, &[&other_api]), Err(Unusable::Wrong(why)) if why.contains("another billing API"))
    );
}

#[test]
fn two_packages_have_a_name_in_common_where_one_is_in_the_way_of_the_other() {
    let of = |namespace: &str, kind: Option<&str>, alias: &str, key: Option<&str>| {
        let provider = kind.map(|kind| json!({"name": "prod", "kind": kind}));
        let spec = json!({"aliases": [{"name": alias}], "providerRef": provider,
            "metronome": {"name": "Pro", "uniquenessKey": key}});
        let mut package = with_spec("pro", 1, spec);
        package.metadata.namespace = Some(namespace.to_owned());
        package
    };
    let (near, far) = (Some("BillingProvider"), Some("ClusterBillingProvider"));
    let one = of("billing", near, "pro", Some("k"));
    for (other, expected) in [
        (of("billing", near, "pro", None), true),
        (of("billing", near, "basic", Some("k")), true),
        (of("billing", None, "pro", None), true),
        (of("billing", near, "basic", Some("l")), false),
        (of("sales", near, "pro", Some("k")), false),
        (of("sales", None, "pro", Some("k")), false),
    ] {
        let has_one = |one: &ContractPackage, other: &ContractPackage| {
            names(one).iter().any(|name| names(other).contains(name))
        };
        assert_eq!((has_one(&one, &other), has_one(&other, &one)), (expected, expected), "{other:?}");
    }
    // A provider of the cluster is one account in every namespace.
    let shared = names(&of("billing", far, "pro", None));
    assert!(names(&of("sales", far, "pro", None)).iter().any(|name| shared.contains(name)));
}
