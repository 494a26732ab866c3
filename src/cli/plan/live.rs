//! What the operator would do now: the protocol's own plan, against the billing API, with a client that can only read.
//!
//! Packages come first, then contracts, each after the one that it renews, so that what one of them will be called stands in
//! the calls of the next: what only a reply tells stands in angle brackets.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use kube::ResourceExt;

use super::{
    accounts::Accounts,
    lookup::{Account, Found},
    pairs::{Change, KINDS, Key, MOVED, Pair, side},
    planned::{Looks, Planned, Row},
    rates,
};
use crate::{
    api::{
        BillingContract, ContractPackage, ContractPackageStatus,
        contract::{ManagementPolicy, ProviderRef},
        package::Lifecycle,
        reasons,
    },
    billing::{Preview, registry::ContractReferences},
    plan::{CallKind, ContractSnapshot, Pace, Refusal, facts::Side, package},
    protocol::Goal,
    review::{
        change::{self, Effect, ORPHANED, Ran, TAKEN_UP},
        document::RatesOf,
    },
};

/// How many resources are compared at once; the account's budget bounds the requests.
const AT_ONCE: usize = 8;

/// IDs of what there is, and what stands for those of what there will be.
#[derive(Default)]
struct Ids {
    contracts: BTreeMap<(Option<String>, String), String>,
    packages: BTreeMap<(Option<String>, String), String>,
}

/// Plans every pair as the operator would now.
pub(super) async fn plan(files: &Change<'_>, accounts: &Accounts, looks: &Looks) -> Planned {
    let live = Live { files, accounts };
    let (mut ids, mut effects) = (Ids::default(), Vec::new());
    effects.resize_with(files.pairs.len(), || None);
    for (kind, wave) in waves(files) {
        let asked = stream::iter(wave).map(|index| {
            let (live, ids) = (&live, &ids);
            async move {
                let Some(pair) = files.pairs.get(index) else { return (index, None) };
                let told = if kind == KINDS[0] {
                    Box::pin(live.package(pair)).await
                } else {
                    Box::pin(live.contract(pair, ids)).await
                };
                (index, Some(told))
            }
        });
        let told: Vec<_> = asked.buffered(AT_ONCE).collect().await;
        for (index, told) in told {
            let (Some((effect, id)), Some(pair)) = (told, files.pairs.get(index)) else { continue };
            let key = (pair.key.0.map(str::to_owned), pair.key.1.to_owned());
            let ids = if kind == KINDS[0] { &mut ids.packages } else { &mut ids.contracts };
            ids.extend(id.map(|id| (key, id)));
            if let Some(place) = effects.get_mut(index) {
                *place = Some(effect);
            }
        }
    }
    let told = files.pairs.iter().zip(effects).map(|(pair, effect)| {
        let (mut offline, mut cause) = (Effect::Open(""), None);
        // What was never carried out was not changed by somebody else.
        if files.knows_before && accounts.has_carried_out(files, pair) {
            (offline, cause) = files.effect(pair);
        }
        let effect = effect.unwrap_or(Effect::Nothing);
        // That something ends whose file is gone is always this change's doing.
        let effect = if pair.is.is_some() { change::told_apart(effect, &offline) } else { effect };
        Row::of(files, pair, effect, cause, looks)
    });
    let mut planned = Planned::of(files, told.collect());
    once(&mut planned);
    let rates = if looks.rates { live.rates(&ids).await } else { Vec::new() };
    Planned { live: true, rates, ..planned }
}

/// What prepares an account is sent once, though the plan of each contract has it.
fn once(planned: &mut Planned) {
    let mut seen = BTreeSet::new();
    for row in &mut planned.rows {
        if let Effect::Changes { plan, .. } = &mut row.effect {
            plan.calls.retain(|call| {
                call.kind != CallKind::Other || seen.insert((call.path.clone(), call.body.clone()))
            });
        }
    }
}

