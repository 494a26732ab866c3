//! Which package a contract means, whether it can be used, and who holds an alias.
//!
//! What a contract means follows from the resources alone: an alias is looked up as of the contract's start, never as
//! of today, so that a contract keeps its package when the alias moves on.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::{Decision, Refusal};
use crate::{
    api::{
        Api, BillingContract, ContractPackage, ContractPackageSpec,
        contract::{PackageRef, ProviderKind, ProviderRef},
        package::{Alias, Lifecycle},
        reasons::{self, STALLED},
    },
    terms::{
        Digest, Timestamp, metronome,
        shape::{ShapeError, Spelling},
        text::Text,
        zoo,
    },
    validate::{self, Terms},
};

/// Why a contract cannot have its package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// There is none of that name; it may come.
    Missing(String),
    /// There is one, but it cannot be used as it is.
    NotReady(String),
    /// There is one, and it will be usable once the billing API has it.
    NotCreated(String),
    /// The contract asks for what cannot be.
    Wrong(String),
}

/// The package that gives terms to a contract, among all packages; `None` when the contract asks for none.
///
/// # Errors
/// Why there is none that can be used.
pub fn of<'a>(
    contract: &BillingContract,
    packages: &[&'a ContractPackage],
) -> Result<Option<&'a ContractPackage>, Unusable> {
    let Some(reference) = &contract.spec.package_ref else { return Ok(None) };
    if reference.name.is_some() == reference.alias.is_some() {
        let message = "exactly one of `spec.packageRef.name` and `spec.packageRef.alias` must be set";
        return Err(Unusable::Wrong(message.to_owned()));
    }
    let package = meant(contract, packages).ok_or_else(|| Unusable::Missing(missing(reference, contract)))?;
    if package.spec.api() != contract.spec.api() {
        let message = format!(
            "ContractPackage {} has terms of another billing API than the contract; name one of the same",
            package.name_any()
        );
        return Err(Unusable::Wrong(message));
    }
    let account = package.spec.provider_ref.as_ref();
    if let Some(account) = account.filter(|account| **account != contract.spec.provider_ref) {
        let message = format!(
            "ContractPackage {} belongs to another billing account ({:?} {}) than the contract; name the same provider in \
             `spec.providerRef`, or a package of the contract's account",
            package.name_any(),
            account.kind,
            account.name
        );
        return Err(Unusable::Wrong(message));
    }
    match sound(package, packages) {
        Ok(()) => Ok(Some(package)),
        Err(refusal) => {
            let message =
                format!("ContractPackage {} cannot be used: {}", package.name_any(), refusal.message);
            Err(Unusable::NotReady(message))
        }
    }
}

/// The package as it is known in an account: what is on record of another one means nothing there.
#[must_use]
pub fn in_account<'p>(package: &'p ContractPackage, account: &str) -> Cow<'p, ContractPackage> {
    if is_in_account(package, account) {
        return Cow::Borrowed(package);
    }
    Cow::Owned(ContractPackage { status: None, ..package.clone() })
}

/// Whether what is on record of a package is of this account, as far as that is known.
#[must_use]
pub fn is_in_account(package: &ContractPackage, account: &str) -> bool {
    let recorded = package.status.as_ref().and_then(|status| status.account.as_deref());
    recorded.is_none_or(|recorded| recorded == account)
}

/// The package that a contract refers to, whether or not it can be used.
#[must_use]
pub fn meant<'a>(
    contract: &BillingContract,
    packages: &[&'a ContractPackage],
) -> Option<&'a ContractPackage> {
    let reference = contract.spec.package_ref.as_ref()?;
    let namespace = contract.metadata.namespace.as_deref();
    let near =
        || packages.iter().copied().filter(|package| package.metadata.namespace.as_deref() == namespace);
    if reference.name.is_some() {
        return near().find(|package| package.metadata.name == reference.name);
    }
    let (alias, start) = (reference.alias.as_ref()?, start(contract)?);
    let has = |package: &&ContractPackage| {
        let mut aliases = package.spec.aliases.iter().filter(|found| found.name == *alias);
        package.spec.lifecycle != Lifecycle::Draft
            && package.spec.api() == contract.spec.api()
            && aliases.any(|alias| covers(alias, start))
    };
    near().filter(has).min_by_key(|package| rank(package))
}

fn missing(reference: &PackageRef, contract: &BillingContract) -> String {
    match (&reference.name, &reference.alias) {
        (Some(name), _) => format!(
            "ContractPackage {name} does not exist in the contract's namespace; create it or correct `spec.packageRef.name`"
        ),
        (None, alias) => format!(
            "no published ContractPackage in the contract's namespace has the alias {} on {}, when the contract starts; \
             add it to a package's `spec.aliases` or correct `spec.packageRef.alias`",
            alias.as_deref().unwrap_or_default(),
            start(contract).map(|start| start.to_string()).unwrap_or_default()
        ),
    }
}

