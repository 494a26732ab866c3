//! Replies that were lost, and keys that were used.

use std::time::Duration;

use super::{scripted::*, *};
use crate::{api::reasons, plan::CallKind};

#[test]
fn a_lost_reply_is_looked_up_before_anything_is_sent() {
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&[nothing(), failed("Create", unknown()), done("unconfirmed")]);
    let lost = bench.write().unwrap();
    assert_eq!(lost.digest, bench.sent[0].fingerprint, "it is recognised by what was sent");
    assert_eq!((lost.rounds, lost.difference), (0, None));
    // It was made after all: nothing is sent.
    bench.later(60);
    let result = bench.pass(&[shown(json!({"a": 1})), done("in_sync")]);
    assert_eq!(result.snapshot.map(|snapshot| snapshot.contract_id).as_deref(), Some("c-1"));
    assert_eq!(bench.write(), None, "what was compared and agrees needs no looking up any more");
}

#[test]
fn a_lost_reply_to_what_was_never_made_is_sent_again_with_the_same_key() {
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&[nothing(), failed("Create", unknown()), done("unconfirmed")]);
    let first = bench.sent.clone();
    bench.pass(&[nothing(), created(), shown(json!({"a": 1})), done("applied")]);
    assert_eq!(bench.sent, first);
}

#[test]
fn a_lost_reply_is_tried_again_soon() {
    let mut bench = bench(json!({"a": 1}));
    let result = bench.pass(&[nothing(), failed("Create", unknown()), done("unconfirmed")]);
    assert_eq!(result.requeue, Requeue::Backoff(std::time::Duration::ZERO));
    let Outcome::Unconfirmed { message } = result.outcome else { panic!() };
    assert!(message.contains("timeout"), "{message}");
    assert_eq!(bench.contract_id(), None);
}

#[test]
fn a_lost_write_keeps_its_time_while_the_same_is_sent() {
    let mut bench = bench(json!({"a": 1}));
    let lost = [shown(json!({"a": 0})), failed("Edit", unknown()), done("unconfirmed")];
    bench.pass(&lost);
    let first = bench.write().unwrap();
    bench.later(300);
    bench.pass(&lost);
    let second = bench.write().unwrap();
    assert_eq!((&second.time, &second.digest), (&first.time, &first.digest));
    assert!(second.lost[0].late_until > first.lost[0].late_until, "the second try may come late as well");
}

/// A contract that is replaced as a whole, as Zoo's are, with other terms in billing.
fn replaced(wanted: Value) -> Bench<Scripted> {
    bench_of(Scripted { corrects_by: CallKind::Replace, ..Scripted::of(wanted) })
}

fn respecify(bench: &mut Bench<Scripted>, wanted: Value) {
    bench.planner =
        Box::new(move |_| Scripted { corrects_by: CallKind::Replace, ..Scripted::of(wanted.clone()) });
    bench.change();
}

/// Digests of the writes on record whose replies did not come.
fn lost(bench: &Bench<Scripted>) -> Vec<crate::terms::Digest> {
    bench.write().into_iter().flat_map(|write| write.lost).map(|write| write.digest).collect()
}

#[test]
fn a_second_lost_write_does_not_make_the_first_forgotten() {
    let mut bench = replaced(json!({"a": 1}));
    let lost_reply = || [shown(json!({"a": 0})), failed("Replace", unknown()), done("unconfirmed")];
    let mut sent = Vec::new();
    for a in 1..4 {
        respecify(&mut bench, json!({"a": a}));
        bench.pass(&lost_reply());
        sent.push(bench.sent[0].fingerprint.clone());
    }
    assert_eq!(lost(&bench), sent);
    // What is refused, or never sent, takes nothing away either.
    respecify(&mut bench, json!({"a": 4}));
    for (error, end) in [(rejected(), "refused Rejected"), (CallError::NotLeader, "waiting NotLeader")] {
        bench.change();
        bench.pass(&[shown(json!({"a": 0})), failed("Replace", error), done(end)]);
        assert_eq!(lost(&bench), sent);
    }
    // Sixteen are remembered, the newest ones.
    for a in 5..25 {
        respecify(&mut bench, json!({"a": a}));
        bench.later(60);
        bench.pass(&lost_reply());
        sent.push(bench.sent[0].fingerprint.clone());
    }
    assert_eq!(lost(&bench), sent[sent.len() - 16..]);
}

