//! Plans that wait for approval, and differences that are only reported.

use super::{scripted::*, *};
use crate::api::{APPROVED_PLAN, contract::ManagementPolicy};

fn under(management: ManagementPolicy) -> Bench<Scripted> {
    let mut bench = bench(json!({"a": 1}));
    bench.contract.spec.management_policy = management;
    bench
}

#[test]
fn a_plan_waits_for_its_own_approval() {
    let mut bench = under(ManagementPolicy::Plan);
    let before = || shown(json!({"a": 0}));
    let result = bench.pass(&[before(), done("awaiting_approval")]);
    assert_eq!((result.write, result.snapshot, result.requeue), (None, None, Requeue::AfterSyncPeriod));
    bench.annotate(APPROVED_PLAN, "another");
    bench.pass(&[before(), done("awaiting_approval")]);
    let digest = bench.status().plan.unwrap().digest;
    bench.annotate(APPROVED_PLAN, digest.as_str());
    // What billing shows has changed: it is another plan.
    bench.pass(&[shown(json!({"a": 5})), done("awaiting_approval")]);
    bench.pass(&[before(), edited(), shown(json!({"a": 1})), done("applied")]);
}

#[test]
fn what_follows_an_approved_create_waits_and_the_create_is_on_record() {
    let mut bench = under(ManagementPolicy::Plan);
    bench.pass(&[nothing(), done("awaiting_approval")]);
    let digest = bench.status().plan.unwrap().digest;
    bench.annotate(APPROVED_PLAN, digest.as_str());
    let result = bench.pass(&[nothing(), created(), shown(json!({"a": 0})), done("awaiting_approval")]);
    assert_eq!(result.created_id.as_deref(), Some("c-1"));
    assert!(result.snapshot.is_some(), "what it made is on record");
    assert_eq!(bench.contract_id().as_deref(), Some("c-1"));
    assert!(bench.write().is_some());
}

#[test]
fn what_is_only_observed_is_reported() {
    let mut bench = under(ManagementPolicy::Observe);
    let result = bench.pass(&[shown(json!({"a": 0})), done("drifted")]);
    assert!(result.snapshot.is_some());
    assert_eq!((result.requeue, result.write), (Requeue::AfterSyncPeriod, None));
    assert_eq!(bench.status().drift.len(), 1);
    // Nothing in billing agrees with nothing.
    bench.pass(&[nothing(), done("waiting NotInBilling")]);
}

#[test]
fn a_plan_that_is_denied_sends_nothing_and_goes_on_when_the_denial_goes() {
    use crate::{api::ContractApproval, plan::Sayings};

    let mut bench = under(ManagementPolicy::Plan);
    let before = || shown(json!({"a": 0}));
    bench.pass(&[before(), done("awaiting_approval")]);
    let digest = bench.status().plan.unwrap().digest;
    let approval = |name: &str, decision: &str| -> ContractApproval {
        serde_json::from_value(json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractApproval",
            "metadata": {"name": name},
            "spec": {"contractRef": {"name": "acme"}, "planDigest": digest, "decision": decision, "approvedBy": "ann"},
        }))
        .unwrap()
    };
    let (yes, no) = (approval("yes", "Approve"), approval("no", "Deny"));
    bench.sayings = Sayings::of([&yes, &no]);
    bench.pass(&[before(), done("refused PlanDenied")]);
    assert_eq!(bench.status().plan.map(|plan| plan.digest), Some(digest.clone()));
    bench.sayings = Sayings::of([&yes]);
    let result = bench.pass(&[before(), edited(), shown(json!({"a": 1})), done("applied")]);
    let given = result.sent.and_then(|plan| plan.consent.given).unwrap();
    assert_eq!(given.name.as_deref(), Some("yes"));
    assert_eq!(bench.status().last_approval.and_then(|last| last.approved_by).as_deref(), Some("ann"));
}

#[test]
fn a_contract_waits_when_too_many_others_were_changed_and_whoever_approves_lets_it_pass() {
    use crate::plan::{Hurry, Pace};

    let mut bench = under(ManagementPolicy::Apply);
    let before = || shown(json!({"a": 0}));
    bench.pace = Pace::new(|| Err(Hurry { changed: 7, limit: 7 }));
    let result = bench.pass(&[before(), done("awaiting_approval")]);
    assert_eq!(result.requeue, Requeue::Within(std::time::Duration::from_mins(5)));
    let Outcome::AwaitingApproval(plan) = result.outcome else { panic!() };
    assert!(plan.notes().contains("maxContractsPerHour of 7"), "{}", plan.notes());
    bench.annotate(APPROVED_PLAN, plan.digest.as_str());
    bench.pass(&[before(), edited(), shown(json!({"a": 1})), done("applied")]);
}

#[test]
fn a_plan_foresees_the_calls_that_follow_it_and_sends_only_its_own() {
    let mut machine = bench(json!({"a": 1})).machine();
    assert_eq!((machine.plan(), machine.foreseen(now()), machine.seen(now())), (None, None, None));
    let Step::Read(need) = machine.next(now()) else { panic!() };
    machine.told(&need, Ok(None), now());
    machine.next(now());
    machine.confirmed(true);
    assert!(matches!(machine.next(now()), Step::Announce(_)));
    machine.announced(Ok(()));
    let Step::Send(create) = machine.next(now()) else { panic!() };
    let foreseen = machine.foreseen(now()).unwrap();
    let names: Vec<_> = foreseen.calls.iter().map(call_name).collect();
    assert_eq!(names, ["Create new=\"contract\"", "Edit <id>"]);
    assert_eq!(machine.plan().map(|plan| plan.calls.clone()), Some(vec![create]));
    assert_eq!(machine.seen(now()), None, "nothing is in billing");
    machine.sent(Ok(json!({"id": "c-1"})), now());
    let Step::Read(need) = machine.next(now()) else { panic!() };
    machine.told(&need, Ok(Some(json!({"id": "c-1", "a": 1}))), now());
    let seen = machine.seen(now()).map(|seen| seen.contract_id);
    assert_eq!((seen.as_deref(), machine.foreseen(now())), (Some("c-1"), None));
}
