//! Resources before and after a change, paired and planned.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use super::super::{
    files::{Files, Resource, Typed},
    out::count,
    validate::{Entry, Report, findings},
};
use crate::{
    api::{ContractPackage, ContractPackageStatus, package::Lifecycle},
    plan::{MoneyEffect, package},
    review::{
        across::Together,
        change::{self, Effect, Side},
    },
};

/// What a change does to every resource.
#[derive(Debug, Default)]
pub(super) struct Planned {
    /// Resources to which it does something, in the order of their names.
    pub(super) rows: Vec<Row>,
    /// What is wrong with files and can't be told of one of the rows.
    pub(super) wrong: Vec<Entry>,
    /// Contracts after the change.
    pub(super) contracts: usize,
}

/// What a change does to one resource.
#[derive(Debug)]
pub(super) struct Row {
    /// `BillingContract` or `ContractPackage`.
    pub(super) kind: &'static str,
    /// `namespace/name`, or the name where no namespace is written.
    pub(super) name: String,
    /// Its file, after the change or else before.
    pub(super) file: String,
    /// What happened to its file.
    pub(super) how: How,
    /// What else made the change, where its own file is the same.
    pub(super) cause: Option<String>,
    /// What it does.
    pub(super) effect: Effect,
    /// What is wrong with it; then nothing is planned.
    pub(super) wrong: Vec<Entry>,
}

/// What happened to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// It came.
    New,
    /// It was changed.
    Changed,
    /// It says the same; something that it refers to was changed.
    Same,
    /// It went.
    Gone,
}

impl How {
    /// In a word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Same => "same",
            Self::Gone => "gone",
        }
    }
}

/// The four parts in which a change is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// What it does.
    Does,
    /// What only billing can tell.
    Open,
    /// What is left as it is.
    Left,
    /// What is refused.
    Refused,
}

impl Part {
    /// Every part, in their order.
    pub(super) const ALL: [Self; 4] = [Self::Does, Self::Open, Self::Left, Self::Refused];

    /// Its heading.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Does => "This change does",
            Self::Open => "Only the billing API can tell",
            Self::Left => "Will be left as it is",
            Self::Refused => "Refused",
        }
    }

    /// Its word for programs.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Does => "does",
            Self::Open => "open",
            Self::Left => "left",
            Self::Refused => "refused",
        }
    }
}

impl Row {
    /// The part that it is told in; none when nothing is to be told.
    pub(super) fn part(&self) -> Option<Part> {
        if !self.wrong.is_empty() {
            return Some(Part::Refused);
        }
        match &self.effect {
            Effect::Nothing => None,
            Effect::Changes { .. } => Some(Part::Does),
            Effect::Open(_) => Some(Part::Open),
            Effect::Left { .. } => Some(Part::Left),
            Effect::Refused(_) => Some(Part::Refused),
        }
    }

    /// What it does to money.
    pub(super) fn money(&self) -> Option<&MoneyEffect> {
        match &self.effect {
            Effect::Changes { plan, .. } if self.wrong.is_empty() => Some(&plan.effect),
            _ => None,
        }
    }
}

type Key<'a> = (Option<&'a str>, &'a str);

impl Planned {
    /// Plans a change from some files to others.
    pub(super) fn of(before: &Files, after: &mut Files, now: DateTime<Utc>) -> Self {
        publish(before, after);
        let before = &published(before);
        let after = &*after;
        let mut wrong: BTreeMap<usize, Vec<Entry>> = BTreeMap::new();
        let mut elsewhere = Report::new(after, Vec::new(), false).entries;
        let mut pairs = Report::of_each(after, findings(after, Some(before)));
        pairs.retain(|(_, entry)| entry.is_error());
        for (index, entry) in pairs {
            match after.resources.get(index).map(|resource| resource.kind.as_str()) {
                Some("BillingContract" | "ContractPackage") => wrong.entry(index).or_default().push(entry),
                _ => elsewhere.push(entry),
            }
        }
        let ((old, _), (new, _)) = (before.together(), after.together());
        let mut planned = Self { wrong: elsewhere, contracts: new.contracts.len(), ..Self::default() };
        for kind in ["ContractPackage", "BillingContract"] {
            let (was, is) = (by_name(before, kind), by_name(after, kind));
            let names: BTreeSet<Key<'_>> = was.keys().chain(is.keys()).copied().collect();
            for name in names {
                let (was, is) = (was.get(&name), is.get(&name));
                let wrong = is.and_then(|(index, _)| wrong.remove(index)).unwrap_or_default();
                let (was, is) = (was.map(|(_, resource)| *resource), is.map(|(_, resource)| *resource));
                planned.rows.extend(row(kind, (was, before, &old), (is, after, &new), wrong, now));
            }
        }
        planned.rows.retain(|row| row.part().is_some());
        planned
    }

    /// The rows of a part.
    pub(super) fn part(&self, part: Part) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.part() == Some(part))
    }

    /// How many rows there are of each part, in words: `2 resources change, 1 is refused`.
    pub(super) fn counts(&self) -> String {
        let counts = Part::ALL.map(|part| (part, self.part(part).count()));
        let mut words = Vec::new();
        for (part, number) in counts.into_iter().filter(|(_, number)| *number > 0) {
            let what = match (part, number) {
                (Part::Does, 1) => "changes",
                (Part::Does, _) => "change",
                (Part::Open, 1) => "is open",
                (Part::Open, _) => "are open",
                (Part::Left, 1) => "is left as it is",
                (Part::Left, _) => "are left as they are",
                (Part::Refused, 1) => "is refused",
                (Part::Refused, _) => "are refused",
            };
            let number = if words.is_empty() { count(number, "resource") } else { number.to_string() };
            words.push(format!("{number} {what}"));
        }
        words.join(", ")
    }

    /// What all of it does to fixed money.
    pub(super) fn total(&self) -> MoneyEffect {
        MoneyEffect::sum(self.rows.iter().filter_map(Row::money))
    }

    /// The exit status.
    pub(super) fn code(&self) -> u8 {
        if !self.wrong.is_empty() || self.part(Part::Refused).next().is_some() {
            2
        } else if self.part(Part::Does).chain(self.part(Part::Open)).next().is_some() {
            3
        } else {
            0
        }
    }
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