#[test]
fn a_lost_write_that_may_still_arrive_is_looked_for_although_a_newer_one_is_in_sync() {
    let mut bench = replaced(json!({"a": 1}));
    bench.pass(&[shown(json!({"a": 0})), failed("Replace /a=1", unknown()), done("unconfirmed")]);
    let first = bench.sent[0].fingerprint.clone();
    respecify(&mut bench, json!({"a": 2}));
    bench.later(5);
    let newer =
        [shown(json!({"a": 0})), taken("Replace /a=2", json!({})), shown(json!({"a": 2})), done("applied")];
    let result = bench.pass(&newer);
    assert_eq!(result.requeue, Requeue::Within(Duration::from_secs(26)));
    assert_eq!(lost(&bench), [first]);
    // It arrives, and is undone at the look that was kept for it; after that, nothing is waited for.
    bench.later(26);
    let result = bench.pass(&[
        shown(json!({"a": 1})),
        taken("Replace /a=2", json!({})),
        shown(json!({"a": 2})),
        done("applied"),
    ]);
    assert_eq!((result.requeue, bench.write()), (Requeue::AfterSyncPeriod, None));
}

#[test]
fn a_lost_write_is_looked_for_no_more_once_billing_shows_it_or_agrees_with_its_spec() {
    let lost_reply = [shown(json!({"a": 0})), failed("Replace /a=1", unknown()), done("unconfirmed")];
    // It shows, and what the spec says by now is written over it.
    let mut bench = replaced(json!({"a": 1}));
    bench.pass(&lost_reply);
    respecify(&mut bench, json!({"a": 2}));
    bench.later(5);
    let result = bench.pass(&[
        shown(json!({"a": 1})),
        taken("Replace /a=2", json!({})),
        shown(json!({"a": 2})),
        done("applied"),
    ]);
    assert_eq!((result.requeue, bench.write()), (Requeue::AfterSyncPeriod, None));
    // What billing says is what the spec says, by whichever write.
    let of_two = json!({"a": 1, "b": 1});
    let mut bench = replaced(of_two.clone());
    let lost_reply = [shown(json!({"a": 0, "b": 0})), failed("Replace /a=1", unknown()), done("unconfirmed")];
    bench.pass(&lost_reply);
    bench.later(5);
    let both = || Row::Read("Shown", Ok(Some(json!({"id": "c-1", "edit": "e-9", "a": 1, "b": 1}))));
    let result = bench.pass(&[both(), done("in_sync")]);
    assert_eq!((result.requeue, bench.write()), (Requeue::AfterSyncPeriod, None));
    // As long as it does not, the write may still come.
    let mut bench = replaced(of_two);
    bench.pass(&lost_reply);
    let late_until = bench.write().unwrap().lost[0].late_until;
    bench.later(5);
    bench.pass(&[shown(json!({"is": "another's"})), done("refused ContractExists")]);
    assert_eq!(bench.write().unwrap().lost[0].late_until, late_until);
}

#[test]
fn a_lost_write_is_looked_for_after_the_spec_has_gone_back_without_a_write() {
    let mut bench = replaced(json!({"a": 1}));
    bench.pass(&[shown(json!({"a": 0})), failed("Replace /a=1", unknown()), done("unconfirmed")]);
    respecify(&mut bench, json!({"a": 0}));
    let result = bench.pass(&[shown(json!({"a": 0})), done("in_sync")]);
    assert_eq!(result.requeue, Requeue::Within(Duration::from_secs(31)));
    bench.later(31);
    let result = bench.pass(&[shown(json!({"a": 0})), done("in_sync")]);
    assert_eq!((result.requeue, bench.write()), (Requeue::AfterSyncPeriod, None));
}

#[test]
fn of_a_replace_that_was_sent_twice_the_first_may_still_arrive() {
    let mut bench = replaced(json!({"a": 1}));
    bench.pass(&[shown(json!({"a": 0})), failed("Replace /a=1", unknown()), done("unconfirmed")]);
    bench.pass(&[
        shown(json!({"a": 0})),
        taken("Replace /a=1", json!({})),
        shown(json!({"a": 1})),
        done("applied"),
    ]);
    assert_eq!(lost(&bench).len(), 1, "another spec within half a minute would be undone by it");
    bench.later(31);
    bench.pass(&[shown(json!({"a": 1})), done("in_sync")]);
    assert_eq!(bench.write(), None);
}

