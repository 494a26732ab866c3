//! `billing-sim`: a billing API to try things on, stored on disk, with faults on request.
//!
//! - `server`: routes, connections; `embedded`: neither, nor a disk; `state`: what every request shares
//! - `call`: the way of every API request through fault, caller, handler and journal
//! - `store`: documents, transactions, durability
//! - `auth`, `clock`, `faults`, `journal`, `settings`: what the APIs share
//! - `effects`, `hostile`: what can go wrong, and answers that are no API's
//! - `control`: the routes under `/_sim/`
//! - `metronome`: Metronome's contracts and packages
//! - `zoo`: Zoo's organization billing contract
//!
//! It shares no type with the program that it is there to test: they would make the same mistakes.

mod auth;
mod call;
mod clock;
mod control;
mod effects;
mod embedded;
mod faults;
mod hostile;
mod journal;
mod json;
mod metronome;
mod problem;
mod server;
mod settings;
mod state;
mod store;
mod zoo;

pub use control::HELP;
pub use embedded::Embedded;
pub use server::{Options, Server, StartError};
pub use store::StoreError;
