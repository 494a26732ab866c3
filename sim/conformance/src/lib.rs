//! Nothing here: the crate is its tests.
