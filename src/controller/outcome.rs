//! What a pass came to, and when the object is looked at again.

use std::time::Duration;

use kube::runtime::controller::Action;

use super::{schedule::Schedule, status::Finding};
use crate::plan::{Plan, Refusal};

/// How soon it looks again for what is not there yet: a provider, a holder, the end of contracts.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How often a write may leave the same difference before writing stops.
pub(super) const MAX_ROUNDS: u32 = 3;
/// How often something is asked for again that the billing API does not know, or may not show.
pub(super) const RARELY: Duration = Duration::from_mins(5);

/// A finding, and when to look again.
pub(super) struct Outcome {
    pub(super) finding: Box<Finding>,
    pub(super) next: Next,
}

/// When to look again.
pub(super) enum Next {
    /// After the sync period.
    Settled,
    /// After so long.
    After(Duration),
    /// After an exponential delay, at least so long.
    Retry(Duration),
    /// When something changes.
    Change,
}

impl Outcome {
    /// Refused until the plan is another one.
    pub(super) fn stuck(reason: &'static str, message: String, plan: &Plan) -> Self {
        let refusal = Refusal { reason, message };
        Self::new(Finding::Refused { refusal, stuck: Some(plan.clone()) }, Next::Settled)
    }

    pub(super) fn new(finding: Finding, next: Next) -> Self {
        Self { finding: Box::new(finding), next }
    }

    pub(super) fn refused(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Finding::refused(reason, message), Next::Settled)
    }
}

impl Next {
    /// The same for the controller, once the schedule knows of it.
    pub(super) fn action(self, schedule: &Schedule, uid: &str, period: Duration) -> Action {
        match self {
            Self::Settled => Action::requeue(schedule.settle(uid, period)),
            Self::After(wait) => Action::requeue(schedule.settle(uid, wait)),
            Self::Retry(floor) => Action::requeue(schedule.retry(uid, floor)),
            Self::Change => {
                schedule.settle(uid, Duration::from_hours(24));
                Action::await_change()
            }
        }
    }
}
