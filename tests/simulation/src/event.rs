//! What can happen next. Each event carries all that it needs, so that a run can be repeated, and one of its events left
//! out, without another seed.

use crate::{
    cluster::Name,
    deal::DEALS,
    operator::line::Fate,
    people::Act,
    rules::Rule,
    time::{DAY, HOUR, MINUTE, SECOND},
    world::World,
};

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Time passes.
    Pass(i64),
    /// The watch of an operator delivers so many changes.
    Hear(usize, usize),
    /// An operator takes or renews the lease; the reply may be lost.
    Renew(usize, bool),
    /// An operator begins to reconcile an object.
    Begin(usize, Name),
    /// A reconcile takes its next step, and its request meets this fate.
    Step(usize, Name, Fate),
    /// An operator reconciles an object undisturbed, after somebody has asked for the live plan.
    Foresee(usize, Name),
    /// An operator is killed.
    Kill(usize),
    /// An operator is started.
    Start(usize),
    /// An operator stands still.
    Pause(usize, i64),
    /// An operator's clock is off.
    Skew(usize, i64),
    /// Somebody does something.
    Act(Act),
    /// etcd is backed up.
    BackUp,
    /// etcd is put back; where that takes long, nobody leads any more by then.
    Restore(Outage),
}

/// How long the API server is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    Short,
    /// Longer than a lease lasts.
    Long,
}

const STATUSES: [u16; 14] = [400, 401, 403, 404, 408, 422, 423, 425, 429, 499, 500, 502, 503, 504];

/// Picks the next event by chance, among those that mean something now.
pub(crate) fn next(world: &World, rng: &mut fastrand::Rng) -> Event {
    let operator = pick(&world.busy(), rng).unwrap_or_else(|| rng.usize(..world.operators.len()));
    if !world.is_running(operator) && rng.u32(..3) == 0 {
        return Event::Start(operator);
    }
    if world.is_somebody_paused() && rng.u32(..12) == 0 {
        return Event::Pass(rng.i64(MINUTE..2 * MINUTE));
    }
    let (tasks, ready) = (world.tasks(operator), world.ready(operator));
    let heard = world.unheard(operator);
    let is_asked = world.ground.rules.has(Rule::Foresee) && world.is_quiet(operator) && rng.u32(..4) == 0;
    if is_asked && let Some(name) = pick(&ready, rng) {
        return Event::Foresee(operator, name);
    }
    match rng.u32(..100) {
        0..50 if !tasks.is_empty() => {
            pick(&tasks, rng).map_or(Event::Pass(1), |name| Event::Step(operator, name, fate(rng)))
        }
        30..66 if !ready.is_empty() => {
            pick(&ready, rng).map_or(Event::Pass(1), |name| Event::Begin(operator, name))
        }
        0..72 if heard > 0 => Event::Hear(operator, 1 + rng.usize(..heard)),
        0..84 => Event::Pass(time(rng)),
        84 => Event::Renew(rng.usize(..2), rng.bool()),
        85 | 86 => match rng.u32(..10) {
            0 | 1 => Event::Kill(operator),
            2 | 8 => Event::Pause(operator, rng.i64(SECOND..120 * SECOND)),
            5 => Event::Skew(operator, rng.i64(-20 * SECOND..20 * SECOND)),
            3 if !world.keeps_etcd => {
                Event::Restore(if operator == 0 { Outage::Short } else { Outage::Long })
            }
            4 => Event::BackUp,
            _ => Event::Start(rng.usize(..2)),
        },
        _ => {
            let (waiting, spent) = (world.people.waiting(&world.ground), world.people.spent(&world.ground));
            match (rng.u32(..6), waiting, spent) {
                (0 | 1, Some(slot), _) => Event::Act(consent(slot, world, rng)),
                (2, _, Some(slot)) => Event::Act(Act::Undo(slot)),
                _ => Event::Act(another(world, rng).unwrap_or_else(|| act(rng))),
            }
        }
    }
}

fn pick<T: Clone>(among: &[T], rng: &mut fastrand::Rng) -> Option<T> {
    let index = (!among.is_empty()).then(|| rng.usize(..among.len()))?;
    among.get(index).cloned()
}

fn time(rng: &mut fastrand::Rng) -> i64 {
    match rng.u32(..100) {
        0..70 => rng.i64(50..5 * SECOND),
        70..88 => rng.i64(5 * SECOND..MINUTE),
        88..97 => rng.i64(MINUTE..15 * MINUTE),
        97 => rng.i64(HOUR..6 * HOUR),
        _ => rng.i64(DAY..40 * DAY),
    }
}

fn fate(rng: &mut fastrand::Rng) -> Fate {
    match rng.u32(..100) {
        0..66 => Fate::Fine,
        66..70 => Fate::LostRequest,
        70..75 => Fate::LostReply,
        75..78 => Fate::Late(rng.i64(SECOND..25 * SECOND)),
        78..81 => Fate::Twice(rng.i64(SECOND..25 * SECOND)),
        81..85 => Fate::Status(STATUSES.get(rng.usize(..STATUSES.len())).copied().unwrap_or(503)),
        85..87 => Fate::StatusDone(500 + 2 * rng.u16(..2)),
        87..90 => Fate::Crash,
        90..96 => Fate::Behind(rng.i64(SECOND..crate::billing::LONGEST_LAG)),
        96..98 => Fate::ForeignNotFound,
        _ => Fate::NotFound,
    }
}

/// How somebody approves a plan that waits.
fn consent(slot: usize, world: &World, rng: &mut fastrand::Rng) -> Act {
    let is_said = world.ground.rules.has(Rule::Approvals) && rng.u32(..8) > 2;
    if is_said { Act::Say(slot, rng.u32(..1_000_000)) } else { Act::Approve(slot) }
}

/// Something about approvals, or about what lies beside contracts, now and then.
fn another(world: &World, rng: &mut fastrand::Rng) -> Option<Act> {
    if world.ground.rules.has(Rule::Beside) && rng.u32(..30) == 0 {
        return Some(Act::ConsoleBeside(rng.usize(..DEALS), rng.u32(..1_000_000)));
    }
    if !world.ground.rules.has(Rule::Approvals) || rng.u32(..10) > 0 {
        return None;
    }
    let r = rng.u32(..1_000_000);
    Some(match rng.u32(..4) {
        0 => Act::Say(rng.usize(..DEALS), r),
        1 => Act::Unsay(rng.usize(..DEALS)),
        _ => Act::Demand(rng.usize(..4), r),
    })
}

fn act(rng: &mut fastrand::Rng) -> Act {
    // Two deals are others' doubles, which refuse each other most of the time.
    let slot = if rng.u32(..4) == 0 { rng.usize(..DEALS) } else { rng.usize(..4) };
    let r = rng.u32(..1_000_000);
    match rng.u32(..100) {
        0..26 => Act::Create(slot),
        26..58 => Act::Edit(slot, r),
        58..62 => Act::Revert(slot),
        62..66 => Act::Delete(slot),
        66 => Act::Rename(slot, r.is_multiple_of(2)),
        67..70 => Act::Suspend(slot),
        70..75 => Act::Management(slot, r),
        75 | 76 => Act::Drift(slot),
        77..80 => Act::Deletion(slot, r),
        80..83 => Act::Approve(slot),
        83..86 => Act::Undo(slot),
        86..88 => Act::Request(slot, r),
        88 => Act::Release(slot),
        89 => Act::Strip(slot),
        90..97 => Act::Console(slot, r),
        97 => Act::EndByHand(slot, r),
        98 => Act::Token(rng.usize(..4)),
        _ => Act::MoveProvider,
    }
}
