//! Desired × observed × recorded → what to do: nothing, a plan, a report or a refusal.
//!
//! Pure and synchronous; time is an argument. The controller and the command line call the same functions, and a
//! plan's calls leave no choice to whoever carries them out.

pub mod diff;
#[cfg(feature = "fake")]
pub mod fake;
mod holders;
pub mod metronome;
mod model;
mod money;
mod ownership;
pub mod package;
mod pairing;
mod planner;
mod policy;
mod recorded;
pub mod render;
mod snapshot;
pub mod zoo;

pub use self::{
    diff::Change,
    holders::{Holder, Holders, Sought},
    model::{Call, CallKind, Decision, Method, Plan, Refusal, is_sticky, not_converging},
    money::{Fixed, FixedKind, MoneyEffect, Open, OpenCause, USD_CENTS, Unit},
    planner::{Ending, NoPackages, Observation, Planner, Reading, Unreadable},
    policy::Policy,
    recorded::{BlockedPlan, Recorded},
    render::summarize,
    snapshot::{ContractSnapshot, PackageSnapshot},
};
