//! The protocol with Metronome's planner: found by id, key or stamp, created once, edited after the last edit.

use super::*;
use crate::{
    api::{ContractPackage, reasons},
    plan::metronome::{AccountSettings, ContractPlanner},
};

pub(super) const LISTED: &str = "Contracts {";
pub(super) const BY_ID: &str = "Contract(";
pub(super) const CREATE: &str = "Create v1/contracts/create";
pub(super) const EDIT: &str = "Edit v2/contracts/edit";
const KEYS: &str = "CustomFieldKeys";

pub(super) fn account(stamp_cluster: Option<&str>) -> AccountSettings {
    AccountSettings { key_prefix: "test".into(), stamp_cluster: stamp_cluster.map(str::to_owned) }
}

pub(super) fn planner(contract: &BillingContract) -> ContractPlanner {
    ContractPlanner::new(contract, None, None, &account(None)).unwrap()
}

/// A contract of a customer, with these further members of its terms.
pub(super) fn bench(members: Value) -> Bench<ContractPlanner> {
    let mut terms = json!({"customerId": "customer-1", "startingAt": "2026-01-01T00:00:00Z", "name": "Acme"});
    for (name, value) in members.as_object().unwrap() {
        match value {
            Value::Null => drop(terms.as_object_mut().unwrap().remove(name)),
            value => terms[name] = value.clone(),
        }
    }
    let spec = json!({"providerRef": {"name": "metronome"}, "metronome": terms});
    Bench::with(Api::Metronome, &spec, planner)
}

/// A resource that has its contract, `c-1`, on record.
pub(super) fn holding() -> Bench<ContractPlanner> {
    let mut bench = bench(json!({}));
    bench.pass(&[listed(json!({})), found(json!({})), done("in_sync")]);
    bench
}

/// The contract as Metronome tells it, with these members otherwise.
pub(super) fn told(members: Value) -> Value {
    let mut told = json!({
        "id": "c-1", "customer_id": "customer-1", "uniqueness_key": "contract:test/billing/acme", "name": "Acme",
        "starting_at": "2026-01-01T00:00:00Z", "commits": [], "overrides": [], "scheduled_charges": [],
        "transitions": [], "usage_filter": [],
    });
    told.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    told
}

/// The customer has this contract.
pub(super) fn listed(members: Value) -> Row {
    read(LISTED, json!([told(members)]))
}

/// The customer has no contract.
pub(super) fn none() -> Row {
    read(LISTED, json!([]))
}

/// The contract, read by its ID.
pub(super) fn found(members: Value) -> Row {
    read(BY_ID, told(members))
}

pub(super) fn created() -> Row {
    taken(CREATE, json!({"id": "c-1"}))
}

/// The history of edits, whose last one has this ID; empty when there was none.
fn last_edit(id: &str) -> Row {
    let edit = json!({"id": id, "timestamp": "2026-05-01T00:00:00Z"});
    read("Edits(", if id.is_empty() { json!([]) } else { json!([edit]) })
}

/// What was written for a spec that has gone again may be beside the contract, until one is in force.
pub(super) fn nothing_beside() -> Row {
    read("Balances {", json!([]))
}

fn edited() -> Row {
    taken(EDIT, json!({"id": "c-1"}))
}

fn set_name(bench: &mut Bench<ContractPlanner>, name: &str) {
    bench.contract.spec.metronome.as_mut().unwrap().name = Some(name.to_owned().into());
    bench.change();
}

#[test]
fn a_contract_is_created_once_and_read_by_its_id() {
    let mut bench = bench(json!({}));
    let result = bench.pass(&[none(), created(), found(json!({})), done("applied")]);
    assert_eq!(result.created_id.as_deref(), Some("c-1"));
    assert_eq!(result.snapshot.unwrap().state, "active");
    assert_eq!(bench.status().customer_id.as_deref(), Some("customer-1"));
    bench.pass(&[found(json!({})), done("in_sync")]);
    assert_eq!(bench.sent, []);
}

#[test]
fn a_reply_about_something_else_is_not_believed() {
    let mut bench = holding();
    for other in [json!({"id": "c-2"}), json!({"id": ""}), json!({"customer_id": "customer-2"})] {
        set_name(&mut bench, "Acme 2027");
        bench.pass(&[found(other), done("waiting BillingUnreachable")]);
        assert_eq!(bench.contract_id().as_deref(), Some("c-1"));
    }
    // A list that tells somebody else's contracts may lack this customer's.
    let mut bench = self::bench(json!({}));
    bench.pass(&[listed(json!({"customer_id": "customer-2"})), done("waiting BillingUnreachable")]);
    assert_eq!(bench.sent, []);
}

