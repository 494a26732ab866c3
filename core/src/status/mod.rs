//! Statuses, computed: what is written to an object is a pure function of the object, a finding and the time.
//!
//! Follows kstatus: `Reconciling` and `Stalled` are present only while true and never together, and
//! `observedGeneration` moves with every outcome.

use chrono::{DateTime, Utc};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff,
};

use crate::{
    api::{
        BillingContract, BillingContractStatus,
        contract::{Amount, ItemId, LastApplied, PlanStatus, Term, UnconfirmedWrite, UsedPackage},
    },
    plan::{Change, Plan, Refusal, is_sticky, metronome, render, zoo},
    terms::{Digest, Timestamp},
};

/// Most differences that `status.drift` lists.
const MAX_DRIFT: usize = 20;

/// Most bytes of the summary of a plan that waits.
const MAX_PLAN: usize = 16_000;

/// What is known of the contract in the billing API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    contract_id: String,
    account_id: Option<String>,
    items: Vec<ItemId>,
    renews: Option<String>,
    renewed_by: Option<String>,
    state: String,
    /// Whether the billing API shows contracts in this state.
    is_shown: bool,
    term: Option<Term>,
    committed_value: Vec<Amount>,
    digest: Digest,
}

impl Held {
    /// What a Zoo contract is.
    #[must_use]
    pub fn zoo(view: &zoo::View) -> Self {
        let date = |name: &str| {
            let time: Timestamp = view.terms.get(name)?.as_str()?.parse().ok()?;
            Some(time.0.date_naive().to_string())
        };
        Self {
            contract_id: view.contract_id.clone(),
            account_id: Some(view.account_id.clone()),
            items: Vec::new(),
            renews: None,
            renewed_by: None,
            state: view.state.clone(),
            is_shown: matches!(view.state.as_str(), "active" | "draft"),
            term: date("effectiveAt").map(|start_date| Term { start_date, end_date: date("termEndAt") }),
            committed_value: zoo::committed_value(&view.terms),
            digest: Digest::of(&view.terms),
        }
    }
}

impl Held {
    /// What a Metronome contract is, with the ids of its items.
    #[must_use]
    pub fn metronome(view: &metronome::View, items: Vec<(String, String)>) -> Self {
        let date = |time: Timestamp| time.0.date_naive().to_string();
        let (start_date, end_date) = (date(view.starting_at), view.ending_before.map(date));
        Self {
            contract_id: view.contract_id.clone(),
            account_id: None,
            items: items.into_iter().map(|(key, id)| ItemId { key, id }).collect(),
            renews: view.renews.clone(),
            renewed_by: view.renewed_by.clone(),
            state: view.state.clone(),
            is_shown: true,
            term: Some(Term { start_date, end_date }),
            committed_value: view.committed_value(),
            digest: Digest::of(&view.terms),
        }
    }
}

/// What one pass over a contract came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Billing says what Git says.
    Settled {
        /// The contract, when it can be seen.
        held: Option<Held>,
        /// The customer.
        customer_id: String,
        /// Digest of the spec's terms.
        spec_digest: Digest,
        /// What was written to get there, if anything.
        applied: Option<String>,
    },
    /// Billing says something else, and the policy is to report it.
    Drifted {
        /// The contract.
        held: Option<Held>,
        /// The customer.
        customer_id: String,
        /// Every difference.
        changes: Vec<Change>,
    },
    /// A plan waits for approval.
    AwaitingApproval(Plan),
    /// A write was sent, and its reply did not come.
    Unconfirmed {
        /// The write.
        write: UnconfirmedWrite,
        /// What happened.
        message: String,
    },
    /// A write was taken, and billing says something else than was written; it is tried again.
    NotInForce {
        /// The contract: from now on it is known to be this resource's.
        held: Option<Held>,
        /// The customer.
        customer_id: String,
        /// The write.
        write: UnconfirmedWrite,
        /// What is left.
        message: String,
    },
    /// Something is in the way that may pass by itself.
    Waiting {
        /// One word for programs.
        reason: &'static str,
        /// What it waits for.
        message: String,
    },
    /// Nothing more happens until somebody changes something.
    Refused {
        /// Why.
        refusal: Refusal,
        /// The plan that cannot be made to hold.
        stuck: Option<Plan>,
    },
    /// `spec.suspend` is set.
    Suspended,
}

