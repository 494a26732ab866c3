//! The write protocol: what to read, what to send and when to stop, so that nothing is billed twice, no change is lost and
//! nothing is done that nobody asked for.
//!
//! A [`Reconciliation`] is a state machine. It says what it needs next ([`Step`]) and is told what came of it; it has no
//! client, no clock and no runtime, and whoever runs it (controller, command line, simulation) has no choice in
//! anything. It is the same for every billing API, for contracts and for packages: what differs is the
//! [`Planner`](crate::plan::Planner).
//!
//! - [`reconciliation`]: the machine;
//! - [`failure`]: what a failed call means;
//! - [`lost`]: writes whose replies did not come;
//! - [`references`]: what an object depends on, and what it comes to when that is not there;
//! - [`claims`]: two resources that mean one contract;
//! - [`deletion`]: what a deleted resource waits for;
//! - [`result`]: what a reconcile came to;
//! - [`schedule`]: when an object is looked at again, and whether what is known of it is too old.

pub mod claims;
pub mod deletion;
pub mod destination;
pub mod failure;
pub mod lost;
pub mod reconciliation;
pub mod references;
pub mod result;
pub mod schedule;
#[cfg(test)]
mod tests;

pub use self::{
    failure::{CallError, During, Failure},
    reconciliation::{Goal, Reconciliation, Step},
    result::{Outcome, ReconcileResult, Requeue},
};