#[test]
fn a_contract_that_stands_on_two_pages_of_a_list_is_one() {
    let account = account(Some("prod"));
    let stamp = json!({"countersign_cluster": "prod", "countersign_namespace": "billing", "countersign_name": "acme"});
    let stamped = || told(json!({"uniqueness_key": "by-hand", "custom_fields": stamp}));
    let planner =
        move |contract: &BillingContract| ContractPlanner::new(contract, None, None, &account).unwrap();
    let terms = json!({"customerId": "customer-1", "startingAt": "2026-01-01T00:00:00Z", "name": "Acme"});
    let spec = json!({"providerRef": {"name": "metronome"}, "metronome": terms});
    let mut bench = Bench::with(Api::Metronome, &spec, planner);
    bench.pass(&[read(LISTED, json!([stamped(), stamped()])), read(BY_ID, stamped()), done("in_sync")]);
    assert_eq!(bench.contract_id().as_deref(), Some("c-1"));
}

#[test]
fn what_a_lost_create_made_is_found_by_its_key() {
    for reply in [failed(CREATE, unknown()), taken(CREATE, json!({"ok": true}))] {
        let mut bench = bench(json!({}));
        bench.pass(&[none(), reply, done("unconfirmed")]);
        bench.pass(&[listed(json!({})), found(json!({})), done("in_sync")]);
        assert_eq!(bench.contract_id().as_deref(), Some("c-1"));
    }
}

#[test]
fn what_a_lost_create_made_is_found_and_waited_for_though_the_key_is_another_one_by_then() {
    let lost = || {
        let mut bench = bench(json!({}));
        bench.pass(&[none(), failed(CREATE, unknown()), done("unconfirmed")]);
        let terms = bench.contract.spec.metronome.as_mut().unwrap();
        terms.uniqueness_key = Some("another".into());
        bench.change();
        bench.pass(&[none(), done("waiting OtherContractHeld")]);
        bench
    };
    for key in ["test/billing/acme", "contract:test/billing/acme"] {
        let told = json!({"uniqueness_key": key});
        let mut bench = lost();
        let ends = done("refused ImmutableField");
        bench.pass(&[listed(told.clone()), found(told.clone()), nothing_beside(), nothing_beside(), ends]);
        // The key is restored, as the refusal says.
        bench.contract.spec.metronome.as_mut().unwrap().uniqueness_key = None;
        bench.change();
        bench.pass(&[listed(told.clone()), found(told), nothing_beside(), nothing_beside(), done("in_sync")]);
        assert_eq!(bench.contract_id().as_deref(), Some("c-1"));
    }
    // What somebody else's key has made is nobody's word.
    let others = json!({"uniqueness_key": "2026:test/billing/acme", "starting_at": "2020-01-01T00:00:00Z"});
    lost().pass(&[listed(others), done("waiting OtherContractHeld")]);
    let mut bench = lost();
    // It may be carried out half a minute late, and show as much later.
    bench.later(59);
    bench.pass(&[none(), done("waiting OtherContractHeld")]);
    bench.later(1);
    bench.pass(&[none(), failed(CREATE, rejected()), done("refused Rejected")]);
}

#[test]
fn a_key_that_nothing_that_is_listed_has_is_another_customer_s() {
    let mut bench = bench(json!({}));
    bench.pass(&[none(), failed(CREATE, key_used()), none(), done("unconfirmed")]);
    bench.pass(&[none(), done("unconfirmed")]);
    bench.pass(&[none(), done("refused UniquenessKeyTaken")]);
    bench.pass(&[none(), done("refused UniquenessKeyTaken")]);
}

#[test]
fn an_archived_contract_with_the_key_is_in_the_way() {
    let archived = listed(json!({"archived_at": "2026-05-01T00:00:00Z"}));
    bench(json!({})).pass(&[
        none(),
        failed(CREATE, key_used()),
        archived,
        done("refused UniquenessKeyTaken"),
    ]);
}

#[test]
fn a_contract_that_is_listed_and_cannot_be_read_is_not_created_anew() {
    bench(json!({})).pass(&[listed(json!({})), absent(BY_ID), done("waiting BillingUnreachable")]);
}

