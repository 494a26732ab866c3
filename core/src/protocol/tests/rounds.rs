//! Writes that leave a difference: tried again, and not for ever.

use std::time::Duration;

use super::{scripted::*, *};
use crate::plan::CallKind;

/// An edit that is taken and changes nothing.
fn in_vain(end: &'static str) -> [Row; 4] {
    [shown(json!({"a": 0})), edited(), shown(json!({"a": 0})), done(end)]
}

#[test]
fn what_a_write_leaves_is_tried_again_and_stops_after_three_rounds() {
    let mut bench = bench(json!({"a": 1}));
    let result = bench.pass(&in_vain("not_in_force"));
    assert_eq!(result.requeue, Requeue::Backoff(Duration::ZERO));
    assert!(result.snapshot.is_some(), "what billing says instead is told");
    assert_eq!(bench.rounds(), Some(1));
    bench.later(5);
    bench.pass(&in_vain("not_in_force"));
    assert_eq!(bench.rounds(), Some(2));
    bench.later(5);
    let result = bench.pass(&in_vain("refused NonConverging"));
    assert_eq!(result.requeue, Requeue::AfterSyncPeriod);
    assert!(matches!(result.outcome, Outcome::Refused { blocked_plan: Some(_), .. }));
    // It stays so, and nothing is sent.
    bench.later(3600);
    bench.pass(&[shown(json!({"a": 0})), done("refused NonConverging")]);
    bench.pass(&[shown(json!({"a": 0})), done("refused NonConverging")]);
    assert_eq!(bench.sent, []);
}

#[test]
fn rounds_begin_anew_when_somebody_asks() {
    for ask in [Bench::<Scripted>::change, Bench::<Scripted>::request] {
        let mut bench = bench(json!({"a": 1}));
        bench.pass(&in_vain("not_in_force"));
        bench.pass(&in_vain("not_in_force"));
        ask(&mut bench);
        bench.pass(&in_vain("not_in_force"));
        assert_eq!(bench.rounds(), Some(1));
        bench.pass(&in_vain("not_in_force"));
        bench.pass(&in_vain("refused NonConverging"));
        ask_again(&mut bench, ask);
        bench.pass(&in_vain("not_in_force"));
    }
}

fn ask_again(bench: &mut Bench<Scripted>, ask: fn(&mut Bench<Scripted>)) {
    bench.later(1);
    ask(bench);
}

#[test]
fn another_difference_has_rounds_of_its_own() {
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&in_vain("not_in_force"));
    bench.pass(&in_vain("not_in_force"));
    let other = || shown(json!({"a": 7}));
    bench.later(60);
    bench.pass(&[other(), edited(), other(), done("not_in_force")]);
    assert_eq!(bench.rounds(), Some(1));
}

#[test]
fn a_difference_that_rounds_have_left_is_written_no_more_though_billing_shows_something_else_beside_it() {
    let mut bench = bench(json!({"a": 1}));
    for end in ["not_in_force", "not_in_force", "refused NonConverging"] {
        bench.pass(&in_vain(end));
    }
    bench.later(3600);
    bench.pass(&[shown(json!({"a": 0, "other": 1})), done("refused NonConverging")]);
    assert_eq!((&bench.sent[..], bench.rounds()), (&[][..], Some(3)));
}

#[test]
fn what_comes_into_force_late_ends_the_rounds() {
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&in_vain("not_in_force"));
    bench.pass(&[shown(json!({"a": 1})), done("in_sync")]);
    assert_eq!(bench.write(), None);
    bench.pass(&in_vain("not_in_force"));
    assert_eq!(bench.rounds(), Some(1));
}

/// An API where a contract is replaced: nothing is behind a write there.
fn replaced(wanted: Value) -> Bench<Scripted> {
    bench_of(Scripted { corrects_by: CallKind::Replace, ..Scripted::of(wanted) })
}

#[test]
fn a_plan_that_repeats_or_undoes_another_stops_the_pass() {
    let mut bench = replaced(json!({"a": 1, "b": 1}));
    bench.pass(&[
        shown(json!({"a": 0, "b": 0})),
        taken("Replace /a=1", json!({})),
        shown(json!({"a": 1, "b": 0})),
        taken("Replace /b=1", json!({})),
        // Another plan, as billing shows something else, with a change that was made before.
        shown(json!({"a": 2, "b": 1})),
        done("not_in_force"),
    ]);
    assert_eq!(bench.rounds(), Some(1));
}

#[test]
fn a_pass_carries_out_four_plans_at_most() {
    let wanted = json!({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1});
    let left = |from: usize| {
        let names = ["a", "b", "c", "d", "e"];
        shown(names.iter().enumerate().map(|(at, name)| (*name, u8::from(at < from))).collect())
    };
    let call = || taken("Replace", json!({}));
    let four = [left(0), call(), left(1), call(), left(2), call(), left(3), call(), left(4)];
    let mut bench = replaced(wanted.clone());
    bench.pass(&[&four[..], &[done("not_in_force")][..]].concat());
    let mut wanted = wanted;
    wanted.as_object_mut().unwrap().remove("e");
    let result = replaced(wanted).pass(&[&four[..], &[done("applied")][..]].concat());
    let Outcome::InSync { applied, .. } = result.outcome else { panic!() };
    assert_eq!(applied.len(), 4, "every plan is told, in order");
}

