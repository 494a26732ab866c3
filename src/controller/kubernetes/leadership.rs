//! Whether this process's word counts in the cluster, and how its statuses show that.

use super::lease::Lease;
use crate::{billing::tenure::Tenure, controller::Error};

/// This process's leadership.
#[derive(Clone)]
pub struct Leadership {
    tenure: Tenure,
    /// None when there is no election.
    lease: Option<Lease>,
}

impl Leadership {
    /// The leadership of a tenure.
    #[must_use]
    pub fn new(tenure: Tenure, lease: Option<Lease>) -> Self {
        Self { tenure, lease }
    }

    /// Whether a write to a billing account may still begin: not once the process is told to stop.
    #[must_use]
    pub fn may_begin(&self) -> bool {
        self.tenure.leads() && !self.tenure.stop().is_set()
    }

    /// The number that a status gets which has this one: the leadership's own, and never a lower one. Without an election
    /// there are no numbers.
    ///
    /// # Errors
    /// When this process does not lead.
    pub async fn fence_over(&self, written: Option<i32>) -> Result<Option<i32>, Error> {
        let Some(lease) = &self.lease else { return Ok(written) };
        if !self.tenure.leads() {
            return Err(Error::NotLeader);
        }
        // A later leader's; or the Lease was deleted and its count began anew, which the Lease itself can tell.
        if let Some(written) = written.filter(|written| *written > lease.fence())
            && !lease.raise(written).await
        {
            return Err(Error::NotLeader);
        }
        Ok(Some(lease.fence()))
    }
}
