//! The promises, as code: each looks at what is on the wire, in the cluster or in billing, and says how it is broken.
//!
//! Those that only billing's own history shows (charged twice, for the past, after the end; a closed period opened again)
//! are in [`billing`](crate::billing).

use std::sync::Arc;

use countersign_core::{
    api::{
        APPROVED_PLAN, Api, BillingContract, BillingContractStatus, ContractApproval,
        approval::ApprovalDecision, contract::ManagementPolicy,
    },
    plan::{Call, CallKind, metronome::Balances},
    protocol::{Goal, Outcome},
    status::contract::ContractResult,
    terms::Decimal,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};

use crate::{
    agree,
    billing::{Request, Seen},
    cluster::{Name, name_of},
    ground::Ground,
    operator::{desk::Desk, line::Line, plan},
    rules::{Rule, Rules},
};

/// Looks at a write before it is sent.
pub(crate) fn write(line: &Line<'_>, call: &Call, request: &Request) -> Vec<String> {
    let desk = &line.desk;
    let name = Name::of(&desk.object);
    let mut broken = Vec::new();
    let mut say = |what: String| broken.push(format!("{name}: {what} ({})", call.path));
    if let Some(why) = without_leave(line, call, request) {
        say(why.to_owned());
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
        let has_sent = |status: &BillingContractStatus| status.unconfirmed_write.is_some();
        let may_have_sent = desk.announced.is_some() || status.is_some_and(has_sent);
        let may_be_its = account.api == Api::Zoo && may_have_sent;
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

/// Why the policies of a resource, what its account demands and what people said of its plan do not let it write.
fn without_leave(line: &Line<'_>, call: &Call, request: &Request) -> Option<&'static str> {
    let desk = &line.desk;
    let (spec, metadata) = (&desk.object.spec, &desk.object.metadata);
    if spec.suspend {
        return Some("it is suspended, and writes");
    }
    if spec.management_policy == ManagementPolicy::Observe {
        return Some("it only observes, and writes");
    }
    let digest = desk.plan.as_deref().unwrap_or_default();
    let about = |said: &&Arc<ContractApproval>| said.spec.plan_digest.as_str() == digest;
    let mut said = desk.said.iter().filter(about);
    if said.clone().any(|said| said.spec.decision == ApprovalDecision::Deny) {
        return Some("it writes what somebody denied");
    }
    let by_other = desk.demands.by_other;
    let is_asked = by_other || spec.management_policy == ManagementPolicy::Plan || is_beyond(desk, request);
    if !is_asked {
        return None;
    }
    // What follows a create was shown, and approved, along with it.
    let mut follows = line.ground.let_through.get(&Name::of(&desk.object)).into_iter().flatten();
    if call.kind != CallKind::Create && follows.any(|foreseen| plan::fits(&foreseen.body, &call.body)) {
        return None;
    }
    let annotated = metadata.annotations.as_ref().and_then(|all| all.get(APPROVED_PLAN));
    let is_annotated = !by_other && annotated.is_some_and(|annotated| annotated == digest);
    let is_spent = |said: &ContractApproval| said.status.as_ref().is_some_and(|said| said.spent_at.is_some());
    let counts = |said: &Arc<ContractApproval>| !is_spent(said) && (said.spec.independent || !by_other);
    if !is_annotated && !said.any(counts) {
        return Some("it writes what nobody approved, or what was approved and is spent");
    }
    let applied = desk.object.status.as_ref().and_then(|status| status.applied_plan.as_ref());
    let uid = metadata.uid.clone().unwrap_or_default();
    let is_over = applied.is_some_and(|applied| applied.as_str() == digest)
        || line.ground.carried_out.contains(&(uid, digest.to_owned()));
    is_over.then_some("it writes by an approval that is spent")
}

/// An approval that still counts although its plan was carried out, and the pass knew of it.
pub(crate) fn unspent(desk: &Desk, ground: &Ground) -> Option<String> {
    let name = Name::of(&desk.object);
    let status = ground.cluster.get(&name)?.status.as_ref()?;
    let applied = status.applied_plan.as_ref()?;
    let is_left = |said: &&Arc<ContractApproval>| {
        said.spec.decision == ApprovalDecision::Approve
            && said.spec.plan_digest == *applied
            && said.status.as_ref().is_none_or(|status| status.spent_at.is_none())
            && desk.said.iter().any(|known| known.metadata.uid == said.metadata.uid)
    };
    let left = ground.cluster.approvals().find(is_left)?;
    Some(format!("{name}: {} still counts, and its plan was carried out", name_of(left)))
}

/// Whether a replace is beyond a guardrail of the account, as far as the wire tells.
fn is_beyond(desk: &Desk, request: &Request) -> bool {
    let nothing = Value::Null;
    let before = if let Seen::Shown(seen) = &desk.seen { seen } else { &nothing };
    let after = &request.body;
    let is_in_force = matches!(after["status"].as_str(), Some("active" | "scheduled"));
    let guardrails = &desk.demands.guardrails;
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    let sum = |terms: &Value| -> i64 {
        let periods = terms["periods"].as_array().into_iter().flatten();
        periods.map(|period| number(&period["commitment_amount"])).sum()
    };
    let limit = |limit: Option<Decimal>| limit.and_then(|limit| limit.to_string().parse::<i64>().ok());
    let commits = limit(guardrails.max_committed).is_some_and(|most| sum(after) > most.max(sum(before)));
    let fee = |terms: &Value| number(&terms["items"][0]["fixed_fee_amount"]);
    let moves = limit(guardrails.max_price_change_percent).is_some_and(|most| {
        before["items"].is_array() && (fee(after) - fee(before)).abs() * 100 > most * fee(before).abs()
    });
    is_in_force && (commits || moves)
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
pub(crate) fn in_sync(desk: &Desk, result: &ContractResult, rules: &Rules, now: i64) -> Vec<String> {
    let Outcome::InSync { .. } = result.outcome else { return Vec::new() };
    let name = Name::of(&desk.object);
    let difference = match &desk.seen {
        Seen::Nothing => Some("nobody has looked".to_owned()),
        Seen::Absent if is_hidden(&desk.object) => None,
        Seen::Absent => Some("there is none".to_owned()),
        Seen::Shown(view) => difference(&desk.object, view, desk.slot),
    };
    let beside = || beside(&desk.object, desk.slot, now, |kind| desk.beside.get(&kind).cloned());
    let difference = difference.or_else(beside);
    let difference = difference.filter(|difference| !is_unrecorded(difference, rules));
    difference
        .map(|difference| format!("{name}: InSync, and billing says otherwise: {difference}"))
        .into_iter()
        .collect()
}

/// A difference between what a resource says and what billing shows beside its contract.
pub(crate) fn beside(
    contract: &BillingContract,
    slot: usize,
    now: i64,
    told: impl Fn(Balances) -> Option<Vec<Value>>,
) -> Option<String> {
    let terms = agree::terms(contract);
    Balances::ALL.into_iter().find_map(|kind| match told(kind) {
        Some(told) => agree::beside(&terms, kind.list(), &told, slot, now),
        None if terms[kind.list()].as_array().is_none_or(Vec::is_empty) => None,
        None => Some(format!("nobody has looked for {}", kind.list())),
    })
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

/// Looks at a status that takes the place of another.
pub(crate) fn status(before: &BillingContract, after: &BillingContract) -> Vec<String> {
    let (Some(was), Some(is)) = (&before.status, &after.status) else { return Vec::new() };
    let forgets = was.contract_id.is_some() && is.contract_id.is_none() && was.account == is.account;
    let is_older = was.fence > is.fence;
    let moves = is.conditions.iter().find(|condition| {
        let stays = |was: &&Condition| was.type_ == condition.type_ && was.status == condition.status;
        let before = was.conditions.iter().find(stays);
        before.is_some_and(|was| was.last_transition_time != condition.last_transition_time)
    });
    let say = |what: String| format!("{}: {what}", Name::of(after));
    let mut broken = Vec::new();
    if forgets {
        broken.push(say(format!("its status forgot contract {}", json!(was.contract_id))));
    }
    if is_older {
        broken.push(say(format!("leadership {:?} wrote over what {:?} had written", is.fence, was.fence)));
    }
    if let Some(condition) = moves {
        broken.push(say(format!("{} did not change, and its transition time did", condition.type_)));
    }
    broken
}
