//! Countersign keeps a billing API in step with the contracts a company keeps in Git.
//!
//! From the inside out:
//! - [`terms`]: what a contract says; the same types in the custom resource, the plan and on the wire.
//! - [`api`]: the custom resources.
//! - [`validate`]: what a schema cannot say.
//! - [`plan`]: desired × observed → what to do. These four are pure: no client, no clock, no async runtime.
//! - [`billing`]: the outside; billing APIs over HTTP.
//! - [`controller`]: reconcile, status, leases, events.
//! - [`metrics`]: what is counted.
//! - [`cli`]: the commands; [`yaml`]: the files that they read and write.

pub mod api;
pub mod billing;
pub mod cli;
pub mod controller;
pub mod metrics;
pub mod plan;
pub mod terms;
pub mod validate;
pub mod yaml;
