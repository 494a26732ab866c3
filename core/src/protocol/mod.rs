//! The write protocol.

pub mod claims;
