//! Desired × observed × recorded → what to do: nothing, a plan, a report or a refusal.
//!
//! Pure and synchronous; time is an argument. The controller and the command line call the same functions, and a
//! plan's calls leave no choice to whoever carries them out.

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
mod ownership;
pub mod package;
mod pairing;
mod planner;
mod policy;
pub mod rates;
mod recorded;
pub mod render;
mod snapshot;
mod three_way;
pub mod usage;
pub mod zoo;

pub use self::{
    approval::{Consent, Said, Sayings},
    diff::Change,
    guardrails::{Hurry, Pace},
    holders::{Before, Departed, Holder, Holders, MAY_SHOW_LATER, Others, Sought},
    model::{Added, Call, CallKind, Decision, Method, Plan, Refusal, is_sticky, not_converging},
    money::{
        Due, Fixed, FixedKind, MoneyEffect, Open, OpenCause, USD_CENTS, Unit, each_number, is_price,
        start_of_year,
    },
    numbers::money_numbers,
    outlook::{Outlook, Price, outlook},
    planner::{Ending, NoPackages, Observation, Planner, Reading, SETTLING, Unreadable},
    policy::{Demands, Policy},
    recorded::{BlockedPlan, Recorded},
    render::summarize,
    snapshot::{ContractSnapshot, PackageSnapshot},
    three_way::SetTerms,
};
