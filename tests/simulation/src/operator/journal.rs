//! What is about to be written to billing, on its way to the record, as `src/controller/kubernetes/journal.rs` writes it.

use countersign_core::{plan::Announced, protocol::CallError};

use super::{
    Memory,
    desk::Desk,
    line::Fate,
    report::{Kube, of_kubernetes},
};
use crate::{
    cluster::{Journal, Refused},
    ground::Ground,
};

/// Puts on record what is about to be sent; nothing when the process dies with that.
pub(super) fn announce(
    desk: &Desk,
    announced: Announced,
    memory: &mut Memory,
    ground: &mut Ground,
    fate: Fate,
    operator: usize,
) -> Option<Result<(), CallError>> {
    memory.journal.writes.insert(desk.uid(), announced);
    let Kube::Arrives { hears } = of_kubernetes(fate) else {
        return Some(Err(CallError::NotOnRecord("no answer".to_owned())));
    };
    let now = ground.now;
    if !memory.may_replace(Some(memory.journal.term), &mut ground.cluster, operator, now) {
        return Some(Err(CallError::NotLeader));
    }
    ground.count("write put on record before it is sent");
    let mut written = put(memory, ground);
    if written.is_err() {
        take_over(memory, ground.cluster.journal());
        if !memory.may_replace(Some(memory.journal.term), &mut ground.cluster, operator, now) {
            return Some(Err(CallError::NotLeader));
        }
        written = put(memory, ground);
    }
    if let Ok(version) = written
        && hears
    {
        (memory.journal.version, memory.journal.term) = (version, memory.term);
    }
    if fate == Fate::Crash {
        return None;
    }
    Some(if hears { Ok(()) } else { Err(CallError::NotOnRecord("no answer".to_owned())) })
}

/// Puts back what was there before the last announcement; the record itself follows with whatever is written to it next.
pub(super) fn withdraw(desk: &mut Desk, memory: &mut Memory) {
    match desk.before.take() {
        Some(before) => drop(memory.journal.writes.insert(desk.uid(), before)),
        None => drop(memory.journal.writes.remove(&desk.uid())),
    }
}

fn put(memory: &Memory, ground: &mut Ground) -> Result<u64, Refused> {
    ground.cluster.put_journal(Journal { term: memory.term, ..memory.journal.clone() })
}

/// Takes up what another leader has announced. What this one wrote and has no more was reported.
fn take_over(memory: &mut Memory, found: &Journal) {
    (memory.journal.version, memory.journal.term) = (found.version, found.term);
    if found.term != memory.term {
        for (uid, announced) in &found.writes {
            memory.journal.writes.entry(uid.clone()).or_insert_with(|| announced.clone());
        }
    }
}
