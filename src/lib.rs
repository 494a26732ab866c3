//! Countersign keeps a billing API in step with the contracts a company keeps in Git.
//!
//! What it decides is in [`countersign_core`], without anything that acts. What acts is here:
//! - [`billing`]: the outside; billing APIs over HTTP.
//! - [`controller`]: watches, statuses, leases, events.
//! - [`metrics`]: what is counted; [`clock`]: what time it is.
//! - [`cli`]: the commands; [`yaml`]: the files that they read and write.

#![warn(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "they end the program when nobody reads; see `cli::out`"
)]

pub mod billing;
pub mod cli;
pub mod clock;
pub mod controller;
pub mod metrics;
pub mod yaml;

pub use countersign_core::{api, import, overview, plan, protocol, review, status, terms, validate};
