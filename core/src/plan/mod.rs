//! Desired × observed × recorded → what to do: nothing, a plan, a report or a refusal.
//!
//! Pure and synchronous; time is an argument. The controller and the command line call the same functions, and a
//! plan's calls leave no choice to whoever carries them out.

mod announced;
mod approval;
pub mod diff;
pub mod facts;
#[cfg(feature = "fake")]
pub mod fake;
mod guardrails;
mod holders;
pub mod invoiced;
pub mod metronome;
mod model;
mod money;
pub mod months;
mod numbers;
mod outlook;
mod owed;
mod ownership;
pub mod package;
mod pairing;
mod planner;
mod policy;
pub mod rates;
mod recorded;
mod refusal;
pub mod render;
mod snapshot;
mod three_way;
mod told;
mod unit;
pub mod usage;
pub mod zoo;

pub use self::{
    announced::{Announced, Reported},
    approval::{Consent, Said, Sayings},
    diff::Change,
    guardrails::{Hurry, Pace},
    holders::{Before, Departed, Holder, Holders, MAY_SHOW_LATER, Others, Sibling, Sought},
    model::{Added, Call, CallKind, Decision, Method, Plan, not_converging},
    money::{Fixed, MoneyEffect, Open, OpenCause},
    numbers::{Numbers, money_at, money_numbers, prices},
    outlook::{Outlook, Price, outlook},
    owed::{Due, FixedKind, start_of_year},
    planner::{Ending, NoPackages, Observation, Planner, Reading, SETTLING, Unreadable},
    policy::{Demands, Policy},
    recorded::{BlockedPlan, Recorded},
    refusal::{Refusal, is_sticky},
    render::summarize,
    snapshot::{ContractSnapshot, PackageSnapshot},
    three_way::SetTerms,
    unit::{USD_CENTS, Unit},
};
