//! The calm after the faults: everything must come to rest in bounded steps, say the truth, and write nothing more.

use std::{collections::BTreeMap, sync::Arc};

use countersign_core::{
    api::{Api, BillingContract, ContractApproval, REQUESTED_AT, approval::ApprovalDecision},
    plan::{Demands, metronome::Balances},
};
use serde_json::Value;

use crate::{
    agree, check,
    cluster::{Name, contract_of},
    deal::Marks,
    operator::{desk::slot_of, line::Fate, task::SYNC_PERIOD},
    people::annotate,
    rules::Rule,
    time::{MINUTE, SECOND, month, next_month},
    world::{MAX_STEPS, World},
};

/// How long it may take to come to rest.
const SETTLES_IN: i64 = 90 * MINUTE;
/// How long it is then watched.
const WATCHED_FOR: i64 = 45 * MINUTE;
/// The longest time that passes at once in the calm, and so may pass beyond what is watched.
const LONGEST_STEP: i64 = 10 * MINUTE;

impl World {
    /// Lets faults and people stop, and looks at what is left.
    pub(crate) fn calm(&mut self) {
        self.ground.note(|| "faults and people stop".to_owned());
        self.is_calm = true;
        for operator in &mut self.operators {
            (operator.paused_until, operator.skew) = (0, 0);
        }
        self.kill(1);
        if let Some(first) = self.operators.get_mut(0)
            && first.memory.is_none()
        {
            first.start();
        }
        for provider in &mut self.ground.providers {
            provider.epoch += u32::from(!provider.is_ready);
            provider.is_ready = true;
        }
        self.people.apply_all(&mut self.ground);
        for object in self.objects() {
            annotate(&mut self.ground, &Name::of(&object), REQUESTED_AT, "calm");
        }
        self.rest(SETTLES_IN);
        if !self.ground.findings.is_empty() {
            return;
        }
        // Git is applied again now that what was being deleted has gone.
        self.people.apply_all(&mut self.ground);
        self.rest(SETTLES_IN / 2);
        let writes = |world: &Self| {
            let billing: u64 = world.ground.accounts.iter().map(|account| account.writes).sum();
            (billing, world.ground.cluster.status_writes)
        };
        // A month that begins is news: periods close then.
        let month = month(next_month(self.ground.now)) - self.ground.now;
        if month < WATCHED_FOR + LONGEST_STEP + MINUTE {
            self.rest(month);
        }
        if self.ground.now - month_before(self.ground.now) < 15 * MINUTE {
            self.rest(15 * MINUTE);
        }
        let before = writes(self);
        self.rest(WATCHED_FOR);
        let after = writes(self);
        if before != after && self.ground.findings.is_empty() {
            self.ground.find(format!(
                "it does not come to rest: writes to billing and of statuses {before:?}, and then {after:?}"
            ));
        }
        self.judge();
    }

    /// Lets one operator work undisturbed for a while.
    fn rest(&mut self, milliseconds: i64) {
        let until = self.ground.now + milliseconds;
        while self.ground.now < until && self.ground.findings.is_empty() {
            self.happen(&crate::event::Event::Renew(0, false));
            self.happen(&crate::event::Event::Hear(0, usize::MAX));
            let mut is_idle = true;
            for name in self.ready(0) {
                let is_early = self.ground.now < until - milliseconds / 2;
                if is_early && self.ground.rules.has(Rule::Foresee) && self.foresee(0, &name) {
                    is_idle = false;
                    continue;
                }
                self.happen(&crate::event::Event::Begin(0, name.clone()));
                let mut steps = 0;
                while self.step(0, &name, Fate::Fine) {
                    is_idle = false;
                    steps += 1;
                    if steps > MAX_STEPS {
                        self.ground.find(format!("{name}: one reconcile takes more than {MAX_STEPS} steps"));
                        return;
                    }
                }
            }
            for name in self.tasks(0) {
                while self.step(0, &name, Fate::Fine) {
                    is_idle = false;
                }
            }
            let next = self.next_due().map_or(SYNC_PERIOD, |due| due - self.ground.now);
            let wait = if is_idle { next.clamp(SECOND, LONGEST_STEP) } else { 100 };
            self.happen(&crate::event::Event::Pass(wait));
        }
    }

    fn next_due(&self) -> Option<i64> {
        self.operators.first()?.memory.as_ref()?.queue.next(self.ground.now)
    }