/// The pairs in the order in which they can be planned: nothing before what it refers to.
fn waves(files: &Change<'_>) -> Vec<(&'static str, Vec<usize>)> {
    let of_kind = |kind: &'static str| {
        let pairs = files.pairs.iter().enumerate().filter(move |(_, pair)| pair.kind == kind);
        pairs.map(|(index, _)| index)
    };
    let mut waves = vec![(KINDS[0], of_kind(KINDS[0]).collect())];
    let mut left: BTreeMap<Key<'_>, usize> =
        of_kind(KINDS[1]).filter_map(|index| Some((files.pairs.get(index)?.key, index))).collect();
    while !left.is_empty() {
        let waits = |key: &Key<'_>, index: &usize| {
            let renewed = files.pairs.get(*index).and_then(|pair| pair.contracts().1?.spec.renews());
            renewed.is_some_and(|renewed| renewed != key.1 && left.contains_key(&(key.0, renewed)))
        };
        let mut ready: Vec<Key<'_>> =
            left.iter().filter(|(key, index)| !waits(key, index)).map(|(key, _)| *key).collect();
        if ready.is_empty() {
            // They renew each other in a circle: each is told what is wrong with it.
            ready = left.keys().copied().collect();
        }
        waves.push((KINDS[1], ready.iter().filter_map(|key| left.remove(key)).collect()));
    }
    waves
}

struct Live<'f> {
    files: &'f Change<'f>,
    accounts: &'f Accounts,
}

/// What becomes of a resource, and the ID of what it has, or what stands for that.
type Told = (Effect, Option<String>);

