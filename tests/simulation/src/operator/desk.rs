//! What a reconcile works on: the object, and what the process knows of others, of accounts and of what people said, as
//! `src/controller/contract/references.rs` looks it up.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use countersign_core::{
    api::{APPROVED_PLAN, BillingContract, ContractApproval, RELEASE, approval::ApprovalDecision},
    plan::{
        Announced, Call, Demands, Departed, Holder, MAY_SHOW_LATER, Others, Refusal, Sayings, Sibling,
        Sought, metronome::Balances,
    },
    protocol::{
        Goal, Outcome, ReconcileResult, Requeue,
        claims::{self, Asking, Subject},
    },
    status::contract::status,
};
use serde_json::Value;

use super::Memory;
use crate::{billing::Seen, check, cluster::Name, ground::Ground, mutant::Mutant, time::wall};

/// What a reconcile works on, and what has to be known to judge what it does.
pub(crate) struct Desk {
    pub(crate) object: Arc<BillingContract>,
    /// The deal, as people number it.
    pub(crate) slot: usize,
    pub(crate) account: usize,
    pub(crate) account_name: String,
    /// What was last shown of the contract.
    pub(crate) seen: Seen,
    /// What was last shown of what the customer has beside its contracts.
    pub(crate) beside: BTreeMap<Balances, Vec<Value>>,
    /// Other contracts of the same account that the operator knows of.
    pub(crate) others: Vec<Arc<BillingContract>>,
    /// Digest of the plan that is being carried out.
    pub(crate) plan: Option<String>,
    /// Somebody was asked for that plan, and agreed.
    pub(crate) is_approved: bool,
    pub(crate) goal: Goal,
    /// What people said of the contract's plans when the pass began.
    pub(crate) said: Vec<Arc<ContractApproval>>,
    /// What the account demanded of every plan when the pass began.
    pub(crate) demands: Demands,
    /// What an earlier pass has announced and not reported.
    pub(crate) announced: Option<Announced>,
    /// What was on record before the last announcement.
    pub(crate) before: Option<Announced>,
    /// It has sent a write.
    pub(crate) has_sent: bool,
    /// Calls of the plan that is being carried out, with what follows it.
    pub(crate) foreseen: Vec<Call>,
}

impl Desk {
    /// What a reconcile works on, as a process knows it when it begins.
    pub(super) fn of(
        object: Arc<BillingContract>,
        said: Vec<Arc<ContractApproval>>,
        memory: &Memory,
        ground: &Ground,
    ) -> Self {
        let account_name = account_of(&object, ground).unwrap_or_default();
        let account = ground.account_at(&account_name).unwrap_or_default();
        let others = others(memory, ground, &Name::of(&object), account);
        Self {
            slot: slot_of(&object),
            account,
            account_name,
            seen: Seen::Nothing,
            beside: BTreeMap::new(),
            others,
            plan: None,
            is_approved: false,
            goal: Goal::InForce,
            said,
            demands: ground.provider_of(&object).map(|provider| provider.demands.clone()).unwrap_or_default(),
            announced: memory.journal.writes.get(object.metadata.uid.as_deref().unwrap_or_default()).cloned(),
            before: None,
            has_sent: false,
            foreseen: Vec::new(),
            object,
        }
    }

    pub(crate) fn uid(&self) -> String {
        self.object.metadata.uid.clone().unwrap_or_default()
    }

    /// The contract on record, of this account.
    pub(crate) fn holds(&self) -> Option<String> {
        let status = self.object.status.as_ref()?;
        let is_here = status.account.as_ref().is_none_or(|account| *account == self.account_name);
        status.contract_id.clone().filter(|_| is_here)
    }

    /// Says that all is in force, whether or not it is: what one of the mutants does.
    pub(crate) fn claim_in_sync(&mut self, ground: &mut Ground) {
        let outcome = Outcome::InSync { spec_digest: None, applied: Vec::new() };
        let result = ReconcileResult {
            account: Some(self.account_name.clone()),
            ..ReconcileResult::new(outcome, Requeue::AfterSyncPeriod)
        };
        for finding in check::in_sync(self, &result, &ground.rules, ground.now) {
            ground.find(finding);
        }
        let mut claimed = BillingContract::clone(&self.object);
        claimed.status = Some(status(&self.object, &result, None, wall(ground.now)));
        if let Ok(written) = ground.write_status(&claimed) {
            self.object = written;
        }
    }
}

/// The deal that a contract is of.
pub(crate) fn slot_of(contract: &BillingContract) -> usize {
    let deal = contract.metadata.annotations.as_ref().and_then(|all| all.get("deal"));
    deal.and_then(|deal| deal.parse().ok()).unwrap_or(usize::MAX)
}

/// A contract's account, as the operator names it.
fn account_of(contract: &BillingContract, ground: &Ground) -> Option<String> {
    let said = ground.provider_of(contract).map(|provider| ground.account_name(provider.url));
    said.or_else(|| contract.status.as_ref()?.account.clone())
}

/// Whether another resource claims what this one, which is deleted, has or claims.
pub(super) fn heir(desk: &Desk, ground: &Ground) -> bool {
    let mut rivals = rivals(desk, ground);
    claims::heir(&desk.object, &mut rivals).is_some()
}

/// Other contracts of the same account that the operator knows of now.
fn others(memory: &Memory, ground: &Ground, name: &Name, account: usize) -> Vec<Arc<BillingContract>> {
    let is_other = |(other, found): &(&Name, &Arc<BillingContract>)| {
        *other != name && account_of(found, ground).and_then(|url| ground.account_at(&url)) == Some(account)
    };
    memory.cache.iter().filter(is_other).map(|(_, other)| Arc::clone(other)).collect()
}

