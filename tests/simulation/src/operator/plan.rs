//! The live plan: what `plan` would print of a contract now, by the protocol's own plan and with a client that can only read.
//!
//! As `src/cli/plan/live.rs` and `preview` in `src/billing/mod.rs` do it, with what the cluster itself has on record; besides, a
//! contract that is deleted and that another resource claims is known to be left.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_core::{
    plan::{Call, ContractSnapshot, Holders, Planner},
    protocol::{
        Reconciliation, Step,
        deletion::{self, Deletion},
    },
};

use super::{
    Memory,
    desk::{Desk, Known, heir},
    line::{Fact, Fate, Line},
    task::{Stage, Task, Then},
};
use crate::{cluster::Name, ground::Ground, mutant::Mutant, time::wall};

/// What stands in a plan for what only a reply tells: the ID of a contract, and the key of an edit.
const UNTOLD: [&str; 2] = ["<ID of the new contract>", "<key of this edit>"];

/// The calls that the live plan prints of a contract, in order; nothing when there is no such contract.
pub(crate) fn calls(ground: &mut Ground, name: &Name, skew: i64) -> Option<Vec<Call>> {
    let memory = Memory::of(&ground.cluster);
    let object = Arc::clone(memory.cache.get(name)?);
    let is_deleted = object.metadata.deletion_timestamp.is_some();
    // What an operator that was killed may have sent is on its own record.
    let desk = Desk { announced: None, ..Desk::of(object, memory.said_of(name), &memory, ground) };
    let mut task = Task { desk, stage: Stage::Finalizer { set: false, then: Then::Nothing } };
    match deletion::of_contract(&task.desk.object) {
        Deletion::End(_) if is_deleted && heir(&task.desk, ground) => return Some(Vec::new()),
        Deletion::End(goal) if is_deleted => task.desk.goal = goal,
        _ if is_deleted => return Some(Vec::new()),
        _ => {}
    }
    if task.protocol(ground, false).is_err() {
        return Some(Vec::new());
    }
    let now = wall(ground.now + skew);
    let known = Holders::new(Known::of(&task.desk, &memory, ground));
    let Task { mut desk, stage } = task;
    Some(match stage {
        Stage::Zoo(plan) => foreseen(plan.knowing(known), &mut desk, ground, now),
        Stage::Metronome(plan) => foreseen(plan.knowing(known), &mut desk, ground, now),
        _ => Vec::new(),
    })
}

/// Reads until something would be written, and says what.
fn foreseen<P>(
    mut reconciliation: Reconciliation<P>,
    desk: &mut Desk,
    ground: &mut Ground,
    now: DateTime<Utc>,
) -> Vec<Call>
where
    P: Planner<Snapshot = ContractSnapshot>,
    P::Need: Fact,
{
    loop {
        match reconciliation.next(now) {
            Step::Read(need) => {
                let mut line =
                    Line { ground, fate: Fate::Fine, desk, gate: false, operator: 0, is_dead: false };
                let told = line.read(&need);
                reconciliation.told(&need, told, now);
            }
            Step::Confirm => reconciliation.confirmed(true),
            Step::Announce(_) => reconciliation.announced(Ok(())),
            Step::Withdraw => reconciliation.withdrawn(),
            Step::Send(_) if ground.mutant == Some(Mutant::PlanWithoutSequel) => {
                return reconciliation.plan().map(|plan| plan.calls.clone()).unwrap_or_default();
            }
            Step::Send(_) => return reconciliation.foreseen(now).map(|plan| plan.calls).unwrap_or_default(),
            Step::Done(_) => return Vec::new(),
        }
    }
}

/// How what was sent differs from what was foreseen. Each call comes with whether billing took it: after one that it did
/// not take, nothing is foreseen.
pub(crate) fn difference(foreseen: &[Call], sent: &[(Call, bool)]) -> Option<String> {
    let told = |call: &Call| format!("{} {}", call.path, call.body);
    let until = sent.iter().position(|(_, is_taken)| !is_taken).map(|index| index + 1);
    let mut heeded = sent.iter().take(until.unwrap_or(sent.len())).map(|(call, _)| told(call));
    for call in foreseen.iter().map(told) {
        match heeded.next() {
            Some(sent) if fits(&call, &sent) => {}
            Some(sent) => return Some(format!("was to send {call}, and sends {sent}")),
            None if until.is_some() => return None,
            None => return Some(format!("was to send {call}, and does not")),
        }
    }
    heeded.next().map(|sent| format!("sends {sent}, which was not foreseen"))
}

/// Whether a text is what was foreseen, with something for all that only replies tell.
pub(crate) fn fits(foreseen: &str, sent: &str) -> bool {
    let mut pieces = vec![foreseen];
    for untold in UNTOLD {
        pieces = pieces.into_iter().flat_map(|piece| piece.split(untold)).collect();
    }
    let Some((first, rest)) = pieces.split_first() else { return foreseen == sent };
    let (Some(mut left), Some((last, between))) = (sent.strip_prefix(first), rest.split_last()) else {
        return foreseen == sent;
    };
    for piece in between {
        let Some((_, after)) = left.split_once(piece) else { return false };
        left = after;
    }
    left.ends_with(last)
}