impl Finding {
    /// A finding that waits.
    #[must_use]
    pub fn waiting(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Waiting { reason, message: message.into() }
    }

    /// A refusal.
    #[must_use]
    pub fn refused(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Refused { refusal: Refusal { reason, message: message.into() }, stuck: None }
    }

    /// The finding in one word, for metrics.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Settled { applied: None, .. } => "in_sync",
            Self::Settled { .. } => "applied",
            Self::Drifted { .. } => "drifted",
            Self::AwaitingApproval(_) => "awaiting_approval",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::NotInForce { .. } => "not_in_force",
            Self::Waiting { .. } => "waiting",
            Self::Refused { .. } => "refused",
            Self::Suspended => "suspended",
        }
    }
}

/// The status of a contract after a finding; what is known of the contract then came from `package`, if any.
#[must_use]
pub fn contract(
    contract: &BillingContract,
    finding: &Finding,
    package: Option<&UsedPackage>,
    now: DateTime<Utc>,
) -> BillingContractStatus {
    let previous = contract.status.clone().unwrap_or_default();
    let mut status = previous.clone();
    status.observed_generation = contract.metadata.generation;
    status.last_handled_reconcile_at = annotation(contract, crate::api::REQUESTED_AT);
    let mut drifted = None;
    let standing = match finding {
        Finding::Settled { held, customer_id, spec_digest, applied } => {
            record(&mut status, held.as_ref(), customer_id, package);
            let last = previous.last_applied.as_ref().filter(|last| last.spec_digest == *spec_digest);
            let seen = held.as_ref().map(|held| &held.digest).or(last.map(|last| &last.observed_digest));
            let observed_digest = seen.unwrap_or(spec_digest).clone();
            if last.is_none_or(|last| last.observed_digest != observed_digest) {
                let (spec_digest, time) = (spec_digest.clone(), whole_seconds(now));
                status.last_applied = Some(LastApplied { spec_digest, observed_digest, time });
            }
            status.plan = None;
            status.unconfirmed_write = None;
            status.drift.clear();
            drifted = Some((false, "InSync", String::new()));
            let unseen = held.as_ref().map_or(applied.is_none(), |held| !held.is_shown);
            Standing::ready(
                "InSync",
                if unseen {
                    "The billing API does not show contracts in this state; it was written as the spec says."
                } else {
                    "The billing API says what the spec says."
                },
            )
        }
        Finding::Drifted { held, customer_id, changes } => {
            record(&mut status, held.as_ref(), customer_id, package);
            status.plan = None;
            status.unconfirmed_write = None;
            status.drift = drift_lines(changes);
            let summary = render::drift(changes);
            drifted = Some((true, "DriftDetected", summary.clone()));
            Standing::ready(
                "DriftReported",
                format!("Differences are only reported, not corrected: {summary}"),
            )
        }
        Finding::AwaitingApproval(plan) => {
            status.plan = Some(plan_status(plan));
            awaiting(plan)
        }
        Finding::Unconfirmed { write, message } => {
            record_write(&mut status, write);
            Standing::waiting("WriteUnconfirmed", message)
        }
        Finding::NotInForce { held, customer_id, write, message } => {
            record(&mut status, held.as_ref(), customer_id, package);
            record_write(&mut status, write);
            Standing::waiting("NotYetInForce", message)
        }
        Finding::Waiting { reason, message } => Standing::waiting(reason, message),
        Finding::Refused { refusal, stuck } => {
            status.plan = stuck
                .as_ref()
                .map(plan_status)
                .or_else(|| previous.plan.clone().filter(|_| is_sticky(refusal.reason)));
            let gate = Some(("Stalled", refusal.reason));
            Standing { ready: "False", reason: refusal.reason, message: refusal.message.clone(), gate }
        }
        Finding::Suspended => {
            status
                .conditions
                .retain(|condition| !matches!(condition.type_.as_str(), "Reconciling" | "Stalled"));
            if !status.conditions.iter().any(|condition| condition.type_ == "Ready") {
                let standing = Standing {
                    ready: "Unknown",
                    reason: "Suspended",
                    message: "The contract is suspended.".into(),
                    gate: None,
                };
                status.conditions = conditions(&[], &standing, &[], contract.metadata.generation, now);
            }
            return status;
        }
    };
    let more = drifted.map(|(drifted, reason, message)| Fact {
        type_: "Drifted",
        holds: Some(drifted),
        reason,
        message,
    });
    status.conditions =
        conditions(&previous.conditions, &standing, more.as_slice(), contract.metadata.generation, now);
    status
}

