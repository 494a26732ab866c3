//! What is put on record before it is sent, and what a pass makes of it that finds it there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{scripted::*, *};
use crate::{
    api::{APPROVED_PLAN, contract::ManagementPolicy},
    plan::{CallKind, Holder, Others, Sought},
};

/// A contract that is replaced as a whole, as Zoo's are.
fn replaced(wanted: Value) -> Bench<Scripted> {
    bench_of(Scripted { corrects_by: CallKind::Replace, ..Scripted::of(wanted) })
}

/// What a machine does next, once it is told that what it was decided on is still so.
fn confirmed<P: Planner>(machine: &mut Reconciliation<P>) -> Step<P::Need, P::Snapshot> {
    assert!(matches!(machine.next(now()), Step::Confirm));
    machine.confirmed(true);
    machine.next(now())
}

#[test]
fn what_billing_cannot_tell_afterwards_is_announced_once_before_it_is_sent() {
    for (kind, is_announced) in [
        (CallKind::Replace, true),
        (CallKind::Append, true),
        (CallKind::Edit, false),
        (CallKind::Other, false),
    ] {
        let bench = bench_of(Scripted { corrects_by: kind, ..Scripted::of(json!({"a": 1})) });
        let mut machine = bench.machine();
        machine.told(&Shown, Ok(Some(json!({"id": "c-1", "a": 0}))), now());
        let step = confirmed(&mut machine);
        assert_eq!(matches!(step, Step::Announce(_)), is_announced, "{kind:?}");
        if let Step::Announce(announced) = step {
            assert_eq!((&*announced.account, announced.write.time.0), (ACCOUNT, now()));
            machine.announced(Ok(()));
        }
        let Step::Send(call) = machine.next(now()) else { panic!("{kind:?}") };
        machine.announced(Ok(()));
        assert_eq!(machine.next(now()), Step::Send(call), "it is said once");
    }
}

#[test]
fn what_is_announced_is_what_a_lost_reply_would_leave_on_record() {
    let rows = || [shown(json!({"a": 0})), failed("Replace", unknown())];
    let (mut lost, mut killed) = (replaced(json!({"a": 1})), replaced(json!({"a": 1})));
    lost.pass(&[rows().as_slice(), &[done("unconfirmed")]].concat());
    killed.killed(&rows());
    let announced = killed.announced.clone().unwrap().write;
    let on_record = lost.write().unwrap();
    assert_eq!(
        announced.lost[0].late_until.0,
        now() + TimeDelta::seconds(90),
        "nobody saw when it was given up"
    );
    let mut lost = announced.lost.clone();
    lost[0].late_until = on_record.lost[0].late_until;
    assert_eq!(UnconfirmedWrite { lost, ..announced }, on_record);
}

#[test]
fn nothing_is_sent_that_could_not_be_put_on_record() {
    for (error, end) in [
        (CallError::NotOnRecord("forbidden".into()), "waiting NotOnRecord"),
        (CallError::NotLeader, "waiting NotLeader"),
    ] {
        let bench = replaced(json!({"a": 1}));
        let mut machine = bench.machine();
        machine.told(&Shown, Ok(Some(json!({"id": "c-1", "a": 0}))), now());
        assert!(matches!(confirmed(&mut machine), Step::Announce(_)));
        machine.announced(Err(error));
        assert_eq!(machine.next(now()), Step::Withdraw, "{end}: it may be on record all the same");
        machine.withdrawn();
        let Step::Done(result) = machine.next(now()) else { panic!("{end}") };
        assert_eq!((word(&result.outcome).as_str(), result.write), (end, None));
        assert_eq!(result.requeue, Requeue::Backoff(std::time::Duration::ZERO));
    }
}

#[test]
fn what_was_decided_on_too_long_ago_or_for_a_resource_that_has_gone_is_not_sent_once_it_is_on_record() {
    let after = |seconds: i64, is_there: bool| {
        let mut bench = replaced(json!({"a": 1}));
        let presence = Arc::new(AtomicBool::new(true));
        let shared = Arc::clone(&presence);
        bench.holders = Box::new(move |_| Holders::new(Present(Arc::clone(&shared))));
        let mut machine = bench.machine();
        machine.told(&Shown, Ok(Some(json!({"id": "c-1", "a": 0}))), now());
        assert!(matches!(confirmed(&mut machine), Step::Announce(_)));
        presence.store(is_there, Ordering::SeqCst);
        let later = now() + TimeDelta::seconds(seconds);
        machine.announced(Ok(()));
        if machine.next(later) == Step::Withdraw {
            machine.withdrawn();
        }
        match machine.next(later) {
            Step::Done(result) => word(&result.outcome),
            Step::Send(_) => "sent".to_owned(),
            step => panic!("{step:?}"),
        }
    };
    assert_eq!(after(5, true), "sent");
    assert_eq!(after(6, true), "waiting NotOnRecord");
    assert_eq!(after(1, false), "ended");
}

