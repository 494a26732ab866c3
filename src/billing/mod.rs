//! The outside: billing APIs over HTTP, observed and written through one budget, with every outcome typed.
//!
//! Knows the wire and nothing of Kubernetes.

pub mod budget;
pub mod http;
pub mod metronome;
pub mod zoo;

use std::time::Duration;

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
    /// A write was sent and its outcome is not known (timeout, lost connection, 5xx, unreadable reply): look before
    /// trying again.
    #[error("The outcome of a write is not known: {0}")]
    Unknown(String),
    /// This replica may not write now, since it does not hold the lease for as long as the write could take.
    #[error("This replica does not hold the lease for long enough to write")]
    NotLeader,
}

/// Says whether a write that may take this long may start now.
pub type WriteGate = std::sync::Arc<dyn Fn(Duration) -> bool + Send + Sync>;
