//! Each rule of planning for Metronome, against a contract that is kept in recorded as the API keeps one.

mod api;
mod behind;
mod beside;
mod billed;
mod effect;
mod fields;
mod fixture;
mod goes;
mod imported;
mod invoices;
mod leaving;
mod likeness;
mod moves;
mod once;
mod otherwise;
mod past;
mod planner;
mod properties;
mod rates;
mod rules;
mod rules_of_leaving;
mod scale;
mod tables;
mod takeover;
mod term;
mod unheard;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::{
    plan::{Change, Plan, Refusal, SetTerms},
    terms::metronome::Contract,
    validate,
};
use api::Api;

fn now() -> DateTime<Utc> {
    "2026-06-01T10:30:00Z".parse().unwrap()
}

fn resolved() -> Resolved {
    Resolved {
        customer_id: "customer-1".into(),
        from_contract_id: None,
        package_id: None,
        key: UniquenessKey::derive("test", "billing", "acme"),
        stamp: None,
    }
}

fn desired_as(spec: &Value, resolved: Resolved) -> Desired {
    let contract: Contract =
        serde_json::from_value(spec.clone()).unwrap_or_else(|error| panic!("{error}: {spec}"));
    let valid = validate::metronome::contract(&contract)
        .unwrap_or_else(|found| panic!("{}", validate::summary(&found)));
    Desired::new(valid, resolved).unwrap()
}

fn desired(spec: &Value) -> Desired {
    desired_as(spec, resolved())
}

/// A resource, what its status remembers, and the API.
#[derive(Clone, Debug, Default)]
struct Bench {
    api: Api,
    recorded: Recorded,
    policy: Policy,
}

impl Bench {
    /// A contract that was created and settled.
    #[track_caller]
    fn created(spec: &Value) -> Self {
        let mut bench = Self::default();
        bench.settle(spec);
        bench
    }

    fn seen(&self, desired: &Desired) -> Option<ObservedContract> {
        if self.api.contract.is_null() {
            return None;
        }
        let mut observed = ObservedContract::read(&self.api.contract, now()).unwrap();
        observed.take_filter_of(desired);
        for id in observed.needs_seats(desired, &self.recorded, now()) {
            observed.merge_seats(&id, &self.api.seats_of(&id));
        }
        if observed.needs_v1(desired, &self.recorded) {
            let commits = self.api.contract["commits"].clone();
            observed.merge_v1(
                &json!({"package_id": self.api.contract["package_id"], "current": {"commits": commits}}),
            );
        }
        for kind in balances::needed(Some(desired), &self.recorded) {
            let told = balances::ObservedBalances::read(kind, &self.api.balances(kind)).unwrap();
            observed.merge_balances(kind, &told, desired.key());
        }
        observed.last_edit = Some(self.api.edits.len().to_string());
        Some(observed)
    }

    fn decide(&self, spec: &Value) -> Decision {
        self.decide_for(&desired(spec))
    }

    fn decide_for(&self, desired: &Desired) -> Decision {
        plan(desired, self.seen(desired).as_ref(), &self.recorded, &self.policy, now())
    }

    /// Carries a plan out.
    fn carry_out(&mut self, plan: &Plan) {
        plan.calls.iter().for_each(|call| self.api.call(call));
        self.recorded.contract_id = self.api.contract["id"].as_str().map(str::to_owned);
    }

    /// Plans and carries out until nothing is left to write; returns the plans.
    #[track_caller]
    fn settle(&mut self, spec: &Value) -> Vec<Plan> {
        self.settle_for(&desired(spec))
    }

    #[track_caller]
    fn settle_for(&mut self, desired: &Desired) -> Vec<Plan> {
        let mut plans = Vec::new();
        loop {
            match self.decide_for(desired) {
                Decision::Write(plan) => {
                    assert!(plans.len() < 3, "no end: {}", plan.summary());
                    self.carry_out(&plan);
                    plans.push(plan);
                }
                Decision::InSync => break,
                other => panic!("{other:?}"),
            }
        }
        self.remember(desired);
        plans
    }

    /// What a status keeps once spec and contract agree.
    fn remember(&mut self, desired: &Desired) {
        let observed = self.seen(desired).unwrap();
        let Record { items, set } = record(desired, &observed, &self.recorded, now());
        self.recorded = Recorded {
            contract_id: Some(observed.contract_id.clone()),
            applied_spec: Some(desired.digest.clone()),
            items: items.into_iter().collect(),
            set,
            ..Recorded::default()
        };
    }

    /// The recorded of a cluster that was rebuilt.
    fn forget(&mut self) {
        self.recorded = Recorded::default();
    }
}

/// The one plan that the decision is to carry out.
#[track_caller]
fn written(decision: Decision) -> Plan {
    match decision {
        Decision::Write(plan) => plan,
        other => panic!("{other:?}"),
    }
}

/// The body of the plan's only call, which is an edit, without what every edit has.
#[track_caller]
fn edit_of(plan: &Plan) -> Value {
    assert_eq!(paths(plan), [EDIT_CONTRACT], "{}", plan.summary());
    let mut body = body(&plan.calls[0]);
    for name in ["contract_id", "customer_id", "uniqueness_key"] {
        assert!(body.as_object_mut().unwrap().remove(name).is_some(), "{name}");
    }
    body
}

#[track_caller]
fn refused(decision: Decision) -> Refusal {
    match decision {
        Decision::Refuse(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn reported(decision: Decision) -> Vec<String> {
    match decision {
        Decision::Report(changes) => changes.iter().map(Change::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

/// The body of a call, with its exact numbers as text.
fn body(call: &crate::plan::Call) -> Value {
    crate::terms::json::parse_exact(&call.body).unwrap()
}

fn paths(plan: &Plan) -> Vec<&str> {
    plan.calls.iter().map(|call| call.path.as_str()).collect()
}

/// Sets what a JSON pointer points to; null takes it away.
fn set(terms: &mut Value, pointer: &str, value: Value) {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match terms.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}")) {
        Value::Object(parent) if value.is_null() => drop(parent.remove(member)),
        Value::Object(parent) => drop(parent.insert(member.to_owned(), value)),
        Value::Array(items) if member == "-" => items.push(value),
        Value::Array(items) if value.is_null() => drop(items.remove(member.parse().unwrap())),
        parent => parent[member.parse::<usize>().unwrap()] = value,
    }
}

fn with(spec: &Value, pointer: &str, value: Value) -> Value {
    let mut spec = spec.clone();
    set(&mut spec, pointer, value);
    spec
}

fn map<const N: usize>(entries: [(&str, &str); N]) -> BTreeMap<String, String> {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
