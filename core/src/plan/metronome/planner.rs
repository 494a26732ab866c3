//! Metronome's half of the protocol for contracts: which facts a plan needs, and in which order.

mod naming;
mod search;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kube::ResourceExt;
use serde_json::{Value, json};

use self::naming::{named, touched};
use super::{
    Balances, ContractRef, Desired, Need, ObservedContract, Record, Resolved, STAMP_KEYS, Shown, Stamp,
    UniquenessKey,
    balances::ObservedBalances,
    create, end, follow, gate,
    history::{self, Edits},
    invoices::{self, Invoices},
    members::CLEARABLE,
    package, plan, record, stamp,
    unclaimed::{Origin, in_the_way},
    unexplained,
};
use crate::{
    api::{
        BillingContract, ContractPackage, REVISION,
        contract::{ItemId, Term, UnconfirmedWrite},
        reasons,
    },
    plan::{
        Call, CallKind, ContractSnapshot, Decision, Ending, Holders, Observation, Plan, Planner, Policy,
        Recorded, Refusal, SETTLING, Unreadable,
        package::ArchivedPackage,
        snapshot::day,
        three_way::{as_set, to_set},
    },
    terms::{
        Digest,
        metronome::{CONTRACT, Contract},
    },
    validate::{self, Validated},
};

/// The verb of an edit that adds a part to a schedule of an item.
const ADD_PARTS: &str = "\"add_schedule_items\"";

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
    customer_id: Option<String>,
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
}

/// What was read.
#[derive(Debug, Default)]
struct Facts {
    customer_id: Option<String>,
    contracts: BTreeMap<String, Option<ObservedContract>>,
    legacy: BTreeMap<String, Option<Value>>,
    seats: BTreeMap<String, Value>,
    balances: BTreeMap<Balances, ObservedBalances>,
    listed: Option<Vec<ObservedContract>>,
    edits: BTreeMap<String, Edits>,
    billing_configurations: Option<Value>,
    packages: BTreeMap<String, Option<Value>>,
    custom_field_keys: Option<Value>,
    invoices: BTreeMap<String, Invoices>,
}

