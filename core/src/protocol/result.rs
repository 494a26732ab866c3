//! What a reconcile came to, as data: the status, the event and the next look all follow from it.

use std::time::Duration;

use crate::{
    api::{
        contract::{ItemId, UnconfirmedWrite},
        reasons::{self, Reason},
    },
    plan::{Change, Plan, Refusal},
    terms::Digest,
};

/// When an object is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// After the sync period: there is nothing to do but to compare again.
    AfterSyncPeriod,
    /// After the sync period, or after so long where that is sooner.
    Within(Duration),
    /// After so long.
    After(Duration),
    /// After a delay that doubles with each failure in a row, at least so long.
    Backoff(Duration),
    /// When something that it depends on changes.
    OnChange,
}

impl Requeue {
    /// The same, but no later than after `most`. A backoff is kept: it comes sooner, or has failed for long.
    #[must_use]
    pub fn within(self, most: Duration) -> Self {
        match self {
            Self::AfterSyncPeriod => Self::Within(most),
            Self::Within(wait) => Self::Within(wait.min(most)),
            Self::After(wait) => Self::After(wait.min(most)),
            Self::OnChange => Self::After(most),
            Self::Backoff(floor) => Self::Backoff(floor),
        }
    }
}

/// What a reconcile came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Billing says what Git says.
    InSync {
        /// Digest of the spec's terms.
        spec_digest: Option<Digest>,
        /// What was written to get there, in order; empty when nothing was.
        applied: Vec<Plan>,
    },
    /// Billing says something else, and the policy is to report it.
    Drifted {
        /// Every difference.
        changes: Vec<Change>,
    },
    /// A plan waits for approval.
    AwaitingApproval(Plan),
    /// A write was sent, and its reply did not come.
    Unconfirmed {
        /// What happened.
        message: String,
    },
    /// A write was taken, and billing says something else than was written; it is tried again.
    NotInForce {
        /// What is left.
        message: String,
    },
    /// Something is in the way that may pass by itself.
    Waiting {
        /// Why.
        reason: Reason,
        /// What it waits for.
        message: String,
    },
    /// Nothing more happens until somebody changes something.
    Refused {
        /// Why.
        refusal: Refusal,
        /// The plan that must not be carried out again as it is.
        blocked_plan: Option<Plan>,
    },
    /// `spec.suspend` is set: nothing is read or written.
    Suspended,
    /// Nothing that the deleted resource holds is left to end: it may go.
    Ended {
        /// What was written to get there, in order; empty when nothing was.
        applied: Vec<Plan>,
    },
}

impl Outcome {
    /// The outcome in one word, for metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::InSync { applied, .. } if applied.is_empty() => "in_sync",
            Self::InSync { .. } => "applied",
            Self::Drifted { .. } => "drifted",
            Self::AwaitingApproval(_) => "awaiting_approval",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::NotInForce { .. } => "not_in_force",
            Self::Waiting { .. } => "waiting",
            Self::Refused { .. } => "refused",
            Self::Suspended => "suspended",
            Self::Ended { .. } => "ended",
        }
    }
}

/// What a reconcile came to, and what is known now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconcileResult<S> {
    /// What it came to.
    pub outcome: Outcome,
    /// When to look again.
    pub requeue: Requeue,
    /// What was observed, where it is known to be this resource's.
    pub snapshot: Option<S>,
    /// What this pass made, whatever came after it: from now on it is known to be this resource's.
    pub created_id: Option<String>,
    /// ID of the customer, where it is known.
    pub customer_id: Option<String>,
    /// What is known of the contract's items where this pass has written and could read nothing after it.
    pub items: Vec<ItemId>,
    /// A write that is to stay on record because it may be in force or is not seen to be.
    pub write: Option<UnconfirmedWrite>,
    /// The plan of which this pass has last sent a call, carried out or not known to be.
    pub sent: Option<Plan>,
    /// A plan that somebody had approved and that an earlier pass has announced and not reported: its approval is used.
    pub begun: Option<Digest>,
    /// The account that was asked; nothing when none was.
    pub account: Option<String>,
    /// Whether the billing API refused the token, so that the provider has to try it.
    pub suspects_token: bool,
    /// The resource, or what it refers to, came to say something else while billing was asked, so that nothing was begun and
    /// nothing is reported: it is looked at anew after so long.
    pub overtaken: Option<Duration>,
}

