//! Resources before and after a change, paired, and what a change of files alone does to each.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use super::super::{
    files::{Files, Resource, Typed},
    validate::{Entry, Report, findings},
};
use crate::{
    api::{BillingContract, ContractPackage, ContractPackageStatus, package::Lifecycle},
    plan::package,
    review::{
        Rule, Severity,
        across::Together,
        change::{self, Effect, Side},
        document::How,
    },
};

/// Namespace and name.
pub(super) type Key<'a> = (Option<&'a str>, &'a str);

/// The kinds that mean something in billing, in the order in which they are told: packages before what is made from them.
pub(super) const KINDS: [&str; 2] = ["ContractPackage", "BillingContract"];

/// A change from some files to others.
pub(super) struct Change<'a> {
    /// Whether it is known what the files said before.
    pub(super) knows_before: bool,
    /// Everything before.
    pub(super) old: Together<'a>,
    /// Everything after.
    pub(super) new: Together<'a>,
    /// What is on one side or on both.
    pub(super) pairs: Vec<Pair<'a>>,
    /// What is wrong with files and can't be told of one of the pairs.
    pub(super) wrong: Vec<Entry>,
    /// The moment for which it is planned.
    pub(super) now: DateTime<Utc>,
}

/// One resource on both sides.
pub(super) struct Pair<'a> {
    pub(super) kind: &'static str,
    pub(super) key: Key<'a>,
    pub(super) was: Option<&'a Resource>,
    pub(super) is: Option<&'a Resource>,
    /// Its file.
    pub(super) file: &'a str,
    /// What is wrong with it.
    pub(super) wrong: Vec<Entry>,
    /// What is valid in it and deserves a question.
    pub(super) asked: Vec<Entry>,
}

/// Makes both sides ready to be compared: terms of a package that is published never change.
fn publish(before: &mut Files, after: &mut Files) {
    let was: BTreeMap<(Option<String>, String), ContractPackageStatus> = before
        .packages()
        .filter(|package| package.spec.lifecycle != Lifecycle::Draft)
        .map(|package| ((package.namespace(), package.name_any()), status(package, Some(package))))
        .collect();
    let packages = |files: &'_ mut Files, of: &dyn Fn(&ContractPackage) -> ContractPackageStatus| {
        for resource in &mut files.resources {
            if let Some(Typed::Package(package)) = &mut resource.typed {
                let status = of(package);
                Arc::make_mut(package).status = Some(status);
            }
        }
    };
    packages(before, &|package| status(package, None));
    packages(after, &|package| {
        let known = was.get(&(package.namespace(), package.name_any()));
        known.cloned().unwrap_or_else(|| status(package, None))
    });
}

/// What the status of a package says once it is published, with the terms that it had.
fn status(package: &ContractPackage, before: Option<&ContractPackage>) -> ContractPackageStatus {
    ContractPackageStatus {
        digest: before.map(|before| package::digest(&before.spec)),
        package_id: Some(package.name_any()),
        ..ContractPackageStatus::default()
    }
}

/// What is found in files: of each contract and package by its index, and what is wrong elsewhere.
#[derive(Default)]
struct FoundIn {
    wrong: BTreeMap<usize, Vec<Entry>>,
    asked: BTreeMap<usize, Vec<Entry>>,
    elsewhere: Vec<Entry>,
}

fn found_in(before: Option<&Files>, after: &Files) -> FoundIn {
    let elsewhere = Report::new(after, Vec::new(), false).entries;
    let mut all = FoundIn { elsewhere, ..FoundIn::default() };
    for (index, entry) in Report::of_each(after, findings(after, before)) {
        let kind = after.resources.get(index).map(|resource| resource.kind.as_str());
        let of_pair = kind.is_some_and(|kind| KINDS.contains(&kind));
        match entry.severity {
            Severity::Error if of_pair => all.wrong.entry(index).or_default().push(entry),
            Severity::Error => all.elsewhere.push(entry),
            // What is not about terms, such as a provider that is not in these files, is about no plan; `validate` tells it.
            Severity::Warning if of_pair && entry.rule == Rule::Question => {
                all.asked.entry(index).or_default().push(entry);
            }
            Severity::Warning => {}
        }
    }
    all
}

