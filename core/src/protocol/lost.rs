//! Writes whose replies did not come: what is remembered of them, and until when they may still be carried out.
//!
//! A write that timed out may sit in a gateway and arrive behind a newer one. So none is forgotten because of the next,
//! and what billing says is looked at again once it can no longer arrive.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    api::contract::{LostWrite, UnconfirmedWrite},
    plan::{Call, CallKind, MAY_SHOW_LATER, Planner},
    protocol::Goal,
    terms::{Digest, Timestamp},
};

/// How long after its reply was given up a write may still be carried out. The time that a request may take is over by
/// then already.
pub const LATE: TimeDelta = TimeDelta::seconds(30);
/// How many fields are remembered of one.
const MOST_SET: usize = 64;
/// How many writes are remembered.
const MOST: usize = 16;

/// What a write is to put in force, as far as that is remembered of it.
#[derive(Clone, Default)]
pub(super) struct Means {
    spec_digest: Option<Digest>,
    customer_id: Option<String>,
    pub(super) sets: Vec<String>,
}

impl Means {
    /// What a write of what is wanted is to put in force; an end sets nothing.
    pub(super) fn of(planner: &impl Planner, goal: Goal) -> Self {
        Self {
            spec_digest: planner.digest().cloned(),
            customer_id: planner.customer_id().map(str::to_owned),
            sets: if goal == Goal::InForce { planner.sets() } else { Vec::new() },
        }
    }
}

/// Notes a write whose reply did not come, and what it was to put in force.
pub(super) fn note(lost: &mut Vec<LostWrite>, call: &Call, means: Means, now: DateTime<Utc>) {
    add(lost, call, means, (now, now + LATE));
}

/// Notes a create whose key was refused as used: it was carried out before, and may not show yet.
pub(super) fn used(lost: &mut Vec<LostWrite>, call: &Call, means: Means, now: DateTime<Utc>) {
    if lost.iter().all(|before| before.digest != call.fingerprint) {
        add(lost, call, Means { sets: Vec::new(), ..means }, (now, now));
    }
}

/// Notes a write that is about to be sent: should nobody hear what became of it, this is all that is known.
pub(super) fn announce(lost: &mut Vec<LostWrite>, call: &Call, means: Means, now: DateTime<Utc>) {
    // Those of the status, and those of this pass.
    leave(lost, MOST, now);
    add(lost, call, means, (now, now + MAY_SHOW_LATER));
}

fn add(
    lost: &mut Vec<LostWrite>,
    call: &Call,
    Means { spec_digest, customer_id, sets }: Means,
    (now, late_until): (DateTime<Utc>, DateTime<Utc>),
) {
    let late_until = Timestamp::whole_seconds(late_until);
    if let Some(before) = lost.iter_mut().find(|before| before.digest == call.fingerprint) {
        before.late_until = late_until;
        let news = sets.into_iter().filter(|field| !before.sets.contains(field));
        let news: Vec<_> = news.take(MOST_SET.saturating_sub(before.sets.len())).collect();
        before.sets.extend(news);
        return;
    }
    leave(lost, MOST - 1, now);
    lost.push(LostWrite {
        digest: call.fingerprint.clone(),
        late_until,
        spec_digest,
        sets: sets.into_iter().take(MOST_SET).collect(),
        repeated: false,
        adds: beside(call),
        customer_id: customer_id.filter(|_| call.kind == CallKind::Create),
    });
}

/// Forgets what is too many: what cannot arrive any more goes before what still can, and the older one before the newer.
fn leave(lost: &mut Vec<LostWrite>, most: usize, now: DateTime<Utc>) {
    while lost.len() > most {
        let over = lost.iter().position(|write| write.late_until.0 <= now).unwrap_or_default();
        lost.remove(over);
    }
}

/// Notes a write that was answered and is followed by another one, which takes out what it has set: were it delivered once
/// more on its way, nothing else would tell that this is not somebody's own.
pub(super) fn overtaken(
    lost: &mut Vec<LostWrite>,
    (digest, sets): (Digest, Vec<String>),
    wrote_at: DateTime<Utc>,
    now: DateTime<Utc>,
) {
    let late_until = Timestamp::whole_seconds(wrote_at + LATE);
    let is_known = lost.iter().any(|before| before.digest == digest);
    if late_until.0 > now && !is_known && lost.len() < MOST {
        let sets = sets.into_iter().take(MOST_SET).collect();
        lost.push(LostWrite {
            digest,
            late_until,
            spec_digest: None,
            sets,
            repeated: true,
            adds: Vec::new(),
            customer_id: None,
        });
    }
}