fn awaiting(plan: &Plan) -> Standing {
    let message = format!(
        "To carry the plan out, annotate the contract with {}={}: {}",
        crate::api::APPROVED_PLAN,
        plan.digest,
        plan.summary()
    );
    let gate = Some(("Reconciling", "AwaitingApproval"));
    Standing { ready: "False", reason: "AwaitingApproval", message, gate }
}

/// Something worth an event, at most one a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whether somebody has to look.
    pub warning: bool,
    /// One word for programs.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// The event that a finding is worth, given the status before it.
#[must_use]
pub fn note(contract: &BillingContract, finding: &Finding) -> Option<Note> {
    let previous = contract.status.clone().unwrap_or_default();
    let was = |type_: &str, reason: &str, message: &str| {
        let same = |c: &Condition| {
            c.type_ == type_ && c.status == "True" && c.reason == reason && c.message == message
        };
        previous.observed_generation == contract.metadata.generation && previous.conditions.iter().any(same)
    };
    match finding {
        Finding::Settled { applied: Some(summary), .. } => {
            Some(Note { warning: false, reason: "Applied", message: summary.clone() })
        }
        Finding::Settled { held: Some(held), applied: None, .. } if previous.contract_id.is_none() => {
            Some(Note {
                warning: false,
                reason: "Found",
                message: format!(
                    "Contract {} says what the spec says; nothing was written.",
                    held.contract_id
                ),
            })
        }
        Finding::Drifted { changes, .. } if previous.drift != drift_lines(changes) => {
            Some(Note { warning: true, reason: "Drifted", message: render::drift(changes) })
        }
        Finding::AwaitingApproval(plan)
            if previous.plan.as_ref().is_none_or(|before| before.digest != plan.digest) =>
        {
            Some(Note { warning: false, reason: "AwaitingApproval", message: plan.summary() })
        }
        Finding::Refused { refusal, .. } if !was("Stalled", refusal.reason, &refusal.message) => {
            Some(Note { warning: true, reason: refusal.reason, message: refusal.message.clone() })
        }
        _ => None,
    }
}

/// How an object stands: its `Ready` condition, and `Reconciling` or `Stalled` beside it.
pub struct Standing {
    /// Status of `Ready`.
    pub ready: &'static str,
    /// Reason of `Ready`.
    pub reason: &'static str,
    /// Message of every condition.
    pub message: String,
    /// `Reconciling` or `Stalled`, with its reason.
    pub gate: Option<(&'static str, &'static str)>,
}

impl Standing {
    /// As it should be.
    #[must_use]
    pub fn ready(reason: &'static str, message: impl Into<String>) -> Self {
        Self { ready: "True", reason, message: message.into(), gate: None }
    }

