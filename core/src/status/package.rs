//! The status of a package, and the event that a reconcile is worth.

use chrono::{DateTime, Utc};

use super::{EventRecord, Summary, conditions};
use crate::{
    api::{
        ContractPackage, ContractPackageStatus, REQUESTED_AT,
        package::Lifecycle,
        reasons::{self, READY, Reason, STALLED},
        requested_at,
    },
    plan::{PackageSnapshot, is_sticky, package, summarize},
    protocol::{Outcome, ReconcileResult},
};

/// Reasons for which a package is refused before any billing API is asked.
const REFUSED_HERE: [Reason; 6] = [
    reasons::UNKNOWN_FIELD,
    reasons::DRAFT,
    reasons::ALIAS_TAKEN,
    reasons::DUPLICATE_CLAIM,
    reasons::INVALID_SPEC,
    reasons::TERMS_CHANGED,
];

/// What a reconcile of a package came to.
pub type PackageResult = ReconcileResult<PackageSnapshot>;

/// How a package stands, if that can be said without asking a billing API.
#[must_use]
pub fn local(package: &ContractPackage, packages: &[&ContractPackage]) -> Option<Summary> {
    match package::sound(package, packages) {
        Err(refusal) if refusal.reason == reasons::DRAFT => Some(Summary::ready(
            reasons::DRAFT,
            "The package is a draft: free to change, and no contract can use it.",
        )),
        Err(refusal) => Some(Summary::stalled(
            refusal.reason,
            format!("The package cannot be used: {}.", refusal.message),
        )),
        Ok(()) if package::has_packages(package.spec.api()) => None,
        Ok(()) => Some(usable(package)),
    }
}

/// Whether the package was refused, when it was last looked at, before any billing API was asked.
#[must_use]
pub fn was_refused_here(package: &ContractPackage) -> bool {
    let mut conditions = package.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|found| {
        found.type_ == READY && REFUSED_HERE.iter().any(|reason| found.reason == reason.as_str())
    })
}

/// How a package stands that contracts can use.
fn usable(package: &ContractPackage) -> Summary {
    if package.spec.lifecycle == Lifecycle::Archived {
        let message = "No new contracts are made from the package; those that there are stay as they are.";
        return Summary::ready(reasons::ARCHIVED, message);
    }
    Summary::ready(reasons::PUBLISHED, "Contracts can use the package.")
}

/// How a package stands after a reconcile.
#[must_use]
pub fn summary(package: &ContractPackage, result: &PackageResult) -> Summary {
    let again = format!("To try again, annotate the package with a new {REQUESTED_AT}");
    match &result.outcome {
        Outcome::Ended { .. } if result.write.is_some() => Summary::waiting(
            reasons::ENDED,
            "Nothing is left to archive in billing. A create whose reply did not come may still be carried out, so it is looked at \
             once more before the resource goes.",
        ),
        Outcome::InSync { .. } | Outcome::Drifted { .. } | Outcome::Ended { .. } => {
            let mut summary = usable(package);
            let differences = result.snapshot.iter().flat_map(|snapshot| &snapshot.alias_differences);
            let differences: Vec<_> = differences.cloned().collect();
            if !differences.is_empty() {
                summary.message = format!(
                    "{} The API takes aliases only when a package is created, so there they differ (billing -> spec); \
                     contracts with `packageRef.alias` go by the spec: {}",
                    summary.message,
                    summarize(&differences)
                );
            }
            summary
        }
        Outcome::Unconfirmed { message } | Outcome::NotInForce { message } => {
            Summary::waiting(reasons::WRITE_UNCONFIRMED, message)
        }
        Outcome::Waiting { reason, message } => Summary::waiting(*reason, message),
        // It is what the status said before.
        Outcome::Refused { refusal, blocked_plan: None } if is_sticky(refusal.reason) => {
            Summary::stalled(refusal.reason, &refusal.message)
        }
        Outcome::Refused { refusal, .. } if refusal.reason == reasons::KEY_TAKEN => Summary::stalled(
            refusal.reason,
            format!(
                "The package cannot be used: {}. Write a new ContractPackage with another name or \
                 `spec.metronome.uniquenessKey`. {again}.",
                refusal.message
            ),
        ),
        Outcome::Refused { refusal, .. } if refusal.reason == reasons::REJECTED => Summary::stalled(
            refusal.reason,
            format!("The package cannot be used: {}. {again}.", refusal.message),
        ),
        Outcome::Refused { refusal, .. } => {
            Summary::stalled(refusal.reason, format!("The package cannot be used: {}.", refusal.message))
        }
        Outcome::AwaitingApproval(plan) => Summary::waiting(reasons::AWAITING_APPROVAL, plan.summary()),
        Outcome::Suspended => Summary::waiting(reasons::SUSPENDED, "The package is suspended."),
    }
}

/// The status of a package that so many contracts use; without a reconcile, what is known of billing stays as it is.
#[must_use]
pub fn status(
    package: &ContractPackage,
    summary: Option<&Summary>,
    result: Option<&PackageResult>,
    contracts: i32,
    now: DateTime<Utc>,
) -> ContractPackageStatus {
    let mut status = package.status.clone().unwrap_or_default();
    status.contracts = Some(contracts);
    let Some(summary) = summary else { return status };
    let generation = package.metadata.generation;
    status.conditions = conditions(&status.conditions, summary, &[], generation, now);
    status.observed_generation = generation;
    status.last_handled_reconcile_at = requested_at(&package.metadata);
    if let Some(result) = result {
        record(&mut status, result);
    }
    // The digest of terms that are known in part would later say that they changed.
    if package.spec.lifecycle != Lifecycle::Draft && summary.reason != reasons::UNKNOWN_FIELD {
        status.digest.get_or_insert_with(|| package::digest(&package.spec));
    }
    status
}

fn record(status: &mut ContractPackageStatus, result: &PackageResult) {
    if status.account.is_some() && result.account.is_some() && status.account != result.account {
        // What is known of one account means nothing in another.
        (status.package_id, status.unconfirmed_write, status.plan) = (None, None, None);
        status.account = None;
    }
    let id = result.snapshot.as_ref().map(|snapshot| &snapshot.package_id).or(result.created_id.as_ref());
    if let Some(id) = id {
        status.package_id = Some(id.clone());
    }
    if id.is_some() || result.write.is_some() {
        status.account = result.account.clone().or(status.account.take());
    }
    match &result.write {
        Some(write) => {
            let kept = super::contract::kept(status.unconfirmed_write.as_ref(), write);
            status.unconfirmed_write = Some(kept);
        }
        None if matches!(result.outcome, Outcome::InSync { .. }) => status.unconfirmed_write = None,
        None => {}
    }
    status.plan = match &result.outcome {
        Outcome::Refused { blocked_plan: Some(plan), .. } => Some(plan.digest.clone()),
        Outcome::Refused { refusal, .. } => status.plan.take().filter(|_| is_sticky(refusal.reason)),
        _ => None,
    };
}

/// The event that a package is worth that has become unusable, given the status before it.
#[must_use]
pub fn event(package: &ContractPackage, summary: &Summary) -> Option<EventRecord> {
    let (_, reason) = summary.abnormal.filter(|(type_, _)| *type_ == STALLED)?;
    let mut before = package.status.iter().flat_map(|status| &status.conditions);
    let is_old = before.any(|before| before.type_ == STALLED && before.message == summary.message);
    (!is_old).then(|| EventRecord::warning(reason, &summary.message))
}