impl<S> ReconcileResult<S> {
    /// A result that nothing was observed for.
    #[must_use]
    pub fn new(outcome: Outcome, requeue: Requeue) -> Self {
        Self {
            outcome,
            requeue,
            snapshot: None,
            created_id: None,
            customer_id: None,
            items: Vec::new(),
            write: None,
            sent: None,
            begun: None,
            account: None,
            suspects_token: false,
            overtaken: None,
        }
    }

    /// Something is in the way that may pass by itself.
    #[must_use]
    pub fn waiting(reason: Reason, message: impl Into<String>, requeue: Requeue) -> Self {
        Self::new(Outcome::Waiting { reason, message: message.into() }, requeue)
    }

    /// Whether it was given up by a process that had to stop, before there was anything to put on record.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        let is_given_up = matches!(self.outcome, Outcome::Waiting { reason: reasons::NOT_LEADER, .. });
        is_given_up && self.created_id.is_none() && self.write.is_none() && self.snapshot.is_none()
    }

    /// Nothing more happens until somebody changes something.
    #[must_use]
    pub fn refused(refusal: Refusal, requeue: Requeue) -> Self {
        Self::new(Outcome::Refused { refusal, blocked_plan: None }, requeue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Consent, MoneyEffect};
    use serde_json::json;

    #[test]
    fn every_outcome_has_a_word_of_its_own_for_metrics() {
        let plan = || Plan {
            digest: Digest::of(&json!(1)),
            changes: vec![],
            effect: MoneyEffect::default(),
            calls: vec![],
            consent: Consent::default(),
            invoiced: Box::default(),
        };
        let in_sync = |applied| Outcome::InSync { spec_digest: None, applied };
        let refusal = Refusal { reason: reasons::REJECTED, message: String::new() };
        let message = String::new;
        for (outcome, word) in [
            (in_sync(vec![]), "in_sync"),
            (in_sync(vec![plan()]), "applied"),
            (Outcome::Drifted { changes: vec![] }, "drifted"),
            (Outcome::AwaitingApproval(plan()), "awaiting_approval"),
            (Outcome::Unconfirmed { message: message() }, "unconfirmed"),
            (Outcome::NotInForce { message: message() }, "not_in_force"),
            (Outcome::Waiting { reason: reasons::THROTTLED, message: message() }, "waiting"),
            (Outcome::Refused { refusal, blocked_plan: None }, "refused"),
            (Outcome::Suspended, "suspended"),
            (Outcome::Ended { applied: vec![] }, "ended"),
        ] {
            assert_eq!(outcome.label(), word);
        }
    }

    #[test]
    fn a_bound_makes_the_next_look_come_sooner_and_never_later() {
        let (soon, late) = (Duration::from_secs(26), Duration::from_mins(5));
        for (before, bounded) in [
            (Requeue::AfterSyncPeriod, Requeue::Within(soon)),
            (Requeue::Within(late), Requeue::Within(soon)),
            (Requeue::After(late), Requeue::After(soon)),
            (Requeue::OnChange, Requeue::After(soon)),
            (Requeue::Backoff(late), Requeue::Backoff(late)),
        ] {
            assert_eq!(before.within(soon), bounded, "{before:?}");
            assert_eq!(bounded.within(late), bounded, "{bounded:?}");
        }
    }

    #[test]
    fn what_was_given_up_is_not_reported_unless_something_is_to_be_put_on_record() {
        let waiting = |reason| ReconcileResult::<()>::waiting(reason, "", Requeue::OnChange);
        assert!(waiting(reasons::NOT_LEADER).is_given_up());
        assert!(!waiting(reasons::THROTTLED).is_given_up());
        let created = ReconcileResult { created_id: Some("c".to_owned()), ..waiting(reasons::NOT_LEADER) };
        assert!(!created.is_given_up());
    }
}