/// Whether the billing API has what contracts need of a sound package; only Metronome has packages of its own.
///
/// # Errors
/// [`Unusable::NotCreated`]; [`Unusable::NotReady`] where it is not being created either, as it was refused.
pub fn created(package: &ContractPackage) -> Result<(), Unusable> {
    let id = package.status.as_ref().and_then(|status| status.package_id.as_ref());
    if !has_packages(package.spec.api()) || id.is_some() {
        return Ok(());
    }
    let name = package.name_any();
    let why = format!("ContractPackage {name} has not been created in the billing API yet");
    let mut conditions = package.status.iter().flat_map(|status| &status.conditions);
    let is_refused = conditions.any(|condition| condition.type_ == STALLED && condition.status == "True");
    Err(if is_refused { Unusable::NotReady(why) } else { Unusable::NotCreated(why) })
}

/// Whether packages are objects of the billing API; otherwise their terms are written into each contract.
#[must_use]
pub fn has_packages(api: Option<Api>) -> bool {
    match api {
        Some(Api::Metronome) => true,
        Some(Api::Zoo) | None => false,
        #[cfg(feature = "fake")]
        Some(Api::Fake) => false,
    }
}

/// Whether a package is published and says what a package may say, whatever the billing API knows of it.
///
/// # Errors
/// Why not, and what to do.
pub fn sound(package: &ContractPackage, packages: &[&ContractPackage]) -> Result<(), Refusal> {
    let refuse = |reason, message: String| Err(Refusal { reason, message });
    if package.spec.lifecycle == Lifecycle::Draft {
        return refuse(
            reasons::DRAFT,
            "it is a draft; set its `spec.lifecycle` to Published to use it".to_owned(),
        );
    }
    if let Err(violations) = validate::package(&package.spec) {
        return refuse(reasons::INVALID_SPEC, validate::summary(&violations));
    }
    let published = package.status.as_ref().and_then(|status| status.digest.as_ref());
    if published.is_some_and(|published| *published != digest(&package.spec)) {
        let message = "its terms have changed since they were published: restore them, and write a new ContractPackage \
                       with the new terms";
        return refuse(reasons::TERMS_CHANGED, message.to_owned());
    }
    if let Some((alias, holder)) = rival(package, packages) {
        let message = format!(
            "ContractPackage {}/{} has the alias {alias} at the same time and came first; end it there with \
             `endingBefore`, or start it here with `startingAt`",
            holder.namespace().unwrap_or_default(),
            holder.name_any()
        );
        return refuse(reasons::ALIAS_TAKEN, message);
    }
    if let Some((key, holder)) = key_holder(package, packages) {
        let message = format!(
            "ContractPackage {}/{} has the same `spec.metronome.uniquenessKey` {key} in the same account and came first; \
             delete one of the two, or write a new ContractPackage with another key, or with none",
            holder.namespace().unwrap_or_default(),
            holder.name_any()
        );
        return refuse(reasons::DUPLICATE_CLAIM, message);
    }
    Ok(())
}

/// A package that is archived: no new contract is made from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedPackage {
    name: String,
}

impl ArchivedPackage {
    /// The package, if it is archived.
    #[must_use]
    pub fn of(package: &ContractPackage) -> Option<Self> {
        let is_archived = package.spec.lifecycle == Lifecycle::Archived;
        is_archived.then(|| Self { name: package.name_any() })
    }

    /// What becomes of a decision about a contract that does not exist yet.
    #[must_use]
    pub fn allow(&self, decision: Decision) -> Decision {
        if !matches!(decision, Decision::Write(_) | Decision::AwaitApproval(_)) {
            return decision;
        }
        Decision::refuse(
            reasons::PACKAGE_ARCHIVED,
            format!(
                "Nothing was written: ContractPackage {} is archived, and no new contracts are made from it; name another \
                 package in `spec.packageRef`",
                self.name
            ),
        )
    }
}

/// An older package that has one of the aliases at the same time, and that alias.
fn rival<'a, 'b>(
    package: &'a ContractPackage,
    packages: &[&'b ContractPackage],
) -> Option<(&'a str, &'b ContractPackage)> {
    let own = rank(package);
    let older = packages.iter().copied().filter(|other| {
        other.spec.lifecycle != Lifecycle::Draft && rank(other) < own && shares_names(package, other)
    });
    let clash = |other: &'b ContractPackage| {
        let taken = |alias: &&Alias| other.spec.aliases.iter().any(|theirs| overlap(alias, theirs));
        package.spec.aliases.iter().find(taken).map(|alias| (alias.name.as_str(), other))
    };
    older.filter_map(clash).min_by_key(|(_, holder)| rank(holder))
}

