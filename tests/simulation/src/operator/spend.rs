//! Approvals whose plan was carried out are marked as spent, one by one, as `src/controller/approval.rs` does it.

use std::sync::Arc;

use countersign_core::{
    api::{ContractApproval, approval::ApprovalDecision},
    protocol::Requeue,
    terms::Digest,
};

use super::{
    Memory,
    desk::Desk,
    line::Fate,
    report::{Kube, of_kubernetes},
};
use crate::{cluster::Name, ground::Ground, mutant::Mutant};

/// What comes after approvals were marked as spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The resource goes.
    Release,
    /// It is looked at again.
    Requeue(Requeue),
}

/// Approvals that are to be marked.
pub(super) struct Spend {
    left: Vec<Arc<ContractApproval>>,
    pub(super) then: Then,
}

/// What marking one came to.
pub(super) enum Marked {
    /// It is marked, or says nothing any more.
    On,
    /// The API server did not do its part: all of it is tried again.
    Failed,
    /// The process died.
    Dead,
}

impl Spend {
    /// Marks the approvals of these plans of a contract, as far as the process has heard of them.
    pub(super) fn new(desk: &Desk, memory: &Memory, plans: &[Digest], ground: &Ground, then: Then) -> Self {
        let is_spent = |said: &Arc<ContractApproval>| {
            said.spec.decision == ApprovalDecision::Approve
                && said.status.as_ref().is_none_or(|status| status.spent_at.is_none())
                && plans.contains(&said.spec.plan_digest)
        };
        let is_marked = !matches!(ground.mutant, Some(Mutant::ApprovalNotMarked | Mutant::ApprovalNotSpent));
        let mut left = memory.said_of(&Name::of(&desk.object));
        left.retain(|said| is_marked && is_spent(said));
        Self { left, then }
    }

    /// Whether nothing is left to mark.
    pub(super) fn is_over(&self) -> bool {
        self.left.is_empty()
    }

    /// Marks the next one.
    pub(super) fn step(&mut self, memory: &Memory, ground: &mut Ground, fate: Fate) -> Marked {
        let Some(approval) = self.left.pop() else { return Marked::On };
        let Kube::Arrives { hears } = of_kubernetes(fate) else { return Marked::Failed };
        if !memory.may_write(0, ground.now) {
            return Marked::Failed;
        }
        // Of two leaders the first marks it.
        let spent = ground.cluster.spend(&approval, ground.now);
        ground.note(|| format!("  approval {:?} is spent: {spent:?}", approval.metadata.name));
        ground.count("approval spent");
        match fate {
            Fate::Crash => Marked::Dead,
            _ if hears => Marked::On,
            _ => Marked::Failed,
        }
    }
}
