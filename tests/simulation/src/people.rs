//! People: what they keep in Git, and what they change there, in the cluster and in the billing API's console.

use countersign_core::{
    api::{
        APPROVED_PLAN, Api, ContractApproval, FINALIZER, RELEASE, REQUESTED_AT,
        approval::{ApprovalDecision, ContractApprovalSpec, ContractRef},
        provider::Guardrails,
    },
    plan::Demands,
    terms::Digest,
};
use serde_json::{Value, json};

use crate::{
    cluster::Name,
    deal::{DEALS, Deal, apply},
    ground::{Ground, OTHER_ZOO, ZOO},
    rules::Rule,
    time::{month, next_month, text},
};

/// What somebody does. The number picks one of several ways, and stays the same when a run is replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Create(usize),
    Edit(usize, u32),
    Revert(usize),
    Delete(usize),
    Rename(usize, bool),
    Suspend(usize),
    Management(usize, u32),
    Drift(usize),
    Deletion(usize, u32),
    Approve(usize),
    Say(usize, u32),
    Unsay(usize),
    Demand(usize, u32),
    Request(usize, u32),
    Release(usize),
    Strip(usize),
    Console(usize, u32),
    ConsoleBeside(usize, u32),
    EndByHand(usize, u32),
    Undo(usize),
    Token(usize),
    MoveProvider,
}

impl Act {
    /// Its name in the table.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "user creates",
            Self::Edit(..) => "user edits",
            Self::Revert(_) => "user reverts",
            Self::Delete(_) => "user deletes",
            Self::Rename(..) => "user renames",
            Self::Suspend(_) => "user suspends or resumes",
            Self::Management(..) => "user switches management policy",
            Self::Drift(_) => "user switches drift policy",
            Self::Deletion(..) => "user switches deletion policy",
            Self::Approve(_) => "user approves by annotation",
            Self::Say(_, r) if denies(*r) => "somebody denies",
            Self::Say(..) => "somebody approves",
            Self::Unsay(_) => "somebody takes back what they said",
            Self::Demand(..) => "provider demands otherwise",
            Self::Request(..) => "user asks for a reconcile",
            Self::Release(_) => "user releases",
            Self::Strip(_) => "user strips finalizers",
            Self::Console(..) => "others edit billing",
            Self::ConsoleBeside(..) => "others edit what lies beside contracts",
            Self::EndByHand(..) => "others end or archive in billing",
            Self::Undo(_) => "others take a write back",
            Self::Token(_) => "token refused or accepted again",
            Self::MoveProvider => "provider moved to another account",
        }
    }
}

/// Everybody.
pub(crate) struct People {
    pub(crate) deals: Vec<Deal>,
}

impl People {
    pub(crate) fn new() -> Self {
        Self { deals: (0..DEALS).map(Deal::new).collect() }
    }

    /// Somebody does something; false when there was nothing to do.
    pub(crate) fn act(&mut self, act: &Act, ground: &mut Ground) -> bool {
        let now = ground.now;
        match act {
            Act::Create(slot) => {
                // Who has a contract already adopts no other.
                let has_own = ground.accounts.iter().any(|account| account.live_of(*slot, now) > 0);
                let adopted = (*slot == 5 && !has_own).then(|| self.contract_of(2, ground)).flatten();
                let Some(deal) = self.deals.get_mut(*slot).filter(|deal| deal.git.is_none()) else {
                    return false;
                };
                let again = deal.versions.last().cloned();
                let mut manifest = again.unwrap_or_else(|| deal.manifest(ground));
                manifest["metadata"]["name"] = json!(deal.name);
                if let Some(id) = adopted {
                    manifest["spec"]["adopt"] = json!({"contractId": id, "mode": "Override"});
                    deal.marks.is_impossible = true;
                }
                deal.commit_to_git(&manifest, ground)
            }
            Act::Edit(slot, r) => {
                let Some(deal) = self.deals.get_mut(*slot) else { return false };
                let Some(next) = deal.edited(*r, ground) else { return false };
                deal.commit_to_git(&next, ground)
            }
            Act::Revert(slot) => {
                let Some(deal) = self.deals.get_mut(*slot) else { return false };
                let (Some(git), Some(before)) = (&deal.git, deal.versions.iter().rev().nth(1)) else {
                    return false;
                };
                if !Deal::may_revert(git, before, ground) {
                    return false;
                }
                let is_shorter = git["spec"]["metronome"]["recurringCommits"]
                    != before["spec"]["metronome"]["recurringCommits"];
                let mut before = before.clone();
                deal.marks.is_impossible |= is_shorter;
                before["metadata"]["name"] = json!(deal.name);
                deal.commit_to_git(&before, ground)
            }
            Act::Rename(slot, is_created_first) => {
                let is_cancel = |git: &Value| git["spec"]["deletionPolicy"] == "Cancel";
                // Whoever lets another resource adopt a contract gives it away, whatever it is called.
                let adopts = |deal: &Deal| deal.versions.iter().any(|git| git["spec"]["adopt"].is_object());
                if *slot == 2 && self.deals.iter().any(adopts) {
                    return false;
                }
                let Some(deal) = self.deals.get_mut(*slot).filter(|_| ground.rules.has(Rule::Rename)) else {
                    return false;
                };
                // Who takes a contract back by its policy does not mean to keep it.
                let Some(mut manifest) = deal.git.clone().filter(|git| !is_cancel(git)) else { return false };
                deal.marks.is_lost = true;
                deal.marks.is_beside_unknown |= deal.has_had_beside();
                let before = deal.object();
                deal.name = format!("{}-new", deal.name);
                manifest["metadata"]["name"] = json!(deal.name);
                deal.former.push(before.clone());
                if !is_created_first {
                    ground.cluster.delete(&before, now);
                }
                deal.commit_to_git(&manifest, ground)
            }
            Act::Delete(slot) => {
                let Some(deal) = self.deals.get_mut(*slot).filter(|deal| deal.git.is_some()) else {
                    return false;
                };
                deal.git = None;
                deal.marks.is_lost = true;
                deal.marks.is_beside_unknown |= deal.has_had_beside();
                ground.cluster.delete(&deal.object(), now);
                true
            }
            _ => self.act_otherwise(act, ground),
        }
    }

