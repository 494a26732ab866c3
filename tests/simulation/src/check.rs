//! The promises, as code: each looks at what is on the wire, in the cluster or in billing, and says how it is broken.
//!
//! Those that only billing's own history shows (charged twice, for the past, after the end; a closed period opened again)
//! are in [`billing`](crate::billing).

use std::sync::Arc;

use countersign_core::{
    api::{APPROVED_PLAN, Api, BillingContract, contract::ManagementPolicy},
    plan::Call,
    protocol::{Goal, Outcome},
    status::contract::ContractResult,
};
use serde_json::{Value, json};

use crate::{
    agree,
    billing::{Request, Seen},
    cluster::Name,
    operator::{line::Line, task::Desk},
    rules::{Rule, Rules},
};

/// Looks at a write before it is sent.
pub(crate) fn write(line: &Line<'_>, call: &Call, request: &Request) -> Vec<String> {
    let desk = &line.desk;
    let name = Name::of(&desk.object);
    let mut broken = Vec::new();
    let mut say = |what: String| broken.push(format!("{name}: {what} ({})", call.path));
    if let Some(why) = without_leave(desk) {
        say(why);
    }
    let lease = line.ground.cluster.lease();
    if lease.holder != Some(line.operator) && line.ground.now >= line.ground.lease_doubted_until {
        say(format!("operator {} writes, and {:?} holds the lease", line.operator, lease.holder));
    }
    let account = line.ground.accounts.get(desk.account);
    if let (Some(id), Some(account)) = (touched(desk, request), account) {
        let adopted = desk.object.spec.adopt.as_ref().map(|adopt| &adopt.contract_id);
        // What says exactly what a write of its own, whose reply was lost, would have said is taken for its own.
        let status = desk.object.status.as_ref();
        let may_be_its =
            account.api == Api::Zoo && status.is_some_and(|status| status.unconfirmed_write.is_some());
        let is_renumbered = |held: String| account.zoo.by_id(&held).is_some_and(|contract| contract.id == id);
        let is_its = may_be_its
            || desk.holds().is_some_and(is_renumbered)
            || desk.holds().as_ref() == Some(&id)
            || adopted == Some(&id)
            || account.maker(&id) == Some(desk.slot);
        if !is_its {
            say(format!("it writes to contract {id}, which it does not hold"));
        }
        if let Some(other) = desk.others.iter().find(|other| holds_it(line, other, &id)) {
            say(format!("it writes to contract {id}, which {} holds", Name::of(other)));
        }
    }
    if let Some(other) = desk.others.iter().find(|other| has_customer(line, other)) {
        say(format!("it writes the contract of a customer that {} holds", Name::of(other)));
    }
    broken
}

/// Why the policies of a resource do not let it write.
fn without_leave(desk: &Desk) -> Option<String> {
    let spec = &desk.object.spec;
    let approved = desk.object.metadata.annotations.as_ref().and_then(|all| all.get(APPROVED_PLAN));
    if spec.suspend {
        return Some("it is suspended, and writes".to_owned());
    }
    match spec.management_policy {
        ManagementPolicy::Apply => None,
        ManagementPolicy::Observe => Some("it only observes, and writes".to_owned()),
        ManagementPolicy::Plan if approved.is_none() || approved != desk.plan.as_ref() => {
            Some("it writes what nobody approved".to_owned())
        }
        ManagementPolicy::Plan => {
            let applied = desk.object.status.as_ref().and_then(|status| status.applied_plan.as_ref());
            let is_spent = applied.map(ToString::to_string).as_ref() == approved;
            is_spent.then(|| "it writes by an approval that is spent".to_owned())
        }
    }
}

/// The contract that a write changes, as far as whoever sends it can know.
fn touched(desk: &Desk, request: &Request) -> Option<String> {
    let named = request.body["contract_id"].as_str();
    let shown = match &desk.seen {
        Seen::Shown(view) => view["contract_id"].as_str(),
        _ => None,
    };
    named.or(shown).map(str::to_owned)
}

