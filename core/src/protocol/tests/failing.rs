//! What is refused, and what fails before, between and after calls.

use std::time::Duration;

use super::{scripted::*, *};

fn before() -> Row {
    shown(json!({"a": 0}))
}

/// Failures of a call that was not carried out, and what they come to.
fn not_carried_out() -> [(CallError, &'static str, Requeue); 4] {
    let pause = Duration::from_secs(17);
    [
        (CallError::Throttled { pause }, "waiting Throttled", Requeue::Backoff(pause)),
        (CallError::NotLeader, "waiting NotLeader", Requeue::Backoff(Duration::ZERO)),
        (
            CallError::Unreachable("reset".into()),
            "waiting BillingUnreachable",
            Requeue::Backoff(Duration::ZERO),
        ),
        (
            CallError::Credentials { status: 401, message: "no".into() },
            "waiting CredentialsRefused",
            Requeue::Backoff(Duration::from_secs(30)),
        ),
    ]
}

#[test]
fn what_was_never_sent_leaves_nothing_on_record() {
    for (error, end, requeue) in not_carried_out() {
        let mut bench = bench(json!({"a": 1}));
        let result = bench.pass(&[before(), failed("Edit", error.clone()), done(end)]);
        assert_eq!((result.requeue, result.write), (requeue, None), "{end}");
        assert_eq!((bench.write(), result.sent), (None, None), "{end}");
        assert_eq!(result.suspects_token, matches!(error, CallError::Credentials { .. }), "{end}");
        assert_eq!(result.customer_id.as_deref(), Some("customer-1"));
    }
}

#[test]
fn what_was_sent_before_stays_on_record() {
    for (error, end, _) in not_carried_out() {
        let mut bench = bench_of(Scripted { prepares: true, ..Scripted::of(json!({"a": 1})) });
        let result =
            bench.pass(&[before(), taken("Other prepare", json!({})), failed("Edit", error), done(end)]);
        assert_eq!(result.sent.map(|plan| plan.calls), Some(bench.sent.clone()), "{end}: it has begun");
        let digest = bench.write().map(|write| write.digest);
        assert_eq!(
            digest,
            Some(bench.sent[1].fingerprint.clone()),
            "{end}: calls that prepare recognise nothing"
        );
    }
}

#[test]
fn a_failed_read_comes_to_the_same_and_sends_nothing() {
    for (error, end, requeue) in not_carried_out() {
        let mut bench = bench(json!({"a": 1}));
        let result = bench.pass(&[Row::Read("Shown", Err(error.clone())), done(end)]);
        assert_eq!((result.requeue, result.write), (requeue, None), "{end}");
        assert_eq!(result.suspects_token, matches!(error, CallError::Credentials { .. }), "{end}");
    }
}

#[test]
fn a_failure_takes_no_earlier_write_off_the_record() {
    for (error, end, _) in not_carried_out() {
        let mut bench = bench(json!({"a": 1}));
        bench.pass(&[before(), failed("Edit", unknown()), done("unconfirmed")]);
        let lost = bench.write();
        bench.pass(&[Row::Read("Shown", Err(error)), done(end)]);
        assert_eq!(bench.write(), lost, "{end}");
    }
}

#[test]
fn a_write_that_was_refused_is_not_sent_again_before_the_plan_changes() {
    let not_there = CallError::NotFound { what: "x".into(), message: "no such product".into() };
    for error in [rejected(), not_there] {
        let mut bench = bench(json!({"a": 1}));
        let result = bench.pass(&[before(), failed("Edit", error.clone()), done("refused Rejected")]);
        assert_eq!((result.requeue, result.write), (Requeue::AfterSyncPeriod, None), "{error}");
        assert!(matches!(result.outcome, Outcome::Refused { blocked_plan: Some(_), .. }));
        bench.pass(&[before(), done("refused Rejected")]);
        bench.pass(&[before(), done("refused Rejected")]);
        // What billing shows has changed, so the plan has.
        bench.pass(&[shown(json!({"a": 5})), failed("Edit", error.clone()), done("refused Rejected")]);
        bench.pass(&[before(), failed("Edit", error.clone()), done("refused Rejected")]);
        bench.later(1);
        bench.request();
        bench.pass(&[before(), failed("Edit", error), done("refused Rejected")]);
    }
}

#[test]
fn a_refusal_after_a_call_of_the_plan_keeps_the_write_on_record() {
    let edit_not_enabled = CallError::EditNotEnabled { message: "no".into() };
    for (error, end) in [(rejected(), "refused Rejected"), (edit_not_enabled, "refused EditNotEnabled")] {
        let mut bench = bench_of(Scripted { prepares: true, ..Scripted::of(json!({"a": 1})) });
        bench.pass(&[before(), taken("Other", json!({})), failed("Edit", error), done(end)]);
        assert!(bench.write().is_some(), "{end}");
    }
}

#[test]
fn an_account_that_may_not_edit_is_told_whom_to_ask_and_not_asked_again() {
    let mut bench = bench(json!({"a": 1}));
    let error = CallError::EditNotEnabled { message: "not enabled".into() };
    let result = bench.pass(&[before(), failed("Edit", error), done("refused EditNotEnabled")]);
    let Outcome::Refused { refusal, .. } = result.outcome else { panic!() };
    for part in ["not enabled", "Ask Metronome", REQUESTED_AT] {
        assert!(refusal.message.contains(part), "{part} in {}", refusal.message);
    }
    assert_eq!(bench.write(), None);
    bench.pass(&[before(), done("refused EditNotEnabled")]);
    bench.request();
    bench.pass(&[before(), edited(), shown(json!({"a": 1})), done("applied")]);
}

#[test]
fn a_reply_to_nothing_is_not_taken() {
    let mut machine = bench(json!({"a": 1})).machine();
    machine.sent(Ok(json!({"id": "c-9"})), now());
    let rows = [before(), failed("Edit", rejected()), done("refused Rejected")];
    let result = run(machine, now(), &rows).result.unwrap();
    assert_eq!(result.created_id, None);
}
