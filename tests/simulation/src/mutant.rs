//! Rules of the design, each taken out: a simulation that does not notice is worth nothing.

/// A design that lacks one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A write without a reply is sent again, with another key, and nothing is read before.
    RetryWithoutReading,
    /// Writes do not ask whether the lease is held.
    GateOpen,
    /// The uniqueness key follows from the object's UID.
    KeyFromUid,
    /// The status says that it is in force before the call was made.
    StatusBeforeCall,
    /// Items are added without a look at what is there.
    AddWithoutLooking,
    /// An approval holds for ever.
    ApprovalNotSpent,
    /// A `ContractApproval` is not marked once its plan was carried out.
    ApprovalNotMarked,
    /// Whoever denies a plan is not heard.
    DenialUnheard,
    /// What lies beside a contract is made with a key by chance, and once more when no reply comes.
    BalanceMadeAgain,
    /// A plan leaves out what follows a create.
    PlanWithoutSequel,
    /// Accounts are told apart by the text of their address.
    ClaimByText,
    /// Whatever answers 404 is believed.
    NotFoundBelieved,
    /// Whoever only observes, or is suspended, writes as everybody does.
    PolicyUnheard,
    /// What others hold or claim is nobody's.
    ClaimUnheard,
    /// A write whose reply was lost is forgotten.
    LostForgotten,
    /// What was put on record before it was sent is heard by nobody.
    AnnouncedUnheard,
    /// What is changed, suspended, denied or claimed while billing is asked is not heard before the write.
    ChangeUnheard,
    /// A status is written over one that somebody else wrote meanwhile.
    StatusOverAnother,
}

impl Mutant {
    /// Every one.
    pub const ALL: [Self; 18] = [
        Self::RetryWithoutReading,
        Self::GateOpen,
        Self::KeyFromUid,
        Self::StatusBeforeCall,
        Self::AddWithoutLooking,
        Self::ApprovalNotSpent,
        Self::ApprovalNotMarked,
        Self::DenialUnheard,
        Self::BalanceMadeAgain,
        Self::PlanWithoutSequel,
        Self::ClaimByText,
        Self::NotFoundBelieved,
        Self::PolicyUnheard,
        Self::ClaimUnheard,
        Self::LostForgotten,
        Self::AnnouncedUnheard,
        Self::ChangeUnheard,
        Self::StatusOverAnother,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RetryWithoutReading => "retry-without-reading",
            Self::GateOpen => "gate-open",
            Self::KeyFromUid => "key-from-uid",
            Self::StatusBeforeCall => "status-before-call",
            Self::AddWithoutLooking => "add-without-looking",
            Self::ApprovalNotSpent => "approval-not-spent",
            Self::ApprovalNotMarked => "approval-not-marked",
            Self::DenialUnheard => "denial-unheard",
            Self::BalanceMadeAgain => "balance-made-again",
            Self::PlanWithoutSequel => "plan-without-sequel",
            Self::ClaimByText => "claim-by-text",
            Self::NotFoundBelieved => "not-found-believed",
            Self::PolicyUnheard => "policy-unheard",
            Self::ClaimUnheard => "claim-unheard",
            Self::LostForgotten => "lost-forgotten",
            Self::AnnouncedUnheard => "announced-unheard",
            Self::ChangeUnheard => "change-unheard",
            Self::StatusOverAnother => "status-over-another",
        }
    }
}
