//! What a schema cannot say: every violation at once, each with its path, its value and the cure.
//!
//! Pure: the controller and the command line call the same functions.

mod contract;
#[cfg(feature = "fake")]
pub mod fake;
pub mod metronome;
mod package;
pub mod path;
pub mod schema;
pub mod zoo;

pub use contract::{Terms, contract, metronome_contract};
pub use package::package;

use std::fmt;

use crate::{api::Api, terms::Decimal};

/// One thing that is wrong with a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: a path into the resource, such as `spec.zoo.items[fde].fixedFeeAmount`.
    pub path: String,
    /// What is wrong and what to write instead; a sentence without its subject, such as "must not be negative".
    pub message: String,
}

impl Violation {
    /// A violation at `path`.
    #[must_use]
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// A spec that is not of exactly one billing API.
    #[must_use]
    pub fn of_no_single_api() -> Self {
        let fields: Vec<_> = Api::ALL.iter().map(|api| format!("`{}`", api.field())).collect();
        Self::new("spec", format!("must have exactly one of {}", fields.join(", ")))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.message)
    }
}

/// Something that has passed validation; there is no other way to make one, and only this can be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validated<T>(T);

impl<T> Validated<T> {
    /// What was validated.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }

    /// The same by reference.
    #[must_use]
    pub const fn as_ref(&self) -> Validated<&T> {
        Validated(&self.0)
    }
}

impl<T: Clone> Validated<&T> {
    /// A copy of what was validated, which stays valid.
    #[must_use]
    pub fn cloned(&self) -> Validated<T> {
        Validated(self.0.clone())
    }
}

impl<T> std::ops::Deref for Validated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Every violation in one message, one after the other.
#[must_use]
pub fn summary(violations: &[Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Collects violations below a path.
pub(crate) struct Violations {
    at: String,
    pub(crate) list: Vec<Violation>,
}

impl Violations {
    pub(crate) fn below(path: &str) -> Self {
        Self { at: path.to_owned(), list: Vec::new() }
    }

    /// The validated value if nothing was found.
    fn or<T>(self, value: T) -> Result<Validated<T>, Vec<Violation>> {
        if self.list.is_empty() { Ok(Validated(value)) } else { Err(self.list) }
    }

    pub(crate) fn check(&mut self, holds: bool, field: &str, message: impl FnOnce() -> String) {
        if !holds {
            let dot = if self.at.is_empty() { "" } else { "." };
            self.list.push(Violation::new(format!("{}{dot}{field}", self.at), message()));
        }
    }

    fn not_negative(&mut self, amount: Decimal, field: &str) {
        self.check(!amount.is_negative(), field, || format!("must not be negative, but is {amount}"));
    }

    pub(crate) fn within(&mut self, place: &str, check: impl FnOnce(&mut Self)) {
        let length = self.at.len();
        if length > 0 {
            self.at.push('.');
        }
        self.at.push_str(place);
        check(self);
        self.at.truncate(length);
    }
}
