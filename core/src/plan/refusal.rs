//! Why nothing is written, and which reasons hold for as long as the plan stays the same.

use crate::api::reasons::{self, Reason};

/// Why nothing may be written until somebody changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One word for programs: the reason of the condition and the event.
    pub reason: Reason,
    /// What is in the way and what to do.
    pub message: String,
}

/// Reasons that hold for as long as the plan stays the same.
pub(super) const STICKY: [Reason; 4] =
    [reasons::NON_CONVERGING, reasons::REJECTED, reasons::KEY_TAKEN, reasons::EDIT_NOT_ENABLED];

/// Whether a refusal with this reason holds for as long as the plan stays the same.
#[must_use]
pub fn is_sticky(reason: Reason) -> bool {
    STICKY.contains(&reason)
}
