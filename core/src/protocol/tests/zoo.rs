//! The protocol with Zoo's planner: one read, one replace, and a reply that is the contract as it is now.

use super::*;
use crate::{
    api::{APPROVED_PLAN, ContractPackage, contract::ManagementPolicy, reasons},
    plan::{Holder, Holders, Others, Sought, zoo::ContractPlanner},
    terms::{json::parse_exact, zoo::SHAPE},
};

const READ: &str = "Contract {";
const REPLACE: &str = "Replace orgs/6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11/billing/contract";

/// The terms of a spec.
fn terms(name: &str, status: &str) -> Value {
    json!({
        "organizationId": "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11", "name": name, "status": status, "provider": "stripe",
        "billingCadence": "annual", "commitmentScope": "pooled", "rolloverPolicy": "none", "currency": "USD",
        "effectiveAt": "2026-01-01T00:00:00Z", "termEndAt": "2027-01-01T00:00:00Z",
        "items": [{"code": "licensed_api_credits", "displayName": "API credits", "kind": "usage_tiered", "unit": "minute",
                   "active": true, "isCommitmentEligible": false,
                   "rateTiers": [{"tierStartInclusive": 0, "unitPrice": "0.50"}]}],
        "periods": [{"periodIndex": 0, "periodStartAt": "2026-01-01T00:00:00Z", "periodEndAt": "2027-01-01T00:00:00Z",
                     "commitmentAmount": "100.00"}],
    })
}

fn planner(contract: &BillingContract) -> ContractPlanner {
    ContractPlanner::new(&contract.spec, None).unwrap()
}

fn bench(terms: &Value) -> Bench<ContractPlanner> {
    Bench::with(Api::Zoo, &json!({"providerRef": {"name": "zoo"}, "zoo": terms}), planner)
}

/// A resource that has its contract, `c-1`, on record.
fn holding(terms: &Value) -> Bench<ContractPlanner> {
    let mut bench = bench(terms);
    bench.pass(&[read(READ, told(terms, "c-1")), done("in_sync")]);
    bench
}

/// A contract as Zoo tells it.
fn told(terms: &Value, id: &str) -> Value {
    let wire = serde_json::to_string(&SHAPE.wire(terms)).unwrap();
    let mut told = parse_exact(&wire).unwrap();
    let ids = json!({"contract_id": id, "account_id": "a-1", "status": terms["status"]});
    told.as_object_mut().unwrap().extend(ids.as_object().unwrap().clone());
    told
}

fn set_name(bench: &mut Bench<ContractPlanner>, name: &str) {
    bench.contract.spec.zoo = serde_json::from_value(terms(name, "active")).unwrap();
    bench.change();
}

#[test]
fn a_contract_is_made_by_one_replace_whose_reply_settles_it() {
    let terms = terms("Acme", "active");
    let mut bench = bench(&terms);
    let result = bench.pass(&[absent(READ), taken(REPLACE, told(&terms, "c-1")), done("applied")]);
    assert_eq!(bench.contract_id().as_deref(), Some("c-1"));
    assert_eq!(bench.status().customer_id.as_deref(), Some("6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11"));
    let snapshot = result.snapshot.unwrap();
    let committed: Vec<_> = snapshot.committed_value.iter().map(|sum| (sum.amount, &*sum.currency)).collect();
    assert_eq!((snapshot.is_shown, committed), (true, vec![("100".parse().ok(), "USD")]));
    assert_eq!((bench.write(), result.created_id), (None, None));
    bench.pass(&[read(READ, told(&terms, "c-1")), done("in_sync")]);
    assert_eq!(bench.sent, []);
}

#[test]
fn a_lost_replace_is_recognised_by_what_was_sent() {
    let old = terms("Acme", "active");
    let mut bench = bench(&old);
    bench.pass(&[absent(READ), failed(REPLACE, unknown()), done("unconfirmed")]);
    set_name(&mut bench, "Acme 2027");
    let new = terms("Acme 2027", "active");
    // It differs from the spec, and is ours all the same.
    bench.pass(&[read(READ, told(&old, "c-1")), taken(REPLACE, told(&new, "c-1")), done("applied")]);
    assert_eq!(bench.contract_id().as_deref(), Some("c-1"));
}