    /// What changes neither which resources there are nor their terms in Git.
    fn act_otherwise(&mut self, act: &Act, ground: &mut Ground) -> bool {
        let now = ground.now;
        match act {
            Act::Create(_) | Act::Edit(..) | Act::Revert(_) | Act::Rename(..) | Act::Delete(_) => false,
            Act::Suspend(slot) => {
                self.set(*slot, ground, |spec| spec["suspend"] = json!(spec["suspend"] != json!(true)))
            }
            Act::Management(slot, r) => {
                let policy = match r % 4 {
                    0 => "Plan",
                    1 => "Observe",
                    _ => "Apply",
                };
                self.set(*slot, ground, |spec| spec["managementPolicy"] = json!(policy))
            }
            Act::Drift(slot) => self.set(*slot, ground, |spec| {
                let is_report = spec["driftPolicy"] == "Report";
                spec["driftPolicy"] = json!(if is_report { "Correct" } else { "Report" });
            }),
            Act::Deletion(slot, r) => {
                let policy = match r % 3 {
                    0 => "Orphan",
                    1 => "End",
                    _ => "Cancel",
                };
                self.set(*slot, ground, |spec| spec["deletionPolicy"] = json!(policy))
            }
            Act::Approve(_) | Act::Say(..) | Act::Unsay(_) | Act::Demand(..) => self.decide(act, ground),
            Act::Request(slot, r) => {
                let Some(name) = self.deals.get(*slot).map(Deal::object) else { return false };
                annotate(ground, &name, REQUESTED_AT, &r.to_string());
                true
            }
            Act::Release(slot) => {
                let Some(deal) = self.deals.get(*slot).filter(|deal| deal.git.is_none()) else {
                    return false;
                };
                annotate(ground, &deal.object(), RELEASE, "true");
                true
            }
            Act::Strip(slot) => {
                let Some(deal) = self.deals.get(*slot).filter(|deal| deal.git.is_some()) else {
                    return false;
                };
                ground.cluster.touch(&deal.object(), |object| {
                    if let Some(finalizers) = &mut object.metadata.finalizers {
                        finalizers.retain(|found| found != FINALIZER);
                    }
                });
                true
            }
            Act::Console(slot, r) => self.console(*slot, *r, ground),
            Act::ConsoleBeside(slot, r) => {
                let Some(deal) = self.deals.get_mut(*slot) else { return false };
                let account = ground.accounts.iter_mut().find(|account| account.api == deal.api);
                let Some(account) = account.filter(|account| account.api == Api::Metronome) else {
                    return false;
                };
                let is_changed = account.metronome.beside_by_hand(&deal.customer(), *slot, now, *r);
                deal.marks.is_touched |= is_changed;
                is_changed
            }
            Act::EndByHand(slot, r) => self.end_by_hand(*slot, *r, ground),
            Act::Undo(slot) => {
                let Some(index) = self.account_of(*slot, ground) else { return false };
                let Some(deal) = self.deals.get_mut(*slot) else { return false };
                let (organization, account) = (deal.organization(), ground.accounts.get_mut(index));
                let is_undone = account.is_some_and(|account| account.zoo.undo(&organization, now));
                deal.marks.is_touched |= is_undone;
                deal.marks.is_put_back |= is_undone;
                is_undone
            }
            Act::Token(index) => {
                let Some(provider) = ground.providers.get_mut(*index) else { return false };
                provider.is_ready = !provider.is_ready;
                provider.epoch += 1;
                true
            }
            Act::MoveProvider => {
                let is_moved = ground.rules.has(Rule::Move);
                let Some(provider) = ground.providers.first_mut().filter(|_| is_moved) else { return false };
                provider.url = if provider.url == ZOO { OTHER_ZOO } else { ZOO };
                provider.epoch += 1;
                for deal in self.deals.iter_mut().filter(|deal| deal.api == Api::Zoo) {
                    deal.marks.is_moved = true;
                }
                true
            }
        }
    }