/// Paths of what a write makes beside the contract. Nothing else leads to it once the spec says it no more.
fn beside(call: &Call) -> Vec<String> {
    let added = call.adds.iter().filter(|_| call.kind == CallKind::Add);
    added.map(|added| added.recorded_as.clone()).collect()
}

/// Notes that a write is sent again, which the API does not tell from the first.
pub(super) fn repeat<'c>(lost: &mut [LostWrite], calls: impl Iterator<Item = &'c Call>) {
    for call in calls.filter(|call| !call.kind.is_taken_once()) {
        let same = lost.iter_mut().filter(|write| write.digest == call.fingerprint);
        same.for_each(|write| write.repeated = true);
    }
}

/// Notes that a call was carried out: where the API takes it once, no earlier try of it is any more.
pub(super) fn carried_out(lost: &mut Vec<LostWrite>, call: &Call) {
    if call.kind.is_taken_once() {
        lost.retain(|write| write.digest != call.fingerprint);
    }
}

/// Notes that the key of a call was used: one of its earlier tries may have been carried out, and none will be any more.
pub(super) fn is_used(lost: &mut [LostWrite], call: &Call, now: DateTime<Utc>) {
    let tries = lost.iter_mut().filter(|write| write.digest == call.fingerprint);
    tries.for_each(|write| is_over(write, now));
}

/// Notes what a call has set that was carried out: Git may take it out before any read has shown it. The reply to a replace
/// is such a read.
pub(super) fn answered(answered: &mut Vec<LostWrite>, call: &Call, means: Means, now: DateTime<Utc>) {
    if matches!(call.kind, CallKind::Create | CallKind::Edit) && !means.sets.is_empty() {
        add(answered, call, means, (now, now));
    }
}

/// What was lost, and the last of what was answered and is not seen yet.
pub(super) fn unseen(lost: &[LostWrite], answered: &[LostWrite]) -> Vec<LostWrite> {
    let room = MOST.saturating_sub(lost.len());
    let (_, newest) = answered.split_at(answered.len().saturating_sub(room));
    [lost, newest].concat()
}

/// It cannot arrive any more.
fn is_over(write: &mut LostWrite, now: DateTime<Utc>) {
    write.late_until = write.late_until.min(Timestamp::whole_seconds(now));
}

/// Notes which writes have arrived: they stay known as this resource's, and are not waited for.
pub(super) fn arrived(lost: &mut [LostWrite], now: DateTime<Utc>, has_arrived: impl Fn(&LostWrite) -> bool) {
    for write in lost {
        if !write.repeated && has_arrived(write) {
            is_over(write, now);
        }
    }
}

/// How long it takes until none can arrive any more; nothing when none can.
pub(super) fn wait(lost: &[LostWrite], now: DateTime<Utc>) -> Option<Duration> {
    let end = lost.iter().map(|write| write.late_until.0).filter(|until| *until > now).max()?;
    // A moment later, so that the look does not come a moment too early.
    end.signed_duration_since(now).to_std().ok().map(|wait| wait + Duration::from_secs(1))
}