#[test]
fn what_is_not_shown_to_be_ours_is_not_replaced() {
    let mut bench = bench(&terms("Acme", "active"));
    let theirs = || read(READ, told(&terms("By hand", "active"), "c-9"));
    let result = bench.pass(&[theirs(), done("refused ContractExists")]);
    assert_eq!(result.snapshot, None);
    bench.goal = ending(DeletionPolicy::Cancel);
    bench.pass(&[theirs(), done("ended")]);
    // That it says what the spec says is no proof, and no proof of the contrary.
    let same = || read(READ, told(&terms("Acme", "active"), "c-9"));
    bench.pass(&[same(), done("refused OwnershipUnproven")]);
    assert_eq!(bench.sent, []);
}

#[test]
fn a_create_that_a_kill_kept_off_the_record_is_not_left_without_a_word_whatever_the_spec_says_by_then() {
    let mut bench = bench(&terms("Acme", "active"));
    // It was created, and the operator killed before it could say so; then Git changes, and the resource is deleted.
    set_name(&mut bench, "Acme 2027");
    bench.contract.metadata.generation = Some(3);
    bench.contract.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-06-01T10:00:00Z")).unwrap());
    bench.goal = ending(DeletionPolicy::Cancel);
    let made = || read(READ, told(&terms("Acme", "active"), "c-1"));
    for _ in 0..2 {
        bench.pass(&[made(), done("refused OwnershipUnproven")]);
    }
    assert_eq!(bench.sent, []);
    // One that was told of its last spec before it was deleted has made nothing that is not on record.
    bench.contract.status = Some(serde_json::from_value(json!({"observedGeneration": 2})).unwrap());
    bench.pass(&[made(), done("ended")]);
}

#[test]
fn what_a_process_that_was_killed_has_made_is_its_own_though_git_has_changed() {
    let (old, new) = (terms("Acme", "active"), terms("Acme 2027", "active"));
    for before in [None, Some("c-0")] {
        let mut bench = if before.is_some() { holding(&terms("Acme 2025", "active")) } else { bench(&old) };
        let there = || match before {
            Some(_) => read(READ, told(&terms("Acme 2025", "active"), "c-1")),
            None => absent(READ),
        };
        set_name(&mut bench, "Acme");
        bench.killed(&[there(), taken(REPLACE, told(&old, "c-2"))]);
        set_name(&mut bench, "Acme 2027");
        // It has another ID, differs from the spec, and no status tells of it.
        bench.pass(&[read(READ, told(&old, "c-2")), taken(REPLACE, told(&new, "c-2")), done("applied")]);
        assert_eq!(bench.contract_id().as_deref(), Some("c-2"), "{before:?}");
    }
}

#[test]
fn an_approval_that_came_with_its_change_is_used_by_a_process_that_is_killed_with_it() {
    let (old, new) = (terms("Acme", "active"), terms("Acme 2027", "active"));
    let before = || read(READ, told(&old, "c-1"));
    let approving = |digest: &str| {
        let mut bench = holding(&old);
        bench.contract.spec.management_policy = ManagementPolicy::Plan;
        set_name(&mut bench, "Acme 2027");
        bench.annotate(APPROVED_PLAN, digest);
        bench
    };
    // Whoever changes Git knows the plan beforehand.
    let mut asked = approving("none yet");
    asked.pass(&[before(), done("awaiting_approval")]);
    let digest = asked.status().plan.unwrap().digest;

    let mut bench = approving(digest.as_str());
    bench.killed(&[before(), taken(REPLACE, told(&new, "c-1"))]);
    let result = bench.pass(&[read(READ, told(&new, "c-1")), done("in_sync")]);
    assert_eq!(result.begun.as_ref(), Some(&digest));
    assert_eq!(status::contract::spent(&bench.contract, &bench.status(), &result), [digest.clone(), digest]);
    // Somebody undoes it in billing: that is another day's difference.
    bench.pass(&[before(), done("awaiting_approval")]);
}

#[test]
fn what_a_process_that_was_killed_has_made_ends_with_its_resource() {
    let old = terms("Acme", "active");
    let mut bench = bench(&old);
    bench.killed(&[absent(READ), taken(REPLACE, told(&old, "c-1"))]);
    set_name(&mut bench, "Acme 2027");
    bench.goal = ending(DeletionPolicy::Cancel);
    let ended = told(&terms("Acme", "canceled"), "c-1");
    bench.pass(&[read(READ, told(&old, "c-1")), taken(REPLACE, ended), done("ended")]);
}