#[derive(Debug)]
enum Observed {
    Nothing,
    Contract(Box<ObservedContract>),
    Blocked(Refusal),
    Waiting(Refusal),
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
        };
        let stamp = account.stamp_cluster.as_ref().map(|cluster| {
            let [cluster_key, namespace_key, name_key, revision_key] = STAMP_KEYS.map(str::to_owned);
            let owner = [(cluster_key, cluster.clone()), (namespace_key, namespace), (name_key, name)];
            let revision = contract.annotations().get(REVISION);
            let notes = revision.map(|revision| (revision_key, revision.clone())).into_iter().collect();
            Stamp { fields: owner.into_iter().collect(), notes }
        });
        let sheet = package.and_then(|package| package.spec.metronome.as_ref());
        Ok(Self {
            terms: valid,
            customer_id: terms.customer_id.as_ref().map(ToString::to_string),
            customer_alias: terms.customer_alias.as_ref().map(ToString::to_string),
            from_contract_id,
            package_id: package.and_then(|package| package.status.as_ref()?.package_id.clone()),
            package: package.and_then(ArchivedPackage::of),
            knows_package: sheet.is_some(),
            billing: sheet.and_then(|sheet| package::Billing::of(&serde_json::to_value(sheet).ok()?)),
            key,
            stamp,
            origin,
            holders: Holders::default(),
            facts: Facts::default(),
            desired: None,
            observed: None,
            told: Record::default(),
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
        self.facts.customer_id.clone_from(&self.customer_alias);
        if let Ok(Err(refusal)) = self.resolve(&Recorded::default()) {
            return Err(refusal);
        }
        let desired = self.desired.ok_or_else(|| invalid("the customer is not known".to_owned()))?;
        desired.shown(contract_id).map_err(|error| invalid(error.to_string()))
    }

    /// The customer. Where a create may follow, an alias is asked for anew: it may have moved to another customer.
    fn resolved_customer(&self, recorded: &Recorded) -> Result<Result<String, Refusal>, Need> {
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
            Some(Some(data)) => Ok(package::ObservedPackage::read(data).ok().and_then(|view| view.billing())),
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
            return Err(Need::BillingConfigurations { customer_id: customer_id.into() });
        };
        Ok(billing.obstacle(customer_id, configurations))
    }

    /// Reads the history of edits of what was found: the last one, which the key of the next follows from, and what the
    /// resource's own have added. Whether that was news.
    ///
    /// What was read may be older than an edit that was sent and whose reply was lost: whatever follows that one now must
    /// not be taken as well. So a plan after such a write follows the same edit as that write.
    fn read_edits(&mut self, recorded: &Recorded, now: DateTime<Utc>) -> Result<bool, Need> {
        let (Some(desired), Some(Observed::Contract(view))) = (&self.desired, &mut self.observed) else {
            return Ok(false);
        };
        if view.last_edit.is_some() {
            return Ok(false);
        }
        let Some(edits) = self.facts.edits.get(&view.contract_id) else {
            return Err(Need::Edits(ContractRef::new(desired.customer_id(), &view.contract_id)));
        };
        let follows = lost_edit(recorded).map_or_else(|| after(edits, recorded, now), str::to_owned);
        view.last_edit = Some(follows);
        view.ours = Some(edits.ours());
        view.missing = edits.missing(view);
        Ok(true)
    }

    /// Whether a decision has to know the edits of the contract: it is to edit it, or cannot tell whose an item is.
    fn depends_on_edits(decision: &Decision) -> bool {
        match decision {
            Decision::Write(plan) | Decision::AwaitApproval(plan) | Decision::Deny(plan, _) => edits(plan),
            Decision::Refuse(refusal) => refusal.reason == reasons::AMBIGUOUS_ITEM,
            _ => false,
        }
    }

    /// Whether the contract has items that neither the spec nor the record explains, since it last agreed with the spec.
    /// One that an edit of this resource has added may be among them: its record was lost before it left the spec.
    fn has_unexplained(&self, recorded: &Recorded, now: DateTime<Utc>) -> bool {
        let (Some(desired), Some(view)) = (&self.desired, self.view()) else { return false };
        let is_known = recorded.agreed_on.as_ref() == Some(&Digest::of(&view.terms));
        !is_known && unexplained::has_any(desired, view, recorded, now)
    }

    /// Why a plan is not carried out yet: what was read of the contract may be behind an edit that the history has.
    fn behind(&self, decision: &Decision) -> Option<Refusal> {
        let (Decision::Write(plan), Some(view)) = (decision, self.view()) else { return None };
        let edits = self.facts.edits.get(&view.contract_id).filter(|_| edits(plan))?;
        let adds_parts = plan.calls.iter().any(|call| call.body.contains(ADD_PARTS));
        let why = edits.why_behind(view, adds_parts)?;
        Some(Refusal {
            reason: reasons::NOT_YET_IN_FORCE,
            message: format!(
                "Nothing was written yet: contract {} as it was read may be behind: {why}. It is read again",
                view.contract_id
            ),
        })
    }

    /// Decides by what is known now.
    fn decide(&self, recorded: &Recorded, policy: &Policy, now: DateTime<Utc>) -> Decision {
        let Some(desired) = &self.desired else { return Decision::Settle };
        plan(desired, self.view(), recorded, policy, now)
    }

    fn view(&self) -> Option<&ObservedContract> {
        if let Some(Observed::Contract(view)) = &self.observed { Some(view) } else { None }
    }
}

/// Whether a plan edits the contract.
fn edits(plan: &Plan) -> bool {
    plan.calls.iter().any(|call| call.kind == CallKind::Edit)
}

/// What the next edit follows: the last one of the history. Where an edit after that one was taken and the history does
/// not show it long afterwards, its key is used up all the same, and the next follows that one.
fn after(edits: &Edits, recorded: &Recorded, now: DateTime<Utc>) -> String {
    let last = edits.last.as_str();
    let taken = recorded.unconfirmed.as_ref().filter(|write| write.taken && edits.is_told);
    let followed = |write: &&UnconfirmedWrite| {
        let after = write.after_edit.as_deref();
        after.and_then(|after| after.split(' ').next()) == Some(last)
    };
    let is_old = |write: &&UnconfirmedWrite| now.signed_duration_since(write.time.0) >= SETTLING;
    match taken.filter(followed).filter(is_old) {
        Some(write) => format!("{last} {}", write.digest.as_str().chars().take(16).collect::<String>()),
        None => last.to_owned(),
    }
}