#[test]
fn of_an_edit_that_was_sent_twice_the_api_takes_only_one() {
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&[shown(json!({"a": 0})), failed("Edit", unknown()), done("unconfirmed")]);
    bench.pass(&[shown(json!({"a": 0})), edited(), shown(json!({"a": 1})), done("applied")]);
    assert_eq!(bench.write(), None);
}

#[test]
fn a_deleted_resource_does_not_go_before_its_lost_writes_can_arrive_no_more() {
    let mut bench = replaced(json!({"a": 1}));
    bench.pass(&[nothing(), failed("Create", unknown()), done("unconfirmed")]);
    bench.goal = ending(DeletionPolicy::Cancel);
    let result = bench.pass(&[nothing(), done("ended")]);
    assert!(!crate::protocol::deletion::may_go(&result));
    assert_eq!(result.requeue, Requeue::Within(Duration::from_secs(31)));
    bench.later(31);
    let result = bench.pass(&[nothing(), done("ended")]);
    assert!(crate::protocol::deletion::may_go(&result));
}

#[test]
fn of_several_calls_the_one_whose_reply_was_lost_is_on_record() {
    for (rows, lost) in [
        (vec![failed("Other prepare", unknown()), done("unconfirmed")], 0),
        (vec![taken("Other prepare", json!({})), failed("Edit", unknown()), done("unconfirmed")], 1),
    ] {
        let mut bench = bench_of(Scripted { prepares: true, ..Scripted::of(json!({"a": 1})) });
        bench.pass(&[&[shown(json!({"a": 0}))][..], &rows[..]].concat());
        assert_eq!(bench.write().map(|write| write.digest), Some(bench.sent[lost].fingerprint.clone()));
    }
}

#[test]
fn a_create_whose_key_was_used_is_looked_for_at_once() {
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&[nothing(), failed("Create", key_used()), shown(json!({"a": 1})), done("in_sync")]);
    assert_eq!(bench.contract_id().as_deref(), Some("c-1"));
    assert_eq!(bench.write(), None);
}

#[test]
fn a_create_whose_key_was_used_is_never_sent_again_and_stops_after_three_rounds() {
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&[nothing(), failed("Create", key_used()), nothing(), done("unconfirmed")]);
    assert_eq!(bench.rounds(), Some(1));
    // Every further pass begins with nothing but the status, as after a restart.
    let result = bench.pass(&[nothing(), done("unconfirmed")]);
    assert_eq!(result.requeue, Requeue::Backoff(std::time::Duration::ZERO));
    assert_eq!(bench.rounds(), Some(2));
    let result = bench.pass(&[nothing(), done("refused UniquenessKeyTaken")]);
    assert_eq!(bench.rounds(), Some(3), "the key stays on record");
    assert_eq!(result.requeue, Requeue::AfterSyncPeriod);
    assert!(matches!(&result.outcome, Outcome::Refused { refusal, blocked_plan: Some(_) }
        if refusal.message.contains("`spec.metronome.uniquenessKey`")));
    bench.pass(&[nothing(), done("refused UniquenessKeyTaken")]);
    bench.pass(&[nothing(), done("refused UniquenessKeyTaken")]);
    // It shows at last.
    bench.pass(&[shown(json!({"a": 1})), done("in_sync")]);
    assert_eq!(bench.write(), None);
}

#[test]
fn a_used_key_is_on_record_though_what_used_it_cannot_be_looked_for() {
    let mut bench = bench(json!({"a": 1}));
    let unreachable = Row::Read("Shown", Err(CallError::Unreachable("reset".into())));
    bench.pass(&[nothing(), failed("Create", key_used()), unreachable, done("waiting BillingUnreachable")]);
    assert_eq!(bench.rounds(), Some(1));
    bench.pass(&[nothing(), done("unconfirmed")]);
    bench.pass(&[nothing(), done("refused UniquenessKeyTaken")]);
}