#[test]
fn what_others_make_after_a_kill_is_theirs() {
    let old = terms("Acme", "active");
    let mut bench = bench(&old);
    // It never arrived.
    bench.killed(&[absent(READ), taken(REPLACE, told(&old, "c-1"))]);
    let theirs = read(READ, told(&terms("By hand", "active"), "c-9"));
    bench.pass(&[theirs, done("refused ContractExists")]);
    assert_eq!(bench.sent, []);
}

#[test]
fn one_404_of_a_held_contract_writes_nothing_and_is_looked_at_again_soon() {
    let old = terms("Acme", "active");
    let mut bench = holding(&old);
    let result = bench.pass(&[absent(READ), done("waiting HeldContractMissing")]);
    assert_eq!(result.requeue, Requeue::Backoff(std::time::Duration::ZERO));
    assert_eq!(bench.contract_id().as_deref(), Some("c-1"), "it stays on record");
    set_name(&mut bench, "Acme 2027");
    bench.pass(&[absent(READ), done("waiting HeldContractMissing")]);
    // It is back: what the spec leaves out is carried over.
    let mut back = told(&old, "c-1");
    back["periods"][0]["status"] = json!("closed");
    back["periods"][0]["rollover_out_amount"] = json!(5000);
    back["notes"] = json!("theirs");
    let new = told(&terms("Acme 2027", "active"), "c-1");
    bench.pass(&[read(READ, back), taken(REPLACE, new), done("applied")]);
    let body = &bench.sent[0].body;
    for part in ["\"notes\":\"theirs\"", "\"status\":\"closed\"", "\"rollover_out_amount\":5000"] {
        assert!(body.contains(part), "{body}");
    }
}

#[test]
fn a_held_contract_that_is_gone_is_made_anew_once_its_digest_is_approved() {
    let wanted = terms("Acme", "active");
    let mut bench = holding(&wanted);
    bench.pass(&[absent(READ), done("waiting HeldContractMissing")]);
    let message = bench.status().conditions[0].message.clone();
    let digest = message.split("approved-plan=").nth(1).unwrap().split(':').next().unwrap().to_owned();
    bench.annotate(crate::api::APPROVED_PLAN, &digest);
    bench.pass(&[absent(READ), taken(REPLACE, told(&wanted, "c-2")), done("applied")]);
    assert_eq!(bench.contract_id().as_deref(), Some("c-2"));
    bench.pass(&[absent(READ), done("waiting HeldContractMissing")]);
}

#[test]
fn a_held_contract_that_is_not_shown_when_it_is_to_end_keeps_its_resource() {
    let active = terms("Acme", "active");
    let mut bench = holding(&active);
    bench.goal = ending(DeletionPolicy::Cancel);
    bench.pass(&[absent(READ), done("waiting HeldContractMissing")]);
    bench.pass(&[read(READ, told(&active, "c-1")), failed(REPLACE, unknown()), done("unconfirmed")]);
    // The reply to the end was lost, and what has ended is not shown.
    bench.pass(&[absent(READ), done("ended")]);
}

#[test]
fn the_first_of_two_lost_replaces_is_ours_when_the_second_was_never_carried_out() {
    let first = terms("Acme", "active");
    let mut bench = bench(&first);
    bench.pass(&[absent(READ), failed(REPLACE, unknown()), done("unconfirmed")]);
    set_name(&mut bench, "Acme 2027");
    bench.pass(&[absent(READ), failed(REPLACE, unknown()), done("unconfirmed")]);
    set_name(&mut bench, "Acme 2028");
    let third = told(&terms("Acme 2028", "active"), "c-1");
    bench.pass(&[read(READ, told(&first, "c-1")), taken(REPLACE, third), done("applied")]);
}