#[test]
fn another_edit_waits_in_the_same_pass_too() {
    let mut bench = bench(json!({"a": 1, "b": 1}));
    let half = || shown(json!({"a": 1, "b": 0}));
    bench.pass(&[shown(json!({"a": 0, "b": 0})), edited(), half(), done("not_in_force")]);
    bench.later(30);
    bench.pass(&[half(), edited(), shown(json!({"a": 1, "b": 1})), done("applied")]);
}

#[test]
fn another_edit_waits_while_reads_may_be_behind_and_the_same_edit_does_not() {
    let before = || shown(json!({"a": 0}));
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&[before(), failed("Edit /a=1", unknown()), done("unconfirmed")]);
    bench.later(29);
    // The same edit: the API takes it once.
    bench.pass(&[before(), failed("Edit /a=1", unknown()), done("unconfirmed")]);
    let lost = bench.write();
    // Another one: what is read may be older than the edit whose reply was lost.
    bench.planner = Box::new(|_| Scripted::of(json!({"a": 2})));
    bench.change();
    let result = bench.pass(&[before(), done("not_in_force")]);
    assert_eq!(result.requeue, Requeue::Backoff(Duration::ZERO));
    assert_eq!(bench.write(), lost, "the edit that was sent stays on record, with its time");
    bench.later(1);
    bench.pass(&[before(), taken("Edit /a=2", json!({})), shown(json!({"a": 2})), done("applied")]);
}

#[test]
fn an_edit_after_a_lost_create_does_not_wait() {
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&[nothing(), failed("Create", unknown()), done("unconfirmed")]);
    assert_eq!(bench.write().unwrap().after_edit, None);
    bench.pass(&[shown(json!({"a": 0})), edited(), shown(json!({"a": 1})), done("applied")]);
}

#[test]
fn an_edit_follows_the_edit_that_was_last_seen_when_the_first_try_was_made() {
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&[shown(json!({"a": 0, "edit": "e-7"})), failed("Edit", unknown()), done("unconfirmed")]);
    assert_eq!(bench.write().unwrap().after_edit.as_deref(), Some("e-7"));
    let first = bench.sent.clone();
    bench.later(60);
    bench.pass(&[shown(json!({"a": 0, "edit": "e-8"})), failed("Edit", unknown()), done("unconfirmed")]);
    assert_eq!(bench.write().unwrap().after_edit.as_deref(), Some("e-7"));
    assert_eq!(bench.sent, first, "the key follows from it, so that the API takes the edit once");
}

#[test]
fn a_write_that_no_read_is_new_enough_to_show_is_sent_three_times_at_most() {
    let unsure = |end| [shown(json!({"a": 0})), edited(), shown(json!({"is": "unsure"})), done(end)];
    let mut bench = bench(json!({"a": 1}));
    for round in 1..3 {
        bench.pass(&unsure("waiting NotYetInForce"));
        assert_eq!(bench.rounds(), Some(round));
        // A pass that has written nothing counts none.
        bench.pass(&[shown(json!({"is": "unsure"})), done("waiting NotYetInForce")]);
        assert_eq!(bench.rounds(), Some(round));
    }
    let result = bench.pass(&unsure("refused NonConverging"));
    assert_eq!(result.requeue, Requeue::AfterSyncPeriod);
    assert!(matches!(result.outcome, Outcome::Refused { blocked_plan: Some(_), .. }));
    bench.pass(&[shown(json!({"a": 0})), done("refused NonConverging")]);
}

#[test]
fn waiting_for_something_else_after_a_write_and_waiting_after_a_create_are_no_rounds() {
    let mut bench = self::bench(json!({"a": 1}));
    let behind = || shown(json!({"is": "behind"}));
    bench.pass(&[shown(json!({"a": 0})), edited(), behind(), done("waiting BillingUnreachable")]);
    assert_eq!(bench.rounds(), Some(0));
    let mut bench = self::bench(json!({"a": 1}));
    bench.pass(&[nothing(), created(), shown(json!({"is": "unsure"})), done("waiting NotYetInForce")]);
    assert_eq!(bench.rounds(), Some(0), "a create is found by its key, and never sent again");
}

#[test]
fn what_seems_backdated_right_after_an_edit_is_looked_at_again_before_it_is_refused() {
    let (before, backdated) = (|| shown(json!({"a": 0})), || shown(json!({"is": "backdated"})));
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&[backdated(), done("refused BackdatedItem")]);
    let result = bench.pass(&[before(), edited(), backdated(), done("not_in_force")]);
    let Outcome::NotInForce { message } = &result.outcome else { panic!() };
    assert!(message.ends_with("in the way"), "{message}");
    assert_eq!(result.requeue, Requeue::Backoff(Duration::ZERO));
    let write = bench.write();
    assert!(write.is_some(), "the edit stays on record");
    bench.later(29);
    bench.pass(&[backdated(), done("not_in_force")]);
    assert_eq!(bench.write(), write);
    bench.pass(&[shown(json!({"is": "another's"})), done("refused ContractExists")]);
    bench.later(1);
    bench.pass(&[backdated(), done("refused BackdatedItem")]);
}
