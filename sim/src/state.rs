//! What every request shares: the store, and the tokens of the command line. Knows no route.

use std::path::Path;

use crate::auth::Fingerprint;
use crate::store::{Store, StoreError};

/// What every request shares. Holds secrets' fingerprints, so it has no `Debug`.
pub(crate) struct Sim {
    /// Everything that is kept.
    pub(crate) store: Store,
    /// Admin tokens, besides those registered through `/_sim/tokens`.
    pub(crate) tokens: Vec<Fingerprint>,
}

impl Sim {
    /// Opens the store in the folder `data`.
    ///
    /// # Errors
    /// When the folder is no good.
    pub(crate) fn open(data: &Path, tokens: &[String]) -> Result<Self, StoreError> {
        Ok(Self::of(Store::open(data)?, tokens))
    }

    /// Keeps everything in memory.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(crate) fn in_memory(tokens: &[String]) -> Result<Self, StoreError> {
        Ok(Self::of(Store::in_memory()?, tokens))
    }

    fn of(store: Store, tokens: &[String]) -> Self {
        Self { store, tokens: tokens.iter().map(|token| Fingerprint::of(token)).collect() }
    }
}