#[test]
fn an_own_write_that_comes_late_is_corrected_where_drift_is_only_reported() {
    let old = terms("Acme", "active");
    let mut bench = holding(&old);
    bench.contract.spec.drift_policy = crate::api::contract::DriftPolicy::Report;
    set_name(&mut bench, "Acme 2027");
    bench.pass(&[read(READ, told(&old, "c-1")), failed(REPLACE, unknown()), done("unconfirmed")]);
    set_name(&mut bench, "Acme 2028");
    let (late, newest) = (terms("Acme 2027", "active"), terms("Acme 2028", "active"));
    bench.pass(&[read(READ, told(&old, "c-1")), taken(REPLACE, told(&newest, "c-1")), done("applied")]);
    bench.later(31);
    bench.pass(&[read(READ, told(&late, "c-1")), taken(REPLACE, told(&newest, "c-1")), done("applied")]);
    assert_eq!(bench.write(), None);
    // What somebody else changes is drift.
    let theirs = told(&terms("By hand", "active"), "c-1");
    bench.pass(&[read(READ, theirs), done("drifted")]);
}

#[test]
fn a_reply_that_is_no_contract_leaves_the_outcome_unknown() {
    let mut bench = bench(&terms("Acme", "active"));
    bench.pass(&[absent(READ), taken(REPLACE, json!({"ok": true})), done("unconfirmed")]);
    assert!(bench.write().is_some());
    bench.pass(&[read(READ, json!({"ok": true})), done("waiting BillingUnreachable")]);
    assert!(bench.write().is_some());
}

#[test]
fn a_reply_that_says_something_else_is_written_again_and_not_for_ever() {
    let (wanted, other) = (terms("Acme", "active"), terms("ACME", "active"));
    let mut bench = bench(&wanted);
    let replaced = || taken(REPLACE, told(&other, "c-1"));
    bench.pass(&[absent(READ), replaced(), replaced(), done("not_in_force")]);
    assert_eq!(bench.contract_id().as_deref(), Some("c-1"));
    let again = |end| [read(READ, told(&other, "c-1")), replaced(), done(end)];
    bench.pass(&again("not_in_force"));
    bench.pass(&again("refused NonConverging"));
    bench.pass(&[read(READ, told(&other, "c-1")), done("refused NonConverging")]);
}

#[test]
fn an_organization_that_is_not_there_is_named_with_the_field_to_check() {
    let mut bench = bench(&terms("Acme", "active"));
    let result = bench.pass(&[absent(READ), failed(REPLACE, not_found()), done("refused CustomerNotFound")]);
    let Outcome::Refused { refusal, blocked_plan: None } = result.outcome else { panic!() };
    assert!(refusal.message.contains("`spec.zoo.organizationId`"), "{}", refusal.message);
    assert_eq!(bench.write(), None);
}

#[test]
fn terms_that_are_wrong_are_refused_unread_and_the_contract_can_still_end() {
    let right = terms("Acme", "active");
    let mut bench = holding(&right);
    let mut wrong = right.clone();
    wrong["termEndAt"] = json!("2025-01-01T00:00:00Z");
    bench.contract.spec.zoo = serde_json::from_value(wrong).unwrap();
    bench.pass(&[done("refused InvalidSpec")]);
    let asked_anyway = planner(&bench.contract).plan(&Recorded::default(), &Policy::default(), now());
    assert!(matches!(asked_anyway, Ok(crate::plan::Decision::Refuse(_))));
    bench.goal = ending(DeletionPolicy::End);
    let closed = told(&terms("Acme", "closed"), "c-1");
    bench.pass(&[read(READ, told(&right, "c-1")), taken(REPLACE, closed), done("ended")]);
}

#[test]
fn a_spec_without_terms_of_zoo_is_refused() {
    let mut contract = bench(&terms("Acme", "active")).contract;
    contract.spec.zoo = None;
    let refusal = ContractPlanner::new(&contract.spec, None).unwrap_err();
    assert_eq!(refusal.reason, reasons::INVALID_SPEC);
    assert!(refusal.message.contains("`spec.zoo`"), "{}", refusal.message);
}