/// What counts of what people said of a contract's plans.
pub(super) fn heard(said: &[Arc<ContractApproval>], mutant: Option<Mutant>) -> Sayings {
    let never_spent =
        |said: &Arc<ContractApproval>| ContractApproval { status: None, ..said.as_ref().clone() };
    match mutant {
        Some(Mutant::ApprovalNotSpent) => Sayings::of(&said.iter().map(never_spent).collect::<Vec<_>>()),
        Some(Mutant::DenialUnheard) => {
            let approves = |said: &&Arc<ContractApproval>| said.spec.decision == ApprovalDecision::Approve;
            Sayings::of(said.iter().filter(approves).map(Arc::as_ref))
        }
        _ => Sayings::of(said.iter().map(Arc::as_ref)),
    }
}

/// What the operator knows now of the others.
pub(super) struct Known {
    others: Vec<Arc<BillingContract>>,
    asking: Asking,
    is_there: bool,
    is_as_meant: bool,
    departed: Vec<Departed>,
    unseen_until: Option<DateTime<Utc>>,
    /// It hears nothing of them, as with one of the mutants.
    is_deaf: bool,
}

impl Known {
    pub(super) fn of(desk: &Desk, memory: &Memory, ground: &Ground) -> Self {
        let name = Name::of(&desk.object);
        let asking = Asking::of(&desk.object);
        let found = memory.cache.get(&name);
        let own = claims::customers(&desk.object);
        let is_its = |(_, gone): &&(i64, Arc<BillingContract>)| {
            let is_same = claims::customers(gone).iter().any(|customer| own.contains(customer));
            is_same && Name::of(gone) != name && gone.spec.api() == desk.object.spec.api()
        };
        let departed = memory.departed.iter().filter(is_its);
        let found = found.filter(|found| asking.is(found.metadata.uid.as_deref()));
        Self {
            others: others(memory, ground, &name, desk.account),
            is_there: found.is_some(),
            is_as_meant: ground.mutant == Some(Mutant::ChangeUnheard) || is_as_meant(desk, memory, ground),
            departed: departed.map(|(at, gone)| claims::departed(gone, wall(*at))).collect(),
            unseen_until: memory.took_over_at.map(|at| wall(at) + MAY_SHOW_LATER),
            is_deaf: ground.mutant == Some(Mutant::ClaimUnheard),
            asking,
        }
    }
}

/// Whether a resource, its provider, people and other resources still say what they said when the pass began, as far as the
/// process has heard.
pub(super) fn is_as_meant(desk: &Desk, memory: &Memory, ground: &Ground) -> bool {
    let found = memory.cache.get(&Name::of(&desk.object));
    let Some(now) = found.filter(|found| found.metadata.uid == desk.object.metadata.uid) else {
        return false;
    };
    let meant = |contract: &BillingContract| {
        let metadata = &contract.metadata;
        let annotation = |name| metadata.annotations.as_ref().and_then(|all| all.get(name)).cloned();
        let annotations = [APPROVED_PLAN, RELEASE].map(annotation);
        (metadata.generation, metadata.deletion_timestamp.is_some(), annotations)
    };
    let fresh = Desk::of(Arc::clone(now), memory.said_of(&Name::of(now)), memory, ground);
    let is_anothers = match desk.goal {
        Goal::InForce => claims::holder(now, rivals(&fresh, ground)).is_some(),
        Goal::Ended(_) => heir(&fresh, ground),
    };
    let versions = |desk: &Desk| -> Vec<_> {
        desk.said.iter().map(|said| said.metadata.resource_version.clone()).collect()
    };
    meant(now) == meant(&desk.object)
        && versions(&fresh) == versions(desk)
        && (&fresh.account_name, &fresh.demands) == (&desk.account_name, &desk.demands)
        && (!is_anothers || ground.mutant == Some(Mutant::ClaimUnheard))
}

impl Others for Known {
    fn holder(&self, sought: Sought<'_>) -> Holder {
        if self.is_deaf {
            return Holder::Nobody;
        }
        let keeper = claims::keeper(&self.asking, &sought, self.others.iter().map(Arc::as_ref));
        keeper.map_or(Holder::Nobody, |keeper| Holder::Resource(Name::of(keeper).to_string()))
    }

    fn is_there(&self) -> bool {
        self.is_there
    }

    fn is_as_meant(&self) -> bool {
        self.is_as_meant
    }

    fn departed(&self, _: &[&str]) -> Vec<Departed> {
        self.departed.clone()
    }

    fn siblings(&self, customer: &[&str]) -> Vec<Sibling> {
        let is_its = |other: &&Arc<BillingContract>| {
            claims::customers(other).iter().any(|name| customer.contains(&name.as_str()))
        };
        self.others.iter().filter(is_its).map(|other| claims::sibling(&self.asking, other)).collect()
    }

    fn unseen_until(&self) -> Option<DateTime<Utc>> {
        self.unseen_until
    }

    fn share(&self, customer: &str) -> bool {
        let means_it = |other: &Arc<BillingContract>| {
            claims::subjects(other).contains(&Subject::Customer(customer.to_owned()))
        };
        self.others.iter().any(means_it)
    }
}

fn rivals<'d>(desk: &'d Desk, ground: &Ground) -> impl Iterator<Item = &'d BillingContract> {
    let same = desk.others.iter().map(Arc::as_ref);
    same.filter(|other| account_of(other, ground).as_deref() == Some(desk.account_name.as_str()))
}

pub(super) fn claimed(desk: &Desk, ground: &Ground) -> Option<Refusal> {
    if ground.mutant == Some(Mutant::ClaimUnheard) {
        return None;
    }
    let holder = claims::holder(&desk.object, rivals(desk, ground));
    holder.map(|(holder, subject)| claims::refusal(holder, &subject))
}
