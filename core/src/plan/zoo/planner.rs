//! Zoo's half of the protocol: one read, one replace, and a reply that is the contract as it is now.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Desired, ObservedContract, committed_value, end, fingerprint, leaving, path, plan, unseen};
use crate::{
    api::{BillingContractSpec, ContractPackage, contract::Term, reasons},
    plan::{
        Call, ContractSnapshot, Decision, Ending, Holders, Observation, Planner, Policy, Reading, Recorded,
        Refusal, SetTerms, Unreadable,
        package::ArchivedPackage,
        snapshot::day,
        three_way::{as_set, with_digest},
    },
    terms::{Digest, Timestamp, json::parse_exact, zoo::SHAPE},
    validate,
};

/// What can be read from Zoo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The contract that an organization shows: the active one, or else the latest draft.
    Contract {
        /// ID of the organization.
        organization_id: String,
    },
}

impl Need {
    /// Path of the read below the base URL.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Contract { organization_id } => path(organization_id),
        }
    }
}

/// Plans one Zoo contract.
#[derive(Debug)]
pub struct ContractPlanner {
    organization_id: String,
    /// What the contract should be, or why the spec cannot be planned.
    desired: Result<Desired, Refusal>,
    package: Option<ArchivedPackage>,
    /// What is shown, once it was read.
    shown: Reading<ObservedContract>,
    holders: Holders,
}

impl ContractPlanner {
    /// A planner for the terms of a spec and its package.
    ///
    /// # Errors
    /// A refusal when the spec has no Zoo terms. Terms that are wrong are a refusal of the plan, so that what the resource
    /// holds can still be ended.
    pub fn new(spec: &BillingContractSpec, package: Option<&ContractPackage>) -> Result<Self, Refusal> {
        let invalid = |message| Refusal { reason: reasons::INVALID_SPEC, message };
        let terms = spec.zoo.as_ref().ok_or_else(|| {
            invalid(
                "the provider is a Zoo account, so the terms must be in `spec.zoo`; or name a provider of the other API"
                    .to_owned(),
            )
        })?;
        let given = package.and_then(|package| package.spec.zoo.as_ref());
        let desired = validate::zoo::contract(terms, given)
            .map_err(|violations| invalid(validate::summary(&violations)))
            .and_then(|valid| Desired::new(valid).map_err(|error| invalid(error.to_string())));
        Ok(Self {
            organization_id: terms.organization_id.clone(),
            desired,
            package: package.and_then(ArchivedPackage::of),
            shown: Reading::Unread,
            holders: Holders::default(),
        })
    }

    /// What a read would tell of the contract with this id, had the spec been carried out; nothing where the API does not
    /// show contracts in its state.
    ///
    /// # Errors
    /// Why the spec cannot be planned.
    pub fn meant(&self, contract_id: &str) -> Result<Option<Value>, Refusal> {
        let desired = self.desired.as_ref().map_err(Clone::clone)?;
        if !desired.contract.status.is_visible() {
            return Ok(None);
        }
        let invalid =
            |error: serde_json::Error| Refusal { reason: reasons::INVALID_SPEC, message: error.to_string() };
        let text = serde_json::to_string(&SHAPE.wire(&desired.written)).map_err(invalid)?;
        let mut reply = parse_exact(&text).map_err(invalid)?;
        if let Some(members) = reply.as_object_mut() {
            members.insert("contract_id".to_owned(), contract_id.into());
            members.insert("account_id".to_owned(), self.organization_id.as_str().into());
        }
        Ok(Some(reply))
    }

    fn shown(&self) -> Result<Option<&ObservedContract>, Need> {
        match &self.shown {
            Reading::Unread => Err(Need::Contract { organization_id: self.organization_id.clone() }),
            shown => Ok(shown.present()),
        }
    }

