//! Every condition and every reason that an object's status or an event can have.
//!
//! A [`Reason`] can be made here only, so that no part of the code has a word of its own, and a test holds the tables in
//! `docs/operations.md` against this list, both ways.

use std::fmt;

/// `Ready`: whether billing says what Git says (contracts), whether contracts can use it (packages, providers).
pub const READY: &str = "Ready";
/// `Reconciling`: present only while something is under way or tried again by itself (kstatus).
pub const RECONCILING: &str = "Reconciling";
/// `Stalled`: present only while nothing happens until somebody acts (kstatus).
pub const STALLED: &str = "Stalled";
/// `Drifted`: whether billing differs from Git, and the policy is to say so only.
pub const DRIFTED: &str = "Drifted";
/// `CredentialsValid`: whether the billing API accepts a provider's token.
pub const CREDENTIALS_VALID: &str = "CredentialsValid";

/// One word on why, for programs: the reason of a condition or of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reason(&'static str);

impl Reason {
    /// The word as it stands in a status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        $($(#[$doc])* pub const $name: Reason = Reason($word);)*

        /// Every reason, in the order in which they are declared.
        pub const ALL: &[Reason] = &[$($name),*];
    };
}

reasons! {
    /// The billing API says what the spec says, compared at this generation.
    IN_SYNC = "InSync";
    /// The billing API says something else, and the policy is to report it.
    DRIFT_REPORTED = "DriftReported";
    /// `Drifted` is true: differences that are only reported.
    DRIFT_DETECTED = "DriftDetected";
    /// Nothing is in billing, and the policy is to report that only.
    NOT_IN_BILLING = "NotInBilling";
    /// A plan waits for its approval.
    AWAITING_APPROVAL = "AwaitingApproval";
    /// Somebody denied the plan.
    PLAN_DENIED = "PlanDenied";
    /// `spec.suspend` is set.
    SUSPENDED = "Suspended";
    /// `Reconciling` is true: tried again by itself.
    PROGRESSING = "ProgressingWithRetry";

    /// The provider that the spec names does not exist.
    PROVIDER_NOT_FOUND = "ProviderNotFound";
    /// The provider's account cannot be used now.
    PROVIDER_NOT_READY = "ProviderNotReady";
    /// The cluster provider does not name the object's namespace.
    PROVIDER_NOT_ALLOWED = "ProviderNotAllowed";
    /// The billing API refuses the token.
    CREDENTIALS_REFUSED = "CredentialsRefused";
    /// The contract that this one renews is not there yet.
    RENEWED_NOT_READY = "RenewedContractNotReady";
    /// No package has the name, or the alias when the contract starts.
    PACKAGE_NOT_FOUND = "PackageNotFound";
    /// The package is a draft, refused, or not in the billing API yet.
    PACKAGE_NOT_READY = "PackageNotReady";
    /// The billing API asks for fewer requests (429).
    THROTTLED = "Throttled";
    /// The billing API gave no answer that could be used.
    BILLING_UNREACHABLE = "BillingUnreachable";
    /// The outcome of a write is not known; it is looked up before anything else is written.
    WRITE_UNCONFIRMED = "WriteUnconfirmed";
    /// The billing API shows nothing of the contract that the resource holds; it is looked for again.
    HELD_CONTRACT_MISSING = "HeldContractMissing";
    /// Another resource holds a contract of the customer; a second one is made unless that resource goes soon.
    OTHER_CONTRACT_HELD = "OtherContractHeld";
    /// A write was accepted and does not show.
    NOT_YET_IN_FORCE = "NotYetInForce";
    /// What is about to be written could not be put on record first, so that nothing was written.
    NOT_ON_RECORD = "NotOnRecord";
    /// This replica does not hold the lease for long enough to write.
    NOT_LEADER = "NotLeader";

    /// The spec says what cannot be; the message has every violation with its path.
    INVALID_SPEC = "InvalidSpec";
    /// The billing API refused the request for good; the message has its words.
    REJECTED = "Rejected";
    /// The billing API does not know the customer.
    CUSTOMER_NOT_FOUND = "CustomerNotFound";
    /// An older resource claims the same contract, or the same key.
    DUPLICATE_CLAIM = "DuplicateClaim";
    /// The customer has a contract that differs and is not shown to be this resource's.
    CONTRACT_EXISTS = "ContractExists";
    /// The contract was replaced by another outside of Git, which differs.
    REPLACED_OUTSIDE = "ReplacedOutside";
    /// `spec.adopt` names no contract of the customer.
    ADOPTION_TARGET_NOT_FOUND = "AdoptionTargetNotFound";
    /// The contract to adopt as it is differs from the spec.
    ADOPTION_MISMATCH = "AdoptionMismatch";
    /// The spec would take an active contract out of force.
    ACTIVE_NOT_REPLACED = "ActiveNotReplaced";
    /// The spec changes a period that is closed.
    PERIOD_CLOSED = "PeriodClosed";
    /// The contract, or a period that the spec changes, is in a state that this version does not know.
    UNKNOWN_STATE = "UnknownState";
    /// The spec changes what the billing API cannot change.
    IMMUTABLE_FIELD = "ImmutableField";
    /// The spec adds something that begins in the past, where the contract has or had the like.
    BACKDATED_ITEM = "BackdatedItem";
    /// An item of the spec could be several of the contract.
    AMBIGUOUS_ITEM = "AmbiguousItem";
    /// The uniqueness key made something that is archived or cannot be found.
    KEY_TAKEN = "UniquenessKeyTaken";
    /// The contract is archived, which cannot be undone.
    CONTRACT_ARCHIVED = "ContractArchived";
    /// The billing API does not list the contract that the resource holds.
    CONTRACT_NOT_FOUND = "ContractNotFound";
    /// The contract's term is over, or it was closed or canceled, and it is not shown any more: what was billed cannot be
    /// changed.
    TERM_OVER = "TermOver";
    /// A contract that is to end may be the resource's, and nothing on record shows it.
    OWNERSHIP_UNPROVEN = "OwnershipUnproven";
    /// The customer has a contract that was made by a derived key and that no resource holds any more.
    CONTRACT_UNCLAIMED = "ContractUnclaimed";
    /// The contract's stamp says that somebody else owns it.
    OWNED_ELSEWHERE = "OwnedElsewhere";
    /// No new contracts are made from the package; or it is archived in billing though the spec publishes it.
    PACKAGE_ARCHIVED = "PackageArchived";
    /// The customer has not exactly one billing configuration that fits the package.
    BILLING_CONFIGURATION_MISMATCH = "BillingConfigurationMismatch";
    /// The account may not edit contracts.
    EDIT_NOT_ENABLED = "EditNotEnabled";
    /// The reply leaves out parts of the contract.
    INCOMPLETE_REPLY = "IncompleteReply";
    /// The billing API accepts a change and goes on to say something else; writing has stopped.
    NON_CONVERGING = "NonConverging";
    /// This version cannot read the resource.
    UNDECODABLE = "Undecodable";
    /// The spec has a field that this version does not know.
    UNKNOWN_FIELD = "UnknownField";

    /// The package is published.
    PUBLISHED = "Published";
    /// The package is archived, as its spec says.
    ARCHIVED = "Archived";
    /// The package is still being written.
    DRAFT = "Draft";
    /// An older package has one of the aliases at the same time.
    ALIAS_TAKEN = "AliasTaken";
    /// The terms are not those that were published.
    TERMS_CHANGED = "TermsChanged";
    /// The billing API has a package with the key that says something else.
    PACKAGE_DIFFERS = "PackageDiffers";
    /// The billing API does not list the package that the resource holds.
    PACKAGE_NOT_LISTED = "PackageNotListed";
    /// The package is to be archived, and contracts use it.
    PACKAGE_IN_USE = "PackageInUse";

    /// The billing API accepts the provider's token.
    PROVIDER_READY = "Ready";
    /// `CredentialsValid` is true.
    ACCEPTED = "Accepted";
    /// `CredentialsValid` is unknown: the token could not be tried.
    NOT_TRIED = "NotTried";
    /// The Secret does not exist, or may not be read.
    SECRET_NOT_READABLE = "SecretNotReadable";
    /// The Secret has no usable token.
    TOKEN_NOT_READABLE = "TokenNotReadable";
    /// Nobody who may read the token says that it may be sent to the provider's address.
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed";
    /// Something answers at the provider's address, but not as the billing API does.
    NOT_THE_BILLING_API = "NotTheBillingApi";

    /// Event: what was changed.
    APPLIED = "Applied";
    /// Event: a contract was found that says what the spec says.
    FOUND = "Found";
    /// Event: the provider's account is another one than before, where the contract is looked up as new.
    ACCOUNT_CHANGED = "AccountChanged";
    /// Event: the contract was ended or canceled because its resource was deleted.
    ENDED = "Ended";
    /// Event: drift that is only reported.
    DRIFTED_OUTSIDE = "Drifted";
}

#[cfg(test)]
impl PartialEq<&str> for Reason {
    fn eq(&self, word: &&str) -> bool {
        self.0 == *word
    }
}