impl<'a> Change<'a> {
    /// Pairs two sides, which let go of their texts: what is wrong with them is found first. Without a side before, nothing
    /// is known of it.
    pub(super) fn of(mut before: Option<&'a mut Files>, after: &'a mut Files, now: DateTime<Utc>) -> Self {
        publish(before.as_deref_mut().unwrap_or(&mut Files::default()), after);
        let mut found = found_in(before.as_deref(), after);
        for files in before.iter_mut().map(|files| &mut **files).chain([&mut *after]) {
            files.forget_texts();
        }
        let (before, after): (Option<&'a Files>, &'a Files) = (before.map(|files| &*files), after);
        let old = before.map(|before| before.together().0).unwrap_or_default();
        let mut pairs = Vec::new();
        for kind in KINDS {
            let was = before.map(|before| by_name(before, kind)).unwrap_or_default();
            let is = by_name(after, kind);
            let names: BTreeSet<Key<'_>> = was.keys().chain(is.keys()).copied().collect();
            for key in names {
                let (was, is) = (was.get(&key), is.get(&key));
                let wrong = is.and_then(|(index, _)| found.wrong.remove(index)).unwrap_or_default();
                let asked = is.and_then(|(index, _)| found.asked.remove(index)).unwrap_or_default();
                let source = match (is, was) {
                    (Some((_, is)), _) => after.sources.get(is.source),
                    (None, was) => {
                        was.and_then(|(_, was)| before.and_then(|before| before.sources.get(was.source)))
                    }
                };
                let file = source.map(|source| source.name.as_str()).unwrap_or_default();
                let (was, is) = (was.map(|(_, resource)| *resource), is.map(|(_, resource)| *resource));
                pairs.push(Pair { kind, key, was, is, file, wrong, asked });
            }
        }
        let knows_before = before.is_some();
        Self { knows_before, old, new: after.together().0, pairs, wrong: found.elsewhere, now }
    }

    /// What a pair comes to where what the files said before is what is billed, and what else made it so.
    pub(super) fn effect(&self, pair: &Pair<'a>) -> (Effect, Option<String>) {
        let (was, is) = (pair.was.map(|was| &was.typed), pair.is.map(|is| &is.typed));
        let (was, is) = match (was, is) {
            (Some(None), _) => return (Effect::Open("what the files said of it before is invalid"), None),
            (_, Some(None)) => return (Effect::Nothing, None),
            (was, is) => (was.and_then(Option::as_ref), is.and_then(Option::as_ref)),
        };
        if pair.kind == "ContractPackage" {
            return (self.package_effect(package_of(was), package_of(is)), None);
        }
        let (was, is) = (pair.was.and_then(Resource::contract), contract_of(is));
        let was = was.as_deref().map(|was| side(was, &self.old));
        let is = is.map(|is| side(is, &self.new));
        let cause = was.as_ref().zip(is.as_ref()).and_then(|(was, is)| cause(was, is));
        if pair.how(self.knows_before) == How::Same && cause.is_none() {
            // What neither says something else nor refers to something else is as it was.
            return (Effect::Nothing, None);
        }
        match (&was, &is) {
            (None, Some(is)) => {
                if let Some(former) = self.gone().find(|former| takes_up(former, is)) {
                    return (change::taken_up(&former, is, self.now), cause);
                }
            }
            (Some(was), None) if self.leaves_to_a_new_one(was) => {
                let left = Effect::Left { why: change::TAKEN_UP, changes: Vec::new(), value: Vec::new() };
                return (left, cause);
            }
            _ => {}
        }
        if was.as_ref().zip(is.as_ref()).is_some_and(|(was, is)| has_moved(was, is)) {
            return (Effect::Open(MOVED), cause);
        }
        (change::contract(was.as_ref(), is.as_ref(), self.now), cause)
    }

    /// Whether what a resource that is gone has left is taken up by one that is new, and so does not end.
    pub(super) fn leaves_to_a_new_one(&self, former: &Side<'_>) -> bool {
        self.made().any(|made| takes_up(former, &made))
    }

    /// Contracts that are gone, and that were valid.
    fn gone(&self) -> impl Iterator<Item = Side<'a>> {
        let pairs = self.pairs.iter().filter(|pair| self.knows_before && pair.is.is_none());
        pairs.filter_map(|pair| Some(side(pair.contracts().0?, &self.old)))
    }

    /// Contracts that are new, and that are valid.
    fn made(&self) -> impl Iterator<Item = Side<'a>> {
        let pairs = self.pairs.iter().filter(|pair| self.knows_before && pair.was.is_none());
        pairs.filter_map(|pair| Some(side(pair.contracts().1?, &self.new)))
    }

    fn package_effect(&self, was: Option<&ContractPackage>, is: Option<&ContractPackage>) -> Effect {
        let Some(package) = is.or(was) else { return Effect::Nothing };
        let namespace = package.metadata.namespace.as_deref();
        let account =
            package.spec.provider_ref.as_ref().and_then(|reference| self.new.provider(reference, namespace));
        change::package(was, is, account, self.users(package), self.now)
    }

    /// How many contracts refer to a package.
    pub(super) fn users(&self, package: &ContractPackage) -> usize {
        let refers = |contract: &&BillingContract| package::meant(contract, &[package]).is_some();
        self.new.contracts.iter().map(|placed| placed.resource).filter(refers).count()
    }

    /// Contracts after the change.
    pub(super) fn contracts(&self) -> usize {
        self.new.contracts.len()
    }
}

