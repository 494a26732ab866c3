//! Plans for Fake: one read, one replace. `GET` shows the contract of a customer, and nothing once it has ended.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Call, CallKind, Change, ContractSnapshot, Decision, Ending, MoneyEffect, Observation, Plan, Planner,
    Policy, Reading, Recorded, Refusal, Unreadable,
    diff::{covers, diff, keep_observed},
    ownership::{Found, nothing_to_adopt},
};
use crate::{
    api::{BillingContractSpec, contract::DeletionPolicy, reasons},
    terms::{Digest, fake::SHAPE, shape::Spelling},
    validate,
};

/// What can be read from Fake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The contract of a customer.
    Contract {
        /// ID of the customer.
        customer_id: String,
    },
}

impl Need {
    /// Path of the read below the base URL.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Contract { customer_id } => path(customer_id),
        }
    }
}

/// What a contract should be.
#[derive(Debug)]
struct Desired {
    /// Terms with the digits of the spec.
    written: Value,
    /// Terms in canonical form.
    canonical: Value,
    /// Digest of the canonical terms and their customer.
    digest: Digest,
}

/// A contract as `GET` or `PUT` returned it.
#[derive(Debug)]
struct ObservedContract {
    contract_id: String,
    /// Its terms, in canonical form.
    terms: Value,
}

/// Plans one Fake contract.
#[derive(Debug)]
pub struct ContractPlanner {
    customer_id: String,
    /// What the contract should be, or why the spec cannot be planned.
    desired: Result<Desired, Refusal>,
    /// What is shown, once it was read.
    shown: Reading<ObservedContract>,
}

impl ContractPlanner {
    /// A planner for the terms of a spec.
    ///
    /// # Errors
    /// A refusal when the spec has no Fake terms. Terms that are wrong are a refusal of the plan, so that what the
    /// resource holds can still be ended.
    pub fn new(spec: &BillingContractSpec) -> Result<Self, Refusal> {
        let invalid = |message| Refusal { reason: reasons::INVALID_SPEC, message };
        let terms = spec.fake.as_ref().ok_or_else(|| {
            invalid("the provider is a Fake account, so the terms must be in `spec.fake`".to_owned())
        })?;
        let desired = validate::fake::contract(terms)
            .map_err(|violations| invalid(validate::summary(&violations)))
            .and_then(|terms| {
                let written = serde_json::to_value(*terms).map_err(|error| invalid(error.to_string()))?;
                let canonical = SHAPE.canonical(&written, Spelling::Spec);
                let canonical = canonical.map_err(|error| invalid(error.to_string()))?;
                let digest = Digest::of(&json!([terms.customer_id, canonical]));
                Ok(Desired { written, canonical, digest })
            });
        Ok(Self { customer_id: terms.customer_id.clone(), desired, shown: Reading::Unread })
    }

    fn shown(&self) -> Result<Option<&ObservedContract>, Need> {
        match &self.shown {
            Reading::Unread => Err(Need::Contract { customer_id: self.customer_id.clone() }),
            known => Ok(known.present()),
        }
    }
}

impl Planner for ContractPlanner {
    type Need = Need;
    type Snapshot = ContractSnapshot;

    fn invalid(&self) -> Option<&Refusal> {
        self.desired.as_ref().err()
    }

    fn observe(&mut self, _: &Recorded, _: &Policy, _: DateTime<Utc>) -> Result<Observation, Need> {
        Ok(self.shown()?.map_or(Observation::Nothing, |_| Observation::Found))
    }

    fn plan(&mut self, recorded: &Recorded, policy: &Policy, _: DateTime<Utc>) -> Result<Decision, Need> {
        let desired = match &self.desired {
            Ok(desired) => desired,
            Err(refusal) => return Ok(Decision::Refuse(refusal.clone())),
        };
        Ok(plan(&self.customer_id, desired, self.shown()?, recorded, policy))
    }

    fn end(
        &mut self,
        ending: &Ending,
        recorded: &Recorded,
        policy: &Policy,
        _: DateTime<Utc>,
    ) -> Result<Decision, Need> {
        let own = self.shown()?.filter(|observed| {
            recorded.contract_id.as_ref() == Some(&observed.contract_id)
                || recorded.may_have_sent(&Digest::of(&observed.terms))
        });
        let Some(observed) = own.filter(|_| ending.policy != DeletionPolicy::Orphan) else {
            return Ok(Decision::InSync);
        };
        let path = format!("contract {}", observed.contract_id);
        let change = Change::new(path, Some(json!("active")), Some(json!("ended")));
        Ok(match put(&self.customer_id, &observed.terms, true) {
            Ok(call) => {
                Plan::new(&observed.terms, &Value::Null, vec![change], MoneyEffect::default(), vec![call])
                    .under(policy, recorded, false)
            }
            Err(refusal) => Decision::Refuse(refusal),
        })
    }

    fn learn(&mut self, _: &Need, told: Option<Value>, _: DateTime<Utc>) -> Result<(), Unreadable> {
        self.shown = told.as_ref().map(read).transpose()?.flatten().into();
        Ok(())
    }