#[test]
fn a_contract_on_record_that_is_neither_read_nor_listed_is_not_created_anew() {
    holding().pass(&[absent(BY_ID), none(), done("refused ContractNotFound")]);
}

#[test]
fn a_reply_that_is_no_contract_is_none() {
    bench(json!({})).pass(&[read(LISTED, json!([{"id": "c-1"}])), done("waiting BillingUnreachable")]);
    holding().pass(&[read(BY_ID, json!({"id": "c-1"})), done("waiting BillingUnreachable")]);
}

#[test]
fn an_edit_follows_the_last_edit_and_is_the_same_when_it_is_tried_again() {
    let mut bench = holding();
    set_name(&mut bench, "Acme 2027");
    let lost = [found(json!({})), last_edit("e-1"), failed(EDIT, unknown()), done("unconfirmed")];
    bench.pass(&lost);
    assert_eq!(bench.write().unwrap().after_edit.as_deref(), Some("e-1"));
    let first = bench.sent.clone();
    bench.later(60);
    // It follows the same edit, whatever the last one is by now: that may be this very one.
    let renamed = || found(json!({"name": "Acme 2027"}));
    let again = [last_edit("e-2"), failed(EDIT, key_used()), renamed(), nothing_beside(), nothing_beside()];
    let looked = [found(json!({})), nothing_beside(), nothing_beside()];
    bench.pass(&[&looked[..], &again[..], &[done("applied")]].concat());
    assert_eq!(bench.sent, first);
    assert_eq!(bench.write(), None);
    bench.pass(&[renamed(), done("in_sync")]);
}

#[test]
fn another_edit_waits_until_reads_have_caught_up() {
    let mut bench = holding();
    set_name(&mut bench, "Acme 2027");
    bench.pass(&[found(json!({})), last_edit(""), failed(EDIT, unknown()), done("unconfirmed")]);
    set_name(&mut bench, "Acme 2028");
    bench.later(29);
    let looked = [found(json!({})), nothing_beside(), nothing_beside(), last_edit("")];
    bench.pass(&[&looked[..], &[done("not_in_force")]].concat());
    bench.later(1);
    let renamed = [found(json!({"name": "Acme 2028"})), nothing_beside(), nothing_beside()];
    bench.pass(&[&looked[..], &[edited()], &renamed[..], &[done("applied")]].concat());
}

#[test]
fn an_alias_is_asked_for_anew_before_a_create_and_not_while_a_contract_is_held() {
    let mut bench = bench(json!({"customerId": null, "customerAlias": "acme"}));
    let alias = |fact| read(fact, json!("customer-1"));
    let fresh = "CustomerByAlias { alias: \"acme\", is_fresh: true }";
    let held = "CustomerByAlias { alias: \"acme\", is_fresh: false }";
    bench.pass(&[alias(fresh), none(), created(), found(json!({})), done("applied")]);
    bench.pass(&[alias(held), found(json!({})), done("in_sync")]);
    // It has moved: the contract stays where it is.
    let moved = read(held, json!("customer-2"));
    bench.pass(&[moved, done("refused ImmutableField")]);
    for told in [absent(held), read(held, json!(7))] {
        bench.pass(&[told, done("waiting BillingUnreachable")]);
    }
    bench.pass(&[Row::Read(held, Err(not_found())), done("refused CustomerNotFound")]);
}

#[test]
fn a_spec_that_names_another_customer_finds_nothing_there() {
    let mut bench = holding();
    bench.contract.spec.metronome.as_mut().unwrap().customer_id = Some("customer-2".to_owned().into());
    bench.pass(&[done("refused ImmutableField")]);
}

