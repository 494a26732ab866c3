//! What a failed call comes to: the one table from failure to reason, kind and wait, for every kind of resource.

use std::time::Duration;

use super::{Outcome, Requeue};
use crate::{
    api::{
        Api, REQUESTED_AT,
        reasons::{self, Reason},
    },
    plan::Refusal,
};

/// How soon it looks again for what is not there yet: a provider, a holder, the end of contracts.
pub const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How often something is asked for again that the billing API does not know, or may not show.
pub const RARELY: Duration = Duration::from_mins(5);

/// What a used key means when nothing that is listed has it.
pub(super) fn key_elsewhere(api: Api) -> String {
    format!(
        "The billing API says that the uniqueness key was used before, and nothing that is listed has it; it may be another \
         customer's. Nothing is sent again with it: set another `spec.{}.uniquenessKey` to create anew",
        api.field()
    )
}

/// Why a call to the billing API did not do what it was to do; each variant is one thing to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The API understood and refused (400, 406, 422): nothing changes until the request does.
    #[error("The billing API refused: {message} (HTTP {status})")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// The API's own words, shortened.
        message: String,
    },
    /// The uniqueness key of a create or an edit was used before (409): what it made must be found, and nothing sent
    /// again.
    #[error("The billing API says that the uniqueness key was used before: {message} (HTTP 409)")]
    KeyUsed {
        /// The API's own words, shortened.
        message: String,
    },
    /// Something is in the way of the request for the moment (409); what it means for a write follows from its kind.
    #[error("The billing API says that the request conflicts with something: {message} (HTTP 409)")]
    Conflict {
        /// The API's own words, shortened.
        message: String,
    },
    /// The token is not accepted (401) or may not do this (403): one probe a provider finds out when that changes.
    #[error("The billing API does not accept the token: {message} (HTTP {status})")]
    Credentials {
        /// HTTP status.
        status: u16,
        /// The API's own words, shortened.
        message: String,
    },
    /// The account may not edit contracts: Metronome switches that on for each account.
    #[error("The billing API does not let this account edit contracts: {message}")]
    EditNotEnabled {
        /// The API's own words, shortened.
        message: String,
    },
    /// What the call names does not exist (404): ask again, but rarely.
    #[error("The billing API does not know {what}: {message} (HTTP 404)")]
    NotFound {
        /// What the call named.
        what: String,
        /// The API's own words, shortened.
        message: String,
    },
    /// Too many requests (429), or the pause that the API asked for then: nothing was done.
    #[error("The billing API asks for fewer requests (HTTP 429)")]
    Throttled {
        /// How much of the pause is left; nothing may be asked before.
        pause: Duration,
    },
    /// The request was never sent, or a read failed: try again with backoff.
    #[error("The billing API cannot be reached: {0}")]
    Unreachable(String),
    /// A read was answered, but not by the billing API: a gateway or another server said something, which is no word on
    /// what exists.
    #[error("The answer is not the billing API's: {0}")]
    Foreign(String),
    /// A write was sent and its outcome is not known (timeout, lost connection, 5xx, unreadable reply): look before
    /// trying again.
    #[error("The outcome of a write is not known: {0}")]
    Unknown(String),
    /// What is about to be sent could not be put on record first, so that nothing was sent.
    #[error("Nothing was written, since what is about to be written could not be put on record first: {0}")]
    NotOnRecord(String),
    /// This replica may not write now, since it does not hold the lease for as long as the write could take.
    #[error("This replica does not hold the lease for long enough to write")]
    NotLeader,
}

impl CallError {
    /// The failure in one word, for metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Rejected { .. } => "rejected",
            Self::KeyUsed { .. } => "key_used",
            Self::Conflict { .. } => "conflict",
            Self::Credentials { .. } => "credentials",
            Self::EditNotEnabled { .. } => "edit_not_enabled",
            Self::NotFound { .. } => "not_found",
            Self::Throttled { .. } => "throttled",
            Self::Unreachable(_) => "unreachable",
            Self::Foreign(_) => "foreign",
            Self::Unknown(_) => "unknown",
            Self::NotOnRecord(_) => "not_on_record",
            Self::NotLeader => "not_leader",
        }
    }
}

/// Whether a write refers to more than its customer, so that a 404 may mean something else.
const fn refers_to_more(api: Api) -> bool {
    match api {
        Api::Zoo => false,
        Api::Metronome => true,
        #[cfg(feature = "fake")]
        Api::Fake => false,
    }
}

/// What was being done when a call failed: the same answer means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum During {
    /// Something was read.
    Read,
    /// Something was written.
    Write,
    /// A provider's token was tried.
    Probe,
}

