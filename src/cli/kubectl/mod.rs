//! What `kubectl countersign` adds to kubectl: how contracts stand and why, and what people do about it.
//!
//! - [`status`](mod@status): the tree of providers, packages and contracts;
//! - [`act`]: reconcile, suspend, resume;
//! - [`decide`]: approve and deny;
//! - [`check`]: what has to be there before anything can work;
//! - [`text`], [`branch`]: the words, without any I/O.

pub mod act;
mod branch;
pub mod check;
pub mod decide;
pub mod status;
mod text;
