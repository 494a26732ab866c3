//! The operator as a whole: on a real control plane, against the billing simulator, with real processes only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod approvals;
mod chaos;
mod cli;
mod destinations;
mod examples;
mod exchanged;
mod fairness;
mod faults;
mod held;
mod hostile;
mod house;
mod import;
mod journal;
mod leaders;
mod lifecycle;
mod metronome;
mod ownership;
mod packages;
mod providers;
mod questions;
mod recovery;
mod refusals;
mod rights;
mod scale;
mod secrecy;
mod support;
mod undecodable;
mod writes;