#[test]
fn keys_of_the_stamp_are_registered_by_the_plan_before_anything_is_stamped() {
    let mut bench = bench(json!({}));
    bench.planner =
        Box::new(|contract| ContractPlanner::new(contract, None, None, &account(Some("prod"))).unwrap());
    bench.annotate(crate::api::REVISION, "main@sha1:0123");
    let add = || taken("Other v1/customFields/addKey", json!({}));
    let some = json!([{"entity": "contract", "key": "countersign_cluster"}]);
    let rows = || vec![none(), read(KEYS, some.clone()), add(), add(), add(), add(), add(), add(), add()];
    let stamp = json!({"countersign_cluster": "prod", "countersign_namespace": "billing", "countersign_name": "acme",
        "countersign_revision": "main@sha1:0123"});
    let stamped = || found(json!({"custom_fields": stamp}));
    let mut failing = rows();
    failing.extend([failed(CREATE, CallError::NotLeader), done("waiting NotLeader")]);
    bench.pass(&failing);
    let create = bench.sent.last().unwrap().clone();
    assert_eq!(bench.write().map(|write| write.digest), Some(create.fingerprint), "keys recognise nothing");
    assert!(create.body.contains("countersign_revision"), "{}", create.body);
    let mut working = rows();
    working.extend([created(), stamped(), done("applied")]);
    bench.pass(&working);
    // A rebuilt cluster finds it by its stamp, though it has another key.
    bench.contract.status = None;
    let fields = json!({"uniqueness_key": "another", "custom_fields": stamp});
    bench.pass(&[listed(fields.clone()), found(fields), done("in_sync")]);
    bench.contract.status = None;
    bench.pass(&[
        none(),
        absent(KEYS),
        failed("Other v1/customFields/addKey", rejected()),
        done("refused Rejected"),
    ]);
    assert_eq!((bench.write(), bench.contract_id()), (None, None));
}

#[test]
fn a_contract_from_a_package_is_made_only_for_a_customer_who_is_billed_as_the_package_says() {
    let package = |billing: Value| {
        let mut told = json!({"id": "package-1", "name": "Pro", "commits": []});
        told.as_object_mut().unwrap().extend(billing.as_object().unwrap().clone());
        read("Package {", told)
    };
    let stripe = json!({"billing_provider": "stripe", "delivery_method": "direct_to_billing_provider"});
    let made = [
        created(),
        found(json!({})),
        read("LegacyContract(", json!({"package_id": "package-1"})),
        done("applied"),
    ];
    let fresh = || bench(json!({"packageId": "package-1"}));
    let configurations = |told| read("BillingConfigurations {", told);
    let mismatch = fresh().pass(&[
        none(),
        package(stripe.clone()),
        configurations(json!([])),
        done("refused BillingConfigurationMismatch"),
    ]);
    assert_eq!(mismatch.requeue, Requeue::After(std::time::Duration::from_mins(5)));
    fresh().pass(&[
        none(),
        package(stripe.clone()),
        absent("BillingConfigurations {"),
        done("refused BillingConfigurationMismatch"),
    ]);
    let before = [none(), package(stripe.clone()), configurations(json!([stripe]))];
    fresh().pass(&[&before[..], &made[..]].concat());
    // A package that does not say how it is billed, or is not there, keeps nobody from trying.
    fresh().pass(&[&[none(), package(json!({}))][..], &made[..]].concat());
    fresh().pass(&[&[none(), absent("Package {")][..], &made[..]].concat());
}

fn sheet(lifecycle: &str) -> ContractPackage {
    serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractPackage",
        "metadata": {"name": "pro", "namespace": "billing"}, "status": {"packageId": "package-1"},
        "spec": {"lifecycle": lifecycle, "providerRef": {"name": "metronome"}, "metronome": {
            "name": "Pro", "billingProvider": "stripe", "deliveryMethod": "direct_to_billing_provider"}},
    }))
    .unwrap()
}

#[test]
fn a_package_by_its_resource_says_itself_how_it_is_billed_and_makes_nothing_once_archived() {
    let from_sheet = |sheet: ContractPackage| {
        let mut bench = bench(json!({}));
        bench.contract.spec.package_ref = Some(serde_json::from_value(json!({"name": "pro"})).unwrap());
        bench.planner = Box::new(move |contract| {
            ContractPlanner::new(contract, Some(&sheet), None, &account(None)).unwrap()
        });
        bench
    };
    let from = |lifecycle| from_sheet(sheet(lifecycle));
    from("Published").pass(&[
        none(),
        read("BillingConfigurations {", json!([])),
        done("refused BillingConfigurationMismatch"),
    ]);
    from("Archived").pass(&[none(), done("refused PackageArchived")]);
    let legacy = || read("LegacyContract(", json!({"package_id": "package-1"}));
    // One that does not say how it is billed is not asked for in billing, which could only say the same.
    let mut silent = sheet("Published");
    let terms = silent.spec.metronome.as_mut().unwrap();
    (terms.billing_provider, terms.delivery_method) = (None, None);
    from_sheet(silent).pass(&[none(), created(), found(json!({})), legacy(), done("applied")]);
    from("Archived").pass(&[listed(json!({})), found(json!({})), legacy(), done("in_sync")]);
    // What is there goes on, though nothing is on record of it.
    from("Archived").pass(&[
        listed(json!({"name": "Another"})),
        found(json!({"name": "Another"})),
        legacy(),
        last_edit(""),
        edited(),
        listed(json!({})),
        found(json!({})),
        legacy(),
        done("applied"),
    ]);
    let of_another = read("LegacyContract(", json!({"package_id": "package-2"}));
    from("Published").pass(&[
        listed(json!({})),
        found(json!({})),
        of_another,
        done("refused ImmutableField"),
    ]);
    from("Published").pass(&[
        listed(json!({})),
        found(json!({})),
        absent("LegacyContract("),
        done("in_sync"),
    ]);
}

