//! What is about to be written to billing, on its way to the record, as `src/controller/kubernetes/journal.rs` writes it.

use countersign_core::{plan::Announced, protocol::CallError};

use super::{
    Memory,
    desk::Desk,
    line::Fate,
    report::{Kube, of_kubernetes},
};
use crate::{cluster::Journal, ground::Ground};

/// Puts on record what is about to be sent; nothing when the process dies with that.
pub(super) fn announce(
    desk: &Desk,
    announced: Announced,
    memory: &mut Memory,
    ground: &mut Ground,
    fate: Fate,
) -> Option<Result<(), CallError>> {
    let uid = desk.object.metadata.uid.clone().unwrap_or_default();
    memory.journal.writes.insert(uid, announced);
    let Kube::Arrives { hears } = of_kubernetes(fate) else {
        return Some(Err(CallError::NotOnRecord("no answer".to_owned())));
    };
    if !memory.may_write(0, ground.now) {
        return Some(Err(CallError::NotLeader));
    }
    ground.count("write put on record before it is sent");
    let mut written = ground.cluster.put_journal(memory.journal.clone());
    if written.is_err() {
        take_over(memory, ground.cluster.journal());
        written = ground.cluster.put_journal(memory.journal.clone());
    }
    if let Ok(version) = written
        && hears
    {
        memory.journal.version = version;
    }
    if fate == Fate::Crash {
        return None;
    }
    Some(if hears { Ok(()) } else { Err(CallError::NotOnRecord("no answer".to_owned())) })
}

/// Takes up what another leader has announced. What this one wrote and has no more was reported.
fn take_over(memory: &mut Memory, found: &Journal) {
    memory.journal.version = found.version;
    if found.term != memory.journal.term {
        for (uid, announced) in &found.writes {
            memory.journal.writes.entry(uid.clone()).or_insert_with(|| announced.clone());
        }
    }
}
