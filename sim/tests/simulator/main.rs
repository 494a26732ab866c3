//! The `billing-sim` command from outside, over HTTP and with signals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

mod control;
mod durability;
mod faults;
mod hostile;
mod support;
mod zoo;
