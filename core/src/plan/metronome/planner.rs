//! Metronome's half of the protocol for contracts: which facts a plan needs, and in which order.

mod edits;
mod facts;
mod naming;
mod search;

use chrono::{DateTime, Utc};
use kube::ResourceExt;
use serde_json::Value;

use self::{
    edits::lost_edit,
    facts::Facts,
    naming::{named, touched},
};
use super::{
    CustomerId, Desired, Need, ObservedContract, Record, Resolved, STAMP_KEYS, Shown, Stamp, UniquenessKey,
    end, follow, gate, history, invoices, leaving, package, plan, record,
    reply::FREE,
    stamp,
    unclaimed::{Origin, in_the_way},
    unheard,
};
use crate::{
    api::{
        BillingContract, ContractPackage, REVISION,
        contract::{ItemId, Term},
        reasons,
    },
    plan::{
        Call, CallKind, ContractSnapshot, Decision, Ending, Holders, Observation, Plan, Planner, Policy,
        Recorded, Refusal, Unreadable, package::ArchivedPackage, snapshot::day, three_way::as_set, told,
    },
    terms::{Digest, metronome::Contract, shape::ids_in_usual_letters},
    validate::{self, Validated},
};

/// What an account says about contracts, besides its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSettings {
    /// Start of the uniqueness keys that are derived from names.
    pub key_prefix: String,
    /// Name of the cluster that contracts are stamped with, if they are.
    pub stamp_cluster: Option<String>,
}

/// Plans one Metronome contract.
#[derive(Debug)]
pub struct ContractPlanner {
    /// The terms of the spec, or why they cannot be planned.
    terms: Result<Validated<Contract>, Refusal>,
    /// The customer as the spec names it.
    customer_id: Option<CustomerId>,
    customer_alias: Option<String>,
    /// ID of the contract that this one renews, where the spec names it by its resource.
    from_contract_id: Option<String>,
    package_id: Option<String>,
    package: Option<ArchivedPackage>,
    /// Whether the package that the contract is made from is a resource, whose terms are known.
    knows_package: bool,
    /// How the package that the contract is made from is billed, where that is known.
    billing: Option<package::Billing>,
    key: UniquenessKey,
    stamp: Option<Stamp>,
    origin: Origin,
    holders: Holders,
    facts: Facts,
    /// What the contract should be, once what it refers to is known.
    desired: Option<Desired>,
    /// What was found, complete as far as this spec is concerned with it.
    observed: Option<Observed>,
    /// What is to be recorded of the contract that is being edited, where nothing was on record before.
    told: Record,
    /// What the plan that is about to be carried out sets of single items.
    unheard: Vec<String>,
}

#[derive(Debug)]
enum Observed {
    Nothing,
    Contract(Box<ObservedContract>),
    Blocked(Refusal),
    Waiting(Refusal),
    /// A create without a reply has made it for another customer than the spec's.
    Elsewhere {
        contract_id: String,
        customer_id: CustomerId,
        refusal: Refusal,
    },
}

