//! What is to come of a resource: whether what it says is put in force, or what it holds ends.

use kube::ResourceExt;

use super::{Goal, Outcome, ReconcileResult};
use crate::{
    api::{
        BillingContract, BillingContractStatus, ContractPackage, FINALIZER, PACKAGE_FINALIZER, RELEASE,
        contract::{DeletionPolicy, ManagementPolicy},
        package::PackageDeletionPolicy,
        reasons,
    },
    plan::{Announced, Ending, Refusal, Reported},
};

/// What a deleted resource waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// Nothing of ours keeps it.
    NotOurs,
    /// It may go, and billing stays as it is.
    Release,
    /// It may go once what it holds has come to this.
    End(Goal),
}

/// What a contract's resource that is deleted waits for.
///
/// The same policies hold as for any other write: `Observe` leaves the contract as it is, `Plan` waits for its approval.
#[must_use]
pub fn of_contract(contract: &BillingContract) -> Deletion {
    let spec = &contract.spec;
    let released = is_released(contract);
    if !has_finalizer(contract, FINALIZER) {
        Deletion::NotOurs
    } else if released
        || spec.deletion_policy == DeletionPolicy::Orphan
        || spec.management_policy == ManagementPolicy::Observe
    {
        Deletion::Release
    } else {
        Deletion::End(Goal::Ended(Ending {
            policy: spec.deletion_policy,
            end_at: spec.end_at,
            void_invoices: spec.void_invoices,
        }))
    }
}

/// What a package's resource that is deleted waits for.
#[must_use]
pub fn of_package(package: &ContractPackage) -> Deletion {
    if !has_finalizer(package, PACKAGE_FINALIZER) {
        Deletion::NotOurs
    } else if is_released(package) || package.spec.deletion_policy == PackageDeletionPolicy::Orphan {
        Deletion::Release
    } else {
        let policy = DeletionPolicy::Cancel;
        Deletion::End(Goal::Ended(Ending { policy, end_at: None, void_invoices: false }))
    }
}

/// Whether a contract's deletion takes a billing call, so that it needs our finalizer.
#[must_use]
pub fn contract_needs_finalizer(contract: &BillingContract) -> bool {
    contract.spec.deletion_policy != DeletionPolicy::Orphan
}

/// Whether a package's deletion takes a billing call, so that it needs our finalizer.
#[must_use]
pub fn package_needs_finalizer(package: &ContractPackage) -> bool {
    package.spec.deletion_policy == PackageDeletionPolicy::Archive
}

/// What people are told of a resource that cannot go yet: how it can, with billing left as it is.
#[must_use]
pub fn how_to_release(message: &str, kind: &str, name: &str, ended: &str) -> String {
    if message.contains(RELEASE) {
        // It is what the status said before.
        return message.to_owned();
    }
    format!(
        "{message} The {kind} in the billing API has not been {ended} yet. To delete the resource and leave it as it is, run: \
         kubectl annotate {} {name} {RELEASE}=true",
        if kind == "package" { "contractpackage" } else { "billingcontract" }
    )
}

/// The same for a contract, as long as it is deleted and our finalizer keeps it.
#[must_use]
pub fn told(contract: &BillingContract, message: &str) -> String {
    if contract.metadata.deletion_timestamp.is_none() || !has_finalizer(contract, FINALIZER) {
        return message.to_owned();
    }
    how_to_release(message, "contract", &contract.name_any(), "ended")
}

/// Why nothing is ended of a resource whose contract is on record of another account than its provider's, `account`: in that
/// one it is not to be found, and to let the resource go for that would leave the contract as it is in silence. So is it where
/// what was announced, and no status tells of, went to another account.
#[must_use]
pub fn is_elsewhere(
    contract: &BillingContract,
    announced: Option<&Announced>,
    account: &str,
) -> Option<Refusal> {
    let nothing = BillingContractStatus::default();
    let status = contract.status.as_ref().unwrap_or(&nothing);
    let maybe = || "a contract may have been made".to_owned();
    let story = match (&status.contract_id, &status.unconfirmed_write) {
        (Some(id), _) => Some(format!("contract {id} is")),
        (None, lost) => lost.as_ref().map(|_| maybe()),
    };
    let held = status.account.as_ref().zip(story);
    let unreported = announced.filter(|announced| announced.after == Reported::in_status(status));
    let sent = unreported.map(|announced| (&announced.account, maybe()));
    let (recorded, story) = held.into_iter().chain(sent).find(|(recorded, _)| *recorded != account)?;
    Some(Refusal {
        reason: reasons::ACCOUNT_CHANGED,
        message: format!(
            "Nothing was ended: {story} in the account {recorded}, and the provider's account is {account} now. Give the \
             provider its former `baseUrl` again, or the contract a provider of that account."
        ),
    })
}

/// The same of a package that is to be archived.
#[must_use]
pub fn package_is_elsewhere(package: &ContractPackage, account: &str) -> Option<Refusal> {
    let status = package.status.as_ref()?;
    let recorded = status.account.as_deref().filter(|recorded| *recorded != account)?;
    let id = status.package_id.as_deref()?;
    Some(Refusal {
        reason: reasons::ACCOUNT_CHANGED,
        message: format!(
            "package {id} is in the account {recorded}, and the provider's account is {account} now. Give the provider its \
             former `baseUrl` again"
        ),
    })
}

/// Whether a deleted resource may go: nothing is left to end, and nothing may come late that would have to be
/// ended again.
#[must_use]
pub fn may_go<S>(result: &ReconcileResult<S>) -> bool {
    matches!(result.outcome, Outcome::Ended { .. }) && result.write.is_none()
}

fn has_finalizer(object: &impl ResourceExt, finalizer: &str) -> bool {
    object.finalizers().iter().any(|found| found == finalizer)
}

/// Whether somebody lets a resource go without its billing call.
pub fn is_released(object: &impl ResourceExt) -> bool {
    object.annotations().get(RELEASE).is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests;