    /// Not yet as it should be; tried again.
    #[must_use]
    pub fn waiting(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            ready: "False",
            reason,
            message: message.into(),
            gate: Some(("Reconciling", "ProgressingWithRetry")),
        }
    }

    /// Not as it should be, until somebody acts.
    #[must_use]
    pub fn stalled(reason: &'static str, message: impl Into<String>) -> Self {
        Self { ready: "False", reason, message: message.into(), gate: Some(("Stalled", reason)) }
    }
}

/// A further condition.
#[derive(Clone)]
pub struct Fact {
    /// Its type.
    pub type_: &'static str,
    /// Whether it holds; unknown when `None`.
    pub holds: Option<bool>,
    /// Its reason.
    pub reason: &'static str,
    /// Its message.
    pub message: String,
}

/// The conditions for a standing; each keeps its transition time while its status stays the same.
#[must_use]
pub fn conditions(
    previous: &[Condition],
    standing: &Standing,
    facts: &[Fact],
    generation: Option<i64>,
    now: DateTime<Utc>,
) -> Vec<Condition> {
    let condition = |type_: &str, status: &str, reason: &str, message: &str| {
        let before = previous.iter().find(|before| before.type_ == type_ && before.status == status);
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            observed_generation: generation,
            last_transition_time: before
                .map_or_else(|| time(now), |before| before.last_transition_time.clone()),
        }
    };
    let mut conditions = vec![condition("Ready", standing.ready, standing.reason, &standing.message)];
    if let Some((type_, reason)) = standing.gate {
        conditions.push(condition(type_, "True", reason, &standing.message));
    }
    for fact in facts {
        let status = match fact.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        conditions.push(condition(fact.type_, status, fact.reason, &fact.message));
    }
    let stated = |type_: &str| facts.iter().any(|fact| fact.type_ == type_);
    let lasting = previous.iter().filter(|before| {
        !matches!(before.type_.as_str(), "Ready" | "Reconciling" | "Stalled") && !stated(&before.type_)
    });
    conditions.extend(lasting.cloned());
    conditions
}

fn record(
    status: &mut BillingContractStatus,
    held: Option<&Held>,
    customer_id: &str,
    package: Option<&UsedPackage>,
) {
    status.customer_id = Some(customer_id.to_owned());
    status.package = package.cloned();
    if let Some(held) = held {
        status.contract_id = Some(held.contract_id.clone());
        status.account_id.clone_from(&held.account_id);
        status.items.clone_from(&held.items);
        status.renews.clone_from(&held.renews);
        status.renewed_by.clone_from(&held.renewed_by);
        status.state = Some(held.state.clone());
        status.term.clone_from(&held.term);
        status.committed_value.clone_from(&held.committed_value);
    }
}

/// Remembers a write; one that is already remembered keeps its time.
fn record_write(status: &mut BillingContractStatus, write: &UnconfirmedWrite) {
    let same =
        |before: &UnconfirmedWrite| before.digest == write.digest && before.after_edit == write.after_edit;
    if !status.unconfirmed_write.as_ref().is_some_and(same) {
        status.unconfirmed_write = Some(write.clone());
    }
}

fn plan_status(plan: &Plan) -> PlanStatus {
    PlanStatus {
        digest: plan.digest.clone(),
        changes: i32::try_from(plan.changes.len()).unwrap_or(i32::MAX),
        summary: render::summary_within(plan, MAX_PLAN),
    }
}

fn drift_lines(changes: &[Change]) -> Vec<String> {
    render::drift_lines(changes, MAX_DRIFT)
}

fn annotation(contract: &BillingContract, name: &str) -> Option<String> {
    let value = contract.metadata.annotations.as_ref()?.get(name)?;
    Some(value.chars().take(1024).collect())
}

/// A moment as a status has it.
#[must_use]
pub fn whole_seconds(now: DateTime<Utc>) -> Timestamp {
    Timestamp(DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now))
}

/// A time as Kubernetes has it, in whole seconds.
fn time(now: DateTime<Utc>) -> Time {
    Time(jiff::Timestamp::from_second(now.timestamp()).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests;
