//! A seeded simulation of faults: the real protocol, planners and status functions, under crashes, lost replies, two
//! leaders and people who change their minds, on one thread and in virtual time.
//!
//! - [`world`]: everything together, and what can happen ([`event`]);
//! - [`operator`]: a process, which carries the protocol out as the controller does;
//! - [`cluster`] and [`billing`]: the API server and the billing APIs, in memory;
//! - [`people`] and [`deal`]: who changes Git, the cluster and billing;
//! - [`check`] and [`agree`]: the promises, as code; [`calm`]: what must hold once faults stop;
//! - [`run`](mod@run): a seed, repeated and shrunk; [`rules`]: what is known not to hold yet; [`mutant`]: rules that are
//!   taken out.

mod agree;
mod billing;
mod calm;
mod check;
mod cluster;
mod deal;
mod event;
mod ground;
mod mutant;
mod operator;
mod people;
mod rules;
mod run;
mod time;
mod world;

pub use mutant::Mutant;
pub use rules::{Rule, Rules};
pub use run::{Broken, Run, Setup, run, run_without_calm, shrink, trace};