impl ContractPlanner {
    /// A planner for a contract, with the package that it is made from and the contract that it renews.
    ///
    /// # Errors
    /// A refusal when the spec has no Metronome terms. Terms that are wrong are a refusal of the plan, so that what the
    /// resource holds can still be ended.
    pub fn new(
        contract: &BillingContract,
        package: Option<&ContractPackage>,
        from_contract_id: Option<String>,
        account: &AccountSettings,
    ) -> Result<Self, Refusal> {
        let invalid = |message| Refusal { reason: reasons::INVALID_SPEC, message };
        let terms = contract.spec.metronome.as_deref().ok_or_else(|| {
            invalid("the provider is a Metronome account, so the terms must be in `spec.metronome`; or name a provider of the other API".to_owned())
        })?;
        let valid = validate::metronome_contract(&contract.spec, terms)
            .map(|valid| valid.cloned())
            .map_err(|violations| invalid(validate::summary(&violations)));
        let (namespace, name) = (contract.namespace().unwrap_or_default(), contract.name_any());
        let key = match &terms.uniqueness_key {
            Some(key) => UniquenessKey::given(key.as_str()),
            None => UniquenessKey::derive(&account.key_prefix, &namespace, &name),
        };
        let created = contract.creation_timestamp();
        let origin = Origin {
            prefix: account.key_prefix.clone(),
            gives_key: terms.uniqueness_key.is_some(),
            created: created.and_then(|created| DateTime::from_timestamp(created.0.as_second(), 0)),
            terms: serde_json::to_value(terms).unwrap_or_default(),
        };
        let stamp = account.stamp_cluster.as_ref().map(|cluster| {
            let [cluster_key, namespace_key, name_key, revision_key] = STAMP_KEYS.map(str::to_owned);
            let owner =
                [(cluster_key, cluster.clone()), (namespace_key, namespace), (name_key, stamp::value(name))];
            let revision = contract.annotations().get(REVISION).cloned();
            let notes = revision.map(|revision| (revision_key, stamp::value(revision))).into_iter().collect();
            Stamp { fields: owner.into_iter().collect(), notes }
        });
        let package_terms = package.and_then(|package| package.spec.metronome.as_ref());
        Ok(Self {
            terms: valid,
            customer_id: terms.customer_id.as_ref().map(|id| id.as_str().into()),
            customer_alias: terms.customer_alias.as_ref().map(ToString::to_string),
            from_contract_id,
            package_id: package.and_then(|package| package.status.as_ref()?.package_id.clone()),
            package: package.and_then(ArchivedPackage::of),
            knows_package: package_terms.is_some(),
            billing: package_terms.and_then(|terms| package::Billing::of(&serde_json::to_value(terms).ok()?)),
            key,
            stamp,
            origin,
            holders: Holders::default(),
            facts: Facts::default(),
            desired: None,
            observed: None,
            told: Record::default(),
            unheard: Vec::new(),
        })
    }

    /// What reads would tell of the contract with this id, had the spec been carried out. A customer goes by its alias.
    ///
    /// # Errors
    /// Why the spec cannot be planned.
    pub fn shown(mut self, contract_id: &str) -> Result<Shown, Refusal> {
        let invalid = |message: String| Refusal { reason: reasons::INVALID_SPEC, message };
        if let Err(refusal) = &self.terms {
            return Err(refusal.clone());
        }
        self.facts.customer_id = self.customer_alias.as_deref().map(CustomerId::from);
        if let Ok(Err(refusal)) = self.resolve(&Recorded::default()) {
            return Err(refusal);
        }
        let desired = self.desired.ok_or_else(|| invalid("the customer is not known".to_owned()))?;
        desired.shown(contract_id).map_err(|error| invalid(error.to_string()))
    }

    /// The customer. Where a create may follow, an alias is asked for anew: it may have moved to another customer.
    fn resolved_customer(&self, recorded: &Recorded) -> Result<Result<CustomerId, Refusal>, Need> {
        if let Some(id) = self.customer_id.as_ref().or(self.facts.customer_id.as_ref()) {
            return Ok(Ok(id.clone()));
        }
        match &self.customer_alias {
            Some(alias) => {
                let is_fresh = recorded.contract_id.is_none();
                Err(Need::CustomerByAlias { alias: alias.clone(), is_fresh })
            }
            None => Ok(Err(Refusal {
                reason: reasons::INVALID_SPEC,
                message: "`spec.metronome.customerId` must be set".to_owned(),
            })),
        }
    }