    /// Looks at what is left.
    fn judge(&mut self) {
        let mut found = Vec::new();
        let mut holders: BTreeMap<(String, String), Name> = BTreeMap::new();
        for object in self.objects() {
            let name = Name::of(&object);
            let marks = self.people.deals.get(slot_of(&object)).map(|deal| deal.marks).unwrap_or_default();
            let (ready, reason, message) = ready(&object);
            self.ground.count(reason_name(&reason));
            let is_asked = self.is_asked(&object, &reason);
            let is_expected = is_expected(&object, (&reason, &message), marks) || is_asked;
            if !is_expected && !self.is_lost(&object, &reason) {
                found.push(format!("{name}: at rest it is {reason}: {message}"));
            }
            if !ready || object.spec.suspend {
                continue;
            }
            let is_looked_at = !object.spec.suspend || self.ground.rules.has(Rule::Suspended);
            if reason == "InSync" && is_looked_at {
                found
                    .extend(self.stale_notes(&object, marks).map(|why| format!("{name}: InSync, and {why}")));
                let lie = self.lies(&object).filter(|lie| !check::is_unrecorded(lie, &self.ground.rules));
                found.extend(lie.map(|why| format!("{name}: at rest it is InSync, and {why}")));
            }
            let status = object.status.clone().unwrap_or_default();
            let contracts = self.ground.accounts.iter().filter_map(|account| {
                account.metronome.contract(status.contract_id.as_deref().unwrap_or_default())
            });
            if reason == "InSync" {
                found.extend(contracts.filter_map(|contract| contract.late(self.ground.now)));
            }
            if let (Some(id), Some(account)) = (status.contract_id, status.account)
                && let Some(other) = holders
                    .insert((countersign_core::protocol::claims::account(&account), id.clone()), name.clone())
            {
                found.push(format!("{name} and {other} are both ready with contract {id}"));
            }
        }
        let now = self.ground.now;
        for account in &self.ground.accounts {
            for deal in &self.people.deals {
                let live = account.live_of(deal.slot, now);
                if live > 1 {
                    found.push(format!("deal {} has {live} contracts in {}", deal.slot, account.url));
                }
            }
        }
        for finding in found {
            self.ground.find(finding);
        }
    }

    /// Whether a resource waits for people because of what its account demands, or of what somebody said.
    fn is_asked(&self, object: &BillingContract, reason: &str) -> bool {
        let demands = self.ground.provider_of(object).map(|provider| &provider.demands);
        let mut said = self.ground.cluster.approvals();
        let is_denial = |said: &Arc<ContractApproval>| {
            contract_of(said) == Name::of(object) && said.spec.decision == ApprovalDecision::Deny
        };
        match reason {
            "AwaitingApproval" => demands.is_some_and(|demands| *demands != Demands::default()),
            "PlanDenied" => said.any(is_denial),
            _ => false,
        }
    }

    /// Whether a resource has to ask people because a write of its own never came on record.
    fn is_lost(&self, object: &BillingContract, reason: &str) -> bool {
        let asked: &[&str] = match object.spec.api() {
            Some(Api::Zoo) => &["ContractExists", "ReplacedOutside"],
            _ => &["AmbiguousItem"],
        };
        let slot = slot_of(object);
        let is_unrecorded = self.ground.unrecorded.contains(&slot);
        // What somebody changed before anybody saw, or put on record, what became of a write cannot be told from somebody's
        // own.
        let is_touched = self.people.deals.get(slot).is_some_and(|deal| deal.marks.is_touched);
        let is_untold = is_touched && (is_unrecorded || self.ground.unanswered.contains(&slot));
        // What is announced is known all the same; what was made by a key is not always told from what others made.
        let is_unrecorded = is_unrecorded && object.spec.api() != Some(Api::Zoo);
        // Nothing tells which item is whose where somebody added one before any came on record.
        let has_items = object.status.as_ref().is_some_and(|status| !status.items.is_empty());
        let is_untold = is_untold || (is_touched && reason == "AmbiguousItem" && !has_items);
        // A replace that is delivered once more, behind a newer one, may give the contract another ID.
        let is_replaced = reason == "ReplacedOutside" && self.ground.came_late.contains(&slot);
        let rules = &self.ground.rules;
        asked.contains(&reason) && (is_unrecorded || is_untold || is_replaced || !rules.has(Rule::Unrecorded))
    }

    /// Notes that billing has since Git said them, and Git says none: as far as it is on record that Git had set them.
    fn stale_notes(&self, object: &BillingContract, marks: Marks) -> Option<String> {
        let slot = slot_of(object);
        let is_theirs = marks.is_lost || marks.is_moved || marks.is_double || marks.is_put_back;
        if object.spec.api() != Some(Api::Zoo) || is_theirs {
            return None;
        }
        let provider = self.ground.provider_of(object)?;
        let account = self.ground.accounts.get(self.ground.account_at(provider.url)?)?;
        let view = account.zoo.get(object.spec.sole_customer()?, self.ground.now, 0)?;
        let deal = self.people.deals.get(slot)?;
        let is_said = |manifest: &Value| manifest["spec"]["zoo"]["notes"] == view["notes"];
        let says_none = crate::agree::terms(object)["notes"].is_null();
        let was_said = view["notes"].is_string() && deal.versions.iter().any(is_said);
        (says_none && was_said).then(|| format!("{} was once in Git and is not any more", view["notes"]))
    }