/// What a failed call means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Reason of the condition.
    pub reason: Reason,
    /// For people.
    pub message: String,
    /// Whether nothing happens until somebody acts; otherwise it is tried again by itself.
    pub stalls: bool,
    /// When it is tried again.
    pub requeue: Requeue,
    /// Whether the provider has to try its token.
    pub suspects_token: bool,
}

impl Failure {
    /// The table.
    #[must_use]
    pub fn of(error: &CallError, during: During, api: Api) -> Self {
        let message = error.to_string();
        let stalled =
            |reason, message, requeue| Self { reason, message, stalls: true, requeue, suspects_token: false };
        let waiting = |reason, requeue| Self {
            reason,
            message: error.to_string(),
            stalls: false,
            requeue,
            suspects_token: false,
        };
        match error {
            CallError::Rejected { .. } => stalled(reasons::REJECTED, message, Requeue::AfterSyncPeriod),
            CallError::KeyUsed { .. } => {
                stalled(reasons::KEY_TAKEN, key_elsewhere(api), Requeue::AfterSyncPeriod)
            }
            CallError::EditNotEnabled { .. } => {
                stalled(reasons::EDIT_NOT_ENABLED, message, Requeue::AfterSyncPeriod)
            }
            // What a write refers to may be a package, a rate card or a product as well as the customer: only a read of the
            // customer's contracts can blame the customer.
            CallError::NotFound { message, .. } if during == During::Write && refers_to_more(api) => {
                let message = format!(
                    "The billing API does not know something that the spec refers to: {message} (HTTP 404). Correct it, or \
                     annotate the resource with a new {REQUESTED_AT} once it is there"
                );
                stalled(reasons::REJECTED, message, Requeue::AfterSyncPeriod)
            }
            CallError::NotFound { .. } => {
                let message = format!(
                    "{message}. Check `spec.{}.{}` and the provider's account.",
                    api.field(),
                    api.customer_field()
                );
                stalled(reasons::CUSTOMER_NOT_FOUND, message, Requeue::After(RARELY))
            }
            CallError::Credentials { .. } if during == During::Probe => {
                let message =
                    format!("{message}. Put a valid token into the Secret; it is picked up at once.");
                stalled(reasons::CREDENTIALS_REFUSED, message, Requeue::AfterSyncPeriod)
            }
            CallError::Credentials { .. } => Self {
                suspects_token: true,
                ..waiting(reasons::CREDENTIALS_REFUSED, Requeue::Backoff(LOOK_AGAIN))
            },
            CallError::Throttled { pause } => waiting(reasons::THROTTLED, Requeue::Backoff(*pause)),
            CallError::NotOnRecord(_) => waiting(reasons::NOT_ON_RECORD, Requeue::Backoff(Duration::ZERO)),
            CallError::NotLeader => waiting(reasons::NOT_LEADER, Requeue::Backoff(Duration::ZERO)),
            CallError::Foreign(why) if during == During::Probe => Self {
                message: format!(
                    "This does not answer as {api}'s API: {why}. Check the provider's `baseUrl`, and what stands between."
                ),
                ..waiting(reasons::NOT_THE_BILLING_API, Requeue::Backoff(Duration::ZERO))
            },
            CallError::Unreachable(_)
            | CallError::Foreign(_)
            | CallError::Unknown(_)
            | CallError::Conflict { .. } => {
                waiting(reasons::BILLING_UNREACHABLE, Requeue::Backoff(Duration::ZERO))
            }
        }
    }

    /// The same as what a reconcile comes to.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        if self.stalls {
            Outcome::Refused {
                refusal: Refusal { reason: self.reason, message: self.message },
                blocked_plan: None,
            }
        } else {
            Outcome::Waiting { reason: self.reason, message: self.message }
        }
    }
}

/// When something that was refused is looked at again without a change: what may pass by itself sooner.
#[must_use]
pub fn requeue_after(refusal: &Refusal) -> Requeue {
    match refusal.reason {
        reasons::BILLING_CONFIGURATION_MISMATCH | reasons::UNKNOWN_STATE => Requeue::After(RARELY),
        reasons::DUPLICATE_CLAIM => Requeue::After(LOOK_AGAIN),
        _ => Requeue::AfterSyncPeriod,
    }
}

/// When something that is waited for is looked at again: what may have been a moment's lie soon, and less and less often.
#[must_use]
pub fn look_again(refusal: &Refusal) -> Requeue {
    match refusal.reason {
        reasons::HELD_CONTRACT_MISSING => Requeue::Backoff(Duration::ZERO),
        reasons::OTHER_CONTRACT_HELD => Requeue::After(LOOK_AGAIN / 3),
        _ => Requeue::After(LOOK_AGAIN),
    }
}

#[cfg(test)]
mod tests;