/// What stays on record once billing agrees with the spec: the writes that may still undo that.
pub(super) fn still_late(lost: &[LostWrite], now: DateTime<Utc>) -> Option<UnconfirmedWrite> {
    let late: Vec<_> = lost.iter().filter(|write| write.late_until.0 > now).cloned().collect();
    let newest = late.last()?;
    Some(UnconfirmedWrite {
        digest: newest.digest.clone(),
        time: Timestamp(newest.late_until.0 - LATE),
        after_edit: None,
        taken: false,
        difference: None,
        rounds: 0,
        lost: late,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Added;
    use serde_json::json;

    fn call(kind: CallKind, terms: &str) -> Call {
        let mut call = Call::new(kind, "path", &json!({}), Digest::of(&json!(terms))).unwrap();
        call.adds = vec![Added { verb: "add", recorded_as: "customerCommits/pool".into() }];
        call
    }

    fn means(sets: Vec<String>) -> Means {
        Means { sets, ..Means::default() }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn sets(fields: std::ops::Range<usize>) -> Vec<String> {
        fields.map(|field| format!("field{field}")).collect()
    }

    #[test]
    fn what_a_lost_write_makes_beside_the_contract_is_on_record_and_what_an_edit_adds_is_not() {
        let mut lost = Vec::new();
        note(&mut lost, &call(CallKind::Add, "beside"), Means::default(), at(0));
        note(&mut lost, &call(CallKind::Edit, "inside"), Means::default(), at(0));
        assert_eq!(lost[0].adds, ["customerCommits/pool"]);
        assert_eq!(lost[1].adds, [""; 0]);
    }

    #[test]
    fn a_lost_create_is_on_record_with_the_customer_whom_it_was_for() {
        for (kind, customer) in
            [(CallKind::Create, Some("a")), (CallKind::Edit, None), (CallKind::Replace, None)]
        {
            let means = Means { customer_id: Some("a".to_owned()), ..Means::default() };
            for write in [note, announce] {
                let mut lost = Vec::new();
                write(&mut lost, &call(kind, "terms"), means.clone(), at(0));
                assert_eq!(lost[0].customer_id.as_deref(), customer, "{kind:?}");
            }
        }
    }

    #[test]
    fn a_write_that_is_lost_again_is_one_that_sets_what_either_try_set() {
        let mut lost = Vec::new();
        note(&mut lost, &call(CallKind::Replace, "terms"), means(sets(0..2)), at(0));
        note(&mut lost, &call(CallKind::Replace, "terms"), means(sets(1..3)), at(5));
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].sets, sets(0..3));
        assert_eq!(lost[0].late_until.0, at(5) + LATE);
        note(&mut lost, &call(CallKind::Replace, "terms"), means(sets(3..200)), at(6));
        assert_eq!(lost[0].sets, sets(0..MOST_SET), "the status has its bounds");
    }

    #[test]
    fn of_too_many_what_can_no_longer_arrive_is_forgotten_before_what_still_can() {
        let mut lost = Vec::new();
        let seconds = |write: usize| i64::try_from(write).unwrap();
        for write in 0..MOST {
            // The third one is as old as the others are young: it is over at the very moment that the next one is lost.
            let when = if write == 2 { at(0) } else { at(10 + seconds(write)) };
            note(&mut lost, &call(CallKind::Replace, &write.to_string()), Means::default(), when);
        }
        let third = lost[2].digest.clone();
        note(&mut lost, &call(CallKind::Replace, "next"), Means::default(), at(0) + LATE);
        assert_eq!(lost.len(), MOST);
        assert!(lost.iter().all(|write| write.digest != third));
        let first = lost[0].digest.clone();
        note(&mut lost, &call(CallKind::Replace, "last"), Means::default(), at(1) + LATE);
        assert!(lost.iter().all(|write| write.digest != first), "of those that still can, the oldest");
    }

    #[test]
    fn what_is_announced_fits_a_status_however_much_was_known_before() {
        let mut known = Vec::new();
        for write in 0..MOST + 3 {
            let mut one = Vec::new();
            note(&mut one, &call(CallKind::Replace, &write.to_string()), Means::default(), at(0));
            known.extend(one);
        }
        for again in ["0", "new", "18"] {
            let mut lost = known.clone();
            announce(&mut lost, &call(CallKind::Replace, again), Means::default(), at(1));
            assert_eq!(lost.len(), MOST, "{again}");
            assert!(lost.iter().any(|write| write.digest == call(CallKind::Replace, again).fingerprint));
        }
    }

    #[test]
    fn what_a_call_has_set_that_was_carried_out_is_known_and_not_waited_for() {
        let mut kept = Vec::new();
        answered(&mut kept, &call(CallKind::Edit, "this"), means(sets(1..3)), at(5));
        answered(&mut kept, &call(CallKind::Replace, "whole"), means(sets(0..1)), at(5));
        answered(&mut kept, &call(CallKind::Edit, "nothing"), means(Vec::new()), at(5));
        assert_eq!((kept.len(), &kept[0].sets, wait(&kept, at(5))), (1, &sets(1..3), None));
        let mut lost = Vec::new();
        for write in 0..MOST {
            note(&mut lost, &call(CallKind::Replace, &write.to_string()), Means::default(), at(4));
        }
        assert_eq!(unseen(&lost[1..], &kept), [&lost[1..], &kept[..]].concat());
        assert_eq!(unseen(&lost, &kept), lost, "what may still arrive comes first");
    }

    #[test]
    fn a_call_that_was_carried_out_is_waited_for_no_more_where_its_api_takes_it_once() {
        for (kind, left) in [(CallKind::Add, 1), (CallKind::Edit, 1), (CallKind::Replace, 2)] {
            let mut lost = Vec::new();
            note(&mut lost, &call(kind, "this"), Means::default(), at(0));
            note(&mut lost, &call(kind, "another"), Means::default(), at(0));
            carried_out(&mut lost, &call(kind, "this"));
            assert_eq!(lost.len(), left, "{kind:?}");
            assert!(lost.iter().any(|write| write.digest == call(kind, "another").fingerprint), "{kind:?}");
        }
    }

    #[test]
    fn what_has_used_a_key_is_known_and_not_waited_for() {
        let mut lost = Vec::new();
        note(&mut lost, &call(CallKind::Edit, "this"), means(sets(0..1)), at(0));
        note(&mut lost, &call(CallKind::Edit, "another"), Means::default(), at(0));
        is_used(&mut lost, &call(CallKind::Edit, "this"), at(5));
        let known: Vec<_> = lost.iter().map(|write| (write.sets.len(), write.late_until.0)).collect();
        assert_eq!(known, [(1, at(5)), (0, at(0) + LATE)]);
    }

    #[test]
    fn a_write_that_another_one_takes_out_is_known_once_for_as_long_as_it_may_be_delivered_again() {
        let note = |lost: &mut Vec<LostWrite>, name: &str, now| {
            overtaken(lost, (Digest::of(&json!(name)), sets(0..200)), at(0), now);
        };
        let mut lost = Vec::new();
        note(&mut lost, "over", at(0) + LATE);
        assert_eq!(lost, []);
        note(&mut lost, "first", at(1));
        note(&mut lost, "second", at(2));
        note(&mut lost, "first", at(3));
        let digests = |lost: &[LostWrite]| lost.iter().map(|write| write.digest.clone()).collect::<Vec<_>>();
        assert_eq!(digests(&lost), ["first", "second"].map(|name| Digest::of(&json!(name))));
        let expected = LostWrite {
            digest: Digest::of(&json!("first")),
            late_until: Timestamp(at(0) + LATE),
            spec_digest: None,
            sets: sets(0..MOST_SET),
            repeated: true,
            adds: Vec::new(),
            customer_id: None,
        };
        assert_eq!(lost[0], expected);
        for write in 2..MOST + 2 {
            note(&mut lost, &write.to_string(), at(4));
        }
        assert_eq!(lost.len(), MOST, "what was lost goes before what was answered");
        assert_eq!(lost[0], expected);
    }

    #[test]
    fn a_write_that_has_arrived_is_waited_for_no_more_unless_it_was_sent_twice() {
        let lost_at_zero = |repeated| {
            let mut lost = Vec::new();
            note(&mut lost, &call(CallKind::Replace, "terms"), Means::default(), at(0));
            if repeated {
                repeat(&mut lost, [call(CallKind::Replace, "terms")].iter());
            }
            lost
        };
        let late_until = |repeated, now, has_arrived: bool| {
            let mut lost = lost_at_zero(repeated);
            arrived(&mut lost, now, |_| has_arrived);
            lost[0].late_until.0
        };
        assert_eq!(late_until(false, at(3), true), at(3));
        assert_eq!(late_until(false, at(3), false), at(0) + LATE);
        assert_eq!(late_until(true, at(3), true), at(0) + LATE, "the second one is still on its way");
        assert_eq!(
            late_until(false, at(3) + LATE, true),
            at(0) + LATE,
            "what was over stays over since then"
        );
        assert_eq!(wait(&lost_at_zero(false), at(0)), Some(Duration::from_secs(31)));
        assert_eq!(wait(&lost_at_zero(false), at(0) + LATE), None);
        let late = still_late(&lost_at_zero(false), at(1)).unwrap();
        assert_eq!((late.time.0, late.lost.len()), (at(0), 1), "the time is that of the write");
        assert!(still_late(&lost_at_zero(false), at(0) + LATE).is_none());
    }
}
