//! What a schema cannot say: every violation at once, each with its path, its value and the cure.
//!
//! Pure: the controller and the command line call the same functions.

pub mod zoo;

use std::fmt;

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
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.message)
    }
}

/// Something that has passed validation; there is no other way to make one, and only this can be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validated<T>(T);

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