type Half<'a> = (Option<&'a Resource>, &'a Files, &'a Together<'a>);

fn row(
    kind: &'static str,
    before: Half<'_>,
    after: Half<'_>,
    wrong: Vec<Entry>,
    now: DateTime<Utc>,
) -> Option<Row> {
    let ((was, ..), (is, ..)) = (before, after);
    let resource = is.or(was)?;
    let files = if is.is_some() { after.1 } else { before.1 };
    let how = match (was, is) {
        (None, _) => How::New,
        (_, None) => How::Gone,
        (Some(was), Some(is)) if was.value.get("spec") == is.value.get("spec") => How::Same,
        _ => How::Changed,
    };
    let (effect, cause) = match (was.map(|was| &was.typed), is.map(|is| &is.typed)) {
        (Some(None), _) => (Effect::Open("what the files said of it before is invalid"), None),
        (_, Some(None)) => (Effect::Nothing, None),
        (was, is) => {
            planned(was.and_then(Option::as_ref), is.and_then(Option::as_ref), before.2, after.2, how, now)
        }
    };
    let namespace = resource.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    Some(Row {
        kind,
        name: format!("{namespace}{}", resource.name),
        file: files.sources.get(resource.source).map(|source| source.name.clone()).unwrap_or_default(),
        how,
        cause: cause.filter(|_| how == How::Same),
        effect,
        wrong,
    })
}

fn planned(
    was: Option<&Typed>,
    is: Option<&Typed>,
    before: &Together<'_>,
    after: &Together<'_>,
    how: How,
    now: DateTime<Utc>,
) -> (Effect, Option<String>) {
    if let (Some(Typed::Package(_)) | None, Some(Typed::Package(_)) | None) = (was, is) {
        let of = |typed: Option<&'_ Typed>| match typed {
            Some(Typed::Package(package)) => Some((**package).clone()),
            _ => None,
        };
        (package_effect(of(was).as_ref(), of(is).as_ref(), after, now), None)
    } else {
        let (was, is) = (side(was, before), side(is, after));
        let cause = was.as_ref().zip(is.as_ref()).and_then(|(was, is)| cause(was, is));
        if how == How::Same && cause.is_none() {
            // What neither says something else nor refers to something else is as it was.
            return (Effect::Nothing, None);
        }
        let moved = was.as_ref().zip(is.as_ref()).is_some_and(|(was, is)| has_moved(was, is));
        if moved {
            return (
                Effect::Open("it moves to another account, and what it was in the other one stays there"),
                cause,
            );
        }
        (change::contract(was.as_ref(), is.as_ref(), now), cause)
    }
}

fn side<'a>(typed: Option<&'a Typed>, together: &'a Together<'a>) -> Option<Side<'a>> {
    let Some(Typed::Contract(contract)) = typed else { return None };
    let account = together.provider(&contract.spec.provider_ref, contract.metadata.namespace.as_deref());
    Some(Side { contract, package: together.package(contract).ok().flatten(), account })
}

/// Whether a contract is no longer in the account that it was in.
fn has_moved(was: &Side<'_>, is: &Side<'_>) -> bool {
    match (was.account, is.account) {
        (Some(was), Some(is)) => was.base_url() != is.base_url(),
        _ => was.contract.spec.provider_ref != is.contract.spec.provider_ref,
    }
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

fn package_effect(
    was: Option<&ContractPackage>,
    is: Option<&ContractPackage>,
    after: &Together<'_>,
    now: DateTime<Utc>,
) -> Effect {
    let Some(package) = is.or(was) else { return Effect::Nothing };
    let namespace = package.metadata.namespace.as_deref();
    let account =
        package.spec.provider_ref.as_ref().and_then(|reference| after.provider(reference, namespace));
    let refers = |contract: &&crate::api::BillingContract| {
        let packages = [package];
        package::meant(contract, &packages).is_some()
    };
    let contracts = after.contracts.iter().map(|placed| placed.resource).filter(refers).count();
    change::package(was, is, account, contracts, now)
}

/// Puts on record what was published before: terms of a package that is published never change.
fn publish(before: &Files, after: &mut Files) {
    let was: BTreeMap<(Option<String>, String), ContractPackage> = before
        .packages()
        .filter(|package| package.spec.lifecycle != Lifecycle::Draft)
        .map(|package| ((package.namespace(), package.name_any()), package.clone()))
        .collect();
    for resource in &mut after.resources {
        let Some(Typed::Package(package)) = &mut resource.typed else { continue };
        let known = was.get(&(package.namespace(), package.name_any()));
        package.status = Some(status(package, known));
    }
}

/// The same for the files before, where every package was what it says.
fn published(before: &Files) -> Files {
    let mut before = before.clone();
    for resource in &mut before.resources {
        let Some(Typed::Package(package)) = &mut resource.typed else { continue };
        package.status = Some(status(package, None));
    }
    before
}

/// What the status of a package says once it is published.
fn status(package: &ContractPackage, before: Option<&ContractPackage>) -> ContractPackageStatus {
    ContractPackageStatus {
        digest: before.map(|before| package::digest(&before.spec)),
        package_id: Some(package.name_any()),
        ..ContractPackageStatus::default()
    }
}
