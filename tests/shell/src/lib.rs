//! The operator itself in virtual time: what runs is what is shipped, from its watches to its bytes on the wire, on one
//! thread, against an API server in memory and billing-sim.
//!
//! - [`server`]: Kubernetes, and what goes wrong on the way there;
//! - [`billing`]: the billing accounts, and the same;
//! - [`operator`]: a process, which is killed, and stands still; [`version`]: of this version or of the next one;
//! - [`people`]: what Git says, and how it is applied;
//! - [`world`]: a run of all of them; [`promises`]: what must hold.

mod billing;
mod operator;
mod people;
mod promises;
pub mod server;
mod version;
mod world;

use std::hash::{DefaultHasher, Hash, Hasher as _};

pub use world::{Run, run};

/// A number for whatever is named so, the same everywhere.
fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