/// Whether another resource, as it was when the reconcile began, is still there.
fn is_there(line: &Line<'_>, other: &BillingContract) -> bool {
    let found = line.ground.cluster.get(&Name::of(other));
    found.is_some_and(|found| found.metadata.uid == other.metadata.uid)
}

/// Whether another resource holds a contract that this one does not hold, or held it before.
fn holds_it(line: &Line<'_>, other: &BillingContract, id: &str) -> bool {
    let held = other.status.as_ref().and_then(|status| status.contract_id.as_deref());
    let holds = line.desk.holds();
    let is_known = holds.is_none() && !line.ground.rules.has(Rule::Found);
    let is_alone = holds.as_deref() != Some(id) || is_before(line, other);
    held == Some(id) && is_alone && !is_known && is_there(line, other)
}

/// Whether another resource has the same customer, where a customer has one contract, before this one.
fn has_customer(line: &Line<'_>, other: &BillingContract) -> bool {
    let own = line.desk.object.spec.sole_customer();
    own.is_some() && other.spec.sole_customer() == own && is_before(line, other)
}

/// Whether another resource, of the same account, goes before this one. One that is deleted ends nothing that another has,
/// older or not.
fn is_before(line: &Line<'_>, other: &BillingContract) -> bool {
    let desk = &line.desk;
    let created =
        |contract: &BillingContract| contract.metadata.creation_timestamp.clone().map(|time| time.0);
    match desk.goal {
        Goal::InForce => created(other) < created(&desk.object),
        Goal::Ended(_) => other.metadata.deletion_timestamp.is_none(),
    }
}

/// Looks at a result that says that billing says what Git says.
pub(crate) fn in_sync(desk: &Desk, result: &ContractResult, rules: &Rules) -> Vec<String> {
    let Outcome::InSync { .. } = result.outcome else { return Vec::new() };
    let name = Name::of(&desk.object);
    let difference = match &desk.seen {
        Seen::Nothing => Some("nobody has looked".to_owned()),
        Seen::Absent if is_hidden(&desk.object) => None,
        Seen::Absent => Some("there is none".to_owned()),
        Seen::Shown(view) => difference(&desk.object, view, desk.slot),
    };
    let difference = difference.filter(|difference| !is_unrecorded(difference, rules));
    difference
        .map(|difference| format!("{name}: InSync, and billing says otherwise: {difference}"))
        .into_iter()
        .collect()
}

/// Whether a difference is one that the code is known not to see: an item that was added, and of which nothing was put on
/// record before Git went back.
pub(crate) fn is_unrecorded(difference: &str, rules: &Rules) -> bool {
    difference.ends_with(agree::NOT_IN_GIT) && !rules.has(Rule::Unrecorded)
}

/// Whether what a resource says cannot be seen in billing.
pub(crate) fn is_hidden(contract: &BillingContract) -> bool {
    let terms = agree::terms(contract);
    matches!(terms["status"].as_str(), Some("scheduled" | "closed" | "canceled"))
}

/// A difference between what a resource says and what billing shows.
pub(crate) fn difference(contract: &BillingContract, view: &Value, slot: usize) -> Option<String> {
    let terms = agree::terms(contract);
    match contract.spec.api()? {
        Api::Zoo => agree::zoo(&terms, view),
        Api::Metronome => agree::metronome(&terms, view, slot),
    }
}

/// What a status forgot that the one before it knew.
pub(crate) fn forgotten(before: &Arc<BillingContract>, after: &BillingContract) -> Option<String> {
    let (before, status) = (before.status.as_ref()?, after.status.as_ref()?);
    let is_lost =
        before.contract_id.is_some() && status.contract_id.is_none() && before.account == status.account;
    is_lost.then(|| format!("{}: its status forgot contract {}", Name::of(after), json!(before.contract_id)))
}
