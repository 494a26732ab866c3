//! Metronome contracts, from the object to what the billing API holds.

mod faults;
mod writes;