    fn wrote(
        &mut self,
        _: &Call,
        reply: &Value,
        recorded: &mut Recorded,
        _: DateTime<Utc>,
    ) -> Result<(), Unreadable> {
        let observed = read(reply)?;
        if let Some(observed) = &observed {
            recorded.contract_id = Some(observed.contract_id.clone());
        }
        self.shown = observed.into();
        Ok(())
    }

    fn forget(&mut self) {
        self.shown = Reading::Unread;
    }

    fn remember(&self, recorded: &mut Recorded, _: DateTime<Utc>) {
        if let Some(observed) = self.shown.present() {
            recorded.contract_id = Some(observed.contract_id.clone());
        }
    }

    fn snapshot(&self, recorded: &Recorded, _: DateTime<Utc>) -> Option<ContractSnapshot> {
        let observed = self.shown.present()?;
        let is_held = recorded.contract_id.as_ref() == Some(&observed.contract_id);
        let says_the_same = self.desired.as_ref().is_ok_and(|desired| desired.canonical == observed.terms);
        (is_held || says_the_same).then(|| ContractSnapshot {
            contract_id: observed.contract_id.clone(),
            account_id: None,
            items: Vec::new(),
            set_fields: Vec::new(),
            renews: None,
            renewed_by: None,
            state: "active".to_owned(),
            is_shown: true,
            term: None,
            committed_value: Vec::new(),
            digest: Digest::of(&observed.terms),
        })
    }

    fn shows(&self, fingerprint: &Digest) -> bool {
        self.shown.present().is_some_and(|observed| Digest::of(&observed.terms) == *fingerprint)
    }

    fn customer_id(&self) -> Option<&str> {
        Some(&self.customer_id)
    }

    fn digest(&self) -> Option<&Digest> {
        self.desired.as_ref().ok().map(|desired| &desired.digest)
    }
}

/// Decides what to do about a contract.
fn plan(
    customer_id: &str,
    desired: &Desired,
    shown: Option<&ObservedContract>,
    recorded: &Recorded,
    policy: &Policy,
) -> Decision {
    let mut body = desired.written.clone();
    let (before, changes) = if let Some(observed) = shown {
        let mut changes = diff(&SHAPE, &desired.canonical, &observed.terms);
        changes.retain(|change| !policy.ignore.iter().any(|pointer| covers(pointer, &change.path)));
        let is_own = recorded.may_have_sent(&Digest::of(&observed.terms));
        let found = Found { contract_id: &observed.contract_id, customer: "customer", is_own };
        if let Err(refusal) = found.may_change(recorded, policy, &changes) {
            return Decision::Refuse(refusal);
        }
        if changes.is_empty() {
            return Decision::InSync;
        }
        keep_observed(&SHAPE, &policy.ignore, &mut body, &observed.terms);
        (&observed.terms, changes)
    } else {
        if let Some(refusal) = nothing_to_adopt(recorded, policy, "customer") {
            return refusal;
        }
        let name = desired.canonical.get("name").cloned();
        (&Value::Null, vec![Change::new("new contract", None, name)])
    };
    let is_drift = recorded.applied_spec.as_ref() == Some(&desired.digest);
    match put(customer_id, &body, false) {
        Ok(call) => Plan::new(before, &desired.canonical, changes, MoneyEffect::default(), vec![call])
            .under(policy, recorded, is_drift),
        Err(refusal) => Decision::Refuse(refusal),
    }
}

/// A replace; what it puts in place has ended or not.
fn put(customer_id: &str, terms: &Value, ended: bool) -> Result<Call, Refusal> {
    #[derive(serde::Serialize)]
    struct Body<T> {
        terms: T,
        ended: bool,
    }
    let canonical = SHAPE.canonical(terms, Spelling::Spec);
    let fingerprint = Digest::of(canonical.as_ref().unwrap_or(terms));
    Call::new(CallKind::Replace, path(customer_id), &Body { terms: SHAPE.wire(terms), ended }, fingerprint)
}

/// Path of a customer's contract.
fn path(customer_id: &str) -> String {
    format!("customers/{customer_id}")
}

/// Reads a contract that was parsed with its exact numbers; nothing when it has ended.
fn read(reply: &Value) -> Result<Option<ObservedContract>, Unreadable> {
    let unreadable = |why: &str| Unreadable(format!("the reply is not a contract: {why}"));
    if reply.get("ended") == Some(&json!(true)) {
        return Ok(None);
    }
    let text = |name: &str| reply.get(name).and_then(Value::as_str).map(str::to_owned);
    let contract_id = text("contract_id").ok_or_else(|| unreadable("`contract_id` is missing"))?;
    let terms = reply.get("terms").ok_or_else(|| unreadable("`terms` is missing"))?;
    let terms = SHAPE.canonical(terms, Spelling::Wire).map_err(|error| unreadable(&error.to_string()))?;
    for required in ["name", "price"] {
        if terms.get(required).is_none() {
            return Err(unreadable(&format!("`{required}` is missing")));
        }
    }
    Ok(Some(ObservedContract { contract_id, terms }))
}