impl Live<'_> {
    /// The account of a resource, or what it comes to without.
    fn account(&self, reference: &ProviderRef, namespace: Option<&str>) -> Result<&Account, Box<Effect>> {
        let comes = self.files.new.provider(reference, namespace).is_some();
        match self.accounts.find(reference, namespace) {
            Found::Ready(account) => Ok(account),
            Found::Other => {
                Err(Box::new(Effect::Open("its account is another one than the one that was named")))
            }
            Found::Missing(_) if comes => Err(Box::new(Effect::Open(
                "its provider comes with this change: it can be planned once that is applied",
            ))),
            Found::Missing(message) => {
                Err(Box::new(Effect::Refused(Refusal { reason: reasons::PROVIDER_NOT_FOUND, message })))
            }
            Found::NotReady(message) => {
                Err(Box::new(Effect::Unknown(Refusal { reason: reasons::PROVIDER_NOT_READY, message })))
            }
        }
    }

    /// Whether a provider's file says another address than the account that is asked.
    fn has_moved(&self, reference: &ProviderRef, namespace: Option<&str>, account: &Account) -> bool {
        let said = self.files.new.provider(reference, namespace);
        said.and_then(|said| said.base_url())
            .is_some_and(|said| crate::protocol::claims::account(said) != account.name)
    }

    async fn package(&self, pair: &Pair<'_>) -> Told {
        let (was, is) = pair.packages();
        let Some(written) = is.or(was).filter(|_| pair.wrong.is_empty()) else {
            return (Effect::Nothing, None);
        };
        let Some(reference) =
            written.spec.provider_ref.as_ref().filter(|_| package::has_packages(written.spec.api()))
        else {
            // Its terms go into each contract: what they do is shown there.
            return (Effect::Nothing, None);
        };
        let account = match self.account(reference, pair.key.0) {
            Ok(account) if self.has_moved(reference, pair.key.0, account) => {
                return (Effect::Open(MOVED), None);
            }
            Ok(account) => account,
            Err(effect) => return (*effect, None),
        };
        let mut package = written.clone();
        package.status = self.accounts.package(pair.key).and_then(|there| there.status.clone());
        let goal = match (is, is.is_none().then(|| change::end_of_package(written))) {
            (Some(is), _) if is.spec.lifecycle == Lifecycle::Draft => return (Effect::Nothing, None),
            (Some(_), _) => Goal::InForce,
            (None, Some(Some(goal))) => goal,
            (None, _) => {
                return (Effect::Left { why: ORPHANED, changes: Vec::new(), value: Vec::new() }, None);
            }
        };
        let users = self.files.users(written).try_into().unwrap_or(i32::MAX);
        let (ran, id) = ran(account.client.preview_package(&package, users, goal).await);
        let id = id.map(|seen| seen.package_id);
        let known = package.status.and_then(|status| status.package_id);
        (
            change::of_package(ran),
            Some(id.or(known).unwrap_or_else(|| format!("<ID of ContractPackage {}>", pair.name()))),
        )
    }

    async fn contract(&self, pair: &Pair<'_>, ids: &Ids) -> Told {
        let (was, is) = pair.contracts();
        let Some(written) = is.or(was).filter(|_| pair.wrong.is_empty()) else {
            return (Effect::Nothing, None);
        };
        let reference = &written.spec.provider_ref;
        let account = match self.account(reference, pair.key.0) {
            Ok(account) if self.has_moved(reference, pair.key.0, account) => {
                return (Effect::Open(MOVED), None);
            }
            Ok(account) => account,
            Err(effect) => return (*effect, None),
        };
        let together = if is.is_some() { &self.files.new } else { &self.files.old };
        let mut package = side(written, together).package.cloned();
        if let Some(package) = &mut package {
            let id = ids.packages.get(&(package.namespace(), package.name_any())).cloned();
            package.status =
                Some(ContractPackageStatus { package_id: id, ..package.status.take().unwrap_or_default() });
        }
        let asked = Asked { account, package: package.as_ref() };
        let placed = match self.accounts.contract(pair.key) {
            Some(there) => as_in_cluster(written, there),
            None if self.accounts.has_records() => as_new(written),
            None => Box::pin(self.as_held(written, was, &asked)).await,
        };
        let renewed = written.spec.renews().map(|name| self.renewed(&placed, name, ids));
        let renews = match renewed.transpose() {
            Ok(renews) => renews,
            Err(refusal) => return (Effect::Refused(refusal), None),
        };
        if is.is_none() {
            return (Box::pin(self.ended(&placed, &asked)).await, None);
        }
        let references = self.references(&placed, &asked, renews.as_deref());
        let preview = account.client.preview_contract(&placed, &references, Goal::InForce).await;
        let (ran, seen) = ran(preview);
        let held = placed.status.as_ref().and_then(|status| status.contract_id.clone());
        let id = seen.map(|seen| seen.contract_id).or(held);
        let id = id.unwrap_or_else(|| format!("<ID of BillingContract {}>", pair.name()));
        (change::of_contract(ran, &placed, was, &[]), Some(id))
    }

    fn references<'a>(
        &'a self,
        contract: &BillingContract,
        asked: &Asked<'a>,
        renews: Option<&'a str>,
    ) -> ContractReferences<'a> {
        ContractReferences {
            package: asked.package,
            renews,
            account: &asked.account.name,
            claimed: self.accounts.claimed(contract, &asked.account.name),
            holders: self.accounts.holders(contract, &asked.account.name),
            demands: asked.account.demands.clone(),
            sayings: self.accounts.sayings(contract),
            announced: None,
            pace: Pace::default(),
        }
    }

    /// What use of every contract costs that stays.
    async fn rates(&self, ids: &Ids) -> Vec<RatesOf> {
        let contracts = self.files.pairs.iter().filter(|pair| pair.wrong.is_empty());
        let contracts = contracts.filter_map(|pair| Some((pair, pair.contracts().1?)));
        let asked = stream::iter(contracts).map(|(pair, contract)| async move {
            let key = (pair.key.0.map(str::to_owned), pair.key.1.to_owned());
            // What stands in angle brackets is not made yet.
            let id = ids.contracts.get(&key).filter(|id| !id.starts_with('<'));
            let package = side(contract, &self.files.new).package;
            match self.account(&contract.spec.provider_ref, pair.key.0) {
                Ok(account) => {
                    rates::read(pair.name(), contract, package, account, id.map(String::as_str)).await
                }
                Err(effect) => RatesOf { name: pair.name(), rates: None, why: Some(why_not(*effect)) },
            }
        });
        asked.buffered(AT_ONCE).collect().await
    }

    /// What becomes of a contract whose resource goes.
    async fn ended(&self, placed: &BillingContract, asked: &Asked<'_>) -> Effect {
        let references = self.references(placed, asked, None);
        let references = ContractReferences { claimed: None, ..references };
        let is_left = self.files.leaves_to_a_new_one(&side(placed, &self.files.old));
        if let Some(goal) = change::end_of_contract(placed).filter(|_| !is_left) {
            let (ran, _) = ran(asked.account.client.preview_contract(placed, &references, goal).await);
            return change::of_contract(ran, placed, None, &[]);
        }
        let seen = Box::pin(look(placed, asked, &references)).await;
        let value = seen.map(|seen| seen.committed_value).unwrap_or_default();
        let why = if is_left { TAKEN_UP } else { ORPHANED };
        Effect::Left { why, changes: Vec::new(), value }
    }

    /// A contract as the operator would know it that has carried out what the files said before, where nothing is on record.
    async fn as_held(
        &self,
        written: &BillingContract,
        was: Option<&BillingContract>,
        asked: &Asked<'_>,
    ) -> BillingContract {
        let mut placed = written.clone();
        let Some(was) = was else { return placed };
        let before: Side<'_> = side(was, &self.files.old);
        let asked = Asked { package: before.package, ..*asked };
        let references = self.references(was, &asked, None);
        if let Some(seen) = Box::pin(look(was, &asked, &references)).await {
            placed.status = Some(change::remembered(&before, seen, &asked.account.name, self.files.now));
        }
        placed
    }

    /// ID of the contract that another renews, or why there is none.
    fn renewed(&self, placed: &BillingContract, name: &str, ids: &Ids) -> Result<String, Refusal> {
        let key = (placed.namespace(), name.to_owned());
        let on_record = || {
            let there = self.accounts.contract((key.0.as_deref(), &key.1))?;
            there.status.as_ref()?.contract_id.clone()
        };
        let kept = || placed.status.as_ref()?.renews.clone();
        ids.contracts.get(&key).cloned().or_else(on_record).or_else(kept).ok_or_else(|| Refusal {
            reason: reasons::RENEWED_NOT_READY,
            message: format!("BillingContract {name}, which this one renews, does not exist."),
        })
    }
}

