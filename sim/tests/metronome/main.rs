//! Metronome's side of the simulator, over HTTP: what the published client's suite in `conformance-metronome` does not
//! show, such as faults, exact bodies and the journal.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

mod beside;
mod contracts;
mod edits;
mod faults;
mod invoices;
mod packages;
mod rates;
mod support;
mod wire;
