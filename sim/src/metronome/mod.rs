//! Metronome's contracts and packages, with the customers, rate cards and custom fields that they need.
//!
//! A contract is kept in the form in which v2 reads it, as JSON with the digits it was sent with. A request is checked
//! against the tables in `fields/`; what they do not name is left out, and the journal tells it. What Metronome's own
//! description leaves open is decided by [`crate::settings`]. There is no usage: nothing of a
//! balance is ever used. An invoice becomes final because a test says so, through `/_sim/metronome/`, or in its time.
//!
//! - `routes`: the way of every call; `call`: what its handler takes; `fields`: the tables; `failure`: refusals
//! - `contract`, `customers`, `packages`: what is kept, and the ways to find it; whatever ends in `_calls` answers calls
//! - `shown`: a contract with what time has done to it; `views`: in the form of each read; `retold`: in other words
//! - `minting`, `schedules`, `rules`: what is sent becomes what is kept; `settling`: what time adds;
//!   `next_ids`: ids that a test has chosen
//! - `edits`, `changes`, `seats`: edits as a whole, and verb by verb; `ending`: what a contract's end drops
//! - `invoices`: what contracts come to, drafts and final ones; `rates`: what a rate card and overrides come to
//! - `package_view`, `provisioning`: a package as it is read, and contracts made from it
//! - `billing`, `catalog`, `custom_fields`, `relations`, `balances`, `beside`: what is around contracts
//! - `value`, `decimal`, `time`, `paging`: exact JSON, exact arithmetic, the calendar, pages

mod balances;
mod beside;
mod billing;
mod call;
mod catalog;
mod changes;
mod contract;
mod contract_calls;
mod control;
mod custom_fields;
mod customer_calls;
mod customers;
mod decimal;
mod edits;
mod ending;
mod failure;
mod fields;
mod invoice_calls;
mod invoices;
mod minting;
mod next_ids;
mod package_calls;
mod package_view;
mod packages;
mod paging;
mod provisioning;
mod rate_calls;
mod rates;
mod relations;
mod retold;
mod routes;
mod rules;
mod schedules;
mod seats;
mod settling;
mod shown;
mod switches;
mod time;
mod value;
mod views;

pub(crate) use control::router as control_router;
pub(crate) use routes::{API, router};
pub(crate) use switches::*;