#[test]
fn no_new_contract_is_made_from_an_archived_package() {
    let package: ContractPackage = serde_json::from_value(json!({
        "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractPackage",
        "metadata": {"name": "pro", "namespace": "billing"},
        "spec": {"lifecycle": "Archived", "zoo": {"term": {"unit": "YEARS", "value": 1}}},
    }))
    .unwrap();
    let wanted = terms("Acme", "active");
    let mut bench = bench(&wanted);
    bench.contract.spec.zoo.as_mut().unwrap().term_end_at = None;
    bench.contract.spec.zoo.as_mut().unwrap().periods = None;
    let mut from_package = package.clone();
    from_package.spec.zoo = serde_json::from_value(json!({
        "term": {"unit": "YEARS", "value": 1},
        "periods": [{"duration": {"unit": "YEARS", "value": 1}, "commitmentAmount": "100.00"}],
    }))
    .unwrap();
    bench.planner =
        Box::new(move |contract| ContractPlanner::new(&contract.spec, Some(&from_package)).unwrap());
    bench.pass(&[absent(READ), done("refused PackageArchived")]);
    assert_eq!(bench.sent, []);
    // Those that there are stay as they are.
    bench.pass(&[read(READ, told(&wanted, "c-1")), done("in_sync")]);
}

