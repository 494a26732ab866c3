//! A status on its way to the API server, as `src/controller/kubernetes/status.rs` writes it.

use std::sync::Arc;

use countersign_core::{
    api::{BillingContract, BillingContractStatus},
    protocol::Requeue,
    terms::Digest,
};

use super::{Memory, desk::Desk, line::Fate, task::SYNC_PERIOD};
use crate::{
    cluster::{Name, Refused},
    ground::{Ground, Late, Sent},
    mutant::Mutant,
    time::SECOND,
};

/// Most tries to write a status on an object that moves on.
const MAX_CONFLICTS: u32 = 5;

/// A status on its way.
pub(super) struct Report {
    pub(super) object: Arc<BillingContract>,
    pub(super) status: BillingContractStatus,
    pub(super) tries: u32,
    /// The object moved on, and is read again first.
    pub(super) must_read: bool,
    pub(super) requeue: Requeue,
    /// Plans whose approvals count no more once it is written.
    pub(super) spends: Vec<Digest>,
    /// It tells what has come of writes: an account was asked.
    pub(super) asked: bool,
}

/// How the writing of a status was over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Over {
    /// The process died.
    pub(super) is_dead: bool,
    /// The API server took the status.
    pub(super) is_written: bool,
    /// Nothing went wrong on the way.
    pub(super) goes_on: bool,
}

/// Writes a status. `Err` when that is over.
pub(super) fn write(
    desk: &Desk,
    mut report: Report,
    memory: &mut Memory,
    ground: &mut Ground,
    fate: Fate,
    operator: usize,
) -> Result<Report, Over> {
    let given_up = Over { is_dead: false, is_written: false, goes_on: false };
    let now = ground.now;
    let uid = desk.object.metadata.uid.clone().unwrap_or_default();
    let version = report.object.metadata.resource_version.clone();
    let Kube::Arrives { hears } = of_kubernetes(fate) else {
        if !report.must_read {
            memory.queue.doubt(&uid, version.as_deref());
        }
        memory.queue.retry(&uid, 0, now);
        return Err(given_up);
    };
    let known = fence(&report.object);
    if !report.must_read && !memory.may_replace(known, &mut ground.cluster, operator, now) {
        memory.queue.retry(&uid, 0, now);
        return Err(given_up);
    }
    if report.must_read {
        let found = ground.cluster.get(&Name::of(&report.object)).cloned();
        let is_mutant = ground.mutant == Some(Mutant::StatusOverAnother);
        match found.filter(|found| found.metadata.uid == report.object.metadata.uid) {
            // A former leader's last word, or a backup's: whatever is done next starts from it.
            Some(found) if hears && found.status != desk.object.status && !is_mutant => {
                ground.count("status overtaken");
                memory.queue.knows(&uid, found.metadata.resource_version.as_deref());
                memory.queue.retry(&uid, 0, now);
            }
            Some(found) if hears => {
                report.object = found;
                report.must_read = false;
                return Ok(report);
            }
            Some(_) => memory.queue.retry(&uid, 0, now),
            None => memory.queue.requeue(&uid, report.requeue, SYNC_PERIOD, now),
        }
        return Err(Over { is_dead: fate == Fate::Crash, ..given_up });
    }
    let mut object = BillingContract::clone(&report.object);
    object.status = Some(BillingContractStatus { fence: Some(memory.term), ..report.status.clone() });
    let late = match fate {
        Fate::Late(after) => Some(after),
        // It gave up before etcd did.
        Fate::StatusDone(_) => Some(5 * SECOND),
        _ => None,
    };
    if let Some(after) = late {
        ground.late.push(Late { at: now + after, what: Sent::Status(Box::new(object)) });
        memory.queue.doubt(&uid, version.as_deref());
        memory.queue.retry(&uid, 0, now);
        return Err(given_up);
    }
    let written = ground.write_status(&object);
    ground.note(|| {
        let ready =
            object.status.iter().flat_map(|status| &status.conditions).find(|found| found.type_ == "Ready");
        let ready = ready.map(|ready| format!("{} {}: {}", ready.status, ready.reason, ready.message));
        format!(
            "  status of {} ({:?}): {}",
            Name::of(&object),
            written.as_ref().map(|_| ()),
            ready.unwrap_or_default()
        )
    });
    let is_written = written.is_ok();
    if fate == Fate::Crash {
        return Err(Over { is_dead: true, is_written, goes_on: false });
    }
    let goes_on = hears && matches!(written, Ok(_) | Err(Refused::NotFound));
    match written {
        _ if !hears => {
            memory.queue.doubt(&uid, version.as_deref());
            memory.queue.retry(&uid, 0, now);
        }
        Ok(written) => {
            if report.asked {
                memory.journal.writes.remove(&uid);
            }
            memory.queue.wrote(&uid, written.metadata.resource_version.as_deref());
            memory.queue.requeue(&uid, report.requeue, SYNC_PERIOD, now);
        }
        Err(Refused::Conflict) if report.tries < MAX_CONFLICTS => {
            report.tries += 1;
            report.must_read = true;
            ground.count("status conflict");
            return Ok(report);
        }
        Err(Refused::Conflict) => memory.queue.retry(&uid, 0, now),
        Err(Refused::NotFound) => memory.queue.requeue(&uid, report.requeue, SYNC_PERIOD, now),
    }
    Err(Over { is_dead: false, is_written, goes_on })
}

/// Number of the leadership that wrote the status of an object.
fn fence(object: &BillingContract) -> Option<i32> {
    object.status.as_ref().and_then(|status| status.fence)
}

/// What becomes of a request to the API server.
pub(super) enum Kube {
    Lost,
    Arrives { hears: bool },
}

pub(super) fn of_kubernetes(fate: Fate) -> Kube {
    match fate {
        Fate::LostRequest | Fate::Status(_) => Kube::Lost,
        Fate::LostReply | Fate::StatusDone(_) | Fate::Late(_) => Kube::Arrives { hears: false },
        _ => Kube::Arrives { hears: true },
    }
}