#[test]
fn somebody_who_asks_anew_lets_a_used_key_be_tried_once_more() {
    for ask in [Bench::<Scripted>::change, Bench::<Scripted>::request] {
        let mut bench = bench(json!({"a": 1}));
        bench.pass(&[nothing(), failed("Create", key_used()), nothing(), done("unconfirmed")]);
        ask(&mut bench);
        bench.pass(&[nothing(), failed("Create", key_used()), nothing(), done("unconfirmed")]);
        assert_eq!(bench.rounds(), Some(1));
    }
}

#[test]
fn what_used_the_key_is_found_and_corrected_in_the_same_pass() {
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&[
        nothing(),
        failed("Create", key_used()),
        shown(json!({"a": 0})),
        edited(),
        shown(json!({"a": 1})),
        done("applied"),
    ]);
}

#[test]
fn an_edit_whose_key_was_used_is_done_and_read_back() {
    let mut bench = bench(json!({"a": 1}));
    let result = bench.pass(&[
        shown(json!({"a": 0})),
        failed("Edit", key_used()),
        shown(json!({"a": 1})),
        done("applied"),
    ]);
    let Outcome::InSync { applied, .. } = result.outcome else { panic!() };
    assert_eq!(applied.len(), 1);
}

#[test]
fn what_is_made_beside_the_contract_and_whose_key_was_used_is_done_and_read_back() {
    let mut bench = bench_of(Scripted { corrects_by: CallKind::Add, ..Scripted::of(json!({"a": 1})) });
    let before = || shown(json!({"a": 0}));
    let result = bench.pass(&[before(), failed("Add", key_used()), shown(json!({"a": 1})), done("applied")]);
    let Outcome::InSync { applied, .. } = result.outcome else { panic!() };
    assert_eq!(applied.len(), 1);
    bench.pass(&[before(), failed("Add", key_used()), before(), done("not_in_force")]);
    assert_eq!(bench.rounds(), Some(1), "what does not show was tried once");
}

#[test]
fn what_replaces_a_contract_has_no_key_that_could_be_used() {
    let mut bench = bench_of(Scripted { corrects_by: CallKind::Replace, ..Scripted::of(json!({"a": 1})) });
    let result = bench.pass(&[
        shown(json!({"a": 0})),
        failed("Replace", key_used()),
        done("refused UniquenessKeyTaken"),
    ]);
    assert_eq!(result.write, None);
}

#[test]
fn a_reply_that_cannot_be_read_is_a_lost_reply() {
    let mut bench = bench(json!({"a": 1}));
    let result = bench.pass(&[nothing(), taken("Create", json!({"name": "no id"})), done("unconfirmed")]);
    assert_eq!(result.created_id, None);
    assert!(bench.write().is_some());
}

#[test]
fn a_read_that_cannot_be_read_sends_nothing() {
    let mut bench = bench(json!({"a": 1}));
    let result = bench.pass(&[read("Shown", json!("<html>")), done("waiting BillingUnreachable")]);
    assert_eq!((result.write, result.suspects_token), (None, false));
}

#[test]
fn a_create_is_on_record_whatever_comes_after_it() {
    let wanted = || json!({"a": 1});
    let edit = |error| vec![shown(json!({"a": 0})), failed("Edit", error)];
    let unreachable = || CallError::Unreachable("reset".into());
    for (after, end) in [
        (vec![shown(json!({"a": 1}))], "applied"),
        (edit(rejected()), "refused Rejected"),
        (edit(unknown()), "unconfirmed"),
        (edit(CallError::NotLeader), "waiting NotLeader"),
        (edit(CallError::EditNotEnabled { message: "no".into() }), "refused EditNotEnabled"),
        (vec![Row::Read("Shown", Err(unreachable()))], "waiting BillingUnreachable"),
        (vec![Row::Read("Shown", Err(not_found()))], "refused CustomerNotFound"),
        (vec![read("Shown", json!("<html>"))], "waiting BillingUnreachable"),
        (vec![shown(json!({"is": "another's"}))], "refused ContractExists"),
        (vec![shown(json!({"is": "behind"}))], "waiting BillingUnreachable"),
        // Lists may be behind the create: the same plan again is none to send.
        (vec![nothing()], "not_in_force"),
    ] {
        let mut bench = bench(wanted());
        let rows = [&[nothing(), created()][..], &after[..], &[done(end)][..]].concat();
        let result = bench.pass(&rows);
        assert_eq!(result.created_id.as_deref(), Some("c-1"), "{end}");
        assert_eq!(result.customer_id.as_deref(), Some("customer-1"), "{end}");
        assert_eq!(bench.contract_id().as_deref(), Some("c-1"), "{end}");
        assert_eq!(bench.write().is_some(), end != "applied", "{end}");
    }
}