#[test]
fn a_held_contract_is_ended_as_the_policy_says_and_settles() {
    let active = terms("Acme", "active");
    for (policy, status) in [(DeletionPolicy::End, "closed"), (DeletionPolicy::Cancel, "canceled")] {
        let mut bench = holding(&active);
        bench.goal = ending(policy);
        let ended = || told(&terms("Acme", status), "c-1");
        let result = bench.pass(&[read(READ, told(&active, "c-1")), taken(REPLACE, ended()), done("ended")]);
        assert!(matches!(result.outcome, Outcome::Ended { applied } if applied.len() == 1));
        assert!(bench.sent[0].body.contains(&format!(r#""status":"{status}""#)), "{}", bench.sent[0].body);
        bench.pass(&[absent(READ), done("ended")]);
        bench.pass(&[read(READ, ended()), done("ended")]);
    }
    let mut bench = holding(&active);
    bench.goal = ending(DeletionPolicy::Orphan);
    bench.pass(&[read(READ, told(&active, "c-1")), done("ended")]);
}

#[test]
fn a_contract_that_only_a_lost_replace_shows_to_be_ours_is_ended() {
    let active = terms("Acme", "active");
    let mut bench = bench(&active);
    bench.pass(&[absent(READ), failed(REPLACE, unknown()), done("unconfirmed")]);
    bench.goal = ending(DeletionPolicy::Cancel);
    let canceled = told(&terms("Acme", "canceled"), "c-1");
    bench.pass(&[read(READ, told(&active, "c-1")), taken(REPLACE, canceled), done("ended")]);
}

#[test]
fn a_scheduled_contract_that_is_not_shown_is_ended_while_nothing_stands_in_its_place() {
    let mut scheduled = terms("Acme", "scheduled");
    scheduled["effectiveAt"] = json!("2026-07-01T00:00:00Z");
    scheduled["termEndAt"] = json!("2027-07-01T00:00:00Z");
    scheduled["periods"][0]["periodStartAt"] = json!("2026-07-01T00:00:00Z");
    scheduled["periods"][0]["periodEndAt"] = json!("2027-07-01T00:00:00Z");
    let held = || {
        let mut bench = bench(&scheduled);
        let result = bench.pass(&[absent(READ), taken(REPLACE, told(&scheduled, "c-1")), done("applied")]);
        assert!(!result.snapshot.unwrap().is_shown);
        bench.pass(&[absent(READ), done("in_sync")]);
        bench.goal = ending(DeletionPolicy::Cancel);
        bench
    };
    let mut canceled = told(&scheduled, "c-1");
    canceled["status"] = json!("canceled");
    held().pass(&[absent(READ), taken(REPLACE, canceled), done("ended")]);
    held().pass(&[read(READ, told(&terms("Other", "active"), "c-2")), done("ended")]);
}

#[test]
fn an_end_whose_reply_says_otherwise_is_not_taken_for_one() {
    let active = terms("Acme", "active");
    let mut bench = holding(&active);
    bench.goal = ending(DeletionPolicy::Cancel);
    let still = || told(&active, "c-1");
    bench.pass(&[read(READ, still()), taken(REPLACE, still()), done("not_in_force")]);
}

#[test]
fn what_is_shown_in_the_place_of_ours_is_not_told_as_ours() {
    let wanted = terms("Acme", "active");
    let mut planner = planner(&bench(&wanted).contract);
    let mut recorded = Recorded { contract_id: Some("c-1".into()), ..Recorded::default() };
    assert_eq!(planner.snapshot(&recorded, now()), None);
    planner.remember(&mut recorded, now());
    assert_eq!(recorded.contract_id.as_deref(), Some("c-1"));
    let Err(need) = planner.observe(&recorded, &Policy::default(), now()) else { panic!() };
    assert_eq!(need.path(), "orgs/6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11/billing/contract");
    planner.learn(&need, Some(told(&terms("Other", "active"), "c-2")), now()).unwrap();
    assert_eq!(planner.snapshot(&recorded, now()), None);
    planner.learn(&need, Some(told(&wanted, "c-2")), now()).unwrap();
    assert_eq!(planner.snapshot(&recorded, now()).unwrap().contract_id, "c-2", "it says the same");
    planner.remember(&mut recorded, now());
    assert_eq!(recorded.contract_id.as_deref(), Some("c-2"));
    assert_eq!(planner.last_edit(), None);
}

#[test]
fn a_field_that_a_lost_replace_has_set_is_taken_out_when_it_leaves_the_spec() {
    let old = terms("Acme", "active");
    let mut with_notes = old.clone();
    with_notes["notes"] = json!("ours");
    for (notes, is_held) in [("ours", true), ("ours", false), ("theirs", true)] {
        let mut bench = if is_held { holding(&old) } else { bench(&old) };
        bench.contract.spec.zoo = serde_json::from_value(with_notes.clone()).unwrap();
        bench.change();
        let before = if is_held { read(READ, told(&old, "c-1")) } else { absent(READ) };
        bench.pass(&[before, failed(REPLACE, unknown()), done("unconfirmed")]);
        set_name(&mut bench, "Acme");
        let mut shown = told(&with_notes, "c-1");
        shown["notes"] = json!(notes);
        if notes == "theirs" {
            bench.pass(&[read(READ, shown), done("in_sync")]);
            continue;
        }
        bench.pass(&[read(READ, shown), taken(REPLACE, told(&old, "c-1")), done("applied")]);
        assert!(!bench.sent[0].body.contains("notes"), "{}", bench.sent[0].body);
    }
}

#[test]
fn what_a_lost_replace_has_set_of_an_item_or_a_period_is_taken_out_or_named_when_it_leaves_the_spec() {
    let old = terms("Acme", "active");
    for (list, name, value, told_as) in [
        ("items", "billingUnitGranularity", json!("minute"), "billing_unit_granularity"),
        ("periods", "rolloverInAmount", json!("500"), "rollover_in_amount"),
        ("periods", "rolloverOutAmount", json!("500.50"), "rollover_out_amount"),
        ("periods", "status", json!("closed"), "status"),
    ] {
        for is_held in [true, false] {
            let mut with_more = old.clone();
            with_more[list][0][name] = value.clone();
            let mut bench = if is_held { holding(&old) } else { bench(&old) };
            bench.contract.spec.zoo = serde_json::from_value(with_more.clone()).unwrap();
            bench.change();
            let before = if is_held { read(READ, told(&old, "c-1")) } else { absent(READ) };
            bench.pass(&[before, failed(REPLACE, unknown()), done("unconfirmed")]);
            set_name(&mut bench, "Acme");
            let shown = told(&with_more, "c-1");
            if list == "items" {
                bench.pass(&[read(READ, shown), taken(REPLACE, told(&old, "c-1")), done("applied")]);
                assert!(!bench.sent[0].body.contains(told_as), "{}", bench.sent[0].body);
            } else {
                let result = bench.pass(&[read(READ, shown), done("refused ImmutableField")]);
                let Outcome::Refused { refusal, .. } = &result.outcome else {
                    panic!("{:?}", result.outcome)
                };
                assert!(refusal.message.contains(&format!("/periods/0/{name}")), "{}", refusal.message);
            }
        }
    }
}

#[test]
fn a_field_that_was_just_taken_out_and_an_earlier_write_puts_back_is_taken_out_again() {
    let without = terms("Acme", "active");
    let mut with_notes = without.clone();
    with_notes["notes"] = json!("ours");
    let mut bench = bench(&with_notes);
    bench.pass(&[absent(READ), taken(REPLACE, told(&with_notes, "c-1")), done("applied")]);
    bench.later(5);
    set_name(&mut bench, "Acme");
    let cleared = || taken(REPLACE, told(&without, "c-1"));
    let result = bench.pass(&[read(READ, told(&with_notes, "c-1")), cleared(), done("applied")]);
    // The first write, delivered once more on its way, comes after the second; it is looked for once none can.
    assert_eq!(result.requeue, Requeue::Within(std::time::Duration::from_secs(26)));
    bench.later(26);
    bench.pass(&[read(READ, told(&with_notes, "c-1")), cleared(), done("applied")]);
    bench.later(31);
    bench.pass(&[read(READ, told(&without, "c-1")), done("in_sync")]);
    assert_eq!(bench.write(), None);
    // Later on, a note is somebody's own.
    bench.pass(&[read(READ, told(&with_notes, "c-1")), done("in_sync")]);
}

#[test]
fn what_leaves_the_spec_long_after_the_last_write_costs_no_further_look() {
    let without = terms("Acme", "active");
    let mut with_notes = without.clone();
    with_notes["notes"] = json!("ours");
    let mut bench = bench(&with_notes);
    bench.pass(&[absent(READ), taken(REPLACE, told(&with_notes, "c-1")), done("applied")]);
    bench.later(31);
    set_name(&mut bench, "Acme");
    let cleared = taken(REPLACE, told(&without, "c-1"));
    let result = bench.pass(&[read(READ, told(&with_notes, "c-1")), cleared, done("applied")]);
    assert_eq!((result.requeue, bench.write()), (Requeue::AfterSyncPeriod, None));
}

#[test]
fn what_a_lost_replace_has_made_is_on_record_although_it_is_only_reported() {
    let old = terms("Acme", "active");
    let mut bench = bench(&old);
    bench.pass(&[absent(READ), failed(REPLACE, unknown()), done("unconfirmed")]);
    bench.contract.spec.management_policy = ManagementPolicy::Observe;
    set_name(&mut bench, "Acme 2027");
    bench.pass(&[read(READ, told(&old, "c-1")), done("drifted")]);
    assert_eq!(bench.contract_id().as_deref(), Some("c-1"));
}

#[test]
fn a_contract_as_it_last_was_is_ours_under_another_id_too() {
    let old = terms("Acme", "active");
    let new = || told(&terms("Acme 2027", "active"), "c-2");
    let mut bench = holding(&old);
    set_name(&mut bench, "Acme 2027");
    let mut other = told(&old, "c-2");
    other["notes"] = json!("theirs");
    bench.pass(&[read(READ, other), done("refused ReplacedOutside")]);
    bench.pass(&[read(READ, told(&old, "c-2")), taken(REPLACE, new()), done("applied")]);
    assert_eq!(bench.contract_id().as_deref(), Some("c-2"));
}

#[test]
fn a_contract_as_it_last_was_is_ended_under_another_id_too() {
    let old = terms("Acme", "active");
    let mut bench = holding(&old);
    bench.goal = ending(DeletionPolicy::Cancel);
    let canceled = told(&terms("Acme", "canceled"), "c-3");
    bench.pass(&[read(READ, told(&old, "c-2")), taken(REPLACE, canceled), done("ended")]);

    // What somebody else has made in its place is theirs.
    let mut bench = holding(&old);
    bench.goal = ending(DeletionPolicy::Cancel);
    let mut other = told(&old, "c-2");
    other["notes"] = json!("theirs");
    bench.pass(&[read(READ, other), done("ended")]);
}

/// A cluster in which another resource means the same contract, or none does.
struct Doubled(bool);

impl Others for Doubled {
    fn holder(&self, _: Sought<'_>) -> Holder {
        Holder::Nobody
    }

    fn share(&self, customer: &str) -> bool {
        assert_eq!(customer, "6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11");
        self.0
    }
}

#[test]
fn a_contract_as_it_last_was_is_not_ours_under_another_id_where_another_resource_may_have_made_it() {
    let old = terms("Acme", "active");
    for (is_doubled, rows) in [
        (true, vec![read(READ, told(&old, "c-2")), done("refused ReplacedOutside")]),
        (
            false,
            vec![
                read(READ, told(&old, "c-2")),
                taken(REPLACE, told(&terms("Acme 2027", "active"), "c-2")),
                done("applied"),
            ],
        ),
    ] {
        let mut bench = holding(&old);
        bench.holders = Box::new(move |_| Holders::new(Doubled(is_doubled)));
        set_name(&mut bench, "Acme 2027");
        bench.pass(&rows);
    }
}
