//! What comes of looking up the billing account that a resource refers to, wherever it is looked up.

use crate::{billing::registry::Client, plan::Demands};

/// An account that can be asked.
#[derive(Debug)]
pub(in crate::cli) struct Account {
    /// Its client, which refuses every write.
    pub(in crate::cli) client: Client,
    /// The account, as claims and records name it.
    pub(in crate::cli) name: String,
    /// What it demands of every plan.
    pub(in crate::cli) demands: Demands,
}

/// What comes of looking an account up.
pub(in crate::cli) enum Found<'a> {
    /// It can be asked.
    Ready(&'a Account),
    /// It is another one than the one that was named.
    Other,
    /// There is no such provider.
    Missing(String),
    /// It cannot be asked, and why.
    NotReady(String),
}