/// Whether the resource still says what it said.
struct Said(Arc<AtomicBool>);

impl Others for Said {
    fn holder(&self, _: Sought<'_>) -> Holder {
        Holder::OutOfSight
    }

    fn is_as_meant(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn nothing_is_sent_while_what_the_resource_refers_to_is_newer_than_what_was_heard_of_it() {
    for kind in [CallKind::Replace, CallKind::Edit] {
        let bench = bench_of(Scripted { corrects_by: kind, ..Scripted::of(json!({"a": 1})) });
        let mut machine = bench.machine();
        machine.told(&Shown, Ok(Some(json!({"id": "c-1", "a": 0}))), now());
        assert_eq!(machine.next(now()), Step::Confirm);
        assert!(machine.foreseen(now()).is_some(), "a plan is shown all the same");
        machine.confirmed(false);
        let Step::Done(result) = machine.next(now()) else { panic!("{kind:?}") };
        assert_eq!((result.overtaken, result.write), (Some(Duration::from_secs(2)), None), "{kind:?}");
    }
}

#[test]
fn what_was_decided_on_what_the_resource_no_longer_says_is_neither_announced_nor_sent() {
    for goal in [Goal::InForce, ending(DeletionPolicy::Cancel)] {
        let mut bench = replaced(json!({"a": 1}));
        bench.goal = goal;
        let says = Arc::new(AtomicBool::new(true));
        let shared = Arc::clone(&says);
        bench.holders = Box::new(move |_| Holders::new(Said(Arc::clone(&shared))));
        let read = || {
            let mut machine = bench.machine();
            machine.told(&Shown, Ok(Some(json!({"id": "c-1", "a": 0}))), now());
            machine
        };
        let is_given_up = |step| {
            let Step::Done(result) = step else { panic!("{goal:?}: {step:?}") };
            assert_eq!((result.overtaken, result.write), (Some(Duration::ZERO), None), "{goal:?}");
        };
        let mut announcing = read();
        let first = confirmed(&mut announcing);
        assert!(matches!(first, Step::Announce(_) | Step::Send(_)), "{goal:?}");
        says.store(false, Ordering::SeqCst);
        is_given_up(read().next(now()));
        if matches!(first, Step::Announce(_)) {
            announcing.announced(Ok(()));
            assert_eq!(announcing.next(now()), Step::Withdraw, "{goal:?}");
            announcing.withdrawn();
            is_given_up(announcing.next(now()));
        }
    }
}

#[test]
fn an_approval_is_not_used_by_a_plan_that_is_given_up_before_it_is_sent() {
    let before = || shown(json!({"a": 0}));
    let approved = || {
        let mut bench = replaced(json!({"a": 1}));
        bench.contract.spec.management_policy = ManagementPolicy::Plan;
        bench.pass(&[before(), done("awaiting_approval")]);
        let digest = bench.status().plan.unwrap().digest;
        bench.annotate(APPROVED_PLAN, digest.as_str());
        bench
    };
    for is_withdrawn in [true, false] {
        let mut bench = approved();
        let says = Arc::new(AtomicBool::new(true));
        let shared = Arc::clone(&says);
        bench.holders = Box::new(move |_| Holders::new(Said(Arc::clone(&shared))));
        let mut machine = bench.machine();
        machine.told(&Shown, Ok(Some(json!({"id": "c-1", "edit": "e-0", "a": 0}))), now());
        let Step::Announce(announced) = confirmed(&mut machine) else { panic!() };
        assert!(announced.approved.is_some());
        says.store(false, Ordering::SeqCst);
        machine.announced(Ok(()));
        assert_eq!(machine.next(now()), Step::Withdraw);
        let approved = announced.approved.clone();
        // A process that ends here has used it: nobody can tell that nothing was sent.
        bench.announced = Some(*announced).filter(|_| !is_withdrawn);
        let known = Recorded::of(&bench.contract, ACCOUNT).and_announced(bench.announced.clone());
        assert_eq!(known.applied_plan, approved.filter(|_| !is_withdrawn));
        assert_eq!(known.unconfirmed.is_some(), !is_withdrawn);
        says.store(true, Ordering::SeqCst);
        if is_withdrawn {
            bench.pass(&[before(), taken("Replace", json!({})), shown(json!({"a": 1})), done("applied")]);
        }
    }
}

/// Whether the resource is there.
struct Present(Arc<AtomicBool>);

impl Others for Present {
    fn holder(&self, _: Sought<'_>) -> Holder {
        Holder::OutOfSight
    }

    fn is_there(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn what_a_pass_that_was_killed_has_announced_is_reported_by_the_next_whatever_that_comes_to() {
    let sent = || [shown(json!({"a": 0})), taken("Replace", json!({}))];
    let unreachable = CallError::Unreachable("down".into());
    for rows in [
        [Row::Read("Shown", Err(unreachable)), done("waiting BillingUnreachable")].as_slice(),
        &[shown(json!({"is": "another's"})), done("refused ContractExists")],
        &[shown(json!({"a": 0})), failed("Replace", rejected()), done("refused Rejected")],
        &[shown(json!({"a": 0})), failed("Replace", CallError::NotLeader), done("waiting NotLeader")],
    ] {
        let mut bench = replaced(json!({"a": 1}));
        bench.killed(&sent());
        let fingerprint = bench.sent[0].fingerprint.clone();
        bench.pass(rows);
        let lost = bench.write().map(|write| write.lost).unwrap_or_default();
        assert!(lost.iter().any(|write| write.digest == fingerprint), "{rows:?}");
    }
    // What is seen to have been carried out needs no looking up.
    let mut bench = replaced(json!({"a": 1}));
    bench.killed(&sent());
    bench.pass(&[shown(json!({"a": 1})), done("in_sync")]);
    assert_eq!(bench.write(), None);
}

#[test]
fn a_second_kill_does_not_make_the_first_forgotten() {
    let mut bench = replaced(json!({"a": 1}));
    bench.killed(&[shown(json!({"a": 0})), taken("Replace", json!({}))]);
    let first = bench.sent[0].fingerprint.clone();
    bench.planner =
        Box::new(|_| Scripted { corrects_by: CallKind::Replace, ..Scripted::of(json!({"a": 2})) });
    bench.change();
    bench.killed(&[shown(json!({"a": 0})), taken("Replace", json!({}))]);
    let second = bench.sent[0].fingerprint.clone();
    let recorded = Recorded::of(&bench.contract, ACCOUNT).and_announced(bench.announced.clone());
    assert!(recorded.may_have_sent(&first) && recorded.may_have_sent(&second));
}

#[test]
fn all_that_one_pass_sends_before_its_report_is_announced() {
    let mut bench = replaced(json!({"a": 1, "b": 1}));
    bench.killed(&[
        shown(json!({"a": 0})),
        taken("Replace", json!({})),
        shown(json!({"a": 1})),
        taken("Replace", json!({})),
    ]);
    let announced = bench.announced.clone().unwrap().write;
    let digests: Vec<_> = announced.lost.iter().map(|write| write.digest.clone()).collect();
    assert_eq!(digests, bench.sent.iter().map(|call| call.fingerprint.clone()).collect::<Vec<_>>());
}

#[test]
fn an_end_is_announced_where_it_hides_the_contract_and_nowhere_else() {
    for (kind, is_announced) in [(CallKind::Other, false), (CallKind::Replace, true)] {
        let scripted = move |_: &_| Scripted { ends_by: kind, ..Scripted::of(json!({"a": 1})) };
        let mut bench = replaced(json!({"a": 1}));
        bench.pass(&[shown(json!({"a": 1})), done("in_sync")]);
        bench.planner = Box::new(scripted);
        bench.goal = ending(DeletionPolicy::Cancel);
        bench.killed(&[
            shown(json!({"a": 1})),
            taken(if is_announced { "Replace" } else { "Other" }, json!({})),
        ]);
        let announced = bench.announced.as_ref().map(|announced| announced.write.lost[0].sets.clone());
        assert_eq!(announced, is_announced.then(Vec::new), "{kind:?}");
    }
}
