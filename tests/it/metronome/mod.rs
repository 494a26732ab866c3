//! Metronome contracts, from the object to what the billing API holds.

mod beside;
mod faults;
mod leaving;
mod lifecycle;
mod meaning;
mod once;
mod ownership;
mod reads;
mod terms;
mod walk;
mod writes;