    /// Somebody says something of a plan, or a provider demands that somebody does.
    fn decide(&self, act: &Act, ground: &mut Ground) -> bool {
        let now = ground.now;
        match act {
            Act::Approve(slot) => {
                let Some(name) = self.deals.get(*slot).map(Deal::object) else { return false };
                let Some(digest) = plan_of(&name, ground) else { return false };
                annotate(ground, &name, APPROVED_PLAN, &digest.to_string());
                true
            }
            Act::Say(slot, r) => {
                let Some(name) = self.deals.get(*slot).map(Deal::object) else { return false };
                let Some(digest) = plan_of(&name, ground) else { return false };
                ground.cluster.say(saying(&name, digest, *r), now);
                true
            }
            Act::Unsay(slot) => {
                self.deals.get(*slot).map(Deal::object).is_some_and(|name| ground.cluster.unsay(&name))
            }
            Act::Demand(index, r) => {
                let Some(provider) = ground.providers.get_mut(*index) else { return false };
                let bounded = || Guardrails {
                    max_committed: "70000".parse().ok(),
                    max_price_change_percent: "2".parse().ok(),
                    ..Guardrails::default()
                };
                match r % 4 {
                    0 => provider.demands.by_other = !provider.demands.by_other,
                    1 => provider.demands.guardrails = bounded(),
                    _ => provider.demands = Demands::default(),
                }
                provider.epoch += 1;
                true
            }
            _ => false,
        }
    }

    /// Flux at work: the cluster gets what Git says, and what is not in Git goes.
    pub(crate) fn apply_all(&mut self, ground: &mut Ground) {
        for deal in &mut self.deals {
            match deal.git.clone() {
                Some(manifest) => drop(apply(&manifest, ground)),
                None => ground.cluster.delete(&deal.object(), ground.now),
            }
        }
        let said: Vec<_> = self.deals.iter().map(Deal::object).collect();
        let others: Vec<_> = ground.cluster.list().map(|object| Name::of(object)).collect();
        for name in others.into_iter().filter(|name| !said.contains(name)) {
            ground.cluster.delete(&name, ground.now);
        }
    }

    /// A deal whose plan waits for approval.
    pub(crate) fn waiting(&self, ground: &Ground) -> Option<usize> {
        let waits = |deal: &&Deal| {
            let object = ground.cluster.get(&deal.object());
            let conditions =
                object.and_then(|object| object.status.as_ref()).map(|status| &status.conditions);
            conditions.is_some_and(|found| found.iter().any(|found| found.reason == "AwaitingApproval"))
        };
        self.deals.iter().find(waits).map(|deal| deal.slot)
    }

    /// A deal of which an approved plan was carried out.
    pub(crate) fn spent(&self, ground: &Ground) -> Option<usize> {
        let is_spent = |deal: &&Deal| {
            let object = ground.cluster.get(&deal.object());
            let applied = object
                .and_then(|object| object.status.as_ref())
                .and_then(|status| status.applied_plan.as_ref());
            let is_planned = deal.git.as_ref().is_some_and(|git| git["spec"]["managementPolicy"] == "Plan");
            deal.api == Api::Zoo && is_planned && applied.is_some()
        };
        self.deals.iter().find(is_spent).map(|deal| deal.slot)
    }

    fn set(&mut self, slot: usize, ground: &mut Ground, change: impl FnOnce(&mut Value)) -> bool {
        let Some(deal) = self.deals.get_mut(slot) else { return false };
        let Some(mut manifest) = deal.git.clone() else { return false };
        change(&mut manifest["spec"]);
        // A policy is no new version of the terms: a revert takes back terms.
        deal.git = Some(manifest.clone());
        if let Some(last) = deal.versions.last_mut() {
            last.clone_from(&manifest);
        }
        apply(&manifest, ground)
    }