    /// Why what a resource says of billing is not so.
    fn lies(&self, object: &BillingContract) -> Option<String> {
        let now = self.ground.now;
        let account =
            self.ground.provider_of(object).and_then(|provider| self.ground.account_at(provider.url));
        let account = self.ground.accounts.get(account?)?;
        let slot = slot_of(object);
        let id = object.status.as_ref()?.contract_id.clone().unwrap_or_default();
        let view = match object.spec.api()? {
            Api::Zoo => account.zoo.get(object.spec.sole_customer()?, now, 0),
            Api::Metronome => {
                let customer = account.metronome.contract(&id).map(|contract| contract.customer.clone());
                account.metronome.get(&customer.unwrap_or_default(), &id, now, 0)
            }
        };
        match view {
            None if check::is_hidden(object) => None,
            None => Some("there is none".to_owned()),
            Some(view) => check::difference(object, &view, slot).or_else(|| {
                let marks = self.people.deals.get(slot).map(|deal| deal.marks).unwrap_or_default();
                // Nobody looks there for what neither Git nor any record speaks of.
                let is_known = |why: &String| !(marks.is_beside_unknown && why.ends_with(agree::NOT_IN_GIT));
                self.lies_beside(object).filter(is_known)
            }),
        }
    }
}

impl World {
    /// Why what a resource says of what lies beside its contract is not so.
    fn lies_beside(&self, object: &BillingContract) -> Option<String> {
        let (now, slot) = (self.ground.now, slot_of(object));
        let customer = self.people.deals.get(slot)?.customer();
        let provider = self.ground.provider_of(object)?;
        let account = self.ground.accounts.get(self.ground.account_at(provider.url)?)?;
        let list = |kind| if kind == Balances::Commits { "commits" } else { "credits" };
        check::beside(object, slot, now, |kind| {
            Some(account.metronome.balances(&customer, list(kind), now, 0))
        })
    }
}

/// When the month began.
fn month_before(now: i64) -> i64 {
    month(next_month(now).saturating_sub(1))
}

/// What the `Ready` condition says.
fn ready(object: &BillingContract) -> (bool, String, String) {
    let conditions = object.status.iter().flat_map(|status| &status.conditions);
    let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready");
    ready.map_or((false, "nothing".to_owned(), String::new()), |ready| {
        (ready.status == "True", ready.reason.clone(), ready.message.clone())
    })
}

/// Whether a resource may be so at rest, after what was done to it.
fn is_expected(object: &BillingContract, (reason, message): (&str, &str), marks: Marks) -> bool {
    let spec = &object.spec;
    let management = format!("{:?}", spec.management_policy);
    if spec.suspend {
        return true;
    }
    match reason {
        // It was yet to come when Git changed it, and is closed or past by now.
        "InSync" | "DriftReported" | "PeriodClosed" | "BackdatedItem" => true,
        "AwaitingApproval" => management == "Plan",
        "NotInBilling" => management == "Observe" || format!("{:?}", spec.drift_policy) == "Report",
        // The resource that it was before is still there: its end waits for approval, or a backup has brought it back.
        "DuplicateClaim" => marks.is_double || marks.is_lost,
        // Its customer has a contract that was made under another name.
        "ContractUnclaimed" => marks.is_lost || marks.is_double,
        // Nothing of the resource is known any more, and the contract that is there differs.
        // A double finds what the other has left, or has replaced.
        "ContractExists" | "AmbiguousItem" | "OwnershipUnproven" => {
            marks.is_lost || marks.is_moved || marks.is_double
        }
        "HeldContractMissing" => marks.is_ended || marks.is_moved || marks.is_lost || marks.is_double,
        "ReplacedOutside" => marks.is_ended || marks.is_touched || marks.is_double || marks.is_lost,
        "ContractArchived" | "UniquenessKeyTaken" => marks.is_ended || marks.is_lost || marks.is_double,
        // What it trims never says what Git says, and is told so.
        "NonConverging" => marks.is_untrimmed,
        "ImmutableField" => marks.is_impossible || marks.is_untrimmed,
        "AdoptionTargetNotFound" | "AdoptionMismatch" => marks.is_impossible,
        // It was yet to come when Git changed it, and is invoiced by now.
        "Rejected" => message.contains("is final"),
        _ => false,
    }
}

fn reason_name(reason: &str) -> &'static str {
    match reason {
        "InSync" => "at rest: InSync",
        "DriftReported" => "at rest: DriftReported",
        "AwaitingApproval" => "at rest: AwaitingApproval",
        "PlanDenied" => "at rest: PlanDenied",
        "NotInBilling" => "at rest: NotInBilling",
        "DuplicateClaim" => "at rest: DuplicateClaim",
        "Suspended" => "at rest: Suspended",
        _ => "at rest: another reason",
    }
}
