//! What is found in resources that the schema lets through, one by one and together.

use std::collections::BTreeMap;

use super::super::{
    files::{Files, Resource, Typed, Values, check},
    many,
};
use crate::{
    api::{
        Api, BillingContract, ContractPackage, contract::ProviderRef, package::Lifecycle,
        provider::BillingProviderSpec,
    },
    billing::endpoint,
    plan::package::{self, Unusable},
    review::{
        Finding, Rule, Severity,
        across::{Together, Which},
        ignored, questions,
    },
    validate::{self, Violation},
};

/// Everything that is found: the index of the resource among the files, and what. `base` are the files as they were.
#[must_use]
pub fn findings(files: &Files, base: Option<&Files>) -> Vec<(usize, Finding)> {
    let (together, indices) = files.together();
    let packages: Vec<&ContractPackage> = files.packages().collect();
    let before = Before::of(base);
    let nothing = Files::default();
    let mut found = files.findings.clone();
    let numbered: Vec<(usize, &Resource)> = files.resources.iter().enumerate().collect();
    let readers = || (Values::of(files), Values::of(base.unwrap_or(&nothing)));
    let of_each = many::map(&numbered, readers, |(values, values_before), (index, resource)| {
        let Some(typed) = &resource.typed else { return Vec::new() };
        let mut own = match typed {
            Typed::Provider(found) => terms(provider(&found.spec)),
            Typed::ClusterProvider(found) => terms(provider(&found.spec.account)),
            Typed::Package(found) => terms(usable(found, &packages)),
            Typed::Contract(found) => contract(found, &packages, &together),
            Typed::Approval(_) => Vec::new(),
        };
        let was = before.resource(resource);
        let is_as_it_was = was.is_some_and(|was| {
            was.pointer == resource.pointer && values_before.text(was) == values.text(resource)
        });
        let value = values.get(resource);
        let value_before = if is_as_it_was { Some(value) } else { was.map(|was| values_before.get(was)) };
        // Where the operator says it as well, its words are the better ones.
        let asked = check::rules(&resource.kind, value, value_before);
        let is_said = |rule: &Finding| {
            own.iter().any(|other| is_same_place(&other.violation.path, &rule.violation.path))
        };
        let unsaid: Vec<_> = asked.into_iter().filter(|rule| !is_said(rule)).collect();
        own.splice(0..0, unsaid);
        if let (Typed::Contract(contract), Some(Typed::Contract(was))) =
            (typed, was.and_then(|was| was.typed.as_ref()))
        {
            let changed = questions::changed(&was.spec, &contract.spec);
            own.extend(changed.into_iter().map(|violation| Finding::warning(Rule::Question, violation)));
        }
        own.into_iter().map(|finding| (*index, finding)).collect()
    });
    found.extend(of_each.into_iter().flatten());
    let at = |which: Which| indices.binary_search_by_key(&which, |(which, _)| *which).ok();
    let across = together
        .findings()
        .into_iter()
        .filter_map(|(which, finding)| Some((indices.get(at(which)?)?.1, finding)));
    found.extend(across);
    found
}

/// The files as they were, by what they hold.
struct Before<'a>(BTreeMap<(&'a str, Option<&'a str>, &'a str), &'a Resource>);

impl<'a> Before<'a> {
    fn of(base: Option<&'a Files>) -> Self {
        let resources = base.into_iter().flat_map(|files| &files.resources);
        Self(resources.map(|resource| (key(resource), resource)).collect())
    }

    fn resource(&self, resource: &'a Resource) -> Option<&'a Resource> {
        self.0.get(&key(resource)).copied()
    }
}

fn key(resource: &Resource) -> (&str, Option<&str>, &str) {
    (&resource.kind, resource.namespace.as_deref(), &resource.name)
}

/// Whether two paths mean one place, or one of them a part of the other.
fn is_same_place(one: &str, other: &str) -> bool {
    one == other || (one == "spec") == (other == "spec") && (one.starts_with(other) || other.starts_with(one))
}

fn terms(violations: Vec<Violation>) -> Vec<Finding> {
    Finding::errors(Rule::Terms, violations).collect()
}

fn provider(spec: &BillingProviderSpec) -> Vec<Violation> {
    let Some((api, address)) = spec.api().map(Api::field).zip(spec.base_url()) else {
        return vec![Violation::of_no_single_api()];
    };
    let refused = endpoint::base_url(address).err();
    refused
        .map(|error| Violation::new(format!("spec.{api}.baseUrl"), error.to_string()))
        .into_iter()
        .collect()
}

fn usable(package: &ContractPackage, packages: &[&ContractPackage]) -> Vec<Violation> {
    match (validate::package(&package.spec), package::sound(package, packages)) {
        (Err(violations), _) => violations,
        (Ok(()), Err(refusal)) if package.spec.lifecycle != Lifecycle::Draft => {
            let message = format!("must not be another package's at the same time: {}", refusal.message);
            vec![Violation::new("spec.aliases", message)]
        }
        _ => Vec::new(),
    }
}

fn contract(
    contract: &BillingContract,
    packages: &[&ContractPackage],
    together: &Together<'_>,
) -> Vec<Finding> {
    let mut found = own(contract, packages);
    if let Some(violation) = account(contract, together) {
        found.push(Finding::error(Rule::Reference, violation));
    }
    let nowhere = ignored::drift(&contract.spec).into_iter();
    found.extend(nowhere.map(|violation| Finding::warning(Rule::IgnoredDrift, violation)));
    found
}

/// What is found in a contract and its package alone.
fn own(contract: &BillingContract, packages: &[&ContractPackage]) -> Vec<Finding> {
    let why = match package::of(contract, packages) {
        Ok(package) => {
            let package = package.map(|package| &package.spec);
            let terms = match validate::contract(&contract.spec, package) {
                Ok(terms) => terms,
                Err(violations) => return Finding::errors(Rule::Terms, violations).collect(),
            };
            let asked = questions::contract(&contract.spec, &terms).into_iter();
            return asked
                .map(|violation| Finding { severity: Severity::Warning, rule: Rule::Question, violation })
                .collect();
        }
        Err(Unusable::Missing(why)) => format!("{why}, or add its file to the arguments"),
        Err(Unusable::NotReady(why) | Unusable::NotCreated(why) | Unusable::Wrong(why)) => why,
    };
    let message = format!("must lead to a package that can be used: {why}");
    vec![Finding::error(Rule::Reference, Violation::new("spec.packageRef", message))]
}

/// Whether the provider, if it is among the files, is an account of the billing API that the terms are for.
fn account(contract: &BillingContract, together: &Together<'_>) -> Option<Violation> {
    let reference: &ProviderRef = &contract.spec.provider_ref;
    let spec = together.provider(reference, contract.metadata.namespace.as_deref())?;
    let message = format!(
        "is an account of another billing API than the terms: {:?} {}",
        reference.kind, reference.name
    );
    (spec.api() != contract.spec.api()).then(|| Violation::new("spec.providerRef", message))
}
