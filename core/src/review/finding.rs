//! What is found in files, from a syntax error to a question: one form for all of it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::validate::Violation;

/// What kind of thing was found; programs go by its [`word`](Self::word).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The text is no YAML, or no JSON.
    Syntax,
    /// It is no kind, group or version that there is.
    Kind,
    /// The schema of the definition says otherwise.
    Schema,
    /// A CEL rule of the definition says otherwise.
    Cel,
    /// The operator refuses it.
    Terms,
    /// Something that it refers to is not there, or cannot be used.
    Reference,
    /// Two resources claim one thing.
    Duplicate,
    /// A pointer in `ignoreDrift` that leads nowhere.
    IgnoredDrift,
    /// It is valid, and deserves a question before it is billed.
    Question,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 9] = [
        Self::Syntax,
        Self::Kind,
        Self::Schema,
        Self::Cel,
        Self::Terms,
        Self::Reference,
        Self::Duplicate,
        Self::IgnoredDrift,
        Self::Question,
    ];

    /// One word for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Kind => "kind",
            Self::Schema => "schema",
            Self::Cel => "cel",
            Self::Terms => "terms",
            Self::Reference => "reference",
            Self::Duplicate => "duplicate",
            Self::IgnoredDrift => "ignored-drift",
            Self::Question => "question",
        }
    }

    /// What a finding of this rule means, in a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Syntax => "The text is no YAML, or no JSON.",
            Self::Kind => "It is no kind, group or version that there is.",
            Self::Schema => "The API server refuses it: the schema says otherwise.",
            Self::Cel => "The API server refuses it: a rule of the definition says otherwise.",
            Self::Terms => "The operator refuses it.",
            Self::Reference => "What it refers to is not there, or cannot be used.",
            Self::Duplicate => "Two resources claim one thing.",
            Self::IgnoredDrift => "A pointer in ignoreDrift leads nowhere.",
            Self::Question => "It is valid, and deserves a question before it is billed.",
        }
    }
}

/// Whether something must change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The cluster or the operator refuses it.
    Error,
    /// It is taken, and somebody should look.
    Warning,
}

impl Severity {
    /// One word for programs and people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Something that was found in a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing it is.
    pub rule: Rule,
    /// Whether it must change.
    pub severity: Severity,
    /// What is wrong, and where in the resource.
    pub violation: Violation,
}

impl Finding {
    /// Something that is refused.
    #[must_use]
    pub const fn error(rule: Rule, violation: Violation) -> Self {
        Self { rule, severity: Severity::Error, violation }
    }

    /// Something to look at.
    #[must_use]
    pub const fn warning(rule: Rule, violation: Violation) -> Self {
        Self { rule, severity: Severity::Warning, violation }
    }

    /// All violations of one rule, as errors.
    pub fn errors(rule: Rule, violations: Vec<Violation>) -> impl Iterator<Item = Self> {
        violations.into_iter().map(move |violation| Self::error(rule, violation))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.violation.fmt(f)
    }
}
