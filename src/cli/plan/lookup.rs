//! What comes of looking up the billing account that a resource refers to, wherever it is looked up.

use crate::{billing::registry::Client, plan::Demands};

/// An account that can be asked.
#[derive(Debug)]
pub(super) struct Account {
    /// Its client, which refuses every write.
    pub(super) client: Client,
    /// The account, as claims and records name it.
    pub(super) name: String,
    /// What it demands of every plan.
    pub(super) demands: Demands,
}

/// What comes of looking an account up.
pub(super) enum Found<'a> {
    /// It can be asked.
    Ready(&'a Account),
    /// It is another one than the one that was named.
    Other,
    /// There is no such provider.
    Missing(String),
    /// It cannot be asked, and why.
    NotReady(String),
}
