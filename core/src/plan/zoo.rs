//! Plans for Zoo: compare, then replace.
//!
//! `PUT` replaces the whole contract, so a repeat is harmless, but what the spec never said must be carried over, and
//! what it said once must not.
//! `GET` shows the active contract or else the latest draft; contracts in other states cannot be seen.

mod end;
mod facts;
mod leaving;
mod money;
mod planner;
mod reply;
mod state;
#[cfg(test)]
mod tests;
mod unseen;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    Call, CallKind, Decision, Plan, Policy, Recorded, Refusal,
    diff::{Change, covers, diff, keep_observed},
    ownership::Found,
};
use crate::{
    terms::{
        Digest, Shape,
        shape::{Member, ShapeError, Spelling},
        zoo::{Contract, ContractStatus, SHAPE, partial::REQUIRED},
    },
    validate::Validated,
};

pub use self::facts::Billed;
pub use self::planner::{ContractPlanner, Need};

/// Optional members whose absence is a term itself: an item without a fee, a tier without an end. Every other one is the
/// API's to keep when the spec leaves it out, also one that is yet to come: billing moves some of them along, and a
/// replace must never reset them, such as the state of a closed period.
const MEANT_WHEN_LEFT_OUT: [&str; 2] = ["fixedFeeAmount", "tierEndExclusive"];
/// Members that make an item of a list another thing when they differ, so that nothing of the old one applies to it.
const KINDS: [&str; 2] = ["kind", "unit"];

/// Members by which a period is the same whatever its number.
const TIMES: [&str; 2] = ["periodStartAt", "periodEndAt"];

pub use self::money::committed_value;
pub(super) use self::money::outlook;

/// A contract as `GET` or `PUT` returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedContract {
    /// The contract's ID.
    pub contract_id: String,
    /// ID of the billing account that owns it.
    pub account_id: String,
    /// Its lifecycle state.
    pub state: String,
    /// Its terms, in canonical form.
    pub terms: Value,
}

/// What a contract should be, in the forms that planning needs.
#[derive(Clone, Debug)]
pub struct Desired {
    contract: Contract,
    /// Terms with the digits of the spec.
    written: Value,
    /// Terms in canonical form.
    canonical: Value,
    /// Digest of the canonical terms and their customer.
    pub digest: Digest,
}

impl Desired {
    /// Prepares a validated contract.
    ///
    /// # Errors
    /// Never for terms that came through the types; the error names the place otherwise.
    pub fn new(contract: Validated<Contract>) -> Result<Self, ShapeError> {
        let contract = contract.into_inner();
        let written = serde_json::to_value(&contract).map_err(|error| ShapeError {
            path: String::new(),
            expected: "a contract",
            found: error.to_string(),
        })?;
        let canonical = SHAPE.canonical(&written, Spelling::Spec)?;
        let digest = Digest::of(&json!([contract.organization_id, canonical]));
        Ok(Self { contract, written, canonical, digest })
    }

    /// The terms in canonical form.
    #[must_use]
    pub fn terms(&self) -> &Value {
        &self.canonical
    }

    /// The organization.
    #[must_use]
    pub fn organization_id(&self) -> &str {
        &self.contract.organization_id
    }

    /// Differences of what is observed from what is wanted, ignored places left out.
    #[must_use]
    pub fn changes(&self, observed: &Value, ignore: &[String]) -> Vec<Change> {
        let mut changes = diff(&SHAPE, &self.canonical, observed);
        changes.retain(|change| !ignore.iter().any(|pointer| covers(pointer, &change.path)));
        let (from, to) = (money::unit(observed), money::unit(&self.canonical));
        changes.into_iter().map(|change| change.counted_in(from.as_ref(), to.as_ref())).collect()
    }
}

/// Path of an organization's contract.
#[must_use]
pub fn path(organization_id: &str) -> String {
    format!("orgs/{organization_id}/billing/contract")
}

