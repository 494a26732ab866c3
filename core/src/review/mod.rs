//! What people are told of files before anything is applied: what is wrong across them, what deserves a question, and
//! what a change of them does.
//!
//! Pure, as everything here: whoever reads the files says what is in them.

pub mod across;
pub mod alerts;
pub mod annotations;
pub mod change;
pub mod document;
mod finding;
pub mod ignored;
pub mod questions;
pub mod term;
pub mod volumes;
pub mod words;

pub use finding::{Finding, Rule, Severity};
