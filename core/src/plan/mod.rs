//! Desired × observed → what to do: nothing, a plan, a report or a refusal.
//!
//! Pure and synchronous; time is an argument. The controller and the command line call the same functions, and a
//! plan's calls leave no choice to whoever carries them out.

pub mod diff;
pub mod metronome;
mod ownership;
pub mod package;
pub mod zoo;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use diff::Change;

use crate::{
    api::{
        BillingContract, BillingContractStatus, REQUESTED_AT,
        contract::{Adopt, DriftPolicy, ManagementPolicy, UnconfirmedWrite},
    },
    terms::Digest,
};

/// Most characters of a plan's summary; what is longer is cut, and says so.
const SUMMARY_LENGTH: usize = 2000;

/// HTTP methods that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Replaces; a repeat is harmless.
    Put,
    /// Creates or edits.
    Post,
}

/// One write to the billing API, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Method.
    pub method: Method,
    /// Path below the base URL.
    pub path: String,
    /// JSON body, decimals with exactly the digits of the spec.
    pub body: String,
    /// Recognises the terms that are sent, should the reply be lost.
    pub fingerprint: Digest,
}

/// What it takes to bring the billing API from what is observed to what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Digest of what is observed and what is wanted: it names this plan in an approval.
    pub digest: Digest,
    /// Every difference.
    pub changes: Vec<Change>,
    /// The changes for people, with their effect on what the customer commits to.
    pub summary: String,
    /// The writes, in order.
    pub calls: Vec<Call>,
}

/// Why nothing may be written until somebody changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One word for programs: the reason of the condition and the event.
    pub reason: &'static str,
    /// What is in the way and what to do.
    pub message: String,
}

/// What to do about a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The billing API says what the spec says, or what cannot be seen was written as the spec says.
    Settle,
    /// Carry out the plan.
    Write(Plan),
    /// There are differences, and the policy is to report them only.
    Report(Vec<Change>),
    /// The plan waits for its digest in the approval annotation.
    AwaitApproval(Plan),
    /// Nothing may be written.
    Refuse(Refusal),
}

impl Decision {
    /// A refusal.
    #[must_use]
    pub fn refuse(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Refuse(Refusal { reason, message: message.into() })
    }
}

/// What the resource's own status remembers of earlier passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The contract that this resource holds.
    pub contract_id: Option<String>,
    /// The customer that the contract is of.
    pub customer_id: Option<String>,
    /// Lifecycle state that was last seen.
    pub state: Option<String>,
    /// Digest of the spec's terms when they were last in force.
    pub applied_spec: Option<Digest>,
    /// A write whose reply was lost, or that was taken and not seen to be in force.
    pub unconfirmed: Option<UnconfirmedWrite>,
    /// Digest of a plan that was carried out several times and did not hold.
    pub stuck: Option<Stuck>,
    /// What the spec has put into the contract, by its path in the terms: ids of items, and the like. What is here and
    /// no longer in the spec is taken out again; what is in neither is somebody else's.
    pub items: BTreeMap<String, String>,
}

/// A plan that must not be carried out again, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The plan.
    pub digest: Digest,
    /// What was said when it stopped.
    pub refusal: Refusal,
}

/// The user's choices that bear on planning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether changes are carried out.
    pub management: ManagementPolicy,
    /// What happens on drift.
    pub drift: DriftPolicy,
    /// Places whose differences do not count.
    pub ignore: Vec<String>,
    /// A contract to take over.
    pub adopt: Option<Adopt>,
    /// Digest of the plan that somebody approved.
    pub approved: Option<String>,
}

impl Policy {
    /// The choices that a resource's spec and annotations express.
    #[must_use]
    pub fn of(contract: &BillingContract) -> Self {
        let spec = &contract.spec;
        Self {
            management: spec.management_policy,
            drift: spec.drift_policy,
            ignore: spec.ignore_drift.clone(),
            adopt: spec.adopt.clone(),
            approved: contract
                .metadata
                .annotations
                .as_ref()
                .and_then(|all| all.get(crate::api::APPROVED_PLAN))
                .cloned(),
        }
    }
}

impl Memory {
    /// Digest of the write that may be in force.
    #[must_use]
    pub fn sent(&self) -> Option<&Digest> {
        self.unconfirmed.as_ref().map(|write| &write.digest)
    }