#[test]
fn a_spec_without_terms_of_metronome_or_with_wrong_ones_is_refused() {
    let mut contract = bench(json!({})).contract;
    contract.spec.metronome = None;
    let refusal = ContractPlanner::new(&contract, None, None, &account(None)).unwrap_err();
    assert_eq!(refusal.reason, reasons::INVALID_SPEC);
    assert!(refusal.message.contains("`spec.metronome`"), "{}", refusal.message);
    bench(json!({"endingBefore": "2025-01-01T00:00:00Z"})).pass(&[done("refused InvalidSpec")]);
    let mut bench = bench(json!({"customerId": null}));
    bench.pass(&[done("refused InvalidSpec")]);
    // It may be wrong about what it claims.
    bench.claimed = Some(Refusal { reason: reasons::DUPLICATE_CLAIM, message: "no".into() });
    bench.pass(&[done("refused InvalidSpec")]);
}

#[test]
fn what_lies_beside_a_contract_is_foreseen_by_the_plan_that_makes_the_contract_and_by_no_other() {
    let schedule = json!({"scheduleItems": [
        {"amount": "100", "startingAt": "2026-01-01T00:00:00Z", "endingBefore": "2027-01-01T00:00:00Z"}]});
    let credit = json!({"key": "gift", "productId": "0e3b5a52-5c0f-4e70-9d3c-0c1a4ea6a101", "priority": "1",
        "accessSchedule": schedule});
    let foreseen = |bench: &Bench<ContractPlanner>, reads: &[Row]| {
        let mut machine = bench.machine();
        for row in reads {
            let (Step::Read(need), Row::Read(_, told)) = (machine.next(now()), row) else {
                panic!("{row:?}")
            };
            machine.told(&need, told.clone(), now());
        }
        assert!(matches!(machine.next(now()), Step::Confirm));
        let calls = machine.foreseen(now()).unwrap().calls;
        calls.iter().map(call_name).collect::<Vec<_>>()
    };
    let with_credit = bench(json!({"customerCredits": [credit]}));
    let beside = "Add v1/contracts/customerCredits/create";
    assert_eq!(foreseen(&with_credit, &[none()]), [CREATE, beside]);
    let reads = [listed(json!({})), found(json!({})), read("Balances {", json!([]))];
    assert_eq!(foreseen(&with_credit, &reads), [beside], "the plan itself makes it");
}

#[test]
fn an_edit_that_the_account_may_not_make_is_not_even_prepared_again() {
    let error = || CallError::EditNotEnabled { message: "contact us".into() };
    let mut bench = holding();
    set_name(&mut bench, "Acme 2027");
    bench.pass(&[found(json!({})), last_edit(""), failed(EDIT, error()), done("refused EditNotEnabled")]);
    assert_eq!(bench.write(), None);
    bench.pass(&[found(json!({})), nothing_beside(), nothing_beside(), done("refused EditNotEnabled")]);
}

#[test]
fn what_a_planner_did_not_ask_for_is_not_taken() {
    use crate::plan::metronome::Need;
    let bench = bench(json!({}));
    let mut planner = planner(&bench.contract);
    let on_package = Need::ContractsOnPackage { package_id: "p".into() };
    for need in [Need::Packages, on_package] {
        planner.learn(&need, Some(json!([])), now()).unwrap();
    }
    let (recorded, policy) = (Recorded::default(), Policy::default());
    assert_eq!((planner.customer_id(), planner.digest(), planner.last_edit()), (None, None, None));
    assert_eq!(planner.snapshot(&recorded, now()), None);
    let asked = planner.observe(&recorded, &policy, now());
    assert_eq!(asked, Err(Need::Contracts { customer_id: "customer-1".into() }));
    assert_eq!(planner.customer_id(), Some("customer-1"));
}