    /// The contract that a deal's resource has on record.
    fn contract_of(&self, slot: usize, ground: &Ground) -> Option<String> {
        let object = ground.cluster.get(&self.deals.get(slot)?.object())?;
        object.status.as_ref()?.contract_id.clone()
    }

    fn account_of(&self, slot: usize, ground: &Ground) -> Option<usize> {
        let object = ground.cluster.get(&self.deals.get(slot)?.object())?;
        ground.account_at(ground.provider_of(object)?.url)
    }

    /// Somebody edits a contract in the console.
    fn console(&mut self, slot: usize, r: u32, ground: &mut Ground) -> bool {
        let now = ground.now;
        let (Some(index), id) = (self.account_of(slot, ground), self.contract_of(slot, ground)) else {
            return false;
        };
        let Some(deal) = self.deals.get_mut(slot) else { return false };
        deal.marks.is_touched = true;
        let organization = deal.organization();
        let Some(account) = ground.accounts.get_mut(index) else { return false };
        match account.api {
            Api::Zoo => account.zoo.by_hand(&organization, now, |terms| match r % 4 {
                0 => terms["notes"] = json!(format!("by hand {r}")),
                1 => terms["external_customer_id"] = json!(format!("customer {r}")),
                2 => terms["items"][0]["fixed_fee_amount"] = json!(r % 1000),
                _ => terms["name"] = json!(format!("By hand {r}")),
            }),
            Api::Metronome => {
                let Some(id) = id else { return false };
                account.metronome.by_hand(&id, now, |contract, minter| match r % 3 {
                    0 => contract.name = Some(format!("By hand {r}")),
                    1 => contract.payment_days = Some(i64::from(r % 60)),
                    _ => {
                        let at = text(month(next_month(now) + r % 5));
                        let sent = json!({"product_id": format!("foreign-{r}"), "name": "by hand",
                                          "schedule": {"schedule_items": [{"timestamp": at, "amount": 77}]}});
                        let made = crate::billing::foreign_charge(&sent, now, minter);
                        contract.items.extend(made);
                    }
                });
                true
            }
        }
    }

    /// Somebody ends, or archives, a contract in the console.
    fn end_by_hand(&mut self, slot: usize, r: u32, ground: &mut Ground) -> bool {
        let now = ground.now;
        let (Some(index), id) = (self.account_of(slot, ground), self.contract_of(slot, ground)) else {
            return false;
        };
        let Some(deal) = self.deals.get_mut(slot) else { return false };
        let organization = deal.organization();
        let Some(account) = ground.accounts.get_mut(index) else { return false };
        let is_done = match account.api {
            Api::Zoo => account.zoo.by_hand(&organization, now, |terms| terms["status"] = json!("canceled")),
            Api::Metronome => id.is_some_and(|id| {
                let is_cut = r.is_multiple_of(2) && ground.rules.has(Rule::Leave);
                account.metronome.by_hand(&id, now, |contract, _| {
                    if is_cut {
                        contract.to = Some(month(next_month(now) + 2));
                    } else {
                        contract.archived = Some(now);
                    }
                });
                true
            }),
        };
        deal.marks.is_ended |= is_done;
        is_done
    }
}

/// The plan that the status of a contract shows.
fn plan_of(name: &Name, ground: &Ground) -> Option<Digest> {
    let status = ground.cluster.get(name)?.status.as_ref()?;
    status.plan.as_ref().map(|plan| plan.digest.clone())
}

fn denies(r: u32) -> bool {
    r.is_multiple_of(6)
}

/// What somebody says of a plan.
fn saying(contract: &Name, plan_digest: Digest, r: u32) -> ContractApproval {
    let spec = ContractApprovalSpec {
        contract_ref: ContractRef { name: contract.name.clone() },
        plan_digest,
        decision: if denies(r) { ApprovalDecision::Deny } else { ApprovalDecision::Approve },
        approved_by: "sam".to_owned(),
        independent: (r / 8).is_multiple_of(2),
        note: None,
    };
    let mut approval = ContractApproval::new("", spec);
    approval.metadata.namespace = Some(contract.namespace.clone());
    approval
}

pub(crate) fn annotate(ground: &mut Ground, name: &Name, annotation: &str, value: &str) {
    ground.cluster.touch(name, |object| {
        let annotations = object.metadata.annotations.get_or_insert_default();
        annotations.insert(annotation.to_owned(), value.to_owned());
    });
}
