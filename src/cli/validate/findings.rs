//! What is found in resources that the schema lets through, one by one and together.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{
    files::{Files, Resource, Typed, Values, check},
    many,
};
use crate::{
    api::{
        Api, BillingContract, ContractPackage, contract::ProviderRef, package::Lifecycle,
        provider::BillingProviderSpec,
    },
    billing::endpoint::{self, EndpointError},
    plan::package::{self, Unusable},
    review::{
        Finding, Rule, Severity,
        across::{Together, Which},
        annotations, ignored, questions,
    },
    terms::{json::to_segment, text::is_unseen},
    validate::{self, Violation, path},
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
            Typed::Approval(_) | Typed::Packed(_) => Vec::new(),
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
            let mut refused = own.iter().filter(|other| other.severity == Severity::Error);
            refused.any(|other| is_same_place(&other.violation.path, &rule.violation.path))
        };
        let unsaid: Vec<_> = asked.into_iter().filter(|rule| !is_said(rule)).collect();
        own.splice(0..0, unsaid);
        own.extend(texts(value));
        own.extend(annotations::idle(value).into_iter().map(|found| Finding::warning(Rule::Question, found)));
        own.extend(written_by_the_cluster(value));
        if let (Typed::Contract(contract), Some(was)) = (typed, was.and_then(Resource::contract)) {
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

/// Text in the `spec` that most likely says something else than it seems to: each is a question.
fn texts(resource: &Value) -> Vec<Finding> {
    fn walk<'v>(value: &'v Value, pointer: &str, found: &mut Vec<(String, &'v str)>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                let name = to_segment(name);
                walk(value, &format!("{pointer}/{name}"), found);
            }),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(index, value)| walk(value, &format!("{pointer}/{index}"), found)),
            Value::String(text) => found.push((pointer.to_owned(), text)),
            _ => {}
        }
    }
    let (none, mut found) = (Value::Null, Vec::new());
    let spec = resource.get("spec").unwrap_or(&none);
    walk(spec, "", &mut found);
    let question = |(pointer, text): (String, &str)| {
        let message = placeholder(text).or_else(|| unseen(&pointer, text))?;
        Some(Finding::warning(
            Rule::Question,
            Violation::new(path::of_pointer("spec", spec, &pointer), message),
        ))
    };
    found.into_iter().filter_map(question).collect()
}

/// Text that something is to put a value into before it is applied: what is checked is the text itself.
fn placeholder(text: &str) -> Option<String> {
    let written = PLACEHOLDERS.iter().find_map(|(start, end)| {
        let from = text.find(start)?;
        let length = text.get(from..)?.find(end)? + end.len();
        text.get(from..from + length)
    })?;
    Some(format!(
        "has {written}, which seems to stand for something else: check what is put in its place, not this"
    ))
}

/// Text with something in it that nobody sees; prose may have several lines.
fn unseen(pointer: &str, text: &str) -> Option<String> {
    let is_prose = PROSE.iter().any(|name| pointer.ends_with(name));
    let is_break = |character: char| is_prose && ['\n', '\r', '\t'].contains(&character);
    if let Some(character) = text.chars().find(|character| is_unseen(*character) && !is_break(*character)) {
        return Some(match character {
            '\n' | '\r' => "has a line break: is that meant?".to_owned(),
            character => {
                let number = u32::from(character);
                format!("has a character that nobody sees, U+{number:04X}: is that meant?")
            }
        });
    }
    let inner = if is_prose { text.trim_end_matches(['\n', '\r']) } else { text };
    (inner != inner.trim()).then(|| "begins or ends with a space: is that meant?".to_owned())
}

/// How pointers end to text that may have several lines.
const PROSE: [&str; 2] = ["/notes", "escription"];

/// How text begins and ends that Flux, shells or Helm put a value in the place of.
const PLACEHOLDERS: [(&str, &str); 2] = [("${", "}"), ("{{", "}}")];

/// What `kubectl get --output yaml` shows and no file should say: applied again, it is refused as soon as the resource has
/// changed, or at once on the server's side.
fn written_by_the_cluster(resource: &Value) -> Option<Finding> {
    let pointers = ["/metadata/uid", "/metadata/resourceVersion", "/metadata/managedFields", "/status"];
    let is_said = |pointer: &&str| resource.pointer(pointer).is_some_and(|value| !value.is_null());
    let said: Vec<_> =
        pointers.into_iter().filter(is_said).map(|pointer| pointer.replace('/', ".")).collect();
    let names: Vec<_> = said.iter().map(|name| format!("`{}`", name.trim_start_matches('.'))).collect();
    let first = said.first()?.trim_start_matches('.');
    let message =
        format!("is the cluster's to write: take {} out of a file that is to be applied", names.join(", "));
    Some(Finding::warning(Rule::Question, Violation::new(first, message)))
}

fn provider(spec: &BillingProviderSpec) -> Vec<Violation> {
    let Some((api, address)) = spec.api().map(Api::field).zip(spec.base_url()) else {
        return vec![Violation::of_no_single_api()];
    };
    let address = endpoint::base_url(address).err().map(|error| (format!("spec.{api}.baseUrl"), error));
    let roots = endpoint::roots(spec.ca_bundle.as_deref()).err();
    let roots = roots.map(|error| ("spec.caBundle".to_owned(), error));
    let refused = address.into_iter().chain(roots);
    refused
        .map(|(path, error)| match error {
            EndpointError::Url(why) | EndpointError::CaBundle(why) => Violation::new(path, why),
            error => Violation::new(path, error.to_string()),
        })
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
    let mut found = own(contract, packages, together);
    if let Some(violation) = account(contract, together) {
        found.push(Finding::error(Rule::Reference, violation));
    }
    let nowhere = ignored::drift(&contract.spec).into_iter();
    found.extend(nowhere.map(|violation| Finding::warning(Rule::IgnoredDrift, violation)));
    found
}

/// What is found in a contract and its package alone.
fn own(contract: &BillingContract, packages: &[&ContractPackage], together: &Together<'_>) -> Vec<Finding> {
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
        // What is wrong with it is told where it stands.
        Err(Unusable::Missing(_)) if together.may_be_wrong_package(contract) => return Vec::new(),
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
