//! Scenarios that break a rule which the code once did not hold: each can be left out.

use std::collections::BTreeSet;

/// A scenario that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// What was taken out of Git comes back, with a start in the past (R2).
    Revert,
    /// Terms leave the spec, or are cut off along with a contract's end that is put back later (R3, R4).
    Leave,
    /// Texts read back trimmed (R1).
    Trim,
    /// A resource gets another name (I3).
    Rename,
    /// A replace is carried out long after its reply was given up (I10).
    LateReplace,
    /// What was written is not on record yet, since a reply, a read or a status write was lost, and Git says something else
    /// by then (I10, R1).
    Unrecorded,
    /// A resource finds, by its key, a contract that another one has adopted (R6).
    Found,
    /// A resource is suspended along with a change (I5).
    Suspended,
    /// A read does not show, for once, what is there (I6).
    Absence,
    /// An older state of etcd comes back under a running operator (I9).
    Restore,
    /// A provider's address changes to another account's (I4).
    Move,
    /// People approve and deny plans in resources of their own, and providers demand that they do.
    Approvals,
    /// Commits and credits lie beside the contracts of a customer.
    Beside,
    /// Somebody asks for the live plan, and nothing comes between that and what the operator does next.
    Foresee,
}

impl Rule {
    /// Every one.
    pub const ALL: [Self; 14] = [
        Self::Revert,
        Self::Leave,
        Self::Trim,
        Self::Rename,
        Self::LateReplace,
        Self::Unrecorded,
        Self::Found,
        Self::Suspended,
        Self::Absence,
        Self::Restore,
        Self::Move,
        Self::Approvals,
        Self::Beside,
        Self::Foresee,
    ];
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Revert => "revert",
            Self::Leave => "leave",
            Self::Trim => "trim",
            Self::Rename => "rename",
            Self::LateReplace => "late-replace",
            Self::Unrecorded => "unrecorded",
            Self::Found => "found",
            Self::Suspended => "suspended",
            Self::Absence => "absence",
            Self::Restore => "restore",
            Self::Move => "move",
            Self::Approvals => "approvals",
            Self::Beside => "beside",
            Self::Foresee => "foresee",
        }
    }
}

/// The scenarios that a run may come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules(BTreeSet<Rule>);

impl Rules {
    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        Self(Rule::ALL.into_iter().collect())
    }

    /// The same without one.
    #[must_use]
    pub fn without(mut self, rule: Rule) -> Self {
        self.0.remove(&rule);
        self
    }

    /// Whether a scenario may come up.
    #[must_use]
    pub fn has(&self, rule: Rule) -> bool {
        self.0.contains(&rule)
    }
}
