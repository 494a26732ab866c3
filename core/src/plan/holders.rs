//! What other resources of the cluster hold or claim: the one fact of a plan that is not read from a billing API.

use std::{fmt, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

/// For how long what a resource has made may not show yet after it went: as long as its last request could take, the time
/// in which that may still be carried out after it was given up, and the time by which reads are behind.
pub const MAY_SHOW_LATER: TimeDelta = TimeDelta::seconds(90);

/// A contract whose holder is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sought<'s> {
    /// ID of the contract.
    pub contract_id: &'s str,
    /// The uniqueness key that it was made with, where it has one.
    pub key: Option<&'s str>,
    /// Namespace and name of the resource that the key was derived from, where it was.
    pub place: Option<(&'s str, &'s str)>,
    /// What the answer is to keep the resource from.
    pub before: Before,
}

/// What a resource is about to do that another one's contract could be in the way of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// To make another contract beside it.
    Creating,
    /// To take it for its own, though it does not have it on record.
    Taking,
    /// To end it, though it does not have it on record.
    Ending,
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

/// A resource that went a short while ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departed {
    /// Its name, as `namespace/name`.
    pub resource: String,
    /// When it was seen to have gone.
    pub at: DateTime<Utc>,
    /// The contract that it had on record.
    pub contract_id: Option<String>,
}

/// Another resource of the same customer that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Sibling {
    /// Its name, as `namespace/name`.
    pub resource: String,
    /// The contract that it has on record.
    pub contract_id: Option<String>,
    /// The customer that it has on record.
    pub customer_id: Option<String>,
    /// Whether it goes before this one where both claim the same.
    pub is_before: bool,
    /// Whether it may just be making a contract: nothing was said yet of its spec as it is.
    pub may_be_making: bool,
    /// Its terms, as its spec says them.
    pub terms: Value,
}

/// The other resources of the cluster, as one of them sees them now.
pub trait Others: Send + Sync {
    /// Who holds or claims a contract.
    fn holder(&self, sought: Sought<'_>) -> Holder;

    /// Whether the resource itself is still there.
    fn is_there(&self) -> bool {
        true
    }

    /// Whether the resource, and what people say of it, still says what it said when this was made.
    fn is_as_meant(&self) -> bool {
        true
    }

    /// The resources of a customer, by its ID and whatever else it is called here, that went no longer than [`MAY_SHOW_LATER`] ago.
    fn departed(&self, _customer: &[&str]) -> Vec<Departed> {
        Vec::new()
    }

    /// The other resources of a customer, by its ID and whatever else it is called here, that are there.
    fn siblings(&self, _customer: &[&str]) -> Vec<Sibling> {
        Vec::new()
    }

    /// Until when what was made before this process began to watch may not show yet: an earlier one may have died with a
    /// write under way, for a resource that this one never saw.
    fn unseen_until(&self) -> Option<DateTime<Utc>> {
        None
    }

    /// Whether another resource that is there claims the one contract that this customer can have.
    fn share(&self, _customer: &str) -> bool {
        false
    }
}

impl<F: Fn(Sought<'_>) -> Holder + Send + Sync> Others for F {
    fn holder(&self, sought: Sought<'_>) -> Holder {
        self(sought)
    }
}

/// Finds holders among the other resources of the cluster.
#[derive(Clone)]
pub struct Holders(Arc<dyn Others>);

impl Holders {
    /// Finds them so.
    pub fn new(others: impl Others + 'static) -> Self {
        Self(Arc::new(others))
    }

    /// Who holds or claims a contract.
    #[must_use]
    pub fn of(&self, sought: Sought<'_>) -> Holder {
        self.0.holder(sought)
    }

    /// Whether the resource itself is still there: one that has gone makes nothing.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.is_there()
    }

    /// Whether the resource, its provider and people still say of it what they said when this was made: what was decided on
    /// something else is not carried out.
    #[must_use]
    pub fn is_as_meant(&self) -> bool {
        self.0.is_as_meant()
    }

    /// The resources of a customer that went a short while ago.
    #[must_use]
    pub fn departed(&self, customer: &[&str]) -> Vec<Departed> {
        self.0.departed(customer)
    }

    /// The other resources of a customer that are there.
    #[must_use]
    pub fn siblings(&self, customer: &[&str]) -> Vec<Sibling> {
        self.0.siblings(customer)
    }

    /// Until when what was made before this process began to watch may not show yet.
    #[must_use]
    pub fn unseen_until(&self) -> Option<DateTime<Utc>> {
        self.0.unseen_until()
    }

    /// Whether another resource claims the one contract that this customer can have.
    #[must_use]
    pub fn share(&self, customer: &str) -> bool {
        self.0.share(customer)
    }
}

/// Where there is no cluster to look at, nothing can be told.
impl Default for Holders {
    fn default() -> Self {
        Self::new(|_: Sought<'_>| Holder::OutOfSight)
    }
}

impl fmt::Debug for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holders")
    }
}