/// Why a contract that changes its account cannot be planned.
pub(super) const MOVED: &str = "it moves to another account, and what it was in the other one stays there";

impl<'a> Pair<'a> {
    /// `namespace/name`, or the name where no namespace is written.
    pub(super) fn name(&self) -> String {
        let namespace = self.key.0.map(|namespace| format!("{namespace}/")).unwrap_or_default();
        format!("{namespace}{}", self.key.1)
    }

    /// What happened to its file.
    pub(super) fn how(&self, knows_before: bool) -> How {
        match (self.was, self.is) {
            _ if !knows_before => How::Read,
            (None, _) => How::New,
            (_, None) => How::Gone,
            (Some(was), Some(is)) if says_the_same(was, is) => How::Same,
            _ => How::Changed,
        }
    }

    /// The contract before and after. One that is on both sides is packed before where nobody is asked but the files, and
    /// [read](Resource::contract) by whoever compares the two.
    pub(super) fn contracts(&self) -> (Option<&'a BillingContract>, Option<&'a BillingContract>) {
        let of =
            |resource: Option<&'a Resource>| contract_of(resource.and_then(|found| found.typed.as_ref()));
        (of(self.was), of(self.is))
    }

    /// The package before and after.
    pub(super) fn packages(&self) -> (Option<&'a ContractPackage>, Option<&'a ContractPackage>) {
        let of = |resource: Option<&'a Resource>| package_of(resource.and_then(|found| found.typed.as_ref()));
        (of(self.was), of(self.is))
    }
}

/// Whether two resources have the same spec, whatever is written of what is meant when it is left out.
fn says_the_same(was: &Resource, is: &Resource) -> bool {
    if let (Some(was), Some(is)) = (was.contract(), is.contract()) {
        return was.spec == is.spec;
    }
    match (&was.typed, &is.typed) {
        (Some(Typed::Package(was)), Some(Typed::Package(is))) => was.spec == is.spec,
        _ => was.untyped.is_some() && was.untyped == is.untyped,
    }
}

fn contract_of(typed: Option<&Typed>) -> Option<&BillingContract> {
    if let Some(Typed::Contract(contract)) = typed { Some(contract) } else { None }
}

fn package_of(typed: Option<&Typed>) -> Option<&ContractPackage> {
    if let Some(Typed::Package(package)) = typed { Some(package) } else { None }
}

/// Resources of a kind by namespace and name; the first of two that have one name.
fn by_name<'a>(files: &'a Files, kind: &str) -> BTreeMap<Key<'a>, (usize, &'a Resource)> {
    let mut all = BTreeMap::new();
    for (index, resource) in files.resources.iter().enumerate().filter(|(_, resource)| resource.kind == kind)
    {
        all.entry((resource.namespace.as_deref(), resource.name.as_str())).or_insert((index, resource));
    }
    all
}

/// A contract with what it refers to.
pub(super) fn side<'a>(contract: &'a BillingContract, together: &Together<'a>) -> Side<'a> {
    let account = together.provider(&contract.spec.provider_ref, contract.metadata.namespace.as_deref());
    Side { contract, package: together.package(contract).ok().flatten(), account }
}

/// Whether a contract is no longer in the account that it was in.
fn has_moved(was: &Side<'_>, is: &Side<'_>) -> bool {
    match (was.account, is.account) {
        (Some(was), Some(is)) => was.base_url() != is.base_url(),
        _ => was.contract.spec.provider_ref != is.contract.spec.provider_ref,
    }
}

/// Whether a new contract takes up, in the same account, what one that is gone has left.
fn takes_up(former: &Side<'_>, after: &Side<'_>) -> bool {
    !has_moved(former, after) && change::takes_up(former.contract, after.contract)
}

/// What made a contract mean something else, beside its own file.
fn cause(was: &Side<'_>, is: &Side<'_>) -> Option<String> {
    let digest = |package: Option<&ContractPackage>| {
        package.map(|package| (package.name_any(), package::digest(&package.spec)))
    };
    if digest(was.package) != digest(is.package) {
        return is.package.or(was.package).map(|package| format!("ContractPackage {}", package.name_any()));
    }
    (was.account != is.account)
        .then(|| format!("{:?} {}", is.contract.spec.provider_ref.kind, is.contract.spec.provider_ref.name))
}