    /// What the contract should be, once what it refers to is known.
    fn resolve(&mut self, recorded: &Recorded) -> Result<Result<(), Refusal>, Need> {
        if self.desired.is_some() {
            return Ok(Ok(()));
        }
        let terms = match &self.terms {
            Ok(terms) => terms,
            Err(refusal) => return Ok(Err(refusal.clone())),
        };
        let customer_id = match self.resolved_customer(recorded)? {
            Ok(customer_id) => customer_id,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let resolved = Resolved {
            customer_id,
            from_contract_id: self.from_contract_id.clone(),
            package_id: self.package_id.clone(),
            key: self.key.clone(),
            stamp: self.stamp.clone(),
        };
        match Desired::new(terms.as_ref(), resolved) {
            Ok(desired) => self.desired = Some(desired),
            Err(error) => {
                let message = error.to_string();
                return Ok(Err(Refusal { reason: reasons::INVALID_SPEC, message }));
            }
        }
        Ok(Ok(()))
    }

    /// What a plan needs besides a mere comparison, before its calls can be carried out as they are.
    fn ready(&mut self, mut plan: Plan) -> Result<Decision, Need> {
        if plan.calls.iter().any(|call| call.kind == CallKind::Create)
            && let Some(refusal) = self.without_billing()?
        {
            return Ok(Decision::Refuse(refusal));
        }
        if self.stamp.is_some() {
            let Some(listed) = &self.facts.custom_field_keys else { return Err(Need::CustomFieldKeys) };
            match stamp::missing(listed) {
                Ok(calls) => plan.calls.splice(0..0, calls).for_each(drop),
                Err(refusal) => return Ok(Decision::Refuse(refusal)),
            }
        }
        Ok(Decision::Write(plan))
    }

    /// Why the contract cannot be made from its package: the customer is not billed as the package says.
    fn without_billing(&self) -> Result<Option<Refusal>, Need> {
        let Some(desired) = &self.desired else { return Ok(None) };
        let of_package = |id: &str| match self.facts.packages.get(id) {
            Some(Some(data)) => {
                Ok(package::ObservedPackage::read(data).ok().and_then(|observed| observed.billing()))
            }
            Some(None) => Ok(None),
            None => Err(Need::Package { package_id: id.to_owned() }),
        };
        let billing = match (&self.billing, desired.package_id()) {
            (Some(billing), _) => Some(billing.clone()),
            (None, Some(id)) if !self.knows_package => of_package(id)?,
            (None, _) => None,
        };
        let Some(billing) = billing else { return Ok(None) };
        let customer_id = desired.customer_id();
        let Some(configurations) = &self.facts.billing_configurations else {
            return Err(Need::BillingConfigurations { customer_id: customer_id.clone() });
        };
        Ok(billing.obstacle(customer_id.as_str(), configurations))
    }

    /// Decides by what is known now.
    fn decide(&self, recorded: &Recorded, policy: &Policy, now: DateTime<Utc>) -> Decision {
        let Some(desired) = &self.desired else { return Decision::InSync };
        plan(desired, self.found(), recorded, policy, now)
    }

    fn found(&self) -> Option<&ObservedContract> {
        if let Some(Observed::Contract(observed)) = &self.observed { Some(observed) } else { None }
    }
}

impl Planner for ContractPlanner {
    type Need = Need;
    type Snapshot = ContractSnapshot;

    fn invalid(&self) -> Option<&Refusal> {
        self.terms.as_ref().err()
    }