/// An older package of the same account with the same uniqueness key, and that key. Keys that are derived from namespace
/// and name are nobody else's.
fn key_holder<'a, 'b>(
    package: &'a ContractPackage,
    packages: &[&'b ContractPackage],
) -> Option<(&'a str, &'b ContractPackage)> {
    fn given(package: &ContractPackage) -> Option<&str> {
        package.spec.metronome.as_ref()?.uniqueness_key.as_ref().map(Text::as_str)
    }
    let (own, key) = (rank(package), given(package)?);
    let older = packages.iter().copied().filter(|other| {
        let is_claim = other.spec.lifecycle != Lifecycle::Draft && given(other) == Some(key);
        is_claim && rank(other) < own && shares_names(package, other)
    });
    older.min_by_key(|holder| rank(holder)).map(|holder| (key, holder))
}

/// What packages are found by: two that are in each other's way have a name in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// An alias in a namespace, as contracts ask for it.
    Alias(Option<String>, String),
    /// An alias in a billing account.
    AccountAlias(String, String),
    /// A uniqueness key in a billing account.
    AccountKey(String, String),
}

/// Every name of a package, whatever becomes of it.
#[must_use]
pub fn names(package: &ContractPackage) -> Vec<Name> {
    let account = account(package).map(|account| format!("{account:?}"));
    let mut names = Vec::new();
    for alias in &package.spec.aliases {
        names.push(Name::Alias(package.namespace(), alias.name.clone()));
        names.extend(account.clone().map(|account| Name::AccountAlias(account, alias.name.clone())));
    }
    let key = package.spec.metronome.as_ref().and_then(|terms| terms.uniqueness_key.as_ref());
    names.extend(account.zip(key).map(|(account, key)| Name::AccountKey(account, key.as_str().to_owned())));
    names
}

/// A package's billing account, where packages belong to one.
fn account(package: &ContractPackage) -> Option<(ProviderRef, Option<String>)> {
    let provider = package.spec.provider_ref.as_ref()?;
    let is_near = provider.kind == ProviderKind::BillingProvider;
    Some((provider.clone(), package.namespace().filter(|_| is_near)))
}

/// Whether an alias can mean only one of two packages: of one namespace, or of one Metronome account.
fn shares_names(one: &ContractPackage, other: &ContractPackage) -> bool {
    match one.spec.api().filter(|api| other.spec.api() == Some(*api)) {
        Some(Api::Zoo) => one.namespace() == other.namespace(),
        Some(Api::Metronome) => account(one) == account(other),
        #[cfg(feature = "fake")]
        Some(Api::Fake) => false,
        None => false,
    }
}

/// Two claims on one alias at the same time.
fn overlap(one: &Alias, other: &Alias) -> bool {
    let before = |start: &Alias, end: &Alias| match (start.starting_at, end.ending_before) {
        (Some(start), Some(end)) => start < end,
        _ => true,
    };
    one.name == other.name && before(one, other) && before(other, one)
}

fn covers(alias: &Alias, time: Timestamp) -> bool {
    alias.starting_at.is_none_or(|start| start <= time) && alias.ending_before.is_none_or(|end| time < end)
}

/// Order of age; of those created in the same second, by name.
fn rank(package: &ContractPackage) -> (Option<Time>, Option<String>, String) {
    (package.creation_timestamp(), package.namespace(), package.name_any())
}

fn start(contract: &BillingContract) -> Option<Timestamp> {
    match contract.spec.api()? {
        Api::Zoo => contract.spec.zoo.as_ref().map(|terms| terms.effective_at),
        Api::Metronome => contract.spec.metronome.as_ref().map(|terms| terms.starting_at),
        #[cfg(feature = "fake")]
        Api::Fake => None,
    }
}

/// A contract with the terms of its package written out, and the digest of the whole; nothing where the billing API gives
/// the terms itself, or where they are wrong.
///
/// # Errors
/// Never for terms that came through the types.
pub fn written_out(
    contract: &BillingContract,
    package: &ContractPackage,
) -> Result<Option<(BillingContract, Digest)>, ShapeError> {
    let Ok(Terms::Zoo(terms)) = validate::contract(&contract.spec, Some(&package.spec)) else {
        return Ok(None);
    };
    let mut full = contract.clone();
    full.spec.package_ref = None;
    full.spec.zoo = Some(zoo::PartialContract::from((**terms).clone()));
    Ok(Some((full, super::zoo::Desired::new(*terms)?.digest)))
}

/// Digest of what a package says.
#[must_use]
pub fn digest(spec: &ContractPackageSpec) -> Digest {
    match spec.api() {
        Some(Api::Zoo) => spec.zoo.as_ref().map(zoo::Package::digest),
        Some(Api::Metronome) => {
            let written = serde_json::to_value(&spec.metronome).ok();
            written.map(|written| {
                Digest::of(&metronome::PACKAGE.canonical(&written, Spelling::Spec).unwrap_or(written))
            })
        }
        #[cfg(feature = "fake")]
        Some(Api::Fake) => None,
        None => None,
    }
    // A spec without terms, which the API server refuses, says nothing.
    .unwrap_or_else(|| Digest::of(&serde_json::Value::Null))
}

#[cfg(test)]
mod tests;
