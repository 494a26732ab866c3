//! Contracts that are made from packages.

mod render;
mod zoo;