    fn observe(
        &mut self,
        recorded: &Recorded,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Observation, Need> {
        if self.observed.is_none() {
            if let Err(refusal) = self.resolve(recorded)? {
                return Ok(Observation::Blocked(refusal));
            }
            let Some(desired) = &self.desired else { return Ok(Observation::Nothing) };
            let observed = match self.find(desired, recorded, policy, now)? {
                Observed::Contract(observed) => {
                    Observed::Contract(self.complete(desired, observed, recorded, now)?)
                }
                observed => observed,
            };
            self.observed = Some(observed);
        }
        Ok(match &self.observed {
            Some(Observed::Contract(_)) => Observation::Found,
            Some(Observed::Blocked(refusal) | Observed::Elsewhere { refusal, .. }) => {
                Observation::Blocked(refusal.clone())
            }
            Some(Observed::Waiting(refusal)) => Observation::Waiting(refusal.clone()),
            Some(Observed::Nothing) | None => Observation::Nothing,
        })
    }

    fn plan(&mut self, recorded: &Recorded, policy: &Policy, now: DateTime<Utc>) -> Result<Decision, Need> {
        // What an edit without a reply has added is ours, even where the spec no longer says so.
        if lost_edit(recorded).is_some() || self.is_long_unrecorded(recorded) {
            self.read_edits(recorded, now)?;
        }
        let mut decision = self.decide(recorded, policy, now);
        let depends = Self::depends_on_edits(&decision) || self.has_unexplained(recorded, now);
        if depends && self.read_edits(recorded, now)? {
            decision = self.decide(recorded, policy, now);
        }
        if let Some(refusal) = self.behind(&decision) {
            return Ok(Decision::Wait(refusal));
        }
        let decision = self.naming_invoices(decision, recorded, policy, now)?;
        let would_create = matches!(decision, Decision::Write(_) | Decision::AwaitApproval(_));
        if let (true, None, Some(desired)) = (would_create, self.found(), &self.desired) {
            let (origin, holders) = (&self.origin, &self.holders);
            let listed = self.listed(desired.customer_id())?;
            let meant = (desired, self.customer_alias.as_deref());
            if let Some(stop) = in_the_way(origin, holders, meant, listed, recorded, policy, now) {
                return Ok(stop);
            }
        }
        let is_new = self.found().is_none() && recorded.contract_id.is_none();
        let decision = match self.package.as_ref().filter(|_| is_new) {
            Some(package) => package.allow(decision),
            None => decision,
        };
        match decision {
            Decision::Write(plan) => {
                let ready = self.ready(plan)?;
                if let Some(desired) = &self.desired {
                    self.unheard = unheard::to_set(desired, self.found(), recorded, now);
                }
                // What was told by likeness is known by its id from now on, whatever the write makes of it.
                self.told = match (&ready, &self.desired, self.found()) {
                    (Decision::Write(_), Some(desired), Some(observed)) => {
                        record(desired, observed, recorded, now)
                    }
                    _ => Record::default(),
                };
                Ok(ready)
            }
            decision => Ok(decision),
        }
    }

    fn end(
        &mut self,
        ending: &Ending,
        recorded: &Recorded,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Decision, Need> {
        Ok(match self.find_to_end(recorded, policy)? {
            Ok(Some(mut observed)) => {
                let desired = self.desired.as_ref().filter(|_| recorded.contract_id.is_none());
                if let Some(decision) =
                    desired.and_then(|desired| end::unproven(desired, &observed, recorded, policy, now))
                {
                    return Ok(decision);
                }
                self.add_balances(self.desired.as_ref(), &mut observed, recorded)?;
                let decision = end::plan(&observed, recorded, policy, ending, now);
                let touched = touched(&decision, &observed, recorded, now);
                match self.invoices_of(&observed, &touched)? {
                    Some(invoices) => named(decision, invoices::invoiced(&touched, invoices)),
                    None => decision,
                }
            }
            Ok(None) => Decision::InSync,
            Err(decision) => decision,
        })
    }

    fn learn(&mut self, need: &Need, mut told: Option<Value>, now: DateTime<Utc>) -> Result<(), Unreadable> {
        told.as_ref().map_or(Ok(()), |reply| told::are_ids(reply, &FREE)).map_err(Unreadable)?;
        told.iter_mut().for_each(ids_in_usual_letters);
        self.facts.learn(need, told, &self.key, now)
    }

    fn spare(&mut self, need: &Need, why: &str) -> bool {
        self.facts.spare(need, why)
    }

    fn wrote(
        &mut self,
        call: &Call,
        reply: &Value,
        recorded: &mut Recorded,
        _: DateTime<Utc>,
    ) -> Result<(), Unreadable> {
        told::are_ids(reply, &FREE).map_err(Unreadable)?;
        let mut reply = reply.clone();
        ids_in_usual_letters(&mut reply);
        if call.kind == CallKind::Create {
            let id = told::id(&reply, "id").map_err(Unreadable)?;
            recorded.contract_id = Some(id.to_owned());
        }
        if call.kind == CallKind::Edit {
            recorded.items.extend(history::added(call, &reply));
            recorded.items.extend(gate::sent(call));
        }
        if call.kind == CallKind::Add {
            let id = told::id(&reply, "id").map_err(Unreadable)?;
            recorded.items.extend(call.adds.iter().map(|added| (added.recorded_as.clone(), id.to_owned())));
        }
        Ok(())
    }

    fn follow_ups(&self, plan: &Plan, recorded: &Recorded, _: &Policy, now: DateTime<Utc>) -> Vec<Call> {
        let creates = plan.calls.iter().any(|call| call.kind == CallKind::Create);
        let Some(desired) = self.desired.as_ref().filter(|_| creates) else { return Vec::new() };
        follow::writes(desired, recorded, now)
    }

    fn sending(&mut self, call: &Call, recorded: &mut Recorded) -> bool {
        if !matches!(call.kind, CallKind::Edit | CallKind::Add) {
            return false;
        }
        let told = std::mem::take(&mut self.told);
        let is_news = recorded.items.is_empty() && !told.items.is_empty();
        if is_news {
            (recorded.items, recorded.set) = (told.items.into_iter().collect(), told.set);
        }
        is_news
    }

    fn know(&mut self, holders: Holders) {
        self.holders = holders;
    }

    fn forget(&mut self) {
        self.facts.forget();
        self.observed = None;
    }

    fn remember(&self, recorded: &mut Recorded, now: DateTime<Utc>) {
        if let (Some(desired), Some(observed)) = (&self.desired, self.found()) {
            let Record { items, set } = record(desired, observed, recorded, now);
            recorded.items = items.into_iter().collect();
            recorded.set = set;
            recorded.contract_id = Some(observed.contract_id.clone());
            // What is no item of the spec is not in the record, and still known to be a write's that nobody heard of.
            self.recall(recorded);
        }
    }

    fn snapshot(&self, recorded: &Recorded, now: DateTime<Utc>) -> Option<ContractSnapshot> {
        let (desired, observed) = (self.desired.as_ref()?, self.found()?);
        let Record { items, set } = record(desired, observed, recorded, now);
        Some(ContractSnapshot {
            contract_id: observed.contract_id.clone(),
            account_id: None,
            items: items.into_iter().map(|(key, id)| ItemId { key, id }).collect(),
            set_fields: set.to_status(),
            renews: observed.renews.clone(),
            renewed_by: observed.renewed_by.clone(),
            state: observed.state.clone(),
            is_shown: true,
            term: Some(Term {
                start_date: day(observed.starting_at),
                end_date: observed.ending_before.map(day),
            }),
            committed_value: observed.committed_value(),
            digest: Digest::of(&observed.terms),
        })
    }

    fn last_edit(&self) -> Option<String> {
        self.found()?.last_edit.clone()
    }

    fn sets(&self) -> Vec<String> {
        let Some(desired) = &self.desired else { return Vec::new() };
        // What nothing else tells of comes first: how much of one write is remembered has a limit.
        let mut sets = leaving::to_add(desired, self.found());
        sets.extend(leaving::to_set(desired, self.found()));
        sets.extend(self.unheard.iter().cloned());
        sets
    }

    fn recall(&self, recorded: &mut Recorded) {
        if let Some(Observed::Elsewhere { contract_id, customer_id, .. }) = &self.observed {
            recorded.contract_id = Some(contract_id.clone());
            recorded.customer_id = Some(customer_id.into());
        }
        let Some(observed) = self.found() else { return };
        if observed.is_of(recorded) {
            let set = as_set(sets(recorded), &observed.terms);
            recorded.set.add("", set);
            unheard::recall(observed, recorded);
            let added: Vec<_> = leaving::added(sets(recorded), observed).collect();
            for path in added {
                recorded.set.add(&path, [path.clone()].into());
            }
        }
    }

    fn shows(&self, fingerprint: &Digest) -> bool {
        self.found()
            .and(self.desired.as_ref())
            .is_some_and(|desired| desired.create_fingerprint() == *fingerprint)
    }

    fn customer_id(&self) -> Option<&str> {
        match &self.observed {
            Some(Observed::Elsewhere { customer_id, .. }) => Some(customer_id.as_str()),
            _ => self.desired.as_ref().map(|desired| desired.customer_id().as_str()),
        }
    }

    fn digest(&self) -> Option<&Digest> {
        self.desired.as_ref().map(|desired| &desired.digest)
    }
}

/// What writes without a reply were to set and to add.
fn sets(recorded: &Recorded) -> impl Iterator<Item = &String> {
    recorded.lost.iter().flat_map(|write| &write.sets)
}
