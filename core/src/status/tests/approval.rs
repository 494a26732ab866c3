//! What statuses say of approvals: who let a plan be carried out, and when it is over.

use super::*;
use crate::{
    api::contract::Approval,
    status::contract::{event, spent},
};

fn approved() -> Plan {
    let given = Approval {
        digest: plan().digest,
        name: Some("first-year".into()),
        approved_by: Some("ann@example.com".into()),
        note: None,
        time: None,
    };
    Plan { consent: Consent { given: Some(Box::new(given)), ..Consent::default() }, ..plan() }
}

fn waiting_plan() -> BillingContractStatus {
    after(&BillingContractStatus::default(), &result(Outcome::AwaitingApproval(plan())))
}

fn by(status: &BillingContractStatus) -> Option<&str> {
    status.last_approval.as_ref()?.approved_by.as_deref()
}

#[test]
fn whoever_approved_what_is_written_is_on_record_and_in_its_event() {
    let written = ReconcileResult { sent: Some(approved()), ..in_sync(vec![approved()]) };
    let status = after(&waiting_plan(), &written);
    assert_eq!(by(&status), Some("ann@example.com"));
    assert_eq!((status.applied_plan, status.plan), (Some(plan().digest), None));
    let told = event(&object(&waiting_plan()), &written).unwrap().message;
    assert!(told.starts_with("[approved by ann@example.com (ContractApproval first-year)] "), "{told}");
}

#[test]
fn an_approved_plan_whose_reply_is_lost_is_spent_once_it_is_seen_to_be_in_force() {
    let lost = ReconcileResult { sent: Some(approved()), ..lost() };
    let status = after(&BillingContractStatus::default(), &lost);
    assert_eq!((by(&status), &status.applied_plan), (Some("ann@example.com"), &None));
    let status = after(&after(&status, &waiting(reasons::THROTTLED)), &in_sync(vec![]));
    assert_eq!((status.applied_plan, status.plan), (Some(plan().digest), None));
}

#[test]
fn a_plan_that_waited_is_over_when_nothing_is_left_of_it() {
    let status = after(&waiting_plan(), &in_sync(vec![]));
    assert_eq!((status.applied_plan.as_ref(), status.plan.as_ref()), (Some(&plan().digest), None));
    // What was carried out since counts, and nothing else replaces it.
    let newer = Plan { digest: Digest::of(&json!("newer")), ..plan() };
    let status = after(&status, &in_sync(vec![newer.clone()]));
    assert_eq!(after(&status, &in_sync(vec![])).applied_plan, Some(newer.digest));
    // In another account it has never been.
    let at = |account: &str, result| ReconcileResult { account: Some(account.to_owned()), ..result };
    let known = after(&waiting_plan(), &at("https://one", in_sync(vec![])));
    let known = after(&known, &result(Outcome::AwaitingApproval(plan())));
    assert_eq!(after(&known, &at("https://two", in_sync(vec![]))).applied_plan, None);
}

#[test]
fn a_plan_that_is_denied_can_be_read_and_is_not_taken_for_one_that_cannot_hold() {
    let refusal = Refusal { reason: reasons::PLAN_DENIED, message: "denied by ann".into() };
    let denied = result(Outcome::Refused { refusal, blocked_plan: Some(plan()) });
    let status = after(&waiting_plan(), &denied);
    assert_eq!(status.plan.as_ref().map(|plan| &plan.digest), Some(&plan().digest));
    let contract = object(&status);
    assert_eq!(crate::plan::Recorded::of(&contract, "https://one").blocked_plan, None);
}

#[test]
fn a_plan_that_waits_is_listed_line_by_line_as_far_as_there_is_room() {
    let plan = |count: usize| Plan {
        changes: (0..count).map(|n| Change::added(format!("/items/i{n}"), json!("x".repeat(2000)))).collect(),
        ..plan()
    };
    let lines = |count| {
        let status =
            after(&BillingContractStatus::default(), &result(Outcome::AwaitingApproval(plan(count))));
        status.plan.unwrap().lines
    };
    assert_eq!(lines(2).len(), 2);
    let many = lines(500);
    assert_eq!((many.len(), many.last().map(String::as_str)), (100, Some("(and 401 more lines)")));
    assert!(many.iter().all(|line| line.len() < 600));
}

#[test]
fn what_was_approved_is_spent_once_it_is_in_force_or_something_else_was_approved_after_it() {
    let another = || {
        let digest = Digest::of(&json!("another"));
        let given = Approval { digest: digest.clone(), ..*approved().consent.given.unwrap() };
        Plan { digest, consent: Consent { given: Some(Box::new(given)), ..Consent::default() }, ..plan() }
    };
    let of = |before: &BillingContractStatus, result: &ContractResult| {
        spent(&object(before), &after(before, result), result)
    };
    let sent = |plan: Plan, result| ReconcileResult { sent: Some(plan), ..result };
    assert_eq!(
        of(&waiting_plan(), &sent(approved(), lost())),
        Vec::<Digest>::new(),
        "it may have to be sent again"
    );
    // What follows an approved create in the same pass is carried out last, and the approval is of the create.
    let followed = sent(approved(), in_sync(vec![approved(), another()]));
    assert_eq!(of(&waiting_plan(), &followed), [another().digest, plan().digest]);
    let first = after(&waiting_plan(), &sent(approved(), lost()));
    assert_eq!(of(&first, &sent(another(), lost())), [plan().digest]);
}
