//! What people say of contracts' plans, in `ContractApproval`s: looked up by contract, and marked once spent.
//!
//! What counts is the plan's to say; approvals have no reconcile of their own.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use kube::{
    Api, Client, ResourceExt,
    api::Patch,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher::Event,
    },
};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    Error, Guarded, ObjectId, bounded,
    kubernetes::{index::Index, leadership::Leadership, patch_params},
};
use crate::{
    api::{BillingContract, ContractApproval, approval::ApprovalDecision},
    clock,
    plan::Sayings,
    terms::{Digest, Timestamp},
};

/// Namespace and name of a contract.
type Key = (String, String);
type Reference = ObjectRef<Guarded<BillingContract>>;

/// The approvals of a cache, by the contract that they name.
pub struct Approvals {
    index: Index<ContractApproval, Key>,
    contracts: Store<Guarded<BillingContract>>,
    /// Contracts about which something was said, or is said no more.
    named: UnboundedSender<Reference>,
    was_listed: AtomicBool,
}

impl Approvals {
    /// The approvals of a cache, and the contracts that are to be looked at because of a change of them.
    #[must_use]
    pub fn new(
        approvals: Store<Guarded<ContractApproval>>,
        contracts: Store<Guarded<BillingContract>>,
    ) -> (Self, UnboundedReceiver<Reference>) {
        let (named, receiver) = unbounded_channel();
        let index = Index::new(approvals, |approval| vec![key(approval)]);
        (Self { index, contracts, named, was_listed: AtomicBool::new(false) }, receiver)
    }

    /// Hears what the watch delivers, after the cache has.
    pub fn hear(&self, event: &Event<Guarded<ContractApproval>>) {
        self.index.hear(event);
        match event {
            Event::Apply(approval) | Event::InitApply(approval) | Event::Delete(approval) => {
                if let Some(approval) = approval.readable() {
                    let (namespace, name) = key(approval);
                    self.look_at(ObjectRef::new(&name).within(&namespace));
                }
            }
            Event::Init => {}
            // What went while nobody watched has no event of its own.
            Event::InitDone => {
                let is_first = !self.was_listed.swap(true, Ordering::Relaxed);
                for contract in self.contracts.state().iter().filter(|_| !is_first) {
                    self.look_at(ObjectRef::from_obj(contract.as_ref()));
                }
            }
        }
    }

    /// What is said of a contract's plans.
    #[must_use]
    pub fn of(&self, contract: &BillingContract) -> Sayings {
        let found = self.naming(contract);
        Sayings::of(found.iter().filter_map(|approval| heard(approval)))
    }

    /// Another text whenever something else is said of a contract's plans. Being spent is none of that: it is the
    /// operator's own word.
    #[must_use]
    pub fn version(&self, contract: &BillingContract) -> String {
        let found = self.naming(contract);
        let mut said: Vec<_> = found
            .iter()
            .filter_map(|approval| heard(approval))
            .filter(|approval| approval.metadata.deletion_timestamp.is_none())
            .map(|approval| ObjectId::of(approval).uid)
            .collect();
        said.sort();
        said.join(",")
    }

    /// Marks the approvals of plans that have been carried out: they count no more, whatever becomes of the contract's
    /// status.
    ///
    /// # Errors
    /// When the API server does not do its part, or this replica leads no more.
    pub async fn spend(
        &self,
        contract: &BillingContract,
        plans: &[Digest],
        client: &Client,
        leadership: &Leadership,
    ) -> Result<(), Error> {
        for found in self.naming(contract) {
            let Some(approval) = heard(&found) else { continue };
            let is_spent = approval.spec.decision == ApprovalDecision::Approve
                && approval.status.as_ref().is_none_or(|status| status.spent_at.is_none())
                && plans.contains(&approval.spec.plan_digest);
            if is_spent {
                mark(approval, client, leadership).await?;
            }
        }
        Ok(())
    }

    fn naming(&self, contract: &BillingContract) -> Vec<Arc<Guarded<ContractApproval>>> {
        let ObjectId { namespace, name, .. } = ObjectId::of(contract);
        self.index.with(&[(namespace, name)])
    }

    fn look_at(&self, contract: Reference) {
        if self.named.send(contract).is_err() {
            tracing::debug!("stopping; nobody looks at contracts any more");
        }
    }
}

/// An approval as far as it counts: one that says something which this version does not know may mean less than it
/// seems to, so that only what it denies is believed.
fn heard(approval: &Guarded<ContractApproval>) -> Option<&ContractApproval> {
    let known = approval.decoded().ok()?;
    let is_understood = approval.unknown().is_none() || known.spec.decision == ApprovalDecision::Deny;
    is_understood.then_some(known)
}

fn key(approval: &ContractApproval) -> Key {
    (approval.namespace().unwrap_or_default(), approval.spec.contract_ref.name.clone())
}

async fn mark(approval: &ContractApproval, client: &Client, leadership: &Leadership) -> Result<(), Error> {
    leadership.fence_over(None).await?;
    let ObjectId { namespace, name, .. } = ObjectId::of(approval);
    let api: Api<ContractApproval> = Api::namespaced(client.clone(), &namespace);
    // With the version: of two leaders the first marks it.
    let metadata = json!({"resourceVersion": approval.resource_version()});
    let now = Timestamp::whole_seconds(clock::now());
    let patch = Patch::Merge(json!({"metadata": metadata, "status": {"spentAt": now}}));
    match bounded(api.patch_status(&name, &patch_params(), &patch)).await {
        Err(error) if error.is(|status| status.is_conflict() || status.is_not_found()) => Ok(()),
        marked => marked.map(drop),
    }
}

#[cfg(test)]
mod tests;
