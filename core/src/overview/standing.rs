//! How one resource stands, of its conditions: a mark, why, since when, and what to do.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use serde::Serialize;

use super::{advice::advice, condition};
use crate::{
    api::{
        BillingContract, BillingProvider, ClusterBillingProvider, ContractPackage, ProviderStatus,
        contract::PlanStatus,
        reasons::{self, READY, STALLED},
    },
    terms::Timestamp,
};

/// How something stands, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Mark {
    /// Refused until somebody changes something.
    Refused,
    /// A plan waits for somebody's approval.
    Approval,
    /// Tried again by itself.
    Waiting,
    /// Not looked at yet, or not since the spec was changed.
    Unseen,
    /// Nothing is read or written, as its spec says.
    Suspended,
    /// As it should be.
    Ready,
}

impl Mark {
    /// Every mark, the worst first.
    pub const ALL: [Self; 6] =
        [Self::Refused, Self::Approval, Self::Waiting, Self::Unseen, Self::Suspended, Self::Ready];

    /// In a word or two.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Approval => "waits for approval",
            Self::Waiting => "tried again",
            Self::Unseen => "not looked at yet",
            Self::Suspended => "suspended",
            Self::Ready => "ready",
        }
    }
}

/// How a resource stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The mark.
    pub mark: Mark,
    /// One word on why, as in the `Ready` condition; empty before the first look.
    pub reason: String,
    /// What happened, for people. A plan that waits is told of, and stands in the status.
    pub message: String,
    /// Since when `Ready` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What to do about it, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

/// What the conditions of any kind are told by.
struct Seen<'a> {
    kind: &'static str,
    conditions: &'a [Condition],
    /// Generation of the spec that the conditions speak of.
    observed: Option<i64>,
    /// Generation of the spec as it is.
    generation: Option<i64>,
    is_suspended: bool,
}

impl Standing {
    /// How a contract stands.
    #[must_use]
    pub fn of_contract(contract: &BillingContract) -> Self {
        let status = contract.status.as_ref();
        let plan = status.and_then(|status| status.plan.as_ref());
        let standing = Self::of(&Seen {
            kind: "BillingContract",
            conditions: status.map_or(&[], |status| &status.conditions),
            observed: status.and_then(|status| status.observed_generation),
            generation: contract.meta().generation,
            is_suspended: contract.spec.suspend,
        });
        match plan.and_then(|plan| without_plan(&standing.message, plan)) {
            Some(message) => Self { message, ..standing },
            None => standing,
        }
    }

    /// How a package stands.
    #[must_use]
    pub fn of_package(package: &ContractPackage) -> Self {
        let status = package.status.as_ref();
        Self::of(&Seen {
            kind: "ContractPackage",
            conditions: status.map_or(&[], |status| &status.conditions),
            observed: status.and_then(|status| status.observed_generation),
            generation: package.meta().generation,
            is_suspended: false,
        })
    }

    /// How a provider stands.
    #[must_use]
    pub fn of_provider(provider: &BillingProvider) -> Self {
        Self::of_account("BillingProvider", provider.status.as_ref(), provider.meta().generation)
    }

    /// How a provider of the cluster stands.
    #[must_use]
    pub fn of_cluster_provider(provider: &ClusterBillingProvider) -> Self {
        Self::of_account("ClusterBillingProvider", provider.status.as_ref(), provider.meta().generation)
    }

    fn of_account(kind: &'static str, status: Option<&ProviderStatus>, generation: Option<i64>) -> Self {
        Self::of(&Seen {
            kind,
            conditions: status.map_or(&[], |status| &status.conditions),
            observed: status.and_then(|status| status.observed_generation),
            generation,
            is_suspended: false,
        })
    }

    /// How a resource stands that this version cannot read.
    #[must_use]
    pub(super) fn unreadable(kind: &str, why: &str) -> Self {
        let reason = reasons::UNDECODABLE.as_str();
        Self {
            mark: Mark::Refused,
            reason: reason.to_owned(),
            message: why.to_owned(),
            since: None,
            cure: cure(kind, reason, true),
        }
    }

    /// A provider that is referred to and that there is not.
    #[must_use]
    pub(super) fn missing(kind: &str) -> Self {
        let reason = reasons::PROVIDER_NOT_FOUND.as_str();
        Self {
            mark: Mark::Refused,
            reason: reason.to_owned(),
            message: format!("There is no such {kind}, and contracts refer to it."),
            since: None,
            cure: cure("BillingContract", reason, true),
        }
    }

