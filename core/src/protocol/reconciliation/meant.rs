//! Whether what a plan was decided on is still meant: asked before the first write of a pass, and again once that is on record.
//!
//! How it is found out is whoever runs the machine's to say, and that of [`Holders`](crate::plan::Holders).

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Reconciliation;
use crate::{
    api::reasons,
    plan::Planner,
    protocol::{Goal, Outcome, ReconcileResult, Requeue},
};

/// How soon a resource is looked at again whose provider or package is newer than what was heard of it. What brings the news wakes
/// it sooner.
const BEHIND: Duration = Duration::from_secs(2);

impl<P: Planner> Reconciliation<P> {
    /// Takes whether what [`Step::Confirm`](super::Step::Confirm) asked about still says what it said. If it does not, or nobody
    /// can tell, nothing is sent.
    pub fn confirmed(&mut self, is_so: bool) {
        let Some(running) = &mut self.running else { return };
        running.is_confirmed = true;
        // It took its time to be asked.
        let overtaken = if is_so { self.overtaken() } else { Some(overtaken(BEHIND)) };
        if let Some(overtaken) = overtaken {
            self.running = None;
            self.ended = Some(Box::new(overtaken));
        }
    }

    /// The result for a resource that is there no more: somebody else may hold by now, or make, what it meant.
    pub(super) fn gone(&mut self, now: DateTime<Utc>) -> Option<ReconcileResult<P::Snapshot>> {
        let may_make = self.goal == Goal::InForce && self.written.is_empty();
        let gone = Outcome::Ended { applied: Vec::new() };
        (may_make && !self.holders.is_there()).then(|| self.result(gone, Requeue::OnChange, now))
    }

    /// The result where nothing was sent, and what was decided on holds no more: the resource was changed, suspended or deleted,
    /// its plan denied, or its provider changed while billing was asked. Whatever may be on record stays so.
    pub(super) fn overtaken(&self) -> Option<ReconcileResult<P::Snapshot>> {
        (!self.has_begun() && !self.holders.is_as_meant()).then(|| overtaken(Duration::ZERO))
    }

    /// Whether this pass has sent something already, so that it is to be brought to its end.
    pub(super) fn has_begun(&self) -> bool {
        self.has_sent || !self.written.is_empty() || self.key_was_used
    }
}

fn overtaken<S>(look_again: Duration) -> ReconcileResult<S> {
    let message = "What the resource says has changed meanwhile; it is looked at anew.";
    ReconcileResult {
        overtaken: Some(look_again),
        ..ReconcileResult::waiting(reasons::PROGRESSING, message, Requeue::After(look_again))
    }
}
