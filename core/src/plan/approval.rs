//! Approvals: what people say of plans, and whether that is enough to carry one out.

use std::fmt;

use crate::{
    api::{
        APPROVED_PLAN, ContractApproval,
        approval::ApprovalDecision,
        contract::{Approval, ManagementPolicy},
        reasons,
    },
    plan::{Plan, Policy, Refusal},
    terms::{Digest, Timestamp},
};

/// Most approvals that a message names because they do not count.
const NAMED: usize = 5;

/// What one person says of one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Saying {
    decision: ApprovalDecision,
    independent: bool,
    approval: Approval,
}

/// What people say of a contract's plans, in resources of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sayings(Vec<Saying>);

impl Sayings {
    /// What these say that name the contract and still count: those that were deleted do not, and an approval is spent
    /// once its plan has been carried out.
    #[must_use]
    pub fn of<'a>(approvals: impl IntoIterator<Item = &'a ContractApproval>) -> Self {
        let counts = |approval: &&ContractApproval| {
            let spent = approval.status.as_ref().is_some_and(|status| status.spent_at.is_some());
            approval.metadata.deletion_timestamp.is_none() && !spent
        };
        let mut said: Vec<_> = approvals.into_iter().filter(counts).map(saying).collect();
        said.sort_by(|one, other| one.approval.name.cmp(&other.approval.name));
        Self(said)
    }
}

fn saying(approval: &ContractApproval) -> Saying {
    let spec = &approval.spec;
    let created = approval.metadata.creation_timestamp.as_ref();
    Saying {
        decision: spec.decision,
        independent: spec.independent,
        approval: Approval {
            digest: spec.plan_digest.clone(),
            name: approval.metadata.name.clone(),
            approved_by: Some(spec.approved_by.clone()),
            note: spec.note.clone(),
            time: created.and_then(|created| Timestamp::from_seconds(created.0.as_second())),
        },
    }
}

/// What is said of one plan, all told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing that counts.
    Nothing,
    /// It may be carried out.
    Approved(Approval),
    /// It must not be.
    Denied(Approval),
}

/// The consent that a plan has and needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// By what it may be carried out, where somebody was asked.
    pub given: Option<Box<Approval>>,
    /// Whether only the approval of somebody who may not write contracts counts.
    pub by_other: bool,
    /// What whoever is to approve it should know: why it is asked for, and what was said that does not count.
    pub notes: Vec<String>,
}

impl Consent {
    /// The consent that a plan with this digest has and needs.
    pub(super) fn to(digest: &Digest, policy: &Policy, given: Option<Approval>, beyond: Vec<String>) -> Self {
        let mut notes = beyond;
        if given.is_none() {
            notes.extend(policy.idle(digest));
        }
        Self { given: given.map(Box::new), by_other: policy.demands.by_other, notes }
    }
}

impl Policy {
    /// Whether a plan waits for somebody's approval before it is carried out.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.management == ManagementPolicy::Plan || self.demands.by_other
    }

    /// What is said of the plan with this digest. One who denies it wins over any number who approve it.
    #[must_use]
    pub fn said_of(&self, digest: &Digest) -> Said {
        let about = |saying: &&Saying| saying.approval.digest == *digest;
        let find = |fits: &dyn Fn(&Saying) -> bool| {
            let found = self.sayings.0.iter().filter(about).find(|saying| fits(saying));
            found.map(|saying| saying.approval.clone())
        };
        if let Some(denied) = find(&|saying| saying.decision == ApprovalDecision::Deny) {
            return Said::Denied(denied);
        }
        let annotated = self.approved.as_deref().filter(|approved| *approved == digest.as_str());
        let annotated = annotated.filter(|_| !self.demands.by_other).map(|_| Approval {
            digest: digest.clone(),
            name: None,
            approved_by: None,
            note: None,
            time: None,
        });
        let approved = find(&|saying| self.counts(saying)).or(annotated);
        approved.map_or(Said::Nothing, Said::Approved)
    }

    fn counts(&self, saying: &Saying) -> bool {
        saying.decision == ApprovalDecision::Approve && (saying.independent || !self.demands.by_other)
    }

    /// What was said, and does not count for the plan with this digest.
    fn idle(&self, digest: &Digest) -> Vec<String> {
        let annotated = self.approved.as_deref().filter(|approved| !approved.is_empty());
        let annotated = annotated.map(|approved| {
            if self.demands.by_other {
                return format!("the annotation {APPROVED_PLAN} does not count with this provider");
            }
            let approved: String = approved.chars().take(40).collect();
            format!("the annotation {APPROVED_PLAN} is about another plan ({approved})")
        });
        let approving = self.sayings.0.iter().filter(|said| said.decision == ApprovalDecision::Approve);
        let idle = approving.map(|said| {
            let name = said.approval.name.as_deref().unwrap_or_default();
            if said.approval.digest == *digest {
                format!("ContractApproval {name} does not say `independent: true`")
            } else {
                format!("ContractApproval {name} is about another plan ({})", said.approval.digest)
            }
        });
        annotated.into_iter().chain(idle).take(NAMED).collect()
    }
}

impl Plan {
    /// How the plan can be approved, as the end of a sentence: `annotate the resource with …`.
    #[must_use]
    pub fn how_to_approve(&self) -> String {
        let digest = &self.digest;
        if self.consent.by_other {
            return format!(
                "somebody who may not write contracts has to create a ContractApproval of {digest} with `independent: true`"
            );
        }
        format!(
            "create a ContractApproval of {digest}, or annotate the contract with {APPROVED_PLAN}={digest}"
        )
    }

    /// What is to be known about its approval, as sentences in front of it; empty when there is nothing.
    #[must_use]
    pub fn notes(&self) -> String {
        self.consent.notes.iter().fold(String::new(), |text, note| {
            let mut letters = note.chars();
            let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
            format!("{text}{first}{}. ", letters.as_str())
        })
    }
}

/// Why a plan that was denied is not carried out.
pub(super) fn denied(by: &Approval, plan: &Plan) -> Refusal {
    let note = by.note.as_deref().map(|note| format!(", who says: {note}")).unwrap_or_default();
    let name = by.name.as_deref().unwrap_or_default();
    Refusal {
        reason: reasons::PLAN_DENIED,
        message: format!(
            "Nothing was written: plan {} was denied by {} (ContractApproval {name}){note}. Change the contract, or delete \
             that ContractApproval: {}",
            plan.digest,
            by.approved_by.as_deref().unwrap_or_default(),
            plan.summary()
        ),
    }
}

impl fmt::Display for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.approved_by, &self.name) {
            (Some(by), Some(name)) => write!(f, "approved by {by} (ContractApproval {name})"),
            _ => write!(f, "approved by the annotation {APPROVED_PLAN}"),
        }
    }
}

#[cfg(test)]
mod tests;