#[test]
fn what_was_made_is_known_by_its_ids_before_anything_follows() {
    let mut bench = bench(json!({"a": 1}));
    bench.pass(&[nothing(), created(), shown(json!({"a": 1})), done("applied")]);
    assert_eq!(bench.status().items.len(), 1, "what is shown after a write is remembered");
    let mut found = scripted_found();
    assert_eq!(found.pass(&[shown(json!({"a": 1})), done("in_sync")]).snapshot.unwrap().items.len(), 0);
}

fn scripted_found() -> Bench<Scripted> {
    bench(json!({"a": 1}))
}

#[test]
fn what_is_known_of_items_is_on_record_whatever_comes_of_the_write_and_of_reads_after_it() {
    let items = |names: &[&str]| -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), "c-1".to_owned())).collect()
    };
    let unreachable = || CallError::Unreachable("reset".into());
    let tells = || shown(json!({"a": 0, "tells": "c-1"}));
    let create = [nothing(), created(), shown(json!({"a": 0}))];
    for (rows, known) in [
        // Once this pass has written, what is shown is remembered.
        ([&create[..], &[failed("Edit", unknown()), done("unconfirmed")]].concat(), &["remembered"][..]),
        (
            [&create[..], &[failed("Edit", unreachable()), done("waiting BillingUnreachable")]].concat(),
            &["remembered"],
        ),
        // What a write might change is told before it is sent.
        (vec![tells(), failed("Edit", unknown()), done("unconfirmed")], &["told"]),
        (vec![tells(), failed("Edit", unreachable()), done("waiting BillingUnreachable")], &["told"]),
        // What was only read tells nothing.
        (vec![shown(json!({"a": 0})), failed("Edit", unknown()), done("unconfirmed")], &[]),
        (vec![shown(json!({"a": 1, "tells": "c-1"})), done("in_sync")], &[]),
    ] {
        let result = bench(json!({"a": 1})).pass(&rows);
        let found: Vec<_> = result.items.into_iter().map(|item| (item.key, item.id)).collect();
        assert_eq!(found, items(known), "{rows:?}");
    }
}

#[test]
fn a_wrong_spec_a_claim_and_what_is_in_the_way_are_said_before_anything_is_sent() {
    let refusal = |reason| Refusal { reason, message: "no".into() };
    let mut bench = bench(json!({"a": 1}));
    bench.claimed = Some(refusal(reasons::DUPLICATE_CLAIM));
    let result = bench.pass(&[done("refused DuplicateClaim")]);
    assert_eq!(result.requeue, Requeue::After(std::time::Duration::from_secs(30)));
    let invalid = Some(refusal(reasons::INVALID_SPEC));
    let mut bench = bench_of(Scripted { invalid, ..Scripted::of(json!({"a": 1})) });
    bench.claimed = Some(refusal(reasons::DUPLICATE_CLAIM));
    assert_eq!(bench.pass(&[done("refused InvalidSpec")]).requeue, Requeue::AfterSyncPeriod);
    let mut bench = scripted_found();
    let result = bench.pass(&[shown(json!({"is": "behind"})), done("waiting BillingUnreachable")]);
    assert_eq!(result.requeue, Requeue::After(std::time::Duration::from_secs(30)));
    bench.pass(&[shown(json!({"is": "another's"})), done("refused ContractExists")]);
    assert_eq!(bench.contract_id(), None);
}

#[test]
fn an_edit_that_was_not_sent_is_not_on_record_though_a_key_was_used_before_it() {
    let mut bench = bench(json!({"a": 1}));
    let result = bench.pass(&[
        nothing(),
        failed("Create", key_used()),
        shown(json!({"a": 0})),
        failed("Edit", CallError::NotLeader),
        done("waiting NotLeader"),
    ]);
    assert_eq!(result.write, None);
}