/// The edit before one that was sent and whose reply was lost.
fn lost_edit(recorded: &Recorded) -> Option<&str> {
    recorded.unconfirmed.as_ref().filter(|write| !write.taken)?.after_edit.as_deref()
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
            let observed = match self.find(desired, recorded, policy)? {
                Observed::Contract(view) => Observed::Contract(self.complete(desired, view, recorded, now)?),
                observed => observed,
            };
            self.observed = Some(observed);
        }
        Ok(match &self.observed {
            Some(Observed::Contract(_)) => Observation::Found,
            Some(Observed::Blocked(refusal)) => Observation::Blocked(refusal.clone()),
            Some(Observed::Waiting(refusal)) => Observation::Waiting(refusal.clone()),
            Some(Observed::Nothing) | None => Observation::Nothing,
        })
    }

    fn plan(&mut self, recorded: &Recorded, policy: &Policy, now: DateTime<Utc>) -> Result<Decision, Need> {
        // What an edit without a reply has added is ours, even where the spec no longer says so.
        if lost_edit(recorded).is_some() {
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
        if let (true, None, Some(desired)) = (would_create, self.view(), &self.desired) {
            let (origin, holders) = (&self.origin, &self.holders);
            let listed = self.listed(desired.customer_id())?;
            let meant = (desired, self.customer_alias.as_deref());
            if let Some(stop) = in_the_way(origin, holders, meant, listed, recorded, policy, now) {
                return Ok(stop);
            }
        }
        let is_new = self.view().is_none() && recorded.contract_id.is_none();
        let decision = match self.package.as_ref().filter(|_| is_new) {
            Some(package) => package.allow(decision),
            None => decision,
        };
        match decision {
            Decision::Write(plan) => {
                let ready = self.ready(plan)?;
                // What was told by likeness is known by its id from now on, whatever the write makes of it.
                self.told = match (&ready, &self.desired, self.view()) {
                    (Decision::Write(_), Some(desired), Some(view)) if recorded.items.is_empty() => {
                        record(desired, view, recorded, now)
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
            Ok(Some(mut view)) => {
                self.add_balances(self.desired.as_ref(), &mut view, recorded)?;
                let decision = end::plan(&view, recorded, policy, ending, now);
                let touched = touched(&decision, &view, recorded, now);
                match self.invoices_of(&view, &touched)? {
                    Some(invoices) => named(decision, invoices::invoiced(&touched, invoices)),
                    None => decision,
                }
            }
            Ok(None) => Decision::Settle,
            Err(decision) => decision,
        })
    }

    fn learn(&mut self, need: &Need, told: Option<Value>, now: DateTime<Utc>) -> Result<(), Unreadable> {
        let view = |data: &Value| {
            ObservedContract::read(data, now)
                .map_err(|why| Unreadable(format!("the reply is not a contract: {why}")))
        };
        let facts = &mut self.facts;
        match need {
            Need::CustomerByAlias { .. } => {
                let id = told.as_ref().and_then(Value::as_str).map(str::to_owned);
                facts.customer_id = Some(id.ok_or_else(|| Unreadable("no customer was told".to_owned()))?);
            }
            Need::Contract(contract) => {
                let read = told.as_ref().map(view).transpose()?;
                facts.contracts.insert(contract.contract_id.to_string(), read);
            }
            Need::LegacyContract(contract) => {
                facts.legacy.insert(contract.contract_id.to_string(), told);
            }
            Need::Contracts { .. } => {
                let listed = told.as_ref().and_then(Value::as_array).into_iter().flatten();
                facts.listed = Some(listed.map(view).collect::<Result<_, _>>()?);
            }
            Need::Edits(contract) => {
                let edits = Edits::read(told.as_ref(), &history::mark(&self.key));
                facts.edits.insert(contract.contract_id.to_string(), edits);
            }
            Need::Invoices(contract) => {
                let invoices = Invoices::read(told.as_ref(), contract.contract_id.as_str());
                facts.invoices.insert(contract.contract_id.to_string(), invoices);
            }
            Need::Seats { subscription_id, .. } => {
                facts.seats.insert(subscription_id.clone(), told.unwrap_or_default());
            }
            Need::Balances { kind, .. } => {
                let told = told.unwrap_or(json!([]));
                let read = ObservedBalances::read(*kind, &told)
                    .map_err(|why| Unreadable(format!("the reply is no list of balances: {why}")))?;
                facts.balances.insert(*kind, read);
            }
            Need::BillingConfigurations { .. } => facts.billing_configurations = told.or(Some(json!([]))),
            Need::CustomFieldKeys => facts.custom_field_keys = told.or(Some(json!([]))),
            Need::Package { package_id } => drop(facts.packages.insert(package_id.clone(), told)),
            // A contract asks for no such fact.
            Need::Packages | Need::ContractsOnPackage { .. } => {}
        }
        Ok(())
    }

    fn spare(&mut self, need: &Need, why: &str) -> bool {
        let Need::Invoices(contract) = need else { return false };
        let unknown = Invoices::Unknown(why.to_owned());
        self.facts.invoices.insert(contract.contract_id.to_string(), unknown);
        true
    }

    fn wrote(
        &mut self,
        call: &Call,
        reply: &Value,
        recorded: &mut Recorded,
        _: DateTime<Utc>,
    ) -> Result<(), Unreadable> {
        if call.kind == CallKind::Create {
            let id = reply.get("id").and_then(Value::as_str);
            let id = id.ok_or_else(|| Unreadable("the reply has no `id`".to_owned()))?;
            recorded.contract_id = Some(id.to_owned());
        }
        if call.kind == CallKind::Edit {
            recorded.items.extend(history::added(call, reply));
            recorded.items.extend(gate::sent(call));
        }
        if call.kind == CallKind::Add {
            let id = reply.get("id").and_then(Value::as_str);
            let id = id.ok_or_else(|| Unreadable("the reply has no `id`".to_owned()))?;
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
        let Facts { customer_id, billing_configurations, packages, custom_field_keys, .. } =
            std::mem::take(&mut self.facts);
        self.facts =
            Facts { customer_id, billing_configurations, packages, custom_field_keys, ..Facts::default() };
        self.observed = None;
    }

    fn remember(&self, recorded: &mut Recorded, now: DateTime<Utc>) {
        if let (Some(desired), Some(view)) = (&self.desired, self.view()) {
            let Record { items, set } = record(desired, view, recorded, now);
            recorded.items = items.into_iter().collect();
            recorded.set = set;
            recorded.contract_id = Some(view.contract_id.clone());
        }
    }

    fn snapshot(&self, recorded: &Recorded, now: DateTime<Utc>) -> Option<ContractSnapshot> {
        let (desired, view) = (self.desired.as_ref()?, self.view()?);
        let Record { items, set } = record(desired, view, recorded, now);
        Some(ContractSnapshot {
            contract_id: view.contract_id.clone(),
            account_id: None,
            items: items.into_iter().map(|(key, id)| ItemId { key, id }).collect(),
            set_fields: set.to_status(),
            renews: view.renews.clone(),
            renewed_by: view.renewed_by.clone(),
            state: view.state.clone(),
            is_shown: true,
            term: Some(Term { start_date: day(view.starting_at), end_date: view.ending_before.map(day) }),
            committed_value: view.committed_value(),
            digest: Digest::of(&view.terms),
        })
    }

    fn last_edit(&self) -> Option<String> {
        self.view()?.last_edit.clone()
    }

    fn sets(&self) -> Vec<String> {
        let Some(desired) = &self.desired else { return Vec::new() };
        let is_apart = |field: &str| CLEARABLE.iter().all(|(name, _)| *name != field);
        to_set(&CONTRACT, desired.terms(), self.view().map(|view| &view.terms), &is_apart)
    }

    fn recall(&self, recorded: &mut Recorded) {
        let Some(view) = self.view() else { return };
        // Without a record of any item, one of a field would say that every item is somebody else's.
        if recorded.contract_id.as_ref() == Some(&view.contract_id) && !recorded.items.is_empty() {
            let set = as_set(recorded.lost.iter().flat_map(|write| &write.sets), &view.terms);
            recorded.items.extend(set.into_iter().map(|field| (field, view.contract_id.clone())));
        }
    }

    fn shows(&self, fingerprint: &Digest) -> bool {
        self.view()
            .and(self.desired.as_ref())
            .is_some_and(|desired| create::fingerprint(desired) == *fingerprint)
    }

    fn customer_id(&self) -> Option<&str> {
        self.desired.as_ref().map(Desired::customer_id)
    }

    fn digest(&self) -> Option<&Digest> {
        self.desired.as_ref().map(|desired| &desired.digest)
    }
}