    /// What a resource's status remembers.
    #[must_use]
    pub fn of(contract: &BillingContract) -> Self {
        let Some(status) = &contract.status else { return Self::default() };
        Self {
            contract_id: status.contract_id.clone(),
            customer_id: status.customer_id.clone(),
            state: status.state.clone(),
            applied_spec: status.last_applied.as_ref().map(|applied| applied.spec_digest.clone()),
            unconfirmed: status.unconfirmed_write.clone(),
            stuck: stuck(contract, status),
            items: status.items.iter().map(|item| (item.key.clone(), item.id.clone())).collect(),
        }
    }
}

/// Reason of a contract that keeps differing after it was written.
pub const NON_CONVERGING: &str = "NonConverging";
/// Reason of a contract whose write the billing API refused.
pub const REJECTED: &str = "Rejected";
/// Reason of a contract whose uniqueness key made something that cannot be found.
pub const KEY_TAKEN: &str = "UniquenessKeyTaken";
/// Reason of a contract whose account may not edit contracts.
pub const EDIT_NOT_ENABLED: &str = "EditNotEnabled";
/// Reasons that hold for as long as the plan stays the same.
const STICKY: [&str; 4] = [NON_CONVERGING, REJECTED, KEY_TAKEN, EDIT_NOT_ENABLED];

/// Whether a refusal with this reason holds for as long as the plan stays the same.
#[must_use]
pub fn is_sticky(reason: &str) -> bool {
    STICKY.contains(&reason)
}

/// The plan that the status says must not be carried out again. A new spec or a request to reconcile tries it again.
fn stuck(contract: &BillingContract, status: &BillingContractStatus) -> Option<Stuck> {
    let requested = contract.metadata.annotations.as_ref().and_then(|all| all.get(REQUESTED_AT));
    let is_new = status.observed_generation != contract.metadata.generation
        || requested != status.last_handled_reconcile_at.as_ref();
    let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled");
    let stalled = stalled.filter(|_| !is_new)?;
    let reason = STICKY.into_iter().find(|reason| stalled.reason == **reason)?;
    let refusal = Refusal { reason, message: stalled.message.clone() };
    Some(Stuck { digest: status.plan.as_ref()?.digest.clone(), refusal })
}

impl Plan {
    /// A plan for `changes` between two states in canonical form.
    fn new(observed: &Value, desired: &Value, changes: Vec<Change>, effect: &str, calls: Vec<Call>) -> Self {
        let digest = Digest::of(&json!([observed, desired]));
        Self { digest, summary: summarize(&changes, effect), changes, calls }
    }

    /// Whether another plan makes one of the same changes.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let made = |change: &Change| {
            self.changes.iter().any(|done| done.path == change.path && done.to == change.to)
        };
        other.changes.iter().any(made)
    }

    /// Digest of the differences alone: it stays the same while they do, whatever else the billing API shows.
    #[must_use]
    pub fn difference(&self) -> Digest {
        let changes: Vec<_> = self.changes.iter().map(ToString::to_string).collect();
        Digest::of(&json!(changes))
    }

    /// Lets the policy decide whether the plan is carried out, given whether it undoes drift.
    fn under(self, policy: &Policy, memory: &Memory, is_drift: bool) -> Decision {
        let only_report = is_drift && policy.drift == DriftPolicy::Report;
        if policy.management == ManagementPolicy::Observe || only_report {
            Decision::Report(self.changes)
        } else if let Some(stuck) = memory.stuck.as_ref().filter(|stuck| stuck.digest == self.digest) {
            Decision::Refuse(stuck.refusal.clone())
        } else if policy.management == ManagementPolicy::Plan
            && policy.approved.as_deref() != Some(self.digest.as_str())
        {
            Decision::AwaitApproval(self)
        } else {
            Decision::Write(self)
        }
    }
}

/// The refusal for a plan that was carried out and whose changes are still not in force.
#[must_use]
pub fn not_converging(plan: &Plan) -> Refusal {
    Refusal {
        reason: NON_CONVERGING,
        message: format!(
            "The billing API accepted the change several times but still says something else, so writing has stopped. \
             Write what it says into the spec, or name the place in `spec.ignoreDrift`: {}",
            plan.summary
        ),
    }
}

/// Changes as one line for people, cut at a bound.
#[must_use]
pub fn summarize(changes: &[Change], effect: &str) -> String {
    let mut text = changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if text.chars().count() > SUMMARY_LENGTH {
        text = text.chars().take(SUMMARY_LENGTH).collect();
        text.push('…');
    }
    match (text.is_empty(), effect.is_empty()) {
        (_, true) => text,
        (true, false) => effect.to_owned(),
        (false, false) => format!("{text} ({effect})"),
    }
}
