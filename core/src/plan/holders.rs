//! What other resources of the cluster hold or claim: the one fact of a plan that is not read from a billing API.

use std::{fmt, sync::Arc};

/// A contract whose holder is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sought<'s> {
    /// ID of the contract.
    pub contract_id: &'s str,
    /// The uniqueness key that it was made with.
    pub key: &'s str,
    /// Namespace and name of the resource that the key was derived from.
    pub place: (&'s str, &'s str),
}

/// Who holds or claims a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// No resource that stays does.
    Nobody,
    /// This resource, as `namespace/name`.
    Resource(String),
    /// It cannot be told, as its namespace is another operator's.
    OutOfSight,
}

type Find = dyn Fn(Sought<'_>) -> Holder + Send + Sync;

/// Finds holders among the other resources of the cluster.
#[derive(Clone)]
pub struct Holders(Arc<Find>);

impl Holders {
    /// Finds them so.
    pub fn new(find: impl Fn(Sought<'_>) -> Holder + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// Who holds or claims a contract.
    #[must_use]
    pub fn of(&self, sought: Sought<'_>) -> Holder {
        (self.0)(sought)
    }
}

/// Where there is no cluster to look at, nothing can be told.
impl Default for Holders {
    fn default() -> Self {
        Self::new(|_| Holder::OutOfSight)
    }
}

impl fmt::Debug for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holders")
    }
}
