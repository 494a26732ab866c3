//! What planning results in: calls, plans, decisions.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Change, Consent, MoneyEffect, Policy, Recorded, Refusal, Said, approval, invoiced::Invoiced, render,
};
use crate::{
    api::{
        contract::{DriftPolicy, ManagementPolicy},
        reasons::{self, Reason},
    },
    terms::Digest,
};

/// HTTP methods that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Replaces; a repeat is harmless.
    Put,
    /// Creates or edits.
    Post,
}

/// What a write does, which says what a repeat of it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// Makes a contract or a package by a key that the API takes once, for ever: a repeat is refused.
    Create,
    /// Puts a whole contract in the place of another: a repeat changes nothing.
    Replace,
    /// Changes parts of a contract by a key that the API takes once: a repeat is refused, and the change is in force.
    Edit,
    /// Makes something beside a contract by a key that the API takes once: a repeat is refused, and what was made is there.
    Add,
    /// Adds to something without a key: a repeat adds once more, so it is not sent again before a read must show the first.
    Append,
    /// Sets, ends or archives something: a repeat changes nothing.
    Other,
}

impl CallKind {
    /// Whether the API takes a call of this kind once, by its key, so that a repeat of it changes nothing.
    #[must_use]
    pub const fn is_taken_once(self) -> bool {
        matches!(self, Self::Create | Self::Edit | Self::Add)
    }
}

/// One write to the billing API, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it does.
    pub kind: CallKind,
    /// Method.
    pub method: Method,
    /// Path below the base URL.
    pub path: String,
    /// JSON body, decimals with exactly the digits of the spec.
    pub body: String,
    /// Recognises the terms that are sent, should the reply be lost.
    pub fingerprint: Digest,
    /// Items that it adds, in the order in which the body has those of each verb.
    pub adds: Vec<Added>,
}

/// An item that a call adds, whose id its reply tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// Member of the body that adds it.
    pub verb: &'static str,
    /// Path under which its id is put on record.
    pub recorded_as: String,
}

impl Call {
    /// A write with a JSON body.
    ///
    /// # Errors
    /// A refusal when the body cannot be written as JSON: sending an empty one instead could wipe a contract.
    pub fn new(
        kind: CallKind,
        path: impl Into<String>,
        body: &impl Serialize,
        fingerprint: Digest,
    ) -> Result<Self, Refusal> {
        let path = path.into();
        let method = if kind == CallKind::Replace { Method::Put } else { Method::Post };
        let body = serde_json::to_string(body).map_err(|error| Refusal {
            reason: reasons::INVALID_SPEC,
            message: format!("Nothing was written: the body for {path} cannot be written as JSON: {error}"),
        })?;
        Ok(Self { kind, method, path, body, fingerprint, adds: Vec::new() })
    }
}

/// What it takes to bring the billing API from what is observed to what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Digest of what is observed and what is wanted: it names this plan in an approval.
    pub digest: Digest,
    /// Every difference.
    pub changes: Vec<Change>,
    /// What they do to the money that the customer owes.
    pub effect: MoneyEffect,
    /// The writes, in order.
    pub calls: Vec<Call>,
    /// The consent that it has and needs.
    pub consent: Consent,
    /// What is invoiced for good already of what it changes. The digest does not depend on it.
    pub invoiced: Box<Invoiced>,
}

/// What to do about a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The billing API says what the spec says, or what cannot be seen was written as the spec says.
    InSync,
    /// Carry out the plan.
    Write(Plan),
    /// There are differences, and the policy is to report them only.
    Report(Vec<Change>),
    /// The plan waits for its approval.
    AwaitApproval(Plan),
    /// Somebody denied the plan, which holds for as long as both stay; the refusal says who.
    Deny(Plan, Box<Refusal>),
    /// Nothing may be written yet; it may pass by itself.
    Wait(Refusal),
    /// Nothing may be written.
    Refuse(Refusal),
}

impl Decision {
    /// A refusal.
    #[must_use]
    pub fn refuse(reason: Reason, message: impl Into<String>) -> Self {
        Self::Refuse(Refusal { reason, message: message.into() })
    }
}

impl Plan {
    /// A plan for `changes` between two states in canonical form.
    pub(super) fn new(
        observed: &Value,
        desired: &Value,
        changes: Vec<Change>,
        effect: MoneyEffect,
        calls: Vec<Call>,
    ) -> Self {
        let digest = Digest::of(&json!([observed, desired]));
        let (consent, invoiced) = (Consent::default(), Box::default());
        Self { digest, changes, effect, calls, consent, invoiced }
    }

    /// The changes in one line for people, with what they do to the money that the customer owes.
    #[must_use]
    pub fn summary(&self) -> String {
        render::summary(self)
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
        Digest::of(&json!(self.changes))
    }

    /// Lets the policy decide whether the plan is carried out, given whether it undoes drift.
    ///
    /// The digest that an approval names covers what the decision depends on besides the change itself: the account, the
    /// customer's record, the user's choices, and the plan that was carried out before, so that an approval is used once.
    pub(super) fn under(mut self, policy: &Policy, recorded: &Recorded, is_drift: bool) -> Decision {
        let choices = json!([policy.ignore, policy.adopt, json!(policy.drift), recorded.customer_id]);
        let choices = match &recorded.account {
            Some(account) => json!([choices, account]),
            None => choices,
        };
        self.digest = Digest::of(&json!([self.digest, choices, recorded.applied_plan]));
        let only_report = is_drift && policy.drift == DriftPolicy::Report;
        if policy.management == ManagementPolicy::Observe || only_report {
            Decision::Report(self.changes)
        } else if let Some(blocked) =
            recorded.blocked_plan.as_ref().filter(|blocked| blocked.digest == self.digest)
        {
            Decision::Refuse(blocked.refusal.clone())
        } else {
            self.heeding(policy)
        }
    }

    /// What people say of the plan decides, where they are asked or have spoken.
    pub(crate) fn heeding(mut self, policy: &Policy) -> Decision {
        let said = policy.said_of(&self.digest);
        if let Said::Denied(by) = said {
            let refusal = approval::denied(&by, &self);
            return Decision::Deny(self, Box::new(refusal));
        }
        let given = if let Said::Approved(by) = said { Some(by) } else { None };
        let beyond = if given.is_some() { Vec::new() } else { policy.demands.guardrails.beyond(&self) };
        let may_be_written = given.is_some() || (beyond.is_empty() && !policy.asks());
        self.consent = Consent::to(&self.digest, policy, given, beyond);
        if may_be_written { Decision::Write(self) } else { Decision::AwaitApproval(self) }
    }
}

/// The refusal for a plan that was carried out and whose changes are still not in force.
#[must_use]
pub fn not_converging(plan: &Plan) -> Refusal {
    Refusal {
        reason: reasons::NON_CONVERGING,
        message: format!(
            "The billing API accepted the change several times but still says something else, so writing has stopped. \
             Write what it says into the spec, or name the place in `spec.ignoreDrift`: {}",
            plan.summary()
        ),
    }
}
