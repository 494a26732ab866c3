//! What Countersign decides, without anything that acts.
//!
//! From the inside out; each knows only those before it:
//! - [`terms`]: what a contract says; the same types in the custom resource, the plan and on the wire.
//! - [`api`]: the custom resources.
//! - [`validate`]: what a schema cannot say.
//! - [`plan`]: desired × observed × recorded → what to do.
//! - [`protocol`]: what to read, what to send and when to stop, so that nothing is done twice.
//! - [`status`]: what is written back.
//! - [`import`]: what is billed already, as resources.
//! - [`review`]: what people are told of files before anything is applied.
//! - [`overview`]: how everything stands together: by customer, by month, as a tree.
//!
//! Time is an argument, and whatever is read is told: this crate has no client, no async runtime and no clock.

pub mod api;
pub mod import;
pub mod overview;
pub mod plan;
pub mod protocol;
pub mod review;
pub mod status;
pub mod terms;
pub mod validate;
