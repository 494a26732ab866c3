//! The end of what a deleted resource holds.

use super::{scripted::*, *};
use crate::api::{APPROVED_PLAN, contract::ManagementPolicy, reasons};

fn deleted() -> Bench<Scripted> {
    let mut bench = bench(json!({"a": 1}));
    bench.goal = ending(DeletionPolicy::Cancel);
    bench
}

fn there() -> Row {
    shown(json!({"a": 1}))
}

fn gone() -> Row {
    shown(json!({"a": 1, "is": "ended"}))
}

#[test]
fn what_has_ended_settles_and_sends_nothing() {
    for row in [gone(), nothing()] {
        let result = deleted().pass(&[row, done("ended")]);
        assert_eq!(result.outcome, Outcome::Ended { applied: Vec::new() });
        assert_eq!(result.write, None);
    }
}

#[test]
fn what_is_there_is_ended_and_looked_at_again() {
    let result = deleted().pass(&[there(), taken("Other is=", json!({})), gone(), done("ended")]);
    assert!(matches!(&result.outcome, Outcome::Ended { applied } if applied.len() == 1));
    assert_eq!(result.write, None);
}

#[test]
fn what_is_not_there_when_it_is_to_end_is_looked_at_again() {
    deleted().pass(&[there(), failed("Other", not_found()), nothing(), done("ended")]);
    // It is there after all: it is no end that does not show.
    deleted().pass(&[there(), failed("Other", not_found()), there(), done("not_in_force")]);
}

#[test]
fn an_end_whose_reply_was_lost_is_looked_up_first() {
    let mut bench = deleted();
    bench.pass(&[there(), failed("Other", unknown()), done("unconfirmed")]);
    bench.pass(&[gone(), done("ended")]);
}

#[test]
fn an_end_that_never_shows_stops_after_three_rounds() {
    let mut bench = deleted();
    let in_vain = |end| [there(), taken("Other", json!({})), there(), done(end)];
    bench.pass(&in_vain("not_in_force"));
    bench.pass(&in_vain("not_in_force"));
    bench.pass(&in_vain("refused NonConverging"));
    bench.pass(&[there(), done("refused NonConverging")]);
}

#[test]
fn an_end_waits_for_its_approval_and_is_refused_like_any_write() {
    let mut bench = deleted();
    bench.contract.spec.management_policy = ManagementPolicy::Plan;
    bench.pass(&[there(), done("awaiting_approval")]);
    let digest = bench.status().plan.unwrap().digest;
    bench.annotate(APPROVED_PLAN, digest.as_str());
    bench.pass(&[there(), failed("Other", rejected()), done("refused Rejected")]);
    bench.pass(&[there(), done("refused Rejected")]);
}

#[test]
fn a_spec_that_is_wrong_or_claimed_does_not_keep_a_contract_from_ending() {
    let refusal = |reason| Some(Refusal { reason, message: "no".into() });
    let planner = Scripted { invalid: refusal(reasons::INVALID_SPEC), ..Scripted::of(json!({"a": 1})) };
    let mut bench = bench_of(planner);
    bench.goal = ending(DeletionPolicy::Cancel);
    bench.claimed = refusal(reasons::DUPLICATE_CLAIM);
    bench.pass(&[there(), taken("Other", json!({})), gone(), done("ended")]);
}
