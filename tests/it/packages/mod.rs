//! Contracts that are made from packages.

mod metronome;
mod render;
mod zoo;