    /// Whether nobody has to act or wait; what is suspended on purpose is fine.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        matches!(self.mark, Mark::Ready | Mark::Suspended)
    }

    fn of(seen: &Seen<'_>) -> Self {
        let is_told = seen.observed.is_some_and(|observed| observed >= 0);
        let Some(ready) = condition(seen.conditions, READY).filter(|_| is_told) else {
            return Self {
                mark: if seen.is_suspended { Mark::Suspended } else { Mark::Unseen },
                reason: String::new(),
                message: "Countersign has not looked at it yet.".to_owned(),
                since: None,
                cure: (!seen.is_suspended)
                    .then(|| "see that the operator runs: `kubectl countersign check`".to_owned()),
            };
        };
        let is_stalled = condition(seen.conditions, STALLED).is_some_and(|stalled| stalled.status == "True");
        let is_changed = seen.generation.is_some() && seen.observed != seen.generation;
        let mark = match ready.status.as_str() {
            _ if seen.is_suspended || ready.reason == reasons::SUSPENDED.as_str() => Mark::Suspended,
            _ if is_changed => Mark::Unseen,
            "True" => Mark::Ready,
            _ if is_stalled => Mark::Refused,
            _ if ready.reason == reasons::AWAITING_APPROVAL.as_str() => Mark::Approval,
            _ => Mark::Waiting,
        };
        let message = match mark {
            Mark::Unseen => format!("The spec was changed since this was said of it: {}", ready.message),
            _ => ready.message.clone(),
        };
        let is_fine = matches!(mark, Mark::Ready | Mark::Suspended);
        Self {
            mark,
            reason: ready.reason.clone(),
            message,
            since: ready.last_transition_time.0.to_string().parse().ok(),
            cure: cure(seen.kind, &ready.reason, is_stalled).filter(|_| !is_fine && mark != Mark::Unseen),
        }
    }
}

/// A message that ends with a plan, without it: whoever tells it tells the plan beside it, line by line.
fn without_plan(message: &str, plan: &PlanStatus) -> Option<String> {
    /// Characters by which a plan is known, however much of it a message has.
    const BEGINNING: usize = 24;
    let beginning: String = plan.summary.chars().take(BEGINNING).collect();
    let end = message.find(&format!(": {beginning}")).filter(|_| !beginning.is_empty())?;
    message.get(..end).map(|message| format!("{message}."))
}

/// What to do, unless it is nothing.
fn cure(kind: &str, reason: &str, is_stalled: bool) -> Option<String> {
    advice(kind, reason, is_stalled).map(|advice| advice.cure).filter(|cure| !cure.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixture::{contract, set},
        *,
    };
    use serde_json::json;

    #[test]
    fn the_mark_says_whether_somebody_has_to_act() {
        let mark = |reason: &str, ready: &str, stalled: bool| {
            let mut contract = contract("a", "2026-01-01", "2027-01-01");
            set(&mut contract, ready, reason, "why", stalled);
            Standing::of_contract(&contract)
        };
        assert_eq!(mark("InSync", "True", false).mark, Mark::Ready);
        assert_eq!(mark("InvalidSpec", "False", true).mark, Mark::Refused);
        assert_eq!(mark("InvalidSpec", "False", true).cure.as_deref(), Some("correct the spec"));
        assert_eq!(mark("AwaitingApproval", "False", false).mark, Mark::Approval);
        assert_eq!(mark("Throttled", "False", false).mark, Mark::Waiting);
        assert_eq!(mark("Suspended", "Unknown", false).mark, Mark::Suspended);
        assert_eq!(mark("InSync", "True", false).since, "2026-02-03T04:05:06Z".parse().ok());
    }

    #[test]
    fn what_was_said_of_an_older_spec_is_not_said_of_this_one() {
        let mut contract = contract("a", "2026-01-01", "2027-01-01");
        set(&mut contract, "True", "InSync", "why", false);
        contract.metadata.generation = Some(2);
        let standing = Standing::of_contract(&contract);
        assert_eq!((standing.mark, standing.cure), (Mark::Unseen, None));
        assert!(standing.message.starts_with("The spec was changed since"), "{}", standing.message);
    }

    #[test]
    fn why_a_plan_waits_is_told_without_the_plan_itself() {
        let told = |summary: &str, message: &str| {
            let mut contract = contract("a", "2026-01-01", "2027-01-01");
            set(&mut contract, "False", "AwaitingApproval", message, false);
            let plan = json!({"digest": "d", "changes": 2, "summary": summary});
            contract.status.as_mut().unwrap().plan = serde_json::from_value(plan).unwrap();
            Standing::of_contract(&contract).message
        };
        let plan = "/name: Acme -> Acme Inc; /notes: - as agreed; and much more";
        assert_eq!(told(plan, &format!("To carry it out, approve d: {plan}")), "To carry it out, approve d.");
        // A message may have less of it than the status.
        assert_eq!(told(plan, "Approve d: /name: Acme -> Acme Inc; (and 1 more change)"), "Approve d.");
        assert_eq!(told(plan, "Wait: it is read again"), "Wait: it is read again");
        assert_eq!(told("", "Wait: it is read again"), "Wait: it is read again");
    }

    #[test]
    fn what_was_never_looked_at_is_not_ready() {
        let contract = contract("a", "2026-01-01", "2027-01-01");
        let standing = Standing::of_contract(&contract);
        assert_eq!((standing.mark, standing.is_fine()), (Mark::Unseen, false));
        assert!(standing.cure.is_some());
    }

    #[test]
    fn a_suspended_contract_keeps_what_was_said_of_it_and_is_marked() {
        let mut contract = contract("a", "2026-01-01", "2027-01-01");
        set(&mut contract, "True", "InSync", "why", false);
        contract.spec.suspend = true;
        let standing = Standing::of_contract(&contract);
        assert_eq!(
            (standing.mark, standing.reason.as_str(), standing.cure),
            (Mark::Suspended, "InSync", None)
        );
    }
}
