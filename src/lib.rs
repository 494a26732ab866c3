//! Countersign keeps a billing API in step with the contracts a company keeps in Git.

pub mod api;
pub mod plan;
pub mod terms;
pub mod validate;
