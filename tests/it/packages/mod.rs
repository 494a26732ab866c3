//! Contracts that are made from packages.

mod fields;
mod fixture;
mod metronome;
mod render;
mod zoo;