/// Why an account cannot be asked.
fn why_not(effect: Effect) -> String {
    match effect {
        Effect::Refused(refusal) | Effect::Unknown(refusal) => refusal.message,
        Effect::Open(why) => why.to_owned(),
        Effect::Nothing | Effect::Changes { .. } | Effect::Left { .. } => String::new(),
    }
}

/// What a contract is planned with.
#[derive(Clone, Copy)]
struct Asked<'a> {
    account: &'a Account,
    package: Option<&'a ContractPackage>,
}

/// What billing shows of a contract.
async fn look(
    contract: &BillingContract,
    asked: &Asked<'_>,
    references: &ContractReferences<'_>,
) -> Option<ContractSnapshot> {
    let mut looked_at = contract.clone();
    looked_at.spec.management_policy = ManagementPolicy::Observe;
    ran(asked.account.client.preview_contract(&looked_at, references, Goal::InForce).await).1
}

/// How a preview went, and what was observed in it.
fn ran<S: Clone>(preview: Preview<S>) -> (Ran<S>, Option<S>) {
    match preview {
        Preview::Write { plan, seen } => (Ran::Planned { plan: *plan, seen: seen.clone() }, seen),
        Preview::Done(result) => {
            let seen = result.snapshot.clone();
            (Ran::Ended(result.outcome, result.snapshot), seen)
        }
    }
}

/// A contract's file in the place of the resource that the cluster has: with what that has on record.
fn as_in_cluster(written: &BillingContract, there: &BillingContract) -> BillingContract {
    let mut placed = written.clone();
    let (metadata, known) = (&mut placed.metadata, &there.metadata);
    let is_same = written.spec == there.spec;
    // A spec that is another one gets the next number.
    metadata.generation =
        known.generation.map(|generation| if is_same { generation } else { generation + 1 });
    metadata.uid.clone_from(&known.uid);
    metadata.creation_timestamp.clone_from(&known.creation_timestamp);
    metadata.finalizers.clone_from(&known.finalizers);
    let mut annotations = known.annotations.clone().unwrap_or_default();
    annotations.extend(metadata.annotations.take().unwrap_or_default());
    metadata.annotations = Some(annotations);
    placed.status.clone_from(&there.status);
    placed
}

/// A contract's file as a resource that is yet to come: younger than every other.
fn as_new(written: &BillingContract) -> BillingContract {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
    let mut placed = written.clone();
    placed.metadata.creation_timestamp = Some(Time(Timestamp::now()));
    placed
}