    /// Takes what is shown for the contract on record where it is as that last was, under another ID: a write was carried out once
    /// more on its way, and nobody had a say in it. Where another resource means the same contract, that one may have made it.
    fn find_again(&self, observed: &ObservedContract, recorded: &mut Recorded) {
        let is_renumbered = recorded.contract_id.as_ref().is_some_and(|id| *id != observed.contract_id)
            && recorded.agreed_on.as_ref() == Some(&Digest::of(&observed.terms));
        if is_renumbered && !self.holders.share(&self.organization_id) {
            recorded.contract_id = Some(observed.contract_id.clone());
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

    fn plan(&mut self, recorded: &Recorded, policy: &Policy, now: DateTime<Utc>) -> Result<Decision, Need> {
        let desired = match &self.desired {
            Ok(desired) => desired,
            Err(refusal) => return Ok(Decision::Refuse(refusal.clone())),
        };
        let shown = self.shown()?;
        let decision = plan(desired, shown, recorded, policy, now);
        let is_new = shown.is_none() && recorded.contract_id.is_none();
        Ok(match self.package.as_ref().filter(|_| is_new) {
            Some(package) => package.allow(decision),
            None => decision,
        })
    }

    fn end(
        &mut self,
        ending: &Ending,
        recorded: &Recorded,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Decision, Need> {
        let (desired, shown) = (self.desired.as_ref().ok(), self.shown()?);
        let mut recorded = recorded.clone();
        if let Some(observed) = shown {
            self.find_again(observed, &mut recorded);
        }
        Ok(end::plan(&self.organization_id, desired, shown, &recorded, policy, ending.policy, now))
    }

    fn learn(&mut self, _: &Need, told: Option<Value>, _: DateTime<Utc>) -> Result<(), Unreadable> {
        self.shown = told.as_ref().map(ObservedContract::read).transpose()?.into();
        Ok(())
    }

    fn wrote(
        &mut self,
        _: &Call,
        reply: &Value,
        recorded: &mut Recorded,
        _: DateTime<Utc>,
    ) -> Result<(), Unreadable> {
        let observed = ObservedContract::read(reply)?;
        recorded.contract_id = Some(observed.contract_id.clone());
        self.shown = Reading::Present(observed);
        Ok(())
    }

    fn forget(&mut self) {
        self.shown = Reading::Unread;
    }

    fn remember(&self, recorded: &mut Recorded, _: DateTime<Utc>) {
        if let Some(observed) = self.shown.present() {
            if let Ok(desired) = &self.desired {
                recorded.set = leaving::record(&desired.canonical, observed, recorded);
            }
            recorded.contract_id = Some(observed.contract_id.clone());
        }
    }

    fn snapshot(&self, recorded: &Recorded, _: DateTime<Utc>) -> Option<ContractSnapshot> {
        let observed = self.shown.present()?;
        let is_held = recorded.contract_id.as_ref() == Some(&observed.contract_id);
        let says_the_same =
            || self.desired.as_ref().is_ok_and(|desired| desired.changes(&observed.terms, &[]).is_empty());
        let set = || match &self.desired {
            Ok(desired) => leaving::record(&desired.canonical, observed, recorded),
            Err(_) => recorded.set.clone(),
        };
        (is_held || says_the_same())
            .then(|| ContractSnapshot { set_fields: set().to_status(), ..snapshot(observed) })
    }

    fn sets(&self) -> Vec<String> {
        let Ok(desired) = &self.desired else { return Vec::new() };
        leaving::to_set(&desired.canonical, self.shown.present())
    }

    fn overtaken(&self, recorded: &Recorded) -> Option<(Digest, Vec<String>)> {
        let (observed, desired) = (self.shown.present()?, self.desired.as_ref().ok()?);
        let leaves = |field: &&String| desired.canonical.get(field.as_str()).is_none();
        let set = recorded.set.get("").into_iter().flatten().filter(leaves);
        let says = |field: &String| Some(with_digest(field, observed.terms.get(field)?));
        let fields: Vec<_> = set.filter_map(says).collect();
        (!fields.is_empty()).then(|| (fingerprint(&observed.terms), fields))
    }

    fn recall(&self, recorded: &mut Recorded) {
        let Some(observed) = self.shown.present() else { return };
        self.find_again(observed, recorded);
        let is_held = |recorded: &Recorded| recorded.contract_id.as_ref() == Some(&observed.contract_id);
        if !is_held(recorded) && recorded.may_have_sent(&fingerprint(&observed.terms)) {
            // A write without a reply has made it: so it is told, whatever comes of the plan.
            recorded.set = SetTerms::default();
            recorded.contract_id = Some(observed.contract_id.clone());
        }
        if is_held(recorded) {
            let sets = || recorded.lost.iter().flat_map(|write| &write.sets);
            let set = as_set(sets(), &observed.terms);
            recorded.set.add("", set);
            if let Ok(desired) = &self.desired {
                leaving::recall(&desired.canonical, observed, sets(), &mut recorded.set);
            }
        }
    }

    fn know(&mut self, holders: Holders) {
        self.holders = holders;
    }

    fn shows(&self, sent: &Digest) -> bool {
        self.shown.present().is_some_and(|observed| fingerprint(&observed.terms) == *sent)
    }

    fn customer_id(&self) -> Option<&str> {
        Some(&self.organization_id)
    }

    fn digest(&self) -> Option<&Digest> {
        self.desired.as_ref().ok().map(|desired| &desired.digest)
    }
}

fn snapshot(observed: &ObservedContract) -> ContractSnapshot {
    let date = |name: &str| {
        let time: Timestamp = observed.terms.get(name)?.as_str()?.parse().ok()?;
        Some(day(time))
    };
    ContractSnapshot {
        contract_id: observed.contract_id.clone(),
        account_id: Some(observed.account_id.clone()),
        items: Vec::new(),
        set_fields: Vec::new(),
        renews: None,
        renewed_by: None,
        state: observed.state.clone(),
        is_shown: !unseen::is_never_shown(&observed.state),
        term: date("effectiveAt").map(|start_date| Term { start_date, end_date: date("termEndAt") }),
        committed_value: committed_value(&observed.terms),
        digest: Digest::of(&observed.terms),
    }
}
