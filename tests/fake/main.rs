//! A third billing API, which the shipped operator does not have: the whole of what a new one must do, on a real control
//! plane, with real processes. Run it by `cargo test --features fake --test fake`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod api;
mod cli;
mod faults;
mod fixture;
mod lifecycle;
mod protocol;
#[path = "../it/support/mod.rs"]
#[expect(dead_code, reason = "what the tests of the other billing APIs stand on as well")]
mod support;
mod writes;