/// Decides what to do about a contract.
#[must_use]
pub fn plan(
    desired: &Desired,
    observed: Option<&ObservedContract>,
    recorded: &Recorded,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Decision {
    let status = desired.contract.status;
    let applied = recorded.applied_spec.as_ref() == Some(&desired.digest);
    let holds = |observed: &ObservedContract| recorded.contract_id.as_ref() == Some(&observed.contract_id);
    let Some(observed) = observed else { return unseen::plan(desired, recorded, policy, applied, now) };
    // What the API shows then is another one: of an organization whose contract is not shown, or is over, the latest draft.
    let is_hidden = !status.is_visible() || desired.contract.term_end_at.0 <= now;
    if applied && is_hidden && !holds(observed) {
        return Decision::InSync;
    }
    let left = leaving::Left::of(&desired.canonical, observed, recorded, policy);
    let mut changes = desired.changes(&observed.terms, &policy.ignore);
    let unit = money::unit(&observed.terms);
    changes.extend(left.changes().map(|change| change.clone().counted_in(unit.as_ref(), unit.as_ref())));
    let is_own = recorded.may_have_sent(&fingerprint(&observed.terms));
    let found = Found { contract_id: &observed.contract_id, customer: "organization", is_own };
    if let Err(refusal) = found.may_change(recorded, policy, &changes) {
        return Decision::Refuse(refusal);
    }
    let activated_in_time = status == ContractStatus::Scheduled && observed.state == "active";
    if activated_in_time && applied && desired.contract.effective_at.0 <= now {
        changes.retain(|change| change.path != "/status");
    }
    if changes.is_empty() {
        return Decision::InSync;
    }
    if let Some(refusal) = left.refusal() {
        return refusal;
    }
    if let Some(refusal) = state::forbidden(status, observed, &changes) {
        return refusal;
    }
    let mut body = body(desired, observed, policy);
    left.take_out(&mut body);
    let sent = SHAPE.canonical(&body, Spelling::Spec).unwrap_or_else(|_| desired.canonical.clone());
    let effect = money::effect(Some(&observed.terms), &sent);
    let calls = match put(desired.organization_id(), &body) {
        Ok(call) => vec![call],
        Err(refusal) => return Decision::Refuse(refusal),
    };
    // What an own write left that came late is nobody else's doing.
    let is_drift = applied && !is_own;
    let plan = Plan::new(&observed.terms, &desired.canonical, changes, effect, calls);
    let shown = (observed.contract_id.as_str(), observed.state.as_str());
    state::allows(plan.under(policy, recorded, is_drift), shown, is_own, status)
}

fn put(organization_id: &str, terms: &Value) -> Result<Call, Refusal> {
    let fingerprint =
        SHAPE.canonical(terms, Spelling::Spec).as_ref().map_or_else(|_| Digest::of(terms), fingerprint);
    Call::new(CallKind::Replace, path(organization_id), &SHAPE.wire(terms), fingerprint)
}

/// The body of a replace: the spec's terms, with what it leaves out carried over from what is observed.
fn body(desired: &Desired, observed: &ObservedContract, policy: &Policy) -> Value {
    let mut body = desired.written.clone();
    carry_over(&SHAPE, &REQUIRED, &mut body, &observed.terms);
    keep_observed(&SHAPE, &policy.ignore, &mut body, &observed.terms);
    body
}

/// Whether a member is the API's to keep when the spec leaves it out.
fn is_servers(name: &str, member: &Member, required: &[&str]) -> bool {
    member.optional && !required.contains(&name) && !MEANT_WHEN_LEFT_OUT.contains(&name)
}

/// Puts what the spec leaves out and the API keeps into the body, at every level. `required` are members of this level
/// that a contract has in the end, whoever says them.
fn carry_over(shape: &Shape, required: &[&str], body: &mut Value, observed: &Value) {
    match (shape, body) {
        (Shape::Object(members), Value::Object(body)) => {
            for (name, member) in members {
                let Some(observed) = observed.get(name) else { continue };
                match body.get_mut(name) {
                    Some(value) => carry_over(&member.shape, &[], value, observed),
                    None if is_servers(name, member, required) => {
                        body.insert(name.clone(), observed.clone());
                    }
                    None => {}
                }
            }
        }
        (Shape::List { item, keys }, Value::Array(body)) if !keys.is_empty() => {
            let wanted = body.clone();
            for value in body {
                // An item of another kind is another thing: what billing keeps of the old one must not price the new one.
                let is_pair = |other: &&Value| {
                    same(keys, value, other)
                        && same(&KINDS, value, other)
                        && !is_elsewhere(value, other, &wanted)
                };
                let mut items = observed.as_array().into_iter().flatten();
                let moved = items.clone().find(|other| is_same_time(value, other));
                if let Some(observed) = moved.or_else(|| items.find(is_pair)) {
                    carry_over(item, &[], value, observed);
                }
            }
        }
        _ => {}
    }
}

/// Whether two items say the same of some members.
fn same<S: AsRef<str>>(names: &[S], one: &Value, other: &Value) -> bool {
    names.iter().all(|name| one.get(name.as_ref()) == other.get(name.as_ref()))
}

/// Whether two items are periods of the very same time.
fn is_same_time(one: &Value, other: &Value) -> bool {
    one.get(TIMES[0]).is_some() && same(&TIMES, one, other)
}

/// Whether a period of billing has another number in the spec than this one: what billing keeps of it goes with its time, as
/// when a period was put before it.
fn is_elsewhere(value: &Value, observed: &Value, wanted: &[Value]) -> bool {
    !is_same_time(value, observed) && wanted.iter().any(|other| is_same_time(other, observed))
}

/// Recognises terms by what every request and every reply has, whatever the API fills in beside it.
#[must_use]
pub fn fingerprint(terms: &Value) -> Digest {
    Digest::of(&said(&SHAPE, &REQUIRED, terms))
}

/// A value without the members that are the API's to keep.
fn said(shape: &Shape, required: &[&str], value: &Value) -> Value {
    match (shape, value) {
        (Shape::Object(members), Value::Object(found)) => {
            let said = found.iter().filter_map(|(name, value)| match members.get(name) {
                Some(member) if is_servers(name, member, required) => None,
                Some(member) => Some((name.clone(), said(&member.shape, &[], value))),
                None => Some((name.clone(), value.clone())),
            });
            said.collect::<Map<_, _>>().into()
        }
        (Shape::List { item, .. }, Value::Array(found)) => {
            found.iter().map(|value| said(item, &[], value)).collect()
        }
        _ => value.clone(),
    }
}
